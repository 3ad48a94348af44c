//! The one error type of Weir, and the table of errors that Weir itself raises.
//!
//! Owns: what an error carries (whose fault, errno, SQLSTATE, stable code, whether a retry is
//! safe, the sentence for the client). Never: sends anything, logs anything, or knows a packet.
//!
//! Errors of a backend pass through as [`Error::backend`] with their own errno and SQLSTATE.
//! Errors of Weir use MySQL's errno where MySQL has one, and otherwise 1235
//! (`ER_NOT_SUPPORTED_YET`) or 1105 (`ER_UNKNOWN_ERROR`); their text ends in `[weir:code]`, which
//! is stable and may be matched.

use std::fmt;

/// Whose fault an error is; decides the metric's label and the log's level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The client sent something wrong: malformed packet, bad SQL, wrong password.
    Client,
    /// The statement is well-formed but Weir's rules or limits refuse it.
    Refused,
    /// A backend answered with an error, which is passed on.
    Backend,
    /// A backend could not be reached, or broke off.
    Unavailable,
    /// A bound that the DBA set was reached.
    Limit,
    /// Weir itself is wrong.
    Internal,
}

/// Whether the client may safely send the statement again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Nothing was done: a retry is safe.
    Safe,
    /// The statement would fail again unless something is changed.
    Useless,
    /// It is unknown what was done.
    Unknown,
}

/// An error as a client may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Whose fault.
    pub fault: Fault,
    /// MySQL's error number.
    pub errno: u16,
    /// Five bytes of SQLSTATE.
    pub sqlstate: [u8; 5],
    /// Weir's stable code, empty for a backend's own error.
    pub code: &'static str,
    /// Whether a retry is safe.
    pub retry: Retry,
    /// The sentence, without the code.
    pub message: String,
    /// True where the connection can't go on after this error (framing lost, login failed).
    pub fatal: bool,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of Weir's own.
    pub fn new(
        fault: Fault,
        errno: u16,
        sqlstate: &[u8; 5],
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        let retry = match fault {
            Fault::Client | Fault::Refused | Fault::Backend => Retry::Useless,
            Fault::Limit => Retry::Safe,
            Fault::Unavailable | Fault::Internal => Retry::Unknown,
        };
        Error {
            fault,
            errno,
            sqlstate: *sqlstate,
            code,
            retry,
            message: message.into(),
            fatal: false,
        }
    }

    /// A backend's error, passed on with its errno and SQLSTATE.
    pub fn backend(errno: u16, sqlstate: [u8; 5], message: impl Into<String>) -> Self {
        Error {
            fault: Fault::Backend,
            errno,
            sqlstate,
            code: "",
            retry: Retry::Useless,
            message: message.into(),
            fatal: false,
        }
    }

    /// A statement that Weir refuses (1235, 42000). `message` says what would make it work.
    pub fn refused(code: &'static str, message: impl Into<String>) -> Self {
        Error::new(Fault::Refused, 1235, b"42000", code, message)
    }

    /// A syntax error found by Weir itself (1064, 42000).
    pub fn syntax(message: impl Into<String>) -> Self {
        Error::new(Fault::Client, 1064, b"42000", "syntax", message)
    }

    /// A malformed packet: the framing can't be trusted any more, the connection ends (1835, 08S01).
    pub fn malformed(message: impl Into<String>) -> Self {
        Error::new(Fault::Client, 1835, b"08S01", "malformed_packet", message).fatal()
    }

    /// A backend that can't be reached or broke off (1105 would hide it; 2013-like, 08S01).
    pub fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        Error::new(Fault::Unavailable, 1158, b"08S01", code, message)
    }

    /// A limit was reached; `message` names it and its value.
    pub fn limit(errno: u16, code: &'static str, message: impl Into<String>) -> Self {
        Error::new(Fault::Limit, errno, b"HY000", code, message)
    }

    /// A defect of Weir: reported, counted, never a panic.
    pub fn internal(message: impl Into<String>) -> Self {
        Error::new(Fault::Internal, 1105, b"HY000", "internal", message)
    }

    /// The same error, after which the connection is closed.
    pub fn fatal(mut self) -> Self {
        self.fatal = true;
        self
    }

    /// The same error with another verdict on retries.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// The text that goes into the ERR packet.
    pub fn client_text(&self) -> String {
        if self.code.is_empty() {
            self.message.clone()
        } else {
            format!("{} [weir:{}]", self.message, self.code)
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}): {}",
            self.errno,
            String::from_utf8_lossy(&self.sqlstate),
            self.message
        )?;
        if self.code.is_empty() { Ok(()) } else { write!(f, " [weir:{}]", self.code) }
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Error::unavailable("io", error.to_string()).fatal()
    }
}
