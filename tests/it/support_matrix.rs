//! The support matrix: which constructs the tests' statements hold, and how each was answered.
//!
//! Owns: reading the statements that other tests ask on both sides, and the table made of them
//! (`SUPPORT.md`, written anew under WEIR_UPDATE=1). Never: claims what no test asks: a statement
//! counts as answered because the test that owns its file fails where one server answers otherwise.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::suite::{slt, tpch};

/// What is looked for: a name, and words that must stand in the statement in this order.
const CONSTRUCTS: [(&str, &[&str]); 46] = [
    ("JOIN … ON", &[" join ", " on "]),
    ("JOIN … USING", &[" join ", " using"]),
    ("LEFT JOIN", &[" left join "]),
    ("RIGHT JOIN", &[" right join "]),
    ("NATURAL JOIN", &[" natural "]),
    ("CROSS JOIN", &[" cross join "]),
    ("STRAIGHT_JOIN", &["straight_join"]),
    ("scalar subquery in the select list", &["select ", "(select ", " from "]),
    ("IN (SELECT …)", &[" in (select "]),
    ("NOT IN (SELECT …)", &[" not in (select "]),
    ("EXISTS (SELECT …)", &["exists (select "]),
    ("ANY, SOME, ALL (SELECT …)", &["all (select "]),
    ("derived table", &["from (select "]),
    ("WITH", &["with ", " as (select "]),
    ("WITH RECURSIVE", &["with recursive "]),
    ("UNION", &[" union select "]),
    ("UNION ALL", &[" union all "]),
    ("EXCEPT", &[" except "]),
    ("INTERSECT", &[" intersect "]),
    ("window functions", &[" over "]),
    ("GROUP BY", &[" group by "]),
    ("GROUP BY … WITH ROLLUP", &[" with rollup"]),
    ("HAVING", &[" having "]),
    ("DISTINCT", &["select distinct "]),
    ("COUNT(DISTINCT …)", &["count(distinct "]),
    ("GROUP_CONCAT", &["group_concat("]),
    ("ORDER BY", &[" order by "]),
    ("LIMIT", &[" limit "]),
    ("FOR UPDATE, FOR SHARE", &[" for "]),
    ("FOUND_ROWS()", &["found_rows()"]),
    ("LAST_INSERT_ID()", &["last_insert_id("]),
    ("INSERT … VALUES", &["insert ", " values"]),
    ("INSERT … SELECT", &["insert ", " select "]),
    ("INSERT … ON DUPLICATE KEY UPDATE", &["insert ", " on duplicate key update "]),
    ("INSERT IGNORE", &["insert ignore "]),
    ("REPLACE", &["replace into "]),
    ("UPDATE", &["update ", " set "]),
    ("UPDATE … JOIN", &["update ", " join ", " set "]),
    ("UPDATE … ORDER BY … LIMIT", &["update ", " set ", " limit "]),
    ("DELETE", &["delete "]),
    ("DELETE … JOIN", &["delete ", " join "]),
    ("DELETE … LIMIT", &["delete ", " limit "]),
    ("CREATE TABLE", &["create table "]),
    ("CREATE VIEW", &["create view "]),
    ("DROP TABLE", &["drop table "]),
    ("information_schema", &["information_schema"]),
];

/// Constructs that begin a statement, so that the words of others inside of it don't count.
const LEADING: [&str; 7] =
    ["insert ", "replace ", "update ", "delete ", "create ", "drop ", "with "];

#[derive(Debug, Default)]
struct Seen {
    answered: usize,
    /// Codes of refusals, and how often.
    refused: BTreeMap<String, usize>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Statements and the codes that they are refused with.
fn statements() -> Vec<(String, Option<String>)> {
    let mut found = Vec::new();
    for file in ["select", "workbench", "change", "write", "insert_ids", "look_back", "system"] {
        let path = root().join(format!("tests/data/sql/{file}.sql"));
        let text = std::fs::read_to_string(&path).expect("statements");
        let (mut sql, mut refused) = (String::new(), None);
        for line in text.lines() {
            if let Some(code) = line.strip_prefix("-- refused:").filter(|_| sql.is_empty()) {
                refused = Some(code.trim().to_owned());
            } else if !line.starts_with("--") && !line.starts_with('#') {
                sql.push_str(line);
                sql.push(' ');
            }
            if line.ends_with(';') {
                found.push((std::mem::take(&mut sql), refused.take()));
            }
        }
    }
    let excepted = include_str!("../data/suite/exceptions.txt");
    let folder = root().join("tests/data/suite/sqllogictest");
    for path in slt::files(&folder) {
        let name = path.strip_prefix(&folder).expect("a file of the folder").display().to_string();
        if !excepted.contains(&name) {
            let text = std::fs::read_to_string(&path).expect("a file");
            found.extend(slt::records(&text).into_iter().map(|record| (record.sql, None)));
        }
    }
    found.extend((1..=22).map(|number| (tpch::text(number), None)));
    found
}

fn holds(sql: &str, words: &[&str]) -> bool {
    let mut rest = sql;
    for (place, word) in words.iter().enumerate() {
        if place == 0 && LEADING.contains(word) {
            let Some(behind) = rest.strip_prefix(word) else { return false };
            // The next word may begin with the blank.
            rest = &rest[rest.len() - behind.len() - 1..];
            continue;
        }
        let Some(at) = rest.find(word) else { return false };
        rest = &rest[at + word.len() - usize::from(word.ends_with(' '))..];
    }
    true
}

fn matrix() -> BTreeMap<&'static str, Seen> {
    let mut matrix: BTreeMap<&str, Seen> = BTreeMap::new();
    for (sql, refused) in statements() {
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase() + " ";
        for (name, words) in CONSTRUCTS {
            if holds(&sql, words) {
                let seen = matrix.entry(name).or_default();
                match &refused {
                    None => seen.answered += 1,
                    Some(code) => *seen.refused.entry(code.clone()).or_default() += 1,
                }
            }
        }
    }
    matrix
}

fn shown(matrix: &BTreeMap<&str, Seen>) -> String {
    let mut text = String::from(
        "# What is answered over shards\n\nMade by `WEIR_UPDATE=1 cargo test --test it support_matrix` from the \
         statements that the tests ask of Weir over\nshards and of one plain server, on MariaDB 10.11 and MySQL \
         9.7 (`tests/data/sql`, the sample of sqllogictest,\nTPC-H). A statement counts in each line whose \
         construct it holds. Answered: as by the plain server, errors\nincluded. Refused: with this stable \
         code, as often as said; the plain server would have answered.\n\n| construct | answered | refused |\n\
         | --- | --- | --- |\n",
    );
    for (name, _) in CONSTRUCTS {
        let Some(seen) = matrix.get(name) else { continue };
        let codes: Vec<String> =
            seen.refused.iter().map(|(code, count)| format!("`{code}` {count}")).collect();
        let _ = writeln!(text, "| {name} | {} | {} |", seen.answered, codes.join(", "));
    }
    text
}

#[test]
fn every_construct_is_asked_and_stands_in_the_manual() {
    let matrix = matrix();
    let path = root().join("SUPPORT.md");
    if std::env::var_os("WEIR_UPDATE").is_some() {
        std::fs::write(&path, shown(&matrix)).expect("SUPPORT.md");
    }
    let manual = std::fs::read_to_string(&path).expect("SUPPORT.md");
    for (name, _) in CONSTRUCTS {
        let seen = matrix.get(name).map_or(0, |seen| seen.answered + seen.refused.len());
        assert!(seen > 0, "no test asks {name}");
        assert!(manual.contains(&format!("| {name} |")), "SUPPORT.md lacks {name}");
    }
}

#[test]
fn words_are_looked_for_in_their_order() {
    let holds = |sql: &str, words: &[&str]| holds(sql, words);
    assert!(holds("insert into t select 1 ", &["insert ", " select "]));
    assert!(!holds("select 'insert ' ", &["insert ", " select "]));
    assert!(holds("update a join b on 1 set x = 1 ", &["update ", " join ", " set "]));
    assert!(!holds(
        "update a set x = (select 1 from b join c on 1) ",
        &["update ", " join ", " set "]
    ));
}
