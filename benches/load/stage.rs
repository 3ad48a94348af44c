//! What the work runs on: one database server, HAProxy and Weir before it.
//!
//! Owns: starting them alike (two threads each) and running sysbench against one. Never: measures.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::measure::{self, Calls, Sample};
use crate::support::proxy::{self, Proxy};
use crate::support::servers::{Kind, Options, Server};
use crate::support::{engine, reaper};
use crate::{Case, Work};

pub const DATABASE: &str = "sbtest";
const ROWS: u32 = 100_000;
/// Threads of each proxy.
const THREADS: u32 = 2;
/// Weir's connections to the server, whatever the number of clients.
pub const POOL: u32 = 32;

/// How the clients reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Direct,
    HaProxy,
    Weir,
}

impl Way {
    pub const ALL: [Way; 3] = [Way::Direct, Way::HaProxy, Way::Weir];

    pub fn name(self) -> &'static str {
        match self {
            Way::Direct => "direct",
            Way::HaProxy => "haproxy",
            Way::Weir => "weir",
        }
    }

    pub fn named(name: &str) -> Result<Way, String> {
        let found = Way::ALL.into_iter().find(|way| way.name() == name);
        found.ok_or_else(|| format!("{name} is none of direct, haproxy, weir"))
    }
}

pub struct Stage {
    pub server: Server,
    haproxy: Option<(Child, u16)>,
    weir: Option<Proxy>,
}

impl Stage {
    /// Starts what these ways need and fills the table.
    pub fn set(ways: &[Way]) -> Result<Stage, String> {
        // Debian's sysbench links MariaDB's client, so the server is MariaDB.
        let options = Options::with(&["--max-connections=1000", "--innodb-buffer-pool-size=256M"]);
        // sysbench doesn't ask for TLS, so HAProxy's way has none; nor may Weir's, to compare.
        let options = Options { tls: false, ..options };
        let server = Server::start(Kind::MariaDb, options)?;
        let user = proxy::USER;
        server.execute_all(&[
            &format!("CREATE DATABASE {DATABASE}"),
            &format!("CREATE USER {user}@'%' IDENTIFIED BY '{user}'"),
            &format!("GRANT ALL ON *.* TO {user}@'%'"),
        ])?;
        let mut stage = Stage { server, haproxy: None, weir: None };
        let prepare =
            stage.sysbench(stage.server.port, "oltp_point_select", &["prepare".into()])?;
        engine::run(&mut { prepare })?;
        if ways.contains(&Way::HaProxy) {
            stage.haproxy = Some(start_haproxy(stage.server.port)?);
        }
        if ways.contains(&Way::Weir) {
            stage.weir = Some(start_weir(&stage.server)?);
        }
        Ok(stage)
    }

    /// Where clients reach Weir, if it was asked for.
    pub fn weir_url(&self) -> Option<String> {
        self.weir.as_ref().map(|weir| weir.url(DATABASE))
    }

    /// The end of what Weir has logged.
    pub fn weir_log(&self) -> String {
        self.weir.as_ref().map(Proxy::log_tail).unwrap_or_default()
    }

    /// Runs one case for some seconds.
    pub fn run(&self, case: &Case, way: Way, seconds: u32) -> Result<Sample, String> {
        let pid = self.pid(way);
        let before = pid.map(measure::cpu_ns).unwrap_or(0);
        let mut command = self.work(case, way, seconds)?;
        let output = command.output().map_err(|error| format!("sysbench: {error}"))?;
        let after = pid.map(measure::cpu_ns).unwrap_or(0);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let log = self.weir_log();
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!("sysbench {} {way:?}: {text}\n{errors}\n{log}", case.name));
        }
        let mut sample = measure::parse(&text)?;
        if pid.is_some() && sample.queries > 0.0 {
            sample.cpu_us = (after.saturating_sub(before)) as f64 / 1000.0 / sample.queries;
        }
        Ok(sample)
    }

    /// The proxy's system calls per query.
    pub fn count_calls(&self, case: &Case, way: Way, seconds: u32) -> Calls {
        let Some(pid) = self.pid(way) else { return Calls::None };
        let Ok(mut command) = self.work(case, way, seconds) else { return Calls::None };
        let counter = measure::Counter::attach(pid);
        let output = command.output();
        let counted = counter.finish();
        match (output, counted) {
            (Ok(output), Ok((calls, tool))) => {
                match measure::parse(&String::from_utf8_lossy(&output.stdout)) {
                    Ok(sample) if sample.queries > 0.0 => {
                        Calls::Counted { per_query: calls as f64 / sample.queries, tool }
                    }
                    _ => Calls::Unavailable("sysbench failed".to_owned()),
                }
            }
            (_, Err(reason)) => Calls::Unavailable(reason),
            (Err(error), _) => Calls::Unavailable(error.to_string()),
        }
    }

    fn work(&self, case: &Case, way: Way, seconds: u32) -> Result<Command, String> {
        let mut args = vec![
            format!("--threads={}", case.clients),
            format!("--time={seconds}"),
            "--events=0".to_owned(),
            "--percentile=95".to_owned(),
            format!("--db-ps-mode={}", if case.prepared { "auto" } else { "disable" }),
        ];
        let script = match case.work {
            Work::Point => "oltp_point_select",
            Work::Transaction => "oltp_read_write",
            Work::Rows => {
                args.extend(
                    [
                        "--skip-trx=on",
                        "--point-selects=0",
                        "--simple-ranges=1",
                        "--sum-ranges=0",
                        "--order-ranges=0",
                        "--distinct-ranges=0",
                        "--range-size=1000",
                    ]
                    .map(str::to_owned),
                );
                "oltp_read_only"
            }
        };
        args.push("run".to_owned());
        let port = match way {
            Way::Direct => self.server.port,
            Way::HaProxy => self.haproxy.as_ref().map(|(_, port)| *port).unwrap_or_default(),
            Way::Weir => self.weir.as_ref().map(|weir| weir.port).unwrap_or_default(),
        };
        self.sysbench(port, script, &args)
    }

    fn sysbench(&self, port: u16, script: &str, args: &[String]) -> Result<Command, String> {
        let mut command = reaper::command(engine::find("sysbench")?);
        command
            .arg(script)
            .args(["--db-driver=mysql", "--mysql-host=127.0.0.1", "--tables=1"])
            .arg(format!("--mysql-port={port}"))
            .arg(format!("--mysql-user={}", proxy::USER))
            .arg(format!("--mysql-password={}", proxy::USER))
            .arg(format!("--mysql-db={DATABASE}"))
            .arg(format!("--table-size={ROWS}"))
            .args(args)
            .stderr(Stdio::piped());
        Ok(command)
    }

    pub fn weir_pid(&self) -> Option<u32> {
        self.pid(Way::Weir)
    }

    fn pid(&self, way: Way) -> Option<u32> {
        match way {
            Way::Direct => None,
            Way::HaProxy => self.haproxy.as_ref().map(|(child, _)| child.id()),
            Way::Weir => self.weir.as_ref().and_then(Proxy::pid),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.haproxy {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn start_haproxy(server: u16) -> Result<(Child, u16), String> {
    let port = engine::free_port();
    let directory = reaper::directory("haproxy");
    let config = directory.join("haproxy.cfg");
    let text = format!(
        "global\n  nbthread {THREADS}\n  maxconn 4000\n\
         defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n\
         listen mysql\n  bind 127.0.0.1:{port}\n  server db 127.0.0.1:{server}\n"
    );
    fs::write(&config, text).map_err(|error| error.to_string())?;
    let log = fs::File::create(directory.join("log")).map_err(|error| error.to_string())?;
    let mut command = reaper::command(engine::find("haproxy")?);
    command
        .arg("-db")
        .arg("-f")
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    let child = command.spawn().map_err(|error| format!("haproxy: {error}"))?;
    let start = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if start.elapsed() > Duration::from_secs(10) {
            let log = fs::read_to_string(directory.join("log")).unwrap_or_default();
            return Err(format!("haproxy did not start: {log}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok((child, port))
}

fn start_weir(server: &Server) -> Result<Proxy, String> {
    let rules: PathBuf = reaper::directory("rules");
    let tls = crate::support::tls::certificates();
    let text = format!(
        "groups:\n  g0:\n    primary:\n      address: '{}'\n    accounts:\n      data:\n        \
         user: weir\n        password: 'env:WEIR_DB_PASSWORD'\n    pool:\n      size: {POOL}\n\
         schemas:\n  {DATABASE}:\n    default_group: g0\n    databases:\n      g0: {DATABASE}\n{tables}\
         users:\n  {user}:\n    native: '{verifier}'\n    schemas: ['{DATABASE}']\n",
        server.address(),
        tables = crate::ids::rules(DATABASE) + &crate::memory::rules(DATABASE),
        user = proxy::USER,
        verifier = proxy::native_verifier(proxy::USER),
    );
    fs::write(rules.join("rules.yaml"), text).map_err(|error| error.to_string())?;
    Proxy::start(proxy::Options {
        rules,
        env: vec![("WEIR_DB_PASSWORD".to_owned(), "weir".to_owned())],
        settings: vec![
            ("listen", format!("workers: {THREADS}")),
            ("limits", "max_connections: 12000".to_owned()),
            ("tls", "mode: preferred".to_owned()),
            ("tls", format!("cert: {}", tls.server.display())),
            ("tls", format!("key: {}", tls.server_key.display())),
        ],
    })
}
