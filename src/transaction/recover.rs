//! Recovery: prepared branches that nobody resolves, and rows of the commit table that may go.
//!
//! Owns: finding branches on each group's primary, waiting until their owner has had its time,
//! asking the anchor, resolving, clearing. Never: touches a foreign id, decides by a read, or works
//! on a node that isn't confirmed as primary.
//!
//! Any proxy does it for all of its deployment, so that a transaction outlives its proxy. Two that
//! do it at once do no harm: the insert on the anchor makes them agree.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::backend::group::Group;
use crate::backend::topology::Topology;
use crate::context::Context;
use crate::context::ledger::{Clearable, Ledger};
use crate::error::{Error, Result};
use crate::name::GroupName;
use crate::rules::Rules;
use crate::transaction::failpoint;
use crate::transaction::protocol::{self, Step};
use crate::transaction::store::{OldRow, Prepared, Store};
use crate::transaction::xid::{BranchId, TransactionId};

/// The row that was to be inserted is locked, by the anchor that is still in flight.
const LOCK_WAIT_TIMEOUT: u16 = 1205;

/// Old rows looked at in one pass of one group.
const ROWS: usize = 200;
/// Rows cleared by one statement.
const BATCH: usize = 50;
/// How old a row of one's own must be before it is cleared, unless rows of others go earlier: a
/// failover that loses the end of a commit happens within this, if it happens.
const OWN_ROWS_KEPT: Duration = Duration::from_secs(30);
/// Rows of others are looked for, and stuck branches told, once in so many passes.
const SWEEP_EVERY: u32 = 15;

/// A prepared branch where it was found.
#[derive(Clone, Debug)]
pub struct Found {
    pub group: GroupName,
    pub id: Prepared,
    /// `None`: not Weir's.
    pub branch: Option<BranchId>,
}

/// Looks and resolves for as long as the process lives.
pub async fn watch(context: Arc<Context>) {
    let mut recovery = Recovery::default();
    loop {
        recovery.pass(&context).await;
        tokio::time::sleep(
            context.config().transactions.recover_every.0.max(Duration::from_millis(100)),
        )
        .await;
    }
}

/// The first halves of branches' ids.
type Transactions = HashSet<Vec<u8>>;

/// What one process remembers between passes.
#[derive(Default)]
pub struct Recovery {
    stores: HashMap<GroupName, Store>,
    /// Groups whose primary lacks what an earlier one had, and so decides nothing.
    doubted: HashMap<GroupName, Error>,
    /// When each branch was first seen.
    seen: HashMap<(Vec<u8>, Vec<u8>), Instant>,
    passes: u32,
    /// Where the sweep of a group's rows goes on: rows that stay, others' too, don't hide those behind.
    swept: HashMap<GroupName, Vec<u8>>,
}

impl Recovery {
    async fn pass(&mut self, context: &Arc<Context>) {
        let snapshot = context.snapshot();
        let (rules, topology) = (&snapshot.rules, &snapshot.topology);
        let config = context.config();
        let ledger = &context.ledger;
        for (group, error) in self.connect(rules, topology).await {
            tracing::debug!(%group, %error, "recovery can't look");
        }
        let found = self.find(rules).await;
        let keys: Vec<_> = found
            .iter()
            .map(|found| (found.id.transaction.clone(), found.id.qualifier.clone()))
            .collect();
        self.seen.retain(|key, _| keys.contains(key));
        ledger.set_prepared(
            found.iter().filter(|found| found.branch.is_some()).count(),
            self.seen.values().min(),
        );
        for (found, key) in found.iter().zip(keys) {
            let Some(branch) = &found.branch else { continue };
            let first = *self.seen.entry(key).or_insert_with(Instant::now);
            let own =
                branch.transaction.run == ledger.run && branch.transaction.proxy == ledger.proxy;
            let due = match own {
                // While it lives here, its session is at it.
                true => !ledger.lives(branch.transaction.number),
                false => first.elapsed() >= config.transactions.recover_after.0,
            };
            if due && let Err(error) = self.resolve(ledger, &found.group, branch).await {
                let (group, id) = (&found.group, &branch.transaction);
                // Said once a minute or so; the metric says it all the time.
                if self.passes % SWEEP_EVERY == 0 {
                    tracing::warn!(%group, %id, %error, "a prepared branch stays");
                } else {
                    tracing::debug!(%group, %id, %error, "a prepared branch stays");
                }
            }
        }
        let known: HashSet<&GroupName> = topology.groups().iter().map(|it| it.name()).collect();
        self.clear_own(ledger, &known, config.transactions.rows_kept.0).await;
        if self.passes % SWEEP_EVERY == 0 {
            self.sweep(rules, config.transactions.rows_kept.0).await;
        }
        self.passes = self.passes.wrapping_add(1);
    }

    /// A confirmed connection to each group's present primary, as far as there is one.
    /// Returns the groups that can't be looked at, and why.
    pub async fn connect(&mut self, rules: &Rules, topology: &Topology) -> Vec<(GroupName, Error)> {
        let mut failed = Vec::new();
        let groups = topology.groups();
        self.stores.retain(|name, store| {
            groups.iter().any(|group| group.name() == name && store.is_of(group))
        });
        self.doubted.clear();
        for group in groups {
            if let Err(error) = group.vouches() {
                self.doubted.insert(group.name().clone(), error);
            }
            if let Some(store) = self.stores.get_mut(group.name()) {
                if store.confirm().await.is_ok() {
                    continue;
                }
                self.stores.remove(group.name());
            }
            match open(rules, group).await {
                Ok(store) => drop(self.stores.insert(group.name().clone(), store)),
                Err(error) => failed.push((group.name().clone(), error)),
            }
        }
        failed
    }

    /// All prepared branches, with the ids of this deployment's.
    pub async fn find(&mut self, rules: &Rules) -> Vec<Found> {
        let mut all = Vec::new();
        let mut failed = Vec::new();
        for (name, store) in &mut self.stores {
            match store.prepared().await {
                Ok(list) => all.extend(list.into_iter().map(|id| {
                    let ours = |branch: &BranchId| {
                        *branch.transaction.deployment == *rules.settings.deployment
                    };
                    let branch = id.branch().filter(ours);
                    Found { group: name.clone(), id, branch }
                })),
                Err(error) => {
                    tracing::warn!(group = %name, %error, "prepared branches can't be listed");
                    failed.push(name.clone());
                }
            }
        }
        self.stores.retain(|name, _| !failed.contains(name));
        all
    }

    /// Asks the anchor and does as it says.
    ///
    /// # Errors
    /// `anchor_unknown`: nobody has its commit table; `no_verdict`: it is still in flight;
    /// `primary_behind`: the anchor's new primary may have lost its row.
    pub async fn resolve(
        &mut self,
        ledger: &Ledger,
        group: &GroupName,
        branch: &BranchId,
    ) -> Result<Step> {
        let anchor = self.anchor(branch).await?;
        let Some(store) = self.stores.get_mut(&anchor) else { return Err(unreachable(&anchor)) };
        let answer = match store.ask(&branch.transaction, branch.anchor_connection).await {
            Err(error) if error.errno == LOCK_WAIT_TIMEOUT => {
                // Whoever holds the row has had its time: its connection is ended, and the next
                // pass asks again. No other failure tells that the connection is still the anchor's.
                store.kill(branch.anchor_connection).await?;
                return Err(Error::unavailable("no_verdict", "its anchor is still in flight"));
            }
            asked => asked?,
        };
        let Some(step) = protocol::resolution(answer) else {
            return Err(Error::unavailable("no_verdict", "its commit row holds no verdict"));
        };
        failpoint::hit("recover.asked").await;
        self.force(group, branch, step).await?;
        failpoint::hit("recover.first").await;
        let committed = step == Step::CommitPrepared;
        let counters = &ledger.counters;
        let counter =
            if committed { &counters.recovered_committed } else { &counters.recovered_rolled_back };
        counter.fetch_add(1, Ordering::Relaxed);
        tracing::info!(%group, id = %branch.transaction, committed, "a prepared branch was resolved");
        Ok(step)
    }

    /// Does it without asking.
    pub async fn force(&mut self, group: &GroupName, branch: &BranchId, step: Step) -> Result<()> {
        let Some(store) = self.stores.get_mut(group) else { return Err(unreachable(group)) };
        store.resolve(branch, step).await
    }

    /// The group whose commit table the branch names.
    async fn anchor(&mut self, branch: &BranchId) -> Result<GroupName> {
        // The name is right unless it was shortened, or the group was renamed.
        let mut names: Vec<GroupName> = self.stores.keys().cloned().collect();
        names.sort_by_key(|name| (!name.as_str().starts_with(&branch.anchor), name.clone()));
        for name in names {
            let Some(store) = self.stores.get_mut(&name) else { continue };
            // Asked of the server itself: a restore may have brought another table.
            if store.instance_now().await.ok().flatten() == Some(branch.instance) {
                return match self.doubted.get(&name) {
                    Some(error) => Err(error.clone()),
                    None => Ok(name),
                };
            }
        }
        Err(Error::unavailable(
            "anchor_unknown",
            format!(
                "no reachable group of these rules has the commit table {:016x} (anchor group '{}')",
                branch.instance, branch.anchor
            ),
        ))
    }

    /// Rows of this process whose branches are all resolved, as their groups' present primaries say,
    /// too: a promoted one may lack the end of a commit. Those that can't go yet wait once more.
    async fn clear_own(
        &mut self,
        ledger: &Ledger,
        known: &HashSet<&GroupName>,
        rows_kept: Duration,
    ) {
        let Some(before) = Instant::now().checked_sub(OWN_ROWS_KEPT.min(rows_kept)) else { return };
        let rows = ledger.take_clearable(before);
        if rows.is_empty() {
            return;
        }
        let groups: HashSet<&GroupName> = rows.iter().flat_map(|row| &row.members).collect();
        let prepared = self.prepared(groups).await;
        let mut by_group: HashMap<GroupName, Vec<String>> = HashMap::new();
        for row in rows {
            match fate(&row, &prepared, known) {
                Fate::Goes => by_group.entry(row.group).or_default().push(row.key),
                Fate::Waits => ledger.clear_later(row.group, row.key, row.members),
                // Its group may come back with the rules, and the sweep finds the row.
                Fate::Stays => {}
            }
        }
        for (group, keys) in by_group {
            // What fails here is found by the sweep.
            let Some(store) = self.stores.get_mut(&group) else { continue };
            for batch in keys.chunks(BATCH) {
                if let Err(error) = store.delete(batch.iter().map(String::as_bytes)).await {
                    tracing::debug!(%group, %error, "commit rows stay until the sweep");
                }
            }
        }
    }

    /// The transactions with a branch prepared on each of these groups' present primaries; a group that
    /// can't be asked isn't among them.
    async fn prepared(&mut self, groups: HashSet<&GroupName>) -> HashMap<GroupName, Transactions> {
        let mut found = HashMap::new();
        for group in groups {
            let Some(store) = self.stores.get_mut(group) else { continue };
            if store.confirm().await.is_err() {
                continue;
            }
            match store.prepared().await {
                Ok(list) => {
                    let ids = list.into_iter().map(|id| id.transaction).collect();
                    found.insert(group.clone(), ids);
                }
                Err(error) => tracing::debug!(%group, %error, "prepared branches can't be listed"),
            }
        }
        found
    }

    /// Rows that nobody cleared (mysql-traps 4).
    async fn sweep(&mut self, rules: &Rules, age: Duration) {
        let names: Vec<GroupName> = self.stores.keys().cloned().collect();
        for name in names {
            let Some(store) = self.stores.get_mut(&name) else { continue };
            let after = self.swept.remove(&name).unwrap_or_default();
            let rows = match store.old_rows(age, &after, ROWS).await {
                Ok(rows) => rows,
                Err(error) => {
                    tracing::debug!(group = %name, %error, "the commit table can't be swept");
                    continue;
                }
            };
            if let Some(last) = rows.last().filter(|_| rows.len() >= ROWS) {
                self.swept.insert(name.clone(), last.key.clone());
            }
            let mut keys = Vec::new();
            for row in rows {
                if self.may_go(rules, &name, &row).await {
                    keys.push(row.key);
                }
            }
            let Some(store) = self.stores.get_mut(&name) else { continue };
            for batch in keys.chunks(BATCH) {
                if let Err(error) = store.delete(batch.iter().map(Vec::as_slice)).await {
                    tracing::debug!(group = %name, %error, "old rows stay");
                }
            }
        }
    }

    /// A commit row goes once none of its branches is prepared on its group's present primary; an
    /// abort row once the anchor's connection is gone.
    async fn may_go(&mut self, rules: &Rules, anchor: &GroupName, row: &OldRow) -> bool {
        let ours = TransactionId::parse(&row.key)
            .is_some_and(|id| *id.deployment == *rules.settings.deployment);
        if !ours {
            return false;
        }
        if !row.committed {
            let Some(store) = self.stores.get_mut(anchor) else { return false };
            return matches!(store.has_connection(row.connection).await, Ok(false));
        }
        let prepared = self.prepared(row.members.iter().collect()).await;
        row.members.iter().all(|member| is_gone(&prepared, member, &row.key))
    }
}

/// What becomes of a row of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Goes,
    /// A branch is prepared, or its group can't be asked now.
    Waits,
    /// The rules lack a group of it, so that nobody can ask.
    Stays,
}

fn fate(
    row: &Clearable,
    prepared: &HashMap<GroupName, Transactions>,
    known: &HashSet<&GroupName>,
) -> Fate {
    if row.members.iter().all(|member| is_gone(prepared, member, row.key.as_bytes())) {
        Fate::Goes
    } else if row.members.iter().all(|member| known.contains(member)) {
        Fate::Waits
    } else {
        Fate::Stays
    }
}

/// Whether a group was asked and has no branch of the transaction.
fn is_gone(prepared: &HashMap<GroupName, Transactions>, group: &GroupName, key: &[u8]) -> bool {
    prepared.get(group).is_some_and(|ids| !ids.contains(key))
}

async fn open(rules: &Rules, group: &Group) -> Result<Store> {
    Store::open(group, &rules.settings.commit_database).await
}

fn unreachable(group: &GroupName) -> Error {
    Error::unavailable("group_unreachable", format!("group '{group}' can't be reached"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_groups_that_the_rules_lack_are_not_asked_for_again_and_again() {
        let [g0, g1, g2] = ["g0", "g1", "g2"].map(GroupName::from);
        let row = |members: &[&GroupName]| Clearable {
            group: g0.clone(),
            key: "id".to_owned(),
            members: members.iter().map(|name| (*name).clone()).collect(),
            since: Instant::now(),
        };
        // g0 and g1 are in the rules, and only g1 answers.
        let known = HashSet::from([&g0, &g1]);
        let of = |ids: &[&[u8]]| -> HashMap<GroupName, Transactions> {
            HashMap::from([(g1.clone(), ids.iter().map(|id| id.to_vec()).collect())])
        };
        assert_eq!(fate(&row(&[&g1]), &of(&[b"other"]), &known), Fate::Goes);
        assert_eq!(fate(&row(&[&g1]), &of(&[b"id"]), &known), Fate::Waits);
        assert_eq!(fate(&row(&[&g0, &g1]), &of(&[]), &known), Fate::Waits);
        assert_eq!(fate(&row(&[&g1, &g2]), &of(&[]), &known), Fate::Stays);
        assert_eq!(fate(&row(&[&g2]), &of(&[b"id"]), &known), Fate::Stays);
    }
}
