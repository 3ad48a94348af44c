//! Accounts of clients.
//!
//! Owns: their check, verifiers included. Never: sees a password.

use std::collections::BTreeMap;

use crate::name::{SchemaName, UserName};
use crate::rules::check::Check;
use crate::rules::problem::{KeyPath, suggestion};
use crate::rules::shape::{RightShape, SchemaShape, UserShape};
use crate::rules::user::{Bounds, Rights, User};
use crate::value::size;

/// `$A$005$`, 20 bytes of salt, 43 characters of digest.
const SHA2_LENGTH: usize = 70;

impl Check {
    pub(super) fn user(
        &mut self,
        name: &str,
        shape: &UserShape,
        schemas: &BTreeMap<String, SchemaShape>,
        path: &KeyPath,
    ) -> Option<User> {
        if name.chars().count() > 80 {
            self.error(path, "an account's name has at most 80 characters");
        }
        let native = shape.native.as_deref().and_then(|text| {
            let parsed = text
                .strip_prefix('*')
                .and_then(hex)
                .and_then(|bytes| <[u8; 20]>::try_from(bytes).ok());
            if parsed.is_none() {
                self.error_help(
                    &path.key("native"),
                    "not a verifier of mysql_native_password",
                    "it is '*' and 40 hex digits; `weir hash-password` makes it",
                );
            }
            parsed
        });
        let sha2 = shape.sha2.as_deref().and_then(|text| {
            let valid = sha2_verifier(text);
            if valid.is_none() {
                let help =
                    "it is 0x and 140 hex digits, or sha2: and 64; `weir hash-password` makes it";
                self.error_help(&path.key("sha2"), "not a verifier of caching_sha2_password", help);
            }
            valid
        });
        if shape.native.is_none() && shape.sha2.is_none() {
            self.error_help(
                path,
                "the account has no verifier, so nobody can log in",
                "`weir hash-password` makes 'sha2' and 'native'",
            );
        }
        let allowed = self.allowed_schemas(shape, schemas, path);
        if let Some(default) = &shape.default_schema {
            let path = path.key("default_schema");
            if !schemas.contains_key(default) {
                self.unknown_schema(default, schemas, &path);
            } else if allowed
                .as_ref()
                .is_some_and(|allowed| !allowed.iter().any(|name| name.as_str() == default))
            {
                self.error(&path, format!("the account may not use schema '{default}'"));
            }
        }
        let rights = match &shape.rights {
            None => Rights { read: true, write: true, ddl: false, admin: false },
            Some(rights) => Rights {
                read: rights.contains(&RightShape::Read),
                write: rights.contains(&RightShape::Write),
                ddl: rights.contains(&RightShape::Ddl),
                admin: rights.contains(&RightShape::Admin),
            },
        };
        Some(User {
            name: UserName::from(name),
            native,
            sha2,
            schemas: allowed,
            default_schema: shape.default_schema.as_deref().map(SchemaName::from),
            rights,
            max_connections: shape.max_connections.unwrap_or(0),
            bounds: self.bounds(shape, path),
        })
    }

    fn bounds(&mut self, shape: &UserShape, path: &KeyPath) -> Bounds {
        let bytes = shape.workbench_bytes.as_deref();
        Bounds {
            workbench_rows: shape.workbench_rows,
            workbench_bytes: self.size(bytes, &path.key("workbench_bytes")),
            merge_memory: self.size(shape.merge_memory.as_deref(), &path.key("merge_memory")),
        }
    }

    fn size(&mut self, text: Option<&str>, path: &KeyPath) -> Option<u64> {
        match size::bytes(text?) {
            Ok(bytes) => Some(bytes),
            Err(why) => {
                self.error(path, why);
                None
            }
        }
    }

    /// `None` means all schemas.
    fn allowed_schemas(
        &mut self,
        shape: &UserShape,
        schemas: &BTreeMap<String, SchemaShape>,
        path: &KeyPath,
    ) -> Option<Vec<SchemaName>> {
        if shape.schemas.as_slice() == ["*"] {
            return None;
        }
        let mut allowed = Vec::new();
        for (index, name) in shape.schemas.iter().enumerate() {
            let path = path.key("schemas").index(index);
            if name == "*" {
                self.error(&path, "\"*\" stands for all schemas and must be alone");
            } else if !schemas.contains_key(name) {
                self.unknown_schema(name, schemas, &path);
            }
            allowed.push(SchemaName::from(name.as_str()));
        }
        Some(allowed)
    }

    fn unknown_schema(
        &mut self,
        name: &str,
        schemas: &BTreeMap<String, SchemaShape>,
        path: &KeyPath,
    ) {
        let help = suggestion(name, schemas.keys().map(String::as_str));
        self.error_help(path, format!("schema '{name}' is not declared"), help);
    }
}

/// The bytes that `protocol::verifier` reads.
fn sha2_verifier(text: &str) -> Option<Box<[u8]>> {
    if let Some(digits) = text.strip_prefix("sha2:") {
        return hex(digits).filter(|bytes| bytes.len() == 32).map(|_| text.as_bytes().into());
    }
    let bytes = match text.strip_prefix("0x") {
        Some(digits) => hex(digits)?,
        None => text.as_bytes().to_vec(),
    };
    (bytes.len() == SHA2_LENGTH && bytes.starts_with(b"$A$")).then(|| bytes.into())
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    if digits.len() % 2 != 0 {
        return None;
    }
    digits
        .chunks_exact(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
