//! The normal form of text keys (trap 17).
//!
//! Owns: [`Fold`], which makes texts alike that a collation calls equal. Never: orders texts.
//!
//! | fold | texts that become alike | enough for |
//! |---|---|---|
//! | `none` | none | `binary`, NO PAD `_bin` collations, `_bin` on CHAR columns |
//! | `trim` | those that differ in trailing spaces | all `_bin` collations |
//! | `ascii_ci` | also those that differ in the case of ASCII letters | `ascii_general_ci` |
//! | `weights(c)` | those that the collation `c` calls equal | `c` |

use std::borrow::Cow;
use std::fmt;

use crate::rules::algorithm::weights;
use crate::value::types::Collation;
use crate::value::{Text, Value};

/// How a text key is made alike before it is routed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fold {
    /// Exactly as stored. TDDL's expressions see texts so.
    None,
    /// Without trailing spaces.
    Trim,
    /// Without trailing spaces, ASCII letters in lower case.
    AsciiCi,
    /// The weights of a collation whose table is shipped.
    Weights(Collation),
}

impl Fold {
    /// Reads the rule's text form; the error says what is possible.
    pub fn parse(text: &str) -> Result<Fold, String> {
        match text.trim() {
            "none" => Ok(Fold::None),
            "trim" => Ok(Fold::Trim),
            "ascii_ci" => Ok(Fold::AsciiCi),
            other => {
                let name = other.strip_prefix("weights(").and_then(|rest| rest.strip_suffix(')'));
                let Some(name) = name else {
                    return Err(
                        "it is one of none, trim, ascii_ci, weights(<collation>)".to_string()
                    );
                };
                let collation = Collation::new(name);
                if weights::table(&collation).is_some() {
                    return Ok(Fold::Weights(collation));
                }
                let names: Vec<&str> = weights::shipped().collect();
                Err(format!("weights are shipped for {}", names.join(", ")))
            }
        }
    }

    /// The weakest fold that is enough for a collation; `None` where no shipped one is.
    pub fn for_collation(collation: &Collation) -> Option<Fold> {
        if collation.name() == "ascii_general_ci" {
            return Some(Fold::AsciiCi);
        }
        if collation.is_binary() {
            return Some(if collation.pads_spaces() { Fold::Trim } else { Fold::None });
        }
        weights::table(collation).map(|_| Fold::Weights(collation.clone()))
    }

    /// Whether texts that `collation` calls equal are made alike; `padded` where trailing spaces
    /// can be stored but don't count.
    pub fn covers(&self, collation: &Collation, padded: bool) -> bool {
        match self {
            Fold::None => collation.is_binary() && !padded,
            Fold::Trim => collation.is_binary(),
            Fold::AsciiCi => collation.is_binary() || collation.name() == "ascii_general_ci",
            // Case-insensitive weights join more than a binary collation of the charset does.
            Fold::Weights(weights) => {
                weights == collation
                    || collation.is_binary() && weights.pads_spaces()
                    || collation.is_binary() && !padded
            }
        }
    }

    /// The normal form; `None` where a character's weight isn't known. Values that aren't texts
    /// stay as they are.
    pub fn apply<'a>(&self, value: &'a Value) -> Option<Cow<'a, Value>> {
        let Value::Text(text) = value else { return Some(Cow::Borrowed(value)) };
        Some(match self {
            Fold::None => Cow::Borrowed(value),
            Fold::Trim => match text.bytes.last() {
                Some(b' ') => Cow::Owned(with_bytes(text, trim(&text.bytes).to_vec())),
                _ => Cow::Borrowed(value),
            },
            Fold::AsciiCi => Cow::Owned(with_bytes(text, trim(&text.bytes).to_ascii_lowercase())),
            Fold::Weights(collation) => Cow::Owned(Value::Binary(weigh(collation, text)?.into())),
        })
    }
}

fn weigh(collation: &Collation, text: &Text) -> Option<Vec<u8>> {
    weights::table(collation)?.of(&text.characters()?)
}

fn trim(bytes: &[u8]) -> &[u8] {
    let kept = bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    bytes.get(..kept).unwrap_or(bytes)
}

fn with_bytes(text: &Text, bytes: Vec<u8>) -> Value {
    Value::Text(Text { bytes: bytes.into(), charset: text.charset })
}

impl fmt::Display for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fold::None => f.write_str("none"),
            Fold::Trim => f.write_str("trim"),
            Fold::AsciiCi => f.write_str("ascii_ci"),
            Fold::Weights(collation) => write!(f, "weights({collation})"),
        }
    }
}
