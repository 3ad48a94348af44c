//! The way from a statement to its plan.
//!
//! Owns: which planner a statement's kind belongs to. Never: plans a kind itself.

use std::sync::Arc;

use crate::error::Error;
use crate::planner::draft::Draft;
use crate::planner::insert;
use crate::planner::modify;
use crate::planner::query::{self, Outcome};
use crate::planner::{Action, Plan, PlanInput, Planned};
use crate::sql::analysis::Statement;
use crate::sql::classify::{Classified, StatementKind, classify};
use crate::sql::hint;
use crate::sql::parse;
use crate::sql::token::Token;

/// Makes the plan of a statement's template.
///
/// A refusal is a plan too ([`crate::planner::plan::Route::Refuse`]): it is cached as any other.
///
/// # Errors
/// Text that no server would read.
pub fn plan(input: &PlanInput) -> Result<Planned, Error> {
    let tokens = parse::units::template_tokens(input.sql, input.lexed, input.dialect)?;
    let classified = classify(input.sql, &tokens);
    let hints = hint::parse(input.sql, &tokens);
    let draft = Draft::new(input, &classified, hints);
    let kind = classified.kind;
    let outcome = made(draft, &classified, &tokens);
    Ok(match outcome {
        Ok(Outcome::Plan(plan)) => Planned::Plan(Arc::new(plan)),
        Ok(Outcome::Need(tables)) => Planned::Need(tables),
        Err(error) => {
            let mut draft = Draft::new(input, &classified, hint::Hints::default());
            draft.kind = kind;
            Planned::Plan(Arc::new(draft.finish(Action::Refuse(error))))
        }
    })
}

fn made(draft: Draft, classified: &Classified, tokens: &[Token]) -> Result<Outcome, Error> {
    use StatementKind as K;
    match classified.kind {
        K::Select | K::With | K::Values | K::Table | K::Insert | K::Replace | K::Update | K::Delete => {
            parsed(draft, classified, tokens)
        }
        _ => Err(crate::planner::refuse::refuse("statement", "not yet")),
    }
}

fn parsed(draft: Draft, _classified: &Classified, _tokens: &[Token]) -> Result<Outcome, Error> {
    let input = draft.input;
    let parsed = match parse::parse(input.sql, input.lexed, input.dialect) {
        Ok(parsed) => parsed,
        Err(parse::Unparsed(construct)) => {
            return Err(crate::planner::refuse::refuse("not_understood", construct));
        }
    };
    match &parsed.statement {
        Statement::Query(query) => query::plan(draft, query, &parsed),
        Statement::Insert(statement) => insert::plan(draft, statement),
        Statement::Update(statement) => modify::update(draft, statement),
        Statement::Delete(statement) => modify::delete(draft, statement),
    }
}

#[allow(dead_code)]
fn _unused(_: Plan) {}
