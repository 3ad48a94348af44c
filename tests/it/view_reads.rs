//! Views that call functions, where replicas answer reads: what a function writes must reach the
//! primary.
//!
//! Owns: a rig with replicas, and such views, one within another.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use crate::support::rig::{Options, Rig, Silent};
use crate::support::servers::Kind;
use crate::support::shop::Scale;
use crate::support::{engine, skip, sql};

const MADE: &[&str] = &[
    "CREATE TABLE told (n INT AUTO_INCREMENT PRIMARY KEY)",
    "CREATE TABLE base (id INT PRIMARY KEY)",
    "INSERT INTO base VALUES (1)",
    "CREATE FUNCTION tell() RETURNS INT NOT DETERMINISTIC MODIFIES SQL DATA \
     BEGIN INSERT INTO told VALUES (); RETURN 1; END",
    "CREATE VIEW telling AS SELECT id, tell() AS x FROM base",
    "CREATE VIEW passed_on AS SELECT x, id FROM telling",
];

const READS: &[&str] = &[
    "SELECT x FROM telling",
    "SELECT x FROM passed_on",
    "SELECT SUM(x) FROM passed_on",
    "SELECT v.x FROM passed_on v JOIN users u ON u.user_id = v.id",
    "SELECT v.x FROM passed_on v JOIN users u ON u.user_id IN (1) WHERE u.user_id = v.id",
];

async fn check(rig: &Rig) {
    for group in &rig.groups {
        let replica = group.replica.as_ref().expect("a replica");
        replica.wait_caught_up(&group.primary, Duration::from_secs(30)).expect("in time");
    }
    let connect = || async { Conn::new(Opts::from_url(&rig.url()).expect("a URL")).await };
    let mut asked = 0u64;
    // What a session made itself it reads on the primary anyway.
    let mut conn = connect().await.expect("a login");
    for read in READS {
        for prepared in [false, true] {
            let x: Option<u64> = match prepared {
                false => conn.query_first(*read).await,
                true => conn.exec_first(*read, ()).await,
            }
            .unwrap_or_else(|error| panic!("{read}: {error}"));
            assert_eq!(x, Some(1), "{read}");
            asked += 1;
            let told = "SELECT /*+ weir: primary */ COUNT(*) FROM told";
            let told: Option<u64> = conn.query_first(told).await.expect("a count");
            assert_eq!(told, Some(asked), "{read}, prepared: {prepared}");
            // Nor is it read from a replica that hasn't got it yet.
            let told: Option<u64> =
                conn.query_first("SELECT COUNT(*) FROM told").await.expect("a count");
            assert_eq!(told, Some(asked), "{read}, prepared: {prepared}");
        }
    }
    let hinted = "SELECT /*+ weir: replica */ x FROM passed_on";
    let error = conn.query_drop(hinted).await.expect_err("no replica answers it");
    assert!(error.to_string().contains("asks for a replica"), "{error}");
}

#[test]
fn what_a_view_s_function_writes_is_written_on_the_primary() {
    for kind in Kind::ALL {
        if let Err(reason) = engine::available(kind) {
            skip::loudly(kind, &reason);
            continue;
        }
        let options = Options {
            kind,
            replicas: true,
            scale: Scale::SMALL,
            plain: false,
            settings: Vec::new(),
        };
        let trusts = ["--log-bin-trust-function-creators=1"];
        let rig =
            Rig::start_on(&options, &trusts, &Silent).unwrap_or_else(|why| panic!("{kind}: {why}"));
        sql::execute(&rig.url(), MADE).unwrap_or_else(|why| panic!("{kind}: {why}"));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.expect("a runtime").block_on(check(&rig));
    }
}
