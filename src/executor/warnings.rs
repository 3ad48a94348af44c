//! The warnings that a part of a statement left on its connection.
//!
//! Owns: fetching them before the next statement clears them, under logical names. Never: keeps or
//! shows them (the session does).

use std::ops::Range;

use crate::backend::connection::Connection;
use crate::executor::rename::Names;
use crate::planner::plan::Renaming;

/// The most warnings that are fetched of one part; MySQL's default `max_error_count`.
pub const MOST: usize = 1024;

/// One row of SHOW WARNINGS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// `Note`, `Warning` or `Error`.
    pub level: String,
    pub errno: u16,
    pub message: String,
}

/// What a server says of a statement's text as it reads it, whatever the rows are: each place says so, and one
/// server says it once. Deprecated words and types, and hints that don't hold.
const OF_TEXT: [u16; 8] = [1287, 1681, 3126, 3128, 3719, 3720, 3778, 3779];

/// Leaves such warnings once that each of `parts` answers told; how many are gone.
pub fn tell_once(noted: &mut [&mut Vec<Warning>], parts: usize) -> u32 {
    let of_text = |warning: &&Warning| OF_TEXT.contains(&warning.errno);
    let told: Vec<Warning> =
        noted.iter().flat_map(|noted| noted.iter().filter(of_text)).cloned().collect();
    let mut gone = 0;
    let mut done: Vec<&Warning> = Vec::new();
    for warning in &told {
        let count = told.iter().filter(|other| *other == warning).count();
        if parts < 2 || count % parts != 0 || done.contains(&warning) {
            continue;
        }
        done.push(warning);
        let mut left = count / parts;
        for noted in noted.iter_mut() {
            noted.retain(|other| {
                let stays = other != warning || left > 0;
                left -= usize::from(other == warning && left > 0);
                gone += u32::from(!stays);
                stays
            });
        }
    }
    gone
}

/// A message with its row's number (`… at row 2`) as the whole INSERT counts it: a part counts its own
/// rows, which stand at these places of the statement, from 0.
pub fn of_whole(message: &str, rows: &[u32]) -> String {
    // MySQL says so of constants that it converts before the first row, whichever row they stand in.
    if message.contains(" for column '(null)' ") {
        return message.to_owned();
    }
    let renumbered = || {
        let (range, number) = row_in(message)?;
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        let (before, behind) = (message.get(..range.start)?, message.get(range.end..)?);
        Some(format!("{before}{}{behind}", u64::from(*rows.get(place)?) + 1))
    };
    renumbered().unwrap_or_else(|| message.to_owned())
}

/// The number of the row that a message is about, and where it stands: `… at row 2`, or LOAD DATA's
/// `Row 2 …`.
pub fn row_in(message: &str) -> Option<(Range<usize>, u64)> {
    let start = match message.strip_prefix("Row ") {
        Some(_) => "Row ".len(),
        None => message.rfind(AT_ROW)? + AT_ROW.len(),
    };
    let rest = message.get(start..)?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let number = rest.get(..digits)?.parse().ok()?;
    Some((start..start + digits, number))
}

const AT_ROW: &str = " at row ";

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

#[cfg(test)]
mod tests {
    use super::{Warning, of_whole, tell_once};

    #[test]
    fn what_each_shard_says_of_the_text_is_told_once() {
        let warning = |errno, message: &str| Warning {
            level: "Warning".into(),
            errno,
            message: message.into(),
        };
        let deprecated = || vec![warning(1287, "a"), warning(1287, "b"), warning(1287, "a")];
        let mut first = deprecated();
        first.push(warning(1365, "Division by 0"));
        first.extend(deprecated());
        let mut second = deprecated();
        second.push(warning(1365, "Division by 0"));
        assert_eq!(tell_once(&mut [&mut first, &mut second], 3), 6);
        let mut expected = deprecated();
        expected.push(warning(1365, "Division by 0"));
        assert_eq!(first, expected);
        assert_eq!(second, [warning(1365, "Division by 0")]);
        // What not all of them say is a part's own.
        assert_eq!(tell_once(&mut [&mut first], 2), 1);
    }

    #[test]
    fn rows_are_counted_by_the_whole_statement() {
        assert_eq!(
            of_whole("Out of range for 'a' at row 2", &[0, 4]),
            "Out of range for 'a' at row 5"
        );
        assert_eq!(of_whole("Row 2 was truncated", &[0, 4]), "Row 5 was truncated");
        let constant = "Out of range value for column '(null)' at row 1";
        assert_eq!(of_whole(constant, &[4]), constant);
        for message in
            ["Field 'a' doesn't have a default value", "x at row 3", "x at row 0", " at row x"]
        {
            assert_eq!(of_whole(message, &[0, 4]), message);
        }
    }
}
