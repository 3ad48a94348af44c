//! Statements and values at the edge of what an index follows: partitions, values that Weir can't
//! place, settings of the session and of the rules.
//!
//! Owns: what a review of indexes found. Never: the plain ways of writing (`super`).

use mysql_async::Value;
use mysql_async::prelude::Queryable;

use super::{World, block_on, compare};
use crate::support::rig;
use crate::workbench::{code, connect};

const PARTS: &str = "
      parts:
        key: [{column: user_id, type: bigint}]
        algorithm: {kind: modulo}
        shards: {{shards}, tables: 'parts_{0}'}
        indexes:
          by_code:
            columns: [{column: code, type: varchar(40), collation: utf8mb4_general_ci}]
            state: ready
      bare:
        key: [{column: user_id, type: bigint}]
        algorithm: {kind: modulo}
        shards: {{shards}, tables: 'bare_{0}'}
";

const PARTS_DDL: &str = "CREATE TABLE parts (id BIGINT NOT NULL, user_id BIGINT NOT NULL, \
    code VARCHAR(40) NULL, PRIMARY KEY (id, user_id)<, KEY by_code (code)>) DEFAULT CHARSET = utf8mb4 \
    COLLATE = utf8mb4_general_ci PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (100), \
    PARTITION p1 VALUES LESS THAN (1000))";

const BARE_DDL: &str = "CREATE TABLE bare (id BIGINT NOT NULL PRIMARY KEY, user_id BIGINT NOT NULL, \
    code VARCHAR(40) NULL) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci";

/// A row for another partition than the statement names is refused, whichever way the rows go.
#[test]
fn a_named_partition_holds_for_rows_that_weir_writes() {
    for rig in rig::shared_kinds() {
        let world = World::start(rig, "ix_parts", PARTS, &[PARTS_DDL, BARE_DDL]);
        assert_eq!(world.index(&["create", "parts", "by_code"]).0, Some(0));
        let statements: Vec<String> = PARTITIONED.iter().map(|sql| (*sql).to_owned()).collect();
        block_on(compare(&world, "parts", &statements));
        world.is_clean("parts", "by_code", "all statements");
    }
}

const PARTITIONED: &[&str] = &[
    "INSERT INTO parts PARTITION (p0) VALUES (1, 1, 'A1'), (2, 2, 'A2'), (3, 3, 'A3')",
    "INSERT INTO parts PARTITION (p0) VALUES (4, 4, 'A4'), (500, 5, 'A5')",
    "INSERT INTO parts PARTITION (p1) VALUES (500 + 1, 1, concat('A', 1)), (502, 2, 'A2')",
    "INSERT INTO parts PARTITION (p1) VALUES (50 + 1, 1, concat('A', 1)), (503, 2, 'A2')",
    "INSERT INTO parts PARTITION (p0) SELECT id + 10, user_id + 1, code FROM parts WHERE id < 10",
    "INSERT INTO parts PARTITION (p0) SELECT id + 90, user_id + 1, code FROM parts WHERE id < 50",
    "INSERT INTO parts PARTITION (p0, p1) SELECT id + 90, user_id + 1, code FROM parts WHERE id < 50",
    "INSERT INTO bare VALUES (1, 1, 'x')",
    "INSERT INTO bare PARTITION (p0) VALUES (2, 2, 'x'), (3, 3, 'x')",
    "INSERT INTO bare PARTITION (p0) SELECT id, user_id + 1, code FROM parts",
    "REPLACE INTO bare PARTITION (p0) SELECT id, user_id + 1, code FROM parts",
    "UPDATE parts PARTITION (p0) SET code = 'B' WHERE code = 'A1'",
    "UPDATE parts PARTITION (p1) SET id = id + 1 WHERE code = 'A2'",
    "UPDATE parts PARTITION (p0) SET id = id + 100 WHERE code = 'A2'",
    "UPDATE parts PARTITION (p0) SET user_id = user_id + 1 WHERE code = 'A2'",
    "UPDATE bare PARTITION (p0) SET user_id = user_id + 1",
    "DELETE FROM parts PARTITION (p1) WHERE code LIKE 'A%' LIMIT 100",
    "SELECT * FROM parts PARTITION (p0) WHERE code = 'A2' ORDER BY id",
    "DELETE FROM parts PARTITION (p0) WHERE code LIKE 'A%' ORDER BY id LIMIT 1",
];

const STRICT: &str = "
      parcels:
        key: [{column: user_id, type: bigint}]
        algorithm: {kind: modulo}
        shards: {{shards}, tables: 'parcels_{0}'}
        scatter_reads: false
        indexes:
          by_code:
            columns: [{column: code, type: varchar(40), collation: utf8mb4_general_ci}]
            unique: true
            state: ready
          by_weight: {columns: [{column: weight, type: int}], state: ready}
";

/// Where reads of many shards are forbidden, what an index leads is allowed, and rows can be written.
#[test]
fn an_index_serves_tables_that_are_not_to_be_scattered() {
    for rig in rig::shared_kinds() {
        let world = World::start(rig, "ix_strict", STRICT, &[super::PARCELS_DDL]);
        for index in ["by_code", "by_weight"] {
            assert_eq!(world.index(&["create", "parcels", index]).0, Some(0));
        }
        block_on(async {
            let mut conn = connect(&world.url()).await;
            for sql in [
                "INSERT INTO parcels VALUES (1, 1, 'A1', 10, 'x'), (2, 2, 'A2', 10, 'x'), (3, 3, 'A3', 7, 'x')",
                "INSERT INTO parcels VALUES (4, 4, concat('A', 4), 7, 'x')",
                "INSERT INTO parcels SELECT id + 10, user_id + 1, 'B1', 7, 'x' FROM parcels WHERE user_id = 1",
                "UPDATE parcels SET note = 'y' WHERE code = 'A1'",
                "UPDATE parcels SET code = 'C1' WHERE code = 'A1'",
            ] {
                conn.query_drop(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
                assert!(conn.affected_rows() > 0, "{sql}");
            }
            for (sql, given) in [
                ("INSERT INTO parcels VALUES (?, 5, 'A5', 7, 'x')", vec![Value::from(5)]),
                ("UPDATE parcels SET code = ? WHERE code = ?", vec!["D1".into(), "C1".into()]),
                ("UPDATE parcels SET note = ? WHERE code = ?", vec!["z".into(), "D1".into()]),
                ("DELETE FROM parcels WHERE code = ?", vec!["A3".into()]),
            ] {
                let done = conn.exec_drop(sql, given).await;
                done.unwrap_or_else(|error| panic!("{sql}: {error}"));
                assert_eq!(conn.affected_rows(), 1, "{sql}");
            }
            for begin in ["DO 0", "BEGIN"] {
                conn.query_drop(begin).await.expect(begin);
                for sql in [
                    "SELECT id FROM parcels WHERE code IN ('D1', 'A2') ORDER BY id",
                    "SELECT id FROM parcels WHERE code IN ('D1', 'A2') ORDER BY id FOR UPDATE",
                    "SELECT id FROM parcels WHERE weight = 10 ORDER BY id",
                ] {
                    let found: Vec<u64> = conn
                        .query(sql)
                        .await
                        .unwrap_or_else(|error| panic!("{begin} {sql}: {error}"));
                    assert_eq!(found, [1, 2], "{begin} {sql}");
                }
            }
            conn.query_drop("ROLLBACK").await.expect("ROLLBACK");
            let refused = conn.query_drop("SELECT * FROM parcels").await.expect_err("all shards");
            assert_eq!(code(&refused).0, 1235, "{refused}");
            let _ = conn.disconnect().await;
        });
        for index in ["by_code", "by_weight"] {
            world.is_clean("parcels", index, "all statements");
        }
    }
}
