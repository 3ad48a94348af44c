//! New settings and rules into a running process.
//!
//! Owns: the one path that every reload takes (file watch, SIGHUP, admin RELOAD), what it reports,
//! and the retiring of what the new rules don't have. Never: reads YAML itself, or decides where a
//! statement goes.
//!
//! check (every problem; any one and nothing changes) → diff (rows that would move: refused unless
//! the operator says that they were moved) → open (new groups are dialled; one that can't be
//! reached is a warning) → swap (one atomic store; statements under way keep the old snapshot) →
//! drain (once nobody holds the old snapshot, or at `timeouts.drain`, its groups are retired).

pub mod report;
pub mod watch;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use tokio::task::JoinSet;

use crate::backend::catalog;
use crate::backend::topology::{Place, Topology};
use crate::config::{Change, Config};
use crate::context::front::Renewal;
use crate::context::{Context, Snapshot};
use crate::name::{GroupName, SchemaName, TableName};
use crate::rules::Rules;
use crate::rules::check::{Checked, Moved};
use report::{Cause, Outcome, Report};

/// New groups get so long to answer before the swap goes on without them.
const FIRST_PROBE: Duration = Duration::from_secs(5);
/// How often a retiring snapshot is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What two versions of the rules differ in.
#[derive(Clone, Debug, Default)]
pub struct Difference {
    /// One line for each change.
    pub changes: Vec<String>,
    /// Of them: those after which existing rows would be looked for where they aren't, and of
    /// which the files don't say that the rows were moved.
    pub moved: Vec<String>,
    /// Tables that got their first rule: existing rows are missed only if the table exists where
    /// it was before.
    pub unless_absent: Vec<Newcomer>,
}

/// A table that no rule named so far.
#[derive(Clone, Debug)]
pub struct Newcomer {
    /// What to say if it exists.
    pub line: String,
    pub group: GroupName,
    pub table: catalog::Physical,
}

/// Reads and checks the rules of a directory: [`crate::rules::check::load`], or a test's own.
pub type ReadRules = Arc<dyn Fn(&Path) -> Checked + Send + Sync>;
/// Tells the running rules and checked ones apart.
pub type CompareRules = Arc<dyn Fn(&Rules, &Rules, Option<&Moved>) -> Difference + Send + Sync>;
/// Reads the settings anew, command-line options included; an error lists every problem.
pub type ReadConfig = Arc<dyn Fn() -> Result<Config, Vec<String>> + Send + Sync>;
/// Called with settings that took effect.
pub type Adopted = Arc<dyn Fn(&Config) + Send + Sync>;

/// Where a reload gets its input.
#[derive(Clone)]
pub struct Inputs {
    pub directory: PathBuf,
    pub read_rules: ReadRules,
    pub compare_rules: CompareRules,
    pub read_config: ReadConfig,
    pub adopted: Adopted,
}

/// What was read, and is right.
struct Input {
    config: Config,
    rules: Rules,
    moved: Option<Moved>,
    warnings: Vec<String>,
}

impl Inputs {
    fn read(&self) -> Result<Input, Vec<String>> {
        let config = (self.read_config)();
        let Checked { rules, problems, moved } = (self.read_rules)(&self.directory);
        let words = problems.iter().map(ToString::to_string).collect::<Vec<_>>();
        match (config, rules) {
            (Ok(config), Some(rules)) => Ok(Input { config, rules, moved, warnings: words }),
            (config, _) => {
                let mut problems = config.err().unwrap_or_default();
                problems.extend(words);
                Err(problems)
            }
        }
    }
}

/// Reloads, one at a time. Lives on the runtime of the process's own tasks.
pub struct Reloader {
    context: Arc<Context>,
    place: Place,
    inputs: Inputs,
    one_at_a_time: tokio::sync::Mutex<()>,
    last: ArcSwapOption<Report>,
    /// Watches of groups, and snapshots that are retiring.
    tasks: Mutex<JoinSet<()>>,
}

impl Reloader {
    pub fn new(context: Arc<Context>, place: Place, inputs: Inputs) -> Arc<Self> {
        Arc::new(Reloader {
            context,
            place,
            inputs,
            one_at_a_time: tokio::sync::Mutex::new(()),
            last: ArcSwapOption::empty(),
            tasks: Mutex::default(),
        })
    }

    /// The outcome of the latest reload, if there was one.
    pub fn last(&self) -> Option<Arc<Report>> {
        self.last.load_full()
    }

    pub fn directory(&self) -> &Path {
        &self.inputs.directory
    }

    /// Probes the groups that the process starts with, and begins to watch them.
    pub async fn begin(&self) {
        let snapshot = self.context.snapshot();
        let warnings = self.probe(&snapshot.topology, None).await;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        self.watch_groups(&snapshot.topology, None);
        self.note_success();
    }

    /// Reloads.
    pub async fn reload(&self, cause: Cause) -> Arc<Report> {
        let _alone = self.one_at_a_time.lock().await;
        let outcome = self.attempt().await;
        let report = Arc::new(Report { cause, at: SystemTime::now(), outcome });
        report.log();
        let metrics = &self.context.metrics;
        match &report.outcome {
            Outcome::Applied { .. } => {
                metrics.reloads_succeeded.increment();
                self.note_success();
            }
            Outcome::Unchanged => metrics.reload_success.store(true, Ordering::Relaxed),
            Outcome::Refused { .. } => {
                metrics.reloads_failed.increment();
                metrics.reload_success.store(false, Ordering::Relaxed);
            }
        }
        self.last.store(Some(report.clone()));
        report
    }

    fn note_success(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        self.context.metrics.reload_time.store(now, Ordering::Relaxed);
        self.context.metrics.reload_success.store(true, Ordering::Relaxed);
    }

    async fn attempt(&self) -> Outcome {
        // Check: settings and rules together, so that every problem is named at once.
        let Input { config, rules, moved, mut warnings } = match self.read().await {
            Ok(input) => input,
            Err(problems) => return Outcome::Refused { problems },
        };
        let renewal = match self.renewal().await {
            Ok(renewal) => renewal,
            Err(problem) => return Outcome::Refused { problems: vec![problem] },
        };
        let old = self.context.snapshot();
        let difference = (self.inputs.compare_rules)(&old.rules, &rules, moved.as_ref());
        let moves = moved.as_ref().is_some_and(|moved| moved.from == old.rules.hash);
        let mut lost = difference.moved;
        lost.extend(existing(&old.topology, &difference.unless_absent).await);
        if !lost.is_empty() {
            return Outcome::Refused { problems: report::would_move(&lost) };
        }
        let topology = match Topology::build(&rules, &self.place, Some(&old.topology)) {
            Ok(topology) => topology,
            Err(error) => return Outcome::Refused { problems: vec![error.message] },
        };
        let settings = self.adopt(&config);
        let mut changes = difference.changes;
        if let Some(renewal) = renewal {
            changes.push("the TLS certificate is another one, for new clients".to_owned());
            self.context.front.renew(renewal);
        }
        let same_groups = topology.added_since(Some(&old.topology)).is_empty()
            && topology.groups().len() == old.topology.groups().len();
        if rules.hash == old.rules.hash && same_groups {
            return match settings == Change::default() && changes.is_empty() {
                true => Outcome::Unchanged,
                false => Outcome::applied(old.rules.version, changes, settings),
            };
        }
        warnings.extend(self.probe(&topology, Some(&old.topology)).await);
        let version = self.swap(old, rules, topology, moves);
        Outcome::Applied { version, changes, warnings, settings }
    }

    /// Reads both inputs off the runtime: a network file system may be slow.
    async fn read(&self) -> Result<Input, Vec<String>> {
        let inputs = self.inputs.clone();
        match tokio::task::spawn_blocking(move || inputs.read()).await {
            Ok(read) => read,
            Err(error) => Err(vec![format!("reading failed, which is a defect of Weir: {error}")]),
        }
    }

    /// The certificate and key of the settings that the process began with, where the files hold others
    /// now.
    async fn renewal(&self) -> Result<Option<Renewal>, String> {
        let context = self.context.clone();
        let read = tokio::task::spawn_blocking(move || {
            let config = context.config();
            match (&config.tls.cert, &config.tls.key) {
                (Some(cert), Some(key)) => context.front.renewal(cert, key),
                _ => Ok(None),
            }
        });
        match read.await {
            Ok(read) => read.map_err(|error| format!("tls: {}", error.message)),
            Err(error) => Err(format!("reading failed, which is a defect of Weir: {error}")),
        }
    }

    fn adopt(&self, new: &Config) -> Change {
        let (config, change) = self.context.config().reloaded(new);
        if !change.applied.is_empty() {
            (self.inputs.adopted)(&config);
            self.context.set_config(config);
        }
        change
    }

    /// Dials groups that `before` doesn't have; what can't be reached becomes a warning.
    async fn probe(&self, topology: &Topology, before: Option<&Topology>) -> Vec<String> {
        let mut probes = JoinSet::new();
        for group in topology.added_since(before) {
            let group = group.clone();
            probes.spawn(async move {
                let _ = tokio::time::timeout(FIRST_PROBE, group.probe_once()).await;
                if group.is_ready() { None } else { Some(report::not_ready(&group)) }
            });
        }
        let mut warnings = Vec::new();
        while let Some(probed) = probes.join_next().await {
            warnings.extend(probed.ok().flatten());
        }
        warnings.sort();
        warnings
    }

    /// Makes the new rules the running ones. Returns their version. `moves`: with them rows are
    /// elsewhere.
    fn swap(&self, old: Arc<Snapshot>, mut rules: Rules, topology: Topology, moves: bool) -> u64 {
        rules.version = old.rules.version + 1;
        rules.moved_at = if moves { rules.version } else { old.rules.moved_at };
        let version = rules.version;
        self.watch_groups(&topology, Some(&old.topology));
        let new = Snapshot::new(Arc::new(rules), Arc::new(topology));
        let successor = new.topology.clone();
        drop(self.context.swap_snapshot(new));
        let limit = self.context.config().timeouts.drain.0;
        self.spawn(async move { retire(old, successor, limit).await });
        version
    }

    fn watch_groups(&self, topology: &Topology, before: Option<&Topology>) {
        for group in topology.added_since(before) {
            self.spawn(group.clone().watch());
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // Ended ones are let go, so that the set stays as large as what runs.
        while let Some(ended) = tasks.try_join_next() {
            if ended.is_err_and(|e| e.is_panic()) {
                tracing::error!(
                    "a task of the reload panicked: this is a defect of Weir, please report it"
                );
            }
        }
        tasks.spawn(task);
    }
}

/// Waits until no statement and no transaction holds the old snapshot, at most for `limit`, then
/// ends what its successor doesn't have. Each snapshot is compared with its direct successor, so
/// quick reloads one after another end nothing that is still in use.
async fn retire(old: Arc<Snapshot>, successor: Arc<Topology>, limit: Duration) {
    let deadline = tokio::time::Instant::now() + limit;
    while Arc::strong_count(&old) > 1 && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(LOOK).await;
    }
    old.topology.retire_for(&successor);
}

/// The lines of those newcomers that exist where they were, or can't be asked for.
async fn existing(topology: &Topology, newcomers: &[Newcomer]) -> Vec<String> {
    let mut lines = Vec::new();
    for newcomer in newcomers {
        let logical = (SchemaName::from(""), TableName::new(&newcomer.table.table));
        let found = match topology.by_name(&newcomer.group) {
            Some(group) => catalog::look_up(group, &[(logical, newcomer.table.clone())]).await,
            None => continue,
        };
        match found {
            Ok(tables) if tables.iter().all(|(_, table)| table.is_none()) => {}
            Ok(_) => lines.push(newcomer.line.clone()),
            Err(error) => lines.push(format!("{} ({})", newcomer.line, error.message)),
        }
    }
    lines
}
