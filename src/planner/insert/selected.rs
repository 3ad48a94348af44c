//! INSERT and REPLACE whose rows a server must make first: those of a SELECT over other places, and
//! values that are computed.
//!
//! Owns: when the workbench runs them, and what of the statement it runs. Never: routes a row: rows
//! are known, and go to their shards, once the workbench has made them.

use super::{InsertSource, TARGET, surveyed};
use crate::error::Error;
use crate::name::SchemaName;
use crate::planner::draft::{Draft, Naming, Result};
use crate::planner::modify::{deterministic, own_effects, read_again};
use crate::planner::plan::{Access, Ids};
use crate::planner::query::Outcome;
use crate::planner::refuse::refuse;
use crate::planner::survey::{Resolved, Survey, Use};
use crate::planner::workbench::change::Wanted;
use crate::planner::workbench::{self, Workbench};
use crate::planner::{Action, Many, Tables};
use crate::rules::table::Placement;
use crate::sql::analysis::{Expr, Insert, Span};
use crate::sql::lex::ServerKind;
use crate::sql::parse;

/// The statement as one for the workbench alone; `refused` is why.
pub(super) fn plan<'a>(
    mut draft: Draft<'a>,
    insert: &'a Insert,
    refused: Error,
) -> Result<Outcome> {
    let mut survey = Survey::new(draft.input);
    let block = surveyed(&mut survey, insert)?;
    draft.facts.access = Access::Write;
    draft.facts.ids = Ids::Given;
    draft.name_tables(&survey, |used| if used == TARGET { Naming::Rename } else { Naming::Alias });
    let bench = bench(&draft, &mut survey, block, insert, &refused)?;
    if !survey.needs.is_empty() {
        return Ok(Outcome::Need(survey.needs));
    }
    let Some(bench) = bench else { return Err(refused) };
    let tables = Tables {
        bench: Some(Box::new(bench)),
        only_bench: true,
        many: Some(Many::Refuse(refused)),
        ..Tables::default()
    };
    Ok(Outcome::Plan(draft.finish(Action::Tables(tables))))
}

/// Gives a plan that may turn out to be refused for its values a workbench. Answers the tables that
/// must be known first.
pub(super) fn offer<'a>(
    draft: Draft<'a>,
    insert: &'a Insert,
    tables: &mut Tables,
) -> Result<Vec<(SchemaName, String)>> {
    let refused = match &tables.many {
        Some(Many::Refuse(error)) => error.clone(),
        _ if tables.rows.is_some() => {
            refuse("insert_key", "What a row's shard key is stored as isn't certain")
        }
        _ if tables.counted.is_some() => {
            refuse("auto_increment", "Rows may leave an AUTO_INCREMENT column to their servers")
        }
        Some(_) if !tables.groups.is_empty() && !tables.sharded.is_empty() => {
            refuse("cross_group", "Tables of several groups are joined")
        }
        _ => return Ok(vec![]),
    };
    let mut survey = Survey::new(draft.input);
    let block = surveyed(&mut survey, insert)?;
    match bench(&draft, &mut survey, block, insert, &refused) {
        Ok(bench) => tables.bench = bench.map(Box::new),
        Err(error) => {
            if matches!(tables.many, Some(Many::Refuse(_))) {
                tables.many = Some(Many::Refuse(error));
            }
        }
    }
    Ok(survey.needs)
}

fn bench<'a>(
    draft: &Draft<'a>,
    survey: &mut Survey<'a>,
    block: usize,
    insert: &'a Insert,
    refused: &Error,
) -> Result<Option<Workbench>> {
    if own_effects(draft, survey).is_some() {
        return Ok(None);
    }
    if survey.uses.get(TARGET).is_some_and(|used| draft.names_shard_of(&used.name)) {
        return Err(refuse(
            "hint",
            format!(
                "The hint names shards of '{}', and rows that are computed go wherever their shard keys belong: \
                 write the rows' values, or no hint",
                insert.table.table.text
            ),
        ));
    }
    survey.need(TARGET);
    if !survey.needs.is_empty() {
        return Ok(None);
    }
    let foreign =
        insert.on_duplicate.iter().any(|assignment| !of_target(survey, block, &assignment.value));
    if insert.row_alias && !insert.on_duplicate.is_empty() {
        return Err(refuse(
            "insert_select",
            "Rows that are computed before they have a shard lose the alias that ON DUPLICATE KEY UPDATE \
             names them by: write the shard key's values themselves, or VALUES(column) for the alias",
        ));
    }
    if foreign {
        return Err(refuse(
            "insert_select",
            "ON DUPLICATE KEY UPDATE names more than columns of the table that rows go into, and the \
             rows of the SELECT come from several places: select what it needs, and use VALUES(column)",
        ));
    }
    let (verb, tail) = places(draft)?;
    let tail = tail.filter(|_| !insert.on_duplicate.is_empty());
    if tail.is_none() && !insert.on_duplicate.is_empty() {
        return Ok(None);
    }
    if tail.is_some() && survey.uses.get(TARGET).is_some_and(is_broadcast) {
        // The tail runs on each copy.
        deterministic(draft, survey)?;
    }
    let allowed = draft.scatter_ok()
        || match survey.uses.get(TARGET).map(|used| &used.placement) {
            Some(Placement::Sharded(table)) => table.scatter_writes,
            _ => true,
        };
    let selects = matches!(insert.source, InsertSource::Query(_));
    if !selects && draft.input.dialect.server == ServerKind::MySql {
        read_again(survey, [TARGET].into_iter())?;
    }
    let (replace, ignore) = (insert.replace, insert.ignore);
    let wanted = Wanted::Insert { selects, replace, ignore, verb, tail };
    let reason = (refused.code, refused.message.clone());
    workbench::plan_change(draft, survey, &wanted, allowed, reason)
}

fn is_broadcast(used: &Use) -> bool {
    matches!(used.placement, Placement::Broadcast(_))
}

/// Whether an expression needs nothing but the row that is there and the one that would be inserted.
fn of_target(survey: &mut Survey, block: usize, expr: &Expr) -> bool {
    let mut all = |parts: &[Expr]| parts.iter().all(|part| of_target(survey, block, part));
    match expr {
        Expr::Column(column) => survey.resolve(block, column) == Resolved::Use(TARGET),
        Expr::Slot(_) | Expr::Literal(_) => true,
        Expr::And(parts) | Expr::Or(parts) | Expr::Tuple(parts) | Expr::Opaque { parts, .. } => {
            all(parts)
        }
        Expr::Not(inner) | Expr::Negate(inner) | Expr::IsNull { expr: inner, .. } => {
            of_target(survey, block, inner)
        }
        Expr::Compare { left, right, .. } | Expr::Arithmetic { left, right, .. } => {
            of_target(survey, block, left) && of_target(survey, block, right)
        }
        Expr::Between { expr, low, high, .. } => {
            [expr, low, high].into_iter().all(|part| of_target(survey, block, part))
        }
        Expr::InList { expr, list, .. } => all(list) && of_target(survey, block, expr),
        Expr::Function(function) => all(&function.arguments),
        Expr::InQuery { .. } | Expr::Exists(_) | Expr::Subquery(_) => false,
    }
}

/// The first word of the statement, and what stands from ON DUPLICATE KEY UPDATE on.
fn places(draft: &Draft) -> Result<(Span, Option<Span>)> {
    let input = draft.input;
    let mut tokens = parse::units::template_tokens(input.sql, input.lexed, input.dialect)?;
    tokens.retain(|token| !token.kind.is_trivia());
    let at = |offset: u32| input.lexed.template_offset(offset as usize) as u32;
    let verb = tokens.first().map(|token| Span { start: at(token.start), end: at(token.end) });
    const WORDS: [&str; 4] = ["ON", "DUPLICATE", "KEY", "UPDATE"];
    let begins = |place: usize| {
        WORDS.iter().enumerate().all(|(offset, word)| {
            tokens
                .get(place + offset)
                .is_some_and(|token| token.depth == 0 && token.is_word(input.sql, word))
        })
    };
    let tail = (0..tokens.len()).find(|place| begins(*place)).and_then(|place| tokens.get(place));
    let end = input.lexed.template().len() as u32;
    Ok((verb.unwrap_or_default(), tail.map(|token| Span { start: at(token.start), end })))
}
