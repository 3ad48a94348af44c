//! The copies of a broadcast table stay equal, whatever a statement lets a server compute.
//!
//! Owns: a broadcast table of its own on the shared servers of each kind. A statement that would
//! give each copy a value of its own is refused, or Weir computes the value once.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use crate::support::rig;
use crate::support::servers::Kind;

const TABLE: &str = "copied_in_a_test";

#[tokio::test(flavor = "multi_thread")]
async fn what_each_server_would_compute_for_itself_is_computed_once_or_refused() {
    for rig in rig::shared_kinds() {
        let kind = rig.groups[0].primary.kind;
        let (proxy, _) = rig
            .another_edited(&[], &|rules| {
                let path = rules.join("tables.yaml");
                let text = std::fs::read_to_string(&path).unwrap();
                std::fs::write(&path, format!("{text}\n      {TABLE}: {{broadcast: true}}\n"))
                    .unwrap();
            })
            .unwrap();
        let mut conn = Conn::new(Opts::from_url(&proxy.url("shop")).unwrap()).await.unwrap();
        let copies = || {
            let copy = |group: usize, database: &str| {
                let text = format!("SELECT * FROM {database}.{TABLE} ORDER BY id");
                rig.groups[group].primary.query(&text).unwrap()
            };
            (copy(0, "shop_0000"), copy(1, "shop_0002"))
        };
        conn.query_drop(format!("DROP TABLE IF EXISTS {TABLE}")).await.unwrap();
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
        ] {
            let sql = sql.replace(" T ", &format!(" {TABLE} "));
            match conn.query_drop(&sql).await {
                Ok(()) => done.push(sql.clone()),
                Err(mysql_async::Error::Server(error)) if error.code == 1235 => {}
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
        // The clock is fixed, and a session's own variable is the same everywhere.
        for wanted in [" ts ", " dt ", "@@sql_mode"] {
            assert!(done.iter().any(|sql| sql.contains(wanted)), "{} {wanted}", kind);
        }
        conn.query_drop(format!("DROP TABLE {TABLE}")).await.unwrap();
    }
}
