//! NOW() and its kin in statements over several servers: all of them read one clock (trap 20).
//!
//! Owns: what is stored, looked at shard by shard. The times' values are the proxy's to choose.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use crate::support::rig::{self, Rig};
use crate::support::sql;

fn on_each(check: impl AsyncFn(&mut Conn, &Rig)) {
    for rig in rig::shared_kinds() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build();
        runtime.expect("a runtime").block_on(async {
            let mut conn =
                Conn::new(Opts::from_url(&rig.url()).expect("a URL")).await.expect("a login");
            check(&mut conn, rig).await;
        });
    }
}

/// A column of the same statement's rows, each copy or shard by itself.
async fn on_servers(rig: &Rig, statement: &'static str) -> Vec<String> {
    let urls: Vec<String> = rig.groups.iter().map(|group| group.primary.url("root")).collect();
    let read = move || {
        let rows = |url: &String| sql::query(url, statement).expect("rows");
        urls.iter().map(|url| rows(url)[0][0].clone()).collect()
    };
    tokio::task::spawn_blocking(read).await.expect("no panic")
}

#[test]
fn copies_of_a_broadcast_table_store_one_time() {
    on_each(async |conn, rig| {
        conn.query_drop("INSERT INTO regions VALUES (9100, 'CLOCK', NOW(6), 1)")
            .await
            .expect("an insert");
        let database = on_servers(
            rig,
            "SELECT table_schema FROM information_schema.tables WHERE table_name = 'regions' \
             AND table_schema <> 'shop'",
        )
        .await;
        assert_eq!(database.len(), 2);
        let mut stored = Vec::new();
        for (group, database) in rig.groups.iter().zip(database) {
            let url = group.primary.url("root");
            let read = move || {
                sql::query(
                    &url,
                    &format!("SELECT name FROM `{database}`.regions WHERE region_id = 9100"),
                )
            };
            let rows = tokio::task::spawn_blocking(read).await.expect("no panic").expect("rows");
            stored.push(rows[0][0].clone());
        }
        assert_eq!(stored[0], stored[1], "each copy has a clock of its own");
        assert!(stored[0].starts_with("20") && stored[0].len() == 26, "{stored:?}");
        conn.query_drop("DELETE FROM regions WHERE region_id = 9100").await.expect("a delete");
    });
}

#[test]
fn rows_of_one_insert_over_shards_have_one_time_and_the_clock_goes_on() {
    on_each(async |conn, _| {
        let insert = "INSERT /*+ weir: scatter_ok */ INTO users (user_id, name, email, region_id, registered_at) VALUES \
                      (9001, NOW(6), 'c', 1, NOW()), (9009, NOW(6), 'c', 1, NOW()), (9014, NOW(6), 'c', 1, NOW())";
        conn.query_drop(insert).await.expect("an insert");
        let read =
            "SELECT DISTINCT name FROM users WHERE user_id IN (9001, 9009, 9014) ORDER BY user_id";
        let names: Vec<String> = conn.query(read.replace("DISTINCT ", "")).await.expect("rows");
        assert_eq!(names.len(), 3);
        assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
        conn.query_drop(
            "DELETE /*+ weir: scatter_ok */ FROM users WHERE user_id IN (9001, 9009, 9014)",
        )
        .await
        .expect("a delete");
        // What the connections go back with is the server's own clock.
        for key in [1, 9] {
            let now = format!("SELECT CAST(NOW(6) AS CHAR) FROM users WHERE user_id = {key}");
            let first: Option<String> = conn.query_first(&now).await.expect("a row");
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            let second: Option<String> = conn.query_first(&now).await.expect("a row");
            assert_ne!(first, second, "the clock stands");
        }
    });
}

#[test]
fn a_merged_read_has_one_time_and_a_clients_own_timestamp_holds() {
    on_each(async |conn, _| {
        let read = "SELECT CAST(NOW(6) AS CHAR) FROM users WHERE user_id IN (1, 9, 14)";
        let times: Vec<String> = conn.query(read).await.expect("rows");
        assert_eq!(times.len(), 3);
        assert!(times.iter().all(|time| *time == times[0]), "{times:?}");
        conn.query_drop("SET time_zone = '+00:00', timestamp = 1000000000").await.expect("SET");
        let times: Vec<String> = conn.query(read).await.expect("rows");
        assert!(times.iter().all(|time| time == "2001-09-09 01:46:40.000000"), "{times:?}");
        conn.query_drop("SET timestamp = DEFAULT").await.expect("SET");
        let times: Vec<String> = conn.query(read).await.expect("rows");
        assert!(times.iter().all(|time| time > &"2020".to_owned()), "{times:?}");
    });
}
