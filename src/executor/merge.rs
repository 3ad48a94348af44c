//! What becomes of the rows of many inputs, once it is known which comes next.
//!
//! Owns: the way of a row through folding, sorting, LIMIT and the cutting of hidden columns. Never:
//! waits, reads a stream, picks the next input ([`crate::executor::tournament`]), or knows shards:
//! rows are bytes.

use crate::error::Result;
use crate::executor::fold::{Folded, Folder};
use crate::executor::key::{Key, Keys};
use crate::executor::layout::Layout;
use crate::executor::limit::Window;
use crate::executor::memory::Memory;
use crate::executor::sort::Sorter;
use crate::planner::plan::Gather;
use crate::protocol::row::RowIndex;

/// Whether more rows are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    More,
    /// LIMIT is satisfied: what the shards still have isn't needed.
    Enough,
}

/// The way of the rows of one statement, from a shard's row to the client's.
#[derive(Debug)]
pub struct Gathering {
    layout: Layout,
    merge_by: Keys,
    folder: Folder,
    tail: Tail,
    /// Nothing but the merge key is looked for in a row, and that without an index of its values.
    is_direct: bool,
}

/// What follows folding.
#[derive(Debug)]
struct Tail {
    sort: Option<(Keys, Sorter)>,
    window: Window,
    /// Reused for rows that are built anew.
    scratch: Vec<u8>,
    index: RowIndex,
    /// The next row of the sorted ones.
    next: usize,
}

impl Gathering {
    /// `window` is LIMIT with its values; `memory` bounds the sort, where there is one.
    pub fn new(gather: &Gather, layout: Layout, window: Window, memory: Memory) -> Result<Self> {
        let merge_by = Keys::new(&gather.merge_by, &layout)?;
        let folder = Folder::new(gather, &layout)?;
        let keys = Keys::new(&gather.sort, &layout)?;
        let sort = (!keys.is_empty()).then(|| (keys, Sorter::new(window.most(), memory)));
        let tail = Tail { sort, window, scratch: Vec::new(), index: RowIndex::default(), next: 0 };
        let is_direct = folder.keeps() && layout.hidden() == 0 && merge_by.is_direct(&layout);
        Ok(Gathering { layout, merge_by, folder, tail, is_direct })
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// True where rows go to the client as they come, whatever is in them.
    pub fn is_plain(&self) -> bool {
        self.merge_by.is_empty()
            && self.folder.keeps()
            && self.tail.sort.is_none()
            && self.layout.hidden() == 0
            && self.tail.window.is_open()
    }

    /// True where inputs have to be merged by keys rather than taken one after the other.
    pub fn is_ordered(&self) -> bool {
        !self.merge_by.is_empty()
    }

    /// True where each row either goes to the client as it is or not at all.
    pub fn is_straight(&self) -> bool {
        self.folder.keeps() && self.tail.sort.is_none() && self.layout.hidden() == 0
    }

    /// True where rows go as they are in the order of a key that [`Gathering::short_key`] reads.
    pub fn is_quick(&self) -> bool {
        self.is_straight() && self.merge_by.is_short()
    }

    /// True where there is no LIMIT.
    pub fn is_open(&self) -> bool {
        self.tail.window.is_open()
    }

    /// The key of a row as a number that needs no further comparison, with its lowest 16 bits free.
    #[inline]
    pub fn short_key(&self, payload: &[u8]) -> Result<u128> {
        self.merge_by.read_short(&self.layout, payload)
    }

    /// True where no row is wanted at all.
    pub fn is_satisfied(&self) -> bool {
        self.tail.window.is_shut()
    }

    /// Reads what the merge needs to know of a row that became an input's head: its key, and where its
    /// values stand.
    pub fn read(&self, payload: &[u8], index: &mut RowIndex, key: &mut Key) -> Result<()> {
        if !self.is_direct {
            self.layout.index(payload, index)?;
        }
        self.merge_by.read(&self.layout, payload, index, key)
    }

    /// The same for a row of inputs without an order.
    pub fn read_unordered(&self, payload: &[u8], index: &mut RowIndex) -> Result<()> {
        match self.is_straight() {
            true => Ok(()),
            false => self.layout.index(payload, index),
        }
    }

    /// Where rows are straight: whether the next one goes to the client.
    pub fn admit(&mut self) -> bool {
        self.tail.window.admit()
    }

    /// Takes the next row in merged order; rows for the client go to `emit`.
    pub fn push(
        &mut self,
        key: Option<&Key>,
        payload: &[u8],
        index: &RowIndex,
        emit: impl FnMut(&[u8]),
    ) -> Result<Flow> {
        match self.folder.push(&self.layout, key, payload, index)? {
            Folded::Nothing => Ok(Flow::More),
            Folded::Given => self.tail.deliver(&self.layout, payload, Some(index), emit),
            Folded::Finished => self.tail.deliver(&self.layout, self.folder.finished(), None, emit),
        }
    }

    /// All inputs have ended: ends the last group and sorts. Then [`Gathering::sorted`] gives what
    /// was held back.
    pub fn finish(&mut self, emit: impl FnMut(&[u8])) -> Result<()> {
        if self.folder.end(&self.layout)? && !self.is_satisfied() {
            self.tail.deliver(&self.layout, self.folder.finished(), None, emit)?;
        }
        if let Some((_, sorter)) = &mut self.tail.sort {
            sorter.sort();
        }
        Ok(())
    }

    /// The next sorted row within LIMIT, `None` when there are no more.
    pub fn sorted(&mut self) -> Option<&[u8]> {
        let (_, sorter) = self.tail.sort.as_ref()?;
        loop {
            if self.tail.window.is_shut() {
                return None;
            }
            let at = self.tail.next;
            sorter.row(at)?;
            self.tail.next += 1;
            if self.tail.window.admit() {
                return sorter.row(at);
            }
        }
    }
}

impl Tail {
    /// `index` is the row's, where it has one.
    fn deliver(
        &mut self,
        layout: &Layout,
        payload: &[u8],
        index: Option<&RowIndex>,
        mut emit: impl FnMut(&[u8]),
    ) -> Result<Flow> {
        let is_held = self.sort.is_some();
        if !is_held && !self.window.admit() {
            return Ok(if self.window.is_shut() { Flow::Enough } else { Flow::More });
        }
        let index = match index {
            Some(index) if !index.is_empty() => index,
            _ if is_held || layout.hidden() > 0 => {
                layout.index(payload, &mut self.index)?;
                &self.index
            }
            _ => &self.index,
        };
        let row = layout.visible_row(payload, index, &mut self.scratch)?;
        if let Some((keys, sorter)) = &mut self.sort {
            sorter.push(row, |out| keys.put(layout, payload, index, out))?;
            return Ok(Flow::More);
        }
        emit(row);
        Ok(if self.window.is_shut() { Flow::Enough } else { Flow::More })
    }
}
