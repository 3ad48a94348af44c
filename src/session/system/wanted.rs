//! Which schemas and tables a statement's conditions leave of a table of information_schema.
//!
//! Owns: reading conditions on names off the tokens, so that a question about one table doesn't
//! make servers open thousands. Never: decides a row: the client's own statement does that over
//! what was gathered, so a condition that isn't recognised here only costs time.

use std::borrow::Cow;

use crate::session::folded::Reference;
use crate::session::show::like;
use crate::sql::lex::{Dialect, LexMode};
use crate::sql::literal::{name_of, unquote};
use crate::sql::token::{Token, TokenKind};

/// Conditions on names, all of which must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    schemas: Vec<Test>,
    tables: Vec<Test>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    OneOf(Vec<String>),
    Like(String),
}

impl Test {
    /// Collations find more names equal than ASCII's capitals: what isn't ASCII is let through.
    fn admits(&self, name: &str) -> bool {
        let bare = |text: &str| text.trim_end_matches(' ').to_ascii_lowercase();
        match self {
            _ if !name.is_ascii() => true,
            Test::OneOf(names) => names.iter().any(|one| bare(one) == bare(name)),
            Test::Like(pattern) => like(name, pattern),
        }
    }
}

/// The columns that hold a row's own schema.
const SCHEMAS: [&str; 9] = [
    "TABLE_SCHEMA",
    "CONSTRAINT_SCHEMA",
    "INDEX_SCHEMA",
    "SCHEMA_NAME",
    "TRIGGER_SCHEMA",
    "EVENT_OBJECT_SCHEMA",
    "EVENT_SCHEMA",
    "ROUTINE_SCHEMA",
    "SPECIFIC_SCHEMA",
];

/// The columns that hold its own table.
const TABLES: [&str; 2] = ["TABLE_NAME", "EVENT_OBJECT_TABLE"];

impl Wanted {
    pub fn schema(&self, name: &str) -> bool {
        self.schemas.iter().all(|test| test.admits(name))
    }

    pub fn table(&self, name: &str) -> bool {
        self.tables.iter().all(|test| test.admits(name))
    }

    /// The only tables that can be wanted, where the conditions name them one by one.
    pub fn listed(&self) -> Option<&[String]> {
        let list = self.tables.iter().find_map(|test| match test {
            Test::OneOf(names) => Some(names.as_slice()),
            Test::Like(_) => None,
        })?;
        list.iter().all(|name| name.is_ascii()).then_some(list)
    }

    /// What the statement's WHERE says of a reference. `tokens` are without trivia.
    pub fn of(sql: &[u8], tokens: &[Token], reference: &Reference, dialect: Dialect) -> Wanted {
        let mut wanted = Wanted::default();
        let Some(block) = Block::around(sql, tokens, reference.place) else { return wanted };
        let reader = Reader { sql, dialect, alias: &reference.alias, alone: block.alone };
        reader.conditions(block.filter, &mut wanted);
        wanted
    }
}

/// The SELECT that a reference stands in.
struct Block<'t> {
    /// The tokens of its WHERE.
    filter: &'t [Token],
    /// It reads no other table: names without a qualifier are the reference's.
    alone: bool,
}

/// What may follow a WHERE.
const BEHIND: [&str; 14] = [
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "MINUS",
    "WINDOW",
    "PROCEDURE",
    "INTO",
    "FOR",
    "LOCK",
    "OFFSET",
];

impl<'t> Block<'t> {
    fn around(sql: &[u8], tokens: &'t [Token], place: usize) -> Option<Block<'t>> {
        let mut low = tokens.get(place)?.depth;
        let mut from = None;
        for at in (0..place).rev() {
            let token = tokens.get(at)?;
            low = low.min(token.depth);
            if token.depth > low {
                continue;
            }
            if token.is_word(sql, "FROM") && from.is_none() {
                from = Some(at);
            }
            if token.is_word(sql, "SELECT") {
                break;
            }
            // A parenthesis around joined tables is left: its FROM stands outside.
        }
        let from = from?;
        let depth = tokens.get(from)?.depth;
        let rest = tokens.get(from + 1..)?;
        let ends = |token: &Token| {
            token.depth < depth
                || (token.depth == depth
                    && (token.kind == TokenKind::Semicolon || token.is_any(sql, &BEHIND)))
        };
        // `FOR` and `USE INDEX FOR` behind a table end nothing that matters: no WHERE is found then.
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        let rest = rest.get(..length)?;
        let split = rest
            .iter()
            .position(|token| token.depth == depth && token.is_word(sql, "WHERE"))
            .unwrap_or(rest.len());
        let (tables, filter) = rest.split_at(split);
        let joins = |token: &Token| {
            token.is_any(sql, &["JOIN", "STRAIGHT_JOIN"]) || token.is_symbol(sql, ",")
        };
        Some(Block {
            filter: filter.get(1..).unwrap_or_default(),
            alone: !tables.iter().any(joins),
        })
    }
}

struct Reader<'a> {
    sql: &'a [u8],
    dialect: Dialect,
    alias: &'a str,
    alone: bool,
}

impl Reader<'_> {
    /// Conditions joined by AND.
    fn conditions(&self, tokens: &[Token], wanted: &mut Wanted) {
        let Some(depth) = tokens.iter().map(|token| token.depth).min() else { return };
        let top = || tokens.iter().filter(|token| token.depth == depth);
        // Their ANDs are other ones, or they bind less tightly.
        let other = |token: &Token| {
            token.is_any(self.sql, &["OR", "XOR", "BETWEEN", "CASE"])
                || matches!(token.symbol(self.sql), b"||" | b":=" | b"!")
        };
        if top().any(other) {
            return;
        }
        let is_and = |token: &Token| {
            token.depth == depth
                && (token.is_word(self.sql, "AND") || token.symbol(self.sql) == b"&&")
        };
        for condition in tokens.split(is_and) {
            match condition {
                [open, inner @ .., close]
                    if open.is_symbol(self.sql, "(")
                        && close.is_symbol(self.sql, ")")
                        && inner.iter().all(|token| token.depth > depth) =>
                {
                    self.conditions(inner, wanted);
                }
                condition if condition.iter().any(|token| token.is_word(self.sql, "NOT")) => {}
                condition => self.condition(condition, wanted),
            }
        }
    }

    fn condition(&self, tokens: &[Token], wanted: &mut Wanted) {
        let Some((column, rest)) = self.column(tokens) else {
            // 'x' = column
            if let Some((value, [equals, rest @ ..])) = self.value(tokens)
                && equals.is_symbol(self.sql, "=")
                && let Some((column, [])) = self.column(rest)
            {
                wanted.note(&column, Test::OneOf(vec![value]));
            }
            return;
        };
        match rest {
            [equals, rest @ ..] if equals.is_symbol(self.sql, "=") => {
                if let Some((value, [])) = self.value(rest) {
                    wanted.note(&column, Test::OneOf(vec![value]));
                }
            }
            [word, rest @ ..] if word.is_word(self.sql, "LIKE") => {
                if let Some((value, [])) = self.value(rest)
                    && value.is_ascii()
                    && !(value.contains('\\')
                        && self.dialect.mode.has(LexMode::NO_BACKSLASH_ESCAPES))
                {
                    wanted.note(&column, Test::Like(value));
                }
            }
            [word, open, rest @ ..]
                if word.is_word(self.sql, "IN") && open.is_symbol(self.sql, "(") =>
            {
                if let Some(values) = self.list(rest) {
                    wanted.note(&column, Test::OneOf(values));
                }
            }
            _ => {}
        }
    }

    /// `a, b)` and nothing behind.
    fn list(&self, tokens: &[Token]) -> Option<Vec<String>> {
        let mut values = Vec::new();
        let mut rest = tokens;
        loop {
            let (value, behind) = self.value(rest)?;
            values.push(value);
            match behind {
                [comma, behind @ ..] if comma.is_symbol(self.sql, ",") => rest = behind,
                [close] if close.is_symbol(self.sql, ")") => return Some(values),
                _ => return None,
            }
        }
    }

    /// A column of the reference, in capitals, and what follows.
    fn column<'t>(&self, tokens: &'t [Token]) -> Option<(String, &'t [Token])> {
        let is_point = |token: &Token| token.is_symbol(self.sql, ".");
        let name = |token: &Token| name_of(self.sql, token).to_ascii_uppercase();
        match tokens {
            [schema, one, table, two, column, rest @ ..]
                if is_point(one)
                    && is_point(two)
                    && name(schema) == "INFORMATION_SCHEMA"
                    && name(table) == self.alias.to_ascii_uppercase() =>
            {
                Some((name(column), rest))
            }
            [table, point, column, rest @ ..]
                if is_point(point)
                    && table.is_name()
                    && name(table) == self.alias.to_ascii_uppercase() =>
            {
                Some((name(column), rest))
            }
            [column, rest @ ..] if self.alone && column.is_name() => Some((name(column), rest)),
            _ => None,
        }
    }

    /// A text, and what follows; so is `DATABASE()` once its value stands in its place.
    fn value<'t>(&self, tokens: &'t [Token]) -> Option<(String, &'t [Token])> {
        let text = |token: &Token| {
            let bytes: Cow<'_, [u8]> = unquote(token.bytes(self.sql), &self.dialect);
            String::from_utf8(bytes.into_owned()).ok().filter(|text| text.is_ascii())
        };
        match tokens {
            [first, second, ..]
                if first.kind == TokenKind::String && second.kind == TokenKind::String =>
            {
                None
            }
            [first, rest @ ..] if first.kind == TokenKind::String => Some((text(first)?, rest)),
            // What `look_back` writes: NULLIF(COALESCE('shop', DATABASE()), '')
            [null_if, _, coalesce, _, value, _, called, _, _, _, _, empty, _, rest @ ..]
                if null_if.is_word(self.sql, "NULLIF")
                    && coalesce.is_word(self.sql, "COALESCE")
                    && called.is_any(self.sql, &["DATABASE", "SCHEMA"])
                    && empty.bytes(self.sql) == b"''"
                    && value.kind == TokenKind::String =>
            {
                Some((text(value)?, rest))
            }
            _ => None,
        }
    }
}

impl Wanted {
    fn note(&mut self, column: &str, test: Test) {
        if SCHEMAS.contains(&column) {
            self.schemas.push(test);
        } else if TABLES.contains(&column) {
            self.tables.push(test);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::folded::references;
    use crate::sql::lex::{self, Limits};

    fn wanted(sql: &str, index: usize) -> Wanted {
        let sql = sql.as_bytes();
        let mut tokens = lex::tokens(sql, Dialect::default(), &Limits::default()).unwrap();
        tokens.retain(|token| !token.kind.is_trivia());
        let (found, _) = references(sql, &tokens, true);
        Wanted::of(sql, &tokens, &found[index], Dialect::default())
    }

    #[test]
    fn conditions_on_names_are_read() {
        for (sql, schema, table) in [
            ("SELECT * FROM tables WHERE table_schema = 'shop'", true, false),
            ("SELECT * FROM tables WHERE 'shop' = TABLE_SCHEMA AND table_name='a'", true, true),
            ("SELECT * FROM tables t WHERE (t.table_name IN ('a', 'b')) ORDER BY 1", false, true),
            ("SELECT * FROM tables WHERE table_name LIKE 'a%' GROUP BY 1", false, true),
            ("SELECT * FROM tables WHERE table_schema = 'x' OR table_name = 'a'", false, false),
            ("SELECT * FROM tables WHERE NOT table_name = 'a'", false, false),
            (
                "SELECT * FROM tables WHERE table_schema = 'x' AND table_name NOT IN ('a')",
                true,
                false,
            ),
            (
                "SELECT * FROM tables WHERE table_schema BETWEEN 'a' AND table_name = 'b'",
                false,
                false,
            ),
            ("SELECT * FROM tables WHERE table_name = 'a' 'b'", false, false),
            ("SELECT * FROM tables WHERE table_name = 'a' COLLATE utf8mb3_bin", false, false),
            ("SELECT * FROM tables, columns c WHERE table_schema = 'x'", false, false),
            (
                "SELECT * FROM tables JOIN columns c USING (a) WHERE tables.table_schema = 'x'",
                true,
                false,
            ),
            (
                "SELECT (SELECT 1 FROM tables WHERE table_name = 'a') FROM columns WHERE table_schema = 'x'",
                false,
                true,
            ),
            ("SELECT * FROM (tables t JOIN columns c) WHERE t.table_name = 'a'", false, true),
            (
                "SELECT * FROM tables WHERE table_schema = NULLIF(COALESCE('shop', DATABASE()),'') AND 1",
                true,
                false,
            ),
            (
                "SELECT 1 UNION SELECT 2 FROM tables WHERE table_schema = 'x' UNION SELECT 3",
                true,
                false,
            ),
        ] {
            let wanted = wanted(sql, 0);
            assert_eq!(
                (!wanted.schemas.is_empty(), !wanted.tables.is_empty()),
                (schema, table),
                "{sql}: {wanted:?}"
            );
        }
    }

    #[test]
    fn names_that_a_collation_may_find_equal_stay() {
        let wanted = wanted("SELECT * FROM tables WHERE table_name = 'Users '", 0);
        assert!(wanted.table("users") && wanted.table("üsers") && !wanted.table("user"));
        assert_eq!(wanted.listed(), Some(&["Users ".to_owned()][..]));
    }
}
