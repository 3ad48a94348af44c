//! A route as text: EXPLAIN ROUTE, `weir explain` and the golden plans.
//!
//! Owns: the words. Never: decides anything.

use std::fmt::Write;

use crate::error::Result;
use crate::planner::Plan;
use crate::planner::bind::{self, Binding};
use crate::planner::plan::{
    Access, Aggregate, AggregateFunction, Column, Fold, Gather, Pin, PreparedForm, Route, SortKey,
    Target, WriteKind,
};
use crate::planner::splice::Form;
use crate::planner::workbench::Workbench;

/// The lines of a statement's route. Every text that would be sent is shown as it would be sent.
///
/// # Errors
/// What rendering refuses (a LIMIT that is no number).
pub fn explain(plan: &Plan, binding: &Binding) -> Result<String> {
    let mut out = String::new();
    if let Some(fill) = &plan.fill {
        let wanted = match fill.wanted(binding) {
            Ok(wanted) => wanted.rows.len(),
            Err(error) => {
                let _ = writeln!(out, "Refuse {}: {}", error.code, error.message);
                return Ok(out);
            }
        };
        if wanted > 0 {
            let (schema, sequence) = (&fill.schema, &fill.sequence);
            let _ = writeln!(out, "Fill {wanted} of {schema}.{sequence} into {}", fill.column);
            return Ok(out);
        }
    }
    if plan.through_views().is_some() {
        let text = plan.views_text(binding, form(binding), None)?;
        let _ = writeln!(out, "Views{}", facts(plan));
        let _ = writeln!(out, "  then {}", String::from_utf8_lossy(&text));
        return Ok(out);
    }
    let route = plan.bind(binding);
    let _ = match &route {
        Route::Reply(reply) => writeln!(out, "Reply {reply:?}"),
        Route::Session(action) => writeln!(out, "Session {action:?}"),
        Route::Refuse(error) => writeln!(out, "Refuse {}: {}", error.code, error.message),
        Route::Forward(_) => writeln!(out, "Forward{}", facts(plan)),
        Route::Load(load) => writeln!(out, "Load {}{}", load.name, facts(plan)),
        Route::Scatter { targets, .. } => writeln!(out, "Scatter {}{}", targets.len(), facts(plan)),
        Route::Workbench(bench) => {
            writeln!(out, "Workbench {}{} {}", bench.references.len(), facts(plan), bench.reason.0)
        }
        Route::Write { targets, write } => {
            let kind = match write {
                WriteKind::Split => "split",
                WriteKind::Broadcast => "broadcast",
                WriteKind::Definition => "definition",
            };
            writeln!(out, "Write {kind} {}{}", targets.len(), facts(plan))
        }
    };
    for (_, lookup) in plan.lookups(binding) {
        let mut text = Vec::new();
        plan.lookup_text(lookup, "", binding, form(binding), &mut text)?;
        let text = String::from_utf8_lossy(&text);
        let _ = writeln!(out, "  by index {}: {text}", lookup.rule.name);
    }
    match &route {
        Route::Forward(target) => show_target(plan, target, binding, &mut out)?,
        Route::Scatter { targets, gather } => {
            show_targets(plan, targets, binding, &mut out)?;
            show_gather(gather, binding, &mut out)?;
        }
        Route::Write { targets, .. } => show_targets(plan, targets, binding, &mut out)?,
        Route::Workbench(bench) => show_workbench(plan, bench, binding, &mut out)?,
        _ => {}
    }
    if plan.keeps && matches!(route, Route::Forward(_) | Route::Write { .. }) {
        for part in plan.entries(binding).unwrap_or_default() {
            let group = part.rule.table.shard(part.shard).map(|shard| shard.group);
            let group =
                group.map_or_else(String::new, |id| binding.rules.group_name(id).to_string());
            let _ = writeln!(out, "  then {group}: {}", String::from_utf8_lossy(&part.text));
        }
    }
    Ok(out)
}

fn facts(plan: &Plan) -> String {
    let mut text = String::new();
    let facts = &plan.facts;
    text.push_str(match facts.access {
        Access::Read => " read",
        Access::PrimaryRead => " read primary",
        Access::Write => " write",
        Access::Definition => " definition",
    });
    if let Some(pin) = facts.pins {
        text.push_str(match pin {
            Pin::UserLock => " pins:user_lock",
            Pin::UserVariable => " pins:user_variable",
            Pin::TemporaryTable => " pins:temporary_table",
            Pin::Routine => " pins:routine",
            Pin::TableLock => " pins:table_lock",
            Pin::FoundRows => " pins:found_rows",
            Pin::Unknown => " pins:unknown",
        });
    }
    if facts.commits {
        text.push_str(" commits");
    }
    if facts.looks_back {
        text.push_str(" looks_back");
    }
    if let Some(node) = facts.node {
        let _ = write!(text, " node:{node:?}");
    }
    if let Some(timeout) = facts.timeout {
        let _ = write!(text, " timeout:{}ms", timeout.as_millis());
    }
    if facts.prepared == PreparedForm::Text {
        text.push_str(" as_text");
    }
    text
}

/// How many targets are written out in full; of the others only the places.
const SHOWN_IN_FULL: usize = 2;

fn show_targets(
    plan: &Plan,
    targets: &[Target],
    binding: &Binding,
    out: &mut String,
) -> Result<()> {
    for target in targets.iter().take(SHOWN_IN_FULL) {
        show_target(plan, target, binding, out)?;
    }
    for target in targets.iter().skip(SHOWN_IN_FULL) {
        let _ = writeln!(out, "  {}", place(target, binding));
    }
    Ok(())
}

fn place(target: &Target, binding: &Binding) -> String {
    let mut text = binding.rules.group_name(target.group).to_string();
    if let Some(database) = &target.database {
        let _ = write!(text, ".{database}");
    }
    if let Some(shard) = target.shard {
        let _ = write!(text, " shard {shard}");
    }
    text
}

fn show_target(plan: &Plan, target: &Target, binding: &Binding, out: &mut String) -> Result<()> {
    let mut text = Vec::new();
    let rendered = plan.render(target, binding, form(binding), &mut text)?;
    let _ = match rendered {
        crate::planner::plan::Rendered::AsIs => {
            writeln!(out, "  {}: as it is", place(target, binding))
        }
        crate::planner::plan::Rendered::Written => {
            writeln!(out, "  {}: {}", place(target, binding), String::from_utf8_lossy(&text))
        }
    };
    Ok(())
}

fn show_workbench(
    plan: &Plan,
    bench: &Workbench,
    binding: &Binding,
    out: &mut String,
) -> Result<()> {
    let form = form(binding);
    for (index, reference) in bench.references.iter().enumerate() {
        if let Some(of) = reference.copy_of.and_then(|of| bench.references.get(of)) {
            let _ = writeln!(out, "  {} of {}", reference.temporary, of.temporary);
            continue;
        }
        if reference.information.is_some() {
            let (schema, table) = (&reference.schema, &reference.table);
            let _ = writeln!(out, "  {} of {schema}.{table}, of all groups", reference.temporary);
            continue;
        }
        let mut text = Vec::new();
        plan.gather_text(bench, index, None, binding, form, &mut text)?;
        let _ = writeln!(out, "  {} of {}", reference.temporary, String::from_utf8_lossy(&text));
        for keys in &reference.keys {
            if let Some(by) = bench.references.get(keys.by) {
                let _ = writeln!(out, "    {} from {}.{}", keys.column, by.temporary, keys.of);
            }
        }
    }
    let mut text = Vec::new();
    let sources: Vec<String> =
        bench.references.iter().map(|reference| format!("`{}`", reference.temporary)).collect();
    plan.residual_text(bench, &sources, binding, (form, None), &mut text)?;
    let _ = writeln!(out, "  then {}", String::from_utf8_lossy(&text));
    for target in bench.changes.iter().flat_map(|changes| &changes.targets) {
        if let Some(reference) = bench.references.get(target.reference) {
            let what = target.summary();
            let _ = writeln!(out, "  back to {}.{}: {what}", reference.schema, reference.table);
            for entry in &target.entries {
                let _ = writeln!(out, "    {}", entry.lookup.summary());
            }
        }
    }
    let _ = writeln!(out, "  because {}", bench.reason.1);
    Ok(())
}

/// Without the values at hand a text is shown as it would be prepared.
fn form(binding: &Binding) -> Form {
    if (binding.parameters.len() as u32) < binding.lexed.params() {
        Form::Prepared
    } else {
        Form::Text
    }
}

fn show_gather(gather: &Gather, binding: &Binding, out: &mut String) -> Result<()> {
    if gather.hidden > 0 {
        let _ = writeln!(out, "  hidden columns: {}", gather.hidden);
    }
    if !gather.merge_by.is_empty() {
        let _ = writeln!(out, "  merge by {}", sort_keys(&gather.merge_by));
    }
    match &gather.fold {
        Fold::Keep => {}
        Fold::Distinct => {
            let _ = writeln!(out, "  distinct");
        }
        Fold::Aggregate(aggregates) => {
            let list: Vec<String> = aggregates.iter().map(aggregate).collect();
            let _ = writeln!(out, "  fold {}", list.join(", "));
        }
    }
    if !gather.sort.is_empty() {
        let _ = writeln!(out, "  sort by {}", sort_keys(&gather.sort));
    }
    if let Some(limit) = &gather.limit {
        let (offset, count) = bind::limit(limit, binding)?;
        let _ = writeln!(out, "  limit {offset}, {count}");
    }
    if gather == &Gather::default() {
        let _ = writeln!(out, "  one after the other");
    }
    Ok(())
}

fn column(column: Column) -> String {
    match column {
        Column::Visible(n) => format!("{}", n + 1),
        Column::Hidden(n) => format!("hidden {}", n + 1),
    }
}

fn sort_keys(keys: &[SortKey]) -> String {
    let list: Vec<String> = keys
        .iter()
        .map(|key| format!("{}{}", column(key.column), if key.descending { " desc" } else { "" }))
        .collect();
    list.join(", ")
}

fn aggregate(aggregate: &Aggregate) -> String {
    let at = column(aggregate.column);
    let weight =
        |weight: Option<Column>| weight.map_or_else(String::new, |w| format!(" by {}", column(w)));
    match aggregate.function {
        AggregateFunction::Count => format!("{at}: count"),
        AggregateFunction::Sum => format!("{at}: sum"),
        AggregateFunction::Min { weight: w } => format!("{at}: min{}", weight(w)),
        AggregateFunction::Max { weight: w } => format!("{at}: max{}", weight(w)),
        AggregateFunction::Average { sum, count } => {
            format!("{at}: avg of {} / {}", column(sum), column(count))
        }
        AggregateFunction::BitAnd => format!("{at}: bit_and"),
        AggregateFunction::BitOr => format!("{at}: bit_or"),
        AggregateFunction::BitXor => format!("{at}: bit_xor"),
    }
}
