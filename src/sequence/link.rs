//! The connection over which a sequence asks a group.
//!
//! Owns: one control connection to a group's present primary, under the data account, with every
//! step bounded in time. Never: knows what is asked.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::{FromRow, Queryable};

use crate::backend::control;
use crate::backend::node::Node;
use crate::backend::topology::Topology;
use crate::error::{Error, Result};
use crate::name::GroupName;

/// How long one step may take.
const BOUND: Duration = Duration::from_secs(2);

/// Errors after which the connection is as good as before: no such table, duplicate key, lock wait,
/// deadlock.
const HARMLESS: [u16; 4] = [1146, 1062, 1205, 1213];

#[derive(Debug)]
pub(super) struct Link {
    group: GroupName,
    conn: Option<(Arc<Node>, Conn)>,
}

impl Link {
    pub fn new(group: GroupName) -> Self {
        Link { group, conn: None }
    }

    pub fn group(&self) -> &GroupName {
        &self.group
    }

    /// The rows of a query.
    ///
    /// # Errors
    /// The group has no primary, it can't be reached within the bound, or the server's own error.
    pub async fn rows<T>(&mut self, topology: &Topology, sql: &str) -> Result<Vec<T>>
    where
        T: FromRow + Send + 'static,
    {
        let (node, conn) = self.open(topology).await?;
        let outcome = control::run(node, BOUND, conn.query(sql)).await;
        self.judged(outcome)
    }

    /// How many rows a statement changed.
    ///
    /// # Errors
    /// As [`Link::rows`]; the statement may have been done all the same.
    pub async fn execute(&mut self, topology: &Topology, sql: &str) -> Result<u64> {
        let (node, conn) = self.open(topology).await?;
        let outcome = control::run(node, BOUND, conn.query_drop(sql)).await;
        let changed = conn.affected_rows();
        self.judged(outcome).map(|()| changed)
    }

    fn judged<T>(&mut self, outcome: Result<T>) -> Result<T> {
        if outcome.as_ref().is_err_and(|error| !HARMLESS.contains(&error.errno)) {
            self.conn = None;
        }
        outcome
    }

    async fn open(&mut self, topology: &Topology) -> Result<(&Node, &mut Conn)> {
        let primary = topology.by_name(&self.group).and_then(|group| group.primary());
        let Some(pool) = primary else {
            return Err(Error::unavailable(
                "no_primary",
                format!("group '{}' has no primary that can be written to now", self.group),
            ));
        };
        let node = pool.node();
        if self.conn.as_ref().is_none_or(|(before, _)| !Arc::ptr_eq(before, node)) {
            self.conn = None;
            let mut conn = control::connect(node, &node.spec.data, BOUND).await?;
            // The server's clock is read as UTC, and nobody waits for a lock longer than a step.
            let state = "SET SESSION time_zone = '+00:00', innodb_lock_wait_timeout = 1, \
                         sql_mode = '', autocommit = 1";
            control::run(node, BOUND, conn.query_drop(state)).await?;
            self.conn = Some((node.clone(), conn));
        }
        let opened = self.conn.as_mut().map(|(node, conn)| (&**node, conn));
        opened.ok_or_else(|| Error::internal("a link without a connection"))
    }
}
