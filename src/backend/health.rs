//! Probes: is the node there, does it take writes, how far is it behind, what does it say of itself.
//!
//! Owns: the control connection of a node's probes, the questions and how their answers become
//! [`Health`] and [`Facts`]. Never: decides who is primary ([`crate::backend::choose`]).

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};
use tokio::time::Instant;

use crate::backend::control;
use crate::backend::node::{Health, Node, Standing};
use crate::backend::position::{Mark, Place};
use crate::backend::version::{Collation, Facts, Kind, Version};
use crate::error::{Error, Result};

/// Probes one node again and again over one control connection.
pub struct Prober {
    bound: Duration,
    /// So many failures in a row take the node down.
    down: u32,
    control: Option<Conn>,
    /// The right to see replication was denied: not asked again on this connection.
    blind: bool,
    mark: Mark,
}

/// What a probe has seen.
struct Seen {
    read_only: bool,
    replicating: bool,
    lag: Option<Duration>,
    applied: Option<Instant>,
    /// The first look over this connection: the server may have been restored meanwhile.
    anew: bool,
}

impl Prober {
    /// `mark` is the group's: the primary's prober sets it, the replicas' compare with it.
    pub fn new(bound: Duration, down: u32, mark: Mark) -> Self {
        Prober { bound, down: down.max(1), control: None, blind: false, mark }
    }

    /// One probe; writes the node's health, and its facts after each new connection.
    pub async fn probe(&mut self, node: &Node, is_primary: bool) {
        let outcome = match self.look(node, is_primary).await {
            // The connection may have been cut for reasons of its own: one more try on a new one.
            Err(_) if self.control.take().is_some() => self.look(node, is_primary).await,
            outcome => outcome,
        };
        let before = node.health();
        let health = match outcome {
            Ok(seen) => {
                node.dialled();
                risen(&before, &seen)
            }
            Err(error) => {
                self.control = None;
                fallen(&before, &error, self.down)
            }
        };
        log_change(node, &before, &health);
        node.set_health(health);
        node.looked_at();
    }

    async fn look(&mut self, node: &Node, is_primary: bool) -> Result<Seen> {
        let anew = self.control.is_none();
        if anew {
            let mut fresh = control::connect(node, &node.spec.control, self.bound).await?;
            let facts = facts(node, &mut fresh, self.bound).await?;
            node.set_facts(facts);
            self.control = Some(fresh);
            self.blind = false;
        }
        let Some(control) = &mut self.control else {
            return Err(Error::internal("a probe without a connection"));
        };
        let sql = "SELECT @@global.read_only";
        let read_only: Option<u64> =
            control::run(node, self.bound, control.query_first(sql)).await?;
        let mut seen = Seen {
            read_only: read_only == Some(1),
            replicating: false,
            lag: None,
            applied: None,
            anew,
        };
        let started = Instant::now();
        if !self.blind {
            match replication(node, control, self.bound).await {
                Ok((replicating, lag)) => {
                    seen.replicating = replicating;
                    seen.lag = lag;
                }
                // 1227, 1044, 1045: no right to see it.
                Err(error) if matches!(error.errno, 1227 | 1044 | 1045) => self.blind = true,
                Err(error) => return Err(error),
            }
        }
        let place = Place { node, bound: self.bound, started };
        if is_primary {
            self.mark.set(&place, control).await?;
        } else {
            seen.applied = self.mark.reached(&place, control, seen.lag).await?;
        }
        Ok(seen)
    }
}

fn risen(before: &Health, seen: &Seen) -> Health {
    let was_up = before.standing == Standing::Up;
    Health {
        standing: Standing::Up,
        reason: Arc::from(""),
        since: if was_up { before.since } else { Instant::now() },
        read_only: Some(seen.read_only),
        replicating: seen.replicating,
        lag: seen.lag,
        applied: seen.applied.max(before.applied.filter(|_| !seen.anew)),
        failures: 0,
    }
}

fn fallen(before: &Health, error: &Error, down: u32) -> Health {
    let failures = before.failures.saturating_add(1);
    let standing = if failures >= down { Standing::Down } else { Standing::Suspect };
    Health {
        standing,
        reason: Arc::from(&*error.message),
        since: if standing == before.standing { before.since } else { Instant::now() },
        failures,
        ..before.clone()
    }
}

fn log_change(node: &Node, before: &Health, now: &Health) {
    if before.standing != now.standing {
        tracing::info!(
            group = %node.group,
            node = %node.spec.name,
            standing = now.standing.text(),
            reason = &*now.reason,
            "node"
        );
    }
}

/// Whether the node follows another one, and how far behind it is.
async fn replication(
    node: &Node,
    control: &mut Conn,
    bound: Duration,
) -> Result<(bool, Option<Duration>)> {
    // MariaDB since 10.5 and MySQL since 8.0.22 know the new words; the old ones are gone in 8.4.
    let sql = match node.facts().map(|facts| facts.version.clone()) {
        Some(Version { kind: Kind::MySql, number, .. }) if number < 80_022 => "SHOW SLAVE STATUS",
        Some(Version { kind: Kind::MariaDb, number, .. }) if number < 100_501 => {
            "SHOW SLAVE STATUS"
        }
        _ => "SHOW REPLICA STATUS",
    };
    let row: Option<Row> = control::run(node, bound, control.query_first(sql)).await?;
    let Some(row) = row else { return Ok((false, None)) };
    let text = |names: [&str; 2]| names.iter().find_map(|name| cell(&row, name));
    let running = text(["Slave_SQL_Running", "Replica_SQL_Running"]).as_deref() == Some("Yes");
    let behind = text(["Seconds_Behind_Master", "Seconds_Behind_Source"]);
    let lag = behind.and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    Ok((true, lag.filter(|_| running)))
}

/// A column's text by its name in any case; NULL and absent ones are `None`.
fn cell(row: &Row, name: &str) -> Option<String> {
    let columns = row.columns_ref();
    let place = columns.iter().position(|column| column.name_str().eq_ignore_ascii_case(name))?;
    match row.as_ref(place)? {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Int(number) => Some(number.to_string()),
        Value::UInt(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Asks a server what it says of itself.
async fn facts(node: &Node, control: &mut Conn, bound: Duration) -> Result<Facts> {
    let version: Option<String> =
        control::run(node, bound, control.query_first("SELECT VERSION()")).await?;
    let version = Version::parse(&version.unwrap_or_default());
    let sql = format!(
        "SELECT CONCAT(@@global.sql_mode), CONCAT(@@global.max_allowed_packet), \
         CONCAT(@@global.lower_case_table_names), CONCAT(@@global.wait_timeout), \
         CONCAT(@@global.time_zone), CONCAT(@@global.character_set_server), \
         CONCAT(@@global.collation_server), CONCAT(@@global.{}), CONCAT(@@global.server_id), \
         CONCAT(@@global.innodb_rollback_on_timeout)",
        version.kind.isolation_variable()
    );
    let row: Option<Row> = control::run(node, bound, control.query_first(sql)).await?;
    let row = row.ok_or_else(|| Error::internal("a server without variables"))?;
    let text = |place: usize| match row.as_ref(place) {
        Some(Value::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    };
    let shared = |place| Arc::from(text(place));
    let collations = collations(node, control, version.kind, bound).await?;
    Ok(Facts {
        sql_mode: shared(0),
        max_allowed_packet: text(1).parse().unwrap_or(16 << 20),
        lower_case_table_names: text(2).parse().unwrap_or(0),
        wait_timeout: text(3).parse().unwrap_or(28_800),
        time_zone: shared(4),
        charset: shared(5),
        collation: shared(6),
        isolation: shared(7),
        server_id: text(8).parse().unwrap_or(0),
        // MariaDB writes a word.
        rollback_on_timeout: matches!(text(9).as_str(), "1" | "ON"),
        version,
        collations: collations.into(),
    })
}

async fn collations(
    node: &Node,
    control: &mut Conn,
    kind: Kind,
    bound: Duration,
) -> Result<Vec<Collation>> {
    // MariaDB's uca1400 collations have no charset and no id of their own here, but one for each
    // charset that they can be combined with.
    let sql = match kind {
        Kind::MariaDb => {
            "SELECT ID, FULL_COLLATION_NAME, CHARACTER_SET_NAME, NULL, IS_DEFAULT \
             FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY WHERE ID IS NOT NULL"
        }
        Kind::MySql => {
            "SELECT ID, COLLATION_NAME, CHARACTER_SET_NAME, PAD_ATTRIBUTE, IS_DEFAULT \
             FROM information_schema.COLLATIONS WHERE ID IS NOT NULL"
        }
    };
    let plain = "SELECT ID, COLLATION_NAME, CHARACTER_SET_NAME, NULL, IS_DEFAULT \
                 FROM information_schema.COLLATIONS WHERE ID IS NOT NULL \
                 AND CHARACTER_SET_NAME IS NOT NULL";
    type Line = (u64, String, String, Option<String>, Option<String>);
    let asked: Result<Vec<Line>> = control::run(node, bound, control.query(sql)).await;
    let lines = match asked {
        // 1054: before 10.10 the full names weren't there.
        Err(error) if error.errno == 1054 => {
            control::run(node, bound, control.query(plain)).await?
        }
        other => other?,
    };
    let mut collations: Vec<Collation> = lines
        .into_iter()
        .filter_map(|(id, name, charset, pad, default)| {
            let no_pad = match pad {
                Some(pad) => pad.eq_ignore_ascii_case("NO PAD"),
                None => name.contains("_nopad_") || name == "binary",
            };
            Some(Collation {
                id: u16::try_from(id).ok()?,
                name: Arc::from(name),
                charset: Arc::from(charset),
                pad_space: !no_pad,
                default: default.is_some_and(|word| word.eq_ignore_ascii_case("yes")),
            })
        })
        .collect();
    collations.sort_by_key(|collation| collation.id);
    Ok(collations)
}
