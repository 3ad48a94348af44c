//! The keys of rows in a merge: which columns they are made of, and their form for comparing.
//!
//! Owns: making a row's key, and telling which of two comes first. Never: knows how a column's values
//! compare ([`crate::executor::compare`] does), or which row comes next.

use std::cmp::Ordering;

use smallvec::SmallVec;

use crate::error::{Error, Result};
use crate::executor::compare::{Order, RowFormat, few_digits, integer};
use crate::executor::layout::Layout;
use crate::planner::plan::SortKey;
use crate::protocol::row::{RowIndex, binary_value, text_place, text_value};

/// How many bytes of a key are compared as one number.
const FRONT: usize = size_of::<u128>();

/// A row's key. Its first bytes stand in a number, so that most comparisons are one of two registers;
/// a key that fits there has nothing else.
///
/// No key is a prefix of another one of the same merge, so the zeros behind a short key tell no lie.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Key {
    front: u128,
    /// The whole key where it is longer than its front, else nothing.
    whole: Vec<u8>,
}

impl Clone for Key {
    fn clone(&self) -> Self {
        Key { front: self.front, whole: self.whole.clone() }
    }

    /// Keeps the buffer.
    fn clone_from(&mut self, other: &Self) {
        self.front = other.front;
        self.whole.clone_from(&other.whole);
    }
}

impl Key {
    /// Forgets what it was and becomes the key that `put` appends to an empty buffer.
    pub fn set(&mut self, put: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
        self.whole.clear();
        put(&mut self.whole)?;
        self.front = match self.whole.first_chunk::<FRONT>() {
            Some(front) => u128::from_be_bytes(*front),
            None => {
                let mut front = [0; FRONT];
                for (place, byte) in front.iter_mut().zip(&self.whole) {
                    *place = *byte;
                }
                u128::from_be_bytes(front)
            }
        };
        if self.whole.len() <= FRONT {
            self.whole.clear();
        }
        Ok(())
    }

    /// The key's own first bytes, which decide unless they are equal.
    pub fn front(&self) -> u128 {
        self.front
    }

    /// How keys with equal fronts compare.
    pub fn cmp_behind(&self, other: &Key) -> Ordering {
        self.whole.cmp(&other.whole)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.front.cmp(&other.front).then_with(|| self.cmp_behind(other))
    }
}

/// The columns that make up a key.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    parts: SmallVec<[Part; 4]>,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    column: usize,
    order: Order,
    descending: bool,
}

impl Keys {
    pub fn new(keys: &[SortKey], layout: &Layout) -> Result<Self> {
        let part = |key: &SortKey| {
            let column = key.column.index(layout.columns().len(), layout.hidden());
            let shape = layout.columns().get(column);
            let shape = shape.ok_or_else(|| Error::internal("a sort key names no column"))?;
            let order = match (Order::of_key(shape, layout.format())?, key.unit) {
                (Order::Bytes, unit) if unit > 0 => Order::Weights { unit },
                (order, _) => order,
            };
            Ok(Part { column, order, descending: key.descending })
        };
        Ok(Keys { parts: keys.iter().map(part).collect::<Result<_>>()? })
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Appends the key of a row.
    pub fn put(
        &self,
        layout: &Layout,
        payload: &[u8],
        index: &RowIndex,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        for part in &self.parts {
            let value = index.get(payload, part.column);
            part.order.put_key(layout.format(), value, part.descending, out)?;
        }
        Ok(())
    }

    /// True where [`Keys::read`] does without an index of the row.
    pub fn is_direct(&self, layout: &Layout) -> bool {
        self.parts.len() == 1 && layout.format() == RowFormat::Text
    }

    /// True where a key is a single value of few bytes: [`Keys::read_short`] reads all of it.
    pub fn is_short(&self) -> bool {
        self.parts.len() == 1 && self.parts.iter().all(|part| part.order.is_short())
    }

    /// A row's key as a number, with its lowest 16 bits free.
    #[inline]
    pub fn read_short(&self, layout: &Layout, payload: &[u8]) -> Result<u128> {
        let Some(part) = self.parts.first() else { return Ok(0) };
        if layout.format() == RowFormat::Text
            && matches!(part.order, Order::Integer { .. })
            && let Some(place) = text_place(payload, part.column)
            && let Some(number) = few_digits(payload, place)
        {
            return Ok(Order::short_key_of(number, part.descending));
        }
        part.read_short(layout, payload)
    }

    /// Makes the key of a row, which is indexed unless the keys are direct.
    pub fn read(
        &self,
        layout: &Layout,
        payload: &[u8],
        index: &RowIndex,
        key: &mut Key,
    ) -> Result<()> {
        match self.parts.as_slice() {
            [part] if layout.format() == RowFormat::Text => {
                let value = text_value(payload, part.column)?;
                part.read(RowFormat::Text, value, key)
            }
            [part] => part.read(layout.format(), index.get(payload, part.column), key),
            _ => key.set(|out| self.put(layout, payload, index, out)),
        }
    }
}

impl Part {
    fn read_short(&self, layout: &Layout, payload: &[u8]) -> Result<u128> {
        let value = match layout.format() {
            RowFormat::Text => text_value(payload, self.column)?,
            RowFormat::Binary => binary_value(payload, layout.types(), self.column)?,
        };
        self.order.short_key(layout.format(), value, self.descending)
    }

    /// Makes the key of a single column. That of an integer is the same as [`Order::put_key`] gives,
    /// without writing bytes.
    fn read(&self, format: RowFormat, value: Option<&[u8]>, key: &mut Key) -> Result<()> {
        let (Order::Integer { unsigned }, Some(value)) = (self.order, value) else {
            return key.set(|out| self.order.put_key(format, value, self.descending, out));
        };
        let number = integer(format, unsigned, value)?;
        let bytes = 1 << 72 | u128::from(number >= 0) << 64 | u128::from(number as u64);
        let front = bytes << INTEGER_SHIFT;
        key.front = if self.descending { !front & (u128::MAX << INTEGER_SHIFT) } else { front };
        key.whole.clear();
        Ok(())
    }
}

/// An integer's key has ten bytes.
const INTEGER_SHIFT: u32 = 8 * (FRONT as u32 - 10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::compare::SHORT_KEYS;

    fn of(order: Order, format: RowFormat, value: Option<&[u8]>, descending: bool) -> (Key, Key) {
        let (mut read, mut put) = (Key::default(), Key::default());
        let part = Part { column: 0, order, descending };
        part.read(format, value, &mut read).unwrap();
        put.set(|out| order.put_key(format, value, descending, out)).unwrap();
        (read, put)
    }

    #[test]
    fn an_integers_key_is_the_one_made_of_bytes() {
        let numbers = [i64::MIN, -70_000, -256, -1, 0, 1, 9, 10, 255, 99_999_999, 100_000_000];
        let numbers = numbers.into_iter().chain([1_234_567_890_123, i64::MAX]);
        let mut last: Option<(Key, Key)> = None;
        for number in numbers {
            let text = number.to_string();
            let order = Order::Integer { unsigned: false };
            for format in [RowFormat::Text, RowFormat::Binary] {
                let binary = number.to_le_bytes();
                let value = if format == RowFormat::Text { text.as_bytes() } else { &binary[..] };
                let (up, put) = of(order, format, Some(value), false);
                assert_eq!(up, put, "{number}");
                let (down, put) = of(order, format, Some(value), true);
                assert_eq!(down, put, "{number} descending");
                if let Some((up_before, down_before)) = &last {
                    assert!(*up_before <= up && *down_before >= down, "{number}");
                }
                let (null_first, _) = of(order, format, None, false);
                let (null_last, _) = of(order, format, None, true);
                assert!(null_first < up && null_last > down, "{number} and NULL");
                last = Some((up, down));
            }
        }
        let greatest = u64::MAX.to_string();
        let order = Order::Integer { unsigned: true };
        let (read, put) = of(order, RowFormat::Text, Some(greatest.as_bytes()), false);
        assert_eq!(read, put);
    }

    #[test]
    fn few_digits_are_the_same_number() {
        for text in ["0", "7", "10", "99", "12345678", "00000009", "123456", "1234567"] {
            for behind in ["", "\x03abc", "99999999", "\u{fb}1234567"] {
                let row = format!("{text}{behind}");
                let read = few_digits(row.as_bytes(), 0..text.len());
                let number: u64 = text.parse().unwrap();
                assert!(read.is_none_or(|read| read == number), "{row}");
                assert!(row.len() < 8 || read.is_some(), "{row}");
                let value = Some(text.as_bytes());
                for descending in [false, true] {
                    let order = Order::Integer { unsigned: false };
                    let key = order.short_key(RowFormat::Text, value, descending).unwrap();
                    assert_eq!(Order::short_key_of(number, descending), key);
                }
            }
        }
        for (row, length) in [("-1234567", 2), ("12a45678", 5), ("", 0), ("123456789", 9)] {
            assert_eq!(few_digits(row.as_bytes(), 0..length), None, "{row}");
        }
    }

    #[test]
    fn short_keys_have_the_order_of_keys() {
        let texts = |texts: &[&str]| texts.iter().map(|t| t.to_string()).collect::<Vec<_>>();
        let moments =
            ["0000-00-00", "1999-12-31 23:59:59.9", "2000-01-01", "9999-12-31 23:59:59.999999"];
        let cases = [
            (Order::Integer { unsigned: false }, texts(&["-9223372036854775808", "-1", "0", "7"])),
            (Order::Integer { unsigned: true }, texts(&["0", "9", "18446744073709551615"])),
            (Order::Double, texts(&["-1e300", "-2.5", "0", "1e-300", "3", "1e300"])),
            (Order::Date, texts(&moments)),
            (Order::Time, texts(&["-838:59:59", "-00:00:01", "00:00:00.5", "838:59:59"])),
        ];
        for (order, values) in cases {
            let values = values.iter().map(|value| Some(value.as_bytes()));
            let values: Vec<Option<&[u8]>> = std::iter::once(None).chain(values).collect();
            for pair in values.windows(2) {
                for descending in [false, true] {
                    let short =
                        |value| order.short_key(RowFormat::Text, value, descending).unwrap();
                    let (a, b) = (short(pair[0]), short(pair[1]));
                    let (a, b) = if descending { (b, a) } else { (a, b) };
                    assert!(a < b && b < SHORT_KEYS && (a | b) & 0xffff == 0, "{order:?} {pair:?}");
                }
            }
        }
    }

    #[test]
    fn keys_longer_than_their_front_compare_to_their_ends() {
        let key = |text: &[u8]| of(Order::Bytes, RowFormat::Text, Some(text), false).0;
        let texts: [&[u8]; 8] = [
            b"",
            b"\0",
            b"a",
            b"a\0",
            b"abcdefghijklmn",
            b"abcdefghijklmn\0",
            b"abcdefghijklmno, and on",
            b"abcdefghijklmno, and so on",
        ];
        for pair in texts.windows(2) {
            assert!(key(pair[0]) < key(pair[1]), "{pair:?}");
        }
        assert_eq!(key(texts[6]), key(texts[6]));
    }
}
