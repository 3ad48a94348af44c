//! Hints: `/*+ weir: … */` and TDDL's.
//!
//! Owns: their grammar. Never: obeys one; unknown ones are reported and not silently passed over.

use std::ops::Range;

/// What a hint asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// `shard(orders, 12)`: this shard of a table.
    Shard { table: String, shard: u32 },
    /// `primary`, TDDL's `master()`.
    Primary,
    /// `replica`, TDDL's `slave()`.
    Replica,
    /// `timeout(500)`: milliseconds.
    Timeout(u64),
    /// `scatter_ok`: a statement for many shards is meant so.
    ScatterOk,
    /// TDDL's `node('group')`: the statement goes as it is to these groups (or node numbers).
    Node(Vec<String>),
    /// TDDL's `scan(…)`: to all shards, narrowed by what is given.
    Scan(Scan),
}

/// The arguments of TDDL's `scan()`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Scan {
    /// The logical tables: the first argument, or none for all of the statement.
    pub tables: Vec<String>,
    /// `condition="…"`.
    pub condition: Option<String>,
    /// `node="0,1"`.
    pub nodes: Vec<String>,
    /// `real_table=("t_0","t_1")`.
    pub real_tables: Vec<String>,
}

/// A statement's hints.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Hints {
    pub hints: Vec<Hint>,
    /// The comments that held them: to be cut out before the statement is sent, since MySQL would
    /// warn of them or run them (`/*!TDDL:…*/`).
    pub ranges: Vec<Range<usize>>,
    /// What was not understood, with the reason: an error or a warning for the client.
    pub unknown: Vec<String>,
}
