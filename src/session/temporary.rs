//! The session's temporary tables.
//!
//! Owns: what of them is known after each definition: the rules that the session plans with from then
//! on, their columns, and whether a connection is still kept for them. Never: decides where one is made
//! (the planner does).
//!
//! While there are any, the session has rules and a catalog of its own, so that a name means its table
//! wherever a statement is planned. With the last one it goes back to what it had before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::backend::catalog::{Physical, shown};
use crate::backend::connection::Pipelining;
use crate::backend::counters::Pin;
use crate::backend::pool::Lent;
use crate::backend::state::Charset;
use crate::catalog::Table;
use crate::context::Snapshot;
use crate::error::Result;
use crate::name::GroupId;
use crate::planner::Plan;
use crate::planner::plan::TemporaryChange;
use crate::rules::table::SingleTable;
use crate::session::Session;
use crate::session::own::rows;
use crate::session::scatter::Lents;
use crate::sql::lex::ServerKind;

/// Numbers the rules of sessions with temporary tables.
static OVERLAYS: AtomicU64 = AtomicU64::new(1);

impl Session {
    /// A statement about temporary tables is through on this connection; `done`: without an error.
    pub(super) async fn follow_temporaries(
        &mut self,
        snapshot: &Arc<Snapshot>,
        group: GroupId,
        lent: &mut Lent,
        (changes, done): (&[TemporaryChange], bool),
    ) {
        let mut now = self.held.snapshot().unwrap_or(snapshot).clone();
        if done && !changes.is_empty() {
            let mut described = Vec::with_capacity(changes.len());
            for change in changes {
                let table = match &change.place {
                    Some(place) => self.described(lent, place, change).await,
                    None => None,
                };
                described.push(table);
            }
            now = with(&now, changes, described);
            self.held.adopt(&now);
        }
        if now.rules.temporaries().any(|(_, _, table)| table.group == group) {
            lent.pin(Pin::TemporaryTable);
        } else {
            lent.unpin(Pin::TemporaryTable);
        }
    }

    /// A statement that writes is through on these connections, without an error.
    pub(super) async fn follow_written(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        lents: &mut Lents,
    ) {
        let changes = &plan.facts.temporaries;
        for (group, lent) in lents.iter_mut() {
            if plan.facts.assigns {
                lent.ran_stored_code();
            }
            if !changes.is_empty() {
                Box::pin(self.follow_temporaries(snapshot, *group, lent, (changes, true))).await;
            }
        }
    }

    /// What the table's columns are; `None` where it can't be learnt, and is read without knowing.
    async fn described(
        &mut self,
        lent: &mut Lent,
        place: &SingleTable,
        change: &TemporaryChange,
    ) -> Option<Table> {
        let asked = self.columns_of(lent, place, change).await;
        match asked {
            Ok(table) => table,
            Err(error) => {
                tracing::debug!(%error, "a temporary table was not described");
                None
            }
        }
    }

    async fn columns_of(
        &mut self,
        lent: &mut Lent,
        place: &SingleTable,
        change: &TemporaryChange,
    ) -> Result<Option<Table>> {
        let mut plain = self.state.in_database(Some(&place.database));
        plain.set_charset(Charset::default());
        plain.set_variable("sql_mode", Some(b"''"));
        plain.set_variable("sql_select_limit", None);
        lent.enter(&plain, Pipelining::All).await?;
        let quoted = |name: &str| name.replace('`', "``");
        let name = format!("`{}`.`{}`", quoted(&place.database), quoted(&place.table));
        let mut ask = async |question: String| -> Result<Vec<Vec<Option<String>>>> {
            let text = |value: Option<Vec<u8>>| {
                value.map(|value| String::from_utf8_lossy(&value).into_owned())
            };
            let found = rows(lent, question.as_bytes()).await?;
            Ok(found.rows.into_iter().map(|row| row.into_iter().map(text).collect()).collect())
        };
        let columns = ask(format!("SHOW FULL COLUMNS FROM {name}")).await?;
        let keys = ask(format!("SHOW INDEX FROM {name}")).await?;
        let physical = Physical { database: place.database.clone(), table: place.table.clone() };
        let is_mariadb = self.dialect.server == ServerKind::MariaDb;
        Ok(shown(&change.name, &physical, is_mariadb, &columns, &keys))
    }
}

/// The snapshot of a session whose temporary tables have changed.
fn with(
    before: &Arc<Snapshot>,
    changes: &[TemporaryChange],
    described: Vec<Option<Table>>,
) -> Arc<Snapshot> {
    let placed: Vec<_> = changes
        .iter()
        .map(|change| (change.schema.clone(), change.name.clone(), change.place.clone()))
        .collect();
    let overlay = OVERLAYS.fetch_add(1, Ordering::Relaxed);
    let rules = before.rules.with_temporaries(overlay, &placed);
    let base = before.base.as_ref().map_or(before, |base| &base.snapshot);
    if rules.temporaries().next().is_none() {
        return base.clone();
    }
    let mut catalog = before.catalog.load_full().as_ref().clone();
    for (change, table) in changes.iter().zip(described) {
        catalog = catalog.without(change.schema.as_str(), &change.name);
        if let Some(table) = table {
            catalog = catalog.with(change.schema.as_str(), table);
        }
    }
    Snapshot::over(base, rules, catalog)
}
