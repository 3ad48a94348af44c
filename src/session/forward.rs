//! A statement for one target: sent, and its answer relayed.
//!
//! Owns: one exchange with one backend, its interruption (KILL, deadline, the client's leaving), and
//! the one safe retry. Never: plans, or merges.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use crate::backend::counters;
use crate::backend::kill::Scope;
use crate::backend::pool::Lent;
use crate::context::Snapshot;
use crate::error::Error;
use crate::executor::pass::{self, Broken, Summary, Terms};
use crate::executor::rename::Names;
use crate::executor::running::{Interrupt, Running};
use crate::name::GroupId;
use crate::observe::sessions::{Registration, Stop, Watch};
use crate::planner::bind::Binding;
use crate::planner::found::Finds;
use crate::planner::plan::{Access, Facts, Pin, Renaming, Target};
use crate::protocol::command;
use crate::protocol::execute::{Parameter, write_execute};
use crate::protocol::status::StatusFlags;
use crate::rules::user::Bounds;
use crate::session::diagnostics::is_alone;
use crate::session::learn::{runs, touches_temporaries};
use crate::session::lend::Purpose;
use crate::session::prepared;
use crate::session::{End, Session};

/// Why a statement has no answer of a backend.
#[derive(Debug)]
pub(super) enum Failure {
    /// The client is told, and the session goes on.
    Statement(Error),
    /// The session ends.
    Session(End),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if error.fatal { Failure::Session(End::Error(error)) } else { Failure::Statement(error) }
    }
}

/// One command for one backend.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job<'a> {
    pub snapshot: &'a Arc<Snapshot>,
    pub facts: &'a Facts,
    pub target: &'a Target,
    pub names: &'a [Renaming],
    /// Whether another result of the same command follows.
    pub more: bool,
    /// The file that the client may be asked for.
    pub local_infile: Option<&'a [u8]>,
    /// The client's own statement, where it may hold the ids of its rows.
    pub written: Option<&'a Binding<'a>>,
}

/// What a backend is sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Payload<'a> {
    /// COM_QUERY with this text.
    Query(&'a [u8]),
    /// COM_STMT_EXECUTE of this text, prepared there under `key` if it isn't yet.
    Execute { key: &'a [u8], sql: &'a [u8], parameters: &'a [Parameter<'a>], cursor: u8 },
}

impl Session {
    /// Runs a job and relays its answer, except for the flush of its end.
    pub(super) async fn forward(
        &mut self,
        job: &Job<'_>,
        payload: Payload<'_>,
    ) -> Result<Summary, Failure> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.forward_once(job, payload).await {
                Err(Attempt::Again(error)) if tries > 1 => return Err(error.into()),
                Err(Attempt::Again(_)) => {}
                Err(Attempt::Failed(failure)) => return Err(failure),
                Ok(summary) => return Ok(summary),
            }
        }
    }

    async fn forward_once(
        &mut self,
        job: &Job<'_>,
        payload: Payload<'_>,
    ) -> Result<Summary, Attempt> {
        let group = job.target.group;
        let in_transaction = self.is_in_transaction() || !self.state.autocommit();
        let purpose = Purpose::of(job.facts, in_transaction, self.transaction.may_use_replica());
        let mut lent = self.lend(job.snapshot, job.target, purpose).await.map_err(Attempt::from)?;
        begin(&mut lent, job.facts);
        if (job.facts.lends_id || job.facts.gives_id)
            && let Err(error) = Box::pin(self.lend_id(&mut lent)).await
        {
            return Err(Box::pin(self.broke(job, lent, error, (false, false))).await);
        }
        let unpinned = lent.pins().is_empty();
        let (free, led) = (!in_transaction && unpinned, lent.has_lead() && unpinned);
        let handle = match self.send(&mut lent, payload, job.local_infile.is_some()).await {
            Ok(handle) => handle,
            // The server's own error of PREPARE: the connection is well.
            Err(error) if lent.is_in_step() => {
                self.settle(group, lent, job.snapshot).await;
                return Err(Attempt::from(Names(job.names).error(error)));
            }
            Err(error) => return Err(Box::pin(self.broke(job, lent, error, (free, led))).await),
        };
        self.running.add(lent.kill_handle());
        let (running, (status, hidden)) = (self.running.clone(), self.shown_status());
        let limit = self.limit(job.facts, job.snapshot, std::iter::once(group));
        let terms = Terms {
            client: self.capabilities,
            backend: lent.capabilities,
            names: Names(job.names),
            more: job.more,
            local_infile: job.local_infile,
            status,
            hidden,
            binary: matches!(payload, Payload::Execute { .. }),
            cursor: matches!(payload, Payload::Execute { cursor: 1.., .. }),
            running: &running,
            insert_id: self.insert_id(job.facts),
        };
        let outcome = {
            let relay = pin!(pass::relay(&mut self.stream, &mut lent.stream, &terms));
            watched(relay, &self.registration, &running, limit).await
        };
        self.running.end();
        match outcome {
            Ok(Ok(mut summary)) => {
                self.relayed(job, lent, handle, &mut summary).await?;
                Ok(summary)
            }
            Ok(Err(Broken::BackendBefore(error))) => {
                lent.condemn();
                Err(Box::pin(self.broke(job, lent, error, (free, led))).await)
            }
            Ok(Err(Broken::BackendAfter(error))) => {
                self.lost(lent);
                Err(Attempt::Failed(Failure::Session(End::Error(error.fatal()))))
            }
            Ok(Err(Broken::Client(error))) => {
                Box::pin(stop_statement(&lent)).await;
                self.lost(lent);
                Err(Attempt::Failed(Failure::Session(End::Error(error.fatal()))))
            }
            Err(stop) => {
                self.lost(lent);
                Err(Attempt::Failed(Failure::Session(End::Stopped(stop))))
            }
        }
    }

    /// Status flags that an answer gets and those that it loses: a transaction of Weir's own is none of
    /// the client's.
    fn shown_status(&self) -> (StatusFlags, StatusFlags) {
        match self.transaction.is_own() {
            true => (self.status(), StatusFlags::AUTOCOMMIT.with(StatusFlags::IN_TRANSACTION)),
            false => (self.mode_flags(), StatusFlags::default()),
        }
    }

    /// Sends the command; for an execution, the handle that it used.
    async fn send(
        &mut self,
        lent: &mut Lent,
        payload: Payload<'_>,
        local_infile: bool,
    ) -> Result<u32, Error> {
        let mut handle = 0;
        if local_infile || !matches!(payload, Payload::Query(sql) if sql.len() <= COPIED) {
            lent.send_lead().await?;
        }
        match payload {
            Payload::Query(sql) if sql.len() <= COPIED => lent.led_query(sql),
            Payload::Query(sql) => {
                let mut packet = Vec::with_capacity(sql.len() + 1);
                command::write_text(command::byte::QUERY, sql, &mut packet);
                lent.send_command(&packet).await?;
            }
            Payload::Execute { key, sql, parameters, cursor } => {
                handle = prepared::handle(lent, key, sql).await?;
                lent.begin(|out| write_execute(handle, cursor, parameters, out));
            }
        }
        lent.flush().await?;
        lent.absorb().await?;
        Ok(handle)
    }

    /// The answer is through: takes its facts over and lets the connection go.
    async fn relayed(
        &mut self,
        job: &Job<'_>,
        mut lent: Lent,
        handle: u32,
        summary: &mut Summary,
    ) -> Result<(), Attempt> {
        let group = job.target.group;
        if summary.status.contains(StatusFlags::CURSOR_EXISTS) && summary.error.is_none() {
            lent.pin(counters::Pin::Cursor);
            summary.cursor = Some(handle);
        }
        match &summary.error {
            Some(error) => {
                lent.ended_in_error(error);
                self.ctx.recorder.error(error);
            }
            None => lent.ended(summary.status),
        }
        lent.note_tracked(&summary.session_state);
        let of_tables = touches_temporaries(job.facts);
        let doubtful = summary.last_insert_id != 0 && job.facts.ids.is_doubtful();
        if !doubtful {
            let found = self.last.found_rows;
            self.last.note(summary);
            if job.facts.returns {
                // RETURNING finds none.
                self.last.found_rows = found;
            }
        }
        let beside = match &summary.error {
            None => summary.warnings > 0,
            Some(error) => lent.is_in_step() && !is_alone(error.errno),
        };
        if beside {
            // The client has its answer before Weir asks what stands beside it.
            let left = |error| Attempt::Failed(Failure::Session(End::Error(error)));
            self.stream.flush().await.map_err(left)?;
            match &summary.error {
                None => Box::pin(self.fetch_diagnostics(&mut lent, job.names)).await,
                Some(error) => Box::pin(self.fetch_beside(&mut lent, error, job.names)).await,
            }
        }
        // The questions stand behind SHOW WARNINGS, for they clear them.
        let counted = job.facts.pins == Some(Pin::FoundRows) || job.facts.finds == Finds::Asked;
        if counted && summary.error.is_none() {
            Box::pin(self.count_found(job, &mut lent, summary)).await?;
        }
        if job.facts.lends_id {
            Box::pin(self.take_id(&mut lent)).await;
        }
        if job.facts.assigns || job.facts.lends_id || job.facts.pins.is_some() {
            Box::pin(self.take_effects(job, &mut lent)).await;
        }
        if of_tables {
            let changes = (&*job.facts.temporaries, summary.error.is_none());
            let follows = self.follow_temporaries(job.snapshot, group, &mut lent, changes);
            Box::pin(follows).await;
        }
        if doubtful {
            Box::pin(self.doubt_id(job, &mut lent, summary)).await;
            self.last.note(summary);
        }
        self.settle(job.target.group, lent, job.snapshot).await;
        // An error that the client itself raised says nothing of a server's transaction.
        if let Some(error) = summary.error.as_ref().filter(|_| !job.facts.raises) {
            Box::pin(self.follow_rollback(error.errno)).await;
        }
        Ok(())
    }

    /// Asks how many rows were found where the answer's own don't tell.
    async fn count_found(
        &mut self,
        job: &Job<'_>,
        lent: &mut Lent,
        summary: &Summary,
    ) -> Result<(), Attempt> {
        let called = job.facts.finds == Finds::Asked;
        // A procedure that selects nothing leaves what the connection has of another client.
        self.last.found_unknown = called && !summary.selected;
        if job.facts.pins == Some(Pin::FoundRows) || called && summary.selected {
            let left = |error| Attempt::Failed(Failure::Session(End::Error(error)));
            // The client has its answer before.
            self.stream.flush().await.map_err(left)?;
            self.take_found_rows(lent).await;
        }
        Ok(())
    }

    /// A backend broke off before the client was told anything.
    async fn broke(
        &mut self,
        job: &Job<'_>,
        lent: Lent,
        error: Error,
        (free, led): (bool, bool),
    ) -> Attempt {
        let node = lent.node().clone();
        let idle = lent.was_idle();
        node.doubt(&error.message);
        let interrupted = self.running.interrupted();
        self.lost(lent);
        match interrupted {
            Some(Interrupt::Timeout) => {
                return Attempt::Failed(crate::executor::running::timeout_error().into());
            }
            Some(Interrupt::Killed) => {
                return Attempt::Failed(crate::protocol::error_code::interrupted().into());
            }
            None => {}
        }
        let error = Error { fatal: false, ..error };
        if free && job.facts.retry && idle {
            return Attempt::Again(error);
        }
        if led && idle {
            // BEGIN travelled with it, so that nothing of it can have stayed.
            self.transaction.reopen(job.target.group);
            return Attempt::Again(error);
        }
        let reads = job.facts.access == Access::Read;
        let what = if reads { "" } else { "; it may have been done" };
        let message = format!("{} ({}){what}", error.message, node.title());
        // A write that commits by itself is as a COMMIT whose answer is lost.
        let alone = !reads && !self.is_in_transaction() && self.state.autocommit();
        let code = if alone { "commit_outcome_unknown" } else { error.code };
        Attempt::Failed(Error { message, code, ..error }.into())
    }

    /// A connection that can't be used again; what it carried is undone by its server
    /// ([`Session::loss`]).
    fn lost(&mut self, mut lent: Lent) {
        lent.condemn();
        drop(lent);
        self.held.unbind();
    }

    /// What the statement may gather or hold.
    pub(super) fn bounds(&self, facts: &Facts) -> Bounds {
        let limits = &self.settings.limits;
        let general = Bounds {
            workbench_rows: Some(u64::from(limits.workbench_rows)),
            workbench_bytes: Some(limits.workbench_bytes.0),
            merge_memory: Some(limits.merge_memory.0),
        };
        self.identity.user.bounds.narrowed(&facts.bounds, &general)
    }

    /// How long the statement may run on these groups; the shortest of their limits.
    pub(super) fn limit(
        &self,
        facts: &Facts,
        snapshot: &Snapshot,
        groups: impl Iterator<Item = GroupId>,
    ) -> Option<Duration> {
        let general = self.settings.timeouts.statement.limit();
        let of = |group| snapshot.topology.group(group).ok().and_then(|group| group.spec.statement);
        let own = facts.timeout;
        let limit = own.or_else(|| groups.filter_map(|group| of(group).or(general)).min());
        limit.or(general).into_iter().chain(self.transaction_left()).min()
    }

    /// How much longer the open transaction may last; `None`: there is none, or no limit.
    pub(super) fn transaction_left(&self) -> Option<Duration> {
        let limit = self.settings.timeouts.transaction.limit()?;
        Some(limit.saturating_sub(self.transaction.since()?.elapsed()))
    }
}

/// Texts up to this are copied into the write buffer with what precedes them.
const COPIED: usize = 16 << 10;

enum Attempt {
    /// Nothing has happened; another connection may do.
    Again(Error),
    Failed(Failure),
}

impl From<Error> for Attempt {
    fn from(error: Error) -> Self {
        Attempt::Failed(error.into())
    }
}

/// Drives `work` while KILL and the deadline are watched. A stopped statement goes on to be relayed:
/// its backend answers 1317. [`Stop::Unanswered`] where it doesn't within `timeouts.stop`.
pub(super) async fn watched<T>(
    mut work: std::pin::Pin<&mut impl Future<Output = T>>,
    registration: &Registration,
    running: &Running,
    limit: Option<Duration>,
) -> Result<T, Stop> {
    // Most statements are answered before anything else happens.
    let stop = async {
        match limit {
            None => Some(registration.stopped(Watch::Statement).await),
            Some(limit) => {
                tokio::time::timeout(limit, registration.stopped(Watch::Statement)).await.ok()
            }
        }
    };
    let stop = tokio::select! {
        biased;
        done = &mut work => return Ok(done),
        stop = stop => stop,
    };
    let why = if stop.is_some() { Interrupt::Killed } else { Interrupt::Timeout };
    let interrupt = Box::pin(running.interrupt(why));
    match stop {
        Some(stop @ (Stop::Kill | Stop::Shutdown | Stop::Drain)) => {
            interrupt.await;
            Err(stop)
        }
        Some(Stop::Query | Stop::Unanswered) | None => {
            // The answer may come while the KILL is still on its way: both are awaited.
            let both = async { tokio::join!(interrupt, work) };
            let answered = tokio::time::timeout(running.patience(), both).await;
            answered.map(|((), done)| done).map_err(|_| Stop::Unanswered)
        }
    }
}

/// Closing the connection doesn't stop a statement that has sent nothing yet.
pub(super) async fn stop_statement(lent: &Lent) {
    if let Err(error) = lent.kill_handle().kill(Scope::Connection).await {
        tracing::debug!(%error, "the statement of a client that left was not killed");
    }
}

/// Tells the connection which statement it gets.
fn begin(lent: &mut Lent, facts: &Facts) {
    // FOUND_ROWS() is asked at once.
    if let Some(pin) = facts.pins.filter(|pin| *pin != Pin::FoundRows) {
        lent.pin(pin_of(pin));
    }
    lent.begins(runs(facts));
}

/// The metric's reason for a plan's.
pub(super) fn pin_of(pin: Pin) -> counters::Pin {
    match pin {
        Pin::UserLock => counters::Pin::Lock,
        Pin::UserVariable => counters::Pin::UserVariable,
        Pin::TemporaryTable => counters::Pin::TemporaryTable,
        Pin::Routine => counters::Pin::Routine,
        Pin::TableLock => counters::Pin::TableLock,
        Pin::FoundRows => counters::Pin::Diagnostics,
        Pin::Unknown => counters::Pin::Unknown,
    }
}
