//! What a suite may not pass, with a reason each.
//!
//! Owns: reading the list, and noticing what no longer needs to be on it.

use std::collections::HashMap;

/// `suite case layout kind: reason`, one a line; `*` stands for every layout or kind.
#[derive(Debug, Default)]
pub struct Exceptions {
    lines: HashMap<String, Line>,
}

#[derive(Debug)]
struct Line {
    reason: String,
    needed: bool,
    met: bool,
}

impl Exceptions {
    pub fn read(text: &str, suite: &str) -> Exceptions {
        let mut lines = HashMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            let (case, reason) = line.split_once(": ").expect("a case, a colon and a reason");
            assert!(!reason.trim().is_empty(), "a reason for {case}");
            if let Some(case) = case.strip_prefix(suite).and_then(|rest| rest.strip_prefix(' ')) {
                let line = Line { reason: reason.to_owned(), needed: false, met: false };
                lines.insert(case.to_owned(), line);
            }
        }
        Exceptions { lines }
    }

    /// Notes how a case went; true where it must be told as a failure.
    pub fn fails(&mut self, case: &str, layout: &str, kind: &str, passed: bool) -> bool {
        // A case may be named by its file alone.
        let file = case.split(':').next().unwrap_or(case);
        let names = [case, file].into_iter().flat_map(|case| {
            [(layout, kind), (layout, "*"), ("*", kind), ("*", "*")]
                .map(|(layout, kind)| format!("{case} {layout} {kind}"))
        });
        for name in names {
            if let Some(line) = self.lines.get_mut(&name) {
                line.met = true;
                line.needed |= !passed;
                return false;
            }
        }
        !passed
    }

    /// Entries whose cases were all run and passed.
    pub fn stale(&self) -> Vec<String> {
        let stale = self.lines.iter().filter(|(_, line)| line.met && !line.needed);
        stale
            .map(|(case, line)| format!("{case} passes now; its reason was: {}", line.reason))
            .collect()
    }

    pub fn needed(&self) -> usize {
        self.lines.values().filter(|line| line.needed).count()
    }
}
