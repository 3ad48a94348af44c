//! The session's transaction: where it is open, or what will open it.
//!
//! Owns: the states between BEGIN and COMMIT, and the texts that open a transaction on the first
//! group touched. Never: sends anything or holds a connection (the session does both).
//!
//! BEGIN is answered without a backend: only the first statement says which group it concerns. From
//! then on the transaction belongs to that group, and a statement for another one is refused.

use crate::error::{Error, Result};
use crate::name::{GroupId, GroupName};

/// The most savepoints set before the first statement.
const MAX_OPENING: usize = 64;

/// What a session knows of its transaction.
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    phase: Phase,
    /// `SET TRANSACTION …` for the next transaction alone.
    next: Option<Vec<u8>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// None is open.
    #[default]
    None,
    /// It was begun and no group has been touched yet: these statements open it, the first ones
    /// without a name, savepoints with theirs.
    Begun { opening: Vec<Opening>, read_only: bool },
    /// It is open on this group.
    Open { group: GroupId, read_only: bool },
}

/// A statement that is sent before the first one of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    pub sql: Vec<u8>,
    /// The name of the savepoint that it sets, in lower case (names are blind to case).
    pub savepoint: Option<String>,
}

impl Transaction {
    /// Whether the client is inside of a transaction.
    pub fn is_active(&self) -> bool {
        self.phase != Phase::None
    }

    /// The group that the transaction is open on.
    pub fn group(&self) -> Option<GroupId> {
        match self.phase {
            Phase::Open { group, .. } => Some(group),
            _ => None,
        }
    }

    /// Whether START TRANSACTION said READ ONLY, so that one replica may serve all of it.
    pub fn is_read_only(&self) -> bool {
        matches!(
            self.phase,
            Phase::Begun { read_only: true, .. } | Phase::Open { read_only: true, .. }
        )
    }

    /// `SET TRANSACTION` without SESSION: for the next transaction.
    pub fn set_next(&mut self, sql: Vec<u8>) {
        self.next = Some(sql);
    }

    /// BEGIN: what opens the transaction on the first group touched.
    pub fn begin(&mut self, sql: Vec<u8>, read_only: bool) {
        let next = self.next.take();
        let opening = next.into_iter().chain([sql]);
        let opening = opening.map(|sql| Opening { sql, savepoint: None }).collect();
        self.phase = Phase::Begun { opening, read_only };
    }

    /// Under autocommit=0 a statement opens a transaction by itself: what must precede it.
    pub fn begin_implicitly(&mut self) {
        if self.phase == Phase::None {
            let opening = self.next.take().into_iter();
            let opening = opening.map(|sql| Opening { sql, savepoint: None }).collect();
            self.phase = Phase::Begun { opening, read_only: false };
        }
    }

    /// What to send before the first statement, and nothing where it is open already.
    pub fn opening(&self) -> &[Opening] {
        match &self.phase {
            Phase::Begun { opening, .. } => opening,
            _ => &[],
        }
    }

    /// The opening statements have been answered on this group.
    pub fn opened(&mut self, group: GroupId) {
        let read_only = self.is_read_only();
        self.phase = Phase::Open { group, read_only };
    }

    /// It ended: committed, rolled back, or lost.
    pub fn end(&mut self) {
        self.phase = Phase::None;
    }

    /// # Errors
    /// A statement for another group than the transaction is open on.
    pub fn check(&self, wanted: GroupId, name: impl Fn(GroupId) -> GroupName) -> Result<()> {
        match self.phase {
            Phase::Open { group, .. } if group != wanted => {
                Err(second_group(&name(group), &name(wanted)))
            }
            _ => Ok(()),
        }
    }

    // ---- savepoints before the first statement -------------------------------------------------

    /// Whether savepoints are remembered here rather than sent.
    pub fn is_begun(&self) -> bool {
        matches!(self.phase, Phase::Begun { .. })
    }

    /// SAVEPOINT before the first statement: a name set again replaces the older one.
    ///
    /// # Errors
    /// Too many of them.
    pub fn savepoint(&mut self, name: &str, sql: Vec<u8>) -> Result<()> {
        let Phase::Begun { opening, .. } = &mut self.phase else { return Ok(()) };
        let name = name.to_lowercase();
        opening.retain(|entry| entry.savepoint.as_deref() != Some(&name));
        if opening.len() >= MAX_OPENING {
            return Err(Error::limit(
                1105,
                "savepoints",
                format!("More than {MAX_OPENING} savepoints before the transaction's first statement"),
            ));
        }
        opening.push(Opening { sql, savepoint: Some(name) });
        Ok(())
    }

    /// ROLLBACK TO or RELEASE before the first statement. False where there is no such savepoint.
    pub fn back_to_savepoint(&mut self, name: &str, release: bool) -> bool {
        let Phase::Begun { opening, .. } = &mut self.phase else { return false };
        let name = name.to_lowercase();
        let found = opening.iter().position(|entry| entry.savepoint.as_deref() == Some(&name));
        if let Some(place) = found {
            opening.truncate(if release { place } else { place + 1 });
        }
        found.is_some()
    }
}

/// The refusal of a transaction that would touch a second group.
pub fn second_group(first: &GroupName, second: &GroupName) -> Error {
    Error::refused(
        "transaction_second_group",
        format!(
            "The transaction belongs to group '{first}' and this statement needs group '{second}', \
             too: a transaction over more than one group isn't supported yet. The transaction is \
             still open; commit it first, or keep it to rows of one group"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(transaction: &Transaction) -> Vec<&str> {
        let text = |entry: &Opening| std::str::from_utf8(&entry.sql).map(|_| ()).is_ok();
        assert!(transaction.opening().iter().all(text));
        transaction.opening().iter().map(|entry| std::str::from_utf8(&entry.sql).unwrap()).collect()
    }

    #[test]
    fn begin_is_remembered_until_a_group_is_touched() {
        let mut transaction = Transaction::default();
        transaction.set_next(b"SET TRANSACTION READ ONLY".to_vec());
        assert!(!transaction.is_active());
        transaction.begin(b"START TRANSACTION".to_vec(), false);
        assert_eq!(texts(&transaction), ["SET TRANSACTION READ ONLY", "START TRANSACTION"]);
        transaction.opened(GroupId(1));
        assert!(transaction.opening().is_empty());
        assert_eq!(transaction.group(), Some(GroupId(1)));
        let name = |id: GroupId| GroupName::new(format!("g{}", id.0));
        assert!(transaction.check(GroupId(1), name).is_ok());
        let error = transaction.check(GroupId(0), name).unwrap_err();
        assert!(error.message.contains("'g1'") && error.message.contains("'g0'"), "{error}");
        transaction.end();
        assert!(!transaction.is_active() && transaction.check(GroupId(0), name).is_ok());
        // The characteristics were for one transaction.
        transaction.begin(b"BEGIN".to_vec(), false);
        assert_eq!(texts(&transaction), ["BEGIN"]);
    }

    #[test]
    fn savepoints_before_the_first_statement_are_as_in_mysql() {
        let mut transaction = Transaction::default();
        transaction.begin(b"BEGIN".to_vec(), true);
        assert!(transaction.is_read_only());
        for name in ["a", "b", "A", "c"] {
            transaction.savepoint(name, format!("SAVEPOINT {name}").into_bytes()).unwrap();
        }
        // The second "A" deleted the first one and stands after "b".
        assert_eq!(texts(&transaction), ["BEGIN", "SAVEPOINT b", "SAVEPOINT A", "SAVEPOINT c"]);
        assert!(transaction.back_to_savepoint("a", false));
        assert_eq!(texts(&transaction), ["BEGIN", "SAVEPOINT b", "SAVEPOINT A"]);
        assert!(!transaction.back_to_savepoint("c", false));
        assert!(transaction.back_to_savepoint("b", true));
        assert_eq!(texts(&transaction), ["BEGIN"]);
        for number in 0..MAX_OPENING - 1 {
            transaction.savepoint(&format!("s{number}"), b"S".to_vec()).unwrap();
        }
        assert_eq!(transaction.savepoint("over", b"S".to_vec()).unwrap_err().code, "savepoints");
    }
}
