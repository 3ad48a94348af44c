//! RETURNING over several shards (MariaDB): the order of its rows, its bound, its names, and errors
//! that a server swallows.
//!
//! Owns: what `tests/data/sql/returning.sql` can't show, which compares rows as a set and text only.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use crate::support::rig;
use crate::support::servers::Kind;
use crate::workbench::{code, connect};

const COLUMNS: &str =
    "INSERT INTO orders (order_id, user_id, region_id, total, created_at) VALUES ";

/// Rows of as many users, so that every shard has some.
fn many(rows: u64) -> String {
    let row = |n: u64| format!("({}, {}, 1, 2, '2024-01-01')", 950_000 + n, 1 + n * 7 % 97);
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!("{COLUMNS}{}", rows.join(", "))
}

async fn kept(conn: &mut Conn) -> u64 {
    let sql = "SELECT COUNT(*) FROM orders WHERE order_id >= 950000";
    conn.query_first(sql).await.expect("a count").expect("a row")
}

#[tokio::test]
async fn rows_come_in_the_statement_s_order() {
    let Some(rig) = rig::shared(Kind::MariaDb) else { return };
    let mut conn = connect(&rig.url()).await;
    conn.query_drop("BEGIN").await.unwrap();
    let sql = many(500) + " RETURNING order_id";
    let ids: Vec<u64> = conn.query(&sql).await.unwrap();
    assert_eq!(ids, (950_000..950_500).collect::<Vec<_>>());
    conn.query_drop("ROLLBACK").await.unwrap();
    assert_eq!(kept(&mut conn).await, 0);
}

#[tokio::test]
async fn a_prepared_one_is_named_by_its_text_and_binary() {
    let Some(rig) = rig::shared(Kind::MariaDb) else { return };
    let mut conn = connect(&rig.url()).await;
    conn.query_drop("BEGIN").await.unwrap();
    let sql = format!(
        "{COLUMNS}(?, 1, 1, ?, '2024-01-01'), (?, 2, 1, 2, '2024-01-01'), (?, 13, 1, 2, '2024-01-01') \
         RETURNING order_id, ? + 1, total"
    );
    let parameters = (950_001, "1.50", 950_002, 950_003, 6);
    let rows: Vec<Row> = conn.exec(&sql, parameters).await.unwrap();
    let names: Vec<_> =
        rows[0].columns_ref().iter().map(|one| one.name_str().into_owned()).collect();
    assert_eq!(names, ["order_id", "? + 1", "total"]);
    let rows: Vec<(u64, i64, String)> = rows.into_iter().map(mysql_async::from_row).collect();
    let expected = [(950_001, "1.50"), (950_002, "2.00"), (950_003, "2.00")];
    assert_eq!(rows, expected.map(|(id, total)| (id, 7, total.to_owned())));
    conn.query_drop("ROLLBACK").await.unwrap();
}

/// Beyond `limits.merge_memory` nothing of the statement stays, and the transaction goes on.
#[tokio::test]
async fn its_bound_costs_no_transaction() {
    let Some(rig) = rig::shared(Kind::MariaDb) else { return };
    let mut conn = connect(&rig.url()).await;
    conn.query_drop("BEGIN").await.unwrap();
    conn.query_drop(many(3)).await.unwrap();
    let delete = "DELETE /*+ weir: merge_memory(300) */ FROM orders WHERE order_id > 0 RETURNING *";
    let insert = many(300).replace("(95", "(96").replacen(
        "INSERT",
        "INSERT /*+ weir: merge_memory(300) */",
        1,
    );
    for sql in [delete.to_owned(), insert + " RETURNING *"] {
        assert_eq!(code(&conn.query_drop(&sql).await.expect_err("too much")).0, 1038);
        assert_eq!(kept(&mut conn).await, 3, "{sql}");
    }
    conn.query_drop("ROLLBACK").await.unwrap();
    assert_eq!(kept(&mut conn).await, 0);
}

/// MariaDB answers OK where it is stopped within the last row of what it got.
#[tokio::test]
async fn a_statement_that_is_killed_leaves_no_row() {
    let Some(rig) = rig::shared(Kind::MariaDb) else { return };
    let mut conn = connect(&rig.url()).await;
    let mut killer = connect(&rig.url()).await;
    let id: u64 = conn.query_first("SELECT connection_id()").await.unwrap().unwrap();
    let sql = many(8) + " RETURNING order_id, SLEEP(0.5)";
    let kill = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        killer.query_drop(format!("KILL QUERY {id}")).await.unwrap();
    };
    let (outcome, ()) = tokio::join!(conn.query_drop(&sql), kill);
    assert_eq!(code(&outcome.expect_err("it was killed")).0, 1317);
    assert_eq!(kept(&mut conn).await, 0);
}
