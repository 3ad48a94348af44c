//! The house rules as tests: who may import whom, what the core may not touch, how long things get.
//!
//! A rule that fails names the file and line, and what to do. The table of layers is the one in
//! `src/lib.rs`; a change here is a change of the architecture and wants its reason in the commit.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::source::{Source, sources};

/// A module, and the modules below it that it may import. Order: base first.
const LAYERS: &[(&str, &str)] = &[
    ("error", ""),
    ("name", ""),
    ("value", "error name"),
    ("config", "error name value"),
    ("observe", "error name value config"),
    ("protocol", "error name value"),
    ("sql", "error name value"),
    ("rules", "error name value"),
    ("catalog", "error name value rules"),
    ("planner", "error name value protocol sql rules catalog"),
    ("wire", "error name value config observe protocol"),
    ("traffic", "error name value config observe sql rules"),
    ("backend", "error name value config observe protocol sql rules catalog wire"),
    ("sequence", "error name value config observe rules catalog wire backend"),
    (
        "context",
        "error name value config observe protocol sql rules catalog planner wire backend traffic \
         sequence",
    ),
    (
        "transaction",
        "error name value config observe protocol sql rules catalog planner wire backend sequence \
         context",
    ),
    ("reload", "error name value config observe rules catalog planner backend traffic context"),
    (
        "executor",
        "error name value config observe protocol sql rules catalog planner wire backend traffic \
         context transaction sequence",
    ),
    (
        "admin",
        "error name value config observe protocol sql rules catalog planner wire backend traffic \
         context transaction sequence reload executor",
    ),
    (
        "session",
        "error name value config observe protocol sql rules catalog planner wire backend traffic \
         context transaction sequence reload executor admin",
    ),
    (
        "server",
        "error name value config observe protocol sql rules catalog planner wire backend traffic \
         context transaction sequence reload executor admin session",
    ),
    // `weir check --online`, `weir xa` and `weir index` ask the servers without serving anyone.
    (
        "cli",
        "error name value config observe protocol sql rules catalog planner backend context \
         executor transaction reload server",
    ),
];

/// Pure functions over values.
const CORE: &[&str] = &["error", "name", "value", "protocol", "sql", "rules", "catalog", "planner"];

/// What the core may not mention, and what it does instead.
const FORBIDDEN_IN_CORE: &[(&str, &str)] = &[
    ("tokio", "the core neither awaits nor knows a runtime"),
    ("async ", "the core neither awaits nor knows a runtime"),
    ("TcpStream", "sockets belong to wire, backend and server"),
    ("UnixStream", "sockets belong to wire, backend and server"),
    ("ToSocketAddrs", "resolving a name is I/O"),
    ("socket2", "sockets belong to wire, backend and server"),
    ("std::fs", "only rules/file.rs reads files"),
    ("std::env", "settings arrive as arguments"),
    ("std::process", "the core starts and ends nothing"),
    ("std::thread", "the core runs where it is called"),
    ("Instant::now", "the time arrives as an argument"),
    ("SystemTime", "the time arrives as an argument"),
    ("rand::", "random choices arrive as arguments"),
    ("tracing::", "the core returns facts; callers record them"),
    ("println!", "the core returns facts; callers record them"),
    ("std::sync::Mutex", "shared state belongs to the rim"),
];

/// Files of the core with an exception, and the word that they may use.
const CORE_EXCEPTIONS: &[(&str, &str)] =
    &[("rules/file.rs", "std::fs"), ("rules/file.rs", "std::env")];

/// Where a peer's bytes arrive: no panic on them.
const NO_PANIC: &[&str] = &["protocol", "session", "backend", "wire"];

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 75;

/// Functions that are longer, with the length that they may not exceed. Shrink it, never grow it.
const RATCHET: &[(&str, &str, usize)] = &[];

fn src() -> Vec<Source> {
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

/// The first part of a file's path: its module.
fn module(source: &Source) -> &str {
    let first = source.name.split('/').next().unwrap_or_default();
    first.strip_suffix(".rs").unwrap_or(first)
}

/// Fails with every broken place at once.
fn report(rule: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{rule}\n  {}", broken.join("\n  "));
}

/// Whether a line of code holds this text as a word of its own: `Operand::` is no `rand::`.
fn mentions(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
    })
}

#[test]
fn knowledge_points_down_only() {
    let mut broken = Vec::new();
    for source in src() {
        let module = module(&source);
        if matches!(module, "lib" | "main") {
            continue;
        }
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else {
            broken.push(format!("{}: module {module} is not in the table", source.name));
            continue;
        };
        for (number, line) in source.code_lines() {
            for import in line.split("crate::").skip(1) {
                let name: String =
                    import.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let known = name == module || allowed.split_whitespace().any(|a| a == name);
                if name.is_empty() {
                    broken.push(format!("{}:{number}: one `use crate::x` a line", source.name));
                } else if !known {
                    broken.push(format!(
                        "{}:{number}: {module} may not know {name} (allowed: {allowed})",
                        source.name
                    ));
                }
            }
        }
    }
    report("Imports go down the table of layers.", broken);
}

#[test]
fn the_core_is_pure() {
    let mut broken = Vec::new();
    for source in src() {
        if !CORE.contains(&module(&source)) {
            continue;
        }
        for (number, line) in source.code_lines() {
            for (word, instead) in FORBIDDEN_IN_CORE {
                let excepted = CORE_EXCEPTIONS.contains(&(source.name.as_str(), *word));
                if mentions(line, word) && !excepted {
                    broken.push(format!("{}:{number}: {word}: {instead}", source.name));
                }
            }
        }
    }
    report("The core is pure functions over values.", broken);
}

#[test]
fn every_file_says_what_it_owns_and_stays_short() {
    let mut broken = Vec::new();
    for source in src() {
        let head: String = source.text.lines().take_while(|line| line.starts_with("//!")).collect();
        if head.is_empty() && source.name != "main.rs" && !source.is_test_file() {
            broken.push(format!("{}: opens with no `//!`", source.name));
        }
        let stub = source.text.lines().count() <= 2;
        let folder = source.name.ends_with("/mod.rs") && !stub && !source.is_test_file();
        if folder && !(head.contains("Owns") && head.contains("Never")) {
            broken.push(format!("{}: its head says no `Owns:` and `Never:`", source.name));
        }
    }
    for source in everything() {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            broken.push(format!("{}: {lines} lines; split it by subject", source.name));
        }
    }
    report("One subject per file, and its head says which.", broken);
}

#[test]
fn functions_fit_a_screen() {
    let mut broken = Vec::new();
    for source in src().into_iter().filter(|source| !source.is_test_file()) {
        for (name, line, length) in source.functions() {
            let allowed = RATCHET
                .iter()
                .find(|(file, function, _)| *file == source.name && *function == name)
                .map_or(FUNCTION_LINES_MAX, |(_, _, length)| *length);
            if length > allowed {
                broken.push(format!("{}:{line}: {name} has {length} lines", source.name));
            }
        }
    }
    report("Functions stay under 75 lines: branches in the parent, pure leaves.", broken);
}

#[test]
fn peers_cause_no_panic() {
    // `unreachable!` stays allowed: it states an invariant of ours, not a peer's behaviour.
    let banned = [".unwrap()", ".expect(", "panic!(", "todo!(", "unimplemented!("];
    let mut broken = Vec::new();
    for source in src() {
        if !NO_PANIC.contains(&module(&source)) {
            continue;
        }
        for (number, line) in source.code_lines() {
            for word in banned.iter().filter(|word| line.contains(**word)) {
                broken.push(format!("{}:{number}: {word}", source.name));
            }
        }
    }
    report("What a peer sends ends in an Error, never in a panic.", broken);
}

#[test]
fn nothing_is_unbounded_or_untracked() {
    let mut broken = Vec::new();
    for source in src() {
        let tracked = module(&source) == "server";
        for (number, line) in source.code_lines() {
            let mut ban = |word: &str, instead: &str| {
                if mentions(line, word) {
                    broken.push(format!("{}:{number}: {word}: {instead}", source.name));
                }
            };
            ban("unbounded", "every queue has a bound");
            ban("thread::sleep", "it would stop a worker");
            ban("super::super", "write the path from crate::");
            ban("unsafe ", "forbidden");
            if !tracked {
                ban("tokio::spawn(", "a task that nobody tracks outlives its owner");
            }
            if source.name == "lib.rs" {
                ban("pub use", "one import path per item");
            }
        }
    }
    report("Every queue is bounded and every task is tracked.", broken);
}

#[test]
fn the_table_is_the_one_in_the_code_map() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let mut broken = Vec::new();
    for line in map.lines().filter_map(|line| line.strip_prefix("pub mod ")) {
        let name = line.trim_end_matches([';', ' ']);
        if !LAYERS.iter().any(|(module, _)| *module == name) {
            broken.push(format!("{name} is missing in tests/it/layers.rs"));
        }
        let documented = map
            .lines()
            .filter(|line| line.starts_with("//! "))
            .any(|line| line.split(|c: char| !c.is_alphanumeric()).any(|word| word == name));
        if !documented {
            broken.push(format!("{name} is missing in the table of src/lib.rs"));
        }
    }
    report("The code map and the layers test agree.", broken);
}

/// The scan itself: a rule whose scanner sees nothing would pass for ever.
#[test]
fn the_scanner_sees_code_and_only_code() {
    let text = "//! Head.\n\
        use crate::error::Error; // crate::session\n\
        const A: &str = \"crate::wire // {\";\n\
        const B: char = '{';\n\
        const C: &str = r#\"tokio \" {\"#;\n\
        /* tokio { /* nested */ */\n\
        fn long<'a>(x: &'a str) {\n    if x == \"}\" {\n    }\n}\n\
        #[cfg(test)]\nmod tests {\n    fn t() { x.unwrap() }\n}\n";
    let source = Source::new("x/y.rs".to_owned(), text.to_owned());
    let code: String = source.code_lines().map(|(_, line)| line.to_owned() + "\n").collect();
    assert!(code.contains("use crate::error::Error;"));
    for hidden in ["crate::session", "crate::wire", "tokio", "unwrap"] {
        assert!(!code.contains(hidden), "{hidden} in {code}");
    }
    assert_eq!(source.functions(), [("long".to_owned(), 7, 4)]);
    let found = src();
    assert!(found.iter().any(|source| source.name == "protocol/mod.rs"));
    assert!(found.iter().map(|source| source.functions().len()).sum::<usize>() > 50);
}

/// Sources of every kind: the length limit holds for tests and benches too.
fn everything() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["src", "tests", "benches"]
        .iter()
        .map(|folder| root.join(folder))
        .filter(|folder: &PathBuf| folder.is_dir())
        .flat_map(|folder| {
            let base = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            sources(&folder).into_iter().map(move |mut source| {
                source.name = format!("{base}/{}", source.name);
                source
            })
        })
        .collect()
}
