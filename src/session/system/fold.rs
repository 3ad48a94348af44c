//! Rows of physical tables become rows of logical ones.
//!
//! Owns: names in rows, and adding sizes up. Never: asks a server.

use std::collections::HashMap;
use std::sync::Arc;

use super::definition::with_names;
use super::places::{Home, Part, Places, Reverse};
use super::shape::{AVERAGE, Holds, Rows, holds};
use super::wanted::Wanted;
use crate::catalog::definition::logical_constraint;
use crate::name::{GroupId, SchemaName};

/// One row: values as text.
pub(super) type Line = Vec<Option<Vec<u8>>>;

/// The rows of one table of information_schema as they come in.
pub(super) struct Folding<'f> {
    rows: &'f Rows,
    /// The columns that are gathered.
    columns: &'f [String],
    holds: Vec<Holds>,
    places: &'f Places,
    wanted: &'f Wanted,
    reverse: &'f Reverse,
    described: HashMap<&'f Part, Vec<usize>>,
    added: HashMap<&'f Part, Vec<usize>>,
    /// The place in `out` of a declared table's row with these keys.
    keyed: HashMap<(usize, Line), usize>,
    pub out: Vec<Line>,
}

impl<'f> Folding<'f> {
    pub fn new(
        rows: &'f Rows,
        columns: &'f [String],
        (places, wanted, reverse): (&'f Places, &'f Wanted, &'f Reverse),
    ) -> Folding<'f> {
        let mut described: HashMap<&Part, Vec<usize>> = HashMap::new();
        let mut added: HashMap<&Part, Vec<usize>> = HashMap::new();
        for (index, declared) in places.declared.iter().enumerate() {
            for (place, part) in declared.parts.iter().enumerate() {
                let map = if place == 0 { &mut described } else { &mut added };
                map.entry(part).or_default().push(index);
            }
        }
        let holds = columns.iter().map(|column| holds(column)).collect();
        Folding {
            rows,
            columns,
            holds,
            places,
            wanted,
            reverse,
            described,
            added,
            keyed: HashMap::new(),
            out: Vec::new(),
        }
    }

    /// A row of [`super::question::Question::descriptions`].
    pub fn describe(&mut self, group: GroupId, line: Line) {
        let mut values = line.into_iter();
        let text = |value: Option<Option<Vec<u8>>>| -> Arc<str> {
            Arc::from(String::from_utf8_lossy(&value.flatten().unwrap_or_default()).as_ref())
        };
        let (database, table) = (text(values.next()), text(values.next()));
        let line: Line = values.collect();
        if &*database == "information_schema" {
            self.out.push(line);
            return;
        }
        let at_home = |home: &&Home| home.group == group && home.database == database;
        if self.rows.table.is_none() {
            let homes: Vec<SchemaName> =
                self.places.homes.iter().filter(at_home).map(|home| home.schema.clone()).collect();
            for schema in homes {
                let row = self.named(&line, (group, &database, ""), (schema.as_str(), ""));
                self.out.push(row);
            }
            return;
        }
        let part = (group, database.clone(), table.clone());
        if let Some(indices) = self.described.get(&part).cloned() {
            for index in indices {
                let Some(declared) = self.places.declared.get(index) else { continue };
                let name = (declared.schema.as_str(), &*declared.name);
                let row = self.named(&line, (group, &database, &table), name);
                self.keyed.insert((index, self.keys(&line)), self.out.len());
                self.out.push(row);
            }
        }
        if !self.places.is_own(group, &database, &table) || !self.wanted.table(&table) {
            return;
        }
        let homes: Vec<SchemaName> =
            self.places.homes.iter().filter(at_home).map(|home| home.schema.clone()).collect();
        for schema in homes {
            let name = (schema.as_str(), &*table);
            let row = self.named(&line, (group, &database, &table), name);
            self.out.push(row);
        }
    }

    fn keys(&self, line: &Line) -> Line {
        let value = |key: &&str| {
            let place = self.columns.iter().position(|column| column == key);
            place.and_then(|place| line.get(place).cloned()).flatten()
        };
        self.rows.sizes.keys.iter().map(value).collect()
    }

    /// A row of [`super::question::Question::sizes`], whose columns are `columns`.
    pub fn add(&mut self, group: GroupId, line: Line, columns: &[String]) {
        let text = |place: usize| -> Arc<str> {
            let value = line.get(place).and_then(|value| value.as_deref()).unwrap_or_default();
            Arc::from(String::from_utf8_lossy(value).as_ref())
        };
        let part = (group, text(0), text(1));
        let Some(indices) = self.added.get(&part).cloned() else { return };
        let values = line.get(2..).unwrap_or_default();
        let keys: Line = values.iter().take(self.rows.sizes.keys.len()).cloned().collect();
        for index in indices {
            let Some(&row) = self.keyed.get(&(index, keys.clone())) else { continue };
            for (column, value) in columns.iter().zip(values).skip(self.rows.sizes.keys.len()) {
                let Some(place) = self.columns.iter().position(|one| one == column) else {
                    continue;
                };
                let Some(total) = self.out.get_mut(row).and_then(|row| row.get_mut(place)) else {
                    continue;
                };
                let sums = self.rows.sizes.sums.contains(&column.as_str());
                *total = if sums { sum(total.take(), value) } else { latest(total.take(), value) };
            }
        }
    }

    /// Averages, once all sizes are in.
    pub fn finish(&mut self) {
        let place = |name: &str| self.columns.iter().position(|column| column == name);
        let (Some(average), Some(rows), Some(bytes)) =
            (place(AVERAGE), place("TABLE_ROWS"), place("DATA_LENGTH"))
        else {
            return;
        };
        for row in self.keyed.values() {
            let Some(line) = self.out.get_mut(*row) else { continue };
            let of = |place: usize| line.get(place).and_then(|value| number(value.as_ref()?));
            let (Some(rows), Some(bytes)) = (of(rows), of(bytes)) else { continue };
            if let (Some(mean), Some(value)) = (bytes.checked_div(rows), line.get_mut(average)) {
                *value = Some(mean.to_string().into_bytes());
            }
        }
    }

    fn named(
        &self,
        line: &Line,
        (group, database, table): (GroupId, &str, &str),
        (schema, name): (&str, &str),
    ) -> Line {
        let value = |(value, holds): (&Option<Vec<u8>>, &Holds)| {
            let value = value.as_ref()?;
            let text = String::from_utf8_lossy(value);
            let named = match holds {
                Holds::Schema if text == database => schema.to_owned(),
                Holds::Table if text == table => name.to_owned(),
                Holds::Referenced => {
                    self.reverse.table(group, database, &text).unwrap_or(&text).to_owned()
                }
                Holds::Constraint if !table.is_empty() => logical_constraint(&text, table, name),
                Holds::Definition => self.definition(group, &text, database, schema),
                _ => return Some(value.clone()),
            };
            Some(named.into_bytes())
        };
        line.iter().zip(&self.holds).map(value).collect()
    }

    /// A view's definition.
    fn definition(&self, group: GroupId, text: &str, database: &str, schema: &str) -> String {
        with_names(text, |of, table| {
            if let Some((schema, name)) = self.reverse.logical(group, of, table) {
                return Some((schema.to_string(), name.to_owned()));
            }
            (of == database).then(|| (schema.to_owned(), table.to_owned()))
        })
    }
}

fn number(value: &[u8]) -> Option<u128> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn sum(total: Option<Vec<u8>>, value: &Option<Vec<u8>>) -> Option<Vec<u8>> {
    let of = |value: &Option<Vec<u8>>| value.as_deref().and_then(number);
    match (of(&total), of(value)) {
        (Some(left), Some(right)) => Some((left + right).to_string().into_bytes()),
        (None, Some(_)) => value.clone(),
        _ => total,
    }
}

/// The greater of two numbers or times.
fn latest(total: Option<Vec<u8>>, value: &Option<Vec<u8>>) -> Option<Vec<u8>> {
    let (Some(left), Some(right)) = (&total, value) else { return total.or(value.clone()) };
    let greater = match (number(left), number(right)) {
        (Some(left), Some(right)) => right > left,
        _ => right > left,
    };
    if greater { value.clone() } else { total }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_add_up_and_times_are_the_latest() {
        let bytes = |text: &str| Some(text.as_bytes().to_vec());
        assert_eq!(sum(bytes("12"), &bytes("30")), bytes("42"));
        assert_eq!(sum(None, &bytes("30")), bytes("30"));
        assert_eq!(sum(bytes("7"), &None), bytes("7"));
        assert_eq!(latest(bytes("9"), &bytes("10")), bytes("10"));
        assert_eq!(
            latest(bytes("2026-01-02 00:00:00"), &bytes("2025-01-02 00:00:00")),
            bytes("2026-01-02 00:00:00")
        );
        assert_eq!(latest(None, &None), None);
    }
}
