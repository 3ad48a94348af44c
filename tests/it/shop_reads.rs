//! Weir against one plain server that holds all the rows: the same answers, or the same error.
//!
//! Owns: the comparison. The statements are data, in `tests/data/shop/`. A refusal by Weir is
//! written down there; a different answer never is.

use std::collections::BTreeMap;
use std::fmt::Write;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Row, Value};

use crate::support::rig::{self, Rig};

const READS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/shop/reads.sql");

/// What a server answered: columns and rows, or its error.
#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Rows { columns: Vec<Column>, rows: Vec<Vec<String>> },
    Error { code: u16, state: String, message: String },
}

/// What a client sees of a column.
#[derive(Clone, Debug, PartialEq)]
struct Column {
    name: String,
    /// Everything else, readable.
    described: String,
}

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

async fn ask(conn: &mut Conn, sql: &str, prepared: bool) -> Answer {
    let asked: Result<(Vec<Column>, Vec<Row>), mysql_async::Error> = async {
        if prepared {
            let mut result = conn.exec_iter(sql, ()).await?;
            let columns = described(result.columns_ref());
            Ok((columns, result.collect().await?))
        } else {
            let mut result = conn.query_iter(sql).await?;
            let columns = described(result.columns_ref());
            Ok((columns, result.collect().await?))
        }
    }
    .await;
    match asked {
        Ok((columns, rows)) => {
            let text = |value: Value| value.as_sql(true);
            let rows = rows.into_iter().map(|row| row.unwrap().into_iter().map(text).collect());
            Answer::Rows { columns, rows: rows.collect() }
        }
        Err(mysql_async::Error::Server(error)) => {
            Answer::Error { code: error.code, state: error.state, message: error.message }
        }
        Err(error) => Answer::Error { code: 0, state: String::new(), message: error.to_string() },
    }
}

fn described(columns: &[mysql_async::Column]) -> Vec<Column> {
    columns
        .iter()
        .map(|column| Column {
            name: column.name_str().into_owned(),
            described: format!(
                "{}.{} ({}.{}) {:?} length {} charset {} decimals {} flags {:?}",
                column.table_str(),
                column.name_str(),
                column.schema_str(),
                column.org_table_str() + "." + column.org_name_str(),
                column.column_type(),
                column.column_length(),
                column.character_set(),
                column.decimals(),
                column.flags()
            ),
        })
        .collect()
}

/// Whether the order of the rows is part of the answer.
fn ordered(sql: &str) -> bool {
    let last = sql.rsplit(')').next().unwrap_or(sql).to_ascii_uppercase();
    last.contains("ORDER BY")
}

fn compared(sql: &str, answer: &Answer) -> Answer {
    match answer {
        Answer::Rows { columns, rows } => {
            let mut rows = rows.clone();
            if !ordered(sql) {
                rows.sort();
            }
            let columns = columns
                .iter()
                .map(|column| Column { name: column.name.clone(), described: String::new() })
                .collect();
            Answer::Rows { columns, rows }
        }
        error => error.clone(),
    }
}

/// The stable code of a refusal by Weir.
fn refusal(answer: &Answer) -> Option<String> {
    let Answer::Error { message, .. } = answer else { return None };
    let (_, code) = message.rsplit_once("[weir:")?;
    Some(code.trim_end_matches(']').to_owned())
}

/// Asks both sides every statement; the differing answers, and each statement's refusal.
fn compare(rig: &Rig, all: &[Statement], prepared: bool) -> (String, BTreeMap<String, String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut weir = Conn::new(Opts::from_url(&rig.url()).unwrap()).await.unwrap();
        let mut plain = Conn::new(Opts::from_url(&rig.plain_url()).unwrap()).await.unwrap();
        let (mut report, mut refusals) = (String::new(), BTreeMap::new());
        for Statement { sql, refused, broken } in all {
            let expected = ask(&mut plain, sql, prepared).await;
            let found = ask(&mut weir, sql, prepared).await;
            if let Some(code) = refusal(&found) {
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

fn cut(answer: &Answer) -> String {
    let text = match answer {
        Answer::Rows { columns, rows } => {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            format!("{} rows {names:?} {rows:?}", rows.len())
        }
        error => format!("{error:?}"),
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
