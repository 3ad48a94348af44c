//! A plan in the making.
//!
//! Owns: what all kinds of statements share: facts from traits and hints, the names to be spliced,
//! the groups that hold what a statement names. Never: knows one kind of statement.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::name::{GroupId, SchemaName};
use crate::planner::plan::{Access, Facts, NodeChoice, Pin, PreparedForm, Unseen};
use crate::planner::splice::{Part, Splice, What};
use crate::planner::survey::{Survey, Use, cross_group, is_system};
use crate::planner::views::ViewName;
use crate::planner::{Action, Many, Narrowed, Plan, PlanInput, TableUse, Tables};
use crate::rules::table::{Placement, ShardedTable};
use crate::sql::analysis::Span;
use crate::sql::classify::{Classified, StatementKind};
use crate::sql::hint::{Bounded, Hint, Hints};
use crate::sql::lex::ServerKind;
use crate::sql::slot::LiteralKind;
use crate::sql::traits::Traits;

pub(crate) type Result<T> = std::result::Result<T, Error>;

#[derive(Clone)]
pub(crate) struct Draft<'a> {
    pub input: &'a PlanInput<'a>,
    pub kind: StatementKind,
    pub traits: Traits,
    pub facts: Facts,
    pub hints: Hints,
    pub schemas: Vec<SchemaName>,
    pub tables: Vec<TableUse>,
    pub splices: Vec<Splice>,
    /// EXPLAIN stands before the statement: one shard's answer stands for all.
    pub explains: bool,
}

/// How a table's physical name gets into the text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// The name is replaced and the logical one becomes its alias, so that qualifiers, labels and
    /// hints keep their words.
    Alias,
    /// The name and every qualifier are replaced (DELETE and INSERT don't take an alias on every
    /// server).
    Rename,
}

/// Whether a statement of this kind reads or sets LAST_INSERT_ID() where its text doesn't show it, or
/// its OK packet doesn't tell.
fn lends_id(kind: StatementKind, traits: Traits) -> bool {
    use StatementKind as K;
    match kind {
        K::Call | K::LoadData { .. } | K::LoadXml { .. } | K::Compound => true,
        K::Select | K::With | K::Do | K::Values | K::Table => traits.sets_last_insert_id,
        _ => false,
    }
}

impl<'a> Draft<'a> {
    pub fn new(input: &'a PlanInput<'a>, classified: &Classified, hints: Hints) -> Self {
        // MySQL has no sequences: functions of these names are stored ones.
        let sequence = classified.traits.sequence && input.dialect.server == ServerKind::MariaDb;
        let traits = Traits { sequence, ..classified.traits };
        let pins = if traits.user_lock {
            Some(Pin::UserLock)
        } else if traits.assigns_variable || traits.into_variable {
            Some(Pin::UserVariable)
        } else if traits.calc_found_rows {
            Some(Pin::FoundRows)
        } else {
            None
        };
        let mut facts = Facts {
            pins,
            assigns: traits.assigns_variable || traits.into_variable,
            looks_back: traits.last_insert_id
                || traits.found_rows
                || traits.row_count
                || traits.counts_conditions
                || traits.session_function,
            clock: traits.clock,
            lends_id: lends_id(classified.kind, traits),
            ..Facts::default()
        };
        for hint in &hints.hints {
            match hint {
                Hint::Primary => facts.node = Some(NodeChoice::Primary),
                Hint::Replica => facts.node = Some(NodeChoice::Replica),
                Hint::ConsistentReads => facts.consistent = true,
                Hint::Bound { of, most } => {
                    let bounds = &mut facts.bounds;
                    let bound = match of {
                        Bounded::WorkbenchRows => &mut bounds.workbench_rows,
                        Bounded::WorkbenchBytes => &mut bounds.workbench_bytes,
                        Bounded::MergeMemory => &mut bounds.merge_memory,
                    };
                    *bound = Some(*most);
                }
                Hint::Timeout(ms) => facts.timeout = Some(Duration::from_millis(*ms)),
                _ => {}
            }
        }
        let mut draft = Draft {
            input,
            kind: classified.kind,
            traits,
            facts,
            hints,
            schemas: vec![],
            tables: vec![],
            splices: vec![],
            explains: false,
        };
        for range in draft.hints.ranges.clone() {
            let start = input.lexed.template_offset(range.start) as u32;
            let at = Span { start, end: start + (range.end - range.start) as u32 };
            draft.splice(at, What::Parts(vec![]), false);
        }
        if let Some(schema) = input.schema {
            draft.schemas.push(SchemaName::new(schema));
        }
        draft
    }

    pub fn scatter_ok(&self) -> bool {
        self.hints.hints.iter().any(|hint| matches!(hint, Hint::ScatterOk | Hint::Scan(_)))
    }

    pub fn splice(&mut self, at: Span, what: What, scattered: bool) {
        self.splices.push(Splice { at, what, scattered });
    }

    /// Text that is put in at one place, for merged answers only.
    pub fn insert_scattered(&mut self, at: u32, parts: Vec<Part>) {
        self.splice(Span { start: at, end: at }, What::Parts(parts), true);
    }

    /// Access of a query.
    pub fn reads(&mut self) {
        self.facts.access =
            if self.traits.needs_primary() { Access::PrimaryRead } else { Access::Read };
        self.facts.retry = self.facts.access == Access::Read && self.facts.pins.is_none();
    }

    /// A stored function may write and ask for LAST_INSERT_ID(). Its connection isn't kept for the
    /// session: a function that [`crate::sql::native`] doesn't know would take one from the pool.
    fn calls_stored(&mut self) {
        if self.explains {
            return;
        }
        if self.facts.access == Access::Read {
            self.facts.access = Access::PrimaryRead;
        }
        self.facts.retry = false;
        self.facts.unseen = Unseen::Sets;
        self.facts.lends_id |= self.facts.access == Access::PrimaryRead;
    }

    /// Takes over the tables of a survey, and cuts their names in.
    pub fn name_tables(&mut self, survey: &Survey, naming: impl Fn(usize) -> Naming) {
        if survey.calls_stored {
            self.calls_stored();
        }
        let mut sharded = 0;
        for (index, used) in survey.uses.iter().enumerate() {
            if !self.schemas.contains(&used.schema) {
                self.schemas.push(used.schema.clone());
            }
            let is_sharded = matches!(used.placement, Placement::Sharded(_));
            self.tables.push(TableUse {
                schema: used.schema.clone(),
                name: used.name.clone(),
                placement: used.placement.clone(),
                sharded: is_sharded.then_some(sharded),
            });
            sharded += usize::from(is_sharded);
            self.name_table(index, used, naming(index));
        }
        for name in &survey.names {
            let Some(used) = survey.uses.get(name.used) else { continue };
            if let Some(schema) = &name.schema {
                let what = What::Schema { index: name.used, written: schema.text.as_str().into() };
                self.splice(schema.span, what, false);
            }
            if naming(name.used) == Naming::Rename && used.alias.is_none() {
                let what =
                    What::Qualifier { index: name.used, written: name.table.text.as_str().into() };
                self.splice(name.table.span, what, false);
            }
        }
    }

    fn name_table(&mut self, index: usize, used: &Use, naming: Naming) {
        let written: Box<str> = used.written.table.text.as_str().into();
        let qualified = used.written.schema.is_some();
        let what = What::Table { index, qualified, written: written.clone() };
        self.splice(used.span(), what, false);
        if naming == Naming::Alias && used.alias.is_none() {
            let at = Span { start: used.alias_at, end: used.alias_at };
            self.splice(at, What::Alias { index, written }, false);
        }
    }

    /// The groups that hold every single and broadcast table, with the physical database there.
    /// Empty where sharded tables alone decide.
    pub fn groups(&self, survey: &Survey) -> Result<Tables> {
        let mut tables = Tables::default();
        let mut first: Option<&Use> = None;
        for used in &survey.uses {
            let here: Vec<(GroupId, Arc<str>)> = match &used.placement {
                Placement::Sharded(_) => continue,
                Placement::Broadcast(table) => table.copies.clone(),
                Placement::Single(table) => {
                    // The servers' own schemas are asked from the session's database.
                    let home = self.input.schema.and_then(|name| self.input.rules.schema(name));
                    let database = match home.filter(|_| is_system(used.schema.as_str())) {
                        Some(home) => home.database_in(table.group).unwrap_or(&table.database),
                        None => &table.database,
                    };
                    vec![(table.group, database.clone())]
                }
            };
            let Some(before) = first else {
                first = Some(used);
                tables.groups = here.iter().map(|(group, _)| *group).collect();
                tables.databases = here.into_iter().map(|(_, database)| Some(database)).collect();
                continue;
            };
            let kept: Vec<(GroupId, Option<Arc<str>>)> = tables
                .groups
                .iter()
                .copied()
                .zip(tables.databases.iter().cloned())
                .filter(|(group, _)| here.iter().any(|(other, _)| other == group))
                .collect();
            if kept.is_empty() {
                return Err(cross_group(before, used));
            }
            (tables.groups, tables.databases) = kept.into_iter().unzip();
        }
        if tables.groups.is_empty() && survey.uses.is_empty() {
            self.anywhere(&mut tables);
        }
        Ok(tables)
    }

    /// A statement that names no table: any group of the schema, or any at all.
    pub fn anywhere(&self, tables: &mut Tables) {
        tables.steady = true;
        let schema = self.input.schema.and_then(|name| self.input.rules.schema(name));
        match schema {
            Some(schema) => {
                // The default group first: what differs between servers should not flicker.
                let mut all: Vec<&(GroupId, Arc<str>)> = schema.databases.iter().collect();
                all.sort_by_key(|(group, _)| (*group != schema.default_group, *group));
                // Locks of users have one home, or they would not exclude each other.
                if self.traits.user_lock {
                    all.truncate(1);
                }
                for (group, database) in all {
                    tables.groups.push(*group);
                    tables.databases.push(Some(database.clone()));
                }
            }
            None if self.input.schema.is_some_and(is_system) => {
                tables.groups = vec![GroupId(0)];
                tables.databases = vec![self.input.schema.map(Arc::from)];
            }
            None => {
                let count = u16::try_from(self.input.rules.groups.len()).unwrap_or(u16::MAX);
                tables.groups = (0..count).map(GroupId).collect();
                tables.databases = vec![None; tables.groups.len()];
            }
        }
    }

    /// Whether every sharded table lets reads go to all shards.
    pub fn scatter_allowed(
        &self,
        narrowed: &[Narrowed],
        may: impl Fn(&ShardedTable) -> bool,
    ) -> bool {
        self.scatter_ok() || narrowed.iter().all(|narrowed| may(&narrowed.table))
    }

    /// Whether a range of the template holds a parameter.
    pub fn has_parameter(&self, span: Span) -> bool {
        self.input.lexed.slots().iter().any(|slot| {
            slot.at >= span.start && slot.at < span.end && slot.kinds.contains(LiteralKind::Param)
        })
    }

    pub fn finish(mut self, mut action: Action) -> Plan {
        if self.explains {
            self.facts.access = Access::Read;
            self.facts.pins = None;
            self.facts.assigns = false;
            self.facts.names_in_rows = true;
            // Rows that are rewritten are text.
            self.facts.prepared = PreparedForm::Text;
            self.splices.retain(|splice| !splice.scattered);
            if let Action::Tables(Tables { many: Some(many), .. }) = &mut action {
                *many = Many::First;
            }
        }
        // Rows of information_schema are put together for each execution.
        let system = |name: &SchemaName| name.as_str().eq_ignore_ascii_case("information_schema");
        if self.facts.prepared == PreparedForm::Native && self.schemas.iter().any(system) {
            self.facts.prepared = PreparedForm::Text;
        }
        self.splices.sort_by_key(|splice| (splice.at.start, splice.at.end));
        let rules = self.schemas.iter().filter_map(|name| self.input.rules.schema(name.as_str()));
        let consistent_reads = rules.clone().any(|schema| schema.consistent_reads);
        // What names no schema belongs to the session's.
        let home = || self.input.rules.schema(self.input.schema?);
        let strictest = rules.map(|schema| schema.transactions).min();
        let transactions = strictest.or_else(|| Some(home()?.transactions)).unwrap_or_default();
        let shown = |hint: &Hint| match hint {
            Hint::View { alias, schema, name, merged, computed } => Some(ViewName {
                alias: alias.as_str().into(),
                schema: SchemaName::new(schema),
                name: name.as_str().into(),
                merged: *merged,
                computed: computed.clone(),
            }),
            _ => None,
        };
        Plan {
            shown: self.hints.hints.iter().filter_map(shown).collect(),
            facts: self.facts,
            kind: self.kind,
            traits: self.traits,
            schemas: self.schemas,
            transactions,
            consistent_reads,
            fill: None,
            keeps: matches!(&action, Action::Tables(tables) if !tables.entries.is_empty()),
            by_index: matches!(&action, Action::Tables(tables)
                if !self.explains && tables.sharded.iter().any(|one| !one.lookups.is_empty())),
            action,
            tables: self.tables,
            splices: self.splices,
            always_rendered: false,
        }
    }
}
