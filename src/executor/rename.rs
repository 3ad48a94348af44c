//! Physical names back to logical ones, in column definitions, errors and warnings.
//!
//! Owns: which names of an answer are replaced (mysql-traps 24), and those of
//! rows that are definitions themselves (SHOW CREATE TABLE). Never: touches any other row.

use crate::catalog::definition::logical_constraint;
use crate::error::{Error, Result};
use crate::planner::plan::Renaming;
use crate::protocol::column::{Column, Rename};
use crate::protocol::field::FieldType;
use crate::protocol::row::{BinaryRow, TextRow, write_binary_row, write_text_row};

/// The fewest columns that SHOW INDEX has on any server.
const KEY_COLUMNS: usize = 13;

/// The names of one answer. An empty list changes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'a>(pub &'a [Renaming]);

impl<'a> Names<'a> {
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The same column under its logical schema and table.
    ///
    /// The alias (`table`) is replaced only where it is the physical table's own name: an alias that
    /// the client gave stays.
    pub fn column(self, column: Column<'a>) -> Column<'a> {
        let column = self.own_column(column);
        let of_view = |renaming: &&Renaming| {
            renaming.view.as_ref().is_some_and(|view| column.table == view.alias.as_bytes())
        };
        let view = self.0.iter().find(of_view);
        let Some((renaming, view)) = view.and_then(|one| Some((one, one.view.as_ref()?))) else {
            return column;
        };
        if !view.merged && !column.org_table.is_empty() && !column.schema.is_empty() {
            return column;
        }
        let computed = view.computed.iter().any(|name| name.as_bytes() == column.org_name);
        let schema = if view.merged && computed { "" } else { renaming.schema.as_str() };
        column.renamed(&Rename {
            schema: Some(schema.as_bytes()),
            org_table: Some(renaming.table.as_str().as_bytes()),
            ..Rename::default()
        })
    }

    fn own_column(self, column: Column<'a>) -> Column<'a> {
        let tables = || self.0.iter().filter(|renaming| renaming.view.is_none());
        let found = tables().find(|renaming| {
            // Columns of derived tables have no schema on MariaDB, but their source's name.
            column.org_table == renaming.physical_table.as_bytes()
                && (column.schema.is_empty()
                    || column.schema == renaming.physical_database.as_bytes())
        });
        if let Some(renaming) = found {
            let is_own = column.table == renaming.physical_table.as_bytes();
            let schema = renaming.schema.as_str().as_bytes();
            return column.renamed(&Rename {
                schema: (!column.schema.is_empty()).then_some(schema),
                table: is_own.then(|| renaming.table.as_str().as_bytes()),
                org_table: Some(renaming.table.as_str().as_bytes()),
                name: None,
            });
        }
        // Columns of derived tables: some servers tell their schema and no table, some the table
        // that they came from and no schema.
        let schema = tables()
            .find(|renaming| column.schema == renaming.physical_database.as_bytes())
            .map(|renaming| renaming.schema.as_str().as_bytes());
        let org_table = tables()
            .filter(|_| column.schema.is_empty())
            .find(|renaming| column.org_table == renaming.physical_table.as_bytes())
            .map(|renaming| renaming.table.as_str().as_bytes());
        column.renamed(&Rename { schema, org_table, ..Rename::default() })
    }

    /// Whether values of rows are to be looked through as well.
    pub fn in_rows(self) -> bool {
        self.0.iter().any(|renaming| renaming.in_rows)
    }

    /// A value with logical names in it; one that isn't UTF-8 stays as it is.
    pub fn value(self, value: &[u8]) -> Vec<u8> {
        match std::str::from_utf8(value) {
            Ok(text) if text.starts_with("CREATE TABLE ") => self.definition(text).into_bytes(),
            Ok(text) => self.text(&self.constraints(text)).into_bytes(),
            Err(_) => value.to_vec(),
        }
    }

    /// A text row with logical names in its values, appended to `out`.
    ///
    /// # Errors
    /// A damaged row.
    pub fn text_row(self, payload: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let mut row = TextRow::new(payload);
        let mut values: Vec<Option<Vec<u8>>> = Vec::new();
        while row.end().is_err() {
            values.push(row.value()?.map(<[u8]>::to_vec));
        }
        let is_key = self.is_key(&values);
        for (place, value) in values.iter_mut().enumerate() {
            if let Some(value) = value {
                *value = self.placed(is_key, place, value);
            }
        }
        write_text_row(values.iter().map(Option::as_deref), out);
        Ok(())
    }

    /// The same for a binary row.
    ///
    /// # Errors
    /// A damaged row.
    pub fn binary_row(self, payload: &[u8], types: &[FieldType], out: &mut Vec<u8>) -> Result<()> {
        let mut row = BinaryRow::new(payload, types.len())?;
        let mut values: Vec<Option<Vec<u8>>> = Vec::new();
        for &kind in types {
            values.push(row.value(kind)?.map(<[u8]>::to_vec));
        }
        let is_key = self.is_key(&values);
        for (place, (value, kind)) in values.iter_mut().zip(types).enumerate() {
            if let Some(value) = value.as_mut().filter(|_| kind.is_string()) {
                *value = self.placed(is_key, place, value);
            }
        }
        let values: Vec<_> =
            types.iter().zip(&values).map(|(kind, value)| (*kind, value.as_deref())).collect();
        write_binary_row(&values, out);
        Ok(())
    }

    /// A row of SHOW INDEX: no other answer with names in its rows begins with a table's alone.
    fn is_key(self, row: &[Option<Vec<u8>>]) -> bool {
        let first = row.first().and_then(Option::as_deref).unwrap_or_default();
        let is_table = |renaming: &Renaming| renaming.physical_table.as_bytes() == first;
        row.len() >= KEY_COLUMNS && self.0.iter().any(is_table)
    }

    /// In a row of SHOW INDEX the table and the key have names of Weir's; the rest is the client's.
    fn placed(self, is_key: bool, place: usize, value: &[u8]) -> Vec<u8> {
        match place {
            _ if !is_key => self.value(value),
            0 => self.value(value),
            2 => match std::str::from_utf8(value) {
                Ok(name) => {
                    let mut names = self.0.iter().filter_map(|own| own_key(own, name));
                    names.next().unwrap_or(name).as_bytes().to_vec()
                }
                Err(_) => value.to_vec(),
            },
            _ => value.to_vec(),
        }
    }

    /// What SHOW CREATE TABLE answers: tables behind CREATE TABLE and REFERENCES, databases before a
    /// point, constraints, and the keys that they made have names of Weir's; the rest is the client's.
    fn definition(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut own: Option<&Renaming> = None;
        let (mut rest, mut behind) = (text, "");
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '\'' | '`' | '"' => quoted(rest, first),
                _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                _ => first.len_utf8(),
            };
            let (piece, left) = rest.split_at(length);
            rest = left;
            let is_quoted = matches!(first, '`' | '"');
            if !is_quoted && !is_word(first) {
                out.push_str(piece);
                if !(first.is_whitespace() || first == '.') {
                    behind = "";
                }
                continue;
            }
            let doubled = [first, first].iter().collect::<String>();
            let name = match piece.get(1..piece.len().saturating_sub(1)) {
                Some(inner) if is_quoted => inner.replace(&doubled, &first.to_string()),
                _ => piece.to_owned(),
            };
            let is_database = rest.starts_with('.');
            let found = match behind {
                _ if is_database => {
                    let own = |own: &&Renaming| *own.physical_database == *name;
                    self.0.iter().find(own).map(|own| own.schema.as_str().to_owned())
                }
                "TABLE" | "REFERENCES" => {
                    let found = self.0.iter().find(|own| *own.physical_table == *name);
                    if behind == "TABLE" {
                        own = found;
                    }
                    found.map(|own| own.table.as_str().to_owned())
                }
                "CONSTRAINT" => own
                    .map(|own| logical_constraint(&name, &own.physical_table, own.table.as_str())),
                "KEY" => own.and_then(|own| own_key(own, &name)).map(str::to_owned),
                _ => None,
            };
            match found {
                Some(found) if is_quoted => {
                    out.push(first);
                    out.push_str(&found.replace(first, &doubled));
                    out.push(first);
                }
                Some(found) => out.push_str(&found),
                None => out.push_str(piece),
            }
            if !is_database {
                behind = if is_quoted { "" } else { piece };
            }
        }
        out
    }

    /// A message with logical names in it.
    pub fn text(self, message: &str) -> String {
        let mut text = message.to_owned();
        for renaming in self.0 {
            if *renaming.physical_table != *renaming.table.as_str() {
                text = replace_word(&text, &renaming.physical_table, renaming.table.as_str());
            }
            if *renaming.physical_database != *renaming.schema.as_str() {
                text = replace_word(&text, &renaming.physical_database, renaming.schema.as_str());
            }
        }
        text
    }

    /// A definition whose constraints are called as one table's: see
    /// [`crate::catalog::definition::logical_constraint`].
    fn constraints(self, text: &str) -> String {
        let mut text = text.to_owned();
        for renaming in self.0 {
            let (physical, logical) = (&renaming.physical_table, renaming.table.as_str());
            if **physical != *logical && !physical.is_empty() && text.contains(&**physical) {
                text = text.replace(&format!("`{physical}_"), &format!("`{logical}_"));
                text = text.replace(&format!("__{physical}`"), "`");
                // A key that a foreign key made is a value of its own in SHOW INDEX.
                if let Some(name) = text.strip_suffix(&format!("__{physical}")) {
                    text = name.to_owned();
                }
            }
        }
        text
    }

    /// Names that servers made for constraints, and that Weir made for a shard's.
    fn made_names(self, message: &str) -> String {
        let mut text = message.to_owned();
        for renaming in self.0 {
            let (physical, logical) = (&renaming.physical_table, renaming.table.as_str());
            if **physical == *logical || physical.is_empty() || !text.contains(&**physical) {
                continue;
            }
            for quote in ['`', '\'', '.'] {
                for made in ["_ibfk_", "_chk_"] {
                    let from = format!("{quote}{physical}{made}");
                    text = text.replace(&from, &format!("{quote}{logical}{made}"));
                }
                text = text.replace(&format!("__{physical}{quote}"), &quote.to_string());
            }
        }
        text
    }

    /// An error with logical names in it.
    pub fn error(self, mut error: Error) -> Error {
        if !self.is_empty() {
            error.message = self.text(&self.made_names(&error.message));
        }
        error
    }
}

/// Replaces `from` where it stands as a whole identifier. A quoted value that happens to read like
/// a physical name (`Duplicate entry 'orders_0001'`) can't be told apart; physical names are made
/// by patterns and rarely are values.
fn replace_word(text: &str, from: &str, to: &str) -> String {
    if from.is_empty() {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let (before, found) = rest.split_at(at);
        let after = found.get(from.len()..).unwrap_or_default();
        let whole = !before.chars().next_back().is_some_and(is_word)
            && !after.chars().next().is_some_and(is_word);
        out.push_str(before);
        out.push_str(if whole { to } else { from });
        rest = after;
    }
    out.push_str(rest);
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// The length of the quoted text that `text` begins with.
fn quoted(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && quote == '\'' {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return at + c.len_utf8();
        }
    }
    text.len()
}

/// The name of a key that a foreign key made, as one table would have it.
fn own_key<'n>(own: &Renaming, key: &'n str) -> Option<&'n str> {
    let is_physical = *own.physical_table != *own.table.as_str() && !own.physical_table.is_empty();
    key.strip_suffix(&*own.physical_table).filter(|_| is_physical)?.strip_suffix("__")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{SchemaName, TableName};
    use crate::protocol::field::FieldFlags;

    fn renaming() -> [Renaming; 1] {
        [Renaming {
            physical_database: "shop_0001".into(),
            physical_table: "orders_0012".into(),
            schema: SchemaName::from("shop"),
            table: TableName::from("orders"),
            in_rows: false,
            view: None,
        }]
    }

    fn column<'a>(schema: &'a [u8], table: &'a [u8], org_table: &'a [u8]) -> Column<'a> {
        Column {
            schema,
            table,
            org_table,
            name: b"id",
            org_name: b"id",
            collation: 63,
            length: 20,
            field_type: FieldType(8),
            flags: FieldFlags(0),
            decimals: 0,
            default: None,
        }
    }

    #[test]
    fn a_column_gets_its_logical_names_and_keeps_the_clients_alias() {
        let names = renaming();
        let own = Names(&names).column(column(b"shop_0001", b"orders_0012", b"orders_0012"));
        assert_eq!(
            (own.schema, own.table, own.org_table),
            (&b"shop"[..], &b"orders"[..], &b"orders"[..])
        );
        let alias = Names(&names).column(column(b"shop_0001", b"o", b"orders_0012"));
        assert_eq!((alias.table, alias.org_table), (&b"o"[..], &b"orders"[..]));
        let derived = Names(&names).column(column(b"", b"d", b"orders_0012"));
        assert_eq!(
            (derived.schema, derived.table, derived.org_table),
            (&b""[..], &b"d"[..], &b"orders"[..])
        );
        let other = Names(&names).column(column(b"other", b"x", b"x"));
        assert_eq!((other.schema, other.org_table), (&b"other"[..], &b"x"[..]));
    }

    #[test]
    fn messages_name_logical_tables() {
        let names = renaming();
        assert_eq!(
            Names(&names).text("Table 'shop_0001.orders_0012' doesn't exist"),
            "Table 'shop.orders' doesn't exist"
        );
        assert_eq!(
            Names(&names).text("Duplicate entry '5' for key 'orders_0012.PRIMARY'"),
            "Duplicate entry '5' for key 'orders.PRIMARY'"
        );
        // Only whole names.
        assert_eq!(Names(&names).text("xorders_0012 orders_00123"), "xorders_0012 orders_00123");
    }
}
