//! What a read by an index sees while others write: what one server with a plain index would show.
//!
//! Owns: transactions with a snapshot, values in several shards of an index, and locks that aren't
//! waited for.

use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::{block_on, parcels};
use crate::support::rig;
use crate::workbench::{code, connect};

/// (id, user_id) of the rows of a code.
async fn rows(conn: &mut Conn, condition: &str) -> Vec<(u64, u64)> {
    conn.query(format!("SELECT id, user_id FROM parcels WHERE {condition} ORDER BY id"))
        .await
        .unwrap_or_else(|error| panic!("{condition}: {error}"))
}

/// Twenty rows 'A1' to 'A20', spread over all shards.
async fn fresh(conn: &mut Conn) {
    let values: Vec<String> =
        (1..=20).map(|id| format!("({id}, {id}, 'A{id}', {}, NULL)", id % 3)).collect();
    for sql in [
        "DELETE FROM parcels".to_owned(),
        format!("INSERT INTO parcels VALUES {}", values.join(", ")),
    ] {
        conn.query_drop(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

/// A transaction sees its own writes by the values that another has committed meanwhile, and the rows of
/// its snapshot by the values that they had then.
#[test]
fn a_snapshot_is_of_rows_and_entries_alike() {
    for rig in rig::shared_kinds() {
        let world = parcels(rig, "ix_seen");
        let both = [world.plain_url(), world.url()];
        block_on(async {
            for url in both {
                let (mut one, mut other) = (connect(&url).await, connect(&url).await);
                fresh(&mut other).await;
                one.query_drop("BEGIN").await.expect("BEGIN");
                rows(&mut one, "code = 'A3'").await;
                rows(&mut one, "user_id IN (1, 2, 3, 4)").await;
                let change = "UPDATE parcels SET code = 'C3' WHERE id = 3";
                other.query_drop(change).await.expect("the other's");
                one.query_drop("UPDATE parcels SET note = 'mine' WHERE code = 'C3'")
                    .await
                    .expect("mine");
                assert_eq!(one.affected_rows(), 1, "{url}");
                assert_eq!(rows(&mut one, "code = 'C3'").await, [(3, 3)], "{url}: its own write");
                one.query_drop("ROLLBACK").await.expect("ROLLBACK");
                // Rows that move to other shards behind the snapshot.
                fresh(&mut other).await;
                one.query_drop("BEGIN").await.expect("BEGIN");
                rows(&mut one, "user_id IN (1, 2, 3, 4)").await;
                for id in 1..=20 {
                    let moved =
                        format!("UPDATE parcels SET user_id = {} WHERE id = {id}", 400 + id * 7);
                    other.query_drop(moved).await.expect("the other's");
                }
                for id in 1..=20 {
                    let found = rows(&mut one, &format!("code = 'A{id}'")).await;
                    assert_eq!(found, [(id, id)], "{url}: as the snapshot has it");
                }
                one.query_drop("ROLLBACK").await.expect("ROLLBACK");
                for level in ["READ COMMITTED", "READ UNCOMMITTED"] {
                    fresh(&mut other).await;
                    let set = format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}");
                    one.query_drop(set).await.expect("a level");
                    one.query_drop("BEGIN").await.expect("BEGIN");
                    rows(&mut one, "user_id = 1").await;
                    let change = "UPDATE parcels SET code = 'C4', user_id = 99 WHERE id = 4";
                    other.query_drop(change).await.expect("the other's");
                    assert_eq!(rows(&mut one, "code = 'C4'").await, [(4, 99)], "{url} {level}");
                    assert_eq!(rows(&mut one, "code = 'A4'").await, [], "{url} {level}");
                    one.query_drop("ROLLBACK").await.expect("ROLLBACK");
                }
                let _ = one.disconnect().await;
                let _ = other.disconnect().await;
            }
        });
    }
}

/// A row whose value goes back and forth between two shards of the index is found by both values at
/// every moment.
#[test]
fn a_row_is_not_missed_between_two_shards_of_an_index() {
    for rig in rig::shared_kinds() {
        let world = parcels(rig, "ix_flip");
        let url = world.url();
        sql_execute(&url, "INSERT INTO parcels VALUES (7, 7, 'F1', 1, NULL)");
        block_on(async {
            let (mut writer, mut reader) = (connect(&url).await, connect(&url).await);
            let until = Instant::now() + Duration::from_millis(2500);
            let flips = async {
                let mut count = 0;
                while Instant::now() < until {
                    let to = if count % 2 == 0 { "F2" } else { "F1" };
                    let flip = format!("UPDATE parcels SET code = '{to}' WHERE id = 7");
                    writer.query_drop(flip).await.expect("a flip");
                    count += 1;
                }
                count
            };
            let reads = async {
                let mut count = 0;
                while Instant::now() < until {
                    let found = rows(&mut reader, "code IN ('F1', 'F2')").await;
                    assert_eq!(found, [(7, 7)], "read {count}");
                    count += 1;
                }
                count
            };
            let (flips, reads) = tokio::join!(flips, reads);
            assert!(flips > 10 && reads > 10, "{flips} flips, {reads} reads");
            let _ = writer.disconnect().await;
            let _ = reader.disconnect().await;
        });
        world.is_clean("parcels", "by_code", "flips");
    }
}

fn sql_execute(url: &str, sql: &str) {
    crate::support::sql::execute(url, &[sql]).expect("a row");
}

/// NOWAIT and SKIP LOCKED neither wait for entries, nor give what another holds.
#[test]
fn locks_that_are_not_waited_for_are_not() {
    for rig in rig::shared_kinds() {
        let world = parcels(rig, "ix_nowait");
        let both = [world.plain_url(), world.url()];
        block_on(async {
            let mut told = Vec::new();
            for url in both {
                let (mut one, mut other) = (connect(&url).await, connect(&url).await);
                fresh(&mut other).await;
                one.query_drop("BEGIN").await.expect("BEGIN");
                let hold = "SELECT id FROM parcels WHERE code = 'A1' FOR UPDATE";
                one.query_drop(hold).await.expect("a lock");
                other.query_drop("SET innodb_lock_wait_timeout = 6").await.expect("a patience");
                let begun = Instant::now();
                other.query_drop("BEGIN").await.expect("BEGIN");
                let outcome = other
                    .query_drop("SELECT id FROM parcels WHERE code = 'A1' FOR UPDATE NOWAIT")
                    .await;
                let errno = code(&outcome.expect_err("it is held")).0;
                let left: Vec<u64> = other
                    .query("SELECT id FROM parcels WHERE code IN ('A1', 'A2') ORDER BY id FOR UPDATE SKIP LOCKED")
                    .await
                    .expect("what is free");
                other.query_drop("ROLLBACK").await.expect("ROLLBACK");
                assert!(begun.elapsed() < Duration::from_secs(5), "{url}: it waited");
                one.query_drop("ROLLBACK").await.expect("ROLLBACK");
                told.push((errno, left));
                let _ = one.disconnect().await;
                let _ = other.disconnect().await;
            }
            assert_eq!(told[0], told[1], "one server, and Weir");
            assert_eq!(told[1].1, [2]);
        });
    }
}
