//! Ids per second: numbers of sequences through Weir, one and many at a time.
//!
//! Owns: its clients and its lines. Never: compares; a server's own AUTO_INCREMENT has no such
//! question.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use serde_json::{Value, json};

const CLIENTS: usize = 8;

/// Sequence, and how many numbers a statement asks for.
const CASES: [(&str, u64); 4] =
    [("snowflake", 1), ("snowflake", 1000), ("segment", 1), ("segment", 1000)];

/// The tables whose sequences are asked, for the rules: `name` stands for the database.
pub fn rules(database: &str) -> String {
    let table = |kind: &str| {
        format!(
            "      {kind}:\n        key: [{{column: id}}]\n        algorithm: {{kind: modulo}}\n        \
             shards: {{list: [{{group: g0, database: {database}, table: {kind}}}]}}\n        \
             sequence: {{column: id, kind: {kind}}}\n"
        )
    };
    format!("    tables:\n{}{}", table("snowflake"), table("segment"))
}

/// Prints a line for each case and gives them for the report's file.
pub fn measure(url: &str, seconds: u32) -> Result<Vec<Value>, String> {
    let mut lines = Vec::new();
    for (sequence, at_a_time) in CASES {
        let per_second = run(url, sequence, at_a_time, Duration::from_secs(seconds.into()))?;
        println!(
            "{sequence} ids, {CLIENTS} clients, {at_a_time} a statement: {per_second:.0} ids/s"
        );
        lines.push(json!({
            "name": format!("{sequence} ids {at_a_time} a statement"),
            "unit": "ids/s",
            "weir": per_second,
        }));
    }
    Ok(lines)
}

fn run(url: &str, sequence: &str, at_a_time: u64, length: Duration) -> Result<f64, String> {
    let count = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let sql = format!("SELECT {sequence}.NEXTVAL FROM dual WHERE count = {at_a_time}");
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (url, sql, count) = (url.to_owned(), sql.clone(), count.clone());
            std::thread::spawn(move || client(&url, &sql, start + length, &count))
        })
        .collect();
    for client in clients {
        client.join().map_err(|_| "a client panicked".to_owned())??;
    }
    Ok(count.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64())
}

fn client(url: &str, sql: &str, until: Instant, count: &AtomicU64) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let work = async {
        let mut conn = Conn::new(Opts::from_url(url)?).await?;
        while Instant::now() < until {
            let ids: Vec<u64> = conn.query(sql).await?;
            count.fetch_add(ids.len() as u64, Ordering::Relaxed);
        }
        conn.disconnect().await
    };
    runtime.block_on(work).map_err(|error: mysql_async::Error| error.to_string())
}
