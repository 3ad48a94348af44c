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
    /// Shard = key modulo the number of shards.
    Modulo,
    /// Shard = XXH64 of the key's 8 bytes (little endian, seed 0) modulo the number of shards.
    Hash,
    /// A full copy in every group.
    Broadcast,
    /// In the first group alone.
    Single,
}

impl Kind {
    pub fn sharded(self) -> bool {
        matches!(self, Kind::Modulo | Kind::Hash)
    }
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
    Table { name: "items", kind: Kind::Hash, key: "item_id", make: rows::items },
    Table { name: "stock", kind: Kind::Hash, key: "item_id", make: rows::stock },
    Table { name: "users", kind: Kind::Modulo, key: "user_id", make: rows::users },
    Table { name: "orders", kind: Kind::Modulo, key: "user_id", make: rows::orders },
    Table { name: "order_items", kind: Kind::Modulo, key: "user_id", make: rows::order_items },
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
    /// About 1,800 rows, for tests that ask every row.
    pub const SMALL: Scale = Scale { users: 200, items: 120, orders: 400 };
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
    /// tables `orders_0000` to `orders_0015` numbered through them; the rest lives in the first
    /// database of each group.
    pub fn sharded() -> Layout {
        Layout {
            shard_databases: (0..4).map(|n| (n / 2, format!("{SCHEMA}_{n:04}"))).collect(),
            shards: SHARDS,
            databases: vec![format!("{SCHEMA}_0000"), format!("{SCHEMA}_0002")],
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
            kind if kind.sharded() && !self.shard_databases.is_empty() => {
                (0..self.shards).map(|shard| self.shard(table, shard)).collect()
            }
            Kind::Broadcast => self.databases.iter().enumerate().map(copy).collect(),
            _ => self.databases.iter().enumerate().take(1).map(copy).collect(),
        }
    }

    /// Index into [`Self::places`] of a row's home; None where every place has a copy.
    pub fn home(&self, table: &Table, key: u64) -> Option<usize> {
        let number = match table.kind {
            Kind::Broadcast => return None,
            Kind::Modulo if !self.shard_databases.is_empty() => key % self.shards,
            Kind::Hash if !self.shard_databases.is_empty() => xxh64(key) % self.shards,
            _ => 0,
        };
        Some(usize::try_from(number).unwrap_or_default())
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

/// XXH64 of eight bytes with seed 0, after its published specification.
pub fn xxh64(key: u64) -> u64 {
    const P1: u64 = 0x9E37_79B1_85EB_CA87;
    const P2: u64 = 0xC2B2_AE3D_27D4_EB4F;
    const P3: u64 = 0x1656_67B1_9E37_79F9;
    const P4: u64 = 0x85EB_CA77_C2B2_AE63;
    const P5: u64 = 0x27D4_EB2F_1656_67C5;
    let lane = key.wrapping_mul(P2).rotate_left(31).wrapping_mul(P1);
    let mut hash = P5.wrapping_add(8) ^ lane;
    hash = hash.rotate_left(27).wrapping_mul(P1).wrapping_add(P4);
    hash = (hash ^ (hash >> 33)).wrapping_mul(P2);
    hash = (hash ^ (hash >> 29)).wrapping_mul(P3);
    hash ^ (hash >> 32)
}
