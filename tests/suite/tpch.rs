//! TPC-H: its tables, rows of the crate `tpchgen`, and its 22 queries with fixed parameters.
//!
//! Owns: what has to be written otherwise for MySQL: interval precisions, a view as a common table
//! expression, names of a derived table's columns, the LIMITs that the specification gives in words.

use std::collections::HashSet;
use std::fmt::Display;

use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator,
    PartSuppGenerator, RegionGenerator, SupplierGenerator,
};
use tpchgen::q_and_a::queries::query;

use crate::oracle::tree::Mark;
use crate::suite::exceptions::Exceptions;
use crate::suite::place::{Place, World};
use crate::suite::slt::Outcome;
use crate::support::sql::blocking;

/// How the tables are sharded: a name, and the rules.
pub const LAYOUTS: [(&str, &str); 2] = [("orders", BY_ORDER), ("customers", BY_CUSTOMER)];

/// Lines with their orders, parts with their suppliers, customers by key.
const BY_ORDER: &str = "\
      orders: {key: [{column: o_orderkey, type: bigint}], algorithm: {kind: modulo}, shards: {count: 4, databases: \"{schema}_{0}\", groups: [g0, g1], tables: \"orders_{00}\"}}
      lineitem: {bind: orders, key: [{column: l_orderkey}], tables: \"lineitem_{00}\"}
      customer: {key: [{column: c_custkey, type: bigint}], algorithm: {kind: hash}, shards: {count: 4, databases: \"{schema}_{0}\", groups: [g0, g1], tables: \"customer_{00}\"}}
      part: {key: [{column: p_partkey, type: bigint}], algorithm: {kind: modulo}, shards: {count: 2, databases: \"{schema}_{0}\", groups: [g0, g1], tables: \"part_{00}\"}}
      partsupp: {bind: part, key: [{column: ps_partkey}], tables: \"partsupp_{00}\"}
      supplier: {key: [{column: s_suppkey, type: bigint}], algorithm: {kind: modulo}, shards: {count: 2, databases: \"{schema}_{0}\", groups: [g0, g1], tables: \"supplier_{00}\"}}
      nation: {broadcast: true}
      region: {broadcast: true}
";

/// Orders with their customers, lines by part, the rest in copies or on one group.
const BY_CUSTOMER: &str = "\
      customer: {key: [{column: c_custkey, type: bigint}], algorithm: {kind: modulo}, shards: {count: 2, databases: \"{schema}_{0}\", groups: [g0, g1], tables: customer, restart: true}}
      orders: {bind: customer, key: [{column: o_custkey}], tables: orders}
      lineitem: {key: [{column: l_partkey, type: bigint}], algorithm: {kind: hash}, shards: {count: 4, databases: \"{schema}_{0}\", groups: [g0, g1], tables: \"lineitem_{00}\"}}
      partsupp: {key: [{column: ps_suppkey, type: bigint}], algorithm: {kind: modulo}, shards: {count: 2, databases: \"{schema}_{0}\", groups: [g0, g1], tables: \"partsupp_{00}\"}}
      part: {group: g1}
      supplier: {broadcast: true}
      nation: {group: g0}
      region: {group: g1}
";

const TABLES: [&str; 8] = [
    "CREATE TABLE region (r_regionkey bigint NOT NULL PRIMARY KEY, r_name char(25) NOT NULL, \
     r_comment varchar(152))",
    "CREATE TABLE nation (n_nationkey bigint NOT NULL PRIMARY KEY, n_name char(25) NOT NULL, \
     n_regionkey bigint NOT NULL, n_comment varchar(152))",
    "CREATE TABLE part (p_partkey bigint NOT NULL PRIMARY KEY, p_name varchar(55) NOT NULL, \
     p_mfgr char(25) NOT NULL, p_brand char(10) NOT NULL, p_type varchar(25) NOT NULL, \
     p_size int NOT NULL, p_container char(10) NOT NULL, p_retailprice decimal(15,2) NOT NULL, \
     p_comment varchar(23) NOT NULL)",
    "CREATE TABLE supplier (s_suppkey bigint NOT NULL PRIMARY KEY, s_name char(25) NOT NULL, \
     s_address varchar(40) NOT NULL, s_nationkey bigint NOT NULL, s_phone char(15) NOT NULL, \
     s_acctbal decimal(15,2) NOT NULL, s_comment varchar(101) NOT NULL)",
    "CREATE TABLE partsupp (ps_partkey bigint NOT NULL, ps_suppkey bigint NOT NULL, \
     ps_availqty int NOT NULL, ps_supplycost decimal(15,2) NOT NULL, \
     ps_comment varchar(199) NOT NULL, PRIMARY KEY (ps_partkey, ps_suppkey))",
    "CREATE TABLE customer (c_custkey bigint NOT NULL PRIMARY KEY, c_name varchar(25) NOT NULL, \
     c_address varchar(40) NOT NULL, c_nationkey bigint NOT NULL, c_phone char(15) NOT NULL, \
     c_acctbal decimal(15,2) NOT NULL, c_mktsegment char(10) NOT NULL, \
     c_comment varchar(117) NOT NULL)",
    "CREATE TABLE orders (o_orderkey bigint NOT NULL, o_custkey bigint NOT NULL, \
     o_orderstatus char(1) NOT NULL, o_totalprice decimal(15,2) NOT NULL, \
     o_orderdate date NOT NULL, o_orderpriority char(15) NOT NULL, o_clerk char(15) NOT NULL, \
     o_shippriority int NOT NULL, o_comment varchar(79) NOT NULL, \
     PRIMARY KEY (o_orderkey, o_custkey), KEY (o_custkey))",
    "CREATE TABLE lineitem (l_orderkey bigint NOT NULL, l_partkey bigint NOT NULL, \
     l_suppkey bigint NOT NULL, l_linenumber int NOT NULL, l_quantity decimal(15,2) NOT NULL, \
     l_extendedprice decimal(15,2) NOT NULL, l_discount decimal(15,2) NOT NULL, \
     l_tax decimal(15,2) NOT NULL, l_returnflag char(1) NOT NULL, l_linestatus char(1) NOT NULL, \
     l_shipdate date NOT NULL, l_commitdate date NOT NULL, l_receiptdate date NOT NULL, \
     l_shipinstruct char(25) NOT NULL, l_shipmode char(10) NOT NULL, \
     l_comment varchar(44) NOT NULL, PRIMARY KEY (l_orderkey, l_linenumber, l_partkey), \
     KEY (l_partkey, l_suppkey))",
];

/// Rows of one INSERT.
const ROWS: usize = 500;

/// Makes the tables on both sides and fills them; `scale` 1 is a gigabyte.
pub fn load(place: &Place<'_>, scale: f64) -> Result<(), String> {
    place.execute(&TABLES)?;
    fill(place, "region", RegionGenerator::new(scale, 1, 1).iter())?;
    fill(place, "nation", NationGenerator::new(scale, 1, 1).iter())?;
    fill(place, "part", PartGenerator::new(scale, 1, 1).iter())?;
    fill(place, "supplier", SupplierGenerator::new(scale, 1, 1).iter())?;
    fill(place, "partsupp", PartSuppGenerator::new(scale, 1, 1).iter())?;
    fill(place, "customer", CustomerGenerator::new(scale, 1, 1).iter())?;
    fill(place, "orders", OrderGenerator::new(scale, 1, 1).iter())?;
    fill(place, "lineitem", LineItemGenerator::new(scale, 1, 1).iter())?;
    let analyze =
        "ANALYZE TABLE region, nation, part, supplier, partsupp, customer, orders, lineitem";
    crate::support::sql::execute(&place.plain_url(), &[analyze])
}

fn fill(
    place: &Place<'_>,
    table: &str,
    rows: impl Iterator<Item = impl Display>,
) -> Result<(), String> {
    // A row is shown as `a|b|c|`.
    let row = |line: String| {
        let cells = line.trim_end_matches('|').split('|');
        let cells = cells.map(|cell| match cell.parse::<f64>() {
            Ok(_) => cell.to_owned(),
            Err(_) => format!("'{}'", cell.replace('\'', "''")),
        });
        format!("({})", cells.collect::<Vec<_>>().join(","))
    };
    // Where there are few suppliers a part has one twice.
    let mut pairs = HashSet::new();
    let mut is_new = |line: &String| {
        let pair = line.split('|').take(2).map(str::to_owned).collect::<Vec<_>>();
        table != "partsupp" || pairs.insert(pair)
    };
    let rows: Vec<String> =
        rows.map(|line| line.to_string()).filter(|line| is_new(line)).map(row).collect();
    let inserts =
        rows.chunks(ROWS).map(|rows| format!("INSERT INTO {table} VALUES {}", rows.join(",")));
    let inserts: Vec<String> = inserts.collect();
    let inserts: Vec<&str> = inserts.iter().map(String::as_str).collect();
    place.execute(&inserts)
}

/// The specification's parameters, some turned so that a small scale has rows.
fn parameters(number: i32) -> &'static [&'static str] {
    match number {
        1 => &["90"],
        2 => &["15", "BRASS", "EUROPE"],
        3 => &["BUILDING", "1995-03-15"],
        4 => &["1993-07-01"],
        5 => &["ASIA", "1994-01-01"],
        6 => &["1994-01-01", "0.06", "24"],
        7 => &["FRANCE", "GERMANY"],
        8 => &["BRAZIL", "AMERICA", "ECONOMY ANODIZED STEEL"],
        9 => &["green"],
        10 => &["1993-10-01"],
        11 => &["GERMANY", "0.01"],
        12 => &["MAIL", "SHIP", "1994-01-01"],
        13 => &["special", "requests"],
        14 => &["1995-09-01"],
        15 => &["1996-01-01"],
        16 => &["Brand#45", "MEDIUM POLISHED", "49", "14", "23", "45", "19", "3", "36", "9"],
        17 => &["Brand#23", "MED BOX"],
        18 => &["200"],
        19 => &["Brand#12", "Brand#23", "Brand#34", "1", "10", "20"],
        20 => &["f", "1994-01-01", "CANADA"],
        21 => &["SAUDI ARABIA"],
        _ => &["13", "31", "23", "29", "30", "18", "17"],
    }
}

/// A query, from 1 to 22.
pub fn text(number: i32) -> String {
    let mut text = query(number).expect("one of 22").trim().to_owned();
    for (index, value) in parameters(number).iter().enumerate().rev() {
        text = text.replace(&format!(":{}", index + 1), value);
    }
    let limit = match number {
        2 | 18 | 21 => " limit 100",
        3 => " limit 10",
        10 => " limit 20",
        _ => "",
    };
    let text = match number {
        1 => text.replace(" day (3)", " day"),
        13 => text
            .replace("count(o_orderkey)", "count(o_orderkey) as c_count")
            .replace("c_orders (c_custkey, c_count)", "c_orders"),
        15 => {
            let (view, rest) = text.split_once(';').expect("a view and a query");
            let (query, _) = rest.split_once(';').expect("a query and the view's end");
            let (head, body) = view.split_once(" as\n").expect("a view's query");
            let head = head.replace("create view", "with").replace(":s", "0");
            format!("{head} as (\n{body}\n){}", query.replace(":s", "0"))
        }
        _ => text,
    };
    format!("{}{limit}", text.trim().trim_end_matches(';'))
}

/// The columns that fix the rows' order, by their places, where any do.
const ORDERED: [i32; 14] = [1, 4, 5, 7, 8, 9, 12, 13, 15, 16, 20, 21, 22, 2];

/// Asks the queries on both sides, as text and prepared.
pub fn run(
    world: &World,
    scale: f64,
    queries: &[i32],
    layouts: &[(&str, &str)],
    list: &mut Exceptions,
) -> Result<Outcome, String> {
    let (kind, mut outcome) = (world.kind.name(), Outcome::default());
    for (layout, rules) in layouts {
        let place = world.place("tpch", rules)?;
        load(&place, scale)?;
        let one = blocking(&place.plain_url(), async |_| {
            let mut both = place.both().await?;
            let mut one = Outcome::default();
            for number in queries {
                let sql = text(*number);
                let marks: &[Mark] = if ORDERED.contains(number) {
                    &[Mark::Ordered, Mark::Grouped]
                } else {
                    &[Mark::Grouped]
                };
                for prepared in [false, true] {
                    let began = std::time::Instant::now();
                    let what = one.note(&both.ask(&sql, marks, prepared).await);
                    println!(
                        "{kind} {layout} Q{number} prepared {prepared}: {:?} {what}",
                        began.elapsed()
                    );
                    let case = format!("q{number}");
                    if list.fails(&case, layout, kind, what.is_empty()) {
                        one.failures.push(format!("{case} {layout} {kind}: {what}\n{sql}"));
                    }
                }
            }
            both.close().await;
            Ok(one)
        })?;
        outcome.add(one);
    }
    outcome.excepted = list.needed();
    Ok(outcome)
}
