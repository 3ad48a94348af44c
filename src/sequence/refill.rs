//! Ranges: fetched by compare-and-set from whichever group answers.
//!
//! Owns: the order in which groups are asked, the rest that a failing one is given, making missing
//! tables and rows. Never: decides when to fetch.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::backend::topology::Topology;
use crate::error::{Error, Result};
use crate::name::GroupName;
use crate::sequence::link::Link;
use crate::sequence::segment::{Lattice, Raise, Range, Stuck, Texts};

/// A group that failed is left alone for this long, then ever longer.
const REST: Duration = Duration::from_secs(1);
const REST_MOST: Duration = Duration::from_secs(30);

/// How often somebody else may be quicker before it counts as a failure.
const RACES: usize = 32;

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
        order.sort_by_key(|index| self.sources.get(*index).is_some_and(rests));
        let mut reasons = Vec::new();
        for index in order {
            let outcome = self.fetch_from(index, topology, count).await;
            let Some(source) = self.sources.get_mut(index) else { continue };
            match outcome {
                Ok(ranges) => {
                    source.failures = 0;
                    source.resting_until = None;
                    return Ok(ranges);
                }
                Err(error) => {
                    let rest = (REST * 2_u32.saturating_pow(source.failures)).min(REST_MOST);
                    source.failures = (source.failures + 1).min(10);
                    source.resting_until = Some(Instant::now() + rest);
                    reasons.push(format!("group '{}': {}", source.link.group(), error.message));
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
            let Some(value) = self.value(index, topology).await? else {
                self.create(index, topology).await?;
                continue;
            };
            let raise = self.raise(index, topology, value, count).await?;
            let source = self.source(index)?;
            let sql = source.texts.compare_and_set(value, raise.value);
            if source.link.execute(topology, &sql).await? == 1 {
                source.seen = source.seen.max(Some(raise.value));
                return Ok(raise.ranges);
            }
        }
        Err(Error::unavailable(
            "sequence_contention",
            "other proxies were quicker, again and again",
        ))
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
            Err(Stuck::OffLattice) if !adjust => {
                return Err(Error::unavailable(
                    "sequence_value",
                    format!(
                        "its stored value {value} is none that this step and these groups can have left \
                         there: if step or groups were changed, set 'start' above every id that there \
                         is and 'adjust: true'"
                    ),
                ));
            }
            Err(Stuck::OffLattice) => {
                let highest = self.highest(index, topology).await?.unwrap_or(value).max(value);
                tracing::warn!(value, highest, "a sequence's value is adjusted");
                if let Ok(raise) = lattice.adjust(highest, count) {
                    return Ok(raise);
                }
            }
        }
        Err(Error::unavailable("sequence_exhausted", "no BIGINT is left behind its value"))
    }

    /// The stored value; makes the table where there is none.
    async fn value(&mut self, index: usize, topology: &Topology) -> Result<Option<i64>> {
        let source = self.source(index)?;
        let values: Result<Vec<i64>> = source.link.rows(topology, &source.texts.select).await;
        match values {
            Ok(values) => Ok(values.first().copied()),
            Err(error) if error.errno == 1146 => {
                source.link.execute(topology, &source.texts.create).await?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
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
                let value = self.value(other, topology).await.map_err(|error| Error {
                    message: format!(
                        "its row must be made above the other groups' values, and one can't be asked: {}",
                        error.message
                    ),
                    ..error
                })?;
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
        let huge =
            || Error::unavailable("sequence_exhausted", "step times groups is beyond BIGINT");
        self.lattice.ok_or_else(huge)
    }
}
