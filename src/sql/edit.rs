//! Changing a statement's text at places.
//!
//! Owns: putting texts into byte ranges. Never: decides where.

use std::ops::Range;

/// `sql` with each range replaced by its text. Ranges don't overlap; two texts for one place come in
/// the order in which they are given.
pub fn edited(sql: &[u8], mut edits: Vec<(Range<usize>, String)>) -> Vec<u8> {
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let more: usize = edits.iter().map(|(_, text)| text.len()).sum();
    let mut out = Vec::with_capacity(sql.len() + more);
    let mut at = 0;
    for (range, text) in edits {
        out.extend_from_slice(sql.get(at..range.start).unwrap_or_default());
        out.extend_from_slice(text.as_bytes());
        at = range.end;
    }
    out.extend_from_slice(sql.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::edited;

    #[test]
    fn texts_go_to_their_places() {
        let edits =
            vec![(8..9, "two".to_owned()), (0..6, "S".to_owned()), (9..9, " AS n".to_owned())];
        assert_eq!(edited(b"SELECT, 2 end", edits), b"S, two AS n end");
        assert_eq!(edited(b"as it is", vec![]), b"as it is");
    }
}
