//! Weir against one plain server that holds all the rows: the same answers, or the same error.
//!
//! Owns: the comparison. The statements are data, in `tests/data/shop/`. A refusal by Weir is
//! written down there; a different answer never is.

use std::collections::BTreeMap;
use std::fmt::Write;

use mysql_async::{Conn, Opts, Value};

use crate::support::compare::{Answer, ask};
use crate::support::rig::{self, Rig};

const READS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/shop/reads.sql");

/// A statement of the data file, and the refusal that it is known to meet.
struct Statement {
    sql: String,
    refused: Option<String>,
    /// A defect that is known: the answers differ, and are expected to until it is mended.
    broken: bool,
}

fn statements(text: &str) -> Vec<Statement> {
    let mut all = Vec::new();
    let (mut refused, mut broken) = (None, false);
    for line in text.lines() {
        if let Some(code) = line.strip_prefix("-- refused: ") {
            refused = Some(code.to_owned());
        } else if line.starts_with("-- broken: ") {
            broken = true;
        } else if !line.starts_with("--") && !line.is_empty() {
            let sql = line.strip_suffix(';').unwrap_or(line).to_owned();
            all.push(Statement {
                sql,
                refused: refused.take(),
                broken: std::mem::take(&mut broken),
            });
        }
    }
    all
}

/// Whether the order of the rows is part of the answer.
fn ordered(sql: &str) -> bool {
    let last = sql.rsplit(')').next().unwrap_or(sql).to_ascii_uppercase();
    last.contains("ORDER BY")
}

/// Of the columns, their names; of the rows, their order where the statement fixes it.
fn compared(sql: &str, answer: &Answer) -> Result<(Vec<String>, Vec<String>), Answer> {
    let Answer::Rows { columns, rows, .. } = answer else { return Err(answer.clone()) };
    let text = |row: &Vec<Value>| {
        row.iter().map(|value| value.as_sql(true)).collect::<Vec<_>>().join(", ")
    };
    let mut rows: Vec<String> = rows.iter().map(text).collect();
    if !ordered(sql) {
        rows.sort();
    }
    Ok((columns.iter().map(|column| column.name.clone()).collect(), rows))
}

/// Asks both sides every statement; the differing answers, and each statement's refusal.
fn compare(rig: &Rig, all: &[Statement], prepared: bool) -> (String, BTreeMap<String, String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut weir = Conn::new(Opts::from_url(&rig.url()).unwrap()).await.unwrap();
        let mut plain = Conn::new(Opts::from_url(&rig.plain_url()).unwrap()).await.unwrap();
        let (mut report, mut refusals) = (String::new(), BTreeMap::new());
        for Statement { sql, refused, broken } in all {
            let expected = ask(&mut plain, sql, prepared.then_some(&[])).await;
            let found = ask(&mut weir, sql, prepared.then_some(&[])).await;
            if let Some(code) = found.refusal().map(str::to_owned) {
                refusals.insert(sql.clone(), code.clone());
                if refused.as_ref() != Some(&code) {
                    let _ = writeln!(report, "\n{sql}\n  refused: {found:?}");
                }
                continue;
            }
            let (left, right) = (compared(sql, &expected), compared(sql, &found));
            if *broken {
                if left == right {
                    let _ = writeln!(report, "\n{sql}\n  is not broken any more");
                }
            } else if left != right {
                let _ =
                    writeln!(report, "\n{sql}\n  plain: {}\n  weir:  {}", cut(&left), cut(&right));
            } else if let Some(code) = refused {
                let _ = writeln!(report, "\n{sql}\n  is not refused any more ({code})");
            }
            if let Answer::Error { code: 0, .. } = found {
                weir = Conn::new(Opts::from_url(&rig.url()).unwrap()).await.unwrap();
            }
        }
        (report, refusals)
    })
}

fn cut(answer: &Result<(Vec<String>, Vec<String>), Answer>) -> String {
    let text = match answer {
        Ok((names, rows)) => format!("{} rows {names:?} {rows:?}", rows.len()),
        Err(other) => format!("{other:?}"),
    };
    text.chars().take(600).collect()
}

#[test]
fn text_reads_equal_those_of_one_server() {
    let text = std::fs::read_to_string(READS).unwrap();
    let all = statements(&text);
    let mut reports = String::new();
    let _quiet = rig::quiet();
    for rig in rig::shared_kinds() {
        let (report, refusals) = compare(rig, &all, false);
        if std::env::var_os("WEIR_BLESS").is_some() {
            bless(&text, &refusals);
            continue;
        }
        if !report.is_empty() {
            let version = &rig.groups[0].primary.version;
            let _ = writeln!(reports, "== {version}{report}");
        }
    }
    assert!(reports.is_empty(), "{reports}");
}

#[test]
fn prepared_reads_equal_those_of_one_server() {
    let text = std::fs::read_to_string(READS).unwrap();
    let mut reports = String::new();
    let _quiet = rig::quiet();
    for rig in rig::shared_kinds() {
        let (report, _) = compare(rig, &statements(&text), true);
        if !report.is_empty() {
            let version = &rig.groups[0].primary.version;
            let _ = writeln!(reports, "== {version}{report}");
        }
    }
    assert!(reports.is_empty(), "{reports}");
}

/// Rewrites the refusals of the data file; answers are never blessed.
fn bless(text: &str, refusals: &BTreeMap<String, String>) {
    let mut out = String::new();
    for line in text.lines().filter(|line| !line.starts_with("-- refused: ")) {
        if let Some(code) = refusals.get(line.strip_suffix(';').unwrap_or(line)) {
            let _ = writeln!(out, "-- refused: {code}");
        }
        let _ = writeln!(out, "{line}");
    }
    std::fs::write(READS, out).unwrap();
}
