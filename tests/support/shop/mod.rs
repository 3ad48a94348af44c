//! The flash-sale shop: about 100,000 rows from fixed seeds, on one server or over shards.
//!
//! Owns: the tables, their rows and the layout that the loader fills. Never: asks Weir where a row
//! belongs; the layout here is arithmetic of its own, so that a routing defect shows as a row that
//! is not found.

pub mod load;
mod rows;

pub use rows::Row;

/// The shop's logical database.
pub const SCHEMA: &str = "shop";

/// The shards of each sharded table, numbered through the databases.
pub const SHARDS: u64 = 16;

/// What decides where a row lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Shard number = key modulo the number of shards. All such tables of one key are bound.
    Sharded,
    /// A full copy in every group.
    Broadcast,
    /// In the last group alone.
    Single,
}

/// One logical table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    pub name: &'static str,
    pub kind: Kind,
    /// The column that shards it; empty where nothing does.
    pub key: &'static str,
    make: fn(&Scale) -> Box<dyn Iterator<Item = Row> + Send>,
}

/// Every table, in the order of loading.
pub const TABLES: [Table; 7] = [
    Table { name: "regions", kind: Kind::Broadcast, key: "", make: rows::regions },
    Table { name: "coupons", kind: Kind::Single, key: "", make: rows::coupons },
    Table { name: "items", kind: Kind::Sharded, key: "item_id", make: rows::items },
    Table { name: "stock", kind: Kind::Sharded, key: "item_id", make: rows::stock },
    Table { name: "users", kind: Kind::Sharded, key: "user_id", make: rows::users },
    Table { name: "orders", kind: Kind::Sharded, key: "user_id", make: rows::orders },
    Table { name: "order_items", kind: Kind::Sharded, key: "user_id", make: rows::order_items },
];

/// How many rows.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    pub users: u64,
    pub items: u64,
    pub orders: u64,
}

impl Scale {
    /// About 100,000 rows.
    pub const FULL: Scale = Scale { users: 10_000, items: 2_000, orders: 28_000 };
    /// About 1,500 rows, for tests that ask every row.
    pub const SMALL: Scale = Scale { users: 200, items: 40, orders: 400 };
}

impl Table {
    pub fn named(name: &str) -> Table {
        let found = TABLES.into_iter().find(|table| table.name == name);
        found.unwrap_or_else(|| panic!("the shop has no table {name}"))
    }

    /// The table's rows, the same at every call.
    pub fn rows(&self, scale: &Scale) -> Box<dyn Iterator<Item = Row> + Send> {
        (self.make)(scale)
    }

    /// `CREATE TABLE` under a physical name.
    pub fn ddl(&self, physical: &str) -> String {
        let text = include_str!("tables.sql");
        let head = format!("CREATE TABLE {} (", self.name);
        let start = text.find(&head).unwrap_or_else(|| panic!("no DDL of {}", self.name));
        let body = &text[start + head.len()..];
        let body = &body[..body.find(";\n").unwrap_or(body.len())];
        format!("CREATE TABLE {physical} ({body}")
    }
}

/// A physical table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the group.
    pub group: usize,
    pub database: String,
    pub table: String,
}

/// Where the shop's tables live.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Group and name of each database of the shards, in order; empty: nothing is sharded.
    pub shard_databases: Vec<(usize, String)>,
    pub shards: u64,
    /// The database of broadcast and single tables in each group, in the order of the groups.
    pub databases: Vec<String>,
}

impl Layout {
    /// One plain server with the logical tables in one database.
    pub fn plain(database: &str) -> Layout {
        Layout { shard_databases: Vec::new(), shards: 1, databases: vec![database.to_owned()] }
    }

    /// As `rules/shop` says: groups g0 and g1, databases `shop_0000` to `shop_0003` (two in each),
    /// tables `orders_0000` to `orders_0015` numbered through them; `shop` for the rest.
    pub fn sharded() -> Layout {
        Layout {
            shard_databases: (0..4).map(|n| (n / 2, format!("{SCHEMA}_{n:04}"))).collect(),
            shards: SHARDS,
            databases: vec![SCHEMA.to_owned(), SCHEMA.to_owned()],
        }
    }

    /// Every physical table of a logical one.
    pub fn places(&self, table: &Table) -> Vec<Place> {
        let copy = |(group, database): (usize, &String)| Place {
            group,
            database: database.clone(),
            table: table.name.to_owned(),
        };
        match table.kind {
            Kind::Sharded if !self.shard_databases.is_empty() => {
                (0..self.shards).map(|shard| self.shard(table, shard)).collect()
            }
            Kind::Broadcast => self.databases.iter().enumerate().map(copy).collect(),
            Kind::Sharded | Kind::Single => {
                self.databases.iter().enumerate().last().map(copy).into_iter().collect()
            }
        }
    }

    /// Index into [`Self::places`] of a row's home; None where every place has a copy.
    pub fn home(&self, table: &Table, key: u64) -> Option<usize> {
        match table.kind {
            Kind::Sharded if !self.shard_databases.is_empty() => {
                Some(usize::try_from(key % self.shards).unwrap_or_default())
            }
            Kind::Broadcast => None,
            Kind::Sharded | Kind::Single => Some(0),
        }
    }

    /// Group and name of every database.
    pub fn all_databases(&self) -> Vec<(usize, String)> {
        let mut all: Vec<(usize, String)> = self.databases.iter().cloned().enumerate().collect();
        all.extend(self.shard_databases.iter().cloned());
        all
    }

    fn shard(&self, table: &Table, shard: u64) -> Place {
        let each = self.shards / self.shard_databases.len() as u64;
        let index = usize::try_from(shard / each).unwrap_or_default();
        let (group, database) = self.shard_databases[index].clone();
        Place { group, database, table: format!("{}_{shard:04}", table.name) }
    }
}
