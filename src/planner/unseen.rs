//! What triggers and views do that the statement's text doesn't show: reading LAST_INSERT_ID(), and
//! setting variables.
//!
//! Owns: which statements may run such text, so that their connection is given the session's value
//! first. Never: looks into routines: whatever calls one counts.

use crate::catalog::Trigger;
use crate::name::SchemaName;
use crate::planner::draft::Draft;
use crate::planner::plan::{Access, Unseen};
use crate::planner::query::Outcome;
use crate::planner::survey::is_system;
use crate::planner::tokens::named;
use crate::planner::views::text::{Definition, Meant, meant};
use crate::planner::{PlanInput, TableUse};
use crate::rules::table::Placement;
use crate::sql::literal::name_of;
use crate::sql::mention::Mention;
use crate::sql::token::Token;

/// Views within views that are followed.
const DEPTH: usize = 32;

/// The plan of a parsed statement, with what its tables may run; or the tables that must be known
/// first: those of a write may have triggers, and those of a read may be views that call routines,
/// which no replica may run.
pub(crate) fn told(outcome: Outcome, input: &PlanInput) -> Outcome {
    let Outcome::Plan(mut plan) = outcome else { return outcome };
    let writes = plan.facts.access == Access::Write;
    let mut reads_id = false;
    let mut unseen = Unseen::Nothing;
    let mut views = Views { input, needs: vec![], sure: writes };
    for used in plan.tables.iter().filter(|used| !is_system(used.schema.as_str())) {
        if let Some(table) = input.catalog.table(used.schema.as_str(), &used.name) {
            for trigger in table.triggers.iter().filter(|_| writes) {
                reads_id |= trigger.reads_id;
                unseen = unseen.max(done_by(trigger));
            }
        }
        if views.asks(&used.schema, &used.name, &used.placement, 0) {
            (reads_id, unseen) = (true, Unseen::Sets);
        }
    }
    if !views.needs.is_empty() {
        return Outcome::Need(views.needs);
    }
    plan.facts.gives_id |= reads_id;
    plan.facts.retry &= unseen != Unseen::Sets;
    plan.facts.unseen = plan.facts.unseen.max(unseen);
    Outcome::Plan(plan)
}

/// What the views of a statement may run.
struct Views<'a, 'i> {
    input: &'a PlanInput<'i>,
    needs: Vec<(SchemaName, String)>,
    /// All tables must be known, also those that replicas don't hold.
    sure: bool,
}

impl Views<'_, '_> {
    /// Whether the name is a view that calls a routine or asks for LAST_INSERT_ID(), itself or by one
    /// that it reads. One whose definition is hidden may.
    fn asks(
        &mut self,
        schema: &SchemaName,
        name: &str,
        placement: &Placement,
        depth: usize,
    ) -> bool {
        let Some(table) = self.input.catalog.table(schema.as_str(), name) else {
            self.need(schema, name, placement);
            return false;
        };
        let Placement::Single(single) = placement else { return false };
        if !table.is_view {
            return false;
        }
        let Some(view) = &table.view else { return true };
        if view.reads_id || depth >= DEPTH {
            return true;
        }
        let Ok(definition) = Definition::new(&view.definition, self.input.dialect) else {
            return true;
        };
        let of = |mention| meant(self.input.rules, schema, single.group, mention);
        let within: Vec<Meant> = definition.tables.iter().map(of).collect();
        within.into_iter().any(|within| match within {
            Meant::Whole(schema, name, placement) => {
                self.asks(&schema, &name, &placement, depth + 1)
            }
            Meant::Shard(..) | Meant::Unknown => false,
        })
    }

    /// The catalog doesn't have it: where that matters, it is to be looked up.
    fn need(&mut self, schema: &SchemaName, name: &str, placement: &Placement) {
        let replicated = match placement {
            Placement::Single(single) if !single.temporary => {
                let group = self.input.rules.group(single.group);
                group.is_some_and(|group| !group.replicas.is_empty())
            }
            _ => false,
        };
        let need = (schema.clone(), name.to_owned());
        if (self.sure || replicated) && !self.input.final_catalog && !self.needs.contains(&need) {
            self.needs.push(need);
        }
    }
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
