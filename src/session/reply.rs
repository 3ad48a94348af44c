//! Answers of Weir's own: OK, ERR, and small result sets, in both row formats.
//!
//! Owns: building them. Never: knows what they say.

use crate::error::Error;
use crate::executor::info;
use crate::executor::pass::write_end;
use crate::protocol::capability::Capabilities;
use crate::protocol::column::Column;
use crate::protocol::eof::EofPacket;
use crate::protocol::err::write_error;
use crate::protocol::field::{FieldFlags, FieldType};
use crate::protocol::ok::{OkHeader, OkPacket};
use crate::protocol::response::write_column_count;
use crate::protocol::row::{write_binary_row, write_text_row};
use crate::protocol::status::StatusFlags;
use crate::session::{Session, folded};
use crate::sql::lex::ServerKind;

/// MYSQL_TYPE_VAR_STRING.
const VAR_STRING: FieldType = FieldType(0xfd);
/// MYSQL_TYPE_LONG.
const LONG: FieldType = FieldType(0x03);
/// MYSQL_TYPE_LONGLONG.
const LONGLONG: FieldType = FieldType(0x08);
const BINARY: u16 = 63;
/// utf8mb4_general_ci, which every server and client knows.
const UTF8MB4: u16 = 45;

/// What a column of Weir's own holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// A text of at most so many characters, as servers describe it.
    Of(u32),
    /// A decimal number that fits an `i64`.
    Number,
    /// As servers describe `@@warning_count`: unsigned, and nullable as any variable.
    Count,
    /// An error's number: unsigned, of four bytes.
    Code,
}

/// A small table: typed columns and rows of nullable values in text form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub columns: Vec<(String, Kind)>,
    pub rows: Vec<Vec<Option<String>>>,
}

impl Table {
    pub fn new(columns: &[(&str, Kind)]) -> Self {
        let columns = columns.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
        Table { columns, rows: Vec::new() }
    }

    pub fn row<'v>(&mut self, values: impl IntoIterator<Item = Option<&'v str>>) {
        self.rows.push(values.into_iter().map(|value| value.map(str::to_owned)).collect());
    }

    /// Those of its rows that a condition holds for, as a query for any server.
    pub fn as_query(&self, filter: &str) -> String {
        let row = |row: &[Option<String>]| {
            let values = self.columns.iter().zip(row).map(|((name, _), value)| {
                let value = value.as_deref().map_or("NULL".to_owned(), folded::text);
                format!("{value} AS `{}`", name.replace('`', "``"))
            });
            values.collect::<Vec<_>>().join(", ")
        };
        let rows: Vec<String> = self.rows.iter().map(|values| row(values)).collect();
        let (rows, none) = match rows.is_empty() {
            true => (row(&vec![None; self.columns.len()]), "FALSE AND "),
            false => (rows.join(" UNION ALL SELECT "), ""),
        };
        format!("SELECT * FROM (SELECT {rows}) AS shown WHERE {none}({filter})")
    }
}

impl Session {
    /// Appends an OK packet.
    pub(super) fn reply_ok(&mut self, affected_rows: u64, info: &str, more: bool) {
        let status = self.final_status(more);
        self.last.row_count = i64::try_from(affected_rows).unwrap_or(i64::MAX);
        self.last.told = info::first(info.as_bytes());
        let ok = OkPacket {
            affected_rows,
            status,
            warnings: self.last.warnings,
            info: info.as_bytes(),
            ..OkPacket::default()
        };
        self.stream.write_with(|out| ok.write(OkHeader::Plain, self.capabilities, out));
    }

    /// Appends an ERR packet and remembers it for SHOW WARNINGS.
    pub(super) fn reply_error(&mut self, error: &Error) {
        self.last.error(error);
        self.ctx.recorder.error(error);
        self.stream.write_with(|out| write_error(error, self.capabilities, out));
    }

    /// Appends a result set; `binary` for COM_STMT_EXECUTE.
    pub(super) fn reply_table(&mut self, table: &Table, binary: bool, more: bool) {
        let capabilities = self.capabilities;
        self.stream.write_with(|out| write_column_count(table.columns.len(), out));
        for (place, (name, kind)) in table.columns.iter().enumerate() {
            let widest =
                table.rows.iter().filter_map(|row| row.get(place)?.as_ref()).map(String::len);
            let length = u32::try_from(widest.max().unwrap_or(0).max(64) * 4).unwrap_or(u32::MAX);
            let column = described(name, *kind, length, self.dialect.server);
            // A column is said to be nullable where a row shows that it is.
            let holds_null =
                table.rows.iter().any(|row| row.get(place).is_some_and(Option::is_none));
            let flags = match holds_null || *kind == Kind::Count {
                true => column.flags,
                false => column.flags.with(FieldFlags::NOT_NULL),
            };
            let decimals = match column.field_type == VAR_STRING {
                true if self.dialect.server == ServerKind::MariaDb => NOT_FIXED,
                _ => column.decimals,
            };
            let column = Column { flags, decimals, ..column };
            self.stream.write_with(|out| column.write(out));
        }
        if !capabilities.contains(Capabilities::DEPRECATE_EOF) {
            let eof = EofPacket { warnings: 0, status: self.status() };
            self.stream.write_with(|out| eof.write(capabilities, out));
        }
        for row in &table.rows {
            let values = row.iter().map(|value| value.as_ref().map(String::as_bytes));
            if !binary {
                self.stream.write_with(|out| write_text_row(values, out));
                continue;
            }
            let numbers: Vec<[u8; 8]> =
                row.iter().map(|value| number(value.as_deref()).to_le_bytes()).collect();
            let kinds = table.columns.iter().map(|(_, kind)| *kind);
            let values: Vec<_> = kinds
                .zip(values)
                .zip(&numbers)
                .map(|((kind, value), number)| match kind {
                    Kind::Text | Kind::Of(_) => (VAR_STRING, value),
                    Kind::Number | Kind::Count => (LONGLONG, value.map(|_| &number[..])),
                    Kind::Code => (LONG, value.map(|_| &number[..4])),
                })
                .collect();
            self.stream.write_with(|out| write_binary_row(&values, out));
        }
        self.last.found_rows = table.rows.len() as u64;
        self.last.row_count = -1;
        let ok = OkPacket { status: self.final_status(more), ..OkPacket::default() };
        write_end(&mut self.stream, capabilities, &ok, OkHeader::EndOfRows);
    }

    /// Appends what ends a list: EOF, or the OK in its place.
    pub(super) fn reply_end(&mut self) {
        let ok = OkPacket { status: self.status(), ..OkPacket::default() };
        write_end(&mut self.stream, self.capabilities, &ok, OkHeader::EndOfRows);
    }

    pub(super) fn final_status(&self, more: bool) -> StatusFlags {
        let status = self.status();
        if more { status.with(StatusFlags::MORE_RESULTS) } else { status }
    }
}

/// MariaDB's number for no fixed count of decimals.
const NOT_FIXED: u8 = 39;

/// How a table's column is described, but for whether it may be NULL. `length` is that of texts that
/// say none, in bytes.
fn described(name: &str, kind: Kind, length: u32, server: ServerKind) -> Column<'_> {
    let number = Column {
        collation: BINARY,
        length: 20,
        field_type: LONGLONG,
        decimals: 0,
        ..text_column(name, length)
    };
    let unsigned = FieldFlags::UNSIGNED.with(FieldFlags::BINARY);
    match kind {
        Kind::Text => text_column(name, length),
        Kind::Of(characters) => text_column(name, characters * 4),
        Kind::Number => number,
        Kind::Count => Column { length: 21, flags: unsigned, ..number },
        Kind::Code => Column {
            length: if server == ServerKind::MySql { 5 } else { 4 },
            field_type: LONG,
            flags: unsigned,
            ..number
        },
    }
}

/// The definition of a text column of Weir's own.
pub fn text_column(name: &str, length: u32) -> Column<'_> {
    Column {
        schema: b"",
        table: b"",
        org_table: b"",
        name: name.as_bytes(),
        org_name: b"",
        collation: UTF8MB4,
        length,
        field_type: VAR_STRING,
        flags: FieldFlags(0),
        decimals: 0x1f,
        default: None,
    }
}

fn number(text: Option<&str>) -> i64 {
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}
