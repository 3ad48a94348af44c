//! A proxy dies at each step of the protocol, and another one makes whole what it left: commits,
//! rollbacks, the question for a lost outcome, and recovery itself.
//!
//! Owns: the table of steps and what each must come to. Under load and other faults: `faults`.

use std::path::Path;
use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::halves::{World, add, on_each, run};
use crate::support::proxy::Proxy;

const SOON: Duration = Duration::from_secs(20);

fn arm(failpoints: &Path, step: &str, action: &str) {
    let _ = std::fs::remove_file(failpoints.join(format!("{step}.hit")));
    std::fs::write(failpoints.join(step), action).expect("armed");
}

async fn wait_hit(failpoints: &Path, step: &str) {
    let start = Instant::now();
    while !failpoints.join(format!("{step}.hit")).exists() {
        assert!(start.elapsed() < SOON, "{step} isn't reached");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Open on three groups, of which g0 is the anchor.
async fn begun(world: &World) -> Conn {
    let mut conn = world.session("bank").await;
    let adds = [0, 1, 2].map(|group| add("bank", group));
    run(&mut conn, &["BEGIN", &adds[0], &adds[1], &adds[2]]).await.expect("a start");
    conn
}

async fn connection(conn: &mut Conn, group: usize) -> u64 {
    let ask = format!("SELECT @@pseudo_thread_id FROM bank.acc WHERE id = {group}");
    conn.query_first(ask).await.expect("the variable").expect("a row")
}

/// All of it or nothing, with no branch left; then everything as it was before.
fn is_whole(world: &World, done: bool, what: &str) {
    world.wait_resolved();
    let kind = world.rig.groups[0].primary.kind;
    assert_eq!(world.rows("bank"), [i64::from(done); 3], "{kind}: {what}");
    world.reset();
}

fn dies(proxy: &Proxy) {
    proxy.wait(SOON).expect("it is gone");
}

#[test]
fn a_proxy_may_die_at_any_step_of_a_commit() {
    on_each("dying", async |world| {
        let (_second, _) = world.another();
        for (step, done) in [
            ("commit.begin", false),
            ("prepare.first", false),
            ("commit.prepared", false),
            ("commit.decided", true),
            ("commit.first", true),
            ("commit.over", true),
        ] {
            world.arm(step, "kill");
            let mut conn = begun(world).await;
            run(&mut conn, &["COMMIT"]).await.expect_err("its Weir dies");
            dies(&world.proxy);
            // The other one alone makes it whole.
            is_whole(world, done, step);
            world.proxy.launch().expect("it starts again");
        }
    });
}

#[test]
fn a_proxy_may_die_while_it_rolls_back_or_asks() {
    on_each("asking", async |world| {
        let (_second, _) = world.another();
        // ROLLBACK, the anchor's said alone.
        world.arm("rollback.first", "kill");
        let mut conn = begun(world).await;
        run(&mut conn, &["ROLLBACK"]).await.expect_err("its Weir dies");
        dies(&world.proxy);
        is_whole(world, false, "ROLLBACK");
        world.proxy.launch().expect("it starts again");
        // A COMMIT that fails at g1, where g2 is prepared already.
        let mut conn = begun(world).await;
        world.kill(&mut conn, 1).await;
        world.arm("rollback.first", "kill");
        run(&mut conn, &["COMMIT"]).await.expect_err("its Weir dies");
        dies(&world.proxy);
        assert_eq!(world.prepared(), 1, "g2's branch waits for somebody");
        is_whole(world, false, "a COMMIT that failed");
        world.proxy.launch().expect("it starts again");
        // The anchor's answer to COMMIT is lost: before it is asked for, and with the verdict.
        for step in ["ask.begin", "ask.answered"] {
            let mut conn = begun(world).await;
            let anchor = connection(&mut conn, 0).await;
            world.arm("commit.prepared", "pause 600");
            world.arm(step, "kill");
            let commit = tokio::spawn(async move { run(&mut conn, &["COMMIT"]).await });
            wait_hit(&world.failpoints, "commit.prepared").await;
            world.server(0).execute(&format!("KILL CONNECTION {anchor}"));
            commit.await.expect("no panic").expect_err("its Weir dies");
            dies(&world.proxy);
            is_whole(world, false, step);
            world.proxy.launch().expect("it starts again");
        }
    });
}

#[test]
fn a_recoverer_may_die_too() {
    on_each("doubly", async |world| {
        let (second, failpoints) = world.another();
        for (died, done) in [("commit.prepared", false), ("commit.decided", true)] {
            // With the verdict, which for what wasn't decided is the abort row; and behind the first
            // of two branches.
            for (step, left) in [("recover.asked", 2), ("recover.first", 1)] {
                let what = format!("{died}, {step}");
                arm(&failpoints, step, "kill");
                world.arm(died, "kill");
                let mut conn = begun(world).await;
                run(&mut conn, &["COMMIT"]).await.expect_err("its Weir dies");
                dies(&world.proxy);
                dies(&second);
                assert_eq!(world.prepared(), left, "{what}");
                world.proxy.launch().expect("it starts again");
                is_whole(world, done, &what);
                second.launch().expect("it starts again");
            }
        }
    });
}
