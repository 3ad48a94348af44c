//! COM_QUERY: a text, its statements, and what becomes of each.
//!
//! Owns: the loop over several statements and the way from plan to answer. Never: plans, lends or
//! relays itself.

use std::sync::Arc;
use std::time::Instant;

use crate::context::Snapshot;
use crate::error::{Error, Result};
use crate::executor::pass::Summary;
use crate::name::GroupId;
use crate::observe::sessions::{Stop, Target as KillTarget, Watch};
use crate::planner::Plan;
use crate::planner::bind::{self, Binding};
use crate::planner::explain::explain;
use crate::planner::lookup::Within;
use crate::planner::made::MADE_OF_ROWS;
use crate::planner::plan::{Access, Rendered, Reply, Route, SessionAction, Target};
use crate::planner::splice::{Form, with_parameters};
use crate::planner::tokens::TABLES_APART;
use crate::protocol::capability::Capabilities;
use crate::protocol::error_code;
use crate::protocol::execute::ParameterType;
use crate::session::forward::{Failure, Job, Payload};
use crate::session::index::Led;
use crate::session::last::Diagnostic;
use crate::session::lend::Purpose;
use crate::session::reply::{Kind, Table};
use crate::session::system::Folded;
use crate::session::workbench::into::only_takes_row;
use crate::session::{End, Session};
use crate::session::{look_back, record};
use crate::sql::classify::{self, Classified, StatementKind};
use crate::sql::lex::{self, ServerKind};
use crate::sql::load;
use crate::sql::template::Lexed;
use crate::sql::token::Token;
use crate::value::Value;

/// How a statement came, and what follows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner<'a> {
    /// The values of `?`.
    pub parameters: &'a [Value],
    /// The same as COM_STMT_EXECUTE brought them.
    pub arguments: Option<Arguments<'a>>,
    /// The rows of the answer are binary: COM_STMT_EXECUTE.
    pub binary: bool,
    /// Another statement of the same command follows.
    pub more: bool,
}

impl Manner<'_> {
    /// A statement of Weir's own.
    pub const OWN: Manner<'static> =
        Manner { parameters: &[], arguments: None, binary: false, more: false };
}

/// Parameters in the binary protocol's form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arguments<'a> {
    pub types: &'a [ParameterType],
    /// What follows the statement's id in COM_STMT_EXECUTE.
    pub bytes: &'a [u8],
}

/// Whether the statements behind this one are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Good,
    /// The client was sent a backend's ERR.
    Failed,
}

impl Session {
    /// Runs all statements of a text; the first error ends it.
    pub(super) async fn query(&mut self, text: &[u8]) -> Result<(), Failure> {
        let limit = self.settings.limits.multi_statements;
        let mut rest = text;
        let mut count = 0;
        loop {
            if count > 0 && self.is_outdated() {
                return Err(Box::pin(self.outdated()).await);
            }
            let mut lexed = self.lexed.take().unwrap_or_default();
            let lex = self.ctx.lexer.lex(rest, &self.dialect, &mut lexed);
            let next = lexed.rest();
            let outcome = match lex {
                Ok(()) => self.one(rest, &lexed, next, &mut count, limit).await,
                Err(error) => Err(error.into()),
            };
            self.lexed = Some(lexed);
            match (outcome?, next) {
                (Outcome::Good, Some(next)) if self.loss(None).is_none() => {
                    rest = rest.get(next..).unwrap_or_default();
                }
                _ => return Ok(()),
            }
        }
    }

    async fn one(
        &mut self,
        rest: &[u8],
        lexed: &Lexed,
        next: Option<usize>,
        count: &mut u32,
        limit: u32,
    ) -> Result<Outcome, Failure> {
        *count += 1;
        if *count > limit {
            return Err(Error::refused(
                "multi_statements",
                format!("More than {limit} statements in one text (limits.multi_statements)"),
            )
            .into());
        }
        if let Some(next) =
            next.filter(|_| !self.capabilities.contains(Capabilities::MULTI_STATEMENTS))
        {
            let near = rest.get(next..(next + 80).min(rest.len())).unwrap_or_default();
            return Err(Error::syntax(format!(
                "You have an error in your SQL syntax near '{}': the connection was opened without \
                 multi-statements",
                String::from_utf8_lossy(near)
            ))
            .into());
        }
        let manner =
            Manner { parameters: &[], arguments: None, binary: false, more: next.is_some() };
        self.statement(rest, lexed, manner).await
    }

    /// One statement from its template to its answer. `sql` may go on behind `lexed.end()`.
    pub(super) async fn statement(
        &mut self,
        sql: &[u8],
        lexed: &Lexed,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        self.statement_of(sql, lexed, manner, false).await
    }

    /// The same; `granted`: the rights of those who defined its views were found enough.
    pub(super) async fn statement_of(
        &mut self,
        sql: &[u8],
        lexed: &Lexed,
        manner: Manner<'_>,
        granted: bool,
    ) -> Result<Outcome, Failure> {
        let started = Instant::now();
        let snapshot = self.snapshot();
        let plan = self.plan(&snapshot, sql, lexed).await?;
        if !granted {
            self.check_rights(&plan)?;
        }
        self.pass_gate().await?;
        if let Some(definer) = plan.through_views() {
            let granted = granted || definer;
            return Box::pin(self.through_views(&snapshot, &plan, (sql, lexed), manner, granted))
                .await;
        }
        let before = self.last.found();
        // Boxed where it is rare, so that the future of each statement is small.
        let once = match self.transaction.has_next() {
            true => Some(self.enter_once(&plan)?),
            false => None,
        };
        let run = self.run_planned(&snapshot, &plan, (sql, lexed), manner, started);
        let outcome = match &once {
            Some(_) => Box::pin(run).await,
            None => run.await,
        };
        if let Some(once) = once {
            self.leave_once(once, &outcome);
        }
        let given = (sql, lexed, manner.parameters);
        self.settle_found((&snapshot, &plan), given, before, outcome.as_ref().copied());
        outcome
    }

    async fn run_planned(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Arc<Plan>,
        (sql, lexed): (&[u8], &Lexed),
        manner: Manner<'_>,
        started: Instant,
    ) -> Result<Outcome, Failure> {
        let session = self.facts();
        let binding = Binding {
            sql,
            lexed,
            dialect: self.dialect,
            parameters: manner.parameters,
            rules: &snapshot.rules,
            session: &session,
        };
        if plan.fill.is_some()
            && let Some(filled) = self.filled(plan, &binding, Form::Text).await?
        {
            return Box::pin(self.statement_filled(&filled, manner)).await;
        }
        let within = match plan.by_index {
            true => match Box::pin(self.led(snapshot, plan, &binding, manner, started)).await? {
                Led::Done(outcome) => return Ok(outcome),
                Led::Within(within) => within,
            },
            false => Within::new(),
        };
        let route = self.informed(plan, plan.bind_within(&binding, &within));
        if self.must_learn(plan) {
            Box::pin(self.learn(&binding, place(&route))).await?;
        }
        self.forget_conditions(&route, plan);
        if plan.facts.commits {
            Box::pin(self.end_transaction(b"COMMIT")).await?;
        }
        self.allow_groups(plan)?;
        let way = record::way(&route);
        let outcome = match route {
            Route::Refuse(error) => {
                Box::pin(self.refused(snapshot, plan, &binding, error, manner)).await
            }
            // Boxed, so that a statement for one shard is a small future: it is made for each one.
            Route::Reply(reply) => {
                Box::pin(self.answer(reply, snapshot, plan, &binding, manner)).await
            }
            Route::Session(SessionAction::Set) if !manner.parameters.is_empty() => {
                Box::pin(self.set_written(&binding, manner)).await
            }
            Route::Session(action) => Box::pin(self.act(action, sql, lexed, manner)).await,
            route if plan.keeps && route.is_placed() => {
                Box::pin(self.insert_with_entries(snapshot, plan, route, &binding, manner)).await
            }
            Route::Forward(target) if only_takes_row(plan) => {
                Box::pin(self.into_at(plan, &target, &binding, manner)).await
            }
            Route::Forward(target) => self.pass(snapshot, plan, &target, &binding, manner).await,
            Route::Scatter { targets, gather } => {
                Box::pin(self.scatter_whole(snapshot, plan, targets, gather, &binding, manner))
                    .await
            }
            Route::Load(load) => Box::pin(self.load(snapshot, plan, load, &binding, manner)).await,
            Route::Workbench(bench) => {
                Box::pin(self.workbench(snapshot, plan, bench, &binding, manner)).await
            }
            Route::Write { targets, write } => {
                Box::pin(self.write_many(snapshot, plan, targets, write, &binding, manner)).await
            }
        };
        self.record(plan, lexed, way, started, outcome.as_ref().copied());
        outcome
    }

    /// A statement begins: what is kept of the one before is gone, unless it asks for that.
    fn forget_conditions(&mut self, route: &Route<'_>, plan: &Plan) {
        if !keeps_conditions(route) && !plan.facts.looks_back {
            self.last.begin();
        }
    }

    /// Inside of a transaction rows that stand beside information_schema are gathered, through the
    /// transaction's own connections.
    fn informed<'p>(&self, plan: &'p Plan, route: Route<'p>) -> Route<'p> {
        let open = self.is_in_transaction() || !self.state.autocommit();
        match (route, plan.informed()) {
            (Route::Forward(_), Some(bench)) if open => Route::Workbench(bench),
            (route, _) => route,
        }
    }

    /// A statement that goes nowhere as it is.
    async fn refused(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        binding: &Binding<'_>,
        error: Error,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        let (sql, lexed) = (binding.sql, binding.lexed);
        let unread = matches!(error.code, NOT_UNDERSTOOD | "view_over_shards");
        if unread
            && self.dialect.server == ServerKind::MySql
            && let Some(outcome) = self.table_query(binding, manner).await?
        {
            return Ok(outcome);
        }
        match error.code {
            _ if unread && plan.kind == StatementKind::Do => self.do_query(binding, manner).await,
            NOT_UNDERSTOOD => Err(self.syntax_error(snapshot, sql, lexed, error).await.into()),
            TABLES_APART => self.drop_each(snapshot, plan, sql, lexed, manner).await,
            MADE_OF_ROWS => self.make_of_rows(snapshot, binding, manner).await,
            _ => Err(error.into()),
        }
    }

    /// Waits while the proxy is paused; what is inside of a transaction goes on.
    pub(super) async fn pass_gate(&mut self) -> Result<(), Failure> {
        if self.ctx.shared.gate.is_closed() && !self.is_in_transaction() {
            Box::pin(self.wait_at_gate()).await?;
        }
        Ok(())
    }

    async fn wait_at_gate(&mut self) -> Result<(), Failure> {
        let ctx = self.ctx.clone();
        tokio::select! {
            biased;
            passed = ctx.shared.gate.pass(self.settings.timeouts.pause.0) => Ok(passed?),
            stop = self.registration.stopped(Watch::Statement) => Err(match stop {
                Stop::Query => error_code::interrupted().into(),
                stop => Failure::Session(End::Stopped(stop)),
            }),
            () = self.stream.closed() => Err(Failure::Session(End::Client)),
        }
    }

    /// A statement that Weir doesn't understand may not be SQL at all: a server knows, and its error
    /// shows the place (1064; 1234, an option where it has none; 1367, a number out of all ranges). Preparing runs nothing; the names are the client's, so that a server which
    /// takes the grammar says that there is no such table.
    pub(super) async fn syntax_error(
        &mut self,
        snapshot: &Arc<Snapshot>,
        sql: &[u8],
        lexed: &Lexed,
        refused: Error,
    ) -> Error {
        let sql = sql.get(..lexed.end()).unwrap_or(sql);
        // A packet that the server finds too long would end the connection, and with it what the
        // client did in its transaction.
        if sql.len() > ASKED_SYNTAX {
            return refused;
        }
        let Ok(target) = self.home_group(snapshot) else { return refused };
        let Ok(mut lent) = self.lend(snapshot, &target, Purpose::OWN).await else { return refused };
        let asked = lent.prepare(sql, sql, false).await;
        // With the close still unsent the connection would count as out of step, and a transaction
        // on it as lost.
        lent.unprepare(sql);
        if let Err(error) = lent.flush().await {
            tracing::debug!(%error, "a handle was not closed");
        }
        self.settle(target.group, lent, snapshot).await;
        match asked {
            Err(error) if matches!(error.errno, 1064 | 1234 | 1367) => error,
            _ => refused,
        }
    }

    /// A statement for one target, as text.
    async fn pass(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        target: &Target,
        binding: &Binding<'_>,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        let mut text = std::mem::take(&mut self.rendered);
        text.clear();
        let outcome = self.pass_text(snapshot, plan, target, binding, manner, &mut text).await;
        if text.capacity() <= KEPT_TEXT {
            self.rendered = text;
        }
        outcome
    }

    async fn pass_text(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        target: &Target,
        binding: &Binding<'_>,
        manner: Manner<'_>,
        text: &mut Vec<u8>,
    ) -> Result<Outcome, Failure> {
        let rendered = plan.render(target, binding, Form::Text, text)?;
        let mut sql = match rendered {
            Rendered::AsIs => binding.sql,
            Rendered::Written => text.as_slice(),
        };
        let resolved;
        if plan.facts.looks_back {
            let limits = self.ctx.lexer.limits();
            if let Some(text) = look_back::resolve(sql, self.dialect, limits, &self.remembered())? {
                resolved = text;
                sql = &resolved;
            }
            if binding.lexed.rest().is_none() {
                self.last.begin();
            }
        }
        let folded = match self.fold(snapshot, plan, target, sql).await? {
            Folded::AsIs => None,
            Folded::Text(text) => Some(text),
            Folded::Benched(benched) => {
                return Box::pin(self.run_benched(snapshot, plan, benched, manner)).await;
            }
        };
        let sql = folded.as_deref().unwrap_or(sql);
        let names = plan.renamings(target);
        let local_infile = matches!(
            plan.kind,
            StatementKind::LoadData { local: true } | StatementKind::LoadXml { local: true }
        );
        if local_infile && !self.capabilities.contains(Capabilities::LOCAL_FILES) {
            return Err(error_code::local_infile_disabled(
                self.dialect.server == ServerKind::MariaDb,
            )
            .into());
        }
        let file = match local_infile {
            true => self.file_named(binding)?,
            false => None,
        };
        let job = Job {
            snapshot,
            facts: &plan.facts,
            target,
            names: &names,
            more: manner.more,
            local_infile: file.as_deref(),
            written: Some(binding),
        };
        let summary = self.run_text(&job, sql, manner).await?;
        let stale = summary.error.as_ref().is_some_and(|error| is_stale(error.errno));
        if stale || plan.facts.access == Access::Definition {
            self.forget_tables(snapshot, plan);
        }
        Ok(if summary.error.is_some() { Outcome::Failed } else { Outcome::Good })
    }

    /// The file that LOAD DATA names.
    fn file_named(&self, binding: &Binding<'_>) -> Result<Option<Vec<u8>>> {
        let tokens = lex::tokens(binding.sql, self.dialect, self.ctx.lexer.limits())?;
        Ok(load::file_of(binding.sql, &tokens, &self.dialect))
    }

    /// A text without parameters, its rows in the form that the client asked for.
    pub(super) async fn run_text(
        &mut self,
        job: &Job<'_>,
        sql: &[u8],
        manner: Manner<'_>,
    ) -> Result<Summary, Failure> {
        if !manner.binary {
            return self.forward(job, Payload::Query(sql)).await;
        }
        let key = self.handle_key(sql, &[]);
        self.forward(job, Payload::Execute { key: &key, sql, parameters: &[], cursor: 0 }).await
    }

    /// An answer of Weir's own.
    async fn answer(
        &mut self,
        reply: &Reply,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        binding: &Binding<'_>,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        match reply {
            Reply::Ok => self.reply_ok(0, "", manner.more),
            Reply::Unlocked { table } => self.lock_nothing(table, manner.more).await?,
            Reply::Explain { statement } => {
                let text = self.explain_route(snapshot, binding, *statement).await?;
                let mut table = Table::new(&[("route", Kind::Text)]);
                for line in text.lines() {
                    table.row([Some(line)]);
                }
                self.reply_table(&table, manner.binary, manner.more);
            }
            Reply::Schemas { shown } => self.show_schemas(snapshot, shown, manner).await?,
            Reply::Tables { schema, full, shown } => {
                return self.show_tables(snapshot, plan, schema, *full, (shown, manner)).await;
            }
            Reply::TableStatus { schema, shown } => {
                return self.show_table_status(snapshot, plan, schema, shown, manner).await;
            }
            Reply::Objects { kind, schema, shown } => {
                let of = (*kind, schema.as_ref());
                return self.show_objects(snapshot, plan, of, shown, manner).await;
            }
            Reply::Grants => self.show_grants(manner),
            Reply::NextValue { schema, sequence, label, count } => {
                let count = bind::count(count, binding)?;
                self.next_values(schema, sequence, label, count, manner).await?;
            }
            Reply::Processlist { full } => self.show_processlist(*full, manner),
        }
        Ok(Outcome::Good)
    }

    /// Plans and binds the statement behind EXPLAIN ROUTE.
    async fn explain_route(
        &mut self,
        snapshot: &Arc<Snapshot>,
        binding: &Binding<'_>,
        statement: usize,
    ) -> Result<String> {
        let start = binding.lexed.source_offset(statement);
        let inner = binding.sql.get(start..binding.lexed.end()).unwrap_or_default();
        let mut lexed = Lexed::new();
        self.ctx.lexer.lex(inner, &self.dialect, &mut lexed)?;
        let (plan, written) = self.plan_through_views(snapshot, inner, &lexed).await?;
        let (inner, lexed) = written.as_ref().map_or((inner, &lexed), |(sql, lexed)| (sql, lexed));
        let inner = Binding { sql: inner, lexed, ..*binding };
        if let Some(text) = Box::pin(self.explain_filled(snapshot, &plan, &inner)).await? {
            return Ok(format!("{}{text}", explain(&plan, &inner)?));
        }
        explain(&plan, &inner)
    }

    /// A statement about the session.
    async fn act(
        &mut self,
        action: &SessionAction,
        sql: &[u8],
        lexed: &Lexed,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        let sql = sql.get(..lexed.end()).unwrap_or(sql);
        let (tokens, classified) = self.classified(sql)?;
        match action {
            SessionAction::Use(name) => {
                self.use_schema(name.as_str())?;
                self.reply_ok(0, "", manner.more);
            }
            SessionAction::Set => {
                self.set_resolved(sql, &tokens).await?;
                self.reply_ok(0, "", manner.more);
            }
            SessionAction::SetStatement => return self.set_statement(sql, &tokens, manner).await,
            SessionAction::Transaction => match classified.kind {
                StatementKind::Xa(kind) => self.client_xa(kind, sql, manner).await?,
                _ => self.transact(&classified, sql, manner.more).await?,
            },
            SessionAction::Kill => {
                let Some(kill) = classified.kill else {
                    return Err(Error::syntax("KILL needs a connection id").into());
                };
                let Some(id) = kill.id else {
                    return Err(
                        Error::refused("kill_expression", "KILL takes a plain number").into()
                    );
                };
                let target = if kill.query { KillTarget::Query } else { KillTarget::Connection };
                self.kill(id, target)?;
                self.reply_ok(0, "", manner.more);
            }
            SessionAction::Diagnostics => {
                self.show_diagnostics(sql, &tokens, manner.binary, manner.more)?;
            }
            SessionAction::GetDiagnostics => {
                // ROW_COUNT() stays that of the statement that is asked about.
                let row_count = self.last.row_count;
                self.get_diagnostics(sql, &tokens).await?;
                self.reply_ok(0, "", manner.more);
                self.last.row_count = row_count;
            }
            SessionAction::UnlockTables => {
                self.unlock_tables().await?;
                self.reply_ok(0, "", manner.more);
            }
            SessionAction::Prepare => {
                self.sql_prepare(sql, &classified).await?;
                self.reply_ok(0, "Statement prepared", manner.more);
            }
            SessionAction::Execute => {
                return Box::pin(self.sql_execute(sql, &classified, manner)).await;
            }
            SessionAction::Deallocate => {
                self.sql_deallocate(&classified)?;
                self.reply_ok(0, "", manner.more);
            }
        }
        Ok(Outcome::Good)
    }

    /// SET whose parameters are written in its text.
    async fn set_written(
        &mut self,
        binding: &Binding<'_>,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        let sql = with_parameters(binding)?;
        let (tokens, _) = self.classified(&sql)?;
        self.set_resolved(&sql, &tokens).await?;
        self.reply_ok(0, "", manner.more);
        Ok(Outcome::Good)
    }

    /// SET, the functions in it that ask for the session's values resolved.
    async fn set_resolved(&mut self, sql: &[u8], tokens: &[Token]) -> Result<()> {
        let limits = self.ctx.lexer.limits();
        let resolved = look_back::resolve(sql, self.dialect, limits, &self.remembered());
        self.last.begin();
        match resolved? {
            Some(resolved) => {
                let (tokens, _) = self.classified(&resolved)?;
                self.set(&resolved, &tokens).await
            }
            None => self.set(sql, tokens).await,
        }
    }

    pub(super) fn classified(&self, sql: &[u8]) -> Result<(Vec<Token>, Classified)> {
        let tokens = lex::tokens(sql, self.dialect, self.ctx.lexer.limits())?;
        let classified = classify::classify(sql, &tokens);
        Ok((tokens, classified))
    }

    /// LOCK TABLES that locks nothing. What was locked before is free, as after every LOCK TABLES.
    async fn lock_nothing(&mut self, table: &str, more: bool) -> Result<()> {
        self.unlock_tables().await?;
        self.last.warn(Diagnostic {
            level: "Warning".to_owned(),
            errno: 1235,
            sqlstate: None,
            message: format!(
                "Nothing is locked: '{table}' is in several places, and the rules say lock_tables: ignore"
            ),
        });
        self.reply_ok(0, "", more);
        Ok(())
    }

    /// UNLOCK TABLES: every held connection that LOCK TABLES pinned is freed.
    async fn unlock_tables(&mut self) -> Result<()> {
        let snapshot = self.snapshot();
        for group in self.held.groups() {
            let Some(mut lent) = self.held.take(group) else { continue };
            let done = lent.simple(b"UNLOCK TABLES").await;
            lent.unpin(crate::backend::counters::Pin::TableLock);
            self.settle(group, lent, &snapshot).await;
            done?;
        }
        Ok(())
    }
}

/// The planner's refusal of what its parser can't read.
pub(super) const NOT_UNDERSTOOD: &str = "not_understood";

/// The longest statement, in bytes, that a server is asked about because Weir doesn't understand it:
/// much more than a person writes, much less than any server's max_allowed_packet.
const ASKED_SYNTAX: usize = 16 << 10;

/// Rendered texts up to this keep their buffer.
const KEPT_TEXT: usize = 4 << 10;

/// Where a statement runs, if that is one place.
fn place(route: &Route) -> Option<GroupId> {
    match route {
        Route::Forward(target) => Some(target.group),
        _ => None,
    }
}

/// Statements about the one before, and SET, which may ask for its counts.
fn keeps_conditions(route: &Route) -> bool {
    use SessionAction::{Diagnostics, GetDiagnostics, Set};
    matches!(route, Route::Session(Diagnostics | GetDiagnostics | Set))
}

/// Errors that say that a table is not what the catalog says: 1054 unknown column, 1136 wrong
/// number of values, 1146 no such table.
fn is_stale(errno: u16) -> bool {
    matches!(errno, 1054 | 1136 | 1146)
}
