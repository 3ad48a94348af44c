//! Groups, nodes, accounts, TLS and pools.
//!
//! Owns: their check. Never: connects.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::name::{GroupName, NodeName};
use crate::rules::check::Check;
use crate::rules::group::{
    Account, Accounts, Address, Group, Node, Pool, Reads, Secret, Tls, TlsMode,
};
use crate::rules::problem::KeyPath;
use crate::rules::shape::{
    AccountShape, AccountsShape, GroupDefaultsShape, GroupShape, NodeShape, PoolShape, ReadsShape,
    TlsModeShape, TlsShape,
};

impl Check {
    /// Problems of the defaults are reported once, not with each group.
    pub(super) fn group_defaults(&mut self, shape: Option<&GroupDefaultsShape>) {
        let path = KeyPath::root().key("group_defaults");
        if let Some(shape) = shape {
            if let Some(accounts) = &shape.accounts {
                self.accounts(accounts, &path.key("accounts"));
            }
            if let Some(tls) = &shape.tls {
                self.tls(tls, &path.key("tls"));
            }
            if let Some(pool) = &shape.pool {
                self.pool(pool, Pool::default(), &path.key("pool"));
            }
            if let Some(reads) = &shape.reads {
                self.reads(reads, Reads::default(), &path.key("reads"));
            }
        }
    }

    pub(super) fn group_shape(
        &mut self,
        name: &str,
        shape: &GroupShape,
        defaults: Option<&GroupDefaultsShape>,
        path: &KeyPath,
    ) -> Option<Group> {
        self.name(name, "group", path);
        let mut names = HashSet::new();
        let primary =
            self.node(&shape.primary, "primary".to_string(), 0, &mut names, &path.key("primary"));
        let mut replicas = Vec::new();
        for (index, replica) in shape.replicas.iter().enumerate() {
            let default_name = format!("replica{}", index + 1);
            let path = path.key("replicas").index(index);
            replicas.extend(self.node(replica, default_name, 100, &mut names, &path).map(Arc::new));
        }
        // Defaults were reported by themselves: here they are read again without reporting.
        let mut silent = Check { problems: Vec::new(), physical: std::collections::HashMap::new() };
        let root = KeyPath::root();
        let accounts =
            match (&shape.accounts, defaults.and_then(|defaults| defaults.accounts.as_ref())) {
                (Some(accounts), _) => self.accounts(accounts, &path.key("accounts")),
                (None, Some(accounts)) => silent.accounts(accounts, &root),
                (None, None) => {
                    self.error_help(
                        path,
                        "the group has no 'accounts'",
                        "declare them here or under 'group_defaults'",
                    );
                    None
                }
            };
        let tls = match (&shape.tls, defaults.and_then(|defaults| defaults.tls.as_ref())) {
            (Some(tls), _) => self.tls(tls, &path.key("tls")),
            (None, Some(tls)) => silent.tls(tls, &root),
            (None, None) => Tls { mode: TlsMode::Preferred, ca: None, certificate: None },
        };
        let mut pool = Pool::default();
        if let Some(shape) = defaults.and_then(|defaults| defaults.pool.as_ref()) {
            pool = silent.pool(shape, pool, &root);
        }
        if let Some(shape) = &shape.pool {
            pool = self.pool(shape, pool, &path.key("pool"));
        }
        let mut reads = Reads::default();
        if let Some(shape) = defaults.and_then(|defaults| defaults.reads.as_ref()) {
            reads = silent.reads(shape, reads, &root);
        }
        if let Some(shape) = &shape.reads {
            reads = self.reads(shape, reads, &path.key("reads"));
        }
        Some(Group {
            reads,
            name: GroupName::from(name),
            primary: Arc::new(primary?),
            replicas,
            accounts: accounts?,
            tls,
            pool,
        })
    }

    fn node(
        &mut self,
        shape: &NodeShape,
        default_name: String,
        default_weight: u32,
        names: &mut HashSet<String>,
        path: &KeyPath,
    ) -> Option<Node> {
        let name = shape.name.clone().unwrap_or(default_name);
        self.name(&name, "node", path);
        if !names.insert(name.clone()) {
            self.error(path, format!("two nodes of this group are called '{name}'"));
        }
        let address = match address(&shape.address) {
            Ok(address) => Some(address),
            Err(message) => {
                self.error_help(
                    &path.key("address"),
                    message,
                    "write host:port, [v6]:port or unix:/path",
                );
                None
            }
        };
        Some(Node {
            name: NodeName::new(name),
            address: address?,
            weight: shape.weight.unwrap_or(default_weight),
            zone: shape.zone.as_deref().map(Box::from),
        })
    }

    fn accounts(&mut self, shape: &AccountsShape, path: &KeyPath) -> Option<Accounts> {
        let data = self.account(&shape.data, &path.key("data"));
        let control = match &shape.control {
            Some(control) => self.account(control, &path.key("control")),
            None => data.clone(),
        };
        Some(Accounts { data: data?, control: control? })
    }

    fn account(&mut self, shape: &AccountShape, path: &KeyPath) -> Option<Account> {
        let written = shape.password.as_str();
        let secret = match written.split_once(':') {
            _ if written == "none" => Some(Secret::None),
            Some(("env", name)) if is_variable(name) => Some(Secret::Env(name.into())),
            Some(("file", file)) if !file.is_empty() => Some(Secret::File(PathBuf::from(file))),
            _ => None,
        };
        if secret.is_none() {
            // The value may be a password: it is never shown.
            self.error_help(
                &path.key("password"),
                "a password must not stand in the rules",
                "write env:NAME, file:/path or none",
            );
        }
        if shape.user.is_empty() {
            self.error(&path.key("user"), "the account's name is empty");
        }
        Some(Account { user: shape.user.as_str().into(), password: secret? })
    }

    fn tls(&mut self, shape: &TlsShape, path: &KeyPath) -> Tls {
        let mode = match shape.mode {
            TlsModeShape::Off => TlsMode::Off,
            TlsModeShape::Preferred => TlsMode::Preferred,
            TlsModeShape::Required => TlsMode::Required,
            TlsModeShape::Verify => TlsMode::Verify,
        };
        let certificate = match (&shape.certificate, &shape.key) {
            (Some(certificate), Some(key)) => {
                Some((PathBuf::from(certificate), PathBuf::from(key)))
            }
            (None, None) => None,
            _ => {
                self.error(path, "'certificate' and 'key' are only of use together");
                None
            }
        };
        if mode == TlsMode::Off && (shape.ca.is_some() || certificate.is_some()) {
            self.warning(path, "certificates are named, but TLS is off", "set the mode to verify");
        }
        Tls { mode, ca: shape.ca.as_ref().map(PathBuf::from), certificate }
    }

    fn reads(&mut self, shape: &ReadsShape, default: Reads, path: &KeyPath) -> Reads {
        Reads {
            max_lag: self.span(&shape.max_lag, "max_lag", path).or(default.max_lag),
            own_writes: shape.own_writes.unwrap_or(default.own_writes),
        }
    }

    fn pool(&mut self, shape: &PoolShape, default: Pool, path: &KeyPath) -> Pool {
        let mut span = |text, key| self.span(text, key, path);
        let statement_timeout = span(&shape.statement_timeout, "statement_timeout");
        Pool {
            size: shape.size.unwrap_or(default.size),
            wait: span(&shape.wait, "wait").or(default.wait),
            connect_timeout: span(&shape.connect_timeout, "connect_timeout")
                .unwrap_or(default.connect_timeout),
            statement_timeout: statement_timeout.or(default.statement_timeout),
            idle_timeout: span(&shape.idle_timeout, "idle_timeout").unwrap_or(default.idle_timeout),
            lifetime: span(&shape.lifetime, "lifetime").unwrap_or(default.lifetime),
            probe_interval: span(&shape.probe_interval, "probe_interval")
                .unwrap_or(default.probe_interval),
        }
    }

    /// A duration; one that is none is a problem and counts as left out.
    fn span(&mut self, text: &Option<String>, key: &str, path: &KeyPath) -> Option<Duration> {
        let text = text.as_ref()?;
        let span = duration(text);
        if span.is_none() {
            self.error_help(
                &path.key(key),
                format!("'{text}' is no duration"),
                "write a number with ms, s, m or h: 500ms, 3s",
            );
        }
        span
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn address(text: &str) -> Result<Address, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        if path.starts_with('/') {
            return Ok(Address::Unix(PathBuf::from(path)));
        }
        return Err(format!("'{path}' is no absolute path"));
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(|| format!("'{text}' has no port"))?;
    let port: u16 =
        port.parse().ok().filter(|port| *port > 0).ok_or_else(|| format!("'{port}' is no port"))?;
    let host = match host.strip_prefix('[').map(|host| host.strip_suffix(']')) {
        Some(Some(v6)) => v6,
        Some(None) => return Err(format!("'{host}' has no closing bracket")),
        None if host.contains(':') => return Err(format!("'{host}' must stand in brackets")),
        None => host,
    };
    if host.is_empty() || host.contains(char::is_whitespace) {
        return Err(format!("'{text}' names no host"));
    }
    Ok(Address::Tcp { host: host.into(), port })
}

/// `500ms`, `3s`, `5m`, `1h`; at most a year.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let millis = match unit.trim() {
        "ms" => number,
        "s" => number.checked_mul(1_000)?,
        "m" => number.checked_mul(60_000)?,
        "h" => number.checked_mul(3_600_000)?,
        _ => return None,
    };
    (millis <= 366 * 86_400_000).then(|| Duration::from_millis(millis))
}
