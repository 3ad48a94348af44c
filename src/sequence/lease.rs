//! Worker ids: leased from a group, renewed while the process lives.
//!
//! Owns: the lease of one table and width, shared by all sequences that name it, its clock, and the
//! loop that keeps it. Never: makes ids.
//!
//! The clock is the group's own, read at each renewal and carried on by this process's monotonic
//! one, so that all proxies agree and no proxy's wall clock matters. What any clock says only moves
//! ids in time; that they never repeat follows from the row alone
//! ([`crate::sequence::snowflake`]).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::backend::topology::Topology;
use crate::error::{Error, Result};
use crate::name::GroupName;
use crate::sequence::link::Link;
use crate::sequence::snowflake::Grant;
use crate::sequence::worker::{self, Choice, Row, Texts, choose, expiry, milliseconds};

/// After a failure it is tried again this soon, then ever later.
const RETRY: Duration = Duration::from_millis(200);
const RETRY_MOST: Duration = Duration::from_secs(5);

/// How often somebody else may be quicker before it counts as a failure.
const RACES: usize = 16;

/// A server whose clock is so far from this machine's is not believed: ids would be far off for
/// ever.
const CLOCKS_APART: Duration = Duration::from_secs(24 * 3600);

/// What a lease is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct LeaseKey {
    pub group: GroupName,
    pub database: Arc<str>,
    pub table: Arc<str>,
    pub bits: u8,
}

#[derive(Debug)]
pub(super) struct Lease {
    pub key: LeaseKey,
    texts: Texts,
    /// Who holds it, for people that look at the table.
    holder: String,
    state: Mutex<State>,
    /// The highest time of any id made under it.
    high: AtomicU64,
    /// Somebody needs more of it now.
    wanted: Notify,
    /// It was granted or renewed.
    pub granted: Notify,
}

#[derive(Debug, Default)]
struct State {
    grant: Option<Grant>,
    owner: String,
    /// The server's time, and when it was that.
    clock: Option<(u64, Instant)>,
    problem: Option<String>,
}

/// What lists show.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub grant: Option<Grant>,
    pub now: u64,
    pub problem: Option<String>,
}

impl Lease {
    pub fn new(key: LeaseKey, holder: String) -> Self {
        Lease {
            texts: Texts::new(&key.database, &key.table, key.bits),
            key,
            holder,
            state: Mutex::default(),
            high: AtomicU64::new(0),
            wanted: Notify::new(),
            granted: Notify::new(),
        }
    }

    /// The present terms and time.
    pub fn terms(&self) -> (Option<Grant>, u64) {
        let state = self.state();
        (state.grant, state.now())
    }

    pub fn view(&self) -> View {
        let state = self.state();
        View { grant: state.grant, now: state.now(), problem: state.problem.clone() }
    }

    /// An id of this time was made.
    pub fn used(&self, time: u64) {
        self.high.fetch_max(time, Ordering::Relaxed);
    }

    /// The highest time of any id made under it.
    pub fn high(&self) -> u64 {
        self.high.load(Ordering::Relaxed)
    }

    /// Ids can't be made with what is granted.
    pub fn want(&self) {
        self.wanted.notify_one();
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leases and renews for ever.
    pub async fn keep(&self, topology: impl Fn() -> Arc<Topology>) {
        let mut link = Link::new(self.key.group.clone());
        let mut failures = 0_u32;
        loop {
            let outcome = self.tend(&mut link, &topology()).await;
            let pause = match &outcome {
                Ok(()) => worker::RENEW,
                Err(_) => (RETRY * 2_u32.saturating_pow(failures)).min(RETRY_MOST),
            };
            failures = if outcome.is_ok() { 0 } else { failures.saturating_add(1).min(10) };
            self.note(outcome.err());
            let asked = async {
                self.wanted.notified().await;
                tokio::time::sleep(pause.min(RETRY)).await;
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = asked => {}
            }
        }
    }

    fn note(&self, error: Option<Error>) {
        let mut state = self.state();
        let problem = error.map(|error| error.message);
        if problem.is_some() && problem != state.problem {
            let text = problem.as_deref().unwrap_or_default();
            tracing::warn!(group = %self.key.group, table = &*self.key.table, problem = text, "no worker lease");
        }
        state.problem = problem;
        drop(state);
        self.granted.notify_waiters();
    }

    /// One renewal, or a new lease where none is held.
    async fn tend(&self, link: &mut Link, topology: &Topology) -> Result<()> {
        let held = self.state().grant;
        if let Some(grant) = held
            && self.renew(link, topology, grant).await?
        {
            return Ok(());
        }
        self.acquire(link, topology).await
    }

    /// False where the lease is another's.
    async fn renew(&self, link: &mut Link, topology: &Topology, grant: Grant) -> Result<bool> {
        let now = self.read_clock(link, topology).await?;
        // Never below what is granted, also where the clock was set back.
        let wanted = now.max(self.high()) + milliseconds(worker::WINDOW);
        let until = wanted.max(grant.until + 1);
        let owner = self.state().owner.clone();
        let sql = self.texts.renew(grant.worker, &owner, until, expiry(now, until));
        if link.execute(topology, &sql).await? == 1 {
            self.state().grant = Some(Grant { until, ..grant });
            return Ok(true);
        }
        // Renewed by a statement whose answer was lost, or taken over.
        let rows = self.rows(link, topology).await?;
        let own = rows.into_iter().find(|row| row.worker == grant.worker && row.owner == owner);
        let mut state = self.state();
        state.grant = own.as_ref().map(|row| Grant { until: row.until, ..grant });
        if own.is_none() {
            tracing::warn!(group = %self.key.group, worker = grant.worker, "the worker lease was taken over");
        }
        Ok(own.is_some())
    }

    async fn acquire(&self, link: &mut Link, topology: &Topology) -> Result<()> {
        let owner = format!("{:032x}", rand::random::<u128>());
        for _ in 0..RACES {
            let now = self.read_clock(link, topology).await?;
            let rows = match self.rows(link, topology).await {
                Err(error) if error.errno == 1146 => {
                    link.execute(topology, &self.texts.create).await?;
                    continue;
                }
                other => other?,
            };
            let workers = 1_u32 << self.key.bits.min(31);
            let Some(choice) = choose(&rows, workers, now, rand::random()) else {
                return Err(Error::unavailable(
                    "sequence_workers",
                    format!(
                        "all {workers} worker ids of {}.{} in group '{}' are leased: raise worker_bits",
                        self.key.database, self.key.table, self.key.group
                    ),
                ));
            };
            let (worker, from) = match &choice {
                Choice::New(worker) => (*worker, now),
                Choice::Expired(row) => (row.worker, now.max(row.until)),
            };
            let from = from.max(self.high() + 1);
            let until = from + milliseconds(worker::WINDOW);
            let expires = expiry(now, until);
            let taken = match &choice {
                Choice::New(worker) => {
                    let sql = self.texts.insert(*worker, &owner, &self.holder, until, expires);
                    match link.execute(topology, &sql).await {
                        Err(error) if error.errno == 1062 => 0,
                        other => other?,
                    }
                }
                Choice::Expired(row) => {
                    let sql = self.texts.take_over(row, &owner, &self.holder, until, expires);
                    link.execute(topology, &sql).await?
                }
            };
            if taken == 1 {
                let mut state = self.state();
                state.owner = owner;
                state.grant = Some(Grant { worker, from, until });
                drop(state);
                tracing::info!(group = %self.key.group, table = &*self.key.table, worker, "worker leased");
                return Ok(());
            }
        }
        Err(Error::unavailable("sequence_workers", "other proxies were quicker, again and again"))
    }

    async fn rows(&self, link: &mut Link, topology: &Topology) -> Result<Vec<Row>> {
        let rows: Vec<(u32, String, u64, u64)> = link.rows(topology, &self.texts.select).await?;
        let row = |(worker, owner, until, expires)| Row { worker, owner, until, expires };
        Ok(rows.into_iter().map(row).collect())
    }

    /// The server's time, which this lease's clock goes by from now on.
    async fn read_clock(&self, link: &mut Link, topology: &Topology) -> Result<u64> {
        let read: Vec<u64> = link.rows(topology, worker::NOW).await?;
        let now =
            read.first().copied().ok_or_else(|| Error::internal("a server without a clock"))?;
        let own = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let apart = milliseconds(own).abs_diff(now);
        if apart > milliseconds(CLOCKS_APART) {
            return Err(Error::unavailable(
                "sequence_clock",
                format!(
                    "the clock of group '{}' is {} s from this machine's: one of them is wrong",
                    self.key.group,
                    apart / 1000
                ),
            ));
        }
        self.state().clock = Some((now, Instant::now()));
        Ok(now)
    }

    /// Gives the worker id back, as far as that is possible at the end of a process.
    pub async fn release(&self, topology: &Topology) {
        let (grant, owner) = {
            let mut state = self.state();
            (state.grant.take(), state.owner.clone())
        };
        let Some(grant) = grant else { return };
        let mut link = Link::new(self.key.group.clone());
        // Others can have it when its time is over, if this fails.
        let _ = link.execute(topology, &self.texts.release(grant.worker, &owner)).await;
    }
}

impl State {
    /// Milliseconds since 1970; 0 before the server was asked.
    fn now(&self) -> u64 {
        let Some((then, at)) = self.clock else { return 0 };
        then + milliseconds(at.elapsed())
    }
}
