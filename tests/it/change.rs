//! Statements that change rows on the workbench, against real servers: values on their way back,
//! undoing, KILL, bounds, prepared forms.
//!
//! Owns: what the differential's statements don't show. Never: asks for shapes one by one
//! (`tests/data/sql/change.sql` does).

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use crate::support::rig::{self, Rig};
use crate::support::sql::{self, blocking};
use crate::workbench::{asked, code, connect, kinds, left_over, table_of_kinds};

/// What makes any statement one for the workbench.
const ACROSS: &str = "(SELECT count(DISTINCT status) AS c FROM orders) x";

/// Every kind of column is inserted, changed in place, and removed and inserted again.
#[test]
fn no_value_changes_on_its_way_back() {
    for rig in rig::shared_kinds() {
        let _quiet = rig::quiet();
        let kind = rig.groups[0].primary.kind;
        let url = rig.groups[0].primary.url("root");
        for database in ["shop", "shop_0000"] {
            let mut statements = table_of_kinds(kind, &format!("{database}.changed"));
            statements.push(format!("DROP TABLE IF EXISTS {database}.taken"));
            statements.push(format!("CREATE TABLE {database}.taken LIKE {database}.changed"));
            let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
            sql::execute(&url, &statements).expect("tables of all kinds");
        }
        let names: Vec<String> = (0..kinds(kind).len()).map(|place| format!("c{place}")).collect();
        let names = names.join(", ");
        let of_k: Vec<String> = (0..kinds(kind).len()).map(|place| format!("k.c{place}")).collect();
        let of_k = of_k.join(", ");
        let statements = [
            format!(
                "INSERT INTO taken (id, {names}, later) SELECT k.id, {of_k}, k.later FROM changed k \
                 JOIN {ACROSS} ORDER BY k.id"
            ),
            format!(
                "INSERT INTO taken (id, {names}) SELECT k.id, {of_k} FROM changed k JOIN {ACROSS} \
                 ORDER BY k.id ON DUPLICATE KEY UPDATE c3 = taken.c3 + 1"
            ),
            format!("UPDATE changed k JOIN {ACROSS} SET k.c3 = k.id + x.c, k.later = k.later"),
            format!(
                "UPDATE changed k JOIN {ACROSS} SET k.id = k.id + 10, k.later = k.later \
                 WHERE k.id <> 2"
            ),
            format!(
                "REPLACE INTO taken (id, {names}) SELECT k.id, {of_k} FROM changed k JOIN {ACROSS}"
            ),
            format!("UPDATE changed k JOIN {ACROSS} SET k.c2 = -k.c2 WHERE k.id < 12"),
            format!("DELETE k FROM changed k JOIN {ACROSS} WHERE k.c2 > 0 OR k.id = 13"),
        ];
        let plain_url = rig.plain_url();
        blocking(&rig.url(), async move |weir| {
            let mut plain = connect(&plain_url).await;
            for conn in [&mut *weir, &mut plain] {
                conn.query_drop("SET time_zone = '-07:00', sql_mode = 'ALLOW_INVALID_DATES'")
                    .await
                    .expect("a state");
                conn.query_drop("SET timestamp = 1700000000").await.expect("a moment");
            }
            for statement in &statements {
                let wanted = plain.query_drop(statement).await.map_err(|e| e.to_string());
                let done = weir.query_drop(statement).await.map_err(|e| e.to_string());
                assert_eq!(done, wanted, "{statement}");
                let told = |conn: &Conn| (conn.affected_rows(), conn.info().into_owned());
                let told = (told(weir), told(&plain));
                let warnings: Vec<(String, u16, String)> =
                    weir.query("SHOW WARNINGS").await.expect("warnings");
                assert_eq!(told.0, told.1, "{statement}: {warnings:?}");
                for table in ["changed", "taken"] {
                    let sql = format!("SELECT * FROM {table} ORDER BY id");
                    let expected = asked(&mut plain, &sql, false).await.1;
                    let found = asked(weir, &sql, false).await.1;
                    assert_eq!(found.len(), expected.len(), "{kind} {table} after {statement}");
                    for (row, (found, expected)) in found.iter().zip(&expected).enumerate() {
                        for (column, (found, expected)) in found.iter().zip(expected).enumerate() {
                            assert!(
                                found == expected,
                                "{kind} {table} after {statement}: row {row} \
                                 column {column}: {found:?} for {expected:?}"
                            );
                        }
                    }
                }
            }
            let _ = plain.disconnect().await;
            Ok(())
        })
        .expect("both can be asked");
    }
}

async fn stock(conn: &mut Conn, from: u64) -> Vec<(u64, u64)> {
    let sql = format!(
        "SELECT item_id, quantity FROM stock WHERE item_id BETWEEN {from} AND {} ORDER BY item_id",
        from + 99
    );
    conn.query(sql).await.expect("rows")
}

/// Sixteen rows over all shards.
fn filling(from: u64) -> String {
    let rows: Vec<String> =
        (from..from + 16).map(|id| format!("({id}, {}, '2026-01-01')", id - from)).collect();
    format!("INSERT INTO stock (item_id, quantity, counted_at) VALUES {}", rows.join(", "))
}

/// An error on one shard undoes what the statement did on the others, and nothing else.
#[test]
fn an_error_undoes_the_statement_alone() {
    for rig in rig::shared_kinds() {
        let _quiet = rig::quiet();
        blocking(&rig.url(), async |conn| {
            let fails = |error: mysql_async::Error| error.to_string();
            let from = 950_000;
            conn.query_drop("BEGIN").await.map_err(fails)?;
            conn.query_drop(filling(from)).await.map_err(fails)?;
            let before = stock(conn, from).await;
            // The rows go to many shards; the last one of the select is there already.
            for sql in [
                "INSERT INTO stock (item_id, quantity, counted_at) SELECT IF(item_id = 950015, \
                 950003, item_id + 20), 1, counted_at FROM stock WHERE item_id BETWEEN 950000 AND \
                 950015 ORDER BY item_id",
                "UPDATE stock SET item_id = IF(item_id = 950007, 950015, item_id + 30) WHERE \
                 item_id BETWEEN 950000 AND 950014",
                "UPDATE stock SET quantity = quantity - 3 WHERE item_id BETWEEN 950000 AND 950015 \
                 ORDER BY item_id DESC LIMIT 16",
            ] {
                let error = conn.query_drop(sql).await.expect_err(sql);
                assert!(matches!(code(&error).0, 1062 | 1264 | 1690), "{error}");
                assert_eq!(stock(conn, from).await, before, "{sql}");
            }
            conn.query_drop(
                "UPDATE stock SET quantity = 99 WHERE item_id BETWEEN 950000 AND 950099 \
                 ORDER BY item_id LIMIT 1",
            )
            .await
            .map_err(fails)?;
            assert_eq!(stock(conn, from).await[0], (950_000, 99), "the transaction goes on");
            conn.query_drop("COMMIT").await.map_err(fails)?;
            // The same in autocommit.
            let before = stock(conn, from).await;
            let sql = "UPDATE stock SET item_id = IF(item_id = 950007, 950015, item_id + 30) WHERE \
                       item_id BETWEEN 950000 AND 950014";
            conn.query_drop(sql).await.expect_err("a key that is there");
            assert_eq!(stock(conn, from).await, before);
            conn.query_drop("DELETE FROM stock WHERE item_id BETWEEN 950000 AND 950099")
                .await
                .map_err(fails)
        })
        .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(left_over(rig), 0, "temporary tables are left");
    }
}

async fn killed(conn: &mut Conn, killer: &mut Conn, sql: &str, after: Duration) {
    let id: u64 = conn.query_first("SELECT connection_id()").await.expect("an id").expect("one");
    let kill = async {
        tokio::time::sleep(after).await;
        killer.query_drop(format!("KILL QUERY {id}")).await.expect("killed");
    };
    let (outcome, ()) = tokio::join!(conn.query_drop(sql), kill);
    let error = outcome.expect_err("it was killed");
    assert_eq!(code(&error).0, 1317, "{sql}: {error}");
}

#[test]
fn a_killed_change_leaves_nothing() {
    for rig in rig::shared_kinds() {
        let _quiet = rig::quiet();
        blocking(&rig.url(), async |conn| {
            let fails = |error: mysql_async::Error| error.to_string();
            let mut killer = connect(&rig.url()).await;
            let from = 951_000;
            conn.query_drop(filling(from)).await.map_err(fails)?;
            let before = stock(conn, from).await;
            // On the workbench.
            let slow = "UPDATE stock SET quantity = quantity + 1 + sleep(0.3) WHERE item_id BETWEEN \
                        951000 AND 951099 ORDER BY item_id LIMIT 16";
            killed(conn, &mut killer, slow, Duration::from_millis(900)).await;
            assert_eq!(stock(conn, from).await, before);
            // While it waits for a row.
            let mut holder = connect(&rig.url()).await;
            holder.query_drop("BEGIN").await.map_err(fails)?;
            let hold = "UPDATE stock SET quantity = 5 WHERE item_id = 951009";
            holder.query_drop(hold).await.map_err(fails)?;
            conn.query_drop("BEGIN").await.map_err(fails)?;
            conn.query_drop("UPDATE stock SET quantity = 77 WHERE item_id = 951001")
                .await
                .map_err(fails)?;
            let waits = "DELETE FROM stock WHERE item_id BETWEEN 951000 AND 951099 ORDER BY item_id \
                         LIMIT 12";
            killed(conn, &mut killer, waits, Duration::from_millis(700)).await;
            let rows = stock(conn, from).await;
            assert_eq!((rows.len(), rows[1]), (16, (951_001, 77)), "the transaction goes on");
            conn.query_drop("ROLLBACK").await.map_err(fails)?;
            holder.query_drop("ROLLBACK").await.map_err(fails)?;
            assert_eq!(stock(conn, from).await, before);
            conn.query_drop("DELETE FROM stock WHERE item_id BETWEEN 951000 AND 951099")
                .await
                .map_err(fails)
        })
        .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(left_over(rig), 0, "temporary tables are left");
    }
}

/// Rows that move to other shards are neither lost nor doubled, whenever their statement is killed.
#[test]
fn a_killed_move_is_whole_or_nothing() {
    const ROUNDS: u64 = 24;
    for rig in rig::shared_kinds() {
        let _quiet = rig::quiet();
        blocking(&rig.url(), async |conn| {
            let fails = |error: mysql_async::Error| error.to_string();
            let mut killer = connect(&rig.url()).await;
            let (here, there) = (956_000, 956_101);
            conn.query_drop(filling(here)).await.map_err(fails)?;
            let before = stock(conn, here).await;
            let after: Vec<(u64, u64)> = before.iter().map(|(id, n)| (id + 101, *n)).collect();
            let id: u64 = conn.query_first("SELECT CONNECTION_ID()").await.map_err(fails)?.unwrap();
            let moves =
                "UPDATE stock SET item_id = item_id + 101 WHERE item_id BETWEEN 956000 AND 956099";
            let back =
                "UPDATE stock SET item_id = item_id - 101 WHERE item_id BETWEEN 956101 AND 956200";
            // As long as one takes that isn't killed.
            let began = Instant::now();
            conn.query_drop(moves).await.map_err(fails)?;
            let whole = began.elapsed();
            conn.query_drop(back).await.map_err(fails)?;
            let mut cut = 0;
            for round in 0..ROUNDS {
                let own = round % 3 == 2;
                if own {
                    conn.query_drop("BEGIN").await.map_err(fails)?;
                }
                let kill = async {
                    tokio::time::sleep(whole * u32::try_from(round).unwrap_or(0) / 20).await;
                    killer.query_drop(format!("KILL QUERY {id}")).await
                };
                let (moved, told) = tokio::join!(conn.query_drop(moves), kill);
                told.map_err(fails)?;
                if own {
                    conn.query_drop("COMMIT").await.map_err(fails)?;
                }
                let expected = match &moved {
                    Ok(()) => (Vec::new(), after.clone()),
                    Err(error) => {
                        assert_eq!(code(error).0, 1317, "{error}");
                        (before.clone(), Vec::new())
                    }
                };
                let found = (stock(conn, here).await, stock(conn, there).await);
                assert_eq!(found, expected, "round {round}: {moved:?}");
                if moved.is_ok() {
                    conn.query_drop(back).await.map_err(fails)?;
                } else {
                    cut += 1;
                }
            }
            assert!(cut > 0, "no statement was hit");
            conn.query_drop("DELETE FROM stock WHERE item_id BETWEEN 956000 AND 956099")
                .await
                .map_err(fails)
        })
        .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(left_over(rig), 0, "temporary tables are left");
    }
}

#[test]
fn what_is_read_is_locked_until_the_transaction_ends() {
    for rig in rig::shared_kinds() {
        let _quiet = rig::quiet();
        blocking(&rig.url(), async |conn| {
            let fails = |error: mysql_async::Error| error.to_string();
            let mut other = connect(&rig.url()).await;
            other.query_drop("SET innodb_lock_wait_timeout = 1").await.map_err(fails)?;
            let from = 952_000;
            conn.query_drop(filling(from)).await.map_err(fails)?;
            conn.query_drop("BEGIN").await.map_err(fails)?;
            conn.query_drop(
                "INSERT INTO items (item_id, title, category, price, attributes) SELECT item_id, \
                 'x', 'tea', 1, '{}' FROM stock WHERE item_id BETWEEN 952000 AND 952003",
            )
            .await
            .map_err(fails)?;
            let change = "UPDATE stock SET quantity = 1 WHERE item_id = 952002";
            let error = other.query_drop(change).await.expect_err("it is locked");
            assert_eq!(code(&error).0, 1205, "{error}");
            conn.query_drop("ROLLBACK").await.map_err(fails)?;
            other.query_drop(change).await.map_err(fails)?;
            conn.query_drop("DELETE FROM stock WHERE item_id BETWEEN 952000 AND 952099")
                .await
                .map_err(fails)
        })
        .unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn bounds_and_rules_refuse_a_change_whole() {
    for rig in rig::shared_kinds() {
        let _quiet = rig::quiet();
        let settings = [("limits", "workbench_rows: 60".to_owned())];
        let (proxy, rules) = rig.another(&settings).expect("another Weir");
        blocking(&proxy.url("shop"), async |conn| {
            let fails = |error: mysql_async::Error| error.to_string();
            let from = 953_000;
            conn.query_drop(filling(from)).await.map_err(fails)?;
            let before = stock(conn, from).await;
            for sql in [
                "UPDATE stock SET reserved = 1 ORDER BY counted_at, item_id LIMIT 1000",
                "INSERT INTO stock (item_id, quantity, counted_at) SELECT a.item_id * 20 + b.item_id, \
                 1, a.counted_at FROM stock a JOIN stock b ON b.item_id BETWEEN 953000 AND 953008 \
                 WHERE a.item_id BETWEEN 953000 AND 953008",
            ] {
                let error = conn.query_drop(sql).await.expect_err(sql);
                let (errno, message) = code(&error);
                assert_eq!(errno, 1104, "{message}");
                assert!(message.contains("limits.workbench_rows"), "{message}");
            }
            assert_eq!(stock(conn, from).await, before);
            let few = "UPDATE stock SET quantity = 50 WHERE item_id BETWEEN 953000 AND 953099 ORDER \
                       BY item_id LIMIT 2";
            conn.query_drop(few).await.map_err(fails)?;
            assert_eq!(conn.affected_rows(), 2);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
        drop((proxy, rules));
        forbidden(rig);
    }
}

/// The rules say that no statement writes to several groups.
fn forbidden(rig: &Rig) {
    let (proxy, rules) = rig.another(&[]).expect("another Weir");
    let path = rules.join("tables.yaml");
    let text = std::fs::read_to_string(&path).expect("the rules");
    let text = text.replace("      stock:\n", "      stock:\n        scatter_writes: false\n");
    std::fs::write(&path, text).expect("edited");
    blocking(&proxy.url("shop"), async |conn| {
        let fails = |error: mysql_async::Error| error.to_string();
        let many = "UPDATE stock SET quantity = quantity + 1 WHERE item_id BETWEEN 953000 AND 953099 \
                    ORDER BY item_id LIMIT 16";
        let mut refused = None;
        for _ in 0..100 {
            let before = stock(conn, 953_000).await;
            match conn.query_drop(many).await {
                Ok(()) => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(error) => {
                    assert_eq!(stock(conn, 953_000).await, before);
                    refused = Some(error);
                    break;
                }
            }
        }
        let message = code(&refused.expect("it is refused once the rules are read")).1;
        assert!(message.contains("[weir:scatter_write]"), "{message}");
        conn.query_drop("DELETE /*+ weir: scatter_ok */ FROM stock WHERE item_id >= 953000")
            .await
            .map_err(fails)
    })
    .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn prepared_changes_are_the_same() {
    for rig in rig::shared_kinds() {
        let _quiet = rig::quiet();
        let plain_url = rig.plain_url();
        blocking(&rig.url(), async move |weir| {
            let opts = Opts::from_url(&plain_url).map_err(|error| error.to_string())?;
            let mut plain = Conn::new(opts).await.map_err(|error| error.to_string())?;
            let statements: [(&str, Vec<mysql_async::Value>); 8] = [
                (
                    "INSERT INTO stock (item_id, quantity, counted_at) SELECT user_id + ?, ?, ? FROM \
                     users WHERE user_id BETWEEN ? AND ? ORDER BY user_id",
                    vec![954_000.into(), 7.into(), "2026-01-01 00:00:00.5".into(), 1.into(), 9.into()],
                ),
                (
                    "INSERT INTO stock (item_id, quantity, counted_at) SELECT user_id + 954000, ?, \
                     '2026-01-01' FROM users WHERE user_id BETWEEN 5 AND 14 ORDER BY user_id ON \
                     DUPLICATE KEY UPDATE quantity = quantity + ?",
                    vec![1.into(), 5.into()],
                ),
                (
                    "UPDATE stock SET quantity = quantity + ? WHERE item_id > ? AND item_id < 954099 \
                     ORDER BY item_id DESC LIMIT ?",
                    vec![100.into(), 954_002.into(), "3".into()],
                ),
                (
                    "UPDATE stock SET item_id = item_id + ? WHERE item_id BETWEEN ? AND 954006",
                    vec![50.into(), 954_004.into()],
                ),
                (
                    "UPDATE stock s JOIN users u ON u.user_id = s.item_id - ? SET s.reserved = \
                     u.region_id WHERE u.user_id < ?",
                    vec![954_000.into(), 3.into()],
                ),
                (
                    "DELETE FROM stock WHERE item_id BETWEEN 954000 AND 954099 AND item_id - 954000 \
                     IN (SELECT user_id FROM users WHERE user_id > ?)",
                    vec![10.into()],
                ),
                (
                    "DELETE FROM stock WHERE item_id BETWEEN ? AND 954099 ORDER BY quantity, item_id \
                     LIMIT ?",
                    // As drivers do that bind everything as text.
                    vec!["954000".into(), "2".into()],
                ),
                ("UPDATE stock SET nosuch = ? WHERE item_id < 0 LIMIT 1", vec![1.into()]),
            ];
            for (sql, parameters) in statements {
                for times in 0..2 {
                    let expected = plain.exec_drop(sql, parameters.clone()).await;
                    let done = weir.exec_drop(sql, parameters.clone()).await;
                    let errno = |done: Result<(), mysql_async::Error>| done.map_err(|e| code(&e).0);
                    assert_eq!(errno(done), errno(expected), "{sql} {times}");
                    let told = |conn: &Conn| (conn.affected_rows(), conn.info().into_owned());
                    assert_eq!(told(weir), told(&plain), "{sql} {times}");
                    let rows = "SELECT item_id, quantity, reserved, counted_at FROM stock WHERE item_id \
                                BETWEEN 954000 AND 954099 ORDER BY item_id";
                    let found = asked(weir, rows, true).await.1;
                    assert_eq!(found, asked(&mut plain, rows, true).await.1, "{sql} {times}");
                }
            }
            for conn in [&mut *weir, &mut plain] {
                let clear = "DELETE FROM stock WHERE item_id BETWEEN 954000 AND 954099";
                conn.query_drop(clear).await.map_err(|error| error.to_string())?;
            }
            let _ = plain.disconnect().await;
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Clients that change the same rows, over shards and in the copies of a broadcast table: no change is
/// lost, and the copies stay alike.
#[test]
fn changes_at_the_same_time_all_count() {
    const CLIENTS: usize = 4;
    const ROUNDS: usize = 8;
    for rig in rig::shared_kinds() {
        let _quiet = rig::quiet();
        blocking(&rig.url(), async |conn| {
            let fails = |error: mysql_async::Error| error.to_string();
            conn.query_drop(filling(955_000)).await.map_err(fails)?;
            conn.query_drop(
                "INSERT INTO regions (region_id, code, name, shipping) VALUES (9301, 'Z1', 'z', 0)",
            )
            .await
            .map_err(fails)?;
            let statements = [
                "UPDATE stock SET quantity = quantity + 1 WHERE item_id BETWEEN 955000 AND 955015 \
                 ORDER BY item_id LIMIT 16",
                "UPDATE regions SET shipping = shipping + 1 WHERE region_id = 9301 LIMIT 1",
            ];
            let mut clients = Vec::new();
            for _ in 0..CLIENTS {
                clients.push(connect(&rig.url()).await);
            }
            let work = clients.into_iter().map(|mut client| async move {
                for round in 0..ROUNDS * 2 {
                    let sql = statements[round % 2];
                    // A deadlock is no lost change: the client hears of it.
                    while let Err(error) = client.query_drop(sql).await {
                        assert!(matches!(code(&error).0, 1213 | 1205), "{sql}: {error}");
                    }
                }
                let _ = client.disconnect().await;
            });
            futures_util::future::join_all(work).await;
            let all = (CLIENTS * ROUNDS) as u64;
            let expected: Vec<(u64, u64)> = (0..16).map(|n| (955_000 + n, n + all)).collect();
            assert_eq!(stock(conn, 955_000).await, expected);
            for (group, database) in rig.groups.iter().zip(["shop_0000", "shop_0002"]) {
                let sql = format!("SELECT shipping FROM {database}.regions WHERE region_id = 9301");
                let found = sql::query(&group.primary.url("root"), &sql).expect("a copy");
                assert_eq!(found, [[format!("{all}.00")]], "{database}");
            }
            conn.query_drop("DELETE FROM regions WHERE region_id = 9301").await.map_err(fails)?;
            conn.query_drop("DELETE FROM stock WHERE item_id BETWEEN 955000 AND 955099")
                .await
                .map_err(fails)
        })
        .unwrap_or_else(|error| panic!("{error}"));
    }
}

/// A foreign key of another database on the same server is seen, too.
#[test]
fn rows_that_another_database_refers_to_do_not_move() {
    for rig in rig::shared_kinds() {
        let _quiet = rig::quiet();
        let server = rig.groups[0].primary.url("root");
        let statements = [
            "DROP DATABASE IF EXISTS beside",
            "CREATE DATABASE beside",
            "INSERT INTO shop_0000.coupons VALUES ('BESIDE', 5, 1, '2027-01-01')",
            "CREATE TABLE beside.used (id INT PRIMARY KEY, code VARCHAR(16) CHARACTER SET utf8mb4 \
             COLLATE utf8mb4_general_ci, FOREIGN KEY (code) REFERENCES shop_0000.coupons (code) \
             ON DELETE CASCADE)",
            "INSERT INTO beside.used VALUES (1, 'BESIDE')",
        ];
        sql::execute(&server, &statements).expect("a table that refers");
        blocking(&rig.url(), async |conn| {
            let moves = "UPDATE coupons c JOIN users u ON u.user_id = c.uses_left AND c.code = \
                         'BESIDE' SET c.code = 'GONE'";
            let error = conn.query_drop(moves).await.expect_err("refused");
            assert!(error.to_string().contains("write_referenced"), "{error}");
            Ok(())
        })
        .expect("Weir can be asked");
        let found = sql::query(&server, "SELECT code FROM beside.used").expect("rows");
        assert_eq!(found, [["BESIDE"]]);
        let clear = ["DROP DATABASE beside", "DELETE FROM shop_0000.coupons WHERE code = 'BESIDE'"];
        sql::execute(&server, &clear).expect("cleared");
        // What a moment of a repeated hour ends in, under IGNORE too.
        let guard = "CREATE TEMPORARY TABLE shop_0000.moments (m TIMESTAMP NULL)";
        let refused = "INSERT IGNORE INTO shop_0000.moments VALUES (FROM_UNIXTIME(IF(UNIX_TIMESTAMP(\
                       FROM_UNIXTIME(5))=6,5,~0+SIGN(5))))";
        let error = sql::execute(&server, &[guard, refused]).expect_err("out of range");
        let error = error.to_string().to_ascii_lowercase();
        assert!(error.contains("+ sign("), "{error}");
    }
}

/// A write of all copies that fails in the first one leaves the session, its transaction and what it
/// wrote before.
#[test]
fn a_failed_write_of_copies_leaves_the_transaction() {
    for rig in rig::shared_kinds() {
        let _quiet = rig::quiet();
        blocking(&rig.url(), async |conn| {
            for begin in ["BEGIN", "START TRANSACTION WITH CONSISTENT SNAPSHOT"] {
                for sql in [
                    "UPDATE regions SET region_id = 2 WHERE region_id = 1",
                    "UPDATE regions SET region_id = 2 WHERE region_id = 1 ORDER BY region_id LIMIT 1",
                    "UPDATE regions SET region_id = region_id DIV 2 WHERE region_id = 4 ORDER BY region_id LIMIT 1",
                ] {
                    for (read, prepared) in [(true, true), (true, false), (false, true)] {
                        let fails = |error: mysql_async::Error| {
                            format!("{begin}; {sql} read {read} prepared {prepared}: {error}")
                        };
                        conn.query_drop(begin).await.map_err(fails)?;
                        if read {
                            conn.query_drop("SELECT count(*) FROM users").await.map_err(fails)?;
                        }
                        let first = "UPDATE regions SET shipping = shipping + 1 WHERE region_id = 3";
                        conn.query_drop(first).await.map_err(fails)?;
                        let done = match prepared {
                            true => conn.exec_drop(sql, ()).await,
                            false => conn.query_drop(sql).await,
                        };
                        let error = done.expect_err("a key that is there");
                        assert_eq!(code(&error).0, 1062, "{error}");
                        assert!(!error.to_string().contains("session ends"), "{begin}; {sql}: {error}");
                        conn.query_drop("DO 1").await.map_err(fails)?;
                        conn.query_drop("ROLLBACK").await.map_err(fails)?;
                    }
                }
            }
            Ok(())
        })
        .expect("a session that goes on");
    }
}
