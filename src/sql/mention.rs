//! Which tables a statement may name, from tokens alone.
//!
//! Owns: finding names in the statements that no parser reads. Never: decides whether one is a
//! table: a caller compares with its rules. It errs on the side of too many.

use std::ops::Range;

use crate::sql::literal::name_of;
use crate::sql::token::{Token, TokenKind};

/// A name that may be a table's, from tokens: `[schema .] name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// Unquoted; bytes that are not UTF-8 are replaced by U+FFFD, which no rule's name contains.
    pub schema: Option<String>,
    pub name: String,
    /// The whole name in the statement, qualifier included.
    pub range: Range<usize>,
}

/// Every name of the statement that may be a table's: each unquoted or quoted name (of `a.b` and
/// `a.b.c`, both `a.b` and `a`, for it may be a schema and a table or a table and a column), in
/// the statement's order. Keywords, functions and columns are among them; no table is missed,
/// whatever the statement, except one whose name is put together at run time.
pub fn mentioned_names(sql: &[u8], tokens: &[Token]) -> Vec<Mention> {
    let significant: Vec<&Token> = tokens.iter().filter(|token| !token.kind.is_trivia()).collect();
    let mut names = Vec::new();
    let mut at = 0;
    while let Some(first) = significant.get(at) {
        if !first.is_name() {
            at += 1;
            continue;
        }
        let mut parts = vec![*first];
        while significant.get(at + 1).is_some_and(|dot| dot.is_symbol(sql, "."))
            && significant.get(at + 2).is_some_and(|name| name.is_name())
        {
            parts.extend(significant.get(at + 2));
            at += 2;
        }
        at += 1;
        push_readings(sql, &parts, &mut names);
    }
    names
}

fn push_readings(sql: &[u8], parts: &[&Token], names: &mut Vec<Mention>) {
    match parts {
        [name] => names.push(mention(sql, None, name)),
        [first, second, ..] => {
            names.push(mention(sql, Some(first), second));
            names.push(mention(sql, None, first));
        }
        [] => {}
    }
}

fn mention(sql: &[u8], schema: Option<&Token>, name: &Token) -> Mention {
    let start = schema.map_or(name.start, |schema| schema.start) as usize;
    Mention {
        schema: schema.map(|schema| name_of(sql, schema)),
        name: name_of(sql, name),
        range: start..name.end as usize,
    }
}

/// The tables that a statement names at the places where its grammar has tables, as far as tokens
/// tell: behind FROM, JOIN, INTO, UPDATE, TABLE, TABLES, HANDLER, REFERENCES, and where the
/// statement has them TO, LIKE, ON; and in the lists that begin there. For statements that are
/// rewritten from tokens: check against [`mentioned_names`] that no table that matters stands
/// elsewhere.
pub fn table_names(sql: &[u8], tokens: &[Token]) -> Vec<Mention> {
    let significant: Vec<&Token> = tokens.iter().filter(|token| !token.kind.is_trivia()).collect();
    let places = Places::of(sql, &significant);
    let mut names = Vec::new();
    // For each open parenthesis, whether a SELECT stands in it: `EXTRACT(YEAR FROM d)` has none.
    let mut selects = vec![true];
    // The depths of lists of tables: a comma there brings another one.
    let mut lists: Vec<u16> = Vec::new();
    let mut at = 0;
    while let Some(token) = significant.get(at) {
        at += 1;
        match token.symbol(sql) {
            b"(" => selects.push(false),
            b")" if selects.len() > 1 => {
                selects.pop();
                lists.retain(|depth| *depth <= token.depth);
            }
            _ => {}
        }
        if token.is_word(sql, "SELECT")
            && let Some(here) = selects.last_mut()
        {
            *here = true;
        }
        let before = at.checked_sub(2).and_then(|before| significant.get(before));
        let select = selects.last().copied().unwrap_or(true);
        let opens = token.kind == TokenKind::Word
            && !before.is_some_and(|dot| dot.is_symbol(sql, "."))
            && places.opens(sql, token, before.copied(), select);
        let continues = token.is_symbol(sql, ",") && lists.contains(&token.depth);
        if !opens && !continues {
            if token.is_any(sql, ENDS_LIST) {
                lists.retain(|depth| *depth < token.depth);
            }
            continue;
        }
        let lists_more = continues || places.lists(sql, token);
        if lists_more {
            lists.push(token.depth);
        }
        while let Some(next) = significant.get(at) {
            // `FROM (a, b)`, `FROM ((a JOIN b))`.
            if next.is_symbol(sql, "(") {
                selects.push(true);
            } else if !next.is_any(sql, BETWEEN) {
                break;
            }
            at += 1;
        }
        let is_table =
            |name: &&&Token| name.is_name() && !name.is_any(sql, &["SELECT", "WITH", "VALUES"]);
        let Some(first) = significant.get(at).filter(is_table) else { continue };
        if lists_more {
            lists.push(first.depth);
        }
        at += 1;
        match (significant.get(at), significant.get(at + 1)) {
            (Some(dot), Some(second)) if dot.is_symbol(sql, ".") && second.is_name() => {
                names.push(mention(sql, Some(first), second));
                at += 2;
            }
            _ => names.push(mention(sql, None, first)),
        }
    }
    names
}

const ENDS_LIST: &[&str] = &[
    "WHERE",
    "SET",
    "VALUES",
    "VALUE",
    "SELECT",
    "GROUP",
    "ORDER",
    "HAVING",
    "LIMIT",
    "ADD",
    "DROP",
    "MODIFY",
    "CHANGE",
    "FIELDS",
    "COLUMNS",
    "LINES",
    "ENGINE",
    "COMMENT",
    "HISTOGRAM",
];

/// Words that may stand between the opening word and the name.
const BETWEEN: &[&str] = &[
    "IF",
    "NOT",
    "EXISTS",
    "LOW_PRIORITY",
    "IGNORE",
    "DELAYED",
    "HIGH_PRIORITY",
    "QUICK",
    "ONLY",
    "TABLE",
    "TABLES",
];

/// Where a statement has tables, by its first words.
struct Places {
    /// Where the LIKE of `CREATE TABLE a LIKE b` stands.
    like: Option<u32>,
    /// `REORGANIZE PARTITION p INTO (…)`: INTO names no table.
    alter: bool,
    /// `ANALYZE TABLE t UPDATE HISTOGRAM ON a`.
    analyze: bool,
    /// RENAME TABLE a TO b, ALTER TABLE a RENAME TO b.
    to: bool,
    /// CREATE INDEX i ON t, CREATE TRIGGER … ON t.
    on: bool,
    /// TRUNCATE t.
    truncate: bool,
    handler: bool,
    /// CREATE SEQUENCE s.
    sequence: bool,
    /// CREATE and ALTER are about one table: what follows a comma is another part of them.
    one: bool,
}

impl Places {
    fn of(sql: &[u8], significant: &[&Token]) -> Self {
        let first = |word: &str| significant.first().is_some_and(|token| token.is_word(sql, word));
        let early =
            |words: &[&str]| significant.iter().take(12).any(|token| token.is_any(sql, words));
        let definition = first("CREATE") || first("DROP") || first("ALTER");
        Places {
            like: like(sql, significant),
            alter: first("ALTER"),
            analyze: first("ANALYZE"),
            to: first("RENAME") || first("ALTER"),
            on: definition && early(&["INDEX", "TRIGGER"]) && !early(&["TABLE"]),
            truncate: first("TRUNCATE"),
            handler: first("HANDLER"),
            sequence: definition
                && significant
                    .iter()
                    .find(|token| {
                        !token
                            .is_any(sql, &["CREATE", "OR", "REPLACE", "TEMPORARY", "ALTER", "DROP"])
                    })
                    .is_some_and(|token| token.is_word(sql, "SEQUENCE")),
            one: first("CREATE") || first("ALTER"),
        }
    }

    /// Whether further tables may follow behind commas.
    fn lists(&self, sql: &[u8], token: &Token) -> bool {
        let one = self.one && token.is_any(sql, &["TABLE", "LIKE", "ON", "TO", "SEQUENCE"]);
        !one && !token.is_word(sql, "REFERENCES")
    }

    fn opens(&self, sql: &[u8], token: &Token, before: Option<&Token>, select: bool) -> bool {
        let after = |words: &[&str]| before.is_some_and(|before| before.is_any(sql, words));
        if token.is_word(sql, "FROM") {
            return select;
        }
        if token.is_word(sql, "UPDATE") {
            // FOR UPDATE, ON DUPLICATE KEY UPDATE, ON UPDATE CASCADE.
            let histogram = self.analyze
                && before.is_some_and(|before| before.is_name())
                && !after(&["ANALYZE"]);
            return !after(&["FOR", "KEY", "ON"]) && !histogram;
        }
        if token.is_word(sql, "INTO") {
            return !self.alter;
        }
        token.is_any(sql, &["JOIN", "STRAIGHT_JOIN", "TABLE", "TABLES", "REFERENCES"])
            || self.like == Some(token.start)
            || (self.to && token.is_word(sql, "TO"))
            || (self.on && token.is_word(sql, "ON"))
            || (self.truncate && token.is_word(sql, "TRUNCATE"))
            || (self.handler && token.is_word(sql, "HANDLER"))
            || (self.sequence && token.is_word(sql, "SEQUENCE"))
    }
}

/// `CREATE TABLE [IF NOT EXISTS] name [(] LIKE`: elsewhere LIKE compares.
fn like(sql: &[u8], significant: &[&Token]) -> Option<u32> {
    significant.first().filter(|token| token.is_word(sql, "CREATE"))?;
    let table = significant.iter().take(8).position(|token| token.is_word(sql, "TABLE"))?;
    let mut rest = significant.get(table + 1..)?.iter();
    let mut token = rest.next()?;
    while token.is_any(sql, &["IF", "NOT", "EXISTS"]) {
        token = rest.next()?;
    }
    token = rest.next()?;
    if token.is_symbol(sql, ".") {
        rest.next()?;
        token = rest.next()?;
    }
    if token.is_symbol(sql, "(") {
        token = rest.next()?;
    }
    token.is_word(sql, "LIKE").then_some(token.start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lex::{Dialect, Limits, tokens};

    fn names(sql: &str) -> Vec<String> {
        let tokens = tokens(sql.as_bytes(), Dialect::default(), &Limits::default()).unwrap();
        table_names(sql.as_bytes(), &tokens).into_iter().map(|one| one.name).collect()
    }

    #[test]
    fn words_that_open_a_table_elsewhere_open_none_here() {
        for (sql, expected) in [
            (
                "ALTER TABLE pt REORGANIZE PARTITION p1 INTO (PARTITION p2 VALUES LESS THAN (9))",
                "pt",
            ),
            ("CREATE TABLE u (a INT, b INT, CHECK (a LIKE b))", "u"),
            ("CREATE TABLE u (a INT, g INT AS (a LIKE b))", "u"),
            ("ANALYZE TABLE t UPDATE HISTOGRAM ON a, b WITH 8 BUCKETS", "t"),
            ("CREATE TABLE IF NOT EXISTS s.u LIKE v", "u v"),
            ("CREATE TEMPORARY TABLE u (LIKE v)", "u v"),
            ("CREATE TABLE u (a INT REFERENCES v (a))", "u v"),
        ] {
            assert_eq!(names(sql).join(" "), expected, "{sql}");
        }
    }
}
