//! Packet headers, and the walk over a run of row packets that are relayed as bytes.
//!
//! Owns: the 4-byte header, the 16 MiB splitting rule, and [`RowWalk`], which finds the end of a
//! result set's rows without copying one. Never: reads a socket or looks inside a row.

/// The header's length.
pub const HEADER_LENGTH: usize = 4;
/// The longest payload of one chunk: a chunk of this length is followed by another.
pub const MAX_CHUNK: usize = 0xff_ffff;

/// One chunk's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of payload in this chunk.
    pub length: usize,
    pub sequence: u8,
}

impl Header {
    /// The header at the front of `bytes`, `None` where there are fewer than four.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, sequence] = *bytes.first_chunk::<HEADER_LENGTH>()?;
        Some(Header { length: u32::from_le_bytes([a, b, c, 0]) as usize, sequence })
    }

    /// The header's bytes. `length` is at most [`MAX_CHUNK`].
    pub const fn bytes(self) -> [u8; HEADER_LENGTH] {
        let [a, b, c, _] = (self.length as u32).to_le_bytes();
        [a, b, c, self.sequence]
    }
}

/// Turns the payload that stands in `out` from `start + 4` to the end into framed chunks: the four
/// bytes at `start` become its header, and further headers are put in where it is longer than a
/// chunk. Returns the next sequence id.
pub fn seal(out: &mut Vec<u8>, start: usize, mut sequence: u8) -> u8 {
    let total = out.len().saturating_sub(start + HEADER_LENGTH);
    let mut put = |out: &mut Vec<u8>, at: usize, length: usize| {
        if let Some(place) = out.get_mut(at..at + HEADER_LENGTH) {
            place.copy_from_slice(&Header { length, sequence }.bytes());
        }
        sequence = sequence.wrapping_add(1);
    };
    if total < MAX_CHUNK {
        put(out, start, total);
        return sequence;
    }
    // Rare: make room for the further headers and move the chunks back to front.
    let chunks = total / MAX_CHUNK + 1;
    out.resize(out.len() + (chunks - 1) * HEADER_LENGTH, 0);
    for chunk in (1..chunks).rev() {
        let from = start + HEADER_LENGTH + chunk * MAX_CHUNK;
        let length = (total - chunk * MAX_CHUNK).min(MAX_CHUNK);
        out.copy_within(from..from + length, from + chunk * HEADER_LENGTH);
    }
    for chunk in 0..chunks {
        let at = start + chunk * (MAX_CHUNK + HEADER_LENGTH);
        put(out, at, (total - chunk * MAX_CHUNK).min(MAX_CHUNK));
    }
    sequence
}

/// What stands where a run of rows ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// All buffered bytes were looked at, or the next header isn't whole: read more.
    NeedMore,
    /// The next packet ends the rows: EOF, OK (headed 0xFE) or ERR. It isn't part of the run.
    Terminator,
    /// A sequence id jumped: the stream can't be trusted.
    OutOfOrder,
}

/// Walks row packets, giving them new sequence ids in place.
///
/// A row longer than what is buffered passes piece by piece, so a 1 GiB row needs no 1 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowWalk {
    /// The id that the sender's next chunk must carry.
    expected: u8,
    /// The id that the receiver's next chunk gets.
    next: u8,
    /// Bytes left of the chunk that is passing.
    left: usize,
    /// True where the next chunk continues a row, so that its first byte means nothing.
    continued: bool,
    /// Rows begun.
    rows: u64,
}

impl RowWalk {
    /// `expected`: the next sequence id of the sender; `next`: the receiver's.
    pub const fn new(expected: u8, next: u8) -> Self {
        RowWalk { expected, next, left: 0, continued: false, rows: 0 }
    }

    /// The sender's next sequence id, to go on reading packets after the run.
    pub const fn expected(&self) -> u8 {
        self.expected
    }

    /// The receiver's next sequence id, to go on writing packets after the run.
    pub const fn next(&self) -> u8 {
        self.next
    }

    /// How many rows have begun to pass.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// True between two rows: nothing of a row is missing.
    pub const fn at_row_border(&self) -> bool {
        self.left == 0 && !self.continued
    }

    /// Walks `bytes` from their front. Returns how many of them belong to rows, their sequence ids
    /// patched, and what stands behind. The caller must pass each byte on exactly once.
    pub fn walk(&mut self, bytes: &mut [u8]) -> (usize, RunEnd) {
        let mut at = 0;
        loop {
            let rest = bytes.get_mut(at..).unwrap_or_default();
            if self.left > 0 {
                let step = self.left.min(rest.len());
                self.left -= step;
                at += step;
                if self.left > 0 {
                    return (at, RunEnd::NeedMore);
                }
                continue;
            }
            let Some(header) = Header::parse(rest) else { return (at, RunEnd::NeedMore) };
            if header.sequence != self.expected {
                return (at, RunEnd::OutOfOrder);
            }
            if !self.continued {
                match (header.length, rest.get(HEADER_LENGTH)) {
                    (0, _) | (_, Some(0xff)) => return (at, RunEnd::Terminator),
                    (1..MAX_CHUNK, Some(0xfe)) => return (at, RunEnd::Terminator),
                    (_, None) => return (at, RunEnd::NeedMore),
                    (_, Some(_)) => self.rows += 1,
                }
            }
            if let Some(sequence) = rest.get_mut(3) {
                *sequence = self.next;
            }
            self.next = self.next.wrapping_add(1);
            self.expected = self.expected.wrapping_add(1);
            self.continued = header.length == MAX_CHUNK;
            self.left = header.length;
            at += HEADER_LENGTH;
        }
    }
}
