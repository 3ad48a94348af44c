//! The questions: what information_schema is asked of a list of physical tables.
//!
//! Owns: the SQL and the plain rows. Never: makes sense of them ([`super::read`] does).
//!
//! Each table is its own branch of a UNION with constants for database and name: servers open only
//! the tables named so, while an IN list makes MariaDB open all that it has.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};
use tokio::time::timeout;

use crate::backend::catalog::Physical;
use crate::backend::control;
use crate::backend::node::Node;
use crate::backend::spec::Account;
use crate::backend::version::{Kind, Version};
use crate::error::Result;

/// A row as text.
pub(super) type Line = Vec<Option<String>>;

/// What a server says of some tables.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) kind: Option<Kind>,
    /// Whether names differ by case (lower_case_table_names = 0).
    pub(super) exact: bool,
    /// schema, table, type, engine, collation
    pub(super) tables: Vec<Line>,
    /// schema, table, column, type, collation, nullable, default, extra
    pub(super) columns: Vec<Line>,
    /// schema, table, index, non-unique, column, prefix
    pub(super) keys: Vec<Line>,
    /// schema, table, trigger, timing, event
    pub(super) triggers: Vec<Line>,
    /// schema, table, type
    pub(super) constraints: Vec<Line>,
    /// schema, table, rule of ON UPDATE, rule of ON DELETE
    pub(super) references: Vec<Line>,
    /// schema, table, definition, security, collation, its character set, whether it is the default
    pub(super) views: Vec<Line>,
}

impl Facts {
    /// The same from SHOW FULL COLUMNS (name, type, collation, nullable, key, default, extra) and SHOW
    /// INDEX (table, non-unique, index, place, column, collation, cardinality, prefix).
    pub(super) fn shown(
        physical: &Physical,
        is_mariadb: bool,
        columns: &[Line],
        keys: &[Line],
    ) -> Facts {
        let of = |line: &Line, places: &[usize]| -> Line {
            let own = [Some(physical.database.to_string()), Some(physical.table.to_string())];
            let told = places.iter().map(|place| line.get(*place).cloned().flatten());
            own.into_iter().chain(told).collect()
        };
        let column = |line: &Line| {
            let mut line = of(line, &[0, 1, 2, 3, 5, 6]);
            // MariaDB shows the value here, and an expression only where it is one.
            if let Some(Some(default)) = line.get_mut(6)
                && is_mariadb
                && !default.ends_with(')')
                && !default.to_ascii_lowercase().starts_with("current_timestamp")
            {
                *default = format!("'{}'", default.replace('\\', "\\\\").replace('\'', "''"));
            }
            line
        };
        Facts {
            kind: Some(if is_mariadb { Kind::MariaDb } else { Kind::MySql }),
            exact: true,
            tables: vec![of(&vec![Some("BASE TABLE".to_owned())], &[0])],
            columns: columns.iter().map(column).collect(),
            keys: keys.iter().map(|line| of(line, &[2, 1, 4, 7])).collect(),
            ..Facts::default()
        }
    }
}

const TABLES: &str = "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_COLLATION \
    FROM information_schema.TABLES WHERE TABLE_SCHEMA = {d} AND TABLE_NAME = {t}";
const COLUMNS: &str = "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, COLLATION_NAME, \
    IS_NULLABLE, COLUMN_DEFAULT, EXTRA, ORDINAL_POSITION AS place \
    FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {d} AND TABLE_NAME = {t}";
const KEYS: &str = "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, NON_UNIQUE, COLUMN_NAME, \
    SUB_PART, SEQ_IN_INDEX AS place \
    FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = {d} AND TABLE_NAME = {t}";
const TRIGGERS: &str = "SELECT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, TRIGGER_NAME, \
    ACTION_TIMING, EVENT_MANIPULATION, ACTION_STATEMENT \
    FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = {d} AND EVENT_OBJECT_TABLE = {t}";
const CONSTRAINTS: &str = "SELECT TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_TYPE \
    FROM information_schema.TABLE_CONSTRAINTS WHERE TABLE_SCHEMA = {d} AND TABLE_NAME = {t}";
const REFERENCES: &str = "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, UPDATE_RULE, DELETE_RULE \
    FROM information_schema.REFERENTIAL_CONSTRAINTS \
    WHERE CONSTRAINT_SCHEMA = {d} AND TABLE_NAME = {t}";
/// An account without the right SHOW VIEW gets an empty definition.
const VIEWS: &str = "SELECT TABLE_SCHEMA, TABLE_NAME, VIEW_DEFINITION, SECURITY_TYPE, \
    COLLATION_CONNECTION, \
    (SELECT MAX(c.CHARACTER_SET_NAME) FROM information_schema.COLLATIONS c \
     WHERE c.COLLATION_NAME = COLLATION_CONNECTION), \
    (SELECT MAX(c.IS_DEFAULT) FROM information_schema.COLLATIONS c \
     WHERE c.COLLATION_NAME = COLLATION_CONNECTION) \
    FROM information_schema.VIEWS WHERE TABLE_SCHEMA = {d} AND TABLE_NAME = {t}";
/// MariaDB lists the checks of columns here alone.
const CHECKS: &str = "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, 'CHECK' \
    FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = {d} AND TABLE_NAME = {t}";

/// Asks a node for what it says of these tables, on a connection of its own.
pub(super) async fn tables(
    node: &Node,
    account: &Account,
    wanted: &[&Physical],
    bound: Duration,
) -> Result<Facts> {
    let mut control = control::connect(node, account, bound).await?;
    let answer = ask(node, &mut control, wanted, bound).await;
    // Whether the goodbye arrives doesn't matter.
    let _ = timeout(Duration::from_millis(100), control.disconnect()).await;
    answer
}

async fn ask(
    node: &Node,
    control: &mut Conn,
    wanted: &[&Physical],
    bound: Duration,
) -> Result<Facts> {
    // Names are written as string literals, which must mean the same whatever the server's modes.
    control::run(node, bound, control.query_drop("SET SESSION sql_mode = ''")).await?;
    let told: Option<(String, u64)> = control::run(
        node,
        bound,
        control.query_first("SELECT VERSION(), @@lower_case_table_names"),
    )
    .await?;
    let (version, case) = told.unwrap_or_default();
    let kind = Version::parse(&version).kind;
    let mut facts = Facts { kind: Some(kind), exact: case == 0, ..Facts::default() };
    facts.tables = lines(node, control, &question(TABLES, wanted, ""), bound).await?;
    if facts.tables.is_empty() {
        return Ok(facts);
    }
    let ordered = " ORDER BY 1, 2, place";
    facts.columns = lines(node, control, &question(COLUMNS, wanted, ordered), bound).await?;
    let ordered = " ORDER BY 1, 2, 3, place";
    facts.keys = lines(node, control, &question(KEYS, wanted, ordered), bound).await?;
    if facts.tables.iter().any(|line| line.get(2).is_some_and(is_view)) {
        facts.views = lines(node, control, &question(VIEWS, wanted, ""), bound).await?;
    }
    facts.triggers = lines(node, control, &question(TRIGGERS, wanted, ""), bound).await?;
    facts.constraints = lines(node, control, &question(CONSTRAINTS, wanted, ""), bound).await?;
    if facts.constraints.iter().any(|line| line.get(2).is_some_and(is_reference)) {
        facts.references = lines(node, control, &question(REFERENCES, wanted, ""), bound).await?;
    }
    if kind == Kind::MariaDb {
        let checks = lines(node, control, &question(CHECKS, wanted, ""), bound).await?;
        facts.constraints.extend(checks);
    }
    Ok(facts)
}

fn is_view(kind: &Option<String>) -> bool {
    kind.as_deref() == Some("VIEW")
}

fn is_reference(kind: &Option<String>) -> bool {
    kind.as_deref() == Some("FOREIGN KEY")
}

/// One branch for each table.
fn question(template: &str, wanted: &[&Physical], tail: &str) -> String {
    let branch = |physical: &&Physical| {
        template
            .replace("{d}", &literal(&physical.database))
            .replace("{t}", &literal(&physical.table))
    };
    let branches: Vec<String> = wanted.iter().map(branch).collect();
    format!("{}{tail}", branches.join(" UNION ALL "))
}

/// A string literal under an empty sql_mode.
fn literal(name: &str) -> String {
    format!("'{}'", name.replace('\\', "\\\\").replace('\'', "''"))
}

async fn lines(node: &Node, control: &mut Conn, sql: &str, bound: Duration) -> Result<Vec<Line>> {
    let rows: Vec<Row> = control::run(node, bound, control.query(sql)).await?;
    let line = |row: Row| row.unwrap_raw().into_iter().map(|value| value.and_then(text)).collect();
    Ok(rows.into_iter().map(line).collect())
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Value::Int(number) => Some(number.to_string()),
        Value::UInt(number) => Some(number.to_string()),
        other => Some(other.as_sql(true)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn names_can_not_break_out_of_their_literals() {
        let odd = Physical { database: Arc::from("a'; DROP"), table: Arc::from("b\\' OR 1") };
        let sql = question(TABLES, &[&odd, &odd], " ORDER BY 1");
        assert_eq!(sql.matches("'a''; DROP'").count(), 2);
        assert_eq!(sql.matches("'b\\\\'' OR 1'").count(), 2);
        assert_eq!(sql.matches(" UNION ALL ").count(), 1);
    }
}
