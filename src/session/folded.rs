//! information_schema over logical names: its tables, cut into a statement as derived tables.
//!
//! Owns: finding the references, and the text that stands in their place. Never: asks a server
//! ([`super::system`] does).
//!
//! `information_schema.TABLES` becomes `(SELECT …, CASE … END AS TABLE_NAME, … FROM
//! information_schema.TABLES WHERE …) AS TABLES`: one shard stands for its logical table, under
//! its logical name, and nothing else of the servers is seen. What a shard counts (rows, bytes)
//! is its own.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::sql::token::{Token, TokenKind};

/// What is where on the server that is asked.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    /// Physical databases and the schemas that they are.
    pub databases: Vec<(String, String)>,
    /// Physical databases whose undeclared tables are tables of the schema.
    pub homes: Vec<String>,
    /// Physical database, physical table, logical table.
    pub tables: Vec<(String, String, String)>,
    /// Tables in `homes` that are parts of logical ones.
    pub parts: Vec<(String, String)>,
}

/// A table of information_schema in a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// What is replaced.
    pub range: Range<usize>,
    /// The table's name as written.
    pub name: String,
    /// The statement gives no alias.
    pub bare: bool,
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
        let bare = !significant.get(last + 1).is_some_and(|next| is_alias(sql, next));
        let range = begin.range().start..table.range().end;
        found.push(Reference { range, name: name_of(sql, table), bare });
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

/// Tables that speak of the server alone and are the same on each.
const UNCHANGED: [&str; 20] = [
    "CHARACTER_SETS",
    "COLLATIONS",
    "COLLATION_CHARACTER_SET_APPLICABILITY",
    "ENGINES",
    "PLUGINS",
    "KEYWORDS",
    "SQL_FUNCTIONS",
    "GLOBAL_VARIABLES",
    "SESSION_VARIABLES",
    "GLOBAL_STATUS",
    "SESSION_STATUS",
    "SYSTEM_VARIABLES",
    "RESOURCE_GROUPS",
    "ST_SPATIAL_REFERENCE_SYSTEMS",
    "ST_UNITS_OF_MEASURE",
    "SPATIAL_REF_SYS",
    "PROFILING",
    "APPLICABLE_ROLES",
    "ENABLED_ROLES",
    "OPTIMIZER_TRACE",
];

/// Tables of which nothing is a client's: files of shards, rights of Weir's own account.
const EMPTY: [&str; 8] = [
    "FILES",
    "USER_PRIVILEGES",
    "SCHEMA_PRIVILEGES",
    "TABLE_PRIVILEGES",
    "COLUMN_PRIVILEGES",
    "TABLESPACES",
    "USER_ATTRIBUTES",
    "ROLE_TABLE_GRANTS",
];

/// Whether a table is left as it is.
pub fn is_unchanged(table: &str) -> bool {
    UNCHANGED.iter().any(|known| known.eq_ignore_ascii_case(table))
}

/// The derived table that stands for one of information_schema, in parentheses.
///
/// # Errors
/// A refusal, for a table that shows what isn't the client's.
pub fn derived(table: &str, columns: &[String], mapping: &Mapping) -> Result<String> {
    let upper = table.to_ascii_uppercase();
    let column = |wanted: &[&str]| {
        let found = wanted
            .iter()
            .find_map(|name| columns.iter().find(|column| column.eq_ignore_ascii_case(name)));
        found.map(|column| format!("`{column}`"))
    };
    let database = column(&["TABLE_SCHEMA", "EVENT_OBJECT_SCHEMA", "CONSTRAINT_SCHEMA"]);
    let name = column(&["TABLE_NAME", "EVENT_OBJECT_TABLE"]);
    let of_schema =
        columns.iter().find(|column| is_schema(column)).map(|column| format!("`{column}`"));
    let filter = match (&database, &name, of_schema) {
        _ if EMPTY.contains(&upper.as_str()) => "FALSE".to_owned(),
        (Some(database), Some(name), _) => of_tables(database, name, mapping),
        (_, _, Some(schema)) => {
            let shown = mapping.homes.iter().map(String::as_str).chain(["information_schema"]);
            format!("{schema} IN ({})", list(shown))
        }
        _ => {
            return Err(Error::refused(
                "information_schema",
                format!(
                    "information_schema.{table} speaks of the servers behind Weir and is not shown here: \
                     ask a server itself (for clients, SHOW PROCESSLIST)"
                ),
            ));
        }
    };
    let shown = columns.iter().map(|column| {
        let quoted = format!("`{column}`");
        if is_schema(column) {
            return format!("{} AS {quoted}", schema_of(&quoted, mapping));
        }
        match (&database, is_table(column)) {
            (Some(database), true) => {
                format!("{} AS {quoted}", table_of(database, &quoted, mapping))
            }
            _ => quoted,
        }
    });
    let shown: Vec<String> = shown.collect();
    Ok(format!("(SELECT {} FROM information_schema.`{upper}` WHERE {filter})", shown.join(",")))
}

fn is_schema(column: &str) -> bool {
    let column = column.to_ascii_uppercase();
    column.ends_with("_SCHEMA") || column == "SCHEMA_NAME"
}

fn is_table(column: &str) -> bool {
    let column = column.to_ascii_uppercase();
    matches!(column.as_str(), "TABLE_NAME" | "EVENT_OBJECT_TABLE" | "REFERENCED_TABLE_NAME")
}

fn schema_of(column: &str, mapping: &Mapping) -> String {
    let cases = mapping.databases.iter().filter(|(physical, schema)| physical != schema);
    let cases: String = cases
        .map(|(physical, schema)| format!(" WHEN {} THEN {}", text(physical), text(schema)))
        .collect();
    case(column, &cases)
}

fn table_of(database: &str, column: &str, mapping: &Mapping) -> String {
    let cases = mapping.tables.iter().filter(|(_, physical, table)| physical != table);
    let cases: String = cases
        .map(|(place, physical, table)| {
            format!(" WHEN {} THEN {}", text(&format!("{place}.{physical}")), text(table))
        })
        .collect();
    match cases.is_empty() {
        true => column.to_owned(),
        false => format!("CASE CONCAT({database},'.',{column}){cases} ELSE {column} END"),
    }
}

fn case(column: &str, cases: &str) -> String {
    match cases.is_empty() {
        true => column.to_owned(),
        false => format!("CASE {column}{cases} ELSE {column} END"),
    }
}

fn of_tables(database: &str, name: &str, mapping: &Mapping) -> String {
    let pairs = |all: &mut dyn Iterator<Item = (&String, &String)>| {
        let pairs: Vec<String> =
            all.map(|(place, table)| format!("({},{})", text(place), text(table))).collect();
        pairs.join(",")
    };
    let mut filter = format!("{database} = 'information_schema'");
    let shown = pairs(&mut mapping.tables.iter().map(|(place, table, _)| (place, table)));
    if !shown.is_empty() {
        filter.push_str(&format!(" OR ({database},{name}) IN ({shown})"));
    }
    if !mapping.homes.is_empty() {
        let homes = list(mapping.homes.iter().map(String::as_str));
        filter.push_str(&format!(" OR {database} IN ({homes})"));
        let parts = pairs(&mut mapping.parts.iter().map(|(place, table)| (place, table)));
        if !parts.is_empty() {
            filter.push_str(&format!(" AND ({database},{name}) NOT IN ({parts})"));
        }
    }
    filter
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(text).collect::<Vec<_>>().join(",")
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

    #[test]
    fn a_shard_stands_for_its_table_and_the_others_are_hidden() {
        let mapping = Mapping {
            databases: vec![("shop_0".into(), "shop".into())],
            homes: vec!["shop_0".into()],
            tables: vec![("shop_0".into(), "users_0".into(), "users".into())],
            parts: vec![("shop_0".into(), "users_0".into()), ("shop_0".into(), "users_1".into())],
        };
        let columns = ["TABLE_SCHEMA", "TABLE_NAME", "ENGINE"].map(str::to_owned);
        assert_eq!(
            derived("tables", &columns, &mapping).unwrap(),
            "(SELECT CASE `TABLE_SCHEMA` WHEN 'shop_0' THEN 'shop' ELSE `TABLE_SCHEMA` END AS `TABLE_SCHEMA`,\
             CASE CONCAT(`TABLE_SCHEMA`,'.',`TABLE_NAME`) WHEN 'shop_0.users_0' THEN 'users' ELSE `TABLE_NAME` END \
             AS `TABLE_NAME`,`ENGINE` FROM information_schema.`TABLES` WHERE `TABLE_SCHEMA` = 'information_schema' \
             OR (`TABLE_SCHEMA`,`TABLE_NAME`) IN (('shop_0','users_0')) OR `TABLE_SCHEMA` IN ('shop_0') \
             AND (`TABLE_SCHEMA`,`TABLE_NAME`) NOT IN (('shop_0','users_0'),('shop_0','users_1')))"
        );
        assert!(derived("PROCESSLIST", &["ID".to_owned(), "INFO".to_owned()], &mapping).is_err());
    }
}
