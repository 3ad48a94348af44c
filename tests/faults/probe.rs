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

/// Transactions over groups that wait for each other in rings, through both Weirs: the youngest gives
/// way, and the others commit.
pub fn deadlocks(world: &World, number: u64) -> Result<(), String> {
    let mut wanted = [0; GROUPS];
    for round in 0..RINGS {
        let (one, two) = (round % GROUPS, (round + 1) % GROUPS);
        let _ = runtime()?.block_on(ring(world, number, &[(0, one, two), (1, two, one)]))?;
        wanted[one] += 1;
        wanted[two] += 1;
    }
    // The second's Weir has nothing on the first group, where the ring closes, until it is told.
    let loser = runtime()?.block_on(ring(world, number, &[(0, 0, 1), (0, 2, 0), (1, 1, 2)]))?;
    if loser != 2 {
        return Err(format!("transaction {loser} gave way, and the third was the youngest"));
    }
    wanted = [wanted[0] + 2, wanted[1] + 1, wanted[2] + 1];
    let found = lengths(world, number)?;
    if found == wanted { Ok(()) } else { Err(format!("{found:?} instead of {wanted:?}")) }
}

/// Each of these has a Weir, a group where it holds a row, and one where it waits. The one that gave
/// way; where there are three, the last began a second later.
async fn ring(
    world: &World,
    number: u64,
    parties: &[(usize, usize, usize)],
) -> Result<usize, String> {
    let wrong = |error: mysql_async::Error| error.to_string();
    let mut conns = Vec::new();
    for (place, (proxy, own, waits)) in parties.iter().enumerate() {
        if place == 2 {
            tokio::time::sleep(Duration::from_millis(1100)).await;
        }
        let mut conn = connect(&world.proxies[*proxy].url("bank")).await?;
        conn.query_drop("BEGIN").await.map_err(wrong)?;
        conn.query_drop(append(World::aside(number, *own))).await.map_err(wrong)?;
        // With its second group it gets its id, by which the youngest is told.
        let read = format!("SELECT ops FROM lists WHERE id = {}", World::aside(number, *waits));
        conn.query_drop(read).await.map_err(wrong)?;
        conns.push(conn);
    }
    let start = Instant::now();
    let tasks: Vec<_> = conns
        .into_iter()
        .zip(parties)
        .map(|(mut conn, (_, _, waits))| {
            let sql = append(World::aside(number, *waits));
            tokio::spawn(async move {
                let told = conn.query_drop(sql).await.err().map(|error| error.to_string());
                let took = start.elapsed();
                let end = if told.is_none() { "COMMIT" } else { "ROLLBACK" };
                conn.query_drop(end).await.map_err(|error| error.to_string())?;
                Ok::<_, String>((told, took))
            })
        })
        .collect();
    let mut lost = Vec::new();
    for (place, task) in tasks.into_iter().enumerate() {
        if let (Some(error), took) = task.await.map_err(|error| error.to_string())?? {
            if !error.contains("ERROR 1213") || took > BROKEN {
                return Err(format!("{error} after {took:?}"));
            }
            lost.push(place);
        }
    }
    match lost[..] {
        [one] => Ok(one),
        _ => Err(format!("one must give way: {lost:?}")),
    }
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
