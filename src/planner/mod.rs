//! Analysis + rules + catalog → Plan, or what is needed first.
//!
//! Owns: every decision about where a statement goes and how answers become one. Never: awaits,
//! logs, reads a clock, draws a random number, or asks anyone: it returns [`Planned::Need`] and the
//! caller loads the tables and plans again.
//!
//! # Life of a plan
//! [`make::plan`] makes a [`Plan`] for a template ([`cache`] keeps it). For each statement
//! [`Plan::bind`] evaluates its functions over the statement's values and gives a [`plan::Route`];
//! for each target of the route [`Plan::render`] gives the text, and [`Plan::renamings`] says how
//! names in the answer are turned back.
//!
//! # What makes a statement right on many shards
//! 1. Every sharded table is narrowed to the same single shard (or to single shards of one group):
//!    the statement goes there as it is, whatever its shape.
//! 2. Otherwise all sharded tables must be joined by their keys, so that the rows of each shard
//!    meet only rows of the same shard, and the answers must be mergeable ([`gather`]).
//! 3. Otherwise what each table reference must give is gathered, and MySQL itself runs the statement
//!    over it ([`workbench`]).
//! 4. Everything else is refused with a stable code ([`refuse`]).

mod alter;
pub mod bind;
pub mod cache;
pub(crate) mod condition;
pub(crate) mod constraint;
pub(crate) mod control;
pub(crate) mod counted;
pub(crate) mod create_view;
pub(crate) mod draft;
pub mod explain;
pub mod fill;
pub mod found;
pub(crate) mod gather;
pub(crate) mod hinted;
pub mod index;
pub(crate) mod insert;
pub(crate) mod label;
pub(crate) mod limit;
pub mod lists;
pub mod load;
pub mod lookup;
pub mod made;
pub mod make;
pub(crate) mod modify;
pub(crate) mod narrow;
pub(crate) mod next_value;
pub(crate) mod nodes;
mod obeyed;
pub(crate) mod order;
pub mod plan;
pub(crate) mod query;
pub mod refuse;
mod returning;
mod selected;
pub mod splice;
pub(crate) mod survey;
mod temporary;
pub mod tokens;
mod unseen;
pub mod view;
pub(crate) mod views;
pub mod workbench;

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::error::Error;
use crate::name::{GroupId, SchemaName};
use crate::rules::table::{Placement, ShardedTable};
use crate::rules::{Rules, Transactions};
use crate::sql::classify::StatementKind;
use crate::sql::lex::Dialect;
use crate::sql::template::Lexed;
use crate::sql::traits::Traits;
use condition::Condition;
use plan::{Facts, Gather, Reply, SessionAction, WriteKind};
use splice::Splice;

/// Everything that a plan depends on.
#[derive(Clone, Copy)]
pub struct PlanInput<'a> {
    pub sql: &'a [u8],
    /// Of `sql`.
    pub lexed: &'a Lexed,
    pub dialect: Dialect,
    pub rules: &'a Rules,
    pub catalog: &'a Catalog,
    /// The session's schema.
    pub schema: Option<&'a str>,
    /// The catalog was asked for what was needed, and this is all there is: plan without the rest
    /// (a table that doesn't exist, a group that doesn't answer) and never ask again.
    pub final_catalog: bool,
}

/// What came out of planning.
#[derive(Clone, Debug)]
pub enum Planned {
    Plan(Arc<Plan>),
    /// Load these tables (logical schema and name) into the catalog and plan again.
    Need(Vec<(SchemaName, String)>),
}

/// What is done for every statement of one template.
#[derive(Debug)]
pub struct Plan {
    pub facts: Facts,
    pub kind: StatementKind,
    pub traits: Traits,
    /// The logical schemas that the statement names or uses: the session checks the user's rights.
    pub schemas: Vec<SchemaName>,
    /// What all of them allow a transaction over groups to be.
    pub transactions: Transactions,
    /// One of them has reads show no half of a committed transaction.
    pub consistent_reads: bool,
    /// Rows may want ids of a sequence: the session asks, and puts them in first.
    pub fill: Option<fill::Fill>,
    /// Conditions lead to an index: it may be asked for the shards before the statement is bound.
    pub by_index: bool,
    /// Rows that are given as values have entries in indexes, which are inserted with them.
    pub keeps: bool,
    /// Views that the statement was written with.
    pub(crate) shown: Vec<views::ViewName>,
    pub(crate) action: Action,
    /// Every physical table that the statement names, in the statement's order.
    pub(crate) tables: Vec<TableUse>,
    /// In the template's order, not overlapping.
    pub(crate) splices: Vec<Splice>,
    /// The statement can't go as it is even to one target (hints to be cut out).
    pub(crate) always_rendered: bool,
}

#[derive(Debug)]
pub(crate) enum Action {
    Reply(Reply),
    Session(SessionAction),
    Refuse(Error),
    /// Every row wants an id: nothing can be said before the statement has them.
    Fill,
    /// Rows of a client's file.
    Load(Box<load::Load>),
    /// It reads views over shards: rendered, it is the statement over what they read.
    Views(views::Expansion),
    /// Goes to servers.
    Tables(Tables),
}

/// How a statement that goes to servers finds its targets.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// The groups that can answer it at all, ascending: those that hold every single and broadcast
    /// table it names. Empty only where sharded tables alone decide.
    pub groups: Vec<GroupId>,
    /// No group holds all of those tables: a shard lies with them nowhere.
    pub apart: bool,
    /// The default database of the connection in each of `groups`.
    pub databases: Vec<Option<Arc<str>>>,
    /// The sharded tables, in the order of [`plan::Target`]'s shards.
    pub sharded: Vec<Narrowed>,
    /// What if more than one shard is left. `Err`: refused with this.
    pub many: Option<Many>,
    /// The first of `groups` is asked, rather than any.
    pub steady: bool,
    /// The rows of an INSERT decide, not conditions.
    pub rows: Option<bind::RowRouting>,
    /// What answers the statement where its shape would have it refused.
    pub bench: Option<Box<workbench::Workbench>>,
    /// Nothing else answers it, whatever its values are.
    pub only_bench: bool,
    /// What the rows of an INSERT are in their table's indexes.
    pub entries: Vec<insert::entries::Entries>,
    /// An AUTO_INCREMENT column that no server may count.
    pub counted: Option<counted::Counted>,
}

impl Tables {
    /// Whether an error is the one that many shards would get.
    pub fn refuses(&self, error: &Error) -> bool {
        matches!(&self.many, Some(Many::Refuse(known)) if known.code == error.code)
    }

    /// Whether a shard on this group lies with the statement's other tables.
    pub fn lie_on(&self, group: GroupId) -> bool {
        !self.apart && (self.groups.is_empty() || self.groups.contains(&group))
    }
}

/// One sharded table of a statement with what its conditions leave of it.
#[derive(Debug)]
pub(crate) struct Narrowed {
    pub table: Arc<ShardedTable>,
    /// The keys' real types, in the keys' order.
    pub types: Vec<crate::value::types::ColumnType>,
    pub condition: Condition,
    /// Its rows decide which shards are asked. The inner side of an outer join and tables of
    /// subqueries follow the others.
    pub drives: bool,
    /// Which part of a UNION it belongs to; 0 for everything else.
    pub part: usize,
    /// Indexes by which this statement's conditions lead to fewer shards.
    pub lookups: Vec<lookup::Lookup>,
}

impl Narrowed {
    /// Whether hints name its shards.
    pub fn is_hinted(&self) -> bool {
        matches!(self.condition, Condition::Hinted(_))
    }
}

/// What happens where more than one shard is left.
#[derive(Debug)]
pub(crate) enum Many {
    Refuse(Error),
    /// All sharded tables lie together, shard by shard.
    Scatter {
        gather: Gather,
        allowed: bool,
    },
    Write {
        write: WriteKind,
        allowed: bool,
    },
    /// All of `groups`.
    Broadcast,
    /// Any one of them answers for all.
    First,
}

/// A physical table behind a name in the statement.
#[derive(Clone, Debug)]
pub(crate) struct TableUse {
    pub schema: SchemaName,
    /// As the rules or the statement write it.
    pub name: Box<str>,
    pub placement: Placement,
    /// The index among the plan's sharded tables.
    pub sharded: Option<usize>,
}
