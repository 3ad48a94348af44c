//! Field types and column flags as the wire knows them.
//!
//! Owns: the numbers, and how long each type's binary form is. Never: decodes a value.

use std::fmt;

/// A column's or parameter's type byte. Open: a server may send one that Weir doesn't know.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldType(pub u8);

/// How the binary protocol writes a value of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryForm {
    /// So many bytes, little endian.
    Fixed(u8),
    /// A length byte, then so many bytes (dates and times).
    ShortLength,
    /// A length-encoded string.
    Lenenc,
    /// No bytes at all (the NULL type).
    Nothing,
}

impl FieldType {
    pub const DECIMAL: Self = Self(0x00);
    pub const TINY: Self = Self(0x01);
    pub const SHORT: Self = Self(0x02);
    pub const LONG: Self = Self(0x03);
    pub const FLOAT: Self = Self(0x04);
    pub const DOUBLE: Self = Self(0x05);
    pub const NULL: Self = Self(0x06);
    pub const TIMESTAMP: Self = Self(0x07);
    pub const LONGLONG: Self = Self(0x08);
    pub const INT24: Self = Self(0x09);
    pub const DATE: Self = Self(0x0a);
    pub const TIME: Self = Self(0x0b);
    pub const DATETIME: Self = Self(0x0c);
    pub const YEAR: Self = Self(0x0d);
    pub const NEWDATE: Self = Self(0x0e);
    pub const VARCHAR: Self = Self(0x0f);
    pub const BIT: Self = Self(0x10);
    pub const TIMESTAMP2: Self = Self(0x11);
    pub const DATETIME2: Self = Self(0x12);
    pub const TIME2: Self = Self(0x13);
    /// MySQL 9: VECTOR.
    pub const VECTOR: Self = Self(0xf2);
    pub const JSON: Self = Self(0xf5);
    pub const NEWDECIMAL: Self = Self(0xf6);
    pub const ENUM: Self = Self(0xf7);
    pub const SET: Self = Self(0xf8);
    pub const TINY_BLOB: Self = Self(0xf9);
    pub const MEDIUM_BLOB: Self = Self(0xfa);
    pub const LONG_BLOB: Self = Self(0xfb);
    pub const BLOB: Self = Self(0xfc);
    pub const VAR_STRING: Self = Self(0xfd);
    pub const STRING: Self = Self(0xfe);
    pub const GEOMETRY: Self = Self(0xff);

    /// The type's binary form, `None` for a byte that no server has defined.
    pub const fn binary_form(self) -> Option<BinaryForm> {
        match self.0 {
            0x01 => Some(BinaryForm::Fixed(1)),
            0x02 | 0x0d => Some(BinaryForm::Fixed(2)),
            0x03 | 0x04 | 0x09 => Some(BinaryForm::Fixed(4)),
            0x05 | 0x08 => Some(BinaryForm::Fixed(8)),
            0x06 => Some(BinaryForm::Nothing),
            0x07 | 0x0a | 0x0b | 0x0c | 0x0e | 0x11 | 0x12 | 0x13 => Some(BinaryForm::ShortLength),
            0x00 | 0x0f | 0x10 | 0xf2 | 0xf5..=0xff => Some(BinaryForm::Lenenc),
            _ => None,
        }
    }

    /// True for the integer types (YEAR included).
    pub const fn is_integer(self) -> bool {
        matches!(self.0, 0x01 | 0x02 | 0x03 | 0x08 | 0x09 | 0x0d)
    }

    /// True for DATE, DATETIME and TIMESTAMP.
    pub const fn is_date_or_datetime(self) -> bool {
        matches!(self.0, 0x07 | 0x0a | 0x0c | 0x0e | 0x11 | 0x12)
    }

    /// True for exact decimals.
    pub const fn is_decimal(self) -> bool {
        matches!(self.0, 0x00 | 0xf6)
    }

    /// True for character and binary strings, texts and blobs (ENUM and SET included).
    pub const fn is_string(self) -> bool {
        matches!(self.0, 0x0f | 0xf7..=0xfe)
    }

    /// Whether it is text or bytes of any length, which all travel alike.
    pub const fn is_text_or_bytes(self) -> bool {
        matches!(self.0, 0x0f | 0xf9..=0xfe)
    }
}

impl fmt::Debug for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldType({:#04x})", self.0)
    }
}

/// The 16 flag bits of a column definition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FieldFlags(pub u16);

impl FieldFlags {
    pub const NOT_NULL: Self = Self(1);
    pub const PRIMARY_KEY: Self = Self(1 << 1);
    pub const UNIQUE_KEY: Self = Self(1 << 2);
    pub const MULTIPLE_KEY: Self = Self(1 << 3);
    pub const BLOB: Self = Self(1 << 4);
    pub const UNSIGNED: Self = Self(1 << 5);
    pub const ZEROFILL: Self = Self(1 << 6);
    pub const BINARY: Self = Self(1 << 7);
    pub const ENUM: Self = Self(1 << 8);
    pub const AUTO_INCREMENT: Self = Self(1 << 9);
    pub const TIMESTAMP: Self = Self(1 << 10);
    pub const SET: Self = Self(1 << 11);
    pub const NO_DEFAULT_VALUE: Self = Self(1 << 12);
    pub const ON_UPDATE_NOW: Self = Self(1 << 13);
    pub const PART_KEY: Self = Self(1 << 14);
    pub const NUM: Self = Self(1 << 15);

    /// True where every bit of `other` is set here.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These flags with the bits of `other`.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for FieldFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldFlags({:#06x})", self.0)
    }
}
