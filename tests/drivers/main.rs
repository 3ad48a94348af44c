//! `make drivers` and `make foreign`: real, unchanged clients against Weir and against one plain
//! server.
//!
//! Owns: the servers, the accounts, and the comparison. Each folder beside this file (or in
//! `tests/foreign`) is one client: `prepare` installs it into the cache (exit 75: it can't be had
//! here, the last line says why), `run` prints a transcript. Never: knows what a client does.
//!
//! A driver's `run` goes twice, in front of the plain server and of Weir; the transcripts must be
//! equal line by line, but for lines that begin with `#`, and Weir's must name no physical table. A
//! foreign suite's `run` goes once, with Weir, and its exit code is the verdict.
//!
//! `drivers [--foreign] [--kind mariadb|mysql] [--keep] [NAME...]`; `--keep` only starts everything,
//! prints the environment and waits.

#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use support::rig::{Options, Rig, Silent};
use support::servers::Kind;
use support::shop::Scale;
use support::{engine, proxy, skip, tls};

/// `prepare` says by it that the client can't be had.
const CANNOT_BE_HAD: i32 = 75;
/// What no client may ever see: the physical names of `rules/shop`.
const PHYSICAL: [&str; 6] =
    ["shop_000", "users_00", "orders_00", "order_items_00", "items_00", "stock_00"];
/// The longest run of one client on one side.
const DEADLINE: Duration = Duration::from_secs(1800);

#[derive(Default)]
struct Args {
    foreign: bool,
    keep: bool,
    kinds: Vec<Kind>,
    names: Vec<String>,
}

fn args() -> Result<Args, String> {
    let mut args = Args::default();
    let mut given = std::env::args().skip(1);
    while let Some(word) = given.next() {
        match word.as_str() {
            "--foreign" => args.foreign = true,
            "--keep" => args.keep = true,
            "--kind" => {
                let name = given.next().unwrap_or_default();
                let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
                args.kinds.push(kind.ok_or(format!("--kind takes mariadb or mysql, not {name}"))?);
            }
            name => args.names.push(name.to_owned()),
        }
    }
    if args.kinds.is_empty() {
        args.kinds = Kind::ALL.to_vec();
    }
    Ok(args)
}

fn main() -> ExitCode {
    match args().and_then(|args| run(&args)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            eprintln!("drivers: {failed} failed");
            ExitCode::from(1)
        }
        Err(reason) => {
            eprintln!("drivers: {reason}");
            ExitCode::from(1)
        }
    }
}

fn run(args: &Args) -> Result<usize, String> {
    let folder = match args.foreign {
        true => "tests/foreign",
        false => "tests/drivers",
    };
    let clients = clients(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &args.names)?;
    let mut summary = Vec::new();
    for &kind in &args.kinds {
        if let Err(reason) = engine::available(kind) {
            skip::say(&format!("drivers on {kind}: {reason}"));
            continue;
        }
        let side = Sides::start(kind)?;
        if args.keep {
            side.wait_for_the_end();
            continue;
        }
        for client in &clients {
            let name = client.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let start = Instant::now();
            let verdict = match args.foreign {
                true => foreign(client, &side),
                false => compare(client, &side),
            };
            let line = format!("{kind:8} {name:20} {:5.1} s  ", start.elapsed().as_secs_f32());
            let (word, text) = match verdict {
                Ok(client) => ("ok", client),
                Err(Trouble::CannotBeHad(reason)) => {
                    skip::say(&format!("{name} on {kind}: {reason}"));
                    ("SKIPPED", reason)
                }
                Err(Trouble::Failed(report)) => {
                    println!("== {name} on {kind} failed:\n{report}");
                    ("FAILED", String::new())
                }
            };
            println!("{line}{word}  {text}");
            summary.push((format!("{line}{word}  {text}"), word));
        }
    }
    println!("\n== clients");
    summary.iter().for_each(|(line, _)| println!("{line}"));
    let count = |wanted| summary.iter().filter(|(_, word)| *word == wanted).count();
    println!("{} passed, {} failed, {} skipped", count("ok"), count("FAILED"), count("SKIPPED"));
    Ok(count("FAILED"))
}

/// The folders that hold a `run`, sorted, or those that were named.
fn clients(folder: &Path, names: &[String]) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join("run").is_file())
        .filter(|path| {
            names.is_empty() || names.iter().any(|name| path.file_name() == Some(name.as_ref()))
        })
        .collect();
    found.sort();
    match found.is_empty() {
        true => Err(format!("no client in {}", folder.display())),
        false => Ok(found),
    }
}

/// Both sides of the comparison.
struct Sides {
    kind: Kind,
    rig: Rig,
}

impl Sides {
    fn start(kind: Kind) -> Result<Sides, String> {
        let made = tls::certificates();
        let options = Options {
            kind,
            replicas: false,
            scale: Scale::SMALL,
            plain: true,
            settings: vec![
                ("tls", "mode: preferred".to_owned()),
                ("tls", format!("cert: '{}'", made.server.display())),
                ("tls", format!("key: '{}'", made.server_key.display())),
            ],
        };
        let rig = Rig::start(&options, &Silent)?;
        let sides = Sides { kind, rig };
        sides.accounts()?;
        Ok(sides)
    }

    /// The same account on both sides, with both plugins where the server has both, and the schemas
    /// that foreign suites write to.
    fn accounts(&self) -> Result<(), String> {
        let user = proxy::USER;
        let primary = &self.rig.groups[0].primary;
        let create = format!("CREATE USER {user}@'%' IDENTIFIED BY '{user}'");
        let grant = format!("GRANT ALL ON shop.* TO {user}@'%'");
        // The schemas of foreign suites: Weir's live in databases of other names.
        let kept: String = (1..=2)
            .map(|n| {
                format!(
                    "CREATE DATABASE weir_suite{n};CREATE DATABASE suite{n};\
                     GRANT ALL ON suite{n}.* TO {user}@'%';"
                )
            })
            .collect();
        let mut statements = vec![create.as_str(), grant.as_str()];
        statements.extend(kept.split_terminator(';'));
        primary.execute_all(&statements)?;
        let own = self.schemas_of_suites()?;
        let path = self.rig.rules.join("users.yaml");
        let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
        let sha2 = verifier(user)?;
        let text = text.replacen(
            "    schemas: [shop]\n",
            &format!("    sha2: \"{sha2}\"\n    schemas: [shop, suite1, suite2{own}]\n"),
            1,
        );
        fs::write(&path, text).map_err(|error| error.to_string())?;
        let suites: String = (1..=2)
            .map(|n| {
                format!("  suite{n}: {{default_group: g0, databases: {{g0: weir_suite{n}}}}}\n")
            })
            .collect();
        fs::write(self.rig.rules.join("suites.yaml"), format!("schemas:\n{suites}"))
            .map_err(|error| error.to_string())?;
        self.rig.proxy.admin("RELOAD").map(|_| ())
    }

    /// What foreign suites declare beside their `run`: `rules.yaml`, and in `schemas` the databases
    /// that it needs (`plain`, `g0`, `g1`) and the schemas that the account may use (`weir`). Gives
    /// the latter, each behind a comma.
    fn schemas_of_suites(&self) -> Result<String, String> {
        let failed = |error: std::io::Error| error.to_string();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign");
        let mut own = String::new();
        for suite in clients(&folder, &[])? {
            let Ok(text) = fs::read_to_string(suite.join("schemas")) else { continue };
            let name = suite.file_name().unwrap_or_default().to_string_lossy().into_owned();
            fs::copy(suite.join("rules.yaml"), self.rig.rules.join(format!("{name}.yaml")))
                .map_err(failed)?;
            for line in text.lines().filter(|line| !line.starts_with('#')) {
                let (place, schema) = line.split_once(' ').ok_or("a place and a name")?;
                let create = format!("CREATE DATABASE {schema} CHARACTER SET utf8mb4");
                let user = proxy::USER;
                let grant = format!("GRANT ALL ON {schema}.* TO {user}@'%'");
                match place {
                    "plain" => self.rig.groups[0].primary.execute_all(&[&create, &grant])?,
                    "g0" => self.rig.groups[0].primary.execute_all(&[&create])?,
                    "g1" => self.rig.groups[1].primary.execute_all(&[&create])?,
                    _ => own.push_str(&format!(", {schema}")),
                }
            }
        }
        Ok(own)
    }

    /// What a client's script reads. `WEIR_SIDE` is `weir` or `plain`.
    fn environment(&self, weir: bool) -> Vec<(&'static str, String)> {
        let plain = self.rig.groups[0].primary.port;
        let port = if weir { self.rig.proxy.port } else { plain };
        let mut env = vec![
            ("WEIR_SIDE", if weir { "weir" } else { "plain" }.to_owned()),
            ("WEIR_KIND", self.kind.name().to_owned()),
            ("WEIR_HOST", "127.0.0.1".to_owned()),
            ("WEIR_PORT", port.to_string()),
            ("WEIR_USER", proxy::USER.to_owned()),
            ("WEIR_PASSWORD", proxy::USER.to_owned()),
            ("WEIR_SCHEMA", "shop".to_owned()),
            ("WEIR_PLAIN_PORT", plain.to_string()),
            ("WEIR_CA", tls::certificates().authority.display().to_string()),
            ("WEIR_DRIVERS_CACHE", engine::cache().join("drivers").display().to_string()),
            ("WEIR_SCRATCH", support::reaper::directory("client").display().to_string()),
        ];
        if let Ok(program) = engine::mysql_client("mysql") {
            let args = program.get_args().collect::<Vec<_>>();
            let (path, before) = args.split_last().expect("the program's path");
            let folder = Path::new(path).parent().unwrap_or(Path::new("/"));
            let loader: Vec<String> = std::iter::once(program.get_program())
                .chain(before.iter().copied())
                .map(|word| word.to_string_lossy().into_owned())
                .collect();
            env.push(("WEIR_MYSQL_LOADER", loader.join(" ")));
            env.push(("WEIR_MYSQL_BIN", folder.display().to_string()));
        }
        env
    }

    /// For a person: the environment, and both sides as long as stdin is open.
    fn wait_for_the_end(&self) {
        for weir in [true, false] {
            let env = self.environment(weir);
            let lines: Vec<String> =
                env.iter().map(|(name, value)| format!("export {name}='{value}'")).collect();
            println!("{}\n", lines.join("\n"));
        }
        println!(
            "admin port {}, Weir's log in {}",
            self.rig.proxy.admin_port,
            self.rig.proxy.directory.display()
        );
        let _ = std::io::read_to_string(std::io::stdin());
    }
}

/// The verifier of caching_sha2_password that the program itself makes.
fn verifier(password: &str) -> Result<String, String> {
    use std::io::Write;
    let mut child = Command::new(proxy::program()?)
        .arg("hash-password")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    if let Some(mut stdin) = child.stdin.take() {
        writeln!(stdin, "{password}").map_err(|error| error.to_string())?;
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("sha2: "));
    line.map(|quoted| quoted.trim_matches('"').to_owned()).ok_or(format!("no verifier in {text}"))
}

enum Trouble {
    CannotBeHad(String),
    Failed(String),
}

/// Runs `prepare`, where there is one.
fn prepare(client: &Path, sides: &Sides) -> Result<(), Trouble> {
    let program = client.join("prepare");
    if !program.is_file() {
        return Ok(());
    }
    let (status, text) = finish(Command::new(program), sides.environment(true))?;
    match status {
        0 => Ok(()),
        CANNOT_BE_HAD => {
            Err(Trouble::CannotBeHad(text.lines().last().unwrap_or_default().to_owned()))
        }
        other => {
            Err(Trouble::Failed(format!("prepare ended with {other}: {}", engine::tail(&text, 30))))
        }
    }
}

/// A driver: its transcripts of both sides must be equal. Gives the client's name and version, the
/// transcript's first line.
fn compare(client: &Path, sides: &Sides) -> Result<String, Trouble> {
    prepare(client, sides)?;
    let mut transcripts = Vec::new();
    for weir in [false, true] {
        let name = if weir { "Weir" } else { "the plain server" };
        let (status, text) = finish(Command::new(client.join("run")), sides.environment(weir))?;
        if status != 0 {
            return Err(Trouble::Failed(format!(
                "exit {status} against {name}:\n{}",
                engine::tail(&text, 40)
            )));
        }
        transcripts.push(text);
    }
    let (plain, weir) = (&transcripts[0], &transcripts[1]);
    let shown = weir.lines().next().unwrap_or_default().trim_start_matches("# ").to_owned();
    let mut report = difference(plain, weir);
    for line in weir.lines().filter(|line| PHYSICAL.iter().any(|name| line.contains(name))) {
        report.push_str(&format!("a physical name: {line}\n"));
    }
    let steps = lines(weir).len();
    match (report.is_empty(), steps) {
        (true, 0) => Err(Trouble::Failed("an empty transcript proves nothing".to_owned())),
        (true, _) => Ok(format!("{shown}: {steps} lines equal")),
        _ => Err(Trouble::Failed(report)),
    }
}

fn lines(transcript: &str) -> Vec<&str> {
    transcript.lines().filter(|line| !line.starts_with('#')).collect()
}

/// What `diff -u` says of two transcripts.
fn difference(plain: &str, weir: &str) -> String {
    let directory = support::reaper::directory("diff");
    let write = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, lines(text).join("\n") + "\n").map(|()| path)
    };
    let (Ok(plain), Ok(weir)) = (write("plain", plain), write("weir", weir)) else {
        return "the transcripts can't be written".to_owned();
    };
    match Command::new("diff").arg("-u").arg(plain).arg(weir).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(error) => format!("diff: {error}"),
    }
}

/// A foreign suite judges by itself; its last line is shown.
fn foreign(client: &Path, sides: &Sides) -> Result<String, Trouble> {
    prepare(client, sides)?;
    let (status, text) = finish(Command::new(client.join("run")), sides.environment(true))?;
    match status {
        0 => Ok(text.lines().last().unwrap_or_default().to_owned()),
        other => Err(Trouble::Failed(format!("exit {other}\n{}", engine::tail(&text, 60)))),
    }
}

/// Runs to the end or the deadline; exit code and output, both streams in one file.
fn finish(
    mut command: Command,
    env: Vec<(&'static str, String)>,
) -> Result<(i32, String), Trouble> {
    let failed = |error: std::io::Error| Trouble::Failed(error.to_string());
    let path = support::reaper::directory("output").join("text");
    let out = fs::File::create(&path).map_err(failed)?;
    let errors = out.try_clone().map_err(failed)?;
    command.env(support::reaper::MARK, support::reaper::run_directory());
    command.envs(env).stdin(Stdio::null()).stdout(out).stderr(errors);
    let mut child = command
        .spawn()
        .map_err(|error| Trouble::Failed(format!("{:?}: {error}", command.get_program())))?;
    let start = Instant::now();
    let status = loop {
        match child.try_wait().map_err(failed)? {
            Some(status) => break status.code().unwrap_or(-1),
            None if start.elapsed() > DEADLINE => {
                let _ = child.kill();
                let _ = child.wait();
                break -1;
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let text = fs::read(&path).map_err(failed)?;
    Ok((status, String::from_utf8_lossy(&text).into_owned()))
}
