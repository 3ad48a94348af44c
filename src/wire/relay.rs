//! Rows of a result set from a backend's stream to a client's, as bytes.
//!
//! Owns: the loop that moves them with at most one copy. Never: looks inside a row, reads a column
//! definition or ends a result.

use std::future::ready;

use crate::error::{Error, Result};
use crate::protocol::error_code;
use crate::protocol::framing::{RowWalk, RunEnd};
use crate::wire::stream::Stream;
use crate::wire::writing::COPY_LIMIT;

/// How much is relayed before other tasks of the worker get their turn, in bytes.
const YIELD_AFTER: usize = 256 << 10;

impl Stream {
    /// Relays rows from `backend` to this client until the packet that ends them is next in
    /// `backend`, and returns the number of rows. Both sequence ids are then where they must be.
    ///
    /// Short runs are gathered in the write buffer and leave with what follows, so an answer of one
    /// packet needs one write; long ones are written from the backend's buffer. What waits is sent
    /// whenever the backend lets us wait.
    ///
    /// Not cancel-safe: a dropped future may have sent half a packet; close both.
    ///
    /// # Errors
    /// A backend that closes or sends ids out of order, a client that is gone.
    pub async fn relay_rows(&mut self, backend: &mut Stream) -> Result<u64> {
        let mut walk = RowWalk::new(backend.sequence(), self.sequence());
        let mut relayed = 0;
        loop {
            let (length, end) = walk.walk(backend.buffer_mut());
            relayed += length;
            if length <= COPY_LIMIT {
                let run = backend.buffer().get(..length).unwrap_or_default();
                self.write_raw(run);
                backend.consume(length);
                self.flush_over(COPY_LIMIT).await?;
            } else {
                let run = backend.buffer().get(..length).unwrap_or_default();
                self.send_direct(run).await?;
                backend.consume(length);
            }
            match end {
                RunEnd::Terminator => {
                    backend.set_sequence(walk.expected());
                    self.set_sequence(walk.next());
                    return Ok(walk.rows());
                }
                RunEnd::OutOfOrder => {
                    return Err(backend.blame(error_code::packets_out_of_order()));
                }
                RunEnd::NeedMore => {}
            }
            if relayed >= YIELD_AFTER {
                relayed = 0;
                tokio::task::yield_now().await;
            }
            self.await_rows(backend).await?;
        }
    }

    /// Waits for more bytes of the backend; before that, sends what waits for the client, and
    /// meanwhile watches whether the client goes away.
    async fn await_rows(&mut self, backend: &mut Stream) -> Result<()> {
        let at_once = tokio::select! {
            biased;
            count = backend.fill() => Some(count?),
            () = ready(()) => None,
        };
        let count = match at_once {
            Some(count) => count,
            None => {
                self.flush().await?;
                tokio::select! {
                    biased;
                    count = backend.fill() => count?,
                    () = self.closed() => {
                        return Err(Error::unavailable("client_gone", "the client closed").fatal());
                    }
                }
            }
        };
        if count == 0 { Err(backend.blame(error_code::read_broken())) } else { Ok(()) }
    }
}
