//! Backend connections for a session: lent for a statement, or held for longer.
//!
//! Owns: which connections the session holds, opening the transaction on the first group touched,
//! and when one goes back. Never: chooses a node (`backend::group`) or reads an answer.

use std::sync::Arc;

use smallvec::SmallVec;
use tokio::time::Instant;

use crate::backend::choose::Role;
use crate::backend::connection::{AnyBut, Pipelining};
use crate::backend::counters::Pin;
use crate::backend::group::Group;
use crate::backend::pool::{Ask, Lent};
use crate::backend::state::Isolation;
use crate::context::Snapshot;
use crate::error::{Error, Result};
use crate::name::GroupId;
use crate::observe::sessions::State as Doing;
use crate::planner::plan::{Access, Facts, NodeChoice, Target, Unseen};
use crate::protocol::capability::Capabilities;
use crate::protocol::status::StatusFlags;
use crate::session::Session;

/// The connections that a session keeps between statements, at most one for each group.
#[derive(Debug, Default)]
pub struct Held {
    entries: SmallVec<[(GroupId, Lent); 1]>,
    /// Groups whose connection carries something that the client counts on: an open transaction,
    /// locks, temporary tables, variables. One that is owed and not held was lost.
    owed: SmallVec<[GroupId; 1]>,
    /// The rules that the group ids belong to: a transaction keeps the version it began with.
    snapshot: Option<Arc<Snapshot>>,
    /// Stored code may have assigned any of these on a connection that is gone.
    lost: AnyBut,
}

impl Held {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The rules that the session is bound to while it holds something.
    pub fn snapshot(&self) -> Option<&Arc<Snapshot>> {
        self.snapshot.as_ref()
    }

    pub fn take(&mut self, group: GroupId) -> Option<Lent> {
        let place = self.entries.iter().position(|(held, _)| *held == group)?;
        Some(self.entries.remove(place).1)
    }

    pub fn get(&mut self, group: GroupId) -> Option<&mut Lent> {
        self.entries.iter_mut().find(|(held, _)| *held == group).map(|(_, lent)| lent)
    }

    pub fn has(&self, group: GroupId) -> bool {
        self.entries.iter().any(|(held, _)| *held == group)
    }

    pub fn put(&mut self, group: GroupId, lent: Lent, snapshot: &Arc<Snapshot>) {
        self.owe(group);
        self.entries.push((group, lent));
        if self.snapshot.is_none() {
            self.snapshot = Some(snapshot.clone());
        }
    }

    fn owe(&mut self, group: GroupId) {
        if !self.owed.contains(&group) {
            self.owed.push(group);
        }
    }

    /// What the group's connection carried has ended as the client knows: it may go.
    pub fn release(&mut self, group: GroupId) {
        self.owed.retain(|owed| *owed != group);
    }

    /// Whether a connection is gone that carried something of the client's.
    pub fn lost(&self) -> bool {
        self.owed.iter().any(|group| !self.has(*group))
    }

    /// The session is bound to these rules from now on: those with its temporary tables, or without.
    pub fn adopt(&mut self, snapshot: &Arc<Snapshot>) {
        self.snapshot = Some(snapshot.clone());
    }

    /// Forgets the rules' version where nothing is held any more.
    pub fn unbind(&mut self) {
        if self.entries.is_empty() {
            self.snapshot = None;
        }
    }

    /// Whether a held connection is the session's for one of these reasons.
    pub fn pinned_by(&self, reasons: &[Pin]) -> bool {
        let holds = |lent: &Lent| reasons.iter().any(|pin| lent.pins().contains(*pin));
        self.entries.iter().any(|(_, lent)| holds(lent))
    }

    /// Whether a connection may have another value of a user variable than the session.
    pub fn may_know(&self) -> bool {
        !self.lost.is_none() || self.entries.iter().any(|(_, lent)| lent.may_know_any())
    }

    /// User variables were assigned where nobody can read them any more.
    pub fn lose(&mut self) {
        self.lost = AnyBut::all();
    }

    /// Whether a user variable's value is among those.
    pub fn has_lost(&self, name: &str) -> bool {
        self.lost.has(name)
    }

    /// The client assigns a variable, which a statement of a held connection may have changed.
    pub fn assigned(&mut self, name: &str) {
        for (_, lent) in self.entries.iter_mut().filter(|(_, lent)| !lent.pins().is_empty()) {
            lent.doubt_user_variable(name);
            lent.is_told(name);
        }
        self.lost.tell(name);
    }

    /// A group that is held.
    pub fn first(&self) -> Option<GroupId> {
        self.entries.first().map(|(group, _)| *group)
    }

    /// The groups held now.
    pub fn groups(&self) -> SmallVec<[GroupId; 1]> {
        self.entries.iter().map(|(group, _)| *group).collect()
    }

    /// Gives everything back; what is left on a connection (an open transaction, locks) is undone
    /// first.
    pub async fn abandon(&mut self) {
        for (_, lent) in self.entries.drain(..) {
            lent.finish().await;
        }
        self.owed.clear();
        self.snapshot = None;
        self.lost = AnyBut::default();
    }
}

/// What a connection is lent for.
#[derive(Clone, Copy, Debug)]
pub struct Purpose {
    pub role: Role,
    pub pipelining: Pipelining,
    /// Whether the statement belongs to the session's transaction (all but Weir's own questions).
    pub transactional: bool,
    /// Whether it may change rows, or is not known not to.
    pub writes: bool,
    /// A hint asks for a replica, whatever it lacks.
    pub stale: bool,
}

impl Purpose {
    /// Of a client's statement.
    pub fn of(facts: &Facts, transaction: bool, read_only: bool) -> Self {
        // A view may call what writes.
        let stored = facts.unseen == Unseen::Sets;
        let role = match (facts.node, facts.access) {
            (Some(NodeChoice::Primary), _) => Role::Primary,
            _ if stored && !read_only => Role::Primary,
            (Some(NodeChoice::Replica), Access::Read) if !transaction || read_only => Role::Replica,
            // Snapshots of replica and primary differ (mysql-traps 15).
            _ if transaction && !read_only => Role::Primary,
            (_, Access::Read) => Role::Replica,
            _ if read_only => Role::Replica,
            _ => Role::Primary,
        };
        let pipelining = match facts.access {
            Access::Read => Pipelining::All,
            // A write in the wrong database or mode must not happen (mysql-traps 11).
            _ => Pipelining::Variables,
        };
        // What commits implicitly runs after the transaction, never inside of one.
        // Of a transaction's, the server tells what it wrote.
        let unseen = stored && !transaction;
        let writes = facts.access != Access::Read || facts.pins.is_some() || unseen;
        let stale = facts.node == Some(NodeChoice::Replica);
        Purpose { role, pipelining, transactional: !facts.commits, writes, stale }
    }

    /// Of a statement of Weir's own on the primary.
    pub const OWN: Purpose = Purpose {
        role: Role::Primary,
        pipelining: Pipelining::All,
        transactional: false,
        writes: false,
        stale: false,
    };
}

/// What BEGIN and START TRANSACTION without more become.
const START: &[u8] = b"START TRANSACTION";

impl Session {
    /// The rules and catalog that this statement works with.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        match self.held.snapshot() {
            Some(snapshot) => snapshot.clone(),
            None => self.ctx.shared.snapshot(),
        }
    }

    pub(super) fn is_in_transaction(&self) -> bool {
        self.transaction.is_active()
    }

    /// A connection for a target, in the session's state and inside of its transaction.
    pub(super) async fn lend(
        &mut self,
        snapshot: &Arc<Snapshot>,
        target: &Target,
        purpose: Purpose,
    ) -> Result<Lent> {
        if purpose.transactional && self.transaction.group().is_some() {
            self.check_member(snapshot, target.group, purpose.writes)?;
        }
        let after = self.must_show(target.group, purpose, snapshot);
        let state = self.placed.of(&self.state, target.database.as_ref());
        let mut lent = match self.held.take(target.group) {
            Some(mut lent) => {
                if !lent.applied().satisfies(&state)
                    && let Err(error) = Box::pin(lent.enter(&state, purpose.pipelining)).await
                {
                    self.keep_or_lose(target.group, lent, snapshot);
                    return Err(error);
                }
                lent
            }
            None => {
                self.registration.set_state(Doing::WaitingForConnection);
                let to = snapshot.topology.group(target.group)?;
                let asked = Instant::now();
                let ask = Ask {
                    worker: self.ctx.index,
                    role: purpose.role,
                    state: &state,
                    found_rows: self.capabilities.contains(Capabilities::FOUND_ROWS),
                    pipelining: purpose.pipelining,
                    after,
                    asked,
                    deadline: self.lend_by(to, asked),
                };
                to.lend(&ask).await?
            }
        };
        self.registration.set_state(Doing::Executing);
        if !purpose.transactional {
            return Ok(lent);
        }
        if self.is_open_on(target.group) {
            if purpose.writes {
                self.transaction.writes(target.group);
            }
        } else if self.transaction.is_active() || !self.state.autocommit() {
            let opened = self.open_transaction(&mut lent, target.group, purpose.writes, snapshot);
            if let Err(error) = Box::pin(opened).await {
                if !self.transaction.has(target.group) && lent.in_transaction() {
                    // A part that was opened and is no member: nobody would end it.
                    lent.condemn();
                }
                Box::pin(self.settle(target.group, lent, snapshot)).await;
                return Err(error);
            }
        }
        Ok(lent)
    }

    /// Whether the transaction is open on this group already, as for all its statements but the first.
    fn is_open_on(&self, group: GroupId) -> bool {
        self.state.autocommit() && !self.transaction.is_begun() && self.transaction.has(group)
    }

    /// Until when a statement waits for a connection of the group.
    pub(super) fn lend_by(&self, group: &Group, asked: Instant) -> Instant {
        asked + group.spec.wait.unwrap_or(self.settings.timeouts.pool_wait.0)
    }

    /// Notes a write; for a read that may run on a replica, up to when it must show commits.
    fn must_show(
        &mut self,
        group: GroupId,
        purpose: Purpose,
        snapshot: &Snapshot,
    ) -> Option<Instant> {
        let version = snapshot.rules.version;
        match purpose.role {
            Role::Primary if purpose.writes => {
                self.own_writes.begin(group, version);
                None
            }
            Role::Replica | Role::Any if !purpose.stale => self.own_writes.after(group, version),
            _ => None,
        }
    }

    /// The first statement of a transaction: what was answered without a backend is said to this
    /// one now.
    async fn open_transaction(
        &mut self,
        lent: &mut Lent,
        group: GroupId,
        writes: bool,
        snapshot: &Arc<Snapshot>,
    ) -> Result<()> {
        if !self.state.autocommit() {
            self.make_consistent();
            self.transaction.begin_implicitly(false, self.state.read_only());
        }
        let level = self.level_on(group, snapshot);
        if level == Some(Isolation::Serializable) {
            self.transaction.locks_anyway();
        }
        if self.transaction.is_begun() {
            match self.transaction.opening().as_slice() {
                // As it nearly always is: it travels with the first statement.
                [begin] if begin == START => lent.lead("START TRANSACTION"),
                opening => {
                    for sql in opening {
                        lent.simple(sql).await?;
                    }
                }
            }
            lent.forget_writes();
            self.transaction.opened(group, Some(lent.kill_handle()));
        } else if self.transaction.is_active() && !self.transaction.has(group) {
            lent.forget_writes();
            Box::pin(self.join(lent, group, snapshot)).await?;
        }
        if writes {
            self.transaction.writes(group);
        }
        Ok(())
    }

    /// Whether the transaction, open elsewhere, may run a statement on this group.
    fn check_member(&self, snapshot: &Snapshot, group: GroupId, writes: bool) -> Result<()> {
        let name = |id| snapshot.rules.group_name(id);
        if writes {
            self.transaction.check_write(name)?;
        }
        if !self.transaction.has(group) {
            return self.transaction.check_join(group, name).map(drop);
        }
        if self.held.has(group) {
            return Ok(());
        }
        // Whatever ran now would run outside of it.
        Err(Error::unavailable(
            "connection_lost",
            "A connection of the transaction was lost: it is rolled back in all its groups",
        ))
    }

    /// After a statement's last packet: the connection stays with the session where the transaction
    /// or a pin needs it, otherwise it goes back.
    pub(super) async fn settle(
        &mut self,
        group: GroupId,
        mut lent: Lent,
        snapshot: &Arc<Snapshot>,
    ) {
        let of_transaction = self.transaction.has(group);
        if lent.is_watched() {
            Box::pin(self.take_unseen(&mut lent)).await;
        }
        if !of_transaction {
            lent.forget_lead();
        } else if lent.is_unused() && Box::pin(lent.settle()).await.is_err() {
            // What was written for a command that never came had no answer.
            lent.condemn();
        }
        if of_transaction && lent.is_in_step() && !lent.in_transaction() {
            if lent.has_lead() {
                // Its statement never went out, and so neither did what opens it.
            } else if self.transaction.is_shared() {
                // Its server has ended its part without being asked: the others must not go on.
                lent.condemn();
            } else if self.is_over(&lent) {
                self.transaction.end();
            }
        }
        let keep = lent.in_transaction() || self.transaction.has(group) || !lent.pins().is_empty();
        if !keep {
            self.held.release(group);
        } else if of_transaction || !lent.pins().is_empty() {
            self.held.owe(group);
        }
        if keep && lent.is_in_step() {
            if !lent.is_kill_due() || Box::pin(lent.outlive_kill()).await.is_ok() {
                self.registration.set_pinned(!lent.pins().is_empty());
                self.held.put(group, lent, snapshot);
                return;
            }
            lent.condemn();
        }
        if let Some(lent) = lent.finish_now() {
            Box::pin(lent.finish()).await;
        }
        self.registration.set_pinned(!self.held.is_empty());
        self.held.unbind();
    }

    /// A transaction whose server says that none is open has ended, by an implicit commit or a
    /// deadlock. Under autocommit=0 the flag is off before the first row is touched, too.
    fn is_over(&self, lent: &Lent) -> bool {
        lent.status.contains(StatusFlags::AUTOCOMMIT) || !self.state.autocommit()
    }

    fn keep_or_lose(&mut self, group: GroupId, lent: Lent, snapshot: &Arc<Snapshot>) {
        if lent.is_in_step() {
            self.held.put(group, lent, snapshot);
            return;
        }
        drop(lent);
        self.held.unbind();
    }

    /// The error that ends the session where a connection went that carried its transaction, locks,
    /// temporary tables or variables: the server has undone those, and what follows would run
    /// without them. One server's client would have lost its connection, too.
    pub(super) fn loss(&self, cause: Option<Error>) -> Option<Error> {
        let transaction =
            self.transaction.members().iter().any(|member| !self.held.has(member.group));
        if !transaction && !self.held.lost() {
            return None;
        }
        let what = if transaction {
            "its transaction is rolled back"
        } else {
            "the transaction, locks, temporary tables or variables on it are gone"
        };
        let error = match cause {
            Some(error) if error.code == "commit_outcome_unknown" => error,
            Some(error) => {
                Error { message: format!("{}; this session ends: {what}", error.message), ..error }
            }
            None => Error::unavailable(
                "connection_lost",
                format!("A connection to a database was lost; this session ends: {what}"),
            ),
        };
        Some(error.fatal())
    }

    /// The group for statements that name no table: the transaction's, a held one, or the schema's
    /// default.
    pub(super) fn home_group(&self, snapshot: &Snapshot) -> Result<Target> {
        let schema = self.schema.as_ref().and_then(|name| snapshot.rules.schema(name.as_str()));
        let group = self
            .transaction
            .group()
            .or_else(|| self.held.groups().first().copied())
            .or_else(|| schema.map(|schema| schema.default_group))
            .unwrap_or(GroupId(0));
        if snapshot.rules.group(group).is_none() {
            return Err(Error::refused("no_groups", "The rules name no group of servers"));
        }
        let database = schema.and_then(|schema| schema.database_in(group)).cloned();
        Ok(Target::plain(group, database))
    }
}
