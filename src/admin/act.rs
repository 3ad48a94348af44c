//! Running admin commands.
//!
//! Owns: what each verb does. Never: parses ([`super::command`]) or formats lists
//! ([`super::show`]).

use super::command::{Parsed, Verb};
use super::port::Answer;
use super::table::{As, Table, cell};
use super::{Admin, login, sequences, show, topology};
use crate::error::{Error, Fault, Result};
use crate::name::GroupName;
use crate::observe::sessions::Target;
use crate::reload::report::Cause;

/// Runs one command.
pub async fn run(admin: &Admin, command: &Parsed) -> Result<Answer> {
    let context = &admin.context;
    match command.verb {
        Verb::ShowHelp => Ok(Answer::Table(show::help())),
        Verb::ShowVersion => Ok(Answer::Table(show::version(admin))),
        Verb::ShowClients => Ok(Answer::Table(show::clients(context))),
        Verb::ShowPools => Ok(Answer::Table(topology::pools(&context.snapshot().topology))),
        Verb::ShowNodes => Ok(Answer::Table(topology::nodes(&context.snapshot().topology))),
        Verb::ShowRules => Ok(Answer::Table(show::rules(admin))),
        Verb::ShowSequences => Ok(Answer::Table(sequences::sequences(&context.sequences))),
        Verb::ShowTemplates => Ok(Answer::Table(show::templates(context))),
        Verb::ShowTransactions => Ok(Answer::Table(show::transactions(context))),
        Verb::ShowMemory => Ok(Answer::Table(show::memory(context))),
        Verb::ShowConfig => Ok(Answer::Table(show::config(context))),
        Verb::Reload => reload(admin).await,
        Verb::Kill => kill(admin, command.id, Target::Connection),
        Verb::KillQuery => kill(admin, command.id, Target::Query),
        Verb::Pause => {
            context.gate.close();
            tracing::warn!("paused by an operator");
            Ok(Answer::Ok("New statements are held".to_owned()))
        }
        Verb::Resume => {
            context.gate.open();
            tracing::warn!("resumed by an operator");
            Ok(Answer::Ok("Statements go on".to_owned()))
        }
        Verb::AcceptPrimary => accept_primary(admin, &command.text),
        Verb::ResetTemplates => {
            context.templates().iter().for_each(|table| table.reset());
            Ok(Answer::Ok("Template statistics are empty".to_owned()))
        }
        Verb::SetLogLevel => match (admin.set_log_level)(&command.text) {
            Ok(()) => Ok(Answer::Ok(format!("Log level is {}", command.text))),
            Err(why) => Err(Error::new(Fault::Client, 1231, b"42000", "wrong_log_level", why)),
        },
    }
}

fn accept_primary(admin: &Admin, name: &str) -> Result<Answer> {
    let snapshot = admin.context.snapshot();
    let Some(group) = snapshot.topology.by_name(&GroupName::new(name)) else {
        let text = format!("The rules have no group '{name}'");
        return Err(Error::new(Fault::Client, 1210, b"HY000", "no_such_group", text));
    };
    if !group.accept_primary() {
        return Ok(Answer::Ok(format!("The primary of group '{name}' lacks nothing")));
    }
    tracing::warn!(group = name, "an operator accepted the primary as it is");
    Ok(Answer::Ok(format!("The primary of group '{name}' is believed from now on")))
}

async fn reload(admin: &Admin) -> Result<Answer> {
    let report = admin.reloader.reload(Cause::Operator).await;
    let lines = report.lines();
    if report.is_refused() {
        let first = lines.first().map_or("", String::as_str);
        let text = format!(
            "{} problems, nothing was changed (SHOW RULES lists them): {first}",
            lines.len()
        );
        return Err(Error::refused("reload_refused", text));
    }
    let mut table = Table::new([("outcome", As::Text), ("detail", As::Text)]);
    if lines.is_empty() {
        table.row([cell(report.word()), None]);
    }
    for line in lines {
        table.row([cell(report.word()), cell(line)]);
    }
    Ok(Answer::Table(table))
}

fn kill(admin: &Admin, id: u64, target: Target) -> Result<Answer> {
    admin.context.sessions.kill(id, target, |_| true)?;
    tracing::warn!(connection = id, ?target, "killed by an operator");
    Ok(Answer::Ok(String::new()))
}

/// What command-line clients and drivers say on their own accord. None where it is a command.
pub fn chatter(text: &str) -> Option<Answer> {
    let text = text.trim().trim_end_matches(';').to_ascii_lowercase();
    let one = |name: &'static str, value: Option<String>| {
        let mut table = Table::new([(name, As::Text)]);
        table.row([value]);
        Some(Answer::Table(table))
    };
    match text.as_str() {
        "select version()" => one("version()", cell(login::SERVER_VERSION)),
        "select database()" => one("DATABASE()", None),
        "select user()" => one("USER()", cell("admin")),
        "select 1" => one("1", cell("1")),
        "show databases" => Some(Answer::Table(Table::new([("Database", As::Text)]))),
        "show tables" => Some(Answer::Table(Table::new([("Tables", As::Text)]))),
        "show warnings" => {
            let columns = [("Level", As::Text), ("Code", As::Number), ("Message", As::Text)];
            Some(Answer::Table(Table::new(columns)))
        }
        _ if text.starts_with("select @@") => {
            Some(Answer::Table(variables(text.get(7..).unwrap_or_default())))
        }
        _ if text.starts_with("set ") && !text.starts_with("set log") => {
            Some(Answer::Ok(String::new()))
        }
        _ if matches!(text.as_str(), "commit" | "rollback") => Some(Answer::Ok(String::new())),
        _ => None,
    }
}

/// Server variables that drivers ask for as they connect; the rest is empty, which they take.
fn variables(list: &str) -> Table {
    let list = list.split(" limit ").next().unwrap_or_default();
    let names: Vec<&str> = list.split(',').take(100).map(str::trim).collect();
    let value = |name: &&str| {
        let name = name.trim_start_matches("@@").trim_start_matches("session.");
        cell(match name.trim_start_matches("global.") {
            "version" => login::SERVER_VERSION,
            "version_comment" => "Weir's admin port: SHOW HELP lists the commands",
            "max_allowed_packet" => "65536",
            "wait_timeout" | "interactive_timeout" => "28800",
            "autocommit" | "auto_increment_increment" => "1",
            "lower_case_table_names" => "0",
            "character_set_client" | "character_set_connection" | "character_set_results" => {
                "utf8mb4"
            }
            "time_zone" | "system_time_zone" => "SYSTEM",
            "transaction_isolation" | "tx_isolation" => "REPEATABLE-READ",
            _ => "",
        })
    };
    let row: Vec<Option<String>> = names.iter().map(value).collect();
    let mut table = Table::new([]);
    table.columns = names.iter().map(|name| ((*name).to_owned().into(), As::Text)).collect();
    table.row(row);
    table
}
