//! Deadlocks over groups: no server sees them, and both sides would wait out the lock timeout.
//!
//! Owns: collecting who waits for whom from the groups' lock tables ([`look`]), naming them, and
//! ending one transaction of each deadlock ([`graph`]). Never: looks while no transaction over groups
//! is older than half of a look's interval, so that quick ones cost nothing.
//!
//! Each server is asked at another moment, so what counts is what two looks have alike: the first
//! one had ended everywhere before the second began, so that all of it held at the moment between
//! them. A server knows connections only. Whose they are each proxy knows of its own transactions, and
//! tells the others ([`announce`]) of those that may stand in a deadlock with them. All take the same
//! transaction for the one to give way, the youngest, and its own proxy ends it.

mod announce;
mod graph;
mod look;
mod seal;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use announce::{Announcer, Entry};
use graph::{End, Party, Rank, Seat, Wait};
use look::{Looker, Seen};

use crate::backend::group::Group;
use crate::backend::kill::{KillHandle, Scope};
use crate::backend::node::Node;
use crate::backend::topology::Topology;
use crate::context::Context;
use crate::context::ledger::Living;
use crate::error::Result;
use crate::name::GroupName;
use crate::transaction::conclude::join;
use crate::transaction::store::Store;
use crate::transaction::xid::TransactionId;

/// Between two looks while there is something to find out; MariaDB keeps its answer for 100 ms.
const SOON: Duration = Duration::from_millis(105);
/// For how long, unless there is something new.
const ALERT: Duration = Duration::from_secs(2);
/// What the first look may be shown.
const OLDEST: Duration = Duration::from_secs(1);
/// A transaction that was told to give way has this long to do so.
const GRACE: Duration = Duration::from_secs(1);
/// A proxy that doesn't end its own transaction may have died; the next one of another proxy gives way.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks for as long as the process lives.
pub async fn watch(context: Arc<Context>) {
    let mut watch = Watch::default();
    loop {
        let every = context.config().transactions.deadlocks_every.0;
        let pause = if watch.is_alert() { every.min(SOON) } else { every };
        tokio::time::sleep(if every.is_zero() { Duration::from_secs(1) } else { pause }).await;
        let old = |living: &Arc<Living>| living.since.elapsed() >= every / 2;
        if every.is_zero() || !context.ledger.living().iter().any(old) {
            watch.rest();
            continue;
        }
        watch.turn(&context).await;
    }
}

/// Whose a connection is.
#[derive(Clone)]
struct Owner {
    rank: Rank,
    group: GroupName,
    handle: KillHandle,
}

type Owners = HashMap<Seat, Owner>;

/// A look at one server.
type Work<'a> = Pin<Box<dyn Future<Output = (usize, Result<(Looker, Option<Seen>)>)> + Send + 'a>>;

/// What is remembered between looks.
#[derive(Default)]
struct Watch {
    /// Addresses of servers; their places are their numbers.
    servers: Vec<String>,
    lookers: HashMap<usize, Looker>,
    /// What the last look saw, and when it ended.
    before: HashSet<Wait>,
    looked: Option<Instant>,
    /// Own transactions that may stand in a deadlock with others'.
    suspects: BTreeSet<Rank>,
    /// Groups where others' suspects wait.
    beyond: HashSet<GroupName>,
    announcer: Announcer,
    alert: Option<Instant>,
    /// When own ones were told to give way, and others' were first seen to have to.
    told: HashMap<Rank, Instant>,
}

impl Watch {
    fn is_alert(&self) -> bool {
        self.alert.is_some_and(|since| since.elapsed() < ALERT)
    }

    /// Nothing is to be found out.
    fn rest(&mut self) {
        self.before.clear();
        self.suspects.clear();
        self.beyond.clear();
        self.told.clear();
        self.announcer.tell(HashMap::new());
        self.alert = None;
    }

    async fn turn(&mut self, context: &Arc<Context>) {
        let snapshot = context.snapshot();
        let database = &snapshot.rules.settings.commit_database;
        let before = self.owners(context);
        let seen = self.look(&snapshot.topology, &before, database).await;
        // A connection that changed hands meanwhile is nobody's.
        let after = self.owners(context);
        let whose = |seat: &Seat| match (before.get(seat), after.get(seat)) {
            (Some(one), Some(other)) if one.rank == other.rank => Ok(Some(other)),
            (None, None) => Ok(None),
            _ => Err(()),
        };
        let waits: HashSet<Wait> = seen
            .iter()
            .flat_map(|(server, seen)| seen.waits.iter().map(|wait| (*server, *wait)))
            .filter_map(|(server, (waiter, holder))| {
                let end = |(connection, engine): look::Place| {
                    let seat = Seat { server, connection };
                    let party = match whose(&seat).ok()? {
                        Some(owner) => Party::Transaction(owner.rank.clone()),
                        None => Party::Connection(seat),
                    };
                    Some(End { seat, engine, party })
                };
                Some(Wait { waiter: end(waiter)?, holder: end(holder)? })
            })
            .collect();
        let stable: Vec<Wait> =
            waits.iter().filter(|wait| self.before.contains(wait)).cloned().collect();
        self.before = waits;
        let own: HashSet<&Rank> = after.values().map(|owner| &owner.rank).collect();
        self.tell(&after, &own);
        self.hear(&seen, &own);
        let stable: Vec<Wait> = stable.into_iter().map(|wait| named(wait, &seen)).collect();
        self.end(context, &stable, &after, &own).await;
    }

    /// The number of a server.
    fn server(&mut self, node: &Node) -> usize {
        let address = node.spec.address.to_string();
        let known = self.servers.iter().position(|server| *server == address);
        known.unwrap_or_else(|| {
            self.servers.push(address);
            self.servers.len() - 1
        })
    }

    /// The connections of this process's transactions.
    fn owners(&mut self, context: &Context) -> Owners {
        let mut owners = HashMap::new();
        for living in context.ledger.living() {
            let Some(id) = TransactionId::parse(living.id.as_bytes()) else { continue };
            let rank = Rank::from(id);
            for member in living.members() {
                // Of a replica, or a former primary, it is another server's than that which is asked.
                let server = self.server(member.handle.node());
                let seat = Seat { server, connection: member.handle.connection_id() };
                let (rank, group, handle) = (rank.clone(), member.group, member.handle);
                owners.insert(seat, Owner { rank, group, handle });
            }
        }
        owners
    }

    /// Asks all servers at once where own transactions are, or others' that may stand in a deadlock
    /// with them.
    async fn look(
        &mut self,
        topology: &Topology,
        owners: &Owners,
        database: &str,
    ) -> Vec<(usize, Seen)> {
        let mut used: HashMap<usize, Arc<Group>> = HashMap::new();
        let groups: HashSet<&GroupName> = owners.values().map(|owner| &owner.group).collect();
        for name in groups.into_iter().chain(&self.beyond.clone()) {
            let Some(group) = topology.by_name(name) else { continue };
            if let Some(pool) = group.primary() {
                used.insert(self.server(pool.node()), group.clone());
            }
        }
        let listen = !self.suspects.is_empty();
        let oldest = Instant::now().checked_sub(OLDEST);
        let since = self.looked.max(oldest).unwrap_or_else(Instant::now);
        let mut lookers = std::mem::take(&mut self.lookers);
        let work: Vec<_> = used
            .into_iter()
            .map(|(server, group)| {
                let looker = lookers.remove(&server);
                let look =
                    async move { (server, look_at(looker, &group, database, since, listen).await) };
                Box::pin(look) as Work<'_>
            })
            .collect();
        let mut all = Vec::new();
        for (server, looked) in join(work).await {
            match looked {
                Ok((looker, seen)) => {
                    self.lookers.insert(server, looker);
                    all.extend(seen.map(|seen| (server, seen)));
                }
                Err(error) => tracing::debug!(%error, "lock waits can't be seen"),
            }
        }
        self.looked = Some(Instant::now());
        all
    }

    /// Tells other proxies of what they may need to know.
    fn tell(&mut self, owners: &Owners, own: &HashSet<&Rank>) {
        let waits: Vec<Wait> = self.before.iter().cloned().collect();
        let suspects = graph::suspects(&waits, |rank| own.contains(rank));
        // Also a deadlock of own transactions is looked at again soon.
        let is_new = !suspects.is_subset(&self.suspects);
        if is_new || !graph::deadlocks(&waits).is_empty() {
            self.alert = Some(Instant::now());
        }
        let mut entries: HashMap<&Rank, Vec<(Seat, u64, &Owner)>> = HashMap::new();
        for end in waits.iter().flat_map(|wait| [&wait.waiter, &wait.holder]) {
            let Some(owner) = owners.get(&end.seat) else { continue };
            if suspects.contains(&owner.rank) {
                let known = entries.entry(&owner.rank).or_default();
                if !known.iter().any(|(seat, ..)| *seat == end.seat) {
                    known.push((end.seat, end.engine, owner));
                }
            }
        }
        let mut all: HashMap<usize, (Arc<Node>, Vec<Entry>)> = HashMap::new();
        for (rank, places) in entries {
            let groups: Vec<GroupName> =
                places.iter().map(|(_, _, owner)| owner.group.clone()).collect();
            for (seat, engine, owner) in places {
                let connection = seat.connection;
                let entry = Entry { id: rank.id(), connection, engine, groups: groups.clone() };
                let told =
                    all.entry(seat.server).or_insert((owner.handle.node().clone(), Vec::new()));
                told.1.push(entry);
            }
        }
        self.announcer.tell(all);
        self.suspects = suspects;
    }

    /// Takes note of where others wait.
    fn hear(&mut self, seen: &[(usize, Seen)], own: &HashSet<&Rank>) {
        let told = seen.iter().flat_map(|(_, seen)| &seen.told);
        let others = told.filter(|entry| !own.contains(&Rank::from(entry.id.clone())));
        self.beyond = others.flat_map(|entry| entry.groups.iter().cloned()).collect();
    }

    /// Ends each deadlock: the youngest of its transactions gives way, whose proxy does it.
    async fn end(
        &mut self,
        context: &Arc<Context>,
        waits: &[Wait],
        owners: &Owners,
        own: &HashSet<&Rank>,
    ) {
        let deadlocks = graph::deadlocks(waits);
        let named: HashSet<&Rank> = deadlocks.iter().flatten().collect();
        self.told.retain(|rank, _| named.contains(rank));
        for candidates in &deadlocks {
            // Each that stands before the first own one has its time.
            for rank in candidates {
                let now = Instant::now();
                let since = self.told.get(rank).copied();
                if own.contains(rank) {
                    if since.is_none_or(|since| since.elapsed() >= GRACE) {
                        self.told.insert(rank.clone(), now);
                        give_way(context, rank, waits, owners).await;
                    }
                    break;
                }
                if since.unwrap_or(now).elapsed() < PATIENCE {
                    self.told.entry(rank.clone()).or_insert(now);
                    break;
                }
            }
        }
    }
}

async fn look_at(
    looker: Option<Looker>,
    group: &Group,
    database: &str,
    since: Instant,
    listen: bool,
) -> Result<(Looker, Option<Seen>)> {
    let mut looker = match looker.filter(|looker| looker.store().is_of_server(group)) {
        Some(looker) => looker,
        None => Looker::new(Store::open(group, database).await?),
    };
    let seen = looker.look(since, listen).await?;
    Ok((looker, seen))
}

/// The wait with its ends as other proxies name them.
fn named(mut wait: Wait, seen: &[(usize, Seen)]) -> Wait {
    for end in [&mut wait.waiter, &mut wait.holder] {
        if !matches!(end.party, Party::Connection(_)) {
            continue;
        }
        let here = seen.iter().filter(|(server, _)| *server == end.seat.server);
        let entry = here
            .flat_map(|(_, seen)| &seen.told)
            .find(|entry| entry.connection == end.seat.connection && entry.engine == end.engine);
        if let Some(entry) = entry {
            end.party = Party::Transaction(Rank::from(entry.id.clone()));
        }
    }
    wait
}

/// Stops what the transaction waits in.
async fn give_way(context: &Arc<Context>, rank: &Rank, waits: &[Wait], owners: &Owners) {
    let id = rank.id().to_string();
    let Some(living) = context.ledger.living().into_iter().find(|living| living.id == id) else {
        return;
    };
    if living.choose() {
        context.ledger.counters.deadlocks.fetch_add(1, Ordering::Relaxed);
    }
    let waiting: HashSet<Seat> = waits.iter().map(|wait| wait.waiter.seat).collect();
    for (seat, owner) in owners {
        if owner.rank != *rank || !waiting.contains(seat) {
            continue;
        }
        tracing::info!(id, group = %owner.group, "gives way in a deadlock over groups");
        if let Err(error) = owner.handle.kill(Scope::Query).await {
            tracing::warn!(id, group = %owner.group, %error, "the victim of a deadlock wasn't stopped");
        }
    }
}
