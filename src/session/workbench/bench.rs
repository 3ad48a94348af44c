//! The workbench's connection, and the steps that a statement takes on it.
//!
//! Owns: opening it, what is asked of it while the client, KILL and the deadline are watched, and
//! clearing up. Never: decides what is gathered, or relays an answer.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use crate::backend::choose::Role;
use crate::backend::connection::{Pipelining, Runs};
use crate::backend::counters::{Closed, Pin};
use crate::backend::pool::{Ask, Lent};
use crate::backend::state::State;
use crate::context::Snapshot;
use crate::error::{Error, Result};
use crate::executor::running::{Interrupt, timeout_error};
use crate::executor::stream::client_gone;
use crate::name::GroupId;
use crate::planner::plan::Facts;
use crate::planner::workbench::Reference;
use crate::protocol::capability::Capabilities;
use crate::protocol::error_code;
use crate::session::forward::{Failure, watched};
use crate::session::{End, Session};
use crate::sql::lex::ServerKind;

/// The modes that rows are loaded in: nothing is refused, and 0 stays 0 (mysql-traps 22).
const LOADING_MODE: &[u8] = b"'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'";

/// MariaDB's error for a privilege that is missing.
const ACCESS_DENIED: u16 = 1227;

/// How long dropping the temporary tables may take before the connection is closed instead.
const CLEARING: Duration = Duration::from_secs(10);

/// The workbench's connection.
pub(in crate::session) struct Bench {
    /// The node's right to it.
    _permit: Option<OwnedSemaphorePermit>,
    pub lent: Lent,
    pub database: Arc<str>,
    /// The state that rows are loaded in.
    pub loading: State,
    /// The temporary tables that were made.
    pub made: Vec<String>,
    /// The places of references whose tables have few rows.
    pub few: Vec<usize>,
}

/// When a statement must be over: one moment for all of its steps.
#[derive(Clone, Copy, Debug)]
pub(in crate::session) struct Deadline(Option<Instant>);

impl Deadline {
    /// None.
    pub(in crate::session) const OPEN: Deadline = Deadline(None);

    pub fn left(self) -> Option<Duration> {
        self.0.map(|end| end.saturating_duration_since(Instant::now()))
    }
}

impl Session {
    /// The deadline of a statement that begins now: of all groups' limits the shortest, for it may
    /// come to any of them.
    pub(in crate::session) fn deadline(&self, facts: &Facts, snapshot: &Snapshot) -> Deadline {
        let limit = self.limit(facts, snapshot, snapshot.topology.ids());
        Deadline(limit.and_then(|limit| Instant::now().checked_add(limit)))
    }

    /// A question of the workbench's own. Its server is stopped where the client leaves, is told to
    /// stop, or runs out of time; `running` holds what serves it.
    pub(in crate::session) async fn bench_step<T>(
        &mut self,
        deadline: Deadline,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T, Failure> {
        let running = self.running.clone();
        let stream = &mut self.stream;
        let outcome = {
            let work = pin!(async {
                tokio::select! {
                    biased;
                    done = work => done,
                    () = stream.closed() => Err(client_gone()),
                }
            });
            watched(work, &self.registration, &running, deadline.left()).await
        };
        match outcome {
            Err(stop) => Err(Failure::Session(End::Stopped(stop))),
            Ok(Err(error)) if error.code == "client_gone" => {
                running.kill_all().await;
                Err(Failure::Session(End::Error(error.fatal())))
            }
            Ok(Err(error)) => {
                Err(Failure::Statement(Error { fatal: false, ..running.explain(error) }))
            }
            Ok(Ok(done)) => match running.interrupted() {
                None => Ok(done),
                Some(Interrupt::Timeout) => Err(timeout_error().into()),
                Some(Interrupt::Killed) => Err(error_code::interrupted().into()),
            },
        }
    }

    /// A connection for the workbench, in the state that rows are loaded in.
    pub(in crate::session) async fn open_bench(
        &mut self,
        snapshot: &Arc<Snapshot>,
        (group, database): (GroupId, &Arc<str>),
        deadline: Deadline,
    ) -> Result<Bench, Failure> {
        let mut loading = State::default();
        loading.set_database(Some(database.clone()));
        loading.set_variable("time_zone", Some(b"'+00:00'"));
        loading.set_variable("sql_mode", Some(LOADING_MODE));
        let is_mariadb = self.dialect.server == ServerKind::MariaDb;
        if is_mariadb {
            loading.set_variable("check_constraint_checks", Some(b"0"));
            loading.set_variable("binlog_format", Some(b"'ROW'"));
        }
        let permit = match snapshot.topology.group(group)?.primary() {
            Some(pool) => {
                let patience = self.ctx.shared.config().timeouts.pool_wait.0;
                Some(self.bench_step(deadline, pool.node().bench(Instant::now() + patience)).await?)
            }
            None => None,
        };
        let lent = match self.lend_bench(snapshot, group, &loading).await {
            // Without the right the rows go to the binary log, where MariaDB writes one that isn't
            // by rows already.
            Err(error) if is_mariadb && error.errno == ACCESS_DENIED => {
                loading.set_variable("binlog_format", None);
                self.lend_bench(snapshot, group, &loading).await?
            }
            lent => lent?,
        };
        let database = database.clone();
        let (made, few) = (Vec::new(), Vec::new());
        let mut bench = Bench { _permit: permit, lent, database, loading, made, few };
        bench.lent.pin(Pin::TemporaryTable);
        self.running.add(bench.lent.kill_handle());
        Ok(bench)
    }

    pub(in crate::session) async fn lend_bench(
        &self,
        snapshot: &Arc<Snapshot>,
        group: GroupId,
        state: &State,
    ) -> Result<Lent> {
        let to = snapshot.topology.group(group)?;
        let asked = Instant::now();
        let ask = Ask {
            worker: self.ctx.index,
            role: Role::Primary,
            after: None,
            state,
            found_rows: self.capabilities.contains(Capabilities::FOUND_ROWS),
            pipelining: Pipelining::Nothing,
            asked,
            deadline: self.lend_by(to, asked),
        };
        to.lend(&ask).await
    }

    /// The session's state, outside of its transaction.
    pub(in crate::session) fn residual_state(&self, bench: &Bench) -> State {
        let mut state = self.state.in_database(Some(&bench.database));
        state.set_autocommit(true);
        state.set_read_only(false);
        // It can't be changed while there are temporary tables.
        state.set_variable("binlog_format", bench.loading.variable("binlog_format"));
        state
    }

    /// What stored code set on the bench becomes the session's, but for user variables, which nothing
    /// names: those are unknown from now on.
    pub(in crate::session) async fn take_unseen_of(&mut self, bench: &mut Bench) {
        // The hint SET_VAR is told of as a change, too.
        let plain = bench.lent.runs() == Runs::Plain;
        self.take_unseen(&mut bench.lent).await;
        if !plain && bench.lent.may_know_any() {
            self.held.lose();
        }
    }

    /// Drops the temporary tables and gives the connection back; it is closed where that fails.
    pub(in crate::session) async fn clear_bench(&mut self, mut bench: Bench, key: &[u8]) {
        let lent = &mut bench.lent;
        lent.unprepare(key);
        if bench.made.is_empty() {
            lent.unpin(Pin::TemporaryTable);
            bench.lent.finish().await;
            return;
        }
        let tables: Vec<String> = bench.made.iter().map(|name| format!("`{name}`")).collect();
        let drop = format!("DROP TEMPORARY TABLE {}", tables.join(", "));
        match timeout(CLEARING, lent.simple(drop.as_bytes())).await {
            Ok(Ok(_)) => {
                lent.unpin(Pin::TemporaryTable);
                bench.lent.finish().await;
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "the workbench's tables were not dropped");
                bench.lent.close(Closed::Unclean);
            }
            Err(_) => bench.lent.close(Closed::Unclean),
        }
    }
}

/// The statement that gives a reference the rows of another one.
pub(in crate::session) fn copied(reference: &Reference, of: &Reference) -> String {
    let (to, from) = (&reference.temporary, &of.temporary);
    let names: Vec<String> = reference
        .columns
        .iter()
        .map(|column| format!("`{}`", column.name.replace('`', "``")))
        .collect();
    if names.is_empty() {
        return format!("INSERT INTO `{to}` SELECT * FROM `{from}`");
    }
    let names = names.join(", ");
    format!("INSERT INTO `{to}` ({names}) SELECT {names} FROM `{from}`")
}
