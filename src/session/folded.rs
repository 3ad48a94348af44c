//! information_schema in a statement: where it is read.
//!
//! Owns: finding the references to its tables in a statement's tokens. Never: knows what they show
//! ([`super::system`] does), or asks a server.

use std::ops::Range;

use crate::sql::token::{Token, TokenKind};

/// A table of information_schema in a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// What is replaced.
    pub range: Range<usize>,
    /// The table's name as written.
    pub name: String,
    /// What columns are qualified with: the alias, or the name.
    pub alias: String,
    /// The statement gives no alias.
    pub bare: bool,
    /// The place of the table's token among those that aren't trivia.
    pub place: usize,
    /// Parentheses stand around it alone.
    pub enclosed: bool,
}

/// The references of a statement, and the places of a schema and its point before a qualified
/// column, which an alias does without. `inside`: names without a schema are of information_schema.
pub fn references(
    sql: &[u8],
    tokens: &[Token],
    inside: bool,
) -> (Vec<Reference>, Vec<Range<usize>>) {
    let significant: Vec<Token> =
        tokens.iter().filter(|token| !token.kind.is_trivia()).copied().collect();
    let (mut found, mut cut) = (Vec::new(), Vec::new());
    let shows =
        significant.first().is_some_and(|token| token.is_any(sql, &["SHOW", "DESCRIBE", "DESC"]));
    if shows {
        return (found, cut);
    }
    let point =
        |place: usize| significant.get(place).is_some_and(|token| token.is_symbol(sql, "."));
    let mut places: Vec<(usize, usize)> = Vec::new();
    let mut place = 0;
    while let Some(token) = significant.get(place) {
        let after_point = place > 0 && point(place - 1);
        let of_schema = token.is_name()
            && !after_point
            && name_of(sql, token).eq_ignore_ascii_case("information_schema")
            && point(place + 1);
        let table = significant.get(place + 2).filter(|table| of_schema && table.is_name());
        match table {
            Some(table) if point(place + 3) => cut.push(token.range().start..table.range().start),
            Some(_) => places.push((place, place + 2)),
            None => {}
        }
        place += if table.is_some() { 3 } else { 1 };
    }
    if inside {
        let common = common_tables(sql, &significant);
        for place in unqualified(sql, &significant) {
            let name = significant.get(place).map(|token| name_of(sql, token)).unwrap_or_default();
            if !common.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                places.push((place, place));
            }
        }
        places.sort_unstable();
    }
    for (first, last) in places {
        let (Some(begin), Some(table)) = (significant.get(first), significant.get(last)) else {
            continue;
        };
        let next = |further: usize| significant.get(last + further);
        let bare = !next(1).is_some_and(|next| is_alias(sql, next));
        let alias = match next(1) {
            _ if bare => name_of(sql, table),
            Some(word) if word.is_word(sql, "AS") => {
                next(2).map(|alias| name_of(sql, alias)).unwrap_or_default()
            }
            alias => alias.map(|alias| name_of(sql, alias)).unwrap_or_default(),
        };
        let behind = match next(1) {
            _ if bare => next(1),
            Some(word) if word.is_word(sql, "AS") => next(3),
            _ => next(2),
        };
        let before = first.checked_sub(1).and_then(|before| significant.get(before));
        let is = |token: Option<&Token>, symbol| token.is_some_and(|it| it.is_symbol(sql, symbol));
        let enclosed = is(before, "(") && is(behind, ")");
        let range = begin.range().start..table.range().end;
        let name = name_of(sql, table);
        found.push(Reference { range, name, alias, bare, place: last, enclosed });
    }
    (found, cut)
}

/// The tokens that are tables without a schema, wherever FROM lists them.
fn unqualified(sql: &[u8], tokens: &[Token]) -> Vec<usize> {
    /// What a parenthesis holds.
    #[derive(Clone, Copy, Default)]
    struct Level {
        /// A query, whose FROM lists tables: `EXTRACT(YEAR FROM d)` is none.
        query: bool,
        /// The list of tables has begun and isn't over.
        lists: bool,
        /// A table comes next.
        expects: bool,
    }
    let mut levels = vec![Level { query: true, ..Level::default() }];
    let mut found = Vec::new();
    for (place, token) in tokens.iter().enumerate() {
        let next = tokens.get(place + 1);
        let inner = levels.len() > 1;
        let Some(level) = levels.last_mut() else { break };
        match token.symbol(sql) {
            b"(" => {
                let opened =
                    Level { query: level.expects, lists: level.expects, expects: level.expects };
                level.expects = false;
                levels.push(opened);
                continue;
            }
            b")" if inner => {
                levels.pop();
                continue;
            }
            b"," => {
                level.expects = level.lists;
                continue;
            }
            _ => {}
        }
        if token.is_any(sql, &["SELECT", "WITH", "VALUES"]) {
            *level = Level { query: true, ..Level::default() };
        } else if token.is_word(sql, "FROM") && level.query {
            *level = Level { lists: true, expects: true, ..*level };
        } else if token.is_any(sql, &["JOIN", "STRAIGHT_JOIN"]) && level.lists {
            level.expects = true;
        } else if level.expects && !token.is_word(sql, "LATERAL") {
            level.expects = false;
            let other =
                next.is_some_and(|next| next.is_symbol(sql, ".") || next.is_symbol(sql, "("));
            if token.is_name() && !other {
                found.push(place);
            }
        } else if token.is_any(sql, &ENDS_FROM) {
            level.lists = false;
        }
    }
    found
}

/// Behind these no more tables are listed; ON and USING belong to one of them.
const ENDS_FROM: [&str; 10] = [
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "UNION",
    "WINDOW",
    "EXCEPT",
    "INTERSECT",
    "INTO",
];

/// The names that WITH gives: `name AS (` or `name (columns) AS (`.
fn common_tables(sql: &[u8], tokens: &[Token]) -> Vec<String> {
    let mut names = Vec::new();
    if !tokens.iter().any(|token| token.is_word(sql, "WITH")) {
        return names;
    }
    for (place, token) in tokens.iter().enumerate().filter(|(_, token)| token.is_name()) {
        let before = place.checked_sub(1).and_then(|before| tokens.get(before));
        let begins = before.is_some_and(|before| {
            before.is_any(sql, &["WITH", "RECURSIVE"]) || before.is_symbol(sql, ",")
        });
        let mut next = place + 1;
        if tokens.get(next).is_some_and(|token| token.is_symbol(sql, "(")) {
            let inside = |token: &&Token| token.depth > tokens.get(place).map_or(0, |t| t.depth);
            next += 1 + tokens.iter().skip(next + 1).take_while(inside).count();
            next += usize::from(tokens.get(next).is_some_and(|token| token.is_symbol(sql, ")")));
        }
        let defined = tokens.get(next).is_some_and(|token| token.is_word(sql, "AS"))
            && tokens.get(next + 1).is_some_and(|token| token.is_symbol(sql, "("));
        if begins && defined {
            names.push(name_of(sql, token));
        }
    }
    names
}

const CLAUSES: [&str; 13] = [
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "UNION",
    "WINDOW",
    "ON",
    "USING",
    "SELECT",
    "EXCEPT",
    "INTERSECT",
    "INTO",
];

/// Whether the token behind a table is `AS` or an alias itself.
fn is_alias(sql: &[u8], token: &Token) -> bool {
    const OTHER: [&str; 13] = [
        "JOIN",
        "INNER",
        "LEFT",
        "RIGHT",
        "CROSS",
        "NATURAL",
        "STRAIGHT_JOIN",
        "FOR",
        "LOCK",
        "USE",
        "FORCE",
        "IGNORE",
        "PROCEDURE",
    ];
    token.is_name() && !token.is_any(sql, &CLAUSES) && !token.is_any(sql, &OTHER)
}

fn name_of(sql: &[u8], token: &Token) -> String {
    match token.kind {
        TokenKind::QuotedName => crate::sql::literal::name_of(sql, token),
        _ => String::from_utf8_lossy(token.bytes(sql)).into_owned(),
    }
}

/// A text literal that no sql_mode reads otherwise: names with a backslash are written in hex.
pub(super) fn text(name: &str) -> String {
    if name.contains('\\') {
        let hex: String = name.bytes().map(|byte| format!("{byte:02X}")).collect();
        return format!("_utf8mb4 0x{hex}");
    }
    format!("'{}'", name.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lex::{self, Dialect, Limits};

    fn found(sql: &str, inside: bool) -> (Vec<(String, bool)>, usize) {
        let tokens = lex::tokens(sql.as_bytes(), Dialect::default(), &Limits::default()).unwrap();
        let (found, cut) = references(sql.as_bytes(), &tokens, inside);
        (found.into_iter().map(|one| (one.name, one.bare)).collect(), cut.len())
    }

    #[test]
    fn references_are_found_with_and_without_their_aliases() {
        let one = |name: &str, bare| vec![(name.to_owned(), bare)];
        assert_eq!(
            found("SELECT * FROM information_schema.tables WHERE 1", false),
            (one("tables", true), 0)
        );
        assert_eq!(
            found("SELECT * FROM `INFORMATION_SCHEMA`.`TABLES` AS t", false),
            (one("TABLES", false), 0)
        );
        assert_eq!(
            found("SELECT * FROM INFORMATION_SCHEMA.TABLES t JOIN x", false),
            (one("TABLES", false), 0)
        );
        assert_eq!(
            found("SELECT information_schema.tables.x FROM information_schema.tables", false),
            (one("tables", true), 1)
        );
        assert_eq!(found("SELECT table_name FROM tables, columns c WHERE a, b", true).0.len(), 2);
        assert_eq!(found("SELECT table_name FROM tables", false).0.len(), 0);
        for sql in [
            "SELECT info FROM (processlist)",
            "SELECT info FROM ((processlist))",
            "SELECT info FROM tables JOIN (processlist) ON 1",
            "SELECT info FROM (tables, processlist)",
            "SELECT info FROM tables t, (SELECT 1 FROM columns) AS c, processlist",
            "SELECT (SELECT info FROM processlist LIMIT 1), EXTRACT(YEAR FROM now()) FROM tables",
            "SELECT info FROM tables LEFT JOIN columns USING (a), processlist AS p",
            "SELECT 1 UNION (SELECT info FROM processlist)",
            "WITH x AS (SELECT info FROM processlist) SELECT info FROM x",
        ] {
            let (names, _) = found(sql, true);
            assert!(names.iter().any(|(name, _)| name == "processlist"), "{sql}: {names:?}");
            assert!(!names.iter().any(|(name, _)| name == "x"), "{sql}: {names:?}");
        }
        let (names, _) =
            found("WITH a AS (SELECT 1), b (c, d) AS (SELECT 1, 2) SELECT * FROM a, b", true);
        assert_eq!(names, vec![]);
        assert_eq!(found("SELECT name FROM shop.users WHERE user_id = 7", true).0.len(), 0);
        assert_eq!(found("SHOW COLUMNS FROM information_schema.tables", false).0.len(), 0);
    }
}
