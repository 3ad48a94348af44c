//! Two servers, and a schema on them once sharded behind Weir and once plain.
//!
//! Owns: databases, rules, a Weir, and asking both sides alike. Never: decides what is asked.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Row};

use crate::oracle::judge::{Reply, Verdict, judge};
use crate::oracle::tree::{Mark, Written};
use crate::support::compare::{Answer, ask};
use crate::support::proxy::{self, Proxy};
use crate::support::servers::{Kind, Options, Server};
use crate::support::{reaper, sql};

/// An answer takes longer on a busy machine; beyond this it hangs.
const DEADLINE: Duration = Duration::from_secs(120);

/// Two servers; the first is also the plain one.
pub struct World {
    pub kind: Kind,
    servers: [Server; 2],
}

/// A schema on a world.
pub struct Place<'w> {
    world: &'w World,
    pub schema: String,
    proxy: Proxy,
}

/// A session on each side.
pub struct Both {
    pub weir: Conn,
    pub plain: Conn,
}

/// What came of a statement on both sides.
#[derive(Clone, Debug)]
pub enum Told {
    Same,
    Refused(String),
    Different(Verdict),
}

impl World {
    pub fn start(kind: Kind) -> Result<World, String> {
        let options = || Options {
            durable: false,
            tls: false,
            // Accounts without SUPER may make triggers.
            extra: vec!["--log-bin-trust-function-creators=1".to_owned()],
        };
        Ok(World {
            kind,
            servers: [Server::start(kind, options())?, Server::start(kind, options())?],
        })
    }

    /// The rows of a query that root asks the plain server.
    pub fn query_plain(&self, statement: &str) -> Result<Vec<Vec<String>>, String> {
        self.servers[0].query(statement)
    }

    /// Statements of root on the plain server.
    pub fn execute_plain(&self, statements: &[&str]) -> Result<(), String> {
        self.servers[0].execute_all(statements)
    }

    /// `tables` are the lines of the rules under `tables:`; `{schema}` in them stands for the schema's
    /// name.
    pub fn place(&self, schema: &str, tables: &str) -> Result<Place<'_>, String> {
        self.clear(schema)?;
        self.servers[0].execute_all(&[
            &format!("CREATE DATABASE {schema}"),
            &format!("CREATE DATABASE {schema}_0"),
        ])?;
        self.servers[1].execute_all(&[&format!("CREATE DATABASE {schema}_1")])?;
        let rules = reaper::directory("rules");
        let tables = tables.replace("{schema}", schema);
        let tables: String =
            tables.lines().map(|line| format!("      {}\n", line.trim())).collect();
        let text = self.rules(schema, &tables);
        std::fs::write(rules.join("rules.yaml"), text).map_err(|error| error.to_string())?;
        let proxy = Proxy::start(proxy::Options {
            rules,
            env: vec![
                ("WEIR_DATA_PASSWORD".to_owned(), "weir".to_owned()),
                ("WEIR_CONTROL_PASSWORD".to_owned(), "weir_control".to_owned()),
            ],
            settings: vec![("listen", "workers: 1".to_owned())],
        })?;
        Ok(Place { world: self, schema: schema.to_owned(), proxy })
    }

    fn clear(&self, schema: &str) -> Result<(), String> {
        self.servers[0].execute_all(&[
            &format!("DROP DATABASE IF EXISTS {schema}"),
            &format!("DROP DATABASE IF EXISTS {schema}_0"),
        ])?;
        self.servers[1].execute_all(&[&format!("DROP DATABASE IF EXISTS {schema}_1")])
    }

    fn rules(&self, schema: &str, tables: &str) -> String {
        let groups: String = (0..2)
            .map(|group| {
                let address = self.servers[group].address();
                format!("  g{group}: {{primary: {{address: \"{address}\"}}}}\n")
            })
            .collect();
        format!(
            "settings: {{deployment: suites}}\ngroups:\n{groups}group_defaults:\n  accounts:\n    \
             data: {{user: weir, password: env:WEIR_DATA_PASSWORD}}\n    \
             control: {{user: weir_control, password: env:WEIR_CONTROL_PASSWORD}}\n  \
             tls: {{mode: \"off\"}}\n  pool: {{size: 20, wait: 10s, connect_timeout: 5s}}\n\
             schemas:\n  {schema}:\n    default_group: g0\n    \
             databases: {{g0: {schema}_0, g1: {schema}_1}}\n    tables:\n{tables}\
             users:\n  {user}: {{native: \"{verifier}\", schemas: [{schema}], \
             rights: [read, write, ddl]}}\n",
            user = proxy::USER,
            verifier = proxy::native_verifier(proxy::USER),
        )
    }
}

impl Place<'_> {
    pub fn weir_url(&self) -> String {
        self.proxy.url(&self.schema)
    }

    pub fn weir_port(&self) -> u16 {
        self.proxy.port
    }

    pub fn plain_port(&self) -> u16 {
        self.world.servers[0].port
    }

    pub fn plain_url(&self) -> String {
        let port = self.world.servers[0].port;
        format!("mysql://root:root@127.0.0.1:{port}/{}?prefer_socket=false", self.schema)
    }

    /// Runs the same statements on both sides.
    pub fn execute(&self, statements: &[&str]) -> Result<(), String> {
        sql::execute(&self.plain_url(), statements)?;
        sql::execute(&self.weir_url(), statements)
            .map_err(|error| format!("{error}; Weir's log ends: {}", self.proxy.log_tail()))
    }

    pub fn log_tail(&self) -> String {
        self.proxy.log_tail()
    }

    /// The proxy's process.
    pub fn weir_pid(&self) -> Option<u32> {
        self.proxy.pid()
    }

    pub async fn both(&self) -> Result<Both, String> {
        let plain = connected(&self.plain_url()).await?;
        Ok(Both { weir: connected(&self.weir_url()).await?, plain })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let _ = self.world.clear(&self.schema);
    }
}

async fn connected(url: &str) -> Result<Conn, String> {
    let opts = Opts::from_url(url).map_err(|error| error.to_string())?;
    let opts = OptsBuilder::from_opts(opts).stmt_cache_size(0);
    Conn::new(opts).await.map_err(|error| error.to_string())
}

impl Both {
    /// A statement on both sides, and what differs.
    pub async fn ask(&mut self, sql: &str, marks: &[Mark], prepared: bool) -> Told {
        let written =
            Written { sql: sql.to_owned(), prepared, marks: marks.to_vec(), ..Written::default() };
        let weir = reply(&mut self.weir, &written).await;
        let plain = reply(&mut self.plain, &written).await;
        if let (Some(code), false) = (weir.answer.refusal(), plain.answer.is_error()) {
            return Told::Refused(code.to_owned());
        }
        match judge(&written, &plain, &weir) {
            // A refusal of what one server has an error for, too.
            Some(_) if weir.answer.refusal().is_some() && plain.answer.is_error() => Told::Same,
            Some(verdict) => Told::Different(verdict),
            None => Told::Same,
        }
    }

    pub async fn close(self) {
        let _ = self.weir.disconnect().await;
        let _ = self.plain.disconnect().await;
    }
}

async fn reply(conn: &mut Conn, written: &Written) -> Reply {
    let parameters = written.prepared.then_some(written.parameters.as_slice());
    let asked = async {
        let answer = ask(conn, &written.sql, parameters).await;
        let told = match &answer {
            Answer::Rows { warnings, .. } | Answer::Done { warnings, .. } => *warnings,
            Answer::Error { .. } => 0,
        };
        let warnings = match told {
            0 => Vec::new(),
            _ => match conn.query::<Row, _>("SHOW WARNINGS").await {
                Ok(rows) => rows.into_iter().map(shown).collect(),
                Err(error) => vec![error.to_string()],
            },
        };
        Reply { answer, warnings }
    };
    match tokio::time::timeout(DEADLINE, asked).await {
        Ok(reply) => reply,
        Err(_) => {
            let message = format!("no answer in {DEADLINE:?}");
            let answer = Answer::Error { code: 0, state: String::new(), message };
            Reply { answer, warnings: Vec::new() }
        }
    }
}

fn shown(row: Row) -> String {
    let cells: Vec<String> = row.unwrap().into_iter().map(|value| value.as_sql(true)).collect();
    cells.join(" ")
}
