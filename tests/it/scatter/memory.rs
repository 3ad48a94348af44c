//! A million merged rows for a client that reads slowly: what it costs in memory.

use std::process::Command;
use std::time::Duration;

use weir::executor::running::Running;
use weir::executor::scatter::{Terms, scatter};
use weir::planner::plan::{Column, Gather};
use weir::protocol::field::FieldType;
use weir::protocol::status::StatusFlags;
use weir::wire::stream::Stream;

use super::kit::{Setup, by, groups, lanes, lend, part, run};
use crate::fake::{Answer, Call, Fake, FakeColumn};

const CHILD: &str = "WEIR_TEST_SLOW_READER";
const NAME: &str = "scatter::memory::a_slow_reader_of_a_million_merged_rows_costs_little";
const ROWS_WANTED: usize = 1_000_000;
const GROWTH_MAX: u64 = 32 << 20;

/// In a process of its own, where no other test allocates.
#[test]
fn a_slow_reader_of_a_million_merged_rows_costs_little() {
    if std::env::var_os(CHILD).is_some() {
        run(child());
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("grew by"), "the child ran: {text}");
}

fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

async fn child() {
    let endless = |call: &Call| match call.text() {
        "q" => Answer::Endless {
            columns: vec![
                FakeColumn::new("id", FieldType::LONGLONG),
                FakeColumn::new("text", FieldType::VAR_STRING),
            ],
            row: vec![Some(b"1".to_vec()), Some(vec![b'x'; 120])],
        },
        _ => Answer::ok(),
    };
    let mut fakes = Vec::new();
    for _ in 0..8 {
        fakes.push(Fake::start(endless).await);
    }
    let ports: Vec<u16> = fakes.iter().map(Fake::port).collect();
    let mut lents = lend(&groups(&ports, "weir", "weir")).await;
    let parts = (0..8).map(|target| vec![part(target, "q")]).collect();
    let mut lanes = lanes(&mut lents, parts, false);
    let gather = Gather { merge_by: vec![by(Column::Visible(0), false)], ..Gather::default() };
    let setup = Setup { gather, ..Setup::default() };
    let running = Running::default();
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
        read_ahead: 256 << 10,
        running: &running,
    };
    let (mut client, mut far) = Stream::pair(64 << 10, 1 << 30);
    let before = resident();
    let mut peak = before;
    let read = async {
        for row in 0..ROWS_WANTED {
            far.read_packet().await.unwrap().unwrap();
            if row % 100_000 == 0 {
                // The shards have time to fill whatever there is to fill.
                tokio::time::sleep(Duration::from_millis(100)).await;
                peak = peak.max(resident());
            }
        }
        drop(far);
    };
    let (outcome, ()) = tokio::join!(scatter(&mut client, &mut lanes, &terms), read);
    assert!(outcome.is_err(), "the client left");
    let growth = peak - before;
    println!("grew by {} KiB over {ROWS_WANTED} rows of 8 shards", growth >> 10);
    assert!(growth < GROWTH_MAX, "it grew by {growth} bytes");
}
