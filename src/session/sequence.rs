//! Rows that want ids of a sequence: taken before the statement is bound, and put into its text.
//!
//! Owns: the way from a plan with a fill to the statement that has its ids. Never: makes an id, or
//! knows where in the text they go.
//!
//! Ids are taken before anything is sent, since the id may be the shard key; those of a statement
//! that fails are lost, as AUTO_INCREMENT's are.

use std::sync::Arc;

use tokio::time::Instant;

use crate::context::Snapshot;
use crate::error::{Error, Result};
use crate::executor::insert_id::{InsertId, Repeated, Taken};
use crate::name::SchemaName;
use crate::planner::Plan;
use crate::planner::bind::Binding;
use crate::planner::fill::{Duplicates, Filled, Wanted};
use crate::planner::plan::{Facts, Ids};
use crate::planner::splice::Form;
use crate::protocol::capability::Capabilities;
use crate::sequence::Sequence;
use crate::session::Session;
use crate::session::forward::Failure;
use crate::session::query::{Manner, Outcome};
use crate::session::reply::{Kind, Table};
use crate::sql::template::Lexed;

/// The most numbers that one statement can ask for: they are held until they are sent.
const MOST_VALUES: u64 = 100_000;

impl Session {
    /// The statement with ids for the rows that want one; `None` where none does, or where it has
    /// them already.
    ///
    /// # Errors
    /// No ids within `timeouts.pool_wait`.
    pub(super) async fn filled(
        &mut self,
        plan: &Plan,
        binding: &Binding<'_>,
        form: Form,
    ) -> Result<Option<Filled>> {
        let Some(fill) = plan.fill.as_ref().filter(|_| self.taken.is_none()) else {
            return Ok(None);
        };
        let Wanted { rows, given } = fill.wanted(binding)?;
        if !given.is_empty() {
            self.pass_ids(&fill.schema, &fill.sequence, &given).await?;
        }
        let Ok(count) = u32::try_from(rows.len()) else {
            return Err(Error::internal("more rows than a statement can have"));
        };
        if count == 0 {
            return Ok(None);
        }
        if plan.facts.returns && matches!(fill.duplicates, Duplicates::Updated { .. }) {
            return Err(Error::refused(
                "scatter_returning",
                "RETURNING tells no number of rows changed, so that with ON DUPLICATE KEY UPDATE nothing says \
                 whether an id of the sequence was used: give the ids, or leave one of the two out",
            ));
        }
        let first = self.take(&fill.schema, &fill.sequence, count).await?;
        let filled = fill.write(binding, &rows, first, form)?;
        self.taken = Some(Taken {
            first,
            last: first + u64::from(count) - 1,
            rows: binding.lexed.rows().len().max(1) as u64,
            duplicates: match fill.duplicates {
                Duplicates::None => Repeated::Fail,
                Duplicates::Skipped => Repeated::Skip,
                Duplicates::Updated { sets_id } => Repeated::Update { sets_id },
            },
            counted: fill.counted,
            found_rows: self.capabilities.contains(Capabilities::FOUND_ROWS),
        });
        Ok(Some(filled))
    }

    /// Moves a sequence past ids that rows are given.
    pub(super) async fn pass_ids(
        &self,
        schema: &SchemaName,
        name: &Arc<str>,
        ids: &[u64],
    ) -> Result<()> {
        let deadline = Instant::now() + self.settings.timeouts.pool_wait.0;
        self.declared(schema, name)?.pass(ids, deadline).await
    }

    pub(super) async fn take(
        &self,
        schema: &SchemaName,
        name: &Arc<str>,
        count: u32,
    ) -> Result<u64> {
        let deadline = Instant::now() + self.settings.timeouts.pool_wait.0;
        self.declared(schema, name)?.take(count, deadline).await
    }

    fn declared(&self, schema: &SchemaName, name: &Arc<str>) -> Result<Arc<Sequence>> {
        self.ctx.shared.sequences.get(schema, name).ok_or_else(|| {
            let text = format!("Sequence '{schema}.{name}' was taken out of the rules meanwhile");
            Error::refused("sequence_gone", text)
        })
    }

    /// The answer to `NEXT VALUE FOR`. More numbers than are ever consecutive come in several runs.
    ///
    /// # Errors
    /// No ids within `timeouts.pool_wait`; more than [`MOST_VALUES`] at a time.
    pub(super) async fn next_values(
        &mut self,
        schema: &SchemaName,
        name: &Arc<str>,
        label: &str,
        count: u64,
        manner: Manner<'_>,
    ) -> Result<()> {
        if count > MOST_VALUES {
            return Err(Error::refused(
                "sequence_rows",
                format!("{count} numbers were asked for, and {MOST_VALUES} are the most at a time"),
            ));
        }
        let mut table = Table::new(&[(label, Kind::Number)]);
        let mut left = u32::try_from(count).unwrap_or(u32::MAX);
        let shared = self.ctx.shared.clone();
        let most = shared.sequences.get(schema, name).map_or(1, |sequence| sequence.most_at_once());
        while left > 0 {
            let run = left.min(most);
            let first = self.take(schema, name, run).await?;
            for id in first..first + u64::from(run) {
                table.row([Some(id.to_string().as_str())]);
            }
            left -= run;
        }
        self.last.found_rows = count;
        self.last.row_count = -1;
        self.reply_table(&table, manner.binary, manner.more);
        Ok(())
    }

    /// Runs a statement that has its ids, as text.
    pub(super) async fn statement_filled(
        &mut self,
        filled: &Filled,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        let mut lexed = Lexed::new();
        let lex = self.ctx.lexer.lex(&filled.sql, &self.dialect, &mut lexed);
        let parameters = filled.parameters(manner.parameters);
        let manner = Manner { parameters: &parameters, arguments: None, ..manner };
        let outcome = match lex {
            Ok(()) => self.statement(&filled.sql, &lexed, manner).await,
            Err(error) => Err(error.into()),
        };
        self.taken = None;
        outcome
    }

    /// Where the insert id of the present statement's answer comes from.
    pub(super) fn insert_id(&self, facts: &Facts) -> InsertId {
        match self.taken {
            Some(taken) => InsertId::Taken(taken),
            None if facts.ids == Ids::Given => InsertId::Given,
            None => InsertId::Servers,
        }
    }

    /// The statement behind EXPLAIN ROUTE as it would be with ids, which nobody loses: from 1 on.
    pub(super) async fn explain_filled(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        binding: &Binding<'_>,
    ) -> Result<Option<String>> {
        let Some(fill) = &plan.fill else { return Ok(None) };
        let rows = fill.wanted(binding)?.rows;
        if rows.is_empty() {
            return Ok(None);
        }
        let filled = fill.write(binding, &rows, 1, Form::Text)?;
        let mut lexed = Lexed::new();
        self.ctx.lexer.lex(&filled.sql, &self.dialect, &mut lexed)?;
        let plan = self.plan(snapshot, &filled.sql, &lexed).await?;
        let parameters = filled.parameters(binding.parameters);
        let inner =
            Binding { sql: &filled.sql, lexed: &lexed, parameters: &parameters, ..*binding };
        crate::planner::explain::explain(&plan, &inner).map(Some)
    }
}
