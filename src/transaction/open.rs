//! The session's transaction: where it is open, or what will open it.
//!
//! Owns: the states between BEGIN and COMMIT, the groups that take part and whether they wrote, and
//! the texts that open it on each group. Never: sends anything or holds a connection (the session
//! does both).
//!
//! BEGIN is answered without a backend: only the first statement says which group it concerns. That
//! group becomes the anchor; every further one joins before its first statement.

use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use crate::backend::kill::KillHandle;
use crate::backend::state::Isolation;
use crate::context::ledger::Living;
use crate::error::{Error, Result};
use crate::name::{GroupId, GroupName};
use crate::rules::Transactions;
use crate::transaction::xid::{BranchId, TransactionId};

/// The most savepoints that a transaction remembers.
const MAX_SAVEPOINTS: usize = 1024;

/// What `SET TRANSACTION` without SESSION says of the next transaction alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Characteristics {
    pub isolation: Option<Isolation>,
    pub read_only: Option<bool>,
}

impl Characteristics {
    fn text(self) -> Vec<u8> {
        let level = |isolation: Isolation| {
            format!("ISOLATION LEVEL {}", isolation.text().replace("D-", "D ").replace("E-", "E "))
        };
        let access = |read_only| if read_only { "READ ONLY" } else { "READ WRITE" }.to_owned();
        let parts = self.isolation.map(level).into_iter().chain(self.read_only.map(access));
        format!("SET TRANSACTION {}", parts.collect::<Vec<_>>().join(", ")).into_bytes()
    }
}

/// What a session knows of its transaction.
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    phase: Phase,
    next: Option<Characteristics>,
    /// What the present statement's schemas allow.
    allowed: Transactions,
    /// It must not read half of a committed transaction.
    strict: bool,
    /// It must not, and the transaction is open without locks: no further group can join.
    late: bool,
}

#[derive(Clone, Debug, Default)]
enum Phase {
    /// None is open.
    #[default]
    None,
    /// It was begun and no group has been touched yet.
    Begun(Begun),
    /// It is open on these groups.
    Open(Box<Open>),
}

/// How a transaction was begun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Begun {
    /// START TRANSACTION as the client said it; empty where autocommit=0 opens it.
    begin: Vec<u8>,
    /// SET TRANSACTION before it, for this transaction alone.
    characteristics: Option<Characteristics>,
    read_only: bool,
    /// READ WRITE, said by START TRANSACTION.
    writing: bool,
    /// The session's transactions read only.
    reading: bool,
    /// Of autocommit=0: no server has one before its first table.
    implicit: bool,
    snapshot: bool,
    /// The session's level has servers lock what it reads.
    locks_anyway: bool,
    /// What was said for it, where Weir says another level for this one transaction.
    said: Option<Option<Characteristics>>,
    savepoints: Vec<Savepoint>,
    /// Weir's own, around one statement in autocommit.
    own: Option<OwnAccess>,
    /// The client's own XA branch: it can't span groups.
    xa: bool,
}

impl Begun {
    fn refuses_writes(&self) -> bool {
        let said = self.characteristics.and_then(|said| said.read_only);
        self.read_only || !self.writing && said.unwrap_or(self.reading)
    }

    /// Its START TRANSACTION without a snapshot.
    fn plain(&self) -> Vec<u8> {
        let begin: &[u8] = match (self.read_only, self.writing) {
            (true, _) => b"START TRANSACTION READ ONLY",
            (_, true) => b"START TRANSACTION READ WRITE",
            _ => b"START TRANSACTION",
        };
        begin.to_vec()
    }

    fn isolation(&self) -> Option<Isolation> {
        self.characteristics.and_then(|said| said.isolation)
    }

    fn locks(&self) -> bool {
        self.isolation().map_or(self.locks_anyway, |level| level == Isolation::Serializable)
    }
}

/// What a statement with a transaction of its own does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnAccess {
    Read,
    Write,
}

/// A savepoint in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Savepoint {
    pub sql: Vec<u8>,
    /// In lower case: names are blind to case.
    name: String,
}

/// The first group's connection.
#[derive(Clone, Debug)]
pub struct Anchor {
    pub group: GroupId,
    pub handle: KillHandle,
}

#[derive(Clone, Debug)]
struct Open {
    begun: Begun,
    since: Instant,
    /// `None` in tests without connections.
    anchor: Option<Anchor>,
    members: SmallVec<[Member; 1]>,
    /// Given once a second group joins.
    shared: Option<Shared>,
    /// More savepoints than are remembered: no further group can join.
    forgot: bool,
    /// The strictest that schemas want of what was done so far.
    wanted: Transactions,
}

/// A group that takes part; the first one is the anchor.
#[derive(Clone, Debug)]
pub struct Member {
    pub group: GroupId,
    /// It ran something that may have changed rows.
    pub wrote: bool,
    /// Its id, where it is an XA branch.
    pub branch: Option<BranchId>,
}

/// What a transaction over several groups has.
#[derive(Clone, Debug)]
pub struct Shared {
    pub id: TransactionId,
    pub instance: u64,
    pub anchor_connection: u64,
    pub living: Arc<Living>,
    /// How it is committed: never [`Transactions::Single`].
    pub mode: Transactions,
}

impl Transaction {
    /// Whether the client is inside of a transaction.
    pub fn is_active(&self) -> bool {
        !matches!(self.phase, Phase::None)
    }

    /// Whether a server would tell the client of it: not of Weir's own, nor where autocommit=0 has
    /// touched no table yet.
    pub fn is_shown(&self) -> bool {
        self.begun()
            .is_some_and(|begun| begun.own.is_none() && !(begun.implicit && self.is_begun()))
    }

    /// The anchor: the group that the transaction was first opened on.
    pub fn group(&self) -> Option<GroupId> {
        self.members().first().map(|member| member.group)
    }

    /// When its first statement went to a group.
    pub fn since(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Open(open) => Some(open.since),
            _ => None,
        }
    }

    /// The groups that take part, the anchor first.
    pub fn members(&self) -> &[Member] {
        match &self.phase {
            Phase::Open(open) => &open.members,
            _ => &[],
        }
    }

    pub fn has(&self, group: GroupId) -> bool {
        self.members().iter().any(|member| member.group == group)
    }

    /// Whether more than one group takes part.
    pub fn is_shared(&self) -> bool {
        self.members().len() > 1
    }

    pub fn shared(&self) -> Option<&Shared> {
        match &self.phase {
            Phase::Open(open) => open.shared.as_ref(),
            _ => None,
        }
    }

    pub fn anchor(&self) -> Option<&Anchor> {
        match &self.phase {
            Phase::Open(open) => open.anchor.as_ref(),
            _ => None,
        }
    }

    /// Whether START TRANSACTION said READ ONLY.
    pub fn is_read_only(&self) -> bool {
        self.begun().is_some_and(|begun| begun.read_only)
    }

    /// Whether one replica may serve all of it: there locks wait for nobody.
    pub fn may_use_replica(&self) -> bool {
        self.begun().is_some_and(|begun| {
            begun.read_only && begun.isolation() != Some(Isolation::Serializable)
        })
    }

    /// Whether it is Weir's own, around one statement in autocommit.
    pub fn is_own(&self) -> bool {
        self.begun().is_some_and(|begun| begun.own.is_some())
    }

    /// Whether nothing in it can change a row.
    pub fn only_reads(&self) -> bool {
        self.begun().is_some_and(|begun| begun.read_only || begun.own == Some(OwnAccess::Read))
    }

    /// Whether it is an XA branch that the client began.
    pub fn is_xa(&self) -> bool {
        self.begun().is_some_and(|begun| begun.xa)
    }

    fn begun(&self) -> Option<&Begun> {
        match &self.phase {
            Phase::None => None,
            Phase::Begun(begun) => Some(begun),
            Phase::Open(open) => Some(&open.begun),
        }
    }

    fn begun_mut(&mut self) -> Option<&mut Begun> {
        match &mut self.phase {
            Phase::None => None,
            Phase::Begun(begun) => Some(begun),
            Phase::Open(open) => Some(&mut open.begun),
        }
    }

    /// `SET TRANSACTION` without SESSION: for the next transaction. Said twice, both hold.
    pub fn set_next(&mut self, said: Characteristics) {
        let before = self.next.unwrap_or_default();
        self.next = Some(Characteristics {
            isolation: said.isolation.or(before.isolation),
            read_only: said.read_only.or(before.read_only),
        });
    }

    /// What was said of the next transaction.
    pub fn next(&self) -> Option<Characteristics> {
        self.next
    }

    /// SET SESSION TRANSACTION: what it says holds for the next transaction, too.
    pub fn override_next(&mut self, said: Characteristics) {
        let Some(next) = &mut self.next else { return };
        next.isolation = next.isolation.filter(|_| said.isolation.is_none());
        next.read_only = next.read_only.filter(|_| said.read_only.is_none());
        if *next == Characteristics::default() {
            self.next = None;
        }
    }

    /// START TRANSACTION READ WRITE was said, whatever the session's default is.
    pub fn begin_writing(&mut self) {
        if let Some(begun) = self.begun_mut() {
            begun.writing = true;
        }
    }

    /// A statement in autocommit was the next transaction, or COMMIT was said.
    pub fn forget_next(&mut self) {
        self.next = None;
    }

    /// What the next transaction is begun with was said already.
    pub fn has_next(&self) -> bool {
        self.next.is_some()
    }

    /// What the schemas of the statement that runs now allow; `strict`: it must not read half of a
    /// committed transaction.
    pub fn allow(&mut self, allowed: Transactions, strict: bool) {
        (self.allowed, self.strict, self.late) = (allowed, strict, false);
    }

    /// Whether the present statement must not read half of a committed transaction.
    pub fn is_strict(&self) -> bool {
        self.strict
    }

    /// The level that was said for this transaction alone.
    pub fn isolation(&self) -> Option<Isolation> {
        self.begun().and_then(Begun::isolation)
    }

    /// The session's level is SERIALIZABLE: a transaction that is still to be opened locks.
    pub fn locks_anyway(&mut self) {
        if let Phase::Begun(begun) = &mut self.phase {
            begun.locks_anyway = true;
        }
    }

    /// What no group knows of yet will lock all that it reads, rather than take a snapshot. False where
    /// that can't be had any more.
    pub fn lock_reads(&mut self) -> bool {
        let Phase::Begun(begun) = &mut self.phase else { return false };
        if begun.xa || begun.own == Some(OwnAccess::Write) {
            return true;
        }
        if begun.snapshot {
            (begun.begin, begun.snapshot) = (begun.plain(), false);
        }
        begun.said.get_or_insert(begun.characteristics);
        begun.characteristics.get_or_insert_default().isolation = Some(Isolation::Serializable);
        true
    }

    /// Whether it is the client's and open, and reads don't lock.
    pub fn reads_without_locks(&self) -> bool {
        let Phase::Open(open) = &self.phase else { return false };
        !(open.begun.locks() || open.begun.xa || open.begun.own.is_some())
    }

    /// Without locks the present statement is right in one group alone, whose snapshot is of one moment.
    ///
    /// # Errors
    /// There are several groups already, or no snapshot: `session` is the session's level.
    pub fn read_in_one_group(&mut self, session: Option<Isolation>) -> Result<()> {
        self.late = true;
        let anew = [Isolation::ReadCommitted, Isolation::ReadUncommitted];
        if self.is_shared() || self.isolation().or(session).is_some_and(|it| anew.contains(&it)) {
            return Err(reads_too_late());
        }
        Ok(())
    }

    pub fn allowed(&self) -> Transactions {
        self.allowed
    }

    /// BEGIN: what opens the transaction on the first group touched.
    pub fn begin(&mut self, sql: Vec<u8>, read_only: bool, snapshot: bool) {
        let characteristics = self.next.take();
        let begun = Begun { begin: sql, characteristics, read_only, snapshot, ..Begun::default() };
        self.phase = Phase::Begun(begun);
    }

    /// Around one statement in autocommit over several shards or groups.
    pub fn begin_own(&mut self, access: OwnAccess) {
        self.begin(b"START TRANSACTION".to_vec(), false, false);
        if let Some(begun) = self.begun_mut() {
            begun.own = Some(access);
        }
    }

    /// XA START, as the client said it.
    pub fn begin_xa(&mut self, sql: Vec<u8>) {
        self.begin(sql, false, false);
        if let Some(begun) = self.begun_mut() {
            begun.xa = true;
        }
    }

    /// Under autocommit=0 a statement opens a transaction by itself: what must precede it. With
    /// `plainly` it is opened by a statement of its own, since several groups are touched at once.
    /// `reading`: the session's transactions read only.
    pub fn begin_implicitly(&mut self, plainly: bool, reading: bool) {
        if !self.is_active() {
            let begin: &[u8] = if plainly { b"START TRANSACTION" } else { b"" };
            self.begin(begin.to_vec(), false, false);
            if let Some(begun) = self.begun_mut() {
                (begun.reading, begun.implicit) = (reading, true);
            }
        }
    }

    /// SET SESSION TRANSACTION between BEGIN and the first statement is for those after it: this one
    /// keeps what the session had.
    pub fn keep_session(
        &mut self,
        said: Characteristics,
        isolation: Option<Isolation>,
        read_only: bool,
    ) {
        let Phase::Begun(begun) = &mut self.phase else { return };
        if begun.implicit {
            begun.reading = said.read_only.unwrap_or(begun.reading);
            return;
        }
        let own = begun.characteristics.get_or_insert_default();
        if said.isolation.is_some() && own.isolation.is_none() {
            own.isolation = isolation;
        }
        let named = begun.read_only || begun.writing || own.read_only.is_some();
        if said.read_only.is_some() && !named {
            own.read_only = Some(read_only);
        }
        if *own == Characteristics::default() {
            begun.characteristics = None;
        }
    }

    /// AND CHAIN: a new transaction with the characteristics of the one that ends, whose
    /// [`Transaction::chainable`] this is.
    pub fn chain(&mut self, begun: Begun) {
        self.phase = Phase::Begun(Begun { savepoints: Vec::new(), own: None, ..begun });
    }

    /// What COMMIT AND CHAIN goes on with.
    pub fn chainable(&self) -> Begun {
        let begun = self.begun().cloned().unwrap_or_default();
        let characteristics = begun.said.unwrap_or(begun.characteristics);
        let begin = begun.plain();
        Begun { begin, characteristics, said: None, snapshot: false, locks_anyway: false, ..begun }
    }

    /// The statements that open it on the anchor, in their order; nothing where it is open already.
    pub fn opening(&self) -> Vec<Vec<u8>> {
        let Phase::Begun(begun) = &self.phase else { return Vec::new() };
        let mut texts: Vec<Vec<u8>> =
            begun.characteristics.into_iter().map(Characteristics::text).collect();
        if !begun.begin.is_empty() {
            texts.push(begun.begin.clone());
        }
        texts.extend(begun.savepoints.iter().map(|savepoint| savepoint.sql.clone()));
        texts
    }

    /// The opening statements have been answered on this group: it is the anchor.
    pub fn opened(&mut self, group: GroupId, handle: Option<KillHandle>) {
        if let Phase::Begun(begun) = std::mem::take(&mut self.phase) {
            let member = Member { group, wrote: false, branch: None };
            let wanted = reading(self.allowed);
            let open = Open {
                begun,
                since: Instant::now(),
                anchor: handle.map(|handle| Anchor { group, handle }),
                members: SmallVec::from_elem(member, 1),
                shared: None,
                forgot: false,
                wanted,
            };
            self.phase = Phase::Open(Box::new(open));
        }
    }

    /// A procedure has opened one on this group, and may have written there; `begin` is empty where
    /// autocommit=0 did it.
    pub fn adopt(&mut self, begin: &[u8], group: GroupId, handle: Option<KillHandle>) {
        self.begin(begin.to_vec(), false, false);
        self.opened(group, handle);
        self.writes(group);
    }

    /// The group's connection died with its first statement, whose BEGIN or XA START went with it:
    /// nothing was done there, and another connection may take its place.
    pub fn reopen(&mut self, group: GroupId) {
        match std::mem::take(&mut self.phase) {
            Phase::Open(open) if open.members.len() == 1 => self.phase = Phase::Begun(open.begun),
            // Branches name their anchor: without it the whole transaction is lost.
            Phase::Open(open) if open.members.first().is_some_and(|first| first.group == group) => {
                self.phase = Phase::Open(open);
            }
            Phase::Open(mut open) => {
                open.members.retain(|member| member.group != group);
                self.phase = Phase::Open(open);
            }
            phase => self.phase = phase,
        }
    }

    /// Whether a further group may join now; `wanted` is the one, for the message.
    ///
    /// # Errors
    /// The rules of a schema say `transactions: single`, or savepoints were forgotten.
    pub fn check_join(
        &self,
        wanted: GroupId,
        name: impl Fn(GroupId) -> GroupName,
    ) -> Result<Transactions> {
        let Phase::Open(open) = &self.phase else {
            return Err(Error::internal("a group joins a transaction that isn't open"));
        };
        let wanted_mode = self.allowed.min(open.wanted);
        if wanted_mode == Transactions::Single || open.begun.xa {
            let first = open.members.first().map_or(wanted, |member| member.group);
            return Err(second_group(&name(first), &name(wanted)));
        }
        if self.late {
            return Err(reads_too_late());
        }
        if open.forgot {
            return Err(too_many_savepoints());
        }
        Ok(open.shared.as_ref().map_or(wanted_mode, |shared| shared.mode))
    }

    /// Whether a statement of the present schemas may write in the transaction as it is committed.
    ///
    /// # Errors
    /// The schemas want it on one group or atomic, and it is neither any more.
    pub fn check_write(&self, name: impl Fn(GroupId) -> GroupName) -> Result<()> {
        let Phase::Open(open) = &self.phase else { return Ok(()) };
        let Some(shared) = &open.shared else { return Ok(()) };
        if self.only_reads() || open.begun.refuses_writes() {
            return Ok(());
        }
        match (self.allowed, shared.mode) {
            (Transactions::Single, _) => {
                let mut groups = open.members.iter().map(|member| member.group);
                match (groups.next(), groups.next()) {
                    (Some(first), Some(second)) => Err(second_group(&name(first), &name(second))),
                    _ => Ok(()),
                }
            }
            (Transactions::Atomic, Transactions::BestEffort) => Err(not_atomic()),
            _ => Ok(()),
        }
    }

    /// A second group joins: from now on the transaction has an id.
    pub fn share(&mut self, shared: Shared) {
        if let Phase::Open(open) = &mut self.phase {
            open.shared.get_or_insert(shared);
        }
    }

    /// What opens it on a further group, in order, with `start` in the place of START TRANSACTION.
    pub fn joining(&self, start: String) -> Vec<Vec<u8>> {
        let Some(begun) = self.begun() else { return Vec::new() };
        let mut texts: Vec<Vec<u8>> =
            begun.characteristics.into_iter().map(Characteristics::text).collect();
        if begun.read_only {
            texts.push(b"SET TRANSACTION READ ONLY".to_vec());
        } else if begun.writing {
            texts.push(b"SET TRANSACTION READ WRITE".to_vec());
        }
        texts.push(start.into_bytes());
        texts.extend(begun.savepoints.iter().map(|savepoint| savepoint.sql.clone()));
        texts
    }

    /// Whether each group's snapshot is taken as soon as it joins.
    pub fn wants_snapshot(&self) -> bool {
        self.begun().is_some_and(|begun| begun.snapshot)
    }

    pub fn joined(&mut self, group: GroupId, branch: Option<BranchId>) {
        if let Phase::Open(open) = &mut self.phase {
            open.wanted = open.wanted.min(reading(self.allowed));
            open.members.push(Member { group, wrote: false, branch });
        }
    }

    /// Whether servers refuse what writes in it.
    pub fn refuses_writes(&self) -> bool {
        self.begun().is_some_and(Begun::refuses_writes)
    }

    /// BEGIN in a session whose transactions read only.
    pub fn begin_reading(&mut self) {
        if let Some(begun) = self.begun_mut() {
            begun.reading = true;
        }
    }

    /// The group is about to run something that may change rows. Servers refuse that in a transaction
    /// that reads only, which then has nothing to commit.
    pub fn writes(&mut self, group: GroupId) {
        if let Phase::Open(open) = &mut self.phase
            && !open.begun.refuses_writes()
            && let Some(member) = open.members.iter_mut().find(|member| member.group == group)
        {
            member.wrote = true;
            open.wanted = open.wanted.min(self.allowed);
        }
    }

    /// It ended: committed, rolled back, or lost.
    pub fn end(&mut self) {
        self.phase = Phase::None;
    }

    // ---- savepoints ----------------------------------------------------------------------------

    /// Whether savepoints are remembered here rather than sent.
    pub fn is_begun(&self) -> bool {
        matches!(self.phase, Phase::Begun(_))
    }

    /// SAVEPOINT: a name set again replaces the older one.
    ///
    /// # Errors
    /// Too many of them, where they can't be sent yet.
    pub fn savepoint(&mut self, name: &str, sql: Vec<u8>) -> Result<()> {
        let begun_only = self.is_begun();
        let Some(begun) = self.begun_mut() else { return Ok(()) };
        let name = name.to_lowercase();
        begun.savepoints.retain(|savepoint| savepoint.name != name);
        if begun.savepoints.len() < MAX_SAVEPOINTS {
            begun.savepoints.push(Savepoint { sql, name });
            return Ok(());
        }
        if begun_only {
            return Err(too_many_savepoints());
        }
        if let Phase::Open(open) = &mut self.phase {
            open.forgot = true;
        }
        Ok(())
    }

    /// ROLLBACK TO or RELEASE. False where no such savepoint is remembered.
    pub fn back_to_savepoint(&mut self, name: &str, release: bool) -> bool {
        let Some(begun) = self.begun_mut() else { return false };
        let name = name.to_lowercase();
        let found = begun.savepoints.iter().position(|savepoint| savepoint.name == name);
        if let Some(place) = found {
            begun.savepoints.truncate(if release { place } else { place + 1 });
        }
        found.is_some()
    }
}

/// The refusal of a read that might show half of a committed transaction.
fn reads_too_late() -> Error {
    Error::refused(
        "consistent_reads_late",
        "The transaction is open without locks, so that this read over groups might show half of what \
         another one commits, which consistent_reads forbids. The transaction is still open; commit \
         it, then let this statement be the first of one, begin it in the schema whose rules say \
         consistent_reads, or SET weir_consistent_reads first (1: all it reads is locked, 0: halves may show)",
    )
}

fn too_many_savepoints() -> Error {
    Error::limit(
        1105,
        "savepoints",
        format!(
            "More than {MAX_SAVEPOINTS} savepoints in one transaction: no further group can join it"
        ),
    )
}

/// What schemas that allow this want of a transaction in which they are only read.
fn reading(allowed: Transactions) -> Transactions {
    match allowed {
        Transactions::Single => Transactions::BestEffort,
        allowed => allowed,
    }
}

fn not_atomic() -> Error {
    Error::refused(
        "transaction_best_effort",
        "The transaction spans groups that commit one after the other (transactions: best_effort), and \
         this statement changes rows of a schema whose transactions are atomic. The transaction is still \
         open; COMMIT it first, or change rows of the atomic schema before a second group is touched",
    )
}

/// The refusal of a transaction that would touch a second group.
pub fn second_group(first: &GroupName, second: &GroupName) -> Error {
    Error::refused(
        "transaction_second_group",
        format!(
            "The transaction belongs to group '{first}' and this statement needs group '{second}', \
             too, which the rules (transactions: single) or an XA branch of the client's forbid. The transaction is still open; \
             commit it first, or keep it to rows of one group"
        ),
    )
}

#[cfg(test)]
mod tests;
