//! Groups, nodes and pools as lists and as gauges.
//!
//! Owns: what of the topology is shown. Never: changes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::table::{As, Table, cell};
use crate::backend::counters::{Closed, Counters, Pin};
use crate::backend::group::{Group, NodeView};
use crate::backend::node::{Node, Standing};
use crate::backend::topology::Topology;
use crate::context::Context;
use crate::context::ledger::Ledger;
use crate::observe::scrape::{Gauges, Source};
use crate::reload::report::not_ready;

fn all_nodes(topology: &Topology) -> Vec<(NodeView, Arc<Node>)> {
    let of_group = |group: &Arc<Group>| {
        let nodes = group.pools().iter().map(|pool| pool.node().clone());
        group.view().into_iter().zip(nodes).collect::<Vec<_>>()
    };
    topology.groups().iter().flat_map(of_group).collect()
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// SHOW NODES.
pub fn nodes(topology: &Topology) -> Table {
    let mut table = Table::new([
        ("group", As::Text),
        ("node", As::Text),
        ("address", As::Text),
        ("role", As::Text),
        ("health", As::Text),
        ("reason", As::Text),
        ("seconds", As::Number),
        ("read_only", As::Text),
        ("lag_seconds", As::Text),
        ("weight", As::Number),
        ("zone", As::Text),
        ("version", As::Text),
        ("server_id", As::Number),
    ]);
    for (view, node) in all_nodes(topology) {
        let health = &view.health;
        let role = match (view.is_primary, health.replicating) {
            (true, _) => "primary",
            (false, true) => "replica",
            (false, false) => "spare",
        };
        table.row([
            cell(view.group),
            cell(view.node),
            cell(view.address),
            cell(role),
            cell(health.standing.text()),
            cell(&view.reason),
            cell(health.since.elapsed().as_secs()),
            health.read_only.map(|on| if on { "yes" } else { "no" }.to_owned()),
            health.lag.map(|lag| format!("{:.1}", lag.as_secs_f64())),
            cell(node.spec.weight),
            node.spec.zone.as_ref().map(ToString::to_string),
            view.facts.as_ref().map(|facts| facts.version.text.to_string()),
            view.facts.as_ref().map(|facts| facts.server_id.to_string()),
        ]);
    }
    table
}

/// SHOW POOLS.
pub fn pools(topology: &Topology) -> Table {
    let mut table = Table::new([
        ("group", As::Text),
        ("node", As::Text),
        ("max", As::Number),
        ("open", As::Number),
        ("in_use", As::Number),
        ("idle", As::Number),
        ("waiting", As::Number),
        ("waits", As::Number),
        ("waited_seconds", As::Text),
        ("refused", As::Number),
        ("opened", As::Number),
        ("failed", As::Number),
        ("borrowed", As::Number),
        ("resets", As::Number),
        ("kills", As::Number),
        ("closed", As::Text),
        ("pinned", As::Text),
    ]);
    for (view, node) in all_nodes(topology) {
        let counters = &node.counters;
        table.row([
            cell(view.group),
            cell(view.node),
            cell(view.max),
            cell(node.open()),
            cell(view.in_use),
            cell(view.idle),
            cell(view.waiting),
            cell(load(&counters.waits)),
            cell(format!("{:.3}", load(&counters.waited_micros) as f64 / 1e6)),
            cell(load(&counters.refused)),
            cell(load(&counters.opened)),
            cell(load(&counters.failed)),
            cell(load(&counters.borrowed)),
            cell(load(&counters.resets)),
            cell(load(&counters.kills)),
            cell(by_reason(
                Closed::ALL.iter().map(|reason| (reason.label(), counters.closed(*reason))),
            )),
            cell(by_reason(
                Pin::ALL.iter().map(|reason| (reason.label(), counters.pinned(*reason))),
            )),
        ]);
    }
    table
}

/// `idle=3 killed=1`, without the zeros.
fn by_reason(counts: impl Iterator<Item = (&'static str, u64)>) -> String {
    let shown = counts.filter(|(_, n)| *n > 0).map(|(label, n)| format!("{label}={n}"));
    shown.collect::<Vec<_>>().join(" ")
}

/// Lines of `/readyz?verbose`: groups without a usable primary.
pub fn troubles(topology: &Topology) -> Vec<String> {
    topology
        .groups()
        .iter()
        .filter(|group| !group.is_ready())
        .map(|group| not_ready(group))
        .collect()
}

/// The topology's part of a scrape.
pub struct TopologySource(pub Arc<Context>);

/// Transactions over several groups.
fn transactions(gauges: &mut Gauges<'_>, ledger: &Ledger) -> std::fmt::Result {
    let counters = &ledger.counters;
    let outcomes = [
        ("committed", &counters.committed),
        ("aborted", &counters.aborted),
        ("unknown", &counters.unknown),
        ("deadlock", &counters.deadlocks),
    ];
    let row = |(label, counter): (&str, &AtomicU64)| {
        ([label.to_owned()], counter.load(Ordering::Relaxed))
    };
    let help = "Transactions over several groups by what became of them";
    gauges.counters("weir_transactions", help, ["outcome"], outcomes.map(row))?;
    let branches = [
        ("left", &counters.left),
        ("committed", &counters.recovered_committed),
        ("rolled_back", &counters.recovered_rolled_back),
    ];
    let help = "Branches left to recovery, and what recovery did";
    gauges.counters("weir_transaction_branches", help, ["recovery"], branches.map(row))?;
    gauges.gauge(
        "weir_transactions_open",
        "Transactions over several groups that run now",
        ledger.living().len() as f64,
    )?;
    let (count, age) = ledger.prepared();
    gauges.gauge(
        "weir_prepared_branches",
        "Prepared branches on the groups' primaries at the last look",
        count as f64,
    )?;
    let help = "For how long the oldest of them has been seen; above a minute something keeps recovery from it";
    gauges.gauge("weir_prepared_branch_age_seconds", help, age.as_secs_f64())
}

impl Source for TopologySource {
    fn gauges(&self, gauges: &mut Gauges<'_>) -> std::fmt::Result {
        let snapshot = self.0.snapshot();
        let nodes = all_nodes(&snapshot.topology);
        let name = |view: &NodeView| [view.group.to_string(), view.node.to_string()];
        let health = nodes.iter().map(|(view, _)| {
            (name(view), f64::from(u8::from(view.health.standing == Standing::Up)))
        });
        gauges.family(
            "weir_backend_up",
            "1 where the last probe succeeded",
            ["group", "node"],
            health,
        )?;
        let primary =
            nodes.iter().map(|(view, _)| (name(view), f64::from(u8::from(view.is_primary))));
        gauges.family(
            "weir_backend_primary",
            "1 where the node takes writes",
            ["group", "node"],
            primary,
        )?;
        let lag = nodes
            .iter()
            .filter_map(|(view, _)| view.health.lag.map(|lag| (name(view), lag.as_secs_f64())));
        let help = "How far a replica is behind";
        gauges.family("weir_replication_lag_seconds", help, ["group", "node"], lag)?;
        let pools = nodes.iter().flat_map(|(view, _)| {
            let [group, node] = name(view);
            let states = [
                ("in_use", view.in_use),
                ("idle", view.idle),
                ("waiting", view.waiting),
                ("max", view.max),
            ];
            states.map(|(state, n)| ([group.clone(), node.clone(), state.to_owned()], n as f64))
        });
        let help = "Backend connections in use and idle, statements waiting for one, the bound";
        gauges.family("weir_pool_connections", help, ["group", "node", "state"], pools)?;
        node_counters(gauges, &nodes)?;
        transactions(gauges, &self.0.ledger)?;
        let rules = &snapshot.rules;
        let label = [([format!("{:016x}", rules.hash)], rules.version as f64)];
        gauges.family(
            "weir_rules_version",
            "The running rules; proxies that differ in the hash run different rules",
            ["hash"],
            label,
        )
    }
}

fn node_counters(gauges: &mut Gauges<'_>, nodes: &[(NodeView, Arc<Node>)]) -> std::fmt::Result {
    type Pick = fn(&Counters) -> &AtomicU64;
    let counters: [(&str, &str, Pick); 7] = [
        ("weir_backend_connections_opened", "Backend connections opened", |c| &c.opened),
        ("weir_backend_connections_failed", "Attempts to open one that failed", |c| &c.failed),
        ("weir_pool_waits", "Statements that waited for a connection", |c| &c.waits),
        ("weir_pool_refused", "Waits that ended in an error", |c| &c.refused),
        ("weir_pool_borrowed", "Connections of another worker lent", |c| &c.borrowed),
        ("weir_backend_resets", "COM_RESET_CONNECTION sent", |c| &c.resets),
        ("weir_backend_kills", "KILLs sent", |c| &c.kills),
    ];
    for (name, help, pick) in counters {
        let rows = nodes.iter().map(|(view, node)| {
            ([view.group.to_string(), view.node.to_string()], load(pick(&node.counters)))
        });
        gauges.counters(name, help, ["group", "node"], rows)?;
    }
    let reasons = nodes.iter().flat_map(|(view, node)| {
        let (group, name) = (view.group.to_string(), view.node.to_string());
        let count = move |reason: Closed| {
            ([group.clone(), name.clone(), reason.label().to_owned()], node.counters.closed(reason))
        };
        Closed::ALL.map(count)
    });
    let help = "Backend connections closed, by reason";
    gauges.counters(
        "weir_backend_connections_closed",
        help,
        ["group", "node", "reason"],
        reasons,
    )?;
    let pins = nodes.iter().flat_map(|(view, node)| {
        let (group, name) = (view.group.to_string(), view.node.to_string());
        let count = move |reason: Pin| {
            ([group.clone(), name.clone(), reason.label().to_owned()], node.counters.pinned(reason))
        };
        Pin::ALL.map(count)
    });
    let help = "Backend connections bound to a session, by reason";
    gauges.counters("weir_pool_pins", help, ["group", "node", "reason"], pins)
}
