//! Groups and their nodes, as the rules declare them.
//!
//! Owns: the declared topology. Never: connects, and doesn't know which node is the primary *now*
//! (that is found out by `backend`).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::name::{GroupName, NodeName};

/// One primary and its replicas, holding the same rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub name: GroupName,
    /// The declared primary.
    pub primary: Arc<Node>,
    pub replicas: Vec<Arc<Node>>,
    pub accounts: Accounts,
    pub tls: Tls,
    pub pool: Pool,
    pub reads: Reads,
}

/// Which replicas may answer a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reads {
    /// The lag with which one still may; `None`: any.
    pub max_lag: Option<Duration>,
    /// Only one that is known to have what the session wrote itself.
    pub own_writes: bool,
}

impl Default for Reads {
    fn default() -> Self {
        Reads { max_lag: None, own_writes: true }
    }
}

impl Group {
    /// The primary, then the replicas.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        std::iter::once(&self.primary).chain(&self.replicas)
    }

    pub fn node(&self, name: &str) -> Option<&Arc<Node>> {
        self.nodes().find(|node| node.name.as_str() == name)
    }
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub name: NodeName,
    pub address: Address,
    /// Its share of the reads that replicas may answer; 0 takes none.
    pub weight: u32,
    pub zone: Option<Box<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    Tcp { host: Box<str>, port: u16 },
    Unix(PathBuf),
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp { host, port } => write!(f, "{host}:{port}"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The service accounts of a group, one for each right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accounts {
    /// Runs the clients' statements.
    pub data: Account,
    /// Probes, catalog loads, KILL. The data account where none is declared.
    pub control: Account,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub user: Box<str>,
    pub password: Secret,
}

/// Where a secret is found. Rules never hold one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// `env:NAME`
    Env(Box<str>),
    /// `file:/path`, read without its trailing line break.
    File(PathBuf),
    /// `none`: the account has no password (unix-socket accounts, tests).
    None,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    pub mode: TlsMode,
    /// Certificates that `verify` trusts, PEM; the system's where none is given.
    pub ca: Option<PathBuf>,
    /// A client certificate and its key, PEM.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    Off,
    /// Where the server offers it; not verified.
    Preferred,
    /// Always; not verified.
    Required,
    /// Always, with the certificate and the host's name verified.
    Verify,
}

/// Connections to each node of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The most connections to one node, over all workers.
    pub size: u32,
    /// How long a statement waits for a free connection; `None`: `timeouts.pool_wait`.
    pub wait: Option<Duration>,
    pub connect_timeout: Duration,
    /// The longest that a statement runs; `None`: `timeouts.statement`.
    pub statement_timeout: Option<Duration>,
    /// An idle connection is closed after this.
    pub idle_timeout: Duration,
    /// A connection isn't reused once it is this old.
    pub lifetime: Duration,
    /// How often health is probed.
    pub probe_interval: Duration,
}

impl Default for Pool {
    fn default() -> Self {
        Pool {
            size: 32,
            wait: None,
            connect_timeout: Duration::from_secs(3),
            statement_timeout: None,
            idle_timeout: Duration::from_secs(300),
            lifetime: Duration::from_secs(3600),
            probe_interval: Duration::from_secs(1),
        }
    }
}
