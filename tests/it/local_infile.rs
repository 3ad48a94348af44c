//! LOAD DATA LOCAL, compression, and prepared statements of all kinds with a real driver.
//!
//! Owns: what mysql_async can speak; clients that speak more are run by `make drivers`.

use futures_util::StreamExt as _;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Row};

use crate::support::rig::{self, Rig};

/// A connection through Weir that sends these lines as whatever file is asked for.
async fn sending(rig: &Rig, lines: &'static str, change: fn(OptsBuilder) -> OptsBuilder) -> Conn {
    let opts = OptsBuilder::from_opts(Opts::from_url(&rig.url()).unwrap());
    let mut conn = Conn::new(change(opts)).await.unwrap();
    conn.set_infile_handler(async move {
        let chunks = lines.as_bytes().chunks(40).map(|chunk| Ok(chunk.to_vec().into()));
        Ok(futures_util::stream::iter(chunks.collect::<Vec<_>>()).boxed())
    });
    conn
}

fn on_each(check: impl AsyncFn(&Rig)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for rig in rig::shared_kinds() {
        rig.groups[0].primary.execute("SET GLOBAL local_infile = 1");
        runtime.block_on(check(rig));
    }
}

const LINES: &str = "IT1\t1\t1\t2030-01-01 00:00:00\nIT2\t2\t2\t2030-01-01 00:00:00\nIT3\t3\tx\t2030-01-01 00:00:00\n";

#[test]
fn a_file_of_the_client_goes_to_the_server_also_behind_other_statements() {
    on_each(async |rig| {
        let mut conn = sending(rig, LINES, |opts| opts).await;
        conn.query_drop("DELETE FROM coupons WHERE code LIKE 'IT_'; SET sql_mode = ''")
            .await
            .unwrap();
        let text = "SELECT 1; SELECT 2; LOAD DATA LOCAL INFILE 'any' INTO TABLE coupons; SELECT 3";
        let mut result = conn.query_iter(text).await.unwrap();
        for expected in [1, 2] {
            let rows: Vec<u8> = result.collect().await.unwrap();
            assert_eq!(rows, [expected]);
        }
        assert_eq!(result.affected_rows(), 3);
        let rows: Vec<Row> = result.collect().await.unwrap();
        assert!(rows.is_empty());
        let rows: Vec<u8> = result.collect().await.unwrap();
        assert_eq!(rows, [3]);
        drop(result);
        let sums: Option<(u32, u32)> = conn
            .query_first("SELECT count(*), sum(percent) FROM coupons WHERE code LIKE 'IT_'")
            .await
            .unwrap();
        assert_eq!(sums, Some((3, 6)));
        conn.query_drop("DELETE FROM coupons WHERE code LIKE 'IT_'").await.unwrap();
        conn.disconnect().await.unwrap();
    });
}

#[test]
fn files_of_servers_are_refused_for_tables_in_many_places() {
    on_each(async |rig| {
        let mut conn = sending(rig, LINES, |opts| opts).await;
        let refused = conn.query_drop("LOAD DATA INFILE 'any' INTO TABLE users").await.unwrap_err();
        assert!(refused.to_string().contains("[weir:load_data]"), "{refused}");
        let unknown =
            conn.query_drop("LOAD DATA LOCAL INFILE 'any' INTO TABLE nowhere").await.unwrap_err();
        assert!(unknown.to_string().contains("1146"), "{unknown}");
        let alive: Option<u8> = conn.query_first("SELECT 4").await.unwrap();
        assert_eq!(alive, Some(4));
        conn.disconnect().await.unwrap();
    });
}

#[test]
fn a_compressed_session_does_what_a_plain_one_does() {
    on_each(async |rig| {
        let change = |opts: OptsBuilder| opts.compression(mysql_async::Compression::default());
        let mut conn = sending(rig, LINES, change).await;
        let long: Option<String> = conn.query_first("SELECT repeat('y', 3000000)").await.unwrap();
        assert_eq!(long.map(|text| text.len()), Some(3_000_000));
        let back: Option<u32> =
            conn.exec_first("SELECT length(?)", ("z".repeat(2_000_000),)).await.unwrap();
        assert_eq!(back, Some(2_000_000));
        let keys: Vec<u32> =
            conn.query("SELECT user_id FROM users ORDER BY user_id LIMIT 100").await.unwrap();
        assert_eq!(keys, (1..=100).collect::<Vec<u32>>());
        for key in 1..30u32 {
            // Each execution of a statement that isn't kept is followed by its close in one go.
            let found: Option<u32> = conn
                .exec_first(
                    format!("SELECT user_id FROM users WHERE user_id = ? AND {key} > 0"),
                    (key,),
                )
                .await
                .unwrap();
            assert_eq!(found, Some(key));
        }
        conn.disconnect().await.unwrap();
    });
}

#[test]
fn prepared_statements_that_show_definitions_answer_with_binary_rows() {
    on_each(async |rig| {
        let mut conn = Conn::new(Opts::from_url(&rig.url()).unwrap()).await.unwrap();
        let table: Option<(String, String)> =
            conn.exec_first("SHOW CREATE TABLE users", ()).await.unwrap();
        let (name, text) = table.unwrap();
        assert_eq!(name, "users");
        assert!(text.starts_with("CREATE TABLE `users` ("), "{text}");
        let keys: Vec<Row> = conn.exec("SHOW INDEX FROM users", ()).await.unwrap();
        assert!(keys.iter().all(|key| key.get::<String, _>(0).as_deref() == Some("users")));
        assert!(keys.iter().all(|key| key.get::<u32, _>("Seq_in_index") == Some(1)));
        let status: Vec<Row> = conn.exec("SHOW TABLE STATUS LIKE 'users'", ()).await.unwrap();
        assert_eq!(status.len(), 1);
        let names: Vec<String> = conn
            .exec("SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND table_name LIKE ? ORDER BY 1", ("shop", "order%"))
            .await
            .unwrap();
        assert_eq!(names.len(), 2);
        let explained: Vec<Row> =
            conn.exec("EXPLAIN SELECT * FROM users WHERE user_id = ?", (7,)).await.unwrap();
        assert_eq!(explained.len(), 1);
        conn.disconnect().await.unwrap();
    });
}
