//! `weir schema`: the JSON Schema of the rules; `weir schema diff`: do the shards still agree.
//!
//! Owns: the shape of the report, as text and as JSON. Never: asks a server itself
//! ([`crate::backend::drift`] does), or changes a table.
//!
//! Exit codes of `diff`: 0 all agree, 1 some differ, 2 it couldn't look.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;

use serde_json::json;

use super::{FAILED, Failure, WRONG};
use crate::backend::drift::{self, Compared, Part};
use crate::catalog::definition::{Change, Definition};
use crate::rules::check;
use crate::rules::file;

#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Verb {
    /// Compare the definitions of all physical tables of each logical table, over all groups:
    /// columns, types, collations, keys, constraints, triggers, engine, comments. Counters of
    /// AUTO_INCREMENT and physical names don't count. Exit codes: 0 all agree, 1 some differ, 2 it
    /// couldn't look.
    Diff(Diff),
}

#[derive(Clone, Debug, clap::Args)]
struct Diff {
    /// The directory of the rules' *.yaml files.
    #[arg(long)]
    rules: PathBuf,
    /// Only this logical schema.
    #[arg(long)]
    schema: Option<String>,
    /// Only the logical tables of this name.
    #[arg(long)]
    table: Option<String>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the verb; without one the JSON Schema is printed.
///
/// # Errors
/// Definitions that differ, rules that can't be used, groups that can't be asked.
pub fn schema(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.verb {
        None => super::check::schema(),
        Some(Verb::Diff(arguments)) => diff(arguments),
    }
}

fn diff(arguments: &Diff) -> Result<(), Failure> {
    let (document, found) = file::read_dir(&arguments.rules);
    let checked = check::check(&document, found);
    let Some(rules) = checked.rules else {
        let lines = checked.problems.iter().map(ToString::to_string).collect();
        return Err(Failure::wrong(lines));
    };
    let unseen = |error: &dyn ToString| Failure { code: WRONG, lines: vec![error.to_string()] };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| unseen(&error))?;
    let (schema, table) = (arguments.schema.as_deref(), arguments.table.as_deref());
    let looked = runtime.block_on(drift::look(&rules, schema, table));
    let compared = looked.map_err(|error| unseen(&error.message))?;
    let report: Vec<Report<'_>> = compared.iter().map(Report::of).collect();
    let text = if arguments.json { as_json(&report) } else { as_text(&report) };
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(unseen(&error)),
        _ => {}
    }
    match report.iter().any(Report::drifted) {
        true => Err(Failure { code: FAILED, lines: Vec::new() }),
        false => Ok(()),
    }
}

/// One logical table's parts by their definitions.
struct Report<'c> {
    compared: &'c Compared,
    /// The largest first.
    alike: Vec<(&'c Definition, Vec<&'c Part>)>,
    missing: Vec<&'c Part>,
}

impl<'c> Report<'c> {
    fn of(compared: &'c Compared) -> Report<'c> {
        let mut alike: Vec<(&Definition, Vec<&Part>)> = Vec::new();
        let mut places: BTreeMap<&Definition, usize> = BTreeMap::new();
        let mut missing = Vec::new();
        for part in &compared.parts {
            let Some(definition) = &part.definition else {
                missing.push(part);
                continue;
            };
            let place = *places.entry(definition).or_insert(alike.len());
            match alike.get_mut(place) {
                Some((_, parts)) => parts.push(part),
                None => alike.push((definition, vec![part])),
            }
        }
        // Of equally many those with the lowest shard come first: the sort is stable.
        alike.sort_by_key(|(_, parts)| std::cmp::Reverse(parts.len()));
        Report { compared, alike, missing }
    }

    /// A table that is nowhere wasn't made yet.
    fn drifted(&self) -> bool {
        self.alike.len() > 1 || (!self.missing.is_empty() && !self.alike.is_empty())
    }

    fn text(&self, out: &mut String) {
        let Compared { schema, table, parts } = self.compared;
        let tables = many(parts.len(), "table");
        let Some((most, first)) = self.alike.first() else {
            let _ = writeln!(out, "{schema}.{table}: not made yet ({tables} named by the rules)");
            return;
        };
        if !self.drifted() {
            let _ = writeln!(out, "{schema}.{table}: {tables}, all alike");
            return;
        }
        let _ = writeln!(out, "{schema}.{table}: DRIFT ({tables})");
        let _ = writeln!(out, "  {} the same: {}", agree(first.len()), places(first));
        for (definition, parts) in self.alike.iter().skip(1) {
            let _ = writeln!(out, "  {}: {}", differ(parts.len()), places(parts));
            for change in most.changes(definition) {
                let _ = match change {
                    Change::Without(line) => writeln!(out, "    - {line}"),
                    Change::With(line) => writeln!(out, "    + {line}"),
                };
            }
        }
        if !self.missing.is_empty() {
            let _ = writeln!(
                out,
                "  {} missing: {}",
                match self.missing.len() {
                    1 => "1 table is".to_owned(),
                    more => format!("{more} tables are"),
                },
                places(&self.missing)
            );
        }
    }

    fn json(&self) -> serde_json::Value {
        let most = self.alike.first().map(|(definition, _)| *definition);
        let definitions = self.alike.iter().map(|(definition, parts)| {
            let changes = most.map(|most| most.changes(definition)).unwrap_or_default();
            let (mut without, mut with) = (Vec::new(), Vec::new());
            for change in changes {
                match change {
                    Change::Without(line) => without.push(line),
                    Change::With(line) => with.push(line),
                }
            }
            json!({
                "tables": parts.iter().map(|part| title(part)).collect::<Vec<_>>(),
                "without": without,
                "with": with,
            })
        });
        json!({
            "schema": self.compared.schema,
            "table": self.compared.table,
            "drift": self.drifted(),
            "definitions": definitions.collect::<Vec<_>>(),
            "missing": self.missing.iter().map(|part| title(part)).collect::<Vec<_>>(),
        })
    }
}

fn many(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn agree(number: usize) -> String {
    format!("{} {}", many(number, "table"), if number == 1 { "is" } else { "are" })
}

fn differ(number: usize) -> String {
    format!("{} {}", many(number, "table"), if number == 1 { "differs" } else { "differ" })
}

/// How many tables are named one by one.
const NAMED: usize = 8;

/// The tables of a list: shards by their numbers where there are many.
fn places(parts: &[&Part]) -> String {
    if parts.len() <= NAMED {
        let titles: Vec<String> = parts.iter().map(|part| title(part)).collect();
        return titles.join(", ");
    }
    let numbers: Vec<usize> = parts.iter().filter_map(|part| part.shard).collect();
    if numbers.len() != parts.len() {
        let titles: Vec<String> = parts.iter().take(NAMED).map(|part| title(part)).collect();
        return format!("{} and {} more", titles.join(", "), parts.len() - NAMED);
    }
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let range = |(first, last): (usize, usize)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    let ranges: Vec<String> = ranges.into_iter().map(range).collect();
    format!("shards {}", ranges.join(", "))
}

fn title(part: &Part) -> String {
    let place = format!("{}:{}.{}", part.group, part.database, part.table);
    part.shard.map_or_else(|| place.clone(), |shard| format!("shard {shard} ({place})"))
}

fn as_text(report: &[Report<'_>]) -> String {
    let mut text = String::new();
    for one in report {
        one.text(&mut text);
    }
    let drifted = report.iter().filter(|one| one.drifted()).count();
    let _ = match drifted {
        0 => writeln!(text, "ok: {} compared", many(report.len(), "table")),
        _ => writeln!(
            text,
            "{drifted} of {} drifted; lines with - are what most have, with + what the others have \
             instead",
            many(report.len(), "table")
        ),
    };
    text
}

fn as_json(report: &[Report<'_>]) -> String {
    let tables: Vec<_> = report.iter().map(Report::json).collect();
    let ok = !report.iter().any(Report::drifted);
    format!("{:#}\n", json!({ "ok": ok, "tables": tables }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::name::GroupName;

    fn compared(texts: &[&str]) -> Compared {
        let part = |(shard, text): (usize, &&str)| {
            let table: Arc<str> = Arc::from(format!("orders_{shard:04}"));
            let create = text.replace("{t}", &table);
            Part {
                shard: Some(shard),
                group: GroupName::from("g0"),
                database: Arc::from("shop_0000"),
                definition: (!text.is_empty())
                    .then(|| Definition::of(&create, &table, "orders", &|_| None)),
                table,
            }
        };
        Compared {
            schema: "shop".to_owned(),
            table: "orders".to_owned(),
            parts: texts.iter().enumerate().map(part).collect(),
        }
    }

    const PLAIN: &str =
        "CREATE TABLE `{t}` (\n  `id` int NOT NULL,\n  `note` varchar(9)\n) ENGINE=InnoDB";

    #[test]
    fn the_report_names_who_differs_and_in_what() {
        let other = PLAIN.replace("varchar(9)", "varchar(10)");
        let compared = compared(&[PLAIN, &other, PLAIN, ""]);
        let report = [Report::of(&compared)];
        assert_eq!(
            as_text(&report),
            "shop.orders: DRIFT (4 tables)\n  \
             2 tables are the same: shard 0 (g0:shop_0000.orders_0000), shard 2 (g0:shop_0000.orders_0002)\n  \
             1 table differs: shard 1 (g0:shop_0000.orders_0001)\n    \
             - `note` varchar(9)\n    + `note` varchar(10)\n  \
             1 table is missing: shard 3 (g0:shop_0000.orders_0003)\n\
             1 of 1 table drifted; lines with - are what most have, with + what the others have instead\n"
        );
        assert!(as_json(&report).contains("\"drift\": true"));
    }

    #[test]
    fn what_agrees_is_one_line_and_what_is_nowhere_is_no_drift() {
        let (same, nowhere) = (compared(&[PLAIN; 12]), compared(&["", ""]));
        let report = [Report::of(&same), Report::of(&nowhere)];
        assert!(!report.iter().any(Report::drifted));
        assert_eq!(
            as_text(&report),
            "shop.orders: 12 tables, all alike\n\
             shop.orders: not made yet (2 tables named by the rules)\nok: 2 tables compared\n"
        );
        let mut texts = [PLAIN; 12].to_vec();
        texts[4] = "";
        let compared = compared(&texts);
        assert!(
            as_text(&[Report::of(&compared)])
                .contains("11 tables are the same: shards 0-3, 5-11\n")
        );
    }
}
