//! One statement on many targets, its answers made into one result set.
//!
//! Owns: starting the lanes together, checking that their answers fit each other, reading them as
//! the merge asks for rows, back-pressure, and stopping what still runs when one fails, when LIMIT
//! is satisfied or when the client leaves. Never: takes or gives back a connection, or decides how
//! rows are merged ([`crate::executor::merge`]).
//!
//! A shard is read ahead of the client by at most [`Terms::read_ahead`] bytes and one row; a client
//! that doesn't take its rows thus stops the shards.

use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Fault, Result};
use crate::executor::columns::Columns;
use crate::executor::compare::RowFormat;
use crate::executor::held::HeldRows;
use crate::executor::lane::{Begun, Lane, Next, Part};
use crate::executor::layout::Layout;
use crate::executor::limit::Window;
use crate::executor::memory::Memory;
use crate::executor::merge::Gathering;
use crate::executor::pass::{Broken, Summary, write_end};
use crate::executor::rename::Names;
use crate::executor::running::Running;
use crate::executor::settle::settle;
use crate::executor::stream::{Input, Merging, Rows, Stop, blame, check, client_gone};
use crate::executor::together::{Work, first_error, run_all};
use crate::executor::warnings;
use crate::observe::budget::Budget;
use crate::planner::plan::{Gather, Renaming};
use crate::protocol::capability::Capabilities;
use crate::protocol::err::write_error;
use crate::protocol::ok::{OkHeader, OkPacket};
use crate::protocol::status::StatusFlags;
use crate::wire::stream::Stream;

/// How answers are to be merged and sent.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// What the client negotiated.
    pub client: Capabilities,
    /// Status flags of the session that no single backend knows.
    pub status: StatusFlags,
    /// The transaction on the lanes is Weir's own: the client isn't told of it.
    pub own: bool,
    /// Another result of the same command follows this answer.
    pub more: bool,
    pub format: RowFormat,
    pub gather: &'a Gather,
    /// `gather.limit` with its values.
    pub window: Window,
    pub budget: &'a Budget,
    /// `limits.merge_memory`: what sorting and holding rows back may take.
    pub merge_memory: u64,
    /// `limits.merge_window`: what each shard may be ahead of the client.
    pub read_ahead: usize,
    /// Told of the connections that run; says why a statement that ends in 1317 was stopped.
    pub running: &'a Running,
}

/// A part whose answer has begun; its rows where they had to be read at once.
type Started<'c> = Vec<(Part<'c>, Vec<Vec<u8>>, Option<HeldRows>)>;

/// Runs each lane's parts and writes the merged result set into `client`, whose sequence id is that
/// of the answer's first packet. The end of the answer needn't be flushed yet.
///
/// Targets are numbered by [`Part::target`]; each lane's parts stand in that order. The lanes are
/// idle afterwards, or out of step and to be closed. If the future is dropped, all streams must be
/// closed.
///
/// # Errors
/// [`Broken::BackendBefore`] only where a connection broke and the client was told nothing. Every
/// other failure is sent as an ERR packet and stands in [`Summary::error`].
pub async fn scatter(
    client: &mut Stream,
    lanes: &mut [Lane<'_>],
    terms: &Terms<'_>,
) -> Result<Summary, Broken> {
    let (pending, sequence) = (client.pending_write(), client.sequence());
    let sent = client.byte_counts().1;
    let parts = lanes.iter().map(|lane| lane.parts.len()).sum();
    for lane in &*lanes {
        terms.running.add(lane.connection.kill_handle());
    }
    let mut summary = Summary { rows: Some(0), ..Summary::default() };
    let outcome = run(client, lanes, terms, &mut summary).await;
    let failed = outcome.is_err();
    let outcome = match outcome {
        Ok(()) => {
            let gone = told_once(lanes, parts).await;
            finish(client, lanes, terms, &mut summary, gone);
            Ok(())
        }
        Err(Stop::Client(error)) => Err(Broken::Client(error)),
        Err(Stop::Torn(error)) => Err(Broken::BackendAfter(error)),
        Err(Stop::Failed(error)) => {
            let is_untold = client.byte_counts().1 == sent && client.truncate_write(pending);
            if is_untold {
                client.set_sequence(sequence);
            }
            if is_untold && error.fault == Fault::Unavailable {
                Err(Broken::BackendBefore(error))
            } else {
                let error = terms.running.explain(error);
                client.write_with(|out| write_error(&error, terms.client, out));
                summary.error = Some(Error { fatal: false, ..error });
                Ok(())
            }
        }
    };
    let has_warnings = !failed && summary.warnings > 0;
    if has_warnings || lanes.iter().any(Lane::is_running) {
        // The client needn't wait for what only tidies up.
        if outcome.is_ok() {
            client.flush().await.map_err(Broken::Client)?;
        }
        settle(lanes, failed).await;
    }
    if has_warnings {
        fetch_warnings(lanes).await;
    }
    outcome.map(|()| summary)
}

async fn fetch_warnings(lanes: &mut [Lane<'_>]) {
    let work = lanes.iter_mut().map(|lane| {
        let fetched = async {
            lane.fetch_warnings().await;
            Ok(())
        };
        Box::pin(fetched) as Work<'_, ()>
    });
    run_all(work.collect(), &[]).await;
}

/// Warnings of the statement's text, which each part told, are left once; how many are gone. Where
/// some part still runs, since a LIMIT was reached, they stay.
async fn told_once(lanes: &mut [Lane<'_>], parts: usize) -> u32 {
    let warned = lanes.iter().any(|lane| lane.warnings > 0);
    if !warned || lanes.iter().any(Lane::is_running) {
        return 0;
    }
    fetch_warnings(lanes).await;
    let mut noted: Vec<_> = lanes.iter_mut().map(|lane| &mut lane.noted).collect();
    warnings::tell_once(&mut noted, parts)
}

/// Writes the packet that ends the rows.
fn finish(
    client: &mut Stream,
    lanes: &[Lane<'_>],
    terms: &Terms<'_>,
    summary: &mut Summary,
    gone: u32,
) {
    let of_cursor = StatusFlags::CURSOR_EXISTS.with(StatusFlags::LAST_ROW_SENT);
    let dropped =
        of_cursor.with(StatusFlags::MORE_RESULTS).with(StatusFlags::SESSION_STATE_CHANGED);
    let warnings: u32 = lanes.iter().map(|lane| lane.warnings).sum();
    summary.warnings = u16::try_from(warnings.saturating_sub(gone)).unwrap_or(u16::MAX);
    for lane in lanes {
        summary.status = summary.status.with(lane.connection.status.without(dropped));
    }
    if terms.own {
        summary.status = summary.status.without(StatusFlags::IN_TRANSACTION);
    }
    let mut status = summary.status.with(terms.status);
    if terms.more {
        status = status.with(StatusFlags::MORE_RESULTS);
    }
    let ok = OkPacket { status, warnings: summary.warnings, ..OkPacket::default() };
    write_end(client, terms.client, &ok, OkHeader::EndOfRows);
}

async fn run(
    client: &mut Stream,
    lanes: &mut [Lane<'_>],
    terms: &Terms<'_>,
    summary: &mut Summary,
) -> Result<(), Stop> {
    let windows = (lanes.len() as u64).saturating_mul(terms.read_ahead as u64);
    let reservation = terms.budget.reserve(windows).map_err(Stop::Failed)?;
    let memory = Mutex::new(Memory::new(terms.budget.empty(), terms.merge_memory));
    let is_ordered = !terms.gather.merge_by.is_empty();
    let mut inputs = plan_inputs(lanes);
    let handles: Vec<_> = lanes.iter().map(|lane| lane.connection.kill_handle()).collect();
    let work = lanes.iter_mut();
    let work = work.map(|lane| Box::pin(start(lane, is_ordered, &memory)) as Work<'_, _>);
    let outcomes = tokio::select! {
        biased;
        outcomes = run_all(work.collect(), &handles) => outcomes,
        () = client.closed() => return Err(Stop::Client(client_gone())),
    };
    let begun = first_error(outcomes).map_err(Stop::Failed)?;
    let mut begun: Started<'_> = begun.into_iter().flatten().collect();
    begun.sort_by_key(|(part, _, _)| part.target);
    let columns = fit(lanes, &mut inputs, begun).map_err(Stop::Failed)?;
    let used = memory.into_inner().unwrap_or_else(PoisonError::into_inner);
    let memory = Memory::new(terms.budget.empty(), terms.merge_memory.saturating_sub(used.used()));
    let layout = Layout::new(columns.shapes().to_vec(), terms.gather.hidden, terms.format);
    let gathering =
        layout.and_then(|layout| Gathering::new(terms.gather, layout, terms.window, memory));
    let blamed =
        |error| lanes.first_mut().map_or(Error::internal("no lanes"), |lane| blame(lane, error));
    let gathering = gathering.map_err(blamed).map_err(Stop::Failed)?;
    let names = Names(inputs.first().map_or(&[], Input::names));
    let visible = gathering.layout().visible();
    columns.write(visible, names, terms.status, terms.client, client).map_err(Stop::Failed)?;
    let mut merging = Merging::new(client, lanes, inputs, gathering, columns, reservation);
    let outcome = merging.run(terms.read_ahead).await;
    summary.rows = Some(merging.sent());
    outcome
}

/// Begins a lane's first part. Where rows must be had in order, all parts but the last are read to
/// their ends, since the connection can give only one result at a time.
async fn start<'c>(
    lane: &mut Lane<'c>,
    is_ordered: bool,
    memory: &Mutex<Memory>,
) -> Result<Started<'c>> {
    let mut started = Vec::new();
    while let Some((part, begun)) = lane.begin().await? {
        let Begun::Rows(columns) = begun else {
            return Err(lane.hostile("OK where rows were due"));
        };
        if !is_ordered || lane.parts.is_empty() {
            started.push((part, columns, None));
            break;
        }
        let held = hold(lane, part.names, memory).await?;
        started.push((part, columns, Some(held)));
    }
    Ok(started)
}

async fn hold<'c>(
    lane: &mut Lane<'c>,
    names: &'c [Renaming],
    memory: &Mutex<Memory>,
) -> Result<HeldRows> {
    let mut held = HeldRows::default();
    let mut row = Vec::new();
    loop {
        match lane.take(names, &mut row)? {
            Next::Row => {
                let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
                held.push(&row, &mut memory)?;
            }
            Next::End(_) => return Ok(held),
            Next::Wait => match lane.connection.stream.fill().await {
                Ok(0) => return Err(lane.broken("it closed the connection within its rows")),
                Ok(_) => {}
                Err(error) => return Err(lane.broken(&error.message)),
            },
        }
    }
}

/// The inputs in the order of the targets.
fn plan_inputs<'c>(lanes: &[Lane<'c>]) -> Vec<Input<'c>> {
    let mut inputs = Vec::new();
    for (place, lane) in lanes.iter().enumerate() {
        inputs.extend(lane.parts.iter().map(|part| Input::of(place, part)));
    }
    inputs.sort_by_key(|input| input.target);
    inputs
}

/// Holds each begun answer's columns against the first target's.
fn fit(lanes: &mut [Lane<'_>], inputs: &mut [Input<'_>], begun: Started<'_>) -> Result<Columns> {
    let mut columns: Option<Columns> = None;
    for (part, payloads, held) in begun {
        let place = inputs.binary_search_by_key(&part.target, |input| input.target);
        let Some(input) = place.ok().and_then(|place| inputs.get_mut(place)) else {
            return Err(Error::internal("an answer without an input"));
        };
        input.rows = held.map_or(Rows::Live, Rows::Held);
        let Some(lane) = lanes.get_mut(input.lane) else {
            return Err(Error::internal("an input without a lane"));
        };
        match &columns {
            None => columns = Some(Columns::parse(payloads).map_err(|error| blame(lane, error))?),
            Some(first) => input.widths = check(first, &payloads, lane, &part)?,
        }
    }
    columns.ok_or_else(|| Error::internal("a scatter without targets"))
}
