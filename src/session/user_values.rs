//! What a server made of user variables, in words that make the same on any connection.
//!
//! Owns: reading them back from the connection that set them: type, exact value, character set and
//! collation. Never: decides what is assigned.
//!
//! A variable holds NULL, an integer with or without sign, a decimal with its digits, a double, or a
//! string with its collation; on MariaDB a geometry, too. A FLOAT became a double and a date a string as it was set.

use crate::backend::pool::Lent;
use crate::backend::state::{State, quote};
use crate::error::{Error, Result};
use crate::protocol::field::FieldType;
use crate::session::own::rows;
use crate::session::sql_prepared;

/// The longest value of a user variable that is kept, in bytes.
pub(super) const MAX_VALUE: usize = 64 << 10;

const VAR_STRING: u8 = 0xfd;
const GEOMETRY: u8 = 0xff;

/// The code of the error for a longer one.
pub(super) const TOO_LONG: &str = "user_variable_size";

/// A name as it stands in a statement.
pub(super) fn quoted(name: &str) -> String {
    format!("@`{}`", name.replace('`', "``"))
}

/// Reads user variables back, as the texts that set them again.
///
/// # Errors
/// One is longer than [`MAX_VALUE`], or the server can't be asked.
pub(super) async fn user_values(
    lent: &mut Lent,
    names: &[String],
    state: &mut State,
) -> Result<()> {
    let values = read_values(lent, names).await?.into_iter().collect::<Result<Vec<_>>>()?;
    for (name, value) in names.iter().zip(values) {
        state.set_user_variable(name, value.as_deref());
    }
    Ok(())
}

/// The text that sets a user variable again; `None` for NULL without a type.
pub(super) type Kept = Result<Option<Vec<u8>>>;

/// The same without a state: a text for each name, or why it can't be kept.
///
/// # Errors
/// The server can't be asked.
pub(super) async fn read_values(lent: &mut Lent, names: &[String]) -> Result<Vec<Kept>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    // The value as its type has it, and as the bytes of a string.
    let asked = |name: &String| {
        let name = quoted(name);
        format!("{name},CAST({name} AS BINARY),CHARSET({name}),COLLATION({name})")
    };
    let list: Vec<String> = names.iter().map(asked).collect();
    let found = rows(lent, format!("SELECT {} LIMIT 1", list.join(",")).as_bytes()).await?;
    let row = found.rows.first().ok_or_else(|| Error::internal("user variables without a row"))?;
    let text = |(place, name): (usize, &String)| {
        let at = place * 4;
        let (field_type, _, unsigned) =
            found.columns.get(at).copied().unwrap_or((FieldType(0xfd), 63, false));
        let value = |offset: usize| row.get(at + offset).and_then(|value| value.as_deref());
        match (value(0), value(1)) {
            (None, _) => null(field_type, unsigned, value(2), value(3)),
            // Longer than the server's own packets.
            (Some(_), None) => Err(too_long(name)),
            (Some(_), Some(bytes)) if bytes.len() > MAX_VALUE => Err(too_long(name)),
            (Some(_), Some(bytes)) if field_type.0 == GEOMETRY => Ok(Some(geometry(bytes))),
            (Some(shown), Some(bytes)) => match number(shown, field_type, unsigned) {
                Some(number) => Ok(Some(number)),
                None => string(bytes, value(2), value(3)).map(Some),
            },
        }
    };
    Ok(names.iter().enumerate().map(text).collect())
}

/// NULL of a number's or a string's type; `None` for that of a variable never set, where it shows.
fn null(
    field_type: FieldType,
    unsigned: bool,
    charset: Option<&[u8]>,
    collation: Option<&[u8]>,
) -> Result<Option<Vec<u8>>> {
    let number = match () {
        () if field_type.is_integer() && unsigned => "CAST(NULL AS UNSIGNED)",
        () if field_type.is_integer() => "CAST(NULL AS SIGNED)",
        () if field_type.is_decimal() => "CAST(NULL AS DECIMAL)",
        () if is_double(field_type) => "NULL+0e0",
        // MySQL's that was never set.
        () if field_type.0 == VAR_STRING && charset == Some(b"binary") => return Ok(None),
        // NULL alone would leave the type that the variable had before.
        () if charset.is_none_or(|name| name == b"binary") => "CAST(NULL AS BINARY)",
        () => {
            let empty = string(b"", charset, collation)?;
            return Ok(Some([b"NULLIF(".as_slice(), &empty, b",'')"].concat()));
        }
    };
    Ok(Some(number.into()))
}

/// Which of the types that a variable can have a kept text is of.
pub(super) fn kind(text: &[u8]) -> u8 {
    match text {
        [b'\'' | b'_' | b'S', ..] | [b'C', b'O', ..] | [b'N', b'U', b'L', b'L', b'I', ..] => b's',
        [b'C', ..] if text.ends_with(b"BINARY)") => b's',
        [b'C', ..] if text.ends_with(b"DECIMAL)") => b'd',
        [b'C', ..] => b'i',
        _ if text.contains(&b'e') => b'e',
        _ if text.contains(&b'.') => b'd',
        _ => b'i',
    }
}

/// Whether a text that is kept is NULL of a type.
pub(super) fn is_null(text: &[u8]) -> bool {
    [b"CAST(NULL".as_slice(), b"NULL", b"NULLIF("].iter().any(|start| text.starts_with(start))
}

fn too_long(name: &str) -> Error {
    Error::limit(1105, TOO_LONG, format!("The value of @{name} is longer than {MAX_VALUE} bytes"))
}

/// A number's text; `None` where it is none.
fn number(shown: &[u8], field_type: FieldType, unsigned: bool) -> Option<Vec<u8>> {
    Some(if field_type.is_integer() && unsigned {
        let (before, behind) = sql_prepared::UNSIGNED;
        [before.as_bytes(), shown, behind.as_bytes()].concat()
    } else if is_double(field_type) && !shown.contains(&b'e') {
        // Without an exponent it would be read as a decimal number.
        [shown, b"e0".as_slice()].concat()
    } else if field_type.is_decimal() && !shown.contains(&b'.') {
        // Without a point it would be read as an integer.
        [shown, b".".as_slice()].concat()
    } else if field_type.is_integer() || field_type.is_decimal() || is_double(field_type) {
        shown.to_vec()
    } else {
        return None;
    })
}

fn is_double(field_type: FieldType) -> bool {
    matches!(field_type.0, 4 | 5)
}

/// A geometry's text: MariaDB's variables know one from other bytes. As a value it is its spatial
/// reference, four bytes, and its well-known binary form.
fn geometry(bytes: &[u8]) -> Vec<u8> {
    let (reference, form) = bytes.split_at_checked(4).unwrap_or_default();
    let reference = reference.try_into().map_or(0, u32::from_le_bytes);
    let digits: String = form.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("ST_GeomFromWKB(0x{digits},{reference})").into_bytes()
}

/// A string's text in its own character set and collation.
fn string(bytes: &[u8], charset: Option<&[u8]>, collation: Option<&[u8]>) -> Result<Vec<u8>> {
    let known = |name: Option<&[u8]>| {
        let name = name.and_then(|name| std::str::from_utf8(name).ok());
        // It is written into statements.
        let plain = |name: &&str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        name.filter(plain)
            .map(str::to_owned)
            .ok_or_else(|| Error::internal("a user variable of an unknown collation"))
    };
    let (charset, collation) = (known(charset)?, known(collation)?);
    let text = introduced(bytes, &charset);
    Ok(match charset.as_str() {
        "binary" => text,
        _ => [&text, b" COLLATE ".as_slice(), collation.as_bytes()].concat(),
    })
}

/// A literal whose introducer names its character set.
pub(super) fn introduced(bytes: &[u8], charset: &str) -> Vec<u8> {
    match bytes.iter().all(|&b| (0x20..0x7f).contains(&b) && b != b'\'' && b != b'\\') {
        true => [b"_", charset.as_bytes(), b"'", bytes, b"'"].concat(),
        false => quote(bytes, charset),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_types() {
        let written = |shown: &str, field_type, unsigned| {
            number(shown.as_bytes(), FieldType(field_type), unsigned)
                .map(|text| String::from_utf8(text).unwrap())
        };
        assert_eq!(written("5", 8, false).as_deref(), Some("5"));
        assert_eq!(written("5", 8, true).as_deref(), Some("CAST(5 AS UNSIGNED)"));
        assert_eq!(written("133.333333333", 0xf6, false).as_deref(), Some("133.333333333"));
        assert_eq!(written("7", 0xf6, false).as_deref(), Some("7."));
        assert_eq!(written("0.1", 5, false).as_deref(), Some("0.1e0"));
        assert_eq!(written("1e20", 5, false).as_deref(), Some("1e20"));
        assert_eq!(written("5", 0xfd, false), None);
    }

    #[test]
    fn kept_texts_show_their_types() {
        for (text, expected) in [
            ("5", b'i'),
            ("CAST(5 AS UNSIGNED)", b'i'),
            ("CAST(NULL AS SIGNED)", b'i'),
            ("CAST(NULL AS DECIMAL)", b'd'),
            ("7.", b'd'),
            ("1e0", b'e'),
            ("NULL+0e0", b'e'),
            ("'1e5'", b's'),
            ("_utf8mb4 0x61 COLLATE utf8mb4_bin", b's'),
            ("NULLIF(_latin1'' COLLATE latin1_bin,'')", b's'),
        ] {
            assert_eq!(kind(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn strings_keep_their_collations() {
        let written = |bytes: &[u8], charset: &str, collation: &str| {
            let made = string(bytes, Some(charset.as_bytes()), Some(collation.as_bytes()));
            String::from_utf8(made.unwrap()).unwrap()
        };
        assert_eq!(written(b"ab", "latin1", "latin1_bin"), "_latin1'ab' COLLATE latin1_bin");
        assert_eq!(written(b"\xe4", "latin1", "latin1_bin"), "_latin1 0xE4 COLLATE latin1_bin");
        assert_eq!(written(b"ab", "binary", "binary"), "_binary'ab'");
        assert!(string(b"", Some(b"x' y"), Some(b"binary")).is_err());
        assert!(string(b"", None, Some(b"binary")).is_err());
    }
}
