//! A group: which of its nodes answers, who its primary is, and what happens while there is none.
//!
//! Owns: the choice of a node for each lend, the present primary and its changes, holding
//! statements during a switch, and the loop that probes. Never: knows SQL, or starts a task.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use crate::backend::choose::{self, Candidate, Role, Shares};
use crate::backend::fault;
use crate::backend::health::Prober;
use crate::backend::node::{Health, Node, Standing};
use crate::backend::pool::{Ask, Lent, Pool};
use crate::backend::position::Mark;
use crate::backend::spec::{GroupSpec, NodeSpec};
use crate::backend::version::Facts;
use crate::error::{Error, Fault, Result};
use crate::name::{GroupName, NodeName};

/// No node is primary.
const NOBODY: usize = usize::MAX;
/// While a statement is held, it looks again this often even if nothing was announced.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Two probes of a node are at least so far apart, whatever is doubted.
const PROBE_PAUSE: Duration = Duration::from_millis(50);

/// One group of the running rules.
#[derive(Debug)]
pub struct Group {
    pub spec: GroupSpec,
    /// The zone that this proxy stands in.
    zone: Option<Arc<str>>,
    pools: Vec<Arc<Pool>>,
    /// Index into `pools`, or [`NOBODY`].
    primary: AtomicUsize,
    /// Counts changes of primary and of health; those who wait for one watch it.
    changes: watch::Sender<u64>,
    dice: AtomicU64,
    readers: ArcSwap<Readers>,
    /// How far the primary was at its last probe.
    mark: Mark,
    retired: watch::Sender<bool>,
}

/// Who answers reads, as of the last probe.
#[derive(Debug, Default)]
struct Readers {
    replicas: Shares,
    all: Shares,
}

/// A node as lists show it.
#[derive(Clone, Debug)]
pub struct NodeView {
    pub group: GroupName,
    pub node: NodeName,
    pub address: String,
    pub is_primary: bool,
    pub health: Arc<Health>,
    /// What is wrong with it: the last failure, or what a primary lacks.
    pub reason: String,
    pub facts: Option<Arc<Facts>>,
    pub in_use: usize,
    pub idle: usize,
    pub waiting: usize,
    pub max: usize,
}

impl Group {
    /// A group over these pools, one for each node of the spec, in its order. What was primary in
    /// `before`, the same group under older rules, stays primary while it may.
    pub fn new(
        spec: GroupSpec,
        zone: Option<Arc<str>>,
        pools: Vec<Arc<Pool>>,
        before: Option<&Group>,
    ) -> Self {
        let old = before.and_then(Group::primary).map(|pool| &pool.node().spec);
        let primary = old.and_then(|old| {
            let same = |node: &NodeSpec| node.name == old.name && node.address == old.address;
            spec.nodes.iter().position(same)
        });
        let group = Group {
            spec,
            zone,
            pools,
            primary: AtomicUsize::new(primary.unwrap_or(NOBODY)),
            changes: watch::Sender::new(0),
            dice: AtomicU64::new(0),
            readers: ArcSwap::default(),
            // What was seen of a primary counts under newer rules, too.
            mark: before.map(|before| before.mark.clone()).unwrap_or_default(),
            retired: watch::Sender::new(false),
        };
        group.settle();
        group
    }

    pub fn name(&self) -> &GroupName {
        &self.spec.name
    }

    pub fn pools(&self) -> &[Arc<Pool>] {
        &self.pools
    }

    /// The node that takes writes now.
    pub fn primary(&self) -> Option<&Arc<Pool>> {
        self.pools.get(self.primary.load(Ordering::Acquire))
    }

    /// Whether the primary has all that an earlier one was seen to have, so that its commit table can
    /// be believed.
    ///
    /// # Errors
    /// As [`Mark::vouches`].
    pub fn vouches(&self) -> Result<()> {
        self.primary().map_or(Ok(()), |pool| self.mark.vouches(&pool.node().spec.name))
    }

    /// An operator accepts the primary as it is. False: it lacked nothing.
    pub fn accept_primary(&self) -> bool {
        self.mark.accept()
    }

    fn is_primary(&self, pool: &Pool) -> bool {
        self.primary().is_some_and(|primary| Arc::ptr_eq(primary.node(), pool.node()))
    }

    /// What the primary says of itself, or any node that has answered.
    pub fn facts(&self) -> Option<Arc<Facts>> {
        let of_primary = self.primary().and_then(|pool| pool.node().facts());
        of_primary.or_else(|| self.pools.iter().find_map(|pool| pool.node().facts()))
    }

    /// Whether a write could be served now.
    pub fn is_ready(&self) -> bool {
        self.primary().is_some_and(|pool| pool.node().standing() == Standing::Up)
    }

    /// Each node as it stands.
    pub fn view(&self) -> Vec<NodeView> {
        let primary = self.primary.load(Ordering::Acquire);
        let view = |(place, pool): (usize, &Arc<Pool>)| {
            let node = pool.node();
            let health = node.health();
            let doubt = self.vouches().err().filter(|_| place == primary);
            let reason = match doubt {
                Some(error) if health.reason.is_empty() => error.message,
                _ => health.reason.to_string(),
            };
            NodeView {
                reason,
                group: self.spec.name.clone(),
                node: node.spec.name.clone(),
                address: node.spec.address.to_string(),
                is_primary: place == primary,
                health,
                facts: node.facts(),
                in_use: pool.in_use(),
                idle: pool.idle(),
                waiting: pool.waiting(),
                max: pool.max(),
            }
        };
        self.pools.iter().enumerate().map(view).collect()
    }

    /// Lends a connection of the node that fits the asked role.
    ///
    /// A node that can't be reached is passed over for the next one, as nothing was sent. Without
    /// a primary the statement is held, at most for the group's `hold` and not beyond the deadline.
    ///
    /// # Errors
    /// No node could be used: the sentence names each and why. A limit of the chosen node's pool.
    /// The server's own error where it refuses the asked state.
    pub async fn lend(&self, ask: &Ask<'_>) -> Result<Lent> {
        // What nearly all statements meet: the first choice is known and answers.
        if let Some(pool) = self.first_choice(ask) {
            match pool.lend(ask).await {
                Err(error) if is_elsewhere(&error) => {}
                outcome => return outcome,
            }
        }
        // Boxed, as what is rare and large.
        Box::pin(self.lend_any(ask)).await
    }

    /// Goes through the nodes, best first, and waits for one that can answer.
    async fn lend_any(&self, ask: &Ask<'_>) -> Result<Lent> {
        let start = Instant::now();
        let until = ask.deadline.min(start + self.spec.hold);
        let mut changes = self.changes.subscribe();
        loop {
            let mut reasons = Vec::new();
            for place in self.order(ask) {
                let Some(pool) = self.pools.get(place) else { continue };
                match pool.lend(ask).await {
                    Err(error) if is_elsewhere(&error) => {
                        if pool.node().standing() == Standing::Up {
                            reasons.push(error.message);
                        }
                    }
                    outcome => return outcome,
                }
            }
            if Instant::now() >= until {
                return Err(self.nobody(ask.role, &reasons, start.elapsed()));
            }
            if ask.role == Role::Primary {
                self.look_now();
            }
            let again = until.min(Instant::now() + LOOK_AGAIN);
            let _ = timeout_at(again, changes.changed()).await;
        }
    }

    /// The primary, or a node drawn for a read; `None` where a closer look is needed.
    fn first_choice(&self, ask: &Ask<'_>) -> Option<&Arc<Pool>> {
        let role = ask.role;
        if role == Role::Primary {
            return self.primary().filter(|pool| is_usable(pool));
        }
        let dice = choose::mix(self.dice.fetch_add(1, Ordering::Relaxed));
        let readers = self.readers.load();
        let shares = if role == Role::Replica { &readers.replicas } else { &readers.all };
        let place = shares.draw(dice)?;
        let pool = self.pools.get(place)?;
        if ask.after.is_some() && !self.has_seen(place, ask.after) {
            return self.primary().filter(|pool| is_usable(pool));
        }
        let good = matches!(pool.node().standing(), Standing::Up | Standing::Unknown);
        good.then_some(pool)
    }

    /// Whether a node shows what was committed by `after`: the primary does.
    fn has_seen(&self, place: usize, after: Option<Instant>) -> bool {
        place == self.primary.load(Ordering::Acquire)
            || !self.spec.own_writes
            || self
                .pools
                .get(place)
                .is_some_and(|pool| choose::has_seen(&pool.node().health(), after))
    }

    /// The nodes to try, best first.
    fn order(&self, ask: &Ask<'_>) -> Vec<usize> {
        let role = ask.role;
        let primary = Some(self.primary.load(Ordering::Acquire)).filter(|&place| place != NOBODY);
        if role == Role::Primary {
            let usable = |place: &usize| self.pools.get(*place).is_some_and(|pool| is_usable(pool));
            return primary.filter(usable).into_iter().collect();
        }
        let healths: Vec<_> = self.pools.iter().map(|pool| pool.node().health()).collect();
        let dice = choose::mix(self.dice.fetch_add(1, Ordering::Relaxed));
        let candidates = self.candidates(&healths);
        let mut order = choose::readers(&candidates, role, primary, self.spec.max_lag, dice);
        order.retain(|place| self.has_seen(*place, ask.after));
        order
    }

    fn candidates<'a>(&'a self, healths: &'a [Arc<Health>]) -> Vec<Candidate<'a>> {
        let candidate = |(pool, health): (&'a Arc<Pool>, &'a Arc<Health>)| {
            let spec = &pool.node().spec;
            Candidate {
                declared: spec.declared,
                weight: spec.weight,
                near: self.zone.is_none() || spec.zone.is_none() || self.zone == spec.zone,
                health,
            }
        };
        self.pools.iter().zip(healths).map(candidate).collect()
    }

    fn nobody(&self, role: Role, reasons: &[String], waited: Duration) -> Error {
        let healths = self.pools.iter().map(|pool| (pool.node(), pool.node().health()));
        let mut members: Vec<String> = healths
            .map(|(node, health)| {
                let writes = match health.read_only {
                    Some(true) => ", read-only",
                    Some(false) => ", writable",
                    None => "",
                };
                let reason = if health.reason.is_empty() { "" } else { ": " };
                let standing = health.standing.text();
                format!("'{}' is {standing}{writes}{reason}{}", node.spec.name, health.reason)
            })
            .collect();
        members.extend(reasons.iter().cloned());
        fault::no_node(&self.spec.name, role.text(), &members.join("; "), waited)
    }

    /// Finds the primary anew from what probes have seen, and tells those who wait.
    pub fn settle(&self) {
        let healths: Vec<_> = self.pools.iter().map(|pool| pool.node().health()).collect();
        let candidates = self.candidates(&healths);
        let before = self.primary.load(Ordering::Acquire);
        let now = choose::primary(&candidates, Some(before).filter(|&place| place != NOBODY));
        let all = |role| Shares::of(&candidates, role, now, self.spec.max_lag);
        self.readers.store(Arc::new(Readers { replicas: all(Role::Replica), all: all(Role::Any) }));
        let now = now.unwrap_or(NOBODY);
        if now != before {
            self.primary.store(now, Ordering::Release);
            self.announce(before, now);
            if now == NOBODY {
                self.look_now();
            }
        }
        self.changes.send_modify(|changes| *changes = changes.wrapping_add(1));
    }

    /// Lets each node be probed before its time: somebody waits for a primary.
    fn look_now(&self) {
        for pool in &self.pools {
            pool.node().probe_now.notify_one();
        }
    }

    fn announce(&self, before: usize, now: usize) {
        let name = |place: usize| {
            self.pools.get(place).map_or("none", |pool| pool.node().spec.name.as_str())
        };
        tracing::info!(
            group = %self.spec.name,
            before = name(before),
            now = name(now),
            "the group's primary"
        );
    }

    /// Probes each node until the group is retired: the future that `server` runs, once for each
    /// group. It opens control connections only.
    pub async fn watch(self: Arc<Self>) {
        let mut retired = self.retired.subscribe();
        let group = self.clone();
        let loops = self.pools.iter().map(|pool| {
            let pool = pool.clone();
            let group = group.clone();
            Box::pin(async move { group.watch_node(&pool).await }) as Watcher
        });
        let all = all_of(loops.collect());
        tokio::select! {
            () = all => {}
            _ = retired.wait_for(|retired| *retired) => {}
        }
    }

    async fn watch_node(&self, pool: &Pool) {
        let node = pool.node();
        let mut prober =
            Prober::new(self.spec.probe_timeout, self.spec.probes_down, self.mark.clone());
        loop {
            let before = node.standing();
            prober.probe(node, self.is_primary(pool)).await;
            let now = node.standing();
            if now == Standing::Down && before != Standing::Down {
                // Idle connections to it are worth nothing; statements under way find out.
                pool.drain(false);
            }
            pool.tend();
            self.settle();
            tokio::select! {
                () = sleep(self.spec.probe_every) => {}
                // A doubt is looked into at once, but not more often than this.
                () = async {
                    sleep(PROBE_PAUSE.min(self.spec.probe_every)).await;
                    node.probe_now.notified().await;
                } => {}
            }
        }
    }

    /// Probes each node once and settles: for the start, before clients are let in.
    pub async fn probe_once(&self) {
        let probes = self.pools.iter().map(|pool| {
            let (timeout, down) = (self.spec.probe_timeout, self.spec.probes_down);
            let mut prober = Prober::new(timeout, down, self.mark.clone());
            let node: Arc<Node> = pool.node().clone();
            Box::pin(async move { prober.probe(&node, false).await }) as Watcher
        });
        all_of(probes.collect()).await;
        self.settle();
    }

    /// Ends the watch. Pools that no other group took over are drained.
    pub fn retire(&self, keep: &[Arc<Pool>]) {
        self.retired.send_replace(true);
        for pool in &self.pools {
            if !keep.iter().any(|kept| Arc::ptr_eq(kept, pool)) {
                pool.drain(true);
            }
        }
    }
}

/// Whether writes may be sent there now.
fn is_usable(pool: &Pool) -> bool {
    let node = pool.node();
    node.standing() != Standing::Down && !node.is_demoted()
}

/// Whether the error says that this node can't serve now, before anything was sent to it.
fn is_elsewhere(error: &Error) -> bool {
    error.fault == Fault::Unavailable
        && matches!(error.code, "node_unreachable" | "node_resting" | "connection_broken")
}

type Watcher = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs all to their ends within one task.
async fn all_of(mut futures: Vec<Watcher>) {
    std::future::poll_fn(move |context| {
        futures.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if futures.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
