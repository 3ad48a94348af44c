//! User variables that get their values from information_schema.
//!
//! Owns: `SELECT … INTO @a` and `SET @a = (SELECT …)` over the workbench's tables: scripts that
//! change a table only where it isn't changed yet are made of them. Never: leaves a value on a
//! connection: it becomes the session's own.

use std::ops::Range;
use std::sync::Arc;

use super::fold::Line;
use super::{Benched, Folded, Session};
use crate::backend::connection::Pipelining;
use crate::backend::state::State;
use crate::context::Snapshot;
use crate::error::{Error, Result};
use crate::planner::plan::Renaming;
use crate::protocol::ok::{OkHeader, OkPacket};
use crate::session::forward::Failure;
use crate::session::own::rows;
use crate::session::query::{Manner, Outcome};
use crate::session::variables::{take_values, user_values};
use crate::session::workbench::bench::{Bench, Deadline};
use crate::session::workbench::renamed;
use crate::session::workbench::value::{asked, only_error};
use crate::sql::lex;
use crate::sql::literal::{name_of, user_variable};
use crate::sql::set::Assignment;
use crate::sql::token::{Token, TokenKind};

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
        let (name, question) = asked(sql, assignment, "information_schema")?;
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
        let Benched { mut bench, names, text } = benched;
        let entered = self.residual_state(&bench);
        let answered = async {
            bench.lent.enter(&entered, Pipelining::Nothing).await?;
            rows(&mut bench.lent, &text).await
        };
        let found = self.bench_step(Deadline::OPEN, answered).await;
        self.running.end();
        if bench.lent.is_in_step() {
            self.clear_bench(bench, &text).await;
        }
        let found = found.map_err(|failure| only_error(renamed(failure, &names)))?;
        take_values(&found, std::slice::from_ref(name), state)
    }

    /// `SELECT … INTO @a, @b`: run, and the values taken over.
    pub(super) async fn into_variables(
        &mut self,
        mut bench: Bench,
        names: &[Renaming],
        text: &[u8],
        (manner, deadline): (Manner<'_>, Deadline),
    ) -> Result<Outcome, Failure> {
        let tokens = lex::tokens(text, self.dialect, self.ctx.lexer.limits())?;
        let mut variables: Vec<String> = Vec::new();
        let mut assigned = false;
        for token in tokens.iter().filter(|token| !token.kind.is_trivia()) {
            match token.kind {
                TokenKind::UserVariable if assigned => {
                    variables.push(user_variable(text, token, &self.dialect));
                }
                _ => {
                    assigned =
                        token.is_word(text, "INTO") || (assigned && token.is_symbol(text, ","))
                }
            }
        }
        let entered = self.residual_state(&bench);
        let mut state = self.state.clone();
        let run = async {
            bench.lent.enter(&entered, Pipelining::Nothing).await?;
            let info = bench.lent.simple(text).await?;
            user_values(&mut bench.lent, &variables, &mut state).await?;
            Ok(info)
        };
        let run = self.bench_step(deadline, run).await;
        self.running.end();
        if bench.lent.is_in_step() {
            self.clear_bench(bench, text).await;
        }
        let info = run.map_err(|failure| renamed(failure, names))?;
        self.state = state;
        self.last.row_count = i64::try_from(info.affected_rows).unwrap_or(i64::MAX);
        self.last.warnings = info.warnings;
        let ok = OkPacket {
            affected_rows: info.affected_rows,
            status: self.final_status(manner.more),
            warnings: info.warnings,
            ..OkPacket::default()
        };
        self.stream.write_with(|out| ok.write(OkHeader::Plain, self.capabilities, out));
        Ok(Outcome::Good)
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
