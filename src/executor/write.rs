//! One statement that changes several targets, and its answers made into one OK packet.
//!
//! Owns: the order in which targets are written, that a failed statement leaves nothing behind
//! (mysql-traps 7), and the sums. Never: decides whether several groups may be written at all, opens
//! the client's transaction, or writes to the client.
//!
//! In a transaction each connection gets a savepoint first. In autocommit a statement of one group
//! gets a transaction of its own here; one of several groups runs in a transaction of the session's
//! ([`crate::transaction`]), which commits all of them or none.

use std::sync::{Mutex, PoisonError};

use crate::backend::answer::OkInfo;
use crate::error::{Error, Fault, Result};
use crate::executor::definition::{self, Described};
use crate::executor::info::{self, Inserted};
use crate::executor::lane::{Begun, Command, Lane};
use crate::executor::returned::{self, Returned, collect};
use crate::executor::running::Running;
use crate::executor::together::{Work, first_error, run_all};
use crate::executor::warnings::Warning;
use crate::planner::plan::WriteKind;
use crate::protocol::status::StatusFlags;

const SET_SAVEPOINT: &[u8] = b"SAVEPOINT weir_statement";
const BACK_TO_SAVEPOINT: &[u8] = b"ROLLBACK TO SAVEPOINT weir_statement";

/// How a write is to be run.
#[derive(Clone, Copy, Debug)]
pub struct WriteTerms<'a> {
    pub kind: WriteKind,
    pub bracket: Bracket,
    /// Told of the connections that run; says why a statement that ends in 1317 was stopped.
    pub running: &'a Running,
    /// Where the rows of RETURNING go.
    pub returned: Option<&'a Mutex<Returned>>,
}

/// What was written.
#[derive(Debug, Default)]
pub struct Written {
    pub affected_rows: u64,
    /// The first target's that has one.
    pub last_insert_id: u64,
    /// Of each target of a split statement that names one, by the target's number.
    pub insert_ids: Vec<(usize, u64)>,
    pub warnings: u16,
    pub status: StatusFlags,
    pub info: Vec<u8>,
    /// What `info` says of an INSERT; of the first copy of a broadcast table.
    pub inserted: Inserted,
    /// The rows of RETURNING.
    pub returned: Option<returned::Answer>,
}

/// Why nothing, or not all, was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotWritten {
    pub error: Error,
    /// The client's transaction is gone on one of the connections (a deadlock, a lost connection):
    /// it must be rolled back on all.
    pub transaction_lost: bool,
}

/// What stands around a statement, so that it can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bracket {
    /// A single backend statement is atomic by itself, or the caller undoes all of it.
    None,
    /// In the client's transaction.
    Savepoint,
    /// In autocommit, on one group.
    Transaction,
}

/// What one target answered.
type Answered = (usize, Option<u32>, OkInfo);

/// Runs all parts of all lanes, which stand in the order of their groups.
///
/// The lanes are idle afterwards, or out of step and to be closed. If the future is dropped, all of
/// them must be closed, which rolls back what was open.
///
/// # Errors
/// The first server's error, under logical names. Nothing is left of the statement then, unless the
/// error's code is `write_partial` or `ddl_partial`.
pub async fn write(lanes: &mut [Lane<'_>], terms: &WriteTerms<'_>) -> Result<Written, NotWritten> {
    if terms.kind == WriteKind::Definition {
        return definition::run(lanes, terms.running, &Described::nothing()).await;
    }
    for lane in &*lanes {
        terms.running.add(lane.connection.kill_handle());
    }
    let parts: usize = lanes.iter().map(|lane| lane.parts.len()).sum();
    let bracket = if parts > 1 { terms.bracket } else { Bracket::None };
    let outcome = match open(lanes, bracket).await {
        Ok(()) => run(lanes, terms).await,
        Err(error) => Err(error),
    };
    let answers = match outcome {
        Ok(answers) => answers,
        // A deadlock took the transaction with its savepoints: the session rolls back all groups.
        Err(error) if bracket == Bracket::Savepoint && is_rolled_back(lanes, &error) => {
            return Err(NotWritten { error, transaction_lost: true });
        }
        Err(error) => {
            let transaction_lost = undo(lanes, bracket).await;
            return Err(NotWritten { error: terms.running.explain(error), transaction_lost });
        }
    };
    if bracket == Bracket::Transaction {
        let commit = commit(lanes).await;
        commit.map_err(|error| NotWritten { error, transaction_lost: false })?;
    }
    Ok(compose(lanes, terms.kind, answers))
}

async fn open(lanes: &mut [Lane<'_>], bracket: Bracket) -> Result<()> {
    let sql: &[u8] = match bracket {
        Bracket::None => return Ok(()),
        Bracket::Savepoint => SET_SAVEPOINT,
        Bracket::Transaction => b"START TRANSACTION",
    };
    let handles: Vec<_> = lanes.iter().map(|lane| lane.connection.kill_handle()).collect();
    let work = lanes.iter_mut();
    let work = work.map(|lane| {
        Box::pin(async move {
            lane.connection.send_lead().await?;
            lane.connection.simple(sql).await
        }) as Work<'_, _>
    });
    first_error(run_all(work.collect(), &handles).await).map(drop)
}

async fn run(lanes: &mut [Lane<'_>], terms: &WriteTerms<'_>) -> Result<Vec<Answered>> {
    let (kind, returned) = (terms.kind, terms.returned);
    let mut answers = Vec::new();
    let mut rest = lanes;
    if kind == WriteKind::Broadcast
        && let Some((first, others)) = std::mem::take(&mut rest).split_first_mut()
    {
        // In parallel from the start, two such writes could wait for each other across groups,
        // which no server notices (mysql-traps 20).
        answers = run_parts(first, returned.map(|returned| terms_of(returned, true))).await?;
        rest = others;
    }
    let handles: Vec<_> = rest.iter().map(|lane| lane.connection.kill_handle()).collect();
    // A broadcast table's first copy has answered.
    let returned = returned.map(|returned| terms_of(returned, kind != WriteKind::Broadcast));
    let work = rest.iter_mut().map(|lane| Box::pin(run_parts(lane, returned)) as Work<'_, _>);
    let others = first_error(run_all(work.collect(), &handles).await)?;
    answers.extend(others.into_iter().flatten());
    answers.sort_by_key(|(target, ..)| *target);
    if kind == WriteKind::Broadcast {
        alike(&answers)?
    }
    Ok(answers)
}

fn terms_of(returned: &Mutex<Returned>, kept: bool) -> returned::Terms<'_> {
    let skips = returned.lock().unwrap_or_else(PoisonError::into_inner).skips();
    returned::Terms { returned, kept, skips }
}

async fn run_parts(
    lane: &mut Lane<'_>,
    returned: Option<returned::Terms<'_>>,
) -> Result<Vec<Answered>> {
    let mut answers = Vec::new();
    while let Some((part, begun)) = lane.begin().await? {
        match begun {
            Begun::Done(info) => {
                lane.fetch_warnings().await;
                // LOAD DATA's info is a sum of its own.
                let is_load = matches!(part.command, Command::Load { .. });
                answers.push((part.target, part.inserted.filter(|_| !is_load).map(count), info));
            }
            Begun::Rows(columns) if let Some(returned) = returned => {
                let info = collect(lane, &part, columns, returned).await?;
                lane.fetch_warnings().await;
                answers.push((part.target, None, info));
            }
            Begun::Rows(_) => {
                lane.drain(usize::MAX).await?;
                return Err(Error::refused(
                    "write_returns_rows",
                    "A statement that changes several shards answered with rows where none were due",
                ));
            }
        }
    }
    Ok(answers)
}

/// How many rows a part has; a statement has no more than the lexer's limit.
pub(super) fn count(rows: &[u32]) -> u32 {
    u32::try_from(rows.len()).unwrap_or(u32::MAX)
}

/// All copies of a broadcast table must have changed alike.
fn alike(answers: &[Answered]) -> Result<()> {
    let counts = || answers.iter().map(|(_, _, info)| info.affected_rows);
    let first = counts().next();
    if counts().all(|count| Some(count) == first) {
        return Ok(());
    }
    let counts: Vec<String> = counts().map(|count| count.to_string()).collect();
    Err(Error::new(
        Fault::Refused,
        1105,
        b"HY000",
        "broadcast_differs",
        format!(
            "The copies of the broadcast table differ: the statement would change {} rows in its \
             groups; nothing was changed. Bring the copies into line first",
            counts.join(", ")
        ),
    ))
}

/// Whether the error is the end of the transaction, and every connection may go on.
fn is_rolled_back(lanes: &[Lane<'_>], error: &Error) -> bool {
    let ends = matches!(error.errno, 1213 | 1402 | 1613 | 1614);
    ends && lanes.iter().all(|lane| lane.connection.is_in_step())
}

/// Takes back what was done. True where the client's transaction was lost thereby.
async fn undo(lanes: &mut [Lane<'_>], bracket: Bracket) -> bool {
    for lane in lanes.iter_mut().filter(|lane| lane.connection.is_unused()) {
        // Its turn never came: what was written for it is answered first.
        if lane.connection.settle().await.is_err() {
            lane.connection.condemn();
        }
    }
    let sql = match bracket {
        Bracket::None => {
            return lanes.iter().any(|lane| lane.keep && !lane.connection.is_in_step());
        }
        Bracket::Savepoint => BACK_TO_SAVEPOINT,
        Bracket::Transaction => b"ROLLBACK",
    };
    let work = lanes.iter_mut().map(|lane| Box::pin(undo_one(lane, sql)) as Work<'_, bool>);
    let undone = run_all(work.collect(), &[]).await;
    bracket == Bracket::Savepoint && !undone.iter().all(|outcome| matches!(outcome, Some(Ok(true))))
}

async fn undo_one(lane: &mut Lane<'_>, sql: &[u8]) -> Result<bool> {
    if !lane.connection.is_in_step() {
        // It is closed, and its server rolls back.
        lane.connection.condemn();
        return Ok(false);
    }
    let outcome = match lane.connection.outlive_kill().await {
        Ok(()) => lane.connection.simple(sql).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(_) => Ok(true),
        // A deadlock took the whole transaction and the savepoint with it (1305): the connection is
        // fine.
        Err(error) if error.errno == 1305 => Ok(false),
        Err(_) => {
            lane.connection.condemn();
            Ok(false)
        }
    }
}

/// Commits the one lane that there is: a bracket of several groups is the session's.
async fn commit(lanes: &mut [Lane<'_>]) -> Result<()> {
    let [lane] = lanes else {
        undo(lanes, Bracket::Transaction).await;
        return Err(Error::internal("several groups in one plain transaction"));
    };
    match lane.connection.simple(b"COMMIT").await {
        Ok(_) => Ok(()),
        Err(error) if lane.connection.is_in_step() => Err(error),
        Err(error) => Err(crate::transaction::conclude::unknown(Some(error), None)),
    }
}

/// What MySQL says of VALUES() in ON DUPLICATE KEY UPDATE, which each part of an INSERT has.
const OF_TEXT: (u16, &str) = (1287, "'VALUES function'");

/// Leaves that of one part; how many went.
fn tell_text_once(lanes: &mut [Lane<'_>], parts: usize) -> u16 {
    let (errno, start) = OF_TEXT;
    let is_of_text =
        |warning: &Warning| warning.errno == errno && warning.message.starts_with(start);
    let all = lanes.iter().flat_map(|lane| &lane.noted).filter(|warning| is_of_text(warning));
    let mut kept = all.count() / parts.max(1);
    let mut gone = 0;
    for lane in lanes {
        lane.noted.retain(|warning| {
            if !is_of_text(warning) {
                return true;
            }
            let stays = kept > 0;
            kept = kept.saturating_sub(1);
            gone += u16::from(!stays);
            stays
        });
    }
    gone
}

/// What every shard warned of is one warning.
fn tell_once(lanes: &mut [Lane<'_>]) {
    let mut seen: Vec<Warning> = Vec::new();
    for lane in lanes {
        lane.noted.retain(|warning| {
            let is_new = !seen.contains(warning);
            if is_new {
                seen.push(warning.clone());
            }
            is_new
        });
    }
}

/// One answer out of many.
pub(super) fn compose(lanes: &mut [Lane<'_>], kind: WriteKind, answers: Vec<Answered>) -> Written {
    let mut written = Written::default();
    let mut repeated = 0;
    match kind {
        WriteKind::Split => repeated = tell_text_once(lanes, answers.len()),
        // What the first copy warned of, the others do too.
        WriteKind::Broadcast => lanes.iter_mut().skip(1).for_each(|lane| lane.noted.clear()),
        WriteKind::Definition => tell_once(lanes),
    }
    for lane in lanes {
        let status = lane.connection.status.without(StatusFlags::SESSION_STATE_CHANGED);
        written.status = written.status.with(status);
    }
    if kind == WriteKind::Broadcast {
        // What one server holding one copy would say.
        if let Some((_, rows, first)) = answers.into_iter().next() {
            let (affected, warnings) = (first.affected_rows, first.warnings);
            written.inserted = Inserted::of(rows.unwrap_or(0), &first.info, affected, warnings);
            written.affected_rows = first.affected_rows;
            written.last_insert_id = first.last_insert_id;
            written.warnings = first.warnings;
            written.info = first.info;
        }
        return written;
    }
    let mut inserted = Inserted::default();
    for (target, rows, info) in &answers {
        if kind == WriteKind::Split && info.last_insert_id != 0 {
            written.insert_ids.push((*target, info.last_insert_id));
        }
        written.affected_rows = written.affected_rows.saturating_add(info.affected_rows);
        written.warnings = match kind {
            // Each shard warns of the same.
            WriteKind::Definition => written.warnings.max(info.warnings),
            _ => written.warnings.saturating_add(info.warnings),
        };
        if written.last_insert_id == 0 {
            written.last_insert_id = info.last_insert_id;
        }
        if let Some(rows) = rows {
            inserted.add(Inserted::of(*rows, &info.info, info.affected_rows, info.warnings));
        }
    }
    written.warnings = written.warnings.saturating_sub(repeated);
    inserted.warnings = inserted.warnings.saturating_sub(u64::from(repeated));
    written.inserted = inserted;
    written.info = if inserted.records > 0 {
        inserted.text()
    } else {
        info::sum(answers.iter().map(|(_, _, info)| info.info.as_slice())).unwrap_or_default()
    };
    written
}
