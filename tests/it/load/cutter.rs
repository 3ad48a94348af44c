//! Random files with random terminators: what is cut is what a server reads.

use mysql_async::prelude::Queryable;

use super::{alone, block_on, kinds, load};
use crate::support::dice::Dice;
use crate::support::servers::Kind;
use weir::sql::lex::ServerKind;
use weir::sql::load::Format;
use weir::sql::load::cut::{Cut, Cutter, FileCharset, Record};

/// What each record's three fields hold, as hexadecimal digits; `-`: NULL, nothing: missing.
fn cut(
    format: &Format,
    charset: FileCharset,
    server: ServerKind,
    file: &[u8],
) -> Option<Vec<String>> {
    let cutter = Cutter::new(format, charset, server, 3);
    let mut record = Record::taking(0..3);
    let (mut at, mut records) = (0, vec![]);
    loop {
        match cutter.record(file, at, true, &mut record) {
            Cut::Record => {}
            Cut::End => return Some(records),
            Cut::More => panic!("more of a whole file"),
            Cut::Broken => return None,
        }
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02X}")).collect::<String>();
        let text = |one: &weir::sql::load::cut::Taken| match (one.present, one.is_null) {
            (true, false) => hex(&one.value),
            _ => "-".to_owned(),
        };
        records.push(record.taken.iter().map(text).collect::<Vec<_>>().join(" "));
        at = record.range.end;
    }
}

fn quoted(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("x'{hex}'")
}

const TERMINATORS: [&[u8]; 9] = [b",", b"\t", b"\n", b";;", b",;", b"ab", b"aab", b"\"", b"\r\n"];
const SINGLES: [Option<u8>; 6] =
    [None, Some(b'"'), Some(b'\\'), Some(b'\''), Some(b'a'), Some(b'N')];
const PIECES: [&[u8]; 24] = [
    b",",
    b"\t",
    b"\n",
    b";",
    b"a",
    b"b",
    b"\"",
    b"\\",
    b"'",
    b"N",
    b"NULL",
    b"\r",
    b"n",
    b"0",
    b"x",
    b"\xc3\xa9",
    b"\xe9",
    b"\xc3",
    b"\xf0\x9f\x98\x80",
    b"\x81",
    b"ab",
    b"\r\n",
    b"\\N",
    b"\"\"",
];

#[test]
fn random_files_are_cut_as_servers_read_them() {
    let _alone = alone();
    let rounds: u64 =
        std::env::var("WEIR_LOAD_FILES").ok().and_then(|n| n.parse().ok()).unwrap_or(400);
    for loads in kinds() {
        block_on(async {
            let mut plain = loads.plain().await;
            plain
                .query_drop(
                    "CREATE TABLE IF NOT EXISTS cut (n INT AUTO_INCREMENT PRIMARY KEY, a LONGBLOB, b \
                     LONGBLOB, c LONGBLOB)",
                )
                .await
                .unwrap();
            plain.query_drop("SET sql_mode = ''").await.unwrap();
            let mut compared = 0;
            for seed in 0..rounds {
                let mut dice = Dice::new(seed);
                let format = Format {
                    field_end: dice.pick(&TERMINATORS).to_vec(),
                    enclosed: *dice.pick(&SINGLES),
                    escape: *dice.pick(&SINGLES),
                    line_start: if dice.below(5) == 0 {
                        dice.pick(&TERMINATORS).to_vec()
                    } else {
                        vec![]
                    },
                    line_end: dice.pick(&TERMINATORS).to_vec(),
                };
                let (name, charset) = match dice.below(3) {
                    0 => ("binary", FileCharset::Single),
                    1 => ("utf8mb4", FileCharset::Utf8 { most: 4 }),
                    _ => ("gbk", FileCharset::Gbk),
                };
                let mut file = vec![];
                for _ in 0..dice.below(60) {
                    file.extend_from_slice(PIECES[dice.index(24)]);
                }
                if !charset.knows(&format) {
                    continue;
                }
                let server = match loads.kind() {
                    Kind::MariaDb => ServerKind::MariaDb,
                    Kind::MySql => ServerKind::MySql,
                };
                let one = |byte: Option<u8>| quoted(byte.as_slice());
                let sql = format!(
                    "LOAD DATA LOCAL INFILE 'f' INTO TABLE cut CHARACTER SET {name} FIELDS TERMINATED BY {} \
                     ENCLOSED BY {} ESCAPED BY {} LINES STARTING BY {} TERMINATED BY {} (a, b, c)",
                    quoted(&format.field_end),
                    one(format.enclosed),
                    one(format.escape),
                    quoted(&format.line_start),
                    quoted(&format.line_end),
                );
                plain.query_drop("TRUNCATE cut").await.unwrap();
                let seen = load(&mut plain, &sql, &file, "(SELECT 1 AS x, 1 AS y) z").await;
                if seen.error.is_some() {
                    // MySQL gives up on a byte that begins no character.
                    continue;
                }
                let rows: Vec<String> = plain
                    .query("SELECT concat_ws(' ', ifnull(hex(a), '-'), ifnull(hex(b), '-'), ifnull(hex(c), '-')) FROM cut ORDER BY n")
                    .await
                    .unwrap();
                let Some(found) = cut(&format, charset, server, &file) else { continue };
                compared += 1;
                assert_eq!(
                    found,
                    rows,
                    "{} seed {seed}: {sql}\n{:?}",
                    loads.kind(),
                    String::from_utf8_lossy(&file)
                );
            }
            assert!(compared > rounds / 3, "{compared} of {rounds}");
        });
    }
}
