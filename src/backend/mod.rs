//! The databases behind the proxy: groups, nodes, connections, and what is known of them.
//!
//! Owns: opening, pooling and lending data connections; which node is primary and which answers
//! reads; session state on connections; KILL; loading the catalog. Never: reads a client's packet,
//! plans, merges, or starts a task: `server` runs what [`group::Group::watch`] gives.
//!
//! [`topology::Topology`] → [`group::Group`] (chooses) → [`pool::Pool`] of one node (waits, lends)
//! → [`connection::Connection`] (speaks).

pub mod accepted;
pub mod answer;
pub mod catalog;
pub mod choose;
pub mod connection;
pub mod control;
pub mod counters;
pub mod ddl;
pub mod drift;
pub mod fault;
pub mod group;
pub mod health;
pub mod inspect;
pub mod kill;
pub mod login;
pub mod node;
pub mod permits;
pub mod pool;
pub mod position;
pub mod role;
pub mod rows;
pub mod spec;
pub mod state;
pub mod statements;
pub mod topology;
pub mod version;
