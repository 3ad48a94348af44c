//! Files cut by hand: what the comparison with servers can't point at.

use super::*;

fn format(
    field_end: &str,
    enclosed: &str,
    escape: &str,
    line_start: &str,
    line_end: &str,
) -> Format {
    Format {
        field_end: field_end.into(),
        enclosed: enclosed.bytes().next(),
        escape: escape.bytes().next(),
        line_start: line_start.into(),
        line_end: line_end.into(),
    }
}

/// Each record's bytes and its fields, which are fed in pieces of every length.
fn cut(format: &Format, fields: usize, file: &[u8]) -> Vec<(String, Vec<Option<String>>)> {
    let mut all = Vec::new();
    for piece in 1..=file.len().max(1) {
        let cutter =
            Cutter::new(format, FileCharset::Utf8 { most: 4 }, ServerKind::MariaDb, fields);
        let mut found = Vec::new();
        let (mut at, mut known) = (0, 0);
        let mut record = Record::taking(0..fields);
        loop {
            let last = known >= file.len();
            match cutter.record(&file[..known], at, last, &mut record) {
                Cut::More => known = (known + piece).min(file.len()),
                Cut::End => break,
                Cut::Broken => panic!("broken at {at}"),
                Cut::Record => {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    let values = record.taken.iter().filter(|taken| taken.present);
                    let values = values.map(|one| (!one.is_null).then(|| text(&one.value)));
                    found.push((text(&file[record.range.clone()]), values.collect()));
                    at = record.range.end;
                }
            }
            if known == file.len() && at > known {
                break;
            }
        }
        if piece == 1 {
            all = found;
        } else {
            assert_eq!(found, all, "in pieces of {piece}");
        }
    }
    all
}

fn some(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|value| Some((*value).to_owned())).collect()
}

#[test]
fn plain_lines_with_missing_and_further_fields() {
    let plain = format("\t", "", "\\", "", "\n");
    let found = cut(&plain, 2, b"1\ta\n\n2\n3\tb\tc\n\\N\tx\\\ny\n4\tz");
    let records: Vec<&str> = found.iter().map(|(record, _)| record.as_str()).collect();
    assert_eq!(records, ["1\ta\n", "\n", "2\n", "3\tb\tc\n", "\\N\tx\\\ny\n", "4\tz"]);
    assert_eq!(found[0].1, some(&["1", "a"]));
    assert_eq!(found[1].1, some(&[""]));
    assert_eq!(found[3].1, some(&["3", "b"]));
    assert_eq!(found[4].1, [None, Some("x\ny".to_owned())]);
}

#[test]
fn enclosed_fields_with_terminators_inside() {
    let csv = format(",", "\"", "\\", "", "\r\n");
    let found = cut(&csv, 2, b"\"a,\r\nb\",\"c\"\"d\"\r\nNULL,\"NULL\"\r\n\"x\"y\",z\r\n");
    assert_eq!(found[0].1, some(&["a,\r\nb", "c\"d"]));
    assert_eq!(found[1].1, [None, Some("NULL".to_owned())]);
    assert_eq!(found[2].1, some(&["x\"y", "z"]));
}

#[test]
fn lines_that_start_somewhere_and_fields_without_lines() {
    let started = format(",", "", "\\", "xxx", "\n");
    let found = cut(&started, 2, b"junk xxxa,b\nmore xxxxc,d\nno start\n");
    assert_eq!(found[0], ("junk xxxa,b\n".to_owned(), some(&["a", "b"])));
    assert_eq!(found[1].1, some(&["xc", "d"]));
    assert_eq!(found.len(), 2);
    let stream = format(",", "", "\\", "", ",");
    let found = cut(&stream, 2, b"a,b,c,d,e");
    let records: Vec<&str> = found.iter().map(|(record, _)| record.as_str()).collect();
    assert_eq!(records, ["a,b,", "c,d,", "e"]);
}
