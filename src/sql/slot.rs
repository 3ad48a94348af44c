//! What was taken out of a statement to make its template.
//!
//! Owns: slots (places in the template), items (literals in the statement), and the sets of kinds
//! that a slot saw. Never: reads a literal's value ([`super::literal`]).

use std::ops::Range;

/// What a lifted literal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LiteralKind {
    Integer = 0,
    Decimal = 1,
    Float = 2,
    /// `'…'`, also several adjacent ones.
    String = 3,
    /// `_charset'…'` or `N'…'`: the introducer is part of the item's range.
    Introduced = 4,
    /// `x'…'`, `0x…`.
    Hex = 5,
    /// `b'…'`, `0b…`.
    Bit = 6,
    /// `DATE'…'`, `{d '…'}`.
    Date = 7,
    /// `TIME'…'`, `{t '…'}`.
    Time = 8,
    /// `TIMESTAMP'…'`, `{ts '…'}`.
    Timestamp = 9,
    /// `?`.
    Param = 10,
    /// NULL; lifted only as a whole item of a list or a whole cell of a VALUES row.
    Null = 11,
    /// DEFAULT; lifted only as a whole cell of a VALUES row.
    Default = 12,
    /// TRUE or FALSE; lifted as NULL is.
    Boolean = 13,
}

impl LiteralKind {
    pub const ALL: [LiteralKind; 14] = [
        LiteralKind::Integer,
        LiteralKind::Decimal,
        LiteralKind::Float,
        LiteralKind::String,
        LiteralKind::Introduced,
        LiteralKind::Hex,
        LiteralKind::Bit,
        LiteralKind::Date,
        LiteralKind::Time,
        LiteralKind::Timestamp,
        LiteralKind::Param,
        LiteralKind::Null,
        LiteralKind::Default,
        LiteralKind::Boolean,
    ];
}

/// A set of literal kinds. A list of `1, 'abc'` compares otherwise than `1, 2` (traps 16), so the
/// set is part of the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct KindSet(pub u16);

impl KindSet {
    pub fn of(kind: LiteralKind) -> Self {
        KindSet(1 << kind as u8)
    }
    pub fn insert(&mut self, kind: LiteralKind) {
        self.0 |= 1 << kind as u8;
    }
    pub fn contains(self, kind: LiteralKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }
    /// The kind, if there is exactly one.
    pub fn single(self) -> Option<LiteralKind> {
        if self.0.count_ones() != 1 {
            return None;
        }
        LiteralKind::ALL.get(self.0.trailing_zeros() as usize).copied()
    }
    pub fn iter(self) -> impl Iterator<Item = LiteralKind> {
        LiteralKind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

/// What stands at a place of the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlotKind {
    /// One literal: one item. Its sign, if any, stands in the template before it.
    Literal,
    /// One literal of a VALUES row that every row of this shape has; one item per row
    /// ([`super::template::Lexed::rows`]). A sign before a number that is a whole cell is part of
    /// the item.
    Cell,
    /// The inside of `IN (…)`: literals only, any number of them. Signs are part of the items.
    List,
    /// The inside of `IN ((…), (…))`: tuples of literals, each of `arity` items, row by row.
    Tuples { arity: u16 },
    /// Stands after a VALUES row and for all rows that follow with a shape that was seen before.
    /// `opaque`: rows of too many shapes follow; they were not taken apart, and the statement can
    /// only be sent as a whole.
    Rows { opaque: bool },
    /// An ordinary comment. No items.
    Comment,
}

/// One place of the template that differs between statements that share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub kind: SlotKind,
    /// The kinds of its items (of all rows, for a cell).
    pub kinds: KindSet,
    /// Where its marker starts in the template, and how long the marker is.
    pub at: u32,
    pub width: u32,
    /// The bytes of the statement that the marker stands for; may be empty ([`SlotKind::Rows`]).
    pub start: u32,
    pub end: u32,
    /// Which items are its own: an index into [`super::template::Lexed::items`]. For a cell, the
    /// first row's.
    pub first_item: u32,
    pub items: u32,
    /// The slot is a search string inside of AGAINST(), where the grammar wants a literal.
    pub against: bool,
}

impl Slot {
    pub fn source(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
    pub fn template(&self) -> Range<usize> {
        self.at as usize..(self.at + self.width) as usize
    }
}

/// A literal of the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    pub kind: LiteralKind,
    /// Its bytes in the statement, with sign (in lists and cells), introducer and adjacent strings.
    pub start: u32,
    pub end: u32,
    /// For a parameter: which `?` of the statement it is, from 0.
    pub param: u32,
}

impl Item {
    pub fn source(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One row of VALUES.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which of the distinct row shapes it has: an index into [`super::template::Lexed::shapes`].
    pub shape: u16,
    /// From its `(` to past its `)`.
    pub start: u32,
    pub end: u32,
    /// Its items, as many as its shape has cell slots and in their order.
    pub first_item: u32,
}

/// A distinct shape of VALUES rows: the cell slots of its first row, which stands in the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub first_slot: u16,
    pub slots: u16,
}
