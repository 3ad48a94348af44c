//! DDL over shards of two groups, what information_schema says of it, and `weir schema diff`.
//!
//! Owns: tables of its own on the servers of the shared rigs, four shards in two databases each.
//! Never: touches the shop.

mod dumps;

use std::path::PathBuf;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Value};

use crate::support::proxy::{self, Proxy, USER, native_verifier};
use crate::support::reaper;
use crate::support::rig::{Rig, shared_kinds};
use crate::support::servers::Server;

struct Stage<'r> {
    servers: [&'r Server; 2],
    /// The databases' common beginning: `name_0` on the first server, `name_1` on the second.
    name: String,
    proxy: Proxy,
    rules: PathBuf,
}

const PASSWORDS: [(&str, &str); 2] =
    [("WEIR_DATA_PASSWORD", "weir"), ("WEIR_CONTROL_PASSWORD", "weir_control")];

impl<'r> Stage<'r> {
    fn on(rig: &'r Rig) -> Stage<'r> {
        Stage::of(rig, 4)
    }

    /// With so many shards of each table, half of them in each database.
    fn of(rig: &'r Rig, count: usize) -> Stage<'r> {
        let servers = [&rig.groups[0].primary, &rig.groups[1].primary];
        let name = servers[0].database();
        for (group, server) in servers.iter().enumerate() {
            server.execute(&format!("CREATE DATABASE {name}_{group}"));
        }
        let rules = reaper::directory("rules");
        std::fs::write(rules.join("rules.yaml"), text(&servers, &name, count)).unwrap();
        let env = PASSWORDS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let options =
            proxy::Options { rules: rules.clone(), env: env.into(), settings: Vec::new() };
        let proxy = Proxy::start(options).unwrap_or_else(|why| panic!("{why}"));
        Stage { servers, name, proxy, rules }
    }

    async fn conn(&self) -> Conn {
        Conn::new(Opts::from_url(&self.proxy.url("shop")).unwrap()).await.unwrap()
    }

    /// On the server that has the shard.
    fn on_shard(&self, shard: usize, statement: &str) {
        let group = shard / 2;
        let place = format!("{}_{group}.", self.name);
        self.servers[group].execute(&statement.replace("{}", &place));
    }

    /// The exit code of `weir schema diff` and what it says.
    fn diff(&self, further: &[&str]) -> (i32, String) {
        let mut command = reaper::command(proxy::program().unwrap());
        command.args(["schema", "diff", "--rules"]).arg(&self.rules).args(further);
        command.envs(PASSWORDS).stdout(std::process::Stdio::piped());
        let output = command.stderr(std::process::Stdio::piped()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code().unwrap_or(-1), text + &String::from_utf8_lossy(&output.stderr))
    }
}

fn text(servers: &[&Server; 2], name: &str, count: usize) -> String {
    let shards = |table: &str| {
        format!(
            "{{count: {count}, databases: '{name}_{{0}}', groups: [g0, g1], tables: '{table}_{{0}}'}}"
        )
    };
    format!(
        "groups:
  g0: {{primary: {{address: '{}'}}}}
  g1: {{primary: {{address: '{}'}}}}
group_defaults:
  accounts:
    data: {{user: weir, password: 'env:WEIR_DATA_PASSWORD'}}
    control: {{user: weir_control, password: 'env:WEIR_CONTROL_PASSWORD'}}
users:
  {USER}: {{native: '{}', schemas: [shop], rights: [read, write, ddl]}}
schemas:
  hidden:
    default_group: g1
    databases: {{g1: {name}_1}}
    tables:
      secret: {{group: g1}}
  shop:
    default_group: g0
    databases: {{g0: {name}_0, g1: {name}_1}}
    lock_tables: ignore
    tables:
      users:
        key: [{{column: user_id, type: bigint}}]
        algorithm: {{kind: modulo}}
        shards: {}
        scatter_writes: true
      orders: {{bind: users, tables: 'orders_{{0}}'}}
      spares: {{bind: users, tables: 'spares_{{0}}'}}
      regions: {{broadcast: true}}
      notes: {{group: g1}}
",
        servers[0].address(),
        servers[1].address(),
        native_verifier(USER),
        shards("users"),
    )
}

async fn fails(conn: &mut Conn, sql: &str) -> (u16, String) {
    match conn.query_drop(sql).await {
        Err(mysql_async::Error::Server(error)) => (error.code, error.message),
        other => panic!("{sql}: {other:?}"),
    }
}

async fn text_of(conn: &mut Conn, sql: &str, column: usize) -> String {
    let row: mysql_async::Row = conn.query_first(sql).await.unwrap().expect("a row");
    row.get(column).unwrap()
}

const TABLES: [&str; 5] = [
    "CREATE TABLE users (user_id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(20))",
    "CREATE TABLE orders (order_id BIGINT NOT NULL PRIMARY KEY, user_id BIGINT NOT NULL, note VARCHAR(20), \
     KEY note (note), CONSTRAINT fk_user FOREIGN KEY (user_id) REFERENCES users (user_id), \
     CONSTRAINT positive CHECK (order_id > 0))",
    "CREATE TABLE regions (id INT NOT NULL PRIMARY KEY)",
    "CREATE TABLE notes (id INT NOT NULL PRIMARY KEY, text VARCHAR(9))",
    "CREATE TABLE loose (id INT NOT NULL PRIMARY KEY)",
];

/// Without the counter of shards and other things that no client may see.
fn is_logical(text: &str, stage: &Stage) -> bool {
    let physical = ["users_", "orders_", "spares_"].iter().any(|name| {
        text.match_indices(name)
            .any(|(at, _)| text[at + name.len()..].starts_with(|next: char| next.is_ascii_digit()))
    });
    !physical && !text.contains(&stage.name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn definitions_reach_every_shard_and_come_back_as_one_table() {
    for rig in shared_kinds() {
        let stage = Stage::on(rig);
        let mut conn = stage.conn().await;
        assert_eq!(stage.diff(&[]).0, 0, "nothing is there yet, and nothing has drifted");
        for sql in TABLES {
            conn.query_drop(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        conn.query_drop("CREATE TABLE spares LIKE users").await.unwrap();
        let shown = text_of(&mut conn, "SHOW CREATE TABLE orders", 1).await;
        assert!(shown.contains("CONSTRAINT `fk_user` FOREIGN KEY"), "{shown}");
        assert!(shown.contains("REFERENCES `users` (`user_id`)"), "{shown}");
        assert!(shown.contains("CONSTRAINT `positive` CHECK"), "{shown}");
        assert!(is_logical(&shown, &stage), "{shown}");
        let (code, report) = stage.diff(&["--schema", "shop"]);
        assert_eq!(code, 0, "{report}");
        assert!(report.contains("shop.orders: 4 tables, all alike"), "{report}");
        conn.query_drop("ALTER TABLE orders ADD CONSTRAINT fk_more FOREIGN KEY (order_id) REFERENCES users (user_id)")
            .await
            .unwrap();
        conn.query_drop("ALTER TABLE orders DROP FOREIGN KEY fk_more").await.unwrap();
        let keys: Vec<(String, String, Option<String>)> = conn
            .query(
                "SELECT k.CONSTRAINT_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_NAME FROM \
                 information_schema.KEY_COLUMN_USAGE k WHERE k.TABLE_SCHEMA = 'shop' AND \
                 k.TABLE_NAME = 'orders' ORDER BY 1",
            )
            .await
            .unwrap();
        let expected = [
            ("PRIMARY".to_owned(), "order_id".to_owned(), None),
            ("fk_user".into(), "user_id".into(), Some("users".into())),
        ];
        let mut sorted = keys.clone();
        sorted.sort();
        assert_eq!(sorted, expected);
        let shown = "SELECT CONSTRAINT_NAME, UNIQUE_CONSTRAINT_SCHEMA, TABLE_NAME, REFERENCED_TABLE_NAME \
                     FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = 'shop'";
        let found: Vec<(String, String, String, String)> = conn.query(shown).await.unwrap();
        assert_eq!(found, [("fk_user".into(), "shop".into(), "orders".into(), "users".into())]);
        let checks = "SELECT CONSTRAINT_SCHEMA, CONSTRAINT_NAME FROM information_schema.CHECK_CONSTRAINTS \
                      WHERE CONSTRAINT_SCHEMA = 'shop'";
        let found: Vec<(String, String)> = conn.query(checks).await.unwrap();
        assert_eq!(found, [("shop".into(), "positive".into())]);
        // One statement for tables of all kinds.
        let (errno, message) = fails(&mut conn, "DROP TABLE users, notes, nowhere, orders").await;
        assert_eq!(errno, 1051, "{message}");
        assert!(message.contains("nowhere'"), "{message}");
        let left: Vec<String> = conn.query("SHOW TABLES").await.unwrap();
        if rig.groups[0].primary.kind.name() == "mysql" {
            // It drops nothing then.
            assert_eq!(left, ["loose", "notes", "orders", "regions", "spares", "users"]);
            conn.query_drop("DROP TABLE users, notes, orders").await.unwrap();
        } else {
            assert_eq!(left, ["loose", "regions", "spares"]);
        }
        conn.query_drop("DROP TABLE IF EXISTS regions, notes, spares, loose").await.unwrap();
        let left: Vec<String> = conn.query("SHOW TABLES").await.unwrap();
        assert_eq!(left, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_broke_off_is_finished_by_running_it_again() {
    for rig in shared_kinds() {
        let stage = Stage::on(rig);
        let mut conn = stage.conn().await;
        for sql in &TABLES[..2] {
            conn.query_drop(*sql).await.unwrap();
        }
        // It was done on the third shard alone.
        stage.on_shard(2, "ALTER TABLE {}orders_2 ADD COLUMN extra INT");
        conn.query_drop("ALTER TABLE orders ADD COLUMN extra INT").await.unwrap();
        assert_eq!(stage.diff(&[]).0, 0);
        // Done everywhere: the error is that of one server.
        let (errno, message) = fails(&mut conn, "ALTER TABLE orders ADD COLUMN extra INT").await;
        assert_eq!(errno, 1060);
        assert!(!message.contains("ddl_partial") && is_logical(&message, &stage), "{message}");
        // A column of that name, but another one: never taken for done.
        stage.on_shard(1, "ALTER TABLE {}orders_1 ADD COLUMN other BIGINT");
        let add = "ALTER TABLE orders ADD COLUMN other INT";
        let (errno, message) = fails(&mut conn, add).await;
        assert_eq!(errno, 1060);
        assert!(message.contains("shard 1") && message.contains("ddl_partial"), "{message}");
        assert!(message.contains("done on 1 of 4"), "{message}");
        let (code, report) = stage.diff(&["--table", "orders"]);
        assert_eq!(code, 1, "{report}");
        for line in [
            "shop.orders: DRIFT (4 tables)",
            "2 tables are the same: shard 2",
            "1 table differs: shard 0",
            "+ `other` int",
            "+ `other` bigint",
        ] {
            assert!(report.contains(line), "{line}: {report}");
        }
        stage.on_shard(1, "ALTER TABLE {}orders_1 DROP COLUMN other");
        conn.query_drop(add).await.unwrap();
        let (code, report) = stage.diff(&[]);
        assert_eq!(code, 0, "{report}");
        // Keys, tables that are gone, tables that are there.
        stage.on_shard(0, "ALTER TABLE {}orders_0 DROP KEY note");
        conn.query_drop("DROP INDEX note ON orders").await.unwrap();
        stage.on_shard(3, "CREATE INDEX late ON {}orders_3 (note)");
        conn.query_drop("CREATE INDEX late ON orders (note)").await.unwrap();
        assert_eq!(stage.diff(&[]).0, 0);
        // What would be done twice isn't begun where shards differ already.
        stage.on_shard(2, "ALTER TABLE {}orders_2 ADD COLUMN swapped INT");
        let swap = "ALTER TABLE orders RENAME COLUMN note TO other, RENAME COLUMN other TO note";
        for sql in [swap, "ALTER TABLE orders ADD INDEX (note)"] {
            let (_, message) = fails(&mut conn, sql).await;
            assert!(message.contains("ddl_shards_differ"), "{message}");
        }
        stage.on_shard(2, "ALTER TABLE {}orders_2 DROP COLUMN swapped");
        conn.query_drop(swap).await.unwrap();
        assert_eq!(stage.diff(&[]).0, 0);
        stage.on_shard(3, "DROP TABLE {}orders_3");
        let (code, report) = stage.diff(&["--json"]);
        assert_eq!(code, 1, "{report}");
        assert!(report.contains("\"missing\": [\n        \"shard 3 (g1:"), "{report}");
        conn.query_drop("DROP TABLE orders").await.unwrap();
        assert_eq!(fails(&mut conn, "DROP TABLE orders").await.0, 1051);
        stage.on_shard(
            1,
            "CREATE TABLE {}orders_1 (order_id BIGINT NOT NULL PRIMARY KEY, user_id BIGINT NOT NULL, \
             note VARCHAR(20), KEY note (note), CONSTRAINT fk_user__orders_1 FOREIGN KEY (user_id) \
             REFERENCES {}users_1 (user_id), CONSTRAINT positive__orders_1 CHECK (order_id > 0))",
        );
        conn.query_drop(TABLES[1]).await.unwrap();
        let (code, report) = stage.diff(&[]);
        assert_eq!(code, 0, "{report}");
        assert_eq!(stage.diff(&["--table", "no_such"]).0, 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_stand_over_tables_of_one_group() {
    for rig in shared_kinds() {
        let stage = Stage::on(rig);
        let mut conn = stage.conn().await;
        for sql in TABLES {
            conn.query_drop(sql).await.unwrap();
        }
        conn.query_drop("INSERT INTO loose VALUES (1), (2), (3)").await.unwrap();
        conn.query_drop("INSERT INTO regions VALUES (2), (3), (4)").await.unwrap();
        let create = "CREATE VIEW both_ (n) AS SELECT l.id FROM loose AS l JOIN shop.regions r ON r.id = l.id";
        conn.query_drop(create).await.unwrap();
        let found: Vec<u32> = conn.query("SELECT n FROM both_ ORDER BY n").await.unwrap();
        assert_eq!(found, [2, 3]);
        let shown = text_of(&mut conn, "SHOW CREATE VIEW both_", 1).await;
        assert!(shown.contains("`regions`") && is_logical(&shown, &stage), "{shown}");
        let listed =
            "SELECT TABLE_SCHEMA, TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS";
        let found: Vec<(String, String, String)> = conn.query(listed).await.unwrap();
        assert_eq!((found.len(), found[0].1.as_str()), (1, "both_"));
        assert!(is_logical(&found[0].2, &stage) && found[0].0 == "shop", "{found:?}");
        let found: Vec<(String, String)> =
            conn.query("SHOW FULL TABLES WHERE Table_type = 'VIEW'").await.unwrap();
        assert_eq!(found, [("both_".to_owned(), "VIEW".to_owned())]);
        // One over shards is told from what the others are by its server's definition alone.
        conn.query_drop("CREATE VIEW all_ AS SELECT user_id AS who FROM users").await.unwrap();
        let shown = text_of(&mut conn, "SHOW CREATE VIEW all_", 1).await;
        assert!(shown.contains("`users`") && is_logical(&shown, &stage), "{shown}");
        let found: Vec<(String, String, String)> = conn.query(listed).await.unwrap();
        assert!(found.iter().all(|(.., text)| is_logical(text, &stage)), "{found:?}");
        let asked = "SELECT (SELECT COUNT(*) FROM all_), (SELECT COUNT(*) FROM users)";
        let (seen, there): (u64, u64) = conn.query_first(asked).await.unwrap().unwrap();
        assert_eq!(seen, there);
        conn.query_drop("DROP VIEW all_").await.unwrap();
        conn.query_drop("DROP VIEW both_").await.unwrap();
        assert_eq!(fails(&mut conn, "SELECT * FROM both_").await.0, 1146);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn temporary_tables_lie_beside_what_they_are_made_of_and_leave_nothing() {
    for rig in shared_kinds() {
        let stage = Stage::on(rig);
        let mut conn = stage.conn().await;
        for sql in TABLES {
            conn.query_drop(sql).await.unwrap();
        }
        conn.query_drop("INSERT INTO notes VALUES (1, 'a'), (2, 'b')").await.unwrap();
        conn.query_drop("INSERT INTO users VALUES (1, 'x'), (2, 'y'), (3, 'z')").await.unwrap();
        // `notes` is in g1, and tables that no rule names are in g0.
        for sql in [
            "CREATE TEMPORARY TABLE far SELECT * FROM notes",
            "CREATE TEMPORARY TABLE near (id INT NOT NULL PRIMARY KEY)",
            "INSERT INTO near SELECT id FROM far",
            "INSERT INTO far SELECT id + 10, 'c' FROM near",
            "INSERT INTO loose SELECT f.id FROM far f JOIN near n USING (id)",
            "UPDATE users u JOIN far f ON f.id = u.user_id SET u.name = f.text",
        ] {
            conn.query_drop(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        let both = "SELECT f.id, u.name FROM far f JOIN users u ON u.user_id = f.id JOIN near n ON n.id = f.id \
                    JOIN loose l ON l.id = f.id ORDER BY 1";
        let found: Vec<(i64, String)> = conn.query(both).await.unwrap();
        assert_eq!(found, [(1, "a".to_owned()), (2, "b".to_owned())]);
        let far: Vec<i64> = conn.query("SELECT id FROM far ORDER BY 1").await.unwrap();
        assert_eq!(far, [1, 2, 11, 12]);
        // Nobody else sees it, and a reset ends it.
        let mut other = stage.conn().await;
        assert_eq!(fails(&mut other, "SELECT * FROM far").await.0, 1146);
        // What another client defines counts here, too: the shard key is the second column from now on.
        conn.query_drop("INSERT INTO users VALUES (4, 'four')").await.unwrap();
        other
            .query_drop("ALTER TABLE users ADD COLUMN first BIGINT NOT NULL DEFAULT 0 FIRST")
            .await
            .unwrap();
        conn.query_drop("INSERT INTO users VALUES (100, 5, 'five'), (101, 6, 'six')")
            .await
            .unwrap();
        let mine = "SELECT u.name FROM users u WHERE u.user_id = 5";
        for conn in [&mut conn, &mut other] {
            let name: Vec<String> = conn.query(mine).await.unwrap();
            assert_eq!(name, ["five"]);
        }
        conn.query_drop("DROP TEMPORARY TABLE near, far").await.unwrap();
        assert_eq!(fails(&mut conn, "SELECT * FROM far").await.0, 1146);
        conn.query_drop("CREATE TEMPORARY TABLE notes (other INT)").await.unwrap();
        let hidden: Vec<i64> = conn.query("SELECT other FROM notes").await.unwrap();
        assert!(hidden.is_empty());
        conn.reset().await.unwrap();
        conn.query_drop("USE shop").await.unwrap();
        let found: Vec<i64> = conn.query("SELECT id FROM notes ORDER BY 1").await.unwrap();
        assert_eq!(found, [1, 2]);
        conn.disconnect().await.unwrap();
        other.disconnect().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn information_schema_has_one_row_a_table_of_all_groups() {
    for rig in shared_kinds() {
        let stage = Stage::on(rig);
        let mut conn = stage.conn().await;
        for sql in TABLES {
            conn.query_drop(sql).await.unwrap();
        }
        stage.servers[1].execute(&format!("CREATE TABLE {}_1.secret (id INT)", stage.name));
        let rows: Vec<String> = (1..=40).map(|id| format!("({id}, 'n{id}')")).collect();
        let insert = format!("INSERT INTO users VALUES {}", rows.join(","));
        conn.query_drop(insert).await.unwrap();
        conn.query_drop("ANALYZE TABLE users").await.unwrap();
        if rig.groups[0].primary.kind.name() == "mysql" {
            conn.query_drop("SET information_schema_stats_expiry = 0").await.unwrap();
        }
        let tables: Vec<String> = conn
            .query(
                "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' ORDER BY 1",
            )
            .await
            .unwrap();
        assert_eq!(tables, ["loose", "notes", "orders", "regions", "users"]);
        let (rows, bytes, mean): (u64, u64, u64) = conn
            .query_first(
                "SELECT TABLE_ROWS, DATA_LENGTH, AVG_ROW_LENGTH FROM information_schema.TABLES \
                 WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'users'",
            )
            .await
            .unwrap()
            .unwrap();
        assert_eq!((rows, bytes), (40, 4 * 16384));
        assert_eq!(mean, bytes / rows);
        let distinct: u64 = conn
            .query_first(
                "SELECT CARDINALITY FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = 'shop' \
                 AND TABLE_NAME = 'users' AND INDEX_NAME = 'PRIMARY'",
            )
            .await
            .unwrap()
            .unwrap();
        assert_eq!(distinct, 40);
        // Nothing of another schema, of servers, or of Weir itself.
        let all = "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA <> 'information_schema'";
        let found: Vec<(String, String)> = conn.query(all).await.unwrap();
        assert_eq!(found.len(), 5, "{found:?}");
        assert!(found.iter().all(|(schema, _)| schema == "shop"), "{found:?}");
        let schemas: Vec<String> = conn
            .query("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA ORDER BY 1")
            .await
            .unwrap();
        assert_eq!(schemas, ["information_schema", "shop"]);
        for made in [
            "CREATE TRIGGER {}.t BEFORE INSERT ON {}.loose FOR EACH ROW SET NEW.id = NEW.id + 0",
            "CREATE PROCEDURE {}.p (IN a INT) SELECT a",
            "CREATE EVENT {}.e ON SCHEDULE EVERY 1 YEAR DISABLE DO SELECT 1",
        ] {
            stage.servers[0].execute(&made.replace("{}", &format!("{}_0", stage.name)));
        }
        let found: Vec<(String, String)> = conn
            .query("SELECT TRIGGER_SCHEMA, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS")
            .await
            .unwrap();
        assert_eq!(found, [("shop".to_owned(), "loose".to_owned())]);
        let sql = "SELECT SPECIFIC_SCHEMA, PARAMETER_NAME FROM information_schema.PARAMETERS";
        let found: Vec<(String, String)> = conn.query(sql).await.unwrap();
        assert_eq!(found, [("shop".to_owned(), "a".to_owned())]);
        for sql in [
            "SHOW TRIGGERS LIKE 'loo%'",
            "SHOW EVENTS",
            "SHOW PROCEDURE STATUS WHERE Db = 'shop'",
            "SHOW GRANTS",
        ] {
            let rows: Vec<mysql_async::Row> = conn.query(sql).await.unwrap();
            assert!(!rows.is_empty(), "{sql}");
            let shown = rows.into_iter().flat_map(mysql_async::Row::unwrap);
            let shown: String = shown.map(|value| value.as_sql(true)).collect();
            assert!(is_logical(&shown, &stage), "{sql}: {shown}");
        }
        // Joins of tables of several groups, prepared and as text.
        let sql = "SELECT t.TABLE_NAME, COUNT(c.COLUMN_NAME) FROM information_schema.TABLES t \
                   JOIN information_schema.COLUMNS c USING (TABLE_SCHEMA, TABLE_NAME) \
                   WHERE t.TABLE_SCHEMA = ? AND t.TABLE_NAME IN (?, 'users') GROUP BY t.TABLE_NAME ORDER BY 1";
        let expected = [("notes".to_owned(), 2), ("users".to_owned(), 2)];
        let found: Vec<(String, u64)> = conn.exec(sql, ("shop", "notes")).await.unwrap();
        assert_eq!(found, expected);
        let text = sql.replacen('?', "DATABASE()", 1).replacen('?', "'notes'", 1);
        let found: Vec<(String, u64)> = conn.query(&text).await.unwrap();
        assert_eq!(found, expected);
        // Beside tables of the client's, outside of a transaction and inside of one.
        let beside = "SELECT COUNT(*) FROM loose l RIGHT JOIN information_schema.TABLES t ON l.id = 0 \
                      WHERE t.TABLE_SCHEMA = 'shop'";
        let count: Option<u64> = conn.query_first(beside).await.unwrap();
        assert_eq!(count, Some(5));
        for sql in [
            "INSERT INTO loose SELECT COUNT(*) + 100 FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop'",
            "UPDATE loose SET id = id + 1 WHERE id IN (SELECT COUNT(*) + 100 FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop')",
            "CREATE TABLE made AS SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop'",
        ] {
            conn.query_drop(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        let found: Vec<u64> = conn.query("SELECT id FROM loose").await.unwrap();
        assert_eq!(found, [106]);
        let found: Vec<String> =
            conn.query("SELECT TABLE_NAME FROM made ORDER BY 1").await.unwrap();
        assert_eq!(found, ["loose", "notes", "orders", "regions", "users"]);
        conn.query_drop("DROP TABLE made").await.unwrap();
        assert_eq!(fails(&mut conn, "DELETE FROM information_schema.TABLES").await.0, 1044);
        let sql = "UPDATE users SET name = 'x' WHERE name IN (SELECT TABLE_NAME FROM information_schema.TABLES)";
        conn.query_drop(sql).await.unwrap();
        conn.query_drop("BEGIN").await.unwrap();
        let count: Option<u64> = conn.query_first(beside).await.unwrap();
        assert_eq!(count, Some(5));
        let found: Vec<String> = conn.query("SHOW TABLES LIKE 'n%'").await.unwrap();
        assert_eq!(found, ["notes"]);
        conn.query_drop("ROLLBACK").await.unwrap();
        for sql in [
            "SHOW TABLE STATUS",
            "SHOW INDEX FROM orders",
            "SHOW FULL COLUMNS FROM notes",
            "DESCRIBE orders",
        ] {
            let rows: Vec<mysql_async::Row> = conn.query(sql).await.unwrap();
            let text = |row: &mysql_async::Row| {
                row.clone()
                    .unwrap()
                    .into_iter()
                    .map(|value: Value| value.as_sql(true))
                    .collect::<String>()
            };
            assert!(!rows.is_empty(), "{sql}");
            assert!(rows.iter().all(|row| is_logical(&text(row), &stage)), "{sql}: {rows:?}");
        }
    }
}

/// Not in the ordinary run: making the tables takes longer than all other tests here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "makes 3,000 tables and prints how long questions about them take"]
async fn thousands_of_tables_are_asked_in_bulk() {
    const SHARDS: usize = 1000;
    for rig in shared_kinds() {
        let stage = Stage::of(rig, SHARDS);
        let (_, others) = TABLES.split_at(2);
        for (group, server) in stage.servers.iter().enumerate() {
            let create = |shard: usize| {
                ["users", "orders", "spares"].map(|table| {
                    format!(
                        "CREATE TABLE {}_{group}.{table}_{shard} (user_id BIGINT NOT NULL PRIMARY KEY, \
                         name VARCHAR(20), KEY name (name))",
                        stage.name
                    )
                })
            };
            let half = group * SHARDS / 2..(group + 1) * SHARDS / 2;
            let all: Vec<String> = half.flat_map(create).collect();
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            server.execute_all(&all).unwrap();
        }
        let mut conn = stage.conn().await;
        for sql in others {
            conn.query_drop(*sql).await.unwrap();
        }
        println!("== {}", rig.groups[0].primary.version);
        for sql in [
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'users'",
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'loose'",
            "SELECT * FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop'",
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop'",
            "SELECT TABLE_NAME, TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop'",
            "SELECT SUM(CARDINALITY) FROM information_schema.STATISTICS",
            "SHOW TABLES",
            "SHOW TABLE STATUS LIKE 'users'",
            "SHOW CREATE TABLE users",
        ] {
            for _ in 0..2 {
                let begun = std::time::Instant::now();
                let rows: Vec<mysql_async::Row> = conn.query(sql).await.unwrap();
                println!("{:>6} ms {:>4} rows  {sql}", begun.elapsed().as_millis(), rows.len());
            }
        }
        let begun = std::time::Instant::now();
        let (code, report) = stage.diff(&[]);
        println!("{:>6} ms  weir schema diff: {code}\n{report}", begun.elapsed().as_millis());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prepared_maintenance_of_many_places_answers_binary_rows() {
    for rig in shared_kinds() {
        let stage = Stage::on(rig);
        let mut conn = stage.conn().await;
        for sql in TABLES {
            conn.query_drop(sql).await.unwrap();
        }
        conn.query_drop("INSERT INTO users (user_id) VALUES (1), (2), (3), (4), (5)")
            .await
            .unwrap();
        for table in ["users", "regions"] {
            for verb in ["ANALYZE", "OPTIMIZE"] {
                let sql = format!("{verb} TABLE {table}");
                let rows: Vec<(String, String, String, String)> =
                    conn.exec(&sql, ()).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
                let own = format!("shop.{table}");
                assert!(!rows.is_empty() && rows.iter().all(|row| row.0 == own), "{sql}: {rows:?}");
            }
        }
        // So do rows of all shards where the values stand in the text.
        let page = "SELECT user_id FROM users ORDER BY user_id LIMIT ?, ?";
        let rows: Vec<u64> = conn.exec(page, (1, 3)).await.unwrap();
        assert_eq!(rows, [2, 3, 4]);
        // Many drivers bind everything as a text.
        for (values, found) in
            [(("1", "3"), vec![2, 3, 4]), (("4x", "-1"), vec![5]), (("", " 1"), vec![1])]
        {
            let rows: Vec<u64> = conn.exec(page, values).await.unwrap();
            assert_eq!(rows, found, "{values:?}");
        }
        let rows: Vec<u64> = conn.exec(page, (None::<u64>, "2")).await.unwrap();
        assert_eq!(rows, [1, 2]);
        let first = "SELECT user_id FROM users WHERE user_id > ? ORDER BY user_id LIMIT ?";
        let rows: Vec<u64> = conn.exec(first, ("1", "2")).await.unwrap();
        assert_eq!(rows, [2, 3]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_the_servers_own_needs_a_right() {
    for rig in shared_kinds() {
        let stage = Stage::on(rig);
        let mut conn = stage.conn().await;
        for sql in ["SHOW ENGINE INNODB STATUS", "SHOW ENGINE INNODB MUTEX", "SHOW BINARY LOGS"] {
            assert_eq!(fails(&mut conn, sql).await.0, 1227, "{sql}");
        }
        for schema in ["mysql", "sys", "performance_schema"] {
            for verb in ["TABLES", "FULL TABLES", "TABLE STATUS", "TRIGGERS", "EVENTS"] {
                let sql = format!("SHOW {verb} FROM {schema}");
                assert_eq!(fails(&mut conn, &sql).await.0, 1044, "{sql}");
            }
            let sql = format!("SHOW CREATE DATABASE {schema}");
            assert_eq!(fails(&mut conn, &sql).await.0, 1044, "{sql}");
        }
        // What information_schema looks like is shown to everyone.
        for sql in [
            "DESC information_schema.tables",
            "SHOW FULL COLUMNS FROM information_schema.columns",
            "SHOW COLUMNS FROM TABLES FROM information_schema",
            "SHOW TABLES FROM information_schema",
            "SHOW CREATE TABLE information_schema.SCHEMATA",
        ] {
            let rows: Vec<mysql_async::Row> =
                conn.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            assert!(!rows.is_empty(), "{sql}");
        }
        let keys: Vec<mysql_async::Row> =
            conn.query("SHOW INDEX FROM information_schema.TABLES").await.unwrap();
        assert!(keys.is_empty());
        conn.query_drop("USE information_schema").await.unwrap();
        let rows: Vec<mysql_async::Row> = conn.query("DESC TABLES").await.unwrap();
        assert!(rows.len() > 10);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_read_like_a_shards_stay_the_clients() {
    for rig in shared_kinds() {
        let stage = Stage::on(rig);
        let mut conn = stage.conn().await;
        for sql in &TABLES[..2] {
            conn.query_drop(*sql).await.unwrap();
        }
        let alter = "ALTER TABLE orders ADD COLUMN orders_0_k INT COMMENT 'see `orders_0_x`, \
                     `users_0` and orders_0; REFERENCES `users_0`', ADD KEY orders_0_key (orders_0_k)";
        conn.query_drop(alter).await.unwrap();
        let shown = text_of(&mut conn, "SHOW CREATE TABLE orders", 1).await;
        assert!(shown.starts_with("CREATE TABLE `orders` ("), "{shown}");
        for own in [
            "`orders_0_k` int",
            "'see `orders_0_x`, `users_0` and orders_0; REFERENCES `users_0`'",
            "KEY `orders_0_key` (`orders_0_k`)",
            "CONSTRAINT `fk_user` FOREIGN KEY (`user_id`) REFERENCES `users` (`user_id`)",
            "CONSTRAINT `positive` CHECK",
        ] {
            assert!(shown.contains(own), "{own}: {shown}");
        }
        let column: (String, String) = conn
            .query_first("SHOW COLUMNS FROM orders LIKE 'orders%'")
            .await
            .unwrap()
            .map(|row: mysql_async::Row| (row.get(0).unwrap(), row.get(1).unwrap()))
            .unwrap();
        assert_eq!(column.0, "orders_0_k");
        let keys: Vec<mysql_async::Row> =
            conn.query("SHOW INDEX FROM orders WHERE Column_name = 'orders_0_k'").await.unwrap();
        let of = |name: &str| keys[0].get::<String, _>(name).unwrap();
        assert_eq!((&*of("Table"), &*of("Key_name")), ("orders", "orders_0_key"));
        assert_eq!(of("Column_name"), "orders_0_k");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_all_kinds_are_made_of_rows_of_many_places() {
    for rig in shared_kinds() {
        let stage = Stage::on(rig);
        let mut conn = stage.conn().await;
        conn.query_drop(
            "CREATE TABLE users (user_id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(20) NOT NULL)",
        )
        .await
        .unwrap();
        let rows: Vec<String> = (1..=20).map(|id| format!("({id}, 'n{id}')")).collect();
        let sql = format!("INSERT INTO users VALUES {}", rows.join(", "));
        conn.query_drop(sql).await.unwrap();
        // Sharded alike, each row where it belongs; in every group; in one.
        let made = "CREATE TABLE spares (PRIMARY KEY (user_id)) SELECT user_id, name FROM users";
        conn.query_drop(made).await.unwrap();
        assert_eq!(conn.affected_rows(), 20);
        assert_eq!(conn.info(), "Records: 20  Duplicates: 0  Warnings: 0");
        let sql = "SELECT COUNT(*) FROM spares JOIN users USING (user_id, name)";
        assert_eq!(conn.query_first::<u64, _>(sql).await.unwrap(), Some(20));
        for id in [1, 2, 3, 4] {
            let sql = format!("SELECT name FROM spares WHERE user_id = {id}");
            assert_eq!(conn.query_first(sql).await.unwrap(), Some(format!("n{id}")));
        }
        conn.query_drop(
            "CREATE TABLE regions AS SELECT user_id % 3 AS region, COUNT(*) AS c FROM users GROUP BY 1",
        )
        .await
        .unwrap();
        for server in stage.servers.iter().enumerate() {
            let sql = format!("SELECT SUM(c) FROM {}_{}.regions", stage.name, server.0);
            let found = crate::support::sql::query(&server.1.url("root"), &sql).unwrap();
            assert_eq!(found, [["20"]]);
        }
        conn.query_drop("CREATE TABLE notes SELECT MAX(name) AS most FROM users, regions")
            .await
            .unwrap();
        assert_eq!(conn.query_first("SELECT * FROM notes").await.unwrap(), Some("n9".to_owned()));
        assert_eq!(stage.diff(&[]).0, 0);
        // What can't be filled goes again, on every shard.
        let sql = "CREATE TABLE orders (PRIMARY KEY (user_id)) SELECT user_id DIV 2 AS user_id FROM users";
        assert_eq!(fails(&mut conn, sql).await.0, 1062);
        let sql = "CREATE TABLE orders (order_id BIGINT) SELECT name FROM users";
        fails(&mut conn, sql).await;
        let left: Vec<String> = conn.query("SHOW TABLES").await.unwrap();
        assert_eq!(left, ["notes", "regions", "spares", "users"]);
        conn.query_drop("DROP TABLE notes, regions, spares, users").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn triggers_of_all_shards_read_the_sessions_insert_id() {
    for rig in shared_kinds() {
        let stage = Stage::on(rig);
        let mut conn = stage.conn().await;
        conn.query_drop(TABLES[0]).await.unwrap();
        for shard in 0..4 {
            for (name, event) in [("tr_in", "INSERT"), ("tr_up", "UPDATE")] {
                let made = format!(
                    "CREATE TRIGGER {{}}{name}_{shard} BEFORE {event} ON {{}}users_{shard} FOR EACH ROW \
                     SET NEW.name = CONCAT(NEW.name, LAST_INSERT_ID())"
                );
                stage.on_shard(shard, &made);
            }
        }
        let mut other = stage.conn().await;
        let names = async |conn: &mut Conn| {
            let sql = "SELECT DISTINCT name FROM users ORDER BY name";
            conn.query::<String, _>(sql).await.unwrap()
        };
        for (id, conn) in [(77, &mut conn), (78, &mut other)] {
            conn.query_drop(format!("SET @@last_insert_id = {id}")).await.unwrap();
        }
        conn.query_drop("INSERT INTO users VALUES (1, 'a'), (2, 'a'), (3, 'a'), (4, 'a')")
            .await
            .unwrap();
        assert_eq!(names(&mut conn).await, ["a77"]);
        other.query_drop("UPDATE users SET name = 'b'").await.unwrap();
        assert_eq!(names(&mut conn).await, ["b78"]);
        conn.query_drop("BEGIN").await.unwrap();
        conn.query_drop("UPDATE users SET name = 'c' WHERE user_id IN (1, 2)").await.unwrap();
        conn.query_drop("UPDATE users SET name = 'c' WHERE user_id > 2").await.unwrap();
        assert_eq!(names(&mut conn).await, ["c77"]);
        conn.query_drop("ROLLBACK").await.unwrap();
        assert_eq!(names(&mut other).await, ["b78"]);
        let id: Option<u64> = conn.query_first("SELECT LAST_INSERT_ID()").await.unwrap();
        assert_eq!(id, Some(77));
        conn.query_drop("DROP TABLE users").await.unwrap();
    }
}
