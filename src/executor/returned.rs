//! Rows that a write on several targets answers with (RETURNING).
//!
//! Owns: reading them while the write may still be taken back, that the targets' columns fit each
//! other, and the order of the rows: that of the statement's own rows, where it has any. Never: grows
//! beyond its [`Memory`], or sends anything: the client hears of rows that are committed.
//!
//! MariaDB answers OK where the last row's RETURNING fails, or is killed: with that row written and
//! not among the answer's. Every target has a last row, so that here it is the error that it is.

use std::sync::{Mutex, PoisonError};

use crate::backend::answer::OkInfo;
use crate::error::{Error, Fault, Result};
use crate::executor::columns::Columns;
use crate::executor::lane::{Lane, Next, Part};
use crate::executor::memory::Memory;
use crate::executor::rename::Names;
use crate::executor::stream::{blame, check};
use crate::protocol::column::Column;

/// What is held.
#[derive(Debug)]
pub struct Returned {
    memory: Memory,
    skips: bool,
    columns: Option<Columns>,
    /// The definitions as the client gets them: those of the target that answered first.
    definitions: Vec<Vec<u8>>,
    /// Each row behind its place in the answer.
    rows: Vec<(u64, Vec<u8>)>,
}

/// A finished answer.
#[derive(Debug)]
pub struct Answer {
    pub definitions: Vec<Vec<u8>>,
    pub rows: Vec<Vec<u8>>,
    /// What the rows take, until they are sent.
    _memory: Memory,
}

impl Returned {
    /// `skips`: the statement says IGNORE.
    pub fn new(memory: Memory, skips: bool) -> Self {
        Returned { memory, skips, columns: None, definitions: Vec::new(), rows: Vec::new() }
    }

    pub fn skips(&self) -> bool {
        self.skips
    }

    /// All that was read, in its order.
    pub fn answer(mut self) -> Answer {
        self.rows.sort_by_key(|(place, _)| *place);
        let rows = self.rows.into_iter().map(|(_, row)| row).collect();
        Answer { definitions: self.definitions, rows, _memory: self.memory }
    }
}

/// What becomes of a target's rows.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    pub returned: &'a Mutex<Returned>,
    /// The client gets them; those of a broadcast table's other copies are only counted.
    pub kept: bool,
    /// IGNORE: a row that is left out is none of the answer's.
    pub skips: bool,
}

/// Reads a target's rows to their end.
///
/// # Errors
/// What the server swallowed, `returning_short`, `shards_differ`, 1038 where the statement's memory is
/// used up, and those of [`Lane::take`].
pub async fn collect<'c>(
    lane: &mut Lane<'c>,
    part: &Part<'c>,
    definitions: Vec<Vec<u8>>,
    Terms { returned, kept, skips }: Terms<'_>,
) -> Result<OkInfo> {
    let locked = || returned.lock().unwrap_or_else(PoisonError::into_inner);
    let first = locked().columns.clone();
    let widths = match &first {
        Some(first) => match check(first, &definitions, lane, part) {
            Ok(widths) => widths,
            Err(error) => return Err(left(lane, error).await),
        },
        None => {
            let names = Names(part.names);
            let shown = definitions.iter().map(|payload| {
                let mut out = Vec::with_capacity(payload.len());
                names.column(Column::parse(payload)?).write(&mut out);
                Ok(out)
            });
            let shown = shown.collect::<Result<_>>().map_err(|error| blame(lane, error))?;
            let columns = Columns::parse(definitions).map_err(|error| blame(lane, error))?;
            let mut returned = locked();
            (returned.definitions, returned.columns) = (shown, Some(columns));
            None
        }
    };
    let (mut rows, mut affected_rows): (Vec<Vec<u8>>, usize) = (Vec::new(), 0);
    let (mut row, mut wide) = (Vec::new(), Vec::new());
    let end = loop {
        match lane.take(part.names, &mut row)? {
            Next::Row => {
                let row = match &widths {
                    Some(widths) => {
                        widths.convert(&row, &mut wide).map_err(|error| blame(lane, error))?;
                        &wide
                    }
                    None => &row,
                };
                affected_rows += 1;
                if !kept {
                    continue;
                }
                let bytes = row.len() + size_of::<(u64, Vec<u8>)>();
                let grown = locked().memory.grow(bytes as u64, "RETURNING from several shards");
                if let Err(error) = grown {
                    return Err(left(lane, error).await);
                }
                rows.push(row.clone());
            }
            Next::End(end) => break end,
            Next::Wait => match lane.connection.stream.fill().await {
                Ok(0) => return Err(lane.broken("it closed the connection within its rows")),
                Ok(_) => {}
                Err(error) => return Err(lane.broken(&error.message)),
            },
        }
    };
    let due = part.inserted.map_or(0, <[u32]>::len);
    let is_short = affected_rows < due && !skips;
    if end.warnings > 0 || is_short {
        lane.fetch_warnings().await;
        if let Some(error) = lane.noted_error() {
            return Err(error);
        }
    }
    if is_short {
        return Err(Error::new(
            Fault::Backend,
            1317,
            b"70100",
            "returning_short",
            "A server answered RETURNING with fewer rows than it inserted, as one does that is interrupted",
        ));
    }
    if kept {
        let numbers = part.inserted.filter(|numbers| numbers.len() == rows.len());
        let base = match part.inserted.and_then(<[u32]>::first) {
            Some(first) => u64::from(*first),
            None => (part.target as u64) << 32,
        };
        // IGNORE leaves rows out, and nothing says which: those of a target stay together.
        let place = |at: usize| match (numbers.and_then(|numbers| numbers.get(at)), part.inserted) {
            (Some(number), _) => u64::from(*number),
            (None, Some(_)) => base,
            (None, None) => base + at as u64,
        };
        let placed = rows.into_iter().enumerate().map(|(at, row)| (place(at), row));
        locked().rows.extend(placed);
    }
    let affected_rows = affected_rows as u64;
    Ok(OkInfo { affected_rows, status: end.status, warnings: end.warnings, ..OkInfo::default() })
}

/// Leaves the rest of the rows: the connection goes on, for what was written to be taken back.
async fn left(lane: &mut Lane<'_>, error: Error) -> Error {
    lane.drain(usize::MAX).await.err().unwrap_or(error)
}
