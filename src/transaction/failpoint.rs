//! Places where a test may stop or kill the process.
//!
//! Owns: their names and what `WEIR_FAILPOINTS` asks for. In builds without debug assertions (every
//! release) there are none: [`hit`] is empty.
//!
//! `WEIR_FAILPOINTS` is a directory. A file named as a failpoint holds what happens the next time
//! it is passed (the file is renamed to `<name>.hit` first): `kill` ends the process as SIGKILL
//! does, `pause <ms>` waits, so that the test can harm a server meanwhile.

/// Passes a failpoint.
#[cfg(not(debug_assertions))]
pub async fn hit(_name: &'static str) {}

/// Whether something happens the next time that it is passed: what else is done at once is then done
/// in turn, so that the failpoint lies between.
#[cfg(not(debug_assertions))]
pub fn is_armed(_name: &'static str) -> bool {
    false
}

#[cfg(debug_assertions)]
static DIRECTORY: std::sync::LazyLock<Option<std::path::PathBuf>> =
    std::sync::LazyLock::new(|| std::env::var_os("WEIR_FAILPOINTS").map(Into::into));

/// Whether something happens the next time that it is passed: what else is done at once is then done
/// in turn, so that the failpoint lies between.
#[cfg(debug_assertions)]
pub fn is_armed(name: &'static str) -> bool {
    DIRECTORY.as_ref().is_some_and(|directory| directory.join(name).exists())
}

/// Passes a failpoint.
#[cfg(debug_assertions)]
pub async fn hit(name: &'static str) {
    let Some(directory) = &*DIRECTORY else { return };
    let taken = directory.join(format!("{name}.hit"));
    // Renaming picks one of several that pass at the same time.
    if std::fs::rename(directory.join(name), &taken).is_err() {
        return;
    }
    let action = std::fs::read_to_string(&taken).unwrap_or_default();
    tracing::warn!(name, action, "failpoint");
    match action.trim().split_once(' ') {
        Some(("pause", millis)) => {
            let millis = millis.parse().unwrap_or(0);
            tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
        }
        _ => {
            let own = rustix::process::getpid();
            let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
        }
    }
}
