//! Which changes of session state a node has accepted before.
//!
//! Owns: the bounded memory of SET texts and database names that a node answered OK to, by their
//! bytes, so that no crafted text passes for another. Never: sends or judges one.
//!
//! A server runs what follows a failed command. So only what this node has accepted before may be
//! written together with the statement that needs it (trap 11).

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Texts longer than this are always waited for, bytes.
const MAX_TEXT: usize = 1024;
/// Texts remembered per node; when full, all are forgotten and learnt anew.
const MAX_TEXTS: usize = 1024;

/// What one node has accepted.
#[derive(Debug, Default)]
pub struct Accepted(Mutex<Sets>);

#[derive(Debug, Default)]
struct Sets {
    sets: HashSet<Box<[u8]>>,
    databases: HashSet<Box<str>>,
}

impl Accepted {
    /// Whether this SET text (without what can't fail) has been accepted. The empty one always is.
    pub fn has_set(&self, text: &[u8]) -> bool {
        text.is_empty() || self.lock().sets.contains(text)
    }

    pub fn has_database(&self, name: &str) -> bool {
        self.lock().databases.contains(name)
    }

    pub fn learn_set(&self, text: &[u8]) {
        if text.is_empty() || text.len() > MAX_TEXT {
            return;
        }
        let mut known = self.lock();
        if known.sets.len() >= MAX_TEXTS {
            known.sets.clear();
        }
        known.sets.insert(Box::from(text));
    }

    pub fn learn_database(&self, name: &str) {
        let mut known = self.lock();
        if known.databases.len() >= MAX_TEXTS {
            known.databases.clear();
        }
        known.databases.insert(Box::from(name));
    }

    /// It failed though it was accepted before.
    pub fn forget_set(&self, text: &[u8]) {
        self.lock().sets.remove(text);
    }

    pub fn forget_database(&self, name: &str) {
        self.lock().databases.remove(name);
    }

    /// The node was away: it may be another server now.
    pub fn forget_all(&self) {
        *self.lock() = Sets::default();
    }

    fn lock(&self) -> MutexGuard<'_, Sets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_accepted_is_known_until_the_node_was_away() {
        let accepted = Accepted::default();
        assert!(accepted.has_set(b""));
        assert!(!accepted.has_set(b"SET a=1"));
        accepted.learn_set(b"SET a=1");
        accepted.learn_database("shop");
        assert!(accepted.has_set(b"SET a=1") && accepted.has_database("shop"));
        accepted.forget_all();
        assert!(!accepted.has_set(b"SET a=1") && !accepted.has_database("shop"));
    }

    #[test]
    fn memory_is_bounded() {
        let accepted = Accepted::default();
        for number in 0..5_000u32 {
            accepted.learn_set(format!("SET a={number}").as_bytes());
            accepted.learn_database(&format!("d{number}"));
        }
        let known = accepted.lock();
        assert!(known.sets.len() <= MAX_TEXTS && known.databases.len() <= MAX_TEXTS);
        drop(known);
        accepted.learn_set(&vec![b'x'; MAX_TEXT + 1]);
        assert!(!accepted.has_set(&vec![b'x'; MAX_TEXT + 1]));
    }
}
