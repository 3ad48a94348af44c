//! The definitions of all physical tables of logical ones, as the groups' primaries have them.
//!
//! Owns: asking for them in bulk, one connection for each group. Never: changes anything there, or
//! says how to mend it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use crate::backend::control;
use crate::backend::node::Node;
use crate::backend::topology::{Place, Topology};
use crate::catalog::definition::Definition;
use crate::error::{Error, Fault, Result};
use crate::name::{GroupId, GroupName};
use crate::rules::Rules;
use crate::rules::table::Placement;

/// One question's deadline.
const BOUND: Duration = Duration::from_secs(60);

/// Definitions that are asked for at once.
const BATCH: usize = 100;

/// A logical table with what stands for it.
#[derive(Clone, Debug)]
pub struct Compared {
    pub schema: String,
    pub table: String,
    /// In the order of the shards, or of the groups.
    pub parts: Vec<Part>,
}

/// One physical table.
#[derive(Clone, Debug)]
pub struct Part {
    pub shard: Option<usize>,
    pub group: GroupName,
    pub database: Arc<str>,
    pub table: Arc<str>,
    /// `None`: there is no such table.
    pub definition: Option<Definition>,
}

/// The definitions of the tables that the rules name, of one schema or one table alone where they
/// are given.
///
/// # Errors
/// A group that can't be asked; a schema or table that the rules don't name.
pub async fn look(
    rules: &Rules,
    schema: Option<&str>,
    table: Option<&str>,
) -> Result<Vec<Compared>> {
    let mut found = named(rules, schema, table)?;
    let topology = Topology::build(rules, &Place { workers: 1, ..Place::default() }, None)?;
    let logical = logical_names(rules);
    let mut asked: BTreeMap<GroupId, Vec<(usize, usize)>> = BTreeMap::new();
    for (index, compared) in found.iter().enumerate() {
        for (place, part) in compared.parts.iter().enumerate() {
            if let Some((id, _)) = rules.group_by_name(part.group.as_str()) {
                asked.entry(id).or_default().push((index, place));
            }
        }
    }
    for (id, places) in asked {
        let group = topology.group(id)?;
        group.probe_once().await;
        let pool = group.primary().ok_or_else(|| {
            Error::unavailable("no_primary", format!("Group {} has no primary", group.name()))
        })?;
        let node = pool.node();
        let mut conn = control::connect(node, &node.spec.data, BOUND).await?;
        let outcome = ask(node, &mut conn, id, &places, &logical, &mut found).await;
        let _ = conn.disconnect().await;
        outcome?;
    }
    Ok(found)
}

fn named(rules: &Rules, schema: Option<&str>, table: Option<&str>) -> Result<Vec<Compared>> {
    let mut found = Vec::new();
    for rule in rules.schemas() {
        if schema.is_some_and(|schema| schema != rule.name.as_str()) {
            continue;
        }
        for (name, placement) in rule.tables() {
            if table.is_none_or(|table| table == name) {
                found.push(Compared {
                    schema: rule.name.to_string(),
                    table: name.to_owned(),
                    parts: parts(rules, placement),
                });
            }
        }
    }
    let unknown = |what: String| Error::new(Fault::Client, 1146, b"42S02", "unknown_table", what);
    match (schema, table) {
        (Some(schema), _) if rules.schema(schema).is_none() => {
            Err(unknown(format!("the rules name no schema '{schema}'")))
        }
        (_, Some(table)) if found.is_empty() => {
            Err(unknown(format!("the rules name no table '{table}'")))
        }
        _ => Ok(found),
    }
}

fn parts(rules: &Rules, placement: &Placement) -> Vec<Part> {
    let part = |shard, group, database: &Arc<str>, table: &Arc<str>| Part {
        shard,
        group: rules.group_name(group),
        database: database.clone(),
        table: table.clone(),
        definition: None,
    };
    match placement {
        Placement::Sharded(table) => {
            let shards = table.shards.iter().enumerate();
            shards
                .map(|(number, shard)| {
                    part(Some(number), shard.group, &shard.database, &shard.table)
                })
                .collect()
        }
        Placement::Broadcast(table) => {
            let copies = table.copies.iter();
            copies.map(|(group, database)| part(None, *group, database, &table.table)).collect()
        }
        Placement::Single(table) => vec![part(None, table.group, &table.database, &table.table)],
    }
}

/// Group, database and table of everything that the rules name, and what it is called.
type Names = HashMap<(GroupId, Arc<str>, Arc<str>), String>;

fn logical_names(rules: &Rules) -> Names {
    let mut names = Names::new();
    for schema in rules.schemas() {
        for (name, placement) in schema.tables() {
            for part in parts(rules, placement) {
                if let Some((id, _)) = rules.group_by_name(part.group.as_str()) {
                    names.insert((id, part.database, part.table), name.to_owned());
                }
            }
        }
    }
    names
}

/// All that a group has of the tables.
async fn ask(
    node: &Node,
    conn: &mut Conn,
    group: GroupId,
    places: &[(usize, usize)],
    names: &Names,
    found: &mut [Compared],
) -> Result<()> {
    let plain = "SET SESSION sql_mode = '', SESSION sql_quote_show_create = 1";
    control::run(node, BOUND, conn.query_drop(plain)).await?;
    let part = |found: &[Compared], (index, place): (usize, usize)| -> Option<Part> {
        found.get(index)?.parts.get(place).cloned()
    };
    let databases: HashSet<Arc<str>> =
        places.iter().filter_map(|place| Some(part(found, *place)?.database)).collect();
    let mut there: HashSet<(Arc<str>, String)> = HashSet::new();
    let mut triggers: HashMap<(Arc<str>, String), Vec<String>> = HashMap::new();
    for database in databases {
        let tables: Vec<String> =
            control::run(node, BOUND, conn.exec(TABLES, (&*database,))).await?;
        there.extend(tables.into_iter().map(|table| (database.clone(), table)));
        let rows: Vec<(String, String, String, String)> =
            control::run(node, BOUND, conn.exec(TRIGGERS, (&*database,))).await?;
        for (table, timing, event, body) in rows {
            let line = format!("TRIGGER {timing} {event}: {}", body.replace('\n', " "));
            triggers.entry((database.clone(), table)).or_default().push(line);
        }
    }
    let existing = |place: &&(usize, usize)| {
        part(found, **place)
            .is_some_and(|part| there.contains(&(part.database, part.table.to_string())))
    };
    let places: Vec<(usize, usize)> = places.iter().filter(existing).copied().collect();
    for some in places.chunks(BATCH) {
        let parts: Vec<Part> = some.iter().filter_map(|place| part(found, *place)).collect();
        let texts = create_texts(node, conn, &parts).await?;
        for ((place, part), text) in some.iter().zip(parts).zip(texts) {
            let Some(compared) = found.get_mut(place.0) else { continue };
            let named =
                |table: &str| names.get(&(group, part.database.clone(), Arc::from(table))).cloned();
            let mut definition = Definition::of(&text, &part.table, &compared.table, &named);
            let key = (part.database.clone(), part.table.to_string());
            let mut lines = triggers.remove(&key).unwrap_or_default();
            lines.sort();
            let own = |line: String| line.replace(&*part.table, &compared.table);
            definition.0.extend(lines.into_iter().map(own));
            if let Some(slot) = compared.parts.get_mut(place.1) {
                slot.definition = Some(definition);
            }
        }
    }
    Ok(())
}

const TABLES: &str = "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ?";
const TRIGGERS: &str = "SELECT EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, \
    ACTION_STATEMENT FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = ?";

/// SHOW CREATE TABLE of many tables in one round trip.
async fn create_texts(node: &Node, conn: &mut Conn, parts: &[Part]) -> Result<Vec<String>> {
    let quoted = |name: &str| name.replace('`', "``");
    let one = |part: &Part| {
        format!("SHOW CREATE TABLE `{}`.`{}`", quoted(&part.database), quoted(&part.table))
    };
    let all: Vec<String> = parts.iter().map(one).collect();
    let text = all.join(";");
    let step = async {
        let mut result = conn.query_iter(text).await?;
        let mut texts = Vec::with_capacity(parts.len());
        while !result.is_empty() {
            let rows: Vec<Row> = result.collect().await?;
            for row in rows {
                texts.push(row.get::<String, _>(1).unwrap_or_default());
            }
        }
        Ok(texts)
    };
    let texts = control::run(node, BOUND, step).await?;
    if texts.len() != parts.len() {
        return Err(Error::internal("fewer definitions than tables"));
    }
    Ok(texts)
}
