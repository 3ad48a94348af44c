//! Weir: a sharding proxy for MySQL.
//!
//! Unchanged applications point their MySQL driver at Weir. It parses each statement once per
//! template, routes it by YAML rules, reads from replicas, writes to primaries, and merges what
//! comes from several shards into what one MySQL would have answered.
//!
//! # Layers
//! Knowledge points down only; `tests/it/layers.rs` enforces this table.
//! ```text
//! rim    main → cli → server            wiring, accept, drain; alone picks the runtime
//!        session                        one client's dialogue: login, command, query, prepared, reply
//!        admin                          SQL commands, HTTP
//!        executor                       run a plan: pass, scatter, merge, workbench, write
//!        transaction   reload           one group's transaction | apply new rules
//!        context                        what sessions are given: settings, snapshot, registries
//!        sequence                       ids: worker leases, ranges, what is held ready
//!        backend                        groups, pools, connections, catalog loader, health
//!        wire                           one framed stream over socket, TLS, zlib
//! ═════  above: async and I/O           below: pure functions over values ═════
//! core   planner                        analysis + rules + catalog → Plan | Need
//!        protocol  sql  rules  catalog  bytes ↔ packets | text → template → analysis | YAML → Rules
//! base   error  name  value  config  observe
//! ```
//!
//! # Life of a SELECT
//! [`server`] accepts → [`session`] reads a packet through [`wire`] → [`sql`] makes the template →
//! [`planner`] (cached) → [`executor`] → [`backend`] lends the connection → rows stream to the
//! client. Down once, up once.
//!
//! # Life of a YAML edit
//! file → check (every problem, with file:line) → diff → `reload` opens new pools, swaps the
//! snapshot, drains the old ones.

pub mod config;
pub mod error;
pub mod name;
pub mod observe;
pub mod value;

pub mod catalog;
pub mod planner;
pub mod protocol;
pub mod rules;
pub mod sql;

pub mod admin;
pub mod backend;
pub mod cli;
pub mod context;
pub mod executor;
pub mod reload;
pub mod sequence;
pub mod server;
pub mod session;
pub mod transaction;
pub mod wire;
