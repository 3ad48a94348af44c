//! What kind of server answers, and the facts that the proxy shows of it.
//!
//! Owns: the kinds of server, their version's number, and what differs by it. Never: asks a
//! server anything ([`crate::backend::health`] does and fills [`Facts`]).

use std::sync::Arc;

/// Whose server it is; their dialects, variables and protocols differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    MySql,
    MariaDb,
}

impl Kind {
    /// Told by the greeting's version text: MariaDB names itself in it.
    pub fn of(version: &str) -> Kind {
        if version.to_ascii_lowercase().contains("mariadb") { Kind::MariaDb } else { Kind::MySql }
    }

    /// The session variable of the isolation level. MariaDB took MySQL's name in 11.1 and keeps
    /// the old one as well; MySQL 8 dropped the old one.
    pub fn isolation_variable(self) -> &'static str {
        match self {
            Kind::MySql => "transaction_isolation",
            Kind::MariaDb => "tx_isolation",
        }
    }

    /// The session variable that makes transactions read-only.
    pub fn read_only_variable(self) -> &'static str {
        match self {
            Kind::MySql => "transaction_read_only",
            Kind::MariaDb => "tx_read_only",
        }
    }
}

/// A server's version as text and number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    /// As the server says it, without the `5.5.5-` that MariaDB puts before its own for old
    /// replicas.
    pub text: Arc<str>,
    pub kind: Kind,
    /// Major × 10000 + minor × 100 + patch, as `/*!` comments count; 0 where it can't be read.
    pub number: u32,
}

impl Version {
    /// Reads a greeting's or `VERSION()`'s text.
    pub fn parse(text: &str) -> Version {
        let kind = Kind::of(text);
        let own = match (kind, text.strip_prefix("5.5.5-")) {
            (Kind::MariaDb, Some(rest)) => rest,
            _ => text,
        };
        let mut number = 0u32;
        let mut parts = own.split(['.', '-', '+', ' ', '~']);
        for unit in [10_000, 100, 1] {
            let part: u32 = parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
            number = number.saturating_add(part.min(99).saturating_mul(unit));
        }
        Version { text: Arc::from(own), kind, number }
    }
}

/// What a server says of itself; read at its first probe and again after each reconnect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub version: Version,
    /// `@@global.sql_mode`: what a session has that set none.
    pub sql_mode: Arc<str>,
    /// `@@global.max_allowed_packet`, bytes.
    pub max_allowed_packet: u64,
    /// `@@lower_case_table_names`: 0 names are case-sensitive, 1 stored lower, 2 compared lower.
    pub lower_case_table_names: u8,
    /// `@@global.wait_timeout`, seconds: an idle connection is closed by the server after it.
    pub wait_timeout: u64,
    /// `@@global.time_zone` as it stands, often `SYSTEM`.
    pub time_zone: Arc<str>,
    /// `@@global.character_set_server` and `@@global.collation_server`.
    pub charset: Arc<str>,
    pub collation: Arc<str>,
    /// `@@global.transaction_isolation`.
    pub isolation: Arc<str>,
    /// `@@server_id`: two nodes of a group with one id are a mistake.
    pub server_id: u64,
    /// `@@innodb_rollback_on_timeout`: error 1205 ends the transaction.
    pub rollback_on_timeout: bool,
    /// Collations by id, sorted by id: what a client's handshake byte and a column's charset mean.
    pub collations: Arc<[Collation]>,
}

/// A row of `information_schema.COLLATIONS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collation {
    pub id: u16,
    pub name: Arc<str>,
    pub charset: Arc<str>,
    /// Whether comparison ignores trailing spaces.
    pub pad_space: bool,
    /// Whether it is its character set's default.
    pub default: bool,
}

impl Facts {
    pub fn collation(&self, id: u16) -> Option<&Collation> {
        let place = self.collations.binary_search_by_key(&id, |collation| collation.id).ok()?;
        self.collations.get(place)
    }

    pub fn collation_by_name(&self, name: &str) -> Option<&Collation> {
        self.collations.iter().find(|collation| collation.name.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_servers_write_them() {
        let cases = [
            (
                "5.5.5-10.11.19-MariaDB-0+deb12u1",
                Kind::MariaDb,
                101_119,
                "10.11.19-MariaDB-0+deb12u1",
            ),
            ("11.4.2-MariaDB", Kind::MariaDb, 110_402, "11.4.2-MariaDB"),
            ("9.7.4", Kind::MySql, 90_704, "9.7.4"),
            ("8.0.36-0ubuntu0.22.04.1", Kind::MySql, 80_036, "8.0.36-0ubuntu0.22.04.1"),
            ("8.4", Kind::MySql, 80_400, "8.4"),
            ("who knows", Kind::MySql, 0, "who knows"),
        ];
        for (text, kind, number, own) in cases {
            let version = Version::parse(text);
            assert_eq!(
                (version.kind, version.number, &*version.text),
                (kind, number, own),
                "{text}"
            );
        }
    }
}
