//! The names of items without an alias: their own texts.
//!
//! Owns: how much of a long text is written as an alias in its stead. Never: decides which items are
//! named.

/// Characters that servers keep of a column's name, or more: they cut longer ones, and an alias as
/// they cut a text that nobody named.
const KEPT: usize = 256;

/// How many bytes of an item's text its alias needs: at least [`KEPT`] characters of it, cut behind a
/// byte that ends a character in every character set.
pub fn length(text: &[u8]) -> usize {
    let first = match std::str::from_utf8(text) {
        Ok(read) => read.char_indices().nth(KEPT).map(|(at, _)| at),
        // Four bytes are the longest character.
        Err(_) => Some(4 * KEPT),
    };
    let from = first.unwrap_or(text.len()).min(text.len());
    let rest = text.get(from..).unwrap_or_default();
    let ascii = rest.iter().position(u8::is_ascii);
    ascii.map_or(text.len(), |behind| from + behind + 1)
}

#[cfg(test)]
mod tests {
    use super::length;

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(length(b"a + 1"), 5);
        assert_eq!(length("x".repeat(300).as_bytes()), 257);
        let long = format!("'{}' + 1", "ü".repeat(300));
        assert_eq!(length(long.as_bytes()), 602);
        let mut latin = vec![0xfc; 2000];
        latin.extend(b"' + 1");
        assert_eq!(length(&latin), 2001);
    }
}
