//! Backend connections that die with something of the client's on them: a transaction, a lock, a
//! temporary table. The session must end, as it would with one server: going on would commit the
//! second half of a transaction, or write without the lock.
//!
//! Owns: killing the one connection that a session uses, on both kinds of server.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use crate::support::rig::{self, Rig};
use crate::support::sql;
use crate::workbench::code;

/// Users 0 to 7 modulo 16 live on group g0.
const ON_G0: &str = "user_id = 33";

/// The id of this session's connection on the first group's primary, and its death.
async fn kill_backend(conn: &mut Conn, rig: &Rig) {
    let own = format!("SELECT @@pseudo_thread_id FROM users WHERE {ON_G0}");
    let id: u64 = conn.query_first(own).await.expect("the variable").expect("a row");
    let kill = format!("KILL CONNECTION {id}");
    let primary = rig.groups[0].primary.url("root");
    tokio::task::spawn_blocking(move || sql::execute(&primary, &[&kill]))
        .await
        .expect("no panic")
        .expect("the connection was there");
}

/// Runs a check on a fresh connection of each kind of rig.
fn on_each(check: impl AsyncFn(Conn, &Rig)) {
    for rig in rig::shared_kinds() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build();
        runtime.expect("a runtime").block_on(async {
            let conn =
                Conn::new(Opts::from_url(&rig.url()).expect("a URL")).await.expect("a login");
            check(conn, rig).await;
        });
    }
}

/// The next statement fails, and so does every one after it: nothing of the client's runs any more.
async fn is_over(mut conn: Conn, next: &str) {
    let error = conn.query_drop(next).await.expect_err("the connection was lost");
    let text = error.to_string();
    assert!(text.contains("this session ends"), "{text}");
    let codes = ["[weir:connection_lost]", "[weir:connection_broken]", "[weir:backend_lost]"];
    assert!(codes.iter().any(|code| text.contains(code)), "{text}");
    conn.query_drop("COMMIT").await.expect_err("COMMIT must not be answered OK");
    conn.query_drop("SELECT 1").await.expect_err("the session goes on");
}

async fn balance(rig: &Rig) -> String {
    let url = rig.url();
    let read = move || sql::query(&url, &format!("SELECT balance FROM users WHERE {ON_G0}"));
    let rows = tokio::task::spawn_blocking(read).await.expect("no panic").expect("rows");
    rows[0][0].clone()
}

#[test]
fn a_transaction_whose_connection_dies_ends_the_session() {
    on_each(async |mut conn, rig| {
        let before = balance(rig).await;
        let add = format!("UPDATE users SET balance = balance + 1 WHERE {ON_G0}");
        conn.query_drop("BEGIN").await.expect("BEGIN");
        conn.query_drop(&add).await.expect("the first write");
        kill_backend(&mut conn, rig).await;
        is_over(conn, &add).await;
        assert_eq!(balance(rig).await, before, "half of a transaction was kept");
    });
}

#[test]
fn a_transaction_without_autocommit_whose_connection_dies_ends_the_session() {
    on_each(async |mut conn, rig| {
        let before = balance(rig).await;
        let add = format!("UPDATE users SET balance = balance + 1 WHERE {ON_G0}");
        conn.query_drop("SET autocommit = 0").await.expect("SET");
        conn.query_drop(&add).await.expect("the first write");
        kill_backend(&mut conn, rig).await;
        is_over(conn, "SELECT COUNT(*) FROM orders WHERE user_id = 33").await;
        assert_eq!(balance(rig).await, before, "half of a transaction was kept");
    });
}

#[test]
fn a_write_over_tables_of_a_lost_transaction_ends_the_session() {
    on_each(async |mut conn, rig| {
        conn.query_drop("BEGIN").await.expect("BEGIN");
        conn.query_drop(format!("UPDATE users SET balance = balance + 1 WHERE {ON_G0}"))
            .await
            .expect("the first write");
        kill_backend(&mut conn, rig).await;
        is_over(conn, "UPDATE users SET balance = balance + 1 WHERE user_id IN (33, 34)").await;
    });
}

#[test]
fn commit_and_rollback_of_a_lost_transaction_say_the_truth() {
    on_each(async |mut conn, rig| {
        conn.query_drop("BEGIN").await.expect("BEGIN");
        conn.query_drop(format!("UPDATE users SET balance = balance + 1 WHERE {ON_G0}"))
            .await
            .expect("the first write");
        kill_backend(&mut conn, rig).await;
        let error = conn.query_drop("COMMIT").await.expect_err("nothing was committed");
        assert!(error.to_string().contains("unknown"), "{error}");
        conn.query_drop("SELECT 1").await.expect_err("the session goes on");
    });
    on_each(async |mut conn, rig| {
        conn.query_drop("BEGIN").await.expect("BEGIN");
        conn.query_drop(format!("UPDATE users SET balance = balance + 1 WHERE {ON_G0}"))
            .await
            .expect("the first write");
        kill_backend(&mut conn, rig).await;
        conn.query_drop("ROLLBACK").await.expect("it is rolled back by itself");
        let one: Option<i64> = conn.query_first("SELECT 1").await.expect("the session goes on");
        assert_eq!(one, Some(1));
    });
}

#[test]
fn a_lost_lock_ends_the_session() {
    on_each(async |mut conn, rig| {
        // On the schema's default group, which is g0.
        conn.query_drop("SELECT GET_LOCK('weir-lost', 0)").await.expect("a lock");
        kill_backend(&mut conn, rig).await;
        is_over(conn, &format!("SELECT balance FROM users WHERE {ON_G0}")).await;
    });
}

/// A read that fails on several shards at once costs its transaction nothing, however far each of
/// them had come: groups that join by it are stopped while their parts begin.
#[test]
fn an_error_of_several_shards_leaves_the_transaction() {
    for rig in rig::shared_kinds() {
        let _quiet = rig::quiet();
        sql::blocking(&rig.url(), async |conn| {
            for round in 0..60 {
                let fails = |error: mysql_async::Error| format!("round {round}: {error}");
                conn.query_drop("BEGIN").await.map_err(fails)?;
                let change = format!("UPDATE users SET balance = balance WHERE {ON_G0}");
                conn.query_drop(change).await.map_err(fails)?;
                let sql = "SELECT SUM(1) FROM users WHERE name > email COLLATE latin1_bin";
                for _ in 0..2 {
                    let error = conn.query_drop(sql).await.expect_err("no such collation there");
                    assert_eq!(code(&error).0, 1253, "round {round}: {error}");
                }
                let rows: Option<u64> =
                    conn.query_first("SELECT count(*) FROM users").await.map_err(fails)?;
                assert!(rows > Some(0));
                conn.query_drop("ROLLBACK").await.map_err(fails)?;
            }
            Ok(())
        })
        .expect("a session that goes on");
    }
}
