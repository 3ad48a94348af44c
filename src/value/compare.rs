//! Comparison: which stored values a literal matches.
//!
//! Owns: whether `column = literal` compares in the column's own order, and as which value; the
//! same for IN lists and range bounds. Never: guesses. [`Compared::Unknown`] means that any row
//! may match, so the condition doesn't narrow the shards.
//!
//! What is answered here holds for both kinds of servers; `tests/data/value/compare.txt` holds the
//! cases, which run against real servers too.

use std::ops::Bound;

use crate::value::Value;
use crate::value::assign::{Context, bytes_of, characters_in, to_utc};
use crate::value::decimal::Decimal;
use crate::value::temporal::{self, Date, DateTime};
use crate::value::types::ColumnType;

/// Which stored values are equal to a literal.
#[derive(Clone, Debug, PartialEq)]
pub enum Compared {
    /// Those that equal this one in the column's own order (for strings: in its collation).
    Same(Value),
    /// None: the condition matches no row.
    Never,
    /// Not known.
    Unknown,
}

/// Which end of a range a literal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `column > literal`
    Low,
    /// `column < literal`
    High,
}

/// What a range condition says about stored values.
#[derive(Clone, Debug, PartialEq)]
pub enum Limited {
    /// They lie on this side of the bound, which is in the column's own type.
    By(Bound<Value>),
    Never,
    Unknown,
}

/// Doubles hold whole numbers exactly up to here; beyond, a comparison by double matches several.
const EXACT_IN_DOUBLE: i128 = 1 << 53;

/// Which rows `column = value` matches. NULL matches none (for `<=>` ask the planner).
pub fn equal(value: &Value, column: &ColumnType, context: Context) -> Compared {
    if *value == Value::Null {
        return Compared::Never;
    }
    match column {
        ColumnType::Int { .. } => integer(value, column, context),
        ColumnType::Decimal { scale, .. } => decimal(value, *scale),
        ColumnType::Year => match value {
            Value::Int(year) if (1901..=2155).contains(year) => Compared::Same(value.clone()),
            _ => Compared::Unknown,
        },
        ColumnType::Date => match moment(value) {
            // MySQL rounds a fraction, perhaps to the next day.
            Some(moment) if moment.micros != 0 => Compared::Unknown,
            Some(moment) if moment.has_time() => Compared::Never,
            Some(moment) => Compared::Same(Value::Date(moment.date)),
            None => Compared::Unknown,
        },
        ColumnType::DateTime { decimals } => match moment(value) {
            Some(moment) => precise(moment, *decimals),
            None => Compared::Unknown,
        },
        ColumnType::Timestamp { decimals } => {
            match moment(value).and_then(|local| to_utc(local, context)) {
                Some(moment) => precise(moment, *decimals),
                None => Compared::Unknown,
            }
        }
        ColumnType::Char { .. } | ColumnType::VarChar { .. } | ColumnType::Text { .. } => {
            characters(value, column)
        }
        ColumnType::Binary { length } => match bytes_of(value) {
            Some(bytes) if bytes.len() == *length as usize => {
                Compared::Same(Value::Binary(bytes.into()))
            }
            Some(_) => Compared::Never,
            None => Compared::Unknown,
        },
        ColumnType::VarBinary { .. } | ColumnType::Blob { .. } => match bytes_of(value) {
            Some(bytes) => Compared::Same(Value::Binary(bytes.into())),
            None => Compared::Unknown,
        },
        ColumnType::Enum { labels, .. } => match value {
            Value::Text(text) => match text.characters() {
                Some(text) if labels.iter().any(|label| **label == *text) => {
                    Compared::Same(Value::text(text))
                }
                _ => Compared::Unknown,
            },
            _ => Compared::Unknown,
        },
        ColumnType::Float { .. }
        | ColumnType::Double { .. }
        | ColumnType::Bit { .. }
        | ColumnType::Time { .. }
        | ColumnType::Set { .. }
        | ColumnType::Json
        | ColumnType::Other(_) => Compared::Unknown,
    }
}

/// Which stored values `column IN (values)` matches; `None` where it isn't known. Values that can
/// match nothing are left out, so an empty answer means that no row matches.
///
/// The whole list is needed: one text among numbers changes how all of them compare (trap 16).
pub fn within(values: &[Value], column: &ColumnType, context: Context) -> Option<Vec<Value>> {
    let mut kinds = values.iter().filter(|value| **value != Value::Null).map(kind);
    let first = kinds.next();
    if kinds.any(|kind| Some(kind) != first) {
        return None;
    }
    if first == Some(Kind::Text)
        && matches!(column, ColumnType::Int { .. })
        && !list_is_exact(values)
    {
        return None;
    }
    let mut matched = Vec::with_capacity(values.len());
    for value in values {
        match equal(value, column, context) {
            Compared::Same(value) => matched.push(value),
            Compared::Never => {}
            Compared::Unknown => return None,
        }
    }
    Some(matched)
}

/// Whether a list of texts compares exactly with integers: one text that is no plain integer makes
/// servers compare all of them as doubles, which matters for the large ones.
fn list_is_exact(values: &[Value]) -> bool {
    let texts = || {
        values
            .iter()
            .filter_map(|value| if let Value::Text(text) = value { Some(text) } else { None })
    };
    let large = |text: &crate::value::Text| {
        let number = text.characters().and_then(|text| plain_number(&text)?.floor());
        number.is_none_or(|number| number.abs() >= EXACT_IN_DOUBLE)
    };
    texts().all(plain_integer) || !texts().any(large)
}

/// Classes of values that don't change each other's comparison.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Kind {
    Exact,
    Double,
    Text,
    Binary,
    Temporal,
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Null | Value::Int(_) | Value::UInt(_) | Value::Decimal(_) => Kind::Exact,
        Value::Double(_) => Kind::Double,
        Value::Text(_) => Kind::Text,
        Value::Binary(_) => Kind::Binary,
        Value::Date(_) | Value::DateTime(_) | Value::Time(_) => Kind::Temporal,
    }
}

fn integer(value: &Value, column: &ColumnType, context: Context) -> Compared {
    let Some((low, high)) = column.integer_range() else { return Compared::Unknown };
    let whole = match value {
        Value::Int(_) | Value::UInt(_) => value.as_whole(),
        Value::Decimal(decimal) => decimal.to_whole_exact(),
        Value::Double(number) => match double(*number) {
            Ok(whole) => whole,
            Err(Inexact) => return Compared::Unknown,
        },
        Value::Text(text) => match text.characters().and_then(|text| plain_number(&text)) {
            // What a text beyond the doubles' exact numbers matches differs over servers.
            Some(decimal) => match decimal.to_whole_exact() {
                Some(whole)
                    if whole.abs() >= EXACT_IN_DOUBLE
                        && (context.compares_doubles() || !plain_integer(text)) =>
                {
                    return Compared::Unknown;
                }
                whole => whole,
            },
            None => return Compared::Unknown,
        },
        _ => return Compared::Unknown,
    };
    match whole {
        Some(whole) if (low..=high).contains(&whole) => Compared::Same(Value::whole(whole)),
        Some(whole) if matches!(value, Value::Text(_)) && whole.abs() >= EXACT_IN_DOUBLE => {
            Compared::Unknown
        }
        Some(_) => Compared::Never,
        // MariaDB rounds a fraction where it looks the value up in an index, and matches nothing
        // where it reads the table.
        None => Compared::Unknown,
    }
}

/// A text of digits alone, perhaps with a minus: servers turn it into an integer before comparing.
fn plain_integer(text: &crate::value::Text) -> bool {
    let digits = text.bytes.strip_prefix(b"-").unwrap_or(&text.bytes);
    !digits.is_empty() && digits.len() <= 19 && digits.iter().all(u8::is_ascii_digit)
}

/// A text that is a number from its first to its last character.
fn plain_number(text: &str) -> Option<Decimal> {
    let decimal = Decimal::parse(text)?;
    // Compared as a double the fraction may be gone.
    let is_whole = decimal.to_whole_exact().is_some();
    let nearest: f64 = text.trim().parse().ok()?;
    (is_whole || nearest.fract() != 0.0).then_some(decimal)
}

struct Inexact;

/// The whole number that a double is, `None` with a fraction.
fn double(number: f64) -> Result<Option<i128>, Inexact> {
    if number.is_nan() || number.abs() >= EXACT_IN_DOUBLE as f64 {
        return Err(Inexact);
    }
    Ok((number.fract() == 0.0).then_some(number as i128))
}

fn decimal(value: &Value, scale: u8) -> Compared {
    let decimal = match value {
        Value::Int(number) => Decimal::from_i128(i128::from(*number)),
        Value::UInt(number) => Decimal::from_i128(i128::from(*number)),
        Value::Decimal(decimal) => decimal.clone(),
        _ => return Compared::Unknown,
    };
    let rounded = decimal.round(usize::from(scale));
    // As with integers, a lookup in an index rounds.
    if rounded == decimal { Compared::Same(Value::Decimal(rounded)) } else { Compared::Unknown }
}

/// A moment as every server reads it in a comparison with a temporal column.
fn moment(value: &Value) -> Option<DateTime> {
    let moment = match value {
        Value::Date(date) => DateTime::midnight(*date),
        Value::DateTime(moment) => *moment,
        Value::Text(text) => {
            let parsed = temporal::parse_datetime(&text.characters()?)?;
            if parsed.beyond_micros {
                return None;
            }
            parsed.value
        }
        _ => return None,
    };
    (moment.date != Date::ZERO).then_some(moment)
}

/// A moment of more decimals than the column has: MySQL rounds it, MariaDB matches nothing.
fn precise(moment: DateTime, decimals: u8) -> Compared {
    if moment.truncate(decimals) == moment {
        Compared::Same(Value::DateTime(moment))
    } else {
        Compared::Unknown
    }
}

fn characters(value: &Value, column: &ColumnType) -> Compared {
    let (Value::Text(text), Some(collation)) = (value, column.collation()) else {
        return Compared::Unknown;
    };
    // A character that the column's charset lacks makes the server compare in another collation.
    let Some(mut characters) = characters_in(text, collation) else { return Compared::Unknown };
    if matches!(column, ColumnType::Char { .. }) && characters.ends_with(' ') {
        if !collation.pads_spaces() {
            return Compared::Never;
        }
        characters.truncate(characters.trim_end_matches(' ').len());
    }
    Compared::Same(Value::text(characters))
}

/// What `column > value` (low) or `column < value` (high) says, `inclusive` for `>=` and `<=`.
pub fn bound(
    value: &Value,
    side: Side,
    inclusive: bool,
    column: &ColumnType,
    context: Context,
) -> Limited {
    if *value == Value::Null {
        return Limited::Never;
    }
    if let ColumnType::Int { .. } = column {
        return integer_bound(value, side, inclusive, column);
    }
    let exact = match column {
        ColumnType::Decimal { .. }
        | ColumnType::Date
        | ColumnType::DateTime { .. }
        | ColumnType::Timestamp { .. } => equal(value, column, context),
        // The order of strings is the collation's.
        _ => Compared::Unknown,
    };
    match (exact, column) {
        (Compared::Same(value), _) if inclusive => Limited::By(Bound::Included(value)),
        (Compared::Same(value), _) => Limited::By(Bound::Excluded(value)),
        // A day is below each moment inside of it.
        (Compared::Never, ColumnType::Date) => match (moment(value), side) {
            (Some(moment), Side::Low) => Limited::By(Bound::Excluded(Value::Date(moment.date))),
            (Some(moment), Side::High) => Limited::By(Bound::Included(Value::Date(moment.date))),
            (None, _) => Limited::Unknown,
        },
        _ => Limited::Unknown,
    }
}

fn integer_bound(value: &Value, side: Side, inclusive: bool, column: &ColumnType) -> Limited {
    let Some((low, high)) = column.integer_range() else { return Limited::Unknown };
    // The largest whole number not above the literal, and whether the literal is that number.
    let (floor, exact) = match value {
        Value::Int(number) => (i128::from(*number), true),
        Value::UInt(number) => (i128::from(*number), true),
        Value::Decimal(decimal) => match decimal.floor() {
            Some(floor) => (floor, decimal.to_whole_exact().is_some()),
            None => return Limited::Unknown,
        },
        Value::Double(number) if number.abs() < EXACT_IN_DOUBLE as f64 => {
            (number.floor() as i128, number.fract() == 0.0)
        }
        Value::Text(text) => match text.characters().and_then(|text| plain_number(&text)) {
            Some(decimal) => match (decimal.floor(), decimal.to_whole_exact()) {
                (Some(floor), whole) if floor.abs() < EXACT_IN_DOUBLE => (floor, whole.is_some()),
                _ => return Limited::Unknown,
            },
            None => return Limited::Unknown,
        },
        _ => return Limited::Unknown,
    };
    let first_or_last = match (side, exact) {
        (Side::Low, true) => floor + i128::from(!inclusive),
        (Side::Low, false) => floor + 1,
        (Side::High, true) => floor - i128::from(!inclusive),
        (Side::High, false) => floor,
    };
    match side {
        Side::Low if first_or_last > high => Limited::Never,
        Side::High if first_or_last < low => Limited::Never,
        Side::Low if first_or_last <= low => Limited::By(Bound::Unbounded),
        Side::High if first_or_last >= high => Limited::By(Bound::Unbounded),
        _ => Limited::By(Bound::Included(Value::whole(first_or_last))),
    }
}
