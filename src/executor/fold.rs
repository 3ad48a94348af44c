//! Adjacent equal rows of a merge become one: DISTINCT and GROUP BY.
//!
//! Owns: where a group begins and ends, and building the row that stands for it. Never: knows where
//! rows come from; how values add up is [`crate::executor::aggregate`]'s.

use smallvec::SmallVec;

use crate::error::{Error, Result};
use crate::executor::aggregate::Total;
use crate::executor::compare::RowFormat;
use crate::executor::key::Key;
use crate::executor::layout::Layout;
use crate::planner::plan::{Fold, Gather};
use crate::protocol::reader::put_nullable_bytes;
use crate::protocol::row::{RowIndex, write_binary_row};

/// Folds the rows of one merge.
#[derive(Debug)]
pub struct Folder {
    kind: Kind,
    /// The key of the row or group last seen; without keys all rows are one group.
    key: Option<Key>,
    /// A group (or a first row) was seen.
    open: bool,
}

#[derive(Debug)]
enum Kind {
    Keep,
    Distinct,
    Aggregate(Box<Group>),
}

/// The group under way.
#[derive(Debug)]
struct Group {
    /// Its first row, which gives the columns that are no totals.
    first: Vec<u8>,
    index: RowIndex,
    totals: Vec<Total>,
    /// The totals' raw values, and where in there each one ends; `None` is NULL.
    values: Vec<u8>,
    spans: Vec<Option<(usize, usize)>>,
    /// The row of the group that ended last.
    finished: Vec<u8>,
}

/// What came of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folded {
    /// Nothing to deliver yet.
    Nothing,
    /// The row itself is to be delivered.
    Given,
    /// The group before it has ended: [`Folder::finished`].
    Finished,
}

impl Folder {
    pub fn new(gather: &Gather, layout: &Layout) -> Result<Self> {
        let kind = match &gather.fold {
            Fold::Keep => Kind::Keep,
            Fold::Distinct if gather.merge_by.is_empty() => {
                return Err(Error::internal("a DISTINCT without keys would fold all rows"));
            }
            Fold::Distinct => Kind::Distinct,
            Fold::Aggregate(aggregates) => {
                let total = |aggregate| {
                    Total::new(aggregate, layout.columns(), gather.hidden, layout.format())
                };
                let totals = aggregates.iter().map(total).collect::<Result<_>>()?;
                Kind::Aggregate(Box::new(Group {
                    first: Vec::new(),
                    index: RowIndex::default(),
                    totals,
                    values: Vec::new(),
                    spans: Vec::new(),
                    finished: Vec::new(),
                }))
            }
        };
        Ok(Folder { kind, key: None, open: false })
    }

    /// True where rows pass through as they are.
    pub fn keeps(&self) -> bool {
        matches!(self.kind, Kind::Keep)
    }

    /// Takes the next row in the order of keys.
    pub fn push(
        &mut self,
        layout: &Layout,
        key: Option<&Key>,
        payload: &[u8],
        index: &RowIndex,
    ) -> Result<Folded> {
        if matches!(self.kind, Kind::Keep) {
            return Ok(Folded::Given);
        }
        let continues = self.open && self.key.as_ref() == key;
        if !continues {
            match (&mut self.key, key) {
                (Some(own), Some(key)) => own.clone_from(key),
                (own, key) => *own = key.cloned(),
            }
        }
        let was_open = std::mem::replace(&mut self.open, true);
        match &mut self.kind {
            Kind::Keep => Ok(Folded::Given),
            Kind::Distinct if continues => Ok(Folded::Nothing),
            Kind::Distinct => Ok(Folded::Given),
            Kind::Aggregate(group) => {
                if continues {
                    group.add(payload, index)?;
                    return Ok(Folded::Nothing);
                }
                if was_open {
                    group.finish(layout)?;
                }
                group.begin(payload, index)?;
                Ok(if was_open { Folded::Finished } else { Folded::Nothing })
            }
        }
    }

    /// Ends the last group: true where there is one to deliver.
    pub fn end(&mut self, layout: &Layout) -> Result<bool> {
        let was_open = std::mem::replace(&mut self.open, false);
        match &mut self.kind {
            Kind::Aggregate(group) if was_open => group.finish(layout).map(|()| true),
            _ => Ok(false),
        }
    }

    /// The row of the group that ended last, hidden columns included.
    pub fn finished(&self) -> &[u8] {
        match &self.kind {
            Kind::Aggregate(group) => &group.finished,
            Kind::Keep | Kind::Distinct => &[],
        }
    }
}

impl Group {
    fn begin(&mut self, payload: &[u8], index: &RowIndex) -> Result<()> {
        self.first.clear();
        self.first.extend_from_slice(payload);
        self.index.clone_from(index);
        for total in &mut self.totals {
            total.reset();
        }
        self.add(payload, index)
    }

    fn add(&mut self, payload: &[u8], index: &RowIndex) -> Result<()> {
        for total in &mut self.totals {
            total.add(|column| index.get(payload, column))?;
        }
        Ok(())
    }

    /// Builds the group's row: totals where there are some, else the first row's values.
    fn finish(&mut self, layout: &Layout) -> Result<()> {
        self.values.clear();
        self.spans.clear();
        for total in &self.totals {
            let start = self.values.len();
            let is_value = total.write(&mut self.values)?;
            self.spans.push(is_value.then_some((start, self.values.len())));
        }
        let value =
            |column: usize| match self.totals.iter().position(|total| total.column == column) {
                None => self.index.get(&self.first, column),
                Some(place) => {
                    let (start, end) = self.spans.get(place).copied().flatten()?;
                    self.values.get(start..end)
                }
            };
        self.finished.clear();
        match layout.format() {
            RowFormat::Text => {
                for column in 0..layout.columns().len() {
                    put_nullable_bytes(&mut self.finished, value(column));
                }
            }
            RowFormat::Binary => {
                let types = layout.types().iter().enumerate();
                let row = types.map(|(column, field_type)| (*field_type, value(column)));
                let row: SmallVec<[_; 16]> = row.collect();
                write_binary_row(&row, &mut self.finished);
            }
        }
        Ok(())
    }
}
