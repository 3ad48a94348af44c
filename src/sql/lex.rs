//! One statement's bytes → tokens, as the server behind would cut them.
//!
//! Owns: the dialect (sql_mode, client character set, server kind and version), the limits, and
//! the scanner. Never: knows what a statement means; that begins in [`super::template`] and
//! [`super::classify`].
//!
//! The rules are those of MySQL's `sql_lex.cc` as its manual describes them ("Literal Values",
//! "Comments", "Schema Object Names"), checked against a real MariaDB by the integration tests.

use crate::error::{Error, Result};
use crate::sql::charset_scan::CharsetClass;
use crate::sql::token::{Token, TokenKind};

/// The bits of sql_mode that change how text is cut or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct LexMode(pub u8);

impl LexMode {
    pub const ANSI_QUOTES: LexMode = LexMode(1);
    pub const NO_BACKSLASH_ESCAPES: LexMode = LexMode(2);
    pub const PIPES_AS_CONCAT: LexMode = LexMode(4);
    pub const HIGH_NOT_PRECEDENCE: LexMode = LexMode(8);
    pub const IGNORE_SPACE: LexMode = LexMode(16);
    /// MariaDB's sql_mode ORACLE has a grammar of its own: such a session's statements are not
    /// understood and can only be sent whole.
    pub const ORACLE: LexMode = LexMode(32);

    /// The bits of a sql_mode value as `@@sql_mode` prints it: names with commas. ANSI and other
    /// combination modes count as what they stand for.
    pub fn of(sql_mode: &str) -> Self {
        let mut bits = 0;
        for name in sql_mode.split(',') {
            bits |= match name.trim().to_ascii_uppercase().as_str() {
                "ANSI_QUOTES" => Self::ANSI_QUOTES.0,
                "NO_BACKSLASH_ESCAPES" => Self::NO_BACKSLASH_ESCAPES.0,
                "PIPES_AS_CONCAT" => Self::PIPES_AS_CONCAT.0,
                "HIGH_NOT_PRECEDENCE" => Self::HIGH_NOT_PRECEDENCE.0,
                "IGNORE_SPACE" => Self::IGNORE_SPACE.0,
                "ANSI" | "DB2" | "MAXDB" | "MSSQL" | "POSTGRESQL" => {
                    Self::ANSI_QUOTES.0 | Self::PIPES_AS_CONCAT.0 | Self::IGNORE_SPACE.0
                }
                "ORACLE" => {
                    Self::ANSI_QUOTES.0
                        | Self::PIPES_AS_CONCAT.0
                        | Self::IGNORE_SPACE.0
                        | Self::ORACLE.0
                }
                _ => 0,
            };
        }
        LexMode(bits)
    }

    pub const fn has(self, bit: LexMode) -> bool {
        self.0 & bit.0 != 0
    }

    /// Whether a text says the same under another mode: nothing of it is read otherwise there.
    pub fn reads_alike(self, other: LexMode, sql: &[u8]) -> bool {
        let changed = LexMode(self.0 ^ other.0);
        if changed.0 == 0 {
            return true;
        }
        let has = |needle: &[u8]| {
            sql.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle))
        };
        let called_apart = || {
            sql.windows(2).any(|pair| matches!(pair, [space, b'('] if space.is_ascii_whitespace()))
        };
        !(changed.has(Self::ORACLE)
            || changed.has(Self::ANSI_QUOTES) && has(b"\"")
            || changed.has(Self::NO_BACKSLASH_ESCAPES) && has(b"\\")
            || changed.has(Self::PIPES_AS_CONCAT) && has(b"||")
            || changed.has(Self::HIGH_NOT_PRECEDENCE) && has(b"not")
            || changed.has(Self::IGNORE_SPACE) && called_apart())
    }

    pub const fn with(self, bit: LexMode) -> LexMode {
        LexMode(self.0 | bit.0)
    }
}

/// Which family of servers stands behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum ServerKind {
    #[default]
    MySql,
    MariaDb,
}

/// How a session's statements are cut. Together with the template's bytes it decides what a
/// statement is, so it belongs into a plan cache's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dialect {
    pub mode: LexMode,
    pub charset: CharsetClass,
    pub server: ServerKind,
    /// As in `/*!80400 … */`: major × 10,000 + minor × 100 + patch.
    pub version: u32,
}

impl Default for Dialect {
    fn default() -> Self {
        Dialect {
            mode: LexMode::default(),
            charset: CharsetClass::AsciiSafe,
            server: ServerKind::MySql,
            version: 80_400,
        }
    }
}

impl Dialect {
    /// Whether a server of this kind and version executes `/*!<version>` (`maria`: `/*M!<version>`).
    fn executes(&self, version: Option<u32>, maria: bool) -> bool {
        if maria && self.server == ServerKind::MySql {
            return false;
        }
        let Some(version) = version else { return true };
        if version > self.version {
            return false;
        }
        // MariaDB passes over what only MySQL 5.7 and later would understand.
        !(self.server == ServerKind::MariaDb && !maria && (50_700..=99_999).contains(&version))
    }
}

/// Bounds on one statement. A statement that passes one is answered with an error that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the statement.
    pub bytes: usize,
    /// Operators and connecting words (AND, OR, +, UNION …) outside of folded lists and rows: the
    /// height of the tree that a parser builds from a chain of them.
    pub operators: u32,
    /// Open parentheses, CASE and BEGIN at one place.
    pub depth: u32,
    /// Literals in one statement, those in lists and rows included.
    pub items: usize,
    /// Places of the template, at most 65,535.
    pub slots: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { bytes: 64 << 20, operators: 4_000, depth: 100, items: 2_000_000, slots: 16_000 }
    }
}

/// The error for a limit that a statement passed.
///
/// MySQL's own numbers: 1153 for the packet's size, 1436 for a stack that would not hold the
/// statement, and 1105 where MySQL has none.
pub(crate) fn over(limit: &'static str, value: u64, what: &str) -> Error {
    let errno = match limit {
        "statement_bytes" => 1_153,
        "statement_depth" | "statement_operators" => 1_436,
        _ => 1_105,
    };
    Error::limit(
        errno,
        limit,
        format!("The statement has more {what} than the limit {limit} = {value} allows; split it"),
    )
}

const WORD: u8 = 1;
const DIGIT: u8 = 2;
const SPACE: u8 = 4;

/// What each byte can be part of.
static CLASS: [u8; 256] = class_table();

const fn class_table() -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut byte = 0usize;
    while byte < 256 {
        let b = byte as u8;
        if b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || b >= 0x80 {
            table[byte] |= WORD;
        }
        if b.is_ascii_digit() {
            table[byte] |= DIGIT;
        }
        if b == b' ' || (b >= 9 && b <= 13) {
            table[byte] |= SPACE;
        }
        byte += 1;
    }
    table
}

#[inline]
fn is_word(byte: u8) -> bool {
    CLASS[byte as usize] & WORD != 0
}

#[inline]
pub(crate) fn is_space(byte: u8) -> bool {
    CLASS[byte as usize] & SPACE != 0
}

/// Cuts a statement into tokens, one at a time, without allocating.
#[derive(Clone, Copy)]
pub struct Scanner<'a> {
    sql: &'a [u8],
    pos: usize,
    dialect: Dialect,
    /// Inside of an executable comment.
    executing: bool,
    /// The byte before `pos` ends a name and is directly followed by a point, or is that point:
    /// `t.1a` is a name after it.
    after_name: bool,
    after_point: bool,
}

impl<'a> Scanner<'a> {
    /// Starts at byte `pos` of `sql`, which must not be inside of a token.
    pub fn new(sql: &'a [u8], pos: usize, dialect: Dialect) -> Self {
        Scanner { sql, pos, dialect, executing: false, after_name: false, after_point: false }
    }

    /// The offset of the byte that is looked at next.
    pub fn position(&self) -> usize {
        self.pos
    }

    /// Goes on at byte `pos`, which must not be inside of a token.
    pub fn jump(&mut self, pos: usize) {
        self.pos = pos;
        self.after_name = false;
        self.after_point = false;
    }

    /// The whole text.
    pub fn text(&self) -> &'a [u8] {
        self.sql
    }

    /// Whether every byte below 0x80 is that ASCII character.
    pub(super) fn is_ascii_safe(&self) -> bool {
        self.dialect.charset == CharsetClass::AsciiSafe
    }

    /// Whether an executable comment is open.
    pub fn is_executing(&self) -> bool {
        self.executing
    }

    #[inline]
    fn at(&self, offset: usize) -> u8 {
        // A NUL stands for the end; the callers that care compare with the length.
        self.sql.get(offset).copied().unwrap_or(0)
    }

    /// The next token, or `None` at the end.
    ///
    /// # Errors
    /// A syntax error (1064) for an unclosed quote or comment, and for a control byte outside of
    /// quotes.
    #[inline]
    pub fn next_token(&mut self) -> Result<Option<Token>> {
        while self.pos < self.sql.len() && is_space(self.sql[self.pos]) {
            self.pos += 1;
            self.after_name = false;
            self.after_point = false;
        }
        if self.pos >= self.sql.len() {
            if self.executing {
                return Err(self.error(self.pos, "an unclosed executable comment"));
            }
            return Ok(None);
        }
        let start = self.pos;
        let first = self.sql[start];
        let kind = self.scan(start, first)?;
        self.after_point = kind == TokenKind::Symbol && first == b'.' && self.pos == start + 1 && {
            self.after_name
        };
        self.after_name = matches!(kind, TokenKind::Word | TokenKind::QuotedName);
        Ok(Some(Token { kind, start: start as u32, end: self.pos as u32, depth: 0 }))
    }

    /// Reads the token at `start`, leaves `pos` behind it.
    #[inline]
    fn scan(&mut self, start: usize, first: u8) -> Result<TokenKind> {
        match first {
            b'0'..=b'9' => Ok(if self.after_point { self.word(start) } else { self.number(start) }),
            b'\'' => self.string(start, start),
            b'"' => {
                if self.dialect.mode.has(LexMode::ANSI_QUOTES) {
                    self.quoted_name(start, start, b'"')
                } else {
                    self.string(start, start)
                }
            }
            b'`' => self.quoted_name(start, start, b'`'),
            b'_' if !self.after_point => Ok(self.introducer_or_word(start)),
            b'x' | b'X' | b'b' | b'B' | b'n' | b'N'
                if self.at(start + 1) == b'\'' && !self.after_point =>
            {
                self.prefixed(start, first)
            }
            _ if is_word(first) => Ok(self.word(start)),
            b'.' if self.at(start + 1).is_ascii_digit() && !self.after_name => {
                Ok(self.fraction(start + 1))
            }
            b'@' => self.variable(start),
            b'?' => Ok(self.take(1, TokenKind::Param)),
            b';' => Ok(self.take(1, TokenKind::Semicolon)),
            b'#' => Ok(self.line_comment(start)),
            b'-' if self.at(start + 1) == b'-' && self.ends_dashes(start + 2) => {
                Ok(self.line_comment(start))
            }
            b'/' if self.at(start + 1) == b'*' => self.block_comment(start),
            b'*' if self.executing && self.at(start + 1) == b'/' => {
                self.executing = false;
                Ok(self.take(2, TokenKind::ExecutableClose))
            }
            0..=0x1F | 0x7F => Err(self.error(start, "a control byte outside of quotes")),
            _ => Ok(self.symbol(start, first)),
        }
    }

    fn take(&mut self, length: usize, kind: TokenKind) -> TokenKind {
        self.pos += length;
        kind
    }

    /// `--` starts a comment only before a blank, a control byte or the end.
    fn ends_dashes(&self, offset: usize) -> bool {
        match self.sql.get(offset) {
            None => true,
            Some(&byte) => is_space(byte) || byte.is_ascii_control(),
        }
    }

    #[inline]
    fn word(&mut self, start: usize) -> TokenKind {
        let mut pos = start;
        if self.dialect.charset == CharsetClass::AsciiSafe {
            while pos < self.sql.len() && is_word(self.sql[pos]) {
                pos += 1;
            }
        } else {
            while pos < self.sql.len() && is_word(self.sql[pos]) {
                pos += self.dialect.charset.char_len(&self.sql[pos..]);
            }
        }
        self.pos = pos.min(self.sql.len());
        TokenKind::Word
    }

    /// A word that begins with `_`, or an introducer if it is a character set before a literal.
    fn introducer_or_word(&mut self, start: usize) -> TokenKind {
        self.word(start);
        let name = self.sql.get(start + 1..self.pos).unwrap_or_default();
        if !is_character_set(name) {
            return TokenKind::Word;
        }
        let mut next = self.pos;
        while next < self.sql.len() && is_space(self.sql[next]) {
            next += 1;
        }
        let literal = match self.at(next) {
            b'\'' => true,
            b'"' => !self.dialect.mode.has(LexMode::ANSI_QUOTES),
            b'x' | b'X' | b'b' | b'B' => self.at(next + 1) == b'\'',
            b'0' => matches!(self.at(next + 1), b'x' | b'b'),
            _ => false,
        };
        if literal { TokenKind::Introducer } else { TokenKind::Word }
    }

    /// Digits, and what they turn out to be.
    fn number(&mut self, start: usize) -> TokenKind {
        let radix = match (self.at(start), self.at(start + 1)) {
            (b'0', b'x') => Some((TokenKind::Hex, u8::is_ascii_hexdigit as fn(&u8) -> bool)),
            (b'0', b'b') => {
                Some((TokenKind::Bit, (|b: &u8| matches!(b, b'0' | b'1')) as fn(&u8) -> bool))
            }
            _ => None,
        };
        if let Some((kind, digit)) = radix {
            let mut pos = start + 2;
            while pos < self.sql.len() && digit(&self.sql[pos]) {
                pos += 1;
            }
            if pos > start + 2 && !is_word(self.at(pos)) {
                self.pos = pos;
                return kind;
            }
            return self.word(start);
        }
        let mut pos = self.digits(start);
        let next = self.at(pos);
        if next == b'.' {
            return self.fraction(pos + 1);
        }
        if !is_word(next) {
            self.pos = pos;
            return TokenKind::Integer;
        }
        if let Some(end) = self.exponent(pos) {
            pos = end;
            self.pos = pos;
            return TokenKind::Float;
        }
        self.word(start)
    }

    fn digits(&self, mut pos: usize) -> usize {
        while pos < self.sql.len() && self.sql[pos].is_ascii_digit() {
            pos += 1;
        }
        pos
    }

    /// Where `e+10` at `pos` ends, if it is a whole exponent.
    fn exponent(&self, pos: usize) -> Option<usize> {
        if !matches!(self.at(pos), b'e' | b'E') {
            return None;
        }
        let digits = pos + 1 + usize::from(matches!(self.at(pos + 1), b'+' | b'-'));
        self.at(digits).is_ascii_digit().then(|| self.digits(digits))
    }

    /// What follows the point of a number.
    fn fraction(&mut self, pos: usize) -> TokenKind {
        let end = self.digits(pos);
        match self.exponent(end) {
            Some(end) => {
                self.pos = end;
                TokenKind::Float
            }
            None => {
                self.pos = end;
                TokenKind::Decimal
            }
        }
    }

    /// A string whose opening quote is at `open`; `start` is where the token starts.
    #[inline]
    fn string(&mut self, start: usize, open: usize) -> Result<TokenKind> {
        let quote = self.sql[open];
        let backslash = !self.dialect.mode.has(LexMode::NO_BACKSLASH_ESCAPES);
        let multibyte = self.dialect.charset != CharsetClass::AsciiSafe;
        let mut pos = open + 1;
        while let Some(rest) = self.sql.get(pos..) {
            let special = |byte: &u8| {
                *byte == quote || (*byte == b'\\' && backslash) || (multibyte && *byte >= 0x80)
            };
            let Some(ahead) = rest.iter().position(special) else { break };
            pos += ahead;
            match self.sql[pos] {
                b'\\' if backslash => {
                    // One byte, even where a longer character starts: the servers do it so.
                    pos += 2;
                }
                byte if byte != quote => pos += self.dialect.charset.char_len(&self.sql[pos..]),
                _ if self.sql.get(pos + 1) == Some(&quote) => pos += 2,
                _ => {
                    self.pos = pos + 1;
                    return Ok(TokenKind::String);
                }
            }
        }
        Err(self.error(start, "an unclosed string"))
    }

    /// `` `…` `` or, under ANSI_QUOTES, `"…"`; a doubled quote stands for one, a backslash for
    /// itself.
    fn quoted_name(&mut self, start: usize, open: usize, quote: u8) -> Result<TokenKind> {
        let mut pos = open + 1;
        while pos < self.sql.len() {
            let byte = self.sql[pos];
            if byte == quote {
                if self.at(pos + 1) != quote || pos + 1 >= self.sql.len() {
                    self.pos = pos + 1;
                    return Ok(TokenKind::QuotedName);
                }
                pos += 2;
            } else if byte == 0 {
                return Err(self.error(pos, "a NUL in a name"));
            } else {
                pos += self.dialect.charset.char_len(&self.sql[pos..]);
            }
        }
        Err(self.error(start, "an unclosed quoted name"))
    }

    /// `x'…'`, `b'…'`, `N'…'`.
    fn prefixed(&mut self, start: usize, prefix: u8) -> Result<TokenKind> {
        if matches!(prefix, b'n' | b'N') {
            self.string(start, start + 1)?;
            return Ok(TokenKind::NationalString);
        }
        let hex = matches!(prefix, b'x' | b'X');
        let mut pos = start + 2;
        while pos < self.sql.len()
            && (if hex {
                self.sql[pos].is_ascii_hexdigit()
            } else {
                matches!(self.sql[pos], b'0' | b'1')
            })
        {
            pos += 1;
        }
        if self.at(pos) != b'\'' || (hex && (pos - start) % 2 != 0) {
            return Err(self.error(start, "a malformed hexadecimal or bit literal"));
        }
        self.pos = pos + 1;
        Ok(if hex { TokenKind::Hex } else { TokenKind::Bit })
    }

    /// `@x`, `@'x'`, `@@x`, `@@global.x`; a lone `@` (as in `'user'@'host'`) is told apart by the
    /// reader of account names, which sees a user variable after a string.
    fn variable(&mut self, start: usize) -> Result<TokenKind> {
        match self.at(start + 1) {
            b'@' => {
                self.pos = start + 2;
                loop {
                    if self.at(self.pos) == b'`' {
                        let open = self.pos;
                        self.quoted_name(start, open, b'`')?;
                    } else {
                        let from = self.pos;
                        self.word(from);
                        if self.pos == from {
                            return Err(self.error(start, "a nameless system variable"));
                        }
                    }
                    let more = self.at(self.pos) == b'.'
                        && (is_word(self.at(self.pos + 1)) || self.at(self.pos + 1) == b'`');
                    if !more {
                        return Ok(TokenKind::SystemVariable);
                    }
                    self.pos += 1;
                }
            }
            b'\'' | b'"' => {
                self.string(start, start + 1)?;
                Ok(TokenKind::UserVariable)
            }
            b'`' => {
                self.quoted_name(start, start + 1, b'`')?;
                Ok(TokenKind::UserVariable)
            }
            _ => {
                let mut pos = start + 1;
                while pos < self.sql.len() && (is_word(self.sql[pos]) || self.sql[pos] == b'.') {
                    pos += self.dialect.charset.char_len(&self.sql[pos..]);
                }
                self.pos = pos.min(self.sql.len());
                Ok(TokenKind::UserVariable)
            }
        }
    }

    fn line_comment(&mut self, start: usize) -> TokenKind {
        let rest = self.sql.get(start..).unwrap_or_default();
        self.pos = start + rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        TokenKind::Comment
    }

    fn block_comment(&mut self, start: usize) -> Result<TokenKind> {
        let body = self.sql.get(start + 2..).unwrap_or_default();
        if body.first() == Some(&b'+') {
            self.skip_comment(start, start + 3, false)?;
            return Ok(TokenKind::Hint);
        }
        if is_tddl(body.strip_prefix(b"!").unwrap_or(body)) {
            self.skip_comment(start, start + 2, false)?;
            return Ok(TokenKind::Hint);
        }
        let maria = body.len() >= 2 && matches!(body[0], b'M' | b'm') && body[1] == b'!';
        if !maria && body.first() != Some(&b'!') {
            self.skip_comment(start, start + 2, false)?;
            return Ok(TokenKind::Comment);
        }
        let digits_at = start + 3 + usize::from(maria);
        let count = self.digits(digits_at) - digits_at;
        // Five digits, or six; fewer are no version but text. MySQL (seen on 9.7) takes the sixth
        // only before a blank, MariaDB always.
        let six = count >= 6
            && (self.dialect.server == ServerKind::MariaDb || is_space(self.at(digits_at + 6)));
        let length = if six {
            6
        } else if count >= 5 {
            5
        } else {
            0
        };
        let version = self
            .sql
            .get(digits_at..digits_at + length)
            .filter(|digits| !digits.is_empty())
            .map(|digits| digits.iter().fold(0u32, |sum, d| sum * 10 + u32::from(d - b'0')));
        if !self.dialect.executes(version, maria) {
            self.skip_comment(start, digits_at + length, true)?;
            return Ok(TokenKind::Comment);
        }
        if self.executing {
            return Err(self.error(start, "an executable comment inside of another"));
        }
        self.executing = true;
        self.pos = digits_at + length;
        Ok(TokenKind::ExecutableOpen)
    }

    /// Moves behind the `*/` of a comment. In a skipped executable one, one level of comments nests.
    fn skip_comment(&mut self, start: usize, from: usize, nests: bool) -> Result<()> {
        let mut pos = from;
        while pos + 1 < self.sql.len() {
            if self.sql[pos] == b'*' && self.sql[pos + 1] == b'/' {
                self.pos = pos + 2;
                return Ok(());
            }
            if nests && self.sql[pos] == b'/' && self.sql[pos + 1] == b'*' {
                self.skip_comment(start, pos + 2, false)?;
                pos = self.pos;
            } else {
                pos += 1;
            }
        }
        Err(self.error(start, "an unclosed comment"))
    }

    #[inline]
    fn symbol(&mut self, start: usize, first: u8) -> TokenKind {
        let second = self.at(start + 1);
        let length = match (first, second) {
            (b'<', b'=') if self.at(start + 2) == b'>' => 3,
            (b'-', b'>') if self.at(start + 2) == b'>' => 3,
            (b'<', b'=' | b'>' | b'<')
            | (b'>', b'=' | b'>')
            | (b'!', b'=')
            | (b'&', b'&')
            | (b'|', b'|')
            | (b':', b'=')
            | (b'-', b'>') => 2,
            _ => 1,
        };
        self.take(length, TokenKind::Symbol)
    }

    /// A syntax error at a byte, with a piece of the text as MySQL gives one.
    fn error(&self, at: usize, what: &str) -> Error {
        let near = self.sql.get(at..(at + 40).min(self.sql.len())).unwrap_or_default();
        Error::syntax(format!(
            "You have an error in your SQL syntax: {what} at byte {at}, near '{}'",
            String::from_utf8_lossy(near)
        ))
    }
}

/// Whether a comment's body is one of TDDL's old hints.
fn is_tddl(body: &[u8]) -> bool {
    body.len() >= 5 && body[..4].eq_ignore_ascii_case(b"TDDL") && matches!(body[4], b':' | b'(')
}

/// The character sets of MySQL 9 and MariaDB 11, and `binary`.
fn is_character_set(name: &[u8]) -> bool {
    const NAMES: [&str; 42] = [
        "utf8mb4", "utf8mb3", "utf8", "binary", "latin1", "ascii", "gbk", "gb2312", "gb18030",
        "big5", "sjis", "cp932", "ujis", "eucjpms", "euckr", "ucs2", "utf16", "utf16le", "utf32",
        "latin2", "latin5", "latin7", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852",
        "cp866", "armscii8", "dec8", "geostd8", "greek", "hebrew", "hp8", "keybcs2", "koi8r",
        "koi8u", "macce", "macroman", "swe7", "tis620",
    ];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// All tokens of a statement (comments and hints included) with their depth of parentheses. For
/// the making of a plan, and for statements that are handled from tokens.
///
/// # Errors
/// As [`Scanner::next_token`]; besides, the limits on bytes and depth, and a `)` too many.
pub fn tokens(sql: &[u8], dialect: Dialect, limits: &Limits) -> Result<Vec<Token>> {
    if sql.len() > limits.bytes {
        return Err(over("statement_bytes", limits.bytes as u64, "bytes"));
    }
    let mut scanner = Scanner::new(sql, 0, dialect);
    let mut all = Vec::new();
    let mut depth = 0u16;
    while let Some(mut token) = scanner.next_token()? {
        match token.symbol(sql) {
            b"(" => {
                token.depth = depth;
                depth = depth.saturating_add(1);
                if u32::from(depth) > limits.depth {
                    return Err(over(
                        "statement_depth",
                        u64::from(limits.depth),
                        "nested parentheses",
                    ));
                }
            }
            b")" => {
                depth = depth.checked_sub(1).ok_or_else(|| {
                    Error::syntax(
                        "You have an error in your SQL syntax: a closing parenthesis too many",
                    )
                })?;
                token.depth = depth;
            }
            _ => token.depth = depth,
        }
        all.push(token);
    }
    Ok(all)
}
