//! Global secondary indexes: a column that isn't the shard key leads to its rows' shards.
//!
//! Owns: what an index is, and the name of the table that holds it. Never: reads or writes an entry.
//!
//! An index is a sharded table of its own, the *lookup table*, sharded by the indexed columns. An
//! entry has the row's indexed columns, its shard keys and its primary key. Rows with NULL in an
//! indexed column have no entry: nothing is equal to NULL.

use std::sync::Arc;

use crate::rules::key::KeyColumn;
use crate::rules::table::ShardedTable;

/// What the names of lookup tables begin with; no other table's does.
pub const PREFIX: &str = "weir_ix_";

/// One index of a sharded table.
#[derive(Clone, Debug)]
pub struct IndexRule {
    pub name: Box<str>,
    /// The indexed columns, which are the lookup table's shard key.
    pub columns: Vec<KeyColumn>,
    /// No two rows of all shards have equal values.
    pub unique: bool,
    /// Statements are routed by it. Until then it is only written.
    pub ready: bool,
    /// The lookup table.
    pub table: Arc<ShardedTable>,
}

impl IndexRule {
    /// The lookup table's logical name.
    pub fn table_name(table: &str, index: &str) -> String {
        format!("{PREFIX}{table}_{index}")
    }

    /// Whether two rules differ in nothing but where their lookup table's rows are, which is compared
    /// as any table's.
    pub(crate) fn alike(&self, other: &IndexRule) -> bool {
        self.name == other.name
            && self.columns == other.columns
            && self.unique == other.unique
            && self.ready == other.ready
    }
}
