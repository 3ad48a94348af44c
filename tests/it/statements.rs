//! Statements that were found to be hard, every truncation of them, in every dialect: the readers
//! of statements neither panic nor lose a byte.

#[path = "../fuzz/statements.rs"]
mod fuzz;

use std::path::Path;

use fuzz::{dialect, take_apart, take_apart_as};

/// The statements of the data files, without headers and expectations.
fn cases() -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sql");
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(directory).expect("the data files") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "test") {
            continue;
        }
        let text = std::fs::read_to_string(path).expect("a data file");
        let statements = text.lines().filter(|line| {
            !(line.is_empty()
                || line.starts_with("=> ")
                || line.starts_with('[')
                || line.starts_with("##"))
        });
        cases.extend(statements.map(|line| line.as_bytes().to_vec()));
    }
    assert!(cases.len() > 300, "{} cases", cases.len());
    cases
}

#[test]
fn every_case_in_every_dialect() {
    for case in cases() {
        for mode in 0..64 {
            for rest in [0, 1, 2, 3, 4, 0x80] {
                take_apart_as(&case, &dialect(mode, rest));
            }
        }
    }
}

#[test]
fn every_truncation_and_every_tail() {
    let plain = dialect(0, 0);
    for case in cases() {
        for at in 0..case.len() {
            take_apart_as(&case[..at], &plain);
            take_apart_as(&case[at..], &plain);
        }
    }
}

#[test]
fn every_case_with_a_byte_turned() {
    let dialects = [dialect(0, 0), dialect(3, 1), dialect(0, 0x80)];
    for case in cases() {
        let mut turned = case.clone();
        for at in 0..case.len() {
            let bytes = [b'\'', b'(', b'*', b'\\', 0x01, 0xBF, b';', b')'];
            for byte in [bytes[at % 8], bytes[(at + 3) % 8]] {
                turned[at] = byte;
                take_apart_as(&turned, &dialects[(at + usize::from(byte)) % dialects.len()]);
            }
            turned[at] = case[at];
        }
    }
}

#[test]
fn the_fuzzers_corpora() {
    for target in ["statements", "set"] {
        let directory =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
        let mut count = 0;
        for entry in std::fs::read_dir(directory).expect("a corpus") {
            let input = std::fs::read(entry.expect("an entry").path()).expect("an input");
            take_apart(&input);
            count += 1;
        }
        assert!(count > 0, "{target} has no corpus");
    }
}
