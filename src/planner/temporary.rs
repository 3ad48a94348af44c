//! Temporary tables of a session: where one is made, and what becomes of its name.
//!
//! Owns: the place of a new one, and what a definition's success says of those that are there. Never:
//! remembers them (the rules that a session plans with hold them), or describes their columns.
//!
//! A temporary table lives on the session's own connection to one group, and hides a table of its name.
//! So nothing that is read or written under another name may be called as one is there.

use std::sync::Arc;

use crate::error::Error;
use crate::name::{GroupId, SchemaName};
use crate::planner::draft::{Draft, Naming, Result};
use crate::planner::made::MADE_OF_ROWS;
use crate::planner::plan::{Access, Pin, PreparedForm, TemporaryChange};
use crate::planner::query::Outcome;
use crate::planner::refuse::refuse;
use crate::planner::survey::{Survey, Use, is_system};
use crate::planner::tokens::{TABLES_APART, everything_named, named, whole};
use crate::planner::{Action, Tables};
use crate::rules::Schema;
use crate::rules::table::{Placement, SingleTable};
use crate::sql::classify::StatementKind;
use crate::sql::literal::name_of;
use crate::sql::mention::{Mention, table_names};
use crate::sql::token::Token;

/// CREATE and DROP TEMPORARY TABLE.
pub(crate) fn definition(mut draft: Draft, tokens: &[Token]) -> Result<Outcome> {
    draft.facts.commits = false;
    draft.facts.access = Access::Write;
    draft.facts.prepared = PreparedForm::Text;
    let creates = matches!(draft.kind, StatementKind::CreateTable { .. });
    let mentions = table_names(draft.input.sql, tokens);
    let survey = named(&draft, &mentions)?;
    let outside = |used: &Use| draft.input.rules.schema(used.schema.as_str()).is_none();
    match survey.uses.first() {
        Some(own) if !outside(own) => {}
        _ => {
            draft.facts.pins = creates.then_some(Pin::Unknown);
            return whole(draft, tokens, "a temporary table of a schema that isn't Weir's");
        }
    }
    match creates {
        true => create(draft, tokens, &mentions, survey),
        false => drop(draft, tokens, &mentions, survey),
    }
}

fn create<'a>(
    mut draft: Draft<'a>,
    tokens: &[Token],
    mentions: &[Mention],
    mut survey: Survey<'a>,
) -> Result<Outcome> {
    let input = draft.input;
    let (Some(own), Some(mention)) = (survey.uses.first(), mentions.first()) else {
        return Err(Error::internal("a table without a name"));
    };
    let own_schema = own.schema.clone();
    let Some(schema) = input.rules.schema(own_schema.as_str()) else {
        return Err(Error::internal("a table without a schema"));
    };
    let selects =
        tokens.iter().any(|token| token.is_any(input.sql, &["SELECT", "VALUES", "TABLE"]))
            && tokens.iter().any(|token| token.is_word(input.sql, "SELECT"));
    for used in survey.uses.iter_mut().skip(1) {
        match &used.placement {
            Placement::Sharded(table) if !selects => {
                // LIKE: all shards are defined alike.
                let Some(shard) = table.shard(0) else { continue };
                used.placement = Placement::Single(SingleTable {
                    group: shard.group,
                    database: shard.database.clone(),
                    table: shard.table.clone(),
                    default: false,
                    temporary: false,
                });
            }
            _ => {}
        }
    }
    let existing = schema.temporary(&mention.name).map(|table| table.group);
    let group = match home(&draft, &survey, schema, existing, selects)? {
        Some(group) => group,
        None => {
            return Err(refuse(
                MADE_OF_ROWS,
                "CREATE TEMPORARY TABLE … SELECT of rows that lie in several places isn't prepared: send it \
                 as text",
            ));
        }
    };
    everything_named(&draft, tokens, mentions)?;
    let Some(database) = schema.database_in(group).cloned() else {
        return Err(refuse(
            "cross_group",
            "The schema has no database in the group of the table's rows",
        ));
    };
    let place = SingleTable {
        group,
        database: database.clone(),
        table: Arc::from(&*mention.name),
        default: false,
        temporary: true,
    };
    is_free(&draft, &own_schema, &mention.name, &place)?;
    if let Some(own) = survey.uses.first_mut() {
        own.placement = Placement::Single(place.clone());
        own.name = mention.name.as_str().into();
    }
    draft.facts.pins = Some(Pin::TemporaryTable);
    let name = mention.name.as_str().into();
    draft.facts.temporaries =
        vec![TemporaryChange { schema: own_schema, name, place: Some(place) }];
    Ok(at(draft, &survey, group, database))
}

fn at(mut draft: Draft, survey: &Survey, group: GroupId, database: Arc<str>) -> Outcome {
    draft.name_tables(survey, |_| Naming::Rename);
    let mut tables = Tables::default();
    tables.groups.push(group);
    tables.databases.push(Some(database));
    Outcome::Plan(draft.finish(Action::Tables(tables)))
}

/// The group that the new table is made in: beside what it is made of. `None`: that isn't in one place,
/// or goes by names there which its SELECT doesn't use.
fn home(
    draft: &Draft,
    survey: &Survey,
    schema: &Schema,
    existing: Option<GroupId>,
    selects: bool,
) -> Result<Option<GroupId>> {
    let sources = survey.uses.get(1..).unwrap_or_default();
    if sources.is_empty() {
        return Ok(existing.or(Some(schema.default_group)));
    }
    if selects && !sources.iter().all(|used| keeps_its_name(draft, used)) {
        return Ok(None);
    }
    let mut groups: Option<Vec<GroupId>> = None;
    for used in sources {
        let here: Vec<GroupId> = match &used.placement {
            Placement::Sharded(_) => return Ok(None),
            Placement::Broadcast(table) => table.copies.iter().map(|(group, _)| *group).collect(),
            Placement::Single(table) => vec![table.group],
        };
        groups = Some(match groups {
            None => here,
            Some(known) => known.into_iter().filter(|group| here.contains(group)).collect(),
        });
    }
    let groups = groups.unwrap_or_default();
    let wanted = existing.unwrap_or(schema.default_group);
    let found = match (groups.contains(&wanted), existing) {
        (true, _) => Some(wanted),
        (false, None) => groups.first().copied(),
        (false, Some(_)) => None,
    };
    match found {
        None if !selects => Err(refuse(
            "cross_group",
            "The temporary table would lie in another group than the table that it is to be like",
        )),
        found => Ok(found),
    }
}

/// Whether a server knows the table, and the columns qualified by it, by the names in the statement.
fn keeps_its_name(draft: &Draft, used: &Use) -> bool {
    let (database, table) = match &used.placement {
        _ if is_system(used.schema.as_str()) => return false,
        Placement::Sharded(_) => return false,
        Placement::Broadcast(table) => (table.copies.first().map(|(_, name)| name), &table.table),
        Placement::Single(table) => (Some(&table.database), &table.table),
    };
    let alike = match &used.placement {
        Placement::Broadcast(table) => {
            table.copies.iter().all(|(_, name)| **name == *used.schema.as_str())
        }
        _ => database.is_some_and(|name| **name == *used.schema.as_str()),
    };
    let home = draft.input.schema == Some(used.schema.as_str());
    **table == *used.written.table.text && (alike || (home && used.written.schema.is_none()))
}

/// A temporary table must hide no physical table that is read under another name.
fn is_free(draft: &Draft, own: &SchemaName, name: &str, place: &SingleTable) -> Result<()> {
    let is_there = |group: GroupId, database: &str, table: &str| {
        group == place.group && *database == *place.database && table == name
    };
    for schema in draft.input.rules.schemas() {
        for (logical, placement) in schema.tables() {
            let hidden = match placement {
                Placement::Sharded(table) => table
                    .shards
                    .iter()
                    .any(|shard| is_there(shard.group, &shard.database, &shard.table)),
                Placement::Broadcast(table) => table
                    .copies
                    .iter()
                    .any(|(group, database)| is_there(*group, database, &table.table)),
                Placement::Single(table) => is_there(table.group, &table.database, &table.table),
            };
            if hidden && !(schema.name == *own && logical == name) {
                return Err(refuse(
                    "temporary_name",
                    format!(
                        "A temporary table of the name '{name}' would hide a physical table of '{logical}': \
                         give it another name"
                    ),
                ));
            }
        }
    }
    Ok(())
}

fn drop<'a>(
    mut draft: Draft<'a>,
    tokens: &[Token],
    mentions: &[Mention],
    mut survey: Survey<'a>,
) -> Result<Outcome> {
    let rules = draft.input.rules;
    let mut group = None;
    for (used, mention) in survey.uses.iter().zip(mentions) {
        let known = rules.schema(used.schema.as_str()).and_then(|one| one.temporary(&mention.name));
        let Some(known) = known else { continue };
        if group.is_some_and(|group| group != known.group) || mentions.len() > 1 {
            return Err(refuse(TABLES_APART, "Temporary tables are dropped one by one"));
        }
        group = Some(known.group);
        draft.facts.temporaries.push(TemporaryChange {
            schema: used.schema.clone(),
            name: mention.name.as_str().into(),
            place: None,
        });
    }
    everything_named(&draft, tokens, mentions)?;
    let first = survey.uses.first().and_then(|used| rules.schema(used.schema.as_str()));
    let home = group.or(first.map(|schema| schema.default_group)).unwrap_or(GroupId(0));
    let mut at_home = None;
    for (used, mention) in survey.uses.iter_mut().zip(mentions) {
        let database = rules.schema(used.schema.as_str()).and_then(|one| one.database_in(home));
        let Some(database) = database.cloned() else { continue };
        at_home = at_home.or(Some(database.clone()));
        used.name = mention.name.as_str().into();
        used.placement = Placement::Single(SingleTable {
            group: home,
            database,
            table: Arc::from(&*mention.name),
            default: false,
            temporary: group.is_some(),
        });
    }
    let Some(database) = at_home else {
        return Err(Error::internal("a schema without a database"));
    };
    Ok(at(draft, &survey, home, database))
}

/// Any other definition that names temporary tables: what becomes of them. A name that one of them gets
/// is in the same place.
///
/// # Errors
/// [`TABLES_APART`] where a DROP names others besides.
pub(crate) fn follow(draft: &mut Draft, tokens: &[Token], survey: &mut Survey) -> Result<()> {
    use StatementKind as K;
    if matches!(draft.kind, K::CreateTable { .. }) {
        // The new table is none of them, and stands where it would without them.
        if let Some(own) = survey.uses.first_mut().filter(|own| own.placement.is_temporary())
            && let Some(schema) = draft.input.rules.schema(own.schema.as_str())
        {
            own.placement = schema.lasting(&own.name);
        }
        return Ok(());
    }
    if !survey.uses.iter().any(|used| used.placement.is_temporary()) {
        return Ok(());
    }
    if draft.kind == K::RenameTable {
        return rename(draft, survey);
    }
    if matches!(draft.kind, K::DropTable { .. }) && survey.uses.len() > 1 {
        return Err(refuse(TABLES_APART, "Temporary tables are dropped one by one"));
    }
    let Some(own) = survey.uses.first() else { return Ok(()) };
    let Placement::Single(place) = own.placement.clone() else { return Ok(()) };
    let mut change = |name: &str, place: Option<SingleTable>| {
        let (schema, name) = (own.schema.clone(), name.into());
        draft.facts.temporaries.push(TemporaryChange { schema, name, place });
    };
    match draft.kind {
        K::DropTable { .. } => change(&own.name, None),
        K::AlterTable => match new_name(draft.input.sql, tokens) {
            Some(name) => {
                change(&own.name, None);
                change(&name, Some(SingleTable { table: Arc::from(&*name), ..place.clone() }));
                if let Some(to) = survey.uses.get_mut(1) {
                    to.placement =
                        Placement::Single(SingleTable { table: Arc::from(&*name), ..place });
                }
            }
            None => change(&own.name, Some(place)),
        },
        K::CreateIndex | K::DropIndex => change(&own.name, Some(place)),
        _ => {}
    }
    Ok(())
}

/// RENAME TABLE a TO b, c TO d.
fn rename(draft: &mut Draft, survey: &mut Survey) -> Result<()> {
    let mut known: Vec<(SchemaName, Box<str>, Option<SingleTable>)> = vec![];
    let mut place = 0;
    while place + 1 < survey.uses.len() {
        let Some(from) = survey.uses.get(place) else { break };
        let key = (from.schema.clone(), from.name.clone());
        let renamed =
            known.iter().rev().find(|(schema, name, _)| (schema, name) == (&key.0, &key.1));
        let table = match (renamed, &from.placement) {
            (Some((.., table)), _) => table.clone(),
            (None, Placement::Single(table)) if table.temporary => Some(table.clone()),
            _ => None,
        };
        if let Some(table) = table {
            if let Some(from) = survey.uses.get_mut(place) {
                from.placement = Placement::Single(table.clone());
            }
            let Some(to) = survey.uses.get_mut(place + 1) else { break };
            let table = SingleTable { table: Arc::from(&*to.written.table.text), ..table };
            to.placement = Placement::Single(table.clone());
            known.push((key.0, key.1, None));
            known.push((to.schema.clone(), to.written.table.text.as_str().into(), Some(table)));
        }
        place += 2;
    }
    let changes = known.into_iter();
    let change = |(schema, name, place)| TemporaryChange { schema, name, place };
    draft.facts.temporaries.extend(changes.map(change));
    Ok(())
}

/// ALTER TABLE … RENAME [TO | AS] name.
fn new_name(sql: &[u8], tokens: &[Token]) -> Option<String> {
    let tokens: Vec<&Token> = tokens.iter().filter(|token| !token.kind.is_trivia()).collect();
    let mut at = tokens.windows(2).position(|pair| match pair {
        [first, second] => {
            first.depth == 0
                && first.is_word(sql, "RENAME")
                && !second.is_any(sql, &["COLUMN", "INDEX", "KEY"])
        }
        _ => false,
    })? + 1;
    while tokens.get(at)?.is_any(sql, &["TO", "AS"]) || tokens.get(at)?.is_symbol(sql, "=") {
        at += 1;
    }
    if tokens.get(at + 1).is_some_and(|token| token.is_symbol(sql, ".")) {
        at += 2;
    }
    tokens.get(at).filter(|token| token.is_name()).map(|token| name_of(sql, token))
}
