//! `weir index`: the lookup tables of global secondary indexes.
//!
//! Owns: the verbs and their reports. Never: reads or writes an entry itself ([`entries`] does).
//!
//! Exit codes: 0 done; 1 entries are missing, stale or not unique, or it failed; 2 wrong usage or
//! rules.

mod check;
mod entries;
mod fill;
mod tables;

use std::path::PathBuf;

use super::{FAILED, Failure};
use crate::rules::check as rules_check;
use entries::Entries;

#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Verb {
    /// Make the lookup table's physical tables, where they are missing.
    Create(Which),
    /// Bring entries of all rows into the lookup table, while traffic runs. All proxies must run rules
    /// that declare the index already.
    Fill(Which),
    /// Compare rows and entries in both directions, while traffic runs. Exit code 1 where an entry is
    /// missing, stale or not unique.
    Check(Check),
}

#[derive(Clone, Debug, clap::Args)]
struct Which {
    /// The directory of the rules' *.yaml files.
    #[arg(long)]
    rules: PathBuf,
    /// The table, as schema.table or by its name alone.
    table: String,
    /// The index.
    index: String,
}

#[derive(Clone, Debug, clap::Args)]
struct Check {
    #[command(flatten)]
    which: Which,
    /// Insert the entries that are missing and remove those that are stale.
    #[arg(long)]
    repair: bool,
}

/// Runs the verb.
///
/// # Errors
/// Rules that can't be used, groups that can't be asked, an index that doesn't agree with its table.
pub fn index(arguments: &Arguments) -> Result<(), Failure> {
    let which = match &arguments.verb {
        Verb::Create(which) | Verb::Fill(which) => which,
        Verb::Check(check) => &check.which,
    };
    let checked = rules_check::load(&which.rules);
    let Some(rules) = checked.rules else {
        return Err(Failure::wrong(checked.problems.iter().map(ToString::to_string).collect()));
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(error.to_string()))?;
    let failed = |error: crate::error::Error| Failure::failed(error.message);
    runtime.block_on(async {
        let (base, rule) = entries::named(&rules, &which.table, &which.index)?;
        let mut entries = Entries::open(&rules, base, rule).await.map_err(failed)?;
        let title = entries.title();
        let outcome = match &arguments.verb {
            Verb::Create(_) => tables::create(&mut entries).await.map(|count| {
                println!("index {title}: {count} tables are there");
                true
            }),
            Verb::Fill(_) => fill::fill(&mut entries).await.map(|found| {
                println!("index {title}: {} rows, {} duplicates", found.rows, found.duplicates);
                found.duplicates == 0
            }),
            Verb::Check(arguments) => {
                check::check(&mut entries, arguments.repair).await.map(|found| {
                    println!("index {title}: {found}");
                    found.is_clean()
                })
            }
        };
        entries.close().await;
        match outcome.map_err(failed)? {
            true => Ok(()),
            false => Err(Failure { code: FAILED, lines: Vec::new() }),
        }
    })
}
