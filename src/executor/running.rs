//! What a session has running on backends at this moment, so that it can be stopped.
//!
//! Owns: the kill handles of the running statement and why it was stopped. Never: decides to stop.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smallvec::SmallVec;

use crate::backend::kill::{KillHandle, Scope};
use crate::context::ledger::Living;
use crate::error::{Error, Fault, Retry};

/// Why a statement was stopped, which decides the error that the client sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// KILL QUERY.
    Killed,
    /// Its deadline passed.
    Timeout,
}

/// The running statement's backend connections.
#[derive(Debug)]
pub struct Running {
    /// How long a server may take to answer a statement that was told to stop.
    patience: AtomicU64,
    handles: Mutex<SmallVec<[KillHandle; 1]>>,
    interrupt: AtomicU8,
    /// The session's transaction over several groups: it may be chosen to break a deadlock.
    watched: Mutex<Option<Arc<Living>>>,
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl Default for Running {
    fn default() -> Self {
        Running::new(Duration::from_secs(30))
    }
}

impl Running {
    /// With so much patience for a server that was told to stop a statement.
    pub fn new(patience: Duration) -> Self {
        Running {
            patience: AtomicU64::new(millis(patience)),
            handles: Mutex::default(),
            interrupt: AtomicU8::new(0),
            watched: Mutex::default(),
        }
    }

    pub fn patience(&self) -> Duration {
        Duration::from_millis(self.patience.load(Ordering::Relaxed))
    }

    /// The settings may have changed since the session began.
    pub fn set_patience(&self, patience: Duration) {
        self.patience.store(millis(patience), Ordering::Relaxed);
    }

    /// A new statement begins.
    pub fn begin(&self) {
        self.lock().clear();
        self.interrupt.store(0, Ordering::Relaxed);
    }

    /// A connection now runs a part of the statement.
    pub fn add(&self, handle: KillHandle) {
        self.lock().push(handle);
    }

    /// The statement is over: nothing of it may be killed any more.
    pub fn end(&self) {
        self.lock().clear();
    }

    pub fn interrupted(&self) -> Option<Interrupt> {
        match self.interrupt.load(Ordering::Relaxed) {
            1 => Some(Interrupt::Killed),
            2 => Some(Interrupt::Timeout),
            _ => None,
        }
    }

    /// A backend's error as the client should see it: 1317 after a deadline is 3024.
    pub fn explain(&self, error: Error) -> Error {
        if error.errno == 1317 && self.interrupted() == Some(Interrupt::Timeout) {
            return timeout_error();
        }
        if error.errno == 1317 && self.is_victim() {
            return deadlock_error();
        }
        error
    }

    /// From now on the session has this transaction over several groups, or none.
    pub fn watch(&self, living: Option<Arc<Living>>) {
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = living;
    }

    fn is_victim(&self) -> bool {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.as_ref().is_some_and(|living| living.is_victim())
    }

    /// Stops the statement on every backend: KILL QUERY.
    pub async fn interrupt(&self, why: Interrupt) {
        let value = if why == Interrupt::Killed { 1 } else { 2 };
        self.interrupt.store(value, Ordering::Relaxed);
        self.kill(Scope::Query).await;
    }

    /// The session is over: nothing of it goes on running on a backend.
    pub async fn kill_all(&self) {
        self.kill(Scope::Query).await;
    }

    async fn kill(&self, scope: Scope) {
        let handles = self.lock().clone();
        for handle in handles {
            if let Err(error) = handle.kill(scope).await {
                tracing::warn!(node = %handle.node().title(), connection = handle.connection_id(),
                    %error, "KILL was not answered; the connection will be closed");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, SmallVec<[KillHandle; 1]>> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Transactions over groups waited for each other in a ring, and this one was chosen to end it.
pub fn deadlock_error() -> Error {
    Error::backend(
        1213,
        *b"40001",
        "Deadlock found when trying to get lock; try restarting transaction (over several groups)",
    )
}

/// A statement's deadline passed.
pub fn timeout_error() -> Error {
    Error::new(
        Fault::Limit,
        3024,
        b"HY000",
        "statement_timeout",
        "Query execution was interrupted, maximum statement execution time exceeded",
    )
    .retry(Retry::Unknown)
}
