//! Which of many ordered inputs has the smallest head.
//!
//! Owns: the heads' keys and the tree of losers over them. Never: reads a row, or knows what an input
//! is but its number.

use std::cmp::Ordering;

use crate::error::Result;
use crate::executor::key::Key;

/// Picks the input with the smallest head: a tree of losers, so that each new head costs one
/// comparison per level. Equal heads are given in the order of their inputs.
#[derive(Debug)]
pub struct Tournament {
    /// The head of each input.
    heads: Vec<Head>,
    /// `losers[0]` is the winner; the others lost at their node.
    losers: Vec<usize>,
    /// The key that a new head is read into, then swapped with the old one.
    spare: Key,
}

#[derive(Clone, Debug, Default)]
struct Head {
    key: Key,
    is_there: bool,
}

impl Tournament {
    /// `inputs` inputs, all of them ended until [`Tournament::set`] says otherwise.
    pub fn new(inputs: usize) -> Self {
        let losers = vec![0; inputs.max(1)];
        Tournament { heads: vec![Head::default(); inputs], losers, spare: Key::default() }
    }

    /// Gives an input its first head, whose key `read` makes; [`Tournament::start`] follows once all
    /// have theirs.
    pub fn set(&mut self, input: usize, read: impl FnOnce(&mut Key) -> Result<()>) -> Result<()> {
        let Some(head) = self.heads.get_mut(input) else { return Ok(()) };
        head.is_there = true;
        read(&mut head.key)
    }

    /// Plays all matches.
    pub fn start(&mut self) {
        let inputs = self.heads.len();
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
        self.heads.get(winner)?.is_there.then_some(winner)
    }

    /// The key of an input's head.
    pub fn key(&self, input: usize) -> Option<&Key> {
        self.heads.get(input).filter(|head| head.is_there).map(|head| &head.key)
    }

    /// Replaces the winner's head by the input's next row, whose key `read` makes. False where that
    /// key is smaller than the one before: the input isn't in order.
    pub fn advance(
        &mut self,
        input: usize,
        read: impl FnOnce(&mut Key) -> Result<()>,
    ) -> Result<bool> {
        read(&mut self.spare)?;
        let Some(head) = self.heads.get_mut(input).filter(|head| head.is_there) else {
            return Ok(true);
        };
        if self.spare < head.key {
            return Ok(false);
        }
        std::mem::swap(&mut head.key, &mut self.spare);
        self.replay(input);
        Ok(true)
    }

    /// The winner's input has no more rows.
    pub fn end(&mut self, input: usize) {
        if let Some(head) = self.heads.get_mut(input) {
            head.is_there = false;
        }
        self.replay(input);
    }

    fn replay(&mut self, input: usize) {
        let mut winner = input;
        let mut node = (input + self.heads.len()) / 2;
        while node > 0 {
            let opponent = self.losers[node];
            let (next, loser) = match self.is_before(opponent, winner) {
                true => (opponent, winner),
                false => (winner, opponent),
            };
            self.losers[node] = loser;
            winner = next;
            node /= 2;
        }
        self.losers[0] = winner;
    }

    fn is_before(&self, left: usize, right: usize) -> bool {
        let (Some(a), Some(b)) = (self.heads.get(left), self.heads.get(right)) else {
            return false;
        };
        if !(a.is_there && b.is_there) {
            return a.is_there || (!b.is_there && left < right);
        }
        match a.key.front().cmp(&b.key.front()) {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal => a.key.cmp_behind(&b.key).then(left.cmp(&right)).is_lt(),
        }
    }
}
