//! Reading sysbench's report, a process's CPU time and its system calls.
//!
//! Owns: numbers as the kernel and sysbench give them. Never: guesses one that it could not read.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// One run.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    pub queries: f64,
    pub per_second: f64,
    pub p95_ms: f64,
    /// The proxy's own CPU time, in microseconds per query; 0 without a proxy.
    pub cpu_us: f64,
}

/// System calls of the proxy.
pub enum Calls {
    /// No proxy.
    None,
    Counted {
        per_query: f64,
        tool: &'static str,
    },
    Unavailable(String),
}

/// Reads sysbench's text.
pub fn parse(text: &str) -> Result<Sample, String> {
    let after = |label: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(label));
        line.map(str::trim).ok_or_else(|| format!("sysbench said no {label} in\n{text}"))
    };
    let number = |text: &str| text.parse::<f64>().map_err(|error| format!("{error}: {text}"));
    // `queries:   123456 (41151.58 per sec.)`
    let queries = after("queries:")?;
    let (count, rate) = queries.split_once('(').ok_or_else(|| queries.to_owned())?;
    let rate = rate.split_whitespace().next().unwrap_or_default();
    Ok(Sample {
        queries: number(count.trim())?,
        per_second: number(rate)?,
        p95_ms: number(after("95th percentile:")?)?,
        cpu_us: 0.0,
    })
}

/// CPU time of all threads of a process, in nanoseconds.
pub fn cpu_ns(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let tasks = tasks.into_iter().flatten().flatten();
    let exact: u64 = tasks
        .filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .sum();
    if exact > 0 { exact } else { cpu_ticks(pid) * 10_000_000 }
}

/// User and system time in ticks of 10 ms, for kernels without schedstat.
fn cpu_ticks(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = text.rsplit(") ").next().unwrap_or_default();
    fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// A tool that counts the system calls of a running process.
pub struct Counter {
    running: Result<(Child, &'static str), String>,
}

impl Counter {
    /// `perf` where the kernel lets it, else `strace`, which slows the process down.
    pub fn attach(pid: u32) -> Counter {
        let pid = pid.to_string();
        let mut perf = Command::new("perf");
        perf.args(["stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", &pid]);
        let mut strace = Command::new("strace");
        strace.args(["-c", "-f", "-q", "-p", &pid]);
        for (mut command, tool) in [(perf, "perf"), (strace, "strace")] {
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
            let Ok(mut child) = command.spawn() else { continue };
            std::thread::sleep(Duration::from_millis(300));
            // One that may not look ends at once.
            if matches!(child.try_wait(), Ok(None)) {
                return Counter { running: Ok((child, tool)) };
            }
        }
        Counter { running: Err("neither perf nor strace may look at the process".to_owned()) }
    }

    pub fn finish(self) -> Result<(u64, &'static str), String> {
        let (child, tool) = self.running?;
        let signalled = Command::new("kill").arg("-INT").arg(child.id().to_string()).status();
        signalled.map_err(|error| error.to_string())?;
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let count = match tool {
            "perf" => text
                .lines()
                .find(|line| line.contains("raw_syscalls"))
                .and_then(|line| line.split(',').next()?.parse().ok()),
            _ => text
                .lines()
                .find(|line| line.trim_end().ends_with(" total"))
                .and_then(|line| line.split_whitespace().nth(3)?.parse().ok()),
        };
        count.map(|count| (count, tool)).ok_or_else(|| format!("{tool} said: {text}"))
    }
}
