//! Where the shards of a table are: patterns and lists.
//!
//! Owns: their check. Never: knows the algorithm.

use std::sync::Arc;

use crate::rules::algorithm::tddl::placeholder;
use crate::rules::check::{Check, SchemaCheck};
use crate::rules::problem::KeyPath;
use crate::rules::shape::ShardsShape;
use crate::rules::table::Shard;

impl Check {
    /// All shards in order. `tables` overrides the shape's pattern (bound tables).
    pub(super) fn shards(
        &mut self,
        schema: &SchemaCheck<'_>,
        name: &str,
        shape: &ShardsShape,
        tables: Option<(&str, KeyPath)>,
        path: &KeyPath,
    ) -> Option<Vec<Shard>> {
        if let Some(list) = &shape.list {
            return self.listed_shards(schema, shape, list, tables, path);
        }
        let Some(groups) = shape.groups.as_ref().filter(|groups| !groups.is_empty()) else {
            self.error_help(
                path,
                "'groups' is missing",
                "write the group of each database, in order: groups: [g0, g1]",
            );
            return None;
        };
        let Some(database_pattern) = &shape.databases else {
            self.error_help(
                path,
                "'databases' is missing",
                "write the databases' names, such as shop_{0000}",
            );
            return None;
        };
        let database_count = u32::try_from(groups.len()).unwrap_or(u32::MAX);
        let count = shape.count.unwrap_or(database_count);
        if count % database_count != 0 {
            let next = count.div_ceil(database_count) * database_count;
            self.error_help(
                &path.key("count"),
                format!("{count} shards can't be spread evenly over {database_count} databases"),
                format!("take a multiple, such as {next}"),
            );
            return None;
        }
        let per_database = count / database_count;
        let default_pattern = format!("{name}_{{0000}}");
        let (table_pattern, table_path) = match (tables, &shape.tables) {
            (Some((pattern, path)), _) => (pattern, path),
            (None, Some(pattern)) => (pattern.as_str(), path.key("tables")),
            (None, None) => (default_pattern.as_str(), path.clone()),
        };
        self.pattern(database_pattern, database_count, &path.key("databases"));
        self.pattern(
            table_pattern,
            if shape.restart == Some(true) { per_database } else { count },
            &table_path,
        );
        let mut ids = Vec::new();
        for (index, group) in groups.iter().enumerate() {
            ids.push(self.group(schema.ids, group, &path.key("groups").index(index))?);
        }
        let mut shards = Vec::new();
        for (group, database) in ids.into_iter().zip(0u32..) {
            let database_name: Arc<str> = fill(database_pattern, database).into();
            for table in 0..per_database {
                let number = if shape.restart == Some(true) {
                    table
                } else {
                    database * per_database + table
                };
                shards.push(Shard {
                    group,
                    database: database_name.clone(),
                    table: fill(table_pattern, number).into(),
                });
            }
        }
        Some(shards)
    }

    fn listed_shards(
        &mut self,
        schema: &SchemaCheck<'_>,
        shape: &ShardsShape,
        list: &[crate::rules::shape::ShardShape],
        tables: Option<(&str, KeyPath)>,
        path: &KeyPath,
    ) -> Option<Vec<Shard>> {
        let others = [
            ("count", shape.count.is_some()),
            ("databases", shape.databases.is_some()),
            ("groups", shape.groups.is_some()),
            ("tables", shape.tables.is_some()),
            ("restart", shape.restart.is_some()),
        ];
        for (key, _) in others.iter().filter(|(_, there)| *there) {
            self.error(&path.key(key), format!("'{key}' is of no use beside 'list'"));
        }
        if list.is_empty() {
            self.error(&path.key("list"), "there is no shard");
        }
        if let Some((pattern, path)) = &tables {
            self.pattern(pattern, u32::try_from(list.len()).unwrap_or(u32::MAX), path);
        }
        let mut shards = Vec::new();
        for (number, shard) in (0u32..).zip(list) {
            let path = path.key("list").index(number as usize);
            self.name(&shard.database, "database", &path.key("database"));
            self.name(&shard.table, "table", &path.key("table"));
            let table = match &tables {
                Some((pattern, _)) => fill(pattern, number),
                None => shard.table.clone(),
            };
            let group = self.group(schema.ids, &shard.group, &path.key("group"))?;
            shards.push(Shard {
                group,
                database: shard.database.as_str().into(),
                table: table.into(),
            });
        }
        Some(shards)
    }

    /// A pattern must tell `count` names apart.
    fn pattern(&mut self, pattern: &str, count: u32, path: &KeyPath) {
        match placeholder(pattern) {
            Some((before, width, after)) => {
                self.name(
                    &format!("{before}{:0width$}{after}", count.saturating_sub(1)),
                    "physical",
                    path,
                );
                if after.contains('{') || before.contains('}') {
                    self.error(path, format!("'{pattern}' has more than one placeholder"));
                }
            }
            None if pattern.contains('{') || pattern.contains('}') => {
                self.error_help(
                    path,
                    format!("'{pattern}' has no placeholder that Weir knows"),
                    "write zeros in braces: {0000}",
                );
            }
            None if count > 1 => {
                self.error_help(
                    path,
                    format!("'{pattern}' names {count} different things alike"),
                    format!("add a placeholder: {pattern}_{{0000}}"),
                );
            }
            None => self.name(pattern, "physical", path),
        }
    }
}

fn fill(pattern: &str, number: u32) -> String {
    match placeholder(pattern) {
        Some((before, width, after)) => format!("{before}{number:0width$}{after}"),
        None => pattern.to_string(),
    }
}
