//! Subqueries of which each shard gives the keys by itself: `IN (SELECT key FROM t GROUP BY key HAVING …)`.
//!
//! Owns: telling them, and what of them the shards do, so that the residual reads keys alone. Never: does
//! so where a group may have rows in several shards, where HAVING may warn, or where a sum depends on the
//! order of its rows.

use super::{Form, Moved};
use crate::catalog::Generated;
use crate::planner::draft::{Draft, Result};
use crate::planner::splice::{Part, What};
use crate::planner::survey::{Conjunct, Leaf, Position, Resolved, Role, Survey};
use crate::planner::workbench::pushed::Pushed;
use crate::sql::analysis::{ColumnName, Expr, Function, Item, Span};
use crate::sql::parse;
use crate::sql::slot::{LiteralKind, SlotKind};
use crate::value::types::ColumnType;

/// What the shards do for a reference.
pub(super) struct Grouped {
    /// The key: all that is gathered.
    pub column: Moved,
    /// GROUP BY and HAVING as they are written: the residual is without them.
    pub at: Span,
}

/// What of a use's block the shards do, where it has no conditions.
pub(super) fn of(
    draft: &Draft,
    survey: &mut Survey,
    used: usize,
    conjuncts: &[Conjunct],
    pushed: &[Pushed],
) -> Result<Option<Grouped>> {
    let Some((block, name)) = key(survey, used) else { return Ok(None) };
    // The residual would check what its rows are by then without.
    if !conjuncts.is_empty() || !pushed.is_empty() {
        return Ok(None);
    }
    let having = survey.blocks.get(block).and_then(|block| block.select?.having.as_ref());
    if let Some(having) = having
        && !is_plain(draft, survey, (block, used), having)
    {
        return Ok(None);
    }
    let schema = |named: &crate::planner::survey::Qualified| named.schema.is_some();
    if survey.names.iter().any(schema) || !survey.cte_definitions.is_empty() {
        return Ok(None);
    }
    let Some(at) = clause(draft, &name)? else { return Ok(None) };
    let touches = |what: &What| !matches!(what, What::Table { .. } | What::Alias { .. });
    let inside = |span: Span| span.start >= at.start && span.end <= at.end;
    if draft.splices.iter().any(|splice| inside(splice.at) && touches(&splice.what)) {
        return Ok(None);
    }
    let column = Moved { name: name.column.text.as_str().into(), form: Form::Digits };
    Ok(Some(Grouped { column: known(survey, used, column), at }))
}

/// The column by the name that its table has it under.
fn known(survey: &Survey, used: usize, column: Moved) -> Moved {
    let table = survey.uses.get(used).and_then(|used| used.table.as_ref());
    match table.and_then(|table| table.column(&column.name)) {
        Some(found) => Moved { name: found.name.clone(), ..column },
        None => column,
    }
}

/// The block of a subquery behind IN that gives the shard key of its only table, group by group.
fn key(survey: &mut Survey, used: usize) -> Option<(usize, ColumnName)> {
    let block = survey.uses.get(used)?.block;
    let opened = survey.blocks.get(block)?;
    let alone = matches!(opened.leaves.as_slice(), [Leaf::Table(only)] if *only == used);
    let select = opened.select?;
    let bare = opened.role == Role::Subquery(Position::In)
        && !opened.limited
        && opened.order_by.is_empty()
        && !(select.distinct || select.rollup || select.windows)
        && select.window_keys.is_empty();
    let ([Item::Expr { expr: Expr::Column(item), .. }], [Expr::Column(group)]) =
        (select.items.as_slice(), select.group_by.as_slice())
    else {
        return None;
    };
    let sharded = survey.sharded(used)?;
    let [key] = sharded.keys.as_slice() else { return None };
    let is_key = |column: &ColumnName| column.column.is(&key.name);
    if !alone || !bare || !is_key(item) || !is_key(group) || survey.may_lack_key(used) {
        return None;
    }
    let own = Resolved::Use(used);
    if survey.resolve(block, item) != own || survey.resolve(block, group) != own {
        return None;
    }
    let table = survey.uses.get(used)?.table.clone()?;
    // What can't be left out of a temporary table is gathered, too.
    let plain = |column: &crate::catalog::Column| {
        let fixed = matches!(column.kind, ColumnType::Json | ColumnType::Other(_));
        column.generated == Generated::No && (column.nullable || !fixed)
    };
    let whole = matches!(table.column(&key.name)?.kind, ColumnType::Int { .. });
    (whole && !table.is_view && table.columns.iter().all(plain)).then(|| (block, group.clone()))
}

/// Aggregates of exact numbers compared with numbers.
fn is_plain(
    draft: &Draft,
    survey: &mut Survey,
    (block, used): (usize, usize),
    having: &Expr,
) -> bool {
    match having {
        Expr::And(all) => all.iter().all(|expr| is_plain(draft, survey, (block, used), expr)),
        Expr::Compare { left, right, .. } => match (&**left, &**right) {
            (Expr::Function(function), Expr::Slot(slot))
            | (Expr::Slot(slot), Expr::Function(function)) => {
                is_number(draft, *slot) && is_exact(survey, (block, used), function)
            }
            _ => false,
        },
        _ => false,
    }
}

fn is_number(draft: &Draft, slot: u16) -> bool {
    let slot = draft.input.lexed.slots().get(usize::from(slot));
    slot.is_some_and(|slot| {
        slot.kind == SlotKind::Literal
            && matches!(slot.kinds.single(), Some(LiteralKind::Integer | LiteralKind::Decimal))
    })
}

fn is_exact(survey: &mut Survey, (block, used): (usize, usize), function: &Function) -> bool {
    let known = ["sum", "count", "min", "max", "avg"].contains(&function.name.as_str());
    if !known || function.qualified || function.window || function.clauses || function.distinct {
        return false;
    }
    match function.arguments.as_slice() {
        [] => function.star && function.name == "count",
        [Expr::Column(column)] => {
            let own = survey.resolve(block, column) == Resolved::Use(used);
            let table = survey.uses.get(used).and_then(|used| used.table.as_ref());
            let kind = table.and_then(|table| table.column(&column.column.text));
            own && kind.is_some_and(|column| {
                matches!(column.kind, ColumnType::Int { .. } | ColumnType::Decimal { .. })
            })
        }
        _ => false,
    }
}

/// From the GROUP BY of this key to the end of its subquery.
fn clause(draft: &Draft, group: &ColumnName) -> Result<Option<Span>> {
    let input = draft.input;
    let mut tokens = parse::units::template_tokens(input.sql, input.lexed, input.dialect)?;
    tokens.retain(|token| !token.kind.is_trivia());
    let offset = |at: u32| input.lexed.template_offset(at as usize) as u32;
    let first = group.table.as_ref().map_or(group.column.span, |table| table.span);
    let Some(place) = tokens.iter().position(|token| offset(token.start) == first.start) else {
        return Ok(None);
    };
    let before = |back: usize| place.checked_sub(back).and_then(|at| tokens.get(at));
    let (Some(word), Some(by)) = (before(2), before(1)) else { return Ok(None) };
    if !word.is_word(input.sql, "GROUP") || !by.is_word(input.sql, "BY") {
        return Ok(None);
    }
    let closes = tokens
        .iter()
        .skip(place)
        .find(|token| token.depth < word.depth && token.is_symbol(input.sql, ")"));
    Ok(closes.map(|close| Span { start: offset(word.start), end: offset(close.start) }))
}

/// What the shards are asked for behind the conditions.
pub(super) fn tail(at: Span) -> Vec<Part> {
    vec![Part::Text(" ".into()), Part::Copy(at)]
}
