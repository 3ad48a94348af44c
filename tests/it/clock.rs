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

/// What a group's server holds, committed or not: nothing of these tests is seen by others.
async fn uncommitted(rig: &Rig, group: usize, statement: String) -> String {
    let url = rig.groups[group].primary.url("root");
    let read = move || {
        sql::blocking(&url, async move |conn| {
            let say = |error: mysql_async::Error| error.to_string();
            conn.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED")
                .await
                .map_err(say)?;
            let value: Option<String> = conn.query_first(&statement).await.map_err(say)?;
            value.ok_or_else(|| format!("no row of {statement}"))
        })
    };
    tokio::task::spawn_blocking(read).await.expect("no panic").expect("a value")
}

#[test]
fn copies_of_a_broadcast_table_store_one_time() {
    on_each(async |conn, rig| {
        conn.query_drop("BEGIN").await.expect("BEGIN");
        let insert = "INSERT INTO regions VALUES (9100, 'CLOCK', NOW(6), 1)";
        conn.query_drop(insert).await.expect("an insert");
        let mut stored = Vec::new();
        for group in 0..rig.groups.len() {
            let find = "SELECT table_schema FROM information_schema.tables WHERE table_name = 'regions' \
                        AND table_schema <> 'shop'";
            let database = uncommitted(rig, group, find.to_owned()).await;
            let read = format!("SELECT name FROM `{database}`.regions WHERE region_id = 9100");
            stored.push(uncommitted(rig, group, read).await);
        }
        conn.query_drop("ROLLBACK").await.expect("ROLLBACK");
        assert_eq!(stored[0], stored[1], "each copy has a clock of its own");
        assert!(stored[0].starts_with("20") && stored[0].len() == 26, "{stored:?}");
    });
}

#[test]
fn rows_of_one_insert_over_shards_have_one_time_and_the_clock_goes_on() {
    on_each(async |conn, _| {
        let insert = "INSERT /*+ weir: scatter_ok */ INTO users (user_id, name, email, region_id, registered_at) VALUES \
                      (9001, NOW(6), 'c', 1, NOW()), (9009, NOW(6), 'c', 1, NOW()), (9014, NOW(6), 'c', 1, NOW())";
        conn.query_drop("BEGIN").await.expect("BEGIN");
        conn.query_drop(insert).await.expect("an insert");
        let read =
            "SELECT DISTINCT name FROM users WHERE user_id IN (9001, 9009, 9014) ORDER BY user_id";
        let names: Vec<String> = conn.query(read.replace("DISTINCT ", "")).await.expect("rows");
        assert_eq!(names.len(), 3);
        assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
        conn.query_drop("ROLLBACK").await.expect("ROLLBACK");
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
