//! How long a character is in the client character sets whose later bytes may look like ASCII.
//!
//! Owns: which character sets need it, and the length of the character at a position. Never:
//! converts text from one character set to another.
//!
//! In gbk, big5, sjis, cp932 and gb18030 the second byte of a character may be a backslash or a
//! backtick, so a lexer that walks bytes would end a string too early or too late. All other
//! character sets that MySQL accepts as `character_set_client` (UTF-8, latin1, ujis, euckr,
//! gb2312, …) keep ASCII bytes for ASCII characters. ucs2, utf16 and utf32 are not accepted by
//! MySQL as a client character set.

/// What the lexer must know of `character_set_client`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum CharsetClass {
    /// Every byte below 0x80 is that ASCII character.
    #[default]
    AsciiSafe,
    Gbk,
    Big5,
    /// sjis and cp932.
    Sjis,
    Gb18030,
}

impl CharsetClass {
    /// The class of a MySQL character set's name (`utf8mb4`, `gbk`, …), in any case.
    pub fn of(character_set: &str) -> Self {
        match character_set.to_ascii_lowercase().as_str() {
            "gbk" => CharsetClass::Gbk,
            "big5" => CharsetClass::Big5,
            "sjis" | "cp932" => CharsetClass::Sjis,
            "gb18030" => CharsetClass::Gb18030,
            _ => CharsetClass::AsciiSafe,
        }
    }

    /// The length in bytes of the multi-byte character that starts `bytes`, or 1 where there is
    /// none (ASCII, a broken sequence, or a class in which it doesn't matter).
    #[inline]
    pub fn char_len(self, bytes: &[u8]) -> usize {
        if self == CharsetClass::AsciiSafe {
            return 1;
        }
        let (Some(&lead), Some(&trail)) = (bytes.first(), bytes.get(1)) else { return 1 };
        if lead < 0x80 {
            return 1;
        }
        let two = match self {
            CharsetClass::AsciiSafe => false,
            CharsetClass::Gbk => {
                (0x81..=0xFE).contains(&lead) && matches!(trail, 0x40..=0x7E | 0x80..=0xFE)
            }
            CharsetClass::Big5 => {
                (0xA1..=0xF9).contains(&lead) && matches!(trail, 0x40..=0x7E | 0xA1..=0xFE)
            }
            CharsetClass::Sjis => {
                matches!(lead, 0x81..=0x9F | 0xE0..=0xFC)
                    && matches!(trail, 0x40..=0x7E | 0x80..=0xFC)
            }
            CharsetClass::Gb18030 => {
                if !(0x81..=0xFE).contains(&lead) {
                    false
                } else if matches!(trail, 0x30..=0x39) {
                    let four = matches!(bytes.get(2), Some(0x81..=0xFE))
                        && matches!(bytes.get(3), Some(0x30..=0x39));
                    return if four { 4 } else { 1 };
                } else {
                    matches!(trail, 0x40..=0x7E | 0x80..=0xFE)
                }
            }
        };
        if two { 2 } else { 1 }
    }
}
