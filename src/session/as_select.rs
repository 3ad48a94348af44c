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

    /// `TABLE t`: all columns and rows of it.
    pub(super) async fn table_query(
        &mut self,
        binding: &Binding<'_>,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        let sql = binding.sql.get(..binding.lexed.end()).unwrap_or(binding.sql);
        let tokens = lex::tokens(sql, self.dialect, self.ctx.lexer.limits())?;
        let text = select_of_table(sql, &tokens);
        let mut lexed = Lexed::new();
        self.ctx.lexer.lex(&text, &self.dialect, &mut lexed)?;
        let manner = Manner { arguments: None, ..manner };
        Box::pin(self.statement(&text, &lexed, manner)).await
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

/// The statement with SELECT in the place of each TABLE.
fn select_of_table(sql: &[u8], tokens: &[Token]) -> Vec<u8> {
    const BEFORE: [&str; 5] = ["UNION", "ALL", "DISTINCT", "INTERSECT", "EXCEPT"];
    let tokens: Vec<&Token> = tokens.iter().filter(|token| !token.kind.is_trivia()).collect();
    let begins = |place: usize| match place.checked_sub(1).and_then(|place| tokens.get(place)) {
        None => true,
        Some(before) => before.is_symbol(sql, "(") || before.is_any(sql, &BEFORE),
    };
    let tables = tokens.iter().enumerate();
    let tables = tables.filter(|(place, token)| token.is_word(sql, "TABLE") && begins(*place));
    let edits = tables.map(|(_, token)| (token.range(), "SELECT * FROM".to_owned()));
    edited(sql, edits.collect())
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
        let of =
            |sql: &str| String::from_utf8(select_of_table(sql.as_bytes(), &tokens(sql))).unwrap();
        assert_eq!(of("TABLE t ORDER BY a LIMIT 3"), "SELECT * FROM t ORDER BY a LIMIT 3");
        assert_eq!(
            of("(TABLE t) UNION ALL TABLE `table`"),
            "(SELECT * FROM t) UNION ALL SELECT * FROM `table`"
        );
    }
}
