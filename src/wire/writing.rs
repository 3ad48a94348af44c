//! The stream's other half: packets into the write buffer, and the buffer into the socket.
//!
//! Owns: building packets in place, splitting, flushing, and writes that go around the buffer.
//! Never: decides when an answer is complete.

use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::error::{Error, Result};
use crate::protocol::framing::{HEADER_LENGTH, Header, MAX_CHUNK, seal};
use crate::wire::stream::{Stream, is_disconnect};

/// Payloads up to this length are copied into the write buffer; longer ones are written from where
/// they stand.
pub const COPY_LIMIT: usize = 16 << 10;

/// Appends packets that are framed already to what waits to be flushed.
#[derive(Debug)]
pub struct RowWriter<'s> {
    out: &'s mut Vec<u8>,
    written: usize,
    sequence: &'s mut u8,
    asked: &'s mut u8,
}

impl RowWriter<'_> {
    /// A packet of one chunk, which gets the next sequence id.
    #[inline]
    pub fn push(&mut self, packet: &[u8]) {
        let header = self.out.len();
        self.out.extend_from_slice(packet);
        if let Some(sequence) = self.out.get_mut(header + 3) {
            *sequence = *self.sequence;
        }
        *self.sequence = self.sequence.wrapping_add(1);
        *self.asked = *self.sequence;
    }

    /// Bytes that wait to be flushed.
    #[inline]
    pub fn pending(&self) -> usize {
        self.out.len() - self.written
    }
}

impl Stream {
    /// Appends a packet whose payload `build` appends to the buffer. Nothing is sent yet.
    pub fn write_with<R>(&mut self, build: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let start = self.write.len();
        self.write.extend_from_slice(&[0; HEADER_LENGTH]);
        let result = build(&mut self.write);
        self.sequence = seal(&mut self.write, start, self.sequence);
        self.asked = self.sequence;
        result
    }

    /// As [`Stream::write_with`], but nothing is left in the buffer where `build` fails.
    pub fn try_write_with<R>(
        &mut self,
        build: impl FnOnce(&mut Vec<u8>) -> Result<R>,
    ) -> Result<R> {
        let start = self.write.len();
        self.write.extend_from_slice(&[0; HEADER_LENGTH]);
        match build(&mut self.write) {
            Ok(result) => {
                self.sequence = seal(&mut self.write, start, self.sequence);
                self.asked = self.sequence;
                Ok(result)
            }
            Err(error) => {
                self.write.truncate(start);
                Err(error)
            }
        }
    }

    /// Appends a packet, split where it is longer than a chunk. Nothing is sent yet.
    pub fn write_packet(&mut self, payload: &[u8]) {
        self.write_with(|out| out.extend_from_slice(payload));
    }

    /// Appends a packet that is framed already, in one chunk, under the next sequence id.
    pub fn write_framed(&mut self, packet: &[u8]) {
        self.row_writer().push(packet);
    }

    /// Appends packets as [`Stream::write_framed`] does, many of them.
    pub fn row_writer(&mut self) -> RowWriter<'_> {
        let Stream { write, written, sequence, asked, .. } = self;
        RowWriter { out: write, written: *written, sequence, asked }
    }

    /// Appends bytes that are framed already.
    pub fn write_raw(&mut self, framed: &[u8]) {
        self.write.extend_from_slice(framed);
    }

    /// Bytes that wait to be flushed.
    pub fn pending_write(&self) -> usize {
        self.write.len() - self.written
    }

    /// Drops what was appended since `pending_write` was `length`, for an answer that must be
    /// replaced by an error. The caller sets the sequence back. False where it was sent already.
    pub fn truncate_write(&mut self, length: usize) -> bool {
        if self.written > 0 || length > self.write.len() {
            return false;
        }
        self.write.truncate(length);
        true
    }

    /// Sends all that waits. Cancel-safe: a later flush goes on where this one was.
    pub async fn flush(&mut self) -> Result<()> {
        self.check_torn()?;
        if self.compression.is_some() {
            self.flush_compressed().await?;
        } else {
            while let Some(rest) = self.write.get(self.written..).filter(|rest| !rest.is_empty()) {
                let write = self.transport.write(rest);
                let count = within(self.write_limit, write).await;
                self.written += self.sent(count)?;
            }
            self.write.clear();
            self.written = 0;
        }
        if self.transport.is_tls() {
            let flushed = within(self.write_limit, self.transport.flush()).await;
            flushed.map_err(|error| self.lost(error))?;
        }
        Ok(())
    }

    async fn flush_compressed(&mut self) -> Result<()> {
        while let Some(compression) = &mut self.compression {
            compression.pack(&mut self.write)?;
            let frames = compression.outgoing();
            if frames.is_empty() {
                break;
            }
            let count = within(self.write_limit, self.transport.write(frames)).await;
            let count = self.sent(count)?;
            if let Some(compression) = &mut self.compression {
                compression.sent(count);
            }
        }
        Ok(())
    }

    /// Flushes where more than `threshold` bytes wait.
    pub async fn flush_over(&mut self, threshold: usize) -> Result<()> {
        if self.pending_write() > threshold { self.flush().await } else { Ok(()) }
    }

    /// Sends all that waits and one packet more, a long one without copying it. Not cancel-safe: if
    /// the future is dropped, the stream refuses all further writes.
    pub async fn send_packet(&mut self, payload: &[u8]) -> Result<()> {
        if payload.len() <= COPY_LIMIT || self.compression.is_some() {
            self.write_packet(payload);
            return self.flush().await;
        }
        let mut rest = payload;
        loop {
            let (chunk, tail) = rest.split_at(rest.len().min(MAX_CHUNK));
            let header = Header { length: chunk.len(), sequence: self.sequence };
            self.sequence = self.sequence.wrapping_add(1);
            self.asked = self.sequence;
            self.write.extend_from_slice(&header.bytes());
            self.send_direct(chunk).await?;
            rest = tail;
            if chunk.len() < MAX_CHUNK {
                return Ok(());
            }
        }
    }

    /// Sends all that waits and then these framed bytes from where they stand. Not cancel-safe, as
    /// [`Stream::send_packet`].
    pub(super) async fn send_direct(&mut self, bytes: &[u8]) -> Result<()> {
        self.check_torn()?;
        if self.compression.is_some() {
            self.write.extend_from_slice(bytes);
            return self.flush().await;
        }
        self.torn = true;
        let mut rest = bytes;
        while !rest.is_empty() {
            let waiting = self.write.get(self.written..).unwrap_or_default();
            let first = waiting.len();
            let slices = [IoSlice::new(waiting), IoSlice::new(rest)];
            let count = match first {
                0 => within(self.write_limit, self.transport.write(rest)).await,
                _ => within(self.write_limit, self.transport.write_vectored(&slices)).await,
            };
            let count = self.sent(count)?;
            let of_buffer = count.min(first);
            self.written += of_buffer;
            rest = rest.get(count - of_buffer..).unwrap_or_default();
        }
        self.torn = false;
        // The buffer can still hold bytes where nothing was to be sent directly.
        self.flush().await
    }

    /// Sends what waits and closes the writing side; the peer then sees the end.
    pub async fn shutdown(&mut self) -> Result<()> {
        let flushed = self.flush().await;
        // The peer may be gone, which is what is wanted.
        let _ = self.transport.shutdown().await;
        flushed
    }

    fn check_torn(&self) -> Result<()> {
        if self.torn {
            return Err(Error::internal("half a packet was sent before").fatal());
        }
        Ok(())
    }

    fn sent(&mut self, count: std::io::Result<usize>) -> Result<usize> {
        match count {
            Ok(0) => Err(self.lost(ErrorKind::WriteZero.into())),
            Ok(count) => {
                self.bytes_out += count as u64;
                Ok(count)
            }
            Err(error) => Err(self.lost(error)),
        }
    }

    fn lost(&self, error: std::io::Error) -> Error {
        if error.kind() == ErrorKind::TimedOut
            && error.raw_os_error().is_none()
            && let Some(limit) = self.write_limit
        {
            let seconds = limit.as_secs();
            let text = format!("The client took nothing for {seconds} s (timeouts.client_write)");
            return Error::limit(1160, "client_write", text).fatal();
        }
        if is_disconnect(&error) {
            return Error::unavailable("disconnected", "the peer closed the connection").fatal();
        }
        Error::from(error)
    }
}

/// One write, or its deadline. A peer that reads takes it at once: no timer is made for it.
async fn within<T>(
    limit: Option<Duration>,
    write: impl Future<Output = std::io::Result<T>>,
) -> std::io::Result<T> {
    let Some(limit) = limit else { return write.await };
    let mut write = pin!(write);
    match poll_fn(|context| Poll::Ready(write.as_mut().poll(context))).await {
        Poll::Ready(done) => done,
        Poll::Pending => match tokio::time::timeout(limit, write).await {
            Ok(done) => done,
            Err(_) => Err(ErrorKind::TimedOut.into()),
        },
    }
}
