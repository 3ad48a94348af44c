//! The process's memory budget: what large packets, merges, sorts and queues may hold together.
//!
//! Owns: the count of reserved bytes and the guards that give them back. Never: allocates, or
//! counts small and fixed buffers (those are bounded by the number of sessions).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::error::Error;

/// The budget; cheap to clone.
#[derive(Clone, Debug)]
pub struct Budget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limit: u64,
    used: AtomicU64,
    /// How often somebody was refused, for metrics.
    refused: AtomicU64,
    /// Woken whenever bytes come back.
    freed: Notify,
}

/// Reserved bytes; they come back when it is dropped.
#[derive(Debug)]
pub struct Reservation {
    shared: Arc<Shared>,
    bytes: u64,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        let shared = Shared {
            limit,
            used: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            freed: Notify::new(),
        };
        Budget { shared: Arc::new(shared) }
    }

    pub fn limit(&self) -> u64 {
        self.shared.limit
    }

    pub fn used(&self) -> u64 {
        self.shared.used.load(Ordering::Relaxed)
    }

    /// How often a reservation ended in an error.
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// A reservation of nothing, to be grown.
    pub fn empty(&self) -> Reservation {
        Reservation { shared: self.shared.clone(), bytes: 0 }
    }

    /// Reserves at once, or says that the budget is used up (1038). Does not wait.
    pub fn reserve(&self, bytes: u64) -> Result<Reservation, Error> {
        let mut reservation = self.empty();
        reservation.grow(bytes)?;
        Ok(reservation)
    }

    /// Reserves, waiting for others to give bytes back for at most `patience`: meanwhile the
    /// caller reads nothing, which is what slows the sender down. Then the error of
    /// [`Budget::reserve`].
    pub async fn reserve_within(
        &self,
        bytes: u64,
        patience: Duration,
    ) -> Result<Reservation, Error> {
        let mut reservation = self.empty();
        if self.shared.take(bytes) {
            reservation.bytes = bytes;
            return Ok(reservation);
        }
        if bytes > self.shared.limit {
            return Err(self.shared.refuse(bytes));
        }
        let wait = async {
            loop {
                // Made before the try, so that a release in between isn't missed.
                let freed = self.shared.freed.notified();
                if self.shared.take(bytes) {
                    return;
                }
                freed.await;
            }
        };
        match tokio::time::timeout(patience, wait).await {
            Ok(()) => {
                reservation.bytes = bytes;
                Ok(reservation)
            }
            Err(_) => Err(self.shared.refuse(bytes)),
        }
    }
}

impl Shared {
    fn take(&self, bytes: u64) -> bool {
        let add = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        self.used.fetch_update(Ordering::AcqRel, Ordering::Relaxed, add).is_ok()
    }

    fn give_back(&self, bytes: u64) {
        if bytes > 0 {
            self.used.fetch_sub(bytes, Ordering::AcqRel);
            self.freed.notify_waiters();
        }
    }

    #[cold]
    fn refuse(&self, bytes: u64) -> Error {
        self.refused.fetch_add(1, Ordering::Relaxed);
        Error::limit(
            1038,
            "memory_budget",
            format!(
                "Out of the memory budget of this proxy: {bytes} bytes more were asked for, {} of \
                 {} are in use (limits.memory_budget)",
                self.used.load(Ordering::Relaxed),
                self.limit
            ),
        )
    }
}

impl Reservation {
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reserves more, or leaves the reservation as it was (1038).
    pub fn grow(&mut self, bytes: u64) -> Result<(), Error> {
        if self.shared.take(bytes) {
            self.bytes += bytes;
            Ok(())
        } else {
            Err(self.shared.refuse(bytes))
        }
    }

    /// Gives some back; never more than is held.
    pub fn shrink(&mut self, bytes: u64) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.shared.give_back(bytes);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shared.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_comes_back() {
        let budget = Budget::new(100);
        let mut a = budget.reserve(60).unwrap();
        let full = budget.reserve(41).unwrap_err();
        assert_eq!((full.errno, full.code), (1038, "memory_budget"));
        a.grow(40).unwrap();
        assert!(a.grow(1).is_err());
        assert_eq!((a.bytes(), budget.used()), (100, 100));
        a.shrink(30);
        let b = budget.reserve(30).unwrap();
        assert_eq!(budget.used(), 100);
        drop(a);
        drop(b);
        assert_eq!(budget.used(), 0);
        assert_eq!(budget.refused(), 2);
        assert!(budget.reserve(u64::MAX).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_gets_what_another_gives_back_or_an_error_in_time() {
        let budget = Budget::new(100);
        let held = budget.reserve(80).unwrap();
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.reserve_within(50, Duration::from_secs(5)).await }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!waiting.is_finished());
        drop(held);
        assert_eq!(waiting.await.unwrap().unwrap().bytes(), 50);

        let held = budget.reserve(80).unwrap();
        let start = tokio::time::Instant::now();
        assert!(budget.reserve_within(50, Duration::from_secs(5)).await.is_err());
        assert_eq!(start.elapsed(), Duration::from_secs(5));
        drop(held);
        // What can never fit isn't waited for.
        let start = tokio::time::Instant::now();
        assert!(budget.reserve_within(101, Duration::from_secs(5)).await.is_err());
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
