//! SELECTs in shapes that no merge answers: what each table reference must give, and the statement
//! that MySQL itself runs over what they gave.
//!
//! Owns: the columns and the conditions that a reference is gathered by, the text of that gather,
//! and the residual statement's splices. Never: emulates a function or a comparison: whatever isn't
//! plainly a condition on one table stays with the residual, which repeats the pushed ones, too.
//!
//! A condition may be pushed to a reference if a row that fails it can't matter: it is a conjunct of
//! WHERE, and the reference is on no inner side of an outer join; or a conjunct of the ON of the
//! innermost outer join whose inner side the reference is on. And it must be one that gives the
//! same warnings where it is checked over fewer rows.

pub mod change;
pub mod columns;
mod condition;
mod copies;
mod grouped;
pub mod keys;
mod pushed;

use std::sync::Arc;

use crate::catalog::Table;
use crate::error::Error;
use crate::name::SchemaName;
use crate::planner::Narrowed;
use crate::planner::bind::{Binding, Values};
use crate::planner::condition::shards;
use crate::planner::draft::{Draft, Result};
use crate::planner::hinted::nothing_left;
use crate::planner::obeyed;
use crate::planner::query::{narrow_all, sharded_uses};
use crate::planner::splice::{Part, Splice, What, quote};
use crate::planner::survey::{Conjunct, Leaf, Role, Survey, Use, is_system};
use crate::sql::analysis::Span;
use crate::sql::lex::ServerKind;
use crate::sql::parse;
use crate::sql::token::TokenKind;

use condition::{pushed, text};
use pushed::Pushed;

/// What a statement needs of the workbench.
#[derive(Debug)]
pub struct Workbench {
    /// In the statement's order; each has a temporary table of its own.
    pub references: Vec<Reference>,
    /// Why no cheaper way answers the statement: the code and the sentence of that refusal.
    pub reason: (&'static str, String),
    /// What goes back where the statement changes rows.
    pub changes: Option<change::Changes>,
    /// What makes the statement read the temporary tables.
    pub(crate) splices: Vec<Splice>,
}

/// A table's name in FROM.
#[derive(Debug)]
pub struct Reference {
    pub schema: SchemaName,
    /// The logical table.
    pub table: Box<str>,
    /// The temporary table that stands for it.
    pub temporary: String,
    /// Counted from 1.
    pub number: usize,
    pub task: Task,
    /// What is gathered, in the gather's order; empty where the table is not known.
    pub columns: Vec<Moved>,
    /// What the statement was planned with; `None` where the table isn't known.
    pub known: Option<Arc<Table>>,
    /// A table of information_schema, which Weir puts together: where its name stands in the template.
    pub information: Option<usize>,
    /// The table is a view: the definition of its columns is all there is.
    pub is_view: bool,
    /// Only some of the table's partitions are asked for.
    pub partitioned: bool,
    /// Its rows are those of this reference: they are taken from there.
    pub copy_of: Option<usize>,
    /// What further restricts its rows, once others are known.
    pub keys: Vec<keys::Keys>,
    /// The quoted name by which the statement knows it.
    pub shown: String,
    /// Hints of the gather, `SELECT`'s own words behind them.
    hints: Vec<&'static str>,
    /// The shards that hints name.
    hinted: Option<Narrowed>,
    /// What is selected, and FROM.
    head: Vec<Part>,
    pushed: Vec<Pushed>,
    /// GROUP BY and HAVING that each place does for its own rows, which the residual is without.
    grouped: Vec<Part>,
    /// ORDER BY and LIMIT that each place may cut its rows by, where it checks all conditions.
    cut: Vec<Part>,
    /// Locking clauses.
    pub tail: String,
}

/// A column whose value must be among those of another reference, to be of interest.
#[derive(Clone, Copy, Debug)]
pub struct Within<'w> {
    pub column: &'w str,
    pub reference: &'w Reference,
    /// What stands for that reference, quoted.
    pub source: &'w str,
    pub of: &'w str,
}

/// What a reference's temporary table is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// It has the rows that are read.
    Read,
    /// Its rows may be changed: each is numbered, and its shard is known.
    Change,
    /// New rows come into it, and none is gathered; this column may be left out or NULL.
    Fill { auto: Option<Box<str>> },
}

/// A column on its way into a temporary table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub name: Box<str>,
    pub form: Form,
}

/// How a value travels so that nothing of it is lost (mysql-traps 22).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// A number's digits as they are.
    Digits,
    /// The number behind an ENUM's label or a SET's labels: 0 has no label of its own.
    Ordinal,
    /// The digits of a DOUBLE.
    Double,
    /// Bytes in the column's own character set, or in none.
    Bytes,
    /// Text of dates and kinds of columns that are read from text.
    Text,
    /// A JSON document's text, or a mark where it isn't all of it.
    Json,
    /// Seconds since 1970, written as a time of UTC.
    Moment,
}

impl Workbench {
    /// Whether hints name shards of a reference.
    pub(crate) fn is_hinted(&self) -> bool {
        self.references.iter().any(|reference| reference.hinted.is_some())
    }

    /// The refusal where hints leave no shard of a reference.
    pub(crate) fn nothing_left(&self, binding: &Binding) -> Option<Error> {
        let hinted = self.references.iter().filter_map(|reference| reference.hinted.as_ref());
        let mut empty = hinted.filter(|one| shards(one, &Values::new(binding)).is_empty());
        empty.next().map(|one| nothing_left(&one.table))
    }
}

/// Plans the workbench for a surveyed query. `None` where something of the statement can't be moved.
pub(crate) fn plan(
    draft: &Draft,
    survey: &mut Survey,
    locking: bool,
    reason: (&'static str, String),
) -> Result<Option<Workbench>> {
    let lock = if locking { lock_clause(draft)? } else { Some(String::new()) };
    match lock {
        Some(lock) => planned(draft, survey, &lock, None, reason),
        None => Ok(None),
    }
}

/// The same for a statement that changes rows: all that it reads is locked until its transaction
/// ends, as one server locks it.
pub(crate) fn plan_change(
    draft: &Draft,
    survey: &mut Survey,
    wanted: &change::Wanted,
    allowed: bool,
    reason: (&'static str, String),
) -> Result<Option<Workbench>> {
    let Some(mut bench) = planned(draft, survey, "", Some(wanted), reason)? else {
        return Ok(None);
    };
    if survey.needs.is_empty() {
        change::add(draft, survey, &mut bench, wanted, allowed)?;
        bench.splices.sort_by_key(|splice| (splice.at.start, splice.at.end));
    }
    Ok(Some(bench))
}

fn planned(
    draft: &Draft,
    survey: &mut Survey,
    lock: &str,
    wanted: Option<&change::Wanted>,
    reason: (&'static str, String),
) -> Result<Option<Workbench>> {
    let others = |used: &Use| is_system(used.schema.as_str()) && !used.is_information();
    if survey.uses.iter().any(others) || hides_a_name(survey) {
        return Ok(None);
    }
    let mut named = columns::named(draft, survey)?;
    let mut hinted = hinted(draft, survey)?;
    let mut bench = Workbench { references: vec![], reason, changes: None, splices: vec![] };
    for index in 0..survey.uses.len() {
        survey.need(index);
        let conjuncts = conjuncts(survey, index);
        let pushed = pushed(draft, survey, index, &conjuncts);
        let home = survey.uses.get(index).map_or(0, |used| used.block);
        let keys = keys::of(survey, home, index, &conjuncts);
        let task = wanted.map_or(Task::Read, |wanted| wanted.task(survey, index));
        let information = survey.uses.get(index).is_some_and(Use::is_information);
        if information && task != Task::Read {
            return Ok(None);
        }
        let keeps_name = wanted.is_some_and(|wanted| wanted.keeps_name(index));
        let grouped = match wanted {
            None => grouped::of(draft, survey, index, &conjuncts, &pushed)?,
            Some(_) => None,
        };
        let Some(used) = survey.uses.get(index) else { continue };
        name_temporary(used, index, keeps_name, &mut bench.splices);
        if task != Task::Read {
            named.want_all(index);
        }
        let columns = used.table.as_ref().map(|table| columns::moved(table, &named, index));
        let columns = match &grouped {
            Some(grouped) => Some(vec![grouped.column.clone()]),
            None => columns,
        };
        let temporary = temporary_name(used, index, keeps_name);
        let mut reference = reference(used, temporary, columns.unwrap_or_default(), pushed);
        reference.keys = keys;
        reference.number = index + 1;
        reference.hints = obeyed::of_gather(draft, wanted.is_none());
        reference.hinted = hinted_of(&mut hinted, index, &task);
        if let Some(grouped) = grouped {
            let what = What::Parts(vec![]);
            bench.splices.push(Splice { at: grouped.at, what, scattered: false });
            reference.grouped = grouped::tail(grouped.at);
        }
        // Rows of subqueries and derived tables aren't locked by a SELECT.
        let role = survey.blocks.get(used.block).map(|block| block.role);
        if information {
            let begin = survey.uses.get(index).map(|used| used.span().start);
            reference.information = begin.map(|at| at as usize);
        } else if wanted.is_some() {
            reference.tail = task.lock().to_owned();
        } else if matches!(role, Some(Role::Top | Role::Part)) {
            reference.tail = lock.to_owned();
        }
        reference.task = task;
        reference.copy_of =
            bench.references.iter().position(|earlier| earlier.has_rows_of(&reference));
        bench.references.push(reference);
    }
    spliced(draft, survey, &mut bench);
    if draft.input.dialect.server == ServerKind::MySql && !copies::add(draft, survey, &mut bench)? {
        return Ok(None);
    }
    bench.splices.sort_by_key(|splice| (splice.at.start, splice.at.end));
    Ok(Some(bench))
}

/// What of the statement's own splices the residual needs, too.
fn spliced(draft: &Draft, survey: &Survey, bench: &mut Workbench) {
    for name in &survey.names {
        // All temporary tables are in one database.
        if let Some(schema) = &name.schema {
            let at = Span { start: schema.span.start, end: name.table.span.start };
            bench.splices.push(Splice { at, what: What::Parts(vec![]), scattered: false });
        }
    }
    // Hints are cut out and columns keep their names wherever the statement goes.
    let kept = draft.splices.iter().filter(|splice| match &splice.what {
        What::Parts(parts) => parts.is_empty() && !splice.scattered,
        What::Label(_) => true,
        _ => false,
    });
    bench.splices.extend(kept.cloned());
}

/// The statement's one locking clause, for the gathers; `None` where it has several, or one that
/// names tables or stands in parentheses.
pub(crate) fn lock_clause(draft: &Draft) -> Result<Option<String>> {
    let input = draft.input;
    let mut tokens = parse::units::template_tokens(input.sql, input.lexed, input.dialect)?;
    tokens.retain(|token| !token.kind.is_trivia());
    let is = |place: usize, word: &str| {
        tokens.get(place).is_some_and(|token| token.is_word(input.sql, word))
    };
    let begins = |place: usize| {
        is(place, "FOR") && (is(place + 1, "UPDATE") || is(place + 1, "SHARE"))
            || is(place, "LOCK") && is(place + 1, "IN") && is(place + 2, "SHARE")
    };
    let mut found = (0..tokens.len()).filter(|place| begins(*place));
    let (Some(first), None) = (found.next(), found.next()) else { return Ok(None) };
    if tokens.get(first).is_none_or(|token| token.depth > 0) {
        return Ok(None);
    }
    const WORDS: [&str; 10] =
        ["FOR", "UPDATE", "SHARE", "LOCK", "IN", "MODE", "NOWAIT", "SKIP", "LOCKED", "WAIT"];
    let mut text = String::new();
    for token in tokens.iter().skip(first) {
        let known = WORDS.iter().any(|word| token.is_word(input.sql, word));
        if !known && token.kind != TokenKind::Integer {
            return Ok(None);
        }
        text.push(' ');
        text.push_str(&String::from_utf8_lossy(token.bytes(input.sql)));
    }
    Ok(Some(text))
}

/// Two tables of different schemas under one name in one FROM: without their schemas the names
/// would be the same.
fn hides_a_name(survey: &Survey) -> bool {
    let shown = |used: &Use| {
        (used.block, used.alias.as_ref().unwrap_or(&used.written.table).text.to_lowercase())
    };
    let twice = survey.uses.iter().enumerate().any(|(index, used)| {
        survey.uses.iter().skip(index + 1).any(|other| shown(used) == shown(other))
    });
    // A column's schema is cut off: something nearer of that name would take the column.
    let derived = |name: &str| {
        let leaves = survey.blocks.iter().flat_map(|block| &block.leaves);
        leaves.into_iter().any(|leaf| match leaf {
            Leaf::Derived { name: Some(shown), .. } => shown.eq_ignore_ascii_case(name),
            _ => false,
        })
    };
    let taken = survey.names.iter().filter(|name| name.schema.is_some()).any(|name| {
        let name = &name.table.text;
        let same = |used: &&Use| {
            used.alias.as_ref().unwrap_or(&used.written.table).text.eq_ignore_ascii_case(name)
        };
        derived(name) || survey.uses.iter().filter(same).count() > 1
    });
    twice || taken
}

fn temporary_name(used: &Use, index: usize, keeps_name: bool) -> String {
    match keeps_name {
        true => used.written.table.text.clone(),
        false => format!("weir_wb_{}", index + 1),
    }
}

/// Puts the temporary table's name in the place of the table's; `keeps_name` where it is the same.
fn name_temporary(used: &Use, index: usize, keeps_name: bool, splices: &mut Vec<Splice>) {
    let mut put = |start, end, parts: Vec<Part>| {
        let at = Span { start, end };
        splices.push(Splice { at, what: What::Parts(parts), scattered: false });
    };
    let name = used.span();
    put(name.start, name.end, vec![Part::Source(index)]);
    if used.alias_at > name.end {
        // PARTITION (…) is for the gather.
        put(name.end, used.alias_at, vec![]);
    }
    if used.alias.is_none() && !keeps_name {
        let alias = format!(" AS {}", quoted(&used.written.table.text));
        put(used.alias_at, used.alias_at, vec![Part::Text(alias.into())]);
    }
}

impl Task {
    /// What one server locks the rows with.
    fn lock(&self) -> &'static str {
        match self {
            Task::Read => " LOCK IN SHARE MODE",
            Task::Change => " FOR UPDATE",
            Task::Fill { .. } => "",
        }
    }
}

fn quoted(name: &str) -> String {
    let mut out = Vec::new();
    quote(name, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn shown(used: &Use) -> String {
    quoted(&used.alias.as_ref().unwrap_or(&used.written.table).text)
}

/// The uses whose shards hints name.
fn hinted(draft: &Draft, survey: &mut Survey) -> Result<Vec<(usize, Narrowed)>> {
    if !draft.names_shard() {
        return Ok(vec![]);
    }
    let sharded = sharded_uses(survey);
    let mut narrowed = narrow_all(survey, &sharded);
    draft.hinted(&mut narrowed)?;
    Ok(sharded.into_iter().zip(narrowed).filter(|(_, one)| one.is_hinted()).collect())
}

/// What hints name of a use whose rows are gathered.
fn hinted_of(hinted: &mut Vec<(usize, Narrowed)>, index: usize, task: &Task) -> Option<Narrowed> {
    let place = hinted.iter().position(|(used, _)| *used == index)?;
    let (_, narrowed) = hinted.swap_remove(place);
    (!matches!(task, Task::Fill { .. })).then_some(narrowed)
}

fn reference(used: &Use, temporary: String, columns: Vec<Moved>, pushed: Vec<Pushed>) -> Reference {
    let shown = shown(used);
    let list: Vec<String> = columns.iter().map(|column| column.expression(&shown)).collect();
    let list = if list.is_empty() { "*".to_owned() } else { list.join(", ") };
    let (schema, table) = (quoted(used.schema.as_str()), quoted(&used.name));
    let mut head = vec![Part::Text(format!("{list} FROM {schema}.{table}").into())];
    let name = used.span();
    if used.alias_at > name.end {
        head.push(Part::Copy(Span { start: name.end, end: used.alias_at }));
    }
    head.push(Part::Text(format!(" AS {shown}").into()));
    Reference {
        schema: used.schema.clone(),
        table: used.name.clone(),
        temporary,
        number: 0,
        task: Task::Read,
        columns,
        known: used.table.clone(),
        information: None,
        is_view: used.table.as_ref().is_some_and(|table| table.is_view),
        partitioned: used.alias_at > name.end,
        keys: vec![],
        shown,
        copy_of: None,
        hints: vec![],
        hinted: None,
        head,
        pushed,
        grouped: vec![],
        cut: vec![],
        tail: String::new(),
    }
}

/// The conjuncts that rows of a reference without a part in the result fail.
fn conjuncts<'a>(survey: &Survey<'a>, used: usize) -> Vec<Conjunct<'a>> {
    let home = survey.uses.get(used).and_then(|used| survey.blocks.get(used.block));
    let Some(block) = home else { return vec![] };
    let leaf = block.leaves.iter().position(|leaf| matches!(leaf, Leaf::Table(u) if *u == used));
    let Some(leaf) = leaf else { return vec![] };
    let outer = block.locals.iter().filter(|local| !local.promoted);
    let innermost =
        outer.filter(|local| local.leaves.contains(&leaf)).min_by_key(|local| local.leaves.len());
    match innermost {
        Some(local) => local.on.clone(),
        None => block.global.clone(),
    }
}

impl Reference {
    /// The temporary table's name, quoted.
    pub fn quoted(&self) -> String {
        quoted(&self.temporary)
    }

    /// Whether another reference needs just the rows and columns that this one has: they are read
    /// once.
    fn has_rows_of(&self, other: &Reference) -> bool {
        let whole = |reference: &Reference| {
            let all = reference.pushed.is_empty() && reference.grouped.is_empty();
            all && !reference.partitioned
        };
        // What is asked for by the keys of others lacks rows that the other one needs.
        self.copy_of.is_none()
            && self.information.is_none()
            && self.keys.is_empty()
            && (&self.schema, &self.table) == (&other.schema, &other.table)
            && self.columns == other.columns
            && self.tail == other.tail
            && whole(self)
            && whole(other)
    }

    /// The statement that asks for the reference's rows, in logical names: it is planned and run as
    /// any client's.
    pub(crate) fn parts(&self, binding: &Binding, keys: Option<&str>) -> Vec<Part> {
        let mut parts = vec![];
        text("SELECT ", &mut parts);
        let hints = self.hints(binding);
        if !hints.is_empty() {
            text(&format!("/*+ weir: {} */ ", hints.join(", ")), &mut parts);
        }
        parts.extend(self.head.iter().cloned());
        let word = self.conditions(binding, &mut parts);
        if let Some(keys) = keys {
            text(word, &mut parts);
            text(keys, &mut parts);
        } else if self.pushed.iter().all(|pushed| pushed.holds_for(binding)) {
            parts.extend(self.cut.iter().cloned());
        }
        parts.extend(self.grouped.iter().cloned());
        if !self.tail.is_empty() {
            text(&self.tail, &mut parts);
        }
        parts
    }
}

impl Reference {
    fn hints(&self, binding: &Binding) -> Vec<String> {
        let mut hints: Vec<String> = self.hints.iter().map(|hint| (*hint).to_owned()).collect();
        if let Some(hinted) = &self.hinted {
            let shards = shards(hinted, &Values::new(binding));
            let numbers: Vec<String> = shards.iter().map(|shard| shard.to_string()).collect();
            hints.push(format!("shard({}, {})", quoted(&self.table), numbers.join(", ")));
        }
        hints
    }

    /// The question for the values of a column, in the reference's own rows of `source`; `within` are
    /// those whose values a column of it must be among.
    pub(crate) fn values(
        &self,
        binding: &Binding,
        source: &str,
        of: &str,
        within: &[Within],
        most: usize,
    ) -> Vec<Part> {
        let mut parts = self.asked(binding, source, of);
        for one in within {
            text(&format!(" AND {}.{} IN (", self.shown, quoted(one.column)), &mut parts);
            parts.extend(one.reference.asked(binding, one.source, one.of));
            text(")", &mut parts);
        }
        text(&format!(" LIMIT {most}"), &mut parts);
        parts
    }

    fn asked(&self, binding: &Binding, source: &str, of: &str) -> Vec<Part> {
        let column = format!("{}.{}", self.shown, quoted(of));
        let head = format!("SELECT DISTINCT {column} FROM {source} AS {}", self.shown);
        let mut parts = vec![Part::Text(head.into())];
        // What gives groups has nothing but keys, and only those that are wanted.
        let word = match self.is_grouped() {
            true => " WHERE ",
            false => self.conditions(binding, &mut parts),
        };
        text(&format!("{word}{column} IS NOT NULL"), &mut parts);
        parts
    }

    /// Whether places may give their first rows alone, or groups: nothing of theirs is merged.
    pub fn is_cut(&self) -> bool {
        !self.cut.is_empty() || self.is_grouped()
    }

    /// Whether its rows are groups' keys, and not its table's rows.
    pub fn is_grouped(&self) -> bool {
        !self.grouped.is_empty()
    }

    /// Whether a statement asks for a part of its rows alone.
    pub fn is_narrowed(&self) -> bool {
        !self.pushed.is_empty() || self.is_grouped()
    }

    /// Writes the pushed conditions; answers the word for a further one.
    fn conditions(&self, binding: &Binding, parts: &mut Vec<Part>) -> &'static str {
        let mut word = " WHERE ";
        for pushed in self.pushed.iter().filter(|pushed| pushed.holds_for(binding)) {
            text(word, parts);
            word = " AND ";
            text("(", parts);
            parts.extend(pushed.parts.iter().cloned());
            text(")", parts);
        }
        word
    }
}
