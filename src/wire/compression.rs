//! zlib between the packets and the socket.
//!
//! Owns: the bytes that wait on the socket's side, and the outer sequence ids. Never: does the
//! arithmetic ([`crate::protocol::compress`] does).

use crate::error::Result;
use crate::protocol::compress;
use crate::protocol::error_code;

/// The state of a compressed stream.
#[derive(Debug, Default)]
pub(super) struct Compression {
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    /// Bytes of the outbox that have gone.
    sent: usize,
    sequence: u8,
}

impl Compression {
    pub(super) fn reset_sequence(&mut self) {
        self.sequence = 0;
    }

    /// Where the socket's bytes go, with room for some.
    pub(super) fn inbox(&mut self, room: usize) -> &mut Vec<u8> {
        if self.inbox.capacity() - self.inbox.len() < room / 2 {
            self.inbox.reserve(room);
        }
        &mut self.inbox
    }

    /// Unpacks the whole frames of the inbox behind `plain`, and returns how many bytes came out.
    /// `limit` bounds what one frame may unpack to.
    pub(super) fn unpack(&mut self, plain: &mut Vec<u8>, limit: usize) -> Result<usize> {
        let before = plain.len();
        let mut used = 0;
        while let Some(frame) = compress::Frame::parse(self.inbox.get(used..).unwrap_or_default()) {
            if frame.sequence != self.sequence {
                return Err(error_code::packets_out_of_order());
            }
            frame.unpack(limit, plain)?;
            self.sequence = self.sequence.wrapping_add(1);
            used += frame.length();
        }
        self.inbox.drain(..used);
        Ok(plain.len() - before)
    }

    /// Moves the packets of `write`, compressed, to the frames that wait for the socket.
    pub(super) fn pack(&mut self, write: &mut Vec<u8>) -> Result<()> {
        self.sequence = compress::pack(write, self.sequence, &mut self.outbox)?;
        write.clear();
        Ok(())
    }

    /// Frames that wait for the socket.
    pub(super) fn outgoing(&self) -> &[u8] {
        self.outbox.get(self.sent..).unwrap_or_default()
    }

    /// So many bytes of them are out.
    pub(super) fn sent(&mut self, count: usize) {
        self.sent += count;
        if self.sent >= self.outbox.len() {
            self.outbox.clear();
            self.sent = 0;
        }
    }

    /// Gives back what is empty.
    pub(super) fn release(&mut self) {
        if self.inbox.is_empty() {
            self.inbox = Vec::new();
        }
        if self.outbox.is_empty() {
            self.outbox = Vec::new();
        }
    }

    pub(super) fn memory(&self) -> usize {
        self.inbox.capacity() + self.outbox.capacity()
    }
}
