//! The workbench against real servers: values that travel, transactions, locks, bounds, and what it
//! leaves behind.
//!
//! Owns: what the differential's statements don't show. Never: asks for shapes one by one
//! (`tests/data/sql/workbench.sql` does).

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Row, Value};

use crate::support::rig::{self, Rig};
use crate::support::servers::Kind;
use crate::support::sql::{self, blocking};

/// What makes any statement one for the workbench.
const ACROSS: &str = "(SELECT count(DISTINCT status) AS c FROM orders) x";

pub async fn connect(url: &str) -> Conn {
    Conn::new(Opts::from_url(url).expect("a URL")).await.expect("a connection")
}

pub fn code(error: &mysql_async::Error) -> (u16, String) {
    match error {
        mysql_async::Error::Server(error) => (error.code, error.message.clone()),
        other => panic!("not a server's error: {other}"),
    }
}

/// Every kind of column with its extremes.
pub fn kinds(kind: Kind) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut all = vec![
        ("tinyint", vec!["-128", "127", "0"]),
        ("tinyint unsigned zerofill", vec!["255", "0", "7"]),
        ("bigint", vec!["-9223372036854775808", "9223372036854775807", "0"]),
        ("bigint unsigned", vec!["18446744073709551615", "0", "1"]),
        (
            "decimal(65,30)",
            vec![
                "-99999999999999999999999999999999999.999999999999999999999999999999",
                "0.000000000000000000000000000001",
                "0",
            ],
        ),
        ("float", vec!["1234567.9", "-3.4028234e38", "1.17549435e-38"]),
        ("float(7,4)", vec!["123.4567", "-999.9999", "0.1"]),
        ("double", vec!["1.7976931348623157e308", "-2.2250738585072014e-308", "0.1"]),
        ("double(10,2)", vec!["12345678.91", "-0.01", "0"]),
        ("bit(1)", vec!["b'1'", "b'0'", "b'1'"]),
        ("bit(64)", vec!["x'FFFFFFFFFFFFFFFF'", "x'8000000000000027'", "0"]),
        ("year", vec!["1901", "2155", "0"]),
        ("date", vec!["'0000-00-00'", "'9999-12-31'", "'2023-02-31'"]),
        ("time(6)", vec!["'-838:59:59.000000'", "'838:59:59'", "'00:00:00.000001'"]),
        ("datetime(6)", vec!["'0000-00-00'", "'9999-12-31 23:59:59.999999'", "'1000-01-01'"]),
        (
            "timestamp(6) NULL",
            vec!["'0000-00-00'", "'2024-10-27 02:30:00.5'", "'1970-01-02 03:04:05'"],
        ),
        ("char(5)", vec!["'a '", "''", "'été'"]),
        ("varchar(20) CHARACTER SET latin1", vec!["'naïve '", "'ÿ'", "'\\'\\\\'"]),
        (
            "varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            vec!["'😀 x  '", "'\\0a'", "'%\\n'"],
        ),
        ("varchar(20) CHARACTER SET gbk", vec!["'中文'", "'\\\\'", "'a'"]),
        ("text CHARACTER SET ucs2", vec!["'中a'", "''", "'Ω '"]),
        ("varchar(9) CHARACTER SET utf16", vec!["'😀'", "'a'", "' '"]),
        ("tinytext", vec!["repeat('x', 255)", "''", "'tiny '"]),
        ("mediumtext", vec!["repeat('é', 70000)", "''", "'m'"]),
        ("binary(4)", vec!["x'00270000'", "x'FF'", "''"]),
        ("varbinary(8)", vec!["x'005C27FF'", "''", "x'20'"]),
        ("longblob", vec!["repeat(x'00FF275C', 300000)", "''", "x'00'"]),
        ("enum('a','b,c','d''e','')", vec!["'d''e'", "''", "'nosuch'"]),
        ("set('a','b','c d')", vec!["'a,c d'", "''", "'b'"]),
        (
            "json",
            vec!["'{\"a\": [1, 2.50, \"x\\\\\"y\", null, true]}'", "'\"\\\\\\\\ \\'\"'", "'[]'"],
        ),
        (
            "point",
            vec!["ST_GeomFromText('POINT(1 -2.5)')", "ST_GeomFromText('POINT(0 0)')", "NULL"],
        ),
        (
            "geometry",
            vec![
                "ST_GeomFromText('LINESTRING(0 0,1 1,2 5)')",
                "NULL",
                "ST_GeomFromText('POINT(3 4)', 4326)",
            ],
        ),
    ];
    if kind == Kind::MariaDb {
        all.push((
            "uuid",
            vec![
                "'123e4567-e89b-12d3-a456-426655440000'",
                "NULL",
                "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
            ],
        ));
        all.push(("inet6", vec!["'2001:db8::ff00:42:8329'", "'::'", "NULL"]));
    } else {
        all.push((
            "vector(3)",
            vec!["STRING_TO_VECTOR('[1,2.5,-3]')", "NULL", "STRING_TO_VECTOR('[0,0,0]')"],
        ));
    }
    all
}

/// The statements that make a table of all kinds, each column also as NULL.
pub fn table_of_kinds(kind: Kind, name: &str) -> Vec<String> {
    let kinds = kinds(kind);
    let columns: Vec<String> =
        kinds.iter().enumerate().map(|(place, (text, _))| format!("c{place} {text}")).collect();
    let mut all = vec![
        "SET sql_mode = 'ALLOW_INVALID_DATES'".to_owned(),
        "SET time_zone = '+00:00', NAMES utf8mb4".to_owned(),
        format!("DROP TABLE IF EXISTS {name}"),
        format!(
            "CREATE TABLE {name} (id int NOT NULL PRIMARY KEY, {}, \
             twice bigint AS (id * 2) VIRTUAL, thrice bigint AS (id * 3) STORED, \
             later timestamp NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, \
             KEY (c12), UNIQUE KEY u (c2, id)) DEFAULT CHARSET = utf8mb4",
            columns.join(", "),
        ),
        format!("INSERT INTO {name} (id, later) VALUES (0, '2024-01-01')"),
    ];
    for row in 0..3 {
        let values: Vec<&str> = kinds.iter().map(|(_, values)| values[row]).collect();
        let names: Vec<String> = (0..kinds.len()).map(|place| format!("c{place}")).collect();
        all.push(format!(
            "INSERT INTO {name} (id, {}, later) VALUES ({}, {}, '2001-02-03 04:05:06')",
            names.join(", "),
            row + 1,
            values.join(", "),
        ));
    }
    all
}

pub async fn asked(conn: &mut Conn, sql: &str, prepared: bool) -> (Vec<String>, Vec<Vec<Value>>) {
    let described = |columns: &[mysql_async::Column]| {
        let one = |column: &mysql_async::Column| {
            format!(
                "{} {}.{} {:?} {} {:?} {} {}",
                column.schema_str(),
                column.org_table_str(),
                column.name_str(),
                column.column_type(),
                column.column_length(),
                column.flags(),
                column.character_set(),
                column.decimals(),
            )
        };
        columns.iter().map(one).collect::<Vec<_>>()
    };
    let rows = |rows: Vec<Row>| rows.into_iter().map(Row::unwrap).collect();
    if prepared {
        let mut result = conn.exec_iter(sql, ()).await.unwrap_or_else(|e| panic!("{e} in {sql}"));
        (described(result.columns_ref()), rows(result.collect().await.expect("rows")))
    } else {
        let mut result = conn.query_iter(sql).await.unwrap_or_else(|e| panic!("{e} in {sql}"));
        (described(result.columns_ref()), rows(result.collect().await.expect("rows")))
    }
}

#[test]
fn no_value_changes_on_its_way() {
    for rig in rig::shared_kinds() {
        let kind = rig.groups[0].primary.kind;
        let url = rig.groups[0].primary.url("root");
        for database in ["shop", "shop_0000"] {
            let statements = table_of_kinds(kind, &format!("{database}.kinds"));
            let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
            sql::execute(&url, &statements).expect("a table of all kinds");
        }
        let plain_url = rig.plain_url();
        blocking(&rig.url(), async move |weir| {
            let mut plain = connect(&plain_url).await;
            for zone in ["+00:00", "-07:00"] {
                for conn in [&mut *weir, &mut plain] {
                    conn.query_drop(format!("SET time_zone = '{zone}'")).await.expect("a zone");
                }
                let sql = format!("SELECT k.*, x.c FROM kinds k JOIN {ACROSS} ORDER BY k.id");
                for prepared in [false, true] {
                    let expected = asked(&mut plain, &sql, prepared).await;
                    let found = asked(weir, &sql, prepared).await;
                    assert_eq!(found.0, expected.0, "{kind} prepared {prepared}");
                    for (row, (found, expected)) in found.1.iter().zip(&expected.1).enumerate() {
                        for (column, (found, expected)) in found.iter().zip(expected).enumerate() {
                            assert!(found == expected, "{kind} {zone} prepared {prepared} row {row} \
                                 column {column}: {found:?} for {expected:?}");
                        }
                    }
                }
                let sum = "SELECT sum(crc32(concat_ws('|', id, c0, c5, c7, hex(c8), c27 + 0, c28 + 0, \
                           hex(c24), ST_AsText(c30)))), max(x.c) FROM kinds k JOIN ";
                let sum = format!("{sum}{ACROSS} WHERE k.id > 0");
                assert_eq!(asked(weir, &sum, false).await.1, asked(&mut plain, &sum, false).await.1);
            }
            let _ = plain.disconnect().await;
            Ok(())
        })
        .expect("both can be asked");
    }
}

#[test]
fn a_transaction_sees_its_own_rows_and_goes_on() {
    for rig in rig::shared_kinds() {
        blocking(&rig.url(), async |conn| {
            let count = "SELECT count(DISTINCT u.name), count(DISTINCT o.note) FROM users u \
                         JOIN orders o ON o.region_id = u.region_id + 5000 WHERE u.user_id > 930000";
            let fails = |error: mysql_async::Error| error.to_string();
            conn.query_drop("BEGIN").await.map_err(fails)?;
            for (user, order) in [(930_001, 930_002), (930_009, 930_010)] {
                conn.query_drop(format!(
                    "INSERT INTO users (user_id, name, email, region_id, registered_at) VALUES \
                     ({user}, 'n{user}', 'x', 7, '2024-01-01')"
                ))
                .await
                .map_err(fails)?;
                conn.query_drop(format!(
                    "INSERT INTO orders (order_id, user_id, region_id, total, created_at, note) VALUES \
                     ({order}, {order}, 5007, 1, '2024-01-01', 'o{order}')"
                ))
                .await
                .map_err(fails)?;
            }
            for _ in 0..2 {
                let found: Option<(u64, u64)> = conn.query_first(count).await.map_err(fails)?;
                assert_eq!(found, Some((2, 2)), "its own rows");
                let sql = format!("{count} AND o.total < ?");
                let found: Option<(u64, u64)> = conn.exec_first(sql, (5,)).await.map_err(fails)?;
                assert_eq!(found, Some((2, 2)), "prepared");
            }
            let mut other = connect(&rig.url()).await;
            let found: Option<(u64, u64)> = other.query_first(count).await.map_err(fails)?;
            assert_eq!(found, Some((0, 0)), "nobody else's");
            // One server would refuse the key; over shards nobody checks it, and nothing breaks.
            conn.query_drop(
                "INSERT INTO orders (order_id, user_id, region_id, total, created_at, note) VALUES \
                 (930002, 930010, 5007, 1, '2024-01-01', 'again')",
            )
            .await
            .map_err(fails)?;
            let found: Option<(u64, u64)> = conn.query_first(count).await.map_err(fails)?;
            assert_eq!(found, Some((2, 3)), "equal keys of two shards");
            conn.query_drop("ROLLBACK").await.map_err(fails)?;
            let found: Option<(u64, u64)> = conn.query_first(count).await.map_err(fails)?;
            assert_eq!(found, Some((0, 0)), "rolled back");
            conn.query_drop("SET autocommit = 0").await.map_err(fails)?;
            let found: Option<(u64, u64)> = conn.query_first(count).await.map_err(fails)?;
            assert_eq!(found, Some((0, 0)));
            conn.query_drop("COMMIT").await.map_err(fails)?;
            let _ = other.disconnect().await;
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn locking_clauses_lock_the_gathered_rows() {
    for rig in rig::shared_kinds() {
        blocking(&rig.url(), async |conn| {
            let fails = |error: mysql_async::Error| error.to_string();
            let sql = "SELECT u.user_id, i.item_id FROM users u JOIN items i ON i.item_id = u.user_id \
                       WHERE u.user_id = 77 AND i.item_id = 77 FOR UPDATE";
            conn.query_drop("BEGIN").await.map_err(fails)?;
            let found: Vec<(u64, u64)> = conn.query(sql).await.map_err(fails)?;
            assert_eq!(found, [(77, 77)]);
            let mut other = connect(&rig.url()).await;
            other.query_drop("SET SESSION innodb_lock_wait_timeout = 1").await.map_err(fails)?;
            for table in ["users SET level = level WHERE user_id", "items SET price = price WHERE item_id"] {
                let update = format!("UPDATE {table} = 77");
                let error = other.query_drop(&update).await.expect_err("it is locked");
                assert_eq!(code(&error).0, 1205, "{update}");
            }
            conn.query_drop("ROLLBACK").await.map_err(fails)?;
            other.query_drop("UPDATE users SET level = level WHERE user_id = 77").await.map_err(fails)?;
            let _ = other.disconnect().await;
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn a_bound_is_an_error_that_says_what_would_help_and_leaves_nothing() {
    for rig in rig::shared_kinds() {
        let settings = [("limits", "workbench_rows: 150".to_owned())];
        let (proxy, _rules) = rig.another(&settings).expect("another Weir");
        let url = proxy.url("shop");
        blocking(&url, async |conn| {
            let fails = |error: mysql_async::Error| error.to_string();
            for _ in 0..3 {
                let error = conn
                    .query_drop("SELECT count(DISTINCT status) FROM orders")
                    .await
                    .expect_err("400 orders are more than 150");
                let (errno, message) = code(&error);
                assert_eq!(errno, 1104, "{message}");
                for word in
                    ["'orders'", "150 rows", "limits.workbench_rows", "[weir:workbench_limit]"]
                {
                    assert!(message.contains(word), "{message}");
                }
                let few = "SELECT count(DISTINCT status) FROM orders WHERE order_id < 100";
                let found: Option<u64> = conn.query_first(few).await.map_err(fails)?;
                assert!(found.is_some());
            }
            conn.query_drop("BEGIN").await.map_err(fails)?;
            conn.query_drop("UPDATE users SET score = score WHERE user_id IN (1, 9)")
                .await
                .map_err(fails)?;
            let sql = "SELECT count(DISTINCT status) FROM orders";
            let error = conn.query_drop(sql).await.expect_err("too many");
            assert_eq!(code(&error).0, 1104);
            conn.query_drop("UPDATE users SET score = score WHERE user_id = 2")
                .await
                .map_err(fails)?;
            conn.query_drop("ROLLBACK").await.map_err(fails)
        })
        .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(left_over(rig), 0, "temporary tables are left");
    }
}

/// How many temporary tables of the workbench stand on the primaries, where a server tells.
pub fn left_over(rig: &Rig) -> usize {
    let is_mysql = rig.groups[0].primary.kind == Kind::MySql;
    let ask = "SELECT COUNT(*) FROM information_schema.INNODB_TEMP_TABLE_INFO";
    let count = |group: &rig::Group| -> usize {
        // Answers under way elsewhere in this binary may have some for a moment.
        (0..100)
            .map(|_| {
                std::thread::sleep(std::time::Duration::from_millis(30));
                let found = sql::query(&group.primary.url("root"), ask).expect("a count");
                found[0][0].parse::<usize>().expect("a number")
            })
            .min()
            .unwrap_or_default()
    };
    if is_mysql { rig.groups.iter().map(count).sum() } else { 0 }
}

#[test]
fn a_killed_statement_and_a_lost_client_leave_nothing() {
    for rig in rig::shared_kinds() {
        let slow = "SELECT count(DISTINCT u.level), sum(sleep(0.02)) FROM users u JOIN items i \
                    ON i.price < u.balance + 1e9";
        blocking(&rig.url(), async |conn| {
            let fails = |error: mysql_async::Error| error.to_string();
            let id: u64 = conn.query_first("SELECT connection_id()").await.map_err(fails)?.unwrap();
            let mut killer = connect(&rig.url()).await;
            let killed = async {
                tokio::time::sleep(std::time::Duration::from_millis(700)).await;
                killer.query_drop(format!("KILL QUERY {id}")).await
            };
            let (outcome, kill) = tokio::join!(conn.query_drop(slow), killed);
            kill.map_err(fails)?;
            match outcome {
                Err(error) => assert_eq!(code(&error).0, 1317),
                // Sleeping servers answer 1 and go on to the end where they were woken.
                Ok(()) => panic!("it was not stopped"),
            }
            let found: Option<u64> =
                conn.query_first("SELECT count(DISTINCT level) FROM users").await.map_err(fails)?;
            assert_eq!(found, Some(4), "the session goes on");
            let lost = connect(&rig.url()).await;
            let gone = async move {
                let mut lost = lost;
                let _ = tokio::time::timeout(
                    std::time::Duration::from_millis(500),
                    lost.query_drop(slow),
                )
                .await;
                drop(lost);
            };
            gone.await;
            let _ = killer.disconnect().await;
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(left_over(rig), 0, "temporary tables are left");
    }
}

/// Two single tables of two groups: nothing is sharded, and no group could even prepare it.
#[test]
fn tables_of_two_groups_meet() {
    for rig in rig::shared_kinds() {
        let database = ["shop_0000", "shop_0002"];
        for (group, database) in rig.groups.iter().zip(database) {
            let name = if database == "shop_0000" { "near_by" } else { "far_off" };
            let statements = [
                format!(
                    "CREATE TABLE IF NOT EXISTS {database}.{name} (id int PRIMARY KEY, v varchar(9))"
                ),
                format!("REPLACE INTO {database}.{name} VALUES (1, '{name}'), (2, 'x'), (3, NULL)"),
            ];
            let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
            sql::execute(&group.primary.url("root"), &statements).expect("a single table");
        }
        let (proxy, rules) = rig.another(&[]).expect("another Weir");
        let path = rules.join("tables.yaml");
        let text = std::fs::read_to_string(&path).expect("the rules");
        let more =
            "      coupons: {group: g0}\n      near_by: {group: g0}\n      far_off: {group: g1}\n";
        let edited = text.replace("      coupons: {group: g0}\n", more);
        assert_ne!(text, edited);
        std::fs::write(&path, edited).expect("edited rules");
        blocking(&proxy.url("shop"), async |conn| {
            let fails = |error: mysql_async::Error| error.to_string();
            let sql = "SELECT n.id, f.v, n.v AS near FROM near_by n JOIN far_off f ON f.id = n.id \
                       WHERE n.id < 3 ORDER BY n.id";
            for _ in 0..100 {
                if conn.query_drop(sql).await.is_ok() {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            let expected =
                [(1, "far_off".to_owned(), "near_by".to_owned()), (2, "x".into(), "x".into())];
            let found: Vec<(i64, String, String)> = conn.query(sql).await.map_err(fails)?;
            assert_eq!(found, expected);
            let statement = conn.prep(sql.replace('3', "?")).await.map_err(fails)?;
            let names: Vec<String> = statement
                .columns()
                .iter()
                .map(|column| {
                    format!(
                        "{}.{}.{}",
                        column.schema_str(),
                        column.org_table_str(),
                        column.name_str()
                    )
                })
                .collect();
            assert_eq!(names, ["shop.near_by.id", "shop.far_off.v", "shop.near_by.near"]);
            assert_eq!(statement.num_params(), 1);
            let found: Vec<(i64, String, String)> =
                conn.exec(&statement, (3,)).await.map_err(fails)?;
            assert_eq!(found, expected);
            let union = "SELECT v FROM near_by UNION SELECT v FROM far_off ORDER BY v";
            let found: Vec<Option<String>> = conn.query(union).await.map_err(fails)?;
            let some = |text: &str| Some(text.to_owned());
            assert_eq!(found, [None, some("far_off"), some("near_by"), some("x")]);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn a_view_is_gathered_as_a_table() {
    for rig in rig::shared_kinds() {
        let url = rig.groups[0].primary.url("root");
        for database in ["shop", "shop_0000"] {
            let view = format!(
                "CREATE OR REPLACE VIEW {database}.seen AS SELECT 7 AS id, 'Zoë ' AS name, \
                 CAST(1.5 AS DECIMAL(5,2)) AS d, TIMESTAMP('2024-01-01 00:00:00') AS t, NULL AS n \
                 UNION ALL SELECT 8, NULL, 2, NULL, 3"
            );
            sql::execute(&url, &[&view]).expect("a view");
        }
        let plain_url = rig.plain_url();
        blocking(&rig.url(), async move |weir| {
            let mut plain = connect(&plain_url).await;
            let sql = "SELECT s.*, o.order_id, x.c FROM seen s LEFT JOIN orders o ON o.user_id = s.id \
                       JOIN (SELECT count(DISTINCT status) AS c FROM orders) x ORDER BY s.id, o.order_id";
            let expected = asked(&mut plain, sql, false).await.1;
            assert!(expected.len() > 1);
            for begin in ["BEGIN", "ROLLBACK"] {
                // Inside of a transaction it is gathered, outside it is read where it is.
                weir.query_drop(begin).await.map_err(|error| error.to_string())?;
                for prepared in [false, true] {
                    let expected = asked(&mut plain, sql, prepared).await.1;
                    assert_eq!(asked(weir, sql, prepared).await.1, expected, "{begin}");
                }
            }
            let _ = plain.disconnect().await;
            Ok(())
        })
        .expect("both can be asked");
    }
}

/// One moment ends all of a statement's steps: a gather that waits and a residual that takes its time
/// each stay within it, and both together don't.
#[test]
fn a_deadline_is_for_the_whole_statement() {
    for rig in rig::shared_kinds() {
        let _quiet = rig::quiet();
        let url = rig.groups[0].primary.url("root");
        blocking(&rig.url(), async move |conn| {
            let fails = |error: mysql_async::Error| error.to_string();
            let mut holder = connect(&url).await;
            for (limit, passes) in [(1800, false), (20_000, true)] {
                holder.query_drop("LOCK TABLES shop_0000.users_0000 WRITE").await.map_err(fails)?;
                let release = async {
                    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
                    holder.query_drop("UNLOCK TABLES").await
                };
                let sql = format!(
                    "SELECT /*+ weir: timeout({limit}) */ sum(sleep(0.2)) FROM (SELECT DISTINCT \
                     user_id, level FROM users ORDER BY user_id DESC LIMIT 6) x JOIN regions r \
                     ON r.region_id = 1 JOIN (SELECT count(DISTINCT status) FROM orders) y"
                );
                let (found, released) = tokio::join!(conn.query_drop(&sql), release);
                released.map_err(fails)?;
                match found {
                    Ok(()) => assert!(passes, "it took longer than {limit} ms"),
                    Err(error) => {
                        assert!(!passes, "{error}");
                        assert_eq!(code(&error).0, 3024);
                        assert!(error.to_string().contains("[weir:statement_timeout]"));
                    }
                }
            }
            let _ = holder.disconnect().await;
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(left_over(rig), 0, "temporary tables are left");
    }
}

/// Each table that holds a row counts it.
#[test]
fn copies_count_toward_the_bound() {
    for rig in rig::shared_kinds() {
        let settings = [("limits", "workbench_rows: 300".to_owned())];
        let (proxy, _rules) = rig.another(&settings).expect("another Weir");
        blocking(&proxy.url("shop"), async |conn| {
            let fails = |error: mysql_async::Error| error.to_string();
            let one = "SELECT count(DISTINCT level) FROM users";
            let found: Option<u64> = conn.query_first(one).await.map_err(fails)?;
            assert_eq!(found, Some(4));
            let two = "SELECT count(*) FROM users a JOIN users b ON a.user_id + 0 = b.user_id + 1";
            let error = conn.query_drop(two).await.expect_err("twice 200 rows");
            assert_eq!(code(&error).0, 1104);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    }
}

/// The account's bound holds against a hint, and a hint against the settings.
#[test]
fn bounds_are_the_settings_the_accounts_and_the_hints() {
    for rig in rig::shared_kinds() {
        let settings = [("limits", "workbench_rows: 150".to_owned())];
        let (proxy, rules) = rig.another(&settings).expect("another Weir");
        let asked = async |conn: &mut Conn, hint: &str| {
            let sql = format!("SELECT /*+ weir: {hint} */ count(DISTINCT status) FROM orders");
            match conn.query_first::<u64, _>(sql).await {
                Ok(count) => count.is_some(),
                Err(error) => {
                    assert_eq!(code(&error).0, 1104, "{error}");
                    false
                }
            }
        };
        blocking(&proxy.url("shop"), async |conn| {
            assert!(!asked(conn, "scatter_ok").await);
            assert!(asked(conn, "workbench_rows(400)").await);
            assert!(!asked(conn, "workbench_rows(400), workbench_bytes('1KiB')").await);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
        let path = rules.join("users.yaml");
        let text = std::fs::read_to_string(&path).expect("the rules");
        let edited = text.replacen(
            "    schemas: [shop]\n",
            "    schemas: [shop]\n    workbench_rows: 300\n",
            1,
        );
        assert_ne!(text, edited);
        std::fs::write(&path, edited).expect("edited rules");
        // The account is what it was at the login.
        let lowered = (0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            let passes = blocking(&proxy.url("shop"), async |conn| {
                Ok(asked(conn, "workbench_rows(400)").await)
            });
            !passes.unwrap_or_else(|error| panic!("{error}"))
        });
        assert!(lowered, "the account's bound");
    }
}

/// A table that was altered behind this Weir is known by its definition, and no sequence moves.
#[test]
fn what_a_table_is_now_decides() {
    for rig in rig::shared_kinds() {
        let kind = rig.groups[0].primary.kind;
        let places = [("shop_0000", "drift_a"), ("shop_0002", "drift_b")];
        let urls: Vec<String> = rig.groups.iter().map(|group| group.primary.url("root")).collect();
        for ((database, table), url) in places.iter().zip(&urls) {
            let mut statements = vec![
                format!("DROP TABLE IF EXISTS {database}.{table}"),
                format!("CREATE TABLE {database}.{table} (id int PRIMARY KEY, v varchar(9))"),
                format!("INSERT INTO {database}.{table} VALUES (1, 'a'), (2, 'b')"),
            ];
            if kind == Kind::MariaDb {
                statements.push(format!("CREATE OR REPLACE SEQUENCE {database}.numbers NOCACHE"));
                statements.push(format!(
                    "ALTER TABLE {database}.{table} ADD n int NOT NULL DEFAULT nextval({database}.numbers)"
                ));
            }
            let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
            sql::execute(url, &statements).expect("a table");
        }
        let (proxy, rules) = rig.another(&[]).expect("another Weir");
        let path = rules.join("tables.yaml");
        let text = std::fs::read_to_string(&path).expect("the rules");
        let more =
            "      coupons: {group: g0}\n      drift_a: {group: g0}\n      drift_b: {group: g1}\n";
        std::fs::write(&path, text.replace("      coupons: {group: g0}\n", more)).expect("edited");
        blocking(&proxy.url("shop"), async |conn| {
            let fails = |error: mysql_async::Error| error.to_string();
            let sql = "SELECT a.v, b.v FROM drift_a a JOIN drift_b b ON a.id = b.id ORDER BY a.id";
            for _ in 0..100 {
                if conn.query_drop(sql).await.is_ok() {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            let found: Vec<(String, String)> = conn.query(sql).await.map_err(fails)?;
            assert_eq!(found.len(), 2);
            let all = "SELECT * FROM drift_a a JOIN drift_b b ON a.id = b.id ORDER BY a.id";
            let before: Vec<Row> = conn.query(all).await.map_err(fails)?;
            for ((database, table), url) in places.iter().zip(&urls) {
                let add = format!("ALTER TABLE {database}.{table} ADD later int DEFAULT 5");
                let set = format!("UPDATE {database}.{table} SET later = 6");
                sql::execute(url, &[&add, &set]).expect("altered");
            }
            for begin in ["SELECT 1", "BEGIN"] {
                conn.query_drop(begin).await.map_err(fails)?;
                let after: Vec<Row> = conn.query(all).await.map_err(fails)?;
                assert_eq!(after[0].len(), before[0].len() + 2);
                for row in after {
                    let values: Vec<Value> = row.unwrap();
                    let sixes = values.iter().filter(|value| **value == Value::Bytes(b"6".into()));
                    assert_eq!(sixes.count(), 2, "{values:?}");
                }
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
        for ((database, table), url) in places.iter().zip(&urls) {
            if kind == Kind::MariaDb {
                let next = sql::query(url, &format!("SELECT nextval({database}.numbers)"));
                assert_eq!(next.expect("a number")[0][0], "3", "two rows have had theirs");
            }
            sql::execute(url, &[&format!("DROP TABLE {database}.{table}")]).expect("dropped");
        }
    }
}

/// A row that nearly fills a packet, of bytes that a text has to escape, and others that a batch takes.
#[test]
fn rows_near_the_longest_packet_are_moved() {
    for rig in rig::shared_kinds() {
        let url = rig.groups[0].primary.url("root");
        let packet = sql::query(&url, "SELECT @@max_allowed_packet").expect("a size")[0][0].clone();
        let most: usize = packet.parse::<usize>().expect("a number").min(16 << 20);
        let long = most - (200 << 10);
        for database in ["shop", "shop_0000"] {
            let statements = [
                format!("DROP TABLE IF EXISTS {database}.long_rows_of_a_test"),
                format!(
                    "CREATE TABLE {database}.long_rows_of_a_test (id int PRIMARY KEY, b longblob, t longtext \
                     CHARACTER SET utf8mb4)"
                ),
                format!("INSERT INTO {database}.long_rows_of_a_test VALUES (1, 'a', 'b')"),
                format!(
                    "INSERT INTO {database}.long_rows_of_a_test VALUES (2, repeat('''', {long}), 'x')"
                ),
                format!(
                    "INSERT INTO {database}.long_rows_of_a_test VALUES (3, x'00', repeat('é\\\\', 800000))"
                ),
                format!(
                    "INSERT INTO {database}.long_rows_of_a_test VALUES (4, repeat(x'00FF27', 400000), NULL)"
                ),
                format!("INSERT INTO {database}.long_rows_of_a_test VALUES (5, NULL, '')"),
            ];
            let mut all = vec!["SET NAMES utf8mb4"];
            all.extend(statements.iter().map(String::as_str));
            sql::execute(&url, &all).expect("long rows");
        }
        let sql = format!(
            "SELECT l.id, sha2(l.b, 256), length(l.b), sha2(l.t, 256), char_length(l.t), x.c FROM long_rows_of_a_test l \
             JOIN {ACROSS} ORDER BY l.id"
        );
        let expected = sql::query(&rig.plain_url(), &sql).expect("rows of one server");
        assert_eq!(expected.len(), 5);
        blocking(&rig.url(), async |conn| {
            // Inside of a transaction nothing is read where it is.
            conn.query_drop("BEGIN").await.map_err(|error| error.to_string())?;
            let found: Vec<Row> = conn.query(&sql).await.map_err(|error| error.to_string())?;
            for (found, expected) in found.into_iter().zip(&expected) {
                let found: Vec<String> = found
                    .unwrap()
                    .into_iter()
                    .map(|value| value.as_sql(true).trim_matches('\'').to_owned())
                    .collect();
                assert_eq!(&found, expected);
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
        for database in ["shop", "shop_0000"] {
            sql::execute(&url, &[&format!("DROP TABLE {database}.long_rows_of_a_test")])
                .expect("dropped");
        }
    }
}

/// A document whose values its text doesn't keep is refused rather than changed on its way.
#[test]
fn json_is_moved_whole_or_not_at_all() {
    let Some(rig) = rig::shared(Kind::MySql) else { return };
    let url = rig.groups[0].primary.url("root");
    let statements = [
        "DROP TABLE IF EXISTS shop_0000.documents",
        "CREATE TABLE shop_0000.documents (id int PRIMARY KEY, j json)",
        "INSERT INTO shop_0000.documents VALUES (1, '{\"a\": [1, 2.50, -7, 1e300, \"x\", null, true]}'), \
         (2, NULL), (3, '18446744073709551615'), (4, '\"2024-01-01\"'), \
         (5, JSON_OBJECT('k', 1.10)), (6, JSON_ARRAY(TIMESTAMP('2024-01-01 00:00:00'))), \
         (7, JSON_ARRAY(12345678901234567890.12)), (8, '{\"long\": \"123456789\"}')",
        "UPDATE shop_0000.documents SET j = JSON_SET(j, '$.long', '1') WHERE id = 8",
    ];
    sql::execute(&url, &statements).expect("documents");
    blocking(&rig.url(), async |conn| {
        let fails = |error: mysql_async::Error| error.to_string();
        // Inside of a transaction nothing is read where it is.
        conn.query_drop("BEGIN").await.map_err(fails)?;
        let ask = |ids: &str| {
            format!("SELECT d.j FROM documents d JOIN {ACROSS} WHERE d.id IN ({ids}) ORDER BY d.id")
        };
        let found: Vec<Option<String>> = conn.query(ask("1, 2, 3, 4, 8")).await.map_err(fails)?;
        let text = |text: &str| Some(text.to_owned());
        let expected = [
            text("{\"a\": [1, 2.5, -7, 1e300, \"x\", null, true]}"),
            None,
            text("18446744073709551615"),
            text("\"2024-01-01\""),
            text("{\"long\": \"1\"}"),
        ];
        assert_eq!(found, expected);
        for id in ["5", "6", "7"] {
            let error = conn.query_drop(ask(id)).await.expect_err("it can't be moved");
            assert!(code(&error).1.contains("[weir:workbench_json]"), "{id}: {error}");
        }
        let without = format!("SELECT count(*) FROM documents d JOIN {ACROSS} WHERE d.id > 0");
        let found: Option<u64> = conn.query_first(without).await.map_err(fails)?;
        assert_eq!(found, Some(8), "a column that isn't named isn't moved");
        Ok(())
    })
    .unwrap_or_else(|error| panic!("{error}"));
    sql::execute(&url, &["DROP TABLE shop_0000.documents"]).expect("dropped");
}

/// What a server says of a constant is said whether or not a row matters.
#[test]
fn constants_that_warn_do_so_without_rows() {
    for rig in rig::shared_kinds() {
        for condition in ["user_id = 'abc'", "user_id IN ('7', '8x')", "user_id = '007'"] {
            let told = |url: &str| {
                let sql = format!("SELECT count(DISTINCT level) FROM users WHERE {condition}");
                blocking(url, async move |conn| {
                    conn.query_drop(sql).await.map_err(|error| error.to_string())?;
                    let told: Vec<(String, u16, String)> =
                        conn.query("SHOW WARNINGS").await.map_err(|error| error.to_string())?;
                    let mut told: Vec<String> = told.into_iter().map(|line| line.2).collect();
                    told.dedup();
                    Ok(told)
                })
                .expect("both can be asked")
            };
            assert_eq!(told(&rig.url()), told(&rig.plain_url()), "{condition}");
        }
    }
}
