//! Shards that break off, lie or never end, and clients that leave.

use std::time::Duration;

use weir::executor::pass::Broken;
use weir::executor::running::Running;
use weir::executor::scatter::{Terms, scatter};
use weir::planner::plan::{Column, Fold, Gather};
use weir::protocol::field::FieldType;
use weir::protocol::reader::put_lenenc_bytes;
use weir::protocol::status::StatusFlags;
use weir::wire::stream::Stream;

use super::kit::{Received, Setup, by, gathered, groups, lanes, lend, part, run};
use crate::fake::{Answer, Call, Fake, FakeColumn};

fn columns() -> Vec<FakeColumn> {
    vec![
        FakeColumn::new("id", FieldType::LONGLONG),
        FakeColumn { collation: 63, ..FakeColumn::new("w", FieldType::VAR_STRING) },
    ]
}

/// Four rows, so wide that the first ones are sent before the last one is read.
fn good() -> Answer {
    Answer::Rows {
        columns: columns(),
        rows: (0..4)
            .map(|id: i64| vec![Some(id.to_string().into_bytes()), Some(vec![b'w'; 20_000])])
            .collect(),
        status: StatusFlags::AUTOCOMMIT,
        warnings: 0,
    }
}

/// A result whose rows are these payloads.
fn payloads(rows: Vec<Vec<u8>>) -> Answer {
    let definition = |column: &FakeColumn| {
        let mut out = Vec::new();
        weir::protocol::column::Column {
            schema: b"db",
            table: b"t",
            org_table: b"t",
            name: column.name.as_bytes(),
            org_name: column.name.as_bytes(),
            collation: column.collation,
            length: 20,
            field_type: column.field_type,
            flags: column.flags,
            decimals: 0,
            default: None,
        }
        .write(&mut out);
        out
    };
    let mut all = vec![vec![2]];
    all.extend(columns().iter().map(definition));
    all.extend(rows);
    all.push(vec![0xfe, 0, 0, 2, 0, 0, 0]);
    Answer::Payloads(all)
}

fn text_row(values: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    values.iter().for_each(|value| put_lenenc_bytes(&mut out, value));
    out
}

/// Answers `q` so, and everything else with OK.
async fn fake(answer: Answer) -> Fake {
    Fake::start(move |call: &Call| if call.text() == "q" { answer.clone() } else { Answer::ok() })
        .await
}

/// Merges a good shard with one that answers so.
async fn beside_a_good_one(
    answer: Answer,
    gather: Gather,
) -> (Result<weir::executor::pass::Summary, Broken>, Received, bool) {
    let fakes = [fake(good()).await, fake(answer).await];
    let ports: Vec<u16> = fakes.iter().map(Fake::port).collect();
    let mut lents = lend(&groups(&ports, "weir", "weir")).await;
    let parts = (0..2).map(|target| vec![part(target, "q")]).collect();
    let mut lanes = lanes(&mut lents, parts, false);
    let setup = Setup { gather, ..Setup::default() };
    let outcome = tokio::time::timeout(Duration::from_secs(20), gathered(&mut lanes, &setup)).await;
    let (outcome, received) = outcome.expect("it ends");
    drop(lanes);
    (outcome, received, lents[1].is_in_step())
}

fn ordered() -> Gather {
    Gather { hidden: 1, merge_by: vec![by(Column::Visible(0), false)], ..Gather::default() }
}

#[test]
fn nonsense_from_a_shard_is_an_error_that_names_its_node() {
    let wrong: Vec<(&str, Answer)> = vec![
        ("a short row", payloads(vec![text_row(&[b"1"])])),
        ("a long row", payloads(vec![text_row(&[b"1", b"w", b"more"])])),
        ("a length beyond the row", payloads(vec![vec![200, b'x', 0xfc]])),
        ("an empty row", payloads(vec![vec![]])),
        ("not a number", payloads(vec![text_row(&[b"12a", b"w"])])),
        ("a number beyond 64 bits", payloads(vec![text_row(&[b"99999999999999999999999", b"w"])])),
        ("a file", Answer::LocalInfile("/etc/passwd".into())),
        ("OK for rows", Answer::ok()),
        ("a damaged end", payloads(vec![vec![0xfe, 0xfe, 1]])),
        ("a damaged ERR", payloads(vec![vec![0xff]])),
        ("not packets", Answer::Raw(vec![0x55; 40])),
        ("an empty answer", Answer::Payloads(vec![vec![]])),
        ("another result", Answer::Many(vec![good(), good()])),
    ];
    run(async {
        for (what, answer) in wrong {
            let (outcome, received, in_step) = beside_a_good_one(answer, ordered()).await;
            assert!(!in_step, "{what}: the connection must be closed");
            let error = match outcome {
                Ok(summary) => {
                    assert!(received.error.is_some(), "{what}: the client was told");
                    summary.error.expect(what)
                }
                Err(Broken::BackendBefore(error)) => error,
                Err(other) => panic!("{what}: {other:?}"),
            };
            assert!(error.message.contains("g1"), "{what}: {error}");
        }
    });
}

#[test]
fn other_columns_on_one_shard_are_refused() {
    let variants = [
        vec![FakeColumn::new("id", FieldType::LONGLONG)],
        vec![FakeColumn::new("id", FieldType::NEWDECIMAL), columns().remove(1)],
        vec![columns().remove(0), FakeColumn::new("w", FieldType::VAR_STRING)],
    ];
    run(async {
        for columns in variants {
            let answer = Answer::Rows {
                columns,
                rows: vec![],
                status: StatusFlags::AUTOCOMMIT,
                warnings: 0,
            };
            let (outcome, received, _) = beside_a_good_one(answer, ordered()).await;
            let error = outcome.unwrap().error.unwrap();
            assert_eq!(error.code, "shards_differ");
            let (_, text) = received.error.unwrap();
            assert!(text.contains("shard 1") && text.contains("g1"), "{text}");
        }
    });
}

#[test]
fn an_error_within_the_rows_follows_the_rows_that_were_sent() {
    let mut err = vec![0xff];
    err.extend(1317_u16.to_le_bytes());
    err.extend(b"#70100Query execution was interrupted");
    let answer = payloads(vec![text_row(&[b"9", b"w"]), err]);
    run(async {
        for (gather, rows) in [
            (Gather { hidden: 0, ..ordered() }, 5),
            // Nothing was sent: what was ready is taken back.
            (ordered(), 0),
            (Gather::default(), 5),
        ] {
            let (outcome, received, in_step) = beside_a_good_one(answer.clone(), gather).await;
            assert_eq!(outcome.unwrap().error.unwrap().errno, 1317);
            assert_eq!(received.error.unwrap().0, 1317);
            assert_eq!(received.rows.len(), rows);
            // What follows the ERR is nonsense here, which is_in_step sees.
            assert!(!in_step);
        }
    });
}

#[test]
fn a_shard_that_breaks_off_is_told_by_an_error_or_by_closing() {
    let torn = Answer::Torn {
        columns: columns(),
        rows: vec![vec![Some(b"9".to_vec()), Some(b"w".to_vec())]],
    };
    run(async {
        let gather = Gather { hidden: 0, ..ordered() };
        let (outcome, received, _) = beside_a_good_one(torn.clone(), gather).await;
        let error = outcome.unwrap().error.unwrap();
        assert_eq!(error.code, "connection_broken");
        assert!(received.error.unwrap().1.contains("g1"));
        // Rows that pass as bytes: half of one may be out.
        let (outcome, ..) = beside_a_good_one(torn, Gather::default()).await;
        assert!(matches!(outcome, Err(Broken::BackendAfter(_))), "{outcome:?}");
        // Nothing was sent: the statement may be tried again.
        let (outcome, received, _) = beside_a_good_one(Answer::Close, ordered()).await;
        assert!(matches!(outcome, Err(Broken::BackendBefore(_))), "{outcome:?}");
        assert!(received.error.is_none() && received.columns.is_empty());
    });
}

#[test]
fn rows_in_another_order_than_their_keys_are_never_merged() {
    let answer = payloads(vec![text_row(&[b"5", b"w"]), text_row(&[b"4", b"w"])]);
    run(async {
        for fold in [Fold::Keep, Fold::Distinct] {
            let (outcome, ..) =
                beside_a_good_one(answer.clone(), Gather { fold, ..ordered() }).await;
            let error = outcome.unwrap().error.unwrap();
            assert_eq!(error.code, "merge_disorder");
            assert!(error.message.contains("shard 1") && error.message.contains("g1"), "{error}");
        }
    });
}

/// Rows in a wrong order are no wrong protocol: a transaction keeps its connection.
#[test]
fn a_wrong_order_leaves_a_connection_that_is_kept() {
    let answer = payloads(vec![text_row(&[b"5", b"w"]), text_row(&[b"4", b"w"])]);
    run(async {
        let fakes = [fake(good()).await, fake(answer).await];
        let ports: Vec<u16> = fakes.iter().map(Fake::port).collect();
        let mut lents = lend(&groups(&ports, "weir", "weir")).await;
        let parts = (0..2).map(|target| vec![part(target, "q")]).collect();
        let mut lanes = lanes(&mut lents, parts, true);
        let setup = Setup { gather: ordered(), ..Setup::default() };
        let (outcome, received) = gathered(&mut lanes, &setup).await;
        assert_eq!(outcome.unwrap().error.unwrap().code, "merge_disorder");
        assert!(received.error.is_some(), "the client was told once");
        drop(lanes);
        for lent in &mut lents {
            assert!(lent.outlive_kill().await.is_ok() && lent.is_in_step());
        }
    });
}

#[test]
fn a_client_that_leaves_ends_the_wait() {
    run(async {
        let fakes = [fake(good()).await, fake(Answer::Hang).await];
        let ports: Vec<u16> = fakes.iter().map(Fake::port).collect();
        let mut lents = lend(&groups(&ports, "weir", "weir")).await;
        let parts = (0..2).map(|target| vec![part(target, "q")]).collect();
        let mut lanes = lanes(&mut lents, parts, false);
        let setup = Setup::default();
        let running = Running::default();
        let (mut client, far) = Stream::pair(1 << 16, 1 << 30);
        let terms = Terms {
            own: false,
            client: setup.client,
            status: StatusFlags::default(),
            more: false,
            format: setup.format,
            gather: &setup.gather,
            window: setup.window,
            budget: &setup.budget,
            merge_memory: setup.merge_memory,
            read_ahead: 1 << 18,
            running: &running,
        };
        let leave = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            drop(far);
        };
        let start = std::time::Instant::now();
        let (outcome, ()) = tokio::join!(scatter(&mut client, &mut lanes, &terms), leave);
        assert!(matches!(outcome, Err(Broken::Client(_))), "{outcome:?}");
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_eq!(setup.budget.used(), 0, "windows were given back");
    });
}
