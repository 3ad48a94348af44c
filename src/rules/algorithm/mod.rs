//! From key values to shards.
//!
//! Owns: [`Routing`], the closed set of algorithms, and what all of them share: sets for lists and
//! ranges. Never: folds less than the key says, or answers fewer shards than can hold a row.

pub mod fold;

use crate::rules::key::{KeyColumn, KeyCondition};
use crate::rules::shard_set::ShardSet;
use crate::value::Value;

/// How a table's keys choose a shard.
#[derive(Clone, Debug, PartialEq)]
pub enum Routing {
    /// The non-negative remainder of an integer key by the number of shards.
    Modulo,
}

impl Routing {
    /// The shards that can hold rows for which all conditions hold.
    pub(crate) fn shards(&self, _keys: &[KeyColumn], _conditions: &[KeyCondition], count: u32) -> ShardSet {
        ShardSet::all(count)
    }

    /// The shard of a row; the error says why there is none.
    pub(crate) fn shard_of_row(&self, _keys: &[KeyColumn], _values: &[Value], _count: u32) -> Result<u32, String> {
        Err("the algorithm isn't there yet".to_string())
    }
}
