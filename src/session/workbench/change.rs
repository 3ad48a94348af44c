//! Statements that change rows on the workbench.
//!
//! Owns: the transaction around one, the client's own statement over temporary tables, its undoing
//! and its answer. Never: compares rows, or writes them back itself ([`super::back`] does).
//!
//! Everything is in one transaction: what is read is locked in it, and what changed is written in
//! it. The workbench's own connection is outside of it: its tables are nobody's rows.

use std::pin::pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use smallvec::SmallVec;

use super::back::{Back, Step};
use super::bench::{Bench, Deadline};
use super::layout::Known;
use super::{DUPLICATE, Gathering, Work, start};
use crate::backend::answer::{Answer, OkInfo};
use crate::backend::connection::{Pipelining, Runs};
use crate::backend::pool::Lent;
use crate::backend::state::Charset;
use crate::error::{Error, Fault, Result};
use crate::executor::info;
use crate::executor::rename::Names;
use crate::executor::workbench::Moving;
use crate::name::GroupId;
use crate::planner::plan::{Facts, Renaming, Target};
use crate::planner::splice::{Form, Numbers};
use crate::planner::workbench::change::{Change, Changed, Changes};
use crate::planner::workbench::{Reference, Task};
use crate::protocol::ok::{OkHeader, OkPacket};
use crate::protocol::status::StatusFlags;
use crate::session::arguments::{Own, only};
use crate::session::forward::{Failure, watched};
use crate::session::learn::runs;
use crate::session::lend::Purpose;
use crate::session::own::rows;
use crate::session::query::{Manner, Outcome};
use crate::session::scatter::Lents;
use crate::session::{End, Session, look_back};
use crate::sql::lex::ServerKind;
use crate::transaction::open::OwnAccess;

/// What a statement goes back to within its transaction.
pub(in crate::session) const SAVEPOINT: &[u8] = b"SAVEPOINT weir_change";
const BACK: &[u8] = b"ROLLBACK TO SAVEPOINT weir_change";

/// What the client is told.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub affected_rows: u64,
    /// What the packet shows, and what LAST_INSERT_ID() becomes (0: stays).
    pub insert_id: (u64, u64),
    pub warnings: u16,
    pub info: Vec<u8>,
}

/// One statement that changes rows.
#[derive(Clone, Copy)]
pub(super) struct Changing<'w> {
    pub work: Work<'w>,
    pub changes: &'w Changes,
    /// The transaction is Weir's own, around this statement.
    pub own: bool,
    /// The moment that the statement's clock stands at.
    pub now: Duration,
}

impl Session {
    /// Runs the statement over what its tables hold, and brings back what it changed.
    pub(super) async fn change_on_workbench(
        &mut self,
        work: Work<'_>,
        changes: &Changes,
    ) -> Result<Outcome, Failure> {
        let manner = work.manner;
        let of_session = !self.is_in_transaction() && self.state.read_only();
        if of_session || self.transaction.refuses_writes() {
            return Err(read_only(self.dialect.server).into());
        }
        let held = self.held.groups();
        let own = self.begin_change();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let changing = Changing { work, changes, own, now };
        let mut back = Back::default();
        let changed = match self.changed(&changing, &mut back).await {
            Ok((told, bench)) if own => match self.end_transaction(b"COMMIT").await {
                Ok(()) => Ok((told, bench)),
                Err(error) => Err(error.into()),
            },
            changed => changed,
        };
        let (told, bench) = match changed {
            Ok(changed) => changed,
            Err(Failure::Statement(error)) => {
                let error = self.running.explain(error);
                self.undo_change(&back.marked, own.then_some(&*held), &error).await;
                return Err(Failure::Statement(Error { fatal: false, ..error }));
            }
            Err(failure) => return Err(failure),
        };
        self.tell(&told, manner.more);
        if !manner.more {
            // What follows only tidies up: the client needn't wait for it.
            let flushed = self.stream.flush().await;
            flushed.map_err(|error| Failure::Session(End::Error(error)))?;
        }
        self.clear_bench(bench, b"").await;
        Ok(Outcome::Good)
    }

    /// True where the transaction is Weir's own.
    pub(in crate::session) fn begin_change(&mut self) -> bool {
        if self.is_in_transaction() {
            return false;
        }
        if self.state.autocommit() {
            self.transaction.begin_own(OwnAccess::Write);
            return true;
        }
        self.make_consistent();
        self.transaction.begin_implicitly(true, self.state.read_only());
        false
    }

    /// MySQL takes no temporary table in a branch of XA: the group of one is touched first, where none
    /// is yet.
    async fn anchor_at_temporary(
        &mut self,
        work: &Work<'_>,
        gatherings: &[Gathering<'_>],
    ) -> Result<(), Failure> {
        let written = |one: &&Gathering<'_>| one.reference.task != Task::Read;
        let temporary = gatherings.iter().filter(written).find(|one| one.plan.reads_temporary());
        let target = temporary.and_then(|one| one.targets.first());
        let Some(target) = target.filter(|_| self.transaction.group().is_none()) else {
            return Ok(());
        };
        let purpose = Purpose { transactional: true, writes: true, ..Purpose::OWN };
        let lent = self.lend(work.snapshot, target, purpose).await?;
        self.settle(target.group, lent, work.snapshot).await;
        Ok(())
    }

    async fn changed(
        &mut self,
        changing: &Changing<'_>,
        back: &mut Back,
    ) -> Result<(Told, Bench), Failure> {
        let work = &changing.work;
        let gatherings = self.gatherings(work, Form::Text).await?;
        self.refuse_referenced(changing, &gatherings).await?;
        self.anchor_at_temporary(work, &gatherings).await?;
        let moving = self.moving(&work.plan.facts);
        let (mut bench, names) = match self.held_rows(work, &gatherings, &moving).await {
            // Rows of several shards are equal in a key that no server checks over all of them.
            Err(Failure::Statement(error)) if error.errno == DUPLICATE => {
                let work = Work { loose: true, ..*work };
                let moving = self.moving(&work.plan.facts);
                self.held_rows(&work, &gatherings, &moving).await?
            }
            held => held?,
        };
        let told = self.changed_there(changing, back, &mut bench, (&names, &moving)).await;
        match told {
            Ok(told) => Ok((told, bench)),
            Err(failure) => {
                if bench.lent.is_in_step() {
                    self.clear_bench(bench, b"").await;
                }
                Err(failure)
            }
        }
    }

    pub(super) fn moving(&self, facts: &Facts) -> Moving {
        let bounds = self.bounds(facts);
        let most = |bound: Option<u64>| bound.unwrap_or(u64::MAX);
        Moving::new(most(bounds.workbench_rows), most(bounds.workbench_bytes))
    }

    /// A row that moves is removed and inserted again, and what refers to it by a foreign key would
    /// see it go.
    async fn refuse_referenced(
        &mut self,
        changing: &Changing<'_>,
        gatherings: &[Gathering<'_>],
    ) -> Result<(), Failure> {
        let moves =
            |target: &&Changed| matches!(&target.change, Change::Update(update) if update.moves);
        for target in changing.changes.targets.iter().filter(moves) {
            let gathering = gatherings.iter().find(|one| one.index == target.reference);
            let Some(gathering) = gathering else { continue };
            let mut referred = false;
            for place in &gathering.targets {
                referred = referred || self.is_referred(changing, gathering, place).await?;
            }
            if referred {
                return Err(Error::refused(
                    "write_referenced",
                    format!(
                        "Rows of table '{}' would be removed and inserted with other keys, and foreign \
                         keys that refer to them would act on that: narrow the statement to one shard \
                         by the shard key without changing it, or change the rows that refer first",
                        gathering.reference.table,
                    ),
                )
                .into());
            }
        }
        Ok(())
    }

    /// Whether a foreign key of any database on its server refers to a physical table.
    async fn is_referred(
        &mut self,
        changing: &Changing<'_>,
        gathering: &Gathering<'_>,
        place: &Target,
    ) -> Result<bool, Failure> {
        let Some((database, table)) = gathering.plan.first_table(place) else { return Ok(false) };
        let literal = |name: &str| format!("'{}'", name.replace('\'', "''"));
        let question = format!(
            "SELECT 1 FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE \
             UNIQUE_CONSTRAINT_SCHEMA = {} AND REFERENCED_TABLE_NAME = {} LIMIT 1",
            literal(database),
            literal(table),
        );
        let snapshot = changing.work.snapshot;
        let mut lent = self.lend(snapshot, place, Purpose::OWN).await?;
        let mut plain = self.state.in_database(place.database.as_ref());
        plain.set_charset(Charset::default());
        plain.set_variable("sql_mode", Some(b"'NO_BACKSLASH_ESCAPES'"));
        self.running.add(lent.kill_handle());
        let asked = async {
            lent.enter(&plain, Pipelining::All).await?;
            rows(&mut lent, question.as_bytes()).await
        };
        let found = self.bench_step(changing.work.deadline, asked).await;
        self.running.end();
        self.settle(place.group, lent, snapshot).await;
        Ok(!found?.rows.is_empty())
    }

    /// The workbench with the rows that the statement needs.
    async fn held_rows(
        &mut self,
        work: &Work<'_>,
        gatherings: &[Gathering<'_>],
        moving: &Moving,
    ) -> Result<(Bench, Vec<Renaming>), Failure> {
        let layout = self.layout(work, gatherings)?;
        let mut bench = self.make_tables(work, &layout, gatherings).await?;
        let due = gatherings.iter().filter(|one| !matches!(one.reference.task, Task::Fill { .. }));
        let known = Known::of(work, &layout, &bench.few);
        self.fill_tables(work, &layout, (due.collect(), known), &mut bench, moving).await?;
        let changed = work.bench.references.iter().filter(|one| one.task == Task::Change);
        for reference in changed {
            self.keep_former(work.deadline, &mut bench, reference).await?;
        }
        let names = layout.renamings(work.bench, &bench);
        Ok((bench, names))
    }

    async fn changed_there(
        &mut self,
        changing: &Changing<'_>,
        back: &mut Back,
        bench: &mut Bench,
        (names, moving): (&[Renaming], &Moving),
    ) -> Result<Told, Failure> {
        let work = &changing.work;
        let mut text = Vec::new();
        let sources: Vec<String> = work.bench.references.iter().map(Reference::quoted).collect();
        let (given, numbers) = (work.manner.arguments, Numbers::default());
        let form = if given.is_some() { Form::Prepared } else { Form::Text };
        let written = (form, Some(&numbers));
        work.plan.residual_text(work.bench, &sources, work.binding, written, &mut text)?;
        let own = match given {
            Some(given) => only(given, &numbers.take())?,
            None => None,
        };
        let arguments = own.as_ref().map(Own::arguments).or(given);
        let manner = Manner { arguments, binary: given.is_some(), ..work.manner };
        if work.plan.facts.looks_back {
            let (limits, values) = (self.ctx.lexer.limits(), self.remembered());
            if let Some(resolved) = look_back::resolve(&text, self.dialect, limits, &values)? {
                text = resolved;
            }
            self.last.begin();
        }
        let done = self.on_bench(changing, bench, names, (&text, manner)).await?;
        for (target, step, question) in steps(changing.changes, &work.bench.references) {
            let Some(reference) = work.bench.references.get(target.reference) else { continue };
            self.bring_back(changing, back, bench, (target, reference), step, &question, moving)
                .await?;
        }
        Ok(back.told(changing, done, self.capabilities))
    }

    /// The client's statement over the temporary tables.
    async fn on_bench(
        &mut self,
        changing: &Changing<'_>,
        bench: &mut Bench,
        names: &[Renaming],
        (text, manner): (&[u8], Manner<'_>),
    ) -> Result<OkInfo, Failure> {
        let state = self.residual_state(bench).at(changing.now);
        bench.lent.enter(&state, Pipelining::Nothing).await?;
        let key = self.handle_key(text, manner.arguments.map_or(&[], |given| given.types));
        let running = self.running.clone();
        let limit = changing.work.deadline.left();
        bench.lent.begins(runs(&changing.work.plan.facts));
        let outcome = {
            let asked = pin!(done(&mut bench.lent, &key, text, manner));
            watched(asked, &self.registration, &running, limit).await
        };
        bench.lent.unprepare(&key);
        let info = match outcome {
            Ok(Ok(info)) => info,
            Ok(Err(error)) => {
                self.take_unseen_of(bench).await;
                return Err(Names(names).error(running.explain(error)).into());
            }
            Err(stop) => {
                bench.lent.condemn();
                return Err(Failure::Session(End::Stopped(stop)));
            }
        };
        if info.warnings > 0 {
            self.fetch_diagnostics(&mut bench.lent, names).await;
        }
        // Before the next question: the connection's time zone may not be the session's any more.
        self.take_unseen_of(bench).await;
        Ok(info)
    }

    /// Takes back what was written. `own` has the groups that the session held before Weir's own
    /// transaction began.
    pub(in crate::session) async fn undo_change(
        &mut self,
        marked: &[GroupId],
        own: Option<&[GroupId]>,
        error: &Error,
    ) {
        if let Some(held) = own {
            if self.is_in_transaction() {
                self.abandon_own(held).await;
            }
            return;
        }
        if self.undoes_all(error.errno) {
            return self.follow_rollback(error.errno).await;
        }
        let snapshot = self.snapshot();
        for group in marked {
            let Some(mut lent) = self.held.take(*group) else { continue };
            let undone = match lent.outlive_kill().await {
                Ok(()) => lent.simple(BACK).await.map(drop),
                Err(error) => Err(error),
            };
            if undone.is_err() {
                // Its server rolls all of it back, and the session hears of that.
                lent.condemn();
            }
            self.settle(*group, lent, &snapshot).await;
        }
    }

    /// Keeps the rows of a reference that may be changed as they are now.
    async fn keep_former(
        &mut self,
        deadline: Deadline,
        bench: &mut Bench,
        reference: &Reference,
    ) -> Result<(), Failure> {
        let (now, before) = (reference.quoted(), reference.before());
        let created = format!("CREATE TEMPORARY TABLE `{before}` LIKE {now}");
        self.bench_step(deadline, bench.lent.simple(created.as_bytes())).await?;
        bench.made.push(before.clone());
        let hidden = [reference.row_column(), reference.shard_column()];
        let names: Vec<String> = reference
            .columns
            .iter()
            .map(|column| &*column.name)
            .chain(hidden.iter().map(String::as_str))
            .map(|name| format!("`{}`", name.replace('`', "``")))
            .collect();
        let names = names.join(", ");
        let filled = format!("INSERT INTO `{before}` ({names}) SELECT {names} FROM {now}");
        self.bench_step(deadline, bench.lent.simple(filled.as_bytes())).await.map(drop)
    }

    fn tell(&mut self, told: &Told, more: bool) {
        if told.insert_id.1 != 0 {
            self.last.insert_id = told.insert_id.1;
        }
        self.last.row_count = i64::try_from(told.affected_rows).unwrap_or(i64::MAX);
        self.last.warnings = told.warnings;
        self.last.told = info::first(&told.info);
        let mut status = self.status();
        if more {
            status = status.with(StatusFlags::MORE_RESULTS);
        }
        let ok = OkPacket {
            affected_rows: told.affected_rows,
            last_insert_id: told.insert_id.0,
            status,
            warnings: told.warnings,
            info: &told.info,
            ..OkPacket::default()
        };
        self.stream.write_with(|out| ok.write(OkHeader::Plain, self.capabilities, out));
    }
}

/// Sends a statement that gives no rows.
pub(super) async fn done(
    lent: &mut Lent,
    key: &[u8],
    text: &[u8],
    manner: Manner<'_>,
) -> Result<OkInfo> {
    start(lent, key, text, manner).await?;
    match lent.answer().await? {
        Answer::Ok(info) => {
            if lent.runs() != Runs::Plain {
                lent.note_tracked(&info.session_state);
            }
            Ok(info)
        }
        Answer::Err(error) => Err(error),
        Answer::ResultSet { .. } | Answer::LocalInfile(_) => {
            lent.condemn();
            Err(Error::unavailable("workbench_lost", "rows where OK was due"))
        }
    }
}

/// What is asked of the workbench and written, in this order: no row stands in the way of another.
fn steps<'c>(changes: &'c Changes, references: &[Reference]) -> Vec<(&'c Changed, Step, String)> {
    let (mut gone, mut changed, mut come) = (vec![], vec![], vec![]);
    for target in &changes.targets {
        let Some(reference) = references.get(target.reference) else { continue };
        match &target.change {
            Change::Entry(_) => {}
            Change::Insert(_) => come.push((target, Step::Insert, target.rows_text(reference))),
            Change::Delete(_) => gone.push((target, Step::Delete, target.gone_text(reference))),
            Change::Update(update) => {
                let text = |former| target.differing_text(reference, &update.set, former);
                if update.moves {
                    gone.push((target, Step::Delete, text(true)));
                    come.push((target, Step::Insert, text(false)));
                } else {
                    changed.push((target, Step::Update, text(false)));
                }
            }
        }
        for entry in &target.entries {
            let lookup = &entry.lookup;
            let Change::Entry(keeping) = &lookup.change else { continue };
            let text = |former| lookup.differing_text(reference, &keeping.key, former);
            match &target.change {
                // Those of new rows are made with the rows, which may get their ids then.
                Change::Insert(_) | Change::Entry(_) => {}
                Change::Delete(_) => gone.push((lookup, Step::Delete, lookup.gone_text(reference))),
                Change::Update(_) => {
                    gone.push((lookup, Step::Delete, text(true)));
                    come.push((lookup, Step::Insert, text(false)));
                }
            }
        }
    }
    gone.append(&mut changed);
    gone.append(&mut come);
    gone
}

/// What a server says of a write in START TRANSACTION READ ONLY.
pub(in crate::session) fn read_only(server: ServerKind) -> Error {
    let dot = if server == ServerKind::MySql { "." } else { "" };
    let text = format!("Cannot execute statement in a READ ONLY transaction{dot}");
    Error::new(Fault::Client, 1792, b"25006", "", text)
}

/// Sets what the statement goes back to, where it hasn't been yet.
pub(in crate::session) async fn mark(
    lents: &mut Lents,
    marked: &mut SmallVec<[GroupId; 2]>,
) -> Result<()> {
    for (group, lent) in lents {
        if !marked.contains(group) {
            lent.send_lead().await?;
            lent.simple(SAVEPOINT).await?;
            marked.push(*group);
        }
    }
    Ok(())
}
