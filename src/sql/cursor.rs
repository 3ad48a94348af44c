//! A reader over tokens that passes over comments and hints.
//!
//! Owns: the small steps that readers of statements share. Never: knows a statement's grammar.

use std::ops::Range;

use crate::sql::literal::name_of;
use crate::sql::token::{Token, TokenKind};

/// See the module. Copy it to look ahead.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) sql: &'a [u8],
    tokens: &'a [Token],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(sql: &'a [u8], tokens: &'a [Token]) -> Self {
        let mut cursor = Cursor { sql, tokens, at: 0 };
        cursor.skip_trivia();
        cursor
    }

    fn skip_trivia(&mut self) {
        while self.tokens.get(self.at).is_some_and(|token| token.kind.is_trivia()) {
            self.at += 1;
        }
    }

    /// The next token; `None` at the end and at the `;` that ends the statement.
    pub(super) fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at).filter(|token| token.kind != TokenKind::Semicolon)
    }

    pub(super) fn next(&mut self) -> Option<&'a Token> {
        let token = self.peek()?;
        self.at += 1;
        self.skip_trivia();
        Some(token)
    }

    /// The token `n` places ahead; 0 is the next one.
    pub(super) fn ahead(&self, n: usize) -> Option<&'a Token> {
        let mut copy = *self;
        for _ in 0..n {
            copy.next()?;
        }
        copy.peek()
    }

    pub(super) fn at_end(&self) -> bool {
        self.peek().is_none()
    }

    /// Whether the next token is the unquoted word `word` (in capitals).
    pub(super) fn is(&self, word: &str) -> bool {
        self.peek().is_some_and(|token| token.is_word(self.sql, word))
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        self.peek().is_some_and(|token| token.is_symbol(self.sql, symbol))
    }

    /// Moves over the word if it is next.
    pub(super) fn eat(&mut self, word: &str) -> bool {
        let found = self.is(word);
        if found {
            self.next();
        }
        found
    }

    /// Moves over these words if all of them are next.
    pub(super) fn eat_all(&mut self, words: &[&str]) -> bool {
        let mut ahead = *self;
        let found = words.iter().all(|word| ahead.eat(word));
        if found {
            *self = ahead;
        }
        found
    }

    /// Moves over one of these words.
    pub(super) fn eat_any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.eat(word))
    }

    pub(super) fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.next();
        }
        found
    }

    /// The next token's word in capitals; empty if it is no unquoted word.
    pub(super) fn word(&self) -> String {
        match self.peek() {
            Some(token) if token.kind == TokenKind::Word => {
                String::from_utf8_lossy(token.bytes(self.sql)).to_ascii_uppercase()
            }
            _ => String::new(),
        }
    }

    /// Moves over a name, quoted or not.
    pub(super) fn name(&mut self) -> Option<(String, Range<usize>)> {
        let token = self.peek().filter(|token| token.is_name())?;
        self.next();
        Some((name_of(self.sql, token), token.range()))
    }

    /// Where the next token starts, or where the last one ended.
    pub(super) fn offset(&self) -> usize {
        match self.peek() {
            Some(token) => token.start as usize,
            None => self.end(),
        }
    }

    /// Where the last significant token before this place ends.
    pub(super) fn end(&self) -> usize {
        let before = self.tokens.get(..self.at).unwrap_or_default();
        before
            .iter()
            .rev()
            .find(|token| !token.kind.is_trivia())
            .map_or(0, |token| token.end as usize)
    }

    /// Moves behind the parenthesis that closes the one that is next.
    pub(super) fn skip_parentheses(&mut self) {
        let mut depth = 0u32;
        while let Some(token) = self.next() {
            match token.symbol(self.sql) {
                b"(" => depth += 1,
                b")" => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// Whether a token from this offset on is of a kind.
    pub(super) fn stands_behind(&self, offset: usize, is: impl Fn(&Token) -> bool) -> bool {
        self.tokens.iter().any(|token| token.start as usize >= offset && is(token))
    }
}
