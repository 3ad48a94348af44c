//! What tests, the demo and the benches share: real servers, certificates, the shop's data.
//!
//! Owns: everything outside the proxy that a run needs. Never: knows a type of Weir's own, so that
//! a defect there can't hide in the measuring rod.
//!
//! Include it with `#[path = "../support/mod.rs"] mod support;`. A test asks for servers like this:
//! ```ignore
//! for server in support::shared_kinds() {          // one MariaDB, one MySQL, started once
//!     let db = server.database();                  // a database of its own
//!     server.execute(&format!("CREATE TABLE {db}.t (id INT PRIMARY KEY)"));
//! }
//! ```
#![allow(dead_code)]

pub mod compare;
pub mod dice;
pub mod docker;
pub mod engine;
pub mod proxy;
pub mod reaper;
pub mod rig;
pub mod servers;
pub mod shop;
pub mod skip;
pub mod source;
pub mod sql;
pub mod tls;

use std::sync::OnceLock;

use servers::{Kind, Options, Server};

/// A server of this kind that the whole test binary shares. Tests make databases of their own in
/// it and change no global variable. None, after a loud line, where the kind can't be had.
pub fn shared(kind: Kind) -> Option<&'static Server> {
    static MARIADB: OnceLock<Option<Server>> = OnceLock::new();
    static MYSQL: OnceLock<Option<Server>> = OnceLock::new();
    let cell = match kind {
        Kind::MariaDb => &MARIADB,
        Kind::MySql => &MYSQL,
    };
    cell.get_or_init(|| started(kind, Options::default())).as_ref()
}

/// The shared servers of every kind that can be had here.
pub fn shared_kinds() -> Vec<&'static Server> {
    Kind::ALL.into_iter().filter_map(shared).collect()
}

/// A server of the test's own. None, after a loud line, where the kind can't be had.
pub fn started(kind: Kind, options: Options) -> Option<Server> {
    if let Err(reason) = engine::available(kind) {
        skip::loudly(kind, &reason);
        return None;
    }
    match Server::start(kind, options) {
        Ok(server) => Some(server),
        Err(reason) => panic!("{kind} is installed but did not start: {reason}"),
    }
}
