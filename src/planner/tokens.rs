//! Statements that are planned from their tokens: what no parser reads, and DDL.
//!
//! Owns: finding the tables among the names of such a statement, and the fan-out of DDL. Never:
//! guesses: a statement that may name a sharded or broadcast table at a place that isn't
//! understood is refused.

use std::sync::Arc;

use crate::error::Error;
use crate::name::SchemaName;
use crate::planner::alter;
use crate::planner::condition::Condition;
use crate::planner::constraint;
use crate::planner::draft::{Draft, Naming, Result};
use crate::planner::index;
use crate::planner::made::MADE_OF_ROWS;
use crate::planner::plan::Reply;
use crate::planner::plan::{Access, Gather, Pin, PreparedForm, WriteKind};
use crate::planner::query::Outcome;
use crate::planner::refuse::refuse;
use crate::planner::survey::{Role, Survey, Use, is_system};
use crate::planner::temporary;
use crate::planner::views;
use crate::planner::{Action, Many, Narrowed, Tables};
use crate::rules::table::Placement;
use crate::sql::analysis::{Ident, Span, TableName};
use crate::sql::classify::StatementKind;
use crate::sql::mention::{Mention, mentioned_names, table_names};
use crate::sql::token::Token;

/// What a mention of a statement is in the rules.
fn placement(draft: &Draft, mention: &Mention) -> Option<Placement> {
    let rules = draft.input.rules;
    let schema = match &mention.schema {
        Some(schema) => rules.schema(schema)?,
        None => rules.schema(draft.input.schema?)?,
    };
    if let Some(table) = schema.temporary(&mention.name) {
        return Some(Placement::Single(table.clone()));
    }
    schema
        .tables()
        .into_iter()
        .find(|(name, _)| name.to_lowercase() == mention.name.to_lowercase())
        .map(|(_, placement)| placement.clone())
}

/// A statement that isn't understood, but may be sent whole: to the group of the single tables
/// that it names, or to the schema's default group.
pub(crate) fn whole(mut draft: Draft, tokens: &[Token], construct: &str) -> Result<Outcome> {
    if let Ok(survey) = named(&draft, &table_names(draft.input.sql, tokens)) {
        let needs = views::refuse_over(&draft, &survey, construct)?;
        if !needs.is_empty() {
            return Ok(Outcome::Need(needs));
        }
    }
    let mut group = None;
    let mut database = None;
    for mention in mentioned_names(draft.input.sql, tokens) {
        if is_of_servers(&draft, &mention) && draft.kind != StatementKind::Help {
            return Err(not_understood(construct, &mention.name));
        }
        if let Some(schema) =
            mention.schema.as_deref().and_then(|name| draft.input.rules.schema(name))
        {
            if !draft.schemas.contains(&schema.name) {
                draft.schemas.push(schema.name.clone());
            }
            if **schema.default_database() != *schema.name.as_str() {
                return Err(not_understood(construct, &mention.name));
            }
            group = group.or(Some(schema.default_group));
            database = database.or_else(|| Some(schema.default_database().clone()));
        }
        match placement(&draft, &mention) {
            None => {}
            Some(Placement::Single(table)) if *table.table == *mention.name => {
                if group.is_some_and(|group| group != table.group) {
                    return Err(not_understood(construct, &mention.name));
                }
                group = Some(table.group);
                database = Some(table.database.clone());
            }
            Some(_) => return Err(not_understood(construct, &mention.name)),
        }
    }
    let mut tables = Tables::default();
    match group {
        Some(group) => {
            tables.groups.push(group);
            tables.databases.push(database);
        }
        None => home(&draft, &mut tables)?,
    }
    Ok(Outcome::Plan(draft.finish(Action::Tables(tables))))
}

/// Whether a name is in a schema that the servers have for themselves, or in a physical database.
pub(crate) fn is_of_servers(draft: &Draft, mention: &Mention) -> bool {
    match &mention.schema {
        Some(schema) => is_system(schema) || is_physical(draft, schema),
        None => draft.input.schema.is_some_and(is_system),
    }
}

/// Whether a database of that name is behind Weir under another name.
fn is_physical(draft: &Draft, name: &str) -> bool {
    let rules = draft.input.rules;
    let holds = |placement: &Placement| match placement {
        Placement::Sharded(table) => table.shards.iter().any(|shard| *shard.database == *name),
        Placement::Broadcast(table) => table.copies.iter().any(|(_, database)| **database == *name),
        Placement::Single(table) => *table.database == *name,
    };
    rules.schema(name).is_none()
        && rules.schemas().iter().any(|schema| {
            schema.databases.iter().any(|(_, database)| **database == *name)
                || schema.tables().into_iter().any(|(_, placement)| holds(placement))
        })
}

pub(crate) fn not_understood(construct: &str, table: &str) -> Error {
    refuse(
        "not_understood",
        format!(
            "The statement may concern table '{table}', which is not in one place, and is not understood: \
         {construct}"
        ),
    )
}

/// The schema's default group alone.
pub(crate) fn home(draft: &Draft, tables: &mut Tables) -> Result<()> {
    match draft.input.schema.and_then(|name| draft.input.rules.schema(name)) {
        Some(schema) => {
            tables.groups.push(schema.default_group);
            tables.databases.push(Some(schema.default_database().clone()));
        }
        None if draft.input.schema.is_some_and(is_system) => {
            tables.groups.push(crate::name::GroupId(0));
            tables.databases.push(draft.input.schema.map(Arc::from));
        }
        None if draft.input.rules.groups.is_empty() => {
            return Err(Error::internal("the rules have no group"));
        }
        None => {
            tables.groups.push(crate::name::GroupId(0));
            tables.databases.push(None);
        }
    }
    Ok(())
}

/// Sent to the schema's default group, whatever it names.
pub(crate) fn at_home(draft: Draft) -> Result<Outcome> {
    let mut tables = Tables::default();
    home(&draft, &mut tables)?;
    Ok(Outcome::Plan(draft.finish(Action::Tables(tables))))
}

/// Names of the statement as uses of tables, all in one block.
pub(crate) fn named<'a>(draft: &Draft<'a>, mentions: &[Mention]) -> Result<Survey<'a>> {
    let mut survey = Survey::new(draft.input);
    let block = survey.open(None, Role::Top);
    for mention in mentions {
        let start = draft.input.lexed.template_offset(mention.range.start) as u32;
        let end = start + (mention.range.end - mention.range.start) as u32;
        let ident = |text: &str| Ident { text: text.to_string(), span: Span { start, end } };
        let written =
            TableName { schema: mention.schema.as_deref().map(ident), table: ident(&mention.name) };
        survey.used(block, &written, None, end)?;
    }
    Ok(survey)
}

/// DDL and table maintenance: every physical table, under its own name.
pub(crate) fn definition(mut draft: Draft, tokens: &[Token]) -> Result<Outcome> {
    use StatementKind as K;
    draft.facts.commits = true;
    draft.facts.access = Access::Definition;
    draft.facts.prepared = PreparedForm::Text;
    let temporary =
        matches!(draft.kind, K::CreateTable { temporary: true } | K::DropTable { temporary: true });
    let answers_rows = matches!(
        draft.kind,
        K::AnalyzeTable | K::CheckTable | K::ChecksumTable | K::OptimizeTable | K::RepairTable
    );
    if temporary {
        return temporary::definition(draft, tokens);
    }
    let mut mentions = table_names(draft.input.sql, tokens);
    if draft.kind == K::AlterTable && !renames_table(&draft, tokens) {
        // RENAME COLUMN a TO b
        let first = mentions.first().map_or(0, |mention| mention.range.start);
        let behind_to = |mention: &Mention| {
            let before = tokens.iter().rfind(|token| token.end as usize <= mention.range.start);
            before.is_some_and(|token| token.is_word(draft.input.sql, "TO"))
        };
        mentions.retain(|mention| mention.range.start == first || !behind_to(mention));
    }
    everything_named(&draft, tokens, &mentions)?;
    if mentions.is_empty() {
        return at_home(draft);
    }
    draft.facts.names_in_rows = answers_rows;
    let mut survey = named(&draft, &mentions)?;
    temporary::follow(&mut draft, tokens, &mut survey)?;
    renames(&draft, tokens, &survey)?;
    index::check_definition(&draft, tokens, &survey)?;
    if draft.kind == K::AlterTable {
        if survey.sharded(0).is_some_and(|table| !table.indexes.is_empty()) {
            survey.need(0);
        }
        if !survey.needs.is_empty() {
            return Ok(Outcome::Need(survey.needs));
        }
        alter::check_keys(&draft, tokens, &survey)?;
        alter::check_counter(&draft, tokens, &survey)?;
        draft.facts.for_once = alter::is_for_once(draft.input.sql, tokens);
    }
    draft.facts.lenient = is_lenient(&draft, tokens);
    draft.name_tables(&survey, |_| Naming::Rename);
    let mut tables = match draft.groups(&survey) {
        Err(error) if matches!(draft.kind, K::DropTable { .. }) => {
            return Err(refuse(TABLES_APART, error.message));
        }
        tables => tables?,
    };
    let many = fan_out(&draft, &survey, &mut tables)?;
    alter::fills_alike(&draft, tokens, &survey)?;
    constraint::rename(&mut draft, tokens, 0);
    tables.many = match many {
        Spread::One => None,
        Spread::Many if draft.kind == K::ChecksumTable && !tables.sharded.is_empty() => {
            return Err(refuse(
                "statement",
                "CHECKSUM TABLE of a table in several places is not supported: \
                 the sum of a whole table doesn't follow from those of its parts",
            ));
        }
        Spread::Many if answers_rows => {
            Some(Many::Scatter { gather: Gather::default(), allowed: true })
        }
        Spread::Many => Some(Many::Write { write: WriteKind::Definition, allowed: true }),
    };
    Ok(Outcome::Plan(draft.finish(Action::Tables(tables))))
}

/// Tells a CREATE TABLE … SELECT that reads a view over shards: its rows are those of the view's tables.
/// Answers the tables that must be known first.
pub(crate) fn reads_views(draft: &Draft, tokens: &[Token]) -> Result<Vec<(SchemaName, String)>> {
    if !matches!(draft.kind, StatementKind::CreateTable { .. }) {
        return Ok(vec![]);
    }
    let mentions = table_names(draft.input.sql, tokens);
    let Ok(survey) = named(draft, mentions.get(1..).unwrap_or_default()) else { return Ok(vec![]) };
    let selects = tokens.iter().any(|token| token.is_word(draft.input.sql, "SELECT"));
    match views::refuse_over(draft, &survey, "a table isn't made of its rows") {
        Err(error) if selects && error.code == views::text::REFUSED => Err(refuse(
            MADE_OF_ROWS,
            "CREATE TABLE … SELECT of a view over sharded tables isn't prepared: send it as text",
        )),
        looked => looked,
    }
}

/// CREATE TABLE IF NOT EXISTS.
fn is_lenient(draft: &Draft, tokens: &[Token]) -> bool {
    matches!(draft.kind, StatementKind::CreateTable { .. })
        && tokens.iter().take(12).any(|token| token.is_word(draft.input.sql, "EXISTS"))
}

/// A sequence of MariaDB: it lives where a single table of its name would.
pub(crate) fn sequence(mut draft: Draft, tokens: &[Token]) -> Result<Outcome> {
    draft.facts.commits = true;
    draft.facts.access = Access::Definition;
    draft.facts.prepared = PreparedForm::Text;
    if tokens.iter().any(|token| token.is_word(draft.input.sql, "TEMPORARY")) {
        draft.facts.pins = Some(Pin::Unknown);
    }
    let mentions = table_names(draft.input.sql, tokens);
    everything_named(&draft, tokens, &mentions)?;
    if mentions.is_empty() {
        return at_home(draft);
    }
    let survey = named(&draft, &mentions)?;
    let placed = |used: &&Use| !matches!(used.placement, Placement::Single(_));
    if let Some(used) = survey.uses.iter().find(placed) {
        return Err(not_understood("a sequence is made in one group", &used.name));
    }
    draft.name_tables(&survey, |_| Naming::Rename);
    let tables = draft.groups(&survey)?;
    Ok(Outcome::Plan(draft.finish(Action::Tables(tables))))
}

/// MySQL's `CREATE TABLE … START TRANSACTION`.
fn starts_transaction(draft: &Draft, tokens: &[Token]) -> bool {
    let sql = draft.input.sql;
    let significant: Vec<&Token> = tokens.iter().filter(|token| !token.kind.is_trivia()).collect();
    matches!(draft.kind, StatementKind::CreateTable { .. })
        && significant.windows(2).any(|pair| {
            matches!(pair, [first, second]
                if first.is_word(sql, "START") && second.is_word(sql, "TRANSACTION"))
        })
}

/// The refusal of a DROP whose tables are not in the same places: the session drops one by one.
pub const TABLES_APART: &str = "tables_apart";

enum Spread {
    One,
    Many,
}

/// All tables of a DDL statement must lie in the same places.
fn fan_out(draft: &Draft, survey: &Survey, tables: &mut Tables) -> Result<Spread> {
    let mut sharded: Vec<Narrowed> = vec![];
    let mut broadcast = 0;
    for used in &survey.uses {
        match &used.placement {
            Placement::Sharded(table) => sharded.push(Narrowed {
                table: Arc::clone(table),
                types: table.keys.iter().map(|key| key.declared.clone()).collect(),
                condition: Condition::Any,
                drives: true,
                part: 0,
                lookups: vec![],
            }),
            Placement::Broadcast(_) => broadcast += 1,
            Placement::Single(_) => {}
        }
    }
    // A reference from a table of one group to broadcast ones is satisfied by their copies there.
    let defines =
        matches!(draft.kind, StatementKind::CreateTable { .. } | StatementKind::AlterTable);
    let is_single = |used: &Use| matches!(used.placement, Placement::Single(_));
    let refers = defines && survey.uses.first().is_some_and(is_single);
    if sharded.is_empty() && (broadcast == 0 || refers) {
        return Ok(Spread::One);
    }
    let alike = sharded.windows(2).all(|pair| match pair {
        [first, second] => first.table.binding == second.table.binding,
        _ => true,
    });
    // A reference to a broadcast table is satisfied in every group.
    let first_sharded =
        matches!(survey.uses.first().map(|used| &used.placement), Some(Placement::Sharded(_)));
    let mixed = if sharded.is_empty() {
        broadcast != survey.uses.len()
    } else {
        sharded.len() + broadcast != survey.uses.len() || (broadcast > 0 && !first_sharded)
    };
    if mixed || !alike {
        let tables = format!("Tables {} are not in the same places", list(&survey.uses));
        if matches!(draft.kind, StatementKind::DropTable { .. }) {
            return Err(refuse(TABLES_APART, format!("{tables}: they are dropped one by one")));
        }
        let help = match defines {
            // CREATE TABLE … LIKE, foreign keys, merges of tables.
            true => {
                "a table that is defined by another one lies where that lies: declare it in the rules with \
                     `bind`, or write its columns"
            }
            false => "write a statement for each",
        };
        return Err(refuse("statement", format!("{tables}: {help}")));
    }
    draft.hinted(&mut sharded)?;
    tables.sharded = sharded;
    Ok(Spread::Many)
}

fn list(uses: &[Use]) -> String {
    let names: Vec<String> = uses.iter().map(|used| format!("'{}'", used.name)).collect();
    names.join(", ")
}

/// A name that matters must be at a place where tables are, for only those are replaced.
pub(crate) fn everything_named(
    draft: &Draft,
    tokens: &[Token],
    mentions: &[Mention],
) -> Result<()> {
    for mention in mentioned_names(draft.input.sql, tokens) {
        let matters = matches!(
            placement(draft, &mention),
            Some(Placement::Sharded(_) | Placement::Broadcast(_))
        );
        let known = mentions.iter().any(|known| {
            known.range.start <= mention.range.start && mention.range.end <= known.range.end
        });
        let qualified = mention.schema.is_some();
        if matters && !known && qualified {
            return Err(not_understood(
                "the table stands at a place that is not understood",
                &mention.name,
            ));
        }
    }
    Ok(())
}

/// A sharded or broadcast table's name is the rules': it can't be changed by a statement.
fn renames(draft: &Draft, tokens: &[Token], survey: &Survey) -> Result<()> {
    let matters = survey.uses.iter().any(|used| !matches!(used.placement, Placement::Single(_)));
    if !matters {
        return Ok(());
    }
    let created_from = matches!(draft.kind, StatementKind::CreateTable { .. })
        && tokens.iter().any(|token| token.is_word(draft.input.sql, "SELECT"));
    if draft.kind == StatementKind::RenameTable || renames_table(draft, tokens) {
        return Err(refuse(
            "statement",
            "A sharded or broadcast table is named by the rules: change its name \
             there, and rename the physical tables in their groups",
        ));
    }
    if starts_transaction(draft, tokens) {
        return Err(refuse(
            "statement",
            "CREATE TABLE … START TRANSACTION leaves the table to be committed or rolled back with the \
             session's next statement, which a table in several places can't be: leave it out",
        ));
    }
    if created_from {
        return Err(refuse(
            MADE_OF_ROWS,
            "CREATE TABLE … SELECT whose table or rows lie in several places isn't prepared: send it as text",
        ));
    }
    Ok(())
}

/// ALTER TABLE … RENAME [TO] name.
fn renames_table(draft: &Draft, tokens: &[Token]) -> bool {
    let sql = draft.input.sql;
    let significant: Vec<&Token> = tokens.iter().filter(|token| !token.kind.is_trivia()).collect();
    draft.kind == StatementKind::AlterTable
        && significant.windows(2).any(|pair| match pair {
            [first, second] => {
                first.depth == 0
                    && first.is_word(sql, "RENAME")
                    && !second.is_any(sql, &["COLUMN", "INDEX", "KEY"])
            }
            _ => false,
        })
}

/// LOCK TABLES, for tables of one group that are not sharded.
pub(crate) fn lock_tables(mut draft: Draft, tokens: &[Token]) -> Result<Outcome> {
    draft.facts.commits = true;
    draft.facts.pins = Some(Pin::TableLock);
    draft.facts.access = Access::PrimaryRead;
    draft.facts.prepared = PreparedForm::Never;
    let rules = draft.input.rules;
    let survey = named(&draft, &table_names(draft.input.sql, tokens))?;
    let ignored = |used: &&Use| {
        let schema = rules.schema(used.schema.as_str());
        !matches!(used.placement, Placement::Single(_))
            && schema.is_some_and(|schema| schema.ignores_locks)
    };
    if let Some(used) = survey.uses.iter().find(ignored) {
        let table = used.name.clone();
        draft.facts.pins = None;
        draft.name_tables(&survey, |_| Naming::Rename);
        return Ok(Outcome::Plan(draft.finish(Action::Reply(Reply::Unlocked { table }))));
    }
    single_tables(draft, tokens, |name| {
        refuse(
            "lock_tables",
            format!(
                "LOCK TABLES can't lock '{name}', which is in several places: use SELECT … FOR UPDATE inside of a \
                 transaction, or set the schema's rule 'lock_tables: ignore' (dumps: --single-transaction \
                 --skip-lock-tables to make them, --skip-add-locks for those that are read through Weir)"
            ),
        )
    })
}

/// A statement over tables of one group that are not sharded; another one's name is `refused`.
pub(crate) fn single_tables(
    mut draft: Draft,
    tokens: &[Token],
    refused: impl Fn(&str) -> Error,
) -> Result<Outcome> {
    let mentions = table_names(draft.input.sql, tokens);
    let survey = named(&draft, &mentions)?;
    let single = |placement: &Placement| matches!(placement, Placement::Single(_));
    if let Some(used) = survey.uses.iter().find(|used| !single(&used.placement)) {
        return Err(refused(&used.name));
    }
    let needs = views::refuse_over(&draft, &survey, "its rows are in several places")?;
    if !needs.is_empty() {
        return Ok(Outcome::Need(needs));
    }
    for used in &survey.uses {
        index::check_own(draft.input.rules, &used.placement)?;
    }
    draft.name_tables(&survey, |_| Naming::Rename);
    let tables = draft.groups(&survey)?;
    Ok(Outcome::Plan(draft.finish(Action::Tables(tables))))
}

/// Whether a name is a schema that Weir answers for, or one of the servers' own.
pub(crate) fn known_schema(draft: &Draft, name: &str) -> bool {
    is_system(name) || draft.input.rules.schema(name).is_some()
}
