//! The `weir` program as a process: config, rules, start, stop.
//!
//! Owns: a running proxy in front of servers of `servers`. Never: links Weir's code; what is
//! tested or measured is the program that users run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::{engine, reaper, sql};

/// The client account of every proxy that the harness starts; its password is its name.
pub const USER: &str = "shop";

/// What to start.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Directory of the rules.
    pub rules: PathBuf,
    /// Environment that the rules' placeholders and passwords read.
    pub env: Vec<(String, String)>,
    /// Further settings: `(section, "key: value")`.
    pub settings: Vec<(&'static str, String)>,
}

/// A running proxy. Dropping it kills it.
pub struct Proxy {
    pub port: u16,
    pub admin_port: u16,
    pub http_port: u16,
    pub directory: PathBuf,
    options: Options,
    child: Mutex<Option<Child>>,
}

/// The program: the test's own build, or the one beside an example or bench.
pub fn program() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("WEIR_BIN") {
        return Ok(PathBuf::from(path));
    }
    if let Some(path) = option_env!("CARGO_BIN_EXE_weir") {
        return Ok(PathBuf::from(path));
    }
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let beside = own.ancestors().skip(1).take(3).map(|directory| directory.join("weir"));
    beside
        .into_iter()
        .find(|path| path.is_file())
        .ok_or_else(|| format!("no weir beside {}; run cargo build", own.display()))
}

/// The verifier of mysql_native_password, as rules hold it: `*` and the twice hashed password.
pub fn native_verifier(password: &str) -> String {
    use sha1::{Digest, Sha1};
    let twice = Sha1::digest(Sha1::digest(password.as_bytes()));
    let hex: String = twice.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("*{hex}")
}

impl Proxy {
    /// Starts Weir and waits until it takes a login.
    pub fn start(options: Options) -> Result<Proxy, String> {
        let proxy = Proxy {
            port: engine::free_port(),
            admin_port: engine::free_port(),
            http_port: engine::free_port(),
            directory: reaper::directory("weir"),
            options,
            child: Mutex::new(None),
        };
        proxy.launch()?;
        Ok(proxy)
    }

    /// A URL for `mysql_async`.
    pub fn url(&self, schema: &str) -> String {
        format!("mysql://{USER}:{USER}@127.0.0.1:{}/{schema}?prefer_socket=false", self.port)
    }

    /// The rows of a query through the proxy, as text.
    pub fn query(&self, schema: &str, statement: &str) -> Result<Vec<Vec<String>>, String> {
        sql::query(&self.url(schema), statement)
    }

    /// The rows of a command on the admin port.
    pub fn admin(&self, command: &str) -> Result<Vec<Vec<String>>, String> {
        let port = self.admin_port;
        sql::query(&format!("mysql://admin:admin@127.0.0.1:{port}/?prefer_socket=false"), command)
    }

    pub fn pid(&self) -> Option<u32> {
        self.lock().as_ref().map(Child::id)
    }

    /// Sends a signal: `TERM` drains, `HUP` reloads.
    pub fn signal(&self, name: &str) -> Result<(), String> {
        let pid = self.pid().ok_or("the proxy is not running")?;
        let mut kill = std::process::Command::new("kill");
        engine::run(kill.arg(format!("-{name}")).arg(pid.to_string()))
    }

    /// Waits for the process's end.
    pub fn wait(&self, deadline: Duration) -> Result<std::process::ExitStatus, String> {
        let start = Instant::now();
        while start.elapsed() < deadline {
            let mut child = self.lock();
            match child.as_mut().map(Child::try_wait) {
                None => return Err("the proxy is not running".to_owned()),
                Some(Ok(Some(status))) => {
                    *child = None;
                    return Ok(status);
                }
                Some(Ok(None)) => {}
                Some(Err(error)) => return Err(error.to_string()),
            }
            drop(child);
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("the proxy did not end in {deadline:?}: {}", self.log_tail()))
    }

    /// Starts it again on the same ports, after it ended.
    pub fn launch(&self) -> Result<(), String> {
        let log = fs::File::create(self.directory.join("log")).map_err(|e| e.to_string())?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        let mut command = reaper::command(program()?);
        command
            .args(["run", "--config"])
            .arg(self.write_config()?)
            .env("WEIR_ADMIN_PASSWORD", "admin")
            .envs(self.options.env.iter().map(|(name, value)| (name, value)))
            .current_dir(Path::new("/"))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors);
        *self.lock() = Some(command.spawn().map_err(|error| format!("{command:?}: {error}"))?);
        self.wait_ready()
    }

    /// The end of the proxy's log.
    pub fn log_tail(&self) -> String {
        let text = fs::read(self.directory.join("log")).unwrap_or_default();
        engine::tail(&String::from_utf8_lossy(&text), 20)
    }

    /// Where the config file lies; it may be edited before `signal("HUP")`.
    pub fn config(&self) -> PathBuf {
        self.directory.join("weir.yaml")
    }

    fn write_config(&self) -> Result<PathBuf, String> {
        let mut sections: Vec<(&str, Vec<String>)> = vec![
            ("listen", vec![format!("tcp: ['127.0.0.1:{}']", self.port)]),
            (
                "admin",
                vec![
                    format!("listen: '127.0.0.1:{}'", self.admin_port),
                    "password: 'env:WEIR_ADMIN_PASSWORD'".to_owned(),
                ],
            ),
            ("http", vec![format!("listen: '127.0.0.1:{}'", self.http_port)]),
            ("rules", vec![format!("directory: '{}'", self.options.rules.display())]),
        ];
        // The drivers' scripts send files; a test may say that they mustn't.
        let says = |(_, line): &(_, String)| line.starts_with("local_infile:");
        if !self.options.settings.iter().any(says)
            && let Some((_, listen)) = sections.first_mut()
        {
            listen.push("local_infile: true".to_owned());
        }
        for (section, line) in &self.options.settings {
            match sections.iter_mut().find(|(name, _)| name == section) {
                Some((_, lines)) => lines.push(line.clone()),
                None => sections.push((section, vec![line.clone()])),
            }
        }
        let text: String = sections
            .iter()
            .map(|(name, lines)| format!("{name}:\n  {}\n", lines.join("\n  ")))
            .collect();
        let path = self.config();
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    fn wait_ready(&self) -> Result<(), String> {
        let start = Instant::now();
        let mut last = String::new();
        while start.elapsed() < Duration::from_secs(30) {
            match sql::execute(&self.url(""), &["SELECT 1"]) {
                Ok(()) => return Ok(()),
                // It wants TLS of everybody, which is an answer.
                Err(reason) if reason.contains("3159") => return Ok(()),
                Err(reason) => last = reason,
            }
            let ended = self.lock().as_mut().and_then(|child| child.try_wait().ok().flatten());
            if let Some(status) = ended {
                return Err(format!("weir ended ({status}): {}", self.log_tail()));
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        Err(format!("weir takes no login: {last}; its log ends: {}", self.log_tail()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // A build that counts its branches (benches/train.sh) writes the counts when it stops in order.
        if std::env::var_os("WEIR_COUNTS").is_some() && self.signal("TERM").is_ok() {
            let _ = self.wait(Duration::from_secs(20));
        }
        if let Some(mut child) = self.lock().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
