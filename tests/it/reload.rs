//! The reload's path without servers: groups here are addresses that nobody answers on.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use weir::backend::topology::{Place, Topology};
use weir::config::Config;
use weir::config::units::Span;
use weir::context::{Context, Snapshot};
use weir::name::{GroupName, NodeName};
use weir::reload::report::{Cause, Outcome};
use weir::reload::{Difference, Inputs, ReadRules, Reloader, watch};
use weir::rules::Rules;
use weir::rules::check::{Checked, Moved};
use weir::rules::group::{
    Account, Accounts, Address, Group, Node, Pool, Reads, Secret, Tls, TlsMode,
};
use weir::rules::problem::{KeyPath, Problem};

/// As a check of files would come out.
fn checked(read: Result<Rules, Vec<String>>) -> Checked {
    match read {
        Ok(rules) => Checked { rules: Some(rules), problems: Vec::new(), moved: None },
        Err(problems) => {
            let problem = |text: &String| Problem::error(&KeyPath::root(), text.as_str());
            Checked { rules: None, problems: problems.iter().map(problem).collect(), moved: None }
        }
    }
}

/// A reloader whose rules come from `read`; two versions differ in their groups' names.
pub fn reloader(
    context: &Arc<Context>,
    read: Arc<dyn Fn() -> Result<Rules, Vec<String>> + Send + Sync>,
) -> Arc<Reloader> {
    reloader_of(context, Arc::new(move |_: &Path| checked(read())))
}

fn reloader_of(context: &Arc<Context>, read_rules: ReadRules) -> Arc<Reloader> {
    let inputs = Inputs {
        directory: "rules-of-a-test".into(),
        read_rules,
        compare_rules: Arc::new(|old: &Rules, new: &Rules, acknowledged: Option<&Moved>| {
            let names =
                |rules: &Rules| rules.groups.iter().map(|g| g.name.to_string()).collect::<Vec<_>>();
            let (old, new) = (names(old), names(new));
            let added = new.iter().filter(|name| !old.contains(name));
            let moved =
                new.iter().filter(|name| name.starts_with("moved") && acknowledged.is_none());
            Difference {
                changes: added.map(|name| format!("group {name} is new")).collect(),
                moved: moved.map(|name| format!("table in {name}")).collect(),
                ..Difference::default()
            }
        }),
        read_config: Arc::new({
            let config = context.config();
            move || Ok((*config).clone())
        }),
        adopted: Arc::new(|_| {}),
    };
    Reloader::new(context.clone(), Place { workers: 1, ..Place::default() }, inputs)
}

fn group(name: &str) -> Arc<Group> {
    // Port 1 refuses at once.
    let address = Address::Tcp { host: "127.0.0.1".into(), port: 1 };
    let account = Account { user: "weir".into(), password: Secret::None };
    Arc::new(Group {
        reads: Reads::default(),
        name: GroupName::new(name),
        primary: Arc::new(Node { name: NodeName::new("n1"), address, weight: 1, zone: None }),
        replicas: Vec::new(),
        accounts: Accounts { data: account.clone(), control: account },
        tls: Tls { mode: TlsMode::Off, ca: None, certificate: None },
        pool: Pool {
            size: 4,
            wait: Some(Duration::from_secs(1)),
            connect_timeout: Duration::from_secs(1),
            statement_timeout: None,
            idle_timeout: Duration::from_secs(60),
            lifetime: Duration::from_secs(600),
            probe_interval: Duration::from_secs(1),
        },
    })
}

fn rules(names: &[&str]) -> Rules {
    let mut rules = Rules::empty();
    rules.groups = names.iter().map(|name| group(name)).collect();
    rules.hash = names
        .iter()
        .flat_map(|name| name.bytes())
        .fold(7, |hash: u64, byte| hash.wrapping_mul(31) + u64::from(byte));
    rules
}

fn context(names: &[&str], config: Config) -> Arc<Context> {
    let rules = rules(names);
    let place = Place { workers: 1, ..Place::default() };
    let topology = Topology::build(&rules, &place, None).unwrap();
    Context::new(config, Snapshot::new(Arc::new(rules), Arc::new(topology)), 1, 0)
}

/// A reader that gives what was last put in.
#[derive(Clone)]
struct Files(Arc<Mutex<Result<Rules, Vec<String>>>>);

impl Files {
    fn new(names: &[&str]) -> Self {
        Files(Arc::new(Mutex::new(Ok(rules(names)))))
    }
    fn put(&self, names: &[&str]) {
        *self.0.lock().unwrap() = Ok(rules(names));
    }
    fn spoil(&self) {
        *self.0.lock().unwrap() = Err(vec!["tables.yaml:3:5: unknown key".to_owned()]);
    }
    fn reader(&self) -> Arc<dyn Fn() -> Result<Rules, Vec<String>> + Send + Sync> {
        let files = self.clone();
        Arc::new(move || files.0.lock().unwrap().clone())
    }
}

#[tokio::test]
async fn a_good_edit_is_swapped_in_and_a_bad_one_changes_nothing() {
    let context = context(&["a"], Config::default());
    let files = Files::new(&["a"]);
    let reloader = reloader(&context, files.reader());
    assert_eq!(reloader.reload(Cause::Operator).await.outcome, Outcome::Unchanged);
    let first = context.snapshot();

    files.spoil();
    let report = reloader.reload(Cause::Signal).await;
    assert_eq!(report.lines(), ["rules: error: tables.yaml:3:5: unknown key"]);
    assert!(Arc::ptr_eq(&first, &context.snapshot()));
    assert!(!context.metrics.reload_success.load(Ordering::Relaxed));

    files.put(&["a", "b"]);
    let report = reloader.reload(Cause::Signal).await;
    let Outcome::Applied { version, changes, warnings, .. } = &report.outcome else {
        panic!("{report:?}")
    };
    assert_eq!((*version, changes.as_slice()), (1, ["group b is new".to_owned()].as_slice()));
    // A server that isn't there is a warning, not a reason to stay on the old rules.
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("group b") && warnings[0].contains("127.0.0.1:1"), "{warnings:?}");
    let second = context.snapshot();
    assert_eq!((second.rules.version, second.topology.groups().len()), (1, 2));
    // What didn't change is the same object, connections and health included.
    assert!(Arc::ptr_eq(&first.topology.groups()[0], &second.topology.groups()[0]));
    assert!(context.metrics.reload_success.load(Ordering::Relaxed));
    assert_eq!(context.metrics.reloads_failed.get(), 1);
    assert_eq!(context.metrics.reloads_succeeded.get(), 1);
}

#[tokio::test]
async fn an_edit_that_moves_rows_must_say_so() {
    let context = context(&["a"], Config::default());
    let says_so = Arc::new(AtomicBool::new(false));
    let acknowledged = says_so.clone();
    let read = move |_: &Path| {
        let moved = Moved { from: 0, tables: Vec::new() };
        let moved = acknowledged.load(Ordering::Relaxed).then_some(moved);
        Checked { moved, ..checked(Ok(rules(&["a", "moved"]))) }
    };
    let reloader = reloader_of(&context, Arc::new(read));
    let report = reloader.reload(Cause::FileChanged).await;
    assert!(report.is_refused());
    assert!(report.lines()[0].contains("table in moved"), "{:?}", report.lines());
    assert_eq!(context.snapshot().rules.version, 0);
    says_so.store(true, Ordering::Relaxed);
    assert!(!reloader.reload(Cause::Operator).await.is_refused());
    assert_eq!(context.snapshot().rules.version, 1);
}

/// The pools of a group that left the rules stay open for who still holds the old snapshot, and
/// are closed once nobody does.
#[tokio::test]
async fn what_left_the_rules_is_retired_when_nobody_holds_it() {
    let context = context(&["a", "b"], Config::default());
    let files = Files::new(&["a"]);
    let reloader = reloader(&context, files.reader());
    let held = context.snapshot();
    let gone = held.topology.groups()[1].clone();
    let watch = tokio::spawn(gone.clone().watch());
    reloader.reload(Cause::Operator).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(!watch.is_finished(), "a statement still holds the old rules");
    drop(held);
    tokio::time::timeout(Duration::from_secs(5), watch)
        .await
        .expect("the group is retired")
        .unwrap();
}

#[tokio::test]
async fn who_never_lets_go_is_not_waited_for_beyond_the_deadline() {
    let mut config = Config::default();
    config.timeouts.drain = Span::millis(300);
    let context = context(&["a", "b"], config);
    let files = Files::new(&["a"]);
    let reloader = reloader(&context, files.reader());
    let held = context.snapshot();
    let watch = tokio::spawn(held.topology.groups()[1].clone().watch());
    reloader.reload(Cause::Operator).await;
    let begun = Instant::now();
    tokio::time::timeout(Duration::from_secs(5), watch)
        .await
        .expect("the group is retired")
        .unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(200));
    assert_eq!(held.rules.version, 0, "held until now");
}

#[tokio::test]
async fn a_thousand_reloads_leave_nothing_behind() {
    let context = context(&["a"], Config::default());
    let files = Files::new(&["a"]);
    let reloader = reloader(&context, files.reader());
    let first = Arc::downgrade(&context.snapshot());
    for round in 0..1000_usize {
        files.put(if round % 2 == 0 { &["a", "a"] } else { &["a"] });
        let report = reloader.reload(Cause::Signal).await;
        assert!(!report.is_refused());
    }
    assert_eq!(context.snapshot().rules.version, 1000);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(first.upgrade().is_none(), "the first snapshot is gone");
}

#[tokio::test]
async fn files_are_watched_by_name_through_swapped_symlinks() {
    let base = std::env::temp_dir().join(format!("weir-watch-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&base);
    for version in ["one", "two"] {
        std::fs::create_dir_all(base.join(version)).unwrap();
        std::fs::write(base.join(version).join("t.yaml"), version).unwrap();
    }
    let link = base.join("rules");
    std::os::unix::fs::symlink(base.join("one"), &link).unwrap();
    let mut config = Config::default();
    config.rules.settle = Span::millis(100);
    let context = context(&["a"], config);
    let reads = Arc::new(AtomicUsize::new(0));
    let inputs = Inputs {
        directory: link.clone(),
        read_rules: Arc::new({
            let reads = reads.clone();
            move |_: &Path| {
                reads.fetch_add(1, Ordering::SeqCst);
                checked(Ok(rules(&["a"])))
            }
        }),
        compare_rules: Arc::new(|_, _, _| Difference::default()),
        read_config: Arc::new({
            let config = context.config();
            move || Ok((*config).clone())
        }),
        adopted: Arc::new(|_| {}),
    };
    let reloader = Reloader::new(context.clone(), Place { workers: 1, ..Place::default() }, inputs);
    let watching = tokio::spawn(watch::watch(context.clone(), reloader, None));
    let reached = async |count: usize| {
        for _ in 0..100 {
            if reads.load(Ordering::SeqCst) >= count {
                // Nothing further comes of the same change.
                tokio::time::sleep(Duration::from_millis(300)).await;
                return assert_eq!(reads.load(Ordering::SeqCst), count);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{} reads instead of {count}", reads.load(Ordering::SeqCst));
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    // Several writes of one edit are one reload.
    for text in ["x", "xy", "xyz"] {
        std::fs::write(base.join("one/t.yaml"), text).unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    reached(1).await;
    // Reading isn't a change, and neither is a file beside the directory.
    std::fs::read(base.join("one/t.yaml")).unwrap();
    std::fs::write(base.join("other"), "").unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    reached(1).await;
    // The link is swapped, then the new directory's file is edited.
    std::os::unix::fs::symlink(base.join("two"), base.join("new")).unwrap();
    std::fs::rename(base.join("new"), &link).unwrap();
    reached(2).await;
    std::fs::write(base.join("two/t.yaml"), "changed").unwrap();
    reached(3).await;
    watching.abort();
    std::fs::remove_dir_all(&base).unwrap();
}
