//! A TPC-C mix over warehouses, and its consistency conditions.
//!
//! Owns: the five transactions in small, with orders and payments that reach other warehouses, so
//! that some commit over two groups. Never: measures.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};

use crate::support::dice::Dice;

/// All by warehouse, items in copies.
pub const RULES: &str = "\
      warehouse: {key: [{column: w_id, type: int}], algorithm: {kind: modulo}, shards: {count: 4, databases: \"{schema}_{0}\", groups: [g0, g1], tables: \"warehouse_{00}\"}}
      district: {bind: warehouse, key: [{column: d_w_id}], tables: \"district_{00}\"}
      customer: {bind: warehouse, key: [{column: c_w_id}], tables: \"customer_{00}\"}
      history: {bind: warehouse, key: [{column: h_w_id}], tables: \"history_{00}\"}
      new_order: {bind: warehouse, key: [{column: no_w_id}], tables: \"new_order_{00}\"}
      orders: {bind: warehouse, key: [{column: o_w_id}], tables: \"orders_{00}\"}
      order_line: {bind: warehouse, key: [{column: ol_w_id}], tables: \"order_line_{00}\"}
      stock: {bind: warehouse, key: [{column: s_w_id}], tables: \"stock_{00}\"}
      item: {broadcast: true}
";

pub const WAREHOUSES: u64 = 4;
const DISTRICTS: u64 = 3;
const CUSTOMERS: u64 = 20;
const ITEMS: u64 = 60;

const TABLES: [&str; 9] = [
    "CREATE TABLE warehouse (w_id int NOT NULL PRIMARY KEY, w_ytd decimal(12,2) NOT NULL, \
     w_tax decimal(4,4) NOT NULL)",
    "CREATE TABLE district (d_w_id int NOT NULL, d_id int NOT NULL, d_ytd decimal(12,2) NOT NULL, \
     d_tax decimal(4,4) NOT NULL, d_next_o_id int NOT NULL, PRIMARY KEY (d_w_id, d_id))",
    "CREATE TABLE customer (c_w_id int NOT NULL, c_d_id int NOT NULL, c_id int NOT NULL, \
     c_last varchar(16) NOT NULL, c_balance decimal(12,2) NOT NULL, \
     c_ytd_payment decimal(12,2) NOT NULL, c_delivery_cnt int NOT NULL, \
     PRIMARY KEY (c_w_id, c_d_id, c_id), KEY (c_w_id, c_d_id, c_last))",
    "CREATE TABLE history (h_w_id int NOT NULL, h_d_id int NOT NULL, h_c_w_id int NOT NULL, \
     h_c_d_id int NOT NULL, h_c_id int NOT NULL, h_amount decimal(6,2) NOT NULL, KEY (h_w_id, h_d_id))",
    "CREATE TABLE orders (o_w_id int NOT NULL, o_d_id int NOT NULL, o_id int NOT NULL, \
     o_c_id int NOT NULL, o_carrier_id int, o_ol_cnt int NOT NULL, o_all_local int NOT NULL, \
     PRIMARY KEY (o_w_id, o_d_id, o_id))",
    "CREATE TABLE new_order (no_w_id int NOT NULL, no_d_id int NOT NULL, no_o_id int NOT NULL, \
     PRIMARY KEY (no_w_id, no_d_id, no_o_id))",
    "CREATE TABLE order_line (ol_w_id int NOT NULL, ol_d_id int NOT NULL, ol_o_id int NOT NULL, \
     ol_number int NOT NULL, ol_i_id int NOT NULL, ol_supply_w_id int NOT NULL, \
     ol_delivered int NOT NULL, ol_quantity int NOT NULL, ol_amount decimal(8,2) NOT NULL, \
     PRIMARY KEY (ol_w_id, ol_d_id, ol_o_id, ol_number))",
    "CREATE TABLE stock (s_w_id int NOT NULL, s_i_id int NOT NULL, s_quantity int NOT NULL, \
     s_ytd int NOT NULL, s_order_cnt int NOT NULL, s_remote_cnt int NOT NULL, \
     PRIMARY KEY (s_w_id, s_i_id))",
    "CREATE TABLE item (i_id int NOT NULL PRIMARY KEY, i_price decimal(5,2) NOT NULL)",
];

/// Statements that show rows where a condition of the specification's clause 3.3.2 is broken.
pub const CONDITIONS: [(&str, &str); 9] = [
    (
        "1: a warehouse's sum is that of its districts",
        "SELECT w_id FROM warehouse JOIN (SELECT d_w_id, sum(d_ytd) AS s FROM district \
         GROUP BY d_w_id) d ON d_w_id = w_id WHERE w_ytd <> s",
    ),
    (
        "2: the next order's number follows the last one's",
        "SELECT d_w_id, d_id FROM district LEFT JOIN (SELECT o_w_id, o_d_id, max(o_id) AS m FROM orders \
         GROUP BY o_w_id, o_d_id) o ON o_w_id = d_w_id AND o_d_id = d_id \
         WHERE d_next_o_id - 1 <> coalesce(m, 0)",
    ),
    (
        "3: new orders have numbers without holes",
        "SELECT no_w_id, no_d_id FROM new_order GROUP BY no_w_id, no_d_id \
         HAVING max(no_o_id) - min(no_o_id) + 1 <> count(*)",
    ),
    (
        "4: orders have as many lines as they say",
        "SELECT o.w, o.d FROM (SELECT o_w_id AS w, o_d_id AS d, sum(o_ol_cnt) AS n FROM orders \
         GROUP BY o_w_id, o_d_id) o LEFT JOIN (SELECT ol_w_id AS w, ol_d_id AS d, count(*) AS n \
         FROM order_line GROUP BY ol_w_id, ol_d_id) l ON l.w = o.w AND l.d = o.d WHERE NOT (o.n <=> l.n)",
    ),
    (
        "5: an order without a carrier is a new one",
        "SELECT o_w_id, o_d_id, o_id FROM orders LEFT JOIN new_order ON no_w_id = o_w_id \
         AND no_d_id = o_d_id AND no_o_id = o_id WHERE (o_carrier_id IS NULL) <> (no_o_id IS NOT NULL)",
    ),
    (
        "7: lines are delivered with their orders",
        "SELECT ol_w_id, ol_d_id, ol_o_id FROM order_line JOIN orders ON o_w_id = ol_w_id \
         AND o_d_id = ol_d_id AND o_id = ol_o_id WHERE (o_carrier_id IS NULL) <> (ol_delivered = 0)",
    ),
    (
        "8: a warehouse's sum is that of its history",
        "SELECT w_id FROM warehouse LEFT JOIN (SELECT h_w_id, sum(h_amount) AS s FROM history \
         GROUP BY h_w_id) h ON h_w_id = w_id WHERE w_ytd <> coalesce(s, 0)",
    ),
    (
        "10: a customer's balance is what was delivered less what was paid",
        "SELECT c_w_id, c_d_id, c_id, c_balance, got, paid FROM customer \
         LEFT JOIN (SELECT o_w_id, o_d_id, o_c_id, sum(ol_amount) AS got FROM orders \
         JOIN order_line ON ol_w_id = o_w_id AND ol_d_id = o_d_id AND ol_o_id = o_id \
         WHERE ol_delivered = 1 GROUP BY o_w_id, o_d_id, o_c_id) o \
         ON o_w_id = c_w_id AND o_d_id = c_d_id AND o_c_id = c_id \
         LEFT JOIN (SELECT h_c_w_id, h_c_d_id, h_c_id, sum(h_amount) AS paid FROM history \
         GROUP BY h_c_w_id, h_c_d_id, h_c_id) h ON h_c_w_id = c_w_id AND h_c_d_id = c_d_id \
         AND h_c_id = c_id WHERE c_balance <> coalesce(got, 0) - coalesce(paid, 0)",
    ),
    (
        "stock: what left a warehouse is what was ordered of it",
        "SELECT s_w_id, s_i_id FROM stock LEFT JOIN (SELECT ol_supply_w_id, ol_i_id, \
         sum(ol_quantity) AS n FROM order_line GROUP BY ol_supply_w_id, ol_i_id) l \
         ON ol_supply_w_id = s_w_id AND ol_i_id = s_i_id WHERE s_ytd <> coalesce(n, 0)",
    ),
];

/// Makes the tables and their first rows.
pub fn load(url: &str) -> Result<(), String> {
    let mut statements: Vec<String> = TABLES.iter().map(|sql| (*sql).to_owned()).collect();
    let items = (1..=ITEMS).map(|item| format!("({item}, {}.99)", item % 90 + 1));
    statements.push(format!("INSERT INTO item VALUES {}", joined(items)));
    for w in 1..=WAREHOUSES {
        statements.push(format!("INSERT INTO warehouse VALUES ({w}, 0, 0.1000)"));
        let stock = (1..=ITEMS).map(|item| format!("({w}, {item}, 50, 0, 0, 0)"));
        statements.push(format!("INSERT INTO stock VALUES {}", joined(stock)));
        let districts = (1..=DISTRICTS).map(|d| format!("({w}, {d}, 0, 0.0500, 1)"));
        statements.push(format!("INSERT INTO district VALUES {}", joined(districts)));
        for d in 1..=DISTRICTS {
            let customers =
                (1..=CUSTOMERS).map(|c| format!("({w}, {d}, {c}, 'NAME{}', 0, 0, 0)", c % 7));
            statements.push(format!("INSERT INTO customer VALUES {}", joined(customers)));
        }
    }
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    crate::support::sql::execute(url, &statements)
}

fn joined(rows: impl Iterator<Item = String>) -> String {
    rows.collect::<Vec<_>>().join(", ")
}

/// How many transactions of each kind were committed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub orders: u64,
    pub payments: u64,
    pub deliveries: u64,
    pub reads: u64,
    /// Begun again after a deadlock or a lock's timeout.
    pub again: u64,
    /// Rolled back by the client, as one order in a hundred is.
    pub rolled_back: u64,
}

/// One terminal: so many transactions, one after the other.
pub async fn terminal(url: &str, seed: u64, transactions: u64) -> Result<Counts, String> {
    let opts = Opts::from_url(url).map_err(|error| error.to_string())?;
    let opts = OptsBuilder::from_opts(opts).stmt_cache_size(64);
    let mut conn = Conn::new(opts).await.map_err(|error| error.to_string())?;
    let (mut dice, mut counts) = (Dice::new(seed), Counts::default());
    let mut done = 0;
    while done < transactions {
        let (kind, fork) = (dice.below(100), dice.draw());
        let mut draw = Dice::new(fork);
        let outcome = match kind {
            0..45 => new_order(&mut conn, &mut draw).await,
            45..88 => payment(&mut conn, &mut draw).await,
            88..92 => delivery(&mut conn, &mut draw).await,
            _ => reads(&mut conn, &mut draw).await,
        };
        match outcome {
            Ok(committed) => {
                done += 1;
                let count = match kind {
                    _ if !committed => &mut counts.rolled_back,
                    0..45 => &mut counts.orders,
                    45..88 => &mut counts.payments,
                    88..92 => &mut counts.deliveries,
                    _ => &mut counts.reads,
                };
                *count += 1;
            }
            Err(mysql_async::Error::Server(error)) if matches!(error.code, 1213 | 1205) => {
                counts.again += 1;
                conn.query_drop("ROLLBACK").await.map_err(|error| error.to_string())?;
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    let _ = conn.disconnect().await;
    Ok(counts)
}

/// Another warehouse one time in `of`.
fn warehouse(home: u64, of: u64, dice: &mut Dice) -> u64 {
    match dice.below(of) {
        0 => 1 + dice.below(WAREHOUSES),
        _ => home,
    }
}

async fn new_order(conn: &mut Conn, dice: &mut Dice) -> mysql_async::Result<bool> {
    let (w, d) = (1 + dice.below(WAREHOUSES), 1 + dice.below(DISTRICTS));
    let customer = 1 + dice.below(CUSTOMERS);
    conn.query_drop("BEGIN").await?;
    let number: Option<u64> = conn
        .exec_first(
            "SELECT d_next_o_id FROM district WHERE d_w_id = ? AND d_id = ? FOR UPDATE",
            (w, d),
        )
        .await?;
    let number = number.unwrap_or_default();
    let next = "UPDATE district SET d_next_o_id = ? WHERE d_w_id = ? AND d_id = ?";
    conn.exec_drop(next, (number + 1, w, d)).await?;
    let lines = 3 + dice.below(6);
    let mut items: Vec<(u64, u64)> =
        (0..lines).map(|_| (warehouse(w, 8, dice), 1 + dice.below(ITEMS))).collect();
    items.sort_unstable();
    let local = u64::from(items.iter().all(|(supplier, _)| *supplier == w));
    conn.exec_drop(
        "INSERT INTO orders VALUES (?, ?, ?, ?, NULL, ?, ?)",
        (w, d, number, customer, lines, local),
    )
    .await?;
    conn.exec_drop("INSERT INTO new_order VALUES (?, ?, ?)", (w, d, number)).await?;
    for (line, (supplier, item)) in items.into_iter().enumerate() {
        let quantity = 1 + dice.below(10);
        let price: Option<f64> =
            conn.exec_first("SELECT i_price FROM item WHERE i_id = ?", (item,)).await?;
        conn.exec_drop(
            "UPDATE stock SET s_quantity = IF(s_quantity >= ? + 10, s_quantity - ?, s_quantity - ? + 91), \
             s_ytd = s_ytd + ?, s_order_cnt = s_order_cnt + 1, s_remote_cnt = s_remote_cnt + ? \
             WHERE s_w_id = ? AND s_i_id = ?",
            (quantity, quantity, quantity, quantity, u64::from(supplier != w), supplier, item),
        )
        .await?;
        let amount = format!("{:.2}", price.unwrap_or_default() * quantity as f64);
        conn.exec_drop(
            "INSERT INTO order_line VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?)",
            (w, d, number, line + 1, item, supplier, quantity, amount),
        )
        .await?;
    }
    let committed = dice.below(100) != 0;
    conn.query_drop(if committed { "COMMIT" } else { "ROLLBACK" }).await?;
    Ok(committed)
}

async fn payment(conn: &mut Conn, dice: &mut Dice) -> mysql_async::Result<bool> {
    let (w, d) = (1 + dice.below(WAREHOUSES), 1 + dice.below(DISTRICTS));
    let (cw, cd) = (warehouse(w, 6, dice), 1 + dice.below(DISTRICTS));
    let amount = format!("{}.{:02}", 1 + dice.below(500), dice.below(100));
    conn.query_drop("BEGIN").await?;
    conn.exec_drop("UPDATE warehouse SET w_ytd = w_ytd + ? WHERE w_id = ?", (&amount, w)).await?;
    let district = "UPDATE district SET d_ytd = d_ytd + ? WHERE d_w_id = ? AND d_id = ?";
    conn.exec_drop(district, (&amount, w, d)).await?;
    let customer = match dice.below(10) {
        0..6 => {
            let name = format!("NAME{}", dice.below(7));
            let found: Vec<u64> = conn
                .exec(
                    "SELECT c_id FROM customer WHERE c_w_id = ? AND c_d_id = ? AND c_last = ? ORDER BY c_id",
                    (cw, cd, name),
                )
                .await?;
            found.get(found.len() / 2).copied().unwrap_or(1)
        }
        _ => 1 + dice.below(CUSTOMERS),
    };
    conn.exec_drop(
        "UPDATE customer SET c_balance = c_balance - ?, c_ytd_payment = c_ytd_payment + ? \
         WHERE c_w_id = ? AND c_d_id = ? AND c_id = ?",
        (&amount, &amount, cw, cd, customer),
    )
    .await?;
    let history = "INSERT INTO history VALUES (?, ?, ?, ?, ?, ?)";
    conn.exec_drop(history, (w, d, cw, cd, customer, &amount)).await?;
    conn.query_drop("COMMIT").await?;
    Ok(true)
}

/// Reads what is there now: its orders may be newer than the transaction's view.
async fn delivery(conn: &mut Conn, dice: &mut Dice) -> mysql_async::Result<bool> {
    let w = 1 + dice.below(WAREHOUSES);
    conn.query_drop("BEGIN").await?;
    for d in 1..=DISTRICTS {
        let oldest: Option<u64> = conn
            .exec_first(
                "SELECT no_o_id FROM new_order WHERE no_w_id = ? AND no_d_id = ? \
                 ORDER BY no_o_id LIMIT 1 FOR UPDATE",
                (w, d),
            )
            .await?;
        let Some(number) = oldest else { continue };
        let order = (w, d, number);
        let customer: Option<u64> = conn
            .exec_first(
                "SELECT o_c_id FROM orders WHERE o_w_id = ? AND o_d_id = ? AND o_id = ? FOR UPDATE",
                order,
            )
            .await?;
        // MariaDB shows one row of a transaction that is just being committed, and not yet another.
        if customer.is_none() {
            conn.query_drop("ROLLBACK").await?;
            return Ok(false);
        }
        let gone = "DELETE FROM new_order WHERE no_w_id = ? AND no_d_id = ? AND no_o_id = ?";
        conn.exec_drop(gone, (w, d, number)).await?;
        conn.exec_drop(
            "UPDATE orders SET o_carrier_id = 7 WHERE o_w_id = ? AND o_d_id = ? AND o_id = ?",
            order,
        )
        .await?;
        conn.exec_drop(
            "UPDATE order_line SET ol_delivered = 1 WHERE ol_w_id = ? AND ol_d_id = ? AND ol_o_id = ?",
            order,
        )
        .await?;
        let sum: Option<String> = conn
            .exec_first(
                "SELECT sum(ol_amount) FROM order_line WHERE ol_w_id = ? AND ol_d_id = ? AND ol_o_id = ? \
                 FOR UPDATE",
                order,
            )
            .await?;
        conn.exec_drop(
            "UPDATE customer SET c_balance = c_balance + ?, c_delivery_cnt = c_delivery_cnt + 1 \
             WHERE c_w_id = ? AND c_d_id = ? AND c_id = ?",
            (sum, w, d, customer),
        )
        .await?;
    }
    conn.query_drop("COMMIT").await?;
    Ok(true)
}

/// Order status and stock level.
async fn reads(conn: &mut Conn, dice: &mut Dice) -> mysql_async::Result<bool> {
    let (w, d) = (1 + dice.below(WAREHOUSES), 1 + dice.below(DISTRICTS));
    let customer = 1 + dice.below(CUSTOMERS);
    conn.query_drop("BEGIN").await?;
    let _: Vec<(u64, u64)> = conn
        .exec(
            "SELECT o_id, ol_i_id FROM orders JOIN order_line ON ol_w_id = o_w_id AND ol_d_id = o_d_id \
             AND ol_o_id = o_id WHERE o_w_id = ? AND o_d_id = ? AND o_c_id = ? ORDER BY o_id DESC LIMIT 9",
            (w, d, customer),
        )
        .await?;
    let low: Option<u64> = conn
        .exec_first(
            "SELECT count(DISTINCT s_i_id) FROM order_line JOIN stock ON s_w_id = ol_w_id \
             AND s_i_id = ol_i_id WHERE ol_w_id = ? AND ol_d_id = ? AND s_quantity < ?",
            (w, d, 10 + dice.below(11)),
        )
        .await?;
    assert!(low.is_some(), "a count");
    conn.query_drop("COMMIT").await?;
    Ok(true)
}
