//! How far a replica has come, measured at its primary.
//!
//! Owns: the primary's position (GTIDs) at a known time, the question whether a replica has applied
//! it, and whether a promoted primary has. Never: chooses a node, or waits for one to catch up.
//!
//! A session's own write is safe to read from a replica that has applied all that the primary had
//! committed at some time after the write. No statement costs more by it: the probes ask, a session
//! only compares two times.
//!
//! A primary that lacks what an earlier one was seen to have may lack commit rows, too: its commit
//! table answers nothing ([`Mark::vouches`]) until an operator says so (mysql-traps 6). What was
//! committed and lost between two probes isn't noticed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params};
use tokio::time::Instant;

use crate::backend::control;
use crate::backend::node::Node;
use crate::backend::version::Kind;
use crate::error::{Error, Result};
use crate::name::NodeName;

/// `Seconds_Behind_Source` counts whole seconds.
const ROUNDING: Duration = Duration::from_secs(1);

/// A group's: how far its primary was at its last probe.
#[derive(Clone, Debug, Default)]
pub struct Mark(Arc<Mutex<Marked>>);

#[derive(Clone, Debug, Default)]
struct Marked {
    position: Option<Position>,
    /// What an earlier primary had and this one lacks.
    owed: Option<Position>,
}

#[derive(Clone, Debug)]
struct Position {
    node: NodeName,
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
    /// Asks the primary for its position, and whether it has what was seen before.
    ///
    /// # Errors
    /// The probe's: the server can't be asked.
    pub async fn set(&self, place: &Place<'_>, control: &mut Conn) -> Result<()> {
        let before = {
            let marked = self.lock();
            marked.owed.clone().or_else(|| marked.position.clone())
        };
        let before = before.filter(|position| !position.gtids.is_empty());
        let at = Instant::now();
        let asked = match is_mariadb(place.node) {
            true => mariadb_position(place, control, before.as_ref()).await,
            false => mysql_position(place, control, before.as_ref()).await,
        };
        let (gtids, lacks) = match asked {
            Ok((gtids, covers)) => (gtids, !covers),
            // A server that has no such variable counts none.
            Err(error) if error.errno == 1193 => (String::new(), false),
            Err(error) => return Err(error),
        };
        let node = place.node.spec.name.clone();
        let mut marked = self.lock();
        let owed = before.filter(|_| lacks);
        match (&marked.owed, &owed) {
            (None, Some(owed)) => tracing::error!(
                primary = %node, earlier = %owed.node, had = %owed.gtids, has = %gtids,
                "the primary lacks transactions that were seen on the group's primary before: \
                 acknowledged writes may be lost, and its commit table decides nothing until \
                 ACCEPT PRIMARY is said on the admin port"
            ),
            (Some(_), None) => {
                tracing::warn!(primary = %node, "the primary has all that was seen before, again");
            }
            _ => {}
        }
        marked.owed = owed;
        marked.position = Some(Position { node, gtids: Arc::from(gtids), at });
        Ok(())
    }

    /// Whether this node, the group's primary now, has all that an earlier one was seen to have. Where
    /// no primary was ever asked, nothing is known against it.
    ///
    /// # Errors
    /// `primary_behind`: it lacks something; `primary_unseen`: it wasn't asked yet.
    pub fn vouches(&self, node: &NodeName) -> Result<()> {
        let marked = self.lock();
        if let Some(owed) = &marked.owed {
            return Err(Error::unavailable(
                "primary_behind",
                format!(
                    "the primary '{node}' lacks transactions that '{}' was seen to have ({}): a commit \
                     row may be lost, and so it decides nothing until an operator says ACCEPT PRIMARY \
                     on the admin port, or `weir xa resolve`",
                    owed.node, owed.gtids
                ),
            ));
        }
        match &marked.position {
            Some(position) if position.node != *node => Err(Error::unavailable(
                "primary_unseen",
                format!(
                    "the primary '{node}' is new and wasn't compared with '{}' yet",
                    position.node
                ),
            )),
            _ => Ok(()),
        }
    }

    /// An operator says that what the primary lacks is lost for good. False: it lacked nothing.
    pub fn accept(&self) -> bool {
        self.lock().owed.take().is_some()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Marked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let position = self.lock().position.clone();
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

/// What a MySQL server has committed, and whether that holds what was seen before.
async fn mysql_position(
    place: &Place<'_>,
    control: &mut Conn,
    before: Option<&Position>,
) -> Result<(String, bool)> {
    let sql = "SELECT CONCAT(@@global.gtid_executed), GTID_SUBSET(?, @@global.gtid_executed)";
    let seen = before.map_or("", |before| &before.gtids);
    let parameters = Params::Positional(vec![seen.into()]);
    let row: Option<(Option<String>, Option<u8>)> =
        control::run(place.node, place.bound, control.exec_first(sql, parameters)).await?;
    let (gtids, covers) = row.unwrap_or_default();
    Ok((gtids.unwrap_or_default(), covers != Some(0)))
}

/// The same of a MariaDB server. What it applied as a replica need not be in its own binary log.
async fn mariadb_position(
    place: &Place<'_>,
    control: &mut Conn,
    before: Option<&Position>,
) -> Result<(String, bool)> {
    let sql = "SELECT CONCAT(@@global.gtid_binlog_pos), CONCAT(@@global.gtid_slave_pos)";
    let row: Option<(Option<String>, Option<String>)> =
        control::run(place.node, place.bound, control.query_first(sql)).await?;
    let (own, applied) = row.unwrap_or_default();
    let gtids = furthest(&own.unwrap_or_default(), &applied.unwrap_or_default());
    let covers = before.is_none_or(|before| covers(&gtids, &before.gtids));
    Ok((gtids, covers))
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

/// Of two positions of one server, the further one in each domain.
fn furthest(one: &str, other: &str) -> String {
    let mut by_domain: BTreeMap<u64, (u64, &str)> = BTreeMap::new();
    for gtid in one.split(',').chain(other.split(',')).map(str::trim) {
        let Some((domain, sequence)) = domains(gtid).flatten().next() else { continue };
        let entry = by_domain.entry(domain).or_insert((sequence, gtid));
        if sequence > entry.0 {
            *entry = (sequence, gtid);
        }
    }
    by_domain.into_values().map(|(_, gtid)| gtid).collect::<Vec<_>>().join(",")
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
    use super::{covers, furthest};

    #[test]
    fn of_two_positions_the_further_counts_in_each_domain() {
        for (one, other, both) in [
            ("0-1-100", "", "0-1-100"),
            ("", "0-1-100", "0-1-100"),
            ("0-2-101", "0-1-100", "0-2-101"),
            ("0-2-90", "0-1-100,1-5-7", "0-1-100,1-5-7"),
            ("1-5-8", "0-1-100, 1-5-7", "0-1-100,1-5-8"),
            ("", "", ""),
            ("nonsense", "0-1-1", "0-1-1"),
        ] {
            assert_eq!(furthest(one, other), both, "{one:?} {other:?}");
        }
    }

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
