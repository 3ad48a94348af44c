//! The session's transaction over several groups: a further group joins, and all of them end.
//!
//! Owns: collecting the connections that take part, and giving them back afterwards. Never: knows
//! the commit protocol ([`crate::transaction`] does).

use std::sync::Arc;

use crate::backend::choose::Role;
use crate::backend::pool::Lent;
use crate::backend::state::Isolation;
use crate::context::Snapshot;
use crate::error::{Error, Fault, Result};
use crate::name::GroupId;
use crate::planner::Plan;
use crate::planner::plan::{Access, Target};
use crate::rules::Transactions;
use crate::session::forward::Failure;
use crate::session::last::Diagnostic;
use crate::session::lend::Purpose;
use crate::session::{End, Session};
use crate::sql::lex::ServerKind;
use crate::transaction::conclude::{self, Party, Terms};
use crate::transaction::each;
use crate::transaction::open::{Characteristics, OwnAccess, Shared, second_group};
use crate::transaction::record;
use crate::transaction::store::Store;
use crate::transaction::xid::{BranchId, TransactionId};

/// How a transaction over several groups ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Commit,
    Rollback,
}

/// Whether a server that answers so has rolled its whole transaction back: a deadlock (1213, and
/// 1614 inside of a branch), a full table of locks (1206), or a branch that the server ended (1402,
/// 1613).
pub(super) fn rolls_back(errno: u16) -> bool {
    matches!(errno, 1206 | 1213 | 1402 | 1613 | 1614)
}

/// What servers say of a snapshot that they don't take.
fn ignored_snapshot(message: &str) -> Diagnostic {
    let level = "Warning".to_owned();
    Diagnostic { level, errno: 138, sqlstate: None, message: message.to_owned() }
}

impl Session {
    /// A further group joins the transaction: `lent` is its connection, on which nothing of the
    /// transaction has run yet.
    pub(super) async fn join(
        &mut self,
        lent: &mut Lent,
        group: GroupId,
        snapshot: &Arc<Snapshot>,
    ) -> Result<()> {
        let name = |id| snapshot.rules.group_name(id);
        let mut mode = self.transaction.check_join(group, name)?;
        if self.transaction.shared().is_none() {
            mode = mode.min(self.foreseen(snapshot));
        }
        if self.transaction.only_reads() {
            // What writes nothing can't be half applied.
            mode = Transactions::BestEffort;
        }
        if self.transaction.shared().is_none() {
            let shared = self.share(mode, snapshot).await?;
            self.transaction.share(shared);
        }
        let Some(shared) = self.transaction.shared().cloned() else {
            return Err(Error::internal("a transaction of one group was joined"));
        };
        let branch = (shared.mode == Transactions::Atomic).then(|| BranchId {
            transaction: shared.id.clone(),
            instance: shared.instance,
            anchor_connection: shared.anchor_connection,
            connection: lent.id,
            anchor: self.transaction.group().map(name).map_or_else(String::new, |n| n.to_string()),
        });
        // XA START has no word for a snapshot (mysql-traps 8): a read takes it.
        let reads_first = branch.is_some() && self.transaction.wants_snapshot();
        let texts = match &branch {
            Some(branch) => self.transaction.joining(format!("XA START {}", branch.literal())),
            None if self.transaction.wants_snapshot() => {
                self.transaction.joining("START TRANSACTION WITH CONSISTENT SNAPSHOT".to_owned())
            }
            None => self.transaction.joining("START TRANSACTION".to_owned()),
        };
        match <[Vec<u8>; 1]>::try_from(texts) {
            // It travels with the group's first statement.
            Ok([start]) if !self.transaction.wants_snapshot() && lent.pins().is_empty() => {
                lent.lead(String::from_utf8_lossy(&start).into_owned());
            }
            Ok([start]) => drop(lent.simple(&start).await?),
            Err(texts) => {
                for text in texts {
                    lent.simple(&text).await?;
                }
            }
        }
        if reads_first {
            self.take_snapshot(lent, group, snapshot).await?;
        }
        shared.living.join(name(group), lent.kill_handle());
        self.transaction.joined(group, branch);
        Ok(())
    }

    /// What the session's own schema will want of the transaction: one that began without XA can't
    /// be made atomic later.
    fn foreseen(&self, snapshot: &Snapshot) -> Transactions {
        let schema = self.schema.as_ref().and_then(|name| snapshot.rules.schema(name.as_str()));
        match schema.map(|schema| schema.transactions) {
            Some(Transactions::Atomic) => Transactions::Atomic,
            // It refuses a second group to its own statements, which this one isn't.
            _ => Transactions::BestEffort,
        }
    }

    /// A branch's snapshot begins with its first read.
    async fn take_snapshot(
        &mut self,
        lent: &mut Lent,
        group: GroupId,
        snapshot: &Arc<Snapshot>,
    ) -> Result<()> {
        let database = &snapshot.rules.settings.commit_database;
        self.commit_table(group, snapshot).await?;
        lent.rows(record::select_instance(database).as_bytes(), 1).await.map(drop)
    }

    /// What the commit table of a group's primary calls itself; it is made where it is missing.
    async fn commit_table(&self, group: GroupId, snapshot: &Arc<Snapshot>) -> Result<u64> {
        let ledger = &self.ctx.shared.ledger;
        let database = &snapshot.rules.settings.commit_database;
        let group = snapshot.topology.group(group)?;
        if let Some(pool) = group.primary()
            && let Some(known) = ledger.instance(&pool.node().spec.address.to_string(), database)
        {
            return Ok(known);
        }
        let mut store = Box::pin(Store::open(group, database)).await?;
        let instance = Box::pin(store.instance(ledger, true)).await;
        store.close().await;
        instance?.ok_or_else(|| Error::internal("the commit table names no instance"))
    }

    /// The transaction gets an id; the anchor's connection is made to hold a plain transaction.
    async fn share(&mut self, mode: Transactions, snapshot: &Arc<Snapshot>) -> Result<Shared> {
        let Some(anchor) = self.transaction.anchor().cloned() else {
            return Err(Error::internal("a transaction without an anchor"));
        };
        let mut instance = 0;
        if mode == Transactions::Atomic {
            if self
                .state
                .variable("sql_log_bin")
                .is_some_and(|value| matches!(value, b"0" | b"'OFF'"))
            {
                return Err(Error::refused(
                    "transaction_without_binlog",
                    "With sql_log_bin=0 a transaction can't span groups: a replica that is promoted \
                     would miss its part of it",
                ));
            }
            instance = self.commit_table(anchor.group, snapshot).await?;
        }
        // Under autocommit=0 the server opens a transaction only with the first row touched.
        if let Some(lent) = self.held.get(anchor.group)
            && !lent.in_transaction()
            && !lent.has_lead()
        {
            lent.simple(b"START TRANSACTION").await?;
        }
        let ledger = &self.ctx.shared.ledger;
        let number = ledger.next_number();
        let start = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let id = TransactionId {
            deployment: snapshot.rules.settings.deployment.to_string(),
            proxy: ledger.proxy,
            run: ledger.run,
            number,
            start: start.map_or(0, |start| start.as_secs()),
        };
        let living = ledger.enter(id.to_string(), number, self.registration.id());
        let anchor_connection = anchor.handle.connection_id();
        living.join(snapshot.rules.group_name(anchor.group), anchor.handle);
        self.running.watch(Some(living.clone()));
        Ok(Shared { id, instance, anchor_connection, living, mode })
    }

    /// Ends the transaction on all its groups.
    ///
    /// # Errors
    /// Of COMMIT: it was rolled back, or nobody knows.
    pub(super) async fn conclude(&mut self, ending: Ending) -> Result<()> {
        let snapshot = self.snapshot();
        let Some(shared) = self.transaction.shared().cloned() else {
            self.transaction.end();
            return Ok(());
        };
        let members = self.transaction.members().to_vec();
        if members.iter().any(|member| !self.held.has(member.group)) {
            // Its part is rolled back by its server; the session ends (`Session::loss`), and with
            // it the parts of the others.
            return Err(Error::unavailable(
                "connection_lost",
                "A connection of the transaction was lost: it is rolled back in all its groups",
            ));
        }
        let mut parties = Vec::with_capacity(members.len());
        for member in members {
            let Some(lent) = self.held.take(member.group) else { continue };
            let name = snapshot.rules.group_name(member.group);
            let (group, branch) = (member.group, member.branch);
            // What stored code wrote unseen counts as what statements say.
            let wrote = member.wrote || lent.may_have_written();
            parties.push(Party { group, name, lent, wrote, branch });
        }
        self.transaction.end();
        let config = self.ctx.shared.config();
        let ctx = self.ctx.clone();
        let terms = Terms {
            shared: &shared,
            topology: &snapshot.topology,
            ledger: &ctx.shared.ledger,
            database: &snapshot.rules.settings.commit_database,
            step: config.transactions.step.0,
            outcome: config.transactions.outcome.0,
        };
        let outcome = match (ending, shared.mode) {
            (Ending::Commit, Transactions::Atomic) => conclude::commit(&mut parties, &terms).await,
            (Ending::Commit, _) => each::commit(&mut parties, terms.step).await,
            (Ending::Rollback, Transactions::Atomic) => {
                conclude::rollback(&mut parties, &terms).await;
                Ok(())
            }
            (Ending::Rollback, _) => {
                each::rollback(&mut parties, terms.step).await;
                Ok(())
            }
        };
        self.running.watch(None);
        for party in parties {
            if party.lent.pins().is_empty() {
                self.held.release(party.group);
            }
            self.settle(party.group, party.lent, &snapshot).await;
        }
        outcome
    }

    /// A server has rolled its part back, or the statement was chosen to break a deadlock: all
    /// groups follow before the client hears of it.
    pub(super) async fn abort_transaction(&mut self) {
        if self.transaction.is_shared() {
            // A rollback fails only where a connection is gone, which does the same.
            let _ = self.conclude(Ending::Rollback).await;
        } else {
            let _ = self.end_transaction(b"ROLLBACK").await;
        }
    }

    /// The same after an error of a server, where it says that the server has rolled back. Even the
    /// connection that said it is told ROLLBACK: whatever is left of BEGIN on it is nobody else's.
    pub(super) async fn follow_rollback(&mut self, errno: u16) {
        if self.undoes_all(errno) && self.is_in_transaction() && !self.transaction.is_xa() {
            self.abort_transaction().await;
        }
    }

    /// Whether a server that answers this has undone its whole part of the transaction.
    pub(super) fn undoes_all(&self, errno: u16) -> bool {
        rolls_back(errno) || errno == 1205 && self.loses_all_by_a_timeout()
    }

    /// Whether a server of the transaction undoes more than the statement whose lock wait times out.
    fn loses_all_by_a_timeout(&self) -> bool {
        let snapshot = self.snapshot();
        self.transaction.members().iter().any(|member| {
            let facts = snapshot.topology.group(member.group).ok().and_then(|group| group.facts());
            facts.is_some_and(|facts| facts.rollback_on_timeout)
        })
    }

    /// A statement in autocommit that changes several groups runs in a transaction of Weir's own.
    /// False where it needs none.
    ///
    /// # Errors
    /// The rules say `transactions: single`.
    pub(super) fn begin_own(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        targets: &[Target],
    ) -> Result<bool> {
        let mut groups = targets.iter().map(|target| target.group);
        let Some(first) = groups.next() else { return Ok(false) };
        let Some(second) = groups.find(|group| *group != first) else { return Ok(false) };
        if self.is_in_transaction() || !self.state.autocommit() || plan.facts.commits {
            return Ok(false);
        }
        if self.transaction.allowed() == Transactions::Single {
            let name = |id| snapshot.rules.group_name(id);
            return Err(second_group(&name(first), &name(second)));
        }
        self.transaction.begin_own(OwnAccess::Write);
        Ok(true)
    }

    /// Whether a statement must not read half of a committed transaction: by its hint, by the session's
    /// variable, or by the rules of a schema that it names or that is the session's.
    pub(super) fn wants_consistent(&self, plan: &Plan) -> bool {
        plan.facts.consistent || self.consistent.unwrap_or(plan.consistent_reads)
    }

    /// A statement begins. Where it must not read half of a committed transaction, and its own has
    /// touched no group yet, that locks all that it reads.
    ///
    /// # Errors
    /// The transaction is open without locks: what it has seen of one group, and what is read now in
    /// another, may be of two moments.
    pub(super) fn keep_consistent(&mut self, plan: &Plan) -> Result<()> {
        if !self.transaction.is_strict() || self.transaction.lock_reads() || plan.facts.commits {
            return Ok(());
        }
        let reads = matches!(plan.facts.access, Access::Read | Access::PrimaryRead)
            && !plan.traits.locking_read
            && plan.table_names().next().is_some();
        if !reads || !self.transaction.reads_without_locks() {
            return Ok(());
        }
        let snapshot = self.snapshot();
        let ruled = |(schema, _): (&str, &str)| {
            snapshot.rules.schema(schema).is_some_and(|schema| schema.consistent_reads)
        };
        if plan.facts.consistent || self.consistent == Some(true) || plan.table_names().any(ruled) {
            let group = self.transaction.group();
            let level = group.and_then(|group| self.level_on(group, &snapshot));
            self.transaction.read_in_one_group(level)?;
        }
        Ok(())
    }

    /// The session's isolation level, which on a group is its servers' default where none was said.
    pub(super) fn level_on(&self, group: GroupId, snapshot: &Snapshot) -> Option<Isolation> {
        let of_servers = || {
            let facts = snapshot.topology.group(group).ok()?.facts()?;
            Isolation::named(&facts.isolation)
        };
        self.state.isolation().or_else(of_servers)
    }

    /// A transaction is about to begin: under consistent reads all that it reads is locked, so that
    /// a commit that has reached one group is waited for on the others.
    pub(super) fn make_consistent(&mut self) {
        if self.transaction.is_strict() {
            self.lock_what_is_read();
        }
    }

    fn lock_what_is_read(&mut self) {
        if !self.is_in_transaction() {
            let isolation = Some(Isolation::Serializable);
            self.transaction.set_next(Characteristics { isolation, read_only: None });
        }
    }

    /// START TRANSACTION WITH CONSISTENT SNAPSHOT was said: the snapshots are taken now, on all groups
    /// of the session's schema. Without a schema, and where the rules let no second group join, each is
    /// taken when its group is first touched. Servers ignore the words in other levels than REPEATABLE
    /// READ, and so they are where what is read is locked.
    ///
    /// # Errors
    /// A group can't be had; nothing is begun then.
    pub(super) async fn begin_snapshots(&mut self) -> Result<()> {
        let snapshot = self.snapshot();
        let schema = self.schema.as_ref().and_then(|name| snapshot.rules.schema(name.as_str()));
        if self.consistent.unwrap_or_else(|| schema.is_some_and(|schema| schema.consistent_reads)) {
            self.transaction.lock_reads();
            self.last.warn(ignored_snapshot(
                "WITH CONSISTENT SNAPSHOT was ignored: by consistent_reads the transaction locks what it reads",
            ));
            return Ok(());
        }
        let home = schema.map(|schema| schema.default_group);
        let level = home.and_then(|group| self.level_on(group, &snapshot));
        let isolation = self.transaction.isolation().or(level).or(self.state.isolation());
        if isolation.is_some_and(|isolation| isolation != Isolation::RepeatableRead) {
            if self.dialect.server == ServerKind::MySql {
                self.last.warn(ignored_snapshot(
                    "InnoDB: WITH CONSISTENT SNAPSHOT was ignored because this phrase can only be used \
                     with REPEATABLE READ isolation level.",
                ));
            }
            return Ok(());
        }
        let Some(schema) = schema else { return Ok(()) };
        let mut groups: Vec<GroupId> = schema.groups().collect();
        if schema.transactions == Transactions::Single && groups.len() > 1 {
            return Ok(());
        }
        // What a session has on a connection, temporary tables among it, can't stand in a branch.
        groups
            .sort_by_key(|group| (!self.held.has(*group), *group != schema.default_group, *group));
        self.transaction.allow(schema.transactions, false);
        let read_only = self.transaction.may_use_replica();
        let role = if read_only { Role::Replica } else { Role::Primary };
        let purpose = Purpose { role, transactional: true, ..Purpose::OWN };
        for group in groups {
            let target = Target::plain(group, schema.database_in(group).cloned());
            match self.lend(&snapshot, &target, purpose).await {
                Ok(lent) => self.settle(group, lent, &snapshot).await,
                Err(error) => {
                    self.abort_transaction().await;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// A read in autocommit that must not show half of a committed transaction runs in a
    /// transaction of Weir's own. False where it needs none.
    pub(super) fn begin_consistent(&mut self, plan: &Plan, targets: &[Target]) -> bool {
        let bare = !self.is_in_transaction() && self.state.autocommit();
        if targets.len() < 2 || !bare || !self.wants_consistent(plan) {
            return false;
        }
        self.begin_consistent_read();
        true
    }

    /// Opens a transaction of Weir's own whose reads lock what they read.
    pub(super) fn begin_consistent_read(&mut self) {
        self.lock_what_is_read();
        self.transaction.begin_own(OwnAccess::Read);
    }

    /// Ends Weir's own transaction around a read. `good`: the read went well, and what stored code
    /// wrote in it unseen stays, as it does without such a transaction.
    ///
    /// # Errors
    /// What was written may be lost, and the client may have been answered: the session ends.
    pub(super) async fn end_own_read(
        &mut self,
        held: &[GroupId],
        good: bool,
    ) -> Result<(), Failure> {
        if !self.is_in_transaction() {
            return Ok(());
        }
        let members: Vec<GroupId> =
            self.transaction.members().iter().map(|member| member.group).collect();
        let wrote =
            |group: &GroupId| self.held.get(*group).is_some_and(|lent| lent.may_have_written());
        if !good || !members.iter().any(wrote) {
            self.abandon_own(held).await;
            return Ok(());
        }
        let ended = self.end_transaction(b"COMMIT").await;
        for group in members.iter().filter(|group| !held.contains(group)) {
            self.held.release(*group);
        }
        self.held.unbind();
        ended.map_err(|error| Failure::Session(End::Error(error.fatal())))
    }

    /// Undoes Weir's own transaction after an error of its statement. `held` are the groups whose
    /// connections were the session's before: what they carry besides is not Weir's to lose.
    pub(super) async fn abandon_own(&mut self, held: &[GroupId]) {
        let members: Vec<GroupId> =
            self.transaction.members().iter().map(|member| member.group).collect();
        if members.iter().all(|group| self.held.has(*group)) {
            self.abort_transaction().await;
        } else {
            // One connection is gone: the others' servers roll back as they are closed.
            for group in &members {
                if let Some(mut lent) = self.held.take(*group) {
                    lent.condemn();
                }
            }
            self.transaction.end();
            self.running.watch(None);
        }
        for group in members.iter().filter(|group| !held.contains(group)) {
            self.held.release(*group);
        }
        self.held.unbind();
    }

    /// A procedure may commit, which would commit one group's part alone.
    pub(super) fn check_routine(&self) -> Result<()> {
        if !self.transaction.is_shared() {
            return Ok(());
        }
        Err(Error::new(
            Fault::Refused,
            1235,
            b"42000",
            "transaction_routine",
            "A stored procedure can't be called in a transaction that spans groups: it might commit \
             one group's part alone. Call it before the second group is touched, or after COMMIT",
        ))
    }
}
