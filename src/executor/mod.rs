//! Runs a plan: one backend's answer relayed, or several answers made into one.
//!
//! Owns: relaying, scatter and merge, loading the workbench, writes over several targets. Never: routes, opens or pools a
//! connection, or decides about a transaction.

pub mod aggregate;
pub mod columns;
pub mod compare;
pub mod decimal;
pub mod definition;
pub mod double;
pub mod fold;
pub mod held;
pub mod info;
pub mod insert_id;
pub mod key;
pub mod lane;
pub mod layout;
pub mod limit;
pub mod memory;
pub mod merge;
pub mod pass;
pub mod rename;
pub mod returned;
pub mod running;
pub mod scatter;
pub mod settle;
pub mod sort;
pub mod spare;
pub mod stream;
pub mod temporary;
pub mod together;
pub mod tournament;
pub mod warnings;
pub mod width;
pub mod workbench;
pub mod write;
pub mod write_back;

#[cfg(test)]
mod tests;
