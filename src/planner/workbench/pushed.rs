//! A condition that the shards check, and for which values it may be.
//!
//! Owns: telling values whose comparison warns of nothing. Never: compares. A warning that a shard
//! gives for a constant is lost where no row comes back, so such a condition stays with the residual
//! alone.

use crate::planner::bind::Binding;
use crate::planner::splice::Part;
use crate::sql::literal::{self, Literal};
use crate::value::Value;
use crate::value::temporal::{parse_datetime, parse_time};
use crate::value::types::ColumnType;

/// A condition that the shards check.
#[derive(Debug)]
pub(super) struct Pushed {
    pub parts: Vec<Part>,
    /// All of the statement's condition, not only what follows from it.
    pub whole: bool,
    /// Slots whose values decide whether it may be pushed.
    pub checks: Vec<(u16, Check)>,
}

/// What a text must be, so that it becomes a value of the column's kind without a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// A text column: with a number it would be read as a number, row by row.
    Text,
    /// Wholly a number.
    Number,
    /// A date, or a date and a time.
    Moment,
    /// A time of day.
    Time,
}

impl Check {
    /// For a column that is no text.
    pub fn of(kind: &ColumnType) -> Check {
        use ColumnType as T;
        match kind {
            T::Date | T::DateTime { .. } | T::Timestamp { .. } => Check::Moment,
            T::Time { .. } => Check::Time,
            _ => Check::Number,
        }
    }

    fn text(self, bytes: &[u8]) -> bool {
        match self {
            Check::Text => true,
            Check::Number => is_number(bytes),
            Check::Moment => is_moment(bytes),
            Check::Time => is_time(bytes),
        }
    }

    fn value(self, value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Text(text) => self.text(&text.bytes),
            Value::Binary(bytes) => self.text(bytes),
            Value::Date(_) | Value::DateTime(_) | Value::Time(_) => self != Check::Text,
            _ => self == Check::Number,
        }
    }
}

impl Pushed {
    pub fn holds_for(&self, binding: &Binding) -> bool {
        self.checks.iter().all(|(index, check)| {
            let Some(slot) = binding.lexed.slots().get(usize::from(*index)) else { return false };
            let mut items = binding.lexed.items(slot).iter();
            items.all(|item| match literal::read(binding.sql, item, &binding.dialect) {
                Literal::Text { bytes, .. } => check.text(&bytes),
                // Without the values at hand the statement is only described.
                Literal::Param(index) => {
                    binding.parameters.get(index as usize).is_none_or(|value| check.value(value))
                }
                _ => true,
            })
        })
    }
}

/// Digits with a sign and a point, few enough for any number's kind.
fn is_number(bytes: &[u8]) -> bool {
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let points = digits.iter().filter(|byte| **byte == b'.').count();
    let plain = digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    plain && points <= 1 && is_digit(digits.first()) && is_digit(digits.last()) && bytes.len() <= 18
}

/// `2024-01-02`, `2024-01-02 03:04:05`, the latter with a fraction.
fn is_moment(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let form = |place: usize, byte: u8| match place {
        4 | 7 => byte == b'-',
        10 => byte == b' ',
        13 | 16 => byte == b':',
        19 => byte == b'.',
        _ => byte.is_ascii_digit(),
    };
    let written = text.bytes().enumerate().all(|(place, byte)| form(place, byte));
    let whole = matches!(text.len(), 10 | 19 | 21..=26);
    let read = parse_datetime(text);
    written && whole && read.is_some_and(|read| read.value.date.is_real() && !read.beyond_micros)
}

/// `03:04:05`, with a fraction or without.
fn is_time(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let form = |place: usize, byte: u8| match place {
        2 | 5 => byte == b':',
        8 => byte == b'.',
        _ => byte.is_ascii_digit(),
    };
    let written = text.bytes().enumerate().all(|(place, byte)| form(place, byte));
    written && matches!(text.len(), 8 | 10..=15) && parse_time(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_that_are_wholly_values_pass() {
        let number = |text: &str| Check::Number.text(text.as_bytes());
        assert!(number("7") && number("-007") && number("1.50"));
        for text in ["abc", "7a", "", "-", ".", "1.", " 7", "1e3", "9999999999999999999"] {
            assert!(!number(text), "{text}");
        }
        let moment = |text: &str| Check::Moment.text(text.as_bytes());
        assert!(moment("2024-02-29") && moment("2024-01-01 23:59:59.123456"));
        for text in ["2023-02-29", "20240101", "2024-01-01T00:00:00", "0000-00-00", "2024-1-1", ""]
        {
            assert!(!moment(text), "{text}");
        }
        let time = |text: &str| Check::Time.text(text.as_bytes());
        assert!(time("12:00:00") && time("00:00:00.5"));
        assert!(!time("12:00") && !time("25") && !time("12:61:00"));
        assert!(Check::Text.text(b"abc") && !Check::Text.value(&Value::Int(7)));
        assert!(Check::Number.value(&Value::Int(7)) && !Check::Moment.value(&Value::Int(7)));
    }
}
