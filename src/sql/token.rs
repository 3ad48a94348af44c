//! What the lexer sees: tokens by kind and byte range.
//!
//! Owns: the closed set of token kinds and the case-blind comparison of words. Never: decides
//! what a sequence of tokens means.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// An unquoted name or keyword.
    Word,
    /// A name in backticks (or in double quotes under ANSI_QUOTES), quotes included.
    QuotedName,
    /// Digits.
    Integer,
    /// Digits with a point.
    Decimal,
    /// With an exponent.
    Float,
    /// `'…'` or `"…"`, quotes included.
    String,
    /// `N'…'`.
    NationalString,
    /// `x'…'` or `0x…`.
    Hex,
    /// `b'…'` or `0b…`.
    Bit,
    /// `_utf8mb4` directly before a string or hex/bit literal.
    Introducer,
    /// `@x`, `@'x'`, `` @`x` ``.
    UserVariable,
    /// `@@x`, `@@global.x`, `` @@session.`x` ``: the whole of it.
    SystemVariable,
    /// `?`.
    Param,
    /// An operator or a bracket; see [`Token::symbol`].
    Symbol,
    /// `;`.
    Semicolon,
    /// An ordinary comment, or an executable one that the server skips.
    Comment,
    /// `/*+ … */`, and TDDL's `/*TDDL:…*/` and `/*!TDDL:…*/`.
    Hint,
    /// `/*!`, `/*!50701`, `/*M!100100`: what follows is executed by the server.
    ExecutableOpen,
    /// The `*/` of an executable comment.
    ExecutableClose,
}

impl TokenKind {
    /// Whether the token is a literal (a string, number, hex or bit value).
    pub fn is_literal(self) -> bool {
        use TokenKind::*;
        matches!(self, Integer | Decimal | Float | String | NationalString | Hex | Bit)
    }

    /// Whether the grammar doesn't see the token.
    pub fn is_trivia(self) -> bool {
        use TokenKind::*;
        matches!(self, Comment | Hint | ExecutableOpen | ExecutableClose)
    }
}

/// One token: bytes `start..end` of the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: TokenKind,
    pub start: u32,
    pub end: u32,
    /// How many parentheses are open around it; `(` and `)` carry the depth outside of them.
    pub depth: u16,
}

impl Token {
    /// The token's bytes; empty if `sql` is not the statement that it was made from.
    pub fn bytes<'a>(&self, sql: &'a [u8]) -> &'a [u8] {
        sql.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    pub fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Whether it is the unquoted word `word` (give it in capitals).
    #[inline]
    pub fn is_word(&self, sql: &[u8], word: &str) -> bool {
        self.kind == TokenKind::Word && self.bytes(sql).eq_ignore_ascii_case(word.as_bytes())
    }

    /// Whether it is one of these unquoted words.
    pub fn is_any(&self, sql: &[u8], words: &[&str]) -> bool {
        words.iter().any(|word| self.is_word(sql, word))
    }

    /// Whether it is the operator or bracket `symbol`.
    #[inline]
    pub fn is_symbol(&self, sql: &[u8], symbol: &str) -> bool {
        self.kind == TokenKind::Symbol && self.bytes(sql) == symbol.as_bytes()
    }

    /// The operator's or bracket's bytes, or nothing if it is another kind of token.
    pub fn symbol<'a>(&self, sql: &'a [u8]) -> &'a [u8] {
        if self.kind == TokenKind::Symbol { self.bytes(sql) } else { b"" }
    }

    /// Whether it can be a name: an unquoted word or a quoted name.
    pub fn is_name(&self) -> bool {
        matches!(self.kind, TokenKind::Word | TokenKind::QuotedName)
    }
}
