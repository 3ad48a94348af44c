//! Status flags: what an OK or EOF packet says about the session.
//!
//! Owns: the bits. Never: tracks a session.

use std::fmt;
use std::ops::{BitAnd, BitOr};

/// The 16 status bits of OK and EOF packets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct StatusFlags(pub u16);

impl StatusFlags {
    pub const IN_TRANSACTION: Self = Self(1);
    pub const AUTOCOMMIT: Self = Self(1 << 1);
    /// Another result of the same command follows.
    pub const MORE_RESULTS: Self = Self(1 << 3);
    pub const NO_GOOD_INDEX_USED: Self = Self(1 << 4);
    pub const NO_INDEX_USED: Self = Self(1 << 5);
    /// A read-only cursor is open: rows come by COM_STMT_FETCH.
    pub const CURSOR_EXISTS: Self = Self(1 << 6);
    /// The cursor is exhausted.
    pub const LAST_ROW_SENT: Self = Self(1 << 7);
    pub const DATABASE_DROPPED: Self = Self(1 << 8);
    /// String literals have no backslash escapes; drivers escape by it, so it must be passed on.
    pub const NO_BACKSLASH_ESCAPES: Self = Self(1 << 9);
    pub const METADATA_CHANGED: Self = Self(1 << 10);
    pub const QUERY_WAS_SLOW: Self = Self(1 << 11);
    /// The result set holds OUT parameters of a procedure.
    pub const PS_OUT_PARAMS: Self = Self(1 << 12);
    pub const IN_TRANSACTION_READ_ONLY: Self = Self(1 << 13);
    /// The OK packet carries session state.
    pub const SESSION_STATE_CHANGED: Self = Self(1 << 14);
    /// MariaDB: `sql_mode` has ANSI_QUOTES.
    pub const ANSI_QUOTES: Self = Self(1 << 15);

    /// True where every bit of `other` is set here.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These flags with the bits of `other`.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These flags without the bits of `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for StatusFlags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for StatusFlags {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl fmt::Debug for StatusFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StatusFlags({:#06x})", self.0)
    }
}
