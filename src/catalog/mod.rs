//! What Weir knows of the physical tables: immutable snapshots.
//!
//! Owns: the types and their lookups. Never: asks a server (the loader lives in `backend`), or
//! knows how a table is sharded.

pub mod definition;

use std::collections::HashMap;
use std::sync::Arc;

use crate::value::types::{Collation, ColumnType};

/// All tables known at one moment. A missing table means "not loaded", not "doesn't exist".
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Moves with every change; part of the plan cache's key.
    pub version: u64,
    schemas: HashMap<Box<str>, HashMap<Box<str>, Arc<Table>>>,
}

impl Catalog {
    /// A table by its *logical* schema and name, both exact (as with lower_case_table_names=0).
    pub fn table(&self, schema: &str, table: &str) -> Option<&Arc<Table>> {
        self.schemas.get(schema)?.get(table)
    }

    /// A catalog that differs in one table; its version is one higher.
    #[must_use]
    pub fn with(&self, schema: &str, table: Table) -> Catalog {
        let mut changed = self.clone();
        let name: Box<str> = table.name.clone();
        changed.schemas.entry(schema.into()).or_default().insert(name, Arc::new(table));
        changed.version += 1;
        changed
    }

    /// A catalog that has forgotten one table; its version is one higher.
    #[must_use]
    pub fn without(&self, schema: &str, table: &str) -> Catalog {
        let mut changed = self.clone();
        if let Some(tables) = changed.schemas.get_mut(schema) {
            tables.remove(table);
        }
        changed.version += 1;
        changed
    }

    pub fn tables(&self) -> impl Iterator<Item = (&str, &Arc<Table>)> {
        self.schemas
            .iter()
            .flat_map(|(schema, tables)| tables.values().map(move |table| (&**schema, table)))
    }
}

/// One table, as its physical copies or shards are defined.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The logical name.
    pub name: Box<str>,
    pub columns: Vec<Column>,
    /// PRIMARY first where there is one.
    pub keys: Vec<Key>,
    /// Index into `columns`.
    pub auto_increment: Option<usize>,
    pub engine: Box<str>,
    pub collation: Collation,
    pub triggers: Vec<Trigger>,
    pub has_checks: bool,
    pub has_foreign_keys: bool,
    /// A foreign key of it lets the server change or remove its rows.
    pub cascades: bool,
    /// A view: it has no keys.
    pub is_view: bool,
    /// What the view is defined as; `None` where no account of Weir's may see it.
    pub view: Option<View>,
    by_name: HashMap<Box<str>, usize>,
}

impl Table {
    /// A table of these columns, in their order. The other fields are set by the caller.
    pub fn new(name: &str, columns: Vec<Column>) -> Table {
        let by_name = columns
            .iter()
            .enumerate()
            .map(|(index, column)| (fold_name(&column.name).into(), index))
            .collect();
        Table { name: name.into(), columns, by_name, ..Table::default() }
    }

    /// A column's place by its name in any case.
    pub fn column_index(&self, name: &str) -> Option<usize> {
        // Most names come as they were defined, in lower case: no copy then.
        if let Some(&index) = self.by_name.get(name) {
            return Some(index);
        }
        self.by_name.get(fold_name(name).as_str()).copied()
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.get(self.column_index(name)?)
    }

    pub fn primary_key(&self) -> Option<&Key> {
        self.keys.iter().find(|key| key.primary)
    }

    pub fn unique_keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(|key| key.unique)
    }

    /// The columns that `SELECT *` and an INSERT without a column list name.
    pub fn visible_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| !column.invisible)
    }

    /// Whether a BEFORE trigger of that event exists, which could change what is stored.
    pub fn has_before_trigger(&self, event: TriggerEvent) -> bool {
        self.triggers.iter().any(|trigger| trigger.before && trigger.event == event)
    }
}

/// Column names compare without case (utf8_general_ci on the server).
fn fold_name(name: &str) -> String {
    name.to_lowercase()
}

/// A view's definition, as its server keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The SELECT in the server's own words: physical names, each table with its database, each item
    /// with its name, `*` resolved.
    pub definition: Box<str>,
    /// SQL SECURITY INVOKER: whoever reads it needs the rights on what it reads.
    pub invoker: bool,
    /// The collation of the connection that made it, which its literals have.
    pub collation: Box<str>,
    /// That collation's character set; empty where it isn't known.
    pub charset: Box<str>,
    /// It is the default one of its character set.
    pub is_default: bool,
    /// It may read LAST_INSERT_ID(), which is its connection's.
    pub reads_id: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: Box<str>,
    pub kind: ColumnType,
    pub nullable: bool,
    pub default: DefaultValue,
    pub generated: Generated,
    /// ON UPDATE CURRENT_TIMESTAMP.
    pub on_update: bool,
    pub invisible: bool,
}

impl Column {
    /// A nullable column without a default.
    pub fn new(name: &str, kind: ColumnType) -> Column {
        Column {
            name: name.into(),
            kind,
            nullable: true,
            default: DefaultValue::Null,
            generated: Generated::No,
            on_update: false,
            invisible: false,
        }
    }

    pub fn collation(&self) -> Option<&Collation> {
        self.kind.collation()
    }

    /// Whether trailing spaces are ignored when the column is compared.
    pub fn pads_spaces(&self) -> bool {
        self.collation().is_some_and(Collation::pads_spaces)
    }
}

/// What a column gets that an INSERT doesn't name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// NOT NULL and nothing declared: an error in strict mode, otherwise the type's zero.
    None,
    Null,
    /// A constant, as text.
    Constant(Box<str>),
    /// NOW() and its kin: fixed by `SET timestamp`.
    CurrentTimestamp,
    /// Any other expression, which each server would evaluate for itself.
    Expression(Box<str>),
    AutoIncrement,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generated {
    No,
    Stored,
    Virtual,
}

/// A key (index) of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub name: Box<str>,
    pub primary: bool,
    pub unique: bool,
    pub parts: Vec<KeyPart>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPart {
    /// Index into the table's columns; `None` for a functional part.
    pub column: Option<usize>,
    /// Only so many characters are in the key.
    pub prefix: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    pub name: Box<str>,
    pub before: bool,
    pub event: TriggerEvent,
    /// It may read LAST_INSERT_ID(), which is its connection's.
    pub reads_id: bool,
    /// It may set a variable of its connection's.
    pub sets: bool,
    /// It may write to other tables.
    pub writes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriggerEvent {
    Insert,
    Update,
    Delete,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_in_any_case() {
        let bigint = ColumnType::Int { bits: 64, unsigned: false };
        let table = Table::new(
            "t",
            vec![Column::new("User_Id", bigint), Column::new("Größe", ColumnType::Json)],
        );
        assert_eq!(table.column_index("user_id"), Some(0));
        assert_eq!(table.column_index("USER_ID"), Some(0));
        assert_eq!(table.column_index("GRÖSSE"), None);
        assert_eq!(table.column_index("GRÖßE"), Some(1));
    }

    #[test]
    fn each_change_is_a_new_version_and_leaves_the_old_one_alone() {
        let empty = Catalog::default();
        let one = empty.with("shop", Table::new("users", Vec::new()));
        assert!(empty.table("shop", "users").is_none());
        assert!(one.table("shop", "users").is_some());
        assert_eq!(one.version, empty.version + 1);
        assert!(one.without("shop", "users").table("shop", "users").is_none());
    }
}
