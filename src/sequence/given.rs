//! Ids that a statement gives itself: the sequence moves past them, as a server's counter does.
//!
//! Owns: which group's value an id concerns, and waiting until that is known to be high enough.
//! Never: raises it ([`super::refill`] does, in the sequence's task), or looks at a statement.
//!
//! Each id lies in the range of one group, and only that group could hand it out. So where this
//! process knows that the group's value is behind the id already, there is nothing to do, and
//! otherwise one row is raised, before the statement is sent. What is held here of the id's own
//! range is given up to the id. What another process holds of it can't be reached: that is for the
//! rules' README to say.
//!
//! Snowflake ids need nothing of it: those of the past never come again, and one of the future
//! would have to name the millisecond, the worker and the counter.

use tokio::time::{Instant, timeout_at};

use crate::error::{Error, Result};
use crate::sequence::segment::Lattice;
use crate::sequence::{Segment, Sequence, Source};

/// What is known of the groups' values, and what they are wanted to be.
#[derive(Debug)]
pub(super) struct Floors {
    /// By group, the highest value known to be stored.
    known: Vec<i64>,
    /// By group, the value that an id wants.
    wanted: Vec<i64>,
    /// By group, how often a value couldn't be raised.
    failures: Vec<u64>,
    /// Why, the last time.
    problem: Option<String>,
}

impl Floors {
    pub fn new(groups: usize) -> Self {
        let none = vec![i64::MIN; groups];
        Floors { known: none.clone(), wanted: none, failures: vec![0; groups], problem: None }
    }

    /// The groups whose value is to be raised, and to what.
    pub fn missing(&self) -> Vec<(usize, i64)> {
        let both = self.known.iter().zip(&self.wanted).enumerate();
        both.filter(|(_, (known, wanted))| known < wanted)
            .map(|(group, (_, wanted))| (group, *wanted))
            .collect()
    }

    /// So much is stored.
    pub fn learn(&mut self, known: impl Iterator<Item = Option<i64>>) {
        for (before, now) in self.known.iter_mut().zip(known) {
            *before = (*before).max(now.unwrap_or(i64::MIN));
        }
    }

    /// An attempt to raise a group's value is over: who still wants it says so again.
    pub fn tried(&mut self, group: usize, outcome: Result<(), String>) {
        if let Some(wanted) = self.wanted.get_mut(group) {
            *wanted = i64::MIN;
        }
        if let Err(problem) = outcome {
            self.problem = Some(problem);
            if let Some(failures) = self.failures.get_mut(group) {
                *failures += 1;
            }
        }
    }

    /// Whether a group's value is high enough; if not, it is noted as wanted.
    fn covers(&mut self, group: usize, value: i64) -> bool {
        if self.known.get(group).is_some_and(|known| *known >= value) {
            return true;
        }
        if let Some(wanted) = self.wanted.get_mut(group) {
            *wanted = (*wanted).max(value);
        }
        false
    }
}

impl Sequence {
    /// Moves the sequence past ids that rows are given. Returns at once where it is known to be
    /// there; otherwise it waits, at most until `deadline`.
    ///
    /// # Errors
    /// A group's value couldn't be raised within the deadline: it might hand the id out again.
    pub async fn pass(&self, ids: &[u64], deadline: Instant) -> Result<()> {
        let Source::Segment(segment) = &self.source else { return Ok(()) };
        let mut failures: Option<u64> = None;
        loop {
            let mut notified = std::pin::pin!(segment.fetched.notified());
            notified.as_mut().enable();
            let Some(now) = segment.lacking(ids) else { return Ok(()) };
            if now > *failures.get_or_insert(now) {
                return Err(self.behind(segment, ids));
            }
            segment.wanted.notify_one();
            if timeout_at(deadline, notified).await.is_err() {
                return Err(self.behind(segment, ids));
            }
        }
    }

    fn behind(&self, segment: &Segment, ids: &[u64]) -> Error {
        let problem = segment.state().floors.problem.clone();
        let reason = problem.unwrap_or_else(|| "its groups haven't answered yet".to_owned());
        let highest = ids.iter().max().copied().unwrap_or_default();
        Error::unavailable(
            "sequence_behind",
            format!(
                "The statement gives ids (up to {highest}) that sequence '{}' may come to later, and its \
                 stored value couldn't be moved past them: {reason}",
                self.title()
            ),
        )
    }
}

impl Segment {
    /// Gives up what is held of the ids' ranges. `None` where no group can hand any of them out;
    /// otherwise how often the values that lack were tried in vain.
    fn lacking(&self, ids: &[u64]) -> Option<u64> {
        let spec = &self.spec;
        let groups = spec.places.len();
        let mut state = self.state();
        let mut lacking: Option<u64> = None;
        for id in ids {
            state.ranges.pass(*id);
            let Some((group, value)) = place(*id, spec.step, groups) else { continue };
            let lattice = Lattice::new(group, groups, spec.step, spec.start);
            if lattice.is_none_or(|lattice| lattice.is_below_start(value)) {
                continue;
            }
            if !state.floors.covers(group, value) {
                let failures = state.floors.failures.get(group).copied().unwrap_or_default();
                lacking = Some(lacking.unwrap_or_default().max(failures));
            }
        }
        lacking
    }
}

/// The group in whose range an id lies, and the value behind which that range begins. `None` for 0
/// and beyond BIGINT, which no sequence hands out.
fn place(id: u64, step: u64, groups: usize) -> Option<(usize, i64)> {
    let step = step.max(1);
    let number = id.checked_sub(1)? / step;
    let value = i64::try_from(id).ok().and_then(|_| i64::try_from(number * step).ok())?;
    let group = usize::try_from(number % u64::try_from(groups.max(1)).ok()?).ok()?;
    Some((group, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_lies_in_one_range() {
        assert_eq!(place(1, 1000, 2), Some((0, 0)));
        assert_eq!(place(1000, 1000, 2), Some((0, 0)));
        assert_eq!(place(1001, 1000, 2), Some((1, 1000)));
        assert_eq!(place(3001, 1000, 2), Some((1, 3000)));
        assert_eq!(place(0, 1000, 2), None);
        assert_eq!(place(u64::MAX, 1000, 2), None);
        assert!(place(i64::MAX as u64, 1000, 2).is_some());
    }

    proptest! {
        /// A group that has raised its value to there hands the id out no more, and no other does.
        #[test]
        fn past_it_no_range_has_it(
            id in 1_u64..5_000,
            step in 1_u64..50,
            groups in 1_usize..5,
            start in 1_u64..300,
            raises in 1_u32..40,
        ) {
            let (own, value) = place(id, step, groups).unwrap();
            for group in 0..groups {
                let lattice = Lattice::new(group, groups, step, start).unwrap();
                let mut stored = lattice.initial(None).unwrap();
                if group == own && !lattice.is_below_start(value) {
                    stored = stored.max(value);
                    prop_assert!(lattice.holds(stored));
                }
                for _ in 0..raises {
                    let raise = lattice.raise(stored, None, 3).unwrap();
                    stored = raise.value;
                    for (first, last) in raise.ranges {
                        prop_assert!(!(first..=last).contains(&id));
                    }
                }
            }
        }
    }
}
