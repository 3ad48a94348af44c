//! What clients do while faults strike, and what they were told.
//!
//! Owns: the clients. Each operation is entered with its fate as the client knows it: acknowledged,
//! failed (an error that says that nothing was done), or unknown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use crate::faults::world::{ACCOUNTS, World};
use crate::support::dice::Dice;

pub const CLIENTS: u64 = 6;
/// An operation without an answer for so long is given up.
const PATIENCE: Duration = Duration::from_secs(25);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Transfers between accounts of several groups, each with its rows of history.
    Bank,
    /// Transactions that append their number to several lists.
    Append,
    /// Multi-row INSERTs over groups in autocommit.
    Rows,
    /// Updates of a broadcast table in autocommit.
    Counter,
    /// Multi-row INSERTs whose keys a sequence gives.
    Ids,
}

impl Workload {
    pub const ALL: [Workload; 5] =
        [Workload::Bank, Workload::Append, Workload::Rows, Workload::Counter, Workload::Ids];

    pub fn name(self) -> &'static str {
        match self {
            Workload::Bank => "bank",
            Workload::Append => "append",
            Workload::Rows => "rows",
            Workload::Counter => "counter",
            Workload::Ids => "ids",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Acknowledged,
    Failed,
    Unknown,
}

/// One operation.
#[derive(Clone, Debug)]
pub struct Op {
    pub id: u64,
    pub fate: Fate,
    /// The accounts or lists that it touches.
    pub keys: Vec<u64>,
    /// The ids that its client was told.
    pub ids: Vec<u64>,
    /// Its session went on.
    pub usable: bool,
    /// What the client was told, where it was no OK.
    pub told: String,
}

/// Running clients.
pub struct Clients {
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<Vec<Op>>>,
}

/// Which error, and whether everything may have been done all the same.
type Failure = (bool, String);

impl Clients {
    pub fn start(world: &World, workload: Workload, number: u64, seed: u64) -> Clients {
        let stop = Arc::new(AtomicBool::new(false));
        let next = Arc::new(AtomicU64::new(World::base(number) * 1000 + 1));
        let urls: Vec<String> = world.proxies.iter().map(|proxy| proxy.url("bank")).collect();
        let threads = (0..CLIENTS)
            .map(|client| {
                let (stop, next, mut urls) = (stop.clone(), next.clone(), urls.clone());
                let turn = client as usize % urls.len();
                urls.rotate_left(turn);
                let base = World::base(number);
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .expect("a runtime");
                    let client =
                        Client { urls, base, next, dice: Dice::new(seed ^ client), conn: None };
                    runtime.block_on(client.work(workload, &stop))
                })
            })
            .collect();
        Clients { stop, threads }
    }

    pub fn stop(self) -> Vec<Op> {
        self.stop.store(true, Ordering::SeqCst);
        let ops = self.threads.into_iter().map(|thread| thread.join().expect("a client"));
        ops.flatten().collect()
    }
}

struct Client {
    urls: Vec<String>,
    base: u64,
    next: Arc<AtomicU64>,
    dice: Dice,
    conn: Option<Conn>,
}

impl Client {
    async fn work(mut self, workload: Workload, stop: &AtomicBool) -> Vec<Op> {
        let mut ops = Vec::new();
        while !stop.load(Ordering::SeqCst) {
            let Some(conn) = self.connection().await else { continue };
            let id = self.next.fetch_add(1, Ordering::SeqCst);
            let keys = self.keys(if workload == Workload::Counter {
                0
            } else {
                2 + self.dice.clone().below(2)
            });
            let amount = self.dice.below(20) as i64 + 1;
            let mut conn = conn;
            let work = run(&mut conn, workload, self.base, id, &keys, amount);
            let outcome = match tokio::time::timeout(PATIENCE, work).await {
                Ok(outcome) => outcome,
                Err(_) => Err((true, "no answer".to_owned())),
            };
            let (fate, told) = match outcome {
                Ok(()) => (Fate::Acknowledged, String::new()),
                Err((true, told)) => (Fate::Unknown, told),
                Err((false, told)) => (Fate::Failed, told),
            };
            let first = conn.last_insert_id().filter(|_| fate == Fate::Acknowledged);
            // A statement's ids follow each other.
            let ids = first.map_or_else(Vec::new, |id| (id..id + keys.len() as u64).collect());
            let usable = match fate {
                Fate::Acknowledged => true,
                Fate::Failed => {
                    let end = tokio::time::timeout(PATIENCE, conn.query_drop("ROLLBACK"));
                    matches!(end.await, Ok(Ok(())))
                }
                Fate::Unknown => false,
            };
            self.conn = usable.then_some(conn);
            ops.push(Op { id, fate, keys, ids, usable, told });
        }
        ops
    }

    async fn connection(&mut self) -> Option<Conn> {
        if let Some(conn) = self.conn.take() {
            return Some(conn);
        }
        for url in &self.urls {
            let opts = Opts::from_url(url).expect("a URL");
            if let Ok(Ok(conn)) =
                tokio::time::timeout(Duration::from_secs(3), Conn::new(opts)).await
            {
                return Some(conn);
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        None
    }

    /// So many different accounts, in any order: deadlocks are part of it.
    fn keys(&mut self, count: u64) -> Vec<u64> {
        let mut keys = Vec::new();
        while (keys.len() as u64) < count {
            let key = self.base + self.dice.below(ACCOUNTS);
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }
}

async fn run(
    conn: &mut Conn,
    workload: Workload,
    base: u64,
    id: u64,
    keys: &[u64],
    amount: i64,
) -> Result<(), Failure> {
    match workload {
        Workload::Bank => {
            before(conn, "BEGIN").await?;
            let (from, to) = (keys[0], &keys[1..]);
            let total = amount * to.len() as i64;
            before(
                conn,
                &format!("UPDATE accounts SET balance = balance - {total} WHERE id = {from}"),
            )
            .await?;
            let mut rows = vec![format!("({from}, {id}, -{total})")];
            for key in to {
                before(
                    conn,
                    &format!("UPDATE accounts SET balance = balance + {amount} WHERE id = {key}"),
                )
                .await?;
                rows.push(format!("({key}, {id}, {amount})"));
            }
            before(
                conn,
                &format!("INSERT INTO history (account, op, amount) VALUES {}", rows.join(",")),
            )
            .await?;
            last(conn, "COMMIT").await
        }
        Workload::Append => {
            before(conn, "BEGIN").await?;
            for key in keys {
                before(
                    conn,
                    &format!("UPDATE lists SET ops = CONCAT(ops, '{id},') WHERE id = {key}"),
                )
                .await?;
            }
            last(conn, "COMMIT").await
        }
        Workload::Rows => {
            let rows: Vec<String> =
                keys.iter().map(|key| format!("({key}, {id}, {amount})")).collect();
            last(
                conn,
                &format!("INSERT INTO history (account, op, amount) VALUES {}", rows.join(",")),
            )
            .await
        }
        Workload::Ids => {
            let rows: Vec<String> = keys.iter().map(|_| format!("({id})")).collect();
            last(conn, &format!("INSERT INTO tickets (op) VALUES {}", rows.join(","))).await
        }
        Workload::Counter => {
            let sql = format!(
                "UPDATE counters SET n = n + 1, ops = CONCAT(ops, '{id},') WHERE id = {base}"
            );
            last(conn, &sql).await
        }
    }
}

/// A statement before the commit: whatever goes wrong, nothing is done.
async fn before(conn: &mut Conn, sql: &str) -> Result<(), Failure> {
    conn.query_drop(sql).await.map_err(|error| (false, format!("{error} in {sql}")))
}

/// The statement that commits.
async fn last(conn: &mut Conn, sql: &str) -> Result<(), Failure> {
    conn.query_drop(sql).await.map_err(|error| {
        let unknown = match &error {
            mysql_async::Error::Server(error) => {
                error.message.contains("[weir:commit_outcome_unknown]")
            }
            _ => true,
        };
        (unknown, format!("{error} in {sql}"))
    })
}
