//! One server connection, many clients: whatever a session left on it, and however the session or its
//! statement ended, the next client sees what a client of a fresh connection sees.
//!
//! Owns: what can be left × how it ends × what would show it, through a Weir whose pools hold one
//! connection each. Never: what stored code leaves by every way that reaches it (`stored_leaks.rs`).

use std::time::{Duration, Instant};

use weir::protocol::command::{byte, write_text};
use weir::protocol::execute::write_execute;
use weir::wire::stream::Stream;

use crate::commands::{answer, ask, open, prepare};
use crate::support::proxy::Proxy;
use crate::support::rig::{self, Rig};
use crate::support::servers::Kind;

const PATIENCE: Duration = Duration::from_secs(60);

/// The server connection that a statement runs on; both tables' rows lie on group g0.
const OWN: &[u8] = b"SELECT @@pseudo_thread_id FROM coupons LIMIT 1";

/// What a session leaves, and whether the server connection is its own from then on.
const LEFT: &[(&[&str], bool)] = &[
    (
        &[
            "SET @leak = 5, sql_mode = 'ANSI', time_zone = '+07:00', lc_time_names = 'de_DE'",
            "SET NAMES latin1",
            "SET foreign_key_checks = 0, unique_checks = 0, sql_safe_updates = 1, timestamp = 1000",
            "SET group_concat_max_len = 77, max_error_count = 5, sql_select_limit = 1",
            "SET SESSION TRANSACTION READ ONLY",
            "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            "SET profiling = 1",
            "USE information_schema",
            "SELECT SQL_CALC_FOUND_ROWS code FROM shop.coupons LIMIT 1",
        ],
        false,
    ),
    (&["SELECT SQL_CALC_FOUND_ROWS code FROM coupons LIMIT 2"], false),
    (&["UPDATE coupons SET uses_left = uses_left + 1 WHERE code = 'LEAK-0'"], false),
    (&["INSERT INTO leak_counted VALUES (NULL)"], false),
    (&["SELECT LAST_INSERT_ID(77)"], false),
    (&["SELECT CAST('7x' AS SIGNED), 1/0 FROM coupons LIMIT 1"], false),
    (&["SELECT nosuch FROM coupons"], false),
    (&["SET TRANSACTION READ ONLY"], false),
    (&["SET optimizer_trace = 'enabled=on'", "SELECT 'secret', code FROM coupons LIMIT 1"], false),
    (&["CALL leak_role()"], true),
    (&["CALL leak_role_of_definer()"], true),
    (&["SET autocommit = 0", "INSERT INTO coupons VALUES ('LEAK-1', 1, 1, '2030-01-01')"], true),
    (
        &["BEGIN", "INSERT INTO coupons VALUES ('LEAK-2', 1, 1, '2030-01-01')", "SAVEPOINT leaked"],
        true,
    ),
    (&["START TRANSACTION READ ONLY", "SELECT code FROM coupons LIMIT 1"], true),
    (&["CREATE TEMPORARY TABLE leaked_table (a INT)"], true),
    (&["CREATE TEMPORARY TABLE coupons (a INT)"], true),
    (&["SELECT GET_LOCK('leaked', 0)"], true),
    (&["LOCK TABLES coupons READ"], true),
    (&["PREPARE leaked FROM 'SELECT 1'", "EXECUTE leaked"], false),
    (&["HANDLER coupons OPEN AS leaked"], true),
    (&["XA START 'leaked'", "INSERT INTO coupons VALUES ('LEAK-3', 1, 1, '2030-01-01')"], true),
];

/// Each is the first statement of a session of its own.
const LOOKS: &[&str] = &[
    "SELECT @leak, @@sql_mode, @@time_zone, @@lc_time_names, @@character_set_client, \
     @@collation_connection, @@character_set_results, @@foreign_key_checks, @@unique_checks, \
     @@sql_safe_updates, @@group_concat_max_len, @@max_error_count, @@sql_select_limit, \
     @@autocommit, @@profiling, NOW() > '2020-01-01', DATABASE(), FOUND_ROWS(), ROW_COUNT(), \
     LAST_INSERT_ID(), @@identity, @@warning_count, @@error_count, CURRENT_ROLE(), \
     IS_USED_LOCK('leaked'), (SELECT COUNT(*) FROM coupons WHERE code LIKE 'LEAK-%')",
    "SELECT CURRENT_ROLE() FROM coupons LIMIT 1",
    "SELECT FOUND_ROWS()",
    "SELECT FOUND_ROWS() FROM coupons LIMIT 1",
    "SELECT ROW_COUNT()",
    "SELECT ROW_COUNT() FROM coupons LIMIT 1",
    "SELECT LAST_INSERT_ID()",
    "SELECT LAST_INSERT_ID() FROM coupons LIMIT 1",
    "SELECT @@last_insert_id",
    "SELECT @@warning_count",
    "SHOW WARNINGS",
    "SHOW COUNT(*) WARNINGS",
    "SHOW ERRORS",
    "GET DIAGNOSTICS @count = NUMBER, @rows = ROW_COUNT",
    "SELECT @@{tx}_isolation, @@{tx}_read_only",
    "SELECT @@in_transaction",
    "SHOW PROFILES",
    "SELECT * FROM information_schema.OPTIMIZER_TRACE",
    "SELECT * FROM leaked_table",
    "SELECT COUNT(*) > 0 FROM coupons",
    "SELECT COUNT(*) FROM users WHERE user_id IN (1, 2, 3)",
    "UPDATE coupons SET uses_left = uses_left WHERE code = 'LEAK-0'",
    "UPDATE coupons SET uses_left = uses_left LIMIT 1",
    "EXECUTE leaked",
    "DEALLOCATE PREPARE leaked",
    "HANDLER leaked READ FIRST",
    "ROLLBACK TO SAVEPOINT leaked",
    "COMMIT",
    "XA END 'leaked'",
    "XA RECOVER",
    "UNLOCK TABLES",
    "SELECT RELEASE_LOCK('leaked')",
    "SHOW CREATE TABLE leaked_table",
];

/// How the session, or its last statement, ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// It goes on, idle.
    Stays,
    Quits,
    Resets,
    Vanishes,
    VanishesInAStatement,
    VanishesInAResult,
    QueryKilled,
    TimedOut,
    Killed,
}

const ENDS: [End; 9] = [
    End::Stays,
    End::Quits,
    End::Resets,
    End::Vanishes,
    End::VanishesInAStatement,
    End::VanishesInAResult,
    End::QueryKilled,
    End::TimedOut,
    End::Killed,
];

/// What the rig's servers need for it.
fn prepared_servers(rig: &Rig) {
    let primary = &rig.groups[0].primary;
    let body = |name: &str, security: &str| {
        format!("CREATE PROCEDURE shop_0000.{name}() SQL SECURITY {security} SET ROLE leaky")
    };
    primary
        .execute_all(&[
            "CREATE ROLE leaky",
            "GRANT leaky TO weir@'%'",
            "GRANT leaky TO root@'%'",
            &body("leak_role", "INVOKER"),
            &body("leak_role_of_definer", "DEFINER"),
            "CREATE TABLE shop_0000.leak_counted (id INT AUTO_INCREMENT PRIMARY KEY)",
            "INSERT INTO shop_0000.coupons VALUES ('LEAK-0', 1, 1, '2030-01-01')",
        ])
        .expect("what leaks");
}

fn cleared_servers(rig: &Rig) {
    let primary = &rig.groups[0].primary;
    primary
        .execute_all(&[
            "DROP PROCEDURE shop_0000.leak_role",
            "DROP PROCEDURE shop_0000.leak_role_of_definer",
            "DROP TABLE shop_0000.leak_counted",
            "DELETE FROM shop_0000.coupons WHERE code LIKE 'LEAK-%'",
            "DROP ROLE leaky",
        ])
        .expect("nothing is left");
}

/// A Weir with one connection to each server.
fn narrow(rig: &Rig) -> (Proxy, std::path::PathBuf) {
    rig.another_edited(&[("timeouts", "pool_wait: 3s".to_owned())], &|rules| {
        let file = rules.join("topology.yaml");
        let text = std::fs::read_to_string(&file).expect("the topology");
        let text = text.replace("pool: {size: 32, wait: 5s}", "pool: {size: 1, wait: 3s}");
        std::fs::write(&file, text).expect("the topology");
    })
    .expect("another Weir")
}

async fn client(proxy: &Proxy) -> Stream {
    open(proxy.port, "shop").await
}

/// Ends it; what must stay open until the others have looked is given back.
async fn ended(mut stream: Stream, end: End, proxy: &Proxy) -> Option<Stream> {
    let id = |answer: Vec<String>| answer[1].trim_matches(|c: char| !c.is_ascii_digit()).to_owned();
    match end {
        End::Stays => return Some(stream),
        End::Quits => {
            stream.reset_sequence();
            stream.write_packet(&[byte::QUIT]);
            stream.flush().await.expect("sent");
        }
        End::Resets => {
            let reset = ask(&mut stream, |out| out.push(byte::RESET_CONNECTION)).await;
            assert_eq!(reset[0], 0);
            return Some(stream);
        }
        End::Vanishes => {}
        End::VanishesInAStatement | End::VanishesInAResult => {
            let sql: &[u8] = match end {
                End::VanishesInAStatement => b"SELECT SLEEP(30) FROM shop.coupons LIMIT 1",
                _ => {
                    b"SELECT REPEAT('x', 100000) FROM shop.items a, shop.items b \
                      WHERE a.item_id = 1 AND b.item_id = 1 UNION ALL SELECT REPEAT('y', 16000000)"
                }
            };
            stream.reset_sequence();
            stream.write_with(|out| write_text(byte::QUERY, sql, out));
            stream.flush().await.expect("sent");
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        End::QueryKilled | End::Killed => {
            let own = id(answer(&mut stream, b"SELECT CONNECTION_ID()").await);
            let kill = if end == End::Killed { "KILL" } else { "KILL QUERY" };
            let sleep = b"SELECT SLEEP(30) FROM shop.coupons LIMIT 1";
            let killer = async {
                tokio::time::sleep(Duration::from_millis(60)).await;
                let mut killer = client(proxy).await;
                answer(&mut killer, format!("{kill} {own}").as_bytes()).await;
            };
            if end == End::Killed {
                // Its answer may be an error or the end.
                stream.reset_sequence();
                stream.write_with(|out| write_text(byte::QUERY, sleep, out));
                stream.flush().await.expect("sent");
                killer.await;
            } else {
                tokio::join!(answer(&mut stream, sleep), killer);
            }
        }
        End::TimedOut => {
            let sql = b"SELECT /*+ weir: timeout(100) */ SLEEP(30) FROM shop.coupons LIMIT 1";
            answer(&mut stream, sql).await;
        }
    }
    None
}

/// What clients see, each question asked by a session of its own.
async fn looked(proxy: &Proxy, kind: Kind) -> Vec<(String, Vec<String>)> {
    let mut seen = Vec::new();
    for look in LOOKS {
        let word = if kind == Kind::MariaDb { "tx" } else { "transaction" };
        let sql = look.replace("{tx}", word);
        let mut stream = client(proxy).await;
        let told = tokio::time::timeout(PATIENCE, answer(&mut stream, sql.as_bytes())).await;
        seen.push((sql, told.expect("an answer in time")));
        stream.reset_sequence();
        stream.write_packet(&[byte::QUIT]);
        stream.flush().await.expect("sent");
    }
    // Handles of others.
    let mut stream = client(proxy).await;
    for id in 0..4 {
        let told = ask(&mut stream, |out| write_execute(id, 0, &[], out)).await;
        seen.push((format!("execute {id}"), vec![told.escape_ascii().to_string()]));
    }
    seen
}

/// A connection whose account has a default role is lent again after a CALL, unless that took the role
/// away.
async fn keeps_its_default_role(rig: &Rig, kind: Kind) {
    let word = if kind == Kind::MariaDb { "FOR" } else { "TO" };
    let primary = &rig.groups[0].primary;
    primary
        .execute_all(&[
            &format!("SET DEFAULT ROLE leaky {word} weir@'%'"),
            "CREATE PROCEDURE shop_0000.leak_nothing() SET @leaked = 1",
            "CREATE PROCEDURE shop_0000.leak_no_role() SQL SECURITY INVOKER SET ROLE NONE",
        ])
        .expect("a default role");
    let (proxy, _rules) = narrow(rig);
    let role = b"SELECT CURRENT_ROLE() FROM coupons LIMIT 1";
    let mut owners = Vec::new();
    for sql in ["CALL leak_nothing()", "CALL leak_nothing()", "CALL leak_no_role()", "SELECT 1"] {
        let mut stream = client(&proxy).await;
        owners.push(answer(&mut stream, OWN).await);
        assert!(answer(&mut stream, role).await[1].contains("leaky"), "{kind}: before {sql}");
        let told = answer(&mut stream, sql.as_bytes()).await;
        assert!(!told[0].contains("Err"), "{kind}: {sql}: {told:?}");
        ended(stream, End::Quits, &proxy).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    primary
        .execute_all(&[
            &format!("SET DEFAULT ROLE NONE {word} weir@'%'"),
            "DROP PROCEDURE shop_0000.leak_nothing",
            "DROP PROCEDURE shop_0000.leak_no_role",
        ])
        .expect("no default role");
    assert_eq!(owners[0], owners[1], "{kind}");
    assert_eq!(owners[1], owners[2], "{kind}");
    assert_ne!(owners[2], owners[3], "{kind}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_session_reaches_the_next_on_its_connection() {
    let mut wrong = Vec::new();
    for rig in rig::shared_kinds() {
        prepared_servers(rig);
        let kind = rig.groups[0].primary.kind;
        let (proxy, _rules) = narrow(rig);
        let clean = looked(&proxy, kind).await;
        let waits: Vec<_> =
            clean.iter().filter(|(_, told)| told[0].contains("workbench_connections")).collect();
        assert!(waits.is_empty(), "no question of this matrix: {waits:#?}");
        assert_eq!(clean, looked(&proxy, kind).await, "the questions leave nothing themselves");
        let mut same = 0;
        for (statements, is_pinned) in LEFT {
            for end in ENDS {
                if *is_pinned && end == End::Stays {
                    continue;
                }
                let began = Instant::now();
                let mut stream = client(&proxy).await;
                let own = answer(&mut stream, OWN).await;
                let mut told = Vec::new();
                for sql in *statements {
                    told = answer(&mut stream, sql.as_bytes()).await;
                }
                // A handle, too, where the session can still read.
                let _ = prepare(&mut stream, b"SELECT 'secret', code FROM shop.coupons").await;
                let kept = ended(stream, end, &proxy).await;
                let mut next = client(&proxy).await;
                // A server frees a lock when it is done with the client's end.
                let free = b"SELECT IS_FREE_LOCK('leaked')";
                while answer(&mut next, free).await[1] != r#"[Some("1")]"# {
                    assert!(began.elapsed() < PATIENCE, "{kind}: {end:?}: the lock stays");
                }
                same += usize::from(answer(&mut next, OWN).await == own);
                drop(next);
                let seen = looked(&proxy, kind).await;
                for (clean, seen) in clean.iter().zip(&seen).filter(|(clean, seen)| clean != seen) {
                    wrong.push(format!(
                        "{kind}: {statements:?} ({told:?}), {end:?}:\n  clean: {clean:?}\n  seen: {seen:?}"
                    ));
                }
                drop(kept);
                assert!(began.elapsed() < PATIENCE, "{kind}: {statements:?}, {end:?}");
            }
        }
        drop(proxy);
        keeps_its_default_role(rig, kind).await;
        cleared_servers(rig);
        assert!(same > 60, "{kind}: the same connection {same} times only");
    }
    assert!(wrong.is_empty(), "{} leaks:\n{}", wrong.len(), wrong.join("\n"));
}
