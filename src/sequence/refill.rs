//! Ranges: fetched by compare-and-set from whichever group answers.
//!
//! Owns: the order in which groups are asked, the rest that a failing one is given, making missing
//! tables and rows, and the comparison of what a group notes with what the rules declare: where the
//! two differ, nothing is handed out by any group, since the ranges of one way of cutting meet those
//! of the other. Never: decides when to fetch.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::backend::topology::Topology;
use crate::error::{Error, Result};
use crate::name::GroupName;
use crate::sequence::link::Link;
use crate::sequence::segment::{Lattice, Raise, Range, Stuck, Texts, parts_of_shape};

/// A group that failed is left alone for this long, then ever longer.
const REST: Duration = Duration::from_secs(1);
const REST_MOST: Duration = Duration::from_secs(30);

/// How often somebody else may be quicker before it counts as a failure.
const RACES: usize = 32;

/// Codes of errors after which no other group is asked: what a group has stored isn't what the rules
/// declare.
const ASTRAY: [&str; 2] = ["sequence_value", "sequence_shape"];

/// A group of a segment sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub group: GroupName,
    pub database: Arc<str>,
}

/// What fetches ranges.
#[derive(Debug)]
pub(super) struct Refill {
    sources: Vec<Source>,
    adjust: bool,
    /// Which group is asked first.
    turn: usize,
}

#[derive(Debug)]
struct Source {
    link: Link,
    lattice: Option<Lattice>,
    texts: Texts,
    /// The highest value seen there.
    seen: Option<i64>,
    failures: u32,
    resting_until: Option<Instant>,
    /// What it has stored is not what the rules declare: no other group is asked before it is.
    astray: bool,
}

/// What a group has of a sequence.
#[derive(Clone, Copy, Debug)]
struct Stored {
    value: Option<i64>,
    shape: Option<i64>,
}

impl Refill {
    pub fn new(
        name: &str,
        table: &str,
        places: &[Place],
        step: u64,
        start: u64,
        adjust: bool,
    ) -> Self {
        let count = places.len();
        let source = |(index, place): (usize, &Place)| Source {
            link: Link::new(place.group.clone()),
            lattice: Lattice::new(index, count, step, start),
            texts: Texts::new(&place.database, table, name),
            seen: None,
            failures: 0,
            resting_until: None,
            astray: false,
        };
        let sources = places.iter().enumerate().map(source).collect();
        Refill { sources, adjust, turn: rand::random_range(0..count.max(1)) }
    }

    /// So many ranges from one group: the next one in turn that answers. Those that rest are asked
    /// last. Each step is bounded in time.
    ///
    /// # Errors
    /// One sentence for each group.
    pub async fn fetch(
        &mut self,
        topology: &Topology,
        count: u32,
    ) -> Result<Vec<Range>, Vec<String>> {
        let all = self.sources.len();
        self.turn = (self.turn + 1) % all.max(1);
        let mut order: Vec<usize> = (0..all).map(|number| (self.turn + number) % all).collect();
        let now = Instant::now();
        let rests = |source: &Source| source.resting_until.is_some_and(|until| until > now);
        order.sort_by_key(|index| {
            let source = self.sources.get(*index);
            source.map(|source| (!source.astray, rests(source)))
        });
        let mut reasons = Vec::new();
        for index in order {
            let outcome = self.fetch_from(index, topology, count).await;
            let Some(source) = self.sources.get_mut(index) else { continue };
            match outcome {
                Ok(ranges) => {
                    source.failures = 0;
                    source.resting_until = None;
                    source.astray = false;
                    return Ok(ranges);
                }
                Err(error) => {
                    source.astray |= ASTRAY.contains(&error.code);
                    let rest = (REST * 2_u32.saturating_pow(source.failures)).min(REST_MOST);
                    source.failures = (source.failures + 1).min(10);
                    source.resting_until = Some(Instant::now() + rest);
                    reasons.push(format!("group '{}': {}", source.link.group(), error.message));
                    if source.astray {
                        return Err(reasons);
                    }
                }
            }
        }
        Err(reasons)
    }

    async fn fetch_from(
        &mut self,
        index: usize,
        topology: &Topology,
        count: u32,
    ) -> Result<Vec<Range>> {
        for _ in 0..RACES {
            let stored = self.stored(index, topology).await?;
            let Some(value) = stored.value else {
                self.create(index, topology).await?;
                continue;
            };
            let shape = self.source(index)?.lattice()?.shape();
            match stored.shape {
                Some(noted) if noted == shape => {}
                Some(noted) if self.adjust => {
                    match self.reshape(index, topology, value, noted, count).await? {
                        Some(ranges) => return Ok(ranges),
                        None => continue,
                    }
                }
                Some(noted) => return Err(reshaped(shape, noted)),
                None => {
                    self.note_shape(index, topology, value).await?;
                    continue;
                }
            }
            let raise = self.raise(index, topology, value, count).await?;
            let source = self.source(index)?;
            let sql = source.texts.compare_and_set(value, raise.value);
            if source.link.execute(topology, &sql).await? == 1 {
                source.seen = source.seen.max(Some(raise.value));
                return Ok(raise.ranges);
            }
        }
        Err(contended())
    }

    /// Moves a group's value up to this one, where it is below it; both are the lattice's.
    ///
    /// # Errors
    /// The group can't be asked, or what it has stored isn't what the rules declare.
    pub async fn pass(&mut self, topology: &Topology, index: usize, to: i64) -> Result<(), String> {
        let outcome = self.raise_to(index, topology, to).await;
        let group = self.sources.get(index).map(|source| source.link.group());
        outcome.map_err(|error| {
            format!("group '{}': {}", group.map_or("?", |g| g.as_str()), error.message)
        })
    }

    async fn raise_to(&mut self, index: usize, topology: &Topology, to: i64) -> Result<()> {
        for _ in 0..RACES {
            let stored = self.stored(index, topology).await?;
            let Some(value) = stored.value else {
                self.create(index, topology).await?;
                continue;
            };
            let source = self.source(index)?;
            let lattice = source.lattice()?;
            if stored.shape != Some(lattice.shape()) || !lattice.holds(value) {
                // This brings it into order, or says why not; the ranges are lost.
                self.fetch_from(index, topology, 1).await?;
                continue;
            }
            if value >= to {
                source.seen = source.seen.max(Some(value));
                return Ok(());
            }
            let sql = source.texts.raise(to);
            source.link.execute(topology, &sql).await?;
        }
        Err(contended())
    }

    /// By group, the highest value that was seen there.
    pub fn seen(&self) -> impl Iterator<Item = Option<i64>> {
        self.sources.iter().map(|source| source.seen)
    }

    async fn raise(
        &mut self,
        index: usize,
        topology: &Topology,
        value: i64,
        count: u32,
    ) -> Result<Raise> {
        let adjust = self.adjust;
        let source = self.source(index)?;
        let lattice = source.lattice()?;
        match lattice.raise(value, source.seen, count) {
            Ok(raise) => return Ok(raise),
            Err(Stuck::Exhausted) => {}
            Err(Stuck::OffLattice) if !adjust => return Err(off_lattice(value)),
            Err(Stuck::OffLattice) => {
                let highest = self.highest(index, topology).await?.unwrap_or(value).max(value);
                tracing::warn!(value, highest, "a sequence's value is adjusted");
                if let Ok(raise) = lattice.adjust(highest, count) {
                    return Ok(raise);
                }
            }
        }
        Err(exhausted())
    }

    /// The first contact with a group whose value has no shape beside it: TDDL's, or one that was
    /// made just now. All groups must be where the rules have them.
    async fn note_shape(&mut self, index: usize, topology: &Topology, value: i64) -> Result<()> {
        let adjust = self.adjust;
        for place in (0..self.sources.len()).filter(|_| !adjust) {
            let value = match place == index {
                true => Some(value),
                false => self.other(place, topology).await?.value,
            };
            let source = self.source(place)?;
            let lattice = source.lattice()?;
            if let Some(value) = value.filter(|value| !lattice.holds(*value)) {
                let error = off_lattice(value);
                let message = format!("in group '{}' {}", source.link.group(), error.message);
                return Err(Error { message, ..error });
            }
        }
        let source = self.source(index)?;
        let sql = source.texts.insert_shape(source.lattice()?.shape());
        match source.link.execute(topology, &sql).await {
            // Somebody else was quicker.
            Err(error) if error.errno == 1062 => Ok(()),
            other => other.map(drop),
        }
    }

    /// Ranges that are cut as the rules say now, above all that was handed out as they were cut
    /// before. `None` where somebody was quicker.
    async fn reshape(
        &mut self,
        index: usize,
        topology: &Topology,
        value: i64,
        noted: i64,
        count: u32,
    ) -> Result<Option<Vec<Range>>> {
        let highest = self.highest(index, topology).await?.unwrap_or(value).max(value);
        let (step, ..) = parts_of_shape(noted);
        tracing::warn!(value, highest, step, "a sequence's ranges are cut in another way");
        let source = self.source(index)?;
        let lattice = source.lattice()?;
        let floor = highest.checked_add(step.max(0));
        let Some(Ok(raise)) = floor.map(|floor| lattice.adjust(floor, count)) else {
            return Err(exhausted());
        };
        let set = source.texts.compare_and_set(value, raise.value);
        let shape = source.texts.reshape(noted, lattice.shape());
        let done = source.both(topology, &set, &shape).await?;
        if done {
            source.seen = source.seen.max(Some(raise.value));
        }
        Ok(done.then_some(raise.ranges))
    }

    /// What is stored; makes the table where there is none.
    async fn stored(&mut self, index: usize, topology: &Topology) -> Result<Stored> {
        let source = self.source(index)?;
        let rows: Result<Vec<(Option<i64>, Option<i64>)>> =
            source.link.rows(topology, &source.texts.select).await;
        match rows {
            Ok(rows) => {
                let (value, shape) = rows.first().copied().unwrap_or_default();
                Ok(Stored { value, shape })
            }
            Err(error) if error.errno == 1146 => {
                source.link.execute(topology, &source.texts.create).await?;
                Ok(Stored { value: None, shape: None })
            }
            Err(error) => Err(error),
        }
    }

    /// The same of a group that isn't the one in turn.
    async fn other(&mut self, index: usize, topology: &Topology) -> Result<Stored> {
        self.stored(index, topology).await.map_err(|error| Error {
            message: format!(
                "its row must be compared with the other groups', and one can't be asked: {}",
                error.message
            ),
            ..error
        })
    }

    /// Makes the group's row, above what other groups have stored.
    async fn create(&mut self, index: usize, topology: &Topology) -> Result<()> {
        let highest = self.highest(index, topology).await?;
        let source = self.source(index)?;
        let Some(value) = source.lattice()?.initial(highest) else {
            return Err(Error::unavailable("sequence_exhausted", "no BIGINT is left at its start"));
        };
        match source.link.execute(topology, &source.texts.insert(value)).await {
            // Somebody else was quicker.
            Err(error) if error.errno == 1062 => Ok(()),
            other => other.map(drop),
        }
    }

    /// The highest value that the other groups store: all must be asked, since one that isn't could
    /// be the highest.
    async fn highest(&mut self, index: usize, topology: &Topology) -> Result<Option<i64>> {
        let mut highest = None;
        for other in 0..self.sources.len() {
            if other != index {
                let value = self.other(other, topology).await?.value;
                highest = highest.max(value);
            }
        }
        Ok(highest)
    }

    fn source(&mut self, index: usize) -> Result<&mut Source> {
        let missing = || Error::internal("a group beyond the sequence's");
        self.sources.get_mut(index).ok_or_else(missing)
    }
}

impl Source {
    fn lattice(&self) -> Result<Lattice> {
        let huge = || {
            Error::unavailable("sequence_exhausted", "its step or number of groups is too large")
        };
        self.lattice.ok_or_else(huge)
    }

    /// Changes two rows, or none.
    async fn both(&mut self, topology: &Topology, one: &str, two: &str) -> Result<bool> {
        self.link.execute(topology, "START TRANSACTION").await?;
        let mut outcome = self.link.execute(topology, one).await;
        if matches!(outcome, Ok(1)) {
            outcome = self.link.execute(topology, two).await;
        }
        match outcome {
            Ok(1) => self.link.execute(topology, "COMMIT").await.map(|_| true),
            Ok(_) => self.link.execute(topology, "ROLLBACK").await.map(|_| false),
            // Where the connection is gone, so is the transaction: this one rolls nothing back.
            Err(error) => self.link.execute(topology, "ROLLBACK").await.and(Err(error)),
        }
    }
}

fn contended() -> Error {
    Error::unavailable("sequence_contention", "other proxies were quicker, again and again")
}

fn exhausted() -> Error {
    Error::unavailable("sequence_exhausted", "no BIGINT is left behind its value")
}

fn off_lattice(value: i64) -> Error {
    Error::unavailable(
        "sequence_value",
        format!(
            "its stored value {value} is none that this step and these groups can have left there, so \
             that ids could repeat: if step or groups were changed, take the change back, or set \
             'start' above every id that there is and 'adjust: true'"
        ),
    )
}

fn reshaped(declared: i64, noted: i64) -> Error {
    let words = |shape: i64| {
        let (step, groups, place) = parts_of_shape(shape);
        format!("step {step}, {groups} groups, this one in place {}", place + 1)
    };
    Error::unavailable(
        "sequence_shape",
        format!(
            "its ranges were cut in another way ({}) than the rules say now ({}), so that ids could \
             repeat: take the change back (the default for 'groups' are all of the schema's), give \
             the sequence another 'name' and a 'start' above every id that there is, or set \
             'adjust: true' with that 'start'",
            words(noted),
            words(declared),
        ),
    )
}
