//! A set of shards of one table.
//!
//! Owns: a compact bit set with and, or and iteration in order. Never: knows which shard is where.

use smallvec::SmallVec;
use std::fmt;

/// Some of a table's shards, by number. Up to 128 shards need no allocation.
#[derive(Clone, PartialEq, Eq)]
pub struct ShardSet {
    count: u32,
    words: SmallVec<[u64; 2]>,
}

impl ShardSet {
    /// No shard of `count`.
    pub fn none(count: u32) -> Self {
        ShardSet { count, words: SmallVec::from_elem(0, count.div_ceil(64) as usize) }
    }

    /// All of `count` shards.
    pub fn all(count: u32) -> Self {
        let mut set =
            ShardSet { count, words: SmallVec::from_elem(u64::MAX, count.div_ceil(64) as usize) };
        if let (Some(last), rest @ 1..) = (set.words.last_mut(), count % 64) {
            *last = (1 << rest) - 1;
        }
        set
    }

    pub fn one(count: u32, shard: u32) -> Self {
        let mut set = Self::none(count);
        set.insert(shard);
        set
    }

    /// Adds a shard; numbers beyond the count are ignored.
    pub fn insert(&mut self, shard: u32) {
        if shard < self.count {
            if let Some(word) = self.words.get_mut(shard as usize / 64) {
                *word |= 1 << (shard % 64);
            }
        }
    }

    pub fn contains(&self, shard: u32) -> bool {
        shard < self.count
            && self.words.get(shard as usize / 64).is_some_and(|word| word >> (shard % 64) & 1 == 1)
    }

    /// Those in both. Sets of different tables must not be mixed.
    #[must_use]
    pub fn and(mut self, other: &ShardSet) -> ShardSet {
        debug_assert_eq!(self.count, other.count);
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
        self
    }

    /// Those in either.
    #[must_use]
    pub fn or(mut self, other: &ShardSet) -> ShardSet {
        debug_assert_eq!(self.count, other.count);
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
        self
    }

    /// How many shards the table has.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// How many are in the set.
    pub fn len(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub fn is_all(&self) -> bool {
        self.len() == self.count
    }

    /// The only one in the set.
    pub fn single(&self) -> Option<u32> {
        let mut shards = self.iter();
        let first = shards.next()?;
        shards.next().is_none().then_some(first)
    }

    /// In ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().zip(0u32..).flat_map(|(&word, index)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                if rest == 0 {
                    return None;
                }
                let bit = rest.trailing_zeros();
                rest &= rest - 1;
                Some(index * 64 + bit)
            })
        })
    }
}

impl fmt::Debug for ShardSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_all() {
            write!(f, "all {}", self.count)
        } else {
            f.debug_set().entries(self.iter()).finish()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_combine() {
        let mut low = ShardSet::none(130);
        (0..70).for_each(|shard| low.insert(shard));
        let mut high = ShardSet::none(130);
        (65..200).for_each(|shard| high.insert(shard));
        assert_eq!(low.clone().and(&high).iter().collect::<Vec<_>>(), [65, 66, 67, 68, 69]);
        assert!(low.or(&high).is_all());
        assert_eq!(high.len(), 65);
        assert_eq!(ShardSet::all(64).len(), 64);
        assert_eq!(ShardSet::all(65).iter().last(), Some(64));
        assert_eq!(ShardSet::one(16, 12).single(), Some(12));
        assert_eq!(ShardSet::all(2).single(), None);
        assert!(ShardSet::one(16, 16).is_empty());
        assert!(!ShardSet::all(16).contains(16));
    }
}
