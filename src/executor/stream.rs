//! The rows of a scatter on their way: from the lanes through the merge to the client.
//!
//! Owns: which lane is waited for, reading ahead, the client's pace, and the end of each input.
//! Never: starts or stops a statement ([`crate::executor::scatter`] does), or knows how rows are
//! merged.

use std::collections::HashSet;
use std::future::{Future, poll_fn, ready};
use std::pin::pin;
use std::task::{Context, Poll};

use crate::error::{Error, Fault, Result};
use crate::executor::columns::{Columns, Fit};
use crate::executor::held::HeldRows;
use crate::executor::lane::{Begun, Command, Lane, Next, Part};
use crate::executor::merge::{Flow, Gathering, Tournament};
use crate::executor::rename::Names;
use crate::executor::width::Widths;
use crate::observe::budget::Reservation;
use crate::planner::plan::Renaming;
use crate::protocol::row::RowIndex;
use crate::wire::stream::Stream;

/// Rows for the client are sent in pieces of about this many bytes.
const FLUSH_OVER: usize = 32 << 10;
/// How many bytes of rows are merged before other tasks of the worker get their turn.
const YIELD_AFTER: usize = 128 << 10;

/// Why rows ended before their end.
#[derive(Debug)]
pub enum Stop {
    /// The client left or broke the protocol.
    Client(Error),
    /// The client can be told: its stream stands between two packets.
    Failed(Error),
    /// Half a row may have been sent.
    Torn(Error),
}

/// One target's rows.
#[derive(Debug)]
pub struct Input<'c> {
    pub target: usize,
    pub lane: usize,
    pub rows: Rows,
    shard: Option<u32>,
    names: &'c [Renaming],
    /// Where its rows come in other widths than the first one's.
    pub widths: Option<Widths>,
    /// The row that was taken last.
    row: Vec<u8>,
    index: RowIndex,
}

/// Where an input's rows are.
#[derive(Debug)]
pub enum Rows {
    /// Its lane hasn't come to it.
    Later,
    /// On its lane.
    Live,
    Held(HeldRows),
    Ended,
}

impl<'c> Input<'c> {
    pub fn of(lane: usize, part: &Part<'c>) -> Self {
        Input {
            target: part.target,
            lane,
            rows: Rows::Later,
            shard: part.shard,
            names: part.names,
            widths: None,
            row: Vec::new(),
            index: RowIndex::default(),
        }
    }

    pub fn names(&self) -> &'c [Renaming] {
        self.names
    }

    /// The row that was taken, in the widths that are due.
    fn widen(&mut self) -> Result<()> {
        let Some(widths) = &self.widths else { return Ok(()) };
        let mut row = Vec::with_capacity(self.row.len() + 8);
        widths.convert(&self.row, &mut row)?;
        self.row = row;
        Ok(())
    }
}

/// A merge under way.
pub struct Merging<'r, 'c> {
    client: &'r mut Stream,
    lanes: &'r mut [Lane<'c>],
    inputs: Vec<Input<'c>>,
    gathering: Gathering,
    /// What each target's columns must be.
    columns: Columns,
    /// What the lanes may hold of rows that weren't asked for yet.
    reservation: Reservation,
    read_ahead: usize,
    sent: u64,
    since_yield: usize,
}

impl<'r, 'c> Merging<'r, 'c> {
    pub fn new(
        client: &'r mut Stream,
        lanes: &'r mut [Lane<'c>],
        inputs: Vec<Input<'c>>,
        gathering: Gathering,
        columns: Columns,
        reservation: Reservation,
    ) -> Self {
        let (read_ahead, sent, since_yield) = (0, 0, 0);
        Merging {
            client,
            lanes,
            inputs,
            gathering,
            columns,
            reservation,
            read_ahead,
            sent,
            since_yield,
        }
    }

    /// Rows sent to the client so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Merges all rows. Each lane is read ahead by at most so many bytes and one row.
    pub async fn run(&mut self, read_ahead: usize) -> Result<(), Stop> {
        self.read_ahead = read_ahead;
        if self.gathering.is_satisfied() {
            return Ok(());
        }
        if self.gathering.is_ordered() {
            self.merge().await?;
        } else {
            self.one_after_the_other().await?;
        }
        let (client, sent) = (&mut *self.client, &mut self.sent);
        let emit = |row: &[u8]| send(client, sent, row);
        self.gathering.finish(emit).map_err(Stop::Failed)?;
        while let Some(row) = self.gathering.sorted() {
            send(self.client, &mut self.sent, row);
            self.since_yield += row.len();
            self.keep_pace().await?;
        }
        Ok(())
    }

    async fn merge(&mut self) -> Result<(), Stop> {
        let mut tree = Tournament::new(self.inputs.len());
        for place in 0..self.inputs.len() {
            if self.next(place).await? {
                let mut key = Vec::new();
                let (gathering, input, lane) = self.parts_of(place)?;
                let outcome = gathering.index(&input.row, &mut input.index);
                let outcome =
                    outcome.and_then(|()| gathering.put_key(&input.row, &input.index, &mut key));
                outcome.map_err(|error| Stop::Failed(blame(lane, error)))?;
                tree.set(place, Some(key));
            }
        }
        tree.start();
        while let Some(place) = tree.winner() {
            if self.push(place, tree.key(place).unwrap_or_default())? == Flow::Enough {
                return Ok(());
            }
            self.keep_pace().await?;
            if !self.next(place).await? {
                tree.end(place);
                continue;
            }
            let (gathering, input, lane) = self.parts_of(place)?;
            let (row, index) = (&input.row, &mut input.index);
            let outcome = gathering.index(row, index);
            let in_order = outcome
                .and_then(|()| tree.advance(place, |key| gathering.put_key(row, index, key)))
                .map_err(|error| Stop::Failed(blame(lane, error)))?;
            if !in_order {
                return Err(Stop::Failed(disorder(lane, input.shard)));
            }
        }
        Ok(())
    }

    async fn one_after_the_other(&mut self) -> Result<(), Stop> {
        // What ANALYZE TABLE and its kin say of shards is about one logical table: the same row of
        // several shards is one row.
        let renames = self.inputs.iter().any(|input| Names(input.names).in_rows());
        let mut told: HashSet<Vec<u8>> = HashSet::new();
        let is_plain = self.gathering.is_plain() && !renames;
        let is_folded = self.gathering.is_folded();
        for place in 0..self.inputs.len() {
            self.begin(place).await?;
            if is_plain && self.inputs.get(place).is_some_and(|input| input.widths.is_none()) {
                self.relay(place).await?;
                continue;
            }
            while self.next(place).await? {
                let repeated = |input: &Input<'_>| !told.insert(input.row.clone());
                if renames && self.inputs.get(place).is_some_and(repeated) {
                    continue;
                }
                if is_folded {
                    let (gathering, input, lane) = self.parts_of(place)?;
                    let outcome = gathering.index(&input.row, &mut input.index);
                    outcome.map_err(|error| Stop::Failed(blame(lane, error)))?;
                }
                if self.push(place, &[])? == Flow::Enough {
                    return Ok(());
                }
                self.keep_pace().await?;
            }
        }
        Ok(())
    }

    /// Sends an input's part where its connection served another one until now.
    async fn begin(&mut self, place: usize) -> Result<(), Stop> {
        let Some(input) = self.inputs.get_mut(place) else { return Ok(()) };
        if !matches!(input.rows, Rows::Later) {
            return Ok(());
        }
        let lane = self.lanes.get_mut(input.lane).ok_or_else(no_lane)?;
        self.client.flush().await.map_err(Stop::Client)?;
        let begun = tokio::select! {
            biased;
            begun = lane.begin() => begun.map_err(Stop::Failed)?,
            () = self.client.closed() => return Err(Stop::Client(client_gone())),
        };
        let Some((part, Begun::Rows(payloads))) = begun else {
            return Err(Stop::Failed(lane.hostile("OK where rows were due")));
        };
        input.widths = check(&self.columns, &payloads, lane, &part).map_err(Stop::Failed)?;
        input.rows = Rows::Live;
        Ok(())
    }

    /// Passes an input's rows on as they are.
    async fn relay(&mut self, place: usize) -> Result<(), Stop> {
        let Some(input) = self.inputs.get_mut(place) else { return Ok(()) };
        let lane = self.lanes.get_mut(input.lane).ok_or_else(no_lane)?;
        match self.client.relay_rows(&mut lane.connection.stream).await {
            Ok(rows) => self.sent += rows,
            Err(error) if is_clients(&error) => return Err(Stop::Client(error)),
            // A long row is passed on piece by piece, so that half of it may be out.
            Err(error) => return Err(Stop::Torn(lane.broken(&error.message))),
        }
        let number = input.lane;
        if self.next(place).await? {
            let lane = self.lanes.get_mut(number).ok_or_else(no_lane)?;
            return Err(Stop::Failed(lane.hostile("a row behind the end of its rows")));
        }
        Ok(())
    }

    /// Gives an input's row to the merge.
    fn push(&mut self, place: usize, key: &[u8]) -> Result<Flow, Stop> {
        let Some(input) = self.inputs.get(place) else { return Ok(Flow::More) };
        self.since_yield += input.row.len();
        let (client, sent) = (&mut *self.client, &mut self.sent);
        let emit = |row: &[u8]| send(client, sent, row);
        let flow = self.gathering.push(key, &input.row, &input.index, emit);
        flow.map_err(|error| match self.lanes.get_mut(input.lane) {
            Some(lane) => Stop::Failed(blame(lane, error)),
            None => Stop::Failed(error),
        })
    }

    /// Takes an input's next row, waiting for it. False where the input has ended.
    async fn next(&mut self, place: usize) -> Result<bool, Stop> {
        if !self.take(place).await? {
            return Ok(false);
        }
        let Some(input) = self.inputs.get_mut(place) else { return Ok(false) };
        let lane = self.lanes.get_mut(input.lane).ok_or_else(no_lane)?;
        input.widen().map_err(|error| Stop::Failed(blame(lane, error)))?;
        Ok(true)
    }

    /// The same as it came.
    async fn take(&mut self, place: usize) -> Result<bool, Stop> {
        loop {
            let Some(input) = self.inputs.get_mut(place) else { return Ok(false) };
            match &mut input.rows {
                Rows::Ended | Rows::Later => return Ok(false),
                Rows::Held(held) => {
                    if held.take(&mut input.row) {
                        return Ok(true);
                    }
                    input.rows = Rows::Ended;
                    return Ok(false);
                }
                Rows::Live => {
                    let number = input.lane;
                    let lane = self.lanes.get_mut(number).ok_or_else(no_lane)?;
                    match lane.take(input.names, &mut input.row).map_err(Stop::Failed)? {
                        Next::Row => return Ok(true),
                        Next::End(_) => {
                            input.rows = Rows::Ended;
                            return Ok(false);
                        }
                        Next::Wait => self.wait(number).await?,
                    }
                }
            }
        }
    }

    /// Waits for bytes of a lane. Before that, what waits for the client is sent; meanwhile the other
    /// lanes are read ahead, and the client is watched.
    async fn wait(&mut self, wanted: usize) -> Result<(), Stop> {
        self.since_yield = 0;
        let lane = self.lanes.get_mut(wanted).ok_or_else(no_lane)?;
        let at_once = tokio::select! {
            biased;
            filled = lane.connection.stream.fill() => Some(filled),
            () = ready(()) => None,
        };
        match at_once {
            Some(filled) => arrived(lane, filled)?,
            None => {
                self.client.flush().await.map_err(Stop::Client)?;
                let (lanes, read_ahead) = (&mut *self.lanes, self.read_ahead);
                tokio::select! {
                    biased;
                    outcome = poll_fn(|context| poll_lanes(lanes, wanted, read_ahead, context)) => {
                        outcome?;
                    }
                    () = self.client.closed() => return Err(Stop::Client(client_gone())),
                }
            }
        }
        let buffered: usize =
            self.lanes.iter().map(|lane| lane.connection.stream.buffer().len()).sum();
        let more = (buffered as u64).saturating_sub(self.reservation.bytes());
        if more > 0 { self.reservation.grow(more).map_err(Stop::Failed) } else { Ok(()) }
    }

    /// Sends what waits for the client where it is enough, and lets others have their turn.
    async fn keep_pace(&mut self) -> Result<(), Stop> {
        if self.client.pending_write() > FLUSH_OVER {
            self.client.flush().await.map_err(Stop::Client)?;
        }
        if self.since_yield > YIELD_AFTER {
            self.since_yield = 0;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    fn parts_of(
        &mut self,
        place: usize,
    ) -> Result<(&Gathering, &mut Input<'c>, &mut Lane<'c>), Stop> {
        let input = self.inputs.get_mut(place).ok_or_else(no_lane)?;
        let lane = self.lanes.get_mut(input.lane).ok_or_else(no_lane)?;
        Ok((&self.gathering, input, lane))
    }
}

fn send(client: &mut Stream, sent: &mut u64, row: &[u8]) {
    client.write_packet(row);
    *sent += 1;
}

/// Reads whatever lane has bytes and room for them; ready when the wanted one got some, or one broke.
///
/// The futures of `fill` are dropped right after their poll, which is sound: they are cancel-safe,
/// and the socket keeps the waker.
fn poll_lanes(
    lanes: &mut [Lane<'_>],
    wanted: usize,
    read_ahead: usize,
    context: &mut Context<'_>,
) -> Poll<Result<(), Stop>> {
    let mut is_ready = false;
    for (place, lane) in lanes.iter_mut().enumerate() {
        while lane.is_running() {
            let stream = &mut lane.connection.stream;
            if place != wanted && stream.buffer().len() >= read_ahead {
                break;
            }
            let Poll::Ready(filled) = pin!(stream.fill()).poll(context) else { break };
            // A lane that isn't wanted may have closed behind the last of its rows.
            if place != wanted && matches!(filled, Ok(0)) && lane.connection.stream.has_buffered() {
                break;
            }
            if let Err(stop) = arrived(lane, filled) {
                return Poll::Ready(Err(stop));
            }
            if place == wanted {
                is_ready = true;
                break;
            }
        }
    }
    if is_ready { Poll::Ready(Ok(())) } else { Poll::Pending }
}

fn arrived(lane: &mut Lane<'_>, filled: Result<usize>) -> Result<(), Stop> {
    match filled {
        Ok(0) => Err(Stop::Failed(lane.broken("it closed the connection within its rows"))),
        Ok(_) => Ok(()),
        Err(error) => Err(Stop::Failed(lane.broken(&error.message))),
    }
}

/// Holds a target's columns against the first one's; the widths that its rows are to be given, where
/// they come in others.
///
/// # Errors
/// They differ: no merge of the two could be right.
pub fn check(
    columns: &Columns,
    payloads: &[Vec<u8>],
    lane: &mut Lane<'_>,
    part: &Part<'_>,
) -> Result<Option<Widths>> {
    let (shard, text) = (part.shard, !matches!(part.command, Command::Execute { .. }));
    let difference = match columns.fit(payloads, text).map_err(|error| blame(lane, error))? {
        Fit::Alike => return Ok(None),
        Fit::Widened(widths) => return Ok(Some(widths)),
        Fit::Not(difference) => difference,
    };
    Err(Error::new(
        Fault::Refused,
        1105,
        b"HY000",
        "shards_differ",
        format!(
            "{} answers with {difference}; the tables of all shards must be alike, so finish the \
             ALTER TABLE there (`weir check --online` lists what differs)",
            place(lane, shard)
        ),
    ))
}

fn disorder(lane: &mut Lane<'_>, shard: Option<u32>) -> Error {
    lane.connection.condemn();
    Error::new(
        Fault::Internal,
        1105,
        b"HY000",
        "merge_disorder",
        format!(
            "{} sent rows in another order than their keys have, so that a merge would be wrong; \
             ordering or grouping by an expression such as CAST(… AS CHAR) avoids it",
            place(lane, shard)
        ),
    )
}

fn place(lane: &Lane<'_>, shard: Option<u32>) -> String {
    let node = lane.connection.node().title();
    shard.map_or_else(|| node.to_string(), |shard| format!("shard {shard} on {node}"))
}

/// A row or definition that can't be read is its server's fault.
pub fn blame(lane: &mut Lane<'_>, error: Error) -> Error {
    if error.fault == Fault::Client { lane.hostile(&error.message) } else { error }
}

/// Whether the client's stream failed rather than the backend's.
fn is_clients(error: &Error) -> bool {
    matches!(error.code, "client_gone" | "disconnected") || error.fault == Fault::Client
}

pub fn client_gone() -> Error {
    Error::unavailable("client_gone", "the client closed").fatal()
}

fn no_lane() -> Stop {
    Stop::Failed(Error::internal("an input without a lane"))
}
