//! LIMIT over several shards: what the clause says, and what each shard is told.
//!
//! Owns: reading the clause and widening it by the offset. Never: cuts the merged rows (the executor
//! does).

use crate::planner::draft::{Draft, Result};
use crate::planner::plan::{Count, Limit};
use crate::planner::refuse::refuse;
use crate::planner::splice::What;
use crate::sql::analysis::{Expr, Layout, Limit as LimitClause, Literal};

/// `LIMIT offset + count` for each shard.
pub(crate) fn widen(draft: &mut Draft, limit: &Limit, layout: &Layout) {
    let Some(at) = layout.limit else { return };
    if limit.offset == Count::Fixed(0) {
        return;
    }
    draft.splice(at, What::Limit(limit.clone()), true);
}

/// What a LIMIT clause says, in numbers or slots.
pub(crate) fn limit_of(clause: &LimitClause) -> Result<Limit> {
    let count = |expr: &Expr| match expr {
        Expr::Slot(slot) => Ok(Count::Slot(*slot)),
        Expr::Literal(Literal::Number(text)) => {
            text.parse().map(Count::Fixed).map_err(|_| not_a_count())
        }
        _ => Err(not_a_count()),
    };
    Ok(Limit {
        offset: clause.offset.as_ref().map_or(Ok(Count::Fixed(0)), count)?,
        count: count(&clause.count)?,
    })
}

fn not_a_count() -> crate::error::Error {
    refuse("scatter_limit", "LIMIT over several shards needs plain numbers or parameters")
}
