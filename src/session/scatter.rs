//! Statements over several targets: their connections, and the executor's work on them.
//!
//! Owns: which connection serves which targets, and giving them back. Never: merges or sums
//! (the executor does).
//!
//! A statement takes one connection for each group, in the order of the groups, so that no two
//! statements wait for each other in a ring. A merge takes more where they are free at once.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::backend::connection::Pipelining;
use crate::backend::kill::Scope;
use crate::backend::pool::{Ask, Lent};
use crate::backend::state::State;
use crate::context::Snapshot;
use crate::error::{Error, Result};
use crate::executor::compare::RowFormat;
use crate::executor::definition::{self, Described, Physical};
use crate::executor::info;
use crate::executor::lane::{Command, Lane, Part};
use crate::executor::limit::Window;
use crate::executor::memory::Memory;
use crate::executor::pass::{Broken, Summary, write_end};
use crate::executor::returned::{Answer, Returned};
use crate::executor::running::timeout_error;
use crate::executor::scatter as merging;
use crate::executor::spare::{deal, spare};
use crate::executor::warnings::Warning;
use crate::executor::write::{self as writing, Bracket, NotWritten, WriteTerms, Written};
use crate::name::GroupId;
use crate::observe::sessions::Stop;
use crate::planner::Plan;
use crate::planner::bind::{self, Binding};
use crate::planner::plan::{
    Access, Facts, Gather, Renaming, Rendered, Rows, Target, Unseen, WriteKind,
};
use crate::planner::splice::{Form, Numbers};
use crate::protocol::capability::Capabilities;
use crate::protocol::eof::EofPacket;
use crate::protocol::error_code;
use crate::protocol::ok::{OkHeader, OkPacket};
use crate::protocol::response::write_column_count;
use crate::protocol::status::StatusFlags;
use crate::session::arguments::{Own, only};
use crate::session::forward::{Failure, pin_of, watched};
use crate::session::last::{Diagnostic, MAX_DIAGNOSTICS, most_conditions};
use crate::session::learn::runs;
use crate::session::lend::Purpose;
use crate::session::query::{Arguments, Manner, Outcome};
use crate::session::several::rolls_back;
use crate::session::system::has_system_tables;
use crate::session::{End, Session, look_back};
use crate::sql::classify::StatementKind;

/// The connections of one statement with their groups, ascending.
pub(super) type Lents = Vec<(GroupId, Lent)>;

/// What became of a merge.
enum Merged {
    /// The client has its answer, an ERR included.
    Told(Summary),
    /// A connection broke before anything was sent; `stale` where it was idle before.
    Untold { error: Error, stale: bool },
}

/// How the parts of a statement run.
pub(super) struct Terms<'c> {
    pub manner: Manner<'c>,
    pub pipelining: Pipelining,
    pub keep: bool,
    /// Whether all parts must read the same clock.
    pub clock: bool,
    /// What the parts run in, but for their databases.
    pub state: State,
}

/// One target's part, before it is given to a lane.
pub(super) struct Prepared {
    group: GroupId,
    place: usize,
    text: Vec<u8>,
    names: Vec<Renaming>,
    key: Vec<u8>,
    /// Of LOAD DATA LOCAL.
    file: Option<Arc<[u8]>>,
    /// Where its text doesn't hold all of the statement's parameters.
    own: Option<Own>,
}

/// Rows of RETURNING are sent once so many bytes of them wait.
const FLUSH_OVER: usize = 32 << 10;

/// The variable that limits a SELECT without LIMIT.
const SELECT_LIMIT: &str = "sql_select_limit";

/// COM_STMT_EXECUTE behind the statement's id: no cursor, run once, no parameters.
const NO_ARGUMENTS: &[u8] = &[0, 1, 0, 0, 0];

impl Prepared {
    /// A text without parameters.
    pub(super) fn plain(
        group: GroupId,
        place: usize,
        text: Vec<u8>,
        names: Vec<Renaming>,
    ) -> Prepared {
        Prepared { group, place, text, names, key: Vec::new(), file: None, own: None }
    }

    /// LOAD DATA LOCAL with its file.
    pub(super) fn loading(self, file: Arc<[u8]>) -> Prepared {
        Prepared { file: Some(file), ..self }
    }
}

impl Session {
    /// A read of many shards, in a transaction of its own where it must be consistent.
    pub(super) async fn scatter_whole(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        targets: Vec<Target>,
        gather: &Gather,
        binding: &Binding<'_>,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        let held = self.held.groups();
        if !self.begin_consistent(plan, &targets) {
            return self.scatter(snapshot, plan, targets, gather, binding, manner).await;
        }
        let outcome = self.scatter(snapshot, plan, targets, gather, binding, manner).await;
        self.end_own_read(&held, matches!(outcome, Ok(Outcome::Good))).await?;
        outcome
    }

    /// A read of many shards, merged. Where a connection turns out to have died while it was idle,
    /// and the client was told nothing, it is run once more.
    pub(super) async fn scatter(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        targets: Vec<Target>,
        gather: &Gather,
        binding: &Binding<'_>,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        let window = match &gather.limit {
            None => self.select_limit(plan),
            Some(limit) => {
                let (offset, count) = bind::limit(limit, binding)?;
                Window::new(offset, count)
            }
        };
        check_system(plan)?;
        let parts = self.parts(plan, &targets, binding, manner)?;
        if plan.facts.looks_back {
            self.last.begin();
        }
        let mut tries = 0;
        let summary = loop {
            tries += 1;
            match self
                .scatter_once(snapshot, plan, &targets, (gather, window), &parts, manner)
                .await?
            {
                Merged::Told(summary) => break summary,
                Merged::Untold { stale: true, .. } if tries == 1 && plan.facts.retry => {}
                Merged::Untold { error, .. } => {
                    let error = Error { fatal: false, ..self.running.explain(error) };
                    self.follow_rollback(error.errno).await;
                    return Err(Failure::Statement(error));
                }
            }
        };
        self.last.note(&summary);
        if let Some(error) = &summary.error {
            self.ctx.recorder.error(error);
            self.follow_rollback(error.errno).await;
            return Ok(Outcome::Failed);
        }
        Ok(Outcome::Good)
    }

    /// `sql_select_limit`, which counts the rows of the whole answer.
    fn select_limit(&self, plan: &Plan) -> Window {
        use StatementKind as K;
        let reads = matches!(plan.kind, K::Select | K::With | K::Values | K::Table);
        let most = self.select_most().filter(|_| reads);
        most.map_or(Window::OPEN, |count| Window::new(0, count))
    }

    /// The most rows of an answer that has no LIMIT, where the client set one.
    pub(super) fn select_most(&self) -> Option<u64> {
        std::str::from_utf8(self.state.variable(SELECT_LIMIT)?).ok()?.parse().ok()
    }

    async fn scatter_once(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        targets: &[Target],
        (gather, window): (&Gather, Window),
        parts: &[Prepared],
        manner: Manner<'_>,
    ) -> Result<Merged, Failure> {
        let mut lents = self.lend_all(snapshot, plan, targets).await?;
        let mut spares = self.spares(plan, targets, &lents).await;
        let config = self.ctx.shared.config();
        let (ctx, running) = (self.ctx.clone(), self.running.clone());
        let terms = merging::Terms {
            client: self.capabilities,
            status: self.mode_flags(),
            own: self.transaction.is_own(),
            more: manner.more,
            format: if manner.binary { RowFormat::Binary } else { RowFormat::Text },
            gather,
            window,
            budget: &ctx.shared.budget,
            merge_memory: self.bounds(&plan.facts).merge_memory.unwrap_or(u64::MAX),
            read_ahead: config.limits.merge_window.bytes(),
            running: &running,
        };
        let in_transaction = self.is_in_transaction();
        let pipelining = self.pipelining(plan);
        let connections = (&mut lents, &mut spares);
        let clock = plan.facts.clock;
        let mut state = self.state.clone();
        state.set_variable(SELECT_LIMIT, None);
        let terms_of = Terms { manner, pipelining, keep: in_transaction, clock, state };
        let mut lanes = self.lanes(connections, parts, targets, terms_of);
        let limit = self.limit(&plan.facts, snapshot, targets.iter().map(|target| target.group));
        let outcome = {
            let work = pin!(merging::scatter(&mut self.stream, &mut lanes, &terms));
            watched(work, &self.registration, &running, limit).await
        };
        let noted = noted(lanes);
        running.end();
        let died = |(_, lent): &(GroupId, Lent)| lent.was_idle() && !lent.is_in_step();
        let stale = !in_transaction
            && running.interrupted().is_none()
            && lents.iter().chain(&spares).any(died);
        let outcome = self.merged(outcome, [&mut lents, &mut spares], stale).await;
        self.settle_all(snapshot, lents).await;
        for (_, spare) in spares {
            spare.finish().await;
        }
        self.last.diagnostics.extend(noted);
        outcome
    }

    async fn merged(
        &mut self,
        outcome: Result<Result<Summary, Broken>, crate::observe::sessions::Stop>,
        lents: [&mut Lents; 2],
        stale: bool,
    ) -> Result<Merged, Failure> {
        match outcome {
            Ok(Ok(summary)) => Ok(Merged::Told(summary)),
            Ok(Err(Broken::BackendBefore(error))) => Ok(Merged::Untold { error, stale }),
            Ok(Err(broken)) => {
                if matches!(broken, Broken::Client(_)) {
                    for lents in lents {
                        self.kill_lents(lents).await;
                    }
                }
                Err(Failure::Session(End::Error(broken.error().clone().fatal())))
            }
            Err(stop) => {
                for lents in lents {
                    self.kill_lents(lents).await;
                }
                Err(Failure::Session(End::Stopped(stop)))
            }
        }
    }

    pub(super) async fn kill_lents(&self, lents: &mut Lents) {
        for (_, lent) in lents.iter_mut() {
            if !lent.is_in_step() {
                // It may be gone already: the connection is closed in any case.
                let _ = lent.kill_handle().kill(Scope::Connection).await;
                lent.condemn();
            }
        }
    }

    /// A change on many targets; its answer is an OK of Weir's own.
    pub(super) async fn write_many(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        targets: Vec<Target>,
        write: WriteKind,
        binding: &Binding<'_>,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        check_system(plan)?;
        let written = self.written(snapshot, plan, targets, write, binding, manner).await?;
        match &written.returned {
            // A server that knows beforehand that it has no row says OK.
            Some(returned) if !returned.definitions.is_empty() => {
                self.reply_returned(&written, returned, &plan.facts, manner.more).await?
            }
            _ => self.reply_written(&written, &plan.facts, manner.more),
        }
        Ok(Outcome::Good)
    }

    fn keep_noted(&mut self, noted: Vec<Diagnostic>) {
        self.last.diagnostics.extend(noted);
        self.last.diagnostics.truncate(most_conditions(self.dialect.server));
    }

    /// What the rows of RETURNING may take.
    fn returned(&self, plan: &Plan) -> Option<Mutex<Returned>> {
        let most = self.bounds(&plan.facts).merge_memory.unwrap_or(u64::MAX);
        let memory = || Memory::new(self.ctx.shared.budget.empty(), most);
        let returned = || Mutex::new(Returned::new(memory(), plan.facts.skips));
        plan.facts.returns.then(returned)
    }

    /// The rows of a write. Like a server, it tells no number of rows changed.
    async fn reply_returned(
        &mut self,
        written: &Written,
        answer: &Answer,
        facts: &Facts,
        more: bool,
    ) -> Result<(), Failure> {
        let adopted = self.insert_id(facts).of(answer.rows.len() as u64, 0, b"").1;
        if adopted != 0 {
            self.last.insert_id = adopted;
        }
        (self.last.row_count, self.last.warnings) = (-1, written.warnings);
        let status = self.final_status(more);
        let (warnings, capabilities) = (written.warnings, self.capabilities);
        self.stream.write_with(|out| write_column_count(answer.definitions.len(), out));
        for packet in &answer.definitions {
            self.stream.write_packet(packet);
        }
        if !capabilities.contains(Capabilities::DEPRECATE_EOF) {
            let eof = EofPacket { warnings: 0, status: self.status() };
            self.stream.write_with(|out| eof.write(capabilities, out));
        }
        for row in &answer.rows {
            self.stream.write_packet(row);
            // Rows that wait are held twice.
            let flushed = self.stream.flush_over(FLUSH_OVER).await;
            flushed.map_err(|error| Failure::Session(End::Error(error)))?;
        }
        let ok = OkPacket { status, warnings, ..OkPacket::default() };
        write_end(&mut self.stream, capabilities, &ok, OkHeader::EndOfRows);
        Ok(())
    }

    /// The same without its answer to the client.
    pub(super) async fn written(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        targets: Vec<Target>,
        write: WriteKind,
        binding: &Binding<'_>,
        manner: Manner<'_>,
    ) -> Result<Written, Failure> {
        check_assigned(plan, &targets)?;
        let returned = self.returned(plan);
        let manner = sent(plan, &targets, manner);
        let parts = self.parts(plan, &targets, binding, manner)?;
        if plan.facts.looks_back {
            self.last.begin();
        }
        let held = self.held.groups();
        let is_own = self.begin_own(snapshot, plan, &targets)?;
        let mut lents = match self.lend_all(snapshot, plan, &targets).await {
            Ok(lents) => lents,
            Err(failure) => {
                if is_own {
                    self.abandon_own(&held).await;
                }
                return Err(failure);
            }
        };
        let running = self.running.clone();
        let keep = self.is_in_transaction();
        let (bracket, returned_to) = (bracket(keep, is_own), returned.as_ref());
        let terms = WriteTerms { kind: write, bracket, running: &running, returned: returned_to };
        let pipelining = self.pipelining(plan);
        let mut spares = Lents::new();
        let connections = (&mut lents, &mut spares);
        // Defaults and ON UPDATE read the clock without a word of it in the statement.
        let clock = parts.len() > 1;
        let terms_of = Terms { manner, pipelining, keep, clock, state: self.state.clone() };
        let mut lanes = self.lanes(connections, &parts, &targets, terms_of);
        let limit = self.limit(&plan.facts, snapshot, targets.iter().map(|target| target.group));
        let outcome = if write == WriteKind::Definition {
            let tables = described(plan, &targets);
            let named = |database: &str, table: &str| snapshot.rules.logical_name(database, table);
            let described = Described::of(&tables, &plan.facts, &named);
            let work = pin!(definition::run(&mut lanes, &running, &described));
            watched(work, &self.registration, &running, limit).await
        } else {
            let work = pin!(writing::write(&mut lanes, &terms));
            watched(work, &self.registration, &running, limit).await
        };
        let noted = noted(lanes);
        running.end();
        if plan.facts.access == Access::Definition {
            self.forget_tables(snapshot, plan);
        }
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(stop) => return Err(self.stopped_write(snapshot, lents, stop).await),
        };
        match outcome {
            Ok(mut written) => {
                written.last_insert_id = id_of_last_row(&written, &targets);
                written.returned = returned.map(answer);
                self.follow_written(snapshot, plan, &mut lents).await;
                self.settle_all(snapshot, lents).await;
                if is_own {
                    self.end_transaction(b"COMMIT").await?;
                }
                self.keep_noted(noted);
                Ok(written)
            }
            Err(refused) => {
                Err(self.unwritten(snapshot, lents, refused, is_own.then_some(&*held)).await)
            }
        }
    }

    /// The session is told to stop while servers write.
    async fn stopped_write(
        &mut self,
        snapshot: &Arc<Snapshot>,
        mut lents: Lents,
        stop: Stop,
    ) -> Failure {
        self.kill_lents(&mut lents).await;
        self.settle_all(snapshot, lents).await;
        Failure::Session(End::Stopped(stop))
    }

    /// A change was refused, or broke off: gives the connections back, and ends what can't go on.
    /// `own` has the groups that the session held before Weir's own transaction began.
    async fn unwritten(
        &mut self,
        snapshot: &Arc<Snapshot>,
        mut lents: Lents,
        refused: NotWritten,
        own: Option<&[GroupId]>,
    ) -> Failure {
        let error = Error { fatal: false, ..self.running.explain(refused.error) };
        if refused.transaction_lost && !rolls_back(error.errno) {
            for (_, lent) in &mut lents {
                lent.condemn();
            }
        }
        self.settle_all(snapshot, lents).await;
        match own {
            Some(held) => self.abandon_own(held).await,
            None => self.follow_rollback(error.errno).await,
        }
        Failure::Statement(error)
    }

    pub(super) fn reply_written(&mut self, written: &Written, facts: &Facts, more: bool) {
        let last_insert_id =
            self.insert_id(facts).of(written.affected_rows, written.last_insert_id, &written.info);
        if last_insert_id.1 != 0 {
            self.last.insert_id = last_insert_id.1;
        }
        self.last.row_count = i64::try_from(written.affected_rows).unwrap_or(i64::MAX);
        self.last.warnings = written.warnings;
        self.last.told = info::first(&written.info);
        let mut status = self.status();
        if more {
            status = status.with(StatusFlags::MORE_RESULTS);
        }
        let ok = OkPacket {
            affected_rows: written.affected_rows,
            last_insert_id: last_insert_id.0,
            status,
            warnings: written.warnings,
            info: &written.info,
            ..OkPacket::default()
        };
        self.stream.write_with(|out| ok.write(OkHeader::Plain, self.capabilities, out));
    }

    /// A text with these of the statement's parameters, bound as the client bound them.
    pub(super) fn bound(
        &self,
        part: Prepared,
        given: Arguments<'_>,
        numbers: &[u32],
    ) -> Result<Prepared> {
        let own = only(given, numbers)?;
        let types = own.as_ref().map_or(given, Own::arguments).types;
        Ok(Prepared { key: self.handle_key(&part.text, types), own, ..part })
    }

    /// The text and names of each target.
    pub(super) fn parts(
        &self,
        plan: &Plan,
        targets: &[Target],
        binding: &Binding<'_>,
        manner: Manner<'_>,
    ) -> Result<Vec<Prepared>> {
        let form =
            if manner.arguments.is_some() && manner.binary { Form::Prepared } else { Form::Text };
        let mut parts = Vec::with_capacity(targets.len());
        for (place, target) in targets.iter().enumerate() {
            let (mut text, numbers) = (Vec::new(), Numbers::default());
            let as_is = plan.render_numbered(target, binding, (form, Some(&numbers)), &mut text)?
                == Rendered::AsIs;
            if as_is {
                text = binding.sql.to_vec();
            }
            let own = match manner.arguments {
                Some(given) if form == Form::Prepared && !as_is => only(given, &numbers.take())?,
                _ => None,
            };
            if plan.facts.looks_back {
                let (limits, values) = (self.ctx.lexer.limits(), self.remembered());
                if let Some(resolved) = look_back::resolve(&text, self.dialect, limits, &values)? {
                    text = resolved;
                }
            }
            let key = match manner.arguments {
                Some(given) if form == Form::Prepared => {
                    let arguments = own.as_ref().map_or(given, Own::arguments);
                    self.handle_key(&text, arguments.types)
                }
                // Its values stand in the text; its rows are binary nevertheless.
                None if manner.binary => self.handle_key(&text, &[]),
                _ => Vec::new(),
            };
            let names = plan.renamings(target);
            let group = target.group;
            parts.push(Prepared { group, place, text, names, key, file: None, own });
        }
        Ok(parts)
    }

    /// One connection for each group of the targets, in order.
    pub(super) async fn lend_all(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        targets: &[Target],
    ) -> Result<Lents, Failure> {
        let mut first: Vec<&Target> = targets.iter().collect();
        first.sort_by_key(|target| target.group);
        first.dedup_by_key(|target| target.group);
        let transactional = self.is_in_transaction() || !self.state.autocommit();
        if transactional && first.len() > 1 && !plan.facts.commits {
            self.make_consistent();
            self.transaction.begin_implicitly(true, self.state.read_only());
        }
        let purpose = Purpose::of(&plan.facts, transactional, self.transaction.may_use_replica());
        let mut lents: Lents = Vec::with_capacity(first.len());
        for target in first {
            match self.lend(snapshot, target, purpose).await {
                Ok(mut lent) => {
                    if let Some(pin) = plan.facts.pins {
                        lent.pin(pin_of(pin));
                    }
                    lent.begins(runs(&plan.facts));
                    lents.push((target.group, lent));
                }
                Err(error) => {
                    self.settle_all(snapshot, lents).await;
                    return Err(error.into());
                }
            }
        }
        if plan.facts.gives_id
            && let Err(error) = self.lend_ids(&mut lents).await
        {
            self.settle_all(snapshot, lents).await;
            return Err(error.into());
        }
        match self.running.interrupted() {
            None => Ok(lents),
            Some(why) => {
                self.settle_all(snapshot, lents).await;
                let killed = why == crate::executor::running::Interrupt::Killed;
                Err(if killed { error_code::interrupted() } else { timeout_error() }.into())
            }
        }
    }

    /// Further connections for a read whose targets share groups: with one result at a time, rows
    /// of all but one shard would have to be kept, or come one after the other. Not inside of a
    /// transaction, nor where something of the session's is on its connection.
    pub(super) async fn spares(&mut self, plan: &Plan, targets: &[Target], lents: &Lents) -> Lents {
        let mut spares = Lents::new();
        let is_bound = self.is_in_transaction()
            || !self.state.autocommit()
            || plan.facts.pins.is_some()
            || plan.facts.unseen != Unseen::Nothing
            || plan.facts.access != Access::Read;
        if is_bound {
            return spares;
        }
        for (group, lent) in lents {
            let wanted = targets.iter().filter(|target| target.group == *group).count() - 1;
            if wanted == 0 || !lent.pins().is_empty() {
                continue;
            }
            let asked = Instant::now();
            let ask = Ask {
                worker: self.ctx.index,
                role: Purpose::of(&plan.facts, false, false).role,
                // They are of the node that was chosen.
                after: None,
                state: &self.state,
                found_rows: self.capabilities.contains(Capabilities::FOUND_ROWS),
                pipelining: Pipelining::All,
                asked,
                deadline: asked + self.settings.timeouts.pool_wait.0,
            };
            let more = spare(lent, &ask, wanted).await;
            spares.extend(more.into_iter().map(|lent| (*group, lent)));
        }
        spares
    }

    pub(super) fn lanes<'c>(
        &self,
        (lents, spares): (&'c mut Lents, &'c mut Lents),
        parts: &'c [Prepared],
        targets: &'c [Target],
        Terms { manner, pipelining, keep, clock, state }: Terms<'c>,
    ) -> Vec<Lane<'c>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let base = if clock { state.at(now) } else { state };
        let mut spares: Vec<_> = spares.iter_mut().collect();
        let mut lanes = Vec::with_capacity(lents.len() + spares.len());
        for (group, lent) in lents {
            let own = parts.iter().filter(|part| part.group == *group).map(|part| {
                let target = targets.get(part.place);
                let text = Cow::Borrowed(part.text.as_slice());
                let command = match manner.arguments {
                    _ if let Some(file) = &part.file => Command::Load { sql: text, file },
                    given if manner.binary && !part.key.is_empty() => Command::Execute {
                        key: Cow::Borrowed(&part.key),
                        sql: text,
                        arguments: match &part.own {
                            Some(own) => own.arguments().bytes,
                            None => given.map_or(NO_ARGUMENTS, |arguments| arguments.bytes),
                        },
                    },
                    _ => Command::Query(text),
                };
                Part {
                    target: part.place,
                    shard: target.and_then(|target| target.shard),
                    state: base.in_database(target.and_then(|target| target.database.as_ref())),
                    pipelining,
                    command,
                    inserted: target.and_then(|target| match &target.rows {
                        Rows::All => None,
                        Rows::Some(rows) => Some(rows.as_slice()),
                    }),
                    names: &part.names,
                }
            });
            let (of_group, others): (Vec<_>, Vec<_>) =
                spares.into_iter().partition(|(of, _)| of == group);
            spares = others;
            let hands = deal(own, 1 + of_group.len());
            let more = of_group.into_iter().map(|(_, spare)| spare);
            let connections = std::iter::once(lent).chain(more);
            lanes.extend(connections.zip(hands).map(|(lent, own)| {
                // A failure on another shard must not cost the session what is pinned here.
                let keep = keep || !lent.pins().is_empty();
                Lane::new(lent, own, keep)
            }));
        }
        lanes
    }

    pub(super) fn pipelining(&self, plan: &Plan) -> Pipelining {
        match plan.facts.access {
            Access::Read => Pipelining::All,
            _ => Pipelining::Variables,
        }
    }

    pub(super) async fn settle_all(&mut self, snapshot: &Arc<Snapshot>, lents: Lents) {
        for (group, lent) in lents {
            self.settle(group, lent, snapshot).await;
        }
    }
}

/// How a write goes to its targets.
fn sent<'a>(plan: &Plan, targets: &[Target], manner: Manner<'a>) -> Manner<'a> {
    match is_whole(plan, targets, manner) {
        // Its columns are named by what was prepared.
        false if plan.facts.returns => manner,
        binary => Manner { binary, ..manner },
    }
}

fn answer(returned: Mutex<Returned>) -> Answer {
    returned.into_inner().unwrap_or_else(PoisonError::into_inner).answer()
}

/// Whether each target gets all of a prepared write, and so its parameters as they are: one isn't
/// converted as a literal of its text is (MySQL refuses a date with zeros that is one). Rows that are
/// split go as text: what MySQL takes a parameter for depends on those of the other rows.
pub(super) fn is_whole(plan: &Plan, targets: &[Target], manner: Manner<'_>) -> bool {
    manner.binary
        && manner.arguments.is_some()
        && !plan.facts.looks_back
        && targets.iter().all(|target| target.rows == Rows::All)
}

/// What stands around a write, so that it can be undone as a whole.
fn bracket(in_transaction: bool, is_own: bool) -> Bracket {
    match (in_transaction, is_own) {
        (_, true) => Bracket::None,
        (true, false) => Bracket::Savepoint,
        (false, false) => Bracket::Transaction,
    }
}

/// What the lanes' servers warned of, in the order of the lanes.
pub(super) fn noted(lanes: Vec<Lane<'_>>) -> Vec<Diagnostic> {
    let warnings = lanes.into_iter().flat_map(|lane| lane.noted).take(MAX_DIAGNOSTICS);
    let diagnostic = |warning: Warning| Diagnostic {
        level: warning.level,
        errno: warning.errno,
        sqlstate: None,
        message: warning.message,
    };
    warnings.map(diagnostic).collect()
}

/// Given ids show the last row's, as one server's answer does.
pub(super) fn id_of_last_row(written: &Written, targets: &[Target]) -> u64 {
    let of_target = |last: usize| written.insert_ids.iter().find(|(target, _)| *target == last);
    of_last_row(targets).and_then(of_target).map_or(written.last_insert_id, |(_, id)| *id)
}

/// The number of the target that the last row of VALUES goes to.
fn of_last_row(targets: &[Target]) -> Option<usize> {
    let last = |target: &Target| match &target.rows {
        Rows::Some(numbers) => numbers.iter().max().copied(),
        _ => None,
    };
    let places =
        targets.iter().enumerate().filter_map(|(place, target)| Some((last(target)?, place)));
    places.max().map(|(_, place)| place)
}

/// What a DDL statement names at each of its targets.
fn described(plan: &Plan, targets: &[Target]) -> Vec<Vec<Physical>> {
    let of = |target: &Target| {
        let tables = plan.physical_tables(target).into_iter();
        tables.map(|(database, table, logical)| Physical { database, table, logical }).collect()
    };
    targets.iter().map(of).collect()
}

/// Each of the targets would show what itself has.
fn check_system(plan: &Plan) -> Result<()> {
    match has_system_tables(plan) {
        true => Err(Error::refused(
            "information_schema",
            "information_schema is read beside tables of one group, and not beside those on several: ask it \
             in a statement of its own",
        )),
        false => Ok(()),
    }
}

/// Each place would assign its own, and read what another one assigned before.
fn check_assigned(plan: &Plan, targets: &[Target]) -> Result<()> {
    match plan.facts.assigns && targets.len() > 1 {
        true => Err(Error::refused(
            "scatter_function",
            "The statement assigns a user variable, and several shards would each do so: write its rows in \
             statements of their own",
        )),
        false => Ok(()),
    }
}
