//! Rows of many shards on their way into one temporary table.
//!
//! Owns: reading all shards at once, writing each row as literals that lose nothing (mysql-traps
//! 22), sending them in bounded INSERTs, and the count of what a statement moves. Never: makes or
//! drops the table, or holds more than a batch for each shard: while the table takes one, the
//! others' servers wait.

mod long;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::backend::answer::Answer;
use crate::backend::connection::Connection;
use crate::error::{Error, Result};
use crate::executor::lane::{Begun, Lane, Next};
use crate::executor::stream::client_gone;
use crate::executor::together::{Work, first_error, run_all};
use crate::observe::budget::Budget;
use crate::planner::workbench::columns::UNREADABLE;
use crate::planner::workbench::{Form, Reference, Task};
use crate::protocol::command;
use crate::protocol::row::TextRow;
use crate::wire::stream::Stream;

use long::{LONG, LongRow};

/// An INSERT is sent once its text has so many bytes.
const BATCH: usize = 256 << 10;

/// What a statement may move, and has moved.
#[derive(Debug)]
pub struct Moving {
    rows: AtomicU64,
    bytes: AtomicU64,
    rows_most: u64,
    bytes_most: u64,
}

impl Moving {
    /// Bounds for one statement: rows, and bytes of their values as text.
    pub fn new(rows_most: u64, bytes_most: u64) -> Self {
        Moving { rows: AtomicU64::new(0), bytes: AtomicU64::new(0), rows_most, bytes_most }
    }

    /// Counts a row that is held so many times; answers its number, greater than those before.
    ///
    /// # Errors
    /// 1104 beyond a bound, naming the table and what would help.
    pub fn count(&self, bytes: usize, times: u64, reference: &Reference) -> Result<u64> {
        let bytes = bytes as u64 * times;
        let rows = self.rows.fetch_add(times, Ordering::Relaxed) + times;
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let (count, unit, most, setting) = if rows > self.rows_most {
            (rows, "rows", self.rows_most, "workbench_rows")
        } else if bytes > self.bytes_most {
            (bytes, "bytes", self.bytes_most, "workbench_bytes")
        } else {
            return Ok(rows);
        };
        Err(Error::limit(
            1104,
            "workbench_limit",
            format!(
                "The statement has to bring rows of several shards together, and with table '{table}' they \
                 are more than {most} {unit} ({count} so far; {setting}): add a condition that compares \
                 a column of '{table}' with a value, its shard key best of all, or raise the bound \
                 (limits.{setting}, the account's {setting}, the hint {setting}({count}))",
                table = reference.table,
            ),
        ))
    }
}

/// Gathers a reference's rows from all lanes into its temporary table, on `bench`, which is in the
/// state that rows are loaded in. `times` is how many tables will hold them, copies included.
///
/// # Errors
/// The first failure; the lanes may still run then, and `bench` may be out of step.
pub async fn load(
    client: &mut Stream,
    bench: &mut Connection,
    lanes: &mut [Lane<'_>],
    (reference, times): (&Reference, u64),
    moving: &Moving,
    budget: &Budget,
) -> Result<()> {
    let handles: Vec<_> = lanes.iter().map(|lane| lane.connection.kill_handle()).collect();
    let failed = AtomicBool::new(false);
    let sink = Sink { bench: Mutex::new(bench), failed, reference, times, moving, budget };
    let work = lanes.iter_mut().map(|lane| Box::pin(sink.drain(lane)) as Work<'_, ()>);
    tokio::select! {
        biased;
        outcomes = run_all(work.collect(), &handles) => first_error(outcomes).map(drop),
        () = client.closed() => Err(client_gone()),
    }
}

/// Where all lanes' rows go.
struct Sink<'s> {
    bench: Mutex<&'s mut Connection>,
    failed: AtomicBool,
    reference: &'s Reference,
    times: u64,
    moving: &'s Moving,
    budget: &'s Budget,
}

impl Sink<'_> {
    async fn drain(&self, lane: &mut Lane<'_>) -> Result<()> {
        let outcome = self.drain_parts(lane).await;
        if outcome.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        outcome
    }

    async fn drain_parts(&self, lane: &mut Lane<'_>) -> Result<()> {
        // A batch and the row behind it; longer rows are added when they come.
        let mut reserved = self.budget.reserve(2 * BATCH as u64)?;
        let mut batch = self.head();
        let empty = batch.len();
        let mut row = Vec::new();
        while let Some((part, begun)) = lane.begin().await? {
            let Begun::Rows(_) = begun else {
                return Err(lane.hostile("OK where rows were due"));
            };
            loop {
                match lane.take(part.names, &mut row)? {
                    Next::Row => {
                        let number = self.moving.count(row.len(), self.times, self.reference)?;
                        // The row, and its copy with each byte escaped or a piece of it.
                        let copy = if row.len() > LONG { 2 * LONG } else { 2 * row.len() };
                        let held = (batch.len() + row.len() + copy) as u64;
                        if held > reserved.bytes() {
                            reserved.grow(held - reserved.bytes())?;
                        }
                        if row.len() > LONG {
                            let batch = std::mem::replace(&mut batch, self.head());
                            self.send_long(lane, &batch, &row, (number, part.shard)).await?;
                            row = Vec::new();
                            reserved.shrink(reserved.bytes() - 2 * BATCH as u64);
                            continue;
                        }
                        batch.push(if batch.len() == empty { b' ' } else { b',' });
                        let forms = self.reference.columns.iter().map(|column| column.form);
                        if let Err(error) = write_row(&row, forms, &mut batch) {
                            return Err(damaged(lane, error));
                        }
                        if self.reference.task == Task::Change {
                            number_row(number, part.shard, &mut batch);
                        }
                        if batch.len() >= BATCH {
                            self.send(&batch).await?;
                            batch.truncate(empty);
                            if reserved.bytes() > 2 * BATCH as u64 {
                                (row, batch) = (Vec::new(), self.head());
                                reserved.shrink(reserved.bytes() - 2 * BATCH as u64);
                            }
                        }
                    }
                    Next::Wait => match lane.connection.stream.fill().await {
                        Ok(0) => {
                            return Err(lane.broken("it closed the connection within its rows"));
                        }
                        Ok(_) => {}
                        Err(error) => return Err(lane.broken(&error.message)),
                    },
                    Next::End(_) => break,
                }
            }
        }
        if batch.len() > empty {
            self.send(&batch).await?;
        }
        Ok(())
    }

    /// Sends a batch, if it has rows, and a long row behind it.
    async fn send_long(
        &self,
        lane: &mut Lane<'_>,
        batch: &[u8],
        row: &[u8],
        (number, shard): (u64, Option<u32>),
    ) -> Result<()> {
        let head = self.head();
        if batch.len() > head.len() {
            self.send(batch).await?;
        }
        let mut tail = Vec::new();
        if self.reference.task == Task::Change {
            tail.push(b')');
            number_row(number, shard, &mut tail);
            tail.pop();
        }
        let forms = self.reference.columns.iter().map(|column| column.form);
        // Without the command's byte.
        let head = head.get(1..).unwrap_or_default();
        let long = LongRow::read(head, row, forms, &tail);
        let long = long.map_err(|error| damaged(lane, error))?;
        let mut bench = self.bench.lock().await;
        if self.failed.load(Ordering::Relaxed) {
            return Ok(());
        }
        long.send(&mut bench).await?;
        let outcome = self.taken(&mut bench).await;
        bench.unprepare(&long.text);
        outcome
    }

    /// The payload of a COM_QUERY up to the first row.
    fn head(&self) -> Vec<u8> {
        let mut names: Vec<String> = self
            .reference
            .columns
            .iter()
            .map(|column| format!("`{}`", column.name.replace('`', "``")))
            .collect();
        if self.reference.task == Task::Change {
            names.extend([self.reference.row_column(), self.reference.shard_column()]);
        }
        let text = format!("INSERT INTO {} ({}) VALUES", self.reference.quoted(), names.join(","));
        let mut payload = Vec::with_capacity(text.len() + 1);
        command::write_text(command::byte::QUERY, text.as_bytes(), &mut payload);
        payload
    }

    async fn send(&self, payload: &[u8]) -> Result<()> {
        let mut bench = self.bench.lock().await;
        if self.failed.load(Ordering::Relaxed) {
            return Ok(());
        }
        bench.send_command(payload).await?;
        self.taken(&mut bench).await
    }

    /// The answer to an INSERT.
    async fn taken(&self, bench: &mut Connection) -> Result<()> {
        match bench.answer().await? {
            Answer::Ok(_) => Ok(()),
            Answer::Err(error) => Err(Error {
                message: format!(
                    "The workbench can't hold rows of table '{}': {}",
                    self.reference.table, error.message
                ),
                ..error
            }),
            Answer::ResultSet { .. } | Answer::LocalInfile(_) => {
                bench.condemn();
                Err(Error::unavailable("workbench_lost", "rows where OK was due"))
            }
        }
    }
}

/// The error of a row that can't be written.
fn damaged(lane: &mut Lane<'_>, error: Error) -> Error {
    if error.code == JSON { error } else { lane.hostile("a damaged row") }
}

/// The code of [`unreadable`].
const JSON: &str = "workbench_json";

/// A JSON document can't be moved as it is.
fn unreadable() -> Error {
    Error::refused(
        JSON,
        "A JSON document of this statement's rows holds DECIMAL or temporal values, which its text \
         doesn't keep, so it can't be brought together with rows of other shards: narrow the statement \
         to one shard, or don't name the column",
    )
}

/// A text row as one row of VALUES.
///
/// # Errors
/// A damaged row, or one of another number of columns.
fn write_row(payload: &[u8], forms: impl Iterator<Item = Form>, out: &mut Vec<u8>) -> Result<()> {
    let mut row = TextRow::new(payload);
    out.push(b'(');
    for (place, form) in forms.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        match row.value()? {
            None => out.extend_from_slice(b"NULL"),
            Some(value) => write_value(value, form, out)?,
        }
    }
    out.push(b')');
    row.end()
}

/// A row's number and its shard, behind its values.
fn number_row(number: u64, shard: Option<u32>, row: &mut Vec<u8>) {
    // The parenthesis.
    row.pop();
    let shard = shard.map_or_else(|| "NULL".to_owned(), |shard| shard.to_string());
    row.extend_from_slice(format!(",{number},{shard})").as_bytes());
}

fn write_value(value: &[u8], form: Form, out: &mut Vec<u8>) -> Result<()> {
    match form {
        Form::Digits | Form::Ordinal if is_number(value) => out.extend_from_slice(value),
        Form::Double if is_number(value) => {
            out.extend_from_slice(value);
            // Minus zero is one only as a DOUBLE.
            if !value.iter().any(|byte| matches!(byte, b'e' | b'E')) {
                out.extend_from_slice(b"e0");
            }
        }
        Form::Bytes => {
            out.extend_from_slice(b"_binary'");
            write_escaped(value, out);
        }
        Form::Json if value == UNREADABLE.as_bytes() => return Err(unreadable()),
        Form::Text | Form::Json => {
            out.push(b'\'');
            write_escaped(value, out);
        }
        Form::Moment => {
            out.push(b'\'');
            let text = std::str::from_utf8(value).ok().and_then(moment);
            out.extend_from_slice(text.ok_or_else(|| Error::malformed("no time"))?.as_bytes());
            out.push(b'\'');
        }
        Form::Digits | Form::Ordinal | Form::Double => return Err(Error::malformed("no number")),
    }
    Ok(())
}

pub(super) fn is_number(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte))
}

/// The inside of a string and its closing quote, for an sql_mode in which a backslash escapes.
fn write_escaped(value: &[u8], out: &mut Vec<u8>) {
    out.reserve(value.len() + 1);
    for &byte in value {
        match byte {
            b'\'' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            _ => out.push(byte),
        }
    }
    out.push(b'\'');
}

/// Seconds since 1970 as a time of UTC; 0 is the zero time, which no other number stands for.
pub(super) fn moment(seconds: &str) -> Option<String> {
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let whole: i64 = whole.parse().ok()?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let dot = if fraction.is_empty() { "" } else { "." };
    if whole == 0 && fraction.bytes().all(|byte| byte == b'0') {
        return Some(format!("0000-00-00 00:00:00{dot}{fraction}"));
    }
    let (days, second) = (whole.div_euclid(86_400), whole.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    Some(format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{dot}{fraction}"))
}

/// A day counted from 1970-01-01 as year, month and day (Howard Hinnant's `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_times_of_utc() {
        assert_eq!(moment("0").unwrap(), "0000-00-00 00:00:00");
        assert_eq!(moment("0.000000").unwrap(), "0000-00-00 00:00:00.000000");
        assert_eq!(moment("1").unwrap(), "1970-01-01 00:00:01");
        assert_eq!(moment("951782399.5").unwrap(), "2000-02-28 23:59:59.5");
        assert_eq!(moment("951782400").unwrap(), "2000-02-29 00:00:00");
        assert_eq!(moment("2147483647.999999").unwrap(), "2038-01-19 03:14:07.999999");
        assert_eq!(moment("now"), None);
    }

    #[test]
    fn values_become_literals_that_lose_nothing() {
        let written = |value: &[u8], form| {
            let mut out = Vec::new();
            write_value(value, form, &mut out).map(|()| String::from_utf8_lossy(&out).into_owned())
        };
        assert_eq!(written(b"-12.50", Form::Digits).unwrap(), "-12.50");
        assert_eq!(written(b"-0", Form::Double).unwrap(), "-0e0");
        assert_eq!(written(b"1.5e300", Form::Double).unwrap(), "1.5e300");
        assert_eq!(written(b"a'\\\0b", Form::Bytes).unwrap(), "_binary'a\\'\\\\\0b'");
        assert_eq!(written(b"12:00:00", Form::Text).unwrap(), "'12:00:00'");
        assert!(written(b"1); DROP", Form::Digits).is_err());
        assert!(written(b"", Form::Double).is_err());
    }

    #[test]
    fn a_row_must_have_its_columns() {
        let mut out = Vec::new();
        let forms = [Form::Digits, Form::Bytes];
        write_row(b"\x011\x01x", forms.into_iter(), &mut out).unwrap();
        assert_eq!(out, b"(1,_binary'x')");
        assert!(write_row(b"\x011", forms.into_iter(), &mut Vec::new()).is_err());
        assert!(write_row(b"\x011\x01x\xfb", forms.into_iter(), &mut Vec::new()).is_err());
    }
}
