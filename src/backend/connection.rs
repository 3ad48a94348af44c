//! One data connection to one node: its stream, and what is known of the server's side of it.
//!
//! Owns: the dialogue of a command (what was written, which answers are still to come), session
//! state as applied, prepared handles, why it is pinned, and whether it may be lent again. Never:
//! dials ([`crate::backend::login`]), waits for its turn ([`crate::backend::pool`]) or relays rows.
//!
//! A command is: [`Connection::query`] (or [`Connection::begin`]) into the write buffer, a flush,
//! [`Connection::absorb`] for the answers of what was pipelined before it, then its own answer, and
//! [`Connection::ended`] after its last packet. Dropped before that, at any await, it is closed.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;

use crate::backend::answer::{Answer, OkInfo};
use crate::backend::counters::{Closed, Counters, Pin, Pins};
use crate::backend::fault;
use crate::backend::kill::{KillCell, KillHandle};
use crate::backend::node::{Node, Ticket};
use crate::backend::role;
use crate::backend::state::{Applied, State, UTF8_FIRST};
use crate::backend::statements::{Prepared, Statements};
use crate::backend::version::Version;
use crate::error::{Error, Result};
use crate::protocol::capability::Capabilities;
use crate::protocol::command;
use crate::protocol::err::ErrPacket;
use crate::protocol::ok::OkPacket;
use crate::protocol::response::{PrepareOk, Response};
use crate::protocol::status::StatusFlags;
use crate::wire::stream::Stream;

mod file;
mod interrupted;
mod knows;
mod lead;

use knows::Knows;
pub use knows::{AnyBut, Reported, Runs};

/// How long a server's reason for closing is waited for, once a write has failed.
const LAST_WORD: Duration = Duration::from_secs(1);

/// What a login gives.
#[derive(Debug)]
pub struct Opened {
    pub stream: Stream,
    pub capabilities: Capabilities,
    pub version: Version,
    /// The server's own id of the connection.
    pub id: u64,
    pub status: StatusFlags,
}

/// One connection.
pub struct Connection {
    pub stream: Stream,
    pub capabilities: Capabilities,
    pub version: Version,
    /// The server's own id of the connection, for KILL.
    pub id: u64,
    /// The flags of the last OK or EOF packet.
    pub status: StatusFlags,
    /// Whether affected rows count the rows found.
    pub found_rows: bool,
    applied: Applied,
    statements: Statements,
    pins: Pins,
    knows: Knows,
    /// Answers to come before the present command's own.
    expected: SmallVec<[Expected; 2]>,
    /// A statement that goes before the next command.
    lead: Option<Cow<'static, str>>,
    in_flight: bool,
    broken: bool,
    /// The server has said why it closes: nothing more is sent.
    last_word: bool,
    kill: Arc<KillCell>,
    opened: Instant,
    /// When it last came back; also its age before the first lend.
    idle_since: Instant,
    lends: u64,
    closing: Closed,
    node: Arc<Node>,
    _ticket: Ticket,
}

/// An answer to something that was written together with the client's statement.
#[derive(Debug)]
enum Expected {
    Utf8,
    Database(Arc<str>),
    Set(Vec<u8>),
    /// The first statement of the command's own text ([`Connection::lead`]).
    Lead(Cow<'static, str>),
}

/// Whether state that the node accepted before may be written together with what needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pipelining {
    /// Yes: a read, whose rows are thrown away if the state turns out to be refused.
    All,
    /// Session variables, but not the default database: a write that names its tables without
    /// their database must not run in another one.
    Variables,
    /// Nothing: whatever is sent is waited for.
    Nothing,
}

impl Connection {
    pub fn new(opened: Opened, ticket: Ticket, found_rows: bool) -> Self {
        let node = ticket.node().clone();
        let now = Instant::now();
        Counters::add(&node.counters.opened, 1);
        Connection {
            stream: opened.stream,
            capabilities: opened.capabilities,
            version: opened.version,
            id: opened.id,
            status: opened.status,
            found_rows,
            applied: Applied::fresh(None),
            statements: Statements::new(node.spec.limits.statements),
            pins: Pins::default(),
            knows: Knows::default(),
            expected: SmallVec::new(),
            lead: None,
            in_flight: false,
            broken: false,
            last_word: false,
            kill: Arc::default(),
            opened: now,
            idle_since: now,
            lends: 0,
            closing: Closed::Abandoned,
            node,
            _ticket: ticket,
        }
    }

    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    pub fn opened(&self) -> Instant {
        self.opened
    }

    pub fn idle_since(&self) -> Instant {
        self.idle_since
    }

    /// True where it was idle in the pool before this lend: the server may have closed it unseen.
    pub fn was_idle(&self) -> bool {
        self.lends > 1
    }

    pub fn in_transaction(&self) -> bool {
        self.status.contains(StatusFlags::IN_TRANSACTION)
    }

    // ---- writing -------------------------------------------------------------------------------

    /// Appends a command; nothing is sent before a flush. The writer appends the whole payload,
    /// command byte first.
    pub fn begin<R>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        self.in_flight = true;
        self.stream.reset_sequence();
        self.stream.write_with(write)
    }

    /// Appends COM_QUERY; nothing is sent before a flush.
    pub fn query(&mut self, sql: &[u8]) {
        self.begin(|out| command::write_text(command::byte::QUERY, sql, out));
    }

    /// Sends what waits, and a command whose payload (command byte first) stands elsewhere, a long
    /// one without copying it.
    pub async fn send_command(&mut self, payload: &[u8]) -> Result<()> {
        self.in_flight = true;
        self.stream.reset_sequence();
        match self.stream.send_packet(payload).await {
            Ok(()) => Ok(()),
            Err(error) => Box::pin(self.not_sent(error)).await,
        }
    }

    /// Sends what waits.
    pub async fn flush(&mut self) -> Result<()> {
        if self.last_word {
            return Ok(());
        }
        match self.stream.flush().await {
            Ok(()) => Ok(()),
            Err(error) => Box::pin(self.not_sent(error)).await,
        }
    }

    /// A server that refuses a command while it is on its way (1153, of a long one) says so and
    /// closes: what it said stands in the stream, as the command's answer. It was the last one.
    async fn not_sent(&mut self, error: Error) -> Result<()> {
        let closed = matches!(error.code, "io" | "disconnected");
        let said = self.stream.last_word(self.expected.len());
        let said = tokio::time::timeout(LAST_WORD, said).await;
        if closed && matches!(said, Ok(Some(1153))) {
            self.broken = true;
            self.last_word = true;
            return Ok(());
        }
        Err(self.break_off(&error))
    }

    // ---- reading -------------------------------------------------------------------------------

    /// The next packet's payload. A server that closes is an error.
    pub async fn read_packet(&mut self) -> Result<&[u8]> {
        match self.stream.read_packet().await {
            Ok(Some(payload)) => Ok(payload),
            Ok(None) => {
                self.broken = true;
                Err(fault::broken(&self.node, "the server closed it"))
            }
            Err(error) => {
                self.broken = true;
                Err(translate(&self.node, &error))
            }
        }
    }

    /// Reads the answers of what was pipelined before the present command. Call it after the flush
    /// and before the command's own answer is read.
    ///
    /// # Errors
    /// The server refused a state that it had accepted before. The present command may have run in
    /// another state; its answer must not be used and the connection closes.
    pub async fn absorb(&mut self) -> Result<()> {
        if self.expected.is_empty() {
            return Ok(());
        }
        let own = self.stream.sequence();
        for expected in std::mem::take(&mut self.expected) {
            if let Expected::Lead(lead) = expected {
                // The first result of the command itself, and the last that is expected.
                self.stream.set_sequence(own);
                return self.absorb_lead(lead).await;
            }
            self.stream.set_sequence(1);
            let outcome = self.read_ok().await?;
            if let Err(refused) = outcome {
                self.broken = true;
                self.closing = Closed::Unclean;
                match &expected {
                    Expected::Utf8 | Expected::Lead(_) => {}
                    Expected::Database(name) => self.node.accepted.forget_database(name),
                    Expected::Set(key) => self.node.accepted.forget_set(key),
                }
                return Err(fault::state_refused(&self.node, &refused));
            }
        }
        self.stream.set_sequence(own);
        Ok(())
    }

    /// Flushes, absorbs and reads the first packet of the command's answer.
    pub async fn answer(&mut self) -> Result<Answer> {
        self.flush().await?;
        self.absorb().await?;
        self.next_answer().await
    }

    /// Reads the first packet of the command's next answer (after MORE_RESULTS).
    pub async fn next_answer(&mut self) -> Result<Answer> {
        let capabilities = self.capabilities;
        let payload = self.read_packet().await?;
        let parsed = Response::parse(payload, capabilities).map(|response| match response {
            Response::Ok(ok) => Answer::Ok(OkInfo::of(&ok)),
            Response::Err(err) => Answer::Err(err.to_error()),
            Response::LocalInfile(name) => Answer::LocalInfile(name.to_vec()),
            Response::ResultSet { columns } => Answer::ResultSet { columns },
        });
        match parsed {
            Ok(answer) => {
                self.note_answer(&answer);
                Ok(answer)
            }
            Err(error) => Err(self.break_off(&error)),
        }
    }

    fn note_answer(&mut self, answer: &Answer) {
        match answer {
            Answer::Ok(ok) => {
                self.status = ok.status;
                self.note_writes(&ok.session_state);
                if !ok.status.contains(StatusFlags::MORE_RESULTS) {
                    self.in_flight = false;
                }
            }
            Answer::Err(error) => {
                self.note_error(error);
                self.in_flight = false;
                // Of several statements in one text, this one was the last.
                self.status = self.status.without(StatusFlags::MORE_RESULTS);
            }
            Answer::LocalInfile(_) | Answer::ResultSet { .. } => {}
        }
    }

    /// The command has ended with these flags: its last packet was read. With MORE_RESULTS it
    /// hasn't.
    pub fn ended(&mut self, status: StatusFlags) {
        self.status = status;
        self.in_flight = status.contains(StatusFlags::MORE_RESULTS);
    }

    /// The command has ended with an ERR packet. What speaks against the node is passed on.
    pub fn ended_in_error(&mut self, error: &Error) {
        self.in_flight = false;
        self.status = self.status.without(StatusFlags::MORE_RESULTS);
        self.note_error(error);
    }

    fn note_error(&mut self, error: &Error) {
        self.failed();
        match error.errno {
            // 1290 names the option that forbids the statement; others than this one say nothing
            // of the server.
            1290 if error.message.contains("read-only") || error.message.contains("read_only") => {
                self.node.demote(&error.message);
            }
            1836 => self.node.demote(&error.message),
            // Shutting down.
            1053 => self.node.doubt(&error.message),
            // The connection was killed, or dropped for idling.
            1927 | 4031 => self.broken = true,
            // Behind a command that is too long for it the server closes.
            1153 => self.broken = true,
            _ => {}
        }
    }

    /// Runs a statement that must be answered OK.
    ///
    /// # Errors
    /// The server's own error, untouched: it is often the client's statement that is sent so.
    pub async fn simple(&mut self, sql: &[u8]) -> Result<OkInfo> {
        self.query(sql);
        let mut answer = self.answer().await?;
        loop {
            let info = match answer {
                Answer::Ok(info) => info,
                Answer::Err(error) => return Err(error),
                Answer::ResultSet { .. } | Answer::LocalInfile(_) => {
                    self.broken = true;
                    return Err(fault::hostile(&self.node, "rows where OK was due"));
                }
            };
            if !info.status.contains(StatusFlags::MORE_RESULTS) {
                return Ok(info);
            }
            answer = self.next_answer().await?;
        }
    }

    /// A command without text that must be answered OK.
    async fn plain(&mut self, byte: u8) -> Result<OkInfo> {
        self.begin(|out| command::write_text(byte, b"", out));
        match self.answer().await? {
            Answer::Ok(info) => Ok(info),
            Answer::Err(error) => Err(fault::of_server(&self.node, error)),
            Answer::ResultSet { .. } | Answer::LocalInfile(_) => {
                self.broken = true;
                Err(fault::hostile(&self.node, "rows where OK was due"))
            }
        }
    }

    pub async fn ping(&mut self) -> Result<()> {
        self.plain(command::byte::PING).await.map(drop)
    }

    /// COM_RESET_CONNECTION: rolls back, unlocks, drops temporary tables, prepared handles and
    /// variables. The charset is unknown afterwards.
    ///
    /// # Errors
    /// Besides the server's: something stays that no reset takes away; close it.
    pub async fn reset(&mut self) -> Result<()> {
        Counters::add(&self.node.counters.resets, 1);
        let routine = self.pins.contains(Pin::Routine) || self.pins.contains(Pin::Unknown);
        self.plain(command::byte::RESET_CONNECTION).await?;
        if routine && role::are_on(&self.version) {
            let role = self.role().await?;
            if !self.node.login_role.is(&role) {
                let why = "a routine may have taken a role, which a reset leaves";
                return Err(fault::broken(&self.node, why));
            }
        }
        self.applied.reset();
        self.statements.clear();
        self.pins = Pins::default();
        self.knows_nothing();
        Ok(())
    }

    /// The role that statements here run with.
    pub async fn role(&mut self) -> Result<role::Answer> {
        let rows = self.rows(role::QUESTION, 1).await?;
        Ok(rows.into_iter().next().and_then(|row| row.into_iter().next().flatten()))
    }

    /// COM_INIT_DB, awaited.
    pub async fn init_db(&mut self, name: &Arc<str>) -> Result<()> {
        self.begin(|out| command::write_text(command::byte::INIT_DB, name.as_bytes(), out));
        match self.answer().await? {
            Answer::Ok(_) => {
                self.node.accepted.learn_database(name);
                let state = self.applied.state().in_database(Some(name));
                self.applied.moved(&state);
                Ok(())
            }
            Answer::Err(error) => Err(error),
            Answer::ResultSet { .. } | Answer::LocalInfile(_) => {
                self.broken = true;
                Err(fault::hostile(&self.node, "rows where OK was due"))
            }
        }
    }

    // ---- session state -------------------------------------------------------------------------

    /// A routine may have assigned this variable: its next value is sent, whatever was last.
    pub fn doubt_user_variable(&mut self, name: &str) {
        self.applied.doubt(name);
    }

    /// The state last applied.
    pub fn applied(&self) -> &Applied {
        &self.applied
    }

    /// Sees to it that the next command runs in `wanted`: nothing to do, or written together with
    /// it, or sent and waited for (trap 11).
    ///
    /// # Errors
    /// The server's own error where it refuses the state; the connection then is as before.
    pub async fn enter(&mut self, wanted: &State, pipelining: Pipelining) -> Result<()> {
        if self.applied.satisfies(wanted) {
            return Ok(());
        }
        let change = self.applied.change(wanted, self.version.kind);
        let accepted = &self.node.accepted;
        let known = match pipelining {
            Pipelining::Nothing => false,
            Pipelining::Variables => change.database.is_none() && accepted.has_set(change.key()),
            Pipelining::All => {
                change.database.as_ref().is_none_or(|name| accepted.has_database(name))
                    && accepted.has_set(change.key())
            }
        };
        let key = change.key().to_vec();
        if change.utf8_first {
            self.query(UTF8_FIRST);
            self.expected.push(Expected::Utf8);
        }
        if let Some(name) = &change.database {
            self.begin(|out| command::write_text(command::byte::INIT_DB, name.as_bytes(), out));
            self.expected.push(Expected::Database(name.clone()));
        }
        if let Some(set) = &change.set {
            self.query(set);
            self.expected.push(Expected::Set(key));
        }
        // What was written so far is no command of the client's.
        self.in_flight = false;
        if known {
            Counters::add(&self.node.counters.pipelined, 1);
            self.applied.now(wanted);
            return Ok(());
        }
        Counters::add(&self.node.counters.awaited, 1);
        self.enter_awaited(wanted).await
    }

    /// Waits for the answers of a state that the node hasn't accepted before. All of them are
    /// read, so that the connection stays in step whatever the server said.
    async fn enter_awaited(&mut self, wanted: &State) -> Result<()> {
        self.flush().await?;
        let (mut refused, mut database_done, mut set_done) = (None, false, false);
        let mut in_utf8 = false;
        for expected in std::mem::take(&mut self.expected) {
            self.stream.set_sequence(1);
            match (self.read_ok().await?, expected) {
                (Ok(_), Expected::Lead(_)) => {}
                (Ok(_), Expected::Utf8) => in_utf8 = true,
                (Ok(_), Expected::Database(name)) => {
                    database_done = true;
                    self.node.accepted.learn_database(&name);
                }
                (Ok(_), Expected::Set(key)) => {
                    set_done = true;
                    self.node.accepted.learn_set(&key);
                }
                (Err(error), _) => refused = refused.or(Some(error)),
            }
        }
        let Some(refused) = refused else {
            self.applied.now(wanted);
            return Ok(());
        };
        if database_done {
            let name = wanted.database().map(Arc::from);
            self.applied.moved(&self.applied.state().in_database(name.as_ref()));
        }
        if set_done {
            let have = self.applied.state().database().map(Arc::from);
            self.applied.now(&wanted.in_database(have.as_ref()));
        } else if in_utf8 {
            self.applied.unsettle();
        }
        Err(refused)
    }

    /// Reads one packet that must be OK or ERR.
    async fn read_ok(&mut self) -> Result<Result<OkInfo>> {
        let capabilities = self.capabilities;
        let payload = self.read_packet().await?;
        let parsed = match payload.first() {
            Some(0x00) => OkPacket::parse(payload, capabilities).map(|ok| Ok(OkInfo::of(&ok))),
            Some(0xff) => ErrPacket::parse(payload).map(|err| Err(err.to_error())),
            _ => Err(Error::malformed("neither OK nor ERR where one was due")),
        };
        match parsed {
            Ok(outcome) => {
                if let Ok(info) = &outcome {
                    self.status = info.status;
                    self.note_writes(&info.session_state);
                }
                Ok(outcome)
            }
            Err(error) => Err(self.break_off(&error)),
        }
    }

    // ---- prepared handles ----------------------------------------------------------------------

    /// The handle prepared under this key, if it is still held. The key must name all that the
    /// handle depends on: text, session state and the vector of bound types (trap 14).
    pub fn prepared(&mut self, key: &[u8]) -> Option<Prepared> {
        self.statements.get(key)
    }

    /// Prepares a statement and keeps its handle under `key`; the least used one makes room. With
    /// `definitions` the payloads of the definition packets are returned too, parameters first.
    ///
    /// # Errors
    /// The server's own error, untouched.
    pub async fn prepare(
        &mut self,
        key: &[u8],
        sql: &[u8],
        definitions: bool,
    ) -> Result<(Prepared, Vec<Vec<u8>>)> {
        for stale in self.statements.make_room() {
            self.close_statement(stale);
        }
        match self.prepare_once(key, sql, definitions).await {
            // The server holds all the handles it may: those of this connection make room.
            Err(error) if error.errno == 1461 && !self.statements.is_empty() => {
                for stale in self.statements.drain() {
                    self.close_statement(stale);
                }
                self.prepare_once(key, sql, definitions).await
            }
            outcome => outcome,
        }
    }

    async fn prepare_once(
        &mut self,
        key: &[u8],
        sql: &[u8],
        definitions: bool,
    ) -> Result<(Prepared, Vec<Vec<u8>>)> {
        self.begin(|out| command::write_text(command::byte::STMT_PREPARE, sql, out));
        self.flush().await?;
        self.absorb().await?;
        let payload = self.read_packet().await?;
        if ErrPacket::is_err(payload) {
            let error = ErrPacket::parse(payload)?.to_error();
            self.ended_in_error(&error);
            return Err(error);
        }
        let ok = PrepareOk::parse(payload).map_err(|error| self.break_off(&error))?;
        let mut kept = Vec::new();
        for count in [ok.parameters, ok.columns] {
            for _ in 0..count {
                let payload = self.read_packet().await?;
                if definitions {
                    kept.push(payload.to_vec());
                }
            }
            if count > 0 && !self.capabilities.contains(Capabilities::DEPRECATE_EOF) {
                self.read_packet().await?;
            }
        }
        self.in_flight = false;
        let prepared =
            Prepared { id: ok.statement, parameters: ok.parameters, columns: ok.columns };
        self.statements.put(key, prepared);
        Ok((prepared, kept))
    }

    /// Forgets the handle of this key and closes it with the next flush.
    pub fn unprepare(&mut self, key: &[u8]) {
        if let Some(prepared) = self.statements.remove(key) {
            self.close_statement(prepared.id);
        }
    }

    /// Closes a cursor and keeps its statement: COM_STMT_RESET, answered before the next command.
    pub async fn reset_statement(&mut self, id: u32) -> Result<()> {
        self.begin(|out| command::write_number(command::byte::STMT_RESET, id, out));
        match self.answer().await? {
            Answer::Ok(_) | Answer::Err(_) => Ok(()),
            Answer::ResultSet { .. } | Answer::LocalInfile(_) => {
                self.broken = true;
                Err(fault::hostile(&self.node, "rows where OK was due"))
            }
        }
    }

    /// Appends COM_STMT_CLOSE, which has no answer.
    fn close_statement(&mut self, id: u32) {
        self.stream.reset_sequence();
        self.stream.write_with(|out| command::write_number(command::byte::STMT_CLOSE, id, out));
    }

    // ---- pins ----------------------------------------------------------------------------------

    /// The session must keep this connection, for this reason.
    pub fn pin(&mut self, reason: Pin) {
        if self.pins.add(reason) {
            self.node.counters.pin(reason);
        }
    }

    /// The reason is gone.
    pub fn unpin(&mut self, reason: Pin) {
        self.pins.remove(reason);
    }

    pub fn pins(&self) -> Pins {
        self.pins
    }

    // ---- ending --------------------------------------------------------------------------------

    /// A handle that stops what is running here, until this lend ends.
    pub fn kill_handle(&self) -> KillHandle {
        self.kill.handle(&self.node, self.id)
    }

    /// Whether nothing is under way and nothing of the session is left on it.
    pub fn is_clean(&self) -> bool {
        self.is_in_step() && !self.in_transaction() && !self.pins.dirty() && !self.knows.unclean
    }

    /// Whether the next byte read would be the answer to a new command.
    pub fn is_in_step(&self) -> bool {
        !self.broken
            && !self.in_flight
            && self.expected.is_empty()
            && self.stream.pending_write() == 0
            && !self.stream.has_buffered()
            && !self.status.contains(StatusFlags::MORE_RESULTS)
    }

    /// Whether something was written for a command that never came: state, or the end of a
    /// prepared handle.
    pub(crate) fn is_unused(&self) -> bool {
        let written = !self.expected.is_empty() || self.stream.pending_write() > 0;
        !self.broken && !self.in_flight && written
    }

    /// Sends that and reads its answers.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        self.flush().await?;
        self.absorb().await
    }

    /// Marks why it is about to be dropped.
    pub fn close_for(&mut self, reason: Closed) {
        self.closing = reason;
    }

    /// It must not be lent again.
    pub fn condemn(&mut self) {
        self.broken = true;
    }

    /// Called by the pool when it is lent.
    pub(crate) fn lent(&mut self) {
        self.lends += 1;
    }

    /// Called by the pool when the lend ends; false if it must not be lent again.
    pub(crate) fn unlent(&mut self) -> bool {
        self.idle_since = Instant::now();
        self.lead = None;
        self.stream.release();
        self.pins = Pins::default();
        self.knows_nothing();
        self.kill.end_lend()
    }

    /// Whether the server still keeps the idle connection. No system call where the runtime knows.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.is_in_step() && self.stream.is_quiet()
    }

    /// COM_QUIT, as far as the socket takes it at once: servers count and log those that just go.
    fn say_goodbye(&mut self) {
        self.begin(|out| command::write_text(command::byte::QUIT, b"", out));
        let flush = pin!(self.stream.flush());
        let _ = flush.poll(&mut Context::from_waker(Waker::noop()));
    }

    fn break_off(&mut self, error: &Error) -> Error {
        self.broken = true;
        translate(&self.node, error)
    }
}

/// A stream's error with the node's name: it broke, or the server sent nonsense.
fn translate(node: &Node, error: &Error) -> Error {
    let lost = matches!(error.code, "io" | "disconnected") || error.errno == 1158;
    if lost { fault::broken(node, &error.message) } else { fault::hostile(node, &error.message) }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("node", &self.node)
            .field("id", &self.id)
            .field("status", &self.status)
            .field("pins", &self.pins)
            .field("expected", &self.expected.len())
            .field("in_flight", &self.in_flight)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.is_in_step() {
            self.say_goodbye();
        }
        let reason = match self.closing {
            Closed::Abandoned if self.kill.is_due() => Closed::Killed,
            Closed::Abandoned if self.broken => Closed::Broken,
            reason => reason,
        };
        self.node.counters.close(reason);
        // Handles that are still around must not reach the id's next owner.
        self.kill.end_lend();
    }
}
