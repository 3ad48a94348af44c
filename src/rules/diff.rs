//! What changed between two versions of the rules, and whether rows would be lost.
//!
//! Owns: the comparison of two snapshots, and the verdict on edits that change where existing rows
//! live. Never: applies anything (`reload` does).
//!
//! An edit *moves rows* if some key's rows would be looked for elsewhere than where they are:
//! another algorithm or number of shards, a shard in another group, database or table, a broadcast
//! or single table in another place. It is refused unless the new rules say that the rows were
//! moved before:
//! ```yaml
//! moved: {from: "0123456789abcdef", tables: [shop.orders]}
//! ```
//! `from` is the hash of the running rules, so that an acknowledgement that was left in the files
//! never lets a later edit through.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::name::{GroupId, GroupName};
use crate::rules::check::Moved;
use crate::rules::index::IndexRule;
use crate::rules::sequence::{SequenceKind, SequenceRule};
use crate::rules::table::{Placement, Shard, ShardedTable, SingleTable};
use crate::rules::{Rules, Schema};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `group g0`, `table shop.orders`, `user app`.
    pub subject: String,
    /// What happened to it.
    pub what: String,
    /// Set where existing rows would be looked for elsewhere.
    pub moves_rows: bool,
    /// A table got its first rule: rows move only if this table, where it was a single table by
    /// default, exists. Whoever can ask the server may let the change pass if it doesn't.
    pub unless_absent: Option<Whereabouts>,
}

/// One physical table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    pub group: GroupName,
    pub database: Arc<str>,
    pub table: Arc<str>,
}

/// All differences, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    pub changes: Vec<Change>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.what)
    }
}

impl Diff {
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Why the edit must be refused: the changes that move rows and aren't acknowledged.
    pub fn refusals(&self, old: &Rules, moved: Option<&Moved>) -> Vec<&Change> {
        let acknowledged = |change: &Change| {
            moved.is_some_and(|moved| {
                moved.from == old.hash
                    && moved.tables.iter().any(|table| change.subject == format!("table {table}"))
            })
        };
        self.changes.iter().filter(|change| change.moves_rows && !acknowledged(change)).collect()
    }

    /// The sentence for a refused edit; `None` where it may be applied.
    pub fn refusal(&self, old: &Rules, moved: Option<&Moved>) -> Option<String> {
        let refusals = self.refusals(old, moved);
        if refusals.is_empty() {
            return None;
        }
        let list: Vec<String> = refusals.iter().map(|change| change.to_string()).collect();
        let tables: Vec<&str> =
            refusals.iter().filter_map(|change| change.subject.strip_prefix("table ")).collect();
        Some(format!(
            "The new rules would look for existing rows where they are not: {}. Move the rows first, then acknowledge it in the rules: moved: {{from: \"{:016x}\", tables: [{}]}}",
            list.join("; "),
            old.hash,
            tables.join(", "),
        ))
    }

    fn push(&mut self, subject: String, what: impl Into<String>, moves_rows: bool) {
        self.changes.push(Change { subject, what: what.into(), moves_rows, unless_absent: None });
    }
}

/// The differences from `old` to `new`.
pub fn diff(old: &Rules, new: &Rules) -> Diff {
    let mut diff = Diff::default();
    if old.settings != new.settings {
        diff.push("settings".to_string(), "changed", false);
    }
    groups(old, new, &mut diff);
    let names = |rules: &Rules| {
        rules.schemas().iter().map(|schema| schema.name.clone()).collect::<BTreeSet<_>>()
    };
    for name in names(old).union(&names(new)) {
        match (old.schema(name.as_str()), new.schema(name.as_str())) {
            (None, Some(_)) => diff.push(format!("schema {name}"), "added", false),
            (Some(_), None) => diff.push(format!("schema {name}"), "removed", false),
            (Some(before), Some(after)) => schema(old, before, new, after, &mut diff),
            (None, None) => {}
        }
    }
    let names =
        |rules: &Rules| rules.users().iter().map(|user| user.name.clone()).collect::<BTreeSet<_>>();
    for name in names(old).union(&names(new)) {
        match (old.user(name.as_str()), new.user(name.as_str())) {
            (None, Some(_)) => diff.push(format!("user {name}"), "added", false),
            (Some(_), None) => diff.push(format!("user {name}"), "removed", false),
            (Some(before), Some(after)) if before != after => {
                diff.push(format!("user {name}"), "changed", false)
            }
            _ => {}
        }
    }
    diff
}

fn groups(old: &Rules, new: &Rules, diff: &mut Diff) {
    let names = |rules: &Rules| {
        rules.groups.iter().map(|group| group.name.clone()).collect::<BTreeSet<_>>()
    };
    for name in names(old).union(&names(new)) {
        let subject = format!("group {name}");
        match (old.group_by_name(name.as_str()), new.group_by_name(name.as_str())) {
            (None, Some(_)) => diff.push(subject, "added", false),
            (Some(_), None) => diff.push(subject, "removed", false),
            (Some((_, before)), Some((_, after))) if before != after => {
                let what = if before.primary.address != after.primary.address {
                    // A new primary holds the same rows: a group is its rows, not its servers.
                    format!(
                        "primary {} instead of {}",
                        after.primary.address, before.primary.address
                    )
                } else {
                    "changed".to_string()
                };
                diff.push(subject, what, false);
            }
            _ => {}
        }
    }
}

fn schema(old: &Rules, before: &Schema, new: &Rules, after: &Schema, diff: &mut Diff) {
    let default = |rules: &Rules, schema: &Schema| {
        (rules.group_name(schema.default_group), schema.default_database().clone())
    };
    let (was, is) = (default(old, before), default(new, after));
    if was != is {
        let what = format!(
            "tables that no rule names are looked for in {}.{} instead of {}.{}",
            is.0, is.1, was.0, was.1
        );
        diff.push(format!("schema {}", before.name), what, true);
    }
    let names = |schema: &Schema| {
        schema.tables().iter().map(|(name, _)| (*name).to_string()).collect::<BTreeSet<_>>()
    };
    for name in names(before).union(&names(after)) {
        let subject = format!("table {}.{name}", before.name);
        let (was, is) = (before.table(name), after.table(name));
        let moves = moves_rows(old, &was, new, &is);
        let moves = moves.or_else(|| sequence_moves(old, &was, new, &is));
        match (before.tables.contains_key(name.as_str()), after.tables.contains_key(name.as_str()))
        {
            (false, true) => {
                let unless_absent = match (&moves, &was) {
                    (Some(_), Placement::Single(single)) => Some(Whereabouts {
                        group: old.group_name(single.group),
                        database: single.database.clone(),
                        table: single.table.clone(),
                    }),
                    _ => None,
                };
                let moves_rows = moves.is_some();
                let what = moves.map_or("added".to_string(), |why| format!("added: {why}"));
                diff.changes.push(Change { subject, what, moves_rows, unless_absent });
            }
            // An index that is gone is missed by nobody.
            (true, false) if was.is_lookup() => diff.push(subject, "removed", false),
            (true, false) => {
                let moves_rows = moves.is_some();
                diff.push(
                    subject,
                    moves.map_or("removed".to_string(), |why| format!("removed: {why}")),
                    moves_rows,
                );
            }
            _ => match moves {
                Some(why) => diff.push(subject, why, true),
                None if !same_options(&was, &is) => diff.push(subject, "changed", false),
                None => {}
            },
        }
    }
}

/// Why rows would be looked for elsewhere; `None` where they would not.
fn moves_rows(old: &Rules, was: &Placement, new: &Rules, is: &Placement) -> Option<String> {
    match (was, is) {
        (Placement::Sharded(was), Placement::Sharded(is)) => sharded_moves(old, was, new, is),
        (Placement::Broadcast(was), Placement::Broadcast(is)) => {
            let copies = |rules: &Rules, copies: &[(GroupId, Arc<str>)]| {
                copies
                    .iter()
                    .map(|(id, database)| format!("{}.{database}", rules.group_name(*id)))
                    .collect::<BTreeSet<_>>()
            };
            let (before, after) = (copies(old, &was.copies), copies(new, &is.copies));
            let added: Vec<&String> = after.difference(&before).collect();
            if was.table != is.table {
                return Some(format!("physical name {} instead of {}", is.table, was.table));
            }
            // A copy that is dropped is missed by nobody; a new one must hold the rows first.
            added.first().map(|copy| format!("a copy in {copy}, which has none yet"))
        }
        (Placement::Single(was), Placement::Single(is)) => {
            let place = |rules: &Rules, table: &SingleTable| {
                format!("{}.{}.{}", rules.group_name(table.group), table.database, table.table)
            };
            let (before, after) = (place(old, was), place(new, is));
            (before != after).then(|| format!("{after} instead of {before}"))
        }
        _ => Some(format!("{} instead of {}", kind(is), kind(was))),
    }
}

fn kind(placement: &Placement) -> &'static str {
    match placement {
        Placement::Sharded(_) => "sharded",
        Placement::Broadcast(_) => "broadcast",
        Placement::Single(single) if single.default => "single (no rule)",
        Placement::Single(_) => "single",
    }
}

fn sharded_moves(
    old: &Rules,
    was: &ShardedTable,
    new: &Rules,
    is: &ShardedTable,
) -> Option<String> {
    let place = |rules: &Rules, shard: &Shard| {
        (rules.group_name(shard.group), shard.database.clone(), shard.table.clone())
    };
    let names = |table: &ShardedTable| {
        table.keys.iter().map(|key| key.name.to_lowercase()).collect::<Vec<_>>()
    };
    if was.shards.len() != is.shards.len() {
        return Some(format!("{} shards instead of {}", is.shards.len(), was.shards.len()));
    }
    if names(was) != names(is) {
        return Some(format!(
            "shard key {} instead of {}",
            names(is).join(", "),
            names(was).join(", ")
        ));
    }
    let known = |rule: &IndexRule| {
        was.indexes.iter().any(|was| was.name == rule.name && was.columns == rule.columns)
    };
    if let Some(rule) = is.indexes.iter().find(|rule| rule.ready && !known(rule)) {
        return Some(format!(
            "index '{}' is ready at once, and rows that were written before it have no entries (let it be \
             'building' first)",
            rule.name
        ));
    }
    let turned = |rule: &&Arc<IndexRule>| {
        was.indexes.iter().any(|was| was.name == rule.name && was.unique != rule.unique)
    };
    if let Some(rule) = is.indexes.iter().find(turned) {
        return Some(format!(
            "index '{}' is {} now, and its lookup table was made otherwise (take it out, and declare one of \
             another name)",
            rule.name,
            if rule.unique { "unique" } else { "not unique" }
        ));
    }
    let alike = was.keys.iter().zip(&is.keys).all(|(was, is)| was.routes_like(is));
    if !alike {
        return Some("the shard key has another type or fold".to_string());
    }
    if !was.routing.alike(&is.routing) {
        return Some("another algorithm".to_string());
    }
    let differs = was
        .shards
        .iter()
        .zip(&is.shards)
        .position(|(before, after)| place(old, before) != place(new, after));
    let differs = differs?;
    let shown = |rules: &Rules, table: &ShardedTable| {
        table.shards.get(differs).map(|shard| {
            let (group, database, table) = place(rules, shard);
            format!("{group}.{database}.{table}")
        })
    };
    Some(format!("shard {differs} is {} instead of {}", shown(new, is)?, shown(old, was)?))
}

/// Why a sequence could hand out numbers again that rows have already.
fn sequence_moves(old: &Rules, was: &Placement, new: &Rules, is: &Placement) -> Option<String> {
    let (was, is) = (was.sequence()?, is.sequence()?);
    let what = match (&was.kind, &is.kind) {
        _ if was.name != is.name => "another name",
        (
            SequenceKind::Snowflake { group, database, table, layout },
            SequenceKind::Snowflake {
                group: new_group,
                database: new_database,
                table: new_table,
                layout: new_layout,
            },
        ) => {
            let home = (old.group_name(*group), database, table);
            if layout != new_layout {
                "another epoch or other bits"
            } else if home != (new.group_name(*new_group), new_database, new_table) {
                "another table of leases"
            } else {
                return None;
            }
        }
        (
            SequenceKind::Segment { groups, table, step, .. },
            SequenceKind::Segment { groups: new_groups, table: new_table, step: new_step, .. },
        ) => {
            let homes = |rules: &Rules, groups: &[(GroupId, Arc<str>)]| {
                groups
                    .iter()
                    .map(|(group, database)| (rules.group_name(*group), database.clone()))
                    .collect::<Vec<_>>()
            };
            if step != new_step {
                "another step"
            } else if homes(old, groups) != homes(new, new_groups) || table != new_table {
                "other groups or another table"
            } else {
                return None;
            }
        }
        _ => "another kind",
    };
    Some(format!("its sequence has {what}, so that it could hand out ids that rows have already"))
}

/// Whether everything else about a table is the same.
fn same_options(was: &Placement, is: &Placement) -> bool {
    let sequences = alike(was.sequence().map(|rule| &**rule), is.sequence().map(|rule| &**rule));
    match (was, is) {
        (Placement::Sharded(was), Placement::Sharded(is)) => {
            sequences
                && was.scatter_reads == is.scatter_reads
                && was.scatter_writes == is.scatter_writes
                && was.keys == is.keys
                && was.indexes.len() == is.indexes.len()
                && was.indexes.iter().zip(&is.indexes).all(|(was, is)| was.alike(is))
        }
        _ => sequences,
    }
}

/// Whether two declarations differ in nothing that [`sequence_moves`] leaves to others.
fn alike(was: Option<&SequenceRule>, is: Option<&SequenceRule>) -> bool {
    let Some((was, is)) = was.zip(is) else { return was.is_none() && is.is_none() };
    let rest = |kind: &SequenceKind| match kind {
        SequenceKind::Snowflake { .. } => None,
        SequenceKind::Segment { start, adjust, .. } => Some((*start, *adjust)),
    };
    was.column == is.column && rest(&was.kind) == rest(&is.kind)
}

#[cfg(test)]
mod tests;
