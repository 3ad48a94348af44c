//! What a group and its nodes are: addresses, accounts, limits and times.
//!
//! Owns: the settings that pools, probes and logins follow, with their units and defaults, and
//! that passwords never show in logs. Never: reads YAML (`rules` does) or opens anything.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::name::{GroupName, NodeName};
use crate::rules::{file, group as rules};
use crate::wire::tls::TlsMode;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Tcp { host: Arc<str>, port: u16 },
    Unix(Arc<Path>),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp { host, port } => write!(f, "{host}:{port}"),
            Address::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// TLS towards a node.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Tls {
    pub mode: TlsMode,
    /// PEM file of the authorities that the verifying modes trust.
    pub authority: Option<PathBuf>,
    /// PEM files of a certificate and its key, for servers that ask for one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// A service account of Weir's own on a node.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    pub user: Arc<str>,
    pub password: Arc<str>,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("user", &self.user).field("password", &"…").finish()
    }
}

/// What a node was declared to be. Which one really takes writes is discovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Declared {
    Primary,
    Replica,
}

/// Bounds of one node's data connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most open connections of this proxy to the node, over all workers.
    pub max_connections: usize,
    /// Most statements waiting for one; the next is refused at once.
    pub max_waiting: usize,
    /// An idle connection is closed after this.
    pub idle: Duration,
    /// A connection isn't reused past this age.
    pub lifetime: Duration,
    /// From the first SYN to the login's OK.
    pub connect: Duration,
    /// Prepared handles kept per connection.
    pub statements: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_connections: 64,
            max_waiting: 1024,
            idle: Duration::from_secs(300),
            lifetime: Duration::from_secs(3600),
            connect: Duration::from_secs(5),
            statements: 256,
        }
    }
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    pub name: NodeName,
    pub address: Address,
    pub declared: Declared,
    pub zone: Option<Arc<str>>,
    /// Share of the group's reads, against the other nodes' weights; 0 takes reads only where
    /// nothing else can.
    pub weight: u32,
    pub tls: Tls,
    /// Reads and writes of clients.
    pub data: Account,
    /// Probes, catalog, KILL.
    pub control: Account,
    pub limits: Limits,
    /// Clients' LOAD DATA LOCAL may run there (`listen.local_infile`).
    pub local_infile: bool,
}

/// One primary and its replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSpec {
    pub name: GroupName,
    pub nodes: Vec<NodeSpec>,
    /// How long a statement waits for a primary while there is none.
    pub hold: Duration,
    /// Time between two probes of a node.
    pub probe_every: Duration,
    /// A probe without an answer for so long has failed.
    pub probe_timeout: Duration,
    /// So many failed probes in a row take a node down.
    pub probes_down: u32,
    /// A replica further behind than this gets no reads; `None`: any lag will do.
    pub max_lag: Option<Duration>,
    /// Reads of a session that has written go to the primary until a replica is known to have it.
    pub own_writes: bool,
    /// How long a statement waits for a connection, where the group has a time of its own.
    pub wait: Option<Duration>,
    /// The longest that a statement runs, where the group has a limit of its own.
    pub statement: Option<Duration>,
}

impl GroupSpec {
    /// A group with default times.
    pub fn new(name: impl Into<GroupName>, nodes: Vec<NodeSpec>) -> Self {
        GroupSpec {
            name: name.into(),
            nodes,
            hold: Duration::from_secs(5),
            probe_every: Duration::from_secs(1),
            probe_timeout: Duration::from_secs(2),
            probes_down: 3,
            max_lag: None,
            own_writes: true,
            wait: None,
            statement: None,
        }
    }
}

/// Resolves what the rules say of a group: secrets are read, defaults filled in. `local_infile` is
/// the process's setting.
///
/// # Errors
/// A secret that isn't there; the sentence names the group and the reference.
pub fn from_rules(group: &rules::Group, local_infile: bool) -> Result<GroupSpec> {
    let accounts = &group.accounts;
    let data = account(group, &accounts.data)?;
    let control = account(group, &accounts.control)?;
    let limits = Limits {
        max_connections: (group.pool.size as usize).max(1),
        max_waiting: (group.pool.size as usize).saturating_mul(64).max(1024),
        idle: group.pool.idle_timeout,
        lifetime: group.pool.lifetime,
        connect: group.pool.connect_timeout,
        ..Limits::default()
    };
    let tls = Tls {
        mode: match group.tls.mode {
            rules::TlsMode::Off => TlsMode::Off,
            rules::TlsMode::Preferred => TlsMode::Preferred,
            rules::TlsMode::Required => TlsMode::Required,
            rules::TlsMode::Verify => TlsMode::VerifyIdentity,
        },
        authority: group.tls.ca.clone(),
        identity: group.tls.certificate.clone(),
    };
    let node = |declared, node: &rules::Node| NodeSpec {
        name: node.name.clone(),
        address: match &node.address {
            rules::Address::Tcp { host, port } => {
                Address::Tcp { host: Arc::from(&**host), port: *port }
            }
            rules::Address::Unix(path) => Address::Unix(Arc::from(path.as_path())),
        },
        declared,
        zone: node.zone.as_deref().map(Arc::from),
        weight: node.weight,
        tls: tls.clone(),
        data: data.clone(),
        control: control.clone(),
        limits: limits.clone(),
        local_infile,
    };
    let primary = node(Declared::Primary, &group.primary);
    let replicas = group.replicas.iter().map(|replica| node(Declared::Replica, replica));
    let nodes = std::iter::once(primary).chain(replicas).collect();
    let mut spec = GroupSpec::new(group.name.clone(), nodes);
    spec.probe_every = group.pool.probe_interval;
    spec.max_lag = group.reads.max_lag;
    spec.own_writes = group.reads.own_writes;
    spec.wait = group.pool.wait;
    spec.statement = group.pool.statement_timeout.filter(|limit| !limit.is_zero());
    Ok(spec)
}

fn account(group: &rules::Group, account: &rules::Account) -> Result<Account> {
    let password = file::read_secret(&account.password).map_err(|why| {
        Error::internal(format!("group '{}', account '{}': {why}", group.name, account.user))
    })?;
    Ok(Account { user: Arc::from(&*account.user), password: Arc::from(password) })
}
