//! The errors that backends give rise to, each naming group, node and reason.
//!
//! Owns: their numbers, stable codes and sentences. Never: decides whether to try again.

use std::time::Duration;

use crate::backend::node::Node;
use crate::error::{Error, Fault, Retry};
use crate::name::GroupName;

/// A node that can't be reached, or whose login failed: nothing was sent.
pub fn unreachable(node: &Node, why: &str) -> Error {
    let text = format!("{} can't be used: {why}", node.title());
    Error::new(Fault::Unavailable, 2003, b"08S01", "node_unreachable", text).retry(Retry::Safe)
}

/// A node that isn't dialled for a while after failures.
pub fn resting(node: &Node, why: &str, rest: Duration) -> Error {
    let text = format!(
        "{} can't be used: {why} (not tried again for {} ms)",
        node.title(),
        rest.as_millis()
    );
    Error::new(Fault::Unavailable, 2003, b"08S01", "node_resting", text).retry(Retry::Safe)
}

/// A connection broke while a command was under way: what the server did is unknown.
pub fn broken(node: &Node, why: &str) -> Error {
    let text = format!("the connection to {} broke: {why}", node.title());
    Error::new(Fault::Unavailable, 2013, b"08S01", "connection_broken", text)
}

/// The server sent what no server may send.
pub fn hostile(node: &Node, why: &str) -> Error {
    let text = format!("{} broke the protocol: {why}", node.title());
    Error::new(Fault::Unavailable, 2027, b"08S01", "backend_malformed", text)
}

/// No connection became free in time.
pub fn busy(node: &Node, in_use: usize, max: usize, waited: Duration) -> Error {
    let text = format!(
        "{}: no connection became free within {} ms ({in_use} of {max} in use)",
        node.title(),
        waited.as_millis()
    );
    Error::limit(1040, "pool_timeout", text)
}

/// Too many statements wait for a connection already.
pub fn queue_full(node: &Node, waiting: usize, in_use: usize, max: usize) -> Error {
    let text = format!(
        "{}: {waiting} statements wait for a connection already ({in_use} of {max} in use)",
        node.title()
    );
    Error::limit(1040, "pool_queue_full", text)
}

/// The server itself has no connection left for Weir.
pub fn server_full(node: &Node, why: &str, waited: Duration) -> Error {
    let text = format!(
        "{} refuses connections: {why} (tried for {} ms)",
        node.title(),
        waited.as_millis()
    );
    Error::limit(1040, "server_full", text)
}

/// No node of the group can do what was asked; `members` says why of each.
pub fn no_node(group: &GroupName, role: &str, members: &str, waited: Duration) -> Error {
    let text = format!(
        "group '{group}' has no {role} to use (waited {} ms): {members}",
        waited.as_millis()
    );
    Error::new(Fault::Unavailable, 1158, b"08S01", "no_node", text).retry(Retry::Safe)
}

/// A server's own error, with its place before its text: for errors that Weir's own commands get.
pub fn of_server(node: &Node, error: Error) -> Error {
    Error { message: format!("{}: {}", node.title(), error.message), ..error }
}

/// A state that the server had accepted before was refused now. What was sent with it may have
/// run in another state.
pub fn state_refused(node: &Node, refused: &Error) -> Error {
    let text = format!(
        "{} refused a session state that it had accepted before ({}); what the statement did is unknown",
        node.title(),
        refused.message
    );
    Error::new(Fault::Unavailable, 1105, b"HY000", "state_refused", text)
}
