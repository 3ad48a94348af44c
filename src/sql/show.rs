//! SHOW, DESCRIBE and EXPLAIN <table>, from tokens.
//!
//! Owns: their forms, the names in them with byte ranges for splicing, LIKE and WHERE. Never:
//! answers one.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::sql::cursor::Cursor;
use crate::sql::lex::Dialect;
use crate::sql::literal::unquote;
use crate::sql::token::{Token, TokenKind};

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
    /// Something stands behind that was not understood: send it whole or refuse it.
    pub leftover: bool,
}

/// Reads a SHOW, DESCRIBE, DESC or EXPLAIN <table>.
///
/// # Errors
/// 1064 if the statement is none of these.
pub fn parse(sql: &[u8], tokens: &[Token], dialect: &Dialect) -> Result<Show> {
    let mut cursor = Cursor::new(sql, tokens);
    let mut reader = Reader { show: empty(), dialect };
    if cursor.eat("SHOW") {
        reader.show(&mut cursor);
    } else if cursor.eat_any(&["DESCRIBE", "DESC", "EXPLAIN"]) {
        reader.describe(&mut cursor);
    } else {
        return Err(Error::syntax("You have an error in your SQL syntax: no SHOW or DESCRIBE"));
    }
    reader.show.leftover = !cursor.at_end();
    Ok(reader.show)
}

fn empty() -> Show {
    Show {
        kind: ShowKind::Other,
        full: false,
        global: false,
        if_not_exists: false,
        schema: None,
        object: None,
        object_range: None,
        schema_clause: None,
        column: None,
        like: None,
        filter: None,
        limit: None,
        leftover: false,
    }
}

struct Reader<'a> {
    show: Show,
    dialect: &'a Dialect,
}

impl Reader<'_> {
    fn show(&mut self, cursor: &mut Cursor<'_>) {
        loop {
            match cursor.word().as_str() {
                "FULL" | "EXTENDED" => self.show.full = true,
                "GLOBAL" => self.show.global = true,
                "SESSION" | "LOCAL" | "STORAGE" | "ALL" => {}
                _ => break,
            }
            cursor.next();
        }
        let word = cursor.word();
        cursor.next();
        self.show.kind = self.kind(&word, cursor);
        self.tail(cursor);
    }

    fn kind(&mut self, word: &str, cursor: &mut Cursor<'_>) -> ShowKind {
        use ShowKind::*;
        match word {
            "DATABASES" | "SCHEMAS" => Databases,
            "TABLES" => Tables,
            "OPEN" if cursor.eat("TABLES") => OpenTables,
            "TABLE" if cursor.eat("STATUS") => TableStatus,
            "COLUMNS" | "FIELDS" => self.of_table(cursor, Columns),
            "INDEX" | "INDEXES" | "KEYS" => self.of_table(cursor, Index),
            "CREATE" => self.create(cursor),
            "VARIABLES" => Variables,
            "STATUS" => Status,
            "WARNINGS" => Warnings,
            "ERRORS" => Errors,
            "COUNT" => {
                cursor.skip_parentheses();
                if cursor.eat("WARNINGS") {
                    WarningCount
                } else if cursor.eat("ERRORS") {
                    ErrorCount
                } else {
                    Other
                }
            }
            "ENGINES" => Engines,
            "ENGINE" => {
                self.object(cursor);
                cursor.eat_any(&["STATUS", "MUTEX", "LOGS"]);
                Engine
            }
            "CHARSET" => CharacterSet,
            "CHARACTER" if cursor.eat("SET") => CharacterSet,
            "COLLATION" => Collation,
            "PLUGINS" => {
                if cursor.eat("SONAME") {
                    cursor.next();
                }
                Plugins
            }
            "PRIVILEGES" => Privileges,
            "GRANTS" => self.rest(cursor, Grants),
            "PROCESSLIST" => Processlist,
            "TRIGGERS" => Triggers,
            "EVENTS" => Events,
            "PROCEDURE" | "FUNCTION" | "PACKAGE" => self.routine(word, cursor),
            "MASTER" if cursor.eat("STATUS") => BinlogStatus,
            "MASTER" if cursor.eat("LOGS") => BinaryLogs,
            "BINARY" if cursor.eat_all(&["LOG", "STATUS"]) => BinlogStatus,
            "BINARY" if cursor.eat("LOGS") => BinaryLogs,
            "BINLOG" if cursor.eat("STATUS") => BinlogStatus,
            "BINLOG" if cursor.eat("EVENTS") => self.rest(cursor, BinlogEvents),
            "RELAYLOG" => self.rest(cursor, RelaylogEvents),
            "SLAVE" | "REPLICA" | "SLAVES" | "REPLICAS" => {
                let hosts = cursor.eat("HOSTS") || (word == "REPLICAS" && cursor.at_end());
                self.rest(cursor, if hosts { Replicas } else { ReplicaStatus })
            }
            "PROFILES" => Profiles,
            "PROFILE" => self.rest(cursor, Profile),
            "EXPLAIN" | "ANALYZE" => self.rest(cursor, ExplainFor),
            "LOCALES" => Locales,
            _ => self.rest(cursor, Other),
        }
    }

    /// Passes over all that follows: it names no table.
    fn rest(&mut self, cursor: &mut Cursor<'_>, kind: ShowKind) -> ShowKind {
        while cursor.next().is_some() {}
        kind
    }

    /// `FROM t [FROM db]`.
    fn of_table(&mut self, cursor: &mut Cursor<'_>, kind: ShowKind) -> ShowKind {
        if cursor.eat_any(&["FROM", "IN"]) {
            self.object(cursor);
            self.schema_clause(cursor);
        }
        kind
    }

    fn create(&mut self, cursor: &mut Cursor<'_>) -> ShowKind {
        use ShowKind::*;
        let kind = match cursor.word().as_str() {
            "TABLE" => CreateTable,
            "VIEW" => CreateView,
            "DATABASE" | "SCHEMA" => CreateDatabase,
            "PROCEDURE" => CreateProcedure,
            "FUNCTION" => CreateFunction,
            "TRIGGER" => CreateTrigger,
            "EVENT" => CreateEvent,
            "SEQUENCE" => CreateSequence,
            "PACKAGE" => CreatePackage,
            "USER" => {
                return self.rest(cursor, CreateUser);
            }
            _ => return self.rest(cursor, Other),
        };
        cursor.next();
        if kind == CreatePackage {
            cursor.eat("BODY");
        }
        self.show.if_not_exists = cursor.eat_all(&["IF", "NOT", "EXISTS"]);
        self.object(cursor);
        kind
    }

    fn routine(&mut self, word: &str, cursor: &mut Cursor<'_>) -> ShowKind {
        use ShowKind::*;
        if word == "PACKAGE" {
            cursor.eat("BODY");
        }
        if cursor.eat("CODE") {
            self.object(cursor);
            return RoutineCode;
        }
        if !cursor.eat("STATUS") {
            return self.rest(cursor, Other);
        }
        match word {
            "PROCEDURE" => ProcedureStatus,
            "FUNCTION" => FunctionStatus,
            _ => PackageStatus,
        }
    }

    /// A name with an optional qualifier.
    fn object(&mut self, cursor: &mut Cursor<'_>) {
        let start = cursor.offset();
        let Some((name, range)) = cursor.name() else { return };
        let first = NamedRange { name, range };
        if cursor.eat_symbol(".") {
            if let Some((name, range)) = cursor.name() {
                self.show.schema = Some(first);
                self.show.object = Some(NamedRange { name, range });
            }
        } else {
            self.show.object = Some(first);
        }
        self.show.object_range = Some(start..cursor.end());
    }

    /// `FROM db`, `IN db`.
    fn schema_clause(&mut self, cursor: &mut Cursor<'_>) {
        let start = cursor.offset();
        if cursor.eat_any(&["FROM", "IN"])
            && let Some((name, range)) = cursor.name()
        {
            self.show.schema = Some(NamedRange { name, range });
            self.show.schema_clause = Some(start..cursor.end());
        }
    }

    /// `[FROM db] [LIKE 'x' | WHERE condition] [LIMIT …]`.
    fn tail(&mut self, cursor: &mut Cursor<'_>) {
        use ShowKind::*;
        if matches!(self.show.kind, Tables | OpenTables | TableStatus | Triggers | Events) {
            self.schema_clause(cursor);
        }
        let start = cursor.offset();
        if cursor.is("LIKE") {
            // Anything but a string stays, and is no SHOW: `LIKE ?` isn't one for servers either.
            let mut ahead = *cursor;
            ahead.next();
            if let Some(token) = ahead.next().filter(|token| token.kind == TokenKind::String) {
                let pattern = unquote(token.bytes(cursor.sql), self.dialect).into_owned();
                self.show.like = Some((pattern, start..token.end as usize));
                *cursor = ahead;
            }
        } else if cursor.eat("WHERE") {
            let start = cursor.offset();
            skip_until_limit(cursor);
            // `WHERE LIMIT` has no condition: it stays unset, and the server says what is wrong.
            self.show.filter = (start < cursor.end()).then(|| start..cursor.end());
        }
        let start = cursor.offset();
        if cursor.eat("LIMIT") {
            while cursor.next().is_some() {}
            self.show.limit = Some(start..cursor.end());
        }
    }

    /// `DESCRIBE [db.]t [column | 'pattern']`.
    fn describe(&mut self, cursor: &mut Cursor<'_>) {
        self.show.kind = ShowKind::Columns;
        self.object(cursor);
        let Some(token) = cursor.peek().copied() else { return };
        if let Some((name, range)) = cursor.name() {
            self.show.column = Some(NamedRange { name, range });
        } else if token.kind == TokenKind::String {
            cursor.next();
            let pattern = unquote(token.bytes(cursor.sql), self.dialect).into_owned();
            self.show.like = Some((pattern, token.range()));
        }
    }
}

impl Show {
    /// Offset and count of `LIMIT count`, `LIMIT offset, count` or `LIMIT count OFFSET offset`; `None`: there
    /// is no LIMIT.
    ///
    /// # Errors
    /// 1064 for anything else: a server takes plain numbers only.
    pub fn window(&self, sql: &[u8], tokens: &[Token]) -> Result<Option<(u64, u64)>> {
        let Some(limit) = &self.limit else { return Ok(None) };
        let at = tokens.partition_point(|token| token.range().start < limit.start);
        let mut cursor = Cursor::new(sql, tokens.get(at..).unwrap_or_default());
        cursor.eat("LIMIT");
        let window = number(&mut cursor).and_then(|first| {
            let offset = match (cursor.eat_symbol(","), cursor.eat("OFFSET")) {
                (true, _) => return Some((first, number(&mut cursor)?)),
                (_, true) => number(&mut cursor)?,
                _ => 0,
            };
            Some((offset, first))
        });
        match window {
            Some(window) if cursor.at_end() => Ok(Some(window)),
            _ => Err(Error::syntax(
                "You have an error in your SQL syntax: LIMIT takes one or two plain numbers here",
            )),
        }
    }
}

fn number(cursor: &mut Cursor<'_>) -> Option<u64> {
    let token = cursor.next()?;
    std::str::from_utf8(token.bytes(cursor.sql)).ok()?.parse().ok()
}

fn skip_until_limit(cursor: &mut Cursor<'_>) {
    while cursor.peek().is_some_and(|token: &Token| token.depth > 0 || !cursor.is("LIMIT")) {
        cursor.next();
    }
}
