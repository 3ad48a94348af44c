//! Which node of a group answers: the rule, without the doing.
//!
//! Owns: who may be primary, and the order in which nodes are tried for a read. Never: asks a
//! server, draws a number or keeps anything.

use std::time::Duration;

use tokio::time::Instant;

use crate::backend::node::{Health, Standing};
use crate::backend::spec::Declared;

/// What a statement asks of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Writes, and all that must see the newest rows.
    Primary,
    /// A replica, or the primary where no replica can answer.
    Replica,
    /// Any node, by weight.
    Any,
}

impl Role {
    pub fn text(self) -> &'static str {
        match self {
            Role::Primary => "primary",
            Role::Replica => "replica",
            Role::Any => "node",
        }
    }
}

/// What the choice sees of a node.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    pub declared: Declared,
    pub weight: u32,
    /// Whether it stands in the proxy's own zone (also where no zones are named).
    pub near: bool,
    pub health: &'a Health,
}

/// The primary after a probe, given the one before. A writable node that follows no other takes
/// over; while two are writable the old one stays, and at the start the declared one is taken.
/// `None`: no node can be it.
pub fn primary(candidates: &[Candidate<'_>], before: Option<usize>) -> Option<usize> {
    let fits = |place: usize| candidates.get(place).is_some_and(writable);
    if let Some(place) = before.filter(|&place| fits(place)) {
        return Some(place);
    }
    let confirmed = |place: &usize| fits(*place) && is_confirmed(&candidates[*place]);
    let declared = |place: &usize| candidates[*place].declared == Declared::Primary;
    let all = || 0..candidates.len();
    all()
        .find(|place| confirmed(place) && declared(place))
        .or_else(|| all().find(|place| confirmed(place) && !candidates[*place].health.replicating))
        .or_else(|| all().find(|place| fits(*place) && declared(place)))
}

/// Not down, and not known to refuse writes. An unprobed node counts only if it was declared so.
fn writable(candidate: &Candidate<'_>) -> bool {
    match (candidate.health.standing, candidate.health.read_only) {
        (Standing::Down, _) | (_, Some(true)) => false,
        (_, Some(false)) => true,
        (_, None) => candidate.declared == Declared::Primary,
    }
}

fn is_confirmed(candidate: &Candidate<'_>) -> bool {
    candidate.health.read_only == Some(false)
}

/// The nodes that may answer a read, by how gladly they are used.
struct Tiers {
    near: Vec<usize>,
    far: Vec<usize>,
    /// Doubtful ones, those of weight 0, and the primary where a replica is wanted.
    last: Vec<usize>,
}

fn tiers(
    candidates: &[Candidate<'_>],
    role: Role,
    primary: Option<usize>,
    max_lag: Option<Duration>,
) -> Tiers {
    let mut tiers = Tiers { near: Vec::new(), far: Vec::new(), last: Vec::new() };
    for (place, candidate) in candidates.iter().enumerate() {
        if candidate.health.standing == Standing::Down {
            continue;
        }
        let is_primary = primary == Some(place);
        if !is_primary && !fresh(candidate, max_lag) {
            continue;
        }
        let wanted = role == Role::Any || !is_primary;
        let doubtful = candidate.health.standing == Standing::Suspect;
        match candidate.near {
            _ if !wanted || doubtful || candidate.weight == 0 => tiers.last.push(place),
            true => tiers.near.push(place),
            false => tiers.far.push(place),
        }
    }
    tiers.last.sort_by_key(|&place| candidates[place].health.standing == Standing::Suspect);
    tiers
}

/// Whether a read that must show what was committed by `after` may run there.
pub fn has_seen(health: &Health, after: Option<Instant>) -> bool {
    after.is_none_or(|after| health.applied.is_some_and(|applied| applied > after))
}

/// The nodes to try for a read, best first. `dice` is a random number that decides by weight.
pub fn readers(
    candidates: &[Candidate<'_>],
    role: Role,
    primary: Option<usize>,
    max_lag: Option<Duration>,
    dice: u64,
) -> Vec<usize> {
    let tiers = tiers(candidates, role, primary, max_lag);
    let mut order = shuffle(candidates, tiers.near, dice);
    order.extend(shuffle(candidates, tiers.far, dice.rotate_left(32)));
    order.extend(tiers.last);
    order
}

/// The first choice of [`readers`] prepared: draws one node by weight without looking at any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// Place, and the sum of the weights up to and with it.
    places: Vec<(usize, u64)>,
}

impl Shares {
    pub fn of(
        candidates: &[Candidate<'_>],
        role: Role,
        primary: Option<usize>,
        max_lag: Option<Duration>,
    ) -> Shares {
        let tiers = tiers(candidates, role, primary, max_lag);
        let chosen = [tiers.near, tiers.far, tiers.last].into_iter().find(|tier| !tier.is_empty());
        let mut sum = 0;
        let places = chosen.unwrap_or_default().into_iter().map(|place| {
            sum += u64::from(candidates[place].weight.max(1));
            (place, sum)
        });
        Shares { places: places.collect() }
    }

    /// The node that the dice show; `None` where no node can answer.
    pub fn draw(&self, dice: u64) -> Option<usize> {
        let total = self.places.last()?.1;
        let mark = dice % total;
        self.places.iter().find(|(_, sum)| mark < *sum).map(|(place, _)| *place)
    }
}

/// Whether a replica is close enough behind. A replica whose replication stands still is not.
fn fresh(candidate: &Candidate<'_>, max_lag: Option<Duration>) -> bool {
    let health = candidate.health;
    if !health.replicating {
        // Another primary of the group (multi-source, group replication) or not probed yet. A
        // former primary that came back and follows nobody holds rows of its own.
        return health.read_only != Some(false) || candidate.declared == Declared::Replica;
    }
    match (health.lag, max_lag) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(lag), Some(max)) => lag <= max,
    }
}

/// A random order in which each place's chance of being first is its weight's share.
fn shuffle(candidates: &[Candidate<'_>], mut places: Vec<usize>, mut dice: u64) -> Vec<usize> {
    let mut order = Vec::with_capacity(places.len());
    while places.len() > 1 {
        dice = mix(dice);
        let total: u64 = places.iter().map(|&place| u64::from(candidates[place].weight)).sum();
        let mut mark = dice % total.max(1);
        let pick = places.iter().position(|&place| {
            let weight = u64::from(candidates[place].weight);
            let here = mark < weight;
            mark = mark.saturating_sub(weight);
            here
        });
        order.push(places.remove(pick.unwrap_or(0)));
    }
    order.extend(places);
    order
}

/// SplitMix64's finaliser: spreads a counter over all bits.
pub fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
