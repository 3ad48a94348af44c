//! The running rules: where every logical table's rows live, and who may ask for them.
//!
//! Owns: [`Rules`], one immutable snapshot of everything that the YAML files say, and its lookups.
//! Never: reads a file (only [`file`] does), opens a connection, or looks at a statement.
//!
//! YAML → [`file`] (text, placeholders, positions) → [`shape`] (what may be written) → [`check`]
//! (every problem at once) → [`Rules`]. [`diff`] tells two snapshots apart.

pub mod algorithm;
pub mod check;
pub mod diff;
pub mod file;
pub mod group;
pub mod index;
pub mod key;
pub mod problem;
pub mod sequence;
pub mod shape;
pub mod shard_set;
pub mod table;
pub mod user;
pub mod validate;

use std::collections::HashMap;
use std::sync::Arc;

use crate::name::{GroupId, GroupName, SchemaName, UserName};
use group::Group;
use table::{Placement, SingleTable};
use user::User;

/// One version of the rules. A statement works with one snapshot from beginning to end.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Counts the snapshots of this process, set by whoever swaps them in.
    pub version: u64,
    /// The version that last came with rows moved elsewhere, set with it: who goes by rules from
    /// before looks for them where they aren't.
    pub moved_at: u64,
    /// Of what the files say (placeholders filled in, layout and comments aside): equal in every
    /// proxy that runs the same rules.
    pub hash: u64,
    pub settings: Settings,
    /// In the order of their names; a [`GroupId`] is an index into it.
    pub groups: Vec<Arc<Group>>,
    /// Tells the rules of a session with temporary tables from those of others; 0 without any.
    pub overlay: u64,
    pub(crate) schemas: HashMap<SchemaName, Arc<Schema>>,
    pub(crate) users: HashMap<UserName, Arc<User>>,
}

/// What is allowed where a table doesn't say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Reads that no key condition narrows may go to all shards.
    pub scatter_reads: bool,
    /// UPDATE and DELETE that no key condition narrows may go to more than one group.
    pub scatter_writes: bool,
    /// Stands in the ids of transactions over several groups: proxies that share groups have the
    /// same, deployments that share a server have different ones.
    pub deployment: Box<str>,
    /// The database of the commit table on each server.
    pub commit_database: Box<str>,
}

/// What a transaction may be that touches several groups; the least is the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Transactions {
    /// Refused at the second group.
    Single,
    /// Two-phase commit.
    #[default]
    Atomic,
    /// Each group commits for itself, one after the other: what fails between is half done.
    BestEffort,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            scatter_reads: true,
            scatter_writes: true,
            deployment: Box::from("weir"),
            commit_database: Box::from("weir"),
        }
    }
}

/// A logical database.
#[derive(Clone, Debug)]
pub struct Schema {
    pub name: SchemaName,
    /// Where tables live that no rule names.
    pub default_group: GroupId,
    /// The physical database of broadcast and single tables in each group of the schema, in the
    /// order of the groups.
    pub databases: Vec<(GroupId, Arc<str>)>,
    /// TDDL's names of groups with what they stand for, in the order of the names.
    pub tddl_groups: Vec<(Box<str>, GroupId, Arc<str>)>,
    pub transactions: Transactions,
    /// Reads over several shards never show half of a committed transaction.
    pub consistent_reads: bool,
    /// LOCK TABLES of tables in several places is answered, and locks nothing.
    pub ignores_locks: bool,
    /// The tables that rules name.
    pub(crate) tables: HashMap<Box<str>, Placement>,
    /// A session's temporary tables, which hide others of their names.
    pub(crate) temporaries: HashMap<Box<str>, SingleTable>,
}

impl Rules {
    /// Rules that name nothing: no group, no schema, no user.
    pub fn empty() -> Rules {
        Rules {
            version: 0,
            moved_at: 0,
            hash: 0,
            settings: Settings::default(),
            groups: Vec::new(),
            overlay: 0,
            schemas: HashMap::new(),
            users: HashMap::new(),
        }
    }

    /// A schema by its exact name.
    pub fn schema(&self, name: &str) -> Option<&Arc<Schema>> {
        self.schemas.get(name)
    }

    /// All schemas, in the order of their names.
    pub fn schemas(&self) -> Vec<&Arc<Schema>> {
        let mut schemas: Vec<_> = self.schemas.values().collect();
        schemas.sort_by(|left, right| left.name.cmp(&right.name));
        schemas
    }

    pub fn user(&self, name: &str) -> Option<&Arc<User>> {
        self.users.get(name)
    }

    /// All users, in the order of their names.
    pub fn users(&self) -> Vec<&Arc<User>> {
        let mut users: Vec<_> = self.users.values().collect();
        users.sort_by(|left, right| left.name.cmp(&right.name));
        users
    }

    /// A group by its place. Ids of this snapshot always name one.
    pub fn group(&self, id: GroupId) -> Option<&Arc<Group>> {
        self.groups.get(usize::from(id.0))
    }

    pub fn group_by_name(&self, name: &str) -> Option<(GroupId, &Arc<Group>)> {
        let index = self.groups.iter().position(|group| group.name.as_str() == name)?;
        Some((GroupId(u16::try_from(index).ok()?), self.groups.get(index)?))
    }

    /// What a physical table is called by clients, whichever group it is in: for comparing texts that
    /// servers wrote, not for routing.
    pub fn logical_name(&self, database: &str, table: &str) -> Option<String> {
        let is = |(one, of): (&Arc<str>, &Arc<str>)| **one == *database && **of == *table;
        let holds = |placement: &Placement| match placement {
            Placement::Sharded(sharded) => {
                sharded.shards.iter().any(|shard| is((&shard.database, &shard.table)))
            }
            Placement::Broadcast(copies) => {
                copies.copies.iter().any(|(_, database)| is((database, &copies.table)))
            }
            Placement::Single(single) => is((&single.database, &single.table)),
        };
        self.schemas.values().find_map(|schema| {
            let mut tables = schema.tables.iter();
            tables.find(|(_, placement)| holds(placement)).map(|(name, _)| name.to_string())
        })
    }

    /// The same rules for a session that has these temporary tables besides, or no longer.
    pub fn with_temporaries(
        &self,
        overlay: u64,
        changes: &[(SchemaName, Box<str>, Option<SingleTable>)],
    ) -> Rules {
        let mut rules = Rules { overlay, ..self.clone() };
        for (schema, name, place) in changes {
            let Some(schema) = rules.schemas.get_mut(schema.as_str()) else { continue };
            let temporaries = &mut Arc::make_mut(schema).temporaries;
            match place {
                Some(place) => temporaries.insert(name.clone(), place.clone()),
                None => temporaries.remove(name),
            };
        }
        rules
    }

    /// The session's temporary tables.
    pub fn temporaries(&self) -> impl Iterator<Item = (&SchemaName, &str, &SingleTable)> {
        self.schemas.values().flat_map(|schema| {
            schema.temporaries.iter().map(|(name, table)| (&schema.name, &**name, table))
        })
    }

    /// The name of a group for messages; `?` for an id of another snapshot.
    pub fn group_name(&self, id: GroupId) -> GroupName {
        self.group(id).map_or_else(|| GroupName::from("?"), |group| group.name.clone())
    }
}

impl Schema {
    /// Where a table lives. Tables that no rule names are single tables of the default group.
    pub fn table(&self, name: &str) -> Placement {
        match self.temporary(name) {
            Some(table) => Placement::Single(table.clone()),
            None => self.lasting(name),
        }
    }

    /// The same as if the session had no temporary tables.
    pub fn lasting(&self, name: &str) -> Placement {
        match self.tables.get(name) {
            Some(placement) => placement.clone(),
            None => Placement::Single(SingleTable {
                group: self.default_group,
                database: self.default_database().clone(),
                table: Arc::from(name),
                default: true,
                temporary: false,
            }),
        }
    }

    /// A temporary table of the session that these rules are for.
    pub fn temporary(&self, name: &str) -> Option<&SingleTable> {
        self.temporaries.get(name)
    }

    /// The tables that rules name, in the order of their names.
    pub fn tables(&self) -> Vec<(&str, &Placement)> {
        let mut tables: Vec<_> =
            self.tables.iter().map(|(name, placement)| (&**name, placement)).collect();
        tables.sort_by_key(|(name, _)| *name);
        tables
    }

    /// The physical database that broadcast and single tables have in a group.
    pub fn database_in(&self, group: GroupId) -> Option<&Arc<str>> {
        self.databases.iter().find(|(id, _)| *id == group).map(|(_, database)| database)
    }

    /// The physical database of the default group.
    pub fn default_database(&self) -> &Arc<str> {
        self.database_in(self.default_group).unwrap_or_else(|| self.name_as_database())
    }

    // The check makes sure that the default group has a database; the first one stands in for it.
    fn name_as_database(&self) -> &Arc<str> {
        static EMPTY: std::sync::LazyLock<Arc<str>> = std::sync::LazyLock::new(|| Arc::from(""));
        self.databases.first().map_or(&EMPTY, |(_, database)| database)
    }

    /// The groups that hold something of this schema, in order.
    pub fn groups(&self) -> impl Iterator<Item = GroupId> + '_ {
        self.databases.iter().map(|(group, _)| *group)
    }
}
