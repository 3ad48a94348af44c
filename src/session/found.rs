//! FOUND_ROWS() behind a statement.
//!
//! Owns: what it becomes where the rows of the answer don't tell. Never: knows the kinds of statements
//! (`planner::found` does).

use crate::context::Snapshot;
use crate::planner::Plan;
use crate::planner::bind::{self, Binding};
use crate::planner::found::Finds;
use crate::session::Session;
use crate::session::forward::Failure;
use crate::session::query::Outcome;
use crate::sql::template::Lexed;
use crate::value::Value;

impl Session {
    /// A statement has ended, before which FOUND_ROWS() was `before`.
    pub(super) fn settle_found(
        &mut self,
        (snapshot, plan): (&Snapshot, &Plan),
        (sql, lexed, parameters): (&[u8], &Lexed, &[Value]),
        before: Option<u64>,
        outcome: Result<Outcome, &Failure>,
    ) {
        let finds = &plan.facts.finds;
        let errno = match outcome {
            Ok(Outcome::Good) if *finds == Finds::Rows => {
                self.last.found_unknown = false;
                return;
            }
            Ok(Outcome::Good) => None,
            Ok(Outcome::Failed) => {
                let error = self.last.diagnostics.iter().rfind(|kept| kept.is_error());
                Some(error.map_or(0, |error| error.errno))
            }
            Err(Failure::Statement(error)) => Some(error.errno),
            Err(Failure::Session(_)) => return,
        };
        if let Some(errno) = errno {
            let finds = finds.after_error(self.dialect.server, errno);
            return self.last.settle_found(&finds, before, None);
        }
        let skipped = match finds {
            Finds::RowsBehind(count) => {
                let session = self.facts();
                let binding = Binding {
                    sql,
                    lexed,
                    dialect: self.dialect,
                    parameters,
                    rules: &snapshot.rules,
                    session: &session,
                };
                bind::count(count, &binding).ok()
            }
            _ => None,
        };
        self.last.settle_found(finds, before, skipped);
    }
}
