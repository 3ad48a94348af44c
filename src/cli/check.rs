//! `weir check` and `weir schema`: rules without serving.
//!
//! Owns: the shape of the report, as text and as JSON. Never: finds a problem itself
//! (`rules::check` and `backend` do).

use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::json;

use super::{Failure, WRONG};
use crate::backend::inspect;
use crate::rules::Rules;
use crate::rules::check;
use crate::rules::file;
use crate::rules::problem::{Problem, Severity};
use crate::rules::table::Placement;
use crate::rules::validate;

#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// The directory of the rules' *.yaml files.
    directory: PathBuf,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    /// Also compare the rules with the servers that they name: versions, sql_mode, collations,
    /// missing or drifted tables, AUTO_INCREMENT, triggers, rights.
    #[arg(long)]
    online: bool,
}

/// Checks a directory. Problems go to standard output, for they are what was asked for.
///
/// # Errors
/// Exit code 2 where the rules can't be used.
pub fn check(arguments: &Arguments) -> Result<(), Failure> {
    let (document, found) = file::read_dir(&arguments.directory);
    let mut checked = check::check(&document, found);
    if let (true, Some(rules)) = (arguments.online, &checked.rules) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::failed(error.to_string()))?;
        let mut problems = runtime.block_on(inspect::check(rules));
        document.place(&mut problems);
        checked.problems.extend(problems);
        checked.problems.sort_by(|left, right| {
            (&left.position, &left.path).cmp(&(&right.position, &right.path))
        });
        if file::has_errors(&checked.problems) {
            checked.rules = None;
        }
    }
    let text = if arguments.json {
        report_json(checked.rules.as_ref(), &checked.problems)
    } else {
        report_text(checked.rules.as_ref(), &checked.problems)
    };
    print(&text)?;
    if checked.rules.is_some() { Ok(()) } else { Err(Failure { code: WRONG, lines: Vec::new() }) }
}

/// Prints the JSON Schema.
pub fn schema() -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(&validate::schema())
        .map_err(|error| Failure::failed(error.to_string()))?;
    print(&format!("{text}\n"))
}

/// A reader that has gone away (`| head`) is no failure.
fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(error.to_string()))
        }
        _ => Ok(()),
    }
}

fn count(problems: &[Problem], severity: Severity) -> usize {
    problems.iter().filter(|problem| problem.severity == severity).count()
}

/// One line for each problem, then one that sums up.
pub fn report_text(rules: Option<&Rules>, problems: &[Problem]) -> String {
    let mut text: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
    let warnings = count(problems, Severity::Warning);
    let also = match warnings {
        0 => String::new(),
        1 => ", 1 warning".to_owned(),
        more => format!(", {more} warnings"),
    };
    let line = match rules {
        Some(rules) => format!("ok: {}; hash {:016x}{also}\n", summary(rules), rules.hash),
        None => match count(problems, Severity::Error) {
            1 => format!("1 error{also}\n"),
            more => format!("{more} errors{also}\n"),
        },
    };
    text.push_str(&line);
    text
}

fn summary(rules: &Rules) -> String {
    let (mut sharded, mut shards, mut broadcast, mut single) = (0, 0, 0, 0);
    for schema in rules.schemas() {
        for (_, placement) in schema.tables() {
            match placement {
                Placement::Sharded(table) => {
                    sharded += 1;
                    shards += table.shards.len();
                }
                Placement::Broadcast(_) => broadcast += 1,
                Placement::Single(_) => single += 1,
            }
        }
    }
    let nodes: usize = rules.groups.iter().map(|group| group.nodes().count()).sum();
    let many = |number: usize, what: &str| {
        format!("{number} {what}{}", if number == 1 { "" } else { "s" })
    };
    format!(
        "{} with {}, {}, {} ({}), {broadcast} broadcast, {single} single, {}",
        many(rules.groups.len(), "group"),
        many(nodes, "node"),
        many(rules.schemas().len(), "schema"),
        many(sharded, "sharded table"),
        many(shards, "shard"),
        many(rules.users().len(), "user"),
    )
}

/// `{"ok", "hash", "problems": [{"severity", "file", "line", "column", "path", "message", "help"}]}`.
pub fn report_json(rules: Option<&Rules>, problems: &[Problem]) -> String {
    let problems: Vec<_> = problems
        .iter()
        .map(|problem| {
            json!({
                "severity": match problem.severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                },
                "file": problem.position.file,
                "line": problem.position.line,
                "column": problem.position.column,
                "path": problem.path.to_string(),
                "message": problem.message,
                "help": problem.help,
            })
        })
        .collect();
    let report = json!({
        "ok": rules.is_some(),
        "hash": rules.map(|rules| format!("{:016x}", rules.hash)),
        "problems": problems,
    });
    format!("{report:#}\n")
}
