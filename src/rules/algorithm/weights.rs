//! The weights of collations: which characters a server calls equal.
//!
//! Owns: the shipped tables and the weights of a text. Never: orders texts, or guesses the weight
//! of a character that the table leaves out (combining marks, scripts with contractions).
//!
//! The tables were taken from real servers' WEIGHT_STRING; a test compares them with the servers
//! that it runs against. Accent-insensitive collations have one level, so equal weights mean equal.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::value::types::Collation;

/// One collation's weights.
#[derive(Debug)]
pub struct WeightTable {
    /// Ranges of code points in ascending order.
    runs: Vec<Run>,
    /// Trailing weights of a space don't count.
    pads: bool,
}

#[derive(Debug)]
struct Run {
    from: u32,
    to: u32,
    /// Most have one, ligatures several, ignorable characters none.
    weights: Vec<u16>,
    /// The last weight grows by one with each code point.
    grows: bool,
}

/// Collations with a table, each by the names that share it.
const SHIPPED: [(&[&str], &str); 4] = [
    (&["utf8mb4_general_ci", "utf8mb3_general_ci"], include_str!("weights/utf8mb4_general_ci.txt")),
    (&["utf8mb4_unicode_ci", "utf8mb3_unicode_ci"], include_str!("weights/utf8mb4_unicode_ci.txt")),
    (&["utf8mb4_0900_ai_ci"], include_str!("weights/utf8mb4_0900_ai_ci.txt")),
    (&["latin1_swedish_ci"], include_str!("weights/latin1_swedish_ci.txt")),
];

static TABLES: LazyLock<HashMap<&str, WeightTable>> = LazyLock::new(|| {
    let mut tables = HashMap::new();
    for (names, text) in SHIPPED {
        for name in names {
            let pads = Collation::new(name).pads_spaces();
            tables.insert(*name, WeightTable { runs: read(text), pads });
        }
    }
    tables
});

/// The table of a collation, `None` where none is shipped.
pub fn table(collation: &Collation) -> Option<&'static WeightTable> {
    TABLES.get(collation.name())
}

/// The names of the collations with a table.
pub fn shipped() -> impl Iterator<Item = &'static str> + Clone {
    SHIPPED.iter().flat_map(|(names, _)| names.iter().copied())
}

/// Lines of `61-7A 0041+`: code points, weights in hex; lines that don't parse are left out, which
/// a test rules out.
fn read(text: &str) -> Vec<Run> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(read_run).collect()
}

fn read_run(line: &str) -> Option<Run> {
    let (points, weights) = line.split_once(' ')?;
    let (from, to) = points.split_once('-').unwrap_or((points, points));
    let (weights, grows) = match weights.strip_suffix('+') {
        Some(weights) => (weights, true),
        None => (weights, false),
    };
    let weights = if weights == "-" { "" } else { weights };
    let weights = (0..weights.len().div_ceil(4))
        .map(|index| u16::from_str_radix(weights.get(index * 4..index * 4 + 4)?, 16).ok())
        .collect::<Option<Vec<u16>>>()?;
    Some(Run {
        from: u32::from_str_radix(from, 16).ok()?,
        to: u32::from_str_radix(to, 16).ok()?,
        weights,
        grows,
    })
}

impl WeightTable {
    /// The weights of a text as bytes, big endian, without those of trailing spaces where the
    /// collation pads. `None` where a character has no entry.
    pub fn of(&self, text: &str) -> Option<Vec<u8>> {
        let mut weights: Vec<u16> = Vec::with_capacity(text.len());
        for character in text.chars() {
            self.push(character, &mut weights)?;
        }
        if self.pads {
            let mut space = Vec::new();
            self.push(' ', &mut space)?;
            while let (Some(last), [space]) = (weights.last(), space.as_slice()) {
                if last != space {
                    break;
                }
                weights.pop();
            }
        }
        Some(weights.iter().flat_map(|weight| weight.to_be_bytes()).collect())
    }

    fn push(&self, character: char, weights: &mut Vec<u16>) -> Option<()> {
        let point = u32::from(character);
        let index = self.runs.partition_point(|run| run.to < point);
        let run = self.runs.get(index).filter(|run| run.from <= point)?;
        weights.extend_from_slice(&run.weights);
        if let (true, Some(last)) = (run.grows, weights.last_mut()) {
            *last = last.checked_add(u16::try_from(point - run.from).ok()?)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_every_table_is_read_in_order() {
        for (names, text) in SHIPPED {
            let lines = text.lines().filter(|line| !line.starts_with('#')).count();
            let runs = read(text);
            assert_eq!(runs.len(), lines, "{names:?}");
            assert!(runs.windows(2).all(|pair| pair[0].to < pair[1].from), "{names:?}");
        }
    }

    /// Golden: taken from WEIGHT_STRING on MariaDB 10.11 and MySQL 9.7.
    #[test]
    fn weights_are_those_of_the_servers() {
        for (collation, text, weights) in [
            ("utf8mb4_general_ci", "aB", Some("00410042")),
            ("utf8mb4_general_ci", "ß ", Some("0053")),
            ("utf8mb4_general_ci", "é", Some("0045")),
            ("utf8mb4_general_ci", "\u{1F600}", Some("FFFD")),
            ("utf8mb4_0900_ai_ci", "ß", Some("1E711E71")),
            ("utf8mb4_0900_ai_ci", "ä ", Some("1C470209")),
            ("utf8mb4_0900_ai_ci", "漢", Some("FB40EF22")),
            ("utf8mb4_0900_ai_ci", "a\u{300}", None),
            ("utf8mb4_unicode_ci", "a  ", Some("0E33")),
            ("latin1_swedish_ci", "ä€", Some("005C0080")),
            ("latin1_swedish_ci", "漢", None),
        ] {
            let found = table(&Collation::new(collation)).unwrap().of(text);
            let found =
                found.map(|bytes| bytes.iter().map(|b| format!("{b:02X}")).collect::<String>());
            assert_eq!(found.as_deref(), weights, "{collation} {text}");
        }
    }
}
