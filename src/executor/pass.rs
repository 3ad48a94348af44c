//! One backend's answer, relayed to the client.
//!
//! Owns: adapting the framing (sequence ids, EOF packets for old clients, status flags, session
//! state), translating names in column definitions and errors, LOAD DATA LOCAL's file, and saying
//! what the answer was. Never: chooses a backend, decodes a row, or flushes the end of the answer
//! (the session does, with what follows it).

use std::ops::Range;

use crate::error::{Error, Fault, Result};
use crate::executor::info;
use crate::executor::insert_id::InsertId;
use crate::executor::rename::Names;
use crate::executor::running::Running;
use crate::protocol::capability::Capabilities;
use crate::protocol::column::Column;
use crate::protocol::eof::EofPacket;
use crate::protocol::err::{ErrPacket, write_error};
use crate::protocol::field::FieldType;
use crate::protocol::ok::{OkHeader, OkPacket};
use crate::protocol::response::{Response, write_column_count, write_local_infile};
use crate::protocol::status::StatusFlags;
use crate::wire::stream::Stream;

/// How an answer is to be relayed.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// What the client negotiated.
    pub client: Capabilities,
    /// What the backend connection negotiated.
    pub backend: Capabilities,
    pub names: Names<'a>,
    /// Another result of the same command follows this answer (multi-statements).
    pub more: bool,
    /// The file that the client's own LOAD DATA LOCAL names: the backend may ask for it, once.
    pub local_infile: Option<&'a [u8]>,
    /// Status flags of the session that no single backend knows.
    pub status: StatusFlags,
    /// Flags of the backend's that say nothing of the session.
    pub hidden: StatusFlags,
    /// The rows are those of COM_STMT_EXECUTE.
    pub binary: bool,
    /// A cursor was asked for: the answer may end after its column definitions.
    pub cursor: bool,
    /// Says why a statement that ends in 1317 was stopped.
    pub running: &'a Running,
    pub insert_id: InsertId,
}

/// What an answer was: what the session must know to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows of the last result set; `None` where the answer had none.
    pub rows: Option<u64>,
    pub affected_rows: u64,
    /// What LAST_INSERT_ID() becomes; 0: it stays.
    pub last_insert_id: u64,
    pub warnings: u16,
    /// The first number of its info string.
    pub told: Option<u64>,
    /// One of its answers was a result set.
    pub selected: bool,
    /// The backend's status flags at the end of the answer.
    pub status: StatusFlags,
    /// The backend's ERR that ended the answer, already relayed under logical names. After an ERR
    /// the status flags are those of before (a packet has none).
    pub error: Option<Error>,
    /// The backend's handle of a cursor that the answer opened; set by who sent the execution.
    pub cursor: Option<u32>,
    /// What the backend's session trackers reported, as raw blocks behind each other.
    pub session_state: Vec<u8>,
}

/// Why an answer could not be relayed to its end. The backend connection can't be used again in
/// any of these cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The client is gone or broke the protocol: its session ends.
    Client(Error),
    /// The backend broke off before anything of the answer left: the client can be told, and a
    /// statement that is safe to repeat may be repeated.
    BackendBefore(Error),
    /// The backend broke off when a part of the answer had left; the client can be told only by
    /// closing.
    BackendAfter(Error),
}

impl Broken {
    pub fn error(&self) -> &Error {
        match self {
            Broken::Client(error) | Broken::BackendBefore(error) | Broken::BackendAfter(error) => {
                error
            }
        }
    }
}

/// Relays the answer to one command, all its results included. Nothing of the last packets is
/// flushed yet. Not cancel-safe: after a dropped future both streams must be closed.
pub async fn relay(
    client: &mut Stream,
    backend: &mut Stream,
    terms: &Terms<'_>,
) -> Result<Summary, Broken> {
    let pending = client.pending_write();
    let sequence = client.sequence();
    let sent = client.byte_counts().1;
    let mut relay = Relay::new(client, backend, terms);
    match relay.results().await {
        Ok(()) => Ok(relay.summary),
        Err(error) if is_clients(&error) => Err(Broken::Client(error)),
        Err(error) => {
            if client.byte_counts().1 == sent && client.truncate_write(pending) {
                client.set_sequence(sequence);
                return Err(Broken::BackendBefore(error));
            }
            Err(Broken::BackendAfter(error))
        }
    }
}

/// Whether the client's stream failed: while an answer is relayed only the client is written to,
/// and a backend's failures are blamed on it by its own stream.
pub(super) fn is_clients(error: &Error) -> bool {
    matches!(error.code, "client_gone" | "client_write" | "disconnected")
        || error.fault == Fault::Client
}

struct Relay<'r> {
    client: &'r mut Stream,
    /// The file that may still be asked for.
    local_infile: Option<&'r [u8]>,
    backend: &'r mut Stream,
    terms: &'r Terms<'r>,
    summary: Summary,
    /// The columns' types, where rows are looked through.
    types: Vec<FieldType>,
    /// Where the EOF behind the column definitions begins: pending bytes and sequence id.
    border: (usize, u8),
}

impl<'r> Relay<'r> {
    fn new(client: &'r mut Stream, backend: &'r mut Stream, terms: &'r Terms<'r>) -> Self {
        Relay {
            client,
            local_infile: terms.local_infile,
            backend,
            terms,
            summary: Summary::default(),
            types: Vec::new(),
            border: (0, 0),
        }
    }

    async fn results(&mut self) -> Result<()> {
        while self.result().await? {}
        Ok(())
    }

    /// Relays one result; true where another one of the same answer follows.
    async fn result(&mut self) -> Result<bool> {
        let capabilities = self.terms.backend;
        let first = next(self.backend, self.client).await?;
        match Response::parse(first, capabilities)? {
            Response::Ok(ok) => {
                let more =
                    finish_ok(self.client, self.terms, &mut self.summary, ok, OkHeader::Plain);
                Ok(more)
            }
            Response::Err(err) => {
                finish_err(self.client, self.terms, &mut self.summary, err, first);
                Ok(false)
            }
            Response::LocalInfile(_) => {
                // Whatever name the server says, the client is asked for its own.
                let Some(name) = self.local_infile.take() else {
                    return Err(Error::unavailable(
                        "local_infile_out_of_turn",
                        "the server asked for a file of the client's that no LOAD DATA LOCAL named",
                    ));
                };
                self.client.write_with(|out| write_local_infile(name, out));
                self.local_infile().await?;
                Ok(true)
            }
            Response::ResultSet { columns } => {
                self.client.write_with(|out| write_column_count(columns, out));
                self.columns(columns).await?;
                self.rows().await
            }
        }
    }

    async fn columns(&mut self, columns: usize) -> Result<()> {
        self.types.clear();
        for _ in 0..columns {
            let payload = next(self.backend, self.client).await?;
            if self.terms.names.is_empty() {
                self.client.write_packet(payload);
            } else {
                let column = self.terms.names.column(Column::parse(payload)?);
                self.types.push(column.field_type);
                self.client.write_with(|out| column.write(out));
            }
        }
        let mut ended = EofPacket { warnings: 0, status: self.terms.status };
        if !self.terms.backend.contains(Capabilities::DEPRECATE_EOF) {
            let payload = next(self.backend, self.client).await?;
            ended = EofPacket::parse(payload, self.terms.backend)?;
        }
        self.border = (self.client.pending_write(), self.client.sequence());
        if !self.terms.client.contains(Capabilities::DEPRECATE_EOF) {
            self.client.write_with(|out| ended.write(self.terms.client, out));
        }
        Ok(())
    }

    async fn rows(&mut self) -> Result<bool> {
        if self.terms.names.in_rows() {
            let last = self.renamed_rows().await?;
            return rows_ended(self.client, self.terms, &mut self.summary, self.border, &last);
        }
        self.summary.rows = Some(self.client.relay_rows(self.backend).await?);
        let payload = next(self.backend, self.client).await?;
        rows_ended(self.client, self.terms, &mut self.summary, self.border, payload)
    }

    /// Relays rows with logical names in their values; answers the packet that ends them. Such
    /// answers are definitions: few rows, none of them a client's data.
    async fn renamed_rows(&mut self) -> Result<Vec<u8>> {
        let mut rows = 0;
        loop {
            let payload = next(self.backend, self.client).await?;
            let ends = payload.first() == Some(&0xfe) && payload.len() < 0xff_ffff;
            if ends || ErrPacket::is_err(payload) {
                self.summary.rows = Some(rows);
                return Ok(payload.to_vec());
            }
            let names = self.terms.names;
            let mut row = Vec::new();
            match self.terms.binary {
                true => names.binary_row(payload, &self.types, &mut row)?,
                false => names.text_row(payload, &mut row)?,
            }
            self.client.write_packet(&row);
            rows += 1;
        }
    }

    /// Rows, or the ERR that stands for them.
    async fn fetched(&mut self) -> Result<()> {
        self.rows().await.map(drop)
    }

    /// The client's file, packet by packet, to the backend; an empty packet ends it.
    async fn local_infile(&mut self) -> Result<()> {
        // Each side goes on with its own ids: they differ behind another result of the same text.
        self.client.flush().await?;
        loop {
            let Some(chunk) = self.client.read_packet().await? else {
                return Err(
                    Error::unavailable("client_gone", "the client closed in its file").fatal()
                );
            };
            let last = chunk.is_empty();
            self.backend.send_packet(chunk).await.map_err(backend_lost)?;
            if last {
                return Ok(());
            }
        }
    }
}

/// A backend that can't be written to, so that it isn't taken for a client that left.
fn backend_lost(error: Error) -> Error {
    Error::unavailable("backend_lost", error.message)
}

/// The backend's next packet. While it isn't there yet, what waits for the client is not sent: the
/// answer's first part usually fits one packet with the rest.
async fn next<'b>(backend: &'b mut Stream, client: &mut Stream) -> Result<&'b [u8]> {
    // An answer mostly comes in one piece: behind its first packet nothing is waited for.
    let place = match backend.take_packet()? {
        Some(place) => place,
        None => arrival(backend, client).await?,
    };
    Ok(backend.packet(place))
}

async fn arrival(backend: &mut Stream, client: &mut Stream) -> Result<Range<usize>> {
    let place = tokio::select! {
        biased;
        place = backend.await_packet() => place?,
        () = client.closed() => {
            return Err(Error::unavailable("client_gone", "the client closed").fatal());
        }
    };
    place.ok_or_else(|| {
        Error::unavailable(
            "backend_lost",
            "the server closed the connection while it was answering",
        )
    })
}

/// The packet behind the rows: an OK, an EOF or an ERR. True where another result follows.
fn rows_ended(
    client: &mut Stream,
    terms: &Terms<'_>,
    summary: &mut Summary,
    (border, sequence): (usize, u8),
    payload: &[u8],
) -> Result<bool> {
    if ErrPacket::is_err(payload) {
        let err = ErrPacket::parse(payload)?;
        finish_err(client, terms, summary, err, payload);
        return Ok(false);
    }
    let ok = if terms.backend.contains(Capabilities::DEPRECATE_EOF) {
        OkPacket::parse(payload, terms.backend)?
    } else {
        let eof = EofPacket::parse(payload, terms.backend)?;
        OkPacket { status: eof.status, warnings: eof.warnings, ..OkPacket::default() }
    };
    // An answer that opens a cursor ends with the EOF behind the definitions.
    let opened = terms.cursor && ok.status.contains(StatusFlags::CURSOR_EXISTS);
    let old = !terms.client.contains(Capabilities::DEPRECATE_EOF);
    if opened && old && summary.rows == Some(0) && client.truncate_write(border) {
        client.set_sequence(sequence);
    }
    Ok(finish_ok(client, terms, summary, ok, OkHeader::EndOfRows))
}

/// Writes the packet that ends a result well. True where another result follows in this answer.
fn finish_ok(
    client: &mut Stream,
    terms: &Terms<'_>,
    summary: &mut Summary,
    ok: OkPacket<'_>,
    header: OkHeader,
) -> bool {
    let follows = ok.status.contains(StatusFlags::MORE_RESULTS);
    if !ok.session_state.is_empty() {
        summary.session_state.extend_from_slice(ok.session_state);
    }
    summary.affected_rows = ok.affected_rows;
    summary.told = info::first(ok.info);
    // Behind rows of RETURNING the packet has no count.
    let affected = match header {
        OkHeader::EndOfRows => summary.rows.unwrap_or(0),
        OkHeader::Plain => ok.affected_rows,
    };
    let (last_insert_id, adopted) = terms.insert_id.of(affected, ok.last_insert_id, ok.info);
    if adopted != 0 {
        summary.last_insert_id = adopted;
    }
    match header {
        OkHeader::Plain => summary.rows = None,
        OkHeader::EndOfRows => summary.selected = true,
    }
    summary.warnings = ok.warnings;
    summary.status = ok.status;
    let mut status = ok.status.without(terms.hidden).with(terms.status);
    if terms.more && !follows {
        status = status.with(StatusFlags::MORE_RESULTS);
    }
    // What the backend reports of its session is Weir's to know: it names physical databases.
    let ok = OkPacket { status, last_insert_id, session_state: b"", ..ok };
    write_end(client, terms.client, &ok, header);
    follows
}

/// Writes OK, or the EOF that stands for it at the end of rows for an older client.
pub fn write_end(
    client: &mut Stream,
    capabilities: Capabilities,
    ok: &OkPacket<'_>,
    header: OkHeader,
) {
    if header == OkHeader::EndOfRows && !capabilities.contains(Capabilities::DEPRECATE_EOF) {
        let eof = EofPacket { warnings: ok.warnings, status: ok.status };
        client.write_with(|out| eof.write(capabilities, out));
    } else {
        client.write_with(|out| ok.write(header, capabilities, out));
    }
}

fn finish_err(
    client: &mut Stream,
    terms: &Terms<'_>,
    summary: &mut Summary,
    err: ErrPacket<'_>,
    payload: &[u8],
) {
    let error = terms.running.explain(terms.names.error(err.to_error()));
    if terms.names.is_empty() && err.sqlstate.is_some() && error.errno == err.errno {
        // As it came: the message is in the session's charset, which needn't be UTF-8.
        client.write_packet(payload);
    } else {
        client.write_with(|out| write_error(&error, terms.client, out));
    }
    summary.error = Some(error);
}

/// Relays the answer to COM_STMT_FETCH: rows without definitions.
pub async fn relay_fetch(
    client: &mut Stream,
    backend: &mut Stream,
    terms: &Terms<'_>,
) -> Result<Summary, Broken> {
    let sent = client.byte_counts().1;
    let border = (client.pending_write(), client.sequence());
    let mut relay = Relay { border, ..Relay::new(client, backend, terms) };
    let outcome = match relay.fetched().await {
        Ok(()) => return Ok(relay.summary),
        Err(error) => error,
    };
    if is_clients(&outcome) {
        return Err(Broken::Client(outcome));
    }
    if relay.client.byte_counts().1 == sent && relay.client.truncate_write(border.0) {
        relay.client.set_sequence(border.1);
        return Err(Broken::BackendBefore(outcome));
    }
    Err(Broken::BackendAfter(outcome))
}
