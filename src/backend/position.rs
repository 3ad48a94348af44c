//! How far a replica has come, measured at its primary.
//!
//! Owns: the primary's position (GTIDs) at a known time, and the question whether a replica has
//! applied it. Never: chooses a node, or waits for one to catch up.
//!
//! A session's own write is safe to read from a replica that has applied all that the primary had
//! committed at some time after the write. No statement costs more by it: the probes ask, a session
//! only compares two times.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params};
use tokio::time::Instant;

use crate::backend::control;
use crate::backend::node::Node;
use crate::backend::version::Kind;
use crate::error::Result;

/// `Seconds_Behind_Source` counts whole seconds.
const ROUNDING: Duration = Duration::from_secs(1);

/// A group's: how far its primary was at its last probe.
#[derive(Clone, Debug, Default)]
pub struct Mark(Arc<Mutex<Option<Position>>>);

#[derive(Clone, Debug)]
struct Position {
    /// What the primary had committed, as its server writes it; empty where it counts no GTIDs.
    gtids: Arc<str>,
    /// When it was asked: whatever was committed before is in it.
    at: Instant,
}

/// The node that a probe looks at.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub node: &'a Node,
    pub bound: Duration,
    /// Before the probe's first question.
    pub started: Instant,
}

impl Mark {
    /// Asks the primary for its position.
    ///
    /// # Errors
    /// The probe's: the server can't be asked.
    pub async fn set(&self, place: &Place<'_>, control: &mut Conn) -> Result<()> {
        let sql = match is_mariadb(place.node) {
            true => "SELECT CONCAT(@@global.gtid_binlog_pos)",
            false => "SELECT CONCAT(@@global.gtid_executed)",
        };
        let at = Instant::now();
        let asked: Result<Option<Option<String>>> =
            control::run(place.node, place.bound, control.query_first(sql)).await;
        let gtids = match asked {
            Ok(gtids) => Arc::from(gtids.flatten().unwrap_or_default()),
            // A server that has no such variable counts none.
            Err(error) if error.errno == 1193 => Arc::from(""),
            Err(error) => return Err(error),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Position { gtids, at });
        Ok(())
    }

    /// Up to when the primary's commits can be read on this node; `None` where that isn't known.
    ///
    /// # Errors
    /// As [`Mark::set`].
    pub async fn reached(
        &self,
        place: &Place<'_>,
        control: &mut Conn,
        lag: Option<Duration>,
    ) -> Result<Option<Instant>> {
        let position = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(position) = position else { return Ok(None) };
        let reached = if position.gtids.is_empty() {
            // Without GTIDs there is only the server's own word for its lag.
            return Ok(lag.and_then(|lag| place.started.checked_sub(lag + ROUNDING)));
        } else if is_mariadb(place.node) {
            let sql = "SELECT CONCAT(@@global.gtid_slave_pos), CONCAT(@@global.gtid_binlog_pos)";
            type Row = (Option<String>, Option<String>);
            let row: Option<Row> =
                control::run(place.node, place.bound, control.query_first(sql)).await?;
            let (applied, own) = row.unwrap_or_default();
            // A node of a cluster applies without a replica's position.
            let applied = applied.filter(|applied| !applied.is_empty()).or(own);
            covers(&applied.unwrap_or_default(), &position.gtids)
        } else {
            let sql = "SELECT GTID_SUBSET(?, @@global.gtid_executed)";
            let gtids = Params::Positional(vec![(&*position.gtids).into()]);
            let row: Option<Option<u8>> =
                control::run(place.node, place.bound, control.exec_first(sql, gtids)).await?;
            row.flatten() == Some(1)
        };
        Ok(reached.then_some(position.at))
    }
}

fn is_mariadb(node: &Node) -> bool {
    node.facts().is_some_and(|facts| facts.version.kind == Kind::MariaDb)
}

/// Whether MariaDB's position `applied` lies at or behind `wanted` in each of its domains
/// (`domain-server-sequence`, by commas; MariaDB manual, "Global Transaction ID").
fn covers(applied: &str, wanted: &str) -> bool {
    let applied: HashMap<u64, u64> = domains(applied).flatten().collect();
    domains(wanted).all(|wanted| {
        wanted.is_some_and(|(domain, sequence)| {
            applied.get(&domain).is_some_and(|applied| *applied >= sequence)
        })
    })
}

fn domains(position: &str) -> impl Iterator<Item = Option<(u64, u64)>> {
    position.split(',').map(str::trim).filter(|gtid| !gtid.is_empty()).map(|gtid| {
        let mut parts = gtid.split('-');
        let domain = parts.next()?.parse().ok()?;
        let sequence = parts.nth(1)?.parse().ok()?;
        Some((domain, sequence))
    })
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_position_covers_another_in_each_domain() {
        for (applied, wanted, covered) in [
            ("0-1-100", "0-1-100", true),
            ("0-2-101", "0-1-100", true),
            ("0-1-99", "0-1-100", false),
            ("0-1-100,1-5-7", "0-1-100, 1-5-7", true),
            ("0-1-100,1-5-6", "0-1-100,1-5-7", false),
            ("0-1-100", "0-1-100,1-5-7", false),
            ("", "0-1-1", false),
            ("0-1-100", "", true),
            ("0-1-100", "nonsense", false),
            ("0-1-18446744073709551615", "0-1-18446744073709551614", true),
        ] {
            assert_eq!(covers(applied, wanted), covered, "{applied:?} {wanted:?}");
        }
    }
}
