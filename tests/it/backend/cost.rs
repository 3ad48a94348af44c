//! What a statement costs that needs nothing unusual.

use std::time::Instant;

use weir::backend::spec::Limits;
use weir::backend::state::State;
use weir::wire::tls::TlsMode;

use super::{ask, run, single};
use crate::support;

/// With `WEIR_COST=1` under `strace -c`: two system calls of sending and receiving for each round.
#[test]
#[ignore = "a measurement, not a test"]
fn a_thousand_rounds() {
    let server = support::shared_kinds().remove(0);
    run(async {
        let group = single(server, |node| {
            node.tls.mode = TlsMode::Off;
            node.limits = Limits::default();
        });
        let state = State::default();
        let started = Instant::now();
        for _ in 0..5000 {
            let mut lent = group.lend(&ask(&state)).await.unwrap();
            lent.rows(b"SELECT 1", 10).await.unwrap();
            assert!(lent.finish_now().is_none());
        }
        println!("{} µs a round", started.elapsed().as_micros() / 5000);
        let started = Instant::now();
        for _ in 0..100_000 {
            let lent = group.lend(&ask(&state)).await.unwrap();
            assert!(lent.finish_now().is_none());
        }
        println!("{} ns a lend", started.elapsed().as_nanos() / 100_000);
    });
}
