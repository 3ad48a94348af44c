//! What the statement before this one left behind: LAST_INSERT_ID, ROW_COUNT, FOUND_ROWS, warnings.
//!
//! Owns: these values, which are the session's and not a backend connection's. Never: fetches any.

use crate::error::Error;
use crate::executor::pass::Summary;
use crate::planner::found::Finds;
use crate::sql::lex::ServerKind;

/// The most conditions kept of any statement: MySQL's default `max_error_count`.
pub const MAX_DIAGNOSTICS: usize = 1024;

/// The most that one server of this kind keeps where `max_error_count` is its default: what several
/// servers told is cut down to it.
pub fn most_conditions(server: ServerKind) -> usize {
    match server {
        ServerKind::MariaDb => 64,
        _ => MAX_DIAGNOSTICS,
    }
}

/// One row of SHOW WARNINGS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// `Note`, `Warning` or `Error`.
    pub level: String,
    pub errno: u16,
    /// Of errors, as their packet said; SHOW WARNINGS doesn't.
    pub sqlstate: Option<[u8; 5]>,
    pub message: String,
}

impl Diagnostic {
    pub fn is_error(&self) -> bool {
        self.level == "Error"
    }
}

/// The values of one session.
#[derive(Clone, Debug, Default)]
pub struct Last {
    /// Of the last statement that generated one.
    pub insert_id: u64,
    /// −1 after a result set and after an error.
    pub row_count: i64,
    pub found_rows: u64,
    /// What FOUND_ROWS() is can't be told.
    pub found_unknown: bool,
    /// The first number of the last answer's info string.
    pub told: Option<u64>,
    pub diagnostics: Vec<Diagnostic>,
    /// Warnings of the statement that the present reply belongs to.
    pub warnings: u16,
}

impl Last {
    /// A statement that clears diagnostics begins (all but SHOW WARNINGS and kin).
    pub fn begin(&mut self) {
        self.diagnostics.clear();
        self.warnings = 0;
        self.told = None;
    }

    /// FOUND_ROWS() as it is now.
    pub fn found(&self) -> Option<u64> {
        (!self.found_unknown).then_some(self.found_rows)
    }

    /// A statement has ended: what FOUND_ROWS() is from now on, where its answer's rows don't tell.
    /// `before`: what it was; `skipped`: the rows before its first.
    pub fn settle_found(&mut self, finds: &Finds, before: Option<u64>, skipped: Option<u64>) {
        let found = match finds {
            Finds::Inner => return,
            Finds::Rows => Some(self.found_rows),
            Finds::Asked => self.found(),
            Finds::Taken => u64::try_from(self.row_count).ok(),
            Finds::RowsBehind(_) => match (self.found_rows, skipped) {
                (rows, Some(0)) => Some(rows),
                (0, _) | (_, None) => None,
                (rows, Some(skipped)) => Some(rows.saturating_add(skipped)),
            },
            Finds::Keeps => before,
            Finds::Fixed(number) => Some(*number),
            Finds::Info => self.told,
            Finds::InfoOfSome => self.told.filter(|told| *told > 0),
            Finds::Unknown => None,
        };
        self.found_unknown = found.is_none();
        self.found_rows = found.unwrap_or_default();
    }

    /// How many conditions there are, those that weren't kept included, and how many are errors.
    pub fn conditions(&self) -> (usize, usize) {
        let errors = self.diagnostics.iter().filter(|kept| kept.is_error()).count();
        (self.diagnostics.len().max(usize::from(self.warnings)), errors)
    }

    /// Takes over what a relayed answer said.
    pub fn note(&mut self, summary: &Summary) {
        if summary.last_insert_id != 0 {
            self.insert_id = summary.last_insert_id;
        }
        self.warnings = summary.warnings;
        self.told = summary.told;
        match (&summary.error, summary.rows) {
            (Some(error), _) => self.error(error),
            (None, Some(rows)) => {
                self.row_count = -1;
                self.found_rows = rows;
            }
            (None, None) => {
                self.row_count = i64::try_from(summary.affected_rows).unwrap_or(i64::MAX);
            }
        }
    }

    /// The statement is answered, with a warning.
    pub fn warn(&mut self, warning: Diagnostic) {
        self.diagnostics.push(warning);
        self.warnings = self.warnings.saturating_add(1);
    }

    /// A statement failed.
    pub fn error(&mut self, error: &Error) {
        self.row_count = -1;
        if self.diagnostics.len() < MAX_DIAGNOSTICS {
            self.diagnostics.push(Diagnostic {
                level: "Error".to_owned(),
                errno: error.errno,
                sqlstate: Some(error.sqlstate),
                message: error.client_text(),
            });
        }
    }
}
