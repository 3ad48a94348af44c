//! Hints on real servers: Weir's own and TDDL's, over the shards of the shop.
//!
//! Owns: that the rows which a hint leaves are those of its shards, whatever way the statement takes. Never:
//! which plan that is, which `tests/data/plan` holds.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::support::rig::{self, Rig};
use crate::workbench::{code, connect};

/// A Weir that knows TDDL's names of the shop's four databases.
fn ruled(rig: &Rig) -> (crate::support::proxy::Proxy, std::path::PathBuf) {
    rig.another_edited(&[], &|rules| {
        for file in std::fs::read_dir(rules).expect("rules").flatten() {
            let text = std::fs::read_to_string(file.path()).unwrap_or_default();
            let place = |n: u32| {
                format!("      SHOP_000{n}_GROUP: {{group: g{}, database: shop_000{n}}}\n", n / 2)
            };
            let groups: String = (0..4).map(place).collect();
            let line = "    databases: {g0: shop_0000, g1: shop_0002}\n";
            let edited = text.replace(line, &format!("{line}    tddl_groups:\n{groups}"));
            if edited != text {
                std::fs::write(file.path(), edited).expect("the rules");
            }
        }
    })
    .expect("another Weir")
}

async fn number(conn: &mut Conn, sql: &str) -> u64 {
    let found: Result<Option<u64>, _> = conn.query_first(sql).await;
    found.unwrap_or_else(|error| panic!("{sql}: {error}")).unwrap_or_else(|| panic!("{sql}"))
}

async fn refused(conn: &mut Conn, sql: &str) {
    let error = conn.query_drop(sql).await.expect_err(sql);
    let (_, message) = code(&error);
    assert!(message.contains("hint"), "{sql}: {message}");
}

/// `users`, `orders` and `order_items` are sharded by `user_id` modulo 16, four shards a database.
#[tokio::test(flavor = "multi_thread")]
async fn reads_have_the_rows_of_their_shards() {
    for rig in rig::shared_kinds() {
        let (proxy, _rules) = ruled(rig);
        let mut conn = connect(&proxy.url("shop")).await;
        let five = number(&mut conn, "SELECT COUNT(*) FROM orders WHERE user_id % 16 = 5").await;
        let database =
            number(&mut conn, "SELECT COUNT(*) FROM orders WHERE user_id % 16 BETWEEN 4 AND 7")
                .await;
        assert!(five > 0 && database > five);
        // With a blank behind the colon: the driver takes `:scan` for a parameter's name.
        for hint in [
            "weir: shard(orders, 5)",
            "TDDL: scan('orders', real_table=('orders_0005'))",
            "TDDL: scan('orders', condition='orders.user_id = 5')",
            "TDDL: scan('orders', condition='user_id in (5, 21)', node='SHOP_0001_GROUP')",
        ] {
            for from in [
                "COUNT(*) FROM orders",
                // The workbench's.
                "COUNT(DISTINCT o.order_id) FROM orders o JOIN items i ON i.item_id + o.order_id > 0",
                "COUNT(*) FROM (SELECT order_id, COUNT(*) FROM orders GROUP BY order_id) x",
            ] {
                let sql = format!("SELECT /*+{hint}*/ {from}");
                assert_eq!(number(&mut conn, &sql).await, five, "{sql}");
                let prepared: Option<u64> = conn.exec_first(&sql, ()).await.unwrap();
                assert_eq!(prepared, Some(five), "prepared: {sql}");
                let set = format!("SET @five = (SELECT /*+{hint}*/ {from})");
                conn.query_drop(&set).await.unwrap_or_else(|error| panic!("{set}: {error}"));
                assert_eq!(number(&mut conn, "SELECT @five").await, five, "{set}");
            }
        }
        for hint in ["node='SHOP_0001_GROUP'", "'orders', node='1'"] {
            let sql = format!("/*+TDDL:scan({hint})*/ SELECT COUNT(*) FROM orders");
            assert_eq!(number(&mut conn, &sql).await, database, "{sql}");
        }
        for node in ["SHOP_0001_GROUP", "1"] {
            let sql = format!("/*+TDDL:node('{node}')*/ SELECT COUNT(*) FROM orders_0005");
            assert_eq!(number(&mut conn, &sql).await, five, "{sql}");
        }
        // Two nodes of one group.
        let both = "/*+TDDL:node('SHOP_0000_GROUP', 'SHOP_0001_GROUP')*/ SELECT 1";
        let rows: Vec<u8> = conn.query(both).await.unwrap();
        assert_eq!(rows, [1, 1]);
        for hint in ["master()", "slave()"] {
            let sql = format!("/*+TDDL:{hint}*/ SELECT COUNT(*) FROM orders");
            assert!(number(&mut conn, &sql).await > database, "{sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_change_the_rows_of_their_shards() {
    for rig in rig::shared_kinds() {
        let (proxy, _rules) = ruled(rig);
        let mut conn = connect(&proxy.url("shop")).await;
        let all = number(&mut conn, "SELECT COUNT(*) FROM orders").await;
        let five = number(&mut conn, "SELECT COUNT(*) FROM orders WHERE user_id % 16 = 5").await;
        conn.query_drop("BEGIN").await.unwrap();
        for sql in [
            "/*+TDDL:scan('orders', real_table=('orders_0005'))*/ UPDATE orders SET total = total + 1",
            "/*+TDDL:node('SHOP_0001_GROUP')*/ UPDATE orders_0005 SET total = total + 1",
            "/*+TDDL:scan('orders', condition='user_id=5')*/ DELETE FROM orders",
        ] {
            conn.query_drop(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            assert_eq!(conn.affected_rows(), five, "{sql}");
        }
        assert_eq!(number(&mut conn, "SELECT COUNT(*) FROM orders").await, all - five);
        conn.query_drop("ROLLBACK").await.unwrap();
        let insert = "INSERT /*+ weir: shard(orders, 5) */ INTO orders \
                      (order_id, user_id, region_id, total, created_at) VALUES ";
        let row = |user: u64| format!("({}, {user}, 1, 2, '2024-01-01')", 970_000 + user);
        conn.query_drop("BEGIN").await.unwrap();
        conn.query_drop(format!("{insert}{}, {}", row(5), row(21))).await.unwrap();
        assert_eq!(conn.affected_rows(), 2);
        refused(&mut conn, &format!("{insert}{}, {}", row(37), row(6))).await;
        let prepared = format!("{insert}(?, ?, 1, 2, '2024-01-01')");
        conn.exec_drop(&prepared, (970_037, 37)).await.unwrap();
        conn.exec_drop(&prepared, (970_006, 6)).await.expect_err("another shard's");
        assert_eq!(number(&mut conn, "SELECT COUNT(*) FROM orders").await, all + 3);
        conn.query_drop("ROLLBACK").await.unwrap();
        assert_eq!(number(&mut conn, "SELECT COUNT(*) FROM orders").await, all);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_and_views_are_made_of_the_rows_of_a_shard() {
    for rig in rig::shared_kinds() {
        let (proxy, _rules) = ruled(rig);
        let mut conn = connect(&proxy.url("shop")).await;
        let five = number(&mut conn, "SELECT COUNT(*) FROM orders WHERE user_id % 16 = 5").await;
        for create in [
            "CREATE TABLE hinted_made AS SELECT /*+ weir: shard(orders, 5) */ order_id FROM orders",
            "/*+TDDL:scan('orders', real_table=('orders_0005'))*/ CREATE TABLE hinted_made AS \
             SELECT order_id FROM orders",
        ] {
            conn.query_drop("DROP TABLE IF EXISTS hinted_made").await.unwrap();
            conn.query_drop(create).await.unwrap_or_else(|error| panic!("{create}: {error}"));
            let made = number(&mut conn, "SELECT COUNT(*) FROM hinted_made").await;
            assert_eq!(made, five, "{create}");
        }
        conn.query_drop("DELETE FROM hinted_made").await.unwrap();
        let insert =
            "INSERT INTO hinted_made SELECT /*+ weir: shard(orders, 5) */ order_id FROM orders";
        conn.query_drop(insert).await.unwrap();
        assert_eq!(conn.affected_rows(), five);
        conn.query_drop("DROP TABLE hinted_made").await.unwrap();
        conn.query_drop("CREATE OR REPLACE VIEW hinted_view AS SELECT order_id FROM orders")
            .await
            .unwrap();
        let sql = "SELECT /*+ weir: shard(orders, 5) */ order_id FROM hinted_view";
        let rows: Vec<mysql_async::Row> = conn.query(sql).await.unwrap();
        assert_eq!(rows.len() as u64, five);
        let prepared: Vec<u64> = conn.exec(sql, ()).await.unwrap();
        assert_eq!(prepared.len() as u64, five);
        refused(&mut conn, "SELECT /*+ weir: shard(hinted_view, 5) */ order_id FROM hinted_view")
            .await;
        conn.query_drop("DROP VIEW hinted_view").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_t_be_obeyed_is_refused_and_no_hint_leads_elsewhere() {
    for rig in rig::shared_kinds() {
        let (proxy, _rules) = ruled(rig);
        let mut conn = connect(&proxy.url("shop")).await;
        let route: Vec<String> = conn
            .query("EXPLAIN ROUTE /*+ weir: shard(orders, 5) */ SELECT * FROM orders")
            .await
            .unwrap();
        assert!(route.iter().any(|line| line.contains("shard 5")), "{route:?}");
        for sql in [
            "/*+ weir: shard(orders, 5) */ EXPLAIN ROUTE SELECT * FROM orders",
            "SELECT /*+ weir: view(o, shop, secret, 1) */ order_id FROM orders o",
            "/*+TDDL:node('SHOP_0000_GROUP')*/ SELECT * FROM mysql.user",
            "/*+TDDL:node('SHOP_0000_GROUP')*/ SELECT * FROM shop_0003.orders_0012",
            "/*+TDDL:node('SHOP_0000_GROUP')*/ SET GLOBAL max_connections = 5",
            "/*+TDDL:node('SHOP_0000_GROUP')*/ SHOW GRANTS",
            "/*+TDDL:node('0')*/ BEGIN",
            "/*+TDDL:slave()*/ UPDATE coupons SET coupon_id = coupon_id",
            "/*+ weir: primary */ EXECUTE nothing",
            "DELETE /*+ weir shard(orders, 5) */ FROM orders",
            "DO /*+ weir: shard(orders, 5) */ (SELECT COUNT(*) FROM orders)",
            "/*+TDDL:scan()*/ SHOW TABLES",
        ] {
            refused(&mut conn, sql).await;
        }
        let consistent = "SELECT /*+ weir: consistent_reads */ COUNT(*) FROM orders";
        assert!(number(&mut conn, consistent).await > 0);
        conn.query_drop("BEGIN").await.unwrap();
        assert!(number(&mut conn, consistent).await > 0, "the transaction's first");
        conn.query_drop("ROLLBACK").await.unwrap();
    }
}
