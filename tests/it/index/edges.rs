//! Statements and values at the edge of what an index follows: partitions, values that Weir can't
//! place, settings of the session and of the rules.
//!
//! Owns: what a review of indexes found. Never: the plain ways of writing (`super`).

use super::{World, block_on, compare};
use crate::support::rig;

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
