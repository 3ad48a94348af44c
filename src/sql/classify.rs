//! What kind of statement it is, from its tokens.
//!
//! Owns: the closed set of statement kinds, transaction options, names and ids of the statements
//! about the session. Never: decides where a statement goes.

use std::ops::Range;

use crate::sql::cursor::Cursor;
use crate::sql::token::{Token, TokenKind};
use crate::sql::traits::Traits;

/// Every kind of statement that MySQL and MariaDB know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatementKind {
    /// Nothing but blanks and comments.
    Empty,
    Select,
    /// `TABLE t`.
    Table,
    /// `VALUES ROW(…)`.
    Values,
    /// `WITH … SELECT`; a WITH before UPDATE or DELETE is those.
    With,
    Insert,
    Replace,
    Update,
    Delete,
    LoadData {
        local: bool,
    },
    LoadXml {
        local: bool,
    },
    Call,
    Do,
    Handler,
    Set,
    /// MariaDB's `SET STATEMENT … FOR …`.
    SetStatement,
    Show,
    /// `DESCRIBE t`, `DESC t`, `EXPLAIN t`.
    Describe,
    /// `EXPLAIN SELECT …`, `EXPLAIN FOR CONNECTION`, `ANALYZE SELECT …`.
    Explain,
    /// `EXPLAIN ROUTE …`: answered by Weir.
    ExplainRoute,
    Help,
    Use,
    /// BEGIN [WORK] and START TRANSACTION; the options are in [`Transaction`].
    Begin,
    Commit,
    Rollback,
    Savepoint,
    ReleaseSavepoint,
    RollbackToSavepoint,
    LockTables,
    UnlockTables,
    LockInstance,
    Xa(Xa),
    Prepare,
    Execute,
    ExecuteImmediate,
    Deallocate,
    Kill,
    CreateTable {
        temporary: bool,
    },
    AlterTable,
    DropTable {
        temporary: bool,
    },
    RenameTable,
    Truncate,
    CreateIndex,
    DropIndex,
    CreateView,
    AlterView,
    DropView,
    CreateDatabase,
    AlterDatabase,
    DropDatabase,
    /// CREATE, ALTER or DROP of a procedure, function, trigger, event or package.
    Routine,
    /// CREATE, ALTER or DROP of a sequence (MariaDB).
    Sequence,
    /// CREATE, ALTER or DROP of a server, tablespace, logfile group, resource group, undo.
    Storage,
    /// Users, roles, GRANT, REVOKE, SET PASSWORD is Set.
    Account,
    AnalyzeTable,
    CheckTable,
    ChecksumTable,
    OptimizeTable,
    RepairTable,
    CacheIndex,
    LoadIndex,
    Flush,
    Reset,
    Purge,
    ChangeReplication,
    StartReplica,
    StopReplica,
    Binlog,
    Install,
    Uninstall,
    Clone,
    Shutdown,
    Restart,
    ImportTable,
    Backup,
    GetDiagnostics,
    /// SIGNAL, RESIGNAL.
    Signal,
    /// MariaDB's BEGIN NOT ATOMIC … END and other compound statements outside of routines.
    Compound,
    Unknown,
}

impl StatementKind {
    /// Whether it makes, changes, empties, looks after or takes away tables that it names.
    pub const fn defines_tables(self) -> bool {
        use StatementKind as K;
        matches!(
            self,
            K::CreateTable { .. }
                | K::AlterTable
                | K::DropTable { .. }
                | K::RenameTable
                | K::Truncate
                | K::CreateIndex
                | K::DropIndex
                | K::AnalyzeTable
                | K::CheckTable
                | K::ChecksumTable
                | K::OptimizeTable
                | K::RepairTable
        )
    }
}

/// XA's commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Xa {
    Start,
    End,
    Prepare,
    Commit,
    Rollback,
    Recover,
}

/// What BEGIN, COMMIT, ROLLBACK and the savepoint statements say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Transaction {
    pub consistent_snapshot: bool,
    pub read_only: Option<bool>,
    /// AND CHAIN (true), AND NO CHAIN (false).
    pub chain: Option<bool>,
    /// RELEASE (true), NO RELEASE (false).
    pub release: Option<bool>,
}

/// What was found out about a statement. Depends on the template alone, so plans may keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    pub kind: StatementKind,
    pub traits: Traits,
    /// For Begin, Commit, Rollback.
    pub transaction: Transaction,
    /// The name of a savepoint, prepared statement, USE's schema, HELP's topic; unquoted.
    pub name: Option<String>,
    /// Where the statement begins behind EXPLAIN, EXPLAIN ROUTE, SET STATEMENT … FOR or ANALYZE:
    /// an offset of the statement.
    pub inner: Option<usize>,
    /// KILL: whether only the query is meant, and the connection's id if it is a plain number.
    pub kill: Option<Kill>,
    /// PREPARE … FROM: what holds the text. EXECUTE … USING: the variables.
    pub using: Vec<Range<usize>>,
}

/// KILL [HARD|SOFT] [CONNECTION|QUERY [ID]] id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kill {
    pub query: bool,
    pub id: Option<u64>,
}

/// What kind of statement the tokens are. Never fails: what isn't known is
/// [`StatementKind::Unknown`].
pub fn classify(sql: &[u8], tokens: &[Token]) -> Classified {
    let mut cursor = Cursor::new(sql, tokens);
    let mut classified = Classified {
        kind: StatementKind::Empty,
        traits: Traits::of(sql, tokens),
        transaction: Transaction::default(),
        name: None,
        inner: None,
        kill: None,
        using: Vec::new(),
    };
    // `(SELECT …) UNION …`.
    let mut parenthesis = false;
    while cursor.eat_symbol("(") {
        parenthesis = true;
    }
    let Some(first) = cursor.next() else {
        if parenthesis {
            classified.kind = StatementKind::Unknown;
        }
        return classified;
    };
    let word = if first.kind == TokenKind::Word {
        String::from_utf8_lossy(first.bytes(sql)).to_ascii_uppercase()
    } else {
        String::new()
    };
    classified.kind = kind(&word, &mut cursor, &mut classified);
    if parenthesis && !is_query(classified.kind) {
        classified.kind = StatementKind::Unknown;
    }
    classified
}

/// Whether statements of this kind may stand in parentheses.
fn is_query(kind: StatementKind) -> bool {
    use StatementKind::*;
    matches!(kind, Select | With | Values | Table)
}

/// The kind by the first word; the cursor stands behind it.
fn kind(word: &str, cursor: &mut Cursor<'_>, out: &mut Classified) -> StatementKind {
    use StatementKind::*;
    match word {
        "SELECT" => Select,
        "TABLE" => Table,
        "VALUES" => Values,
        "WITH" => with(cursor),
        "INSERT" => Insert,
        "REPLACE" => Replace,
        "UPDATE" => Update,
        "DELETE" => Delete,
        "LOAD" => load(cursor),
        "CALL" => Call,
        "DO" => Do,
        "HANDLER" => Handler,
        "SET" if cursor.is("STATEMENT") && !assigns(cursor) => {
            out.inner = crate::sql::set::statement_inner(cursor);
            SetStatement
        }
        "SET" => Set,
        "SHOW" => Show,
        "DESCRIBE" | "DESC" | "EXPLAIN" | "ANALYZE" => explain(word, cursor, out),
        "HELP" => {
            out.name = cursor.peek().map(|topic| crate::sql::literal::name_of(cursor.sql, topic));
            Help
        }
        "USE" => named(cursor, out, Use),
        "BEGIN" | "START" | "COMMIT" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" => {
            transaction(word, cursor, out)
        }
        "LOCK" if cursor.eat("INSTANCE") => LockInstance,
        "LOCK" if cursor.eat_any(&["TABLES", "TABLE"]) => LockTables,
        "UNLOCK" if cursor.eat("INSTANCE") => LockInstance,
        "UNLOCK" if cursor.eat_any(&["TABLES", "TABLE"]) => UnlockTables,
        "XA" => xa(cursor),
        "PREPARE" => prepare(cursor, out),
        "EXECUTE" if cursor.eat("IMMEDIATE") => execute_immediate(cursor, out),
        "EXECUTE" => execute(cursor, out),
        "DEALLOCATE" if cursor.eat("PREPARE") => named(cursor, out, Deallocate),
        "DROP" if cursor.eat("PREPARE") => named(cursor, out, Deallocate),
        "KILL" => {
            out.kill = Some(kill(cursor));
            Kill
        }
        _ => administration(word, cursor),
    }
}

/// Definitions of objects and the running of a server.
fn administration(word: &str, cursor: &mut Cursor<'_>) -> StatementKind {
    use StatementKind::*;
    match word {
        "CREATE" | "ALTER" | "DROP" => definition(word, cursor),
        "RENAME" if cursor.eat_any(&["TABLE", "TABLES"]) => RenameTable,
        "RENAME" => Account,
        "TRUNCATE" => Truncate,
        "GRANT" | "REVOKE" => Account,
        "CHECK" if cursor.eat_any(&["TABLE", "TABLES"]) => CheckTable,
        "CHECKSUM" => ChecksumTable,
        "OPTIMIZE" => OptimizeTable,
        "REPAIR" => RepairTable,
        "CACHE" => CacheIndex,
        "FLUSH" => Flush,
        "RESET" => Reset,
        "PURGE" => Purge,
        "CHANGE" => ChangeReplication,
        "STOP" => StopReplica,
        "BINLOG" => Binlog,
        "INSTALL" => Install,
        "UNINSTALL" => Uninstall,
        "CLONE" => Clone,
        "SHUTDOWN" => Shutdown,
        "RESTART" => Restart,
        "IMPORT" => ImportTable,
        "BACKUP" => Backup,
        "GET" => GetDiagnostics,
        "SIGNAL" | "RESIGNAL" => Signal,
        "IF" | "CASE" | "LOOP" | "REPEAT" | "WHILE" | "FOR" => Compound,
        _ => Unknown,
    }
}

fn named(cursor: &mut Cursor<'_>, out: &mut Classified, kind: StatementKind) -> StatementKind {
    match cursor.name() {
        Some((name, _)) => {
            out.name = Some(name);
            kind
        }
        None => StatementKind::Unknown,
    }
}

fn prepare(cursor: &mut Cursor<'_>, out: &mut Classified) -> StatementKind {
    out.name = cursor.name().map(|(name, _)| name);
    if cursor.eat("FROM") {
        expressions(cursor, out);
    }
    StatementKind::Prepare
}

fn execute(cursor: &mut Cursor<'_>, out: &mut Classified) -> StatementKind {
    out.name = cursor.name().map(|(name, _)| name);
    if cursor.eat("USING") {
        expressions(cursor, out);
    }
    StatementKind::Execute
}

/// The text, and the values behind USING.
fn execute_immediate(cursor: &mut Cursor<'_>, out: &mut Classified) -> StatementKind {
    expressions(cursor, out);
    if cursor.eat("USING") {
        expressions(cursor, out);
    }
    StatementKind::ExecuteImmediate
}

/// The ranges of a list of expressions, up to a USING of the statement's own.
fn expressions(cursor: &mut Cursor<'_>, out: &mut Classified) {
    let mut depth = 0usize;
    let mut open: Option<Range<usize>> = None;
    while let Some(token) = cursor.peek() {
        if depth == 0 && cursor.is("USING") {
            break;
        }
        let comma = depth == 0 && cursor.is_symbol(",");
        depth = match token.symbol(cursor.sql) {
            b"(" => depth + 1,
            b")" => depth.saturating_sub(1),
            _ => depth,
        };
        cursor.next();
        if comma {
            out.using.extend(open.take());
            continue;
        }
        let range = token.range();
        open = Some(open.map_or(range.clone(), |open| open.start..range.end));
    }
    out.using.extend(open);
}

/// `SET statement = 1` sets a variable of that name.
fn assigns(cursor: &Cursor<'_>) -> bool {
    cursor.ahead(1).is_some_and(|token| matches!(token.symbol(cursor.sql), b"=" | b":="))
}

/// The statement behind the common table expressions.
fn with(cursor: &mut Cursor<'_>) -> StatementKind {
    while let Some(token) = cursor.peek() {
        if token.is_symbol(cursor.sql, "(") {
            cursor.skip_parentheses();
            continue;
        }
        match cursor.word().as_str() {
            "SELECT" | "TABLE" | "VALUES" => return StatementKind::With,
            "UPDATE" => return StatementKind::Update,
            "DELETE" => return StatementKind::Delete,
            _ => {
                cursor.next();
            }
        }
    }
    // `WITH … (SELECT …)`.
    StatementKind::With
}

fn load(cursor: &mut Cursor<'_>) -> StatementKind {
    let xml = cursor.is("XML");
    if !cursor.eat_any(&["DATA", "XML"]) {
        return if cursor.is("INDEX") { StatementKind::LoadIndex } else { StatementKind::Unknown };
    }
    cursor.eat_any(&["LOW_PRIORITY", "CONCURRENT"]);
    let local = cursor.eat("LOCAL");
    if xml { StatementKind::LoadXml { local } } else { StatementKind::LoadData { local } }
}

fn explain(word: &str, cursor: &mut Cursor<'_>, out: &mut Classified) -> StatementKind {
    if word == "ANALYZE" {
        let mut ahead = *cursor;
        ahead.eat_any(&["NO_WRITE_TO_BINLOG", "LOCAL"]);
        if ahead.eat_any(&["TABLE", "TABLES"]) {
            *cursor = ahead;
            return StatementKind::AnalyzeTable;
        }
    }
    if word == "EXPLAIN"
        && cursor.is("ROUTE")
        && cursor
            .ahead(1)
            .is_some_and(|token| token.kind == TokenKind::Word || token.is_symbol(cursor.sql, "("))
    {
        cursor.next();
        out.inner = Some(cursor.offset());
        return StatementKind::ExplainRoute;
    }
    let mut ahead = *cursor;
    loop {
        match ahead.word().as_str() {
            "EXTENDED" | "PARTITIONS" | "ANALYZE" => {
                ahead.next();
            }
            "FORMAT" if assigns(&ahead) => {
                ahead.next();
                ahead.next();
                ahead.next();
            }
            "SELECT" | "INSERT" | "REPLACE" | "UPDATE" | "DELETE" | "WITH" | "TABLE" | "VALUES" => {
                out.inner = Some(ahead.offset());
                return StatementKind::Explain;
            }
            "FOR" => return StatementKind::Explain,
            _ if ahead.is_symbol("(") => {
                out.inner = Some(ahead.offset());
                return StatementKind::Explain;
            }
            _ => return StatementKind::Describe,
        }
    }
}

fn transaction(word: &str, cursor: &mut Cursor<'_>, out: &mut Classified) -> StatementKind {
    use StatementKind::*;
    match word {
        "SAVEPOINT" => named(cursor, out, Savepoint),
        "RELEASE" if cursor.eat("SAVEPOINT") => named(cursor, out, ReleaseSavepoint),
        "RELEASE" => Unknown,
        "BEGIN" if cursor.is("NOT") => Compound,
        "BEGIN" => {
            cursor.eat("WORK");
            ended(cursor, Begin)
        }
        "START" if cursor.eat("TRANSACTION") => {
            start_options(cursor, &mut out.transaction);
            ended(cursor, Begin)
        }
        "START" => StartReplica,
        _ => {
            cursor.eat("WORK");
            if word == "ROLLBACK" && cursor.eat("TO") {
                cursor.eat("SAVEPOINT");
                return named(cursor, out, RollbackToSavepoint);
            }
            completion(cursor, &mut out.transaction);
            ended(cursor, if word == "COMMIT" { Commit } else { Rollback })
        }
    }
}

/// The kind, unless something stands behind it that was not understood.
fn ended(cursor: &Cursor<'_>, kind: StatementKind) -> StatementKind {
    if cursor.at_end() { kind } else { StatementKind::Unknown }
}

fn start_options(cursor: &mut Cursor<'_>, options: &mut Transaction) {
    loop {
        if cursor.eat_all(&["WITH", "CONSISTENT", "SNAPSHOT"]) {
            options.consistent_snapshot = true;
        } else if cursor.eat_all(&["READ", "ONLY"]) {
            options.read_only = Some(true);
        } else if cursor.eat_all(&["READ", "WRITE"]) {
            options.read_only = Some(false);
        } else {
            return;
        }
        if !cursor.eat_symbol(",") {
            return;
        }
    }
}

/// `[AND [NO] CHAIN] [[NO] RELEASE]`.
fn completion(cursor: &mut Cursor<'_>, options: &mut Transaction) {
    if cursor.eat_all(&["AND", "CHAIN"]) {
        options.chain = Some(true);
    } else if cursor.eat_all(&["AND", "NO", "CHAIN"]) {
        options.chain = Some(false);
    }
    if cursor.eat("RELEASE") {
        options.release = Some(true);
    } else if cursor.eat_all(&["NO", "RELEASE"]) {
        options.release = Some(false);
    }
}

fn xa(cursor: &mut Cursor<'_>) -> StatementKind {
    let kind = match cursor.word().as_str() {
        "START" | "BEGIN" => Xa::Start,
        "END" => Xa::End,
        "PREPARE" => Xa::Prepare,
        "COMMIT" => Xa::Commit,
        "ROLLBACK" => Xa::Rollback,
        "RECOVER" => Xa::Recover,
        _ => return StatementKind::Unknown,
    };
    StatementKind::Xa(kind)
}

fn kill(cursor: &mut Cursor<'_>) -> Kill {
    cursor.eat_any(&["HARD", "SOFT"]);
    let mut query = false;
    if cursor.eat("QUERY") {
        query = true;
        cursor.eat("ID");
    } else {
        cursor.eat("CONNECTION");
    }
    let id = cursor
        .next()
        .filter(|token| token.kind == TokenKind::Integer && cursor.at_end())
        .and_then(|token| std::str::from_utf8(token.bytes(cursor.sql)).ok()?.parse().ok());
    Kill { query, id }
}

/// CREATE, ALTER and DROP, by the first word that names a kind of object.
fn definition(word: &str, cursor: &mut Cursor<'_>) -> StatementKind {
    use StatementKind::*;
    let (create, drop) = (word == "CREATE", word == "DROP");
    let mut temporary = false;
    // CREATE OR REPLACE ALGORITHM=… DEFINER=… SQL SECURITY … ONLINE … <kind>.
    for _ in 0..24 {
        let kind = cursor.word();
        cursor.next();
        match kind.as_str() {
            "TEMPORARY" => temporary = true,
            "TABLE" | "TABLES" if create => return CreateTable { temporary },
            "TABLE" | "TABLES" if drop => return DropTable { temporary },
            "TABLE" => return AlterTable,
            "INDEX" if create => return CreateIndex,
            "INDEX" if drop => return DropIndex,
            "VIEW" if create => return CreateView,
            "VIEW" if drop => return DropView,
            "VIEW" => return AlterView,
            "DATABASE" | "SCHEMA" if create => return CreateDatabase,
            "DATABASE" | "SCHEMA" if drop => return DropDatabase,
            "DATABASE" | "SCHEMA" => return AlterDatabase,
            "FUNCTION" | "PROCEDURE" | "TRIGGER" | "EVENT" | "PACKAGE" | "LIBRARY" => {
                return Routine;
            }
            "SEQUENCE" => return Sequence,
            "USER" | "ROLE" => return Account,
            "SERVER" | "TABLESPACE" | "LOGFILE" | "UNDO" | "RESOURCE" | "SPATIAL_REFERENCE"
            | "INSTANCE" => return Storage,
            // CREATE SPATIAL REFERENCE SYSTEM; SPATIAL INDEX goes on.
            "REFERENCE" => return Storage,
            _ if cursor.at_end() => return Unknown,
            _ => {}
        }
    }
    Unknown
}
