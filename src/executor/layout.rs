//! The rows that shards send, as the merge sees them.
//!
//! Owns: which columns there are and which of them are hidden, finding the values of a row, and
//! cutting the hidden columns off. Never: changes a value.

use crate::error::{Error, Result};
use crate::executor::compare::{RowFormat, Shape};
use crate::protocol::field::{BinaryForm, FieldType};
use crate::protocol::reader::Reader;
use crate::protocol::row::RowIndex;

/// The columns of one result.
#[derive(Clone, Debug)]
pub struct Layout {
    columns: Vec<Shape>,
    types: Vec<FieldType>,
    hidden: usize,
    format: RowFormat,
}

impl Layout {
    /// `hidden` columns at the end are Weir's own.
    pub fn new(columns: Vec<Shape>, hidden: usize, format: RowFormat) -> Result<Self> {
        if hidden >= columns.len() {
            return Err(Error::malformed(format!(
                "a shard sent {} columns where {hidden} hidden ones and at least one more are due",
                columns.len()
            )));
        }
        let types = columns.iter().map(|column| column.field_type).collect();
        Ok(Layout { columns, types, hidden, format })
    }

    pub fn columns(&self) -> &[Shape] {
        &self.columns
    }

    pub fn types(&self) -> &[FieldType] {
        &self.types
    }

    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// How many columns the client sees.
    pub fn visible(&self) -> usize {
        self.columns.len() - self.hidden
    }

    pub fn format(&self) -> RowFormat {
        self.format
    }

    /// Finds the values of a row; an error where it hasn't exactly these columns.
    pub fn index(&self, payload: &[u8], index: &mut RowIndex) -> Result<()> {
        match self.format {
            RowFormat::Text => index.text(payload, self.columns.len()),
            RowFormat::Binary => index.binary(payload, &self.types),
        }
    }

    /// The row, which `index` is of, without its hidden columns, in `scratch` where it had to be built
    /// anew.
    pub fn visible_row<'a>(
        &self,
        payload: &'a [u8],
        index: &RowIndex,
        scratch: &'a mut Vec<u8>,
    ) -> Result<&'a [u8]> {
        if self.hidden == 0 {
            return Ok(payload);
        }
        match self.format {
            RowFormat::Text => {
                let end = index.end(self.visible() - 1);
                end.and_then(|end| payload.get(..end)).ok_or_else(unindexed)
            }
            RowFormat::Binary => {
                self.visible_binary(payload, scratch)?;
                Ok(scratch)
            }
        }
    }

    /// A shorter row has a shorter NULL bitmap.
    fn visible_binary(&self, payload: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let mut reader = Reader::new("binary row", payload);
        out.clear();
        out.push(reader.u8()?);
        let nulls = reader.take(bitmap_length(self.columns.len()))?;
        let visible = self.visible();
        out.extend_from_slice(nulls.get(..bitmap_length(visible)).unwrap_or_default());
        if let Some(last) = out.last_mut() {
            // Bits of hidden columns that share the last byte.
            let used = (visible + 2) % 8;
            *last &= if used == 0 { 0xff } else { (1 << used) - 1 };
        }
        let values = reader.peek_rest();
        for (column, field_type) in self.types.iter().take(visible).enumerate() {
            if is_null(nulls, column) {
                continue;
            }
            match field_type.binary_form() {
                None => return Err(reader.malformed("has a column of an unknown type")),
                Some(BinaryForm::Nothing) => {}
                Some(BinaryForm::Fixed(length)) => reader.skip(usize::from(length))?,
                Some(BinaryForm::ShortLength) => {
                    let length = reader.u8()?;
                    reader.skip(usize::from(length))?;
                }
                Some(BinaryForm::Lenenc) => {
                    reader.lenenc_bytes()?;
                }
            }
        }
        let length = values.len() - reader.remaining();
        out.extend_from_slice(values.get(..length).unwrap_or_default());
        Ok(())
    }
}

fn unindexed() -> Error {
    Error::internal("a row's hidden columns were to be cut off by another row's index")
}

/// Bytes of a binary row's NULL bitmap; its first two bits are unused.
fn bitmap_length(columns: usize) -> usize {
    (columns + 9) / 8
}

fn is_null(nulls: &[u8], column: usize) -> bool {
    let bit = column + 2;
    nulls.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
}
