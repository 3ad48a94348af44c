//! Open files: how many the process may have, and what that leaves for clients.
//!
//! Owns: raising the soft limit at start, and the ceiling that follows. Never: opens anything.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that the process itself needs: listeners, epoll, logs, rules, admin and HTTP clients.
const OWN: u64 = 64;

/// Raises the soft limit of open files to the hard one; returns what holds now.
pub fn raise_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum.unwrap_or(u64::MAX);
    let soft = limit.current.unwrap_or(u64::MAX);
    if soft >= hard {
        return soft;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}

/// How many clients fit beside `backends` backend connections into `files` open files. At least a
/// few, and never more than half where backends alone would fill it up.
pub fn ceiling(files: u64, backends: u64) -> u32 {
    let spare = files.saturating_sub(OWN).saturating_sub(backends).max(files / 4).max(1);
    u32::try_from(spare).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_what_backends_leave() {
        assert_eq!(ceiling(20_000, 128), 19_808);
        assert_eq!(ceiling(256, 64), 128);
        assert_eq!(ceiling(256, 1000), 64);
        assert_eq!(ceiling(u64::MAX, 10), u32::MAX);
    }

    #[test]
    fn the_limit_is_raised_to_the_hard_one() {
        let files = raise_limit();
        assert_eq!(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX), files);
    }
}
