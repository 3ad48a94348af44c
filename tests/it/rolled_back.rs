//! Transactions that a server ended or opened by itself: a deadlock's victim, and what a procedure
//! leaves open. The same script gives the same on one plain server.
//!
//! Owns: both, through Weir and on the plain twin.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use crate::support::rig;

async fn connect(url: &str) -> Conn {
    Conn::new(Opts::from_url(url).expect("a URL")).await.expect("a login")
}

fn on_each_url(check: impl AsyncFn(&str, &str)) {
    for rig in rig::shared_kinds() {
        for (name, url) in [("plain", rig.plain_url()), ("weir", rig.url())] {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(check(&url, name));
        }
    }
}

/// Makes the first connection the victim of a deadlock: it holds less than the second.
async fn deadlock(victim: &mut Conn, other: &mut Conn) -> u16 {
    other.query_drop("BEGIN").await.expect("BEGIN");
    for key in [49, 50, 51, 52] {
        let touch = format!("UPDATE users SET score = 1.5 WHERE user_id = {key}");
        other.query_drop(touch).await.expect("rows of the other");
    }
    victim.query_drop("BEGIN").await.expect("BEGIN");
    let first = "UPDATE users SET score = 2.5 WHERE user_id = 53";
    victim.query_drop(first).await.expect("a row of the victim");
    let theirs = victim.query_drop("UPDATE users SET score = 2.5 WHERE user_id = 49");
    let ours = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        other.query_drop("UPDATE users SET score = 1.5 WHERE user_id = 53").await
    };
    let (theirs, ours) = tokio::join!(theirs, ours);
    let errno = match theirs {
        Err(mysql_async::Error::Server(error)) => error.code,
        other => panic!("the victim was to be the first: {other:?}, {ours:?}"),
    };
    ours.expect("the other goes on");
    other.query_drop("ROLLBACK").await.expect("ROLLBACK");
    errno
}

async fn name_of(conn: &mut Conn, key: i64) -> String {
    let read = format!("SELECT name FROM users WHERE user_id = {key}");
    conn.query_first(read).await.expect("a row").expect("the user")
}

#[test]
fn what_follows_a_deadlock_is_in_no_transaction_nor_is_whoever_comes_next() {
    on_each_url(async |url, way| {
        let (mut victim, mut other) = (connect(url).await, connect(url).await);
        let before = name_of(&mut other, 54).await;
        assert_eq!(deadlock(&mut victim, &mut other).await, 1213, "{way}");
        victim
            .query_drop("UPDATE users SET name = 'after a deadlock' WHERE user_id = 54")
            .await
            .expect("the victim goes on");
        assert_eq!(name_of(&mut other, 54).await, "after a deadlock", "{way}");
        // Whoever gets the connection next is in no transaction.
        deadlock(&mut victim, &mut other).await;
        victim.query_drop("ROLLBACK").await.expect("ROLLBACK");
        for n in 0..4 {
            let mut fresh = connect(url).await;
            let set = format!("UPDATE users SET name = 'fresh {n}' WHERE user_id = 54");
            fresh.query_drop(set).await.expect("a write in autocommit");
            assert_eq!(name_of(&mut other, 54).await, format!("fresh {n}"), "{way}");
        }
        let restore = "UPDATE users SET name = ? WHERE user_id = 54";
        other.exec_drop(restore, (before,)).await.expect("restored");
    });
}

#[test]
fn commit_and_rollback_mean_what_a_procedure_opened() {
    on_each_url(async |url, way| {
        let (mut conn, mut other) = (connect(url).await, connect(url).await);
        conn.query_drop("DROP PROCEDURE IF EXISTS opens").await.expect("DROP");
        let body = "CREATE PROCEDURE opens(given VARCHAR(16)) BEGIN START TRANSACTION; \
                    INSERT INTO coupons VALUES (given, 1, 1, '2030-01-01'); END";
        conn.query_drop(body).await.expect("CREATE PROCEDURE");
        let count = "SELECT COUNT(*) FROM coupons WHERE code LIKE 'OPENED%'";
        conn.query_drop("CALL opens('OPENED1')").await.expect("CALL");
        conn.query_drop("ROLLBACK").await.expect("ROLLBACK");
        let left: Option<i64> = conn.query_first(count).await.expect("a count");
        assert_eq!(left, Some(0), "{way}: ROLLBACK did nothing");
        conn.query_drop("CALL opens('OPENED2')").await.expect("CALL");
        conn.query_drop("COMMIT").await.expect("COMMIT");
        let kept: Option<i64> = other.query_first(count).await.expect("a count");
        assert_eq!(kept, Some(1), "{way}: COMMIT did nothing");
        conn.query_drop("DELETE FROM coupons WHERE code LIKE 'OPENED%'").await.expect("DELETE");
        conn.query_drop("DROP PROCEDURE opens").await.expect("DROP");
    });
}
