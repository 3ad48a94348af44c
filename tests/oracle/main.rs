//! `make oracle STATEMENTS=3000 SEED=1 SERVERS=mariadb|mysql`: random statements over shards and on
//! one plain server.
//!
//! Owns: the settings and the closing lines. Ends in `compared N, different D, refused R`, and
//! non-zero where D isn't 0 or a refusal's code stands for a shape that is missing. `SET=name`,
//! `FROM=n`, `ROUND=n`, `ONLY=n` and `SINCE=n` run a part of it; `HAS=text` runs
//! those alone that have the text in them, `EACH=n` so many (100) a round; `WRITES=97` lets nearly all of them write;
//! `ALL=1` prints each statement, `LOG=debug` makes Weir tell more, `HOLD=60` leaves the round's
//! servers standing.

#[path = "mod.rs"]
mod oracle;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use oracle::{Options, Outcome, run};
use support::servers::Kind;

fn main() -> ExitCode {
    let setting = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let number = |name: &str| match setting(name).map(|text| text.parse::<u64>()) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(format!("{name} takes a number")),
    };
    let options = || -> Result<Options, String> {
        Ok(Options {
            statements: number("STATEMENTS")?.unwrap_or(3000),
            seed: number("SEED")?.unwrap_or(1),
            per_round: number("EACH")?.unwrap_or(100),
            set: setting("SET"),
            from: number("FROM")?.unwrap_or(0),
            round: number("ROUND")?,
            only: number("ONLY")?,
            since: number("SINCE")?,
            has: setting("HAS"),
            hold: number("HOLD")?,
            all: setting("ALL").is_some(),
            writes: number("WRITES")?.unwrap_or(27),
        })
    };
    let options = match options() {
        Ok(options) => options,
        Err(reason) => return wrong(&reason),
    };
    let kinds = match setting("SERVERS").as_deref() {
        None => Kind::ALL.to_vec(),
        Some("mariadb") => vec![Kind::MariaDb],
        Some("mysql") => vec![Kind::MySql],
        Some(other) => return wrong(&format!("SERVERS={other}: mariadb or mysql")),
    };
    let mut whole = Outcome::default();
    for kind in kinds {
        if let Err(reason) = support::engine::available(kind) {
            support::skip::loudly(kind, &reason);
            continue;
        }
        match run(kind, &options) {
            Ok(outcome) => whole.add(outcome),
            Err(reason) => return wrong(&format!("{kind}: {reason}")),
        }
    }
    println!("{}", whole.summary());
    let clean = whole.differences.is_empty() && whole.missing == 0 && whole.compared > 0;
    if clean { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn wrong(reason: &str) -> ExitCode {
    eprintln!("oracle: {reason}");
    ExitCode::from(2)
}
