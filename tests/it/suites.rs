//! Public cases over sharded tables, in the short form that fits every test run.
//!
//! Owns: how much of each is run here. `make suites` runs all of it.

use std::path::PathBuf;

use crate::suite::exceptions::Exceptions;
use crate::suite::place::World;
use crate::suite::{mtr, slt, tpcc, tpch};
use crate::support::servers::Kind;
use crate::support::sql::{self, blocking};
use crate::support::{engine, skip};

const EXCEPTIONS: &str = include_str!("../data/suite/exceptions.txt");

fn world(kind: Kind) -> Option<World> {
    if let Err(reason) = engine::available(kind) {
        skip::loudly(kind, &reason);
        return None;
    }
    Some(World::start(kind).unwrap_or_else(|reason| panic!("{kind}: {reason}")))
}

fn passes(suite: &str, kind: Kind, run: impl FnOnce(&World, &mut Exceptions) -> slt::Outcome) {
    let Some(world) = world(kind) else { return };
    let mut list = Exceptions::read(EXCEPTIONS, suite);
    let outcome = run(&world, &mut list);
    println!("{suite} {kind}: {}", outcome.summary());
    assert!(outcome.failures.is_empty(), "{}", outcome.failures.join("\n"));
    assert!(list.stale().is_empty(), "{}", list.stale().join("\n"));
}

#[test]
fn sqllogictest_is_answered_as_by_one_server() {
    passes("slt", Kind::MariaDb, |world, list| {
        let folder =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/suite/sqllogictest");
        let options = slt::Options { folder, every: 1, only: None, layouts: slt::LAYOUTS.to_vec() };
        let outcome = slt::run(world, &options, list).unwrap_or_else(|reason| panic!("{reason}"));
        assert!(outcome.compared > 1000, "{}", outcome.summary());
        outcome
    });
}

/// Files that take little time and speak of much: types, charsets, prepared statements, metadata.
const MYSQLTEST: [&str; 12] = [
    "func_encrypt_ucs2",
    "func_int",
    "func_isnull",
    "func_regexp_pcre",
    "func_set",
    "func_sformat",
    "func_test",
    "metadata",
    "ps_10nestset",
    "ps_2myisam",
    "type_varbinary",
    "type_year",
];

#[test]
fn mysqltest_is_answered_as_by_one_server() {
    let tools = match mtr::Tools::find() {
        Ok(tools) => tools,
        Err(reason) => return skip::say(&format!("mysqltest: {reason}")),
    };
    let Some(world) = world(Kind::MariaDb) else { return };
    let mut list = mtr::List::load();
    let files = MYSQLTEST.map(str::to_owned);
    for layout in &mtr::LAYOUTS {
        let outcome = mtr::run(&world, &tools, &files, layout, &mut list);
        let outcome = outcome.unwrap_or_else(|reason| panic!("{reason}"));
        println!("{}: {}", layout.name, outcome.summary());
        assert!(outcome.files == files.len() && outcome.lines > 5000, "{}", outcome.summary());
        assert!(outcome.failures.is_empty(), "{}", outcome.failures.join("\n"));
    }
}

fn tpch(kind: Kind, scale: f64, queries: &[i32], layouts: &[(&str, &str)]) {
    passes("tpch", kind, |world, list| {
        tpch::run(world, scale, queries, layouts, list).unwrap_or_else(|reason| panic!("{reason}"))
    });
}

#[test]
fn tpch_is_answered_as_by_one_mariadb() {
    tpch(Kind::MariaDb, 0.002, &(1..=22).collect::<Vec<_>>(), &tpch::LAYOUTS);
}

#[test]
fn tpch_is_answered_as_by_one_mysql() {
    tpch(Kind::MySql, 0.001, &[1, 2, 4, 9, 11, 13, 15, 17, 21, 22], &tpch::LAYOUTS[..1]);
}

#[test]
fn tpcc_keeps_its_conditions_over_shards() {
    let Some(world) = world(Kind::MariaDb) else { return };
    let place = world.place("tpcc", tpcc::RULES).unwrap_or_else(|reason| panic!("{reason}"));
    let url = place.weir_url();
    tpcc::load(&url).unwrap_or_else(|reason| panic!("{reason}; {}", place.log_tail()));
    let run = |seed: u64| {
        let url = url.clone();
        std::thread::spawn(move || blocking(&url, async |_| tpcc::terminal(&url, seed, 60).await))
    };
    let terminals: Vec<_> = (1..=6).map(run).collect();
    let (mut orders, mut payments) = (0, 0);
    for terminal in terminals {
        let counts = terminal.join().expect("a terminal").unwrap_or_else(|reason| {
            panic!("{reason}; {}", place.log_tail());
        });
        orders += counts.orders;
        payments += counts.payments;
    }
    assert!(orders > 50 && payments > 50, "{orders} orders, {payments} payments");
    for (name, sql) in tpcc::CONDITIONS {
        let broken = sql::query(&url, sql).unwrap_or_else(|reason| panic!("{name}: {reason}"));
        assert!(broken.is_empty(), "{name}: {broken:?}");
    }
    let counted = |sql: &str| sql::query(&url, sql).expect("a count")[0][0].clone();
    assert_eq!(counted("SELECT count(*) FROM orders"), orders.to_string());
    assert_eq!(counted("SELECT count(*) FROM history"), payments.to_string());
}

#[test]
fn a_case_of_the_list_that_passes_is_told() {
    let text = "# x\nslt a:1 * *: because\nslt a:2 bound mysql: because\ntpch q1 * *: because\n";
    let mut list = Exceptions::read(text, "slt");
    assert!(!list.fails("a:1", "bound", "mariadb", false));
    assert!(!list.fails("a:2", "bound", "mysql", true));
    assert!(list.fails("a:2", "apart", "mysql", false));
    assert!(!list.fails("q1", "bound", "mysql", true));
    assert_eq!(list.stale(), ["a:2 bound mysql passes now; its reason was: because"]);
    let records = slt::records(
        "onlyif sqlite\nquery I nosort\nSELECT 1\n----\n1\n\nskipif mssql # x\nstatement ok\nDROP\n\n\
         query II rowsort label-1\nSELECT a,\n b\n----\n2 values\n\nonlyif mysql\nhalt\n\nquery I nosort\nSELECT 9\n",
    );
    let texts: Vec<&str> = records.iter().map(|record| record.sql.as_str()).collect();
    assert_eq!(texts, ["DROP", "SELECT a,\n b"]);
}
