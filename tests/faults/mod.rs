//! Faults against transactions over groups: real servers, several Weirs, and a judge.
//!
//! Owns: running one workload under one fault and judging what is left ([`run`]). A run is: clients
//! work through two Weirs in front of three groups; a fault strikes and is healed; the clients stop;
//! every prepared branch must go; then the judge reads the servers themselves.
//!
//! Never: trusts an answer of Weir's for what is stored.

pub mod cutter;
pub mod fault;
pub mod judge;
pub mod probe;
pub mod workload;
pub mod world;

use std::time::{Duration, Instant};

use crate::support::dice::Dice;
use fault::Fault;
use judge::Verdict;
use workload::Workload;
use world::World;

/// How long clients work before the fault, and after it was healed.
const BEFORE: Duration = Duration::from_millis(500);
const AFTER: Duration = Duration::from_millis(700);
/// How long after the heal a commit over all groups may still fail.
const WORKS: Duration = Duration::from_secs(15);

/// What one run came to.
#[derive(Debug)]
pub struct Report {
    pub line: String,
    pub violations: Vec<String>,
}

/// Runs one workload under one fault. `number` tells runs over one world apart.
pub fn run(
    world: &World,
    workload: Workload,
    fault: Fault,
    number: u64,
    dice: &mut Dice,
) -> Report {
    let start = Instant::now();
    let prepared = world.prepare(number).err();
    if let Some(reason) = prepared {
        return failed(world, workload, fault, format!("the world can't be prepared: {reason}"));
    }
    let clients = workload::Clients::start(world, workload, number, dice.draw());
    std::thread::sleep(BEFORE);
    let struck = fault.strike(world, number, dice);
    std::thread::sleep(AFTER);
    let ops = clients.stop();
    if let Err(reason) = struck {
        return failed(world, workload, fault, reason);
    }
    let healed = Instant::now();
    let criterion = fault.criterion();
    let mut violations = Vec::new();
    if let Err(left) = world.wait_resolved(criterion.resolved) {
        let limit = criterion.resolved;
        violations.push(format!("prepared branches are left after {limit:?}: {left}"));
    }
    let resolved = healed.elapsed();
    violations.extend(world.wait_works(number, WORKS).err());
    if criterion.answers {
        violations.extend(judge::answers(&ops));
    }
    let verdict = judge::judge(world, workload, number, &ops);
    let Verdict { acknowledged, failed, unknown, unknown_done, violations: found } = verdict;
    violations.extend(found);
    let outcome = if violations.is_empty() { "ok" } else { "VIOLATED" };
    let line = format!(
        "{} {} x {}: {outcome}; {acknowledged} acknowledged, {failed} failed, {unknown} unknown \
         ({unknown_done} of them done); resolved {:.1} s after the heal, {:.1} s in all{}",
        world.kind,
        workload.name(),
        fault.name(),
        resolved.as_secs_f64(),
        start.elapsed().as_secs_f64(),
        criterion.text()
    );
    Report { line, violations }
}

fn failed(world: &World, workload: Workload, fault: Fault, reason: String) -> Report {
    let line = format!("{} {} x {}: BROKEN", world.kind, workload.name(), fault.name());
    Report { line, violations: vec![reason] }
}
