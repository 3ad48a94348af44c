//! Whole numbers of another width.
//!
//! Owns: making a prepared statement's row have the widths of the first target's columns. A server
//! chooses an integer's type for what is computed, and it chooses another one where it takes the
//! value out of a temporary table; as text both are digits. Never: changes a value.

use crate::error::{Error, Result};
use crate::protocol::execute::put_value;
use crate::protocol::field::{BinaryForm, FieldType};
use crate::protocol::row::BinaryRow;

/// A column as it comes and as it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Width {
    pub from: FieldType,
    pub to: FieldType,
    pub unsigned: bool,
}

/// The columns of a target's rows, of which at least one comes in another width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Widths(pub Vec<Width>);

impl Widths {
    /// Writes a binary row anew into `out`.
    ///
    /// # Errors
    /// A row that can't be read; a number that the due width is too small for.
    pub fn convert(&self, row: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let mut values = BinaryRow::new(row, self.0.len())?;
        out.clear();
        // The header and the bits of NULLs are the same.
        out.extend_from_slice(row.get(..1 + (self.0.len() + 9) / 8).unwrap_or_default());
        for width in &self.0 {
            let Some(value) = values.value(width.from)? else { continue };
            match width.to.binary_form() {
                Some(BinaryForm::Fixed(length)) if width.to != width.from => {
                    width.put(value, usize::from(length), out)?;
                }
                _ => put_value(width.from, value, out),
            }
        }
        Ok(())
    }
}

impl Width {
    fn put(&self, value: &[u8], length: usize, out: &mut Vec<u8>) -> Result<()> {
        let negative = !self.unsigned && value.last().is_some_and(|byte| byte & 0x80 != 0);
        let filler = if negative { 0xff } else { 0 };
        let (kept, lost) = value.split_at(length.min(value.len()));
        let sign = !self.unsigned && kept.last().is_some_and(|byte| byte & 0x80 != 0);
        if lost.iter().any(|byte| *byte != filler) || (!lost.is_empty() && sign != negative) {
            return Err(Error::malformed(
                "a number is too large for the first shard's column type",
            ));
        }
        out.extend_from_slice(kept);
        out.resize(out.len() + length - kept.len(), filler);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: FieldType = FieldType(0x03);
    const LONGLONG: FieldType = FieldType(0x08);
    const TEXT: FieldType = FieldType(0xfd);

    fn widths(from: FieldType, to: FieldType, unsigned: bool) -> Widths {
        let text = Width { from: TEXT, to: TEXT, unsigned: false };
        Widths(vec![text, Width { from, to, unsigned }, text])
    }

    fn row(number: &[u8]) -> Vec<u8> {
        [&[0, 0, 2, b'a', b'b'][..], number, &[1, b'c']].concat()
    }

    #[test]
    fn numbers_grow_and_shrink_with_their_sign() {
        let mut out = Vec::new();
        for number in [0, 1, -1, i32::MAX, i32::MIN] {
            let (short, long) = (row(&number.to_le_bytes()), row(&i64::from(number).to_le_bytes()));
            widths(LONG, LONGLONG, false).convert(&short, &mut out).unwrap();
            assert_eq!(out, long, "{number}");
            widths(LONGLONG, LONG, false).convert(&long, &mut out).unwrap();
            assert_eq!(out, short, "{number}");
        }
        let (short, long) = (row(&u32::MAX.to_le_bytes()), row(&u64::from(u32::MAX).to_le_bytes()));
        widths(LONG, LONGLONG, true).convert(&short, &mut out).unwrap();
        assert_eq!(out, long);
        widths(LONGLONG, LONG, true).convert(&long, &mut out).unwrap();
        assert_eq!(out, short);
    }

    #[test]
    fn what_has_no_room_is_an_error() {
        let mut out = Vec::new();
        for number in [i64::from(i32::MAX) + 1, i64::from(i32::MIN) - 1, i64::MAX, 0xffff_ffff] {
            let long = row(&number.to_le_bytes());
            assert!(widths(LONGLONG, LONG, false).convert(&long, &mut out).is_err(), "{number}");
        }
        assert!(widths(LONG, LONGLONG, false).convert(&[0, 0, 2, b'a'], &mut out).is_err());
    }

    #[test]
    fn a_null_has_no_bytes() {
        let mut out = Vec::new();
        let null = [0, 0b0000_1000, 1, b'a', 1, b'c'];
        widths(LONG, LONGLONG, false).convert(&null, &mut out).unwrap();
        assert_eq!(out, null);
    }
}
