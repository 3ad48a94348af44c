//! `weir settings`: a settings file with every default and what it means.
//!
//! Owns: its layout. Never: lists a setting by hand; the list is `config::section`.

use std::fmt::Write;

use crate::config::{Config, When};

const HEAD: &str = "\
# Every setting of Weir with its default. `weir settings` prints this file; what isn't written
# in a file has its default, so keep only the lines that differ. Settings marked [restart] change
# when the process starts again, all others with a reload. Durations: 250ms, 30s, 5m, 8h, 0.
# Sizes: 512, 64KiB, 16MiB, 2GiB. Secrets: env:NAME or file:/path, never inline.
";

/// The file's text. Every setting is commented out, so that the file itself changes nothing.
pub fn documented() -> String {
    let mut text = HEAD.to_owned();
    let mut section = String::new();
    for setting in Config::default().settings() {
        let (of, name) = setting.key.split_once('.').unwrap_or(("", &setting.key));
        if of != section {
            section = of.to_owned();
            // Writing to a string can't fail.
            let _ = write!(text, "\n#{section}:\n");
        }
        for (index, line) in wrapped(setting.doc, 90).iter().enumerate() {
            let mark = if index == 0 && setting.when == When::Restart { "[restart] " } else { "" };
            let _ = writeln!(text, "#  # {mark}{line}");
        }
        let value =
            if setting.default == "none" { "null".to_owned() } else { yaml(&setting.default) };
        let _ = writeln!(text, "#  {name}: {value}");
    }
    text
}

/// Text that YAML would read as something else is quoted.
fn yaml(value: &str) -> String {
    let octal =
        value.len() > 1 && value.starts_with('0') && value.bytes().all(|b| b.is_ascii_digit());
    let word = matches!(value, "off" | "on" | "yes" | "no");
    if octal || word || value.contains(": ") { format!("\"{value}\"") } else { value.to_owned() }
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let full =
            lines.last().is_some_and(|line| !line.is_empty() && line.len() + word.len() >= width);
        if full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_the_defaults_with_and_without_its_comment_signs() {
        let text = documented();
        assert_eq!(Config::parse(&text).unwrap(), Config::default());
        let body = text.split_once("\n\n").unwrap().1;
        let uncommented: String = body
            .lines()
            .map(|line| format!("{}\n", line.strip_prefix('#').unwrap_or(line)))
            .collect();
        assert_eq!(Config::parse(&uncommented).unwrap(), Config::default(), "{uncommented}");
    }

    /// The shipped file is what the program prints: `weir settings > rules/weir.yaml`.
    #[test]
    fn the_shipped_file_is_up_to_date() {
        assert_eq!(include_str!("../../rules/weir.yaml"), documented());
    }

    #[test]
    fn long_lines_are_wrapped() {
        assert!(wrapped(&"word ".repeat(50), 40).iter().all(|line| line.len() <= 40));
    }
}
