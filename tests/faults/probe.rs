//! What goes on beside a fault, on rows that no workload touches.
//!
//! Owns: statements of one group that must not fail, and rings of transactions through both Weirs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use crate::faults::world::{GROUPS, World};

/// From the wait that closes a ring to its error, beside clients that keep two cores busy.
const BROKEN: Duration = Duration::from_secs(4);
const RINGS: usize = 4;

/// Changes rows of single groups through both Weirs until it is stopped.
pub struct Probe {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<[usize; GROUPS], String>>,
}

impl Probe {
    pub fn start(world: &World, number: u64, groups: Vec<usize>) -> Result<Probe, String> {
        let stop = Arc::new(AtomicBool::new(false));
        let urls: Vec<String> = world.proxies.iter().map(|proxy| proxy.url("bank")).collect();
        let stopped = stop.clone();
        let (sender, ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            runtime()?.block_on(async {
                let mut conns = Vec::new();
                for url in urls {
                    conns.push(connect(&url).await?);
                }
                let _ = sender.send(());
                let mut done = [0; GROUPS];
                while !stopped.load(Ordering::SeqCst) {
                    for conn in &mut conns {
                        for group in &groups {
                            let sql = append(World::aside(number, *group));
                            let told = conn.query_drop(&sql).await;
                            told.map_err(|error| format!("group {group} alone: {error}"))?;
                            done[*group] += 1;
                        }
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Ok(done)
            })
        });
        let wait = ready.recv_timeout(Duration::from_secs(10));
        wait.map_err(|_| "the probe has no connection".to_owned())?;
        Ok(Probe { stop, thread })
    }

    /// # Errors
    /// A statement failed, or what was acknowledged isn't there.
    pub fn stop(self, world: &World, number: u64) -> Result<(), String> {
        self.stop.store(true, Ordering::SeqCst);
        let done = self.thread.join().map_err(|_| "the probe panicked")??;
        if done.iter().sum::<usize>() == 0 {
            return Err("the probe did nothing".to_owned());
        }
        let found = lengths(world, number)?;
        if found == done { Ok(()) } else { Err(format!("{found:?} of {done:?} are there")) }
    }
}

/// Transactions over two groups that wait for each other, one through each Weir: one of them gives
/// way, and the other one commits.
pub fn deadlocks(world: &World, number: u64) -> Result<(), String> {
    let mut wanted = [0; GROUPS];
    for round in 0..RINGS {
        let (one, two) = (round % GROUPS, (round + 1) % GROUPS);
        let took = runtime()?.block_on(ring(world, number, one, two))?;
        if took > BROKEN {
            return Err(format!("a deadlock was broken after {took:?}"));
        }
        wanted[one] += 1;
        wanted[two] += 1;
    }
    let found = lengths(world, number)?;
    if found == wanted { Ok(()) } else { Err(format!("{found:?} instead of {wanted:?}")) }
}

async fn ring(world: &World, number: u64, one: usize, two: usize) -> Result<Duration, String> {
    let [one, two] = [one, two].map(|group| append(World::aside(number, group)));
    let mut a = connect(&world.proxies[0].url("bank")).await?;
    let mut b = connect(&world.proxies[1].url("bank")).await?;
    let wrong = |error: mysql_async::Error| error.to_string();
    for (conn, own) in [(&mut a, &one), (&mut b, &two)] {
        conn.query_drop("BEGIN").await.map_err(wrong)?;
        conn.query_drop(own).await.map_err(wrong)?;
    }
    let start = Instant::now();
    let timed = async |conn: &mut Conn, sql: &str| {
        let outcome = conn.query_drop(sql).await.map_err(wrong);
        (outcome, start.elapsed())
    };
    let (first, second) = tokio::join!(timed(&mut a, &two), timed(&mut b, &one));
    let (winner, mut loser, error, took) = match (first, second) {
        ((Ok(()), _), (Err(error), took)) => (a, b, error, took),
        ((Err(error), took), (Ok(()), _)) => (b, a, error, took),
        other => return Err(format!("one of two must give way: {other:?}")),
    };
    if !error.contains("ERROR 1213") {
        return Err(error);
    }
    loser.query_drop("ROLLBACK").await.map_err(wrong)?;
    let mut winner = winner;
    winner.query_drop("COMMIT").await.map_err(wrong)?;
    Ok(took)
}

async fn connect(url: &str) -> Result<Conn, String> {
    let opts = Opts::from_url(url).map_err(|error| error.to_string())?;
    Conn::new(opts).await.map_err(|error| error.to_string())
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().map_err(|error| error.to_string())
}

fn append(id: u64) -> String {
    format!("UPDATE lists SET ops = CONCAT(ops, 'x') WHERE id = {id}")
}

/// How long the lists are that no workload touches.
fn lengths(world: &World, number: u64) -> Result<[usize; GROUPS], String> {
    let (from, to) = (World::aside(number, 0), World::aside(number, GROUPS));
    let sql = format!("SELECT LENGTH(ops) FROM bank_{{}}.lists WHERE id >= {from} AND id < {to}");
    let mut all = [0; GROUPS];
    for (group, row) in world.rows(&sql)? {
        all[group] = row[0].parse().map_err(|_| format!("`{}` is no number", row[0]))?;
    }
    Ok(all)
}
