//! Secrets that settings point at and never hold.
//!
//! Owns: `env:NAME` and `file:/path` references and reading them. Never: prints a secret, keeps
//! one longer than its caller does, or accepts one written inline.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file whose content, without a trailing line break, is the secret.
    File(PathBuf),
}

/// A secret's value; its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }
    /// The secret itself, at the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A file of secrets is a line or a few; anything larger is the wrong file.
const LONGEST: u64 = 64 * 1024;

impl SecretRef {
    /// Reads the secret. An empty one is an error: nobody means that.
    pub fn read(&self) -> Result<Secret, String> {
        let text = match self {
            SecretRef::Env(name) => std::env::var(name)
                .map_err(|_| format!("the environment variable {name} is not set"))?,
            SecretRef::File(path) => {
                let shown = path.display();
                let size =
                    std::fs::metadata(path).map_err(|e| format!("can't read {shown}: {e}"))?.len();
                if size > LONGEST {
                    return Err(format!("{shown} has {size} bytes, which is no secret"));
                }
                std::fs::read_to_string(path).map_err(|e| format!("can't read {shown}: {e}"))?
            }
        };
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            Err(format!("{self} holds an empty secret"))
        } else {
            Ok(Secret::new(text))
        }
    }
}

impl FromStr for SecretRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(SecretRef::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(SecretRef::File(path.into())),
            // The text isn't shown: it may be the secret.
            _ => Err("a secret is never written inline: write env:NAME or file:/path".to_owned()),
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretRef::Env(name) => write!(f, "env:{name}"),
            SecretRef::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for SecretRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for SecretRef {
    fn schema_name() -> Cow<'static, str> {
        "SecretRef".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(env|file):.+", "description": "env:NAME or file:/path" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_secrets_are_refused_and_not_echoed() {
        for text in ["hunter2", "plain:hunter2", "env:", ""] {
            let error = text.parse::<SecretRef>().unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_file_is_read_without_its_line_break_and_an_empty_one_refused() {
        let path = std::env::temp_dir().join(format!("weir-secret-{}", std::process::id()));
        let secret: SecretRef = format!("file:{}", path.display()).parse().unwrap();
        assert!(secret.read().is_err());
        std::fs::write(&path, "pa ss\n").unwrap();
        let read = secret.read().unwrap();
        assert_eq!(read.reveal(), "pa ss");
        assert!(!format!("{read:?}").contains("pa"));
        std::fs::write(&path, "\n").unwrap();
        assert!(secret.read().is_err());
        std::fs::remove_file(&path).unwrap();
    }
}
