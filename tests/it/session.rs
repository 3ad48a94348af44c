//! A session against real servers: prepared statements, what is remembered between statements, KILL,
//! several statements in one text, resets.
//!
//! Owns: what needs a client that speaks more than text queries; plain statements are compared in
//! `differential.rs`.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Row, Value};

use crate::support::rig::{self, Rig};
use crate::support::sql::blocking;

/// Runs a check through Weir on every kind of server that can be had.
fn on_each<F>(check: F)
where
    F: AsyncFn(&mut Conn, &Rig) -> Result<(), mysql_async::Error> + Sync,
{
    let rigs = rig::shared_kinds();
    assert!(!rigs.is_empty(), "no server at all");
    for rig in rigs {
        blocking(&rig.url(), async |conn| {
            check(conn, rig).await.map_err(|error| error.to_string())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    }
}

fn errno(error: &mysql_async::Error) -> u16 {
    match error {
        mysql_async::Error::Server(error) => error.code,
        other => panic!("not a server's error: {other}"),
    }
}

#[test]
fn prepared_statements_find_their_shard_whatever_type_is_bound() {
    on_each(async |conn, _| {
        let statement = conn.prep("SELECT user_id, name FROM users WHERE user_id = ?").await?;
        for key in [1i64, 2, 17, 33, 40] {
            let by_number: Option<(i64, String)> = conn.exec_first(&statement, (key,)).await?;
            let by_text: Option<(i64, String)> =
                conn.exec_first(&statement, (key.to_string(),)).await?;
            assert_eq!(by_number.as_ref().map(|row| row.0), Some(key));
            assert_eq!(by_number, by_text, "{key}");
        }
        let none: Option<(i64, String)> = conn.exec_first(&statement, (Value::NULL,)).await?;
        assert_eq!(none, None);
        conn.close(statement).await
    });
}

#[test]
fn prepared_statements_over_shards_are_merged_in_binary() {
    let _quiet = rig::quiet();
    on_each(async |conn, _| {
        let found: Vec<(i64, String)> = conn
            .exec(
                "SELECT user_id, name FROM users WHERE user_id <= ? ORDER BY user_id DESC LIMIT 5",
                (20,),
            )
            .await?;
        assert_eq!(found.iter().map(|row| row.0).collect::<Vec<_>>(), [20, 19, 18, 17, 16]);
        let text: Vec<(i64, String)> = conn
            .query(
                "SELECT user_id, name FROM users WHERE user_id <= 20 ORDER BY user_id DESC LIMIT 5",
            )
            .await?;
        assert_eq!(found, text);
        let sums: Option<(i64, String)> = conn
            .exec_first("SELECT count(*), sum(balance) FROM users WHERE user_id > ?", (0,))
            .await?;
        let plain: Option<(i64, String)> =
            conn.query_first("SELECT count(*), sum(balance) FROM users").await?;
        assert_eq!(sums, plain);
        Ok(())
    });
}

#[test]
fn prepared_rows_are_split_over_shards_of_a_group() {
    let _quiet = rig::quiet();
    on_each(async |conn, _| {
        // 910000 and 910001 are shards 0 and 1, both of group g0.
        let insert = "INSERT INTO users (user_id, name, email, region_id, registered_at) VALUES (?, ?, ?, 1, NOW()), (?, ?, ?, 1, NOW())";
        conn.exec_drop("DELETE FROM users WHERE user_id IN (?, ?)", (910_000, 910_001)).await?;
        conn.exec_drop(insert, (910_000, "a'\\", "x", 910_001, "b\u{e9}", "y")).await?;
        assert_eq!(conn.affected_rows(), 2);
        let names: Vec<String> = conn
            .query("SELECT name FROM users WHERE user_id IN (910000, 910001) ORDER BY user_id")
            .await?;
        assert_eq!(names, ["a'\\", "b\u{e9}"]);
        conn.query_drop("DELETE FROM users WHERE user_id IN (910000, 910001)").await?;
        assert_eq!(conn.affected_rows(), 2);
        Ok(())
    });
}

#[test]
fn rows_are_split_by_a_plan_that_was_made_for_one_row() {
    let _quiet = rig::quiet();
    on_each(async |conn, _| {
        let head =
            "INSERT INTO users (user_id, name, email, region_id, registered_at, born) VALUES ";
        let row = |key: u32| format!("({key}, 'row', 'x', 1, '2024-01-01', NULL)");
        conn.query_drop("DELETE FROM users WHERE user_id IN (920000, 920001, 920002)").await?;
        conn.query_drop(format!("{head}{}", row(920_000))).await?;
        conn.query_drop(format!("{head}{}, {}", row(920_001), row(920_002))).await?;
        assert_eq!(conn.affected_rows(), 2);
        for key in 920_000..920_003 {
            let found: Vec<u32> =
                conn.query(format!("SELECT user_id FROM users WHERE user_id = {key}")).await?;
            assert_eq!(found, [key]);
        }
        let all: Vec<u32> = conn
            .query("SELECT user_id FROM users WHERE user_id BETWEEN 920000 AND 920002 ORDER BY 1")
            .await?;
        assert_eq!(all, [920_000, 920_001, 920_002]);
        conn.query_drop("DELETE FROM users WHERE user_id IN (920000, 920001, 920002)").await
    });
}

#[test]
fn what_a_statement_leaves_behind_is_the_sessions() {
    on_each(async |conn, _| {
        let row: Option<(Option<String>, String)> =
            conn.query_first("SELECT DATABASE(), USER()").await?;
        let (schema, user) = row.expect("a row");
        assert_eq!(schema.as_deref(), Some("shop"));
        assert!(user.ends_with("@127.0.0.1"), "{user}");
        let id: Option<u32> = conn.query_first("SELECT CONNECTION_ID()").await?;
        assert_eq!(id, Some(conn.id()));
        conn.query_drop("SET @a = 5, @b = CONCAT('x', 'y')").await?;
        let row: Option<(i64, String)> = conn.query_first("SELECT @a, @b").await?;
        assert_eq!(row, Some((5, "xy".to_owned())));
        conn.exec_drop("SET @a = ?, @b = CONCAT(?, 'y')", (7, "x'\\")).await?;
        let row: Option<(i64, String)> = conn.query_first("SELECT @a, @b").await?;
        assert_eq!(row, Some((7, "x'\\y".to_owned())));
        conn.exec_drop("SET @a = ?", (None::<i64>,)).await?;
        let row: Option<Option<i64>> = conn.query_first("SELECT @a").await?;
        assert_eq!(row, Some(None));
        conn.exec_drop("SET SESSION sql_mode = ?", ("ANSI_QUOTES",)).await?;
        let quoted: Option<i64> =
            conn.query_first(r#"SELECT "user_id" FROM users WHERE user_id = 3"#).await?;
        assert_eq!(quoted, Some(3));
        let refused = conn.query_drop("SET SESSION sql_mode = 'NO_SUCH_MODE'").await.unwrap_err();
        assert_eq!(errno(&refused), 1231);
        let mode: Option<String> = conn.query_first("SELECT @@sql_mode").await?;
        assert_eq!(mode.as_deref(), Some("ANSI_QUOTES"));
        conn.query_drop("SET sql_mode = DEFAULT").await?;
        conn.query_drop("SELECT 1/0").await?;
        conn.query_drop("SELECT CAST('7x' AS SIGNED)").await?;
        let warnings: Vec<(String, u16, String)> = conn.query("SHOW WARNINGS").await?;
        assert_eq!(warnings.iter().map(|row| row.1).collect::<Vec<_>>(), [1292]);
        let _: Option<Row> = conn
            .query_first("SELECT nosuch FROM users WHERE user_id = 1")
            .await
            .or_else(|error| {
            assert_eq!(errno(&error), 1054);
            Ok::<_, mysql_async::Error>(None)
        })?;
        let warnings: Vec<(String, u16, String)> = conn.query("SHOW WARNINGS").await?;
        assert_eq!(warnings.iter().map(|row| row.1).collect::<Vec<_>>(), [1054]);
        Ok(())
    });
}

#[test]
fn several_statements_in_one_text_stop_at_the_first_error() {
    on_each(async |conn, _| {
        let mut result = conn
            .query_iter("SELECT 1; SELECT user_id FROM users WHERE user_id = 7; SET @x = 3; SELECT nosuch; SELECT 4")
            .await?;
        let first: Vec<i64> = result.collect().await?;
        let second: Vec<i64> = result.collect().await?;
        assert_eq!((first, second), (vec![1], vec![7]));
        let third: Vec<Row> = result.collect().await?;
        assert!(third.is_empty());
        let error = result.collect::<Row>().await.unwrap_err();
        assert_eq!(errno(&error), 1054);
        drop(result);
        let alive: Option<i64> = conn.query_first("SELECT @x").await?;
        assert_eq!(alive, Some(3));
        Ok(())
    });
}

#[test]
fn kill_query_stops_the_statement_on_its_backend_and_nothing_else() {
    on_each(async |conn, rig| {
        let id = conn.id();
        let url = rig.url();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(400));
            crate::support::sql::execute(&url, &[&format!("KILL QUERY {id}")])
        });
        let start = Instant::now();
        let outcome: Result<Option<i64>, _> =
            conn.query_first("SELECT SLEEP(20) FROM users WHERE user_id = 1").await;
        assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
        // MariaDB ends SLEEP with 1317, MySQL lets it return 1.
        match outcome {
            Err(error) => assert_eq!(errno(&error), 1317),
            Ok(value) => assert_eq!(value, Some(1)),
        }
        killer.join().expect("the killer").expect("KILL is answered");
        let next: Option<i64> =
            conn.query_first("SELECT user_id FROM users WHERE user_id = 2").await?;
        assert_eq!(next, Some(2));
        let refused = conn.query_drop("KILL 1").await.unwrap_err();
        assert_eq!(errno(&refused), 1094);
        Ok(())
    });
}

#[test]
fn what_is_no_sql_is_a_syntax_error_and_what_is_goes_on_being_refused() {
    on_each(async |conn, _| {
        for wrong in [
            "SELECT FROM WHERE users",
            "UPDATE users SET",
            "SELECT * FROM users WHERE (user_id = 1",
        ] {
            let text = conn.query_drop(wrong).await.unwrap_err();
            assert_eq!(errno(&text), 1064, "{wrong}: {text}");
            let prepared = conn.prep(wrong).await.unwrap_err();
            assert_eq!(errno(&prepared), 1064, "{wrong}: {prepared}");
        }
        let right = "SELECT user_id FROM users WHERE user_id = 1 PROCEDURE ANALYSE()";
        let refused = conn.query_drop(right).await.unwrap_err();
        assert!(matches!(errno(&refused), 1064 | 1235), "{refused}");
        let one: Option<i64> =
            conn.query_first("SELECT user_id FROM users WHERE user_id = 1").await?;
        assert_eq!(one, Some(1));
        Ok(())
    });
}

#[test]
fn a_reset_connection_is_as_new() {
    on_each(async |conn, _| {
        conn.query_drop("SET @a = 1, autocommit = 0, time_zone = '+05:00'").await?;
        conn.query_drop("UPDATE users SET note = 1 WHERE user_id = 1").await.unwrap_err();
        assert!(conn.reset().await?);
        let row: Option<(Option<i64>, i64, String)> =
            conn.query_first("SELECT @a, @@autocommit, @@time_zone").await?;
        let (a, autocommit, zone) = row.expect("a row");
        assert_eq!((a, autocommit), (None, 1));
        assert_ne!(zone, "+05:00");
        Ok(())
    });
}

#[test]
fn sessions_see_nothing_of_each_other_on_shared_connections() {
    on_each(async |conn, rig| {
        let mut other = Conn::new(Opts::from_url(&rig.url()).expect("a URL")).await?;
        conn.query_drop(
            "SET @secret = 'mine', sql_mode = 'ANSI', time_zone = '+09:00', NAMES latin1",
        )
        .await?;
        conn.query_drop("CREATE TEMPORARY TABLE hidden (a INT)").await.ok();
        for key in 1..20 {
            let _: Vec<Row> =
                conn.query(format!("SELECT * FROM users WHERE user_id = {key}")).await?;
            let row: Option<(Option<String>, String, String)> =
                other.query_first("SELECT @secret, @@time_zone, @@character_set_client").await?;
            let (secret, zone, charset) = row.expect("a row");
            assert_eq!(secret, None);
            assert_ne!(zone, "+09:00");
            assert_eq!(charset, "utf8mb4");
        }
        other.disconnect().await
    });
}

#[test]
fn a_wrong_password_an_unknown_user_and_a_foreign_schema_are_refused() {
    for rig in rig::shared_kinds() {
        let attempt = |change: fn(OptsBuilder) -> OptsBuilder| {
            let opts = OptsBuilder::from_opts(Opts::from_url(&rig.url()).expect("a URL"));
            let opts = Opts::from(change(opts));
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async { Conn::new(opts).await.err().map(|error| errno(&error)) })
        };
        assert_eq!(attempt(|opts| opts.pass(Some("wrong"))), Some(1045));
        assert_eq!(attempt(|opts| opts.user(Some("nobody"))), Some(1045));
        assert_eq!(attempt(|opts| opts.db_name(Some("mysql"))), Some(1044));
    }
}

/// Statements on one connection of Weir and one of the plain server; the answers must be equal.
fn as_on_one_server(rig: &Rig, statements: &[&str]) {
    let run = |url: &str| {
        blocking(url, async |conn| {
            let mut answers = Vec::new();
            for sql in statements {
                answers.push(match conn.query::<Row, _>(*sql).await {
                    Ok(rows) => {
                        let cell = |value: Value| value.as_sql(true);
                        let rows = rows.into_iter().map(|row| row.unwrap().into_iter().map(cell));
                        format!("{:?}", rows.map(Iterator::collect).collect::<Vec<Vec<String>>>())
                    }
                    Err(error) => errno(&error).to_string(),
                });
            }
            Ok(answers)
        })
        .unwrap_or_else(|error| panic!("{error}"))
    };
    let (weir, plain) = (run(&rig.url()), run(&rig.plain_url()));
    for ((sql, weir), plain) in statements.iter().zip(weir).zip(plain) {
        assert_eq!(weir, plain, "{sql}");
    }
}

#[test]
fn set_names_brings_its_collation() {
    const ASK: &str = "SELECT @@character_set_client, @@collation_connection, \
         @@character_set_connection, @@character_set_results, collation('a')";
    for rig in rig::shared_kinds() {
        as_on_one_server(
            rig,
            &[
                "SET NAMES latin1 COLLATE latin1_german2_ci",
                ASK,
                "SET NAMES utf8mb4",
                ASK,
                "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
                ASK,
                "SET NAMES cp1251",
                ASK,
                "SET character_set_connection = latin2",
                ASK,
                "SET CHARACTER SET latin1",
                ASK,
                "SET collation_connection = utf8mb4_unicode_ci",
                ASK,
            ],
        );
    }
}

#[test]
fn values_behind_using_may_be_known_to_a_server_alone() {
    for rig in rig::shared_kinds() {
        let mut statements = vec![
            "PREPARE",
            "PREPARE s",
            "PREPARE s FROM ",
            "PREPARE s 'SELECT 1'",
            "SELECT ? + 1",
            "PREPARE s FROM 'SELECT ?, ?'",
            "SELECT 5, 'five' INTO @x, @y",
            "EXECUTE s USING @x, @y",
            "SELECT 'SELECT ? + ?' INTO @text",
            "PREPARE s FROM @text",
            "PREPARE p FROM 'PREPARE s FROM ''SELECT 1'''",
            "PREPARE p FROM 'EXECUTE s'",
            "EXECUTE p",
            "EXECUTE s USING @x, @unknown",
        ];
        if rig.groups[0].primary.kind == crate::support::servers::Kind::MariaDb {
            statements.extend([
                "PREPARE s FROM concat('SELECT ', '?, ?')",
                "EXECUTE s USING 1 + 1, concat('a', 'b')",
                "EXECUTE s USING 1.5, 2e0",
                "EXECUTE s USING 'x', NULL",
                "EXECUTE IMMEDIATE 'SELECT ?' USING @x + 1",
                "EXECUTE IMMEDIATE concat('SELECT name FROM users WHERE user_id', ' = ?') USING 7",
                "EXECUTE IMMEDIATE 'SELECT ?'",
                "EXECUTE IMMEDIATE 'SELEC 1'",
            ]);
        }
        as_on_one_server(rig, &statements);
    }
}

#[test]
fn a_prepared_show_warnings_shows_what_was_there() {
    on_each(async |conn, _| {
        conn.query_drop("SELECT CAST('x' AS SIGNED)").await?;
        let found: Vec<(String, u16, String)> = conn.exec("SHOW WARNINGS", ()).await?;
        assert_eq!(found.iter().map(|row| row.1).collect::<Vec<_>>(), [1292], "{found:?}");
        Ok(())
    });
}

#[test]
fn warnings_are_described_as_one_server_describes_them() {
    let shape = |url: &str| {
        blocking(url, async |conn| {
            let failed = |error: mysql_async::Error| error.to_string();
            conn.query_drop("SET NAMES utf8mb4").await.map_err(failed)?;
            conn.query_drop("SELECT CAST('x' AS SIGNED)").await.map_err(failed)?;
            let row: Option<Row> = conn.query_first("SHOW WARNINGS").await.map_err(failed)?;
            let row = row.ok_or("no warning")?;
            let columns = row.columns_ref().iter().map(|column| {
                let (flags, kind) = (column.flags(), column.column_type());
                (column.column_length(), column.decimals(), flags, kind)
            });
            Ok(columns.map(|column| format!("{column:?}")).collect::<Vec<_>>())
        })
        .unwrap_or_else(|error| panic!("{error}"))
    };
    for rig in rig::shared_kinds() {
        let (weir, plain) = (shape(&rig.url()), shape(&rig.plain_url()));
        assert_eq!(weir, plain, "{}", rig.groups[0].primary.kind);
    }
}
