//! SHOW, DESCRIBE and EXPLAIN <table>, from tokens.
//!
//! Owns: their forms, the names in them with byte ranges for splicing, LIKE and WHERE. Never:
//! answers one.

use std::ops::Range;

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShowKind {
    Databases,
    Tables,
    /// SHOW OPEN TABLES.
    OpenTables,
    TableStatus,
    /// SHOW COLUMNS and FIELDS, DESCRIBE t.
    Columns,
    /// SHOW INDEX, INDEXES, KEYS.
    Index,
    CreateTable,
    CreateView,
    CreateDatabase,
    CreateProcedure,
    CreateFunction,
    CreateTrigger,
    CreateEvent,
    CreateUser,
    CreateSequence,
    CreatePackage,
    Variables,
    Status,
    Warnings,
    Errors,
    /// SHOW COUNT(*) WARNINGS.
    WarningCount,
    ErrorCount,
    Engines,
    /// SHOW ENGINE x STATUS, MUTEX, LOGS.
    Engine,
    CharacterSet,
    Collation,
    Plugins,
    Privileges,
    Grants,
    Processlist,
    Triggers,
    Events,
    ProcedureStatus,
    FunctionStatus,
    PackageStatus,
    RoutineCode,
    /// SHOW MASTER STATUS, BINARY LOG STATUS, BINLOG STATUS.
    BinlogStatus,
    BinaryLogs,
    BinlogEvents,
    RelaylogEvents,
    ReplicaStatus,
    Replicas,
    Profiles,
    Profile,
    /// SHOW EXPLAIN FOR, SHOW ANALYZE FOR (MariaDB).
    ExplainFor,
    Locales,
    Other,
}

/// A name with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRange {
    /// Unquoted; bytes that are not UTF-8 are U+FFFD.
    pub name: String,
    pub range: Range<usize>,
}

/// One SHOW, DESCRIBE or EXPLAIN <table>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Show {
    pub kind: ShowKind,
    /// FULL (or EXTENDED FULL).
    pub full: bool,
    /// SHOW GLOBAL VARIABLES / STATUS.
    pub global: bool,
    pub if_not_exists: bool,
    /// `FROM db`, `IN db`, or the qualifier of the table.
    pub schema: Option<NamedRange>,
    /// The table, view, routine, trigger, event, engine or user that is named.
    pub object: Option<NamedRange>,
    /// The whole qualified name `db.t`, to be replaced as one.
    pub object_range: Option<Range<usize>>,
    /// The whole `FROM db` or `IN db`, to be replaced or cut out.
    pub schema_clause: Option<Range<usize>>,
    /// DESCRIBE t column.
    pub column: Option<NamedRange>,
    /// The pattern of LIKE, unescaped as a string (its `\%` stay), and its place (`LIKE` included).
    pub like: Option<(Vec<u8>, Range<usize>)>,
    /// The condition of WHERE, without the word.
    pub filter: Option<Range<usize>>,
    /// LIMIT and what follows.
    pub limit: Option<Range<usize>>,
}
