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
use super::seal::{self, Seal};
use crate::backend::version::Kind;
use crate::error::Result;
use crate::transaction::store::Store;
use crate::transaction::xid::hex;

/// For longer than InnoDB keeps it.
const PAUSE: Duration = Duration::from_millis(105);
/// How MariaDB's statement begins; the time and its seal follow.
const OPENING: &str = "SELECT /* weir look ";
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
    seal: Seal,
    /// MySQL: the connections of transactions.
    connections: HashMap<u64, u64>,
}

/// What InnoDB showed, and whether that is new enough.
type Shown = (Vec<(Place, Place)>, bool);

impl Looker {
    pub fn new(store: Store) -> Looker {
        let seal = Seal::new(&store.node().spec.control);
        Looker { store, seal, connections: HashMap::new() }
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
        let (mut waits, mut is_new) = read_mariadb(store, &self.seal, since).await?;
        if !is_new {
            tokio::time::sleep(PAUSE).await;
            (waits, is_new) = read_mariadb(store, &self.seal, since).await?;
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
        Ok(texts.iter().flat_map(|text| announce::parse(text, &self.seal)).collect())
    }
}

/// Asks InnoDB, which may show what it has shown before.
async fn read_mariadb(store: &mut Store, seal: &Seal, since: Instant) -> Result<Shown> {
    // By the server's clock `since` was no later than its `now` less this.
    let passed = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
    let clock = "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS UNSIGNED)";
    let now: Vec<u64> = store.select(clock).await?;
    let now = now.first().copied().unwrap_or_default();
    store.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT").await?;
    let mark = seal.of(&now.to_string());
    let ends = OPENING.len() + now.to_string().len() + 1 + seal::DIGITS;
    let sql = format!(
        "{OPENING}{now} {mark} */ DISTINCT r.trx_mysql_thread_id, CAST(r.trx_id AS UNSIGNED), \
         b.trx_mysql_thread_id, CAST(b.trx_id AS UNSIGNED), '' AS looked \
         FROM information_schema.INNODB_LOCK_WAITS w \
         JOIN information_schema.INNODB_TRX r ON r.trx_id=w.requesting_trx_id \
         JOIN information_schema.INNODB_TRX b ON b.trx_id=w.blocking_trx_id \
         UNION ALL SELECT 0, 0, 0, 0, LEFT(trx_query, {ends}) \
         FROM information_schema.INNODB_TRX WHERE LEFT(trx_query, {})='{OPENING}'",
        OPENING.len()
    );
    let rows: Vec<(u64, u64, u64, u64, String)> = store.select(&sql).await?;
    store.execute("COMMIT").await?;
    let looked = rows.iter().filter_map(|row| moment(&row.4, seal)).max().unwrap_or_default();
    let waits = rows.into_iter().filter(|row| row.4.is_empty());
    let waits = waits.map(|(a, b, c, d, _)| ((a, b), (c, d))).collect();
    Ok((waits, looked >= now.saturating_sub(passed)))
}

/// When a proxy's look began, by the server's clock, as its text says.
fn moment(text: &str, seal: &Seal) -> Option<u64> {
    let (moment, mark) = text.strip_prefix(OPENING)?.split_once(' ')?;
    if seal.is_of(mark, moment) { moment.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::spec::Account;

    #[test]
    fn only_proxies_say_when_they_looked() {
        let seal = Seal::new(&Account { user: "weir".into(), password: "secret".into() });
        let text = |moment: &str, mark: &str| format!("SELECT /* weir look {moment} {mark}");
        let mark = seal.of("1700000000000000");
        assert_eq!(moment(&text("1700000000000000", &mark), &seal), Some(1_700_000_000_000_000));
        assert_eq!(moment(&text("1700000000000001", &mark), &seal), None);
        assert_eq!(moment("SELECT /* weir look 1700000000000000 */ 1", &seal), None);
    }
}
