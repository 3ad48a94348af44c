//! What a plan is: the contract between the planner, which makes plans, the session, which binds
//! them to one statement's values, and the executor, which runs what came out.
//!
//! Owns: the closed set of plans and what each carries. Never: makes a plan ([`super::plan`]),
//! evaluates one ([`super::bind`]), cuts text ([`super::splice`]) or runs anything.
//!
//! A [`Plan`] belongs to a template and is shared by every statement of that template, so it holds
//! functions over slots and never a value. Binding it to a statement's literals or parameters
//! gives a [`Route`]: which shards, in which groups, and how their answers become one. Rendering
//! it for one [`Target`] gives that target's text.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::name::{GroupId, SchemaName, TableName};
use crate::planner::found::Finds;
use crate::planner::load::Load;
use crate::planner::views::ViewName;
use crate::planner::workbench::Workbench;
use crate::rules::table::SingleTable;
use crate::rules::user::Bounds;
use crate::sql::show::ShowKind;

/// What a template does, whatever its values are.
#[derive(Clone, Debug)]
pub struct Facts {
    pub access: Access,
    /// The backend connection belongs to the session after this statement, for the reason given
    /// (a metric's label). `None`: the connection can be shared as soon as the answer is through.
    pub pins: Option<Pin>,
    /// Its text assigns user variables, whose values are read back behind its answer.
    pub assigns: bool,
    /// A connection lost before the first packet of the answer: the statement may be sent again
    /// (a read outside of a transaction, without side effects).
    pub retry: bool,
    /// The statement commits the session's transaction first, as MySQL does it (DDL and such).
    pub commits: bool,
    /// How a prepared statement of this template is run.
    pub prepared: PreparedForm,
    /// `timeout(ms)` of a hint, counted from the statement's arrival.
    pub timeout: Option<Duration>,
    /// What hints say of this statement's bounds.
    pub bounds: Bounds,
    /// A hint wants a read that shows no half of a committed transaction.
    pub consistent: bool,
    /// A hint's choice of node. `None`: by [`Access`] and the session's state.
    pub node: Option<NodeChoice>,
    /// What FOUND_ROWS() is afterwards.
    pub finds: Finds,
    /// What its LIMIT skips, where it does and the parser knows it.
    pub skipped: Option<Count>,
    /// The statement asks FOUND_ROWS, LAST_INSERT_ID, ROW_COUNT or warnings of the one before it.
    pub looks_back: bool,
    /// A write that answers with rows (RETURNING).
    pub returns: bool,
    /// INSERT IGNORE: rows may be left out.
    pub skips: bool,
    /// SIGNAL: an error's number is the client's own choice.
    pub raises: bool,
    /// The statement reads the clock: where it makes several backend statements, they are fixed to
    /// one moment by `SET timestamp` (mysql-traps 20).
    pub clock: bool,
    /// The server itself reads LAST_INSERT_ID() or sets it, unseen: the connection is given the
    /// session's value before the statement, and what it has then becomes the session's.
    pub lends_id: bool,
    /// A trigger or a view may read LAST_INSERT_ID(), unseen: the connection is given the session's
    /// value before the statement.
    pub gives_id: bool,
    /// What stored code may do that the text doesn't show.
    pub unseen: Unseen,
    /// Who makes the ids of this INSERT's rows.
    pub ids: Ids,
    /// Rows of the answer hold physical names as values, which are turned back as those of column
    /// definitions are (SHOW CREATE TABLE, SHOW INDEX, EXPLAIN, ANALYZE TABLE).
    pub names_in_rows: bool,
    /// DDL that does something else where it has been done already, rather than say so.
    pub for_once: bool,
    /// CREATE TABLE IF NOT EXISTS: a place that has the table stays as it is.
    pub lenient: bool,
    /// What it does to the session's temporary tables.
    pub temporaries: Vec<TemporaryChange>,
    /// It shows a server's inside, others' statements among it: the account needs the right 'admin'.
    pub administers: bool,
}

/// What stored code may do to the session that a statement's text doesn't show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unseen {
    #[default]
    Nothing,
    /// A trigger writes to other tables, whose triggers aren't looked at.
    Writes,
    /// A routine may run, or a trigger that sets variables.
    Sets,
}

impl Default for Facts {
    fn default() -> Self {
        Facts {
            access: Access::Read,
            pins: None,
            assigns: false,
            retry: false,
            commits: false,
            prepared: PreparedForm::Native,
            timeout: None,
            bounds: Bounds::default(),
            consistent: false,
            node: None,
            finds: Finds::Rows,
            skipped: None,
            looks_back: false,
            returns: false,
            skips: false,
            raises: false,
            clock: false,
            lends_id: false,
            gives_id: false,
            unseen: Unseen::Nothing,
            for_once: false,
            lenient: false,
            ids: Ids::Servers,
            names_in_rows: false,
            temporaries: vec![],
            administers: false,
        }
    }
}

/// What becomes of a name among the session's temporary tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemporaryChange {
    pub schema: SchemaName,
    pub name: Box<str>,
    /// Where the table is from now on, with columns that may be new; `None`: it is gone.
    pub place: Option<SingleTable>,
}

/// Whose an insert id in the answer is: LAST_INSERT_ID() follows one that the server made, and never
/// one that the statement gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ids {
    /// The server's.
    #[default]
    Servers,
    /// The statement's.
    Given,
    /// The statement's if it stands there as a value, otherwise the server's.
    AsWritten,
    /// Either: the rows are computed.
    Unknown,
}

impl Ids {
    /// Whether only the server knows.
    pub fn is_doubtful(self) -> bool {
        matches!(self, Ids::AsWritten | Ids::Unknown)
    }
}

/// What a statement does to the data, which decides node, transaction and retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// A plain read: a replica may answer it outside of a transaction.
    Read,
    /// A read that needs the primary: locking reads, functions with side effects.
    PrimaryRead,
    Write,
    /// DDL and everything else that commits implicitly.
    Definition,
}

/// Why a connection can't be shared after a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pin {
    /// `GET_LOCK` and its kin.
    UserLock,
    /// A user variable is assigned inside of a statement.
    UserVariable,
    /// A temporary table was made.
    TemporaryTable,
    /// A stored routine may change anything.
    Routine,
    /// `LOCK TABLES`, `FLUSH TABLES WITH READ LOCK`, `HANDLER`.
    TableLock,
    /// `SQL_CALC_FOUND_ROWS`: the count is on the connection.
    FoundRows,
    /// The statement could not be analysed, so its effects are unknown.
    Unknown,
}

/// How a prepared statement of a template reaches a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PreparedForm {
    /// Its rendered text is prepared there and all parameters are sent with each execution. A
    /// target with only some of the rows ([`Target::rows`]) gets text nevertheless.
    Native,
    /// Parameters are written into the text as literals, since the statement is cut up.
    Text,
    /// MySQL can't prepare it either (1295), or Weir answers it without a server.
    Never,
}

/// A hint's choice of node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeChoice {
    Primary,
    Replica,
}

/// One place that a statement is sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub group: GroupId,
    /// The physical database that the connection must have as its default, if any.
    pub database: Option<Arc<str>>,
    /// The shard of the plan's first sharded table. `None` where no sharded table is named.
    pub shard: Option<u32>,
    /// Which part of the statement's rows goes here; all of them for everything but a split INSERT.
    pub rows: Rows,
    /// One of several whose rows are merged: hidden columns and a wider LIMIT are rendered.
    pub(crate) scattered: bool,
    /// The shard of each sharded table of the plan, in the plan's order (for [`super::splice`]).
    pub(crate) shards: smallvec::SmallVec<[u32; 2]>,
}

/// The rows of an INSERT that one target receives, by their place in the statement.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Rows {
    #[default]
    All,
    /// Ascending indices.
    Some(Vec<u32>),
}

/// A plan bound to one statement's values.
#[derive(Clone, Debug)]
pub enum Route<'p> {
    /// Answered by Weir itself.
    Reply(&'p Reply),
    /// One target: its answer is relayed.
    Forward(Target),
    /// Several targets, merged.
    Scatter { targets: Vec<Target>, gather: &'p Gather },
    /// Rows are gathered from where they are, and one server runs the statement over them.
    Workbench(&'p Workbench),
    /// A statement that changes several targets.
    Write { targets: Vec<Target>, write: WriteKind },
    /// A client's file, its records sent to where they belong.
    Load(&'p Load),
    /// A change of the session, or a question about it.
    Session(&'p SessionAction),
    /// Refused before anything was sent.
    Refuse(Error),
}

impl Route<'_> {
    /// Whether it names the targets of a write.
    pub fn is_placed(&self) -> bool {
        matches!(self, Route::Forward(_) | Route::Write { .. })
    }
}

/// How a statement that changes several targets is sent, and how the answers become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WriteKind {
    /// Rows are disjoint: affected rows and warnings are summed, the info string is made anew,
    /// LAST_INSERT_ID is the first target's. Atomic or refused (mysql-traps 7).
    Split,
    /// Each target has the same rows: the first target (the lowest group) goes alone, then the
    /// others in parallel (mysql-traps 20); the first one's answer is the client's, and a
    /// differing count of affected rows is an error.
    Broadcast,
    /// DDL: every target, one after the other; the first error ends it and names what was done.
    Definition,
}

/// What a SHOW leaves of its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The pattern of LIKE.
    pub pattern: Option<String>,
    /// The condition of WHERE, as written; it holds no subquery.
    pub filter: Option<Box<str>>,
}

/// An answer of Weir's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `EXPLAIN ROUTE <sql>`: the statement to explain starts at this offset of the template.
    /// The session plans and binds it and answers with one text column named `route`.
    Explain { statement: usize },
    /// An OK packet without more: a statement that has nothing to do here.
    Ok,
    /// LOCK TABLES that locks nothing, for its schema's rule says so: an OK with a warning that names this
    /// table.
    Unlocked { table: Box<str> },
    /// `SHOW DATABASES [LIKE]`: the logical schemas that the user may see.
    Schemas { shown: Shown },
    /// `SHOW [FULL] TABLES [FROM] [LIKE]`: logical names, physical ones folded.
    Tables { schema: SchemaName, full: bool, shown: Shown },
    /// SHOW TABLE STATUS.
    TableStatus { schema: SchemaName, shown: Shown },
    /// SHOW TRIGGERS, EVENTS, PROCEDURE STATUS and FUNCTION STATUS; of all schemas where none is given.
    Objects { kind: ShowKind, schema: Option<SchemaName>, shown: Shown },
    /// SHOW GRANTS of the client's own account: what the rules let it do.
    Grants,
    /// `SELECT NEXT VALUE FOR s`: so many numbers of a sequence, a row each, in a column of this name.
    NextValue { schema: SchemaName, sequence: Arc<str>, label: String, count: Count },
    /// `SHOW [FULL] PROCESSLIST`: this proxy's clients.
    Processlist { full: bool },
}

/// A statement about the session itself. The words come from [`crate::sql`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionAction {
    /// `USE name`.
    Use(SchemaName),
    /// MariaDB's `SET STATEMENT … FOR …`: the statement behind it, in a state of its own.
    SetStatement,
    /// Any SET; the session reads it from the statement's tokens ([`crate::sql::set`]).
    Set,
    /// BEGIN, COMMIT, SAVEPOINT and kin; read from the tokens ([`crate::sql::classify`]).
    Transaction,
    /// `PREPARE name FROM …`, `EXECUTE name [USING …]`, `DEALLOCATE PREPARE name`.
    Prepare,
    Execute,
    Deallocate,
    /// `UNLOCK TABLES`; LOCK TABLES itself is a Forward that pins.
    UnlockTables,
    /// `KILL [QUERY|CONNECTION] id`.
    Kill,
    /// `SHOW WARNINGS`, `SHOW ERRORS` and `SHOW COUNT(*) …`.
    Diagnostics,
    GetDiagnostics,
}

/// How the rows of several targets become one result.
///
/// Every target gets the same statement (with its own physical names), so all answers have the
/// same columns; columns from `visible` on are hidden helpers that the client never sees.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Gather {
    /// How many trailing columns were added and are cut off before the client sees a row.
    pub hidden: usize,
    /// The order in which each target's rows arrive, by which they are merged. Empty: any order,
    /// rows are concatenated in the order of the targets.
    pub merge_by: Vec<SortKey>,
    /// Rows equal in `merge_by` are folded into one.
    pub fold: Fold,
    /// The order of the folded rows where it isn't `merge_by`: a bounded sort in memory.
    pub sort: Vec<SortKey>,
    /// Applied after merging, folding and sorting.
    pub limit: Option<Limit>,
}

/// How adjacent rows that are equal by `merge_by` become one.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Fold {
    /// They stay as they are.
    #[default]
    Keep,
    /// DISTINCT: the first one stays.
    Distinct,
    /// GROUP BY (or aggregates without it: `merge_by` is empty and all rows are one group).
    Aggregate(Vec<Aggregate>),
}

/// One column of a folded row that is not simply the first row's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// The column that holds the shard's partial result, and receives the total.
    pub column: Column,
    pub function: AggregateFunction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateFunction {
    /// The sum of counts: BIGINT, never NULL.
    Count,
    /// The exact sum of DECIMAL, or the floating one of DOUBLE; NULL only if all are NULL.
    Sum,
    /// The smallest; NULLs don't count. Strings by the hidden weight column.
    Min {
        weight: Option<Column>,
    },
    Max {
        weight: Option<Column>,
    },
    /// `sum`/`count` from hidden columns, with the scale that the visible column's definition has.
    Average {
        sum: Column,
        count: Column,
    },
    BitAnd,
    BitOr,
    BitXor,
}

/// A column of the rows that targets send. `SELECT *` hides how many columns there are, so hidden
/// columns are counted from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Column {
    /// From the first column, 0-based.
    Visible(u16),
    /// The n-th of the [`Gather::hidden`] trailing columns, 0-based.
    Hidden(u16),
}

impl Column {
    /// The column's index in a row of `columns` columns, `hidden` of them hidden.
    pub fn index(self, columns: usize, hidden: usize) -> usize {
        match self {
            Column::Visible(n) => usize::from(n),
            Column::Hidden(n) => columns.saturating_sub(hidden) + usize::from(n),
        }
    }
}

/// One key of an order, over the columns that targets send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// The column whose value is compared: numbers and temporal values by value, binary strings
    /// (WEIGHT_STRING, BINARY, BLOB) by bytes; NULL sorts first. A column that turns out to be a
    /// character string here is an error of the planner: it asks for weights itself.
    pub column: Column,
    pub descending: bool,
    /// Bytes of one weight where the column has the weights of a text with a blank behind it, whose
    /// trailing blanks count for nothing; 0 for all other columns.
    pub unit: u8,
}

/// LIMIT of the merged rows, evaluated by [`super::bind`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    pub offset: Count,
    pub count: Count,
}

/// A number that stands in the text or comes with the statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Count {
    Fixed(u64),
    /// The slot of the template that holds it.
    Slot(u16),
}

/// How a table's physical name becomes its logical one in column definitions, errors and warnings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renaming {
    pub physical_database: Arc<str>,
    pub physical_table: Arc<str>,
    pub schema: SchemaName,
    pub table: TableName,
    /// The names stand in values of rows as well ([`Facts::names_in_rows`]).
    pub in_rows: bool,
    /// No table: a derived table stands for a view, whose columns are described as a view's are.
    pub view: Option<ViewName>,
}

/// What [`super::splice`] made of a statement for one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rendered {
    /// Nothing needs changing: the client's bytes go out as they are.
    AsIs,
    /// The text is in the caller's buffer.
    Written,
}
