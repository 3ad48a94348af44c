//! What the servers hold, against what the clients were told.
//!
//! Owns: the invariants. No acknowledged operation is lost, none that failed is there, none is half
//! applied, balances follow their history and their total, and operations on several lists come in
//! one order.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::faults::workload::{CLIENTS, Fate, Op, Workload};
use crate::faults::world::{ACCOUNTS, GROUPS, OPENING, World};

/// The most violations told of one kind.
const TOLD: usize = 5;
/// The most operations of a run that may end without a word on their outcome: each client's at the
/// moment that the fault strikes, and at the moment that it heals. A Weir that always said "unknown"
/// would never lie.
const UNKNOWN_MOST: usize = 2 * CLIENTS as usize;

#[derive(Debug, Default)]
pub struct Verdict {
    pub acknowledged: usize,
    pub failed: usize,
    pub unknown: usize,
    /// Of the unknown ones.
    pub unknown_done: usize,
    pub violations: Vec<String>,
}

pub fn judge(world: &World, workload: Workload, number: u64, ops: &[Op]) -> Verdict {
    let count = |fate| ops.iter().filter(|op| op.fate == fate).count();
    let mut verdict = Verdict {
        acknowledged: count(Fate::Acknowledged),
        failed: count(Fate::Failed),
        unknown: count(Fate::Unknown),
        ..Verdict::default()
    };
    let outcome = match workload {
        Workload::Bank => history(world, number).and_then(|found| {
            applied(&mut verdict, ops, &found);
            bank(world, number, &mut verdict)
        }),
        Workload::Rows => history(world, number).map(|found| applied(&mut verdict, ops, &found)),
        Workload::Append => lists(world, number, "lists").map(|lists| {
            applied(&mut verdict, ops, &by_op(&lists));
            order(&lists, &mut verdict.violations);
        }),
        Workload::Counter => counter(world, number, ops, &mut verdict),
        Workload::Ids => ids(world, number, ops, &mut verdict),
    };
    if let Err(reason) = outcome {
        verdict.violations.push(format!("the servers can't be asked: {reason}"));
    }
    if verdict.unknown > UNKNOWN_MOST {
        verdict.violations.push(format!("{} outcomes are unknown", verdict.unknown));
    }
    if verdict.acknowledged == 0 {
        verdict.violations.push(format!("nothing was acknowledged; told: {:?}", told(ops)));
    }
    verdict
}

/// The first few errors that clients saw.
fn told(ops: &[Op]) -> Vec<&str> {
    ops.iter().map(|op| op.told.as_str()).filter(|told| !told.is_empty()).take(TOLD).collect()
}

/// Where each operation left a mark.
type Marks = HashMap<u64, BTreeSet<u64>>;

fn history(world: &World, number: u64) -> Result<Marks, String> {
    let (from, to) = (World::base(number), World::base(number) + ACCOUNTS);
    let sql = format!(
        "SELECT account, op FROM bank_{{}}.history WHERE account >= {from} AND account < {to}"
    );
    let mut marks = Marks::new();
    for (_, row) in world.rows(&sql)? {
        marks.entry(parse(&row[1])?).or_default().insert(parse(&row[0])?);
    }
    Ok(marks)
}

/// Each operation whole or not at all, and as its client was told.
fn applied(verdict: &mut Verdict, ops: &[Op], marks: &Marks) {
    let mut violations = Vec::new();
    for op in ops {
        let wanted: BTreeSet<u64> = op.keys.iter().copied().collect();
        let found = marks.get(&op.id).cloned().unwrap_or_default();
        let what = match op.fate {
            _ if !found.is_empty() && found != wanted => "is half applied",
            Fate::Acknowledged if found.is_empty() => "was acknowledged and is lost",
            Fate::Failed if !found.is_empty() => "failed and is there",
            Fate::Unknown => {
                verdict.unknown_done += usize::from(!found.is_empty());
                continue;
            }
            _ => continue,
        };
        violations
            .push(format!("operation {} on {wanted:?} {what} ({found:?}): {}", op.id, op.told));
    }
    let known: BTreeSet<u64> = ops.iter().map(|op| op.id).collect();
    for id in marks.keys().filter(|id| !known.contains(id)) {
        violations.push(format!("operation {id} is there and nobody sent it"));
    }
    violations.truncate(TOLD);
    verdict.violations.extend(violations);
}

fn bank(world: &World, number: u64, verdict: &mut Verdict) -> Result<(), String> {
    let (from, to) = (World::base(number), World::base(number) + ACCOUNTS);
    let balances = world.rows(&format!(
        "SELECT a.id, a.balance, (SELECT COALESCE(SUM(h.amount), 0) FROM bank_{{}}.history h \
         WHERE h.account = a.id) FROM bank_{{}}.accounts a WHERE a.id >= {from} AND a.id < {to}"
    ))?;
    let mut total = 0i64;
    for (_, row) in &balances {
        let (balance, moved): (i64, i64) = (parse(&row[1])?, parse(&row[2])?);
        total += balance;
        if balance != OPENING + moved {
            verdict.violations.push(format!(
                "account {} holds {balance}, and its history says {}",
                row[0],
                OPENING + moved
            ));
        }
    }
    let wanted = OPENING * ACCOUNTS as i64;
    if total != wanted || balances.len() as u64 != ACCOUNTS {
        verdict.violations.push(format!("the accounts hold {total} together instead of {wanted}"));
    }
    Ok(())
}

/// The operations on each list, in their order.
fn lists(
    world: &World,
    number: u64,
    table: &str,
) -> Result<BTreeMap<(usize, u64), Vec<u64>>, String> {
    let (from, to) = (World::base(number), World::base(number) + ACCOUNTS);
    let rows = world
        .rows(&format!("SELECT id, ops FROM bank_{{}}.{table} WHERE id >= {from} AND id < {to}"))?;
    rows.into_iter()
        .map(|(group, row)| {
            let ops = row[1].split(',').filter(|op| !op.is_empty()).map(parse);
            Ok(((group, parse(&row[0])?), ops.collect::<Result<_, String>>()?))
        })
        .collect()
}

fn by_op(lists: &BTreeMap<(usize, u64), Vec<u64>>) -> Marks {
    let mut marks = Marks::new();
    for ((_, id), ops) in lists {
        for op in ops {
            marks.entry(*op).or_default().insert(*id);
        }
    }
    marks
}

/// Two operations that meet on several lists meet in the same order: the graph of "came before"
/// over all lists has no cycle.
fn order(lists: &BTreeMap<(usize, u64), Vec<u64>>, violations: &mut Vec<String>) {
    let mut after: HashMap<u64, BTreeSet<u64>> = HashMap::new();
    let mut incoming: HashMap<u64, usize> = HashMap::new();
    for ((_, id), ops) in lists {
        let mut seen = BTreeSet::new();
        for op in ops {
            incoming.entry(*op).or_default();
            if !seen.insert(*op) {
                violations.push(format!("operation {op} stands twice in list {id}"));
            }
        }
        for pair in ops.windows(2) {
            if after.entry(pair[0]).or_default().insert(pair[1]) {
                *incoming.entry(pair[1]).or_default() += 1;
            }
        }
    }
    let mut free: Vec<u64> =
        incoming.iter().filter(|(_, count)| **count == 0).map(|(op, _)| *op).collect();
    let mut sorted = 0;
    while let Some(op) = free.pop() {
        sorted += 1;
        for next in after.get(&op).into_iter().flatten() {
            if let Some(count) = incoming.get_mut(next) {
                *count -= 1;
                if *count == 0 {
                    free.push(*next);
                }
            }
        }
    }
    if sorted != incoming.len() {
        violations.push(format!("{} operations stand in no one order", incoming.len() - sorted));
    }
}

/// Every copy of the counter holds the same, in the same order, and each acknowledged step.
fn counter(world: &World, number: u64, ops: &[Op], verdict: &mut Verdict) -> Result<(), String> {
    let base = World::base(number);
    let rows = world.rows(&format!("SELECT n, ops FROM bank_{{}}.counters WHERE id = {base}"))?;
    let copies: BTreeSet<&Vec<String>> = rows.iter().map(|(_, row)| row).collect();
    if rows.len() != GROUPS || copies.len() != 1 {
        verdict.violations.push(format!(
            "the copies differ: {:?}",
            rows.iter().map(|(group, row)| (group, &row[0])).collect::<Vec<_>>()
        ));
    }
    let Some((_, first)) = rows.first() else { return Ok(()) };
    let listed: Vec<u64> =
        first[1].split(',').filter(|op| !op.is_empty()).map(parse).collect::<Result<_, _>>()?;
    let marks: Marks = listed.iter().map(|op| (*op, BTreeSet::new())).collect();
    if marks.len() != listed.len() || first[0] != listed.len().to_string() {
        verdict.violations.push(format!(
            "the counter is {} after {} steps",
            first[0],
            listed.len()
        ));
    }
    for op in ops {
        match (op.fate, marks.contains_key(&op.id)) {
            (Fate::Acknowledged, false) => {
                verdict.violations.push(format!("step {} was acknowledged and is lost", op.id));
            }
            (Fate::Failed, true) => {
                verdict.violations.push(format!("step {} failed and is there: {}", op.id, op.told));
            }
            (Fate::Unknown, true) => verdict.unknown_done += 1,
            _ => {}
        }
    }
    verdict.violations.truncate(TOLD);
    Ok(())
}

/// Each statement's rows have the ids that its client was told, and no id was given twice: the second
/// row of one would have been refused.
fn ids(world: &World, number: u64, ops: &[Op], verdict: &mut Verdict) -> Result<(), String> {
    let (from, to) = (World::base(number) * 1000, World::base(number + 1) * 1000);
    let sql = format!("SELECT op, id FROM bank_{{}}.tickets WHERE op >= {from} AND op < {to}");
    let mut marks = Marks::new();
    for (_, row) in world.rows(&sql)? {
        marks.entry(parse(&row[0])?).or_default().insert(parse(&row[1])?);
    }
    let mut violations = Vec::new();
    for op in ops {
        let found = marks.remove(&op.id).unwrap_or_default();
        let wanted: BTreeSet<u64> = op.ids.iter().copied().collect();
        let what = match op.fate {
            Fate::Acknowledged if found != wanted => "was acknowledged with other ids",
            Fate::Failed if !found.is_empty() => "failed and is there",
            Fate::Failed if op.told.contains("ERROR 1062 ") => "was given an id that there was",
            Fate::Unknown if !found.is_empty() && found.len() != op.keys.len() => "is half applied",
            Fate::Unknown => {
                verdict.unknown_done += usize::from(!found.is_empty());
                continue;
            }
            _ => continue,
        };
        violations.push(format!("ids {wanted:?}: {} {what} ({found:?}): {}", op.id, op.told));
    }
    violations.extend(marks.keys().map(|id| format!("rows of {id} are there; nobody sent it")));
    violations.truncate(TOLD);
    verdict.violations.extend(violations);
    Ok(())
}

/// What clients were told under a fault: an error with its number each time, and their sessions went
/// on unless it said that they end (a transaction whose connection is gone can't).
pub fn answers(ops: &[Op]) -> Vec<String> {
    let failed = ops.iter().filter(|op| op.fate == Fate::Failed);
    let ends = |op: &Op| op.told.contains("this session ends");
    let wrong = failed.filter(|op| !op.told.contains("ERROR ") || op.usable == ends(op));
    let text = |op: &Op| format!("the session of operation {} didn't go on: {}", op.id, op.told);
    wrong.take(TOLD).map(text).collect()
}

fn parse<T: std::str::FromStr>(text: impl AsRef<str>) -> Result<T, String> {
    text.as_ref().parse().map_err(|_| format!("`{}` is no number", text.as_ref()))
}
