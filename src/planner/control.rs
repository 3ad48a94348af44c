//! Statements that are about the session or the server rather than about rows.
//!
//! Owns: which of them the session answers, which go to a server, and which are refused. Never:
//! reads a SET or a KILL itself (the session does, from the tokens).

use std::sync::Arc;

use crate::error::{Error, Fault};
use crate::name::SchemaName;
use crate::planner::Action;
use crate::planner::draft::{Draft, Naming, Result};
use crate::planner::plan::{Access, Pin, PreparedForm, Reply, SessionAction, Shown, Unseen};
use crate::planner::query::Outcome;
use crate::planner::refuse::refuse;
use crate::planner::splice::{Part, What};
use crate::planner::survey::{Role, Survey};
use crate::planner::tokens::{at_home, home, known_schema, whole};
use crate::planner::views;
use crate::planner::{Many, Narrowed, TableUse, Tables};
use crate::rules::Schema;
use crate::rules::table::{Placement, SingleTable};
use crate::sql::analysis::{Ident, Span, TableName};
use crate::sql::classify::{Classified, StatementKind};
use crate::sql::show::{self, Show, ShowKind};
use crate::sql::token::Token;
use crate::sql::unseen::calls_stored;

pub(crate) fn session(draft: Draft, action: SessionAction) -> Result<Outcome> {
    let mut draft = draft;
    draft.facts.prepared = PreparedForm::Never;
    draft.facts.pins = None;
    draft.facts.looks_back = false;
    Ok(Outcome::Plan(draft.finish(Action::Session(action))))
}

fn reply(draft: Draft, reply: Reply) -> Result<Outcome> {
    let mut draft = draft;
    draft.facts.prepared = PreparedForm::Never;
    Ok(Outcome::Plan(draft.finish(Action::Reply(reply))))
}

/// A comment alone.
pub(crate) fn nothing(draft: Draft) -> Result<Outcome> {
    reply(draft, Reply::Ok)
}

/// USE name.
pub(crate) fn use_schema(draft: Draft, classified: &Classified) -> Result<Outcome> {
    let name = classified.name.as_deref().unwrap_or_default();
    if !known_schema(&draft, name) {
        return Err(unknown(name));
    }
    let mut draft = draft;
    draft.schemas = vec![SchemaName::new(name)];
    session(draft, SessionAction::Use(SchemaName::new(name)))
}

fn unknown(schema: &str) -> Error {
    Error::new(
        Fault::Client,
        1049,
        b"42000",
        "unknown_schema",
        format!("Unknown database '{schema}'"),
    )
}

/// EXPLAIN ROUTE statement.
pub(crate) fn explain_route(
    draft: Draft,
    classified: &Classified,
    tokens: &[Token],
) -> Result<Outcome> {
    if classified.inner.is_none() {
        return Err(Error::syntax("EXPLAIN ROUTE needs a statement behind it"));
    }
    let begins = explained(draft.input.sql, tokens, classified);
    let statement = draft.input.lexed.template_offset(begins);
    reply(draft, Reply::Explain { statement })
}

/// Where the statement begins that EXPLAIN ROUTE explains, hints in front of it included.
pub(crate) fn explained(sql: &[u8], tokens: &[Token], classified: &Classified) -> usize {
    let inner = classified.inner.unwrap_or(sql.len());
    let before =
        tokens.iter().rev().find(|token| !token.kind.is_trivia() && token.range().start < inner);
    let Some(behind) = before.map(|token| token.range().end) else { return inner };
    let blanks = sql.iter().skip(behind).take_while(|byte| byte.is_ascii_whitespace());
    behind + blanks.count()
}

/// What only an administrator of the servers does, and not through a proxy.
pub(crate) fn administration(kind: StatementKind) -> Error {
    refuse(
        "statement",
        format!(
            "{kind:?} administers a server and is not sent through Weir: connect to the server itself"
        ),
    )
}

/// CREATE DATABASE: the rules say which schemas there are.
pub(crate) fn database(draft: Draft, classified: &Classified, tokens: &[Token]) -> Result<Outcome> {
    let sql = draft.input.sql;
    let exists = tokens.iter().any(|token| token.is_word(sql, "EXISTS"));
    let name = tokens.iter().rev().find(|token| {
        token.is_name() && known_schema(&draft, &crate::sql::literal::name_of(sql, token))
    });
    if classified.kind == StatementKind::CreateDatabase && exists && name.is_some() {
        return reply(draft, Reply::Ok);
    }
    Err(refuse(
        "statement",
        "Logical schemas are declared in the rules, and their physical databases are \
         made on the servers: neither is created, altered or dropped by a statement",
    ))
}

/// CALL: a routine of the schema's default group, which may do anything.
pub(crate) fn call(mut draft: Draft, tokens: &[Token]) -> Result<Outcome> {
    draft.facts.access = Access::Write;
    draft.facts.pins = Some(Pin::Routine);
    draft.facts.retry = false;
    if tokens.iter().any(|token| token.is_word(draft.input.sql, "SELECT")) {
        return whole(draft, tokens, "a CALL's arguments are asked of one server");
    }
    at_home(draft)
}

/// DO, HELP and what else is a read without tables.
pub(crate) fn simple(mut draft: Draft, tokens: &[Token], access: Access) -> Result<Outcome> {
    draft.facts.access = access;
    if access == Access::Write && calls_stored(draft.input.sql, tokens, draft.input.dialect.server)
    {
        draft.facts.unseen = Unseen::Sets;
    }
    whole(draft, tokens, "it can only be sent whole to one server")
}

/// A statement of which nothing is known.
pub(crate) fn unknown_effects(
    mut draft: Draft,
    tokens: &[Token],
    construct: &str,
) -> Result<Outcome> {
    draft.facts.access = Access::Write;
    draft.facts.pins = Some(Pin::Unknown);
    draft.facts.retry = false;
    whole(draft, tokens, construct)
}

/// SHOW and DESCRIBE.
pub(crate) fn show(mut draft: Draft, tokens: &[Token]) -> Result<Outcome> {
    let show = show::parse(draft.input.sql, tokens, &draft.input.dialect)?;
    draft.facts.access = Access::Read;
    draft.facts.looks_back = false;
    draft.facts.prepared = PreparedForm::Text;
    // Servers would run it over whatever their names stand for.
    refuse_subquery(&draft, &show, tokens)?;
    refuse_leftover(&draft, &show, tokens)?;
    use ShowKind as K;
    match show.kind {
        K::Databases => {
            let shown = shown(&draft, &show);
            reply(draft, Reply::Schemas { shown })
        }
        K::Tables | K::TableStatus => tables(draft, &show),
        K::Warnings | K::Errors | K::WarningCount | K::ErrorCount => {
            session(draft, SessionAction::Diagnostics)
        }
        K::Processlist => reply(draft, Reply::Processlist { full: show.full }),
        K::Columns | K::Index | K::CreateTable | K::CreateView if show.object.is_some() => {
            of_table(draft, &show)
        }
        K::Triggers | K::Events | K::ProcedureStatus | K::FunctionStatus => objects(draft, &show),
        K::Grants if of_oneself(&draft, tokens) => reply(draft, Reply::Grants),
        K::OpenTables => Err(refuse(
            "statement",
            "SHOW OPEN TABLES lists what servers hold in their caches, shard by shard: ask a server itself",
        )),
        K::Grants | K::CreateUser => Err(refuse(
            "statement",
            "Accounts of clients are declared in the \
             rules: the servers' own accounts and grants are not shown",
        )),
        K::BinlogStatus
        | K::BinaryLogs
        | K::BinlogEvents
        | K::RelaylogEvents
        | K::ReplicaStatus
        | K::Replicas => {
            draft.facts.access = Access::PrimaryRead;
            draft.facts.administers = true;
            of_schema(draft, &show)
        }
        K::CreateDatabase => {
            let system = show.object.iter().map(|object| object.name.as_str());
            let system = system.filter(|name| crate::planner::survey::is_system(name));
            draft.schemas.extend(system.map(SchemaName::new));
            of_schema(draft, &show)
        }
        K::Engine => {
            draft.facts.administers = true;
            of_schema(draft, &show)
        }
        _ => of_schema(draft, &show),
    }
}

fn pattern(show: &Show) -> Option<String> {
    show.like.as_ref().map(|(pattern, _)| String::from_utf8_lossy(pattern).into_owned())
}

/// LIKE or WHERE.
fn shown(draft: &Draft, show: &Show) -> Shown {
    let sql = draft.input.sql;
    let filter = show.filter.as_ref().and_then(|range| sql.get(range.clone()));
    let filter =
        filter.map(|text| String::from_utf8_lossy(text).trim_end_matches([';', ' ', '\n']).into());
    Shown { pattern: pattern(show), filter }
}

/// What Weir answers by itself, it answers where all of the text says something to it. A server words
/// the error of the rest.
fn refuse_leftover(draft: &Draft, show: &Show, tokens: &[Token]) -> Result<()> {
    use ShowKind as K;
    let chosen = show.like.is_some() || show.filter.is_some();
    let beyond = match show.kind {
        K::Warnings | K::Errors => chosen || show.window(draft.input.sql, tokens).is_err(),
        K::WarningCount | K::ErrorCount => chosen || show.limit.is_some(),
        K::Databases | K::Tables | K::TableStatus | K::Processlist => show.limit.is_some(),
        K::Triggers | K::Events | K::ProcedureStatus | K::FunctionStatus => show.limit.is_some(),
        _ => return Ok(()),
    };
    if show.leftover || beyond {
        return Err(refuse(
            "not_understood",
            "What stands at the end of the SHOW is not understood",
        ));
    }
    Ok(())
}

/// The condition of SHOW … WHERE is run where it must not reach a table.
fn refuse_subquery(draft: &Draft, show: &Show, tokens: &[Token]) -> Result<()> {
    let sql = draft.input.sql;
    let inside = |token: &Token| {
        show.filter.as_ref().is_some_and(|filter| filter.contains(&token.range().start))
    };
    let subquery = tokens
        .iter()
        .filter(|token| inside(token))
        .any(|token| token.is_any(sql, &["SELECT", "TABLE", "VALUES", "WITH"]));
    if subquery {
        return Err(refuse("statement", "SHOW … WHERE with a subquery is not supported"));
    }
    // What its body sets would stay on a connection of others.
    let condition: Vec<Token> = tokens.iter().filter(|token| inside(token)).copied().collect();
    if calls_stored(sql, &condition, draft.input.dialect.server) {
        return Err(refuse("statement", "SHOW … WHERE with a stored function is not supported"));
    }
    Ok(())
}

fn tables(mut draft: Draft, show: &Show) -> Result<Outcome> {
    let name = match (&show.schema, draft.input.schema) {
        (Some(schema), _) => schema.name.as_str(),
        (None, Some(schema)) => schema,
        (None, None) => return Err(no_schema()),
    };
    if crate::planner::survey::is_system(name) {
        draft.schemas = vec![SchemaName::new(name)];
        return at_home(draft);
    }
    if draft.input.rules.schema(name).is_none() {
        return Err(unknown(name));
    }
    let schema = SchemaName::new(name);
    draft.schemas = vec![schema.clone()];
    let (full, shown) = (show.full, shown(&draft, show));
    match show.kind {
        ShowKind::TableStatus => reply(draft, Reply::TableStatus { schema, shown }),
        _ => reply(draft, Reply::Tables { schema, full, shown }),
    }
}

/// Triggers and events of a schema; routines of all.
fn objects(mut draft: Draft, show: &Show) -> Result<Outcome> {
    let routines = matches!(show.kind, ShowKind::ProcedureStatus | ShowKind::FunctionStatus);
    let name = match (&show.schema, draft.input.schema) {
        _ if routines => None,
        (Some(schema), _) => Some(schema.name.as_str()),
        (None, Some(schema)) => Some(schema),
        (None, None) => return Err(no_schema()),
    };
    if let Some(system) = name.filter(|name| crate::planner::survey::is_system(name)) {
        draft.schemas = vec![SchemaName::new(system)];
        return at_home(draft);
    }
    if let Some(unknown_one) = name.filter(|name| draft.input.rules.schema(name).is_none()) {
        return Err(unknown(unknown_one));
    }
    let schema = name.map(SchemaName::new);
    draft.schemas = schema.iter().cloned().collect();
    let (kind, shown) = (show.kind, shown(&draft, show));
    reply(draft, Reply::Objects { kind, schema, shown })
}

/// SHOW GRANTS, or that FOR CURRENT_USER.
fn of_oneself(draft: &Draft, tokens: &[Token]) -> bool {
    let sql = draft.input.sql;
    let behind = tokens
        .iter()
        .filter(|token| !token.kind.is_trivia())
        .skip_while(|token| !token.is_word(sql, "GRANTS"))
        .skip(1);
    let known = |token: &Token| {
        token.is_any(sql, &["FOR", "CURRENT_USER"])
            || matches!(token.symbol(sql), b"(" | b")")
            || token.kind == crate::sql::token::TokenKind::Semicolon
    };
    behind.into_iter().all(known)
}

fn no_schema() -> Error {
    Error::new(Fault::Client, 1046, b"3D000", "no_schema", "No database selected")
}

/// A table's columns, keys or definition: any of its shards has them.
fn of_table(mut draft: Draft, show: &Show) -> Result<Outcome> {
    let Some(object) = &show.object else { return of_schema(draft, show) };
    let lexed = draft.input.lexed;
    let span = |range: &std::ops::Range<usize>| {
        let start = lexed.template_offset(range.start) as u32;
        Span { start, end: start + (range.end - range.start) as u32 }
    };
    let whole = show.object_range.as_ref().unwrap_or(&object.range);
    let mut survey = Survey::new(draft.input);
    let block = survey.open(None, Role::Top);
    let ident = |text: &str, span: Span| Ident { text: text.to_string(), span };
    let written = TableName {
        schema: show.schema.as_ref().map(|schema| ident(&schema.name, span(whole))),
        table: ident(&object.name, span(whole)),
    };
    survey.used(block, &written, None, span(whole).end)?;
    // The schema stands before the table, or in a clause of its own.
    if let (Some(schema), Some(_)) = (&show.schema, &show.schema_clause) {
        let what = What::Schema { index: 0, written: schema.name.as_str().into() };
        draft.splice(span(&schema.range), what, false);
        if let Some(used) = survey.uses.get_mut(0) {
            used.written.schema = None;
        }
    }
    draft.name_tables(&survey, |_| Naming::Rename);
    // Columns and their comments are the client's own.
    draft.facts.names_in_rows = show.kind != ShowKind::Columns;
    let mut tables = draft.groups(&survey)?;
    if draft.facts.names_in_rows {
        match views::stands_for(draft.input, &survey)? {
            Ok(shards) => draft.tables.extend(shards),
            Err(needs) => return Ok(Outcome::Need(needs)),
        }
    }
    referenced(&mut draft, &survey);
    if let Some(Placement::Sharded(table)) = survey.uses.first().map(|used| used.placement.clone())
    {
        tables.sharded.push(Narrowed {
            types: table.keys.iter().map(|key| key.declared.clone()).collect(),
            table,
            condition: crate::planner::condition::Condition::Shard(0),
            drives: true,
            part: 0,
            lookups: vec![],
        });
        tables.many = Some(Many::First);
    }
    Ok(Outcome::Plan(draft.finish(Action::Tables(tables))))
}

/// A definition's foreign keys name tables that lie with it: they are turned back, too.
fn referenced(draft: &mut Draft, survey: &Survey) {
    let Some(used) = survey.uses.first() else { return };
    let Some(schema) = draft.input.rules.schema(used.schema.as_str()) else { return };
    if let Placement::Single(own) = &used.placement {
        other_schemas(draft, schema, own);
    }
    for (name, placement) in schema.tables() {
        let sharded = match (placement, &used.placement) {
            _ if *name == *used.name => continue,
            (Placement::Sharded(other), Placement::Sharded(own))
                if other.binding == own.binding =>
            {
                Some(0)
            }
            (Placement::Sharded(_), _) => continue,
            (Placement::Broadcast(other), _) if *other.table == *name => continue,
            (Placement::Single(other), _) if *other.table == *name => continue,
            _ => None,
        };
        draft.tables.push(TableUse {
            schema: schema.name.clone(),
            name: name.into(),
            placement: placement.clone(),
            sharded,
        });
    }
}

/// A foreign key of a single table may point into any schema that its group holds: a use without a
/// table turns that schema's database back.
fn other_schemas(draft: &mut Draft, schema: &Schema, own: &SingleTable) {
    for other in draft.input.rules.schemas().iter().filter(|other| other.name != schema.name) {
        let Some((group, database)) = other.databases.iter().find(|(group, _)| *group == own.group)
        else {
            continue;
        };
        let table = SingleTable {
            group: *group,
            database: Arc::clone(database),
            table: Arc::from(""),
            default: true,
            temporary: false,
        };
        draft.tables.push(TableUse {
            schema: other.name.clone(),
            name: "".into(),
            placement: Placement::Single(table),
            sharded: None,
        });
    }
}

/// Everything else that SHOW shows, from the schema's default group.
fn of_schema(mut draft: Draft, show: &Show) -> Result<Outcome> {
    let mut tables = Tables::default();
    if let Some(schema) = &show.schema {
        if !known_schema(&draft, &schema.name) {
            return Err(unknown(&schema.name));
        }
        if let Some(rules) = draft.input.rules.schema(&schema.name) {
            tables.groups.push(rules.default_group);
            tables.databases.push(Some(rules.default_database().clone()));
            draft.schemas.push(rules.name.clone());
            if **rules.default_database() != *schema.name {
                let start = draft.input.lexed.template_offset(schema.range.start) as u32;
                let at =
                    Span { start, end: start + (schema.range.end - schema.range.start) as u32 };
                let text = format!("`{}`", rules.default_database().replace('`', "``"));
                draft.splice(at, What::Parts(vec![Part::Text(text.into())]), false);
                draft.facts.names_in_rows = true;
            }
        } else {
            draft.schemas.push(SchemaName::new(&schema.name));
        }
    }
    if tables.groups.is_empty() {
        home(&draft, &mut tables)?;
    }
    Ok(Outcome::Plan(draft.finish(Action::Tables(tables))))
}
