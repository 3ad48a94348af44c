//! Commands: which part of the session answers which one.
//!
//! Owns: the list, and the small commands (PING, STATISTICS, SET_OPTION, INIT_DB, RESET, QUIT …).
//! Never: answers OK to a command that it doesn't know.

use std::time::Duration;

use crate::backend::state::State;
use crate::error::{Error, Fault};
use crate::observe::sessions::{Software, Stop, Target as KillTarget};
use crate::protocol::capability::Capabilities;
use crate::protocol::change_user::ChangeUser;
use crate::protocol::command::Command;
use crate::protocol::error_code;
use crate::protocol::login::attributes;
use crate::session::forward::Failure;
use crate::session::login::{self, Asked};
use crate::session::{End, Session, transaction_error};
use crate::sql::lex::ServerKind;

impl Session {
    /// Answers one command, flushed.
    pub(super) async fn dispatch(&mut self, packet: &[u8]) -> Result<(), End> {
        let command = match Command::parse(packet, self.capabilities) {
            Ok(command) => command,
            Err(error) => return Err(End::Error(error)),
        };
        let text: &[u8] = match &command {
            Command::Query(text) | Command::StmtPrepare(text) => text,
            _ => b"",
        };
        self.registration.begin(command.name(), text);
        self.stream.set_write_limit(self.settings.timeouts.client_write.limit());
        self.running.begin();
        self.running.set_patience(self.settings.timeouts.stop.0);
        let reads_rules = matches!(
            command,
            Command::Query(_) | Command::StmtExecute(_) | Command::StmtFetch { .. }
        );
        let outcome = match command {
            _ if reads_rules && self.is_outdated() => Err(Box::pin(self.outdated()).await),
            Command::Query(sql) => self.query(sql).await,
            command => self.simple_command(command).await,
        };
        if !self.is_in_transaction() {
            self.own_writes.end();
        }
        match outcome {
            Ok(()) => {}
            Err(Failure::Statement(_)) if self.transaction_left() == Some(Duration::ZERO) => {
                return Err(End::Error(transaction_error(&self.settings)));
            }
            Err(Failure::Statement(error)) => match self.loss(Some(error.clone())) {
                Some(loss) => return Err(End::Error(loss)),
                None => self.reply_error(&error),
            },
            Err(Failure::Session(end)) => return Err(end),
        }
        self.flush().await?;
        match self.loss(None) {
            Some(loss) => {
                // The command has its answer: this is the next one's.
                self.stream.set_sequence(1);
                Err(End::Error(loss))
            }
            None => Ok(()),
        }
    }

    /// Whether rows were moved by a reload since the session took the connections that it holds.
    /// A statement that is under way meanwhile ends by the rules that it began by, as one does that
    /// began before the reload.
    pub(super) fn is_outdated(&self) -> bool {
        let Some(held) = self.held.snapshot() else { return false };
        held.rules.version < self.ctx.shared.moved_at()
    }

    /// By the rules of what it holds a session would read and write where the rows aren't any more:
    /// its transaction ends, and with anything else that it holds, the session.
    pub(super) async fn outdated(&mut self) -> Failure {
        let transaction = self.is_in_transaction();
        if transaction && !self.transaction.is_xa() {
            self.abort_transaction().await;
            self.held.unbind();
        }
        let what = "A reload of Weir's rules moved rows elsewhere while this session";
        if transaction && self.held.is_empty() {
            return Failure::Statement(Error::new(
                Fault::Unavailable,
                1213,
                b"40001",
                "rules_moved",
                format!(
                    "{what} was in a transaction by the rules before: it is rolled back; try restarting \
                     transaction"
                ),
            ));
        }
        let error = Error::unavailable(
            "rules_moved",
            format!(
                "{what} held locks, temporary tables or an XA branch by the rules before: this session ends, \
                 and what it had not committed is rolled back; connect again"
            ),
        );
        Failure::Session(End::Error(error.fatal()))
    }

    /// Sends what waits; a client that doesn't take it within its time is let go.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        self.stream.flush().await.map_err(End::Error)
    }

    async fn simple_command(&mut self, command: Command<'_>) -> Result<(), Failure> {
        match command {
            Command::Quit => return Err(Failure::Session(End::Client)),
            Command::Ping => self.reply_ok(0, "", false),
            Command::InitDb(name) => {
                let name = String::from_utf8_lossy(name).into_owned();
                self.use_schema(&name)?;
                self.reply_ok(0, "", false);
            }
            Command::Statistics => self.statistics(),
            Command::ProcessKill(id) => {
                self.kill(u64::from(id), KillTarget::Connection)?;
                self.reply_ok(0, "", false);
            }
            Command::SetOption(option) => self.set_option(option)?,
            Command::ResetConnection => {
                Box::pin(self.reset()).await;
                self.reply_ok(0, "", false);
            }
            Command::ChangeUser(change) => Box::pin(self.change_user(change)).await?,
            Command::FieldList { table, wildcard } => {
                Box::pin(self.field_list(table, wildcard)).await?;
            }
            Command::StmtPrepare(sql) => Box::pin(self.prepare(sql)).await?,
            Command::StmtExecute(execute) => self.execute(&execute).await?,
            Command::StmtSendLongData { statement, parameter, data } => {
                // Has no answer, not even for an error: the next execution tells.
                self.long_data(statement, parameter, data);
            }
            Command::StmtClose(statement) => Box::pin(self.close_statement(statement)).await,
            Command::StmtReset(statement) => {
                Box::pin(self.reset_statement(statement)).await?;
                self.reply_ok(0, "", false);
            }
            Command::StmtFetch { statement, rows } => Box::pin(self.fetch(statement, rows)).await?,
            Command::Query(sql) => Box::pin(self.query(sql)).await?,
            Command::ProcessInfo | Command::Debug | Command::Other(_) => {
                return Err(Failure::Statement(error_code::unknown_command()));
            }
        }
        Ok(())
    }

    /// `USE`, COM_INIT_DB.
    pub(super) fn use_schema(&mut self, name: &str) -> Result<(), Error> {
        let snapshot = self.snapshot();
        let schema = self.identity.schema(&snapshot.rules, name)?;
        self.registration.set_schema(Some(schema.clone()));
        self.schema = Some(schema);
        Ok(())
    }

    /// COM_STATISTICS: a line of text, not an OK packet.
    fn statistics(&mut self) {
        let sessions = self.ctx.shared.sessions.len();
        let statements = self.ctx.shared.metrics.workers().iter();
        let statements: u64 =
            statements.flat_map(|worker| worker.statements.iter().flatten()).map(|n| n.get()).sum();
        let slow = self.ctx.shared.metrics.sum(|worker| &worker.slow_left_out);
        let uptime = self.ctx.shared.uptime().as_secs();
        let line = format!(
            "Uptime: {uptime}  Threads: {sessions}  Questions: {statements}  Slow queries: {slow}  \
             Opens: 0  Open tables: 0  Queries per second avg: {:.3}",
            statements as f64 / uptime.max(1) as f64
        );
        self.stream.write_packet(line.as_bytes());
    }

    /// COM_SET_OPTION is answered by what ends rows, not by OK.
    fn set_option(&mut self, option: u16) -> Result<(), Error> {
        self.capabilities = match option {
            0 => self.capabilities.with(Capabilities::MULTI_STATEMENTS),
            1 => self.capabilities.without(Capabilities::MULTI_STATEMENTS),
            _ => return Err(error_code::unknown_command()),
        };
        self.reply_end();
        Ok(())
    }

    /// KILL [QUERY], COM_PROCESS_KILL: one's own connections, or anybody's with the admin right.
    pub(super) fn kill(&mut self, id: u64, target: KillTarget) -> Result<(), Failure> {
        if id == u64::from(self.registration.id()) {
            return Err(match target {
                KillTarget::Query => error_code::interrupted().into(),
                KillTarget::Connection if self.dialect.server == ServerKind::MySql => {
                    error_code::interrupted().fatal().into()
                }
                KillTarget::Connection => Failure::Session(End::Stopped(Stop::Kill)),
            });
        }
        let user = &self.identity.user;
        Ok(self.ctx.shared.sessions.kill(id, target, |entry| {
            user.rights.admin || entry.user().is_some_and(|owner| owner == user.name)
        })?)
    }

    /// COM_RESET_CONNECTION: a fresh session of the same account, charset kept as MariaDB does.
    pub(super) async fn reset(&mut self) {
        self.close_branch();
        self.held.abandon().await;
        self.consistent = None;
        self.transaction = crate::transaction::open::Transaction::default();
        let charset = self.state.charset().clone();
        self.state = State::default();
        self.state.set_charset(charset);
        self.last = crate::session::last::Last::default();
        self.forget_statements();
        self.named.clear();
        self.adopt_dialect();
    }

    /// COM_CHANGE_USER: a new login on this connection; a failed one ends it.
    async fn change_user(&mut self, change: ChangeUser<'_>) -> Result<(), Failure> {
        self.reset().await;
        let rules = self.ctx.shared.snapshot().rules.clone();
        // The greeting's salt is known to whoever saw it: the client is always asked anew.
        let asked = Asked { user: change.user, plugin: b"", response: b"", salt: [0; 20] };
        let limit = self.settings.timeouts.handshake.0;
        let ctx = self.ctx.clone();
        let login = login::authenticate(&ctx, &mut self.stream, &rules, &self.registration, asked);
        let identity = match tokio::time::timeout(limit, login).await {
            Ok(identity) => identity,
            Err(_) => Err(Error::new(
                Fault::Client,
                1158,
                b"08S01",
                "handshake_timeout",
                "The login wasn't complete within timeouts.handshake",
            )
            .fatal()),
        };
        let identity = match identity {
            Ok(identity) => identity,
            Err(error) => {
                login::failed(&ctx, &self.registration, &error).await;
                return Err(Failure::Session(End::Error(error.fatal())));
            }
        };
        let schema = login::first_schema(&identity, &rules, change.database)
            .map_err(|error| Failure::Session(End::Error(error)))?;
        if let Some(collation) = change.collation {
            let announced = self.ctx.shared.front.announced();
            self.state = login::first_state(collation, self.capabilities, &announced);
        }
        if self.capabilities.contains(Capabilities::CONNECT_ATTRS) {
            self.registration.set_software(Software::of(attributes(change.attributes)));
        }
        self.registration.log_in(identity.user.name.clone(), schema.clone());
        self.identity = identity;
        self.schema = schema;
        self.adopt_dialect();
        self.reply_ok(0, "", false);
        Ok(())
    }
}
