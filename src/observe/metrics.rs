//! The counters, one set per worker.
//!
//! Owns: what is counted, under which labels. Never: shares a counter between workers on the hot
//! path (a scrape adds them up, [`super::scrape`]), or takes a label that a client can invent.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::histogram::Histogram;

/// A closed set of label values.
macro_rules! label {
    ($(#[doc = $about:literal])+ $name:ident { $( $(#[doc = $doc:literal])* $variant:ident = $text:literal, )+ }) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $( $(#[doc = $doc])* $variant, )+ }

        impl $name {
            pub const ALL: &'static [$name] = &[ $( $name::$variant, )+ ];
            pub const COUNT: usize = Self::ALL.len();

            pub fn as_str(self) -> &'static str {
                match self { $( $name::$variant => $text, )+ }
            }
        }
    };
}

label! {
    /// How a statement was answered.
    Route {
        /// By Weir itself.
        Local = "local",
        /// By one shard, relayed.
        Forward = "forward",
        /// By several shards, merged.
        Scatter = "scatter",
        /// A write of several backend statements.
        Write = "write",
        /// By the workbench.
        Workbench = "workbench",
        /// With an error, before any backend saw it.
        Refused = "refused",
    }
}

label! {
    /// What a statement is.
    Kind {
        Select = "select",
        Insert = "insert",
        Replace = "replace",
        Update = "update",
        Delete = "delete",
        Ddl = "ddl",
        Transaction = "transaction",
        Set = "set",
        Show = "show",
        Prepare = "prepare",
        Other = "other",
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
    pub fn increment(&self) {
        self.add(1);
    }
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts of rare events by a name out of the source (never a client's text).
#[derive(Debug, Default)]
pub struct Tally(Mutex<BTreeMap<(&'static str, &'static str), u64>>);

impl Tally {
    pub fn add(&self, name: &'static str) {
        self.add_pair(name, "");
    }

    pub fn add_pair(&self, first: &'static str, second: &'static str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((first, second)).or_default() += 1;
    }

    pub fn counts(&self) -> BTreeMap<(&'static str, &'static str), u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One worker's counters. Aligned, so that no two workers write to one cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct WorkerMetrics {
    /// Statements by route and kind.
    pub statements: [[Counter; Kind::COUNT]; Route::COUNT],
    /// From the packet's end to the answer's last byte, by route.
    pub statement_seconds: [Histogram; Route::COUNT],
    pub plan_cache_hits: Counter,
    pub plan_cache_misses: Counter,
    /// Client connections that a worker took over.
    pub connections: Counter,
    /// Logins that failed, by reason.
    pub logins_failed: Tally,
    /// Answers to failed logins that were held back.
    pub failed_logins_held: Counter,
    /// Failed logins that the log left out.
    pub failed_logins_left_out: Counter,
    /// Errors sent to clients, by fault and stable code.
    pub errors: Tally,
    /// Sessions that became bound to a backend connection, by reason.
    pub pins: Tally,
    /// Requests that a limit turned away, by the limit's name.
    pub rejected: Tally,
    /// Tasks that panicked.
    pub panics: Counter,
    /// Slow statements that the slow log left out.
    pub slow_left_out: Counter,
}

/// Counters of the process.
#[derive(Debug, Default)]
pub struct Metrics {
    workers: Vec<Arc<WorkerMetrics>>,
    /// Connections turned away at the door, by the limit's name.
    pub refused: Tally,
    /// How often accepting paused for lack of file descriptors.
    pub accept_pauses: Counter,
    pub reloads_succeeded: Counter,
    pub reloads_failed: Counter,
    /// Whether the last reload succeeded.
    pub reload_success: std::sync::atomic::AtomicBool,
    /// Unix time of the last reload that succeeded, seconds.
    pub reload_time: AtomicU64,
}

impl Metrics {
    /// Counters for `workers` workers, of which there is at least one.
    pub fn new(workers: usize) -> Arc<Self> {
        let workers = (0..workers.max(1)).map(|_| Arc::default()).collect();
        Arc::new(Metrics { workers, ..Metrics::default() })
    }

    /// The counters of worker `index`.
    pub fn worker(&self, index: usize) -> Arc<WorkerMetrics> {
        self.workers.get(index % self.workers.len().max(1)).cloned().unwrap_or_default()
    }

    pub fn workers(&self) -> &[Arc<WorkerMetrics>] {
        &self.workers
    }

    /// One counter of all workers together.
    pub fn sum(&self, counter: impl Fn(&WorkerMetrics) -> &Counter) -> u64 {
        self.workers.iter().map(|worker| counter(worker).get()).sum()
    }
}
