//! LAST_INSERT_ID() where the answer alone doesn't tell it: an OK packet may name an id that the
//! statement gave, which LAST_INSERT_ID() doesn't follow; a procedure sets it and names none.
//!
//! Owns: the doubt, and the questions to the connection that end it. Never: what the client's OK
//! packet says, which is the server's own (see [`crate::executor::insert_id`] for sequences).

use crate::backend::pool::Lent;
use crate::error::{Error, Result};
use crate::executor::pass::Summary;
use crate::planner::bind::Binding;
use crate::planner::plan::Ids;
use crate::session::Session;
use crate::session::forward::Job;
use crate::session::own::rows;
use crate::session::scatter::Lents;
use crate::value::Value;

impl Session {
    /// Where the answer's insert id may be the statement's own, asks the connection that it came
    /// from, and takes the id out of `summary` if the server didn't make it.
    ///
    /// The connection's value may be another session's, and that one may by chance be the very
    /// number that this statement gave: then it is taken for generated.
    pub(super) async fn doubt_id(&mut self, job: &Job<'_>, lent: &mut Lent, summary: &mut Summary) {
        let id = summary.last_insert_id;
        let doubtful = match job.facts.ids {
            Ids::Servers | Ids::Given => false,
            Ids::AsWritten => job.written.is_none_or(|binding| is_written(binding, id)),
            Ids::Unknown => true,
        };
        if !doubtful || summary.error.is_some() {
            return;
        }
        match asked(lent).await {
            Ok(made) if made != id => summary.last_insert_id = 0,
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "LAST_INSERT_ID() was not asked"),
        }
    }

    /// Makes the session's LAST_INSERT_ID() the connection's.
    pub(super) async fn lend_id(&self, lent: &mut Lent) -> Result<()> {
        let sql = format!("SET last_insert_id = {}", self.last.insert_id);
        lent.simple(sql.as_bytes()).await.map(drop)
    }

    /// The same for several.
    pub(super) async fn lend_ids(&self, lents: &mut Lents) -> Result<()> {
        for (_, lent) in lents {
            self.lend_id(lent).await?;
        }
        Ok(())
    }

    /// Makes the connection's LAST_INSERT_ID() the session's.
    pub(super) async fn take_id(&mut self, lent: &mut Lent) {
        match asked(lent).await {
            Ok(id) => self.last.insert_id = id,
            Err(error) => tracing::debug!(%error, "LAST_INSERT_ID() was not asked"),
        }
    }

    /// Asks how many rows the statement with SQL_CALC_FOUND_ROWS found.
    pub(super) async fn take_found_rows(&mut self, lent: &mut Lent) {
        match number(lent, b"SELECT FOUND_ROWS() LIMIT 1").await {
            Ok(found) => self.last.found_rows = found,
            Err(error) => {
                tracing::debug!(%error, "FOUND_ROWS() was not asked");
                self.last.found_unknown = true;
            }
        }
    }
}

async fn asked(lent: &mut Lent) -> Result<u64> {
    number(lent, b"SELECT LAST_INSERT_ID() LIMIT 1").await
}

async fn number(lent: &mut Lent, sql: &[u8]) -> Result<u64> {
    let found = rows(lent, sql).await?;
    let text = found.rows.first().and_then(|row| row.first()?.as_deref());
    let number = text.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
    number.ok_or_else(|| Error::internal("a server answered a question for a number without one"))
}

/// Whether a value of the statement reads as this number, or could.
fn is_written(binding: &Binding<'_>, id: u64) -> bool {
    let literal = |text: &[u8]| {
        let text = std::str::from_utf8(text).unwrap_or_default();
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\'' || c == '"');
        match text.parse::<f64>() {
            Ok(number) => number.round() == id as f64,
            // Hexadecimal, bits, an introducer: whatever it is, the server is asked.
            Err(_) => text.starts_with(['0', 'x', 'X', 'b', 'B', '_', 'n', 'N']),
        }
    };
    let parameter = |value: &Value| match value {
        Value::Null => false,
        Value::Int(number) => u64::try_from(*number) == Ok(id),
        Value::UInt(number) => *number == id,
        Value::Text(text) => literal(&text.bytes),
        Value::Binary(bytes) => literal(bytes),
        Value::Date(_) | Value::DateTime(_) | Value::Time(_) => false,
        Value::Decimal(_) | Value::Double(_) => true,
    };
    // TRUE stays in the template.
    id == 1
        || binding.parameters.iter().any(parameter)
        || binding
            .lexed
            .all_items()
            .iter()
            .any(|item| literal(binding.sql.get(item.source()).unwrap_or_default()))
}
