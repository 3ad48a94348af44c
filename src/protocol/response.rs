//! The first packet of a command's answer.
//!
//! Owns: telling OK, ERR, LOCAL INFILE, a result set and the answer to PREPARE apart. Never: keeps
//! track of where in an answer a connection is.

use crate::error::Result;
use crate::protocol::capability::Capabilities;
use crate::protocol::err::ErrPacket;
use crate::protocol::ok::OkPacket;
use crate::protocol::reader::{Reader, put_lenenc};

/// How an answer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response<'a> {
    Ok(OkPacket<'a>),
    Err(ErrPacket<'a>),
    /// The server asks the client for this file.
    LocalInfile(&'a [u8]),
    /// So many column definitions follow.
    ResultSet {
        columns: usize,
    },
}

/// The most columns that a result set may have: 4,096 is MySQL's limit for a table, a join of views
/// may give more, and the packet's count is not to be believed beyond this.
pub const COLUMNS_LIMIT: usize = 65_535;

impl<'a> Response<'a> {
    /// Parses the answer to COM_QUERY or COM_STMT_EXECUTE.
    pub fn parse(payload: &'a [u8], capabilities: Capabilities) -> Result<Self> {
        let mut reader = Reader::new("response", payload);
        match payload {
            [0x00, ..] => OkPacket::parse(payload, capabilities).map(Response::Ok),
            [0xff, ..] => ErrPacket::parse(payload).map(Response::Err),
            [0xfb, name @ ..] => Ok(Response::LocalInfile(name)),
            _ => {
                let columns = reader.lenenc()?;
                reader.end()?;
                match usize::try_from(columns) {
                    Ok(columns) if columns <= COLUMNS_LIMIT => Ok(Response::ResultSet { columns }),
                    _ => Err(reader.malformed("announces too many columns")),
                }
            }
        }
    }
}

/// Appends the packet that heads a result set.
pub fn write_column_count(columns: usize, out: &mut Vec<u8>) {
    put_lenenc(out, columns as u64);
}

/// Appends a request for a client's file.
pub fn write_local_infile(name: &[u8], out: &mut Vec<u8>) {
    out.push(0xfb);
    out.extend_from_slice(name);
}

/// The first packet of the answer to COM_STMT_PREPARE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrepareOk {
    pub statement: u32,
    pub columns: u16,
    pub parameters: u16,
    pub warnings: u16,
}

impl PrepareOk {
    /// Parses a payload headed 0x00; an ERR packet is the other possible answer.
    pub fn parse(payload: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("PREPARE OK", payload);
        if reader.u8()? != 0 {
            return Err(reader.malformed("has another header"));
        }
        let statement = reader.u32()?;
        let columns = reader.u16()?;
        let parameters = reader.u16()?;
        let warnings = if reader.is_empty() {
            0
        } else {
            reader.skip(1)?;
            reader.u16()?
        };
        Ok(PrepareOk { statement, columns, parameters, warnings })
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(0);
        out.extend_from_slice(&self.statement.to_le_bytes());
        out.extend_from_slice(&self.columns.to_le_bytes());
        out.extend_from_slice(&self.parameters.to_le_bytes());
        out.push(0);
        out.extend_from_slice(&self.warnings.to_le_bytes());
    }
}
