//! What the process knows of its transactions over several groups.
//!
//! Owns: their numbers, which of them live and what each does, the names of the groups' commit
//! tables, keys of rows that may be cleared, and the counters. Never: runs a statement
//! (`transaction` does).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::backend::kill::KillHandle;
use crate::name::GroupName;

/// The most keys that wait to be cleared; what is beyond is found by the sweep.
const CLEARABLE_MAX: usize = 20_000;

/// Counters, since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Committed in two phases.
    pub committed: AtomicU64,
    /// Rolled back though the client said COMMIT.
    pub aborted: AtomicU64,
    /// The client was told that the outcome is unknown.
    pub unknown: AtomicU64,
    /// Branches left to recovery.
    pub left: AtomicU64,
    /// Branches that recovery committed.
    pub recovered_committed: AtomicU64,
    /// Branches that recovery rolled back.
    pub recovered_rolled_back: AtomicU64,
    /// Deadlocks over groups that were broken here.
    pub deadlocks: AtomicU64,
}

/// Where a transaction stands, for lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Standing {
    Open,
    Preparing,
    Deciding,
    /// COMMIT's answer was lost; the outcome is being asked for.
    Asking,
    Finishing,
}

impl Standing {
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Open => "open",
            Standing::Preparing => "preparing",
            Standing::Deciding => "deciding",
            Standing::Asking => "asking",
            Standing::Finishing => "finishing",
        }
    }
}

/// One group's part of a living transaction.
#[derive(Clone, Debug)]
pub struct Member {
    pub group: GroupName,
    /// Stops what runs there, while the transaction holds the connection.
    pub handle: KillHandle,
}

/// A living transaction over several groups.
#[derive(Debug)]
pub struct Living {
    /// Its id as text, the key of its commit row.
    pub id: String,
    pub number: u64,
    /// The client's connection id.
    pub client: u32,
    pub since: Instant,
    members: Mutex<Vec<Member>>,
    standing: AtomicU8,
    victim: AtomicBool,
    ledger: Arc<Ledger>,
}

impl Living {
    pub fn join(&self, group: GroupName, handle: KillHandle) {
        lock(&self.members).push(Member { group, handle });
    }

    /// The anchor first.
    pub fn members(&self) -> Vec<Member> {
        lock(&self.members).clone()
    }

    pub fn stands(&self, standing: Standing) {
        self.standing.store(standing as u8, Ordering::Relaxed);
    }

    pub fn standing(&self) -> Standing {
        match self.standing.load(Ordering::Relaxed) {
            0 => Standing::Open,
            1 => Standing::Preparing,
            2 => Standing::Deciding,
            3 => Standing::Asking,
            _ => Standing::Finishing,
        }
    }

    /// It was chosen to break a deadlock: what its statement ends in is error 1213.
    pub fn choose(&self) -> bool {
        !self.victim.swap(true, Ordering::Relaxed)
    }

    pub fn is_victim(&self) -> bool {
        self.victim.load(Ordering::Relaxed)
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        lock(&self.ledger.living).remove(&self.number);
    }
}

/// A row that may go once it is old enough.
#[derive(Clone, Debug)]
pub struct Clearable {
    /// The anchor's group.
    pub group: GroupName,
    pub key: String,
    /// The groups of its branches.
    pub members: Vec<GroupName>,
    pub since: Instant,
}

/// All of it.
#[derive(Debug)]
pub struct Ledger {
    /// Which proxy this is, as in connection ids.
    pub proxy: u16,
    /// Tells this run of the process from every other one.
    pub run: u64,
    number: AtomicU64,
    living: Mutex<HashMap<u64, std::sync::Weak<Living>>>,
    /// What the commit table of a server calls itself, by the server's address and the database.
    instances: Mutex<HashMap<(String, String), u64>>,
    clearable: Mutex<Vec<Clearable>>,
    /// Prepared branches of this deployment at the last look, and when the oldest was first seen.
    prepared: Mutex<(usize, Option<Instant>)>,
    pub counters: Counters,
}

impl Ledger {
    pub fn new(proxy: u16, run: u64) -> Arc<Self> {
        Arc::new(Ledger {
            proxy,
            run,
            number: AtomicU64::new(1),
            living: Mutex::default(),
            instances: Mutex::default(),
            clearable: Mutex::default(),
            prepared: Mutex::default(),
            counters: Counters::default(),
        })
    }

    /// A number for a new transaction.
    pub fn next_number(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed)
    }

    /// Enters a transaction; it leaves when the last handle to it is dropped.
    pub fn enter(self: &Arc<Self>, id: String, number: u64, client: u32) -> Arc<Living> {
        let living = Arc::new(Living {
            id,
            number,
            client,
            since: Instant::now(),
            members: Mutex::default(),
            standing: AtomicU8::new(Standing::Open as u8),
            victim: AtomicBool::new(false),
            ledger: self.clone(),
        });
        lock(&self.living).insert(number, Arc::downgrade(&living));
        living
    }

    /// Whether a transaction of this run still lives here.
    pub fn lives(&self, number: u64) -> bool {
        lock(&self.living).contains_key(&number)
    }

    /// All that live, oldest first.
    pub fn living(&self) -> Vec<Arc<Living>> {
        let mut living: Vec<_> =
            lock(&self.living).values().filter_map(|weak| weak.upgrade()).collect();
        living.sort_by_key(|living| living.number);
        living
    }

    pub fn set_prepared(&self, count: usize, oldest: Option<&Instant>) {
        *lock(&self.prepared) = (count, oldest.copied());
    }

    /// Prepared branches at the last look, and for how long the oldest has been seen.
    pub fn prepared(&self) -> (usize, std::time::Duration) {
        let (count, oldest) = *lock(&self.prepared);
        (count, oldest.map_or_else(Default::default, |oldest| oldest.elapsed()))
    }

    pub fn instance(&self, server: &str, database: &str) -> Option<u64> {
        lock(&self.instances).get(&(server.to_owned(), database.to_owned())).copied()
    }

    pub fn set_instance(&self, server: String, database: String, instance: u64) {
        lock(&self.instances).insert((server, database), instance);
    }

    /// The commit table of a server isn't what it was, or gone.
    pub fn forget_instance(&self, server: &str) {
        lock(&self.instances).retain(|(known, _), _| known != server);
    }

    /// All branches of this transaction are resolved: its row in the anchor's group may go once that is
    /// seen in the groups of its branches, too.
    pub fn clear_later(&self, group: GroupName, key: String, members: Vec<GroupName>) {
        let mut clearable = lock(&self.clearable);
        if clearable.len() < CLEARABLE_MAX {
            clearable.push(Clearable { group, key, members, since: Instant::now() });
        }
    }

    /// Takes the rows that have waited since before `before`.
    pub fn take_clearable(&self, before: Instant) -> Vec<Clearable> {
        let mut clearable = lock(&self.clearable);
        let young = clearable.iter().position(|row| row.since > before).unwrap_or(clearable.len());
        clearable.drain(..young).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_lives_as_long_as_its_handle() {
        let ledger = Ledger::new(1, 2);
        let number = ledger.next_number();
        let living = ledger.enter("id".to_owned(), number, 7);
        living.stands(Standing::Asking);
        assert!(ledger.lives(number) && !ledger.lives(number + 1));
        assert_eq!(ledger.living()[0].standing(), Standing::Asking);
        assert!(living.choose() && !living.choose() && living.is_victim());
        drop(living);
        assert!(!ledger.lives(number) && ledger.living().is_empty());
    }

    #[test]
    fn rows_wait_before_they_go() {
        let ledger = Ledger::new(1, 2);
        let before = Instant::now();
        ledger.clear_later(GroupName::from("g0"), "a".to_owned(), Vec::new());
        assert!(ledger.take_clearable(before).is_empty());
        assert_eq!(ledger.take_clearable(Instant::now()).len(), 1);
        assert!(ledger.take_clearable(Instant::now()).is_empty());
    }
}
