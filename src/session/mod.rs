//! One client's dialogue: login, commands, statements, prepared statements, replies.
//!
//! Owns: what a client's connection remembers, and the order of things. Never: decides where a
//! statement goes (the planner), reads a packet's bytes off a socket (`wire`), or knows a pool's
//! inside.
//!
//! [`serve`] is the whole life of a session. A command goes through [`dispatch`], a statement's
//! text through [`query`], which plans it and hands it to [`forward`] and its siblings.

mod arguments;
mod as_select;
pub mod client_xa;
mod cursor;
pub mod diagnostics;
pub mod dispatch;
mod drop_each;
pub mod field_list;
mod folded;
pub mod forward;
mod found;
mod given_id;
pub mod identity;
mod idle;
mod index;
mod index_insert;
pub mod last;
mod learn;
pub mod lend;
mod load;
pub mod login;
pub mod look_back;
mod made_of_rows;
pub mod own;
mod own_writes;
pub mod plan;
pub mod prepared;
mod prepared_under;
pub mod query;
mod record;
pub mod reply;
pub mod scatter;
mod sequence;
pub mod several;
pub mod show;
mod show_objects;
pub mod sql_prepared;
mod system;
mod temporary;
pub mod transact;
mod user_values;
pub mod variables;
mod views;
mod workbench;

use std::sync::Arc;

use crate::backend::state::{Placed, State};
use crate::config::Config;
use crate::context::{Client, Settings, WorkerContext};
use crate::error::{Error, Fault, Result, Retry};
use crate::executor::insert_id::Taken;
use crate::executor::running::Running;
use crate::name::SchemaName;
use crate::observe::sessions::{Registration, Stop, Watch};
use crate::protocol::capability::Capabilities;
use crate::protocol::err::write_error;
use crate::protocol::status::StatusFlags;
use crate::sql::lex::Dialect;
use crate::sql::template::Lexed;
use crate::transaction::open::Transaction;
use crate::value::{CharsetClass, assign};
use crate::wire::stream::Stream;

use identity::Identity;
use last::Last;
use lend::Held;

/// One client's session, after its login.
pub struct Session {
    pub(crate) stream: Stream,
    pub(crate) ctx: Arc<WorkerContext>,
    pub(crate) registration: Registration,
    /// As they were when the present command came.
    pub(crate) settings: Settings,
    pub(crate) identity: Identity,
    pub(crate) capabilities: Capabilities,
    pub(crate) schema: Option<SchemaName>,
    /// What every backend connection must have before a statement of this session runs; its
    /// database is chosen for each statement.
    pub(crate) state: State,
    /// The same in the databases of its targets.
    placed: Placed,
    pub(crate) dialect: Dialect,
    pub(crate) transaction: Transaction,
    /// Backend connections that belong to this session until it lets them go.
    pub(crate) held: Held,
    own_writes: own_writes::OwnWrites,
    pub(crate) last: Last,
    idle: idle::Idle,
    /// The ids that the present statement took from a sequence.
    pub(crate) taken: Option<Taken>,
    /// What runs now, for whoever has to stop it.
    pub(crate) running: Arc<Running>,
    /// SET weir_consistent_reads; without it the schema's rule holds.
    pub(crate) consistent: Option<bool>,
    /// Buffers that every statement uses again.
    pub(crate) lexed: Option<Box<Lexed>>,
    pub(crate) text: Vec<u8>,
    pub(crate) rendered: Vec<u8>,
    pub(crate) prepared: prepared::Statements,
    /// What was asked of information_schema's own tables.
    system_columns: system::Columns,
    /// Texts of SQL's PREPARE, by name.
    pub(crate) named: sql_prepared::Named,
    /// Follow from `state`.
    pub(crate) charset_class: CharsetClass,
    pub(crate) assign: assign::Context,
    /// Differs from statement to statement.
    pub(crate) turn: u64,
}

/// Serves one connection from its greeting to its end. Errors end in a log line or an ERR packet;
/// the future's end frees everything.
pub async fn serve(ctx: Arc<WorkerContext>, stream: Stream, client: Client) {
    let Client { registration, handshake, seat, login_by } = client;
    let _seat = seat;
    let mut stream = stream;
    let login = Box::pin(login::run(&ctx, &mut stream, &registration));
    let cut = async {
        match &handshake {
            Some(handshake) => handshake.cut().await,
            None => std::future::pending().await,
        }
    };
    let late = |code, why: &str| Err(Error::unavailable(code, why));
    let login = tokio::select! {
        biased;
        login = login => login,
        () = tokio::time::sleep_until(login_by) => {
            late("handshake_timeout", "The login wasn't complete within timeouts.handshake")
        }
        () = cut => late(
            "handshake_crowded",
            "Others wait to log in, and this login took the longest (limits.max_handshakes)",
        ),
    };
    drop(handshake);
    match login {
        Ok(Some(login)) => {
            let mut session = Session::new(ctx, stream, registration, login);
            session.run().await;
        }
        // The client left before it logged in: a health check.
        Ok(None) => {}
        Err(error) => {
            login::failed(&ctx, &registration, &error).await;
            stream.write_with(|out| write_error(&error, Capabilities::OFFERED, out));
            // The client may be gone already.
            let _ = stream.shutdown().await;
        }
    }
}

/// Why a session's loop ends.
#[derive(Debug)]
pub(crate) enum End {
    /// The client said QUIT or closed.
    Client,
    /// The connection can't go on; the client is told, if it still listens.
    Error(Error),
    /// KILL, drain or shutdown.
    Stopped(Stop),
}

impl Session {
    fn new(
        ctx: Arc<WorkerContext>,
        stream: Stream,
        registration: Registration,
        login: login::Login,
    ) -> Self {
        let id = registration.id();
        let mut stream = stream;
        stream.set_budget(ctx.shared.budget.clone());
        let settings = ctx.shared.settings();
        let running = Arc::new(Running::new(settings.timeouts.stop.0));
        let mut session = Session {
            stream,
            settings,
            ctx,
            registration,
            identity: login.identity,
            capabilities: login.capabilities,
            schema: login.schema,
            state: login.state,
            placed: Placed::default(),
            dialect: Dialect::default(),
            transaction: Transaction::default(),
            held: Held::default(),
            own_writes: own_writes::OwnWrites::default(),
            last: Last::default(),
            idle: idle::Idle::default(),
            taken: None,
            running,
            consistent: None,
            lexed: None,
            text: Vec::new(),
            rendered: Vec::new(),
            prepared: prepared::Statements::default(),
            system_columns: system::Columns::new(),
            named: sql_prepared::Named::new(),
            charset_class: CharsetClass::of("utf8mb4"),
            assign: assign::Context::new(assign::ServerKind::Unknown, "", None),
            turn: u64::from(id),
        };
        session.adopt_dialect();
        session
    }

    async fn run(&mut self) {
        let end = loop {
            if let Err(end) = self.command().await {
                break end;
            }
        };
        Box::pin(self.farewell(end)).await;
    }

    /// One command from its first byte to its answer's last.
    async fn command(&mut self) -> Result<(), End> {
        let mut packet = std::mem::take(&mut self.text);
        let read = self.read_command(&mut packet).await;
        let outcome = match read {
            // Boxed, so that a session which waits for its next command is a small task: what a
            // statement's future needs is 4 KiB.
            Ok(()) => {
                self.ctx.shared.renew(&mut self.settings);
                Box::pin(self.dispatch(&packet)).await
            }
            Err(end) => Err(end),
        };
        packet.clear();
        if packet.capacity() > KEPT_BUFFER {
            packet = Vec::new();
        }
        self.text = packet;
        if let Some(lexed) = &mut self.lexed {
            lexed.trim(KEPT_BUFFER);
        }
        outcome?;
        self.registration.end();
        Ok(())
    }

    /// Waits for the next command, a stop signal or the idle timeout.
    async fn read_command(&mut self, packet: &mut Vec<u8>) -> Result<(), End> {
        let in_transaction = self.is_in_transaction();
        self.registration.set_in_transaction(in_transaction);
        let watch = if in_transaction { Watch::InTransaction } else { Watch::Idle };
        self.ctx.shared.renew(&mut self.settings);
        let left = self.transaction_left();
        // Not even a command that is there already goes on with it.
        if left.is_some_and(|left| left.is_zero()) {
            return Err(End::Error(transaction_error(&self.settings)));
        }
        let limit = if in_transaction {
            let idle = self.settings.timeouts.idle_in_transaction.limit();
            idle.into_iter().chain(left).min()
        } else {
            self.settings.timeouts.idle.limit()
        };
        self.stream.set_max_packet(self.settings.limits.max_allowed_packet.bytes());
        tokio::select! {
            biased;
            read = self.stream.read_command_into(packet) => match read {
                Ok(true) => Ok(()),
                Ok(false) => Err(End::Client),
                Err(error) => Err(End::Error(error)),
            },
            () = self.idle.over(limit) => {
                let limit = limit.unwrap_or_default();
                Err(End::Error(match left {
                    Some(left) if left == limit => transaction_error(&self.settings),
                    _ => idle_error(limit, in_transaction),
                }))
            }
            stop = self.registration.stopped(watch) => Err(End::Stopped(stop)),
        }
    }

    /// Tells the client why, gives the connections back or up, and closes.
    async fn farewell(&mut self, end: End) {
        let connection = self.registration.id();
        match &end {
            End::Client => tracing::debug!(connection, "the client left"),
            End::Error(error) => tracing::info!(connection, %error, "a session ends by an error"),
            End::Stopped(stop) => tracing::debug!(connection, ?stop, "a session is ended"),
        }
        let error = match end {
            End::Client => None,
            End::Error(error) => Some(error),
            End::Stopped(Stop::Kill) => {
                Some(Error::new(Fault::Client, 1927, b"70100", "killed", "Connection was killed"))
            }
            End::Stopped(Stop::Unanswered) => Some(unanswered(&self.settings)),
            End::Stopped(_) => Some(
                Error::new(
                    Fault::Unavailable,
                    1053,
                    b"08S01",
                    "shutdown",
                    "This proxy is shutting down: connect again",
                )
                .retry(Retry::Safe),
            ),
        };
        self.running.kill_all().await;
        self.close_branch();
        self.held.abandon().await;
        if let Some(error) = error {
            self.ctx.recorder.error(&error);
            if matches!(error.code, "packet_too_large" | "memory_budget") {
                // Clients send all of a statement before they read.
                let _ = tokio::time::timeout(DISCARD, self.stream.discard_packet()).await;
            }
            self.stream.write_with(|out| write_error(&error, self.capabilities, out));
        }
        // The client may be gone already; a stuck one must not hold the session's end up.
        let _ = tokio::time::timeout(FAREWELL, self.stream.shutdown()).await;
    }

    /// The flags that a packet of Weir's own carries.
    pub(crate) fn status(&self) -> StatusFlags {
        let mut status = StatusFlags::default();
        if self.state.autocommit() {
            status = status.with(StatusFlags::AUTOCOMMIT);
        }
        if self.transaction.is_shown() {
            status = status.with(StatusFlags::IN_TRANSACTION);
            if self.transaction.refuses_writes() {
                status = status.with(StatusFlags::IN_TRANSACTION_READ_ONLY);
            }
        }
        status.with(self.mode_flags())
    }
}

/// A statement buffer larger than this is given back.
const KEPT_BUFFER: usize = 4 << 10;

/// How long a client may take to send the rest of a packet that was too long.
const DISCARD: std::time::Duration = std::time::Duration::from_secs(30);

/// How long a closing session waits for its client to take the last packet.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(1);

fn unanswered(settings: &Config) -> Error {
    let patience = settings.timeouts.stop.0.as_secs_f64();
    Error::unavailable(
        "stop_unanswered",
        format!(
            "The statement was told to stop, and its server didn't answer within {patience} s \
             (timeouts.stop): this session ends, and its servers undo what it had open"
        ),
    )
    .retry(Retry::Unknown)
    .fatal()
}

fn transaction_error(settings: &Config) -> Error {
    let limit = settings.timeouts.transaction.0.as_secs_f64();
    Error::new(
        Fault::Client,
        4031,
        b"HY000",
        "transaction_timeout",
        format!("The transaction was open for {limit} s (timeouts.transaction): it is rolled back"),
    )
    .fatal()
}

fn idle_error(limit: std::time::Duration, in_transaction: bool) -> Error {
    let (setting, tail) = if in_transaction {
        ("timeouts.idle_in_transaction", "; its transaction is rolled back")
    } else {
        ("timeouts.idle", "")
    };
    Error::new(
        Fault::Client,
        4031,
        b"HY000",
        "idle_timeout",
        format!("The client sent nothing for {} s ({setting}){tail}", limit.as_secs()),
    )
    .fatal()
}
