//! SET, in all its forms, from tokens.
//!
//! Owns: the grammar of `research` B3 (lists that mix NAMES, CHARACTER SET, system and user
//! variables; scopes; `=` and `:=`; TRANSACTION; PASSWORD, ROLE; SET STATEMENT … FOR). Never:
//! evaluates a value or knows which variables exist: the session does.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::sql::cursor::Cursor;
use crate::sql::lex::Dialect;
use crate::sql::literal::{name_of, unquote, unquote_name, user_variable};
use crate::sql::token::{Token, TokenKind};

/// One assignment of a SET, in the statement's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    pub target: SetTarget,
    pub value: SetValue,
    /// From the target's first byte to the value's last, for messages and for splicing.
    pub range: Range<usize>,
}

/// How far an assignment reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// None was written: this session (for a transaction characteristic: the next transaction).
    Unspecified,
    /// SESSION, LOCAL, `@@session.`, `@@local.`.
    Session,
    /// `@@x`: the session's.
    AtAt,
    Global,
    Persist,
    PersistOnly,
}

/// What is assigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetTarget {
    /// A system variable; lower case, unquoted, without its scope; `default.key_buffer_size` keeps
    /// the point. A stored program's variable looks the same.
    Variable { scope: Scope, name: String },
    /// A user variable's name, unquoted, lower case (names are blind to case).
    UserVariable(String),
    /// `NAMES cs [COLLATE c]`: the value is the character set, lower case.
    Names { collation: Option<String> },
    /// `CHARACTER SET cs`, `CHARSET cs`.
    CharacterSet,
    /// `[SESSION|GLOBAL] TRANSACTION …`; the value is [`SetValue::None`].
    Transaction { scope: Scope, isolation: Option<Isolation>, read_only: Option<bool> },
    /// `PASSWORD [FOR user]`.
    Password,
    /// `ROLE …`.
    Role,
    /// `DEFAULT ROLE … TO …`.
    DefaultRole,
    /// `RESOURCE GROUP …`.
    ResourceGroup,
    /// `NEW.x`, inside of triggers only.
    TriggerRow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isolation {
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

/// A value, as far as tokens tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetValue {
    /// The target has none.
    None,
    Default,
    Null,
    /// ON, TRUE (true), OFF, FALSE (false), unquoted.
    Switch(bool),
    /// A bare name: `utf8mb4`, `STRICT`, `binary`, as written.
    Name(String),
    /// A string literal without introducer, unescaped.
    String(Vec<u8>),
    /// A number with its sign, as written.
    Number(String),
    /// `?`: which one of the statement, from 0.
    Param(u32),
    /// Exactly one system variable: `@@x`, `@@global.x`.
    System {
        scope: Scope,
        name: String,
    },
    /// Exactly one user variable.
    User(String),
    /// Anything else, a function or subquery for instance: a range of the statement.
    Expression(Range<usize>),
}

/// A whole SET.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Set {
    pub assignments: Vec<Assignment>,
    /// `SET STATEMENT a = 1 FOR …`: where the inner statement begins, hints in front of it included.
    pub inner: Option<usize>,
}

/// Reads a SET.
///
/// A scope word holds for the assignments behind it that name none, as in MySQL and MariaDB: in
/// `SET GLOBAL a = 1, b = 2` both are global.
///
/// # Errors
/// 1064 for text that is no SET.
pub fn parse(sql: &[u8], tokens: &[Token], dialect: &Dialect) -> Result<Set> {
    let mut cursor = Cursor::new(sql, tokens);
    if !cursor.eat("SET") {
        return Err(syntax(&cursor));
    }
    let statement =
        cursor.is("STATEMENT") && !cursor.ahead(1).is_some_and(|next| is_assignment(sql, next));
    if statement {
        cursor.next();
    }
    let mut reader = Reader { cursor, dialect, scope: Scope::Unspecified, params: 0, statement };
    let mut set = Set::default();
    loop {
        set.assignments.push(reader.assignment()?);
        if reader.cursor.eat_symbol(",") {
            continue;
        }
        if statement && reader.cursor.eat("FOR") && !reader.cursor.at_end() {
            set.inner = Some(reader.cursor.end());
            return Ok(set);
        }
        if reader.cursor.at_end() && !statement {
            return Ok(set);
        }
        return Err(syntax(&reader.cursor));
    }
}

/// Where the inner statement of `SET STATEMENT … FOR …` begins; the cursor stands at STATEMENT.
pub(super) fn statement_inner(cursor: &mut Cursor<'_>) -> Option<usize> {
    while let Some(token) = cursor.next() {
        if token.is_word(cursor.sql, "FOR") && token.depth == 0 && !cursor.at_end() {
            return Some(cursor.offset());
        }
    }
    None
}

fn syntax(cursor: &Cursor<'_>) -> Error {
    let at = cursor.offset();
    let near = cursor.sql.get(at..(at + 40).min(cursor.sql.len())).unwrap_or_default();
    Error::syntax(format!(
        "You have an error in your SQL syntax: SET is not understood near '{}'",
        String::from_utf8_lossy(near)
    ))
}

fn is_assignment(sql: &[u8], token: &Token) -> bool {
    matches!(token.symbol(sql), b"=" | b":=")
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    dialect: &'a Dialect,
    /// The last scope word.
    scope: Scope,
    params: u32,
    /// FOR ends a value.
    statement: bool,
}

impl<'a> Reader<'a> {
    fn assignment(&mut self) -> Result<Assignment> {
        let start = self.cursor.offset();
        let (target, value) = self.target_and_value()?;
        Ok(Assignment { target, value, range: start..self.cursor.end() })
    }

    fn target_and_value(&mut self) -> Result<(SetTarget, SetValue)> {
        let sql = self.cursor.sql;
        let Some(first) = self.cursor.peek().copied() else { return Err(syntax(&self.cursor)) };
        match first.kind {
            TokenKind::UserVariable => {
                self.cursor.next();
                let name = user_variable(sql, &first, self.dialect);
                return Ok((SetTarget::UserVariable(name), self.assigned()?));
            }
            TokenKind::SystemVariable => {
                self.cursor.next();
                let (scope, name) = system_variable(first.bytes(sql));
                return Ok((SetTarget::Variable { scope, name }, self.assigned()?));
            }
            _ if !first.is_name() => return Err(syntax(&self.cursor)),
            _ => {}
        }
        let plain = self.cursor.ahead(1).is_some_and(|next| is_assignment(sql, next));
        if (!plain || self.cursor.is("PASSWORD"))
            && let Some(found) = self.special()?
        {
            return Ok(found);
        }
        let scope = self.scope_word(plain);
        if !plain && self.is_transaction() {
            return self.transaction(scope);
        }
        let Some((mut name, _)) = self.cursor.name() else { return Err(syntax(&self.cursor)) };
        if self.cursor.eat_symbol(".") {
            let Some((part, _)) = self.cursor.name() else { return Err(syntax(&self.cursor)) };
            if name.eq_ignore_ascii_case("new") {
                return Ok((SetTarget::TriggerRow, self.assigned()?));
            }
            name = format!("{name}.{part}");
        }
        let target = SetTarget::Variable { scope, name: name.to_ascii_lowercase() };
        Ok((target, self.assigned()?))
    }

    /// The scope of the variable at hand: the word before it, or the last one.
    fn scope_word(&mut self, plain: bool) -> Scope {
        if plain {
            return self.scope;
        }
        let scope = match self.cursor.word().as_str() {
            "SESSION" | "LOCAL" => Scope::Session,
            "GLOBAL" => Scope::Global,
            "PERSIST" => Scope::Persist,
            "PERSIST_ONLY" => Scope::PersistOnly,
            _ => return self.scope,
        };
        self.cursor.next();
        self.scope = scope;
        scope
    }

    /// NAMES, CHARACTER SET, PASSWORD, ROLE and such.
    fn special(&mut self) -> Result<Option<(SetTarget, SetValue)>> {
        if self.cursor.eat("NAMES") {
            let value = self.charset()?;
            let collation = if self.cursor.eat("COLLATE") {
                let Some(token) = self.cursor.next() else { return Err(syntax(&self.cursor)) };
                Some(self.text(token).to_ascii_lowercase())
            } else {
                None
            };
            return Ok(Some((SetTarget::Names { collation }, value)));
        }
        if self.cursor.eat("CHARSET")
            || self.cursor.eat_all(&["CHARACTER", "SET"])
            || self.cursor.eat_all(&["CHAR", "SET"])
        {
            return Ok(Some((SetTarget::CharacterSet, self.charset()?)));
        }
        let target = match self.cursor.word().as_str() {
            "PASSWORD" => SetTarget::Password,
            "ROLE" => SetTarget::Role,
            "RESOURCE" if self.next_is("GROUP") => SetTarget::ResourceGroup,
            "DEFAULT" if self.next_is("ROLE") => SetTarget::DefaultRole,
            _ => return Ok(None),
        };
        // These have grammars of their own and are refused or passed on whole.
        let start = self.cursor.offset();
        while self.cursor.next().is_some() {}
        Ok(Some((target, SetValue::Expression(start..self.cursor.end()))))
    }

    fn next_is(&self, word: &str) -> bool {
        self.cursor.ahead(1).is_some_and(|token| token.is_word(self.cursor.sql, word))
    }

    fn is_transaction(&self) -> bool {
        self.cursor.is("TRANSACTION") && (self.next_is("ISOLATION") || self.next_is("READ"))
    }

    fn transaction(&mut self, scope: Scope) -> Result<(SetTarget, SetValue)> {
        self.cursor.next();
        let (mut isolation, mut read_only) = (None, None);
        loop {
            if isolation.is_none() && self.cursor.eat_all(&["ISOLATION", "LEVEL"]) {
                isolation = Some(if self.cursor.eat_all(&["READ", "UNCOMMITTED"]) {
                    Isolation::ReadUncommitted
                } else if self.cursor.eat_all(&["READ", "COMMITTED"]) {
                    Isolation::ReadCommitted
                } else if self.cursor.eat_all(&["REPEATABLE", "READ"]) {
                    Isolation::RepeatableRead
                } else if self.cursor.eat("SERIALIZABLE") {
                    Isolation::Serializable
                } else {
                    return Err(syntax(&self.cursor));
                });
            } else if read_only.is_none() && self.cursor.eat_all(&["READ", "ONLY"]) {
                read_only = Some(true);
            } else if read_only.is_none() && self.cursor.eat_all(&["READ", "WRITE"]) {
                read_only = Some(false);
            } else {
                return Err(syntax(&self.cursor));
            }
            if !self.cursor.eat_symbol(",") {
                break;
            }
        }
        Ok((SetTarget::Transaction { scope, isolation, read_only }, SetValue::None))
    }

    /// The character set of NAMES and CHARACTER SET: a name, a string, DEFAULT or a parameter.
    fn charset(&mut self) -> Result<SetValue> {
        if self.cursor.eat("DEFAULT") {
            return Ok(SetValue::Default);
        }
        let Some(token) = self.cursor.next() else { return Err(syntax(&self.cursor)) };
        match token.kind {
            TokenKind::Word | TokenKind::QuotedName | TokenKind::String => {
                Ok(SetValue::Name(self.text(token).to_ascii_lowercase()))
            }
            TokenKind::Param => Ok(SetValue::Param(self.param())),
            _ => Err(syntax(&self.cursor)),
        }
    }

    fn text(&self, token: &Token) -> String {
        let bytes = token.bytes(self.cursor.sql);
        match token.kind {
            TokenKind::String => {
                String::from_utf8_lossy(&unquote(bytes, self.dialect)).into_owned()
            }
            _ => name_of(self.cursor.sql, token),
        }
    }

    fn param(&mut self) -> u32 {
        self.params += 1;
        self.params - 1
    }

    /// `=` or `:=` and the value.
    fn assigned(&mut self) -> Result<SetValue> {
        if !self.cursor.eat_symbol("=") && !self.cursor.eat_symbol(":=") {
            return Err(syntax(&self.cursor));
        }
        let start = self.cursor;
        let params = self.params;
        let mut tokens: [Option<Token>; 3] = [None; 3];
        let mut count = 0;
        while let Some(token) = self.cursor.peek().copied() {
            let ends = token.depth == 0
                && (token.is_symbol(self.cursor.sql, ",")
                    || (self.statement && token.is_word(self.cursor.sql, "FOR")));
            if ends {
                break;
            }
            self.params += u32::from(token.kind == TokenKind::Param);
            if let Some(place) = tokens.get_mut(count) {
                *place = Some(token);
            }
            count += 1;
            self.cursor.next();
        }
        match (tokens[0], tokens[1], count) {
            (None, ..) => Err(syntax(&self.cursor)),
            (Some(only), _, 1) => Ok(self.single(&only, params)),
            (Some(sign), Some(number), 2) if is_signed(self.cursor.sql, &sign, &number) => {
                let sign = if sign.is_symbol(self.cursor.sql, "-") { "-" } else { "" };
                let digits = String::from_utf8_lossy(number.bytes(self.cursor.sql)).into_owned();
                Ok(SetValue::Number(format!("{sign}{digits}")))
            }
            _ => Ok(SetValue::Expression(start.offset()..self.cursor.end())),
        }
    }

    /// A value of one token.
    fn single(&self, token: &Token, params: u32) -> SetValue {
        let bytes = token.bytes(self.cursor.sql);
        match token.kind {
            TokenKind::Word => match bytes.to_ascii_uppercase().as_slice() {
                b"DEFAULT" => SetValue::Default,
                b"NULL" => SetValue::Null,
                b"ON" | b"TRUE" => SetValue::Switch(true),
                b"OFF" | b"FALSE" => SetValue::Switch(false),
                _ => SetValue::Name(name_of(self.cursor.sql, token)),
            },
            TokenKind::QuotedName => SetValue::Name(name_of(self.cursor.sql, token)),
            TokenKind::String => SetValue::String(unquote(bytes, self.dialect).into_owned()),
            TokenKind::Integer | TokenKind::Decimal | TokenKind::Float => {
                SetValue::Number(String::from_utf8_lossy(bytes).into_owned())
            }
            TokenKind::Param => SetValue::Param(params),
            TokenKind::UserVariable => {
                SetValue::User(user_variable(self.cursor.sql, token, self.dialect))
            }
            TokenKind::SystemVariable => {
                let (scope, name) = system_variable(bytes);
                SetValue::System { scope, name }
            }
            _ => SetValue::Expression(token.range()),
        }
    }
}

fn is_signed(sql: &[u8], sign: &Token, number: &Token) -> bool {
    matches!(sign.symbol(sql), b"-" | b"+")
        && matches!(number.kind, TokenKind::Integer | TokenKind::Decimal | TokenKind::Float)
}

/// Scope and name of `@@x`, `@@global.x`, `` @@session.`x` ``.
pub fn system_variable(token: &[u8]) -> (Scope, String) {
    let rest = token.strip_prefix(b"@@").unwrap_or(token);
    let mut parts = Vec::new();
    for part in rest.split(|&byte| byte == b'.') {
        parts.push(String::from_utf8_lossy(&unquote_name(part)).to_ascii_lowercase());
    }
    let scope = match parts.first().map(String::as_str) {
        _ if parts.len() < 2 => Scope::AtAt,
        Some("session" | "local") => Scope::Session,
        Some("global") => Scope::Global,
        Some("persist") => Scope::Persist,
        Some("persist_only") => Scope::PersistOnly,
        _ => Scope::AtAt,
    };
    if parts.len() > 1 && scope != Scope::AtAt {
        parts.remove(0);
    }
    (scope, parts.join("."))
}
