//! MariaDB's own files for `mysqltest`, run by that client against one plain server and through Weir.
//!
//! Owns: running a file on both sides, cutting the difference of the two transcripts into pieces,
//! and holding each piece against the list. The files and the client are Debian's packages, brought
//! by `tests/support/install.sh`; nothing of them is part of this repository.
//!
//! A transcript holds every statement, its rows, the definitions of its columns, affected rows,
//! infos, warnings and errors; an error ends no file, so that all of it is compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::suite::place::World;
use crate::support::{engine, proxy, reaper};

/// The schema that the files expect.
const SCHEMA: &str = "test";
/// The longest run of a file on one side.
const DEADLINE: Duration = Duration::from_secs(240);
/// Exit code of a file that says it can't run here.
const SKIPS: i32 = 62;

/// A way of running the files: its name, further options of the client, and the rules.
pub struct Layout {
    pub name: &'static str,
    pub options: &'static [&'static str],
    pub tables: &'static str,
}

/// All tables in one group, as text and prepared.
pub const LAYOUTS: [Layout; 2] = [
    Layout { name: "text", options: &[], tables: NAMED },
    Layout { name: "prepared", options: &["--ps-protocol"], tables: NAMED },
];

/// Rules want one table at least.
const NAMED: &str = "elsewhere: {group: g1}";

/// Where the client and its files are.
pub struct Tools {
    root: PathBuf,
}

impl Tools {
    /// # Errors
    /// Why there are none.
    pub fn find() -> Result<Tools, String> {
        let root = std::env::var_os("WEIR_MYSQLTEST")
            .map_or_else(|| engine::cache().join("mysqltest"), PathBuf::from);
        let tools = Tools { root };
        match tools.program().is_file() && tools.folder().join("main").is_dir() {
            true => Ok(tools),
            false => Err(format!(
                "{} has no mysqltest; tests/support/install.sh mysqltest brings it",
                tools.root.display()
            )),
        }
    }

    fn program(&self) -> PathBuf {
        self.root.join("usr/bin/mariadb-test")
    }

    fn folder(&self) -> PathBuf {
        self.root.join("usr/share/mysql/mysql-test")
    }

    /// The files that issue and list speak of: `ps_*`, `type_*`, `func_*`, `metadata`.
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder().join("main"));
        let mut names: Vec<String> = entries
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let name = name.strip_suffix(".test")?;
                let wanted = ["ps_", "type_", "func_"].iter().any(|start| name.starts_with(start));
                (wanted || name == "metadata").then(|| name.to_owned())
            })
            .collect();
        names.sort();
        names
    }

    /// The transcript of a file, and the client's exit code.
    fn run(&self, file: &str, port: u16, options: &[&str]) -> Result<(i32, String), String> {
        let failed = |error: std::io::Error| error.to_string();
        let scratch = reaper::directory("mysqltest");
        for name in ["var", "tmp", "log"] {
            fs::create_dir_all(scratch.join(name)).map_err(failed)?;
        }
        let head = format!("--enable_metadata\n--enable_info\n--source main/{file}.test\n");
        fs::write(scratch.join("head.test"), head).map_err(failed)?;
        let out = fs::File::create(scratch.join("out")).map_err(failed)?;
        let errors = fs::File::create(scratch.join("err")).map_err(failed)?;
        let folder = self.folder();
        let triplet = format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH);
        let mut child = reaper::command(self.program())
            .args(["--no-defaults", "--host=127.0.0.1", "--protocol=tcp", "--skip-ssl"])
            .arg(format!("--port={port}"))
            .arg(format!("--user={}", proxy::USER))
            .arg(format!("--password={}", proxy::USER))
            .arg(format!("--database={SCHEMA}"))
            .args(["--continue-on-error", "--max-connect-retries=1"])
            .arg(format!("--basedir={}/", folder.display()))
            .arg(format!("--tmpdir={}", scratch.join("tmp").display()))
            .arg(format!("--logdir={}", scratch.join("log").display()))
            .arg(format!("--test-file={}", scratch.join("head.test").display()))
            .args(options)
            .current_dir(&folder)
            .env("LD_LIBRARY_PATH", self.root.join(triplet))
            .env("MYSQLTEST_VARDIR", scratch.join("var"))
            .env("MYSQL_TMP_DIR", scratch.join("tmp"))
            .env("MYSQL_TEST_DIR", &folder)
            .env("TZ", "MET")
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(errors)
            .spawn()
            .map_err(failed)?;
        let start = Instant::now();
        let code = loop {
            match child.try_wait().map_err(failed)? {
                Some(status) => break status.code().unwrap_or(-1),
                None if start.elapsed() > DEADLINE => {
                    let _ = child.kill();
                    let _ = child.wait();
                    break -1;
                }
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        let mut text = fs::read(scratch.join("out")).map_err(failed)?;
        let said = fs::read(scratch.join("err")).map_err(failed)?;
        text.extend(said);
        let text = String::from_utf8_lossy(&text).replace(&scratch.display().to_string(), "DIR");
        let _ = fs::remove_dir_all(scratch);
        Ok((code, text.replace(&format!(":{port}"), ":PORT")))
    }
}

/// A piece of the transcripts that differs: the statement that it belongs to, what only the plain
/// server said, and what only Weir said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    pub statement: String,
    pub plain: Vec<String>,
    pub weir: Vec<String>,
}

impl Piece {
    fn holds(&self, text: &str) -> bool {
        let sides = self.plain.iter().chain(&self.weir);
        std::iter::once(&self.statement).chain(sides).any(|line| line.contains(text))
    }

    /// The same lines in another order.
    pub fn is_order(&self) -> bool {
        let sorted = |lines: &[String]| {
            let mut lines = lines.to_vec();
            lines.sort();
            lines
        };
        sorted(&self.plain) == sorted(&self.weir)
    }

    fn told(&self) -> String {
        let side = |mark: char, lines: &[String]| -> String {
            lines.iter().take(30).map(|line| format!("  {mark} {line}\n")).collect()
        };
        format!("{}\n{}{}", self.statement, side('-', &self.plain), side('+', &self.weir))
    }
}

/// What `diff` finds, cut into pieces.
pub fn pieces(plain: &str, weir: &str) -> Result<Vec<Piece>, String> {
    let directory = reaper::directory("diff");
    let write = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text.trim_end().to_owned() + "\n").map(|()| path)
    };
    let (left, right) = (write("plain", plain), write("weir", weir));
    let (left, right) =
        (left.map_err(|error| error.to_string())?, right.map_err(|error| error.to_string())?);
    let output = Command::new("diff")
        .args(["--text", "--old-line-format=-%L", "--new-line-format=+%L"])
        .args(["--unchanged-line-format= %L"])
        .args([left, right])
        .output()
        .map_err(|error| format!("diff: {error}"))?;
    let _ = fs::remove_dir_all(directory);
    Ok(cut(&String::from_utf8_lossy(&output.stdout)))
}

fn cut(diff: &str) -> Vec<Piece> {
    let mut found: Vec<Piece> = Vec::new();
    let mut statement = String::new();
    let mut open: Option<Piece> = None;
    for line in diff.lines() {
        let Some(mark) = line.chars().next() else { continue };
        let text = line.get(1..).unwrap_or_default();
        if mark == ' ' {
            found.extend(open.take());
        }
        if begins_statement(text) && mark != '+' {
            statement = text.to_owned();
        }
        if mark == ' ' {
            continue;
        }
        let piece =
            open.get_or_insert_with(|| Piece { statement: statement.clone(), ..Piece::default() });
        match mark {
            '-' => piece.plain.push(text.to_owned()),
            _ => piece.weir.push(text.to_owned()),
        }
    }
    found.extend(open);
    found
}

fn begins_statement(line: &str) -> bool {
    const WORDS: [&str; 30] = [
        "select",
        "insert",
        "update",
        "delete",
        "replace",
        "create",
        "drop",
        "alter",
        "show",
        "set",
        "execute",
        "prepare",
        "deallocate",
        "call",
        "explain",
        "describe",
        "desc",
        "do",
        "with",
        "truncate",
        "flush",
        "use",
        "rename",
        "analyze",
        "load",
        "grant",
        "revoke",
        "lock",
        "begin",
        "start",
    ];
    let word: String =
        line.trim_start_matches('(').chars().take_while(char::is_ascii_alphabetic).collect();
    WORDS.contains(&word.to_ascii_lowercase().as_str())
        && !line.starts_with("Warning\t")
        && !line.contains('\t')
}

/// What is known not to be the same, with a reason each: `FILE LAYOUT | TEXT | reason`, `*` for all
/// files or layouts. A piece is excused where TEXT stands in it; an entry that excuses nothing fails
/// the run. `FILE LAYOUT | leave out | reason`: the file isn't run.
#[derive(Debug, Default)]
pub struct List {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    file: String,
    layout: String,
    text: String,
    met: bool,
    used: usize,
}

const LEFT_OUT: &str = "leave out";

impl List {
    /// The list of this repository.
    pub fn load() -> List {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/suite/mysqltest.txt");
        List::read(&fs::read_to_string(path).expect("the list of mysqltest"))
    }

    fn read(text: &str) -> List {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        let entries = lines.map(|line| {
            let parts: Vec<&str> = line.split(" | ").collect();
            let [case, text, reason] = parts[..] else {
                panic!("FILE LAYOUT | TEXT | reason: {line}")
            };
            assert!(!reason.trim().is_empty(), "a reason: {line}");
            let (file, layout) = case.split_once(' ').expect("FILE LAYOUT");
            Entry {
                file: file.to_owned(),
                layout: layout.to_owned(),
                text: text.to_owned(),
                met: false,
                used: 0,
            }
        });
        List { entries: entries.collect() }
    }

    fn of<'l>(&'l mut self, file: &str, layout: &str) -> impl Iterator<Item = &'l mut Entry> {
        let is = |given: &str, name: &str| given == "*" || given == name;
        self.entries
            .iter_mut()
            .filter(move |entry| is(&entry.file, file) && is(&entry.layout, layout))
    }

    fn leaves_out(&mut self, file: &str, layout: &str) -> bool {
        let mut entries = self.of(file, layout);
        entries.find(|entry| entry.text == LEFT_OUT).is_some_and(|entry| {
            entry.used += 1;
            true
        })
    }

    fn excuses(&mut self, file: &str, layout: &str, piece: &Piece) -> bool {
        let mut found = false;
        for entry in self.of(file, layout).filter(|entry| piece.holds(&entry.text)) {
            entry.used += 1;
            found = true;
        }
        found
    }

    /// Entries that excused nothing; those for all files only after all files.
    pub fn stale(&self, all: bool) -> Vec<String> {
        let stale = self.entries.iter().filter(|entry| entry.used == 0);
        stale
            .filter(|entry| entry.met && (all || entry.file != "*"))
            .map(|entry| {
                format!("`{} {} | {}` excuses nothing now", entry.file, entry.layout, entry.text)
            })
            .collect()
    }

    /// How many pieces each entry excused.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let entries = self.entries.iter().filter(|entry| entry.used > 0);
        entries.map(|entry| (format!("{} | {}", entry.file, entry.text), entry.used)).collect()
    }
}

#[derive(Debug, Default)]
pub struct Outcome {
    /// Files that were run on both sides.
    pub files: usize,
    /// Files that say themselves that they can't run, on the plain server too.
    pub skipped: Vec<String>,
    /// Files that the list leaves out.
    pub left_out: usize,
    /// Lines of the plain server's transcripts.
    pub lines: usize,
    /// Pieces that the list excuses.
    pub excused: usize,
    /// Pieces that are another order of rows, where the layout may have that.
    pub reordered: usize,
    pub failures: Vec<String>,
}

impl Outcome {
    pub fn summary(&self) -> String {
        format!(
            "files {}, lines {}, different {}, on the list {}, skipped by themselves {}, left out {}",
            self.files,
            self.lines,
            self.failures.len(),
            self.excused,
            self.skipped.len(),
            self.left_out
        )
    }
}

/// Runs files in a layout.
///
/// # Errors
/// What keeps the client or a server from running.
pub fn run(
    world: &World,
    tools: &Tools,
    files: &[String],
    layout: &Layout,
    list: &mut List,
) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    accounts(world)?;
    for file in files {
        list.of(file, layout.name).for_each(|entry| entry.met = true);
        if list.leaves_out(file, layout.name) {
            outcome.left_out += 1;
            continue;
        }
        let start = Instant::now();
        clear(world)?;
        let place = world.place(SCHEMA, layout.tables)?;
        let plain = tools.run(file, place.plain_port(), layout.options)?;
        let weir = tools.run(file, place.weir_port(), layout.options)?;
        let before = outcome.failures.len();
        judge(file, layout, plain, weir, list, &mut outcome)?;
        println!(
            "{} {file}: {} different, {:.1} s",
            layout.name,
            outcome.failures.len() - before,
            start.elapsed().as_secs_f32()
        );
    }
    Ok(outcome)
}

fn judge(
    file: &str,
    layout: &Layout,
    plain: (i32, String),
    weir: (i32, String),
    list: &mut List,
    outcome: &mut Outcome,
) -> Result<(), String> {
    keep(file, layout.name, &plain.1, &weir.1);
    if plain.0 == SKIPS && weir.0 == SKIPS {
        outcome.skipped.push(file.to_owned());
        return Ok(());
    }
    outcome.files += 1;
    outcome.lines += plain.1.lines().count();
    let mut pieces = pieces(&plain.1, &weir.1)?;
    if plain.0 != weir.0 {
        pieces.push(Piece {
            statement: "the client's exit code".to_owned(),
            plain: vec![plain.0.to_string()],
            weir: vec![weir.0.to_string()],
        });
    }
    for piece in pieces {
        match list.excuses(file, layout.name, &piece) {
            true => outcome.excused += 1,
            false => {
                outcome.failures.push(format!("{} {file}: {}", layout.name, piece.told()));
            }
        }
    }
    Ok(())
}

/// Keeps the transcripts where `KEEP` names a folder.
fn keep(file: &str, layout: &str, plain: &str, weir: &str) {
    let Some(folder) = std::env::var_os("KEEP").map(PathBuf::from) else { return };
    let write = |side: &str, text: &str| {
        let _ = fs::create_dir_all(&folder);
        let _ = fs::write(Path::new(&folder).join(format!("{file}.{layout}.{side}")), text);
    };
    write("plain", plain);
    write("weir", weir);
}

/// Drops what other files have left on the plain server.
fn clear(world: &World) -> Result<(), String> {
    let left = world.query_plain(
        "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN \
         ('mysql', 'information_schema', 'performance_schema', 'sys')",
    )?;
    let drops: Vec<String> =
        left.iter().flatten().map(|name| format!("DROP DATABASE `{name}`")).collect();
    world.execute_plain(&drops.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The client's account on the plain server, with the rights that Weir's own has.
fn accounts(world: &World) -> Result<(), String> {
    let user = proxy::USER;
    let mut grants = world.query_plain("SHOW GRANTS FOR weir@'%'")?;
    let grant = grants.swap_remove(0).swap_remove(0);
    let grant = grant.split(" IDENTIFIED ").next().unwrap_or_default().replace("weir", user);
    world.execute_plain(&[
        &format!("DROP USER IF EXISTS {user}@'%'"),
        &format!("CREATE USER {user}@'%' IDENTIFIED BY '{user}'"),
        &grant,
    ])
}
