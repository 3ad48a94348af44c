//! Two groups of real servers with the shop in them, and Weir in front.
//!
//! Owns: putting the pieces of this folder together. Never: knows what a test asks.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use super::proxy::{self, Proxy};
use super::servers::{Kind, Server};
use super::shop::{Layout, SCHEMA, Scale, load};
use super::{engine, reaper, servers, skip};

/// What to put together.
#[derive(Clone, Debug)]
pub struct Options {
    pub kind: Kind,
    /// A GTID replica for each primary.
    pub replicas: bool,
    pub scale: Scale,
    /// The same rows as one plain database besides, to compare answers with.
    pub plain: bool,
    /// Further settings of Weir: `(section, "key: value")`.
    pub settings: Vec<(&'static str, String)>,
}

impl Options {
    /// Few rows, and their plain twin.
    pub fn small(kind: Kind) -> Options {
        Options { kind, replicas: false, scale: Scale::SMALL, plain: true, settings: Vec::new() }
    }
}

/// One group.
pub struct Group {
    pub primary: Server,
    pub replica: Option<Server>,
}

/// Everything, stopped when dropped; Weir first.
pub struct Rig {
    pub proxy: Proxy,
    /// A copy of `rules/shop` that this Weir watches; it may be edited.
    pub rules: PathBuf,
    pub groups: Vec<Group>,
}

/// Told what is being done, and of rows as they are loaded.
pub trait Progress: Sync {
    fn step(&self, _what: &str) {}
    fn rows(&self, _loaded: u64, _of: u64) {}
}

/// Says nothing.
pub struct Silent;
impl Progress for Silent {}

/// A small shop with its plain twin that the whole test binary shares: read from it, and write
/// only to keys of one's own. None, after a loud line, where the kind can't be had.
pub fn shared(kind: Kind) -> Option<&'static Rig> {
    static MARIADB: OnceLock<Option<Rig>> = OnceLock::new();
    static MYSQL: OnceLock<Option<Rig>> = OnceLock::new();
    let cell = match kind {
        Kind::MariaDb => &MARIADB,
        Kind::MySql => &MYSQL,
    };
    let start = || {
        if let Err(reason) = engine::available(kind) {
            skip::loudly(kind, &reason);
            return None;
        }
        let options = Options::small(kind);
        Some(Rig::start(&options, &Silent).unwrap_or_else(|reason| panic!("{kind}: {reason}")))
    };
    cell.get_or_init(start).as_ref()
}

/// Held by those who compare all rows of the shared rigs, and by those who commit some for a while.
pub fn quiet() -> std::sync::MutexGuard<'static, ()> {
    static QUIET: std::sync::Mutex<()> = std::sync::Mutex::new(());
    QUIET.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The shared rigs of every kind that can be had here.
pub fn shared_kinds() -> Vec<&'static Rig> {
    Kind::ALL.into_iter().filter_map(shared).collect()
}

impl Rig {
    pub fn start(options: &Options, progress: &dyn Progress) -> Result<Rig, String> {
        Rig::start_on(options, &[], progress)
    }

    /// As [`Rig::start`], the servers with these further options of their command line.
    pub fn start_on(
        options: &Options,
        extra: &[&str],
        progress: &dyn Progress,
    ) -> Result<Rig, String> {
        let mut groups = Vec::new();
        for name in ["g0", "g1"] {
            progress.step(&format!("starting {} of group {name}", options.kind));
            let primary = Server::start(options.kind, servers::Options::with(extra))?;
            let replica = match options.replicas {
                true => Some(Server::start(options.kind, servers::Options::with(extra))?),
                false => None,
            };
            if let Some(replica) = &replica {
                replica.replicate_from(&primary)?;
            }
            groups.push(Group { primary, replica });
        }
        let layout = Layout::sharded();
        let urls: Vec<String> = groups.iter().map(|group| group.primary.url("root")).collect();
        let of = load::rows_in_all(&layout, &options.scale);
        let loaded = std::sync::atomic::AtomicU64::new(0);
        progress.step("loading the shop");
        load::load(&urls, &layout, &options.scale, &|rows| {
            let before = loaded.fetch_add(rows, std::sync::atomic::Ordering::Relaxed);
            progress.rows(before + rows, of);
        })?;
        if options.plain {
            load::load(&urls[..1], &Layout::plain(SCHEMA), &options.scale, &|_| {})?;
        }
        for group in &groups {
            if let Some(replica) = &group.replica {
                progress.step("waiting for the replicas");
                replica.wait_caught_up(&group.primary, Duration::from_secs(60))?;
            }
        }
        progress.step("starting Weir");
        let rules = reaper::directory("rules");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/shop");
        copy_rules(&source, &rules, options.replicas)?;
        let proxy = Proxy::start(proxy::Options {
            rules: rules.clone(),
            env: environment(&groups),
            settings: options.settings.clone(),
        })?;
        Ok(Rig { proxy, rules, groups })
    }

    /// Another Weir in front of the same groups, with rules of its own to edit.
    pub fn another(&self, settings: &[(&'static str, String)]) -> Result<(Proxy, PathBuf), String> {
        self.another_edited(settings, &|_| {})
    }

    /// The same with rules that are edited before it starts.
    pub fn another_edited(
        &self,
        settings: &[(&'static str, String)],
        edit: &dyn Fn(&Path),
    ) -> Result<(Proxy, PathBuf), String> {
        let rules = reaper::directory("rules");
        copy_rules(&self.rules, &rules, true)?;
        edit(&rules);
        let proxy = Proxy::start(proxy::Options {
            rules: rules.clone(),
            env: environment(&self.groups),
            settings: settings.to_vec(),
        })?;
        Ok((proxy, rules))
    }

    /// Another Weir in front of the same groups, with these files as its rules.
    pub fn ruled(&self, files: &[(&str, &str)]) -> Result<(Proxy, PathBuf), String> {
        let rules = reaper::directory("rules");
        for (name, text) in files {
            fs::write(rules.join(name), text).map_err(|error| error.to_string())?;
        }
        let proxy = Proxy::start(proxy::Options {
            rules: rules.clone(),
            env: self.environment(),
            settings: Vec::new(),
        })?;
        Ok((proxy, rules))
    }

    /// What the placeholders of rules for these groups read.
    pub fn environment(&self) -> Vec<(String, String)> {
        environment(&self.groups)
    }

    /// A URL of the shop through Weir.
    pub fn url(&self) -> String {
        self.proxy.url(SCHEMA)
    }

    /// A URL of the plain twin, where one was asked for; any database of the server may be named.
    pub fn plain_url(&self) -> String {
        let port = self.groups[0].primary.port;
        format!("mysql://root:root@127.0.0.1:{port}/{SCHEMA}?prefer_socket=false")
    }
}

/// What the placeholders of `rules/shop` read.
fn environment(groups: &[Group]) -> Vec<(String, String)> {
    let mut env = vec![
        ("WEIR_DATA_PASSWORD".to_owned(), "weir".to_owned()),
        ("WEIR_CONTROL_PASSWORD".to_owned(), "weir_control".to_owned()),
        ("WEIR_SHOP_NATIVE".to_owned(), proxy::native_verifier(proxy::USER)),
    ];
    for (index, group) in groups.iter().enumerate() {
        env.push((format!("WEIR_G{index}_PRIMARY"), group.primary.address()));
        if let Some(replica) = &group.replica {
            env.push((format!("WEIR_G{index}_REPLICA"), replica.address()));
        }
    }
    env
}

/// Copies the rules; without replicas, their entries are left out of the topology.
fn copy_rules(from: &Path, to: &Path, replicas: bool) -> Result<(), String> {
    let entries = fs::read_dir(from).map_err(|error| format!("{}: {error}", from.display()))?;
    for entry in entries.flatten() {
        let text = fs::read_to_string(entry.path()).map_err(|error| error.to_string())?;
        let kept =
            |line: &&str| replicas || !(line.contains("replicas:") || line.contains("_REPLICA"));
        let text: String = text.lines().filter(kept).map(|line| format!("{line}\n")).collect();
        fs::write(to.join(entry.file_name()), text).map_err(|error| error.to_string())?;
    }
    Ok(())
}
