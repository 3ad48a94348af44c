//! What transactions over several groups need of a group's primary.
//!
//! Owns: the questions and what their answers mean. Never: makes the commit table.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::BOUND;
use crate::backend::control;
use crate::backend::group::Group;
use crate::backend::node::Node;
use crate::error::Error;
use crate::rules::problem::{KeyPath, Problem};
use crate::rules::{Rules, Transactions};

/// Milliseconds. With less, a replica that is away for that long lets commits be lost again.
const LEAST_WAIT: u64 = 3_600_000;

/// Whether any schema lets a transaction commit in two phases.
pub(super) fn needed(rules: &Rules) -> bool {
    rules
        .schemas()
        .iter()
        .any(|schema| schema.transactions == Transactions::Atomic && schema.groups().count() > 1)
}

/// Asks the primary of a group, with the data account.
pub(super) async fn check(
    rules: &Rules,
    group: &Group,
    path: &KeyPath,
    problems: &mut Vec<Problem>,
) {
    let Some(pool) = group.primary() else { return };
    let node = pool.node();
    // An account that can't log in was named before.
    let Ok(mut conn) = control::connect(node, &node.spec.data, BOUND).await else { return };
    let database = &*rules.settings.commit_database;
    let user = &node.spec.data.user;
    if let Err(error) = ask(node, &mut conn, "XA RECOVER").await {
        let text = format!(
            "{}: the data account may not list prepared branches: {}",
            node.title(),
            error.message
        );
        let help = format!(
            "transactions over groups are recovered with it: GRANT XA_RECOVER_ADMIN ON *.* TO '{user}'"
        );
        problems.push(Problem::error(path, text).help(help));
    }
    commit_table(node, &mut conn, database, path, problems).await;
    if ask(node, &mut conn, "SELECT COUNT(*) FROM information_schema.INNODB_TRX").await.is_err() {
        let text =
            format!("{}: the data account doesn't see who waits for whose lock", node.title());
        let help = format!(
            "deadlocks over groups last until innodb_lock_wait_timeout: GRANT PROCESS ON *.* TO '{user}'"
        );
        problems.push(Problem::warning(path, text).help(help));
    }
    // MariaDB has no such table, and needs none.
    let waits = "SELECT /*M! 1 */ /*!80000 COUNT(*) FROM performance_schema.data_lock_waits */";
    if ask(node, &mut conn, waits).await.is_err() {
        let text = format!("{}: the data account may not read lock waits", node.title());
        let help = format!(
            "deadlocks over groups last until innodb_lock_wait_timeout: GRANT SELECT ON \
             performance_schema.data_lock_waits TO '{user}'"
        );
        problems.push(Problem::warning(path, text).help(help));
    }
    let rolls_back = "SHOW GLOBAL VARIABLES WHERE Variable_name = 'innodb_rollback_on_timeout'";
    let variables = ask(node, &mut conn, rolls_back).await.unwrap_or_default();
    if variables.iter().any(|(_, set)| set.eq_ignore_ascii_case("ON")) {
        let text = format!("{}: innodb_rollback_on_timeout is on", node.title());
        problems.push(Problem::warning(path, text).help(
            "each lock wait timeout then rolls back the transaction in all its groups: turn it off where statements are to be repeated alone",
        ));
    }
    if group.pools().len() > 1 {
        problems.extend(losses(node, &mut conn).await.map(|text| {
            Problem::warning(path, format!("{}: {text}", node.title())).help(
                "transactions over groups stay atomic over a failover only with semi-synchronous replication that waits (AFTER_SYNC) or group replication",
            )
        }));
    }
    let _ = conn.disconnect().await;
}

/// Why a failover may lose commits that were acknowledged, if it may.
async fn losses(node: &Node, conn: &mut Conn) -> Option<String> {
    let replication = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('group_replication_group_name', \
         'wsrep_on', 'rpl_semi_sync_master_enabled', 'rpl_semi_sync_source_enabled', \
         'rpl_semi_sync_master_wait_point', 'rpl_semi_sync_source_wait_point', \
         'rpl_semi_sync_master_timeout', 'rpl_semi_sync_source_timeout')";
    let state = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Rpl_semi_sync_master_status', \
         'Rpl_semi_sync_source_status')";
    let mut said = ask(node, conn, replication).await.unwrap_or_default();
    said.extend(ask(node, conn, state).await.unwrap_or_default());
    let value = |name: &str| {
        let found = said.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    };
    // MySQL 8.0.26 renamed them, MariaDB didn't.
    let semi = |what: &str| {
        value(&format!("rpl_semi_sync_master_{what}"))
            .or_else(|| value(&format!("rpl_semi_sync_source_{what}")))
            .unwrap_or_default()
    };
    let grouped = value("group_replication_group_name").is_some_and(|name| !name.is_empty());
    if grouped || value("wsrep_on").is_some_and(|set| set.eq_ignore_ascii_case("ON")) {
        return None;
    }
    if !semi("enabled").eq_ignore_ascii_case("ON") || semi("wait_point") != "AFTER_SYNC" {
        return Some("replication may lose the last commits in a failover".to_owned());
    }
    if !semi("status").eq_ignore_ascii_case("ON") {
        return Some(
            "semi-synchronous replication is switched on, but commits wait for no replica at present"
                .to_owned(),
        );
    }
    let timeout: u64 = semi("timeout").parse().unwrap_or(0);
    (timeout < LEAST_WAIT).then(|| {
        format!(
            "a commit waits {timeout} ms for a replica, then semi-synchronous replication is \
             asynchronous: rpl_semi_sync_…_timeout should be an hour or more"
        )
    })
}

async fn commit_table(
    node: &Node,
    conn: &mut Conn,
    database: &str,
    path: &KeyPath,
    problems: &mut Vec<Problem>,
) {
    let quoted = database.replace('`', "``");
    let found =
        ask(node, conn, &format!("SELECT `id` FROM `{quoted}`.`weir_commit` LIMIT 1")).await;
    let help = format!(
        "CREATE DATABASE `{quoted}`; GRANT CREATE, SELECT, INSERT, DELETE ON `{quoted}`.* TO '{}'",
        node.spec.data.user
    );
    let error = match found {
        Ok(_) => return,
        Err(error) => error,
    };
    let may_make = match ask(node, conn, "SHOW GRANTS").await {
        Ok(grants) => grants.iter().any(|(grant, _)| makes(grant, &quoted)),
        Err(_) => false,
    };
    // 1049, 1146: it is made by the first transaction that needs it.
    if matches!(error.errno, 1049 | 1146) && may_make {
        return;
    }
    let text = format!(
        "{}: the table `{quoted}`.`weir_commit` is missing or closed to the data account, which may not make it",
        node.title()
    );
    problems.push(Problem::error(path, text).help(help));
}

/// Whether a line of SHOW GRANTS lets the account make the table.
fn makes(grant: &str, database: &str) -> bool {
    let here = grant.contains(" ON *.* TO ") || grant.contains(&format!(" ON `{database}`.* TO "));
    let rights = grant.split(" ON ").next().unwrap_or_default();
    let has = |right: &str| rights.trim_start_matches("GRANT ").split(", ").any(|one| one == right);
    here && (has("ALL PRIVILEGES") || has("CREATE"))
}

/// The first two columns of each row, as text.
async fn ask(node: &Node, conn: &mut Conn, sql: &str) -> Result<Vec<(String, String)>, Error> {
    let rows: Vec<Row> = control::run(node, BOUND, conn.query(sql)).await?;
    let text = |row: &Row, place: usize| {
        row.get_opt::<String, _>(place).and_then(Result::ok).unwrap_or_default()
    };
    Ok(rows.iter().map(|row| (text(row, 0), text(row, 1))).collect())
}

#[cfg(test)]
mod tests {
    use super::makes;

    #[test]
    fn grants_are_read_by_right_and_place() {
        assert!(makes("GRANT ALL PRIVILEGES ON *.* TO `a`@`%`", "weir"));
        assert!(makes("GRANT SELECT, CREATE ON `weir`.* TO `a`@`%`", "weir"));
        assert!(!makes("GRANT SELECT, CREATE ON `other`.* TO `a`@`%`", "weir"));
        assert!(!makes("GRANT SELECT, CREATE VIEW ON *.* TO `a`@`%`", "weir"));
    }
}
