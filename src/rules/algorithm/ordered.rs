//! Range, list and date: algorithms that know an order.
//!
//! Owns: the three tables and how a range condition meets them. Never: orders texts by a
//! collation; a range condition on a text says nothing (see `value::compare`).

use std::cmp::Ordering;
use std::ops::Bound;

use crate::rules::key::order;
use crate::rules::shard_set::ShardSet;
use crate::value::Value;
use crate::value::temporal::Date;

/// A range of values of one column.
pub type Span<'a> = (&'a Bound<Value>, &'a Bound<Value>);

/// The order of two folded key values: numbers and dates by value, texts by bytes.
pub(crate) fn folded_order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => Some(left.bytes.cmp(&right.bytes)),
        (Value::Binary(left), Value::Binary(right)) => Some(left.cmp(right)),
        _ => order(left, right),
    }
}

/// Whether some value below `limit` can lie in the span.
fn reaches_below(span: Span<'_>, limit: &Value) -> bool {
    match span.0 {
        Bound::Unbounded => true,
        Bound::Included(low) | Bound::Excluded(low) => {
            !matches!(folded_order(low, limit), Some(Ordering::Greater | Ordering::Equal))
        }
    }
}

/// Whether some value from `limit` on can lie in the span.
fn reaches_from(span: Span<'_>, limit: &Value) -> bool {
    match span.1 {
        Bound::Unbounded => true,
        Bound::Included(high) => folded_order(high, limit) != Some(Ordering::Less),
        Bound::Excluded(high) => {
            !matches!(folded_order(high, limit), Some(Ordering::Less | Ordering::Equal))
        }
    }
}

/// Whether a value lies in the span; true where the order isn't known.
pub(crate) fn contains(span: Span<'_>, value: &Value) -> bool {
    let low = match span.0 {
        Bound::Unbounded => true,
        Bound::Included(low) => folded_order(value, low) != Some(Ordering::Less),
        Bound::Excluded(low) => {
            !matches!(folded_order(value, low), Some(Ordering::Less | Ordering::Equal))
        }
    };
    low && match span.1 {
        Bound::Unbounded => true,
        Bound::Included(high) => folded_order(value, high) != Some(Ordering::Greater),
        Bound::Excluded(high) => {
            !matches!(folded_order(value, high), Some(Ordering::Greater | Ordering::Equal))
        }
    }
}

/// Ascending ranges, each from the end of the one before.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeRule {
    /// Ends (excluded) and shards; only the last may have no end.
    pub ranges: Vec<(Option<Value>, u32)>,
    pub otherwise: Option<u32>,
}

impl RangeRule {
    pub(crate) fn shard(&self, value: &Value) -> Result<u32, String> {
        let below = |end: &Value| folded_order(value, end) == Some(Ordering::Less);
        self.ranges
            .iter()
            .find(|(end, _)| end.as_ref().is_none_or(below))
            .map(|(_, shard)| *shard)
            .or(self.otherwise)
            .ok_or_else(|| format!("{value} is above all ranges and the rule has no 'otherwise'"))
    }

    pub(crate) fn span(&self, span: Span<'_>, count: u32) -> ShardSet {
        let mut set = ShardSet::none(count);
        let mut from: Option<&Value> = None;
        for (end, shard) in &self.ranges {
            let above = from.is_none_or(|from| reaches_from(span, from));
            if above && end.as_ref().is_none_or(|end| reaches_below(span, end)) {
                set.insert(*shard);
            }
            from = end.as_ref();
        }
        if let (Some(last), Some(shard)) = (from, self.otherwise) {
            if reaches_from(span, last) {
                set.insert(shard);
            }
        }
        set
    }
}

/// Listed values.
#[derive(Clone, Debug, PartialEq)]
pub struct ListRule {
    /// Folded values in ascending order.
    entries: Vec<(Value, u32)>,
    pub otherwise: Option<u32>,
}

impl ListRule {
    /// From folded values of one kind.
    pub fn new(mut entries: Vec<(Value, u32)>, otherwise: Option<u32>) -> Self {
        entries
            .sort_by(|(left, _), (right, _)| folded_order(left, right).unwrap_or(Ordering::Equal));
        ListRule { entries, otherwise }
    }

    pub(crate) fn shard(&self, value: &Value) -> Result<u32, String> {
        let found = self
            .entries
            .binary_search_by(|(known, _)| folded_order(known, value).unwrap_or(Ordering::Less))
            .ok()
            .and_then(|index| self.entries.get(index))
            .map(|(_, shard)| *shard);
        found
            .or(self.otherwise)
            .ok_or_else(|| format!("{value} isn't listed and the rule has no 'otherwise'"))
    }

    pub(crate) fn span(&self, span: Span<'_>, count: u32) -> ShardSet {
        let mut set = ShardSet::none(count);
        for (value, shard) in &self.entries {
            if contains(span, value) {
                set.insert(*shard);
            }
        }
        if let Some(shard) = self.otherwise {
            set.insert(shard);
        }
        set
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateUnit {
    Year,
    Month,
    Week,
    Day,
}

/// One shard for each unit of time, counted from a day.
#[derive(Clone, Debug, PartialEq)]
pub struct DateRule {
    pub unit: DateUnit,
    /// The first day of a unit: 1 January, the first of a month, any day.
    pub start: Date,
    /// After the last shard comes the first one again, in both directions.
    pub cycle: bool,
    pub otherwise: Option<u32>,
}

impl DateRule {
    /// How many units a day lies behind the start; `None` for values without a date.
    fn units(&self, value: &Value) -> Option<i64> {
        let date = match value {
            Value::Date(date) => *date,
            Value::DateTime(moment) => moment.date,
            // A YEAR column.
            Value::Int(year) => Date { year: u16::try_from(*year).ok()?, month: 1, day: 1 },
            _ => return None,
        };
        if !date.is_real() {
            return None;
        }
        let months = |date: Date| i64::from(date.year) * 12 + i64::from(date.month) - 1;
        let days = date.day_number() - self.start.day_number();
        Some(match self.unit {
            DateUnit::Year => i64::from(date.year) - i64::from(self.start.year),
            DateUnit::Month => months(date) - months(self.start),
            DateUnit::Week => days.div_euclid(7),
            DateUnit::Day => days,
        })
    }

    fn of_units(&self, units: i64, count: u32) -> Option<u32> {
        if self.cycle {
            u32::try_from(units.rem_euclid(i64::from(count.max(1)))).ok()
        } else {
            u32::try_from(units).ok().filter(|shard| *shard < count).or(self.otherwise)
        }
    }

    pub(crate) fn shard(&self, value: &Value, count: u32) -> Result<u32, String> {
        // Zero dates lie before every unit.
        let zero = match value {
            Value::Date(date) => *date == Date::ZERO,
            Value::DateTime(moment) => moment.date == Date::ZERO,
            _ => false,
        };
        if let (true, false, Some(otherwise)) = (zero, self.cycle, self.otherwise) {
            return Ok(otherwise);
        }
        let units =
            self.units(value).ok_or_else(|| format!("{value} is not a date of the calendar"))?;
        self.of_units(units, count).ok_or_else(|| {
            format!("{value} lies outside of the {count} units from {} on and the rule has no 'otherwise'", self.start)
        })
    }

    pub(crate) fn span(&self, span: Span<'_>, count: u32) -> ShardSet {
        let end = |bound: &Bound<Value>| match bound {
            Bound::Unbounded => Some(None),
            // An excluded end may take a unit too many, never one too few.
            Bound::Included(value) | Bound::Excluded(value) => self.units(value).map(Some),
        };
        let (Some(low), Some(high)) = (end(span.0), end(span.1)) else {
            return ShardSet::all(count);
        };
        let shards = i64::from(count);
        let mut set = ShardSet::none(count);
        if self.cycle {
            let (Some(low), Some(high)) = (low, high) else { return ShardSet::all(count) };
            if high - low >= shards {
                return ShardSet::all(count);
            }
            (low..=high)
                .filter_map(|units| self.of_units(units, count))
                .for_each(|shard| set.insert(shard));
            return set;
        }
        let low = low.unwrap_or(-1);
        let high = high.unwrap_or(shards);
        (low.max(0)..=high.min(shards - 1))
            .filter_map(|units| self.of_units(units, count))
            .for_each(|s| set.insert(s));
        if let (true, Some(otherwise)) = (low < 0 || high >= shards, self.otherwise) {
            set.insert(otherwise);
        }
        set
    }
}
