//! Rules as TDDL writes them.
//!
//! Owns: their check: patterns, expressions and the databases that names stand for. Never:
//! evaluates an expression (`algorithm::tddl` does).

use std::sync::Arc;

use crate::rules::algorithm::tddl::expression::Step;
use crate::rules::algorithm::tddl::{RuleError, TddlRule};
use crate::rules::algorithm::{Routing, fold::Fold};
use crate::rules::check::tables::Sharding;
use crate::rules::check::{Check, SchemaCheck};
use crate::rules::key::KeyColumn;
use crate::rules::problem::{KeyPath, suggestion};
use crate::rules::shape::{KeyShape, RulesListShape, TableShape, TddlShape};
use crate::rules::table::Shard;
use crate::value::temporal::{Date, parse_datetime};

impl Check {
    pub(super) fn tddl(
        &mut self,
        schema: &SchemaCheck<'_>,
        name: &str,
        table: &TableShape,
        path: &KeyPath,
    ) -> Option<Sharding> {
        let shape = table.tddl.as_ref()?;
        let path_of_rule = path.key("tddl");
        let databases = expressions(shape.db_rule_array.as_ref());
        let tables = expressions(shape.tb_rule_array.as_ref());
        if databases.is_empty() && tables.is_empty() {
            self.error_help(
                &path_of_rule,
                "there is neither dbRuleArray nor tbRuleArray",
                "a table without rules is single: write 'group' instead",
            );
            return None;
        }
        let start = self.date_start(shape, &path_of_rule)?;
        let rule = match TddlRule::new(&databases, &tables, start) {
            Ok(rule) => rule,
            Err(RuleError::Syntax { database, index, error }) => {
                let (key, written) = if database {
                    ("dbRuleArray", &shape.db_rule_array)
                } else {
                    ("tbRuleArray", &shape.tb_rule_array)
                };
                let path = path_of_rule.key(key);
                let path = if matches!(written, Some(RulesListShape::Many(_))) {
                    path.index(index)
                } else {
                    path
                };
                self.error(&path, error.to_string());
                return None;
            }
            Err(RuleError::Samples(message)) => {
                self.error_help(
                    &path_of_rule,
                    message,
                    "the shards are found by evaluating the rule over each column's step and range",
                );
                return None;
            }
        };
        let keys = self.tddl_keys(&rule, &table.key, path)?;
        let shards = self.tddl_shards(schema, name, shape, &rule, &path_of_rule)?;
        Some(Sharding {
            keys,
            routing: Routing::Tddl(rule),
            shards,
            scatter_reads: Some(shape.allow_full_table_scan.unwrap_or(false)),
        })
    }

    fn date_start(&mut self, shape: &TddlShape, path: &KeyPath) -> Option<Date> {
        let Some(written) = &shape.date_start else {
            return Some(Date { year: 2000, month: 1, day: 1 });
        };
        let parsed =
            parse_datetime(written).map(|parsed| parsed.value.date).filter(|date| date.is_real());
        if parsed.is_none() {
            self.error(&path.key("dateStart"), format!("'{written}' is no date"));
        }
        parsed
    }

    /// The columns of the expressions, in order, with the types that `key` gives them.
    fn tddl_keys(
        &mut self,
        rule: &TddlRule,
        written: &[KeyShape],
        path: &KeyPath,
    ) -> Option<Vec<KeyColumn>> {
        for (index, key) in written.iter().enumerate() {
            if !rule.columns.iter().any(|column| column.name.eq_ignore_ascii_case(&key.column)) {
                let help =
                    suggestion(&key.column, rule.columns.iter().map(|column| column.name.as_str()));
                self.error_help(
                    &path.key("key").index(index).key("column"),
                    format!("no expression names column '{}'", key.column),
                    help,
                );
            }
        }
        if rule.columns.is_empty() {
            self.error(&path.key("tddl"), "the expressions name no column");
            return None;
        }
        let mut keys = Vec::new();
        for column in &rule.columns {
            let default_type =
                if matches!(column.step, Step::Number(_)) { "bigint" } else { "datetime" };
            let found =
                written.iter().position(|key| key.column.eq_ignore_ascii_case(&column.name));
            let bare =
                KeyShape { column: column.name.clone(), kind: None, collation: None, fold: None };
            let (shape, path) = match found {
                Some(index) => (written.get(index).unwrap_or(&bare), path.key("key").index(index)),
                None => (&bare, path.key("tddl")),
            };
            let key = self.key(shape, default_type, true, &path)?;
            if matches!(key.fold, Fold::Weights(_)) {
                self.error_help(
                    &path.key("fold"),
                    "an expression can't work on a collation's weights",
                    "write none, trim or ascii_ci",
                );
                return None;
            }
            keys.push(key);
        }
        Some(keys)
    }

    fn tddl_shards(
        &mut self,
        schema: &SchemaCheck<'_>,
        name: &str,
        shape: &TddlShape,
        rule: &TddlRule,
        path: &KeyPath,
    ) -> Option<Vec<Shard>> {
        let tables = shape.tb_name_pattern.as_deref().unwrap_or(name);
        let mut shards = Vec::new();
        let mut missing: Vec<String> = Vec::new();
        for names in rule.names(&shape.db_name_pattern, tables) {
            let (database, table) = match names {
                Ok(names) => names,
                Err(message) => {
                    self.error(path, message);
                    return None;
                }
            };
            match schema.shape.tddl_groups.get(&database) {
                Some(place) => {
                    let group = schema.ids.get(&place.group).copied()?;
                    shards.push(Shard {
                        group,
                        database: place.database.as_str().into(),
                        table: Arc::from(table),
                    });
                }
                None if !missing.contains(&database) => missing.push(database),
                None => {}
            }
        }
        if !missing.is_empty() {
            missing.truncate(8);
            self.error_help(
                &path.key("dbNamePattern"),
                format!("the schema's 'tddl_groups' doesn't name {}", missing.join(", ")),
                format!(
                    "add: {}: {{group: …, database: …}}",
                    missing.first().map_or("", String::as_str)
                ),
            );
            return None;
        }
        Some(shards)
    }
}

fn expressions(written: Option<&RulesListShape>) -> Vec<String> {
    match written {
        None => Vec::new(),
        Some(RulesListShape::One(one)) => vec![one.clone()],
        Some(RulesListShape::Many(many)) => many.clone(),
    }
}
