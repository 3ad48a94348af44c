//! A file that a server has asked for (LOAD DATA LOCAL).
//!
//! Owns: its packets. Never: decides whether a server may have one.

use crate::backend::answer::Answer;
use crate::backend::connection::Connection;
use crate::error::Result;

/// Bytes of one packet.
const CHUNK: usize = 256 << 10;

impl Connection {
    /// Sends the file that the server has asked for, and reads what it says of it.
    pub async fn send_file(&mut self, file: &[u8]) -> Result<Answer> {
        for chunk in file.chunks(CHUNK) {
            self.stream.send_packet(chunk).await?;
        }
        self.stream.send_packet(&[]).await?;
        self.next_answer().await
    }
}
