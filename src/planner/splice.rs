//! A plan + a target → the text that goes there, cut from the client's own bytes.
//!
//! Owns: the splices of a plan and their writing. Never: prints a tree, or changes a byte that no
//! splice names: comments, hints, escapes and introducers arrive as they were written.

use std::cell::RefCell;
use std::sync::Arc;

use crate::catalog::definition::physical_constraint;
use crate::error::{Error, Result};
use crate::name::TableName;
use crate::planner::bind::{self, Binding};
use crate::planner::constraint::is_crowded;
use crate::planner::plan::{Limit, Renaming, Rendered, Rows, Target};
use crate::planner::workbench::{Reference, Within, Workbench};
use crate::planner::{Action, Plan};
use crate::sql::analysis::Span;
use crate::sql::charset_scan::CharsetClass;
use crate::sql::label;
use crate::sql::lex::{Dialect, LexMode};
use crate::sql::slot::{Item, LiteralKind};
use crate::sql::template::Segment;
use crate::value::Value;

/// How parameters reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `?` stays `?`: the text is prepared, the values follow.
    Prepared,
    /// Values are written into the text.
    Text,
}

/// One change of the text: bytes `at` of the template become `what`.
#[derive(Clone, Debug)]
pub(crate) struct Splice {
    pub at: Span,
    pub what: What,
    /// Only where the target is one of several whose rows are merged.
    pub scattered: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    /// The table's whole name, as the statement writes it.
    Table {
        index: usize,
        qualified: bool,
        written: Box<str>,
    },
    /// An alias behind a table's name, wherever its physical name differs from `written`.
    Alias {
        index: usize,
        written: Box<str>,
    },
    /// A column's or star's table qualifier.
    Qualifier {
        index: usize,
        written: Box<str>,
    },
    /// A column's schema qualifier.
    Schema {
        index: usize,
        written: Box<str>,
    },
    /// The name of a constraint of that table.
    Constraint {
        index: usize,
        name: Box<str>,
    },
    Parts(Vec<Part>),
    /// Behind a select item whose text other splices change: it names its column by the text that
    /// the client wrote.
    Label(Span),
    /// `LIMIT offset + count`.
    Limit(Limit),
    /// The rows of VALUES: those of the target.
    Rows,
    /// A list of values of a shard key: those of the target's shard.
    List {
        sharded: usize,
        slot: u16,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Part {
    Text(Box<str>),
    /// The same bytes as there.
    Copy(Span),
    /// The same bytes as there, without what splices make of them.
    Raw(Span),
    /// What stands for a reference of the workbench: its temporary table, or the table itself.
    Source(usize),
}

impl Plan {
    /// Writes the statement for one target behind what `out` holds.
    ///
    /// # Errors
    /// A LIMIT that is no number; a parameter that is missing in [`Form::Text`].
    pub fn render(
        &self,
        target: &Target,
        binding: &Binding,
        form: Form,
        out: &mut Vec<u8>,
    ) -> Result<Rendered> {
        self.render_numbered(target, binding, (form, None), out)
    }

    /// The same; notes which parameters stand in it, where it is written.
    ///
    /// # Errors
    /// As [`Plan::render`].
    pub fn render_numbered(
        &self,
        target: &Target,
        binding: &Binding,
        (form, numbers): (Form, Option<&Numbers>),
        out: &mut Vec<u8>,
    ) -> Result<Rendered> {
        let (splices, sources) = (&*self.splices, &[]);
        let writer = Writer { plan: self, splices, sources, target, binding, form, numbers };
        let literal_parameters = form == Form::Text && binding.lexed.params() > 0;
        let changed = self.always_rendered
            || literal_parameters
            || self.splices.iter().any(|splice| writer.changes(splice));
        // A statement of several (`a; b`) is cut out by its offsets.
        if !changed && binding.lexed.end() == binding.sql.len() {
            return Ok(Rendered::AsIs);
        }
        let end = binding.lexed.template().len() as u32;
        writer.copy(Span { start: 0, end }, true, out)?;
        Ok(Rendered::Written)
    }

    /// Writes the statement that gathers one of the workbench's references, in logical names; `keys`
    /// is a further condition.
    ///
    /// # Errors
    /// As [`Plan::render`].
    pub fn gather_text(
        &self,
        bench: &Workbench,
        index: usize,
        keys: Option<&str>,
        binding: &Binding,
        form: Form,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let target = nowhere();
        let (splices, sources) = (&[], &[]);
        let numbers = None;
        let writer =
            Writer { plan: self, splices, sources, target: &target, binding, form, numbers };
        let reference = bench.references.get(index);
        let parts = reference.map(|reference| reference.parts(binding, keys)).unwrap_or_default();
        writer.write_parts(&parts, out)
    }

    /// Writes the question for a column's values in a reference's rows, at most so many.
    ///
    /// # Errors
    /// As [`Plan::render`].
    pub fn values_text(
        &self,
        reference: &Reference,
        source: &str,
        (of, within, most): (&str, &[Within], usize),
        binding: &Binding,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let target = nowhere();
        let (splices, sources, form) = (&[], &[], Form::Text);
        let numbers = None;
        let writer =
            Writer { plan: self, splices, sources, target: &target, binding, form, numbers };
        writer.write_parts(&reference.values(binding, source, of, within, most), out)
    }

    /// Writes the statement with what its views read in their places, as it is to be read under that
    /// collation_connection; where none is given, under those of the views' making.
    ///
    /// # Errors
    /// As [`Plan::render`]; a view whose literals mean something else there.
    pub fn views_text(
        &self,
        binding: &Binding,
        form: Form,
        collation: Option<&str>,
    ) -> Result<Vec<u8>> {
        let (target, mut out) = (nowhere(), Vec::new());
        let sources = match &self.action {
            Action::Views(expansion) => expansion.sources(collation)?,
            _ => vec![],
        };
        let writer = Writer {
            plan: self,
            splices: &self.splices,
            sources: &sources,
            target: &target,
            binding,
            form,
            numbers: None,
        };
        let end = binding.lexed.template().len() as u32;
        writer.copy(Span { start: 0, end }, true, &mut out)?;
        Ok(out)
    }

    /// How columns of views that the statement was written with are described.
    pub fn shown_renamings(&self) -> impl Iterator<Item = Renaming> + '_ {
        self.shown.iter().map(|shown| Renaming {
            physical_database: Arc::from(""),
            physical_table: Arc::from(""),
            schema: shown.schema.clone(),
            table: TableName::new(&shown.name),
            in_rows: false,
            view: Some(shown.clone()),
        })
    }

    /// Writes a text of its own with this statement's values.
    ///
    /// # Errors
    /// As [`Plan::render`].
    pub(crate) fn parts_text(
        &self,
        parts: &[Part],
        binding: &Binding,
        form: Form,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let target = nowhere();
        let (splices, sources) = (&[], &[]);
        let numbers = None;
        let writer =
            Writer { plan: self, splices, sources, target: &target, binding, form, numbers };
        writer.write_parts(parts, out)
    }

    /// Writes a part of the statement for one target, in the names that its tables have there.
    ///
    /// # Errors
    /// As [`Plan::render`].
    pub(crate) fn part_text(
        &self,
        part: Span,
        target: &Target,
        binding: &Binding,
        (form, numbers): (Form, Option<&Numbers>),
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let (splices, sources) = (&*self.splices, &[]);
        let writer = Writer { plan: self, splices, sources, target, binding, form, numbers };
        writer.copy(part, false, out)
    }

    /// Writes the statement that runs over what the workbench has gathered; `sources` are the
    /// quoted names that stand for its references.
    ///
    /// # Errors
    /// As [`Plan::render`].
    pub fn residual_text(
        &self,
        bench: &Workbench,
        sources: &[String],
        binding: &Binding,
        (form, numbers): (Form, Option<&Numbers>),
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let target = nowhere();
        let splices = &bench.splices;
        let writer =
            Writer { plan: self, splices, sources, target: &target, binding, form, numbers };
        let end = binding.lexed.template().len() as u32;
        writer.copy(Span { start: 0, end }, true, out)
    }

    /// What must be turned back in the answers of a target: nothing where names are equal.
    pub fn renamings(&self, target: &Target) -> Vec<Renaming> {
        let mut renamings: Vec<Renaming> = vec![];
        for (index, used) in self.tables.iter().enumerate() {
            let Some((database, table)) = self.physical(index, target) else { continue };
            if **table == *used.name && **database == *used.schema.as_str() {
                continue;
            }
            let renaming = Renaming {
                physical_database: Arc::clone(database),
                physical_table: Arc::clone(table),
                schema: used.schema.clone(),
                table: TableName::new(&used.name),
                in_rows: self.facts.names_in_rows,
                view: None,
            };
            if !renamings.contains(&renaming) {
                renamings.push(renaming);
            }
        }
        // Errors of a statement without tables name the database all the same (1305, 1046).
        if self.tables.is_empty()
            && let (Some(database), Some(schema)) = (&target.database, self.schemas.first())
            && **database != *schema.as_str()
        {
            renamings.push(Renaming {
                physical_database: Arc::clone(database),
                physical_table: Arc::from(""),
                schema: schema.clone(),
                table: TableName::new(""),
                in_rows: self.facts.names_in_rows,
                view: None,
            });
        }
        renamings.extend(self.shown_renamings());
        renamings
    }
}

/// The target of a text that has only names of its own.
fn nowhere() -> Target {
    Target::plain(crate::name::GroupId(0), None)
}

struct Writer<'a> {
    plan: &'a Plan,
    splices: &'a [Splice],
    sources: &'a [String],
    target: &'a Target,
    binding: &'a Binding<'a>,
    form: Form,
    numbers: Option<&'a Numbers>,
}

/// Which of the statement's parameters a text in [`Form::Prepared`] holds, in its order: some may be
/// left out, and some come twice.
pub type Numbers = RefCell<Vec<u32>>;

impl Writer<'_> {
    fn active(&self, splice: &Splice) -> bool {
        (!splice.scattered || self.target.scattered)
            && (!matches!(splice.what, What::Rows) || self.target.rows != Rows::All)
    }

    /// Whether the splice makes a difference here.
    fn changes(&self, splice: &Splice) -> bool {
        if !self.active(splice) {
            return false;
        }
        let physical = |index: usize| self.plan.physical(index, self.target);
        match &splice.what {
            What::Table { index, qualified, written } => {
                let Some((database, table)) = physical(*index) else { return false };
                let schema = self.plan.tables.get(*index).map(|used| used.schema.as_str());
                let home = if *qualified {
                    schema == Some(&**database)
                } else {
                    self.target.database.as_ref() == Some(database)
                };
                **table != **written || !home
            }
            What::Alias { index, written } | What::Qualifier { index, written } => {
                physical(*index).is_some_and(|(_, table)| **table != **written)
            }
            What::Schema { index, written } => {
                physical(*index).is_some_and(|(database, _)| **database != **written)
            }
            What::Constraint { index, name } => self.constraint(*index, name) != **name,
            What::Label(item) => self.splices.iter().any(|other| {
                let inside = other.at.start >= item.start && other.at.end <= item.end;
                inside && !matches!(other.what, What::Label(_)) && self.changes(other)
            }),
            What::Parts(_) | What::Limit(_) | What::Rows | What::List { .. } => true,
        }
    }

    /// Copies a range of the template, with its slots filled in and its splices made.
    fn copy(&self, range: Span, outermost: bool, out: &mut Vec<u8>) -> Result<()> {
        let mut at = range.start;
        for splice in self.splices {
            let inside = splice.at.start >= range.start && splice.at.end <= range.end;
            // Ranges that are copied a second time keep only what names need.
            if !inside || splice.at.start < at || (!outermost && splice.scattered) {
                continue;
            }
            if !self.changes(splice) {
                continue;
            }
            self.verbatim(Span { start: at, end: splice.at.start }, out)?;
            self.write(splice, out)?;
            at = splice.at.end;
        }
        self.verbatim(Span { start: at, end: range.end }, out)
    }

    fn write(&self, splice: &Splice, out: &mut Vec<u8>) -> Result<()> {
        let physical = |index: usize| {
            self.plan
                .physical(index, self.target)
                .ok_or_else(|| Error::internal("a table without a place at its target"))
        };
        match &splice.what {
            What::Table { index, qualified, .. } => {
                let (database, table) = physical(*index)?;
                if *qualified || self.target.database.as_ref() != Some(database) {
                    quote(database, out);
                    out.push(b'.');
                }
                quote(table, out);
            }
            What::Alias { written, .. } => {
                out.extend_from_slice(b" AS ");
                quote(written, out);
            }
            What::Qualifier { index, .. } => quote(physical(*index)?.1, out),
            What::Schema { index, .. } => quote(physical(*index)?.0, out),
            What::Constraint { index, name } => quote(&self.constraint(*index, name), out),
            What::Parts(parts) => self.write_parts(parts, out)?,
            What::Label(item) => self.label(*item, out)?,
            What::Limit(limit) => {
                let (offset, count) = bind::limit(limit, self.binding)?;
                let most = if count == 0 { 0 } else { offset.saturating_add(count) };
                out.extend_from_slice(format!("LIMIT {most}").as_bytes());
            }
            What::Rows => self.rows(out)?,
            What::List { sharded, slot } => {
                let items = self.plan.items_of_shard(*sharded, *slot, self.target, self.binding);
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        out.extend_from_slice(b", ");
                    }
                    out.extend_from_slice(self.bytes(item.start as usize, item.end as usize)?);
                }
            }
        }
        Ok(())
    }

    /// A constraint's name in the target's database.
    fn constraint(&self, index: usize, name: &str) -> String {
        let used = self.plan.tables.get(index);
        let Some((used, (_, table))) = used.zip(self.plan.physical(index, self.target)) else {
            return name.to_owned();
        };
        let shard = used.sharded.and_then(|place| self.target.shards.get(place).copied());
        physical_constraint(name, table, &used.name, is_crowded(&used.placement, shard))
    }

    /// The name that a server gives an item without an alias: its text as it was written.
    fn label(&self, item: Span, out: &mut Vec<u8>) -> Result<()> {
        let mut text = Vec::new();
        Writer { form: Form::Prepared, numbers: None, ..*self }.verbatim(item, &mut text)?;
        text.truncate(label::length(&text));
        out.extend_from_slice(b" AS `");
        for byte in plane_zero(text) {
            out.extend(std::iter::repeat_n(byte, 1 + usize::from(byte == b'`')));
        }
        out.push(b'`');
        Ok(())
    }

    fn write_parts(&self, parts: &[Part], out: &mut Vec<u8>) -> Result<()> {
        for part in parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Copy(span) => self.copy(*span, false, out)?,
                Part::Raw(span) => self.verbatim(*span, out)?,
                Part::Source(index) => match self.sources.get(*index) {
                    Some(source) => out.extend_from_slice(source.as_bytes()),
                    None => return Err(Error::internal("a reference without a source")),
                },
            }
        }
        Ok(())
    }

    fn rows(&self, out: &mut Vec<u8>) -> Result<()> {
        let Rows::Some(numbers) = &self.target.rows else { return Ok(()) };
        for (place, number) in numbers.iter().enumerate() {
            let row = self
                .binding
                .lexed
                .rows()
                .get(*number as usize)
                .ok_or_else(|| Error::internal("a row beyond the statement's"))?;
            if place > 0 {
                out.push(b',');
            }
            let items = self.binding.lexed.row_items(row);
            self.source(row.start as usize, row.end as usize, items, out)?;
        }
        Ok(())
    }

    fn verbatim(&self, range: Span, out: &mut Vec<u8>) -> Result<()> {
        if range.start >= range.end {
            return Ok(());
        }
        for segment in self.binding.lexed.segments(range.range()) {
            match segment {
                Segment::Verbatim { source, length, .. } => {
                    let (start, end) = (source as usize, source as usize + length as usize);
                    out.extend_from_slice(self.bytes(start, end)?);
                }
                Segment::Slot(slot) => {
                    let source = slot.source();
                    // Cells of the rows behind are inside of a rows slot, which has no items.
                    let items = match slot.kind {
                        crate::sql::slot::SlotKind::Rows { .. } => {
                            self.items_within(source.start, source.end)
                        }
                        _ => self.binding.lexed.items(slot),
                    };
                    self.source(source.start, source.end, items, out)?;
                }
            }
        }
        Ok(())
    }

    /// The items of the statement between two offsets.
    fn items_within(&self, start: usize, end: usize) -> &[Item] {
        let all = self.binding.lexed.all_items();
        let first = all.partition_point(|item| (item.start as usize) < start);
        let last = all.partition_point(|item| (item.start as usize) < end);
        all.get(first..last).unwrap_or_default()
    }

    fn bytes(&self, start: usize, end: usize) -> Result<&[u8]> {
        self.binding
            .sql
            .get(start..end)
            .ok_or_else(|| Error::internal("a splice beyond the statement"))
    }

    /// The statement's own bytes, with parameters written out where the form asks for it.
    fn source(&self, start: usize, end: usize, items: &[Item], out: &mut Vec<u8>) -> Result<()> {
        let mut at = start;
        if self.form == Form::Text {
            for item in items.iter().filter(|item| item.kind == LiteralKind::Param) {
                out.extend_from_slice(self.bytes(at, item.start as usize)?);
                let value =
                    self.binding.parameters.get(item.param as usize).ok_or_else(|| {
                        Error::syntax("A ? stands outside of a prepared statement")
                    })?;
                write_parameter(value, item, self.binding, out);
                at = item.end as usize;
            }
        } else if let Some(numbers) = self.numbers {
            let params = items.iter().filter(|item| item.kind == LiteralKind::Param);
            numbers.borrow_mut().extend(params.map(|item| item.param));
        }
        out.extend_from_slice(self.bytes(at, end)?);
        Ok(())
    }
}

/// The statement with its parameters written as literals.
///
/// # Errors
/// A parameter is missing.
pub fn with_parameters(binding: &Binding) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let end = binding.lexed.end();
    let missing = || Error::internal("a parameter without a value");
    let mut at = 0;
    for item in binding.lexed.all_items().iter().filter(|item| item.kind == LiteralKind::Param) {
        out.extend_from_slice(binding.sql.get(at..item.start as usize).ok_or_else(missing)?);
        let value = binding.parameters.get(item.param as usize).ok_or_else(missing)?;
        write_parameter(value, item, binding, &mut out);
        at = item.end as usize;
    }
    out.extend_from_slice(binding.sql.get(at..end).ok_or_else(missing)?);
    Ok(out)
}

/// A parameter as a literal. Drivers that bind everything as text bind LIMIT so, too: what a server takes
/// there of a parameter, it refuses of a literal.
fn write_parameter(value: &Value, item: &Item, binding: &Binding, out: &mut Vec<u8>) {
    let textual = matches!(value, Value::Text(_) | Value::Binary(_) | Value::Null);
    let before = binding.sql.get(..item.start as usize).unwrap_or_default();
    let count = if textual && counts_rows(before) { value.as_count() } else { None };
    match count {
        Some(count) => out.extend_from_slice(count.to_string().as_bytes()),
        None => write_value(value, &binding.dialect, out),
    }
}

/// Whether a text ends in LIMIT, OFFSET, or LIMIT, a number or parameter, and a comma.
fn counts_rows(text: &[u8]) -> bool {
    let ends_in = |text: &[u8], word: &str| {
        let Some(start) = text.len().checked_sub(word.len()) else { return false };
        let (before, last) = text.split_at(start);
        let of_name = |byte: &u8| {
            byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"_$@.`'\"".contains(byte)
        };
        let apart = !before.last().is_some_and(of_name);
        apart && last.eq_ignore_ascii_case(word.as_bytes())
    };
    let text = text.trim_ascii_end();
    if let Some(first) = text.strip_suffix(b",") {
        let first = first.trim_ascii_end();
        let number = first.iter().rposition(|byte| !byte.is_ascii_digit() && *byte != b'?');
        let before = first.get(..number.map_or(0, |last| last + 1)).unwrap_or_default();
        // `limit5` is a name.
        let apart = before.last().is_some_and(u8::is_ascii_whitespace)
            || first.get(before.len()) == Some(&b'?');
        return apart && before.len() < first.len() && ends_in(before.trim_ascii_end(), "LIMIT");
    }
    ends_in(text, "LIMIT") || ends_in(text, "OFFSET")
}

/// A name in backticks.
pub(crate) fn quote(name: &str, out: &mut Vec<u8>) {
    out.push(b'`');
    for byte in name.bytes() {
        if byte == b'`' {
            out.push(b'`');
        }
        out.push(byte);
    }
    out.push(b'`');
}

/// A value as a literal of the session's dialect.
pub(crate) fn write_value(value: &Value, dialect: &Dialect, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) => write_text(&text.bytes, dialect, out),
        Value::Binary(bytes) => {
            out.extend_from_slice(b"x'");
            for byte in bytes.iter() {
                out.extend_from_slice(format!("{byte:02X}").as_bytes());
            }
            out.push(b'\'');
        }
        Value::Date(date) => out.extend_from_slice(format!("DATE'{date}'").as_bytes()),
        Value::DateTime(moment) => out.extend_from_slice(format!("TIMESTAMP'{moment}'").as_bytes()),
        Value::Time(time) => out.extend_from_slice(format!("TIME'{time}'").as_bytes()),
        other => out.extend_from_slice(other.to_string().as_bytes()),
    }
}

/// A string in quotes. Characters whose second byte may look like a backslash are kept whole.
fn write_text(bytes: &[u8], dialect: &Dialect, out: &mut Vec<u8>) {
    let escapes = !dialect.mode.has(LexMode::NO_BACKSLASH_ESCAPES);
    out.push(b'\'');
    let mut rest = bytes;
    while let Some(&first) = rest.first() {
        let length = match dialect.charset {
            CharsetClass::AsciiSafe => 1,
            charset => charset.char_len(rest),
        };
        match first {
            b'\'' => out.extend_from_slice(b"''"),
            b'\\' if escapes => out.extend_from_slice(b"\\\\"),
            0 if escapes => out.extend_from_slice(b"\\0"),
            _ => out.extend_from_slice(rest.get(..length).unwrap_or(rest)),
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    out.push(b'\'');
}

/// Names hold three bytes a character: a server calls an item by its text with `?` for those of four.
fn plane_zero(text: Vec<u8>) -> Vec<u8> {
    match std::str::from_utf8(&text) {
        Ok(read) if read.contains(|c| c > '\u{ffff}') => {
            read.replace(|c| c > '\u{ffff}', "?").into_bytes()
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::counts_rows;

    #[test]
    fn what_counts_rows() {
        for text in ["LIMIT ", "limit", "x LIMIT 5, ", "LIMIT ?,", "LIMIT?,", "LIMIT 5 OFFSET "] {
            assert!(counts_rows(text.as_bytes()), "{text}");
        }
        for text in [
            "SELECT @limit",
            "SELECT @limit1, ",
            "SELECT limit5, ",
            "SELECT t.limit5, ",
            "SELECT t.`limit`, ",
            "SELECT t.limit, ",
            "SELECT 1, ",
            "SELECT unlimit 5, ",
            "SELECT ülimit 5, ",
            "SELECT @@limit 5, ",
            "SELECT $offset ",
        ] {
            assert!(!counts_rows(text.as_bytes()), "{text}");
        }
    }
}
