//! Warnings and errors of the last statement: fetched while the connection is still ours, shown by
//! SHOW WARNINGS and its kin, and taken apart by GET DIAGNOSTICS.
//!
//! Owns: fetching, keeping at most [`MAX_DIAGNOSTICS`], and showing. Never: counts them (the OK
//! packet did).

use crate::backend::pool::Lent;
use crate::error::{Error, Fault, Result};
use crate::executor::rename::Names;
use crate::planner::plan::Renaming;
use crate::session::Session;
use crate::session::last::{Diagnostic, MAX_DIAGNOSTICS};
use crate::session::own::{Rows, rows};
use crate::session::reply::{Kind, Table};
use crate::sql::diagnostics::{self, Item};
use crate::sql::show::{self, ShowKind};
use crate::sql::token::Token;

impl Session {
    /// Reads the warnings that the last statement left on its connection. A failure only loses
    /// them: the statement was answered.
    pub(super) async fn fetch_diagnostics(&mut self, lent: &mut Lent, names: &[Renaming]) {
        let found = match rows(lent, b"SHOW WARNINGS").await {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "warnings were not fetched");
                return;
            }
        };
        self.note_warnings(found, names);
    }

    /// Reads what the last statement warned of before its error ended it, the error among them. Not
    /// asked where [`is_alone`].
    pub(super) async fn fetch_beside(
        &mut self,
        lent: &mut Lent,
        error: &Error,
        names: &[Renaming],
    ) {
        let found = match rows(lent, b"SHOW WARNINGS").await {
            Ok(found) if found.rows.len() > 1 => found,
            Ok(_) => return,
            Err(error) => {
                tracing::debug!(%error, "what stands beside an error was not fetched");
                return;
            }
        };
        self.last.diagnostics.clear();
        self.note_warnings(found, names);
        let own = self.last.diagnostics.iter_mut().rfind(|kept| kept.errno == error.errno);
        if let Some(own) = own {
            own.sqlstate = Some(error.sqlstate);
        }
    }

    /// Takes over rows of SHOW WARNINGS.
    pub(super) fn note_warnings(&mut self, found: Rows, names: &[Renaming]) {
        for row in found.rows.into_iter().take(MAX_DIAGNOSTICS) {
            let text = |place: usize| {
                let value = row.get(place).and_then(|value| value.as_deref()).unwrap_or_default();
                String::from_utf8_lossy(value).into_owned()
            };
            self.last.diagnostics.push(Diagnostic {
                level: text(0),
                errno: text(1).parse().unwrap_or(0),
                sqlstate: None,
                message: Names(names).text(&text(2)),
            });
        }
    }

    /// GET DIAGNOSTICS: what is kept of the statement before goes into user variables. It leaves the
    /// conditions as they are; a number that none has is one more of them, and no error of its own.
    pub(super) async fn get_diagnostics(&mut self, sql: &[u8], tokens: &[Token]) -> Result<()> {
        let wanted = diagnostics::parse(sql, tokens, self.dialect.server)?;
        let condition = match wanted.condition {
            None => None,
            Some(number) => {
                let place = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
                let Some(found) = place.and_then(|place| self.last.diagnostics.get(place)) else {
                    self.last.error(&no_such_condition());
                    self.last.warnings = 1;
                    return Ok(());
                };
                Some(found.clone())
            }
        };
        let mut assignments = Vec::with_capacity(wanted.items.len());
        for (variable, item) in &wanted.items {
            let value = match (item, &condition) {
                (Item::Number, _) => unsigned(self.last.conditions().0),
                (Item::RowCount, _) => self.last.row_count.to_string(),
                (Item::Errno, Some(condition)) => unsigned(condition.errno.into()),
                (Item::Message, Some(condition)) => text(condition.message.as_bytes()),
                (Item::State, Some(condition)) => text(&state(condition)?),
                (_, None) => return Err(Error::internal("an item of no condition")),
            };
            assignments.push(format!("{variable} = {value}"));
        }
        let set = format!("SET {}", assignments.join(", "));
        let (tokens, _) = self.classified(set.as_bytes())?;
        // MySQL warns of its own character set's name.
        let kept = self.last.diagnostics.clone();
        let done = self.set(set.as_bytes(), &tokens).await;
        self.last.diagnostics = kept;
        self.last.warnings = 0;
        done
    }

    /// SHOW WARNINGS, SHOW ERRORS, SHOW COUNT(*) of either.
    pub(super) fn show_diagnostics(
        &mut self,
        sql: &[u8],
        tokens: &[Token],
        binary: bool,
        more: bool,
    ) -> Result<()> {
        let show = show::parse(sql, tokens, &self.dialect)?;
        let window = show.window(sql, tokens)?;
        let table = match show.kind {
            ShowKind::WarningCount => counted("@@session.warning_count", self.last.conditions().0),
            ShowKind::ErrorCount => counted("@@session.error_count", self.last.conditions().1),
            kind => self.conditions(kind == ShowKind::Errors, window),
        };
        // FOUND_ROWS() stays that of the statement before.
        let found_rows = self.last.found_rows;
        self.reply_table(&table, binary, more);
        self.last.found_rows = found_rows;
        Ok(())
    }

    /// What is kept of the last statement: offset and count of it.
    fn conditions(&self, errors: bool, window: Option<(u64, u64)>) -> Table {
        let mut table =
            Table::new(&[("Level", Kind::Of(7)), ("Code", Kind::Code), ("Message", Kind::Of(512))]);
        let size = |number| usize::try_from(number).unwrap_or(usize::MAX);
        let (offset, count) = window.unwrap_or((0, u64::MAX));
        let chosen = self.last.diagnostics.iter().filter(|kept| !errors || kept.is_error());
        for diagnostic in chosen.skip(size(offset)).take(size(count)) {
            let code = diagnostic.errno.to_string();
            table.row([Some(&*diagnostic.level), Some(&*code), Some(&*diagnostic.message)]);
        }
        table
    }
}

fn counted(name: &str, count: usize) -> Table {
    let mut table = Table::new(&[(name, Kind::Count)]);
    table.row([Some(&*count.to_string())]);
    table
}

/// Errors of statements that never began, or that were stopped or undone as a whole, and the duplicate
/// key: a flood of those must not cost a question each. What stands beside these is not told.
pub(super) fn is_alone(errno: u16) -> bool {
    matches!(
        errno,
        1044 | 1049 | 1054 | 1062 | 1064 | 1142 | 1146 | 1205 | 1213 | 1290 | 1317 | 1969 | 3024
    )
}

fn no_such_condition() -> Error {
    Error::new(Fault::Client, 1758, b"35000", "", "Invalid condition number")
}

fn unsigned(number: usize) -> String {
    format!("CAST({number} AS UNSIGNED)")
}

/// A text in the servers' own character set, whatever the session's sql_mode and client are.
fn text(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02X}"));
    format!("_utf8mb3 X'{}'", digits.collect::<String>())
}

/// The SQLSTATE of a condition. Servers tell those of errors only.
fn state(condition: &Diagnostic) -> Result<[u8; 5]> {
    condition.sqlstate.ok_or_else(|| {
        Error::refused(
            "diagnostics_item",
            "RETURNED_SQLSTATE of a warning isn't known outside of a routine; MYSQL_ERRNO is",
        )
    })
}
