//! Rules from the outside: golden vectors of the algorithms, bad files and what is said of them,
//! the JSON Schema that is committed.
//!
//! `WEIR_UPDATE=1` rewrites the expected problems and the schema; read the difference then.

#[path = "../fuzz/rules.rs"]
mod fuzz;

use std::fmt::Write as _;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir::rules::check::load_text;
use weir::rules::key::KeyCondition;
use weir::rules::shard_set::ShardSet;
use weir::rules::table::{Placement, ShardedTable};
use weir::rules::validate;
use weir::value::Value;
use weir::value::assign::{Context, ServerKind};
use weir::value::compare::Side;

use super::values::value;

const GROUPS: &str = "
groups:
  g0: {primary: {address: '127.0.0.1:1'}}
  g1: {primary: {address: '127.0.0.1:2'}}
group_defaults: {accounts: {data: {user: weir, password: none}}}
";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn updating() -> bool {
    std::env::var_os("WEIR_UPDATE").is_some()
}

/// The table of one rule, in a schema that has what any rule may name.
fn table(rule: &str) -> Arc<ShardedTable> {
    let schema = format!(
        "schemas:\n  s:\n    databases: {{g0: s0, g1: s1}}\n    tddl_groups: {{D_0: {{group: g0, database: d0}}, D_1: {{group: g1, database: d1}}}}\n    tables:\n      t: {rule}\n"
    );
    let checked = load_text(&[("groups", GROUPS), ("tables", &schema)], &|_| None);
    let problems: Vec<String> = checked.problems.iter().map(ToString::to_string).collect();
    let rules = checked.rules.unwrap_or_else(|| panic!("{rule}\n{}", problems.join("\n")));
    match rules.schema("s").unwrap().table("t") {
        Placement::Sharded(table) => table,
        other => panic!("{other:?}"),
    }
}

#[test]
fn algorithms_give_the_golden_shards() {
    let text = std::fs::read_to_string(root().join("tests/data/rules/algorithms.txt")).unwrap();
    let mut current: Option<Arc<ShardedTable>> = None;
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (number, line) in (1..).zip(text.lines()) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(rule) = line.strip_prefix("table ") {
            current = Some(table(rule));
            continue;
        }
        let (question, expected) =
            line.split_once(" -> ").unwrap_or_else(|| panic!("line {number}: {line}"));
        let found = answer(current.as_deref().unwrap(), question);
        let fits = match expected.strip_prefix("refused ") {
            Some(reason) => {
                found.strip_prefix("refused ").is_some_and(|found| found.contains(reason))
            }
            None => found == expected,
        };
        if !fits {
            wrong.push(format!("line {number}: {question} -> {found}, not {expected}"));
        }
        seen += 1;
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(seen > 120, "{seen}");
}

fn context() -> Context {
    Context::new(ServerKind::Unknown, "STRICT_ALL_TABLES", Some(0))
}

/// Words, where a quoted text is one.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in text.chars() {
        quoted ^= character == '\'';
        match character {
            ' ' if !quoted => words.push(String::new()),
            other => words.last_mut().unwrap().push(other),
        }
    }
    words
}

fn answer(table: &ShardedTable, question: &str) -> String {
    let words = words(question);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let key = &table.keys[0];
    match words.as_slice() {
        ["row", literals @ ..] => {
            let stored: Result<Vec<Value>, String> = literals
                .iter()
                .zip(&table.keys)
                .map(|(literal, key)| {
                    key.stored(&value(literal), &key.declared, context()).map_err(str::to_owned)
                })
                .collect();
            match stored
                .and_then(|values| table.shard_of_row(&values).map_err(|error| error.message))
            {
                Ok(shard) => shard.to_string(),
                Err(why) => format!("refused {why}"),
            }
        }
        ["=", literals @ ..] => {
            let conditions: Vec<KeyCondition> = literals
                .iter()
                .zip(&table.keys)
                .map(|(literal, key)| match *literal {
                    "*" => KeyCondition::Any,
                    literal => key.equal(&value(literal), &key.declared, context()),
                })
                .collect();
            shown(&table.shards_for(&conditions))
        }
        ["in", literals @ ..] => {
            let values: Vec<Value> = literals.iter().map(|literal| value(literal)).collect();
            shown(&table.shards_for(&[key.within(&values, &key.declared, context())]))
        }
        [low, "..", high] => {
            let bound = |literal: &str, side: Side| match (literal, literal.strip_prefix('<')) {
                ("*", _) => KeyCondition::Any,
                (_, Some(literal)) => {
                    key.bound(&value(literal), side, false, &key.declared, context())
                }
                (literal, None) => key.bound(&value(literal), side, true, &key.declared, context()),
            };
            let condition = bound(low, Side::Low).and(bound(high, Side::High));
            if let KeyCondition::Range { low: Bound::Unbounded, high: Bound::Unbounded } = condition
            {
                panic!("{question} is no range");
            }
            shown(&table.shards_for(&[condition]))
        }
        _ => panic!("{question}"),
    }
}

fn shown(set: &ShardSet) -> String {
    if set.is_all() {
        return "all".to_owned();
    }
    if set.is_empty() {
        return "none".to_owned();
    }
    set.iter().map(|shard| shard.to_string()).collect::<Vec<_>>().join(" ")
}

/// Each file of `tests/data/rules_bad` is named with its problems beside it.
#[test]
fn bad_rules_are_told_what_is_wrong_and_where() {
    let directory = root().join("tests/data/rules_bad");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    assert!(files.len() >= 12, "{}", files.len());
    let mut wrong = Vec::new();
    for path in files {
        let found = problems_of(&path);
        let expected = path.with_extension("expected");
        if updating() {
            std::fs::write(&expected, &found).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != found {
            wrong.push(format!("{}:\n{found}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A file may hold several, each after a line `### name`.
fn problems_of(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    let mut parts: Vec<(String, String)> = vec![(name.to_owned(), String::new())];
    for line in text.lines() {
        match line.strip_prefix("### ") {
            Some(name) => parts.push((name.to_owned(), String::new())),
            None => writeln!(parts.last_mut().unwrap().1, "{line}").unwrap(),
        }
    }
    if parts.len() > 1 {
        parts.remove(0);
    }
    let parts: Vec<(&str, &str)> =
        parts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let checked = load_text(&parts, &|name| (name == "SET").then(|| "value".to_owned()));
    assert!(
        checked.rules.is_none()
            || checked
                .problems
                .iter()
                .all(|p| p.severity == weir::rules::problem::Severity::Warning)
    );
    assert!(!checked.problems.is_empty(), "{name} has no problem");
    checked.problems.iter().fold(String::new(), |mut text, problem| {
        writeln!(text, "{problem}").unwrap();
        text
    })
}

#[test]
fn the_committed_schema_is_current() {
    let path = root().join("rules/schema.json");
    let mut schema = serde_json::to_string_pretty(&validate::schema()).unwrap();
    schema.push('\n');
    if updating() {
        std::fs::write(&path, &schema).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap_or_default(),
        schema,
        "run this test with WEIR_UPDATE=1"
    );
}

fn weir(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(arguments)
        .current_dir(root())
        .env_remove("WEIR_G0_PRIMARY")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn weir_check_reports_as_text_and_as_json() {
    let (code, out, _) = weir(&["check", "rules/shop"]);
    assert_eq!(code, Some(0));
    assert!(
        out.starts_with("ok: 2 groups with 4 nodes, 1 schema, 5 sharded tables (80 shards)"),
        "{out}"
    );
    let (code, out, _) = weir(&["check", "rules/index"]);
    assert_eq!((code, out.starts_with("ok: ")), (Some(0), true), "{out}");
    let directory = std::env::temp_dir().join(format!("weir-check-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("rules.yaml"), "gruops: {}\n").unwrap();
    let (code, out, _) = weir(&["check", directory.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(
        out.contains(
            "rules.yaml:1:1: error: gruops: 'gruops' is not known here; did you mean 'groups'?"
        ),
        "{out}"
    );
    let (code, out, _) = weir(&["check", "--json", directory.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["ok"], false);
    assert_eq!(
        (report["problems"][0]["line"].as_u64(), report["problems"][0]["path"].as_str()),
        (Some(1), Some("gruops"))
    );
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn weir_explain_routes_without_a_server() {
    let (code, out, _) =
        weir(&["explain", "--rules", "rules/shop", "SELECT * FROM orders WHERE user_id = '21'"]);
    assert_eq!(code, Some(0));
    assert!(out.starts_with("Forward read\n  g0.shop_0001 shard 5: "), "{out}");
    let (code, out, _) = weir(&[
        "explain",
        "--rules",
        "rules/tddl",
        "--param",
        "70",
        "select * from user where user_id = ?",
    ]);
    assert_eq!(code, Some(0));
    assert!(out.contains("g0.trade_0000 shard 6: select * from `user_0006`"), "{out}");
    let (code, _, err) =
        weir(&["explain", "--rules", "rules/shop", "--schema", "nowhere", "SELECT 1"]);
    assert_eq!((code, err.as_str()), (Some(2), "weir: the rules have no schema 'nowhere'\n"));
}

/// The rules of this repository, the good ones and the bad ones.
fn rule_texts() -> Vec<String> {
    let mut texts = Vec::new();
    for folder in
        ["rules/quickstart", "rules/shop", "rules/tddl", "rules/index", "tests/data/rules_bad"]
    {
        let mut whole = String::new();
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let text = std::fs::read_to_string(path).unwrap();
                whole.push_str(&text);
                texts.push(text);
            }
        }
        texts.push(whole);
    }
    texts
}

/// What a hurried hand does to a file: lines lost, doubled, swapped or indented otherwise, and
/// values that were meant for another key.
fn spoil(text: &str, random: &mut impl FnMut(usize) -> usize) -> String {
    const VALUES: [&str; 16] = [
        "-1",
        "4294967296",
        "18446744073709551616",
        "1e999",
        "''",
        "null",
        "[]",
        "{}",
        "[[[[",
        "*a",
        "&a x",
        "'{0000}'",
        "'(#a,1,64#.longValue() % 0).intdiv(0)'",
        "2024-13-01",
        "!!binary x",
        "${UNSET}",
    ];
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=random(3) {
        if lines.is_empty() {
            break;
        }
        let at = random(lines.len());
        match random(7) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => {
                let other = random(lines.len());
                lines.swap(at, other);
            }
            3 => lines[at].insert_str(0, "  "),
            4 => lines.truncate(at),
            5 => {
                let key = lines[at].split_once(": ").map(|(key, _)| key.to_owned());
                lines[at] =
                    format!("{}: {}", key.unwrap_or_default(), VALUES[random(VALUES.len())]);
            }
            _ => {
                let digits: Vec<usize> = lines[at]
                    .match_indices(|c: char| c.is_ascii_digit())
                    .map(|(at, _)| at)
                    .collect();
                if !digits.is_empty() {
                    let digit = digits[random(digits.len())];
                    lines[at]
                        .replace_range(digit..=digit, ["0", "-3", "99999999999", "x"][random(4)]);
                }
            }
        }
    }
    lines.join("\n")
}

#[test]
fn spoilt_files_are_problems_and_never_a_panic() {
    let mut state = 0x5EED_u64;
    let mut random = |bound: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % bound
    };
    for text in rule_texts() {
        fuzz::take_in(&text);
        for _ in 0..20 {
            fuzz::take_in(&spoil(&text, &mut random));
        }
    }
}
