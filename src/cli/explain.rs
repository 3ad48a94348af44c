//! `weir explain`: where a statement would go, without a server.
//!
//! Owns: planning one statement from rules alone and printing its route. Never: asks a server.
//! Keys have the types that the rules declare; what only a server knows (the columns behind `*`
//! and behind an INSERT without a list) is missing, and the route says so.

use std::path::PathBuf;

use super::Failure;
use crate::catalog::Catalog;
use crate::name::SchemaName;
use crate::planner::bind::{Binding, SessionFacts};
use crate::planner::explain::explain as route;
use crate::planner::make::plan;
use crate::planner::{PlanInput, Planned};
use crate::rules::Rules;
use crate::rules::check;
use crate::sql::lex::{Dialect, LexMode, Limits, ServerKind};
use crate::sql::template::{Lexed, Lexer};
use crate::value::assign;
use crate::value::decimal::Decimal;
use crate::value::{CharsetClass, Value};

#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// The directory of the rules' *.yaml files.
    #[arg(long)]
    rules: PathBuf,
    /// The schema that the session is in. Default: the only one, if there is one.
    #[arg(long)]
    schema: Option<String>,
    /// The session's sql_mode.
    #[arg(long, default_value = "STRICT_TRANS_TABLES")]
    sql_mode: String,
    /// The kind of the servers.
    #[arg(long, value_enum, default_value_t = Server::Mysql)]
    server: Server,
    /// The value of a `?`, in order: a number, NULL, or anything else as text.
    #[arg(long = "param")]
    parameters: Vec<String>,
    /// The statement.
    sql: String,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Server {
    Mysql,
    Mariadb,
}

/// Prints the route.
///
/// # Errors
/// Rules that can't be used, and statements that no server would read.
pub fn explain(arguments: &Arguments) -> Result<(), Failure> {
    let checked = check::load(&arguments.rules);
    let Some(rules) = checked.rules else {
        return Err(Failure::wrong(checked.problems.iter().map(ToString::to_string).collect()));
    };
    let text = routed(&rules, arguments)?;
    print!("{text}");
    Ok(())
}

fn routed(rules: &Rules, arguments: &Arguments) -> Result<String, Failure> {
    let schema = session_schema(rules, arguments.schema.as_deref())?;
    let mut dialect = Dialect { mode: LexMode::of(&arguments.sql_mode), ..Dialect::default() };
    let server = match arguments.server {
        Server::Mysql => assign::ServerKind::MySql,
        Server::Mariadb => {
            (dialect.server, dialect.version) = (ServerKind::MariaDb, 101_100);
            assign::ServerKind::MariaDb
        }
    };
    let sql = arguments.sql.as_bytes();
    let wrong = |error: crate::error::Error| Failure::failed(error.client_text());
    let mut lexed = Lexed::new();
    Lexer::new(0, Limits::default()).lex(sql, &dialect, &mut lexed).map_err(wrong)?;
    let catalog = Catalog::default();
    let input = PlanInput {
        sql,
        lexed: &lexed,
        dialect,
        rules,
        catalog: &catalog,
        schema: schema.as_ref().map(SchemaName::as_str),
        final_catalog: true,
    };
    let plan = match plan(&input).map_err(wrong)? {
        Planned::Plan(plan) => plan,
        Planned::Need(tables) => {
            let names: Vec<String> =
                tables.iter().map(|(schema, table)| format!("{schema}.{table}")).collect();
            return Err(Failure::failed(format!(
                "the route depends on the columns of {}",
                names.join(", ")
            )));
        }
    };
    let session = SessionFacts {
        assign: assign::Context::new(server, &arguments.sql_mode, Some(0)),
        charset: CharsetClass::Utf8,
        insert_id: 0,
        prefer: None,
        turn: 0,
    };
    let parameters: Vec<Value> = arguments.parameters.iter().map(|text| parameter(text)).collect();
    let binding =
        Binding { sql, lexed: &lexed, dialect, parameters: &parameters, rules, session: &session };
    route(&plan, &binding).map_err(wrong)
}

fn session_schema(rules: &Rules, named: Option<&str>) -> Result<Option<SchemaName>, Failure> {
    let schemas = rules.schemas();
    match (named, schemas.as_slice()) {
        (Some(name), _) => match rules.schema(name) {
            Some(schema) => Ok(Some(schema.name.clone())),
            None => Err(Failure::wrong(vec![format!("the rules have no schema '{name}'")])),
        },
        (None, [only]) => Ok(Some(only.name.clone())),
        (None, _) => Ok(None),
    }
}

fn parameter(text: &str) -> Value {
    if text == "NULL" {
        return Value::Null;
    }
    match Decimal::parse(text) {
        Some(decimal) => decimal.to_whole_exact().map_or(Value::Decimal(decimal), Value::whole),
        None => Value::text(text),
    }
}
