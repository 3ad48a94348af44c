//! A value that SET computes of tables.
//!
//! Owns: `SET @a = (SELECT …)` wherever the tables live: one server's own answer, or the residual
//! statement's over gathered rows. Never: leaves a value on a connection: it becomes the session's
//! own.

use std::sync::Arc;

use super::into::{Selecting, Taken, take};
use super::layout::Known;
use super::{Gathering, Work, all_targets};
use crate::backend::state::State;
use crate::context::Snapshot;
use crate::error::{Error, Result};
use crate::planner::Plan;
use crate::planner::bind::Binding;
use crate::planner::plan::{Rendered, Route, Target};
use crate::planner::splice::{Form, Numbers};
use crate::session::arguments::{Own, only};
use crate::session::forward::Failure;
use crate::session::learn::runs;
use crate::session::lend::Purpose;
use crate::session::own::ONE_ROW;
use crate::session::query::Manner;
use crate::session::user_values::quoted;
use crate::session::{Session, look_back};
use crate::sql::set::{Assignment, SetTarget};
use crate::sql::template::Lexed;
use crate::sql::token::Token;

/// Whether a part of a statement holds a query of tables.
pub(in crate::session) fn holds_query(
    sql: &[u8],
    tokens: &[Token],
    part: &std::ops::Range<usize>,
) -> bool {
    let holds = |word: &str| {
        tokens.iter().any(|token| part.contains(&token.range().start) && token.is_word(sql, word))
    };
    holds("SELECT") && holds("FROM")
}

/// The SELECT that sets the user variable of an assignment.
///
/// # Errors
/// A refusal under `code` where it sets something else.
pub(in crate::session) fn asked(
    sql: &[u8],
    assignment: &Assignment,
    code: &'static str,
) -> Result<Vec<u8>> {
    let SetTarget::UserVariable(name) = &assignment.target else {
        return Err(Error::refused(
            code,
            "Only user variables are set to what a query of tables gives: set one first, and the \
             system variable from it",
        ));
    };
    let text = sql.get(assignment.range.clone()).unwrap_or_default();
    let behind = text.iter().position(|byte| *byte == b'=').map_or(0, |at| at + 1);
    let into = format!(" INTO {}", quoted(name));
    let value = text.get(behind..).unwrap_or_default();
    Ok([b"SELECT ", value, ONE_ROW, into.as_bytes()].concat())
}

/// What is left of a failure inside of SET: a session that ends does so at its next packet.
pub(in crate::session) fn only_error(failure: Failure) -> Error {
    match failure {
        Failure::Statement(error) => error,
        Failure::Session(_) => Error::unavailable("interrupted", "The session ends"),
    }
}

impl Session {
    /// One assignment of a SET whose value holds a query.
    pub(in crate::session) async fn set_from_query(
        &mut self,
        sql: &[u8],
        assignment: &Assignment,
        state: &mut State,
    ) -> Result<()> {
        let question = asked(sql, assignment, "set_query")?;
        let is_first = *state == self.state;
        match Box::pin(self.take_value(&question, state)).await.map_err(only_error) {
            Ok(taken) => self.value_taken(taken),
            Err(error) => {
                if let SetTarget::UserVariable(name) = &assignment.target
                    && is_first
                {
                    // Nothing is assigned, but what stored code set before it failed stays.
                    state.set_user_variable(name, self.state.user_variable(name));
                    self.state = state.clone();
                }
                self.follow_rollback(error.errno).await;
                Err(error)
            }
        }
    }

    /// A SET is done.
    pub(in crate::session) fn value_taken(&mut self, mut taken: Taken) -> Result<()> {
        // SET has no INTO.
        self.unsay_deprecated(&mut taken);
        self.last.warnings = self.last.warnings.saturating_add(taken.warnings);
        taken.error.map_or(Ok(()), Err)
    }

    /// Runs a SELECT … INTO, wherever its tables live.
    pub(in crate::session) async fn take_value(
        &mut self,
        question: &[u8],
        state: &mut State,
    ) -> Result<Taken, Failure> {
        let limits = self.ctx.lexer.limits();
        let resolved = look_back::resolve(question, self.dialect, limits, &self.remembered())?;
        let question = resolved.as_deref().unwrap_or(question);
        let snapshot = self.snapshot();
        let mut lexed = Lexed::new();
        self.ctx.lexer.lex(question, &self.dialect, &mut lexed)?;
        let (plan, written) = self.plan_through_views(&snapshot, question, &lexed).await?;
        let (question, lexed) =
            written.as_ref().map_or((question, &lexed), |(sql, lexed)| (&sql[..], lexed));
        self.allow_groups(&plan)?;
        let session = self.facts();
        let binding = Binding {
            sql: question,
            lexed,
            dialect: self.dialect,
            parameters: &[],
            rules: &snapshot.rules,
            session: &session,
        };
        let once = self.enter_once(&plan)?;
        let taken = self.bound_value(&snapshot, &plan, &binding, state).await;
        self.leave_once(once, &taken);
        taken
    }

    async fn bound_value(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        binding: &Binding<'_>,
        state: &mut State,
    ) -> Result<Taken, Failure> {
        match plan.bind(binding) {
            Route::Refuse(error) => Err(error.into()),
            Route::Forward(target) => {
                self.value_at(plan, &target, binding, (Manner::OWN, state)).await
            }
            Route::Workbench(bench) => {
                let manner = Manner::OWN;
                let deadline = self.deadline(&plan.facts, snapshot);
                let work = Work {
                    snapshot,
                    plan,
                    bench,
                    binding,
                    manner,
                    loose: true,
                    deadline,
                    fresh: false,
                    empty: false,
                };
                self.value_on_workbench(&work, state).await
            }
            _ => Err(Error::refused(
                "set_query",
                "SET takes no value from this statement: select it and set the value",
            )
            .into()),
        }
    }

    pub(super) async fn value_at(
        &mut self,
        plan: &Plan,
        target: &Target,
        binding: &Binding<'_>,
        (manner, state): (Manner<'_>, &mut State),
    ) -> Result<Taken, Failure> {
        let (mut written, numbers) = (Vec::new(), Numbers::default());
        let form = if manner.arguments.is_some() { Form::Prepared } else { Form::Text };
        let how = (form, Some(&numbers));
        let as_is = plan.render_numbered(target, binding, how, &mut written)? == Rendered::AsIs;
        let mut text = if as_is { binding.sql } else { &written[..] };
        let own = match manner.arguments {
            Some(given) if !as_is => only(given, &numbers.take())?,
            _ => None,
        };
        let arguments = own.as_ref().map(Own::arguments).or(manner.arguments);
        let manner = Manner { arguments, ..manner };
        let resolved;
        if plan.facts.looks_back {
            let (limits, values) = (self.ctx.lexer.limits(), self.remembered());
            resolved = look_back::resolve(text, self.dialect, limits, &values)?;
            text = resolved.as_deref().unwrap_or(text);
            self.last.begin();
        }
        let names = self.into_names(text)?;
        let selecting = Selecting { text, manner, runs: runs(&plan.facts) };
        let key = self.key_of(selecting);
        let snapshot = self.snapshot();
        let in_transaction = self.is_in_transaction() || !self.state.autocommit();
        let purpose = Purpose::of(&plan.facts, in_transaction, self.transaction.may_use_replica());
        let deadline = self.deadline(&plan.facts, &snapshot);
        let mut lent = self.lend(&snapshot, target, purpose).await?;
        self.running.add(lent.kill_handle());
        let answered = async {
            lent.send_lead().await?;
            take(&mut lent, (selecting, &key), &names, state).await
        };
        let said = self.bench_step(deadline, answered).await;
        self.running.end();
        // What stored code set besides becomes part of `state`, too.
        std::mem::swap(&mut self.state, state);
        self.settle(target.group, lent, &snapshot).await;
        std::mem::swap(&mut self.state, state);
        let shown = plan.renamings(target);
        self.taken(&names, said, &shown)
    }

    /// In a transaction of its own where reads must be consistent.
    async fn value_on_workbench(
        &mut self,
        work: &Work<'_>,
        state: &mut State,
    ) -> Result<Taken, Failure> {
        let gatherings = self.gatherings(work, Form::Text).await?;
        let held = self.held.groups();
        let is_own = self.begin_consistent(work.plan, &all_targets(&gatherings));
        let taken = self.value_of(work, &gatherings, state).await;
        if is_own {
            self.end_own_read(&held, taken.is_ok()).await?;
        }
        taken
    }

    async fn value_of(
        &mut self,
        work: &Work<'_>,
        gatherings: &[Gathering<'_>],
        state: &mut State,
    ) -> Result<Taken, Failure> {
        let layout = self.layout(work, gatherings)?;
        let mut bench = self.make_tables(work, &layout, gatherings).await?;
        let due = gatherings.iter().filter(|one| layout.is_moved(one.index)).collect();
        let (known, moving) = (Known::of(work, &layout, &bench.few), self.moving(&work.plan.facts));
        self.fill_tables(work, &layout, (due, known), &mut bench, &moving).await?;
        let mut text = Vec::new();
        let sources = layout.sources(work.bench);
        work.plan.residual_text(
            work.bench,
            &sources,
            work.binding,
            (Form::Text, None),
            &mut text,
        )?;
        let names = layout.renamings(work.bench, &bench);
        let selecting = Selecting::plain(&text, runs(&work.plan.facts));
        self.into_on_bench(selecting, bench, &names, (state, work.deadline)).await
    }
}
