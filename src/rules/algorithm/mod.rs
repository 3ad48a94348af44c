//! From key values to shards.
//!
//! Owns: [`Routing`], the closed set of algorithms, and what all of them share: folding, lists of
//! values and ranges answered by enumeration. Never: answers fewer shards than can hold a row.

pub mod fold;
pub mod hash;
pub mod ordered;
pub mod tddl;
pub mod weights;

use std::borrow::Cow;
use std::ops::Bound;

use smallvec::SmallVec;

use crate::rules::key::{KeyColumn, KeyCondition};
use crate::rules::shard_set::ShardSet;
use crate::value::Value;
use crate::value::temporal::Date;
use hash::HashFunction;
use ordered::{DateRule, ListRule, RangeRule};
use tddl::TddlRule;

/// How a table's keys choose a shard.
#[derive(Clone, Debug, PartialEq)]
pub enum Routing {
    /// The non-negative remainder of an integer key by the number of shards.
    Modulo,
    /// The remainder of a hash by the number of shards.
    Hash(HashFunction),
    Range(RangeRule),
    List(ListRule),
    Date(DateRule),
    Slice(SliceRule),
    /// A hash picks one of many virtual slots, and each slot belongs to a shard: moving slots
    /// later moves only their rows.
    Slots {
        function: HashFunction,
        owners: Vec<u32>,
    },
    Tddl(TddlRule),
}

/// Some characters of a text decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceRule {
    /// From 0, or from the end where negative.
    pub from: i32,
    pub length: u32,
    /// `None`: the characters are a decimal number, whose remainder decides.
    pub hash: Option<HashFunction>,
}

/// More combinations of key values than this aren't looked at one by one.
const MOST_COMBINATIONS: usize = 16_384;
/// A range of more values than this isn't enumerated.
const MOST_ENUMERATED: i128 = 4_096;

impl Routing {
    /// The shards that can hold rows for which all conditions hold.
    pub(crate) fn shards(
        &self,
        keys: &[KeyColumn],
        conditions: &[KeyCondition],
        count: u32,
    ) -> ShardSet {
        if let Routing::Tddl(rule) = self {
            return rule.shards(keys, conditions, count);
        }
        match (keys, conditions) {
            ([key], [KeyCondition::Range { low, high }]) => {
                if let Some(set) = self.span(key, (low, high), count) {
                    return set;
                }
            }
            // What most statements have: one value of one key, answered without an allocation.
            ([key], [KeyCondition::Equal(value)]) => {
                return match key.fold.apply(value) {
                    Some(value) => match self.place(&[&value], count) {
                        Ok(shard) => ShardSet::one(count, shard),
                        // A value that no shard takes is in no row.
                        Err(_) => ShardSet::none(count),
                    },
                    None => ShardSet::all(count),
                };
            }
            _ => {}
        }
        let mut candidates: Vec<Vec<Value>> = Vec::with_capacity(keys.len());
        for (index, key) in keys.iter().enumerate() {
            match conditions.get(index).and_then(|condition| folded_points(key, condition)) {
                Some(values) => candidates.push(values),
                None => return ShardSet::all(count),
            }
        }
        let mut set = ShardSet::none(count);
        let complete = for_each_combination(&candidates, &mut |values| {
            // A value that no shard takes is in no row.
            if let Ok(shard) = self.place(values, count) {
                set.insert(shard);
            }
            !set.is_all()
        });
        if complete { set } else { ShardSet::all(count) }
    }

    /// Whether two tables' keys always choose the same shard, whatever the columns are called.
    pub(crate) fn alike(&self, other: &Routing) -> bool {
        match (self, other) {
            (Routing::Tddl(left), Routing::Tddl(right)) => left.alike(right),
            _ => self == other,
        }
    }

    /// The shard of a row; the error says why there is none.
    pub(crate) fn shard_of_row(
        &self,
        keys: &[KeyColumn],
        values: &[Value],
        count: u32,
    ) -> Result<u32, String> {
        let folded: Option<SmallVec<[Cow<'_, Value>; 2]>> =
            keys.iter().zip(values).map(|(key, value)| key.fold.apply(value)).collect();
        let folded = folded.ok_or("the text has characters whose weight isn't known")?;
        let folded: SmallVec<[&Value; 2]> = folded.iter().map(|value| &**value).collect();
        let shard = self.place(&folded, count)?;
        if shard < count {
            Ok(shard)
        } else {
            Err(format!("the rule names shard {shard} of {count}"))
        }
    }

    /// The shard of folded key values.
    fn place(&self, values: &[&Value], count: u32) -> Result<u32, String> {
        let remainder = |number: u64| u32::try_from(number % u64::from(count.max(1))).unwrap_or(0);
        let first = *values.first().ok_or("the table has no key")?;
        match self {
            Routing::Modulo => {
                let number =
                    first.as_whole().ok_or_else(|| format!("{first} is not a whole number"))?;
                u32::try_from(number.rem_euclid(i128::from(count.max(1))))
                    .map_err(|error| error.to_string())
            }
            Routing::Hash(function) => Ok(remainder(function.of(values))),
            Routing::Range(rule) => rule.shard(first),
            Routing::List(rule) => rule.shard(first),
            Routing::Date(rule) => rule.shard(first, count),
            Routing::Slice(rule) => match (rule.cut(first)?, rule.hash) {
                (text, Some(function)) => Ok(remainder(function.of(&[&Value::text(text)]))),
                (text, None) => match text.parse::<u64>() {
                    Ok(number) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                        Ok(remainder(number))
                    }
                    _ => Err(format!("'{text}' of {first} is not a number")),
                },
            },
            Routing::Slots { function, owners } => {
                let slot = function.of(values) % (owners.len().max(1) as u64);
                owners
                    .get(usize::try_from(slot).unwrap_or(0))
                    .copied()
                    .ok_or_else(|| "no slot".to_string())
            }
            Routing::Tddl(rule) => rule.shard_of_row(values),
        }
    }

    /// The shards of a range, where the algorithm knows an order.
    fn span(&self, key: &KeyColumn, span: ordered::Span<'_>, count: u32) -> Option<ShardSet> {
        // The bounds of a text are not folded, and its order is the collation's.
        if key.declared.is_character() {
            return None;
        }
        match self {
            Routing::Range(rule) => Some(rule.span(span, count)),
            Routing::List(rule) => Some(rule.span(span, count)),
            Routing::Date(rule) => Some(rule.span(span, count)),
            _ => None,
        }
    }
}

impl SliceRule {
    fn cut(&self, value: &Value) -> Result<String, String> {
        let text = match value {
            Value::Text(text) => String::from_utf8_lossy(&text.bytes).into_owned(),
            Value::Int(number) => number.to_string(),
            Value::UInt(number) => number.to_string(),
            other => return Err(format!("{other} is not a text")),
        };
        let characters: Vec<char> = text.chars().collect();
        let start = if self.from < 0 {
            characters.len().saturating_sub(self.from.unsigned_abs() as usize)
        } else {
            self.from.unsigned_abs() as usize
        };
        Ok(characters.iter().skip(start).take(self.length as usize).collect())
    }
}

/// The folded values that a condition lets through, `None` where they can't be listed.
pub(crate) fn folded_points(key: &KeyColumn, condition: &KeyCondition) -> Option<Vec<Value>> {
    let values = points(condition)?;
    values.iter().map(|value| key.fold.apply(value).map(Cow::into_owned)).collect()
}

/// The values that a condition lets through, `None` where they can't be listed.
pub(crate) fn points(condition: &KeyCondition) -> Option<Cow<'_, [Value]>> {
    match condition {
        KeyCondition::Any => None,
        KeyCondition::Never => Some(Cow::Borrowed(&[])),
        KeyCondition::Equal(value) => Some(Cow::Borrowed(std::slice::from_ref(value))),
        KeyCondition::In(values) => Some(Cow::Borrowed(values)),
        KeyCondition::Range { low, high } => enumerate(low, high).map(Cow::Owned),
    }
}

/// Every whole number or day of a range with two ends.
fn enumerate(low: &Bound<Value>, high: &Bound<Value>) -> Option<Vec<Value>> {
    // Decimals lie close together: only integers and days can be counted through.
    let number = |bound: &Bound<Value>, step: i128| match bound {
        Bound::Included(value @ (Value::Int(_) | Value::UInt(_))) => value.as_whole(),
        Bound::Excluded(value @ (Value::Int(_) | Value::UInt(_))) => Some(value.as_whole()? + step),
        _ => None,
    };
    if let (Some(low), Some(high)) = (number(low, 1), number(high, -1)) {
        if high - low > MOST_ENUMERATED {
            return None;
        }
        return Some((low..=high).map(Value::whole).collect());
    }
    let day = |bound: &Bound<Value>, step: i64| match bound {
        Bound::Included(Value::Date(date)) => Some(date.day_number()),
        Bound::Excluded(Value::Date(date)) => Some(date.day_number() + step),
        _ => None,
    };
    let (low, high) = (day(low, 1)?, day(high, -1)?);
    if i128::from(high) - i128::from(low) > MOST_ENUMERATED {
        return None;
    }
    (low..=high).map(|number| Date::of_day_number(number).map(Value::Date)).collect()
}

/// Calls `visit` with each combination of one value per key until it answers false. False where
/// there are too many to look at.
pub(crate) fn for_each_combination(
    candidates: &[Vec<Value>],
    visit: &mut dyn FnMut(&[&Value]) -> bool,
) -> bool {
    let total = candidates.iter().try_fold(1usize, |total, values| total.checked_mul(values.len()));
    let Some(total) = total.filter(|total| *total <= MOST_COMBINATIONS.max(largest(candidates)))
    else {
        return false;
    };
    for number in 0..total {
        let mut rest = number;
        let mut combination = Vec::with_capacity(candidates.len());
        for values in candidates {
            if let Some(value) = values.get(rest % values.len()) {
                combination.push(value);
            }
            rest /= values.len();
        }
        if !visit(&combination) {
            return true;
        }
    }
    true
}

/// One key's list is never too long, however long it is: a statement that carries it pays for it.
fn largest(candidates: &[Vec<Value>]) -> usize {
    if candidates.len() == 1 { candidates.first().map_or(0, Vec::len) } else { 0 }
}

#[cfg(test)]
mod tests;
