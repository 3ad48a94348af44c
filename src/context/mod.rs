//! What a session is given: the process's shared state, its worker's own, and its client.
//!
//! Owns: the structs that carry them, and the one place where a running [`Snapshot`] is swapped.
//! Never: builds any of it (`server` does at start, `reload` later) or acts on it.
//!
//! # For the session
//! `server` calls `session::serve(ctx: Arc<WorkerContext>, client: Client)` once for each
//! connection, as a task of its own on the worker's single-threaded runtime. When the future ends
//! or panics, everything in [`Client`] is dropped: the socket closes, the session leaves the list
//! and its seat is free.
//! - Take [`Context::snapshot`] once per statement; a transaction keeps the one it began with.
//! - Keep [`Context::settings`] and renew them at each command; what is rare asks [`Context::config`].
//! - Watch [`Client::registration`] in every `select!`: it says KILL, drain and shutdown.
//! - Drop [`Client::handshake`] once the login is complete.
//! - Pass [`Context::gate`] before each statement that needs a backend (PAUSE holds it there).

pub mod front;
pub mod gate;
pub mod handshakes;
pub mod ledger;
pub mod seat;
pub mod throttle;

use std::ops::Deref;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use crate::backend::catalog::Loader;
use crate::backend::topology::Topology;
use crate::catalog::Catalog;
use crate::config::Config;
use crate::observe::budget::Budget;
use crate::observe::metrics::Metrics;
use crate::observe::record::{Recorder, SlowLog};
use crate::observe::sessions::{Registration, Registry};
use crate::observe::templates::Templates;
use crate::planner::cache::PlanCache;
use crate::rules::Rules;
use crate::sequence::Sequences;
use crate::sql::lex::Limits;
use crate::sql::template::Lexer;

/// One version of everything that decides where a statement goes. Swapped as one.
#[derive(Debug)]
pub struct Snapshot {
    pub rules: Arc<Rules>,
    /// The groups of these rules, with pools for each worker.
    pub topology: Arc<Topology>,
    /// What is known of the tables of these rules. It fills up while statements run; each change
    /// is a new version.
    pub catalog: ArcSwap<Catalog>,
    /// What a session with temporary tables had before them.
    pub base: Option<Base>,
}

/// What lies below the rules of a session with temporary tables.
#[derive(Debug)]
pub struct Base {
    pub snapshot: Arc<Snapshot>,
    /// The version of its catalog that the session's own was last made of.
    seen: AtomicU64,
}

impl Snapshot {
    pub fn new(rules: Arc<Rules>, topology: Arc<Topology>) -> Arc<Self> {
        let catalog = ArcSwap::from_pointee(Catalog::default());
        Arc::new(Snapshot { rules, topology, catalog, base: None })
    }

    /// The same groups for one session that has temporary tables.
    pub fn over(base: &Arc<Snapshot>, rules: Rules, catalog: Catalog) -> Arc<Self> {
        let (rules, topology) = (Arc::new(rules), base.topology.clone());
        // Seen never: whoever changes the base's catalog meanwhile is noticed.
        let base = Base { snapshot: base.clone(), seen: AtomicU64::new(u64::MAX) };
        let (catalog, base) = (ArcSwap::from_pointee(catalog), Some(base));
        Arc::new(Snapshot { rules, topology, catalog, base })
    }

    /// Over a base whose catalog has changed since, the catalog is made of it anew, with the temporary
    /// tables that were known. To be said before each plan: others' definitions count.
    pub fn follow_base(&self) {
        let Some(base) = &self.base else { return };
        let below = base.snapshot.catalog.load();
        if base.seen.swap(below.version, Ordering::Relaxed) == below.version {
            return;
        }
        let own = self.catalog.load();
        let version = own.version.max(below.version) + 1;
        let mut catalog = below.as_ref().clone();
        catalog.version = version;
        for (schema, name, _) in self.rules.temporaries() {
            let schema = schema.as_str();
            catalog = match own.table(schema, name) {
                Some(table) => catalog.with(schema, table.as_ref().clone()),
                None => catalog.without(schema, name),
            };
        }
        self.catalog.store(Arc::new(catalog));
    }

    /// Changes the catalog; retried where somebody else changed it meanwhile.
    pub fn change_catalog(&self, change: impl Fn(&Catalog) -> Catalog) {
        self.catalog.rcu(|catalog| change(catalog));
    }
}

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// Rules are read, groups are probed; no client is accepted.
    Starting,
    Ready,
    /// Clients are still accepted, but balancers are told to look elsewhere.
    NotReady,
    /// No new clients; sessions end at their next transaction boundary.
    Draining,
    /// Sessions end at once.
    Stopping,
}

impl Phase {
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Starting => "starting",
            Phase::Ready => "ready",
            Phase::NotReady => "not ready",
            Phase::Draining => "draining",
            Phase::Stopping => "stopping",
        }
    }
}

/// What all sessions share.
#[derive(Debug)]
pub struct Context {
    config: ArcSwap<Config>,
    /// Counts the settings' changes, behind each of them.
    config_version: AtomicU64,
    snapshot: ArcSwap<Snapshot>,
    /// Those before it, which sessions may still hold.
    older: Mutex<Vec<Weak<Snapshot>>>,
    pub metrics: Arc<Metrics>,
    pub sessions: Arc<Registry>,
    pub budget: Budget,
    pub slow: Arc<SlowLog>,
    pub gate: gate::Gate,
    pub front: front::Front,
    pub loader: Loader,
    pub sequences: Arc<Sequences>,
    started: Instant,
    pub seats: Arc<seat::Seats>,
    pub handshakes: handshakes::Handshakes,
    pub failed_logins: throttle::FailedLogins,
    /// Transactions over several groups.
    pub ledger: Arc<ledger::Ledger>,
    templates: Vec<Arc<Templates>>,
    phase: AtomicU8,
}

impl Context {
    /// Shared state for `workers` workers of proxy number `proxy`.
    pub fn new(config: Config, snapshot: Arc<Snapshot>, workers: usize, proxy: u16) -> Arc<Self> {
        let workers = workers.max(1);
        let limits = &config.limits;
        let log = &config.log;
        let templates = usize::try_from(limits.templates).unwrap_or(usize::MAX);
        let sequences = Arc::new(Sequences::default());
        sequences.adopt(&snapshot.rules, &snapshot.topology);
        Arc::new(Context {
            metrics: Metrics::new(workers),
            sessions: Registry::new(proxy),
            ledger: ledger::Ledger::new(proxy, rand::random()),
            budget: Budget::new(limits.memory_budget.0),
            slow: SlowLog::new(log.slow_statement.limit(), log.slow_statements_per_second),
            gate: gate::Gate::default(),
            front: front::Front::default(),
            loader: Loader::default(),
            sequences,
            started: Instant::now(),
            seats: seat::Seats::new(limits.max_connections),
            handshakes: handshakes::Handshakes::new(limits.max_handshakes),
            failed_logins: throttle::FailedLogins::default(),
            templates: (0..workers).map(|_| Arc::new(Templates::new(templates))).collect(),
            phase: AtomicU8::new(Phase::Starting as u8),
            config: ArcSwap::from_pointee(config),
            config_version: AtomicU64::new(0),
            snapshot: ArcSwap::new(snapshot),
            older: Mutex::default(),
        })
    }

    /// Since the start.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// The present settings.
    pub fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// A session's own hold on the present settings.
    pub fn settings(&self) -> Settings {
        // Read before: a change in between is seen by the next renewal.
        let version = self.config_version.load(Ordering::Acquire);
        Settings { version, config: self.config() }
    }

    /// Takes the present settings over where they have changed. A look at one number otherwise, for
    /// it is done for each command.
    pub fn renew(&self, settings: &mut Settings) {
        if self.config_version.load(Ordering::Acquire) != settings.version {
            *settings = self.settings();
        }
    }

    /// The present rules and catalog, for one statement from beginning to end.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The version of the rules that last came with rows moved elsewhere.
    pub fn moved_at(&self) -> u64 {
        self.snapshot.load().rules.moved_at
    }

    /// Makes `snapshot` the present one; only `reload` calls it. Returns the one before.
    pub fn swap_snapshot(&self, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        self.sequences.adopt(&snapshot.rules, &snapshot.topology);
        let before = self.snapshot.swap(snapshot);
        self.older().push(Arc::downgrade(&before));
        before
    }

    /// The present snapshot and those before it that somebody still holds: tables change under all.
    pub fn snapshots(&self) -> Vec<Arc<Snapshot>> {
        let older = self.older().iter().filter_map(Weak::upgrade).collect::<Vec<_>>();
        std::iter::once(self.snapshot()).chain(older).collect()
    }

    fn older(&self) -> MutexGuard<'_, Vec<Weak<Snapshot>>> {
        let mut older = self.older.lock().unwrap_or_else(PoisonError::into_inner);
        older.retain(|one| one.strong_count() > 0);
        older
    }

    /// Makes `config` the present one and hands its limits on; only `reload` calls it.
    pub fn set_config(&self, config: Config) {
        self.seats.set_limit(config.limits.max_connections);
        self.handshakes.set_limit(config.limits.max_handshakes);
        self.slow.set(config.log.slow_statement.limit(), config.log.slow_statements_per_second);
        self.config.store(Arc::new(config));
        self.config_version.fetch_add(1, Ordering::Release);
    }

    /// Template statistics, one table for each worker.
    pub fn templates(&self) -> &[Arc<Templates>] {
        &self.templates
    }

    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            2 => Phase::NotReady,
            3 => Phase::Draining,
            _ => Phase::Stopping,
        }
    }

    /// Moves on to a later phase; an earlier one is ignored.
    pub fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel);
    }
}

/// Settings that a session reads without asking anybody.
#[derive(Clone, Debug)]
pub struct Settings {
    version: u64,
    config: Arc<Config>,
}

impl Deref for Settings {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.config
    }
}

/// What one statement may be, by these settings.
fn lexer_limits(config: &Config) -> Limits {
    Limits {
        bytes: config.limits.max_allowed_packet.bytes(),
        operators: config.limits.statement_operators,
        depth: config.limits.statement_depth,
        ..Limits::default()
    }
}

impl std::fmt::Debug for WorkerContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerContext").field("index", &self.index).finish_non_exhaustive()
    }
}

/// About how many plans a worker's cache is laid out for; its bytes are what bounds it.
const PLANS_PER_WORKER: usize = 10_000;

/// What the sessions of one worker share. Nothing here is touched by another worker's statements.
pub struct WorkerContext {
    pub shared: Arc<Context>,
    /// The worker's plans. Its sessions run on one thread: nobody ever waits for this lock.
    pub plans: Mutex<PlanCache>,
    pub lexer: Lexer,
    /// 0 up to the number of workers.
    pub index: usize,
    pub recorder: Recorder,
}

impl WorkerContext {
    pub fn new(shared: Arc<Context>, index: usize) -> Arc<Self> {
        let templates =
            shared.templates.get(index).cloned().unwrap_or_else(|| Arc::new(Templates::new(0)));
        let recorder = Recorder::for_worker(&shared.metrics, index, templates, shared.slow.clone());
        let workers = shared.templates.len().max(1);
        let config = shared.config();
        let plans = PlanCache::new(PLANS_PER_WORKER, config.limits.plan_cache.bytes() / workers);
        let lexer = Lexer::new(rand::random(), lexer_limits(&config));
        Arc::new(WorkerContext { plans: Mutex::new(plans), lexer, recorder, index, shared })
    }
}

/// What a session is bound to, beside its stream: dropping it sets everything free.
#[derive(Debug)]
pub struct Client {
    /// The place in the list of sessions: connection id, stop signals.
    pub registration: Registration,
    /// Counts against `limits.max_handshakes` until the session drops it after the login.
    pub handshake: Option<handshakes::Handshake>,
    /// Counts against `limits.max_connections`.
    pub seat: seat::Seat,
    /// The login must be complete by then.
    pub login_by: tokio::time::Instant,
}
