//! The table on the screen, and `target/bench.json`.
//!
//! Owns: medians, paired ratios and the bars. Never: rounds a ratio before comparing it.

use comfy_table::Table;
use serde_json::{Value, json};

use crate::Case;
use crate::measure::{Calls, Sample};
use crate::memory::Figure;
use crate::stage::{POOL, Stage, Way};

pub struct CaseResult<'a> {
    pub case: &'a Case,
    pub ways: Vec<Way>,
    /// One sample per way in each round.
    pub rounds: Vec<Vec<Sample>>,
    /// One per way.
    pub calls: Vec<Calls>,
}

/// Median, smallest and largest of the rounds' ratios.
struct Ratio {
    median: f64,
    low: f64,
    high: f64,
}

impl CaseResult<'_> {
    fn index(&self, way: Way) -> Option<usize> {
        self.ways.iter().position(|candidate| *candidate == way)
    }

    fn values(&self, way: Way, of: fn(&Sample) -> f64) -> Vec<f64> {
        let index = self.index(way);
        index
            .map(|index| self.rounds.iter().map(|round| of(&round[index])).collect())
            .unwrap_or_default()
    }

    fn median(&self, way: Way, of: fn(&Sample) -> f64) -> Option<f64> {
        median(self.values(way, of)).filter(|value| *value > 0.0)
    }

    /// Weir to `other`, round by round.
    fn ratio(&self, other: Way, of: fn(&Sample) -> f64) -> Option<Ratio> {
        let weir = self.values(Way::Weir, of);
        let pairs = weir.into_iter().zip(self.values(other, of));
        let ratios: Vec<f64> =
            pairs.filter(|(_, base)| *base > 0.0).map(|(weir, base)| weir / base).collect();
        let low = ratios.iter().copied().reduce(f64::min)?;
        let high = ratios.iter().copied().reduce(f64::max)?;
        Some(Ratio { median: median(ratios)?, low, high })
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

/// What is reported of each case: name, unit, the number, and whether Weir has a bar there.
type Measure = (&'static str, &'static str, fn(&Sample) -> f64, bool);

const MEASURES: [Measure; 3] = [
    ("throughput", "queries/s", |sample| sample.per_second, false),
    ("p95", "ms", |sample| sample.p95_ms, false),
    ("cpu", "µs/query", |sample| sample.cpu_us, true),
];

pub fn print(results: &[CaseResult], stage: &Stage) {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "case",
        "way",
        "queries/s",
        "p95 ms",
        "CPU µs/query",
        "calls/query",
        "CPU to HAProxy's",
    ]);
    for result in results {
        for (index, way) in result.ways.iter().enumerate() {
            let show = |of: fn(&Sample) -> f64, digits: usize| {
                let value = result.median(*way, of);
                value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
            };
            let calls = match &result.calls[index] {
                Calls::None => "–".to_owned(),
                Calls::Counted { per_query, tool } => format!("{per_query:.2} ({tool})"),
                Calls::Unavailable(_) => "unavailable".to_owned(),
            };
            let ratio = match way {
                Way::Weir => result.ratio(Way::HaProxy, |sample| sample.cpu_us),
                _ => None,
            };
            let ratio = ratio.map_or_else(String::new, |ratio| {
                let bar = result.case.work.bar();
                let verdict = if ratio.median <= bar { "holds" } else { "misses" };
                let Ratio { median, low, high } = ratio;
                format!("{median:.3} ({low:.3} to {high:.3}), bar {bar} {verdict}")
            });
            table.add_row([
                if index == 0 { result.case.name.to_owned() } else { String::new() },
                way.name().to_owned(),
                show(|sample| sample.per_second, 0),
                show(|sample| sample.p95_ms, 2),
                show(|sample| sample.cpu_us, 2),
                calls,
                ratio,
            ]);
        }
    }
    println!("{table}");
    println!(
        "Medians of {} rounds against MariaDB {}. Weir holds at most {POOL} connections to it; \
         HAProxy in TCP mode holds one per client.",
        results.first().map_or(0, |result| result.rounds.len()),
        stage.server.version
    );
    for result in results {
        for calls in &result.calls {
            if let Calls::Unavailable(reason) = calls {
                println!("{}: system calls unavailable: {reason}", result.case.name);
            }
        }
    }
}

/// Figures with a bar of their own.
pub fn print_figures(figures: &[Figure]) {
    for Figure { name, unit, value, bar } in figures {
        let verdict = match bar {
            Some(bar) if value <= bar => format!(", bar {bar} {unit} holds"),
            Some(bar) => format!(", bar {bar} {unit} misses"),
            None => String::new(),
        };
        println!("{name}: {value:.1} {unit}{verdict}");
    }
}

pub fn write_json(
    results: &[CaseResult],
    figures: &[Figure],
    ids: Vec<Value>,
) -> Result<(), String> {
    let mut list: Vec<Value> = ids;
    for result in results {
        for (name, unit, of, barred) in MEASURES {
            let base = if barred { Way::HaProxy } else { Way::Direct };
            let ratio = result.ratio(base, of);
            let bar = barred.then(|| result.case.work.bar());
            list.push(json!({
                "name": format!("{} {name}", result.case.name),
                "unit": unit,
                "direct": result.median(Way::Direct, of),
                "haproxy": result.median(Way::HaProxy, of),
                "weir": result.median(Way::Weir, of),
                "ratio": ratio.as_ref().map(|ratio| ratio.median),
                "low": ratio.as_ref().map(|ratio| ratio.low),
                "high": ratio.as_ref().map(|ratio| ratio.high),
                "bar": bar,
                "holds": bar.and_then(|bar| ratio.as_ref().map(|ratio| ratio.median <= bar)),
            }));
        }
        let calls = |way: Way| match result.index(way).map(|index| &result.calls[index]) {
            Some(Calls::Counted { per_query, .. }) => Some(*per_query),
            _ => None,
        };
        let ratio = match (calls(Way::Weir), calls(Way::HaProxy)) {
            (Some(weir), Some(haproxy)) if haproxy > 0.0 => Some(weir / haproxy),
            _ => None,
        };
        list.push(json!({
            "name": format!("{} system calls", result.case.name),
            "unit": "calls/query",
            "direct": null,
            "haproxy": calls(Way::HaProxy),
            "weir": calls(Way::Weir),
            "ratio": ratio,
            "low": ratio,
            "high": ratio,
            "bar": null,
            "holds": null,
        }));
    }
    for Figure { name, unit, value, bar } in figures {
        list.push(json!({
            "name": name,
            "unit": unit,
            "direct": null,
            "haproxy": null,
            "weir": value,
            "ratio": null,
            "low": null,
            "high": null,
            "bar": bar,
            "holds": bar.map(|bar| *value <= bar),
        }));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench.json");
    let text = serde_json::to_string_pretty(&list).map_err(|error| error.to_string())?;
    std::fs::write(path, text + "\n").map_err(|error| format!("{path}: {error}"))?;
    println!("{path}");
    Ok(())
}
