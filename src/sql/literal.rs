//! What a lifted literal says.
//!
//! Owns: reading an item's bytes (escapes, doubled quotes, adjacent strings, introducers, hex and
//! bit digits, signs). Never: converts between types or character sets; what a column makes of a
//! literal is for [`crate::value`] and the planner.

use std::borrow::Cow;

use crate::sql::lex::{Dialect, LexMode, Scanner};
use crate::sql::slot::{Item, LiteralKind};
use crate::sql::token::{Token, TokenKind};

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
    Text {
        charset: Option<&'a str>,
        bytes: Cow<'a, [u8]>,
    },
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

/// The content of an item of `sql`, which must be the statement that the item was made from.
pub fn read<'a>(sql: &'a [u8], item: &Item, dialect: &Dialect) -> Literal<'a> {
    let bytes = sql.get(item.source()).unwrap_or_default();
    match item.kind {
        LiteralKind::Null => Literal::Null,
        LiteralKind::Default => Literal::Default,
        LiteralKind::Boolean => {
            Literal::Boolean(bytes.first().is_some_and(|b| matches!(b, b't' | b'T')))
        }
        LiteralKind::Integer => Literal::Integer(number(bytes, dialect)),
        LiteralKind::Decimal => Literal::Decimal(number(bytes, dialect)),
        LiteralKind::Float => Literal::Float(number(bytes, dialect)),
        LiteralKind::Param => Literal::Param(item.param),
        LiteralKind::String => Literal::Text { charset: None, bytes: text(bytes, dialect).1 },
        LiteralKind::Introduced => introduced(bytes, dialect),
        LiteralKind::Hex => Literal::Hex(hex(bytes)),
        LiteralKind::Bit => Literal::Bit(bits(bytes)),
        LiteralKind::Date => Literal::Date(text(bytes, dialect).1),
        LiteralKind::Time => Literal::Time(text(bytes, dialect).1),
        LiteralKind::Timestamp => Literal::Timestamp(text(bytes, dialect).1),
    }
}

/// A number as written, without `+` and without what stands between sign and digits.
fn number<'a>(bytes: &'a [u8], dialect: &Dialect) -> Cow<'a, str> {
    if !matches!(bytes.first(), Some(b'-' | b'+')) {
        return String::from_utf8_lossy(bytes);
    }
    let mut scanner = Scanner::new(bytes, 1, *dialect);
    let mut digits: &[u8] = b"";
    while let Ok(Some(token)) = scanner.next_token() {
        if token.kind.is_literal() {
            digits = token.bytes(bytes);
        }
    }
    let digits = String::from_utf8_lossy(digits);
    if bytes.first() == Some(&b'-') { Cow::Owned(format!("-{digits}")) } else { digits }
}

/// All strings in `bytes`, joined, and the introducer before them.
fn text<'a>(bytes: &'a [u8], dialect: &Dialect) -> (Option<&'a str>, Cow<'a, [u8]>) {
    let mut scanner = Scanner::new(bytes, 0, *dialect);
    let mut charset = None;
    let mut whole: Option<Cow<'a, [u8]>> = None;
    while let Ok(Some(token)) = scanner.next_token() {
        let piece = token.bytes(bytes);
        let piece = match token.kind {
            TokenKind::String => unquote(piece, dialect),
            TokenKind::NationalString => {
                charset = Some("utf8");
                unquote(piece.get(1..).unwrap_or_default(), dialect)
            }
            TokenKind::Introducer => {
                charset = std::str::from_utf8(piece.get(1..).unwrap_or_default()).ok();
                continue;
            }
            _ => continue,
        };
        whole = Some(match whole {
            None => piece,
            Some(before) => {
                let mut joined = before.into_owned();
                joined.extend_from_slice(&piece);
                Cow::Owned(joined)
            }
        });
    }
    (charset, whole.unwrap_or_default())
}

/// `_charset'…'`, `N'…'`, `_charset x'…'`.
fn introduced<'a>(bytes: &'a [u8], dialect: &Dialect) -> Literal<'a> {
    let (charset, joined) = text(bytes, dialect);
    let mut scanner = Scanner::new(bytes, 0, *dialect);
    while let Ok(Some(token)) = scanner.next_token() {
        match token.kind {
            TokenKind::Hex => {
                return Literal::Text { charset, bytes: Cow::Owned(hex(token.bytes(bytes))) };
            }
            TokenKind::Bit => {
                return Literal::Text { charset, bytes: Cow::Owned(bits(token.bytes(bytes))) };
            }
            _ => {}
        }
    }
    Literal::Text { charset, bytes: joined }
}

/// A quoted string's content. Bytes without escapes or doubled quotes are borrowed.
pub fn unquote<'a>(quoted: &'a [u8], dialect: &Dialect) -> Cow<'a, [u8]> {
    let (Some(&quote), Some(inner)) =
        (quoted.first(), quoted.get(1..quoted.len().saturating_sub(1)))
    else {
        return Cow::Borrowed(b"");
    };
    let escapes = !dialect.mode.has(LexMode::NO_BACKSLASH_ESCAPES);
    let plain = !inner.iter().any(|&byte| byte == quote || (escapes && byte == b'\\'));
    if plain {
        return Cow::Borrowed(inner);
    }
    let mut content = Vec::with_capacity(inner.len());
    let mut at = 0;
    while let Some(&byte) = inner.get(at) {
        if byte == b'\\' && escapes {
            let Some(&escaped) = inner.get(at + 1) else { break };
            match escaped {
                b'0' => content.push(0),
                b'b' => content.push(8),
                b'n' => content.push(b'\n'),
                b'r' => content.push(b'\r'),
                b't' => content.push(b'\t'),
                b'Z' => content.push(26),
                // They mean something to LIKE and are left to it.
                b'%' | b'_' => content.extend_from_slice(&[b'\\', escaped]),
                other => content.push(other),
            }
            at += 2;
        } else if byte == quote {
            content.push(quote);
            at += 2;
        } else {
            let length = dialect.charset.char_len(&inner[at..]);
            content.extend_from_slice(inner.get(at..at + length).unwrap_or_default());
            at += length;
        }
    }
    Cow::Owned(content)
}

/// A name's bytes: without its quotes, doubled ones halved. Unquoted names stay as they are.
pub fn unquote_name(name: &[u8]) -> Cow<'_, [u8]> {
    match (name.first(), name.get(1..name.len().saturating_sub(1))) {
        (Some(&quote @ (b'`' | b'"')), Some(inner)) if inner.contains(&quote) => {
            let mut content = Vec::with_capacity(inner.len());
            let mut skip = false;
            for &byte in inner {
                if byte == quote && !skip {
                    skip = true;
                    content.push(byte);
                } else if byte != quote {
                    skip = false;
                    content.push(byte);
                } else {
                    skip = false;
                }
            }
            Cow::Owned(content)
        }
        (Some(b'`' | b'"'), Some(inner)) => Cow::Borrowed(inner),
        _ => Cow::Borrowed(name),
    }
}

/// A name token as text; what is not UTF-8 is U+FFFD.
pub fn name_of(sql: &[u8], token: &Token) -> String {
    String::from_utf8_lossy(&unquote_name(token.bytes(sql))).into_owned()
}

/// A user variable's name: without its `@` and quotes, in lower case.
pub fn user_variable(sql: &[u8], token: &Token, dialect: &Dialect) -> String {
    let name = token.bytes(sql).get(1..).unwrap_or_default();
    let name = match name.first() {
        Some(b'\'' | b'"') => unquote(name, dialect),
        _ => unquote_name(name),
    };
    String::from_utf8_lossy(&name).to_lowercase()
}

/// The bytes of `x'4142'` or `0x4142`; an odd number of digits has a zero before.
pub(super) fn hex(literal: &[u8]) -> Vec<u8> {
    let digits = digits_of(literal);
    let value = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or(0) as u8;
    let mut bytes = Vec::with_capacity(digits.len() / 2 + 1);
    let (odd, even) = digits.split_at(digits.len() % 2);
    bytes.extend(odd.iter().map(value));
    bytes.extend(even.chunks_exact(2).map(|pair| value(&pair[0]) << 4 | value(&pair[1])));
    bytes
}

/// The bytes of `b'0101'` or `0b0101`, big-endian, filled up from the left.
pub(super) fn bits(literal: &[u8]) -> Vec<u8> {
    let digits = digits_of(literal);
    let mut bytes = vec![0u8; digits.len().div_ceil(8)];
    let last = bytes.len();
    for (n, digit) in digits.iter().rev().enumerate() {
        if let Some(byte) = bytes.get_mut(last - 1 - n / 8) {
            *byte |= u8::from(*digit == b'1') << (n % 8);
        }
    }
    bytes
}

/// What stands behind `0x` or `x'`, without the closing quote.
fn digits_of(literal: &[u8]) -> &[u8] {
    let digits = literal.get(2..).unwrap_or_default();
    digits.strip_suffix(b"'").unwrap_or(digits)
}
