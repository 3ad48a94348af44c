//! What `weir check --online` says of what it found on the servers.
//!
//! Owns: the comparison of rules with nodes and physical tables. Never: asks a server
//! ([`super`] does).

use crate::backend::version::Facts;
use crate::catalog::{DefaultValue, Generated, Table, TriggerEvent};
use crate::rules::algorithm::fold::Fold;
use crate::rules::key::KeyColumn;
use crate::rules::problem::{KeyPath, Problem, suggestion};
use crate::rules::sequence::{SequenceKind, SequenceRule};
use crate::rules::table::ShardedTable;
use crate::value::types::ColumnType;

/// One physical table and what it is, `None` where no server has it.
pub struct Physical {
    /// `g0.shop_0000.orders_0003`
    pub place: String,
    pub found: Option<Table>,
}

/// Missing tables named one by one up to here.
const SHOWN: usize = 4;

/// The oldest versions that Weir is tried against, as `major * 10000 + minor * 100`.
const OLDEST_MARIADB: u32 = 100_600;
const OLDEST_MYSQL: u32 = 80_000;

/// A node's settings against what Weir needs and against the group's first node.
pub fn node(path: &KeyPath, title: &str, facts: &Facts, first: &Facts) -> Vec<Problem> {
    let mut problems = Vec::new();
    let version = &facts.version;
    let oldest = match version.kind {
        crate::backend::version::Kind::MariaDb => OLDEST_MARIADB,
        crate::backend::version::Kind::MySql => OLDEST_MYSQL,
    };
    if version.number < oldest {
        problems.push(
            Problem::warning(
                path,
                format!("{title} runs {}, which Weir was never tried with", version.text),
            )
            .help("MariaDB 10.6 and MySQL 8.0 are the oldest ones"),
        );
    }
    if !facts.sql_mode.contains("STRICT_TRANS_TABLES")
        && !facts.sql_mode.contains("STRICT_ALL_TABLES")
    {
        problems.push(
            Problem::warning(
                path,
                format!(
                    "{title} has no strict sql_mode, so it changes values that don't fit a column"
                ),
            )
            .help("rows are routed by what is stored; add STRICT_TRANS_TABLES to sql_mode"),
        );
    }
    let pairs = [
        ("sql_mode", &facts.sql_mode, &first.sql_mode),
        ("collation_server", &facts.collation, &first.collation),
        ("time_zone", &facts.time_zone, &first.time_zone),
    ];
    for (name, here, there) in pairs {
        if here != there {
            let message = format!("{title} has {name} '{here}', other nodes have '{there}'");
            problems.push(
                Problem::warning(path, message)
                    .help("statements may mean different things on them"),
            );
        }
    }
    if facts.lower_case_table_names != first.lower_case_table_names {
        let message = format!(
            "{title} has lower_case_table_names {}, other nodes have {}",
            facts.lower_case_table_names, first.lower_case_table_names
        );
        problems.push(Problem::error(path, message).help("it must be the same everywhere"));
    }
    if facts.version.kind != first.version.kind {
        let message = format!("{title} runs {}, other nodes {}", version.text, first.version.text);
        problems.push(Problem::warning(path, message).help("the two kinds store and compare some values differently; such statements are refused or go to all shards"));
    }
    problems
}

/// A logical table's physical ones: all there, all alike.
pub fn copies<'a>(
    path: &KeyPath,
    copies: &'a [Physical],
    problems: &mut Vec<Problem>,
) -> Option<&'a Table> {
    let missing: Vec<&str> =
        copies.iter().filter(|copy| copy.found.is_none()).map(|copy| copy.place.as_str()).collect();
    if !missing.is_empty() {
        let shown = missing.get(..SHOWN.min(missing.len())).unwrap_or_default().join(", ");
        let more = missing.len().saturating_sub(SHOWN);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let message = format!(
            "{} of {} physical tables are missing: {shown}{more}",
            missing.len(),
            copies.len()
        );
        problems.push(
            Problem::error(path, message).help("create them, or send CREATE TABLE through Weir"),
        );
    }
    let mut there =
        copies.iter().filter_map(|copy| Some((copy.place.as_str(), copy.found.as_ref()?)));
    let (first_place, first) = there.next()?;
    let mut differing = 0;
    for (place, table) in there {
        let Some(difference) = difference(first, table) else { continue };
        differing += 1;
        if differing <= SHOWN {
            problems.push(
                Problem::error(path, format!("{place} differs from {first_place}: {difference}"))
                    .help("every shard and copy must be defined alike"),
            );
        }
    }
    Some(first)
}

/// The first difference between two tables that should be alike.
fn difference(left: &Table, right: &Table) -> Option<String> {
    for (index, column) in left.columns.iter().enumerate() {
        match right.columns.get(index) {
            None => return Some(format!("column '{}' is missing", column.name)),
            Some(other) if other.name != column.name => {
                return Some(format!(
                    "column {} is '{}' instead of '{}'",
                    index + 1,
                    other.name,
                    column.name
                ));
            }
            Some(other) if other.kind != column.kind => {
                let collation = |kind: &crate::value::types::ColumnType| {
                    kind.collation().map_or(String::new(), |collation| format!(" {collation}"))
                };
                return Some(format!(
                    "column '{}' is {}{} instead of {}{}",
                    column.name,
                    other.kind,
                    collation(&other.kind),
                    column.kind,
                    collation(&column.kind)
                ));
            }
            Some(other) if other != column => {
                return Some(format!("column '{}' is defined differently", column.name));
            }
            Some(_) => {}
        }
    }
    if let Some(extra) = right.columns.get(left.columns.len()) {
        return Some(format!("it has a further column '{}'", extra.name));
    }
    if left.keys != right.keys {
        return Some("its keys are different".to_owned());
    }
    if left.engine != right.engine {
        return Some(format!("its engine is {} instead of {}", right.engine, left.engine));
    }
    (left.triggers != right.triggers).then(|| "its triggers are different".to_owned())
}

/// A sharded table against its rule.
pub fn sharded(path: &KeyPath, rule: &ShardedTable, table: &Table, problems: &mut Vec<Problem>) {
    for (index, key) in rule.keys.iter().enumerate() {
        key_column(&path.key("key").index(index), key, table, problems);
    }
    indexes(path, rule, table, problems);
    if let Some(column) = table.auto_increment.and_then(|index| table.columns.get(index)) {
        let declared = rule
            .sequence
            .as_ref()
            .is_some_and(|sequence| sequence.column.eq_ignore_ascii_case(&column.name));
        if !declared {
            problems.push(
                Problem::error(
                    path,
                    format!(
                        "column '{}' is AUTO_INCREMENT: each shard would hand out the same numbers",
                        column.name
                    ),
                )
                .help(format!(
                    "declare it: sequence: {{column: {}, kind: snowflake}}",
                    column.name
                )),
            );
        }
    }
    if let Some(sequence) = &rule.sequence {
        filled(&path.key("sequence").key("column"), sequence, table, problems);
    }
    triggers(path, table, problems);
    promises(path, rule, table, problems);
}

/// The column that a sequence fills must hold what it is filled with.
pub fn filled(path: &KeyPath, sequence: &SequenceRule, table: &Table, problems: &mut Vec<Problem>) {
    let name = &sequence.column;
    let Some(column) = table.column(name) else {
        let help = suggestion(name, table.columns.iter().map(|column| &*column.name));
        problems.push(Problem::error(path, format!("there is no column '{name}'")).help(help));
        return;
    };
    let ColumnType::Int { bits, .. } = column.kind else {
        let text = format!("column '{name}' is no integer, and a sequence's values are");
        problems.push(Problem::error(path, text).help("make it BIGINT"));
        return;
    };
    match &sequence.kind {
        SequenceKind::Snowflake { .. } if bits < 64 => problems.push(
            Problem::error(
                path,
                format!("column '{name}' has {bits} bits, and snowflake ids need 64"),
            )
            .help("make it BIGINT, or declare the sequence as a segment"),
        ),
        SequenceKind::Segment { .. } if bits < 64 => problems.push(
            Problem::warning(path, format!("column '{name}' has {bits} bits only"))
                .help("each range that a proxy loses when it ends is lost to it; BIGINT has room"),
        ),
        _ => {}
    }
    let counted = table.auto_increment.and_then(|index| table.columns.get(index));
    let is_unique = table
        .unique_keys()
        .any(|key| key.parts.first().and_then(|part| part.column) == table.column_index(name));
    if counted.is_none() && !is_unique {
        problems.push(
            Problem::warning(path, format!("column '{name}' begins no unique key"))
                .help("nothing would notice ids that were given by hand twice"),
        );
    }
}

/// BEFORE triggers, which could change a key (trap 16).
fn triggers(path: &KeyPath, table: &Table, problems: &mut Vec<Problem>) {
    for event in [TriggerEvent::Insert, TriggerEvent::Update] {
        if table.has_before_trigger(event) {
            let name = table
                .triggers
                .iter()
                .find(|trigger| trigger.before && trigger.event == event)
                .map_or("", |trigger| &trigger.name);
            problems.push(
                Problem::error(path, format!("trigger '{name}' runs before each {}: it could change the shard key after the row was routed", if event == TriggerEvent::Insert { "INSERT" } else { "UPDATE" }))
                    .help("make it an AFTER trigger, or drop it"),
            );
        }
    }
}

/// What would keep an index from following its table.
fn indexes(path: &KeyPath, rule: &ShardedTable, table: &Table, problems: &mut Vec<Problem>) {
    if rule.indexes.is_empty() {
        return;
    }
    let path = path.key("indexes");
    if table.primary_key().is_none() {
        problems.push(Problem::error(&path, "its table has no primary key, which entries hold"));
    }
    if table.cascades {
        problems.push(
            Problem::error(&path, "a foreign key of its table lets servers change or remove rows")
                .help("declare it without ON DELETE and ON UPDATE, or take the index out"),
        );
    }
    for index in &rule.indexes {
        for column in &index.columns {
            key_column(&path.key(&index.name), column, table, problems);
        }
    }
}

/// What holds within a shard only.
fn promises(path: &KeyPath, rule: &ShardedTable, table: &Table, problems: &mut Vec<Problem>) {
    for key in table.unique_keys() {
        let holds = |wanted: &KeyColumn| {
            key.parts.iter().any(|part| {
                part.column
                    .and_then(|index| table.columns.get(index))
                    .is_some_and(|column| column.name.eq_ignore_ascii_case(&wanted.name))
            })
        };
        if !rule.keys.iter().all(holds) {
            problems.push(
                Problem::warning(path, format!("unique key '{}' doesn't hold the whole shard key, so it is unique within each shard only", key.name))
                    .help("values from a sequence are unique anyway"),
            );
        }
    }
    if table.has_foreign_keys {
        problems.push(
            Problem::warning(path, "it has foreign keys, which hold within a shard only")
                .help("they are right between bound tables in one database"),
        );
    }
    if !table.engine.eq_ignore_ascii_case("InnoDB") {
        problems.push(
            Problem::warning(path, format!("its engine is {}", table.engine))
                .help("a write over several shards can't be rolled back there"),
        );
    }
}

fn key_column(path: &KeyPath, key: &KeyColumn, table: &Table, problems: &mut Vec<Problem>) {
    let Some(column) = table.column(&key.name) else {
        let help = suggestion(&key.name, table.columns.iter().map(|column| &*column.name));
        problems
            .push(Problem::error(path, format!("there is no column '{}'", key.name)).help(help));
        return;
    };
    let real = KeyColumn { declared: column.kind.clone(), ..key.clone() };
    if !real.routes_like(key) {
        problems.push(
            Problem::error(
                path,
                format!(
                    "column '{}' is {}, and the rule says {}",
                    key.name, column.kind, key.declared
                ),
            )
            .help(format!("write type: {}", column.kind)),
        );
        return;
    }
    if !key.covers(&column.kind) {
        let collation = column.collation().map_or(String::new(), ToString::to_string);
        let help = match column.collation().and_then(Fold::for_collation) {
            Some(enough) => format!("'{enough}' would be enough"),
            None => "only a _bin collation would help".to_owned(),
        };
        problems.push(
            Problem::warning(path, format!("fold '{}' keeps texts apart that {collation} calls equal, so conditions on '{}' go to all shards", key.fold, key.name)).help(help),
        );
    }
    if column.generated != Generated::No {
        problems.push(Problem::error(
            path,
            format!(
                "column '{}' is generated, so its value isn't known before the row is stored",
                key.name
            ),
        ));
    }
    if column.on_update || matches!(column.default, DefaultValue::Expression(_)) {
        problems.push(
            Problem::warning(path, format!("column '{}' gets its value from the server", key.name))
                .help("rows that don't name it are refused"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::backend::version::Version;

    fn facts(version: &str) -> Facts {
        Facts {
            version: Version::parse(version),
            sql_mode: "STRICT_TRANS_TABLES".into(),
            max_allowed_packet: 1 << 24,
            lower_case_table_names: 0,
            wait_timeout: 28_800,
            time_zone: "SYSTEM".into(),
            charset: "utf8mb4".into(),
            collation: "utf8mb4_general_ci".into(),
            isolation: "REPEATABLE-READ".into(),
            server_id: 1,
            rollback_on_timeout: false,
            collations: Arc::new([]),
        }
    }

    #[test]
    fn versions_that_are_too_old_and_names_that_compare_otherwise_are_told() {
        let told = |here: &Facts, there: &Facts| -> Vec<String> {
            let problems = node(&KeyPath::root().key("groups"), "n", here, there);
            problems.into_iter().map(|problem| problem.message).collect()
        };
        for (version, is_old) in [
            ("10.5.29-MariaDB", true),
            ("10.6.0-MariaDB", false),
            ("10.11.19-MariaDB-0+deb12u1", false),
            ("5.7.44-log", true),
            ("8.0.11", false),
            ("9.7.4", false),
        ] {
            let facts = facts(version);
            let told = told(&facts, &facts);
            assert_eq!(told.len(), usize::from(is_old), "{version}: {told:?}");
            assert!(told.iter().all(|line| line.contains("never tried with")), "{told:?}");
        }
        let (one, mut other) = (facts("9.7.4"), facts("9.7.4"));
        other.lower_case_table_names = 1;
        let told = told(&other, &one);
        assert_eq!(told, ["n has lower_case_table_names 1, other nodes have 0"]);
    }
}
