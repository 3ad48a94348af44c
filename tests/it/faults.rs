//! The fixed short matrix of `tests/faults`: a workload under a fault of each family, on both kinds
//! of server. `make faults` runs all of them for as long as it is told.
//!
//! Owns: the choice. Each pair is one that another implementation got wrong: see the catalogue in
//! the issue (rows 1 to 5, 13, 15, 34), whose criteria `Fault::criterion` holds.

use crate::faults::fault::Fault;
use crate::faults::run;
use crate::faults::workload::Workload;
use crate::faults::world::World;
use crate::support::dice::Dice;
use crate::support::servers::Kind;
use crate::support::{engine, skip};

const MATRIX: [(Workload, Fault); 16] = [
    // Row 1: a server dies between PREPARE and COMMIT, and behind it.
    (Workload::Bank, Fault::KillServer("commit.prepared")),
    (Workload::Append, Fault::KillServer("commit.decided")),
    // Row 2: another proxy finishes what the killed one had prepared, decided, or half committed.
    (Workload::Bank, Fault::KillProxy("commit.prepared")),
    (Workload::Rows, Fault::KillProxy("commit.decided")),
    (Workload::Append, Fault::KillProxy("commit.first")),
    (Workload::Rows, Fault::KillRecoverer("recover.first")),
    // Row 3: and it never comes back.
    (Workload::Bank, Fault::LoseProxy("commit.prepared")),
    // Row 4.
    (Workload::Counter, Fault::KillConnections),
    // Row 5.
    (Workload::Append, Fault::Deaf),
    // Row 13.
    (Workload::Rows, Fault::UserLimit),
    (Workload::Ids, Fault::Full),
    // Row 15: no commit row can be written.
    (Workload::Bank, Fault::LogFull),
    // Row 34.
    (Workload::Append, Fault::Deadlock),
    // Recovery aborts while the coordinator sleeps, which then wakes.
    (Workload::Rows, Fault::FreezeProxy("commit.prepared")),
    (Workload::Ids, Fault::FreezeServer),
    (Workload::Bank, Fault::Cut),
];

fn matrix(kind: Kind) {
    if let Err(reason) = engine::available(kind) {
        return skip::loudly(kind, &reason);
    }
    let world = World::start(kind).unwrap_or_else(|reason| panic!("{kind}: {reason}"));
    let mut dice = Dice::new(20);
    let mut violations = Vec::new();
    for (number, (workload, fault)) in (1..).zip(MATRIX) {
        let report = run(&world, workload, fault, number, &mut dice);
        println!("{}", report.line);
        violations
            .extend(report.violations.into_iter().map(|what| format!("{}\n  {what}", report.line)));
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn nothing_is_lost_or_half_applied_on_mariadb() {
    matrix(Kind::MariaDb);
}

#[test]
fn nothing_is_lost_or_half_applied_on_mysql() {
    matrix(Kind::MySql);
}
