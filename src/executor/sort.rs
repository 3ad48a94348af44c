//! A bounded sort of folded rows in memory.
//!
//! Owns: the rows it was given until they are delivered, and keeping only as many as a LIMIT can
//! need. Never: spills to a disk, or grows beyond its [`Memory`].

use crate::error::Result;
use crate::executor::memory::Memory;

/// With a LIMIT, rows beyond it are thrown away once so many bytes are held.
const TRIM_BYTES: usize = 256 << 10;

/// Rows and their keys, sorted once at the end.
#[derive(Debug)]
pub struct Sorter {
    /// Keys and rows behind each other.
    arena: Vec<u8>,
    entries: Vec<Entry>,
    /// How many rows can be asked for at most.
    most: usize,
    /// Bytes of the arena at which the next trim is worth its sort.
    trim_at: usize,
    memory: Memory,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key_start: usize,
    row_start: usize,
    row_end: usize,
}

impl Sorter {
    /// `most` is the greatest number of rows that will be taken (`u64::MAX`: all).
    pub fn new(most: u64, memory: Memory) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Sorter { arena: Vec::new(), entries: Vec::new(), most, trim_at: TRIM_BYTES, memory }
    }

    /// Keeps a row under a key that `put_key` appends.
    pub fn push(
        &mut self,
        row: &[u8],
        put_key: impl FnOnce(&mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        if self.arena.len() > self.trim_at && self.entries.len() > self.most {
            self.trim();
        }
        let key_start = self.arena.len();
        put_key(&mut self.arena)?;
        let row_start = self.arena.len();
        let entry = size_of::<Entry>();
        self.memory.grow((row_start - key_start + row.len() + entry) as u64, "Sorting")?;
        self.arena.extend_from_slice(row);
        self.entries.push(Entry { key_start, row_start, row_end: self.arena.len() });
        Ok(())
    }

    /// The row at a place of the order, once sorted.
    pub fn row(&self, at: usize) -> Option<&[u8]> {
        let entry = self.entries.get(at)?;
        self.arena.get(entry.row_start..entry.row_end)
    }

    /// Sorts what is held; equal keys stay in the order they came in.
    pub fn sort(&mut self) {
        let arena = &self.arena;
        let key = |entry: &Entry| arena.get(entry.key_start..entry.row_start).unwrap_or_default();
        self.entries.sort_by(|left, right| key(left).cmp(key(right)));
    }

    fn trim(&mut self) {
        self.sort();
        self.entries.truncate(self.most);
        let mut kept = Vec::with_capacity(self.arena.len());
        for entry in &mut self.entries {
            let start = kept.len();
            kept.extend_from_slice(
                self.arena.get(entry.key_start..entry.row_end).unwrap_or_default(),
            );
            let key_length = entry.row_start - entry.key_start;
            *entry = Entry { key_start: start, row_start: start + key_length, row_end: kept.len() };
        }
        self.arena = kept;
        let held = self.arena.len() + self.entries.len() * size_of::<Entry>();
        self.memory.shrink(self.memory.used().saturating_sub(held as u64));
        self.trim_at = (2 * self.arena.len()).max(TRIM_BYTES);
    }
}
