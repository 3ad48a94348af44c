//! The copies of a broadcast table stay equal, whatever a statement lets a server compute.
//!
//! Owns: a broadcast table of its own on the shared servers of each kind. A statement that would
//! give each copy a value of its own is refused, or Weir computes the value once.

use std::path::Path;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use crate::support::rig;
use crate::support::servers::Kind;

const TABLE: &str = "copied_in_a_test";
const DATABASES: [&str; 2] = ["copied_a", "copied_b"];

/// The rules with a schema of the test's own.
fn with_schema(rules: &Path) {
    let edit = |file: &str, from: &str, to: &str| {
        let path = rules.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file}: {from}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    };
    let [a, b] = DATABASES;
    let schema = format!(
        "schemas:\n  copied:\n    default_group: g0\n    databases: {{g0: {a}, g1: {b}}}\n    \
         tables:\n      {TABLE}: {{broadcast: true}}\n"
    );
    edit("tables.yaml", "schemas:\n", &schema);
    edit("users.yaml", "schemas: [shop]", "schemas: [shop, copied]");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_each_server_would_compute_for_itself_is_computed_once_or_refused() {
    for rig in rig::shared_kinds() {
        let kind = rig.groups[0].primary.kind;
        for (group, database) in DATABASES.into_iter().enumerate() {
            let server = &rig.groups[group].primary;
            server.execute(&format!("DROP DATABASE IF EXISTS {database}"));
            server.execute(&format!("CREATE DATABASE {database}"));
        }
        let (proxy, _) = rig.another_edited(&[], &with_schema).unwrap();
        let mut conn = Conn::new(Opts::from_url(&proxy.url("copied")).unwrap()).await.unwrap();
        let copies = || {
            let copy = |group: usize, database: &str| {
                let text = format!("SELECT * FROM {database}.{TABLE} ORDER BY id");
                rig.groups[group].primary.query(&text).unwrap()
            };
            (copy(0, DATABASES[0]), copy(1, DATABASES[1]))
        };
        conn.query_drop(format!(
            "CREATE TABLE {TABLE} (id INT PRIMARY KEY, name VARCHAR(60) DEFAULT (uuid()), n VARCHAR(200))"
        ))
        .await
        .unwrap();
        conn.query_drop(format!("INSERT INTO {TABLE} VALUES (1, 'a', '1'), (2, 'b', '2')"))
            .await
            .unwrap();
        let mut done = Vec::new();
        for sql in [
            "INSERT INTO T VALUES (8, DEFAULT, 1)",
            "INSERT INTO T SET id = 7, name = DEFAULT",
            "INSERT INTO T (id, n) VALUES (6, 1)",
            "UPDATE T SET name = DEFAULT WHERE id = 2",
            "UPDATE T SET name = DEFAULT(name) WHERE id = 2",
            "INSERT INTO T (id, name) VALUES (1, 'x') ON DUPLICATE KEY UPDATE name = DEFAULT",
            "INSERT INTO T (id, name) VALUES (1, 'x') ON DUPLICATE KEY UPDATE name = DEFAULT(name)",
            "REPLACE INTO T SET id = 1, name = DEFAULT(name)",
            "UPDATE T SET n = @@port",
            "UPDATE T SET n = @@server_id",
            "UPDATE T SET n = @@pseudo_thread_id",
            "UPDATE T SET n = @@datadir",
            "INSERT INTO T (id, name, n) VALUES (9, 'x', @@global.port)",
            "ALTER TABLE T ADD COLUMN ts TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)",
            "ALTER TABLE T ADD COLUMN dt DATETIME(6) DEFAULT (now(6))",
            "ALTER TABLE T ADD COLUMN un VARCHAR(60) DEFAULT (uuid())",
            "ALTER TABLE T ADD COLUMN ra DOUBLE DEFAULT (rand())",
            "UPDATE T SET n = @@sql_mode",
            "UPDATE T SET n = @@default_week_format",
            "UPDATE T SET n = @@global.group_concat_max_len",
            "INSERT INTO T (id, name, n) VALUES (10, 'x', @@global.default_week_format)",
        ] {
            let sql = sql.replace(" T ", &format!(" {TABLE} "));
            match conn.query_drop(&sql).await {
                Ok(()) => done.push(sql.clone()),
                Err(mysql_async::Error::Server(error)) if error.code == 1235 => {}
                // MySQL has no DEFAULT(column) of such a column.
                Err(mysql_async::Error::Server(error))
                    if kind == Kind::MySql && error.code == 3773 => {}
                // MySQL has no such default of a column that is added.
                Err(mysql_async::Error::Server(error))
                    if kind == Kind::MySql && sql.contains("ADD COLUMN") =>
                {
                    assert_eq!(error.code, 1674, "{sql}: {error}");
                }
                Err(error) => panic!("{} {sql}: {error}", kind),
            }
            let (first, second) = copies();
            assert_eq!(first, second, "{} {sql}", kind);
        }
        println!("{}: {done:?}", kind);
        // The clock is fixed, and a variable is read once.
        for wanted in [" ts ", " dt ", "@@sql_mode"] {
            assert!(done.iter().any(|sql| sql.contains(wanted)), "{} {wanted}", kind);
        }
        for (group, database) in DATABASES.into_iter().enumerate() {
            rig.groups[group].primary.execute(&format!("DROP DATABASE {database}"));
        }
    }
}
