//! Three groups of one real server each, a cutter before each, and two Weirs in front.
//!
//! Owns: starting them, fresh rows for each run, and looking at the servers behind Weir's back.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::faults::cutter::Cutter;
use crate::support::proxy::{self, Proxy};
use crate::support::servers::{Kind, Options, Server};
use crate::support::{reaper, sql};

/// Groups, and so copies of a broadcast table.
pub const GROUPS: usize = 3;
/// Accounts (and lists) of a run; account `n` of them lives on group `n % GROUPS`.
pub const ACCOUNTS: u64 = 9;
/// What each account begins with.
pub const OPENING: i64 = 1000;

pub struct World {
    pub kind: Kind,
    pub servers: Vec<Server>,
    pub cutters: Vec<Cutter>,
    pub proxies: Vec<Proxy>,
    /// Of each proxy, see `transaction::failpoint`.
    pub failpoints: Vec<PathBuf>,
}

impl World {
    pub fn start(kind: Kind) -> Result<World, String> {
        let options = || Options {
            durable: true,
            tls: false,
            extra: vec!["--innodb-lock-wait-timeout=5".to_owned()],
        };
        let servers =
            (0..GROUPS).map(|_| Server::start(kind, options())).collect::<Result<Vec<_>, _>>()?;
        let cutters = servers
            .iter()
            .map(|server| Cutter::start(server.port))
            .collect::<Result<Vec<_>, _>>()?;
        for (number, server) in servers.iter().enumerate() {
            server.execute_all(&[
                &format!("CREATE DATABASE bank_{number}"),
                &format!("CREATE TABLE bank_{number}.accounts (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL) ENGINE=InnoDB"),
                &format!("CREATE TABLE bank_{number}.history (account BIGINT NOT NULL, op BIGINT NOT NULL, amount BIGINT NOT NULL, PRIMARY KEY (account, op)) ENGINE=InnoDB"),
                &format!("CREATE TABLE bank_{number}.lists (id BIGINT PRIMARY KEY, ops MEDIUMTEXT NOT NULL) ENGINE=InnoDB"),
                &format!("CREATE TABLE bank_{number}.tickets (id BIGINT PRIMARY KEY, op BIGINT NOT NULL, KEY (op)) ENGINE=InnoDB"),
                &format!("CREATE TABLE bank_{number}.counters (id BIGINT PRIMARY KEY, n BIGINT NOT NULL, ops MEDIUMTEXT NOT NULL) ENGINE=InnoDB"),
            ])?;
        }
        let mut world =
            World { kind, servers, cutters, proxies: Vec::new(), failpoints: Vec::new() };
        for _ in 0..2 {
            let failpoints = reaper::directory("failpoints");
            let proxy = Proxy::start(world.options(&failpoints)?)?;
            world.proxies.push(proxy);
            world.failpoints.push(failpoints);
        }
        Ok(world)
    }

    fn options(&self, failpoints: &std::path::Path) -> Result<proxy::Options, String> {
        let rules = reaper::directory("rules");
        std::fs::write(rules.join("rules.yaml"), self.rules())
            .map_err(|error| error.to_string())?;
        let transactions = |line: &str| ("transactions", line.to_owned());
        Ok(proxy::Options {
            rules,
            env: vec![
                ("WEIR_DATA_PASSWORD".to_owned(), "weir".to_owned()),
                ("WEIR_CONTROL_PASSWORD".to_owned(), "weir_control".to_owned()),
                ("WEIR_FAILPOINTS".to_owned(), failpoints.display().to_string()),
            ],
            settings: vec![
                transactions("step: 3s"),
                transactions("outcome: 10s"),
                transactions("recover_every: 300ms"),
                transactions("recover_after: 2s"),
                ("listen", "workers: 2".to_owned()),
            ],
        })
    }

    fn rules(&self) -> String {
        let group = |number: usize| {
            format!(
                "  g{number}: {{primary: {{address: \"127.0.0.1:{}\"}}}}\n",
                self.cutters[number].port
            )
        };
        let groups: String = (0..GROUPS).map(group).collect();
        let sharded = "algorithm: {kind: modulo}, shards: {count: 3, databases: \"bank_{0}\", groups: [g0, g1, g2]";
        format!(
            "settings: {{deployment: faults}}\n\
             groups:\n{groups}\
             group_defaults:\n  accounts:\n    data: {{user: weir, password: env:WEIR_DATA_PASSWORD}}\n    \
             control: {{user: weir_control, password: env:WEIR_CONTROL_PASSWORD}}\n  \
             tls: {{mode: \"off\"}}\n  pool: {{size: 40, wait: 3s, connect_timeout: 1s, probe_interval: 200ms}}\n\
             schemas:\n  bank:\n    default_group: g0\n    \
             databases: {{g0: bank_0, g1: bank_1, g2: bank_2}}\n    tables:\n      \
             accounts: {{key: [{{column: id, type: bigint}}], {sharded}, tables: accounts, restart: true}}}}\n      \
             history: {{key: [{{column: account, type: bigint}}], {sharded}, tables: history, restart: true}}}}\n      \
             lists: {{key: [{{column: id, type: bigint}}], {sharded}, tables: lists, restart: true}}}}\n      \
             tickets: {{sequence: {{column: id, kind: segment, step: 50}}, key: [{{column: id, type: bigint}}], {sharded}, tables: tickets, restart: true}}}}\n      \
             counters: {{broadcast: true}}\n\
             users:\n  {user}: {{native: \"{verifier}\", schemas: [bank]}}\n",
            user = proxy::USER,
            verifier = proxy::native_verifier(proxy::USER),
        )
    }

    /// The first account of a run.
    pub fn base(number: u64) -> u64 {
        number * 1000 * GROUPS as u64
    }

    /// A list of a run that no workload touches, by its group.
    pub fn aside(number: u64, group: usize) -> u64 {
        World::base(number) + 900 + group as u64
    }

    /// Fresh rows, written to the servers themselves.
    pub fn prepare(&self, number: u64) -> Result<(), String> {
        let base = World::base(number);
        for (group, server) in self.servers.iter().enumerate() {
            let mut statements = vec![
                format!("REPLACE INTO bank_{group}.counters VALUES ({base}, 0, '')"),
                format!(
                    "REPLACE INTO bank_{group}.lists VALUES ({}, '')",
                    World::aside(number, group)
                ),
            ];
            for account in (base..base + ACCOUNTS).filter(|id| *id as usize % GROUPS == group) {
                statements.push(format!(
                    "REPLACE INTO bank_{group}.accounts VALUES ({account}, {OPENING})"
                ));
                statements.push(format!("REPLACE INTO bank_{group}.lists VALUES ({account}, '')"));
            }
            server.execute_all(&statements.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// Rows of every group's own, asked of the server itself; `{}` in the text is its number.
    pub fn rows(&self, sql: &str) -> Result<Vec<(usize, Vec<String>)>, String> {
        let mut all = Vec::new();
        for (group, server) in self.servers.iter().enumerate() {
            let rows = sql::query(&server.url("root"), &sql.replace("{}", &group.to_string()))?;
            all.extend(rows.into_iter().map(|row| (group, row)));
        }
        Ok(all)
    }

    /// The ids of the prepared branches of all servers.
    pub fn prepared(&self) -> Result<Vec<String>, String> {
        let rows = self.rows("XA RECOVER")?;
        Ok(rows.into_iter().filter_map(|(_, row)| row.into_iter().nth(3)).collect())
    }

    /// Waits until no server has a prepared branch.
    pub fn wait_resolved(&self, limit: Duration) -> Result<(), String> {
        self.wait_gone(limit, |_| true)
    }

    /// Waits until no server has a prepared branch of these.
    pub fn wait_gone(
        &self,
        limit: Duration,
        which: impl Fn(&String) -> bool,
    ) -> Result<(), String> {
        let start = Instant::now();
        loop {
            let left = match self.prepared() {
                Ok(ids) if !ids.iter().any(&which) => return Ok(()),
                Ok(ids) => format!("{ids:?}"),
                Err(reason) => reason,
            };
            if start.elapsed() > limit {
                let logs: String = self.proxies.iter().map(Proxy::log_tail).collect();
                return Err(format!("{left}\n{logs}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Every Weir commits over all groups again, by itself.
    pub fn wait_works(&self, number: u64, limit: Duration) -> Result<(), String> {
        let sql = format!("UPDATE counters SET n = n WHERE id = {}", World::base(number));
        for proxy in &self.proxies {
            let start = Instant::now();
            while let Err(reason) = sql::execute(&proxy.url("bank"), &[&sql]) {
                if start.elapsed() > limit {
                    return Err(format!("nothing works {limit:?} after the heal: {reason}"));
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Ok(())
    }
}
