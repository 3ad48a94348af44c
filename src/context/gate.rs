//! PAUSE: statements wait before they take a backend connection, for a bounded time.
//!
//! Owns: who is held and for how long. Never: touches what runs already.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::error::Error;

#[derive(Debug, Default)]
pub struct Gate {
    closed: AtomicBool,
    waiting: AtomicUsize,
    opened: Notify,
}

impl Gate {
    /// From now on statements wait.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Lets everybody on.
    pub fn open(&self) {
        self.closed.store(false, Ordering::Release);
        self.opened.notify_waiters();
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// How many statements wait.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Passes at once where the gate is open, otherwise waits for it, at most `patience` (1205).
    /// Cancel-safe. Call [`Gate::is_closed`] first: it is all that an open gate costs.
    pub async fn pass(&self, patience: Duration) -> Result<(), Error> {
        let opened = async {
            loop {
                let opened = self.opened.notified();
                if !self.closed.load(Ordering::Acquire) {
                    return;
                }
                opened.await;
            }
        };
        let _waiting = Waiting::new(&self.waiting);
        tokio::time::timeout(patience, opened).await.map_err(|_| {
            Error::limit(
                1205,
                "paused",
                format!(
                    "This proxy is paused by its operator, and the statement has waited {} s \
                     (timeouts.pause): try again",
                    patience.as_secs_f64()
                ),
            )
        })
    }
}

/// Counts a waiter as long as it lives, cancelled or not.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test(start_paused = true)]
    async fn statements_wait_for_the_gate_or_give_up() {
        let gate = Arc::new(Gate::default());
        gate.pass(Duration::ZERO).await.unwrap();
        gate.close();
        let error = gate.pass(Duration::from_secs(2)).await.unwrap_err();
        assert_eq!((error.errno, error.code), (1205, "paused"));
        let held = tokio::spawn({
            let gate = gate.clone();
            async move { gate.pass(Duration::from_secs(60)).await }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!((gate.waiting(), held.is_finished()), (1, false));
        gate.open();
        held.await.unwrap().unwrap();
        assert_eq!(gate.waiting(), 0);
    }
}
