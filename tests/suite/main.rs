//! `make suites SUITE=slt|tpch|mtr SERVERS=mariadb|mysql`: public cases over sharded tables and on one
//! plain server.
//!
//! Owns: the settings and the closing lines. For sqllogictest `WEIR_SQLLOGICTEST` names the folder,
//! `EVERY=n` asks each so-manieth query, `ONLY=text` takes files whose names hold it, `LAYOUT=name`
//! one way of sharding; for TPC-H `SCALE=0.01` is how much there is, `ONLY=17` one query;
//! for mysqltest `ONLY=text` takes files whose names hold it, `LAYOUT=name` one way of running them,
//! and `KEEP=folder` keeps the transcripts.

#[path = "mod.rs"]
#[allow(dead_code)] // `make test` alone runs the TPC-C mix.
mod suite;

#[path = "../oracle/mod.rs"]
#[allow(dead_code)] // Only the judge is used.
mod oracle;
#[path = "../support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::ExitCode;

use suite::exceptions::Exceptions;
use suite::place::World;
use suite::slt::Outcome;
use suite::{mtr, slt, tpch};
use support::servers::Kind;

const EXCEPTIONS: &str = include_str!("../data/suite/exceptions.txt");

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn main() -> ExitCode {
    let kinds = match setting("SERVERS").as_deref() {
        None => Kind::ALL.to_vec(),
        Some("mariadb") => vec![Kind::MariaDb],
        Some("mysql") => vec![Kind::MySql],
        Some(other) => return wrong(&format!("SERVERS={other}: mariadb or mysql")),
    };
    let mut clean = true;
    for kind in kinds {
        if let Err(reason) = support::engine::available(kind) {
            support::skip::loudly(kind, &reason);
            continue;
        }
        for (name, run) in [("slt", sqllogictest as Run), ("tpch", tpch_queries)] {
            if setting("SUITE").is_some_and(|wanted| wanted != name) {
                continue;
            }
            let mut list = Exceptions::read(EXCEPTIONS, name);
            let outcome = World::start(kind).and_then(|world| run(&world, &mut list));
            match outcome {
                Ok(Some(outcome)) => {
                    for failure in &outcome.failures {
                        println!("{failure}\n");
                    }
                    for stale in list.stale() {
                        println!("{stale}");
                    }
                    println!("{name} {kind}: {}", outcome.summary());
                    clean &= outcome.failures.is_empty() && list.stale().is_empty();
                }
                Ok(None) => {}
                Err(reason) => return wrong(&format!("{name} {kind}: {reason}")),
            }
        }
    }
    match mysqltest() {
        Ok(passed) => clean &= passed,
        Err(reason) => return wrong(&format!("mtr: {reason}")),
    }
    if clean { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

type Run = fn(&World, &mut Exceptions) -> Result<Option<Outcome>, String>;

fn sqllogictest(world: &World, list: &mut Exceptions) -> Result<Option<Outcome>, String> {
    let Some(folder) = setting("WEIR_SQLLOGICTEST").map(PathBuf::from) else {
        support::skip::say("sqllogictest's files are left out: WEIR_SQLLOGICTEST names no folder");
        return Ok(None);
    };
    let every = setting("EVERY").map_or(Ok(1), |text| text.parse::<usize>());
    let wanted = setting("LAYOUT");
    let layouts = slt::LAYOUTS.into_iter();
    let options = slt::Options {
        folder,
        every: every.map_err(|_| "EVERY takes a number")?.max(1),
        only: setting("ONLY"),
        layouts: layouts
            .filter(|(name, _)| wanted.as_ref().is_none_or(|wanted| wanted == name))
            .collect(),
    };
    slt::run(world, &options, list).map(Some)
}

/// MariaDB's own files are for MariaDB alone.
fn mysqltest() -> Result<bool, String> {
    if setting("SUITE").is_some_and(|wanted| wanted != "mtr")
        || setting("SERVERS").is_some_and(|wanted| wanted != "mariadb")
    {
        return Ok(true);
    }
    let (tools, available) = (mtr::Tools::find(), support::engine::available(Kind::MariaDb));
    let tools = match available.and(tools) {
        Ok(tools) => tools,
        Err(reason) => {
            support::skip::say(&format!("mysqltest: {reason}"));
            return Ok(true);
        }
    };
    let (only, layout) = (setting("ONLY"), setting("LAYOUT"));
    let mut files = tools.files();
    files.retain(|file| only.as_ref().is_none_or(|only| file.contains(only)));
    let mut list = mtr::List::load();
    let world = World::start(Kind::MariaDb)?;
    let mut clean = true;
    let layouts = mtr::LAYOUTS.iter();
    for layout in layouts.filter(|one| layout.as_ref().is_none_or(|wanted| one.name == wanted)) {
        let outcome = mtr::run(&world, &tools, &files, layout, &mut list)?;
        outcome.failures.iter().for_each(|failure| println!("{failure}"));
        println!("skipped by themselves: {}", outcome.skipped.join(" "));
        println!("mtr {} mariadb: {}", layout.name, outcome.summary());
        clean &= outcome.failures.is_empty();
    }
    for (entry, count) in list.counts() {
        println!("{count:6}  {entry}");
    }
    let stale = list.stale(only.is_none() && layout.is_none());
    stale.iter().for_each(|stale| println!("{stale}"));
    Ok(clean && stale.is_empty())
}

fn tpch_queries(world: &World, list: &mut Exceptions) -> Result<Option<Outcome>, String> {
    let scale = setting("SCALE").map_or(Ok(0.01), |text| text.parse::<f64>());
    let scale = scale.map_err(|_| "SCALE takes a number")?;
    let only: Option<i32> = setting("ONLY").and_then(|text| text.parse().ok());
    let queries: Vec<i32> =
        (1..=22).filter(|number| only.is_none_or(|only| only == *number)).collect();
    tpch::run(world, scale, &queries, &tpch::LAYOUTS, list).map(Some)
}

fn wrong(reason: &str) -> ExitCode {
    eprintln!("suites: {reason}");
    ExitCode::from(2)
}
