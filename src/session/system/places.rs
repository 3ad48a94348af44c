//! Logical tables and the physical ones that they are, over all groups.
//!
//! Owns: which physical table describes a logical one, which add to its sizes, and which physical
//! tables are nobody's. Never: asks a server.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::wanted::Wanted;
use crate::name::{GroupId, SchemaName};
use crate::rules::Rules;
use crate::rules::sequence::{SEGMENT_TABLE, WORKER_TABLE};
use crate::rules::table::Placement;
use crate::rules::user::User;

/// Tables that Weir keeps in the groups for itself; a rule may name others, which are seen.
const OWN_TABLES: [&str; 3] = [SEGMENT_TABLE, WORKER_TABLE, "weir_commit"];

/// A physical table: group, database, table.
pub(super) type Part = (GroupId, Arc<str>, Arc<str>);

/// A table that the rules name.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub schema: SchemaName,
    pub name: Box<str>,
    /// The first describes it; all of them hold its rows.
    pub parts: Vec<Part>,
}

/// The database whose undeclared tables, routines and events are a schema's.
#[derive(Clone, Debug)]
pub(super) struct Home {
    pub schema: SchemaName,
    pub group: GroupId,
    pub database: Arc<str>,
}

/// What of the rules a user may see and a statement wants.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    pub declared: Vec<Declared>,
    pub homes: Vec<Home>,
    /// The parts of logical tables, by database.
    hidden: HashMap<(GroupId, Arc<str>), HashSet<Arc<str>>>,
}

impl Places {
    pub fn of(rules: &Rules, user: &User, wanted: &Wanted) -> Places {
        let mut places = Places::default();
        let seen = |schema: &str| user.may_use(schema) && wanted.schema(schema);
        for schema in rules.schemas() {
            if seen(schema.name.as_str()) {
                places.homes.push(Home {
                    schema: schema.name.clone(),
                    group: schema.default_group,
                    database: schema.default_database().clone(),
                });
            }
        }
        for home in &places.homes {
            places.hidden.entry((home.group, home.database.clone())).or_default();
        }
        for schema in rules.schemas() {
            let shown = seen(schema.name.as_str());
            for (name, placement) in schema.tables() {
                let parts = parts(placement, schema.default_group);
                // Another schema's part in this one's home isn't this one's table.
                for (group, database, table) in &parts {
                    if let Some(hidden) = places.hidden.get_mut(&(*group, database.clone())) {
                        hidden.insert(table.clone());
                    }
                }
                if shown && wanted.table(name) && !placement.is_lookup() {
                    let schema = schema.name.clone();
                    places.declared.push(Declared { schema, name: name.into(), parts });
                }
            }
        }
        places
    }

    /// Whether a table of a home is its schema's own.
    pub fn is_own(&self, group: GroupId, database: &Arc<str>, table: &str) -> bool {
        let hidden = self.hidden.get(&(group, database.clone()));
        !OWN_TABLES.contains(&table) && !hidden.is_some_and(|hidden| hidden.contains(table))
    }

    /// The tables of a home that aren't its schema's own.
    pub fn hidden(&self, group: GroupId, database: &Arc<str>) -> impl Iterator<Item = &str> {
        let hidden = self.hidden.get(&(group, database.clone())).into_iter().flatten();
        hidden.map(|table| &**table).chain(OWN_TABLES)
    }

    /// The groups that something is asked of, in order.
    pub fn groups(&self) -> Vec<GroupId> {
        let declared = self.declared.iter().flat_map(|one| one.parts.iter().map(|part| part.0));
        let mut groups: Vec<GroupId> =
            declared.chain(self.homes.iter().map(|home| home.group)).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }
}

/// The physical tables whose rows are the logical one's: of copies one, at home if there is one.
fn parts(placement: &Placement, home: GroupId) -> Vec<Part> {
    match placement {
        Placement::Sharded(table) => table
            .shards
            .iter()
            .map(|shard| (shard.group, shard.database.clone(), shard.table.clone()))
            .collect(),
        Placement::Broadcast(table) => {
            let at_home = table.copies.iter().find(|(group, _)| *group == home);
            let copy = at_home.or(table.copies.first());
            copy.map(|(group, database)| (*group, database.clone(), table.table.clone()))
                .into_iter()
                .collect()
        }
        Placement::Single(table) => {
            vec![(table.group, table.database.clone(), table.table.clone())]
        }
    }
}

/// Logical names of all physical tables, whoever may see them: what a reference names.
#[derive(Debug, Default)]
pub(super) struct Reverse(HashMap<Part, (SchemaName, Box<str>)>);

impl Reverse {
    pub fn of(rules: &Rules) -> Reverse {
        let mut reverse = HashMap::new();
        for schema in rules.schemas() {
            for (name, placement) in schema.tables() {
                let copies = match placement {
                    Placement::Broadcast(table) => {
                        let part = |(group, database): &(GroupId, Arc<str>)| {
                            (*group, database.clone(), table.table.clone())
                        };
                        table.copies.iter().map(part).collect()
                    }
                    other => parts(other, schema.default_group),
                };
                for part in copies {
                    reverse.insert(part, (schema.name.clone(), Box::from(name)));
                }
            }
        }
        Reverse(reverse)
    }

    pub fn table(&self, group: GroupId, database: &str, table: &str) -> Option<&str> {
        let part = (group, Arc::from(database), Arc::from(table));
        self.0.get(&part).map(|(_, name)| &**name)
    }

    pub fn logical(
        &self,
        group: GroupId,
        database: &str,
        table: &str,
    ) -> Option<(&SchemaName, &str)> {
        let part = (group, Arc::from(database), Arc::from(table));
        self.0.get(&part).map(|(schema, name)| (schema, &**name))
    }
}
