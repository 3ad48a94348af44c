//! What a reload did, for the log and SHOW RULES.
//!
//! Owns: the outcome and its words. Never: reloads.

use std::time::SystemTime;

use crate::backend::group::Group;
use crate::config::Change;

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    FileChanged,
    Signal,
    Operator,
}

impl Cause {
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::FileChanged => "a file changed",
            Cause::Signal => "SIGHUP",
            Cause::Operator => "RELOAD",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The new rules run.
    Applied {
        version: u64,
        changes: Vec<String>,
        /// Groups that couldn't be reached.
        warnings: Vec<String>,
        settings: Change,
    },
    /// Nothing was different.
    Unchanged,
    /// Nothing was changed.
    Refused { problems: Vec<String> },
}

impl Outcome {
    /// The rules are as they were.
    pub fn applied(version: u64, changes: Vec<String>, settings: Change) -> Self {
        Outcome::Applied { version, changes, warnings: Vec::new(), settings }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub cause: Cause,
    pub at: SystemTime,
    pub outcome: Outcome,
}

impl Report {
    pub fn is_refused(&self) -> bool {
        matches!(self.outcome, Outcome::Refused { .. })
    }

    /// One word for lists.
    pub fn word(&self) -> &'static str {
        match &self.outcome {
            Outcome::Applied { .. } => "applied",
            Outcome::Unchanged => "unchanged",
            Outcome::Refused { .. } => "refused",
        }
    }

    /// What there is to say, a line for each matter.
    pub fn lines(&self) -> Vec<String> {
        match &self.outcome {
            Outcome::Unchanged => Vec::new(),
            Outcome::Refused { problems } => problems.clone(),
            Outcome::Applied { changes, warnings, settings, .. } => {
                let mut lines = changes.clone();
                lines.extend(settings.applied.iter().map(|key| format!("setting {key} changed")));
                let restart = settings.needs_restart.iter();
                lines.extend(restart.map(|key| format!("setting {key} changes with a restart")));
                lines.extend(warnings.iter().map(|warning| format!("warning: {warning}")));
                lines
            }
        }
    }

    /// Writes the outcome to the log.
    pub fn log(&self) {
        let cause = self.cause.as_str();
        match &self.outcome {
            Outcome::Unchanged => tracing::info!(cause, "reload: nothing changed"),
            Outcome::Refused { problems } => {
                tracing::error!(
                    cause,
                    problems = problems.len(),
                    "reload refused, the running rules stay"
                );
                for problem in problems.iter().take(50) {
                    tracing::error!("{problem}");
                }
            }
            Outcome::Applied { version, .. } => {
                tracing::info!(cause, version, "reload applied");
                for line in self.lines().iter().take(200) {
                    tracing::info!("{line}");
                }
            }
        }
    }
}

/// Why an edit that moves rows is refused.
pub fn would_move(moved: &[String]) -> Vec<String> {
    let mut problems: Vec<String> = moved
        .iter()
        .map(|line| format!("{line}: existing rows would be looked for where they are not"))
        .collect();
    problems.push(
        "Move the rows first and say so in the rules (`moved`), or take the edit back".to_owned(),
    );
    problems
}

/// Names a group without a usable primary, each node with its reason.
pub fn not_ready(group: &Group) -> String {
    let nodes = group.view().into_iter().map(|node| {
        let health = &node.health;
        let reason = if health.reason.is_empty() { "no primary" } else { &health.reason };
        format!("{} ({}) is {}: {reason}", node.node, node.address, health.standing.text())
    });
    format!(
        "group {} has no usable primary: {}",
        group.name(),
        nodes.collect::<Vec<_>>().join("; ")
    )
}
