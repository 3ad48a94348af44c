//! COM_CHANGE_USER: a new login on a living connection.
//!
//! Owns: its form. Never: checks anything. The answer is that of a login.

use crate::error::Result;
use crate::protocol::capability::Capabilities;
use crate::protocol::charset;
use crate::protocol::login::parse_attributes;
use crate::protocol::reader::{Reader, put_lenenc_bytes, put_nul_bytes};

/// A parsed COM_CHANGE_USER, or one to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeUser<'a> {
    pub user: &'a [u8],
    pub auth_response: &'a [u8],
    pub database: &'a [u8],
    /// `None` where the client sent none: the session's default stays.
    pub collation: Option<u16>,
    /// Empty where the client sent none.
    pub plugin: &'a [u8],
    /// The raw attributes block.
    pub attributes: &'a [u8],
}

impl<'a> ChangeUser<'a> {
    /// Parses a payload, the command byte included.
    pub fn parse(payload: &'a [u8], capabilities: Capabilities) -> Result<Self> {
        let mut reader = Reader::new("COM_CHANGE_USER", payload);
        reader.skip(1)?;
        let user = reader.nul_bytes()?;
        let auth_response = if capabilities.contains(Capabilities::SECURE_CONNECTION) {
            let length = reader.u8()?;
            reader.take(usize::from(length))?
        } else {
            reader.nul_bytes()?
        };
        let database = reader.nul_bytes_or_rest();
        let collation = if reader.remaining() >= 2 {
            Some(charset::login_collation(reader.u16()?))
        } else {
            reader.rest();
            None
        };
        let plugin = if capabilities.contains(Capabilities::PLUGIN_AUTH) {
            reader.nul_bytes_or_rest()
        } else {
            b"".as_slice()
        };
        let attributes = parse_attributes(&mut reader, capabilities)?;
        Ok(ChangeUser { user, auth_response, database, collation, plugin, attributes })
    }

    /// Appends the payload, the command byte included. A response longer than 255 bytes doesn't fit
    /// the form: send an empty one and let the server switch.
    pub fn write(&self, capabilities: Capabilities, out: &mut Vec<u8>) {
        out.push(crate::protocol::command::byte::CHANGE_USER);
        put_nul_bytes(out, self.user);
        let response = if self.auth_response.len() > 255 { b"" } else { self.auth_response };
        out.push(response.len() as u8);
        out.extend_from_slice(response);
        put_nul_bytes(out, self.database);
        out.extend_from_slice(&self.collation.unwrap_or(charset::UTF8MB4_GENERAL_CI).to_le_bytes());
        if capabilities.contains(Capabilities::PLUGIN_AUTH) {
            put_nul_bytes(out, self.plugin);
        }
        if capabilities.contains(Capabilities::CONNECT_ATTRS) {
            put_lenenc_bytes(out, self.attributes);
        }
    }
}
