//! Collations: what an id means.
//!
//! Owns: the table of ids of MySQL 9.7 and MariaDB 10.11 (`collations.tsv`, as the servers list
//! them), and what follows from an id: charset, widest character, pad attribute, and whether a
//! character's second byte may look like a backslash. Never: converts or compares text.

use std::sync::LazyLock;

pub const LATIN1_SWEDISH_CI: u16 = 8;
pub const UTF8MB3_GENERAL_CI: u16 = 33;
pub const UTF8MB4_GENERAL_CI: u16 = 45;
pub const BINARY: u16 = 63;
pub const UTF8MB4_0900_AI_CI: u16 = 255;

/// Whose table an id or a default is looked up in: five ids mean different collations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    MySql,
    MariaDb,
}

/// How a collation treats spaces at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pad {
    /// They don't count: `'a' = 'a '`.
    PadSpace,
    NoPad,
}

/// One collation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collation {
    pub id: u16,
    pub name: &'static str,
    pub charset: &'static str,
    /// Bytes of the charset's widest character.
    pub max_bytes: u8,
    pub pad: Pad,
    /// True for the charset's default in this family.
    pub is_default: bool,
}

struct Tables {
    mysql: Vec<Collation>,
    mariadb: Vec<Collation>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let mut tables = Tables { mysql: Vec::new(), mariadb: Vec::new() };
    for line in include_str!("collations.tsv").lines() {
        let Some((collation, servers)) = parse_line(line) else { continue };
        for server in servers.chars() {
            let entry = Collation { is_default: server.is_ascii_uppercase(), ..collation };
            match server {
                'y' | 'Y' => tables.mysql.push(entry),
                _ => tables.mariadb.push(entry),
            }
        }
    }
    tables
});

/// `None` for a comment; a test counts the lines, so that a damaged one can't hide.
fn parse_line(line: &'static str) -> Option<(Collation, &'static str)> {
    let mut fields = line.split('\t');
    let collation = Collation {
        id: fields.next()?.parse().ok()?,
        name: fields.next()?,
        charset: fields.next()?,
        max_bytes: fields.next()?.parse().ok()?,
        pad: if fields.next()? == "N" { Pad::NoPad } else { Pad::PadSpace },
        is_default: false,
    };
    Some((collation, fields.next()?))
}

impl Family {
    /// All collations of the family, by rising id.
    pub fn collations(self) -> &'static [Collation] {
        match self {
            Family::MySql => &TABLES.mysql,
            Family::MariaDb => &TABLES.mariadb,
        }
    }

    /// The collation of an id.
    pub fn by_id(self, id: u16) -> Option<&'static Collation> {
        let table = self.collations();
        table.binary_search_by_key(&id, |collation| collation.id).ok().and_then(|at| table.get(at))
    }

    /// The collation of a name, in any case. `utf8_…` means `utf8mb3_…`.
    pub fn by_name(self, name: &str) -> Option<&'static Collation> {
        let modern = modern_name(name);
        self.collations().iter().find(|collation| collation.name.eq_ignore_ascii_case(&modern))
    }

    /// A charset's default collation. `utf8` means utf8mb3.
    pub fn default_of(self, charset: &str) -> Option<&'static Collation> {
        let charset = if charset.eq_ignore_ascii_case("utf8") { "utf8mb3" } else { charset };
        self.collations().iter().find(|collation| {
            collation.is_default && collation.charset.eq_ignore_ascii_case(charset)
        })
    }
}

fn modern_name(name: &str) -> String {
    match name.split_at_checked(5) {
        Some((head, tail)) if head.eq_ignore_ascii_case("utf8_") => format!("utf8mb3_{tail}"),
        _ => name.to_owned(),
    }
}

impl Collation {
    /// The collation of an id in either family, MySQL's meaning first.
    pub fn by_id(id: u16) -> Option<&'static Collation> {
        Family::MySql.by_id(id).or_else(|| Family::MariaDb.by_id(id))
    }

    /// The collation of a name in either family, MySQL's first.
    pub fn by_name(name: &str) -> Option<&'static Collation> {
        Family::MySql.by_name(name).or_else(|| Family::MariaDb.by_name(name))
    }

    /// True where the second byte of a character may be 0x5C, so that a lexer which knows only
    /// ASCII would take it for a backslash.
    pub fn has_backslash_trail(&self) -> bool {
        matches!(self.charset, "big5" | "cp932" | "gb18030" | "gbk" | "sjis")
    }

    /// False for charsets that MySQL refuses as `character_set_client`: ASCII isn't one byte there.
    pub fn may_be_client(&self) -> bool {
        !matches!(self.charset, "ucs2" | "utf16" | "utf16le" | "utf32")
    }
}

/// The collation id of a login: 16 bits where they name a collation, else the low 8, which is all
/// that the protocol's description promises.
pub fn login_collation(raw: u16) -> u16 {
    if raw > 0xff && Collation::by_id(raw).is_none() { raw & 0xff } else { raw }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_whole_and_sorted() {
        let lines = include_str!("collations.tsv").lines().filter(|line| !line.starts_with('#'));
        assert!(lines.clone().all(|line| parse_line(line).is_some()));
        assert_eq!(Family::MySql.collations().len(), 286);
        assert_eq!(Family::MariaDb.collations().len(), 1242);
        for family in [Family::MySql, Family::MariaDb] {
            assert!(family.collations().is_sorted_by(|a, b| a.id < b.id));
        }
    }

    #[test]
    fn ids_mean_what_the_servers_say() {
        let name = |id| Collation::by_id(id).map(|collation| (collation.name, collation.pad));
        assert_eq!(name(255), Some(("utf8mb4_0900_ai_ci", Pad::NoPad)));
        assert_eq!(name(45), Some(("utf8mb4_general_ci", Pad::PadSpace)));
        assert_eq!(name(63), Some(("binary", Pad::NoPad)));
        assert_eq!(name(2304), Some(("utf8mb4_uca1400_ai_ci", Pad::PadSpace)));
        assert_eq!(name(65_000), None);
        assert_eq!(Family::MariaDb.by_id(255), None);
        let croatian = |family: Family| family.by_id(245).map(|collation| collation.name);
        assert_eq!(croatian(Family::MySql), Some("utf8mb4_croatian_ci"));
        assert_eq!(croatian(Family::MariaDb), Some("utf8mb4_croatian_mysql561_ci"));
    }

    #[test]
    fn defaults_differ_by_family() {
        let default = |family: Family| family.default_of("UTF8MB4").map(|collation| collation.id);
        assert_eq!(default(Family::MySql), Some(UTF8MB4_0900_AI_CI));
        assert_eq!(default(Family::MariaDb), Some(UTF8MB4_GENERAL_CI));
        assert_eq!(Family::MySql.default_of("utf8").map(|c| c.id), Some(UTF8MB3_GENERAL_CI));
        assert_eq!(Collation::by_name("UTF8_bin").map(|c| c.id), Some(83));
    }

    #[test]
    fn backslash_trails() {
        let trail = |id| Collation::by_id(id).map(Collation::has_backslash_trail);
        assert_eq!(trail(28), Some(true)); // gbk
        assert_eq!(trail(248), Some(true)); // gb18030
        assert_eq!(trail(24), Some(false)); // gb2312: trail bytes begin at 0xA1
        assert_eq!(trail(UTF8MB4_GENERAL_CI), Some(false));
    }

    #[test]
    fn login_ids_of_8_and_16_bits() {
        assert_eq!(login_collation(45), 45);
        assert_eq!(login_collation(255), 255);
        assert_eq!(login_collation(309), 309); // utf8mb4_0900_bin
        assert_eq!(login_collation(0xff2d), 45); // rubbish above the low byte
    }
}
