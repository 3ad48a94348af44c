//! RETURNING: a write that answers with rows.
//!
//! Owns: its items' names, and where it is allowed. Never: orders such rows
//! ([`crate::executor::returned`] does).

use crate::planner::draft::{Draft, Result};
use crate::planner::label::label_nested;
use crate::planner::refuse::refuse;
use crate::planner::survey::{Survey, Use};
use crate::rules::table::Placement;
use crate::sql::analysis::Item;

/// Takes the items' columns into the survey of the statement.
///
/// # Errors
/// A table with an index: its rows are changed by several statements.
pub(crate) fn look<'a>(
    draft: &mut Draft,
    survey: &mut Survey<'a>,
    block: usize,
    items: &'a [Item],
) -> Result<()> {
    draft.facts.returns = !items.is_empty();
    for item in items {
        match item {
            Item::Expr { expr, .. } => survey.expression(block, expr)?,
            Item::AllOf(name) => survey.star(block, name),
            Item::All => {}
        }
    }
    let indexed = |used: &Use| match &used.placement {
        Placement::Sharded(table) => !table.indexes.is_empty(),
        _ => false,
    };
    if draft.facts.returns && !draft.explains && survey.uses.iter().any(indexed) {
        return Err(refuse(
            "index_kept",
            "RETURNING isn't supported where a table has an index: leave RETURNING out",
        ));
    }
    Ok(())
}

/// Columns are named as the client wrote them, whatever the table is called at its place.
pub(crate) fn label(draft: &mut Draft) -> Result<()> {
    if draft.facts.returns { label_nested(draft) } else { Ok(()) }
}
