//! The idle timeout of a session: one timer, re-armed lazily.
//!
//! Owns: the timer. Never: decides how long, or what happens then.
//!
//! A timer that is made anew for each command is at most times the worker's earliest, and making
//! such a one wakes the worker: a write and a wake-up more for each statement. This one stays where
//! it is while statements run; only when it goes off is it set to where it should be by then.

use std::future::pending;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A session's timer, made at its first wait.
#[derive(Default)]
pub(crate) struct Idle {
    timer: Option<Pin<Box<Sleep>>>,
}

impl Idle {
    /// Resolves when this call has waited for `limit`; never, where there is none. Cancel-safe, and
    /// meant to be cancelled: the timer stays for the next call.
    pub(crate) async fn over(&mut self, limit: Option<Duration>) {
        let Some(limit) = limit else { return pending().await };
        let due = Instant::now() + limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        // A shorter limit than the last one's, such as inside of a transaction.
        if timer.deadline() > due {
            timer.as_mut().reset(due);
        }
        loop {
            timer.as_mut().await;
            if Instant::now() >= due {
                return;
            }
            timer.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{advance, timeout};

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn each_wait_has_the_whole_limit() {
        let mut idle = Idle::default();
        for _ in 0..5 {
            // Commands come every 7 s: a limit of 10 s never passes.
            assert!(timeout(7 * SECOND, idle.over(Some(10 * SECOND))).await.is_err());
            // A statement runs for longer than the limit meanwhile.
            advance(30 * SECOND).await;
        }
        let start = Instant::now();
        idle.over(Some(10 * SECOND)).await;
        let waited = start.elapsed();
        assert!(waited >= 10 * SECOND && waited < 11 * SECOND, "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn limits_may_change_from_wait_to_wait() {
        let mut idle = Idle::default();
        assert!(timeout(SECOND, idle.over(Some(100 * SECOND))).await.is_err());
        let start = Instant::now();
        idle.over(Some(5 * SECOND)).await;
        assert!(start.elapsed() < 6 * SECOND);
        let start = Instant::now();
        idle.over(Some(50 * SECOND)).await;
        assert!(start.elapsed() >= 50 * SECOND);
        assert!(timeout(1_000 * SECOND, idle.over(None)).await.is_err());
    }
}
