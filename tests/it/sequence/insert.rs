//! INSERTs that leave their ids to a sequence, beside the same on one plain server that counts.
//!
//! What is compared: affected rows, the insert id of the answer and LAST_INSERT_ID(). Ids are named
//! by the row that has them, since the numbers differ.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Params, Row, Value};

use super::stage::Stage;
use crate::support::rig::shared_kinds;

/// What a statement's answer was, in words that don't depend on the numbers.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    outcome: Result<u64, u16>,
    insert_id: String,
    last_insert_id: String,
    /// line and quantity of the rows.
    rows: Vec<(u32, i32)>,
    /// Whether the ids of the generated rows ascend by one in the order of the lines.
    dense: bool,
}

struct Side {
    conn: Conn,
    order: u64,
}

impl Side {
    async fn open(url: &str, found_rows: bool) -> Side {
        let opts = Opts::from_url(&format!("{url}&client_found_rows={found_rows}")).unwrap();
        Side { conn: Conn::new(opts).await.unwrap(), order: 0 }
    }

    async fn run(&mut self, sql: &str, values: Option<&[Value]>) -> (Result<u64, u16>, u64) {
        let sql = sql.replace("$o", &self.order.to_string());
        let done = match values {
            None => self.conn.query_drop(&sql).await,
            Some(values) => self.conn.exec_drop(&sql, Params::Positional(values.to_vec())).await,
        };
        match done {
            Ok(()) => (Ok(self.conn.affected_rows()), self.conn.last_insert_id().unwrap_or(0)),
            Err(mysql_async::Error::Server(error)) => {
                eprintln!("{sql}: {error}");
                (Err(error.code), 0)
            }
            Err(error) => panic!("{sql}: {error}"),
        }
    }

    async fn answer(&mut self, case: &Case, prepared: bool) -> Answer {
        for sql in case.before {
            self.run(sql, None).await.0.unwrap_or_else(|code| panic!("{sql}: {code}"));
        }
        let values: Option<Vec<Value>> = prepared.then(|| case.values.to_vec());
        let sql = match prepared {
            true => case.sql.to_owned(),
            false => inlined(case.sql, case.values),
        };
        let (outcome, insert_id) = self.run(&sql, values.as_deref()).await;
        let last: Option<u64> = self.conn.query_first("SELECT LAST_INSERT_ID()").await.unwrap();
        self.conn.query_drop("SET SESSION sql_mode = DEFAULT").await.unwrap();
        let order = self.order;
        let sql = format!(
            "SELECT id, line, quantity FROM order_items WHERE user_id = 7 AND order_id = {order} ORDER BY line"
        );
        let found: Vec<(i64, u32, i32)> = self.conn.query(sql).await.unwrap();
        // Given ids are negative, so that the plain server's counter doesn't follow them.
        let name = |id: u64| match found.iter().find(|(own, ..)| *own == id as i64) {
            _ if (id as i64) < 10 => (id as i64).to_string(),
            Some((_, line, _)) => format!("of line {line}"),
            None => "unknown".to_owned(),
        };
        // Line 1 is that of the statement before, where there is one.
        let ids = found.iter().filter(|(_, line, _)| case.before.is_empty() || *line > 1);
        let made: Vec<i64> = ids.map(|(id, ..)| *id).filter(|id| *id > 0).collect();
        Answer {
            outcome,
            insert_id: name(insert_id),
            // MySQL's manual calls it undefined after an error.
            last_insert_id: if outcome.is_ok() {
                name(last.unwrap())
            } else {
                "undefined".to_owned()
            },
            dense: case.before.len() > 1 || made.windows(2).all(|pair| pair[1] == pair[0] + 1),
            rows: found.iter().map(|(_, line, quantity)| (*line, *quantity)).collect(),
        }
    }
}

/// `?` replaced by literals.
fn inlined(sql: &str, values: &[Value]) -> String {
    let mut values = values.iter();
    let mut out = String::new();
    for (place, part) in sql.split('?').enumerate() {
        if place > 0 {
            out += &values.next().unwrap().as_sql(false);
        }
        out += part;
    }
    out
}

struct Case {
    before: &'static [&'static str],
    sql: &'static str,
    values: &'static [Value],
}

const fn case(
    before: &'static [&'static str],
    sql: &'static str,
    values: &'static [Value],
) -> Case {
    Case { before, sql, values }
}

/// LAST_INSERT_ID() is 3 before each.
const THREE: &str = "DO 0";
const ONE: &str = "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 1, 7, 1, 1, 1)";

const TWO: &str = "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 2, 7, 1, 1, 1)";
const THIRD: &str = "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 3, 7, 1, 1, 1)";

#[rustfmt::skip]
const CASES: &[Case] = &[
    case(&[], "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, ?, 7, 1, 1, 1)", &[Value::Int(1)]),
    case(&[], "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 1, 7, 1, 1, 1), ($o, ?, 7, 1, 1, 1), ($o, 3, 7, 1, ?, 1)", &[Value::Int(2), Value::Int(5)]),
    case(&[], "INSERT INTO order_items VALUES (NULL, $o, 1, 7, 1, 1, 1), (?, $o, 2, 7, 1, 1, 1), (DEFAULT, $o, 3, 7, 1, 1, 1), (0, $o, 4, 7, 1, 1, 1)", &[Value::NULL]),
    case(&[], "INSERT INTO order_items VALUES (?, $o, 1, 7, 1, 1, 1), (?, $o, 2, 7, 1, 1, 1)", &[Value::Int(0), Value::NULL]),
    case(&[], "INSERT INTO order_items VALUES (?, $o, 1, 7, 1, 1, 1)", &[Value::Double(0.4)]),
    case(&[], "INSERT INTO order_items SET order_id = $o, line = ?, user_id = 7, item_id = 1, quantity = 1, price = 1", &[Value::Int(1)]),
    case(&[], "INSERT INTO order_items SET id = ?, order_id = $o, line = 1, user_id = 7, item_id = 1, quantity = 1, price = 1", &[Value::NULL]),
    case(&[], "INSERT INTO order_items SET order_id = $o, line = 1, user_id = 7, item_id = 1, id = DEFAULT, quantity = 1, price = 1", &[]),
    case(&[ONE], "REPLACE INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 1, 7, 1, ?, 1)", &[Value::Int(9)]),
    case(&[ONE], "REPLACE INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 2, 7, 1, ?, 1), ($o, 3, 7, 1, 1, 1)", &[Value::Int(9)]),
    case(&[ONE], "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 1, 7, 1, ?, 1)", &[Value::Int(9)]),
    case(&[ONE], "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 1, 7, 1, ?, 1) ON DUPLICATE KEY UPDATE quantity = VALUES(quantity)", &[Value::Int(9)]),
    case(&[ONE], "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 1, 7, 1, ?, 1) ON DUPLICATE KEY UPDATE quantity = 1", &[Value::Int(9)]),
    case(&[ONE], "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 2, 7, 1, ?, 1) ON DUPLICATE KEY UPDATE quantity = 1", &[Value::Int(9)]),
    case(&[ONE], "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 1, 7, 1, ?, 1) ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id), quantity = 4", &[Value::Int(9)]),
    case(&[ONE], "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 2, 7, 1, ?, 1) ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id), quantity = 4", &[Value::Int(9)]),
    case(&[ONE], "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 2, 7, 1, ?, 1), ($o, 3, 7, 1, 1, 1) ON DUPLICATE KEY UPDATE quantity = 6", &[Value::Int(9)]),
    case(&[ONE], "INSERT IGNORE INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 1, 7, 1, ?, 1)", &[Value::Int(9)]),
    case(&[ONE], "INSERT IGNORE INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 2, 7, 1, ?, 1), ($o, 3, 7, 1, 1, 1)", &[Value::Int(9)]),
    // Rows that are there already: none changes, and both do.
    case(&[ONE, TWO], "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 1, 7, 1, 9, 1), ($o, 2, 7, 1, 9, 1) ON DUPLICATE KEY UPDATE quantity = ?", &[Value::Int(1)]),
    case(&[ONE, TWO], "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 1, 7, 1, 9, 1), ($o, 2, 7, 1, 9, 1) ON DUPLICATE KEY UPDATE quantity = ?", &[Value::Int(8)]),
    // Given ids: the answer names the last row's, LAST_INSERT_ID() stays.
    case(&[ONE], "INSERT INTO order_items (id, order_id, line, user_id, item_id, quantity, price) VALUES (-$o, $o, 2, 7, 1, ?, 1)", &[Value::Int(9)]),
    case(&[ONE], "INSERT INTO order_items (id, order_id, line, user_id, item_id, quantity, price) VALUES (-1$o, $o, 2, 7, 1, ?, 1), (-2$o, $o, 3, 7, 1, 1, 1)", &[Value::Int(9)]),
    case(&["SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'", "DELETE FROM order_items WHERE id = 0 AND user_id = 7", ONE], "INSERT INTO order_items (id, order_id, line, user_id, item_id, quantity, price) VALUES (NULL, $o, 2, 7, 1, ?, 1)", &[Value::Int(9)]),
    // Nothing of it is left where a row fails.
    case(&[ONE], "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 2, 7, 1, ?, 1), ($o, 1, 7, 1, 1, 1)", &[Value::Int(9)]),
    case(&[ONE], "INSERT INTO order_items (order_id, line, user_id, item_id, quantity) VALUES ($o, 2, 7, 1, ?, 1)", &[Value::Int(9)]),
];

/// Rows that are there already, some of which change. With CLIENT_FOUND_ROWS a server's answer is the
/// same for those that it leaves as they are and for new ones.
#[rustfmt::skip]
const MIXED: &[Case] = &[
    case(&[ONE, TWO], "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 1, 7, 1, ?, 1), ($o, 2, 7, 1, 1, 1) ON DUPLICATE KEY UPDATE quantity = VALUES(quantity)", &[Value::Int(8)]),
    case(&[ONE, TWO], "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 2, 7, 1, 1, 1), ($o, 1, 7, 1, ?, 1) ON DUPLICATE KEY UPDATE quantity = VALUES(quantity)", &[Value::Int(8)]),
    case(&[ONE, TWO, THIRD], "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 1, 7, 1, ?, 1), ($o, 2, 7, 1, 1, 1), ($o, 3, 7, 1, 1, 1) ON DUPLICATE KEY UPDATE quantity = VALUES(quantity)", &[Value::Int(8)]),
    case(&[ONE, TWO, THIRD], "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 1, 7, 1, 1, 1), ($o, 2, 7, 1, 1, 1), ($o, 3, 7, 1, ?, 1) ON DUPLICATE KEY UPDATE quantity = VALUES(quantity)", &[Value::Int(1)]),
    // And one that isn't, where it is the first.
    case(&[ONE, TWO], "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 3, 7, 1, ?, 1), ($o, 2, 7, 1, 4, 1) ON DUPLICATE KEY UPDATE quantity = VALUES(quantity)", &[Value::Int(8)]),
    case(&[ONE, TWO], "INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES ($o, 3, 7, 1, ?, 1), ($o, 2, 7, 1, 1, 1) ON DUPLICATE KEY UPDATE quantity = VALUES(quantity)", &[Value::Int(8)]),
];

async fn compare(stage: &Stage) {
    let mut order = 7_000_000;
    let mut different = Vec::new();
    for found_rows in [false, true] {
        let mut weir = Side::open(&stage.url(), found_rows).await;
        let mut plain = Side::open(&stage.plain_url(), found_rows).await;
        let mixed = if found_rows { &[] } else { MIXED };
        for case in CASES.iter().chain(mixed) {
            for prepared in [false, true] {
                order += 1;
                (weir.order, plain.order) = (order, order);
                // Both begin with the same LAST_INSERT_ID().
                for side in [&mut weir, &mut plain] {
                    side.run(THREE, None).await.0.unwrap();
                    side.conn.query_drop("SELECT LAST_INSERT_ID(3)").await.unwrap();
                }
                let got = weir.answer(case, prepared).await;
                let expected = plain.answer(case, prepared).await;
                if got != expected {
                    let sql = case.sql;
                    different.push(format!(
                        "prepared {prepared}, found rows {found_rows}: {sql}\n  {got:?}\n  {expected:?}"
                    ));
                }
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[tokio::test]
async fn answers_are_those_of_auto_increment() {
    for rig in shared_kinds() {
        compare(&Stage::on(rig, 1)).await;
    }
}

/// The sequence fills the shard key: the id decides where the row goes.
#[tokio::test]
async fn a_filled_shard_key_leads_its_row() {
    for rig in shared_kinds() {
        let stage = Stage::on(rig, 1);
        let mut conn = Conn::new(Opts::from_url(&stage.url()).unwrap()).await.unwrap();
        let columns = "(name, email, region_id, registered_at)";
        let row = "('seq', 'a@b', 1, '2024-01-01')";
        conn.query_drop(format!("INSERT INTO users {columns} VALUES {row}")).await.unwrap();
        let first = conn.last_insert_id().unwrap();
        assert!(first >= 1_000_000, "the declared start: {first}");
        conn.exec_drop(
            format!("INSERT INTO users {columns} VALUES (?, 'a@b', 1, '2024-01-01')"),
            ("seq",),
        )
        .await
        .unwrap();
        let second = conn.last_insert_id().unwrap();
        // Over all shards, in one statement.
        let rows = vec![row; 40].join(", ");
        let hint = "/*+ weir: scatter_ok */";
        conn.query_drop(format!("INSERT {hint} INTO users {columns} VALUES {rows}")).await.unwrap();
        assert_eq!(conn.affected_rows(), 40);
        let third = conn.last_insert_id().unwrap();
        let last: Option<u64> = conn.query_first("SELECT LAST_INSERT_ID()").await.unwrap();
        assert_eq!(last, Some(third));
        let ids = (third..third + 40).chain([first, second]);
        for id in ids {
            let sql = format!("SELECT name FROM users WHERE user_id = {id}");
            let name: Option<String> = conn.query_first(sql).await.unwrap();
            assert_eq!(name.as_deref(), Some("seq"), "user {id} is found by its id");
        }
        conn.query_drop("DELETE /*+ weir: scatter_ok */ FROM users WHERE name = 'seq'")
            .await
            .unwrap();
        assert_eq!(conn.affected_rows(), 42);
    }
}

/// What Connector/J and others compute: the first id and those behind it, in the order of the rows.
#[tokio::test]
async fn a_batch_has_consecutive_ids_in_the_order_of_its_rows() {
    for rig in shared_kinds() {
        let stage = Stage::on(rig, 1);
        let mut conn = Conn::new(Opts::from_url(&stage.url()).unwrap()).await.unwrap();
        let rows: Vec<String> =
            (1..=500).map(|line| format!("(8000000, {line}, {}, 1, 1, 1)", line % 50)).collect();
        conn.query_drop(format!(
            "INSERT /*+ weir: scatter_ok */ INTO order_items (order_id, line, user_id, item_id, \
             quantity, price) VALUES {}",
            rows.join(", ")
        ))
        .await
        .unwrap();
        let first = conn.last_insert_id().unwrap();
        let sql = "SELECT id, line FROM order_items WHERE order_id = 8000000 ORDER BY line";
        let found: Vec<(u64, u64)> = conn.query(sql).await.unwrap();
        assert_eq!(found.len(), 500);
        for (id, line) in found {
            assert_eq!(id, first + line - 1, "line {line}");
        }
        let sql = "DELETE /*+ weir: scatter_ok */ FROM order_items WHERE order_id = 8000000";
        conn.query_drop(sql).await.unwrap();
        let shown: Vec<Row> =
            conn.query("EXPLAIN ROUTE INSERT INTO order_items (order_id, line, user_id, item_id, quantity, price) VALUES (1, 1, 5, 1, 1, 1)").await.unwrap();
        let shown: Vec<String> = shown.into_iter().map(mysql_async::from_row).collect();
        assert_eq!(shown[0], "Fill 1 of shop.order_items into id");
        assert!(shown[2].contains("shard 5: INSERT INTO `order_items_5`"), "{shown:?}");
    }
}

/// Each copy would count for itself.
#[tokio::test]
async fn copies_of_a_broadcast_table_get_the_same_ids() {
    for rig in shared_kinds() {
        let stage = Stage::on(rig, 1);
        let mut conn = Conn::new(Opts::from_url(&stage.url()).unwrap()).await.unwrap();
        conn.query_drop("INSERT INTO taxes (name) VALUES ('a'), ('b')").await.unwrap();
        let first = conn.last_insert_id().unwrap();
        assert!(first >= 500);
        conn.exec_drop("INSERT INTO taxes VALUES (?, ?)", (Value::NULL, "c")).await.unwrap();
        conn.query_drop("BEGIN").await.unwrap();
        conn.query_drop("INSERT INTO taxes SET name = 'd'").await.unwrap();
        conn.query_drop("ROLLBACK").await.unwrap();
        let copies: Vec<_> = stage
            .taxes
            .iter()
            .zip(&rig.groups)
            .map(|(table, group)| {
                group.primary.query(&format!("SELECT id, name FROM {table} ORDER BY id")).unwrap()
            })
            .collect();
        assert_eq!(copies[0], copies[1]);
        let names: Vec<&str> = copies[0].iter().map(|row| row[1].as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(copies[0][0][0], first.to_string());
        assert_eq!(copies[0][1][0], (first + 1).to_string());
    }
}

#[tokio::test]
async fn numbers_come_without_a_row() {
    for rig in shared_kinds() {
        let stage = Stage::on(rig, 1);
        let mut conn = Conn::new(Opts::from_url(&stage.url()).unwrap()).await.unwrap();
        let one: Option<u64> = conn.query_first("SELECT NEXT VALUE FOR order_items").await.unwrap();
        let two: Option<u64> = conn.query_first("SELECT shop.order_items.nextval").await.unwrap();
        assert!(one.unwrap() < two.unwrap());
        let sql = "SELECT NEXTVAL(tax) AS n FROM dual WHERE count = ?";
        let many: Vec<u64> = conn.exec(sql, (25,)).await.unwrap();
        assert_eq!(many.len(), 25);
        assert!(many.windows(2).all(|pair| pair[1] == pair[0] + 1));
        let row: Row = conn.exec_first(sql, (1,)).await.unwrap().unwrap();
        assert_eq!(row.columns_ref()[0].name_str(), "n");
        // More than a range: in several runs.
        let sql = "SELECT tax.NEXTVAL FROM dual WHERE count = 2500";
        let many: std::collections::HashSet<u64> =
            conn.query(sql).await.unwrap().into_iter().collect();
        assert_eq!(many.len(), 2500);
        for (sql, code) in [
            ("SELECT tax.NEXTVAL FROM dual WHERE count = 100001", 1235),
            ("SELECT tax.NEXTVAL FROM dual WHERE count = 'x'", 1210),
        ] {
            match conn.query_drop(sql).await {
                Err(mysql_async::Error::Server(error)) => {
                    assert_eq!(error.code, code, "{sql}: {error}")
                }
                other => panic!("{sql}: {other:?}"),
            }
        }
        // A statement's rows have ids that follow each other: a range is the most.
        let rows = vec!["('x')"; 1001].join(",");
        match conn.query_drop(format!("INSERT INTO taxes (name) VALUES {rows}")).await {
            Err(mysql_async::Error::Server(error)) => {
                assert!(error.message.contains("a larger 'step'"), "{error}");
            }
            other => panic!("{other:?}"),
        }
        // The first range of one that nobody has used yet is fetched in the background.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let shown = loop {
            let shown = stage.proxies[0].admin("SHOW SEQUENCES").unwrap();
            let served = shown.iter().all(|row| row[3] == "yes");
            if served || std::time::Instant::now() > deadline {
                assert!(served, "{shown:?}");
                break shown;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        };
        let names: Vec<&str> = shown.iter().map(|row| row[1].as_str()).collect();
        assert_eq!(names, ["order_items", "tax", "users"]);
    }
}
