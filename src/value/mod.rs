//! MySQL's values: what a literal, a parameter or a stored column holds.
//!
//! Owns: [`Value`] and how one is read from a SQL literal or a binary-protocol parameter. Never:
//! knows a table, a shard or a session; how a value is stored in a column is [`assign`]'s, how it
//! compares with one is [`compare`]'s.
//!
//! Values are canonical: equal values are equal in Rust. Whole numbers up to `i64::MAX` are always
//! [`Value::Int`], decimals carry no leading zeros.

pub mod assign;
pub mod compare;
pub mod decimal;
pub mod size;
pub mod temporal;
pub mod types;

use std::borrow::Cow;
use std::fmt;

use crate::error::{Error, Fault, Result};
use decimal::Decimal;
use temporal::{Date, DateTime, Time};

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Int(i64),
    /// Above `i64::MAX` only; make it by [`Value::unsigned`].
    UInt(u64),
    Decimal(Decimal),
    Double(f64),
    /// Characters, as bytes in the charset that they came in.
    Text(Text),
    /// Bytes without a charset.
    Binary(Box<[u8]>),
    Date(Date),
    DateTime(DateTime),
    Time(Time),
}

/// Characters of which only the class of their charset is known.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Text {
    pub bytes: Box<[u8]>,
    pub charset: CharsetClass,
}

/// How the bytes of a text become characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CharsetClass {
    /// utf8mb4, utf8mb3, ascii.
    Utf8,
    /// MySQL's latin1, which is cp1252 with the five holes mapped to C1 controls.
    Latin1,
    /// Another charset in which bytes below 0x80 that follow no lead byte are ASCII: only texts
    /// that are ASCII throughout are understood.
    Other,
}

/// Kinds of literals, as MySQL's grammar tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LiteralKind {
    Null,
    True,
    False,
    /// `42`
    Integer,
    /// `4.2`
    Decimal,
    /// `4e2`
    Float,
    /// `'text'`, without its quotes and escapes.
    String,
    /// `x'4D'` or `0x4D`: only the digits, or the whole literal.
    Hex,
    /// `b'01'` or `0b01`: only the digits, or the whole literal.
    Bit,
    /// `DATE '…'`, `TIME '…'`, `TIMESTAMP '…'`: the text between the quotes.
    Date,
    Time,
    Timestamp,
}

impl CharsetClass {
    /// The class of a MySQL charset name; unknown names are [`CharsetClass::Other`].
    pub fn of(charset: &str) -> Self {
        match charset.to_ascii_lowercase().as_str() {
            "utf8mb4" | "utf8mb3" | "utf8" | "ascii" => CharsetClass::Utf8,
            "latin1" => CharsetClass::Latin1,
            _ => CharsetClass::Other,
        }
    }
}

impl Text {
    pub fn utf8(text: impl Into<String>) -> Self {
        Text { bytes: text.into().into_bytes().into(), charset: CharsetClass::Utf8 }
    }

    /// The characters, or `None` where the bytes are not valid in their charset or the charset
    /// isn't known well enough.
    pub fn characters(&self) -> Option<Cow<'_, str>> {
        match self.charset {
            CharsetClass::Utf8 => std::str::from_utf8(&self.bytes).ok().map(Cow::Borrowed),
            CharsetClass::Latin1 => Some(latin1_characters(&self.bytes)),
            CharsetClass::Other if self.bytes.is_ascii() => {
                std::str::from_utf8(&self.bytes).ok().map(Cow::Borrowed)
            }
            CharsetClass::Other => None,
        }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.bytes))
    }
}

/// MySQL's latin1 (cp1252) as characters.
fn latin1_characters(bytes: &[u8]) -> Cow<'_, str> {
    if let (true, Ok(text)) = (bytes.is_ascii(), std::str::from_utf8(bytes)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(bytes.iter().map(|&byte| latin1_character(byte)).collect())
}

/// 0x80 to 0x9F of cp1252; 0x81, 0x8D, 0x8F, 0x90 and 0x9D map to themselves in MySQL.
const CP1252: [u16; 32] = [
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039,
    0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
    0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178,
];

fn latin1_character(byte: u8) -> char {
    match byte {
        0x80..=0x9F => CP1252
            .get(usize::from(byte - 0x80))
            .and_then(|&code| char::from_u32(u32::from(code)))
            .unwrap_or('\u{FFFD}'),
        _ => char::from(byte),
    }
}

/// The byte of a character in MySQL's latin1, `None` where it has none.
pub fn latin1_byte(character: char) -> Option<u8> {
    let code = u32::from(character);
    match code {
        0..=0x7F | 0xA0..=0xFF => u8::try_from(code).ok(),
        _ => CP1252
            .iter()
            .position(|&known| u32::from(known) == code)
            .and_then(|index| u8::try_from(index + 0x80).ok()),
    }
}

impl Value {
    /// A whole number in its canonical variant.
    pub fn unsigned(number: u64) -> Self {
        i64::try_from(number).map_or(Value::UInt(number), Value::Int)
    }

    /// A whole number that fits a BIGINT of either sign, otherwise a decimal.
    pub fn whole(number: i128) -> Self {
        if let Ok(small) = i64::try_from(number) {
            Value::Int(small)
        } else if let Ok(large) = u64::try_from(number) {
            Value::UInt(large)
        } else {
            Value::Decimal(Decimal::from_i128(number))
        }
    }

    pub fn text(text: impl Into<String>) -> Self {
        Value::Text(Text::utf8(text))
    }

    /// The whole number that this value is exactly, whatever its variant; not for strings.
    pub fn as_whole(&self) -> Option<i128> {
        match self {
            Value::Int(number) => Some(i128::from(*number)),
            Value::UInt(number) => Some(i128::from(*number)),
            Value::Decimal(decimal) => decimal.to_whole_exact(),
            _ => None,
        }
    }

    /// The number of rows that a parameter of LIMIT stands for, as servers read one: NULL is 0, a text
    /// is the whole number that it begins with (drivers that bind everything as text are common), and
    /// a negative one of those the 64 bits of it, which is no limit. `None` for other values: servers
    /// of one kind refuse negative integers and fractions there, those of the other kind don't.
    pub fn as_count(&self) -> Option<u64> {
        let text = match self {
            Value::Null => return Some(0),
            Value::Text(text) => &text.bytes,
            Value::Binary(bytes) => bytes,
            _ => return u64::try_from(self.as_whole()?).ok(),
        };
        let text = text.trim_ascii_start();
        let (negative, digits) = match text {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] => (false, digits),
            digits => (false, digits),
        };
        let most = if negative { i64::MIN.unsigned_abs() } else { u64::MAX };
        let number = digits.iter().map_while(|digit| char::from(*digit).to_digit(10)).fold(
            0_u64,
            |number, digit| {
                number
                    .checked_mul(10)
                    .and_then(|ten| ten.checked_add(digit.into()))
                    .unwrap_or(u64::MAX)
            },
        );
        let number = number.min(most);
        Some(if negative { number.wrapping_neg() } else { number })
    }

    /// Reads a literal. `text` is what stands in the statement: for strings the content after
    /// unescaping, in `charset`. A leading `-` is taken for the three kinds of numbers.
    ///
    /// # Errors
    /// [`Error::syntax`] where the text is no literal of that kind, which a lexer never lets by.
    pub fn from_literal(kind: LiteralKind, text: &[u8], charset: CharsetClass) -> Result<Value> {
        let invalid = || {
            let shown = String::from_utf8_lossy(text.get(..text.len().min(40)).unwrap_or(text));
            Error::syntax(format!("'{shown}' is not a valid literal"))
        };
        let ascii = || std::str::from_utf8(text).map_err(|_| invalid());
        Ok(match kind {
            LiteralKind::Null => Value::Null,
            LiteralKind::True => Value::Int(1),
            LiteralKind::False => Value::Int(0),
            LiteralKind::Integer => {
                let decimal = Decimal::parse(ascii()?).ok_or_else(invalid)?;
                match decimal.to_whole_exact() {
                    Some(whole) => Value::whole(whole),
                    None => Value::Decimal(decimal),
                }
            }
            LiteralKind::Decimal => Value::Decimal(Decimal::parse(ascii()?).ok_or_else(invalid)?),
            LiteralKind::Float => {
                let number: f64 = ascii()?.parse().map_err(|_| invalid())?;
                if !number.is_finite() {
                    return Err(Error::new(
                        Fault::Client,
                        1367,
                        b"22007",
                        "float_overflow",
                        format!("Illegal double '{}' value found during parsing", ascii()?),
                    ));
                }
                Value::Double(number)
            }
            LiteralKind::String => Value::Text(Text { bytes: text.into(), charset }),
            LiteralKind::Hex => Value::Binary(hex_bytes(text).ok_or_else(invalid)?),
            LiteralKind::Bit => Value::Binary(bit_bytes(text).ok_or_else(invalid)?),
            LiteralKind::Date => Value::Date(
                temporal::parse_datetime(ascii()?)
                    .map(|parsed| parsed.value.date)
                    .ok_or_else(invalid)?,
            ),
            LiteralKind::Time => {
                Value::Time(temporal::parse_time(ascii()?).ok_or_else(invalid)?.value)
            }
            LiteralKind::Timestamp => {
                Value::DateTime(temporal::parse_datetime(ascii()?).ok_or_else(invalid)?.value)
            }
        })
    }

    /// Reads a parameter of COM_STMT_EXECUTE. `kind` is the type byte, `bytes` the value without
    /// its length prefix (numbers: little endian, as sent).
    ///
    /// # Errors
    /// A malformed-packet error where the bytes don't fit the type, and 1210 for unknown types.
    pub fn from_parameter(
        kind: u8,
        unsigned: bool,
        bytes: &[u8],
        charset: CharsetClass,
    ) -> Result<Value> {
        let malformed = || Error::malformed("a parameter's bytes don't fit its type");
        Ok(match kind {
            0x06 => Value::Null,
            // TINY, SHORT, LONG, LONGLONG, INT24, YEAR
            0x01 | 0x02 | 0x03 | 0x08 | 0x09 | 0x0d => {
                integer_parameter(unsigned, bytes).ok_or_else(malformed)?
            }
            // FLOAT: the server widens it to a double.
            0x04 => Value::Double(f64::from(f32::from_le_bytes(
                bytes.try_into().map_err(|_| malformed())?,
            ))),
            0x05 => Value::Double(f64::from_le_bytes(bytes.try_into().map_err(|_| malformed())?)),
            // DECIMAL, NEWDECIMAL
            0x00 | 0xf6 => Value::Decimal(Decimal::of_parameter(&String::from_utf8_lossy(bytes))),
            // TIMESTAMP, DATE, DATETIME
            0x07 | 0x0c => {
                Value::DateTime(temporal::datetime_parameter(bytes).ok_or_else(malformed)?)
            }
            0x0a => Value::Date(temporal::datetime_parameter(bytes).ok_or_else(malformed)?.date),
            0x0b => Value::Time(temporal::time_parameter(bytes).ok_or_else(malformed)?),
            // TINY_BLOB, MEDIUM_BLOB, LONG_BLOB, BLOB: the server gives them the binary charset.
            0xf9..=0xfc => Value::Binary(bytes.into()),
            // VARCHAR, BIT, JSON, ENUM, SET, VAR_STRING, STRING
            0x0f | 0x10 | 0xf5 | 0xf7 | 0xf8 | 0xfd | 0xfe => {
                Value::Text(Text { bytes: bytes.into(), charset })
            }
            _ => {
                return Err(Error::new(
                    Fault::Client,
                    1210,
                    b"HY000",
                    "parameter_type",
                    format!("A parameter has the unknown type {kind}"),
                ));
            }
        })
    }
}

fn integer_parameter(unsigned: bool, bytes: &[u8]) -> Option<Value> {
    Some(match (bytes, unsigned) {
        (&[a], false) => Value::Int(i64::from(i8::from_le_bytes([a]))),
        (&[a], true) => Value::Int(i64::from(a)),
        (&[a, b], false) => Value::Int(i64::from(i16::from_le_bytes([a, b]))),
        (&[a, b], true) => Value::Int(i64::from(u16::from_le_bytes([a, b]))),
        (&[a, b, c, d], false) => Value::Int(i64::from(i32::from_le_bytes([a, b, c, d]))),
        (&[a, b, c, d], true) => Value::Int(i64::from(u32::from_le_bytes([a, b, c, d]))),
        (_, false) => Value::Int(i64::from_le_bytes(bytes.try_into().ok()?)),
        (_, true) => Value::unsigned(u64::from_le_bytes(bytes.try_into().ok()?)),
    })
}

/// The bytes of `4D`, `0x4D` or `x'4D'`; an odd number of digits gets a leading zero.
fn hex_bytes(text: &[u8]) -> Option<Box<[u8]>> {
    let digits = literal_digits(text, b'x');
    let mut bytes = Vec::with_capacity(digits.len() / 2 + 1);
    let (head, pairs) = digits.split_at(digits.len() % 2);
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok());
    if let [digit] = head {
        bytes.push(nibble(*digit)?);
    }
    for pair in pairs.chunks_exact(2) {
        if let [high, low] = pair {
            bytes.push(nibble(*high)? << 4 | nibble(*low)?);
        }
    }
    Some(bytes.into())
}

/// The bytes of `101`, `0b101` or `b'101'`, filled with zero bits on the left.
fn bit_bytes(text: &[u8]) -> Option<Box<[u8]>> {
    let digits = literal_digits(text, b'b');
    let mut bytes = vec![0u8; digits.len().div_ceil(8)];
    for (index, digit) in digits.iter().rev().enumerate() {
        let bit = match digit {
            b'0' => 0,
            b'1' => 1u8,
            _ => return None,
        };
        let place = bytes.len() - 1 - index / 8;
        *bytes.get_mut(place)? |= bit << (index % 8);
    }
    Some(bytes.into())
}

fn literal_digits(text: &[u8], marker: u8) -> &[u8] {
    if let [b'0', second, rest @ ..] = text {
        if *second == marker {
            return rest;
        }
    }
    if let [first, b'\'', rest @ .., b'\''] = text {
        if first.eq_ignore_ascii_case(&marker) {
            return rest;
        }
    }
    text
}

impl fmt::Display for Value {
    /// As MySQL would print it; bytes as `0x…`. For messages and EXPLAIN, not for SQL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("NULL"),
            Value::Int(number) => write!(f, "{number}"),
            Value::UInt(number) => write!(f, "{number}"),
            Value::Decimal(decimal) => write!(f, "{decimal}"),
            Value::Double(number) => write!(f, "{number:e}"),
            Value::Text(text) => write!(f, "'{}'", String::from_utf8_lossy(&text.bytes)),
            Value::Binary(bytes) => {
                f.write_str("0x")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
            }
            Value::Date(date) => write!(f, "{date}"),
            Value::DateTime(moment) => write!(f, "{moment}"),
            Value::Time(time) => write!(f, "{time}"),
        }
    }
}

#[cfg(test)]
mod tests;
