//! `INSERT … VALUES (…), (…), …`: rows of one shape fold.
//!
//! Owns: the shape of a row and the folding. Never: reads a value.
//!
//! A row's shape is its text with each literal taken out and blanks made equal. The first row of
//! each shape stands in the template; rows of a shape that was seen before are a list of items,
//! so that a thousand rows are no longer to a planner than one. A cell that is nothing but a
//! literal (with its sign), NULL, DEFAULT, TRUE, FALSE or `?` has the same shape as any other such
//! cell: its kinds are a set. Subqueries keep their literals in the shape.
//!
//! After eight shapes the rest is opaque: generated statements have one or two.

use crate::error::Result;
use crate::sql::item::{literal, literal_kind, quick_item, significant, whole_item};
use crate::sql::keyword::{Keyword, keyword};
use crate::sql::lex::{is_space, over};
use crate::sql::slot::{KindSet, LiteralKind, Row, Shape, SlotKind};
use crate::sql::template::MARKER;
use crate::sql::token::{Token, TokenKind};
use crate::sql::walk::{Walk, closing, syntax};

/// Shapes in one statement; a row of a further one makes the rows opaque.
const SHAPES: usize = 8;

impl Walk<'_> {
    /// Behind VALUES of an INSERT. Leaves the scanner behind the last row.
    pub(super) fn values(&mut self) -> Result<()> {
        self.values_met();
        let mut opaque = false;
        let mut last_end = None;
        loop {
            let before = self.scanner;
            let Some((start, open)) = self.row_open(last_end.is_some(), &mut opaque)? else {
                self.scanner = before;
                break;
            };
            let first_item = self.out.items.len();
            let close = self.row(open)?;
            last_end = Some(close.end);
            if opaque {
                self.out.items.truncate(first_item);
            } else if !self.record(start, close.end, first_item)? {
                opaque = true;
            }
            let before = self.scanner;
            let comma = loop {
                match self.scanner.next_token()? {
                    Some(token) if token.kind == TokenKind::Comment => {}
                    Some(token) if token.kind == TokenKind::ExecutableOpen => opaque = true,
                    other => break other.is_some_and(|token| token.is_symbol(self.sql, ",")),
                }
            };
            if !comma {
                self.scanner = before;
                break;
            }
        }
        let Some(end) = last_end else { return Ok(()) };
        if opaque {
            self.out.rows.clear();
        }
        self.close_run(end, opaque)?;
        self.write_kinds();
        Ok(())
    }

    /// The `(` that opens the next row, and where the row starts (at ROW, if that is written).
    fn row_open(&mut self, required: bool, opaque: &mut bool) -> Result<Option<(u32, Token)>> {
        let mut start = None;
        loop {
            match self.scanner.next_token()? {
                Some(token) if token.kind == TokenKind::Comment => {}
                Some(token) if token.kind == TokenKind::ExecutableOpen && required => {
                    *opaque = true;
                }
                Some(token) if token.is_symbol(self.sql, "(") => {
                    return Ok(Some((start.unwrap_or(token.start), token)));
                }
                Some(token) if token.is_word(self.sql, "ROW") && start.is_none() => {
                    start = Some(token.start);
                }
                _ if required || start.is_some() => return Err(syntax("no row after a comma")),
                _ => return Ok(None),
            }
        }
    }

    /// Reads one row behind its `(`: its items go to the list of items, its shape to the scratch.
    fn row(&mut self, open: Token) -> Result<Token> {
        let mut key = std::mem::take(&mut self.out.scratch.key);
        key.clear();
        key.push(b'(');
        let close = self.cells(open, &mut key);
        self.out.scratch.key = key;
        close
    }

    fn cells(&mut self, open: Token, key: &mut Vec<u8>) -> Result<Token> {
        let mut cell = Cell { depth: 1, start: true, ..Cell::default() };
        let mut last_end = open.end;
        loop {
            if cell.start && cell.depth == 1 {
                while let Some(quick) = quick_item(&self.scanner) {
                    self.quick(&quick)?;
                    key.push(MARKER);
                    if self.sql.get(quick.delimiter) == Some(&b')') {
                        key.push(b')');
                        return Ok(closing(quick.delimiter));
                    }
                    key.push(b',');
                    last_end = quick.delimiter as u32 + 1;
                }
            }
            let Some(token) = significant(&mut self.scanner)? else {
                return Err(syntax("an unclosed row of VALUES"));
            };
            if cell.start && cell.depth == 1 {
                cell = Cell { depth: 1, ..Cell::default() };
                if self.whole_cell(token, key)? {
                    continue;
                }
            }
            if let Some(close) = self.cell_token(token, &mut cell, last_end, key)? {
                return Ok(close);
            }
            last_end = token.end;
        }
    }

    /// A cell that is one literal; the comma or parenthesis behind it is left.
    fn whole_cell(&mut self, token: Token, key: &mut Vec<u8>) -> Result<bool> {
        let before = self.scanner;
        let param = self.out.params;
        if let Some(item) = whole_item(self.sql, &mut self.scanner, token, param)? {
            if self.cell_ends()? {
                self.out.params += u32::from(item.kind == LiteralKind::Param);
                self.item(item)?;
                key.push(MARKER);
                return Ok(true);
            }
        }
        self.scanner = before;
        Ok(false)
    }

    /// Whether a comma or a closing parenthesis is next.
    fn cell_ends(&mut self) -> Result<bool> {
        let rest = self.sql.get(self.scanner.position()..).unwrap_or_default();
        match rest.iter().find(|&&byte| !is_space(byte)) {
            Some(b',' | b')') => Ok(true),
            // A comment may stand before it.
            Some(b'/' | b'-' | b'#') => {
                let behind = self.scanner;
                let next = significant(&mut self.scanner)?;
                self.scanner = behind;
                Ok(next.is_some_and(|next| matches!(next.symbol(self.sql), b"," | b")")))
            }
            _ => Ok(false),
        }
    }

    /// One token of a cell that is an expression; gives the row's closing parenthesis.
    fn cell_token(
        &mut self,
        token: Token,
        cell: &mut Cell,
        last_end: u32,
        key: &mut Vec<u8>,
    ) -> Result<Option<Token>> {
        let word = if token.kind == TokenKind::Word {
            keyword(token.bytes(self.sql))
        } else {
            Keyword::None
        };
        match token.symbol(self.sql) {
            b"(" => {
                cell.depth += 1;
                cell.type_length = cell.after_type;
            }
            b")" => {
                cell.depth -= 1;
                cell.type_length = false;
                if cell.depth == 0 {
                    key.push(b')');
                    return Ok(Some(token));
                }
            }
            b"," if cell.depth == 1 => cell.start = true,
            b"," | b"." | b"" => {}
            _ => cell.operators += 1,
        }
        self.bound_cell(word, cell)?;
        cell.keeps |= word == Keyword::Select;
        let keeps_string = cell.keeps_string;
        cell.keeps_string = matches!(word, Keyword::KeepsString | Keyword::As)
            || (keeps_string && word == Keyword::Condition)
            || matches!(token.symbol(self.sql), b"->" | b"->>");
        cell.after_type = matches!(word, Keyword::Type | Keyword::Time | Keyword::Timestamp);
        if token.kind == TokenKind::Param {
            let item = self.param(token);
            self.item(item)?;
            key.push(MARKER);
            return Ok(None);
        }
        let stays = cell.keeps
            || (keeps_string && token.kind != TokenKind::Integer)
            || (cell.type_length && token.kind == TokenKind::Integer);
        if !stays && literal_kind(token.kind).is_some() {
            if let Some(item) = literal(self.sql, &mut self.scanner, token, 0)? {
                self.item(item)?;
                key.push(MARKER);
            }
            return Ok(None);
        }
        // `a b` and `ab` differ, as do `- -` and `--`; how many blanks there are doesn't matter.
        if token.start > last_end && !matches!(key.last(), Some(b'(' | b',' | &MARKER)) {
            key.push(b' ');
        }
        key.extend_from_slice(token.bytes(self.sql));
        Ok(None)
    }

    /// Counts what makes the cell's tree higher.
    fn bound_cell(&self, word: Keyword, cell: &mut Cell) -> Result<()> {
        match word {
            Keyword::Operator | Keyword::In | Keyword::KeepsString => cell.operators += 1,
            Keyword::Union => cell.operators += 4,
            Keyword::Case => cell.cases += 1,
            Keyword::End => cell.cases = cell.cases.saturating_sub(1),
            _ => {}
        }
        if cell.depth + cell.cases > self.limits.depth {
            return Err(over("statement_depth", u64::from(self.limits.depth), "nesting"));
        }
        if cell.operators > self.limits.operators {
            let bound = u64::from(self.limits.operators);
            return Err(over("statement_operators", bound, "operators in one expression"));
        }
        Ok(())
    }

    /// Adds a row that was just read. False: it has a shape too many.
    fn record(&mut self, start: u32, end: u32, first_item: usize) -> Result<bool> {
        let scratch = &mut self.out.scratch;
        let known = scratch.shapes.iter().position(|range| {
            scratch.keys.get(range.start as usize..range.end as usize) == Some(&scratch.key[..])
        });
        let shape = match known {
            Some(shape) => shape,
            None if scratch.shapes.len() >= SHAPES => {
                self.out.items.truncate(first_item);
                return Ok(false);
            }
            None => {
                let from = scratch.keys.len() as u32;
                scratch.keys.extend_from_slice(&scratch.key);
                scratch.shapes.push(from..scratch.keys.len() as u32);
                self.new_shape(start, end, first_item)?
            }
        };
        let Some(Shape { first_slot, slots }) = self.out.shapes.get(shape).copied() else {
            return Ok(false);
        };
        let cells = first_slot as usize..(first_slot + slots) as usize;
        let items = self.out.items.get(first_item..).unwrap_or_default();
        for (slot, item) in self.out.slots.get_mut(cells).unwrap_or_default().iter_mut().zip(items)
        {
            slot.kinds.insert(item.kind);
        }
        self.out.rows.push(Row { shape: shape as u16, start, end, first_item: first_item as u32 });
        Ok(true)
    }

    /// Writes a row into the template as the first one of its shape.
    fn new_shape(&mut self, start: u32, end: u32, first_item: usize) -> Result<usize> {
        if !self.out.shapes.is_empty() {
            self.close_run(start, false)?;
        }
        self.flush(start as usize);
        let first_slot = self.out.slots.len();
        for index in first_item..self.out.items.len() {
            let Some(item) = self.out.items.get(index).copied() else { break };
            self.flush(item.start as usize);
            let source = (item.start, item.end);
            // The kinds are written once all rows are known.
            self.slot(SlotKind::Cell, KindSet::default(), source, (index as u32, 1), false)?;
        }
        self.flush(end as usize);
        let slots = (self.out.slots.len() - first_slot) as u16;
        self.out.shapes.push(Shape { first_slot: first_slot as u16, slots });
        Ok(self.out.shapes.len() - 1)
    }

    /// The marker for all that follows a shape's first row, up to `end`.
    fn close_run(&mut self, end: u32, opaque: bool) -> Result<()> {
        let source = (self.copied as u32, end);
        self.slot(SlotKind::Rows { opaque }, KindSet::default(), source, (0, 0), false)
    }

    /// Puts the kinds of all rows' cells into the markers.
    fn write_kinds(&mut self) {
        for shape in 0..self.out.shapes.len() {
            let Some(Shape { first_slot, slots }) = self.out.shapes.get(shape).copied() else {
                return;
            };
            for slot in first_slot..first_slot + slots {
                let Some(slot) = self.out.slots.get(slot as usize) else { return };
                let at = slot.at as usize + 2;
                if let Some(bytes) = self.out.template.get_mut(at..at + 2) {
                    bytes.copy_from_slice(&slot.kinds.0.to_le_bytes());
                }
            }
        }
    }
}

/// Where in a row the reader is.
#[derive(Clone, Copy, Default)]
struct Cell {
    depth: u32,
    /// Directly behind the opening parenthesis or a comma between cells.
    start: bool,
    /// A subquery: its literals stay.
    keeps: bool,
    keeps_string: bool,
    after_type: bool,
    type_length: bool,
    operators: u32,
    /// Open CASEs.
    cases: u32,
}
