//! The merge of rows that go to the client as they are, in the order of one short key: most of what is
//! merged, and the cheapest way to do it.
//!
//! Owns: the runs of rows that are framed ahead, and the loop over them. Never: takes a row apart
//! beyond its key; a row that needs more than that goes the way of [`super::Merging::merge`], one by
//! one.
//!
//! A few hundred rows of each input are framed at a time, their keys read in one go. What is left to do
//! for each row is to play a tournament of numbers and to copy the packet.

use smallvec::SmallVec;

use crate::error::Result;
use crate::executor::merge::{Flow, Gathering};
use crate::executor::stream::{Found, Input, Merging, Rows, Stop, blame, no_lane};
use crate::wire::stream::Stream;

/// How many rows of an input are framed at a time: their keys stay in a core's cache.
const AHEAD: usize = 256;

/// Rows for the client are sent in pieces of about this many bytes: what a socket takes at once.
const PIECE: usize = 60 << 10;

/// The key of an input without rows: no other one is as great.
const ENDED: u128 = u128::MAX;

/// Rows of an input that are framed: whole packets at the front of what its lane has buffered.
#[derive(Debug, Default)]
struct Run {
    rows: Vec<Framed>,
    /// The next row, and where it begins.
    next: usize,
    start: usize,
}

#[derive(Clone, Copy, Debug)]
struct Framed {
    /// With the input's number in the bits that keys leave free.
    key: u128,
    /// Where the packet ends, from the front.
    end: usize,
}

/// The smallest of the inputs' keys: a tree of losers. Keys are told apart by their inputs' numbers, so
/// there are no equal ones.
#[derive(Debug)]
struct Tree {
    /// `losers[0]` is the winner; the others lost at their node.
    losers: Vec<u128>,
}

impl Tree {
    fn new(keys: &[u128]) -> Tree {
        let inputs = keys.len();
        let mut losers = vec![ENDED; inputs.max(1)];
        let mut winners = vec![ENDED; 2 * inputs.max(1)];
        for (place, key) in winners.iter_mut().skip(inputs).zip(keys) {
            *place = *key;
        }
        for node in (1..inputs).rev() {
            let (left, right) = (winners[2 * node], winners[2 * node + 1]);
            (winners[node], losers[node]) = (left.min(right), left.max(right));
        }
        losers[0] = winners[if inputs > 1 { 1 } else { inputs.min(1) }];
        Tree { losers }
    }

    fn winner(&self) -> u128 {
        self.losers.first().copied().unwrap_or(ENDED)
    }

    /// Puts an input's next key in the place of the winner's, which was its.
    fn replace(&mut self, input: usize, key: u128) {
        let mut winner = key;
        let mut node = (input + self.losers.len()) / 2;
        while node > 0 {
            let Some(loser) = self.losers.get_mut(node) else { return };
            (winner, *loser) = (winner.min(*loser), winner.max(*loser));
            node /= 2;
        }
        if let Some(top) = self.losers.first_mut() {
            *top = winner;
        }
    }
}

impl Run {
    fn key(&self) -> Option<u128> {
        self.rows.get(self.next).map(|row| row.key)
    }

    /// Leaves the rows behind that went.
    fn pass(&mut self, stream: &mut Stream) {
        stream.pass_rows(self.next, self.start);
        self.rows.drain(..self.next);
        for row in &mut self.rows {
            row.end -= self.start;
        }
        (self.next, self.start) = (0, 0);
    }

    /// Frames what has arrived; all rows that were framed have gone, the last of them with that key.
    /// False where a row is smaller than the one before it.
    fn frame(
        &mut self,
        stream: &mut Stream,
        gathering: &Gathering,
        place: usize,
        mut last: u128,
    ) -> Result<bool> {
        self.pass(stream);
        let rows = &mut self.rows;
        let (mut end, mut in_order) = (0, true);
        stream.rows_ahead(AHEAD, |length, row| {
            let key = gathering.short_key(row)? | place as u128;
            in_order &= last <= key;
            last = key;
            end += length;
            rows.push(Framed { key, end });
            Ok(())
        })?;
        Ok(in_order)
    }
}

/// Why rows aren't merged on.
enum Stand {
    /// The winner's row isn't framed: it was taken out of its lane.
    Taken(usize),
    /// The last framed row of an input went, and stands in the tree until there is another.
    Through(usize),
    /// Enough waits for the client.
    Pace,
    /// All inputs have ended, or LIMIT is satisfied.
    End,
}

impl Merging<'_, '_> {
    /// Whether all rows can be merged in runs.
    pub(super) fn is_quick(&self) -> bool {
        let is_live = |input: &Input<'_>| input.is_as_due() && matches!(input.rows, Rows::Live);
        let can_be_told = self.inputs.len() <= usize::from(u16::MAX);
        self.gathering.is_quick() && can_be_told && self.inputs.iter().all(is_live)
    }

    pub(super) async fn merge_runs(&mut self) -> Result<(), Stop> {
        let mut runs = Vec::new();
        runs.resize_with(self.inputs.len(), Run::default);
        let mut keys = Vec::with_capacity(runs.len());
        for place in 0..runs.len() {
            keys.push(self.next_key(place, 0, &mut runs).await?);
        }
        let mut tree = Tree::new(&keys);
        loop {
            match self.merge_framed(&mut tree, &mut runs) {
                Stand::Pace => self.keep_pace().await?,
                Stand::End => return Ok(()),
                Stand::Taken(place) => {
                    if self.push(place, None)? == Flow::Enough {
                        return Ok(());
                    }
                    tree.replace(place, self.next_key(place, tree.winner(), &mut runs).await?);
                    self.keep_pace().await?;
                }
                Stand::Through(place) => {
                    if self.client.pending_write() > PIECE {
                        self.keep_pace().await?;
                    }
                    tree.replace(place, self.next_key(place, tree.winner(), &mut runs).await?);
                }
            }
        }
    }

    /// The key of an input's next row, which is framed or taken; the last one had the key `last`.
    async fn next_key(&mut self, place: usize, last: u128, runs: &mut [Run]) -> Result<u128, Stop> {
        loop {
            let input = self.inputs.get_mut(place).ok_or_else(no_lane)?;
            let lane = self.lanes.get_mut(input.lane).ok_or_else(no_lane)?;
            let run = runs.get_mut(place).ok_or_else(no_lane)?;
            let stream = &mut lane.connection.stream;
            let framed = run.frame(stream, &self.gathering, place, last);
            if !framed.map_err(|error| Stop::Failed(blame(lane, error)))? {
                return Err(self.disorder(place));
            }
            if let Some(key) = run.key() {
                return Ok(key);
            }
            match self.find(place)? {
                (Found::End, _) => return Ok(ENDED),
                (Found::Row, _) => {
                    let key = self.read(place, |gathering, row, _| gathering.short_key(row))?;
                    let key = key | place as u128;
                    return if last <= key { Ok(key) } else { Err(self.disorder(place)) };
                }
                (Found::Nothing, lane) => {
                    // What went counts for no window.
                    for (run, input) in runs.iter_mut().zip(&self.inputs) {
                        let lane = self.lanes.get_mut(input.lane).ok_or_else(no_lane)?;
                        run.pass(&mut lane.connection.stream);
                    }
                    self.wait(lane).await?;
                }
            }
        }
    }

    /// Merges framed rows as far as they go.
    fn merge_framed(&mut self, tree: &mut Tree, runs: &mut [Run]) -> Stand {
        let Merging { client, lanes, inputs, gathering, sent, since_yield, .. } = self;
        let buffer = |input: &Input<'_>| {
            lanes.get(input.lane).map_or(&[][..], |lane| lane.connection.stream.buffer())
        };
        let buffers: SmallVec<[&[u8]; 16]> = inputs.iter().map(buffer).collect();
        let mut writer = client.row_writer();
        let before = writer.pending();
        let is_open = gathering.is_open();
        let stand = loop {
            let key = tree.winner();
            if key == ENDED {
                break Stand::End;
            }
            let place = usize::from(key as u16);
            let (Some(run), Some(buffer)) = (runs.get_mut(place), buffers.get(place)) else {
                break Stand::End;
            };
            let Some(&Framed { end, .. }) = run.rows.get(run.next) else {
                break Stand::Taken(place);
            };
            if is_open || gathering.admit() {
                writer.push(buffer.get(run.start..end).unwrap_or_default());
                *sent += 1;
            }
            run.start = end;
            run.next += 1;
            if !is_open && gathering.is_satisfied() {
                break Stand::End;
            }
            match run.key() {
                Some(key) => tree.replace(place, key),
                None => break Stand::Through(place),
            }
            if writer.pending() > PIECE {
                break Stand::Pace;
            }
        };
        *since_yield += writer.pending() - before;
        stand
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_gives_the_smallest_key_of_any_number_of_inputs() {
        for inputs in 1..20_usize {
            let mut left: Vec<u128> =
                (0..inputs).map(|input| 7 + (input * 31 % 5) as u128).collect();
            let key = |left: &[u128], input: usize| (left[input] << 16) | input as u128;
            let keys: Vec<u128> = (0..inputs).map(|input| key(&left, input)).collect();
            let mut tree = Tree::new(&keys);
            for step in 0..200_u128 {
                let smallest = (0..inputs).map(|input| key(&left, input)).min().unwrap();
                assert_eq!(tree.winner(), smallest);
                let input = usize::from(smallest as u16);
                left[input] += step * 7 % 3;
                tree.replace(input, key(&left, input));
            }
            for _ in 0..inputs {
                assert_ne!(tree.winner(), ENDED);
                tree.replace(usize::from(tree.winner() as u16), ENDED);
            }
            assert_eq!(tree.winner(), ENDED);
        }
        assert_eq!(Tree::new(&[]).winner(), ENDED);
    }
}
