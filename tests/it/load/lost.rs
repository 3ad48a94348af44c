//! Files that don't arrive whole, servers that fail within one, transactions around it.

use std::time::Duration;

use futures_util::StreamExt as _;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, TxOpts};

use super::{alone, block_on, kinds, load};

const INTO: &str = "LOAD DATA LOCAL INFILE 'f' INTO TABLE t (id, name)";

/// Lines of rows, with numbers from one on.
fn lines(count: usize) -> Vec<u8> {
    (1..=count).map(|id| format!("{id}\tname {id}\n")).collect::<String>().into_bytes()
}

async fn count(conn: &mut Conn) -> u64 {
    conn.query_first("SELECT count(*) FROM t").await.unwrap().unwrap()
}

#[test]
fn a_transaction_holds_what_was_loaded_and_goes_on_after_an_error() {
    let _alone = alone();
    for loads in kinds() {
        block_on(async {
            let mut weir = loads.weir().await;
            weir.query_drop("DELETE FROM t").await.unwrap();
            let mut opened = weir.start_transaction(TxOpts::default()).await.unwrap();
            opened.query_drop("INSERT INTO t (id, name) VALUES (900, 'before')").await.unwrap();
            opened.rollback().await.unwrap();
            for (end, expected) in [("ROLLBACK", 0), ("COMMIT", 301)] {
                weir.query_drop("BEGIN").await.unwrap();
                weir.query_drop("INSERT INTO t (id, name) VALUES (900, 'before')").await.unwrap();
                let seen = load(&mut weir, INTO, &lines(300), "t").await;
                assert_eq!(seen.affected, 300);
                let mut bad = lines(20);
                bad.extend_from_slice(b"12q3.4e\tno number\n");
                let seen =
                    load(&mut weir, &INTO.replace(" INTO", " REPLACE INTO"), &bad, "t").await;
                assert!(seen.error.unwrap().1.contains("[weir:load_data_key]"));
                assert_eq!(seen.rows.len(), 301, "the statement alone is undone");
                weir.query_drop(end).await.unwrap();
                assert_eq!(count(&mut weir).await, expected, "{end}");
            }
            weir.query_drop("DELETE FROM t").await.unwrap();
        });
    }
}

#[test]
fn a_server_that_refuses_in_the_middle_leaves_nothing() {
    let _alone = alone();
    for loads in kinds() {
        let server = &loads.rig.groups[1].primary;
        // What the test before has left.
        block_on(async { loads.weir().await.query_drop("DELETE FROM t").await.unwrap() });
        server.execute("RENAME TABLE load_1.t_3 TO load_1.t_gone");
        let left = block_on(async {
            let mut weir = loads.weir().await;
            let file = lines(200_000);
            weir.set_infile_handler(async move {
                let chunks: Vec<_> =
                    file.chunks(65536).map(|one| Ok(one.to_vec().into())).collect();
                Ok(futures_util::stream::iter(chunks).boxed())
            });
            let error = weir.query_drop(INTO).await.unwrap_err().to_string();
            assert!(error.contains("1146"), "{error}");
            let left: Vec<u64> =
                weir.query("SELECT id FROM t WHERE id IN (1, 2, 4)").await.unwrap();
            left
        });
        server.execute("RENAME TABLE load_1.t_gone TO load_1.t_3");
        assert!(left.is_empty(), "{left:?}");
        block_on(async {
            let mut weir = loads.weir().await;
            assert_eq!(count(&mut weir).await, 0);
        });
    }
}

#[test]
fn a_client_that_leaves_within_its_file_leaves_nothing_and_kill_query_is_heard() {
    let _alone = alone();
    for loads in kinds() {
        block_on(async {
            let mut weir = loads.weir().await;
            weir.query_drop("DELETE FROM t").await.unwrap();
            for kills in [false, true] {
                let mut other = loads.weir().await;
                let id: Option<u64> = other.query_first("SELECT CONNECTION_ID()").await.unwrap();
                let (file, (told, wait)) = (lines(20_000), tokio::sync::oneshot::channel::<()>());
                other.set_infile_handler(async move {
                    let first = futures_util::stream::once(async move { Ok(file.into()) });
                    let rest = futures_util::stream::once(async move {
                        let _ = wait.await;
                        Ok(b"900000\tlast\n".to_vec().into())
                    });
                    Ok(first.chain(rest).boxed())
                });
                let task = tokio::spawn(async move { (other.query_drop(INTO).await, other) });
                tokio::time::sleep(Duration::from_millis(1500)).await;
                if kills {
                    weir.query_drop(format!("KILL QUERY {}", id.unwrap())).await.unwrap();
                    told.send(()).unwrap();
                    let (done, mut other) = task.await.unwrap();
                    let error = done.unwrap_err().to_string();
                    assert!(error.contains("1317"), "{error}");
                    let alive: Option<u8> = other.query_first("SELECT 5").await.unwrap();
                    assert_eq!(alive, Some(5));
                } else {
                    task.abort();
                    let _ = task.await;
                }
                let mut left = 1;
                for _ in 0..100 {
                    left = count(&mut weir).await;
                    if left == 0 {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                assert_eq!(left, 0, "kills: {kills}");
                // Nothing holds a lock on what was half loaded.
                weir.query_drop("SET innodb_lock_wait_timeout = 30").await.unwrap();
                weir.query_drop("INSERT INTO t (id) VALUES (1), (2), (3), (4)").await.unwrap();
                weir.query_drop("DELETE FROM t").await.unwrap();
            }
        });
    }
}

#[test]
fn variables_of_a_file_are_the_sessions_and_nobody_elses() {
    let _alone = alone();
    for loads in kinds() {
        block_on(async {
            let mut weir = loads.weir().await;
            weir.query_drop("DELETE FROM t").await.unwrap();
            weir.query_drop("SET @v = 'before'").await.unwrap();
            let sql = "LOAD DATA LOCAL INFILE 'f' INTO TABLE t (id, @v) SET name = @v";
            let seen = load(&mut weir, sql, b"1\ta\n2\tb\n3\tc\n", "t").await;
            assert_eq!(seen.rows.len(), 3);
            let v: Option<String> = weir.query_first("SELECT @v").await.unwrap();
            assert_eq!(v.as_deref(), Some("c"));
            for shard in 1..=4 {
                let mut other = loads.weir().await;
                let sql = format!("SELECT @v FROM t WHERE id = {shard} UNION ALL SELECT @v");
                let seen: Vec<Option<String>> = other.query(sql).await.unwrap();
                assert!(seen.iter().all(Option::is_none), "{seen:?}");
            }
            weir.query_drop("DELETE FROM t").await.unwrap();
        });
    }
}

#[test]
fn fifty_megabytes_go_through_in_bounded_memory() {
    let _alone = alone();
    let Some(loads) = kinds().into_iter().next() else { return };
    let peak = || {
        let pid = loads.proxy.pid().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = peak();
    block_on(async {
        let mut weir = loads.weir().await;
        weir.query_drop("DELETE FROM t").await.unwrap();
        weir.set_infile_handler(async move {
            let filler = "x".repeat(85);
            let chunks = (0..1000u32).map(move |chunk| {
                let line = |row: u32| format!("{}\t{filler}\n", chunk * 500 + row);
                Ok((0..500).map(line).collect::<String>().into_bytes().into())
            });
            Ok(futures_util::stream::iter(chunks).boxed())
        });
        weir.query_drop("LOAD DATA LOCAL INFILE 'f' INTO TABLE t (id, @x)").await.unwrap();
        assert_eq!(weir.affected_rows(), 500_000);
        assert_eq!(count(&mut weir).await, 500_000);
        weir.query_drop("DELETE FROM t").await.unwrap();
    });
    let grown = peak() - before;
    assert!(grown < 24 << 10, "{grown} KiB more");
}
