//! Lending and giving back: state, pipelining, bounds, closing, KILL.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use weir::backend::answer::Answer;
use weir::backend::connection::Pipelining;
use weir::backend::counters::Closed;
use weir::backend::group::Group;
use weir::backend::kill::Scope;
use weir::backend::node::Node;
use weir::backend::state::{Charset, Isolation, State, quote};

use super::{ask, rows, run, single, value};
use crate::support;
use crate::support::servers::{Kind, Options};

fn node(group: &Group) -> &Node {
    group.pools()[0].node()
}

fn berlin() -> State {
    let mut state = State::default();
    state.set_variable("sql_mode", Some(b"'ANSI,STRICT_ALL_TABLES'"));
    state.set_variable("time_zone", Some(b"'+01:00'"));
    state.set_isolation(Some(Isolation::ReadCommitted));
    state.set_user_variable("who", Some(&quote("Jürgen's".as_bytes(), "utf8mb4")));
    state.set_charset(Charset {
        client: "latin1".into(),
        results: None,
        collation: "latin1_german1_ci".into(),
    });
    state
}

const SHOWN: &str = "SELECT @@session.sql_mode LIKE '%ANSI_QUOTES%', @@session.time_zone, @who, \
    @@session.character_set_client, @@session.character_set_results, \
    @@session.collation_connection, @@session.character_set_connection";

#[test]
fn a_connection_has_the_state_that_was_asked_for_and_loses_it_for_the_next() {
    for server in support::shared_kinds() {
        run(async {
            let group = single(server, |_| {});
            let state = berlin();
            let mut lent = group.lend(&ask(&state)).await.unwrap();
            let first = lent.id;
            let shown = rows(&mut lent, SHOWN).await.remove(0);
            let expected =
                ["1", "+01:00", "Jürgen's", "latin1", "NULL", "latin1_german1_ci", "latin1"];
            assert_eq!(shown, expected);
            lent.finish().await;
            let plain = State::default();
            let mut lent = group.lend(&ask(&plain)).await.unwrap();
            assert_eq!(lent.id, first, "the idle connection is used");
            let shown = rows(&mut lent, SHOWN).await.remove(0);
            let expected =
                ["0", "SYSTEM", "NULL", "utf8mb4", "utf8mb4", "utf8mb4_general_ci", "utf8mb4"];
            assert_eq!(shown, expected);
            lent.finish().await;
        });
    }
}

#[test]
fn what_a_node_has_accepted_is_pipelined_from_then_on() {
    for server in support::shared_kinds() {
        let database = server.database();
        run(async {
            let group = single(server, |_| {});
            let counters = &node(&group).counters;
            let counts = || {
                (
                    counters.awaited.load(Ordering::Relaxed),
                    counters.pipelined.load(Ordering::Relaxed),
                )
            };
            let name = std::sync::Arc::from(&*database);
            let (state, plain) = (berlin().in_database(Some(&name)), State::default());
            for _ in 0..2 {
                for (state, zone) in [(&state, "+01:00"), (&plain, "SYSTEM")] {
                    let mut lent = group.lend(&ask(state)).await.unwrap();
                    assert_eq!(value(&mut lent, "SELECT @@session.time_zone").await, zone);
                    lent.finish().await;
                }
            }
            // New each: to berlin from a fresh connection, to plain, to berlin again.
            assert_eq!(counts(), (3, 1));
            let mut lent = group.lend(&ask(&state)).await.unwrap();
            assert_eq!(value(&mut lent, "SELECT DATABASE()").await, database);
            lent.finish().await;
            // A write doesn't trust that the database is still there.
            let mut lent = group.lend(&ask(&plain)).await.unwrap();
            lent.init_db(&"information_schema".into()).await.unwrap();
            lent.finish().await;
            let before = counts();
            let mut write = ask(&state);
            write.pipelining = Pipelining::Variables;
            let mut lent = group.lend(&write).await.unwrap();
            assert_eq!(counts().0, before.0 + 1);
            assert_eq!(value(&mut lent, "SELECT DATABASE()").await, database);
            lent.finish().await;
        });
    }
}

#[test]
fn names_in_any_script_reach_a_connection_that_reads_another() {
    for server in support::shared_kinds() {
        let database = format!("{}_größe名", server.database());
        server.execute(&format!("CREATE DATABASE `{database}`"));
        run(async {
            let group = single(server, |_| {});
            let mut chinese = State::default();
            chinese.set_charset(Charset {
                client: "gbk".into(),
                results: Some("utf8mb4".into()),
                collation: "gbk_chinese_ci".into(),
            });
            let mut named = chinese.in_database(Some(&database.as_str().into()));
            named.set_user_variable("größe名", Some(b"7"));
            for _ in 0..3 {
                let lent = group.lend(&ask(&chinese)).await.unwrap();
                lent.finish().await;
                let mut lent = group.lend(&ask(&named)).await.unwrap();
                let sql = "SELECT @@character_set_client, DATABASE()";
                assert_eq!(rows(&mut lent, sql).await[0], ["gbk", &database]);
                lent.finish().await;
                let mut plain = named.clone();
                plain.set_charset(Charset::default());
                let mut lent = group.lend(&ask(&plain)).await.unwrap();
                assert_eq!(value(&mut lent, "SELECT @`größe名`").await, "7");
                lent.finish().await;
            }
            assert_eq!(node(&group).counters.opened.load(Ordering::Relaxed), 1);
        });
        server.execute(&format!("DROP DATABASE `{database}`"));
    }
}

#[test]
fn a_refused_state_is_the_servers_own_error_and_costs_no_connection() {
    for server in support::shared_kinds() {
        run(async {
            let group = single(server, |_| {});
            let mut wrong = State::default();
            wrong.set_variable("time_zone", Some(b"'Nowhere/Land'"));
            wrong.set_variable("sql_mode", Some(b"'ANSI'"));
            let error = group.lend(&ask(&wrong)).await.unwrap_err();
            assert_eq!((error.errno, &error.sqlstate, error.code), (1298, b"HY000", ""), "{error}");
            let nowhere = State::default().in_database(Some(&"no_such_database".into()));
            for _ in 0..2 {
                let error = group.lend(&ask(&nowhere)).await.unwrap_err();
                assert_eq!(error.errno, 1049, "{error}");
            }
            let mut lent = group.lend(&ask(&State::default())).await.unwrap();
            let shown = value(&mut lent, "SELECT @@session.sql_mode LIKE '%ANSI_QUOTES%'").await;
            assert_eq!(shown, "0", "one SET is taken whole or not at all");
            lent.finish().await;
            assert_eq!(node(&group).counters.opened.load(Ordering::Relaxed), 1);
        });
    }
}

#[test]
fn a_database_that_is_gone_fails_the_statement_that_came_with_it() {
    for server in support::shared_kinds() {
        let (gone, here) = (server.database(), server.database());
        server.execute(&format!("CREATE TABLE {here}.t (a INT)"));
        run(async {
            let group = single(server, |_| {});
            let state = |name: &str| State::default().in_database(Some(&name.into()));
            for name in [&gone, &here] {
                group.lend(&ask(&state(name))).await.unwrap().finish().await;
            }
            server.execute(&format!("DROP DATABASE {gone}"));
            let (wanted, next) = (state(&gone), state(&gone));
            let mut lent = group.lend(&ask(&wanted)).await.unwrap();
            lent.query(b"SELECT a FROM t");
            let error = lent.answer().await.unwrap_err();
            assert_eq!(error.code, "state_refused", "{error}");
            lent.finish().await;
            assert_eq!(node(&group).open(), 0, "the connection isn't lent again");
            let error = group.lend(&ask(&next)).await.unwrap_err();
            assert_eq!(error.errno, 1049, "from now on it is waited for: {error}");
        });
    }
}

#[test]
fn a_dropped_lend_is_closed_and_a_finished_one_comes_back() {
    for server in support::shared_kinds() {
        run(async {
            let group = single(server, |_| {});
            let state = State::default();
            let lent = group.lend(&ask(&state)).await.unwrap();
            let first = lent.id;
            drop(lent);
            assert_eq!(
                (node(&group).open(), node(&group).counters.closed(Closed::Abandoned)),
                (0, 1)
            );
            // Half an answer read, then "finished": not given back.
            let mut lent = group.lend(&ask(&state)).await.unwrap();
            assert_ne!(lent.id, first);
            lent.query(b"SELECT 1 UNION SELECT 2");
            assert_eq!(lent.answer().await.unwrap(), Answer::ResultSet { columns: 1 });
            lent.finish().await;
            assert_eq!(node(&group).open(), 0);
            // A query sent and never read.
            let mut lent = group.lend(&ask(&state)).await.unwrap();
            lent.query(b"SELECT SLEEP(1)");
            lent.flush().await.unwrap();
            lent.finish().await;
            assert_eq!(node(&group).open(), 0);
            let lent = group.lend(&ask(&state)).await.unwrap();
            // State written for a statement that never came is settled first.
            lent.finish_now().expect("something to await").finish().await;
            assert_eq!((node(&group).open(), group.pools()[0].in_use()), (1, 0));
            let lent = group.lend(&ask(&state)).await.unwrap();
            assert!(lent.finish_now().is_none());
            assert_eq!((node(&group).open(), group.pools()[0].in_use()), (1, 0));
        });
    }
}

#[test]
fn idle_connections_that_the_server_closed_cost_nobody_an_error() {
    for server in support::shared_kinds() {
        run(async {
            let group = single(server, |_| {});
            let state = State::default();
            for round in 0..4 {
                let lent = group.lend(&ask(&state)).await.unwrap();
                let id = lent.id;
                lent.finish().await;
                server.execute(&format!("KILL {id}"));
                if round % 2 == 0 {
                    sleep(Duration::from_millis(20)).await;
                } else {
                    // Idle for long, and the runtime hasn't looked at its sockets since.
                    std::thread::sleep(Duration::from_millis(1100));
                }
                // Another state, so that something is sent at once.
                let state = if round % 2 == 0 { State::default() } else { berlin() };
                let mut lent = group.lend(&ask(&state)).await.unwrap();
                assert_eq!(value(&mut lent, "SELECT 1").await, "1", "round {round}");
                lent.finish().await;
            }
            assert!(node(&group).counters.closed(Closed::ByServer) >= 3);
        });
    }
}

#[test]
fn connections_are_bounded_and_those_who_wait_are_told_why_they_failed() {
    for server in support::shared_kinds() {
        run(async {
            let group = single(server, |node| node.limits.max_connections = 2);
            let state = State::default();
            let one = group.lend(&ask(&state)).await.unwrap();
            let two = group.lend(&ask(&state)).await.unwrap();
            let mut late = ask(&state);
            late.deadline = Instant::now() + Duration::from_millis(80);
            let error = group.lend(&late).await.unwrap_err();
            assert_eq!((error.errno, error.code), (1040, "pool_timeout"), "{error}");
            for part in ["group 'g0', node 'n0'", "2 of 2 in use", " ms"] {
                assert!(error.message.contains(part), "{error}");
            }
            let full = single(server, |node| {
                (node.limits.max_connections, node.limits.max_waiting) = (1, 0);
            });
            let held = full.lend(&ask(&state)).await.unwrap();
            let error = full.lend(&ask(&state)).await.unwrap_err();
            assert_eq!((error.errno, error.code), (1040, "pool_queue_full"), "{error}");
            held.finish().await;
            let waiting = group.clone();
            let waiter = tokio::spawn(async move {
                let state = State::default();
                let lent = waiting.lend(&ask(&state)).await.unwrap();
                let id = lent.id;
                lent.finish().await;
                id
            });
            tokio::task::yield_now().await;
            let id = one.id;
            one.finish().await;
            assert_eq!(waiter.await.unwrap(), id, "the connection that came back");
            drop(two);
            // Another flavour and another worker find room within the bound.
            let kept = group.lend(&ask(&state)).await.unwrap();
            let spare = group.lend(&ask(&state)).await.unwrap();
            spare.finish().await;
            let mut found = ask(&state);
            (found.found_rows, found.worker) = (true, 1);
            let flavoured = group.lend(&found).await.unwrap();
            assert!(flavoured.found_rows && !kept.found_rows);
            kept.finish().await;
            let mut sibling = ask(&state);
            sibling.worker = 1;
            let lent = group.lend(&sibling).await.unwrap();
            assert_eq!(node(&group).open(), 2);
            lent.finish().await;
            flavoured.finish().await;
            assert_eq!(group.pools()[0].in_use(), 0);
        });
    }
}

#[test]
fn found_rows_counts_the_rows_found() {
    for server in support::shared_kinds() {
        let database = server.database();
        server.execute(&format!("CREATE TABLE {database}.t (a INT)"));
        server.execute(&format!("INSERT INTO {database}.t VALUES (1)"));
        run(async {
            let group = single(server, |_| {});
            let state = State::default();
            for (found_rows, expected) in [(false, 0), (true, 1)] {
                let mut asked = ask(&state);
                asked.found_rows = found_rows;
                let mut lent = group.lend(&asked).await.unwrap();
                let sql = format!("UPDATE {database}.t SET a = 1");
                let ok = lent.simple(sql.as_bytes()).await.unwrap();
                assert_eq!(ok.affected_rows, expected);
                lent.finish().await;
            }
        });
    }
}

#[test]
fn a_kill_stops_the_statement_and_the_connection_serves_nobody_else() {
    for server in support::shared_kinds() {
        run(async {
            let group = single(server, |_| {});
            let state = State::default();
            let mut lent = group.lend(&ask(&state)).await.unwrap();
            let (handle, killed) = (lent.kill_handle(), lent.id);
            let killer = tokio::spawn(async move {
                sleep(Duration::from_millis(100)).await;
                handle.kill(Scope::Query).await.unwrap()
            });
            let started = Instant::now();
            lent.query(b"SELECT SLEEP(20)");
            let interrupted = match lent.answer().await.unwrap() {
                // The sleep itself answers 1 where it was interrupted.
                Answer::ResultSet { columns } => {
                    lent.skip_definitions(columns).await.unwrap();
                    lent.read_packet().await.unwrap().to_vec()
                }
                other => format!("{other:?}").into_bytes(),
            };
            assert!(killer.await.unwrap());
            assert!(started.elapsed() < Duration::from_secs(10));
            let shown = String::from_utf8_lossy(&interrupted).into_owned();
            assert!(shown.contains("1317") || shown.contains('1'), "{shown}");
            let late = lent.kill_handle();
            lent.finish().await;
            assert_eq!(node(&group).open(), 0);
            let lent = group.lend(&ask(&state)).await.unwrap();
            assert_ne!(lent.id, killed);
            assert!(!late.kill(Scope::Connection).await.unwrap(), "its lend is over");
            let rows = server.query(&format!(
                "SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = {}",
                lent.id
            ));
            assert_eq!(rows.unwrap().len(), 1);
            lent.finish().await;
        });
    }
}

#[test]
fn a_session_outlives_a_kill_that_came_too_late() {
    for server in support::shared_kinds() {
        run(async {
            let group = single(server, |_| {});
            let state = State::default();
            let mut lent = group.lend(&ask(&state)).await.unwrap();
            for _ in 0..10 {
                assert_eq!(value(&mut lent, "SELECT 1").await, "1");
                lent.kill_handle().kill(Scope::Query).await.unwrap();
                lent.outlive_kill().await.unwrap();
                assert_eq!(value(&mut lent, "SELECT 2").await, "2");
            }
            let id = lent.id;
            lent.finish().await;
            let lent = group.lend(&ask(&state)).await.unwrap();
            assert_eq!(lent.id, id, "what was taken up can't hit the next one");
        });
    }
}

#[test]
fn prepared_handles_are_kept_and_the_oldest_is_closed_on_the_server_too() {
    for server in support::shared_kinds() {
        run(async {
            let group = single(server, |node| node.limits.statements = 2);
            let state = State::default();
            let mut lent = group.lend(&ask(&state)).await.unwrap();
            let open = "SHOW SESSION STATUS LIKE 'Prepared_stmt_count'";
            let all = "SHOW SESSION STATUS LIKE 'Com_stmt_close'";
            for number in 1..=4u8 {
                let sql = format!("SELECT {number} + ?, 'x'");
                assert_eq!(lent.prepared(&[number]), None);
                let (prepared, definitions) =
                    lent.prepare(&[number], sql.as_bytes(), true).await.unwrap();
                assert_eq!((prepared.parameters, prepared.columns, definitions.len()), (1, 2, 3));
                assert_eq!(lent.prepared(&[number]), Some(prepared));
            }
            assert_eq!((lent.prepared(&[2]), lent.prepared(&[3]).is_some()), (None, true));
            let closed = rows(&mut lent, all).await;
            assert_eq!(closed[0][1], "2", "{closed:?} {:?}", rows(&mut lent, open).await);
            let error = lent.prepare(b"bad", b"SELECT FROM", false).await.unwrap_err();
            assert_eq!((error.errno, error.code), (1064, ""));
            assert_eq!(value(&mut lent, "SELECT 5").await, "5", "still in step");
            lent.reset().await.unwrap();
            assert_eq!(lent.prepared(&[4]), None, "a reset drops all handles");
            lent.finish().await;
        });
    }
}

#[test]
fn a_server_that_holds_all_the_handles_it_may_gets_room_from_this_connection() {
    let options = Options::with(&["--max-prepared-stmt-count=4"]);
    let Some(server) = support::started(Kind::MariaDb, options) else { return };
    run(async {
        let group = single(&server, |_| {});
        let state = State::default();
        let mut lent = group.lend(&ask(&state)).await.unwrap();
        for number in 0..10u8 {
            let sql = format!("SELECT {number}");
            lent.prepare(&[number], sql.as_bytes(), false).await.unwrap();
        }
        assert!(lent.prepared(&[9]).is_some() && lent.prepared(&[0]).is_none());
        // Where the others hold all, it is the server's own error.
        let mut other = group.lend(&ask(&state)).await.unwrap();
        let held = || {
            let shown = server.query("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'").unwrap();
            shown[0][1].parse::<u8>().unwrap()
        };
        for number in 10..14 {
            if held() < 4 {
                lent.prepare(&[number], b"SELECT 'fill'", false).await.unwrap();
            }
        }
        assert_eq!(held(), 4);
        let error = other.prepare(b"x", b"SELECT 1", false).await.unwrap_err();
        assert_eq!(error.errno, 1461, "{error}");
        assert_eq!(value(&mut other, "SELECT 3").await, "3");
        // A handle given up just before the end of a lend costs no connection.
        (10..14).for_each(|number| lent.unprepare(&[number]));
        let id = lent.id;
        lent.finish().await;
        let again = group.lend(&ask(&state)).await.unwrap();
        assert_eq!(again.id, id);
    });
}
