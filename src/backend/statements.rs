//! The prepared handles of one connection.
//!
//! Owns: which handle stands under which key, and which one makes room. Never: sends anything.

use std::collections::HashMap;

/// A prepared statement's handle on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The server's id, valid on this connection alone.
    pub id: u32,
    pub parameters: u16,
    pub columns: u16,
}

/// A bounded set of handles; the one not used for longest goes first.
#[derive(Debug)]
pub struct Statements {
    limit: usize,
    clock: u64,
    held: HashMap<Box<[u8]>, (Prepared, u64), foldhash::fast::RandomState>,
}

impl Statements {
    /// At most `limit` handles, at least one.
    pub fn new(limit: usize) -> Self {
        Statements { limit: limit.max(1), clock: 0, held: HashMap::default() }
    }

    pub fn get(&mut self, key: &[u8]) -> Option<Prepared> {
        self.clock += 1;
        let (prepared, used) = self.held.get_mut(key)?;
        *used = self.clock;
        Some(*prepared)
    }

    /// Forgets handles until one more fits, and returns their ids, to be closed.
    pub fn make_room(&mut self) -> Vec<u32> {
        let mut stale = Vec::new();
        while self.held.len() >= self.limit {
            let oldest = self.held.iter().min_by_key(|(_, (_, used))| *used);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else { break };
            if let Some((prepared, _)) = self.held.remove(&key) {
                stale.push(prepared.id);
            }
        }
        stale
    }

    pub fn put(&mut self, key: &[u8], prepared: Prepared) {
        self.clock += 1;
        self.held.insert(Box::from(key), (prepared, self.clock));
    }

    pub fn remove(&mut self, key: &[u8]) -> Option<Prepared> {
        self.held.remove(key).map(|(prepared, _)| prepared)
    }

    /// Forgets all and returns their ids, to be closed.
    pub fn drain(&mut self) -> Vec<u32> {
        self.held.drain().map(|(_, (prepared, _))| prepared.id).collect()
    }

    /// The server has dropped all of them.
    pub fn clear(&mut self) {
        self.held.clear();
    }

    pub fn len(&self) -> usize {
        self.held.len()
    }

    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handle_not_used_for_longest_makes_room() {
        let mut statements = Statements::new(2);
        let handle = |id| Prepared { id, parameters: 0, columns: 0 };
        statements.put(b"a", handle(1));
        statements.put(b"b", handle(2));
        assert_eq!(statements.get(b"a"), Some(handle(1)));
        assert_eq!(statements.make_room(), [2]);
        statements.put(b"c", handle(3));
        assert_eq!(statements.get(b"b"), None);
        assert_eq!(
            (statements.get(b"a"), statements.get(b"c")),
            (Some(handle(1)), Some(handle(3)))
        );
        statements.clear();
        assert!(statements.is_empty() && statements.make_room().is_empty());
    }
}
