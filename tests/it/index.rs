//! Global secondary indexes against real servers: each statement also on one plain server with plain
//! indexes, and afterwards `weir index check`.

mod edges;
mod seen;

use std::path::PathBuf;
use std::process::Command;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

use crate::support::proxy::Proxy;
use crate::support::rig::{self, Rig};
use crate::support::sql;
use crate::workbench::connect;

const GROUPS: &str = "
groups:
  g0: {primary: {address: '${WEIR_G0_PRIMARY}'}}
  g1: {primary: {address: '${WEIR_G1_PRIMARY}'}}
group_defaults:
  accounts:
    data: {user: weir, password: env:WEIR_DATA_PASSWORD}
    control: {user: weir_control, password: env:WEIR_CONTROL_PASSWORD}
users:
  shop: {native: '${WEIR_SHOP_NATIVE}', schemas: ['*'], rights: [read, write, ddl]}
";

/// A schema of its own in databases of its own.
pub struct World {
    pub rig: &'static Rig,
    pub proxy: Proxy,
    pub rules: PathBuf,
    pub schema: String,
}

impl World {
    /// `{db}` stands for the schema, `{shards}` for 4 shards over both groups in `tables`.
    fn start(rig: &'static Rig, schema: &str, tables: &str, ddl: &[&str]) -> World {
        let urls: Vec<String> = rig.groups.iter().map(|group| group.primary.url("root")).collect();
        for (number, url) in urls.iter().enumerate() {
            let mut statements = vec![];
            for name in [format!("{schema}_{number}"), schema.to_owned()] {
                statements.push(format!("DROP DATABASE IF EXISTS {name}"));
                statements.push(format!("CREATE DATABASE {name}"));
            }
            let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
            sql::execute(url, &statements).expect("databases");
        }
        let world = World::again(rig, schema, tables);
        let plain = world.plain_url();
        for ddl in ddl {
            let (all, own) = (ddl.replace(['<', '>'], ""), without_indexes(ddl));
            sql::execute(&plain, &[&all]).expect("the plain table");
            sql::execute(&world.url(), &[&own]).expect("the sharded table");
        }
        world
    }

    fn again(rig: &'static Rig, schema: &str, tables: &str) -> World {
        let text = format!(
            "schemas:\n  {schema}:\n    databases: {{g0: {schema}_0, g1: {schema}_1}}\n    tables:\n{}",
            tables
                .replace("{shards}", "count: 4, databases: '{db}_{0}', groups: [g0, g1]")
                .replace("{db}", schema)
        );
        let (proxy, rules) =
            rig.ruled(&[("groups.yaml", GROUPS), ("tables.yaml", &text)]).expect("a proxy");
        World { rig, proxy, rules, schema: schema.to_owned() }
    }

    pub fn url(&self) -> String {
        self.proxy.url(&self.schema)
    }

    pub fn plain_url(&self) -> String {
        self.rig.plain_url().replace("/shop?", &format!("/{}?", self.schema))
    }

    /// `weir index`: its exit code and what it printed.
    pub fn index(&self, verb: &[&str]) -> (Option<i32>, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_weir"))
            .arg("index")
            .args([verb[0], "--rules", self.rules.to_str().expect("a path")])
            .args(&verb[1..])
            .envs(self.rig.environment())
            .output()
            .expect("weir index");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text + &String::from_utf8_lossy(&output.stderr))
    }

    /// Rows and entries agree.
    pub fn is_clean(&self, table: &str, index: &str, after: &str) {
        let (code, text) = self.index(&["check", table, index]);
        assert_eq!(code, Some(0), "after {after}: {text}");
    }
}

/// `<…>` holds the keys that only one plain server has.
fn without_indexes(ddl: &str) -> String {
    let (mut out, mut rest) = (String::new(), ddl);
    while let Some((before, behind)) = rest.split_once('<') {
        out.push_str(before);
        rest = behind.split_once('>').map_or("", |(_, behind)| behind);
    }
    out + rest
}

type Told = Result<(Vec<Vec<Value>>, u64, String), (u16, String)>;

async fn told(conn: &mut Conn, sql: &str, prepared: bool) -> Told {
    let rows: mysql_async::Result<Vec<Row>> = match prepared {
        true => conn.exec(sql, ()).await,
        false => conn.query(sql).await,
    };
    match rows {
        Ok(rows) => {
            let rows = rows.into_iter().map(Row::unwrap).collect();
            Ok((rows, conn.affected_rows(), conn.info().into_owned()))
        }
        Err(mysql_async::Error::Server(error)) => Err((error.code, error.message)),
        Err(error) => panic!("{sql}: {error}"),
    }
}

const PARCELS: &str = "
      parcels:
        key: [{column: user_id, type: bigint}]
        algorithm: {kind: modulo}
        shards: {{shards}, tables: 'parcels_{0}'}
        indexes:
          by_code:
            columns: [{column: code, type: varchar(40), collation: utf8mb4_general_ci}]
            unique: true
            state: ready
          by_weight: {columns: [{column: weight, type: int}], state: ready}
";

const PARCELS_DDL: &str = "CREATE TABLE parcels (id BIGINT NOT NULL, user_id BIGINT NOT NULL, \
    code VARCHAR(40) NULL, weight INT NULL, note VARCHAR(40) NULL, PRIMARY KEY (id)\
    <, UNIQUE KEY by_code (code), KEY by_weight (weight)>) \
    DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci";

fn parcels(rig: &'static Rig, schema: &str) -> World {
    let world = World::start(rig, schema, PARCELS, &[PARCELS_DDL]);
    for index in ["by_code", "by_weight"] {
        let (code, text) = world.index(&["create", "parcels", index]);
        assert_eq!(code, Some(0), "{text}");
    }
    world
}

/// Runs statements on both; `refused` are those that Weir may refuse with a code of its own.
async fn compare(world: &World, table: &str, statements: &[String]) {
    let (mut weir, mut plain) = (connect(&world.url()).await, connect(&world.plain_url()).await);
    for (number, sql) in statements.iter().enumerate() {
        let plain_word = ["SELECT", "INSERT", "UPDATE", "DELETE"];
        let prepared = number % 2 == 1 && plain_word.iter().any(|word| sql.starts_with(word));
        let expected = told(&mut plain, sql, prepared).await;
        let mut found = told(&mut weir, sql, prepared).await;
        if let (Err((1062, mine)), Err((1062, theirs))) = (&mut found, &expected) {
            // Which of several rows is met first is nobody's promise.
            let key = |text: &str| text.split_once(" for key ").map(|(_, key)| key.to_owned());
            assert_eq!(key(mine), key(theirs), "{sql}");
        }
        let (mut found, mut expected) = (found.map_err(|e| e.0), expected.map_err(|e| e.0));
        for side in [&mut found, &mut expected] {
            if let (Ok((rows, ..)), false) = (side, sql.contains("ORDER BY")) {
                rows.sort_by_key(|row| format!("{row:?}"));
            }
        }
        assert_eq!(found, expected, "{sql}");
        let all = &format!("SELECT * FROM {table} ORDER BY 1, 2");
        if !sql.starts_with("SELECT") {
            let rows = told(&mut weir, all, false).await.expect("rows").0;
            assert_eq!(rows, told(&mut plain, all, false).await.expect("rows").0, "after {sql}");
        }
    }
    let _ = weir.disconnect().await;
    let _ = plain.disconnect().await;
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

/// Each way of writing keeps the indexes, and each way of reading by them answers as one server.
#[test]
fn an_index_follows_its_table() {
    for rig in rig::shared_kinds() {
        let world = parcels(rig, "ix_follow");
        let statements: Vec<String> = STATEMENTS.iter().map(|sql| (*sql).to_owned()).collect();
        block_on(compare(&world, "parcels", &statements));
        for index in ["by_code", "by_weight"] {
            world.is_clean("parcels", index, "all statements");
        }
    }
}

/// Types whose values travel in other forms, several columns, and values that servers choose.
#[test]
fn entries_of_every_kind_follow() {
    for rig in rig::shared_kinds() {
        let world = World::start(rig, "ix_kinds", LETTERS, &[LETTERS_DDL, TICKETS_DDL]);
        for (table, index) in [("letters", "by_day"), ("letters", "by_raw"), ("tickets", "by_code")]
        {
            assert_eq!(world.index(&["create", table, index]).0, Some(0));
        }
        let statements: Vec<String> = LETTERS_TOLD.iter().map(|sql| (*sql).to_owned()).collect();
        block_on(compare(&world, "letters", &statements));
        block_on(with_parameters(&world));
        block_on(numbered(&world));
        for (table, index) in [("letters", "by_day"), ("letters", "by_raw"), ("tickets", "by_code")]
        {
            world.is_clean(table, index, "all statements");
        }
    }
}

async fn with_parameters(world: &World) {
    let (mut weir, mut plain) = (connect(&world.url()).await, connect(&world.plain_url()).await);
    let moment = |day| Value::Date(2026, 5, day, 10, 20, 30, 500_000);
    for (number, conn) in [&mut weir, &mut plain].into_iter().enumerate() {
        let insert = "INSERT INTO letters (town, sent, no, kind, day, raw, at) VALUES \
                      (?, ?, ?, ?, ?, ?, ?), (?, ?, 77, 'card', DATE'2026-05-02', NULL, DEFAULT)";
        let row = vec![
            Value::from("naïve 😀"),
            moment(1),
            Value::from("-1.50"),
            Value::from("letter"),
            Value::Date(2026, 5, 2, 0, 0, 0, 0),
            Value::Bytes(vec![0, 255, 39, 92]),
            Value::from("2026-05-01 00:00:00"),
            Value::from("x"),
            moment(2),
        ];
        conn.exec_drop(insert, row.clone()).await.expect("two rows");
        assert_eq!(conn.affected_rows(), 2, "{number}");
        let again = conn.exec_drop(insert, row).await.expect_err("the same rows");
        assert_eq!(crate::workbench::code(&again).0, 1062);
        conn.exec_drop(
            "UPDATE letters SET raw = ? WHERE raw = ?",
            (vec![7u8], vec![0u8, 255, 39, 92]),
        )
        .await
        .expect("an update");
        assert_eq!(conn.affected_rows(), 1, "{number}");
    }
    for sql in [
        "SELECT * FROM letters WHERE kind = ? AND day = ? ORDER BY 1, 2",
        "SELECT count(*) FROM letters WHERE day IN (?, '2026-05-02') AND kind = 'card'",
    ] {
        let given = match sql.matches('?').count() {
            2 => vec![Value::from("card"), Value::from("2026-05-02")],
            _ => vec![Value::from("2026-05-02")],
        };
        let found: Vec<Row> = weir.exec(sql, given.clone()).await.expect("rows");
        let wanted: Vec<Row> = plain.exec(sql, given).await.expect("rows");
        let values = |rows: Vec<Row>| rows.into_iter().map(Row::unwrap).collect::<Vec<_>>();
        assert_eq!(values(found), values(wanted), "{sql}");
    }
    let _ = weir.disconnect().await;
    let _ = plain.disconnect().await;
}

/// Rows that get their ids from a sequence.
async fn numbered(world: &World) {
    let mut conn = connect(&world.url()).await;
    conn.query_drop("INSERT INTO tickets (user_id, code) VALUES (1, 'T1'), (2, 'T2')")
        .await
        .expect("rows");
    let first = conn.last_insert_id().expect("an id");
    conn.exec_drop("INSERT INTO tickets VALUES (NULL, ?, ?)", (3, "T3")).await.expect("a row");
    let third = conn.last_insert_id().expect("an id");
    conn.query_drop(
        "INSERT INTO tickets (user_id, code) SELECT user_id + 10, concat(code, 'x') FROM tickets",
    )
    .await
    .expect("rows");
    let found: Option<(u64, u64)> =
        conn.query_first("SELECT id, user_id FROM tickets WHERE code = 'T1'").await.expect("a row");
    assert_eq!(found, Some((first, 1)));
    let found: Option<(u64, u64)> = conn
        .exec_first("SELECT id, user_id FROM tickets WHERE code = ?", ("T3",))
        .await
        .expect("a row");
    assert_eq!(found, Some((third, 3)));
    let count: Option<u64> = conn
        .query_first("SELECT count(*) FROM tickets WHERE code IN ('T1x', 'T2x', 'T3x', 'T4x')")
        .await
        .expect("a count");
    assert_eq!(count, Some(3));
    let error = conn
        .query_drop("INSERT INTO tickets (user_id, code) VALUES (9, 'T9'), (8, 'T3x')")
        .await
        .expect_err("a value that is there");
    assert_eq!(crate::workbench::code(&error).0, 1062);
    let count: Option<u64> =
        conn.query_first("SELECT count(*) FROM tickets").await.expect("a count");
    assert_eq!(count, Some(6));
    let _ = conn.disconnect().await;
}

const LETTERS: &str = "
      letters:
        key: [{column: town, type: varchar(20), collation: utf8mb4_bin}]
        algorithm: {kind: hash}
        shards: {{shards}, tables: 'letters_{0}'}
        indexes:
          by_day:
            columns:
              - {column: kind, type: varchar(9), collation: utf8mb4_general_ci}
              - {column: day, type: date}
            state: ready
          by_raw: {columns: [{column: raw, type: varbinary(9)}], unique: true, state: ready}
      tickets:
        key: [{column: user_id, type: bigint}]
        algorithm: {kind: modulo}
        shards: {{shards}, tables: 'tickets_{0}'}
        sequence: {column: id, kind: segment}
        indexes:
          by_code:
            columns: [{column: code, type: varchar(9), collation: utf8mb4_general_ci}]
            unique: true
            state: ready
";

const LETTERS_DDL: &str = "CREATE TABLE letters (town VARCHAR(20) CHARACTER SET utf8mb4 COLLATE \
    utf8mb4_bin NOT NULL, sent DATETIME(3) NOT NULL, no DECIMAL(6, 2) NOT NULL DEFAULT 0.5, \
    kind VARCHAR(9) NULL DEFAULT 'letter', day DATE NULL, raw VARBINARY(9) NULL, \
    at TIMESTAMP NULL DEFAULT NULL, PRIMARY KEY (sent, no)\
    <, KEY by_day (kind, day), UNIQUE KEY by_raw (raw)>) \
    DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci";

const TICKETS_DDL: &str = "CREATE TABLE tickets (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, \
    user_id BIGINT NOT NULL, code VARCHAR(9) NULL<, UNIQUE KEY by_code (code)>) \
    DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci";

const LETTERS_TOLD: &[&str] = &[
    "INSERT INTO letters (town, sent, day, raw) VALUES ('Ulm', '2026-01-02 03:04:05.678', '2026-01-02', x'00FF')",
    "INSERT INTO letters VALUES ('ulm', '2026-01-02 03:04:05.6789', -1.005, 'Card ', 20260102, 'a''b', NULL)",
    "INSERT INTO letters SET town = 'Bonn', sent = '2026-02-01', no = - 2, kind = 'card', day = '2026-1-2', raw = 0x27",
    "INSERT INTO letters (town, sent, no, kind) VALUES ('Köln', '2026-06-01' + INTERVAL 1 DAY, 9, 'card')",
    "INSERT INTO letters (town, sent, day) VALUES ('Rom', '2026-03-01', NULL), ('Oslo', '2026-03-02', '2026-01-02'), ('Rom', '2026-03-03', DEFAULT)",
    "DELETE FROM letters WHERE no = 9",
    "SELECT * FROM letters WHERE kind = 'CARD' AND day = '2026-01-02' ORDER BY 1, 2",
    "SELECT * FROM letters WHERE day = 20260102 AND kind = 'letter' ORDER BY 1, 2",
    "SELECT town FROM letters WHERE raw = x'00FF'",
    "SELECT town FROM letters WHERE raw = 'a''b'",
    "INSERT INTO letters VALUES ('Wien', '2026-01-09', 4, 'card', '2026-01-02', x'00FF', NULL)",
    "INSERT INTO letters VALUES ('Wien', '2026-02-31', 4, 'card', '2026-01-02', x'01', NULL)",
    "INSERT INTO letters VALUES ('Wien', '2026-02-28', 4, 'card and more', '2026-01-02', x'01', NULL)",
    "UPDATE letters SET day = day + INTERVAL 1 DAY WHERE kind = 'card' AND day = '2026-01-02'",
    "SELECT * FROM letters WHERE kind = 'card' AND day = '2026-01-03' ORDER BY 1, 2",
    "UPDATE letters SET town = concat(town, '!'), no = no + 1 WHERE kind = 'letter'",
    "SELECT * FROM letters WHERE kind = 'letter' AND day = '2026-01-02' ORDER BY 1, 2",
    "SET sql_mode = ''",
    "INSERT INTO letters VALUES ('Paris', '2026-04-01', 5, 'much too long', '2026-02-28', 'much too long', NULL)",
    "SELECT * FROM letters WHERE kind = 'much too ' ORDER BY 1, 2",
    "SELECT * FROM letters WHERE raw = 'much too ' ORDER BY 1, 2",
    "INSERT INTO letters (town, sent) VALUES ('Nice', 'nonsense')",
    "SELECT town FROM letters WHERE kind = 'letter' AND day IS NULL ORDER BY 1, 2",
];

const STATEMENTS: &[&str] = &[
    "INSERT INTO parcels VALUES (1, 1, 'A1', 10, 'one')",
    "INSERT INTO parcels (id, user_id, code, weight) VALUES (2, 2, 'A2', 10), (3, 3, 'A3', 20), (4, 4, NULL, NULL)",
    "INSERT INTO parcels (user_id, id, weight) VALUES (5, 5, 30)",
    "INSERT INTO parcels SET id = 6, user_id = 6, code = concat('A', 6), weight = 5 + 5",
    "SELECT * FROM parcels WHERE code = 'A2'",
    "SELECT * FROM parcels WHERE code = 'a2'",
    "SELECT id FROM parcels WHERE code IN ('A1', 'A3', 'nosuch', NULL)",
    "SELECT id FROM parcels WHERE code = 'nosuch'",
    "SELECT count(*), sum(weight) FROM parcels WHERE weight = 10",
    "SELECT id FROM parcels WHERE weight = 10 ORDER BY id DESC LIMIT 1",
    "SELECT id FROM parcels WHERE weight = '10'",
    "SELECT id FROM parcels WHERE code = 0",
    "SELECT id FROM parcels WHERE code <=> NULL",
    "SELECT p.id, q.id FROM parcels p JOIN parcels q ON q.user_id = p.user_id WHERE p.code = 'A3'",
    "SELECT p.id, q.id FROM parcels p LEFT JOIN parcels q ON q.code = 'A1' WHERE p.code = 'A3'",
    "SELECT id FROM parcels WHERE id IN (SELECT id FROM parcels WHERE code = 'A3')",
    "INSERT INTO parcels VALUES (7, 7, 'a1', 1, 'one')",
    "INSERT INTO parcels VALUES (8, 8, 'A8', 1, 'x'), (9, 9, 'A9', 1, 'x'), (10, 10, 'A1', 1, 'x')",
    "UPDATE parcels SET note = 'seen' WHERE code = 'A2'",
    "UPDATE parcels SET note = 'seen' WHERE code = 'A2'",
    "UPDATE parcels SET note = 'none' WHERE code = 'nosuch'",
    "UPDATE parcels SET code = 'B2' WHERE code = 'A2'",
    "SELECT * FROM parcels WHERE code = 'A2'",
    "SELECT * FROM parcels WHERE code = 'B2'",
    "UPDATE parcels SET weight = weight + 1 WHERE weight = 10",
    "SELECT id FROM parcels WHERE weight = 11",
    "UPDATE parcels SET code = 'A3' WHERE id = 1",
    "UPDATE parcels SET user_id = user_id + 1 WHERE code = 'A3'",
    "SELECT * FROM parcels WHERE code = 'A3'",
    "UPDATE parcels SET id = 30 WHERE code = 'A3'",
    "SELECT * FROM parcels WHERE code = 'A3'",
    "UPDATE parcels SET code = NULL WHERE id = 30",
    "SELECT id FROM parcels WHERE code IS NULL",
    "UPDATE parcels SET code = concat('N', id) WHERE code IS NULL",
    "SELECT id FROM parcels WHERE code = 'N30'",
    "INSERT INTO parcels SELECT id + 100, user_id + 1, concat('C', id), weight, note FROM parcels",
    "SELECT id FROM parcels WHERE code = 'C1'",
    "INSERT INTO parcels SELECT id + 200, user_id, concat('D', id), weight, note FROM parcels WHERE user_id = 1",
    "INSERT INTO parcels SELECT id + 300, user_id, code, weight, note FROM parcels WHERE id < 100",
    "DELETE FROM parcels WHERE code = 'C1'",
    "SELECT id FROM parcels WHERE code = 'C1'",
    "DELETE FROM parcels WHERE weight = 30 ORDER BY id LIMIT 1",
    "DELETE p FROM parcels p JOIN parcels q ON q.id = p.id - 100 WHERE q.code = 'B2'",
    "UPDATE parcels p JOIN parcels q ON q.id = p.id - 100 SET p.code = concat(p.code, 'x'), p.note = 'y' WHERE q.weight > 10",
    "SELECT id FROM parcels WHERE weight = 11 AND code = 'C6x'",
    "DELETE FROM parcels WHERE user_id = 1",
    "BEGIN",
    "INSERT INTO parcels VALUES (50, 50, 'T1', 77, NULL)",
    "SELECT id FROM parcels WHERE code = 'T1'",
    "INSERT INTO parcels VALUES (51, 51, 'T1', 78, NULL)",
    "SELECT id FROM parcels WHERE weight = 78",
    "UPDATE parcels SET code = 'T2' WHERE code = 'T1'",
    "SELECT id FROM parcels WHERE code = 'T1'",
    "SELECT id FROM parcels WHERE code = 'T2' FOR UPDATE",
    "SAVEPOINT s",
    "DELETE FROM parcels WHERE code = 'T2'",
    "SELECT id FROM parcels WHERE code = 'T2'",
    "ROLLBACK TO SAVEPOINT s",
    "SELECT id FROM parcels WHERE code = 'T2'",
    "ROLLBACK",
    "SELECT id FROM parcels WHERE code IN ('T1', 'T2')",
    "SET autocommit = 0",
    "INSERT INTO parcels VALUES (60, 60, 'U1', 77, NULL)",
    "UPDATE parcels SET note = 'u' WHERE code = 'U1'",
    "COMMIT",
    "SET autocommit = 1",
    "SELECT * FROM parcels WHERE code = 'U1' LOCK IN SHARE MODE",
    "PREPARE p FROM 'SELECT id FROM parcels WHERE code = ?'",
    "SET @c = 'U1'",
    "EXECUTE p USING @c",
    "PREPARE q FROM 'UPDATE parcels SET code = ? WHERE code = ?'",
    "SET @d = 'U2'",
    "EXECUTE q USING @d, @c",
    "EXECUTE p USING @d",
    "EXECUTE p USING @c",
    "DELETE FROM parcels",
    "SELECT * FROM parcels WHERE code = 'U2'",
    "INSERT INTO parcels VALUES (-5, -5, 'M5 ', -5, DEFAULT)",
    "INSERT INTO parcels (code, id, user_id, weight) VALUES ('m5', 70, 70, 1)",
    "INSERT INTO parcels VALUES (71, 71, 'M71', '-5', 'x'), (72, 72, NULL, - 5, 'y'), (73, 73, 'M73', DEFAULT, 'z')",
    "SELECT id FROM parcels WHERE weight = -5",
    "SELECT id FROM parcels WHERE code = 'M5'",
    "INSERT INTO parcels VALUES (74, 74, 74, 4.6, 'number')",
    "SELECT id FROM parcels WHERE code = '74'",
    "SELECT id FROM parcels WHERE weight = 5",
    "INSERT INTO parcels VALUES (75, 75, 'toolong-toolong-toolong-toolong-toolong-toolong', 1, '')",
    "INSERT INTO parcels VALUES (76, 76, 'M76', 1)",
    "INSERT INTO parcels (id, user_id, nosuch) VALUES (76, 76, 1)",
    "INSERT INTO parcels (id, code) VALUES (77, _latin1 x'E4'), (78, 'x')",
    "INSERT INTO parcels (id, user_id, code) VALUES (77, 77, _latin1 x'E4'), (78, 78, 'ß')",
    "SELECT id FROM parcels WHERE code = 'Ä'",
    "INSERT INTO parcels (id, user_id, code) VALUES (79, 79, 'A')",
    "SELECT id FROM parcels WHERE code = 'a'",
];

/// What an index couldn't follow is refused, and nothing is changed.
#[test]
fn what_an_index_could_not_follow_is_refused() {
    for rig in rig::shared_kinds() {
        let world = parcels(rig, "ix_refuse");
        sql::execute(&world.url(), &["INSERT INTO parcels VALUES (1, 1, 'A1', 10, NULL)"])
            .expect("a row");
        for statement in [
            "REPLACE INTO parcels VALUES (1, 1, 'A2', 10, NULL)",
            "INSERT IGNORE INTO parcels VALUES (1, 1, 'A2', 10, NULL)",
            "INSERT INTO parcels VALUES (1, 1, 'A2', 10, NULL) ON DUPLICATE KEY UPDATE code = 'A3'",
            "UPDATE IGNORE parcels SET code = 'A2'",
            "TRUNCATE TABLE parcels",
            "DROP TABLE parcels",
            "ALTER TABLE parcels MODIFY COLUMN code VARCHAR(50)",
            "ALTER TABLE parcels DROP PRIMARY KEY",
            "DELETE FROM weir_ix_parcels_by_code",
            "DROP TABLE weir_ix_parcels_by_code",
            "DELETE FROM parcels_0",
            "INSERT INTO parcels_0 VALUES (4, 4, 'A4', 10, NULL)",
            "/*+ weir: shard(parcels, 1) */ DELETE FROM parcels",
            "CREATE VIEW around AS SELECT * FROM parcels_0",
            "RENAME TABLE parcels TO packets",
            "RENAME TABLE parcels_0 TO packets",
            "ALTER TABLE parcels RENAME TO packets",
            "ALTER TABLE parcels ADD CONSTRAINT away FOREIGN KEY (id) REFERENCES parcels (id) ON DELETE CASCADE",
            "ALTER TABLE parcels ADD CONSTRAINT away FOREIGN KEY (id) REFERENCES parcels (id) ON UPDATE SET NULL",
            "CREATE PROCEDURE around() DELETE FROM parcels_0",
            "CREATE TRIGGER around AFTER INSERT ON parcels FOR EACH ROW DELETE FROM parcels_0",
            "LOAD DATA LOCAL INFILE '/dev/null' INTO TABLE parcels",
        ] {
            let refused = sql::execute(&world.url(), &[statement]);
            assert!(refused.is_err(), "{statement}");
        }
        for index in ["by_code", "by_weight"] {
            world.is_clean("parcels", index, "refused statements");
        }
        let tables = sql::query(&world.url(), "SHOW TABLES").expect("tables");
        assert_eq!(tables, [["parcels"]]);
        let sql =
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = database()";
        assert_eq!(sql::query(&world.url(), sql).expect("tables"), [["parcels"]]);
        let route =
            sql::query(&world.url(), "EXPLAIN ROUTE SELECT * FROM parcels WHERE code = 'A1'");
        assert!(route.expect("a route").iter().any(|line| line[0].contains("by index by_code")));
    }
}

/// What is wrong behind Weir's back is found, and mended.
#[test]
fn a_check_finds_what_is_wrong_and_mends_it() {
    for rig in rig::shared_kinds() {
        let world = parcels(rig, "ix_check");
        let rows: Vec<String> =
            (1..=40).map(|id| format!("({id}, {id}, 'C{id}', {}, NULL)", id % 7)).collect();
        let sql = format!("INSERT INTO parcels VALUES {}", rows.join(", "));
        sql::execute(&world.url(), &[&sql]).expect("rows");
        world.is_clean("parcels", "by_code", "the rows");
        // A row without an entry, an entry without a row, and a row changed past Weir.
        let (mut lost, mut stale) = (0, 0);
        for (number, group) in rig.groups.iter().enumerate() {
            let url = group.primary.url("root");
            for shard in [2 * number, 2 * number + 1] {
                let rows = format!("ix_check_{number}.parcels_{shard}");
                let entry = format!("ix_check_{number}.weir_ix_parcels_by_code_{shard:04}");
                let count = |sql: &str| {
                    sql::query(&url, sql).expect("a count")[0][0].parse::<u64>().expect("a number")
                };
                lost += count(&format!("SELECT count(*) FROM {entry} WHERE code IN ('C1','C2')"));
                stale += count(&format!("SELECT count(*) FROM {} WHERE id IN (5, 6)", rows));
                sql::execute(
                    &url,
                    &[
                        &format!("DELETE FROM {entry} WHERE code IN ('C1', 'C2')"),
                        &format!("DELETE FROM {} WHERE id = 5", rows),
                        &format!("UPDATE {} SET code = 'X6' WHERE id = 6", rows),
                    ],
                )
                .expect("changes past Weir");
            }
        }
        assert_eq!((lost, stale), (2, 2));
        let (code, text) = world.index(&["check", "parcels", "by_code"]);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("3 missing, 2 stale, 0 duplicate, 0 repaired"), "{text}");
        let (code, text) = world.index(&["check", "parcels", "by_code", "--repair"]);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("3 missing, 2 stale, 0 duplicate, 5 repaired"), "{text}");
        world.is_clean("parcels", "by_code", "repair");
        let found = sql::query(&world.url(), "SELECT id FROM parcels WHERE code = 'X6'");
        assert_eq!(found.expect("a row"), [["6"]]);
        // Two rows of different shards with one value.
        let url = rig.groups[0].primary.url("root");
        sql::execute(&url, &["INSERT INTO ix_check_0.parcels_0 VALUES (400, 400, 'C3', 1, NULL)"])
            .expect("a row past Weir");
        let (code, text) = world.index(&["check", "parcels", "by_code", "--repair"]);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("1 duplicate"), "{text}");
        let (code, text) = world.index(&["fill", "parcels", "by_code"]);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("1 duplicates"), "{text}");
    }
}

/// One client's random statements; codes are of a few values, so that clients meet.
async fn traffic(url: &str, seed: u64, statements: usize) -> (usize, usize) {
    let mut conn = connect(url).await;
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut dice = move |sides: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % sides
    };
    let (mut done, mut failed) = (0, 0);
    for _ in 0..statements {
        let (id, other, code) = (dice(60), dice(60), dice(40));
        let (user, weight) = (dice(30), dice(6));
        let sql = match dice(12) {
            0..4 => format!("INSERT INTO parcels VALUES ({id}, {user}, 'R{code}', {weight}, NULL)"),
            4 => format!(
                "INSERT INTO parcels VALUES ({id}, {user}, 'R{code}', {weight}, NULL), \
                 ({other}, {user}, NULL, {weight}, 'two')"
            ),
            5 => format!("UPDATE parcels SET code = 'R{code}' WHERE id = {id}"),
            6 => format!("UPDATE parcels SET user_id = {user} WHERE code = 'R{code}'"),
            7 => format!("UPDATE parcels SET weight = {weight}, note = 'w' WHERE code = 'R{code}'"),
            8 => format!("UPDATE parcels SET note = concat('n', {id}) WHERE code = 'R{code}'"),
            9 => format!("DELETE FROM parcels WHERE code = 'R{code}'"),
            10 => format!("DELETE FROM parcels WHERE id BETWEEN {id} AND {id} + 2"),
            _ => format!("SELECT * FROM parcels WHERE code = 'R{code}'"),
        };
        let begins = dice(8) == 0;
        if begins {
            conn.query_drop("BEGIN").await.expect("BEGIN");
        }
        match conn.query_drop(&sql).await {
            Ok(()) => done += 1,
            Err(mysql_async::Error::Server(error)) => {
                assert!(matches!(error.code, 1062 | 1205 | 1213), "{sql}: {error}");
                failed += 1;
            }
            Err(error) => panic!("{sql}: {error}"),
        }
        if begins {
            let word = if dice(2) == 0 { "COMMIT" } else { "ROLLBACK" };
            conn.query_drop(word).await.expect(word);
        }
    }
    let _ = conn.disconnect().await;
    (done, failed)
}

/// What an index finds is what a look through all rows finds.
fn each_lookup_equals_the_scan(world: &World) {
    block_on(async {
        let mut conn = connect(&world.url()).await;
        let rows: Vec<(u64, Option<String>, Option<i64>)> =
            conn.query("SELECT id, code, weight FROM parcels").await.expect("rows");
        for code in 0..40 {
            let sql = format!("SELECT id FROM parcels WHERE code = 'R{code}'");
            let found: Vec<u64> = conn.query(&sql).await.expect("rows");
            let wanted: Vec<u64> = rows
                .iter()
                .filter(|row| row.1.as_deref() == Some(&format!("R{code}")))
                .map(|row| row.0)
                .collect();
            assert_eq!(found, wanted, "{sql}");
        }
        for weight in 0..6 {
            let sql = format!("SELECT id FROM parcels WHERE weight = {weight}");
            let mut found: Vec<u64> = conn.query(&sql).await.expect("rows");
            let of = rows.iter().filter(|row| row.2 == Some(weight));
            let mut wanted: Vec<u64> = of.map(|row| row.0).collect();
            found.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "{sql}");
        }
        let _ = conn.disconnect().await;
    });
}

/// An index of a table that has rows is filled while clients write, then read.
#[test]
fn an_index_is_filled_while_clients_write() {
    for rig in rig::shared_kinds() {
        let building =
            PARCELS.replace("            state: ready\n", "").replace(", state: ready", "");
        let bare = PARCELS.split("        indexes:").next().expect("a table").to_owned() + "\n";
        let before = World::start(rig, "ix_fill", &bare, &[PARCELS_DDL]);
        let rows: Vec<String> =
            (1000..2500).map(|id| format!("({id}, {id}, 'F{id}', {}, NULL)", id % 6)).collect();
        let sql = format!("INSERT INTO parcels VALUES {}", rows.join(", "));
        sql::execute(&before.url(), &[&sql]).expect("rows");
        drop(before);
        let world = World::again(rig, "ix_fill", &building);
        for index in ["by_code", "by_weight"] {
            assert_eq!(world.index(&["create", "parcels", index]).0, Some(0));
        }
        std::thread::scope(|scope| {
            let url = world.url();
            let clients: Vec<_> = (0..3u64)
                .map(|seed| {
                    let url = url.clone();
                    scope.spawn(move || block_on(traffic(&url, seed + 11, 60)))
                })
                .collect();
            for index in ["by_code", "by_weight"] {
                let (code, text) = world.index(&["fill", "parcels", index]);
                assert_eq!(code, Some(0), "{text}");
            }
            for client in clients {
                let (done, failed) = client.join().expect("a client");
                assert!(done > failed, "{done} done, {failed} failed");
            }
        });
        for index in ["by_code", "by_weight"] {
            world.is_clean("parcels", index, "traffic");
        }
        drop(world);
        let world = World::again(rig, "ix_fill", PARCELS);
        each_lookup_equals_the_scan(&world);
        let found = sql::query(&world.url(), "SELECT id FROM parcels WHERE code = 'F1777'");
        assert_eq!(found.expect("a row"), [["1777"]]);
    }
}

/// The proxy dies among its clients' statements; what recovery leaves agrees.
#[test]
fn an_index_survives_the_death_of_its_proxy() {
    for rig in rig::shared_kinds() {
        let world = parcels(rig, "ix_kill");
        for round in 0..2u64 {
            std::thread::scope(|scope| {
                let url = world.url();
                let clients: Vec<_> = (0..3u64)
                    .map(|seed| {
                        let url = url.clone();
                        scope.spawn(move || {
                            // It ends as its connection does.
                            std::panic::catch_unwind(|| {
                                block_on(traffic(&url, 100 * round + seed, 500))
                            })
                            .is_ok()
                        })
                    })
                    .collect();
                std::thread::sleep(std::time::Duration::from_millis(1500));
                world.proxy.signal("KILL").expect("a signal");
                for client in clients {
                    let _ = client.join();
                }
            });
            let _ = world.proxy.wait(std::time::Duration::from_secs(10));
            world.proxy.launch().expect("the proxy again");
            // What was prepared is resolved by whoever comes next.
            std::thread::sleep(std::time::Duration::from_secs(3));
            for index in ["by_code", "by_weight"] {
                world.is_clean("parcels", index, "the proxy's death");
            }
            each_lookup_equals_the_scan(&world);
        }
    }
}
