//! Index entries of rows that an INSERT gives as values.
//!
//! Owns: which values of a row are its entries', and the texts that insert them. Never: sends one, or
//! guesses: a row whose entry isn't certain is made by the workbench first.
//!
//! An entry's columns are of the types that the table's own have, so that a literal which is stored
//! as some value there is stored as the same one here, under the same session state.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::{self, DefaultValue};
use crate::error::{Error, Result};
use crate::planner::bind::{Binding, Values};
use crate::planner::condition::Operand;
use crate::planner::index::entry_columns;
use crate::planner::narrow::operand;
use crate::planner::refuse::refuse;
use crate::planner::splice::{quote, write_value};
use crate::planner::{Action, Plan};
use crate::rules::index::IndexRule;
use crate::rules::table::ShardedTable;
use crate::sql::analysis::{Expr, Insert, InsertSource, Literal};
use crate::sql::slot::LiteralKind;
use crate::value::Value;
use crate::value::types::ColumnType;

/// The entries of an INSERT's rows in one index.
#[derive(Debug)]
pub(crate) struct Entries {
    rule: Arc<IndexRule>,
    columns: Vec<Box<str>>,
    /// Of the indexed columns, which come first.
    types: Vec<ColumnType>,
    /// For each shape of rows, what each column's value is.
    shapes: Vec<Vec<Operand>>,
}

/// The statement that inserts entries into one shard of a lookup table.
#[derive(Debug)]
pub struct EntryPart {
    pub rule: Arc<IndexRule>,
    pub shard: u32,
    pub text: Vec<u8>,
}

/// The entries of a statement's rows; `None` where a value is no plain one. `columns`: the statement's,
/// in lower case.
pub(super) fn plan(
    insert: &Insert,
    table: &ShardedTable,
    known: &catalog::Table,
    columns: &[String],
) -> Result<Option<Vec<Entries>>> {
    let rows: Vec<Vec<&Expr>> = match &insert.source {
        InsertSource::Values(rows) => rows.iter().map(|row| row.iter().collect()).collect(),
        InsertSource::Assignments(all) => {
            vec![all.iter().map(|assignment| &assignment.value).collect()]
        }
        InsertSource::Query(_) => return Ok(None),
    };
    let mut all = Vec::with_capacity(table.indexes.len());
    for rule in &table.indexes {
        let names = entry_columns(table, rule, known)?;
        let mut shapes = Vec::with_capacity(rows.len());
        for row in &rows {
            let values = names.iter().map(|name| cell(known, columns, row, name));
            match values.collect::<Option<Vec<Operand>>>() {
                Some(values) => shapes.push(values),
                None => return Ok(None),
            }
        }
        let kinds = rule.columns.iter().filter_map(|column| known.column(&column.name));
        let types = kinds.map(|column| column.kind.clone()).collect();
        all.push(Entries { rule: Arc::clone(rule), columns: names, types, shapes });
    }
    Ok(Some(all))
}

/// What a row gives a column; `None` where only its server knows.
fn cell(known: &catalog::Table, columns: &[String], row: &[&Expr], name: &str) -> Option<Operand> {
    let place = columns.iter().rposition(|column| *column == name.to_lowercase());
    match place.and_then(|place| row.get(place)) {
        Some(Expr::Literal(Literal::Default)) | None => {
            let column = known.column(name)?;
            match &column.default {
                DefaultValue::Null => Some(Operand::Value(Value::Null)),
                DefaultValue::Constant(text) if text.is_ascii() => {
                    Some(Operand::Value(Value::text(text.to_string())))
                }
                _ => None,
            }
        }
        Some(expr) => operand(expr),
    }
}

impl Entries {
    /// The values of one row's entry as text, and its shard; `None` where the row has none.
    fn of(&self, binding: &Binding, number: usize, out: &mut Vec<u8>) -> Result<Option<u32>> {
        let unsure = || {
            refuse(
                "insert_key",
                format!(
                    "Row {} gives a column of index '{}' a value whose stored form is not certain",
                    number + 1,
                    self.rule.name,
                ),
            )
        };
        let (values, shape) = Values::of_row(binding, number);
        let operands = self.shapes.get(shape);
        let operands = operands.ok_or_else(|| Error::internal("a row of an unplanned shape"))?;
        let context = binding.session.assign;
        let mut keys = Vec::with_capacity(self.rule.columns.len());
        for ((key, kind), operand) in self.rule.columns.iter().zip(&self.types).zip(operands) {
            let value = values.operand(operand).ok_or_else(unsure)?;
            let stored = key.stored(&value, kind, context).map_err(|_| unsure())?;
            if stored == Value::Null {
                return Ok(None);
            }
            keys.push(stored);
        }
        let shard = self.rule.table.shard_of_row(&keys)?;
        for (place, operand) in operands.iter().enumerate() {
            out.push(if place == 0 { b'(' } else { b',' });
            write(&values, operand, binding, out).ok_or_else(unsure)?;
        }
        out.push(b')');
        Ok(Some(shard))
    }

    fn head(&self, shard: u32) -> Result<Vec<u8>> {
        let place = self.rule.table.shard(shard);
        let place = place.ok_or_else(|| Error::internal("a shard beyond the table's"))?;
        let mut out = b"INSERT INTO ".to_vec();
        quote(&place.database, &mut out);
        out.push(b'.');
        quote(&place.table, &mut out);
        out.extend_from_slice(b" (");
        for (number, column) in self.columns.iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            quote(column, &mut out);
        }
        out.extend_from_slice(b") VALUES ");
        Ok(out)
    }

    fn parts(&self, binding: &Binding, all: &mut Vec<EntryPart>) -> Result<()> {
        let mut shards: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        for number in 0..binding.lexed.rows().len().max(1) {
            let mut row = Vec::new();
            let Some(shard) = self.of(binding, number, &mut row)? else { continue };
            match shards.get_mut(&shard) {
                Some(text) => text.push(b','),
                None => {
                    shards.insert(shard, self.head(shard)?);
                }
            }
            if let Some(text) = shards.get_mut(&shard) {
                text.extend_from_slice(&row);
            }
        }
        for (shard, mut text) in shards {
            if let (false, Some(first)) = (self.rule.unique, self.columns.first()) {
                // An entry that is there already is the same one.
                text.extend_from_slice(b" ON DUPLICATE KEY UPDATE ");
                quote(first, &mut text);
                text.push(b'=');
                quote(first, &mut text);
            }
            all.push(EntryPart { rule: Arc::clone(&self.rule), shard, text });
        }
        Ok(())
    }
}

/// A value as the statement has it.
fn write(values: &Values, operand: &Operand, binding: &Binding, out: &mut Vec<u8>) -> Option<()> {
    if let Operand::Slot(index) = operand {
        let item = values.item_of(*index)?;
        match item.kind {
            LiteralKind::Default => return None,
            LiteralKind::Param => {}
            _ => {
                out.extend_from_slice(binding.sql.get(item.source())?);
                return Some(());
            }
        }
    }
    write_value(&values.operand(operand)?, &binding.dialect, out);
    Some(())
}

impl Plan {
    /// The entries of the statement's rows, index by index and shard by shard.
    ///
    /// # Errors
    /// `insert_key` where a row's entry isn't certain; `no_shard` where it has no place.
    pub fn entries(&self, binding: &Binding) -> Result<Vec<EntryPart>> {
        let mut all = Vec::new();
        if let Action::Tables(tables) = &self.action {
            tables.entries.iter().try_for_each(|entries| entries.parts(binding, &mut all))?;
        }
        Ok(all)
    }

    /// What makes the statement's rows where they aren't certain.
    pub fn spare_bench(&self) -> Option<&crate::planner::workbench::Workbench> {
        match &self.action {
            Action::Tables(tables) => tables.bench.as_deref(),
            _ => None,
        }
    }
}
