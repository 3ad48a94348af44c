//! Entries for rows that were there before the index.
//!
//! Owns: the walk over the rows. Never: overlooks a row that changes meanwhile: rows are locked while
//! their entries are written, and whoever changes them afterwards keeps the index.

use std::time::Duration;

use super::entries::{BATCH, Entries, Side, Values};
use crate::error::Result;
use crate::executor::write_back::Step;
use crate::rules::table::Shard;

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Filled {
    pub rows: u64,
    /// Rows that have no entry because another row has their value in a unique index.
    pub duplicates: u64,
}

/// How often a batch is tried that runs into a deadlock or a lock that isn't given up.
const TRIES: usize = 20;

/// Brings the entries of all rows into the index.
///
/// # Errors
/// What a server says.
pub(super) async fn fill(entries: &mut Entries) -> Result<Filled> {
    let mut filled = Filled::default();
    let shards = entries.base.shards.clone();
    for shard in &shards {
        let mut last: Option<Values> = None;
        loop {
            let (rows, duplicates) = batch(entries, shard, last.as_ref()).await?;
            filled.rows += rows.len() as u64;
            filled.duplicates += duplicates;
            let whole = rows.len() == BATCH;
            last = rows.into_iter().last();
            if !whole {
                break;
            }
        }
    }
    Ok(filled)
}

/// One batch; tried again where locks of others are in the way.
async fn batch(
    entries: &mut Entries,
    shard: &Shard,
    last: Option<&Values>,
) -> Result<(Vec<Values>, u64)> {
    let mut tries = 0;
    loop {
        tries += 1;
        let place = (shard.group, Side::Rows);
        entries.run(place, "BEGIN").await?;
        let done = locked(entries, shard, last).await;
        let ended = entries.run(place, "ROLLBACK").await;
        match done {
            Err(error) if matches!(error.errno, 1205 | 1213) && tries < TRIES => {
                tokio::time::sleep(Duration::from_millis(20 << tries.min(6))).await;
            }
            done => {
                ended?;
                return done;
            }
        }
    }
}

async fn locked(
    entries: &mut Entries,
    shard: &Shard,
    last: Option<&Values>,
) -> Result<(Vec<Values>, u64)> {
    let primary = entries.primary.clone();
    let sql = format!(
        "{} WHERE {} AND {} ORDER BY {} LIMIT {BATCH} LOCK IN SHARE MODE",
        entries.select(shard),
        entries.has_entry(),
        entries.behind(&primary, last)?,
        entries.order(&primary),
    );
    let rows = entries.ask((shard.group, Side::Rows), &sql).await?;
    let mut duplicates = 0;
    for (number, rows) in entries.by_lookup(rows.clone())? {
        let Some(lookup) = entries.rule.table.shard(number).cloned() else { continue };
        let absent = entries.absent((Side::Entries, &lookup), rows, "").await?;
        if !entries.rule.unique {
            entries.write(&lookup, Step::Insert, &absent).await?;
            continue;
        }
        for row in absent {
            match entries.write(&lookup, Step::Insert, std::slice::from_ref(&row)).await {
                Err(error) if error.errno == 1062 => {
                    // Whoever wrote the row may have committed its entry since.
                    let one = vec![row.clone()];
                    let place = (Side::Entries, &lookup);
                    if entries.absent(place, one, " LOCK IN SHARE MODE").await?.is_empty() {
                        continue;
                    }
                    println!("duplicate {}", entries.shown(&row));
                    duplicates += 1;
                }
                done => done?,
            }
        }
    }
    Ok((rows, duplicates))
}
