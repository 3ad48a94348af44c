//! The stable codes: each that the sources can raise is named by a test, and those that a plain
//! statement meets are met here.
//!
//! Owns: the list of codes that no test names, which only shrinks, and statements for codes that
//! belong to no other group of tests. Never: when a code is due (the tests of its subject).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use tokio::net::TcpStream;
use weir::protocol::capability::Capabilities;
use weir::protocol::command::{byte, write_field_list, write_text};
use weir::wire::stream::{Peer, Stream};

use crate::support::source::{Source, sources};
use crate::support::sql::blocking;
use crate::support::{proxy, rig};
use crate::wire_servers::log_in;

/// Codes that no test names, each with what keeps it from being met.
const UNMET: &[(&str, &str)] = &[
    // Told to no client: logs, or another error's text, name what happened.
    ("client_write", "the client takes nothing, so it reads no error"),
    ("disconnected", "the client is gone"),
    ("load_data_silence", "the client is gone, or stands still"),
    ("login_aborted", "the client is gone"),
    ("group_unreachable", "a pass of the recovery, which goes on"),
    ("anchor_unknown", "a pass of the recovery, which goes on"),
    ("no_verdict", "a pass of the recovery, which goes on"),
    ("primary_unseen", "a pass of the recovery, which goes on"),
    ("sequence_clock", "the text of sequence_empty"),
    ("sequence_contention", "the text of sequence_empty"),
    ("sequence_exhausted", "the text of sequence_empty"),
    ("sequence_shape", "the text of sequence_empty"),
    ("sequence_workers", "the text of sequence_empty"),
    // A race that a test can't win on purpose.
    ("sequence_gone", "rules that change between a plan and its ids"),
    ("table_changed", "DDL between a plan and its rows, twice"),
    ("returning_short", "KILL on the server between two rows"),
    // A server that answers what none does.
    ("workbench_lost", "rows where OK was due"),
    ("write_returns_rows", "rows where OK was due"),
    // A defect of Weir's.
    ("unknown_group", "an id of other rules"),
    // Costly.
    ("weight_missing", "a string whose weights exceed max_allowed_packet"),
    ("primary_behind", "a pass of the recovery; SHOW NODES says the sentence"),
    ("unknown_table", "a command of `weir`, which says the sentence alone"),
    ("local_infile_out_of_turn", "a server that asks for a file while it is relayed"),
    ("no_primary", "a command of `weir` while a group is down"),
    ("load_data_record", "a file with a row beyond limits.max_allowed_packet"),
    ("no_groups", "rules without groups, which `weir check` takes"),
    ("write_repeated_hour", "an hour that comes twice, and a table that computes in its zone"),
];

/// What raises an error: the call, and which of its arguments is the code.
const RAISES: &[(&str, usize)] = &[
    ("Error::new(", 3),
    ("Error::refused(", 0),
    ("Error::unavailable(", 0),
    ("Error::limit(", 1),
    ("refuse(", 0),
];

/// A call's arguments, from behind its opening parenthesis, trimmed.
fn arguments(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    let (mut in_text, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            _ if in_text => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => depth -= 1,
            ')' | ']' | '}' => {
                found.push(text[start..at].trim());
                return found;
            }
            ',' if depth == 0 => {
                found.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

/// `"code"` without its quotes.
fn literal(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (!inner.is_empty() && inner.chars().all(word)).then_some(inner)
}

/// The lines of a source that are code, with their literals.
fn code_of(source: &Source) -> String {
    let lines: Vec<&str> = source.text.lines().collect();
    let code = source.code_lines().filter(|(_, line)| !line.trim().is_empty());
    code.filter_map(|(number, _)| Some(format!("{}\n", lines.get(number - 1)?))).collect()
}

/// `const NAME: &str = "value"` of all sources, by name.
fn constants(codes: &[String]) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for text in codes {
        for part in text.split("const ").skip(1) {
            let Some((name, rest)) = part.split_once(": &") else { continue };
            let Some((kind, rest)) = rest.split_once(" = ") else { continue };
            let value = rest.split_once(';').and_then(|(value, _)| literal(value.trim()));
            if let Some(value) = value.filter(|_| kind.ends_with("str")) {
                found.entry(name.to_owned()).or_default().insert(value.to_owned());
            }
        }
    }
    found
}

/// Every code that the sources raise.
fn raised() -> BTreeSet<String> {
    let src = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let codes: Vec<String> = src.iter().map(code_of).collect();
    let constants = constants(&codes);
    let mut found = BTreeSet::new();
    for text in &codes {
        for (call, place) in RAISES {
            for (at, _) in text.match_indices(call) {
                let before = &text[..at];
                let is_call = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
                if !is_call || before.ends_with("fn ") {
                    continue;
                }
                let given = arguments(&text[at + call.len()..]);
                let Some(argument) = given.get(*place) else { continue };
                let name = argument.rsplit("::").next().unwrap_or_default();
                match (literal(argument), constants.get(name)) {
                    (Some(code), _) => drop(found.insert(code.to_owned())),
                    (None, Some(values)) => found.extend(values.iter().cloned()),
                    (None, None) => {}
                }
            }
        }
    }
    found
}

/// All that tests say: this crate's tests and their data, and the test modules of the sources.
fn tests() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    let mut folders = vec![root.join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("it/codes.rs") {
                text += &String::from_utf8_lossy(&fs::read(&path).expect("a file"));
            }
        }
    }
    for source in sources(&root.join("src")) {
        let test = if source.is_test_file() {
            0
        } else {
            source.text.find("#[cfg(test)]").unwrap_or(usize::MAX)
        };
        text += source.text.get(test..).unwrap_or_default();
    }
    let own = fs::read_to_string(root.join("tests/it/codes.rs")).expect("this file");
    // But for the list of those that aren't.
    text + own.split_once("\nconst MET").expect("the statements").1
}

#[test]
fn each_code_is_named_by_a_test() {
    let (raised, tests) = (raised(), tests());
    assert!(raised.len() > 170, "the scanner sees {} codes", raised.len());
    let reasons: BTreeSet<&str> = tests
        .lines()
        .filter(|line| line.trim_start().starts_with("Workbench"))
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    let is_named = |code: &str| {
        [
            format!("weir:{code}]"),
            format!("\"{code}\""),
            format!("Refuse {code}:"),
            format!("refused: {code}\n"),
        ]
        .iter()
        .any(|form| tests.contains(form))
            || reasons.contains(code)
    };
    let unmet: BTreeSet<&str> = UNMET.iter().map(|(code, _)| *code).collect();
    let new: Vec<&String> =
        raised.iter().filter(|code| !is_named(code) && !unmet.contains(code.as_str())).collect();
    assert!(new.is_empty(), "{} codes stand in no test: {new:?}", new.len());
    let met: Vec<&&str> =
        unmet.iter().filter(|code| is_named(code) || !raised.contains(**code)).collect();
    assert!(met.is_empty(), "take out of UNMET: {met:?}");
}

/// Statements on one new session, of which the last is refused, and the code.
const MET: &[(&[&str], &str)] = &[
    (&["KILL 1 + 1"], "kill_expression"),
    (&["SET autocommit = @a"], "set_autocommit"),
    (&["SET weir_consistent_reads = 'maybe'"], "set_consistent_reads"),
    (&["SET SESSION sort_buffer_size = (SELECT user_id FROM users)"], "set_query"),
    (&["SET GLOBAL max_connections = 5"], "set_global"),
    (&["SET @@global.max_connections = 5"], "set_global"),
    (&["SET PERSIST max_connections = 5"], "set_global"),
    (&["SET PERSIST_ONLY max_connections = 5"], "set_global"),
    (&["SET @@persist.max_connections = 5"], "set_global"),
    (&["SET @a = 1, GLOBAL max_connections = 5"], "set_global"),
    (&["SET GLOBAL TRANSACTION ISOLATION LEVEL READ COMMITTED"], "set_global"),
    (&["SET PASSWORD = 'x'"], "set_account"),
    (&["SET profiling = 1"], "set_profiling"),
    (&["SET SESSION optimizer_trace = 'enabled=on'"], "set_optimizer_trace"),
    (&["SET ROLE NONE"], "set_role"),
    (&["SHOW TABLES FROM nowhere"], "unknown_schema"),
    (
        &[
            "BEGIN",
            "UPDATE users SET balance = balance WHERE user_id = 1",
            "UPDATE users SET balance = balance WHERE user_id = 9",
            "CALL anything()",
        ],
        "transaction_routine",
    ),
    (
        &[
            "CREATE OR REPLACE VIEW seen_by_codes AS SELECT user_id FROM users",
            "CREATE TEMPORARY TABLE users (a INT)",
            "SELECT * FROM seen_by_codes",
        ],
        "view_session",
    ),
    (
        &[
            "LOCK TABLES coupons READ",
            "SELECT a.user_id FROM users a JOIN users b ON a.region_id = b.user_id",
        ],
        "workbench_session",
    ),
];

#[test]
fn statements_meet_their_codes() {
    for rig in rig::shared_kinds() {
        let mut wrong = Vec::new();
        for (statements, code) in MET {
            blocking(&rig.url(), async |conn| {
                let (last, before) = statements.split_last().expect("a statement");
                for sql in before {
                    conn.query_drop(*sql).await.map_err(|error| format!("{sql}: {error}"))?;
                }
                let outcome = conn.query_drop(*last).await.map_err(|error| error.to_string());
                if !outcome.as_ref().is_err_and(|told| told.contains(&format!("[weir:{code}]"))) {
                    return Err(format!("{last}: {outcome:?}"));
                }
                // A refusal isn't the session's end.
                let alive: Option<u8> =
                    conn.query_first("SELECT 4").await.map_err(|error| error.to_string())?;
                assert_eq!(alive, Some(4), "{last}");
                Ok(())
            })
            .unwrap_or_else(|error| wrong.push(error));
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        blocking(&rig.url(), async |conn| {
            drop(conn.query_drop("DROP VIEW seen_by_codes").await);
            let many: Vec<String> = (0..513).map(|number| format!("@v{number} = 1")).collect();
            let full = conn.query_drop(format!("SET {}", many.join(", "))).await.unwrap_err();
            assert!(full.to_string().contains("[weir:session_variables]"), "{full}");
            // All or nothing.
            let first: Option<Option<u8>> = conn.query_first("SELECT @v0").await.unwrap();
            assert_eq!(first, Some(None));
            let limit = "SELECT user_id FROM users ORDER BY user_id LIMIT ?";
            let refused = conn.exec_drop(limit, (-1,)).await.unwrap_err().to_string();
            assert!(refused.contains("[weir:limit_value]"), "{refused}");
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Half of a node's connections may be workbenches, and who waits too long for one is told.
#[test]
fn a_workbench_too_many_is_told() {
    const ACROSS: &str = "users a JOIN users b ON a.region_id = b.user_id";
    for rig in rig::shared_kinds() {
        let (proxy, _rules) = rig
            .another_edited(&[("timeouts", "pool_wait: 500ms".to_owned())], &|rules| {
                let file = rules.join("topology.yaml");
                let text = fs::read_to_string(&file).expect("the topology");
                let text = text.replace("pool: {size: 32, wait: 5s}", "pool: {size: 2, wait: 5s}");
                fs::write(&file, text).expect("the topology");
            })
            .expect("another Weir");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let opts = Opts::from_url(&proxy.url("shop")).expect("a URL");
            let mut one = Conn::new(opts.clone()).await.expect("a login");
            let mut two = Conn::new(opts).await.expect("a login");
            let sql = format!("SELECT SLEEP(2), a.user_id FROM {ACROSS} LIMIT 1");
            let slow = async { one.query_drop(&sql).await };
            let late = async {
                tokio::time::sleep(std::time::Duration::from_millis(700)).await;
                two.query_drop(format!("SELECT a.user_id FROM {ACROSS}")).await
            };
            let (slow, late) = tokio::join!(slow, late);
            slow.expect("the first workbench");
            let told = late.expect_err("no workbench is free").to_string();
            assert!(told.contains("[weir:workbench_connections]"), "{told}");
            two.query_drop("SELECT 1").await.expect("the session goes on");
        });
    }
}

/// A raw connection; nothing was said yet.
async fn dial(port: u16) -> Stream {
    let socket = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    Stream::tcp(socket, Peer::Backend, 1 << 20)
}

/// What comes next, in time.
async fn next(stream: &mut Stream) -> String {
    let read = tokio::time::timeout(std::time::Duration::from_secs(20), stream.read_packet()).await;
    let packet = read.expect("in time").expect("a packet").expect("no end");
    packet.escape_ascii().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_meet_their_codes_outside_of_statements() {
    for rig in rig::shared_kinds() {
        let settings =
            [("timeouts", "handshake: 1s".to_owned()), ("timeouts", "transaction: 1s".to_owned())];
        let (proxy, _rules) = rig
            .another_edited(&settings, &|rules| {
                let file = rules.join("users.yaml");
                let text = fs::read_to_string(&file).expect("the users");
                let native = proxy::native_verifier("anywhere");
                let user = format!("  anywhere: {{native: \"{native}\", schemas: [\"*\"]}}\n");
                fs::write(&file, text + &user).expect("the users");
            })
            .expect("another Weir");
        // Without a schema.
        let mut stream = dial(proxy.port).await;
        log_in(&mut stream, "anywhere", "anywhere", Capabilities(0), None).await.expect("a login");
        let ask = |stream: &mut Stream, write: &dyn Fn(&mut Vec<u8>)| {
            stream.reset_sequence();
            stream.write_with(write);
        };
        ask(&mut stream, &|out| write_field_list(b"users", b"", out));
        stream.flush().await.expect("sent");
        let told = next(&mut stream).await;
        assert!(told.contains("[weir:no_database]"), "{told}");
        ask(&mut stream, &|out| write_text(byte::INIT_DB, b"nowhere", out));
        stream.flush().await.expect("sent");
        let told = next(&mut stream).await;
        assert!(told.contains("[weir:unknown_database]"), "{told}");
        // A transaction beyond its time.
        let mut late = dial(proxy.port).await;
        log_in(&mut late, "shop", "shop", Capabilities(0), None).await.expect("a login");
        for sql in ["BEGIN", "UPDATE users SET balance = balance WHERE user_id = 1"] {
            ask(&mut late, &|out| write_text(byte::QUERY, sql.as_bytes(), out));
            late.flush().await.expect("sent");
            next(&mut late).await;
        }
        late.reset_sequence();
        let told = next(&mut late).await;
        assert!(told.contains("[weir:transaction_timeout]"), "{told}");
        // A login that says nothing.
        let mut silent = dial(proxy.port).await;
        next(&mut silent).await;
        silent.set_sequence(2);
        let told = silent.read_packet().await;
        if let Ok(Some(packet)) = &told {
            let told = packet.escape_ascii().to_string();
            assert!(told.contains("[weir:handshake_timeout]"), "{told}");
        }
        // What an idle session is told when the program ends.
        stream.reset_sequence();
        proxy.signal("TERM").expect("a signal");
        let told = next(&mut stream).await;
        assert!(told.contains("[weir:shutdown]"), "{told}");
    }
}

/// The account of a group that may not make the commit table is told what it lacks.
#[test]
fn without_the_right_to_make_the_commit_table_the_error_says_so() {
    for rig in rig::shared_kinds() {
        for group in &rig.groups {
            let schemas = ["0000", "0001", "0002", "0003"];
            let mut statements = vec!["CREATE USER poor@'%' IDENTIFIED BY 'weir'".to_owned()];
            statements
                .extend(schemas.map(|name| format!("GRANT ALL ON shop_{name}.* TO poor@'%'")));
            let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
            group.primary.execute_all(&statements).expect("an account");
        }
        let (proxy, _rules) = rig
            .another_edited(&[], &|rules| {
                let file = rules.join("topology.yaml");
                let text = fs::read_to_string(&file).expect("the topology");
                let text = text.replace("${WEIR_DATA_USER:-weir}", "poor");
                fs::write(&file, text + "\nsettings: {commit_database: nobodys}\n")
                    .expect("written");
            })
            .expect("another Weir");
        let told = crate::support::sql::execute(
            &proxy.url("shop"),
            &[
                "BEGIN",
                "UPDATE users SET balance = balance WHERE user_id = 1",
                "UPDATE users SET balance = balance WHERE user_id = 9",
                "COMMIT",
            ],
        )
        .expect_err("it may not");
        assert!(told.contains("[weir:commit_table]") && told.contains("GRANT CREATE"), "{told}");
        for group in &rig.groups {
            group.primary.execute("DROP USER poor@'%'");
        }
    }
}
