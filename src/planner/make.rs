//! The way from a statement to its plan.
//!
//! Owns: which planner a statement's kind belongs to. Never: plans a kind itself.

use std::sync::Arc;

use crate::error::{Error, Fault};
use crate::planner::control;
use crate::planner::create_view;
use crate::planner::draft::Draft;
use crate::planner::found;
use crate::planner::index;
use crate::planner::insert;
use crate::planner::limit::limit_of;
use crate::planner::load;
use crate::planner::modify;
use crate::planner::next_value;
use crate::planner::nodes;
use crate::planner::obeyed;
use crate::planner::plan::{Access, Pin, SessionAction, Unseen};
use crate::planner::query::{self, Outcome};
use crate::planner::refuse::refuse;
use crate::planner::tokens;
use crate::planner::unseen;
use crate::planner::views;
use crate::planner::{Action, Plan, PlanInput, Planned, TableUse};
use crate::rules::table::Placement;
use crate::sql::analysis::Statement;
use crate::sql::classify::{Classified, StatementKind, classify};
use crate::sql::hint::{self, Hint, Hints};
use crate::sql::lex::ServerKind;
use crate::sql::options::misplaced_cache;
use crate::sql::parse;
use crate::sql::token::{Token, TokenKind};
use crate::sql::unseen::calls_stored;

/// Statements of up to so many tokens can't nest or chain deeply enough to matter.
const ORDINARY_TOKENS: usize = 64;

/// Bytes of stack for a longer one. A chain of the lexer's 4,000 operators needs about 5 MiB of it
/// unoptimised; the pages that aren't touched cost nothing.
const LONG_STATEMENT_STACK: usize = 64 << 20;

/// Makes the plan of a statement's template.
///
/// A refusal is a plan too ([`crate::planner::plan::Route::Refuse`]): it is cached as any other.
///
/// # Errors
/// Text that no server would read.
pub fn plan(input: &PlanInput) -> Result<Planned, Error> {
    let tokens = parse::units::template_tokens(input.sql, input.lexed, input.dialect)?;
    let classified = classify(input.sql, &tokens);
    let mut hints = hint::parse(input.sql, &tokens, input.lexed.is_own());
    if classified.kind == StatementKind::ExplainRoute {
        hints = outer(&tokens, &classified, hints, input.sql);
    }
    let draft = Draft::new(input, &classified, hints.clone());
    let kind = classified.kind;
    let outcome = if tokens.len() > ORDINARY_TOKENS {
        stacker::grow(LONG_STATEMENT_STACK, || made(draft, &classified, &tokens))
    } else {
        made(draft, &classified, &tokens)
    };
    let outcome = outcome.and_then(|outcome| match outcome {
        Outcome::Plan(plan) => obeyed::after(&plan, &hints).map(|()| Outcome::Plan(plan)),
        outcome => Ok(outcome),
    });
    Ok(match outcome {
        Ok(Outcome::Plan(mut plan)) => {
            plan.facts.finds = finds(input, (&classified, &tokens), &plan);
            Planned::Plan(Arc::new(plan))
        }
        Ok(Outcome::Need(tables)) => Planned::Need(tables),
        Err(error) => {
            let error = obeyed::refused(&hints, kind, error);
            let mut draft = Draft::new(input, &classified, hint::Hints::default());
            draft.kind = kind;
            let mut plan = draft.finish(Action::Refuse(error));
            plan.facts.finds = finds(input, (&classified, &tokens), &plan);
            Planned::Plan(Arc::new(plan))
        }
    })
}

/// What the plan's statement leaves in FOUND_ROWS().
fn finds(input: &PlanInput, words: (&Classified, &[Token]), plan: &Plan) -> found::Finds {
    let is_view = |used: &TableUse| {
        let known = input.catalog.table(used.schema.as_str(), &used.name);
        known.is_some_and(|table| table.is_view)
    };
    let views = plan.tables.iter().any(is_view);
    let given = found::Given { skipped: plan.facts.skipped.as_ref(), views };
    found::told(input.sql, words, input.dialect, given)
}

/// Of EXPLAIN ROUTE, those hints that don't belong to the statement which is explained.
fn outer(tokens: &[Token], classified: &Classified, hints: Hints, sql: &[u8]) -> Hints {
    let begins = control::explained(sql, tokens, classified);
    match hints.ranges.iter().all(|range| range.start >= begins) {
        true => Hints::default(),
        false => Hints {
            unknown: vec![
                "write it behind EXPLAIN ROUTE, into the statement that is explained".to_owned(),
            ],
            ..Hints::default()
        },
    }
}

fn made(mut draft: Draft, classified: &Classified, tokens: &[Token]) -> Result<Outcome, Error> {
    use StatementKind as K;
    obeyed::before(&draft, classified, tokens)?;
    if draft.traits.lock_owner {
        return Err(refuse(
            "lock_owner",
            "IS_USED_LOCK gives the id of a connection behind Weir, which is no CONNECTION_ID() of a client: ask \
             IS_USED_LOCK(…) IS NULL, or IS_FREE_LOCK(…)",
        ));
    }
    if let Some(nodes) = draft.hints.hints.iter().find_map(|hint| match hint {
        Hint::Node(nodes) => Some(nodes.clone()),
        _ => None,
    }) {
        return nodes::at_nodes(draft, (classified, tokens), &nodes);
    }
    match classified.kind {
        K::Select if let Some(reply) = next_value::reply(&mut draft, tokens) => {
            draft.facts.access = Access::Write;
            Ok(Outcome::Plan(draft.finish(Action::Reply(reply))))
        }
        K::Select
        | K::With
        | K::Values
        | K::Table
        | K::Insert
        | K::Replace
        | K::Update
        | K::Delete => {
            let input = draft.input;
            let outcome = parsed(draft, tokens, None)?;
            lock_at_home(&outcome, input)?;
            Ok(unseen::told(outcome, input))
        }
        K::Explain => match classified.inner {
            Some(inner) => parsed(draft, tokens, Some(inner)),
            None => control::simple(draft, tokens, Access::Read),
        },
        K::ExplainRoute => control::explain_route(draft, classified, tokens),
        K::Show | K::Describe => control::show(draft, tokens),
        K::Set => control::session(draft, SessionAction::Set),
        K::SetStatement if draft.input.dialect.server == ServerKind::MariaDb => {
            control::session(draft, SessionAction::SetStatement)
        }
        K::Use => control::use_schema(draft, classified),
        K::Begin
        | K::Commit
        | K::Rollback
        | K::Savepoint
        | K::ReleaseSavepoint
        | K::RollbackToSavepoint
        | K::Xa(_) => control::session(draft, SessionAction::Transaction),
        K::UnlockTables => control::session(draft, SessionAction::UnlockTables),
        K::Prepare => control::session(draft, SessionAction::Prepare),
        K::Execute => control::session(draft, SessionAction::Execute),
        K::ExecuteImmediate if draft.input.dialect.server == ServerKind::MariaDb => {
            control::session(draft, SessionAction::Execute)
        }
        K::Deallocate => control::session(draft, SessionAction::Deallocate),
        K::Kill => control::session(draft, SessionAction::Kill),
        K::GetDiagnostics => control::session(draft, SessionAction::GetDiagnostics),
        K::Signal => {
            draft.facts.raises = true;
            control::simple(draft, tokens, Access::Write)
        }
        K::Call => control::call(draft, tokens),
        K::Do => control::simple(draft, tokens, Access::Write),
        K::Help => control::simple(draft, tokens, Access::Read),
        _ => definitions(draft, classified, tokens),
    }
}

fn definitions(
    mut draft: Draft,
    classified: &Classified,
    tokens: &[Token],
) -> Result<Outcome, Error> {
    use StatementKind as K;
    let sql = draft.input.sql;
    let selects = || tokens.iter().any(|token| token.is_word(sql, "SELECT"));
    let behind = |word| tokens.iter().position(|token| token.is_word(sql, word)).unwrap_or(0);
    let rows = match classified.kind {
        K::CreateTable { .. } if selects() => tokens.get(behind("SELECT")..),
        K::LoadData { .. } | K::LoadXml { .. } if behind("SET") > 0 => tokens.get(behind("SET")..),
        _ => None,
    };
    if rows.is_some_and(|rows| calls_stored(sql, rows, draft.input.dialect.server)) {
        draft.facts.unseen = Unseen::Sets;
    }
    match classified.kind {
        // Rows that are made now.
        K::CreateTable { .. } if selects() => {}
        K::LoadData { .. } | K::LoadXml { .. } => {}
        // What is defined asks whoever uses it later.
        _ => draft.facts.looks_back = false,
    }
    match classified.kind {
        kind if kind.defines_tables() => match tokens::reads_views(&draft, tokens)? {
            needs if needs.is_empty() => tokens::definition(draft, tokens),
            needs => Ok(Outcome::Need(needs)),
        },
        K::LockTables => tokens::lock_tables(draft, tokens),
        K::LoadData { .. } | K::LoadXml { .. } => load::plan(draft, tokens),
        K::CreateDatabase | K::AlterDatabase | K::DropDatabase => {
            control::database(draft, classified, tokens)
        }
        K::CreateView | K::AlterView | K::DropView => create_view::view(draft, tokens),
        K::Sequence => tokens::sequence(draft, tokens),
        K::Routine => {
            draft.facts.commits = true;
            draft.facts.access = Access::Definition;
            index::check_body(&draft, tokens)?;
            unseen::trigger(&mut draft, tokens);
            tokens::whole(draft, tokens, "routines are made for tables of one group")
        }
        K::ExecuteImmediate => Err(refuse(
            "statement",
            "EXECUTE IMMEDIATE is MariaDB's: use PREPARE, EXECUTE and DEALLOCATE PREPARE",
        )),
        // Servers answer a lone comment with OK, and nothing at all with an error.
        K::Empty if tokens.iter().any(|token| token.kind == TokenKind::Comment) => {
            control::nothing(draft)
        }
        K::Empty => Err(Error::new(Fault::Client, 1065, b"42000", "empty", "Query was empty")),
        K::Flush | K::Handler | K::SetStatement | K::Compound | K::Unknown => {
            control::unknown_effects(draft, tokens, "a statement of this kind is sent whole")
        }
        kind => Err(control::administration(kind)),
    }
}

/// MariaDB's `ANALYZE UPDATE …` is no question: it writes.
pub(crate) fn runs_a_write(sql: &[u8], tokens: &[Token]) -> bool {
    const READS: [&str; 4] = ["SELECT", "WITH", "TABLE", "VALUES"];
    const WRITES: [&str; 4] = ["INSERT", "REPLACE", "UPDATE", "DELETE"];
    let mut analyzes = false;
    for token in tokens {
        let is = |word: &&str| token.is_word(sql, word);
        if WRITES.iter().any(is) {
            return analyzes;
        }
        if READS.iter().any(is) {
            return false;
        }
        analyzes |= token.is_word(sql, "ANALYZE");
    }
    false
}

/// Sessions that lock the same name meet on one server: that of the schema's default group.
fn lock_at_home(outcome: &Outcome, input: &PlanInput) -> Result<(), Error> {
    let Outcome::Plan(plan) = outcome else { return Ok(()) };
    if plan.facts.pins != Some(Pin::UserLock) {
        return Ok(());
    }
    let home =
        input.schema.and_then(|name| input.rules.schema(name)).map(|schema| schema.default_group);
    let elsewhere = |used: &&TableUse| match &used.placement {
        Placement::Single(table) => Some(table.group) != home,
        _ => true,
    };
    match plan.tables.iter().find(elsewhere) {
        None => Ok(()),
        Some(used) => Err(refuse(
            "lock_place",
            format!(
                "A user lock is taken on the schema's default group, and '{}' isn't there alone: take the lock in a \
                 statement without tables",
                used.name
            ),
        )),
    }
}

/// A statement that the parser reads; `inner`: where it begins behind EXPLAIN.
fn parsed(mut draft: Draft, tokens: &[Token], inner: Option<usize>) -> Result<Outcome, Error> {
    let input = draft.input;
    draft.explains = inner.is_some();
    if draft.explains {
        // Constants are computed, functions and views of them included.
        let calls = calls_stored(input.sql, tokens, input.dialect.server);
        draft.facts.unseen = if calls { Unseen::Sets } else { Unseen::Writes };
    }
    if input.dialect.server == ServerKind::MariaDb
        && matches!(draft.kind, StatementKind::Select | StatementKind::With)
        && let Some(option) = misplaced_cache(input.sql, tokens)
    {
        // Which of several errors is told first is the server's matter.
        let message = format!("MariaDB takes {option} in a statement's first SELECT alone");
        return Err(refuse("not_understood", message));
    }
    if inner.is_some() && runs_a_write(input.sql, tokens) {
        return Err(refuse(
            "statement",
            "ANALYZE of a statement that writes runs it, which isn't supported: use EXPLAIN",
        ));
    }
    let parsed = match parse::parse_from(input.sql, input.lexed, input.dialect, inner.unwrap_or(0))
    {
        Ok(parsed) => parsed,
        Err(parse::Unparsed(construct)) => {
            let query = matches!(
                draft.kind,
                StatementKind::Select
                    | StatementKind::With
                    | StatementKind::Values
                    | StatementKind::Table
            );
            if query || draft.explains {
                draft.reads();
                return tokens::whole(draft, tokens, &construct);
            }
            draft.facts.access = Access::Write;
            return tokens::whole(draft, tokens, &construct);
        }
    };
    if let Some(outcome) = views::look(&draft, &parsed)? {
        return Ok(outcome);
    }
    if let Statement::Query(query) = &parsed.statement {
        let limit = query.limit.as_ref().and_then(|clause| limit_of(clause).ok());
        draft.facts.skipped = limit.map(|limit| limit.offset);
    }
    match &parsed.statement {
        Statement::Query(query) => query::plan(draft, query, &parsed),
        Statement::Insert(statement) => insert::plan(draft, statement),
        Statement::Update(statement) => modify::update(draft, statement),
        Statement::Delete(statement) => modify::delete(draft, statement),
    }
}
