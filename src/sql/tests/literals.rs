//! What literals say.

use std::borrow::Cow;

use super::lex;
use crate::sql::charset_scan::CharsetClass;
use crate::sql::lex::{Dialect, LexMode};
use crate::sql::literal::{Literal, read, unquote_name};

fn one(literal: &[u8], dialect: &Dialect) -> String {
    let sql = [b"DELETE FROM t WHERE a IN (".as_slice(), literal, b")"].concat();
    let lexed = lex(&sql, dialect).expect("valid");
    let item = lexed.all_items().first().copied().expect("an item");
    match read(&sql, &item, dialect) {
        Literal::Text { charset, bytes } => format!("{charset:?} {}", bytes.escape_ascii()),
        Literal::Date(text) => format!("Date {}", text.escape_ascii()),
        Literal::Time(text) => format!("Time {}", text.escape_ascii()),
        Literal::Timestamp(text) => format!("Timestamp {}", text.escape_ascii()),
        other => format!("{other:?}"),
    }
}

#[test]
fn literals_are_read_as_mysql_reads_them() {
    let dialect = Dialect::default();
    for (literal, expected) in [
        ("5", "Integer(\"5\")"),
        ("-5", "Integer(\"-5\")"),
        ("- /* x */ 5", "Integer(\"-5\")"),
        ("+5", "Integer(\"5\")"),
        ("1.50", "Decimal(\"1.50\")"),
        ("-.5", "Decimal(\"-.5\")"),
        ("1e5", "Float(\"1e5\")"),
        ("NULL", "Null"),
        ("true", "Boolean(true)"),
        ("FALSE", "Boolean(false)"),
        ("'a'", "None a"),
        ("''", "None "),
        ("'it''s'", "None it\\'s"),
        ("\"q\"\"q'\"", "None q\\\"q\\'"),
        (r"'\0\b\n\r\t\Z\\\'\%\_\x'", r"None \x00\x08\n\r\t\x1a\\\'\\%\\_x"),
        ("'a' 'b'\n\"c\"", "None abc"),
        ("_utf8mb4'x'", "Some(\"utf8mb4\") x"),
        ("_latin1 x'41E9'", "Some(\"latin1\") A\\xe9"),
        ("_binary 'a' 'b'", "Some(\"binary\") ab"),
        ("N'x'", "Some(\"utf8\") x"),
        ("x'4142'", "Hex([65, 66])"),
        ("0x142", "Hex([1, 66])"),
        ("X''", "Hex([])"),
        ("b'101'", "Bit([5])"),
        ("0b100000001", "Bit([1, 1])"),
        ("DATE '2024-01-01'", "Date 2024-01-01"),
        ("{t '10:00:00'}", "Time 10:00:00"),
        ("TIMESTAMP\"2024-01-01 10:00:00\"", "Timestamp 2024-01-01 10:00:00"),
        ("?", "Param(0)"),
    ] {
        assert_eq!(one(literal.as_bytes(), &dialect), expected, "{literal}");
    }
}

#[test]
fn sql_mode_and_character_set_change_what_a_string_says() {
    let plain = Dialect { mode: LexMode::NO_BACKSLASH_ESCAPES, ..Dialect::default() };
    assert_eq!(one(br"'a\'", &plain), r"None a\\");
    let gbk = Dialect { charset: CharsetClass::Gbk, ..Dialect::default() };
    assert_eq!(one(b"'\xBF\\'", &gbk), r"None \xbf\\");
    assert_eq!(one(b"'\xBF\\\\n'", &gbk), r"None \xbf\\\n");
}

#[test]
fn names_lose_their_quotes() {
    for (quoted, name) in [
        ("a", "a"),
        ("`a`", "a"),
        ("`a``b`", "a`b"),
        ("````", "`"),
        ("\"a\"\"b\"", "a\"b"),
        ("``", ""),
    ] {
        assert_eq!(unquote_name(quoted.as_bytes()), Cow::Borrowed(name.as_bytes()), "{quoted}");
    }
}
