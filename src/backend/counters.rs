//! What happened on a node's connections, counted.
//!
//! Owns: the counters of one node as plain atomics, and the words for reasons. Never: exports
//! them, or is touched by a statement that needed nothing unusual (what is in use and idle is
//! asked of the pools).

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Dropped before its answer was read to the end.
    Abandoned,
    /// It failed: reset, EOF, malformed packet.
    Broken,
    /// The server had closed it while it was idle.
    ByServer,
    Idle,
    Lifetime,
    /// Its session state couldn't be cleaned.
    Unclean,
    /// A KILL was or may still be under way.
    Killed,
    /// Closed so that another kind or worker could open one.
    Evicted,
    /// The node or the whole group left the rules, or came back as another server.
    Retired,
}

impl Closed {
    pub const ALL: [Closed; 9] = [
        Closed::Abandoned,
        Closed::Broken,
        Closed::ByServer,
        Closed::Idle,
        Closed::Lifetime,
        Closed::Unclean,
        Closed::Killed,
        Closed::Evicted,
        Closed::Retired,
    ];

    /// The metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Closed::Abandoned => "abandoned",
            Closed::Broken => "broken",
            Closed::ByServer => "by_server",
            Closed::Idle => "idle",
            Closed::Lifetime => "lifetime",
            Closed::Unclean => "unclean",
            Closed::Killed => "killed",
            Closed::Evicted => "evicted",
            Closed::Retired => "retired",
        }
    }
}

/// Why a session keeps its connection beyond a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pin {
    /// A transaction is open on it.
    Transaction,
    TemporaryTable,
    /// GET_LOCK and kin.
    Lock,
    /// LOCK TABLES, FLUSH TABLES WITH READ LOCK.
    TableLock,
    /// PREPARE … FROM.
    Prepare,
    /// A user variable was assigned by an expression.
    UserVariable,
    /// A system variable that isn't tracked.
    Variable,
    /// CALL, or a stored function.
    Routine,
    /// HANDLER … OPEN, or a cursor.
    Cursor,
    /// Warnings or FOUND_ROWS of the last statement may be asked for.
    Diagnostics,
    /// The server reported a change that nobody foresaw.
    Unforeseen,
    /// The statement isn't known to be stateless.
    Unknown,
}

impl Pin {
    pub const ALL: [Pin; 12] = [
        Pin::Transaction,
        Pin::TemporaryTable,
        Pin::Lock,
        Pin::TableLock,
        Pin::Prepare,
        Pin::UserVariable,
        Pin::Variable,
        Pin::Routine,
        Pin::Cursor,
        Pin::Diagnostics,
        Pin::Unforeseen,
        Pin::Unknown,
    ];

    /// The metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Pin::Transaction => "transaction",
            Pin::TemporaryTable => "temporary_table",
            Pin::Lock => "lock",
            Pin::TableLock => "table_lock",
            Pin::Prepare => "prepare",
            Pin::UserVariable => "user_variable",
            Pin::Variable => "variable",
            Pin::Routine => "routine",
            Pin::Cursor => "cursor",
            Pin::Diagnostics => "diagnostics",
            Pin::Unforeseen => "unforeseen",
            Pin::Unknown => "unknown",
        }
    }

    /// Whether the connection must be reset before another session may have it. What ends by
    /// itself (a transaction that was committed, warnings) leaves nothing behind.
    pub fn dirties(self) -> bool {
        !matches!(self, Pin::Transaction | Pin::Diagnostics)
    }

    fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of [`Pin`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Pins(u16);

impl Pins {
    /// Adds a reason; true if it is new.
    pub fn add(&mut self, pin: Pin) -> bool {
        let new = self.0 & pin.bit() == 0;
        self.0 |= pin.bit();
        new
    }

    pub fn remove(&mut self, pin: Pin) {
        self.0 &= !pin.bit();
    }

    pub fn contains(self, pin: Pin) -> bool {
        self.0 & pin.bit() != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Pin> {
        Pin::ALL.into_iter().filter(move |pin| self.contains(*pin))
    }

    /// Whether any reason needs a reset afterwards.
    pub fn dirty(self) -> bool {
        self.iter().any(Pin::dirties)
    }
}

/// Counters of one node.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections opened and logged in.
    pub opened: AtomicU64,
    /// Attempts that failed.
    pub failed: AtomicU64,
    /// Statements that had to wait for a connection.
    pub waits: AtomicU64,
    /// Their waits, microseconds in all.
    pub waited_micros: AtomicU64,
    /// Waits that ended in an error.
    pub refused: AtomicU64,
    /// Connections of another worker lent.
    pub borrowed: AtomicU64,
    /// State changes written together with a statement.
    pub pipelined: AtomicU64,
    /// State changes that were waited for.
    pub awaited: AtomicU64,
    /// COM_RESET_CONNECTION sent.
    pub resets: AtomicU64,
    /// KILLs sent.
    pub kills: AtomicU64,
    closed: [AtomicU64; Closed::ALL.len()],
    pins: [AtomicU64; Pin::ALL.len()],
}

impl Counters {
    pub fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }

    pub fn close(&self, reason: Closed) {
        if let Some(counter) = self.closed.get(reason as usize) {
            Counters::add(counter, 1);
        }
    }

    pub fn pin(&self, reason: Pin) {
        if let Some(counter) = self.pins.get(reason as usize) {
            Counters::add(counter, 1);
        }
    }

    /// How many were closed for this reason.
    pub fn closed(&self, reason: Closed) -> u64 {
        self.closed.get(reason as usize).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// How often a connection was pinned for this reason.
    pub fn pinned(&self, reason: Pin) -> u64 {
        self.pins.get(reason as usize).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_unique_and_in_the_order_of_their_counters() {
        for (place, reason) in Closed::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place);
        }
        for (place, reason) in Pin::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place);
        }
        let labels: std::collections::HashSet<_> =
            Pin::ALL.map(Pin::label).into_iter().chain(Closed::ALL.map(Closed::label)).collect();
        assert_eq!(labels.len(), Pin::ALL.len() + Closed::ALL.len());
    }

    #[test]
    fn a_set_of_pins_knows_whether_a_reset_is_due() {
        let mut pins = Pins::default();
        assert!(pins.add(Pin::Transaction) && !pins.add(Pin::Transaction));
        assert!(!pins.dirty());
        pins.add(Pin::Lock);
        assert!(pins.dirty());
        pins.remove(Pin::Lock);
        pins.remove(Pin::Transaction);
        assert!(pins.is_empty());
    }
}
