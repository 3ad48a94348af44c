//! Statements that read views over sharded tables: written anew with what the views read, and run as
//! any other.
//!
//! Owns: that rewriting, once for each depth of views. Never: knows a view's definition (the planner
//! does).

use std::sync::Arc;

use crate::context::Snapshot;
use crate::error::{Error, Result};
use crate::planner::Plan;
use crate::planner::bind::Binding;
use crate::planner::splice::Form;
use crate::session::Session;
use crate::session::forward::Failure;
use crate::session::query::{Manner, Outcome};
use crate::sql::template::Lexed;
use crate::value::Value;

/// Views of views are followed so far.
const DEPTH: usize = 32;

impl Session {
    /// Runs a statement over what its views read.
    pub(super) async fn through_views(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        (sql, lexed): (&[u8], &Lexed),
        manner: Manner<'_>,
        granted: bool,
    ) -> Result<Outcome, Failure> {
        let text = self.views_text(snapshot, plan, (sql, lexed), manner.parameters, Form::Text)?;
        let mut lexed = Lexed::new();
        self.ctx.lexer.lex(&text, &self.dialect, &mut lexed)?;
        let lexed = lexed.of_weir();
        let manner = Manner { parameters: &[], arguments: None, ..manner };
        self.statement_of(&text, &lexed, manner, granted).await
    }

    /// The statement over what its views read.
    fn views_text(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        (sql, lexed): (&[u8], &Lexed),
        parameters: &[Value],
        form: Form,
    ) -> Result<Vec<u8>> {
        let session = self.facts();
        let dialect = self.dialect;
        let rules = &snapshot.rules;
        let binding = Binding { sql, lexed, dialect, parameters, rules, session: &session };
        let collation = self.state.charset().collation.clone();
        let text = plan.views_text(&binding, form, Some(&collation))?;
        let is_other = match parameters {
            [] => self.is_in_other_words(sql, &text),
            // Their values are the client's own.
            _ => self.is_in_other_words(sql, &plan.views_text(&binding, Form::Prepared, None)?),
        };
        let hides = |(_, name, _): (&_, &str, &_)| count(&text, name) > count(sql, name);
        if snapshot.rules.temporaries().any(hides) {
            return Err(Error::refused(
                "view_session",
                "A temporary table of the session has the name of a table that the view reads: read the view \
                 in a session without it",
            ));
        }
        if is_other {
            return Err(Error::refused(
                "view_charset",
                "A view's definition has characters or a backslash that this session's character set or \
                 sql_mode reads otherwise: read it with utf8mb4, and without NO_BACKSLASH_ESCAPES",
            ));
        }
        Ok(text)
    }

    /// Whether what was put into the text may mean something else in this session.
    fn is_in_other_words(&self, sql: &[u8], text: &[u8]) -> bool {
        use crate::sql::lex::LexMode;
        let count = |text: &[u8], is: fn(&u8) -> bool| text.iter().filter(|byte| is(byte)).count();
        let more = |is: fn(&u8) -> bool| count(text, is) > count(sql, is);
        let charset = self.state.charset();
        let client = charset.client.to_ascii_lowercase();
        let foreign = !client.starts_with("utf8") && more(|byte| !byte.is_ascii());
        let escapes = self.dialect.mode.has(LexMode::NO_BACKSLASH_ESCAPES)
            || self.dialect.charset != crate::sql::charset_scan::CharsetClass::AsciiSafe;
        foreign || escapes && more(|byte| *byte == b'\\')
    }

    /// The plan of a statement through all its views, with its text where that isn't the client's.
    pub(super) async fn plan_through_views(
        &mut self,
        snapshot: &Arc<Snapshot>,
        sql: &[u8],
        lexed: &Lexed,
    ) -> Result<(Arc<Plan>, Option<(Vec<u8>, Lexed)>)> {
        let mut plan = self.plan(snapshot, sql, lexed).await?;
        let mut written: Option<(Vec<u8>, Lexed)> = None;
        self.check_rights(&plan)?;
        let mut granted = true;
        for _ in 0..DEPTH {
            let Some(definer) = plan.through_views() else { return Ok((plan, written)) };
            granted &= definer;
            let from = written.as_ref().map_or((sql, lexed), |(sql, lexed)| (&sql[..], lexed));
            let text = self.views_text(snapshot, &plan, from, &[], Form::Prepared)?;
            let mut lexed = Lexed::new();
            self.ctx.lexer.lex(&text, &self.dialect, &mut lexed)?;
            let lexed = lexed.of_weir();
            plan = self.plan(snapshot, &text, &lexed).await?;
            if !granted {
                self.check_rights(&plan)?;
            }
            written = Some((text, lexed));
        }
        Err(Error::refused("view_over_shards", "Views are nested too deeply"))
    }
}

/// How often a name stands in a text, whatever it is there.
fn count(text: &[u8], name: &str) -> usize {
    let (text, name) = (text.to_ascii_lowercase(), name.to_ascii_lowercase());
    text.windows(name.len().max(1)).filter(|part| *part == name.as_bytes()).count()
}
