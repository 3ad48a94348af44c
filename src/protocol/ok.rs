//! The OK packet, headed 0x00, or 0xFE where it ends a result set (DEPRECATE_EOF).
//!
//! Owns: its two forms, with and without session tracking. Never: reads the session state inside
//! ([`crate::protocol::session_track`] does).

use crate::error::Result;
use crate::protocol::capability::Capabilities;
use crate::protocol::reader::{Reader, put_lenenc, put_lenenc_bytes};
use crate::protocol::status::StatusFlags;

/// An OK packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct OkPacket<'a> {
    pub affected_rows: u64,
    pub last_insert_id: u64,
    pub status: StatusFlags,
    pub warnings: u16,
    /// Human text such as `Rows matched: 1  Changed: 1  Warnings: 0`.
    pub info: &'a [u8],
    /// The raw session-state block, empty where there is none.
    pub session_state: &'a [u8],
}

/// Which byte heads an OK packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OkHeader {
    /// The answer to a command.
    Plain,
    /// The end of a result set under DEPRECATE_EOF.
    EndOfRows,
}

impl<'a> OkPacket<'a> {
    /// Parses a payload headed 0x00 or 0xFE.
    pub fn parse(payload: &'a [u8], capabilities: Capabilities) -> Result<Self> {
        let mut reader = Reader::new("OK", payload);
        if !matches!(reader.u8()?, 0x00 | 0xfe) {
            return Err(reader.malformed("has another header"));
        }
        let mut ok = OkPacket {
            affected_rows: reader.lenenc()?,
            last_insert_id: reader.lenenc()?,
            ..OkPacket::default()
        };
        if capabilities.contains(Capabilities::PROTOCOL_41) {
            ok.status = StatusFlags(reader.u16()?);
            ok.warnings = reader.u16()?;
        } else if capabilities.contains(Capabilities::TRANSACTIONS) {
            ok.status = StatusFlags(reader.u16()?);
        }
        // The manual has the info as the packet's rest for clients that don't track; servers send a
        // length here too, and clients read one.
        if !reader.is_empty() {
            ok.info = reader.lenenc_bytes()?;
        }
        if !capabilities.contains(Capabilities::SESSION_TRACK) {
            return Ok(ok);
        }
        if ok.status.contains(StatusFlags::SESSION_STATE_CHANGED) && !reader.is_empty() {
            ok.session_state = reader.lenenc_bytes()?;
        }
        Ok(ok)
    }

    /// Appends the payload. The session state is written only to a client that tracks it, and the
    /// flag that announces it follows what is written.
    pub fn write(&self, header: OkHeader, capabilities: Capabilities, out: &mut Vec<u8>) {
        out.push(match header {
            OkHeader::Plain => 0x00,
            OkHeader::EndOfRows => 0xfe,
        });
        put_lenenc(out, self.affected_rows);
        put_lenenc(out, self.last_insert_id);
        let tracks = capabilities.contains(Capabilities::SESSION_TRACK);
        let has_state = tracks && !self.session_state.is_empty();
        let status = if has_state {
            self.status.with(StatusFlags::SESSION_STATE_CHANGED)
        } else {
            self.status.without(StatusFlags::SESSION_STATE_CHANGED)
        };
        if capabilities.contains(Capabilities::PROTOCOL_41) {
            out.extend_from_slice(&status.0.to_le_bytes());
            out.extend_from_slice(&self.warnings.to_le_bytes());
        } else if capabilities.contains(Capabilities::TRANSACTIONS) {
            out.extend_from_slice(&status.0.to_le_bytes());
        }
        if has_state || !self.info.is_empty() {
            put_lenenc_bytes(out, self.info);
            if has_state {
                put_lenenc_bytes(out, self.session_state);
            }
        }
    }
}
