//! Two-phase commit: transactions over several groups through Weir, beside the same XA statements that
//! one client sends by hand, one group after the other; and what `consistent_reads` costs.
//!
//! Owns: its servers, which write every commit to the disk, and its lines. Never: runs two clients.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use serde_json::{Value, json};

use crate::support::proxy::{self, Proxy};
use crate::support::reaper;
use crate::support::servers::{Kind, Options, Server};

/// Groups of the largest transaction.
const GROUPS: usize = 4;
const ROWS: usize = 1000;
/// The latency that Weir may have over four groups, as a multiple of the client's by hand.
const BAR: f64 = 0.9;

struct Stage {
    servers: Vec<Server>,
    weir: Proxy,
}

/// Latencies of one round, in milliseconds.
#[derive(Clone, Copy)]
struct Round {
    by_hand: f64,
    weir: f64,
}

/// Prints a line for each case and gives them for the report's file.
pub fn measure(rounds: usize, seconds: u32) -> Result<Vec<Value>, String> {
    let stage = Stage::set()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let length = Duration::from_secs(seconds.into()) / 2;
    let mut lines = Vec::new();
    for groups in [2, GROUPS] {
        let mut all = Vec::new();
        for _ in 0..rounds {
            let by_hand = runtime.block_on(stage.by_hand(groups, length));
            let weir = runtime.block_on(stage.through_weir(groups, length));
            let say = |error: mysql_async::Error| error.to_string();
            all.push(Round { by_hand: by_hand.map_err(say)?, weir: weir.map_err(say)? });
        }
        let bar = (groups == GROUPS).then_some(BAR);
        lines.push(told(&format!("two-phase commit over {groups} groups"), &all, bar));
    }
    let mut all = Vec::new();
    for _ in 0..rounds {
        let read = |hint| runtime.block_on(stage.read(hint, length));
        let say = |error: mysql_async::Error| error.to_string();
        let by_hand = read("").map_err(say)?;
        all.push(Round { by_hand, weir: read("/*+ weir: consistent_reads */").map_err(say)? });
    }
    lines.push(told("a sum over 4 groups, consistent to not", &all, None));
    Ok(lines)
}

/// Prints one line: medians, and the median, smallest and largest of the paired ratios.
fn told(name: &str, rounds: &[Round], bar: Option<f64>) -> Value {
    let sorted = |of: &dyn Fn(&Round) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let middle = |values: &[f64]| values[values.len() / 2];
    let ratios = sorted(&|round| round.weir / round.by_hand);
    let (direct, weir) =
        (middle(&sorted(&|round| round.by_hand)), middle(&sorted(&|round| round.weir)));
    let (ratio, low, high) = (middle(&ratios), ratios[0], ratios[ratios.len() - 1]);
    let holds = bar.map(|bar| ratio <= bar);
    let verdict = match (bar, holds) {
        (Some(bar), Some(true)) => format!(", bar {bar} holds"),
        (Some(bar), _) => format!(", bar {bar} misses"),
        _ => String::new(),
    };
    println!(
        "{name}: {direct:.2} ms, through Weir {weir:.2} ms: {ratio:.3} ({low:.3} to {high:.3}){verdict}"
    );
    json!({
        "name": name, "unit": "ms", "direct": direct, "haproxy": null, "weir": weir,
        "ratio": ratio, "low": low, "high": high, "bar": bar, "holds": holds,
    })
}

impl Stage {
    fn set() -> Result<Stage, String> {
        let durable = ["--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1"];
        let user = proxy::USER;
        let mut servers = Vec::new();
        for group in 0..GROUPS {
            let server = Server::start(Kind::MariaDb, Options::with(&durable))?;
            server.execute_all(&[
                "CREATE DATABASE bench",
                "CREATE TABLE bench.accounts (id INT PRIMARY KEY, balance BIGINT NOT NULL)",
                &format!(
                    "INSERT INTO bench.accounts SELECT seq * {GROUPS} + {group}, 0 \
                     FROM bench.seq_0_to_{ROWS}"
                ),
                &format!("CREATE USER {user}@'%' IDENTIFIED BY '{user}'"),
                &format!("GRANT ALL ON *.* TO {user}@'%'"),
            ])?;
            servers.push(server);
        }
        let weir = start_weir(&servers)?;
        Ok(Stage { servers, weir })
    }

    /// Milliseconds of a transaction, every group in its turn.
    async fn by_hand(&self, groups: usize, length: Duration) -> mysql_async::Result<f64> {
        let user = proxy::USER;
        let mut conns = Vec::new();
        for server in self.servers.iter().take(groups) {
            let url = format!("mysql://{user}:{user}@{}/bench", server.address());
            conns.push(Conn::new(Opts::from_url(&url)?).await?);
        }
        let start = Instant::now();
        let mut count = 0;
        while start.elapsed() < length {
            let row = count % ROWS;
            for (group, conn) in conns.iter_mut().enumerate() {
                let id = row * GROUPS + group;
                conn.query_drop(format!("XA START 'bench{count}'")).await?;
                conn.query_drop(format!(
                    "UPDATE accounts SET balance = balance + 1 WHERE id = {id}"
                ))
                .await?;
            }
            for step in ["END", "PREPARE", "COMMIT"] {
                for conn in &mut conns {
                    conn.query_drop(format!("XA {step} 'bench{count}'")).await?;
                }
            }
            count += 1;
        }
        let each = start.elapsed().as_secs_f64() * 1000.0 / count as f64;
        for conn in conns {
            conn.disconnect().await?;
        }
        Ok(each)
    }

    async fn through_weir(&self, groups: usize, length: Duration) -> mysql_async::Result<f64> {
        let mut conn = Conn::new(Opts::from_url(&self.weir.url("bench"))?).await?;
        let start = Instant::now();
        let mut count = 0;
        while start.elapsed() < length {
            let row = count % ROWS;
            conn.query_drop("BEGIN").await?;
            for group in 0..groups {
                let id = row * GROUPS + group;
                conn.query_drop(format!(
                    "UPDATE accounts SET balance = balance + 1 WHERE id = {id}"
                ))
                .await?;
            }
            conn.query_drop("COMMIT").await?;
            count += 1;
        }
        let each = start.elapsed().as_secs_f64() * 1000.0 / count as f64;
        conn.disconnect().await?;
        Ok(each)
    }

    async fn read(&self, hint: &str, length: Duration) -> mysql_async::Result<f64> {
        let mut conn = Conn::new(Opts::from_url(&self.weir.url("bench"))?).await?;
        let start = Instant::now();
        let mut count = 0;
        while start.elapsed() < length {
            let sql = format!("SELECT {hint} SUM(balance) FROM accounts WHERE id < 40");
            let _: Option<u64> = conn.query_first(sql).await?;
            count += 1;
        }
        let each = start.elapsed().as_secs_f64() * 1000.0 / f64::from(count);
        conn.disconnect().await?;
        Ok(each)
    }
}

fn start_weir(servers: &[Server]) -> Result<Proxy, String> {
    let rules = reaper::directory("rules");
    let mut text = "groups:\n".to_owned();
    let mut databases = String::new();
    let mut shards = Vec::new();
    for (group, server) in servers.iter().enumerate() {
        text.push_str(&format!(
            "  g{group}:\n    primary:\n      address: '{}'\n    accounts:\n      data:\n        \
             user: weir\n        password: 'env:WEIR_DB_PASSWORD'\n",
            server.address()
        ));
        databases.push_str(&format!("      g{group}: bench\n"));
        shards.push(format!("{{group: g{group}, database: bench, table: accounts}}"));
    }
    text.push_str(&format!(
        "schemas:\n  bench:\n    default_group: g0\n    databases:\n{databases}    tables:\n      \
         accounts:\n        key: [{{column: id}}]\n        algorithm: {{kind: modulo}}\n        \
         shards: {{list: [{}]}}\n\
         users:\n  {user}:\n    native: '{verifier}'\n    schemas: [bench]\n",
        shards.join(", "),
        user = proxy::USER,
        verifier = proxy::native_verifier(proxy::USER),
    ));
    std::fs::write(rules.join("rules.yaml"), text).map_err(|error| error.to_string())?;
    Proxy::start(proxy::Options {
        rules,
        env: vec![("WEIR_DB_PASSWORD".to_owned(), "weir".to_owned())],
        settings: vec![("listen", "workers: 2".to_owned())],
    })
}
