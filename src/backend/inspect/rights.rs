//! What the data account may do: neither too much nor too little.
//!
//! Owns: the questions about its rights, of every node. Never: runs what it asks about: a server checks
//! the rights of a statement when it prepares it.

use std::collections::BTreeMap;
use std::sync::Arc;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::BOUND;
use crate::backend::control;
use crate::backend::node::Node;
use crate::error::Error;
use crate::rules::problem::{KeyPath, Problem};

/// The physical tables of a group, by their databases.
pub(super) type Places = BTreeMap<Arc<str>, Vec<Arc<str>>>;

const NO_DATABASE_RIGHT: u16 = 1044;
const NO_TABLE_RIGHT: u16 = 1142;
const NO_TABLE: u16 = 1146;

/// The data account must log in, must not be above read_only (trap 3), and must have what clients'
/// statements and the workbench need.
pub(super) async fn check(
    node: &Node,
    primary: bool,
    places: Option<&Places>,
    path: &KeyPath,
    problems: &mut Vec<Problem>,
) {
    let asked = async {
        let mut conn = control::connect(node, &node.spec.data, BOUND).await?;
        let grants: Vec<String> = control::run(node, BOUND, conn.query("SHOW GRANTS")).await?;
        Ok::<_, Error>((conn, grants))
    };
    let (mut conn, grants) = match asked.await {
        Ok(asked) => asked,
        Err(error) => {
            let text =
                format!("{}: the data account can't be used: {}", node.title(), error.message);
            return problems.push(Problem::error(path, text));
        }
    };
    if let Some(right) = above_read_only(&grants) {
        let text = format!("{}: the data account has {right} on *.*", node.title());
        problems.push(Problem::warning(path, text).help(
            "it could write to a replica, where read_only would have refused; grant it only what clients need",
        ));
    }
    for (database, tables) in places.into_iter().flatten() {
        lacking(node, &mut conn, primary, (database, tables), path, problems).await;
    }
    let _ = conn.disconnect().await;
}

fn above_read_only(grants: &[String]) -> Option<&'static str> {
    const ABOVE: [&str; 4] = ["SUPER", "READ_ONLY ADMIN", "READ ONLY ADMIN", "CONNECTION_ADMIN"];
    let global = |grant: &&String| grant.contains(" ON *.* TO ");
    grants.iter().filter(global).find_map(|grant| {
        let grant = grant.to_uppercase();
        let all = grant.contains("ALL PRIVILEGES").then_some("ALL PRIVILEGES");
        all.or_else(|| ABOVE.iter().find(|right| grant.contains(**right)).copied())
    })
}

/// What it may not do in a database. Asked of the first table there that exists: rights are granted by
/// database as a rule.
async fn lacking(
    node: &Node,
    conn: &mut Conn,
    primary: bool,
    (database, tables): (&str, &[Arc<str>]),
    path: &KeyPath,
    problems: &mut Vec<Problem>,
) {
    let name = |name: &str| format!("`{}`", name.replace('`', "``"));
    let mut missing = Vec::new();
    for table in tables {
        let it = format!("{}.{}", name(database), name(table));
        match may(node, conn, &format!("SELECT 1 FROM {it}")).await {
            Some(NO_TABLE) => continue,
            Some(NO_DATABASE_RIGHT | NO_TABLE_RIGHT) => missing.push("SELECT"),
            _ => {}
        }
        let writes = [
            ("INSERT", format!("INSERT INTO {it} () VALUES ()")),
            ("UPDATE", format!("UPDATE {it} SET `weir of no name` = 1")),
            ("DELETE", format!("DELETE FROM {it}")),
        ];
        for (right, sql) in writes.iter().filter(|_| primary) {
            let refused = may(node, conn, sql).await;
            if matches!(refused, Some(NO_DATABASE_RIGHT | NO_TABLE_RIGHT)) {
                missing.push(right);
            }
        }
        break;
    }
    let temporary = format!("CREATE TEMPORARY TABLE {}.`weir of no name` (a INT)", name(database));
    if primary && may(node, conn, &temporary).await == Some(NO_DATABASE_RIGHT) {
        missing.push("CREATE TEMPORARY TABLES");
    }
    if missing.is_empty() {
        return;
    }
    let (missing, user) = (missing.join(", "), &node.spec.data.user);
    let text = format!("{}: the data account lacks {missing} on {}", node.title(), name(database));
    let help = format!(
        "clients' statements that need it get the server's error 1142 or 1044: GRANT {missing} ON {}.* TO '{user}'",
        name(database)
    );
    problems.push(Problem::warning(path, text).help(help));
}

/// The error by which the server refuses to prepare a statement.
async fn may(node: &Node, conn: &mut Conn, sql: &str) -> Option<u16> {
    let prepared = control::run(node, BOUND, conn.prep(sql)).await;
    prepared.err().map(|error| error.errno)
}
