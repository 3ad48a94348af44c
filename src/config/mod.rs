//! Process settings: `weir.yaml`.
//!
//! Owns: what can be set, defaults, reading and checking the file, and what a reload may change.
//! Never: reads rules (where tables live is `rules`' matter), or acts on a setting.
//!
//! The file is strict: unknown and duplicate keys are errors. Without a file every default holds,
//! so that `weir run --rules DIR` works alone.

pub mod secret;
pub mod section;
pub mod units;

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a changed setting takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Live,
    Restart,
}

/// One setting, for SHOW CONFIG and the docs.
#[derive(Clone, Debug)]
pub struct Setting {
    /// `section.field`.
    pub key: String,
    pub value: String,
    pub default: String,
    pub when: When,
    pub doc: &'static str,
}

/// What a reload did with changed settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub applied: Vec<String>,
    pub needs_restart: Vec<String>,
}

macro_rules! config {
    ($( $(#[doc = $doc:literal])+ $field:ident : $type:ident, )+) => {
        /// All settings.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct Config {
            $( $(#[doc = $doc])+ pub $field: section::$type, )+
        }

        impl Config {
            /// Every setting with its value, in the order of the file.
            pub fn settings(&self) -> Vec<Setting> {
                let mut out = Vec::new();
                $( self.$field.list(stringify!($field), &mut out); )+
                out
            }

            /// These settings with the live ones of `new`, and what changed.
            pub fn reloaded(&self, new: &Config) -> (Config, Change) {
                let mut config = self.clone();
                let mut change = Change::default();
                $( config.$field.adopt(&new.$field, stringify!($field), &mut change); )+
                (config, change)
            }
        }
    };
}

config! {
    /// Where clients connect.
    listen: Listen,
    /// Encryption towards clients.
    tls: Tls,
    /// The admin port.
    admin: Admin,
    /// Health and metrics.
    http: Http,
    /// Bounds.
    limits: Limits,
    /// Deadlines.
    timeouts: Timeouts,
    /// Transactions over several groups.
    transactions: Transactions,
    /// Where the rules are.
    rules: RulesFiles,
    /// Logging.
    log: Log,
}

/// Proxy ids fill the high 12 of a connection id's 32 bits.
pub const PROXY_IDS: u16 = 1 << 12;

/// Which of them are drawn: drivers that read a connection id as a signed number (MariaDB
/// Connector/J) would name a negative one in KILL.
pub const DRAWN_IDS: u16 = PROXY_IDS / 2;

/// What is wrong with the settings: every problem, each with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    pub file: Option<PathBuf>,
    pub problems: Vec<String>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.as_ref().map_or("settings".to_owned(), |f| f.display().to_string());
        for (i, problem) in self.problems.iter().enumerate() {
            let line_break = if i == 0 { "" } else { "\n" };
            write!(f, "{line_break}{file}: {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

impl Config {
    /// Reads and checks a settings file. Relative paths in it are relative to its directory.
    pub fn load(path: &Path) -> Result<Config, Invalid> {
        let invalid = |problems| Invalid { file: Some(path.to_owned()), problems };
        let text = std::fs::read_to_string(path).map_err(|e| invalid(vec![e.to_string()]))?;
        let mut config = Config::parse(&text).map_err(|e| invalid(e.problems))?;
        config.resolve_paths(path.parent().unwrap_or(Path::new(".")));
        Ok(config)
    }

    /// Reads and checks settings from text.
    pub fn parse(text: &str) -> Result<Config, Invalid> {
        let config: Config =
            if text.lines().all(|l| l.trim().is_empty() || l.trim_start().starts_with('#')) {
                Config::default()
            } else {
                serde_yaml::from_str(text).map_err(|e| Invalid {
                    file: None,
                    problems: vec![with_suggestion(&e.to_string())],
                })?
            };
        let problems = config.problems();
        if problems.is_empty() { Ok(config) } else { Err(Invalid { file: None, problems }) }
    }

    /// What contradicts itself or can't work; empty where all is well.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut require = |holds: bool, problem: &str| {
            if !holds {
                problems.push(problem.to_owned());
            }
        };
        require(
            !self.listen.tcp.is_empty() || self.listen.unix.is_some(),
            "listen: neither tcp nor unix is set, so no client could connect",
        );
        require(
            self.listen.proxy_id.is_none_or(|id| id < PROXY_IDS),
            "listen.proxy_id: must be 0 to 4095",
        );
        require(self.listen.workers <= 1024, "listen.workers: must be at most 1024");
        require((1..=65535).contains(&self.listen.backlog), "listen.backlog: must be 1 to 65535");
        require(
            self.unix_mode().is_some(),
            "listen.unix_mode: must be octal digits such as \"0660\"",
        );
        let has_pair = self.tls.cert.is_some() && self.tls.key.is_some();
        require(
            self.tls.mode == section::TlsMode::Off || has_pair,
            "tls: mode preferred and required need cert and key",
        );
        let transactions = &self.transactions;
        require(
            (transactions.outcome.0 + transactions.step.0) * 2 <= transactions.rows_kept.0,
            "transactions.rows_kept: must be at least twice step and outcome together: a commit row \
             that is cleared while its outcome is asked for reads as a rollback",
        );
        require(!transactions.step.0.is_zero(), "transactions.step: must not be 0");
        // MySQL's own bounds for max_allowed_packet.
        let packet = self.limits.max_allowed_packet;
        require(
            (Size::kib(1)..=Size::gib(1)).contains(&packet),
            "limits.max_allowed_packet: must be 1KiB to 1GiB",
        );
        require(
            self.limits.memory_budget >= packet,
            "limits.memory_budget: must hold at least one packet of limits.max_allowed_packet",
        );
        require(self.limits.max_connections >= 1, "limits.max_connections: must be at least 1");
        // Local parts of connection ids have 20 bits; half of them keeps a free one near.
        require(
            self.limits.max_connections <= 1 << 19,
            "limits.max_connections: must be at most 524288",
        );
        require(self.limits.max_handshakes >= 1, "limits.max_handshakes: must be at least 1");
        require(
            self.limits.statement_operators <= 20_000,
            "limits.statement_operators: must be at most 20000",
        );
        require(
            self.limits.statement_depth <= 1000,
            "limits.statement_depth: must be at most 1000",
        );
        require(!self.timeouts.handshake.0.is_zero(), "timeouts.handshake: must not be 0");
        require(!self.timeouts.client_write.0.is_zero(), "timeouts.client_write: must not be 0");
        require(!self.timeouts.pool_wait.0.is_zero(), "timeouts.pool_wait: must not be 0");
        problems
    }

    /// The unix socket's permission bits.
    pub fn unix_mode(&self) -> Option<u32> {
        u32::from_str_radix(&self.listen.unix_mode, 8).ok().filter(|mode| *mode <= 0o777)
    }

    fn resolve_paths(&mut self, base: &Path) {
        use secret::SecretRef;
        let tls = &mut self.tls;
        let paths = [&mut self.listen.unix, &mut tls.cert, &mut tls.key, &mut self.rules.directory];
        for path in paths.into_iter().flatten() {
            *path = base.join(&*path);
        }
        if let Some(SecretRef::File(path)) = &mut self.admin.password {
            *path = base.join(&*path);
        }
    }
}

use units::Size;

/// Adds "did you mean" to serde's message about an unknown key.
fn with_suggestion(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    if !message.contains("unknown field") && !message.contains("unknown variant") {
        return message.to_owned();
    }
    let Some(wrong) = quoted.next() else { return message.to_owned() };
    let nearest = quoted.map(|known| (distance(wrong, known), known)).min();
    match nearest {
        Some((distance, known)) if distance <= 1 + wrong.len() / 4 => {
            format!("{message}; did you mean `{known}`?")
        }
        _ => message.to_owned(),
    }
}

/// Levenshtein's distance; both words are short.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row.get(j + 1).copied().unwrap_or(usize::MAX);
            let best = (diagonal + usize::from(x != *y)).min(left + 1).min(above + 1);
            diagonal = above;
            if let Some(cell) = row.get_mut(j) {
                *cell = left;
            }
            left = best;
        }
        if let Some(cell) = row.last_mut() {
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests;
