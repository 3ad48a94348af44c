//! Which select item a key of ORDER BY or GROUP BY means.
//!
//! Owns: ordinals, aliases and equal columns; and which keys can be selected. Never: looks at what an expression computes.

use crate::planner::draft::{Draft, Result};
use crate::planner::refuse::refuse;
use crate::planner::survey::{Leaf, Resolved, Survey};
use crate::sql::analysis::{Expr, Item, Literal, Select};
use crate::sql::lex::ServerKind;

/// The select item that an ordinal or an alias of ORDER BY or GROUP BY means.
pub(super) fn item_index(select: &Select, expr: &Expr, alias_first: bool) -> Option<usize> {
    match expr {
        Expr::Literal(Literal::Number(number)) => {
            let index = number.parse::<usize>().ok()?.checked_sub(1)?;
            let star =
                select.items.iter().take(index + 1).any(|item| !matches!(item, Item::Expr { .. }));
            (!star && index < select.items.len()).then_some(index)
        }
        Expr::Column(column) if column.table.is_none() => {
            let alias = select.items.iter().position(|item| {
                matches!(item, Item::Expr { alias: Some(alias), .. } if alias.is(&column.column.text))
            });
            let same = same_column(select, column.column.text.as_str());
            if alias_first { alias.or(same) } else { same.or(alias) }
        }
        Expr::Column(column) => select.items.iter().position(|item| {
            matches!(item, Item::Expr { expr: Expr::Column(other), .. }
            if other.column.is(&column.column.text)
                && other.table.as_ref().is_some_and(|t| {
                    column.table.as_ref().is_some_and(|u| u.text == t.text)
                }))
        }),
        _ => None,
    }
}

fn same_column(select: &Select, name: &str) -> Option<usize> {
    select.items.iter().position(|item| {
        matches!(item, Item::Expr { expr: Expr::Column(other), alias: None } if other.column.is(name))
    })
}

/// Whether a key is a number behind a sign, which some servers take for an ordinal.
pub(super) fn is_signed_number(expr: &Expr) -> bool {
    match expr {
        Expr::Negate(inner) => {
            matches!(**inner, Expr::Literal(_) | Expr::Slot(_)) || is_signed_number(inner)
        }
        _ => false,
    }
}

/// Whether a name may mean one of several items: an expression with that alias hides columns of that
/// name, and of two columns neither is meant.
pub(super) fn is_ambiguous(select: &Select, expr: &Expr) -> bool {
    let Expr::Column(column) = expr else { return false };
    if column.table.is_some() {
        return false;
    }
    let name = column.column.text.as_str();
    let named = |item: &Item| match item {
        Item::Expr { alias: Some(alias), .. } => alias.is(name),
        Item::Expr { expr: Expr::Column(other), alias: None } => other.column.is(name),
        _ => false,
    };
    select.items.iter().filter(|item| named(item)).count() > 1
}

/// The select item that a key of GROUP BY means: there a table's own column goes before an alias.
pub(super) fn group_index(
    survey: &mut Survey,
    block: usize,
    select: &Select,
    expr: &Expr,
) -> Option<usize> {
    if let Expr::Column(column) = expr {
        if column.table.is_none() && matches!(survey.resolve(block, column), Resolved::Use(_)) {
            return same_column(select, &column.column.text);
        }
    }
    item_index(select, expr, false)
}

/// Whether an expression that rows are grouped by can be selected as well.
///
/// # Errors
/// MariaDB takes a constant of a derived table for the column that equals it, and then misses that
/// column among those of the expression (1055).
pub(crate) fn may_select_key(draft: &Draft, survey: &Survey, block: usize) -> Result<()> {
    let leaves = survey.blocks.get(block).map_or(&[][..], |block| &block.leaves);
    let derived = leaves.iter().any(|leaf| matches!(leaf, Leaf::Derived { .. }));
    if draft.input.dialect.server == ServerKind::MariaDb && leaves.len() > 1 && derived {
        return Err(refuse(
            "scatter_aggregate",
            "MariaDB may not select what joined rows of a derived table are grouped by where sql_mode has \
             ONLY_FULL_GROUP_BY: group by columns",
        ));
    }
    Ok(())
}
