//! The statements that the lexer is measured with.

/// Names and statements.
pub fn statements() -> Vec<(&'static str, String)> {
    let rows: Vec<String> =
        (0..1_000).map(|n| format!("({n}, 'name {n}', {n}.50, '2024-01-01 10:00:00')")).collect();
    let list: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
    vec![
        ("point select", "SELECT c FROM sbtest1 WHERE id=4711".to_owned()),
        (
            "ten columns",
            "SELECT id, a, b, c, d, e, f, g, h, i FROM orders WHERE user_id = 4711 AND state = 'paid' \
             ORDER BY id DESC LIMIT 20"
                .to_owned(),
        ),
        (
            "join",
            "SELECT o.id, i.name, u.name FROM orders o JOIN order_items oi ON oi.order_id = o.id JOIN \
             items i ON i.id = oi.item_id JOIN users u ON u.id = o.user_id WHERE o.user_id = 4711 AND \
             o.created_at > '2024-01-01' ORDER BY o.id"
                .to_owned(),
        ),
        ("update", "UPDATE stock SET c = c - 1 WHERE item_id = 4711 AND c >= 1".to_owned()),
        ("begin", "BEGIN".to_owned()),
        ("list of 1000", format!("SELECT a FROM t WHERE id IN ({})", list.join(","))),
        ("insert of 1000 rows", format!("INSERT INTO t (a, b, c, d) VALUES {}", rows.join(", "))),
    ]
}
