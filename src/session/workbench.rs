//! Statements that one server runs over rows gathered from many.
//!
//! Owns: the workbench's connection, its temporary tables, and the order of things: definitions,
//! tables, gathers, the residual statement, and clearing up. Never: decides what is gathered (the
//! planner does) or turns values into literals (the executor does).
//!
//! The workbench has a connection of its own, outside of the client's transaction (mysql-traps 23).
//! Its tables go when the answer is through; wherever something is in doubt, the connection is
//! closed, and they go with it.

mod back;
pub(super) mod bench;
pub(super) mod change;
mod fewer;
pub(super) mod into;
mod layout;
pub(super) mod value;

use std::pin::pin;
use std::sync::Arc;

use crate::backend::connection::Pipelining;
use crate::backend::counters::Pin;
use crate::backend::pool::Lent;
use crate::backend::state::{Charset, State};
use crate::context::Snapshot;
use crate::error::{Error, Fault, Result};
use crate::executor::pass::{self, Broken, Summary, Terms as PassTerms};
use crate::executor::rename::Names;
use crate::executor::settle::settle;
use crate::executor::temporary;
use crate::executor::workbench::{Moving, load};
use crate::name::GroupId;
use crate::planner::Plan;
use crate::planner::bind::Binding;
use crate::planner::lookup::Within as Lookups;
use crate::planner::plan::{NodeChoice, Renaming, Route, Target};
use crate::planner::splice::{Form, Numbers};
use crate::planner::workbench::{Reference, Task, Workbench};
use crate::protocol::column::Column;
use crate::protocol::command;
use crate::protocol::status::StatusFlags;
use crate::session::arguments::{Own, only};
use crate::session::forward::{Failure, stop_statement, watched};
use crate::session::learn::runs;
use crate::session::lend::Purpose;
use crate::session::own::rows;
use crate::session::query::{Manner, Outcome};
use crate::session::scatter::{Lents, Prepared, Terms};
use crate::session::system::Asked;
use crate::session::{End, Session, look_back, prepared};
use crate::sql::lex::ServerKind;
use crate::sql::template::Lexed;

use bench::{Bench, Deadline, copied};
use fewer::is_key_of_another;
use layout::{Known, Layout};

/// A table with at most so many rows is gathered before others, so that its keys restrict them.
const FEW: usize = 20_000;

/// What a unique key answers.
const DUPLICATE: u16 = 1062;

/// MySQL's, where a table must have a primary key.
const NO_PRIMARY_KEY: u16 = 3750;

/// The code of [`changed`].
const CHANGED: &str = "table_changed";

/// A table isn't what the statement was planned with.
fn changed(table: &str) -> Error {
    let text = format!("Table definition of '{table}' has changed, please retry transaction");
    Error::new(Fault::Unavailable, 1412, b"HY000", CHANGED, text)
}

/// Where one reference's rows are.
struct Gathering<'w> {
    /// Its place among the references.
    index: usize,
    reference: &'w Reference,
    plan: Arc<Plan>,
    targets: Vec<Target>,
    parts: Vec<Prepared>,
}

/// Every place that rows come from.
fn all_targets(gatherings: &[Gathering<'_>]) -> Vec<Target> {
    gatherings.iter().flat_map(|gathering| gathering.targets.iter().cloned()).collect()
}

/// One statement on the workbench.
#[derive(Clone, Copy)]
struct Work<'w> {
    snapshot: &'w Arc<Snapshot>,
    plan: &'w Plan,
    bench: &'w Workbench,
    binding: &'w Binding<'w>,
    manner: Manner<'w>,
    /// No key of a temporary table is unique.
    loose: bool,
    /// When all of it must be over.
    deadline: Deadline,
    /// Planned with what the tables were just now.
    fresh: bool,
    /// It is only described: no table has rows.
    empty: bool,
}

impl Session {
    /// Gathers what the statement's references must give, and relays what a server makes of it.
    pub(super) async fn workbench(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        bench: &Workbench,
        binding: &Binding<'_>,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        // As SET does, which has no other place to run either.
        let apart = !into::takes_row(plan);
        if apart && self.held.pinned_by(&[Pin::TableLock]) {
            return Err(Error::refused(
                "workbench_session",
                "The statement would be run on another connection, which doesn't share the table locks of \
                 this session: UNLOCK TABLES first",
            )
            .into());
        }
        let deadline = self.deadline(&plan.facts, snapshot);
        let (loose, fresh, empty) = (false, false, false);
        let work = Work { snapshot, plan, bench, binding, manner, loose, deadline, fresh, empty };
        match self.on_tables(work).await {
            // Nothing was changed yet: definitions come first.
            Err(Failure::Statement(error)) if error.code == CHANGED => {
                self.forget_tables(snapshot, plan);
                let plan = self.plan(snapshot, binding.sql, binding.lexed).await?;
                let Route::Workbench(bench) = plan.bind(binding) else {
                    return Err(error.into());
                };
                self.on_tables(Work { plan: &plan, bench, fresh: true, ..work }).await
            }
            outcome => outcome,
        }
    }

    /// What the answer of a statement over temporary tables leaves with the session.
    pub(super) fn note_residual(&mut self, summary: &Summary) -> Outcome {
        self.last.note(summary);
        match &summary.error {
            Some(error) => {
                self.ctx.recorder.error(error);
                Outcome::Failed
            }
            None => Outcome::Good,
        }
    }

    async fn on_tables(&mut self, work: Work<'_>) -> Result<Outcome, Failure> {
        if let Some(changes) = &work.bench.changes {
            return Box::pin(self.change_on_workbench(work, changes)).await;
        }
        let summary = self.tried(work).await?;
        Ok(self.note_residual(&summary))
    }

    async fn tried(&mut self, mut work: Work<'_>) -> Result<Summary, Failure> {
        let mut tries = 0;
        loop {
            tries += 1;
            let again = tries == 1 && work.plan.facts.retry && !self.is_in_transaction();
            match self.consistently(&work).await {
                // Rows of several shards are equal in a key that no server checks over all of them.
                Err(Failure::Statement(error)) if error.errno == DUPLICATE && !work.loose => {
                    work.loose = true;
                }
                // Connections that were idle may have died unseen; nothing was sent to the client.
                Err(Failure::Statement(error))
                    if again
                        && error.code != CHANGED
                        && error.fault == Fault::Unavailable
                        && self.running.interrupted().is_none() => {}
                outcome => return outcome,
            }
        }
    }

    /// In a transaction of its own where reads must be consistent.
    async fn consistently(&mut self, work: &Work<'_>) -> Result<Summary, Failure> {
        let gatherings = self.gatherings(work, Form::Text).await?;
        let held = self.held.groups();
        let is_own = self.begin_consistent(work.plan, &all_targets(&gatherings));
        let outcome = self.on_workbench(work, &gatherings).await;
        if is_own {
            self.end_own_read(&held, outcome.is_ok()).await?;
        }
        outcome
    }

    /// The column definitions of a statement that no one place can prepare: those of the residual
    /// statement over empty tables.
    pub(super) async fn describe_on_workbench(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        bench: &Workbench,
        binding: &Binding<'_>,
    ) -> Result<(u16, Vec<Vec<u8>>), Failure> {
        let manner = Manner { parameters: &[], arguments: None, binary: true, more: false };
        let deadline = self.deadline(&plan.facts, snapshot);
        let (loose, fresh, empty) = (false, true, true);
        let work = Work { snapshot, plan, bench, binding, manner, loose, deadline, fresh, empty };
        let gatherings = self.gatherings(&work, Form::Prepared).await?;
        let layout = self.layout(&work, &gatherings)?;
        let mut opened = self.make_tables(&work, &layout, &gatherings).await?;
        let mut names = layout.renamings(bench, &opened);
        names.extend(plan.shown_renamings());
        let mut text = Vec::new();
        let form = (Form::Prepared, None);
        plan.residual_text(bench, &layout.sources(bench), binding, form, &mut text)?;
        let state = self.residual_state(&opened);
        let prepared = async {
            opened.lent.enter(&state, Pipelining::Nothing).await?;
            opened.lent.prepare(&text, &text, true).await
        };
        let prepared = self.bench_step(work.deadline, prepared).await;
        self.running.end();
        self.clear_bench(opened, &text).await;
        let (prepared, definitions) = prepared.map_err(|failure| renamed(failure, &names))?;
        let definitions = definitions.iter().map(|definition| {
            let mut out = Vec::with_capacity(definition.len());
            Names(&names).column(Column::parse(definition)?).write(&mut out);
            Ok(out)
        });
        Ok((prepared.columns, definitions.collect::<Result<_>>()?))
    }

    /// Plans each gather as any client's statement.
    async fn gatherings<'w>(
        &mut self,
        work: &Work<'w>,
        form: Form,
    ) -> Result<Vec<Gathering<'w>>, Failure> {
        let mut gatherings = Vec::with_capacity(work.bench.references.len());
        for (index, reference) in work.bench.references.iter().enumerate() {
            if reference.copy_of.is_none() && reference.information.is_none() {
                let mut text = Vec::new();
                work.plan.gather_text(work.bench, index, None, work.binding, form, &mut text)?;
                gatherings.push(self.gathering(work.snapshot, index, reference, &text).await?);
            }
        }
        Ok(gatherings)
    }

    async fn gathering<'w>(
        &mut self,
        snapshot: &Arc<Snapshot>,
        index: usize,
        reference: &'w Reference,
        text: &[u8],
    ) -> Result<Gathering<'w>, Failure> {
        let mut lexed = Lexed::new();
        self.ctx.lexer.lex(text, &self.dialect, &mut lexed)?;
        let plan = self.plan(snapshot, text, &lexed).await?;
        let session = self.facts();
        let binding = Binding {
            sql: text,
            lexed: &lexed,
            dialect: self.dialect,
            parameters: &[],
            rules: &snapshot.rules,
            session: &session,
        };
        let within = match plan.by_index && lexed.params() == 0 {
            true => Box::pin(self.look_up(snapshot, &plan, &binding)).await?,
            false => Lookups::new(),
        };
        // Where it is only described or filled, one place stands for all.
        let asks = lexed.params() == 0 && !matches!(reference.task, Task::Fill { .. });
        let sample = if asks { None } else { plan.sample(&binding)? };
        let bound = match sample {
            Some(target) => Route::Forward(target),
            None => plan.bind_within(&binding, &within),
        };
        let targets = match bound {
            Route::Forward(target) => vec![target],
            Route::Scatter { targets, .. } => targets,
            Route::Refuse(error) => return Err(error.into()),
            _ => return Err(Error::internal("a gather that is no plain read").into()),
        };
        // Whoever changes a broadcast table locks its first copy first, and so is alone.
        let targets = match plan.copies().first() {
            Some((group, database)) if reference.task == Task::Change => {
                vec![Target::plain(*group, Some(database.clone()))]
            }
            _ => targets,
        };
        // Nothing is merged: each place gives its own first rows.
        let plain = |target: Target| Target {
            scattered: target.scattered && !reference.is_cut(),
            ..target
        };
        let targets: Vec<Target> = targets.into_iter().map(plain).collect();
        let manner = Manner::OWN;
        let parts = match lexed.params() {
            0 => self.parts(&plan, &targets, &binding, manner)?,
            // It is only described.
            _ => Vec::new(),
        };
        Ok(Gathering { index, reference, plan, targets, parts })
    }

    /// Where the statement runs: where most tables can be read as they are, then where most shards
    /// are. Inside of a transaction only its own connections see its rows: nothing is read directly.
    fn layout(&self, work: &Work<'_>, gatherings: &[Gathering<'_>]) -> Result<Layout> {
        // The workbench stands on a primary.
        let elsewhere = work.plan.facts.node == Some(NodeChoice::Replica);
        let may_direct = !self.is_in_transaction() && self.state.autocommit() && !elsewhere;
        let mut places: Vec<(GroupId, Arc<str>)> = Vec::new();
        for gathering in gatherings {
            let targets = gathering.targets.iter();
            let own = targets.filter_map(|target| Some((target.group, target.database.clone()?)));
            for place in gathering.plan.copies().iter().cloned().chain(own) {
                if !places.iter().any(|(group, _)| *group == place.0) {
                    places.push(place);
                }
            }
        }
        let score = |group: GroupId| {
            let direct =
                gatherings.iter().filter(|one| may_direct && one.directly(group).is_some());
            let shards = gatherings.iter().flat_map(|gathering| &gathering.targets);
            (direct.count(), shards.filter(|target| target.group == group).count())
        };
        let best = places.into_iter().rev().max_by_key(|(group, _)| score(*group));
        let (group, database) = best.ok_or_else(|| Error::internal("rows without a database"))?;
        let mut direct = vec![None; work.bench.references.len()];
        for gathering in gatherings.iter().filter(|_| may_direct) {
            if let Some(place) = direct.get_mut(gathering.index) {
                *place = gathering.directly(group);
            }
        }
        for (index, reference) in work.bench.references.iter().enumerate() {
            let of = reference.copy_of.and_then(|of| direct.get(of).cloned().flatten());
            if let (Some(of), Some(place)) = (of, direct.get_mut(index)) {
                *place = Some(of);
            }
        }
        let is_mysql = self.dialect.server == ServerKind::MySql;
        Ok(Layout { group, database, direct, is_mysql })
    }

    /// The workbench's connection with the temporary tables that are needed, empty.
    async fn make_tables(
        &mut self,
        work: &Work<'_>,
        layout: &Layout,
        gatherings: &[Gathering<'_>],
    ) -> Result<Bench, Failure> {
        let mut definitions = Vec::with_capacity(gatherings.len());
        let mut few = Vec::new();
        for gathering in gatherings {
            if layout.is_moved(gathering.index) {
                let asked = is_key_of_another(work.bench, gathering);
                let (definition, has_few) = self.definition(work, gathering, asked).await?;
                definitions.push(definition);
                few.extend(has_few.then_some(gathering.index));
            }
        }
        let place = (layout.group, &layout.database);
        let mut bench = self.open_bench(work.snapshot, place, work.deadline).await?;
        bench.few = few;
        for definition in &definitions {
            self.make_table(work.deadline, definition, &mut bench).await?;
        }
        let informed = work.bench.references.iter().any(|one| one.information.is_some());
        if informed && let Err(failure) = self.bring_informed(work, layout.group, &mut bench).await
        {
            bench.lent.condemn();
            return Err(failure);
        }
        for (index, reference) in work.bench.references.iter().enumerate() {
            let made = reference.information.is_some() && reference.copy_of.is_none();
            if made || !layout.is_moved(index) {
                continue;
            }
            if let Some(of) = reference.copy_of.and_then(|of| work.bench.references.get(of)) {
                let (to, from) = (&reference.temporary, &of.temporary);
                let made = format!("CREATE TEMPORARY TABLE `{to}` LIKE `{from}`");
                self.bench_step(work.deadline, bench.lent.simple(made.as_bytes())).await?;
            }
            bench.made.push(reference.temporary.clone());
        }
        Ok(bench)
    }

    /// The tables of information_schema that the statement reads.
    async fn bring_informed(
        &mut self,
        work: &Work<'_>,
        group: GroupId,
        bench: &mut Bench,
    ) -> Result<(), Failure> {
        let (sql, lexed) = (work.binding.sql, work.binding.lexed);
        let text = sql.get(..lexed.end()).unwrap_or(sql);
        let references = work.bench.references.iter();
        let asked: Vec<Asked> = references
            .filter(|one| one.copy_of.is_none())
            .filter_map(|one| {
                let at = one.information?;
                Some(Asked { table: &one.table, temporary: &one.temporary, at })
            })
            .collect();
        let what = (text, lexed, &*asked);
        let how = (group, !work.empty, work.deadline);
        Box::pin(self.bring_information(work.snapshot, bench, what, how)).await
    }

    async fn make_table(
        &mut self,
        deadline: Deadline,
        definition: &str,
        bench: &mut Bench,
    ) -> Result<(), Failure> {
        match self.bench_step(deadline, bench.lent.simple(definition.as_bytes())).await {
            Err(Failure::Statement(error)) if error.errno == NO_PRIMARY_KEY => {
                bench.loading.set_variable("sql_require_primary_key", Some(b"0"));
                let again = async {
                    bench.lent.enter(&bench.loading, Pipelining::Nothing).await?;
                    bench.lent.simple(definition.as_bytes()).await
                };
                self.bench_step(deadline, again).await.map(drop)
            }
            made => made.map(drop),
        }
    }

    async fn on_workbench(
        &mut self,
        work: &Work<'_>,
        gatherings: &[Gathering<'_>],
    ) -> Result<Summary, Failure> {
        let layout = self.layout(work, gatherings)?;
        let mut bench = self.make_tables(work, &layout, gatherings).await?;
        let due = gatherings.iter().filter(|one| layout.is_moved(one.index)).collect();
        let (known, moving) = (Known::of(work, &layout, &bench.few), self.moving(&work.plan.facts));
        self.fill_tables(work, &layout, (due, known), &mut bench, &moving).await?;
        let mut text = Vec::new();
        let form = if work.manner.arguments.is_some() { Form::Prepared } else { Form::Text };
        let sources = layout.sources(work.bench);
        let numbers = Numbers::default();
        let written = (form, Some(&numbers));
        work.plan.residual_text(work.bench, &sources, work.binding, written, &mut text)?;
        let given = work.manner.arguments;
        let own = given.map(|given| only(given, &numbers.take())).transpose()?.flatten();
        let arguments = own.as_ref().map(Own::arguments).or(work.manner.arguments);
        let manner = Manner { arguments, ..work.manner };
        let mut names = layout.renamings(work.bench, &bench);
        names.extend(work.plan.shown_renamings());
        let how = (work.plan, manner, work.deadline);
        self.residual(how, bench, &names, text).await
    }

    /// Brings the rows of the references that are `due` into their tables.
    async fn fill_tables(
        &mut self,
        work: &Work<'_>,
        layout: &Layout,
        (mut due, mut known): (Vec<&Gathering<'_>>, Known),
        bench: &mut Bench,
        moving: &Moving,
    ) -> Result<(), Failure> {
        while let Some(next) = known.next(&due) {
            let gathering = due.remove(next);
            let fewer = self.fewer(work, layout, &known, gathering, bench).await?;
            known.narrowed.extend(fewer.as_ref().map(|fewer| fewer.index));
            let gathering = fewer.as_ref().unwrap_or(gathering);
            self.gather(work, gathering, bench, moving).await?;
            known.rows.push(gathering.index);
        }
        for (index, reference) in work.bench.references.iter().enumerate() {
            let of = reference.copy_of.and_then(|of| work.bench.references.get(of));
            if let Some(of) = of.filter(|_| layout.is_moved(index)) {
                let copied = copied(reference, of);
                self.bench_step(work.deadline, bench.lent.simple(copied.as_bytes())).await?;
            }
        }
        Ok(())
    }

    /// The statement that makes a reference's temporary table; and, where that is `asked`, whether the
    /// table seems to have no more rows than keys may be asked for.
    async fn definition(
        &mut self,
        work: &Work<'_>,
        gathering: &Gathering<'_>,
        asked: bool,
    ) -> Result<(String, bool), Failure> {
        let snapshot = work.snapshot;
        let reference = gathering.reference;
        let unknown = || {
            Error::internal(format!("the definition of '{}' has no known shape", reference.table))
        };
        let target = gathering.targets.first().ok_or_else(unknown)?;
        let (database, table) = gathering.plan.first_table(target).ok_or_else(unknown)?;
        let quoted = |name: &str| name.replace('`', "``");
        let what = if reference.is_view { "FULL COLUMNS FROM" } else { "CREATE TABLE" };
        let question = format!("SHOW {what} `{}`.`{}`", quoted(database), quoted(table));
        let mut lent = self.lend(snapshot, target, Purpose::OWN).await?;
        let mut plain = self.state.in_database(target.database.as_ref());
        plain.set_charset(Charset::default());
        plain.set_variable("sql_mode", Some(b"''"));
        plain.set_variable("sql_quote_show_create", None);
        plain.set_variable("sql_select_limit", None);
        // A TIMESTAMP's default is told in it, and is made again in the bench's own.
        plain.set_variable("time_zone", Some(b"'+00:00'"));
        self.running.add(lent.kill_handle());
        // One shard stands for all: this only decides which table is gathered first.
        let many = FEW / gathering.targets.len().max(1);
        let (name, database) = (quoted(table), quoted(database));
        let row_behind = format!("SELECT 1 FROM `{database}`.`{name}` LIMIT {many}, 1");
        let asked = async {
            lent.enter(&plain, Pipelining::All).await?;
            let found = rows(&mut lent, question.as_bytes()).await?;
            let has_few = asked && rows(&mut lent, row_behind.as_bytes()).await?.rows.is_empty();
            Ok((found, has_few))
        };
        let found = self.bench_step(work.deadline, asked).await;
        self.running.end();
        self.settle(target.group, lent, snapshot).await;
        let names = gathering.plan.renamings(target);
        let (found, has_few) = found.map_err(|failure| renamed(failure, &names))?;
        if reference.is_view {
            let made = temporary::of_view(&found.rows, &reference.temporary);
            return Ok((made.ok_or_else(unknown)?, has_few));
        }
        let text = found.rows.into_iter().next().and_then(|row| row.into_iter().nth(1).flatten());
        let text = text.map(|text| String::from_utf8_lossy(&text).into_owned());
        let text = text.ok_or_else(unknown)?;
        if !work.fresh && reference.known.as_ref().is_some_and(|k| temporary::differs(&text, k)) {
            return Err(changed(&reference.table).into());
        }
        let made = temporary_table(reference, &text, work.loose).ok_or_else(unknown)?;
        Ok((made, has_few))
    }

    /// Brings a reference's rows into its temporary table.
    async fn gather(
        &mut self,
        work: &Work<'_>,
        gathering: &Gathering<'_>,
        bench: &mut Bench,
        moving: &Moving,
    ) -> Result<(), Failure> {
        let (snapshot, deadline) = (work.snapshot, work.deadline);
        let plan = &gathering.plan;
        let mut lents = self.gathered_from(snapshot, gathering).await?;
        let mut spares = self.spares(plan, &gathering.targets, &lents).await;
        let in_transaction = self.is_in_transaction();
        let terms = Terms {
            manner: Manner::OWN,
            pipelining: self.pipelining(plan),
            keep: in_transaction,
            clock: false,
            state: self.gathering_state(),
        };
        let running = self.running.clone();
        let ctx = self.ctx.clone();
        let (outcome, failed) = {
            let connections = (&mut lents, &mut spares);
            let mut lanes = self.lanes(connections, &gathering.parts, &gathering.targets, terms);
            for lane in &lanes {
                running.add(lane.connection.kill_handle());
            }
            let budget = &ctx.shared.budget;
            let reference = gathering.reference;
            let copies = work.bench.references.iter();
            let copies = copies.filter(|one| one.copy_of == Some(gathering.index)).count() as u64;
            let copies = copies + u64::from(reference.task == Task::Change);
            let outcome = {
                let work = pin!(load(
                    &mut self.stream,
                    &mut bench.lent,
                    &mut lanes,
                    (reference, 1 + copies),
                    moving,
                    budget
                ));
                watched(work, &self.registration, &running, deadline.left()).await
            };
            let failed = !matches!(outcome, Ok(Ok(())));
            if failed {
                settle(&mut lanes, true).await;
            }
            (outcome, failed)
        };
        running.end();
        running.add(bench.lent.kill_handle());
        if failed {
            self.kill_lents(&mut lents).await;
            bench.lent.condemn();
        }
        self.settle_all(snapshot, lents).await;
        for (_, spare) in spares {
            spare.finish().await;
        }
        match outcome {
            Ok(Ok(())) => Ok(()),
            Err(stop) => Err(Failure::Session(End::Stopped(stop))),
            Ok(Err(error)) if error.code == "client_gone" => {
                Err(Failure::Session(End::Error(error.fatal())))
            }
            Ok(Err(error)) => {
                let error = Error { fatal: false, ..running.explain(error) };
                self.follow_rollback(error.errno).await;
                Err(Failure::Statement(error))
            }
        }
    }

    async fn gathered_from(
        &mut self,
        snapshot: &Arc<Snapshot>,
        gathering: &Gathering<'_>,
    ) -> Result<Lents, Failure> {
        let (plan, targets) = (&gathering.plan, &gathering.targets);
        match targets.first().filter(|_| plan.reads_temporary()) {
            // It is on this connection whatever the transaction does: none is opened there for it.
            Some(target) => {
                let lent = self.lend(snapshot, target, Purpose::OWN).await?;
                Ok(std::iter::once((target.group, lent)).collect())
            }
            None => self.lend_all(snapshot, plan, targets).await,
        }
    }

    /// What shards are asked for rows in: the session's state, since conditions are read in it, but
    /// each text comes in its column's own character set, and all rows come.
    pub(super) fn gathering_state(&self) -> State {
        let mut state = self.state.clone();
        let charset = Charset { results: None, ..state.charset().clone() };
        state.set_charset(charset);
        state.set_variable("sql_select_limit", None);
        state
    }

    /// Runs the statement over what was gathered, and clears up.
    pub(super) async fn residual(
        &mut self,
        (plan, manner, deadline): (&Plan, Manner<'_>, Deadline),
        mut bench: Bench,
        names: &[Renaming],
        mut text: Vec<u8>,
    ) -> Result<Summary, Failure> {
        if plan.facts.looks_back {
            let (limits, values) = (self.ctx.lexer.limits(), self.remembered());
            if let Some(resolved) = look_back::resolve(&text, self.dialect, limits, &values)? {
                text = resolved;
            }
            self.last.begin();
        }
        if into::takes_row(plan) {
            return self.residual_into(plan, bench, names, &text, (manner, deadline)).await;
        }
        let state = self.residual_state(&bench);
        let key = self.handle_key(&text, manner.arguments.map_or(&[], |given| given.types));
        let lent = &mut bench.lent;
        let begun = async {
            lent.enter(&state, Pipelining::Nothing).await?;
            lent.begins(runs(&plan.facts));
            start(lent, &key, &text, manner).await
        };
        if let Err(failure) = self.bench_step(deadline, begun).await {
            self.running.end();
            if bench.lent.is_in_step() {
                self.clear_bench(bench, &key).await;
            }
            return Err(renamed(failure, names));
        }
        let lent = &mut bench.lent;
        let running = self.running.clone();
        let terms = PassTerms {
            client: self.capabilities,
            backend: lent.capabilities,
            names: Names(names),
            more: manner.more,
            local_infile: None,
            status: self.status(),
            hidden: StatusFlags::AUTOCOMMIT.with(StatusFlags::IN_TRANSACTION),
            binary: manner.binary,
            cursor: false,
            running: &running,
            insert_id: self.insert_id(&plan.facts),
        };
        let outcome = {
            let relay = pin!(pass::relay(&mut self.stream, &mut lent.stream, &terms));
            watched(relay, &self.registration, &running, deadline.left()).await
        };
        running.end();
        match outcome {
            Ok(Ok(summary)) => {
                let manner = (manner, plan.traits.calc_found_rows);
                self.answered(bench, names, &key, manner, summary).await
            }
            Ok(Err(Broken::BackendBefore(error))) => {
                lent.condemn();
                let error = running.explain(error);
                Err(Failure::Statement(Error { fatal: false, ..error }))
            }
            Ok(Err(broken)) => {
                stop_statement(lent).await;
                Err(Failure::Session(End::Error(broken.error().clone().fatal())))
            }
            Err(stop) => Err(Failure::Session(End::Stopped(stop))),
        }
    }

    /// The answer is through.
    async fn answered(
        &mut self,
        mut bench: Bench,
        names: &[Renaming],
        key: &[u8],
        (manner, calculates): (Manner<'_>, bool),
        summary: Summary,
    ) -> Result<Summary, Failure> {
        match &summary.error {
            Some(error) => bench.lent.ended_in_error(error),
            None => bench.lent.ended(summary.status),
        }
        bench.lent.note_tracked(&summary.session_state);
        if !manner.more {
            // What follows only tidies up: the client needn't wait for it.
            let flushed = self.stream.flush().await;
            flushed.map_err(|error| Failure::Session(End::Error(error)))?;
        }
        if summary.warnings > 0 && summary.error.is_none() {
            self.fetch_diagnostics(&mut bench.lent, names).await;
        }
        let mut summary = summary;
        if calculates && summary.error.is_none() {
            // The client has its answer: a failure only loses the count.
            let found =
                rows(&mut bench.lent, b"SELECT FOUND_ROWS() LIMIT 1").await.unwrap_or_default();
            let count = found.rows.first().and_then(|row| row.first()).and_then(Option::as_deref);
            let count = count.and_then(|count| std::str::from_utf8(count).ok()?.parse().ok());
            summary.rows = count.or(summary.rows);
        }
        self.take_unseen_of(&mut bench).await;
        self.clear_bench(bench, key).await;
        Ok(summary)
    }
}

/// A failure of a statement in the client's own names.
pub(in crate::session) fn renamed(failure: Failure, names: &[Renaming]) -> Failure {
    match failure {
        Failure::Statement(error) => Failure::Statement(Names(names).error(error)),
        session => session,
    }
}

/// The statement that makes a reference's temporary table, from that which makes the table itself.
fn temporary_table(reference: &Reference, created: &str, loose: bool) -> Option<String> {
    let name = &reference.temporary;
    match &reference.task {
        Task::Read => temporary::definition(created, name, loose, Some(&reference.columns)),
        Task::Fill { auto } => temporary::for_rows(created, name, auto.as_deref()),
        Task::Change => {
            let made = temporary::definition(created, name, loose, None)?;
            temporary::numbered(&made, &reference.row_column(), &reference.shard_column())
        }
    }
}

/// Sends the residual statement.
async fn start(lent: &mut Lent, key: &[u8], text: &[u8], manner: Manner<'_>) -> Result<()> {
    let mut payload = Vec::with_capacity(text.len() + 1);
    if manner.binary {
        let handle = prepared::handle(lent, key, text).await?;
        command::write_number(command::byte::STMT_EXECUTE, handle, &mut payload);
        payload.push(NO_CURSOR);
        // One execution, and no parameters.
        const BARE: &[u8] = &[1, 0, 0, 0];
        let arguments = manner.arguments.and_then(|given| given.bytes.get(1..));
        payload.extend_from_slice(arguments.unwrap_or(BARE));
    } else {
        command::write_text(command::byte::QUERY, text, &mut payload);
    }
    lent.send_command(&payload).await?;
    lent.flush().await?;
    lent.absorb().await
}

/// COM_STMT_EXECUTE's flags.
const NO_CURSOR: u8 = 0;
