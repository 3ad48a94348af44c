//! The same sysbench work directly, through HAProxy in TCP mode, and through Weir.
//!
//! Owns: the cases, the rounds and the report. Never: passes or fails a build by time; the bars
//! stand in the report, and `target/bench.json` keeps it.
//!
//! ```text
//! cargo bench --bench load -- [--rounds 7] [--seconds 3] [--only NAME] [--ways direct,haproxy,weir] [--no-memory]
//! ```
//! Each round runs every way once, in an order that rotates, so that a machine that slows down
//! slows all of them. A ratio is taken inside a round; the median of the rounds' ratios counts,
//! `low` and `high` are the smallest and the largest of them.

mod commits;
mod ids;
mod measure;
mod memory;
#[path = "../../tests/oracle/mod.rs"]
#[allow(dead_code)] // Only the judge is used.
mod oracle;
mod report;
mod shards;
mod stage;
#[path = "../../tests/suite/mod.rs"]
#[allow(dead_code)] // TPC-H's rows and queries are used.
mod suite;
#[path = "../../tests/support/mod.rs"]
mod support;

use measure::Sample;
use stage::{Stage, Way};

/// One line of work.
pub struct Case {
    pub name: &'static str,
    pub clients: u32,
    pub prepared: bool,
    pub work: Work,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// One row by primary key.
    Point,
    /// A range of 1,000 rows.
    Rows,
    /// A transaction of 20 statements, on one group.
    Transaction,
}

impl Work {
    /// The most CPU per query that Weir may take, as a multiple of HAProxy's.
    pub fn bar(self) -> f64 {
        match self {
            Work::Point => 1.15,
            Work::Rows => 1.1,
            Work::Transaction => 1.2,
        }
    }
}

const CASES: [Case; 8] = [
    Case { name: "point text 8", clients: 8, prepared: false, work: Work::Point },
    Case { name: "point prepared 8", clients: 8, prepared: true, work: Work::Point },
    Case { name: "rows text 8", clients: 8, prepared: false, work: Work::Rows },
    Case { name: "rows prepared 8", clients: 8, prepared: true, work: Work::Rows },
    Case { name: "point text 256", clients: 256, prepared: false, work: Work::Point },
    Case { name: "point prepared 256", clients: 256, prepared: true, work: Work::Point },
    Case { name: "transaction text 8", clients: 8, prepared: false, work: Work::Transaction },
    Case { name: "transaction prepared 8", clients: 8, prepared: true, work: Work::Transaction },
];

/// What the command line asks for.
struct Asked {
    rounds: usize,
    seconds: u32,
    only: Option<String>,
    ways: Vec<Way>,
    memory: bool,
}

fn asked() -> Result<Asked, String> {
    let mut asked =
        Asked { rounds: 7, seconds: 3, only: None, ways: Way::ALL.to_vec(), memory: true };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            // cargo adds it.
            "--bench" => {}
            "--rounds" => asked.rounds = value()?.parse().map_err(|e| format!("{arg}: {e}"))?,
            "--seconds" => asked.seconds = value()?.parse().map_err(|e| format!("{arg}: {e}"))?,
            // `--only memory`, `ids`, `commits` and `shards` run no case.
            "--only" => asked.only = Some(value()?),
            "--no-memory" => asked.memory = false,
            "--ways" => {
                asked.ways = value()?.split(',').map(Way::named).collect::<Result<_, _>>()?;
            }
            other => return Err(format!("unknown argument {other}")),
        }
    }
    Ok(asked)
}

fn main() {
    if let Err(reason) = run() {
        eprintln!("load: {reason}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), String> {
    let asked = asked()?;
    let wanted = |case: &&Case| asked.only.as_ref().is_none_or(|only| case.name.contains(only));
    let cases: Vec<&Case> = CASES.iter().filter(wanted).collect();
    let stage = Stage::set(&asked.ways)?;
    let bar = indicatif::ProgressBar::new((cases.len() * asked.rounds * asked.ways.len()) as u64);
    bar.set_style(
        indicatif::ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} (left: {eta})")
            .map_err(|error| error.to_string())?,
    );
    let mut results = Vec::new();
    for case in &cases {
        let mut rounds: Vec<Vec<Sample>> = Vec::new();
        for round in 0..asked.rounds {
            let mut samples = vec![Sample::default(); asked.ways.len()];
            for step in 0..asked.ways.len() {
                let index = (round + step) % asked.ways.len();
                bar.set_message(format!("{} {}", case.name, asked.ways[index].name()));
                samples[index] = stage.run(case, asked.ways[index], asked.seconds)?;
                bar.inc(1);
            }
            rounds.push(samples);
        }
        // Counting system calls slows everything down, so it has a round of its own.
        let calls = asked
            .ways
            .iter()
            .map(|way| stage.count_calls(case, *way, asked.seconds.min(2)))
            .collect();
        results.push(report::CaseResult { case, ways: asked.ways.clone(), rounds, calls });
    }
    bar.finish_and_clear();
    report::print(&results, &stage);
    let alone = |name: &str| asked.only.as_ref().is_none_or(|only| only == name);
    let ids = match stage.weir_url().filter(|_| alone("ids")) {
        Some(url) => ids::measure(&url, asked.seconds)?,
        None => Vec::new(),
    };
    let commits = match alone("commits") && asked.ways.contains(&Way::Weir) {
        true => commits::measure(asked.rounds, asked.seconds)?,
        false => Vec::new(),
    };
    let over_shards = match alone("shards") && asked.ways.contains(&Way::Weir) {
        true => shards::measure(asked.rounds)?,
        false => Vec::new(),
    };
    let memory = match alone("memory") && asked.memory && asked.ways.contains(&Way::Weir) {
        true => memory::measure(&stage)?,
        false => Vec::new(),
    };
    report::print_figures(&memory);
    report::write_json(&results, &memory, [ids, commits, over_shards].concat())
}
