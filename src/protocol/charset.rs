//! Collations: what an id means.
//!
//! Owns: the table of ids of MySQL 9 and MariaDB 10.11 ([`crate::protocol::charset_table`]), and
//! what follows from an id: charset, widest character, pad attribute, and whether a character's
//! second byte may look like a backslash. Never: converts or compares text.

use crate::protocol::charset_table::{MARIADB, MYSQL};

pub const LATIN1_SWEDISH_CI: u16 = 8;
pub const UTF8MB3_GENERAL_CI: u16 = 33;
pub const UTF8MB4_GENERAL_CI: u16 = 45;
pub const BINARY: u16 = 63;
pub const UTF8MB4_0900_AI_CI: u16 = 255;

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
    /// True for the charset's default.
    pub is_default: bool,
}

impl Collation {
    /// The collation of an id; MySQL's meaning first where both servers use the id.
    pub fn by_id(id: u16) -> Option<&'static Collation> {
        find(MYSQL, id).or_else(|| find(MARIADB, id))
    }

    /// The collation of a name, in any case.
    pub fn by_name(name: &str) -> Option<&'static Collation> {
        MYSQL.iter().chain(MARIADB).find(|collation| collation.name.eq_ignore_ascii_case(name))
    }

    /// A charset's default collation. `utf8` means utf8mb3.
    pub fn default_of(charset: &str) -> Option<&'static Collation> {
        let charset = if charset.eq_ignore_ascii_case("utf8") { "utf8mb3" } else { charset };
        MYSQL
            .iter()
            .chain(MARIADB)
            .find(|collation| collation.is_default && collation.charset.eq_ignore_ascii_case(charset))
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

fn find(table: &'static [Collation], id: u16) -> Option<&'static Collation> {
    table.binary_search_by_key(&id, |collation| collation.id).ok().and_then(|at| table.get(at))
}

/// The collation id of a login: 16 bits where they name a collation, else the low 8, which is all
/// that the protocol's description promises.
pub fn login_collation(raw: u16) -> u16 {
    if raw > 0xff && Collation::by_id(raw).is_none() { raw & 0xff } else { raw }
}
