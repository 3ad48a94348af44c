//! Which node answers, and what happens when the primary changes or dies.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use weir::backend::choose::Role;
use weir::backend::group::Group;
use weir::backend::node::Standing;
use weir::backend::spec::{Declared, GroupSpec};
use weir::backend::state::State;

use super::{ask, group, node, rows, run, value};
use crate::support;
use crate::support::servers::{Kind, Options, Server};

const SOON: Duration = Duration::from_secs(30);

fn pair(primary: &Server, replica: &Server) -> GroupSpec {
    let nodes = vec![node(primary, "a", Declared::Primary), node(replica, "b", Declared::Replica)];
    let mut spec = GroupSpec::new("g0", nodes);
    spec.probe_every = Duration::from_millis(200);
    spec.probe_timeout = Duration::from_secs(1);
    spec.hold = Duration::from_secs(10);
    spec
}

async fn answered_by(group: &Group, role: Role) -> String {
    let state = State::default();
    let mut asked = ask(&state);
    asked.role = role;
    let mut lent = group.lend(&asked).await.unwrap();
    let name = lent.node().spec.name.to_string();
    assert_eq!(value(&mut lent, "SELECT 1").await, "1");
    lent.finish().await;
    name
}

#[test]
fn reads_go_to_the_replica_and_a_planned_switch_is_followed() {
    for kind in Kind::ALL {
        let Some(primary) = support::started(kind, Options::default()) else { continue };
        primary.execute("CREATE DATABASE d");
        primary.execute("CREATE TABLE d.t (a INT)");
        let replica = Server::start(kind, Options::default()).unwrap();
        replica.replicate_from(&primary).unwrap();
        replica.wait_caught_up(&primary, SOON).unwrap();
        run(async {
            let group = group(pair(&primary, &replica));
            let watch = tokio::spawn(group.clone().watch());
            group.probe_once().await;
            assert!(group.is_ready());
            let lag = group.view()[1].health.lag;
            assert!(lag.is_some(), "{kind}: {:?}", group.view()[1].health);
            assert_eq!(answered_by(&group, Role::Primary).await, "a");
            assert_eq!(answered_by(&group, Role::Replica).await, "b");
            // A writer keeps writing while an operator moves the primary. What fails is told.
            let (mut written, mut failed) = (0u32, Vec::new());
            let until = Instant::now() + Duration::from_secs(4);
            let mover = tokio::task::spawn_blocking(move || {
                std::thread::sleep(Duration::from_millis(500));
                primary.execute("SET GLOBAL read_only = 1");
                replica.wait_caught_up(&primary, SOON).unwrap();
                replica.promote().unwrap();
                (primary, replica)
            });
            while Instant::now() < until {
                let state = State::default();
                let mut lent = group.lend(&ask(&state)).await.unwrap();
                match lent.simple(b"INSERT INTO d.t VALUES (1)").await {
                    Ok(_) => written += 1,
                    Err(error) => failed.push(error),
                }
                lent.finish().await;
                sleep(Duration::from_millis(2)).await;
            }
            let (old, new) = mover.await.unwrap();
            assert!(failed.iter().all(|error| matches!(error.errno, 1290 | 1836)), "{failed:?}");
            let count = new.query("SELECT COUNT(*) FROM d.t").unwrap()[0][0].clone();
            assert_eq!(count, written.to_string(), "each write that was answered is there");
            assert_eq!(answered_by(&group, Role::Primary).await, "b");
            // The old primary comes back writable by mistake: nobody writes there.
            old.execute("SET GLOBAL read_only = 0");
            sleep(Duration::from_millis(600)).await;
            assert_eq!(answered_by(&group, Role::Primary).await, "b");
            assert_eq!(answered_by(&group, Role::Replica).await, "b", "it follows nobody");
            group.retire(&[]);
            watch.await.unwrap();
        });
    }
}

#[test]
fn a_dead_primary_is_held_for_and_a_restarted_one_is_found_again() {
    let Some(server) =
        support::started(Kind::MariaDb, Options { durable: true, ..Options::default() })
    else {
        return;
    };
    run(async {
        let mut spec = GroupSpec::new("g0", vec![node(&server, "a", Declared::Primary)]);
        spec.probe_every = Duration::from_millis(100);
        spec.probe_timeout = Duration::from_secs(1);
        spec.hold = Duration::from_millis(700);
        let group = group(spec);
        let watch = tokio::spawn(group.clone().watch());
        assert_eq!(answered_by(&group, Role::Primary).await, "a");
        let server = Arc::new(server);
        server.kill9().unwrap();
        sleep(Duration::from_millis(50)).await;
        let state = State::default();
        let started = Instant::now();
        let error = group.lend(&ask(&state)).await.unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        assert_eq!(error.code, "no_node", "{error}");
        for part in ["group 'g0' has no primary", "'a' is", "refused"] {
            assert!(error.message.contains(part), "{error}");
        }
        while group.view()[0].health.standing != Standing::Down {
            sleep(Duration::from_millis(20)).await;
        }
        let started = Instant::now();
        let error = group.lend(&ask(&state)).await.unwrap_err();
        assert!(error.message.contains("'a' is down"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(2));
        // A statement that comes while it starts again is held and served.
        let starter = server.clone();
        let start = tokio::task::spawn_blocking(move || starter.restart().unwrap());
        let mut lent = loop {
            match group.lend(&ask(&state)).await {
                Ok(lent) => break lent,
                Err(error) => assert_eq!(error.code, "no_node", "{error}"),
            }
        };
        assert_eq!(rows(&mut lent, "SELECT 1").await.len(), 1);
        lent.finish().await;
        start.await.unwrap();
        group.retire(&[]);
        watch.await.unwrap();
    });
}

#[test]
fn a_replica_that_stands_still_or_is_frozen_gets_no_reads() {
    for kind in Kind::ALL {
        let Some(primary) = support::started(kind, Options::default()) else { continue };
        let replica = Server::start(kind, Options::default()).unwrap();
        replica.replicate_from(&primary).unwrap();
        replica.wait_caught_up(&primary, SOON).unwrap();
        run(async {
            let group = group(pair(&primary, &replica));
            let watch = tokio::spawn(group.clone().watch());
            group.probe_once().await;
            assert_eq!(answered_by(&group, Role::Replica).await, "b");
            let verb = if kind == Kind::MariaDb { "SLAVE" } else { "REPLICA" };
            replica.execute(&format!("STOP {verb} SQL_THREAD"));
            sleep(Duration::from_millis(500)).await;
            assert_eq!(answered_by(&group, Role::Replica).await, "a");
            replica.execute(&format!("START {verb} SQL_THREAD"));
            sleep(Duration::from_millis(1500)).await;
            assert_eq!(answered_by(&group, Role::Replica).await, "b");
            replica.freeze().unwrap();
            while group.view()[1].health.standing == Standing::Up {
                sleep(Duration::from_millis(20)).await;
            }
            assert_eq!(answered_by(&group, Role::Replica).await, "a");
            replica.thaw().unwrap();
            let until = Instant::now() + SOON;
            while answered_by(&group, Role::Replica).await != "b" {
                assert!(Instant::now() < until, "{:?}", group.view()[1].health);
                sleep(Duration::from_millis(50)).await;
            }
            group.retire(&[]);
            watch.await.unwrap();
        });
    }
}
