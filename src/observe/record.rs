//! The one record that each statement leaves.
//!
//! Owns: what a record holds and where it goes: counters, template statistics, slow log. Never:
//! shows a literal of the client's statement in a log line.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::metrics::{Kind, Metrics, Route, WorkerMetrics};
use super::templates::Templates;
use crate::error::{Error, Fault};

/// One answered statement, as the session saw it.
#[derive(Clone, Debug)]
pub struct StatementRecord<'a> {
    pub connection: u32,
    pub user: &'a str,
    pub schema: &'a str,
    pub kind: Kind,
    pub route: Route,
    /// The hash of the template and its bytes; `None` for commands that have none (PING).
    pub template: Option<(u64, &'a [u8])>,
    /// How many backend statements it made.
    pub targets: u32,
    /// From the packet's end to the answer's last byte.
    pub elapsed: Duration,
    /// The client got an error, a backend's or Weir's.
    pub failed: bool,
    /// Weir's, for the slow log; it has been counted where it was sent.
    pub error: Option<&'a Error>,
}

/// Where one worker's records go.
#[derive(Debug)]
pub struct Recorder {
    metrics: Arc<WorkerMetrics>,
    templates: Arc<Templates>,
    slow: Arc<SlowLog>,
    rate: Rate,
    logins: Rate,
}

/// When a statement is slow; shared by all workers, changed by a reload.
#[derive(Debug)]
pub struct SlowLog {
    micros: AtomicU64,
    lines_per_second: AtomicU64,
}

impl SlowLog {
    /// `threshold` `None` logs nothing.
    pub fn new(threshold: Option<Duration>, lines_per_second: u32) -> Arc<Self> {
        let log = SlowLog { micros: AtomicU64::new(u64::MAX), lines_per_second: AtomicU64::new(0) };
        log.set(threshold, lines_per_second);
        Arc::new(log)
    }

    pub fn set(&self, threshold: Option<Duration>, lines_per_second: u32) {
        let micros = threshold.map(|t| u64::try_from(t.as_micros()).unwrap_or(u64::MAX));
        self.micros.store(micros.unwrap_or(u64::MAX), Ordering::Relaxed);
        self.lines_per_second.store(lines_per_second.into(), Ordering::Relaxed);
    }
}

/// Counts lines of the current second; one worker's, so never contended.
#[derive(Debug)]
struct Rate {
    start: Instant,
    /// The second since `start` in the high half, lines in it in the low half.
    state: AtomicU64,
}

impl Rate {
    fn take(&self, limit: u64) -> bool {
        let second = self.start.elapsed().as_secs() << 32;
        let state = self.state.load(Ordering::Relaxed);
        let lines = if state >> 32 << 32 == second { state & u64::from(u32::MAX) } else { 0 };
        if lines >= limit {
            return false;
        }
        self.state.store(second | (lines + 1), Ordering::Relaxed);
        true
    }
}

/// The label of an error's fault.
pub fn fault_label(fault: Fault) -> &'static str {
    match fault {
        Fault::Client => "client",
        Fault::Refused => "refused",
        Fault::Backend => "backend",
        Fault::Unavailable => "unavailable",
        Fault::Limit => "limit",
        Fault::Internal => "internal",
    }
}

impl Recorder {
    pub fn new(metrics: Arc<WorkerMetrics>, templates: Arc<Templates>, slow: Arc<SlowLog>) -> Self {
        let rate = || Rate { start: Instant::now(), state: AtomicU64::new(0) };
        Recorder { metrics, templates, slow, rate: rate(), logins: rate() }
    }

    /// A recorder for worker `index` of `metrics`.
    pub fn for_worker(
        metrics: &Metrics,
        index: usize,
        templates: Arc<Templates>,
        slow: Arc<SlowLog>,
    ) -> Self {
        Recorder::new(metrics.worker(index), templates, slow)
    }

    pub fn metrics(&self) -> &Arc<WorkerMetrics> {
        &self.metrics
    }

    /// Counts a failed login. True where it may have a line in the log, of which there are at most
    /// `lines_per_second`.
    pub fn failed_login(&self, reason: &'static str, lines_per_second: u32) -> bool {
        self.metrics.logins_failed.add(reason);
        let may_log = self.logins.take(lines_per_second.into());
        if !may_log {
            self.metrics.failed_logins_left_out.increment();
        }
        may_log
    }

    pub fn templates(&self) -> &Arc<Templates> {
        &self.templates
    }

    /// Takes one statement's record.
    pub fn record(&self, record: &StatementRecord<'_>) {
        let m = &self.metrics;
        if let Some(counter) =
            m.statements.get(record.route as usize).and_then(|row| row.get(record.kind as usize))
        {
            counter.increment();
        }
        if let Some(histogram) = m.statement_seconds.get(record.route as usize) {
            histogram.observe(record.elapsed);
        }
        if let Some((digest, template)) = record.template {
            self.templates.record(digest, template, record.elapsed, record.failed);
        }
        let micros = u64::try_from(record.elapsed.as_micros()).unwrap_or(u64::MAX);
        if micros >= self.slow.micros.load(Ordering::Relaxed) {
            self.log_slow(record);
        }
    }

    /// Counts an error as it is sent to a client.
    pub fn error(&self, error: &Error) {
        self.metrics.errors.add_pair(fault_label(error.fault), error.code);
    }

    #[cold]
    fn log_slow(&self, record: &StatementRecord<'_>) {
        if !self.rate.take(self.slow.lines_per_second.load(Ordering::Relaxed)) {
            self.metrics.slow_left_out.increment();
            return;
        }
        let template = record.template.map_or(&b""[..], |(_, template)| template);
        let template = template.get(..1024).unwrap_or(template);
        tracing::warn!(
            target: "weir::slow",
            connection = record.connection,
            user = record.user,
            schema = record.schema,
            kind = record.kind.as_str(),
            route = record.route.as_str(),
            targets = record.targets,
            elapsed_ms = record.elapsed.as_secs_f64() * 1e3,
            errno = record.error.map_or(0, |e| e.errno),
            digest = record.template.map_or(0, |(digest, _)| digest),
            statement = %String::from_utf8_lossy(template),
            "slow statement"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_counted_once_everywhere() {
        let metrics = Metrics::new(1);
        let templates = Arc::new(Templates::new(10));
        let slow = SlowLog::new(Some(Duration::from_millis(10)), 1);
        let recorder = Recorder::for_worker(&metrics, 0, templates.clone(), slow.clone());
        let error = Error::refused("no_join", "no");
        let mut record = StatementRecord {
            connection: 1,
            user: "u",
            schema: "s",
            kind: Kind::Select,
            route: Route::Refused,
            template: Some((9, b"SELECT ?")),
            targets: 0,
            elapsed: Duration::from_millis(11),
            failed: true,
            error: Some(&error),
        };
        recorder.record(&record);
        recorder.record(&record);
        record.elapsed = Duration::from_millis(9);
        recorder.record(&record);
        let worker = metrics.worker(0);
        assert_eq!(worker.statements[Route::Refused as usize][Kind::Select as usize].get(), 3);
        // One line a second: the second slow one was left out.
        assert_eq!(worker.slow_left_out.get(), 1);
        assert_eq!(Templates::merged([&*templates]).0[0].statistics.errors, 3);
        slow.set(None, 1);
        record.elapsed = Duration::from_secs(1000);
        recorder.record(&record);
        assert_eq!(worker.slow_left_out.get(), 1);
    }
}
