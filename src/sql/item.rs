//! One literal from the scanner, with its sign, introducer and adjacent strings.
//!
//! Owns: which tokens make one literal. Never: decides whether it is lifted.

use crate::error::Result;
use crate::sql::keyword::{Keyword, keyword};
use crate::sql::lex::{Scanner, is_space};
use crate::sql::slot::{Item, LiteralKind};
use crate::sql::token::{Token, TokenKind};

/// The kind of a literal that starts with a token of this kind.
pub(super) fn literal_kind(token: TokenKind) -> Option<LiteralKind> {
    Some(match token {
        TokenKind::Integer => LiteralKind::Integer,
        TokenKind::Decimal => LiteralKind::Decimal,
        TokenKind::Float => LiteralKind::Float,
        TokenKind::String => LiteralKind::String,
        TokenKind::NationalString | TokenKind::Introducer => LiteralKind::Introduced,
        TokenKind::Hex => LiteralKind::Hex,
        TokenKind::Bit => LiteralKind::Bit,
        TokenKind::Param => LiteralKind::Param,
        _ => return None,
    })
}

/// Whether the next bytes can't continue a string: the usual case, told without scanning.
fn string_ends(sql: &[u8], mut at: usize) -> bool {
    while at < sql.len() && is_space(sql[at]) {
        at += 1;
    }
    !matches!(sql.get(at), Some(b'\'' | b'"' | b'/' | b'#' | b'-'))
}

/// A plain literal that is a whole item of a list or cell of a row, and what ends it.
pub(super) struct QuickItem {
    pub(super) kind: LiteralKind,
    pub(super) start: u32,
    pub(super) end: u32,
    /// Where the comma or closing parenthesis behind it is.
    pub(super) delimiter: usize,
}

/// The usual items, read without the scanner: digits with a sign or a point, strings in single
/// quotes without escapes, `?` and NULL, each before a comma or a closing parenthesis. `None`
/// means nothing: the scanner then reads the item, whatever it is.
#[inline]
pub(super) fn quick_item(scanner: &Scanner<'_>) -> Option<QuickItem> {
    let sql = scanner.text();
    let start = skip_spaces(sql, scanner.position());
    let (kind, end) = match sql.get(start)? {
        b'0'..=b'9' | b'-' => quick_number(sql, start)?,
        b'\'' if scanner.is_ascii_safe() => {
            let inner = sql.get(start + 1..)?;
            let length = inner.iter().position(|&byte| byte == b'\'' || byte == b'\\')?;
            let plain = inner.get(length) == Some(&b'\'') && inner.get(length + 1) != Some(&b'\'');
            (LiteralKind::String, plain.then_some(start + length + 2)?)
        }
        b'?' => (LiteralKind::Param, start + 1),
        b'N' | b'n' => {
            let word = sql.get(start..start + 4)?;
            (LiteralKind::Null, word.eq_ignore_ascii_case(b"NULL").then_some(start + 4)?)
        }
        _ => return None,
    };
    let delimiter = skip_spaces(sql, end);
    match sql.get(delimiter)? {
        b',' | b')' => Some(QuickItem { kind, start: start as u32, end: end as u32, delimiter }),
        _ => None,
    }
}

fn quick_number(sql: &[u8], start: usize) -> Option<(LiteralKind, usize)> {
    let digits = |mut at: usize| {
        while sql.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let from = start + usize::from(sql.get(start) == Some(&b'-'));
    let mut end = digits(from);
    if end == from {
        return None;
    }
    let mut kind = LiteralKind::Integer;
    if sql.get(end) == Some(&b'.') {
        kind = LiteralKind::Decimal;
        end = digits(end + 1);
    }
    Some((kind, end))
}

#[inline]
fn skip_spaces(sql: &[u8], mut at: usize) -> usize {
    while sql.get(at).copied().is_some_and(is_space) {
        at += 1;
    }
    at
}

/// The next token that is not an ordinary comment.
pub(super) fn significant(scanner: &mut Scanner<'_>) -> Result<Option<Token>> {
    loop {
        match scanner.next_token()? {
            Some(token) if token.kind == TokenKind::Comment => {}
            other => return Ok(other),
        }
    }
}

/// Reads over the strings that follow directly and belong to the same literal; gives its end.
pub(super) fn adjacent_strings(sql: &[u8], scanner: &mut Scanner<'_>, mut end: u32) -> Result<u32> {
    while !string_ends(sql, scanner.position()) {
        let before = *scanner;
        match significant(scanner)? {
            Some(next) if next.kind == TokenKind::String => end = next.end,
            _ => {
                *scanner = before;
                break;
            }
        }
    }
    Ok(end)
}

/// The literal that `first`, just read, begins; `None` if it begins none (the scanner then stands
/// behind `first`). Parameters get the number `param`.
pub(super) fn literal(
    sql: &[u8],
    scanner: &mut Scanner<'_>,
    first: Token,
    param: u32,
) -> Result<Option<Item>> {
    let Some(kind) = literal_kind(first.kind) else { return Ok(None) };
    let mut end = first.end;
    match first.kind {
        TokenKind::String | TokenKind::NationalString => {
            end = adjacent_strings(sql, scanner, end)?;
        }
        TokenKind::Introducer => {
            // The scanner has seen that a literal follows.
            if let Some(body) = scanner.next_token()? {
                end = body.end;
                if body.kind == TokenKind::String {
                    end = adjacent_strings(sql, scanner, end)?;
                }
            }
        }
        _ => {}
    }
    Ok(Some(Item { kind, start: first.start, end, param }))
}

/// A literal with a sign, or NULL, TRUE, FALSE, DEFAULT, or a typed literal `DATE'…'`: what can be a
/// whole item of a list or a whole cell of a row. `None`: something else; the scanner's place is
/// then undefined, so keep a copy.
pub(super) fn whole_item(
    sql: &[u8],
    scanner: &mut Scanner<'_>,
    first: Token,
    param: u32,
) -> Result<Option<Item>> {
    match first.kind {
        TokenKind::Symbol => match first.bytes(sql) {
            b"-" | b"+" => {
                let Some(number) = significant(scanner)? else { return Ok(None) };
                if !matches!(
                    number.kind,
                    TokenKind::Integer | TokenKind::Decimal | TokenKind::Float
                ) {
                    return Ok(None);
                }
                let item = literal(sql, scanner, number, param)?;
                Ok(item.map(|item| Item { start: first.start, ..item }))
            }
            b"{" => braced(sql, scanner, first),
            _ => Ok(None),
        },
        TokenKind::Word => {
            let kind = match keyword(first.bytes(sql)) {
                Keyword::Null => LiteralKind::Null,
                Keyword::Default => LiteralKind::Default,
                Keyword::True | Keyword::False => LiteralKind::Boolean,
                word => return typed(sql, scanner, first, word),
            };
            Ok(Some(Item { kind, start: first.start, end: first.end, param: 0 }))
        }
        _ => literal(sql, scanner, first, param),
    }
}

/// `DATE'…'`, `TIME'…'`, `TIMESTAMP'…'`, whose word was just read.
pub(super) fn typed(
    sql: &[u8],
    scanner: &mut Scanner<'_>,
    first: Token,
    word: Keyword,
) -> Result<Option<Item>> {
    let kind = match word {
        Keyword::Date => LiteralKind::Date,
        Keyword::Time => LiteralKind::Time,
        Keyword::Timestamp => LiteralKind::Timestamp,
        _ => return Ok(None),
    };
    if string_ends(sql, scanner.position()) {
        return Ok(None);
    }
    let before = *scanner;
    match scanner.next_token()? {
        Some(text) if text.kind == TokenKind::String => {
            let end = adjacent_strings(sql, scanner, text.end)?;
            Ok(Some(Item { kind, start: first.start, end, param: 0 }))
        }
        _ => {
            *scanner = before;
            Ok(None)
        }
    }
}

/// ODBC's `{d '…'}`, whose brace was just read. `None` leaves the scanner behind the brace.
pub(super) fn braced(sql: &[u8], scanner: &mut Scanner<'_>, first: Token) -> Result<Option<Item>> {
    let before = *scanner;
    let word = scanner.next_token()?;
    let kind = match word.map(|word| word.bytes(sql)) {
        Some(b"d" | b"D") => LiteralKind::Date,
        Some(b"t" | b"T") => LiteralKind::Time,
        Some(b"ts" | b"TS" | b"Ts" | b"tS") => LiteralKind::Timestamp,
        _ => {
            *scanner = before;
            return Ok(None);
        }
    };
    let text = scanner.next_token()?;
    let close = scanner.next_token()?;
    match (text, close) {
        (Some(text), Some(close))
            if text.kind == TokenKind::String && close.is_symbol(sql, "}") =>
        {
            Ok(Some(Item { kind, start: first.start, end: close.end, param: 0 }))
        }
        _ => {
            *scanner = before;
            Ok(None)
        }
    }
}
