//! Every reader of statements on the same bytes: none may panic, and what they say of places must
//! fit the statement. Shared by the fuzz targets and the plain tests.

use weir::sql::charset_scan::CharsetClass;
use weir::sql::classify::classify;
use weir::sql::lex::{Dialect, LexMode, Limits, ServerKind, tokens};
use weir::sql::template::{Lexed, Lexer, Segment};
use weir::sql::{hint, literal, mention, parse, set, show};

/// Smaller than the defaults, so that a fuzzer reaches them.
const LIMITS: Limits =
    Limits { bytes: 1 << 16, operators: 200, depth: 20, items: 5_000, slots: 500 };

/// The dialect that two bytes choose.
pub fn dialect(mode: u8, rest: u8) -> Dialect {
    let charset = match rest % 5 {
        0 => CharsetClass::AsciiSafe,
        1 => CharsetClass::Gbk,
        2 => CharsetClass::Big5,
        3 => CharsetClass::Sjis,
        _ => CharsetClass::Gb18030,
    };
    let maria = rest & 0x80 != 0;
    Dialect {
        mode: LexMode(mode & 0x3F),
        charset,
        server: if maria { ServerKind::MariaDb } else { ServerKind::MySql },
        version: if maria { 101_119 } else { 90_704 },
    }
}

/// Two bytes choose the dialect, the others are the statement.
pub fn take_apart(input: &[u8]) {
    let [mode, rest, statement @ ..] = input else { return };
    take_apart_as(statement, &dialect(*mode, *rest));
}

/// Takes all statements of a text apart.
pub fn take_apart_as(text: &[u8], dialect: &Dialect) {
    let lexer = Lexer::new(1, LIMITS);
    let mut lexed = Lexed::new();
    let mut from = 0;
    while let Some(sql) = text.get(from..) {
        if lexer.lex(sql, dialect, &mut lexed).is_err() {
            return;
        }
        places_fit(sql, &lexed);
        one(sql.get(..lexed.end()).unwrap_or_default(), &lexed, dialect);
        match lexed.rest() {
            Some(rest) => {
                assert!(rest > 0 && rest < sql.len(), "the rest is behind a semicolon");
                from += rest;
            }
            None => return,
        }
    }
}

fn one(sql: &[u8], lexed: &Lexed, dialect: &Dialect) {
    for item in lexed.all_items() {
        let _ = literal::read(sql, item, dialect);
    }
    let _ = parse::parse(sql, lexed, *dialect);
    let Ok(tokens) = tokens(sql, *dialect, &LIMITS) else { return };
    for token in &tokens {
        assert!(token.start < token.end && token.end as usize <= sql.len());
    }
    let classified = classify(sql, &tokens);
    assert!(classified.inner.is_none_or(|at| at < sql.len()));
    for range in classified.using {
        assert!(sql.get(range).is_some());
    }
    for mention in mention::mentioned_names(sql, &tokens) {
        assert!(sql.get(mention.range).is_some());
    }
    for mention in mention::table_names(sql, &tokens) {
        assert!(sql.get(mention.range).is_some());
    }
    for range in hint::parse(sql, &tokens, false).ranges {
        assert!(sql.get(range).is_some_and(|hint| hint.starts_with(b"/*")));
    }
    if let Ok(set) = set::parse(sql, &tokens, dialect) {
        for assignment in set.assignments {
            assert!(sql.get(assignment.range).is_some());
        }
    }
    if let Ok(show) = show::parse(sql, &tokens, dialect) {
        for range in [show.object_range, show.schema_clause, show.filter, show.limit] {
            assert!(range.is_none_or(|range| sql.get(range).is_some()));
        }
    }
}

/// The template's pieces put together are the statement, and offsets lead there and back.
pub fn places_fit(sql: &[u8], lexed: &Lexed) {
    let template = lexed.template();
    let mut built = Vec::new();
    for segment in lexed.segments(0..template.len()) {
        match segment {
            Segment::Verbatim { template: at, source, length } => {
                let piece = &sql[source as usize..(source + length) as usize];
                assert_eq!(piece, &template[at as usize..(at + length) as usize]);
                assert_eq!(lexed.source_offset(at as usize), source as usize);
                built.extend_from_slice(piece);
            }
            Segment::Slot(slot) => {
                assert_eq!(lexed.source_offset(slot.at as usize), slot.start as usize);
                built.extend_from_slice(&sql[slot.source()]);
            }
        }
    }
    assert_eq!(built, &sql[..lexed.end()]);
    for row in lexed.rows() {
        for item in lexed.row_items(row) {
            assert!(row.start <= item.start && item.end <= row.end);
        }
    }
}
