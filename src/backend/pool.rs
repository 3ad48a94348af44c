//! The connections of one node, and lending them.
//!
//! Owns: one deadpool pool per worker and FOUND_ROWS flavour under one count of permits, the
//! search for a connection, and the rule of their return. Never: chooses the node.
//!
//! A lent connection that is dropped is closed. Only [`Lent::finish`] gives it back, after the last
//! packet of its last answer; what is left of a session on it is reset first. So a future dropped
//! at any await can't return a half-read connection.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::{self, Metrics, Object, PoolError, RecycleError, RecycleResult, Timeouts};
use futures_util::FutureExt;
use tokio::time::{Instant, timeout, timeout_at};

use crate::backend::choose::Role;
use crate::backend::connection::{Connection, Pipelining};
use crate::backend::counters::{Closed, Counters};
use crate::backend::fault;
use crate::backend::login;
use crate::backend::node::Node;
use crate::backend::permits::{Permit, Permits, Refusal};
use crate::backend::state::State;
use crate::error::{Error, Result};

/// Idle connections looked at for one whose state fits.
const AFFINITY_TRIES: usize = 3;
/// Idle for so long, a connection is looked at before it is lent: servers close long idle ones.
const LONG_IDLE: Duration = Duration::from_secs(1);
/// How long a reset before return may take.
const RESET_TIMEOUT: Duration = Duration::from_secs(1);
/// Pause between two tries while the server itself is full.
const FULL_PAUSE: Duration = Duration::from_millis(20);
/// Connections that turn out dead while state is applied, before it is an error.
const STALE_TRIES: usize = 3;

/// What a statement asks of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The worker that the session lives on.
    pub worker: usize,
    pub role: Role,
    /// The state that the statement runs in.
    pub state: &'a State,
    /// The client's CLIENT_FOUND_ROWS.
    pub found_rows: bool,
    pub pipelining: Pipelining,
    /// A replica must be known to have what was committed by then.
    pub after: Option<Instant>,
    /// When the connection was asked for.
    pub asked: Instant,
    /// No waiting beyond it, whatever for.
    pub deadline: Instant,
}

/// All connections of this proxy to one node.
pub struct Pool {
    node: Arc<Node>,
    permits: Permits,
    /// Per worker: without and with FOUND_ROWS.
    workers: Vec<[managed::Pool<Manager>; 2]>,
}

/// deadpool's view of it: opens and checks.
#[derive(Debug)]
struct Manager {
    node: Arc<Node>,
    found_rows: bool,
}

enum Refused {
    /// As many are open as may be.
    Full,
    Failed(Error),
}

impl managed::Manager for Manager {
    /// Boxed: it is moved in and out of the pool for each statement.
    type Type = Box<Connection>;
    type Error = Refused;

    async fn create(&self) -> Result<Box<Connection>, Refused> {
        let Some(ticket) = self.node.ticket() else { return Err(Refused::Full) };
        self.node.may_dial().map_err(Refused::Failed)?;
        // A lend that takes only what is idle gives up here, before a server has seen anything of it.
        tokio::task::yield_now().await;
        // Boxed: rare, and otherwise every idle session would hold room for a login.
        match Box::pin(login::open(ticket, self.found_rows)).await {
            Ok(connection) => {
                self.node.dialled();
                Ok(Box::new(connection))
            }
            Err(error) => {
                Counters::add(&self.node.counters.failed, 1);
                if !is_full(&error) {
                    self.node.dial_failed(&error);
                }
                Err(Refused::Failed(error))
            }
        }
    }

    async fn recycle(
        &self,
        connection: &mut Box<Connection>,
        _: &Metrics,
    ) -> RecycleResult<Refused> {
        let limits = &self.node.spec.limits;
        let now = Instant::now();
        let reason = if now - connection.opened() >= limits.lifetime {
            Closed::Lifetime
        } else if now - connection.idle_since() >= limits.idle {
            Closed::Idle
        } else if !connection.is_alive() {
            Closed::ByServer
        } else {
            return Ok(());
        };
        connection.close_for(reason);
        Err(RecycleError::message(reason.label()))
    }
}

/// The server has no connection left for us, which passes.
fn is_full(error: &Error) -> bool {
    matches!(error.errno, 1040 | 1203 | 1226)
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({:?}, {} in use)", self.node, self.in_use())
    }
}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lent({:?})", self.object.as_deref())
    }
}

impl Pool {
    /// # Errors
    /// A defect: deadpool takes each setting that is given here.
    pub fn new(node: Arc<Node>, workers: usize) -> Result<Self> {
        let workers = workers.max(1);
        let limits = &node.spec.limits;
        let build = |found_rows| {
            managed::Pool::builder(Manager { node: node.clone(), found_rows })
                .max_size(limits.max_connections)
                .queue_mode(managed::QueueMode::Lifo)
                .build()
                .map_err(|error| Error::internal(format!("{}: {error}", node.title())))
        };
        let pools =
            (0..workers).map(|_| Ok([build(false)?, build(true)?])).collect::<Result<_>>()?;
        let permits = Permits::new(limits.max_connections, limits.max_waiting, workers);
        Ok(Pool { node: node.clone(), permits, workers: pools })
    }

    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Connections lent now.
    pub fn in_use(&self) -> usize {
        self.permits.in_use()
    }

    /// Open and not lent.
    pub fn idle(&self) -> usize {
        self.node.open().saturating_sub(self.in_use())
    }

    /// Statements waiting for a connection.
    pub fn waiting(&self) -> usize {
        self.permits.waiting()
    }

    pub fn max(&self) -> usize {
        self.permits.max()
    }

    /// Lends a connection in the asked state, waiting for one until the deadline. Dropping the
    /// future leaves nothing behind.
    ///
    /// # Errors
    /// Out of time or the queue is full (1040); the node can't be reached; the server refuses the
    /// state (its own error). Each names group, node and reason.
    pub async fn lend(self: &Arc<Self>, ask: &Ask<'_>) -> Result<Lent> {
        if let Some(lent) = self.lend_now(ask) {
            return Ok(lent);
        }
        // Boxed: rare, and otherwise every statement's future would hold room for it.
        Box::pin(self.lend_late(ask)).await
    }

    /// What nearly all statements meet: a permit is free, and an idle connection of this worker stands
    /// in the asked state.
    fn lend_now(self: &Arc<Self>, ask: &Ask<'_>) -> Option<Lent> {
        let permit = self.permits.try_acquire(ask.worker)?;
        let object = self.idle_now(ask)?;
        let mut lent = Lent { object: Some(object), permit: Some(permit), pool: self.clone() };
        lent.lent();
        Some(lent)
    }

    /// An idle connection of this worker that needs neither a look nor another state.
    fn idle_now(&self, ask: &Ask<'_>) -> Option<Object<Manager>> {
        let object = get(self.pool(ask.worker, ask.found_rows)).now_or_never()?.ok()?;
        let recently = ask.asked.saturating_duration_since(object.idle_since()) < LONG_IDLE;
        (recently && object.applied().satisfies(ask.state)).then_some(object)
    }

    async fn lend_late(self: &Arc<Self>, ask: &Ask<'_>) -> Result<Lent> {
        let permit = match self.permits.try_acquire(ask.worker) {
            Some(permit) => permit,
            None => Box::pin(self.wait(ask)).await?,
        };
        let object = match self.idle_now(ask) {
            Some(object) => object,
            None => Box::pin(self.search(ask)).await?,
        };
        let mut lent = Lent { object: Some(object), permit: Some(permit), pool: self.clone() };
        lent.lent();
        if lent.applied().satisfies(ask.state) {
            return Ok(lent);
        }
        Box::pin(self.settle_state(lent, ask)).await
    }

    /// Brings a connection into the asked state; one that died while it was idle is replaced.
    async fn settle_state(self: &Arc<Self>, mut lent: Lent, ask: &Ask<'_>) -> Result<Lent> {
        for _ in 0..STALE_TRIES {
            match timeout_at(ask.deadline, lent.enter(ask.state, ask.pipelining)).await {
                Ok(Ok(())) => return Ok(lent),
                Ok(Err(error)) if lent.is_in_step() => {
                    // The server refused the state: the connection is as before.
                    lent.finish().await;
                    return Err(error);
                }
                Ok(Err(error)) if !lent.was_idle() => return Err(error),
                // It died while it was idle, and nothing of the client's was sent: another one.
                Ok(Err(_)) => {
                    let permit = lent.permit.take();
                    lent.close(Closed::ByServer);
                    let object = Box::pin(self.search(ask)).await?;
                    lent = Lent { object: Some(object), permit, pool: self.clone() };
                    lent.lent();
                }
                Err(_) => return Err(self.late(ask, Duration::ZERO)),
            }
        }
        Err(fault::broken(&self.node, "it closes connections as soon as they are used"))
    }

    async fn wait(&self, ask: &Ask<'_>) -> Result<Permit> {
        let counters = &self.node.counters;
        let start = Instant::now();
        Counters::add(&counters.waits, 1);
        let outcome = self.permits.acquire(ask.worker, ask.deadline).await;
        let waited = start.elapsed();
        let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        Counters::add(&counters.waited_micros, micros);
        outcome.map_err(|refusal| {
            Counters::add(&counters.refused, 1);
            match refusal {
                Refusal::Queue { waiting } => {
                    fault::queue_full(&self.node, waiting, self.in_use(), self.max())
                }
                Refusal::Late { waited } => self.late(ask, waited),
            }
        })
    }

    fn late(&self, _ask: &Ask<'_>, waited: Duration) -> Error {
        fault::busy(&self.node, self.in_use(), self.max(), waited)
    }

    /// A connection for a holder of a permit: an idle one of this worker, a new one, or an idle
    /// one of another worker. As there are no more permits than connections, one of these exists
    /// but for moments in which one is on its way back.
    async fn search(&self, ask: &Ask<'_>) -> Result<Object<Manager>> {
        let own = self.pool(ask.worker, ask.found_rows);
        // What the server said when it had no room.
        let mut full: Option<Error> = None;
        let late = |full: Option<Error>| match full {
            Some(error) => fault::server_full(&self.node, &error.message, ask.asked.elapsed()),
            None => self.late(ask, ask.asked.elapsed()),
        };
        loop {
            let outcome = match timeout_at(ask.deadline, take(own)).await {
                Ok(outcome) => outcome,
                Err(_) => return Err(late(full)),
            };
            match outcome {
                Ok(object) if object.applied().satisfies(ask.state) => return Ok(object),
                Ok(object) => return Ok(Box::pin(self.fitting(own, object, ask)).await),
                Err(Refused::Failed(error)) if is_full(&error) => {
                    if let Some(object) = Box::pin(self.borrow(ask)).await {
                        return Ok(object);
                    }
                    full = Some(error);
                    if Instant::now() + FULL_PAUSE >= ask.deadline {
                        return Err(late(full));
                    }
                    tokio::time::sleep(FULL_PAUSE).await;
                }
                Err(Refused::Failed(error)) => return Err(error),
                Err(Refused::Full) => {
                    if self.owes(ask.worker) && self.evict(ask.worker, None) {
                        continue;
                    }
                    if let Some(object) = Box::pin(self.borrow(ask)).await {
                        return Ok(object);
                    }
                    if !self.evict(ask.worker, Some(!ask.found_rows)) {
                        if Instant::now() >= ask.deadline {
                            return Err(self.late(ask, ask.asked.elapsed()));
                        }
                        tokio::task::yield_now().await;
                    }
                }
            }
        }
    }

    fn pool(&self, worker: usize, found_rows: bool) -> &managed::Pool<Manager> {
        // There is at least one worker, and a place within the list.
        &self.workers[worker % self.workers.len()][usize::from(found_rows)]
    }

    /// Among idle connections of the worker, one whose state fits, if one is near the top.
    async fn fitting(
        &self,
        own: &managed::Pool<Manager>,
        first: Object<Manager>,
        ask: &Ask<'_>,
    ) -> Object<Manager> {
        let mut passed = Vec::new();
        while passed.len() < AFFINITY_TRIES && own.status().available > 0 {
            // Nothing is opened here: an idle one was counted just now, and this worker is one
            // thread. Should a sibling have borrowed it, a new one is as good.
            match take(own).await {
                Ok(object) if object.applied().satisfies(ask.state) => return object,
                Ok(object) => passed.push(object),
                Err(_) => break,
            }
        }
        first
    }

    /// An idle connection of another worker. It works from any thread and goes back home.
    async fn borrow(&self, ask: &Ask<'_>) -> Option<Object<Manager>> {
        let count = self.workers.len();
        for step in 1..count {
            let pool = self.pool(ask.worker + step, ask.found_rows);
            if pool.status().available == 0 {
                continue;
            }
            if let Ok(object) = take(pool).await {
                Counters::add(&self.node.counters.borrowed, 1);
                return Some(object);
            }
        }
        None
    }

    /// Whether this worker has fewer than its share of the open connections.
    fn owes(&self, worker: usize) -> bool {
        let share = self.max() / self.workers.len();
        self.home_size(worker) < share
    }

    /// How many open connections live on a worker.
    fn home_size(&self, worker: usize) -> usize {
        [false, true].map(|found_rows| self.pool(worker, found_rows).status().size).iter().sum()
    }

    /// Closes one idle connection to make room for another: of one flavour on any worker, or of a
    /// worker that has more than its share. True if one was closed.
    fn evict(&self, worker: usize, flavour: Option<bool>) -> bool {
        let count = self.workers.len();
        let share = self.max() / count;
        for step in 0..count {
            let place = (worker + step) % count;
            if flavour.is_none() && (step == 0 || self.home_size(place) <= share) {
                continue;
            }
            for found_rows in [false, true] {
                if flavour.is_some_and(|wanted| wanted != found_rows) {
                    continue;
                }
                let mut one = true;
                let outcome = self.pool(place, found_rows).retain(|_, _| !std::mem::take(&mut one));
                if let Some(mut connection) = outcome.removed.into_iter().next() {
                    connection.close_for(Closed::Evicted);
                    return true;
                }
            }
        }
        false
    }

    /// Closes idle connections that are too old or were idle too long; to be called now and then.
    pub fn tend(&self) {
        let limits = &self.node.spec.limits;
        let server = self.node.facts().map_or(u64::MAX, |facts| facts.wait_timeout);
        // Closed before the server does it: its close could cross a statement on the way.
        let idle = limits.idle.min(Duration::from_secs(server.saturating_sub(server / 4)));
        let now = Instant::now();
        for pool in self.workers.iter().flatten() {
            let outcome = pool.retain(|connection, _| {
                now - connection.idle_since() < idle && now - connection.opened() < limits.lifetime
            });
            for mut connection in outcome.removed {
                let old = now - connection.opened() >= limits.lifetime;
                connection.close_for(if old { Closed::Lifetime } else { Closed::Idle });
            }
        }
    }

    /// The node has left the rules or went down: idle connections close now, lent ones when they
    /// come back. With `for_good` nothing is opened any more.
    pub fn drain(&self, for_good: bool) {
        for pool in self.workers.iter().flatten() {
            for mut connection in pool.retain(|_, _| false).removed {
                connection.close_for(Closed::Retired);
            }
            if for_good {
                pool.close();
            }
        }
    }
}

/// An idle connection, or a new one; never waits for one to come back. One that was idle for long is
/// looked at first.
async fn take(pool: &managed::Pool<Manager>) -> Result<Object<Manager>, Refused> {
    loop {
        let mut object = get(pool).await?;
        if object.idle_since().elapsed() < LONG_IDLE {
            return Ok(object);
        }
        // The runtime looks at its sockets before it comes back here, so that a close that has arrived
        // is known.
        tokio::task::yield_now().await;
        if object.is_alive() {
            return Ok(object);
        }
        Object::take(object).close_for(Closed::ByServer);
    }
}

/// As [`take`], without the look. Where an idle connection is there, it is had at once.
async fn get(pool: &managed::Pool<Manager>) -> Result<Object<Manager>, Refused> {
    let timeouts = Timeouts { wait: Some(Duration::ZERO), create: None, recycle: None };
    match pool.timeout_get(&timeouts).await {
        Ok(object) => Ok(object),
        Err(PoolError::Backend(refused)) => Err(refused),
        Err(PoolError::Closed) => {
            let node = &pool.manager().node;
            Err(Refused::Failed(fault::unreachable(node, "it has left the rules")))
        }
        Err(_) => Err(Refused::Full),
    }
}

/// A lent connection. Dropped, it is closed.
pub struct Lent {
    object: Option<Object<Manager>>,
    permit: Option<Permit>,
    pool: Arc<Pool>,
}

impl Lent {
    /// Gives it back. What is left of the session on it (a transaction, locks, variables that
    /// nobody tracked) is reset first; if that fails, or an answer isn't read to its end, or a KILL
    /// was sent, it is closed.
    pub async fn finish(mut self) {
        if self.is_unused() && !matches!(timeout(RESET_TIMEOUT, self.settle()).await, Ok(Ok(()))) {
            return;
        }
        if !self.is_in_step() {
            return;
        }
        if !self.is_clean() && !matches!(timeout(RESET_TIMEOUT, self.reset()).await, Ok(Ok(()))) {
            self.close_for(Closed::Unclean);
            return;
        }
        self.give_back();
    }

    /// As [`Lent::finish`] where nothing has to be awaited; gives itself back if something has.
    pub fn finish_now(mut self) -> Option<Lent> {
        if self.is_unused() || self.is_in_step() && !self.is_clean() {
            return Some(self);
        }
        if self.is_in_step() {
            self.give_back();
        }
        None
    }

    fn give_back(&mut self) {
        if self.unlent() {
            drop(self.object.take());
        } else {
            self.close_for(Closed::Killed);
        }
    }

    /// Closes it, for a reason that is counted.
    pub fn close(mut self, reason: Closed) {
        self.close_for(reason);
    }

    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            drop(Object::take(object));
        }
        // Only now: whoever gets the permit must find a connection or room for one.
        drop(self.permit.take());
    }
}

impl Deref for Lent {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match &self.object {
            Some(object) => object,
            // It is taken only by what consumes the lend.
            None => unreachable!("a lend that has ended"),
        }
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Connection {
        match &mut self.object {
            Some(object) => object,
            None => unreachable!("a lend that has ended"),
        }
    }
}
