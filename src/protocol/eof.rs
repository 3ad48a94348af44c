//! The EOF packet of clients and servers without DEPRECATE_EOF.
//!
//! Owns: its form. Never: decides where one is due.

use crate::error::Result;
use crate::protocol::capability::Capabilities;
use crate::protocol::reader::Reader;
use crate::protocol::status::StatusFlags;

/// An EOF packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct EofPacket {
    pub warnings: u16,
    pub status: StatusFlags,
}

impl EofPacket {
    /// True where a payload is an EOF packet rather than a row: 0xFE and shorter than 9 bytes.
    pub fn is_eof(payload: &[u8]) -> bool {
        payload.first() == Some(&0xfe) && payload.len() < 9
    }

    pub fn parse(payload: &[u8], capabilities: Capabilities) -> Result<Self> {
        let mut reader = Reader::new("EOF", payload);
        if reader.u8()? != 0xfe {
            return Err(reader.malformed("has another header"));
        }
        if !capabilities.contains(Capabilities::PROTOCOL_41) {
            return Ok(EofPacket::default());
        }
        Ok(EofPacket { warnings: reader.u16()?, status: StatusFlags(reader.u16()?) })
    }

    pub fn write(&self, capabilities: Capabilities, out: &mut Vec<u8>) {
        out.push(0xfe);
        if capabilities.contains(Capabilities::PROTOCOL_41) {
            out.extend_from_slice(&self.warnings.to_le_bytes());
            // Session state travels in OK packets alone.
            let status = self.status.without(StatusFlags::SESSION_STATE_CHANGED);
            out.extend_from_slice(&status.0.to_le_bytes());
        }
    }
}
