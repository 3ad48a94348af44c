//! LOAD DATA: its grammar, read from tokens.
//!
//! Owns: what the statement says of its file's format, its fields and its assignments, and where in
//! the text that stands. Never: reads a file ([`cut`] cuts one into records), or routes.

pub mod cut;

use std::ops::Range;

use crate::error::{Error, Result};
use crate::sql::cursor::Cursor;
use crate::sql::lex::{Dialect, LexMode};
use crate::sql::literal::{name_of, unquote, user_variable};
use crate::sql::token::{Token, TokenKind};

/// One LOAD DATA statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadData {
    pub local: bool,
    /// The file's name, in the bytes of the client's character set.
    pub file: Vec<u8>,
    pub duplicates: Duplicates,
    /// The table's name with its schema.
    pub table: Range<usize>,
    /// CHARACTER SET, in lower case.
    pub charset: Option<String>,
    /// Where CHARACTER SET stands, or could.
    pub charset_at: usize,
    pub format: Format,
    /// IGNORE n LINES: how many, and where that is said.
    pub skip: u64,
    pub skip_at: Option<Range<usize>>,
    /// The list of fields, if there is one.
    pub fields: Option<Vec<Field>>,
    /// Behind the opening parenthesis of the list, or where a list could stand.
    pub fields_at: usize,
    pub assignments: Vec<Assignment>,
    /// SELECT stands in one of them.
    pub selects: bool,
    /// A name with a qualifier stands behind the table's.
    pub qualifies: bool,
}

/// What happens to rows that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// Nothing is said: with LOCAL, as [`Duplicates::Ignore`].
    Unsaid,
    Ignore,
    Replace,
}

/// Where a field of the file goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// In lower case.
    Column(String),
    /// In lower case, without `@`.
    Variable(String),
}

/// `column = expression` behind SET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// In lower case.
    pub column: String,
    pub value: Assigned,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assigned {
    Null,
    Default,
    /// A string's bytes, in the client's character set.
    Text(Vec<u8>),
    /// Digits, with their sign.
    Number(String),
    /// A user variable, in lower case.
    Variable(String),
    /// Anything else.
    Expression,
}

/// How the file is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    pub field_end: Vec<u8>,
    pub enclosed: Option<u8>,
    pub escape: Option<u8>,
    pub line_start: Vec<u8>,
    pub line_end: Vec<u8>,
}

/// Reads a LOAD DATA statement. `tokens` are those of `sql`.
///
/// # Errors
/// 1064 where it isn't the grammar, 1083 for an ENCLOSED BY or ESCAPED BY of several characters.
pub fn parse(sql: &[u8], tokens: &[Token], dialect: &Dialect) -> Result<LoadData> {
    let mut reader = Reader { cursor: Cursor::new(sql, tokens), sql, dialect };
    reader.statement()
}

/// The file that LOAD DATA and LOAD XML name, in the bytes of the client's character set.
pub fn file_of(sql: &[u8], tokens: &[Token], dialect: &Dialect) -> Option<Vec<u8>> {
    let mut reader = Reader { cursor: Cursor::new(sql, tokens), sql, dialect };
    while !reader.cursor.eat("INFILE") {
        reader.cursor.next()?;
    }
    reader.text().ok()
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    sql: &'a [u8],
    dialect: &'a Dialect,
}

impl Reader<'_> {
    fn statement(&mut self) -> Result<LoadData> {
        self.word("LOAD")?;
        self.word("DATA")?;
        self.cursor.eat_any(&["LOW_PRIORITY", "CONCURRENT"]);
        let local = self.cursor.eat("LOCAL");
        self.word("INFILE")?;
        let file = self.text()?;
        let duplicates = match self.cursor.word().as_str() {
            "REPLACE" => Duplicates::Replace,
            "IGNORE" => Duplicates::Ignore,
            _ => Duplicates::Unsaid,
        };
        self.cursor.eat_any(&["REPLACE", "IGNORE"]);
        self.word("INTO")?;
        self.word("TABLE")?;
        let (_, mut table) = self.cursor.name().ok_or_else(|| self.error())?;
        if self.cursor.eat_symbol(".") {
            table.end = self.cursor.name().ok_or_else(|| self.error())?.1.end;
        }
        let mut charset_at = table.end;
        if self.cursor.eat("PARTITION") {
            if !self.cursor.is_symbol("(") {
                return Err(self.error());
            }
            self.cursor.skip_parentheses();
            charset_at = self.cursor.end();
        }
        let charset = self.charset()?;
        let format = self.format()?;
        let (skip, skip_at) = self.skip()?;
        let list_at = self.cursor.end();
        let (fields, fields_at) = match self.cursor.is_symbol("(") {
            true => self.fields()?,
            false => (None, list_at),
        };
        let assignments = self.assignments()?;
        if !self.cursor.at_end() {
            return Err(self.error());
        }
        let behind =
            |word: &str| self.cursor.stands_behind(fields_at, |t| t.is_word(self.sql, word));
        let qualifies = self.cursor.stands_behind(fields_at, |t| t.is_symbol(self.sql, "."));
        let selects = behind("SELECT") || behind("TABLE");
        Ok(LoadData {
            local,
            file,
            duplicates,
            table,
            charset,
            charset_at,
            format,
            skip,
            skip_at,
            fields,
            fields_at,
            assignments,
            selects,
            qualifies,
        })
    }

    fn error(&self) -> Error {
        let from = self.cursor.offset();
        let near = self.sql.get(from..self.sql.len().min(from + 80)).unwrap_or_default();
        Error::syntax(format!(
            "You have an error in your SQL syntax near '{}' in LOAD DATA",
            String::from_utf8_lossy(near)
        ))
    }

    fn word(&mut self, word: &str) -> Result<()> {
        if self.cursor.eat(word) { Ok(()) } else { Err(self.error()) }
    }

    /// A string, or several beside each other.
    fn text(&mut self) -> Result<Vec<u8>> {
        let mut whole: Option<Vec<u8>> = None;
        while let Some(token) = self.cursor.peek() {
            if !matches!(token.kind, TokenKind::String | TokenKind::Hex | TokenKind::Bit) {
                break;
            }
            let bytes = token.bytes(self.sql);
            let piece = match token.kind {
                TokenKind::String => unquote(bytes, self.dialect).into_owned(),
                TokenKind::Hex => crate::sql::literal::hex(bytes),
                _ => crate::sql::literal::bits(bytes),
            };
            whole.get_or_insert_default().extend(piece);
            self.cursor.next();
        }
        whole.ok_or_else(|| self.error())
    }

    fn charset(&mut self) -> Result<Option<String>> {
        let said = self.cursor.eat_all(&["CHARACTER", "SET"]) || self.cursor.eat("CHARSET");
        if !said {
            return Ok(None);
        }
        let token = self.cursor.next().ok_or_else(|| self.error())?;
        let name = match token.kind {
            TokenKind::String => {
                String::from_utf8_lossy(&unquote(token.bytes(self.sql), self.dialect)).into_owned()
            }
            _ if token.is_name() => name_of(self.sql, token),
            _ => return Err(self.error()),
        };
        Ok(Some(name.to_ascii_lowercase()))
    }

    fn format(&mut self) -> Result<Format> {
        let escapes = !self.dialect.mode.has(LexMode::NO_BACKSLASH_ESCAPES);
        let mut format = Format {
            field_end: b"\t".to_vec(),
            enclosed: None,
            escape: escapes.then_some(b'\\'),
            line_start: vec![],
            line_end: b"\n".to_vec(),
        };
        if self.cursor.eat_any(&["FIELDS", "COLUMNS"]) {
            let mut some = false;
            loop {
                if self.cursor.eat("TERMINATED") {
                    self.word("BY")?;
                    format.field_end = self.text()?;
                } else if self.cursor.is("OPTIONALLY") || self.cursor.is("ENCLOSED") {
                    self.cursor.eat("OPTIONALLY");
                    self.word("ENCLOSED")?;
                    self.word("BY")?;
                    format.enclosed = self.single()?;
                } else if self.cursor.eat("ESCAPED") {
                    self.word("BY")?;
                    format.escape = self.single()?;
                } else {
                    break;
                }
                some = true;
            }
            if !some {
                return Err(self.error());
            }
        }
        if self.cursor.eat("LINES") {
            let mut some = false;
            loop {
                if self.cursor.eat("TERMINATED") {
                    self.word("BY")?;
                    format.line_end = self.text()?;
                } else if self.cursor.eat("STARTING") {
                    self.word("BY")?;
                    format.line_start = self.text()?;
                } else {
                    break;
                }
                some = true;
            }
            if !some {
                return Err(self.error());
            }
        }
        Ok(format)
    }

    /// At most one byte.
    fn single(&mut self) -> Result<Option<u8>> {
        match self.text()?.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            _ => Err(Error::new(
                crate::error::Fault::Client,
                1083,
                b"42000",
                "field_terminators",
                "Field separator argument is not what is expected; check the manual",
            )),
        }
    }

    fn skip(&mut self) -> Result<(u64, Option<Range<usize>>)> {
        let start = self.cursor.offset();
        if !self.cursor.eat("IGNORE") {
            return Ok((0, None));
        }
        let token = self.cursor.next().ok_or_else(|| self.error())?;
        let digits = String::from_utf8_lossy(token.bytes(self.sql)).into_owned();
        let count = match token.kind {
            TokenKind::Integer => digits.parse().ok(),
            _ => None,
        };
        let count = count.ok_or_else(|| self.error())?;
        if !self.cursor.eat_any(&["LINES", "ROWS"]) {
            return Err(self.error());
        }
        Ok((count, Some(start..self.cursor.end())))
    }

    fn fields(&mut self) -> Result<(Option<Vec<Field>>, usize)> {
        self.cursor.eat_symbol("(");
        let at = self.cursor.end();
        let mut fields = Vec::new();
        if self.cursor.eat_symbol(")") {
            return Ok((Some(fields), at));
        }
        loop {
            let token = self.cursor.next().ok_or_else(|| self.error())?;
            let field = match token.kind {
                TokenKind::UserVariable => {
                    Field::Variable(user_variable(self.sql, token, self.dialect))
                }
                _ if token.is_name() => Field::Column(name_of(self.sql, token).to_lowercase()),
                _ => return Err(self.error()),
            };
            fields.push(field);
            if self.cursor.eat_symbol(")") {
                return Ok((Some(fields), at));
            }
            if !self.cursor.eat_symbol(",") {
                return Err(self.error());
            }
        }
    }

    fn assignments(&mut self) -> Result<Vec<Assignment>> {
        let mut all = Vec::new();
        if !self.cursor.eat("SET") {
            return Ok(all);
        }
        loop {
            let (mut column, _) = self.cursor.name().ok_or_else(|| self.error())?;
            while self.cursor.eat_symbol(".") {
                column = self.cursor.name().ok_or_else(|| self.error())?.0;
            }
            if !self.cursor.eat_symbol("=") && !self.cursor.eat_symbol(":=") {
                return Err(self.error());
            }
            let value = self.assigned()?;
            all.push(Assignment { column: column.to_lowercase(), value });
            if !self.cursor.eat_symbol(",") {
                return Ok(all);
            }
        }
    }

    /// An expression, up to the comma behind it.
    fn assigned(&mut self) -> Result<Assigned> {
        let mut tokens = Vec::new();
        while let Some(token) = self.cursor.peek() {
            if token.is_symbol(self.sql, ",") {
                break;
            }
            if token.is_symbol(self.sql, "(") {
                tokens.push(*token);
                self.cursor.skip_parentheses();
            } else {
                tokens.push(*token);
                self.cursor.next();
            }
        }
        let text = |token: &Token| String::from_utf8_lossy(token.bytes(self.sql)).into_owned();
        let is_number =
            |token: &Token| matches!(token.kind, TokenKind::Integer | TokenKind::Decimal);
        Ok(match tokens.as_slice() {
            [] => return Err(self.error()),
            [one] if one.is_word(self.sql, "NULL") => Assigned::Null,
            [one] if one.is_word(self.sql, "DEFAULT") => Assigned::Default,
            [one] if one.kind == TokenKind::String => {
                Assigned::Text(unquote(one.bytes(self.sql), self.dialect).into_owned())
            }
            [one] if one.kind == TokenKind::UserVariable => {
                Assigned::Variable(user_variable(self.sql, one, self.dialect))
            }
            [one] if is_number(one) => Assigned::Number(text(one)),
            [sign, one] if sign.is_symbol(self.sql, "-") && is_number(one) => {
                Assigned::Number(format!("-{}", text(one)))
            }
            _ => Assigned::Expression,
        })
    }
}
