//! The greeting: the server's first packet (protocol version 10).
//!
//! Owns: its form. Never: draws a salt.

use crate::error::Result;
use crate::protocol::capability::Capabilities;
use crate::protocol::reader::{Reader, put_nul_bytes};
use crate::protocol::status::StatusFlags;

/// The length of a salt, in bytes.
pub const SALT_LENGTH: usize = 20;

/// A parsed greeting, or one to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting<'a> {
    /// Such as `10.11.19-MariaDB` or `8.4.3`; MariaDB's `5.5.5-` prefix is kept as sent.
    pub server_version: &'a [u8],
    pub connection_id: u32,
    /// Random bytes without NUL and `$`.
    pub salt: [u8; SALT_LENGTH],
    pub capabilities: Capabilities,
    /// MariaDB's upper 32 capability bits; 0 from MySQL.
    pub extended_capabilities: u32,
    /// The low byte of the server's default collation id.
    pub collation: u8,
    pub status: StatusFlags,
    /// The default plugin, such as `caching_sha2_password`.
    pub plugin: &'a [u8],
}

impl<'a> Greeting<'a> {
    /// Parses a greeting. A server that refuses the connection sends an ERR packet instead: look at
    /// [`crate::protocol::err::ErrPacket::is_err`] first.
    pub fn parse(payload: &'a [u8]) -> Result<Self> {
        let mut reader = Reader::new("greeting", payload);
        if reader.u8()? != 10 {
            return Err(reader.malformed("is not of protocol version 10"));
        }
        let server_version = reader.nul_bytes()?;
        let connection_id = reader.u32()?;
        let mut salt = [0; SALT_LENGTH];
        let (salt_head, salt_tail) = salt.split_at_mut(8);
        salt_head.copy_from_slice(reader.take(8)?);
        reader.skip(1)?;
        let low = reader.u16()?;
        let collation = reader.u8()?;
        let status = StatusFlags(reader.u16()?);
        let high = reader.u16()?;
        let capabilities = Capabilities(u32::from(low) | u32::from(high) << 16);
        let auth_data_length = usize::from(reader.u8()?);
        reader.skip(6)?;
        let extended = reader.u32()?;
        let extended_capabilities =
            if capabilities.contains(Capabilities::LONG_PASSWORD) { 0 } else { extended };
        // At least 13 bytes follow, of which the last is a NUL.
        let tail = reader.take(auth_data_length.saturating_sub(8).max(13))?;
        match tail.get(..salt_tail.len()) {
            Some(bytes) => salt_tail.copy_from_slice(bytes),
            None => return Err(reader.malformed("has a short salt")),
        }
        let plugin = if capabilities.contains(Capabilities::PLUGIN_AUTH) {
            reader.nul_bytes_or_rest()
        } else {
            b"mysql_native_password".as_slice()
        };
        Ok(Greeting {
            server_version,
            connection_id,
            salt,
            capabilities,
            extended_capabilities,
            collation,
            status,
            plugin,
        })
    }

    /// Appends the payload. `extended_capabilities` are never written: Weir offers none.
    pub fn write(&self, out: &mut Vec<u8>) {
        let [a, b, c, d] = self.capabilities.0.to_le_bytes();
        out.push(10);
        put_nul_bytes(out, self.server_version);
        out.extend_from_slice(&self.connection_id.to_le_bytes());
        let (head, tail) = self.salt.split_at(8);
        out.extend_from_slice(head);
        out.push(0);
        out.extend_from_slice(&[a, b, self.collation]);
        out.extend_from_slice(&self.status.0.to_le_bytes());
        out.extend_from_slice(&[c, d, SALT_LENGTH as u8 + 1]);
        out.extend_from_slice(&[0; 10]);
        out.extend_from_slice(tail);
        out.push(0);
        put_nul_bytes(out, self.plugin);
    }
}
