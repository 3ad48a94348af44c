//! Global secondary indexes: their columns, names and places.
//!
//! Owns: their check, and making their lookup tables. Never: knows what an entry holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::name::TableName;
use crate::rules::algorithm::Routing;
use crate::rules::algorithm::hash::HashFunction;
use crate::rules::check::{Check, SchemaCheck};
use crate::rules::index::{IndexRule, PREFIX};
use crate::rules::key::KeyColumn;
use crate::rules::problem::KeyPath;
use crate::rules::shape::{IndexShape, IndexStateShape, TransactionsShape};
use crate::rules::table::{BindingId, Placement, Shard, ShardedTable};

/// The most columns of one index.
const MOST_COLUMNS: usize = 4;

/// An index whose lookup table has no binding yet.
pub(super) struct Made {
    pub base: String,
    /// The lookup table's logical name.
    pub name: String,
    index: Box<str>,
    columns: Vec<KeyColumn>,
    unique: bool,
    ready: bool,
    pub table: Arc<ShardedTable>,
}

impl Check {
    /// The indexes of all tables of a schema.
    pub(super) fn indexes(
        &mut self,
        schema: &SchemaCheck<'_>,
        tables: &BTreeMap<&str, Placement>,
        root: &KeyPath,
    ) -> Vec<Made> {
        let mut all = Vec::new();
        for (name, shape) in &schema.shape.tables {
            let path = root.key(name);
            if name.to_lowercase().starts_with(PREFIX) {
                self.error_help(
                    &path,
                    format!("names that begin with '{PREFIX}' are those of lookup tables"),
                    "write an index under 'indexes' of its table",
                );
            }
            let Some(Placement::Sharded(base)) = tables.get(name.as_str()) else { continue };
            if !shape.indexes.is_empty()
                && !matches!(schema.shape.transactions, None | Some(TransactionsShape::Atomic))
            {
                self.error_help(
                    &path.key("indexes"),
                    "an index follows its table only where transactions over groups are atomic",
                    "leave the schema's 'transactions' out",
                );
            }
            for (index, shape) in &shape.indexes {
                let path = path.key("indexes").key(index);
                all.extend(self.index(schema, base, (index, shape), &path));
            }
        }
        all
    }

    fn index(
        &mut self,
        schema: &SchemaCheck<'_>,
        base: &ShardedTable,
        (index, shape): (&str, &IndexShape),
        path: &KeyPath,
    ) -> Option<Made> {
        self.name(index, "index", path);
        if let Some(key) = base.keys.iter().find(|key| !key.covers(&key.declared)) {
            self.error_help(
                path,
                format!(
                    "the shard key '{}' keeps texts on different shards that its collation calls equal, and \
                     an index finds shards by equal keys",
                    key.name
                ),
                "leave the key's 'fold' out, or the index",
            );
            return None;
        }
        let columns = self.index_columns(shape, path)?;
        let name = IndexRule::table_name(base.name.as_str(), index);
        let shards = match &shape.shards {
            Some(shards) => self.shards(schema, &name, shards, None, &path.key("shards"))?,
            None => beside(base, &name),
        };
        for shard in &shards {
            self.name(&shard.table, "lookup table", path);
            let claimed =
                self.claim(schema, &name, shard.group, &shard.database, &shard.table, path);
            if !claimed {
                return None;
            }
        }
        let table = ShardedTable {
            schema: schema.name.clone(),
            name: TableName::from(name.as_str()),
            keys: columns.clone(),
            shards,
            binding: BindingId(0),
            sequence: None,
            scatter_reads: true,
            scatter_writes: true,
            indexes: Vec::new(),
            index_of: Some(base.name.clone()),
            routing: Routing::Hash(HashFunction::Xxh64),
        };
        Some(Made {
            base: base.name.to_string(),
            name,
            index: index.into(),
            columns,
            unique: shape.unique.unwrap_or(false),
            ready: matches!(shape.state, Some(IndexStateShape::Ready)),
            table: Arc::new(table),
        })
    }

    fn index_columns(&mut self, shape: &IndexShape, path: &KeyPath) -> Option<Vec<KeyColumn>> {
        let path = path.key("columns");
        if shape.columns.is_empty() {
            self.error_help(
                &path,
                "no column is named",
                "write the indexed columns: columns: [{column: order_no, type: varchar(32), collation: utf8mb4_bin}]",
            );
            return None;
        }
        if shape.columns.len() > MOST_COLUMNS {
            self.error(&path, format!("an index has at most {MOST_COLUMNS} columns"));
            return None;
        }
        let columns: Vec<Option<KeyColumn>> = shape
            .columns
            .iter()
            .enumerate()
            .map(|(place, column)| self.key(column, "bigint", false, &path.index(place)))
            .collect();
        for (place, column) in shape.columns.iter().enumerate() {
            let before = shape.columns.get(..place).unwrap_or_default();
            if before.iter().any(|other| other.column.eq_ignore_ascii_case(&column.column)) {
                self.error(
                    &path.index(place).key("column"),
                    format!("column '{}' is named twice", column.column),
                );
                return None;
            }
        }
        let columns: Vec<KeyColumn> = columns.into_iter().collect::<Option<_>>()?;
        for (place, column) in columns.iter().enumerate() {
            if !column.covers(&column.declared) {
                self.error_help(
                    &path.index(place).key("fold"),
                    format!(
                        "the fold of '{}' keeps texts apart that its collation calls equal, so an equal \
                         text would not be found",
                        column.name
                    ),
                    "leave 'fold' out",
                );
                return None;
            }
        }
        Some(columns)
    }
}

/// A lookup table's shards where nothing is said: as many as the table has, in the same databases.
fn beside(base: &ShardedTable, name: &str) -> Vec<Shard> {
    let shards = base.shards.iter().enumerate();
    shards
        .map(|(number, shard)| Shard {
            group: shard.group,
            database: shard.database.clone(),
            table: format!("{name}_{number:04}").into(),
        })
        .collect()
}

/// Gives tables their indexes, once the lookup tables have their bindings.
pub(super) fn attach(tables: &mut BTreeMap<&str, Placement>, all: &[Made]) {
    for made in all {
        let Some(Placement::Sharded(lookup)) = tables.get(made.name.as_str()).cloned() else {
            continue;
        };
        let Some(Placement::Sharded(base)) = tables.get_mut(made.base.as_str()) else { continue };
        let rule = IndexRule {
            name: made.index.clone(),
            columns: made.columns.clone(),
            unique: made.unique,
            ready: made.ready,
            table: lookup,
        };
        let mut with = ShardedTable::clone(base);
        with.indexes.push(Arc::new(rule));
        *base = Arc::new(with);
    }
}
