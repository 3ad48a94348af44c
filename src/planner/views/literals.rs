//! A view's literals for readers whose connection has another collation than the one that made it.
//!
//! Owns: which literals of a definition would mean something else to them, and the definition with
//! introducers before those. Never: knows a reader.
//!
//! A server reads a view's literals in the collation_connection of its making, and weighs them as any
//! literal: a column's collation wins over theirs. An introducer does just that where the collation is
//! its character set's default; COLLATE doesn't, for it wins over columns.

use crate::catalog::View;
use crate::sql::charset_scan::CharsetClass;
use crate::sql::lex::{Dialect, LexMode, Limits, tokens};
use crate::sql::token::{Token, TokenKind};

/// What stands before a string that is part of a word, and has no collation of its own to be given.
const PARTS: [&str; 7] = ["DATE", "TIME", "TIMESTAMP", "SEPARATOR", "ZONE", "INTERVAL", "PATH"];

/// Whatever compares two values.
const COMPARED: [&str; 8] = ["=", "<>", "!=", "<", ">", "<=", ">=", "<=>"];

/// A view's SELECT as it is for readers of other collations; `None` where it can't be said.
pub(super) fn elsewhere(sql: &str, view: &View, session: Dialect) -> Option<String> {
    let dialect = Dialect { mode: LexMode::default(), charset: CharsetClass::AsciiSafe, ..session };
    let mut tokens = tokens(sql.as_bytes(), dialect, &Limits::default()).ok()?;
    tokens.retain(|token| !token.kind.is_trivia());
    let literals = Literals { sql, tokens: &tokens };
    let (mut out, mut from) = (String::with_capacity(sql.len()), 0);
    for (at, token) in tokens.iter().enumerate() {
        if token.kind != TokenKind::String || !literals.matters(at) {
            continue;
        }
        let range = token.range();
        let text = sql.get(range.clone())?;
        let charset = &*view.charset;
        let same_bytes = text.is_ascii() || charset.starts_with("utf8");
        if !view.is_default || !same_bytes || charset.is_empty() {
            return None;
        }
        out.push_str(sql.get(from..range.start)?);
        out.push('_');
        out.push_str(charset);
        from = range.start;
    }
    out.push_str(sql.get(from..)?);
    Some(out)
}

struct Literals<'a> {
    sql: &'a str,
    tokens: &'a [Token],
}

impl Literals<'_> {
    fn bytes(&self) -> &[u8] {
        self.sql.as_bytes()
    }

    fn before(&self, at: usize, back: usize) -> Option<&Token> {
        self.tokens.get(at.checked_sub(back)?)
    }

    /// Whether a string's collation may decide something.
    fn matters(&self, at: usize) -> bool {
        let Some(before) = self.before(at, 1) else { return true };
        let is_part = before.kind == TokenKind::Introducer || before.is_any(self.bytes(), &PARTS);
        !is_part && !self.is_compared(at) && !self.is_listed(at)
    }

    /// Whether nothing but a comparison is made with what ends here.
    fn is_alone_behind(&self, at: usize) -> bool {
        self.tokens.get(at + 1).is_none_or(|next| {
            next.is_symbol(self.bytes(), ")") || next.is_any(self.bytes(), &["AND", "OR", "THEN"])
        })
    }

    /// `column = 'text'`, `column LIKE 'text'`: the column's collation is the one that counts.
    fn is_compared(&self, at: usize) -> bool {
        let compares = |token: &Token| {
            COMPARED.iter().any(|symbol| token.is_symbol(self.bytes(), symbol))
                || token.is_word(self.bytes(), "LIKE")
        };
        self.is_alone_behind(at)
            && self.before(at, 1).is_some_and(compares)
            && self.is_column(at, 2)
    }

    /// `column IN ('text', …)`, of texts alone.
    fn is_listed(&self, at: usize) -> bool {
        let is_item =
            |token: &Token| token.kind == TokenKind::String || token.is_symbol(self.bytes(), ",");
        let mut first = at;
        while first.checked_sub(1).and_then(|at| self.tokens.get(at)).is_some_and(is_item) {
            first -= 1;
        }
        let mut last = at;
        while self.tokens.get(last + 1).is_some_and(is_item) {
            last += 1;
        }
        let opens = self.before(first, 1).is_some_and(|token| token.is_symbol(self.bytes(), "("))
            && self.before(first, 2).is_some_and(|token| token.is_word(self.bytes(), "IN"));
        let closes =
            self.tokens.get(last + 1).is_some_and(|token| token.is_symbol(self.bytes(), ")"));
        opens && closes && self.is_column(first, 3)
    }

    /// Whether a column ends so far before, be there a NOT between.
    fn is_column(&self, at: usize, back: usize) -> bool {
        let negated = self.before(at, back).is_some_and(|token| token.is_word(self.bytes(), "NOT"));
        let back = back + usize::from(negated);
        self.before(at, back).is_some_and(|token| token.kind == TokenKind::QuotedName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(sql: &str, collation: &str, is_default: bool) -> Option<String> {
        let view = View {
            definition: sql.into(),
            invoker: false,
            charset: collation.split('_').next().unwrap().into(),
            collation: collation.into(),
            is_default,
            reads_id: false,
        };
        elsewhere(sql, &view, Dialect::default())
    }

    #[test]
    fn literals_that_matter_get_introducers() {
        for (sql, wanted) in [
            ("select 'a' AS `a`", "select _utf8mb4'a' AS `a`"),
            ("select 1 where (`t`.`a` = 'a')", "select 1 where (`t`.`a` = 'a')"),
            ("select 1 where `t`.`a` not like 'a'", "select 1 where `t`.`a` not like 'a'"),
            ("select 1 where (`t`.`a` in ('a','b'))", "select 1 where (`t`.`a` in ('a','b'))"),
            (
                "select 1 where (concat(`t`.`a`,'x') = 'a')",
                "select 1 where (concat(`t`.`a`,_utf8mb4'x') = _utf8mb4'a')",
            ),
            (
                "select 1 where (lower(`a`) in ('a','b'))",
                "select 1 where (lower(`a`) in (_utf8mb4'a',_utf8mb4'b'))",
            ),
            (
                "select group_concat(`a` separator ',') where (`d` > DATE'2020-01-01')",
                "select group_concat(`a` separator ',') where (`d` > DATE'2020-01-01')",
            ),
            (
                "select 1 where (`t`.`a` = 'a' collate utf8mb4_bin)",
                "select 1 where (`t`.`a` = _utf8mb4'a' collate utf8mb4_bin)",
            ),
        ] {
            assert_eq!(made(sql, "utf8mb4_0900_ai_ci", true).as_deref(), Some(wanted));
        }
    }

    #[test]
    fn what_no_introducer_says_is_left_to_readers_of_the_same_collation() {
        assert_eq!(made("select 'a' AS `a`", "utf8mb4_bin", false), None);
        assert_eq!(made("select 'ä' AS `a`", "latin1_swedish_ci", true), None);
        let plain = "select `a` where (`a` = 'x')";
        assert_eq!(made(plain, "utf8mb4_bin", false).as_deref(), Some(plain));
    }
}
