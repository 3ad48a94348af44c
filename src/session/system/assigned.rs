//! User variables that get their values from information_schema.
//!
//! Owns: `SET @a = (SELECT …)` over the workbench's tables: scripts that change a table only where it
//! isn't changed yet are made of it; and what an account may do, as rows. Never: leaves a value on a
//! connection: it becomes the session's own.

use std::ops::Range;
use std::sync::Arc;

use super::fold::Line;
use super::{Benched, Folded, Session};
use crate::backend::connection::Runs;
use crate::backend::state::State;
use crate::context::Snapshot;
use crate::error::{Error, Result};
use crate::session::workbench::bench::Deadline;
use crate::session::workbench::into::Selecting;
use crate::session::workbench::value::{asked, only_error};
use crate::sql::literal::name_of;
use crate::sql::set::Assignment;
use crate::sql::token::Token;

/// Whether a part of a statement names information_schema.
pub(in crate::session) fn names_system(sql: &[u8], tokens: &[Token], part: &Range<usize>) -> bool {
    tokens.iter().any(|token| {
        part.contains(&token.range().start)
            && token.is_name()
            && name_of(sql, token).eq_ignore_ascii_case("information_schema")
    })
}

impl Session {
    /// One assignment of a SET.
    pub(in crate::session) async fn set_from_system(
        &mut self,
        sql: &[u8],
        assignment: &Assignment,
        state: &mut State,
    ) -> Result<()> {
        let question = asked(sql, assignment, "information_schema")?;
        let snapshot = self.snapshot();
        let target = self.home_group(&snapshot)?;
        let folded = Box::pin(self.fold_text(&snapshot, None, &target, &question, true)).await;
        let benched = match folded.map_err(only_error)? {
            Folded::Benched(benched) => benched,
            Folded::Text(_) | Folded::AsIs => {
                return Err(Error::refused(
                    "information_schema",
                    "SET reads those tables of information_schema that show tables: select the others",
                ));
            }
        };
        let Benched { bench, names, text } = benched;
        let stored = self.calls_stored(&text)?;
        let runs = if stored { Runs::Stored } else { Runs::Plain };
        let taken = self
            .into_on_bench(Selecting::plain(&text, runs), bench, &names, (state, Deadline::OPEN))
            .await;
        self.value_taken(taken.map_err(only_error)?)
    }

    /// USER_PRIVILEGES or SCHEMA_PRIVILEGES: what the rules let this client do.
    pub(super) fn own_rights(
        &self,
        snapshot: &Arc<Snapshot>,
        schemas: bool,
        columns: &[String],
    ) -> Vec<Line> {
        let user = &self.identity.user;
        let grantee = format!("'{}'@'%'", user.name);
        let line = |schema: &str, right: &str| -> Line {
            let value = |column: &String| match column.as_str() {
                "GRANTEE" => grantee.clone(),
                "TABLE_CATALOG" => "def".to_owned(),
                "TABLE_SCHEMA" => schema.to_owned(),
                "PRIVILEGE_TYPE" => right.to_owned(),
                _ => "NO".to_owned(),
            };
            columns.iter().map(|column| Some(value(column).into_bytes())).collect()
        };
        if !schemas {
            return match &user.schemas {
                None => self.rights().into_iter().map(|right| line("", right)).collect(),
                Some(_) => vec![line("", "USAGE")],
            };
        }
        let all = snapshot.rules.schemas();
        let own = all
            .iter()
            .filter(|schema| user.schemas.is_some() && user.may_use(schema.name.as_str()));
        own.flat_map(|schema| {
            let rights = self.rights().into_iter();
            rights.map(|right| line(schema.name.as_str(), right)).collect::<Vec<_>>()
        })
        .collect()
    }
}
