//! What a KILL QUERY leaves behind on a connection that its session keeps.
//!
//! Owns: waiting for the KILL's answer, and taking up an interruption that comes late. Never: sends a
//! KILL ([`crate::backend::kill`]).

use crate::backend::connection::Connection;
use crate::backend::fault;
use crate::error::Result;

impl Connection {
    /// Whether a KILL QUERY was sent to what runs here, and may hit what comes next.
    pub fn is_kill_due(&self) -> bool {
        self.kill.is_due()
    }

    /// After a KILL QUERY while the session keeps the connection: waits until the KILL was
    /// answered, and takes up an interruption that comes late, so that it doesn't hit the next
    /// statement.
    pub async fn outlive_kill(&mut self) -> Result<()> {
        if !self.is_kill_due() {
            return Ok(());
        }
        let sent = self.kill.settled().await;
        for _ in 0..3 {
            match self.simple(b"DO 0").await {
                Ok(_) => {
                    self.kill.absorb(sent);
                    return Ok(());
                }
                Err(error) if error.errno == 1317 => {}
                Err(error) => return Err(error),
            }
        }
        Err(fault::broken(&self.node, "it is interrupted again and again"))
    }
}
