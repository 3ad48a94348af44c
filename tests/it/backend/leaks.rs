//! Nothing of one session is ever seen by the next on the same connection.
//!
//! Each case leaves something behind, pins as the session would, and gives the connection back;
//! what the next borrower sees must be what a fresh connection shows.

use weir::backend::connection::Connection;
use weir::backend::counters::Pin;
use weir::backend::state::State;

use super::{ask, rows, run, single};
use crate::support;

/// What is left, the pin it comes with, and the question that would show it.
const CASES: &[(&str, Option<Pin>, &str)] = &[
    ("SET @leak := (SELECT 5)", Some(Pin::UserVariable), "SELECT @leak"),
    ("SET SESSION sql_mode = 'ANSI'", Some(Pin::Variable), "SELECT @@sql_mode"),
    ("SET NAMES gbk", Some(Pin::Variable), "SELECT @@character_set_client, @@collation_connection"),
    ("SET SESSION max_error_count = 5", Some(Pin::Variable), "SELECT @@max_error_count"),
    ("SET SESSION TRANSACTION READ ONLY", Some(Pin::Variable), "{READ_ONLY}"),
    // MySQL's DEFAULT turns these off.
    ("SET foreign_key_checks = 0", Some(Pin::Variable), "SELECT @@foreign_key_checks"),
    ("SET unique_checks = 0", Some(Pin::Variable), "SELECT @@unique_checks"),
    ("SET autocommit = 0", Some(Pin::Variable), "SELECT @@autocommit"),
    (
        "CREATE TEMPORARY TABLE {db}.leak (a INT)",
        Some(Pin::TemporaryTable),
        "SELECT * FROM {db}.leak",
    ),
    ("SELECT GET_LOCK('leak', 0)", Some(Pin::Lock), "SELECT IS_USED_LOCK('leak')"),
    ("LOCK TABLES {db}.t WRITE", Some(Pin::TableLock), "SELECT * FROM {db}.other"),
    ("PREPARE leak FROM 'SELECT 1'", Some(Pin::Prepare), "EXECUTE leak"),
    ("INSERT INTO {db}.auto VALUES (NULL)", Some(Pin::Unknown), "SELECT LAST_INSERT_ID()"),
    ("BEGIN; INSERT INTO {db}.t VALUES (77)", None, "SELECT a FROM {db}.t WHERE a = 77"),
    ("XA START 'leak'", Some(Pin::Transaction), "BEGIN"),
    ("HANDLER {db}.t OPEN AS leak", Some(Pin::Cursor), "HANDLER leak READ FIRST"),
    ("CALL {db}.leaks()", Some(Pin::Routine), "SELECT @@time_zone, @inside"),
    ("SELECT * FROM {db}.no_such_table", Some(Pin::Unknown), "SELECT 1"),
];

#[test]
fn the_next_borrower_sees_what_a_fresh_connection_shows() {
    for server in support::shared_kinds() {
        let database = server.database();
        server
            .execute_all(&[
                &format!("CREATE TABLE {database}.t (a INT)"),
                &format!("CREATE TABLE {database}.other (a INT)"),
                &format!("CREATE TABLE {database}.auto (a INT AUTO_INCREMENT PRIMARY KEY)"),
                &format!(
                    "CREATE PROCEDURE {database}.leaks() \
                     BEGIN SET time_zone = '+05:00'; SET @inside = 1; END"
                ),
            ])
            .unwrap();
        for (leave, pin, look) in CASES {
            run(async {
                let group = single(server, |_| {});
                let read_only =
                    if server.version.contains("MariaDB") { "tx" } else { "transaction" };
                let text = |sql: &str| {
                    sql.replace("{db}", &database)
                        .replace("{READ_ONLY}", &format!("SELECT @@{read_only}_read_only"))
                };
                let state = State::default();
                let mut fresh = group.lend(&ask(&state)).await.unwrap();
                let expected = seen(&mut fresh, &text(look)).await;
                drop(fresh);
                let mut lent = group.lend(&ask(&state)).await.unwrap();
                let id = lent.id;
                seen(&mut lent, &text(leave)).await;
                if let Some(pin) = pin {
                    lent.pin(*pin);
                }
                lent.finish().await;
                let mut next = group.lend(&ask(&state)).await.unwrap();
                assert_eq!(seen(&mut next, &text(look)).await, expected, "{leave}");
                assert_eq!(next.id, id, "{leave}: a reset connection is lent again");
                drop(next);
                assert_eq!(server.query(&text("SELECT a FROM {db}.t")).unwrap().len(), 0);
            });
        }
    }
}

/// Rows as text, or the error's number.
async fn seen(connection: &mut Connection, sql: &str) -> String {
    match connection.rows(sql.as_bytes(), 100).await {
        Ok(rows) => format!("{rows:?}"),
        Err(error) => format!("error {}", error.errno),
    }
}

#[test]
fn changes_that_the_server_reports_pin() {
    for server in support::shared_kinds() {
        run(async {
            let group = single(server, |_| {});
            let state = State::default();
            let mut lent = group.lend(&ask(&state)).await.unwrap();
            for quiet in ["SELECT 1", "DO 1", "BEGIN", "COMMIT"] {
                rows(&mut lent, quiet).await;
            }
            for (sql, pins) in [
                ("DO 1", false),
                ("BEGIN", false),
                ("COMMIT", false),
                ("SET lock_wait_timeout = 7", true),
            ] {
                let ok = lent.simple(sql.as_bytes()).await.unwrap();
                lent.note_tracked(&ok.session_state);
                assert_eq!(lent.pins().contains(Pin::Unforeseen), pins, "{sql} {ok:?}");
            }
            lent.finish().await;
            let mut lent = group.lend(&ask(&state)).await.unwrap();
            let shown = rows(&mut lent, "SELECT @@lock_wait_timeout").await;
            assert_ne!(shown[0][0], "7");
        });
    }
}
