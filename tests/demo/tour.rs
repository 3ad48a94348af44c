//! The guided tour: statements, their routes and their answers, and a rule edited under load.
//!
//! Owns: the steps and how they are shown. Never: checks answers in detail; the tests do.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use comfy_table::Table;

use crate::support::rig::Rig;
use crate::support::sql;

/// One statement of the tour.
struct Step {
    title: &'static str,
    sql: &'static str,
}

const READS: [Step; 4] = [
    Step {
        title: "One buyer's orders: the shard key names one physical table.",
        sql: "SELECT order_id, status, total, created_at FROM orders WHERE user_id = 7 \
              ORDER BY created_at",
    },
    Step {
        title: "The largest orders of the whole shop: sixteen shards, merged in order.",
        sql: "SELECT order_id, user_id, total FROM orders ORDER BY total DESC, order_id LIMIT 5",
    },
    Step {
        title: "Turnover by status: each shard adds up its own, Weir adds up the shards.",
        sql: "SELECT status, COUNT(*) AS orders, SUM(total) AS turnover FROM orders \
              GROUP BY status ORDER BY status",
    },
    Step {
        title: "A join with a broadcast table: every group holds all regions, so shards join alone.",
        sql: "SELECT r.name, COUNT(*) AS orders FROM orders o JOIN regions r \
              ON r.region_id = o.region_id GROUP BY r.name ORDER BY orders DESC, r.name LIMIT 5",
    },
];

const INSERT: Step = Step {
    title: "Four new buyers in one INSERT: two shards in each group, committed in two phases.",
    sql: "INSERT INTO users (user_id, name, email, region_id, registered_at) VALUES \
          (900001, 'Ada', 'ada@example.org', 1, NOW()), (900002, '李雷', 'li@example.org', 2, NOW()), \
          (900008, 'Zoë', 'zoe@example.org', 3, NOW()), (900009, 'Ivan', 'ivan@example.org', 4, NOW())",
};

const FOUND: Step = Step {
    title: "There they are.",
    sql: "SELECT user_id, name FROM users WHERE user_id IN (900001, 900002, 900008, 900009) \
          ORDER BY user_id",
};

/// What the demo adds to its copy of the rules while queries run.
const EDIT: &str = "# Added by the demo while queries ran.\nsettings:\n  scatter_writes: false\n";

/// Runs the tour; the number of steps that failed.
pub fn guide(rig: &Rig, interrupted: &AtomicBool) -> usize {
    let mut failed = 0;
    let mut show = |step: &Step| {
        if !interrupted.load(Ordering::Relaxed) && !show_step(rig, step) {
            failed += 1;
        }
    };
    READS.iter().for_each(&mut show);
    show(&INSERT);
    show(&FOUND);
    if interrupted.load(Ordering::Relaxed) {
        return failed;
    }
    match edit_under_load(rig) {
        Ok(()) => failed += usize::from(!refused_after_edit(rig)),
        Err(reason) => {
            println!("  FAILED: {reason}");
            failed += 1;
        }
    }
    failed
}

/// A write that no key narrows is refused under the edited rules; false where it is taken.
fn refused_after_edit(rig: &Rig) -> bool {
    const BROAD: &str = "UPDATE users SET balance = balance + 1";
    println!("\n— From now on a write that names no buyer is refused:\n  {BROAD}");
    match sql::execute(&rig.url(), &[BROAD]) {
        Err(refusal) => {
            println!("  refused: {}", refusal.lines().next().unwrap_or_default());
            refusal.contains("scatter_write")
        }
        Ok(()) => {
            println!("  FAILED: it was taken");
            false
        }
    }
}

/// Shows a statement with its route and answer; false where it failed.
fn show_step(rig: &Rig, step: &Step) -> bool {
    println!("\n— {}\n  {}", step.title, squeezed(step.sql));
    let route = sql::table(&rig.url(), &format!("EXPLAIN ROUTE {}", step.sql));
    let answer = sql::table(&rig.url(), step.sql);
    let routed = match route {
        Ok((names, rows)) => {
            print_table("route", &names, &rows, 6);
            true
        }
        Err(reason) => {
            println!("  FAILED: EXPLAIN ROUTE: {reason}");
            false
        }
    };
    match answer {
        Ok((names, rows)) if !names.is_empty() => print_table("answer", &names, &rows, 10),
        Ok(_) => println!("  answer: OK"),
        Err(reason) => {
            println!("  FAILED: {reason}");
            return false;
        }
    }
    routed
}

fn print_table(what: &str, names: &[String], rows: &[Vec<String>], most: usize) {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY);
    table.set_header(names);
    for row in rows.iter().take(most) {
        table.add_row(row.iter().map(|cell| cell.chars().take(100).collect::<String>()));
    }
    println!("  {what}:");
    for line in table.to_string().lines() {
        println!("  {line}");
    }
    if rows.len() > most {
        println!("  … {} rows in all", rows.len());
    }
}

/// Edits a rule while clients query, and waits until Weir runs it.
fn edit_under_load(rig: &Rig) -> Result<(), String> {
    println!(
        "\n— A rule is edited while eight clients query: settings.scatter_writes becomes false."
    );
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let url = rig.url();
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let (stop, done, url) = (stop.clone(), done.clone(), url.clone());
            std::thread::spawn(move || query_until(&url, client, &stop, &done))
        })
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    let before = done.load(Ordering::Relaxed);
    let old = running_rules(rig)?;
    fs::write(rig.rules.join("demo.yaml"), EDIT).map_err(|error| error.to_string())?;
    let adopted = wait_for_the_edit(rig, &old);
    std::thread::sleep(Duration::from_millis(500));
    stop.store(true, Ordering::Relaxed);
    let mut failures = Vec::new();
    for client in clients {
        failures
            .extend(client.join().unwrap_or_else(|_| Err("a client panicked".to_owned())).err());
    }
    let after = done.load(Ordering::Relaxed);
    println!(
        "  {before} queries before the edit, {} after it, {} failed",
        after - before,
        failures.len()
    );
    match failures.first() {
        Some(reason) => Err(reason.clone()),
        None => adopted.map(|took| println!("  the new rules ran after {took:?}")),
    }
}

/// Point selects on one connection until told to stop; the first failure ends them.
fn query_until(url: &str, client: u64, stop: &AtomicBool, done: &AtomicU64) -> Result<(), String> {
    use mysql_async::prelude::Queryable;
    sql::blocking(url, async |conn| {
        let mut user = client;
        while !stop.load(Ordering::Relaxed) {
            user = user % 9_000 + 8;
            let query = format!("SELECT name FROM users WHERE user_id = {user}");
            let name: Option<String> =
                conn.query_first(&query).await.map_err(|error| error.to_string())?;
            if name.is_none() {
                return Err(format!("no row for {query}"));
            }
            done.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    })
}

/// The edit is there once the operator's port says that other rules run.
fn wait_for_the_edit(rig: &Rig, before: &str) -> Result<Duration, String> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(15) {
        if running_rules(rig)? != before {
            return Ok(start.elapsed());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("the new rules did not run within 15 s; its log ends: {}", rig.proxy.log_tail()))
}

/// What the operator's port says of the rules that run, version and hash among it.
fn running_rules(rig: &Rig) -> Result<String, String> {
    rig.proxy.admin("SHOW RULES").map(|rows| format!("{rows:?}"))
}

fn squeezed(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}
