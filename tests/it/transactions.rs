//! Transactions over groups against real servers of both kinds: what one plain server would do.
//!
//! Owns: commits, rollbacks, savepoints, statement atomicity and errors while everybody lives;
//! crashes are the fault harness's.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use crate::support::rig::{self, Rig};
use crate::support::sql::{self, blocking};

type Outcome = Result<(), mysql_async::Error>;

/// Runs a check through Weir on every kind of server that can be had. Each check has keys of its
/// own: `base + n` for n below 16 is shard n, 0 to 7 on g0 and 8 to 15 on g1.
fn on_each<F>(base: u64, check: F)
where
    F: AsyncFn(&mut Conn, &Rig) -> Outcome + Sync,
{
    assert_eq!(base % 16, 0);
    // Ranges lock their neighbours' rows, and rows are committed that others count: one at a time.
    let _quiet = rig::quiet();
    let rigs = rig::shared_kinds();
    assert!(!rigs.is_empty(), "no server at all");
    for rig in rigs {
        blocking(&rig.url(), async |conn| {
            conn.query_drop("SET SESSION innodb_lock_wait_timeout = 5")
                .await
                .map_err(|e| e.to_string())?;
            for key in base..base + 16 {
                conn.query_drop(insert(key)).await.map_err(|error| error.to_string())?;
            }
            let outcome = check(conn, rig).await.map_err(|error| error.to_string());
            drop(conn.query_drop("ROLLBACK").await);
            outcome?;
            let end = base + 16;
            let clean = format!("DELETE FROM users WHERE user_id >= {base} AND user_id < {end}");
            conn.query_drop(clean).await.map_err(|error| error.to_string())
        })
        .unwrap_or_else(|error| panic!("{error}"));
        // Other files' tests commit meanwhile: theirs pass.
        let start = std::time::Instant::now();
        while !prepared(rig).is_empty() {
            let waited = start.elapsed();
            assert!(waited.as_secs() < 10, "branches are left: {:?}", prepared(rig));
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

fn insert(key: u64) -> String {
    format!(
        "REPLACE INTO users (user_id, name, email, region_id, registered_at, balance) \
         VALUES ({key}, 'x', 'x', 1, '2024-01-01', 100)"
    )
}

fn pay(key: u64, amount: i64) -> String {
    format!("UPDATE users SET balance = balance + {amount} WHERE user_id = {key}")
}

/// What XA RECOVER lists of Weir's on the groups' primaries.
fn prepared(rig: &Rig) -> Vec<Vec<String>> {
    let ask =
        |group: &rig::Group| sql::query(&group.primary.url("root"), "XA RECOVER").expect("rows");
    rig.groups.iter().flat_map(ask).filter(|row| row[3].starts_with("weir:weir:")).collect()
}

fn errno(error: &mysql_async::Error) -> u16 {
    match error {
        mysql_async::Error::Server(error) => error.code,
        other => panic!("not a server's error: {other}"),
    }
}

async fn other(rig: &Rig) -> Conn {
    Conn::new(Opts::from_url(&rig.url()).expect("a URL")).await.expect("a second client")
}

async fn balances(conn: &mut Conn, keys: &[u64]) -> Vec<i64> {
    let mut found = Vec::new();
    for key in keys {
        let sql = format!("SELECT CAST(balance AS SIGNED) FROM users WHERE user_id = {key}");
        found.push(conn.query_first::<i64, _>(sql).await.expect("a row").unwrap_or(-1));
    }
    found
}

#[test]
fn a_transaction_over_two_groups_commits_and_rolls_back_as_one() {
    on_each(920_000, async |conn, rig| {
        let (a, b) = (920_001, 920_009);
        let mut watcher = other(rig).await;
        conn.query_drop("BEGIN").await?;
        conn.query_drop(pay(a, -30)).await?;
        conn.query_drop(pay(b, 30)).await?;
        assert_eq!(balances(conn, &[a, b]).await, [70, 130], "its own rows");
        assert_eq!(balances(&mut watcher, &[a, b]).await, [100, 100], "nobody else's");
        conn.query_drop("COMMIT").await?;
        assert_eq!(balances(&mut watcher, &[a, b]).await, [70, 130]);

        conn.query_drop("START TRANSACTION").await?;
        conn.query_drop(pay(b, -1)).await?;
        conn.query_drop(pay(a, 1)).await?;
        conn.query_drop("ROLLBACK").await?;
        assert_eq!(balances(conn, &[a, b]).await, [70, 130]);

        // Read here, written there: one phase, and the reading branch is rolled back.
        for (read, write) in [(a, b), (b, a)] {
            conn.query_drop("BEGIN").await?;
            assert_eq!(balances(conn, &[read]).await.len(), 1);
            conn.query_drop(pay(write, 5)).await?;
            conn.query_drop("COMMIT").await?;
        }
        assert_eq!(balances(&mut watcher, &[a, b]).await, [75, 135]);
        watcher.disconnect().await
    });
}

#[test]
fn a_statement_over_groups_is_all_or_nothing_in_autocommit() {
    on_each(920_112, async |conn, _| {
        let keys: Vec<u64> = (920_112..920_128).collect();
        assert_eq!(keys[0] % 16, 0);
        conn.query_drop("UPDATE users SET balance = 7 WHERE user_id BETWEEN 920112 AND 920127")
            .await?;
        conn.query_drop("DELETE FROM users WHERE user_id BETWEEN 920112 AND 920127").await?;
        let rows: Vec<String> =
            keys.iter().map(|key| format!("({key}, 'y', 'y', 1, NOW())")).collect();
        let insert = |rows: &[String]| {
            let rows = rows.join(",");
            format!(
                "INSERT INTO users (user_id, name, email, region_id, registered_at) VALUES {rows}"
            )
        };
        conn.query_drop(insert(&rows)).await?;
        assert_eq!(conn.affected_rows(), 16);
        conn.query_drop("DELETE FROM users WHERE user_id BETWEEN 920112 AND 920127").await?;
        assert_eq!(conn.affected_rows(), 16);
        // The last row is there already: none of the others may stay.
        conn.query_drop(insert(&rows[15..])).await?;
        let refused = conn.query_drop(insert(&rows)).await.unwrap_err();
        assert_eq!(errno(&refused), 1062, "{refused}");
        let count: Option<u64> = conn
            .query_first("SELECT COUNT(*) FROM users WHERE user_id BETWEEN 920112 AND 920127")
            .await?;
        assert_eq!(count, Some(1));
        conn.query_drop("DELETE FROM users WHERE user_id = 920127").await
    });
}

#[test]
fn a_failing_statement_undoes_itself_and_leaves_the_transaction_alive() {
    on_each(920_160, async |conn, _| {
        conn.query_drop("BEGIN").await?;
        conn.query_drop(pay(920_161, 1)).await?;
        conn.query_drop("DELETE FROM users WHERE user_id IN (920162, 920163, 920170)").await?;
        let rows =
            [920_162, 920_163, 920_170, 920_171].map(|key| format!("({key}, 'n', 'n', 1, NOW())"));
        let insert = format!(
            "INSERT INTO users (user_id, name, email, region_id, registered_at) VALUES {}",
            rows.join(",")
        );
        let refused = conn.query_drop(&insert).await.unwrap_err();
        assert_eq!(errno(&refused), 1062, "{refused}");
        assert_eq!(balances(conn, &[920_162, 920_163, 920_170]).await, [-1, -1, -1]);
        conn.query_drop(pay(920_172, 2)).await?;
        conn.query_drop("COMMIT").await?;
        let keys = [920_161, 920_162, 920_163, 920_170, 920_171, 920_172];
        assert_eq!(balances(conn, &keys).await, [101, -1, -1, -1, 100, 102]);
        Ok(())
    });
}

#[test]
fn savepoints_hold_on_every_group_also_on_one_that_joins_later() {
    on_each(920_208, async |conn, _| {
        let (a, b) = (920_209, 920_217);
        conn.query_drop("BEGIN").await?;
        conn.query_drop(pay(a, 1)).await?;
        conn.query_drop("SAVEPOINT one").await?;
        conn.query_drop(pay(a, 10)).await?;
        conn.query_drop(pay(b, 10)).await?;
        conn.query_drop("SAVEPOINT two").await?;
        conn.query_drop(pay(b, 100)).await?;
        conn.query_drop("ROLLBACK TO SAVEPOINT TWO").await?;
        assert_eq!(balances(conn, &[a, b]).await, [111, 110]);
        conn.query_drop("ROLLBACK TO one").await?;
        assert_eq!(balances(conn, &[a, b]).await, [101, 100]);
        let gone = conn.query_drop("ROLLBACK TO two").await.unwrap_err();
        assert_eq!(errno(&gone), 1305);
        conn.query_drop("RELEASE SAVEPOINT one").await?;
        conn.query_drop(pay(b, 5)).await?;
        conn.query_drop("COMMIT").await?;
        assert_eq!(balances(conn, &[a, b]).await, [101, 105]);
        Ok(())
    });
}

#[test]
fn autocommit_off_spans_groups_from_the_first_statement() {
    on_each(920_256, async |conn, rig| {
        let (a, b) = (920_257, 920_265);
        let mut watcher = other(rig).await;
        conn.query_drop("SET autocommit = 0").await?;
        let count: Option<u64> = conn
            .query_first("SELECT COUNT(*) FROM users WHERE user_id BETWEEN 920256 AND 920271")
            .await?;
        assert_eq!(count, Some(16));
        conn.query_drop("UPDATE users SET balance = 1 WHERE user_id BETWEEN 920256 AND 920271")
            .await?;
        assert_eq!(balances(&mut watcher, &[a, b]).await, [100, 100]);
        conn.query_drop("ROLLBACK").await?;
        assert_eq!(balances(conn, &[a, b]).await, [100, 100]);
        conn.query_drop(pay(a, 1)).await?;
        conn.query_drop(pay(b, 1)).await?;
        // Turning it on commits.
        conn.query_drop("SET autocommit = 1").await?;
        assert_eq!(balances(&mut watcher, &[a, b]).await, [101, 101]);
        watcher.disconnect().await
    });
}

#[test]
fn characteristics_reach_every_group() {
    on_each(920_304, async |conn, rig| {
        let (a, b) = (920_305, 920_313);
        let mut writer = other(rig).await;
        conn.query_drop("START TRANSACTION READ ONLY").await?;
        assert_eq!(balances(conn, &[a, b]).await, [100, 100]);
        for key in [a, b] {
            let refused = conn.query_drop(pay(key, 1)).await.unwrap_err();
            assert_eq!(errno(&refused), 1792);
        }
        conn.query_drop("COMMIT").await?;
        // Each group's snapshot stands from its first read; READ COMMITTED has none.
        for (level, sees) in [("REPEATABLE READ", [100, 100]), ("READ COMMITTED", [101, 101])] {
            conn.query_drop(format!("SET TRANSACTION ISOLATION LEVEL {level}")).await?;
            conn.query_drop("START TRANSACTION").await?;
            assert_eq!(balances(conn, &[a, b]).await, [100, 100]);
            writer.query_drop(pay(a, 1)).await?;
            writer.query_drop(pay(b, 1)).await?;
            assert_eq!(balances(conn, &[a, b]).await, sees, "{level}");
            conn.query_drop("COMMIT AND CHAIN").await?;
            assert_eq!(balances(conn, &[a, b]).await, [101, 101], "{level}");
            conn.query_drop("ROLLBACK AND NO CHAIN").await?;
            writer.query_drop(pay(a, -1)).await?;
            writer.query_drop(pay(b, -1)).await?;
        }
        // A statement in autocommit is the next transaction, on each group.
        writer.query_drop("BEGIN").await?;
        for key in [a, b] {
            writer.query_drop(pay(key, 7)).await?;
        }
        conn.query_drop("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED").await?;
        let both =
            format!("SELECT CAST(SUM(balance) AS SIGNED) FROM users WHERE user_id IN ({a}, {b})");
        let sums = [conn.query_first(&both).await?, conn.query_first(&both).await?];
        assert_eq!(sums, [Some(214), Some(200)]);
        writer.query_drop("ROLLBACK").await?;
        conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT").await?;
        assert_eq!(balances(conn, &[a, b]).await, [100, 100]);
        conn.query_drop(pay(b, 1)).await?;
        conn.query_drop("COMMIT").await?;
        assert_eq!(balances(&mut writer, &[a, b]).await, [100, 101]);
        writer.disconnect().await
    });
}

#[test]
fn a_deadlock_in_a_branch_rolls_back_every_group() {
    on_each(920_352, async |conn, rig| {
        let (a, b, c) = (920_353, 920_361, 920_362);
        let mut rival = other(rig).await;
        rival.query_drop("BEGIN").await?;
        // The heavier transaction survives a deadlock.
        rival
            .query_drop("UPDATE users SET email = 'h' WHERE user_id IN (920363, 920364, 920365)")
            .await?;
        conn.query_drop("BEGIN").await?;
        conn.query_drop(pay(a, 1)).await?;
        conn.query_drop(pay(b, 1)).await?;
        rival.query_drop(pay(c, 1)).await?;
        let (mine, theirs) = tokio::join!(conn.query_drop(pay(c, 1)), rival.query_drop(pay(b, 1)));
        assert!(mine.is_err() != theirs.is_err(), "{mine:?} {theirs:?}");
        let (loser, winner, error) = match (mine, theirs) {
            (Err(error), _) => (conn, &mut rival, error),
            (_, Err(error)) => (&mut rival, conn, error),
            _ => unreachable!(),
        };
        assert_eq!(errno(&error), 1213);
        winner.query_drop("COMMIT").await?;
        // The loser's transaction is over: what follows is in autocommit.
        loser.query_drop(pay(a, 50)).await?;
        loser.query_drop("ROLLBACK").await?;
        let found = balances(winner, &[a, b, c]).await;
        assert!(
            found == [150, 101, 101]
                || found == [151, 102, 102]
                || found == [150, 101, 102]
                || found == [151, 101, 101],
            "{found:?}"
        );
        rival.disconnect().await
    });
}

#[test]
fn a_deadlock_over_groups_is_broken_within_about_a_second() {
    on_each(920_400, async |conn, rig| {
        let (a, b) = (920_401, 920_409);
        let mut rival = other(rig).await;
        rival.query_drop("SET SESSION innodb_lock_wait_timeout = 20").await?;
        conn.query_drop("SET SESSION innodb_lock_wait_timeout = 20").await?;
        for client in [&mut *conn, &mut rival] {
            client.query_drop("BEGIN").await?;
        }
        conn.query_drop(pay(a, 1)).await?;
        rival.query_drop(pay(b, 10)).await?;
        // Both touch both groups, so that the last wait is over groups.
        let free = [920_410, 920_402];
        assert_eq!(balances(conn, &free[..1]).await, [100]);
        assert_eq!(balances(&mut rival, &free[1..]).await, [100]);
        let start = std::time::Instant::now();
        let (mine, theirs) = tokio::join!(conn.query_drop(pay(b, 1)), rival.query_drop(pay(a, 10)));
        let took = start.elapsed();
        assert!(took.as_millis() < 4000, "{took:?}");
        let (winner, error) = match (mine, theirs) {
            (Ok(()), Err(error)) => (conn, error),
            (Err(error), Ok(())) => (&mut rival, error),
            other => panic!("{other:?}"),
        };
        assert_eq!(errno(&error), 1213, "{error}");
        winner.query_drop("COMMIT").await?;
        let found = balances(winner, &[a, b]).await;
        assert!(found == [101, 101] || found == [110, 110], "{found:?}");
        rival.disconnect().await
    });
}

#[test]
fn a_prepared_branch_of_nobody_is_resolved_and_foreign_ones_are_left_alone() {
    on_each(920_448, async |conn, rig| {
        // So that the anchor's commit table is there.
        conn.query_drop("BEGIN").await?;
        conn.query_drop(pay(920_449, 1)).await?;
        conn.query_drop(pay(920_457, 1)).await?;
        conn.query_drop("COMMIT").await?;
        let servers = [&rig.groups[0].primary, &rig.groups[1].primary];
        let instance = servers[0]
            .query("SELECT members FROM weir.weir_commit WHERE id = 'instance'")
            .expect("the table's name")[0][0]
            .clone();
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let ours = format!("weir:weir:fff-1:1:{now:x}");
        let other = format!("weir:elsewhere:fff-1:1:{now:x}");
        let qualifier = format!("{instance}:7fffffff:7fffffff:g0");
        let prepare = |first: &str, second: &str, format: u64, key: u64| {
            let id = format!("'{first}','{second}',{format}");
            let shard = key % 16;
            let statements = [
                format!("XA START {id}"),
                format!(
                    "UPDATE shop_000{}.users_00{shard:02} SET balance = 1 WHERE user_id = {key}",
                    shard / 4
                ),
                format!("XA END {id}"),
                format!("XA PREPARE {id}"),
            ];
            let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
            sql::execute(&servers[1].url("root"), &statements).expect("a prepared branch");
        };
        prepare(&ours, &qualifier, 1_464_158_546, 920_456);
        prepare(&other, &qualifier, 1_464_158_546, 920_458);
        prepare("their own", "branch", 1, 920_459);
        let listed = |text: &str| {
            let rows = servers[1].query("XA RECOVER").expect("rows");
            rows.iter().any(|row| row[3].starts_with(text))
        };
        let start = std::time::Instant::now();
        while listed(&ours) {
            assert!(start.elapsed().as_secs() < 40, "it is still there");
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        // Nobody had committed it: it was rolled back, and can't be committed any more.
        let verdict = servers[0]
            .query(&format!("SELECT verdict FROM weir.weir_commit WHERE id = '{ours}'"))
            .expect("rows");
        assert_eq!(verdict, [["A"]]);
        assert!(listed(&other) && listed("their own"), "others' are left alone");
        for (first, second, format) in
            [(&*other, &*qualifier, 1_464_158_546), ("their own", "branch", 1)]
        {
            servers[1].execute(&format!("XA ROLLBACK '{first}','{second}',{format}"));
        }
        assert_eq!(balances(conn, &[920_456]).await, [100]);
        Ok(())
    });
}

#[test]
fn consistent_reads_never_show_half_of_a_commit() {
    on_each(920_496, async |conn, rig| {
        let (a, b) = (920_497, 920_505);
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (url, stopped) = (rig.url(), stop.clone());
        let writer = std::thread::spawn(move || {
            blocking(&url, async |conn| {
                let (mut moved, mut amount) = (0u32, 1);
                while !stopped.load(std::sync::atomic::Ordering::SeqCst) {
                    let mut outcome = conn.query_drop("BEGIN").await;
                    for (key, sign) in [(a, 1), (b, -1)] {
                        if outcome.is_ok() {
                            outcome = conn.query_drop(pay(key, sign * amount)).await;
                        }
                    }
                    let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
                    if conn.query_drop(end).await.is_ok() && end == "COMMIT" {
                        moved += 1;
                    }
                    amount = -amount;
                }
                Ok(moved)
            })
        });
        let what = format!("CAST(balance AS SIGNED) FROM users WHERE user_id IN ({a}, {b})");
        let hinted = format!("SELECT /*+ weir: consistent_reads */ {what}");
        let start = std::time::Instant::now();
        while start.elapsed().as_millis() < 1500 {
            match conn.query::<i64, _>(&hinted).await {
                Ok(found) => assert_eq!(found.iter().sum::<i64>(), 200),
                Err(error) => assert!(matches!(errno(&error), 1205 | 1213), "{error}"),
            }
        }
        conn.query_drop("SET weir_consistent_reads = 1").await?;
        let sum = format!("SELECT {what}");
        let start = std::time::Instant::now();
        let mut reads = 0;
        while start.elapsed().as_millis() < 2500 {
            match conn.query::<i64, _>(&sum).await {
                Ok(found) => assert_eq!(found.iter().sum::<i64>(), 200),
                Err(error) => assert!(matches!(errno(&error), 1205 | 1213), "{error}"),
            }
            reads += 1;
            if reads % 3 == 0 {
                conn.query_drop("BEGIN").await?;
                let mut both = Vec::new();
                for key in [a, b] {
                    let one =
                        format!("SELECT CAST(balance AS SIGNED) FROM users WHERE user_id = {key}");
                    both.push(conn.query_first::<i64, _>(one).await.ok().flatten());
                }
                if let [Some(one), Some(two)] = both[..] {
                    assert_eq!(one + two, 200);
                }
                conn.query_drop("ROLLBACK").await?;
            }
        }
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        let moved = writer.join().expect("the writer").expect("its statements");
        assert!(reads > 3 && moved > 3, "{reads} reads beside {moved} transfers");
        conn.query_drop("SET weir_consistent_reads = 0").await
    });
}

#[test]
fn a_clients_own_xa_branch_works_on_one_group() {
    on_each(920_544, async |conn, rig| {
        let (a, b) = (920_545, 920_553);
        let id = format!("'own{}','b'", rig.proxy.port);
        conn.query_drop(format!("XA START {id}")).await?;
        conn.query_drop(pay(b, 1)).await?;
        let refused = conn.query_drop(pay(a, 1)).await.unwrap_err();
        assert_eq!(errno(&refused), 1235, "{refused}");
        let refused = conn.query_drop("COMMIT").await.unwrap_err();
        assert_eq!(errno(&refused), 1399, "{refused}");
        conn.query_drop(format!("XA END {id}")).await?;
        conn.query_drop(format!("XA PREPARE {id}")).await?;
        let listed: Vec<(i64, i64, i64, String)> = conn.query("XA RECOVER").await?;
        assert!(listed.iter().any(|row| row.3.starts_with("own")), "{listed:?}");
        assert!(listed.iter().all(|row| row.0 != 1_464_158_546), "{listed:?}");
        conn.query_drop(format!("XA COMMIT {id}")).await?;
        assert_eq!(balances(conn, &[a, b]).await, [100, 101]);
        // A branch that another session prepared is found wherever it is.
        let mut other = other(rig).await;
        for sql in [
            format!("XA START {id}"),
            pay(b, 10),
            format!("XA END {id}"),
            format!("XA PREPARE {id}"),
        ] {
            other.query_drop(sql).await?;
        }
        other.disconnect().await?;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        conn.query_drop(format!("XA COMMIT {id}")).await?;
        assert_eq!(balances(conn, &[a, b]).await, [100, 111]);
        let unknown = conn.query_drop(format!("XA ROLLBACK {id}")).await.unwrap_err();
        assert_eq!(errno(&unknown), 1397);
        // Weir's own are out of reach.
        let weirs = conn.query_drop("XA ROLLBACK 'x','y',1464158546").await.unwrap_err();
        assert_eq!(errno(&weirs), 1397);
        Ok(())
    });
}

#[test]
fn a_dead_pooled_connection_costs_a_transaction_nothing() {
    on_each(920_592, async |_, rig| {
        let (a, b) = (920_593, 920_601);
        // A Weir of its own: nobody else's connections are in its pools.
        let (proxy, _rules) = rig.another(&[]).expect("another Weir");
        let mut conn = Conn::new(Opts::from_url(&proxy.url("shop")).expect("a URL")).await?;
        for round in 1..=8 {
            let mut idle = Vec::new();
            for key in [a, b] {
                let own = format!("SELECT @@pseudo_thread_id FROM users WHERE user_id = {key}");
                idle.push(conn.query_first::<u64, _>(own).await?.expect("a row"));
            }
            // The anchor's dies before BEGIN, or the branch's after it.
            let (early, late) = (round % 2 == 0, round % 3 != 0);
            if early {
                sql::execute(&rig.groups[0].primary.url("root"), &[&format!("KILL {}", idle[0])])
                    .ok();
            }
            conn.query_drop("BEGIN").await?;
            conn.query_drop(pay(a, -1)).await?;
            if late {
                sql::execute(&rig.groups[1].primary.url("root"), &[&format!("KILL {}", idle[1])])
                    .ok();
            }
            conn.query_drop(pay(b, 1)).await?;
            conn.query_drop("COMMIT").await?;
            assert_eq!(balances(&mut conn, &[a, b]).await, [100 - round, 100 + round]);
        }
        conn.disconnect().await
    });
}

#[test]
fn the_rules_say_what_a_transaction_over_groups_may_be() {
    on_each(920_640, async |_, rig| {
        let (a, b) = (920_641, 920_649);
        for (mode, refused) in [("single", true), ("best_effort", false)] {
            let (proxy, rules) = rig.another(&[]).expect("another Weir");
            let path = std::fs::read_dir(&rules)
                .expect("the rules")
                .flatten()
                .map(|entry| entry.path())
                .find(|path| {
                    std::fs::read_to_string(path)
                        .is_ok_and(|text| text.contains("default_group: g0"))
                })
                .expect("the schema's file");
            let text = std::fs::read_to_string(&path).expect("the schema");
            let with = text.replace(
                "    default_group: g0",
                &format!("    transactions: {mode}\n    default_group: g0"),
            );
            std::fs::write(&path, with).expect("the edited schema");
            proxy.admin("RELOAD").expect("a reload");
            let mut conn = Conn::new(Opts::from_url(&proxy.url("shop")).expect("a URL")).await?;
            conn.query_drop("BEGIN").await?;
            conn.query_drop(pay(a, 1)).await?;
            let second = conn.query_drop(pay(b, 1)).await;
            if refused {
                let error = second.unwrap_err();
                assert!(error.to_string().contains("transaction_second_group"), "{error}");
                // It is still open on its group.
                conn.query_drop(pay(a, 1)).await?;
                conn.query_drop("COMMIT").await?;
                let both =
                    format!("UPDATE users SET balance = balance WHERE user_id IN ({a}, {b})");
                let error = conn.query_drop(both).await.unwrap_err();
                assert!(error.to_string().contains("transaction_second_group"), "{error}");
                assert_eq!(balances(&mut conn, &[a, b]).await, [102, 100]);
            } else {
                second?;
                conn.query_drop("ROLLBACK").await?;
                assert_eq!(balances(&mut conn, &[a, b]).await, [102, 100]);
                conn.query_drop("BEGIN").await?;
                conn.query_drop(pay(a, 1)).await?;
                conn.query_drop(pay(b, 1)).await?;
                conn.query_drop("COMMIT").await?;
                assert_eq!(balances(&mut conn, &[a, b]).await, [103, 101]);
            }
            conn.disconnect().await?;
        }
        Ok(())
    });
}

#[test]
fn a_transaction_ends_with_its_time() {
    on_each(920_656, async |own, rig| {
        let (a, b) = (920_657, 920_665);
        let settings = [("timeouts", "transaction: 1s".to_string())];
        let (proxy, _rules) = rig.another(&settings).expect("another Weir");
        let opts = Opts::from_url(&proxy.url("shop")).expect("a URL");
        // Idle, and with a statement under way; a short transaction is left alone.
        for wait in ["DO 1", "SELECT SLEEP(20) FROM users WHERE user_id = 920657"] {
            let mut conn = Conn::new(opts.clone()).await?;
            conn.query_drop("BEGIN").await?;
            conn.query_drop(pay(a, 0)).await?;
            conn.query_drop("COMMIT").await?;
            conn.query_drop("BEGIN").await?;
            conn.query_drop(pay(a, 1)).await?;
            conn.query_drop(pay(b, 1)).await?;
            let began = std::time::Instant::now();
            let mut ended = conn.query_drop(wait).await;
            if ended.is_ok() {
                tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
                ended = conn.query_drop("COMMIT").await;
            }
            assert!(ended.is_err(), "{wait}");
            assert!(began.elapsed() < std::time::Duration::from_secs(10), "{wait}");
            let said = ended.map_err(|error| error.to_string());
            assert!(
                conn.query_drop("DO 1").await.is_err(),
                "{wait}: the session is closed: {said:?}"
            );
            assert_eq!(balances(own, &[a, b]).await, [100, 100], "{wait}");
            own.query_drop(pay(a, 0)).await?;
        }
        Ok(())
    });
}

/// `weir xa …` with what the rig's rules read from the environment.
fn xa(rig: &Rig, arguments: &[&str]) -> (bool, String) {
    let program = crate::support::proxy::program().expect("weir");
    let mut command = std::process::Command::new(program);
    command.arg("xa").args(arguments).arg("--rules").arg(&rig.rules);
    command.env("WEIR_DATA_PASSWORD", "weir").env("WEIR_CONTROL_PASSWORD", "weir_control");
    for (number, group) in rig.groups.iter().enumerate() {
        command.env(format!("WEIR_G{number}_PRIMARY"), group.primary.address());
    }
    let output = command.output().expect("weir xa runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn operators_see_transactions_and_resolve_what_nobody_can() {
    on_each(920_688, async |conn, rig| {
        let (a, b) = (920_689, 920_697);
        conn.query_drop("BEGIN").await?;
        conn.query_drop(pay(a, 1)).await?;
        conn.query_drop(pay(b, 1)).await?;
        let client = conn.id().to_string();
        let rows = rig.proxy.admin("SHOW TRANSACTIONS").expect("a table");
        let own = rows.iter().find(|row| row[1] == client).expect("this transaction");
        assert!(own[0].starts_with("weir:weir:"), "{own:?}");
        assert_eq!((&*own[3], &*own[4]), ("open", "g0, g1"));
        conn.query_drop("COMMIT").await?;
        let rows = rig.proxy.admin("SHOW TRANSACTIONS").expect("a table");
        assert!(rows.iter().all(|row| row[1] != client), "{rows:?}");

        // Its anchor's commit table is nobody's: recovery leaves it, and an operator decides.
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let id = format!("weir:weir:ffe-1:1:{now:x}");
        let literal = format!("'{id}','0000000000000001:7fffffff:7fffffff:gone',1464158546");
        let statements = [
            format!("XA START {literal}"),
            format!("UPDATE shop_0002.users_0009 SET balance = 1 WHERE user_id = {b}"),
            format!("XA END {literal}"),
            format!("XA PREPARE {literal}"),
        ];
        let server = &rig.groups[1].primary;
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        sql::execute(&server.url("root"), &statements).expect("a prepared branch");
        let (done, text) = xa(rig, &["list"]);
        assert!(done && text.contains(&id) && text.contains("gone"), "{text}");
        let (done, text) = xa(rig, &["resolve", &id]);
        assert!(!done && text.contains("no reachable group"), "{text}");
        let (done, text) = xa(rig, &["resolve", &id, "--decide", "rollback"]);
        assert!(done && text.contains("g1: rolled back"), "{text}");
        let (done, text) = xa(rig, &["resolve", &id]);
        assert!(!done && text.contains("has no prepared branch"), "{text}");
        assert_eq!(balances(conn, &[b]).await, [101]);
        Ok(())
    });
}

#[test]
fn what_can_not_span_groups_is_refused_and_the_transaction_stays() {
    on_each(920_736, async |conn, rig| {
        let (a, b) = (920_737, 920_745);
        // A procedure might commit one group's part alone.
        conn.query_drop(
            "CREATE PROCEDURE weir_trap() UPDATE coupons SET percent = percent WHERE FALSE",
        )
        .await?;
        conn.query_drop("BEGIN").await?;
        conn.query_drop(pay(a, 1)).await?;
        conn.query_drop("CALL weir_trap()").await?;
        conn.query_drop(pay(b, 1)).await?;
        let refused = conn.query_drop("CALL weir_trap()").await.unwrap_err();
        assert_eq!(errno(&refused), 1235, "{refused}");
        assert!(refused.to_string().contains("procedure"), "{refused}");
        conn.query_drop("COMMIT").await?;
        assert_eq!(balances(conn, &[a, b]).await, [101, 101]);
        conn.query_drop("DROP PROCEDURE weir_trap").await?;

        // What isn't in the binary log isn't on a replica that is promoted (mysql-traps 6). The
        // clients' account has no right to say so, and its server says that first.
        let denied = conn.query_drop("SET SESSION sql_log_bin = 0").await.unwrap_err();
        assert_eq!(errno(&denied), 1227, "{denied}");

        // A temporary table stays beside a transaction over groups: before, in and after it.
        conn.query_drop("CREATE TEMPORARY TABLE weir_kept (id INT PRIMARY KEY)").await?;
        conn.query_drop("INSERT INTO weir_kept VALUES (1), (2)").await?;
        conn.query_drop("BEGIN").await?;
        let first = conn.query_drop(pay(b, 1)).await;
        let second = match &first {
            Ok(()) => conn.query_drop(pay(a, 1)).await,
            Err(_) => Ok(()),
        };
        let whole = first.is_ok() && second.is_ok();
        if whole {
            conn.query_drop("COMMIT").await?;
        } else {
            // MySQL has 4091 for it: refused, and nothing is half done.
            let error = first.and(second).unwrap_err();
            assert!(matches!(errno(&error), 1235 | 4091), "{error}");
            conn.query_drop("ROLLBACK").await?;
        }
        let sum = if whole { 102 } else { 101 };
        assert_eq!(balances(&mut other(rig).await, &[a, b]).await, [sum, sum]);
        let kept: Option<u64> = conn.query_first("SELECT count(*) FROM weir_kept").await?;
        assert_eq!(kept, Some(2));
        conn.query_drop("DROP TEMPORARY TABLE weir_kept").await
    });
}

#[test]
fn what_functions_write_unseen_is_neither_lost_nor_left() {
    on_each(920_672, async |conn, rig| {
        let b = 920_681;
        let server = &rig.groups[0].primary;
        // Beside the shop, so that nobody counts its rows.
        server.execute("CREATE TABLE IF NOT EXISTS shop_0000.unseen (n INT NOT NULL)");
        server.execute("DELETE FROM shop_0000.unseen");
        server.execute("INSERT INTO shop_0000.unseen VALUES (0)");
        server.execute("DROP FUNCTION IF EXISTS shop_0000.count_unseen");
        server.execute(
            "CREATE FUNCTION shop_0000.count_unseen() RETURNS INT DETERMINISTIC MODIFIES SQL DATA \
             BEGIN UPDATE unseen SET n = n + 1; RETURN 1; END",
        );
        server.execute(
            "CREATE OR REPLACE VIEW shop_0000.unseen_view AS SELECT shop_0000.count_unseen() AS counted",
        );
        let count = || server.query("SELECT n FROM shop_0000.unseen").expect("a row")[0][0].clone();
        // A view's function, in a group that only read as far as is known.
        conn.query_drop("BEGIN").await?;
        conn.query_drop(pay(b, 1)).await?;
        conn.query_drop("SELECT * FROM unseen_view").await?;
        conn.query_drop("COMMIT").await?;
        assert_eq!(count(), "1");
        for (end, counted) in [("ROLLBACK", "1"), ("COMMIT", "2")] {
            conn.query_drop("BEGIN").await?;
            conn.query_drop("SET @unseen = count_unseen()").await?;
            conn.query_drop(end).await?;
            assert_eq!(count(), counted, "{end}");
        }
        for what in ["VIEW shop_0000.unseen_view", "FUNCTION shop_0000.count_unseen"] {
            server.execute(&format!("DROP {what}"));
        }
        server.execute("DROP TABLE shop_0000.unseen");
        Ok(())
    });
}
