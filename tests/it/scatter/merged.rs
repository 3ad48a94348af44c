//! Merges of fakes' answers.

use std::time::Duration;

use weir::executor::compare::RowFormat;
use weir::executor::limit::Window;
use weir::name::{SchemaName, TableName};
use weir::planner::plan::{Aggregate, AggregateFunction, Column, Fold, Gather, Renaming};
use weir::protocol::capability::Capabilities;
use weir::protocol::field::FieldType;
use weir::protocol::status::StatusFlags;

use super::kit::{Setup, by, gathered, groups, lanes, lend, named, part, prepared, run};
use crate::fake::{Answer, Call, Fake, FakeColumn};

/// A fake with one answer for each text that it knows.
async fn fake(answers: Vec<(&'static str, Answer)>) -> Fake {
    Fake::start(move |call: &Call| {
        let found = answers.iter().find(|(text, _)| *text == call.text());
        match found {
            Some((_, answer)) => answer.clone(),
            None => Answer::ok(),
        }
    })
    .await
}

fn number(name: &str) -> FakeColumn {
    FakeColumn::new(name, FieldType::LONGLONG)
}

/// A result of a BIGINT and of a string.
fn pairs(rows: &[(i64, &str)]) -> Answer {
    let row = |(number, text): &(i64, &str)| {
        vec![Some(number.to_string().into_bytes()), Some(text.as_bytes().to_vec())]
    };
    Answer::Rows {
        columns: vec![number("id"), FakeColumn::new("name", FieldType::VAR_STRING)],
        rows: rows.iter().map(row).collect(),
        status: StatusFlags::AUTOCOMMIT,
        warnings: 1,
    }
}

async fn three() -> Vec<Fake> {
    vec![
        fake(vec![("a", pairs(&[(1, "one"), (4, "four"), (7, "seven")]))]).await,
        fake(vec![("a", pairs(&[(2, "two"), (5, "five")]))]).await,
        fake(vec![("a", pairs(&[(3, "three"), (6, "six"), (8, "eight")]))]).await,
    ]
}

fn ports(fakes: &[Fake]) -> Vec<u16> {
    fakes.iter().map(Fake::port).collect()
}

#[test]
fn rows_without_an_order_come_in_the_order_of_the_targets() {
    run(async {
        let fakes = three().await;
        let mut lents = lend(&groups(&ports(&fakes), "weir", "weir")).await;
        // The targets' order isn't the connections'.
        let parts = vec![vec![part(1, "a")], vec![part(2, "a")], vec![part(0, "a")]];
        let mut lanes = lanes(&mut lents, parts, false);
        let (outcome, received) = gathered(&mut lanes, &Setup::default()).await;
        let summary = outcome.unwrap();
        assert_eq!((summary.rows, summary.warnings), (Some(8), 3));
        let names: Vec<_> = received.rows.iter().map(|row| row[1].clone().unwrap()).collect();
        assert_eq!(names, ["three", "six", "eight", "one", "four", "seven", "two", "five"]);
        assert_eq!(received.warnings, 3);
        assert!(received.status.contains(StatusFlags::AUTOCOMMIT));
        drop(lanes);
        assert!(lents.iter().all(|lent| lent.is_in_step()), "they can be lent again");
    });
}

#[test]
fn ordered_rows_are_merged_for_new_clients_and_old_ones() {
    for client in
        [Capabilities::OFFERED, Capabilities::OFFERED.without(Capabilities::DEPRECATE_EOF)]
    {
        run(async {
            let fakes = three().await;
            let mut lents = lend(&groups(&ports(&fakes), "weir", "weir")).await;
            let parts = (0..3).map(|target| vec![part(target, "a")]).collect();
            let gather =
                Gather { merge_by: vec![by(Column::Visible(0), false)], ..Gather::default() };
            let setup = Setup { gather, window: Window::new(1, 5), client, ..Setup::default() };
            let mut lanes = lanes(&mut lents, parts, false);
            let (outcome, received) = gathered(&mut lanes, &setup).await;
            assert_eq!(outcome.unwrap().rows, Some(5));
            assert_eq!(received.lines(), ["2|two", "3|three", "4|four", "5|five", "6|six"]);
            drop(lanes);
            assert!(
                lents.iter().all(|lent| lent.is_in_step()),
                "the rest was short enough to read"
            );
        });
    }
}

#[test]
fn shards_that_share_a_connection_are_merged_all_the_same() {
    run(async {
        let fakes = vec![
            fake(vec![
                ("a0", pairs(&[(1, "one"), (7, "seven")])),
                ("a1", pairs(&[(2, "two"), (3, "three")])),
                ("a2", pairs(&[(4, "four")])),
            ])
            .await,
            fake(vec![("b", pairs(&[(5, "five"), (6, "six")]))]).await,
        ];
        let groups = groups(&ports(&fakes), "weir", "weir");
        for (merge_by, expected) in [
            (vec![by(Column::Visible(0), false)], [1, 2, 3, 4, 5, 6, 7]),
            (vec![], [1, 7, 2, 3, 5, 6, 4]),
        ] {
            let mut lents = lend(&groups).await;
            let parts = vec![vec![part(0, "a0"), part(1, "a1"), part(3, "a2")], vec![part(2, "b")]];
            let setup =
                Setup { gather: Gather { merge_by, ..Gather::default() }, ..Setup::default() };
            let mut lanes = lanes(&mut lents, parts, false);
            let (outcome, received) = gathered(&mut lanes, &setup).await;
            assert_eq!(outcome.unwrap().error, None);
            let ids: Vec<i64> =
                received.rows.iter().map(|row| row[0].clone().unwrap().parse().unwrap()).collect();
            assert_eq!(ids, expected);
            drop(lanes);
            for lent in lents {
                lent.finish().await;
            }
        }
        assert_eq!(fakes[0].accepted(), 1);
    });
}

#[test]
fn rows_that_must_wait_are_bounded() {
    run(async {
        let many: Vec<(i64, &str)> = (0..5000).map(|id| (id, "some text")).collect();
        let fakes = vec![fake(vec![("a", pairs(&many)), ("b", pairs(&[(1, "x")]))]).await];
        let mut lents = lend(&groups(&ports(&fakes), "weir", "weir")).await;
        let gather = Gather { merge_by: vec![by(Column::Visible(0), false)], ..Gather::default() };
        let setup = Setup { gather, merge_memory: 10_000, ..Setup::default() };
        let mut lanes = lanes(&mut lents, vec![vec![part(0, "a"), part(1, "b")]], false);
        let (outcome, received) = gathered(&mut lanes, &setup).await;
        assert_eq!(outcome.unwrap().error.unwrap().code, "merge_memory");
        let (errno, text) = received.error.unwrap();
        assert_eq!(errno, 1038);
        assert!(
            text.contains("limits.merge_memory") && text.ends_with("[weir:merge_memory]"),
            "{text}"
        );
    });
}

#[test]
fn hidden_columns_are_cut_off_and_names_are_logical() {
    run(async {
        let rows = |rows: &[(&str, &str)]| Answer::Rows {
            columns: vec![
                FakeColumn {
                    table: "t_0001".into(),
                    ..FakeColumn::new("name", FieldType::VAR_STRING)
                },
                FakeColumn { collation: 63, ..FakeColumn::new("w", FieldType::VAR_STRING) },
            ],
            rows: rows
                .iter()
                .map(|(name, weight)| {
                    vec![Some(name.as_bytes().to_vec()), Some(weight.as_bytes().to_vec())]
                })
                .collect(),
            status: StatusFlags::AUTOCOMMIT,
            warnings: 0,
        };
        let fakes = vec![
            fake(vec![("a", rows(&[("zoe", "1"), ("bob", "3")]))]).await,
            fake(vec![("a", rows(&[("eve", "2")]))]).await,
        ];
        let names = [Renaming {
            physical_database: "db".into(),
            physical_table: "t_0001".into(),
            schema: SchemaName::new("shop"),
            table: TableName::new("t"),
            in_rows: false,
            view: None,
        }];
        let mut lents = lend(&groups(&ports(&fakes), "weir", "weir")).await;
        let parts = (0..2).map(|target| vec![named(&names, part(target, "a"))]).collect();
        let merge_by = vec![by(Column::Hidden(0), false)];
        let setup = Setup {
            gather: Gather { hidden: 1, merge_by, ..Gather::default() },
            ..Setup::default()
        };
        let mut lanes = lanes(&mut lents, parts, false);
        let (outcome, received) = gathered(&mut lanes, &setup).await;
        assert_eq!(outcome.unwrap().rows, Some(3));
        assert_eq!(received.columns.len(), 1);
        assert_eq!(received.tables, ["t"]);
        assert_eq!(received.lines(), ["zoe", "eve", "bob"]);
    });
}

#[test]
fn prepared_statements_are_merged_in_binary() {
    run(async {
        let rows = |ids: &[i64]| Answer::Rows {
            columns: vec![number("n"), number("c")],
            rows: ids
                .iter()
                .map(|id| vec![Some(id.to_le_bytes().to_vec()), Some(5_i64.to_le_bytes().to_vec())])
                .collect(),
            status: StatusFlags::AUTOCOMMIT,
            warnings: 0,
        };
        let script = move |ids: Vec<i64>| {
            move |call: &Call| match call.command {
                "Prepare" => {
                    Answer::Prepared { parameters: 0, columns: vec![number("n"), number("c")] }
                }
                "Execute" => rows(&ids),
                _ => Answer::ok(),
            }
        };
        let fakes = vec![
            Fake::start(script(vec![1, 2, 9])).await,
            Fake::start(script(vec![2, 9, 10])).await,
        ];
        let groups = groups(&ports(&fakes), "weir", "weir");
        for _ in 0..2 {
            let mut lents = lend(&groups).await;
            let parts = (0..2).map(|target| vec![prepared(target, "SELECT n, COUNT(*)")]).collect();
            let total =
                Aggregate { column: Column::Visible(1), function: AggregateFunction::Count };
            let gather = Gather {
                merge_by: vec![by(Column::Visible(0), false)],
                fold: Fold::Aggregate(vec![total]),
                ..Gather::default()
            };
            let setup = Setup { gather, format: RowFormat::Binary, ..Setup::default() };
            let mut lanes = lanes(&mut lents, parts, false);
            let (outcome, received) = gathered(&mut lanes, &setup).await;
            assert_eq!(outcome.unwrap().rows, Some(4));
            assert_eq!(received.lines(), ["1|5", "2|10", "9|10", "10|5"]);
            drop(lanes);
            for lent in lents {
                lent.finish().await;
            }
        }
        let prepares = fakes[0].calls().iter().filter(|call| call.command == "Prepare").count();
        assert_eq!(prepares, 1, "the second execution uses the same handle");
    });
}

#[test]
fn the_first_failure_is_told_and_stops_the_others() {
    run(async {
        let late = pairs(&[(1, "one")]).late(Duration::from_millis(400));
        let fakes = vec![
            fake(vec![("a", late)]).await,
            fake(vec![("a", Answer::err(1146, b"42S02", "Table 'db.t_0001' doesn't exist"))]).await,
        ];
        let names = [Renaming {
            physical_database: "db".into(),
            physical_table: "t_0001".into(),
            schema: SchemaName::new("shop"),
            table: TableName::new("t"),
            in_rows: false,
            view: None,
        }];
        let mut lents = lend(&groups(&ports(&fakes), "weir", "weir")).await;
        let parts = (0..2).map(|target| vec![named(&names, part(target, "a"))]).collect();
        let mut lanes = lanes(&mut lents, parts, false);
        let (outcome, received) = gathered(&mut lanes, &Setup::default()).await;
        assert_eq!(outcome.unwrap().error.unwrap().errno, 1146);
        assert_eq!(received.error.unwrap(), (1146, "Table 'shop.t' doesn't exist".into()));
        let killed = fakes[0].texts();
        assert!(killed.iter().any(|text| text.starts_with("KILL QUERY 1000")), "{killed:?}");
        drop(lanes);
        assert!(lents[1].is_in_step(), "an ERR leaves its connection in order");
    });
}

#[test]
fn warnings_are_fetched_under_logical_names_before_they_are_gone() {
    run(async {
        let warning = |text: &str| {
            Answer::rows(
                &["Level", "Code", "Message"],
                &[&[Some("Warning"), Some("1292"), Some(text)]],
            )
        };
        let fakes = vec![
            fake(vec![
                ("a", pairs(&[(1, "x")])),
                ("SHOW WARNINGS LIMIT 1024", warning("in t_0001")),
            ])
            .await,
            fake(vec![
                ("a", pairs(&[(2, "y")])),
                ("SHOW WARNINGS LIMIT 1024", warning("elsewhere")),
            ])
            .await,
        ];
        let names = [Renaming {
            physical_database: "db".into(),
            physical_table: "t_0001".into(),
            schema: SchemaName::new("shop"),
            table: TableName::new("t"),
            in_rows: false,
            view: None,
        }];
        for merge_by in [vec![], vec![by(Column::Visible(0), false)]] {
            let mut lents = lend(&groups(&ports(&fakes), "weir", "weir")).await;
            let parts = (0..2).map(|target| vec![named(&names, part(target, "a"))]).collect();
            let mut lanes = lanes(&mut lents, parts, false);
            let setup =
                Setup { gather: Gather { merge_by, ..Gather::default() }, ..Setup::default() };
            let (outcome, _) = gathered(&mut lanes, &setup).await;
            assert_eq!(outcome.unwrap().warnings, 2);
            let noted: Vec<_> =
                lanes.iter().flat_map(|lane| &lane.noted).map(|w| &*w.message).collect();
            assert_eq!(noted, ["in t", "elsewhere"]);
        }
    });
}

#[test]
fn a_satisfied_limit_stops_what_is_long() {
    run(async {
        let endless =
            || Answer::Endless { columns: vec![number("id")], row: vec![Some(b"1".to_vec())] };
        for keep in [false, true] {
            let fakes =
                vec![fake(vec![("a", endless())]).await, fake(vec![("a", endless())]).await];
            let mut lents = lend(&groups(&ports(&fakes), "weir", "weir")).await;
            let parts = (0..2).map(|target| vec![part(target, "a")]).collect();
            let gather =
                Gather { merge_by: vec![by(Column::Visible(0), false)], ..Gather::default() };
            let setup = Setup { gather, window: Window::new(10, 3), ..Setup::default() };
            let mut lanes = lanes(&mut lents, parts, keep);
            let run = gathered(&mut lanes, &setup);
            let (outcome, received) = if keep {
                // These never end, so that the session's connections are lost after the patience.
                let Ok(done) = tokio::time::timeout(Duration::from_secs(30), run).await else {
                    panic!("it waits for ever");
                };
                done
            } else {
                run.await
            };
            assert_eq!(outcome.unwrap().rows, Some(3));
            assert_eq!(received.lines(), ["1", "1", "1"]);
            drop(lanes);
            assert!(lents.iter().all(|lent| !lent.is_in_step()), "they are to be closed");
            for fake in &fakes {
                let texts = fake.texts();
                assert!(
                    texts.iter().any(|text| text.starts_with("KILL QUERY")),
                    "{keep} {texts:?}"
                );
            }
        }
    });
}

/// Rows whose packets end anywhere in what is read at once, some of them longer than a chunk, with
/// equal keys on several shards.
#[test]
fn rows_of_every_length_are_merged_as_they_are() {
    const SHARDS: usize = 3;
    let rows_of = |shard: usize| -> Vec<(i64, Vec<u8>)> {
        let row = |place: usize| {
            let length = match place {
                700 => 100_000,
                701 => {
                    if shard == 1 {
                        (1 << 24) + 5
                    } else {
                        (1 << 24) - 20
                    }
                }
                place => (place * 31 + shard * 7) % 260,
            };
            ((place / 3 * (shard + 1)) as i64 - 200, vec![b'a' + (place % 26) as u8; length])
        };
        (0..2000).map(row).collect()
    };
    let mut expected: Vec<(i64, usize, Vec<u8>)> = Vec::new();
    for shard in 0..SHARDS {
        expected.extend(rows_of(shard).into_iter().map(|(key, text)| (key, shard, text)));
    }
    // Stable: equal keys in the order of the shards, and of one shard as it sent them.
    expected.sort_by_key(|(key, shard, _)| (*key, *shard));
    for window in [Window::OPEN, Window::new(5, 4000)] {
        run(async {
            let mut fakes = Vec::new();
            for shard in 0..SHARDS {
                let row = |(key, text): (i64, Vec<u8>)| {
                    vec![Some(key.to_string().into_bytes()), Some(text)]
                };
                let answer = Answer::Rows {
                    columns: vec![number("id"), FakeColumn::new("name", FieldType::VAR_STRING)],
                    rows: rows_of(shard).into_iter().map(row).collect(),
                    status: StatusFlags::AUTOCOMMIT,
                    warnings: 0,
                };
                fakes.push(fake(vec![("a", answer)]).await);
            }
            let mut lents = lend(&groups(&ports(&fakes), "weir", "weir")).await;
            let parts = (0..SHARDS).map(|target| vec![part(target, "a")]).collect();
            let gather =
                Gather { merge_by: vec![by(Column::Visible(0), false)], ..Gather::default() };
            let setup = Setup { gather, window, ..Setup::default() };
            let mut lanes = lanes(&mut lents, parts, false);
            let (outcome, received) = gathered(&mut lanes, &setup).await;
            assert_eq!(outcome.unwrap().error, None);
            let (from, count) = if window.is_open() { (0, expected.len()) } else { (5, 4000) };
            let wanted = expected.iter().skip(from).take(count);
            assert_eq!(received.rows.len(), count);
            for (row, (key, shard, text)) in received.rows.iter().zip(wanted) {
                assert_eq!(row[0].as_deref(), Some(key.to_string().as_str()), "shard {shard}");
                assert!(row[1].as_deref().map(str::as_bytes) == Some(text), "{key} of {shard}");
            }
        });
    }
}
