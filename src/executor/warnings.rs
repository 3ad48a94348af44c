//! The warnings that a part of a statement left on its connection.
//!
//! Owns: fetching them before the next statement clears them, under logical names. Never: keeps or
//! shows them (the session does).

use crate::backend::connection::Connection;
use crate::executor::rename::Names;
use crate::planner::plan::Renaming;

/// The most warnings that are fetched of one part; MariaDB's default `max_error_count`.
pub const MOST: usize = 64;

/// One row of SHOW WARNINGS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// `Note`, `Warning` or `Error`.
    pub level: String,
    pub errno: u16,
    pub message: String,
}

/// Asks the server for the warnings of the statement before. A failure only loses them: the
/// statement was answered.
pub async fn fetch(connection: &mut Connection, names: &[Renaming]) -> Vec<Warning> {
    let sql = format!("SHOW WARNINGS LIMIT {MOST}");
    let rows = match connection.rows(sql.as_bytes(), MOST).await {
        Ok(rows) => rows,
        Err(error) => {
            tracing::debug!(%error, "warnings were not fetched");
            return Vec::new();
        }
    };
    let warning = |row: Vec<Option<Vec<u8>>>| {
        let text = |place: usize| {
            let value = row.get(place).and_then(|value| value.as_deref()).unwrap_or_default();
            String::from_utf8_lossy(value).into_owned()
        };
        let errno = text(1).parse().unwrap_or(0);
        Warning { level: text(0), errno, message: Names(names).text(&text(2)) }
    };
    rows.into_iter().map(warning).collect()
}
