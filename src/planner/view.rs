//! What a session may ask of a plan beside its route.
//!
//! Owns: these small answers. Never: binds or renders.

use smallvec::SmallVec;

use crate::error::{Error, Result};
use crate::name::GroupId;
use crate::planner::bind::{Binding, SessionFacts};
use crate::planner::plan::{Route, Rows, Target};
use crate::planner::survey::is_information;
use crate::planner::workbench::Workbench;
use crate::planner::{Action, Plan, TableUse};
use crate::rules::table::Placement;
use std::sync::Arc;

impl Target {
    /// A place for a statement of Weir's own, which names no sharded table.
    pub fn plain(group: GroupId, database: Option<Arc<str>>) -> Target {
        Target {
            group,
            database,
            shard: None,
            rows: Rows::All,
            scattered: false,
            shards: SmallVec::new(),
        }
    }
}

impl Plan {
    /// The groups that hold all rows of the statement's first table, with the physical database.
    pub fn copies(&self) -> &[(GroupId, Arc<str>)] {
        match self.tables.first().map(|used| &used.placement) {
            Some(Placement::Broadcast(table)) => &table.copies,
            _ => &[],
        }
    }

    /// What gathers its rows and those of information_schema, where it reads both.
    pub fn informed(&self) -> Option<&Workbench> {
        let is_informed = self.schemas.iter().any(|schema| is_information(schema.as_str()));
        match &self.action {
            Action::Tables(tables) if is_informed => tables.bench.as_deref(),
            _ => None,
        }
    }

    /// Whether its first table is a session's temporary one.
    pub fn reads_temporary(&self) -> bool {
        self.tables.first().is_some_and(|used| used.placement.is_temporary())
    }

    /// The physical database and name of the statement's first table at a target.
    pub fn first_table(&self, target: &Target) -> Option<(&Arc<str>, &Arc<str>)> {
        self.physical(0, target)
    }

    /// The physical database and table of everything that the statement names, with what it is
    /// called.
    pub fn physical_tables(&self, target: &Target) -> Vec<(Arc<str>, Arc<str>, String)> {
        let one = |(index, used): (usize, &TableUse)| {
            let (database, table) = self.physical(index, target)?;
            Some((database.clone(), table.clone(), used.name.to_string()))
        };
        self.tables.iter().enumerate().filter_map(one).collect()
    }

    /// Whether no server's rows or tables are concerned: rights on kinds of statements don't apply.
    pub fn is_about_session(&self) -> bool {
        matches!(self.action, Action::Session(_) | Action::Reply(_))
    }

    /// Whether it reads views over shards, and must be written with what they read first; with
    /// whether their definers' rights count.
    pub fn through_views(&self) -> Option<bool> {
        match &self.action {
            Action::Views(expansion) => Some(expansion.definer),
            _ => None,
        }
    }

    /// The logical tables that the statement names, as schema and name.
    pub fn table_names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tables.iter().map(|used| (used.schema.as_str(), &*used.name))
    }

    /// Any one target: where a prepared statement's columns can be learnt before its values are
    /// known. `None` where no server is concerned.
    ///
    /// # Errors
    /// The statement is refused whatever its values are.
    pub fn sample(&self, binding: &Binding<'_>) -> Result<Option<Target>> {
        let tables = match &self.action {
            Action::Refuse(error) => return Err(error.clone()),
            Action::Reply(_)
            | Action::Session(_)
            | Action::Fill
            | Action::Load(_)
            | Action::Views(_) => {
                return Ok(None);
            }
            Action::Tables(tables) => tables,
        };
        if tables.sharded.is_empty() {
            let session = SessionFacts { ..*binding.session };
            return match self.bind(&Binding { session: &session, ..*binding }) {
                Route::Forward(target) => Ok(Some(target)),
                Route::Scatter { targets, .. } | Route::Write { targets, .. } => Ok(targets
                    .into_iter()
                    .next()
                    .map(|target| Target { scattered: false, ..target })),
                Route::Refuse(error) => Err(error),
                Route::Reply(_) | Route::Session(_) | Route::Workbench(_) | Route::Load(_) => {
                    Ok(None)
                }
            };
        }
        // The first shard that lies with the statement's other tables.
        let first = tables.sharded.first().map_or(0, |narrowed| narrowed.table.shards.len());
        let fits = |shard: u32| {
            let mut groups = tables
                .sharded
                .iter()
                .map(|narrowed| narrowed.table.shard(shard).map(|shard| shard.group));
            let group = groups.next().flatten();
            groups.all(|other| other == group) && group.is_some_and(|group| tables.lie_on(group))
        };
        let count = u32::try_from(first).unwrap_or(u32::MAX);
        let Some(shard) = (0..count).find(|&shard| fits(shard)) else {
            // The workbench describes its answer when it gives it.
            if tables.bench.is_some() {
                return Ok(None);
            }
            return Err(Error::refused(
                "cross_group",
                "No shard of the statement's first table lies with its other tables",
            ));
        };
        let shards = SmallVec::from_elem(shard, tables.sharded.len());
        self.placed(tables, shards, binding.rules).map(Some)
    }
}
