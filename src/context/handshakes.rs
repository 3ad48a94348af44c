//! Logins under way: how many there may be, and which gives way.
//!
//! Owns: their count under a limit that a reload may change, and the order in which they began. Never:
//! reads what they say.
//!
//! Who opens connections and finishes no login holds a place of each. Where all are taken, the oldest
//! login gives way to the next client once it has had [`PATIENCE`]: so none of them keeps others out.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::context::seat::{Seat, Seats};

/// What a login has before it may be cut for another.
pub const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Handshakes {
    seats: Arc<Seats>,
    /// Oldest first; those that have ended stay until they are met.
    begun: Mutex<VecDeque<(Instant, Weak<Notify>)>>,
}

/// A login under way; its place is free again when dropped.
#[derive(Debug)]
pub struct Handshake {
    cut: Arc<Notify>,
    _seat: Seat,
}

impl Handshake {
    /// Ends when the login must give way. Cancel-safe.
    pub async fn cut(&self) {
        self.cut.notified().await;
    }
}

impl Handshakes {
    pub fn new(limit: u32) -> Self {
        Handshakes { seats: Seats::new(limit), begun: Mutex::default() }
    }

    pub fn set_limit(&self, limit: u32) {
        self.seats.set_limit(limit);
    }

    pub fn limit(&self) -> u32 {
        self.seats.limit()
    }

    pub fn taken(&self) -> u32 {
        self.seats.taken()
    }

    /// A place for a login that begins `now`; `None` where all are taken by logins that are young.
    pub fn take(&self, now: Instant) -> Option<Handshake> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        while begun.front().is_some_and(|(_, cut)| cut.strong_count() == 0) {
            begun.pop_front();
        }
        let seat = match self.seats.take() {
            Some(seat) => seat,
            None => {
                begun.front().filter(|(since, _)| *since + PATIENCE <= now)?;
                if let Some(oldest) = begun.pop_front().and_then(|(_, cut)| cut.upgrade()) {
                    oldest.notify_one();
                }
                // The place of the one that ends, a moment before it has.
                self.seats.take_over()
            }
        };
        if begun.len() >= 2 * self.limit() as usize + 16 {
            begun.retain(|(_, cut)| cut.strong_count() > 0);
        }
        let cut = Arc::new(Notify::new());
        begun.push_back((now, Arc::downgrade(&cut)));
        Some(Handshake { cut, _seat: seat })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_oldest_gives_way_once_it_has_had_its_time() {
        let door = Handshakes::new(2);
        let start = Instant::now();
        let first = door.take(start).unwrap();
        let second = door.take(start).unwrap();
        assert!(door.take(start + PATIENCE / 2).is_none(), "both are young");
        let third = door.take(start + PATIENCE).unwrap();
        first.cut().await;
        drop(first);
        assert_eq!(door.taken(), 2);
        // One that has ended leaves its place to the next, and nobody is cut for it.
        drop(second);
        let fourth = door.take(start + PATIENCE).unwrap();
        assert!(door.take(start + PATIENCE).is_none());
        for waits in [&third, &fourth] {
            let cut = tokio::time::timeout(Duration::from_millis(1), waits.cut()).await;
            assert!(cut.is_err());
        }
        drop((third, fourth));
        assert_eq!(door.taken(), 0);
        // Those that have ended are forgotten.
        for _ in 0..1_000 {
            drop(door.take(start).unwrap());
        }
        assert!(door.begun.lock().unwrap().len() < 30);
    }
}
