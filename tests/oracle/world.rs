//! Three servers that outlive a run, and what one round needs on them.
//!
//! Owns: databases, tables, rules, a Weir for each round, and putting rows back. Never: compares.

use std::cell::Cell;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::oracle::schema::{Place, Set, Table};
use crate::support::dice::Dice;
use crate::support::proxy::{self, Proxy};
use crate::support::servers::{Kind, Options, Server};
use crate::support::{reaper, sql};

const GROUPS: usize = 3;

/// A zone with an hour that exists twice and one that never does, in three years.
const ZONE: &[&str] = &[
    "INSERT INTO mysql.time_zone VALUES (1, 'N')",
    "INSERT INTO mysql.time_zone_name VALUES ('Europe/Berlin', 1)",
    "INSERT INTO mysql.time_zone_transition_type VALUES (1, 0, 3600, 0, 'CET'), (1, 1, 7200, 1, 'CEST')",
    "INSERT INTO mysql.time_zone_transition VALUES (1, 1679792400, 1), (1, 1698541200, 0), \
     (1, 1711846800, 1), (1, 1729990800, 0), (1, 1743296400, 1), (1, 1761440400, 0)",
];

pub struct World {
    pub kind: Kind,
    servers: Vec<Server>,
    /// One that was started again had fallen by a signal.
    signalled: Cell<bool>,
}

/// A rule set with its tables, filled, and a Weir in front.
pub struct Round<'a> {
    world: &'a World,
    pub set: &'static Set,
    pub tables: Vec<Table>,
    seed: u64,
    proxy: Proxy,
    rules: PathBuf,
}

impl World {
    pub fn start(kind: Kind) -> Result<World, String> {
        let options = || Options {
            durable: false,
            tls: false,
            extra: vec!["--innodb-lock-wait-timeout=5".to_owned()],
        };
        let servers =
            (0..GROUPS).map(|_| Server::start(kind, options())).collect::<Result<Vec<_>, _>>()?;
        for server in &servers {
            server.execute_all(ZONE)?;
        }
        Ok(World { kind, servers, signalled: Cell::new(false) })
    }

    /// The same rows as one database of the first server and sharded behind Weir.
    pub fn round(&self, set: &'static Set, seed: u64) -> Result<Round<'_>, String> {
        let tables = set.tables(self.kind, &mut Dice::new(seed));
        self.clear(set)?;
        self.servers[0].execute_all(&[&format!("CREATE DATABASE {}", set.name)])?;
        for number in 0..set.databases {
            let database = set.database(number);
            self.servers[set.group_of(number)]
                .execute_all(&[&format!("CREATE DATABASE {database}")])?;
        }
        for table in &tables {
            let definition = table.definition();
            self.servers[0].execute_all(&[&format!(
                "CREATE TABLE {}.{} {definition}",
                set.name, table.name
            )])?;
            for (group, physical) in physical(set, table) {
                self.servers[group]
                    .execute_all(&[&format!("CREATE TABLE {physical} {definition}")])?;
            }
        }
        let rules = reaper::directory("rules");
        std::fs::write(rules.join("rules.yaml"), self.rules(set, &tables))
            .map_err(|error| error.to_string())?;
        for table in tables.iter().filter(|table| table.place == Place::Keyed) {
            for (index, ..) in set.indexes() {
                index_command(&rules, ["create", table.name, index])?;
            }
        }
        let proxy = Proxy::start(proxy::Options {
            rules: rules.clone(),
            env: environment(),
            settings: vec![
                ("listen", "workers: 1".to_owned()),
                ("log", format!("level: {}", log_level())),
            ],
        })?;
        let round = Round { world: self, set, tables, seed, proxy, rules };
        round.fill(&round.tables)?;
        Ok(round)
    }

    /// Starts servers again that are down; whether there were any.
    pub fn revive(&self) -> Result<bool, String> {
        let mut any = false;
        for server in &self.servers {
            if server.query("SELECT 1").is_err() {
                any = true;
                let log = server.log_tail();
                if log.contains("The manual page at ") {
                    self.signalled.set(true);
                }
                let _ = server.kill9();
                server.restart()?;
            }
        }
        Ok(any)
    }

    fn clear(&self, set: &Set) -> Result<(), String> {
        self.servers[0].execute_all(&[&format!("DROP DATABASE IF EXISTS {}", set.name)])?;
        for number in 0..set.databases {
            let database = set.database(number);
            self.servers[set.group_of(number)]
                .execute_all(&[&format!("DROP DATABASE IF EXISTS {database}")])?;
        }
        Ok(())
    }

    fn rules(&self, set: &Set, tables: &[Table]) -> String {
        let mut out = String::from("settings: {deployment: oracle}\ngroups:\n");
        for group in 0..set.groups {
            let address = self.servers[group].address();
            let _ = writeln!(out, "  g{group}: {{primary: {{address: \"{address}\"}}}}");
        }
        out.push_str(
            "group_defaults:\n  accounts:\n    data: {user: weir, password: env:WEIR_DATA_PASSWORD}\n    \
             control: {user: weir_control, password: env:WEIR_CONTROL_PASSWORD}\n  \
             tls: {mode: \"off\"}\n  pool: {size: 20, wait: 5s, connect_timeout: 5s}\n",
        );
        let homes: Vec<String> =
            (0..set.groups).map(|group| format!("g{group}: {}", set.database(group))).collect();
        let _ = writeln!(
            out,
            "schemas:\n  {}:\n    default_group: g0\n    databases: {{{}}}\n    tables:",
            set.name,
            homes.join(", ")
        );
        let groups: Vec<String> =
            (0..set.databases).map(|number| format!("g{}", set.group_of(number))).collect();
        let groups = groups.join(", ");
        for table in tables {
            let name = table.name;
            let (count, pattern) = match set.equal_names {
                true => (set.databases, format!("{name}, restart: true")),
                false => (set.databases * set.per_database, format!("\"{name}_{{00}}\"")),
            };
            let shards = format!(
                "shards: {{count: {count}, databases: \"{}_{{0}}\", groups: [{groups}], tables: {pattern}}}",
                set.name
            );
            let rule = match table.place {
                Place::Keyed => {
                    let key: Vec<String> = set
                        .key
                        .iter()
                        .map(|(column, _, rule)| format!("{{column: {column}, {rule}}}"))
                        .collect();
                    let indexes: Vec<String> = set
                        .indexes()
                        .map(|(name, column, _, rule)| {
                            let columns = format!("[{{column: {column}, {rule}}}]");
                            format!("{name}: {{columns: {columns}, state: ready}}")
                        })
                        .collect();
                    format!(
                        "key: [{}], algorithm: {}, {shards}, indexes: {{{}}}",
                        key.join(", "),
                        set.algorithm,
                        indexes.join(", ")
                    )
                }
                Place::Apart => {
                    format!(
                        "key: [{{column: m, type: int}}], algorithm: {{kind: modulo}}, {shards}"
                    )
                }
                Place::Broadcast => "broadcast: true".to_owned(),
                Place::Single { group: 0 } => continue,
                Place::Single { group } => format!("group: g{group}"),
            };
            let _ = writeln!(out, "      {name}: {{{rule}}}");
        }
        let _ = writeln!(
            out,
            "users:\n  {user}: {{native: \"{}\", schemas: [{}], rights: [read, write, ddl]}}",
            proxy::native_verifier(proxy::USER),
            set.name,
            user = proxy::USER,
        );
        out
    }
}

fn environment() -> Vec<(String, String)> {
    vec![
        ("WEIR_DATA_PASSWORD".to_owned(), "weir".to_owned()),
        ("WEIR_CONTROL_PASSWORD".to_owned(), "weir_control".to_owned()),
    ]
}

/// `weir index`; what it says where it doesn't end well.
fn index_command(rules: &Path, [verb, table, index]: [&str; 3]) -> Result<(), String> {
    let mut command = Command::new(proxy::program()?);
    command.args(["index", verb, "--rules"]).arg(rules).args([table, index]);
    let output = command.envs(environment()).output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

/// `LOG=debug` tells more of a connection that was lost.
fn log_level() -> String {
    std::env::var("LOG").unwrap_or_else(|_| "info".to_owned())
}

/// Where a table's rows are: group and `database.table` of each part.
fn physical(set: &Set, table: &Table) -> Vec<(usize, String)> {
    let home = |group: usize| (group, format!("{}.{}", set.database(group), table.name));
    match table.place {
        Place::Broadcast => (0..set.groups).map(home).collect(),
        Place::Single { group } => vec![home(group)],
        Place::Keyed | Place::Apart if set.equal_names => (0..set.databases)
            .map(|number| {
                (set.group_of(number), format!("{}.{}", set.database(number), table.name))
            })
            .collect(),
        Place::Keyed | Place::Apart => (0..set.databases * set.per_database)
            .map(|shard| {
                let number = shard / set.per_database;
                let name = format!("{}.{}_{shard:02}", set.database(number), table.name);
                (set.group_of(number), name)
            })
            .collect(),
    }
}

impl Round<'_> {
    pub fn weir_url(&self) -> String {
        self.proxy.url(self.set.name)
    }

    pub fn plain_url(&self) -> String {
        format!(
            "mysql://root:root@127.0.0.1:{}/{}?prefer_socket=false",
            self.world.servers[0].port, self.set.name
        )
    }

    pub fn log_tail(&self) -> String {
        self.proxy.log_tail()
    }

    /// Whether each index holds its table's rows; what is wrong.
    pub fn check_indexes(&self) -> Result<(), String> {
        for table in self.tables.iter().filter(|table| table.place == Place::Keyed) {
            for (index, ..) in self.set.indexes() {
                index_command(&self.rules, ["check", table.name, index])?;
            }
        }
        Ok(())
    }

    /// See [`World::revive`].
    pub fn revive(&self) -> Result<bool, String> {
        self.world.revive()
    }

    pub fn kind(&self) -> Kind {
        self.world.kind
    }

    /// Whether a server that was started again had fallen by a defect of its own, as its log tells.
    pub fn had_signal(&self) -> bool {
        self.world.signalled.take()
    }

    /// Puts these tables back to the rows that the round began with.
    pub fn reset(&self, names: &[&str]) -> Result<(), String> {
        let tables: Vec<Table> =
            self.tables.iter().filter(|table| names.contains(&table.name)).cloned().collect();
        let mut deletes = vec![Vec::new(); GROUPS];
        for table in &tables {
            deletes[0].push(format!("DELETE FROM {}.{}", self.set.name, table.name));
            for (group, physical) in physical(self.set, table) {
                deletes[group].push(format!("DELETE FROM {physical}"));
            }
        }
        // Entries go with their rows.
        if self.set.indexed {
            let keyed = tables.iter().filter(|table| table.place == Place::Keyed);
            let texts: Vec<String> =
                keyed.map(|table| format!("DELETE FROM {}", table.name)).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            sql::execute(&self.weir_url(), &texts)?;
        }
        for (group, statements) in deletes.iter().enumerate() {
            let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
            self.world.servers[group].execute_all(&statements)?;
        }
        self.fill(&tables)
    }

    fn fill(&self, tables: &[Table]) -> Result<(), String> {
        let mode = "SET sql_mode = ''".to_owned();
        let (mut plain, mut weir) = (vec![mode.clone()], vec![mode.clone()]);
        for table in tables {
            let letter = u64::from(table.name.as_bytes()[0]);
            let rows = table.filling(&mut Dice::new(self.seed ^ (letter << 32)));
            let insert = |name: &str, rows: &[&str]| {
                format!("INSERT INTO {name} VALUES {}", rows.join(", "))
            };
            let all: Vec<&str> = rows.iter().map(|(row, _)| row.as_str()).collect();
            plain.push(insert(table.name, &all));
            // Weir puts no row anywhere whose shard key is NULL: such rows came in otherwise.
            let apart = |null: &bool| *null && table.sharded();
            let keyed: Vec<&str> =
                rows.iter().filter(|(_, n)| !apart(n)).map(|(row, _)| row.as_str()).collect();
            weir.push(insert(table.name, &keyed));
            let places = physical(self.set, table);
            let nulls = rows.iter().filter(|(_, n)| apart(n));
            for ((row, _), (group, place)) in nulls.zip(places.iter().cycle()) {
                self.world.servers[*group].execute_all(&[&mode, &insert(place, &[row])])?;
            }
        }
        let plain: Vec<&str> = plain.iter().map(String::as_str).collect();
        let weir: Vec<&str> = weir.iter().map(String::as_str).collect();
        sql::execute(&self.plain_url(), &plain)?;
        sql::execute(&self.weir_url(), &weir)
    }
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        let _ = self.world.clear(self.set);
    }
}
