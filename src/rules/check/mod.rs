//! From the document to rules, or every problem that stands in the way.
//!
//! Owns: what makes sense together: names that are declared, patterns that fit, algorithms that
//! can take the key's type. Never: reads a file, or stops at the first problem.

mod algorithm;
mod groups;
mod indexes;
mod keys;
mod sequences;
mod shards;
mod tables;
mod tddl;
mod users;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::name::{GroupId, SchemaName};
use crate::rules::algorithm::hash::xxh64;
use crate::rules::file::{self, Document, has_errors};
use crate::rules::problem::{KeyPath, Problem, Step, suggestion};
use crate::rules::shape::{LockTablesShape, RulesShape, SchemaShape, TransactionsShape};
use crate::rules::validate::validate;
use crate::rules::{Rules, Schema, Settings, Transactions};

/// The outcome of a check.
#[derive(Clone, Debug)]
pub struct Checked {
    /// There only if no problem is an error.
    pub rules: Option<Rules>,
    /// Sorted by file and line; warnings can be there beside rules.
    pub problems: Vec<Problem>,
    /// What the rules say about rows that were moved, for [`crate::rules::diff`].
    pub moved: Option<Moved>,
}

/// The acknowledgement that rows were moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The hash of the rules that the rows were placed by.
    pub from: u64,
    /// `schema.table`
    pub tables: Vec<String>,
}

/// Reads and checks all files of a directory.
pub fn load(directory: &Path) -> Checked {
    let (document, problems) = file::read_dir(directory);
    check(&document, problems)
}

/// Checks texts; `variable` answers placeholders. For tests and tools.
pub fn load_text(texts: &[(&str, &str)], variable: &dyn Fn(&str) -> Option<String>) -> Checked {
    let sources = texts
        .iter()
        .map(|(name, text)| file::Source { name: (*name).to_string(), text: (*text).to_string() })
        .collect();
    let (document, problems) = file::read(sources, variable);
    check(&document, problems)
}

/// Checks a document. `problems` are those found while reading it.
pub fn check(document: &Document, mut problems: Vec<Problem>) -> Checked {
    let mut moved = None;
    let mut rules = None;
    let sound = prune(document, &mut problems);
    match serde_json::from_value::<RulesShape>(sound) {
        // Without one of its files, what the others refer to would seem to be missing.
        Ok(_) if document.incomplete => {}
        Ok(shape) => {
            let mut check = Check { problems: Vec::new(), physical: HashMap::new() };
            moved = check.moved(&shape);
            rules = check.rules(&shape, hash(&document.root));
            let news = check.problems.into_iter().filter(|problem| !follows(problem, &problems));
            let news: Vec<Problem> = news.collect();
            problems.extend(news);
        }
        Err(error) => problems.push(Problem::error(&KeyPath::root(), error.to_string())),
    }
    document.place(&mut problems);
    problems
        .sort_by(|left, right| (&left.position, &left.path).cmp(&(&right.position, &right.path)));
    let failed = has_errors(&problems);
    Checked { rules: rules.filter(|_| !failed), problems, moved }
}

/// The document without what isn't shaped as it should be, so that the rest can be checked too.
fn prune(document: &Document, problems: &mut Vec<Problem>) -> Json {
    let mut root = document.root.clone();
    // Taking out a map that lacks a key can leave its own parent without one.
    for round in 0.. {
        let found = validate(&root);
        if found.is_empty() {
            break;
        }
        for problem in &found {
            remove(&mut root, &problem.path);
        }
        if round == 0 {
            problems.extend(found);
        } else if round > 32 {
            return Json::Object(serde_json::Map::new());
        }
    }
    root
}

/// Takes a value out; a list goes as a whole, so that the places of its items stay true.
fn remove(root: &mut Json, path: &KeyPath) {
    let keys: Vec<&str> = path
        .0
        .iter()
        .map_while(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        })
        .collect();
    let Some((last, parents)) = keys.split_last() else {
        *root = Json::Object(serde_json::Map::new());
        return;
    };
    let mut place = root;
    for key in parents {
        match place.get_mut(*key) {
            Some(next) => place = next,
            None => return,
        }
    }
    if let Json::Object(map) = place {
        map.remove(*last);
    }
}

/// Whether a problem is only the shadow of one that was found before: it is about the same place
/// or a map around it, or names what was left out there.
fn follows(problem: &Problem, before: &[Problem]) -> bool {
    before.iter().any(|other| {
        let named = other.path.0.iter().any(|step| match step {
            Step::Key(key) => problem.message.contains(&format!("'{key}' is not declared")),
            Step::Index(_) => false,
        });
        named || other.path.0.starts_with(&problem.path.0)
    })
}

/// Of what the document says, whatever its order and layout.
fn hash(root: &Json) -> u64 {
    let mut text = String::new();
    canonical(root, true, &mut text);
    xxh64(text.as_bytes())
}

fn canonical(value: &Json, root: bool, text: &mut String) {
    match value {
        Json::Object(map) => {
            let mut keys: Vec<&String> =
                map.keys().filter(|key| !(root && *key == "moved")).collect();
            keys.sort();
            text.push('{');
            for key in keys {
                text.push_str(&Json::String(key.clone()).to_string());
                text.push(':');
                canonical(map.get(key).unwrap_or(&Json::Null), false, text);
                text.push(',');
            }
            text.push('}');
        }
        Json::Array(items) => {
            text.push('[');
            for item in items {
                canonical(item, false, text);
                text.push(',');
            }
            text.push(']');
        }
        other => text.push_str(&other.to_string()),
    }
}

/// A check under way.
struct Check {
    problems: Vec<Problem>,
    /// Which table claimed a physical one first.
    physical: HashMap<(GroupId, Arc<str>, Arc<str>), Claim>,
}

/// The first table that a physical one was given to.
struct Claim {
    owner: String,
    times: u32,
}

/// Groups by name, while the rest is checked.
type GroupIds = HashMap<String, GroupId>;

impl Check {
    fn error(&mut self, path: &KeyPath, message: impl Into<String>) {
        self.problems.push(Problem::error(path, message));
    }

    fn error_help(&mut self, path: &KeyPath, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::error(path, message).help(help));
    }

    fn warning(&mut self, path: &KeyPath, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::warning(path, message).help(help));
    }

    /// A declared group by name, or a problem at `path`.
    fn group(&mut self, ids: &GroupIds, name: &str, path: &KeyPath) -> Option<GroupId> {
        let found = ids.get(name).copied();
        if found.is_none() {
            let mut names: Vec<&str> = ids.keys().map(String::as_str).collect();
            names.sort_unstable();
            let help = suggestion(name, names);
            self.error_help(path, format!("group '{name}' is not declared"), help);
        }
        found
    }

    fn moved(&mut self, shape: &RulesShape) -> Option<Moved> {
        let moved = shape.moved.as_ref()?;
        let path = KeyPath::root().key("moved");
        let from = u64::from_str_radix(&moved.from, 16).ok().filter(|_| moved.from.len() == 16);
        if from.is_none() {
            self.error_help(
                &path.key("from"),
                format!("'{}' is no rules hash", moved.from),
                "16 hex digits, as `weir check` prints them",
            );
        }
        for (index, table) in moved.tables.iter().enumerate() {
            let known = table.split_once('.').is_some_and(|(schema, table)| {
                shape.schemas.get(schema).is_some_and(|schema| schema.tables.contains_key(table))
            });
            if !known {
                self.error_help(
                    &path.key("tables").index(index),
                    format!("'{table}' names no table of these rules"),
                    "tables are written schema.table",
                );
            }
        }
        Some(Moved { from: from?, tables: moved.tables.clone() })
    }

    fn rules(&mut self, shape: &RulesShape, hash: u64) -> Option<Rules> {
        let root = KeyPath::root();
        if shape.groups.is_empty() {
            self.error_help(&root, "no group is declared", "declare at least one under 'groups'");
        }
        if shape.groups.len() > usize::from(u16::MAX) {
            self.error(&root.key("groups"), "there are more than 65535 groups");
            return None;
        }
        let ids: GroupIds =
            shape.groups.keys().zip(0u16..).map(|(name, id)| (name.clone(), GroupId(id))).collect();
        let defaults = shape.group_defaults.as_ref();
        self.group_defaults(defaults);
        let mut groups = Vec::new();
        for (name, group) in &shape.groups {
            groups.extend(
                self.group_shape(name, group, defaults, &root.key("groups").key(name))
                    .map(Arc::new),
            );
        }
        let settings = self.settings(shape);
        let mut schemas = HashMap::new();
        for (name, schema) in &shape.schemas {
            let path = root.key("schemas").key(name);
            if let Some(schema) = self.schema(name, schema, &ids, &settings, &path) {
                schemas.insert(schema.name.clone(), Arc::new(schema));
            }
        }
        let mut users = HashMap::new();
        for (name, user) in &shape.users {
            let path = root.key("users").key(name);
            if let Some(user) = self.user(name, user, &shape.schemas, &path) {
                users.insert(user.name.clone(), Arc::new(user));
            }
        }
        Some(Rules { version: 0, moved_at: 0, hash, settings, groups, overlay: 0, schemas, users })
    }

    fn settings(&mut self, shape: &RulesShape) -> Settings {
        let default = Settings::default();
        let path = KeyPath::root().key("settings");
        let given = shape.settings.as_ref();
        if let Some(name) = given.and_then(|settings| settings.deployment.as_deref()) {
            let good =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
            if !(1..=16).contains(&name.len()) || !name.bytes().all(good) {
                self.error(
                    &path.key("deployment"),
                    format!(
                        "'{name}' can't name a deployment: 1 to 16 letters, digits, '_', '-', '.'"
                    ),
                );
            }
        }
        if let Some(name) = given.and_then(|settings| settings.commit_database.as_deref()) {
            self.name(name, "database", &path.key("commit_database"));
        }
        match &shape.settings {
            Some(settings) => Settings {
                scatter_reads: settings.scatter_reads.unwrap_or(default.scatter_reads),
                scatter_writes: settings.scatter_writes.unwrap_or(default.scatter_writes),
                deployment: match &settings.deployment {
                    Some(name) => Box::from(name.as_str()),
                    None => default.deployment,
                },
                commit_database: match &settings.commit_database {
                    Some(name) => Box::from(name.as_str()),
                    None => default.commit_database,
                },
            },
            None => default,
        }
    }

    /// What TDDL's names of groups stand for.
    fn tddl_groups(
        &mut self,
        shape: &SchemaShape,
        ids: &GroupIds,
        path: &KeyPath,
    ) -> Vec<(Box<str>, GroupId, Arc<str>)> {
        let mut found = Vec::with_capacity(shape.tddl_groups.len());
        for (name, place) in &shape.tddl_groups {
            let path = path.key("tddl_groups").key(name);
            self.name(&place.database, "database", &path.key("database"));
            if let Some(group) = self.group(ids, &place.group, &path.key("group")) {
                found.push((name.as_str().into(), group, place.database.as_str().into()));
            }
        }
        found
    }

    fn schema(
        &mut self,
        name: &str,
        shape: &SchemaShape,
        ids: &GroupIds,
        settings: &Settings,
        path: &KeyPath,
    ) -> Option<Schema> {
        const RESERVED: [&str; 4] = ["information_schema", "performance_schema", "mysql", "sys"];
        self.name(name, "schema", path);
        if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
            self.error(path, format!("'{name}' is a schema of MySQL's own"));
        }
        let mut databases = Vec::new();
        for (group, database) in &shape.databases {
            let path = path.key("databases").key(group);
            self.name(database, "database", &path);
            databases.extend(
                self.group(ids, group, &path).map(|id| (id, Arc::<str>::from(database.as_str()))),
            );
        }
        databases.sort_by_key(|(id, _)| *id);
        let default_group = match &shape.default_group {
            Some(group) => {
                let path = path.key("default_group");
                let id = self.group(ids, group, &path);
                if id.is_some() && !shape.databases.contains_key(group) {
                    self.error_help(
                        &path,
                        format!("group '{group}' has no database in this schema"),
                        format!("add it to 'databases': {group}: <name>"),
                    );
                }
                id
            }
            None => databases.first().map(|(id, _)| *id),
        };
        if shape.databases.is_empty() {
            self.error_help(
                &path.key("databases"),
                "no database is named",
                "name the database of single and broadcast tables of each group: {g0: shop}",
            );
        }
        let tddl_groups = self.tddl_groups(shape, ids, path);
        let schema = SchemaCheck {
            name: SchemaName::from(name),
            ids,
            databases: &databases,
            default_group,
            shape,
            settings,
        };
        let tables = self.tables(&schema, path);
        Some(Schema {
            name: SchemaName::from(name),
            default_group: default_group?,
            databases,
            tddl_groups,
            transactions: match shape.transactions {
                Some(TransactionsShape::Single) => Transactions::Single,
                Some(TransactionsShape::BestEffort) => Transactions::BestEffort,
                Some(TransactionsShape::Atomic) | None => Transactions::Atomic,
            },
            consistent_reads: shape.consistent_reads.unwrap_or(false),
            ignores_locks: matches!(shape.lock_tables, Some(LockTablesShape::Ignore)),
            tables,
            temporaries: HashMap::new(),
        })
    }

    /// A name that MySQL takes as an identifier.
    fn name(&mut self, name: &str, what: &str, path: &KeyPath) {
        if name.is_empty()
            || name.chars().count() > 64
            || name.ends_with(' ')
            || name.contains('\0')
        {
            self.error(
                path,
                format!("'{name}' is no {what}'s name (1 to 64 characters, no space at the end)"),
            );
        }
    }
}

/// What the tables of a schema are checked against.
struct SchemaCheck<'a> {
    name: SchemaName,
    ids: &'a GroupIds,
    databases: &'a [(GroupId, Arc<str>)],
    default_group: Option<GroupId>,
    shape: &'a SchemaShape,
    settings: &'a Settings,
}

#[cfg(test)]
mod tests;
