//! Tests of templates: cases in a data file, and properties over generated statements.

mod bounds;
mod literals;

use std::fmt::Write;

use proptest::prelude::*;

use crate::sql::charset_scan::CharsetClass;
use crate::sql::lex::{Dialect, LexMode, Limits, ServerKind};
use crate::sql::slot::{KindSet, SlotKind};
use crate::sql::template::{Lexed, Lexer, Segment};

pub(super) fn lexer() -> Lexer {
    Lexer::new(7, Limits::default())
}

pub(super) fn lex(sql: &[u8], dialect: &Dialect) -> crate::error::Result<Lexed> {
    let mut lexed = Lexed::new();
    lexer().lex(sql, dialect, &mut lexed).map(|()| lexed)
}

fn kinds(set: KindSet) -> String {
    set.iter().map(|kind| format!("{kind:?}")).collect::<Vec<_>>().join("|")
}

/// The template with its markers as text.
pub(super) fn show(lexed: &Lexed) -> String {
    let mut out = String::new();
    for segment in lexed.segments(0..lexed.template().len()) {
        match segment {
            Segment::Verbatim { template, length, .. } => {
                let bytes = &lexed.template()[template as usize..(template + length) as usize];
                out.push_str(&escape(bytes));
            }
            Segment::Slot(slot) => {
                let set = kinds(slot.kinds);
                let _ = match slot.kind {
                    SlotKind::Literal => write!(out, "<{set}>"),
                    SlotKind::Cell => write!(out, "<cell {set}>"),
                    SlotKind::List => write!(out, "<list {set} x{}>", slot.items),
                    SlotKind::Tuples { arity } => {
                        let columns: Vec<String> =
                            (0..arity).map(|n| kinds(lexed.column_kinds(slot, n))).collect();
                        write!(out, "<tuples {} x{}>", columns.join(","), slot.items)
                    }
                    SlotKind::Rows { opaque } => {
                        let opaque = if opaque { " opaque" } else { "" };
                        write!(out, "<rows{opaque} {}>", lexed.rows().len())
                    }
                    SlotKind::Comment => write!(out, "<comment>"),
                };
            }
        }
    }
    out
}

fn escape(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\n', "%0A").replace('\u{FFFD}', "%??")
}

/// `%XX` are bytes where the header says `percent`.
pub(super) fn unescape(line: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = line.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()).filter(|_| byte == b'%') {
            Some(value) => {
                bytes.push(value);
                rest = &tail[2..];
            }
            None => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    bytes
}

/// `[charset=gbk mode=ANSI_QUOTES,… server=mariadb version=101100 percent]`.
pub(super) fn dialect_of(header: &str) -> (Dialect, bool) {
    let mut dialect = Dialect::default();
    let mut percent = false;
    for word in header.trim_matches(['[', ']']).split_whitespace() {
        match word.split_once('=') {
            Some(("charset", name)) => dialect.charset = CharsetClass::of(name),
            Some(("mode", names)) => dialect.mode = LexMode::of(names),
            Some(("server", "mariadb")) => {
                (dialect.server, dialect.version) = (ServerKind::MariaDb, 101_119);
            }
            Some(("version", number)) => dialect.version = number.parse().expect("a version"),
            Some(("server", "mysql")) => {}
            _ if word == "percent" => percent = true,
            _ => panic!("unknown word in a header: {word}"),
        }
    }
    (dialect, percent)
}

/// Runs a data file: headers in brackets, statements, and `=> expected` lines behind each. With
/// WEIR_BLESS set, the expected lines are written anew.
pub(super) fn run_cases(file: &str, actual: impl Fn(&[u8], &Dialect) -> Vec<String>) {
    let path = format!("{}/tests/data/sql/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("the data file");
    let bless = std::env::var_os("WEIR_BLESS").is_some();
    let (mut dialect, mut percent) = (Dialect::default(), false);
    let mut written = String::new();
    let mut failures = Vec::new();
    let mut count = 0;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("=> ") {
            panic!("{file}: an expectation without a statement: {line}");
        }
        let _ = writeln!(written, "{line}");
        if line.starts_with('[') {
            (dialect, percent) = dialect_of(line);
            continue;
        }
        if line.is_empty() || line.starts_with("## ") {
            continue;
        }
        let sql = if percent { unescape(line) } else { line.as_bytes().to_vec() };
        let mut expected = Vec::new();
        while let Some(next) = lines.next_if(|next| next.starts_with("=> ")) {
            expected.push(next[3..].to_owned());
        }
        let found = actual(&sql, &dialect);
        for line in &found {
            let _ = writeln!(written, "=> {line}");
        }
        if found != expected {
            failures.push(format!("{line}\n  expected {expected:#?}\n  found {found:#?}"));
        }
        count += 1;
    }
    if bless {
        std::fs::write(&path, written).expect("the data file is written");
    }
    assert!(count > 5, "{file} holds no cases");
    assert!(bless || failures.is_empty(), "{file}:\n{}", failures.join("\n"));
}

#[test]
fn templates_are_as_the_data_file_says() {
    run_cases("template.test", |sql, dialect| match lex(sql, dialect) {
        Ok(lexed) => vec![show(&lexed)],
        Err(error) => vec![format!("ERROR {error}")],
    });
}

/// Segments and slots put together are the statement again, and offsets map there and back.
fn check_mapping(sql: &[u8], lexed: &Lexed) {
    let mut built = Vec::new();
    for segment in lexed.segments(0..lexed.template().len()) {
        match segment {
            Segment::Verbatim { template, source, length } => {
                let piece = &sql[source as usize..(source + length) as usize];
                assert_eq!(
                    piece,
                    &lexed.template()[template as usize..(template + length) as usize]
                );
                for n in 0..length {
                    let at = lexed.source_offset((template + n) as usize);
                    assert_eq!(at, (source + n) as usize);
                    let back = lexed.template_offset(at);
                    // At an empty slot two places of the template are one of the statement.
                    assert!(back == (template + n) as usize || n == 0, "{back} {template} {n}");
                }
                built.extend_from_slice(piece);
            }
            Segment::Slot(slot) => {
                assert_eq!(lexed.source_offset(slot.at as usize), slot.start as usize);
                built.extend_from_slice(&sql[slot.source()]);
            }
        }
    }
    assert_eq!(built, &sql[..lexed.end()]);
}

const PIECES: &[&str] = &[
    "SELECT",
    "select",
    "*",
    "FROM",
    "t",
    "WHERE",
    "id",
    "=",
    "5",
    "'a'",
    "'it''s'",
    "\"q\"",
    "(",
    ")",
    ",",
    "IN",
    "(1,2,3)",
    "('a','b')",
    "((1,2),(3,4))",
    "VALUES",
    "(1,'x',NULL)",
    "INSERT",
    "INTO",
    "/* c */",
    "-- c\n",
    "# c\n",
    "/*!50000",
    "*/",
    "/*!99999 x */",
    "/*+ h */",
    "LIMIT",
    "0",
    "10",
    "ORDER",
    "BY",
    "GROUP",
    "UNION",
    "AS",
    "-5",
    "1.5",
    "1e5",
    "0x41",
    "x'41'",
    "b'01'",
    "?",
    "@x",
    "@@a.b",
    "_utf8mb4'x'",
    "N'n'",
    "CASE",
    "WHEN",
    "THEN",
    "END",
    "ON",
    "DUPLICATE",
    "KEY",
    "UPDATE",
    ";",
    "`q``q`",
    "t.1a",
    "DATE'2024-01-01'",
    "{d '2024-01-01'}",
    "CAST",
    "DECIMAL(10,2)",
    "->",
    "FIELD(id,3,1,2)",
    "\\",
    "\u{e9}",
    "BEGIN",
    "CREATE",
    "PROCEDURE",
    "IF",
    "MATCH",
    "AGAINST('x')",
];

fn any_dialect() -> impl Strategy<Value = Dialect> {
    let charset = prop_oneof![
        Just(CharsetClass::AsciiSafe),
        Just(CharsetClass::Gbk),
        Just(CharsetClass::Big5),
        Just(CharsetClass::Sjis),
        Just(CharsetClass::Gb18030),
    ];
    (0u8..64, charset, any::<bool>()).prop_map(|(mode, charset, maria)| Dialect {
        mode: LexMode(mode),
        charset,
        server: if maria { ServerKind::MariaDb } else { ServerKind::MySql },
        version: if maria { 101_119 } else { 80_400 },
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes_never_panic(
        sql in proptest::collection::vec(any::<u8>(), 0..200),
        dialect in any_dialect(),
    ) {
        if let Ok(lexed) = lex(&sql, &dialect) {
            check_mapping(&sql, &lexed);
        }
    }

    #[test]
    fn shuffled_pieces_keep_the_mapping(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..40),
        tight in any::<bool>(),
        dialect in any_dialect(),
    ) {
        let sql = pieces.join(if tight { "" } else { " " }).into_bytes();
        if let Ok(lexed) = lex(&sql, &dialect) {
            check_mapping(&sql, &lexed);
            for row in lexed.rows() {
                for item in lexed.row_items(row) {
                    prop_assert!(row.start <= item.start && item.end <= row.end);
                }
            }
        }
    }

    #[test]
    fn literals_of_the_same_kinds_share_a_template(
        id in any::<u32>(), other in any::<u32>(), name in ".{0,8}", list in proptest::collection::vec(any::<i32>(), 1..9),
    ) {
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('\'', "''");
        let statement = |id: u32, name: &str, list: &[i32]| {
            let list: Vec<String> = list.iter().map(i32::to_string).collect();
            format!(
                "SELECT a FROM t WHERE id = {id} AND name = '{}' AND n IN ({}) LIMIT 5",
                quoted(name), list.join(",")
            )
        };
        let dialect = Dialect::default();
        let one = lex(statement(id, &name, &list).as_bytes(), &dialect).expect("valid");
        let two = lex(statement(other, "x", &[1]).as_bytes(), &dialect).expect("valid");
        prop_assert_eq!(one.template(), two.template());
        prop_assert_eq!(one.hash(), two.hash());
        prop_assert_eq!(one.slots().len(), 4);
    }
}

fn cut(sql: &[u8], dialect: &Dialect) -> Result<Vec<crate::sql::token::Token>, Vec<String>> {
    crate::sql::lex::tokens(sql, *dialect, &Limits::default())
        .map_err(|error| vec![format!("ERROR {error}")])
}

/// The fields of a value's Debug form that are not its defaults.
fn differences(value: &str, default: &str) -> String {
    let fields = |text: &str| -> Vec<String> {
        let inner = text.split_once('{').map_or("", |(_, inner)| inner).trim_end_matches('}');
        inner.split(", ").map(|field| field.trim().to_owned()).collect()
    };
    let defaults = fields(default);
    let mut found = fields(value);
    found.retain(|field| !defaults.contains(field));
    found.join(" ")
}

#[test]
fn kinds_are_as_the_data_file_says() {
    use crate::sql::classify::{Transaction, classify};
    use crate::sql::traits::Traits;
    run_cases("classify.test", |sql, dialect| {
        let tokens = match cut(sql, dialect) {
            Ok(tokens) => tokens,
            Err(error) => return error,
        };
        let found = classify(sql, &tokens);
        let mut line = format!("{:?}", found.kind);
        let traits = format!("{:?}", found.traits).replace(": true", "");
        let traits = differences(&traits, &format!("{:?}", Traits::default()));
        if !traits.is_empty() {
            let _ = write!(line, " traits: {traits}");
        }
        if found.transaction != Transaction::default() {
            let shown = format!("{:?}", found.transaction);
            let _ =
                write!(line, " {}", differences(&shown, &format!("{:?}", Transaction::default())));
        }
        if let Some(name) = found.name {
            let _ = write!(line, " name: {name}");
        }
        if let Some(inner) = found.inner {
            let _ = write!(line, " inner: {}", String::from_utf8_lossy(&sql[inner..]));
        }
        if let Some(kill) = found.kill {
            let _ = write!(line, " {kill:?}");
        }
        for range in found.using {
            let _ = write!(line, " using: {}", String::from_utf8_lossy(&sql[range]));
        }
        vec![line]
    });
}

#[test]
fn assignments_are_as_the_data_file_says() {
    use crate::sql::set::{SetValue, parse};
    run_cases("set.test", |sql, dialect| {
        let tokens = match cut(sql, dialect) {
            Ok(tokens) => tokens,
            Err(error) => return error,
        };
        let set = match parse(sql, &tokens, dialect) {
            Ok(set) => set,
            Err(error) => return vec![format!("ERROR {error}")],
        };
        let mut lines: Vec<String> = set
            .assignments
            .iter()
            .map(|one| {
                let value = match &one.value {
                    SetValue::Expression(range) => {
                        format!("Expression {}", String::from_utf8_lossy(&sql[range.clone()]))
                    }
                    SetValue::String(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
                    other => format!("{other:?}"),
                };
                format!("{:?} = {value}", one.target)
            })
            .collect();
        if let Some(inner) = set.inner {
            lines.push(format!("FOR {}", String::from_utf8_lossy(&sql[inner..]).trim_start()));
        }
        lines
    });
}

#[test]
fn shows_are_as_the_data_file_says() {
    use crate::sql::show::parse;
    run_cases("show.test", |sql, dialect| {
        let tokens = match cut(sql, dialect) {
            Ok(tokens) => tokens,
            Err(error) => return error,
        };
        let show = match parse(sql, &tokens, dialect) {
            Ok(show) => show,
            Err(error) => return vec![format!("ERROR {error}")],
        };
        let text = |range: &std::ops::Range<usize>| {
            String::from_utf8_lossy(&sql[range.clone()]).into_owned()
        };
        let mut line = format!("{:?}", show.kind);
        for (name, set) in [
            ("full", show.full),
            ("global", show.global),
            ("if_not_exists", show.if_not_exists),
            ("LEFTOVER", show.leftover),
        ] {
            if set {
                let _ = write!(line, " {name}");
            }
        }
        for (name, named) in
            [("schema", &show.schema), ("object", &show.object), ("column", &show.column)]
        {
            if let Some(named) = named {
                let _ = write!(line, " {name}={}({})", named.name, text(&named.range));
            }
        }
        for (name, range) in [
            ("object_range", &show.object_range),
            ("schema_clause", &show.schema_clause),
            ("filter", &show.filter),
            ("limit", &show.limit),
        ] {
            if let Some(range) = range {
                let _ = write!(line, " {name}=[{}]", text(range));
            }
        }
        if let Some((pattern, range)) = &show.like {
            let _ = write!(line, " like={} [{}]", String::from_utf8_lossy(pattern), text(range));
        }
        vec![line]
    });
}

#[test]
fn hints_are_as_the_data_file_says() {
    run_cases("hint.test", |sql, dialect| {
        let tokens = match cut(sql, dialect) {
            Ok(tokens) => tokens,
            Err(error) => return error,
        };
        let hints = crate::sql::hint::parse(sql, &tokens, false);
        let mut lines: Vec<String> = hints.hints.iter().map(|hint| format!("{hint:?}")).collect();
        for range in &hints.ranges {
            lines.push(format!("cut {}", String::from_utf8_lossy(&sql[range.clone()])));
        }
        lines.extend(hints.unknown.iter().map(|why| format!("unknown {why}")));
        lines
    });
}

#[test]
fn tables_are_as_the_data_file_says() {
    use crate::sql::mention::{mentioned_names, table_names};
    run_cases("mention.test", |sql, dialect| {
        let tokens = match cut(sql, dialect) {
            Ok(tokens) => tokens,
            Err(error) => return error,
        };
        let all = mentioned_names(sql, &tokens);
        let tables = table_names(sql, &tokens);
        for table in &tables {
            let found = all.iter().any(|one| one.name == table.name && one.schema == table.schema);
            assert!(found, "{table:?} is not among all names");
        }
        let shown = |mention: &crate::sql::mention::Mention| match &mention.schema {
            Some(schema) => format!("{schema}.{}", mention.name),
            None => mention.name.clone(),
        };
        vec![tables.iter().map(shown).collect::<Vec<_>>().join(" ")]
    });
}

#[test]
fn a_text_reads_alike_where_the_modes_differ_in_nothing_of_it() {
    let plain = LexMode::default();
    for (mode, otherwise, alike) in [
        ("ANSI_QUOTES", r#"SELECT "a""#, "SELECT 'a'"),
        ("NO_BACKSLASH_ESCAPES", r"SELECT 'a\n'", "SELECT 'a'"),
        ("PIPES_AS_CONCAT", "SELECT 1 || 2", "SELECT 1 | 2"),
        ("HIGH_NOT_PRECEDENCE", "SELECT Not 1", "SELECT 1"),
        ("IGNORE_SPACE", "SELECT count (*)", "SELECT count(*)"),
        ("ANSI", "SELECT 1 || 2", "SELECT count(*)"),
    ] {
        let other = LexMode::of(mode);
        assert!(!plain.reads_alike(other, otherwise.as_bytes()), "{mode}");
        assert!(!other.reads_alike(plain, otherwise.as_bytes()), "{mode}");
        assert!(other.reads_alike(plain, alike.as_bytes()), "{mode}");
        assert!(other.reads_alike(other, otherwise.as_bytes()), "{mode}");
    }
    assert!(!LexMode::of("ORACLE").reads_alike(plain, b"SELECT 1"));
}
