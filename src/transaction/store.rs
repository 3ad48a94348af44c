//! A control connection to a group's primary: its commit table, and its prepared branches.
//!
//! Owns: making the table, asking an outcome by insert, listing and resolving branches, clearing
//! rows. Never: decides what is resolved or cleared (the session and [`super::recover`] do).
//!
//! The account is that of data, which has no right to write on a read-only server: a replica lists
//! its primary's branches too, and resolving one there would stop replication (mysql-traps 3). The
//! node is confirmed as primary over the same connection before each use.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

use crate::backend::control;
use crate::backend::fault;
use crate::backend::group::Group;
use crate::backend::node::Node;
use crate::backend::version::Kind;
use crate::context::ledger::Ledger;
use crate::error::{Error, Fault, Result};
use crate::name::GroupName;
use crate::transaction::protocol::{Answer, Step};
use crate::transaction::record;
use crate::transaction::xid::{BranchId, TransactionId};

/// How long one step on a control connection may take.
const BOUND: Duration = Duration::from_secs(5);
/// How long the insert of an abort row waits for the anchor's row lock, in seconds.
const LOCK_WAIT: u64 = 1;
/// Tries and pauses while the owner of a branch goes.
const OWNER_TRIES: u32 = 20;
const OWNER_PAUSE: Duration = Duration::from_millis(50);

/// A connection to the primary of one group.
pub struct Store {
    pub group: GroupName,
    node: Arc<Node>,
    conn: Conn,
    database: String,
    kind: Kind,
}

/// A prepared branch, Weir's or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    pub format: i64,
    pub transaction: Vec<u8>,
    pub qualifier: Vec<u8>,
}

impl Prepared {
    /// Its id, where Weir gave it.
    pub fn branch(&self) -> Option<BranchId> {
        BranchId::parse(self.format, &self.transaction, &self.qualifier)
    }
}

/// A row of the commit table that is due to be cleared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldRow {
    pub key: Vec<u8>,
    pub committed: bool,
    pub connection: u64,
    pub members: Vec<GroupName>,
}

impl Store {
    /// Connects to the group's primary and confirms that it is one.
    ///
    /// # Errors
    /// There is none, it can't be reached, or it is read-only.
    pub async fn open(group: &Group, database: &str) -> Result<Store> {
        let Some(pool) = group.primary() else {
            return Err(fault::no_node(group.name(), "primary", "none is known", Duration::ZERO));
        };
        let node = pool.node().clone();
        let conn = control::connect(&node, &node.spec.data, BOUND).await?;
        let kind = node.facts().map_or(Kind::MySql, |facts| facts.version.kind);
        let mut store =
            Store { group: group.name().clone(), node, conn, database: database.to_owned(), kind };
        store.confirm().await?;
        let isolation = kind.isolation_variable();
        let text = format!(
            "SET SESSION innodb_lock_wait_timeout={LOCK_WAIT}, autocommit=1, sql_mode='', \
             {isolation}='READ-COMMITTED'"
        );
        store.drop_rows(&text).await?;
        Ok(store)
    }

    /// Whether this is still the connection to take for the group.
    pub fn is_of(&self, group: &Group) -> bool {
        group.primary().is_some_and(|pool| Arc::ptr_eq(pool.node(), &self.node))
    }

    /// Whether it leads to the server of the group's present primary, whatever the group is called.
    pub fn is_of_server(&self, group: &Group) -> bool {
        let address = |node: &Node| node.spec.address.to_string();
        group.primary().is_some_and(|pool| address(pool.node()) == address(&self.node))
    }

    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Rows of a query, of which none has a NULL that `T` has no place for.
    pub(super) async fn select<T>(&mut self, sql: &str) -> Result<Vec<T>>
    where
        T: mysql_async::prelude::FromRow + Send + 'static,
    {
        control::run(&self.node, BOUND, self.conn.query(sql)).await
    }

    pub(super) async fn execute(&mut self, sql: &str) -> Result<()> {
        self.drop_rows(sql).await
    }

    /// # Errors
    /// The server doesn't take writes: it is no primary.
    pub async fn confirm(&mut self) -> Result<()> {
        let row: Option<u64> = self.first("SELECT @@global.read_only").await?;
        if row == Some(0) {
            return Ok(());
        }
        Err(fault::unreachable(&self.node, "it is read-only, so it isn't the primary"))
    }

    async fn drop_rows(&mut self, sql: &str) -> Result<()> {
        control::run(&self.node, BOUND, self.conn.query_drop(sql)).await
    }

    async fn first<T>(&mut self, sql: &str) -> Result<Option<T>>
    where
        T: mysql_async::prelude::FromRow + Send + 'static,
    {
        control::run(&self.node, BOUND, self.conn.query_first(sql)).await
    }

    // ---- the commit table ----------------------------------------------------------------------

    /// What the commit table calls itself; with `make`, it is made where it is missing.
    ///
    /// # Errors
    /// The account lacks the right to make it; the sentence says what to grant.
    pub async fn instance(&mut self, ledger: &Ledger, make: bool) -> Result<Option<u64>> {
        let server = self.node.spec.address.to_string();
        if let Some(instance) = ledger.instance(&server, &self.database) {
            return Ok(Some(instance));
        }
        let mut found = self.select_instance().await;
        if make && !matches!(found, Ok(Some(_))) {
            self.make(rand::random()).await?;
            found = self.select_instance().await;
        }
        match found {
            Ok(Some(instance)) => {
                ledger.set_instance(server, self.database.clone(), instance);
                Ok(Some(instance))
            }
            Ok(None) => Ok(None),
            // 1049, 1146: there is none; 1142: it isn't ours to see.
            Err(error) if matches!(error.errno, 1049 | 1146) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// As [`Store::instance`], asked of the server itself.
    pub async fn instance_now(&mut self) -> Result<Option<u64>> {
        self.select_instance().await
    }

    async fn select_instance(&mut self) -> Result<Option<u64>> {
        let sql = record::select_instance(&self.database);
        let text: Option<Vec<u8>> = self.first(&sql).await?;
        let text = text.and_then(|text| String::from_utf8(text).ok());
        Ok(text.and_then(|text| u64::from_str_radix(&text, 16).ok()))
    }

    async fn make(&mut self, instance: u64) -> Result<()> {
        let (database, node) = (self.database.clone(), self.node.clone());
        let lacks = |error: Error| match error.errno {
            1044 | 1142 | 1227 | 1045 => Error::new(
                Fault::Refused,
                error.errno,
                b"42000",
                "commit_table",
                format!(
                    "A transaction over several groups needs the table {}, and the account '{}' may \
                     not make it on {}: CREATE DATABASE `{database}`, and GRANT CREATE, SELECT, \
                     INSERT, DELETE ON `{database}`.* to it ({})",
                    record::table(&database),
                    node.spec.data.user,
                    node.title(),
                    error.message
                ),
            ),
            _ => error,
        };
        let table = record::create_table(&database);
        if let Err(error) = self.drop_rows(&table).await {
            if error.errno != 1049 {
                return Err(lacks(error));
            }
            self.drop_rows(&record::create_database(&database)).await.map_err(lacks)?;
            self.drop_rows(&table).await.map_err(lacks)?;
        }
        self.drop_rows(&record::insert_instance(&database, instance)).await.map_err(lacks)
    }

    /// Asks what became of a transaction, by inserting the row that aborts it. [`Answer::Lost`]
    /// where a row stands that holds no verdict.
    ///
    /// # Errors
    /// 1205 while its anchor is in flight and holds the row; anything else says that this couldn't
    /// be asked now. Neither is a verdict.
    pub async fn ask(&mut self, id: &TransactionId, anchor_connection: u64) -> Result<Answer> {
        self.confirm().await?;
        let insert = record::insert_abort(&self.database, id, anchor_connection);
        match self.drop_rows(&insert).await {
            Ok(()) => Ok(Answer::RolledBack),
            Err(error) if error.errno == 1062 => {
                let sql = record::select_verdict(&self.database, id);
                let verdict: Option<Vec<u8>> = self.first(&sql).await?;
                Ok(match verdict.as_deref() {
                    Some(b"C") => Answer::Committed,
                    Some(b"A") => Answer::RolledBack,
                    _ => Answer::Lost,
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Ends a connection of the data account; one that is gone already is what was wanted.
    pub async fn kill(&mut self, connection: u64) -> Result<()> {
        match self.drop_rows(&format!("KILL CONNECTION {connection}")).await {
            Err(error) if error.errno == 1094 => Ok(()),
            outcome => outcome,
        }
    }

    // ---- branches ------------------------------------------------------------------------------

    /// All prepared branches of the server, foreign ones included.
    ///
    /// # Errors
    /// The account may not see them (1401 on MySQL without XA_RECOVER_ADMIN).
    pub async fn prepared(&mut self) -> Result<Vec<Prepared>> {
        let rows: Vec<Row> = control::run(&self.node, BOUND, self.conn.query("XA RECOVER")).await?;
        Ok(rows.iter().filter_map(prepared).collect())
    }

    /// Commits or rolls back a prepared branch, and sees to it that it is gone.
    ///
    /// # Errors
    /// It still stands: its owner holds it, or the server said no.
    pub async fn resolve(&mut self, branch: &BranchId, step: Step) -> Result<()> {
        let verb = if step == Step::CommitPrepared { "XA COMMIT" } else { "XA ROLLBACK" };
        let sql = format!("{verb} {}", branch.literal());
        let mut killed = false;
        for _ in 0..OWNER_TRIES {
            self.confirm().await?;
            match self.drop_rows(&sql).await {
                Ok(()) => return Ok(()),
                // 1402: MariaDB's word for a branch that had changed nothing.
                Err(error) if error.errno == 1402 => return Ok(()),
                Err(error) if error.errno == 1397 => {}
                Err(error) => return Err(error),
            }
            // Unknown, or held by the connection that prepared it (mysql-traps 2).
            if !self.lists(branch).await? {
                return Ok(());
            }
            if !killed && self.kind == Kind::MariaDb {
                self.kill(branch.connection).await?;
                killed = true;
            }
            tokio::time::sleep(OWNER_PAUSE).await;
        }
        Err(fault::of_server(&self.node, Error::internal("a prepared branch can't be resolved")))
    }

    async fn lists(&mut self, branch: &BranchId) -> Result<bool> {
        let (first, second) = (branch.transaction.to_string(), branch.qualifier());
        let all = self.prepared().await?;
        Ok(all
            .iter()
            .any(|one| one.transaction == first.as_bytes() && one.qualifier == second.as_bytes()))
    }

    // ---- clearing ------------------------------------------------------------------------------

    /// Rows behind a key that have stood for longer than `age`.
    pub async fn old_rows(
        &mut self,
        age: Duration,
        after: &[u8],
        limit: usize,
    ) -> Result<Vec<OldRow>> {
        let sql = record::select_old(&self.database, age.as_secs(), after, limit);
        let found: Result<Vec<Row>> = control::run(&self.node, BOUND, self.conn.query(sql)).await;
        match found {
            Ok(rows) => Ok(rows.into_iter().filter_map(old_row).collect()),
            Err(error) if matches!(error.errno, 1049 | 1146) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Whether the server still has this connection.
    pub async fn has_connection(&mut self, connection: u64) -> Result<bool> {
        let sql = format!("SELECT 1 FROM information_schema.PROCESSLIST WHERE ID={connection}");
        let row: Option<u64> = self.first(&sql).await?;
        Ok(row.is_some())
    }

    pub async fn delete<'a>(&mut self, keys: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        self.confirm().await?;
        let sql = record::delete(&self.database, keys);
        self.drop_rows(&sql).await
    }

    pub async fn close(self) {
        let _ = tokio::time::timeout(Duration::from_millis(100), self.conn.disconnect()).await;
    }
}

fn number(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Int(number) => Some(*number),
        Value::UInt(number) => i64::try_from(*number).ok(),
        Value::Bytes(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

fn bytes(value: Option<&Value>) -> Option<Vec<u8>> {
    match value? {
        Value::Bytes(bytes) => Some(bytes.clone()),
        _ => None,
    }
}

/// A row of XA RECOVER: format, the halves' lengths, both halves.
fn prepared(row: &Row) -> Option<Prepared> {
    let format = number(row.as_ref(0))?;
    let length = usize::try_from(number(row.as_ref(1))?).ok()?;
    let mut transaction = bytes(row.as_ref(3))?;
    let qualifier = transaction.split_off(length.min(transaction.len()));
    Some(Prepared { format, transaction, qualifier })
}

fn old_row(row: Row) -> Option<OldRow> {
    let members = String::from_utf8(bytes(row.as_ref(3))?).ok()?;
    Some(OldRow {
        key: bytes(row.as_ref(0))?,
        committed: bytes(row.as_ref(1))? == b"C",
        connection: u64::try_from(number(row.as_ref(2))?).ok()?,
        members: members.lines().map(GroupName::from).collect(),
    })
}
