//! Tables: which kind each is, where it lives, and which are bound.
//!
//! Owns: their check. Never: reads TDDL's expressions (`tddl` does).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::name::{GroupId, TableName};
use crate::rules::algorithm::Routing;
use crate::rules::check::{Check, Claim, SchemaCheck, indexes};
use crate::rules::key::KeyColumn;
use crate::rules::problem::{KeyPath, suggestion};
use crate::rules::shape::{KeyShape, TableShape};
use crate::rules::table::{BindingId, BroadcastTable, Placement, Shard, ShardedTable, SingleTable};

/// The most shards of one table.
const MOST_SHARDS: usize = 65_536;

/// What makes a table sharded, before it has a binding.
pub(super) struct Sharding {
    pub keys: Vec<KeyColumn>,
    pub routing: Routing,
    pub shards: Vec<Shard>,
    /// TDDL reads only what it is told to read.
    pub scatter_reads: Option<bool>,
}

/// Forms that exclude each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Sharded,
    Bound,
    Tddl,
    Broadcast,
    Single,
}

impl Check {
    pub(super) fn tables(
        &mut self,
        schema: &SchemaCheck<'_>,
        path: &KeyPath,
    ) -> HashMap<Box<str>, Placement> {
        let mut tables: BTreeMap<&str, Placement> = BTreeMap::new();
        let root = path.key("tables");
        for (name, shape) in &schema.shape.tables {
            let path = root.key(name);
            self.name(name, "table", &path);
            let placement = match self.form(shape, &path) {
                Some(Form::Sharded) => {
                    let sharding = self.sharded(schema, name, shape, None, &path);
                    self.placed(schema, name, shape, sharding, &path)
                }
                Some(Form::Bound) => {
                    let sharding = self.bound(schema, name, shape, &path);
                    self.placed(schema, name, shape, sharding, &path)
                }
                Some(Form::Tddl) => {
                    let sharding = self.tddl(schema, name, shape, &path);
                    self.placed(schema, name, shape, sharding, &path)
                }
                Some(Form::Broadcast) => self.broadcast(schema, name, shape, &path),
                Some(Form::Single) => self.single(schema, name, shape, &path),
                None => None,
            };
            if let Some(placement) = placement {
                tables.insert(name, placement);
            }
        }
        let indexes = self.indexes(schema, &tables, &root);
        for made in &indexes {
            tables.insert(&made.name, Placement::Sharded(made.table.clone()));
        }
        bind_alike(&mut tables);
        indexes::attach(&mut tables, &indexes);
        self.join_groups(schema, &tables, &root);
        self.shared_sequences(&tables, &root);
        tables.into_iter().map(|(name, placement)| (Box::from(name), placement)).collect()
    }

    /// Which kind of table it is; fields of another kind are problems.
    fn form(&mut self, shape: &TableShape, path: &KeyPath) -> Option<Form> {
        let marks = [
            ("algorithm", shape.algorithm.is_some(), Form::Sharded),
            ("bind", shape.bind.is_some(), Form::Bound),
            ("tddl", shape.tddl.is_some(), Form::Tddl),
            ("broadcast", shape.broadcast == Some(true), Form::Broadcast),
            ("group", shape.group.is_some(), Form::Single),
        ];
        let there: Vec<_> = marks.iter().filter(|(_, there, _)| *there).collect();
        let form = match there.as_slice() {
            [(_, _, form)] => *form,
            [] => {
                self.error_help(path, "the table is neither sharded, bound, broadcast nor single", "write one of: algorithm (with key and shards), bind, tddl, broadcast: true, group");
                return None;
            }
            [(first, ..), rest @ ..] => {
                for (key, ..) in rest {
                    self.error(&path.key(key), format!("'{key}' and '{first}' exclude each other"));
                }
                return None;
            }
        };
        use Form::{Bound, Broadcast, Sharded, Single, Tddl};
        let fields: [(&str, bool, &[Form]); 8] = [
            ("key", !shape.key.is_empty(), &[Sharded, Bound, Tddl]),
            ("shards", shape.shards.is_some(), &[Sharded]),
            ("tables", shape.tables.is_some(), &[Bound]),
            ("table", shape.table.is_some(), &[Broadcast, Single]),
            ("sequence", shape.sequence.is_some(), &[Sharded, Bound, Tddl, Broadcast]),
            ("indexes", !shape.indexes.is_empty(), &[Sharded, Bound, Tddl]),
            ("scatter_reads", shape.scatter_reads.is_some(), &[Sharded, Bound, Tddl]),
            ("scatter_writes", shape.scatter_writes.is_some(), &[Sharded, Bound, Tddl]),
        ];
        for (key, there, forms) in fields {
            if there && !forms.contains(&form) {
                let help = if key == "tables" {
                    "the pattern of physical names belongs into 'shards'"
                } else {
                    "leave it out"
                };
                self.error_help(
                    &path.key(key),
                    format!("'{key}' is of no use for a table of this kind"),
                    help,
                );
            }
        }
        Some(form)
    }

    /// A table with its own algorithm; `tables` is the pattern of a table bound to it.
    fn sharded(
        &mut self,
        schema: &SchemaCheck<'_>,
        name: &str,
        shape: &TableShape,
        tables: Option<(&str, KeyPath)>,
        path: &KeyPath,
    ) -> Option<Sharding> {
        let keys = self.keys(&shape.key, path);
        let shards = match &shape.shards {
            Some(shards) => self.shards(schema, name, shards, tables, &path.key("shards")),
            None => {
                self.error_help(
                    path,
                    "'shards' is missing",
                    "write where the shards are: {count, databases, groups, tables}",
                );
                None
            }
        };
        let count = shards.as_ref().map(|shards| u32::try_from(shards.len()).unwrap_or(u32::MAX));
        let routing = match (&shape.algorithm, &keys, count) {
            (Some(algorithm), Some(keys), Some(count)) => {
                self.algorithm(algorithm, keys, count, &path.key("algorithm"))
            }
            _ => None,
        };
        Some(Sharding { keys: keys?, routing: routing?, shards: shards?, scatter_reads: None })
    }

    fn keys(&mut self, shapes: &[KeyShape], path: &KeyPath) -> Option<Vec<KeyColumn>> {
        if shapes.is_empty() {
            self.error_help(
                path,
                "'key' is missing",
                "write the shard key's columns: key: [{column: user_id, type: bigint}]",
            );
            return None;
        }
        let keys: Vec<Option<KeyColumn>> = shapes
            .iter()
            .enumerate()
            .map(|(index, key)| self.key(key, "bigint", false, &path.key("key").index(index)))
            .collect();
        self.distinct_keys(shapes, path);
        keys.into_iter().collect()
    }

    fn distinct_keys(&mut self, shapes: &[KeyShape], path: &KeyPath) {
        for (index, key) in shapes.iter().enumerate() {
            let before = shapes.get(..index).unwrap_or_default();
            if before.iter().any(|other| other.column.eq_ignore_ascii_case(&key.column)) {
                self.error(
                    &path.key("key").index(index).key("column"),
                    format!("column '{}' is named twice", key.column),
                );
            }
        }
    }

    /// A table sharded as another one is, with its own names.
    fn bound(
        &mut self,
        schema: &SchemaCheck<'_>,
        name: &str,
        shape: &TableShape,
        path: &KeyPath,
    ) -> Option<Sharding> {
        let base_name = shape.bind.as_deref()?;
        let bind_path = path.key("bind");
        let Some(base) = schema.shape.tables.get(base_name) else {
            let help = suggestion(base_name, schema.shape.tables.keys().map(String::as_str));
            self.error_help(
                &bind_path,
                format!("table '{base_name}' is not declared in this schema"),
                help,
            );
            return None;
        };
        if base.algorithm.is_none() {
            let help = "bind to a table that has 'algorithm' itself; TDDL's tables with equal rules are bound by themselves";
            self.error_help(&bind_path, format!("table '{base_name}' has no 'algorithm'"), help);
            return None;
        }
        let default_pattern = format!("{name}_{{0000}}");
        let pattern = shape.tables.as_deref().unwrap_or(&default_pattern);
        // What is wrong with the other table is reported there.
        let mut silent = Check { problems: Vec::new(), physical: HashMap::new() };
        let base_path = KeyPath::root();
        let mut sharding =
            silent.sharded(schema, name, base, Some((pattern, base_path)), &KeyPath::root())?;
        let own: Vec<_> =
            silent.problems.into_iter().filter(|problem| problem.path.0.is_empty()).collect();
        for mut problem in own {
            problem.path = path.key("tables");
            self.problems.push(problem);
        }
        if !shape.key.is_empty() && shape.key.len() != sharding.keys.len() {
            self.error(
                &path.key("key"),
                format!("'{base_name}' has {} key columns", sharding.keys.len()),
            );
            return None;
        }
        for ((index, written), key) in shape.key.iter().enumerate().zip(&mut sharding.keys) {
            let path = path.key("key").index(index);
            if written.kind.is_some() || written.collation.is_some() || written.fold.is_some() {
                self.error_help(
                    &path,
                    format!("the key's type is that of '{base_name}'"),
                    "write only 'column'",
                );
            }
            self.name(&written.column, "column", &path.key("column"));
            key.name = written.column.as_str().into();
        }
        self.distinct_keys(&shape.key, path);
        Some(sharding)
    }

    /// What all sharded tables have in common.
    fn placed(
        &mut self,
        schema: &SchemaCheck<'_>,
        name: &str,
        shape: &TableShape,
        sharding: Option<Sharding>,
        path: &KeyPath,
    ) -> Option<Placement> {
        let sequence = shape
            .sequence
            .as_ref()
            .and_then(|sequence| self.sequence(schema, name, sequence, &path.key("sequence")));
        let Sharding { keys, routing, shards, scatter_reads } = sharding?;
        if shards.len() > MOST_SHARDS {
            self.error(
                path,
                format!("the table has {} shards; the limit is {MOST_SHARDS}", shards.len()),
            );
            return None;
        }
        let at_home =
            |shard: &&Shard| schema.databases.iter().any(|(group, _)| *group == shard.group);
        if let Some(shard) = shards.iter().find(|shard| !at_home(shard)) {
            let group =
                schema.ids.iter().find(|(_, id)| **id == shard.group).map_or("", |(name, _)| name);
            self.warning(
                path,
                format!("group '{group}' holds shards, but the schema's 'databases' doesn't name it, so broadcast tables have no copy there"),
                format!("add it: databases: {{{group}: {}}}", shard.database),
            );
        }
        for shard in &shards {
            if !self.claim(schema, name, shard.group, &shard.database, &shard.table, path) {
                break;
            }
        }
        Some(Placement::Sharded(Arc::new(ShardedTable {
            schema: schema.name.clone(),
            name: TableName::from(name),
            keys,
            shards,
            binding: BindingId(0),
            sequence,
            scatter_reads: shape
                .scatter_reads
                .or(scatter_reads)
                .unwrap_or(schema.settings.scatter_reads),
            scatter_writes: shape.scatter_writes.unwrap_or(schema.settings.scatter_writes),
            indexes: Vec::new(),
            index_of: None,
            routing,
        })))
    }

    /// A physical table belongs to one logical table. False (and one problem) where it has another.
    pub(super) fn claim(
        &mut self,
        schema: &SchemaCheck<'_>,
        name: &str,
        group: GroupId,
        database: &Arc<str>,
        table: &Arc<str>,
        path: &KeyPath,
    ) -> bool {
        let owner = format!("{}.{name}", schema.name);
        let place = (group, database.clone(), table.clone());
        let first =
            self.physical.entry(place).or_insert_with(|| Claim { owner: owner.clone(), times: 0 });
        first.times += 1;
        let message = match first {
            Claim { owner: first, times: 1 } if *first == owner => return true,
            Claim { owner: first, .. } if *first == owner => {
                format!("physical table {database}.{table} stands for two shards")
            }
            Claim { owner: first, .. } => {
                format!("physical table {database}.{table} belongs to table {first} already")
            }
        };
        self.error(path, message);
        false
    }

    fn broadcast(
        &mut self,
        schema: &SchemaCheck<'_>,
        name: &str,
        shape: &TableShape,
        path: &KeyPath,
    ) -> Option<Placement> {
        let table: Arc<str> = shape.table.as_deref().unwrap_or(name).into();
        self.name(&table, "table", &path.key("table"));
        for (group, database) in schema.databases {
            self.claim(schema, name, *group, database, &table, path);
        }
        Some(Placement::Broadcast(Arc::new(BroadcastTable {
            schema: schema.name.clone(),
            name: TableName::from(name),
            table,
            copies: schema.databases.to_vec(),
            sequence: shape
                .sequence
                .as_ref()
                .and_then(|sequence| self.sequence(schema, name, sequence, &path.key("sequence"))),
        })))
    }

    fn single(
        &mut self,
        schema: &SchemaCheck<'_>,
        name: &str,
        shape: &TableShape,
        path: &KeyPath,
    ) -> Option<Placement> {
        let written = shape.group.as_deref()?;
        let group = self.group(schema.ids, written, &path.key("group"))?;
        let table: Arc<str> = shape.table.as_deref().unwrap_or(name).into();
        self.name(&table, "table", &path.key("table"));
        let Some((_, database)) = schema.databases.iter().find(|(id, _)| *id == group) else {
            self.error_help(
                &path.key("group"),
                format!("group '{written}' has no database in this schema"),
                "add it to the schema's 'databases'",
            );
            return None;
        };
        self.claim(schema, name, group, database, &table, path);
        Some(Placement::Single(SingleTable {
            group,
            database: database.clone(),
            table,
            default: false,
            temporary: false,
        }))
    }

    /// Tables of one joinGroup that aren't alike can't be joined inside a shard.
    fn join_groups(
        &mut self,
        schema: &SchemaCheck<'_>,
        tables: &BTreeMap<&str, Placement>,
        root: &KeyPath,
    ) {
        let mut first: HashMap<&str, (&str, BindingId)> = HashMap::new();
        for (name, shape) in &schema.shape.tables {
            let group = shape.tddl.as_ref().and_then(|tddl| tddl.join_group.as_deref());
            let (Some(group), Some(Placement::Sharded(table))) = (group, tables.get(name.as_str()))
            else {
                continue;
            };
            match first.get(group) {
                None => {
                    first.insert(group, (name.as_str(), table.binding));
                }
                Some((other, binding)) if *binding != table.binding => {
                    let message = format!(
                        "joinGroup '{group}' also has '{other}', which is sharded differently"
                    );
                    self.warning(
                        &root.key(name).key("tddl").key("joinGroup"),
                        message,
                        "joins of the two are not kept inside a shard",
                    );
                }
                Some(_) => {}
            }
        }
    }
}

/// Gives tables that are sharded alike the same binding.
fn bind_alike(tables: &mut BTreeMap<&str, Placement>) {
    let mut seen: Vec<Arc<ShardedTable>> = Vec::new();
    for placement in tables.values_mut() {
        let Placement::Sharded(table) = placement else { continue };
        let binding = match seen.iter().find(|other| alike(other, table)) {
            Some(other) => other.binding,
            None => BindingId(u32::try_from(seen.len()).unwrap_or(u32::MAX)),
        };
        let bound = Arc::new(ShardedTable { binding, ..ShardedTable::clone(table) });
        if usize::try_from(binding.0).is_ok_and(|binding| binding == seen.len()) {
            seen.push(bound.clone());
        }
        *table = bound;
    }
}

/// Whether equal keys of two tables always live in shards of equal number and place.
fn alike(left: &ShardedTable, right: &ShardedTable) -> bool {
    let place = |shard: &Shard| (shard.group, shard.database.clone());
    left.keys.len() == right.keys.len()
        && left.keys.iter().zip(&right.keys).all(|(left, right)| left.routes_like(right))
        && left.routing.alike(&right.routing)
        && left.shards.iter().map(place).eq(right.shards.iter().map(place))
}
