//! Our tokens → the parser's.
//!
//! Owns: which words are keywords, what a slot looks like to the parser, and the rewriting of
//! tokens that the parser would read otherwise than MySQL. Never: parses.
//!
//! The parser gets each token with its index as its place, so every leaf of its tree leads back
//! to bytes of the template, whatever the text's encoding. Only MySQL's keywords are handed over
//! as keywords: the parser knows many dialects, and `full`, `top` or `sample` are plain names here.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{
    Location, Span as ParserSpan, Token as ParserToken, TokenWithSpan, Word,
};

use crate::error::{Error, Result};
use crate::sql::analysis::Span;
use crate::sql::lex::{Dialect, LexMode, Scanner};
use crate::sql::slot::SlotKind;
use crate::sql::template::Lexed;
use crate::sql::token::{Token, TokenKind};

/// The statement as the parser sees it.
#[derive(Debug, Default)]
pub struct Units {
    pub(super) tokens: Vec<TokenWithSpan>,
    /// Where each token stands in the template.
    pub(super) spans: Vec<Span>,
    /// Index hints that were cut out: how many tokens stand before one, and where it ends.
    pub(super) hints: Vec<(usize, u32)>,
    /// A locking clause was cut out.
    pub locking: bool,
    /// INTO OUTFILE, DUMPFILE or @variable was cut out.
    pub into: bool,
    /// SQL_CALC_FOUND_ROWS was cut out.
    pub calc_found_rows: bool,
    /// A STRAIGHT_JOIN between tables or behind SELECT.
    pub straight_join: bool,
}

/// A token with what it stands for.
struct Raw<'a> {
    token: Token,
    bytes: &'a [u8],
    span: Span,
    slot: Option<u16>,
}

impl Raw<'_> {
    fn is(&self, word: &str) -> bool {
        self.slot.is_none()
            && self.token.kind == TokenKind::Word
            && self.bytes.eq_ignore_ascii_case(word.as_bytes())
    }
    fn any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }
    fn symbol(&self, symbol: &str) -> bool {
        self.slot.is_none()
            && self.token.kind == TokenKind::Symbol
            && self.bytes == symbol.as_bytes()
    }
}

/// The tokens of the statement's template, a slot being one token.
fn raw<'a>(sql: &'a [u8], lexed: &Lexed, dialect: Dialect) -> Result<Vec<Raw<'a>>> {
    let text = sql.get(..lexed.end()).unwrap_or(sql);
    let mut scanner = Scanner::new(text, 0, dialect);
    let mut all = Vec::new();
    let mut slots = lexed.slots().iter().enumerate().peekable();
    while let Some(token) = scanner.next_token()? {
        // Empty runs of rows and comments that lie behind.
        while slots.next_if(|(_, slot)| slot.end <= token.start).is_some() {}
        let inside = slots
            .peek()
            .filter(|(_, slot)| slot.start <= token.start && token.start < slot.end)
            .map(|(index, slot)| (*index, **slot));
        if let Some((index, slot)) = inside {
            if slot.end > token.end {
                scanner.jump(slot.end as usize);
            }
            slots.next();
            if !matches!(slot.kind, SlotKind::Rows { .. } | SlotKind::Comment) {
                let span = Span { start: slot.at, end: slot.at + slot.width };
                let slot_index = u16::try_from(index).map_err(|_| too_many())?;
                all.push(Raw { token, bytes: b"", span, slot: Some(slot_index) });
            }
            continue;
        }
        if token.kind.is_trivia() {
            continue;
        }
        let start = lexed.template_offset(token.start as usize) as u32;
        let span = Span { start, end: start + (token.end - token.start) };
        all.push(Raw { token, bytes: token.bytes(text), span, slot: None });
    }
    Ok(all)
}

/// The tokens of the statement, those of folded rows left out: what classification and everything
/// else that goes by tokens needs.
///
/// # Errors
/// What the scanner refuses.
pub fn template_tokens(sql: &[u8], lexed: &Lexed, dialect: Dialect) -> Result<Vec<Token>> {
    let text = sql.get(..lexed.end()).unwrap_or(sql);
    let mut scanner = Scanner::new(text, 0, dialect);
    let mut rows =
        lexed.slots().iter().filter(|slot| matches!(slot.kind, SlotKind::Rows { .. })).peekable();
    let mut all = Vec::new();
    let mut depth = 0u16;
    while let Some(mut token) = scanner.next_token()? {
        while rows.next_if(|slot| slot.end <= token.start).is_some() {}
        if let Some(slot) = rows.peek().filter(|slot| slot.start <= token.start) {
            scanner.jump(slot.end as usize);
            continue;
        }
        match token.symbol(sql) {
            b"(" => {
                token.depth = depth;
                depth = depth.saturating_add(1);
            }
            b")" => {
                depth = depth.saturating_sub(1);
                token.depth = depth;
            }
            _ => token.depth = depth,
        }
        all.push(token);
    }
    Ok(all)
}

fn too_many() -> Error {
    Error::limit(1105, "statement_slots", "The statement has too many literals to be planned")
}

/// Builds the parser's tokens for what begins at offset `start` of a statement.
///
/// # Errors
/// What the scanner refuses, and a symbol that no MySQL statement has.
pub fn units(sql: &[u8], lexed: &Lexed, dialect: Dialect, start: usize) -> Result<Units> {
    let mut raw = raw(sql, lexed, dialect)?;
    raw.retain(|raw| raw.token.start as usize >= start);
    let units = Units::default();
    let mut builder = Builder { raw: &raw, at: 0, units, mode: dialect.mode, json_tables: 0 };
    while builder.at < raw.len() {
        builder.step()?;
    }
    Ok(builder.units)
}

struct Builder<'a> {
    raw: &'a [Raw<'a>],
    at: usize,
    units: Units,
    mode: LexMode,
    /// JSON_TABLEs whose COLUMNS have not been met.
    json_tables: usize,
}

const MODIFIERS: [&str; 8] = [
    "ALL",
    "HIGH_PRIORITY",
    "STRAIGHT_JOIN",
    "SQL_SMALL_RESULT",
    "SQL_BIG_RESULT",
    "SQL_BUFFER_RESULT",
    "SQL_CACHE",
    "SQL_NO_CACHE",
];

impl<'a> Builder<'a> {
    fn peek(&self, n: usize) -> Option<&'a Raw<'a>> {
        self.raw.get(self.at + n)
    }

    fn is(&self, n: usize, word: &str) -> bool {
        self.peek(n).is_some_and(|raw| raw.is(word))
    }

    fn push(&mut self, token: ParserToken, span: Span) {
        let place = Location { line: 1, column: self.units.tokens.len() as u64 + 1 };
        self.units.tokens.push(TokenWithSpan::new(token, ParserSpan::new(place, place)));
        self.units.spans.push(span);
    }

    fn keyword(&mut self, text: &str, keyword: Keyword, span: Span) {
        self.push(
            ParserToken::Word(Word { value: text.to_string(), quote_style: None, keyword }),
            span,
        );
    }

    /// Whether the token before ends an operand, so that a word here is an infix operator.
    fn after_operand(&self) -> bool {
        match self.units.tokens.last().map(|t| &t.token) {
            Some(ParserToken::Word(word)) => {
                word.quote_style.is_some()
                    || matches!(
                        word.keyword,
                        Keyword::NoKeyword
                            | Keyword::NULL
                            | Keyword::TRUE
                            | Keyword::FALSE
                            | Keyword::END
                            | Keyword::VALUE
                            | Keyword::ROW
                            | Keyword::CURRENT_DATE
                            | Keyword::CURRENT_TIMESTAMP
                            | Keyword::CURRENT_TIME
                    )
            }
            Some(
                ParserToken::RParen
                | ParserToken::Number(..)
                | ParserToken::SingleQuotedString(_)
                | ParserToken::HexStringLiteral(_)
                | ParserToken::Placeholder(_),
            ) => true,
            _ => false,
        }
    }

    fn step(&mut self) -> Result<()> {
        let Some(raw) = self.peek(0) else { return Ok(()) };
        if let Some(slot) = raw.slot {
            self.push(ParserToken::Placeholder(format!("?{slot}")), raw.span);
            self.at += 1;
            return Ok(());
        }
        match raw.token.kind {
            TokenKind::Word if self.cut_clause() => {}
            TokenKind::Word => self.word(raw),
            TokenKind::QuotedName => {
                let value = unquote(raw.bytes);
                let word = Word { value, quote_style: Some('`'), keyword: Keyword::NoKeyword };
                self.push(ParserToken::Word(word), raw.span);
                self.at += 1;
            }
            TokenKind::Integer | TokenKind::Decimal | TokenKind::Float => {
                let text = String::from_utf8_lossy(raw.bytes).into_owned();
                self.push(ParserToken::Number(text, false), raw.span);
                self.at += 1;
            }
            TokenKind::String | TokenKind::NationalString => {
                self.push(ParserToken::SingleQuotedString(unquote(raw.bytes)), raw.span);
                self.at += 1;
            }
            TokenKind::Hex | TokenKind::Bit => {
                self.push(ParserToken::HexStringLiteral(String::new()), raw.span);
                self.at += 1;
            }
            // The literal behind it is what counts.
            TokenKind::Introducer => self.at += 1,
            TokenKind::UserVariable | TokenKind::SystemVariable => {
                let value = String::from_utf8_lossy(raw.bytes).into_owned();
                // Quoted, so that nothing takes it for a function's or a column's name.
                // A quote that MySQL doesn't have: the parser panics on one that it doesn't know as
                // soon as it names the token in an error.
                let word = Word { value, quote_style: Some('['), keyword: Keyword::NoKeyword };
                self.push(ParserToken::Word(word), raw.span);
                self.at += 1;
            }
            TokenKind::Param => {
                self.push(ParserToken::Placeholder("?".to_string()), raw.span);
                self.at += 1;
            }
            TokenKind::Symbol => self.symbol(raw)?,
            TokenKind::Semicolon => self.at = self.raw.len(),
            TokenKind::Comment
            | TokenKind::Hint
            | TokenKind::ExecutableOpen
            | TokenKind::ExecutableClose => self.at += 1,
        }
        Ok(())
    }

    /// Cuts out clauses that say nothing about rows and that the parser doesn't know.
    fn cut_clause(&mut self) -> bool {
        let Some(raw) = self.peek(0) else { return false };
        // After a point, and before one, every word is a name.
        let named = matches!(self.units.tokens.last().map(|t| &t.token), Some(ParserToken::Period))
            || self.peek(1).is_some_and(|next| next.symbol("."));
        if named {
            return false;
        }
        if raw.any(&["USE", "FORCE", "IGNORE"]) && (self.is(1, "INDEX") || self.is(1, "KEY")) {
            self.at += 2;
            self.skip_index_hint();
            return true;
        }
        if raw.is("FOR") && (self.is(1, "UPDATE") || self.is(1, "SHARE")) {
            self.at += 2;
            self.skip_lock_tail();
            return true;
        }
        if raw.is("LOCK") && self.is(1, "IN") && self.is(2, "SHARE") && self.is(3, "MODE") {
            self.at += 4;
            self.skip_lock_tail();
            return true;
        }
        if raw.is("INTO") && self.skip_into() {
            return true;
        }
        if raw.is("MEMBER") && self.is(1, "OF") && self.after_operand() {
            // As opaque to routing as RLIKE, and that is known.
            self.at += 2;
            self.keyword("RLIKE", Keyword::RLIKE, raw.span);
            return true;
        }
        raw.is("SOUNDS") && self.is(1, "LIKE") && {
            // No LIKE: shards would be asked another question.
            self.at += 2;
            self.keyword("RLIKE", Keyword::RLIKE, raw.span);
            true
        }
    }

    fn skip_index_hint(&mut self) {
        while let Some(raw) = self.peek(0) {
            if raw.symbol("(") {
                break;
            }
            self.at += 1;
        }
        self.skip_parens();
        if let Some(last) = self.at.checked_sub(1).and_then(|at| self.raw.get(at)) {
            self.units.hints.push((self.units.tokens.len(), last.span.end));
        }
    }

    /// Skips from `(` past its `)`.
    fn skip_parens(&mut self) {
        let mut depth = 0usize;
        while let Some(raw) = self.peek(0) {
            self.at += 1;
            if raw.symbol("(") {
                depth += 1;
            } else if raw.symbol(")") {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return;
                }
            }
        }
    }

    fn skip_lock_tail(&mut self) {
        self.units.locking = true;
        if self.is(0, "OF") {
            self.at += 1;
            loop {
                self.at += 1;
                match self.peek(0) {
                    Some(raw) if raw.symbol(".") || raw.symbol(",") => self.at += 1,
                    _ => break,
                }
            }
        }
        if self.is(0, "NOWAIT") {
            self.at += 1;
        } else if (self.is(0, "SKIP") && self.is(1, "LOCKED")) || self.is(0, "WAIT") {
            self.at += 2;
        }
    }

    fn skip_into(&mut self) -> bool {
        match self.peek(1) {
            Some(next) if next.slot.is_none() && next.token.kind == TokenKind::UserVariable => {
                self.at += 2;
                while self.peek(0).is_some_and(|raw| raw.symbol(","))
                    && self.peek(1).is_some_and(|raw| raw.token.kind == TokenKind::UserVariable)
                {
                    self.at += 2;
                }
            }
            Some(next) if next.any(&["OUTFILE", "DUMPFILE"]) => {
                self.at += 2;
                while let Some(raw) = self.peek(0) {
                    if raw.any(&["FROM", "FOR", "LOCK", "UNION"]) || raw.symbol(")") {
                        break;
                    }
                    self.at += 1;
                }
            }
            _ => return false,
        }
        self.units.into = true;
        true
    }

    fn word(&mut self, raw: &'a Raw<'a>) {
        self.at += 1;
        let text = String::from_utf8_lossy(raw.bytes).into_owned();
        let after_point =
            matches!(self.units.tokens.last().map(|t| &t.token), Some(ParserToken::Period));
        if after_point {
            let word = Word { value: text, quote_style: None, keyword: Keyword::NoKeyword };
            return self.push(ParserToken::Word(word), raw.span);
        }
        let upper = text.to_ascii_uppercase();
        let operand = self.after_operand();
        match upper.as_str() {
            "SELECT" => {
                self.keyword(&text, Keyword::SELECT, raw.span);
                self.select_modifiers();
            }
            "DISTINCTROW" => self.keyword(&text, Keyword::DISTINCT, raw.span),
            "STRAIGHT_JOIN" => {
                self.units.straight_join = true;
                self.keyword(&text, Keyword::JOIN, raw.span);
            }
            "MOD" if operand => self.push(ParserToken::Mod, raw.span),
            "DIV" => self.push(ParserToken::Div, raw.span),
            // The parser takes the word for a column and the text for its alias.
            "DATE" | "TIME" | "TIMESTAMP" if !operand && self.text_follows() => {
                let end = self.peek(0).map_or(raw.span.end, |text| text.span.end);
                self.at += 1;
                let span = Span { start: raw.span.start, end };
                self.push(ParserToken::HexStringLiteral(String::new()), span);
            }
            "JSON_TABLE" if self.peek(0).is_some_and(|next| next.symbol("(")) => {
                self.json_tables += 1;
                self.keyword(&text, Keyword::JSON_TABLE, raw.span);
            }
            "COLUMNS"
                if self.json_tables > 0 && self.peek(0).is_some_and(|next| next.symbol("(")) =>
            {
                self.json_tables -= 1;
                self.keyword(&text, Keyword::COLUMNS, raw.span);
                self.json_columns();
            }
            "ROW" if self.folded_before_row() => {
                self.push(ParserToken::Comma, raw.span);
                self.keyword(&text, Keyword::ROW, raw.span);
            }
            // The last one counts.
            "COLLATE" if operand && self.is(1, "COLLATE") => self.at += 1,
            "BINARY" if !operand && !self.closes(0) => self.push(ParserToken::Tilde, raw.span),
            "NOT"
                if !operand
                    && self.mode.has(LexMode::HIGH_NOT_PRECEDENCE)
                    && !self.behind_is_or_if() =>
            {
                self.push(ParserToken::Tilde, raw.span);
            }
            _ => {
                let keyword = keyword_of(&upper);
                self.keyword(&text, keyword, raw.span);
            }
        }
    }

    /// Whether rows between this one and the last were folded, and the comma with them:
    /// `VALUES ROW(1), ROW(2), ROW(a)`.
    fn folded_before_row(&self) -> bool {
        matches!(self.units.tokens.last().map(|t| &t.token), Some(ParserToken::RParen))
            && self.peek(0).is_some_and(|next| next.symbol("("))
    }

    /// From `(` past its `)`: JSON_TABLE's columns, those of nested paths among them, by their names
    /// alone. The parser doesn't know all that may be said of them, and none of it says where rows are.
    fn json_columns(&mut self) {
        // How deep the lists of names are that are open.
        let (mut depth, mut lists) = (0usize, Vec::new());
        let (mut names, mut listed) = (true, 0usize);
        while let Some(raw) = self.peek(0) {
            let behind_columns = self
                .at
                .checked_sub(1)
                .and_then(|at| self.raw.get(at))
                .is_some_and(|b| b.is("COLUMNS"));
            self.at += 1;
            if raw.symbol("(") {
                depth += 1;
                if behind_columns {
                    lists.push(depth);
                    names = true;
                }
                if depth == 1 {
                    self.push(ParserToken::LParen, raw.span);
                }
            } else if raw.symbol(")") {
                lists.pop_if(|list| *list == depth);
                depth = depth.saturating_sub(1);
                names = false;
                if depth == 0 {
                    return self.push(ParserToken::RParen, raw.span);
                }
            } else if raw.symbol(",") {
                names = lists.last() == Some(&depth);
            } else if std::mem::take(&mut names) {
                let path = self.is(0, "PATH") || self.text_follows();
                if raw.is("NESTED") && path {
                    continue;
                }
                if listed > 0 {
                    self.push(ParserToken::Comma, raw.span);
                }
                listed += 1;
                let (value, quote_style) = match raw.token.kind {
                    TokenKind::QuotedName => (unquote(raw.bytes), Some('`')),
                    _ => (String::from_utf8_lossy(raw.bytes).into_owned(), None),
                };
                let keyword = Keyword::NoKeyword;
                self.push(ParserToken::Word(Word { value, quote_style, keyword }), raw.span);
                self.keyword("FOR", Keyword::FOR, raw.span);
                self.keyword("ORDINALITY", Keyword::ORDINALITY, raw.span);
            }
        }
    }

    /// `IS NOT NULL`, `IF NOT EXISTS`: no operator of its own.
    fn behind_is_or_if(&self) -> bool {
        matches!(self.units.tokens.last().map(|t| &t.token), Some(ParserToken::Word(word))
            if matches!(word.keyword, Keyword::IS | Keyword::IF))
    }

    fn text_follows(&self) -> bool {
        self.peek(0).is_some_and(|raw| raw.token.kind == TokenKind::String)
    }

    /// Whether the token ends an argument: `CONVERT(a, BINARY)`.
    fn closes(&self, n: usize) -> bool {
        self.peek(n).is_none_or(|raw| raw.symbol(")") || raw.symbol(","))
    }

    fn select_modifiers(&mut self) {
        while let Some(raw) = self.peek(0) {
            if raw.is("SQL_CALC_FOUND_ROWS") {
                self.units.calc_found_rows = true;
            } else if raw.any(&MODIFIERS) {
                // A column of that name: `SELECT sql_cache FROM t`, `SELECT sql_cache, b`.
                let column = self.peek(1).is_none_or(|next| {
                    next.is("FROM") || next.is("AS") || next.symbol(",") || next.symbol(".")
                });
                if column {
                    return;
                }
                self.units.straight_join |= raw.is("STRAIGHT_JOIN");
            } else {
                return;
            }
            self.at += 1;
        }
    }

    fn symbol(&mut self, raw: &'a Raw<'a>) -> Result<()> {
        use ParserToken as P;
        self.at += 1;
        let token = match raw.bytes {
            b"(" => P::LParen,
            b")" => P::RParen,
            b"," => P::Comma,
            b"." => P::Period,
            b"*" => P::Mul,
            b"+" => P::Plus,
            b"-" => P::Minus,
            b"/" => P::Div,
            b"%" => P::Mod,
            b"=" => P::Eq,
            b"<=>" => P::Spaceship,
            b"<>" | b"!=" => P::Neq,
            b"<" => P::Lt,
            b"<=" => P::LtEq,
            b">" => P::Gt,
            b">=" => P::GtEq,
            b"|" => P::Pipe,
            b"&" => P::Ampersand,
            b"^" => P::Caret,
            b"~" | b"!" => P::Tilde,
            b"<<" => P::ShiftLeft,
            b">>" => P::ShiftRight,
            b":=" => P::Assignment,
            b"->" => P::Arrow,
            b"->>" => P::LongArrow,
            b"{" => return self.odbc(raw),
            b"}" => P::RParen,
            b"||" if self.mode.has(LexMode::PIPES_AS_CONCAT) => P::StringConcat,
            b"||" => {
                self.keyword("OR", Keyword::OR, raw.span);
                return Ok(());
            }
            b"&&" => {
                self.keyword("AND", Keyword::AND, raw.span);
                return Ok(());
            }
            other => {
                let shown = String::from_utf8_lossy(other);
                return Err(Error::syntax(format!("'{shown}' is not understood here")));
            }
        };
        self.push(token, raw.span);
        Ok(())
    }
}

impl<'a> Builder<'a> {
    /// `{d '2024-01-31'}`, `{t …}` and `{ts …}` are literals; behind any other word, such as `fn` or
    /// `oj`, what is in the braces stands for itself.
    fn odbc(&mut self, open: &'a Raw<'a>) -> Result<()> {
        let Some(word) = self.peek(0).filter(|raw| raw.token.kind == TokenKind::Word) else {
            self.push(ParserToken::LBrace, open.span);
            return Ok(());
        };
        self.at += 1;
        let close = self.peek(1).filter(|close| close.symbol("}"));
        let literal = self.peek(0).filter(|raw| raw.token.kind == TokenKind::String);
        match (close, literal) {
            (Some(close), Some(_)) if word.any(&["D", "T", "TS"]) => {
                self.at += 2;
                let span = Span { start: open.span.start, end: close.span.end };
                self.push(ParserToken::HexStringLiteral(String::new()), span);
            }
            _ => self.push(ParserToken::LParen, open.span),
        }
        Ok(())
    }
}

/// The name in backticks or double quotes, or the content of a string without escapes.
fn unquote(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix(['n', 'N']).filter(|rest| rest.starts_with('\'')).unwrap_or(&text);
    let mut chars = text.chars();
    let Some(quote) = chars.next() else { return String::new() };
    let inner = chars.as_str();
    let inner = inner.strip_suffix(quote).unwrap_or(inner);
    if inner.contains(quote) {
        let doubled: String = [quote, quote].iter().collect();
        return inner.replace(&doubled, &quote.to_string());
    }
    inner.to_string()
}

/// MySQL's words that the parser must know as such.
#[rustfmt::skip]
fn keyword_of(upper: &str) -> Keyword {
    const KEYWORDS: [(&str, Keyword); 90] = [
        ("ALL", Keyword::ALL), ("AND", Keyword::AND), ("ANY", Keyword::ANY), ("AS", Keyword::AS),
        ("ASC", Keyword::ASC), ("BETWEEN", Keyword::BETWEEN), ("BOTH", Keyword::BOTH),
        ("BY", Keyword::BY), ("CASE", Keyword::CASE), ("COLLATE", Keyword::COLLATE),
        ("CROSS", Keyword::CROSS), ("CURRENT", Keyword::CURRENT),
        ("CURRENT_DATE", Keyword::CURRENT_DATE), ("CURRENT_TIME", Keyword::CURRENT_TIME),
        ("CURRENT_TIMESTAMP", Keyword::CURRENT_TIMESTAMP),
        ("CURRENT_USER", Keyword::CURRENT_USER), ("DEFAULT", Keyword::DEFAULT),
        ("DELETE", Keyword::DELETE), ("DESC", Keyword::DESC), ("DISTINCT", Keyword::DISTINCT),
        ("DUPLICATE", Keyword::DUPLICATE), ("ELSE", Keyword::ELSE), ("END", Keyword::END),
        ("ESCAPE", Keyword::ESCAPE), ("EXCEPT", Keyword::EXCEPT), ("EXISTS", Keyword::EXISTS),
        ("FALSE", Keyword::FALSE), ("FOLLOWING", Keyword::FOLLOWING), ("FOR", Keyword::FOR),
        ("FROM", Keyword::FROM), ("GROUP", Keyword::GROUP), ("HAVING", Keyword::HAVING),
        ("IN", Keyword::IN), ("INNER", Keyword::INNER), ("INSERT", Keyword::INSERT),
        ("INTERSECT", Keyword::INTERSECT), ("INTERVAL", Keyword::INTERVAL),
        ("INTO", Keyword::INTO), ("IS", Keyword::IS), ("JOIN", Keyword::JOIN),
        ("KEY", Keyword::KEY), ("LATERAL", Keyword::LATERAL), ("LEADING", Keyword::LEADING),
        ("LEFT", Keyword::LEFT), ("LEVEL", Keyword::LEVEL), ("LIKE", Keyword::LIKE),
        ("LIMIT", Keyword::LIMIT), ("LOCALTIME", Keyword::LOCALTIME),
        ("LOCALTIMESTAMP", Keyword::LOCALTIMESTAMP), ("MATCH", Keyword::MATCH),
        ("NATURAL", Keyword::NATURAL), ("NOT", Keyword::NOT), ("NULL", Keyword::NULL),
        ("OFFSET", Keyword::OFFSET), ("ON", Keyword::ON), ("OR", Keyword::OR),
        ("ORDER", Keyword::ORDER), ("OUTER", Keyword::OUTER), ("OVER", Keyword::OVER),
        ("PARTITION", Keyword::PARTITION), ("PRECEDING", Keyword::PRECEDING),
        ("RANGE", Keyword::RANGE), ("RECURSIVE", Keyword::RECURSIVE),
        ("REGEXP", Keyword::REGEXP), ("REPLACE", Keyword::REPLACE),
        ("RETURNING", Keyword::RETURNING), ("RIGHT", Keyword::RIGHT), ("RLIKE", Keyword::RLIKE),
        ("ROLLUP", Keyword::ROLLUP), ("ROW", Keyword::ROW), ("ROWS", Keyword::ROWS),
        ("SELECT", Keyword::SELECT), ("SET", Keyword::SET), ("SOME", Keyword::SOME),
        ("TABLE", Keyword::TABLE), ("THEN", Keyword::THEN), ("TRAILING", Keyword::TRAILING),
        ("TRUE", Keyword::TRUE), ("UNBOUNDED", Keyword::UNBOUNDED), ("UNION", Keyword::UNION),
        ("UNKNOWN", Keyword::UNKNOWN), ("UPDATE", Keyword::UPDATE), ("USING", Keyword::USING),
        ("VALUE", Keyword::VALUE), ("VALUES", Keyword::VALUES), ("WHEN", Keyword::WHEN),
        ("WHERE", Keyword::WHERE), ("WINDOW", Keyword::WINDOW), ("WITH", Keyword::WITH),
        ("XOR", Keyword::XOR),
    ];
    KEYWORDS
        .binary_search_by(|(word, _)| (*word).cmp(upper))
        .ok()
        .and_then(|index| KEYWORDS.get(index))
        .map_or(Keyword::NoKeyword, |(_, keyword)| *keyword)
}
