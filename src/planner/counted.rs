//! Whether a value that an INSERT gives an AUTO_INCREMENT column makes a server count.
//!
//! Owns: what stands in the column's place in each row, and the answer for one row's values: NULL
//! asks for the next value, and so does 0 unless sql_mode has NO_AUTO_VALUE_ON_ZERO. Never: guesses:
//! where it isn't certain, the row is refused by [`Counted::check`], since each shard or copy of a
//! table counts for itself, and two rows would get the same id (mysql-traps 21).

use crate::catalog;
use crate::error::{Error, Result};
use crate::planner::bind::{Binding, Values};
use crate::planner::condition::Operand;
use crate::planner::gather::{is_aggregate, item_any};
use crate::planner::narrow::operand;
use crate::planner::refuse::refuse;
use crate::planner::survey::{Leaf, Resolved, Survey};
use crate::rules::table::Placement;
use crate::sql::analysis::{
    Arithmetic, Body, ColumnName, Expr, Insert, InsertSource, Item, Literal, Query, Select,
};
use crate::sql::slot::LiteralKind;
use crate::value::Value;
use crate::value::assign::{Stored, assign};
use crate::value::types::ColumnType;

/// What stands in the column's place.
#[derive(Debug)]
pub(crate) enum Cell {
    Slot(u16),
    /// A value that is no single literal.
    Known(Operand),
    /// An AUTO_INCREMENT column of the statement's own tables: whoever wrote that row had its
    /// server count, or gave a value on purpose.
    Counted,
    /// The same plus this.
    CountedPlus(Operand),
    /// DEFAULT.
    Default,
    Unknown,
    /// The row has too few values: no server takes it.
    Absent,
}

impl Cell {
    pub fn of(expr: &Expr) -> Cell {
        match expr {
            Expr::Slot(slot) => Cell::Slot(*slot),
            Expr::Literal(Literal::Default) => Cell::Default,
            Expr::Literal(Literal::Text(text)) if text.bytes().all(|b| b.is_ascii_digit()) => {
                Cell::Known(Operand::Value(Value::text(text.clone())))
            }
            other => operand(other).map_or(Cell::Unknown, Cell::Known),
        }
    }
}

/// Whether a row asks its server to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// It gives this value, where that is a whole number above 0 that is known.
    No(Option<u64>),
    /// By DEFAULT, a literal or a parameter.
    Yes,
    /// By an expression.
    Computed,
    /// It may; the words say why that isn't certain.
    Perhaps(&'static str),
}

/// The answer for the cell in a column of this type. `ignore`: the statement has IGNORE.
pub(crate) fn asks(cell: &Cell, kind: &ColumnType, values: &Values, ignore: bool) -> Asks {
    let of = |value: &Value| value_asks(value, kind, values, ignore);
    match cell {
        Cell::Counted | Cell::Absent => Asks::No(None),
        Cell::Default => Asks::Yes,
        Cell::Unknown => Asks::Perhaps("it is an expression"),
        Cell::CountedPlus(operand) => match values.operand(operand) {
            Some(Value::Int(0..) | Value::UInt(_)) => Asks::No(None),
            _ => Asks::Perhaps("it is an expression"),
        },
        Cell::Known(operand) => match values.operand(operand).map(|value| of(&value)) {
            None => Asks::Perhaps("it is an expression"),
            Some(Asks::Yes) => Asks::Computed,
            Some(other) => other,
        },
        Cell::Slot(slot) => {
            let Some(item) = values.item_of(*slot) else {
                return Asks::Perhaps("it is no single value");
            };
            match (item.kind, values.operand(&Operand::Slot(*slot))) {
                (LiteralKind::Null | LiteralKind::Default, _) => Asks::Yes,
                (_, Some(value)) => of(&value),
                // Its value comes with the execution: then it is asked again.
                (LiteralKind::Param, None) => Asks::No(None),
                (_, None) => Asks::Perhaps("it is no plain value"),
            }
        }
    }
}

fn value_asks(value: &Value, kind: &ColumnType, values: &Values, ignore: bool) -> Asks {
    let context = values.session.assign;
    let stored = match (value, kind) {
        (Value::Null, _) => return Asks::Yes,
        (Value::Int(_) | Value::UInt(_), _) => value.as_whole(),
        (_, ColumnType::Int { .. }) => {
            let context = if ignore { context.ignoring() } else { context };
            match assign(value, kind, context) {
                Stored::Value(stored) => stored.as_whole(),
                Stored::Unsure(_) if !context.zero_counts => None,
                Stored::Unsure(why) => return Asks::Perhaps(why),
            }
        }
        // FLOAT and DOUBLE can count as well.
        (Value::Double(number), _) if *number == 0.0 => Some(0),
        (Value::Double(_), _) => None,
        _ if !context.zero_counts => None,
        _ => return Asks::Perhaps("a value of this kind is not looked at for this column"),
    };
    match stored {
        Some(0) if context.zero_counts => Asks::Yes,
        stored => Asks::No(stored.and_then(|stored| u64::try_from(stored).ok())),
    }
}

/// The AUTO_INCREMENT column of the table that rows go into, where each shard or copy would count
/// for itself.
#[derive(Debug)]
pub(crate) struct Counted {
    table: Box<str>,
    column: Box<str>,
    kind: ColumnType,
    broadcast: bool,
    /// A sequence fills the column in other statements.
    declared: bool,
    /// By shape; one for SET and for SELECT.
    cells: Vec<Cell>,
    /// The rows are a SELECT's.
    selected: bool,
    ignore: bool,
}

impl Counted {
    /// What the rows give the AUTO_INCREMENT column; `None` where the table has none. `columns`: the
    /// statement's, in lower case. `target`: the use of the table that rows go into.
    ///
    /// # Errors
    /// A refusal where a row leaves the column out, or a SELECT may give NULL or 0.
    pub fn plan(
        survey: &mut Survey,
        insert: &Insert,
        columns: &[String],
        target: usize,
    ) -> Result<Option<Counted>> {
        let Some(used) = survey.uses.get(target) else { return Ok(None) };
        let Some(column) = counts(used.table.as_deref()) else { return Ok(None) };
        let place = columns.iter().position(|name| *name == column.name.to_lowercase());
        let mut counted = Counted {
            table: used.name.clone(),
            column: column.name.clone(),
            kind: column.kind.clone(),
            broadcast: matches!(used.placement, Placement::Broadcast(_)),
            declared: used.placement.sequence().is_some(),
            cells: vec![],
            selected: matches!(insert.source, InsertSource::Query(_)),
            ignore: insert.ignore,
        };
        let Some(place) = place else { return Err(counted.left_out()) };
        let cell = |expr: Option<&Expr>| expr.map_or(Cell::Absent, Cell::of);
        counted.cells = match &insert.source {
            InsertSource::Values(rows) => rows.iter().map(|row| cell(row.get(place))).collect(),
            InsertSource::Assignments(all) => vec![cell(all.get(place).map(|one| &one.value))],
            InsertSource::Query(query) => vec![selected(survey, query, place)],
        };
        match counted.cells.as_slice() {
            [Cell::Default, ..] => Err(counted.left_out()),
            [Cell::Unknown] if counted.selected => Err(counted.refused(0, "")),
            _ => Ok(Some(counted)),
        }
    }

    /// Refuses a statement of which a row may make its server count.
    ///
    /// # Errors
    /// The refusal, with the number of the row.
    pub fn check(&self, binding: &Binding) -> Result<()> {
        let rows = match self.selected {
            true => 1,
            false => binding.lexed.rows().len().max(1),
        };
        for number in 0..rows {
            let (values, shape) = match self.selected {
                true => (Values::new(binding), 0),
                false => Values::of_row(binding, number),
            };
            let cell = self.cells.get(shape).unwrap_or(&Cell::Unknown);
            match asks(cell, &self.kind, &values, self.ignore) {
                Asks::No(_) => {}
                Asks::Yes | Asks::Computed if self.selected => {
                    return Err(self.refused(number, ""));
                }
                Asks::Yes | Asks::Computed => return Err(self.asked(number)),
                Asks::Perhaps(why) => return Err(self.refused(number, why)),
            }
        }
        Ok(())
    }

    fn kind_of_table(&self) -> (&'static str, &'static str) {
        if self.broadcast {
            ("broadcast", "its copies could count differently")
        } else {
            ("sharded", "each shard would count for itself")
        }
    }

    fn help(&self) -> &'static str {
        match self.declared {
            true => " (a sequence is declared, but not for a statement like this one)",
            false => ", or declare a sequence for it",
        }
    }

    fn left_out(&self) -> Error {
        let (kind, differs) = self.kind_of_table();
        let (column, table, help) = (&self.column, &self.table, self.help());
        refuse(
            "auto_increment",
            format!(
                "Column '{column}' of the {kind} table '{table}' is AUTO_INCREMENT, and {differs}: give the \
                 value{help}"
            ),
        )
    }

    fn asked(&self, row: usize) -> Error {
        let (kind, differs) = self.kind_of_table();
        refuse(
            "auto_increment",
            format!(
                "Row {} leaves the AUTO_INCREMENT column of the {kind} table '{}' to its server, and \
                 {differs}: give the value{}",
                row + 1,
                self.table,
                self.help(),
            ),
        )
    }

    fn refused(&self, row: usize, why: &str) -> Error {
        let (kind, differs) = self.kind_of_table();
        let (column, table) = (&self.column, &self.table);
        let text = if self.selected {
            format!(
                "The SELECT may give the AUTO_INCREMENT column '{column}' of the {kind} table '{table}' NULL \
                 or 0, and {differs}: select an AUTO_INCREMENT column or a plain number for it, or \
                 read the rows first and insert them then"
            )
        } else {
            format!(
                "Row {} gives the AUTO_INCREMENT column '{column}' of the {kind} table '{table}' a value of \
                 which it isn't certain that it is neither NULL nor 0 ({why}), and {differs}: write \
                 it as a plain number",
                row + 1,
            )
        };
        refuse("auto_increment", text)
    }
}

/// The column that a table's servers count.
pub(crate) fn counts(table: Option<&catalog::Table>) -> Option<&catalog::Column> {
    let table = table?;
    table.columns.get(table.auto_increment?)
}

/// What a SELECT gives the column of this place.
fn selected(survey: &mut Survey, query: &Query, place: usize) -> Cell {
    let Body::Select(select) = &query.body else { return Cell::Unknown };
    let is_this =
        |known: Option<&Select>| known.is_some_and(|known| std::ptr::eq(known, &**select));
    let Some(block) = survey.blocks.iter().position(|block| is_this(block.select)) else {
        return Cell::Unknown;
    };
    if let Some(cell) = item(select, place).and_then(constant) {
        return cell;
    }
    // A group without rows, and the sums of ROLLUP, have NULL in their columns.
    let folds = |item: &Item| item_any(item, &is_aggregate);
    if !select.group_by.is_empty() || select.having.is_some() || select.items.iter().any(folds) {
        return Cell::Unknown;
    }
    if let [Item::All | Item::AllOf(_)] = select.items.as_slice() {
        return of_all(survey, block, place);
    }
    match item(select, place) {
        Some(Expr::Column(column)) => of_column(survey, block, column),
        Some(Expr::Arithmetic { op: Arithmetic::Add, left, right }) => {
            match (&**left, operand(right)) {
                (Expr::Column(column), Some(operand)) => match of_column(survey, block, column) {
                    Cell::Counted => Cell::CountedPlus(operand),
                    other => other,
                },
                _ => Cell::Unknown,
            }
        }
        _ => Cell::Unknown,
    }
}

/// The item of this place, where no `*` stands before it.
fn item(select: &Select, place: usize) -> Option<&Expr> {
    let before = select.items.get(..=place)?;
    if before.iter().any(|item| !matches!(item, Item::Expr { .. })) {
        return None;
    }
    match before.last() {
        Some(Item::Expr { expr, .. }) => Some(expr),
        _ => None,
    }
}

fn constant(expr: &Expr) -> Option<Cell> {
    match Cell::of(expr) {
        Cell::Unknown | Cell::Default => None,
        cell => Some(cell),
    }
}

/// `SELECT *` from one table.
fn of_all(survey: &mut Survey, block: usize, place: usize) -> Cell {
    let leaves = survey.blocks.get(block).map(|block| block.leaves.as_slice());
    let Some([Leaf::Table(used)]) = leaves else { return Cell::Unknown };
    let used = *used;
    survey.need(used);
    let table = survey.uses.get(used).and_then(|used| used.table.as_ref());
    let column = table.and_then(|table| table.visible_columns().nth(place));
    let is_counted = column.zip(counts(table.map(|table| &**table)));
    match is_counted.is_some_and(|(column, counted)| column.name == counted.name) {
        true => Cell::Counted,
        false => Cell::Unknown,
    }
}

/// A column: whether it is counted in its table, for which the catalog is asked.
fn of_column(survey: &mut Survey, block: usize, column: &ColumnName) -> Cell {
    let Resolved::Use(used) = survey.resolve(block, column) else { return Cell::Unknown };
    survey.need(used);
    let known = survey.uses.get(used).and_then(|used| counts(used.table.as_deref()));
    let is_counted = known.is_some_and(|known| column.column.is(&known.name));
    if is_counted && !survey.is_inner_side(used) { Cell::Counted } else { Cell::Unknown }
}
