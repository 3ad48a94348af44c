//! What each table of information_schema shows: tables, schemas, the server, or nothing of a
//! client's.
//!
//! Owns: which columns are names, and which are sizes to be added up. Never: asks a server.

use crate::error::{Error, Fault};

/// Whose rows a table of information_schema has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The server's alone, the same on each: it is read as it is.
    Unchanged,
    /// Nothing of a client's.
    Empty,
    /// Weir's own clients.
    Processlist,
    /// What the rules let the client do.
    Rights,
    Rows(Rows),
}

/// Rows that belong to tables or schemas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rows {
    /// What stands in FROM.
    pub source: String,
    /// The expression of the physical database.
    pub database: String,
    /// The expression of the physical table; none where rows belong to a schema.
    pub table: Option<String>,
    /// What a column is qualified with.
    pub qualifier: &'static str,
    pub sizes: Sizes,
}

/// How rows of all parts become one: rows with equal keys are added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    pub keys: &'static [&'static str],
    pub sums: &'static [&'static str],
    pub latest: &'static [&'static str],
}

impl Sizes {
    pub fn has(self, column: &str) -> bool {
        self.sums.contains(&column) || self.latest.contains(&column) || column == AVERAGE
    }

    pub fn is_none(self) -> bool {
        self.sums.is_empty()
    }
}

/// DATA_LENGTH over TABLE_ROWS.
pub(super) const AVERAGE: &str = "AVG_ROW_LENGTH";

const VOLUME: &[&str] = &["TABLE_ROWS", "DATA_LENGTH", "INDEX_LENGTH", "DATA_FREE"];

/// Tables that speak of the server alone and are the same on each.
const UNCHANGED: [&str; 21] = [
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
    "LOCALES",
];

/// Tables of which nothing is a client's: files of shards, rights on single tables and columns.
const EMPTY: [&str; 10] = [
    "FILES",
    "TABLE_PRIVILEGES",
    "COLUMN_PRIVILEGES",
    "TABLESPACES",
    "TABLESPACES_EXTENSIONS",
    "USER_ATTRIBUTES",
    "ROLE_TABLE_GRANTS",
    "ROLE_COLUMN_GRANTS",
    "ROLE_ROUTINE_GRANTS",
    "ADMINISTRABLE_ROLE_AUTHORIZATIONS",
];

/// What a table shows, by its name in capitals and its columns.
///
/// # Errors
/// 1227 for one that shows the servers behind Weir, in the words in which they say it themselves to
/// those whom they don't show it.
pub(super) fn shape(table: &str, columns: &[String]) -> Result<Shape, Error> {
    if UNCHANGED.contains(&table) {
        return Ok(Shape::Unchanged);
    }
    if EMPTY.contains(&table) {
        return Ok(Shape::Empty);
    }
    match table {
        "PROCESSLIST" => return Ok(Shape::Processlist),
        "USER_PRIVILEGES" | "SCHEMA_PRIVILEGES" => return Ok(Shape::Rights),
        _ => {}
    }
    let find = |wanted: &[&'static str]| {
        let is = |name: &&str| columns.iter().any(|column| column.eq_ignore_ascii_case(name));
        wanted.iter().copied().find(|name| is(name))
    };
    let plain = |database: &str, name: Option<&str>| Rows {
        source: format!("information_schema.`{table}`"),
        database: format!("`{database}`"),
        table: name.map(|name| format!("`{name}`")),
        qualifier: "",
        sizes: sizes(table),
    };
    let database =
        find(&["TABLE_SCHEMA", "EVENT_OBJECT_SCHEMA", "CONSTRAINT_SCHEMA", "F_TABLE_SCHEMA"]);
    let name = find(&["TABLE_NAME", "EVENT_OBJECT_TABLE", "F_TABLE_NAME"]);
    if let (Some(database), Some(name)) = (database.or(find(&["SCHEMA_NAME"])), name) {
        return Ok(Shape::Rows(plain(database, Some(name))));
    }
    if table == "CHECK_CONSTRAINTS" {
        // MySQL's don't name their table.
        return Ok(Shape::Rows(Rows {
            source: "information_schema.CHECK_CONSTRAINTS AS c JOIN \
                     information_schema.TABLE_CONSTRAINTS AS t ON \
                     t.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA AND \
                     t.CONSTRAINT_NAME = c.CONSTRAINT_NAME AND t.CONSTRAINT_TYPE = 'CHECK'"
                .to_owned(),
            database: "t.TABLE_SCHEMA".to_owned(),
            table: Some("t.TABLE_NAME".to_owned()),
            qualifier: "c.",
            sizes: Sizes::default(),
        }));
    }
    if let Some(schema) = columns.iter().find(|column| is_schema(column)) {
        return Ok(Shape::Rows(plain(schema, None)));
    }
    Err(Error::new(
        Fault::Client,
        1227,
        b"42000",
        "information_schema",
        "Access denied; you need (at least one of) the PROCESS privilege(s) for this operation",
    ))
}

fn sizes(table: &str) -> Sizes {
    match table {
        "TABLES" => Sizes {
            keys: &[],
            sums: VOLUME,
            latest: &["AUTO_INCREMENT", "UPDATE_TIME", "CHECK_TIME"],
        },
        "PARTITIONS" => Sizes {
            keys: &["PARTITION_NAME", "SUBPARTITION_NAME"],
            sums: VOLUME,
            latest: &["UPDATE_TIME", "CHECK_TIME"],
        },
        "STATISTICS" => {
            Sizes { keys: &["INDEX_NAME", "SEQ_IN_INDEX"], sums: &["CARDINALITY"], latest: &[] }
        }
        _ => Sizes::default(),
    }
}

/// Whether a column holds a schema's name.
pub(super) fn is_schema(column: &str) -> bool {
    let column = column.to_ascii_uppercase();
    column.ends_with("_SCHEMA") || column == "SCHEMA_NAME"
}

/// What a column holds of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Schema,
    /// The row's own table.
    Table,
    /// The table that a foreign key points to.
    Referenced,
    /// A constraint's name, which servers make from the table's.
    Constraint,
    /// SQL with names in it.
    Definition,
    Other,
}

/// What a column of this name holds.
pub(super) fn holds(column: &str) -> Holds {
    match column.to_ascii_uppercase().as_str() {
        "TABLE_NAME" | "EVENT_OBJECT_TABLE" | "F_TABLE_NAME" | "G_TABLE_NAME" => Holds::Table,
        "REFERENCED_TABLE_NAME" => Holds::Referenced,
        "CONSTRAINT_NAME" | "UNIQUE_CONSTRAINT_NAME" | "INDEX_NAME" => Holds::Constraint,
        "VIEW_DEFINITION" => Holds::Definition,
        name if is_schema(name) => Holds::Schema,
        _ => Holds::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_servers_is_denied_and_the_rest_is_folded() {
        let columns =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let error = shape("INNODB_TRX", &columns(&["TRX_ID"])).unwrap_err();
        assert_eq!((error.errno, error.code), (1227, "information_schema"));
        let tables = columns(&["TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME"]);
        let Ok(Shape::Rows(rows)) = shape("TABLES", &tables) else { panic!("no rows") };
        assert_eq!(
            (rows.database.as_str(), rows.table.as_deref()),
            ("`TABLE_SCHEMA`", Some("`TABLE_NAME`"))
        );
        assert!(rows.sizes.has("TABLE_ROWS") && rows.sizes.has("AVG_ROW_LENGTH"));
        let Ok(Shape::Rows(rows)) = shape("EVENTS", &columns(&["EVENT_SCHEMA", "EVENT_NAME"]))
        else {
            panic!("no rows")
        };
        assert_eq!((rows.database.as_str(), rows.table), ("`EVENT_SCHEMA`", None));
    }
}
