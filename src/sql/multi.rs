//! Where a statement ends among several in one text.
//!
//! Owns: which `;` ends a statement and which stands inside of a stored program's body. Never:
//! runs or splits anything; [`crate::sql::template::Lexed::rest`] tells where the next one begins.

use crate::sql::lex::Scanner;
use crate::sql::token::TokenKind;

/// What came last, where it decides how a word is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Other,
    /// A statement can begin here.
    Start,
    End,
    /// PROCEDURE, TRIGGER …: an IF behind it is IF NOT EXISTS.
    Kind,
}

/// How deep in the blocks of a stored program's body the walk is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body {
    routine: bool,
    parenthesis: bool,
    depth: u32,
    last: Last,
}

impl Body {
    /// For a statement that can have a body, by its first word; the scanner stands behind it.
    pub(super) fn begin(word: &[u8], scanner: &Scanner<'_>) -> Option<Self> {
        let upper = word.to_ascii_uppercase();
        let depth = match upper.as_slice() {
            b"CREATE" | b"ALTER" => 0,
            // MariaDB's compound statements outside of routines.
            b"BEGIN" if next_word(scanner).eq_ignore_ascii_case(b"NOT") => 1,
            b"IF" | b"CASE" | b"LOOP" | b"REPEAT" | b"WHILE" | b"FOR" => 1,
            _ => return None,
        };
        Some(Body { routine: depth > 0, parenthesis: false, depth, last: Last::Other })
    }

    pub(super) fn is_routine(&self) -> bool {
        self.routine
    }

    /// A `;`: true if it stands inside of a body.
    pub(super) fn semicolon(&mut self) -> bool {
        self.last = Last::Start;
        self.routine && self.depth > 0
    }

    pub(super) fn symbol(&mut self, symbol: &[u8]) {
        self.parenthesis |= symbol == b"(";
        self.last = match symbol {
            b":" => Last::Start,
            b")" if self.depth == 0 => Last::Start,
            _ => Last::Other,
        };
    }

    pub(super) fn other(&mut self) {
        self.last = Last::Other;
    }

    pub(super) fn word(&mut self, word: &[u8], scanner: &Scanner<'_>) {
        let upper = word.to_ascii_uppercase();
        let last = std::mem::replace(&mut self.last, Last::Other);
        if matches!(
            upper.as_slice(),
            b"PROCEDURE" | b"FUNCTION" | b"TRIGGER" | b"EVENT" | b"PACKAGE"
        ) && !self.parenthesis
        {
            self.routine = true;
            self.last = Last::Kind;
        }
        if !self.routine || last == Last::End {
            // END IF, END LOOP, END label.
            return;
        }
        let starts = last == Last::Start || (self.depth == 0 && last == Last::Other);
        match upper.as_slice() {
            b"BEGIN" => self.open(),
            b"CASE" => self.depth += 1,
            b"END" => {
                self.depth = self.depth.saturating_sub(1);
                self.last = Last::End;
            }
            b"LOOP" => self.open(),
            b"THEN" | b"ELSE" | b"DO" | b"ROW" => self.last = Last::Start,
            b"WHILE" if starts => self.depth += 1,
            b"REPEAT" if starts && !is_call(scanner) => self.open(),
            b"IF" if starts && !is_call(scanner) => self.depth += 1,
            b"FOR" if last == Last::Start && self.depth > 0 => self.depth += 1,
            _ => {}
        }
    }

    fn open(&mut self) {
        self.depth += 1;
        self.last = Last::Start;
    }
}

fn next_word<'a>(scanner: &Scanner<'a>) -> &'a [u8] {
    let mut ahead = *scanner;
    match ahead.next_token() {
        Ok(Some(token)) if token.kind == TokenKind::Word => token.bytes(ahead.text()),
        _ => b"",
    }
}

/// Whether a parenthesis follows that holds several arguments, as in the functions IF and REPEAT.
fn is_call(scanner: &Scanner<'_>) -> bool {
    let mut ahead = *scanner;
    let mut depth = 0u32;
    while let Ok(Some(token)) = ahead.next_token() {
        match token.symbol(ahead.text()) {
            b"(" => depth += 1,
            b")" => depth = depth.saturating_sub(1),
            b"," if depth == 1 => return true,
            _ => {}
        }
        if depth == 0 {
            return false;
        }
    }
    false
}
