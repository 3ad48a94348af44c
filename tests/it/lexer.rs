//! The lexer against real servers: they cut and read statements as it does.
//!
//! Statements are put together at random from pieces that are hard to cut (fixed seeds). A server
//! runs each as it is and as the lexer understood it; both must answer alike. Where the lexer
//! finds a syntax error, the server must find an error too.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

use weir::sql::charset_scan::CharsetClass;
use weir::sql::lex::{Dialect, LexMode, Limits, Scanner, ServerKind, tokens};
use weir::sql::literal::{Literal, read};
use weir::sql::slot::{Item, LiteralKind};
use weir::sql::template::{Lexed, Lexer};
use weir::sql::token::TokenKind;

use crate::support::servers::{Kind, Server};
use crate::support::{self, sql};

/// A small generator of numbers: the same ones in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % sides
    }
}

fn dialect(server: &Server, mode: &str, charset: &str) -> Dialect {
    let digits: Vec<u32> = server
        .version
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|part| part.parse().ok())
        .take(3)
        .collect();
    let [major, minor, patch] = digits[..] else { panic!("a version: {}", server.version) };
    Dialect {
        mode: LexMode::of(mode),
        charset: CharsetClass::of(charset),
        server: if server.kind == Kind::MariaDb { ServerKind::MariaDb } else { ServerKind::MySql },
        version: major * 10_000 + minor * 100 + patch,
    }
}

/// The rows as text, or the error's number.
async fn answer(conn: &mut Conn, statement: &[u8]) -> Result<Vec<String>, u16> {
    let rows: Result<Vec<Row>, _> = conn.query(statement.to_vec()).await;
    match rows {
        Ok(rows) => Ok(rows
            .into_iter()
            .map(|row| format!("{:?}", row.unwrap().into_iter().map(text).collect::<Vec<_>>()))
            .collect()),
        Err(mysql_async::Error::Server(error)) => Err(error.code),
        Err(other) => panic!("{other} after {}", statement.escape_ascii()),
    }
}

fn text(value: Value) -> String {
    match value {
        Value::Bytes(bytes) => bytes.escape_ascii().to_string(),
        other => format!("{other:?}"),
    }
}

const PIECES: &[&str] = &[
    "1",
    "2",
    "+",
    "-",
    "*",
    ",",
    "(",
    ")",
    "'a'",
    "'it''s'",
    "\"q\"",
    "'\\''",
    "'\\\\'",
    "''",
    "1.5",
    ".5",
    "1e1",
    "1e",
    "0x41",
    "0xg",
    "0X41",
    "x'41'",
    "x'4'",
    "X'41'",
    "b'01'",
    "0b11",
    "0b2",
    "b'2'",
    "N'n'",
    "_utf8mb4'u'",
    "_latin1 x'41'",
    "_utf8mb4 'a' 'b'",
    "_nothing'x'",
    "NULL",
    "TRUE",
    "@a",
    "@'b'",
    "@`c`",
    "@\"d\"",
    "@@sql_mode",
    "@@session.autocommit",
    "@@`autocommit`",
    "/* c */",
    "/*c*/",
    "/**/",
    "/* ' */",
    "/* /* */",
    "*/",
    "/*",
    "/*! 1 */",
    "/*!+1*/",
    "/*!99999 +1 */",
    "/*!50000 +1 */",
    "/*!50701 +1*/",
    "/*!100100 +1*/",
    "/*!80000 +1*/",
    "/*!1234 +1*/",
    "/*!040000+1*/",
    "/*!990000 '*/",
    "/*!99999 /* x */ +1 */",
    "/*M! +1*/",
    "/*M!100100 +1*/",
    "/*M!990000 +1*/",
    "/*!50000 /* x */ +1 */",
    "/*+ x */",
    "-- c\n",
    "--c\n",
    "--\n",
    "--\t\n",
    "--1",
    "# c\n",
    "#\n",
    "\n",
    "\t",
    "AS `x`",
    "AS 'y'",
    "`",
    "'",
    "\"",
    "\\",
    ";",
    "&&",
    "||",
    "AND",
    "OR",
    "!",
    "~",
    "<=>",
    "<>",
    ":=",
    "=",
    ">>",
    "->",
    "\u{1}",
    "\u{7f}",
    "e1",
    ".",
    "..",
    "1.",
    "%",
];

/// What the server would get if it were told what the lexer understood.
fn understood(statement: &[u8], dialect: &Dialect) -> Option<Vec<u8>> {
    let mut lexed = Lexed::new();
    Lexer::new(1, Limits::default()).lex(statement, dialect, &mut lexed).ok()?;
    if lexed.rest().is_some() || lexed.params() > 0 {
        return None;
    }
    let cut = tokens(statement.get(..lexed.end())?, *dialect, &Limits::default()).ok()?;
    let (mut text, mut end) = (Vec::new(), 0);
    for token in &cut {
        if token.start > end || token.kind.is_trivia() {
            text.push(b' ');
        }
        end = token.end;
        if !token.kind.is_trivia() {
            text.extend_from_slice(token.bytes(statement));
        }
    }
    Some(text)
}

#[test]
fn servers_cut_statements_as_the_lexer_does() {
    for server in support::shared_kinds() {
        for mode in ["", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "PIPES_AS_CONCAT"] {
            let dialect = dialect(server, mode, "utf8mb4");
            let (mut alike, mut errors) = (0, 0);
            let failures = sql::blocking(&server.url("weir"), async |conn| {
                let set = format!("SET NAMES utf8mb4, sql_mode='{mode}', @a=1, @b=2, @c=3, @d=4");
                conn.query_drop(set).await.map_err(|error| error.to_string())?;
                let mut dice = Dice(mode.len() as u64 + 3);
                let mut failures = Vec::new();
                for _ in 0..1_500 {
                    let mut statement = String::from("SELECT 1");
                    for _ in 0..1 + dice.roll(7) {
                        statement.push_str(["", " ", " ", " "][dice.roll(4)]);
                        statement.push_str(PIECES[dice.roll(PIECES.len())]);
                    }
                    let statement = statement.into_bytes();
                    let plain = answer(conn, &statement).await;
                    let Some(ours) = understood(&statement, &dialect) else {
                        errors += 1;
                        if plain.is_ok() {
                            failures.push(format!(
                                "{} is refused, but the server answers {plain:?}",
                                statement.escape_ascii()
                            ));
                        }
                        continue;
                    };
                    let told = answer(conn, &ours).await;
                    if plain.as_ref().ok() == told.as_ref().ok() {
                        alike += usize::from(plain.is_ok());
                    } else {
                        failures.push(format!(
                            "{} → {plain:?}\n  understood as {} → {told:?}",
                            statement.escape_ascii(),
                            ours.escape_ascii()
                        ));
                    }
                }
                Ok(failures)
            })
            .expect("the server stays");
            assert!(
                failures.is_empty(),
                "{} {mode}: {}",
                server.version,
                failures[..failures.len().min(20)].join("\n")
            );
            assert!(alike > 100 && errors > 100, "{mode}: {alike} alike, {errors} errors");
        }
    }
}

const BYTES: &[u8] =
    b"''\"\"\\\\\\\\`%_n0Zbaa \xBF\xBF\x5C\x95\x81\x81\x30\x30\xE0\xA1\x40\x27\x80\xFE";

/// The value that the lexer reads from `SELECT HEX(<strings>)`; `None` if it cuts it otherwise.
fn value(statement: &[u8], dialect: &Dialect) -> Result<Option<Vec<u8>>, ()> {
    let mut scanner = Scanner::new(statement, 0, *dialect);
    let mut tokens = Vec::new();
    while let Some(token) = scanner.next_token().map_err(|_| ())? {
        tokens.push(token);
    }
    let [_select, _hex, _open, strings @ .., _close] = &tokens[..] else { return Ok(None) };
    if strings.is_empty() || strings.iter().any(|token| token.kind != TokenKind::String) {
        return Ok(None);
    }
    let (start, end) = (strings[0].start, strings[strings.len() - 1].end);
    let item = Item { kind: LiteralKind::String, start, end, param: 0 };
    match read(statement, &item, dialect) {
        Literal::Text { bytes, .. } => Ok(Some(bytes.into_owned())),
        other => panic!("a string is no {other:?}"),
    }
}

#[test]
fn servers_read_strings_as_the_lexer_does() {
    for server in support::shared_kinds() {
        for charset in ["gbk", "big5", "sjis", "cp932", "gb18030", "utf8mb4", "latin1", "ujis"] {
            if charset == "gb18030" && server.kind == Kind::MariaDb {
                continue;
            }
            for mode in ["", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES"] {
                let dialect = dialect(server, mode, charset);
                let mut alike = 0;
                let failures = sql::blocking(&server.url("weir"), async |conn| {
                    let set = format!("SET NAMES {charset}, sql_mode='{mode}'");
                    conn.query_drop(set).await.map_err(|error| error.to_string())?;
                    let mut dice = Dice(charset.len() as u64 * 7 + mode.len() as u64);
                    let mut failures = Vec::new();
                    for _ in 0..500 {
                        let mut statement = b"SELECT HEX('".to_vec();
                        for _ in 0..dice.roll(8) {
                            statement.push(BYTES[dice.roll(BYTES.len())]);
                        }
                        statement.extend_from_slice(b"')");
                        let found = answer(conn, &statement).await;
                        let ours = value(&statement, &dialect);
                        let wrong = match (&ours, &found) {
                            (Ok(Some(bytes)), Ok(rows)) => {
                                let hex: String =
                                    bytes.iter().map(|b| format!("{b:02X}")).collect();
                                let expected = format!("[\"{hex}\"]");
                                alike += 1;
                                rows.as_slice() != [expected]
                            }
                            // Bytes that are no text of the character set: the server says so.
                            (Ok(Some(_)), Err(code)) => *code == 1064,
                            (Ok(None), _) => false,
                            (Err(()), found) => found.is_ok(),
                        };
                        if wrong {
                            failures.push(format!(
                                "{} → {found:?}, read as {ours:?}",
                                statement.escape_ascii()
                            ));
                        }
                    }
                    Ok(failures)
                })
                .expect("the server stays");
                let shown = failures[..failures.len().min(20)].join("\n");
                assert!(failures.is_empty(), "{} {charset} {mode}: {shown}", server.version);
                assert!(alike > 60, "{charset} {mode}: {alike} alike");
            }
        }
    }
}
