//! DDL on many targets.
//!
//! Owns: running it on one target after the other, and the sentence that says how far it came.
//! Never: undoes anything: MySQL can't roll DDL back.

use crate::error::{Error, Fault, Retry};
use crate::executor::lane::{Begun, Lane};
use crate::executor::running::Running;
use crate::executor::write::{NotWritten, Written, compose};
use crate::planner::plan::WriteKind;

/// How many shards are named one by one in an error.
const NAMED: usize = 6;

/// Runs every part, lane by lane. The first error ends it.
pub(super) async fn run(lanes: &mut [Lane<'_>], running: &Running) -> Result<Written, NotWritten> {
    let all: usize = lanes.iter().map(|lane| lane.parts.len()).sum();
    let mut answers = Vec::new();
    let mut done = Vec::new();
    for lane in lanes.iter_mut() {
        while let Some(next) = lane.parts.front() {
            let place = title(lane, next.shard);
            match lane.begin().await {
                Ok(None) => break,
                Ok(Some((part, Begun::Done(info)))) => {
                    lane.fetch_warnings().await;
                    answers.push((part.target, None, info));
                    done.push(place);
                }
                // ANALYZE, CHECK, OPTIMIZE and REPAIR TABLE answer with rows.
                Ok(Some((part, Begun::Rows(_)))) => match lane.drain(usize::MAX).await {
                    Ok(_) => {
                        answers.push((part.target, None, Default::default()));
                        done.push(place);
                    }
                    Err(error) => {
                        return Err(stopped(lane, running.explain(error), &place, &done, all));
                    }
                },
                Err(error) => {
                    return Err(stopped(lane, running.explain(error), &place, &done, all));
                }
            }
        }
    }
    answers.sort_by_key(|(target, ..)| *target);
    Ok(compose(lanes, WriteKind::Definition, answers))
}

fn title(lane: &Lane<'_>, shard: Option<u32>) -> String {
    let node = lane.connection.node().title();
    shard.map_or_else(|| node.to_string(), |shard| format!("shard {shard} on {node}"))
}

fn stopped(lane: &Lane<'_>, error: Error, place: &str, done: &[String], all: usize) -> NotWritten {
    let transaction_lost = lane.keep && !lane.connection.is_in_step();
    if done.is_empty() {
        return NotWritten { error, transaction_lost };
    }
    let unknown = error.fault != Fault::Backend;
    let failed = if unknown { "its outcome is unknown" } else { "it failed" };
    let rest = all - done.len() - 1;
    let named = done.get(..done.len().min(NAMED)).unwrap_or_default().join(", ");
    let more = match done.len().checked_sub(NAMED) {
        None | Some(0) => String::new(),
        Some(more) => format!(" and {more} more"),
    };
    // First what matters most: the text is cut at 512 bytes.
    let text = format!(
        "{} ({failed} on {place}; done on {} of {all}, not tried on {rest}; done on: \
         {named}{more}). The shards differ now: run the statement again with IF [NOT] EXISTS once \
         the cause is gone",
        error.message,
        done.len()
    );
    let partial = Error::new(error.fault, error.errno, &error.sqlstate, "ddl_partial", text);
    NotWritten { error: partial.retry(Retry::Unknown), transaction_lost }
}
