//! MySQL's column types, as information_schema's COLUMN_TYPE names them.
//!
//! Owns: [`ColumnType`] and its parser. Never: knows a column's name, default or key.

use std::fmt;
use std::sync::Arc;

/// The type of a column, or of a key that the rules declare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// `bits` is 8, 16, 24, 32 or 64.
    Int {
        bits: u8,
        unsigned: bool,
    },
    Decimal {
        precision: u8,
        scale: u8,
        unsigned: bool,
    },
    Float {
        unsigned: bool,
    },
    Double {
        unsigned: bool,
    },
    Bit {
        width: u8,
    },
    Year,
    Date,
    /// `decimals` is the number of digits of the second's fraction, 0 to 6.
    Time {
        decimals: u8,
    },
    DateTime {
        decimals: u8,
    },
    Timestamp {
        decimals: u8,
    },
    /// Lengths are in characters.
    Char {
        length: u32,
        collation: Collation,
    },
    VarChar {
        length: u32,
        collation: Collation,
    },
    /// TINYTEXT to LONGTEXT; `bytes` is the most it holds.
    Text {
        bytes: u32,
        collation: Collation,
    },
    Binary {
        length: u32,
    },
    VarBinary {
        length: u32,
    },
    Blob {
        bytes: u32,
    },
    Enum {
        labels: Arc<[Box<str>]>,
        collation: Collation,
    },
    Set {
        labels: Arc<[Box<str>]>,
        collation: Collation,
    },
    Json,
    /// A type whose values Weir doesn't interpret: geometry, UUID, INET6, VECTOR.
    Other(Box<str>),
}

/// A collation by name. Unknown (empty) where the rules don't say it and no catalog is at hand.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Collation(Arc<str>);

impl Collation {
    /// Lower-cased; `utf8_…` is the old name of `utf8mb3_…`. MariaDB's `uca1400_…` without a
    /// charset stays as it is.
    pub fn new(name: &str) -> Self {
        let name = name.trim().to_ascii_lowercase();
        match name.strip_prefix("utf8_") {
            Some(rest) => Collation(Arc::from(format!("utf8mb3_{rest}"))),
            None => Collation(Arc::from(name)),
        }
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    pub fn is_known(&self) -> bool {
        !self.0.is_empty()
    }

    /// The charset that the collation's name begins with.
    pub fn charset(&self) -> &str {
        self.0.split('_').next().unwrap_or("")
    }

    /// Whether trailing spaces are ignored when comparing. MySQL's 0900 collations, `binary` and
    /// MariaDB's `_nopad_` ones don't; all others do.
    pub fn pads_spaces(&self) -> bool {
        !(self.0.contains("_0900_") || self.0.contains("nopad") || &*self.0 == "binary")
    }

    /// Whether equal means equal code points (trailing spaces aside).
    pub fn is_binary(&self) -> bool {
        self.0.ends_with("_bin") || &*self.0 == "binary"
    }
}

/// How many weights WEIGHT_STRING gives for a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// One for each character, so that padding to a number of characters makes equals alike.
    Each,
    /// More or fewer than characters ('ß' has those of 'ss'), each of so many bytes.
    Expanding { unit: u8 },
    /// Several levels, one behind the other, or an order that isn't known.
    Levels,
}

impl Collation {
    /// Of a collation that pads spaces.
    pub fn weights(&self) -> Weights {
        let (charset, rest) = self.0.split_once('_').unwrap_or((&self.0, ""));
        let is_unicode = matches!(
            charset,
            "utf8mb3" | "utf8mb4" | "ucs2" | "utf16" | "utf16le" | "utf32" | "uca1400"
        );
        match (&*self.0, rest) {
            (_, "bin" | "general_ci" | "general_cs" | "general_mysql500_ci") => Weights::Each,
            (name, _) if name.contains("uca1400") && !name.ends_with("_ai_ci") => Weights::Levels,
            (_, rest) if is_unicode && rest.ends_with("_w2") => Weights::Levels,
            _ if is_unicode => Weights::Expanding { unit: 2 },
            ("latin1_german2_ci", _) => Weights::Expanding { unit: 1 },
            ("latin2_czech_cs" | "cp1250_czech_cs" | "tis620_thai_ci", _) => Weights::Levels,
            _ => Weights::Each,
        }
    }
}

impl fmt::Display for Collation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ColumnType {
    /// Reads what information_schema shows (`bigint(20) unsigned`, `enum('a','b')`), with the
    /// column's collation where it has one. Unknown names give [`ColumnType::Other`].
    ///
    /// `None` only where the text isn't shaped like a type at all.
    pub fn parse(text: &str, collation: Option<&str>) -> Option<ColumnType> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        if name.is_empty() {
            return None;
        }
        let (arguments, attributes) = split_arguments(rest.trim_start())?;
        let lower = name.to_ascii_lowercase();
        let attributes = attributes.to_ascii_lowercase();
        let collation = Collation::new(collation.unwrap_or(""));
        if lower == "enum" || lower == "set" {
            let labels: Arc<[Box<str>]> = labels(arguments)?.into();
            return Some(if lower == "enum" {
                ColumnType::Enum { labels, collation }
            } else {
                ColumnType::Set { labels, collation }
            });
        }
        let numbers = numbers(arguments)?;
        // `double precision`, `national varchar` and such don't occur in information_schema.
        let unsigned =
            attributes.split_whitespace().any(|word| word == "unsigned" || word == "zerofill");
        Some(
            of_name(&lower, &numbers, unsigned, collation)
                .unwrap_or(ColumnType::Other(lower.into())),
        )
    }

    pub fn collation(&self) -> Option<&Collation> {
        match self {
            ColumnType::Char { collation, .. }
            | ColumnType::VarChar { collation, .. }
            | ColumnType::Text { collation, .. }
            | ColumnType::Enum { collation, .. }
            | ColumnType::Set { collation, .. } => Some(collation),
            _ => None,
        }
    }

    /// CHAR, VARCHAR and TEXT: characters with a collation.
    pub fn is_character(&self) -> bool {
        matches!(
            self,
            ColumnType::Char { .. } | ColumnType::VarChar { .. } | ColumnType::Text { .. }
        )
    }

    /// The same type with another collation; unchanged for types without one.
    pub fn with_collation(mut self, name: &str) -> Self {
        if let ColumnType::Char { collation, .. }
        | ColumnType::VarChar { collation, .. }
        | ColumnType::Text { collation, .. }
        | ColumnType::Enum { collation, .. }
        | ColumnType::Set { collation, .. } = &mut self
        {
            *collation = Collation::new(name);
        }
        self
    }

    /// The smallest and largest value of an integer type.
    pub fn integer_range(&self) -> Option<(i128, i128)> {
        match *self {
            ColumnType::Int { bits, unsigned: true } => Some((0, (1i128 << bits) - 1)),
            ColumnType::Int { bits, unsigned: false } => {
                Some((-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1))
            }
            _ => None,
        }
    }
}

fn of_name(
    name: &str,
    numbers: &[u32],
    unsigned: bool,
    collation: Collation,
) -> Option<ColumnType> {
    let first = numbers.first().copied();
    let second = numbers.get(1).copied();
    let byte = |number: Option<u32>, default: u8| match number {
        Some(number) => u8::try_from(number).ok(),
        None => Some(default),
    };
    let int = |bits| ColumnType::Int { bits, unsigned };
    let text = |bytes| ColumnType::Text { bytes, collation: collation.clone() };
    let blob = |bytes| ColumnType::Blob { bytes };
    Some(match name {
        "tinyint" | "bool" | "boolean" => int(8),
        "smallint" => int(16),
        "mediumint" => int(24),
        "int" | "integer" => int(32),
        "bigint" => int(64),
        "decimal" | "numeric" | "dec" => {
            ColumnType::Decimal { precision: byte(first, 10)?, scale: byte(second, 0)?, unsigned }
        }
        "float" => ColumnType::Float { unsigned },
        "double" | "real" => ColumnType::Double { unsigned },
        "bit" => ColumnType::Bit { width: byte(first, 1)? },
        "year" => ColumnType::Year,
        "date" => ColumnType::Date,
        "time" => ColumnType::Time { decimals: byte(first, 0)? },
        "datetime" => ColumnType::DateTime { decimals: byte(first, 0)? },
        "timestamp" => ColumnType::Timestamp { decimals: byte(first, 0)? },
        "char" => ColumnType::Char { length: first.unwrap_or(1), collation },
        "varchar" => ColumnType::VarChar { length: first?, collation },
        "tinytext" => text(255),
        "text" => text(65_535),
        "mediumtext" => text(16_777_215),
        "longtext" => text(u32::MAX),
        "binary" => ColumnType::Binary { length: first.unwrap_or(1) },
        "varbinary" => ColumnType::VarBinary { length: first? },
        "tinyblob" => blob(255),
        "blob" => blob(65_535),
        "mediumblob" => blob(16_777_215),
        "longblob" => blob(u32::MAX),
        "json" => ColumnType::Json,
        _ => return None,
    })
}

/// `(…) rest` into what stands between the parentheses, and the rest. Quotes are respected.
fn split_arguments(text: &str) -> Option<(&str, &str)> {
    let Some(inner) = text.strip_prefix('(') else {
        return Some(("", text));
    };
    let mut quoted = false;
    for (index, byte) in inner.bytes().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            b')' if !quoted => return Some((inner.get(..index)?, inner.get(index + 1..)?)),
            _ => {}
        }
    }
    None
}

fn numbers(arguments: &str) -> Option<Vec<u32>> {
    if arguments.trim().is_empty() {
        return Some(Vec::new());
    }
    arguments.split(',').map(|number| number.trim().parse().ok()).collect()
}

/// `'a','it''s'` into its labels.
fn labels(arguments: &str) -> Option<Vec<Box<str>>> {
    let mut labels = Vec::new();
    let mut rest = arguments.trim();
    while let Some(inner) = rest.strip_prefix('\'') {
        let mut label = String::new();
        let mut characters = inner.char_indices().peekable();
        let after = loop {
            match characters.next()? {
                (_, '\'') if characters.peek().is_some_and(|&(_, next)| next == '\'') => {
                    characters.next();
                    label.push('\'');
                }
                (index, '\'') => break inner.get(index + 1..)?,
                (_, character) => label.push(character),
            }
        };
        labels.push(label.into());
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    rest.is_empty().then_some(labels)
}

impl fmt::Display for ColumnType {
    /// As MySQL 8 writes it, without display widths.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = |unsigned: &bool| if *unsigned { " unsigned" } else { "" };
        let list = |labels: &[Box<str>]| {
            labels
                .iter()
                .map(|label| format!("'{}'", label.replace('\'', "''")))
                .collect::<Vec<_>>()
                .join(",")
        };
        let fraction = |decimals: &u8| match decimals {
            0 => String::new(),
            decimals => format!("({decimals})"),
        };
        match self {
            ColumnType::Int { bits, unsigned } => {
                let name = match bits {
                    8 => "tinyint",
                    16 => "smallint",
                    24 => "mediumint",
                    32 => "int",
                    _ => "bigint",
                };
                write!(f, "{name}{}", sign(unsigned))
            }
            ColumnType::Decimal { precision, scale, unsigned } => {
                write!(f, "decimal({precision},{scale}){}", sign(unsigned))
            }
            ColumnType::Float { unsigned } => write!(f, "float{}", sign(unsigned)),
            ColumnType::Double { unsigned } => write!(f, "double{}", sign(unsigned)),
            ColumnType::Bit { width } => write!(f, "bit({width})"),
            ColumnType::Year => f.write_str("year"),
            ColumnType::Date => f.write_str("date"),
            ColumnType::Time { decimals } => write!(f, "time{}", fraction(decimals)),
            ColumnType::DateTime { decimals } => write!(f, "datetime{}", fraction(decimals)),
            ColumnType::Timestamp { decimals } => write!(f, "timestamp{}", fraction(decimals)),
            ColumnType::Char { length, .. } => write!(f, "char({length})"),
            ColumnType::VarChar { length, .. } => write!(f, "varchar({length})"),
            ColumnType::Text { bytes, .. } => {
                f.write_str(sized(*bytes, ["tinytext", "text", "mediumtext", "longtext"]))
            }
            ColumnType::Binary { length } => write!(f, "binary({length})"),
            ColumnType::VarBinary { length } => write!(f, "varbinary({length})"),
            ColumnType::Blob { bytes } => {
                f.write_str(sized(*bytes, ["tinyblob", "blob", "mediumblob", "longblob"]))
            }
            ColumnType::Enum { labels, .. } => write!(f, "enum({})", list(labels)),
            ColumnType::Set { labels, .. } => write!(f, "set({})", list(labels)),
            ColumnType::Json => f.write_str("json"),
            ColumnType::Other(name) => f.write_str(name),
        }
    }
}

fn sized(bytes: u32, names: [&'static str; 4]) -> &'static str {
    let [tiny, plain, medium, long] = names;
    match bytes {
        0..=255 => tiny,
        256..=65_535 => plain,
        65_536..=16_777_215 => medium,
        _ => long,
    }
}
