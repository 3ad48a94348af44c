//! One server: what is known of it, and whether it may be dialled now.
//!
//! Owns: a node's health, facts, counters, what it accepted, how many connections are open, and
//! the rest it gets after failures. Never: dials ([`crate::backend::login`]), pools or probes.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::backend::accepted::Accepted;
use crate::backend::counters::Counters;
use crate::backend::fault;
use crate::backend::role::LoginRole;
use crate::backend::spec::NodeSpec;
use crate::backend::version::Facts;
use crate::error::{Error, Result, Retry};
use crate::name::GroupName;
use crate::wire::tls::{ClientTls, TlsMode};

/// The first rest after a failed dial; it doubles with each further failure.
const FIRST_REST: Duration = Duration::from_millis(50);
/// The longest rest.
const LONGEST_REST: Duration = Duration::from_secs(2);

/// What is thought of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Not probed yet: used if its declared role fits.
    Unknown,
    Up,
    /// The last probe failed, or a statement met an error: used only where nothing better is.
    Suspect,
    /// Not used until a probe succeeds.
    Down,
}

impl Standing {
    pub fn text(self) -> &'static str {
        match self {
            Standing::Unknown => "unknown",
            Standing::Up => "up",
            Standing::Suspect => "suspect",
            Standing::Down => "down",
        }
    }
}

/// The outcome of the latest probes.
#[derive(Clone, Debug)]
pub struct Health {
    pub standing: Standing,
    /// Why it isn't up; empty where it is.
    pub reason: Arc<str>,
    /// Since when the standing holds.
    pub since: Instant,
    /// `@@global.read_only`; `None`: not known yet.
    pub read_only: Option<bool>,
    /// Whether it is set up as a replica of something.
    pub replicating: bool,
    /// How far behind its source; `None`: not a replica, stopped, or not known.
    pub lag: Option<Duration>,
    /// All that the primary had committed by then can be read here; `None`: not known.
    pub applied: Option<Instant>,
    /// Failed probes in a row.
    pub failures: u32,
}

impl Health {
    fn unknown() -> Self {
        Health {
            standing: Standing::Unknown,
            reason: Arc::from("not probed yet"),
            since: Instant::now(),
            read_only: None,
            replicating: false,
            lag: None,
            applied: None,
            failures: 0,
        }
    }
}

/// One server of a group.
pub struct Node {
    pub group: GroupName,
    pub spec: NodeSpec,
    /// `None` where TLS is off.
    pub tls: Option<ClientTls>,
    pub counters: Counters,
    pub accepted: Accepted,
    pub login_role: LoginRole,
    /// Wakes the probe loop before its time.
    pub probe_now: Notify,
    health: ArcSwap<Health>,
    facts: ArcSwapOption<Facts>,
    open: AtomicUsize,
    /// It refused a write as read-only, and no probe has looked since.
    demoted: AtomicBool,
    rest: Mutex<Rest>,
    /// Statements that hold a connection of this node's while they wait for others of it: half of
    /// what may be open at most, so that these are always to be had.
    benches: Arc<Semaphore>,
}

/// The circuit: while a node rests, nobody dials it.
#[derive(Debug, Default)]
struct Rest {
    failures: u32,
    until: Option<Instant>,
    reason: String,
}

impl Node {
    /// # Errors
    /// TLS settings whose files can't be used.
    pub fn new(group: GroupName, spec: NodeSpec) -> Result<Self> {
        let tls = match spec.tls.mode {
            TlsMode::Off => None,
            mode => {
                let identity = spec.tls.identity.as_ref();
                let identity = identity.map(|(certificate, key)| (&**certificate, &**key));
                Some(ClientTls::new(mode, spec.tls.authority.as_deref(), identity)?)
            }
        };
        let benches = Semaphore::new(spec.limits.max_connections / 2);
        Ok(Node {
            group,
            spec,
            tls,
            counters: Counters::default(),
            accepted: Accepted::default(),
            login_role: LoginRole::default(),
            probe_now: Notify::new(),
            health: ArcSwap::from_pointee(Health::unknown()),
            facts: ArcSwapOption::empty(),
            open: AtomicUsize::new(0),
            demoted: AtomicBool::new(false),
            rest: Mutex::default(),
            benches: Arc::new(benches),
        })
    }

    /// How errors and logs name it.
    pub fn title(&self) -> String {
        format!("group '{}', node '{}' ({})", self.group, self.spec.name, self.spec.address)
    }

    /// A sentence that was made to stand alone, without the node's name before it.
    fn without_title<'a>(&self, message: &'a str) -> &'a str {
        let rest = message.strip_prefix(&self.title()).unwrap_or(message);
        rest.strip_prefix(" can't be used: ").or_else(|| rest.strip_prefix(": ")).unwrap_or(rest)
    }

    pub fn health(&self) -> Arc<Health> {
        self.health.load_full()
    }

    /// Its standing, without a copy of the rest.
    pub fn standing(&self) -> Standing {
        self.health.load().standing
    }

    /// What the server says of itself; `None` before the first probe has succeeded.
    pub fn facts(&self) -> Option<Arc<Facts>> {
        self.facts.load_full()
    }

    /// Written by probes alone.
    pub fn set_health(&self, mut health: Health) {
        if health.reason.starts_with("group ") {
            health.reason = Arc::from(self.without_title(&health.reason));
        }
        self.health.store(Arc::new(health));
    }

    /// Written by probes alone. Another server behind the address has accepted nothing yet.
    pub fn set_facts(&self, facts: Facts) {
        let same = self.facts.load().as_deref() == Some(&facts);
        if !same {
            self.accepted.forget_all();
            self.login_role.forget();
            self.facts.store(Some(Arc::new(facts)));
        }
    }

    /// A statement met an error that speaks against the node: the next probe comes at once.
    pub fn doubt(&self, why: &str) {
        let health = self.health.load_full();
        if matches!(health.standing, Standing::Up | Standing::Unknown) {
            let mut health = Health::clone(&health);
            health.standing = Standing::Suspect;
            health.reason = Arc::from(self.without_title(why));
            health.since = Instant::now();
            self.set_health(health);
        }
        self.probe_now.notify_one();
    }

    /// It refused a write because it is read-only: writes are held until a probe has looked, as
    /// the primary may be another node by now.
    pub fn demote(&self, why: &str) {
        self.demoted.store(true, Ordering::Release);
        self.doubt(why);
    }

    pub fn is_demoted(&self) -> bool {
        self.demoted.load(Ordering::Acquire)
    }

    /// A probe has looked whether it takes writes.
    pub fn looked_at(&self) {
        self.demoted.store(false, Ordering::Release);
    }

    /// Open data connections, idle ones included.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// The right to open one more, if the bound allows.
    pub fn ticket(self: &Arc<Self>) -> Option<Ticket> {
        let max = self.spec.limits.max_connections;
        self.open
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |open| {
                (open < max).then_some(open + 1)
            })
            .ok()?;
        Some(Ticket(self.clone()))
    }

    /// The right to hold a connection as a workbench.
    ///
    /// # Errors
    /// 1040 where none became free in time; safe to try again.
    pub async fn bench(&self, deadline: Instant) -> Result<OwnedSemaphorePermit> {
        match tokio::time::timeout_at(deadline, self.benches.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Error::limit(
                1040,
                "workbench_connections",
                format!(
                    "{} of the {} connections to {} may be workbenches, and none became free in time \
                     (pool.size of group '{}')",
                    self.spec.limits.max_connections / 2,
                    self.spec.limits.max_connections,
                    self.title(),
                    self.group,
                ),
            )
            .retry(Retry::Safe)),
        }
    }

    /// Fails while the node rests after failures.
    pub fn may_dial(&self) -> Result<()> {
        let rest = self.resting();
        match rest.until {
            Some(until) if until > Instant::now() => {
                Err(fault::resting(self, &rest.reason, until - Instant::now()))
            }
            _ => Ok(()),
        }
    }

    /// A dial or a probe succeeded.
    pub fn dialled(&self) {
        let mut rest = self.resting();
        if rest.failures > 0 {
            *rest = Rest::default();
        }
    }

    /// A dial failed: nobody tries again for a while, longer with each failure in a row. Failures
    /// that come while the node rests already (dials that were under way) count once.
    pub fn dial_failed(&self, error: &Error) {
        let mut rest = self.resting();
        let now = Instant::now();
        if rest.until.is_some_and(|until| until > now) {
            return;
        }
        let pause = FIRST_REST.saturating_mul(1 << rest.failures.min(6)).min(LONGEST_REST);
        rest.failures = rest.failures.saturating_add(1);
        rest.until = Some(now + pause);
        rest.reason = self.without_title(&error.message).to_owned();
        drop(rest);
        self.doubt(&error.message);
    }

    fn resting(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({}, {:?}, {} open)", self.title(), self.health(), self.open())
    }
}

/// One of the node's open connections, counted until it is closed.
#[derive(Debug)]
pub struct Ticket(Arc<Node>);

impl Ticket {
    pub fn node(&self) -> &Arc<Node> {
        &self.0
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::spec::{Account, Address, Declared, Limits, Tls};

    fn node(max: usize) -> Arc<Node> {
        let account = Account { user: Arc::from("weir"), password: Arc::from("hunter2") };
        let spec = NodeSpec {
            name: "n0".into(),
            address: Address::Tcp { host: Arc::from("db"), port: 3306 },
            declared: Declared::Primary,
            zone: None,
            weight: 1,
            tls: Tls::default(),
            data: account.clone(),
            control: account,
            limits: Limits { max_connections: max, ..Limits::default() },
            local_infile: true,
        };
        Arc::new(Node::new("g0".into(), spec).unwrap())
    }

    #[test]
    fn open_connections_are_bounded_and_passwords_do_not_show() {
        let node = node(2);
        let (one, two) = (node.ticket(), node.ticket());
        assert!(one.is_some() && two.is_some() && node.ticket().is_none());
        drop(one);
        assert_eq!(node.open(), 1);
        assert!(node.ticket().is_some());
        assert!(!format!("{node:?}").contains("hunter2"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_node_rests_longer_each_time_and_is_back_at_the_first_success() {
        let node = node(1);
        let error = fault::unreachable(&node, "connection refused");
        assert_eq!((error.errno, error.code), (2003, "node_unreachable"));
        let mut rests = Vec::new();
        for _ in 0..9 {
            node.dial_failed(&error);
            node.dial_failed(&error);
            let start = Instant::now();
            let refused = node.may_dial().unwrap_err();
            assert_eq!((refused.errno, refused.code), (2003, "node_resting"));
            assert!(refused.message.contains("group 'g0', node 'n0' (db:3306)"), "{refused}");
            assert!(refused.message.contains("connection refused"), "{refused}");
            while node.may_dial().is_err() {
                tokio::time::advance(Duration::from_millis(10)).await;
            }
            rests.push(start.elapsed().as_millis());
        }
        assert_eq!(rests, [50, 100, 200, 400, 800, 1600, 2000, 2000, 2000]);
        assert_eq!(node.standing(), Standing::Suspect);
        node.dialled();
        node.dial_failed(&error);
        tokio::time::advance(Duration::from_millis(60)).await;
        assert!(node.may_dial().is_ok());
    }
}
