//! Runs a plan: one backend's answer relayed, or several answers made into one.
//!
//! Owns: relaying, scatter and merge, writes over several targets. Never: routes, opens or pools a
//! connection, or decides about a transaction.

pub mod aggregate;
pub mod compare;
pub mod decimal;
pub mod double;
pub mod fold;
pub mod layout;
pub mod limit;
pub mod memory;
pub mod merge;
pub mod pass;
pub mod rename;
pub mod running;
pub mod sort;

#[cfg(test)]
mod tests;
