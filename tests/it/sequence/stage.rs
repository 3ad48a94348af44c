//! Tables with sequences of their own, and two without, on the servers of the shared rig: nobody else reads them.

use std::path::PathBuf;

use crate::support::proxy::{self, Proxy, USER, native_verifier};
use crate::support::reaper;
use crate::support::rig::Rig;
use crate::support::servers::Server;

/// Shards of each table, half of them in each group.
const SHARDS: usize = 8;

const USERS: &str = "(user_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(64) NOT NULL, \
     email VARCHAR(120) NOT NULL, region_id INT NOT NULL, registered_at DATETIME NOT NULL)";

const LINES: &str = "(id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, order_id BIGINT NOT NULL, \
     line SMALLINT UNSIGNED NOT NULL, user_id BIGINT NOT NULL, item_id BIGINT NOT NULL, \
     quantity INT NOT NULL, price DECIMAL(10, 2) NOT NULL, UNIQUE KEY line (order_id, line))";

const TAXES: &str = "(id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20) NOT NULL)";

const MARKS: &str = "(id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, user_id BIGINT NOT NULL)";

pub struct Stage {
    pub proxies: Vec<Proxy>,
    plain: String,
    /// The copies of the broadcast table, group by group.
    pub taxes: [String; 2],
    /// Those of the one without a sequence.
    pub rates: [String; 2],
}

impl Stage {
    /// So many proxies in front of new databases on these servers.
    pub fn new(servers: &[&Server; 2], proxies: usize) -> Stage {
        Stage::with(servers, &vec![&[][..]; proxies])
    }

    /// A proxy for each further environment.
    pub fn with(servers: &[&Server; 2], environments: &[&[(&str, &str)]]) -> Stage {
        let name = servers[0].database();
        let database = |shard: usize| format!("{name}_{}", shard * 2 / SHARDS);
        for (group, server) in servers.iter().enumerate() {
            server.execute(&format!("CREATE DATABASE {name}_{group}"));
            server.execute(&format!("CREATE TABLE {name}_{group}.taxes {TAXES}"));
            server.execute(&format!("CREATE TABLE {name}_{group}.rates {TAXES}"));
        }
        for shard in 0..SHARDS {
            let server = servers[shard * 2 / SHARDS];
            let database = database(shard);
            server.execute(&format!("CREATE TABLE {database}.users_{shard} {USERS}"));
            server.execute(&format!("CREATE TABLE {database}.order_items_{shard} {LINES}"));
            server.execute(&format!("CREATE TABLE {database}.marks_{shard} {MARKS}"));
        }
        servers[0].execute(&format!("CREATE TABLE {name}.users {USERS}"));
        servers[0]
            .execute(&format!("CREATE TABLE {name}.order_items {LINES} AUTO_INCREMENT = 1000"));
        let rules = reaper::directory("rules");
        std::fs::write(rules.join("rules.yaml"), text(servers, &name)).unwrap();
        let proxies = environments.iter().map(|env| proxy(rules.clone(), env)).collect();
        let port = servers[0].port;
        let plain = format!("mysql://root:root@127.0.0.1:{port}/{name}?prefer_socket=false");
        let taxes = [0, 1].map(|group| format!("{name}_{group}.taxes"));
        let rates = [0, 1].map(|group| format!("{name}_{group}.rates"));
        Stage { proxies, plain, taxes, rates }
    }

    pub fn on(rig: &Rig, proxies: usize) -> Stage {
        Stage::new(&[&rig.groups[0].primary, &rig.groups[1].primary], proxies)
    }

    /// Through the first proxy.
    pub fn url(&self) -> String {
        self.proxies[0].url("shop")
    }

    /// The same tables in one database of a server.
    pub fn plain_url(&self) -> String {
        self.plain.clone()
    }
}

fn proxy(rules: PathBuf, further: &[(&str, &str)]) -> Proxy {
    let env = [("WEIR_DATA_PASSWORD", "weir"), ("WEIR_CONTROL_PASSWORD", "weir_control")];
    let env = env.iter().chain(further);
    let env = env.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let options = proxy::Options { rules, env, settings: Vec::new() };
    Proxy::start(options).unwrap_or_else(|why| panic!("{why}"))
}

fn text(servers: &[&Server; 2], name: &str) -> String {
    let shards = |table: &str| {
        format!(
            "{{count: {SHARDS}, databases: '{name}_{{0}}', groups: [g0, g1], tables: '{table}_{{0}}'}}"
        )
    };
    format!(
        "groups:
  g0: {{primary: {{address: '{}'}}}}
  g1: {{primary: {{address: '{}'}}}}
group_defaults:
  accounts:
    data: {{user: weir, password: 'env:WEIR_DATA_PASSWORD'}}
    control: {{user: weir_control, password: 'env:WEIR_CONTROL_PASSWORD'}}
users:
  {USER}: {{native: '{}', schemas: ['*'], rights: [read, write, ddl]}}
schemas:
  shop:
    default_group: g0
    databases: {{g0: {name}_0, g1: {name}_1}}
    tables:
      users:
        key: [{{column: user_id}}]
        algorithm: {{kind: modulo}}
        shards: {}
        scatter_writes: true
        sequence: {{column: user_id, kind: segment, start: 1000000}}
      order_items:
        key: [{{column: user_id}}]
        algorithm: {{kind: modulo}}
        shards: {}
        scatter_writes: true
        sequence: {{column: id, kind: snowflake}}
      taxes: {{broadcast: true, sequence: {{column: id, kind: segment, name: tax, start: 500}}}}
      marks:
        key: [{{column: user_id}}]
        algorithm: {{kind: modulo}}
        shards: {}
        scatter_writes: true
      rates: {{broadcast: true}}
",
        servers[0].address(),
        servers[1].address(),
        native_verifier(USER),
        shards("users"),
        shards("order_items"),
        shards("marks"),
    )
}
