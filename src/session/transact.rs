//! BEGIN, COMMIT, ROLLBACK and savepoints, as the client says them.
//!
//! Owns: what each means for the session's transaction and its connection. Never: remembers it
//! ([`crate::transaction`] does).

use smallvec::SmallVec;

use crate::backend::state::Isolation;
use crate::error::{Error, Fault, Result};
use crate::planner::Plan;
use crate::planner::plan::{Pin, Unseen};
use crate::session::client_xa::rmfail;
use crate::session::forward::Failure;
use crate::session::several::Ending;
use crate::session::{End, Session};
use crate::sql::classify::{Classified, StatementKind, Transaction as Words};
use crate::sql::lex::ServerKind;
use crate::transaction::open::Characteristics;

/// MariaDB makes its rows without a transaction.
const INFORMATION: &str = "information_schema";

/// Errors of MySQL's that rows make, or what becomes of them: the statement has begun then.
const OF_ROWS: &[u16] = &[
    1022, 1026, 1028, 1030, 1048, 1062, 1114, 1172, 1205, 1206, 1213, 1216, 1217, 1242, 1260, 1264,
    1265, 1292, 1317, 1364, 1365, 1366, 1369, 1406, 1411, 1441, 1442, 1451, 1452, 1526, 1557, 1586,
    1591, 1644, 1690, 1748, 1761, 1762, 3024, 3037, 3048, 3055, 3057, 3064, 3140, 3141, 3143, 3156,
    3157, 3158, 3636, 3691, 3692, 3699, 3819,
];

/// Errors of MariaDB's that come before it opens tables.
const OF_TEXT: &[u16] = &[1044, 1049, 1064, 1066, 1142, 1146, 1582, 1747, 1792, 4042];

/// Whether a statement that ends so was no transaction, for it hadn't begun. Where that isn't known of
/// one of MySQL's errors, what was said holds on: better a write that is refused than one that was to be.
fn is_no_transaction(server: ServerKind, errno: u16) -> bool {
    match server {
        ServerKind::MariaDb => OF_TEXT.contains(&errno),
        ServerKind::MySql => !OF_ROWS.contains(&errno),
    }
}

/// What a statement in autocommit runs under, and what the session had.
pub(super) struct Once {
    said: Characteristics,
    isolation: Option<Isolation>,
    read_only: bool,
    /// What was said isn't used up.
    stays: bool,
}

impl Session {
    /// Runs a transaction statement; `sql` is its text.
    pub(super) async fn transact(
        &mut self,
        classified: &Classified,
        sql: &[u8],
        more: bool,
    ) -> Result<(), Failure> {
        let words = classified.transaction;
        let name = classified.name.as_deref().unwrap_or_default();
        match classified.kind {
            StatementKind::Begin => {
                self.end_transaction(b"COMMIT").await?;
                let read_only = words.read_only == Some(true);
                let snapshot = words.consistent_snapshot;
                self.transaction.begin(begin_text(words), read_only, snapshot);
                if self.state.read_only() {
                    self.transaction.begin_reading();
                }
                if words.read_only == Some(false) {
                    self.transaction.begin_writing();
                }
                if snapshot {
                    Box::pin(self.begin_snapshots()).await?;
                }
            }
            StatementKind::Commit | StatementKind::Rollback => {
                let is_commit = classified.kind == StatementKind::Commit;
                // Also where none is open, the next one is told anew.
                self.transaction.forget_next();
                self.finish_transaction(if is_commit { b"COMMIT" } else { b"ROLLBACK" }, words)
                    .await?;
            }
            StatementKind::Savepoint => self.savepoint(name, sql).await?,
            StatementKind::RollbackToSavepoint => self.to_savepoint(name, sql, false).await?,
            StatementKind::ReleaseSavepoint => self.to_savepoint(name, sql, true).await?,
            _ => return Err(Error::internal("not a transaction statement").into()),
        }
        self.reply_ok(0, "", more);
        if words.release == Some(true) {
            self.flush().await.map_err(Failure::Session)?;
            return Err(Failure::Session(End::Client));
        }
        Ok(())
    }

    /// Ends what is open with this word, if anything is; the session holds nothing of it then.
    ///
    /// # Errors
    /// The server's own error. A lost answer to COMMIT says that the outcome is unknown.
    pub(super) async fn end_transaction(&mut self, word: &[u8]) -> Result<()> {
        if self.transaction.is_xa() {
            return Err(rmfail("ACTIVE"));
        }
        if self.transaction.is_shared() {
            let ending = if word == b"COMMIT" { Ending::Commit } else { Ending::Rollback };
            return Box::pin(self.conclude(ending)).await;
        }
        let Some(group) = self.transaction.group() else {
            self.transaction.end();
            return self.end_of_servers(word).await;
        };
        let snapshot = self.snapshot();
        self.transaction.end();
        let Some(mut lent) = self.held.take(group) else { return Ok(()) };
        lent.forget_lead();
        let answer = lent.simple(word).await;
        let in_step = lent.is_in_step();
        let title = lent.node().title();
        let pinned = !lent.pins().is_empty();
        self.settle(group, lent, &snapshot).await;
        match answer {
            Ok(_) => Ok(()),
            // A rollback that didn't arrive happens by itself.
            Err(_) if word == b"ROLLBACK" && !in_step => {
                if !pinned {
                    self.held.release(group);
                }
                Ok(())
            }
            Err(error) if !in_step => Err(Error::new(
                Fault::Unavailable,
                2013,
                b"08S01",
                "commit_outcome_unknown",
                format!(
                    "The connection to {title} was lost during COMMIT ({}): whether the transaction \
                     was committed is unknown; look before you repeat it",
                    error.message
                ),
            )),
            Err(error) => Err(error),
        }
    }

    /// A transaction that a server opened without being asked by BEGIN (a procedure, a compound
    /// statement) is the client's, too: COMMIT and ROLLBACK mean it.
    async fn end_of_servers(&mut self, word: &[u8]) -> Result<()> {
        let snapshot = self.snapshot();
        for group in self.held.groups() {
            if !self.held.get(group).is_some_and(|lent| lent.in_transaction()) {
                continue;
            }
            let Some(mut lent) = self.held.take(group) else { continue };
            let answer = lent.simple(word).await;
            let in_step = lent.is_in_step();
            self.settle(group, lent, &snapshot).await;
            match answer {
                Ok(_) => {}
                Err(error) if !in_step && word == b"COMMIT" => {
                    return Err(crate::transaction::conclude::unknown(Some(error), None));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// SET TRANSACTION without SESSION.
    pub(super) fn next_transaction(&mut self, said: Characteristics) -> Result<()> {
        if self.is_in_transaction() {
            return Err(Error::new(
                Fault::Client,
                1568,
                b"25001",
                "",
                "Transaction characteristics can't be changed while a transaction is in progress",
            ));
        }
        self.transaction.set_next(said);
        Ok(())
    }

    /// A statement in autocommit is the next transaction by itself: what was said of that holds for the
    /// session while it runs, on all its connections. As on one server, what names no table is none;
    /// a stored function in such a one may touch tables or not, so that it is kept from writing and
    /// what was said holds on.
    /// [`Session::leave_once`] takes it back.
    ///
    /// # Errors
    /// READ ONLY before stored code, of which a server takes the first statement alone for that
    /// transaction.
    pub(super) fn enter_once(&mut self, plan: &Plan) -> Result<Option<Once>> {
        let Some(said) = self.transaction.next() else { return Ok(None) };
        if self.is_in_transaction() || !self.state.autocommit() {
            return Ok(None);
        }
        let facts = &plan.facts;
        if said.read_only == Some(true) && matches!(facts.pins, Some(Pin::Routine | Pin::Unknown)) {
            return Err(Error::refused(
                "read_only_stored",
                "CALL and compound statements in autocommit aren't kept from writing by SET TRANSACTION READ ONLY \
                 here: run them between START TRANSACTION READ ONLY and COMMIT",
            ));
        }
        // What only shows is none: servers differ in it, and here a write is rather refused once more.
        let shows = matches!(plan.kind, StatementKind::Show | StatementKind::Describe);
        let is_mariadb = self.dialect.server == ServerKind::MariaDb;
        let counts = |schema: &str| !is_mariadb || !schema.eq_ignore_ascii_case(INFORMATION);
        let names_table = !shows && plan.table_names().any(|(schema, _)| counts(schema));
        if !names_table && facts.unseen != Unseen::Sets {
            return Ok(None);
        }
        if names_table {
            self.transaction.forget_next();
        }
        // It commits what went before, and runs as the session's.
        if facts.commits {
            return Ok(None);
        }
        let (isolation, read_only) = (self.state.isolation(), self.state.read_only());
        let once = Once { said, isolation, read_only, stays: !names_table };
        if said.isolation.is_some() {
            self.state.set_isolation(said.isolation);
        }
        if let Some(read_only) = said.read_only {
            self.state.set_read_only(read_only);
        }
        Ok(Some(once))
    }

    /// Whether SET TRANSACTION READ ONLY holds for a statement in autocommit.
    pub(super) fn only_reads_next(&self) -> bool {
        let alone = !self.is_in_transaction() && self.state.autocommit();
        alone && self.transaction.next().and_then(|said| said.read_only) == Some(true)
    }

    /// The statement is through. One that was refused before it began has not been the transaction.
    pub(super) fn leave_once<T>(&mut self, once: Option<Once>, outcome: &Result<T, Failure>) {
        let Some(once) = once else { return };
        self.state.set_isolation(once.isolation);
        self.state.set_read_only(once.read_only);
        if once.stays {
            return;
        }
        let errno = match outcome {
            Err(Failure::Statement(error)) => Some(error.errno),
            _ => self.last.diagnostics.iter().rfind(|kept| kept.is_error()).map(|kept| kept.errno),
        };
        if errno.is_some_and(|errno| is_no_transaction(self.dialect.server, errno)) {
            self.transaction.set_next(once.said);
        }
    }

    async fn finish_transaction(&mut self, word: &[u8], words: Words) -> Result<()> {
        let chained = self.transaction.chainable();
        self.end_transaction(word).await?;
        if words.chain == Some(true) {
            self.transaction.chain(chained);
        }
        Ok(())
    }

    async fn savepoint(&mut self, name: &str, sql: &[u8]) -> Result<()> {
        if !self.state.autocommit() {
            // The savepoint goes with what opens it: a statement without tables opens nothing.
            self.transaction.begin_implicitly(true, self.state.read_only());
        }
        self.on_members(sql).await?;
        self.transaction.savepoint(name, sql.to_vec())
    }

    /// Says the same to every group of the transaction.
    async fn on_members(&mut self, sql: &[u8]) -> Result<()> {
        let groups: SmallVec<[_; 2]> =
            self.transaction.members().iter().map(|member| member.group).collect();
        for group in groups {
            if let Some(lent) = self.held.get(group) {
                lent.send_lead().await?;
                lent.simple(sql).await?;
            }
        }
        Ok(())
    }

    async fn to_savepoint(&mut self, name: &str, sql: &[u8], release: bool) -> Result<()> {
        if self.transaction.group().is_some() {
            self.on_members(sql).await?;
            self.transaction.back_to_savepoint(name, release);
            return Ok(());
        }
        if self.transaction.back_to_savepoint(name, release) {
            return Ok(());
        }
        Err(Error::new(
            Fault::Client,
            1305,
            b"42000",
            "",
            format!("SAVEPOINT {name} does not exist"),
        ))
    }
}

/// The text that opens a transaction as these words asked.
fn begin_text(words: Words) -> Vec<u8> {
    let mut text = b"START TRANSACTION".to_vec();
    let mut separator: &[u8] = b" ";
    if words.consistent_snapshot {
        text.extend_from_slice(b" WITH CONSISTENT SNAPSHOT");
        separator = b", ";
    }
    if let Some(read_only) = words.read_only {
        text.extend_from_slice(separator);
        text.extend_from_slice(if read_only { b"READ ONLY" } else { b"READ WRITE" });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_opening_text_says_what_the_client_said() {
        let text = |words| String::from_utf8(begin_text(words)).unwrap();
        assert_eq!(text(Words::default()), "START TRANSACTION");
        let words = Words { consistent_snapshot: true, read_only: Some(true), ..Words::default() };
        assert_eq!(text(words), "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY");
        let words = Words { read_only: Some(false), ..Words::default() };
        assert_eq!(text(words), "START TRANSACTION READ WRITE");
    }
}
