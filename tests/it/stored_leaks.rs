//! What stored code sets is its session's, wherever the code ran: the next client of that connection
//! must not see it.
//!
//! Owns: functions, views and triggers that set variables, reached by every way a statement takes.
//! Never: what the session itself reads afterwards in detail, which `tests/data/sql` compares.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use crate::support::rig::{Options, Rig, Silent};
use crate::support::servers::Kind;
use crate::support::sql;
use crate::workbench::connect;

/// Functions that set, and fail after they have; a view and triggers that reach them.
const MADE: &[&str] = &[
    "CREATE FUNCTION assigns() RETURNS INT NOT DETERMINISTIC NO SQL BEGIN SET time_zone = '+07:00'; \
     SET lc_time_names = 'de_DE'; SET group_concat_max_len = 77; SET @leak = 5; RETURN 1; END",
    "CREATE FUNCTION breaks() RETURNS INT NOT DETERMINISTIC NO SQL BEGIN SET time_zone = '+07:00'; \
     SET lc_time_names = 'de_DE'; SET group_concat_max_len = 77; SET @leak = 5; \
     SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; RETURN 1; END",
    "CREATE VIEW seen AS SELECT assigns() AS x",
    "CREATE VIEW failed AS SELECT breaks() AS x",
    "CREATE TABLE fired (id INT PRIMARY KEY, v INT)",
    "CREATE TABLE failing (id INT PRIMARY KEY, v INT)",
    "CREATE TABLE direct (id INT PRIMARY KEY, v INT)",
    "CREATE TABLE chained (id INT PRIMARY KEY, v INT)",
    "CREATE TRIGGER fires BEFORE INSERT ON fired FOR EACH ROW SET NEW.v = assigns()",
    "CREATE TRIGGER fires_u BEFORE UPDATE ON fired FOR EACH ROW SET NEW.v = assigns()",
    "CREATE TRIGGER sets_and_fails BEFORE INSERT ON failing FOR EACH ROW SET NEW.v = breaks()",
    "CREATE TRIGGER sets_itself BEFORE INSERT ON direct FOR EACH ROW BEGIN SET time_zone = '+07:00'; \
     SET lc_time_names = 'de_DE', group_concat_max_len = 77, @leak = 5; END",
    "CREATE TRIGGER writes_on AFTER INSERT ON chained FOR EACH ROW INSERT INTO direct VALUES (NEW.id, 1)",
    "CREATE PROCEDURE calls() SELECT assigns()",
    "CREATE TABLE diagnosed (id INT PRIMARY KEY, v INT)",
    "CREATE TRIGGER diagnoses BEFORE INSERT ON diagnosed FOR EACH ROW BEGIN GET DIAGNOSTICS @leak = NUMBER; END",
    "CREATE TABLE handled (id INT PRIMARY KEY, v INT)",
    "CREATE TRIGGER handles BEFORE INSERT ON handled FOR EACH ROW BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION \
     BEGIN SET time_zone = '+06:00'; RESIGNAL; END; SIGNAL SQLSTATE '45000'; END",
    "CREATE TABLE continued (id INT PRIMARY KEY, v INT)",
    "CREATE TRIGGER continues BEFORE INSERT ON continued FOR EACH ROW BEGIN DECLARE CONTINUE HANDLER FOR \
     SQLEXCEPTION SET time_zone = '+05:00'; SIGNAL SQLSTATE '45000'; END",
];

/// Each is a session of its own.
const WAYS: &[&str] = &[
    "SELECT assigns()",
    "SELECT breaks()",
    "DO assigns()",
    "SET @x = assigns()",
    "SET @x = breaks()",
    "CALL calls()",
    "SELECT * FROM seen",
    "SELECT * FROM failed",
    "SELECT x INTO @x FROM seen",
    "SELECT x INTO @x FROM failed",
    "SET @x = (SELECT MAX(x) FROM seen)",
    "SET @x = (SELECT MAX(x) FROM failed)",
    "SET @x = (SELECT COUNT(*) FROM seen v JOIN users u WHERE u.user_id IN (1, 2, 3, 4))",
    "SELECT v.x FROM seen v JOIN users ON user_id = 13",
    "SELECT v.x FROM failed v JOIN users ON user_id = 13",
    "SELECT v.x FROM seen v JOIN users ON user_id IN (1, 2, 3, 4, 5, 13) ORDER BY user_id",
    "SELECT v.x, COUNT(*) INTO @x, @y FROM seen v JOIN users ON user_id IN (1, 2, 3) GROUP BY v.x",
    "SELECT u.user_id FROM users u WHERE u.user_id IN (SELECT x + 3 FROM seen)",
    "INSERT INTO fired VALUES (1, 1)",
    "INSERT INTO fired VALUES (1, 1), (1, 1)",
    "INSERT INTO fired SELECT user_id, 1 FROM users WHERE user_id IN (3, 4, 5, 13)",
    "REPLACE INTO fired SELECT user_id, 1 FROM users WHERE user_id IN (3, 4, 5, 13) ORDER BY user_id",
    "UPDATE fired SET v = 2",
    "INSERT INTO failing VALUES (1, 1)",
    "INSERT INTO failing SELECT user_id, 1 FROM users WHERE user_id IN (3, 4, 5, 13)",
    "INSERT INTO direct VALUES (1, 1)",
    "INSERT INTO direct VALUES (2, 1), (1, 1)",
    "INSERT INTO direct SELECT user_id, 1 FROM users WHERE user_id IN (3, 4, 5, 13)",
    "INSERT INTO diagnosed VALUES (1, 1)",
    "INSERT INTO diagnosed VALUES (1, 1)",
    "INSERT INTO handled VALUES (1, 1)",
    "INSERT INTO continued VALUES (1, 1)",
    "CREATE TABLE made AS SELECT breaks() AS x",
    "CREATE TABLE made AS SELECT assigns() AS x",
    "CREATE TEMPORARY TABLE made_2 AS SELECT breaks() AS x",
    "CREATE TEMPORARY TABLE made_3 AS SELECT assigns() AS x",
    "EXPLAIN SELECT * FROM direct WHERE id = breaks()",
    "EXPLAIN SELECT * FROM direct WHERE id = assigns()",
    "EXPLAIN SELECT * FROM failed",
    "EXPLAIN SELECT * FROM (SELECT assigns() AS x) y",
    "EXPLAIN UPDATE direct SET v = 1 WHERE id = breaks()",
    "ANALYZE SELECT breaks()",
    "EXPLAIN ANALYZE SELECT assigns() FROM direct",
    "EXPLAIN SELECT * FROM users WHERE user_id = assigns()",
    "INSERT INTO chained VALUES (100, 1)",
    "INSERT INTO chained VALUES (101, 1), (100, 1)",
    "INSERT INTO chained SELECT user_id + 200, 1 FROM users WHERE user_id IN (3, 4, 5, 13)",
];

const ASKED: &str = "@@time_zone, @@lc_time_names, @@group_concat_max_len, @leak";

async fn rows(conn: &mut Conn, sql: &str) -> Result<Vec<String>, String> {
    let rows: Vec<Row> = conn.query(sql).await.map_err(|error| error.to_string())?;
    Ok(rows.into_iter().map(|row| format!("{:?}", row.unwrap())).collect())
}

/// What a session sees on each group that it may be lent a connection of.
async fn seen(conn: &mut Conn) -> Vec<String> {
    let mut all = Vec::new();
    for user in [1, 2, 3, 4, 5, 6, 7, 8, 13] {
        let shard = format!("SELECT {ASKED} FROM users WHERE user_id = {user}");
        all.extend(rows(conn, &shard).await.unwrap_or_else(|error| vec![error]));
    }
    let single = format!("SELECT {ASKED} FROM (SELECT COUNT(*) FROM direct) d");
    all.extend(rows(conn, &single).await.unwrap_or_else(|error| vec![error]));
    all.sort();
    all.dedup();
    all
}

#[test]
fn what_stored_code_sets_reaches_no_other_client() {
    for kind in Kind::ALL {
        let options = Options::small(kind);
        if let Err(reason) = crate::support::engine::available(kind) {
            crate::support::skip::loudly(kind, &reason);
            continue;
        }
        let trusts = ["--log-bin-trust-function-creators=1"];
        let rig =
            Rig::start_on(&options, &trusts, &Silent).unwrap_or_else(|reason| panic!("{reason}"));
        for url in [rig.url(), rig.plain_url()] {
            sql::execute(&url, MADE).unwrap_or_else(|reason| panic!("{kind}: {reason}"));
        }
        let mut wrong = Vec::new();
        sql::blocking(&rig.url(), async |first| {
            let clean = seen(first).await;
            // An error would be alike before and behind.
            assert!(clean.iter().all(|line| line.starts_with('[')), "{clean:?}");
            for way in WAYS {
                let mut own = Vec::new();
                for url in [rig.url(), rig.plain_url()] {
                    let mut conn = connect(&url).await;
                    let told = conn.query_drop(*way).await.map_err(|error| error.to_string());
                    let sees = rows(&mut conn, &format!("SELECT {ASKED}")).await;
                    own.push((told.is_ok(), told, sees));
                    let _ = conn.disconnect().await;
                }
                let unknown =
                    own[0].2.as_ref().is_err_and(|told| told.contains("user_variable_unknown"));
                // No server tells that GET DIAGNOSTICS has set a variable.
                let untold = way.contains("diagnosed");
                if own[0].0 != own[1].0 || own[0].2 != own[1].2 && !unknown && !untold {
                    wrong.push(format!(
                        "{kind}: {way}\n   weir: {:?}\n  plain: {:?}",
                        own[0], own[1]
                    ));
                }
                for _ in 0..8 {
                    let mut other = connect(&rig.url()).await;
                    let sees = seen(&mut other).await;
                    if sees != clean {
                        wrong.push(format!("{kind}: {way}\n  LEAK: {sees:?}"));
                        break;
                    }
                    let _ = other.disconnect().await;
                }
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// Functions that refuse by SIGNAL are common: a session that called one holds no connection for it.
#[test]
fn a_session_keeps_no_connection_for_what_failed() {
    for rig in crate::support::rig::shared_kinds() {
        sql::blocking(&rig.url(), async |first| {
            let mut kept = Vec::new();
            for _ in 0..40 {
                let mut conn = connect(&rig.url()).await;
                for failing in ["EXPLAIN SELECT nosuch", "SELECT nosuch_function(1)"] {
                    assert!(conn.query_drop(failing).await.is_err(), "{failing}");
                }
                kept.push(conn);
            }
            let count = rows(first, "SELECT COUNT(*) > 0 FROM users").await?;
            assert_eq!(count.len(), 1);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    }
}
