//! Rows that the workbench changed, on their way back to where they belong.
//!
//! Owns: reading them in batches, the ids of new ones, and writing each batch to its shards. Never:
//! holds more than a batch: while that is written, the workbench's server waits.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use smallvec::SmallVec;

use super::bench::Bench;
use super::change::{Changing, Told, mark};
use crate::backend::answer::{Answer, OkInfo};
use crate::backend::connection::Pipelining;
use crate::backend::state::{Charset, State};
use crate::error::{Error, Result};
use crate::executor::info::Inserted;
use crate::executor::insert_id::{InsertId, Repeated, Taken};
use crate::executor::lane::{is_end, parse_end};
use crate::executor::workbench::Moving;
use crate::executor::write::{self as writing, Bracket, WriteTerms, Written};
pub(super) use crate::executor::write_back::Step;
use crate::executor::write_back::{Row, Writer, Zone, home_of, shard_of};
use crate::name::{GroupId, TableName};
use crate::planner::plan::{Renaming, Rows, Target, WriteKind};
use crate::planner::refuse::refuse;
use crate::planner::splice::{Form, Numbers};
use crate::planner::workbench::Reference;
use crate::planner::workbench::change::{Auto, Change, Changed, Entry, Inserting};
use crate::protocol::capability::Capabilities;
use crate::protocol::err::ErrPacket;
use crate::rules::table::Placement;
use crate::session::forward::{Failure, watched};
use crate::session::last::most_conditions;
use crate::session::own::rows;
use crate::session::query::{Arguments, Manner};
use crate::session::scatter::{Lents, Prepared, Terms, noted};
use crate::session::{End, Session, look_back};
use crate::sql::lex::ServerKind;
use crate::value::assign;

/// A batch is written once its rows have so many bytes, or are so many.
const BATCH_BYTES: usize = 512 << 10;
const BATCH_ROWS: usize = 2000;
/// Conditions of one DELETE: a server gives up looking each of too many up by its key.
const BATCH_KEYS: usize = 200;

/// The modes that rows are written in: they are as their columns hold them already.
const WRITING_MODE: &str = "NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES";

/// "Data truncated for column".
const DATA_TRUNCATED: u16 = 1265;

/// "BIGINT UNSIGNED value is out of range".
const OUT_OF_RANGE: u16 = 1690;

/// Deprecated words: MySQL's of VALUES() and of some character sets.
const OF_TEXT: u16 = 1287;

/// What has been written so far.
#[derive(Debug, Default)]
pub(super) struct Back {
    /// Groups that have a savepoint to go back to.
    pub marked: SmallVec<[GroupId; 2]>,
    groups: SmallVec<[GroupId; 2]>,
    affected_rows: u64,
    inserted: Inserted,
    warnings: u16,
    /// The first and the last id that were taken from a sequence.
    taken: Option<(u64, u64)>,
    /// Rows wanted an id.
    wanting: bool,
    /// The first id that a server counted.
    counted_id: u64,
    /// What the last row's server said.
    last_id: u64,
}

/// One row, as the workbench's server sent it.
struct Pending {
    payload: Vec<u8>,
    /// Its place in the statement.
    number: u32,
}

/// Rows for one physical table.
struct Part {
    target: Target,
    names: Vec<Renaming>,
    head: String,
    text: Vec<u8>,
    /// The statement's parameters in it.
    numbers: Vec<u32>,
    rows: Vec<u32>,
}

impl Part {
    /// Where it goes, with the rows that its warnings count.
    fn placed(&self, step: Step) -> Target {
        let mut target = self.target.clone();
        if step == Step::Insert {
            target.rows = Rows::Some(self.rows.clone());
        }
        target
    }
}

/// One step of a statement for one of its tables.
#[derive(Clone, Copy)]
struct Stage<'s> {
    table: &'s Changed,
    reference: &'s Reference,
    step: Step,
}

impl Session {
    /// Reads the rows that `question` gives, and writes them where they belong.
    #[expect(clippy::too_many_arguments, reason = "the statement, its tables and its bounds")]
    pub(super) async fn bring_back(
        &mut self,
        changing: &Changing<'_>,
        back: &mut Back,
        bench: &mut Bench,
        (table, reference): (&Changed, &Reference),
        step: Step,
        question: &str,
        moving: &Moving,
    ) -> Result<(), Failure> {
        let stage = Stage { table, reference, step };
        bench.lent.enter(&reading(&bench.loading), Pipelining::Nothing).await?;
        bench.lent.query(question.as_bytes());
        let columns = match bench.lent.answer().await? {
            Answer::ResultSet { columns } => columns,
            Answer::Err(error) => return Err(error.into()),
            Answer::Ok(_) | Answer::LocalInfile(_) => {
                bench.lent.condemn();
                return Err(Error::unavailable("workbench_lost", "OK where rows were due").into());
            }
        };
        bench.lent.skip_definitions(columns).await?;
        let most = if step == Step::Delete { BATCH_KEYS } else { BATCH_ROWS };
        let (mut batch, mut bytes, mut number) = (Vec::new(), 0, 0u32);
        while let Some(payload) = next_row(bench).await? {
            if step == Step::Insert {
                moving.count(payload.len(), 1, reference)?;
            }
            bytes += payload.len();
            batch.push(Pending { payload, number });
            number = number.saturating_add(1);
            if batch.len() >= most || bytes >= BATCH_BYTES {
                self.write_batch(changing, back, stage, &batch).await?;
                batch.clear();
                bytes = 0;
            }
        }
        if !batch.is_empty() {
            self.write_batch(changing, back, stage, &batch).await?;
        }
        Ok(())
    }

    async fn write_batch(
        &mut self,
        changing: &Changing<'_>,
        back: &mut Back,
        stage: Stage<'_>,
        batch: &[Pending],
    ) -> Result<(), Failure> {
        let ids = self.ids(back, stage, batch).await?;
        let parts = self.parts_of(changing, stage, batch, (&ids, None))?;
        if stage.table.is_lookup() {
            return self.write_entries(changing, back, stage, parts).await;
        }
        for part in &parts {
            if !back.groups.contains(&part.target.group) {
                back.groups.push(part.target.group);
            }
        }
        if back.groups.len() > 1 && !changing.changes.allowed {
            return Err(refuse(
                "scatter_write",
                format!(
                    "The statement would write to {} groups: narrow it by the shard key, allow \
                     scatter_writes in the rules, or add the hint /*+ weir: scatter_ok */",
                    back.groups.len(),
                ),
            )
            .into());
        }
        let written = self.write_parts(changing, back, stage, parts).await?;
        // Every row was locked and is there: a key that doesn't find it would leave it behind.
        if stage.step == Step::Delete && written.affected_rows != batch.len() as u64 {
            return Err(Error::internal(format!(
                "{} rows of table '{}' were found by their keys where {} should have been",
                written.affected_rows,
                stage.reference.table,
                batch.len(),
            ))
            .into());
        }
        if stage.step == Step::Insert {
            back.note(&written, batch.len());
        }
        if matches!(stage.table.change, Change::Insert(_)) {
            for entry in &stage.table.entries {
                let parts = self.parts_of(changing, stage, batch, (&ids, Some(entry)))?;
                let stage = Stage { table: &entry.lookup, ..stage };
                self.write_entries(changing, back, stage, parts).await?;
            }
        }
        Ok(())
    }

    /// Entries of an index. One that is to go and isn't there was never made: the index is being
    /// filled.
    async fn write_entries(
        &mut self,
        changing: &Changing<'_>,
        back: &mut Back,
        stage: Stage<'_>,
        parts: Vec<Part>,
    ) -> Result<(), Failure> {
        if parts.is_empty() {
            return Ok(());
        }
        self.write_parts(changing, back, stage, parts).await.map(drop)
    }

    /// The ids of new rows that have none, in the rows' order.
    async fn ids(
        &mut self,
        back: &mut Back,
        stage: Stage<'_>,
        batch: &[Pending],
    ) -> Result<Vec<u64>, Failure> {
        let Change::Insert(Inserting { auto: Some(auto), .. }) = &stage.table.change else {
            return Ok(Vec::new());
        };
        let (mut missing, mut given) = (0u32, Vec::new());
        for pending in batch {
            let row = Row::parse(&pending.payload, stage.table.columns.len())?;
            match self.given_id(auto, &row) {
                None => missing += 1,
                Some(id) => given.extend(id),
            }
        }
        back.wanting |= missing > 0;
        let Some(rule) = &auto.sequence else {
            let single = matches!(stage.table.placement, Placement::Single(_));
            if missing > 0 && !single {
                return Err(refuse(
                    "auto_increment",
                    format!(
                        "Rows leave the AUTO_INCREMENT column of table '{}' to its servers, which would \
                         each count for themselves: select a value for it, or declare a sequence",
                        stage.reference.table,
                    ),
                )
                .into());
            }
            return Ok(Vec::new());
        };
        if !given.is_empty() {
            self.pass_ids(&rule.schema, &rule.name, &given).await?;
        }
        let most = u32::try_from(rule.kind.most_at_once()).unwrap_or(u32::MAX).max(1);
        let mut ids = Vec::with_capacity(missing as usize);
        while missing > 0 {
            let run = missing.min(most);
            let first = self.take(&rule.schema, &rule.name, run).await?;
            ids.extend(first..first + u64::from(run));
            missing -= run;
        }
        if let (Some(first), Some(last)) = (ids.first(), ids.last()) {
            let before = back.taken.map_or(*first, |(first, _)| first);
            back.taken = Some((before, *last));
        }
        Ok(ids)
    }

    /// The id that a row has: `None` where it wants one, and otherwise its number, if it is one
    /// above 0.
    fn given_id(&self, auto: &Auto, row: &Row<'_>) -> Option<Option<u64>> {
        let value = row.values.get(auto.column).copied().flatten()?;
        let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<i128>().ok());
        if number == Some(0) && self.assign.zero_counts {
            return None;
        }
        Some(number.and_then(|number| u64::try_from(number).ok()))
    }

    /// The texts for each place that the batch goes to, in the order of the places; or those of the
    /// rows' entries in an index.
    fn parts_of(
        &self,
        changing: &Changing<'_>,
        rows: Stage<'_>,
        batch: &[Pending],
        (ids, entry): (&[u64], Option<&Entry>),
    ) -> Result<Vec<Part>> {
        let stage = entry.map_or(rows, |entry| Stage { table: &entry.lookup, ..rows });
        let table = stage.table;
        let zone = match table.is_zoned() {
            true => Zone::of_session(self.state.variable("time_zone")),
            false => Zone::Utc,
        };
        let writer = Writer { table, zone };
        let mut places: BTreeMap<u32, Part> = BTreeMap::new();
        let mut ids = ids.iter();
        for pending in batch {
            let mut row = Row::parse(&pending.payload, rows.table.columns.len())?;
            let id;
            if let Change::Insert(Inserting { auto: Some(auto), .. }) = &rows.table.change
                && self.given_id(auto, &row).is_none()
            {
                // A single table's server counts by itself.
                id = ids.next().map(|id| id.to_string());
                if let Some(value) = row.values.get_mut(auto.column) {
                    *value = id.as_deref().map(str::as_bytes);
                }
            }
            if let Some(entry) = entry {
                row = row.only(&entry.places);
            }
            if is_unindexed(table, &row) {
                continue;
            }
            let shard = match (&table.placement, stage.step) {
                (Placement::Sharded(sharded), step)
                    if step == Step::Insert || table.is_lookup() =>
                {
                    shard_of(table, sharded, &row.values, self.stored_context())?
                }
                (placement, _) => home_of(placement, &row)?,
            };
            let part = match places.entry(shard) {
                std::collections::btree_map::Entry::Occupied(found) => found.into_mut(),
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert(part_of(stage, writer, shard)?)
                }
            };
            if !part.rows.is_empty() {
                part.text.extend_from_slice(writer.between(stage.step).as_bytes());
            }
            writer.row(stage.step, &row, &mut part.text)?;
            part.rows.push(pending.number);
        }
        let foot = writer.foot(stage.step).into_bytes();
        let mut parts: Vec<Part> = places.into_values().collect();
        for part in &mut parts {
            part.text.extend_from_slice(&foot);
            if let Change::Insert(Inserting { tail: Some(tail), .. }) = &table.change {
                part.text.push(b' ');
                let (text, numbers) = self.tail(changing, *tail, &part.target)?;
                part.text.extend(text);
                part.numbers = numbers;
            }
        }
        if let Placement::Broadcast(broadcast) = &table.placement {
            parts =
                parts.into_iter().flat_map(|part| copies(part, writer, stage, broadcast)).collect();
        }
        parts.sort_by_key(|part| part.target.group);
        Ok(parts)
    }

    /// ON DUPLICATE KEY UPDATE, as the client wrote it.
    fn tail(
        &self,
        changing: &Changing<'_>,
        tail: crate::sql::analysis::Span,
        target: &Target,
    ) -> Result<(Vec<u8>, Vec<u32>)> {
        let work = &changing.work;
        let (mut text, numbers) = (Vec::new(), Numbers::default());
        let bound = work.manner.arguments.is_some() && !work.plan.facts.looks_back;
        let form = if bound { Form::Prepared } else { Form::Text };
        work.plan.part_text(tail, target, work.binding, (form, Some(&numbers)), &mut text)?;
        if work.plan.facts.looks_back {
            let (limits, values) = (self.ctx.lexer.limits(), self.remembered());
            if let Some(resolved) = look_back::resolve(&text, self.dialect, limits, &values)? {
                text = resolved;
            }
        }
        Ok((text, numbers.take()))
    }

    /// How values that columns hold are read.
    pub(in crate::session) fn stored_context(&self) -> assign::Context {
        let server = match self.dialect.server {
            ServerKind::MySql => assign::ServerKind::MySql,
            ServerKind::MariaDb => assign::ServerKind::MariaDb,
        };
        assign::Context::new(server, WRITING_MODE, Some(0))
    }

    /// What is sent for parts; the parameters in them are bound as the client bound them.
    fn prepared_parts(
        &self,
        parts: Vec<Part>,
        given: Option<Arguments<'_>>,
    ) -> Result<Vec<Prepared>> {
        let sent = parts.into_iter().enumerate().map(|(place, part)| {
            let plain = Prepared::plain(part.target.group, place, part.text, part.names);
            match given {
                Some(given) if !part.numbers.is_empty() => self.bound(plain, given, &part.numbers),
                _ => Ok(plain),
            }
        });
        sent.collect()
    }

    async fn write_parts(
        &mut self,
        changing: &Changing<'_>,
        back: &mut Back,
        stage: Stage<'_>,
        parts: Vec<Part>,
    ) -> Result<Written, Failure> {
        let (snapshot, plan) = (changing.work.snapshot, changing.work.plan);
        let targets: Vec<Target> = parts.iter().map(|part| part.placed(stage.step)).collect();
        let given = changing.work.manner.arguments;
        let prepared = self.prepared_parts(parts, given)?;
        let mut lents = self.lend_all(snapshot, plan, &targets).await?;
        if !changing.own
            && let Err(error) = mark(&mut lents, &mut back.marked).await
        {
            self.settle_all(snapshot, lents).await;
            return Err(error.into());
        }
        let counts = back.wanting && stage.step == Step::Insert && counts_selected(stage.table);
        if counts {
            forget_id(&mut lents).await?;
        }
        let kind = match stage.table.placement {
            Placement::Broadcast(_) => WriteKind::Broadcast,
            _ => WriteKind::Split,
        };
        let running = self.running.clone();
        let terms = WriteTerms { kind, bracket: Bracket::None, running: &running, returned: None };
        let binary = given.is_some();
        let manner = Manner { parameters: &[], arguments: given, binary, more: false };
        let state = self.writing_state(changing, stage.table);
        let terms_of =
            Terms { manner, pipelining: self.pipelining(plan), keep: true, clock: false, state };
        let mut spares = Lents::new();
        let mut lanes = self.lanes((&mut lents, &mut spares), &prepared, &targets, terms_of);
        let limit = changing.work.deadline.left();
        let outcome = {
            let work = pin!(writing::write(&mut lanes, &terms));
            watched(work, &self.registration, &running, limit).await
        };
        let mut warned = noted(lanes);
        running.end();
        // What the workbench's server has converted is as its column holds it (an ENUM's 0), and it
        // has said all that there is to say of the statement's text.
        let before = warned.len();
        let truncated = if stage.table.has_tail() { OF_TEXT } else { DATA_TRUNCATED };
        warned.retain(|warning| ![OF_TEXT, truncated].contains(&warning.errno));
        let gone = u16::try_from(before - warned.len()).unwrap_or(u16::MAX);
        match outcome {
            Ok(outcome) => {
                let asks = counts && outcome.is_ok();
                let counted = if asks { Some(id_counted(&mut lents).await) } else { None };
                self.settle_all(snapshot, lents).await;
                let mut written = outcome.map_err(|refused| repeated_hour(refused.error))?;
                written.warnings = written.warnings.saturating_sub(gone);
                if stage.step == Step::Insert && matches!(stage.table.change, Change::Insert(_)) {
                    self.last.diagnostics.extend(warned);
                    self.last.diagnostics.truncate(most_conditions(self.dialect.server));
                }
                written.last_insert_id = match counted {
                    Some(id) => id?,
                    None => id_of_last_row(&written, &targets),
                };
                Ok(written)
            }
            Err(stop) => {
                self.kill_lents(&mut lents).await;
                self.settle_all(snapshot, lents).await;
                Err(Failure::Session(End::Stopped(stop)))
            }
        }
    }

    /// What rows are written in: nothing is converted any more, except where the client's own
    /// expressions are evaluated.
    fn writing_state(&self, changing: &Changing<'_>, table: &Changed) -> State {
        let mut state = self.state.at(changing.now);
        if !table.has_tail() {
            // An entry that isn't what its row is would lead nowhere.
            let strict = if table.is_lookup() { ",STRICT_ALL_TABLES" } else { "" };
            let mode = format!("'{WRITING_MODE}{strict}'");
            state.set_variable("sql_mode", Some(mode.as_bytes()));
            if !table.is_zoned() {
                state.set_variable("time_zone", Some(b"'+00:00'"));
            }
            state.set_charset(Charset::default());
        }
        state
    }
}

/// The rows are a SELECT's for a server that counts, and some may be changed instead: it names the
/// first id that it counted, where VALUES would have it name the id of a row that was changed.
fn counts_selected(table: &Changed) -> bool {
    let Change::Insert(Inserting { selects: true, tail: Some(_), auto: Some(auto), .. }) =
        &table.change
    else {
        return false;
    };
    auto.sequence.is_none() && matches!(table.placement, Placement::Single(_))
}

async fn forget_id(lents: &mut Lents) -> Result<()> {
    for (_, lent) in lents {
        lent.send_lead().await?;
        lent.simple(b"DO LAST_INSERT_ID(0)").await?;
    }
    Ok(())
}

/// What the servers have counted since: 0 where all rows were there already.
async fn id_counted(lents: &mut Lents) -> Result<u64> {
    let mut counted = 0;
    for (_, lent) in lents {
        let found = rows(lent, b"SELECT LAST_INSERT_ID() LIMIT 1").await?;
        let text = found.rows.first().and_then(|row| row.first()).and_then(Option::as_deref);
        let id = text.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        counted = counted.max(id.ok_or_else(|| Error::malformed("an insert id"))?);
    }
    Ok(counted)
}

/// A moment that the session's time zone has no own name for ([`Zone::Named`]).
fn repeated_hour(error: Error) -> Error {
    if error.errno != OUT_OF_RANGE || !error.message.to_ascii_lowercase().contains("+ sign(") {
        return error;
    }
    Error::refused(
        "write_repeated_hour",
        "A row holds a TIMESTAMP in an hour that the session's time zone has twice, and its table \
         computes values in that zone: SET time_zone = '+00:00', or another offset, for the statement",
    )
}

/// Whether a row has no entry in an index, because a column is NULL.
fn is_unindexed(table: &Changed, row: &Row<'_>) -> bool {
    match &table.change {
        Change::Entry(keeping) => row.values.iter().take(keeping.indexed).any(Option::is_none),
        _ => false,
    }
}

/// An empty statement for one place.
fn part_of(stage: Stage<'_>, writer: Writer<'_>, shard: u32) -> Result<Part> {
    let (group, database, table, number) = match &stage.table.placement {
        Placement::Sharded(sharded) => {
            let place = sharded.shard(shard);
            let place = place.ok_or_else(|| Error::internal("a shard beyond the table's"))?;
            (place.group, &place.database, &place.table, Some(shard))
        }
        Placement::Broadcast(broadcast) => {
            let first = broadcast.copies.first();
            let (group, database) =
                first.ok_or_else(|| Error::internal("a broadcast table without a copy"))?;
            (*group, database, &broadcast.table, None)
        }
        Placement::Single(single) => (single.group, &single.database, &single.table, None),
    };
    Ok(placed(stage, writer, (group, database, table), number))
}

fn placed(
    stage: Stage<'_>,
    writer: Writer<'_>,
    (group, database, table): (GroupId, &Arc<str>, &Arc<str>),
    shard: Option<u32>,
) -> Part {
    let names = Renaming {
        physical_database: database.clone(),
        physical_table: table.clone(),
        schema: stage.reference.schema.clone(),
        table: TableName::new(&stage.reference.table),
        in_rows: false,
        view: None,
    };
    let head = writer.head(stage.step, database, table);
    let text = head.clone().into_bytes();
    let mut target = Target::plain(group, Some(database.clone()));
    target.shard = shard;
    target.shards = shard.into_iter().collect();
    Part { target, names: vec![names], head, text, numbers: Vec::new(), rows: Vec::new() }
}

/// The same rows for each copy of a broadcast table.
fn copies(
    part: Part,
    writer: Writer<'_>,
    stage: Stage<'_>,
    broadcast: &crate::rules::table::BroadcastTable,
) -> Vec<Part> {
    let rows = part.text.get(part.head.len()..).unwrap_or_default();
    let copy = |(group, database): &(GroupId, Arc<str>)| {
        let mut copy = placed(stage, writer, (*group, database, &broadcast.table), None);
        copy.text.extend_from_slice(rows);
        copy.rows.clone_from(&part.rows);
        copy.numbers.clone_from(&part.numbers);
        copy
    };
    broadcast.copies.iter().map(copy).collect()
}

/// The state that the workbench's rows are read in: texts in their columns' character sets.
fn reading(loading: &State) -> State {
    let mut state = loading.clone();
    let charset = Charset { results: None, ..state.charset().clone() };
    state.set_charset(charset);
    state
}

/// The next row; `None` at the end.
async fn next_row(bench: &mut Bench) -> Result<Option<Vec<u8>>> {
    let capabilities = bench.lent.capabilities;
    let payload = bench.lent.read_packet().await?.to_vec();
    if ErrPacket::is_err(&payload) {
        let error = ErrPacket::parse(&payload)?.to_error();
        bench.lent.ended_in_error(&error);
        return Err(error);
    }
    if payload.first() == Some(&0xfe) && is_end(&payload, capabilities) {
        let end = parse_end(&payload, capabilities)?;
        bench.lent.note_writes(&end.session_state);
        bench.lent.ended(end.status);
        return Ok(None);
    }
    Ok(Some(payload))
}

/// The id that the server of the last row named.
fn id_of_last_row(written: &Written, targets: &[Target]) -> u64 {
    let last = |target: &Target| match &target.rows {
        Rows::Some(numbers) => numbers.last().copied(),
        Rows::All => None,
    };
    let places = targets.iter().enumerate().filter_map(|(place, one)| Some((last(one)?, place)));
    let place = places.max().map(|(_, place)| place);
    let named = place.and_then(|place| written.insert_ids.iter().find(|(of, _)| *of == place));
    named.map_or(written.last_insert_id, |(_, id)| *id)
}

impl Back {
    fn note(&mut self, written: &Written, rows: usize) {
        self.affected_rows = self.affected_rows.saturating_add(written.affected_rows);
        self.warnings = self.warnings.saturating_add(written.warnings);
        self.inserted.add(Inserted { records: rows as u64, ..written.inserted });
        self.last_id = written.last_insert_id;
        if self.wanting && self.counted_id == 0 {
            self.counted_id = written.last_insert_id;
        }
    }

    /// What the client hears: an INSERT's counts are those of its shards, an UPDATE's and DELETE's
    /// those of the statement itself.
    pub fn told(&self, changing: &Changing<'_>, done: OkInfo, client: Capabilities) -> Told {
        let insert = changing.changes.targets.iter().find_map(|target| match &target.change {
            Change::Insert(inserting) => Some((target, inserting)),
            _ => None,
        });
        let Some((target, inserting)) = insert else {
            return Told {
                affected_rows: done.affected_rows,
                insert_id: (done.last_insert_id, done.last_insert_id),
                warnings: done.warnings,
                info: done.info,
            };
        };
        let warnings = done.warnings.saturating_add(self.warnings);
        let inserted = Inserted { warnings: u64::from(warnings), ..self.inserted };
        // A server says it of several rows, and of each SELECT.
        let said = !done.info.is_empty() || inserted.records > 1;
        let info = if said { inserted.always() } else { Vec::new() };
        let insert_id = match (&inserting.auto, self.taken) {
            (Some(auto), Some((first, last))) => InsertId::Taken(Taken {
                first,
                last,
                rows: inserted.records,
                duplicates: if inserting.tail.is_some() {
                    Repeated::Update { sets_id: false }
                } else if inserting.ignore {
                    Repeated::Skip
                } else {
                    Repeated::Fail
                },
                counted: auto.counted,
                found_rows: client.contains(Capabilities::FOUND_ROWS),
            })
            .of(self.affected_rows, self.last_id, &info),
            (Some(_), None) if self.wanting && matches!(target.placement, Placement::Single(_)) => {
                (self.counted_id, self.counted_id)
            }
            // Of a SELECT's rows that may have been changed instead, a server tells none.
            _ if inserting.selects && inserting.tail.is_some() => (0, 0),
            _ => (self.last_id, 0),
        };
        Told { affected_rows: self.affected_rows, insert_id, warnings, info }
    }
}
