//! `weir xa`: prepared branches on the servers, for people.
//!
//! Owns: listing them with what their anchors say, and resolving one transaction's. Never: decides
//! against an anchor that can be asked, or touches a foreign id.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Failure;
use crate::backend::topology::{Place, Topology};
use crate::context::ledger::Ledger;
use crate::error::Error;
use crate::rules::Rules;
use crate::rules::check;
use crate::transaction::protocol::Step;
use crate::transaction::recover::{Found, Recovery};

#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Verb {
    /// Every prepared branch on the groups' primaries, foreign ones included.
    List {
        /// The directory of the rules' *.yaml files.
        #[arg(long)]
        rules: PathBuf,
    },
    /// Commit or roll back a transaction's branches, as its anchor says. An anchor that hasn't
    /// committed never will after this.
    Resolve {
        /// The directory of the rules' *.yaml files.
        #[arg(long)]
        rules: PathBuf,
        /// Where no group of the rules has the anchor's commit table any more: what to do. Refused
        /// while the anchor can be asked.
        #[arg(long, value_enum)]
        decide: Option<Decision>,
        /// The transaction's id, as the list shows it.
        id: String,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Decision {
    Commit,
    Rollback,
}

/// Runs the verb.
///
/// # Errors
/// Rules that can't be used, groups that can't be reached, branches that stay.
pub fn xa(arguments: &Arguments) -> Result<(), Failure> {
    let directory = match &arguments.verb {
        Verb::List { rules } | Verb::Resolve { rules, .. } => rules,
    };
    let checked = check::load(directory);
    let Some(rules) = checked.rules else {
        return Err(Failure::wrong(checked.problems.iter().map(ToString::to_string).collect()));
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(error.to_string()))?;
    runtime.block_on(async {
        let (mut recovery, found) =
            look(&rules).await.map_err(|error| Failure::failed(error.message))?;
        match &arguments.verb {
            Verb::List { .. } => list(&rules, &found),
            Verb::Resolve { id, decide, .. } => {
                return resolve(&rules, &mut recovery, &found, id, *decide).await;
            }
        }
        Ok(())
    })
}

async fn look(rules: &Rules) -> Result<(Recovery, Vec<Found>), Error> {
    let topology = Topology::build(rules, &Place { workers: 1, ..Place::default() }, None)?;
    for group in topology.groups() {
        group.probe_once().await;
    }
    let mut recovery = Recovery::default();
    for (group, error) in recovery.connect(rules, &topology).await {
        eprintln!("weir: group '{group}' was not looked at: {}", error.message);
    }
    let found = recovery.find(rules).await;
    Ok((recovery, found))
}

fn list(rules: &Rules, found: &[Found]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    println!("{:<12} {:<10} {:>8} {:<12} id", "group", "whose", "age", "anchor");
    for one in found {
        match &one.branch {
            Some(branch) => println!(
                "{:<12} {:<10} {:>7}s {:<12} {}",
                one.group,
                rules.settings.deployment,
                now.saturating_sub(branch.transaction.start),
                branch.anchor,
                branch.transaction
            ),
            None => println!(
                "{:<12} {:<10} {:>8} {:<12} {} {}",
                one.group,
                "foreign",
                "?",
                "?",
                String::from_utf8_lossy(&one.id.transaction),
                String::from_utf8_lossy(&one.id.qualifier)
            ),
        }
    }
    println!("{} prepared branches", found.len());
}

async fn resolve(
    rules: &Rules,
    recovery: &mut Recovery,
    found: &[Found],
    id: &str,
    decide: Option<Decision>,
) -> Result<(), Failure> {
    // Counts for nobody: this process serves no client.
    let ledger = Ledger::new(0, 0);
    let mut failed = Vec::new();
    let mut done = 0;
    for one in found {
        let Some(branch) =
            one.branch.as_ref().filter(|branch| branch.transaction.to_string() == id)
        else {
            continue;
        };
        let outcome = match (recovery.resolve(&ledger, &one.group, branch).await, decide) {
            (Err(error), Some(decision)) if error.code == "anchor_unknown" => {
                let step = match decision {
                    Decision::Commit => Step::CommitPrepared,
                    Decision::Rollback => Step::RollbackPrepared,
                };
                recovery.force(&one.group, branch, step).await.map(|()| step)
            }
            (outcome, _) => outcome,
        };
        match outcome {
            Ok(step) => {
                let what = if step == Step::CommitPrepared { "committed" } else { "rolled back" };
                println!("{}: {what}", one.group);
                done += 1;
            }
            Err(error) => failed.push(format!("{}: {}", one.group, error.message)),
        }
    }
    if done == 0 && failed.is_empty() {
        let deployment = &rules.settings.deployment;
        return Err(Failure::failed(format!(
            "deployment '{deployment}' has no prepared branch of '{id}': `weir xa list` shows them"
        )));
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure { code: super::FAILED, lines: failed }) }
}
