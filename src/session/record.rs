//! The record that each statement leaves.
//!
//! Owns: putting it together from a plan and its outcome. Never: counts errors (they are counted
//! where they are sent), or sees a literal.

use std::time::Instant;

use crate::observe::metrics::{Kind, Route as RouteLabel};
use crate::observe::record::StatementRecord;
use crate::planner::Plan;
use crate::planner::plan::{Access, Route};
use crate::session::Session;
use crate::session::forward::Failure;
use crate::session::query::Outcome;
use crate::sql::classify::StatementKind;
use crate::sql::template::Lexed;

/// How a statement went its way: the label, and how many targets it had.
pub(super) fn way(route: &Route<'_>) -> (RouteLabel, usize) {
    match route {
        Route::Reply(_) | Route::Session(_) => (RouteLabel::Local, 0),
        Route::Forward(_) => (RouteLabel::Forward, 1),
        Route::Scatter { targets, .. } => (RouteLabel::Scatter, targets.len()),
        Route::Load(load) => (RouteLabel::Write, load.places()),
        Route::Write { targets, .. } => (RouteLabel::Write, targets.len()),
        Route::Workbench(bench) => (RouteLabel::Workbench, bench.references.len()),
        Route::Refuse(_) => (RouteLabel::Refused, 0),
    }
}

fn kind(plan: &Plan) -> Kind {
    use StatementKind as K;
    match plan.kind {
        K::Select | K::With | K::Values | K::Table => Kind::Select,
        K::Insert => Kind::Insert,
        K::Replace => Kind::Replace,
        K::Update => Kind::Update,
        K::Delete => Kind::Delete,
        K::Set | K::SetStatement => Kind::Set,
        K::Show | K::Describe | K::Explain | K::ExplainRoute => Kind::Show,
        K::Prepare | K::Execute | K::ExecuteImmediate | K::Deallocate => Kind::Prepare,
        K::Begin | K::Commit | K::Rollback | K::Savepoint => Kind::Transaction,
        K::ReleaseSavepoint | K::RollbackToSavepoint | K::Xa(_) => Kind::Transaction,
        _ if plan.facts.access == Access::Definition => Kind::Ddl,
        _ => Kind::Other,
    }
}

impl Session {
    /// Counts a statement that began at `started` and has been answered.
    pub(super) fn record(
        &self,
        plan: &Plan,
        lexed: &Lexed,
        (route, targets): (RouteLabel, usize),
        started: Instant,
        outcome: Result<Outcome, &Failure>,
    ) {
        let error = match outcome {
            Err(Failure::Statement(error)) => Some(error),
            _ => None,
        };
        self.ctx.recorder.record(&StatementRecord {
            connection: self.registration.id(),
            user: self.identity.user.name.as_str(),
            schema: self.schema.as_ref().map_or("", |schema| schema.as_str()),
            kind: kind(plan),
            route,
            template: Some((lexed.hash(), lexed.template())),
            targets: u32::try_from(targets).unwrap_or(u32::MAX),
            elapsed: started.elapsed(),
            failed: !matches!(outcome, Ok(Outcome::Good)),
            error,
        });
    }
}
