//! That no hint is passed over.
//!
//! Owns: which hints a kind of statement takes, and the look at a finished plan for each of them. Never:
//! obeys one (the planners do).

use crate::error::Error;
use crate::planner::draft::{Draft, Result};
use crate::planner::hinted::{is_sharded, no_table};
use crate::planner::made::MADE_OF_ROWS;
use crate::planner::plan::{Access, NodeChoice, SessionAction, Unseen};
use crate::planner::refuse::refuse;
use crate::planner::survey::is_information;
use crate::planner::tokens::TABLES_APART;
use crate::planner::views::text::REFUSED;
use crate::planner::{Action, Plan, Tables};
use crate::sql::classify::{Classified, StatementKind};
use crate::sql::hint::{Hint, Hints};
use crate::sql::token::{Token, TokenKind};

fn odd(why: impl Into<String>) -> Error {
    refuse("hint", why)
}

/// What of hints is wrong whatever the plan will be.
pub(crate) fn before(draft: &Draft, classified: &Classified, tokens: &[Token]) -> Result<()> {
    let hints = &draft.hints;
    if let Some(unknown) = hints.unknown.first() {
        return Err(odd(format!("A hint is not understood: {unknown}")));
    }
    if hints.hints.is_empty() {
        return Ok(());
    }
    contradictions(hints)?;
    place(draft, classified, tokens)
}

fn contradictions(hints: &Hints) -> Result<()> {
    let all = &hints.hints;
    let has = |is: fn(&Hint) -> bool| all.iter().any(is);
    if has(|hint| *hint == Hint::Primary) && has(|hint| *hint == Hint::Replica) {
        return Err(odd("Hints ask for the primary and for a replica"));
    }
    let one_of = |is: fn(&Hint) -> bool| all.iter().filter(|hint| is(hint)).count() < 2;
    if !one_of(|hint| matches!(hint, Hint::Timeout(_))) {
        return Err(odd("Several hints give a timeout: write one"));
    }
    if !one_of(|hint| matches!(hint, Hint::Node(_))) {
        return Err(odd("Several hints node() name nodes: write them in one"));
    }
    if has(|hint| matches!(hint, Hint::Node(_)))
        && has(|hint| matches!(hint, Hint::Shard { .. } | Hint::Scan(_) | Hint::ConsistentReads))
    {
        return Err(odd(
            "The hint node() sends the statement as it is: shard(), scan() and consistent_reads don't go with it",
        ));
    }
    let twice = all.iter().enumerate().any(|(place, hint)| match hint {
        Hint::Bound { of, .. } => all
            .iter()
            .skip(place + 1)
            .any(|other| matches!(other, Hint::Bound { of: again, .. } if again == of)),
        _ => false,
    });
    match twice {
        true => Err(odd("Several hints give the same bound: write one")),
        false => Ok(()),
    }
}

/// Hints that stand where nobody would look at them.
fn place(draft: &Draft, classified: &Classified, tokens: &[Token]) -> Result<()> {
    use StatementKind as K;
    let starts = draft.hints.ranges.iter().map(|range| range.start);
    let first = tokens.iter().find(|token| !token.kind.is_trivia());
    let first = first.map_or(0, |token| token.range().start);
    let outside = match classified.kind {
        K::SetStatement => {
            let inner = classified.inner.unwrap_or(usize::MAX);
            let inner = tokens
                .iter()
                .rev()
                .find(|token| !token.kind.is_trivia() && token.range().start < inner)
                .map_or(inner, |token| token.range().end);
            starts.clone().any(|start| start < inner)
        }
        // A subquery's go with it.
        K::Set => tokens.iter().any(|token| token.kind == TokenKind::Hint && token.depth == 0),
        K::Prepare | K::Execute | K::ExecuteImmediate => true,
        _ => false,
    };
    if outside {
        return Err(odd(
            "Weir runs the statement itself, and would not look at the hint: write it into the one that is \
                        prepared, or behind FOR",
        ));
    }
    let bodies = matches!(classified.kind, K::Routine | K::CreateView | K::AlterView | K::Compound);
    if bodies && starts.clone().any(|start| start > first) {
        return Err(odd(
            "The hint stands in what a server is given to keep, and would never be looked at: write it into the \
             statement that uses it",
        ));
    }
    Ok(())
}

/// The refusals by which the session takes a statement apart, to run statements of its own.
pub(crate) fn refused(draft_hints: &Hints, kind: StatementKind, error: Error) -> Error {
    let replica = draft_hints.hints.contains(&Hint::Replica);
    match error.code {
        _ if draft_hints.hints.is_empty() => error,
        TABLES_APART => odd(
            "The tables are not in the same places and are dropped one by one, which no hint reaches: \
                             write a statement for each",
        ),
        MADE_OF_ROWS if replica => on_replica(),
        "not_understood" | REFUSED if kind == StatementKind::Do => {
            odd("DO of rows in several places takes no hints: use SELECT")
        }
        _ => error,
    }
}

fn on_replica() -> Error {
    odd(
        "The hint asks for a replica, and the statement is none that a replica answers: it writes, locks, or is \
         answered by Weir itself",
    )
}

/// Looks at a plan for each hint of its statement.
pub(crate) fn after(plan: &Plan, hints: &Hints) -> Result<()> {
    if matches!(plan.action, Action::Refuse(_)) {
        return Ok(());
    }
    hints.hints.iter().try_for_each(|hint| one(plan, hint))
}

fn one(plan: &Plan, hint: &Hint) -> Result<()> {
    // What is written anew is planned again, with its hints.
    let again = matches!(plan.action, Action::Views(_) | Action::Fill);
    let session = matches!(plan.action, Action::Session(_))
        && !matches!(
            plan.action,
            Action::Session(SessionAction::Set | SessionAction::SetStatement)
        );
    let answered = matches!(plan.action, Action::Reply(_)) || session;
    let by_weir = || odd("Weir answers the statement itself, and the hint says nothing to that");
    let inner =
        matches!(plan.action, Action::Session(SessionAction::Set | SessionAction::SetStatement));
    match hint {
        // Planned with what stands in the statement.
        _ if inner => Ok(()),
        Hint::Primary | Hint::ScatterOk | Hint::Bound { .. } | Hint::View { .. } => Ok(()),
        Hint::Node(_) => match plan.action {
            Action::Tables(_) => Ok(()),
            _ => Err(by_weir()),
        },
        Hint::Timeout(_) if answered => Err(by_weir()),
        Hint::Timeout(_) => Ok(()),
        Hint::Replica => match is_for_replica(plan) {
            true => Ok(()),
            false => Err(on_replica()),
        },
        Hint::ConsistentReads if answered => Err(by_weir()),
        Hint::ConsistentReads if plan.facts.access == Access::Read => Ok(()),
        Hint::ConsistentReads if plan.facts.access == Access::PrimaryRead => Ok(()),
        Hint::ConsistentReads => {
            Err(odd("The hint consistent_reads is for statements that only read"))
        }
        _ if again => Ok(()),
        Hint::Shard { table, .. } => narrowed(plan, || no_table(table)),
        Hint::Scan(scan) => {
            let known = |name: &&String| {
                let is = |used| is_sharded(used) && used.name.eq_ignore_ascii_case(name);
                plan.tables.iter().any(is)
            };
            match scan.tables.iter().find(|name| !known(name)) {
                Some(name) => Err(no_table(name)),
                None if scan.restricts() => narrowed(plan, scan_of_nothing),
                None if matches!(plan.action, Action::Tables(_) | Action::Load(_))
                    && plan.tables.iter().any(is_sharded) =>
                {
                    Ok(())
                }
                None => Err(scan_of_nothing()),
            }
        }
    }
}

fn scan_of_nothing() -> Error {
    odd(
        "The hint scan() is for the shards of a statement's tables, and this one names no sharded table",
    )
}

fn is_for_replica(plan: &Plan) -> bool {
    let known = matches!(plan.action, Action::Tables(_) | Action::Views(_));
    let own = plan.tables.iter().any(|used| used.placement.is_temporary());
    let informed = plan.schemas.iter().any(|name| is_information(name.as_str()));
    let stored = plan.facts.unseen == Unseen::Sets;
    known && plan.facts.access == Access::Read && !stored && !own && !informed
}

/// Whether each way that the plan may take is narrowed by hints.
fn narrowed(plan: &Plan, otherwise: impl Fn() -> Error) -> Result<()> {
    let Action::Tables(tables) = &plan.action else { return Err(otherwise()) };
    let Tables { sharded, bench, only_bench, .. } = tables;
    let routed = sharded.iter().any(|one| one.is_hinted());
    let gathered = bench.as_ref().is_none_or(|bench| bench.is_hinted());
    match (*only_bench || routed) && gathered {
        true => Ok(()),
        false => Err(otherwise()),
    }
}

/// The hints that go with a gather of the workbench: where it reads, and what allows it to.
pub(crate) fn of_gather(draft: &Draft, reads: bool) -> Vec<&'static str> {
    let mut words = vec![];
    if draft.scatter_ok() {
        words.push("scatter_ok");
    }
    match draft.facts.node {
        Some(NodeChoice::Primary) => words.push("primary"),
        Some(NodeChoice::Replica) if reads => words.push("replica"),
        _ => {}
    }
    words
}
