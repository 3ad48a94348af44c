//! Tables of information_schema beside others: on the workbench of a statement that gathers those.
//!
//! Owns: making and filling what stands for them there. Never: runs the statement.

use std::sync::Arc;

use super::shape::shape;
use super::wanted::Wanted;
use super::{Job, needed};
use crate::backend::connection::Pipelining;
use crate::context::Snapshot;
use crate::name::GroupId;
use crate::planner::plan::Target;
use crate::planner::survey::is_information;
use crate::session::Session;
use crate::session::folded;
use crate::session::forward::Failure;
use crate::session::workbench::bench::{Bench, Deadline};
use crate::sql::lex::{self, ServerKind};
use crate::sql::template::Lexed;

/// A table of information_schema that a statement on the workbench reads.
pub(in crate::session) struct Asked<'w> {
    pub table: &'w str,
    /// What stands for it.
    pub temporary: &'w str,
    /// Where its name stands in the template.
    pub at: usize,
}

impl Session {
    /// Makes the tables on the workbench and fills them, if they are to be.
    ///
    /// # Errors
    /// 1109 for an unknown one, 1227 for those that show the servers.
    pub(in crate::session) async fn bring_information(
        &mut self,
        snapshot: &Arc<Snapshot>,
        bench: &mut Bench,
        (sql, lexed, asked): (&[u8], &Lexed, &[Asked<'_>]),
        (group, fill, deadline): (GroupId, bool, Deadline),
    ) -> Result<(), Failure> {
        let inside = self.schema.as_ref().is_some_and(|schema| is_information(schema.as_str()));
        let mut tokens = lex::tokens(sql, self.dialect, self.ctx.lexer.limits())?;
        tokens.retain(|token| !token.kind.is_trivia());
        let (references, _) = folded::references(sql, &tokens, inside);
        let target = Target::plain(group, Some(bench.database.clone()));
        let mut jobs = Vec::with_capacity(asked.len());
        for one in asked {
            let table = one.table.to_ascii_uppercase();
            let called = match self.dialect.server {
                ServerKind::MySql => &*table,
                ServerKind::MariaDb => one.table,
            };
            let columns = self.system_columns(snapshot, &target, called).await?;
            let shape = shape(&table, &columns)?;
            let reference =
                references.iter().find(|known| lexed.template_offset(known.range.start) == one.at);
            let wanted = reference
                .map(|reference| Wanted::of(sql, &tokens, reference, self.dialect))
                .unwrap_or_default();
            let columns = needed(sql, &tokens, &columns);
            jobs.push(Job { table, temporary: one.temporary.to_owned(), shape, wanted, columns });
        }
        let mut loading = bench.loading.clone();
        loading.set_variable("time_zone", self.state.variable("time_zone"));
        bench.lent.enter(&loading, Pipelining::Nothing).await?;
        self.fill_bench(snapshot, bench, &jobs, (group, fill, deadline)).await?;
        bench.lent.enter(&bench.loading, Pipelining::Nothing).await?;
        // What was asked elsewhere is through: its connections may be others' already.
        self.running.end();
        self.running.add(bench.lent.kill_handle());
        Ok(())
    }
}
