//! Prepared statements of the binary protocol.
//!
//! Owns: the session's statements with their ids, bound types and long data, and how an execution
//! reaches a backend. Never: keeps a backend's handle (each connection does, by text), or fetches
//! from a cursor (`session::cursor`).
//!
//! A statement is prepared on a backend to learn its columns, and again wherever an execution goes
//! that has no handle yet. Where the text must be cut up for each execution, the values are written
//! into it ([`PreparedForm::Text`]).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use crate::backend::pool::Lent;
use crate::context::Snapshot;
use crate::error::{Error, Result};
use crate::executor::rename::Names;
use crate::planner::bind::Binding;
use crate::planner::fill::{Filled, Origin};
use crate::planner::lookup::Within;
use crate::planner::plan::{Access, PreparedForm, Rendered, Route, SessionAction, Target};
use crate::planner::splice::Form;
use crate::planner::{Action, Plan};
use crate::protocol::capability::Capabilities;
use crate::protocol::column::Column;
use crate::protocol::eof::EofPacket;
use crate::protocol::error_code;
use crate::protocol::execute::{
    Bound, Execute, Parameter, ParameterType, ParameterValue, write_execute,
};
use crate::protocol::field::FieldType;
use crate::protocol::response::PrepareOk;
use crate::session::Session;
use crate::session::arguments;
use crate::session::cursor::Cursor;
use crate::session::forward::{Failure, Job, Payload};
use crate::session::lend::Purpose;
use crate::session::look_back;
use crate::session::prepared_under::Under;
use crate::session::query::{Arguments, Manner, NOT_UNDERSTOOD, Outcome};
use crate::session::record;
use crate::session::reply::text_column;
use crate::session::system::Folded;
use crate::session::user_values;
use crate::sql::lex::Dialect;
use crate::sql::template::Lexed;
use crate::value::Value;

/// What ids are bound as.
const BIGINT: ParameterType = ParameterType { field_type: FieldType(8), unsigned: false };

/// The longest text, in bytes, that is kept taken apart.
const KEPT_LEXED: usize = 4 << 10;

/// The largest buffer, in bytes, that an execution leaves to the next one.
const KEPT_BUFFER: usize = 4 << 10;

/// What a handle's key holds beside the text, in bytes, as a rule.
const HANDLE_KEY_REST: usize = 192;

/// A client's prepared statement.
#[derive(Debug)]
pub(crate) struct Statement {
    sql: Arc<[u8]>,
    under: Under,
    /// The text taken apart: an execution doesn't read it again.
    lexed: Option<Box<Read>>,
    /// As the client bound them last; an execution may leave them out.
    types: Vec<ParameterType>,
    /// What COM_STMT_SEND_LONG_DATA brought, by parameter.
    long_data: HashMap<u16, Vec<u8>>,
    /// An error of COM_STMT_SEND_LONG_DATA, which has no answer of its own.
    refused: Option<Error>,
    pub(super) cursor: Option<Cursor>,
}

/// A text taken apart, and the dialect that it was read in.
#[derive(Debug)]
struct Read {
    dialect: Dialect,
    lexed: Lexed,
}

/// Texts that an execution writes.
#[derive(Debug, Default)]
struct Buffers {
    rendered: Vec<u8>,
    key: Vec<u8>,
}

/// One execution on one target.
struct Execution<'a> {
    snapshot: &'a Arc<Snapshot>,
    plan: &'a Plan,
    target: &'a Target,
    binding: &'a Binding<'a>,
    parameters: &'a [Parameter<'a>],
    cursor: u8,
}

/// The statements of one session.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    buffers: Buffers,
    next: u32,
    /// Boxed, for each execution takes its statement out and puts it back.
    pub(super) held: HashMap<u32, Box<Statement>, foldhash::fast::RandomState>,
    long_data: usize,
}

impl Session {
    /// COM_STMT_PREPARE.
    pub(super) async fn prepare(&mut self, sql: &[u8]) -> Result<(), Failure> {
        let limit = self.settings.limits.prepared_statements as usize;
        if self.prepared.held.len() >= limit {
            return Err(error_code::too_many_statements(limit).into());
        }
        let warned = std::mem::take(&mut self.last.diagnostics);
        self.last.begin();
        let mut lexed = Lexed::new();
        self.ctx.lexer.lex(sql, &self.dialect, &mut lexed)?;
        if lexed.rest().is_some() {
            return Err(Error::syntax(
                "You have an error in your SQL syntax: one statement can be prepared at a time",
            )
            .into());
        }
        let snapshot = self.snapshot();
        let (plan, written) = self.plan_through_views(&snapshot, sql, &lexed).await?;
        if matches!(plan.action, Action::Session(SessionAction::Diagnostics)) {
            // SHOW WARNINGS shows what was there before it was prepared.
            self.last.diagnostics = warned;
        }
        let (text, of_text) = written.as_ref().map_or((sql, &lexed), |(sql, lexed)| (sql, lexed));
        let described = self.describe(&snapshot, &plan, text, of_text).await;
        let (columns, definitions) = self.judged(described, &snapshot, sql, &lexed).await?;
        let parameters = u16::try_from(lexed.params()).map_err(|_| {
            Error::new(
                crate::error::Fault::Client,
                1390,
                b"HY000",
                "",
                "Prepared statement contains too many placeholders",
            )
        })?;
        let under = self.under();
        let id = self.prepared.put(sql, under, Read { dialect: self.dialect, lexed });
        let ok = PrepareOk { statement: id, columns, parameters, warnings: 0 };
        self.stream.write_with(|out| ok.write(out));
        let (of_parameters, of_columns) =
            definitions.split_at(usize::from(parameters).min(definitions.len()));
        self.write_definitions(of_parameters, usize::from(parameters));
        self.write_definitions(of_columns, usize::from(columns));
        Ok(())
    }

    /// Where Weir doesn't understand a text that is to be prepared, a server's own error.
    pub(super) async fn judged<T>(
        &mut self,
        described: Result<T, Failure>,
        snapshot: &Arc<Snapshot>,
        sql: &[u8],
        lexed: &Lexed,
    ) -> Result<T, Failure> {
        match described {
            Err(Failure::Statement(error)) if error.code == NOT_UNDERSTOOD => {
                Err(self.syntax_error(snapshot, sql, lexed, error).await.into())
            }
            described => described,
        }
    }

    /// Definitions as the backend gave them, or plain ones where it was not asked.
    fn write_definitions(&mut self, definitions: &[Vec<u8>], count: usize) {
        for place in 0..count {
            match definitions.get(place) {
                Some(definition) => self.stream.write_packet(definition),
                None => self.stream.write_with(|out| text_column("?", 0).write(out)),
            }
        }
        if count > 0 && !self.capabilities.contains(Capabilities::DEPRECATE_EOF) {
            let eof = EofPacket { warnings: 0, status: self.status() };
            self.stream.write_with(|out| eof.write(self.capabilities, out));
        }
    }

    /// The number of columns and the definition packets of parameters and columns, under logical
    /// names; asked from a backend where the statement goes to one.
    pub(super) async fn describe(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        sql: &[u8],
        lexed: &Lexed,
    ) -> Result<(u16, Vec<Vec<u8>>), Failure> {
        let session = self.facts();
        let binding = Binding {
            sql,
            lexed,
            dialect: self.dialect,
            parameters: &[],
            rules: &snapshot.rules,
            session: &session,
        };
        if plan.facts.prepared == PreparedForm::Never {
            if let Route::Refuse(error) = plan.bind(&binding) {
                return Err(error.into());
            }
            return Ok((0, Vec::new()));
        }
        let target = match (plan.sample(&binding), plan.bind(&binding)) {
            (Ok(Some(target)), _) => target,
            (_, Route::Workbench(bench)) => {
                return Box::pin(self.describe_on_workbench(snapshot, plan, bench, &binding)).await;
            }
            (sample, _) => match sample? {
                Some(target) => target,
                None => return Ok((0, Vec::new())),
            },
        };
        let mut text = Vec::new();
        let text = match plan.render(&target, &binding, Form::Prepared, &mut text)? {
            Rendered::AsIs => sql,
            Rendered::Written => &text,
        };
        let folded = match Box::pin(self.fold_empty(snapshot, plan, &target, text)).await? {
            Folded::AsIs => None,
            Folded::Text(text) => Some(text),
            Folded::Benched(benched) => return self.describe_benched(benched).await,
        };
        let text = folded.as_deref().unwrap_or(text);
        let in_transaction = self.is_in_transaction() || !self.state.autocommit();
        let mut purpose =
            Purpose::of(&plan.facts, in_transaction, self.transaction.may_use_replica());
        // Preparing doesn't begin a transaction, and a transaction elsewhere doesn't forbid it.
        purpose.transactional = false;
        let mut lent = self.lend(snapshot, &target, purpose).await?;
        let key = self.handle_key(text, &[]);
        let prepared = lent.prepare(&key, text, true).await;
        let names = plan.renamings(&target);
        self.settle(target.group, lent, snapshot).await;
        let (prepared, definitions) = prepared.map_err(|error| Names(&names).error(error))?;
        let renamed = definitions.into_iter().map(|definition| {
            if names.is_empty() {
                return Ok(definition);
            }
            let mut out = Vec::with_capacity(definition.len());
            Names(&names).column(Column::parse(&definition)?).write(&mut out);
            Ok(out)
        });
        let renamed: Vec<Vec<u8>> = renamed.collect::<Result<_>>()?;
        Ok((prepared.columns, renamed))
    }

    /// COM_STMT_EXECUTE.
    pub(super) async fn execute(&mut self, execute: &Execute<'_>) -> Result<(), Failure> {
        let id = execute.statement;
        let unknown = || error_code::unknown_statement(id, "mysqld_stmt_execute");
        let mut statement = self.prepared.held.remove(&id).ok_or_else(unknown)?;
        let outcome = self.run_prepared(&mut statement, execute).await;
        self.prepared.long_data = self.prepared.long_data.saturating_sub(statement.long_bytes());
        statement.long_data.clear();
        statement.refused = None;
        self.prepared.held.insert(id, statement);
        outcome.map(drop)
    }

    async fn run_prepared(
        &mut self,
        statement: &mut Statement,
        execute: &Execute<'_>,
    ) -> Result<Outcome, Failure> {
        if let Some(error) = statement.refused.take() {
            return Err(error.into());
        }
        if statement.cursor.is_some() {
            Box::pin(self.close_cursor(statement)).await;
        }
        let sql = statement.sql.clone();
        let away = self.enter_prepared(&statement.under, &sql)?;
        let outcome = match self.read_of(statement, &sql) {
            Ok(read) => {
                let outcome = self.run_lexed(statement, execute, &sql, &read.lexed).await;
                if sql.len() <= KEPT_LEXED {
                    statement.lexed = Some(read);
                }
                outcome
            }
            Err(error) => Err(error.into()),
        };
        self.leave_prepared(away);
        outcome
    }

    /// The statement taken apart: as it was kept, or anew where the session's dialect is another by now.
    fn read_of(&self, statement: &mut Statement, sql: &[u8]) -> Result<Box<Read>> {
        if let Some(read) = statement.lexed.take_if(|read| read.dialect == self.dialect) {
            return Ok(read);
        }
        let mut lexed = Lexed::new();
        self.ctx.lexer.lex(sql, &self.dialect, &mut lexed)?;
        lexed.settle();
        Ok(Box::new(Read { dialect: self.dialect, lexed }))
    }

    async fn run_lexed(
        &mut self,
        statement: &mut Statement,
        execute: &Execute<'_>,
        sql: &[u8],
        lexed: &Lexed,
    ) -> Result<Outcome, Failure> {
        let count = lexed.params() as usize;
        let long = |index: usize| {
            u16::try_from(index).is_ok_and(|index| statement.long_data.contains_key(&index))
        };
        let Bound { parameters: mut raw, types_sent } =
            execute.parameters(count, &statement.types, long)?;
        if types_sent {
            statement.types.clear();
            statement.types.extend(raw.iter().map(|parameter| parameter.kind));
        }
        if !statement.long_data.is_empty() {
            for (index, parameter) in raw.iter_mut().enumerate() {
                *parameter = statement.with_long_data(index, *parameter);
            }
        }
        let run = self.run_bound(sql, lexed, &raw, execute.cursor).await;
        drop(raw);
        statement.cursor = None;
        let (outcome, cursor) = run?;
        statement.cursor = cursor;
        Ok(outcome)
    }

    /// One execution with its parameters, and the cursor that it opened.
    async fn run_bound(
        &mut self,
        sql: &[u8],
        lexed: &Lexed,
        raw: &[Parameter<'_>],
        cursor: u8,
    ) -> Result<(Outcome, Option<Cursor>), Failure> {
        if self.transaction.has_next() {
            let snapshot = self.snapshot();
            let plan = self.plan(&snapshot, sql, lexed).await?;
            let once = self.enter_once(&plan)?;
            let run = Box::pin(self.run_bound_once(sql, lexed, raw, cursor)).await;
            self.leave_once(once, &run);
            return run;
        }
        self.run_bound_once(sql, lexed, raw, cursor).await
    }

    async fn run_bound_once(
        &mut self,
        sql: &[u8],
        lexed: &Lexed,
        raw: &[Parameter<'_>],
        cursor: u8,
    ) -> Result<(Outcome, Option<Cursor>), Failure> {
        let values: SmallVec<[Value; 4]> =
            raw.iter().map(|parameter| self.value(parameter)).collect::<Result<_>>()?;
        let started = Instant::now();
        let snapshot = self.snapshot();
        let plan = self.plan(&snapshot, sql, lexed).await?;
        let session = self.facts();
        let binding = Binding {
            sql,
            lexed,
            dialect: self.dialect,
            parameters: &values,
            rules: &snapshot.rules,
            session: &session,
        };
        let native = plan.facts.prepared == PreparedForm::Native;
        let before = self.last.found();
        if native && plan.fill.is_some() {
            self.check_rights(&plan)?;
            if let Some(filled) = self.filled(&plan, &binding, Form::Prepared).await? {
                let run = Box::pin(self.run_filled(&filled, raw, cursor)).await;
                self.taken = None;
                self.counted(&snapshot, &binding, &plan, before, &run);
                return run;
            }
        }
        let led = plan.by_index
            && plan.facts.access != Access::Write
            && !self.is_led_alone(&plan, &binding);
        let within = match led && native {
            true => {
                self.check_rights(&plan)?;
                self.pass_gate().await?;
                self.allow_groups(&plan)?;
                Box::pin(self.look_up(&snapshot, &plan, &binding)).await?
            }
            false => Within::new(),
        };
        let route = plan.bind_within(&binding, &within);
        let way = record::way(&route);
        match route {
            Route::Forward(target) if native && !plan.keeps => {
                self.check_rights(&plan)?;
                self.pass_gate().await?;
                if plan.facts.commits {
                    Box::pin(self.end_transaction(b"COMMIT")).await?;
                }
                self.allow_groups(&plan)?;
                let passed =
                    self.pass_prepared(&snapshot, &plan, &target, &binding, raw, cursor).await;
                let outcome = passed.as_ref().map(|(outcome, _)| *outcome);
                self.record(&plan, lexed, way, started, outcome);
                self.counted(&snapshot, &binding, &plan, before, &passed);
                passed
            }
            _ => {
                let mut packet = Vec::new();
                write_execute(0, 0, raw, &mut packet);
                let bytes = packet.get(arguments::HEAD..).unwrap_or_default();
                let types: Vec<ParameterType> =
                    raw.iter().map(|parameter| parameter.kind).collect();
                let arguments = native.then_some(Arguments { types: &types, bytes });
                let manner = Manner { parameters: &values, arguments, binary: true, more: false };
                Box::pin(self.statement(sql, lexed, manner)).await.map(|outcome| (outcome, None))
            }
        }
    }

    /// What FOUND_ROWS() is behind an execution.
    fn counted(
        &mut self,
        snapshot: &Snapshot,
        binding: &Binding<'_>,
        plan: &Plan,
        before: Option<u64>,
        run: &Result<(Outcome, Option<Cursor>), Failure>,
    ) {
        let outcome = run.as_ref().map(|(outcome, _)| *outcome);
        let given = (binding.sql, binding.lexed, binding.parameters);
        self.settle_found((snapshot, plan), given, before, outcome);
        // A cursor's rows are still to be fetched.
        let opened = matches!(run, Ok((_, Some(_))));
        self.last.found_unknown |= opened && !plan.traits.calc_found_rows;
    }

    /// The same with ids of a sequence among the parameters.
    async fn run_filled(
        &mut self,
        filled: &Filled,
        raw: &[Parameter<'_>],
        cursor: u8,
    ) -> Result<(Outcome, Option<Cursor>), Failure> {
        let id = |origin: &Origin| match origin {
            Origin::Id(id) => id.to_le_bytes(),
            Origin::Parameter(_) => [0; 8],
        };
        let ids: Vec<[u8; 8]> = filled.origins.iter().map(id).collect();
        let parameter = |(origin, id)| match origin {
            &Origin::Parameter(number) => raw.get(number as usize).copied(),
            Origin::Id(_) => Some(Parameter { kind: BIGINT, value: ParameterValue::Raw(id) }),
        };
        let parameters: Option<Vec<Parameter<'_>>> =
            filled.origins.iter().zip(ids.iter().map(<[u8; 8]>::as_slice)).map(parameter).collect();
        let parameters =
            parameters.ok_or_else(|| Error::internal("a parameter beyond the statement's"))?;
        let mut lexed = Lexed::new();
        self.ctx.lexer.lex(&filled.sql, &self.dialect, &mut lexed)?;
        self.run_bound(&filled.sql, &lexed, &parameters, cursor).await
    }

    /// One execution on one target, by a handle there.
    async fn pass_prepared(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        target: &Target,
        binding: &Binding<'_>,
        parameters: &[Parameter<'_>],
        cursor: u8,
    ) -> Result<(Outcome, Option<Cursor>), Failure> {
        let mut buffers = std::mem::take(&mut self.prepared.buffers);
        let run = Execution { snapshot, plan, target, binding, parameters, cursor };
        let passed = self.pass_execution(&run, &mut buffers).await;
        self.prepared.keep(buffers);
        passed
    }

    async fn pass_execution(
        &mut self,
        run: &Execution<'_>,
        Buffers { rendered, key }: &mut Buffers,
    ) -> Result<(Outcome, Option<Cursor>), Failure> {
        let (plan, target, binding) = (run.plan, run.target, run.binding);
        if self.must_learn(plan) {
            Box::pin(self.learn(binding, Some(target.group))).await?;
        }
        let mut text = match plan.render(target, binding, Form::Prepared, rendered)? {
            Rendered::AsIs => binding.sql,
            Rendered::Written => rendered.as_slice(),
        };
        let resolved;
        if plan.facts.looks_back {
            if let Some(found) =
                look_back::resolve(text, self.dialect, self.ctx.lexer.limits(), &self.remembered())?
            {
                resolved = found;
                text = &resolved;
            }
        }
        self.last.begin();
        let names = plan.renamings(target);
        let job = Job {
            snapshot: run.snapshot,
            facts: &plan.facts,
            target,
            names: &names,
            more: false,
            local_infile: None,
            written: Some(binding),
        };
        self.write_handle_key(text, run.parameters.iter().map(|parameter| parameter.kind), key);
        let (parameters, cursor) = (run.parameters, run.cursor);
        let payload = Payload::Execute { key, sql: text, parameters, cursor };
        let summary = self.forward(&job, payload).await?;
        let open = summary.cursor.map(|handle| Cursor { group: target.group, handle });
        let outcome = if summary.error.is_some() { Outcome::Failed } else { Outcome::Good };
        Ok((outcome, open))
    }

    /// What a backend's handle depends on (mysql-traps 14): the text, the modes and charset that it
    /// is read in, and the types bound to it.
    pub(super) fn handle_key(&self, text: &[u8], types: &[ParameterType]) -> Vec<u8> {
        let mut key = Vec::with_capacity(text.len() + HANDLE_KEY_REST);
        self.write_handle_key(text, types.iter().copied(), &mut key);
        key
    }

    fn write_handle_key(
        &self,
        text: &[u8],
        types: impl Iterator<Item = ParameterType>,
        key: &mut Vec<u8>,
    ) {
        let charset = self.state.charset();
        let schema = self.schema.as_ref().map_or("", |schema| schema.as_str());
        key.extend_from_slice(text);
        key.push(0);
        key.extend(types.flat_map(|kind| [kind.field_type.0, u8::from(kind.unsigned)]));
        let mode = self.state.variable("sql_mode").unwrap_or_default();
        let rest: [&[u8]; 4] =
            [mode, charset.collation.as_bytes(), charset.client.as_bytes(), schema.as_bytes()];
        for part in rest {
            key.push(0);
            key.extend_from_slice(part);
        }
        // MySQL's handle compares by the types that variables had as it was prepared.
        let mut variables = self.state.user_variables().peekable();
        if variables.peek().is_some() && text.contains(&b'@') {
            key.push(0);
            key.extend(variables.map(user_values::kind));
        }
    }

    fn value(&self, parameter: &Parameter<'_>) -> Result<Value> {
        match parameter.value {
            ParameterValue::Null | ParameterValue::LongData => Ok(Value::Null),
            ParameterValue::Raw(bytes) => Value::from_parameter(
                parameter.kind.field_type.0,
                parameter.kind.unsigned,
                bytes,
                self.charset_class,
            ),
        }
    }

    /// COM_STMT_SEND_LONG_DATA: no answer, so an error waits for the execution.
    pub(super) fn long_data(&mut self, id: u32, parameter: u16, data: &[u8]) {
        let limit = self.settings.limits.long_data.bytes();
        let held = self.prepared.long_data;
        let Some(statement) = self.prepared.held.get_mut(&id) else { return };
        if held.saturating_add(data.len()) > limit {
            statement.refused = Some(Error::limit(
                1153,
                "long_data",
                format!(
                    "The session's COM_STMT_SEND_LONG_DATA is larger than {limit} bytes (limits.long_data)"
                ),
            ));
            return;
        }
        self.prepared.long_data += data.len();
        statement.long_data.entry(parameter).or_default().extend_from_slice(data);
    }

    /// COM_STMT_RESET: forgets long data and closes the cursor.
    pub(super) async fn reset_statement(&mut self, id: u32) -> Result<()> {
        let Some(mut statement) = self.prepared.held.remove(&id) else {
            return Err(error_code::unknown_statement(id, "mysqld_stmt_reset"));
        };
        self.prepared.long_data = self.prepared.long_data.saturating_sub(statement.long_bytes());
        statement.long_data.clear();
        statement.refused = None;
        self.close_cursor(&mut statement).await;
        self.prepared.held.insert(id, statement);
        Ok(())
    }

    /// COM_STMT_CLOSE has no answer.
    pub(super) async fn close_statement(&mut self, id: u32) {
        let Some(mut statement) = self.prepared.held.remove(&id) else { return };
        self.prepared.long_data = self.prepared.long_data.saturating_sub(statement.long_bytes());
        self.close_cursor(&mut statement).await;
    }

    pub(super) fn forget_statements(&mut self) {
        self.prepared = Statements::default();
    }
}

impl Statements {
    /// Takes the buffers of an execution back, for the next one, where they are not large.
    fn keep(&mut self, mut buffers: Buffers) {
        for buffer in [&mut buffers.rendered, &mut buffers.key] {
            buffer.clear();
            if buffer.capacity() > KEPT_BUFFER {
                *buffer = Vec::new();
            }
        }
        self.buffers = buffers;
    }

    fn put(&mut self, sql: &[u8], under: Under, mut read: Read) -> u32 {
        loop {
            self.next = self.next.wrapping_add(1).max(1);
            if !self.held.contains_key(&self.next) {
                break;
            }
        }
        // Of a long text it would hold several times the text's own memory.
        let lexed = (sql.len() <= KEPT_LEXED).then(|| {
            read.lexed.settle();
            Box::new(read)
        });
        let statement = Box::new(Statement {
            sql: Arc::from(sql),
            under,
            lexed,
            types: Vec::new(),
            long_data: HashMap::new(),
            refused: None,
            cursor: None,
        });
        self.held.insert(self.next, statement);
        self.next
    }
}

impl Statement {
    fn long_bytes(&self) -> usize {
        self.long_data.values().map(Vec::len).sum()
    }

    /// A parameter with its long data in place, as a blob or string.
    fn with_long_data<'a>(&'a self, index: usize, parameter: Parameter<'a>) -> Parameter<'a> {
        let data = u16::try_from(index).ok().and_then(|index| self.long_data.get(&index));
        match (parameter.value, data) {
            (ParameterValue::LongData, Some(data)) => {
                let kind = parameter.kind;
                // Only types with a length of their own can carry it.
                let field_type =
                    if kind.field_type.is_string() { kind.field_type } else { FieldType(0xfc) };
                Parameter {
                    kind: ParameterType { field_type, ..kind },
                    value: ParameterValue::Raw(data),
                }
            }
            _ => parameter,
        }
    }
}

/// The handle of a statement on a connection, prepared there if need be.
pub(super) async fn handle(lent: &mut Lent, key: &[u8], sql: &[u8]) -> Result<u32> {
    if let Some(prepared) = lent.prepared(key) {
        return Ok(prepared.id);
    }
    let (prepared, _) = Box::pin(lent.prepare(key, sql, false)).await?;
    Ok(prepared.id)
}
