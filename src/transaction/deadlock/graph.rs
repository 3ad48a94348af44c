//! Who waits for whom, and what follows from it.
//!
//! Owns: the parties of waits, the deadlocks among them and the order in which transactions give
//! way, and which transactions may stand in a deadlock that only other proxies' knowledge closes.
//! Never: asks a server.
//!
//! A server ends deadlocks between its own connections. What it can't see is a transaction that is
//! waited for at one connection and waits at another one: a *corner*. Each deadlock over groups has
//! some, and one of them gives way.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::transaction::xid::TransactionId;

/// A transaction over groups, whoever runs it. The greatest is the youngest, for every proxy alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rank {
    start: u64,
    number: u64,
    proxy: u16,
    run: u64,
    deployment: String,
}

impl From<TransactionId> for Rank {
    fn from(id: TransactionId) -> Self {
        let TransactionId { deployment, proxy, run, number, start } = id;
        Rank { start, number, proxy, run, deployment }
    }
}

impl Rank {
    pub fn id(&self) -> TransactionId {
        TransactionId {
            deployment: self.deployment.clone(),
            proxy: self.proxy,
            run: self.run,
            number: self.number,
            start: self.start,
        }
    }
}

/// A connection of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seat {
    /// The server, by the number that the looker gave it.
    pub server: usize,
    pub connection: u64,
}

/// Who waits or is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Party {
    Transaction(Rank),
    /// Nobody knows more of it.
    Connection(Seat),
}

/// One end of a wait.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct End {
    pub seat: Seat,
    /// The server's own number of the transaction there.
    pub engine: u64,
    pub party: Party,
}

/// One party waits for another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wait {
    pub waiter: End,
    pub holder: End,
}

type Steps<'a> = HashMap<&'a Party, Vec<&'a Party>>;

/// The deadlocks that no server sees: of each, the transactions of which one must give way, the
/// youngest first.
pub fn deadlocks(waits: &[Wait]) -> Vec<Vec<Rank>> {
    let left = trimmed(waits);
    let (ahead, behind) = steps(left.iter().copied());
    let mut done: HashSet<&Party> = HashSet::new();
    let mut found = Vec::new();
    for wait in &left {
        let start = &wait.waiter.party;
        if done.contains(start) {
            continue;
        }
        let before = reach([start], &behind);
        let knot: HashSet<&Party> =
            reach([start], &ahead).into_iter().filter(|party| before.contains(party)).collect();
        done.insert(start);
        done.extend(&knot);
        let within = left
            .iter()
            .copied()
            .filter(|wait| knot.contains(&wait.waiter.party) && knot.contains(&wait.holder.party));
        let corners = corners(within);
        if !corners.is_empty() {
            found.push(corners.into_iter().rev().cloned().collect());
        }
    }
    found
}

/// Corners that stand between parties of which this process doesn't know all: others may need to
/// know what is known of them here.
pub fn suspects(waits: &[Wait], is_own: impl Fn(&Rank) -> bool) -> BTreeSet<Rank> {
    let is_strange = |party: &&Party| match party {
        Party::Transaction(rank) => !is_own(rank),
        Party::Connection(_) => true,
    };
    let (ahead, behind) = steps(waits.iter());
    let strange: HashSet<&Party> =
        ahead.keys().chain(behind.keys()).copied().filter(is_strange).collect();
    let waiting_for = reach(strange.iter().copied(), &behind);
    let waited_for_by = reach(strange.iter().copied(), &ahead);
    corners(waits.iter())
        .into_iter()
        .filter(|rank| is_own(rank))
        .filter(|rank| {
            let party = Party::Transaction((*rank).clone());
            waiting_for.contains(&party) && waited_for_by.contains(&party)
        })
        .cloned()
        .collect()
}

/// The waits between parties that both wait and are waited for, again and again.
fn trimmed(waits: &[Wait]) -> Vec<&Wait> {
    let mut left: Vec<&Wait> = waits.iter().collect();
    loop {
        let waiting: HashSet<&Party> = left.iter().map(|wait| &wait.waiter.party).collect();
        let waited_for: HashSet<&Party> = left.iter().map(|wait| &wait.holder.party).collect();
        let before = left.len();
        left.retain(|wait| {
            waited_for.contains(&wait.waiter.party) && waiting.contains(&wait.holder.party)
        });
        if left.len() == before {
            return left;
        }
    }
}

/// Transactions that are waited for at one connection and wait at another.
fn corners<'a>(waits: impl Iterator<Item = &'a Wait>) -> BTreeSet<&'a Rank> {
    let mut seats: HashMap<&Rank, (BTreeSet<Seat>, BTreeSet<Seat>)> = HashMap::new();
    for wait in waits {
        if let Party::Transaction(rank) = &wait.waiter.party {
            seats.entry(rank).or_default().0.insert(wait.waiter.seat);
        }
        if let Party::Transaction(rank) = &wait.holder.party {
            seats.entry(rank).or_default().1.insert(wait.holder.seat);
        }
    }
    let turns = |(waits, held): &(BTreeSet<Seat>, BTreeSet<Seat>)| {
        waits.iter().any(|seat| held.iter().any(|other| other != seat))
    };
    seats.into_iter().filter(|(_, seats)| turns(seats)).map(|(rank, _)| rank).collect()
}

/// From each party to those that it waits for, and to those that wait for it.
fn steps<'a>(waits: impl Iterator<Item = &'a Wait>) -> (Steps<'a>, Steps<'a>) {
    let (mut ahead, mut behind) = (Steps::new(), Steps::new());
    for wait in waits {
        ahead.entry(&wait.waiter.party).or_default().push(&wait.holder.party);
        behind.entry(&wait.holder.party).or_default().push(&wait.waiter.party);
    }
    (ahead, behind)
}

/// Whoever is reached from these, by one step at least.
fn reach<'a>(from: impl IntoIterator<Item = &'a Party>, steps: &Steps<'a>) -> HashSet<&'a Party> {
    let mut seen = HashSet::new();
    let mut todo: Vec<&Party> = from.into_iter().collect();
    while let Some(party) = todo.pop() {
        for next in steps.get(party).into_iter().flatten() {
            if seen.insert(*next) {
                todo.push(next);
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(number: u64) -> Rank {
        Rank { start: 9, number, proxy: 1, run: 1, deployment: "d".to_owned() }
    }

    /// Transaction `number` at a server; each has one connection there.
    fn at(server: usize, number: u64) -> End {
        let seat = Seat { server, connection: number };
        End { seat, engine: number, party: Party::Transaction(rank(number)) }
    }

    /// A connection that nobody knows.
    fn strange(server: usize, connection: u64) -> End {
        let seat = Seat { server, connection };
        End { seat, engine: connection, party: Party::Connection(seat) }
    }

    fn wait(waiter: End, holder: End) -> Wait {
        Wait { waiter, holder }
    }

    fn numbers(waits: &[Wait]) -> Vec<Vec<u64>> {
        let found = deadlocks(waits);
        found.into_iter().map(|ring| ring.into_iter().map(|rank| rank.number).collect()).collect()
    }

    #[test]
    fn rings_over_groups_are_found_and_chains_are_not() {
        let chain = [wait(at(0, 1), at(0, 2)), wait(at(1, 2), at(1, 3))];
        assert!(numbers(&chain).is_empty());
        assert_eq!(numbers(&[wait(at(0, 1), at(0, 2)), wait(at(1, 2), at(1, 1))]), [[2, 1]]);
        // Through a connection of one group, with one more that waits for the ring.
        let ring = [
            wait(at(0, 1), strange(0, 9)),
            wait(strange(0, 9), at(0, 2)),
            wait(at(1, 2), at(1, 1)),
            wait(at(1, 3), at(1, 1)),
        ];
        assert_eq!(numbers(&ring), [[2, 1]]);
        // The server breaks its own.
        assert!(numbers(&[wait(at(0, 1), at(0, 2)), wait(at(0, 2), at(0, 1))]).is_empty());
        let three = [wait(at(0, 1), at(0, 2)), wait(at(1, 2), at(1, 3)), wait(at(2, 3), at(2, 1))];
        assert_eq!(numbers(&three), [[3, 2, 1]]);
        // 2 stands on one server alone, which every proxy sees alike: it isn't asked to give way.
        let passing =
            [wait(at(0, 1), at(0, 2)), wait(at(0, 2), at(0, 3)), wait(at(1, 3), at(1, 1))];
        assert_eq!(numbers(&passing), [[3, 1]]);
    }

    #[test]
    fn groups_on_one_server_are_told_apart_by_their_connections() {
        let on = |connection, number| End { seat: Seat { server: 0, connection }, ..at(0, number) };
        let ring = [wait(on(12, 1), on(22, 2)), wait(on(21, 2), on(11, 1))];
        assert_eq!(numbers(&ring), [[2, 1]]);
    }

    #[test]
    fn each_deadlock_has_its_own_victim() {
        let waits = [
            wait(at(0, 1), at(0, 2)),
            wait(at(1, 2), at(1, 1)),
            wait(at(0, 3), at(0, 4)),
            wait(at(1, 4), at(1, 3)),
            // The second waits for the first.
            wait(at(0, 3), at(0, 1)),
        ];
        let mut found = numbers(&waits);
        found.sort();
        assert_eq!(found, [[2, 1], [4, 3]]);
    }

    #[test]
    fn the_youngest_is_the_same_for_every_proxy() {
        let id = |proxy, number, start| TransactionId {
            deployment: "d".to_owned(),
            proxy,
            run: 5,
            number,
            start,
        };
        let (old, young) = (Rank::from(id(1, 900, 10)), Rank::from(id(2, 3, 11)));
        assert!(young > old);
        assert_eq!(young.id(), id(2, 3, 11));
    }

    #[test]
    fn rings_through_other_proxies_are_suspected() {
        let suspected = |waits: &[Wait]| {
            let found = suspects(waits, |rank| rank.number < 100);
            found.into_iter().map(|rank| rank.number).collect::<Vec<_>>()
        };
        let ring = [wait(at(0, 1), strange(0, 9)), wait(strange(1, 9), at(1, 1))];
        assert_eq!(suspected(&ring), [1]);
        // Others' transactions are no better known than their connections.
        assert_eq!(suspected(&[wait(at(0, 1), at(0, 100)), wait(strange(1, 9), at(1, 1))]), [1]);
        // In and out at one connection: that server's, and what is beyond it others tell.
        assert!(
            suspected(&[wait(at(0, 1), strange(0, 9)), wait(strange(0, 8), at(0, 1))]).is_empty()
        );
        assert!(suspected(&ring[..1]).is_empty() && suspected(&ring[1..]).is_empty());
        // By a chain of own ones, whose ends others see.
        let chain = [
            wait(strange(0, 9), at(0, 1)),
            wait(at(1, 1), at(1, 2)),
            wait(at(0, 2), strange(0, 8)),
        ];
        assert_eq!(suspected(&chain), [1, 2]);
        // All of it is known here.
        assert!(suspected(&[wait(at(0, 1), at(0, 2)), wait(at(1, 2), at(1, 1))]).is_empty());
    }
}
