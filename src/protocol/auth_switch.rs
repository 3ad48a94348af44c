//! What is said between greeting and OK: auth switch, more data, and caching_sha2_password's bytes.
//!
//! Owns: the packets' forms. Never: computes a scramble ([`crate::protocol::auth`] does).

use crate::error::Result;
use crate::protocol::capability::Capabilities;
use crate::protocol::err::ErrPacket;
use crate::protocol::ok::OkPacket;
use crate::protocol::reader::{Reader, put_nul_bytes};

/// caching_sha2_password: the server asks for the password itself.
pub const FULL_AUTHENTICATION: u8 = 4;
/// caching_sha2_password: the scramble was right, OK follows.
pub const FAST_AUTHENTICATION_OK: u8 = 3;
/// caching_sha2_password: the client asks for the server's RSA public key.
pub const PUBLIC_KEY_REQUEST: u8 = 2;

/// "Use this plugin with this salt instead."
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthSwitch<'a> {
    pub plugin: &'a [u8],
    /// The plugin's data: a salt of 20 bytes for the plugins that Weir knows, its closing NUL cut.
    pub data: &'a [u8],
}

impl<'a> AuthSwitch<'a> {
    pub fn parse(payload: &'a [u8]) -> Result<Self> {
        let mut reader = Reader::new("auth switch", payload);
        if reader.u8()? != 0xfe {
            return Err(reader.malformed("has another header"));
        }
        if reader.is_empty() {
            // The form before 4.1: a single 0xFE.
            return Ok(AuthSwitch { plugin: b"mysql_old_password", data: b"" });
        }
        let plugin = reader.nul_bytes()?;
        let data = reader.rest();
        Ok(AuthSwitch { plugin, data: data.strip_suffix(&[0]).unwrap_or(data) })
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(0xfe);
        put_nul_bytes(out, self.plugin);
        out.extend_from_slice(self.data);
        out.push(0);
    }
}

/// Appends an AuthMoreData payload.
pub fn write_more_data(data: &[u8], out: &mut Vec<u8>) {
    out.push(0x01);
    out.extend_from_slice(data);
}

/// What a server may say until the login is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthReply<'a> {
    Ok(OkPacket<'a>),
    Err(ErrPacket<'a>),
    Switch(AuthSwitch<'a>),
    /// The plugin's bytes, without the 0x01 header.
    More(&'a [u8]),
}

impl<'a> AuthReply<'a> {
    pub fn parse(payload: &'a [u8], capabilities: Capabilities) -> Result<Self> {
        let reader = Reader::new("login reply", payload);
        match payload {
            [0x00, ..] => OkPacket::parse(payload, capabilities).map(AuthReply::Ok),
            [0xff, ..] => ErrPacket::parse(payload).map(AuthReply::Err),
            [0xfe, ..] => AuthSwitch::parse(payload).map(AuthReply::Switch),
            [0x01, data @ ..] => Ok(AuthReply::More(data)),
            [] => Err(reader.malformed("is empty")),
            _ => Err(reader.malformed("has an unknown header")),
        }
    }
}
