//! A client's own XA statements: a branch on one group, coordinated by somebody else.
//!
//! Owns: what XA START to XA COMMIT mean for the session, and finding the group of a branch that
//! another session prepared. Never: coordinates, or lets a client near Weir's own branches.
//!
//! XA START is answered without a backend, as BEGIN is: the first statement says which group the
//! branch lives on. A statement for another group is refused.

use crate::error::{Error, Fault, Result};
use crate::name::GroupId;
use crate::planner::plan::Target;
use crate::session::Session;
use crate::session::lend::Purpose;
use crate::session::own::rows;
use crate::session::query::Manner;
use crate::session::reply::{Kind, Table};
use crate::sql::classify::Xa;
use crate::transaction::xid::FORMAT;

/// MySQL's XAER_NOTA: no such branch.
const UNKNOWN: u16 = 1397;

impl Session {
    /// Runs an XA statement; `sql` is its text.
    pub(super) async fn client_xa(
        &mut self,
        kind: Xa,
        sql: &[u8],
        manner: Manner<'_>,
    ) -> Result<()> {
        if names_weir(sql) {
            return Err(xa_error(UNKNOWN, b"XAE04", "XAER_NOTA: Unknown XID"));
        }
        match kind {
            Xa::Recover => return self.recover(sql, manner).await,
            Xa::Start if self.transaction.is_xa() => {
                return Err(rmfail("ACTIVE"));
            }
            Xa::Start if self.is_in_transaction() => {
                return Err(xa_error(
                    1400,
                    b"XAE09",
                    "XAER_OUTSIDE: Some work is done outside global transaction",
                ));
            }
            Xa::Start => self.transaction.begin_xa(sql.to_vec()),
            Xa::End | Xa::Prepare => self.on_branch(sql).await?,
            Xa::Commit | Xa::Rollback if self.transaction.is_xa() => self.end_branch(sql).await?,
            Xa::Commit | Xa::Rollback => self.search_branch(sql).await?,
        }
        self.reply_ok(0, "", manner.more);
        Ok(())
    }

    /// Says it where the branch is. One that no statement has touched yet is opened on the home
    /// group.
    async fn on_branch(&mut self, sql: &[u8]) -> Result<()> {
        if !self.transaction.is_xa() {
            return Err(rmfail("NON-EXISTING"));
        }
        let snapshot = self.snapshot();
        if self.transaction.group().is_none() {
            let target = self.home_group(&snapshot)?;
            let purpose = Purpose { transactional: true, ..Purpose::OWN };
            let lent = self.lend(&snapshot, &target, purpose).await?;
            self.settle(target.group, lent, &snapshot).await;
        }
        match self.transaction.group().and_then(|group| self.held.get(group)) {
            Some(lent) => {
                lent.send_lead().await?;
                lent.simple(sql).await.map(drop)
            }
            None => Err(rmfail("NON-EXISTING")),
        }
    }

    /// XA COMMIT or XA ROLLBACK by the session that has the branch.
    async fn end_branch(&mut self, sql: &[u8]) -> Result<()> {
        self.on_branch(sql).await?;
        let snapshot = self.snapshot();
        let group = self.transaction.group();
        self.transaction.end();
        if let Some((group, lent)) = group.and_then(|group| Some((group, self.held.take(group)?))) {
            self.settle(group, lent, &snapshot).await;
        }
        Ok(())
    }

    /// The same for a branch that another session, or an earlier one, has prepared.
    async fn search_branch(&mut self, sql: &[u8]) -> Result<()> {
        if self.is_in_transaction() {
            return Err(xa_error(
                1400,
                b"XAE09",
                "XAER_OUTSIDE: Some work is done outside global transaction",
            ));
        }
        let snapshot = self.snapshot();
        let mut last = xa_error(UNKNOWN, b"XAE04", "XAER_NOTA: Unknown XID");
        for group in self.own_groups() {
            let purpose = Purpose { writes: true, ..Purpose::OWN };
            let mut lent = self.lend(&snapshot, &Target::plain(group, None), purpose).await?;
            let outcome = lent.simple(sql).await;
            self.settle(group, lent, &snapshot).await;
            match outcome {
                Ok(_) => return Ok(()),
                Err(error) if error.errno == UNKNOWN => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// The session ends: a branch that is prepared must outlive its connection, and does so where
    /// that is closed rather than reset.
    pub(super) fn close_branch(&mut self) {
        if self.transaction.is_xa()
            && let Some(lent) = self.transaction.group().and_then(|group| self.held.get(group))
        {
            lent.condemn();
        }
    }

    /// The groups of the session's schema.
    fn own_groups(&self) -> Vec<GroupId> {
        let snapshot = self.snapshot();
        let schema =
            self.schema.as_ref().and_then(|name| snapshot.rules.schema(name.as_str()).cloned());
        schema.map_or_else(Vec::new, |schema| schema.groups().collect())
    }

    /// XA RECOVER: the branches of every group of the schema, but for Weir's.
    async fn recover(&mut self, sql: &[u8], manner: Manner<'_>) -> Result<()> {
        let snapshot = self.snapshot();
        let columns = [
            ("formatID", Kind::Number),
            ("gtrid_length", Kind::Number),
            ("bqual_length", Kind::Number),
            ("data", Kind::Text),
        ];
        let mut table = Table::new(&columns);
        let own = FORMAT.to_string();
        for group in self.own_groups() {
            let mut lent = self.lend(&snapshot, &Target::plain(group, None), Purpose::OWN).await?;
            let found = rows(&mut lent, sql).await;
            self.settle(group, lent, &snapshot).await;
            for row in found?.rows {
                let texts: Vec<Option<String>> = row
                    .into_iter()
                    .map(|value| value.map(|value| String::from_utf8_lossy(&value).into_owned()))
                    .collect();
                if texts.first().and_then(Option::as_deref) != Some(&own) {
                    table.row(texts.iter().map(Option::as_deref));
                }
            }
        }
        self.reply_table(&table, manner.binary, manner.more);
        Ok(())
    }
}

/// Whether the statement names a branch of Weir's: by its format, in either way of writing it.
fn names_weir(sql: &[u8]) -> bool {
    let text = String::from_utf8_lossy(sql).to_ascii_lowercase();
    let format = FORMAT.to_string();
    let hex = format!("{FORMAT:x}");
    text.contains(&format) || text.contains(&hex)
}

/// MySQL's XAER_RMFAIL: not in this state.
pub(super) fn rmfail(state: &str) -> Error {
    let text = format!(
        "XAER_RMFAIL: The command cannot be executed when global transaction is in the  {state} state"
    );
    xa_error(1399, b"XAE07", &text)
}

fn xa_error(errno: u16, state: &[u8; 5], text: &str) -> Error {
    Error::new(Fault::Client, errno, state, "", text)
}

#[cfg(test)]
mod tests {
    use super::names_weir;

    #[test]
    fn weirs_own_branches_are_out_of_reach() {
        assert!(names_weir(b"XA COMMIT X'61',X'62',1464158546"));
        assert!(names_weir(b"XA ROLLBACK X'61',X'62',0x57454952"));
        assert!(!names_weir(b"XA COMMIT 'a','b',1"));
    }
}
