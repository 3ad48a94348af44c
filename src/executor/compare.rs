//! The order of column values, as MySQL has it.
//!
//! Owns: turning a value of a row, in either row format, into a *key*: bytes whose plain order is
//! the values' order. Never: knows collations (character strings come as WEIGHT_STRING bytes that
//! the shard made), or reads a row.
//!
//! A key is made once for each row and then compared many times by `memcmp`. Keys of several
//! columns are put behind each other, since no key is a prefix of another one:
//!
//! | values | key |
//! | --- | --- |
//! | NULL, others | `00`, `01` and then |
//! | integers, YEAR, BIT | `00` below zero, else `01`; eight bytes, big endian |
//! | DECIMAL | sign, number of whole digits, digits, `00` |
//! | FLOAT, DOUBLE | eight bytes, negative ones inverted |
//! | DATE, DATETIME, TIMESTAMP | year, month … microsecond in eight bytes |
//! | TIME | microseconds in eight bytes |
//! | weights of texts | see `put_weights` |
//! | binary strings | the bytes, `00` as `00 FF`, ended by `00 00` |
//!
//! A descending column's bytes are inverted, so NULL comes last there.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::executor::double;
use crate::protocol::charset;
use crate::protocol::column::Column;
use crate::protocol::field::{FieldFlags, FieldType};

/// Which of the protocol's two row formats a result has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFormat {
    Text,
    Binary,
}

/// What of a column's definition decides how its values are compared and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub field_type: FieldType,
    pub unsigned: bool,
    pub collation: u16,
    pub decimals: u8,
    /// ENUM and SET travel as strings.
    pub labels: bool,
}

impl From<&Column<'_>> for Shape {
    fn from(column: &Column<'_>) -> Self {
        let flags = column.flags;
        Shape {
            field_type: column.field_type,
            unsigned: column.is_unsigned(),
            collation: column.collation,
            decimals: column.decimals,
            labels: flags.contains(FieldFlags::ENUM)
                || flags.contains(FieldFlags::SET)
                || matches!(column.field_type, FieldType::ENUM | FieldType::SET),
        }
    }
}

impl Shape {
    /// True for strings that compare by a collation.
    pub fn is_character(&self) -> bool {
        self.labels || (self.field_type.is_string() && self.collation != charset::BINARY)
    }
}

/// Above all of [`Order::short_key`].
pub const SHORT_KEYS: u128 = 1 << (64 + 16 + 2);

/// How the values of one column compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Integer {
        unsigned: bool,
    },
    Bit,
    Decimal,
    Float,
    Double,
    Date,
    Time,
    Bytes,
    /// Weights of so many bytes each, of which the last one is a blank's.
    Weights {
        unit: u8,
    },
}

impl Order {
    /// The order of a sort or group key. Refuses what must not be compared by what is sent:
    /// character strings, JSON and geometry, and FLOAT as text, which hides digits (traps 19).
    pub fn of_key(shape: &Shape, format: RowFormat) -> Result<Self> {
        if shape.field_type == FieldType::FLOAT && format == RowFormat::Text {
            return Err(Error::internal("FLOAT as text was given as a merge key"));
        }
        Order::of_value(shape)
    }

    /// The order of values of which one is picked (MIN, MAX): equal texts are the same answer.
    pub fn of_value(shape: &Shape) -> Result<Self> {
        if shape.is_character() {
            return Err(Error::internal("a character string was to be merged without its weights"));
        }
        let unsigned = shape.unsigned;
        Ok(match shape.field_type {
            field_type if field_type.is_integer() => Order::Integer { unsigned },
            field_type if field_type.is_decimal() => Order::Decimal,
            field_type if field_type.is_date_or_datetime() => Order::Date,
            field_type if field_type.is_string() => Order::Bytes,
            FieldType::BIT => Order::Bit,
            FieldType::FLOAT => Order::Float,
            FieldType::DOUBLE => Order::Double,
            FieldType::TIME | FieldType::TIME2 => Order::Time,
            FieldType::NULL => Order::Bytes,
            FieldType::JSON => return Err(incomparable("JSON")),
            FieldType::GEOMETRY => return Err(incomparable("geometry")),
            _ => return Err(incomparable("this column type's")),
        })
    }

    /// Appends the key of a value (`None`: NULL). An error where the bytes aren't a value of the
    /// column's type: the shard, or what sits before it, breaks the protocol.
    pub fn put_key(
        self,
        format: RowFormat,
        value: Option<&[u8]>,
        descending: bool,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let start = out.len();
        match value {
            None => out.push(0),
            Some(value) => {
                out.push(1);
                self.put_value(format, value, out)?;
            }
        }
        if descending {
            for byte in out.iter_mut().skip(start) {
                *byte = !*byte;
            }
        }
        Ok(())
    }

    /// True for values of a number: [`Order::short_key`] gives all of their keys.
    pub fn is_short(self) -> bool {
        !matches!(self, Order::Decimal | Order::Bytes | Order::Weights { .. })
    }

    /// The key of a short value as a number, with its lowest 16 bits free. It is below [`SHORT_KEYS`].
    /// Errors as [`Order::put_key`].
    pub fn short_key(
        self,
        format: RowFormat,
        value: Option<&[u8]>,
        descending: bool,
    ) -> Result<u128> {
        const LOW: u32 = 16;
        let key = match value {
            None => 0,
            Some(value) => {
                let (is_positive, number) = self.number(format, value)?;
                (2 | u128::from(is_positive)) << 64 | u128::from(number)
            }
        };
        let key = key << LOW;
        Ok(if descending { (SHORT_KEYS - (1 << LOW)) - key } else { key })
    }

    /// The short key of a whole number that isn't below zero.
    #[inline]
    pub fn short_key_of(number: u64, descending: bool) -> u128 {
        let key = (3 << 64 | u128::from(number)) << 16;
        if descending { (SHORT_KEYS - (1 << 16)) - key } else { key }
    }

    /// A short value as a number of the same order, below which values under zero stand.
    fn number(self, format: RowFormat, value: &[u8]) -> Result<(bool, u64)> {
        Ok(match self {
            Order::Integer { unsigned } => {
                let number = integer(format, unsigned, value)?;
                // The low 64 bits of two's complement keep the order on either side of zero.
                (number >= 0, number as u64)
            }
            Order::Bit => (true, bit(value)?),
            Order::Float | Order::Double => {
                let bits = floating(format, value)?.to_bits();
                let negative = bits >> 63 == 1;
                (true, if negative { !bits } else { bits | 1 << 63 })
            }
            Order::Date => (true, date(format, value)?),
            Order::Time => (true, (time(format, value)? as u64) ^ 1 << 63),
            Order::Decimal | Order::Bytes | Order::Weights { .. } => {
                return Err(Error::internal("a long value was to be a number"));
            }
        })
    }

    fn put_value(self, format: RowFormat, value: &[u8], out: &mut Vec<u8>) -> Result<()> {
        match self {
            Order::Integer { .. } | Order::Bit => {
                let (is_positive, number) = self.number(format, value)?;
                out.push(u8::from(is_positive));
                out.extend_from_slice(&number.to_be_bytes());
            }
            Order::Float | Order::Double | Order::Date | Order::Time => {
                out.extend_from_slice(&self.number(format, value)?.1.to_be_bytes());
            }
            Order::Decimal => put_decimal(value, out)?,
            Order::Weights { unit } => put_weights(value, unit, out)?,
            Order::Bytes => {
                for part in value.split_inclusive(|&byte| byte == 0) {
                    out.extend_from_slice(part);
                    if part.last() == Some(&0) {
                        out.push(0xff);
                    }
                }
                out.extend_from_slice(&[0, 0]);
            }
        }
        Ok(())
    }
}

/// The weights of a text with a blank behind it, so that texts which differ in trailing blanks alone
/// have one key, and every other text compares as if blanks without end stood behind it: before each
/// weight stands how the rest compares with nothing but blanks (1 below, 3 above), behind the last
/// that isn't a trailing blank's stands 2.
fn put_weights(value: &[u8], unit: u8, out: &mut Vec<u8>) -> Result<()> {
    let unit = usize::from(unit).max(1);
    let is_whole = value.len() >= unit && value.len() % unit == 0;
    let (_, blank) = value.split_at(value.len() - if is_whole { unit } else { 0 });
    if blank.is_empty() {
        return Err(not_a("text's weights", value));
    }
    let mut rest = value;
    while let Some(ahead) = rest.chunks_exact(unit).position(|weight| weight != blank) {
        let (before, behind) = rest.split_at((ahead + 1) * unit);
        let is_below = before.chunks_exact(unit).next_back().is_some_and(|weight| weight < blank);
        for weight in before.chunks_exact(unit) {
            out.push(if is_below { 1 } else { 3 });
            out.extend_from_slice(weight);
        }
        rest = behind;
    }
    out.push(2);
    Ok(())
}

/// Reads an integer of up to 64 bits.
pub fn integer(format: RowFormat, unsigned: bool, value: &[u8]) -> Result<i128> {
    match format {
        RowFormat::Text => text_integer(value),
        RowFormat::Binary => {
            let mut bytes = [0_u8; 8];
            let low = bytes.get_mut(..value.len()).filter(|low| !low.is_empty());
            low.ok_or_else(|| not_a("integer", value))?.copy_from_slice(value);
            let number = u64::from_le_bytes(bytes);
            let unused = 64 - 8 * value.len() as u32;
            let signed = ((number << unused) as i64) >> unused;
            Ok(if unsigned { i128::from(number) } else { i128::from(signed) })
        }
    }
}

fn text_integer(text: &[u8]) -> Result<i128> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return Err(not_a("integer", text));
    }
    let (head, eights) = digits.split_at(digits.len() % 8);
    let mut number = 0_u64;
    for &byte in head {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(not_a("integer", text));
        }
        number = number * 10 + u64::from(digit);
    }
    for eight in eights.as_chunks::<8>().0 {
        number = eight_digits(*eight)
            .and_then(|low| number.checked_mul(100_000_000)?.checked_add(low))
            .ok_or_else(|| not_a("integer", text))?;
    }
    let number = if negative { -i128::from(number) } else { i128::from(number) };
    if number < i128::from(i64::MIN) { Err(not_a("integer", text)) } else { Ok(number) }
}

/// A number of up to eight digits within a row that goes on behind it. `None` where it isn't that: then
/// [`integer`] reads it, or says what is wrong with it.
#[inline]
pub fn few_digits(row: &[u8], place: Range<usize>) -> Option<u64> {
    let unused = 8_usize.checked_sub(place.len()).filter(|unused| *unused < 8)?;
    let eight = row.get(place.start..)?.first_chunk::<8>()?;
    // What stands behind the number goes, and zeros come before it.
    let shift = 8 * unused as u32;
    let zeros = ZEROS & !(u64::MAX << shift);
    eight_digits((u64::from_le_bytes(*eight) << shift | zeros).to_le_bytes())
}

/// Eight digits zero.
const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);

/// The number of eight digits, read all at once: neighbours are added up in pairs, three times.
#[inline]
fn eight_digits(text: [u8; 8]) -> Option<u64> {
    let digits = u64::from_le_bytes(text) ^ ZEROS;
    // A byte above nine reaches its upper half once six is added.
    if (digits | digits.wrapping_add(0x0606_0606_0606_0606)) & 0xf0f0_f0f0_f0f0_f0f0 != 0 {
        return None;
    }
    let twos = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = twos.wrapping_mul(100).wrapping_add(twos >> 16) & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff)
}

/// Reads a BIT value: up to eight bytes, big endian, in both row formats.
fn bit(value: &[u8]) -> Result<u64> {
    if value.len() > 8 {
        return Err(not_a("BIT", value));
    }
    Ok(value.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

/// Reads a FLOAT or DOUBLE; minus zero becomes zero, which MySQL holds equal.
pub fn floating(format: RowFormat, value: &[u8]) -> Result<f64> {
    let number = match (format, value) {
        (RowFormat::Text, text) => double::parse(text)?,
        (RowFormat::Binary, &[a, b, c, d]) => f64::from(f32::from_le_bytes([a, b, c, d])),
        (RowFormat::Binary, &[a, b, c, d, e, f, g, h]) => {
            f64::from_le_bytes([a, b, c, d, e, f, g, h])
        }
        _ => return Err(not_a("DOUBLE", value)),
    };
    if number.is_nan() {
        return Err(not_a("DOUBLE", value));
    }
    Ok(if number == 0.0 { 0.0 } else { number })
}

/// Appends the key of DECIMAL text, which both row formats use.
fn put_decimal(text: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let point = digits.iter().position(|&byte| byte == b'.').unwrap_or(digits.len());
    let (whole, fraction) = digits.split_at(point);
    let fraction = fraction.get(1..).unwrap_or_default();
    let is_digits = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_digit);
    if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
        return Err(not_a("DECIMAL", text));
    }
    let leading = whole.iter().take_while(|&&byte| byte == b'0').count();
    let whole = whole.get(leading..).unwrap_or_default();
    let trailing = fraction.iter().rev().take_while(|&&byte| byte == b'0').count();
    let fraction = fraction.get(..fraction.len() - trailing).unwrap_or_default();
    if whole.is_empty() && fraction.is_empty() {
        out.push(1);
        return Ok(());
    }
    let length = u8::try_from(whole.len()).map_err(|_| not_a("DECIMAL", text))?;
    let start = out.len();
    out.push(2);
    out.push(length);
    out.extend_from_slice(whole);
    out.extend_from_slice(fraction);
    out.push(0);
    if negative {
        // 2 becomes 0xFD: the sign is set after the inversion.
        for byte in out.iter_mut().skip(start) {
            *byte = !*byte;
        }
        if let Some(sign) = out.get_mut(start) {
            *sign = 0;
        }
    }
    Ok(())
}

/// Reads a date or a datetime as one number of the same order.
fn date(format: RowFormat, value: &[u8]) -> Result<u64> {
    let (day, rest) = match format {
        RowFormat::Text => {
            (text_fields(value.get(..10).unwrap_or_default(), b'-')?, value.get(10..))
        }
        RowFormat::Binary => match value {
            [] => ([0; 3], None),
            [low, high, month, day, rest @ ..] => {
                let year = u64::from(u16::from_le_bytes([*low, *high]));
                ([year, u64::from(*month), u64::from(*day)], Some(rest))
            }
            _ => return Err(not_a("date", value)),
        },
    };
    let rest = rest.unwrap_or_default();
    let micros = match (format, rest) {
        (_, []) => 0,
        (RowFormat::Text, [b' ' | b'T', clock @ ..]) => text_clock(clock)?,
        (RowFormat::Binary, clock) => binary_clock(clock)?,
        _ => return Err(not_a("date", value)),
    };
    let [year, month, day] = day;
    if year > 9999 || month > 12 || day > 31 || micros >> 37 != 0 {
        return Err(not_a("date", value));
    }
    // A day has fewer than 2^37 microseconds, and its own number is below 2^23.
    Ok((((year << 4 | month) << 5) | day) << 37 | micros)
}

/// Reads a TIME in microseconds.
fn time(format: RowFormat, value: &[u8]) -> Result<i64> {
    let (negative, micros) = match format {
        RowFormat::Text => match value {
            [b'-', clock @ ..] => (true, text_clock(clock)?),
            clock => (false, text_clock(clock)?),
        },
        RowFormat::Binary => match value {
            [] => (false, 0),
            [negative, a, b, c, d, clock @ ..] => {
                let days = u32::from_le_bytes([*a, *b, *c, *d]);
                let days = u64::from(u16::try_from(days).map_err(|_| not_a("TIME", value))?);
                (*negative != 0, days * 86_400_000_000 + binary_clock(clock)?)
            }
            _ => return Err(not_a("TIME", value)),
        },
    };
    let micros = micros as i64;
    Ok(if negative { -micros } else { micros })
}

/// `hh:mm:ss[.ffffff]` in microseconds; hours may have three digits.
fn text_clock(text: &[u8]) -> Result<u64> {
    let point = text.iter().position(|&byte| byte == b'.').unwrap_or(text.len());
    let (clock, fraction) = text.split_at(point);
    let [hours, minutes, seconds] = text_fields(clock, b':')?;
    let fraction = fraction.get(1..).unwrap_or_default();
    if fraction.len() > 6 {
        return Err(not_a("time", text));
    }
    let mut micros = 0;
    for place in 0..6 {
        let digit = fraction.get(place).map_or(0, |byte| byte.wrapping_sub(b'0'));
        if digit > 9 {
            return Err(not_a("time", text));
        }
        micros = micros * 10 + u64::from(digit);
    }
    Ok((hours * 3600 + minutes * 60 + seconds) * 1_000_000 + micros)
}

/// Three numbers with a separator in between.
fn text_fields(text: &[u8], separator: u8) -> Result<[u64; 3]> {
    let mut fields = [0; 3];
    let mut parts = text.split(|&byte| byte == separator);
    for field in &mut fields {
        let part = parts.next().unwrap_or_default();
        if part.is_empty() || part.len() > 4 || !part.iter().all(u8::is_ascii_digit) {
            return Err(not_a("date or time", text));
        }
        *field = part.iter().fold(0, |number, &byte| number * 10 + u64::from(byte - b'0'));
    }
    if parts.next().is_some() { Err(not_a("date or time", text)) } else { Ok(fields) }
}

/// Hour, minute, second, and four bytes of microseconds where they aren't zero.
fn binary_clock(value: &[u8]) -> Result<u64> {
    let (clock, micros) = match value {
        [] => return Ok(0),
        [h, m, s] => ([h, m, s], 0),
        [h, m, s, a, b, c, d] => ([h, m, s], u32::from_le_bytes([*a, *b, *c, *d])),
        _ => return Err(not_a("time", value)),
    };
    let [hours, minutes, seconds] = clock.map(|&field| u64::from(field));
    Ok((hours * 3600 + minutes * 60 + seconds) * 1_000_000 + u64::from(micros))
}

fn not_a(what: &str, value: &[u8]) -> Error {
    let shown = value.get(..value.len().min(80)).unwrap_or_default();
    let shown = shown.escape_ascii();
    Error::malformed(format!("a shard sent '{shown}' where its column says {what}"))
}

fn incomparable(what: &str) -> Error {
    Error::refused(
        "merge_order",
        format!(
            "Weir can't merge by {what} order as one server has it; sort or group by another \
             column, or by an expression such as CAST(… AS CHAR)"
        ),
    )
}
