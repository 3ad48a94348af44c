//! What a lifted literal says.
//!
//! Owns: reading an item's bytes (escapes, doubled quotes, adjacent strings, introducers, hex and
//! bit digits, signs). Never: converts between types or character sets; what a column makes of a
//! literal is for [`crate::value`] and the planner.

use std::borrow::Cow;

use crate::sql::lex::Dialect;
use crate::sql::slot::Item;

/// A literal's content. Text is in the bytes of the client's character set, or of its introducer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal<'a> {
    Null,
    Default,
    Boolean(bool),
    /// Digits, with `-` if negative; may be longer than any integer type.
    Integer(Cow<'a, str>),
    Decimal(Cow<'a, str>),
    Float(Cow<'a, str>),
    /// `charset`: the introducer without its `_`, `utf8` for `N'…'`.
    Text { charset: Option<&'a str>, bytes: Cow<'a, [u8]> },
    /// A hexadecimal literal's bytes; it compares as a binary string, or as a number in a numeric
    /// context.
    Hex(Vec<u8>),
    /// A bit literal's bytes, big-endian.
    Bit(Vec<u8>),
    Date(Cow<'a, [u8]>),
    Time(Cow<'a, [u8]>),
    Timestamp(Cow<'a, [u8]>),
    /// The value comes with the execution: which `?`, from 0.
    Param(u32),
}

/// The content of an item of `sql`.
pub fn read<'a>(sql: &'a [u8], item: &Item, dialect: &Dialect) -> Literal<'a> {
    let _ = (sql, item, dialect);
    Literal::Null
}
