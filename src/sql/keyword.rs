//! The words that decide what is lifted.
//!
//! Owns: telling them from names, fast and blind to case. Never: all of MySQL's keywords; a word
//! that means nothing to the template is [`Keyword::None`].

/// What a word means to the template's walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    None,
    Select,
    From,
    /// WHERE, HAVING, ON, SET: literals behind it are lifted.
    Condition,
    By,
    Limit,
    /// MariaDB's INSERT … RETURNING: a select list.
    Returning,
    Into,
    Values,
    Value,
    /// UNION, EXCEPT, INTERSECT, MINUS.
    Union,
    In,
    As,
    /// A string behind it is a name or a part of the grammar: COLLATE, ESCAPE, SEPARATOR, …
    KeepsString,
    /// Numbers in parentheses behind it are lengths or precisions.
    Type,
    /// AND, OR, LIKE …: makes the parsed tree higher.
    Operator,
    Case,
    /// WHEN, THEN, ELSE.
    When,
    End,
    Date,
    Time,
    Timestamp,
    /// FIELD, FIND_IN_SET: lifted also in ORDER BY.
    Field,
    Against,
    JsonTable,
    Null,
    Default,
    True,
    False,
    Insert,
    Update,
    Delete,
    /// EXPLAIN, DESCRIBE, DESC, ANALYZE.
    Explain,
    With,
    Table,
    Row,
    Create,
    Begin,
    /// Words between INSERT and the table's name.
    InsertModifier,
}

const WORDS: &[(&str, Keyword)] = &[
    ("SELECT", Keyword::Select),
    ("FROM", Keyword::From),
    ("WHERE", Keyword::Condition),
    ("HAVING", Keyword::Condition),
    ("ON", Keyword::Condition),
    ("SET", Keyword::Condition),
    ("BY", Keyword::By),
    ("LIMIT", Keyword::Limit),
    ("RETURNING", Keyword::Returning),
    ("INTO", Keyword::Into),
    ("VALUES", Keyword::Values),
    ("VALUE", Keyword::Value),
    ("UNION", Keyword::Union),
    ("EXCEPT", Keyword::Union),
    ("INTERSECT", Keyword::Union),
    ("MINUS", Keyword::Union),
    ("IN", Keyword::In),
    ("AS", Keyword::As),
    ("COLLATE", Keyword::KeepsString),
    ("ESCAPE", Keyword::KeepsString),
    ("SEPARATOR", Keyword::KeepsString),
    ("USING", Keyword::KeepsString),
    ("CHARSET", Keyword::KeepsString),
    ("CHARACTER", Keyword::KeepsString),
    ("OUTFILE", Keyword::KeepsString),
    ("DUMPFILE", Keyword::KeepsString),
    ("CHAR", Keyword::Type),
    ("VARCHAR", Keyword::Type),
    ("NCHAR", Keyword::Type),
    ("NVARCHAR", Keyword::Type),
    ("BINARY", Keyword::Type),
    ("VARBINARY", Keyword::Type),
    ("DECIMAL", Keyword::Type),
    ("DEC", Keyword::Type),
    ("FIXED", Keyword::Type),
    ("NUMERIC", Keyword::Type),
    ("FLOAT", Keyword::Type),
    ("DOUBLE", Keyword::Type),
    ("REAL", Keyword::Type),
    ("PRECISION", Keyword::Type),
    ("INT", Keyword::Type),
    ("INTEGER", Keyword::Type),
    ("BIGINT", Keyword::Type),
    ("SMALLINT", Keyword::Type),
    ("TINYINT", Keyword::Type),
    ("MEDIUMINT", Keyword::Type),
    ("SIGNED", Keyword::Type),
    ("UNSIGNED", Keyword::Type),
    ("BIT", Keyword::Type),
    ("BLOB", Keyword::Type),
    ("TEXT", Keyword::Type),
    ("DATETIME", Keyword::Type),
    ("NOW", Keyword::Type),
    ("SYSDATE", Keyword::Type),
    ("CURTIME", Keyword::Type),
    ("CURRENT_TIME", Keyword::Type),
    ("CURRENT_TIMESTAMP", Keyword::Type),
    ("LOCALTIME", Keyword::Type),
    ("LOCALTIMESTAMP", Keyword::Type),
    ("UTC_TIME", Keyword::Type),
    ("UTC_TIMESTAMP", Keyword::Type),
    ("WEIGHT_STRING", Keyword::Type),
    ("AND", Keyword::Operator),
    ("OR", Keyword::Operator),
    ("XOR", Keyword::Operator),
    ("NOT", Keyword::Operator),
    ("LIKE", Keyword::Operator),
    ("REGEXP", Keyword::Operator),
    ("RLIKE", Keyword::Operator),
    ("IS", Keyword::Operator),
    ("BETWEEN", Keyword::Operator),
    ("DIV", Keyword::Operator),
    ("MOD", Keyword::Operator),
    ("SOUNDS", Keyword::Operator),
    ("MEMBER", Keyword::Operator),
    ("INTERVAL", Keyword::Operator),
    ("CASE", Keyword::Case),
    ("WHEN", Keyword::When),
    ("THEN", Keyword::When),
    ("ELSE", Keyword::When),
    ("END", Keyword::End),
    ("DATE", Keyword::Date),
    ("TIME", Keyword::Time),
    ("TIMESTAMP", Keyword::Timestamp),
    ("FIELD", Keyword::Field),
    ("FIND_IN_SET", Keyword::Field),
    ("AGAINST", Keyword::Against),
    ("JSON_TABLE", Keyword::JsonTable),
    ("NULL", Keyword::Null),
    ("DEFAULT", Keyword::Default),
    ("TRUE", Keyword::True),
    ("FALSE", Keyword::False),
    ("INSERT", Keyword::Insert),
    ("REPLACE", Keyword::Insert),
    ("UPDATE", Keyword::Update),
    ("DELETE", Keyword::Delete),
    ("EXPLAIN", Keyword::Explain),
    ("DESCRIBE", Keyword::Explain),
    ("DESC", Keyword::Explain),
    ("ANALYZE", Keyword::Explain),
    ("WITH", Keyword::With),
    ("TABLE", Keyword::Table),
    ("ROW", Keyword::Row),
    ("CREATE", Keyword::Create),
    ("BEGIN", Keyword::Begin),
    ("IGNORE", Keyword::InsertModifier),
    ("LOW_PRIORITY", Keyword::InsertModifier),
    ("HIGH_PRIORITY", Keyword::InsertModifier),
    ("DELAYED", Keyword::InsertModifier),
];

const BUCKETS: usize = 1024;

/// Open addressing over [`WORDS`]: 0 is an empty bucket, n the word n-1.
static INDEX: [u8; BUCKETS] = index();

/// By the first two letters, the last one and the length: cheap, and almost without collisions
/// among the words here. Capitals and small letters fall together.
const fn bucket(first: u8, second: u8, last: u8, length: usize) -> usize {
    let (first, second, last) = (first & 0xDF, second & 0xDF, last & 0xDF);
    let mixed =
        (first as usize) * 67 + (second as usize) * 131 + (last as usize) * 29 + length * 263;
    mixed % BUCKETS
}

const fn index() -> [u8; BUCKETS] {
    let mut table = [0u8; BUCKETS];
    let mut n = 0;
    while n < WORDS.len() {
        let word = WORDS[n].0.as_bytes();
        let mut at = bucket(word[0], word[1], word[word.len() - 1], word.len());
        while table[at] != 0 {
            at = (at + 1) % BUCKETS;
        }
        table[at] = n as u8 + 1;
        n += 1;
    }
    table
}

/// The keyword that `word` is, in any case.
#[inline]
pub(super) fn keyword(word: &[u8]) -> Keyword {
    let &[first, second, .., last] = word else {
        return if word.len() == 2 { two_letters(word) } else { Keyword::None };
    };
    find(word, bucket(first, second, last, word.len()))
}

fn two_letters(word: &[u8]) -> Keyword {
    let &[first, second] = word else { return Keyword::None };
    find(word, bucket(first, second, second, 2))
}

#[inline]
fn find(word: &[u8], mut at: usize) -> Keyword {
    while let Some((text, keyword)) = (INDEX[at] as usize).checked_sub(1).and_then(|n| WORDS.get(n))
    {
        if word.len() == text.len() && word.eq_ignore_ascii_case(text.as_bytes()) {
            return *keyword;
        }
        at = (at + 1) % BUCKETS;
    }
    Keyword::None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_in_any_case() {
        for (text, expected) in WORDS {
            assert_eq!(keyword(text.as_bytes()), *expected, "{text}");
            assert_eq!(keyword(text.to_lowercase().as_bytes()), *expected, "{text}");
        }
        for name in ["", "id", "selects", "sel", "current_timestamps", "find_in_sets"] {
            assert_eq!(keyword(name.as_bytes()), Keyword::None, "{name}");
        }
    }
}
