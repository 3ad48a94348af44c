//! Deadlocks over groups: no server sees them, and both sides would wait out the lock timeout.
//!
//! Owns: collecting who waits for whom from the groups' lock tables, finding rings among them, and
//! choosing one transaction to end a ring. Never: looks while no transaction over groups is older
//! than a look's interval, so that quick ones cost nothing.
//!
//! Each group is asked at another moment, so a ring must be seen twice. Connections of other proxies
//! can't be told apart by transaction; a transaction that has waited for one of them on one group
//! while another of them waited for it on a second group is taken for a ring after some seconds,
//! which differ from proxy to proxy, so that not both sides give way.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::backend::kill::Scope;
use crate::backend::topology::Topology;
use crate::context::Context;
use crate::context::ledger::Living;
use crate::name::GroupName;
use crate::transaction::store::Store;

/// Between the two looks that must agree; MariaDB keeps its answer for 100 ms.
const SECOND_LOOK: Duration = Duration::from_millis(120);
/// How long a suspected ring through other proxies is borne, and the spread on top of it.
const FOREIGN_PATIENCE: Duration = Duration::from_millis(1500);
const FOREIGN_SPREAD: Duration = Duration::from_millis(2000);

/// Who waits or is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Party {
    /// A transaction over groups of this process, by its number.
    Own(u64),
    /// A connection that belongs to nobody known here: group (by place) and server's id.
    Other(usize, u64),
}

/// One party waits for another, at a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Wait {
    waiter: Party,
    holder: Party,
    group: usize,
    /// The waiter's connection there.
    connection: u64,
}

/// Looks for as long as the process lives.
pub async fn watch(context: Arc<Context>) {
    let mut stores = HashMap::new();
    let mut suspected: HashMap<u64, Instant> = HashMap::new();
    loop {
        let every = context.config().transactions.deadlocks_every.0;
        tokio::time::sleep(if every.is_zero() { Duration::from_secs(1) } else { every }).await;
        let old = |living: &&Arc<Living>| living.since.elapsed() >= every;
        if every.is_zero() || context.ledger.living().iter().filter(old).count() == 0 {
            suspected.clear();
            continue;
        }
        let waits = look(&context, &mut stores).await;
        let first = rings(&waits);
        if !first.is_empty() {
            tokio::time::sleep(SECOND_LOOK).await;
            let again = look(&context, &mut stores).await;
            for ring in rings(&again).into_iter().filter(|ring| first.contains(ring)) {
                end(&context, &ring, &again).await;
            }
        }
        foreign(&context, &waits, &mut suspected).await;
    }
}

/// Everybody's waits on every group, as far as they can be asked.
async fn look(context: &Arc<Context>, stores: &mut HashMap<GroupName, Store>) -> Vec<Wait> {
    let snapshot = context.snapshot();
    let topology: &Topology = &snapshot.topology;
    let mut owners: HashMap<(usize, u64), u64> = HashMap::new();
    for living in context.ledger.living() {
        for member in living.members() {
            let place = topology.groups().iter().position(|group| *group.name() == member.group);
            if let Some(place) = place {
                owners.insert((place, member.handle.connection_id()), living.number);
            }
        }
    }
    let used: HashSet<usize> = owners.keys().map(|(place, _)| *place).collect();
    let mut waits = Vec::new();
    for (place, group) in topology.groups().iter().enumerate() {
        if !used.contains(&place) {
            continue;
        }
        if !stores.get(group.name()).is_some_and(|store| store.is_of(group)) {
            match Store::open(group, &snapshot.rules.settings.commit_database).await {
                Ok(store) => drop(stores.insert(group.name().clone(), store)),
                Err(_) => continue,
            }
        }
        let Some(store) = stores.get_mut(group.name()) else { continue };
        let pairs = match store.lock_waits().await {
            Ok(pairs) => pairs,
            Err(error) => {
                tracing::debug!(group = %group.name(), %error, "lock waits can't be seen");
                stores.remove(group.name());
                continue;
            }
        };
        let party = |connection| match owners.get(&(place, connection)) {
            Some(number) => Party::Own(*number),
            None => Party::Other(place, connection),
        };
        waits.extend(pairs.into_iter().map(|(waiter, holder)| Wait {
            waiter: party(waiter),
            holder: party(holder),
            group: place,
            connection: waiter,
        }));
    }
    waits
}

/// The rings among the waits, each as its own transactions' numbers, ascending. A ring within one
/// group is the server's matter.
fn rings(waits: &[Wait]) -> Vec<Vec<u64>> {
    let mut found = Vec::new();
    let starts: HashSet<Party> = waits.iter().map(|wait| wait.waiter).collect();
    for start in starts.into_iter().filter(|party| matches!(party, Party::Own(_))) {
        let Some(path) = path(waits, start, start) else { continue };
        let mut own: Vec<u64> = path
            .iter()
            .filter_map(|wait| match wait.waiter {
                Party::Own(number) => Some(number),
                Party::Other(..) => None,
            })
            .collect();
        own.sort_unstable();
        let groups: HashSet<usize> = path.iter().map(|wait| wait.group).collect();
        if groups.len() > 1 && !found.contains(&own) {
            found.push(own);
        }
    }
    found
}

/// The shortest way along waits from one party to another, at least one wait long.
fn path(waits: &[Wait], from: Party, to: Party) -> Option<Vec<Wait>> {
    let mut came: HashMap<Party, Wait> = HashMap::new();
    let mut queue = std::collections::VecDeque::from([from]);
    while let Some(party) = queue.pop_front() {
        for wait in waits.iter().filter(|wait| wait.waiter == party) {
            if came.contains_key(&wait.holder) {
                continue;
            }
            came.insert(wait.holder, *wait);
            if wait.holder == to {
                let mut way = vec![*wait];
                while let Some(last) = way.last()
                    && last.waiter != from
                {
                    let before = came.get(&last.waiter)?;
                    way.push(*before);
                }
                way.reverse();
                return Some(way);
            }
            queue.push_back(wait.holder);
        }
    }
    None
}

/// Ends a ring: the youngest of its transactions gives way.
async fn end(context: &Arc<Context>, ring: &[u64], waits: &[Wait]) {
    let Some(victim) = ring.iter().max() else { return };
    give_way(context, *victim, waits).await;
}

async fn give_way(context: &Arc<Context>, number: u64, waits: &[Wait]) {
    let Some(living) = context.ledger.living().into_iter().find(|living| living.number == number)
    else {
        return;
    };
    let waiting: Vec<u64> = waits
        .iter()
        .filter(|wait| wait.waiter == Party::Own(number))
        .map(|wait| wait.connection)
        .collect();
    if living.choose() {
        context.ledger.counters.deadlocks.fetch_add(1, Ordering::Relaxed);
    }
    for member in living.members() {
        if !waiting.contains(&member.handle.connection_id()) {
            continue;
        }
        tracing::info!(id = %living.id, group = %member.group, "gives way in a deadlock over groups");
        if let Err(error) = member.handle.kill(Scope::Query).await {
            tracing::warn!(id = %living.id, group = %member.group, %error, "the victim of a deadlock wasn't stopped");
        }
    }
}

/// Transactions that may stand in a ring with other proxies': ended once they have for long enough.
async fn foreign(context: &Arc<Context>, waits: &[Wait], suspected: &mut HashMap<u64, Instant>) {
    let now: HashSet<u64> = suspects(waits);
    suspected.retain(|number, _| now.contains(number));
    for number in now {
        let since = *suspected.entry(number).or_insert_with(Instant::now);
        // The same for a transaction at each look, another one for each transaction and proxy.
        let dice = (number ^ context.ledger.run).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let spread = FOREIGN_SPREAD.mul_f64(dice as f64 / f64::from(u32::MAX));
        if since.elapsed() >= FOREIGN_PATIENCE + spread {
            give_way(context, number, waits).await;
            suspected.remove(&number);
        }
    }
}

/// Own transactions that wait, by whatever chain, for an unknown connection at one group, while an
/// unknown one at another group waits for them.
fn suspects(waits: &[Wait]) -> HashSet<u64> {
    let mut found = HashSet::new();
    for wait in waits {
        let Party::Own(number) = wait.waiter else { continue };
        let unknown = |party: Party| match party {
            Party::Other(group, _) => Some(group),
            Party::Own(_) => None,
        };
        let ahead: HashSet<usize> =
            reach(waits, wait.waiter, true).into_iter().filter_map(unknown).collect();
        let behind: HashSet<usize> =
            reach(waits, wait.waiter, false).into_iter().filter_map(unknown).collect();
        if ahead.iter().any(|here| behind.iter().any(|there| here != there)) {
            found.insert(number);
        }
    }
    found
}

/// All parties that one waits for, or that wait for it.
fn reach(waits: &[Wait], from: Party, ahead: bool) -> HashSet<Party> {
    let mut seen = HashSet::new();
    let mut todo = vec![from];
    while let Some(party) = todo.pop() {
        for wait in waits {
            let (here, there) =
                if ahead { (wait.waiter, wait.holder) } else { (wait.holder, wait.waiter) };
            if here == party && seen.insert(there) {
                todo.push(there);
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(waiter: Party, holder: Party, group: usize) -> Wait {
        Wait { waiter, holder, group, connection: 0 }
    }

    #[test]
    fn rings_over_groups_are_found_and_chains_are_not() {
        let (a, b, c) = (Party::Own(1), Party::Own(2), Party::Own(3));
        let other = Party::Other(0, 9);
        assert!(rings(&[wait(a, b, 0), wait(b, c, 1)]).is_empty());
        assert_eq!(rings(&[wait(a, b, 0), wait(b, a, 1)]), [[1, 2]]);
        // Through a connection of a transaction of one group.
        assert_eq!(
            rings(&[wait(a, other, 0), wait(other, b, 0), wait(b, a, 1), wait(c, a, 1)]),
            [[1, 2]]
        );
        // The server breaks its own.
        assert!(rings(&[wait(a, b, 0), wait(b, a, 0)]).is_empty());
        assert_eq!(rings(&[wait(a, b, 0), wait(b, c, 1), wait(c, a, 2)]), [[1, 2, 3]]);
    }

    #[test]
    fn rings_through_other_proxies_are_suspected() {
        let (a, here, there) = (Party::Own(1), Party::Other(0, 9), Party::Other(1, 9));
        assert_eq!(suspects(&[wait(a, here, 0), wait(there, a, 1)]), HashSet::from([1]));
        assert!(suspects(&[wait(a, here, 0), wait(Party::Other(0, 8), a, 0)]).is_empty());
        assert!(suspects(&[wait(a, here, 0)]).is_empty());
        assert!(suspects(&[wait(there, a, 1)]).is_empty());
    }
}
