//! `weir check --online`: the rules beside the servers.
//!
//! Owns: asking every node what it is and every group what its tables are. Never: changes anything
//! there, or judges what it found ([`judge`] does).

pub mod judge;
mod rights;
mod transactions;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;

use crate::backend::catalog;
use crate::backend::control;
use crate::backend::group::Group;
use crate::backend::node::{Node, Standing};
use crate::backend::topology::{Place, Topology};
use crate::backend::version::Facts;
use crate::error::Error;
use crate::name::{GroupId, GroupName, TableName};
use crate::rules::problem::{KeyPath, Problem};
use crate::rules::table::Placement;
use crate::rules::{Rules, Schema};
use judge::Physical;
use rights::Places;

/// One question's deadline.
const BOUND: Duration = Duration::from_secs(10);

/// Everything that is wrong or doubtful on the servers that the rules name.
pub async fn check(rules: &Rules) -> Vec<Problem> {
    let mut problems = Vec::new();
    let groups = KeyPath::root().key("groups");
    let topology = match Topology::build(rules, &Place { workers: 1, ..Place::default() }, None) {
        Ok(topology) => topology,
        Err(error) => return vec![Problem::error(&groups, error.message)],
    };
    let mut first: Option<Arc<Facts>> = None;
    let sequences = rules.schemas().iter().any(|schema| {
        let mut tables = schema.tables().into_iter();
        tables.any(|(_, placement)| placement.sequence().is_some())
    });
    let places = places(rules);
    for group in topology.groups() {
        group.probe_once().await;
        let path = groups.key(group.name().as_str());
        let places = places.get(group.name());
        nodes(group, &path, &mut first, (sequences, places), &mut problems).await;
        if transactions::needed(rules) {
            transactions::check(rules, group, &path.key("primary"), &mut problems).await;
        }
    }
    for schema in rules.schemas() {
        tables(rules, schema, &topology, &mut problems).await;
    }
    problems
}

/// A group's nodes: reachable, alike, with accounts that may do what they must.
async fn nodes(
    group: &Group,
    path: &KeyPath,
    first: &mut Option<Arc<Facts>>,
    (sequences, places): (bool, Option<&Places>),
    problems: &mut Vec<Problem>,
) {
    for (index, pool) in group.pools().iter().enumerate() {
        let node = pool.node();
        let path = match index {
            0 => path.key("primary"),
            _ => path.key("replicas").index(index - 1),
        };
        let health = node.health();
        let Some(facts) = node.facts().filter(|_| health.standing == Standing::Up) else {
            let message = format!("{} can't be used: {}", node.title(), health.reason);
            problems.push(if index == 0 {
                Problem::error(&path, message)
            } else {
                Problem::warning(&path, message)
            });
            continue;
        };
        let reference = first.get_or_insert_with(|| facts.clone()).clone();
        problems.extend(judge::node(&path, &node.title(), &facts, &reference));
        if index == 0 && health.read_only == Some(true) {
            problems.push(
                Problem::error(&path, format!("{} is read-only", node.title()))
                    .help("it is declared as the primary"),
            );
        }
        if index > 0 && !health.replicating {
            problems.push(
                Problem::warning(&path, format!("{} replicates from nothing", node.title()))
                    .help("its rows will not follow the primary's"),
            );
        }
        rights::check(node, index == 0, places, &path, problems).await;
        if index == 0 && sequences {
            stride(node, &path, problems).await;
        }
    }
}

/// Drivers compute the ids of a statement's rows from the first one and this variable; those of a
/// sequence follow each other.
async fn stride(node: &Node, path: &KeyPath, problems: &mut Vec<Problem>) {
    let asked = async {
        let mut conn = control::connect(node, &node.spec.control, BOUND).await?;
        let sql = "SELECT @@global.auto_increment_increment";
        let stride: Option<u64> = control::run(node, BOUND, conn.query_first(sql)).await?;
        let _ = conn.disconnect().await;
        Ok::<_, Error>(stride)
    };
    // A control account that can't be used was named before.
    if let Ok(Some(stride)) = asked.await
        && stride != 1
    {
        let text = format!("{}: auto_increment_increment is {stride}", node.title());
        problems.push(Problem::warning(path, text).help(
            "sequences give one statement ids that follow each other, and drivers that ask for generated keys would add it: set it to 1",
        ));
    }
}

/// Every physical table of a schema that a rule names.
async fn tables(rules: &Rules, schema: &Schema, topology: &Topology, problems: &mut Vec<Problem>) {
    let root = KeyPath::root().key("schemas").key(schema.name.as_str()).key("tables");
    let mut questions: BTreeMap<GroupId, Vec<(catalog::Logical, catalog::Physical)>> =
        BTreeMap::new();
    for (name, placement) in schema.tables() {
        for (group, database, table) in physical(placement) {
            let logical = (schema.name.clone(), TableName::from(name));
            questions
                .entry(group)
                .or_default()
                .push((logical, catalog::Physical { database, table }));
        }
    }
    let mut found: BTreeMap<TableName, Vec<Physical>> = BTreeMap::new();
    for (id, asked) in questions {
        let answered = match topology.group(id) {
            Ok(group) => catalog::look_up(group, &asked).await,
            Err(error) => Err(error),
        };
        match answered {
            // The answers come in the order of the questions.
            Ok(tables) => {
                for ((_, physical), ((_, name), table)) in asked.into_iter().zip(tables) {
                    let place = format!(
                        "{}.{}.{}",
                        rules.group_name(id),
                        physical.database,
                        physical.table
                    );
                    found.entry(name).or_default().push(Physical { place, found: table });
                }
            }
            Err(error) => {
                let path = KeyPath::root().key("groups").key(rules.group_name(id).as_str());
                problems.push(Problem::error(
                    &path,
                    format!("its tables can't be looked at: {}", error.message),
                ));
            }
        }
    }
    for (name, placement) in schema.tables() {
        let path = root.key(name);
        let Some(copies) = found.get(name) else { continue };
        let table = judge::copies(&path, copies, problems);
        match (placement, table) {
            (Placement::Sharded(rule), Some(table)) => judge::sharded(&path, rule, table, problems),
            (Placement::Broadcast(rule), Some(table)) => {
                if let Some(sequence) = &rule.sequence {
                    judge::filled(&path.key("sequence").key("column"), sequence, table, problems);
                }
            }
            _ => {}
        }
    }
}

/// The physical tables that the rules name, by their groups' names.
fn places(rules: &Rules) -> BTreeMap<GroupName, Places> {
    let mut all: BTreeMap<GroupName, Places> = BTreeMap::new();
    for schema in rules.schemas() {
        for (_, placement) in schema.tables() {
            for (group, database, table) in physical(placement) {
                let group = all.entry(rules.group_name(group)).or_default();
                group.entry(database).or_default().push(table);
            }
        }
    }
    all
}

fn physical(placement: &Placement) -> Vec<(GroupId, Arc<str>, Arc<str>)> {
    match placement {
        Placement::Sharded(table) => table
            .shards
            .iter()
            .map(|shard| (shard.group, shard.database.clone(), shard.table.clone()))
            .collect(),
        Placement::Broadcast(table) => table
            .copies
            .iter()
            .map(|(group, database)| (*group, database.clone(), table.table.clone()))
            .collect(),
        Placement::Single(table) => {
            vec![(table.group, table.database.clone(), table.table.clone())]
        }
    }
}
