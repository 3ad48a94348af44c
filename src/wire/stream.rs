//! The framed stream: its buffers, and reading packets out of them.
//!
//! Owns: the one read buffer, reassembly of split packets, the sequence check, the size limit.
//! Never: writes ([`super::writing`]), relays ([`super::relay`]) or keeps a deadline.
//!
//! Every read is cancel-safe: a dropped future loses no byte, the next call goes on where it was.
//! Memory follows what has arrived, never what a header announces, and [`Stream::release`] gives it
//! back; a client's stream does so by itself when it waits for the next command.

use std::future::Future;
use std::net::SocketAddr;
use std::ops::Range;
use std::pin::pin;
use std::task::{Context, Waker};

use tokio::io::AsyncReadExt;
use tokio::net::{TcpStream, UnixStream};

use crate::error::{Error, Result};
use crate::protocol::error_code;
use crate::protocol::framing::{HEADER_LENGTH, Header, MAX_CHUNK};
use crate::wire::compression::Compression;
use crate::wire::transport::{Socket, Transport};

/// The least bytes that a read has room for, and all that an idle stream keeps of each buffer.
const SMALL_BUFFER: usize = 4 << 10;
/// The most bytes that one read has room for, unless a longer packet is on its way.
const LARGE_BUFFER: usize = 64 << 10;
/// How much of pipelined commands is read ahead while a statement runs.
const READ_AHEAD: usize = 64 << 10;

/// Who is at the other end; decides whose fault a broken stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Client,
    Backend,
}

/// One connection's stream of packets.
#[derive(Debug)]
pub struct Stream {
    pub(super) transport: Transport,
    peer: Peer,
    /// Bytes read; those before `start` are consumed.
    read: Vec<u8>,
    start: usize,
    /// Bytes at `start` that the packet last given out takes up; dropped at the next read.
    lent: usize,
    /// Bytes of payload at `start` that are joined already from full chunks, headers cut out.
    joined: usize,
    /// True where a full chunk was seen and its successor is awaited.
    in_split: bool,
    /// How much the next read has room for.
    appetite: usize,
    /// Packets to be sent; those before `written` have gone.
    pub(super) write: Vec<u8>,
    pub(super) written: usize,
    /// True while a direct write is under way: if its future is dropped, half a packet is out.
    pub(super) torn: bool,
    pub(super) sequence: u8,
    max_packet: usize,
    pub(super) compression: Option<Box<Compression>>,
    client_address: Option<SocketAddr>,
    bytes_in: u64,
    pub(super) bytes_out: u64,
}

impl Stream {
    /// A stream over any socket. `max_packet` is the longest payload that is read, in bytes.
    pub fn new(socket: Socket, peer: Peer, max_packet: usize) -> Self {
        Stream {
            transport: Transport::Plain(socket),
            peer,
            read: Vec::new(),
            start: 0,
            lent: 0,
            joined: 0,
            in_split: false,
            appetite: SMALL_BUFFER,
            write: Vec::new(),
            written: 0,
            torn: false,
            sequence: 0,
            max_packet,
            compression: None,
            client_address: None,
            bytes_in: 0,
            bytes_out: 0,
        }
    }

    /// A stream over TCP, with Nagle's algorithm off.
    pub fn tcp(socket: TcpStream, peer: Peer, max_packet: usize) -> Self {
        // Fails only on a socket that is dead, which the first read will tell.
        let _ = socket.set_nodelay(true);
        Stream::new(Socket::Tcp(socket), peer, max_packet)
    }

    pub fn unix(socket: UnixStream, peer: Peer, max_packet: usize) -> Self {
        Stream::new(Socket::Unix(socket), peer, max_packet)
    }

    /// Two connected ends in memory, for tests: first the side that talks to a client, then the one
    /// that talks to a backend.
    pub fn pair(capacity: usize, max_packet: usize) -> (Self, Self) {
        let (a, b) = tokio::io::duplex(capacity);
        (
            Stream::new(Socket::Memory(a), Peer::Client, max_packet),
            Stream::new(Socket::Memory(b), Peer::Backend, max_packet),
        )
    }

    // ---- what it is --------------------------------------------------------------------------

    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// The client's address: what a PROXY header said, else the socket's.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.client_address.or_else(|| self.transport.peer_address())
    }

    pub(super) fn set_peer_address(&mut self, address: SocketAddr) {
        self.client_address = Some(address);
    }

    /// The socket's own other end, whatever a PROXY header says.
    pub fn socket_address(&self) -> Option<SocketAddr> {
        self.transport.peer_address()
    }

    pub fn is_unix(&self) -> bool {
        self.transport.is_unix()
    }

    pub fn is_tls(&self) -> bool {
        self.transport.is_tls()
    }

    /// True where a password may be sent as it is: TLS, or a socket of this machine.
    pub fn is_secure(&self) -> bool {
        self.is_tls() || self.is_unix()
    }

    /// Bytes read from and written to the socket since the start, before TLS and after zlib.
    pub fn byte_counts(&self) -> (u64, u64) {
        (self.bytes_in, self.bytes_out)
    }

    pub fn set_max_packet(&mut self, bytes: usize) {
        self.max_packet = bytes;
    }

    pub fn max_packet(&self) -> usize {
        self.max_packet
    }

    // ---- sequence ids ------------------------------------------------------------------------

    /// The id that the next packet must carry or gets, whichever way it goes.
    pub fn sequence(&self) -> u8 {
        self.sequence
    }

    /// A new command begins: ids start at 0 again.
    pub fn reset_sequence(&mut self) {
        self.sequence = 0;
        if let Some(compression) = &mut self.compression {
            compression.reset_sequence();
        }
    }

    /// Sets the next id, after bytes were relayed around the packet calls.
    pub fn set_sequence(&mut self, sequence: u8) {
        self.sequence = sequence;
    }

    // ---- reading -----------------------------------------------------------------------------

    /// The next whole packet's payload, split packets joined; `None` where the peer closed between
    /// packets.
    ///
    /// # Errors
    /// 1153 above the size limit, 1156 on a wrong sequence id, 1158 where the peer closed inside a
    /// packet. All of them end the connection.
    pub async fn read_packet(&mut self) -> Result<Option<&[u8]>> {
        match self.next_range().await? {
            Some(range) => Ok(self.read.get(range)),
            None => Ok(None),
        }
    }

    /// Starts a new command: resets the sequence and reads the packet. Buffers that are empty are
    /// given back before waiting.
    pub async fn read_command(&mut self) -> Result<Option<&[u8]>> {
        self.drop_lent();
        if self.joined == 0 && !self.in_split {
            self.reset_sequence();
            if self.buffer().is_empty() {
                self.release();
            }
        }
        self.read_packet().await
    }

    /// As [`Stream::read_command`], but the payload replaces what `into` held, so that the stream
    /// stays free for [`Stream::closed`]. False where the peer closed.
    pub async fn read_command_into(&mut self, into: &mut Vec<u8>) -> Result<bool> {
        into.clear();
        match self.read_command().await? {
            Some(payload) => into.extend_from_slice(payload),
            None => return Ok(false),
        }
        self.drop_lent();
        Ok(true)
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

    async fn next_range(&mut self) -> Result<Option<Range<usize>>> {
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

    /// Finds a whole packet in the buffer and lends it.
    fn take_packet(&mut self) -> Result<Option<Range<usize>>> {
        self.drop_lent();
        loop {
            let at = self.start + self.joined;
            let Some(header) = Header::parse(self.read.get(at..).unwrap_or_default()) else {
                return Ok(None);
            };
            // Inside zlib the ids of the inner packets mean nothing: servers and clients differ.
            if header.sequence != self.sequence && self.compression.is_none() {
                return Err(self.blame(error_code::packets_out_of_order()));
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
    fn drop_lent(&mut self) {
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
        if self.compression.is_some() {
            return self.fill_compressed().await;
        }
        let missing = self.missing();
        make_room(&mut self.read, &mut self.start, self.appetite, missing);
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
        while let Some(compression) = &mut self.compression {
            let unpacked = compression.unpack(&mut self.read, limit);
            let unpacked = unpacked.map_err(|error| self.blame(error))?;
            if unpacked > 0 {
                return Ok(unpacked);
            }
            let Some(compression) = &mut self.compression else { break };
            let inbox = compression.inbox(self.appetite);
            let is_border = inbox.is_empty();
            let count = self.transport.read_buf(inbox).await;
            if self.received(count)? == 0 {
                return if is_border { Ok(0) } else { Err(self.blame(error_code::read_broken())) };
            }
        }
        Ok(0)
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

    /// Gives back buffers that are empty and larger than an idle connection should hold.
    pub fn release(&mut self) {
        self.drop_lent();
        if self.read.is_empty() && self.read.capacity() > SMALL_BUFFER {
            self.read = Vec::new();
        }
        if self.write.is_empty() && self.write.capacity() > SMALL_BUFFER {
            self.write = Vec::new();
        }
        if let Some(compression) = &mut self.compression {
            compression.release();
        }
        self.appetite = SMALL_BUFFER;
    }

    /// Bytes that the buffers take up now.
    pub fn memory(&self) -> usize {
        let compression = self.compression.as_ref().map_or(0, |state| state.memory());
        self.read.capacity() + self.write.capacity() + compression
    }

    /// The same error, on the account of who is at the other end.
    pub(super) fn blame(&self, error: Error) -> Error {
        match self.peer {
            Peer::Client => error,
            Peer::Backend => error_code::of_backend(error),
        }
    }
}

/// Makes room for a read: moves what is unread to the front, and grows by no more than what has
/// arrived (so by less than is `missing`, where a header only announces much).
fn make_room(read: &mut Vec<u8>, start: &mut usize, appetite: usize, missing: usize) {
    if read.capacity() - read.len() >= appetite / 2 {
        return;
    }
    if *start > 0 {
        read.drain(..*start);
        *start = 0;
    }
    if read.capacity() - read.len() < appetite / 2 {
        read.reserve_exact(read.len().min(missing).max(appetite));
    }
}

pub(super) fn is_disconnect(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}
