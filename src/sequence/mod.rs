//! Sequences: ids that no two rows of a sharded table share, whoever hands them out.
//!
//! Owns: the sequences of the running rules, what each holds ready, and the tasks that keep it
//! ready. Never: looks at a statement, or keeps anything on this machine: what must outlive the
//! process stands in the groups' tables.
//!
//! [`snowflake`] makes ids out of time under a leased worker id ([`worker`], [`lease`]); [`segment`]
//! takes ranges out of a group's counter ([`refill`]). Both are prepared ahead of need, so that
//! [`Sequence::take`] returns without waiting; where it must wait, it does so for a bounded time
//! and says which sequence, group and reason it is.

mod given;
mod lease;
mod link;
mod refill;
pub mod segment;
pub mod snowflake;
pub mod worker;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::backend::topology::Topology;
use crate::error::{Error, Result};
use crate::name::SchemaName;
use crate::rules::Rules;
use crate::rules::sequence::{SequenceKind, SequenceRule};
use given::Floors;
use lease::{Lease, LeaseKey};
use refill::{Place, Refill};
use segment::Ranges;
use snowflake::{Lack, Maker};

/// After a fetch from no group it is tried again this soon, then ever later.
const RETRY: Duration = Duration::from_millis(100);
const RETRY_MOST: Duration = Duration::from_secs(2);

/// How a segment sequence gets longer ranges.
const LARGER_STEP: &str = "declare the sequence anew: another 'name', a larger 'step', and a 'start' \
                           above every id that there is";

/// All sequences of the running rules.
#[derive(Debug)]
pub struct Sequences {
    present: ArcSwap<Present>,
    topology: ArcSwap<Topology>,
    /// The rules have others.
    changed: Notify,
    /// Shown to whoever looks at a table of leases.
    holder: String,
}

#[derive(Debug, Default)]
struct Present {
    by_name: HashMap<(SchemaName, Arc<str>), Arc<Sequence>>,
    leases: HashMap<LeaseKey, Arc<Lease>>,
}

/// One sequence.
#[derive(Debug)]
pub struct Sequence {
    pub schema: SchemaName,
    pub name: Arc<str>,
    source: Source,
    pub counts: Counts,
}

/// What happened to a sequence in this process.
#[derive(Debug, Default)]
pub struct Counts {
    /// Ids handed out.
    pub taken: AtomicU64,
    /// Statements that had to wait for ids.
    pub waits: AtomicU64,
    /// Statements that got none.
    pub refused: AtomicU64,
    /// Ranges fetched.
    pub ranges: AtomicU64,
    /// Fetches that no group answered.
    pub failures: AtomicU64,
}

#[derive(Debug)]
enum Source {
    Snowflake { lease: Arc<Lease>, maker: Mutex<Maker> },
    Segment(Box<Segment>),
}

#[derive(Debug)]
struct Segment {
    spec: SegmentSpec,
    state: Mutex<SegmentState>,
    /// Ranges are wanted.
    wanted: Notify,
    /// Ranges were fetched, or none could be.
    fetched: Notify,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct SegmentSpec {
    places: Vec<Place>,
    table: Arc<str>,
    step: u64,
    start: u64,
    adjust: bool,
}

#[derive(Debug)]
struct SegmentState {
    ranges: Ranges,
    floors: Floors,
    fetched_at: Option<Instant>,
    problem: Option<String>,
}

/// A sequence as lists show it.
#[derive(Clone, Debug)]
pub struct View {
    pub schema: String,
    pub name: String,
    pub kind: &'static str,
    /// Whether an id could be had without waiting.
    pub ready: bool,
    pub worker: Option<u32>,
    /// segment: the next value; snowflake: the least that the next id can be.
    pub next: Option<u64>,
    /// segment: values held; snowflake: milliseconds that the lease still covers.
    pub left: u64,
    pub groups: String,
    pub problem: Option<String>,
}

impl Default for Sequences {
    fn default() -> Self {
        Sequences {
            present: ArcSwap::default(),
            topology: ArcSwap::default(),
            changed: Notify::new(),
            holder: format!("weir {}", std::process::id()),
        }
    }
}

impl Sequences {
    /// Follows the rules. Sequences that are declared as before keep what they hold ready.
    pub fn adopt(&self, rules: &Rules, topology: &Arc<Topology>) {
        self.topology.store(topology.clone());
        let before = self.present.load_full();
        let mut present = Present::default();
        for schema in rules.schemas() {
            for (_, placement) in schema.tables() {
                let Some(rule) = placement.sequence() else { continue };
                let key = (rule.schema.clone(), rule.name.clone());
                if !present.by_name.contains_key(&key) {
                    let sequence = self.sequence(rule, rules, &before, &mut present);
                    present.by_name.insert(key, sequence);
                }
            }
        }
        self.present.store(Arc::new(present));
        self.changed.notify_one();
    }

    fn sequence(
        &self,
        rule: &SequenceRule,
        rules: &Rules,
        before: &Present,
        present: &mut Present,
    ) -> Arc<Sequence> {
        let old = before.by_name.get(&(rule.schema.clone(), rule.name.clone()));
        let source = match &rule.kind {
            SequenceKind::Snowflake { group, database, table, layout } => {
                let key = LeaseKey {
                    group: rules.group_name(*group),
                    database: database.clone(),
                    table: table.clone(),
                    bits: layout.worker_bits,
                };
                let make = || Arc::new(Lease::new(key.clone(), self.holder.clone()));
                let kept = || before.leases.get(&key).cloned().unwrap_or_else(make);
                let lease = present.leases.entry(key.clone()).or_insert_with(kept).clone();
                if let Some(old) = old
                    && old.is_snowflake(&lease, *layout)
                {
                    return old.clone();
                }
                // What an older maker made under the same lease isn't made again.
                let floor = lease.high() + 1;
                Source::Snowflake { lease, maker: Mutex::new(Maker::new(*layout, floor)) }
            }
            SequenceKind::Segment { groups, table, step, start, adjust } => {
                let place = |(group, database): &(_, Arc<str>)| Place {
                    group: rules.group_name(*group),
                    database: database.clone(),
                };
                let spec = SegmentSpec {
                    places: groups.iter().map(place).collect(),
                    table: table.clone(),
                    step: *step,
                    start: *start,
                    adjust: *adjust,
                };
                if let Some(old) = old
                    && old.is_segment(&spec)
                {
                    return old.clone();
                }
                let (ranges, floors) = (Ranges::new(*step), Floors::new(spec.places.len()));
                let state = SegmentState { ranges, floors, fetched_at: None, problem: None };
                Source::Segment(Box::new(Segment {
                    spec,
                    state: Mutex::new(state),
                    wanted: Notify::new(),
                    fetched: Notify::new(),
                }))
            }
        };
        let (schema, name) = (rule.schema.clone(), rule.name.clone());
        Arc::new(Sequence { schema, name, source, counts: Counts::default() })
    }

    /// A sequence of the running rules.
    pub fn get(&self, schema: &SchemaName, name: &Arc<str>) -> Option<Arc<Sequence>> {
        self.present.load().by_name.get(&(schema.clone(), name.clone())).cloned()
    }

    /// Whether the rules declare any.
    pub fn is_empty(&self) -> bool {
        self.present.load().by_name.is_empty()
    }

    /// All sequences, in the order of their names.
    pub fn list(&self) -> Vec<Arc<Sequence>> {
        let mut all: Vec<_> = self.present.load().by_name.values().cloned().collect();
        all.sort_by(|left, right| (&left.schema, &left.name).cmp(&(&right.schema, &right.name)));
        all
    }

    /// Keeps all of them ready; the future that `server` runs for as long as the process lives.
    pub async fn keep(self: Arc<Self>) {
        let mut tasks: JoinSet<()> = JoinSet::new();
        let mut running: HashMap<usize, tokio::task::AbortHandle> = HashMap::new();
        loop {
            let present = self.present.load_full();
            // What runs is known by its address: it is kept alive by its task.
            let mut wanted = HashMap::new();
            for lease in present.leases.values() {
                wanted.insert(Arc::as_ptr(lease) as usize, Work::Lease(lease.clone()));
            }
            for sequence in present.by_name.values() {
                if matches!(sequence.source, Source::Segment(_)) {
                    wanted.insert(Arc::as_ptr(sequence) as usize, Work::Segment(sequence.clone()));
                }
            }
            running.retain(|address, task| {
                let stays = wanted.contains_key(address);
                if !stays {
                    task.abort();
                }
                stays
            });
            for (address, work) in wanted {
                let all = self.clone();
                running
                    .entry(address)
                    .or_insert_with(|| tasks.spawn(async move { all.work(work).await }));
            }
            loop {
                tokio::select! {
                    () = self.changed.notified() => break,
                    Some(_) = tasks.join_next() => {}
                }
            }
        }
    }

    async fn work(&self, work: Work) {
        let topology = || self.topology.load_full();
        match work {
            Work::Lease(lease) => lease.keep(topology).await,
            Work::Segment(sequence) => sequence.keep(topology).await,
        }
    }

    /// Gives leases back: the process ends.
    pub async fn release(&self) {
        let present = self.present.load_full();
        let topology = self.topology.load_full();
        for lease in present.leases.values() {
            lease.release(&topology).await;
        }
    }
}

enum Work {
    Lease(Arc<Lease>),
    Segment(Arc<Sequence>),
}

impl Sequence {
    /// The first of `count` consecutive ids, all higher than 0. Returns at once unless nothing is
    /// ready; then it waits, at most until `deadline`.
    ///
    /// # Errors
    /// More ids than are ever consecutive; none within the deadline, with the reasons.
    pub async fn take(&self, count: u32, deadline: Instant) -> Result<u64> {
        let mut waited = false;
        loop {
            let ready = self.ready();
            let mut notified = std::pin::pin!(ready.notified());
            match self.try_take(count) {
                Ok(Some(first)) => {
                    self.counts.taken.fetch_add(u64::from(count), Ordering::Relaxed);
                    return Ok(first);
                }
                Ok(None) => {}
                Err(error) => {
                    self.counts.refused.fetch_add(1, Ordering::Relaxed);
                    return Err(error);
                }
            }
            if !waited {
                waited = true;
                self.counts.waits.fetch_add(1, Ordering::Relaxed);
            }
            // What was fetched between the try and this would be missed otherwise.
            notified.as_mut().enable();
            match self.try_take(count) {
                Ok(Some(first)) => {
                    self.counts.taken.fetch_add(u64::from(count), Ordering::Relaxed);
                    return Ok(first);
                }
                Ok(None) => self.want(),
                Err(error) => return Err(error),
            }
            if timeout_at(deadline, notified).await.is_err() {
                self.counts.refused.fetch_add(1, Ordering::Relaxed);
                return Err(self.empty());
            }
        }
    }

    fn ready(&self) -> &Notify {
        match &self.source {
            Source::Snowflake { lease, .. } => &lease.granted,
            Source::Segment(segment) => &segment.fetched,
        }
    }

    fn want(&self) {
        match &self.source {
            Source::Snowflake { lease, .. } => lease.want(),
            Source::Segment(segment) => segment.wanted.notify_one(),
        }
    }

    fn try_take(&self, count: u32) -> Result<Option<u64>> {
        match &self.source {
            Source::Snowflake { lease, maker } => {
                let (grant, now) = lease.terms();
                let mut maker = maker.lock().unwrap_or_else(PoisonError::into_inner);
                maker.adopt(grant);
                match maker.take(now, count) {
                    Ok(first) => {
                        lease.used(maker.time());
                        Ok(Some(first))
                    }
                    Err(Lack::NoLease | Lack::LeaseOver) => Ok(None),
                    Err(Lack::TooMany) => {
                        let most = maker.layout().per_millisecond();
                        Err(self.too_many(
                            count,
                            u64::from(most),
                            "raise sequence_bits in the rules",
                        ))
                    }
                    Err(Lack::TimeOver) => Err(Error::unavailable(
                        "sequence_exhausted",
                        format!("Sequence '{}': its bits hold no time from now on", self.title()),
                    )),
                }
            }
            Source::Segment(segment) => {
                if u64::from(count) > segment.spec.step {
                    return Err(self.too_many(count, segment.spec.step, LARGER_STEP));
                }
                let mut state = segment.state();
                let first = state.ranges.take(u64::from(count.max(1)));
                if state.ranges.missing() > 0 {
                    segment.wanted.notify_one();
                }
                Ok(first)
            }
        }
    }

    fn too_many(&self, count: u32, most: u64, help: &str) -> Error {
        Error::refused(
            "sequence_rows",
            format!(
                "The statement needs {count} ids of sequence '{}', and {most} are the most that follow \
                 each other: insert fewer rows at a time, or {help} ",
                self.title()
            ),
        )
    }

    fn empty(&self) -> Error {
        let problem = match &self.source {
            Source::Snowflake { lease, .. } => lease.view().problem,
            Source::Segment(segment) => segment.state().problem.clone(),
        };
        let reason = problem.unwrap_or_else(|| "its groups haven't answered yet".to_owned());
        let text = format!("Sequence '{}' has no id at hand: {reason}", self.title());
        Error::unavailable("sequence_empty", text)
    }

    /// The most ids that [`Sequence::take`] gives at a time.
    pub fn most_at_once(&self) -> u32 {
        match &self.source {
            Source::Snowflake { maker, .. } => {
                let maker = maker.lock().unwrap_or_else(PoisonError::into_inner);
                maker.layout().per_millisecond()
            }
            Source::Segment(segment) => u32::try_from(segment.spec.step).unwrap_or(u32::MAX),
        }
    }

    /// `schema.name`.
    pub fn title(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    fn is_snowflake(&self, with: &Arc<Lease>, layout: crate::rules::sequence::Layout) -> bool {
        match &self.source {
            Source::Snowflake { lease, maker } => {
                let maker = maker.lock().unwrap_or_else(PoisonError::into_inner);
                Arc::ptr_eq(lease, with) && maker.layout() == layout
            }
            Source::Segment(_) => false,
        }
    }

    fn is_segment(&self, spec: &SegmentSpec) -> bool {
        matches!(&self.source, Source::Segment(segment) if segment.spec == *spec)
    }

    /// Fetches ranges for ever; a segment sequence's task.
    async fn keep(&self, topology: impl Fn() -> Arc<Topology>) {
        let Source::Segment(segment) = &self.source else { return };
        let SegmentSpec { places, table, step, start, adjust } = &segment.spec;
        let mut refill = Refill::new(&self.name, table, places, *step, *start, *adjust);
        let mut failures = 0_u32;
        loop {
            let (missing, behind) = {
                let state = segment.state();
                (state.ranges.missing(), state.floors.missing())
            };
            if missing == 0 && behind.is_empty() {
                segment.wanted.notified().await;
                continue;
            }
            let mut pause = None;
            for (group, value) in behind {
                let outcome = refill.pass(&topology(), group, value).await;
                let mut state = segment.state();
                state.floors.learn(refill.seen());
                if outcome.is_err() {
                    pause = Some(RETRY);
                }
                state.floors.tried(group, outcome);
            }
            if missing > 0 {
                let outcome = refill.fetch(&topology(), missing).await;
                pause = self.fetched(segment, &refill, outcome, &mut failures);
            }
            segment.fetched.notify_waiters();
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// Takes over what a fetch brought; how long to wait before the next one.
    fn fetched(
        &self,
        segment: &Segment,
        refill: &Refill,
        outcome: Result<Vec<segment::Range>, Vec<String>>,
        failures: &mut u32,
    ) -> Option<Duration> {
        let mut state = segment.state();
        state.floors.learn(refill.seen());
        match outcome {
            Ok(ranges) => {
                let count = u64::try_from(ranges.len()).unwrap_or(u64::MAX);
                self.counts.ranges.fetch_add(count, Ordering::Relaxed);
                let now = Instant::now();
                if let Some(before) = state.fetched_at.replace(now) {
                    state.ranges.pace(now - before);
                }
                state.ranges.add(ranges);
                state.problem = None;
                *failures = 0;
                None
            }
            Err(reasons) => {
                self.counts.failures.fetch_add(1, Ordering::Relaxed);
                let problem = reasons.join("; ");
                if state.problem.as_ref() != Some(&problem) {
                    tracing::warn!(sequence = self.title(), problem, "no ranges");
                }
                state.problem = Some(problem);
                let pause = (RETRY * 2_u32.saturating_pow(*failures)).min(RETRY_MOST);
                *failures = failures.saturating_add(1).min(10);
                Some(pause)
            }
        }
    }

    pub fn view(&self) -> View {
        let (schema, name) = (self.schema.to_string(), self.name.to_string());
        match &self.source {
            Source::Snowflake { lease, maker } => {
                let view = lease.view();
                let maker = maker.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let time = view.now.max(maker.time());
                let left = view.grant.map_or(0, |grant| grant.until.saturating_sub(time));
                let worker = view.grant.map(|grant| grant.worker);
                let next = worker.and_then(|worker| maker.layout().id(time, worker, 0));
                View {
                    schema,
                    name,
                    kind: "snowflake",
                    ready: left > 0,
                    worker,
                    next,
                    left,
                    groups: lease.key.group.to_string(),
                    problem: view.problem,
                }
            }
            Source::Segment(segment) => {
                let groups: Vec<&str> =
                    segment.spec.places.iter().map(|place| place.group.as_str()).collect();
                let state = segment.state();
                View {
                    schema,
                    name,
                    kind: "segment",
                    ready: state.ranges.left() > 0,
                    worker: None,
                    next: state.ranges.next(),
                    left: state.ranges.left(),
                    groups: groups.join(","),
                    problem: state.problem.clone(),
                }
            }
        }
    }
}

impl Segment {
    fn state(&self) -> MutexGuard<'_, SegmentState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
