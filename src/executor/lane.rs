//! One connection of a statement that runs on several targets, and what it runs there.
//!
//! Owns: sending a target's command in the state it needs, and its answer up to the first row, then
//! row by row. Never: merges, writes to the client, or gives the connection back.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::backend::answer::{Answer, OkInfo};
use crate::backend::connection::{Connection, Pipelining};
use crate::backend::fault;
use crate::backend::state::State;
use crate::error::{Error, Fault, Result};
use crate::executor::rename::Names;
use crate::executor::warnings::{self, Warning};
use crate::planner::plan::Renaming;
use crate::protocol::capability::Capabilities;
use crate::protocol::column::Column;
use crate::protocol::command;
use crate::protocol::eof::EofPacket;
use crate::protocol::err::ErrPacket;
use crate::protocol::field::FieldType;
use crate::protocol::ok::OkPacket;
use crate::protocol::status::StatusFlags;

/// A connection and the targets whose commands run on it, one after the other.
#[derive(Debug)]
pub struct Lane<'c> {
    pub connection: &'c mut Connection,
    pub parts: VecDeque<Part<'c>>,
    /// The session goes on with this connection whatever happens, since its transaction, or what
    /// else is pinned, is there:
    /// what runs is stopped and read to its end. Otherwise it may be left out of step, which closes
    /// it.
    pub keep: bool,
    /// How many warnings all answers so far had.
    pub warnings: u32,
    /// The warnings themselves, at most [`warnings::MOST`].
    pub noted: Vec<Warning>,
    /// Of the last answer's warnings, where they weren't fetched: the names that they are told under,
    /// and the rows of a split INSERT that they count from 1.
    unfetched: Option<(&'c [Renaming], Option<&'c [u32]>)>,
    /// Which rows of a split INSERT the present part has.
    rows: Option<&'c [u32]>,
    /// The types of a binary result's columns, where its rows hold names.
    binary: Option<Vec<FieldType>>,
    stage: Stage,
}

/// What runs on one target.
#[derive(Debug)]
pub struct Part<'p> {
    /// The target's place in the plan's order.
    pub target: usize,
    /// The shard, for error messages; `None` where the target has none.
    pub shard: Option<u32>,
    /// The session's state, in the target's database.
    pub state: State,
    pub pipelining: Pipelining,
    pub command: Command<'p>,
    /// Which rows of a split INSERT go here, by their place in it; `None` for other statements.
    pub inserted: Option<&'p [u32]>,
    /// Physical names in answers and what becomes of them.
    pub names: &'p [Renaming],
}

/// What a target is sent.
#[derive(Clone, Debug)]
pub enum Command<'p> {
    /// A statement's text, for COM_QUERY.
    Query(Cow<'p, [u8]>),
    /// An execution of a statement that is prepared on the connection where it isn't yet.
    Execute {
        /// Names all that the handle depends on (trap 14).
        key: Cow<'p, [u8]>,
        sql: Cow<'p, [u8]>,
        /// What follows the statement's id in COM_STMT_EXECUTE. A cursor that it asks for isn't
        /// opened: the rows come at once, which the protocol lets a server do.
        arguments: &'p [u8],
    },
    /// LOAD DATA LOCAL, and the file that its server may ask for, once.
    Load { sql: Cow<'p, [u8]>, file: &'p [u8] },
}

/// Where the present answer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No command is under way.
    Idle,
    /// A command was sent and its first row hasn't been reached.
    Head,
    Rows,
}

/// The beginning of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// No rows: an OK packet.
    Done(OkInfo),
    /// The payloads of the column definitions; rows follow.
    Rows(Vec<Vec<u8>>),
}

/// What stands next in a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A row, in the caller's buffer.
    Row,
    /// More bytes are needed: [`crate::wire::stream::Stream::fill`].
    Wait,
    /// The result has ended well.
    End(Ending),
}

/// How a result ended.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Ending {
    pub status: StatusFlags,
    pub warnings: u16,
    pub session_state: Vec<u8>,
}

impl<'c> Lane<'c> {
    pub fn new(connection: &'c mut Connection, parts: Vec<Part<'c>>, keep: bool) -> Self {
        Lane {
            connection,
            parts: parts.into(),
            keep,
            warnings: 0,
            noted: Vec::new(),
            unfetched: None,
            rows: None,
            binary: None,
            stage: Stage::Idle,
        }
    }

    /// True where a command was sent whose answer hasn't been read to its end.
    pub fn is_running(&self) -> bool {
        self.stage != Stage::Idle
    }

    /// Takes the next part, sends its command and reads its answer up to the first row. `None` where
    /// there is no part left.
    ///
    /// # Errors
    /// The server's own error, under logical names: the lane is idle again. Anything else leaves the
    /// connection out of step.
    pub async fn begin(&mut self) -> Result<Option<(Part<'c>, Begun)>> {
        // The next command would clear what the last one warned of.
        if !self.parts.is_empty() {
            self.fetch_warnings().await;
        }
        let Some(part) = self.parts.pop_front() else { return Ok(None) };
        self.rows = part.inserted;
        self.stage = Stage::Head;
        self.unfetched = None;
        let warnings = self.warnings;
        let begun = self.begin_part(&part).await;
        if self.warnings > warnings {
            self.unfetched = Some((part.names, part.inserted));
        }
        self.stage = match &begun {
            Ok(Begun::Rows(_)) => Stage::Rows,
            Ok(Begun::Done(_)) => Stage::Idle,
            Err(error) if error.fault == Fault::Backend => Stage::Idle,
            Err(_) => Stage::Head,
        };
        match begun {
            Ok(begun) => Ok(Some((part, begun))),
            Err(error) if error.fault == Fault::Backend => {
                let mut error = Names(part.names).error(error);
                if let Some(rows) = part.inserted {
                    error.message = warnings::of_whole(&error.message, rows);
                }
                Err(error)
            }
            Err(error) => Err(self.place(&part, error)),
        }
    }

    async fn begin_part(&mut self, part: &Part<'_>) -> Result<Begun> {
        let connection = &mut *self.connection;
        connection.enter(&part.state, part.pipelining).await?;
        match &part.command {
            Command::Query(sql) if sql.len() <= COPIED => connection.led_query(sql),
            Command::Query(sql) => {
                connection.send_lead().await?;
                let mut payload = Vec::with_capacity(sql.len() + 1);
                command::write_text(command::byte::QUERY, sql, &mut payload);
                connection.send_command(&payload).await?;
            }
            Command::Execute { key, sql, arguments } => {
                connection.send_lead().await?;
                let prepared = match connection.prepared(key) {
                    Some(prepared) => prepared,
                    None => connection.prepare(key, sql, false).await?.0,
                };
                let mut payload = Vec::with_capacity(arguments.len() + 5);
                command::write_number(command::byte::STMT_EXECUTE, prepared.id, &mut payload);
                payload.push(NO_CURSOR);
                payload.extend_from_slice(arguments.get(1..).unwrap_or_default());
                connection.send_command(&payload).await?;
            }
            Command::Load { sql, .. } => {
                connection.send_lead().await?;
                let mut payload = Vec::with_capacity(sql.len() + 1);
                command::write_text(command::byte::QUERY, sql, &mut payload);
                connection.send_command(&payload).await?;
            }
        }
        let is_binary = matches!(part.command, Command::Execute { .. });
        let mut answer = connection.answer().await?;
        if let (Answer::LocalInfile(_), Command::Load { file, .. }) = (&answer, &part.command) {
            answer = connection.send_file(file).await?;
        }
        match answer {
            Answer::Ok(info) => {
                self.warnings += u32::from(info.warnings);
                connection.note_tracked(&info.session_state);
                if info.status.contains(StatusFlags::MORE_RESULTS) {
                    return Err(self.hostile("another result where one was due"));
                }
                Ok(Begun::Done(info))
            }
            Answer::Err(error) => Err(error),
            Answer::LocalInfile(_) => {
                Err(self.hostile("it asks for a file that no LOAD DATA LOCAL named"))
            }
            Answer::ResultSet { columns } => {
                let columns = self.read_columns(columns).await?;
                let types = columns.iter().map(|payload| Ok(Column::parse(payload)?.field_type));
                self.binary = match is_binary && Names(part.names).in_rows() {
                    true => Some(types.collect::<Result<_>>()?),
                    false => None,
                };
                Ok(Begun::Rows(columns))
            }
        }
    }

    async fn read_columns(&mut self, columns: usize) -> Result<Vec<Vec<u8>>> {
        let mut payloads = Vec::new();
        for _ in 0..columns {
            let payload = self.connection.read_packet().await?;
            if ErrPacket::is_err(payload) {
                let error = ErrPacket::parse(payload).map(|packet| packet.to_error());
                let Ok(error) = error else { return Err(self.hostile("a damaged ERR packet")) };
                self.connection.ended_in_error(&error);
                return Err(error);
            }
            payloads.push(payload.to_vec());
        }
        if !self.connection.capabilities.contains(Capabilities::DEPRECATE_EOF) {
            let payload = self.connection.read_packet().await?;
            if !EofPacket::is_eof(payload) {
                return Err(self.hostile("no EOF after its column definitions"));
            }
        }
        Ok(payloads)
    }

    /// The next row that has arrived, copied into `row`. Doesn't wait.
    ///
    /// # Errors
    /// As [`Lane::begin`].
    pub fn take(&mut self, names: &'c [Renaming], row: &mut Vec<u8>) -> Result<Next> {
        let capabilities = self.connection.capabilities;
        let payload = match self.connection.stream.buffered_packet() {
            Ok(Some(payload)) => payload,
            Ok(None) => return Ok(Next::Wait),
            Err(error) => return Err(self.hostile(&error.message)),
        };
        let end = match payload {
            [0xff, ..] => {
                let error = ErrPacket::parse(payload).map(|packet| packet.to_error());
                let Ok(error) = error else { return Err(self.hostile("a damaged ERR packet")) };
                self.connection.ended_in_error(&error);
                self.stage = Stage::Idle;
                return Err(Names(names).error(error));
            }
            [0xfe, ..] if is_end(payload, capabilities) => parse_end(payload, capabilities),
            _ => {
                row.clear();
                let renamed = match &self.binary {
                    _ if !Names(names).in_rows() => {
                        row.extend_from_slice(payload);
                        Ok(())
                    }
                    Some(types) => Names(names).binary_row(payload, types, row),
                    None => Names(names).text_row(payload, row),
                };
                if renamed.is_err() {
                    return Err(self.hostile("a damaged row"));
                }
                return Ok(Next::Row);
            }
        };
        if end.as_ref().is_ok_and(|end| end.warnings > 0) {
            self.unfetched = Some((names, self.rows));
        }
        self.finish(end)
    }

    /// Fetches the warnings of the answer that was just read to its end, before the next command
    /// clears them.
    pub async fn fetch_warnings(&mut self) {
        let Some((names, rows)) = self.unfetched.take() else { return };
        if self.stage == Stage::Idle && self.noted.len() < warnings::MOST {
            let mut more = warnings::fetch(self.connection, names).await;
            if let Some(rows) = rows {
                more.iter_mut()
                    .for_each(|one| one.message = warnings::of_whole(&one.message, rows));
            }
            self.noted.extend(more);
            self.noted.truncate(warnings::MOST);
        }
    }

    /// An error among the warnings of an answer that the server called good.
    pub fn noted_error(&self) -> Option<Error> {
        let noted = self.noted.iter().find(|noted| noted.level == "Error")?;
        let sqlstate = match noted.errno {
            1317 | 1969 => b"70100",
            1365 => b"22012",
            1690 => b"22003",
            _ => b"HY000",
        };
        Some(Error::backend(noted.errno, *sqlstate, noted.message.clone()))
    }

    /// Takes note of the packet that ended the result.
    fn finish(&mut self, end: Result<Ending>) -> Result<Next> {
        let Ok(end) = end else { return Err(self.hostile("a damaged end of its rows")) };
        self.connection.ended(end.status);
        if end.status.contains(StatusFlags::MORE_RESULTS) {
            return Err(self.hostile("another result where one was due"));
        }
        if end.status.contains(StatusFlags::CURSOR_EXISTS) {
            return Err(self.hostile("a cursor that nobody asked for"));
        }
        // A SELECT that changes the session (a user variable, say) pins its connection.
        self.connection.note_tracked(&end.session_state);
        self.warnings += u32::from(end.warnings);
        self.stage = Stage::Idle;
        Ok(Next::End(end))
    }

    /// Reads what is left of the result and throws it away, at most `most` bytes of it. True where
    /// its end was reached. Cancel-safe.
    pub async fn drain(&mut self, most: usize) -> Result<bool> {
        let mut row = Vec::new();
        let mut read = 0;
        while self.stage == Stage::Rows && read <= most {
            match self.take(&[], &mut row)? {
                Next::Row => read += row.len(),
                Next::End(_) => return Ok(true),
                Next::Wait => {
                    if self.connection.stream.fill().await? == 0 {
                        return Err(self.hostile("it closed the connection within its rows"));
                    }
                }
            }
        }
        Ok(self.stage == Stage::Idle)
    }

    /// An error that names this lane's node; the connection is never used again.
    pub fn hostile(&mut self, why: &str) -> Error {
        self.connection.condemn();
        fault::hostile(self.connection.node(), why)
    }

    /// The connection broke off.
    pub fn broken(&mut self, why: &str) -> Error {
        self.connection.condemn();
        fault::broken(self.connection.node(), why)
    }

    /// Adds the shard to an error of Weir's own.
    fn place(&self, part: &Part<'_>, error: Error) -> Error {
        match part.shard {
            Some(shard) if !error.code.is_empty() => {
                Error { message: format!("{} (shard {shard})", error.message), ..error }
            }
            _ => error,
        }
    }
}

/// COM_STMT_EXECUTE's flags.
const NO_CURSOR: u8 = 0;
/// Statements up to this many bytes are copied into the write buffer.
const COPIED: usize = 16 << 10;

/// Whether a packet headed 0xFE ends the rows; a row may begin so with a value of 16 MiB and more.
pub fn is_end(payload: &[u8], capabilities: Capabilities) -> bool {
    if capabilities.contains(Capabilities::DEPRECATE_EOF) {
        payload.len() < 0xff_ffff
    } else {
        EofPacket::is_eof(payload)
    }
}

/// Reads the packet that ends the rows.
pub fn parse_end(payload: &[u8], capabilities: Capabilities) -> Result<Ending> {
    if capabilities.contains(Capabilities::DEPRECATE_EOF) {
        let ok = OkPacket::parse(payload, capabilities)?;
        let session_state = ok.session_state.to_vec();
        return Ok(Ending { status: ok.status, warnings: ok.warnings, session_state });
    }
    let eof = EofPacket::parse(payload, capabilities)?;
    Ok(Ending { status: eof.status, warnings: eof.warnings, session_state: Vec::new() })
}
