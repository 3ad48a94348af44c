//! Reloads that would leave rows where nothing looks for them, against real servers.

use std::path::Path;

use crate::support::proxy::Proxy;
use crate::support::rig;
use crate::support::servers::Kind;

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
    let Some(rig) = rig::shared(Kind::MariaDb) else { return };
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
    let (said, after) = reload(&proxy, &rules, &acknowledged.replacen("count: 8", "count: 4", 1));
    assert_eq!(after, third, "{said}");
}
