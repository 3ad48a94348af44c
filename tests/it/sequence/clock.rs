//! A proxy whose clock jumps: its ids go on rising, meet nobody else's, and nobody waits for them.
//!
//! The clock is faked by libfaketime (Debian's package `faketime`), the wall clock only: the
//! monotonic one never jumps.

use std::path::Path;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use super::stage::Stage;
use crate::support::rig::shared_kinds;
use crate::support::{reaper, skip};

fn library() -> String {
    let machine = std::env::consts::ARCH;
    format!("/usr/lib/{machine}-linux-gnu/faketime/libfaketimeMT.so.1")
}

/// The longest that any statement may take. Without a jump it is some milliseconds.
const BOUND: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_jump_of_the_clock_repeats_no_id_and_stalls_nobody() {
    let library = library();
    if !Path::new(&library).exists() {
        skip::say("clock jumps: libfaketime is missing (apt-get install faketime)");
        return;
    }
    for rig in shared_kinds() {
        let jump = reaper::directory("clock").join("time");
        let set = |offset: &str| std::fs::write(&jump, format!("{offset}\n")).unwrap();
        set("+0");
        let env = [
            ("LD_PRELOAD", library.as_str()),
            ("FAKETIME_TIMESTAMP_FILE", jump.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ];
        let servers = [&rig.groups[0].primary, &rig.groups[1].primary];
        let stage = Stage::with(&servers, &[&env, &[]]);
        let mut conns = Vec::new();
        for proxy in &stage.proxies {
            conns.push(Conn::new(Opts::from_url(&proxy.url("shop")).unwrap()).await.unwrap());
        }
        let mut seen = std::collections::HashSet::new();
        let mut last = [0_u64; 2];
        for offset in ["+0", "-1h", "+1h", "-20h", "+20h", "+0"] {
            set(offset);
            let start = Instant::now();
            // A lease is renewed every ten seconds: some of the jumps meet one.
            while start.elapsed() < Duration::from_secs(2) {
                for (conn, last) in conns.iter_mut().zip(&mut last) {
                    let asked = Instant::now();
                    let sql = "SELECT order_items.NEXTVAL FROM dual WHERE count = 100";
                    let ids: Vec<u64> = conn.query(sql).await.unwrap();
                    assert!(asked.elapsed() < BOUND, "{offset}: {:?}", asked.elapsed());
                    for id in ids {
                        assert!(id > *last, "{offset}: {id} behind {last}");
                        assert!(seen.insert(id), "{offset}: {id} twice");
                        *last = id;
                    }
                }
            }
        }
        assert!(seen.len() > 1000, "{}", seen.len());
        // A clock that is days off is told, while the lease still covers the ids. (And it shows that
        // the clock above was another one.)
        set("+3d");
        let start = Instant::now();
        loop {
            let shown = stage.proxies[0].admin("SHOW SEQUENCES").unwrap();
            if shown.concat().iter().any(|cell| cell.contains("s from this machine's")) {
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{shown:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let one: Option<u64> = conns[0].query_first("SELECT order_items.NEXTVAL").await.unwrap();
        assert!(one > Some(last[0]));
    }
}
