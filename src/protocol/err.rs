//! The ERR packet, with SQLSTATE and without (before login, and from old or hostile servers).
//!
//! Owns: its form and its conversion from and to [`Error`]. Never: rewrites a message.

use crate::error::{Error, Result};
use crate::protocol::capability::Capabilities;
use crate::protocol::reader::Reader;

/// The longest message that an ERR packet of Weir carries, in bytes (MySQL's own bound).
pub const MESSAGE_LIMIT: usize = 512;

/// The SQLSTATE of an error that carries none.
pub const GENERAL_SQLSTATE: [u8; 5] = *b"HY000";

/// An ERR packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrPacket<'a> {
    pub errno: u16,
    /// `None` where the server sent none.
    pub sqlstate: Option<[u8; 5]>,
    /// In the session's `character_set_results`.
    pub message: &'a [u8],
}

impl<'a> ErrPacket<'a> {
    /// True where a payload is an ERR packet rather than a row. A row can't begin so.
    pub fn is_err(payload: &[u8]) -> bool {
        payload.first() == Some(&0xff)
    }

    /// Parses a payload headed 0xFF. The SQLSTATE is recognised by its `#`, for a server may leave
    /// it out.
    pub fn parse(payload: &'a [u8]) -> Result<Self> {
        let mut reader = Reader::new("ERR", payload);
        if reader.u8()? != 0xff {
            return Err(reader.malformed("has another header"));
        }
        let errno = reader.u16()?;
        let sqlstate = match reader.peek_rest() {
            [b'#', a, b, c, d, e, tail @ ..] => {
                let sqlstate = [*a, *b, *c, *d, *e];
                reader = Reader::new("ERR", tail);
                Some(sqlstate)
            }
            _ => None,
        };
        Ok(ErrPacket { errno, sqlstate, message: reader.rest() })
    }

    pub fn write(&self, capabilities: Capabilities, out: &mut Vec<u8>) {
        out.push(0xff);
        out.extend_from_slice(&self.errno.to_le_bytes());
        if capabilities.contains(Capabilities::PROTOCOL_41) {
            out.push(b'#');
            out.extend_from_slice(&self.sqlstate.unwrap_or(GENERAL_SQLSTATE));
        }
        out.extend_from_slice(self.message);
    }

    /// The packet as an error of the backend that sent it.
    pub fn to_error(&self) -> Error {
        Error::backend(
            self.errno,
            self.sqlstate.unwrap_or(GENERAL_SQLSTATE),
            String::from_utf8_lossy(self.message),
        )
    }
}

/// Appends the ERR payload of an error, its text cut at [`MESSAGE_LIMIT`] on a character's border.
/// The stable code at the end survives the cut.
pub fn write_error(error: &Error, capabilities: Capabilities, out: &mut Vec<u8>) {
    let code =
        if error.code.is_empty() { String::new() } else { format!(" [weir:{}]", error.code) };
    let mut end = error.message.len().min(MESSAGE_LIMIT.saturating_sub(code.len()));
    while !error.message.is_char_boundary(end) {
        end -= 1;
    }
    let text = format!("{}{code}", error.message.get(..end).unwrap_or_default());
    let packet =
        ErrPacket { errno: error.errno, sqlstate: Some(error.sqlstate), message: text.as_bytes() };
    packet.write(capabilities, out);
}
