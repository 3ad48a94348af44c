//! Real MySQL and MariaDB servers: start, replicate, freeze, kill, restart.
//!
//! Owns: a server's life. Never: waits without a deadline, or leaves a process behind (see
//! `reaper`). All calls block, so that they can stand in any test; in an async test the calls are
//! short enough to stand there too.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::{docker, engine, reaper, sql};

pub type Result<T, E = String> = std::result::Result<T, E>;

/// What software a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// MariaDB 10.11 of Debian 12; accounts use mysql_native_password.
    MariaDb,
    /// Oracle's MySQL of Debian sid (9.x); accounts use caching_sha2_password.
    MySql,
}

impl Kind {
    pub const ALL: [Kind; 2] = [Kind::MariaDb, Kind::MySql];

    pub fn name(self) -> &'static str {
        match self {
            Kind::MariaDb => "mariadb",
            Kind::MySql => "mysql",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a server is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Flush redo log and binlog at every commit. Slower; for what must outlive `kill9`.
    pub durable: bool,
    /// Serve TLS with the certificates of `tls`. Plain connections work either way.
    pub tls: bool,
    /// Further options of the server's command line, last so that they win.
    pub extra: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options { durable: false, tls: true, extra: Vec::new() }
    }
}

impl Options {
    /// Defaults plus these command-line options.
    pub fn with(extra: &[&str]) -> Self {
        let extra = extra.iter().map(|option| (*option).to_owned()).collect();
        Options { extra, ..Options::default() }
    }
}

/// What runs the server.
enum Host {
    Process(Mutex<Option<Child>>),
    Container(String),
}

/// A server on 127.0.0.1. Dropping it kills it and removes its files.
///
/// Accounts, password equal to name: `root` (everything), `repl`, `weir` (data, no right to write
/// on a read-only server), `weir_control` (probes, kills).
pub struct Server {
    pub kind: Kind,
    pub port: u16,
    /// What `SELECT VERSION()` says.
    pub version: String,
    /// Unix socket; does not exist for a container.
    pub socket: PathBuf,
    /// The server's directory: `data`, `log`, `sock`.
    pub directory: PathBuf,
    options: Options,
    host: Host,
}

impl Server {
    /// Starts a server on a free port and waits until it takes a login.
    pub fn start(kind: Kind, options: Options) -> Result<Server> {
        let directory = reaper::directory(kind.name());
        let mut server = Server {
            kind,
            port: 0,
            version: String::new(),
            socket: directory.join("sock"),
            host: Host::Process(Mutex::new(None)),
            directory,
            options,
        };
        if docker::wanted() {
            server.port = engine::free_port();
            server.host = Host::Container(docker::start(kind, &server.options, server.port)?);
            server.wait_ready()?;
            docker::create_accounts(kind, server.port)?;
        } else {
            engine::copy_data(kind, &server.data())?;
            // Another process may take the port between our look and the server's bind.
            let mut attempts = 0;
            loop {
                server.port = engine::free_port();
                match server.launch() {
                    Err(reason) if attempts < 3 && reason.contains("ddress already in use") => {
                        attempts += 1;
                    }
                    other => break other?,
                }
            }
        }
        let rows = server.query("SELECT VERSION()")?;
        server.version = rows[0][0].clone();
        Ok(server)
    }

    /// A URL for `mysql_async`; the password is the user's name.
    pub fn url(&self, user: &str) -> String {
        format!("mysql://{user}:{user}@127.0.0.1:{}/?prefer_socket=false", self.port)
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Runs statements as root, each in turn on one connection.
    pub fn execute_all(&self, statements: &[&str]) -> Result<()> {
        sql::execute(&self.url("root"), statements).map_err(|error| format!("{self}: {error}"))
    }

    /// Runs one statement as root.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn execute(&self, statement: &str) {
        self.execute_all(&[statement]).unwrap_or_else(|error| panic!("{error}"));
    }

    /// The rows of a query, run as root, as text.
    pub fn query(&self, statement: &str) -> Result<Vec<Vec<String>>> {
        sql::query(&self.url("root"), statement).map_err(|error| format!("{self}: {error}"))
    }

    /// A new empty database, named after this process, so that tests in parallel don't meet.
    pub fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        self.execute(&format!("CREATE DATABASE {name}"));
        name
    }

    /// Makes this server a read-only GTID replica of `primary`. Called before anything is written
    /// here; takes everything that the primary's binlog holds.
    pub fn replicate_from(&self, primary: &Server) -> Result<()> {
        let port = primary.source_port();
        let host = primary.source_host();
        let statements = match self.kind {
            Kind::MariaDb => [
                format!(
                    "CHANGE MASTER TO MASTER_HOST='{host}', MASTER_PORT={port}, \
                     MASTER_USER='repl', MASTER_PASSWORD='repl', MASTER_USE_GTID=slave_pos, \
                     MASTER_CONNECT_RETRY=1"
                ),
                "START SLAVE".to_owned(),
                "SET GLOBAL read_only = 1".to_owned(),
            ],
            Kind::MySql => [
                format!(
                    "CHANGE REPLICATION SOURCE TO SOURCE_HOST='{host}', SOURCE_PORT={port}, \
                     SOURCE_USER='repl', SOURCE_PASSWORD='repl', SOURCE_AUTO_POSITION=1, \
                     SOURCE_CONNECT_RETRY=1, GET_SOURCE_PUBLIC_KEY=1"
                ),
                "START REPLICA".to_owned(),
                "SET GLOBAL super_read_only = 1".to_owned(),
            ],
        };
        self.execute_all(&statements.each_ref().map(String::as_str))
    }

    /// Waits until this replica has applied what `primary` has committed so far.
    pub fn wait_caught_up(&self, primary: &Server, deadline: Duration) -> Result<()> {
        let seconds = deadline.as_secs().max(1);
        let (asked, wait) = match self.kind {
            Kind::MariaDb => ("SELECT @@gtid_binlog_pos", "MASTER_GTID_WAIT"),
            Kind::MySql => ("SELECT @@global.gtid_executed", "WAIT_FOR_EXECUTED_GTID_SET"),
        };
        let position = primary.query(asked)?[0][0].replace('\n', "");
        let answer = self.query(&format!("SELECT {wait}('{position}', {seconds})"))?;
        if answer[0][0] == "0" {
            return Ok(());
        }
        let status = self.replica_status()?;
        Err(format!("{self} did not reach {position} of {primary} in {seconds} s: {status:?}"))
    }

    /// Makes a replica a writable primary.
    pub fn promote(&self) -> Result<()> {
        match self.kind {
            Kind::MariaDb => {
                self.execute_all(&["STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = 0"])
            }
            Kind::MySql => self.execute_all(&[
                "STOP REPLICA",
                "RESET REPLICA ALL",
                "SET GLOBAL super_read_only = 0",
                "SET GLOBAL read_only = 0",
            ]),
        }
    }

    /// The columns of SHOW REPLICA STATUS, empty on a primary.
    pub fn replica_status(&self) -> Result<Vec<(String, String)>> {
        sql::query_named(&self.url("root"), "SHOW REPLICA STATUS")
    }

    /// Orderly shutdown; data stays for `restart`.
    pub fn stop(&self) -> Result<()> {
        match &self.host {
            Host::Process(_) => {
                self.signal("TERM")?;
                self.reap(Duration::from_secs(60))
            }
            Host::Container(id) => docker::command(&["stop", id]),
        }
    }

    /// `kill -9`; data stays for `restart`.
    pub fn kill9(&self) -> Result<()> {
        match &self.host {
            Host::Process(_) => {
                self.signal("KILL")?;
                self.reap(Duration::from_secs(10))
            }
            Host::Container(id) => docker::command(&["kill", id]),
        }
    }

    /// SIGSTOP: connections stay open and nothing answers.
    pub fn freeze(&self) -> Result<()> {
        match &self.host {
            Host::Process(_) => self.signal("STOP"),
            Host::Container(id) => docker::command(&["pause", id]),
        }
    }

    /// SIGCONT.
    pub fn thaw(&self) -> Result<()> {
        match &self.host {
            Host::Process(_) => self.signal("CONT"),
            Host::Container(id) => docker::command(&["unpause", id]),
        }
    }

    /// Starts a stopped or killed server again, on its port and data.
    pub fn restart(&self) -> Result<()> {
        match &self.host {
            Host::Process(_) => self.launch(),
            Host::Container(id) => {
                docker::command(&["start", id])?;
                self.wait_ready()
            }
        }
    }

    /// The server's process id; None when it is down or a container.
    pub fn pid(&self) -> Option<u32> {
        let Host::Process(child) = &self.host else { return None };
        lock(child).as_ref().map(Child::id)
    }

    /// The last lines of the server's error log.
    pub fn log_tail(&self) -> String {
        match &self.host {
            Host::Process(_) => {
                let text = fs::read(self.directory.join("log")).unwrap_or_default();
                engine::tail(&String::from_utf8_lossy(&text), 15)
            }
            Host::Container(id) => docker::logs(id),
        }
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// What a replica must dial: in docker the containers meet in their own network.
    fn source_port(&self) -> u16 {
        if matches!(self.host, Host::Container(_)) { 3306 } else { self.port }
    }

    fn source_host(&self) -> String {
        match &self.host {
            Host::Process(_) => "127.0.0.1".to_owned(),
            Host::Container(id) => docker::address(id).unwrap_or_default(),
        }
    }

    fn launch(&self) -> Result<()> {
        let Host::Process(slot) = &self.host else { return Err("not a process".to_owned()) };
        let log = fs::File::create(self.directory.join("log")).map_err(|e| e.to_string())?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        let mut command = engine::server_command(self.kind)?;
        command
            .args(engine::arguments(self.kind, &self.options, self.port, &self.data()))
            .current_dir(Path::new("/"))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors);
        *lock(slot) = Some(command.spawn().map_err(|error| format!("{command:?}: {error}"))?);
        self.wait_ready()
    }

    /// Waits for the first login as root.
    fn wait_ready(&self) -> Result<()> {
        let start = Instant::now();
        let mut last = String::new();
        while start.elapsed() < engine::START_DEADLINE {
            match sql::execute(&self.url("root"), &["DO 1"]) {
                Ok(()) => return Ok(()),
                Err(reason) if reason.contains("Access denied") => return Err(reason),
                Err(reason) => last = reason,
            }
            if let Host::Process(child) = &self.host {
                let ended = lock(child).as_mut().and_then(|child| child.try_wait().ok().flatten());
                if let Some(status) = ended {
                    return Err(format!("{self} ended ({status}): {}", self.log_tail()));
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(format!("{self} took no login: {last}; its log ends: {}", self.log_tail()))
    }

    fn signal(&self, name: &str) -> Result<()> {
        let pid = self.pid().ok_or_else(|| format!("{self} is not running"))?;
        engine::run(Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()))
    }

    /// Waits for the process's end and forgets it.
    fn reap(&self, deadline: Duration) -> Result<()> {
        let Host::Process(slot) = &self.host else { return Ok(()) };
        let start = Instant::now();
        loop {
            let mut child = lock(slot);
            match child.as_mut().map(Child::try_wait) {
                None | Some(Ok(Some(_))) => {
                    *child = None;
                    return Ok(());
                }
                Some(Err(error)) => return Err(error.to_string()),
                Some(Ok(None)) if start.elapsed() > deadline => {
                    return Err(format!("{self} does not end: {}", self.log_tail()));
                }
                Some(Ok(None)) => {}
            }
            drop(child);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        match &self.host {
            Host::Process(slot) => {
                if let Some(mut child) = lock(slot).take() {
                    let _ = child.kill();
                    let _ = child.wait();
                }
            }
            Host::Container(id) => {
                let _ = docker::command(&["rm", "-fv", id]);
            }
        }
        if std::env::var_os("WEIR_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on 127.0.0.1:{}", self.kind, self.port)
    }
}

fn lock(slot: &Mutex<Option<Child>>) -> std::sync::MutexGuard<'_, Option<Child>> {
    slot.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
