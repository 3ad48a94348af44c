//! The metrics as text, in the OpenMetrics format.
//!
//! Owns: names and help lines (prefix `weir_`, base units). Never: runs while a statement is
//! answered; everything is added up when somebody asks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry as Prometheus;

use super::budget::Budget;
use super::histogram::Summed;
use super::metrics::{Counter, Kind, Metrics, Route, Tally, WorkerMetrics};
use super::sessions::Registry;

type Encoded = Result<(), fmt::Error>;

/// Writes one labelled gauge; what a [`Source`] calls.
pub struct Gauges<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl Gauges<'_> {
    /// A family of gauges: each row its label values, in the order of `labels`, and its value.
    pub fn family<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&'static str; N],
        rows: impl IntoIterator<Item = ([String; N], f64)>,
    ) -> Encoded {
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (values, value) in rows {
            let set: [(&str, String); N] = zip(labels, values);
            family.encode_family(&set)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    /// A family of counters, likewise.
    pub fn counters<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&'static str; N],
        rows: impl IntoIterator<Item = ([String; N], u64)>,
    ) -> Encoded {
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (values, value) in rows {
            let set: [(&str, String); N] = zip(labels, values);
            family.encode_family(&set)?.encode_counter::<NoLabelSet, _, f64>(&value, None)?;
        }
        Ok(())
    }

    /// One gauge without labels.
    pub fn gauge(&mut self, name: &str, help: &str, value: f64) -> Encoded {
        self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }
}

fn zip<const N: usize>(
    labels: [&'static str; N],
    values: [String; N],
) -> [(&'static str, String); N] {
    let mut values = values.into_iter();
    labels.map(|label| (label, values.next().unwrap_or_default()))
}

/// Somebody above who has gauges of its own: pools, nodes, rules.
pub trait Source: Send + Sync + 'static {
    fn gauges(&self, gauges: &mut Gauges<'_>) -> Encoded;
}

struct All {
    metrics: Arc<Metrics>,
    sessions: Arc<Registry>,
    budget: Budget,
    sources: Vec<Box<dyn Source>>,
}

impl fmt::Debug for All {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("All")
    }
}

/// Everything that a scrape shows.
pub struct Scrape {
    prometheus: Prometheus,
}

impl Scrape {
    pub fn new(
        metrics: Arc<Metrics>,
        sessions: Arc<Registry>,
        budget: Budget,
        sources: Vec<Box<dyn Source>>,
    ) -> Self {
        let mut prometheus = Prometheus::default();
        prometheus.register_collector(Box::new(All { metrics, sessions, budget, sources }));
        Scrape { prometheus }
    }

    /// The text; its content type is [`CONTENT_TYPE`].
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::with_capacity(16 * 1024);
        prometheus_client::encoding::text::encode(&mut text, &self.prometheus)?;
        Ok(text)
    }
}

pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl Collector for All {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Encoded {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        encoder
            .encode_descriptor("weir_build", "The running version", None, MetricType::Info)?
            .encode_info(&version)?;
        self.statements(&mut encoder)?;
        self.totals(&mut encoder)?;
        self.tallies(&mut encoder)?;
        let mut gauges = Gauges { encoder };
        self.process(&mut gauges)?;
        for source in &self.sources {
            source.gauges(&mut gauges)?;
        }
        Ok(())
    }
}

impl All {
    fn statements(&self, encoder: &mut DescriptorEncoder<'_>) -> Encoded {
        let workers = self.metrics.workers();
        let help = "Statements answered, by route and kind";
        let mut family =
            encoder.encode_descriptor("weir_statements", help, None, MetricType::Counter)?;
        for (r, route) in Route::ALL.iter().enumerate() {
            for (k, kind) in Kind::ALL.iter().enumerate() {
                let count = |w: &Arc<WorkerMetrics>| {
                    w.statements.get(r).and_then(|row| row.get(k)).map_or(0, Counter::get)
                };
                let total: u64 = workers.iter().map(count).sum();
                if total > 0 {
                    let labels = [("route", route.as_str()), ("kind", kind.as_str())];
                    family
                        .encode_family(&labels)?
                        .encode_counter::<NoLabelSet, _, f64>(&total, None)?;
                }
            }
        }
        let help = "From the statement's last byte to its answer's last byte";
        let mut family = encoder.encode_descriptor(
            "weir_statement_seconds",
            help,
            None,
            MetricType::Histogram,
        )?;
        for (r, route) in Route::ALL.iter().enumerate() {
            let mut summed = Summed::default();
            workers.iter().filter_map(|w| w.statement_seconds.get(r)).for_each(|h| summed.add(h));
            encode_summed(family.encode_family(&[("route", route.as_str())])?, &summed)?;
        }
        Ok(())
    }

    fn totals(&self, encoder: &mut DescriptorEncoder<'_>) -> Encoded {
        type Pick = fn(&WorkerMetrics) -> &Counter;
        let totals: [(&str, &str, Pick); 7] = [
            ("weir_plan_cache_hits", "Statements whose plan was cached", |w| &w.plan_cache_hits),
            ("weir_plan_cache_misses", "Statements that were parsed and planned", |w| {
                &w.plan_cache_misses
            }),
            ("weir_connections", "Client connections taken", |w| &w.connections),
            ("weir_panics", "Sessions ended by a defect of Weir", |w| &w.panics),
            ("weir_slow_statements_left_out", "Slow statements beyond the log's rate", |w| {
                &w.slow_left_out
            }),
            ("weir_failed_logins_held", "Answers to failed logins that were held back", |w| {
                &w.failed_logins_held
            }),
            ("weir_failed_logins_left_out", "Failed logins beyond the log's rate", |w| {
                &w.failed_logins_left_out
            }),
        ];
        for (name, help, pick) in totals {
            counter(encoder, name, help, self.metrics.sum(pick))?;
        }
        let m = &self.metrics;
        counter(
            encoder,
            "weir_accept_pauses",
            "Pauses of accepting for lack of file descriptors",
            m.accept_pauses.get(),
        )?;
        counter(
            encoder,
            "weir_reloads_succeeded",
            "Reloads that took effect",
            m.reloads_succeeded.get(),
        )?;
        counter(
            encoder,
            "weir_reloads_failed",
            "Reloads that changed nothing",
            m.reloads_failed.get(),
        )?;
        counter(
            encoder,
            "weir_memory_refused",
            "Reservations that the memory budget refused",
            self.budget.refused(),
        )
    }

    fn tallies(&self, encoder: &mut DescriptorEncoder<'_>) -> Encoded {
        type Pick = fn(&WorkerMetrics) -> &Tally;
        let tallies: [(&str, &str, [&str; 2], Pick); 4] = [
            ("weir_errors", "Errors sent to clients", ["fault", "code"], |w| &w.errors),
            ("weir_pins", "Sessions bound to a backend connection", ["reason", ""], |w| &w.pins),
            ("weir_rejected", "Requests that a limit turned away", ["limit", ""], |w| &w.rejected),
            ("weir_logins_failed", "Logins that failed", ["reason", ""], |w| &w.logins_failed),
        ];
        for (name, help, labels, pick) in tallies {
            let counts = self.metrics.workers().iter().map(|worker| pick(worker).counts());
            encode_tally(encoder, name, help, labels, counts.flatten())?;
        }
        let counts = self.metrics.refused.counts();
        encode_tally(
            encoder,
            "weir_connections_refused",
            "Connections turned away at the door",
            ["limit", ""],
            counts,
        )
    }

    fn process(&self, gauges: &mut Gauges<'_>) -> Encoded {
        gauges.gauge("weir_clients", "Client sessions now", self.sessions.len() as f64)?;
        gauges.gauge(
            "weir_memory_budget_bytes",
            "The memory budget",
            self.budget.limit() as f64,
        )?;
        gauges.gauge(
            "weir_memory_used_bytes",
            "Reserved from the memory budget",
            self.budget.used() as f64,
        )?;
        let success = f64::from(u8::from(self.metrics.reload_success.load(Ordering::Relaxed)));
        gauges.gauge("weir_reload_success", "1 where the last reload took effect", success)?;
        let time = self.metrics.reload_time.load(Ordering::Relaxed) as f64;
        gauges.gauge("weir_reload_timestamp_seconds", "When rules last took effect", time)
    }
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> Encoded {
    encoder
        .encode_descriptor(name, help, None, MetricType::Counter)?
        .encode_counter::<NoLabelSet, _, f64>(&value, None)
}

fn encode_summed(mut encoder: MetricEncoder<'_>, summed: &Summed) -> Encoded {
    encoder.encode_histogram::<NoLabelSet>(
        summed.seconds(),
        summed.count(),
        &summed.buckets(),
        None,
    )
}

fn encode_tally(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    labels: [&str; 2],
    counts: impl IntoIterator<Item = ((&'static str, &'static str), u64)>,
) -> Encoded {
    let mut sums = std::collections::BTreeMap::<_, u64>::new();
    for (key, count) in counts {
        *sums.entry(key).or_default() += count;
    }
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    let [first, second] = labels;
    for ((a, b), sum) in sums {
        if second.is_empty() {
            family
                .encode_family(&[(first, a)])?
                .encode_counter::<NoLabelSet, _, f64>(&sum, None)?;
        } else {
            let labels = [(first, a), (second, b)];
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(&sum, None)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    struct Pools;
    impl Source for Pools {
        fn gauges(&self, gauges: &mut Gauges<'_>) -> Encoded {
            let hostile = "a\"b\\c\nd".to_owned();
            gauges.family(
                "weir_pool_connections",
                "Backend connections",
                ["group", "state"],
                [([hostile, "idle".to_owned()], 3.0)],
            )
        }
    }

    #[test]
    fn workers_are_added_up_under_documented_names() {
        let metrics = Metrics::new(2);
        for worker in metrics.workers() {
            worker.statements[Route::Forward as usize][Kind::Select as usize].add(2);
            worker.statement_seconds[Route::Forward as usize].observe(Duration::from_millis(3));
            worker.errors.add_pair("refused", "join_across_groups");
            worker.pins.add("temporary_table");
        }
        let sessions = Registry::new(0);
        let budget = Budget::new(1000);
        let _held = budget.reserve(10).unwrap();
        let text = Scrape::new(metrics, sessions, budget, vec![Box::new(Pools)]).text().unwrap();
        for line in [
            "weir_statements_total{route=\"forward\",kind=\"select\"} 4",
            "weir_statement_seconds_count{route=\"forward\"} 2",
            "weir_statement_seconds_bucket{le=\"0.005\",route=\"forward\"} 2",
            "weir_statement_seconds_bucket{le=\"0.002\",route=\"forward\"} 0",
            "weir_statement_seconds_bucket{le=\"+Inf\",route=\"forward\"} 2",
            "weir_errors_total{fault=\"refused\",code=\"join_across_groups\"} 2",
            "weir_pins_total{reason=\"temporary_table\"} 2",
            "weir_memory_used_bytes 10.0",
            "weir_pool_connections{group=\"a\\\"b\\\\c\\nd\",state=\"idle\"} 3.0",
        ] {
            assert!(text.lines().any(|l| l == line), "no line {line} in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
