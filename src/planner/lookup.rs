//! Reading a global secondary index: which conditions lead to an index, and the question for it.
//!
//! Owns: the conditions that name all columns of an index, the text that asks for the shard keys of
//! their rows, and what that leaves of a table's shards. Never: asks.
//!
//! The statement's own condition stays where it is, so that an entry too many costs time alone.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::error::Result;
use crate::planner::bind::{Binding, Values};
use crate::planner::condition;
use crate::planner::index;
use crate::planner::splice::{Form, Part, quote};
use crate::planner::survey::{Conjunct, Resolved, Survey, as_column};
use crate::planner::workbench::change::Stored;
use crate::planner::workbench::{Moved, columns};
use crate::planner::{Action, Plan};
use crate::rules::index::IndexRule;
use crate::rules::shard_set::ShardSet;
use crate::rules::table::ShardedTable;
use crate::sql::analysis::{Comparison, Expr, Span};
use crate::sql::slot::{LiteralKind, SlotKind};

/// At most so many values of a list are looked up.
const LIST_MAX: usize = 64;

/// A way to a table's shards by one of its indexes.
#[derive(Debug)]
pub struct Lookup {
    pub rule: Arc<IndexRule>,
    /// The table whose rows are looked for.
    pub table: Arc<ShardedTable>,
    /// Its shard keys, as they come.
    pub keys: Vec<Stored>,
    pub(crate) parts: Vec<Part>,
    /// The list slots in it.
    lists: SmallVec<[u16; 1]>,
}

/// What indexes leave of the shards of a plan's sharded tables, by their places.
pub type Within = SmallVec<[(usize, ShardSet); 1]>;

/// The ways by which the conditions that hold for a use lead to its shards, best first.
pub(crate) fn of<'a>(
    survey: &mut Survey<'a>,
    used: usize,
    holding: &[(usize, Conjunct<'a>)],
) -> Vec<Lookup> {
    let Some(table) = survey.sharded(used) else { return vec![] };
    let ready: Vec<_> = table.indexes.iter().filter(|rule| rule.ready).cloned().collect();
    if ready.is_empty() {
        return vec![];
    }
    let mut found = vec![];
    for rule in ready {
        if let Some(lookup) = by(survey, used, &table, &rule, holding) {
            found.push(lookup);
        }
    }
    if found.is_empty() {
        return found;
    }
    survey.need(used);
    let known = survey.uses.get(used).and_then(|used| used.table.clone());
    let Some(known) = known.filter(|known| index::check_kept(&table, known).is_ok()) else {
        return vec![];
    };
    for lookup in &mut found {
        lookup.complete(&known);
    }
    found.sort_by_key(|lookup| !lookup.rule.unique);
    found
}

fn by<'a>(
    survey: &mut Survey<'a>,
    used: usize,
    table: &Arc<ShardedTable>,
    rule: &Arc<IndexRule>,
    holding: &[(usize, Conjunct<'a>)],
) -> Option<Lookup> {
    let (mut parts, mut lists) = (vec![], SmallVec::new());
    for (place, column) in rule.columns.iter().enumerate() {
        let mut condition = None;
        for (block, conjunct) in holding {
            let Conjunct::Expr(expr) = conjunct else { continue };
            let found = condition_on(survey, (used, &column.name), *block, expr);
            condition = condition.or(found);
        }
        let (values, list) = condition?;
        let word = if place == 0 { " WHERE " } else { " AND " };
        let operator = if list.is_some() { " IN (" } else { " = " };
        parts.push(Part::Text(format!("{word}{}{operator}", quoted(&column.name)).into()));
        parts.extend(values);
        if list.is_some() {
            parts.push(Part::Text(")".into()));
        }
        lists.extend(list.flatten());
    }
    let (rule, table) = (Arc::clone(rule), Arc::clone(table));
    Some(Lookup { rule, table, keys: vec![], parts, lists })
}

/// A condition's values as text; for a list also its slot, if it is one.
type Given = (Vec<Part>, Option<Option<u16>>);

/// The values that a conjunct leaves of a column, and whether they are a list (and its slot).
fn condition_on(
    survey: &mut Survey,
    (used, name): (usize, &str),
    block: usize,
    expr: &Expr,
) -> Option<Given> {
    let mut is_column = |expr: &Expr| {
        as_column(expr).is_some_and(|column| {
            column.column.is(name) && survey.resolve(block, column) == Resolved::Use(used)
        })
    };
    match expr {
        Expr::Compare { op: Comparison::Equal, left, right } => {
            let value = match (is_column(left), is_column(right)) {
                (true, false) => right,
                (false, true) => left,
                _ => return None,
            };
            Some((constant(survey, value)?, None))
        }
        Expr::InList { expr, list, negated: false } if is_column(expr) => {
            if let [Expr::Slot(index)] = list.as_slice() {
                let slot = survey.input.lexed.slots().get(usize::from(*index))?;
                let at = Span { start: slot.at, end: slot.at + slot.width };
                return match slot.kind {
                    SlotKind::List => Some((vec![Part::Copy(at)], Some(Some(*index)))),
                    SlotKind::Literal => Some((vec![Part::Copy(at)], Some(None))),
                    _ => None,
                };
            }
            if list.len() > LIST_MAX {
                return None;
            }
            let mut parts = vec![];
            for (place, value) in list.iter().enumerate() {
                if place > 0 {
                    parts.push(Part::Text(", ".into()));
                }
                parts.extend(constant(survey, value)?);
            }
            Some((parts, Some(None)))
        }
        _ => None,
    }
}

fn constant(survey: &Survey, expr: &Expr) -> Option<Vec<Part>> {
    match expr {
        Expr::Slot(index) => {
            let slot = survey.input.lexed.slots().get(usize::from(*index))?;
            let plain =
                slot.kind == SlotKind::Literal && !slot.kinds.contains(LiteralKind::Default);
            plain.then(|| vec![Part::Copy(Span { start: slot.at, end: slot.at + slot.width })])
        }
        Expr::Negate(inner) => {
            let mut parts = vec![Part::Text("- ".into())];
            parts.extend(constant(survey, inner)?);
            Some(parts)
        }
        _ => None,
    }
}

fn quoted(name: &str) -> String {
    let mut out = Vec::new();
    quote(name, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

impl Lookup {
    /// Puts the question's head before its conditions, now that the columns' types are known.
    fn complete(&mut self, known: &crate::catalog::Table) {
        for key in &self.table.keys {
            if let Some(column) = known.column(&key.name) {
                let moved = Moved { name: column.name.clone(), form: columns::form(&column.kind) };
                self.keys.push(Stored { moved, kind: column.kind.clone() });
            }
        }
        let lookup = &self.rule.table;
        let of = quoted(lookup.name.as_str());
        let list: Vec<String> = self.keys.iter().map(|key| key.moved.expression(&of)).collect();
        let head = format!(
            "SELECT DISTINCT {} FROM {}.{of}",
            list.join(", "),
            quoted(lookup.schema.as_str()),
        );
        self.parts.insert(0, Part::Text(head.into()));
    }

    /// Whether this statement's lists are short enough.
    fn is_small(&self, binding: &Binding) -> bool {
        self.lists.iter().all(|index| {
            let slot = binding.lexed.slots().get(usize::from(*index));
            slot.is_some_and(|slot| slot.items as usize <= LIST_MAX)
        })
    }
}

impl Plan {
    /// The lookups that may tell shards apart which the statement's conditions leave, with the places
    /// of their tables.
    pub fn lookups(&self, binding: &Binding) -> SmallVec<[(usize, &Lookup); 1]> {
        let mut found = SmallVec::new();
        let Action::Tables(tables) = &self.action else { return found };
        // The workbench looks up what it gathers.
        if tables.only_bench {
            return found;
        }
        let values = Values::new(binding);
        for (place, narrowed) in tables.sharded.iter().enumerate() {
            let lookup = narrowed.lookups.iter().find(|lookup| lookup.is_small(binding));
            let Some(lookup) = lookup else { continue };
            if condition::shards(narrowed, &values).len() > 1 {
                found.push((place, lookup));
            }
        }
        found
    }

    /// Writes the question for the shard keys of a lookup's rows, in logical names.
    ///
    /// # Errors
    /// As [`Plan::render`].
    pub fn lookup_text(
        &self,
        lookup: &Lookup,
        lock: &str,
        binding: &Binding,
        form: Form,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        self.parts_text(&lookup.parts, binding, form, out)?;
        out.extend_from_slice(lock.as_bytes());
        Ok(())
    }
}
