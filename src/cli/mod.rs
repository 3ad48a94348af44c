//! The command line.
//!
//! Owns: verbs, options, exit codes, and turning problems into readable lines. Never: serves a
//! client or decides where a statement goes.
//!
//! Exit codes: 0 done; 1 it failed while running; 2 wrong usage, settings or rules.

pub mod check;
pub mod explain;
pub mod index;
pub mod logging;
pub mod password;
pub mod run;
pub mod schema;
pub mod settings;
pub mod xa;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// It failed while running.
pub const FAILED: u8 = 1;
/// Wrong usage, settings or rules; clap uses the same number.
pub const WRONG: u8 = 2;

/// A sharding proxy for MySQL.
#[derive(Debug, Parser)]
#[command(
    name = "weir",
    version,
    about,
    args_conflicts_with_subcommands = true,
    after_help = "Exit codes: 0 done, 1 failed while running, 2 wrong usage, settings or rules.\n\
                  Signals: SIGHUP reloads, SIGTERM drains, SIGINT stops at once."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::Arguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve clients (what happens without a verb, too).
    Run(run::Arguments),
    /// Check the rules of a directory: every problem at once, with file, line and what would be right.
    Check(check::Arguments),
    /// Show where a statement would go, without a server.
    Explain(explain::Arguments),
    /// Print the JSON Schema of the rules, for editors; `weir schema diff` compares the tables'
    /// definitions on the servers.
    Schema(schema::Arguments),
    /// Make a client's password verifiers for the rules. The password is asked for, or read from
    /// standard input; it is never an argument.
    HashPassword,
    /// Print every setting with its default and meaning, as a settings file.
    Settings,
    /// Make, fill and check the lookup table of a global secondary index.
    Index(index::Arguments),
    /// List and resolve what transactions over several groups have left prepared on the servers.
    Xa(xa::Arguments),
    /// Print the version.
    Version,
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let command = cli.command.unwrap_or(Command::Run(cli.run));
    let outcome = match command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Index(arguments) => index::index(&arguments),
        Command::Xa(arguments) => xa::xa(&arguments),
        Command::Schema(arguments) => schema::schema(&arguments),
        Command::HashPassword => password::hash(),
        Command::Settings => {
            print!("{}", settings::documented());
            Ok(())
        }
        Command::Version => {
            println!("weir {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            for line in &failure.lines {
                eprintln!("weir: {line}");
            }
            ExitCode::from(failure.code)
        }
    }
}

/// Why a verb failed.
#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    pub lines: Vec<String>,
}

impl Failure {
    pub fn wrong(lines: Vec<String>) -> Self {
        Failure { code: WRONG, lines }
    }

    pub fn failed(line: impl Into<String>) -> Self {
        Failure { code: FAILED, lines: vec![line.into()] }
    }
}
