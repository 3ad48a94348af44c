//! Views over sharded tables: reading one means reading what it stands for.
//!
//! Owns: which names of a statement are such views, and the statement with the view's SELECT in their
//! places, as derived tables. Never: plans that statement: its text is planned as any other.
//!
//! On its server such a view reads the first shard in its group of each of its sharded tables
//! ([`super::create_view`] makes it so). There it says what its columns are, and nobody reads it.
//! Views that name several shards of one table are somebody's own and stay what they are.

mod literals;
pub(crate) mod text;

use std::sync::Arc;

use crate::catalog::{Table, View};
use crate::error::Error;
use crate::name::{GroupId, SchemaName};
use crate::planner::draft::{Draft, Naming, Result};
use crate::planner::gather::{is_aggregate, is_windowed, item_any};
use crate::planner::insert;
use crate::planner::label::label_nested;
use crate::planner::plan::{Access, Pin, PreparedForm};
use crate::planner::query::{Outcome, label_items};
use crate::planner::refuse::refuse;
use crate::planner::splice::{Part, What, quote};
use crate::planner::survey::{Leaf, Resolved, Role, Survey, is_system};
use crate::planner::{Action, PlanInput, TableUse};
use crate::rules::table::{Placement, ShardedTable, SingleTable};
use crate::sql::analysis::{Body, Factor, Parsed, Query, Span, Statement};
use crate::sql::lex::ServerKind;
use text::{Definition, Meant, Order, REFUSED, Text, meant};

/// Views within views that are followed.
const DEPTH: usize = 32;

/// What a statement that reads views over shards becomes.
#[derive(Debug)]
pub struct Expansion {
    /// Whoever may read the views may read what they read.
    pub definer: bool,
    /// What stands for each of them, in the statement's order.
    pub(crate) texts: Vec<ViewText>,
}

/// What stands for a view.
#[derive(Debug)]
pub(crate) struct ViewText {
    /// As readers are shown it whose connection's collation is that of its making.
    same: String,
    collation: Box<str>,
    /// For all others; `None` where no text means the same to them.
    elsewhere: Option<String>,
}

impl Expansion {
    /// What stands for the views where the connection has this collation.
    ///
    /// # Errors
    /// A view that can't be read there.
    pub(crate) fn sources(&self, collation: Option<&str>) -> Result<Vec<String>> {
        let of = |text: &ViewText| match (collation, &text.elsewhere) {
            (None, _) => Ok(text.same.clone()),
            (Some(here), _) if here.eq_ignore_ascii_case(&text.collation) => Ok(text.same.clone()),
            (_, Some(elsewhere)) => Ok(elsewhere.clone()),
            (Some(collation), None) => Err(Error::refused(
                "view_charset",
                format!(
                    "A view over sharded tables was made by a connection with collation_connection = {0}, which \
                     its literals have, and this session has {collation}: SET collation_connection = {0} first",
                    text.collation
                ),
            )),
        };
        self.texts.iter().map(of).collect()
    }
}

/// A view's name in an answer's column definitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewName {
    /// How the statement calls it.
    pub alias: Box<str>,
    pub schema: SchemaName,
    pub name: Box<str>,
    /// Its tables stand in its place.
    pub merged: bool,
    /// The columns that it computes.
    pub computed: Vec<String>,
}

/// The statement with its views over shards replaced; `None` where it names none.
pub(crate) fn look<'a>(draft: &Draft<'a>, parsed: &'a Parsed) -> Result<Option<Outcome>> {
    let rules = draft.input.rules;
    let several = |schema: &crate::rules::Schema| {
        let several = |placement: &Placement| {
            matches!(placement, Placement::Sharded(_) | Placement::Broadcast(_))
        };
        schema.tables().iter().any(|(_, placement)| several(placement))
    };
    if !rules.schemas().iter().any(|schema| several(schema)) {
        return Ok(None);
    }
    let mut survey = Survey::new(draft.input);
    // Its own planner says what is wrong with it.
    let Ok(changed) = surveyed(&mut survey, parsed) else { return Ok(None) };
    let mut views = Views::new(draft.input);
    let mut over = vec![];
    for index in 0..survey.uses.len() {
        let Some(used) = survey.uses.get(index) else { continue };
        let Placement::Single(single) = &used.placement else { continue };
        if views.is_over(&used.schema, &used.name, single)? {
            over.push(index);
        }
        let is_changed = match &changed {
            Changed::Uses(changed) => changed.contains(&index),
            Changed::Unsure => true,
        };
        if is_changed {
            views.refuse_copies(&used.schema, &used.name, single)?;
        }
    }
    if !views.needs.is_empty() {
        return Ok(Some(Outcome::Need(views.needs)));
    }
    if over.is_empty() {
        return Ok(None);
    }
    if let Changed::Uses(changed) = &changed
        && let Some(used) = changed.iter().find(|used| over.contains(used))
    {
        return Err(written(survey.uses.get(*used).map_or("?", |used| &used.name)));
    }
    if matches!(changed, Changed::Unsure) {
        return Err(written(
            over.first().and_then(|used| survey.uses.get(*used)).map_or("?", |used| &used.name),
        ));
    }
    if parsed.locking {
        return Err(refuse(
            REFUSED,
            "A locking clause would not lock the rows of a view over sharded tables: SELECT them from \
             its tables",
        ));
    }
    expand(draft.clone(), &survey, &over, parsed).map(Some)
}

/// Whether a name is a view over shards, for statements that can't be about one.
///
/// # Errors
/// It is one.
pub(crate) fn refuse_over(
    draft: &Draft,
    survey: &Survey,
    what: &str,
) -> Result<Vec<(SchemaName, String)>> {
    let mut views = Views::new(draft.input);
    for used in &survey.uses {
        let Placement::Single(single) = &used.placement else { continue };
        if views.is_over(&used.schema, &used.name, single)? {
            return Err(refuse(
                REFUSED,
                format!("'{}' is a view over sharded tables: {what}", used.name),
            ));
        }
        let facts = &draft.facts;
        if facts.access == Access::Write || facts.pins == Some(Pin::TableLock) {
            views.refuse_copies(&used.schema, &used.name, single)?;
        }
    }
    Ok(views.needs)
}

/// The shards that a view of a statement about one table names on its server, as tables of their
/// logical names; or what must be known first.
pub(crate) fn stands_for(
    input: &PlanInput,
    survey: &Survey,
) -> Result<std::result::Result<Vec<TableUse>, Vec<(SchemaName, String)>>> {
    let mut views = Views::new(input);
    let mut found = vec![];
    for used in &survey.uses {
        let Placement::Single(single) = &used.placement else { continue };
        // One whose definition is hidden shows none.
        if !views.is_over(&used.schema, &used.name, single).unwrap_or(false) {
            continue;
        }
        let view = used.table.as_ref().and_then(|table| table.view.as_ref());
        let Some(view) = view else { continue };
        for mention in &Definition::new(&view.definition, input.dialect)?.tables {
            let Meant::Shard(table, number) =
                meant(input.rules, &used.schema, single.group, mention)
            else {
                continue;
            };
            let Some(shard) = table.shard(number) else { continue };
            let placement = Placement::Single(SingleTable {
                group: shard.group,
                database: shard.database.clone(),
                table: shard.table.clone(),
                default: false,
                temporary: false,
            });
            let (schema, name) = (table.schema.clone(), table.name.as_str().into());
            found.push(TableUse { schema, name, placement, sharded: None });
        }
    }
    Ok(if views.needs.is_empty() { Ok(found) } else { Err(views.needs) })
}

fn written(name: &str) -> Error {
    refuse(
        "write_view",
        format!("'{name}' is a view over sharded tables: change the rows of its tables"),
    )
}

/// The tables that a statement changes.
pub(crate) enum Changed {
    Uses(Vec<usize>),
    /// Any of its tables.
    Unsure,
}

pub(crate) fn surveyed<'a>(survey: &mut Survey<'a>, parsed: &'a Parsed) -> Result<Changed> {
    let mut changed = vec![];
    match &parsed.statement {
        Statement::Query(query) => {
            survey.query(query, None, Role::Top)?;
        }
        Statement::Insert(insert) => {
            insert::surveyed(survey, insert)?;
            changed.push(insert::TARGET);
        }
        Statement::Update(update) => {
            let block = survey.open(None, Role::Top);
            survey.from(block, &update.from, update.filter.as_ref())?;
            for assignment in &update.assignments {
                survey.expression(block, &assignment.value)?;
                survey.column(block, &assignment.target);
                match survey.resolve(block, &assignment.target) {
                    Resolved::Use(used) => changed.push(used),
                    // The only table says itself that it has no such column.
                    _ => match survey.blocks.get(block).map(|block| block.leaves.as_slice()) {
                        Some([Leaf::Table(only)]) => changed.push(*only),
                        _ => return Ok(Changed::Unsure),
                    },
                }
            }
            for item in &update.order_by {
                survey.expression(block, &item.expr)?;
            }
        }
        Statement::Delete(delete) => {
            let block = survey.open(None, Role::Top);
            survey.from(block, &delete.from, delete.filter.as_ref())?;
            for target in &delete.targets {
                match survey.qualified_name(block, target) {
                    Some(used) => changed.push(used),
                    None => return Ok(Changed::Unsure),
                }
            }
            if delete.targets.is_empty() {
                changed.push(0);
            }
            for item in &delete.order_by {
                survey.expression(block, &item.expr)?;
            }
        }
    }
    Ok(Changed::Uses(changed))
}

/// Looks at what names of single tables are.
struct Views<'a> {
    input: &'a PlanInput<'a>,
    needs: Vec<(SchemaName, String)>,
}

impl<'a> Views<'a> {
    fn new(input: &'a PlanInput<'a>) -> Self {
        Views { input, needs: vec![] }
    }

    fn is_over(&mut self, schema: &SchemaName, name: &str, single: &SingleTable) -> Result<bool> {
        if is_system(schema.as_str()) || single.temporary || !self.has_shards(single.group) {
            return Ok(false);
        }
        self.follow(schema, name, single.group, 0)
    }

    /// For what changes or locks a table: one server would do so to its own copy alone.
    ///
    /// # Errors
    /// The name is a view over a broadcast table.
    fn refuse_copies(
        &mut self,
        schema: &SchemaName,
        name: &str,
        single: &SingleTable,
    ) -> Result<()> {
        if is_system(schema.as_str())
            || single.temporary
            || !self.is_over_copies(schema, name, single.group, 0)?
        {
            return Ok(());
        }
        Err(refuse(
            "write_view",
            format!(
                "'{name}' is a view over a broadcast table, whose copies are in several groups: change the rows of \
                 its tables"
            ),
        ))
    }

    /// The table as the catalog has it; one that it doesn't have is needed.
    fn known(&mut self, schema: &SchemaName, name: &str) -> Option<&'a Arc<Table>> {
        let table = self.input.catalog.table(schema.as_str(), name);
        if table.is_none() && !self.input.final_catalog {
            let need = (schema.clone(), name.to_owned());
            if !self.needs.contains(&need) {
                self.needs.push(need);
            }
        }
        table
    }

    fn is_over_copies(
        &mut self,
        schema: &SchemaName,
        name: &str,
        group: GroupId,
        depth: usize,
    ) -> Result<bool> {
        let Some(table) = self.known(schema, name) else { return Ok(false) };
        let Some(view) = &table.view else { return Ok(false) };
        for mention in &Definition::new(&view.definition, self.input.dialect)?.tables {
            let Meant::Whole(schema, name, placement) =
                meant(self.input.rules, schema, group, mention)
            else {
                continue;
            };
            let over = match placement {
                Placement::Broadcast(_) => true,
                Placement::Single(_) if depth < DEPTH => {
                    self.is_over_copies(&schema, &name, group, depth + 1)?
                }
                _ => false,
            };
            if over {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether some table has a shard in a group: no view of another one is over shards.
    fn has_shards(&self, group: GroupId) -> bool {
        self.input.rules.schemas().iter().any(|schema| {
            schema.tables().into_iter().any(|(_, placement)| match placement {
                Placement::Sharded(table) => table.shards.iter().any(|shard| shard.group == group),
                _ => false,
            })
        })
    }

    fn follow(
        &mut self,
        schema: &SchemaName,
        name: &str,
        group: GroupId,
        depth: usize,
    ) -> Result<bool> {
        let Some(table) = self.known(schema, name) else { return Ok(false) };
        if !table.is_view {
            return Ok(false);
        }
        let Some(view) = &table.view else {
            return Err(refuse(
                "view_hidden",
                format!(
                    "'{name}' is a view whose definition the accounts of its group may not see, and which may \
                     be over sharded tables: grant them SHOW VIEW"
                ),
            ));
        };
        let definition = Definition::new(&view.definition, self.input.dialect)?;
        let mut shards = vec![];
        let mut over = false;
        for mention in &definition.tables {
            match meant(self.input.rules, schema, group, mention) {
                Meant::Shard(table, number) => shards.push((table, number)),
                Meant::Whole(schema, name, Placement::Single(_)) if depth < DEPTH => {
                    over |= self.follow(&schema, &name, group, depth + 1)?;
                }
                _ => {}
            }
        }
        let several = shards.iter().enumerate().any(|(place, (table, number))| {
            let same =
                |(other, of): &(Arc<ShardedTable>, u32)| Arc::ptr_eq(other, table) && of != number;
            shards.iter().skip(place + 1).any(same)
        });
        if several {
            return Ok(false);
        }
        Ok(over || !shards.is_empty())
    }

    fn text(&self, schema: &SchemaName, name: &str, group: GroupId) -> Result<(Text, &View)> {
        let table = self.input.catalog.table(schema.as_str(), name);
        let Some((table, view)) =
            table.and_then(|table| table.view.as_ref().map(|view| (table, view)))
        else {
            return Err(Error::internal("a view without a definition"));
        };
        let definition = Definition::new(&view.definition, self.input.dialect)?;
        let columns: Vec<&str> = table.columns.iter().map(|column| &*column.name).collect();
        if columns.is_empty() {
            // MariaDB reads the view in the asker's collation to describe it.
            return Err(Error::refused(
                REFUSED,
                format!(
                    "The server doesn't tell the columns of view '{name}': it can't read the view in the \
                     collation that Weir asks in. Make it under SET NAMES utf8mb4"
                ),
            ));
        }
        Ok((definition.logical(self.input.rules, schema, group, &columns)?, view))
    }
}

fn expand<'a>(
    mut draft: Draft<'a>,
    survey: &Survey<'a>,
    over: &[usize],
    parsed: &'a Parsed,
) -> Result<Outcome> {
    match &parsed.statement {
        Statement::Query(_) => draft.reads(),
        _ => draft.facts.access = Access::Write,
    }
    draft.name_tables(survey, |_| Naming::Alias);
    // The text stays what the client wrote, its hints too.
    draft.splices.clear();
    let views = Views::new(draft.input);
    let mut definer = true;
    let mut texts = vec![];
    let mut hints = String::new();
    for index in over {
        let Some(used) = survey.uses.get(*index) else { continue };
        let Placement::Single(single) = &used.placement else { continue };
        let (text, view) = views.text(&used.schema, &used.name, single.group)?;
        definer &= !view.invoker;
        let shown = used.alias.as_ref().unwrap_or(&used.written.table).text.as_str();
        let name = used.span();
        if used.alias_at != name.end {
            return Err(refuse(REFUSED, "A view has no partitions"));
        }
        draft.splice(name, What::Parts(vec![Part::Source(texts.len())]), false);
        let elsewhere = literals::elsewhere(&text.sql, view, draft.input.dialect);
        texts.push(ViewText {
            same: format!("({})", text.sql),
            collation: view.collation.clone(),
            elsewhere: elsewhere.map(|text| format!("({text})")),
        });
        let mut behind = String::new();
        if used.alias.is_none() {
            behind = format!(" AS {}", quoted(shown));
        }
        if let Some(columns) = &text.columns {
            let columns: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
            behind.push_str(&format!(" ({})", columns.join(", ")));
        }
        let end = used.alias.as_ref().map_or(name.end, |alias| alias.span.end);
        put(&mut draft, Span { start: end, end }, behind);
        order(&mut draft, (shown, &text), *index, parsed, survey)?;
        // Rows are what is shown under a view's name.
        if matches!(&parsed.statement, Statement::Query(_)) {
            hints.push_str(&shown_hint(draft.input, shown, (&used.schema, &used.name), &text));
        }
    }
    for name in survey.names.iter().filter(|name| over.contains(&name.used)) {
        if let Some(schema) = &name.schema {
            let at = Span { start: schema.span.start, end: name.table.span.start };
            put(&mut draft, at, String::new());
        }
    }
    if let Statement::Query(query) = &parsed.statement {
        label_items(&mut draft, query, parsed);
    }
    if survey.blocks.len() > 1 {
        label_nested(&mut draft)?;
    }
    if !hints.is_empty() {
        put(&mut draft, Span { start: 0, end: 0 }, format!("/*+ weir:{hints} */ "));
    }
    draft.facts.prepared = PreparedForm::Text;
    Ok(Outcome::Plan(draft.finish(Action::Views(Expansion { definer, texts }))))
}

/// On MySQL a view's columns say that they are the view's; a derived table's say whose they were.
fn shown_hint(
    input: &PlanInput,
    shown: &str,
    (schema, name): (&SchemaName, &str),
    text: &Text,
) -> String {
    if input.dialect.server != ServerKind::MySql {
        return String::new();
    }
    let names = [shown, schema.as_str(), name].map(quoted).join(", ");
    let computed: Vec<String> =
        text.computed.iter().map(|column| format!(", {}", quoted(column))).collect();
    let hint = format!(" view({names}, {}{})", u8::from(text.merged), computed.concat());
    // A hint ends at the first `*/`.
    if hint.contains("*/") { String::new() } else { hint }
}

fn quoted(name: &str) -> String {
    let mut out = Vec::new();
    quote(name, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn put(draft: &mut Draft, at: Span, text: String) {
    draft.splice(at, What::Parts(vec![Part::Text(text.into())]), false);
}

/// A SELECT from the view alone, without an order of its own, has the view's.
fn order(
    draft: &mut Draft,
    (shown, text): (&str, &Text),
    index: usize,
    parsed: &Parsed,
    survey: &Survey,
) -> Result<()> {
    let Statement::Query(query) = &parsed.statement else { return Ok(()) };
    if text.order == Order::None || !is_plain(query) {
        return Ok(());
    }
    let top = survey.uses.get(index).is_some_and(|used| {
        survey.blocks.get(used.block).is_some_and(|block| block.role == Role::Top)
    });
    if !top {
        return Ok(());
    }
    let Order::Columns(keys) = &text.order else {
        if text.limited {
            return Ok(());
        }
        return Err(refuse(
            REFUSED,
            format!(
                "The view '{shown}' is ordered by what is no column of it: select that, too, or give the \
                 statement an ORDER BY"
            ),
        ));
    };
    let used = survey.uses.get(index);
    let table = used.and_then(|used| draft.input.catalog.table(used.schema.as_str(), &used.name));
    let column = |(place, descending): &(usize, bool)| {
        let name = &table?.columns.get(*place)?.name;
        let direction = if *descending { " DESC" } else { "" };
        Some(format!("{}.{}{direction}", quoted(shown), quoted(name)))
    };
    let keys: Option<Vec<String>> = keys.iter().map(column).collect();
    let keys = keys.ok_or_else(|| Error::internal("a view with fewer columns than it has"))?;
    let end = parsed.layout.before_limit;
    put(draft, Span { start: end, end }, format!(" ORDER BY {}", keys.join(", ")));
    Ok(())
}

/// One table, and nothing that folds or orders its rows.
fn is_plain(query: &Query) -> bool {
    let Body::Select(select) = &query.body else { return false };
    let [tree] = select.from.as_slice() else { return false };
    let folds = |item| item_any(item, &is_aggregate) || item_any(item, &is_windowed);
    matches!(tree.first, Factor::Table(_))
        && tree.joins.is_empty()
        && query.order_by.is_empty()
        && !select.distinct
        && select.group_by.is_empty()
        && select.having.is_none()
        && !select.items.iter().any(folds)
}
