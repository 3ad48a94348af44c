//! SET, in all its forms, from tokens.
//!
//! Owns: the grammar of `research` B3 (lists that mix NAMES, CHARACTER SET, system and user
//! variables; scopes; `=` and `:=`; TRANSACTION; PASSWORD, ROLE; SET STATEMENT … FOR). Never:
//! evaluates a value or knows which variables exist: the session does.

use std::ops::Range;

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
    System { scope: Scope, name: String },
    /// Exactly one user variable.
    User(String),
    /// Anything else, a function or subquery for instance: a range of the statement.
    Expression(Range<usize>),
}

/// A whole SET.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Set {
    pub assignments: Vec<Assignment>,
    /// `SET STATEMENT a = 1 FOR …`: where the inner statement begins.
    pub inner: Option<usize>,
}
