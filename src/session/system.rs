//! Statements that read information_schema: over the tables of all groups, under logical names.
//!
//! Owns: gathering what the groups' servers say, folding it into temporary tables of the workbench,
//! and the client's own statement over those. Never: cuts texts itself ([`super::folded`]), or
//! decides which rows a statement leaves: its own WHERE does.
//!
//! One shard describes a sharded table; the sizes of all are added up, and are asked for only where
//! the statement names them. What the conditions say of schemas and tables is asked of servers by
//! physical names, so that one table's columns don't open thousands.

mod assigned;
mod beside;
mod definition;
mod fold;
mod load;
mod places;
mod question;
mod shape;
mod wanted;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::sync::Arc;

use crate::backend::connection::Pipelining;
use crate::backend::pool::Lent;
use crate::backend::state::State;
use crate::context::Snapshot;
use crate::error::{Error, Fault, Result};
use crate::executor::rename::Names;
use crate::name::{GroupId, SchemaName, TableName};
use crate::planner::Plan;
use crate::planner::plan::{Access, Renaming, Target};
use crate::planner::survey::{is_information, is_system};
use crate::protocol::column::Column;
use crate::protocol::error_code;
use crate::session::Session;
use crate::session::folded::{self, Reference};
use crate::session::forward::Failure;
use crate::session::lend::Purpose;
use crate::session::own::{MAX_ROWS, rows, rows_within};
use crate::session::query::{Manner, Outcome};
use crate::session::workbench::bench::{Bench, Deadline};
use crate::session::workbench::into::takes_row;
use crate::sql::classify::StatementKind;
use crate::sql::edit::edited;
use crate::sql::lex::{self, ServerKind};
use crate::sql::mention::table_names;
use crate::sql::token::Token;

use fold::{Folding, Line};
use load::needed;
use places::{Places, Reverse};
use question::Question;
use shape::{AVERAGE, Rows, Shape, shape};
use wanted::Wanted;

pub(super) use assigned::names_system;
pub(super) use beside::Asked;

/// The columns of tables of information_schema, by the table's name in capitals.
pub(crate) type Columns = HashMap<String, Arc<[String]>>;

/// What became of a statement's tables of information_schema.
pub(super) enum Folded {
    /// It has none.
    AsIs,
    /// They are the same on every server.
    Text(Vec<u8>),
    /// They stand on the workbench.
    Benched(Benched),
}

/// A statement over temporary tables that hold what its tables of information_schema have.
pub(super) struct Benched {
    bench: Bench,
    names: Vec<Renaming>,
    text: Vec<u8>,
}

/// One reference that gets a temporary table.
struct Job {
    /// The table's name in capitals.
    table: String,
    temporary: String,
    shape: Shape,
    wanted: Wanted,
    /// The columns that the statement may ask for.
    columns: Vec<String>,
}

impl Session {
    /// The statement over what its tables of information_schema have.
    ///
    /// # Errors
    /// 1227 for tables that show the servers, 1109 for unknown ones, a refusal inside of a transaction
    /// that a table of the client's is read in.
    pub(super) async fn fold(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        target: &Target,
        sql: &[u8],
    ) -> Result<Folded, Failure> {
        if !reads_system(plan) {
            return Ok(Folded::AsIs);
        }
        Box::pin(self.fold_text(snapshot, Some(plan), target, sql, true)).await
    }

    /// The same without any row, for its column definitions.
    pub(super) async fn fold_empty(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        target: &Target,
        sql: &[u8],
    ) -> Result<Folded, Failure> {
        if !reads_system(plan) {
            return Ok(Folded::AsIs);
        }
        self.fold_text(snapshot, Some(plan), target, sql, false).await
    }

    async fn fold_text(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: Option<&Plan>,
        target: &Target,
        sql: &[u8],
        fill: bool,
    ) -> Result<Folded, Failure> {
        // What information_schema's own tables look like is the same on every server.
        if plan
            .is_some_and(|plan| matches!(plan.kind, StatementKind::Show | StatementKind::Describe))
        {
            return Ok(Folded::AsIs);
        }
        let inside = self.schema.as_ref().is_some_and(|schema| is_information(schema.as_str()));
        let mut tokens = lex::tokens(sql, self.dialect, self.ctx.lexer.limits())?;
        tokens.retain(|token| !token.kind.is_trivia());
        let (references, qualifiers) = folded::references(sql, &tokens, inside && plan.is_some());
        let named =
            |plan: &Plan| plan.table_names().filter(|(schema, _)| is_information(schema)).count();
        if plan.is_some_and(|plan| references.len() < named(plan)) {
            return Err(Error::refused(
                "information_schema",
                "A table of information_schema stands where it isn't recognised: write the statement with \
                 plain references in FROM",
            )
            .into());
        }
        if references.is_empty() {
            return Ok(Folded::AsIs);
        }
        let qualified = qualifiers.into_iter().map(|range| (range, String::new()));
        let database = self.bench_database(snapshot, target)?;
        let (jobs, mut edits) = {
            let place = (snapshot, target, &*database);
            self.jobs(place, (sql, &tokens), &references).await?
        };
        edits.extend(qualified);
        let text = edited(sql, edits);
        if jobs.is_empty() {
            return Ok(Folded::Text(text));
        }
        if let Some(plan) = plan {
            self.check_beside(plan, sql, &tokens)?;
        }
        let deadline = plan.map_or(Deadline::OPEN, |plan| self.deadline(&plan.facts, snapshot));
        let mut bench = self.open_bench(snapshot, (target.group, &database), deadline).await?;
        bench.loading.set_variable("time_zone", self.state.variable("time_zone"));
        let loading = bench.loading.clone();
        bench.lent.enter(&loading, Pipelining::Nothing).await?;
        let how = (target.group, fill, deadline);
        if let Err(failure) = self.fill_bench(snapshot, &mut bench, &jobs, how).await {
            bench.lent.condemn();
            return Err(failure);
        }
        // What was asked elsewhere is through: its connections may be others' already.
        self.running.end();
        self.running.add(bench.lent.kill_handle());
        let mut names = plan.map(|plan| plan.renamings(target)).unwrap_or_default();
        names.extend(jobs.iter().map(|job| Renaming {
            physical_database: database.clone(),
            physical_table: Arc::from(&*job.temporary),
            schema: SchemaName::new("information_schema"),
            table: TableName::new(&job.table),
            in_rows: false,
            view: None,
        }));
        Ok(Folded::Benched(Benched { bench, names, text }))
    }

    /// What each reference needs, and what stands in its place.
    async fn jobs(
        &mut self,
        (snapshot, target, database): (&Arc<Snapshot>, &Target, &str),
        (sql, tokens): (&[u8], &[Token]),
        references: &[Reference],
    ) -> Result<(Vec<Job>, Vec<(Range<usize>, String)>)> {
        let mut jobs: Vec<Job> = Vec::new();
        let mut edits = Vec::new();
        for reference in references {
            let table = reference.name.to_ascii_uppercase();
            let columns = self.system_columns(snapshot, target, &reference.name).await?;
            let shape = shape(&table, &columns)?;
            let source = if shape == Shape::Unchanged {
                format!("information_schema.{table}")
            } else {
                let temporary = format!("weir_is_{}", jobs.len());
                let source = self.source(database, &temporary, reference.enclosed);
                let wanted = Wanted::of(sql, tokens, reference, self.dialect);
                let columns = needed(sql, tokens, &columns);
                jobs.push(Job { table, temporary, shape, wanted, columns });
                source
            };
            edits.push((reference.range.clone(), source + &alias(reference)));
        }
        Ok((jobs, edits))
    }

    /// What stands in FROM for a temporary table.
    fn source(&self, database: &str, temporary: &str, enclosed: bool) -> String {
        let source = format!("`{}`.`{temporary}`", database.replace('`', "``"));
        match self.dialect.server {
            // MySQL's tables of information_schema are views: columns are called as the view has them.
            // Alone in parentheses its grammar wants a plain table.
            ServerKind::MySql if !enclosed => format!("(SELECT * FROM {source})"),
            _ => source,
        }
    }

    /// Other tables of the statement are read where they are, outside of a transaction.
    fn check_beside(&self, plan: &Plan, sql: &[u8], tokens: &[Token]) -> Result<()> {
        let inside = self.schema.as_ref().is_some_and(|schema| is_information(schema.as_str()));
        let first = table_names(sql, tokens).into_iter().next();
        let own = first
            .is_some_and(|first| first.schema.map_or(inside, |schema| is_information(&schema)));
        if own && plan.facts.access != Access::Read {
            let user = self.identity.user.name.as_str();
            let host = &self.identity.host;
            return Err(error_code::database_access_denied(user, host, "information_schema"));
        }
        let open = self.is_in_transaction() || !self.state.autocommit();
        let others = plan.table_names().any(|(schema, _)| !is_system(schema));
        let writes = plan.facts.access != Access::Read;
        if open && (others || writes) {
            return Err(Error::refused(
                "information_schema",
                "Inside of a transaction information_schema is read by itself: its rows stand on another \
                 connection, which doesn't see what the transaction has done to other tables",
            ));
        }
        Ok(())
    }

    /// A database of the target's group for temporary tables.
    fn bench_database(&self, snapshot: &Snapshot, target: &Target) -> Result<Arc<str>> {
        let given = target.database.as_ref().filter(|database| !is_system(database));
        if let Some(database) = given {
            return Ok(database.clone());
        }
        let schemas = snapshot.rules.schemas();
        let any = schemas.iter().find_map(|schema| schema.database_in(target.group).cloned());
        any.ok_or_else(|| {
            Error::refused("information_schema", "The rules name no database of this group")
        })
    }

    /// Makes the temporary tables, and brings their rows.
    async fn fill_bench(
        &mut self,
        snapshot: &Arc<Snapshot>,
        bench: &mut Bench,
        jobs: &[Job],
        (group, fill, deadline): (GroupId, bool, Deadline),
    ) -> Result<(), Failure> {
        // Whether a column may be NULL is, on MySQL, a matter of the session's mode.
        let is_mysql = self.dialect.server == ServerKind::MySql;
        let loading = bench.loading.clone();
        if is_mysql {
            let mut own = loading.clone();
            own.set_variable("sql_mode", self.state.variable("sql_mode"));
            self.bench_step(deadline, bench.lent.enter(&own, Pipelining::Nothing)).await?;
        }
        for job in jobs {
            let columns: Vec<String> =
                job.columns.iter().map(|column| format!("`{column}`")).collect();
            // Rows are counted without any column.
            let columns = if columns.is_empty() { "1 AS one".into() } else { columns.join(",") };
            // What is the same on every server comes at once.
            let rows = if fill && job.shape == Shape::Unchanged { "" } else { " LIMIT 0" };
            let made = format!(
                "CREATE TEMPORARY TABLE `{}`.`{}` AS SELECT {columns} FROM information_schema.`{}`{rows}",
                bench.database.replace('`', "``"),
                job.temporary,
                job.table
            );
            self.bench_step(deadline, bench.lent.simple(made.as_bytes())).await?;
            bench.made.push(job.temporary.clone());
        }
        if is_mysql {
            self.bench_step(deadline, bench.lent.enter(&loading, Pipelining::Nothing)).await?;
        }
        let mut lents: HashMap<GroupId, Lent> = HashMap::new();
        for job in jobs.iter().filter(|_| fill) {
            let lines = match &job.shape {
                Shape::Processlist => self.own_clients(&job.columns),
                Shape::Rights => {
                    let schemas = job.table == "SCHEMA_PRIVILEGES";
                    self.own_rights(snapshot, schemas, &job.columns)
                }
                Shape::Rows(rows) => {
                    let ways = (&mut *bench, group, &mut lents);
                    self.folded_rows(snapshot, (job, rows), ways, deadline).await?
                }
                Shape::Empty | Shape::Unchanged => Vec::new(),
            };
            self.bench_step(deadline, load::load(bench, job, &lines)).await?;
        }
        for (_, lent) in lents {
            lent.finish().await;
        }
        Ok(())
    }

    /// The rows of one table over all groups.
    async fn folded_rows(
        &mut self,
        snapshot: &Arc<Snapshot>,
        (job, shown): (&Job, &Rows),
        (bench, own, lents): (&mut Bench, GroupId, &mut HashMap<GroupId, Lent>),
        deadline: Deadline,
    ) -> Result<Vec<Line>, Failure> {
        let places = Places::of(&snapshot.rules, &self.identity.user, &job.wanted);
        let is_named =
            |column: &&str| matches!(*column, "REFERENCED_TABLE_NAME" | "VIEW_DEFINITION");
        let refers = job.columns.iter().any(|column| is_named(&column.as_str()));
        let reverse = if refers { Reverse::of(&snapshot.rules) } else { Reverse::default() };
        let columns = job.gathered(shown);
        let adds = columns.iter().any(|column| shown.sizes.has(column));
        let mut folding = Folding::new(shown, &columns, (&places, &job.wanted, &reverse));
        let limits = &self.ctx.shared.config().limits;
        let most = (limits.workbench_rows as usize, limits.workbench_bytes.0);
        let mut moved = 0;
        let mut groups = places.groups();
        if !groups.contains(&own) && job.wanted.schema("information_schema") {
            groups.push(own);
        }
        let mut sizes: Vec<(GroupId, Line, Vec<String>)> = Vec::new();
        for group in groups {
            let question = Question {
                server: self.dialect.server,
                rows: shown,
                columns: &columns,
                places: &places,
                wanted: &job.wanted,
                group,
                own: group == own,
            };
            let descriptions = question.descriptions();
            let more = if adds { question.sizes() } else { Vec::new() };
            if descriptions.is_empty() && more.is_empty() {
                continue;
            }
            let lent = if group == own {
                &mut bench.lent
            } else {
                match lents.entry(group) {
                    Entry::Occupied(held) => held.into_mut(),
                    Entry::Vacant(place) => {
                        let lent = self.lend_asking(snapshot, group).await?;
                        self.running.add(lent.kill_handle());
                        place.insert(lent)
                    }
                }
            };
            for text in descriptions {
                let asked = ask(lent, &text, most, &mut moved, &job.table);
                for line in self.bench_step(deadline, asked).await? {
                    folding.describe(group, line);
                }
            }
            let of = question.size_columns();
            for text in more {
                let asked = ask(lent, &text, most, &mut moved, &job.table);
                for line in self.bench_step(deadline, asked).await? {
                    sizes.push((group, line, of.clone()));
                }
            }
        }
        for (group, line, asked) in sizes {
            folding.add(group, line, &asked);
        }
        folding.finish();
        Ok(std::mem::take(&mut folding.out))
    }

    /// A connection of a group for questions alone, outside of the client's transaction.
    async fn lend_asking(&mut self, snapshot: &Arc<Snapshot>, group: GroupId) -> Result<Lent> {
        let mut state = State::default();
        state.set_variable("sql_mode", Some(b"''"));
        state.set_variable("time_zone", self.state.variable("time_zone"));
        self.lend_bench(snapshot, group, &state).await
    }

    /// Runs a statement whose tables stand on the workbench.
    pub(super) async fn run_benched(
        &mut self,
        snapshot: &Snapshot,
        plan: &Plan,
        benched: Benched,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        let Benched { bench, names, text } = benched;
        if plan.facts.pins.is_some() && !takes_row(plan) {
            self.clear_bench(bench, &text).await;
            return Err(Error::refused(
                "information_schema",
                "A statement that assigns variables row by row, takes locks or counts FOUND_ROWS can't read \
                 information_schema: use SELECT … INTO @variable or SET @variable = (SELECT …)",
            )
            .into());
        }
        let manner = Manner { arguments: None, ..manner };
        let how = (plan, manner, self.deadline(&plan.facts, snapshot));
        let summary = Box::pin(self.residual(how, bench, &names, text)).await?;
        Ok(self.note_residual(&summary))
    }

    /// The column definitions of such a statement.
    pub(super) async fn describe_benched(
        &mut self,
        benched: Benched,
    ) -> Result<(u16, Vec<Vec<u8>>), Failure> {
        let Benched { mut bench, names, text } = benched;
        let state = self.residual_state(&bench);
        bench.lent.enter(&state, Pipelining::Nothing).await?;
        let prepared = bench.lent.prepare(&text, &text, true).await;
        self.clear_bench(bench, &text).await;
        let (prepared, definitions) = prepared.map_err(|error| Names(&names).error(error))?;
        let renamed = definitions.iter().map(|definition| {
            let mut out = Vec::with_capacity(definition.len());
            Names(&names).column(Column::parse(definition)?).write(&mut out);
            Ok(out)
        });
        Ok((prepared.columns, renamed.collect::<Result<_>>()?))
    }

    /// A statement of Weir's own over information_schema: what SHOW shows.
    pub(super) async fn run_system(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        target: &Target,
        sql: &[u8],
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        match Box::pin(self.fold_text(snapshot, None, target, sql, true)).await? {
            Folded::Benched(benched) => self.run_benched(snapshot, plan, benched, manner).await,
            _ => {
                Err(Error::internal("a question over information_schema without its table").into())
            }
        }
    }

    /// The columns of one of information_schema's tables, asked once per session.
    async fn system_columns(
        &mut self,
        snapshot: &Arc<Snapshot>,
        target: &Target,
        table: &str,
    ) -> Result<Arc<[String]>> {
        let upper = table.to_ascii_uppercase();
        if let Some(known) = self.system_columns.get(&upper) {
            return Ok(known.clone());
        }
        let unknown = || {
            let text = format!("Unknown table '{table}' in information_schema");
            Error::new(Fault::Client, 1109, b"42S02", "", text)
        };
        if !upper.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(unknown());
        }
        let mut lent = self.lend(snapshot, target, Purpose::OWN).await?;
        let question = format!(
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'information_schema' \
             AND TABLE_NAME = '{upper}' ORDER BY ORDINAL_POSITION LIMIT {MAX_ROWS}"
        );
        let found = rows(&mut lent, question.as_bytes()).await;
        self.settle(target.group, lent, snapshot).await;
        let names = found?.rows.into_iter().filter_map(|row| row.into_iter().next().flatten());
        let names: Arc<[String]> =
            names.map(|name| String::from_utf8_lossy(&name).into_owned()).collect();
        if names.is_empty() {
            return Err(unknown());
        }
        self.system_columns.insert(upper, names.clone());
        Ok(names)
    }
}

impl Job {
    /// The columns that are asked of servers: what the statement asks for, and what adding up needs.
    fn gathered(&self, rows: &Rows) -> Vec<String> {
        let mut columns = self.columns.clone();
        let mut also = |name: &str| {
            if !columns.iter().any(|column| column == name) {
                columns.push(name.to_owned());
            }
        };
        if self.columns.iter().any(|column| column == AVERAGE) && !rows.sizes.is_none() {
            ["TABLE_ROWS", "DATA_LENGTH"].into_iter().for_each(&mut also);
        }
        if self.columns.iter().any(|column| rows.sizes.has(column)) {
            rows.sizes.keys.iter().copied().for_each(&mut also);
        }
        columns
    }
}

/// One question's rows, within what a statement may move.
async fn ask(
    lent: &mut Lent,
    text: &str,
    (rows_most, bytes_most): (usize, u64),
    moved: &mut u64,
    table: &str,
) -> Result<Vec<Line>> {
    let found = rows_within(lent, text.as_bytes(), rows_most).await?;
    let size = |row: &Line| row.iter().flatten().map(|value| value.len() as u64).sum::<u64>();
    *moved += found.rows.iter().map(size).sum::<u64>();
    if *moved > bytes_most {
        return Err(Error::limit(
            1104,
            "workbench_limit",
            format!(
                "information_schema.{table} has more than {bytes_most} bytes (limits.workbench_bytes): \
                 name a TABLE_SCHEMA and a TABLE_NAME in WHERE"
            ),
        ));
    }
    Ok(found.rows)
}

fn alias(reference: &Reference) -> String {
    match reference.bare {
        true => format!(" AS `{}`", reference.name.replace('`', "``")),
        false => String::new(),
    }
}

/// Whether a plan has tables of information_schema.
pub(super) fn has_system_tables(plan: &Plan) -> bool {
    plan.table_names().any(|(schema, _)| is_information(schema))
}

/// Whether a plan may name information_schema.
fn reads_system(plan: &Plan) -> bool {
    // What its own tables look like is the same on every server.
    let shows = matches!(plan.kind, StatementKind::Show | StatementKind::Describe);
    !shows && plan.schemas.iter().any(|schema| is_information(schema.as_str()))
}
