//! Seats: how many clients there may be, with guards that free them.
//!
//! Owns: a count under a limit that a reload may change. Never: queues; a client without a seat is
//! told so at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Debug)]
pub struct Seats {
    limit: AtomicU32,
    /// What the process can bear, whatever the settings say.
    ceiling: AtomicU32,
    taken: AtomicU32,
}

/// A taken seat; free again when dropped.
#[derive(Debug)]
pub struct Seat(Arc<Seats>);

impl Seats {
    pub fn new(limit: u32) -> Arc<Self> {
        let ceiling = AtomicU32::new(u32::MAX);
        Arc::new(Seats { limit: AtomicU32::new(limit), ceiling, taken: AtomicU32::new(0) })
    }

    /// Seats taken beyond a lowered limit stay taken.
    pub fn set_limit(&self, limit: u32) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// No limit set later goes above it.
    pub fn set_ceiling(&self, ceiling: u32) {
        self.ceiling.store(ceiling, Ordering::Relaxed);
    }

    pub fn limit(&self) -> u32 {
        self.limit.load(Ordering::Relaxed).min(self.ceiling.load(Ordering::Relaxed))
    }

    pub fn taken(&self) -> u32 {
        self.taken.load(Ordering::Relaxed)
    }

    /// A seat, or `None` where all are taken.
    pub fn take(self: &Arc<Self>) -> Option<Seat> {
        let limit = self.limit();
        let add = |taken: u32| if taken < limit { Some(taken + 1) } else { None };
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Relaxed, add).ok()?;
        Some(Seat(self.clone()))
    }

    /// A seat of one who is about to leave: more than the limit are taken until then.
    pub fn take_over(self: &Arc<Self>) -> Seat {
        self.taken.fetch_add(1, Ordering::AcqRel);
        Seat(self.clone())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_limited_and_come_back() {
        let seats = Seats::new(2);
        let a = seats.take().unwrap();
        let b = seats.take().unwrap();
        assert!(seats.take().is_none());
        seats.set_limit(1);
        drop(a);
        assert!(seats.take().is_none());
        drop(b);
        let c = seats.take().unwrap();
        seats.set_limit(10);
        seats.set_ceiling(1);
        assert!(seats.take().is_none());
        drop(c);
        assert_eq!(seats.taken(), 0);
    }
}
