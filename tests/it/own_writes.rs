//! Reads from replicas that are behind: a session sees what it wrote itself, on servers of both kinds.
//!
//! Owns: the replicas that stand still, and who reads what meanwhile.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use crate::support::rig::{self, Rig};
use crate::support::servers::Kind;
use crate::support::shop::Scale;
use crate::support::{engine, skip};

async fn connect(url: &str) -> Conn {
    Conn::new(Opts::from_url(url).expect("a URL")).await.expect("a login")
}

/// A score, a user of each group.
const USERS: [u64; 2] = [1, 9];

async fn score(conn: &mut Conn, hint: &str, user: u64) -> f64 {
    let sql = format!("SELECT {hint} score FROM users WHERE user_id = {user}");
    conn.query_first(sql).await.expect("an answer").expect("a row")
}

async fn write(conn: &mut Conn, user: u64, value: f64) {
    let sql = format!("UPDATE users SET score = {value} WHERE user_id = {user}");
    conn.query_drop(sql).await.expect("a write");
}

/// Connections to the replicas under whose lock nothing is applied, though replication runs on.
async fn hold(rig: &Rig) -> Vec<Conn> {
    let mut held = Vec::new();
    for group in &rig.groups {
        let replica = group.replica.as_ref().expect("a replica");
        let mut conn = connect(&replica.url("root")).await;
        conn.query_drop("FLUSH TABLES WITH READ LOCK").await.expect("the lock");
        held.push(conn);
    }
    held
}

async fn check(rig: &Rig) {
    let (mut own, mut other) = (connect(&rig.url()).await, connect(&rig.url()).await);
    for user in USERS {
        write(&mut other, user, 1.0).await;
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    for group in &rig.groups {
        let replica = group.replica.as_ref().expect("a replica");
        replica.wait_caught_up(&group.primary, Duration::from_secs(30)).expect("in time");
    }
    let held = hold(rig).await;
    // A session that wrote nothing since reads the replica, whatever others write.
    let mut reader = connect(&rig.url()).await;
    for user in USERS {
        write(&mut own, user, 2.0).await;
        for _ in 0..5 {
            assert_eq!(score(&mut own, "", user).await, 2.0, "its own write, {user}");
            assert_eq!(score(&mut reader, "", user).await, 1.0, "the replica stands still, {user}");
        }
        assert_eq!(score(&mut own, "/*+ weir: replica */", user).await, 1.0, "as the hint says");
        assert_eq!(score(&mut reader, "/*+ weir: primary */", user).await, 2.0);
    }
    // A replica's locks wait for nobody: consistent reads are the primaries'.
    for (wish, seen) in [(0, 1.0), (1, 2.0)] {
        reader.query_drop(format!("SET weir_consistent_reads = {wish}")).await.expect("SET");
        reader.query_drop("START TRANSACTION READ ONLY").await.expect("START");
        for user in USERS {
            assert_eq!(score(&mut reader, "", user).await, seen, "{wish}, {user}");
            assert_eq!(score(&mut reader, "/*+ weir: replica */", user).await, seen);
        }
        reader.query_drop("COMMIT").await.expect("COMMIT");
    }
    reader.query_drop("SET weir_consistent_reads = 0").await.expect("SET");
    // In a transaction, several statements of one text, over both groups, and prepared.
    own.query_drop("BEGIN").await.expect("BEGIN");
    for user in USERS {
        write(&mut own, user, 3.0).await;
    }
    own.query_drop("COMMIT").await.expect("COMMIT");
    let both = "SELECT COUNT(*) FROM users WHERE user_id IN (1, 9) AND score = 3";
    assert_eq!(own.query_first::<u64, _>(both).await.expect("a count"), Some(2));
    assert_eq!(own.exec_first::<u64, _, _>(both, ()).await.expect("a count"), Some(2));
    assert_eq!(reader.query_first::<u64, _>(both).await.expect("a count"), Some(0));
    let text =
        "UPDATE users SET score = 4 WHERE user_id = 9; SELECT score FROM users WHERE user_id = 9";
    let mut answers = own.query_iter(text).await.expect("two answers");
    answers.collect::<u64>().await.expect("the first");
    assert_eq!(answers.collect::<f64>().await.expect("the second"), [4.0]);
    answers.drop_result().await.expect("their end");
    // A later session that writes one group reads the other's replica.
    write(&mut reader, USERS[0], 5.0).await;
    assert_eq!(score(&mut reader, "", USERS[0]).await, 5.0);
    assert_eq!(score(&mut reader, "", USERS[1]).await, 1.0);
    drop(held);
    // Once the replica has it, the replica is read again: its own row shows that.
    let replica = rig.groups[0].replica.as_ref().expect("a replica");
    replica.wait_caught_up(&rig.groups[0].primary, Duration::from_secs(30)).expect("in time");
    let mut at_replica = connect(&replica.url("root")).await;
    at_replica.query_drop("SET sql_log_bin = 0").await.expect("root may");
    // MySQL's alone: MariaDB knows no such variable.
    let _ = at_replica.query_drop("SET GLOBAL super_read_only = 0").await;
    let mark = "UPDATE shop_0000.users_0001 SET score = 7 WHERE user_id = 1";
    at_replica.query_drop(mark).await.expect("a row that only the replica has");
    while score(&mut own, "", USERS[0]).await != 7.0 {
        assert!(Instant::now() < deadline, "the replica isn't read again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn a_session_reads_its_own_writes() {
    for kind in Kind::ALL {
        if let Err(reason) = engine::available(kind) {
            skip::loudly(kind, &reason);
            continue;
        }
        let options = rig::Options {
            kind,
            replicas: true,
            scale: Scale::SMALL,
            plain: false,
            settings: Vec::new(),
        };
        let rig = Rig::start(&options, &rig::Silent).unwrap_or_else(|why| panic!("{kind}: {why}"));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.expect("a runtime").block_on(check(&rig));
    }
}
