//! The right to use one of a node's connections, counted over all workers.
//!
//! Owns: the count, the queues of those who wait, and who is next. Never: holds a connection.
//!
//! A permit given back goes to the longest waiter, except that a waiter of the same worker goes first
//! where it came at most [`LOCALITY`] later: the connection that comes back with the permit lives on
//! that worker, and each of its packets would wake both. While all workers have their queues, each
//! serves its own. A statement that is dropped while it waits leaves no
//! trace; one that is dropped after it was granted gives the permit on.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// How much later a waiter of the same worker may have come than one of another worker that it
/// passes. Nobody who comes later than that goes first, so none starves.
pub const LOCALITY: Duration = Duration::from_millis(20);

/// A bounded number of permits.
#[derive(Clone, Debug)]
pub struct Permits(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    max: usize,
    max_waiting: usize,
    waiting: AtomicUsize,
    queues: Mutex<Queues>,
}

#[derive(Debug)]
struct Queues {
    free: usize,
    /// One per worker.
    waiters: Vec<VecDeque<Waiter>>,
}

#[derive(Debug)]
struct Waiter {
    since: Instant,
    grant: oneshot::Sender<Permit>,
}

/// The right to use one connection; given on when dropped.
#[derive(Debug)]
pub struct Permit {
    home: Option<Arc<Shared>>,
    worker: usize,
}

/// Why no permit was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too many wait already.
    Queue { waiting: usize },
    /// The deadline passed.
    Late { waited: Duration },
}

impl Permits {
    pub fn new(max: usize, max_waiting: usize, workers: usize) -> Self {
        let waiters = (0..workers.max(1)).map(|_| VecDeque::new()).collect();
        Permits(Arc::new(Shared {
            max,
            max_waiting,
            waiting: AtomicUsize::new(0),
            queues: Mutex::new(Queues { free: max, waiters }),
        }))
    }

    /// How many there are in all.
    pub fn max(&self) -> usize {
        self.0.max
    }

    /// How many are out.
    pub fn in_use(&self) -> usize {
        self.0.max.saturating_sub(self.0.lock().free)
    }

    /// How many statements wait.
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// A permit if one is free now and nobody waits for it.
    pub fn try_acquire(&self, worker: usize) -> Option<Permit> {
        let mut queues = self.0.lock();
        if queues.free == 0 {
            return None;
        }
        queues.free -= 1;
        drop(queues);
        Some(Permit { home: Some(self.0.clone()), worker })
    }

    /// A permit, waiting until `deadline` for one.
    pub async fn acquire(&self, worker: usize, deadline: Instant) -> Result<Permit, Refusal> {
        if let Some(permit) = self.try_acquire(worker) {
            return Ok(permit);
        }
        let since = Instant::now();
        let counted = Counted::enter(&self.0)?;
        let granted = {
            let mut queues = self.0.lock();
            // One may have come back since the look above.
            if queues.free > 0 {
                queues.free -= 1;
                return Ok(Permit { home: Some(self.0.clone()), worker });
            }
            queues.prune(self.waiting());
            let (grant, granted) = oneshot::channel();
            let place = worker % queues.waiters.len();
            if let Some(queue) = queues.waiters.get_mut(place) {
                queue.push_back(Waiter { since, grant });
            }
            granted
        };
        let answer = timeout_at(deadline, granted).await;
        drop(counted);
        match answer {
            Ok(Ok(permit)) => Ok(permit.relabel(worker)),
            Ok(Err(_)) | Err(_) => Err(Refusal::Late { waited: since.elapsed() }),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues {
    /// Forgets waiters that gave up, once they are many beside the `living`.
    fn prune(&mut self, living: usize) {
        let held: usize = self.waiters.iter().map(VecDeque::len).sum();
        if held > 2 * living + 64 {
            for queue in &mut self.waiters {
                queue.retain(|waiter| !waiter.grant.is_closed());
            }
        }
    }

    /// Takes the waiter whose turn it is when a permit comes back from `worker`.
    fn next(&mut self, worker: usize) -> Option<Waiter> {
        for queue in &mut self.waiters {
            while queue.front().is_some_and(|waiter| waiter.grant.is_closed()) {
                queue.pop_front();
            }
        }
        let oldest = self
            .waiters
            .iter()
            .enumerate()
            .filter_map(|(place, queue)| queue.front().map(|waiter| (waiter.since, place)))
            .min()?;
        let local = worker % self.waiters.len();
        let near = self.waiters.get(local).and_then(VecDeque::front);
        let soon = near.is_some_and(|near| near.since - oldest.0 < LOCALITY);
        let place = if soon { local } else { oldest.1 };
        self.waiters.get_mut(place)?.pop_front()
    }
}

impl Permit {
    /// The same permit, to come back from this worker.
    fn relabel(mut self, worker: usize) -> Permit {
        self.worker = worker;
        self
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(home) = self.home.take() else { return };
        loop {
            let waiter = {
                let mut queues = home.lock();
                match queues.next(self.worker) {
                    Some(waiter) => waiter,
                    None => {
                        queues.free += 1;
                        return;
                    }
                }
            };
            let permit = Permit { home: Some(home.clone()), worker: self.worker };
            match waiter.grant.send(permit) {
                Ok(()) => return,
                // It gave up just now: the permit goes to the next.
                Err(mut back) => back.home = None,
            }
        }
    }
}

/// One statement in the queue, counted until it leaves it in whatever way.
struct Counted<'a>(&'a Shared);

impl<'a> Counted<'a> {
    fn enter(shared: &'a Shared) -> Result<Self, Refusal> {
        let before = shared.waiting.fetch_add(1, Ordering::Relaxed);
        let counted = Counted(shared);
        if before >= shared.max_waiting {
            return Err(Refusal::Queue { waiting: before });
        }
        Ok(counted)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
