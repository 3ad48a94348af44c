//! String keys and parameters of every type (trap 14): the rows that a prepared statement finds over
//! shards are those that one server finds, whatever types the same handle was bound with before.
//!
//! Owns: a table by a VARCHAR key, its plain twin, and the binary protocol. Never: how values compare
//! in detail (`values.rs`).

use weir::protocol::execute::{Parameter, ParameterType, ParameterValue, write_execute};
use weir::protocol::field::FieldType;
use weir::wire::stream::Stream;

use crate::commands::{ask, open, packet, prepare};
use crate::support::rig;
use crate::support::servers::Kind;
use crate::support::sql;

const CODES: &[&str] = &[
    "1",
    "01",
    "1.0",
    "1.5",
    "1.50",
    "0.1",
    "1e0",
    "1abc",
    "abc",
    "ABC",
    "",
    " 1",
    "1 ",
    "10",
    "9",
    "-1",
    "2024-01-01",
    "20240101",
    "2024-01-01 00:00:00",
    "2024-01-01 10:11:12",
    "10:11:12",
    "101112",
    "1.0e0",
    "12345678901234567890",
    "1234567890.1234567",
    "0",
    "0.10",
];

const DOUBLE: u8 = 5;
const FLOAT: u8 = 4;
const DECIMAL: u8 = 0xf6;
const VARCHAR: u8 = 0xfd;
const LONGLONG: u8 = 8;
const DATE: u8 = 10;
const DATETIME: u8 = 12;
const TIME: u8 = 11;

/// A type and the bytes of a value in the binary protocol, without their length.
fn bindings() -> Vec<(u8, Vec<u8>, &'static str)> {
    let doubles = [1.0f64, 1.5, 0.1, -1.0, 10.0, 20240101.0, 1234567890.1234567, 0.0];
    let mut all: Vec<(u8, Vec<u8>, &str)> =
        doubles.iter().map(|one| (DOUBLE, one.to_le_bytes().to_vec(), "double")).collect();
    all.extend([1.5f32, 0.1, 9.0].map(|one| (FLOAT, one.to_le_bytes().to_vec(), "float")));
    all.extend([1i64, 9, 0, 20240101].map(|one| (LONGLONG, one.to_le_bytes().to_vec(), "bigint")));
    let texts = ["1", "1.0", "1.50", "0.1", "12345678901234567890", "-1"];
    all.extend(texts.map(|one| (DECIMAL, one.as_bytes().to_vec(), "decimal")));
    let texts = ["1", "01", "abc", "ABC", "", "1 ", "2024-01-01", "nothing"];
    all.extend(texts.map(|one| (VARCHAR, one.as_bytes().to_vec(), "varchar")));
    all.push((DATE, vec![0xe8, 7, 1, 1], "date"));
    all.push((DATETIME, vec![0xe8, 7, 1, 1], "datetime"));
    all.push((DATETIME, vec![0xe8, 7, 1, 1, 10, 11, 12], "datetime"));
    all.push((TIME, vec![0, 0, 0, 0, 0, 10, 11, 12], "time"));
    all
}

fn parameter(kind: u8, bytes: &[u8]) -> Parameter<'_> {
    let kind_of = ParameterType { field_type: FieldType(kind), unsigned: false };
    Parameter { kind: kind_of, value: ParameterValue::Raw(bytes) }
}

/// The rows as packets, sorted, or the error's number.
async fn rows(stream: &mut Stream, statement: u32, parameters: &[Parameter<'_>]) -> Vec<String> {
    let first = ask(stream, |out| write_execute(statement, 0, parameters, out)).await;
    if first[0] == 0xff {
        return vec![format!("error {}", u16::from_le_bytes([first[1], first[2]]))];
    }
    if first[0] == 0 {
        return vec![format!("changed {}", first[1])];
    }
    for _ in 0..first[0] {
        packet(stream).await;
    }
    let mut found = Vec::new();
    loop {
        let row = packet(stream).await;
        match row[0] {
            0xfe if row.len() < 100 => break,
            0xff => return vec![row.escape_ascii().to_string()],
            _ => found.push(row.escape_ascii().to_string()),
        }
    }
    found.sort();
    found
}

const TABLE: &str = "(code VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL, \
     id INT NOT NULL, PRIMARY KEY (code, id))";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_by_a_string_key_are_one_servers_whatever_is_bound() {
    for rig in rig::shared_kinds() {
        let kind = rig.groups[0].primary.kind;
        let topology = std::fs::read_to_string(rig.rules.join("topology.yaml")).unwrap();
        let users = std::fs::read_to_string(rig.rules.join("users.yaml")).unwrap();
        let tables = "schemas:
  shop:
    default_group: g0
    databases: {g0: bound_0, g1: bound_1}
    tables:
      s:
        key: [{column: code, type: varchar(40), collation: utf8mb4_general_ci}]
        algorithm: {kind: hash}
        shards: {count: 8, databases: \"bound_{0}\", groups: [g0, g1], tables: \"s_{0}\"}
";
        let mut plain = vec!["CREATE DATABASE IF NOT EXISTS bound_plain".to_owned()];
        plain.push(format!("CREATE OR REPLACE TABLE bound_plain.s {TABLE}"));
        if kind == Kind::MySql {
            plain[1] = format!("CREATE TABLE bound_plain.s {TABLE}");
        }
        for (group, place) in rig.groups.iter().zip(0..) {
            group.primary.execute(&format!("CREATE DATABASE bound_{place}"));
            for shard in place * 4..place * 4 + 4 {
                group.primary.execute(&format!("CREATE TABLE bound_{place}.s_{shard} {TABLE}"));
            }
        }
        for statement in &plain {
            rig.groups[0].primary.execute(statement);
        }
        let files =
            [("topology.yaml", &*topology), ("users.yaml", &users), ("tables.yaml", tables)];
        let (proxy, _rules) = rig.ruled(&files).expect("another Weir");
        let all: Vec<String> =
            CODES.iter().enumerate().map(|(id, code)| format!("('{code}', {id})")).collect();
        let fill = format!("INSERT INTO s VALUES {}", all.join(", "));
        sql::execute(&proxy.url("shop"), &[&fill]).expect("rows");
        let server = &rig.groups[0].primary;
        server.execute(&format!(
            "INSERT INTO bound_plain.{}",
            fill.trim_start_matches("INSERT INTO ")
        ));
        let mut weir = open(proxy.port, "shop").await;
        let mut one = open(server.port, "root").await;
        let used = ask(&mut one, |out| {
            weir::protocol::command::write_text(
                weir::protocol::command::byte::INIT_DB,
                b"bound_plain",
                out,
            );
        });
        assert_eq!(used.await[0], 0);
        let mut wrong = Vec::new();
        let mut compared = 0;
        for text in [
            "SELECT id FROM s WHERE code = ?",
            "SELECT id FROM s WHERE code IN (?, '9')",
            "SELECT id FROM s WHERE code <= ?",
            "SELECT id FROM s WHERE code BETWEEN ? AND '2'",
            "SELECT id FROM s WHERE code <=> ? AND id < 100",
            "SELECT COUNT(*) FROM s WHERE code = ?",
            "UPDATE s SET id = id WHERE code = ?",
        ] {
            let reused = prepare(&mut weir, text.as_bytes()).await.expect(text).statement;
            for (kind_of, bytes, name) in bindings() {
                let bound = [parameter(kind_of, &bytes)];
                let fresh = prepare(&mut weir, text.as_bytes()).await.expect(text).statement;
                let plain = prepare(&mut one, text.as_bytes()).await.expect(text).statement;
                let expected = rows(&mut one, plain, &bound).await;
                for handle in [reused, fresh] {
                    let found = rows(&mut weir, handle, &bound).await;
                    compared += 1;
                    if found != expected {
                        wrong.push(format!(
                            "{kind}: {text} with {name} {}{}: {found:?}, one server {expected:?}",
                            bytes.escape_ascii(),
                            if handle == reused { " (reused)" } else { "" },
                        ));
                    }
                }
                for (stream, handle) in [(&mut weir, fresh), (&mut one, plain)] {
                    stream.reset_sequence();
                    stream.write_with(|out| {
                        weir::protocol::command::write_number(
                            weir::protocol::command::byte::STMT_CLOSE,
                            handle,
                            out,
                        );
                    });
                }
            }
        }
        // What is stored by a bound value lies where its stored text is looked for.
        let insert = "INSERT INTO s VALUES (?, 1000)";
        let delete = "DELETE FROM s WHERE id = 1000";
        for (kind_of, bytes, name) in bindings() {
            let bound = [parameter(kind_of, &bytes)];
            let handle = prepare(&mut weir, insert.as_bytes()).await.expect(insert).statement;
            let plain = prepare(&mut one, insert.as_bytes()).await.expect(insert).statement;
            let expected = rows(&mut one, plain, &bound).await;
            let told = rows(&mut weir, handle, &bound).await;
            let read = "SELECT code FROM s WHERE id = 1000";
            let stored = server.query(&read.replace(" s ", " bound_plain.s ")).expect("a row");
            let found = sql::query(&proxy.url("shop"), read).expect("a row");
            let code = stored.first().map(|row| row[0].clone()).unwrap_or_default();
            let by_key = sql::query(
                &proxy.url("shop"),
                &format!("SELECT code FROM s WHERE code = '{code}' AND id = 1000"),
            )
            .expect("an answer");
            let refused = told[0] == "error 1235";
            if !refused && (told != expected || stored != found || by_key != found) {
                wrong.push(format!(
                    "{kind}: {insert} with {name} {}: {told:?} {found:?} {by_key:?}, one server {expected:?} {stored:?}",
                    bytes.escape_ascii()
                ));
            }
            sql::execute(&proxy.url("shop"), &[delete]).expect("gone");
            server.execute(&delete.replace(" s ", " bound_plain.s "));
        }
        assert!(compared > 300, "{compared}");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
