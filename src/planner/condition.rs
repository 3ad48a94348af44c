//! What a WHERE clause says about shard keys, as a function over slots.
//!
//! Owns: [`Condition`] and its evaluation to a set of shards. Never: knows which column of a
//! statement is a key ([`super::narrow`] does), or keeps a value between statements.
//!
//! Every answer is a superset of the shards that can hold a matching row: what isn't understood is
//! [`Condition::Any`].

use std::sync::Arc;

use smallvec::SmallVec;

use crate::planner::Narrowed;
use crate::planner::bind::Values;
use crate::planner::hinted::Hinted;
use crate::rules::key::KeyCondition;
use crate::rules::shard_set::ShardSet;
use crate::rules::table::ShardedTable;
use crate::sql::analysis::Arithmetic;
use crate::value::Value;
use crate::value::compare::Side;

#[derive(Clone, Debug)]
pub(crate) enum Condition {
    Any,
    Never,
    /// About the key of this index.
    Key(usize, Test),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    /// This shard.
    Shard(u32),
    /// What hints leave, whatever the conditions say.
    Hinted(Arc<Hinted>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Equal(Operand),
    /// `<=>`: says nothing where the value is NULL.
    NullSafe(Operand),
    /// Any of them; a list slot is one operand.
    In(Vec<Operand>),
    Bound {
        side: Side,
        inclusive: bool,
        operand: Operand,
    },
    /// `(…, key, …) IN ((…), …)`: the key is at this place of each tuple of the slot.
    Tuples {
        slot: u16,
        place: usize,
    },
}

/// A value that comes with the statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Slot(u16),
    Value(Value),
    /// LAST_INSERT_ID(), which is the session's: 0 before the first one.
    InsertId,
    Negate(Box<Operand>),
    Arithmetic(Arithmetic, Box<Operand>, Box<Operand>),
}

impl Condition {
    /// Conjunction, without what says nothing.
    pub fn all(mut parts: Vec<Condition>) -> Condition {
        if parts.iter().any(|part| matches!(part, Condition::Never)) {
            return Condition::Never;
        }
        parts.retain(|part| !matches!(part, Condition::Any));
        match parts.len() {
            0 => Condition::Any,
            1 => parts.pop().unwrap_or(Condition::Any),
            _ => Condition::And(parts),
        }
    }

    pub fn any(mut parts: Vec<Condition>) -> Condition {
        if parts.iter().any(|part| matches!(part, Condition::Any)) {
            return Condition::Any;
        }
        parts.retain(|part| !matches!(part, Condition::Never));
        match parts.len() {
            0 => Condition::Never,
            1 => parts.pop().unwrap_or(Condition::Never),
            _ => Condition::Or(parts),
        }
    }
}

type Keys = SmallVec<[KeyCondition; 2]>;

/// The shards of `narrowed`'s table that can hold rows for this statement.
pub(crate) fn shards(narrowed: &Narrowed, values: &Values) -> ShardSet {
    evaluate(&narrowed.condition, narrowed, values)
}

/// The shards of `narrowed`'s table for which a condition on its keys can hold.
pub(crate) fn evaluate(condition: &Condition, narrowed: &Narrowed, values: &Values) -> ShardSet {
    let keys: Keys = narrowed.table.keys.iter().map(|_| KeyCondition::Any).collect();
    evaluate_within(condition, keys, narrowed, values)
}

/// `keys`: what is already known of each key where `condition` is asked.
fn evaluate_within(
    condition: &Condition,
    mut keys: Keys,
    narrowed: &Narrowed,
    values: &Values,
) -> ShardSet {
    let table: &ShardedTable = &narrowed.table;
    match condition {
        Condition::Any => table.shards_for(&keys),
        Condition::Never => ShardSet::none(table.count()),
        Condition::Shard(shard) => ShardSet::one(table.count(), *shard),
        Condition::Hinted(hinted) => hinted.shards(narrowed, values),
        Condition::Key(key, test) => {
            narrow(&mut keys, *key, test, narrowed, values);
            table.shards_for(&keys)
        }
        Condition::And(parts) => {
            for part in parts {
                if let Condition::Key(key, test) = part {
                    narrow(&mut keys, *key, test, narrowed, values);
                }
            }
            // The keys known so far hold in each branch of what follows.
            let nested = parts.iter().filter(|part| !matches!(part, Condition::Key(..)));
            let mut set: Option<ShardSet> = None;
            for part in nested {
                let one = evaluate_within(part, keys.clone(), narrowed, values);
                set = Some(match set {
                    Some(set) => set.and(&one),
                    None => one,
                });
            }
            set.unwrap_or_else(|| table.shards_for(&keys))
        }
        Condition::Or(parts) => {
            let mut set = ShardSet::none(table.count());
            for part in parts {
                set = set.or(&evaluate_within(part, keys.clone(), narrowed, values));
                if set.is_all() {
                    break;
                }
            }
            set
        }
    }
}

fn narrow(keys: &mut Keys, index: usize, test: &Test, narrowed: &Narrowed, values: &Values) {
    let found = key_condition(index, test, narrowed, values);
    if let Some(known) = keys.get_mut(index) {
        let before = std::mem::replace(known, KeyCondition::Any);
        *known = before.and(found);
    }
}

fn key_condition(index: usize, test: &Test, narrowed: &Narrowed, values: &Values) -> KeyCondition {
    let (Some(key), Some(column)) = (narrowed.table.keys.get(index), narrowed.types.get(index))
    else {
        return KeyCondition::Any;
    };
    let context = match values.binding.parameters {
        [] => values.session.assign,
        _ => values.session.assign.prepared(),
    };
    match test {
        Test::Equal(operand) => match values.operand(operand) {
            Some(value) => key.equal(&value, column, context),
            None => KeyCondition::Any,
        },
        Test::NullSafe(operand) => match values.operand(operand) {
            Some(Value::Null) | None => KeyCondition::Any,
            Some(value) => key.equal(&value, column, context),
        },
        Test::In(operands) => match values.list(operands) {
            Some(list) => key.within(&list, column, context),
            None => KeyCondition::Any,
        },
        Test::Tuples { slot, place } => match values.tuple_column(*slot, *place) {
            Some(list) => key.within(&list, column, context),
            None => KeyCondition::Any,
        },
        Test::Bound { side, inclusive, operand } => match values.operand(operand) {
            // NULL compares with nothing.
            Some(Value::Null) => KeyCondition::Never,
            Some(value) => key.bound(&value, *side, *inclusive, column, context),
            None => KeyCondition::Any,
        },
    }
}
