//! Rows of a shard that must wait: those of one connection that has to serve several inputs of an
//! ordered merge.
//!
//! Owns: the rows and their place. Never: grows beyond its [`Memory`].

use crate::error::Result;
use crate::executor::memory::Memory;

/// Rows behind each other.
#[derive(Debug, Default)]
pub struct HeldRows {
    arena: Vec<u8>,
    /// Where each row ends.
    ends: Vec<usize>,
    /// The next row to give out.
    next: usize,
}

impl HeldRows {
    /// # Errors
    /// 1038 where the statement's memory is used up.
    pub fn push(&mut self, row: &[u8], memory: &mut Memory) -> Result<()> {
        let what = "Merging shards that share a connection";
        memory.grow((row.len() + size_of::<usize>()) as u64, what)?;
        self.arena.extend_from_slice(row);
        self.ends.push(self.arena.len());
        Ok(())
    }

    /// Copies the next row into `row`; false where there are no more.
    pub fn take(&mut self, row: &mut Vec<u8>) -> bool {
        let start = self.next.checked_sub(1).and_then(|last| self.ends.get(last)).copied();
        let Some(&end) = self.ends.get(self.next) else { return false };
        row.clear();
        row.extend_from_slice(self.arena.get(start.unwrap_or(0)..end).unwrap_or_default());
        self.next += 1;
        true
    }
}
