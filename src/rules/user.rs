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
    /// What one statement of this account may take at most; a hint can't raise it.
    pub bounds: Bounds,
}

/// What one statement may gather or hold; `None` where nothing is said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Bounds {
    /// Rows that the workbench gathers.
    pub workbench_rows: Option<u64>,
    /// Bytes of these rows.
    pub workbench_bytes: Option<u64>,
    /// Bytes that a sorted or grouped merge holds.
    pub merge_memory: Option<u64>,
}

impl Bounds {
    /// The bounds of a statement whose hints say `hinted`, of an account with these, where the
    /// settings say `general`: a hint takes the settings' place, but not the account's.
    pub fn narrowed(&self, hinted: &Bounds, general: &Bounds) -> Bounds {
        let one = |own: Option<u64>, hint: Option<u64>, general: Option<u64>| match (own, hint) {
            (Some(own), Some(hint)) => Some(own.min(hint)),
            (own, hint) => own.or(hint).or(general),
        };
        Bounds {
            workbench_rows: one(self.workbench_rows, hinted.workbench_rows, general.workbench_rows),
            workbench_bytes: one(
                self.workbench_bytes,
                hinted.workbench_bytes,
                general.workbench_bytes,
            ),
            merge_memory: one(self.merge_memory, hinted.merge_memory, general.merge_memory),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_takes_the_settings_place_but_not_the_accounts() {
        let rows = |rows| Bounds { workbench_rows: rows, ..Bounds::default() };
        let found =
            |own, hint, general| rows(own).narrowed(&rows(hint), &rows(general)).workbench_rows;
        assert_eq!(found(None, None, Some(9)), Some(9));
        assert_eq!(found(None, Some(20), Some(9)), Some(20));
        assert_eq!(found(Some(15), None, Some(9)), Some(15));
        assert_eq!(found(Some(15), Some(20), Some(9)), Some(15));
        assert_eq!(found(Some(15), Some(2), Some(9)), Some(2));
    }
}
