//! Ids from four proxies that are killed again and again: each id once.
//!
//! `WEIR_IDS` says how many (`make test-all` takes ten million); then a server is killed too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use super::stage::Stage;
use crate::support::rig;
use crate::support::servers::{Kind, Options, Server};
use crate::support::{engine, skip};

const PROXIES: usize = 4;

/// What a few seconds give.
const SHORT: u64 = 200_000;

/// Numbers that follow each other, of one sequence.
type Run = (u64, u64);

/// The runs of one sequence, and whether any two meet.
fn check(sequence: &str, runs: &mut [Run]) -> u64 {
    runs.sort_unstable();
    for pair in runs.windows(2) {
        assert!(pair[0].1 < pair[1].0, "{sequence}: {:?} and {:?} meet", pair[0], pair[1]);
    }
    runs.iter().map(|(first, last)| last - first + 1).sum()
}

/// Numbers in order as runs.
fn runs_of(numbers: &[u64], runs: &mut Vec<Run>) {
    for &number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
}

#[derive(Default)]
struct Seen {
    users: Vec<Run>,
    items: Vec<Run>,
}

/// One client, which connects again whenever its proxy is gone.
async fn client(url: String, number: u64, done: Arc<AtomicBool>, count: Arc<AtomicU64>) -> Seen {
    let mut seen = Seen::default();
    let mut order = 10_000_000 + number * 1_000_000;
    while !done.load(Ordering::Relaxed) {
        let Ok(mut conn) = Conn::new(Opts::from_url(&url).unwrap()).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        while !done.load(Ordering::Relaxed) {
            order += 1;
            match turn(&mut conn, order, &mut seen).await {
                Ok(new) => drop(count.fetch_add(new, Ordering::Relaxed)),
                Err(mysql_async::Error::Server(error)) => panic!("{error}"),
                Err(_) => break,
            }
        }
    }
    seen
}

async fn turn(conn: &mut Conn, order: u64, seen: &mut Seen) -> Result<u64, mysql_async::Error> {
    let users: Vec<u64> = conn.query("SELECT users.NEXTVAL FROM dual WHERE count = 1500").await?;
    assert_eq!(users.len(), 1500);
    runs_of(&users, &mut seen.users);
    let mut items: Vec<u64> =
        conn.query("SELECT order_items.nextval FROM dual WHERE count = 2500").await?;
    assert_eq!(items.len(), 2500);
    items.push(conn.query_first("SELECT NEXT VALUE FOR order_items").await?.unwrap());
    runs_of(&items, &mut seen.items);
    if order % 8 > 0 {
        return Ok(4001);
    }
    let rows: Vec<String> = (1..=50).map(|line| format!("({order}, {line}, 7, 1, 1, 1)")).collect();
    let sql = format!(
        "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES {}",
        rows.join(", ")
    );
    match conn.query_drop(sql).await {
        // The row's own group is down: its ids are lost, and the others go on.
        Err(mysql_async::Error::Server(_)) => return Ok(4001),
        other => other?,
    }
    let first = conn.last_insert_id().unwrap();
    seen.items.push((first, first + 49));
    Ok(4051)
}

fn run(servers: &[&Server; 2], wanted: u64, servers_too: bool) {
    let Stage { proxies, .. } = Stage::new(servers, PROXIES);
    let (done, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let start = Instant::now();
    let clients: Vec<_> = (0..PROXIES as u64 * 2)
        .map(|number| {
            let url = proxies[number as usize % PROXIES].url("shop");
            let (done, count) = (done.clone(), count.clone());
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(client(url, number, done, count))
            })
        })
        .collect();
    let mut kills = 0;
    while (count.load(Ordering::Relaxed) < wanted || kills < PROXIES)
        && clients.iter().all(|client| !client.is_finished())
    {
        std::thread::sleep(Duration::from_millis(700));
        let proxy = &proxies[kills % PROXIES];
        proxy.signal("KILL").unwrap();
        proxy.wait(Duration::from_secs(10)).unwrap();
        proxy.launch().unwrap();
        kills += 1;
        if servers_too && kills % 10 == 0 {
            servers[1].kill9().unwrap();
            std::thread::sleep(Duration::from_secs(1));
            servers[1].restart().unwrap();
        }
        assert!(start.elapsed() < Duration::from_secs(1800), "{count:?} ids in half an hour");
    }
    done.store(true, Ordering::Relaxed);
    let mut all = Seen::default();
    for client in clients {
        let seen = client.join().unwrap();
        all.users.extend(seen.users);
        all.items.extend(seen.items);
    }
    let total = check("users", &mut all.users) + check("order_items", &mut all.items);
    assert!(total >= wanted && kills >= PROXIES, "{total} ids, {kills} kills");
    println!("{total} ids from {PROXIES} proxies, {kills} kills, {:?}", start.elapsed());
}

#[test]
fn ids_of_killed_proxies_never_repeat() {
    let wanted = std::env::var("WEIR_IDS").ok().and_then(|text| text.parse().ok());
    for kind in Kind::ALL {
        match wanted {
            None => {
                if let Some(rig) = rig::shared(kind) {
                    run(&[&rig.groups[0].primary, &rig.groups[1].primary], SHORT, false);
                }
            }
            Some(wanted) => {
                if let Err(reason) = engine::available(kind) {
                    skip::loudly(kind, &reason);
                    continue;
                }
                let servers = [(), ()].map(|()| Server::start(kind, Options::default()).unwrap());
                run(&[&servers[0], &servers[1]], wanted, true);
            }
        }
    }
}
