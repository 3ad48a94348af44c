//! The shop's data: the same rows on one plain server and over the shards, and nothing lost.

use crate::support::servers::{Kind, Options};
use crate::support::shop::{Layout, SHARDS, Scale, TABLES, Table, load};
use crate::support::{self, shop};

/// The layout of the shop with databases that belong to one test, all on one server.
fn layout_in(database: &str) -> Layout {
    Layout {
        shard_databases: (0..4).map(|n| (n / 2, format!("{database}_{n:04}"))).collect(),
        shards: SHARDS,
        databases: vec![format!("{database}_g0"), format!("{database}_g1")],
    }
}

#[test]
fn full_scale_is_about_a_hundred_thousand_rows_and_never_changes() {
    let rows = load::rows_in_all(&Layout::plain("shop"), &Scale::FULL);
    assert!((95_000..=105_000).contains(&rows), "{rows}");
    let first = |table: &str| Table::named(table).rows(&Scale::FULL).nth(6).unwrap();
    // A change here changes every recorded answer of the shop.
    assert_eq!(first("users").key, 7);
    assert_eq!(
        first("users").values,
        Table::named("users").rows(&Scale::SMALL).nth(6).unwrap().values
    );
    insta::assert_snapshot!(
        TABLES.map(|table| format!("{}: {}", table.name, first(table.name).values)).join("\n")
    );
}

#[test]
fn shards_together_hold_exactly_the_plain_rows() {
    for server in support::shared_kinds() {
        let name = server.database();
        let layout = layout_in(&name);
        let urls = [server.url("root"), server.url("root")];
        load::load(&urls[..1], &Layout::plain(&name), &Scale::SMALL, &|_| {}).unwrap();
        load::load(&urls, &layout, &Scale::SMALL, &|_| {}).unwrap();
        for table in TABLES {
            let plain = dump(server, &name, table.name);
            assert!(!plain.is_empty());
            let mut sharded = Vec::new();
            for (shard, place) in layout.places(&table).iter().enumerate() {
                let rows = dump(server, &place.database, &place.table);
                match table.kind {
                    shop::Kind::Broadcast => assert_eq!(rows, plain, "{}", place.database),
                    shop::Kind::Single => sharded.extend(rows),
                    shop::Kind::Modulo | shop::Kind::Hash => {
                        assert!(!rows.is_empty(), "{} is empty", place.table);
                        for row in keys(server, &place.database, &place.table, table.key) {
                            assert_eq!(layout.home(&table, row), Some(shard), "{}", place.table);
                        }
                        sharded.extend(rows);
                    }
                }
            }
            if table.kind != shop::Kind::Broadcast {
                let mut plain = plain;
                plain.sort();
                sharded.sort();
                assert_eq!(sharded, plain, "{}", table.name);
            }
        }
    }
}

#[test]
fn totals_are_the_sums_of_their_lines() {
    let Some(server) = support::shared(Kind::MariaDb) else { return };
    let name = server.database();
    let urls = [server.url("root")];
    load::load(&urls, &Layout::plain(&name), &Scale::SMALL, &|_| {}).unwrap();
    let wrong = format!(
        "SELECT COUNT(*) FROM {name}.orders o JOIN (SELECT order_id, SUM(quantity * price) AS s \
         FROM {name}.order_items GROUP BY order_id) l ON l.order_id = o.order_id \
         WHERE o.total <> l.s"
    );
    assert_eq!(server.query(&wrong).unwrap(), [["0"]]);
    let orphans = format!(
        "SELECT COUNT(*) FROM {name}.order_items l LEFT JOIN {name}.items i ON i.item_id = l.item_id \
         LEFT JOIN {name}.users u ON u.user_id = l.user_id WHERE i.item_id IS NULL OR u.user_id IS NULL"
    );
    assert_eq!(server.query(&orphans).unwrap(), [["0"]]);
}

#[test]
fn the_full_shop_loads_into_two_groups() {
    let Some(g0) = support::started(Kind::MariaDb, Options::default()) else { return };
    let Some(g1) = support::started(Kind::MariaDb, Options::default()) else { return };
    let urls = [g0.url("root"), g1.url("root")];
    let loaded = std::sync::atomic::AtomicU64::new(0);
    load::load(&urls, &Layout::sharded(), &Scale::FULL, &|rows| {
        loaded.fetch_add(rows, std::sync::atomic::Ordering::Relaxed);
    })
    .unwrap();
    assert_eq!(loaded.into_inner(), load::rows_in_all(&Layout::sharded(), &Scale::FULL));
    let databases = "SELECT schema_name FROM information_schema.schemata \
        WHERE schema_name LIKE 'shop%' ORDER BY 1";
    assert_eq!(g0.query(databases).unwrap(), [["shop_0000"], ["shop_0001"]]);
    assert_eq!(g1.query(databases).unwrap(), [["shop_0002"], ["shop_0003"]]);
}

fn dump(server: &support::servers::Server, database: &str, table: &str) -> Vec<Vec<String>> {
    server.query(&format!("SELECT * FROM `{database}`.`{table}` ORDER BY 1, 2")).unwrap()
}

fn keys(server: &support::servers::Server, database: &str, table: &str, key: &str) -> Vec<u64> {
    let rows = server.query(&format!("SELECT {key} FROM `{database}`.`{table}`")).unwrap();
    rows.iter().map(|row| row[0].parse().unwrap()).collect()
}

/// The published vectors: the hash decides where rows live.
#[test]
fn the_loader_s_hash_is_xxh64() {
    // `xxhash.xxh64(bytes(8))` in Python.
    assert_eq!(shop::xxh64(0), 0x34C9_6ACD_CADB_1BBB);
    assert_eq!(shop::xxh64(u64::from_le_bytes(*b"12345678")), XXH64_OF_12345678);
}

/// From Python's `xxhash.xxh64(b"12345678").hexdigest()`.
const XXH64_OF_12345678: u64 = 0xD2D0_2F08_CF7C_FD4A;
