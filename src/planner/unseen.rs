//! What triggers and views do that the statement's text doesn't show: reading LAST_INSERT_ID(), and
//! setting variables.
//!
//! Owns: which statements may run such text, so that their connection is given the session's value
//! first. Never: looks into routines: whatever calls one counts.

use crate::catalog::Trigger;
use crate::planner::draft::Draft;
use crate::planner::plan::{Access, Unseen};
use crate::planner::query::Outcome;
use crate::planner::survey::is_system;
use crate::planner::tokens::named;
use crate::planner::{PlanInput, TableUse};
use crate::sql::literal::name_of;
use crate::sql::mention::Mention;
use crate::sql::token::Token;

/// The plan of a parsed statement, with what its tables may run; or the tables that must be known
/// first: those of a write may have triggers.
pub(crate) fn told(outcome: Outcome, input: &PlanInput) -> Outcome {
    let Outcome::Plan(mut plan) = outcome else { return outcome };
    let writes = plan.facts.access == Access::Write;
    let mut needs = vec![];
    let mut reads_id = false;
    let mut unseen = Unseen::Nothing;
    for used in plan.tables.iter().filter(|used| !is_system(used.schema.as_str())) {
        match input.catalog.table(used.schema.as_str(), &used.name) {
            Some(table) => {
                for trigger in table.triggers.iter().filter(|_| writes) {
                    reads_id |= trigger.reads_id;
                    unseen = unseen.max(done_by(trigger));
                }
                if table.view.as_ref().is_some_and(|view| view.reads_id) {
                    (reads_id, unseen) = (true, Unseen::Sets);
                }
            }
            None if writes && !input.final_catalog => {
                let need = (used.schema.clone(), used.name.to_string());
                if !needs.contains(&need) {
                    needs.push(need);
                }
            }
            None => {}
        }
    }
    if !needs.is_empty() {
        return Outcome::Need(needs);
    }
    plan.facts.gives_id |= reads_id;
    plan.facts.unseen = plan.facts.unseen.max(unseen);
    Outcome::Plan(plan)
}

fn done_by(trigger: &Trigger) -> Unseen {
    match (trigger.sets, trigger.writes) {
        (true, _) => Unseen::Sets,
        (false, true) => Unseen::Writes,
        (false, false) => Unseen::Nothing,
    }
}

/// The table of a trigger that is made isn't what it was.
pub(crate) fn trigger(draft: &mut Draft, tokens: &[Token]) {
    let sql = draft.input.sql;
    let Some(mention) = table_of_trigger(sql, tokens) else { return };
    let Ok(survey) = named(draft, &[mention]) else { return };
    draft.tables.extend(survey.uses.iter().map(|used| TableUse {
        schema: used.schema.clone(),
        name: used.name.clone(),
        placement: used.placement.clone(),
        sharded: None,
    }));
}

/// The name behind ON.
fn table_of_trigger(sql: &[u8], tokens: &[Token]) -> Option<Mention> {
    let mut tokens = tokens.iter().filter(|token| !token.kind.is_trivia());
    tokens.find(|token| token.is_word(sql, "TRIGGER"))?;
    tokens.find(|token| token.is_word(sql, "ON"))?;
    let first = tokens.next().filter(|token| token.is_name())?;
    let second = match tokens.next() {
        Some(point) if point.is_symbol(sql, ".") => tokens.next(),
        _ => None,
    };
    let last = second.unwrap_or(first);
    Some(Mention {
        schema: second.map(|_| name_of(sql, first)),
        name: name_of(sql, last),
        range: first.range().start..last.range().end,
    })
}
