//! Asking one server who waits for whom.
//!
//! Owns: the texts, and that what comes back is of now. Never: puts servers together.
//!
//! InnoDB keeps what information_schema shows of its transactions for as long as somebody reads it
//! every 100 ms: several proxies that look in turn would be shown one moment for ever. So on MariaDB
//! one looks at a time, and its statement holds the time: whoever is shown that statement among the
//! transactions knows how old the rest is, and pauses for as long as it takes to be shown what is
//! new. MySQL's lock waits are of now; of that memory it needs only which connection a transaction
//! has, which never changes. (data_lock_waits names a thread, too: of a lock that nobody had waited
//! for before it is the waiter's.)

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::announce::{self, Entry};
use crate::backend::version::Kind;
use crate::error::Result;
use crate::transaction::store::Store;
use crate::transaction::xid::hex;

/// For longer than InnoDB keeps it.
const PAUSE: Duration = Duration::from_millis(105);
/// Numbers from here on are made of addresses (of transactions that wrote nothing yet), and are used
/// again.
const ADDRESSES: u64 = 1 << 48;

/// A connection and InnoDB's number of its transaction.
pub type Place = (u64, u64);

/// What one server shows.
#[derive(Debug, Default)]
pub struct Seen {
    /// Who waits for whom.
    pub waits: Vec<(Place, Place)>,
    pub told: Vec<Entry>,
}

/// Looks at one server.
pub struct Looker {
    store: Store,
    /// MySQL: the connections of transactions.
    connections: HashMap<u64, u64>,
}

/// What InnoDB showed, and whether that is new enough.
type Shown = (Vec<(Place, Place)>, bool);

impl Looker {
    pub fn new(store: Store) -> Looker {
        Looker { store, connections: HashMap::new() }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What there is, or was since `since`; with `listen`, what proxies tell there, too. `None`: it
    /// couldn't be seen now.
    ///
    /// # Errors
    /// The account may not see it (PROCESS, and SELECT on performance_schema on MySQL).
    pub async fn look(&mut self, since: Instant, listen: bool) -> Result<Option<Seen>> {
        let waits = match self.store.kind() {
            Kind::MariaDb => self.look_at_mariadb(since).await?,
            Kind::MySql => Some(self.look_at_mysql().await?),
        };
        let Some(waits) = waits else { return Ok(None) };
        let told = if listen { self.listen().await? } else { Vec::new() };
        Ok(Some(Seen { waits, told }))
    }

    async fn look_at_mariadb(&mut self, since: Instant) -> Result<Option<Vec<(Place, Place)>>> {
        let store = &mut self.store;
        let turn: Vec<Option<i64>> = store.select("SELECT GET_LOCK('weir:look', 2)").await?;
        if turn.first() != Some(&Some(1)) {
            return Ok(None);
        }
        let (mut waits, mut is_new) = read_mariadb(store, since).await?;
        if !is_new {
            tokio::time::sleep(PAUSE).await;
            (waits, is_new) = read_mariadb(store, since).await?;
        }
        store.execute("DO RELEASE_LOCK('weir:look')").await?;
        Ok(is_new.then_some(waits))
    }

    async fn look_at_mysql(&mut self) -> Result<Vec<(Place, Place)>> {
        let sql = "SELECT DISTINCT REQUESTING_ENGINE_TRANSACTION_ID, BLOCKING_ENGINE_TRANSACTION_ID \
                   FROM performance_schema.data_lock_waits";
        let waits: Vec<(u64, u64)> = self.store.select(sql).await?;
        let all: HashSet<u64> =
            waits.iter().flat_map(|(waiter, holder)| [*waiter, *holder]).collect();
        self.connections.retain(|id, _| *id < ADDRESSES && all.contains(id));
        let lacking: Vec<String> = all
            .iter()
            .filter(|id| !self.connections.contains_key(id))
            .map(|id| format!("'{id}'"))
            .collect();
        if !lacking.is_empty() {
            let sql = format!(
                "SELECT CAST(trx_id AS UNSIGNED), trx_mysql_thread_id \
                 FROM information_schema.INNODB_TRX WHERE trx_id IN ({})",
                lacking.join(",")
            );
            self.connections.extend(self.store.select::<(u64, u64)>(&sql).await?);
        }
        let place = |id: u64| Some((*self.connections.get(&id).filter(|it| **it != 0)?, id));
        Ok(waits.into_iter().filter_map(|(a, b)| Some((place(a)?, place(b)?))).collect())
    }

    async fn listen(&mut self) -> Result<Vec<Entry>> {
        let user = hex(self.store.node().spec.control.user.as_bytes());
        let sql = format!(
            "SELECT INFO FROM information_schema.PROCESSLIST \
             WHERE USER=CONVERT(X'{user}' USING utf8mb4) AND LEFT(INFO, {})='{}'",
            announce::OPENING.len(),
            announce::OPENING.replace('\'', "''")
        );
        let texts: Vec<String> = self.store.select(&sql).await?;
        Ok(texts.iter().flat_map(|text| announce::parse(text)).collect())
    }
}

/// Asks InnoDB, which may show what it has shown before.
async fn read_mariadb(store: &mut Store, since: Instant) -> Result<Shown> {
    // By the server's clock `since` was no later than its `now` less this.
    let passed = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
    let clock = "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS UNSIGNED)";
    let now: Vec<u64> = store.select(clock).await?;
    let now = now.first().copied().unwrap_or_default();
    store.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT").await?;
    let sql = format!(
        "SELECT /* weir look {now} */ DISTINCT r.trx_mysql_thread_id, CAST(r.trx_id AS UNSIGNED), \
         b.trx_mysql_thread_id, CAST(b.trx_id AS UNSIGNED), 0 AS looked \
         FROM information_schema.INNODB_LOCK_WAITS w \
         JOIN information_schema.INNODB_TRX r ON r.trx_id=w.requesting_trx_id \
         JOIN information_schema.INNODB_TRX b ON b.trx_id=w.blocking_trx_id \
         UNION ALL SELECT 0, 0, 0, 0, CAST(SUBSTRING(trx_query, 21, 16) AS UNSIGNED) \
         FROM information_schema.INNODB_TRX WHERE LEFT(trx_query, 20)='SELECT /* weir look '"
    );
    let rows: Vec<(u64, u64, u64, u64, u64)> = store.select(&sql).await?;
    store.execute("COMMIT").await?;
    let looked = rows.iter().map(|row| row.4).max().unwrap_or_default();
    let waits = rows.into_iter().filter(|row| row.4 == 0);
    let waits = waits.map(|(a, b, c, d, _)| ((a, b), (c, d))).collect();
    Ok((waits, looked >= now.saturating_sub(passed)))
}
