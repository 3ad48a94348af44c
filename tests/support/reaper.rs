//! The throw-away directory of this process, and the reaper that outlives it.
//!
//! Owns: the directory, and that neither it nor a server outlives the process, whatever ends it
//! (`kill -9` included). Never: touches a process that does not carry this run's mark.
//!
//! The reaper is a shell that waits for the end of its stdin, which is the read end of a pipe that
//! only this process holds. Then it kills every process whose environment carries the mark, and
//! removes the directory. So statics need no destructor.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The environment variable that marks each process of a run; its value is the run's directory.
pub const MARK: &str = "WEIR_RUN";

const SCRIPT: &str = r#"
trap '' INT TERM HUP
read -r _
marked() {
    for process in /proc/[0-9]*; do
        if tr '\0' '\n' <"$process/environ" 2>/dev/null | grep -qx "WEIR_RUN=$1"; then
            echo "${process#/proc/}"
        fi
    done
}
for attempt in 1 2 3 4 5; do
    pids=$(marked "$1")
    [ -z "$pids" ] && break
    kill -9 $pids 2>/dev/null
    sleep 0.2
done
if [ -e "$1/containers" ]; then
    containers=$(docker ps -aq --filter "label=weir.run=$1" 2>/dev/null)
    [ -n "$containers" ] && docker rm -fv $containers >/dev/null 2>&1
fi
[ -n "$WEIR_KEEP" ] || rm -rf "$1"
"#;

struct Run {
    directory: PathBuf,
    /// Holds the pipe's write end until the process ends.
    _reaper: Child,
}

/// This process's directory, made at the first call. `WEIR_KEEP=1` leaves it there.
pub fn run_directory() -> &'static Path {
    static RUN: OnceLock<Run> = OnceLock::new();
    &RUN.get_or_init(start).directory
}

/// A new empty directory in the run's directory.
pub fn directory(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let path = run_directory().join(format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    path
}

/// A command whose process belongs to this run: marked, and out of the terminal's group, so that
/// Ctrl-C reaches the parent alone.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    command.env(MARK, run_directory()).process_group(0);
    command
}

fn start() -> Run {
    use std::os::unix::process::CommandExt;
    let base = std::env::var_os("WEIR_TMP").map_or_else(std::env::temp_dir, PathBuf::from);
    // Short: a unix socket's path may have 107 bytes.
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.subsec_nanos());
    let directory = base.join(format!("weir-{}-{:x}", std::process::id(), nanos & 0xfffff));
    fs::create_dir_all(&directory).unwrap_or_else(|e| panic!("{}: {e}", directory.display()));
    let reaper = Command::new("sh")
        .args(["-c", SCRIPT, "weir-reaper"])
        .arg(&directory)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .env_remove(MARK)
        .spawn()
        .unwrap_or_else(|error| panic!("the reaper did not start: {error}"));
    Run { directory, _reaper: reaper }
}
