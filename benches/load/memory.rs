//! Memory: what an idle connection holds, and what a result that nobody reads makes grow.
//!
//! Owns: the connections, and the reading of the proxy's resident memory. Never: times anything.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, SslOpts};

use crate::stage::{DATABASE, Stage};

/// One figure with its bar.
pub struct Figure {
    pub name: String,
    pub unit: &'static str,
    pub value: f64,
    /// The most that it may be; none where it is only told.
    pub bar: Option<f64>,
}

/// Connections that have worked before they idle.
const CONNECTIONS: usize = 10_000;
/// What each has sent and received before, bytes.
const SENT: usize = 64 << 10;
const RECEIVED: usize = 1 << 20;
/// Shards of the merged result.
const SHARDS: u32 = 4;
/// How many of them work at once.
const AT_ONCE: usize = 16;

/// Runs all of them.
pub fn measure(stage: &Stage) -> Result<Vec<Figure>, String> {
    let pid = stage.weir_pid().ok_or("memory is Weir's: it isn't among the ways")?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    // The long results first: memory that closed connections have freed would hide what they take.
    fill(stage)?;
    let mut figures = Vec::new();
    for (how, sql) in [
        ("forwarded", "SELECT seq, REPEAT('z', 200) FROM seq_1_to_1000000"),
        ("merged", "SELECT id, filling FROM wide ORDER BY id"),
    ] {
        let mib = runtime.block_on(unread(&opts(stage, false)?, pid, sql))?;
        let name = format!("growth by a 1,000,000-row result, {how}, that is left standing");
        figures.push(Figure { name, unit: "MiB", value: mib, bar: Some(32.0) });
    }
    // Both kinds of connection are held against the same beginning, for the same reason.
    let before = resident(pid)?;
    for (name, tls, bar) in
        [("idle connection", false, Some(20.0)), ("idle connection, TLS", true, None)]
    {
        let kib = runtime.block_on(idle(&opts(stage, tls)?, pid, before));
        let kib = kib.map_err(|error| format!("{name}: {error}\n{}", stage.weir_log()))?;
        figures.push(Figure { name: name.to_owned(), unit: "KiB", value: kib, bar });
    }
    Ok(figures)
}

/// The sharded table of the merged result, for the rules.
pub fn rules(database: &str) -> String {
    let shards: Vec<_> = (0..SHARDS)
        .map(|n| format!("{{group: g0, database: {database}, table: wide_{n}}}"))
        .collect();
    format!(
        "      wide:\n        key: [{{column: id}}]\n        algorithm: {{kind: modulo}}\n        \
         shards: {{list: [{}]}}\n",
        shards.join(", ")
    )
}

/// Its rows, made by the server that holds them.
fn fill(stage: &Stage) -> Result<(), String> {
    for n in 0..SHARDS {
        let last = 999_999 / SHARDS;
        stage.server.execute_all(&[
            &format!("CREATE TABLE {DATABASE}.wide_{n} (id INT PRIMARY KEY, filling CHAR(200))"),
            &format!(
                "INSERT INTO {DATABASE}.wide_{n} SELECT seq * {SHARDS} + {n}, REPEAT('z', 200) \
                 FROM {DATABASE}.seq_0_to_{last}"
            ),
        ])?;
    }
    Ok(())
}

fn opts(stage: &Stage, tls: bool) -> Result<Opts, String> {
    let opts =
        Opts::from_url(&stage.weir_url().unwrap_or_default()).map_err(|error| error.to_string())?;
    let ssl = tls.then(|| SslOpts::default().with_danger_accept_invalid_certs(true));
    Ok(OptsBuilder::from_opts(opts).ssl_opts(ssl).max_allowed_packet(Some(64 << 20)).into())
}

/// Resident memory, KiB.
pub fn resident(pid: u32) -> Result<f64, String> {
    status(pid, "VmRSS:")
}

/// The most that was ever resident since [`forget_peak`], KiB.
pub fn peak(pid: u32) -> Result<f64, String> {
    status(pid, "VmHWM:")
}

/// The peak is counted anew from now on (proc(5), `clear_refs`).
pub fn forget_peak(pid: u32) -> Result<(), String> {
    let path = format!("/proc/{pid}/clear_refs");
    std::fs::write(&path, "5").map_err(|error| format!("{path}: {error}"))
}

fn status(pid: u32, label: &str) -> Result<f64, String> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(label));
    let number = line.and_then(|line| line.split_whitespace().next()).and_then(|n| n.parse().ok());
    number.ok_or_else(|| format!("{path}: no {label}"))
}

/// KiB for each idle connection.
async fn idle(opts: &Opts, pid: u32, before: f64) -> Result<f64, String> {
    let mut open = Vec::with_capacity(CONNECTIONS);
    while open.len() < CONNECTIONS {
        let batch: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let opts = opts.clone();
                tokio::spawn(async move { worked(&opts).await })
            })
            .collect();
        for task in batch {
            let worked = task.await.map_err(|error| error.to_string())?;
            open.push(worked.map_err(|error| format!("after {} of them: {error}", open.len()))?);
        }
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = resident(pid)?;
    let each = (after - before) / open.len() as f64;
    for conn in open {
        // One after the other: ten thousand goodbyes at once would leave the logins of the next kind
        // no time, which Weir ends after timeouts.handshake.
        conn.disconnect().await.map_err(|error| error.to_string())?;
    }
    Ok(each)
}

/// A connection that has sent and received a lot.
async fn worked(opts: &Opts) -> Result<Conn, String> {
    let say = |error: mysql_async::Error| error.to_string();
    let mut conn = Conn::new(opts.clone()).await.map_err(say)?;
    let length: Option<usize> =
        conn.query_first(format!("SELECT LENGTH('{}')", "x".repeat(SENT))).await.map_err(say)?;
    let text: Option<String> =
        conn.query_first(format!("SELECT REPEAT('y', {RECEIVED})")).await.map_err(say)?;
    match (length, text.map(|text| text.len())) {
        (Some(SENT), Some(RECEIVED)) => Ok(conn),
        other => Err(format!("sent and received {other:?}")),
    }
}

/// MiB by which the proxy grows while a client leaves a long result standing.
async fn unread(opts: &Opts, pid: u32, sql: &str) -> Result<f64, String> {
    let mut conn = Conn::new(opts.clone()).await.map_err(|error| error.to_string())?;
    let before = resident(pid)?;
    let mut most = before;
    let mut result = conn.query_iter(sql).await.map_err(|error| error.to_string())?;
    let mut rows = 0u64;
    while result.next().await.map_err(|error| error.to_string())?.is_some() {
        rows += 1;
        if rows % 100_000 == 1 {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                most = most.max(resident(pid)?);
            }
        }
    }
    drop(result);
    if rows != 1_000_000 {
        return Err(format!("{rows} of 1,000,000 rows came"));
    }
    Ok((most - before) / 1024.0)
}
