//! `weir run`.
//!
//! Owns: its options, and reading settings and rules at start and again at each reload. Never:
//! starts anything before both are right.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::{Failure, logging};
use crate::backend::catalog::Physical;
use crate::config::Config;
use crate::reload::{Difference, Inputs, Newcomer};
use crate::rules::Rules;
use crate::rules::check::{self, Checked, Moved};
use crate::rules::diff;
use crate::server::run::{Options, run as serve};

#[derive(Clone, Debug, Default, Args)]
pub struct Arguments {
    /// The settings file. Without one, every default holds (`weir settings` lists them).
    #[arg(long, env = "WEIR_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The directory of rules.
    #[arg(long, env = "WEIR_RULES", value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Where clients connect, instead of what the settings say. May be given several times.
    #[arg(long, env = "WEIR_LISTEN", value_name = "ADDRESS", value_delimiter = ',')]
    listen: Vec<SocketAddr>,
    /// The admin port's address, or off.
    #[arg(long, env = "WEIR_ADMIN", value_name = "ADDRESS", value_parser = door)]
    admin: Option<Door>,
    /// The address of health and metrics, or off.
    #[arg(long, env = "WEIR_HTTP", value_name = "ADDRESS", value_parser = door)]
    http: Option<Door>,
    /// What is logged, such as debug; instead of what the settings say.
    #[arg(long, env = "WEIR_LOG", value_name = "LEVEL")]
    log: Option<String>,
}

/// An address, or none.
#[derive(Clone, Copy, Debug)]
struct Door(Option<SocketAddr>);

fn door(text: &str) -> Result<Door, String> {
    if text == "off" {
        return Ok(Door(None));
    }
    text.parse()
        .map(|address| Door(Some(address)))
        .map_err(|_| "write address:port, or off".to_owned())
}

impl Arguments {
    /// The settings with these options applied; every problem where there are any.
    fn settings(&self) -> Result<Config, Vec<String>> {
        let mut config = match &self.config {
            Some(file) => Config::load(file).map_err(|invalid| {
                let file = file.display();
                invalid
                    .problems
                    .iter()
                    .map(|problem| format!("{file}: {problem}"))
                    .collect::<Vec<_>>()
            })?,
            None => Config::default(),
        };
        if let Some(directory) = &self.rules {
            config.rules.directory = Some(directory.clone());
        }
        if !self.listen.is_empty() {
            config.listen.tcp = self.listen.clone();
        }
        if let Some(door) = self.admin {
            config.admin.listen = door.0;
        }
        if let Some(door) = self.http {
            config.http.listen = door.0;
        }
        if let Some(level) = &self.log {
            config.log.level = level.clone();
        }
        Ok(config)
    }
}

/// Reads everything, then serves until a signal.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = arguments.settings().map_err(Failure::wrong)?;
    let Some(directory) = config.rules.directory.clone() else {
        let text = "where are the rules? Give --rules DIR, or rules.directory in the settings";
        return Err(Failure::wrong(vec![text.to_owned()]));
    };
    let Checked { rules, problems, .. } = check::load(&directory);
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let Some(rules) = rules else { return Err(Failure::wrong(problems)) };
    let set_level = logging::start(&config.log).map_err(|why| Failure::wrong(vec![why]))?;
    for warning in problems {
        tracing::warn!("{warning}");
    }
    let inputs = Inputs {
        directory,
        read_rules: Arc::new(check::load),
        compare_rules: Arc::new(compare),
        read_config: Arc::new({
            let arguments = arguments.clone();
            move || arguments.settings()
        }),
        adopted: Arc::new({
            let set_level = set_level.clone();
            move |config: &Config| {
                if let Err(error) = set_level(&config.log.level) {
                    tracing::error!("log.level: {error}");
                }
            }
        }),
    };
    let options = Options {
        config,
        config_file: arguments.config.clone(),
        rules,
        inputs,
        set_log_level: set_level,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(error.to_string()))?;
    let stopped = runtime.block_on(serve(options)).map_err(Failure::failed)?;
    tracing::info!(cut = stopped.cut, "stopped");
    Ok(())
}

/// What changed, and of it what moves rows without the rules saying so.
fn compare(old: &Rules, new: &Rules, moved: Option<&Moved>) -> Difference {
    let diff = diff::diff(old, new);
    let mut difference = Difference {
        changes: diff.changes.iter().map(ToString::to_string).collect(),
        ..Difference::default()
    };
    for change in diff.refusals(old, moved) {
        let table = change.subject.strip_prefix("table ").unwrap_or(&change.subject);
        let line = format!(
            "{change} (once moved, write: moved: {{from: \"{:016x}\", tables: [{table}]}})",
            old.hash
        );
        match &change.unless_absent {
            Some(place) => difference.unless_absent.push(Newcomer {
                line,
                group: place.group.clone(),
                table: Physical { database: place.database.clone(), table: place.table.clone() },
            }),
            None => difference.moved.push(line),
        }
    }
    difference
}
