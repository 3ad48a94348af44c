//! What drivers and tools send, through Weir and to one plain server: equal answers, logical names.
//!
//! Owns: the runner of `tests/data/shop/tools.sql`. Never: holds an expected answer: the plain
//! server, asked by an account of the same name, is the oracle.

use std::fmt::Write;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Row, Value};

use crate::support::proxy::USER;
use crate::support::rig::{self, Rig};

const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/shop/tools.sql");

/// What no client may see: the physical names of `rules/shop`.
const PHYSICAL: [&str; 6] =
    ["shop_000", "users_00", "orders_00", "order_items_00", "items_00", "stock_00"];

#[derive(Debug, Default)]
struct Statement {
    line: usize,
    sql: String,
    only: Option<String>,
    shape: bool,
    refused: Option<String>,
    broken: bool,
}

fn statements(text: &str) -> Vec<Statement> {
    let mut all = Vec::new();
    let mut next = Statement::default();
    for (number, line) in text.lines().enumerate() {
        if let Some(kind) = line.strip_prefix("-- only: ") {
            next.only = Some(kind.to_owned());
        } else if line == "-- shape" {
            next.shape = true;
        } else if let Some(code) = line.strip_prefix("-- refused: ") {
            next.refused = Some(code.to_owned());
        } else if line.starts_with("-- broken: ") {
            next.broken = true;
        } else if !line.starts_with("--") && !line.is_empty() {
            next.line = number + 1;
            next.sql = line.strip_suffix(';').unwrap_or(line).to_owned();
            all.push(std::mem::take(&mut next));
        }
    }
    all
}

/// Columns with what is said of them and rows, or the error.
#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Rows(Vec<String>, Vec<String>),
    Done(u64),
    Error(u16, String),
    /// The connection is gone.
    Lost(String),
}

async fn ask(conn: &mut Conn, sql: &str) -> Answer {
    let asked: Result<Answer, mysql_async::Error> = async {
        let mut result = conn.query_iter(sql).await?;
        if result.columns_ref().is_empty() {
            let affected = result.affected_rows();
            result.drop_result().await?;
            return Ok(Answer::Done(affected));
        }
        let columns = result.columns_ref().iter();
        let columns = columns
            .map(|column| {
                format!(
                    "{} {}.{}.{} {:?}",
                    column.name_str(),
                    column.schema_str(),
                    column.table_str(),
                    column.org_table_str(),
                    column.column_type()
                )
            })
            .collect();
        let rows: Vec<Row> = result.collect().await?;
        let text = |value: Value| value.as_sql(true);
        let rows = rows
            .into_iter()
            .map(|row| row.unwrap().into_iter().map(text).collect::<Vec<_>>().join("  "));
        Ok(Answer::Rows(columns, rows.collect()))
    }
    .await;
    match asked {
        Ok(answer) => answer,
        Err(mysql_async::Error::Server(error)) => Answer::Error(error.code, error.message),
        Err(error) => Answer::Lost(error.to_string()),
    }
}

/// What is compared of an answer.
fn compared(kind: &str, statement: &Statement, answer: &Answer) -> Answer {
    let lower = statement.sql.to_ascii_lowercase();
    match answer {
        Answer::Rows(columns, _) if statement.shape => {
            let names = columns
                .iter()
                .map(|column| column.split(' ').next().unwrap_or_default().to_owned());
            Answer::Rows(names.collect(), Vec::new())
        }
        Answer::Rows(columns, rows) => {
            let mut rows = rows.clone();
            // What other tests have made beside the shop's tables meanwhile.
            rows.retain(|row| !row.contains("_of_a_test"));
            if !lower.contains("order by") {
                rows.sort();
            }
            // Where the rows of SHOW come from, servers say differently. MySQL's information_schema
            // is views over tables of its own, which show through or not as the plan has it.
            let system = lower.contains("information_schema") || lower.contains("from tables");
            let hidden = lower.contains("show ") || (kind == "mysql" && system);
            let columns = columns.iter().map(|column| match hidden {
                true => column.split(' ').next().unwrap_or_default().to_owned(),
                false => column.clone(),
            });
            Answer::Rows(columns.collect(), rows)
        }
        // Errors of Weir's own carry their code.
        Answer::Error(errno, text) => {
            let text = text.split(" [weir:").next().unwrap_or_default();
            Answer::Error(*errno, text.to_owned())
        }
        other => other.clone(),
    }
}

fn physical(answer: &Answer) -> Option<String> {
    let names = |text: &String| PHYSICAL.iter().any(|name| text.contains(name));
    match answer {
        Answer::Rows(columns, rows) => columns.iter().chain(rows).find(|text| names(text)).cloned(),
        Answer::Error(_, text) | Answer::Lost(text) => names(text).then(|| text.clone()),
        Answer::Done(_) => None,
    }
}

fn judge(kind: &str, statement: &Statement, plain: &Answer, weir: &Answer) -> Option<String> {
    if let Answer::Error(_, message) = weir
        && let Some((_, code)) = message.rsplit_once("[weir:")
        && let code = code.trim_end_matches(']')
        && statement.refused.as_deref() == Some(code)
    {
        return None;
    }
    let (left, right) = (compared(kind, statement, plain), compared(kind, statement, weir));
    let same = left == right && physical(weir).is_none();
    let cut = |answer: &Answer| format!("{answer:?}").chars().take(700).collect::<String>();
    let (left, right) = only_differing(left, right);
    match (same, statement.broken || statement.refused.is_some()) {
        (true, false) | (false, true) => None,
        (true, true) => Some("is refused or broken no more".to_owned()),
        (false, false) => {
            let shown =
                physical(weir).map(|text| format!("\n  physical: {text}")).unwrap_or_default();
            Some(format!("\n  plain: {}\n  weir:  {}{shown}", cut(&left), cut(&right)))
        }
    }
}

/// Of two results of many columns or rows, those that differ.
fn only_differing(left: Answer, right: Answer) -> (Answer, Answer) {
    let (Answer::Rows(columns, rows), Answer::Rows(others, other_rows)) = (&left, &right) else {
        return (left, right);
    };
    let cut = |mine: &[String], theirs: &[String]| -> Vec<String> {
        mine.iter().filter(|text| !theirs.contains(text)).cloned().collect()
    };
    (
        Answer::Rows(cut(columns, others), cut(rows, other_rows)),
        Answer::Rows(cut(others, columns), cut(other_rows, rows)),
    )
}

fn compare(rig: &Rig, all: &[Statement]) -> String {
    let kind = rig.groups[0].primary.kind.name();
    let primary = &rig.groups[0].primary;
    primary.execute(&format!("CREATE USER IF NOT EXISTS {USER}@'%' IDENTIFIED BY '{USER}'"));
    primary.execute(&format!("GRANT ALL ON shop.* TO {USER}@'%'"));
    let plain_url = rig.plain_url().replace("root:root", &format!("{USER}:{USER}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut weir = Conn::new(Opts::from_url(&rig.url()).unwrap()).await.unwrap();
        let mut plain = Conn::new(Opts::from_url(&plain_url).unwrap()).await.unwrap();
        let mut report = String::new();
        for statement in
            all.iter().filter(|one| one.only.as_deref().is_none_or(|only| only == kind))
        {
            let expected = ask(&mut plain, &statement.sql).await;
            let found = ask(&mut weir, &statement.sql).await;
            if let Some(difference) = judge(kind, statement, &expected, &found) {
                let _ = writeln!(report, "{}: {}{difference}", statement.line, statement.sql);
            }
            if matches!(found, Answer::Lost(_)) {
                weir = Conn::new(Opts::from_url(&rig.url()).unwrap()).await.unwrap();
            }
        }
        report
    })
}

#[test]
fn what_tools_send_is_answered_as_by_one_server() {
    let all = statements(&std::fs::read_to_string(TOOLS).unwrap());
    assert!(all.len() > 150, "the data file is cut short");
    let mut reports = String::new();
    // Tables and routines that others make for a while would be listed.
    let _quiet = rig::quiet();
    for rig in rig::shared_kinds() {
        let report = compare(rig, &all);
        if !report.is_empty() {
            let _ = writeln!(reports, "== {}\n{report}", rig.groups[0].primary.version);
        }
    }
    assert!(reports.is_empty(), "{reports}");
}
