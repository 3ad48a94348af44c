//! The first packet of an answer, with what it borrows copied out.
//!
//! Owns: the owned forms of OK and its siblings. Never: reads a packet.

use crate::error::Error;
use crate::protocol::ok::OkPacket;
use crate::protocol::status::StatusFlags;

/// How a backend's answer begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Ok(OkInfo),
    /// The server's own error.
    Err(Error),
    /// The server asks for this file of the client's.
    LocalInfile(Vec<u8>),
    /// So many column definitions follow.
    ResultSet {
        columns: usize,
    },
}

/// An OK packet.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct OkInfo {
    pub affected_rows: u64,
    pub last_insert_id: u64,
    pub status: StatusFlags,
    pub warnings: u16,
    /// Such as `Rows matched: 1  Changed: 1  Warnings: 0`.
    pub info: Vec<u8>,
    /// The raw session-state block.
    pub session_state: Vec<u8>,
}

impl OkInfo {
    pub fn of(ok: &OkPacket<'_>) -> Self {
        OkInfo {
            affected_rows: ok.affected_rows,
            last_insert_id: ok.last_insert_id,
            status: ok.status,
            warnings: ok.warnings,
            info: ok.info.to_vec(),
            session_state: ok.session_state.to_vec(),
        }
    }
}
