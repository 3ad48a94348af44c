//! Loading what the planner needs to know of tables, from information_schema.
//!
//! Owns: which physical table stands for a logical one, when its group is asked, and putting the
//! answer into the snapshot's catalog. Never: decides that a table is needed (the planner says
//! `Need`), or reads rows into tables ([`read`] does).
//!
//! One physical table stands for all shards of a logical one. Loads of one group follow each
//! other, so that a thousand statements that miss the same table ask once.

mod ask;
mod read;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::backend::fault;
use crate::backend::group::Group;
use crate::backend::node::{Node, Standing};
use crate::backend::topology::Topology;
use crate::catalog::{Catalog, Table};
use crate::error::{Error, Result};
use crate::name::{GroupId, GroupName, SchemaName, TableName};
use crate::rules::Rules;
use crate::rules::table::Placement;

/// How long loading one group's share of a request may take.
pub const LOAD_TIMEOUT: Duration = Duration::from_secs(10);
/// A table that wasn't there isn't asked for again sooner than this.
const ABSENT_FOR: Duration = Duration::from_secs(1);
/// Absent tables remembered.
const MAX_ABSENT: usize = 1024;
/// Tables in one question.
const CHUNK: usize = 50;

/// What the periodic check found.
#[derive(Debug, Default)]
pub struct Refreshed {
    /// Tables that had changed or are gone.
    pub drifted: Vec<Logical>,
    /// Groups that couldn't be asked, and the first one's reason.
    pub failed: HashSet<GroupName>,
    pub error: Option<Error>,
}

/// A logical table.
pub type Logical = (SchemaName, TableName);

/// A physical table: database and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Physical {
    pub database: Arc<str>,
    pub table: Arc<str>,
}

/// Loads tables into catalogs. One for the process; it outlives reloads.
#[derive(Debug, Default)]
pub struct Loader {
    /// One load at a time for each group, by its name.
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    absent: Mutex<HashMap<Logical, Instant>>,
}

impl Loader {
    /// Puts these tables into the catalog, asking each group once, and returns those that no
    /// server has (or that Weir's accounts may not see). Tables that the catalog has by now are
    /// not asked for.
    ///
    /// # Errors
    /// A group that can't be asked: its name, node and reason.
    pub async fn need(
        &self,
        rules: &Rules,
        topology: &Topology,
        catalog: &ArcSwap<Catalog>,
        wanted: &[Logical],
    ) -> Result<Vec<Logical>> {
        let mut missing = Vec::new();
        for (group, tables) in by_group(rules, wanted, &mut missing) {
            let group = topology.group(group)?;
            let turn = self.turn(group);
            let _turn = turn.lock().await;
            let known = catalog.load_full();
            let (mut asked, now) = (Vec::new(), Instant::now());
            for (logical, physical) in tables {
                if known.table(logical.0.as_str(), logical.1.as_str()).is_some() {
                    continue;
                }
                match self.absences().get(&logical) {
                    Some(since) if now - *since < ABSENT_FOR => missing.push(logical),
                    _ => asked.push((logical, physical)),
                }
            }
            if asked.is_empty() {
                continue;
            }
            let found = look_up(group, &asked).await?;
            catalog.rcu(|before| merge(before, &found));
            for ((logical, _), table) in asked.into_iter().zip(found) {
                if table.1.is_none() {
                    self.remember_absent(&logical);
                    missing.push(logical);
                }
            }
        }
        Ok(missing)
    }

    /// Forgets tables that a statement of ours has changed, or that a server's error says are
    /// not as the catalog has them (1054, 1136, 1146): the next plan loads them anew.
    pub fn forget(&self, catalog: &ArcSwap<Catalog>, tables: &[Logical]) {
        for logical in tables {
            self.absences().remove(logical);
        }
        catalog.rcu(|before| {
            let known =
                |logical: &&Logical| before.table(logical.0.as_str(), logical.1.as_str()).is_some();
            if !tables.iter().any(|logical| known(&logical)) {
                return Arc::clone(before);
            }
            let mut after = Catalog::clone(before);
            for (schema, table) in tables.iter().filter(known) {
                after = after.without(schema.as_str(), table.as_str());
            }
            Arc::new(after)
        });
    }

    /// The periodic check: loads again what the catalog holds of these groups and replaces what has
    /// changed behind the proxy's back.
    pub async fn refresh(
        &self,
        rules: &Rules,
        topology: &Topology,
        catalog: &ArcSwap<Catalog>,
        groups: &HashSet<GroupName>,
    ) -> Refreshed {
        let known = catalog.load_full();
        let held: Vec<Logical> = known
            .tables()
            .map(|(schema, table)| (SchemaName::from(schema), TableName::from(&*table.name)))
            .collect();
        let by_group = by_group(rules, &held, &mut Vec::new());
        let work = by_group.iter().filter_map(|(id, tables)| {
            let group = topology.group(*id).ok().filter(|it| groups.contains(it.name()))?;
            Some(async move {
                let turn = self.turn(group);
                let _turn = turn.lock().await;
                (group.name().clone(), look_up(group, tables).await)
            })
        });
        let mut refreshed = Refreshed::default();
        for (group, found) in join_all(work).await {
            let found = match found {
                Ok(found) => found,
                Err(error) => {
                    refreshed.failed.insert(group);
                    refreshed.error.get_or_insert(error);
                    continue;
                }
            };
            let changed: Vec<Found> = found
                .into_iter()
                .filter(|((schema, name), table)| {
                    let before = known.table(schema.as_str(), name.as_str());
                    before.map(|table| &**table) != table.as_ref()
                })
                .collect();
            if !changed.is_empty() {
                catalog.rcu(|before| merge(before, &changed));
                refreshed.drifted.extend(changed.into_iter().map(|(logical, _)| logical));
            }
        }
        refreshed
    }

    fn turn(&self, group: &Group) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(group.name().as_str().to_owned()).or_default().clone()
    }

    fn absences(&self) -> MutexGuard<'_, HashMap<Logical, Instant>> {
        self.absent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember_absent(&self, logical: &Logical) {
        let mut absent = self.absences();
        if absent.len() >= MAX_ABSENT {
            absent.clear();
        }
        absent.insert(logical.clone(), Instant::now());
    }
}

/// The table named `name` from what SHOW FULL COLUMNS and SHOW INDEX say of it: all that a server tells
/// of a temporary table.
pub fn shown(
    name: &str,
    physical: &Physical,
    is_mariadb: bool,
    columns: &[Vec<Option<String>>],
    keys: &[Vec<Option<String>>],
) -> Option<Table> {
    let facts = ask::Facts::shown(physical, is_mariadb, columns, keys);
    read::table(name, physical, &facts)
}

/// A logical table and what was found of it: `None` where the server shows no such table.
pub type Found = (Logical, Option<Table>);

/// The catalog with what was found; the same one where nothing changes.
fn merge(before: &Arc<Catalog>, found: &[Found]) -> Arc<Catalog> {
    let mut after: Option<Catalog> = None;
    for ((schema, name), table) in found {
        let now = after.as_ref().unwrap_or(before);
        let known = now.table(schema.as_str(), name.as_str());
        let next = match table {
            Some(table) if known.map(|known| &**known) == Some(table) => continue,
            Some(table) => now.with(schema.as_str(), table.clone()),
            None if known.is_none() => continue,
            None => now.without(schema.as_str(), name.as_str()),
        };
        after = Some(next);
    }
    after.map_or_else(|| before.clone(), Arc::new)
}

/// The wanted tables by the group that is asked for them. Schemas that the rules don't have are
/// `missing`.
fn by_group(
    rules: &Rules,
    wanted: &[Logical],
    missing: &mut Vec<Logical>,
) -> BTreeMap<GroupId, Vec<(Logical, Physical)>> {
    let mut groups: BTreeMap<GroupId, Vec<(Logical, Physical)>> = BTreeMap::new();
    for logical in wanted {
        match placed(rules, logical) {
            Some((group, physical)) => {
                let tables = groups.entry(group).or_default();
                if !tables.iter().any(|(known, _)| known == logical) {
                    tables.push((logical.clone(), physical));
                }
            }
            None => missing.push(logical.clone()),
        }
    }
    groups
}

/// The physical table that stands for a logical one: the first shard, the first copy.
pub fn placed(rules: &Rules, (schema, name): &Logical) -> Option<(GroupId, Physical)> {
    let schema = rules.schema(schema.as_str())?;
    Some(match schema.table(name.as_str()) {
        Placement::Sharded(table) => {
            let shard = table.shard(0)?;
            let physical =
                Physical { database: shard.database.clone(), table: shard.table.clone() };
            (shard.group, physical)
        }
        Placement::Broadcast(table) => {
            let (group, database) = table.copies.first()?.clone();
            (group, Physical { database, table: table.table.clone() })
        }
        // No other connection sees it.
        Placement::Single(table) if table.temporary => return None,
        Placement::Single(table) => {
            (table.group, Physical { database: table.database, table: table.table })
        }
    })
}

/// Asks a group for these tables: its primary, or another node where the primary can't say. The
/// answers come in the order of the questions.
///
/// # Errors
/// No node could be asked: the first one's reason.
pub async fn look_up(group: &Group, tables: &[(Logical, Physical)]) -> Result<Vec<Found>> {
    let mut nodes: Vec<_> = group.primary().into_iter().collect();
    let others = group.pools().iter().filter(|pool| {
        pool.node().standing() == Standing::Up
            && !group.primary().is_some_and(|primary| Arc::ptr_eq(primary, pool))
    });
    nodes.extend(others);
    let mut failure = None;
    for pool in nodes {
        match fetch_from(pool.node(), tables).await {
            Ok(found) => return Ok(found),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    let members = "its tables can't be looked up: no node is up";
    Err(failure.unwrap_or_else(|| fault::no_node(group.name(), "node", members, Duration::ZERO)))
}

async fn fetch_from(node: &Node, tables: &[(Logical, Physical)]) -> Result<Vec<Found>> {
    let mut found = Vec::with_capacity(tables.len());
    for chunk in tables.chunks(CHUNK) {
        let physical: Vec<&Physical> = chunk.iter().map(|(_, physical)| physical).collect();
        let facts = ask::tables(node, &node.spec.control, &physical, LOAD_TIMEOUT).await?;
        let mut read: Vec<Option<Table>> = chunk
            .iter()
            .map(|((_, name), physical)| read::table(name.as_str(), physical, &facts))
            .collect();
        // The control account may see less than the one that runs the statements.
        let is_hidden = |table: &Option<Table>| {
            table.as_ref().is_none_or(|table| table.is_view && table.view.is_none())
        };
        if read.iter().any(is_hidden) && node.spec.control != node.spec.data {
            let facts = ask::tables(node, &node.spec.data, &physical, LOAD_TIMEOUT).await?;
            for (slot, ((_, name), physical)) in read.iter_mut().zip(chunk) {
                if is_hidden(slot)
                    && let Some(table) = read::table(name.as_str(), physical, &facts)
                {
                    *slot = Some(table);
                }
            }
        }
        found.extend(chunk.iter().map(|(logical, _)| logical.clone()).zip(read));
    }
    Ok(found)
}
