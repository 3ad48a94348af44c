//! Where the server programs are, and how one is started from an initialised data directory.
//!
//! Owns: paths, options, the cached templates. Never: keeps a running server (that is `servers`).
//!
//! MariaDB is Debian's. Oracle's MySQL comes from a `debootstrap` root of Debian sid in the cache
//! directory, made by `tests/support/install.sh`; its programs run through that root's own loader,
//! so neither a chroot nor root is needed to run them, and their files can lie anywhere.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::reaper;
use super::servers::{Kind, Options};
use super::tls;

/// What outlives a run: the MySQL root and initialised data directories. `WEIR_CACHE`, or
/// `/var/cache/weir` where that can be written, or `~/.cache/weir`.
pub fn cache() -> PathBuf {
    if let Some(cache) = std::env::var_os("WEIR_CACHE") {
        return PathBuf::from(cache);
    }
    let system = PathBuf::from("/var/cache/weir");
    let probe = system.join(format!(".probe-{}", std::process::id()));
    if fs::create_dir_all(&system).is_ok() && fs::write(&probe, "").is_ok() {
        let _ = fs::remove_file(probe);
        return system;
    }
    let home = std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
    home.join(".cache/weir")
}

/// Whether a server of this kind can be started here, and if not, why.
pub fn available(kind: Kind) -> Result<(), String> {
    if super::docker::wanted() {
        return super::docker::available(kind);
    }
    server_command(kind).map(|_| ())
}

/// A command for Oracle's own client program (`mysql`, `mysqldump`), from the sid root.
pub fn mysql_client(program: &str) -> Result<Command, String> {
    sid_program(&format!("usr/bin/{program}"))
}

/// The server's program with the options that no run varies.
pub fn server_command(kind: Kind) -> Result<Command, String> {
    match kind {
        Kind::MariaDb => {
            let program = find("mariadbd")?;
            let mut command = reaper::command(program);
            command.arg("--no-defaults");
            Ok(command)
        }
        Kind::MySql => {
            let root = sid_root();
            let mut command = sid_program("usr/sbin/mysqld")?;
            let option = |name: &str, path: &str| format!("--{name}={}", root.join(path).display());
            command
                .arg("--no-defaults")
                .arg(option("basedir", "usr"))
                .arg(option("lc-messages-dir", "usr/share/mysql"))
                .arg(option("character-sets-dir", "usr/share/mysql/charsets"))
                .arg(option("plugin-dir", "usr/lib/mysql/plugin"))
                .args(["--mysqlx=OFF", "--secure-file-priv="]);
            Ok(command)
        }
    }
}

/// The options of a running server.
pub fn arguments(kind: Kind, options: &Options, port: u16, data: &Path) -> Vec<String> {
    let mut args: Vec<String> = [
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        "--max-connections=600",
        "--log-bin=binlog",
        "--binlog-format=ROW",
        "--local-infile=ON",
        "--innodb-buffer-pool-size=64M",
        "--character-set-server=utf8mb4",
    ]
    .map(str::to_owned)
    .to_vec();
    args.push(format!("--port={port}"));
    args.push(format!("--server-id={port}"));
    args.push(format!("--datadir={}", data.display()));
    // Temporary tables are named by process id and number: servers that share a folder collide.
    args.push(format!("--tmpdir={}", data.display()));
    args.push(format!("--socket={}", data.with_file_name("sock").display()));
    args.push(format!("--pid-file={}", data.with_file_name("pid").display()));
    if is_root() {
        args.push("--user=root".to_owned());
    }
    match kind {
        Kind::MariaDb => args.extend(
            [
                "--log-slave-updates",
                "--gtid-strict-mode=1",
                "--performance-schema=OFF",
                "--innodb-log-file-size=16M",
                "--collation-server=utf8mb4_general_ci",
            ]
            .map(str::to_owned),
        ),
        Kind::MySql => args.extend(
            ["--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--innodb-redo-log-capacity=32M"]
                .map(str::to_owned)
                .into_iter()
                // The performance schema sizes itself by these: 150 MB of memory less.
                .chain(
                    ["--table-open-cache=400", "--table-definition-cache=400"].map(str::to_owned),
                ),
        ),
    }
    let flush = match options.durable {
        true => ["--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1"].as_slice(),
        false => &["--innodb-flush-log-at-trx-commit=2", "--sync-binlog=0"],
    };
    args.extend(flush.iter().map(|option| (*option).to_owned()));
    if options.tls {
        let made = tls::certificates();
        args.push(format!("--ssl-ca={}", made.authority.display()));
        args.push(format!("--ssl-cert={}", made.server.display()));
        args.push(format!("--ssl-key={}", made.server_key.display()));
    } else if kind == Kind::MySql {
        args.push("--tls-version=".to_owned());
    }
    args.extend(options.extra.iter().cloned());
    args
}

/// Copies this kind's initialised data directory, with the accounts in it, to `target`.
pub fn copy_data(kind: Kind, target: &Path) -> Result<(), String> {
    let template = template(kind)?;
    let mut copy = Command::new("cp");
    copy.args(["-a", "--reflink=auto"]).arg(template).arg(target);
    run(&mut copy)?;
    // Two servers with one UUID refuse to replicate.
    let _ = fs::remove_file(target.join("auto.cnf"));
    Ok(())
}

/// The template of this kind, made once per server version and account script.
fn template(kind: Kind) -> Result<PathBuf, String> {
    let mut version = server_command(kind)?;
    let output = version.arg("--version").output().map_err(|error| error.to_string())?;
    let mut hash = DefaultHasher::new();
    (output.stdout, accounts(kind)).hash(&mut hash);
    let cache = cache();
    fs::create_dir_all(&cache).map_err(|error| format!("{}: {error}", cache.display()))?;
    let path = cache.join(format!("data-{}-{:016x}", kind.name(), hash.finish()));
    if path.exists() {
        return Ok(path);
    }
    // Built aside and renamed, so that concurrent builders never see half of one.
    let work = reaper::directory("template");
    let data = work.join("data");
    match kind {
        Kind::MariaDb => initialise_mariadb(&work, &data)?,
        Kind::MySql => initialise_mysql(&work, &data)?,
    }
    let aside = cache.join(format!(".making-{}-{}", kind.name(), std::process::id()));
    run(Command::new("cp").arg("-a").arg(&data).arg(&aside))?;
    let renamed = fs::rename(&aside, &path);
    let _ = fs::remove_dir_all(&aside);
    let _ = fs::remove_dir_all(&work);
    match renamed {
        Err(error) if !path.exists() => Err(format!("{}: {error}", path.display())),
        _ => Ok(path),
    }
}

fn initialise_mariadb(work: &Path, data: &Path) -> Result<(), String> {
    let mut install = reaper::command(find("mariadb-install-db")?);
    install.args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"]);
    install.arg(format!("--datadir={}", data.display()));
    if is_root() {
        install.arg("--user=root");
    }
    run(&mut install)?;
    let script = work.join("accounts.sql");
    fs::write(&script, accounts(Kind::MariaDb)).map_err(|error| error.to_string())?;
    let input = fs::File::open(&script).map_err(|error| error.to_string())?;
    let mut bootstrap = server_command(Kind::MariaDb)?;
    bootstrap.arg("--bootstrap").arg(format!("--datadir={}", data.display())).stdin(input);
    bootstrap.arg("--innodb-log-file-size=16M");
    if is_root() {
        bootstrap.arg("--user=root");
    }
    run(&mut bootstrap)
}

fn initialise_mysql(work: &Path, data: &Path) -> Result<(), String> {
    let script = work.join("accounts.sql");
    fs::write(&script, accounts(Kind::MySql)).map_err(|error| error.to_string())?;
    let mut initialise = server_command(Kind::MySql)?;
    initialise
        .arg("--initialize-insecure")
        .arg("--skip-log-bin")
        .arg(format!("--datadir={}", data.display()))
        .arg(format!("--init-file={}", script.display()));
    if is_root() {
        initialise.arg("--user=root");
    }
    run(&mut initialise)
}

/// The accounts of every server: `root` for the harness, `repl` for replicas, and Weir's two
/// service accounts. `weir` has no right to write on a read-only server, which recovery relies on.
pub fn accounts(kind: Kind) -> String {
    let (flush, monitor, control) = match kind {
        Kind::MariaDb => (
            // mariadb-install-db also makes passwordless roots for this machine's names.
            "DELETE FROM mysql.global_priv WHERE User = 'root' AND Host <> 'localhost';\n\
             FLUSH PRIVILEGES;\n",
            "BINLOG MONITOR",
            "BINLOG MONITOR, REPLICA MONITOR, CONNECTION ADMIN, REPLICATION SLAVE, RELOAD",
        ),
        Kind::MySql => (
            "",
            "REPLICATION CLIENT, XA_RECOVER_ADMIN",
            "REPLICATION CLIENT, XA_RECOVER_ADMIN, CONNECTION_ADMIN, REPLICATION SLAVE, RELOAD",
        ),
    };
    let data = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, \
        CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, \
        ALTER ROUTINE, EVENT, TRIGGER, PROCESS, SHOW DATABASES";
    format!(
        "{flush}\
        ALTER USER root@localhost IDENTIFIED BY 'root';\n\
        CREATE USER root@'%' IDENTIFIED BY 'root';\n\
        GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;\n\
        CREATE USER repl@'%' IDENTIFIED BY 'repl';\n\
        GRANT REPLICATION SLAVE ON *.* TO repl@'%';\n\
        CREATE USER weir@'%' IDENTIFIED BY 'weir';\n\
        GRANT {data}, {monitor} ON *.* TO weir@'%';\n\
        CREATE USER weir_control@'%' IDENTIFIED BY 'weir_control';\n\
        GRANT {data}, {control} ON *.* TO weir_control@'%';\n"
    )
}

/// The root of Debian sid that holds Oracle's MySQL.
fn sid_root() -> PathBuf {
    cache().join("mysql")
}

fn sid_program(path: &str) -> Result<Command, String> {
    let root = sid_root();
    let program = root.join(path);
    if !program.exists() {
        return Err(format!(
            "{} is missing; `make install` brings Oracle's MySQL by debootstrap (root, Debian sid)",
            program.display()
        ));
    }
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    let libraries = root.join("usr/lib").join(triplet);
    let loader = loader(&root)?;
    let mut command = reaper::command(loader);
    let private = root.join("usr/lib/mysql/private");
    command
        .arg("--library-path")
        .arg(format!("{}:{}", libraries.display(), private.display()))
        .arg(program);
    Ok(command)
}

fn loader(root: &Path) -> Result<PathBuf, String> {
    let name = match std::env::consts::ARCH {
        "aarch64" => "usr/lib/ld-linux-aarch64.so.1",
        _ => "usr/lib64/ld-linux-x86-64.so.2",
    };
    let path = root.join(name);
    if path.exists() { Ok(path) } else { Err(format!("{} is missing", path.display())) }
}

/// A program on PATH or in the directories of system programs.
pub fn find(program: &str) -> Result<PathBuf, String> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"])
        .map(|directory| Path::new(directory).join(program))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| format!("{program} is not installed; `make install` brings it"))
}

/// A port that nothing listens on, below the ephemeral range, so that no client's socket takes it
/// while a killed server is down.
pub fn free_port() -> u16 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 15_000;
    const COUNT: u32 = 15_000;
    let start = std::process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = (FIRST + start.wrapping_add(step) % COUNT) as u16;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT);
}

/// Runs a command to its end; its output is part of the error.
pub fn run(command: &mut Command) -> Result<(), String> {
    let output = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| format!("{:?}: {error}", command.get_program()))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    Err(format!("{command:?}: {}\n{}", output.status, tail(&text, 20)))
}

/// The last lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// How long a server may take to answer its first login.
pub const START_DEADLINE: Duration = Duration::from_secs(90);

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
