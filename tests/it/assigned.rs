//! `SET @a = (SELECT …)`: what stops any statement stops it, and what a server undoes on its account is
//! undone in every group.
//!
//! Owns: KILL QUERY, a timeout and a lock wait inside of SET. Never: the values themselves, which
//! `tests/data/sql` compares.

use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::support::rig;
use crate::support::sql::blocking;
use crate::workbench::{code, connect};

/// One server's own answer, and the workbench's.
const SLOW: [&str; 2] = [
    "SET @slow = (SELECT COUNT(*) FROM users WHERE user_id IN (9, 17) AND sleep(20) = 0)",
    "SET @slow = (SELECT COUNT(DISTINCT u.level) FROM users u JOIN items i ON i.price < u.balance + 1e9 \
     WHERE sleep(0.02) = 0)",
];

async fn value(conn: &mut Conn) -> Option<i64> {
    conn.query_first::<Option<i64>, _>("SELECT @slow").await.expect("the value").flatten()
}

#[test]
fn kill_query_stops_it_and_the_variable_keeps_its_value() {
    for rig in rig::shared_kinds() {
        blocking(&rig.url(), async |conn| {
            let fails = |error: mysql_async::Error| error.to_string();
            let id: u64 = conn.query_first("SELECT connection_id()").await.map_err(fails)?.unwrap();
            let mut killer = connect(&rig.url()).await;
            for slow in SLOW {
                conn.query_drop("SET @slow = 7").await.map_err(fails)?;
                let begun = Instant::now();
                let killed = async {
                    tokio::time::sleep(Duration::from_millis(700)).await;
                    killer.query_drop(format!("KILL QUERY {id}")).await
                };
                let (outcome, kill) = tokio::join!(conn.query_drop(slow), killed);
                kill.map_err(fails)?;
                assert_eq!(code(&outcome.expect_err("it was to be stopped")).0, 1317, "{slow}");
                assert!(begun.elapsed() < Duration::from_secs(10), "{slow}");
                assert_eq!(value(conn).await, Some(7), "{slow}");
            }
            let _ = killer.disconnect().await;
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn the_statement_s_time_is_its_time() {
    for rig in rig::shared_kinds() {
        let settings = [("timeouts", "statement: 900ms".to_owned())];
        let (proxy, _rules) = rig.another(&settings).expect("another Weir");
        blocking(&proxy.url("shop"), async |conn| {
            let fails = |error: mysql_async::Error| error.to_string();
            for slow in SLOW {
                conn.query_drop("SET @slow = 7").await.map_err(fails)?;
                let begun = Instant::now();
                let error = conn.query_drop(slow).await.expect_err("it takes longer");
                assert_eq!(code(&error).0, 3024, "{slow}: {error}");
                assert!(begun.elapsed() < Duration::from_secs(8), "{slow}");
                assert_eq!(value(conn).await, Some(7), "{slow}");
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    }
}

/// The row's first value is set before the second one fails; the connection goes on to others.
#[test]
fn what_a_failed_statement_has_set_is_seen_by_nobody_else() {
    for rig in rig::shared_kinds() {
        blocking(&rig.url(), async |conn| {
            for from in ["users WHERE user_id = 3", "regions"] {
                let sql = format!(
                    "SELECT 1, COUNT(*) + 9223372036854775807 INTO @leaked, @over FROM {from}"
                );
                assert_eq!(code(&conn.query_drop(&sql).await.expect_err("it overflows")).0, 1690);
                for _ in 0..8 {
                    let mut other = connect(&rig.url()).await;
                    let sql = format!("SELECT MAX(@leaked) FROM {from}");
                    let seen: Option<Option<i64>> = other.query_first(&sql).await.expect("a row");
                    assert_eq!(seen, Some(None), "{sql}");
                    let _ = other.disconnect().await;
                }
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    }
}
