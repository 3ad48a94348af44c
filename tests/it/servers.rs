//! The harness's own tests: what every other test against real servers stands on.

use std::time::{Duration, Instant};

use crate::support::servers::{Kind, Options, Server};
use crate::support::{self, sql};

const SOON: Duration = Duration::from_secs(30);

#[test]
fn shared_servers_answer_and_give_separate_databases() {
    for server in support::shared_kinds() {
        let (a, b) = (server.database(), server.database());
        assert_ne!(a, b);
        server.execute(&format!("CREATE TABLE {a}.t (id INT PRIMARY KEY, v VARCHAR(20))"));
        server.execute(&format!("INSERT INTO {a}.t VALUES (1, 'x'), (2, NULL)"));
        let rows = server.query(&format!("SELECT * FROM {a}.t ORDER BY id")).unwrap();
        assert_eq!(rows, [["1", "x"], ["2", "NULL"]]);
        let expected = if server.kind == Kind::MariaDb { "MariaDB" } else { "." };
        assert!(server.version.contains(expected), "{}", server.version);
    }
}

#[test]
fn service_accounts_log_in_over_tcp_and_the_data_account_respects_read_only() {
    for kind in Kind::ALL {
        let Some(server) = support::started(kind, Options::default()) else { continue };
        server.execute("CREATE DATABASE d");
        server.execute("CREATE TABLE d.t (id INT)");
        for user in ["weir", "weir_control"] {
            let rows = sql::query(&server.url(user), "SELECT CURRENT_USER()").unwrap();
            assert_eq!(rows, [[format!("{user}@%")]]);
        }
        sql::execute(&server.url("weir"), &["INSERT INTO d.t VALUES (1)"]).unwrap();
        server.execute("SET GLOBAL read_only = 1");
        let refused = sql::execute(&server.url("weir"), &["INSERT INTO d.t VALUES (2)"]);
        assert!(
            refused.is_err_and(|error| error.contains("read-only") || error.contains("read_only"))
        );
        // The XA recovery of the design needs this right and KILL on its own connections.
        sql::query(&server.url("weir"), "XA RECOVER").unwrap();
    }
}

#[test]
fn a_replica_follows_by_gtid_and_can_be_promoted() {
    for kind in Kind::ALL {
        let Some(primary) = support::started(kind, Options::default()) else { continue };
        primary.execute("CREATE DATABASE before_replication");
        let replica = Server::start(kind, Options::default()).unwrap();
        replica.replicate_from(&primary).unwrap();
        primary.execute("CREATE TABLE before_replication.t (id INT PRIMARY KEY)");
        primary.execute("INSERT INTO before_replication.t VALUES (7)");
        replica.wait_caught_up(&primary, SOON).unwrap();
        let read = "SELECT id FROM before_replication.t";
        assert_eq!(replica.query(read).unwrap(), [["7"]]);
        let write = ["INSERT INTO before_replication.t VALUES (8)"];
        assert!(sql::execute(&replica.url("weir"), &write).is_err(), "a replica takes writes");
        replica.promote().unwrap();
        sql::execute(&replica.url("weir"), &write).unwrap();
        assert_eq!(primary.query(read).unwrap(), [["7"]]);
    }
}

#[test]
fn a_durable_server_keeps_its_rows_over_kill_and_a_frozen_one_goes_on() {
    for kind in Kind::ALL {
        let options = Options { durable: true, ..Options::default() };
        let Some(server) = support::started(kind, options) else { continue };
        server.execute("CREATE DATABASE d");
        server.execute("CREATE TABLE d.t (id INT PRIMARY KEY)");
        server.execute("INSERT INTO d.t VALUES (1)");
        server.kill9().unwrap();
        assert!(server.query("SELECT 1").is_err());
        server.restart().unwrap();
        assert_eq!(server.query("SELECT id FROM d.t").unwrap(), [["1"]]);

        server.freeze().unwrap();
        let asked = Instant::now();
        std::thread::scope(|scope| {
            let answer = scope.spawn(|| server.query("SELECT id FROM d.t"));
            std::thread::sleep(Duration::from_millis(300));
            server.thaw().unwrap();
            assert_eq!(answer.join().unwrap().unwrap(), [["1"]]);
        });
        assert!(asked.elapsed() >= Duration::from_millis(300), "a frozen server answered");

        server.stop().unwrap();
        assert!(server.query("SELECT 1").is_err());
        server.restart().unwrap();
        assert_eq!(server.query("SELECT id FROM d.t").unwrap(), [["1"]]);
    }
}

#[test]
fn servers_serve_tls_with_the_run_s_certificate() {
    for server in support::shared_kinds() {
        let rows = server.query("SHOW GLOBAL VARIABLES LIKE 'ssl_cert'").unwrap();
        assert!(rows[0][1].ends_with("server.pem"), "{rows:?}");
    }
}

/// A parent that is killed leaves neither servers nor files: the test runs itself as that parent.
#[test]
fn nothing_outlives_a_killed_parent() {
    const CHILD: &str = "WEIR_TEST_REAPER_CHILD";
    if let Ok(report) = std::env::var(CHILD) {
        let server = Server::start(Kind::MariaDb, Options::default()).unwrap();
        let text = format!("{} {}", server.pid().unwrap(), server.directory.display());
        std::fs::write(&report, text).unwrap();
        std::thread::sleep(Duration::from_secs(120));
        return;
    }
    if support::docker::wanted() {
        return support::skip::say("the reaper's test: it looks at processes, not containers");
    }
    let report = support::reaper::directory("killed").join("report");
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "servers::nothing_outlives_a_killed_parent", "--nocapture"])
        .env(CHILD, &report)
        .spawn()
        .unwrap();
    let text = eventually(|| std::fs::read_to_string(&report).ok().filter(|t| t.contains('/')));
    child.kill().unwrap();
    child.wait().unwrap();
    let (pid, directory) = text.split_once(' ').unwrap();
    let process = format!("/proc/{pid}");
    eventually(|| (!std::path::Path::new(&process).exists()).then_some(()));
    eventually(|| (!std::path::Path::new(directory).exists()).then_some(()));
}

fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < SOON {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("not within {SOON:?}");
}
