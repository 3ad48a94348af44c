//! Writes over several targets, against fakes: what is sent, in which order, and what is undone.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use weir::executor::lane::Part;
use weir::executor::running::Running;
use weir::executor::write::{Bracket, NotWritten, WriteTerms, Written, write};
use weir::planner::plan::WriteKind;
use weir::protocol::status::StatusFlags;

use super::kit::{groups, lanes, lend, part, run};
use crate::fake::{Answer, Call, Fake};

/// Fakes that note in one list what they were sent after the login, `number: text`.
struct Bed {
    fakes: Vec<Fake>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Bed {
    async fn new(
        count: usize,
        script: impl Fn(usize, &str) -> Answer + Send + Sync + Clone + 'static,
    ) -> Self {
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let mut fakes = Vec::new();
        for number in 0..count {
            let (log, script) = (log.clone(), script.clone());
            let fake = move |call: &Call| {
                if call.command == "Query"
                    && !call.text().starts_with("SE")
                    && !call.text().starts_with("KILL")
                {
                    log.lock().unwrap().push(format!("{number}: {}", call.text()));
                }
                script(number, call.text())
            };
            fakes.push(Fake::start(fake).await);
        }
        Bed { fakes, log }
    }

    async fn write(
        &self,
        kind: WriteKind,
        bracket: Bracket,
        parts: Vec<Vec<Part<'_>>>,
    ) -> (Result<Written, NotWritten>, Vec<bool>) {
        let ports: Vec<u16> = self.fakes.iter().map(Fake::port).collect();
        let mut lents = lend(&groups(&ports, "weir", "weir")).await;
        self.log.lock().unwrap().clear();
        let running = Running::default();
        let terms = WriteTerms { kind, bracket, running: &running, returned: None };
        let mut lanes = lanes(&mut lents, parts, bracket == Bracket::Savepoint);
        let outcome = write(&mut lanes, &terms).await;
        drop(lanes);
        (outcome, lents.iter().map(|lent| lent.is_in_step()).collect())
    }

    fn sent(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

fn inserted(target: usize, sql: &'static str, rows: u32) -> Part<'static> {
    let places: &'static [u32] = if rows == 1 { &[0] } else { &[0, 1] };
    assert_eq!(places.len() as u32, rows);
    Part { inserted: Some(places), ..part(target, sql) }
}

fn done(affected: u64, insert_id: u64, warnings: u16, info: &str) -> Answer {
    let (status, info, state) = (StatusFlags::AUTOCOMMIT, info.to_owned(), Vec::new());
    Answer::Ok { affected, insert_id, status, warnings, info, state }
}

#[test]
fn a_split_insert_is_one_answer_and_one_group_gets_a_transaction_of_its_own() {
    run(async {
        let bed = Bed::new(2, |number, text| match (number, text) {
            (0, "i0") => done(2, 0, 1, "Records: 2  Duplicates: 0  Warnings: 1"),
            (1, "i1") => done(1, 7, 0, ""),
            (0, "i2") => done(2, 9, 0, ""),
            _ => Answer::ok(),
        })
        .await;
        let parts =
            vec![vec![inserted(0, "i0", 2), inserted(2, "i2", 1)], vec![inserted(1, "i1", 1)]];
        let (outcome, in_step) = bed.write(WriteKind::Split, Bracket::None, parts).await;
        let written = outcome.unwrap();
        assert_eq!((written.affected_rows, written.last_insert_id, written.warnings), (5, 7, 1));
        assert_eq!(written.info, b"Records: 4  Duplicates: 1  Warnings: 1");
        assert_eq!(in_step, [true, true]);
        let sent = bed.sent();
        let of = |number: char| {
            sent.iter().filter(|line| line.starts_with(number)).cloned().collect::<Vec<_>>()
        };
        let warnings = "0: SHOW WARNINGS LIMIT 1024";
        // Several groups: the session's transaction stands around it.
        assert_eq!(of('0'), ["0: i0", warnings, "0: i2"]);
        assert_eq!(of('1'), ["1: i1"]);
        let parts = vec![vec![inserted(0, "i0", 2), inserted(2, "i2", 1)]];
        let (outcome, _) = bed.write(WriteKind::Split, Bracket::Transaction, parts).await;
        assert_eq!(outcome.unwrap().affected_rows, 4);
        assert_eq!(bed.sent(), ["0: START TRANSACTION", "0: i0", warnings, "0: i2", "0: COMMIT"]);
        // Nobody else commits several groups, one after the other.
        let parts = vec![vec![part(0, "a"), part(2, "b")], vec![part(1, "c")]];
        let (outcome, _) = bed.write(WriteKind::Split, Bracket::Transaction, parts).await;
        assert_eq!(outcome.unwrap_err().error.code, "internal");
        assert!(!bed.sent().iter().any(|line| line.contains("COMMIT")));
    });
}

#[test]
fn updates_are_summed_and_one_statement_needs_no_bracket() {
    run(async {
        let bed = Bed::new(2, |number, text| match (number, text) {
            (0, "u") => done(1, 0, 0, "Rows matched: 2  Changed: 1  Warnings: 0"),
            (1, "u") => done(3, 0, 2, "Rows matched: 3  Changed: 3  Warnings: 2"),
            _ => Answer::ok(),
        })
        .await;
        let (outcome, _) = bed
            .write(
                WriteKind::Split,
                Bracket::Savepoint,
                vec![vec![part(0, "u")], vec![part(1, "u")]],
            )
            .await;
        let written = outcome.unwrap();
        assert_eq!((written.affected_rows, written.warnings), (4, 2));
        assert_eq!(written.info, b"Rows matched: 5  Changed: 4  Warnings: 2");
        let (outcome, _) =
            bed.write(WriteKind::Split, Bracket::None, vec![vec![part(0, "u")]]).await;
        assert_eq!(outcome.unwrap().affected_rows, 1);
        assert_eq!(bed.sent(), ["0: u"]);
    });
}

#[test]
fn a_failure_in_a_transaction_goes_back_to_the_savepoint_and_in_autocommit_to_nothing() {
    run(async {
        let bed = Bed::new(2, |number, text| match (number, text) {
            (1, "i1") => Answer::err(1062, b"23000", "Duplicate entry '1' for key 'PRIMARY'"),
            _ => Answer::affected(1),
        })
        .await;
        for (bracket, undo) in [
            (Bracket::Savepoint, "ROLLBACK TO SAVEPOINT weir_statement"),
            (Bracket::Transaction, "ROLLBACK"),
        ] {
            let parts = vec![vec![part(0, "i0"), part(2, "i2")], vec![part(1, "i1")]];
            let (outcome, in_step) = bed.write(WriteKind::Split, bracket, parts).await;
            let failed = outcome.unwrap_err();
            assert_eq!((failed.error.errno, failed.transaction_lost), (1062, false));
            assert_eq!(in_step, [true, true]);
            let sent = bed.sent();
            assert!(
                sent.contains(&format!("0: {undo}")) && sent.contains(&format!("1: {undo}")),
                "{sent:?}"
            );
            assert!(!sent.iter().any(|line| line.contains("COMMIT")), "{sent:?}");
        }
    });
}

#[test]
fn a_deadlock_or_a_lost_connection_loses_the_transaction() {
    run(async {
        let deadlock = Bed::new(2, |number, text| match (number, text) {
            (1, "u") => Answer::err(1213, b"40001", "Deadlock found"),
            (1, "ROLLBACK TO SAVEPOINT weir_statement") => {
                Answer::err(1305, b"42000", "SAVEPOINT weir_statement does not exist")
            }
            _ => Answer::ok(),
        })
        .await;
        let parts = || vec![vec![part(0, "u")], vec![part(1, "u")]];
        let (outcome, in_step) =
            deadlock.write(WriteKind::Split, Bracket::Savepoint, parts()).await;
        let failed = outcome.unwrap_err();
        assert_eq!((failed.error.errno, failed.transaction_lost), (1213, true));
        assert_eq!(in_step, [true, true]);
        let lost = Bed::new(2, |number, text| match (number, text) {
            (1, "u") => Answer::Close,
            _ => Answer::ok(),
        })
        .await;
        let (outcome, in_step) = lost.write(WriteKind::Split, Bracket::Savepoint, parts()).await;
        let failed = outcome.unwrap_err();
        assert_eq!((failed.error.code, failed.transaction_lost), ("connection_broken", true));
        assert_eq!(in_step, [true, false]);
    });
}

#[test]
fn a_broadcast_write_goes_to_its_first_group_alone_and_counts_once() {
    run(async {
        let bed = Bed::new(3, |number, text| match (number, text) {
            (0, "u") => done(2, 0, 0, "Rows matched: 2  Changed: 2  Warnings: 0")
                .late(Duration::from_millis(150)),
            (_, "u") => done(2, 0, 0, "Rows matched: 2  Changed: 2  Warnings: 0"),
            (2, "bad") => Answer::affected(1),
            (_, "bad") => Answer::affected(2),
            _ => Answer::ok(),
        })
        .await;
        let parts = |sql| (0..3).map(|target| vec![part(target, sql)]).collect();
        let (outcome, _) = bed.write(WriteKind::Broadcast, Bracket::None, parts("u")).await;
        let written = outcome.unwrap();
        assert_eq!(written.affected_rows, 2);
        assert_eq!(written.info, b"Rows matched: 2  Changed: 2  Warnings: 0");
        let sent = bed.sent();
        let writes: Vec<_> = sent.iter().filter(|line| line.ends_with(": u")).collect();
        assert_eq!(writes[0], "0: u");
        // Copies that differ are not made to differ more.
        let (outcome, _) = bed.write(WriteKind::Broadcast, Bracket::None, parts("bad")).await;
        let error = outcome.unwrap_err().error;
        assert_eq!(error.code, "broadcast_differs");
        assert_eq!(bed.sent().iter().filter(|line| line.ends_with(": bad")).count(), 3);
    });
}

#[test]
fn ddl_stops_at_its_first_error_and_says_how_far_it_came() {
    run(async {
        let bed = Bed::new(2, |number, text| match (number, text) {
            (1, "d2") => Answer::err(1060, b"42S21", "Duplicate column name 'c'"),
            _ => done(0, 0, 0, "Records: 0  Duplicates: 0  Warnings: 0"),
        })
        .await;
        let parts = || vec![vec![part(0, "d0"), part(1, "d1")], vec![part(2, "d2"), part(3, "d3")]];
        let (outcome, _) = bed.write(WriteKind::Definition, Bracket::None, parts()).await;
        let error = outcome.unwrap_err().error;
        assert_eq!((error.errno, error.code), (1060, "ddl_partial"));
        for what in [
            "Duplicate column name 'c'",
            "it failed on shard 2 on group 'g1'",
            "done on 2 of 4",
            "not tried on 1",
            "shard 0 on group 'g0'",
        ] {
            assert!(error.message.contains(what), "{what}: {error}");
        }
        assert_eq!(bed.sent(), ["0: d0", "0: d1", "1: d2"]);
        // Where nothing was done, the server's error is the whole truth.
        let parts = vec![vec![], vec![part(2, "d2"), part(3, "d3")]];
        let (outcome, _) = bed.write(WriteKind::Definition, Bracket::None, parts).await;
        assert_eq!(outcome.unwrap_err().error.code, "");
        let parts = vec![vec![part(0, "d0")], vec![part(3, "d3")]];
        let (outcome, _) = bed.write(WriteKind::Definition, Bracket::None, parts).await;
        assert_eq!(outcome.unwrap().info, b"Records: 0  Duplicates: 0  Warnings: 0");
    });
}

#[test]
fn what_every_shard_warns_of_is_one_warning_for_ddl_and_many_for_rows() {
    run(async {
        let note = || {
            Answer::rows(
                &["Level", "Code", "Message"],
                &[&[Some("Note"), Some("1050"), Some("exists")]],
            )
        };
        let bed = Bed::new(2, move |_, text| match text {
            "c" => done(0, 0, 1, ""),
            "SHOW WARNINGS LIMIT 1024" => note(),
            _ => Answer::ok(),
        })
        .await;
        let ports: Vec<u16> = bed.fakes.iter().map(Fake::port).collect();
        for (kind, warnings, noted) in [(WriteKind::Definition, 1, 1), (WriteKind::Split, 3, 3)] {
            let mut lents = lend(&groups(&ports, "weir", "weir")).await;
            let running = Running::default();
            let terms =
                WriteTerms { kind, bracket: Bracket::None, running: &running, returned: None };
            let parts = vec![vec![part(0, "c"), part(1, "c")], vec![part(2, "c")]];
            let mut lanes = lanes(&mut lents, parts, false);
            let written = write(&mut lanes, &terms).await.unwrap();
            let found: usize = lanes.iter().map(|lane| lane.noted.len()).sum();
            assert_eq!((written.warnings, found), (warnings, noted));
        }
    });
}
