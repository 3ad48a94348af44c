//! Statements that an index leads to their shards.
//!
//! Owns: asking the index, and the transaction around a write that it leads to its rows. Never: keeps
//! an index: entries go with the rows that they are made from.
//!
//! A write, and a read that locks, holds the entries that it found until its transaction ends: no
//! row can leave its shard meanwhile. A plain read looks twice without holding anything, as a read
//! of several shards does: a row that moves between the two looks may be missed, unless reads are
//! consistent. Where the two looks could be of different snapshots, all shards are asked instead: in a
//! transaction above READ COMMITTED, and for values that lie in several shards of the index.

use std::sync::Arc;
use std::time::Instant;

use super::workbench::bench::Deadline;
use crate::backend::choose::Role;
use crate::backend::connection::Pipelining;
use crate::backend::counters::Pin;
use crate::backend::state::Isolation;
use crate::context::Snapshot;
use crate::error::{Error, Result};
use crate::executor::write_back::shard_of_keys;
use crate::observe::metrics::Route as RouteLabel;
use crate::planner::Plan;
use crate::planner::bind::Binding;
use crate::planner::lookup::{Lookup, Within};
use crate::planner::plan::{Access, Rendered, Route, Target, WriteKind};
use crate::planner::splice::Form;
use crate::rules::shard_set::ShardSet;
use crate::session::Session;
use crate::session::forward::Failure;
use crate::session::lend::Purpose;
use crate::session::own::rows;
use crate::session::query::{Manner, Outcome};
use crate::sql::template::Lexed;

/// How the entries that are found are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    No,
    Shared,
    Alone,
}

impl Hold {
    fn of(plan: &Plan, binding: &Binding<'_>) -> Hold {
        match plan.facts.access {
            Access::Write | Access::Definition => Hold::Alone,
            _ if !plan.traits.locking_read => Hold::No,
            _ if names(binding, &["SHARE"]) => Hold::Shared,
            _ => Hold::Alone,
        }
    }

    /// What stands at the question's end.
    fn tail(self) -> String {
        let lock = match self {
            Hold::No => "",
            Hold::Shared => " LOCK IN SHARE MODE",
            Hold::Alone => " FOR UPDATE",
        };
        format!(" LIMIT {}{lock}", ROWS + 1)
    }
}

/// Whether the statement's text has one of these words.
fn names(binding: &Binding<'_>, words: &[&str]) -> bool {
    let mut all = binding.lexed.template().split(|byte| !byte.is_ascii_alphabetic());
    all.any(|one| words.iter().any(|word| one.eq_ignore_ascii_case(word.as_bytes())))
}

/// What an index made of a statement.
pub(super) enum Led {
    /// It is answered.
    Done(Outcome),
    /// It goes on, to these shards.
    Within(Within),
}

impl Session {
    /// What becomes of a statement whose conditions lead to an index.
    pub(super) async fn led(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Arc<Plan>,
        binding: &Binding<'_>,
        manner: Manner<'_>,
        started: Instant,
    ) -> Result<Led, Failure> {
        // The index is asked in the statement's transaction.
        self.allow_groups(plan)?;
        if self.is_alone(plan) && !plan.lookups(binding).is_empty() {
            return self.led_write(snapshot, plan, binding, manner, started).await.map(Led::Done);
        }
        if self.is_led_alone(plan, binding) {
            let (sql, lexed) = (binding.sql, binding.lexed);
            return self.led_read(plan, sql, lexed, manner).await.map(Led::Done);
        }
        self.look_up(snapshot, plan, binding).await.map(Led::Within)
    }

    /// What indexes say of the shards that a statement concerns; nothing where its conditions leave
    /// one shard already.
    pub(super) async fn look_up(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        binding: &Binding<'_>,
    ) -> Result<Within, Failure> {
        let mut within = Within::new();
        if self.must_learn(plan) {
            Box::pin(self.learn(binding, None)).await?;
        }
        // Locked tables are all that a session may ask for.
        if self.held.pinned_by(&[Pin::TableLock]) {
            return Ok(within);
        }
        // Entries would be waited for, or not be skipped.
        if plan.traits.locking_read && names(binding, &["NOWAIT", "SKIP"]) {
            return Ok(within);
        }
        let deadline = self.deadline(&plan.facts, snapshot);
        for (place, lookup) in plan.lookups(binding) {
            let asked = self.ask_index(snapshot, plan, lookup, binding, deadline).await;
            match asked {
                Ok(Some(set)) => within.push((place, set)),
                Ok(None) => {}
                Err(Failure::Statement(error)) => {
                    self.follow_rollback(error.errno).await;
                    return Err(Failure::Statement(error));
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(within)
    }

    /// The shards of the rows that an index has for the statement's values; `None` where asking all of
    /// the index would be no better than asking all shards.
    async fn ask_index(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        lookup: &Lookup,
        binding: &Binding<'_>,
        deadline: Deadline,
    ) -> Result<Option<ShardSet>, Failure> {
        let bare = !self.is_in_transaction() && self.state.autocommit();
        let hold = if bare { Hold::No } else { Hold::of(plan, binding) };
        let looks_anew = matches!(
            self.state.isolation(),
            Some(Isolation::ReadCommitted | Isolation::ReadUncommitted)
        );
        if hold == Hold::No && !bare && !looks_anew {
            return Ok(None);
        }
        let mut text = Vec::new();
        plan.lookup_text(lookup, &hold.tail(), binding, Form::Text, &mut text)?;
        let mut lexed = Lexed::new();
        self.ctx.lexer.lex(&text, &self.dialect, &mut lexed)?;
        let asking = self.plan(snapshot, &text, &lexed).await?;
        let binding = Binding { sql: &text, lexed: &lexed, parameters: &[], ..*binding };
        let count = lookup.rule.table.count() as usize;
        let targets = match asking.bind(&binding) {
            Route::Forward(target) => vec![target],
            Route::Scatter { targets, .. } if targets.len() < count => targets,
            _ => return Ok(None),
        };
        if hold == Hold::No && targets.len() > 1 {
            return Ok(None);
        }
        let mut set = ShardSet::none(lookup.table.count());
        for target in targets {
            let target = Target { scattered: false, ..target };
            let mut part = Vec::new();
            let part = match asking.render(&target, &binding, Form::Text, &mut part)? {
                Rendered::AsIs => &text,
                Rendered::Written => &part,
            };
            let rows = self.entries(snapshot, &target, part, (bare, deadline)).await?;
            if rows.len() > ROWS {
                return Ok(None);
            }
            for row in rows {
                let values: Vec<Option<&[u8]>> = row.iter().map(Option::as_deref).collect();
                let shard =
                    shard_of_keys(&lookup.keys, &lookup.table, &values, self.stored_context())?;
                set.insert(shard);
            }
        }
        Ok(Some(set))
    }

    /// The rows of an index in one of its shards.
    async fn entries(
        &mut self,
        snapshot: &Arc<Snapshot>,
        target: &Target,
        text: &[u8],
        (bare, deadline): (bool, Deadline),
    ) -> Result<Vec<Vec<Option<Vec<u8>>>>, Failure> {
        let role = if self.transaction.may_use_replica() { Role::Replica } else { Role::Primary };
        let purpose = Purpose {
            role,
            pipelining: Pipelining::All,
            transactional: !bare,
            writes: false,
            stale: false,
        };
        let mut lent = self.lend(snapshot, target, purpose).await?;
        let state = self.gathering_state().in_database(target.database.as_ref());
        self.running.add(lent.kill_handle());
        let asked = async {
            lent.enter(&state, Pipelining::All).await?;
            lent.send_lead().await?;
            Ok(rows(&mut lent, text).await?.rows)
        };
        let found = self.bench_step(deadline, asked).await;
        self.running.end();
        self.settle(target.group, lent, snapshot).await;
        found
    }

    /// Whether a statement is a write that would commit by itself.
    pub(super) fn is_alone(&self, plan: &Plan) -> bool {
        plan.facts.access == Access::Write && !self.is_in_transaction() && self.state.autocommit()
    }

    /// Whether a statement is a read in autocommit that must not miss a row which moves meanwhile.
    pub(super) fn is_led_alone(&self, plan: &Plan, binding: &Binding<'_>) -> bool {
        let bare = !self.is_in_transaction() && self.state.autocommit();
        bare && plan.facts.access != Access::Write
            && self.wants_consistent(plan)
            && !plan.lookups(binding).is_empty()
    }

    /// A read that holds what it finds, in a transaction of Weir's own.
    pub(super) async fn led_read(
        &mut self,
        plan: &Plan,
        sql: &[u8],
        lexed: &Lexed,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        let held = self.held.groups();
        self.allow_groups(plan)?;
        self.begin_consistent_read();
        let outcome = self.statement(sql, lexed, manner).await;
        self.end_own_read(&held, matches!(outcome, Ok(Outcome::Good))).await?;
        outcome
    }

    /// [`Self::write_by_index`] with what stands around each statement.
    pub(super) async fn led_write(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Arc<Plan>,
        binding: &Binding<'_>,
        manner: Manner<'_>,
        started: Instant,
    ) -> Result<Outcome, Failure> {
        if !plan.facts.looks_back {
            self.last.begin();
        }
        self.allow_groups(plan)?;
        let outcome = self.write_by_index(snapshot, plan, binding, manner).await;
        self.record(
            plan,
            binding.lexed,
            (RouteLabel::Write, 1),
            started,
            outcome.as_ref().copied(),
        );
        outcome
    }

    /// A write in autocommit that an index leads to its rows: what is found is held until all is
    /// done.
    pub(super) async fn write_by_index(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        binding: &Binding<'_>,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        let held = self.held.groups();
        self.begin_change();
        let written = self.written_by_index(snapshot, plan, binding, manner).await;
        match written {
            Ok(Some(written)) => {
                self.end_transaction(b"COMMIT").await?;
                self.reply_written(&written, &plan.facts, manner.more);
                Ok(Outcome::Good)
            }
            Ok(None) => {
                self.abandon_own(&held).await;
                match plan.bind(binding) {
                    Route::Workbench(bench) => {
                        Box::pin(self.workbench(snapshot, plan, bench, binding, manner)).await
                    }
                    Route::Refuse(error) => Err(error.into()),
                    _ => Err(Error::internal("a write without a place").into()),
                }
            }
            Err(Failure::Statement(error)) => {
                if self.is_in_transaction() {
                    self.abandon_own(&held).await;
                }
                Err(Failure::Statement(Error { fatal: false, ..error }))
            }
            Err(failure) => Err(failure),
        }
    }

    async fn written_by_index(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        binding: &Binding<'_>,
        manner: Manner<'_>,
    ) -> Result<Option<crate::executor::write::Written>, Failure> {
        let within = self.look_up(snapshot, plan, binding).await?;
        let (targets, write) = match plan.bind_within(binding, &within) {
            Route::Forward(target) => (vec![target], WriteKind::Split),
            Route::Write { targets, write } => (targets, write),
            Route::Workbench(_) => return Ok(None),
            Route::Refuse(error) => return Err(error.into()),
            _ => return Err(Error::internal("a write that reads").into()),
        };
        self.written(snapshot, plan, targets, write, binding, manner).await.map(Some)
    }
}

/// Shard keys that are taken from one shard of an index; where it has more, all shards are asked.
const ROWS: usize = 1000;
