//! Statements that read information_schema: under logical names, from one server.
//!
//! Owns: what the rules say is on that server, and the columns of its tables. Never: cuts texts
//! itself ([`super::folded`]).

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::context::Snapshot;
use crate::error::{Error, Fault, Result};
use crate::name::GroupId;
use crate::planner::Plan;
use crate::planner::plan::Target;
use crate::rules::sequence::{SEGMENT_TABLE, WORKER_TABLE};
use crate::rules::table::Placement;
use crate::session::Session;
use crate::session::folded::{self, Mapping};
use crate::session::lend::Purpose;
use crate::session::look_back;
use crate::session::own::rows;
use crate::sql::lex::{self, ServerKind};
use crate::sql::token::Token;

/// The columns of tables of information_schema, by the table's name in capitals.
pub(crate) type Columns = HashMap<String, Arc<[String]>>;

impl Session {
    /// The statement with derived tables in the place of information_schema's; `None` where it
    /// reads none.
    ///
    /// # Errors
    /// A refusal for tables that show what isn't the client's; 1109 for unknown ones.
    pub(super) async fn fold(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        target: &Target,
        sql: &[u8],
    ) -> Result<Option<Vec<u8>>> {
        if !reads_system(plan) {
            return Ok(None);
        }
        let inside = self.schema.as_ref().is_some_and(|schema| is_information(schema.as_str()));
        let tokens = lex::tokens(sql, self.dialect, self.ctx.lexer.limits())?;
        let (references, qualifiers) = folded::references(sql, &tokens, inside);
        let named = plan.table_names().filter(|(schema, _)| is_information(schema)).count();
        if references.len() < named {
            return Err(Error::refused(
                "information_schema",
                "A table of information_schema stands where it isn't recognised: write the statement with \
                 plain references in FROM",
            ));
        }
        let mut edits: Vec<(Range<usize>, String)> =
            qualifiers.into_iter().map(|range| (range, String::new())).collect();
        if references.is_empty() {
            return Ok(None);
        }
        let mapping = self.mapping(snapshot, target.group);
        for reference in references {
            let alias = if reference.bare {
                format!(" AS `{}`", reference.name.replace('`', "``"))
            } else {
                String::new()
            };
            if folded::is_unchanged(&reference.name) {
                let name = reference.name.to_ascii_uppercase();
                edits.push((reference.range, format!("information_schema.{name}{alias}")));
                continue;
            }
            let columns = self.system_columns(snapshot, target, &reference.name).await?;
            let derived = folded::derived(&reference.name, &columns, &mapping)?;
            edits.push((reference.range, derived + &alias));
        }
        if self.dialect.server == ServerKind::MariaDb {
            edits.extend(written_names(sql, &tokens));
        }
        edits.sort_by_key(|(range, _)| (range.start, range.end));
        let mut out = Vec::with_capacity(sql.len() + 1024);
        let mut at = 0;
        for (range, text) in edits {
            out.extend_from_slice(sql.get(at..range.start).unwrap_or_default());
            out.extend_from_slice(text.as_bytes());
            at = range.end;
        }
        out.extend_from_slice(sql.get(at..).unwrap_or_default());
        Ok(Some(out))
    }

    /// The columns of one of information_schema's tables, asked once per session.
    pub(super) async fn system_columns(
        &mut self,
        snapshot: &Arc<Snapshot>,
        target: &Target,
        table: &str,
    ) -> Result<Arc<[String]>> {
        let upper = table.to_ascii_uppercase();
        if let Some(known) = self.system_columns.get(&upper) {
            return Ok(known.clone());
        }
        let unknown = || {
            let text = format!("Unknown table '{table}' in information_schema");
            Error::new(Fault::Client, 1109, b"42S02", "", text)
        };
        if !upper.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(unknown());
        }
        let mut lent = self.lend(snapshot, target, Purpose::OWN).await?;
        let question = format!(
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'information_schema' \
             AND TABLE_NAME = '{upper}' ORDER BY ORDINAL_POSITION"
        );
        let found = rows(&mut lent, question.as_bytes()).await;
        self.settle(target.group, lent, snapshot).await;
        let names = found?.rows.into_iter().filter_map(|row| row.into_iter().next().flatten());
        let names: Arc<[String]> =
            names.map(|name| String::from_utf8_lossy(&name).into_owned()).collect();
        if names.is_empty() {
            return Err(unknown());
        }
        self.system_columns.insert(upper, names.clone());
        Ok(names)
    }

    /// What the schemas that the account may use have on a group.
    pub(super) fn mapping(&self, snapshot: &Snapshot, group: GroupId) -> Mapping {
        let mut mapping = Mapping::default();
        for schema in snapshot.rules.schemas() {
            let logical = schema.name.as_str();
            if !self.identity.user.may_use(logical) {
                continue;
            }
            let note = |mapping: &mut Mapping, physical: &str| {
                if !mapping.databases.iter().any(|(known, _)| known == physical) {
                    mapping.databases.push((physical.to_owned(), logical.to_owned()));
                }
            };
            if schema.default_group == group {
                let home = schema.default_database().to_string();
                note(&mut mapping, &home);
                mapping.homes.push(home);
            }
            for own in OWN_TABLES {
                mapping
                    .parts
                    .extend(mapping.homes.iter().map(|home| (home.clone(), own.to_owned())));
            }
            for (name, placement) in schema.tables() {
                let here = match placement {
                    Placement::Sharded(table) => {
                        let shards = table.shards.iter().filter(|shard| shard.group == group);
                        let mut shards = shards.map(|shard| (&shard.database, &shard.table));
                        let first = shards.clone().next();
                        shards.by_ref().for_each(|(database, table)| {
                            mapping.parts.push((database.to_string(), table.to_string()));
                        });
                        first
                    }
                    Placement::Broadcast(table) => {
                        table.database_in(group).map(|database| (database, &table.table))
                    }
                    Placement::Single(table) if table.group == group => {
                        Some((&table.database, &table.table))
                    }
                    Placement::Single(_) => None,
                };
                if let Some((database, table)) = here {
                    note(&mut mapping, database);
                    mapping.tables.push((database.to_string(), table.to_string(), name.to_owned()));
                }
            }
        }
        mapping.parts.retain(|(database, _)| mapping.homes.contains(database));
        mapping
    }
}

/// MariaDB calls a column as the statement writes it, but one of a derived table as that does:
/// such items get their names as aliases.
fn written_names(sql: &[u8], tokens: &[Token]) -> Vec<(Range<usize>, String)> {
    let named = |item: Range<usize>| {
        let inside: Vec<&Token> =
            tokens.iter().filter(|token| item.contains(&token.range().start)).collect();
        let (last, before) = inside.split_last()?;
        let qualifies = |token: &&&Token| token.is_name() || token.is_symbol(sql, ".");
        let is_column =
            last.is_name() && before.iter().filter(|token| !qualifies(token)).count() == 0;
        let name = String::from_utf8_lossy(last.bytes(sql)).into_owned();
        let quoted = if name.starts_with('`') { name } else { format!("`{name}`") };
        is_column.then(|| (item.end..item.end, format!(" AS {quoted}")))
    };
    look_back::select_items(sql, tokens).into_iter().filter_map(named).collect()
}

/// Tables that Weir keeps in the groups for itself; a rule may name others, which are seen.
pub(super) const OWN_TABLES: [&str; 3] = [SEGMENT_TABLE, WORKER_TABLE, "weir_commit"];

/// Whether a plan has tables of information_schema.
pub(super) fn has_system_tables(plan: &Plan) -> bool {
    plan.table_names().any(|(schema, _)| is_information(schema))
}

/// Whether a plan may name information_schema.
fn reads_system(plan: &Plan) -> bool {
    plan.schemas.iter().any(|schema| is_information(schema.as_str()))
}

pub(super) fn is_information(schema: &str) -> bool {
    schema.eq_ignore_ascii_case("information_schema")
}
