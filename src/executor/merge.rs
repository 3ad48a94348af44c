//! Many ordered inputs become one: which input's row comes next, and what becomes of it.
//!
//! Owns: the tournament that picks the smallest head, and the way of a row through folding,
//! sorting, LIMIT and the cutting of hidden columns. Never: waits, reads a stream, or knows shards:
//! inputs are numbers, rows are bytes.

use smallvec::SmallVec;

use crate::error::{Error, Result};
use crate::executor::compare::Order;
use crate::executor::fold::{Folded, Folder};
use crate::executor::layout::Layout;
use crate::executor::limit::Window;
use crate::executor::memory::Memory;
use crate::executor::sort::Sorter;
use crate::planner::plan::{Gather, SortKey};
use crate::protocol::row::RowIndex;

/// Picks the input with the smallest head: a tree of losers, so that each new head costs one
/// comparison per level. Equal heads are given in the order of their inputs.
#[derive(Debug)]
pub struct Tournament {
    /// The head's key of each input; `None`: the input has ended.
    keys: Vec<Option<Vec<u8>>>,
    /// `losers[0]` is the winner; the others lost at their node.
    losers: Vec<usize>,
    /// Key buffers of ended inputs aren't needed again; this one is swapped in and out.
    spare: Vec<u8>,
}

impl Tournament {
    /// `inputs` inputs, all of them ended until [`Tournament::set`] says otherwise.
    pub fn new(inputs: usize) -> Self {
        Tournament { keys: vec![None; inputs], losers: vec![0; inputs.max(1)], spare: Vec::new() }
    }

    /// Gives an input its first head; [`Tournament::start`] follows once all have theirs.
    pub fn set(&mut self, input: usize, key: Option<Vec<u8>>) {
        if let Some(place) = self.keys.get_mut(input) {
            *place = key;
        }
    }

    /// Plays all matches.
    pub fn start(&mut self) {
        let inputs = self.keys.len();
        let mut winners = vec![0; 2 * inputs.max(1)];
        for input in 0..inputs {
            winners[inputs + input] = input;
        }
        for node in (1..inputs).rev() {
            let (left, right) = (winners[2 * node], winners[2 * node + 1]);
            let (winner, loser) =
                if self.is_before(right, left) { (right, left) } else { (left, right) };
            winners[node] = winner;
            self.losers[node] = loser;
        }
        self.losers[0] = winners[if inputs > 1 { 1 } else { inputs.min(1) }];
    }

    /// The input whose head comes next, `None` when all have ended.
    pub fn winner(&self) -> Option<usize> {
        let winner = *self.losers.first()?;
        self.keys.get(winner)?.is_some().then_some(winner)
    }

    /// The key of an input's head.
    pub fn key(&self, input: usize) -> Option<&[u8]> {
        self.keys.get(input)?.as_deref()
    }

    /// Replaces the winner's head by the input's next row, whose key `put_key` appends to an empty
    /// buffer. False where that key is smaller than the one before: the input isn't in order.
    pub fn advance(
        &mut self,
        input: usize,
        put_key: impl FnOnce(&mut Vec<u8>) -> Result<()>,
    ) -> Result<bool> {
        self.spare.clear();
        put_key(&mut self.spare)?;
        let Some(Some(key)) = self.keys.get_mut(input) else { return Ok(true) };
        std::mem::swap(key, &mut self.spare);
        if *key < self.spare {
            return Ok(false);
        }
        self.replay(input);
        Ok(true)
    }

    /// The winner's input has no more rows.
    pub fn end(&mut self, input: usize) {
        self.set(input, None);
        self.replay(input);
    }

    fn replay(&mut self, input: usize) {
        let mut winner = input;
        let mut node = (input + self.keys.len()) / 2;
        while node > 0 {
            let opponent = self.losers[node];
            if self.is_before(opponent, winner) {
                self.losers[node] = winner;
                winner = opponent;
            }
            node /= 2;
        }
        self.losers[0] = winner;
    }

    fn is_before(&self, left: usize, right: usize) -> bool {
        match (self.key(left), self.key(right)) {
            (Some(a), Some(b)) => (a, left) < (b, right),
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => left < right,
        }
    }
}

/// The columns that make up a key.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    parts: SmallVec<[Part; 4]>,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    column: usize,
    order: Order,
    descending: bool,
}

impl Keys {
    pub fn new(keys: &[SortKey], layout: &Layout) -> Result<Self> {
        let part = |key: &SortKey| {
            let column = key.column.index(layout.columns().len(), layout.hidden());
            let shape = layout.columns().get(column);
            let shape = shape.ok_or_else(|| Error::internal("a sort key names no column"))?;
            let order = match (Order::of_key(shape, layout.format())?, key.unit) {
                (Order::Bytes, unit) if unit > 0 => Order::Weights { unit },
                (order, _) => order,
            };
            Ok(Part { column, order, descending: key.descending })
        };
        Ok(Keys { parts: keys.iter().map(part).collect::<Result<_>>()? })
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Appends the key of a row.
    pub fn put(
        &self,
        layout: &Layout,
        payload: &[u8],
        index: &RowIndex,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        for part in &self.parts {
            let value = index.get(payload, part.column);
            part.order.put_key(layout.format(), value, part.descending, out)?;
        }
        Ok(())
    }
}

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
        Ok(Gathering { layout, merge_by, folder, tail })
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

    /// True where rows have to be indexed before they are pushed.
    pub fn is_folded(&self) -> bool {
        !self.folder.keeps()
    }

    /// True where no row is wanted at all.
    pub fn is_satisfied(&self) -> bool {
        self.tail.window.is_shut()
    }

    /// Finds the values of a row that became an input's head.
    pub fn index(&self, payload: &[u8], index: &mut RowIndex) -> Result<()> {
        self.layout.index(payload, index)
    }

    /// Appends the merge key of a row.
    pub fn put_key(&self, payload: &[u8], index: &RowIndex, out: &mut Vec<u8>) -> Result<()> {
        self.merge_by.put(&self.layout, payload, index, out)
    }

    /// Takes the next row in merged order; rows for the client go to `emit`.
    pub fn push(
        &mut self,
        key: &[u8],
        payload: &[u8],
        index: &RowIndex,
        emit: impl FnMut(&[u8]),
    ) -> Result<Flow> {
        match self.folder.push(&self.layout, key, payload, index)? {
            Folded::Nothing => Ok(Flow::More),
            Folded::Given => self.tail.deliver(&self.layout, payload, emit),
            Folded::Finished => self.tail.deliver(&self.layout, self.folder.finished(), emit),
        }
    }

    /// All inputs have ended: ends the last group and sorts. Then [`Gathering::sorted`] gives what
    /// was held back.
    pub fn finish(&mut self, emit: impl FnMut(&[u8])) -> Result<()> {
        if self.folder.end(&self.layout)? && !self.is_satisfied() {
            self.tail.deliver(&self.layout, self.folder.finished(), emit)?;
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
    fn deliver(
        &mut self,
        layout: &Layout,
        payload: &[u8],
        mut emit: impl FnMut(&[u8]),
    ) -> Result<Flow> {
        if let Some((keys, sorter)) = &mut self.sort {
            layout.index(payload, &mut self.index)?;
            let row = layout.visible_row(payload, &mut self.scratch)?;
            let index = &self.index;
            sorter.push(row, |out| keys.put(layout, payload, index, out))?;
            return Ok(Flow::More);
        }
        if self.window.admit() {
            emit(layout.visible_row(payload, &mut self.scratch)?);
        }
        Ok(if self.window.is_shut() { Flow::Enough } else { Flow::More })
    }
}
