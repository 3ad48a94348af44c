//! What a plan is: the contract between the planner, which makes plans, the session, which binds
//! them to one statement's values, and the executor, which runs what came out.
//!
//! Owns: the closed set of plans and what each carries. Never: makes a plan ([`super`]), cuts
//! text ([`super::splice`]) or runs anything.
//!
//! A [`Plan`] belongs to a template and is shared by every statement of that template, so it holds
//! functions over slots and never a value. Binding it to a statement's literals or parameters
//! gives a [`Route`]: which shards, in which groups, and how their answers become one.

use std::sync::Arc;

use crate::error::Error;
use crate::name::{GroupId, SchemaName, TableName};

/// One place that a statement is sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub group: GroupId,
    /// The physical database that the connection must have as its default, if any.
    pub database: Option<Arc<str>>,
    /// Which physical tables stand for the logical ones there: an index into the shards of the
    /// plan's first sharded table. `None` where no sharded table is named.
    pub shard: Option<u32>,
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

/// How the rows of several targets become one result.
///
/// Every target gets the same statement (with its own physical names), so all answers have the
/// same columns; columns from `visible` on are hidden helpers that the client never sees.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Gather {
    /// How many leading columns the client sees; `None` means all of them (nothing was added).
    pub visible: Option<usize>,
    /// The order in which each target's rows arrive, by which they are merged. Empty: any order,
    /// rows are concatenated in the order of the targets.
    pub merge_by: Vec<SortKey>,
    /// Rows equal in `merge_by` are folded into one.
    pub fold: Fold,
    /// The order of the folded rows where it isn't `merge_by`: a bounded sort in memory.
    pub sort: Vec<SortKey>,
    /// Counted after merging and folding. Operands, for LIMIT may be a parameter.
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
    pub column: usize,
    pub function: AggregateFunction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateFunction {
    /// The sum of counts: BIGINT, never NULL.
    Count,
    /// The exact sum of DECIMAL, or the floating one of DOUBLE; NULL only if all are NULL.
    Sum,
    /// The smallest; strings by the hidden weight column.
    Min { weight: Option<usize> },
    Max { weight: Option<usize> },
    /// `sum`/`count` from hidden columns, with the scale that the visible column's definition has.
    Average { sum: usize, count: usize },
    BitAnd,
    BitOr,
    BitXor,
}

/// One key of an order, over the columns that targets send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// The column whose value is compared (numbers and dates by value, binary strings by bytes).
    pub column: usize,
    /// The hidden column with the padded WEIGHT_STRING of it, used where the column turns out to
    /// be a character string. `None` where the planner knows that it isn't one.
    pub weight: Option<usize>,
    pub descending: bool,
}

/// LIMIT of the merged rows.
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

/// A plan bound to one statement's values.
#[derive(Clone, Debug)]
pub enum Route {
    /// One target: its answer is relayed.
    Forward(Target),
    /// Several targets, merged.
    Scatter(Vec<Target>),
    /// A write that makes more than one backend statement, or needs one of its own per target.
    Write(Vec<Target>),
    /// No shard can hold a matching row: one target answers, so that columns and errors are MySQL's.
    /// (A statement with a contradiction still is sent to one shard.)
    Refuse(Error),
}

/// How a table's physical name becomes its logical one in column definitions, errors and warnings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renaming {
    pub physical_database: Arc<str>,
    pub physical_table: Arc<str>,
    pub schema: SchemaName,
    pub table: TableName,
}
