//! DO and MySQL's TABLE, where they read what lies in several places: each is a SELECT in other words.
//!
//! Owns: those words. Never: plans or runs the SELECT.

use crate::error::Result;
use crate::planner::bind::Binding;
use crate::planner::splice::with_parameters;
use crate::session::Session;
use crate::session::forward::Failure;
use crate::session::own::ONE_ROW;
use crate::session::query::{Manner, Outcome};
use crate::session::user_values::quoted;
use crate::session::workbench::value::only_error;
use crate::sql::edit::edited;
use crate::sql::lex::{self, ServerKind};
use crate::sql::template::Lexed;
use crate::sql::token::{Token, TokenKind};

/// A subquery that stands for a value has several.
const SEVERAL_ROWS: u16 = 1242;

impl Session {
    /// DO: its values are computed, and go nowhere.
    pub(super) async fn do_query(
        &mut self,
        binding: &Binding<'_>,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        let written = match binding.parameters {
            [] => binding.sql.get(..binding.lexed.end()).unwrap_or(binding.sql).to_vec(),
            _ => with_parameters(binding)?,
        };
        let tokens = lex::tokens(&written, self.dialect, self.ctx.lexer.limits())?;
        let question = values_of_do(&written, &tokens);
        let mut nowhere = self.state.clone();
        let taken = Box::pin(self.take_value(&question, &mut nowhere)).await.map_err(only_error);
        match taken {
            Ok(taken) => self.value_taken(taken)?,
            // MariaDB forgets what was wrong with the values.
            Err(error)
                if error.errno == SEVERAL_ROWS && self.dialect.server == ServerKind::MariaDb => {}
            Err(error) => {
                self.follow_rollback(error.errno).await;
                return Err(error.into());
            }
        }
        self.last.row_count = 0;
        self.reply_ok(0, "", manner.more);
        Ok(Outcome::Good)
    }

    /// `TABLE t`, by itself or inside of another statement: all columns and rows of it. `None`: there is
    /// none in it.
    pub(super) async fn table_query(
        &mut self,
        binding: &Binding<'_>,
        manner: Manner<'_>,
    ) -> Result<Option<Outcome>, Failure> {
        let sql = binding.sql.get(..binding.lexed.end()).unwrap_or(binding.sql);
        let tokens = lex::tokens(sql, self.dialect, self.ctx.lexer.limits())?;
        let Some(text) = select_of_table(sql, &tokens) else { return Ok(None) };
        let mut lexed = Lexed::new();
        self.ctx.lexer.lex(&text, &self.dialect, &mut lexed)?;
        // What views were put into may hold Weir's own hints.
        let lexed = if binding.lexed.is_own() { lexed.of_weir() } else { lexed };
        let manner = Manner { arguments: None, ..manner };
        Box::pin(self.statement(&text, &lexed, manner)).await.map(Some)
    }
}

/// The SELECT that computes the values of DO.
fn values_of_do(sql: &[u8], tokens: &[Token]) -> Vec<u8> {
    let ends = |token: &&Token| token.kind != TokenKind::Semicolon && !token.kind.is_trivia();
    let mut tokens = tokens.iter().filter(ends);
    let begin = tokens.next().map_or(0, |word| word.range().end);
    let (mut end, mut count) = (begin, 1);
    for token in tokens {
        end = token.range().end;
        count += usize::from(token.depth == 0 && token.is_symbol(sql, ","));
    }
    let names: Vec<String> = (0..count).map(|place| quoted(&format!("weir {place}"))).collect();
    let into = format!(" INTO {}", names.join(", "));
    [b"SELECT", sql.get(begin..end).unwrap_or_default(), ONE_ROW, into.as_bytes()].concat()
}

/// The statement with SELECT in the place of each TABLE that is a query; `None` where there is none.
fn select_of_table(sql: &[u8], tokens: &[Token]) -> Option<Vec<u8>> {
    const BEFORE: [&str; 6] = ["UNION", "ALL", "DISTINCT", "INTERSECT", "EXCEPT", "AS"];
    let tokens: Vec<&Token> = tokens.iter().filter(|token| !token.kind.is_trivia()).collect();
    let first = |words: &[&str]| tokens.first().is_some_and(|first| first.is_any(sql, words));
    // CREATE TABLE and CREATE TEMPORARY TABLE themselves stand before these places.
    let inserts = match first(&["CREATE"]) {
        true => Some(3),
        false => first(&["INSERT", "REPLACE"]).then_some(2),
    };
    let begins = |place: usize| match place.checked_sub(1).and_then(|place| tokens.get(place)) {
        None => true,
        Some(before) => {
            let named = tokens.get(place + 1).is_some_and(|next| next.is_name());
            // Behind the table that rows go into, or its columns.
            let source = inserts.is_some_and(|least| place >= least)
                && before.depth == 0
                && (before.is_name() || before.is_symbol(sql, ")"));
            named && (before.is_symbol(sql, "(") || before.is_any(sql, &BEFORE) || source)
        }
    };
    let tables = tokens.iter().enumerate();
    let tables = tables.filter(|(place, token)| {
        token.kind == TokenKind::Word && token.is_word(sql, "TABLE") && begins(*place)
    });
    let edits: Vec<_> =
        tables.map(|(_, token)| (token.range(), "SELECT * FROM".to_owned())).collect();
    (!edits.is_empty()).then(|| edited(sql, edits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lex::{Dialect, Limits};

    fn tokens(sql: &str) -> Vec<Token> {
        lex::tokens(sql.as_bytes(), Dialect::default(), &Limits::default()).unwrap()
    }

    #[test]
    fn do_is_a_select_into_nowhere() {
        let of = |sql: &str| String::from_utf8(values_of_do(sql.as_bytes(), &tokens(sql))).unwrap();
        assert_eq!(of("DO 1"), "SELECT 1\nLIMIT 1 INTO @`weir 0`");
        assert_eq!(
            of("DO (SELECT f(a, b) FROM t), 2 ;"),
            "SELECT (SELECT f(a, b) FROM t), 2\nLIMIT 1 INTO @`weir 0`, @`weir 1`"
        );
    }

    #[test]
    fn table_is_a_select_of_everything() {
        let of = |sql: &str| {
            select_of_table(sql.as_bytes(), &tokens(sql)).map(|it| String::from_utf8(it).unwrap())
        };
        for (sql, expected) in [
            ("TABLE t ORDER BY a LIMIT 3", "SELECT * FROM t ORDER BY a LIMIT 3"),
            (
                "(TABLE t) UNION ALL TABLE `table`",
                "(SELECT * FROM t) UNION ALL SELECT * FROM `table`",
            ),
            ("SELECT a IN (TABLE t) FROM u", "SELECT a IN (SELECT * FROM t) FROM u"),
            ("INSERT INTO u (a, b) TABLE t", "INSERT INTO u (a, b) SELECT * FROM t"),
            ("REPLACE u TABLE s.t LIMIT 1", "REPLACE u SELECT * FROM s.t LIMIT 1"),
            ("CREATE TABLE u AS TABLE t", "CREATE TABLE u AS SELECT * FROM t"),
            ("CREATE TABLE u TABLE t", "CREATE TABLE u SELECT * FROM t"),
            ("WITH c AS (TABLE t) SELECT 1 FROM c", "WITH c AS (SELECT * FROM t) SELECT 1 FROM c"),
        ] {
            assert_eq!(of(sql).as_deref(), Some(expected), "{sql}");
        }
        for sql in
            ["SELECT `table`, 'TABLE' FROM t", "INSERT INTO u SELECT 1", "CREATE TABLE t (a INT)"]
        {
            assert_eq!(of(sql), None, "{sql}");
        }
    }
}
