//! The normal form of text keys (trap 17).
//!
//! Owns: [`Fold`], which makes texts alike that a collation calls equal. Never: orders texts.

use crate::value::Value;
use crate::value::types::Collation;

/// How a text key is made alike before it is routed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fold {
    /// Exactly as stored. TDDL's expressions see texts so.
    None,
    /// Without trailing spaces: enough for `_bin` collations.
    Trim,
    /// Without trailing spaces, ASCII letters in lower case: enough for ascii_general_ci.
    AsciiCi,
    /// The weights of a collation whose table Weir ships.
    Weights(Collation),
}

impl Fold {
    /// Whether texts that `collation` calls equal are made alike; `padded` where trailing spaces
    /// can be stored but don't count.
    pub fn covers(&self, collation: &Collation, padded: bool) -> bool {
        match self {
            Fold::None => collation.is_binary() && !padded,
            Fold::Trim => collation.is_binary(),
            Fold::AsciiCi => collation.is_binary() || collation.name() == "ascii_general_ci",
            Fold::Weights(weights) => collation == weights,
        }
    }

    /// Whether every character of a text has a normal form.
    pub fn knows(&self, value: &Value) -> bool {
        match (self, value) {
            (Fold::Weights(_), Value::Text(_)) => false,
            _ => true,
        }
    }
}
