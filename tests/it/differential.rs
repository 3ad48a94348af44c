//! The same statements through Weir over shards and on one plain server: same rows, same order, same
//! names and types, same counts, same errors.
//!
//! Owns: the runner of `tests/data/sql/*.sql`. Never: holds an expected result of its own: the plain
//! server is the oracle.
//!
//! A file is a list of statements, each ended by `;` at the end of a line. Lines before one may say
//! - `-- refused: code`: Weir refuses it with this stable code (the plain server is not asked);
//! - `-- only: mysql`: the statement is not for the other kind of server;
//! - `-- any order`: rows are compared as a set although the statement says ORDER BY.
//!
//! `WEIR_SQL=write.sql` runs that file alone.

use std::fs;
use std::path::Path;

use mysql_async::consts::ColumnFlags;
use mysql_async::{Conn, Opts, Value};

use crate::support::compare;
use crate::support::rig::{self, Rig};
use crate::support::servers::Kind;
use crate::support::sql::blocking;

/// One statement of a file.
#[derive(Debug)]
struct Case {
    line: usize,
    sql: String,
    refused: Option<String>,
    only: Option<String>,
    any_order: bool,
}

/// What came back, as far as it is compared here.
#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Rows { columns: Vec<String>, rows: Vec<Vec<Value>> },
    Done { affected: u64, insert_id: Option<u64>, info: String },
    Error { errno: u16, message: String },
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let (mut sql, mut line, mut refused, mut any_order) = (String::new(), 0, None, false);
    let mut only = None;
    for (number, text) in text.lines().enumerate() {
        if sql.is_empty() {
            if let Some(code) = text.strip_prefix("-- refused:") {
                refused = Some(code.trim().to_owned());
                continue;
            }
            if let Some(kind) = text.strip_prefix("-- only:") {
                only = Some(kind.trim().to_owned());
                continue;
            }
            if text == "-- any order" {
                any_order = true;
                continue;
            }
            if text.trim().is_empty() || text.starts_with("-- ") || text.starts_with('#') {
                continue;
            }
            line = number + 1;
        } else {
            sql.push('\n');
        }
        sql.push_str(text);
        if let Some(whole) = sql.strip_suffix(';') {
            let sql = whole.to_owned();
            let (refused, only) = (refused.take(), only.take());
            cases.push(Case { line, sql, refused, only, any_order });
            any_order = false;
        }
        if sql.ends_with(';') {
            sql.clear();
        }
    }
    assert!(sql.is_empty(), "line {line}: a statement without its ; at a line's end");
    cases
}

async fn run(conn: &mut Conn, case: &Case, prepared: bool) -> Answer {
    match compare::ask(conn, &case.sql, prepared.then_some(&[])).await {
        // MariaDB's 1690 names the schema of a column or not, as its table was opened before.
        compare::Answer::Error { code, message, .. } => {
            Answer::Error { errno: code, message: message.replace("`shop`.", "") }
        }
        compare::Answer::Done { affected, insert_id, info, .. } => {
            Answer::Done { affected, insert_id, info }
        }
        compare::Answer::Rows { columns, mut rows, .. } => {
            let ordered = case.sql.to_ascii_lowercase().contains("order by") && !case.any_order;
            if !ordered {
                rows.sort_by_key(|row| format!("{row:?}"));
            }
            Answer::Rows { columns: described(case, &columns), rows }
        }
    }
}

fn described(case: &Case, columns: &[compare::Column]) -> Vec<String> {
    // Which key a column belongs to, and whether a number is "binary", servers forget as soon as
    // they group by way of a temporary table, which depends on how many rows they have.
    let lower = case.sql.to_ascii_lowercase();
    let grouped = ["group by", "distinct", "union", "(select", "join"]
        .iter()
        .any(|words| lower.contains(words));
    // Whether a common table expression is merged or has a table of its own is the plan's choice.
    // Whose schema a view's computed column is in, and whether a column is the view's or its table's, is the
    // plan's choice on MySQL.
    let named = lower.starts_with("with") || lower.contains(" v_");
    let forgotten = ColumnFlags::AUTO_INCREMENT_FLAG
        | ColumnFlags::PRI_KEY_FLAG
        | ColumnFlags::UNIQUE_KEY_FLAG
        | ColumnFlags::MULTIPLE_KEY_FLAG
        | ColumnFlags::PART_KEY_FLAG
        | ColumnFlags::NO_DEFAULT_VALUE_FLAG
        | ColumnFlags::BINARY_FLAG;
    let mask = if grouped { forgotten } else { ColumnFlags::empty() };
    // Which of its dictionary's columns one of MySQL's information_schema is, depends on the plan.
    let system = lower.contains("information_schema");
    let describe = |column: &compare::Column| {
        if system {
            return format!("{} {}", column.name, column.kind);
        }
        format!(
            "{}.{}({}) {} as {} {} {:?} {} {}",
            if named { "" } else { &column.schema },
            column.table,
            if named { "" } else { &column.org_table },
            if grouped && column.org_table.is_empty() { "" } else { &column.org_name },
            column.name,
            column.kind,
            column.flags - mask,
            column.charset,
            column.decimals,
        )
    };
    columns.iter().map(describe).collect()
}

fn compare(file: &str, case: &Case, weir: &Answer, plain: Option<&Answer>) -> Option<String> {
    let place = format!("{file}:{}: {}", case.line, case.sql);
    match (&case.refused, plain) {
        (Some(code), _) => match weir {
            Answer::Error { message, .. } if message.contains(&format!("[weir:{code}]")) => None,
            other => Some(format!("{place}\n  expected a refusal with {code}, got {other:?}")),
        },
        (None, Some(plain)) if plain == weir => None,
        (None, plain) => Some(format!("{place}\n  plain: {plain:?}\n  weir:  {weir:?}")),
    }
}

/// Runs a file on both; the differences.
fn differences(rig: &Rig, path: &Path) -> Vec<String> {
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let cases = cases(&fs::read_to_string(path).expect("a readable file"));
    assert!(!cases.is_empty(), "{file} holds no statement");
    let plain_url = rig.plain_url();
    blocking(&rig.url(), async move |weir| {
        let opts = Opts::from_url(&plain_url).map_err(|error| error.to_string())?;
        let mut plain = Conn::new(opts).await.map_err(|error| error.to_string())?;
        let mut found = Vec::new();
        let kind = rig.groups[0].primary.kind.name();
        let meant = |case: &&Case| case.only.as_ref().is_none_or(|only| only == kind);
        for case in cases.iter().filter(meant) {
            // What is gathered has many ways to go wrong in the binary protocol alone.
            let forms = match &*file {
                "workbench.sql" | "system_rows.sql" | "views.sql" => &[false, true][..],
                "found_prepared.sql" => &[true],
                _ => &[false],
            };
            for prepared in forms {
                let expected = match case.refused {
                    Some(_) => None,
                    None => Some(run(&mut plain, case, *prepared).await),
                };
                let got = run(weir, case, *prepared).await;
                found.extend(compare(&file, case, &got, expected.as_ref()));
            }
        }
        plain.disconnect().await.map_err(|error| error.to_string())?;
        Ok(found)
    })
    .expect("both can be asked")
}

fn check(kind: Kind) {
    let Some(rig) = rig::shared(kind) else { return };
    let _quiet = rig::quiet();
    // Stored functions are made without the right SUPER.
    for group in &rig.groups {
        group.primary.execute("SET GLOBAL log_bin_trust_function_creators = 1");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sql");
    let only = std::env::var("WEIR_SQL").ok();
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder of cases")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .filter(|path| only.as_ref().is_none_or(|only| path.ends_with(only)))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let found: Vec<String> = files.iter().flat_map(|path| differences(rig, path)).collect();
    assert!(found.is_empty(), "{} differences on {kind}:\n{}", found.len(), found.join("\n"));
}

#[test]
fn shards_answer_as_one_plain_mariadb() {
    check(Kind::MariaDb);
}

#[test]
fn shards_answer_as_one_plain_mysql() {
    check(Kind::MySql);
}
