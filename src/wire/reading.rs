//! The stream's one half: packets out of the read buffer, and the socket into it.
//!
//! Owns: reassembly of split packets, the sequence check, the size limit, reading ahead. Never:
//! looks inside a packet.
//!
//! Every read is cancel-safe: a dropped future loses no byte, the next call goes on where it was.
//! Memory follows what has arrived, never what a header announces, and is given back when a client's
//! stream waits for the next command.

use std::future::Future;
use std::ops::Range;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::io::AsyncReadExt;

use crate::error::{Error, Result};
use crate::protocol::error_code;
use crate::protocol::framing::{HEADER_LENGTH, Header, MAX_CHUNK};
use crate::wire::stream::{LARGE_BUFFER, Peer, SMALL_BUFFER, Stream, UNCOUNTED, is_disconnect};

/// How long a long packet waits for memory before it is refused.
const BUDGET_PATIENCE: Duration = Duration::from_secs(5);
/// An ERR packet's first byte.
const ERR: u8 = 0xff;
/// How much of pipelined commands is read ahead while a statement runs.
const READ_AHEAD: usize = 64 << 10;

impl Stream {
    /// The next whole packet's payload, split packets joined; `None` where the peer closed between
    /// packets.
    ///
    /// # Errors
    /// 1153 above the size limit, 1156 on a wrong sequence id, 1158 where the peer closed inside a
    /// packet. All of them end the connection.
    pub async fn read_packet(&mut self) -> Result<Option<&[u8]>> {
        match self.await_packet().await? {
            Some(range) => Ok(self.read.get(range)),
            None => Ok(None),
        }
    }

    /// Starts a new command: resets the sequence and reads the packet. Buffers that are empty are
    /// given back before waiting.
    pub async fn read_command(&mut self) -> Result<Option<&[u8]>> {
        self.begin_command();
        self.read_packet().await
    }

    fn begin_command(&mut self) {
        self.drop_lent();
        // Called again after a dropped read, a command may be half joined.
        if !self.in_split {
            self.reset_sequence();
            if self.buffer().is_empty() {
                self.release();
            }
        }
    }

    /// As [`Stream::read_command`], but the payload replaces what `into` held, so that the stream
    /// stays free for [`Stream::closed`]. A long one is handed over without a copy, and counts
    /// against the budget until the next command. False where the peer closed.
    pub async fn read_command_into(&mut self, into: &mut Vec<u8>) -> Result<bool> {
        into.clear();
        if into.capacity() > SMALL_BUFFER {
            *into = Vec::new();
        }
        self.begin_command();
        let Some(range) = self.await_packet().await? else { return Ok(false) };
        if range.len() > LARGE_BUFFER && range.end == self.read.len() {
            *into = std::mem::take(&mut self.read);
            into.drain(..range.start);
            (self.start, self.lent) = (0, 0);
        } else {
            into.extend_from_slice(self.read.get(range).unwrap_or_default());
            self.drop_lent();
        }
        Ok(true)
    }

    /// After error 1153: reads the packet that was too long to its end and throws it away, so that
    /// its sender, who reads nothing before all is sent, comes to read the error. Takes no memory;
    /// the caller bounds the time. The sequence is then the error's.
    pub async fn discard_packet(&mut self) -> Result<()> {
        self.drop_lent();
        let joined = std::mem::take(&mut self.joined);
        self.consume(joined);
        self.in_split = false;
        loop {
            let Some(header) = Header::parse(self.buffer()) else {
                self.fill_or_fail().await?;
                continue;
            };
            self.consume(HEADER_LENGTH);
            self.sequence = header.sequence.wrapping_add(1);
            let mut left = header.length;
            loop {
                let step = left.min(self.buffer().len());
                self.consume(step);
                left -= step;
                if left == 0 {
                    break;
                }
                self.fill_or_fail().await?;
            }
            if header.length < MAX_CHUNK {
                return Ok(());
            }
        }
    }

    /// The payload that stands there, until the next packet is taken.
    pub fn packet(&self, place: Range<usize>) -> &[u8] {
        self.read.get(place).unwrap_or_default()
    }

    async fn fill_or_fail(&mut self) -> Result<()> {
        match self.fill().await? {
            0 => Err(self.blame(error_code::read_broken())),
            _ => Ok(()),
        }
    }

    /// A packet that is buffered already, without I/O. Expects the present sequence id: call
    /// [`Stream::reset_sequence`] first for a pipelined command.
    pub fn buffered_packet(&mut self) -> Result<Option<&[u8]>> {
        match self.take_packet()? {
            Some(range) => Ok(self.read.get(range)),
            None => Ok(None),
        }
    }

    /// True where bytes of a further packet are buffered.
    pub fn has_buffered(&self) -> bool {
        self.read.len() > self.start + self.lent
    }

    /// Where the next whole packet's payload stands, see [`Stream::packet`]; `None` where the peer
    /// closed between packets. Errors as [`Stream::read_packet`].
    pub async fn await_packet(&mut self) -> Result<Option<Range<usize>>> {
        loop {
            if let Some(range) = self.take_packet()? {
                return Ok(Some(range));
            }
            if self.fill().await? == 0 {
                if self.buffer().is_empty() && !self.in_split {
                    return Ok(None);
                }
                return Err(self.blame(error_code::read_broken()));
            }
        }
    }

    /// Finds a whole packet in the buffer and lends it, without I/O.
    pub fn take_packet(&mut self) -> Result<Option<Range<usize>>> {
        self.drop_lent();
        loop {
            let at = self.start + self.joined;
            let Some(header) = Header::parse(self.read.get(at..).unwrap_or_default()) else {
                return Ok(None);
            };
            // Inside zlib the ids of the inner packets mean nothing: servers and clients differ.
            if header.sequence != self.sequence && self.compression.is_none() {
                let Some(is_early) = self.is_early_error(at, header) else { return Ok(None) };
                if !is_early {
                    return Err(self.blame(error_code::packets_out_of_order()));
                }
            }
            if self.joined + header.length > self.max_packet {
                return Err(self.blame(error_code::packet_too_large(self.max_packet)));
            }
            let end = at + HEADER_LENGTH + header.length;
            if self.read.len() < end {
                return Ok(None);
            }
            self.sequence = header.sequence.wrapping_add(1);
            if header.length < MAX_CHUNK && !self.in_split {
                self.lent = HEADER_LENGTH + header.length;
                return Ok(Some(at + HEADER_LENGTH..end));
            }
            // A split packet: cut the header out, so that the payload stands in one piece. What
            // moves is the payload joined so far only if it is shorter than what follows.
            self.cut_header(at);
            self.joined += header.length;
            self.in_split = header.length == MAX_CHUNK;
            if !self.in_split {
                self.lent = self.joined;
                self.joined = 0;
                return Ok(Some(self.start..self.start + self.lent));
            }
        }
    }

    /// The payload's length of a row's packet that stands whole at the front, unsplit and in sequence.
    /// It isn't lent: more can be read behind it, until [`Stream::pass_row`]. `None` where
    /// [`Stream::take_packet`] has to say what stands there.
    pub fn row_ahead(&mut self) -> Option<usize> {
        if self.lent > 0 {
            self.drop_lent();
        }
        let front = self.read.get(self.start..)?;
        let [a, b, c, sequence, first, ..] = *front else { return None };
        let length = u32::from_le_bytes([a, b, c, 0]) as usize;
        let is_row = sequence == self.sequence && first < 0xfe && !self.in_split;
        let is_whole = (1..MAX_CHUNK).contains(&length) && front.len() >= HEADER_LENGTH + length;
        (is_row && is_whole && length <= self.max_packet).then_some(length)
    }

    /// The packet at the front, of a payload of that length, with its header.
    pub fn packet_ahead(&self, length: usize) -> &[u8] {
        self.read.get(self.start..self.start + HEADER_LENGTH + length).unwrap_or_default()
    }

    /// Shows the payloads of the rows at the front, as many as [`Stream::row_ahead`] would give one
    /// after the other and at most `most`, with the lengths of their packets.
    #[inline]
    pub fn rows_ahead(
        &mut self,
        most: usize,
        mut show: impl FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        self.drop_lent();
        if self.in_split {
            return Ok(());
        }
        let mut rest = self.read.get(self.start..).unwrap_or_default();
        let longest = self.max_packet.min(MAX_CHUNK - 1);
        for ahead in 0..most {
            let [a, b, c, sequence, first, ..] = *rest else { break };
            let length = u32::from_le_bytes([a, b, c, 0]) as usize;
            let is_row = sequence == self.sequence.wrapping_add(ahead as u8) && first < 0xfe;
            let Some((packet, behind)) = rest.split_at_checked(HEADER_LENGTH + length) else {
                break;
            };
            if !is_row || length == 0 || length > longest {
                break;
            }
            show(packet.len(), packet.get(HEADER_LENGTH..).unwrap_or_default())?;
            rest = behind;
        }
        Ok(())
    }

    /// Goes on behind the packet at the front.
    pub fn pass_row(&mut self, length: usize) {
        self.pass_rows(1, HEADER_LENGTH + length);
    }

    /// Goes on behind so many packets at the front, of so many bytes.
    pub fn pass_rows(&mut self, count: usize, length: usize) {
        self.sequence = self.sequence.wrapping_add(count as u8);
        self.start += length;
        if self.start >= self.read.len() {
            self.read.clear();
            self.start = 0;
        }
    }

    /// Whether a packet under too low an id is the ERR of a server that refused a command of several
    /// chunks before it had read all of them; `None` where that isn't seen yet.
    fn is_early_error(&self, at: usize, header: Header) -> Option<bool> {
        let may_be = self.peer == Peer::Backend
            && self.sequence == self.asked
            && (1..self.asked).contains(&header.sequence)
            && header.length > 0
            && !self.in_split;
        if !may_be {
            return Some(false);
        }
        self.read.get(at + HEADER_LENGTH).map(|first| *first == ERR)
    }

    /// After a write failed: the number of the ERR that the peer sent before it closed, behind so
    /// many other packets. It stays to be read. The caller bounds the time.
    pub async fn last_word(&mut self, behind: usize) -> Option<u16> {
        loop {
            let mut rest = self.buffer();
            for _ in 0..behind {
                let whole = Header::parse(rest).map_or(rest.len(), |h| h.length + HEADER_LENGTH);
                rest = rest.get(whole..).unwrap_or_default();
            }
            if let Some([ERR, low, high, ..]) = rest.get(HEADER_LENGTH..) {
                return Some(u16::from_le_bytes([*low, *high]));
            }
            if !matches!(self.fill().await, Ok(1..)) {
                return None;
            }
        }
    }

    /// Removes the header at `at`, moving the shorter side.
    fn cut_header(&mut self, at: usize) {
        let before = at - self.start;
        let after = self.read.len() - at - HEADER_LENGTH;
        if before <= after {
            self.read.copy_within(self.start..at, self.start + HEADER_LENGTH);
            self.start += HEADER_LENGTH;
        } else {
            self.read.drain(at..at + HEADER_LENGTH);
        }
    }

    /// Ends the loan of the packet last given out.
    pub(super) fn drop_lent(&mut self) {
        self.start += std::mem::take(&mut self.lent);
        if self.start >= self.read.len() {
            self.read.clear();
            self.start = 0;
        }
    }

    /// Bytes read and not consumed, headers included.
    pub fn buffer(&self) -> &[u8] {
        self.read.get(self.start + self.lent..).unwrap_or_default()
    }

    /// The same, to patch sequence ids in place.
    pub fn buffer_mut(&mut self) -> &mut [u8] {
        self.read.get_mut(self.start + self.lent..).unwrap_or_default()
    }

    /// Consumes bytes at the front of [`Stream::buffer`].
    pub fn consume(&mut self, count: usize) {
        self.drop_lent();
        self.lent = count.min(self.read.len() - self.start);
        self.drop_lent();
    }

    /// One read into the buffer, waiting for bytes. 0: the peer closed. Cancel-safe.
    pub async fn fill(&mut self) -> Result<usize> {
        self.drop_lent();
        // Boxed, both: every wait for a packet would hold room for them.
        if self.compression.is_some() {
            return Box::pin(self.fill_compressed()).await;
        }
        if let Some(growth) = self.make_room() {
            Box::pin(self.grow(growth)).await?;
        }
        let room = self.read.capacity() - self.read.len();
        let count = self.transport.read_buf(&mut self.read).await;
        let count = self.received(count)?;
        if count == room {
            self.appetite = (self.appetite * 4).min(LARGE_BUFFER);
        }
        Ok(count)
    }

    async fn fill_compressed(&mut self) -> Result<usize> {
        let limit = self.max_packet.saturating_add(HEADER_LENGTH);
        self.read.drain(..self.start);
        self.start = 0;
        while let Some(compression) = &self.compression {
            self.make_plain_room(compression.next_length()).await?;
            let Some(compression) = &mut self.compression else { break };
            let unpacked = compression.unpack(&mut self.read, limit);
            match unpacked.map_err(|error| self.blame(error))? {
                // An empty frame: the one behind it may be whole, and nothing else come.
                Some(0) => continue,
                Some(unpacked) => return Ok(unpacked),
                None => {}
            }
            let Some(compression) = &mut self.compression else { break };
            let missing = compression.uncounted(compression.growth(self.appetite), UNCOUNTED);
            if let Some(budget) = &self.budget
                && missing > 0
            {
                let reserved = budget.reserve_within(missing as u64, BUDGET_PATIENCE).await?;
                compression.reserved(reserved);
            }
            let inbox = compression.inbox(self.appetite);
            let is_border = inbox.is_empty();
            let room = inbox.capacity() - inbox.len();
            let count = self.transport.read_buf(inbox).await;
            let count = self.received(count)?;
            if count == 0 {
                return if is_border { Ok(0) } else { Err(self.blame(error_code::read_broken())) };
            }
            if count == room {
                self.appetite = (self.appetite * 4).min(LARGE_BUFFER);
            }
        }
        Ok(0)
    }

    /// Makes room for so many unpacked bytes, out of the process's budget as in
    /// [`Stream::make_room`].
    async fn make_plain_room(&mut self, growth: usize) -> Result<()> {
        if self.read.capacity() - self.read.len() >= growth {
            return Ok(());
        }
        self.grow(growth.max(self.appetite)).await
    }

    /// Grows the read buffer; what it takes up beyond what it does is reserved first.
    async fn grow(&mut self, growth: usize) -> Result<()> {
        let counted = self.counted(growth);
        if let Some(budget) = &self.budget
            && counted > 0
        {
            self.reserved.push(budget.reserve_within(counted as u64, BUDGET_PATIENCE).await?);
        }
        self.read.reserve_exact(growth);
        Ok(())
    }

    /// How many bytes of a growth count against the process's budget.
    fn counted(&self, growth: usize) -> usize {
        let uncounted = self.read.capacity().max(UNCOUNTED);
        (self.read.len() + growth).saturating_sub(uncounted)
    }

    /// Makes room for a read: moves what is unread to the front, and grows by no more than what has
    /// arrived (and by less where less is missing). What a long packet needs comes out of the
    /// process's budget; while that is used up, nothing is read.
    ///
    /// A growth that the budget counts is answered, and left to [`Stream::grow`].
    fn make_room(&mut self) -> Option<usize> {
        if self.read.capacity() - self.read.len() >= self.appetite / 2 {
            return None;
        }
        self.read.drain(..self.start);
        self.start = 0;
        let length = self.read.len();
        if self.read.capacity() - length >= self.appetite / 2 {
            return None;
        }
        let growth = length.min(self.missing()).max(self.appetite);
        if self.budget.is_some() && self.counted(growth) > 0 {
            return Some(growth);
        }
        self.read.reserve_exact(growth);
        None
    }

    /// Bytes that the chunk at the front lacks, as its header says.
    fn missing(&self) -> usize {
        let chunk = self.read.get(self.start + self.joined..).unwrap_or_default();
        Header::parse(chunk)
            .map_or(0, |header| (header.length + HEADER_LENGTH).saturating_sub(chunk.len()))
    }

    /// Counts what a read gave. A reset is how many clients and servers say goodbye: the end.
    fn received(&mut self, count: std::io::Result<usize>) -> Result<usize> {
        match count {
            Ok(count) => {
                self.bytes_in += count as u64;
                Ok(count)
            }
            Err(error) if is_disconnect(&error) => Ok(0),
            Err(error) => Err(self.blame(Error::from(error))),
        }
    }

    /// Goes on in zlib, after the login's OK was flushed.
    pub fn enable_compression(&mut self) {
        self.compression = Some(Box::default());
    }

    /// Resolves when the peer has closed. Commands that it sends meanwhile are kept (up to
    /// 64 KiB, then its close can't be seen). Cancel-safe: made for `select!`.
    pub async fn closed(&mut self) {
        // Frames of the next command are left packed: their ids start anew with it.
        while let Some(compression) = &mut self.compression {
            if compression.waiting() >= READ_AHEAD {
                return std::future::pending().await;
            }
            let count = self.transport.read_buf(compression.inbox(self.appetite)).await;
            match self.received(count) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        while self.buffer().len() < READ_AHEAD {
            match self.fill().await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        std::future::pending().await
    }

    /// True where an idle peer is still there and has said nothing: a pooled connection that fails
    /// this was closed by the server or is out of step.
    pub fn is_quiet(&mut self) -> bool {
        if self.has_buffered() || self.torn || !self.write.is_empty() {
            return false;
        }
        let read = pin!(self.fill());
        read.poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }
}
