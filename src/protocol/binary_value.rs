//! Values between the two row formats: a binary row's bytes to the text that the server would have
//! sent, and back.
//!
//! Owns: that conversion for every column type. Never: compares or adds values, or knows a charset:
//! strings pass as they are.
//!
//! FLOAT has two truths: its text has six digits, its binary form all of them. Text made from binary
//! is what the server prints; binary made from text has only those six.

use std::io::Write as _;

use crate::error::Result;
use crate::protocol::column::Column;
use crate::protocol::field::{BinaryForm, FieldFlags, FieldType};
use crate::protocol::reader::Reader;

/// Decimals of a column without a fixed number of them (FLOAT and DOUBLE).
pub const NOT_FIXED: u8 = 31;
/// Where MySQL changes from `0.000123` to `1.23e-16`: digits before or zeros behind the point.
const PLAIN_EXPONENT: i32 = 15;

/// What of a column definition shapes its values' text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnKind {
    pub field_type: FieldType,
    pub unsigned: bool,
    /// The width that zeros fill, for ZEROFILL.
    pub zerofill: Option<usize>,
    pub decimals: u8,
}

impl ColumnKind {
    pub fn of(column: &Column<'_>) -> Self {
        let zerofill = column.flags.contains(FieldFlags::ZEROFILL);
        ColumnKind {
            field_type: column.field_type,
            unsigned: column.is_unsigned(),
            // A display width is at most 255; a hostile one must not make us write gigabytes.
            zerofill: zerofill.then_some((column.length as usize).min(255)),
            decimals: column.decimals,
        }
    }
}

/// Appends the text of a value's raw binary form, as [`crate::protocol::row::BinaryRow`] gives it.
///
/// # Errors
/// Bytes that don't fit the type.
pub fn to_text(kind: ColumnKind, raw: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    let mut reader = Reader::new("binary value", raw);
    match kind.field_type {
        FieldType::FLOAT => {
            let value = f32::from_bits(reader.u32()?);
            put_float(f64::from(value), kind.decimals, Some(6), out);
        }
        FieldType::DOUBLE => put_float(f64::from_bits(reader.u64()?), kind.decimals, None, out),
        FieldType::YEAR => put(out, format_args!("{:04}", reader.u16()?)),
        field_type if field_type.is_integer() => match integer(&mut reader, kind)? {
            (true, value) => put(out, format_args!("{value}")),
            (false, value) => put(out, format_args!("{}", value.cast_signed())),
        },
        field_type if field_type.is_date_or_datetime() => {
            let only_date = matches!(field_type, FieldType::DATE | FieldType::NEWDATE);
            put_datetime(&mut reader, only_date, kind.decimals, out)?;
        }
        FieldType::TIME | FieldType::TIME2 => put_time(&mut reader, kind.decimals, out)?,
        _ => out.extend_from_slice(reader.rest()),
    }
    reader.end()?;
    if let Some(width) = kind.zerofill {
        let zeros = width.saturating_sub(out.len() - start);
        out.splice(start..start, std::iter::repeat_n(b'0', zeros));
    }
    Ok(())
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to memory can't fail.
    let _ = out.write_fmt(text);
}

/// An integer's 64 bits, and whether they are unsigned.
fn integer(reader: &mut Reader<'_>, kind: ColumnKind) -> Result<(bool, u64)> {
    let signed = match kind.field_type {
        FieldType::TINY if kind.unsigned => return Ok((true, u64::from(reader.u8()?))),
        FieldType::TINY => i64::from(reader.u8()?.cast_signed()),
        FieldType::SHORT if kind.unsigned => return Ok((true, u64::from(reader.u16()?))),
        FieldType::SHORT => i64::from(reader.u16()?.cast_signed()),
        FieldType::LONGLONG => return Ok((kind.unsigned, reader.u64()?)),
        _ if kind.unsigned => return Ok((true, u64::from(reader.u32()?))),
        _ => i64::from(reader.u32()?.cast_signed()),
    };
    Ok((false, signed.cast_unsigned()))
}

fn put_fraction(micros: u32, decimals: u8, out: &mut Vec<u8>) {
    if (1..=6).contains(&decimals) {
        let digits = format!("{micros:06}");
        out.push(b'.');
        out.extend_from_slice(digits.as_bytes().get(..usize::from(decimals)).unwrap_or_default());
    }
}

fn put_datetime(
    reader: &mut Reader<'_>,
    only_date: bool,
    decimals: u8,
    out: &mut Vec<u8>,
) -> Result<()> {
    let (year, month, day) = match reader.remaining() {
        0 => (0, 0, 0),
        _ => (reader.u16()?, reader.u8()?, reader.u8()?),
    };
    put(out, format_args!("{year:04}-{month:02}-{day:02}"));
    let (hour, minute, second) = match reader.remaining() {
        0 => (0, 0, 0),
        _ => (reader.u8()?, reader.u8()?, reader.u8()?),
    };
    let micros = if reader.is_empty() { 0 } else { reader.u32()? };
    if !only_date {
        put(out, format_args!(" {hour:02}:{minute:02}:{second:02}"));
        put_fraction(micros, decimals, out);
    }
    Ok(())
}

fn put_time(reader: &mut Reader<'_>, decimals: u8, out: &mut Vec<u8>) -> Result<()> {
    let (negative, days, hour, minute, second) = match reader.remaining() {
        0 => (false, 0, 0, 0, 0),
        _ => (reader.u8()? != 0, reader.u32()?, reader.u8()?, reader.u8()?, reader.u8()?),
    };
    let micros = if reader.is_empty() { 0 } else { reader.u32()? };
    let hours = u64::from(days) * 24 + u64::from(hour);
    let sign = if negative { "-" } else { "" };
    put(out, format_args!("{sign}{hours:02}:{minute:02}:{second:02}"));
    put_fraction(micros, decimals, out);
    Ok(())
}

/// Appends a number as MySQL prints it: with a fixed number of decimals, or with the fewest digits
/// that say which one it is (at most `digits`).
pub fn put_float(value: f64, decimals: u8, digits: Option<usize>, out: &mut Vec<u8>) {
    if decimals < NOT_FIXED && value.is_finite() {
        return put(out, format_args!("{value:.*}", usize::from(decimals)));
    }
    let text = match digits {
        Some(digits) => format!("{value:.*e}", digits.saturating_sub(1)),
        None => format!("{value:e}"),
    };
    let Some((mantissa, exponent)) = text.split_once('e') else {
        // Infinities and NaN: no column can hold one.
        return out.extend_from_slice(b"0");
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let all: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let significant = all.trim_end_matches('0');
    let significant = if significant.is_empty() { "0" } else { significant };
    out.extend_from_slice(sign.as_bytes());
    let point = exponent + 1;
    if !(1 - PLAIN_EXPONENT..=PLAIN_EXPONENT).contains(&point) {
        let (head, tail) = significant.split_at(1);
        let dot = if tail.is_empty() { "" } else { "." };
        return put(out, format_args!("{head}{dot}{tail}e{exponent}"));
    }
    match usize::try_from(point) {
        Ok(point) if point >= significant.len() => {
            put(out, format_args!("{significant:0<point$}"));
        }
        Ok(point) if point > 0 => {
            let (head, tail) = significant.split_at(point);
            put(out, format_args!("{head}.{tail}"));
        }
        _ => {
            let zeros = usize::try_from(-point).unwrap_or(0);
            put(out, format_args!("0.{:0<zeros$}{significant}", ""));
        }
    }
}

/// Appends the raw binary form of a value's text, without the length that goes before it.
///
/// # Errors
/// Text that the server would not send for the type.
pub fn from_text(kind: ColumnKind, text: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let reader = Reader::new("text value", text);
    let wrong = || reader.malformed("doesn't fit its column's type");
    let word = || std::str::from_utf8(text).map_err(|_| wrong());
    match kind.field_type {
        FieldType::FLOAT => {
            let value: f32 = word()?.parse().map_err(|_| wrong())?;
            out.extend_from_slice(&value.to_le_bytes());
        }
        FieldType::DOUBLE => {
            let value: f64 = word()?.parse().map_err(|_| wrong())?;
            out.extend_from_slice(&value.to_le_bytes());
        }
        field_type if field_type.is_integer() => {
            // An i128 holds both 64-bit kinds; its low bytes are the value in either.
            let value: i128 = word()?.parse().map_err(|_| wrong())?;
            let Some(BinaryForm::Fixed(width)) = field_type.binary_form() else {
                return Err(wrong());
            };
            let unsigned = kind.unsigned || field_type == FieldType::YEAR;
            let bits = u32::from(width) * 8;
            let (low, high) = match unsigned {
                true => (0, (1i128 << bits) - 1),
                false => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
            };
            if !(low..=high).contains(&value) {
                return Err(wrong());
            }
            let bytes = value.to_le_bytes();
            out.extend_from_slice(bytes.get(..usize::from(width)).unwrap_or_default());
        }
        field_type if field_type.is_date_or_datetime() => {
            datetime_from_text(text, out).ok_or_else(wrong)?;
        }
        FieldType::TIME | FieldType::TIME2 => time_from_text(text, out).ok_or_else(wrong)?,
        FieldType::NULL => {}
        _ => out.extend_from_slice(text),
    }
    Ok(())
}

/// A run of digits as a number.
fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    digits.iter().try_fold(0, |value: u32, digit| {
        digit.is_ascii_digit().then(|| value * 10 + u32::from(digit - b'0'))
    })
}

/// Microseconds behind a point, 1 to 6 digits; 0 where there is none.
fn micros(fraction: Option<&[u8]>) -> Option<u32> {
    let Some(digits) = fraction else { return Some(0) };
    let missing = 6usize.checked_sub(digits.len())?;
    Some(number(digits)? * 10u32.pow(u32::try_from(missing).ok()?))
}

fn split(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    let mut parts = text.splitn(2, |&byte| byte == at);
    (parts.next().unwrap_or_default(), parts.next())
}

/// `hours:minutes:seconds`.
fn clock(text: &[u8]) -> Option<(u32, u8, u8)> {
    let mut parts = text.split(|&byte| byte == b':').map(number);
    let (hours, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let valid = parts.next().is_none() && minute < 60 && second < 60;
    valid.then_some((hours, u8::try_from(minute).ok()?, u8::try_from(second).ok()?))
}

fn datetime_from_text(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (date, rest) = split(text, b' ');
    let mut parts = date.split(|&byte| byte == b'-').map(number);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || year > 9_999 || month > 12 || day > 31 {
        return None;
    }
    let (time, fraction) = match rest {
        Some(rest) => split(rest, b'.'),
        None => (b"00:00:00".as_slice(), None),
    };
    let (hour, minute, second) = clock(time)?;
    let micros = micros(fraction)?;
    let hour = u8::try_from(hour).ok().filter(|hour| *hour < 24)?;
    if (year, month, day, hour, minute, second, micros) == (0, 0, 0, 0, 0, 0, 0) {
        return Some(());
    }
    out.extend_from_slice(&u16::try_from(year).ok()?.to_le_bytes());
    out.extend_from_slice(&[u8::try_from(month).ok()?, u8::try_from(day).ok()?]);
    if (hour, minute, second, micros) != (0, 0, 0, 0) {
        out.extend_from_slice(&[hour, minute, second]);
        if micros != 0 {
            out.extend_from_slice(&micros.to_le_bytes());
        }
    }
    Some(())
}

fn time_from_text(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (time, fraction) = split(text, b'.');
    let (hours, minute, second) = clock(time)?;
    let micros = micros(fraction)?;
    if (hours, minute, second, micros) == (0, 0, 0, 0) {
        return Some(());
    }
    out.push(u8::from(negative));
    out.extend_from_slice(&(hours / 24).to_le_bytes());
    out.extend_from_slice(&[u8::try_from(hours % 24).ok()?, minute, second]);
    if micros != 0 {
        out.extend_from_slice(&micros.to_le_bytes());
    }
    Some(())
}
