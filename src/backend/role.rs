//! The role that a login of the node's data account has.
//!
//! Owns: what a new connection answered when it was asked, and what to ask. Never: asks.
//!
//! COM_RESET_CONNECTION keeps the role that a SET ROLE in a routine took: a connection goes back to
//! the pool only where it has the role that it began with.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::backend::version::{Kind, Version};

/// Its one row has the role, or NULL (MariaDB) or `NONE`.
pub const QUESTION: &[u8] = b"SELECT CURRENT_ROLE()";

/// MySQL has roles since 8.0, MariaDB since long.
pub fn are_on(version: &Version) -> bool {
    version.kind == Kind::MariaDb || version.number >= 80_000
}

/// `None` until a login has been asked.
#[derive(Debug, Default)]
pub struct LoginRole(Mutex<Option<Answer>>);

/// The only column of the answer.
pub type Answer = Option<Vec<u8>>;

impl LoginRole {
    pub fn is_known(&self) -> bool {
        self.lock().is_some()
    }

    pub fn learn(&self, role: Answer) {
        *self.lock() = Some(role);
    }

    /// The next login is asked.
    pub fn forget(&self) {
        *self.lock() = None;
    }

    /// Whether it is the role of a login. If it isn't, or isn't known, the next login is asked:
    /// the account's default role may have changed.
    pub fn is(&self, role: &Answer) -> bool {
        let mut known = self.lock();
        let same = known.as_ref() == Some(role);
        if !same {
            *known = None;
        }
        same
    }

    fn lock(&self) -> MutexGuard<'_, Option<Answer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_role_is_asked_for_anew() {
        let role = LoginRole::default();
        assert!(!role.is(&None) && !role.is_known());
        role.learn(Some(b"r".to_vec()));
        assert!(role.is(&Some(b"r".to_vec())) && role.is_known());
        assert!(!role.is(&None) && !role.is_known());
        role.learn(None);
        assert!(role.is(&None));
        role.forget();
        assert!(!role.is_known());
    }

    #[test]
    fn old_servers_have_none() {
        let on = |text| are_on(&Version::parse(text));
        assert!(!on("5.7.44") && on("8.0.11") && on("9.7.0") && on("5.5.5-10.11.6-MariaDB"));
    }
}
