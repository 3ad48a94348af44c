//! What kind of statement it is, from its tokens.
//!
//! Owns: the closed set of statement kinds, transaction options, and the traits that a parser
//! would have to be asked for otherwise. Never: decides where a statement goes.

use std::ops::Range;

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
    LoadData { local: bool },
    LoadXml { local: bool },
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
    CreateTable { temporary: bool },
    AlterTable,
    DropTable { temporary: bool },
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
    /// GET DIAGNOSTICS, SIGNAL, RESIGNAL.
    Diagnostics,
    /// MariaDB's BEGIN NOT ATOMIC … END and other compound statements outside of routines.
    Compound,
    Unknown,
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

/// What a statement does besides reading and writing rows. Found by words alone, so a column named
/// like a function with an opening parenthesis behind it counts too: each errs on the safe side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Traits {
    /// FOR UPDATE, FOR SHARE, LOCK IN SHARE MODE.
    pub locking_read: bool,
    /// INTO OUTFILE or DUMPFILE.
    pub into_file: bool,
    /// INTO @variable.
    pub into_variable: bool,
    /// `@x := …`.
    pub assigns_variable: bool,
    /// Reads a user variable.
    pub reads_variable: bool,
    /// Reads a system variable `@@x`.
    pub reads_system_variable: bool,
    /// GET_LOCK, RELEASE_LOCK, IS_FREE_LOCK and kin.
    pub user_lock: bool,
    /// LAST_INSERT_ID().
    pub last_insert_id: bool,
    /// LAST_INSERT_ID(expr), which sets it.
    pub sets_last_insert_id: bool,
    pub found_rows: bool,
    pub row_count: bool,
    pub calc_found_rows: bool,
    /// SLEEP, BENCHMARK, MASTER_POS_WAIT, WAIT_FOR_EXECUTED_GTID_SET and kin.
    pub waits: bool,
    /// UUID, UUID_SHORT, RAND, RANDOM_BYTES, SYS_GUID: each call gives another value.
    pub random: bool,
    /// NOW, CURDATE, CURRENT_TIMESTAMP, SYSDATE and kin: depends on the clock.
    pub clock: bool,
    /// SYSDATE, which no `SET timestamp` fixes.
    pub sysdate: bool,
    /// NEXTVAL, NEXT VALUE FOR, SETVAL, LASTVAL.
    pub sequence: bool,
    /// DATABASE, SCHEMA, USER, CURRENT_USER, CONNECTION_ID, CURRENT_ROLE: depends on the session.
    pub session_function: bool,
    /// LOAD_FILE and other functions with effects or views of the server's host.
    pub host_function: bool,
}

impl Traits {
    /// Whether a read with these must go to the primary.
    pub fn needs_primary(&self) -> bool {
        self.locking_read
            || self.user_lock
            || self.sets_last_insert_id
            || self.sequence
            || self.into_file
            || self.assigns_variable
    }
}

/// A name that may be a table's, from tokens: `[schema .] name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// Unquoted; bytes that are not UTF-8 are replaced by U+FFFD, which no rule's name contains.
    pub schema: Option<String>,
    pub name: String,
    /// The whole name in the statement, qualifier included.
    pub range: Range<usize>,
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
