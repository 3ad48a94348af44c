//! A window of records, dealt out to their places and written there.
//!
//! Owns: what is held of a file's records, their ids, and one LOAD DATA LOCAL for each place of a
//! window. Never: reads the client.

use std::collections::BTreeMap;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;

use smallvec::SmallVec;

use super::Work;
use crate::error::{Error, Result};
use crate::executor::info;
use crate::executor::warnings::row_in;
use crate::executor::write::{self as writing, Bracket, WriteTerms, Written};
use crate::name::GroupId;
use crate::planner::load::Id;
use crate::planner::plan::{Rendered, Rows, Target, WriteKind};
use crate::planner::splice::Form;
use crate::rules::table::Placement;
use crate::session::forward::{Failure, watched};
use crate::session::last::{Diagnostic, most_conditions};
use crate::session::query::Manner;
use crate::session::scatter::{Lents, Prepared, Terms, noted};
use crate::session::workbench::change::mark;
use crate::session::{End, Session, look_back};
use crate::sql::lex;
use crate::sql::load::cut::Record;
use crate::sql::load::parse;

/// The most ids that are taken ahead: as a server's bulk insert, each time twice as many.
const MOST_IDS: u32 = 1024;

/// Records for one place.
#[derive(Default)]
struct Part {
    file: Vec<u8>,
    /// Their numbers in the file, from 0.
    rows: Vec<u32>,
}

/// What is held, and what has been written so far.
pub(super) struct Window {
    bytes: usize,
    most: usize,
    /// By shard.
    parts: BTreeMap<u32, Part>,
    /// The statement of each place.
    texts: BTreeMap<(GroupId, u32), Vec<u8>>,
    /// Records that were cut.
    pub rows: u64,
    /// Where the last of them went.
    last_shard: u32,
    /// Ids that were taken and not given yet.
    ids: Range<u64>,
    taking: u32,
    /// Ids that records brought along.
    given: Vec<u64>,
    pub first_id: Option<u64>,
    /// Groups that were written to, and those of them that have a savepoint to go back to.
    pub groups: SmallVec<[GroupId; 2]>,
    pub marked: SmallVec<[GroupId; 2]>,
    pub last_group: Option<GroupId>,
    pub written: Written,
}

impl Window {
    pub fn new(most: usize) -> Window {
        Window {
            bytes: 0,
            most,
            parts: BTreeMap::new(),
            texts: BTreeMap::new(),
            rows: 0,
            last_shard: 0,
            ids: 0..0,
            taking: 1,
            given: Vec::new(),
            first_id: None,
            groups: SmallVec::new(),
            marked: SmallVec::new(),
            last_group: None,
            written: Written::default(),
        }
    }

    pub fn is_full(&self) -> bool {
        self.bytes >= self.most
    }

    /// As one server says it.
    pub fn info(&self) -> Vec<u8> {
        match self.written.info.is_empty() {
            true => b"Records: 0  Deleted: 0  Skipped: 0  Warnings: 0".to_vec(),
            false => self.written.info.clone(),
        }
    }

    fn note(&mut self, written: Written) {
        let all = &mut self.written;
        all.affected_rows = all.affected_rows.saturating_add(written.affected_rows);
        all.warnings = all.warnings.saturating_add(written.warnings);
        all.info = match all.info.is_empty() {
            true => written.info,
            false => info::sum([all.info.as_slice(), &written.info]).unwrap_or_default(),
        };
    }
}

impl Session {
    /// Deals a record out to its place.
    pub(super) async fn take_record(
        &mut self,
        work: Work<'_>,
        input: &[u8],
        record: &Record,
        window: &mut Window,
    ) -> Result<(), Failure> {
        let reading = work.reading;
        let Ok(place) = u32::try_from(window.rows) else {
            return Err(Error::refused("load_data", "The file has too many records").into());
        };
        let number = window.rows + 1;
        let id = match reading.id_of(record, number)? {
            Id::Wanted => Some(self.next_id(work, window).await?),
            Id::Given(given) => {
                if let Some(given) = given {
                    if window.ids.contains(&given) {
                        window.ids = 0..0;
                    }
                    window.given.push(given);
                }
                None
            }
        };
        let shard = reading.shard_of(record, number, id)?;
        let part = window.parts.entry(shard).or_default();
        let before = part.file.len();
        match id {
            Some(id) => reading.write_with_id(input, record, work.statement, id, &mut part.file)?,
            None => {
                let bytes = input.get(record.range.clone()).unwrap_or_default();
                part.file.extend_from_slice(bytes);
            }
        }
        part.rows.push(place);
        window.bytes += part.file.len() - before + size_of::<u32>();
        window.rows = number;
        window.last_shard = shard;
        Ok(())
    }

    async fn next_id(&mut self, work: Work<'_>, window: &mut Window) -> Result<u64> {
        let rule = work.reading.ids.as_ref().and_then(|ids| ids.rule.as_ref());
        let rule = rule.ok_or_else(|| Error::internal("a record wants an id of nobody"))?;
        if window.ids.is_empty() {
            self.pass_given(work, window).await?;
            let most = u32::try_from(rule.kind.most_at_once()).unwrap_or(u32::MAX);
            let count = window.taking.min(most).max(1);
            let first = self.take(&rule.schema, &rule.name, count).await?;
            window.ids = first..first + u64::from(count);
            window.taking = (window.taking * 2).min(MOST_IDS);
        }
        let id = window.ids.next().ok_or_else(|| Error::internal("no id was taken"))?;
        window.first_id.get_or_insert(id);
        Ok(id)
    }

    /// The sequence moves past ids that records brought along.
    async fn pass_given(&mut self, work: Work<'_>, window: &mut Window) -> Result<()> {
        let given = std::mem::take(&mut window.given);
        let rule = work.reading.ids.as_ref().and_then(|ids| ids.rule.as_ref());
        match rule {
            Some(rule) if !given.is_empty() => {
                self.pass_ids(&rule.schema, &rule.name, &given).await
            }
            _ => Ok(()),
        }
    }

    /// Writes what is held.
    pub(super) async fn write_window(
        &mut self,
        work: Work<'_>,
        window: &mut Window,
    ) -> Result<(), Failure> {
        let parts = std::mem::take(&mut window.parts);
        window.bytes = 0;
        if parts.is_empty() {
            return Ok(());
        }
        self.pass_given(work, window).await?;
        let mut targets = Vec::with_capacity(parts.len());
        let mut prepared = Vec::with_capacity(parts.len());
        for (shard, part) in parts {
            let file: Arc<[u8]> = part.file.into();
            for target in places(work, shard, &part.rows)? {
                let text = self.text_for(work, &target, shard, window)?;
                let names = work.plan.renamings(&target);
                if shard == window.last_shard {
                    window.last_group = Some(target.group);
                }
                let place = targets.len();
                let one = Prepared::plain(target.group, place, text, names);
                prepared.push(one.loading(file.clone()));
                if !window.groups.contains(&target.group) {
                    window.groups.push(target.group);
                }
                targets.push(target);
            }
        }
        Self::check_groups(work, &window.groups)?;
        let written = self.write_parts_of_window(work, window, &targets, &prepared).await?;
        window.note(written);
        Ok(())
    }

    async fn write_parts_of_window(
        &mut self,
        work: Work<'_>,
        window: &mut Window,
        targets: &[Target],
        prepared: &[Prepared],
    ) -> Result<Written, Failure> {
        let mut lents = self.lend_all(work.snapshot, work.plan, targets).await?;
        if !work.own
            && let Err(error) = mark(&mut lents, &mut window.marked).await
        {
            self.settle_all(work.snapshot, lents).await;
            return Err(error.into());
        }
        let kind = match work.load.placement {
            Placement::Broadcast(_) => WriteKind::Broadcast,
            _ => WriteKind::Split,
        };
        let running = self.running.clone();
        let terms = WriteTerms { kind, bracket: Bracket::None, running: &running, returned: None };
        let manner = Manner::OWN;
        let mut state = self.state.at(work.now);
        for name in &work.reading.variables {
            state.set_user_variable(name, None);
        }
        let pipelining = self.pipelining(work.plan);
        let terms_of = Terms { manner, pipelining, keep: true, clock: false, state };
        let mut spares = Lents::new();
        let mut lanes = self.lanes((&mut lents, &mut spares), prepared, targets, terms_of);
        let limit = work.deadline.left();
        let outcome = {
            let writing = pin!(writing::write(&mut lanes, &terms));
            watched(writing, &self.registration, &running, limit).await
        };
        let warned = in_order(noted(lanes));
        running.end();
        match outcome {
            Ok(outcome) => {
                self.settle_all(work.snapshot, lents).await;
                let written = outcome.map_err(|refused| refused.error)?;
                self.last.diagnostics.extend(warned);
                self.last.diagnostics.truncate(most_conditions(self.dialect.server));
                Ok(written)
            }
            Err(stop) => {
                self.kill_lents(&mut lents).await;
                self.settle_all(work.snapshot, lents).await;
                Err(Failure::Session(End::Stopped(stop)))
            }
        }
    }

    /// The statement for a place.
    fn text_for(
        &self,
        work: Work<'_>,
        target: &Target,
        shard: u32,
        window: &mut Window,
    ) -> Result<Vec<u8>> {
        if let Some(text) = window.texts.get(&(target.group, shard)) {
            return Ok(text.clone());
        }
        let mut text = Vec::new();
        if work.plan.render(target, work.binding, Form::Text, &mut text)? == Rendered::AsIs {
            text = work.binding.sql.to_vec();
        }
        let limits = self.ctx.lexer.limits();
        if work.plan.facts.looks_back
            && let Some(resolved) =
                look_back::resolve(&text, self.dialect, limits, &self.remembered())?
        {
            text = resolved;
        }
        let tokens = lex::tokens(&text, self.dialect, limits)?;
        let there = parse(&text, &tokens, &self.dialect)?;
        let text = work.reading.text(&text, &there, work.charset);
        window.texts.insert((target.group, shard), text.clone());
        Ok(text)
    }
}

/// Where the records of a shard go; those of a broadcast table go to each copy.
fn places(work: Work<'_>, shard: u32, rows: &[u32]) -> Result<Vec<Target>> {
    let numbered = |target: Target| Target { rows: Rows::Some(rows.to_vec()), ..target };
    match &work.load.placement {
        Placement::Sharded(table) => {
            let place = table.shard(shard);
            let place = place.ok_or_else(|| Error::internal("a shard beyond the table's"))?;
            let mut target = Target::plain(place.group, Some(place.database.clone()));
            target.shard = Some(shard);
            target.shards = SmallVec::from_elem(shard, 1);
            Ok(vec![numbered(target)])
        }
        Placement::Broadcast(table) => Ok(table
            .copies
            .iter()
            .map(|(group, database)| numbered(Target::plain(*group, Some(database.clone()))))
            .collect()),
        Placement::Single(_) => Err(Error::internal("a single table's file was cut")),
    }
}

/// Warnings of several places in the order of the file's records; one that names none stays behind
/// the one before it.
fn in_order(warned: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut row = 0;
    let mut numbered: Vec<(u64, Diagnostic)> = warned
        .into_iter()
        .map(|one| {
            row = row_in(&one.message).map_or(row, |(_, row)| row);
            (row, one)
        })
        .collect();
    numbered.sort_by_key(|(row, _)| *row);
    numbered.into_iter().map(|(_, one)| one).collect()
}
