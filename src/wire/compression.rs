//! zlib between the packets and the socket.
//!
//! Owns: the bytes that wait on the socket's side, and the outer sequence ids. Never: does the
//! arithmetic ([`crate::protocol::compress`] does).

use crate::error::Result;
use crate::observe::budget::Reservation;
use crate::protocol::compress;
use crate::protocol::error_code;
use crate::protocol::framing::{HEADER_LENGTH, Header};
use crate::wire::stream::LARGE_BUFFER;

/// The state of a compressed stream.
#[derive(Debug, Default)]
pub(super) struct Compression {
    inbox: Vec<u8>,
    /// What the inbox has of the process's budget.
    reserved: Vec<Reservation>,
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
        let growth = self.growth(room);
        self.inbox.reserve_exact(growth);
        &mut self.inbox
    }

    /// By how many bytes the inbox must grow before a read: by no more than what has arrived, and
    /// by less where the frame lacks less. 0 where there is room for some.
    pub(super) fn growth(&self, room: usize) -> usize {
        if self.inbox.capacity() - self.inbox.len() >= room / 2 {
            return 0;
        }
        let missing = compress::Frame::whole(&self.inbox).saturating_sub(self.inbox.len());
        self.inbox.len().min(missing).max(room)
    }

    /// What the inbox takes up and will take up, beyond what is counted already or not at all.
    pub(super) fn uncounted(&self, growth: usize, free: usize) -> usize {
        (self.inbox.len() + growth).saturating_sub(self.inbox.capacity().max(free))
    }

    pub(super) fn reserved(&mut self, reservation: Reservation) {
        self.reserved.push(reservation);
    }

    /// What the inbox's first frame can unpack to, if it is whole: what it announces, and no more
    /// than zlib makes of so few bytes.
    pub(super) fn next_length(&self) -> usize {
        const MOST_RATIO: usize = 1040;
        let Some(frame) = compress::Frame::parse(&self.inbox) else { return 0 };
        match frame.plain_length {
            0 => frame.content.len(),
            plain => plain.min(frame.content.len().saturating_mul(MOST_RATIO)),
        }
    }

    /// Bytes of the inbox.
    pub(super) fn waiting(&self) -> usize {
        self.inbox.len()
    }

    /// Unpacks the inbox's first frame, if it is whole, behind `plain`, and returns how many bytes
    /// came out, which may be none. `limit` bounds what it may unpack to. One at a time: the frame behind it may be
    /// another command's, whose ids start at 0 again.
    pub(super) fn unpack(&mut self, plain: &mut Vec<u8>, limit: usize) -> Result<Option<usize>> {
        let before = plain.len();
        let Some(frame) = compress::Frame::parse(&self.inbox) else { return Ok(None) };
        if frame.sequence != self.sequence {
            return Err(error_code::packets_out_of_order());
        }
        frame.unpack(limit, plain)?;
        self.sequence = self.sequence.wrapping_add(1);
        let used = frame.length();
        self.inbox.drain(..used);
        // The next frame is mostly of another size.
        if self.inbox.capacity() > 2 * LARGE_BUFFER && self.inbox.len() <= LARGE_BUFFER {
            self.inbox.shrink_to(LARGE_BUFFER);
            self.reserved = Vec::new();
        }
        Ok(Some(plain.len() - before))
    }

    /// Moves the whole packets of `write`, compressed, to the frames that wait for the socket. Half
    /// a packet stays: some clients (mysql-connector-python) take one from two frames at most.
    pub(super) fn pack(&mut self, write: &mut Vec<u8>) -> Result<()> {
        let mut whole = 0;
        while let Some(header) = Header::parse(write.get(whole..).unwrap_or_default()) {
            let next = whole + HEADER_LENGTH + header.length;
            if next > write.len() {
                break;
            }
            whole = next;
        }
        let packets = write.get(..whole).unwrap_or_default();
        self.sequence = compress::pack(packets, self.sequence, &mut self.outbox)?;
        write.drain(..whole);
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
            self.reserved = Vec::new();
        }
        if self.outbox.is_empty() {
            self.outbox = Vec::new();
        }
    }

    pub(super) fn memory(&self) -> usize {
        self.inbox.capacity() + self.outbox.capacity()
    }
}
