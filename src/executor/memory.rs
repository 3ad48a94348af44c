//! What one statement's merge may hold in memory.
//!
//! Owns: the statement's own limit on top of the process's budget, and the sentence that says what
//! would help. Never: allocates.

use crate::error::{Error, Result};
use crate::observe::budget::Reservation;

/// Bytes are reserved in steps of this size, so that a row costs no atomic operation.
const STEP: u64 = 64 << 10;

/// A reservation that ends at the statement's limit.
#[derive(Debug)]
pub struct Memory {
    reservation: Reservation,
    /// `limits.merge_memory`.
    limit: u64,
    used: u64,
}

impl Memory {
    /// `reservation` is the statement's (empty at first), `limit` its most bytes.
    pub fn new(reservation: Reservation, limit: u64) -> Self {
        Memory { reservation, limit, used: 0 }
    }

    /// Accounts for bytes that are about to be held. `what` says what they are for.
    pub fn grow(&mut self, bytes: u64, what: &str) -> Result<()> {
        let used = self.used.saturating_add(bytes);
        if used > self.limit {
            return Err(Error::limit(
                1038,
                "merge_memory",
                format!(
                    "{what} needs more than {} bytes (limits.merge_memory); a condition on the \
                     shard key, a LIMIT, or an ORDER BY that is the GROUP BY's own order would \
                     make it need less",
                    self.limit
                ),
            ));
        }
        if used > self.reservation.bytes() {
            let wanted = (used - self.reservation.bytes()).max(STEP.min(self.limit));
            self.reservation.grow(wanted)?;
        }
        self.used = used;
        Ok(())
    }

    /// Bytes that are no longer held.
    pub fn shrink(&mut self, bytes: u64) {
        self.used = self.used.saturating_sub(bytes);
        let spare = self.reservation.bytes().saturating_sub(self.used);
        if spare > 2 * STEP {
            self.reservation.shrink(spare - STEP);
        }
    }

    pub fn used(&self) -> u64 {
        self.used
    }
}
