//! sqllogictest: files of statements and queries, here asked on both sides.
//!
//! Owns: reading the files, and sharding their tables in two ways. The results that the files hold
//! are other servers' in part; what one plain server of the same kind gives is compared.

use std::path::{Path, PathBuf};

use mysql_async::Row;
use mysql_async::prelude::Queryable;

use crate::oracle::tree::Mark;
use crate::suite::exceptions::Exceptions;
use crate::suite::place::{Both, Told, World};
use crate::support::sql::blocking;

/// The schema of every file.
const SCHEMA: &str = "slt";

/// How the files' tables are sharded: a name, and the rules.
pub const LAYOUTS: [(&str, &str); 2] = [("bound", BOUND), ("apart", APART)];

/// All by their first column, alike: joins on it stay inside a shard. NULL has no shard, so that
/// tables which hold it are copies or on one group.
const BOUND: &str = "\
      tab0: {key: [{column: col0, type: int}], algorithm: {kind: modulo}, shards: {count: 4, databases: \"{schema}_{0}\", groups: [g0, g1], tables: \"tab0_{00}\"}}
      tab1: {bind: tab0, tables: \"tab1_{00}\"}
      tab2: {bind: tab0, tables: \"tab2_{00}\"}
      t1: {broadcast: true}
      t2: {key: [{column: y, type: int}], algorithm: {kind: modulo}, shards: {count: 4, databases: \"{schema}_{0}\", groups: [g0, g1], tables: \"t2_{00}\"}}
      t3: {bind: t2, key: [{column: z}], tables: \"t3_{00}\"}
      t4: {bind: t2, key: [{column: a}], tables: \"t4_{00}\"}
      t5: {bind: t2, key: [{column: b}], tables: \"t5_{00}\"}
      t6: {broadcast: true}
      t4n: {group: g0}
      t6n: {group: g1}
      t7: {group: g1}
      t7n: {group: g1}
";

/// Each by another column and another algorithm, some on one group, one in copies.
const APART: &str = "\
      tab0: {key: [{column: col1, type: int}], algorithm: {kind: hash}, shards: {count: 2, databases: \"{schema}_{0}\", groups: [g0, g1], tables: tab0, restart: true}}
      tab1: {key: [{column: col2, type: int}], algorithm: {kind: modulo}, shards: {count: 4, databases: \"{schema}_{0}\", groups: [g0, g1], tables: \"tab1_{00}\"}}
      tab2: {broadcast: true}
      t1: {group: g0}
      t2: {group: g1}
      t3: {broadcast: true}
      t4: {key: [{column: a, type: int}], algorithm: {kind: hash, function: crc32}, shards: {count: 6, databases: \"{schema}_{0}\", groups: [g0, g1], tables: \"t4_{00}\"}}
      t5: {key: [{column: b, type: int}], algorithm: {kind: modulo}, shards: {count: 2, databases: \"{schema}_{0}\", groups: [g0, g1], tables: \"t5_{00}\"}}
      t6: {group: g1}
      t4n: {broadcast: true}
      t8: {broadcast: true}
";

/// A statement or a query of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub line: usize,
    pub sql: String,
    pub is_query: bool,
    /// The rows' order is told by the file.
    pub ordered: bool,
}

pub struct Options {
    /// Folders and files are read by name.
    pub folder: PathBuf,
    /// Each so-manieth query; statements are all run.
    pub every: usize,
    /// Part of a file's name.
    pub only: Option<String>,
    pub layouts: Vec<(&'static str, &'static str)>,
}

#[derive(Debug, Default)]
pub struct Outcome {
    pub compared: u64,
    pub refused: u64,
    pub different: u64,
    pub excepted: usize,
    /// What fails the run.
    pub failures: Vec<String>,
}

impl Outcome {
    pub fn summary(&self) -> String {
        format!(
            "compared {}, different {}, refused {}, of these on the list {}, failures {}",
            self.compared,
            self.different,
            self.refused,
            self.excepted,
            self.failures.len()
        )
    }

    /// Counts a case; what is wrong with it, or nothing.
    pub fn note(&mut self, told: &Told) -> String {
        self.compared += 1;
        match told {
            Told::Same => String::new(),
            Told::Refused(code) => {
                self.refused += 1;
                format!("refused [{code}]")
            }
            Told::Different(verdict) => {
                self.different += 1;
                let (plain, weir) = (&verdict.plain, &verdict.weir);
                format!("{}\n  plain: {plain}\n  weir:  {weir}", verdict.kind)
            }
        }
    }

    pub fn add(&mut self, other: Outcome) {
        self.compared += other.compared;
        self.refused += other.refused;
        self.different += other.different;
        self.excepted += other.excepted;
        self.failures.extend(other.failures);
    }
}

/// The files below a folder, in the order of their names.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "test") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The records that are for MySQL.
pub fn records(text: &str) -> Vec<Record> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    let mut skip = false;
    while let Some((at, line)) = lines.next() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["skipif", name, ..] => skip |= *name == "mysql",
            ["onlyif", name, ..] => skip |= *name != "mysql",
            ["halt", ..] if !std::mem::take(&mut skip) => return found,
            [kind @ ("statement" | "query"), rest @ ..] => {
                let mut sql = Vec::new();
                while let Some((_, line)) = lines.next_if(|(_, line)| !line.trim().is_empty()) {
                    if line.trim() == "----" {
                        while lines.next_if(|(_, line)| !line.trim().is_empty()).is_some() {}
                        break;
                    }
                    sql.push(line);
                }
                let sql = sql.join("\n");
                if !std::mem::take(&mut skip) {
                    let ordered = rest.get(1) == Some(&"nosort") && sql.contains("ORDER BY");
                    found.push(Record { line: at + 1, sql, is_query: *kind == "query", ordered });
                }
            }
            _ => {}
        }
    }
    found
}

/// Runs all files on both sides.
pub fn run(world: &World, options: &Options, list: &mut Exceptions) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    for path in files(&options.folder) {
        let name = path.strip_prefix(&options.folder).unwrap_or(&path).display().to_string();
        if options.only.as_ref().is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
        let records = records(&text);
        for layout in &options.layouts {
            let one = run_file(world, &name, &records, *layout, options.every, list)?;
            println!("{} {} {name}: {}", world.kind, layout.0, one.summary());
            outcome.add(one);
        }
    }
    outcome.excepted = list.needed();
    Ok(outcome)
}

fn run_file(
    world: &World,
    file: &str,
    records: &[Record],
    (layout, tables): (&str, &str),
    every: usize,
    list: &mut Exceptions,
) -> Result<Outcome, String> {
    let place = world.place(SCHEMA, tables)?;
    let kind = world.kind.name();
    // Its own thread has its own runtime: the caller may stand inside of one.
    blocking(&place.plain_url(), async |_| {
        let mut both = place.both().await?;
        let mut outcome = Outcome::default();
        let mut queries = 0;
        for record in records {
            if record.is_query {
                queries += 1;
                if queries % every != 0 {
                    continue;
                }
            }
            let marks: &[Mark] = if record.ordered { &[Mark::Ordered] } else { &[] };
            let told = both.ask(&record.sql, marks, false).await;
            let what = outcome.note(&told);
            let case = format!("{file}:{}", record.line);
            // What follows is compared with the rows that it stands on.
            if matches!(told, Told::Refused(_)) && !record.is_query {
                resync(&mut both, tables).await?;
            }
            if list.fails(&case, layout, kind, what.is_empty()) {
                outcome.failures.push(format!("{case} {layout} {kind}: {what}\n  {}", record.sql));
                // A connection that was lost is lost for all that follows.
                if what.contains("code: 0") {
                    both.close().await;
                    both = place.both().await?;
                }
            }
        }
        both.close().await;
        Ok(outcome)
    })
}

/// Gives the sharded tables the rows that the plain ones have.
async fn resync(both: &mut Both, tables: &str) -> Result<(), String> {
    let fails = |error: mysql_async::Error| error.to_string();
    let there = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() \
                 AND table_type = 'BASE TABLE'";
    let there: Vec<String> = both.plain.query(there).await.map_err(fails)?;
    let names = tables.lines().filter_map(|line| line.trim().split(':').next());
    for name in names.filter(|name| there.iter().any(|there| there == name)) {
        let rows: Vec<Row> =
            both.plain.query(format!("SELECT * FROM {name}")).await.map_err(fails)?;
        both.weir.query_drop(format!("DELETE FROM {name}")).await.map_err(fails)?;
        let rows: Vec<String> = rows
            .into_iter()
            .map(|row| {
                let cells: Vec<String> =
                    row.unwrap().into_iter().map(|value| value.as_sql(true)).collect();
                format!("({})", cells.join(", "))
            })
            .collect();
        if !rows.is_empty() {
            let insert = format!("INSERT INTO {name} VALUES {}", rows.join(", "));
            both.weir.query_drop(insert).await.map_err(fails)?;
        }
    }
    Ok(())
}
