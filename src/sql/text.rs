//! The text that a parser is given in place of a template.
//!
//! Owns: that text and the way back to the template's offsets. Never: parses.

use std::borrow::Cow;

use crate::error::Result;
use crate::sql::lex::{Dialect, LexMode, Scanner};
use crate::sql::literal::unquote_name;
use crate::sql::slot::{Slot, SlotKind};
use crate::sql::template::Lexed;
use crate::sql::token::{Token, TokenKind};

/// A statement's tokens, one blank between those that had something between them, where
/// - a slot is the placeholder `?<n>` with the slot's index (a list once: `IN (?4)`; of a tuple
///   list one tuple: `IN ((?4, ?4))`; of rows the first of each shape; a search string of AGAINST
///   is `''`),
/// - comments, hints and the brackets of executable comments are blanks,
/// - names in the double quotes of ANSI_QUOTES are in backticks,
/// - `&&` is AND, and `||` is OR unless PIPES_AS_CONCAT is on,
/// - what is not UTF-8 is U+FFFD.
///
/// Line breaks stand only inside of quotes.
#[derive(Clone, Debug, Default)]
pub struct AnalysisText {
    pub text: String,
    /// Pairs (offset in `text`, offset in the template) where the difference between both changes.
    map: Vec<(u32, u32)>,
    ends_in_slot: bool,
}

impl AnalysisText {
    /// The template's offset that belongs to a byte offset of the text, which should be where a
    /// token starts.
    pub fn template_offset(&self, text: usize) -> usize {
        let after = self.map.partition_point(|(start, _)| *start as usize <= text);
        match after.checked_sub(1).and_then(|last| self.map.get(last)) {
            Some((start, template)) => *template as usize + (text - *start as usize),
            None => text,
        }
    }

    /// The slot that a placeholder `?<n>` of the text stands for.
    pub fn slot_of(placeholder: &str) -> Option<u16> {
        placeholder.strip_prefix('?')?.parse().ok()
    }

    fn place(&mut self, template: usize) {
        let text = self.text.len();
        let same = self.map.last().is_some_and(|(start, at)| {
            template.checked_sub(*at as usize) == Some(text - *start as usize)
        });
        if !same {
            self.map.push((text as u32, template as u32));
        }
    }

    fn blank(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with(' ') {
            self.text.push(' ');
        }
    }
}

impl Lexed {
    /// Writes the text for a parser into `out`. `sql` is the statement that this was made from.
    ///
    /// # Errors
    /// None that [`crate::sql::template::Lexer::lex`] didn't have on the same text.
    pub fn analysis_text(
        &self,
        sql: &[u8],
        dialect: &Dialect,
        out: &mut AnalysisText,
    ) -> Result<()> {
        out.text.clear();
        out.map.clear();
        out.ends_in_slot = false;
        let mut scanner = Scanner::new(sql, 0, *dialect);
        let mut slots = self.slots().iter().enumerate().peekable();
        let mut last_end = 0;
        while let Some(token) = scanner.next_token()? {
            if token.start as usize >= self.end() {
                break;
            }
            let mut inside = false;
            while let Some((index, slot)) = slots.peek().copied() {
                if slot.start > token.start {
                    break;
                }
                inside = slot.end > token.start;
                if last_end < slot.start {
                    out.blank();
                }
                if last_end <= slot.start {
                    self.write_slot(index, slot, out);
                }
                last_end = last_end.max(slot.end);
                if inside {
                    break;
                }
                slots.next();
            }
            if inside {
                // The slot was written with its first token; the rest of it is passed over.
                let end = last_end as usize;
                if scanner.position() < end {
                    scanner.jump(end);
                }
                slots.next();
                continue;
            }
            // `?1` and a digit behind it would be another placeholder.
            if last_end < token.start || (out.ends_in_slot && token.kind != TokenKind::Symbol) {
                out.blank();
            }
            out.ends_in_slot = false;
            last_end = token.end;
            if matches!(
                token.kind,
                TokenKind::Hint | TokenKind::ExecutableOpen | TokenKind::ExecutableClose
            ) {
                out.blank();
                continue;
            }
            out.place(self.template_offset(token.start as usize));
            write_token(sql, &token, dialect, &mut out.text);
        }
        Ok(())
    }

    fn write_slot(&self, index: usize, slot: &Slot, out: &mut AnalysisText) {
        use std::fmt::Write;
        if slot.kind == SlotKind::Comment {
            return out.blank();
        }
        out.place(slot.at as usize);
        out.ends_in_slot = true;
        // Writing into a String doesn't fail.
        let _ = match slot.kind {
            SlotKind::Rows { .. } => {
                let seen = self.slots().iter().take(index + 1);
                let runs = seen.filter(|slot| matches!(slot.kind, SlotKind::Rows { .. })).count();
                let more = runs < self.shapes().len();
                out.text.push_str(if more { ", " } else { " " });
                Ok(())
            }
            SlotKind::Tuples { arity } => {
                let cells = vec![format!("?{index}"); usize::from(arity)].join(", ");
                write!(out.text, "({cells})")
            }
            SlotKind::Literal if slot.against => write!(out.text, "''"),
            _ => write!(out.text, "?{index}"),
        };
    }
}

fn write_token(sql: &[u8], token: &Token, dialect: &Dialect, text: &mut String) {
    let bytes = token.bytes(sql);
    match token.kind {
        TokenKind::Symbol if bytes == b"&&" => separated("AND", text),
        TokenKind::Symbol if bytes == b"||" && !dialect.mode.has(LexMode::PIPES_AS_CONCAT) => {
            separated("OR", text);
        }
        TokenKind::QuotedName if bytes.first() == Some(&b'"') => {
            text.push('`');
            push_utf8(
                &unquote_name(bytes),
                dialect,
                &mut |c, text: &mut String| {
                    if c == '`' {
                        text.push('`');
                    }
                    text.push(c);
                },
                text,
            );
            text.push('`');
        }
        _ => push_utf8(bytes, dialect, &mut |c, text: &mut String| text.push(c), text),
    }
}

fn separated(word: &str, text: &mut String) {
    if !text.ends_with(' ') {
        text.push(' ');
    }
    text.push_str(word);
    text.push(' ');
}

/// Appends text, a character that is not UTF-8 (or belongs to a character set that isn't) as
/// U+FFFD, and line breaks, which can only stand in quotes, as they are.
fn push_utf8(
    bytes: &[u8],
    dialect: &Dialect,
    push: &mut dyn FnMut(char, &mut String),
    text: &mut String,
) {
    if dialect.charset == crate::sql::charset_scan::CharsetClass::AsciiSafe {
        let decoded: Cow<'_, str> = String::from_utf8_lossy(bytes);
        for c in decoded.chars() {
            push(c, text);
        }
        return;
    }
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let length = dialect.charset.char_len(&bytes[at..]);
        push(if length == 1 && byte < 0x80 { char::from(byte) } else { '\u{FFFD}' }, text);
        at += length;
    }
}
