//! Deadlocks over groups, through one Weir and through several, on servers of both kinds.
//!
//! Owns: rings and chains of transactions, who gives way and how soon, and what stays behind.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use crate::halves::{World, add, on_each, run};
use crate::support::proxy::Proxy;

/// From the wait that closes a ring to error 1213 in half of the rounds; about a second is promised.
const USUAL: Duration = Duration::from_millis(1500);
/// And in each, beside tests that keep the cores busy.
const BOUND: Duration = Duration::from_secs(8);
/// After one in which connections are made.
const ROUNDS: usize = 6;

async fn login(proxy: &Proxy) -> Conn {
    Conn::new(Opts::from_url(&proxy.url("bank")).expect("a URL")).await.expect("a login")
}

async fn begin(proxy: &Proxy, group: usize) -> Conn {
    let mut conn = login(proxy).await;
    run(&mut conn, &["BEGIN", &add("bank", group)]).await.expect("a start");
    conn
}

/// The statement that waits, then COMMIT, or ROLLBACK where it gave way: when it was answered, and
/// whether it committed.
async fn go(mut conn: Conn, group: usize) -> (Instant, bool) {
    let outcome = run(&mut conn, &[&add("bank", group)]).await;
    let answered = Instant::now();
    match &outcome {
        Ok(()) => run(&mut conn, &["COMMIT"]).await.expect("a commit"),
        Err(error) => {
            assert!(error.contains("1213"), "{error}");
            run(&mut conn, &["ROLLBACK"]).await.expect("a rollback");
        }
    }
    conn.disconnect().await.expect("an end");
    (answered, outcome.is_ok())
}

/// Nobody tells others of waits any more, and nothing was stored but what commits store.
fn nothing_is_left(world: &World) {
    let start = Instant::now();
    for group in 0..2 {
        let said = "SELECT count(*) FROM information_schema.processlist \
                    WHERE info LIKE 'SELECT SLEEP%weir waits%' AND id <> CONNECTION_ID()";
        while world.server(group).query(said).expect("a count")[0][0] != "0" {
            assert!(start.elapsed() < Duration::from_secs(10), "{}", world.proxy.log_tail());
            std::thread::sleep(Duration::from_millis(50));
        }
        let tables = "SELECT table_name FROM information_schema.tables \
                      WHERE table_schema = 'weir' AND table_name LIKE 'weir_w%'";
        assert!(world.server(group).query(tables).expect("rows").is_empty());
    }
    assert_eq!(world.prepared(), 0);
}

#[test]
fn a_ring_through_two_proxies_is_broken_within_a_second_by_one_victim() {
    on_each("rings", async |world| {
        let (second, _) = world.another();
        let kind = world.rig.groups[0].primary.kind;
        let mut times = Vec::new();
        // g0 and g2 are on one server, which sees no ring there either.
        for round in 0..=ROUNDS {
            let (one, two) = (round % 3, (round + 1) % 3);
            let a = begin(&world.proxy, one).await;
            let b = begin(&second, two).await;
            // At another moment between looks each time.
            tokio::time::sleep(Duration::from_millis(70 * round as u64)).await;
            let start = Instant::now();
            let (a, b) = tokio::join!(go(a, two), go(b, one));
            let took = a.0.min(b.0).duration_since(start);
            times.push(took);
            println!("{kind}: g{one} and g{two}: {took:?}");
            assert!(a.1 != b.1, "one of two gives way: {} {}", a.1, b.1);
            assert!(took < BOUND, "{kind}: {took:?}: {}", world.proxy.log_tail());
            let wanted: Vec<i64> =
                (0..3).map(|group| i64::from(group == one || group == two)).collect();
            assert_eq!(world.rows("bank"), wanted);
            world.reset();
        }
        times.remove(0);
        times.sort();
        assert!(times[ROUNDS / 2] < USUAL, "{kind}: {times:?}");
        nothing_is_left(world);
    });
}

#[test]
fn rings_of_three_and_within_one_proxy_have_one_victim_too() {
    on_each("threes", async |world| {
        let (second, _) = world.another();
        let one = &world.proxy;
        for (what, proxies) in
            [("two proxies", [one, &second, one]), ("one proxy", [one, one, one])]
        {
            let [a, b, c] = proxies;
            let (a, b, c) = (begin(a, 0).await, begin(b, 1).await, begin(c, 2).await);
            let start = Instant::now();
            let (a, b, c) = tokio::join!(go(a, 1), go(b, 2), go(c, 0));
            let took = a.0.min(b.0).min(c.0).duration_since(start);
            let kind = world.rig.groups[0].primary.kind;
            println!("{kind}: three through {what}: {took:?}");
            let done = [a.1, b.1, c.1].into_iter().filter(|done| *done).count();
            assert_eq!(done, 2, "{what}: one of three gives way");
            assert!(took < BOUND, "{kind}: {what}: {took:?}");
            world.reset();
        }
        nothing_is_left(world);
    });
}

#[test]
fn who_merely_waits_is_left_alone() {
    on_each("waiters", async |world| {
        let (second, _) = world.another();
        let log = |proxy: &Proxy| {
            std::fs::read_to_string(proxy.directory.join("log")).unwrap_or_default()
        };
        // A chain over both proxies: c waits for a at g0, a waits for b at g1, b does nothing for
        // longer than any ring lasts.
        let (mut b, a) = (begin(&second, 1).await, begin(&world.proxy, 0).await);
        let c = begin(&second, 2).await;
        // Beside it the same with strangers, who are nobody's: x waits for one at g1, and another one
        // waits for x at g0.
        let mut x = world.session("bank").await;
        run(&mut x, &["INSERT INTO acc VALUES (3, 0), (4, 0)", "BEGIN"]).await.expect("rows");
        let [at_g0, at_g1] = [3, 4].map(|id| format!("UPDATE acc SET v = v + 1 WHERE id = {id}"));
        let own = |group: usize, id: usize| {
            format!("UPDATE {}{group}.bank SET v = v + 1 WHERE id = {id}", world.name)
        };
        let root = async |group: usize| {
            let opts = Opts::from_url(&world.server(group).url("root")).expect("a URL");
            Conn::new(opts).await.expect("a login")
        };
        let (mut stranger, mut other) = (root(1).await, root(0).await);
        run(&mut stranger, &["BEGIN", &own(1, 4)]).await.expect("a start");
        run(&mut x, &[&at_g0]).await.expect("a row");
        let wait = Duration::from_millis(4500);
        let other_writes = own(0, 3);
        let strangers = async {
            tokio::join!(
                async { run(&mut x, &[&at_g1, "COMMIT"]).await.expect("x waits and commits") },
                async { run(&mut other, &[&other_writes]).await.expect("a stranger waits") },
                async {
                    tokio::time::sleep(wait).await;
                    run(&mut stranger, &["COMMIT"]).await.expect("a commit");
                }
            );
        };
        let chain = async {
            tokio::join!(go(a, 1), go(c, 0), async {
                tokio::time::sleep(wait).await;
                run(&mut b, &["COMMIT"]).await.expect("a commit");
            })
        };
        let ((a, c, ()), ()) = tokio::join!(chain, strangers);
        assert!(a.1 && c.1, "{}", world.proxy.log_tail());
        assert_eq!(world.rows("bank"), [2, 2, 1]);
        let sum = "SELECT SUM(v) FROM acc WHERE id IN (3, 4)";
        assert_eq!(x.query_first::<i64, _>(sum).await.expect("a sum"), Some(4));
        for proxy in [&world.proxy, &second] {
            assert!(!log(proxy).contains("gives way"), "{}", log(proxy));
        }
        nothing_is_left(world);
        for conn in [b, x, stranger, other] {
            conn.disconnect().await.expect("an end");
        }
    });
}
