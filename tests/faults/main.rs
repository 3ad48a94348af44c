//! `make faults MINUTES=10 SEED=1 SERVERS=mariadb|mysql`: workloads × faults until the time is over.
//!
//! Owns: the loop and its lines. Ends in `runs N, violations V`, and non-zero where V isn't 0.

#[path = "mod.rs"]
mod faults;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use faults::fault::Fault;
use faults::workload::Workload;
use faults::world::World;
use support::dice::Dice;
use support::servers::Kind;

fn main() -> ExitCode {
    let setting = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let number = |name: &str, default: u64| match setting(name).map(|text| text.parse()) {
        None => Ok(default),
        Some(Ok(number)) => Ok(number),
        Some(Err(_)) => Err(format!("{name} takes a number")),
    };
    let (minutes, seed) = match (number("MINUTES", 10), number("SEED", 1)) {
        (Ok(minutes), Ok(seed)) => (minutes, seed),
        (Err(reason), _) | (_, Err(reason)) => return wrong(&reason),
    };
    let kinds = match setting("SERVERS").as_deref() {
        None => Kind::ALL.to_vec(),
        Some("mariadb") => vec![Kind::MariaDb],
        Some("mysql") => vec![Kind::MySql],
        Some(other) => return wrong(&format!("SERVERS={other}: mariadb or mysql")),
    };
    // WORKLOAD and FAULT pick by name.
    let picked =
        |name: &str, variable: &str| setting(variable).is_none_or(|wanted| name.contains(&wanted));
    let (mut runs, mut violations) = (0u64, 0usize);
    let share = Duration::from_secs(minutes * 60) / u32::try_from(kinds.len()).unwrap_or(1);
    for kind in kinds {
        if let Err(reason) = support::engine::available(kind) {
            support::skip::loudly(kind, &reason);
            continue;
        }
        let world = match World::start(kind) {
            Ok(world) => world,
            Err(reason) => return wrong(&format!("{kind}: {reason}")),
        };
        let mut dice = Dice::new(seed);
        let start = Instant::now();
        'time: loop {
            for fault in Fault::all().into_iter().filter(|fault| picked(&fault.name(), "FAULT")) {
                for workload in
                    Workload::ALL.into_iter().filter(|workload| picked(workload.name(), "WORKLOAD"))
                {
                    if start.elapsed() > share {
                        break 'time;
                    }
                    runs += 1;
                    let report = faults::run(&world, workload, fault, runs, &mut dice);
                    println!("{}", report.line);
                    for violation in &report.violations {
                        println!("  VIOLATION: {violation}");
                    }
                    violations += report.violations.len();
                }
            }
        }
    }
    println!("runs {runs}, violations {violations}");
    if violations == 0 && runs > 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn wrong(reason: &str) -> ExitCode {
    eprintln!("faults: {reason}");
    ExitCode::from(2)
}
