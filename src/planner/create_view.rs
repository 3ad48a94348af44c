//! CREATE, ALTER and DROP VIEW.
//!
//! Owns: where a view is made, and what a view over sharded tables is on its server. Never: expands
//! one ([`super::views`] does where it is read).
//!
//! A view is a table to clients: one that no rule names stands in the schema's default group. One over
//! single tables of its group and broadcast tables is read there. One over sharded tables is made over
//! the first shard that its group has of each, so that the server settles names, types, `*`, definer
//! and everything that is shown of it; its rows are those of all shards, since nobody reads it there.

use std::sync::Arc;

use crate::error::{Error, Fault};
use crate::name::GroupId;
use crate::planner::bind::{Binding, SessionFacts};
use crate::planner::draft::{Draft, Naming, Result};
use crate::planner::index;
use crate::planner::label::label_nested;
use crate::planner::plan::{Access, PreparedForm, Renaming, Target};
use crate::planner::query::{Outcome, label_items};
use crate::planner::refuse::refuse;
use crate::planner::splice::{Form, Part, What};
use crate::planner::survey::{Role, Survey};
use crate::planner::tokens::{everything_named, is_of_servers, named, not_understood};
use crate::planner::views::text::REFUSED;
use crate::planner::{Action, Plan, PlanInput, TableUse, Tables};
use crate::rules::table::{Placement, SingleTable};
use crate::sql::analysis::{Span, Statement};
use crate::sql::classify::{StatementKind, classify};
use crate::sql::hint::Hints;
use crate::sql::lex::{Limits, ServerKind, tokens as tokens_of};
use crate::sql::literal::name_of;
use crate::sql::mention::{Mention, mentioned_names, table_names};
use crate::sql::parse;
use crate::sql::template::{Lexed, Lexer};
use crate::sql::token::{Token, TokenKind};
use crate::value::{CharsetClass, assign};

/// Plans a statement that defines or drops views.
pub(crate) fn view(mut draft: Draft, tokens: &[Token]) -> Result<Outcome> {
    draft.facts.commits = true;
    draft.facts.access = Access::Definition;
    draft.facts.prepared = PreparedForm::Text;
    let sql = draft.input.sql;
    for mention in mentioned_names(sql, tokens) {
        if is_of_servers(&draft, &mention) {
            return Err(not_understood("a view shows logical tables alone", &mention.name));
        }
    }
    let (own, select) = own_names(sql, tokens);
    let mut mentions = own.clone();
    mentions.extend(table_names(sql, tokens));
    mentions.sort_by_key(|mention| mention.range.start);
    mentions.dedup_by_key(|mention| mention.range.start);
    let survey = named(&draft, &mentions)?;
    let is_sharded = |placement: &Placement| matches!(placement, Placement::Sharded(_));
    if survey.uses.iter().any(|used| is_sharded(&used.placement)) {
        return over_shards(draft, &own, select);
    }
    everything_named(&draft, tokens, &mentions)?;
    // A view over a shard itself would be a way around the table's indexes.
    for used in &survey.uses {
        index::check_own(draft.input.rules, &used.placement)?;
    }
    draft.name_tables(&survey, |_| Naming::Rename);
    let tables: Tables = draft.groups(&survey).map_err(apart)?;
    Ok(Outcome::Plan(draft.finish(Action::Tables(tables))))
}

fn apart(error: Error) -> Error {
    match error.code {
        "cross_group" => refuse(
            "cross_group",
            "The view's tables are in another group than the view, which is in the schema's default group \
             where no rule names it: give it a place beside them in the rules (`view: {group: …}`)",
        ),
        _ => error,
    }
}

/// A name of the statement's own that is a table of the rules: no view is called so.
fn taken(draft: &Draft, own: &Survey) -> Result<()> {
    let table = own.uses.iter().find(|used| !matches!(used.placement, Placement::Single(_)));
    let Some(table) = table else { return Ok(()) };
    Err(match draft.kind {
        StatementKind::CreateView => Error::new(
            Fault::Client,
            1050,
            b"42S01",
            "",
            format!("Table '{}' already exists", table.name),
        ),
        StatementKind::DropView if draft.input.dialect.server == ServerKind::MariaDb => Error::new(
            Fault::Client,
            4092,
            b"42S02",
            "",
            format!("Unknown VIEW: '{}.{}'", table.schema, table.name),
        ),
        _ => Error::new(
            Fault::Client,
            1347,
            b"HY000",
            "",
            format!("'{}.{}' is not VIEW", table.schema, table.name),
        ),
    })
}

/// A view over sharded tables: its SELECT is written over the first shards of its group.
fn over_shards(mut draft: Draft, own: &[Mention], select: Option<usize>) -> Result<Outcome> {
    let names = named(&draft, own)?;
    taken(&draft, &names)?;
    draft.name_tables(&names, |_| Naming::Rename);
    let tables = draft.groups(&names)?;
    let (Some(select), Some(group)) = (select, tables.groups.first().copied()) else {
        return Err(refuse(REFUSED, "The view's SELECT isn't understood"));
    };
    let database = tables.databases.first().cloned().flatten();
    let sql = draft.input.sql;
    let end = draft.input.lexed.end();
    let body = sql.get(select..end).unwrap_or_default();
    let length = select_length(&draft, body)?;
    let body = body.get(..length).unwrap_or_default();
    says_no_charset(&draft, body)?;
    let written = rewritten(&mut draft, body, group, database)?;
    let lexed = draft.input.lexed;
    let at = Span {
        start: lexed.template_offset(select) as u32,
        end: lexed.template_offset(select + length) as u32,
    };
    draft.splice(at, What::Parts(vec![Part::Text(written.into())]), false);
    Ok(Outcome::Plan(draft.finish(Action::Tables(tables))))
}

/// A server doesn't tell the introducers of a view's literals.
fn says_no_charset(draft: &Draft, body: &[u8]) -> Result<()> {
    let tokens = tokens_of(body, draft.input.dialect, &Limits::default())?;
    let named =
        |token: &Token| matches!(token.kind, TokenKind::Introducer | TokenKind::NationalString);
    match tokens.iter().find(|token| named(token)) {
        Some(token) => Err(refuse(
            REFUSED,
            format!(
                "The literal behind '{}' would lose its character set in a view over sharded tables, since \
                 servers don't tell it: use CONVERT(… USING …)",
                String::from_utf8_lossy(token.bytes(body)).chars().take(20).collect::<String>(),
            ),
        )),
        None => Ok(()),
    }
}

/// What of the text stands before WITH CHECK OPTION.
fn select_length(draft: &Draft, body: &[u8]) -> Result<usize> {
    let mut tokens = tokens_of(body, draft.input.dialect, &Limits::default())?;
    tokens.retain(|token| !token.kind.is_trivia() && token.kind != TokenKind::Semicolon);
    let word = |back: usize, words: &[&str]| {
        let at = tokens.len().checked_sub(back)?;
        tokens.get(at).filter(|token| token.is_any(body, words))
    };
    if word(1, &["OPTION"]).is_some() && word(2, &["CHECK"]).is_some() {
        let with = word(3, &["WITH"]).or_else(|| {
            word(3, &["CASCADED", "LOCAL"])?;
            word(4, &["WITH"])
        });
        if let Some(with) = with {
            return Ok(with.range().start);
        }
    }
    Ok(tokens.last().map_or(0, |last| last.range().end))
}

/// The SELECT over what stands in the view's group for its tables.
fn rewritten(
    draft: &mut Draft,
    body: &[u8],
    group: GroupId,
    database: Option<Arc<str>>,
) -> Result<String> {
    let (text, plan) = over_stand_ins(draft.input, body, &Target::plain(group, database), false)?;
    for schema in &plan.schemas {
        if !draft.schemas.contains(schema) {
            draft.schemas.push(schema.clone());
        }
    }
    // Errors name them.
    draft.tables.extend(plan.tables.into_iter().map(|used| TableUse { sharded: None, ..used }));
    Ok(text)
}

/// A SELECT over what stands in a group for its tables, without rows; the names in its errors; and whether
/// it reads temporary tables, which one connection alone has.
pub(crate) fn emptied(
    input: &PlanInput,
    body: &[u8],
    group: GroupId,
    database: &Arc<str>,
) -> Result<(String, Vec<Renaming>, bool)> {
    let target = Target::plain(group, Some(database.clone()));
    let (text, plan) = over_stand_ins(input, body, &target, true)?;
    let temporary = plan.tables.iter().any(|used| used.placement.is_temporary());
    Ok((text, plan.renamings(&target), temporary))
}

/// A SELECT over what stands in the target's group for its tables; `empty`: none of its rows.
fn over_stand_ins(
    outer: &PlanInput,
    body: &[u8],
    target: &Target,
    empty: bool,
) -> Result<(String, Plan)> {
    let dialect = outer.dialect;
    let mut lexed = Lexed::new();
    Lexer::new(0, Limits::default()).lex(body, &dialect, &mut lexed)?;
    let parsed = parse::parse(body, &lexed, dialect).map_err(|unparsed| {
        refuse(REFUSED, format!("The SELECT isn't understood: {}", unparsed.0))
    })?;
    let Statement::Query(query) = &parsed.statement else {
        return Err(refuse(REFUSED, "The SELECT isn't understood"));
    };
    let input = PlanInput { sql: body, lexed: &lexed, ..*outer };
    let tokens = parse::units::template_tokens(body, &lexed, dialect)?;
    let mut inner = Draft::new(&input, &classify(body, &tokens), Hints::default());
    let mut survey = Survey::new(&input);
    survey.query(query, None, Role::Top)?;
    for used in &mut survey.uses {
        index::check_own(input.rules, &used.placement)?;
        let placed = stand_in(used.name.as_ref(), &used.placement, target.group)?;
        used.placement = Placement::Single(placed);
    }
    inner.name_tables(&survey, |_| Naming::Alias);
    label_items(&mut inner, query, &parsed);
    if survey.blocks.len() > 1 {
        label_nested(&mut inner)?;
    }
    if empty {
        let end = parsed.layout.before_limit;
        let at = parsed.layout.limit.unwrap_or(Span { start: end, end });
        inner.splice(at, What::Parts(vec![Part::Text(" LIMIT 0".into())]), false);
    }
    let plan = inner.finish(Action::Tables(Tables::default()));
    let session = SessionFacts {
        assign: assign::Context::new(assign::ServerKind::MySql, "", None),
        charset: CharsetClass::of("utf8mb4"),
        insert_id: 0,
        prefer: None,
        turn: 0,
    };
    let (sql, rules) = (body, outer.rules);
    let binding =
        Binding { sql, lexed: &lexed, dialect, parameters: &[], rules, session: &session };
    let mut out = Vec::new();
    plan.render(target, &binding, Form::Prepared, &mut out)?;
    if out.is_empty() {
        out = body.to_vec();
    }
    let text = String::from_utf8(out);
    Ok((text.map_err(|_| refuse(REFUSED, "The SELECT is no text of UTF-8"))?, plan))
}

/// What stands for a table in the view's group.
fn stand_in(name: &str, placement: &Placement, group: GroupId) -> Result<SingleTable> {
    let place = |database: &Arc<str>, table: &Arc<str>| SingleTable {
        group,
        database: database.clone(),
        table: table.clone(),
        default: false,
        temporary: false,
    };
    let found = match placement {
        Placement::Sharded(table) => {
            let shard = table.shards.iter().find(|shard| shard.group == group);
            shard.map(|shard| place(&shard.database, &shard.table))
        }
        Placement::Broadcast(table) => {
            table.database_in(group).map(|database| place(database, &table.table))
        }
        Placement::Single(table) => {
            (table.group == group).then(|| SingleTable { default: false, ..table.clone() })
        }
    };
    found.ok_or_else(|| {
        refuse(
            "cross_group",
            format!(
                "The view's group has nothing of table '{name}': a view stands in the schema's default group \
                 where no rule names it, so give it a place beside its tables in the rules (`view: {{group: …}}`)"
            ),
        )
    })
}

/// The views themselves: what stands behind VIEW, up to AS or a list of columns; and where the SELECT
/// behind AS begins.
fn own_names(sql: &[u8], tokens: &[Token]) -> (Vec<Mention>, Option<usize>) {
    let significant: Vec<&Token> = tokens.iter().filter(|token| !token.kind.is_trivia()).collect();
    let mut found = Vec::new();
    let Some(view) = significant.iter().position(|token| token.is_word(sql, "VIEW")) else {
        return (found, None);
    };
    let mut at = view + 1;
    while significant.get(at).is_some_and(|token| token.is_any(sql, &["IF", "NOT", "EXISTS"])) {
        at += 1;
    }
    while let Some(first) = significant.get(at).filter(|token| token.is_name()) {
        let qualified = significant.get(at + 1).is_some_and(|token| token.is_symbol(sql, "."));
        let last = if qualified { significant.get(at + 2) } else { Some(first) };
        let Some(last) = last else { break };
        found.push(Mention {
            schema: qualified.then(|| name_of(sql, first)),
            name: name_of(sql, last),
            range: first.range().start..last.range().end,
        });
        at += if qualified { 3 } else { 1 };
        if !significant.get(at).is_some_and(|token| token.is_symbol(sql, ",")) {
            break;
        }
        at += 1;
    }
    let is_as = |token: &&Token| token.depth == 0 && token.is_word(sql, "AS");
    let keyword = significant.iter().skip(at).position(is_as);
    let select = keyword.and_then(|place| significant.get(at + place + 1));
    (found, select.map(|token| token.range().start))
}
