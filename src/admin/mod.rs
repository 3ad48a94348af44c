//! The operator's side: SQL commands on a port of their own, and HTTP pages for machines.
//!
//! Owns: the table of commands ([`command`]), what they show ([`show`]) and do ([`act`]), the
//! admin login, the HTTP pages. Never: imports `session` (the list of live sessions is in
//! [`crate::observe::sessions`]), touches a client's statement, or has a default password.

pub mod act;
pub mod command;
pub mod http;
pub mod login;
pub mod port;
pub mod sequences;
pub mod show;
pub mod table;
pub mod topology;

use std::sync::Arc;
use std::time::Instant;

use crate::config::secret::Secret;
use crate::context::Context;
use crate::reload::Reloader;

/// Sets what is logged; an error says what is wrong with the filter.
pub type SetLogLevel = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// What admin commands work on.
pub struct Admin {
    pub context: Arc<Context>,
    pub reloader: Arc<Reloader>,
    pub user: String,
    pub password: Secret,
    pub set_log_level: SetLogLevel,
    pub started: Instant,
}
