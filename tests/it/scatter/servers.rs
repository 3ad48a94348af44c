//! Real servers: what four shards give merged is what one table with all rows gives, in both row
//! formats; and writes that fail leave nothing behind.

use weir::executor::compare::RowFormat;
use weir::executor::limit::Window;
use weir::executor::running::Running;
use weir::executor::write::{Bracket, WriteTerms, write};
use weir::planner::plan::{
    Aggregate, AggregateFunction as F, Column, Fold, Gather, SortKey, WriteKind,
};

use super::kit::{Received, Setup, by, gathered, groups, lanes, lend, part, prepared, run};
use crate::support;
use crate::support::servers::{Kind, Server};

const SHARDS: usize = 4;
const ROWS: usize = 300;

/// Makes the table `whole` and its shards `s0` … `s3`, with rows from a fixed seed.
fn fill(server: &Server) -> String {
    let db = server.database();
    let columns = "id INT PRIMARY KEY, k INT, big BIGINT UNSIGNED, d DECIMAL(20,5), x DOUBLE, f FLOAT, \
        t DATETIME(6), dur TIME(3), y YEAR, b BIT(20), e ENUM('zz','mm','aa'), \
        s VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, v VARBINARY(10)";
    let mut statements = vec![format!("CREATE TABLE {db}.whole ({columns})")];
    statements.extend((0..SHARDS).map(|shard| format!("CREATE TABLE {db}.s{shard} ({columns})")));
    let mut seed = 20_241_122_u64;
    let mut draw = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let words = ["a", "A", "ä", "a ", "b", "B", "é", "e", "z", "", "ß", "ss", "a\t"];
    for id in 0..ROWS {
        let mut value = |text: String| if draw(10) == 0 { "NULL".to_owned() } else { text };
        let k = value((id as i64 % 7 - 3).to_string());
        let big = value(format!("{}", u64::MAX - (id as u64 * 7919) % 1000));
        let (whole, part) = (draw(2_000_000) as i64 - 1_000_000, draw(100_000));
        let d = format!("{whole}.{part:05}");
        let x = format!("{}", (draw(4000) as f64 - 2000.0) / 4.0);
        // Floats that read alike as text.
        let f = format!("{}", 1_234_567.0 + draw(9) as f64 / 8.0);
        let t = format!(
            "'20{:02}-0{}-1{} 0{}:00:00.00000{}'",
            draw(40),
            1 + draw(9),
            draw(9),
            draw(9),
            draw(3)
        );
        let dur = format!(
            "'{}{}:{:02}:00.{}'",
            if draw(2) == 0 { "-" } else { "" },
            draw(800),
            draw(60),
            draw(10)
        );
        let y = 1901 + draw(200);
        let b = draw(1 << 20);
        let e = ["zz", "mm", "aa"][draw(3) as usize];
        let s = words[draw(words.len() as u64) as usize];
        let v = draw(1 << 20);
        let row = format!(
            "({id}, {k}, {big}, {d}, {x}, {f}, {t}, {dur}, {y}, {b}, '{e}', '{s}', UNHEX(LPAD(HEX({v}),6,'0')))"
        );
        let shard = draw(SHARDS as u64);
        statements.push(format!("INSERT INTO {db}.whole VALUES {row}"));
        statements.push(format!("INSERT INTO {db}.s{shard} VALUES {row}"));
    }
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    server.execute_all(&statements).unwrap();
    db
}

/// A query of the client's, what each shard is asked, and how the answers become one.
struct Case {
    client: String,
    shard: String,
    gather: Gather,
    window: Option<(u64, u64)>,
}

/// `ORDER BY <column>, id`, by the column itself or by a hidden key.
fn ordered(column: &str, key: Option<&str>, descending: bool) -> Case {
    let direction = if descending { "DESC" } else { "ASC" };
    let order = format!("ORDER BY {column} {direction}, id");
    let client = format!("SELECT id, {column} FROM {{t}} {order} LIMIT 7, 120");
    let (hidden, first) = match key {
        Some(_) => (1, Column::Hidden(0)),
        None => (0, Column::Visible(1)),
    };
    let list = key.map_or(String::new(), |key| format!(", {key}"));
    Case {
        client,
        shard: format!("SELECT id, {column}{list} FROM {{t}} {order} LIMIT 127"),
        gather: Gather {
            hidden,
            merge_by: vec![by(first, descending), by(Column::Visible(0), false)],
            ..Gather::default()
        },
        window: Some((7, 120)),
    }
}

fn aggregates(functions: &[(u16, F)]) -> Fold {
    let aggregate = |(column, function): &(u16, F)| Aggregate {
        column: Column::Visible(*column),
        function: *function,
    };
    Fold::Aggregate(functions.iter().map(aggregate).collect())
}

/// Totals for each group, and over all rows.
fn totals() -> Vec<Case> {
    let list = "COUNT(*), COUNT(k), SUM(d), AVG(d), MIN(t), MAX(big), SUM(x), AVG(k), MIN(s), \
                BIT_XOR(id), SUM(id), MAX(dur), AVG(x), MAX(d)";
    let hidden =
        "SUM(d), COUNT(d), SUM(k), COUNT(k), WEIGHT_STRING(MIN(s) AS CHAR(20)), SUM(x), COUNT(x)";
    let functions = [
        F::Count,
        F::Count,
        F::Sum,
        F::Average { sum: Column::Hidden(0), count: Column::Hidden(1) },
        F::Min { weight: None },
        F::Max { weight: None },
        F::Sum,
        F::Average { sum: Column::Hidden(2), count: Column::Hidden(3) },
        F::Min { weight: Some(Column::Hidden(4)) },
        F::BitXor,
        F::Sum,
        F::Max { weight: None },
        F::Average { sum: Column::Hidden(5), count: Column::Hidden(6) },
        F::Max { weight: None },
    ];
    let numbered = |from: u16| -> Vec<(u16, F)> { (from..).zip(functions).collect() };
    let mut cases = Vec::new();
    for condition in ["", " WHERE id < 0", " WHERE id % 50 = 1"] {
        cases.push(Case {
            client: format!("SELECT {list} FROM {{t}}{condition}"),
            shard: format!("SELECT {list}, {hidden} FROM {{t}}{condition}"),
            gather: Gather { hidden: 7, fold: aggregates(&numbered(0)), ..Gather::default() },
            window: None,
        });
        cases.push(Case {
            client: format!("SELECT k, {list} FROM {{t}}{condition} GROUP BY k ORDER BY k DESC"),
            shard: format!(
                "SELECT k, {list}, {hidden} FROM {{t}}{condition} GROUP BY k ORDER BY k DESC"
            ),
            gather: Gather {
                hidden: 7,
                merge_by: vec![by(Column::Visible(0), true)],
                fold: aggregates(&numbered(1)),
                ..Gather::default()
            },
            window: None,
        });
    }
    cases.push(Case {
        client: "SELECT k, SUM(d) FROM {t} GROUP BY k ORDER BY SUM(d) DESC LIMIT 1, 4".into(),
        shard: "SELECT k, SUM(d) FROM {t} GROUP BY k ORDER BY k".into(),
        gather: Gather {
            merge_by: vec![by(Column::Visible(0), false)],
            fold: aggregates(&[(1, F::Sum)]),
            sort: vec![by(Column::Visible(1), true)],
            ..Gather::default()
        },
        window: Some((1, 4)),
    });
    cases
}

fn cases(kind: Kind) -> Vec<Case> {
    let mut cases = Vec::new();
    for descending in [false, true] {
        for column in ["k", "big", "d", "x", "t", "dur", "y", "b", "v"] {
            cases.push(ordered(column, None, descending));
        }
        cases.push(ordered("f", Some("f + 0e0"), descending));
        cases.push(ordered("e", Some("e + 0"), descending));
        cases.push(ordered("s", Some("WEIGHT_STRING(s AS CHAR(20))"), descending));
        if kind == Kind::MySql {
            let collated = "s COLLATE utf8mb4_0900_ai_ci";
            cases.push(ordered(collated, Some(&format!("WEIGHT_STRING({collated})")), descending));
        }
    }
    let key = |column| SortKey { column, descending: false, unit: 0 };
    cases.push(Case {
        // Which of equal strings stays is anybody's choice, so their weights are compared.
        client: "SELECT DISTINCT HEX(WEIGHT_STRING(s AS CHAR(20))) AS h FROM {t} ORDER BY 1".into(),
        shard: "SELECT HEX(w) AS h, w FROM (SELECT DISTINCT WEIGHT_STRING(s AS CHAR(20)) AS w FROM {t}) AS q ORDER BY 2".into(),
        gather: Gather { hidden: 1, merge_by: vec![key(Column::Hidden(0))], fold: Fold::Distinct, ..Gather::default() },
        window: None,
    });
    cases.extend(totals());
    cases
}

async fn ask(
    server: &Server,
    case: &Case,
    tables: &[String],
    is_shard: bool,
    format: RowFormat,
) -> Received {
    let text = if is_shard { &case.shard } else { &case.client };
    let texts: Vec<String> = tables.iter().map(|table| text.replace("{t}", table)).collect();
    let lanes_wanted = tables.len().min(2);
    let mut lents = lend(&groups(&vec![server.port; lanes_wanted], "weir", "weir")).await;
    let mut parts: Vec<Vec<_>> = (0..lanes_wanted).map(|_| Vec::new()).collect();
    for (target, sql) in texts.iter().enumerate() {
        let part = match format {
            RowFormat::Text => part(target, sql),
            RowFormat::Binary => prepared(target, sql),
        };
        // The first two shards have a connection each, the others share them in turn.
        parts[target % lanes_wanted].push(part);
    }
    let mut setup = Setup { format, ..Setup::default() };
    if is_shard {
        setup.gather = case.gather.clone();
        setup.window =
            case.window.map_or(Window::OPEN, |(offset, count)| Window::new(offset, count));
    }
    let mut lanes = lanes(&mut lents, parts, false);
    let (outcome, received) = gathered(&mut lanes, &setup).await;
    let summary = outcome.unwrap();
    assert_eq!(summary.error, None, "{texts:?}");
    drop(lanes);
    assert!(lents.iter().all(|lent| lent.is_in_step()), "{texts:?}");
    received
}

#[test]
fn merged_shards_are_what_one_table_is() {
    for server in support::shared_kinds() {
        let db = fill(server);
        let whole = [format!("{db}.whole")];
        let shards: Vec<String> = (0..SHARDS).map(|shard| format!("{db}.s{shard}")).collect();
        run(async {
            for case in cases(server.kind) {
                for format in [RowFormat::Text, RowFormat::Binary] {
                    let expected = ask(server, &case, &whole, false, format).await;
                    let merged = ask(server, &case, &shards, true, format).await;
                    assert_eq!(
                        merged.lines(),
                        expected.lines(),
                        "{} {format:?} on {server}",
                        case.shard
                    );
                    assert_eq!(merged.columns, expected.columns, "{} on {server}", case.shard);
                }
            }
        });
    }
}

#[test]
fn a_failed_write_leaves_nothing_in_a_transaction_and_outside_of_one() {
    for server in support::shared_kinds() {
        let db = server.database();
        for shard in 0..3 {
            server
                .execute(&format!("CREATE TABLE {db}.w{shard} (id INT PRIMARY KEY) ENGINE=InnoDB"));
        }
        server.execute(&format!("INSERT INTO {db}.w2 VALUES (5)"));
        let sql: Vec<String> =
            (0..3).map(|shard| format!("INSERT INTO {db}.w{shard} VALUES (4), (5)")).collect();
        let counts = || {
            let count = |shard| {
                server.query(&format!("SELECT COUNT(*) FROM {db}.w{shard}")).unwrap()[0][0].clone()
            };
            (0..3).map(count).collect::<Vec<_>>()
        };
        run(async {
            // Autocommit, three tables on two connections.
            let running = Running::default();
            let mut lents = lend(&groups(&[server.port; 2], "weir", "weir")).await;
            let parts = vec![vec![part(0, &sql[0]), part(1, &sql[1])], vec![part(2, &sql[2])]];
            let terms = WriteTerms {
                kind: WriteKind::Split,
                bracket: Bracket::Transaction,
                running: &running,
                returned: None,
            };
            let failed = write(&mut lanes(&mut lents, parts, false), &terms).await.unwrap_err();
            assert_eq!(failed.error.errno, 1062, "{server}");
            assert_eq!(counts(), ["0", "0", "1"], "{server}");
            // In the client's transaction on one connection: what went before stays.
            let lent = &mut lents[0];
            lent.simple(b"START TRANSACTION").await.unwrap();
            lent.simple(format!("INSERT INTO {db}.w0 VALUES (1)").as_bytes()).await.unwrap();
            let parts = vec![(0..3).map(|target| part(target, &sql[target])).collect()];
            let terms = WriteTerms { bracket: Bracket::Savepoint, ..terms };
            let failed = write(&mut lanes(&mut lents[..1], parts, true), &terms).await.unwrap_err();
            assert_eq!((failed.error.errno, failed.transaction_lost), (1062, false), "{server}");
            lents[0].simple(b"COMMIT").await.unwrap();
            assert_eq!(counts(), ["1", "0", "1"], "{server}");
            // And what succeeds is there.
            let parts = vec![vec![part(0, &sql[0]), part(1, &sql[1])]];
            let terms = WriteTerms { bracket: Bracket::Transaction, ..terms };
            let written = write(&mut lanes(&mut lents[..1], parts, false), &terms).await.unwrap();
            assert_eq!(written.affected_rows, 4);
            assert_eq!(counts(), ["3", "2", "1"], "{server}");
        });
    }
}

#[test]
fn a_lock_wait_is_stopped_when_another_shard_fails() {
    for server in support::shared_kinds() {
        let db = server.database();
        server.execute(&format!("CREATE TABLE {db}.l (id INT PRIMARY KEY, n INT) ENGINE=InnoDB"));
        server.execute(&format!("INSERT INTO {db}.l VALUES (1, 1)"));
        run(async {
            let mut lents = lend(&groups(&[server.port; 3], "weir", "weir")).await;
            let holder = &mut lents[2];
            holder.simple(b"START TRANSACTION").await.unwrap();
            holder.simple(format!("UPDATE {db}.l SET n = 2").as_bytes()).await.unwrap();
            let waits = format!("UPDATE {db}.l SET n = 3");
            let fails = format!("UPDATE {db}.missing SET n = 3");
            let running = Running::default();
            let terms = WriteTerms {
                kind: WriteKind::Split,
                bracket: Bracket::Savepoint,
                running: &running,
                returned: None,
            };
            for lent in &mut lents[..2] {
                lent.simple(b"START TRANSACTION").await.unwrap();
            }
            let parts = vec![vec![part(0, &waits)], vec![part(1, &fails)]];
            let start = std::time::Instant::now();
            let failed = write(&mut lanes(&mut lents[..2], parts, true), &terms).await.unwrap_err();
            assert_eq!((failed.error.errno, failed.transaction_lost), (1146, false), "{server}");
            assert!(
                start.elapsed() < std::time::Duration::from_secs(5),
                "{server}: {:?}",
                start.elapsed()
            );
            // The stopped one can be used on in its transaction.
            lents[0]
                .simple(format!("UPDATE {db}.l SET n = 4 WHERE id = 9").as_bytes())
                .await
                .unwrap();
            for lent in &mut lents {
                assert!(lent.is_in_step());
                lent.simple(b"ROLLBACK").await.unwrap();
            }
        });
    }
}
