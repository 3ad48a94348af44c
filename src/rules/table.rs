//! Where tables live: sharded, broadcast or single.
//!
//! Owns: the placements and the routing of key conditions to shards. Never: reads a statement or
//! a literal; values arrive as the columns store or compare them (see [`super::key`]).

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::name::{GroupId, SchemaName, TableName};
use crate::rules::algorithm::Routing;
use crate::rules::index::IndexRule;
use crate::rules::key::{KeyColumn, KeyCondition};
use crate::rules::sequence::SequenceRule;
use crate::rules::shard_set::ShardSet;
use crate::value::Value;

/// Where one table lives. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Placement {
    Sharded(Arc<ShardedTable>),
    Broadcast(Arc<BroadcastTable>),
    Single(SingleTable),
}

/// A logical table whose rows live in many physical tables.
#[derive(Clone, Debug)]
pub struct ShardedTable {
    pub schema: SchemaName,
    pub name: TableName,
    /// The columns that decide the shard, in the order of [`Self::shards_for`]'s conditions.
    pub keys: Vec<KeyColumn>,
    /// In their fixed order; a shard's number is its index.
    pub shards: Vec<Shard>,
    /// Tables of equal binding are sharded alike: equal keys (column by column, in order) live in
    /// shards of equal numbers, in the same group and database.
    pub binding: BindingId,
    pub sequence: Option<Arc<SequenceRule>>,
    /// Statements that no key condition narrows may go to all shards.
    pub scatter_reads: bool,
    /// The same for UPDATE and DELETE in autocommit.
    pub scatter_writes: bool,
    /// Its global secondary indexes, in the order of their names.
    pub indexes: Vec<Arc<IndexRule>>,
    /// It is the lookup table of an index of this table.
    pub index_of: Option<TableName>,
    pub(crate) routing: Routing,
}

/// One physical table of a sharded one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shard {
    pub group: GroupId,
    pub database: Arc<str>,
    pub table: Arc<str>,
}

/// Names one way of sharding within one snapshot of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BindingId(pub u32);

/// A full copy in every group of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroadcastTable {
    pub schema: SchemaName,
    pub name: TableName,
    /// The physical table's name, the same everywhere.
    pub table: Arc<str>,
    /// Group and database of each copy, in the order of the groups.
    pub copies: Vec<(GroupId, Arc<str>)>,
    pub sequence: Option<Arc<SequenceRule>>,
}

impl Placement {
    /// Whether it is what an index is kept in, which no client sees.
    pub fn is_lookup(&self) -> bool {
        matches!(self, Placement::Sharded(table) if table.index_of.is_some())
    }

    /// Whether it is a session's temporary table.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Placement::Single(table) if table.temporary)
    }

    /// The sequence that fills a column of the table.
    pub fn sequence(&self) -> Option<&Arc<SequenceRule>> {
        match self {
            Placement::Sharded(table) => table.sequence.as_ref(),
            Placement::Broadcast(table) => table.sequence.as_ref(),
            Placement::Single(_) => None,
        }
    }
}

impl BroadcastTable {
    /// The database of the copy in a group.
    pub fn database_in(&self, group: GroupId) -> Option<&Arc<str>> {
        self.copies.iter().find(|(id, _)| *id == group).map(|(_, database)| database)
    }
}

/// A table that lives in one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SingleTable {
    pub group: GroupId,
    pub database: Arc<str>,
    pub table: Arc<str>,
    /// No rule names it: it is here because the schema's default group is.
    pub default: bool,
    /// A temporary table of one session, on that session's own connection to the group.
    pub temporary: bool,
}

impl ShardedTable {
    /// How many shards there are.
    pub fn count(&self) -> u32 {
        u32::try_from(self.shards.len()).unwrap_or(u32::MAX)
    }

    pub fn shard(&self, number: u32) -> Option<&Shard> {
        self.shards.get(number as usize)
    }

    /// A key's place by its column's name in any case.
    pub fn key_index(&self, column: &str) -> Option<usize> {
        self.keys.iter().position(|key| key.name.eq_ignore_ascii_case(column))
    }

    /// The shards that can hold rows for which all conditions hold, one condition for each key in
    /// order (missing ones are [`KeyCondition::Any`]).
    pub fn shards_for(&self, conditions: &[KeyCondition]) -> ShardSet {
        if conditions.iter().any(|condition| matches!(condition, KeyCondition::Never)) {
            return ShardSet::none(self.count());
        }
        self.routing.shards(&self.keys, conditions, self.count())
    }

    /// The shard that a row with these key values belongs to, as the columns *store* them.
    ///
    /// # Errors
    /// A refusal (stable code `no_shard`) where the rules name no shard for the value, NULL included.
    pub fn shard_of_row(&self, values: &[Value]) -> Result<u32> {
        let refuse = |why: String| {
            Error::refused(
                "no_shard",
                format!("No shard of table '{}' takes this row: {why}", self.name),
            )
        };
        if values.len() != self.keys.len() {
            return Err(Error::internal("a row with another number of keys than the table has"));
        }
        for (key, value) in self.keys.iter().zip(values) {
            if *value == Value::Null {
                return Err(refuse(format!("its shard key '{}' is NULL", key.name)));
            }
        }
        self.routing.shard_of_row(&self.keys, values, self.count()).map_err(refuse)
    }

    /// The lowest group, database by database: where a statement goes that no shard can match.
    pub fn any_shard(&self) -> u32 {
        0
    }
}
