//! Transactions that a server ended or opened by itself: a deadlock's victim, and what a procedure
//! leaves open. The same script gives the same on one plain server.
//!
//! Owns: both, through Weir and on the plain twin.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use std::sync::OnceLock;

use crate::support::engine;
use crate::support::rig::{self, Rig};
use crate::support::servers::Kind;
use crate::support::shop::Scale;

async fn connect(url: &str) -> Conn {
    Conn::new(Opts::from_url(url).expect("a URL")).await.expect("a login")
}

/// Servers of their own: what is committed here would be counted by others' tests.
fn rigs() -> &'static [Rig] {
    static RIGS: OnceLock<Vec<Rig>> = OnceLock::new();
    RIGS.get_or_init(|| {
        let kinds = Kind::ALL.into_iter().filter(|kind| engine::available(*kind).is_ok());
        let start = |kind| {
            let options = rig::Options {
                kind,
                replicas: false,
                scale: Scale::SMALL,
                plain: true,
                settings: Vec::new(),
            };
            let extra = ["--innodb-rollback-on-timeout=ON", "--innodb-lock-wait-timeout=1"];
            Rig::start_on(&options, &extra, &rig::Silent)
                .unwrap_or_else(|reason| panic!("{kind}: {reason}"))
        };
        kinds.map(start).collect()
    })
}

fn on_each_url(check: impl AsyncFn(&str, &str)) {
    for rig in rigs() {
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

async fn uses_left(conn: &mut Conn) -> Option<i64> {
    conn.query_first("SELECT uses_left FROM coupons WHERE code = 'ZZDEADLOCK'")
        .await
        .expect("an answer")
}

#[test]
fn what_follows_a_deadlock_is_in_no_transaction_nor_is_whoever_comes_next() {
    on_each_url(async |url, way| {
        let (mut victim, mut other) = (connect(url).await, connect(url).await);
        assert_eq!(deadlock(&mut victim, &mut other).await, 1213, "{way}");
        let after = "INSERT INTO coupons VALUES ('ZZDEADLOCK', 1, -1, '2030-01-01')";
        victim.query_drop(after).await.expect("the victim goes on");
        assert_eq!(uses_left(&mut other).await, Some(-1), "{way}");
        deadlock(&mut victim, &mut other).await;
        victim.query_drop("ROLLBACK").await.expect("ROLLBACK");
        for n in 0..4 {
            let mut fresh = connect(url).await;
            let set = format!("UPDATE coupons SET uses_left = {n} WHERE code = 'ZZDEADLOCK'");
            fresh.query_drop(set).await.expect("a write in autocommit");
            assert_eq!(uses_left(&mut other).await, Some(n), "{way}");
        }
        other.query_drop("DELETE FROM coupons WHERE code = 'ZZDEADLOCK'").await.expect("DELETE");
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
        let count = "SELECT COUNT(*) FROM coupons WHERE code LIKE 'ZZOPEN%'";
        conn.query_drop("CALL opens('ZZOPEN1')").await.expect("CALL");
        conn.query_drop("ROLLBACK").await.expect("ROLLBACK");
        let left: Option<i64> = conn.query_first(count).await.expect("a count");
        assert_eq!(left, Some(0), "{way}: ROLLBACK did nothing");
        conn.query_drop("CALL opens('ZZOPEN2')").await.expect("CALL");
        conn.query_drop("COMMIT").await.expect("COMMIT");
        let kept: Option<i64> = other.query_first(count).await.expect("a count");
        assert_eq!(kept, Some(1), "{way}: COMMIT did nothing");
        conn.query_drop("DELETE FROM coupons WHERE code LIKE 'ZZOPEN%'").await.expect("DELETE");
        conn.query_drop("DROP PROCEDURE opens").await.expect("DROP");
    });
}

#[test]
fn a_lock_wait_timeout_that_rolls_back_does_so_in_all_groups() {
    on_each_url(async |url, way| {
        let (mut conn, mut other) = (connect(url).await, connect(url).await);
        let set = |user: u64, score: u64| {
            format!("UPDATE users SET score = {score} WHERE user_id = {user}")
        };
        // 17 and 18 lie in the first group, 25 and 26 in the second.
        let users = "SELECT CAST(score AS SIGNED) FROM users WHERE user_id IN (17, 18, 25, 26) \
                     ORDER BY user_id";
        // The value of SET waits as any statement does.
        let waits = [
            set(26, 3),
            "SET @locked = (SELECT score FROM users WHERE user_id = 26 FOR UPDATE)".to_owned(),
        ];
        for wait in waits {
            for user in [17, 18, 25, 26] {
                conn.query_drop(set(user, 1)).await.expect("a row");
            }
            other.query_drop("BEGIN").await.expect("BEGIN");
            other.query_drop(set(26, 2)).await.expect("a lock");
            conn.query_drop("BEGIN").await.expect("BEGIN");
            for user in [17, 25] {
                conn.query_drop(set(user, 3)).await.expect("a row");
            }
            match conn.query_drop(&wait).await {
                Err(mysql_async::Error::Server(error)) => {
                    assert_eq!(error.code, 1205, "{way}: {wait}")
                }
                outcome => panic!("{way}: {wait}: {outcome:?}"),
            }
            other.query_drop("ROLLBACK").await.expect("ROLLBACK");
            conn.query_drop(set(18, 4)).await.expect("the session goes on");
            conn.query_drop("COMMIT").await.expect("COMMIT");
            let left: Vec<i64> = other.query(users).await.expect("rows");
            assert_eq!(left, [1, 4, 1, 1], "{way}: {wait}");
        }
    });
}

#[test]
fn a_server_that_stands_still_doesnt_hold_a_statement_beyond_its_time() {
    for rig in rigs() {
        let settings = [("timeouts", "stop: 1s".to_string())];
        let (proxy, _rules) = rig.another(&settings).expect("another Weir");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let mut conn = connect(&proxy.url("shop")).await;
            let read = "SELECT /*+ weir: timeout(500) primary */ uses_left FROM coupons LIMIT 1";
            conn.query_drop(read).await.expect("rows");
            let server = &rig.groups[0].primary;
            server.freeze().expect("a stop");
            // Its threads stop when they are next scheduled.
            std::thread::sleep(std::time::Duration::from_millis(100));
            let began = std::time::Instant::now();
            let outcome = conn.query_drop(read).await;
            let took = began.elapsed();
            server.thaw().expect("a go");
            let told = outcome.expect_err("it stood still").to_string();
            assert!(told.contains("[weir:stop_unanswered]"), "{told}");
            assert!(took < std::time::Duration::from_secs(20), "{took:?}");
        });
    }
}
