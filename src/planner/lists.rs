//! Lists of values, cut to those whose rows a shard may have.
//!
//! Owns: which items of `IN (…)` a shard is sent. Never: decides which shards are asked.

use crate::planner::bind::{Binding, Values};
use crate::planner::plan::Target;
use crate::planner::{Action, Plan};
use crate::rules::key::KeyCondition;
use crate::sql::slot::Item;
use crate::value::Value;

impl Plan {
    /// The items of a list slot whose rows may be in the target's shard; one at least, since a list
    /// can't be empty.
    pub(crate) fn items_of_shard<'b>(
        &self,
        sharded: usize,
        slot: u16,
        target: &Target,
        binding: &'b Binding,
    ) -> Vec<&'b Item> {
        let Some(slot) = binding.lexed.slots().get(usize::from(slot)) else { return vec![] };
        let items = binding.lexed.items(slot);
        let narrowed = match &self.action {
            Action::Tables(tables) => tables.sharded.get(sharded),
            _ => None,
        };
        let place = narrowed.zip(target.shards.get(sharded));
        let Some((narrowed, shard)) = place else { return items.iter().collect() };
        let values = Values::new(binding);
        let keys = narrowed.table.keys.first().zip(narrowed.types.first());
        let Some((key, column)) = keys else { return items.iter().collect() };
        let mut kept: Vec<&Item> = Vec::with_capacity(items.len());
        for item in items {
            let value = values.item(item);
            if value == Some(Value::Null) {
                continue;
            }
            match value.map(|value| key.equal(&value, column, binding.session.assign)) {
                Some(condition @ KeyCondition::Equal(_)) => {
                    if narrowed.table.shards_for(&[condition]).contains(*shard) {
                        kept.push(item);
                    }
                }
                // What isn't a value of the column is compared in a list in another way than alone.
                _ => return items.iter().collect(),
            }
        }
        if kept.is_empty() { items.iter().take(1).collect() } else { kept }
    }
}
