//! Statements that change rows of several places: what of the workbench goes back, and where to.
//!
//! Owns: which reference's rows are inserted, changed or removed, by which columns a row is found
//! again, and the refusals of tables for which the workbench would give something else than one
//! server. Never: compares rows (the workbench's server does) or writes any (the session does).
//!
//! MySQL itself runs the client's statement over temporary tables. An INSERT's rows are then those
//! of the temporary table in the target's place; an UPDATE's and DELETE's are those in which that
//! table differs from what was gathered.

use std::sync::Arc;

use super::{Form, Moved, Reference, Task, Workbench, quoted};
use crate::catalog::{self, Generated, TriggerEvent};
use crate::planner::draft::{Draft, Result};
use crate::planner::index;
use crate::planner::refuse::refuse;
use crate::planner::splice::{Part, Splice, What};
use crate::planner::survey::{Resolved, Survey, Use};
use crate::rules::index::IndexRule;
use crate::rules::sequence::SequenceRule;
use crate::rules::table::Placement;
use crate::sql::analysis::{Expr, Limit, Literal, OrderItem, Span};
use crate::value::types::ColumnType;

/// What goes back from the workbench.
#[derive(Debug)]
pub struct Changes {
    /// In the statement's order.
    pub targets: Vec<Changed>,
    /// The rules let a statement write to several groups.
    pub allowed: bool,
}

/// One table that is changed.
#[derive(Debug)]
pub struct Changed {
    /// Its place among the workbench's references.
    pub reference: usize,
    pub placement: Placement,
    /// What a row is written by: all columns that hold a value of their own.
    pub columns: Vec<Stored>,
    /// ` PARTITION (…)` as the statement has it: its servers refuse a row for another partition.
    pub partition: String,
    /// Its server evaluates expressions of its own for a row: triggers and generated columns, which
    /// see the session's time zone.
    pub computes: bool,
    pub change: Change,
    /// What its rows are in its table's indexes, as far as the change may alter that.
    pub entries: Vec<Entry>,
}

/// An index that follows what changes.
#[derive(Debug)]
pub struct Entry {
    /// The lookup table. Its rows come from the same reference.
    pub lookup: Changed,
    /// Its columns, as places in [`Changed::columns`] of the table.
    pub places: Vec<usize>,
}

/// A column on its way back.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub moved: Moved,
    pub kind: ColumnType,
}

#[derive(Debug)]
pub enum Change {
    Insert(Inserting),
    Update(Updating),
    /// By the columns of this key, as places in [`Changed::columns`].
    Delete(Vec<usize>),
    /// Rows of a lookup table, removed and inserted as those of its table change.
    Entry(Keeping),
}

/// Rows of a lookup table.
#[derive(Debug)]
pub struct Keeping {
    /// Its columns that are indexed come first, so many of them.
    pub indexed: usize,
    pub unique: bool,
    /// All of its columns, by which a row is found again.
    pub key: Vec<usize>,
}

#[derive(Debug)]
pub struct Inserting {
    /// The rows are a SELECT's.
    pub selects: bool,
    pub replace: bool,
    pub ignore: bool,
    /// ON DUPLICATE KEY UPDATE to the statement's end.
    pub(crate) tail: Option<Span>,
    pub auto: Option<Auto>,
}

/// The column of new rows that counts.
#[derive(Debug)]
pub struct Auto {
    /// Its place in [`Changed::columns`].
    pub column: usize,
    pub sequence: Option<Arc<SequenceRule>>,
    /// The servers count as well.
    pub counted: bool,
}

#[derive(Debug)]
pub struct Updating {
    /// The key by which a row is found again, as places in [`Changed::columns`].
    pub key: Vec<usize>,
    /// The columns that may differ.
    pub set: Vec<usize>,
    /// A shard key or a unique key may differ: the row goes and comes again, so that no key is held
    /// twice in between, whatever the order.
    pub moves: bool,
}

impl Changed {
    /// The table's logical name, where it is sharded.
    fn placement_name(&self) -> String {
        match &self.placement {
            Placement::Sharded(table) => table.name.to_string(),
            _ => String::new(),
        }
    }

    /// Whether it is what an index is kept in.
    pub fn is_lookup(&self) -> bool {
        matches!(self.change, Change::Entry(_))
    }

    pub fn has_tail(&self) -> bool {
        matches!(&self.change, Change::Insert(Inserting { tail: Some(_), .. }))
    }

    /// Rows are written in the session's time zone: something is evaluated beside them.
    pub fn is_zoned(&self) -> bool {
        self.computes || self.has_tail()
    }
}

/// What is asked of the workbench for a statement that changes rows.
pub(crate) enum Wanted<'w> {
    Insert {
        selects: bool,
        replace: bool,
        ignore: bool,
        verb: Span,
        tail: Option<Span>,
    },
    Modify {
        changed: &'w [(usize, Vec<String>)],
        deletes: bool,
        single: bool,
        ignore: bool,
        order_by: &'w [OrderItem],
        limit: Option<&'w Limit>,
    },
}

impl Wanted<'_> {
    /// What a use is for.
    pub(super) fn task(&self, survey: &Survey, index: usize) -> Task {
        match self {
            Wanted::Insert { .. } if index == 0 => {
                let auto = survey.uses.first().and_then(auto_column);
                Task::Fill { auto }
            }
            Wanted::Modify { changed, .. } if changed.iter().any(|(used, _)| *used == index) => {
                Task::Change
            }
            _ => Task::Read,
        }
    }

    /// Whether the reference is named by the statement's own word for it, because no alias can stand
    /// behind it.
    pub(super) fn keeps_name(&self, index: usize) -> bool {
        match self {
            Wanted::Insert { .. } => index == 0,
            Wanted::Modify { changed, deletes, single, .. } => {
                *deletes && *single && changed.iter().any(|(used, _)| *used == index)
            }
        }
    }
}

fn auto_column(used: &Use) -> Option<Box<str>> {
    let table = used.table.as_deref()?;
    let counted = table.auto_increment.and_then(|place| table.columns.get(place));
    let declared = used.placement.sequence().and_then(|rule| table.column(&rule.column));
    declared.or(counted).map(|column| column.name.clone())
}

/// Adds to a workbench what a change needs.
///
/// # Errors
/// A table whose rows can't be found again, or for which a trigger or a foreign key would make
/// another result than on one server.
pub(crate) fn add(
    draft: &Draft,
    survey: &mut Survey,
    bench: &mut Workbench,
    wanted: &Wanted,
    allowed: bool,
) -> Result<()> {
    let mut targets = vec![];
    match wanted {
        Wanted::Insert { selects, replace, ignore, verb, tail } => {
            let inserting = Inserting {
                selects: *selects,
                replace: *replace,
                ignore: *ignore,
                tail: *tail,
                auto: None,
            };
            targets.push(inserted(draft, survey, inserting)?);
            if *replace {
                let parts = vec![Part::Text("INSERT".into())];
                bench.splices.push(Splice {
                    at: *verb,
                    what: What::Parts(parts),
                    scattered: false,
                });
            }
        }
        Wanted::Modify { changed, deletes, ignore, order_by, limit, .. } => {
            if let (Some(limit), false) = (limit, *ignore) {
                cut(draft, survey, bench, order_by, limit);
            }
            for (used, set) in *changed {
                let target = modified(draft, survey, *used, set, *deletes)?;
                let moves = matches!(&target.change, Change::Update(update) if update.moves);
                if *ignore && !*deletes && !target.entries.is_empty() {
                    return Err(index::unseen(&target.placement_name()));
                }
                if *ignore && (moves || has_foreign_keys(survey, *used)) {
                    whole(survey, bench, *used)?;
                }
                targets.push(target);
            }
        }
    }
    bench.changes = Some(Changes { targets, allowed });
    Ok(())
}

/// A statement over one table that takes its first rows: each place gives its own first ones.
fn cut(
    draft: &Draft,
    survey: &mut Survey,
    bench: &mut Workbench,
    order_by: &[OrderItem],
    limit: &Limit,
) {
    let ([_], [reference], [block]) =
        (&*survey.uses, bench.references.as_mut_slice(), &*survey.blocks)
    else {
        return;
    };
    let all = reference.pushed.iter().all(|pushed| pushed.whole);
    if !all || block.global.len() != reference.pushed.len() || limit.offset.is_some() {
        return;
    }
    let mut parts = vec![];
    for (place, item) in order_by.iter().enumerate() {
        let Expr::Column(column) = &item.expr else { return };
        if survey.resolve(0, column) != Resolved::Use(0) {
            return;
        }
        let known = reference.known.as_ref().and_then(|table| table.column(&column.column.text));
        let Some(known) = known.filter(|known| is_plain(&known.kind)) else { return };
        let word = if place == 0 { " ORDER BY " } else { ", " };
        let way = if item.descending { " DESC" } else { "" };
        let text = format!("{word}{}.{}{way}", reference.shown, quoted(&known.name));
        parts.push(Part::Text(text.into()));
    }
    parts.push(Part::Text(" LIMIT ".into()));
    parts.push(match &limit.count {
        Expr::Slot(index) => {
            let Some(slot) = draft.input.lexed.slots().get(usize::from(*index)) else { return };
            Part::Copy(Span { start: slot.at, end: slot.at + slot.width })
        }
        Expr::Literal(Literal::Number(number)) => Part::Text(number.as_str().into()),
        _ => return,
    });
    reference.cut = parts;
}

/// Values whose order is known without a collation.
fn is_plain(kind: &ColumnType) -> bool {
    use ColumnType as T;
    matches!(
        kind,
        T::Int { .. }
            | T::Decimal { .. }
            | T::Year
            | T::Date
            | T::Time { .. }
            | T::DateTime { .. }
            | T::Timestamp { .. }
    )
}

fn has_foreign_keys(survey: &Survey, used: usize) -> bool {
    let table = survey.uses.get(used).and_then(|used| used.table.as_ref());
    table.is_some_and(|table| table.has_foreign_keys)
}

/// IGNORE skips a row that would be equal to another in a unique key: all rows must be there to be
/// compared with.
fn whole(survey: &Survey, bench: &mut Workbench, used: usize) -> Result<()> {
    if has_foreign_keys(survey, used) {
        return Err(refuse(
            "write_ignore",
            "IGNORE would skip rows that a foreign key forbids to change, which only their own shard \
             checks: leave IGNORE out, or narrow the statement to one shard by the shard key",
        ));
    }
    if let Some(reference) = bench.references.get_mut(used) {
        reference.pushed.clear();
        reference.cut.clear();
        reference.keys.clear();
    }
    Ok(())
}

fn known<'s>(survey: &'s Survey, used: usize) -> Result<(&'s Use, &'s Arc<catalog::Table>)> {
    let found = survey.uses.get(used);
    let table = found.and_then(|found| Some((found, found.table.as_ref()?)));
    let (found, table) = table.ok_or_else(|| {
        let name = found.map_or("?", |found| &*found.name);
        refuse(
            "write_unknown",
            format!(
                "The columns of table '{name}' are not known, so its rows can't be written back"
            ),
        )
    })?;
    if table.is_view {
        return Err(refuse(
            "write_view",
            format!("'{}' is a view: change the rows of its table", found.name),
        ));
    }
    Ok((found, table))
}

fn computes(table: &catalog::Table) -> bool {
    let generated = |column: &catalog::Column| column.generated != Generated::No;
    !table.triggers.is_empty() || table.columns.iter().any(generated)
}

fn stored(table: &catalog::Table) -> Vec<Stored> {
    let own = table.columns.iter().filter(|column| column.generated == Generated::No);
    own.map(|column| Stored {
        moved: Moved { name: column.name.clone(), form: super::columns::form(&column.kind) },
        kind: column.kind.clone(),
    })
    .collect()
}

/// The clause behind a table's name.
fn partition(draft: &Draft, used: &Use) -> String {
    let (name, template) = (used.span(), draft.input.lexed.template());
    let clause = template.get(name.end as usize..used.alias_at as usize).unwrap_or_default();
    match clause.trim_ascii() {
        [] => String::new(),
        clause => format!(" {}", String::from_utf8_lossy(clause)),
    }
}

fn inserted(draft: &Draft, survey: &Survey, inserting: Inserting) -> Result<Changed> {
    let (used, table) = known(survey, 0)?;
    let columns = stored(table);
    let auto = auto_column(used).and_then(|name| {
        let column = columns.iter().position(|column| column.moved.name == name)?;
        let counted = table.auto_increment.and_then(|place| table.columns.get(place));
        Some(Auto {
            column,
            sequence: used.placement.sequence().cloned(),
            counted: counted.is_some_and(|counted| counted.name == name),
        })
    });
    let entries = entries(used, table, 0, &columns)?;
    let skips = inserting.replace || inserting.ignore || inserting.tail.is_some();
    if skips && !entries.is_empty() {
        return Err(index::unseen(&used.name));
    }
    let change = Change::Insert(Inserting { auto, ..inserting });
    Ok(Changed {
        reference: 0,
        placement: used.placement.clone(),
        columns,
        partition: partition(draft, used),
        computes: computes(table),
        change,
        entries,
    })
}

/// The indexes of a table that rows come into or go from.
fn entries(
    used: &Use,
    table: &catalog::Table,
    reference: usize,
    columns: &[Stored],
) -> Result<Vec<Entry>> {
    let Placement::Sharded(sharded) = &used.placement else { return Ok(vec![]) };
    if sharded.indexes.is_empty() {
        return Ok(vec![]);
    }
    index::check_kept(sharded, table)?;
    let entry = |rule: &Arc<IndexRule>| {
        let names = index::entry_columns(sharded, rule, table)?;
        let places: Vec<usize> = names
            .iter()
            .filter_map(|name| columns.iter().position(|column| column.moved.name == *name))
            .collect();
        let own = places.iter().filter_map(|place| columns.get(*place)).cloned();
        let own: Vec<Stored> = own.collect();
        let keeping = Keeping {
            indexed: rule.columns.len(),
            unique: rule.unique,
            key: (0..own.len()).collect(),
        };
        let lookup = Changed {
            reference,
            placement: Placement::Sharded(Arc::clone(&rule.table)),
            columns: own,
            partition: String::new(),
            computes: false,
            change: Change::Entry(keeping),
            entries: vec![],
        };
        Ok(Entry { lookup, places })
    };
    sharded.indexes.iter().map(entry).collect()
}

fn modified(
    draft: &Draft,
    survey: &Survey,
    place: usize,
    set: &[String],
    deletes: bool,
) -> Result<Changed> {
    let (used, table) = known(survey, place)?;
    let reference = place;
    let columns = stored(table);
    let place =
        |name: &str| columns.iter().position(|column| column.moved.name.eq_ignore_ascii_case(name));
    let key = identity(table, &columns).ok_or_else(|| {
        refuse(
            "no_row_key",
            format!(
                "Rows of table '{}' have no primary key (nor a unique one that is never NULL), so those \
                 which the statement changes can't be found again: add one, or narrow the \
                 statement to one shard by the shard key",
                used.name,
            ),
        )
    })?;
    let change = if deletes {
        Change::Delete(key)
    } else {
        let on_update = table.columns.iter().filter(|column| column.on_update);
        let names = set.iter().map(String::as_str).chain(on_update.map(|column| &*column.name));
        let mut set: Vec<usize> = names.filter_map(place).collect();
        set.sort_unstable();
        set.dedup();
        let is_set = |name: &str| place(name).is_some_and(|place| set.contains(&place));
        let in_unique = table.unique_keys().any(|key| {
            key.parts.iter().any(|part| match part.column.and_then(|c| table.columns.get(c)) {
                // What is computed may depend on any column.
                Some(column) => is_set(&column.name) || column.generated != Generated::No,
                None => true,
            })
        });
        let in_shard_key = match &used.placement {
            Placement::Sharded(sharded) => sharded.keys.iter().any(|key| is_set(&key.name)),
            _ => false,
        };
        let moves = in_unique || in_shard_key;
        let fired = |event| table.triggers.iter().any(|trigger| trigger.event == event);
        let triggered = fired(TriggerEvent::Update)
            || fired(TriggerEvent::Insert)
            || (moves && fired(TriggerEvent::Delete));
        if triggered {
            return Err(refuse(
                "write_trigger",
                format!(
                    "Table '{}' has triggers, which would see other changes of its rows than on one \
                     server: narrow the statement to one shard by the shard key",
                    used.name,
                ),
            ));
        }
        Change::Update(Updating { key, set, moves })
    };
    let touched = match &used.placement {
        Placement::Sharded(sharded) => index::is_touched(sharded, table, (!deletes).then_some(set)),
        _ => false,
    };
    let entries = if touched { entries(used, table, reference, &columns)? } else { vec![] };
    Ok(Changed {
        reference,
        placement: used.placement.clone(),
        columns,
        partition: partition(draft, used),
        computes: computes(table),
        change,
        entries,
    })
}

/// The columns of a key that every row has, and has alone.
fn identity(table: &catalog::Table, columns: &[Stored]) -> Option<Vec<usize>> {
    let usable = |key: &catalog::Key| -> Option<Vec<usize>> {
        key.parts
            .iter()
            .map(|part| {
                let column = table.columns.get(part.column?)?;
                let plain = part.prefix.is_none() && !column.nullable;
                let found = columns.iter().position(|known| known.moved.name == column.name);
                found.filter(|_| plain && compares(&column.kind))
            })
            .collect()
    };
    let primary = table.primary_key().into_iter();
    primary.chain(table.unique_keys()).find_map(usable)
}

/// Whether `column = literal` finds just the rows that hold the value.
fn compares(kind: &ColumnType) -> bool {
    use ColumnType as T;
    !matches!(kind, T::Float { .. } | T::Double { .. } | T::Bit { .. } | T::Json | T::Other(_))
}

impl Reference {
    /// The column of a changed reference that numbers its rows.
    pub fn row_column(&self) -> String {
        format!("weir_row_{}", self.number)
    }

    /// The column of a changed reference that names each row's shard.
    pub fn shard_column(&self) -> String {
        format!("weir_shard_{}", self.number)
    }

    /// The temporary table with a changed reference's rows as they were.
    pub fn before(&self) -> String {
        format!("weir_old_{}", self.number)
    }
}

impl Changed {
    /// What becomes of its rows, in a few words.
    pub(crate) fn summary(&self) -> String {
        let names = |places: &[usize]| {
            let columns = places.iter().filter_map(|place| self.columns.get(*place));
            columns.map(|column| &*column.moved.name).collect::<Vec<_>>().join(", ")
        };
        match &self.change {
            Change::Insert(inserting) => {
                let verb = match (inserting.replace, inserting.ignore) {
                    (true, _) => "replace rows",
                    (false, true) => "insert rows, ignoring errors",
                    (false, false) => "insert rows",
                };
                let filled = inserting.auto.as_ref().filter(|auto| auto.sequence.is_some());
                match filled.map(|auto| names(&[auto.column])) {
                    Some(column) => format!("{verb}, with ids for {column}"),
                    None => verb.to_owned(),
                }
            }
            Change::Update(Updating { key, set, moves: false }) => {
                format!("set {} by {}", names(set), names(key))
            }
            Change::Update(update) => format!(
                "remove by {} and insert rows that differ in {}",
                names(&update.key),
                names(&update.set)
            ),
            Change::Delete(key) => format!("remove by {}", names(key)),
            Change::Entry(keeping) => {
                let name = match &self.placement {
                    Placement::Sharded(lookup) => lookup.name.to_string(),
                    _ => String::new(),
                };
                format!("keep {name} ({})", names(&keeping.key))
            }
        }
    }

    fn list(&self, table: &str) -> String {
        let each = self.columns.iter().map(|column| column.moved.expression(table));
        each.collect::<Vec<_>>().join(", ")
    }

    /// Asks the workbench for new rows, in their order.
    pub fn rows_text(&self, reference: &Reference) -> String {
        let name = quoted(&reference.temporary);
        format!("SELECT NULL, {} FROM {name}", self.list(&name))
    }

    /// Asks for the shards and the former values of rows that are gone.
    pub fn gone_text(&self, reference: &Reference) -> String {
        let (row, shard) = (quoted(&reference.row_column()), quoted(&reference.shard_column()));
        let (old, new) = (quoted(&reference.before()), quoted(&reference.temporary));
        format!(
            "SELECT o.{shard}, {} FROM {old} AS o LEFT JOIN {new} AS n ON n.{row} = o.{row} \
             WHERE n.{row} IS NULL ORDER BY o.{row}",
            self.list("o"),
        )
    }

    /// Asks for the shards of rows that differ from what they were in the columns `set`, with their
    /// former values or the present ones.
    pub fn differing_text(&self, reference: &Reference, set: &[usize], former: bool) -> String {
        let (row, shard) = (quoted(&reference.row_column()), quoted(&reference.shard_column()));
        let (old, new) = (quoted(&reference.before()), quoted(&reference.temporary));
        let same: Vec<String> = set
            .iter()
            .filter_map(|place| self.columns.get(*place))
            .map(|column| column.same("o", "n"))
            .collect();
        let same = if same.is_empty() { "TRUE".to_owned() } else { same.join(" AND ") };
        format!(
            "SELECT o.{shard}, {} FROM {old} AS o JOIN {new} AS n ON n.{row} = o.{row} \
             WHERE NOT ({same}) ORDER BY o.{row}",
            self.list(if former { "o" } else { "n" }),
        )
    }
}

impl Stored {
    /// Whether a column holds the same bytes in two rows.
    fn same(&self, left: &str, right: &str) -> String {
        let name = quoted(&self.moved.name);
        let (left, right) = (format!("{left}.{name}"), format!("{right}.{name}"));
        match (&self.kind, self.moved.form) {
            (ColumnType::Bit { .. }, _) | (_, Form::Ordinal) => {
                format!("{left} + 0 <=> {right} + 0")
            }
            // Minus zero is another value than zero.
            (_, Form::Double) => {
                format!("({left} <=> {right} AND CAST({left} AS CHAR) <=> CAST({right} AS CHAR))")
            }
            (ColumnType::Other(_), Form::Bytes) => format!("HEX({left}) <=> HEX({right})"),
            (ColumnType::Json, _) => format!(
                "CAST(CAST({left} AS CHAR) AS BINARY) <=> CAST(CAST({right} AS CHAR) AS BINARY)"
            ),
            (_, Form::Bytes) => format!("CAST({left} AS BINARY) <=> CAST({right} AS BINARY)"),
            (_, Form::Digits | Form::Text | Form::Json | Form::Moment) => {
                format!("{left} <=> {right}")
            }
        }
    }

    /// The character set that the value's bytes are in, as an introducer names it; `None` for bytes.
    pub fn charset(&self) -> Option<&str> {
        match self.moved.form {
            Form::Text | Form::Json => Some("utf8mb4"),
            _ => {
                let collation = self.kind.collation().filter(|collation| collation.is_known())?;
                let charset = collation.charset();
                let is_binary = matches!(charset, "binary" | "uca1400");
                (!is_binary).then_some(charset)
            }
        }
    }
}
