//! Declared sequences: which column they fill, and where their numbers come from.
//!
//! Owns: [`SequenceRule`] and the layout of snowflake ids. Never: makes an id (`sequence` does).

use std::sync::Arc;

use crate::name::{GroupId, SchemaName};

/// The table in which groups keep what segments have handed out.
pub const SEGMENT_TABLE: &str = "weir_sequence";

/// The table in which a group leases worker ids.
pub const WORKER_TABLE: &str = "weir_worker";

/// 2024-01-01 00:00:00 UTC, in milliseconds since 1970.
pub const DEFAULT_EPOCH: u64 = 1_704_067_200_000;

/// A declared sequence, which fills a column of a sharded table as AUTO_INCREMENT would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceRule {
    pub schema: SchemaName,
    /// How `NEXT VALUE FOR` and the tables of the groups call it: the table's name where the rules
    /// give none. Tables of one schema that name the same one share it.
    pub name: Arc<str>,
    pub column: Box<str>,
    pub kind: SequenceKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SequenceKind {
    /// 63 bits of time, worker and counter; worker ids are leased in a group's table.
    Snowflake { group: GroupId, database: Arc<str>, table: Arc<str>, layout: Layout },
    /// Each of these groups hands out ranges of `step` values by compare-and-set.
    Segment {
        /// With the database that holds the table.
        groups: Vec<(GroupId, Arc<str>)>,
        table: Arc<str>,
        step: u64,
        start: u64,
        /// A group's value that no step of this sequence can have reached is moved up instead of
        /// refused.
        adjust: bool,
    },
}

/// Where the bits of a snowflake id stand: time, then worker, then counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// Milliseconds since 1970 at which time is 0.
    pub epoch: u64,
    pub worker_bits: u8,
    pub sequence_bits: u8,
}

impl Default for Layout {
    fn default() -> Self {
        Layout { epoch: DEFAULT_EPOCH, worker_bits: 10, sequence_bits: 12 }
    }
}

impl Layout {
    /// How many workers there can be.
    pub fn workers(self) -> u32 {
        1 << self.worker_bits.min(31)
    }

    /// How many ids a worker has in a millisecond, which is also the most for one statement.
    pub fn per_millisecond(self) -> u32 {
        1 << self.sequence_bits.min(31)
    }

    /// The first time, in milliseconds since 1970, that has no id any more.
    pub fn end(self) -> u64 {
        let bits = 63_u8.saturating_sub(self.worker_bits).saturating_sub(self.sequence_bits);
        self.epoch.saturating_add(1 << bits.min(62))
    }

    /// An id from its parts; `None` where the time is outside of the layout.
    pub fn id(self, time: u64, worker: u32, count: u32) -> Option<u64> {
        if time >= self.end() || worker >= self.workers() || count >= self.per_millisecond() {
            return None;
        }
        let since = time.checked_sub(self.epoch)?;
        Some(
            since << (self.worker_bits + self.sequence_bits)
                | u64::from(worker) << self.sequence_bits
                | u64::from(count),
        )
    }

    /// Time (milliseconds since 1970), worker and counter of an id.
    pub fn parts(self, id: u64) -> (u64, u32, u32) {
        let count = id & (u64::from(self.per_millisecond()) - 1);
        let worker = id >> self.sequence_bits & (u64::from(self.workers()) - 1);
        let since = id >> (self.worker_bits + self.sequence_bits);
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        (self.epoch + since, narrow(worker), narrow(count))
    }
}

impl SequenceKind {
    /// The most ids that one statement can have: they are consecutive, as drivers expect.
    pub fn most_at_once(&self) -> u64 {
        match self {
            SequenceKind::Snowflake { layout, .. } => u64::from(layout.per_millisecond()),
            SequenceKind::Segment { step, .. } => *step,
        }
    }
}
