//! The third way to start a server: a container (`make test SERVERS=docker`).
//!
//! Owns: the calls of the `docker` program. Never: decides which servers a test needs.
//!
//! Images by variable: `WEIR_MYSQL_IMAGE` (`mysql:8.4`), `WEIR_MARIADB_IMAGE` (`mariadb:10.11`).

use std::process::Command;

use super::servers::{Kind, Options};
use super::{engine, reaper, sql, tls};

/// Whether servers are to be containers: `WEIR_SERVERS=docker`.
pub fn wanted() -> bool {
    std::env::var("WEIR_SERVERS").is_ok_and(|way| way == "docker")
}

/// Whether an engine answers and the image of this kind is there or can be pulled.
pub fn available(kind: Kind) -> Result<(), String> {
    command(&["version"]).map_err(|reason| {
        format!("WEIR_SERVERS=docker, but no engine answers: {}", engine::tail(&reason, 1))
    })?;
    let image = image(kind);
    command(&["image", "inspect", &image])
        .or_else(|_| command(&["pull", "-q", &image]))
        .map_err(|reason| format!("no image {image}: {}", engine::tail(&reason, 1)))
}

fn image(kind: Kind) -> String {
    let (variable, usual) = match kind {
        Kind::MariaDb => ("WEIR_MARIADB_IMAGE", "mariadb:10.11"),
        Kind::MySql => ("WEIR_MYSQL_IMAGE", "mysql:8.4"),
    };
    std::env::var(variable).unwrap_or_else(|_| usual.to_owned())
}

/// Starts a container that publishes `port` on loopback; its id.
pub fn start(kind: Kind, options: &Options, port: u16) -> Result<String, String> {
    let run = reaper::run_directory();
    // Tells the reaper that there are containers to look for.
    std::fs::write(run.join("containers"), "").map_err(|error| error.to_string())?;
    let mut args: Vec<String> = vec![
        "run".into(),
        "-d".into(),
        format!("--label=weir.run={}", run.display()),
        format!("--publish=127.0.0.1:{port}:3306"),
        "--env=MYSQL_ROOT_PASSWORD=root".into(),
        "--env=MYSQL_ROOT_HOST=%".into(),
        "--env=MARIADB_ROOT_PASSWORD=root".into(),
    ];
    if options.tls {
        let folder = tls::certificates().server.parent().unwrap_or(run).display().to_string();
        args.push(format!("--volume={folder}:/weir-tls:ro"));
    }
    args.push(image(kind));
    args.extend(server_arguments(kind, options, port));
    output(&args.iter().map(String::as_str).collect::<Vec<_>>())
}

fn server_arguments(kind: Kind, options: &Options, port: u16) -> Vec<String> {
    let mut args: Vec<String> = vec![
        "--log-bin=binlog".into(),
        "--binlog-format=ROW".into(),
        "--local-infile=ON".into(),
        "--skip-name-resolve".into(),
        "--max-connections=600".into(),
        "--innodb-buffer-pool-size=64M".into(),
        format!("--server-id={port}"),
    ];
    let kinds_own: &[&str] = match kind {
        Kind::MariaDb => &["--log-slave-updates", "--gtid-strict-mode=1"],
        Kind::MySql => &["--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--mysqlx=OFF"],
    };
    args.extend(kinds_own.iter().map(|option| (*option).to_owned()));
    if !options.durable {
        args.push("--innodb-flush-log-at-trx-commit=2".into());
        args.push("--sync-binlog=0".into());
    }
    if options.tls {
        args.push("--ssl-ca=/weir-tls/ca.pem".into());
        args.push("--ssl-cert=/weir-tls/server.pem".into());
        args.push("--ssl-key=/weir-tls/server-key.pem".into());
    }
    args.extend(options.extra.iter().cloned());
    args
}

/// Makes the accounts that a template would hold.
pub fn create_accounts(kind: Kind, port: u16) -> Result<(), String> {
    let script = engine::accounts(kind);
    let statements: Vec<&str> = ["SET sql_log_bin = 0"]
        .into_iter()
        .chain(script.split(";\n").map(str::trim).filter(|sql| !sql.is_empty()))
        .filter(|sql| !sql.contains("root@"))
        .collect();
    let url = format!("mysql://root:root@127.0.0.1:{port}/?prefer_socket=false");
    sql::execute(&url, &statements)
}

/// The container's address in docker's network.
pub fn address(id: &str) -> Result<String, String> {
    output(&["inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", id])
}

/// The end of the container's log.
pub fn logs(id: &str) -> String {
    output(&["logs", "--tail=15", id]).unwrap_or_else(|reason| reason)
}

/// Runs `docker` with these arguments.
pub fn command(args: &[&str]) -> Result<(), String> {
    engine::run(Command::new("docker").args(args))
}

fn output(args: &[&str]) -> Result<String, String> {
    let output =
        Command::new("docker").args(args).output().map_err(|error| format!("docker: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
