//! Who a session is.
//!
//! Owns: the account, where it came from, and what it may use. Never: verifies a password
//! ([`super::login`]).

use std::sync::Arc;

use crate::error::Result;
use crate::name::SchemaName;
use crate::protocol::error_code;
use crate::rules::Rules;
use crate::rules::user::User;

/// The account of a session.
#[derive(Clone, Debug)]
pub struct Identity {
    pub user: Arc<User>,
    /// The host part of `USER()`.
    pub host: String,
}

impl Identity {
    /// The schema of this name, if this account may use it.
    ///
    /// # Errors
    /// 1044 where it may not, whether the schema exists or not; 1049 where there is none.
    pub fn schema(&self, rules: &Rules, name: &str) -> Result<SchemaName> {
        if name.eq_ignore_ascii_case("information_schema") {
            return Ok(SchemaName::new("information_schema"));
        }
        if !self.user.may_use(name) {
            return Err(error_code::database_access_denied(
                self.user.name.as_str(),
                &self.host,
                name,
            ));
        }
        match rules.schema(name) {
            Some(schema) => Ok(schema.name.clone()),
            None => Err(error_code::unknown_database(name)),
        }
    }
}
