//! A cursor over one packet's payload, and the appenders that are its mirror.
//!
//! Owns: MySQL's integer and string encodings. Never: knows a packet, allocates for what a length
//! announces, or panics on any input.

use crate::error::{Error, Result};

/// Reads a payload from front to back. Every read either moves on or reports a malformed packet.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    what: &'static str,
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A cursor at the front of `bytes`; `what` names the packet in errors.
    pub const fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Reader { what, bytes }
    }

    /// The error of a packet that can't be read, naming the packet.
    #[cold]
    pub fn malformed(&self, why: &str) -> Error {
        Error::malformed(format!("Malformed packet: {} {why}", self.what))
    }

    pub const fn remaining(&self) -> usize {
        self.bytes.len()
    }

    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// All that is left, without moving.
    pub const fn peek_rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// The next byte, without moving.
    pub fn peek(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        match self.bytes.split_at_checked(count) {
            Some((head, tail)) => {
                self.bytes = tail;
                Ok(head)
            }
            None => Err(self.malformed("is too short")),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self.bytes.split_first_chunk::<N>() {
            Some((head, tail)) => {
                self.bytes = tail;
                Ok(*head)
            }
            None => Err(self.malformed("is too short")),
        }
    }

    pub fn skip(&mut self, count: usize) -> Result<()> {
        self.take(count).map(|_| ())
    }

    pub fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u24(&mut self) -> Result<u32> {
        self.array().map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
    }

    pub fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A length-encoded integer; 0xFB and 0xFF are not lengths.
    pub fn lenenc(&mut self) -> Result<u64> {
        match self.u8()? {
            byte @ 0..=0xfa => Ok(u64::from(byte)),
            0xfc => self.u16().map(u64::from),
            0xfd => self.u24().map(u64::from),
            0xfe => self.u64(),
            0xfb | 0xff => Err(self.malformed("has a wrong length byte")),
        }
    }

    /// A length-encoded string.
    pub fn lenenc_bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.lenenc()?;
        match usize::try_from(length) {
            Ok(length) => self.take(length),
            Err(_) => Err(self.malformed("is too short")),
        }
    }

    /// A length-encoded string or NULL (0xFB).
    pub fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>> {
        if self.peek() == Some(0xfb) {
            self.skip(1)?;
            return Ok(None);
        }
        self.lenenc_bytes().map(Some)
    }

    /// Bytes up to a NUL, which must be there and is skipped.
    pub fn nul_bytes(&mut self) -> Result<&'a [u8]> {
        match self.bytes.iter().position(|&byte| byte == 0) {
            Some(end) => {
                let head = self.take(end)?;
                self.skip(1)?;
                Ok(head)
            }
            None => Err(self.malformed("lacks a closing NUL")),
        }
    }

    /// Bytes up to a NUL or the end, for fields that old clients leave open.
    pub fn nul_bytes_or_rest(&mut self) -> &'a [u8] {
        let whole = self.rest();
        let mut parts = whole.splitn(2, |&byte| byte == 0);
        let head = parts.next().unwrap_or_default();
        self.bytes = parts.next().unwrap_or_default();
        head
    }

    /// Fails where bytes are left over.
    pub fn end(&self) -> Result<()> {
        if self.is_empty() { Ok(()) } else { Err(self.malformed("has bytes left over")) }
    }
}

/// Appends a length-encoded integer.
pub fn put_lenenc(out: &mut Vec<u8>, value: u64) {
    let bytes = value.to_le_bytes();
    match value {
        0..=0xfa => out.push(bytes[0]),
        0xfb..=0xffff => {
            out.push(0xfc);
            out.extend_from_slice(&bytes[..2]);
        }
        0x1_0000..=0xff_ffff => {
            out.push(0xfd);
            out.extend_from_slice(&bytes[..3]);
        }
        _ => {
            out.push(0xfe);
            out.extend_from_slice(&bytes);
        }
    }
}

/// Appends a length-encoded string.
pub fn put_lenenc_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_lenenc(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a length-encoded string or NULL (0xFB).
pub fn put_nullable_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => put_lenenc_bytes(out, bytes),
        None => out.push(0xfb),
    }
}

/// Appends `bytes` up to the first NUL in them, and a NUL: a NUL inside would shift every field
/// behind it.
pub fn put_nul_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    out.extend_from_slice(bytes.get(..end).unwrap_or_default());
    out.push(0);
}
