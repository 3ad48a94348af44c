//! Reloads that would leave rows where nothing looks for them, against real servers.

use std::path::Path;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

use crate::support::proxy::Proxy;
use crate::support::rig;

/// Adds a line to the rules' tables and reloads: what the operator reads, and the rules' hash.
fn reload(proxy: &Proxy, rules: &Path, text: &str) -> (String, String) {
    std::fs::write(rules.join("tables.yaml"), text).unwrap();
    let said = match proxy.admin("RELOAD") {
        Ok(rows) => rows.into_iter().flatten().collect::<Vec<_>>().join("\n"),
        Err(error) => error,
    };
    (said, hash(proxy))
}

fn hash(proxy: &Proxy) -> String {
    let rows = proxy.admin("SHOW RULES").unwrap();
    rows.iter().find(|row| row[0].contains("hash")).map(|row| row[1].clone()).unwrap()
}

#[test]
fn a_first_rule_is_refused_only_where_rows_would_be_missed() {
    for rig in rig::shared_kinds() {
        let (proxy, rules) = rig.another(&[]).unwrap();
        let tables = std::fs::read_to_string(rules.join("tables.yaml")).unwrap();
        rig.groups[0]
            .primary
            .execute("CREATE TABLE IF NOT EXISTS shop_0000.notes_of_a_test (id INT PRIMARY KEY)");
        let first = hash(&proxy);

        let lost = format!("{tables}\n      notes_of_a_test: {{broadcast: true}}\n");
        let (said, after) = reload(&proxy, &rules, &lost);
        assert!(said.contains("notes_of_a_test") && said.contains("moved"), "{said}");
        assert_eq!(after, first, "{said}");

        let fresh = format!("{tables}\n      never_made: {{broadcast: true}}\n");
        let (said, second) = reload(&proxy, &rules, &fresh);
        assert_ne!(second, first, "{said}");

        // Half as many shards: refused, then acknowledged with the line that the refusal shows.
        let fewer = fresh.replacen("count: 16", "count: 8", 1);
        let (said, after) = reload(&proxy, &rules, &fewer);
        assert_eq!(after, second, "{said}");
        assert!(said.contains("8 shards instead of 16"), "{said}");
        let tables = "[shop.users, shop.orders, shop.order_items]";
        let acknowledged = format!("moved: {{from: \"{second}\", tables: {tables}}}\n{fewer}");
        let (said, third) = reload(&proxy, &rules, &acknowledged);
        assert_ne!(third, second, "{said}");
        // The line is still there, and lets no later edit through.
        let (said, after) =
            reload(&proxy, &rules, &acknowledged.replacen("count: 8", "count: 4", 1));
        assert_eq!(after, third, "{said}");
    }
}

/// What a session took by the rules before a move, it can't use after: rows would go where nobody
/// looks for them.
#[tokio::test(flavor = "multi_thread")]
async fn no_session_goes_on_where_the_rows_were() {
    for rig in rig::shared_kinds() {
        let kind = rig.groups[0].primary.kind;
        let (proxy, rules) = rig.another(&[]).unwrap();
        let connect =
            async || Conn::new(Opts::from_url(&proxy.url("shop")).unwrap()).await.unwrap();
        let (mut locks, mut changes) = (connect().await, connect().await);
        let (mut copies, mut free) = (connect().await, connect().await);
        locks.query_drop("SELECT GET_LOCK('moved', 1)").await.unwrap();
        changes.query_drop("BEGIN").await.unwrap();
        changes.query_drop("UPDATE users SET name = name WHERE user_id = 1").await.unwrap();
        copies.query_drop("CREATE TEMPORARY TABLE copied_here (id INT)").await.unwrap();
        free.query_drop("SET @a = 1").await.unwrap();

        // An edit that moves nothing disturbs nobody.
        let tables = std::fs::read_to_string(rules.join("tables.yaml")).unwrap();
        let before = hash(&proxy);
        let tables = format!("{tables}\n      never_made_either: {{broadcast: true}}\n");
        let (said, same) = reload(&proxy, &rules, &tables);
        assert_ne!(before, same, "{said}");
        changes.query_drop("UPDATE users SET name = name WHERE user_id = 2").await.unwrap();

        let fewer = tables.replacen("count: 16", "count: 8", 1);
        let moved = "[shop.users, shop.orders, shop.order_items]";
        let text = format!("moved: {{from: \"{same}\", tables: {moved}}}\n{fewer}");
        let (said, after) = reload(&proxy, &rules, &text);
        assert_ne!(after, same, "{said}");

        let read = "SELECT name FROM users WHERE user_id = 1";
        let told = |done: Result<(), mysql_async::Error>| match done {
            Err(mysql_async::Error::Server(error)) => (error.code, error.message),
            other => panic!("{} {other:?}", kind),
        };
        let (code, message) = told(changes.query_drop("COMMIT").await);
        assert!(code == 1213 && message.contains("moved rows"), "{code} {message}");
        // That was its transaction, and the session goes on.
        changes.query_drop(read).await.unwrap();
        for session in [&mut locks, &mut copies] {
            let (code, message) = told(session.query_drop(read).await);
            assert!(code == 1158 && message.contains("connect again"), "{code} {message}");
            assert!(message.contains("weir:rules_moved]"), "{message}");
            assert!(session.query_drop(read).await.is_err(), "it has ended");
        }
        free.query_drop(read).await.unwrap();
        let kept: Option<i64> = free.query_first("SELECT @a").await.unwrap();
        assert_eq!(kept, Some(1));
    }
}
