//! Loud skips.
//!
//! Owns: the line that says what was not run and why, and its record for the closing count. Never:
//! skips silently; MariaDB is in Debian, so its absence is a failure and no skip.

use std::collections::HashSet;
use std::io::Write;
use std::sync::Mutex;

use super::servers::Kind;

/// Where `make test` counts what was skipped.
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/skipped.txt");

/// Says that the calling test leaves this kind out.
///
/// # Panics
/// For MariaDB (unless servers are containers), and for any kind named in `WEIR_REQUIRE` (`mariadb,mysql`).
pub fn loudly(kind: Kind, reason: &str) {
    let required = std::env::var("WEIR_REQUIRE").unwrap_or_default();
    let required = required.split(',').any(|name| name == kind.name());
    let always = kind == Kind::MariaDb && !super::docker::wanted();
    assert!(!always && !required, "{kind} is required here: {reason}");
    say(&format!("{}: {kind} left out: {reason}", test_name()));
}

/// Prints and records one skip. Written to the real stderr, which libtest does not capture.
pub fn say(what: &str) {
    static SAID: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    let mut said = SAID.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if !said.get_or_insert_default().insert(what.to_owned()) {
        return;
    }
    let _ = writeln!(std::io::stderr().lock(), "SKIPPED: {what}");
    let record = std::fs::OpenOptions::new().create(true).append(true).open(RECORD);
    if let Ok(mut record) = record {
        let _ = writeln!(record, "{what}");
    }
}

fn test_name() -> String {
    std::thread::current().name().unwrap_or("a test").to_owned()
}
