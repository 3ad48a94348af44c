//! A statement → its template, hash and slots, in one walk.
//!
//! Owns: which literals are lifted, how lists and rows fold, and the way between offsets of the
//! template and of the statement. Never: parses, plans, or keeps a statement.
//!
//! The template is the statement's own bytes, except that each lifted literal, list, run of rows
//! and ordinary comment is a marker: the byte 0x01 and three or more bytes that say what was
//! there. Control bytes outside of quotes are refused by the scanner, so a client can't forge a
//! marker. Statements share a template if and only if their templates are equal byte for byte; a
//! plan cache compares the bytes, never the hash alone (mysql-traps 18).
//!
//! # What stays in the template
//! Everything that shapes a plan or the result's metadata: whatever stands in a select list (a
//! literal there names its column), GROUP BY and ORDER BY (ordinals), LIMIT 0, type lengths,
//! NULL, TRUE, FALSE and DEFAULT outside of lists and rows, aliases, COLLATE and character set
//! names, ESCAPE and SEPARATOR strings, JSON paths after `->`, hints, executable comments. And
//! all literals of statements other than SELECT, VALUES, WITH, INSERT, REPLACE, UPDATE and DELETE.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use crate::error::Result;
use crate::sql::lex::{Dialect, Limits, over};
use crate::sql::slot::{Item, KindSet, Row, Shape, Slot, SlotKind};
use crate::sql::walk::{Frame, Walk};

/// The byte that starts each marker.
pub const MARKER: u8 = 0x01;

/// Makes templates. One per worker, shared by all statements; the seed keys the hash.
#[derive(Clone, Debug)]
pub struct Lexer {
    limits: Limits,
    hasher: foldhash::quality::FixedState,
}

impl Lexer {
    /// `seed`: random per process, so that nobody can aim at a bucket.
    pub fn new(seed: u64, limits: Limits) -> Self {
        Lexer { limits, hasher: foldhash::quality::FixedState::with_seed(seed) }
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Walks the first statement of `sql` and fills `lexed`, whose buffers are used again: once
    /// they have grown, a statement allocates nothing.
    ///
    /// # Errors
    /// 1064 for text that no server would cut into tokens; a limit's error for a statement past
    /// one of [`Limits`]. `lexed` is empty then.
    pub fn lex(&self, sql: &[u8], dialect: &Dialect, lexed: &mut Lexed) -> Result<()> {
        lexed.clear();
        if sql.len() > self.limits.bytes {
            return Err(over("statement_bytes", self.limits.bytes as u64, "bytes"));
        }
        if let Err(error) = Walk::new(sql, dialect, &self.limits, lexed).run() {
            lexed.clear();
            return Err(error);
        }
        let mut hasher = self.hasher.build_hasher();
        hasher.write(&lexed.template);
        lexed.hash = hasher.finish();
        Ok(())
    }
}

/// One statement taken apart. Holds no part of the statement itself: offsets are into the bytes
/// that were given to [`Lexer::lex`].
#[derive(Clone, Debug, Default)]
pub struct Lexed {
    pub(super) template: Vec<u8>,
    hash: u64,
    pub(super) slots: Vec<Slot>,
    pub(super) items: Vec<Item>,
    pub(super) rows: Vec<Row>,
    pub(super) shapes: Vec<Shape>,
    pub(super) params: u32,
    pub(super) source_length: u32,
    pub(super) rest: Option<u32>,
    own: bool,
    pub(super) scratch: Scratch,
}

/// Buffers that the walk uses and that nobody else looks at.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    pub(super) frames: Vec<Frame>,
    /// The shape of the row at hand.
    pub(super) key: Vec<u8>,
    /// The shapes that were seen, one behind the other, and where each stands.
    pub(super) keys: Vec<u8>,
    pub(super) shapes: Vec<Range<u32>>,
}

/// A piece of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment<'l> {
    /// Bytes that template and statement share.
    Verbatim {
        template: u32,
        source: u32,
        length: u32,
    },
    Slot(&'l Slot),
}

impl Lexed {
    pub fn new() -> Self {
        Lexed::default()
    }

    /// The text is one of Weir's own: it may have hints that no client may write.
    #[must_use]
    pub fn of_weir(self) -> Self {
        Lexed { own: true, ..self }
    }

    /// Whether the text is one of Weir's own.
    pub fn is_own(&self) -> bool {
        self.own
    }

    /// Gives memory back where a long statement made it hold more than `keep` bytes. What was lexed
    /// is gone then.
    pub fn trim(&mut self, keep: usize) {
        let lists = self.slots.capacity() * size_of::<Slot>()
            + self.items.capacity() * size_of::<Item>()
            + self.rows.capacity() * size_of::<Row>()
            + self.shapes.capacity() * size_of::<Shape>();
        if self.template.capacity() + lists + self.scratch.keys.capacity() > keep {
            *self = Lexed::default();
        }
    }

    /// Gives back what only the walk needed, for one that is kept.
    pub fn settle(&mut self) {
        self.scratch = Scratch::default();
        self.template.shrink_to_fit();
        self.slots.shrink_to_fit();
        self.items.shrink_to_fit();
        self.rows.shrink_to_fit();
        self.shapes.shrink_to_fit();
    }

    fn clear(&mut self) {
        self.template.clear();
        self.slots.clear();
        self.items.clear();
        self.rows.clear();
        self.shapes.clear();
        self.scratch.keys.clear();
        self.scratch.shapes.clear();
        (self.hash, self.params, self.source_length, self.rest) = (0, 0, 0, None);
        self.own = false;
    }

    pub fn template(&self) -> &[u8] {
        &self.template
    }

    /// Of the template's bytes, keyed by the lexer's seed.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// In the template's order, which is the statement's.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// A slot's own items (for a cell: the first row's).
    pub fn items(&self, slot: &Slot) -> &[Item] {
        let first = slot.first_item as usize;
        self.items.get(first..first + slot.items as usize).unwrap_or_default()
    }

    /// All items, in the statement's order.
    pub fn all_items(&self) -> &[Item] {
        &self.items
    }

    /// The rows of `INSERT … VALUES`, in the statement's order; empty if there are none, or if
    /// they don't fold (opaque: see [`crate::sql::slot::SlotKind::Rows`]).
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The distinct shapes of the rows. Each shape's first row stands in the template.
    pub fn shapes(&self) -> &[Shape] {
        &self.shapes
    }

    /// The items of a row: one for each cell slot of its shape, in their order.
    pub fn row_items(&self, row: &Row) -> &[Item] {
        let count = self.shapes.get(row.shape as usize).map_or(0, |shape| shape.slots as usize);
        let first = row.first_item as usize;
        self.items.get(first..first + count).unwrap_or_default()
    }

    /// The kinds of one column of a tuple list; for other slots, of the whole slot.
    pub fn column_kinds(&self, slot: &Slot, column: u16) -> KindSet {
        let SlotKind::Tuples { .. } = slot.kind else { return slot.kinds };
        let at = slot.at as usize + 4 + 2 * column as usize;
        match self.template.get(at..at + 2) {
            Some(&[low, high]) if at + 2 <= (slot.at + slot.width) as usize => {
                KindSet(u16::from_le_bytes([low, high]))
            }
            _ => KindSet::default(),
        }
    }

    /// How many `?` the statement has.
    pub fn params(&self) -> u32 {
        self.params
    }

    /// Where the statement ends: its length, or the offset of the `;` that ends it.
    pub fn end(&self) -> usize {
        self.source_length as usize
    }

    /// Where another statement follows after a `;`, for clients with multi-statements. Without
    /// them it is a syntax error.
    pub fn rest(&self) -> Option<usize> {
        self.rest.map(|rest| rest as usize)
    }

    /// The statement's offset that belongs to an offset of the template. Inside of a marker: where
    /// the slot starts; past the end: the end.
    pub fn source_offset(&self, template: usize) -> usize {
        let after = self.slots.partition_point(|slot| (slot.at as usize) < template);
        let Some(slot) = after.checked_sub(1).and_then(|last| self.slots.get(last)) else {
            return template.min(self.end());
        };
        match template.checked_sub((slot.at + slot.width) as usize) {
            Some(beyond) => (slot.end as usize + beyond).min(self.end()),
            None => slot.start as usize,
        }
    }

    /// The reverse of [`Lexed::source_offset`]. Inside of a slot: where its marker starts.
    pub fn template_offset(&self, source: usize) -> usize {
        let after = self.slots.partition_point(|slot| (slot.start as usize) < source);
        let Some(slot) = after.checked_sub(1).and_then(|last| self.slots.get(last)) else {
            return source.min(self.template.len());
        };
        match source.checked_sub(slot.end as usize) {
            Some(beyond) => ((slot.at + slot.width) as usize + beyond).min(self.template.len()),
            None => slot.at as usize,
        }
    }

    /// The template's pieces within `range` of the template, whose ends must not be inside of a
    /// marker: what a splicer copies.
    pub fn segments(&self, range: Range<usize>) -> Segments<'_> {
        let next = self.slots.partition_point(|slot| (slot.at as usize) < range.start);
        Segments { lexed: self, next, at: range.start, end: range.end.min(self.template.len()) }
    }
}

/// See [`Lexed::segments`].
#[derive(Clone, Debug)]
pub struct Segments<'l> {
    lexed: &'l Lexed,
    next: usize,
    at: usize,
    end: usize,
}

impl<'l> Iterator for Segments<'l> {
    type Item = Segment<'l>;

    fn next(&mut self) -> Option<Segment<'l>> {
        if self.at >= self.end {
            return None;
        }
        let slot = self.lexed.slots.get(self.next).filter(|slot| (slot.at as usize) < self.end);
        match slot {
            Some(slot) if slot.at as usize <= self.at => {
                self.next += 1;
                self.at = (slot.at + slot.width) as usize;
                Some(Segment::Slot(slot))
            }
            _ => {
                let until = slot.map_or(self.end, |slot| slot.at as usize);
                let source = self.lexed.source_offset(self.at) as u32;
                let piece = Segment::Verbatim {
                    template: self.at as u32,
                    source,
                    length: (until - self.at) as u32,
                };
                self.at = until;
                Some(piece)
            }
        }
    }
}
