//! TDDL's group sequence: N groups that hand out ranges which never meet.
//!
//! Owns: the arithmetic of the lattice, the ranges held in memory, and the SQL of the
//! compare-and-set. Never: sends it.
//!
//! With an inner step S and N groups, group `i` stores a value that is `i × S` modulo `N × S`. To
//! take a range it raises the value by `N × S` and owns the S values behind the new one. The groups
//! know nothing of each other, and any number of processes may use each.

use std::collections::VecDeque;
use std::time::Duration;

use crate::rules::algorithm::hash::xxh64;

/// One group's place in a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lattice {
    index: i64,
    step: i64,
    outer: i64,
    /// No value is handed out below it.
    start: i64,
}

/// First and last value.
pub type Range = (u64, u64);

/// One raise of a group's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raise {
    /// What the group stores from now on.
    pub value: i64,
    pub ranges: Vec<Range>,
}

/// Why a group's value can't be raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// The value is not one that this step and these groups can have stored.
    OffLattice,
    /// The next range lies beyond BIGINT.
    Exhausted,
}

impl Lattice {
    /// The place of group number `index` of `groups`; `None` where the numbers don't fit.
    pub fn new(index: usize, groups: usize, step: u64, start: u64) -> Option<Self> {
        let step = i64::try_from(step).ok().filter(|step| (1..MOST_STEP).contains(step))?;
        let index = i64::try_from(index).ok().filter(|_| index < groups)?;
        let groups = i64::try_from(groups).ok().filter(|groups| *groups < SHAPE_GROUPS)?;
        let outer = step.checked_mul(groups)?;
        Some(Lattice { index, step, outer, start: i64::try_from(start).ok()? })
    }

    /// Whether a stored value is one of this place's.
    pub fn holds(&self, value: i64) -> bool {
        value.rem_euclid(self.outer) == self.index * self.step
    }

    /// The lowest value of this place that is `floor` or higher.
    pub fn at_least(&self, floor: i64) -> Option<i64> {
        let behind = (self.index * self.step - floor).rem_euclid(self.outer);
        floor.checked_add(behind)
    }

    /// What a group without a row begins with. `highest`: of the other groups' values; the rows of
    /// a sequence that has begun must not be handed out again by a group that comes to it.
    pub fn initial(&self, highest: Option<i64>) -> Option<i64> {
        let first = self.at_least(self.start - 1)?.checked_sub(self.outer)?;
        match highest {
            Some(highest) if highest > first => self.at_least(highest),
            _ => Some(first),
        }
    }

    /// Takes `count` ranges behind a stored value. `seen`: the highest value that this process has
    /// seen stored there; a promoted replica may be behind it.
    ///
    /// # Errors
    /// The value is off the lattice, or the ranges beyond BIGINT.
    pub fn raise(&self, value: i64, seen: Option<i64>, count: u32) -> Result<Raise, Stuck> {
        if !self.holds(value) {
            return Err(Stuck::OffLattice);
        }
        let from = seen.map_or(value, |seen| seen.max(value));
        self.raise_above(from, count)
    }

    /// The same behind a value that is off the lattice, above everything that any group has stored.
    ///
    /// # Errors
    /// The ranges lie beyond BIGINT.
    pub fn adjust(&self, highest: i64, count: u32) -> Result<Raise, Stuck> {
        let from = self.at_least(highest).ok_or(Stuck::Exhausted)?;
        self.raise_above(from, count)
    }

    fn raise_above(&self, from: i64, count: u32) -> Result<Raise, Stuck> {
        let fits = || -> Option<Raise> {
            let floor = self.at_least(self.start - 1)?;
            let mut base = from.checked_add(self.outer)?.max(floor);
            let mut ranges = Vec::new();
            for number in 0..count.max(1) {
                if number > 0 {
                    base = base.checked_add(self.outer)?;
                }
                let last = base.checked_add(self.step)?;
                ranges.push((u64::try_from(base + 1).ok()?, u64::try_from(last).ok()?));
            }
            Some(Raise { value: base, ranges })
        };
        fits().ok_or(Stuck::Exhausted)
    }

    /// Whether a range that begins behind this value lies below the start: none will be taken there.
    pub fn is_below_start(&self, value: i64) -> bool {
        self.at_least(self.start - 1).is_some_and(|floor| value < floor)
    }

    /// The step, the number of groups and this one's place among them as one number: what a group
    /// notes beside its value, so that ranges are never cut out of it in another way.
    pub fn shape(&self) -> i64 {
        self.step * SHAPE_GROUPS * SHAPE_GROUPS + self.outer / self.step * SHAPE_GROUPS + self.index
    }

    /// The difference between two neighbouring values of this place: TDDL's outer step.
    pub fn outer(&self) -> i64 {
        self.outer
    }
}

/// The number of groups and a group's place have three digits each in a shape.
const SHAPE_GROUPS: i64 = 1000;

/// The least step that is too large for a shape.
const MOST_STEP: i64 = i64::MAX / (SHAPE_GROUPS * SHAPE_GROUPS);

/// The step, the number of groups and the group's place that a noted shape says.
pub fn parts_of_shape(shape: i64) -> (i64, i64, i64) {
    let groups = shape / SHAPE_GROUPS % SHAPE_GROUPS;
    (shape / (SHAPE_GROUPS * SHAPE_GROUPS), groups, shape % SHAPE_GROUPS)
}

/// The ranges that a process holds of one sequence.
#[derive(Clone, Debug)]
pub struct Ranges {
    step: u64,
    held: VecDeque<Range>,
    /// How many untouched ranges are to be held.
    ahead: u32,
}

/// The most ranges held ahead.
const MOST_AHEAD: u32 = 256;

/// The most ranges of which a part was used: the shortest one is given up for a further one.
const MOST_OPENED: usize = 4;

/// Ranges that last less than this are fetched more at a time, those that last
/// [`LONG`] fewer.
const SHORT: Duration = Duration::from_millis(500);
const LONG: Duration = Duration::from_secs(10);

impl Ranges {
    pub fn new(step: u64) -> Self {
        Ranges { step, held: VecDeque::new(), ahead: 1 }
    }

    /// The first of `count` consecutive values, from the oldest range that has so many.
    pub fn take(&mut self, count: u64) -> Option<u64> {
        let length = |(first, last): &Range| last - first + 1;
        let place = self.held.iter().position(|range| length(range) >= count)?;
        let (first, last) = *self.held.get(place)?;
        if first + count > last {
            self.held.remove(place);
        } else if let Some(range) = self.held.get_mut(place) {
            range.0 = first + count;
        }
        let opened = self.held.iter().filter(|range| length(range) < self.step).count();
        if opened > MOST_OPENED {
            let shortest = self.held.iter().enumerate().min_by_key(|(_, range)| length(range));
            if let Some((place, _)) = shortest {
                self.held.remove(place);
            }
        }
        Some(first)
    }

    pub fn add(&mut self, ranges: impl IntoIterator<Item = Range>) {
        self.held.extend(ranges);
    }

    /// How many ranges should be fetched now.
    pub fn missing(&self) -> u32 {
        let whole = self.held.iter().filter(|(first, last)| last - first + 1 >= self.step).count();
        self.ahead.saturating_sub(u32::try_from(whole).unwrap_or(u32::MAX))
    }

    /// Ranges were fetched so long after the last time: decides how many are held from now on.
    pub fn pace(&mut self, since: Duration) {
        if since < SHORT {
            self.ahead = (self.ahead * 2).min(MOST_AHEAD);
        } else if since > LONG {
            self.ahead = (self.ahead / 2).max(1);
        }
    }

    /// A row has this value: it isn't handed out any more, nor what stands before it in its range.
    pub fn pass(&mut self, value: u64) {
        let holds = |range: &Range| (range.0..=range.1).contains(&value);
        let Some(place) = self.held.iter().position(holds) else { return };
        match self.held.get_mut(place) {
            Some((first, last)) if value < *last => *first = value + 1,
            _ => drop(self.held.remove(place)),
        }
    }

    /// How many values are left.
    pub fn left(&self) -> u64 {
        self.held.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// The value that comes next.
    pub fn next(&self) -> Option<u64> {
        self.held.front().map(|(first, _)| *first)
    }
}

/// A group's table of sequences: TDDL's, so that its rows can be taken over. Beside a sequence's
/// value stands its shape, in a row of its own.
#[derive(Clone, Debug)]
pub struct Texts {
    pub create: String,
    /// The value, if there is one, and the shape, if it is noted.
    pub select: String,
    name: String,
    shape: String,
    table: String,
}

impl Texts {
    pub fn new(database: &str, table: &str, name: &str) -> Self {
        let table = format!("{}.{}", quoted(database), quoted(table));
        let (name, shape) = (literal(name), literal(&shape_name(name)));
        Texts {
            create: format!(
                "CREATE TABLE IF NOT EXISTS {table} (\
                 name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY, \
                 value BIGINT NOT NULL, gmt_modified DATETIME NOT NULL) ENGINE=InnoDB"
            ),
            select: format!(
                "SELECT (SELECT value FROM {table} WHERE name = {name}), \
                 (SELECT value FROM {table} WHERE name = {shape})"
            ),
            name,
            shape,
            table,
        }
    }

    pub fn insert(&self, value: i64) -> String {
        self.insert_row(&self.name, value)
    }

    pub fn insert_shape(&self, shape: i64) -> String {
        self.insert_row(&self.shape, shape)
    }

    fn insert_row(&self, name: &str, value: i64) -> String {
        let table = &self.table;
        format!("INSERT INTO {table} (name, value, gmt_modified) VALUES ({name}, {value}, NOW())")
    }

    /// Moves the value up to this one, where it is below it.
    pub fn raise(&self, to: i64) -> String {
        let Texts { name, table, .. } = self;
        format!(
            "UPDATE {table} SET value = GREATEST(value, {to}), gmt_modified = NOW() WHERE name = {name}"
        )
    }

    /// Changes one row where nobody was quicker, otherwise none.
    pub fn compare_and_set(&self, before: i64, after: i64) -> String {
        self.change(&self.name, before, after)
    }

    /// The same for the shape.
    pub fn reshape(&self, before: i64, after: i64) -> String {
        self.change(&self.shape, before, after)
    }

    fn change(&self, name: &str, before: i64, after: i64) -> String {
        let table = &self.table;
        format!(
            "UPDATE {table} SET value = {after}, gmt_modified = NOW() \
             WHERE name = {name} AND value = {before}"
        )
    }
}

/// The name of a sequence's second row; the column has 64 characters.
fn shape_name(name: &str) -> String {
    const SUFFIX: &str = "#shape";
    if name.chars().count() + SUFFIX.len() <= 64 {
        return format!("{name}{SUFFIX}");
    }
    let begin: String = name.chars().take(41).collect();
    let hash = xxh64(name.as_bytes());
    format!("{begin}#{hash:016x}{SUFFIX}")
}

/// A name in backticks.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text as hex digits, which no sql_mode reads otherwise.
pub(super) fn literal(text: &str) -> String {
    let digits: String = text.bytes().map(|byte| format!("{byte:02X}")).collect();
    format!("_utf8mb4 0x{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn ranges_are_tddls() {
        // TDDL: inner step 1000, two groups; group 1 stores 1000, raises it to 3000, and hands out
        // 3001 to 4000.
        let lattice = Lattice::new(1, 2, 1000, 1).unwrap();
        let raise = lattice.raise(1000, None, 1).unwrap();
        assert_eq!(raise, Raise { value: 3000, ranges: vec![(3001, 4000)] });
        let raise = lattice.raise(1000, None, 2).unwrap();
        assert_eq!(raise, Raise { value: 5000, ranges: vec![(3001, 4000), (5001, 6000)] });
        assert_eq!(lattice.raise(1001, None, 1), Err(Stuck::OffLattice));
        assert_eq!(lattice.raise(2000, None, 1), Err(Stuck::OffLattice));
        assert_eq!(lattice.outer(), 2000);
    }

    #[test]
    fn a_sequence_begins_at_its_start() {
        let first = |index, start| {
            let lattice = Lattice::new(index, 3, 100, start).unwrap();
            let value = lattice.initial(None).unwrap();
            assert!(lattice.holds(value));
            lattice.raise(value, None, 1).unwrap().ranges[0]
        };
        assert_eq!([first(0, 1), first(1, 1), first(2, 1)], [(1, 100), (101, 200), (201, 300)]);
        assert_eq!(first(0, 1_000_000), (1_000_201, 1_000_300));
        assert_eq!(first(1, 1_000_000), (1_000_001, 1_000_100));
        assert_eq!(first(0, 301), (301, 400));
        // Raised later, the start moves on what has begun.
        let lattice = Lattice::new(0, 3, 100, 5001).unwrap();
        assert_eq!(lattice.raise(300, None, 1).unwrap().ranges[0], (5101, 5200));
    }

    #[test]
    fn what_comes_late_begins_above_the_others() {
        let lattice = Lattice::new(2, 3, 100, 1).unwrap();
        let value = lattice.initial(Some(9000)).unwrap();
        assert_eq!(value, 9200);
        // A promoted replica that lost 900 isn't believed by who has seen it.
        let lattice = Lattice::new(0, 3, 100, 1).unwrap();
        assert_eq!(lattice.raise(600, Some(900), 1).unwrap().value, 1200);
        // Another step had left 450 here; the highest of all groups was 1000.
        assert_eq!(
            lattice.adjust(1000, 1).unwrap(),
            Raise { value: 1500, ranges: vec![(1501, 1600)] }
        );
    }

    #[test]
    fn the_end_of_bigint_is_an_end() {
        let lattice = Lattice::new(0, 1, 1000, 1).unwrap();
        let last = lattice.at_least(i64::MAX - 1999).unwrap();
        assert_eq!(lattice.raise(last, None, 1), Err(Stuck::Exhausted));
        assert_eq!(Lattice::new(0, 2, u64::MAX, 1), None);
        assert_eq!(Lattice::new(2, 2, 10, 1), None);
    }

    #[test]
    fn a_statements_values_are_consecutive() {
        let mut ranges = Ranges::new(10);
        assert_eq!(ranges.take(1), None);
        ranges.add([(1, 10), (21, 30)]);
        assert_eq!(ranges.take(7), Some(1));
        assert_eq!(ranges.take(4), Some(21), "3 are left in the first range");
        assert_eq!(ranges.take(3), Some(8));
        assert_eq!((ranges.left(), ranges.next()), (6, Some(25)));
        assert_eq!(ranges.take(11), None);
        assert_eq!(ranges.take(6), Some(25));
        assert_eq!((ranges.left(), ranges.missing()), (0, 1));
    }

    #[test]
    fn what_a_row_has_is_not_handed_out() {
        let mut ranges = Ranges::new(10);
        ranges.add([(1, 10), (21, 30)]);
        ranges.pass(15);
        ranges.pass(24);
        assert_eq!((ranges.left(), ranges.next()), (16, Some(1)));
        ranges.pass(10);
        assert_eq!((ranges.left(), ranges.next()), (6, Some(25)));
        ranges.pass(24);
        assert_eq!(ranges.take(6), Some(25));
    }

    #[test]
    fn more_is_held_of_what_goes_fast() {
        let mut ranges = Ranges::new(10);
        for _ in 0..20 {
            ranges.pace(Duration::from_millis(10));
        }
        assert_eq!(ranges.missing(), MOST_AHEAD);
        for _ in 0..20 {
            ranges.pace(Duration::from_secs(60));
        }
        assert_eq!(ranges.missing(), 1);
    }

    #[test]
    fn a_shape_says_how_ranges_are_cut() {
        let lattice = Lattice::new(1, 2, 1000, 1).unwrap();
        assert_eq!(lattice.shape(), 1_000_002_001);
        assert_eq!(parts_of_shape(1_000_002_001), (1000, 2, 1));
        assert_eq!(Lattice::new(0, 1000, 1, 1), None);
        assert_eq!(Lattice::new(0, 1, 1 << 50, 1), None);
        assert_eq!(shape_name("orders"), "orders#shape");
        let long = "ä".repeat(60);
        let name = shape_name(&long);
        assert_eq!((name.chars().count(), name.ends_with("#shape")), (64, true));
        assert_ne!(name, shape_name(&format!("{long}a")));
    }

    #[test]
    fn names_are_quoted() {
        let texts = Texts::new("a`b", "t", "it's");
        assert_eq!(
            texts.compare_and_set(1, 2),
            "UPDATE `a``b`.`t` SET value = 2, gmt_modified = NOW() \
             WHERE name = _utf8mb4 0x69742773 AND value = 1"
        );
        assert!(texts.insert(-5).contains("VALUES (_utf8mb4 0x69742773, -5, NOW())"));
    }

    proptest! {
        /// Any number of processes over any number of groups, in any order, with a group's value
        /// falling back on a failover that loses nothing: no value twice, none below the start.
        #[test]
        fn values_never_repeat(
            groups in 1_usize..5,
            step in 1_u64..20,
            start in 1_u64..500,
            turns in prop::collection::vec((0_usize..5, 1_u32..4), 1..100),
        ) {
            let lattices: Vec<Lattice> =
                (0..groups).map(|index| Lattice::new(index, groups, step, start).unwrap()).collect();
            let mut stored: Vec<Option<i64>> = vec![None; groups];
            let mut seen = HashSet::new();
            for (group, count) in turns {
                let group = group % groups;
                let highest = stored.iter().flatten().copied().max();
                let value = stored[group].unwrap_or_else(|| lattices[group].initial(highest).unwrap());
                let raise = lattices[group].raise(value, None, count).unwrap();
                prop_assert!(raise.value > value && lattices[group].holds(raise.value));
                stored[group] = Some(raise.value);
                for (first, last) in raise.ranges {
                    prop_assert_eq!(last - first + 1, step);
                    prop_assert!(first >= start);
                    for value in first..=last {
                        prop_assert!(seen.insert(value), "{} twice", value);
                    }
                }
            }
        }

        #[test]
        fn what_is_taken_was_there_once(
            counts in prop::collection::vec(1_u64..12, 1..200),
        ) {
            let mut ranges = Ranges::new(10);
            let (mut next, mut seen) = (1_u64, HashSet::new());
            for count in counts {
                if ranges.missing() > 0 {
                    ranges.add([(next, next + 9)]);
                    next += 20;
                }
                if let Some(first) = ranges.take(count) {
                    for value in first..first + count {
                        prop_assert!(value % 20 >= 1 && value % 20 <= 10);
                        prop_assert!(seen.insert(value), "{} twice", value);
                    }
                }
            }
        }
    }
}
