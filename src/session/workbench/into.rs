//! `SELECT … INTO @a, @b` whose rows lie in several shards.
//!
//! Owns: cutting the clause out, and what becomes of no row and of several. Never: computes the row
//! ([`super::value`] does), or writes to a file.

use std::ops::Range;

use super::value::only_error;
use crate::error::{Error, Fault, Result};
use crate::planner::bind::Binding;
use crate::protocol::ok::{OkHeader, OkPacket};
use crate::session::Session;
use crate::session::forward::Failure;
use crate::session::last::Diagnostic;
use crate::session::query::{Manner, Outcome};
use crate::session::variables::take_values;
use crate::sql::lex::{self, Dialect};
use crate::sql::literal::user_variable;
use crate::sql::token::{Token, TokenKind};

/// Errors of a column list that is longer or shorter than its SELECT: MySQL's and MariaDB's.
const OTHER_COUNT: [u16; 2] = [1353, 4002];

impl Session {
    /// Runs the SELECT on the workbench, and sets the variables. `refusal` is what is said where its text
    /// has no such clause.
    pub(in crate::session) async fn select_into(
        &mut self,
        binding: &Binding<'_>,
        refusal: Error,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        let sql = binding.sql.get(..binding.lexed.end()).unwrap_or(binding.sql);
        let tokens = lex::tokens(sql, self.dialect, self.ctx.lexer.limits())?;
        let Some((clause, names)) = clause(sql, &tokens, &self.dialect) else {
            return Err(refusal.into());
        };
        let question = question(sql, clause, names.len());
        let found = Box::pin(self.value_of(&question, binding.parameters)).await;
        let found = found.map_err(only_error).map_err(|error| match error.errno {
            errno if OTHER_COUNT.contains(&errno) => other_count(),
            _ => error,
        });
        if let Err(error) = &found {
            self.follow_rollback(error.errno).await;
        }
        let found = found?;
        let mut state = self.state.clone();
        take_values(&found, &names, &mut state)?;
        for name in names.iter().filter(|_| !found.rows.is_empty()) {
            self.held.assigned(name);
        }
        self.state = state;
        let rows = found.rows.len();
        if rows > 1 {
            // The first row's values stay, as on one server.
            return Err(several_rows().into());
        }
        if rows == 0 {
            let message = "No data - zero rows fetched, selected, or processed".to_owned();
            self.last.diagnostics.push(Diagnostic {
                level: "Warning".into(),
                errno: 1329,
                message,
            });
        }
        self.last.row_count = i64::try_from(rows).unwrap_or(i64::MAX);
        self.last.warnings = u16::from(rows == 0);
        let ok = OkPacket {
            affected_rows: rows as u64,
            status: self.final_status(manner.more),
            warnings: self.last.warnings,
            ..OkPacket::default()
        };
        self.stream.write_with(|out| ok.write(OkHeader::Plain, self.capabilities, out));
        Ok(Outcome::Good)
    }
}

/// The place of INTO with its variables, and their names.
fn clause(sql: &[u8], tokens: &[Token], dialect: &Dialect) -> Option<(Range<usize>, Vec<String>)> {
    let tokens: Vec<&Token> = tokens.iter().filter(|token| !token.kind.is_trivia()).collect();
    let mut depth = 0usize;
    for (place, token) in tokens.iter().enumerate() {
        if token.is_symbol(sql, "(") {
            depth += 1;
        } else if token.is_symbol(sql, ")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && token.is_word(sql, "INTO") {
            let mut names = Vec::new();
            let mut rest = tokens.get(place + 1..)?.iter();
            loop {
                let variable = rest.next().filter(|one| one.kind == TokenKind::UserVariable)?;
                names.push(user_variable(sql, variable, dialect));
                let end = variable.range().end;
                match rest.next() {
                    Some(comma) if comma.is_symbol(sql, ",") => {}
                    _ => return Some((token.range().start..end, names)),
                }
            }
        }
    }
    None
}

/// The statement without its clause, in columns of their own names: at most two rows of it. A number of
/// each row is something that no merge of shards gives, so that it is the workbench's.
fn question(sql: &[u8], clause: Range<usize>, columns: usize) -> Vec<u8> {
    let names: Vec<String> = (0..columns).map(|column| format!("c{column}")).collect();
    let mut text = format!("WITH weir_into ({}) AS (", names.join(",")).into_bytes();
    text.extend_from_slice(sql.get(..clause.start).unwrap_or_default());
    text.push(b' ');
    let behind = sql.get(clause.end..).unwrap_or_default();
    text.extend_from_slice(behind.trim_ascii_end().strip_suffix(b";").unwrap_or(behind));
    text.extend_from_slice(
        b"\n) SELECT weir_into.*, ROW_NUMBER() OVER () AS weir_row FROM weir_into LIMIT 2",
    );
    text
}

fn several_rows() -> Error {
    Error::new(Fault::Client, 1172, b"42000", "", "Result consisted of more than one row")
}

fn other_count() -> Error {
    let message = "The used SELECT statements have a different number of columns";
    Error::new(Fault::Client, 1222, b"21000", "", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clause_is_found_where_it_stands() {
        let dialect = Dialect::default();
        let found = |sql: &str| {
            let tokens = lex::tokens(sql.as_bytes(), dialect, &lex::Limits::default()).unwrap();
            clause(sql.as_bytes(), &tokens, &dialect).map(|(range, names)| {
                let text = question(sql.as_bytes(), range.clone(), names.len());
                (sql[range].to_owned(), names.join(" "), String::from_utf8(text).unwrap())
            })
        };
        let (text, names, question) =
            found("SELECT a, (SELECT b FROM t) INTO @x , @`Y` FROM t;").unwrap();
        assert_eq!((text.as_str(), names.as_str()), ("INTO @x , @`Y`", "x y"));
        assert!(
            question
                .starts_with("WITH weir_into (c0,c1) AS (SELECT a, (SELECT b FROM t)   FROM t\n) "),
            "{question}"
        );
        assert_eq!(found("SELECT a FROM t INTO OUTFILE 'x'"), None);
        assert_eq!(found("SELECT a FROM t"), None);
        assert_eq!(found("SELECT a FROM t LIMIT 1 INTO @a").unwrap().1, "a");
        assert_eq!(found("SELECT a INTO @a, b FROM t"), None);
    }
}
