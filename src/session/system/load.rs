//! Folded rows on their way into a temporary table, and which columns matter.
//!
//! Owns: the INSERTs, and reading off a statement which columns it may ask for. Never: gathers.

use super::Job;
use super::fold::Line;
use crate::error::Result;
use crate::session::Session;
use crate::session::workbench::bench::Bench;
use crate::sql::literal::name_of;
use crate::sql::token::Token;

/// An INSERT is sent once its text has so many bytes.
const BATCH: usize = 256 << 10;

/// The columns that the statement may ask for: those that it names, or all where it has a star.
pub(super) fn needed(sql: &[u8], tokens: &[Token], columns: &[String]) -> Vec<String> {
    let before = |place: usize| place.checked_sub(1).and_then(|before| tokens.get(before));
    let star = |(place, token): (usize, &Token)| {
        token.is_symbol(sql, "*") && before(place).is_none_or(|before| !before.is_symbol(sql, "("))
    };
    let all = tokens.first().is_some_and(|first| first.is_word(sql, "TABLE"))
        || tokens.iter().any(|token| token.is_any(sql, &["NATURAL", "TABLE"]))
        || tokens.iter().enumerate().any(star);
    let names: Vec<String> = match all {
        true => Vec::new(),
        false => {
            let names = tokens.iter().filter(|token| token.is_name());
            names.map(|token| name_of(sql, token).to_ascii_uppercase()).collect()
        }
    };
    let asked =
        |column: &&String| all || names.iter().any(|name| column.eq_ignore_ascii_case(name));
    columns.iter().filter(asked).cloned().collect()
}

/// Brings rows into a job's temporary table.
///
/// # Errors
/// The server's own.
pub(super) async fn load(bench: &mut Bench, job: &Job, lines: &[Line]) -> Result<()> {
    let head = {
        let names: Vec<String> = job.columns.iter().map(|column| format!("`{column}`")).collect();
        let database = bench.database.replace('`', "``");
        format!("INSERT INTO `{database}`.`{}` ({}) VALUES ", job.temporary, names.join(","))
    };
    let mut batch = head.clone().into_bytes();
    for line in lines {
        if batch.len() > head.len() {
            batch.push(b',');
        }
        // What adding up needed besides stands behind.
        write_row(line.get(..job.columns.len()).unwrap_or(line), &mut batch);
        if batch.len() >= BATCH {
            bench.lent.simple(&batch).await?;
            batch.truncate(head.len());
        }
    }
    if batch.len() > head.len() {
        bench.lent.simple(&batch).await?;
    }
    Ok(())
}

/// A row of VALUES, for an sql_mode in which a backslash escapes.
fn write_row(line: &[Option<Vec<u8>>], out: &mut Vec<u8>) {
    out.push(b'(');
    for (place, value) in line.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        let Some(value) = value else {
            out.extend_from_slice(b"NULL");
            continue;
        };
        out.push(b'\'');
        for &byte in value {
            match byte {
                0 => out.extend_from_slice(b"\\0"),
                b'\'' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                _ => out.push(byte),
            }
        }
        out.push(b'\'');
    }
    out.push(b')');
}

impl Session {
    /// PROCESSLIST: this proxy's clients, as SHOW PROCESSLIST has them.
    pub(super) fn own_clients(&self, columns: &[String]) -> Vec<Line> {
        let user = &self.identity.user;
        let clients = self.ctx.shared.sessions.list().into_iter();
        let seen =
            clients.filter(|shown| user.rights.admin || shown.user.as_ref() == Some(&user.name));
        let line = |shown: crate::observe::sessions::Shown| {
            let value = |column: &String| {
                let text = match column.as_str() {
                    "ID" => shown.id.to_string(),
                    "USER" => shown
                        .user
                        .as_ref()
                        .map_or("unauthenticated user", |user| user.as_str())
                        .to_owned(),
                    "HOST" => shown.peer.to_string(),
                    "DB" => shown.schema.as_ref()?.as_str().to_owned(),
                    "COMMAND" => shown.command.to_owned(),
                    "TIME" => shown.busy.as_secs().to_string(),
                    "TIME_MS" => format!("{:.3}", shown.busy.as_secs_f64() * 1000.0),
                    "STATE" => shown.state.as_str().to_owned(),
                    "INFO" | "INFO_BINARY" => {
                        (!shown.statement.is_empty()).then(|| shown.statement.to_string())?
                    }
                    _ => "0".to_owned(),
                };
                Some(text.into_bytes())
            };
            columns.iter().map(value).collect()
        };
        seen.map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lex::{self, Dialect, Limits};

    #[test]
    fn only_columns_that_are_named_are_gathered() {
        let columns = ["TABLE_SCHEMA", "TABLE_NAME", "TABLE_ROWS"].map(str::to_owned);
        let found = |sql: &str| {
            let mut tokens =
                lex::tokens(sql.as_bytes(), Dialect::default(), &Limits::default()).unwrap();
            tokens.retain(|token| !token.kind.is_trivia());
            needed(sql.as_bytes(), &tokens, &columns).len()
        };
        assert_eq!(found("SELECT t.table_name FROM information_schema.tables t"), 1);
        assert_eq!(found("SELECT `Table_Name`, table_rows FROM information_schema.tables"), 2);
        assert_eq!(found("SELECT count(*) FROM information_schema.tables"), 0);
        assert_eq!(found("SELECT t.* FROM information_schema.tables t"), 3);
        assert_eq!(found("SELECT * FROM information_schema.tables"), 3);
        assert_eq!(found("SELECT 1 FROM information_schema.tables NATURAL JOIN x"), 3);
    }

    #[test]
    fn values_keep_their_bytes() {
        let mut out = Vec::new();
        write_row(&[Some(b"a'\\".to_vec()), None, Some(vec![0])], &mut out);
        assert_eq!(out, b"('a\\'\\\\',NULL,'\\0')");
    }
}
