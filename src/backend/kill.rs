//! Stopping what a backend connection does, without ever hitting another client.
//!
//! Owns: the handle by which a session is stopped from outside, and the rule that a connection
//! with a KILL under way changes no hands. Never: decides who may kill whom.
//!
//! KILL is asynchronous: it can arrive after the statement it was meant for has ended and hit the
//! connection's next one (trap 13). So a handle works only while the lend it was made for lasts,
//! and a connection that was sent a KILL isn't lent to anybody else before the KILL was answered
//! and a probe has taken up an interruption that came late.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::backend::control;
use crate::backend::counters::Counters;
use crate::backend::node::Node;
use crate::error::Result;

/// How long a KILL may take, from dialling to its answer.
pub const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// What KILL stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The statement under way; the connection lives on.
    Query,
    /// The connection with its transaction.
    Connection,
}

/// The part of a connection that those who may kill it share with it.
#[derive(Debug, Default)]
pub struct KillCell {
    inner: Mutex<Inner>,
    answered: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// Counts lends; a handle of an earlier one is dead.
    lend: u64,
    in_flight: u32,
    /// KILLs sent during this connection's life.
    sent: u64,
    /// So many of them were answered, and a probe has taken up what came late.
    absorbed: u64,
}

/// Stops what one lent connection does. Useless, and harmless, once the lend has ended.
#[derive(Clone, Debug)]
pub struct KillHandle {
    node: Arc<Node>,
    connection_id: u64,
    cell: Arc<KillCell>,
    lend: u64,
}

impl KillCell {
    /// A handle for the present lend.
    pub fn handle(self: &Arc<Self>, node: &Arc<Node>, connection_id: u64) -> KillHandle {
        let lend = self.lock().lend;
        KillHandle { node: node.clone(), connection_id, cell: self.clone(), lend }
    }

    /// Ends the present lend: its handles die. True if no KILL can still come, so that the
    /// connection may be lent again.
    pub fn end_lend(&self) -> bool {
        let mut inner = self.lock();
        inner.lend += 1;
        inner.sent == inner.absorbed
    }

    /// Whether a KILL was sent and a late 1317 may still come.
    pub fn is_due(&self) -> bool {
        let inner = self.lock();
        inner.sent != inner.absorbed
    }

    /// The first so many KILLs can't come any more.
    pub fn absorb(&self, sent: u64) {
        let mut inner = self.lock();
        inner.absorbed = inner.absorbed.max(sent);
    }

    /// Waits until no KILL is under way, and tells how many were sent until then.
    pub async fn settled(&self) -> u64 {
        loop {
            let answered = self.answered.notified();
            let (in_flight, sent) = {
                let inner = self.lock();
                (inner.in_flight, inner.sent)
            };
            if in_flight == 0 {
                return sent;
            }
            answered.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KillHandle {
    /// Sends the KILL over a connection of its own and waits for its answer, at most
    /// [`KILL_TIMEOUT`]. `Ok(false)`: the lend is over, nothing was sent.
    pub async fn kill(&self, scope: Scope) -> Result<bool> {
        let Some(_flight) = Flight::begin(&self.cell, self.lend) else { return Ok(false) };
        Counters::add(&self.node.counters.kills, 1);
        control::kill(&self.node, self.connection_id, scope, KILL_TIMEOUT).await?;
        Ok(true)
    }

    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The backend's own id of the connection.
    pub fn connection_id(&self) -> u64 {
        self.connection_id
    }
}

/// A KILL under way; over when dropped, answered or not.
struct Flight<'a>(&'a KillCell);

impl<'a> Flight<'a> {
    fn begin(cell: &'a KillCell, lend: u64) -> Option<Self> {
        let mut inner = cell.lock();
        if inner.lend != lend {
            return None;
        }
        inner.in_flight += 1;
        inner.sent += 1;
        Some(Flight(cell))
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.lock().in_flight -= 1;
        self.0.answered.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_handle_dies_with_its_lend_and_a_killed_connection_is_not_lent_again() {
        let cell = Arc::new(KillCell::default());
        let first = cell.lock().lend;
        assert!(cell.end_lend());
        assert!(Flight::begin(&cell, first).is_none(), "the lend is over");
        let second = cell.lock().lend;
        let flight = Flight::begin(&cell, second).unwrap();
        assert!(cell.is_due());
        let waiting = cell.clone();
        let waiter = tokio::spawn(async move { waiting.settled().await });
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        drop(flight);
        waiter.await.unwrap();
        assert!(!cell.end_lend());
        cell.absorb(cell.settled().await);
        assert!(cell.end_lend() && !cell.is_due(), "it was taken up: anybody may have it");
    }
}
