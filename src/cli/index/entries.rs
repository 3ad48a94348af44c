//! Rows and entries of one index, on the groups' primaries.
//!
//! Owns: the connections, the questions for rows and entries, and which shard each belongs to.
//! Never: decides what is missing.
//!
//! Values travel as the workbench moves them: equal values have equal bytes here.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

use crate::backend::catalog::{Physical, look_up};
use crate::backend::control;
use crate::backend::node::Node;
use crate::backend::topology::{Place, Topology};
use crate::backend::version::{Kind, Version};
use crate::cli::Failure;
use crate::error::{Error, Fault, Result};
use crate::executor::write_back::{self, Step, Writer, Zone, shard_of_keys};
use crate::name::GroupId;
use crate::planner::index::{check_kept, entry_columns};
use crate::planner::workbench::change::{Change, Changed, Keeping, Stored};
use crate::planner::workbench::{Moved, columns};
use crate::rules::Rules;
use crate::rules::index::IndexRule;
use crate::rules::table::{Placement, Shard, ShardedTable};
use crate::value::assign::{Context, ServerKind};

/// One step's deadline.
pub(super) const BOUND: Duration = Duration::from_secs(60);

/// Rows in one question.
pub(super) const BATCH: usize = 500;

/// The modes that values are written in: they are as their columns hold them.
const MODE: &str = "NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,STRICT_ALL_TABLES";

/// The values of an entry, or of a row's entry; never NULL but for what is indexed.
pub(super) type Values = Vec<Option<Vec<u8>>>;

/// Which of a group's connections: locks on rows are held on one while entries are written on the
/// other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Side {
    Rows,
    Entries,
}

/// One index with its servers.
pub(super) struct Entries {
    pub base: Arc<ShardedTable>,
    pub rule: Arc<IndexRule>,
    /// The lookup table, as changed rows of it are written.
    pub lookup: Changed,
    /// The primary key's columns, as places in the entry's.
    pub primary: Vec<usize>,
    topology: Topology,
    connections: HashMap<(GroupId, Side), Conn>,
    context: Context,
}

/// The index of a table that is named `schema.table`, or by its name alone.
pub(super) fn named(
    rules: &Rules,
    table: &str,
    index: &str,
) -> std::result::Result<(Arc<ShardedTable>, Arc<IndexRule>), Failure> {
    let wrong = |line: String| Failure::wrong(vec![line]);
    let (schema, name) = match table.split_once('.') {
        Some((schema, name)) => (Some(schema), name),
        None => (None, table),
    };
    let mut found = Vec::new();
    for one in rules.schemas() {
        if schema.is_none_or(|schema| schema == one.name.as_str())
            && let Placement::Sharded(table) = one.table(name)
        {
            found.push(table);
        }
    }
    let [base] = found.as_slice() else {
        return Err(wrong(match found.len() {
            0 => format!("the rules name no sharded table '{table}'"),
            _ => format!("several schemas have a table '{table}': write schema.table"),
        }));
    };
    match base.indexes.iter().find(|rule| *rule.name == *index) {
        Some(rule) => Ok((base.clone(), rule.clone())),
        None => Err(wrong(format!("the rules declare no index '{index}' of table '{table}'"))),
    }
}

impl Entries {
    pub async fn open(
        rules: &Rules,
        base: Arc<ShardedTable>,
        rule: Arc<IndexRule>,
    ) -> Result<Entries> {
        let topology = Topology::build(rules, &Place { workers: 1, ..Place::default() }, None)?;
        for group in topology.groups() {
            group.probe_once().await;
        }
        let first = base.shard(0).ok_or_else(|| Error::internal("a table without shards"))?;
        let physical = Physical { database: first.database.clone(), table: first.table.clone() };
        let logical = (base.schema.clone(), base.name.clone());
        let found = look_up(topology.group(first.group)?, &[(logical, physical)]).await?;
        let known = found.into_iter().find_map(|(_, table)| table).ok_or_else(|| {
            let text = format!("Table {}.{} is not on its servers", base.schema, base.name);
            Error::new(Fault::Client, 1146, b"42S02", "unknown_table", text)
        })?;
        check_kept(&base, &known)?;
        let names = entry_columns(&base, &rule, &known)?;
        let own = names.iter().filter_map(|name| known.column(name)).map(|column| Stored {
            moved: Moved { name: column.name.clone(), form: columns::form(&column.kind) },
            kind: column.kind.clone(),
        });
        let own: Vec<Stored> = own.collect();
        let parts = known.primary_key().map(|key| key.parts.as_slice()).unwrap_or_default();
        let primary = parts.iter().filter_map(|part| known.columns.get(part.column?));
        let primary = primary
            .filter_map(|column| names.iter().position(|name| *name == column.name))
            .collect();
        let keeping = Keeping {
            indexed: rule.columns.len(),
            unique: rule.unique,
            key: (0..own.len()).collect(),
        };
        let lookup = Changed {
            reference: 0,
            placement: Placement::Sharded(rule.table.clone()),
            columns: own,
            partition: String::new(),
            computes: false,
            change: Change::Entry(keeping),
            entries: vec![],
        };
        let context = Context::new(ServerKind::Unknown, MODE, Some(0));
        let connections = HashMap::new();
        let mut entries = Entries { base, rule, lookup, primary, topology, connections, context };
        entries.context = Context::new(entries.server().await?, MODE, Some(0));
        Ok(entries)
    }

    pub fn title(&self) -> String {
        format!("{}.{}.{}", self.base.schema, self.base.name, self.rule.name)
    }

    /// How many columns of an entry are indexed.
    pub fn indexed(&self) -> usize {
        self.rule.columns.len()
    }

    async fn server(&mut self) -> Result<ServerKind> {
        let group = self.base.shard(0).map_or(GroupId(0), |shard| shard.group);
        let row = self.ask((group, Side::Rows), "SELECT VERSION()").await?;
        let text = row.first().and_then(|row| row.first().cloned().flatten()).unwrap_or_default();
        Ok(match Version::parse(&String::from_utf8_lossy(&text)).kind {
            Kind::MySql => ServerKind::MySql,
            Kind::MariaDb => ServerKind::MariaDb,
        })
    }

    fn node(&self, group: GroupId) -> Result<Arc<Node>> {
        let group = self.topology.group(group)?;
        let pool = group.primary().ok_or_else(|| {
            Error::unavailable("no_primary", format!("Group {} has no primary", group.name()))
        })?;
        Ok(pool.node().clone())
    }

    /// Runs statements without rows.
    pub async fn run(&mut self, place: (GroupId, Side), sql: &str) -> Result<()> {
        let node = self.node(place.0)?;
        let conn = self.connection(&node, place).await?;
        control::run(&node, BOUND, conn.query_drop(sql)).await
    }

    /// The rows of a question.
    pub async fn ask(&mut self, place: (GroupId, Side), sql: &str) -> Result<Vec<Values>> {
        let node = self.node(place.0)?;
        let conn = self.connection(&node, place).await?;
        let rows: Vec<Row> = control::run(&node, BOUND, conn.query(sql)).await?;
        Ok(rows.into_iter().map(|row| row.unwrap().into_iter().map(bytes).collect()).collect())
    }

    async fn connection(&mut self, node: &Node, place: (GroupId, Side)) -> Result<&mut Conn> {
        let vacant = match self.connections.entry(place) {
            Entry::Occupied(held) => return Ok(held.into_mut()),
            Entry::Vacant(vacant) => vacant,
        };
        let mut conn = control::connect(node, &node.spec.data, BOUND).await?;
        let state = format!(
            "SET NAMES utf8mb4; SET SESSION sql_mode = '{MODE}', time_zone = '+00:00', \
             character_set_results = NULL, innodb_lock_wait_timeout = 10; \
             SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
        );
        for sql in state.split("; ") {
            control::run(node, BOUND, conn.query_drop(sql)).await?;
        }
        Ok(vacant.insert(conn))
    }

    pub async fn close(&mut self) {
        for (_, conn) in self.connections.drain() {
            let _ = conn.disconnect().await;
        }
    }

    /// `SELECT` of the entry's columns from a table of either kind.
    pub fn select(&self, shard: &Shard) -> String {
        let table = format!("{}.{}", quoted(&shard.database), quoted(&shard.table));
        let list = self.lookup.columns.iter();
        let list: Vec<String> = list.map(|column| column.moved.expression("t")).collect();
        format!("SELECT {} FROM {table} AS t", list.join(", "))
    }

    /// Indexed columns that are not NULL.
    pub fn has_entry(&self) -> String {
        let columns = self.lookup.columns.iter().take(self.indexed());
        let columns: Vec<String> =
            columns.map(|column| format!("t.{} IS NOT NULL", quoted(&column.moved.name))).collect();
        columns.join(" AND ")
    }

    /// What follows a row in the order of these columns.
    pub fn behind(&self, places: &[usize], row: Option<&Values>) -> Result<String> {
        let Some(row) = row else { return Ok("TRUE".to_owned()) };
        let mut parts = Vec::new();
        for (count, place) in places.iter().enumerate() {
            let mut all = places.iter().take(count).map(|before| self.compared(*before, "=", row));
            let mut text = all.by_ref().collect::<Result<Vec<_>>>()?;
            text.push(self.compared(*place, ">", row)?);
            parts.push(format!("({})", text.join(" AND ")));
        }
        Ok(format!("({})", parts.join(" OR ")))
    }

    fn compared(&self, place: usize, operator: &str, row: &Values) -> Result<String> {
        let column = self.lookup.columns.get(place);
        let column = column.ok_or_else(|| Error::internal("a key without its column"))?;
        let mut out = format!("t.{} {operator} ", quoted(&column.moved.name)).into_bytes();
        let value = row.get(place).and_then(Option::as_deref);
        self.writer().value(value, column, &mut out)?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    /// The order of these columns.
    pub fn order(&self, places: &[usize]) -> String {
        let columns = places.iter().filter_map(|place| self.lookup.columns.get(*place));
        let columns: Vec<String> =
            columns.map(|column| format!("t.{}", quoted(&column.moved.name))).collect();
        columns.join(", ")
    }

    /// Rows whose columns at `places` are those of one of these.
    pub fn any_of(&self, places: &[usize], rows: &[&Values]) -> Result<String> {
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            let one = places.iter().map(|place| self.compared(*place, "=", row));
            all.push(format!("({})", one.collect::<Result<Vec<_>>>()?.join(" AND ")));
        }
        Ok(format!("({})", all.join(" OR ")))
    }

    pub fn writer(&self) -> Writer<'_> {
        Writer { table: &self.lookup, zone: Zone::Utc }
    }

    /// Rows by the shard of the lookup table that holds their entries.
    pub fn by_lookup(&self, rows: Vec<Values>) -> Result<BTreeMap<u32, Vec<Values>>> {
        self.by_shard(&self.rule.table, rows)
    }

    /// Entries by the shard that holds their rows.
    pub fn by_base(&self, rows: Vec<Values>) -> Result<BTreeMap<u32, Vec<Values>>> {
        self.by_shard(&self.base, rows)
    }

    fn by_shard(
        &self,
        table: &ShardedTable,
        rows: Vec<Values>,
    ) -> Result<BTreeMap<u32, Vec<Values>>> {
        let mut shards: BTreeMap<u32, Vec<Values>> = BTreeMap::new();
        for row in rows {
            let values: Vec<Option<&[u8]>> = row.iter().map(Option::as_deref).collect();
            let shard = shard_of_keys(&self.lookup.columns, table, &values, self.context)?;
            shards.entry(shard).or_default().push(row);
        }
        Ok(shards)
    }

    /// Those of the rows that a table of either kind doesn't have.
    pub async fn absent(
        &mut self,
        (side, shard): (Side, &Shard),
        rows: Vec<Values>,
        lock: &str,
    ) -> Result<Vec<Values>> {
        let places: Vec<usize> = (0..self.lookup.columns.len()).collect();
        let mut absent = Vec::new();
        for some in rows.chunks(BATCH / 5) {
            let some: Vec<&Values> = some.iter().collect();
            let condition = self.any_of(&places, &some)?;
            let sql = format!("{} WHERE {condition}{lock}", self.select(shard));
            let there = self.ask((shard.group, side), &sql).await?;
            absent.extend(some.into_iter().filter(|row| !there.contains(row)).cloned());
        }
        Ok(absent)
    }

    /// Inserts or removes entries of one shard of the lookup table.
    pub async fn write(&mut self, shard: &Shard, step: Step, rows: &[Values]) -> Result<()> {
        for some in rows.chunks(BATCH / 5) {
            let writer = self.writer();
            let mut text = writer.head(step, &shard.database, &shard.table).into_bytes();
            for (place, row) in some.iter().enumerate() {
                if place > 0 {
                    text.extend_from_slice(writer.between(step).as_bytes());
                }
                let values = row.iter().map(Option::as_deref).collect();
                writer.row(step, &write_back::Row { shard: None, values }, &mut text)?;
            }
            text.extend_from_slice(writer.foot(step).as_bytes());
            let text = String::from_utf8_lossy(&text).into_owned();
            self.run((shard.group, Side::Entries), &text).await?;
        }
        Ok(())
    }

    /// An entry in a report.
    pub fn shown(&self, row: &Values) -> String {
        let shown = self.lookup.columns.iter().zip(row).map(|(column, value)| {
            let value = value.as_deref().map_or("NULL".into(), String::from_utf8_lossy);
            format!("{}={value}", column.moved.name)
        });
        shown.collect::<Vec<_>>().join(" ")
    }
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(bytes),
        other => Some(other.as_sql(true).into_bytes()),
    }
}

pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
