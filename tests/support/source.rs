//! Rust source as the house rules see it: without comments, literals and test modules.
//!
//! Owns: a small lexer that blanks what is not code, line by line, so that a scan for `crate::x`
//! or a brace is exact. Never: understands Rust beyond that.

use std::fs;
use std::path::Path;

/// One source file.
pub struct Source {
    /// Path below the scanned folder, with `/`.
    pub name: String,
    pub text: String,
    code: String,
}

impl Source {
    pub fn new(name: String, text: String) -> Self {
        let code = without_tests(&blank(&text));
        Source { name, text, code }
    }

    /// Whether the whole file is a test.
    pub fn is_test_file(&self) -> bool {
        let file = self.name.rsplit('/').next().unwrap_or_default();
        file == "tests.rs" || file.ends_with("_tests.rs") || self.name.contains("/tests/")
    }

    /// Numbered lines of code; nothing for a test file.
    pub fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let code = if self.is_test_file() { "" } else { self.code.as_str() };
        code.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Each function's name, first line and number of lines.
    pub fn functions(&self) -> Vec<(String, usize, usize)> {
        let lines: Vec<&str> = self.code.lines().collect();
        let mut found = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            if let Some(name) = function_name(line)
                && let Some(length) = body_length(&lines[index..])
            {
                found.push((name, index + 1, length));
            }
        }
        found
    }
}

/// Every `.rs` file below a folder, sorted by name.
pub fn sources(folder: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    collect(folder, folder, &mut found);
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
            found.push(Source::new(name, text));
        }
    }
}

/// `fn name` at the start of an item.
fn function_name(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    for word in words.by_ref() {
        match word {
            "fn" => break,
            "const" | "async" | "unsafe" | "extern" | "default" => {}
            word if word == "pub" || word.starts_with("pub(") || word.ends_with(')') => {}
            "in" => {}
            _ => return None,
        }
    }
    let name: String =
        words.next()?.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

/// Lines from a signature to its closing brace; None for one without a body.
fn body_length(lines: &[&str]) -> Option<usize> {
    let mut depth = 0usize;
    let mut round = 0isize;
    for (index, line) in lines.iter().enumerate() {
        for c in line.chars() {
            match c {
                '(' | '[' => round += 1,
                ')' | ']' => round -= 1,
                '{' => depth += 1,
                '}' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return Some(index + 1);
                    }
                }
                ';' if depth == 0 && round == 0 => return None,
                _ => {}
            }
        }
    }
    None
}

/// Cuts each `#[cfg(test)]` item out, keeping the line numbers.
fn without_tests(code: &str) -> String {
    let lines: Vec<&str> = code.lines().collect();
    let mut kept = String::with_capacity(code.len());
    let mut index = 0;
    while index < lines.len() {
        if lines[index].trim_start().starts_with("#[cfg(test)]") {
            let length = body_length(&lines[index + 1..]).map_or(2, |length| length + 1);
            kept.push_str(&"\n".repeat(length.min(lines.len() - index)));
            index += length;
        } else {
            kept.push_str(lines[index]);
            kept.push('\n');
            index += 1;
        }
    }
    kept
}

/// Comments and the insides of literals become spaces; line breaks stay.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => line_end(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => block_end(bytes, at),
            b'"' => string_end(bytes, at + 1),
            b'r' if !in_word(bytes, at) => match raw_end(bytes, at) {
                Some(end) => end,
                None => at,
            },
            b'\'' => char_end(bytes, at),
            _ => at,
        };
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether the byte before belongs to the same identifier; `br"…"` does not count as one.
fn in_word(bytes: &[u8], at: usize) -> bool {
    let word = |index: usize| bytes[index].is_ascii_alphanumeric() || bytes[index] == b'_';
    at > 0 && word(at - 1) && !(bytes[at - 1] == b'b' && (at < 2 || !word(at - 2)))
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |length| at + length)
}

fn block_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// `at` is behind the opening quote.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of `r"…"` or `r#"…"#`; None where no raw string begins.
fn raw_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    while bytes.get(at) == Some(&b'#') {
        at += 1;
    }
    let hashes = at - start - 1;
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(hashes + 1, b'#');
    let body = &bytes[at + 1..];
    let length = body.windows(close.len()).position(|window| window == close)?;
    Some(at + 1 + length + close.len())
}

/// The end of a character literal; a lifetime ends where it begins.
fn char_end(bytes: &[u8], at: usize) -> usize {
    if bytes.get(at + 1) == Some(&b'\\') {
        let close = bytes.iter().skip(at + 3).position(|b| *b == b'\'');
        return close.map_or(bytes.len(), |length| at + 3 + length + 1);
    }
    // One character of up to four bytes, then the quote.
    let close = (2..=5).find(|step| bytes.get(at + step) == Some(&b'\''));
    match close {
        Some(step)
            if std::str::from_utf8(&bytes[at + 1..at + step])
                .is_ok_and(|text| text.chars().count() == 1) =>
        {
            at + step + 1
        }
        _ => at,
    }
}
