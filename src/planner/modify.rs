//! UPDATE and DELETE.
//!
//! Owns: which shards they change, and the refusals of what would move a row or change another
//! number of rows than one MySQL would. Never: runs anything in a transaction.

use crate::planner::draft::{Draft, Naming, Result};
use crate::planner::plan::{Access, WriteKind};
use crate::planner::query::{Outcome, lie_together, narrow_all, sharded_uses};
use crate::planner::refuse::refuse;
use crate::planner::survey::{Resolved, Role, Survey};
use crate::planner::{Action, Many, Tables};
use crate::rules::table::Placement;
use crate::sql::analysis::{Assignment, Delete, Expr, Limit, OrderItem, Update};

pub(crate) fn update<'a>(draft: Draft<'a>, update: &'a Update) -> Result<Outcome> {
    let mut survey = Survey::new(draft.input);
    let block = survey.open(None, Role::Top);
    survey.from(block, &update.from, update.filter.as_ref())?;
    let mut changed = vec![];
    for assignment in &update.assignments {
        survey.expression(block, &assignment.value)?;
        // The qualifier of an assigned column is a name like any other.
        survey.column(block, &assignment.target);
        changed.extend(changed_table(&mut survey, block, assignment)?);
    }
    let rest = Rest { order_by: &update.order_by, limit: update.limit.as_ref() };
    finish(draft, survey, block, &changed, &rest, |_| Naming::Alias)
}

pub(crate) fn delete<'a>(draft: Draft<'a>, delete: &'a Delete) -> Result<Outcome> {
    let mut survey = Survey::new(draft.input);
    let block = survey.open(None, Role::Top);
    survey.from(block, &delete.from, delete.filter.as_ref())?;
    let mut changed = vec![];
    for target in &delete.targets {
        match survey.qualified_name(block, target) {
            Some(used) => changed.push(used),
            None => {
                return Err(refuse(
                    "not_understood",
                    format!("'{}' names no table of the DELETE", target.table.text),
                ));
            }
        }
    }
    if delete.targets.is_empty() {
        changed.push(0);
    }
    if delete.returning {
        returning(&survey)?;
    }
    let rest = Rest { order_by: &delete.order_by, limit: delete.limit.as_ref() };
    finish(draft, survey, block, &changed, &rest, |_| Naming::Rename)
}

struct Rest<'a> {
    order_by: &'a [OrderItem],
    limit: Option<&'a Limit>,
}

/// RETURNING's rows are not merged.
fn returning(survey: &Survey) -> Result<()> {
    let single = survey.uses.iter().all(|used| matches!(used.placement, Placement::Single(_)));
    if single {
        return Ok(());
    }
    Err(refuse("not_understood", "RETURNING is supported for single tables only"))
}

/// The table that an assignment changes. A shard key can't be changed.
fn changed_table(
    survey: &mut Survey,
    block: usize,
    assignment: &Assignment,
) -> Result<Option<usize>> {
    let column = &assignment.target;
    let used = match survey.resolve(block, column) {
        Resolved::Use(used) => used,
        Resolved::Derived(..) | Resolved::Unknown => {
            // Any of the statement's tables may have the key.
            let key = survey.uses.iter().any(|used| match &used.placement {
                Placement::Sharded(table) => table.key_index(&column.column.text).is_some(),
                _ => false,
            });
            return if key { Err(key_update(&column.column.text)) } else { Ok(None) };
        }
    };
    let key =
        survey.sharded(used).is_some_and(|table| table.key_index(&column.column.text).is_some());
    if key && !same_column(column, &assignment.value) {
        return Err(key_update(&column.column.text));
    }
    Ok(Some(used))
}

/// `SET user_id = user_id` changes nothing.
fn same_column(column: &crate::sql::analysis::ColumnName, value: &Expr) -> bool {
    matches!(value, Expr::Column(other)
        if other.column.is(&column.column.text) && other.table.is_none() && column.table.is_none())
}

pub(crate) fn key_update(column: &str) -> crate::error::Error {
    refuse(
        "key_update",
        format!(
            "The statement would change the shard key '{column}', and the row would have to move to another \
         shard: insert it with the new key and delete the old row"
        ),
    )
}

fn finish<'a>(
    mut draft: Draft<'a>,
    mut survey: Survey<'a>,
    block: usize,
    changed: &[usize],
    rest: &Rest<'a>,
    naming: impl Fn(usize) -> Naming,
) -> Result<Outcome> {
    draft.facts.access = Access::Write;
    for item in rest.order_by {
        survey.expression(block, &item.expr)?;
    }
    draft.name_tables(&survey, naming);
    let mut tables = draft.groups(&survey)?;
    let sharded = sharded_uses(&survey);
    let broadcast: Vec<usize> =
        changed.iter().copied().filter(|used| is_broadcast(&survey, *used)).collect();
    if !broadcast.is_empty() {
        broadcast_write(&draft, &survey, &sharded, changed, rest, &mut tables)?;
    } else if !sharded.is_empty() {
        shards(&draft, &mut survey, &sharded, changed, rest, &mut tables)?;
    }
    if !survey.needs.is_empty() {
        return Ok(Outcome::Need(survey.needs));
    }
    Ok(Outcome::Plan(draft.finish(Action::Tables(tables))))
}

fn is_broadcast(survey: &Survey, used: usize) -> bool {
    survey.uses.get(used).is_some_and(|used| matches!(used.placement, Placement::Broadcast(_)))
}

fn shards(
    draft: &Draft,
    survey: &mut Survey,
    sharded: &[usize],
    changed: &[usize],
    rest: &Rest,
    tables: &mut Tables,
) -> Result<()> {
    let mut narrowed = narrow_all(survey, sharded);
    draft.hinted(&mut narrowed)?;
    let many =
        lie_together(survey, sharded).and_then(|()| repeatable(draft, survey, changed, rest));
    tables.many = Some(match many {
        Ok(()) => {
            let allowed = draft.scatter_allowed(&narrowed, |table| table.scatter_writes);
            Many::Write { write: WriteKind::Split, allowed }
        }
        Err(error) => Many::Refuse(error),
    });
    tables.sharded = narrowed;
    Ok(())
}

/// Whether running a write on each shard changes what one MySQL would change.
fn repeatable(draft: &Draft, survey: &Survey, changed: &[usize], rest: &Rest) -> Result<()> {
    if rest.limit.is_some() {
        return Err(refuse(
            "limit_write",
            "UPDATE or DELETE with LIMIT would change that many rows on each \
             shard: narrow it to one shard by the shard key",
        ));
    }
    let outside = changed.iter().any(|used| {
        survey.uses.get(*used).is_some_and(|used| !matches!(used.placement, Placement::Sharded(_)))
    });
    if outside {
        return Err(refuse(
            "scatter_write",
            "The statement changes a table that is not sharded and would \
             change it once for each shard: narrow it to one shard, or write two statements",
        ));
    }
    // UPDATE t SET n = (@i := @i + 1), and values that each shard would draw for itself, are no
    // worse than on one server; variables and locks are.
    let traits = draft.traits;
    if traits.assigns_variable || traits.user_lock || traits.sets_last_insert_id || traits.sequence
    {
        return Err(refuse(
            "scatter_function",
            "The statement assigns a variable, takes a lock or uses a \
             sequence, and several shards would each do so: narrow it to one shard by the shard key",
        ));
    }
    let derived =
        survey.blocks.iter().any(|block| matches!(block.role, Role::Derived | Role::Lateral));
    if derived {
        return Err(refuse(
            "scatter_subquery",
            "A derived table in an UPDATE or DELETE over several shards \
             is not supported: narrow it to one shard by the shard key",
        ));
    }
    Ok(())
}

/// A change of a broadcast table goes to every copy, and each must end up the same.
fn broadcast_write(
    draft: &Draft,
    survey: &Survey,
    sharded: &[usize],
    changed: &[usize],
    rest: &Rest,
    tables: &mut Tables,
) -> Result<()> {
    let others = survey.uses.iter().any(|used| !matches!(used.placement, Placement::Broadcast(_)));
    if others || !sharded.is_empty() || changed.iter().any(|used| !is_broadcast(survey, *used)) {
        return Err(refuse(
            "broadcast_nondeterministic",
            "A broadcast table is changed by rows of a table \
             that not every group has: its copies would differ. Read the values first",
        ));
    }
    deterministic(draft, survey)?;
    if rest.limit.is_some() {
        return Err(refuse(
            "limit_write",
            "UPDATE or DELETE of a broadcast table with LIMIT may change other \
             rows in each copy: name the rows by their key",
        ));
    }
    tables.many = Some(Many::Broadcast);
    Ok(())
}

/// Each copy of a broadcast table must compute the same values.
pub(crate) fn deterministic(draft: &Draft, survey: &Survey) -> Result<()> {
    let traits = draft.traits;
    let what = if traits.random {
        "RAND(), UUID() and kin give each copy another value"
    } else if traits.sysdate {
        "SYSDATE() gives each copy another value: NOW() is fixed to one moment"
    } else if traits.assigns_variable
        || traits.user_lock
        || traits.sets_last_insert_id
        || traits.sequence
    {
        "it changes the session besides"
    } else if traits.session_function || traits.host_function {
        "the function differs from server to server"
    } else if survey.calls_stored {
        "a stored function may give each copy another value"
    } else {
        return Ok(());
    };
    Err(refuse(
        "broadcast_nondeterministic",
        format!(
            "The statement changes every copy of a broadcast table, and {what}: write the value itself"
        ),
    ))
}
