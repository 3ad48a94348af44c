//! The admin port's lists.
//!
//! Owns: which columns each SHOW has. Never: changes anything.

use std::time::Duration;

use super::Admin;
use super::command::COMMANDS;
use super::table::{As, Table, cell};
use crate::config::When;
use crate::context::Context;
use crate::observe::templates::{Statistics, Templates};

fn seconds(duration: Duration) -> Option<String> {
    cell(format!("{:.3}", duration.as_secs_f64()))
}

fn yes(value: bool) -> Option<String> {
    cell(if value { "yes" } else { "no" })
}

pub fn help() -> Table {
    let mut table = Table::new([("command", As::Text), ("what it does", As::Text)]);
    for entry in COMMANDS {
        table.row([cell(entry.syntax()), cell(entry.help)]);
    }
    table
}

pub fn version(admin: &Admin) -> Table {
    let mut table = Table::new([("name", As::Text), ("value", As::Text)]);
    let context = &admin.context;
    table.row([cell("version"), cell(env!("CARGO_PKG_VERSION"))]);
    table.row([cell("proxy_id"), cell(context.sessions.proxy())]);
    table.row([cell("phase"), cell(context.phase().as_str())]);
    table.row([cell("uptime_seconds"), cell(admin.started.elapsed().as_secs())]);
    table.row([cell("workers"), cell(context.metrics.workers().len())]);
    table.row([cell("paused"), yes(context.gate.is_closed())]);
    table
}

pub fn clients(context: &Context) -> Table {
    let mut table = Table::new([
        ("id", As::Number),
        ("user", As::Text),
        ("address", As::Text),
        ("tls", As::Text),
        ("schema", As::Text),
        ("command", As::Text),
        ("seconds", As::Text),
        ("state", As::Text),
        ("transaction", As::Text),
        ("pinned", As::Text),
        ("statements", As::Number),
        ("worker", As::Number),
        ("age_seconds", As::Text),
        ("program", As::Text),
        ("client", As::Text),
        ("statement", As::Text),
    ]);
    for shown in context.sessions.list() {
        table.row([
            cell(shown.id),
            shown.user.map(|user| user.to_string()),
            cell(shown.peer),
            yes(shown.tls),
            shown.schema.map(|schema| schema.to_string()),
            cell(shown.command),
            seconds(shown.busy),
            cell(shown.state.as_str()),
            yes(shown.in_transaction),
            yes(shown.pinned),
            cell(shown.statements),
            cell(shown.worker),
            seconds(shown.age),
            shown.software.program.map(String::from),
            shown.software.client.map(String::from),
            Some(shown.statement).filter(|text| !text.is_empty()),
        ]);
    }
    table
}

pub fn templates(context: &Context) -> Table {
    let mut table = Table::new([
        ("digest", As::Text),
        ("count", As::Number),
        ("errors", As::Number),
        ("total_seconds", As::Text),
        ("average_seconds", As::Text),
        ("longest_seconds", As::Text),
        ("template", As::Text),
    ]);
    let mut row = |digest: Option<String>, statistics: &Statistics, template: Option<String>| {
        let count = u32::try_from(statistics.count.max(1)).unwrap_or(u32::MAX);
        table.row([
            digest,
            cell(statistics.count),
            cell(statistics.errors),
            seconds(statistics.total),
            cell(format!("{:.6}", (statistics.total / count).as_secs_f64())),
            seconds(statistics.longest),
            template,
        ]);
    };
    let (list, rest) = Templates::merged(context.templates().iter().map(|table| &**table));
    for shown in &list {
        row(cell(format!("{:016x}", shown.digest)), &shown.statistics, cell(&shown.template));
    }
    if rest.count > 0 {
        row(None, &rest, cell("(all others: limits.templates is reached)"));
    }
    table
}

/// Transactions over several groups, oldest first.
pub fn transactions(context: &Context) -> Table {
    let mut table = Table::new([
        ("id", As::Text),
        ("client", As::Number),
        ("seconds", As::Text),
        ("state", As::Text),
        ("groups", As::Text),
        ("connections", As::Text),
    ]);
    for living in context.ledger.living() {
        let members = living.members();
        let join = |texts: Vec<String>| cell(texts.join(", "));
        table.row([
            cell(&living.id),
            cell(living.client),
            seconds(living.since.elapsed()),
            cell(living.standing().as_str()),
            join(members.iter().map(|member| member.group.to_string()).collect()),
            join(members.iter().map(|member| member.handle.connection_id().to_string()).collect()),
        ]);
    }
    table
}

pub fn memory(context: &Context) -> Table {
    let columns = [("what", As::Text), ("used", As::Number), ("limit", As::Number)];
    let mut table = Table::new(columns);
    let budget = &context.budget;
    table.row([cell("memory budget, bytes"), cell(budget.used()), cell(budget.limit())]);
    table.row([cell("clients"), cell(context.seats.taken()), cell(context.seats.limit())]);
    let handshakes = &context.handshakes;
    table.row([cell("handshakes"), cell(handshakes.taken()), cell(handshakes.limit())]);
    table
}

pub fn config(context: &Context) -> Table {
    let columns = ["setting", "value", "default", "changes with", "meaning"];
    let mut table = Table::new(columns.map(|name| (name, As::Text)));
    for setting in context.config().settings() {
        let when = match setting.when {
            When::Live => "reload",
            When::Restart => "restart",
        };
        table.row([
            cell(setting.key),
            cell(setting.value),
            cell(setting.default),
            cell(when),
            cell(setting.doc),
        ]);
    }
    table
}

/// What runs, and what the latest reload did, its problems included.
pub fn rules(admin: &Admin) -> Table {
    let mut table = Table::new([("name", As::Text), ("value", As::Text)]);
    let rules = admin.context.snapshot().rules.clone();
    table.row([cell("version"), cell(rules.version)]);
    table.row([cell("hash"), cell(format!("{:016x}", rules.hash))]);
    table.row([cell("directory"), cell(admin.reloader.directory().display())]);
    table.row([cell("groups"), cell(rules.groups.len())]);
    table.row([cell("users"), cell(rules.users().len())]);
    for schema in rules.schemas() {
        let value =
            format!("{} tables named, {} groups", schema.tables().len(), schema.groups().count());
        table.row([cell(format!("schema {}", schema.name)), cell(value)]);
    }
    if let Some(report) = admin.reloader.last() {
        let ago = report.at.elapsed().unwrap_or_default().as_secs();
        let value = format!("{}, {} s ago, by {}", report.word(), ago, report.cause.as_str());
        table.row([cell("last reload"), cell(value)]);
        for line in report.lines() {
            table.row([cell(format!("last reload {}", report.word())), cell(line)]);
        }
    }
    table
}
