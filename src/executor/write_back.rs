//! Rows of the workbench on their way back: each one as literals, in the statement for its place.
//!
//! Owns: the texts that insert, change and remove rows by their values, and the place of a row by
//! its shard key. Never: sends any.
//!
//! The texts are ASCII and mean the same under each sql_mode and character set: what isn't plain is
//! written in hexadecimal digits.

use crate::error::{Error, Result};
use crate::executor::workbench::{is_number, moment};
use crate::planner::workbench::Form;
use crate::planner::workbench::change::{Change, Changed, Stored};
use crate::protocol::row::TextRow;
use crate::rules::table::{Placement, ShardedTable};
use crate::value::assign::Context;
use crate::value::types::ColumnType;
use crate::value::{CharsetClass, Text, Value};

/// A row that the workbench's server sent: the shard it came from, and its values.
#[derive(Debug)]
pub struct Row<'r> {
    pub shard: Option<u32>,
    pub values: Vec<Option<&'r [u8]>>,
}

impl<'r> Row<'r> {
    /// # Errors
    /// The payload is no row of so many columns with a shard in front.
    pub fn parse(payload: &'r [u8], columns: usize) -> Result<Row<'r>> {
        let mut row = TextRow::new(payload);
        let shard = match row.value()? {
            None => None,
            Some(text) => {
                let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                Some(number.ok_or_else(|| Error::malformed("a shard's number"))?)
            }
        };
        let values = (0..columns).map(|_| row.value()).collect::<Result<Vec<_>>>()?;
        row.end()?;
        Ok(Row { shard, values })
    }

    /// The values at these places.
    #[must_use]
    pub fn only(&self, places: &[usize]) -> Row<'r> {
        let values = places.iter().map(|place| self.values.get(*place).copied().flatten());
        Row { shard: self.shard, values: values.collect() }
    }
}

/// What the texts of one table are written with.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'w> {
    pub table: &'w Changed,
    pub zone: Zone,
}

/// The time zone that a statement of rows runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    Utc,
    /// The session's, an offset that never changes.
    Offset,
    /// The session's, with hours that may come twice: a moment of one is refused by the server where
    /// its local time would be stored as the other one.
    Named,
}

impl Zone {
    /// The zone of a session's `time_zone`, as the value's text: that of the servers where unset.
    pub fn of_session(text: Option<&[u8]>) -> Zone {
        match text {
            Some([b'\'', b'+' | b'-', ..]) => Zone::Offset,
            _ => Zone::Named,
        }
    }
}

/// Which statement a row is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// New rows; and those that come again elsewhere.
    Insert,
    /// Rows whose changed columns are set.
    Update,
    Delete,
}

impl Writer<'_> {
    /// The statement up to its first row, for a physical table.
    pub fn head(&self, step: Step, database: &str, table: &str) -> String {
        let place = format!("{}.{}", quoted(database), quoted(table));
        if step == Step::Delete {
            return format!("DELETE FROM {place} WHERE ");
        }
        let names: Vec<String> =
            self.table.columns.iter().map(|column| quoted(&column.moved.name)).collect();
        let verb = match &self.table.change {
            Change::Insert(inserting) if inserting.replace => "REPLACE",
            Change::Insert(inserting) if inserting.ignore => "INSERT IGNORE",
            _ => "INSERT",
        };
        let partition = match step {
            Step::Insert => self.table.partition.as_str(),
            _ => "",
        };
        format!("{verb} INTO {place}{partition} ({}) VALUES ", names.join(","))
    }

    /// What stands behind the last row.
    pub fn foot(&self, step: Step) -> String {
        if let Change::Entry(keeping) = &self.table.change {
            let column = keeping.key.first().and_then(|place| self.table.columns.get(*place));
            let name = column.map(|column| quoted(&column.moved.name)).unwrap_or_default();
            // An entry that is there already is the same one; in a unique index it may be another row's.
            return match (step, keeping.unique) {
                (Step::Insert, false) => format!(" ON DUPLICATE KEY UPDATE {name}={name}"),
                _ => String::new(),
            };
        }
        let Change::Update(update) = &self.table.change else { return String::new() };
        if step != Step::Update {
            return String::new();
        }
        let set = update.set.iter().filter_map(|place| self.table.columns.get(*place));
        let set: Vec<String> = set
            .map(|column| {
                let name = quoted(&column.moved.name);
                format!("{name}=VALUES({name})")
            })
            .collect();
        format!(" ON DUPLICATE KEY UPDATE {}", set.join(","))
    }

    /// What stands between two rows.
    pub fn between(&self, step: Step) -> &'static str {
        if step == Step::Delete { " OR " } else { "," }
    }

    /// One row.
    ///
    /// # Errors
    /// A value that isn't of its column's form.
    pub fn row(&self, step: Step, row: &Row, out: &mut Vec<u8>) -> Result<()> {
        out.push(b'(');
        if step == Step::Delete {
            let key = match &self.table.change {
                Change::Delete(key) => key.as_slice(),
                Change::Entry(keeping) => keeping.key.as_slice(),
                Change::Update(update) => update.key.as_slice(),
                Change::Insert(_) => &[],
            };
            for (place, index) in key.iter().enumerate() {
                let column = self.table.columns.get(*index);
                let column = column.ok_or_else(|| Error::internal("a key without its column"))?;
                if place > 0 {
                    out.extend_from_slice(b" AND ");
                }
                out.extend_from_slice(quoted(&column.moved.name).as_bytes());
                out.push(b'=');
                self.value(row.values.get(*index).copied().flatten(), column, out)?;
            }
        } else {
            for (place, column) in self.table.columns.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                self.value(row.values.get(place).copied().flatten(), column, out)?;
            }
        }
        out.push(b')');
        Ok(())
    }

    /// One value as a literal.
    ///
    /// # Errors
    /// A value that isn't of its column's form.
    pub fn value(&self, value: Option<&[u8]>, column: &Stored, out: &mut Vec<u8>) -> Result<()> {
        let Some(value) = value else {
            out.extend_from_slice(b"NULL");
            return Ok(());
        };
        match column.moved.form {
            Form::Digits | Form::Ordinal if is_number(value) => out.extend_from_slice(value),
            Form::Double if is_number(value) => {
                out.extend_from_slice(value);
                if !value.iter().any(|byte| matches!(byte, b'e' | b'E')) {
                    out.extend_from_slice(b"e0");
                }
            }
            Form::Digits | Form::Ordinal | Form::Double => {
                return Err(Error::malformed("no number"));
            }
            Form::Moment => {
                let text = std::str::from_utf8(value).ok();
                let utc = text.and_then(moment).ok_or_else(|| Error::malformed("no time"))?;
                let seconds = text.unwrap_or_default();
                let text = match self.zone {
                    _ if utc.starts_with("0000") => format!("'{utc}'"),
                    Zone::Utc => format!("'{utc}'"),
                    Zone::Offset => format!("FROM_UNIXTIME({seconds})"),
                    // ~0 + 1 is out of range under every mode, with IGNORE too.
                    Zone::Named => format!(
                        "FROM_UNIXTIME(IF(UNIX_TIMESTAMP(FROM_UNIXTIME({seconds}))={seconds},\
                         {seconds},~0+SIGN({seconds})))"
                    ),
                };
                out.extend_from_slice(text.as_bytes());
            }
            Form::Text | Form::Json | Form::Bytes => write_bytes(value, column.charset(), out),
        }
        Ok(())
    }
}

/// A string with the character set of its bytes, or none.
fn write_bytes(value: &[u8], charset: Option<&str>, out: &mut Vec<u8>) {
    if let Some(charset) = charset {
        out.extend_from_slice(format!("_{charset}").as_bytes());
    }
    let wide = charset
        .is_some_and(|name| ["ucs2", "utf16", "utf32"].iter().any(|wide| name.starts_with(wide)));
    let plain = |byte: &u8| (0x20..0x7f).contains(byte) && !matches!(byte, b'\'' | b'\\');
    if charset.is_some() && !wide && value.iter().all(plain) {
        out.push(b'\'');
        out.extend_from_slice(value);
        out.push(b'\'');
        return;
    }
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(if charset.is_some() { b" x'" } else { b"x'" });
    for byte in value {
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
        out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    out.push(b'\'');
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// The shard that a row's values belong to.
///
/// # Errors
/// `no_shard` where the rules name none; `insert_key` where the value's place isn't certain.
pub fn shard_of(
    table: &Changed,
    sharded: &ShardedTable,
    values: &[Option<&[u8]>],
    context: Context,
) -> Result<u32> {
    shard_of_keys(&table.columns, sharded, values, context)
}

/// The same for rows of these columns.
///
/// # Errors
/// As [`shard_of`].
pub fn shard_of_keys(
    columns: &[Stored],
    sharded: &ShardedTable,
    values: &[Option<&[u8]>],
    context: Context,
) -> Result<u32> {
    let mut keys = Vec::with_capacity(sharded.keys.len());
    for key in &sharded.keys {
        let place = columns
            .iter()
            .position(|column| column.moved.name.eq_ignore_ascii_case(&key.name))
            .ok_or_else(|| Error::internal("a shard key that is no column"))?;
        let value = values.get(place).copied().flatten();
        let column = columns.get(place);
        let value = match (value, column) {
            (Some(value), Some(column)) => {
                let value = key_value(value, column);
                key.stored(&value, &column.kind, context).map_err(|why| {
                    Error::refused(
                        "insert_key",
                        format!(
                            "A row's value of the shard key '{}' of table '{}' has no certain place: \
                             {why}",
                            key.name, sharded.name,
                        ),
                    )
                })?
            }
            _ => Value::Null,
        };
        keys.push(value);
    }
    sharded.shard_of_row(&keys)
}

/// A column's value as a literal of it would be read.
fn key_value(value: &[u8], column: &Stored) -> Value {
    use ColumnType as T;
    let text = |bytes: &[u8], charset| Value::Text(Text { bytes: bytes.into(), charset });
    match &column.kind {
        T::Int { .. } | T::Year | T::Enum { .. } | T::Set { .. } => {
            let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            number.map_or_else(|| text(value, CharsetClass::Utf8), Value::whole)
        }
        T::Binary { .. } | T::VarBinary { .. } | T::Blob { .. } | T::Bit { .. } => {
            Value::Binary(value.into())
        }
        T::Timestamp { .. } => {
            let utc = std::str::from_utf8(value).ok().and_then(moment).unwrap_or_default();
            text(utc.as_bytes(), CharsetClass::Utf8)
        }
        kind if kind.is_character() => {
            let charset = column.charset().map_or(CharsetClass::Utf8, CharsetClass::of);
            text(value, charset)
        }
        _ => text(value, CharsetClass::Utf8),
    }
}

/// The shard that holds a row now, which it came from.
///
/// # Errors
/// A row of a sharded table that came from no shard.
pub fn home_of(placement: &Placement, row: &Row) -> Result<u32> {
    match (placement, row.shard) {
        (Placement::Sharded(_), Some(shard)) => Ok(shard),
        (Placement::Sharded(_), None) => Err(Error::internal("a row that came from no shard")),
        _ => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::workbench::Moved;
    use crate::planner::workbench::change::Updating;
    use crate::rules::table::SingleTable;
    use crate::value::types::Collation;

    fn column(name: &str, kind: ColumnType, form: Form) -> Stored {
        Stored { moved: Moved { name: name.into(), form }, kind }
    }

    fn table(change: Change) -> Changed {
        let latin = Collation::new("latin1_german1_ci");
        let single = SingleTable {
            group: crate::name::GroupId(0),
            database: "d".into(),
            table: "t".into(),
            default: false,
            temporary: false,
        };
        Changed {
            reference: 0,
            placement: Placement::Single(single),
            columns: vec![
                column("id", ColumnType::Int { bits: 64, unsigned: false }, Form::Digits),
                column("c", ColumnType::VarChar { length: 9, collation: latin }, Form::Bytes),
                column("b", ColumnType::Blob { bytes: 99 }, Form::Bytes),
                column("t", ColumnType::Timestamp { decimals: 0 }, Form::Moment),
                column("f", ColumnType::Float { unsigned: false }, Form::Double),
            ],
            partition: String::new(),
            computes: false,
            change,
            entries: vec![],
        }
    }

    fn written(table: &Changed, step: Step, zone: Zone, values: &[Option<&[u8]>]) -> String {
        let writer = Writer { table, zone };
        let mut out = writer.head(step, "d", "t`1").into_bytes();
        let row = Row { shard: None, values: values.to_vec() };
        writer.row(step, &row, &mut out).unwrap();
        out.extend_from_slice(writer.foot(step).as_bytes());
        String::from_utf8(out).unwrap()
    }

    const VALUES: [Option<&[u8]>; 5] =
        [Some(b"-7"), Some(b"it's \xe4"), Some(b"\0\xff"), Some(b"1"), Some(b"-0")];

    #[test]
    fn rows_become_literals_that_mean_the_same_everywhere() {
        let update = Updating { key: vec![0], set: vec![1, 3], moves: false };
        let changed = table(Change::Update(update));
        assert_eq!(
            written(&changed, Step::Update, Zone::Utc, &VALUES),
            "INSERT INTO `d`.`t``1` (`id`,`c`,`b`,`t`,`f`) VALUES (-7,_latin1 x'6974277320E4',x'00FF',\
             '1970-01-01 00:00:01',-0e0) ON DUPLICATE KEY UPDATE `c`=VALUES(`c`),`t`=VALUES(`t`)"
        );
        let zoned = written(&changed, Step::Insert, Zone::Offset, &VALUES);
        assert!(zoned.ends_with("FROM_UNIXTIME(1),-0e0)"), "{zoned}");
        let named = written(&changed, Step::Insert, Zone::Named, &VALUES);
        let guarded = "FROM_UNIXTIME(IF(UNIX_TIMESTAMP(FROM_UNIXTIME(1))=1,1,~0+SIGN(1))),-0e0)";
        assert!(named.ends_with(guarded), "{named}");
        assert_eq!(Zone::of_session(Some(b"'-07:00'")), Zone::Offset);
        assert_eq!(Zone::of_session(Some(b"'Europe/Berlin'")), Zone::Named);
        let nulls = written(
            &changed,
            Step::Insert,
            Zone::Offset,
            &[None, Some(b"plain"), None, None, None],
        );
        assert!(nulls.ends_with("VALUES (NULL,_latin1'plain',NULL,NULL,NULL)"), "{nulls}");
    }

    #[test]
    fn rows_are_removed_by_their_key() {
        let deleted = table(Change::Delete(vec![0, 1]));
        assert_eq!(
            written(&deleted, Step::Delete, Zone::Utc, &VALUES),
            "DELETE FROM `d`.`t``1` WHERE (`id`=-7 AND `c`=_latin1 x'6974277320E4')"
        );
    }

    #[test]
    fn a_value_of_another_kind_is_no_text() {
        let deleted = table(Change::Delete(vec![0]));
        let writer = Writer { table: &deleted, zone: Zone::Utc };
        let row = Row { shard: None, values: vec![Some(b"1 OR 1".as_slice())] };
        assert!(writer.row(Step::Delete, &row, &mut Vec::new()).is_err());
    }
}
