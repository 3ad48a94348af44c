//! TDDL's rules: expressions that name a database and a table.
//!
//! Owns: [`TddlRule`], the shards that its expressions make over their ranges, and the answers to
//! conditions. Never: looks a database's name up (the check does, from [`TddlRule::names`]).
//!
//! The shards are found as TDDL finds them: each column is counted through its `step` and `range`
//! and the expressions are evaluated on every sample. A range condition is answered by evaluating
//! them on the samples inside of it.

pub mod evaluate;
pub mod expression;

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

use crate::rules::algorithm::{folded_points, for_each_combination};
use crate::rules::key::{KeyColumn, KeyCondition};
use crate::rules::shard_set::ShardSet;
use crate::value::Value;
use crate::value::temporal::{Date, DateTime, days_in_month};
use evaluate::{Java, evaluate};
use expression::{ColumnUse, Expression, Step, SyntaxError};

/// More samples than this don't make shards.
const MOST_SAMPLES: usize = 1 << 20;
/// A range condition of more samples than this goes to all shards.
const MOST_ENUMERATED: usize = 4_096;

/// A rule for one table.
#[derive(Clone, Debug, PartialEq)]
pub struct TddlRule {
    /// The shard key: every column that an expression names, in the order of first mention.
    pub columns: Vec<ColumnUse>,
    databases: Vec<Part>,
    tables: Vec<Part>,
    /// What the expressions make for each shard, in the order of the shards.
    cells: Vec<(Cell, Cell)>,
    by_cells: HashMap<(Cell, Cell), u32>,
}

/// One expression, and which columns it needs.
#[derive(Clone, Debug, PartialEq)]
struct Part {
    expression: Expression,
    columns: BTreeSet<usize>,
}

/// What an expression comes to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cell {
    /// There is no expression.
    None,
    Number(i64),
    Name(String),
}

impl Cell {
    fn of(value: Java) -> Cell {
        match value {
            Java::Int(number) => Cell::Number(i64::from(number)),
            Java::Long(number) => Cell::Number(number),
            other => Cell::Name(other.show()),
        }
    }

    /// The name that a pattern such as `orders_{0000}` gives. Without a placeholder a number
    /// is of no use and a name stands for itself.
    pub fn name(&self, pattern: &str) -> Result<String, String> {
        match (self, placeholder(pattern)) {
            (Cell::None, None) => Ok(pattern.to_string()),
            (Cell::None, Some(_)) => {
                Err(format!("'{pattern}' has a placeholder, but there is no expression for it"))
            }
            (Cell::Number(number), Some((before, width, after))) => {
                Ok(format!("{before}{number:0width$}{after}"))
            }
            (Cell::Name(name), Some((before, width, after))) => {
                Ok(format!("{before}{name:0>width$}{after}"))
            }
            (Cell::Name(name), None) => Ok(name.clone()),
            (Cell::Number(number), None) => Err(format!(
                "the expression gives the number {number}, but '{pattern}' has no placeholder such as {{0000}}"
            )),
        }
    }
}

/// `orders_{0000}` into `orders_`, 4 and what follows.
pub fn placeholder(pattern: &str) -> Option<(&str, usize, &str)> {
    let (before, rest) = pattern.split_once('{')?;
    let (inside, after) = rest.split_once('}')?;
    let zeros = !inside.is_empty() && inside.bytes().all(|byte| byte == b'0');
    zeros.then_some((before, inside.len(), after))
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// In this expression, counted over the databases' first.
    Syntax { database: bool, index: usize, error: SyntaxError },
    /// While evaluating it over its samples.
    Samples(String),
}

impl TddlRule {
    /// Reads the expressions and finds all shards. `start` is the first sample of date columns.
    pub fn new(
        databases: &[String],
        tables: &[String],
        start: Date,
    ) -> Result<TddlRule, RuleError> {
        let mut columns = Vec::new();
        let mut read = |texts: &[String], database: bool| -> Result<Vec<Part>, RuleError> {
            let mut parts = Vec::new();
            for (index, text) in texts.iter().enumerate() {
                let expression = expression::parse(text, &mut columns)
                    .map_err(|error| RuleError::Syntax { database, index, error })?;
                let mut used = BTreeSet::new();
                columns_of(&expression, &mut used);
                parts.push(Part { expression, columns: used });
            }
            Ok(parts)
        };
        let databases = read(databases, true)?;
        let tables = read(tables, false)?;
        let mut rule =
            TddlRule { columns, databases, tables, cells: Vec::new(), by_cells: HashMap::new() };
        rule.find_shards(start).map_err(RuleError::Samples)?;
        Ok(rule)
    }

    /// The databases' and tables' names of all shards, in order.
    pub fn names<'a>(
        &'a self,
        databases: &'a str,
        tables: &'a str,
    ) -> impl Iterator<Item = Result<(String, String), String>> + 'a {
        self.cells
            .iter()
            .map(move |(database, table)| Ok((database.name(databases)?, table.name(tables)?)))
    }

    /// Whether two rules choose the same shards for equal keys: names of columns and tables aside.
    pub(crate) fn alike(&self, other: &TddlRule) -> bool {
        self.databases == other.databases
            && self.tables == other.tables
            && self.cells == other.cells
    }

    /// Evaluates the first expressions over all samples of their columns.
    fn find_shards(&mut self, start: Date) -> Result<(), String> {
        let used: BTreeSet<usize> = [self.databases.first(), self.tables.first()]
            .into_iter()
            .flatten()
            .flat_map(|part| part.columns.iter().copied())
            .collect();
        let mut samples: Vec<Vec<Java>> = Vec::new();
        for (index, column) in self.columns.iter().enumerate() {
            if !used.contains(&index) {
                samples.push(vec![Java::Long(0)]);
                continue;
            }
            if column.ranges.is_empty() {
                return Err(format!(
                    "column {0} has no step and range, so its shards are unknown; write #{0},1,64#",
                    column.name
                ));
            }
            samples.push(column_samples(column, start)?);
        }
        let total =
            samples.iter().try_fold(1usize, |total, values| total.checked_mul(values.len()));
        if total.is_none_or(|total| total > MOST_SAMPLES) {
            return Err(format!("the ranges have more than {MOST_SAMPLES} samples"));
        }
        let mut cells = BTreeSet::new();
        for number in 0..total.unwrap_or(0) {
            let mut rest = number;
            let mut values = Vec::with_capacity(samples.len());
            for column in &samples {
                values.extend(column.get(rest % column.len()));
                rest /= column.len();
            }
            cells.insert(self.sample(&values)?);
        }
        self.cells = cells.into_iter().collect();
        self.by_cells = self.cells.iter().cloned().zip(0..).collect();
        Ok(())
    }

    /// Integers first, as TDDL samples; where the expression wants texts, the same as texts.
    fn sample(&self, values: &[&Java]) -> Result<(Cell, Cell), String> {
        let (databases, tables) = (self.databases.first(), self.tables.first());
        match cells(databases, tables, values) {
            Ok(cells) => Ok(cells),
            Err(first) => {
                let texts: Vec<Java> =
                    values.iter().map(|value| Java::Text(value.show())).collect();
                let texts: Vec<&Java> = texts.iter().collect();
                cells(databases, tables, &texts).map_err(|_| first)
            }
        }
    }

    /// The shard of folded key values, in the order of [`Self::columns`].
    pub(crate) fn shard_of_row(&self, values: &[&Value]) -> Result<u32, String> {
        let values: Vec<Java> =
            values.iter().map(|value| Java::of(value)).collect::<Result<_, _>>()?;
        let values: Vec<&Java> = values.iter().collect();
        self.lookup(&cells(self.databases.first(), self.tables.first(), &values)?)
    }

    fn lookup(&self, cells: &(Cell, Cell)) -> Result<u32, String> {
        self.by_cells.get(cells).copied().ok_or_else(|| {
            format!(
                "the rule gives database {:?} and table {:?}, which its range doesn't reach",
                cells.0, cells.1
            )
        })
    }

    /// The shards that can hold rows for which all conditions hold.
    pub(crate) fn shards(
        &self,
        keys: &[KeyColumn],
        conditions: &[KeyCondition],
        count: u32,
    ) -> ShardSet {
        let candidates: Vec<Option<Vec<Value>>> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| candidates(column, keys.get(index)?, conditions.get(index)?))
            .collect();
        let known = |part: &&Part| {
            part.columns.iter().all(|column| candidates.get(*column).is_some_and(Option::is_some))
        };
        // Of several expressions the first one whose columns are known is used, as in TDDL.
        let database = self.databases.iter().find(known);
        let table = self.tables.iter().find(known);
        let database_known = database.is_some() || self.databases.is_empty();
        let table_known = table.is_some() || self.tables.is_empty();
        if !database_known && !table_known {
            return ShardSet::all(count);
        }
        let used: BTreeSet<usize> = [database, table]
            .into_iter()
            .flatten()
            .flat_map(|part| part.columns.iter().copied())
            .collect();
        let lists: Vec<Vec<Value>> = candidates
            .into_iter()
            .enumerate()
            .map(|(index, values)| match values {
                Some(values) if used.contains(&index) => values,
                _ => vec![Value::Int(0)],
            })
            .collect();
        let mut set = ShardSet::none(count);
        let complete = for_each_combination(&lists, &mut |values| {
            let Ok(values) =
                values.iter().map(|value| Java::of(value)).collect::<Result<Vec<Java>, _>>()
            else {
                return true;
            };
            let values: Vec<&Java> = values.iter().collect();
            // A value for which the rule fails is in no row.
            if let Ok((first, second)) = cells(database, table, &values) {
                self.add((database_known, &first), (table_known, &second), &mut set);
            }
            !set.is_all()
        });
        if complete { set } else { ShardSet::all(count) }
    }

    /// Adds the shards of these cells; a part that isn't known matches every cell.
    fn add(&self, database: (bool, &Cell), table: (bool, &Cell), set: &mut ShardSet) {
        if database.0 && table.0 {
            if let Ok(shard) = self.lookup(&(database.1.clone(), table.1.clone())) {
                set.insert(shard);
            }
            return;
        }
        for (shard, (first, second)) in (0u32..).zip(&self.cells) {
            if (!database.0 || first == database.1) && (!table.0 || second == table.1) {
                set.insert(shard);
            }
        }
    }
}

fn cells(
    database: Option<&Part>,
    table: Option<&Part>,
    values: &[&Java],
) -> Result<(Cell, Cell), String> {
    let cell = |part: Option<&Part>| match part {
        Some(part) => evaluate(&part.expression, values).map(Cell::of),
        None => Ok(Cell::None),
    };
    Ok((cell(database)?, cell(table)?))
}

fn columns_of(expression: &Expression, columns: &mut BTreeSet<usize>) {
    match expression {
        Expression::Column(index) => {
            columns.insert(*index);
        }
        Expression::Unary(_, operand) => columns_of(operand, columns),
        Expression::Binary { left, right, .. } => {
            columns_of(left, columns);
            columns_of(right, columns);
        }
        Expression::Choice { condition, yes, no } => {
            columns_of(condition, columns);
            columns_of(yes, columns);
            columns_of(no, columns);
        }
        Expression::Call { arguments, .. } => {
            arguments.iter().for_each(|argument| columns_of(argument, columns));
        }
        Expression::Int(_) | Expression::Long(_) | Expression::Text(_) | Expression::Truth(_) => {}
    }
}

/// The samples that make the shards.
fn column_samples(column: &ColumnUse, start: Date) -> Result<Vec<Java>, String> {
    let mut samples = Vec::new();
    for &(low, high) in &column.ranges {
        if high.saturating_sub(low) >= MOST_SAMPLES as i64 {
            return Err(format!(
                "the range of column {} has more than {MOST_SAMPLES} samples",
                column.name
            ));
        }
        for number in low..=high {
            let sample = match column.step {
                Step::Number(step) => number.checked_mul(step).map(Java::Long),
                step => advance(DateTime::midnight(start), step, number).map(Java::Date),
            };
            samples.push(
                sample
                    .ok_or_else(|| format!("the range of column {} is too large", column.name))?,
            );
        }
    }
    Ok(samples)
}

/// So many steps after a moment. Months keep the day, or take the month's last.
fn advance(moment: DateTime, step: Step, number: i64) -> Option<DateTime> {
    let months = |months: i64| {
        let total = i64::from(moment.date.year) * 12 + i64::from(moment.date.month) - 1 + months;
        let year = u16::try_from(total.div_euclid(12)).ok()?;
        let month = u8::try_from(total.rem_euclid(12) + 1).ok()?;
        let day = moment.date.day.min(days_in_month(year, month));
        Some(DateTime { date: Date { year, month, day }, ..moment })
    };
    match step {
        Step::Number(_) => None,
        Step::Hours(step) => DateTime::of_micros(
            moment.micros_since_epoch() + number.checked_mul(step)?.checked_mul(3_600_000_000)?,
        ),
        Step::Days(step) => {
            let date = Date::of_day_number(moment.date.day_number() + number.checked_mul(step)?)?;
            Some(DateTime { date, ..moment })
        }
        Step::Months(step) => months(number.checked_mul(step)?),
        Step::Years(step) => months(number.checked_mul(step)?.checked_mul(12)?),
    }
}

/// The values of a column that a condition lets through, or samples of its range such that every
/// result of the expression in it is met.
fn candidates(column: &ColumnUse, key: &KeyColumn, condition: &KeyCondition) -> Option<Vec<Value>> {
    let KeyCondition::Range { low, high } = condition else { return folded_points(key, condition) };
    if let Step::Number(step) = column.step {
        return number_candidates(column, i128::from(step), low, high);
    }
    let moment = |bound: &Bound<Value>| match bound {
        Bound::Included(Value::Date(date)) | Bound::Excluded(Value::Date(date)) => {
            Some(DateTime::midnight(*date))
        }
        Bound::Included(Value::DateTime(moment)) | Bound::Excluded(Value::DateTime(moment)) => {
            Some(*moment)
        }
        _ => None,
    };
    let (low, high) = (moment(low)?, moment(high)?);
    let mut samples = vec![Value::DateTime(low)];
    let mut number = 1;
    loop {
        let next = advance(low, column.step, number)?;
        if next >= high {
            break;
        }
        samples.push(Value::DateTime(next));
        number += 1;
        if samples.len() >= MOST_ENUMERATED {
            return None;
        }
    }
    if high >= low {
        samples.push(Value::DateTime(high));
    }
    Some(samples)
}

fn number_candidates(
    column: &ColumnUse,
    step: i128,
    low: &Bound<Value>,
    high: &Bound<Value>,
) -> Option<Vec<Value>> {
    let number = |bound: &Bound<Value>, inside: i128| match bound {
        Bound::Included(value @ (Value::Int(_) | Value::UInt(_))) => value.as_whole(),
        Bound::Excluded(value @ (Value::Int(_) | Value::UInt(_))) => {
            Some(value.as_whole()? + inside)
        }
        _ => None,
    };
    let (low, high) = (number(low, 1)?, number(high, -1)?);
    if high < low {
        return Some(Vec::new());
    }
    let samples = (high - low) / step + 2;
    let period: i128 =
        column.ranges.iter().map(|(low, high)| i128::from(*high) - i128::from(*low) + 1).sum();
    if samples > MOST_ENUMERATED as i128 || (period > 0 && samples > period + 1) {
        return None;
    }
    let mut values: Vec<Value> =
        (0..samples - 1).map(|index| Value::whole(low + index * step)).collect();
    values.push(Value::whole(high));
    Some(values)
}

#[cfg(test)]
mod tests;
