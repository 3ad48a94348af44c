//! The client's first packets: the TLS request and HandshakeResponse41.
//!
//! Owns: their forms and the connection attributes. Never: checks a password or a right.

use crate::error::{Error, Result};
use crate::protocol::capability::Capabilities;
use crate::protocol::charset;
use crate::protocol::reader::{Reader, put_lenenc, put_lenenc_bytes, put_nul_bytes};

/// The most bytes of connection attributes that are kept, as in MySQL (64 KiB).
pub const ATTRIBUTES_LIMIT: usize = 65_536;

/// A request to go on in TLS: the fixed part of a login with the SSL bit, and nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsRequest {
    pub capabilities: Capabilities,
    pub max_packet: u32,
    pub collation: u16,
}

/// HandshakeResponse41.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Login<'a> {
    pub capabilities: Capabilities,
    /// MariaDB's upper 32 bits, 0 unless the client speaks that dialect.
    pub extended_capabilities: u32,
    /// The client's own limit for packets sent to it; servers ignore it.
    pub max_packet: u32,
    /// The collation id. Some drivers send 16 bits; the upper byte counts where the id exists.
    pub collation: u16,
    pub user: &'a [u8],
    pub auth_response: &'a [u8],
    /// Empty where none is named.
    pub database: &'a [u8],
    /// Empty where the client sent none.
    pub plugin: &'a [u8],
    /// The raw attributes block; walk it with [`attributes`].
    pub attributes: &'a [u8],
}

/// What a client may send after the greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstPacket<'a> {
    Tls(TlsRequest),
    Login(Login<'a>),
}

impl<'a> FirstPacket<'a> {
    /// Tells a TLS request (32 bytes with the SSL bit) from a login.
    pub fn parse(payload: &'a [u8]) -> Result<Self> {
        let fixed = Fixed::parse(&mut Reader::new("login", payload))?;
        if payload.len() == 32 && fixed.capabilities.contains(Capabilities::SSL) {
            return Ok(FirstPacket::Tls(TlsRequest {
                capabilities: fixed.capabilities,
                max_packet: fixed.max_packet,
                collation: fixed.collation,
            }));
        }
        Login::parse(payload).map(FirstPacket::Login)
    }
}

struct Fixed {
    capabilities: Capabilities,
    extended_capabilities: u32,
    max_packet: u32,
    collation: u16,
}

impl Fixed {
    fn parse(reader: &mut Reader<'_>) -> Result<Self> {
        let capabilities = Capabilities(reader.u32()?);
        if !capabilities.contains(Capabilities::PROTOCOL_41) {
            return Err(Error::malformed(
                "Bad handshake: the client speaks the protocol of MySQL before 4.1",
            ));
        }
        let max_packet = reader.u32()?;
        let collation = charset::login_collation(reader.u16()?);
        reader.skip(18)?;
        let extended = reader.u32()?;
        let extended_capabilities =
            if capabilities.contains(Capabilities::LONG_PASSWORD) { 0 } else { extended };
        Ok(Fixed { capabilities, extended_capabilities, max_packet, collation })
    }

    fn write(capabilities: Capabilities, max_packet: u32, collation: u16, out: &mut Vec<u8>) {
        out.extend_from_slice(&capabilities.0.to_le_bytes());
        out.extend_from_slice(&max_packet.to_le_bytes());
        out.extend_from_slice(&collation.to_le_bytes());
        out.extend_from_slice(&[0; 22]);
    }
}

impl TlsRequest {
    pub fn write(&self, out: &mut Vec<u8>) {
        let capabilities = self.capabilities.with(Capabilities::SSL);
        Fixed::write(capabilities, self.max_packet, self.collation, out);
    }
}

impl<'a> Login<'a> {
    /// Parses a login. Fields behind the user are optional in the wild: what is missing is empty,
    /// what is cut in the middle is an error.
    pub fn parse(payload: &'a [u8]) -> Result<Self> {
        let mut reader = Reader::new("login", payload);
        let fixed = Fixed::parse(&mut reader)?;
        let capabilities = fixed.capabilities;
        let user = reader.nul_bytes()?;
        let auth_response = if capabilities.contains(Capabilities::PLUGIN_AUTH_LENENC_DATA) {
            reader.lenenc_bytes()?
        } else if capabilities.contains(Capabilities::SECURE_CONNECTION) {
            let length = reader.u8()?;
            reader.take(usize::from(length))?
        } else {
            reader.nul_bytes()?
        };
        let database = if capabilities.contains(Capabilities::CONNECT_WITH_DB) {
            reader.nul_bytes_or_rest()
        } else {
            b"".as_slice()
        };
        let plugin = if capabilities.contains(Capabilities::PLUGIN_AUTH) {
            reader.nul_bytes_or_rest()
        } else {
            b"".as_slice()
        };
        let attributes = parse_attributes(&mut reader, capabilities)?;
        Ok(Login {
            capabilities,
            extended_capabilities: fixed.extended_capabilities,
            max_packet: fixed.max_packet,
            collation: fixed.collation,
            user,
            auth_response,
            database,
            plugin,
            attributes,
        })
    }

    /// Appends the payload. The bits for database, plugin and attributes are set or cleared to fit
    /// what is written.
    pub fn write(&self, out: &mut Vec<u8>) {
        let conditional = [
            (Capabilities::CONNECT_WITH_DB, !self.database.is_empty()),
            (Capabilities::PLUGIN_AUTH, !self.plugin.is_empty()),
            (Capabilities::CONNECT_ATTRS, !self.attributes.is_empty()),
        ];
        let capabilities = conditional.iter().fold(
            self.capabilities | Capabilities::PROTOCOL_41 | Capabilities::PLUGIN_AUTH_LENENC_DATA,
            |set, &(bit, on)| if on { set.with(bit) } else { set.without(bit) },
        );
        Fixed::write(capabilities, self.max_packet, self.collation, out);
        put_nul_bytes(out, self.user);
        put_lenenc_bytes(out, self.auth_response);
        if !self.database.is_empty() {
            put_nul_bytes(out, self.database);
        }
        if !self.plugin.is_empty() {
            put_nul_bytes(out, self.plugin);
        }
        if !self.attributes.is_empty() {
            put_lenenc_bytes(out, self.attributes);
        }
    }
}

/// The attributes block that ends a login or a COM_CHANGE_USER, empty where there is none.
pub(crate) fn parse_attributes<'a>(
    reader: &mut Reader<'a>,
    capabilities: Capabilities,
) -> Result<&'a [u8]> {
    if !capabilities.contains(Capabilities::CONNECT_ATTRS) || reader.is_empty() {
        return Ok(b"");
    }
    let block = reader.lenenc_bytes()?;
    if block.len() > ATTRIBUTES_LIMIT {
        return Err(reader.malformed("has more than 64 KiB of connection attributes"));
    }
    Ok(block)
}

/// Walks a block of connection attributes: pairs of name and value, up to the first damaged one.
pub fn attributes(block: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut reader = Reader::new("connection attributes", block);
    std::iter::from_fn(move || {
        if reader.is_empty() {
            return None;
        }
        let pair = reader.lenenc_bytes().and_then(|name| Ok((name, reader.lenenc_bytes()?)));
        pair.ok()
    })
}

/// Appends one attribute to a block.
pub fn put_attribute(block: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    put_lenenc(block, name.len() as u64);
    block.extend_from_slice(name);
    put_lenenc_bytes(block, value);
}
