//! Tables whose AUTO_INCREMENT column no sequence fills: what would make servers count is refused.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Value};

use crate::sequence::stage::Stage;
use crate::support::rig::shared_kinds;

/// What stands in the column's place, and makes a server count.
const COUNTS: [&str; 16] = [
    "NULL",
    "DEFAULT",
    "0",
    "'0'",
    "0.4",
    "0e0",
    "0x00",
    "b'0'",
    "FALSE",
    "-0",
    "NULLIF(1, 1)",
    "CAST(0 AS SIGNED)",
    "@nobody",
    "LAST_INSERT_ID()",
    "7 - 7",
    "(SELECT 0)",
];

async fn refused(conn: &mut Conn, sql: &str) {
    match conn.query_drop(sql).await {
        Err(mysql_async::Error::Server(error)) => {
            assert!(error.message.contains("[weir:auto_increment]"), "{sql}: {error}");
        }
        other => panic!("{sql}: {other:?}"),
    }
}

async fn refused_prepared(conn: &mut Conn, sql: &str, id: Value) {
    match conn.exec_drop(sql, (id.clone(),)).await {
        Err(mysql_async::Error::Server(error)) => {
            assert!(error.message.contains("[weir:auto_increment]"), "{sql} {id:?}: {error}");
        }
        other => panic!("{sql} {id:?}: {other:?}"),
    }
}

/// The copies would give one row two ids, the shards two rows one id.
#[tokio::test]
async fn no_server_counts_without_a_sequence() {
    for rig in shared_kinds() {
        let stage = Stage::on(rig, 1);
        let mut conn = Conn::new(Opts::from_url(&stage.url()).unwrap()).await.unwrap();
        // The copies' counters are apart.
        let server = &rig.groups[1].primary;
        server.execute(&format!("INSERT INTO {} (name) VALUES ('x')", stage.rates[1]));
        server.execute(&format!("DELETE FROM {}", stage.rates[1]));
        for id in COUNTS {
            // A subquery that names no table is understood as any other expression.
            refused(&mut conn, &format!("INSERT INTO rates (id, name) VALUES ({id}, 'a')")).await;
            refused(&mut conn, &format!("INSERT INTO rates VALUES ({id}, 'a')")).await;
            refused(&mut conn, &format!("REPLACE INTO rates SET name = 'a', id = {id}")).await;
            for user in 0..2 {
                let sql = format!("INSERT INTO marks (id, user_id) VALUES ({id}, {user})");
                refused(&mut conn, &sql).await;
            }
            let sql = format!("INSERT IGNORE INTO marks (user_id, id) VALUES (1, 5), (2, {id})");
            refused(&mut conn, &sql).await;
        }
        for sql in ["INSERT INTO rates (name) VALUES ('a')", "INSERT INTO marks SET user_id = 1"] {
            refused(&mut conn, sql).await;
        }
        let zeros = [Value::NULL, 0.into(), 0.2.into(), "0".into(), vec![0_u8].into()];
        for id in zeros {
            let sql = "INSERT INTO rates (id, name) VALUES (?, 'a')";
            refused_prepared(&mut conn, sql, id.clone()).await;
            let sql = "INSERT INTO marks (id, user_id) VALUES (?, 1)";
            refused_prepared(&mut conn, sql, id).await;
        }
        conn.query_drop("SET sql_mode = ''").await.unwrap();
        for id in ["''", "'0abc'", "'x'"] {
            refused(&mut conn, &format!("INSERT INTO rates (id, name) VALUES ({id}, 'a')")).await;
            let sql = format!("INSERT INTO marks (id, user_id) VALUES ({id}, 1)");
            refused(&mut conn, &sql).await;
        }
        for (number, table) in stage.rates.iter().enumerate() {
            let server = &rig.groups[number].primary;
            assert_eq!(server.query(&format!("SELECT * FROM {table}")).unwrap().len(), 0);
        }
        let left: Option<u64> = conn.query_first("SELECT count(*) FROM marks").await.unwrap();
        assert_eq!(left, Some(0));
    }
}

/// What a SELECT gives, and what is no NULL and no 0.
#[tokio::test]
async fn values_of_its_own_are_taken() {
    for rig in shared_kinds() {
        let stage = Stage::on(rig, 1);
        let mut conn = Conn::new(Opts::from_url(&stage.url()).unwrap()).await.unwrap();
        let rows = "INSERT INTO rates (id, name) VALUES (3, 'a'), ('4', 'b'), (5e0, 'c')";
        conn.query_drop(rows).await.unwrap();
        conn.exec_drop("INSERT INTO rates VALUES (?, ?)", (9, "d")).await.unwrap();
        conn.query_drop("INSERT INTO rates (id, name) SELECT id + 10, name FROM rates")
            .await
            .unwrap();
        conn.query_drop("INSERT INTO marks (id, user_id) VALUES (7, 1)").await.unwrap();
        for sql in [
            "INSERT INTO rates (id, name) SELECT NULL, name FROM rates",
            "INSERT INTO rates (id, name) SELECT id - 3, name FROM rates",
            "INSERT INTO marks (id, user_id) SELECT NULL, user_id FROM marks WHERE user_id = 1",
            "INSERT INTO marks (id, user_id) SELECT 0, user_id FROM marks WHERE user_id = 1",
        ] {
            match conn.query_drop(sql).await {
                Err(mysql_async::Error::Server(error)) => {
                    let known = ["[weir:auto_increment]", "[weir:insert_select]"];
                    assert!(known.iter().any(|code| error.message.contains(code)), "{error}");
                }
                other => panic!("{sql}: {other:?}"),
            }
        }
        let copies = [0, 1].map(|number| {
            let server = &rig.groups[number].primary;
            server.query(&format!("SELECT * FROM {} ORDER BY id", stage.rates[number])).unwrap()
        });
        assert_eq!(copies[0], copies[1]);
        assert_eq!(copies[0].len(), 8);
        conn.query_drop("SELECT LAST_INSERT_ID(8)").await.unwrap();
        let sql = "INSERT INTO marks (id, user_id) VALUES (LAST_INSERT_ID(), LAST_INSERT_ID() + 1)";
        conn.query_drop(sql).await.unwrap();
        conn.query_drop("SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'").await.unwrap();
        conn.query_drop("INSERT INTO marks (id, user_id) VALUES (0, 2)").await.unwrap();
        let marks: Vec<(u64, u64)> =
            conn.query("SELECT id, user_id FROM marks ORDER BY id").await.unwrap();
        assert_eq!(marks, [(0, 2), (7, 1), (8, 9)]);
    }
}

/// One server's counter moves past an id that it is given: the next row gets another one.
#[tokio::test]
async fn given_ids_are_not_handed_out_again() {
    for rig in shared_kinds() {
        let stage = Stage::on(rig, 1);
        let mut conn = Conn::new(Opts::from_url(&stage.url()).unwrap()).await.unwrap();
        let columns = "(user_id, name, email, region_id, registered_at)";
        let row = |id: &str| format!("({id}, 'given', '', 1, '2026-01-01')");
        let counted = format!("INSERT INTO users {columns} VALUES {}", row("NULL"));
        conn.query_drop(&counted).await.unwrap();
        let first = conn.last_insert_id().unwrap();
        // Shortly ahead, far ahead, in every way to write it; ahead of rows of the same statement.
        let rows =
            [first + 2, first + 4, first + 1500, first + 2500].map(|id| row(&id.to_string()));
        conn.query_drop(format!(
            "INSERT /*+ weir: scatter_ok */ INTO users {columns} VALUES {}",
            rows.join(", ")
        ))
        .await
        .unwrap();
        let sql = format!("INSERT INTO users {columns} VALUES {}", row("?"));
        conn.exec_drop(&sql, (first + 6,)).await.unwrap();
        conn.exec_drop(&sql, ((first + 4000).to_string(),)).await.unwrap();
        let sql = "REPLACE INTO users SET name = 'given', email = '', region_id = 1, \
                   registered_at = '2026-01-01', user_id =";
        conn.query_drop(format!("{sql} {}", first + 8)).await.unwrap();
        let own = format!("{}, {}", row(&(first + 12).to_string()), row("0"));
        conn.query_drop(format!(
            "INSERT /*+ weir: scatter_ok */ INTO users {columns} VALUES {own}"
        ))
        .await
        .unwrap();
        assert!(conn.last_insert_id().unwrap() > first + 12);
        let mut count = 9;
        for _ in 0..600 {
            let rows = vec![row("DEFAULT"); 10].join(", ");
            let sql = format!("INSERT /*+ weir: scatter_ok */ INTO users {columns} VALUES {rows}");
            conn.query_drop(sql).await.unwrap();
            count += 10;
        }
        // A row that had the id of another would have failed, or stand in no other shard: the id is
        // the shard key.
        let sql = "SELECT count(*), count(DISTINCT user_id) FROM users WHERE name = 'given'";
        let found: Option<(u64, u64)> = conn.query_first(sql).await.unwrap();
        assert_eq!(found, Some((count + 1, count + 1)));

        // Copies of a broadcast table, whose sequence has not begun.
        conn.query_drop("INSERT INTO taxes VALUES (501, 'a'), (1999, 'b')").await.unwrap();
        for _ in 0..30 {
            let rows = vec!["('c')"; 100].join(", ");
            conn.query_drop(format!("INSERT INTO taxes (name) VALUES {rows}")).await.unwrap();
        }
        let found: Option<u64> = conn.query_first("SELECT count(*) FROM taxes").await.unwrap();
        assert_eq!(found, Some(3002));
    }
}

/// With a sequence: what is 0 in an expression isn't left to the shard.
#[tokio::test]
async fn a_remembered_id_that_is_0_isnt_counted() {
    for rig in shared_kinds() {
        let stage = Stage::on(rig, 1);
        let mut conn = Conn::new(Opts::from_url(&stage.url()).unwrap()).await.unwrap();
        let row = |user: u32| {
            format!(
                "INSERT INTO order_items (id, order_id, line, user_id, item_id, quantity, price) \
                 VALUES (LAST_INSERT_ID(), {user}, 1, {user}, 1, 1, 1)"
            )
        };
        for user in 0..2 {
            match conn.query_drop(row(user)).await {
                Err(mysql_async::Error::Server(error)) => {
                    assert!(error.message.contains("[weir:sequence_value]"), "{error}");
                }
                other => panic!("{other:?}"),
            }
        }
        conn.query_drop("SELECT LAST_INSERT_ID(12)").await.unwrap();
        conn.query_drop(row(3)).await.unwrap();
        let id: Vec<u64> = conn.query("SELECT id FROM order_items").await.unwrap();
        assert_eq!(id, [12]);
    }
}
