//! DROP TABLE of several tables that are not in the same places: one after the other.
//!
//! Owns: taking the statement apart, and one answer for all. Never: drops what the client didn't
//! name.
//!
//! As on MariaDB, tables that are there are dropped, and those that aren't are named in one error at the
//! end; on MySQL nothing is dropped then. A table that a foreign key of another one still points to is tried
//! again behind it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::context::Snapshot;
use crate::error::{Error, Fault, Result};
use crate::executor::write::Written;
use crate::name::{SchemaName, TableName};
use crate::planner::Plan;
use crate::planner::bind::Binding;
use crate::planner::plan::{Route, Target, WriteKind};
use crate::session::Session;
use crate::session::forward::Failure;
use crate::session::query::{Manner, Outcome};
use crate::sql::lex::{self, ServerKind};
use crate::sql::mention::table_names;
use crate::sql::template::Lexed;

/// There is no such table.
const UNKNOWN: u16 = 1051;

/// A foreign key points to the table.
const REFERENCED: [u16; 3] = [1217, 1451, 3730];

impl Session {
    /// Drops the statement's tables one by one.
    pub(super) async fn drop_each(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        sql: &[u8],
        lexed: &Lexed,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        if self.dialect.server == ServerKind::MySql {
            self.refuse_unknown(snapshot, sql.get(..lexed.end()).unwrap_or(sql)).await?;
        }
        let mut due: VecDeque<Vec<u8>> = self.drops(sql.get(..lexed.end()).unwrap_or(sql))?.into();
        let mut unknown: Vec<String> = Vec::new();
        let mut total = Written::default();
        // Tables in a row that others point to.
        let mut blocked = 0;
        while let Some(text) = due.pop_front() {
            // Without the temporary tables that are gone by now.
            let snapshot = if snapshot.base.is_some() { &self.snapshot() } else { snapshot };
            match self.define(snapshot, &text, manner).await {
                Ok(written) => {
                    blocked = 0;
                    total.warnings = total.warnings.saturating_add(written.warnings);
                }
                Err(Failure::Statement(error)) if error.errno == UNKNOWN => {
                    blocked = 0;
                    unknown.push(quoted(&error.message).to_owned());
                }
                Err(Failure::Statement(error))
                    if REFERENCED.contains(&error.errno) && blocked < due.len() =>
                {
                    blocked += 1;
                    due.push_back(text);
                }
                Err(failure) => return Err(failure),
            }
        }
        if !unknown.is_empty() {
            return Err(unknown_table(&unknown).into());
        }
        self.reply_written(&total, &plan.facts, manner.more);
        Ok(Outcome::Good)
    }

    /// MySQL drops nothing where one of the tables isn't there.
    ///
    /// # Errors
    /// 1051, which names them.
    async fn refuse_unknown(&mut self, snapshot: &Arc<Snapshot>, sql: &[u8]) -> Result<()> {
        let tokens = lex::tokens(sql, self.dialect, self.ctx.lexer.limits())?;
        let words = ["TEMPORARY", "EXISTS"];
        if tokens.iter().take(12).any(|token| token.is_any(sql, &words)) {
            return Ok(());
        }
        let home = self.schema.as_ref().map(SchemaName::as_str).unwrap_or_default().to_owned();
        let rules = &snapshot.rules;
        let lasts = |(schema, name): &(SchemaName, TableName)| {
            let schema = rules.schema(schema.as_str());
            schema.is_none_or(|schema| schema.temporary(name.as_str()).is_none())
        };
        let named = table_names(sql, &tokens).into_iter().map(|one| {
            let schema = one.schema.as_deref().unwrap_or(&home);
            (SchemaName::new(schema), TableName::new(&one.name))
        });
        let named: Vec<_> = named.filter(lasts).collect();
        let loader = &self.ctx.shared.loader;
        loader.forget(&snapshot.catalog, &named);
        let missing = loader.need(rules, &snapshot.topology, &snapshot.catalog, &named).await?;
        let catalog = snapshot.catalog.load_full();
        let is_view = |(schema, name): &(SchemaName, TableName)| {
            catalog.table(schema.as_str(), name.as_str()).is_some_and(|table| table.is_view)
        };
        let unknown = named.iter().filter(|one| missing.contains(one) || is_view(one));
        let unknown: Vec<String> =
            unknown.map(|(schema, name)| format!("{schema}.{name}")).collect();
        match unknown.is_empty() {
            true => Ok(()),
            false => Err(unknown_table(&unknown)),
        }
    }

    /// A statement for each table: the words in front of the first, and the name as it is written.
    fn drops(&self, sql: &[u8]) -> Result<Vec<Vec<u8>>> {
        let tokens = lex::tokens(sql, self.dialect, self.ctx.lexer.limits())?;
        let names = table_names(sql, &tokens);
        let first = names.first().map_or(0, |name| name.range.start);
        let head = sql.get(..first).unwrap_or_default();
        let one = |range| [head, sql.get(range).unwrap_or_default()].concat();
        Ok(names.into_iter().map(|name| one(name.range)).collect())
    }

    /// Runs one DDL statement of Weir's own, without its answer to the client.
    pub(super) async fn define(
        &mut self,
        snapshot: &Arc<Snapshot>,
        text: &[u8],
        manner: Manner<'_>,
    ) -> Result<Written, Failure> {
        let mut lexed = Lexed::new();
        self.ctx.lexer.lex(text, &self.dialect, &mut lexed)?;
        let plan = self.plan(snapshot, text, &lexed).await?;
        self.check_rights(&plan)?;
        if plan.facts.commits {
            Box::pin(self.end_transaction(b"COMMIT")).await?;
        }
        self.allow_groups(&plan)?;
        let session = self.facts();
        let binding = Binding {
            sql: text,
            lexed: &lexed,
            dialect: self.dialect,
            parameters: &[],
            rules: &snapshot.rules,
            session: &session,
        };
        let targets: Vec<Target> = match plan.bind(&binding) {
            Route::Forward(target) => vec![target],
            Route::Write { targets, .. } => targets,
            Route::Refuse(error) => return Err(error.into()),
            _ => return Err(Error::internal("a definition that goes nowhere").into()),
        };
        let kind = WriteKind::Definition;
        let manner = Manner { parameters: &[], arguments: None, ..manner };
        Box::pin(self.written(snapshot, &plan, targets, kind, &binding, manner)).await
    }
}

fn unknown_table(names: &[String]) -> Error {
    let text = format!("Unknown table '{}'", names.join(","));
    Error::new(Fault::Client, UNKNOWN, b"42S02", "", text)
}

/// What stands in quotes in a message.
fn quoted(message: &str) -> &str {
    message.split('\'').nth(1).unwrap_or(message)
}
