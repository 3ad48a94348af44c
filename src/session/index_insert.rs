//! INSERTs of values into a table with indexes: the rows, then their entries, or neither.
//!
//! Owns: the order of the two and their undoing. Never: makes an entry (the planner does).

use std::pin::pin;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::context::Snapshot;
use crate::error::{Error, Result};
use crate::executor::write::{self as writing, Bracket, WriteTerms, Written};
use crate::name::GroupId;
use crate::planner::Plan;
use crate::planner::bind::Binding;
use crate::planner::insert::entries::EntryPart;
use crate::planner::plan::{Renaming, Route, Target, WriteKind};
use crate::session::forward::{Failure, watched};
use crate::session::last::Diagnostic;
use crate::session::query::{Manner, Outcome};
use crate::session::scatter::{Lents, Prepared, Terms, id_of_last_row, is_whole, noted};
use crate::session::several::rolls_back;
use crate::session::workbench::change::mark;
use crate::session::{End, Session};

/// One INSERT under way.
struct Inserting<'a> {
    snapshot: &'a Arc<Snapshot>,
    plan: &'a Plan,
    /// The transaction is Weir's own.
    own: bool,
    /// Groups that have a savepoint to go back to.
    marked: SmallVec<[GroupId; 2]>,
}

impl Session {
    /// Inserts rows where `route` leads, and their entries.
    pub(super) async fn insert_with_entries(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        route: Route<'_>,
        binding: &Binding<'_>,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        let targets = match route {
            Route::Forward(target) => vec![target],
            Route::Write { targets, .. } => targets,
            _ => return Err(Error::internal("rows without a place").into()),
        };
        let entries = match (plan.entries(binding), plan.spare_bench()) {
            (Err(error), Some(bench)) if error.code == "insert_key" => {
                return Box::pin(self.workbench(snapshot, plan, bench, binding, manner)).await;
            }
            (entries, _) => entries?,
        };
        if plan.facts.looks_back {
            self.last.begin();
        }
        let held = self.held.groups();
        let own = self.begin_change();
        let mut inserting = Inserting { snapshot, plan, own, marked: SmallVec::new() };
        let inserted =
            self.rows_and_entries(&mut inserting, &targets, entries, binding, manner).await;
        let inserted = match inserted {
            Ok(inserted) if own => match self.end_transaction(b"COMMIT").await {
                Ok(()) => Ok(inserted),
                Err(error) => Err(error.into()),
            },
            inserted => inserted,
        };
        match inserted {
            Ok((written, told)) => {
                self.last.diagnostics.extend(told);
                self.reply_written(&written, &plan.facts, manner.more);
                Ok(Outcome::Good)
            }
            Err(Failure::Statement(error)) => {
                let error = self.running.explain(error);
                self.undo_change(&inserting.marked, own.then_some(&*held), &error).await;
                Err(Failure::Statement(Error { fatal: false, ..error }))
            }
            Err(failure) => Err(failure),
        }
    }

    async fn rows_and_entries(
        &mut self,
        inserting: &mut Inserting<'_>,
        targets: &[Target],
        entries: Vec<EntryPart>,
        binding: &Binding<'_>,
        manner: Manner<'_>,
    ) -> Result<(Written, Vec<Diagnostic>), Failure> {
        let plan = inserting.plan;
        let manner = Manner { binary: is_whole(plan, targets, manner), ..manner };
        let parts = self.parts(plan, targets, binding, manner)?;
        let (mut written, told) = self.write_marked(inserting, targets, &parts, manner).await?;
        written.last_insert_id = id_of_last_row(&written, targets);
        let (mut places, mut texts) = (Vec::new(), Vec::new());
        let mut placed = Vec::with_capacity(entries.len());
        for part in entries {
            let shard = part.rule.table.shard(part.shard).cloned();
            placed.push((shard.ok_or_else(|| Error::internal("an entry without a shard"))?, part));
        }
        placed.sort_by_key(|(shard, _)| shard.group);
        for (place, (shard, part)) in placed.into_iter().enumerate() {
            // Errors name the table that the client knows.
            let names = plan.table_names().next().map(|(schema, table)| Renaming {
                physical_database: shard.database.clone(),
                physical_table: shard.table.clone(),
                schema: crate::name::SchemaName::new(schema),
                table: crate::name::TableName::new(table),
                in_rows: false,
                view: None,
            });
            let names = names.into_iter().collect();
            texts.push(Prepared::plain(shard.group, place, part.text, names));
            let mut target = Target::plain(shard.group, Some(shard.database));
            target.shard = Some(part.shard);
            places.push(target);
        }
        if !places.is_empty() {
            let manner = Manner::OWN;
            self.write_marked(inserting, &places, &texts, manner).await?;
        }
        Ok((written, told))
    }

    /// Writes parts of the statement that go with others, or not at all.
    async fn write_marked(
        &mut self,
        inserting: &mut Inserting<'_>,
        targets: &[Target],
        parts: &[Prepared],
        manner: Manner<'_>,
    ) -> Result<(Written, Vec<Diagnostic>), Failure> {
        let (snapshot, plan) = (inserting.snapshot, inserting.plan);
        let mut lents = self.lend_all(snapshot, plan, targets).await?;
        if !inserting.own
            && let Err(error) = mark(&mut lents, &mut inserting.marked).await
        {
            self.settle_all(snapshot, lents).await;
            return Err(error.into());
        }
        let running = self.running.clone();
        let kind = WriteKind::Split;
        let terms = WriteTerms { kind, bracket: Bracket::None, running: &running, returned: None };
        let mut spares = Lents::new();
        let pipelining = self.pipelining(plan);
        let (clock, state) = (parts.len() > 1, self.state.clone());
        let terms_of = Terms { manner, pipelining, keep: true, clock, state };
        let mut lanes = self.lanes((&mut lents, &mut spares), parts, targets, terms_of);
        let limit = self.limit(&plan.facts, snapshot, targets.iter().map(|target| target.group));
        let outcome = {
            let work = pin!(writing::write(&mut lanes, &terms));
            watched(work, &self.registration, &running, limit).await
        };
        let told = noted(lanes);
        running.end();
        match outcome {
            Ok(Ok(written)) => {
                self.settle_all(snapshot, lents).await;
                Ok((written, told))
            }
            Ok(Err(refused)) => {
                if refused.transaction_lost && !rolls_back(refused.error.errno) {
                    for (_, lent) in &mut lents {
                        lent.condemn();
                    }
                }
                self.settle_all(snapshot, lents).await;
                Err(Failure::Statement(Error { fatal: false, ..refused.error }))
            }
            Err(stop) => {
                self.kill_lents(&mut lents).await;
                self.settle_all(snapshot, lents).await;
                Err(Failure::Session(End::Stopped(stop)))
            }
        }
    }
}
