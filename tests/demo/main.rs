//! `make demo`: two groups of real servers, the flash-sale shop, Weir, and a guided tour.
//!
//! Owns: what a newcomer sees. Never: hides a step that failed: it is shown, counted, and with
//! `--once` it is the exit code.
//!
//! `--sql GROUP` writes the shop's rows of group 0 or 1 as SQL instead (for docker's loader).
//! `--once` ends after the tour. Ctrl-C ends everything and leaves nothing behind.

#[path = "../support/mod.rs"]
mod support;
mod tour;

use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use support::servers::Kind;
use support::shop::{Layout, Scale, load};
use support::{engine, proxy, rig};

/// A bar for the rows, and lines for the steps.
struct Bar(ProgressBar);

impl rig::Progress for Bar {
    fn step(&self, what: &str) {
        self.0.set_message(what.to_owned());
        self.0.tick();
    }

    fn rows(&self, loaded: u64, of: u64) {
        self.0.set_length(of);
        self.0.set_position(loaded);
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, group] = args.as_slice()
        && mode == "--sql"
    {
        return write_sql(group);
    }
    let once = args.iter().any(|arg| arg == "--once");
    match run(once) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            eprintln!("demo: {failed} steps of the tour failed");
            ExitCode::from(1)
        }
        Err(reason) => {
            eprintln!("demo: {reason}");
            ExitCode::from(1)
        }
    }
}

/// Writes what the loader would run on one group's primary.
fn write_sql(group: &str) -> ExitCode {
    let Ok(group) = group.parse() else {
        eprintln!("demo: --sql takes the number of a group");
        return ExitCode::from(2);
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let layout = Layout::sharded();
    let written = load::write_sql(group, &layout, &Scale::FULL, &mut out)
        .and_then(|()| std::io::Write::flush(&mut out));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::from(1)
        }
    }
}

/// The number of steps that failed.
fn run(once: bool) -> Result<usize, String> {
    // Before anything is started, so that Ctrl-C is orderly from the first moment.
    let interrupted = interrupts()?;
    let kind = match engine::available(Kind::MariaDb) {
        Ok(()) => Kind::MariaDb,
        Err(reason) => {
            engine::available(Kind::MySql).map_err(|other| format!("{reason}; {other}"))?;
            Kind::MySql
        }
    };
    let bar = ProgressBar::new(0);
    bar.set_style(
        ProgressStyle::with_template("{spinner} {msg:32} {wide_bar} {pos}/{len} rows")
            .map_err(|error| error.to_string())?,
    );
    bar.enable_steady_tick(std::time::Duration::from_millis(120));
    let bar = Bar(bar);
    let options = rig::Options {
        kind,
        replicas: true,
        scale: Scale::FULL,
        plain: false,
        settings: Vec::new(),
    };
    let rig = rig::Rig::start(&options, &bar)?;
    bar.0.finish_and_clear();
    println!(
        "Two groups of {kind} {}, each a primary and a GTID replica:",
        rig.groups[0].primary.version
    );
    for (index, group) in rig.groups.iter().enumerate() {
        let replica = group.replica.as_ref().map_or_else(String::new, |replica| replica.address());
        println!("  g{index}  primary {}  replica {replica}", group.primary.address());
    }
    let failed = tour::guide(&rig, &interrupted);
    println!("\nWeir is running. In another terminal:");
    let (user, port, admin) = (proxy::USER, rig.proxy.port, rig.proxy.admin_port);
    println!("  mariadb -h 127.0.0.1 -P {port} -u {user} -p{user} shop");
    println!("  mariadb -h 127.0.0.1 -P {admin} -u admin -padmin        (SHOW HELP)");
    println!("  curl http://127.0.0.1:{}/metrics", rig.proxy.http_port);
    println!("  edit {}", rig.rules.display());
    if !once {
        println!("Ctrl-C stops all of it.");
        while !interrupted.load(std::sync::atomic::Ordering::Relaxed) {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        println!("\nStopping.");
    }
    // Weir ends before its servers, as in life.
    let _ = rig.proxy.signal("INT");
    let _ = rig.proxy.wait(std::time::Duration::from_secs(5));
    Ok(failed)
}

/// True once Ctrl-C or SIGTERM came. A second one ends the process; the reaper cleans up then.
fn interrupts() -> Result<std::sync::Arc<std::sync::atomic::AtomicBool>, String> {
    use std::sync::atomic::{AtomicBool, Ordering};
    let flag = std::sync::Arc::new(AtomicBool::new(false));
    let seen = flag.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut int), Ok(mut term)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            loop {
                tokio::select! {
                    _ = int.recv() => {}
                    _ = term.recv() => {}
                }
                if seen.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
            }
        });
    });
    Ok(flag)
}
