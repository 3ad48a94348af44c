//! Warnings and errors of the last statement: fetched while the connection is still ours, shown by
//! SHOW WARNINGS and its kin.
//!
//! Owns: fetching, keeping at most [`MAX_DIAGNOSTICS`], and showing. Never: counts them (the OK
//! packet did).

use crate::backend::pool::Lent;
use crate::error::{Error, Result};
use crate::executor::rename::Names;
use crate::planner::plan::Renaming;
use crate::session::Session;
use crate::session::last::{Diagnostic, MAX_DIAGNOSTICS};
use crate::session::own::{Rows, rows};
use crate::session::reply::{Kind, Table};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    All,
    Errors,
}

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
                message: Names(names).text(&text(2)),
            });
        }
    }

    /// SHOW WARNINGS, SHOW ERRORS, SHOW COUNT(*) of either; `words` is the statement in lower case.
    pub(super) fn show_diagnostics(&mut self, words: &str, binary: bool, more: bool) -> Result<()> {
        let which = if words.contains("errors") { Which::Errors } else { Which::All };
        let chosen = |diagnostic: &&Diagnostic| which == Which::All || diagnostic.level == "Error";
        if words.contains("count") {
            let count = self.last.diagnostics.iter().filter(chosen).count();
            let name = match which {
                Which::All => "@@session.warning_count",
                Which::Errors => "@@session.error_count",
            };
            let mut table = Table::new(&[(name, Kind::Number)]);
            table.row([Some(&*count.to_string())]);
            self.reply_table(&table, binary, more);
            return Ok(());
        }
        let (offset, limit) = limit_of(words)?;
        let mut table =
            Table::new(&[("Level", Kind::Of(7)), ("Code", Kind::Code), ("Message", Kind::Of(512))]);
        for diagnostic in self.last.diagnostics.iter().filter(chosen).skip(offset).take(limit) {
            let code = diagnostic.errno.to_string();
            table.row([Some(&*diagnostic.level), Some(&*code), Some(&*diagnostic.message)]);
        }
        self.reply_table(&table, binary, more);
        Ok(())
    }
}

/// `LIMIT [offset,] count` at the end.
fn limit_of(words: &str) -> Result<(usize, usize)> {
    let Some((_, tail)) = words.split_once("limit") else { return Ok((0, usize::MAX)) };
    let numbers: Option<Vec<usize>> =
        tail.trim().trim_end_matches(';').split(',').map(|word| word.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some([count]) => Ok((0, *count)),
        Some([offset, count]) => Ok((*offset, *count)),
        _ => Err(Error::syntax(format!("LIMIT of SHOW WARNINGS near '{}'", tail.trim()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read() {
        assert_eq!(limit_of("show warnings").unwrap(), (0, usize::MAX));
        assert_eq!(limit_of("show warnings limit 5").unwrap(), (0, 5));
        assert_eq!(limit_of("show errors limit 2, 5;").unwrap(), (2, 5));
        assert!(limit_of("show warnings limit x").is_err());
    }
}
