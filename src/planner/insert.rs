//! INSERT and REPLACE.
//!
//! Owns: which column of a row is the shard key, what splits over shards, and the refusals of rows
//! whose place isn't known. Never: sees a row: the template has one of each shape, and the rows
//! themselves are split while binding.

pub mod entries;
mod selected;

use std::sync::Arc;

use crate::catalog;
use crate::planner::bind::RowRouting;
use crate::planner::condition::Operand;
use crate::planner::counted::{Counted, counts};
use crate::planner::draft::{Draft, Naming, Result};
use crate::planner::fill::{self, Fill};
use crate::planner::index;
use crate::planner::modify::{deterministic, key_update};
use crate::planner::narrow::operand;
use crate::planner::plan::{Access, Ids, WriteKind};
use crate::planner::query::{Outcome, lie_together, narrow_all};
use crate::planner::refuse::refuse;
use crate::planner::returning;
use crate::planner::splice::{Part, What};
use crate::planner::survey::{Role, Survey, Use};
use crate::planner::{Action, Many, Narrowed, Tables};
use crate::rules::sequence::SequenceRule;
use crate::rules::table::{BroadcastTable, Placement, ShardedTable};
use crate::sql::analysis::{Expr, Insert, InsertSource, Item, Literal, Query, Span};
use crate::sql::slot::SlotKind;
use crate::value::Value;

/// The use of the table that rows go into.
pub(crate) const TARGET: usize = 0;

pub(crate) fn plan<'a>(draft: Draft<'a>, insert: &'a Insert) -> Result<Outcome> {
    let spare = (!draft.explains && insert.returning.is_empty()).then(|| draft.clone());
    let is_select = matches!(insert.source, InsertSource::Query(_));
    let planned = as_it_is(draft, insert);
    let Some(spare) = spare else { return planned };
    match planned {
        Err(error) if is_select && is_shape_of_select(error.code) || is_computed(error.code) => {
            selected::plan(spare, insert, error)
        }
        Ok(Outcome::Plan(mut plan)) => {
            let needs = match &mut plan.action {
                Action::Tables(tables) if is_select || tables.rows.is_some() => {
                    selected::offer(spare, insert, tables)?
                }
                _ => vec![],
            };
            if needs.is_empty() { Ok(Outcome::Plan(plan)) } else { Ok(Outcome::Need(needs)) }
        }
        planned => planned,
    }
}

/// Refusals of a SELECT whose rows don't go where they come from.
fn is_shape_of_select(code: &str) -> bool {
    matches!(
        code,
        "auto_increment"
            | "broadcast_nondeterministic"
            | "cross_group"
            | "insert_select"
            | "lateral"
            | "limit_write"
            | "scatter_aggregate"
            | "scatter_distinct"
            | "scatter_join"
            | "scatter_limit"
            | "scatter_subquery"
            | "scatter_union"
            | "scatter_window"
    )
}

/// Refusals of values that a server would compute.
fn is_computed(code: &str) -> bool {
    matches!(code, "broadcast_nondeterministic" | "index_kept" | "insert_key" | "insert_rows")
}

/// Sent to the places of its rows.
fn as_it_is<'a>(mut draft: Draft<'a>, insert: &'a Insert) -> Result<Outcome> {
    draft.facts.access = Access::Write;
    let mut survey = Survey::new(draft.input);
    let block = surveyed(&mut survey, insert)?;
    returning::look(&mut draft, &mut survey, block, &insert.returning)?;
    let placement = survey.uses.get(TARGET).map(|used| used.placement.clone());
    if let Some(placement) = &placement {
        index::check_own(draft.input.rules, placement)?;
    }
    let outcome = match placement {
        Some(Placement::Sharded(table)) => sharded(draft, &mut survey, insert, &table)?,
        Some(Placement::Broadcast(table)) => everywhere(draft, &mut survey, insert, &table)?,
        _ => single(draft, &mut survey, insert)?,
    };
    match outcome {
        Some(plan) if survey.needs.is_empty() => Ok(Outcome::Plan(plan)),
        _ => Ok(Outcome::Need(survey.needs)),
    }
}

pub(crate) fn surveyed<'a>(survey: &mut Survey<'a>, insert: &'a Insert) -> Result<usize> {
    let block = survey.open(None, Role::Top);
    survey.used(block, &insert.table, None, insert.columns_at)?;
    if let Some(block) = survey.blocks.get_mut(block) {
        block.leaves.push(crate::planner::survey::Leaf::Table(TARGET));
    }
    expressions(survey, block, insert)?;
    Ok(block)
}

fn expressions<'a>(survey: &mut Survey<'a>, block: usize, insert: &'a Insert) -> Result<()> {
    match &insert.source {
        InsertSource::Values(rows) => {
            rows.iter().try_for_each(|row| survey.expressions(block, row))?
        }
        InsertSource::Assignments(all) => {
            for assignment in all {
                survey.column(block, &assignment.target);
                survey.expression(block, &assignment.value)?;
            }
        }
        InsertSource::Query(query) => {
            survey.query(query, None, Role::Derived)?;
        }
    }
    for assignment in &insert.on_duplicate {
        survey.column(block, &assignment.target);
        survey.expression(block, &assignment.value)?;
    }
    Ok(())
}

/// Takes over the names: the target's own is replaced, those of a SELECT get aliases.
fn named(draft: &mut Draft, survey: &Survey) -> Result<Tables> {
    draft.name_tables(survey, |used| if used == TARGET { Naming::Rename } else { Naming::Alias });
    returning::label(draft)?;
    draft.groups(survey)
}

type Made = Result<Option<crate::planner::Plan>>;

/// Into a single table, from tables of its own group.
fn single<'a>(mut draft: Draft<'a>, survey: &mut Survey<'a>, insert: &'a Insert) -> Made {
    if !draft.traits.sets_last_insert_id {
        draft.facts.ids = ids(insert);
    }
    // No packet behind rows tells the id that the server made.
    draft.facts.lends_id |= draft.facts.returns && draft.facts.ids != Ids::Given;
    let mut tables = named(&mut draft, survey)?;
    let sources: Vec<usize> = crate::planner::query::sharded_uses(survey);
    if !sources.is_empty() {
        let mut narrowed = narrow_all(survey, &sources);
        draft.hinted(&mut narrowed)?;
        tables.sharded = narrowed;
        tables.many = Some(Many::Refuse(refuse(
            "insert_select",
            format!(
                "INSERT … SELECT from shards of several groups into table '{}' is not supported: narrow the \
             SELECT to one shard in the same group, or read first and insert then",
                insert.table.table.text,
            ),
        )));
    } else if survey.uses.iter().any(Use::is_information)
        && survey.uses.iter().any(|used| used.placement.is_temporary())
    {
        tables.many = Some(Many::Refuse(refuse(
            "insert_select",
            "information_schema is put together where the session's temporary table isn't",
        )));
    }
    Ok(Some(draft.finish(Action::Tables(tables))))
}

/// Whose an insert id of a single table is.
fn ids(insert: &Insert) -> Ids {
    let plain = |value: &Expr| match value {
        Expr::Slot(_) | Expr::Literal(_) => true,
        Expr::Function(function) => NO_IDS.contains(&&*function.name),
        _ => false,
    };
    let plain = match &insert.source {
        InsertSource::Values(rows) => rows.iter().flatten().all(plain),
        InsertSource::Assignments(all) => all.iter().all(|assignment| plain(&assignment.value)),
        InsertSource::Query(_) => false,
    };
    // A row that is there already shows its own id when it is changed.
    match plain && insert.on_duplicate.is_empty() {
        true => Ids::AsWritten,
        false => Ids::Unknown,
    }
}

/// Functions that INSERTs often hold and whose values are no ids.
const NO_IDS: [&str; 8] = [
    "now",
    "current_timestamp",
    "localtimestamp",
    "utc_timestamp",
    "curdate",
    "current_date",
    "sysdate",
    "uuid",
];

/// Into every copy of a broadcast table.
fn everywhere<'a>(
    mut draft: Draft<'a>,
    survey: &mut Survey<'a>,
    insert: &'a Insert,
    table: &BroadcastTable,
) -> Made {
    if !draft.traits.sets_last_insert_id {
        draft.facts.ids = Ids::Given;
    }
    deterministic(&draft, survey)?;
    survey.need(TARGET);
    if !survey.needs.is_empty() {
        return Ok(None);
    }
    broadcast(survey, insert)?;
    if table.sequence.is_some() && matches!(insert.source, InsertSource::Query(_)) {
        return Err(unfilled(table.name.as_str()));
    }
    let counts = counts(target(survey)).is_some() && !draft.explains;
    let (mut fill, mut counted) = (None, None);
    if counts || table.sequence.is_some() {
        let columns = columns(&mut draft, survey, insert, table.name.as_str())?;
        if let Some(rule) = &table.sequence {
            fill = filled(&draft, survey, insert, rule, &columns)?;
        }
        if counts && fill.is_none() {
            counted = Counted::plan(survey, insert, &columns, TARGET)?;
        }
    }
    if counted.is_some() && opaque(&draft) {
        return Err(too_many_shapes());
    }
    if !survey.needs.is_empty() {
        return Ok(None);
    }
    let mut tables = named(&mut draft, survey)?;
    tables.many = Some(Many::Broadcast);
    tables.counted = counted;
    let certain = fill.as_ref().is_some_and(Fill::is_certain);
    let mut plan = draft.finish(if certain { Action::Fill } else { Action::Tables(tables) });
    plan.fill = fill;
    Ok(Some(plan))
}

/// What the catalog has of the table that rows go into.
fn target<'s>(survey: &'s Survey) -> Option<&'s catalog::Table> {
    survey.uses.get(TARGET).and_then(|used| used.table.as_deref())
}

fn broadcast(survey: &Survey, insert: &Insert) -> Result<()> {
    let others = survey.uses.iter().any(|used| !matches!(used.placement, Placement::Broadcast(_)));
    if others {
        return Err(refuse(
            "broadcast_nondeterministic",
            "A broadcast table is filled from a table that not \
             every group has: its copies would differ. Read the rows first and insert them then",
        ));
    }
    if let InsertSource::Query(query) = &insert.source {
        if query.limit.is_some() {
            return Err(refuse(
                "limit_write",
                "INSERT … SELECT … LIMIT may take other rows in each copy of a \
                 broadcast table",
            ));
        }
    }
    let Some(table) = survey.uses.get(TARGET).and_then(|used| used.table.as_ref()) else {
        return Ok(());
    };
    let differs = |column: &&catalog::Column| {
        matches!(column.default, catalog::DefaultValue::Expression(_))
            && !given(insert, table, &column.name)
    };
    if let Some(column) = table.columns.iter().find(differs) {
        return Err(refuse(
            "broadcast_nondeterministic",
            format!(
                "The default of column '{}' is an expression that each copy of the broadcast table would \
             evaluate for itself: write its value",
                column.name,
            ),
        ));
    }
    Ok(())
}

/// Whether the statement gives a column a value (which may be DEFAULT or NULL).
fn given(insert: &Insert, table: &catalog::Table, column: &str) -> bool {
    match &insert.source {
        InsertSource::Assignments(all) => all.iter().any(|a| a.target.column.is(column)),
        _ if insert.columns.is_empty() => {
            table.visible_columns().any(|known| *known.name == *column)
        }
        _ => insert.columns.iter().any(|known| known.is(column)),
    }
}

fn sharded<'a>(
    mut draft: Draft<'a>,
    survey: &mut Survey<'a>,
    insert: &'a Insert,
    table: &Arc<ShardedTable>,
) -> Made {
    for assignment in &insert.on_duplicate {
        let column = &assignment.target.column.text;
        if table.key_index(column).is_some() && !keeps_key(column, &assignment.value) {
            return Err(key_update(column));
        }
    }
    if !draft.traits.sets_last_insert_id {
        draft.facts.ids = Ids::Given;
    }
    draft.facts.skips = insert.ignore;
    survey.need(TARGET);
    if !survey.needs.is_empty() {
        return Ok(None);
    }
    let columns = columns(&mut draft, survey, insert, table.name.as_str())?;
    let entries = indexed(&draft, survey, insert, table, &columns)?;
    let mut tables = Tables { entries, ..named(&mut draft, survey)? };
    let fill = match &table.sequence {
        Some(rule) => filled(&draft, survey, insert, rule, &columns)?,
        None => None,
    };
    // EXPLAIN makes no row, so nothing is counted.
    if fill.is_none() && !draft.explains {
        tables.counted = Counted::plan(survey, insert, &columns, TARGET)?;
        if !survey.needs.is_empty() {
            return Ok(None);
        }
    }
    if let InsertSource::Query(query) = &insert.source {
        if table.sequence.is_some() && tables.counted.is_none() && !draft.explains {
            return Err(unfilled(table.name.as_str()));
        }
        from_query(&draft, survey, query, table, &columns, &mut tables)?;
        return Ok(Some(draft.finish(Action::Tables(tables))));
    }
    if survey.uses.len() > 1 {
        return Err(refuse(
            "insert_key",
            "A subquery in VALUES over sharded tables is not supported: read \
             the value first",
        ));
    }
    if opaque(&draft) {
        return Err(too_many_shapes());
    }
    if fill.as_ref().is_some_and(Fill::is_certain) {
        let mut plan = draft.finish(Action::Fill);
        plan.fill = fill;
        return Ok(Some(plan));
    }
    let target = survey.uses.get(TARGET).and_then(|used| used.table.clone());
    let shapes = shapes(insert, table, target.as_deref(), &columns)?;
    let mut narrowed = narrow_all(survey, &[TARGET]);
    narrowed.iter_mut().for_each(|narrowed| narrowed.drives = true);
    draft.hinted(&mut narrowed)?;
    let allowed = draft.scatter_allowed(&narrowed, |table| table.scatter_writes);
    tables.sharded = narrowed;
    tables.rows = Some(RowRouting { shapes, ignore: insert.ignore });
    tables.many = Some(Many::Write { write: WriteKind::Split, allowed });
    if let Some(rows) = rows_span(&draft) {
        draft.splice(rows, What::Rows, false);
    }
    let mut plan = draft.finish(Action::Tables(tables));
    plan.fill = fill;
    Ok(Some(plan))
}

/// The entries of the rows.
fn indexed(
    draft: &Draft,
    survey: &Survey,
    insert: &Insert,
    table: &ShardedTable,
    columns: &[String],
) -> Result<Vec<entries::Entries>> {
    if table.indexes.is_empty() || draft.explains {
        return Ok(vec![]);
    }
    let Some(known) = target(survey) else {
        return Err(refuse(
            "index_table",
            format!("The columns of table '{}' are not known, nor are its entries", table.name),
        ));
    };
    index::check_kept(table, known)?;
    if insert.replace || insert.ignore || !insert.on_duplicate.is_empty() {
        return Err(index::unseen(table.name.as_str()));
    }
    let entries = match survey.uses.len() {
        1 => entries::plan(insert, table, known, columns)?,
        _ => None,
    };
    entries.ok_or_else(|| index::kept(table.name.as_str()))
}

/// What routes each row that is given as values.
fn shapes(
    insert: &Insert,
    table: &ShardedTable,
    known: Option<&catalog::Table>,
    columns: &[String],
) -> Result<Vec<Vec<Operand>>> {
    match &insert.source {
        InsertSource::Values(rows) => {
            rows.iter().map(|row| key_operands(table, known, columns, row)).collect()
        }
        InsertSource::Assignments(all) => {
            let row: Vec<&Expr> = all.iter().map(|assignment| &assignment.value).collect();
            Ok(vec![operands_of(table, known, columns, &row)?])
        }
        InsertSource::Query(_) => Ok(vec![]),
    }
}

/// Rows of a SELECT that is sent as it is get no ids.
fn unfilled(table: &str) -> crate::error::Error {
    refuse(
        "insert_select",
        format!(
            "Rows of a SELECT that is sent to the shards of '{table}' get no ids of its sequence"
        ),
    )
}

/// How a declared sequence fills rows of values. Not where an AUTO_INCREMENT column is another one,
/// which the shards would count; nor for EXPLAIN, which needs no id.
fn filled(
    draft: &Draft,
    survey: &Survey,
    insert: &Insert,
    rule: &SequenceRule,
    columns: &[String],
) -> Result<Option<Fill>> {
    let known = target(survey);
    let other = counts(known).is_some_and(|column| !column.name.eq_ignore_ascii_case(&rule.column));
    if other || draft.explains || matches!(insert.source, InsertSource::Query(_)) || opaque(draft) {
        return Ok(None);
    }
    let template = draft.input.lexed.template();
    let sets_id = draft.traits.sets_last_insert_id;
    fill::plan(rule, insert, columns, known, template, sets_id).map(Some)
}

/// `user_id = VALUES(user_id)` and `user_id = user_id` keep the row where it is.
fn keeps_key(column: &str, value: &Expr) -> bool {
    match value {
        Expr::Column(other) => other.column.is(column),
        Expr::Function(function) if function.name == "values" => {
            matches!(function.arguments.as_slice(), [Expr::Column(other)] if other.column.is(column))
        }
        _ => false,
    }
}

/// The names of the statement's columns; where it has no list, the catalog's is put in, so that a
/// catalog that is out of date is an error and never a wrong shard.
fn columns(
    draft: &mut Draft,
    survey: &Survey,
    insert: &Insert,
    table: &str,
) -> Result<Vec<String>> {
    if let InsertSource::Assignments(all) = &insert.source {
        return Ok(all.iter().map(|a| a.target.column.text.to_lowercase()).collect());
    }
    if !insert.columns.is_empty() {
        return Ok(insert.columns.iter().map(|column| column.text.to_lowercase()).collect());
    }
    let Some(known) = survey.uses.get(TARGET).and_then(|used| used.table.as_ref()) else {
        return Err(refuse(
            "insert_key",
            format!(
                "The columns of table '{}' are not known, so a row's shard isn't either: write the column list",
                table,
            ),
        ));
    };
    let names: Vec<String> =
        known.visible_columns().map(|column| column.name.to_string()).collect();
    let empty_rows =
        matches!(&insert.source, InsertSource::Values(rows) if rows.iter().all(Vec::is_empty));
    if !insert.has_columns && !empty_rows {
        let quoted: Vec<String> =
            names.iter().map(|name| format!("`{}`", name.replace('`', "``"))).collect();
        let text = format!(" ({})", quoted.join(", "));
        let at = Span { start: insert.columns_at, end: insert.columns_at };
        draft.splice(at, What::Parts(vec![Part::Text(text.into())]), false);
    }
    if empty_rows {
        return Ok(vec![]);
    }
    Ok(names.into_iter().map(|name| name.to_lowercase()).collect())
}

fn too_many_shapes() -> crate::error::Error {
    refuse(
        "insert_rows",
        "The rows of the INSERT are of too many different shapes to be told apart: use the same \
         kinds of values in each row, or several statements",
    )
}

fn opaque(draft: &Draft) -> bool {
    draft
        .input
        .lexed
        .slots()
        .iter()
        .any(|slot| matches!(slot.kind, SlotKind::Rows { opaque: true }))
}

/// From the first row to the end of the last one, in the template.
fn rows_span(draft: &Draft) -> Option<Span> {
    let lexed = draft.input.lexed;
    let first = lexed.rows().first()?;
    let start = lexed.template_offset(first.start as usize) as u32;
    // The marker of folded rows ends them, also where this statement has none to fold: the next
    // one of the same template may.
    let run = lexed.slots().iter().rfind(|slot| matches!(slot.kind, SlotKind::Rows { .. }))?;
    Some(Span { start, end: run.at + run.width })
}

fn key_operands(
    table: &ShardedTable,
    known: Option<&catalog::Table>,
    columns: &[String],
    row: &[Expr],
) -> Result<Vec<Operand>> {
    let row: Vec<&Expr> = row.iter().collect();
    operands_of(table, known, columns, &row)
}

fn operands_of(
    table: &ShardedTable,
    known: Option<&catalog::Table>,
    columns: &[String],
    row: &[&Expr],
) -> Result<Vec<Operand>> {
    if !row.is_empty() && row.len() != columns.len() {
        return Err(crate::error::Error::new(
            crate::error::Fault::Client,
            1136,
            b"21S01",
            "column_count",
            "Column count doesn't match value count at row 1",
        ));
    }
    table
        .keys
        .iter()
        .map(|key| {
            let place = columns.iter().rposition(|column| *column == key.name.to_lowercase());
            let cell = place.and_then(|place| row.get(place)).copied();
            match cell {
                None | Some(Expr::Literal(Literal::Default)) => default_of(table, known, &key.name),
                Some(expr) => operand(expr).ok_or_else(|| {
                    refuse("insert_key", format!(
                        "The shard key '{}' of table '{}' is given by an expression: its value must be \
                         known before the row is sent, so write the value itself",
                        key.name, table.name,
                    ))
                }),
            }
        })
        .collect()
}

/// The value of a shard key that the statement doesn't name.
fn default_of(table: &ShardedTable, known: Option<&catalog::Table>, key: &str) -> Result<Operand> {
    let default = known.and_then(|known| known.column(key)).map(|column| &column.default);
    match default {
        Some(catalog::DefaultValue::Constant(text)) => {
            Ok(Operand::Value(Value::text(text.to_string())))
        }
        _ => Err(refuse(
            "key_missing",
            format!(
                "The INSERT gives no value for the shard key '{key}' of table '{}': name the column and give \
             its value",
                table.name,
            ),
        )),
    }
}

/// INSERT … SELECT stays within shards if the key is taken over from a table that is sharded alike.
fn from_query(
    draft: &Draft,
    survey: &mut Survey,
    query: &Query,
    table: &ShardedTable,
    columns: &[String],
    tables: &mut Tables,
) -> Result<()> {
    let refused = || {
        refuse(
            "insert_select",
            format!(
                "INSERT … SELECT into the sharded table '{}' is supported where the SELECT takes each shard \
             key over from a table that is bound to it: otherwise read first and insert then",
                table.name,
            ),
        )
    };
    let sources: Vec<usize> = survey
        .uses
        .iter()
        .enumerate()
        .filter(|(index, used)| *index != TARGET && matches!(used.placement, Placement::Sharded(_)))
        .map(|(index, _)| index)
        .collect();
    let crate::sql::analysis::Body::Select(select) = &query.body else { return Err(refused()) };
    let block = survey.uses.iter().skip(1).map(|used| used.block).min().ok_or_else(refused)?;
    for key in &table.keys {
        let place = columns.iter().position(|column| *column == key.name.to_lowercase());
        let item = place.and_then(|place| select.items.get(place));
        let star = select.items.iter().any(|item| !matches!(item, Item::Expr { .. }));
        let Some(Item::Expr { expr: Expr::Column(column), .. }) = item.filter(|_| !star) else {
            return Err(refused());
        };
        let crate::planner::survey::Resolved::Use(source) = survey.resolve(block, column) else {
            return Err(refused());
        };
        let same = survey.sharded(source).is_some_and(|other| {
            other.binding == table.binding
                && other.key_index(&column.column.text) == table.key_index(&key.name)
        });
        if !same {
            return Err(refused());
        }
    }
    lie_together(survey, &sources)?;
    crate::planner::gather::local_rows(survey, block)?;
    if query.limit.is_some() || draft.traits.assigns_variable {
        return Err(refused());
    }
    let mut narrowed: Vec<Narrowed> = narrow_all(survey, &sources);
    let driver = narrowed.iter().find(|narrowed| narrowed.drives);
    let condition = driver.map(|driver| driver.condition.clone()).ok_or_else(refused)?;
    // The target goes where its rows come from.
    let mut target = narrow_all(survey, &[TARGET]);
    target.iter_mut().for_each(|target| {
        target.condition = condition.clone();
        target.drives = true;
    });
    target.append(&mut narrowed);
    draft.hinted(&mut target)?;
    let allowed = draft.scatter_allowed(&target, |table| table.scatter_writes);
    tables.sharded = target;
    tables.many = Some(Many::Write { write: WriteKind::Split, allowed });
    Ok(())
}
