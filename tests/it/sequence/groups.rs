//! What stands in the groups: ranges and leases, with servers that die and processes that don't
//! know of each other.

use std::collections::HashSet;
use std::time::Duration;

use super::{Process, pairs, run};
use crate::support::servers::Server;

fn number(server: &Server, sql: &str) -> i64 {
    server.query(sql).unwrap()[0][0].parse().unwrap()
}

/// Takes ids from all processes in turn; each id once.
async fn all_new(processes: &[&Process], turns: u32, seen: &mut HashSet<u64>) {
    for turn in 0..turns {
        for process in processes {
            let count = turn % 7 + 1;
            let first = process.take(count).await.unwrap();
            for id in first..first + u64::from(count) {
                assert!(id > 0 && seen.insert(id), "{id} twice");
            }
        }
    }
}

#[test]
fn ranges_of_many_processes_never_meet_and_a_dead_group_is_skipped() {
    for servers in pairs() {
        run(async {
            let declaration = "kind: segment, step: 20, start: 1000";
            let one = Process::start(&servers, declaration).await;
            let two = Process::start(&servers, declaration).await;
            let three = Process::start(&servers, declaration).await;
            let mut seen = HashSet::new();
            all_new(&[&one, &two, &three], 60, &mut seen).await;
            assert!(seen.iter().all(|id| *id >= 1000));
            let stored = "SELECT value FROM seq.weir_sequence WHERE name = 't'";
            for (index, server) in servers.iter().enumerate() {
                let value = number(server, stored);
                assert_eq!(value.rem_euclid(40), 20 * index as i64, "the lattice of group {index}");
                assert!(value > 1040, "both groups are used: {value}");
            }

            servers[0].kill9().unwrap();
            all_new(&[&one, &three], 60, &mut seen).await;
            let view = one.sequence().view();
            assert_eq!((view.ready, view.groups.as_str()), (true, "g0,g1"));
            let before = number(&servers[1], stored);
            servers[0].restart().unwrap();
            for group in one.topology.groups() {
                group.probe_once().await;
            }
            let back = number(&servers[0], stored);
            // It was given a rest of some seconds.
            let mut turns = 0;
            while number(&servers[0], stored) == back {
                all_new(&[&one], 10, &mut seen).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
                turns += 1;
                assert!(turns < 600, "group 0 doesn't come back: {:?}", one.sequence().view());
            }
            assert!(number(&servers[1], stored) >= before);

            // One statement's ids follow each other, so they fit one range.
            let error = one.take(21).await.unwrap_err();
            assert_eq!(error.code, "sequence_rows");
            assert!(error.message.contains("'s.t'"), "{}", error.message);
            let first = one.take(20).await.unwrap();
            assert_eq!(first % 20, 1);
        });
    }
}

#[test]
fn without_any_group_the_error_names_them_and_comes_in_time() {
    for servers in pairs() {
        run(async {
            let process = Process::start(&servers, "kind: segment, step: 5").await;
            process.take(5).await.unwrap();
            for server in &servers {
                server.kill9().unwrap();
            }
            let start = std::time::Instant::now();
            let error = loop {
                match process.take_within(5, Duration::from_secs(1)).await {
                    Ok(_) => assert!(start.elapsed() < Duration::from_secs(20)),
                    Err(error) if error.message.contains("g0") => break error,
                    Err(_) => {}
                }
            };
            assert_eq!(error.code, "sequence_empty");
            assert!(error.message.contains("'s.t'"), "{}", error.message);
            assert!(error.message.contains("group 'g0'"), "{}", error.message);
            assert!(error.message.contains("group 'g1'"), "{}", error.message);
        });
    }
}

#[test]
fn a_value_off_the_lattice_is_refused_or_adjusted() {
    for servers in pairs() {
        run(async {
            let declaration = "kind: segment, step: 10";
            let process = Process::start(&servers, declaration).await;
            let mut seen = HashSet::new();
            all_new(&[&process], 30, &mut seen).await;
            drop(process);
            for server in &servers {
                server.execute("UPDATE seq.weir_sequence SET value = value + 3 WHERE name = 't'");
            }
            let process = Process::start(&servers, declaration).await;
            let error = process.take_within(1, Duration::from_secs(2)).await.unwrap_err();
            assert!(error.message.contains("adjust: true"), "{}", error.message);
            // The same table under other steps: everything moves above all that was stored.
            let highest = servers.iter().map(|server| {
                number(server, "SELECT value FROM seq.weir_sequence WHERE name = 't'")
            });
            let highest = highest.max().unwrap();
            process.adopt(2, "kind: segment, step: 25, adjust: true");
            let mut new = HashSet::new();
            all_new(&[&process], 60, &mut new).await;
            assert!(new.iter().all(|id| *id as i64 > highest));
            assert!(new.is_disjoint(&seen));
        });
    }
}

/// 600 and 700 can have been stored under either step: group 0's next range would be one that group 1
/// has handed out.
#[test]
fn another_step_is_noticed_where_the_values_fit_it() {
    for servers in pairs() {
        run(async {
            let old = Process::start(&servers, "kind: segment, step: 100").await;
            let mut seen = HashSet::new();
            all_new(&[&old], 150, &mut seen).await;
            for (server, value) in servers.iter().zip([6000, 6100]) {
                let sql = format!("UPDATE seq.weir_sequence SET value = {value} WHERE name = 't'");
                server.execute(&sql);
                let noted = "SELECT value FROM seq.weir_sequence WHERE name = 't#shape'";
                assert_eq!(number(server, noted) / 1000, 100_002);
            }
            all_new(&[&old], 60, &mut seen).await;
            for (groups, declaration) in [
                (2, "kind: segment, step: 50"),
                (1, "kind: segment, step: 100"),
                (1, "kind: segment, step: 200"),
            ] {
                let new = Process::start(&servers[..groups], declaration).await;
                for _ in 0..5 {
                    let patience = Duration::from_millis(300);
                    let error = new.take_within(1, patience).await.unwrap_err();
                    assert!(error.message.contains("cut in another way"), "{}", error.message);
                }
            }
            // Moved on purpose, it goes on above everything that the old step has given.
            let new = Process::start(&servers, "kind: segment, step: 50, adjust: true").await;
            let highest = seen.iter().copied().max().unwrap();
            let mut later = HashSet::new();
            all_new(&[&new], 100, &mut later).await;
            assert!(later.iter().all(|id| *id > highest), "{highest}");
            // Who still goes by the old rules gets no further range.
            let error = loop {
                match old.take_within(50, Duration::from_secs(1)).await {
                    // What it still held.
                    Ok(first) => assert!((first..first + 50).all(|id| later.insert(id))),
                    Err(error) => break error,
                }
            };
            assert!(error.message.contains("cut in another way"), "{}", error.message);
        });
    }
}

/// TDDL's rows have no shape beside them: all groups are looked at before one is used.
#[test]
fn values_without_a_shape_are_compared_with_the_other_groups() {
    for servers in pairs() {
        run(async {
            let old = Process::start(&servers, "kind: segment, step: 100").await;
            old.take(1).await.unwrap();
            drop(old);
            for (server, value) in servers.iter().zip([6000, 6100]) {
                server.execute("DELETE FROM seq.weir_sequence");
                let row = format!("('t', {value}, NOW())");
                server.execute(&format!("INSERT INTO seq.weir_sequence VALUES {row}"));
            }
            let new = Process::start(&servers, "kind: segment, step: 50").await;
            for _ in 0..5 {
                let error = new.take_within(1, Duration::from_millis(300)).await.unwrap_err();
                assert!(error.message.contains("stored value 6100"), "{}", error.message);
            }
            let same = Process::start(&servers, "kind: segment, step: 100").await;
            assert!(same.take(1).await.unwrap() > 6200);
        });
    }
}

/// Rows bring ids of their own, as a dump does: no process that begins later gives them again.
#[test]
fn a_sequence_moves_past_ids_that_rows_are_given() {
    for servers in pairs() {
        run(async {
            let declaration = "kind: segment, step: 10, start: 5";
            let one = Process::start(&servers, declaration).await;
            // Before the sequence has begun, and below its start.
            let pass = async |process: &Process, ids: &[u64]| {
                let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
                process.sequence().pass(ids, deadline).await
            };
            let mut seen = HashSet::new();
            for id in 1..=95 {
                pass(&one, &[id]).await.unwrap();
                seen.insert(id);
            }
            pass(&one, &[0, u64::MAX, 3]).await.unwrap();
            let two = Process::start(&servers, declaration).await;
            all_new(&[&one, &two], 20, &mut seen).await;
            // What is held is given up to the id.
            let next = one.take(1).await.unwrap();
            seen.insert(next);
            for id in next + 1..next + 4 {
                pass(&one, &[id]).await.unwrap();
                seen.insert(id);
            }
            // Far ahead, in the ranges of both groups at once: nobody comes to them.
            let far: Vec<u64> = vec![100_001, 100_015, 200_020, 200_021];
            pass(&one, &far).await.unwrap();
            seen.extend(&far);
            let stored = "SELECT value FROM seq.weir_sequence WHERE name = 't'";
            let values = [0, 1].map(|group| number(&servers[group], stored));
            assert!(values[0] >= 200_020 && values[1] >= 200_010, "{values:?}");
            all_new(&[&one, &two], 60, &mut seen).await;
            let three = Process::start(&servers, declaration).await;
            all_new(&[&one, &two, &three], 30, &mut seen).await;

            // What is known to be stored is not asked for again.
            servers[1].kill9().unwrap();
            pass(&one, &[200_021, 17, 3, 30]).await.unwrap();
            pass(&one, &[900_001]).await.unwrap();
            let start = std::time::Instant::now();
            let error = pass(&one, &[900_015]).await.unwrap_err();
            assert_eq!(error.code, "sequence_behind");
            assert!(error.message.contains("group 'g1'"), "{}", error.message);
            assert!(start.elapsed() < Duration::from_secs(15));
        });
    }
}

#[test]
fn a_group_that_lost_its_row_begins_above_the_others() {
    for servers in pairs() {
        run(async {
            let declaration = "kind: segment, step: 10";
            let process = Process::start(&servers, declaration).await;
            let mut seen = HashSet::new();
            all_new(&[&process], 60, &mut seen).await;
            servers[1].execute("DROP TABLE seq.weir_sequence");
            let other = Process::start(&servers, declaration).await;
            all_new(&[&process, &other], 60, &mut seen).await;
            let value = number(&servers[1], "SELECT value FROM seq.weir_sequence WHERE name = 't'");
            assert!(value > 100, "{value}");
        });
    }
}

#[test]
fn workers_are_leased_once_and_taken_over_without_a_repeated_time() {
    for servers in pairs() {
        run(async {
            let declaration = "kind: snowflake, worker_bits: 1, sequence_bits: 4";
            let one = Process::start(&servers, declaration).await;
            let two = Process::start(&servers, declaration).await;
            let mut seen = HashSet::new();
            // Faster than 16 ids a millisecond: time runs ahead of the clock.
            for _ in 0..100 {
                all_new(&[&one, &two], 20, &mut seen).await;
            }
            let workers = |process: &Process| process.sequence().view().worker.unwrap();
            assert_ne!(workers(&one), workers(&two));

            // All worker ids are leased: a third process is told so.
            let three = Process::start(&servers, declaration).await;
            let error = three.take_within(1, Duration::from_secs(1)).await.unwrap_err();
            assert!(error.message.contains("worker_bits"), "{}", error.message);

            // One of them dies: its worker goes to the third, whose ids begin where its lease ended.
            let taken = workers(&one);
            let sql = format!("UPDATE seq.weir_worker SET expires_ms = 1 WHERE worker = {taken}");
            servers[0].execute(&sql);
            let highest = seen.iter().copied().max().unwrap();
            let first = three.take(1).await.unwrap();
            assert_eq!(workers(&three), taken);
            assert!(first > highest && seen.insert(first));
            // The dead one wasn't: what its lease still covers is its own, and no more.
            for _ in 0..100 {
                all_new(&[&one, &two, &three], 10, &mut seen).await;
            }
        });
    }
}

#[test]
fn a_lease_that_cannot_be_renewed_ends() {
    for servers in pairs() {
        run(async {
            // 16 ids a millisecond: the lease's minute is used up by a million of them.
            let declaration = "kind: snowflake, sequence_bits: 4";
            let process = Process::start(&servers, declaration).await;
            process.take(1).await.unwrap();
            servers[0].kill9().unwrap();
            let mut ids = 0;
            let error = loop {
                match process.take_within(16, Duration::from_secs(4)).await {
                    Ok(_) => ids += 16,
                    Err(error) => break error,
                }
                assert!(ids < 2_000_000, "no end of ids");
            };
            assert!(ids > 500_000, "{ids}");
            assert_eq!(error.code, "sequence_empty");
            assert!(error.message.contains("g0"), "{}", error.message);
            servers[0].restart().unwrap();
            process.topology.groups()[0].probe_once().await;
            process.take(1).await.unwrap();
        });
    }
}
