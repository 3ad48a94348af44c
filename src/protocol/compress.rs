//! The compressed protocol: zlib frames around the packet stream.
//!
//! Owns: the 7-byte header and packing both ways. Never: knows where a packet begins in the stream.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use crate::error::{Error, Result};
use crate::protocol::error_code;
use crate::protocol::framing::MAX_CHUNK;

/// The header's length: 3 bytes of compressed length, a sequence id, 3 bytes of plain length.
pub const HEADER_LENGTH: usize = 7;
/// Shorter contents are sent as they are, as MySQL does.
pub const MIN_COMPRESS: usize = 50;

/// One whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub sequence: u8,
    /// The length after unpacking; 0 where the content isn't compressed.
    pub plain_length: usize,
    pub content: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame at the front of `bytes`, `None` where it isn't whole.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let ([a, b, c, sequence, d, e, f], rest) = bytes.split_first_chunk::<HEADER_LENGTH>()?;
        let length = u32::from_le_bytes([*a, *b, *c, 0]) as usize;
        let plain_length = u32::from_le_bytes([*d, *e, *f, 0]) as usize;
        Some(Frame { sequence: *sequence, plain_length, content: rest.get(..length)? })
    }

    /// How long the frame at the front of `bytes` is as a whole, as its header says; 0 before that
    /// has arrived.
    pub fn whole(bytes: &[u8]) -> usize {
        match bytes {
            [a, b, c, ..] => HEADER_LENGTH + u32::from_le_bytes([*a, *b, *c, 0]) as usize,
            _ => 0,
        }
    }

    /// Bytes of the frame, header included.
    pub const fn length(&self) -> usize {
        HEADER_LENGTH + self.content.len()
    }

    /// Appends the content, unpacked. Memory grows with what comes out, never with what the header
    /// announces.
    ///
    /// # Errors
    /// 1157 where zlib fails or the length isn't the announced one, 1153 above `limit` bytes.
    pub fn unpack(&self, limit: usize, out: &mut Vec<u8>) -> Result<()> {
        if self.plain_length == 0 {
            out.extend_from_slice(self.content);
            return Ok(());
        }
        // One frame can hold many small packets, so the limit is at least one frame's.
        if self.plain_length > limit.max(MAX_CHUNK) {
            return Err(error_code::packet_too_large(limit));
        }
        let before = out.len();
        let mut plain = ZlibDecoder::new(self.content).take(self.plain_length as u64 + 1);
        match plain.read_to_end(out) {
            Ok(count) if count == self.plain_length => Ok(()),
            _ => {
                out.truncate(before);
                Err(error_code::uncompress())
            }
        }
    }
}

/// Appends frames that hold `plain`, and returns the next sequence id.
pub fn pack(plain: &[u8], mut sequence: u8, out: &mut Vec<u8>) -> Result<u8> {
    for part in plain.chunks(MAX_CHUNK) {
        let start = out.len();
        out.extend_from_slice(&[0; HEADER_LENGTH]);
        let mut plain_length = 0;
        if part.len() >= MIN_COMPRESS {
            let mut encoder = ZlibEncoder::new(&mut *out, Compression::fast());
            let packed = encoder.write_all(part).and_then(|()| encoder.finish().map(|_| ()));
            packed.map_err(|error| Error::internal(format!("zlib: {error}")))?;
            plain_length = part.len();
        }
        // What doesn't shrink is sent as it is.
        if plain_length == 0 || out.len() - start - HEADER_LENGTH >= part.len() {
            out.truncate(start + HEADER_LENGTH);
            out.extend_from_slice(part);
            plain_length = 0;
        }
        let content_length = out.len() - start - HEADER_LENGTH;
        let [a, b, c, _] = (content_length as u32).to_le_bytes();
        let [d, e, f, _] = (plain_length as u32).to_le_bytes();
        if let Some(header) = out.get_mut(start..start + HEADER_LENGTH) {
            header.copy_from_slice(&[a, b, c, sequence, d, e, f]);
        }
        sequence = sequence.wrapping_add(1);
    }
    Ok(sequence)
}
