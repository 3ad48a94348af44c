//! Rows that leave a column to a sequence: which they are, and the statement with ids in it.
//!
//! Owns: the places where ids go, by the template, and the writing of them into a statement's text.
//! Never: takes an id (`session` does, from `sequence`), or routes: with its ids in place the
//! statement is planned again as any other, since the id may be the shard key.
//!
//! Which rows of a template want an id is a matter of their values (NULL, DEFAULT and 0 ask for
//! one), so it is asked for each statement.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::catalog;
use crate::error::{Error, Result};
use crate::name::SchemaName;
use crate::planner::bind::{Binding, Values};
use crate::planner::counted::{self, Asks, Cell, counts};
use crate::planner::refuse::refuse;
use crate::planner::splice::{Form, quote};
use crate::rules::sequence::SequenceRule;
use crate::sql::analysis::{Assignment, Expr, Insert, InsertSource, Literal, Span};
use crate::sql::slot::{Item, LiteralKind};
use crate::value::Value;
use crate::value::types::ColumnType;

/// How an INSERT's rows get ids from a sequence.
#[derive(Debug)]
pub struct Fill {
    pub schema: SchemaName,
    pub sequence: Arc<str>,
    pub column: Box<str>,
    pub duplicates: Duplicates,
    /// The column is AUTO_INCREMENT on the shards too.
    pub counted: bool,
    places: Places,
    kind: ColumnType,
}

/// What happens to a row that is there already, which decides the insert id of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// The statement fails, or the old row is replaced.
    None,
    /// IGNORE.
    Skipped,
    /// ON DUPLICATE KEY UPDATE; with LAST_INSERT_ID(expr) in the statement.
    Updated { sets_id: bool },
}

#[derive(Debug)]
enum Places {
    /// Behind each row's last cell; `empty` says for each shape whether it has none.
    Behind { list: List, empty: Vec<bool> },
    /// A cell of each row, by shape.
    Cells(Vec<Cell>),
    /// SET: in front of the first assignment.
    Assigned(u32),
    /// SET: over NULL or DEFAULT.
    Over(Span),
    /// SET: over this value, if it asks for an id.
    Value(Cell),
}

/// Where the column's name goes.
#[derive(Debug)]
enum List {
    /// Behind the list's last name.
    Behind(u32),
    /// Into `()`.
    Inside(u32),
    /// There is no list.
    Whole(u32),
}

/// A statement with ids in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    pub sql: Vec<u8>,
    /// What its `?` stand for, in order.
    pub origins: Vec<Origin>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The `?` of this number in the client's statement.
    Parameter(u32),
    Id(u64),
}

/// What a statement's rows want of a sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The rows that get an id, ascending.
    pub rows: Vec<u32>,
    /// The ids that other rows are given: the sequence moves past them.
    pub given: SmallVec<[u64; 2]>,
}

/// Bytes of the statement that an id takes the place of, and what is written around it.
struct Edit {
    start: usize,
    end: usize,
    before: &'static [u8],
    text: EditText,
    behind: &'static [u8],
}

enum EditText {
    Id(u64),
    Name,
    /// The name, `=` and the id.
    Assignment(u64),
}

/// The fill of an INSERT whose rows are values; `columns` in lower case, in the order of the cells.
pub(crate) fn plan(
    rule: &SequenceRule,
    insert: &Insert,
    columns: &[String],
    known: Option<&catalog::Table>,
    template: &[u8],
    sets_id: bool,
) -> Result<Fill> {
    let column = known.and_then(|known| known.column(&rule.column));
    let counted =
        counts(known).is_some_and(|column| column.name.eq_ignore_ascii_case(&rule.column));
    let place = columns.iter().position(|name| *name == rule.column.to_lowercase());
    let cell = |expr: Option<&Expr>| expr.map_or(Cell::Absent, Cell::of);
    let places = match (&insert.source, place) {
        (InsertSource::Query(_), _) => {
            return Err(Error::internal("rows of a SELECT can't be filled"));
        }
        (InsertSource::Values(rows), Some(place)) => {
            Places::Cells(rows.iter().map(|row| cell(row.get(place))).collect())
        }
        (InsertSource::Values(rows), None) => Places::Behind {
            list: list(insert, template)?,
            empty: rows.iter().map(Vec::is_empty).collect(),
        },
        (InsertSource::Assignments(all), None) => {
            let first = all.first().ok_or_else(|| Error::internal("SET without assignments"))?;
            Places::Assigned(start_of(first))
        }
        (InsertSource::Assignments(all), Some(place)) => match all.get(place) {
            Some(Assignment { target, value: Expr::Literal(Literal::Null | Literal::Default) }) => {
                Places::Over(word_behind(template, target.column.span.end).ok_or_else(|| {
                    refuse(
                        "sequence_value",
                        "Write NULL or DEFAULT directly behind '=' for a column that a \
                         sequence fills",
                    )
                })?)
            }
            other => Places::Value(cell(other.map(|assignment| &assignment.value))),
        },
    };
    let duplicates = if !insert.on_duplicate.is_empty() {
        Duplicates::Updated { sets_id }
    } else if insert.ignore {
        Duplicates::Skipped
    } else {
        Duplicates::None
    };
    Ok(Fill {
        schema: rule.schema.clone(),
        sequence: rule.name.clone(),
        column: rule.column.clone(),
        duplicates,
        counted,
        places,
        kind: column.map_or(BIGINT, |column| column.kind.clone()),
    })
}

const BIGINT: ColumnType = ColumnType::Int { bits: 64, unsigned: false };

fn list(insert: &Insert, template: &[u8]) -> Result<List> {
    if let Some(last) = insert.columns.last() {
        return Ok(List::Behind(last.span.end));
    }
    if !insert.has_columns {
        let empty =
            matches!(&insert.source, InsertSource::Values(rows) if rows.iter().all(Vec::is_empty));
        return if empty {
            Ok(List::Whole(insert.columns_at))
        } else {
            Err(refuse(
                "sequence_value",
                "Write the column list: the column that a sequence fills is not \
                 among those that have a value without it",
            ))
        };
    }
    let from = insert.columns_at as usize;
    let blanks = blanks(template, from);
    match template.get(from + blanks) {
        Some(b'(') => Ok(List::Inside((from + blanks + 1) as u32)),
        _ => Err(refuse(
            "sequence_value",
            "Write the column list's '()' directly behind the table's name",
        )),
    }
}

fn blanks(text: &[u8], from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

fn start_of(assignment: &Assignment) -> u32 {
    let target = &assignment.target;
    let first = target.schema.as_ref().or(target.table.as_ref()).unwrap_or(&target.column);
    first.span.start
}

/// The word behind `=` or `:=`.
fn word_behind(template: &[u8], from: u32) -> Option<Span> {
    let mut at = from as usize;
    at += blanks(template, at);
    at += usize::from(template.get(at) == Some(&b':'));
    if template.get(at) != Some(&b'=') {
        return None;
    }
    at += 1;
    at += blanks(template, at);
    let rest = template.get(at..)?;
    let length = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let word = rest.get(..length)?;
    let is_known = word.eq_ignore_ascii_case(b"NULL") || word.eq_ignore_ascii_case(b"DEFAULT");
    is_known.then_some(Span { start: at as u32, end: (at + length) as u32 })
}

impl Fill {
    /// Every row of the template gets an id, whatever its values are.
    pub fn is_certain(&self) -> bool {
        matches!(self.places, Places::Behind { .. } | Places::Assigned(_) | Places::Over(_))
    }

    /// The rows that get an id, and the ids that other rows are given.
    ///
    /// # Errors
    /// A refusal where it isn't known whether a row's value would make the shard count for itself.
    pub fn wanted(&self, binding: &Binding) -> Result<Wanted> {
        let count = u32::try_from(binding.lexed.rows().len().max(1)).unwrap_or(u32::MAX);
        let mut wanted = Wanted::default();
        match &self.places {
            Places::Behind { .. } => wanted.rows = (0..count).collect(),
            Places::Assigned(_) | Places::Over(_) => wanted.rows = vec![0],
            Places::Value(cell) => self.ask(cell, &Values::new(binding), 0, &mut wanted)?,
            Places::Cells(cells) => {
                for number in 0..count {
                    let (values, shape) = Values::of_row(binding, number as usize);
                    let cell = cells.get(shape).unwrap_or(&Cell::Unknown);
                    self.ask(cell, &values, number, &mut wanted)?;
                }
            }
        }
        Ok(wanted)
    }

    fn ask(&self, cell: &Cell, values: &Values, row: u32, wanted: &mut Wanted) -> Result<()> {
        let ignore = self.duplicates == Duplicates::Skipped;
        match counted::asks(cell, &self.kind, values, ignore) {
            Asks::Yes => wanted.rows.push(row),
            Asks::No(given) => wanted.given.extend(given),
            Asks::Computed => return Err(self.refused(row, "it is computed")),
            Asks::Perhaps(why) if self.counted => return Err(self.refused(row, why)),
            Asks::Perhaps(_) => {}
        }
        Ok(())
    }

    fn refused(&self, row: u32, why: &str) -> Error {
        refuse(
            "sequence_value",
            format!(
                "Row {} gives column '{}' a value of which it isn't certain whether it is 0 or NULL ({why}), so \
             that its shard might count for itself: write the value, or leave the column to sequence '{}'",
                row + 1,
                self.column,
                self.sequence,
            ),
        )
    }

    /// The statement with the ids from `first` on in these rows.
    ///
    /// # Errors
    /// A defect: the statement isn't of this template.
    pub fn write(&self, binding: &Binding, rows: &[u32], first: u64, form: Form) -> Result<Filled> {
        let mut edits = self.edits(binding, rows, first)?;
        edits.sort_by_key(|edit| edit.start);
        let parameters =
            binding.lexed.all_items().iter().filter(|item| item.kind == LiteralKind::Param);
        let mut parameters = parameters.peekable();
        let mut filled =
            Filled { sql: Vec::with_capacity(binding.lexed.end() + 24), origins: vec![] };
        let mut at = 0;
        for edit in &edits {
            filled.sql.extend_from_slice(bytes(binding, at, edit.start)?);
            while let Some(item) = parameters.next_if(|item| (item.start as usize) < edit.start) {
                filled.origins.push(Origin::Parameter(item.param));
            }
            // Those that an id takes the place of.
            while parameters.next_if(|item| (item.start as usize) < edit.end).is_some() {}
            self.put(edit, form, &mut filled);
            at = edit.end;
        }
        filled.sql.extend_from_slice(bytes(binding, at, binding.lexed.end())?);
        filled.origins.extend(parameters.map(|item| Origin::Parameter(item.param)));
        Ok(filled)
    }

    fn put(&self, edit: &Edit, form: Form, filled: &mut Filled) {
        filled.sql.extend_from_slice(edit.before);
        let id = match edit.text {
            EditText::Name => {
                quote(&self.column, &mut filled.sql);
                None
            }
            EditText::Assignment(id) => {
                quote(&self.column, &mut filled.sql);
                filled.sql.extend_from_slice(b" = ");
                Some(id)
            }
            EditText::Id(id) => Some(id),
        };
        match (id, form) {
            (None, _) => {}
            (Some(id), Form::Text) => filled.sql.extend_from_slice(id.to_string().as_bytes()),
            (Some(id), Form::Prepared) => {
                filled.sql.push(b'?');
                filled.origins.push(Origin::Id(id));
            }
        }
        filled.sql.extend_from_slice(edit.behind);
    }

    fn edits(&self, binding: &Binding, rows: &[u32], first: u64) -> Result<Vec<Edit>> {
        let source = |offset: u32| binding.lexed.source_offset(offset as usize);
        let edit = |start: usize, end: usize, text: EditText| Edit {
            start,
            end,
            before: b"",
            text,
            behind: b"",
        };
        let over =
            |item: &Item, id: u64| edit(item.start as usize, item.end as usize, EditText::Id(id));
        let ids = (first..).zip(rows);
        match &self.places {
            Places::Assigned(at) => {
                let at = source(*at);
                Ok(vec![Edit { behind: b", ", ..edit(at, at, EditText::Assignment(first)) }])
            }
            Places::Over(span) => {
                Ok(vec![edit(source(span.start), source(span.end), EditText::Id(first))])
            }
            Places::Value(cell) => {
                let values = Values::new(binding);
                let item = item_of(cell, &values)?;
                Ok(vec![over(item, first)])
            }
            Places::Cells(cells) => ids
                .map(|(id, row)| {
                    let (values, shape) = Values::of_row(binding, *row as usize);
                    let item = item_of(cells.get(shape).unwrap_or(&Cell::Unknown), &values)?;
                    Ok(over(item, id))
                })
                .collect(),
            Places::Behind { list, empty } => {
                let mut edits = vec![match list {
                    List::Behind(at) => {
                        Edit { before: b", ", ..edit(source(*at), source(*at), EditText::Name) }
                    }
                    List::Inside(at) => edit(source(*at), source(*at), EditText::Name),
                    List::Whole(at) => {
                        let at = source(*at);
                        Edit { before: b" (", behind: b")", ..edit(at, at, EditText::Name) }
                    }
                }];
                for (id, number) in ids {
                    let row = binding.lexed.rows().get(*number as usize);
                    let row = row.ok_or_else(|| Error::internal("a row beyond the statement's"))?;
                    let end = (row.end as usize).saturating_sub(1);
                    let before: &[u8] =
                        if empty.get(usize::from(row.shape)) == Some(&true) { b"" } else { b", " };
                    edits.push(Edit { before, ..edit(end, end, EditText::Id(id)) });
                }
                Ok(edits)
            }
        }
    }
}

fn item_of<'a>(cell: &Cell, values: &Values<'a>) -> Result<&'a Item> {
    let item = match cell {
        Cell::Slot(slot) => values.item_of(*slot),
        _ => None,
    };
    item.ok_or_else(|| Error::internal("an id for a cell that asks for none"))
}

fn bytes<'a>(binding: &Binding<'a>, start: usize, end: usize) -> Result<&'a [u8]> {
    binding.sql.get(start..end).ok_or_else(|| Error::internal("an id beyond the statement"))
}

impl Filled {
    /// The values of its `?`.
    pub fn parameters(&self, before: &[Value]) -> Vec<Value> {
        let value = |origin: &Origin| match origin {
            Origin::Parameter(number) => {
                before.get(*number as usize).cloned().unwrap_or(Value::Null)
            }
            Origin::Id(id) => i64::try_from(*id).map_or(Value::UInt(*id), Value::Int),
        };
        self.origins.iter().map(value).collect()
    }
}
