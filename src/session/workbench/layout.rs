//! What stands for a statement's references on the workbench, and what is known there so far.
//!
//! Owns: which tables are read where they are, the names of all, and the order of the gathers.
//! Never: asks a server.

use std::sync::Arc;

use super::bench::Bench;
use super::{Gathering, Work};
use crate::name::{GroupId, TableName};
use crate::planner::plan::{Renaming, Target};
use crate::planner::workbench::{Reference, Task, Workbench};

/// A physical table: database and name.
pub(super) type Physical = (Arc<str>, Arc<str>);

/// What stands for the references, and where.
pub(super) struct Layout {
    pub group: GroupId,
    pub database: Arc<str>,
    /// For each reference the table itself, where it is read as it is.
    pub direct: Vec<Option<Physical>>,
    /// Its tables of information_schema are views, whose columns are called as they have them.
    pub is_mysql: bool,
}

impl Gathering<'_> {
    /// The table itself, where it stands in a group with all the rows that the gather would bring.
    pub(super) fn directly(&self, group: GroupId) -> Option<Physical> {
        // Into a shard no row goes but by its own key, and it has another name.
        let fills = matches!(self.reference.task, Task::Fill { .. });
        let elsewhere = fills || self.plan.reads_temporary() || self.reference.is_grouped();
        if !self.reference.tail.is_empty() || self.reference.partitioned || elsewhere {
            return None;
        }
        let target = match self.targets.as_slice() {
            _ if self.plan.copies().iter().any(|(of, _)| *of == group) => {
                Target::plain(group, None)
            }
            [only] if only.group == group => only.clone(),
            _ => return None,
        };
        self.plan.first_table(&target).map(|(database, table)| (database.clone(), table.clone()))
    }
}

/// What stands on the workbench so far.
pub(super) struct Known {
    /// The references whose rows can be asked there.
    pub rows: Vec<usize>,
    /// Those of which only some rows matter, or that have few.
    pub narrowed: Vec<usize>,
    /// Those that have few, whatever is asked of them.
    few: Vec<usize>,
}

impl Known {
    pub fn of(work: &Work<'_>, layout: &Layout, few: &[usize]) -> Known {
        let all = || work.bench.references.iter().enumerate();
        let direct = all().filter(|(index, _)| !layout.is_moved(*index)).map(|(index, _)| index);
        let narrowed = all().filter(|(_, one)| one.is_narrowed()).map(|(index, _)| index);
        let narrowed = narrowed.chain(few.iter().copied()).collect();
        let mut known = Known { rows: direct.collect(), narrowed, few: few.to_vec() };
        // Tables that are read where they are, restricted by others of their kind.
        loop {
            let restricted = |index: &usize| {
                let one = work.bench.references.get(*index);
                !known.narrowed.contains(index)
                    && one.is_some_and(|one| one.keys.iter().any(|keys| known.is_small(keys.by)))
            };
            let Some(index) = known.rows.iter().copied().find(restricted) else { return known };
            known.narrowed.push(index);
        }
    }

    pub fn is_small(&self, index: usize) -> bool {
        self.rows.contains(&index) && self.narrowed.contains(&index)
    }

    /// Which gather comes next: the one of which least is expected, so that its keys restrict others.
    pub fn next(&self, due: &[&Gathering<'_>]) -> Option<usize> {
        let rank = |one: &Gathering<'_>| {
            let restricted = one.reference.keys.iter().any(|keys| self.is_small(keys.by));
            let narrowed = self.narrowed.contains(&one.index);
            match (self.few.contains(&one.index), restricted, narrowed) {
                (true, true, _) => 0,
                (true, false, _) => 1,
                (false, true, true) => 2,
                (false, true, false) => 3,
                (false, false, true) => 4,
                (false, false, false) => 5,
            }
        };
        due.iter().enumerate().min_by_key(|(_, one)| rank(one)).map(|(place, _)| place)
    }
}

impl Layout {
    pub fn is_moved(&self, index: usize) -> bool {
        self.direct.get(index).is_none_or(Option::is_none)
    }

    /// The quoted names that stand for the references.
    pub fn sources(&self, bench: &Workbench) -> Vec<String> {
        let quoted = |name: &str| name.replace('`', "``");
        let sources = bench.references.iter().zip(&self.direct);
        let source = |(reference, direct): (&Reference, &Option<Physical>)| match direct {
            Some((database, table)) => format!("`{}`.`{}`", quoted(database), quoted(table)),
            None if self.is_mysql && reference.information.is_some() => {
                format!("(SELECT * FROM `{}`)", reference.temporary)
            }
            None => format!("`{}`", reference.temporary),
        };
        sources.map(source).collect()
    }

    /// How their names are turned back.
    pub fn renamings(&self, asked: &Workbench, bench: &Bench) -> Vec<Renaming> {
        let renaming = |(reference, direct): (&Reference, &Option<Physical>)| {
            let temporary = || (bench.database.clone(), Arc::from(&*reference.temporary));
            let (physical_database, physical_table) = direct.clone().unwrap_or_else(temporary);
            Renaming {
                physical_database,
                physical_table,
                schema: reference.schema.clone(),
                table: match reference.information {
                    Some(_) => TableName::new(reference.table.to_ascii_uppercase()),
                    None => TableName::new(&reference.table),
                },
                in_rows: false,
                view: None,
            }
        };
        asked.references.iter().zip(&self.direct).map(renaming).collect()
    }
}
