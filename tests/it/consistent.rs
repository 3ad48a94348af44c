//! Reads that must be of one moment, on servers of both kinds: `consistent_reads` by a schema's rule,
//! whatever way a reader takes, and snapshots that begin with START TRANSACTION.
//!
//! Owns: who reads beside whom. The session's variable and the hint are in `transactions.rs`.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use crate::support::proxy::Proxy;
use crate::support::rig::{self, Rig};
use crate::support::sql::{self, blocking};

/// A user of each group, between whom amounts move.
const A: u64 = 920_801;
const B: u64 = 920_809;

const OTHER: &str =
    "schemas: {other: {default_group: g0, databases: {g0: shop_0000, g1: shop_0002}}}\n";

/// The shop's schema has the rule, the schema `other` hasn't.
fn ruled(rules: &Path) {
    std::fs::write(rules.join("other.yaml"), OTHER).expect("a file");
    for entry in std::fs::read_dir(rules).expect("the rules").flatten() {
        let text = std::fs::read_to_string(entry.path()).expect("a file of rules");
        let text = text
            .replacen(
                "  shop:\n    default_group",
                "  shop:\n    consistent_reads: true\n    default_group",
                1,
            )
            .replace("schemas: [shop]", "schemas: [shop, other]")
            .replace("    default_schema: shop\n", "");
        std::fs::write(entry.path(), text).expect("the edited file");
    }
}

/// One way to read both amounts: the session's schema, what is said once, and what each time. The
/// numbers of all rows that each time gives are to be 200 in all.
struct Way {
    schema: &'static str,
    once: &'static [&'static str],
    each: &'static [&'static str],
    prepared: bool,
}

const fn way(schema: &'static str, each: &'static [&'static str]) -> Way {
    Way { schema, once: &[], each, prepared: false }
}

const SUM: &str =
    "SELECT CAST(SUM(balance) AS SIGNED) FROM shop.users WHERE user_id IN (920801, 920809)";
const ONE: &str = "SELECT CAST(balance AS SIGNED) FROM shop.users WHERE user_id = 920801";
const TWO: &str = "SELECT CAST(balance AS SIGNED) FROM shop.users WHERE user_id = 920809";
const PARTS: &str = "SELECT CAST((SELECT balance FROM shop.users WHERE user_id = 920801) + \
                     (SELECT balance FROM shop.users WHERE user_id = 920809) AS SIGNED)";

const WAYS: &[Way] = &[
    way("other", &[SUM]),
    way("", &[SUM]),
    way("other", &[PARTS]),
    way(
        "",
        &["SELECT CAST(SUM(b) AS SIGNED) FROM (SELECT balance AS b FROM shop.users \
               WHERE user_id IN (920801, 920809) LIMIT 2) AS both_of_them"],
    ),
    way(
        "other",
        &[
            "SET @both = (SELECT SUM(balance) FROM shop.users WHERE user_id IN (920801, 920809))",
            "SELECT CAST(@both AS SIGNED)",
        ],
    ),
    way("other", &["BEGIN", ONE, TWO, "COMMIT"]),
    way("", &["START TRANSACTION READ ONLY", ONE, TWO, "COMMIT"]),
    way("shop", &["SET TRANSACTION READ ONLY", "BEGIN", TWO, ONE, "COMMIT"]),
    way("shop", &["SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "BEGIN", ONE, TWO, "COMMIT"]),
    way("other", &["SET TRANSACTION READ ONLY", SUM]),
    way("shop", &["START TRANSACTION WITH CONSISTENT SNAPSHOT", ONE, TWO, "COMMIT"]),
    way("", &["START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", TWO, ONE, "COMMIT"]),
    Way { once: &["SET autocommit = 0"], ..way("other", &[ONE, TWO, "COMMIT"]) },
    Way { once: &["SET autocommit = 0"], ..way("", &[SUM, "COMMIT"]) },
    Way { prepared: true, ..way("", &[SUM]) },
    Way { prepared: true, ..way("other", &["BEGIN", TWO, ONE, "COMMIT"]) },
    Way {
        once: &["SET weir_consistent_reads = 0"],
        ..way(
            "shop",
            &[
                "BEGIN",
                "SELECT /*+ weir: consistent_reads */ CAST(balance AS SIGNED) FROM shop.users WHERE user_id = 920801",
                TWO,
                "COMMIT",
            ],
        )
    },
];

/// How long each way reads.
const EACH: Duration = Duration::from_millis(150);

fn move_amounts(url: &str, stop: &AtomicBool) -> u32 {
    let work = async |conn: &mut Conn| {
        let (mut moved, mut amount) = (0, 1);
        conn.query_drop("SET weir_consistent_reads = 0")
            .await
            .map_err(|error| error.to_string())?;
        while !stop.load(Ordering::SeqCst) {
            let mut outcome = conn.query_drop("BEGIN").await;
            for (key, sign) in [(A, 1), (B, -1)] {
                let pay = sign * amount;
                let pay =
                    format!("UPDATE users SET balance = balance + {pay} WHERE user_id = {key}");
                if outcome.is_ok() {
                    outcome = conn.query_drop(pay).await;
                }
            }
            let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
            moved += u32::from(conn.query_drop(end).await.is_ok() && end == "COMMIT");
            amount = -amount;
        }
        Ok(moved)
    };
    blocking(url, work).expect("the writer")
}

/// What one time gives: `None` after an error that a reader who locks must expect.
async fn read(conn: &mut Conn, way: &Way) -> Option<i64> {
    let mut sum = 0;
    for text in way.each {
        let is_read = text.starts_with("SELECT");
        let rows = match way.prepared && is_read {
            true => conn.exec::<i64, _, _>(*text, ()).await,
            false if is_read => conn.query::<i64, _>(*text).await,
            false => conn.query_drop(*text).await.map(|()| Vec::new()),
        };
        match rows {
            Ok(rows) => sum += rows.iter().sum::<i64>(),
            Err(mysql_async::Error::Server(error)) if matches!(error.code, 1205 | 1213) => {
                conn.query_drop("ROLLBACK").await.expect("ROLLBACK");
                return None;
            }
            Err(error) => panic!("{error} in {text}"),
        }
    }
    Some(sum)
}

fn all_ways(proxy: &Proxy) -> Vec<String> {
    let mut wrong = Vec::new();
    for (place, way) in WAYS.iter().enumerate() {
        let found = blocking(&proxy.url(way.schema), async |conn| {
            for text in ["SET SESSION innodb_lock_wait_timeout = 5"].iter().chain(way.once) {
                conn.query_drop(*text).await.map_err(|error| error.to_string())?;
            }
            let (start, mut good, mut half) = (Instant::now(), 0, 0);
            while start.elapsed() < EACH || good == 0 && start.elapsed().as_secs() < 10 {
                match read(conn, way).await {
                    Some(200) => good += 1,
                    Some(_) => half += 1,
                    None => {}
                }
            }
            Ok((good, half))
        });
        let (good, half) = found.expect("a reader");
        if half > 0 || good == 0 {
            wrong.push(format!("{place} {:?}: {half} of {} are half", way.each, good + half));
        }
    }
    wrong
}

/// Runs a check against a Weir with these rules, for each kind.
fn on_each(edit: &dyn Fn(&Path), check: impl Fn(&Rig, &Proxy)) {
    let _quiet = rig::quiet();
    for rig in rig::shared_kinds() {
        let (proxy, _rules) = rig.another_edited(&[], edit).expect("another Weir");
        let user = |key: u64| {
            format!(
                "REPLACE INTO users (user_id, name, email, region_id, registered_at, balance) \
                 VALUES ({key}, 'x', 'x', 1, '2024-01-01', 100)"
            )
        };
        sql::execute(&rig.url(), &[&user(A), &user(B)]).expect("two users");
        check(rig, &proxy);
        let clean = format!("DELETE FROM users WHERE user_id IN ({A}, {B})");
        sql::execute(&rig.url(), &[&clean]).expect("both gone");
    }
}

#[test]
fn no_way_to_read_shows_half_of_a_commit_where_the_rule_forbids_it() {
    on_each(&ruled, |rig, proxy| {
        let stop = AtomicBool::new(false);
        let (wrong, moved) = std::thread::scope(|scope| {
            let writer = scope.spawn(|| move_amounts(&proxy.url("shop"), &stop));
            let wrong = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| all_ways(proxy)));
            stop.store(true, Ordering::SeqCst);
            (wrong, writer.join().expect("the writer"))
        });
        let kind = rig.groups[0].primary.kind;
        let wrong = wrong.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        assert!(wrong.is_empty(), "{kind}: {}", wrong.join("\n"));
        assert!(moved > 20, "{kind}: {moved} transfers");
    });
}

async fn connect(url: &str) -> Conn {
    Conn::new(Opts::from_url(url).expect("a URL")).await.expect("a login")
}

/// The refusal's code in an error's message.
fn is_late(outcome: Result<(), mysql_async::Error>) -> bool {
    outcome.is_err_and(|error| error.to_string().contains("consistent_reads_late"))
}

#[test]
fn a_transaction_that_is_open_without_locks_is_not_read_over_groups() {
    on_each(&ruled, |_, proxy| {
        blocking(&proxy.url("other"), async |conn| {
            let outcome = async {
                for other in
                    ["SELECT COUNT(*) FROM coupons", "SELECT COUNT(*) FROM other.coupons WHERE 0"]
                {
                    conn.query_drop("BEGIN").await?;
                    drop(conn.query_drop(other).await);
                    conn.query_drop("SELECT 1").await?;
                    // One group has one snapshot; what locks waits.
                    conn.query_drop(ONE).await?;
                    assert!(is_late(conn.query_drop(SUM).await));
                    assert!(is_late(conn.query_drop(TWO).await));
                    conn.query_drop(format!("{TWO} FOR UPDATE")).await?;
                    assert!(is_late(conn.query_drop(ONE).await));
                    conn.query_drop("SET weir_consistent_reads = 0").await?;
                    conn.query_drop(SUM).await?;
                    conn.query_drop("SET weir_consistent_reads = DEFAULT").await.ok();
                    conn.query_drop("ROLLBACK").await?;
                    conn.reset().await?;
                    conn.query_drop("USE other").await?;
                }
                // The client's own level does it, too.
                conn.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE").await?;
                conn.query_drop("BEGIN").await?;
                conn.query_drop("SELECT 1").await?;
                conn.query_drop(SUM).await?;
                conn.query_drop("ROLLBACK").await?;
                // Without a snapshot not even one group is of one moment.
                conn.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await?;
                conn.query_drop("BEGIN").await?;
                conn.query_drop("SELECT 1").await?;
                assert!(is_late(conn.query_drop(ONE).await));
                conn.query_drop("ROLLBACK").await
            };
            outcome.await.map_err(|error: mysql_async::Error| error.to_string())
        })
        .expect("a reader");
    });
}

#[test]
fn a_snapshot_begins_with_start_transaction() {
    on_each(&|_| {}, |rig, proxy| {
        let single = "SELECT COUNT(*) FROM shop.coupons";
        for (begin, schema) in [
            ("START TRANSACTION WITH CONSISTENT SNAPSHOT", "shop"),
            ("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", "shop"),
            ("START TRANSACTION READ WRITE, WITH CONSISTENT SNAPSHOT", "shop"),
            ("START TRANSACTION WITH CONSISTENT SNAPSHOT", ""),
        ] {
            for autocommit in [1, 0] {
                blocking(&proxy.url(schema), async |conn| {
                    let outcome = async {
                        let mut writer = connect(&rig.url()).await;
                        conn.query_drop(format!("SET autocommit = {autocommit}")).await?;
                        conn.query_drop(begin).await?;
                        writer.query_drop("BEGIN").await?;
                        for key in [A, B] {
                            let pay = "UPDATE users SET balance = balance + 1 WHERE user_id =";
                            writer.query_drop(format!("{pay} {key}")).await?;
                        }
                        writer.query_drop("COMMIT").await?;
                        let seen: Vec<i64> = conn.query(SUM).await?;
                        assert_eq!(seen, [200], "{begin}, autocommit={autocommit}");
                        conn.query_drop("SAVEPOINT a").await?;
                        let seen: Vec<i64> = conn.query(TWO).await?;
                        assert_eq!(seen, [100], "{begin}");
                        conn.query_drop("ROLLBACK TO SAVEPOINT a").await?;
                        conn.query_drop(single).await?;
                        conn.query_drop("COMMIT AND CHAIN").await?;
                        let seen: Vec<i64> = conn.query(SUM).await?;
                        assert_eq!(seen, [202], "a chained one has none");
                        conn.query_drop("COMMIT").await?;
                        for key in [A, B] {
                            let back = "UPDATE users SET balance = 100 WHERE user_id =";
                            conn.query_drop(format!("{back} {key}")).await?;
                        }
                        conn.query_drop("COMMIT").await?;
                        writer.disconnect().await
                    };
                    outcome.await.map_err(|error: mysql_async::Error| error.to_string())
                })
                .expect("a reader");
            }
        }
    });
}
