//! What happens in the process, as numbers and lists that anybody may read.
//!
//! Owns: metrics, the registry of live sessions with their stop signals, the memory budget, and
//! the one record that each statement leaves. Never: decides about a statement, sends anything,
//! or is called by the core (`protocol`, `sql`, `rules`, `planner` return facts; callers record
//! them).

pub mod budget;
pub mod histogram;
pub mod metrics;
pub mod record;
pub mod scrape;
pub mod sessions;
pub mod templates;
