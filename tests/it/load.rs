//! LOAD DATA LOCAL into tables of several places, beside one plain server.
//!
//! Owns: the schema that files are loaded into, and the comparison of what was loaded. Never: tries
//! a driver's own ways with files (`local_infile.rs` does).

mod cutter;
mod formats;
mod lost;

use std::sync::OnceLock;

use futures_util::StreamExt as _;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Row};

use crate::support::proxy::Proxy;
use crate::support::rig::{self, Rig};
use crate::support::servers::Kind;

/// Weir in front of a shared rig's groups, with a schema for files.
pub(crate) struct Loads {
    pub rig: &'static Rig,
    pub proxy: Proxy,
}

const RULES: &str = "schemas:
  loads:
    default_group: g0
    databases: {g0: load_0, g1: load_1}
    tables:
      t:
        key: [{column: id, type: bigint}]
        algorithm: {kind: modulo}
        shards: {count: 4, databases: \"load_{0}\", groups: [g0, g1], tables: \"t_{0}\"}
      s:
        key: [{column: code, type: varchar(20), collation: utf8mb4_general_ci}]
        algorithm: {kind: hash}
        shards: {count: 4, databases: \"load_{0}\", groups: [g0, g1], tables: \"s_{0}\"}
      q:
        key: [{column: id, type: bigint}]
        algorithm: {kind: modulo}
        shards: {count: 4, databases: \"load_{0}\", groups: [g0, g1], tables: \"q_{0}\"}
        sequence: {column: id, kind: segment, start: 1000}
      a:
        key: [{column: k, type: bigint}]
        algorithm: {kind: modulo}
        shards: {count: 4, databases: \"load_{0}\", groups: [g0, g1], tables: \"a_{0}\"}
      b: {broadcast: true}
";

/// The tables, with how many shards of each lie in each database; 0: a copy in each.
const TABLES: [(&str, usize, &str); 5] = [
    (
        "t",
        4,
        "id BIGINT NOT NULL, name VARCHAR(20) CHARACTER SET utf8mb4, amount DECIMAL(10,2) NOT NULL \
         DEFAULT 5, made DATETIME, PRIMARY KEY (id), UNIQUE KEY (id, name)",
    ),
    (
        "s",
        4,
        "code VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL, n INT NOT NULL, \
         note TEXT CHARACTER SET utf8mb4, PRIMARY KEY (code, n)",
    ),
    ("q", 4, "id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, a VARCHAR(30), b INT"),
    ("a", 4, "id BIGINT NOT NULL AUTO_INCREMENT, k BIGINT NOT NULL, c INT, PRIMARY KEY (id, k)"),
    ("b", 0, "id INT NOT NULL PRIMARY KEY, name VARCHAR(30), c INT DEFAULT 7"),
];

fn start(rig: &'static Rig) -> Loads {
    for (number, group) in rig.groups.iter().enumerate() {
        let server = &group.primary;
        server.execute("SET GLOBAL local_infile = 1");
        let mut databases: Vec<String> = vec![format!("load_{number}")];
        if number == 0 {
            databases.push("loads".to_owned());
        }
        for database in databases {
            server.execute(&format!("DROP DATABASE IF EXISTS {database}"));
            server.execute(&format!("CREATE DATABASE {database} CHARACTER SET utf8mb4"));
            for (name, shards, columns) in TABLES {
                let plain = database == "loads" || shards == 0;
                let names: Vec<String> = match plain {
                    true => vec![name.to_owned()],
                    false => (0..shards).map(|shard| format!("{name}_{shard}")).collect(),
                };
                for name in names {
                    server.execute(&format!("CREATE TABLE {database}.{name} ({columns})"));
                }
            }
        }
    }
    let edit = |rules: &std::path::Path| {
        std::fs::write(rules.join("loads.yaml"), RULES).unwrap();
        let users = rules.join("users.yaml");
        let text = std::fs::read_to_string(&users).unwrap();
        std::fs::write(users, text.replace("schemas: [shop]", "schemas: [shop, loads]")).unwrap();
    };
    let (proxy, _) = rig.another_edited(&[], &edit).expect("a Weir with a schema for files");
    Loads { rig, proxy }
}

/// One for each kind that can be had.
pub(crate) fn kinds() -> Vec<&'static Loads> {
    static MARIADB: OnceLock<Option<Loads>> = OnceLock::new();
    static MYSQL: OnceLock<Option<Loads>> = OnceLock::new();
    let of = |kind| match kind {
        Kind::MariaDb => MARIADB.get_or_init(|| rig::shared(kind).map(start)).as_ref(),
        Kind::MySql => MYSQL.get_or_init(|| rig::shared(kind).map(start)).as_ref(),
    };
    Kind::ALL.into_iter().filter_map(of).collect()
}

/// Held by whoever loads: the tables are everyone's.
pub(crate) fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Loads {
    pub async fn weir(&self) -> Conn {
        Conn::new(Opts::from_url(&self.proxy.url("loads")).unwrap()).await.expect("Weir")
    }

    pub async fn plain(&self) -> Conn {
        let port = self.rig.groups[0].primary.port;
        let url = format!("mysql://root:root@127.0.0.1:{port}/loads?prefer_socket=false");
        Conn::new(Opts::from_url(&url).unwrap()).await.expect("the plain server")
    }

    pub fn kind(&self) -> Kind {
        self.rig.groups[0].primary.kind
    }
}

/// What a client sees of a statement, and what it left.
#[derive(Debug, PartialEq)]
pub(crate) struct Seen {
    pub error: Option<(u16, String)>,
    pub affected: u64,
    pub insert_id: Option<u64>,
    pub info: String,
    pub warnings: Vec<(String, u16, String)>,
    pub rows: Vec<String>,
}

/// Runs a LOAD DATA with this file, and reads its table whole.
pub(crate) async fn load(conn: &mut Conn, sql: &str, file: &[u8], table: &str) -> Seen {
    let file = file.to_vec();
    conn.set_infile_handler(async move {
        let chunks: Vec<_> = file.chunks(37).map(|chunk| Ok(chunk.to_vec().into())).collect();
        Ok(futures_util::stream::iter(chunks).boxed())
    });
    let done = conn.query_drop(sql).await;
    let error = match done {
        Ok(()) => None,
        Err(mysql_async::Error::Server(error)) => Some((error.code, error.message)),
        Err(other) => panic!("{sql}: {other}"),
    };
    let (affected, insert_id) = (conn.affected_rows(), conn.last_insert_id());
    let info = conn.info().into_owned();
    let warnings = match error {
        None => conn.query("SHOW WARNINGS").await.expect("warnings"),
        Some(_) => vec![],
    };
    let rows: Vec<Row> = conn
        .query(format!("SELECT * FROM {table} ORDER BY 1, 2"))
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    let rows = rows.into_iter().map(|row| format!("{:?}", row.unwrap())).collect();
    Seen { error, affected, insert_id, info, warnings, rows }
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
