//! A table as an admin command answers it.
//!
//! Owns: columns and rows, and writing them as a text result set. Never: knows what it shows.

use std::borrow::Cow;

use crate::protocol::capability::Capabilities;
use crate::protocol::column::Column;
use crate::protocol::eof::EofPacket;
use crate::protocol::field::{FieldFlags, FieldType};
use crate::protocol::response::write_column_count;
use crate::protocol::row::write_text_row;
use crate::protocol::status::StatusFlags;
use crate::wire::stream::Stream;

/// utf8mb4_general_ci, which every client knows.
const UTF8MB4: u16 = 45;
const BINARY: u16 = 63;

/// How a column's values are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum As {
    Text,
    Number,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub columns: Vec<(Cow<'static, str>, As)>,
    /// `None` is NULL. Each row has as many values as there are columns.
    pub rows: Vec<Vec<Option<String>>>,
}

/// One value of a row.
pub fn cell(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

impl Table {
    pub fn new(columns: impl IntoIterator<Item = (&'static str, As)>) -> Self {
        let columns = columns.into_iter().map(|(name, form)| (Cow::Borrowed(name), form));
        Table { columns: columns.collect(), rows: Vec::new() }
    }

    pub fn row(&mut self, values: impl IntoIterator<Item = Option<String>>) {
        self.rows.push(values.into_iter().collect());
    }

    /// Writes the whole result set into the stream's buffer.
    pub fn write(&self, stream: &mut Stream, capabilities: Capabilities) {
        stream.write_with(|out| write_column_count(self.columns.len(), out));
        for (name, form) in &self.columns {
            let (field_type, collation, flags) = match form {
                As::Text => (FieldType::VAR_STRING, UTF8MB4, FieldFlags::default()),
                As::Number => (FieldType::LONGLONG, BINARY, FieldFlags::UNSIGNED),
            };
            let column = Column {
                schema: b"",
                table: b"",
                org_table: b"",
                name: name.as_bytes(),
                org_name: name.as_bytes(),
                collation,
                length: if *form == As::Number { 20 } else { 65_535 },
                field_type,
                flags,
                decimals: 0,
                default: None,
            };
            stream.write_with(|out| column.write(out));
        }
        let end = EofPacket { warnings: 0, status: StatusFlags::AUTOCOMMIT };
        stream.write_with(|out| end.write(capabilities, out));
        for row in &self.rows {
            let values = row.iter().map(|value| value.as_deref().map(str::as_bytes));
            stream.write_with(|out| write_text_row(values, out));
        }
        stream.write_with(|out| end.write(capabilities, out));
    }
}
