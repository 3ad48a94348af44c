//! LOAD DATA LOCAL into a table that is in several places.
//!
//! Owns: which fields of the file decide a record's shard and id, and the statement that each place
//! is sent. Never: reads the file, or sees a record before it is cut.
//!
//! With LOCAL, a server takes every record that it can make a row of, as under IGNORE: what a key's
//! field stores is computed in that manner. Where it isn't certain, the file is refused.

use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::catalog::{self, DefaultValue, Generated};
use crate::error::{Error, Fault, Result};
use crate::planner::bind::SessionFacts;
use crate::planner::counted::counts;
use crate::planner::draft::{Draft, Naming};
use crate::planner::plan::{Access, Pin, PreparedForm};
use crate::planner::query::Outcome;
use crate::planner::splice::quote;
use crate::planner::tokens::{named, single_tables};
use crate::planner::{Action, modify};
use crate::rules::key::KeyColumn;
use crate::rules::sequence::SequenceRule;
use crate::rules::table::{Placement, ShardedTable};
use crate::sql::classify::StatementKind;
use crate::sql::edit::edited;
use crate::sql::load::cut::{Record, Taken};
use crate::sql::load::{Assigned, Duplicates, Field, LoadData};
use crate::sql::mention::table_names;
use crate::sql::token::{Token, TokenKind};
use crate::value::assign::{Context, Stored, assign};
use crate::value::decimal::Decimal;
use crate::value::types::ColumnType;
use crate::value::{CharsetClass, LiteralKind, Text, Value};

/// A table whose rows come from a client's file.
#[derive(Clone, Debug)]
pub struct Load {
    pub placement: Placement,
    /// As the rules write it.
    pub name: Box<str>,
    /// Rows may go to several groups.
    pub allowed: bool,
    table: Arc<catalog::Table>,
}

/// What is not done, and what would help.
fn refuse(message: impl Into<String>) -> Error {
    Error::refused("load_data", message)
}

/// Plans LOAD DATA and LOAD XML.
pub(crate) fn plan(mut draft: Draft, tokens: &[Token]) -> Result<Outcome> {
    draft.facts.access = Access::Write;
    draft.facts.prepared = PreparedForm::Never;
    let sql = draft.input.sql;
    let target = table_names(sql, tokens).into_iter().next();
    let survey = named(&draft, target.as_slice())?;
    let used = survey.uses.first();
    let local = match draft.kind {
        StatementKind::LoadData { local } => Some(local),
        _ => None,
    };
    let many = used.filter(|used| !matches!(used.placement, Placement::Single(_)));
    let Some(used) = many else {
        // The last record's values stay on the connection.
        if tokens.iter().any(|token| token.kind == TokenKind::UserVariable) {
            draft.facts.pins = Some(Pin::UserVariable);
        }
        return single_tables(draft, tokens, |name| {
            refuse(format!(
                "LOAD DATA whose SET asks '{name}', which is in several places, is not supported"
            ))
        });
    };
    match local {
        None => {
            return Err(refuse(format!(
                "LOAD XML into '{}', which is in several places, is not supported: use LOAD DATA LOCAL",
                used.name
            )));
        }
        Some(false) => {
            return Err(refuse(format!(
                "LOAD DATA without LOCAL reads a file of one server, and '{}' is in several places: \
                 use LOAD DATA LOCAL",
                used.name
            )));
        }
        Some(true) => {}
    }
    if let Placement::Sharded(table) = &used.placement
        && (table.index_of.is_some() || !table.indexes.is_empty())
    {
        return Err(Error::refused(
            "load_data_index",
            format!(
                "LOAD DATA into '{}' would leave its global secondary index behind: use INSERT with many rows",
                used.name
            ),
        ));
    }
    let Some(table) = used.table.clone() else {
        if draft.input.final_catalog {
            let text = format!("Table '{}.{}' doesn't exist", used.schema, used.name);
            return Err(Error::new(Fault::Client, 1146, b"42S02", "", text));
        }
        return Ok(Outcome::Need(vec![(used.schema.clone(), used.name.to_string())]));
    };
    if matches!(used.placement, Placement::Broadcast(_)) {
        modify::deterministic(&draft, &survey)?;
    }
    if draft.traits.assigns_variable {
        return Err(refuse(format!(
            "LOAD DATA into '{}' assigns user variables with :=, and its records go to several places",
            used.name
        )));
    }
    let allowed = match &used.placement {
        Placement::Sharded(table) => draft.scatter_ok() || table.scatter_writes,
        _ => true,
    };
    let load = Load { placement: used.placement.clone(), name: used.name.clone(), allowed, table };
    draft.name_tables(&survey, |_| Naming::Rename);
    Ok(Outcome::Plan(draft.finish(Action::Load(Box::new(load)))))
}

/// How the records of one statement find their places.
#[derive(Debug)]
pub struct Reading<'l> {
    load: &'l Load,
    /// How many fields a record has.
    pub fields: usize,
    /// Those that are looked at.
    pub looks: SmallVec<[usize; 2]>,
    keys: Vec<Source>,
    pub ids: Option<Ids<'l>>,
    /// User variables that records are read into.
    pub variables: Vec<String>,
    list: List,
    context: Context,
    charset: CharsetClass,
}

/// What a shard key's value is.
#[derive(Debug)]
enum Source {
    /// The field of this place among [`Reading::looks`].
    Look(usize),
    /// The column that ids are given for.
    Id,
    Stored(Value),
}

/// The column that counts.
#[derive(Debug)]
pub struct Ids<'l> {
    column: &'l catalog::Column,
    /// The place among [`Reading::looks`]; `None`: the file has no such field.
    look: Option<usize>,
    /// `None`: each record must have its number.
    pub rule: Option<Arc<SequenceRule>>,
}

/// What becomes of the list of fields.
#[derive(Debug)]
enum List {
    AsItIs,
    /// The table's columns are written out.
    Whole(String),
    /// This column comes first.
    First(String),
}

/// What a record has in the column that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Id {
    /// It wants one.
    Wanted,
    /// It has a number; above 0 where that is known.
    Given(Option<u64>),
}

impl Load {
    /// How many physical tables there are.
    pub fn places(&self) -> usize {
        match &self.placement {
            Placement::Sharded(table) => table.shards.len(),
            Placement::Broadcast(table) => table.copies.len(),
            Placement::Single(_) => 1,
        }
    }

    /// How the statement's records are read; `charset` is the file's.
    ///
    /// # Errors
    /// A refusal of what can't be routed, 1054 for a field that is no column.
    pub fn reading(
        &self,
        statement: &LoadData,
        charset: &str,
        session: &SessionFacts,
    ) -> Result<Reading<'_>> {
        self.check(statement)?;
        let fields = self.fields(statement)?;
        let context = match statement.duplicates {
            Duplicates::Replace => session.assign,
            _ => session.assign.ignoring(),
        };
        let variables = fields.iter().filter_map(|field| match field {
            Field::Variable(name) => Some(name.clone()),
            Field::Column(_) => None,
        });
        let mut reading = Reading {
            load: self,
            fields: fields.len(),
            looks: SmallVec::new(),
            keys: vec![],
            ids: None,
            variables: variables.collect(),
            list: List::AsItIs,
            context,
            charset: CharsetClass::of(charset),
        };
        if statement.fields.as_ref().is_none_or(Vec::is_empty) {
            reading.list = List::Whole(listed(self.table.visible_columns().map(|one| &*one.name)));
        }
        self.find_ids(statement, &fields, &mut reading)?;
        self.find_keys(statement, &fields, session, &mut reading)?;
        Ok(reading)
    }

    fn check(&self, statement: &LoadData) -> Result<()> {
        let format = &statement.format;
        let name = &self.name;
        let ends = [&format.field_end, &format.line_end, &format.line_start];
        let single = [format.enclosed, format.escape];
        if ends.iter().any(|text| !text.is_ascii())
            || single.iter().flatten().any(|byte| !byte.is_ascii())
        {
            return Err(refuse(format!(
                "LOAD DATA into '{name}', which is in several places, takes ASCII terminators only"
            )));
        }
        if format.field_end.is_empty() {
            return Err(refuse(format!(
                "LOAD DATA into '{name}', which is in several places, needs FIELDS TERMINATED BY: rows of \
                 fixed length are not supported"
            )));
        }
        let lineless = format.line_end.is_empty() || format.line_end == format.field_end;
        if statement.skip > 0 && lineless {
            return Err(refuse("IGNORE n LINES needs LINES TERMINATED BY"));
        }
        if statement.selects || statement.qualifies {
            return Err(refuse(format!(
                "SET of LOAD DATA into '{name}', which is in several places, takes expressions over the \
                 record's own fields, without subqueries and qualified names"
            )));
        }
        let fields = statement.fields.as_deref().unwrap_or_default();
        if fields.is_empty() {
            let odd = |one: &&catalog::Column| one.invisible || one.generated != Generated::No;
            if let Some(column) = self.table.columns.iter().find(odd) {
                return Err(refuse(format!(
                    "Column '{}' is generated or invisible: LOAD DATA into '{name}', which is in several \
                     places, needs its list of columns",
                    column.name
                )));
            }
        }
        if matches!(self.placement, Placement::Broadcast(_)) {
            self.check_defaults(statement)?;
        }
        Ok(())
    }

    /// Copies must not compute their own defaults.
    fn check_defaults(&self, statement: &LoadData) -> Result<()> {
        let Some(fields) = statement.fields.as_ref().filter(|fields| !fields.is_empty()) else {
            return Ok(());
        };
        let differs = |column: &&catalog::Column| {
            let name = column.name.to_lowercase();
            let given = fields.iter().any(|field| *field == Field::Column(name.clone()))
                || statement.assignments.iter().any(|one| one.column == name);
            matches!(column.default, DefaultValue::Expression(_)) && !given
        };
        match self.table.columns.iter().find(differs) {
            None => Ok(()),
            Some(column) => Err(Error::refused(
                "broadcast_nondeterministic",
                format!(
                    "The default of column '{}' is an expression that each copy of the broadcast table \
                     would evaluate for itself: give its value",
                    column.name
                ),
            )),
        }
    }

    /// The record's fields; each column is one of the table's.
    fn fields(&self, statement: &LoadData) -> Result<Vec<Field>> {
        let given = statement.fields.as_ref().filter(|fields| !fields.is_empty());
        let Some(fields) = given else {
            let columns = self.table.visible_columns();
            return Ok(columns.map(|one| Field::Column(one.name.to_lowercase())).collect());
        };
        let named = fields.iter().filter_map(|field| match field {
            Field::Column(name) => Some(name),
            Field::Variable(_) => None,
        });
        for name in named.chain(statement.assignments.iter().map(|one| &one.column)) {
            if self.table.column_index(name).is_none() {
                let text = format!("Unknown column '{name}' in 'field list'");
                return Err(Error::new(Fault::Client, 1054, b"42S22", "", text));
            }
        }
        Ok(fields.clone())
    }

    fn find_ids<'l>(
        &'l self,
        statement: &LoadData,
        fields: &[Field],
        reading: &mut Reading<'l>,
    ) -> Result<()> {
        let rule = self.placement.sequence().cloned();
        let counted = counts(Some(&self.table));
        let filled = rule.as_ref().and_then(|rule| self.table.column(&rule.column));
        let Some(column) = counted.or(filled) else { return Ok(()) };
        let is_rules = |rule: &Arc<SequenceRule>| rule.column.eq_ignore_ascii_case(&column.name);
        let rule = rule.filter(is_rules);
        let name = column.name.to_lowercase();
        if statement.assignments.iter().any(|one| one.column == name) {
            return Err(Error::refused(
                "load_data_ids",
                format!(
                    "SET gives column '{}' of table '{}' a value, which its sequence or its servers may \
                     have to count: read it from a field of the file",
                    column.name, self.name
                ),
            ));
        }
        let look = place_of(fields, &name).map(|field| reading.look(field));
        if look.is_none() && rule.is_none() {
            return Err(self.uncounted(column));
        }
        if rule.is_some() {
            let format = &statement.format;
            let digits = |bytes: &[u8]| bytes.iter().any(u8::is_ascii_digit);
            let single: Vec<u8> = format.enclosed.into_iter().chain(format.escape).collect();
            if digits(&format.field_end)
                || digits(&format.line_end)
                || digits(&format.line_start)
                || digits(&single)
            {
                return Err(Error::refused(
                    "load_data_ids",
                    "Ids of a sequence are written into the file's records: its terminators can't be digits",
                ));
            }
        }
        if look.is_none() {
            reading.list = List::First(listed(std::iter::once(&*column.name)));
        }
        reading.ids = Some(Ids { column, look, rule });
        Ok(())
    }

    fn uncounted(&self, column: &catalog::Column) -> Error {
        Error::refused(
            "auto_increment",
            format!(
                "Column '{}' of table '{}' is AUTO_INCREMENT, and each of its places would count for itself: \
                 give its value in the file, or declare a sequence for it",
                column.name, self.name
            ),
        )
    }

    fn find_keys(
        &self,
        statement: &LoadData,
        fields: &[Field],
        session: &SessionFacts,
        reading: &mut Reading<'_>,
    ) -> Result<()> {
        let Placement::Sharded(sharded) = &self.placement else { return Ok(()) };
        for key in &sharded.keys {
            let name = key.name.to_lowercase();
            let id = reading.ids.as_ref().filter(|ids| ids.column.name.to_lowercase() == name);
            if id.is_some() {
                reading.keys.push(Source::Id);
                continue;
            }
            let assigned = statement.assignments.iter().rfind(|one| one.column == name);
            let source = match (assigned.map(|one| &one.value), place_of(fields, &name)) {
                (None, Some(field)) => Source::Look(reading.look(field)),
                (None | Some(Assigned::Default), _) => {
                    Source::Stored(self.default_of(key, reading.context)?)
                }
                (Some(value), _) => self.assigned(key, value, fields, session, reading)?,
            };
            reading.keys.push(source);
        }
        Ok(())
    }

    fn assigned(
        &self,
        key: &KeyColumn,
        value: &Assigned,
        fields: &[Field],
        session: &SessionFacts,
        reading: &mut Reading<'_>,
    ) -> Result<Source> {
        let value = match value {
            Assigned::Variable(name) => {
                let is = |field: &Field| matches!(field, Field::Variable(other) if other == name);
                let field = fields.iter().rposition(is).ok_or_else(|| self.unknown_key(key))?;
                return Ok(Source::Look(reading.look(field)));
            }
            Assigned::Text(bytes) => {
                Value::Text(Text { bytes: bytes.as_slice().into(), charset: session.charset })
            }
            Assigned::Number(digits) => {
                let kind = match digits.contains('.') {
                    true => LiteralKind::Decimal,
                    false => LiteralKind::Integer,
                };
                Value::from_literal(kind, digits.as_bytes(), session.charset)
                    .map_err(|_| self.unknown_key(key))?
            }
            Assigned::Null | Assigned::Default | Assigned::Expression => {
                return Err(self.unknown_key(key));
            }
        };
        let kind = self.kind_of(key);
        let stored = key.stored(&value, kind, reading.context);
        stored.map(Source::Stored).map_err(|_| self.unknown_key(key))
    }

    fn unknown_key(&self, key: &KeyColumn) -> Error {
        Error::refused(
            "load_data_key",
            format!(
                "SET gives the shard key '{}' of table '{}' a value that isn't known before the record is \
                 sent: read it from a field of the file, from a variable as it is, or write a plain value",
                key.name, self.name
            ),
        )
    }

    fn kind_of<'k>(&'k self, key: &'k KeyColumn) -> &'k ColumnType {
        self.table.column(&key.name).map_or(&key.declared, |column| &column.kind)
    }

    fn default_of(&self, key: &KeyColumn, context: Context) -> Result<Value> {
        let default = self.table.column(&key.name).map(|column| &column.default);
        let stored = match default {
            Some(DefaultValue::Constant(text)) => {
                key.stored(&Value::text(text.to_string()), self.kind_of(key), context).ok()
            }
            _ => None,
        };
        stored.ok_or_else(|| {
            Error::refused(
                "key_missing",
                format!(
                    "LOAD DATA gives no value for the shard key '{}' of table '{}': name the column in its \
                     list of fields",
                    key.name, self.name
                ),
            )
        })
    }
}

/// The last field that goes into a column.
fn place_of(fields: &[Field], column: &str) -> Option<usize> {
    fields.iter().rposition(|field| matches!(field, Field::Column(name) if name == column))
}

/// Names as a list.
fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut list = Vec::new();
    for name in names {
        if !list.is_empty() {
            list.push(b',');
        }
        quote(name, &mut list);
    }
    String::from_utf8_lossy(&list).into_owned()
}

impl Reading<'_> {
    fn look(&mut self, field: usize) -> usize {
        match self.looks.iter().position(|known| *known == field) {
            Some(place) => place,
            None => {
                self.looks.push(field);
                self.looks.len() - 1
            }
        }
    }

    /// What a record has in the column that counts.
    ///
    /// # Errors
    /// `load_data_ids` where that isn't certain, `auto_increment` where nobody may count.
    pub fn id_of(&self, record: &Record, number: u64) -> Result<Id> {
        let Some(ids) = &self.ids else { return Ok(Id::Given(None)) };
        let Some(taken) = ids.look.and_then(|look| record.taken.get(look)) else {
            return Ok(Id::Wanted);
        };
        let whole = match (taken.present && !taken.is_null, &ids.column.kind) {
            (false, _) => None,
            (true, kind) => Some(self.number_in(taken, kind).ok_or_else(|| {
                Error::refused(
                    "load_data_ids",
                    format!(
                        "Row {number} gives column '{}' of table '{}' a value of which it isn't certain that \
                         it is neither NULL nor 0: write it as a plain number",
                        ids.column.name, self.load.name
                    ),
                )
            })?),
        };
        let wants = match whole {
            None => true,
            Some(0) => self.context.zero_counts,
            Some(_) => false,
        };
        if wants && ids.rule.is_none() {
            let error = self.load.uncounted(ids.column);
            return Err(Error { message: format!("Row {number}: {}", error.message), ..error });
        }
        Ok(match wants {
            true => Id::Wanted,
            false => Id::Given(whole.and_then(|whole| u64::try_from(whole).ok())),
        })
    }

    fn number_in(&self, taken: &Taken, kind: &ColumnType) -> Option<i128> {
        if taken.value.trim_ascii().is_empty() && !self.context.strict {
            return Some(0);
        }
        match assign(&self.value_of(taken), kind, self.context) {
            Stored::Value(stored) => stored.as_whole(),
            Stored::Unsure(_) => None,
        }
    }

    fn value_of(&self, taken: &Taken) -> Value {
        Value::Text(Text { bytes: taken.value.as_slice().into(), charset: self.charset })
    }

    /// The shard of a record; 0 for a broadcast table. `number`: the row's, from 1; `id`: what it
    /// was given by a sequence.
    ///
    /// # Errors
    /// `load_data_key` where what a key stores isn't certain, `no_shard` where no shard takes it.
    pub fn shard_of(&self, record: &Record, number: u64, id: Option<u64>) -> Result<u32> {
        let Placement::Sharded(table) = &self.load.placement else { return Ok(0) };
        let mut stored: SmallVec<[Value; 2]> = SmallVec::new();
        for (key, source) in table.keys.iter().zip(&self.keys) {
            let look = match source {
                Source::Stored(value) => {
                    stored.push(value.clone());
                    continue;
                }
                Source::Id if id.is_some() => {
                    stored.push(Value::whole(i128::from(id.unwrap_or_default())));
                    continue;
                }
                Source::Id => self.ids.as_ref().and_then(|ids| ids.look),
                Source::Look(look) => Some(*look),
            };
            let taken = look.and_then(|look| record.taken.get(look));
            let value = taken.ok_or("the file has no such field");
            let value = value.and_then(|taken| self.stored(key, taken)).map_err(|why| {
                Error::refused(
                    "load_data_key",
                    format!(
                        "Row {number} gives the shard key '{}' of table '{}' a value whose stored form is not \
                         certain ({why}): nothing was loaded",
                        key.name, table.name
                    ),
                )
            })?;
            stored.push(value);
        }
        table
            .shard_of_row(&stored)
            .map_err(|error| Error { message: format!("Row {number}: {}", error.message), ..error })
    }

    fn stored(&self, key: &KeyColumn, taken: &Taken) -> Result<Value, &'static str> {
        let column = self.load.table.column(&key.name);
        let kind = self.load.kind_of(key);
        let nullable = column.is_none_or(|column| column.nullable);
        let null_default = column.is_none_or(|column| column.default == DefaultValue::Null);
        if taken.is_null || !taken.present {
            return match nullable && (taken.is_null || null_default) {
                true => Ok(Value::Null),
                false => zero(kind),
            };
        }
        let is_number = matches!(kind, ColumnType::Int { .. } | ColumnType::Decimal { .. });
        if is_number && taken.value.trim_ascii().is_empty() && !self.context.strict {
            return zero(kind);
        }
        key.stored(&self.value_of(taken), kind, self.context)
    }

    /// The table of a sharded statement.
    pub fn sharded(&self) -> Option<&Arc<ShardedTable>> {
        match &self.load.placement {
            Placement::Sharded(table) => Some(table),
            _ => None,
        }
    }

    /// Writes a record with an id that it was given.
    ///
    /// # Errors
    /// `load_data_ids` where the record ends before the column.
    pub fn write_with_id(
        &self,
        input: &[u8],
        record: &Record,
        statement: &LoadData,
        id: u64,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let part = |range: Range<usize>| input.get(range).unwrap_or_default();
        let field_end = statement.format.field_end.as_slice();
        let id = id.to_string();
        let taken = self.ids.as_ref().and_then(|ids| record.taken.get(ids.look?));
        match taken {
            Some(taken) if taken.present => {
                out.extend_from_slice(part(record.range.start..taken.raw.start));
                out.extend_from_slice(id.as_bytes());
                out.extend_from_slice(part(taken.raw.end..record.range.end));
            }
            Some(taken) if taken.field == record.present => {
                // With the file's end behind it, the last field may have a terminator of its own.
                out.extend_from_slice(part(record.range.start..record.content_end));
                out.extend_from_slice(field_end);
                out.extend_from_slice(id.as_bytes());
                let rest = part(record.content_end..record.range.end);
                out.extend_from_slice(if rest == field_end { b"" } else { rest });
            }
            Some(_) => {
                return Err(Error::refused(
                    "load_data_ids",
                    "A row ends before the column that a sequence fills, with others between: its record \
                     can't be given an id",
                ));
            }
            None => {
                out.extend_from_slice(part(record.range.start..record.content));
                out.extend_from_slice(id.as_bytes());
                out.extend_from_slice(field_end);
                out.extend_from_slice(part(record.content..record.range.end));
            }
        }
        Ok(())
    }

    /// The statement for one place. `sql` names its physical table, and `there` says what stands
    /// where in it.
    pub fn text(&self, sql: &[u8], there: &LoadData, charset: &str) -> Vec<u8> {
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        if there.charset.is_none() {
            let at = there.charset_at;
            edits.push((at..at, format!(" CHARACTER SET {charset}")));
        }
        if let Some(range) = &there.skip_at {
            edits.push((range.clone(), String::new()));
        }
        let at = there.fields_at..there.fields_at;
        match &self.list {
            List::AsItIs => {}
            // `()` is a list of nothing.
            List::Whole(list) if there.fields.is_some() => edits.push((at, list.clone())),
            List::Whole(list) => edits.push((at, format!(" ({list})"))),
            List::First(list) => edits.push((at, format!("{list},"))),
        }
        edited(sql, edits)
    }
}

/// What a NOT NULL column holds where a record gives it nothing.
fn zero(kind: &ColumnType) -> Result<Value, &'static str> {
    match kind {
        ColumnType::Int { .. } => Ok(Value::Int(0)),
        ColumnType::Decimal { .. } => {
            Decimal::parse("0").map(Value::Decimal).ok_or("it has no plain zero")
        }
        ColumnType::Char { .. } | ColumnType::VarChar { .. } | ColumnType::Text { .. } => {
            Ok(Value::text(""))
        }
        _ => Err("it is NULL or missing, and the column takes no NULL"),
    }
}
