//! What a statement over shards costs beside one server that holds all rows: an ordered merge, groups,
//! a join between groups, TPC-H.
//!
//! Owns: its two servers, the rows, and its lines; the single server is the first of the two. Never:
//! judges answers beyond their number of rows (`make suites` does).

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use serde_json::{Value, json};

use crate::measure::cpu_ns;
use crate::memory::{forget_peak, peak, resident};
use crate::suite::place::{Place, World};
use crate::suite::tpch;
use crate::support::servers::Kind;

const SCHEMA: &str = "bench";
/// Of the ordered merge, and how many rows each holds.
const SHARDS: usize = 8;
const ROWS: usize = 100_000;
/// Of the join's smaller side.
const FEW: usize = 1_000;
/// The most CPU that a merged row may take, as a multiple of a relayed one's.
const BAR: f64 = 1.5;
/// How much TPC-H holds; 1 is a gigabyte.
const SCALE: f64 = 0.1;
/// Longer than any answer takes.
const DEADLINE: Duration = Duration::from_secs(600);

/// `many` over eight shards, the same rows on one group, and two tables whose keys don't lie together.
const TABLES: &str = "\
      many: {key: [{column: id, type: bigint}], algorithm: {kind: modulo}, shards: {count: 8, databases: \"{schema}_{0}\", groups: [g0, g1], tables: \"many_{00}\"}}
      whole: {group: g0}
      few: {key: [{column: id, type: bigint}], algorithm: {kind: modulo}, shards: {count: 4, databases: \"{schema}_{0}\", groups: [g0, g1], tables: \"few_{00}\"}}
      more: {key: [{column: id, type: bigint}], algorithm: {kind: hash}, shards: {count: 4, databases: \"{schema}_{0}\", groups: [g0, g1], tables: \"more_{00}\"}}
";

/// A statement, its rows, and how often it is asked in a round.
struct Case {
    name: &'static str,
    sql: &'static str,
    rows: u64,
}

const MERGE: Case = Case {
    name: "ordered merge of 8 shards x 100,000 rows",
    sql: "SELECT id, place, filling FROM many ORDER BY id",
    rows: (SHARDS * ROWS) as u64,
};

const CASES: [Case; 3] = [
    MERGE,
    Case {
        name: "GROUP BY over 8 shards x 100,000 rows",
        sql: "SELECT place, COUNT(*), SUM(id), AVG(id), MIN(filling) FROM many GROUP BY place",
        rows: 1000,
    },
    Case {
        name: "join of 1,000 x 100,000 rows between groups",
        sql: "SELECT few.id, more.filling FROM few JOIN more ON more.id = few.other",
        rows: FEW as u64,
    },
];

/// What one statement took.
#[derive(Clone, Copy, Default)]
struct Took {
    ms: f64,
    /// The proxy's CPU time in microseconds for each row.
    cpu_us: f64,
    /// The proxy's peak growth in MiB.
    peak: f64,
}

/// Prints a line for each case and gives them for the report's file.
pub fn measure(rounds: usize) -> Result<Vec<Value>, String> {
    let world = World::start(Kind::MariaDb)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let mut lines = Vec::new();
    {
        let place = world.place(SCHEMA, TABLES)?;
        fill(&place)?;
        for case in &CASES {
            lines.push(runtime.block_on(compared(&place, case, rounds))?);
        }
        lines.push(runtime.block_on(against_relay(&place, rounds))?);
    }
    let (name, tables) = tpch::LAYOUTS[0];
    let place = world.place("tpch", tables)?;
    tpch::load(&place, SCALE)?;
    lines.extend(runtime.block_on(tpch_queries(&place, name))?);
    Ok(lines)
}

fn fill(place: &Place<'_>) -> Result<(), String> {
    let columns = "(id BIGINT PRIMARY KEY, place INT NOT NULL, filling CHAR(60) NOT NULL)";
    let row = |id: usize| format!("({id},{},'{}')", id % 1000, "z".repeat(id % 60));
    place.execute(&[
        &format!("CREATE TABLE many {columns}"),
        &format!("CREATE TABLE whole {columns}"),
        &format!("CREATE TABLE more {columns}"),
        "CREATE TABLE few (id BIGINT PRIMARY KEY, other BIGINT NOT NULL)",
    ])?;
    for (table, count) in [("many", SHARDS * ROWS), ("whole", SHARDS * ROWS), ("more", ROWS)] {
        let starts = (0..count).step_by(2000);
        let inserts = starts.map(|start| {
            let rows: Vec<String> = (start..(start + 2000).min(count)).map(row).collect();
            format!("INSERT INTO {table} VALUES {}", rows.join(","))
        });
        let inserts: Vec<String> = inserts.collect();
        place.execute(&inserts.iter().map(String::as_str).collect::<Vec<_>>())?;
    }
    let few: Vec<String> = (0..FEW).map(|id| format!("({id},{})", id * (ROWS / FEW))).collect();
    place.execute(&[&format!("INSERT INTO few VALUES {}", few.join(","))])
}

async fn connected(url: &str) -> Result<Conn, String> {
    let opts = Opts::from_url(url).map_err(|error| error.to_string())?;
    Conn::new(opts).await.map_err(|error| error.to_string())
}

/// Asks once and reads all rows; `expected` of them, where that is known.
async fn ask(conn: &mut Conn, pid: u32, sql: &str, expected: Option<u64>) -> Result<Took, String> {
    let say = |error: mysql_async::Error| format!("{error} in {sql}");
    forget_peak(pid)?;
    let (before, cpu, start) = (resident(pid)?, cpu_ns(pid), Instant::now());
    let mut result = conn.query_iter(sql).await.map_err(say)?;
    let mut rows = 0u64;
    while result.next().await.map_err(say)?.is_some() {
        rows += 1;
    }
    drop(result);
    let ms = start.elapsed().as_secs_f64() * 1000.0;
    if expected.is_some_and(|expected| expected != rows) {
        return Err(format!("{rows} rows of {sql}"));
    }
    let cpu_us = cpu_ns(pid).saturating_sub(cpu) as f64 / 1000.0 / rows.max(1) as f64;
    Ok(Took { ms, cpu_us, peak: (peak(pid)? - before).max(0.0) / 1024.0 })
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// One case on the single server and through Weir, in turn.
async fn compared(place: &Place<'_>, case: &Case, rounds: usize) -> Result<Value, String> {
    let pid = place.weir_pid().ok_or("Weir is gone")?;
    let mut plain = connected(&place.plain_url()).await?;
    let mut weir = connected(&place.weir_url()).await?;
    let mut pairs = Vec::new();
    for _ in 0..rounds {
        let alone = ask(&mut plain, pid, case.sql, Some(case.rows)).await?;
        pairs.push((alone, ask(&mut weir, pid, case.sql, Some(case.rows)).await?));
    }
    Ok(told(case.name, &pairs))
}

fn told(name: &str, pairs: &[(Took, Took)]) -> Value {
    let of = |value: &dyn Fn(&(Took, Took)) -> f64| pairs.iter().map(value).collect::<Vec<f64>>();
    let ratios = of(&|(alone, weir)| weir.ms / alone.ms);
    let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let high = ratios.iter().copied().fold(0.0, f64::max);
    let ratio = middle(ratios);
    let (alone, weir) = (middle(of(&|pair| pair.0.ms)), middle(of(&|pair| pair.1.ms)));
    let peak = of(&|pair| pair.1.peak).into_iter().fold(0.0, f64::max);
    println!(
        "{name}: {alone:.1} ms on one server, through Weir {weir:.1} ms: {ratio:.2} \
         ({low:.2} to {high:.2}); Weir grew by at most {peak:.1} MiB"
    );
    json!({
        "name": name, "unit": "ms", "direct": alone, "haproxy": null, "weir": weir,
        "ratio": ratio, "low": low, "high": high, "bar": null, "holds": null, "peak_mib": peak,
    })
}

/// The merge's CPU for each row, beside that of the same rows relayed from one group.
async fn against_relay(place: &Place<'_>, rounds: usize) -> Result<Value, String> {
    let pid = place.weir_pid().ok_or("Weir is gone")?;
    let mut weir = connected(&place.weir_url()).await?;
    let relayed = MERGE.sql.replace("many", "whole");
    let (mut relays, mut merges, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let relay = ask(&mut weir, pid, &relayed, Some(MERGE.rows)).await?.cpu_us;
        let merge = ask(&mut weir, pid, MERGE.sql, Some(MERGE.rows)).await?.cpu_us;
        relays.push(relay);
        merges.push(merge);
        ratios.push(merge / relay);
    }
    let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let high = ratios.iter().copied().fold(0.0, f64::max);
    let (ratio, relay, merge) = (middle(ratios), middle(relays), middle(merges));
    let verdict = if ratio <= BAR { "holds" } else { "misses" };
    let name = "CPU of a merged row to a relayed one's";
    println!(
        "{name}: {merge:.3} µs to {relay:.3} µs: {ratio:.2} ({low:.2} to {high:.2}), bar {BAR} {verdict}"
    );
    Ok(json!({
        "name": name, "unit": "µs", "direct": relay, "haproxy": null, "weir": merge,
        "ratio": ratio, "low": low, "high": high, "bar": BAR, "holds": ratio <= BAR,
    }))
}

/// Each of the 22 queries once on both sides, after one that warms the caches.
async fn tpch_queries(place: &Place<'_>, layout: &str) -> Result<Vec<Value>, String> {
    let pid = place.weir_pid().ok_or("Weir is gone")?;
    let mut lines = Vec::new();
    let (mut alone_sum, mut weir_sum) = (0.0, 0.0);
    for number in 1..=22 {
        let sql = tpch::text(number);
        let mut plain = connected(&place.plain_url()).await?;
        let mut weir = connected(&place.weir_url()).await?;
        let mut pairs = Vec::new();
        for _ in 0..2 {
            let late = |_| format!("TPC-H Q{number}: no answer in {DEADLINE:?}");
            let alone = ask(&mut plain, pid, &sql, None);
            let alone = tokio::time::timeout(DEADLINE, alone).await.map_err(late)??;
            let through = ask(&mut weir, pid, &sql, None);
            let through = tokio::time::timeout(DEADLINE, through).await.map_err(late)?;
            match through {
                Ok(through) => pairs.push((alone, through)),
                // A bound that is reached is worth a line, not the whole run.
                Err(reason) => println!("TPC-H {SCALE} Q{number}: {reason}"),
            }
        }
        let Some(last) = pairs.pop() else { continue };
        alone_sum += last.0.ms;
        weir_sum += last.1.ms;
        lines.push(told(&format!("TPC-H {SCALE}, {layout}, Q{number}"), &[last]));
    }
    println!(
        "TPC-H {SCALE}, {layout}, {} queries: {alone_sum:.0} ms on one server, through Weir {weir_sum:.0} ms",
        lines.len()
    );
    Ok(lines)
}
