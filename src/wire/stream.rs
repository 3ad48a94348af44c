//! The framed stream: what it stands on, its two buffers, its sequence ids.
//!
//! Owns: the state that reading and writing share, and giving memory back. Never: reads
//! (`wire/reading.rs`), writes (`wire/writing.rs`), relays ([`crate::wire::relay`]) or keeps another
//! deadline than that of a peer which takes nothing.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};

use crate::error::Error;
use crate::observe::budget::{Budget, Reservation};
use crate::protocol::error_code;
use crate::wire::compression::Compression;
use crate::wire::transport::{Socket, Transport};

/// The least bytes that a read has room for, and all that an idle stream keeps of each buffer.
pub(super) const SMALL_BUFFER: usize = 4 << 10;
/// The most bytes that one read has room for, unless a longer packet is on its way.
pub(super) const LARGE_BUFFER: usize = 64 << 10;
/// A read buffer up to this size isn't counted: sessions bound their number.
pub(super) const UNCOUNTED: usize = 2 * LARGE_BUFFER;

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
    pub(super) peer: Peer,
    /// Bytes read; those before `start` are consumed.
    pub(super) read: Vec<u8>,
    pub(super) start: usize,
    /// Bytes at `start` that the packet last given out takes up; dropped at the next read.
    pub(super) lent: usize,
    /// Bytes of payload at `start` that are joined already from full chunks, headers cut out.
    pub(super) joined: usize,
    /// True where a full chunk was seen and its successor is awaited.
    pub(super) in_split: bool,
    /// How much the next read has room for.
    pub(super) appetite: usize,
    /// Packets to be sent; those before `written` have gone.
    pub(super) write: Vec<u8>,
    pub(super) written: usize,
    /// True while a direct write is under way: if its future is dropped, half a packet is out.
    pub(super) torn: bool,
    /// How long the peer may take nothing of what is written.
    pub(super) write_limit: Option<Duration>,
    pub(super) sequence: u8,
    /// The id behind the last packet that was written, which is that of its answer.
    pub(super) asked: u8,
    pub(super) max_packet: usize,
    pub(super) compression: Option<Box<Compression>>,
    client_address: Option<SocketAddr>,
    pub(super) budget: Option<Budget>,
    /// What the read buffer, or the long command that was taken out of it, has of the budget.
    pub(super) reserved: Vec<Reservation>,
    pub(super) bytes_in: u64,
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
            write_limit: None,
            sequence: 0,
            asked: 0,
            max_packet,
            compression: None,
            client_address: None,
            budget: None,
            reserved: Vec::new(),
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

    /// From now on a peer that takes nothing for so long ends the write with 1160.
    pub fn set_write_limit(&mut self, limit: Option<Duration>) {
        self.write_limit = limit;
    }

    /// Counts what long packets need against the process's budget from now on.
    pub fn set_budget(&mut self, budget: Budget) {
        self.budget = Some(budget);
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

    /// Gives back buffers that are empty and larger than an idle connection should hold.
    pub fn release(&mut self) {
        self.drop_lent();
        if self.read.is_empty() && self.read.capacity() > SMALL_BUFFER {
            self.read = Vec::new();
        }
        if self.read.capacity() <= UNCOUNTED {
            self.reserved = Vec::new();
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

pub(super) fn is_disconnect(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}
