//! What still runs on the shards when a scatter is over.
//!
//! Owns: reading the rest of short results, and stopping the others. Never: tells the client.

use std::time::Duration;

use crate::backend::kill::Scope;
use crate::executor::lane::Lane;
use crate::executor::together::{STOP_PATIENCE, Work, run_all};

/// A satisfied LIMIT leaves at most a LIMIT's rows on each shard: cheaper to read than to stop.
const REST_BYTES: usize = 256 << 10;
const REST_PATIENCE: Duration = Duration::from_millis(50);

/// Brings every lane to rest: idle where that can be had cheaply or the session needs the
/// connection, otherwise stopped and out of step, so that it is closed.
pub async fn settle(lanes: &mut [Lane<'_>], failed: bool) {
    let running = lanes.iter_mut().filter(|lane| lane.is_running());
    let work = running.map(|lane| {
        let work = async move {
            settle_one(lane, failed).await;
            Ok(())
        };
        Box::pin(work) as Work<'_, ()>
    });
    run_all(work.collect(), &[]).await;
}

async fn settle_one(lane: &mut Lane<'_>, failed: bool) {
    if !failed {
        let rest = tokio::time::timeout(REST_PATIENCE, lane.drain(REST_BYTES)).await;
        if matches!(rest, Ok(Ok(true))) {
            return;
        }
    }
    let handle = lane.connection.kill_handle();
    let _ = tokio::time::timeout(STOP_PATIENCE, handle.kill(Scope::Query)).await;
    if !lane.keep {
        lane.connection.condemn();
        return;
    }
    let rest = async {
        // 1317 is what the KILL makes of it; the lane is idle then.
        let _ = lane.drain(usize::MAX).await;
        !lane.is_running() && lane.connection.outlive_kill().await.is_ok()
    };
    if !matches!(tokio::time::timeout(STOP_PATIENCE, rest).await, Ok(true)) {
        lane.connection.condemn();
    }
}
