//! The rows of a scatter on their way: from the lanes through the merge to the client.
//!
//! Owns: which lane is waited for, reading ahead, the client's pace, and the end of each input.
//! Never: starts or stops a statement ([`crate::executor::scatter`] does), or knows how rows are
//! merged.

mod runs;

use std::collections::HashSet;
use std::future::{Future, poll_fn, ready};
use std::pin::pin;
use std::task::{Context, Poll};

use crate::error::{Error, Fault, Result};
use crate::executor::columns::{Columns, Fit};
use crate::executor::held::HeldRows;
use crate::executor::key::Key;
use crate::executor::lane::{Begun, Command, Lane, Next, Part};
use crate::executor::merge::{Flow, Gathering};
use crate::executor::pass::is_clients;
use crate::executor::rename::Names;
use crate::executor::tournament::Tournament;
use crate::executor::width::Widths;
use crate::observe::budget::Reservation;
use crate::planner::plan::Renaming;
use crate::protocol::framing::HEADER_LENGTH;
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
    /// Rows hold names that have to be turned back.
    is_renamed: bool,
    head: Head,
    /// The row that was taken last.
    row: Vec<u8>,
    index: RowIndex,
}

/// Where the row is that an input stands at.
#[derive(Clone, Copy, Debug)]
enum Head {
    /// Its packet is whole at the front of what its lane has buffered, with so long a payload.
    Ahead(usize),
    /// In [`Input::row`].
    Taken,
}

/// What an input stands at.
enum Found {
    Row,
    /// Its lane needs more bytes.
    Nothing,
    End,
}

/// Why rows aren't merged on for a moment.
enum Pause {
    /// The lane needs more bytes.
    Bytes(usize),
    /// Enough has been done for the client or the worker to be looked after.
    Pace,
    /// No more rows come, or are wanted.
    End,
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
            is_renamed: Names(part.names).in_rows(),
            head: Head::Taken,
            row: Vec::new(),
            index: RowIndex::default(),
        }
    }

    pub fn names(&self) -> &'c [Renaming] {
        self.names
    }

    /// True for rows that need no change before they are merged.
    fn is_as_due(&self) -> bool {
        !self.is_renamed && self.widths.is_none()
    }

    /// Finds the next row in what has arrived.
    fn find(&mut self, lanes: &mut [Lane<'c>]) -> Result<Found, Stop> {
        let is_as_due = self.is_as_due();
        let found = match &mut self.rows {
            Rows::Ended | Rows::Later => Found::End,
            Rows::Held(held) => match held.take(&mut self.row) {
                true => Found::Row,
                false => Found::End,
            },
            Rows::Live => {
                let lane = lanes.get_mut(self.lane).ok_or_else(no_lane)?;
                let ahead = is_as_due.then(|| lane.connection.stream.row_ahead()).flatten();
                if let Some(length) = ahead {
                    self.head = Head::Ahead(length);
                    return Ok(Found::Row);
                }
                match lane.take(self.names, &mut self.row).map_err(Stop::Failed)? {
                    Next::Row => Found::Row,
                    Next::Wait => return Ok(Found::Nothing),
                    Next::End(_) => Found::End,
                }
            }
        };
        match found {
            Found::Row => {
                self.head = Head::Taken;
                let lane = lanes.get_mut(self.lane).ok_or_else(no_lane)?;
                self.widen().map_err(|error| Stop::Failed(blame(lane, error)))?;
            }
            _ => self.rows = Rows::Ended,
        }
        Ok(found)
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
        if self.is_quick() {
            self.merge_runs().await?;
        } else if self.gathering.is_ordered() {
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
                let read = |gathering: &Gathering, row: &[u8], index: &mut RowIndex| {
                    tree.set(place, |key| gathering.read(row, index, key))
                };
                self.read(place, read)?;
            }
        }
        tree.start();
        let mut due = None;
        loop {
            match self.merge_buffered(&mut tree, &mut due)? {
                Pause::Bytes(lane) => self.wait(lane).await?,
                Pause::Pace => self.keep_pace().await?,
                Pause::End => return Ok(()),
            }
        }
    }

    /// Merges what has arrived. `due` is the input whose last row went, and whose next one isn't in
    /// the tree yet.
    fn merge_buffered(
        &mut self,
        tree: &mut Tournament,
        due: &mut Option<usize>,
    ) -> Result<Pause, Stop> {
        loop {
            if let Some(place) = *due {
                match self.find(place)? {
                    (Found::Nothing, lane) => return Ok(Pause::Bytes(lane)),
                    (Found::End, _) => tree.end(place),
                    (Found::Row, _) => {
                        let read = |gathering: &Gathering, row: &[u8], index: &mut RowIndex| {
                            tree.advance(place, |key| gathering.read(row, index, key))
                        };
                        if !self.read(place, read)? {
                            return Err(self.disorder(place));
                        }
                    }
                }
                *due = None;
                if self.is_pause_due() {
                    return Ok(Pause::Pace);
                }
            }
            let Some(place) = tree.winner() else { return Ok(Pause::End) };
            if self.push(place, tree.key(place))? == Flow::Enough {
                return Ok(Pause::End);
            }
            *due = Some(place);
        }
    }

    async fn one_after_the_other(&mut self) -> Result<(), Stop> {
        // What ANALYZE TABLE and its kin say of shards is about one logical table: the same row of
        // several shards is one row.
        let renames = self.inputs.iter().any(|input| input.is_renamed);
        let mut told: Option<HashSet<Vec<u8>>> = renames.then(HashSet::new);
        let is_plain = self.gathering.is_plain() && !renames;
        for place in 0..self.inputs.len() {
            self.begin(place).await?;
            if is_plain && self.inputs.get(place).is_some_and(|input| input.widths.is_none()) {
                self.relay(place).await?;
                continue;
            }
            while self.next(place).await? {
                if self.push_buffered(place, &mut told)? == Flow::Enough {
                    return Ok(());
                }
                self.keep_pace().await?;
            }
        }
        Ok(())
    }

    /// Takes the row that an input stands at and those behind it that have arrived.
    fn push_buffered(
        &mut self,
        place: usize,
        told: &mut Option<HashSet<Vec<u8>>>,
    ) -> Result<Flow, Stop> {
        loop {
            let input = self.inputs.get(place).ok_or_else(no_lane)?;
            let is_new = match (told.as_mut(), input.head) {
                (Some(told), Head::Taken) => told.insert(input.row.clone()),
                _ => true,
            };
            if is_new {
                self.read(place, |gathering, row, index| gathering.read_unordered(row, index))?;
                if self.push(place, None)? == Flow::Enough {
                    return Ok(Flow::Enough);
                }
            }
            let can_go_on = !self.is_pause_due() && matches!(self.find(place)?.0, Found::Row);
            if !can_go_on {
                return Ok(Flow::More);
            }
        }
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

    /// Gives the row that an input stands at to the merge, and leaves it behind.
    fn push(&mut self, place: usize, key: Option<&Key>) -> Result<Flow, Stop> {
        let Merging { client, lanes, inputs, gathering, sent, .. } = self;
        let input = inputs.get_mut(place).ok_or_else(no_lane)?;
        let lane = lanes.get_mut(input.lane).ok_or_else(no_lane)?;
        let stream = &mut lane.connection.stream;
        let (packet, row) = match input.head {
            Head::Taken => (None, input.row.as_slice()),
            Head::Ahead(length) => {
                let packet = stream.packet_ahead(length);
                (Some(packet), packet.get(HEADER_LENGTH..).unwrap_or_default())
            }
        };
        self.since_yield += row.len();
        let flow = if gathering.is_straight() {
            if gathering.admit() {
                match packet {
                    Some(packet) => client.write_framed(packet),
                    None => client.write_packet(row),
                }
                *sent += 1;
            }
            Ok(if gathering.is_satisfied() { Flow::Enough } else { Flow::More })
        } else {
            gathering.push(key, row, &input.index, |row| send(client, sent, row))
        };
        if let Head::Ahead(length) = input.head {
            stream.pass_row(length);
        }
        flow.map_err(|error| Stop::Failed(blame(lane, error)))
    }

    /// Finds an input's next row in what has arrived; its lane.
    fn find(&mut self, place: usize) -> Result<(Found, usize), Stop> {
        let input = self.inputs.get_mut(place).ok_or_else(no_lane)?;
        Ok((input.find(self.lanes)?, input.lane))
    }

    /// Takes an input's next row, waiting for it. False where the input has ended.
    async fn next(&mut self, place: usize) -> Result<bool, Stop> {
        loop {
            match self.find(place)? {
                (Found::Row, _) => return Ok(true),
                (Found::End, _) => return Ok(false),
                (Found::Nothing, lane) => self.wait(lane).await?,
            }
        }
    }

    /// Shows `read` the row that an input stands at; what it can't read is the lane's fault.
    fn read<T>(
        &mut self,
        place: usize,
        read: impl FnOnce(&Gathering, &[u8], &mut RowIndex) -> Result<T>,
    ) -> Result<T, Stop> {
        let input = self.inputs.get_mut(place).ok_or_else(no_lane)?;
        let lane = self.lanes.get_mut(input.lane).ok_or_else(no_lane)?;
        let Input { head, row, index, .. } = input;
        let row = match *head {
            Head::Taken => row.as_slice(),
            Head::Ahead(length) => {
                let packet = lane.connection.stream.packet_ahead(length);
                packet.get(HEADER_LENGTH..).unwrap_or_default()
            }
        };
        let outcome = read(&self.gathering, row, index);
        outcome.map_err(|error| Stop::Failed(blame(lane, error)))
    }

    fn disorder(&mut self, place: usize) -> Stop {
        let Some(input) = self.inputs.get(place) else { return no_lane() };
        let Some(lane) = self.lanes.get(input.lane) else { return no_lane() };
        Stop::Failed(disorder(lane, input.shard))
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

    fn is_pause_due(&self) -> bool {
        self.since_yield > YIELD_AFTER || self.client.pending_write() > FLUSH_OVER
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

/// The connection is as good as before: what it still sends is read and dropped.
fn disorder(lane: &Lane<'_>, shard: Option<u32>) -> Error {
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

pub fn client_gone() -> Error {
    Error::unavailable("client_gone", "the client closed").fatal()
}

fn no_lane() -> Stop {
    Stop::Failed(Error::internal("an input without a lane"))
}
