//! Row packets, text and binary: where each value stands, and how rows are written.
//!
//! Owns: the two row formats. Never: decodes a value, or copies one while reading.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::protocol::execute::put_value;
use crate::protocol::field::{BinaryForm, FieldType};
use crate::protocol::reader::{Reader, put_nullable_bytes};

/// Walks a text row: one nullable string for each column.
#[derive(Clone, Copy, Debug)]
pub struct TextRow<'a> {
    reader: Reader<'a>,
}

impl<'a> TextRow<'a> {
    pub const fn new(payload: &'a [u8]) -> Self {
        TextRow { reader: Reader::new("text row", payload) }
    }

    /// The next value, `None` for NULL; an error where the row is too short.
    pub fn value(&mut self) -> Result<Option<&'a [u8]>> {
        self.reader.nullable_bytes()
    }

    /// Fails where the row has more values than were taken.
    pub fn end(&self) -> Result<()> {
        self.reader.end()
    }
}

/// Walks a binary row, given its columns' types in turn.
#[derive(Clone, Copy, Debug)]
pub struct BinaryRow<'a> {
    reader: Reader<'a>,
    nulls: &'a [u8],
    column: usize,
}

impl<'a> BinaryRow<'a> {
    /// `columns` is the number of columns of the result set.
    pub fn new(payload: &'a [u8], columns: usize) -> Result<Self> {
        let mut reader = Reader::new("binary row", payload);
        if reader.u8()? != 0 {
            return Err(reader.malformed("has another header"));
        }
        let nulls = reader.take((columns + 9) / 8)?;
        Ok(BinaryRow { reader, nulls, column: 0 })
    }

    /// The next value's raw bytes, `None` for NULL: fixed-length types as they are, dates and times
    /// without their length byte, strings without their length.
    pub fn value(&mut self, field_type: FieldType) -> Result<Option<&'a [u8]>> {
        let bit = self.column + 2;
        self.column += 1;
        if self.nulls.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1) {
            return Ok(None);
        }
        match field_type.binary_form() {
            None => Err(self.reader.malformed("has a column of an unknown type")),
            Some(BinaryForm::Nothing) => Ok(None),
            Some(BinaryForm::Fixed(length)) => self.reader.take(usize::from(length)).map(Some),
            Some(BinaryForm::ShortLength) => {
                let length = self.reader.u8()?;
                self.reader.take(usize::from(length)).map(Some)
            }
            Some(BinaryForm::Lenenc) => self.reader.lenenc_bytes().map(Some),
        }
    }

    /// Fails where the row has more values than were taken.
    pub fn end(&self) -> Result<()> {
        self.reader.end()
    }
}

/// A single value of a text row, whose columns before it are stepped over; `None` for NULL.
pub fn text_value(payload: &[u8], column: usize) -> Result<Option<&[u8]>> {
    let mut at = 0;
    for _ in 0..column {
        at = text_span(payload, at)?.end;
    }
    Ok(text_span(payload, at)?.of(payload))
}

/// Where a single value of a text row stands; `None` also for rows in which it isn't found.
#[inline]
pub fn text_place(payload: &[u8], column: usize) -> Option<Range<usize>> {
    let mut at = 0;
    for _ in 0..column {
        at = text_span(payload, at).ok()?.end;
    }
    let length = payload.get(at).filter(|length| **length <= 0xfa)?;
    Some(at + 1..at + 1 + usize::from(*length))
}

/// A single value of a binary row of columns of these types.
pub fn binary_value<'p>(
    payload: &'p [u8],
    types: &[FieldType],
    column: usize,
) -> Result<Option<&'p [u8]>> {
    let mut row = BinaryRow::new(payload, types.len())?;
    let mut value = None;
    for field_type in types.iter().take(column + 1) {
        value = row.value(*field_type)?;
    }
    Ok(value)
}

/// Where the values of one row stand in its payload. Reused from row to row, so that a merge
/// allocates nothing for each.
#[derive(Clone, Debug, Default)]
pub struct RowIndex {
    spans: Vec<Span>,
}

/// Where a value stands; that of NULL begins behind its end.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    end: usize,
}

impl Span {
    /// NULL, with the next column's place.
    fn null(end: usize) -> Self {
        Span { start: usize::MAX, end }
    }

    fn of<'p>(&self, payload: &'p [u8]) -> Option<&'p [u8]> {
        payload.get(self.start..self.end)
    }
}

/// The value of a text row that begins at `at` with its length.
#[inline]
fn text_span(payload: &[u8], at: usize) -> Result<Span> {
    match payload.get(at) {
        Some(&length @ 0..=0xfa) => {
            let span = Span { start: at + 1, end: at + 1 + usize::from(length) };
            if span.end <= payload.len() { Ok(span) } else { Err(short_row(payload)) }
        }
        Some(0xfb) => Ok(Span::null(at + 1)),
        _ => long_text_span(payload, at),
    }
}

fn long_text_span(payload: &[u8], at: usize) -> Result<Span> {
    let mut reader = Reader::new("text row", payload.get(at..).unwrap_or_default());
    let length = reader.lenenc_bytes()?.len();
    let end = payload.len() - reader.remaining();
    Ok(Span { start: end - length, end })
}

#[cold]
fn short_row(payload: &[u8]) -> Error {
    Reader::new("text row", payload).malformed("is too short")
}

impl RowIndex {
    /// Indexes a text row of exactly `columns` values.
    pub fn text(&mut self, payload: &[u8], columns: usize) -> Result<()> {
        self.spans.clear();
        let mut end = 0;
        for _ in 0..columns {
            let span = text_span(payload, end)?;
            end = span.end;
            self.spans.push(span);
        }
        Reader::new("text row", payload.get(end..).unwrap_or_default()).end()
    }

    /// Indexes a binary row of exactly these columns.
    pub fn binary(&mut self, payload: &[u8], types: &[FieldType]) -> Result<()> {
        self.spans.clear();
        let mut row = BinaryRow::new(payload, types.len())?;
        for field_type in types {
            let value = row.value(*field_type)?;
            let end = payload.len() - row.reader.remaining();
            self.spans.push(match value {
                Some(value) => Span { start: end - value.len(), end },
                None => Span::null(end),
            });
        }
        row.end()
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// A value's raw bytes in the payload that was indexed; `None` for NULL (and for a column that
    /// the row doesn't have).
    pub fn get<'p>(&self, payload: &'p [u8], column: usize) -> Option<&'p [u8]> {
        self.spans.get(column)?.of(payload)
    }

    /// Where a column ends in the payload; `None` for one that the row doesn't have.
    pub fn end(&self, column: usize) -> Option<usize> {
        Some(self.spans.get(column)?.end)
    }
}

/// Appends a text row.
pub fn write_text_row<'v>(values: impl IntoIterator<Item = Option<&'v [u8]>>, out: &mut Vec<u8>) {
    for value in values {
        put_nullable_bytes(out, value);
    }
}

/// Appends a binary row of raw values in the form that [`BinaryRow::value`] gives.
pub fn write_binary_row(columns: &[(FieldType, Option<&[u8]>)], out: &mut Vec<u8>) {
    out.push(0);
    let bitmap = out.len();
    out.resize(bitmap + (columns.len() + 9) / 8, 0);
    for (index, (field_type, value)) in columns.iter().enumerate() {
        match value {
            Some(bytes) => put_value(*field_type, bytes, out),
            None => {
                if let Some(byte) = out.get_mut(bitmap + (index + 2) / 8) {
                    *byte |= 1 << ((index + 2) % 8);
                }
            }
        }
    }
}
