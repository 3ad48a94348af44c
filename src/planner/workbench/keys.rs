//! Semi-joins: a reference whose rows matter only where a column equals one of another reference's
//! is asked for just these, once that other one is known and small.
//!
//! Owns: finding such pairs. Never: decides which of them is worth it (the session counts keys).
//!
//! The conjuncts are those that may be pushed to the reference (see [`super`]): a row that equals no
//! row of the other one fails such a conjunct whatever else there is. Whole numbers only: they are
//! equal in one way.

use crate::planner::survey::{Conjunct, Leaf, Resolved, Survey};
use crate::sql::analysis::{Body, ColumnName, Comparison, Expr, Item, Select};
use crate::value::types::ColumnType;

/// Rows of a reference are those whose `column` is among the values of another's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    pub column: Box<str>,
    /// The other reference.
    pub by: usize,
    pub of: Box<str>,
}

/// What restricts the rows of a use.
pub(super) fn of(survey: &mut Survey, block: usize, used: usize, all: &[Conjunct]) -> Vec<Keys> {
    let mut found = vec![];
    for conjunct in all {
        let (pairs, in_query) = match conjunct {
            Conjunct::Expr(Expr::InQuery { expr, query, negated: false }) => {
                (in_query(survey, block, expr, &query.body).into_iter().collect(), true)
            }
            Conjunct::Expr(expr) => (equal(survey, block, expr), false),
            Conjunct::Using { name, left, right } => {
                let side = |survey: &Survey, (start, end): (usize, usize)| {
                    let leaves = &survey.blocks.get(block)?.leaves;
                    // Which of several tables gives a merged column depends on the joins.
                    match leaves.get(start..end)? {
                        [Leaf::Table(used)] => number(survey, *used, &name.text),
                        _ => None,
                    }
                };
                let pair = side(survey, *left).zip(side(survey, *right));
                (pair.into_iter().collect(), false)
            }
        };
        for (left, right) in &pairs {
            for (own, other) in [(left, right), (right, left)] {
                // What a subquery gives may be cut or folded before it is compared.
                let turned = in_query && std::ptr::eq(own, right);
                if own.0 == used && other.0 != used && !turned {
                    found.push(Keys { column: own.1.clone(), by: other.0, of: other.1.clone() });
                }
            }
        }
    }
    found
}

/// A column of whole numbers: its use and its name.
type Number = (usize, Box<str>);

/// The columns that are equal wherever a condition holds: in an OR those that are in each branch.
fn equal(survey: &mut Survey, block: usize, expr: &Expr) -> Vec<(Number, Number)> {
    match expr {
        Expr::Compare { op: Comparison::Equal, left, right } => match (&**left, &**right) {
            (Expr::Column(left), Expr::Column(right)) => {
                let left = column(survey, block, left);
                left.zip(column(survey, block, right)).into_iter().collect()
            }
            _ => vec![],
        },
        Expr::And(all) => all.iter().flat_map(|expr| equal(survey, block, expr)).collect(),
        Expr::Or(all) => {
            let mut branches = all.iter().map(|expr| equal(survey, block, expr));
            let mut common = branches.next().unwrap_or_default();
            for branch in branches {
                common.retain(|(left, right)| {
                    branch.iter().any(|(a, b)| (a, b) == (left, right) || (b, a) == (left, right))
                });
            }
            common
        }
        _ => vec![],
    }
}

/// `column IN (SELECT column …)`.
fn in_query(
    survey: &mut Survey,
    block: usize,
    expr: &Expr,
    body: &Body,
) -> Option<(Number, Number)> {
    let (Expr::Column(outer), Body::Select(select)) = (expr, body) else { return None };
    let [Item::Expr { expr: Expr::Column(item), .. }] = select.items.as_slice() else {
        return None;
    };
    let is_it = |known: &Select| std::ptr::eq(known, &**select);
    let inner = survey.blocks.iter().position(|block| block.select.is_some_and(is_it))?;
    let item = column(survey, inner, item)?;
    column(survey, block, outer).zip(Some(item))
}

/// The use and the name of a column that holds whole numbers.
fn column(survey: &mut Survey, block: usize, column: &ColumnName) -> Option<Number> {
    match survey.resolve(block, column) {
        Resolved::Use(used) => number(survey, used, &column.column.text),
        _ => None,
    }
}

fn number(survey: &Survey, used: usize, name: &str) -> Option<Number> {
    let known = survey.uses.get(used)?.table.as_ref()?.column(name)?;
    matches!(known.kind, ColumnType::Int { .. }).then(|| (used, known.name.clone()))
}
