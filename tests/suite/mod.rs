//! Public cases over sharded tables: sqllogictest's files, TPC-H's queries, a TPC-C mix.
//!
//! Owns: each suite's statements and what they must give. Never: knows of a way that Weir answers
//! by: what one plain server gives is right.

pub mod exceptions;
pub mod mtr;
pub mod place;
pub mod slt;
pub mod tpcc;
pub mod tpch;
