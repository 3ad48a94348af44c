//! The PROXY protocol's header, versions 1 and 2 (HAProxy's `proxy-protocol.txt`).
//!
//! Owns: its two forms. Never: decides who may send one: a header is believed only from addresses
//! that the settings trust.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::error::{Error, Result};

/// The longest header that is read, in bytes: version 1 is at most 107, and version 2 with
/// reasonable additions (TLS names, a unique id) stays far below.
pub const LIMIT: usize = 2_048;

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// What the front of a connection says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    /// The header isn't whole yet.
    Incomplete,
    /// A header of so many bytes; the address is `None` for a health check of the balancer's own
    /// (LOCAL, UNKNOWN) and for address families other than IP.
    Header { source: Option<SocketAddr>, length: usize },
}

impl ProxyHeader {
    /// Parses the front of a connection.
    ///
    /// # Errors
    /// 1043 where it is no PROXY header: a trusted address must send one.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let common = bytes.len().min(SIGNATURE.len());
        if bytes.get(..common) == SIGNATURE.get(..common) {
            return parse_binary(bytes);
        }
        let common = bytes.len().min(6);
        if bytes.get(..common) == b"PROXY ".get(..common) {
            return parse_text(bytes);
        }
        Err(wrong("missing"))
    }
}

fn wrong(why: &str) -> Error {
    crate::protocol::error_code::bad_handshake(&format!("the PROXY protocol header is {why}"))
}

fn parse_text(bytes: &[u8]) -> Result<ProxyHeader> {
    let window = bytes.get(..bytes.len().min(107)).unwrap_or_default();
    let Some(end) = window.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < 107 {
            Ok(ProxyHeader::Incomplete)
        } else {
            Err(wrong("too long"))
        };
    };
    let line = window.get(..end).and_then(|line| std::str::from_utf8(line).ok());
    let words: Vec<&str> = line.ok_or_else(|| wrong("not ASCII"))?.split(' ').collect();
    let source = match words.as_slice() {
        ["PROXY", "UNKNOWN", ..] => None,
        ["PROXY", family @ ("TCP4" | "TCP6"), source, _destination, port, _port] => {
            let address: IpAddr = source.parse().map_err(|_| wrong("without a valid address"))?;
            if address.is_ipv4() != (*family == "TCP4") {
                return Err(wrong("of the wrong address family"));
            }
            let port = port.parse().map_err(|_| wrong("without a valid port"))?;
            Some(SocketAddr::new(address, port))
        }
        _ => return Err(wrong("malformed")),
    };
    Ok(ProxyHeader::Header { source, length: end + 2 })
}

fn parse_binary(bytes: &[u8]) -> Result<ProxyHeader> {
    let Some(rest) = bytes.get(SIGNATURE.len()..).filter(|rest| rest.len() >= 4) else {
        return Ok(ProxyHeader::Incomplete);
    };
    let [version_command, family, high, low, body @ ..] = rest else {
        return Ok(ProxyHeader::Incomplete);
    };
    let body_length = usize::from(u16::from_be_bytes([*high, *low]));
    let length = SIGNATURE.len() + 4 + body_length;
    if length > LIMIT {
        return Err(wrong("too long"));
    }
    let Some(body) = body.get(..body_length) else { return Ok(ProxyHeader::Incomplete) };
    let source = match (version_command, family) {
        (0x20, _) => None,
        (0x21, 0x11) => {
            let fields = body.first_chunk::<12>().ok_or_else(|| wrong("too short"))?;
            let [a, b, c, d, _, _, _, _, high, low, _, _] = *fields;
            let address = IpAddr::V4(Ipv4Addr::new(a, b, c, d));
            Some(SocketAddr::new(address, u16::from_be_bytes([high, low])))
        }
        (0x21, 0x21) => {
            let source = body.first_chunk::<16>().ok_or_else(|| wrong("too short"))?;
            let ports = body.get(32..36).ok_or_else(|| wrong("too short"))?;
            let port = match ports {
                [high, low, ..] => u16::from_be_bytes([*high, *low]),
                _ => 0,
            };
            Some(SocketAddr::new(IpAddr::V6(Ipv6Addr::from(*source)), port))
        }
        (0x21, _) => None,
        _ => return Err(wrong("of an unknown version")),
    };
    Ok(ProxyHeader::Header { source, length })
}
