//! SELECT, and every other statement that only reads.
//!
//! Owns: whether a query can be answered shard by shard, and the refusal if not. Never: merges
//! (see [`super::gather`]).

use crate::planner::draft::{Draft, Naming, Result};
use crate::planner::gather;
use crate::planner::label::label_nested;
use crate::planner::plan::Gather;
use crate::planner::refuse::refuse;
use crate::planner::splice::What;
use crate::planner::survey::{
    Block, Conjunct, Leaf, Position, Resolved, Role, Survey, Use, is_system,
};
use crate::planner::{Action, Many, Narrowed, Plan, Tables, workbench};
use crate::rules::table::Placement;
use crate::sql::analysis::{Body, Expr, Item, Parsed, Query, SetOperator, Span};
use crate::sql::lex::ServerKind;
use crate::sql::slot::{LiteralKind, SlotKind};

/// What planning a parsed statement gives: a plan, or the tables that must be known first.
pub(crate) enum Outcome {
    Plan(Plan),
    Need(Vec<(crate::name::SchemaName, String)>),
}

pub(crate) fn plan<'a>(
    mut draft: Draft<'a>,
    query: &'a Query,
    parsed: &'a Parsed,
) -> Result<Outcome> {
    draft.reads();
    let mut survey = Survey::new(draft.input);
    let blocks = survey.query(query, None, Role::Top)?;
    draft.name_tables(&survey, |_| Naming::Alias);
    label_items(&mut draft, query, parsed);
    if survey.blocks.len() > 1 {
        label_nested(&mut draft)?;
    }
    // information_schema is shown under logical names.
    let system = |used: &crate::planner::survey::Use| {
        is_system(used.schema.as_str())
            && !used.schema.as_str().eq_ignore_ascii_case("information_schema")
    };
    if !survey.uses.is_empty() && survey.uses.iter().all(system) {
        // DATABASE() must be the name by which the server's own tables know it.
        let traits = draft.traits;
        draft.facts.looks_back = traits.last_insert_id
            || traits.found_rows
            || traits.row_count
            || traits.counts_conditions;
    }
    let sharded = sharded_uses(&survey);
    let mut tables = match draft.groups(&survey) {
        Ok(tables) => tables,
        Err(error) if draft.explains => return Err(error),
        Err(error) => {
            let many = Some(Many::Refuse(error));
            let mut tables = Tables { many, apart: true, ..Tables::default() };
            tables.sharded = narrow_all(&mut survey, &sharded);
            draft.hinted(&mut tables.sharded)?;
            return with_workbench(draft, survey, tables, parsed);
        }
    };
    if !sharded.is_empty() {
        let mut narrowed = narrow_all(&mut survey, &sharded);
        draft.hinted(&mut narrowed)?;
        let together = match &query.body {
            Body::Set { .. } => parts_lie_together(&mut survey, &sharded, &blocks, &mut narrowed),
            _ => lie_together(&mut survey, &sharded),
        };
        let merged = together.and_then(|()| merge(&mut draft, &mut survey, query, &blocks, parsed));
        tables.many = Some(match merged {
            Ok(gather) => {
                // A shard that a hint names may have rows that don't belong there.
                if !draft.names_shard() {
                    split_lists(&mut draft, &mut survey, &sharded);
                }
                let allowed = draft.scatter_allowed(&narrowed, |table| table.scatter_reads);
                Many::Scatter { gather, allowed }
            }
            Err(error) => {
                draft.splices.retain(|splice| !splice.scattered);
                Many::Refuse(error)
            }
        });
        tables.sharded = narrowed;
    }
    with_workbench(draft, survey, tables, parsed)
}

/// A statement that may turn out to have a shape which isn't answered shard by shard gets a
/// workbench.
fn with_workbench(
    draft: Draft,
    mut survey: Survey,
    mut tables: Tables,
    parsed: &Parsed,
) -> Result<Outcome> {
    let reason = match &tables.many {
        Some(Many::Refuse(error)) => Some((error.code, error.message.clone())),
        // Its shards may not all lie with its other tables.
        Some(_) if !tables.groups.is_empty() && !tables.sharded.is_empty() => {
            Some(("cross_group", "Tables of several groups are joined".to_owned()))
        }
        _ if survey.uses.iter().any(Use::is_information)
            && !survey.uses.iter().all(Use::is_information) =>
        {
            let text = "information_schema is put together outside of the session's connections";
            Some(("cross_group", text.to_owned()))
        }
        _ => None,
    };
    if let Some(reason) = reason
        && !draft.explains
        && (functions(&draft, parsed).is_ok() || only_together(&draft, parsed))
    {
        let code = reason.0;
        let bench = workbench::plan(&draft, &mut survey, parsed.locking, reason)?;
        let refused = matches!(tables.many, Some(Many::Refuse(_))) && bench.is_none();
        if refused && parsed.locking && workbench::lock_clause(&draft)?.is_none() {
            tables.many = Some(Many::Refuse(refuse(
                code,
                "A locking clause that stands in parentheses, names tables or isn't the only one isn't carried \
                 to rows of several shards: write one at the end of the statement, without OF, or narrow it to one \
                 shard",
            )));
        }
        tables.bench = bench.map(Box::new);
    }
    if !survey.needs.is_empty() {
        return Ok(Outcome::Need(survey.needs));
    }
    Ok(Outcome::Plan(draft.finish(Action::Tables(tables))))
}

/// Items without an alias whose text may change keep their names.
pub(crate) fn label_items(draft: &mut Draft, query: &Query, parsed: &Parsed) {
    let mut first = query;
    while let Body::Set { parts, .. } = &first.body
        && let Some(part) = parts.first()
    {
        first = part;
    }
    let Body::Select(select) = &first.body else { return };
    let spans = &parsed.layout.named_items;
    if spans.len() != select.items.len() {
        return;
    }
    for (item, span) in select.items.iter().zip(spans) {
        let Item::Expr { expr, alias: None } = item else { continue };
        let changes = draft.splices.iter().any(|splice| {
            splice.at.start >= span.start && splice.at.end <= span.end && !splice.scattered
        });
        if changes && !matches!(expr, Expr::Column(_)) {
            draft.splice(Span { start: span.end, end: span.end }, What::Label(*span), false);
        }
    }
}

/// Lists of key values that are conditions of the outermost SELECT: each shard gets its own part,
/// so that a list of thousands isn't sent to all. Lists with parameters go whole, since the values
/// of a prepared statement can't be left out.
fn split_lists(draft: &mut Draft, survey: &mut Survey, sharded: &[usize]) {
    let conjuncts: Vec<(usize, Conjunct)> = survey
        .blocks
        .iter()
        .enumerate()
        .filter(|(_, block)| block.role == Role::Top)
        .flat_map(|(index, block)| block.global.iter().map(move |conjunct| (index, *conjunct)))
        .collect();
    for (block, conjunct) in conjuncts {
        let Conjunct::Expr(Expr::InList { expr, list, negated: false }) = conjunct else {
            continue;
        };
        let (Expr::Column(column), [Expr::Slot(index)]) = (&**expr, list.as_slice()) else {
            continue;
        };
        let Resolved::Use(used) = survey.resolve(block, column) else { continue };
        let Some(place) = sharded.iter().position(|known| *known == used) else { continue };
        let is_key = survey.sharded(used).is_some_and(|table| {
            table.keys.len() == 1 && table.key_index(&column.column.text) == Some(0)
        });
        let lexed = draft.input.lexed;
        let Some(slot) = lexed.slots().get(usize::from(*index)) else { continue };
        let alike = slot.kinds.single().is_some_and(|kind| kind != LiteralKind::Param);
        if is_key && slot.kind == SlotKind::List && alike && !survey.is_inner_side(used) {
            let at = Span { start: slot.at, end: slot.at + slot.width };
            draft.splice(at, What::List { sharded: place, slot: *index }, true);
        }
    }
}

pub(crate) fn sharded_uses(survey: &Survey) -> Vec<usize> {
    survey
        .uses
        .iter()
        .enumerate()
        .filter(|(_, used)| matches!(used.placement, Placement::Sharded(_)))
        .map(|(index, _)| index)
        .collect()
}

pub(crate) fn narrow_all(survey: &mut Survey, sharded: &[usize]) -> Vec<Narrowed> {
    sharded
        .iter()
        .filter_map(|used| {
            let drives = drives(survey, *used);
            survey.narrow(*used, drives)
        })
        .collect()
}

/// The tables whose rows decide what is answered: not those of subqueries, nor the inner side of
/// an outer join.
fn drives(survey: &Survey, used: usize) -> bool {
    let outermost = survey
        .uses
        .get(used)
        .and_then(|used| survey.blocks.get(used.block))
        .is_some_and(|block| matches!(block.role, Role::Top | Role::Part | Role::Derived));
    outermost && !survey.is_inner_side(used)
}

/// Whether the rows of each shard need only rows of the same shard.
pub(crate) fn lie_together(survey: &mut Survey, sharded: &[usize]) -> Result<()> {
    let Some(driver) = sharded.iter().copied().find(|used| drives(survey, *used)) else {
        let inner = sharded.first().and_then(|used| survey.uses.get(*used));
        return Err(refuse(
            "scatter_join",
            format!(
                "Rows of table '{}' are joined to rows that every shard has, so rows without a match would \
             appear once for each shard: narrow the statement by the shard key, or put the sharded table \
             on the left side of the LEFT JOIN",
                inner.map_or("?", |used| &used.name),
            ),
        ));
    };
    let mut connected = vec![driver];
    let mut rest: Vec<usize> = sharded.iter().copied().filter(|used| *used != driver).collect();
    while !rest.is_empty() {
        let found = rest
            .iter()
            .position(|used| connected.iter().any(|other| survey.lies_with(*used, *other)));
        let Some(found) = found else { return Err(apart(survey, driver, &rest)) };
        connected.push(rest.swap_remove(found));
    }
    Ok(())
}

/// The same for each part of a UNION, all of which must be sharded alike.
fn parts_lie_together(
    survey: &mut Survey,
    sharded: &[usize],
    blocks: &[usize],
    narrowed: &mut [Narrowed],
) -> Result<()> {
    let mut binding = None;
    for (part, block) in blocks.iter().enumerate() {
        let mut uses = vec![];
        for (place, used) in sharded.iter().enumerate() {
            if outermost(survey, *used) == Some(*block) {
                uses.push(*used);
                if let Some(narrowed) = narrowed.get_mut(place) {
                    narrowed.part = part;
                }
            }
        }
        if uses.is_empty() {
            continue;
        }
        lie_together(survey, &uses)?;
        let here = uses.first().and_then(|used| survey.sharded(*used)).map(|table| table.binding);
        if binding.is_some() && binding != here {
            return Err(refuse(
                "scatter_union",
                "The parts of the UNION name tables that are not sharded \
                 alike: bind them in the rules, or ask them in statements of their own",
            ));
        }
        binding = here;
    }
    let placed =
        |used: &usize| outermost(survey, *used).is_some_and(|block| blocks.contains(&block));
    if !sharded.iter().all(placed) {
        return Err(refuse(
            "scatter_union",
            "A UNION with derived tables over several shards is not merged: \
             narrow it to one shard by the shard key",
        ));
    }
    Ok(())
}

/// The outermost block that a table's block is in; derived tables are on their own.
fn outermost(survey: &Survey, used: usize) -> Option<usize> {
    let mut block = survey.uses.get(used)?.block;
    while let Some(parent) = survey.blocks.get(block)?.parent {
        block = parent;
    }
    Some(block)
}

/// The refusal for tables that no key equality joins.
fn apart(survey: &Survey, driver: usize, rest: &[usize]) -> crate::error::Error {
    let name =
        |used: usize| survey.uses.get(used).map_or("?".to_string(), |used| used.name.to_string());
    let keys = |used: usize| {
        survey.sharded(used).map_or_else(String::new, |table| {
            let keys: Vec<String> =
                table.keys.iter().map(|key| format!("{}.{}", table.name, key.name)).collect();
            keys.join(", ")
        })
    };
    let other = rest.first().copied().unwrap_or(driver);
    let role =
        survey.uses.get(other).and_then(|used| survey.blocks.get(used.block)).map(|b| b.role);
    let (code, what) = match role {
        Some(Role::Subquery(_)) => ("scatter_subquery", "the subquery over"),
        Some(Role::Derived | Role::Lateral) => ("scatter_subquery", "the derived table over"),
        Some(Role::Part) => ("scatter_union", "the part of the UNION over"),
        _ => ("scatter_join", "the join with"),
    };
    refuse(
        code,
        format!(
            "Rows of '{}' in one shard may need rows of '{}' in another, so {what} '{}' can't be answered \
         shard by shard: join them by their shard keys ({} = {}) with bound tables, narrow both by the \
         shard key, or make one of them a broadcast table",
            name(driver),
            name(other),
            name(other),
            keys(driver),
            keys(other),
        ),
    )
}

fn merge<'a>(
    draft: &mut Draft,
    survey: &mut Survey<'a>,
    query: &'a Query,
    blocks: &[usize],
    parsed: &'a Parsed,
) -> Result<Gather> {
    functions(draft, parsed)?;
    derived_blocks(survey)?;
    derived_order(draft, survey, query)?;
    match (&query.body, blocks) {
        (Body::Select(select), [block]) => {
            gather::select(draft, survey, *block, select, query, &parsed.layout)
        }
        (Body::Set { .. }, blocks) if puts_together(query) => {
            union_all(survey, blocks)?;
            gather::union(draft, query, &parsed.layout)
        }
        _ => Err(refuse(
            "scatter_union",
            "UNION, EXCEPT and INTERSECT that compare rows of several \
             shards are not merged: narrow each part to one shard by the shard key, or write UNION ALL",
        )),
    }
}

/// Whether a query's parts, and theirs, are put one behind the other: `a UNION ALL b INTERSECT c`
/// compares rows within a part.
fn puts_together(query: &Query) -> bool {
    match &query.body {
        Body::Set { operator: SetOperator::UnionAll, parts } => parts.iter().all(puts_together),
        Body::Set { .. } => false,
        Body::Select(_) | Body::Values(_) => true,
    }
}

/// Each part must give, shard by shard, just the rows that it gives as a whole.
fn union_all(survey: &mut Survey, blocks: &[usize]) -> Result<()> {
    for block in blocks {
        let named = survey
            .uses
            .iter()
            .any(|used| used.block == *block && matches!(used.placement, Placement::Sharded(_)));
        if !named {
            return Err(refuse(
                "scatter_union",
                "A part of the UNION ALL without a sharded table would \
                 give its rows once for each shard: ask it in a statement of its own",
            ));
        }
        gather::local_rows(survey, *block)
            .map_err(|error| refuse("scatter_union", error.message))?;
    }
    Ok(())
}

/// Derived tables and CTEs whose rows depend on more than one shard's.
fn derived_blocks(survey: &mut Survey) -> Result<()> {
    for (index, block) in survey.blocks.iter().enumerate() {
        if block.role == Role::Lateral && reaches_shards(survey, index) {
            return Err(refuse(
                "lateral",
                "LATERAL over several shards is not supported: narrow the \
                 statement to one shard by the shard key",
            ));
        }
    }
    for block in 0..survey.blocks.len() {
        let Some(opened) = survey.blocks.get(block) else { continue };
        let has_sharded = reaches_shards(survey, block);
        match opened.role {
            Role::Derived if has_sharded => gather::local_rows(survey, block)
                .map_err(|error| refuse("scatter_subquery", error.message))?,
            Role::Subquery(Position::Value | Position::In)
            | Role::Top
            | Role::Part
            | Role::Derived
            | Role::Lateral => {}
        }
        derived_beside(survey, block)?;
    }
    Ok(())
}

/// MySQL gives a statement without an order of its own that of its derived table.
fn derived_order(draft: &Draft, survey: &Survey, query: &Query) -> Result<()> {
    let Body::Select(select) = &query.body else { return Ok(()) };
    let ordered = |block: &Block| block.role == Role::Derived && !block.order_by.is_empty();
    let folded = select.distinct || gather::is_grouped(select, query);
    let alone = |block: &Block| block.role == Role::Top && block.leaves.len() == 1;
    if draft.input.dialect.server != ServerKind::MySql
        || !query.order_by.is_empty()
        || folded
        || !survey.blocks.iter().any(alone)
        || !survey.blocks.iter().any(ordered)
    {
        return Ok(());
    }
    Err(refuse(
        "scatter_order",
        "ORDER BY of a derived table, which MySQL gives the statement, isn't merged: write it at the \
         statement's end",
    ))
}

/// A derived table over shards beside another leaf would be a join that keys don't prove.
fn derived_beside(survey: &Survey, block: usize) -> Result<()> {
    let Some(opened) = survey.blocks.get(block) else { return Ok(()) };
    let over_shards = |leaf: &Leaf| match leaf {
        Leaf::Derived { blocks, .. } => blocks.iter().any(|inner| reaches_shards(survey, *inner)),
        Leaf::Table(_) => false,
    };
    let derived = opened.leaves.iter().filter(|leaf| over_shards(leaf)).count();
    let united = opened.leaves.iter().any(|leaf| match leaf {
        Leaf::Derived { blocks, .. } => blocks.len() > 1 && over_shards(leaf),
        Leaf::Table(_) => false,
    });
    let others = opened.leaves.iter().any(|leaf| match leaf {
        Leaf::Table(used) => matches!(
            survey.uses.get(*used).map(|used| &used.placement),
            Some(Placement::Sharded(_))
        ),
        Leaf::Derived { .. } => false,
    });
    let outer = opened.locals.iter().any(|local| !local.promoted);
    let nested = matches!(opened.role, Role::Subquery(_)) && derived > 0;
    if united || derived > 1 || (derived == 1 && (others || outer)) || nested {
        return Err(refuse(
            "scatter_subquery",
            "A derived table over several shards can only stand alone \
             in FROM, or beside broadcast tables: narrow it to one shard by the shard key",
        ));
    }
    Ok(())
}

/// Whether a block has rows of shards, be it by way of derived tables.
fn reaches_shards(survey: &Survey, block: usize) -> bool {
    let derived = |leaf: &Leaf| match leaf {
        Leaf::Derived { blocks, .. } => blocks.iter().any(|inner| reaches_shards(survey, *inner)),
        Leaf::Table(_) => false,
    };
    holds_shards(survey, block)
        || survey.blocks.get(block).is_some_and(|block| block.leaves.iter().any(derived))
}

fn holds_shards(survey: &Survey, block: usize) -> bool {
    survey
        .uses
        .iter()
        .any(|used| used.block == block && matches!(used.placement, Placement::Sharded(_)))
}

/// One server counts SQL_CALC_FOUND_ROWS for all shards, and the rows that a hint leaves, sets the
/// variables of INTO, and draws the numbers of a sequence of RAND.
fn only_together(draft: &Draft, parsed: &Parsed) -> bool {
    let traits = draft.traits;
    let into = traits.into_variable && !traits.into_file;
    let writes = (parsed.into || traits.into_file) && !into || traits.assigns_variable;
    let both = parsed.calc_found_rows && into;
    let wants = parsed.calc_found_rows || traits.hinted_limit || into || traits.seeded;
    (traits.hinted_limit || wants && !both)
        && !(writes || traits.user_lock || traits.sets_last_insert_id || traits.sequence)
}

/// What a statement may not do when several shards run it.
fn functions(draft: &Draft, parsed: &Parsed) -> Result<()> {
    let traits = draft.traits;
    let what = if parsed.calc_found_rows {
        "SQL_CALC_FOUND_ROWS would count on each shard"
    } else if traits.assigns_variable {
        "an assignment to a user variable would run on each shard"
    } else if parsed.into || traits.into_file || traits.into_variable {
        "INTO would write on each shard"
    } else if traits.hinted_limit && draft.input.dialect.server == ServerKind::MySql {
        "the hint's sql_select_limit would count each shard's rows"
    } else if traits.user_lock {
        "the lock function would run on each shard"
    } else if traits.sets_last_insert_id || traits.sequence {
        "the function would change each shard's own state"
    } else if traits.seeded {
        "RAND would begin its sequence anew on each shard"
    } else {
        return Ok(());
    };
    Err(refuse(
        "scatter_function",
        format!(
            "The statement would be answered by several shards, and {what}: narrow it to one shard by the \
         shard key"
        ),
    ))
}
