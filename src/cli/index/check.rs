//! Rows against entries, in both directions.
//!
//! Owns: what is missing, stale or not unique, and mending it. Never: trusts a first look: whatever
//! seems wrong is looked at again under locks, for traffic runs on.
//!
//! Locks are taken in the order in which statements take them: the row, then its entry.

use std::fmt;

use super::entries::{BATCH, Entries, Side, Values};
use crate::error::Result;
use crate::executor::write_back::Step;
use crate::rules::table::Shard;

/// What was found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    rows: u64,
    entries: u64,
    missing: u64,
    stale: u64,
    duplicates: u64,
    repaired: u64,
}

impl Found {
    pub fn is_clean(&self) -> bool {
        self.missing + self.stale + self.duplicates == self.repaired
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Found { rows, entries, missing, stale, duplicates, repaired } = self;
        write!(
            f,
            "{rows} rows, {entries} entries, {missing} missing, {stale} stale, {duplicates} \
             duplicate, {repaired} repaired"
        )
    }
}

/// Compares all rows and entries.
///
/// # Errors
/// What a server says.
pub(super) async fn check(entries: &mut Entries, repair: bool) -> Result<Found> {
    let mut found = Found::default();
    // Stale entries first: they may be what keeps a missing one out of a unique index.
    let all: Vec<usize> = (0..entries.lookup.columns.len()).collect();
    for shard in &entries.rule.table.shards.clone() {
        let mut last: Option<Values> = None;
        loop {
            let some = walk(entries, (Side::Entries, shard), &all, last.as_ref()).await?;
            found.entries += some.len() as u64;
            let whole = some.len() == BATCH;
            last = some.last().cloned();
            for (number, some) in entries.by_base(some)? {
                let Some(base) = entries.base.shard(number).cloned() else { continue };
                for entry in entries.absent((Side::Rows, &base), some, "").await? {
                    stale(entries, (&base, shard), &entry, repair, &mut found).await?;
                }
            }
            if !whole {
                break;
            }
        }
    }
    let primary = entries.primary.clone();
    for shard in &entries.base.shards.clone() {
        let mut last: Option<Values> = None;
        loop {
            let some = walk(entries, (Side::Rows, shard), &primary, last.as_ref()).await?;
            found.rows += some.len() as u64;
            let whole = some.len() == BATCH;
            last = some.last().cloned();
            for (number, some) in entries.by_lookup(some)? {
                let Some(lookup) = entries.rule.table.shard(number).cloned() else { continue };
                for row in entries.absent((Side::Entries, &lookup), some, "").await? {
                    missing(entries, (shard, &lookup), &row, repair, &mut found).await?;
                }
            }
            if !whole {
                break;
            }
        }
    }
    Ok(found)
}

async fn walk(
    entries: &mut Entries,
    (side, shard): (Side, &Shard),
    places: &[usize],
    last: Option<&Values>,
) -> Result<Vec<Values>> {
    let sql = format!(
        "{} WHERE {} AND {} ORDER BY {} LIMIT {BATCH}",
        entries.select(shard),
        entries.has_entry(),
        entries.behind(places, last)?,
        entries.order(places),
    );
    entries.ask((shard.group, side), &sql).await
}

/// Begins a transaction in which a row stays as it is, or away.
async fn hold(entries: &mut Entries, base: &Shard, row: &Values) -> Result<Vec<Values>> {
    let place = (base.group, Side::Rows);
    entries.run(place, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
    entries.run(place, "BEGIN").await?;
    let primary = entries.primary.clone();
    let condition = entries.any_of(&primary, &[row])?;
    let sql = format!("{} WHERE {condition} FOR UPDATE", entries.select(base));
    entries.ask(place, &sql).await
}

async fn release(entries: &mut Entries, base: &Shard) -> Result<()> {
    entries.run((base.group, Side::Rows), "ROLLBACK").await
}

/// An entry that seemed to have no row.
async fn stale(
    entries: &mut Entries,
    (base, lookup): (&Shard, &Shard),
    entry: &Values,
    repair: bool,
    found: &mut Found,
) -> Result<()> {
    let held = hold(entries, base, entry).await;
    let outcome = async {
        let there = held?;
        let gone = !there.contains(entry);
        let one = vec![entry.clone()];
        let still =
            entries.absent((Side::Entries, lookup), one, " LOCK IN SHARE MODE").await?.is_empty();
        if gone && still {
            found.stale += 1;
            println!("stale {}", entries.shown(entry));
            if repair {
                entries.write(lookup, Step::Delete, std::slice::from_ref(entry)).await?;
                found.repaired += 1;
            }
        }
        Ok(())
    };
    let outcome = outcome.await;
    release(entries, base).await?;
    outcome
}

/// A row that seemed to have no entry.
async fn missing(
    entries: &mut Entries,
    (base, lookup): (&Shard, &Shard),
    row: &Values,
    repair: bool,
    found: &mut Found,
) -> Result<()> {
    let held = hold(entries, base, row).await;
    let outcome = async {
        if !held?.contains(row) {
            return Ok(());
        }
        let one = vec![row.clone()];
        let absent = entries.absent((Side::Entries, lookup), one, " LOCK IN SHARE MODE").await?;
        if absent.is_empty() {
            return Ok(());
        }
        found.missing += 1;
        println!("missing {}", entries.shown(row));
        if !repair {
            return Ok(());
        }
        match entries.write(lookup, Step::Insert, std::slice::from_ref(row)).await {
            Err(error) if error.errno == 1062 => {
                found.missing -= 1;
                found.duplicates += 1;
                println!("duplicate {}", entries.shown(row));
            }
            done => {
                done?;
                found.repaired += 1;
            }
        }
        Ok(())
    };
    let outcome = outcome.await;
    release(entries, base).await?;
    outcome
}
