//! Shard keys: from a literal to the value that an algorithm sees.
//!
//! Owns: [`KeyColumn`], which joins the column's type, its collation and the rule's `fold`, and
//! [`KeyCondition`], what a WHERE clause says about one key. Never: chooses a shard.
//!
//! A row is found again only if every text that the column's collation calls equal is folded to
//! the same value before it is routed. Where `fold` is weaker than the collation, a condition on
//! that text says nothing ([`KeyCondition::Any`]), so the statement goes to all shards.

use std::ops::Bound;

use crate::rules::algorithm::fold::Fold;
use crate::value::Value;
use crate::value::assign::{self, Stored};
use crate::value::compare::{self, Compared, Limited, Side};
use crate::value::types::ColumnType;

/// One column of a shard key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    pub name: Box<str>,
    /// As the rules declare it; used where no catalog is at hand, and checked against it.
    pub declared: ColumnType,
    pub fold: Fold,
}

/// What is known of one key in the rows that a statement concerns.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyCondition {
    Any,
    Never,
    Equal(Value),
    In(Vec<Value>),
    Range { low: Bound<Value>, high: Bound<Value> },
}

impl KeyColumn {
    /// Whether texts that `column` calls equal are folded alike. Types without a collation always are.
    pub fn covers(&self, column: &ColumnType) -> bool {
        match column {
            ColumnType::Char { collation, .. }
            | ColumnType::VarChar { collation, .. }
            | ColumnType::Text { collation, .. } => {
                // CHAR loses its trailing spaces when it is stored: nothing to fold there.
                let padded = collation.pads_spaces() && !matches!(column, ColumnType::Char { .. });
                self.fold.covers(collation, padded)
            }
            // Labels arrive exactly as they are declared.
            _ => true,
        }
    }

    /// Whether equal values of two keys are the same to an algorithm.
    pub fn routes_like(&self, other: &KeyColumn) -> bool {
        let class = |kind: &ColumnType| match kind {
            ColumnType::Int { .. } | ColumnType::Year => 0,
            ColumnType::Decimal { .. } => 1,
            ColumnType::Date => 2,
            ColumnType::DateTime { .. } => 3,
            ColumnType::Timestamp { .. } => 4,
            ColumnType::Char { .. } | ColumnType::VarChar { .. } | ColumnType::Text { .. } => 5,
            ColumnType::Enum { .. } => 6,
            _ => 7,
        };
        class(&self.declared) == class(&other.declared) && self.fold == other.fold
    }

    /// `column = value`, with the literal as it stands in the statement and the column's real type
    /// (or [`Self::declared`]).
    pub fn equal(
        &self,
        value: &Value,
        column: &ColumnType,
        context: assign::Context,
    ) -> KeyCondition {
        match compare::equal(value, column, context) {
            Compared::Same(value) if self.covers(column) && self.routable(&value) => {
                KeyCondition::Equal(value)
            }
            Compared::Same(_) | Compared::Unknown => KeyCondition::Any,
            Compared::Never => KeyCondition::Never,
        }
    }

    /// `column IN (values)`: the whole list, NULLs included.
    pub fn within(
        &self,
        values: &[Value],
        column: &ColumnType,
        context: assign::Context,
    ) -> KeyCondition {
        match compare::within(values, column, context) {
            Some(matched) if matched.is_empty() => KeyCondition::Never,
            Some(matched)
                if self.covers(column) && matched.iter().all(|value| self.routable(value)) =>
            {
                KeyCondition::In(matched)
            }
            _ => KeyCondition::Any,
        }
    }

    /// `column > value` (low) or `column < value` (high); `inclusive` for `>=` and `<=`.
    pub fn bound(
        &self,
        value: &Value,
        side: Side,
        inclusive: bool,
        column: &ColumnType,
        context: assign::Context,
    ) -> KeyCondition {
        match (compare::bound(value, side, inclusive, column, context), side) {
            (Limited::By(Bound::Unbounded) | Limited::Unknown, _) => KeyCondition::Any,
            (Limited::By(low), Side::Low) => KeyCondition::Range { low, high: Bound::Unbounded },
            (Limited::By(high), Side::High) => KeyCondition::Range { low: Bound::Unbounded, high },
            (Limited::Never, _) => KeyCondition::Never,
        }
    }

    /// What the column holds once the literal was assigned to it, for [`super::table::ShardedTable::shard_of_row`].
    ///
    /// # Errors
    /// A sentence that says why it can't be known; the row must be refused then.
    pub fn stored(
        &self,
        value: &Value,
        column: &ColumnType,
        context: assign::Context,
    ) -> Result<Value, &'static str> {
        match assign::assign(value, column, context) {
            Stored::Value(stored) if self.routable(&stored) => Ok(stored),
            Stored::Value(_) => {
                Err("the text has characters whose weight in the rule's collation isn't known")
            }
            Stored::Unsure(why) => Err(why),
        }
    }

    /// Whether the fold knows every character of the value.
    fn routable(&self, value: &Value) -> bool {
        self.fold.apply(value).is_some()
    }
}

impl KeyCondition {
    /// Both conditions hold. Where the values of both are lists, those in both stay.
    #[must_use]
    pub fn and(self, other: KeyCondition) -> KeyCondition {
        use KeyCondition::{Any, Equal, In, Never, Range};
        match (self, other) {
            (Any, other) | (other, Any) => other,
            (Never, _) | (_, Never) => Never,
            (Range { low: a, high: b }, Range { low: c, high: d }) => {
                Range { low: tighter(a, c, false), high: tighter(b, d, true) }
            }
            // A point is narrower than a range; whether it lies inside need not be decided.
            (Range { .. }, point) | (point, Range { .. }) => point,
            // Texts that differ here can be equal in the collation: keep one side, which is safe.
            (Equal(value), _) | (_, Equal(value)) => Equal(value),
            (In(left), In(right)) => In(if left.len() <= right.len() { left } else { right }),
        }
    }
}

/// The bound that lets less through; `first` where the two can't be compared.
fn tighter(first: Bound<Value>, second: Bound<Value>, high: bool) -> Bound<Value> {
    let (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) =
        (&first, &second)
    else {
        return if matches!(first, Bound::Unbounded) { second } else { first };
    };
    match order(a, b) {
        Some(std::cmp::Ordering::Less) => {
            if high {
                first
            } else {
                second
            }
        }
        Some(std::cmp::Ordering::Greater) => {
            if high {
                second
            } else {
                first
            }
        }
        _ if matches!(first, Bound::Excluded(_)) => first,
        _ => second,
    }
}

/// The order of two values of one column; `None` for texts, whose order is the collation's.
pub(crate) fn order(left: &Value, right: &Value) -> Option<std::cmp::Ordering> {
    match (left, right) {
        (Value::Int(_) | Value::UInt(_), Value::Int(_) | Value::UInt(_)) => {
            Some(left.as_whole().cmp(&right.as_whole()))
        }
        (Value::Decimal(left), Value::Decimal(right)) => Some(left.cmp(right)),
        (Value::Date(left), Value::Date(right)) => Some(left.cmp(right)),
        (Value::DateTime(left), Value::DateTime(right)) => Some(left.cmp(right)),
        _ => None,
    }
}
