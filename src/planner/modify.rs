//! UPDATE and DELETE.
//!
//! Owns: which shards they change, and the refusals of what would move a row or change another
//! number of rows than one MySQL would. Never: runs anything in a transaction.

use crate::catalog;
use crate::error::{Error, Fault};
use crate::planner::draft::{Draft, Naming, Result};
use crate::planner::index;
use crate::planner::plan::{Access, WriteKind};
use crate::planner::query::{Outcome, lie_together, narrow_all, sharded_uses};
use crate::planner::refuse::refuse;
use crate::planner::returning;
use crate::planner::survey::{Leaf, Resolved, Role, Survey, Use};
use crate::planner::workbench::change::Wanted;
use crate::planner::workbench::{self, Workbench};
use crate::planner::{Action, Many, Tables};
use crate::rules::table::Placement;
use crate::sql::analysis::{Assignment, Delete, Expr, Limit, OrderItem, Update};
use crate::sql::lex::ServerKind;
use crate::sql::slot::{LiteralKind, Slot, SlotKind};

pub(crate) fn update<'a>(draft: Draft<'a>, update: &'a Update) -> Result<Outcome> {
    let mut survey = Survey::new(draft.input);
    let block = survey.open(None, Role::Top);
    survey.from(block, &update.from, update.filter.as_ref())?;
    let rest = Rest { order_by: &update.order_by, limit: update.limit.as_ref() };
    let mut writing = Writing::new(rest, update.ignore);
    for assignment in &update.assignments {
        survey.expression(block, &assignment.value)?;
        // The qualifier of an assigned column is a name like any other.
        survey.column(block, &assignment.target);
        changed_table(&mut survey, block, assignment, &mut writing)?;
    }
    finish(draft, survey, block, writing, |_| Naming::Alias)
}

pub(crate) fn delete<'a>(mut draft: Draft<'a>, delete: &'a Delete) -> Result<Outcome> {
    let mut survey = Survey::new(draft.input);
    let block = survey.open(None, Role::Top);
    survey.from(block, &delete.from, delete.filter.as_ref())?;
    let rest = Rest { order_by: &delete.order_by, limit: delete.limit.as_ref() };
    let mut writing = Writing::new(rest, delete.ignore);
    writing.deletes = true;
    for target in &delete.targets {
        match survey.qualified_name(block, target) {
            Some(used) => writing.changes(used, None),
            None => {
                return Err(refuse(
                    "not_understood",
                    format!("'{}' names no table of the DELETE", target.table.text),
                ));
            }
        }
    }
    if delete.targets.is_empty() {
        writing.single = true;
        writing.changes(0, None);
    }
    returning::look(&mut draft, &mut survey, block, &delete.returning)?;
    finish(draft, survey, block, writing, |_| Naming::Rename)
}

struct Rest<'a> {
    order_by: &'a [OrderItem],
    limit: Option<&'a Limit>,
}

/// What a statement changes.
struct Writing<'a> {
    rest: Rest<'a>,
    /// The tables that are changed, with the columns that are assigned.
    changed: Vec<(usize, Vec<String>)>,
    /// It isn't known which table a column belongs to.
    unsure: bool,
    /// A shard key is assigned: a row may have to move.
    moves: Option<Error>,
    deletes: bool,
    /// `DELETE FROM t`.
    single: bool,
    ignore: bool,
}

impl<'a> Writing<'a> {
    fn new(rest: Rest<'a>, ignore: bool) -> Self {
        let (changed, unsure, moves) = (vec![], false, None);
        Writing { rest, changed, unsure, moves, deletes: false, single: false, ignore }
    }

    fn changes(&mut self, used: usize, column: Option<&str>) {
        let column = column.map(str::to_owned);
        match self.changed.iter_mut().find(|(known, _)| *known == used) {
            Some((_, columns)) => columns.extend(column),
            None => self.changed.push((used, column.into_iter().collect())),
        }
    }

    fn tables(&self) -> impl Iterator<Item = usize> {
        self.changed.iter().map(|(used, _)| *used)
    }
}

/// Notes the table that an assignment changes.
fn changed_table(
    survey: &mut Survey,
    block: usize,
    assignment: &Assignment,
    writing: &mut Writing,
) -> Result<()> {
    let column = &assignment.target;
    let name = &column.column.text;
    let used = match survey.resolve(block, column) {
        Resolved::Use(used) => used,
        Resolved::Derived(..) | Resolved::Unknown => {
            let leaves = survey.blocks.get(block).map(|block| block.leaves.as_slice());
            match leaves {
                // It says itself that it has no such column.
                Some([Leaf::Table(only)]) => writing.changes(*only, None),
                _ => writing.unsure = true,
            }
            // Any of the statement's tables may have the key.
            let key = survey.uses.iter().any(|used| match &used.placement {
                Placement::Sharded(table) => table.key_index(name).is_some(),
                _ => false,
            });
            return if key { Err(key_update(name)) } else { Ok(()) };
        }
    };
    let key = survey.sharded(used).is_some_and(|table| table.key_index(name).is_some());
    if key && !same_column(column, &assignment.value) {
        writing.moves = Some(key_update(name));
    }
    writing.changes(used, Some(name));
    Ok(())
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
    writing: Writing<'a>,
    naming: impl Fn(usize) -> Naming,
) -> Result<Outcome> {
    draft.facts.access = Access::Write;
    for used in writing.tables() {
        survey
            .uses
            .get(used)
            .map_or(Ok(()), |used| index::check_own(draft.input.rules, &used.placement))?;
    }
    for item in writing.rest.order_by {
        survey.expression(block, &item.expr)?;
    }
    draft.name_tables(&survey, naming);
    returning::label(&mut draft)?;
    let sharded = sharded_uses(&survey);
    let (mut tables, refused) = match draft.groups(&survey) {
        Ok(mut tables) => {
            let refused = place(&draft, &mut survey, &sharded, &writing, &mut tables)?;
            (tables, refused)
        }
        Err(error) => (Tables::default(), Some(error)),
    };
    on_workbench(&draft, &mut survey, &writing, refused, &mut tables)?;
    if !survey.needs.is_empty() {
        return Ok(Outcome::Need(survey.needs));
    }
    Ok(Outcome::Plan(draft.finish(Action::Tables(tables))))
}

/// Where the statement goes as it is; the refusal of one that no place can run so, whatever its
/// values are.
fn place(
    draft: &Draft,
    survey: &mut Survey,
    sharded: &[usize],
    writing: &Writing,
    tables: &mut Tables,
) -> Result<Option<Error>> {
    if let Some(error) = keeps_index(draft, survey, writing) {
        return Ok(Some(error));
    }
    if let Some(error) = &writing.moves {
        return Ok(Some(error.clone()));
    }
    if writing.tables().any(|used| is_broadcast(survey, used)) {
        if says_default(draft) {
            (0..survey.uses.len()).for_each(|used| survey.need(used));
        }
        return Ok(broadcast_write(draft, survey, sharded, writing, tables).err());
    }
    if !sharded.is_empty() {
        shards(draft, survey, sharded, writing, tables)?;
    }
    Ok(None)
}

/// Why the statement takes the way by the workbench, if it may change what stands in an index.
fn keeps_index(draft: &Draft, survey: &mut Survey, writing: &Writing) -> Option<Error> {
    if draft.explains {
        return None;
    }
    let mut kept = None;
    if writing.unsure {
        let indexed = |used: &Use| match &used.placement {
            Placement::Sharded(table) => !table.indexes.is_empty(),
            _ => false,
        };
        kept = survey.uses.iter().find(|used| indexed(used)).map(|used| index::kept(&used.name));
    }
    for (used, set) in &writing.changed {
        let Some(table) = survey.sharded(*used).filter(|table| !table.indexes.is_empty()) else {
            continue;
        };
        survey.need(*used);
        let known = survey.uses.get(*used).and_then(|used| used.table.clone());
        let set = (!writing.deletes).then_some(set.as_slice());
        if known.is_none_or(|known| index::is_touched(&table, &known, set)) {
            kept = Some(index::kept(table.name.as_str()));
        }
    }
    kept
}

/// What can't be sent as it is runs on the workbench, and what it changed there goes back.
fn on_workbench(
    draft: &Draft,
    survey: &mut Survey,
    writing: &Writing,
    refused: Option<Error>,
    tables: &mut Tables,
) -> Result<()> {
    let reason = match (&refused, &tables.many) {
        (Some(error), _) | (None, Some(Many::Refuse(error))) => error.clone(),
        // Its shards may not all lie with its other tables.
        (None, Some(_)) if !tables.groups.is_empty() && !tables.sharded.is_empty() => {
            refuse("cross_group", "Tables of several groups are joined")
        }
        _ => return Ok(()),
    };
    let only = refused.is_some();
    let runs = !draft.explains
        && !writing.unsure
        && !draft.names_shard()
        && own_effects(draft, survey).is_none();
    let planned = match runs {
        true => change(draft, survey, writing, (reason.code, reason.message.clone())),
        false => Ok(None),
    };
    match planned {
        Ok(Some(bench)) => {
            tables.bench = Some(Box::new(bench));
            tables.only_bench = only;
        }
        Ok(None) if only => return Err(reason),
        Err(error) if only => return Err(error),
        Err(error) => {
            if matches!(tables.many, Some(Many::Refuse(_))) {
                tables.many = Some(Many::Refuse(error));
            }
        }
        Ok(None) => {}
    }
    Ok(())
}

fn change(
    draft: &Draft,
    survey: &mut Survey,
    writing: &Writing,
    reason: (&'static str, String),
) -> Result<Option<Workbench>> {
    if draft.input.dialect.server == ServerKind::MySql {
        read_again(survey, writing.tables())?;
    }
    changed_twice(survey, writing)?;
    let allowed = draft.scatter_ok()
        || writing.tables().all(|used| match survey.uses.get(used).map(|used| &used.placement) {
            Some(Placement::Sharded(table)) => table.scatter_writes,
            _ => true,
        });
    let wanted = Wanted::Modify {
        changed: &writing.changed,
        deletes: writing.deletes,
        single: writing.single,
        ignore: writing.ignore,
        order_by: writing.rest.order_by,
        limit: writing.rest.limit,
    };
    workbench::plan_change(draft, survey, &wanted, allowed, reason)
}

/// A row that two names of the statement change would be written back by each of them.
fn changed_twice(survey: &Survey, writing: &Writing) -> Result<()> {
    let names: Vec<_> = writing
        .tables()
        .filter_map(|used| survey.uses.get(used))
        .map(|used| (&used.schema, &used.name))
        .collect();
    let twice = names
        .iter()
        .enumerate()
        .find(|(place, name)| names.iter().skip(place + 1).any(|other| other == *name));
    match twice {
        None => Ok(()),
        Some((_, (_, name))) => Err(refuse(
            "write_twice",
            format!(
                "The statement changes table '{name}' by two names, and which change of a row counts isn't \
                 known over several shards: write two statements, or narrow it to one shard",
            ),
        )),
    }
}

/// MySQL doesn't let a subquery read the table that is changed; a derived table has rows of its own.
pub(crate) fn read_again(survey: &Survey, changed: impl Iterator<Item = usize>) -> Result<()> {
    for used in changed.filter_map(|used| survey.uses.get(used)) {
        let again = survey.uses.iter().any(|other| {
            let role = survey.blocks.get(other.block).map(|block| block.role);
            let same = (&other.schema, &other.name) == (&used.schema, &used.name);
            same && matches!(role, Some(Role::Subquery(_)))
        });
        if again {
            let shown = used.alias.as_ref().unwrap_or(&used.written.table);
            return Err(Error::new(
                Fault::Client,
                1093,
                b"HY000",
                "",
                format!(
                    "You can't specify target table '{}' for update in FROM clause",
                    shown.text
                ),
            ));
        }
    }
    Ok(())
}

/// What a statement does to its session besides, which another connection wouldn't show.
pub(crate) fn own_effects(draft: &Draft, survey: &Survey) -> Option<&'static str> {
    let traits = draft.traits;
    if traits.assigns_variable || traits.into_variable {
        Some("assigns a variable")
    } else if traits.user_lock {
        Some("takes a lock")
    } else if traits.sets_last_insert_id || traits.sequence {
        Some("changes LAST_INSERT_ID() or a sequence")
    } else if survey.calls_stored {
        Some("calls a stored function")
    } else {
        None
    }
}

fn is_broadcast(survey: &Survey, used: usize) -> bool {
    survey.uses.get(used).is_some_and(|used| matches!(used.placement, Placement::Broadcast(_)))
}

fn shards(
    draft: &Draft,
    survey: &mut Survey,
    sharded: &[usize],
    writing: &Writing,
    tables: &mut Tables,
) -> Result<()> {
    let mut narrowed = narrow_all(survey, sharded);
    draft.hinted(&mut narrowed)?;
    let many = lie_together(survey, sharded).and_then(|()| repeatable(draft, survey, writing));
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
fn repeatable(draft: &Draft, survey: &Survey, writing: &Writing) -> Result<()> {
    if writing.rest.limit.is_some() {
        return Err(refuse(
            "limit_write",
            "UPDATE or DELETE with LIMIT would change that many rows on each \
             shard: narrow it to one shard by the shard key",
        ));
    }
    let outside = writing.tables().any(|used| {
        survey.uses.get(used).is_some_and(|used| !matches!(used.placement, Placement::Sharded(_)))
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
    let own = traits.assigns_variable || traits.user_lock || traits.sets_last_insert_id;
    if own || traits.sequence || traits.seeded {
        return Err(refuse(
            "scatter_function",
            "The statement assigns a variable, takes a lock, or uses a \
             sequence or RAND of a constant, and several shards would each do so: narrow it to one shard by the shard key",
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
    writing: &Writing,
    tables: &mut Tables,
) -> Result<()> {
    let others = survey.uses.iter().any(|used| !matches!(used.placement, Placement::Broadcast(_)));
    if others || !sharded.is_empty() || writing.tables().any(|used| !is_broadcast(survey, used)) {
        return Err(refuse(
            "broadcast_nondeterministic",
            "A broadcast table is changed by rows of a table \
             that not every group has: its copies would differ. Read the values first",
        ));
    }
    deterministic(draft, survey)?;
    if writing.rest.limit.is_some() {
        return Err(refuse(
            "limit_write",
            "UPDATE or DELETE of a broadcast table with LIMIT may change other \
             rows in each copy: name the rows by their key",
        ));
    }
    tables.many = Some(Many::Broadcast);
    Ok(())
}

/// Whether the statement has DEFAULT in it, or rows that nobody has looked at.
fn says_default(draft: &Draft) -> bool {
    let has = |slot: &Slot| {
        slot.kinds.contains(LiteralKind::Default) || slot.kind == SlotKind::Rows { opaque: true }
    };
    draft.traits.says_default || draft.input.lexed.slots().iter().any(has)
}

/// Whether DEFAULT may be an expression's value in a table that the statement names.
fn may_compute_default(survey: &Survey) -> bool {
    let computes =
        |column: &catalog::Column| matches!(column.default, catalog::DefaultValue::Expression(_));
    let tables = survey.uses.iter().map(|used| used.table.as_ref());
    tables.flatten().any(|table| table.columns.iter().any(computes))
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
    } else if traits.server_variable {
        "the system variable differs from server to server"
    } else if says_default(draft) && may_compute_default(survey) {
        "each copy would evaluate the expression that is a column's DEFAULT for itself"
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
