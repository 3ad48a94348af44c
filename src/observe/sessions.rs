//! The live client sessions: who they are, what they do, and how to stop them.
//!
//! Owns: connection ids, the registry that `SHOW PROCESSLIST` and the admin port read, and the
//! stop signal of each session (KILL, KILL QUERY, drain, shutdown). Never: knows a socket, ends a
//! session itself (each session watches its own signal), or keeps one alive.
//!
//! # How a session uses it
//! ```text
//! let registration = registry.register(peer, worker);   // at accept; its id goes into the greeting
//! registration.log_in(user, schema);                    // after login and COM_CHANGE_USER
//! loop {
//!     select! { command = read() => …, stop = registration.stopped(Watch::Idle) => break }
//!     registration.begin(command, text);                // forgets a KILL QUERY that came too early
//!     select! { run() => …, stop = registration.stopped(Watch::Statement) => … }
//!     registration.end();
//! }                                                     // dropping it takes it out of the list
//! ```

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use crate::config::PROXY_IDS;
use crate::error::{Error, Fault};
use crate::name::{SchemaName, UserName};

/// Bits of a connection id that count up within one proxy.
const LOCAL_BITS: u32 = 20;
const LOCAL_MASK: u32 = (1 << LOCAL_BITS) - 1;
const _: () = assert!((PROXY_IDS as u64) << LOCAL_BITS == 1 << 32);

/// How much of a statement's text the list keeps.
pub const SHOWN_STATEMENT: usize = 1024;

/// Where a client comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Its address; behind a trusted balancer the one that the PROXY protocol names.
    Tcp(SocketAddr),
    /// A unix socket of this host.
    Unix,
}

impl Peer {
    /// The host part, as `SHOW PROCESSLIST` and grants have it.
    pub fn host(&self) -> String {
        match self {
            Peer::Tcp(address) => address.ip().to_canonical().to_string(),
            Peer::Unix => "localhost".to_owned(),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Tcp(address) => write!(f, "{}:{}", address.ip().to_canonical(), address.port()),
            Peer::Unix => f.write_str("localhost"),
        }
    }
}

/// What a session is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    Login,
    Idle,
    Planning,
    WaitingForConnection,
    Executing,
    SendingRows,
    Paused,
}

impl State {
    const ALL: [State; 7] = [
        State::Login,
        State::Idle,
        State::Planning,
        State::WaitingForConnection,
        State::Executing,
        State::SendingRows,
        State::Paused,
    ];

    /// As lists show it.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Login => "login",
            State::Idle => "",
            State::Planning => "planning",
            State::WaitingForConnection => "waiting for a connection",
            State::Executing => "executing",
            State::SendingRows => "sending rows",
            State::Paused => "paused",
        }
    }
}

/// Which stop signals a session heeds at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Between statements, outside of a transaction: a drain ends the session here.
    Idle,
    /// Between statements of an open transaction: only KILL and shutdown count.
    InTransaction,
    /// A statement runs: KILL QUERY counts too.
    Statement,
}

/// Why a session should stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// KILL QUERY: the running statement is answered with 1317, the session goes on.
    Query,
    /// The process drains: the session ends now, between transactions (1053).
    Drain,
    /// A statement was told to stop, and its server has not answered: the session ends.
    Unanswered,
    /// KILL: the session ends at once.
    Kill,
    /// The process ends at once (1053).
    Shutdown,
}

const QUERY: u8 = 1;
const DRAIN: u8 = 2;
const KILL: u8 = 4;
const SHUTDOWN: u8 = 8;

impl Watch {
    fn mask(self) -> u8 {
        match self {
            Watch::Idle => DRAIN | KILL | SHUTDOWN,
            Watch::InTransaction => KILL | SHUTDOWN,
            Watch::Statement => QUERY | KILL | SHUTDOWN,
        }
    }
}

/// One session as others see it.
#[derive(Debug)]
pub struct Entry {
    id: u32,
    worker: usize,
    since: Instant,
    transport: Mutex<Transport>,
    state: AtomicU8,
    in_transaction: AtomicBool,
    pinned: AtomicBool,
    statements: AtomicU64,
    activity: Mutex<Activity>,
    signals: AtomicU8,
    /// Of the session's one task: it waits for a signal in one place at a time.
    waiter: AtomicWaker,
}

#[derive(Debug)]
struct Transport {
    peer: Peer,
    tls: bool,
    user: Option<UserName>,
    schema: Option<SchemaName>,
    software: Software,
}

/// What a client says of its program, each text bounded by [`SHOWN_SOFTWARE`]. Nobody proves it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Software {
    /// `program_name`, what MySQL's and MariaDB's own tools and many drivers' applications say.
    pub program: Option<Box<str>>,
    /// The driver and its version: `_client_name`, `_client_version`.
    pub client: Option<Box<str>>,
}

/// How many bytes of each of its texts are kept.
pub const SHOWN_SOFTWARE: usize = 96;

impl Software {
    /// From connection attributes.
    pub fn of<'a>(attributes: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Software {
        let (mut program, mut name, mut version) = (None, None, None);
        for (attribute, value) in attributes {
            match attribute {
                b"program_name" => program = Some(value),
                b"_client_name" => name = Some(value),
                b"_client_version" => version = Some(value),
                _ => {}
            }
        }
        let client = [name, version].into_iter().flatten().collect::<Vec<_>>();
        Software { program: program.and_then(bounded), client: bounded(&client.join(&b' ')) }
    }
}

/// As text for a list: no control character, no more than [`SHOWN_SOFTWARE`] bytes.
fn bounded(value: &[u8]) -> Option<Box<str>> {
    let value = value.get(..SHOWN_SOFTWARE).unwrap_or(value);
    let mut text: String = String::from_utf8_lossy(value)
        .chars()
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    while text.len() > SHOWN_SOFTWARE {
        text.pop();
    }
    (!text.is_empty()).then(|| text.into_boxed_str())
}

#[derive(Debug)]
struct Activity {
    command: &'static str,
    since: Instant,
    statement: Vec<u8>,
}

/// A copy of an entry, for lists.
#[derive(Clone, Debug)]
pub struct Shown {
    pub id: u32,
    pub worker: usize,
    pub peer: Peer,
    pub tls: bool,
    pub user: Option<UserName>,
    pub schema: Option<SchemaName>,
    pub software: Software,
    /// As MySQL's processlist names it: `Query`, `Sleep`, `Execute`, `Connect` …
    pub command: &'static str,
    pub state: State,
    pub in_transaction: bool,
    pub pinned: bool,
    /// Since the accept.
    pub age: Duration,
    /// Since the command began, or since the last one ended.
    pub busy: Duration,
    pub statements: u64,
    /// The beginning of the running statement, empty where none runs.
    pub statement: String,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these locks guard is valid at every step, so a panicking holder leaves no damage.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Entry {
    /// The connection id that the client knows.
    pub fn id(&self) -> u32 {
        self.id
    }

    pub fn user(&self) -> Option<UserName> {
        lock(&self.transport).user.clone()
    }

    pub fn peer(&self) -> Peer {
        lock(&self.transport).peer.clone()
    }

    /// After the PROXY protocol's header: whom the balancer speaks for.
    pub fn set_peer(&self, peer: Peer) {
        lock(&self.transport).peer = peer;
    }

    pub fn set_tls(&self) {
        lock(&self.transport).tls = true;
    }

    /// After a login, or COM_CHANGE_USER.
    pub fn log_in(&self, user: UserName, schema: Option<SchemaName>) {
        let mut transport = lock(&self.transport);
        transport.user = Some(user);
        transport.schema = schema;
        drop(transport);
        self.end();
    }

    pub fn set_software(&self, software: Software) {
        lock(&self.transport).software = software;
    }

    pub fn set_schema(&self, schema: Option<SchemaName>) {
        lock(&self.transport).schema = schema;
    }

    pub fn set_state(&self, state: State) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    pub fn set_in_transaction(&self, open: bool) {
        self.in_transaction.store(open, Ordering::Relaxed);
    }

    pub fn set_pinned(&self, pinned: bool) {
        self.pinned.store(pinned, Ordering::Relaxed);
    }

    /// A command begins. A KILL QUERY that came before it was meant for another one and is
    /// forgotten, as MySQL does.
    pub fn begin(&self, command: &'static str, statement: &[u8]) {
        self.signals.fetch_and(!QUERY, Ordering::AcqRel);
        let mut activity = lock(&self.activity);
        activity.command = command;
        activity.since = Instant::now();
        activity.statement.clear();
        let shown = statement.get(..SHOWN_STATEMENT).unwrap_or(statement);
        activity.statement.extend_from_slice(shown);
        drop(activity);
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.set_state(State::Planning);
    }

    /// The command has been answered.
    pub fn end(&self) {
        let mut activity = lock(&self.activity);
        activity.command = "Sleep";
        activity.since = Instant::now();
        activity.statement.clear();
        drop(activity);
        self.set_state(State::Idle);
    }

    /// Gives the statement's buffer back; for sessions that have been idle for a while.
    pub fn shed(&self) {
        lock(&self.activity).statement = Vec::new();
    }

    /// The gravest signal that `watch` heeds, if any was given.
    pub fn stop(&self, watch: Watch) -> Option<Stop> {
        let signals = self.signals.load(Ordering::Acquire) & watch.mask();
        match signals {
            0 => None,
            s if s & SHUTDOWN != 0 => Some(Stop::Shutdown),
            s if s & KILL != 0 => Some(Stop::Kill),
            s if s & DRAIN != 0 => Some(Stop::Drain),
            _ => Some(Stop::Query),
        }
    }

    /// Waits for a signal that `watch` heeds. Cancel-safe.
    pub async fn stopped(&self, watch: Watch) -> Stop {
        poll_fn(|context| {
            // Registered before the look, so that a signal in between isn't missed.
            self.waiter.register(context.waker());
            self.stop(watch).map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    fn signal(&self, bit: u8) {
        self.signals.fetch_or(bit, Ordering::AcqRel);
        self.waiter.wake();
    }

    fn shown(&self, now: Instant) -> Shown {
        let transport = lock(&self.transport);
        let activity = lock(&self.activity);
        let state = State::ALL.get(usize::from(self.state.load(Ordering::Relaxed)));
        Shown {
            id: self.id,
            worker: self.worker,
            peer: transport.peer.clone(),
            tls: transport.tls,
            user: transport.user.clone(),
            schema: transport.schema.clone(),
            software: transport.software.clone(),
            command: activity.command,
            state: state.copied().unwrap_or(State::Idle),
            in_transaction: self.in_transaction.load(Ordering::Relaxed),
            pinned: self.pinned.load(Ordering::Relaxed),
            age: now.saturating_duration_since(self.since),
            busy: now.saturating_duration_since(activity.since),
            statements: self.statements.load(Ordering::Relaxed),
            statement: String::from_utf8_lossy(&activity.statement).into_owned(),
        }
    }
}

/// What a KILL stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Query,
    Connection,
}

/// Every live session of the process.
#[derive(Debug)]
pub struct Registry {
    proxy: u16,
    next: AtomicU32,
    live: AtomicUsize,
    /// DRAIN and SHUTDOWN, for sessions that register late.
    stopping: AtomicU8,
    /// Woken whenever a session ends.
    ended: Notify,
    /// Held while an account's sessions are counted for one more.
    claims: Mutex<()>,
    shards: [Mutex<HashMap<u32, Arc<Entry>, foldhash::fast::FixedState>>; 16],
}

/// A session's place in the registry; dropping it takes it out.
#[derive(Debug)]
pub struct Registration {
    entry: Arc<Entry>,
    registry: Arc<Registry>,
}

impl Deref for Registration {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        &self.entry
    }
}

impl Registration {
    /// The registry, for KILL and SHOW PROCESSLIST.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        lock(self.registry.shard(self.entry.id)).remove(&self.entry.id);
        self.registry.live.fetch_sub(1, Ordering::AcqRel);
        self.registry.ended.notify_waiters();
    }
}

impl Registry {
    /// A registry whose ids carry `proxy` (below [`PROXY_IDS`]) in their high bits.
    pub fn new(proxy: u16) -> Arc<Self> {
        Arc::new(Registry {
            proxy: proxy % PROXY_IDS,
            next: AtomicU32::new(1),
            live: AtomicUsize::new(0),
            stopping: AtomicU8::new(0),
            ended: Notify::new(),
            claims: Mutex::new(()),
            shards: Default::default(),
        })
    }

    pub fn proxy(&self) -> u16 {
        self.proxy
    }

    /// Makes the session one of the account's, where fewer than `limit` others are. False: it stays
    /// whose it was.
    pub fn claim(&self, claimer: &Entry, user: &UserName, limit: usize) -> bool {
        // Two logins at the same time must not both take the last place.
        let _one = lock(&self.claims);
        let of_shard = |shard: &Mutex<HashMap<u32, Arc<Entry>, foldhash::fast::FixedState>>| {
            let entries = lock(shard);
            entries
                .values()
                .filter(|entry| entry.id != claimer.id)
                .filter(|entry| lock(&entry.transport).user.as_ref() == Some(user))
                .count()
        };
        let is_free = self.shards.iter().map(of_shard).sum::<usize>() < limit;
        if is_free {
            lock(&claimer.transport).user = Some(user.clone());
        }
        is_free
    }

    fn shard(&self, id: u32) -> &Mutex<HashMap<u32, Arc<Entry>, foldhash::fast::FixedState>> {
        // An array of 16 and four bits: always there.
        &self.shards[(id & 15) as usize]
    }

    /// Takes a session in and gives it an id that no live session has.
    pub fn register(self: &Arc<Self>, peer: Peer, worker: usize) -> Registration {
        let now = Instant::now();
        let mut entry = Entry {
            id: 0,
            worker,
            since: now,
            transport: Mutex::new(Transport {
                peer,
                tls: false,
                user: None,
                schema: None,
                software: Software::default(),
            }),
            state: AtomicU8::new(State::Login as u8),
            in_transaction: AtomicBool::new(false),
            pinned: AtomicBool::new(false),
            statements: AtomicU64::new(0),
            activity: Mutex::new(Activity {
                command: "Connect",
                since: now,
                statement: Vec::new(),
            }),
            signals: AtomicU8::new(0),
            waiter: AtomicWaker::new(),
        };
        // Ends: settings bound live sessions by half of the ids.
        let entry = loop {
            let local = self.next.fetch_add(1, Ordering::Relaxed) & LOCAL_MASK;
            let id = u32::from(self.proxy) << LOCAL_BITS | local;
            let mut shard = lock(self.shard(id));
            if local == 0 || shard.contains_key(&id) {
                continue;
            }
            entry.id = id;
            let entry = Arc::new(entry);
            shard.insert(id, entry.clone());
            break entry;
        };
        self.live.fetch_add(1, Ordering::AcqRel);
        // After the insert: a drain that began in between either saw the entry or is seen here.
        let stopping = self.stopping.load(Ordering::Acquire);
        if stopping != 0 {
            entry.signal(stopping);
        }
        Registration { entry, registry: self.clone() }
    }

    /// How many sessions are live.
    pub fn len(&self) -> usize {
        self.live.load(Ordering::Acquire)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// KILL: stops the session `id` or its statement, where `allowed` says that the asker may.
    /// 1094 where no such session is here, 1095 where it may not.
    pub fn kill(
        &self,
        id: u64,
        target: Target,
        allowed: impl FnOnce(&Entry) -> bool,
    ) -> Result<(), Error> {
        let entry = self.find(id)?;
        if !allowed(&entry) {
            let text = format!("You are not owner of thread {id}");
            return Err(Error::new(Fault::Client, 1095, b"HY000", "kill_denied", text));
        }
        entry.signal(match target {
            Target::Query => QUERY,
            Target::Connection => KILL,
        });
        Ok(())
    }

    fn find(&self, id: u64) -> Result<Arc<Entry>, Error> {
        let unknown = |text| Error::new(Fault::Client, 1094, b"HY000", "unknown_thread", text);
        let Ok(id) = u32::try_from(id) else {
            return Err(unknown(format!("Unknown thread id: {id}")));
        };
        let proxy = id >> LOCAL_BITS;
        if proxy != u32::from(self.proxy) {
            return Err(unknown(format!(
                "Unknown thread id: {id}. It belongs to proxy {proxy}, and this is proxy {}: \
                 connect to that one to kill it",
                self.proxy
            )));
        }
        let entry = lock(self.shard(id)).get(&id).cloned();
        entry.ok_or_else(|| unknown(format!("Unknown thread id: {id}")))
    }

    fn entries(&self) -> Vec<Arc<Entry>> {
        // No entry's lock is taken under a shard's.
        self.shards
            .iter()
            .flat_map(|shard| lock(shard).values().cloned().collect::<Vec<_>>())
            .collect()
    }

    /// Every session, by id.
    pub fn list(&self) -> Vec<Shown> {
        let now = Instant::now();
        let mut list: Vec<Shown> = self.entries().iter().map(|entry| entry.shown(now)).collect();
        list.sort_by_key(|shown| shown.id);
        list
    }

    /// From now on sessions end at their next transaction boundary.
    pub fn drain(&self) {
        self.signal_all(DRAIN);
    }

    /// Sessions end at once.
    pub fn shut_down(&self) {
        self.signal_all(SHUTDOWN);
    }

    fn signal_all(&self, bit: u8) {
        self.stopping.fetch_or(bit, Ordering::AcqRel);
        for entry in self.entries() {
            entry.signal(bit);
        }
    }

    /// Waits until no session is left. Cancel-safe.
    pub async fn empty(&self) {
        loop {
            let ended = self.ended.notified();
            if self.is_empty() {
                return;
            }
            ended.await;
        }
    }
}

#[cfg(test)]
mod tests;
