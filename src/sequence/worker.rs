//! Worker ids: which one to lease, and the SQL of leases.
//!
//! Owns: the choice and the texts. Never: sends them.
//!
//! A row of the table is one worker id: who holds it, the first id time that was never used with
//! it (`until_ms`), and when others may take it over (`expires_ms`, by the server's clock). Only
//! `until_ms` keeps ids apart; `expires_ms` merely keeps holders from taking each other's ids while
//! they live.

use std::time::Duration;

use crate::sequence::segment::{literal, quoted};

/// How far ahead of now a lease reaches: so long ids go on while the group can't be asked.
pub const WINDOW: Duration = Duration::from_secs(60);

/// How often a lease is renewed.
pub const RENEW: Duration = Duration::from_secs(10);

/// How long beyond its window an abandoned lease is left alone.
const MARGIN: Duration = Duration::from_secs(30);

/// A leased worker id, as its row says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub worker: u32,
    pub owner: String,
    pub until: u64,
    pub expires: u64,
}

/// A worker id to try for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Nobody ever had it.
    New(u32),
    /// Its lease is over.
    Expired(Row),
}

/// Chooses among the rows that there are; `None` where all are held. `dice`: any number, so that
/// processes that start together don't all try for the same one.
pub fn choose(rows: &[Row], workers: u32, now: u64, dice: u64) -> Option<Choice> {
    let expired: Vec<&Row> = rows
        .iter()
        .filter(|row| row.expires < now && row.until <= now && row.worker < workers)
        .collect();
    let pick = |count: usize| usize::try_from(dice % count.max(1) as u64).unwrap_or(0);
    if let Some(row) = expired.get(pick(expired.len())) {
        return Some(Choice::Expired((*row).clone()));
    }
    let free = |worker: &u32| !rows.iter().any(|row| row.worker == *worker);
    let free: Vec<u32> = (0..workers).filter(free).take(16).collect();
    if let Some(worker) = free.get(pick(free.len())) {
        return Some(Choice::New(*worker));
    }
    // Used ahead of time, but nobody holds it.
    let ahead = rows.iter().filter(|row| row.expires < now && row.worker < workers);
    ahead.min_by_key(|row| row.until).map(|row| Choice::Expired(row.clone()))
}

/// When others may take over what is leased until then.
pub fn expiry(now: u64, until: u64) -> u64 {
    now.max(until).saturating_add(milliseconds(MARGIN))
}

pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The statements about one table of leases and one width of worker ids.
#[derive(Clone, Debug)]
pub struct Texts {
    pub create: String,
    pub select: String,
    table: String,
    bits: u8,
}

/// The server's clock in milliseconds since 1970; the connection's time_zone is UTC.
pub const NOW: &str = "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS UNSIGNED)";

impl Texts {
    pub fn new(database: &str, table: &str, bits: u8) -> Self {
        let table = format!("{}.{}", quoted(database), quoted(table));
        Texts {
            create: format!(
                "CREATE TABLE IF NOT EXISTS {table} (\
                 bits TINYINT UNSIGNED NOT NULL, worker INT UNSIGNED NOT NULL, \
                 owner VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
                 holder VARCHAR(128) CHARACTER SET utf8mb4 NOT NULL, \
                 until_ms BIGINT UNSIGNED NOT NULL, expires_ms BIGINT UNSIGNED NOT NULL, \
                 PRIMARY KEY (bits, worker)) ENGINE=InnoDB"
            ),
            select: format!(
                "SELECT worker, owner, until_ms, expires_ms FROM {table} WHERE bits = {bits}"
            ),
            table,
            bits,
        }
    }

    /// Fails with 1062 where somebody was quicker.
    pub fn insert(
        &self,
        worker: u32,
        owner: &str,
        holder: &str,
        until: u64,
        expires: u64,
    ) -> String {
        let Texts { table, bits, .. } = self;
        let (owner, holder) = (literal(owner), literal(holder));
        format!(
            "INSERT INTO {table} (bits, worker, owner, holder, until_ms, expires_ms) \
             VALUES ({bits}, {worker}, {owner}, {holder}, {until}, {expires})"
        )
    }

    /// Changes one row where nobody was quicker, otherwise none.
    pub fn take_over(
        &self,
        row: &Row,
        owner: &str,
        holder: &str,
        until: u64,
        expires: u64,
    ) -> String {
        let Texts { table, bits, .. } = self;
        let (owner, holder) = (literal(owner), literal(holder));
        format!(
            "UPDATE {table} SET owner = {owner}, holder = {holder}, until_ms = {until}, \
             expires_ms = {expires} WHERE bits = {bits} AND worker = {} AND owner = {} \
             AND until_ms = {} AND expires_ms = {}",
            row.worker,
            literal(&row.owner),
            row.until,
            row.expires,
        )
    }

    /// Changes one row as long as the lease is held. A renewal that arrives late, behind a younger
    /// one, changes nothing.
    pub fn renew(&self, worker: u32, owner: &str, until: u64, expires: u64) -> String {
        let Texts { table, bits, .. } = self;
        format!(
            "UPDATE {table} SET until_ms = {until}, expires_ms = {expires} \
             WHERE bits = {bits} AND worker = {worker} AND owner = {} AND until_ms < {until}",
            literal(owner),
        )
    }

    /// Lets others have the worker id at once; what was used of it stays written.
    pub fn release(&self, worker: u32, owner: &str) -> String {
        let Texts { table, bits, .. } = self;
        format!(
            "UPDATE {table} SET expires_ms = 0 \
             WHERE bits = {bits} AND worker = {worker} AND owner = {}",
            literal(owner),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(worker: u32, until: u64, expires: u64) -> Row {
        Row { worker, owner: format!("o{worker}"), until, expires }
    }

    #[test]
    fn abandoned_worker_ids_come_first_then_new_ones() {
        let rows = [row(0, 500, 900), row(1, 900, 2000), row(2, 500, 999)];
        for dice in 0..9 {
            let Some(Choice::Expired(taken)) = choose(&rows, 8, 1000, dice) else { panic!() };
            assert_ne!(taken.worker, 1);
        }
        let held = [row(0, 500, 2000), row(1, 500, 2000), row(3, 500, 2000)];
        for dice in 0..9 {
            let choice = choose(&held, 4, 1000, dice);
            assert_eq!(choice, Some(Choice::New(2)));
        }
        assert_eq!(choose(&held[..2], 2, 1000, 0), None, "all are held");
        // Beyond this width of ids: another sequence's.
        assert_eq!(choose(&[row(9, 0, 0)], 2, 1000, 0), Some(Choice::New(0)));
    }

    #[test]
    fn what_was_used_ahead_of_time_is_the_last_resort() {
        let rows = [row(0, 5000, 900), row(1, 4000, 900)];
        let Some(Choice::Expired(taken)) = choose(&rows, 2, 1000, 0) else { panic!() };
        assert_eq!(taken.worker, 1);
    }

    #[test]
    fn others_wait_longer_than_the_holder_may_go_on() {
        assert!(expiry(1000, 61_000) > 61_000);
        assert_eq!(milliseconds(WINDOW), 60_000);
    }
}
