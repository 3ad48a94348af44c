//! Who may log in, and what they may do.
//!
//! Owns: declared accounts of clients. Never: verifies a password (`protocol::auth` does).

use crate::name::{SchemaName, UserName};

/// An account that clients log in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: UserName,
    /// SHA1(SHA1(password)), what `*HEX` of mysql_native_password says. Both verifiers may be
    /// there; an account with neither can't log in.
    pub native: Option<[u8; 20]>,
    /// The authentication string of caching_sha2_password (`$A$005$`, 20 bytes of salt, 43
    /// characters of digest), or `sha2:` and 64 hex digits: what `protocol::verifier` reads.
    pub sha2: Option<Box<[u8]>>,
    /// `None`: all schemas.
    pub schemas: Option<Vec<SchemaName>>,
    pub default_schema: Option<SchemaName>,
    pub rights: Rights,
    /// 0: no limit of its own.
    pub max_connections: u32,
}

impl User {
    pub fn may_use(&self, schema: &str) -> bool {
        match &self.schemas {
            None => true,
            Some(schemas) => schemas.iter().any(|allowed| allowed.as_str() == schema),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Rights {
    pub read: bool,
    pub write: bool,
    /// CREATE, ALTER, DROP, TRUNCATE and their kin.
    pub ddl: bool,
    /// KILL of other users' connections and the admin port.
    pub admin: bool,
}
