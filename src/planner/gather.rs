//! How the answers of several shards become one: what is added to the statement, and what the
//! executor does with the rows.
//!
//! Owns: ORDER BY, LIMIT, DISTINCT and aggregates over shards. Never: decides whether rows of
//! different shards may be needed together (see [`super::query`]).

use crate::planner::draft::{Draft, Result};
use crate::planner::limit::{limit_of, widen};
use crate::planner::order::{self, Comparison};
use crate::planner::plan::{
    Aggregate, AggregateFunction, Column, Fold, Gather, PreparedForm, SortKey,
};
use crate::planner::refuse::refuse;
use crate::planner::selected::{self, group_index, is_ambiguous, is_signed_number, item_index};
use crate::planner::splice::{Part, What};
use crate::planner::survey::{Resolved, Survey};
use crate::rules::table::Placement;
use crate::sql::analysis::{Expr, Function, Item, Layout, OrderItem, Query, Select, Span};

/// Functions that fold rows.
const AGGREGATES: [&str; 26] = [
    "any_value",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "count",
    "group_concat",
    "grouping",
    "json_arrayagg",
    "json_objectagg",
    "max",
    "median",
    "min",
    "percentile_cont",
    "percentile_disc",
    "std",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "st_collect",
    "sum",
    "var_pop",
    "var_samp",
    "variance",
    "approx_count_distinct",
    "string_agg",
];

/// A merge in the making.
struct Merge<'d, 'i, 's, 'a> {
    draft: &'d mut Draft<'i>,
    survey: &'s mut Survey<'a>,
    block: usize,
    select: &'a Select,
    layout: &'a Layout,
    /// Hidden columns: their texts.
    hidden: Vec<Vec<Part>>,
    /// Those that are weights, and how many bytes one has.
    units: Vec<(Column, u8)>,
}

/// One SELECT over shards.
pub(crate) fn select<'a>(
    draft: &mut Draft,
    survey: &mut Survey<'a>,
    block: usize,
    select: &'a Select,
    query: &'a Query,
    layout: &'a Layout,
) -> Result<Gather> {
    if has_window(select, query) {
        return Err(refuse(
            "scatter_window",
            "Window functions over several shards are not merged: narrow \
             the statement to one shard by the shard key",
        ));
    }
    let mut keys = query.order_by.iter().map(|item| &item.expr).chain(&select.group_by);
    if keys.any(|key| is_ambiguous(select, key) || is_signed_number(key)) {
        return Err(refuse(
            "scatter_order",
            "A key of ORDER BY or GROUP BY may mean several items",
        ));
    }
    let plain = keyed(survey, block, select) || !is_grouped(select, query);
    // A hidden key that differs for equal texts makes a shard's own DISTINCT give both.
    let distinct = select.distinct
        && (!distinct_by_key(survey, block, select)
            || !query.order_by.is_empty() && order::expands(survey, block, select));
    if layout.select == Span::default()
        && (!plain || distinct || !query.order_by.is_empty() || query.limit.is_some())
    {
        return Err(refuse(
            "scatter_order",
            "A query in parentheses is not merged with ORDER BY, LIMIT, \
             DISTINCT or aggregates: leave the outer parentheses out",
        ));
    }
    let mut merge = Merge { draft, survey, block, select, layout, hidden: vec![], units: vec![] };
    let mut gather = if !plain {
        merge.aggregated(query)?
    } else if distinct {
        merge.distinct(query)?
    } else {
        merge.rows(query)?
    };
    gather.hidden = merge.hidden.len();
    for key in gather.merge_by.iter_mut().chain(&mut gather.sort) {
        let unit = merge.units.iter().find(|(column, _)| *column == key.column);
        key.unit = unit.map_or(0, |(_, unit)| *unit);
    }
    merge.write_hidden();
    Ok(gather)
}

/// ORDER BY and LIMIT of a UNION ALL: rows are only put one behind the other.
pub(crate) fn union(draft: &mut Draft, query: &Query, layout: &Layout) -> Result<Gather> {
    if !query.order_by.is_empty() {
        return Err(refuse(
            "scatter_union",
            "ORDER BY of a UNION over several shards is not merged: narrow \
             each part to one shard by the shard key",
        ));
    }
    let limit = query.limit.as_ref().map(limit_of).transpose()?;
    if let Some(limit) = &limit {
        widen(draft, limit, layout);
    }
    Ok(Gather { limit, ..Gather::default() })
}

/// Whether the rows that a block gives are those of its shards put together: no aggregate,
/// DISTINCT or LIMIT over rows of different shards.
pub(crate) fn local_rows(survey: &mut Survey, block: usize) -> Result<()> {
    let Some(opened) = survey.blocks.get(block) else { return Ok(()) };
    let (Some(select), limited, order_by) = (opened.select, opened.limited, opened.order_by) else {
        return Ok(());
    };
    let refused = |what: &str| {
        Err(refuse(
            "scatter_subquery",
            format!(
                "{what} inside of a derived table or a UNION would be taken shard by shard: narrow it to one \
             shard by the shard key, or group by the shard key"
            ),
        ))
    };
    if limited {
        return refused("LIMIT");
    }
    if select.distinct && !distinct_by_key(survey, block, select) {
        return refused("DISTINCT");
    }
    let windows = select.windows || select.items.iter().any(|item| item_any(item, &is_windowed));
    if windows || order_by.iter().any(|item| any(&item.expr, &is_windowed)) {
        return refused("A window function");
    }
    let grouped = !select.group_by.is_empty()
        || select.having.is_some()
        || select.items.iter().any(|item| item_any(item, &is_aggregate));
    if grouped && !keyed(survey, block, select) {
        return refused("An aggregate");
    }
    Ok(())
}

pub(crate) fn is_grouped(select: &Select, query: &Query) -> bool {
    !select.group_by.is_empty()
        || select.having.is_some()
        || select.items.iter().any(|item| item_any(item, &is_aggregate))
        || query.order_by.iter().any(|item| any(&item.expr, &is_aggregate))
}

fn has_window(select: &Select, query: &Query) -> bool {
    select.windows
        || select.items.iter().any(|item| item_any(item, &is_windowed))
        || query.order_by.iter().any(|item| any(&item.expr, &is_windowed))
}

pub(crate) fn is_aggregate(function: &Function) -> bool {
    !function.window && !function.qualified && AGGREGATES.contains(&function.name.as_str())
}

pub(crate) fn is_windowed(function: &Function) -> bool {
    function.window
}

pub(crate) fn item_any(item: &Item, test: &dyn Fn(&Function) -> bool) -> bool {
    matches!(item, Item::Expr { expr, .. } if any(expr, test))
}

/// Whether a function in an expression, subqueries aside, passes a test.
fn any(expr: &Expr, test: &dyn Fn(&Function) -> bool) -> bool {
    match expr {
        Expr::Function(function) => {
            test(function) || function.arguments.iter().any(|argument| any(argument, test))
        }
        Expr::And(parts) | Expr::Or(parts) | Expr::Tuple(parts) | Expr::Opaque { parts, .. } => {
            parts.iter().any(|part| any(part, test))
        }
        Expr::Not(inner) | Expr::Negate(inner) | Expr::IsNull { expr: inner, .. } => {
            any(inner, test)
        }
        Expr::Compare { left, right, .. } | Expr::Arithmetic { left, right, .. } => {
            any(left, test) || any(right, test)
        }
        Expr::Between { expr, low, high, .. } => {
            any(expr, test) || any(low, test) || any(high, test)
        }
        Expr::InList { expr, list, .. } => {
            any(expr, test) || list.iter().any(|item| any(item, test))
        }
        Expr::InQuery { expr, .. } => any(expr, test),
        Expr::Exists(_)
        | Expr::Subquery(_)
        | Expr::Column(_)
        | Expr::Slot(_)
        | Expr::Literal(_) => false,
    }
}

/// Whether GROUP BY names every column of a shard key: then no group has rows of two shards.
fn keyed(survey: &mut Survey, block: usize, select: &Select) -> bool {
    if select.group_by.is_empty() || select.rollup {
        return false;
    }
    let exprs = select.group_by.iter().map(|expr| {
        let item =
            group_index(survey, block, select, expr).and_then(|index| select.items.get(index));
        match item {
            Some(Item::Expr { expr, .. }) => expr,
            _ => expr,
        }
    });
    let exprs: Vec<&Expr> = exprs.collect();
    names_key(survey, block, &exprs)
}

/// Whether DISTINCT is over every column of a shard key.
fn distinct_by_key(survey: &mut Survey, block: usize, select: &Select) -> bool {
    let exprs = select.items.iter().filter_map(|item| match item {
        Item::Expr { expr, .. } => Some(expr),
        Item::All | Item::AllOf(_) => None,
    });
    let exprs: Vec<&Expr> = exprs.collect();
    // A star gives all columns of a table, its key among them.
    let star = select.items.iter().any(|item| matches!(item, Item::All));
    (star && outer_sharded(survey, block).next().is_some()) || names_key(survey, block, &exprs)
}

/// The sharded tables of a block that are on no inner side: NULL keys are in every shard.
fn outer_sharded<'s>(survey: &'s Survey, block: usize) -> impl Iterator<Item = usize> + 's {
    let here = survey.uses.iter().enumerate().filter(move |(_, used)| {
        used.block == block && matches!(used.placement, Placement::Sharded(_))
    });
    here.map(|(index, _)| index).filter(|used| !survey.is_inner_side(*used))
}

fn names_key(survey: &mut Survey, block: usize, exprs: &[&Expr]) -> bool {
    let mut columns: Vec<(usize, String)> = vec![];
    for expr in exprs {
        if let Expr::Column(column) = expr {
            if let Resolved::Use(used) = survey.resolve(block, column) {
                columns.push((used, column.column.text.to_lowercase()));
            }
        }
    }
    let by = outer_sharded(survey, block).filter(|used| {
        survey.sharded(*used).is_some_and(|table| {
            table.keys.iter().all(|key| columns.contains(&(*used, key.name.to_lowercase())))
        })
    });
    let found: Vec<usize> = by.collect();
    found.into_iter().any(|used| !survey.may_lack_key(used))
}

impl<'a> Merge<'_, '_, '_, 'a> {
    /// Rows stay as they are.
    fn rows(&mut self, query: &'a Query) -> Result<Gather> {
        let mut gather = Gather::default();
        for (index, item) in query.order_by.iter().enumerate() {
            if self.select.distinct && item_index(self.select, &item.expr, true).is_none() {
                return Err(refuse(
                    "scatter_distinct",
                    "ORDER BY with DISTINCT over several shards needs each \
                     key in the select list",
                ));
            }
            gather.merge_by.push(self.order_key(index, item)?);
        }
        self.limit(query, &mut gather, true)?;
        Ok(gather)
    }

    fn limit(&mut self, query: &Query, gather: &mut Gather, pushed: bool) -> Result<()> {
        let Some(clause) = &query.limit else { return Ok(()) };
        let limit = limit_of(clause)?;
        if pushed {
            widen(self.draft, &limit, self.layout);
        } else if let Some(at) = self.layout.limit {
            self.draft.splice(at, What::Parts(vec![]), true);
        }
        gather.limit = Some(limit);
        Ok(())
    }

    /// A range that is copied takes its parameters along: the rest must go as text.
    fn cut_parameters(&mut self, span: Span) {
        if self.draft.has_parameter(span) {
            self.draft.facts.prepared = PreparedForm::Text;
        }
    }

    /// The key of one item of ORDER BY.
    fn order_key(&mut self, index: usize, item: &'a OrderItem) -> Result<SortKey> {
        let random =
            |function: &Function| matches!(function.name.as_str(), "rand" | "uuid" | "uuid_short");
        if any(&item.expr, &random) {
            return Err(refuse(
                "scatter_order",
                "ORDER BY RAND() over several shards is not merged: its \
                 value differs each time that it is asked",
            ));
        }
        let span = self.layout.order_items.get(index).copied().unwrap_or_default();
        let column = self.key(&item.expr, span, true)?;
        Ok(SortKey { column, descending: item.descending, unit: 0 })
    }

    /// The column that an expression of ORDER BY or GROUP BY is compared by.
    fn key(&mut self, expr: &'a Expr, span: Span, alias_first: bool) -> Result<Column> {
        let index = if alias_first {
            item_index(self.select, expr, true)
        } else {
            group_index(self.survey, self.block, self.select, expr)
        };
        // A second copy of what is selected would be an error (1055) where MariaDB wants grouped columns.
        if let Some(index) = index.or_else(|| self.selected(expr, span)) {
            if let Some(Item::Expr { expr: selected, alias }) = self.select.items.get(index) {
                let comparison = order::of_key(self.survey, self.block, self.select, selected)?;
                if comparison == Comparison::Itself && !self.star_before(index) {
                    return Ok(Column::Visible(narrow(index)?));
                }
                let text = self.item_text(index, alias.as_ref().map(|alias| alias.span));
                return self.hide_key(&comparison, text);
            }
        }
        if let Expr::Literal(_) = expr {
            return Err(refuse(
                "scatter_order",
                "The ordinal in ORDER BY or GROUP BY names no column that \
                 is known here: write the column's name",
            ));
        }
        let comparison = order::of_key(self.survey, self.block, self.select, expr)?;
        if !alias_first && !matches!(expr, Expr::Column(_)) {
            selected::may_select_key(self.draft, self.survey, self.block)?;
        }
        self.cut_parameters(span);
        let mut text = vec![Part::Copy(span)];
        // ORDER BY may name an item's alias alike.
        if let (Comparison::Itself, Expr::Column(_)) = (&comparison, expr) {
            text.push(Part::Text(" AS weir_key".into()));
        }
        self.hide_key(&comparison, text)
    }

    fn star_before(&self, index: usize) -> bool {
        self.select.items.iter().take(index).any(|item| !matches!(item, Item::Expr { .. }))
    }

    /// The select item that has this expression's text.
    fn selected(&self, expr: &Expr, span: Span) -> Option<usize> {
        if matches!(expr, Expr::Column(_) | Expr::Literal(_)) {
            return None;
        }
        let spanned = |item: &Item| match item {
            Item::Expr { alias, .. } => Some(alias.as_ref().map(|alias| alias.span)),
            _ => None,
        };
        self.select.items.iter().enumerate().position(|(index, item)| {
            spanned(item).is_some_and(|alias| self.same_text(self.item_span(index, alias), span))
        })
    }

    /// The text of a select item without its alias.
    fn item_text(&mut self, index: usize, alias: Option<Span>) -> Vec<Part> {
        let span = self.item_span(index, alias);
        self.cut_parameters(span);
        vec![Part::Copy(span)]
    }

    /// Where a select item stands, without its alias.
    fn item_span(&self, index: usize, alias: Option<Span>) -> Span {
        let mut span = self.layout.items.get(index).copied().unwrap_or_default();
        if let Some(alias) = alias {
            let template = self.draft.input.lexed.template();
            // The parser gives no place for an alias that is written as a string.
            let alias_at = match alias == Span::default() {
                true => self.layout.item_tails.get(index).copied().unwrap_or_default(),
                false => alias.start,
            };
            let text = template.get(span.start as usize..alias_at as usize).unwrap_or_default();
            let mut text = text.trim_ascii_end();
            if let Some((rest, word)) = text.split_last_chunk::<2>() {
                let bounded =
                    rest.last().is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
                if word.eq_ignore_ascii_case(b"as") && bounded {
                    text = rest.trim_ascii_end();
                }
            }
            span.end = span.start + text.len() as u32;
        }
        span
    }

    /// Hides the column that an expression of this text is compared by.
    fn hide_key(&mut self, comparison: &Comparison, text: Vec<Part>) -> Result<Column> {
        let column = self.hide(comparison.parts(text))?;
        if comparison.unit() > 0 {
            self.units.push((column, comparison.unit()));
        }
        Ok(column)
    }

    fn hide(&mut self, parts: Vec<Part>) -> Result<Column> {
        self.hidden.push(parts);
        Ok(Column::Hidden(narrow(self.hidden.len() - 1)?))
    }

    /// Puts the hidden columns behind the select list.
    fn write_hidden(&mut self) {
        let Some(last) = self.layout.items.last() else { return };
        let mut parts = vec![];
        for hidden in self.hidden.drain(..) {
            parts.push(Part::Text(", ".into()));
            parts.extend(hidden);
        }
        if !parts.is_empty() {
            self.draft.insert_scattered(last.end, parts);
        }
    }

    /// Aggregates with and without GROUP BY whose groups have rows of several shards.
    fn aggregated(&mut self, query: &'a Query) -> Result<Gather> {
        if self.select.rollup {
            return Err(refuse(
                "scatter_aggregate",
                "WITH ROLLUP over several shards is not merged",
            ));
        }
        if self.select.having.is_some() {
            return Err(refuse(
                "scatter_aggregate",
                "HAVING over groups with rows of several shards is not \
                 evaluated: group by the shard key, or filter the answer",
            ));
        }
        if self.select.distinct {
            return Err(refuse(
                "scatter_distinct",
                "DISTINCT over aggregates of several shards is not merged",
            ));
        }
        let mut gather = Gather::default();
        let mut totals = vec![];
        for (index, item) in self.select.items.iter().enumerate() {
            match item {
                Item::Expr { expr, .. } => self.total(index, expr, &mut totals)?,
                Item::All | Item::AllOf(_) => {
                    return Err(refuse(
                        "scatter_aggregate",
                        "A star beside \
                     aggregates of several shards is not merged: name the columns",
                    ));
                }
            }
        }
        gather.merge_by = self.group_keys(query)?;
        gather.fold = Fold::Aggregate(totals);
        if self.select.group_by.is_empty() {
            // One row per shard: neither order nor limit changes what a shard gives.
            self.limit(query, &mut gather, false)?;
            return Ok(gather);
        }
        let by_groups = self.order_groups(query, &mut gather)?;
        self.limit(query, &mut gather, by_groups)?;
        Ok(gather)
    }

    /// One select item: a group's key, which stays, or an aggregate, which is added up.
    fn total(&mut self, index: usize, expr: &'a Expr, totals: &mut Vec<Aggregate>) -> Result<()> {
        let Expr::Function(function) = expr else {
            if any(expr, &is_aggregate) {
                return Err(refuse(
                    "scatter_aggregate",
                    "An expression over aggregates of several shards is \
                     not evaluated: select the aggregates themselves",
                ));
            }
            return Ok(());
        };
        if !is_aggregate(function) {
            if any(expr, &is_aggregate) {
                return Err(refuse(
                    "scatter_aggregate",
                    "A function of aggregates of several shards is not \
                     evaluated: select the aggregates themselves",
                ));
            }
            return Ok(());
        }
        let column = Column::Visible(narrow(index)?);
        if let Some(function) = self.aggregate(function)? {
            totals.push(Aggregate { column, function });
        }
        Ok(())
    }

    /// How partial results of an aggregate add up. `None`: any of them will do.
    fn aggregate(&mut self, function: &'a Function) -> Result<Option<AggregateFunction>> {
        let by_key = function.distinct && {
            let arguments: Vec<&Expr> = function.arguments.iter().collect();
            names_key(self.survey, self.block, &arguments)
        };
        if function.distinct
            && !by_key
            && !matches!(function.name.as_str(), "min" | "max" | "bit_and" | "bit_or")
        {
            return Err(refuse(
                "scatter_aggregate",
                format!(
                    "{}(DISTINCT …) over several shards is not merged: group by the shard key, or narrow the \
                 statement to one shard",
                    function.name.to_uppercase(),
                ),
            ));
        }
        Ok(Some(match (function.name.as_str(), function.arguments.as_slice()) {
            ("count", _) => AggregateFunction::Count,
            ("sum", [_]) => AggregateFunction::Sum,
            ("bit_and", [_]) => AggregateFunction::BitAnd,
            ("bit_or", [_]) => AggregateFunction::BitOr,
            ("bit_xor", [_]) => AggregateFunction::BitXor,
            ("any_value", [_]) => return Ok(None),
            ("min" | "max", [argument]) => {
                let comparison = order::of_least(self.survey, self.block, argument)?;
                let weight = match comparison {
                    Comparison::Itself => None,
                    by => {
                        self.cut_parameters(function.span);
                        Some(self.hide(by.least(function))?)
                    }
                };
                if function.name == "min" {
                    AggregateFunction::Min { weight }
                } else {
                    AggregateFunction::Max { weight }
                }
            }
            ("avg", [_]) => {
                self.cut_parameters(function.inside);
                let of = |name: &str| {
                    vec![
                        Part::Text(format!("{name}(").into()),
                        Part::Copy(function.inside),
                        Part::Text(")".into()),
                    ]
                };
                let sum = self.hide(of("SUM"))?;
                let count = self.hide(of("COUNT"))?;
                AggregateFunction::Average { sum, count }
            }
            (name, _) => {
                return Err(refuse(
                    "scatter_aggregate",
                    format!(
                        "{}() over several shards is not merged: group by the shard key, or narrow the \
                     statement to one shard",
                        name.to_uppercase(),
                    ),
                ));
            }
        }))
    }

    /// The groups' keys, in the order in which shards are made to send them: that of ORDER BY as far
    /// as it names groups, so that it needn't be sorted again.
    fn group_keys(&mut self, query: &'a Query) -> Result<Vec<SortKey>> {
        let mut keys = vec![];
        let mut order = vec![];
        let mut text = vec![];
        for (index, expr) in self.select.group_by.iter().enumerate() {
            let span = self.layout.group_items.get(index).copied().unwrap_or_default();
            let column = self.key(expr, span, false)?;
            order.push((self.order_place(query, expr), index, column, span));
        }
        order.sort_by_key(|(place, index, ..)| (place.map_or(usize::MAX, |place| place), *index));
        for (place, _, column, span) in order {
            let descending = place
                .and_then(|place| query.order_by.get(place))
                .is_some_and(|item| item.descending);
            keys.push(SortKey { column, descending, unit: 0 });
            text.push(Part::Text(if text.is_empty() { " ORDER BY " } else { ", " }.into()));
            text.push(Part::Copy(span));
            if descending {
                text.push(Part::Text(" DESC".into()));
            }
            self.cut_parameters(span);
        }
        if !keys.is_empty() {
            match self.layout.order_by {
                Some(at) => {
                    self.cut_parameters(at);
                    // The blank before the clause stands.
                    if let Some(Part::Text(first)) = text.first_mut() {
                        *first = "ORDER BY ".into();
                    }
                    self.draft.splice(at, What::Parts(text), true);
                }
                None => self.draft.insert_scattered(self.layout.before_order, text),
            }
        }
        Ok(keys)
    }

    /// Which item of ORDER BY names a group's key.
    fn order_place(&mut self, query: &Query, group: &Expr) -> Option<usize> {
        query.order_by.iter().position(|item| self.same(&item.expr, group))
    }

    /// Whether two expressions of ORDER BY and GROUP BY surely mean the same.
    fn same(&mut self, order: &Expr, group: &Expr) -> bool {
        let group_item = group_index(self.survey, self.block, self.select, group);
        match (item_index(self.select, order, true), group_item) {
            (Some(a), Some(b)) => return a == b,
            // An item whose alias hides the column that the rows are grouped by.
            (Some(_), None) => return false,
            _ => {}
        }
        match (order, group) {
            (Expr::Column(a), Expr::Column(b)) => {
                a.column.is(&b.column.text)
                    && a.table.as_ref().map(|t| &t.text) == b.table.as_ref().map(|t| &t.text)
            }
            _ => false,
        }
    }

    /// The order of the folded rows. True where merging already gives it.
    fn order_groups(&mut self, query: &'a Query, gather: &mut Gather) -> Result<bool> {
        let places: Vec<Option<usize>> =
            self.select.group_by.iter().map(|group| self.order_place(query, group)).collect();
        let all_groups = (0..query.order_by.len()).all(|place| places.contains(&Some(place)));
        if all_groups {
            return Ok(true);
        }
        for item in &query.order_by {
            let key = self.folded_key(item)?;
            gather.sort.push(key);
        }
        Ok(false)
    }

    /// A key over folded rows: a group's key or a visible aggregate.
    fn folded_key(&mut self, item: &'a OrderItem) -> Result<SortKey> {
        let descending = item.descending;
        for (index, group) in self.select.group_by.iter().enumerate() {
            if self.same(&item.expr, group) {
                let span = self.layout.group_items.get(index).copied().unwrap_or_default();
                let column = self.key(group, span, false)?;
                return Ok(SortKey { column, descending, unit: 0 });
            }
        }
        let same_call = |function: &Function| {
            self.select.items.iter().position(|item| match item {
                Item::Expr { expr: Expr::Function(other), .. } => {
                    self.same_text(other.span, function.span)
                }
                _ => false,
            })
        };
        let index = match &item.expr {
            Expr::Function(function) => same_call(function),
            expr => item_index(self.select, expr, true),
        };
        let Some(index) = index else {
            return Err(refuse(
                "scatter_aggregate",
                "ORDER BY over aggregates of several shards needs each \
                 key in the select list: add it there",
            ));
        };
        match self.select.items.get(index) {
            Some(Item::Expr { expr: Expr::Function(f), .. })
                if matches!(f.name.as_str(), "min" | "max") =>
            {
                let argument = f.arguments.first();
                let comparison = match argument {
                    Some(argument) => order::of_extreme(self.survey, self.block, argument)?,
                    None => Comparison::Itself,
                };
                if comparison != Comparison::Itself {
                    return Err(refuse(
                        "scatter_aggregate",
                        "ORDER BY of MIN or MAX of a text over several \
                         shards is not merged",
                    ));
                }
            }
            Some(Item::Expr { expr, .. }) => {
                let comparison = order::of_group(self.survey, self.block, expr)?;
                if comparison != Comparison::Itself {
                    return Err(refuse(
                        "scatter_aggregate",
                        "ORDER BY of a text that is no group's key over \
                         several shards is not merged",
                    ));
                }
            }
            _ => {}
        }
        Ok(SortKey { column: Column::Visible(narrow(index)?), descending, unit: 0 })
    }

    /// Whether two ranges of the template have the same bytes.
    fn same_text(&self, left: Span, right: Span) -> bool {
        let template = self.draft.input.lexed.template();
        let (left, right) = (template.get(left.range()), template.get(right.range()));
        left.is_some_and(|text| {
            !text.is_empty() && right.is_some_and(|r| r.eq_ignore_ascii_case(text))
        })
    }

    /// DISTINCT over rows of several shards: sorted by every column, equal neighbours fold.
    fn distinct(&mut self, query: &'a Query) -> Result<Gather> {
        let mut keys = vec![];
        let mut named = vec![];
        for item in &query.order_by {
            let Some(index) = item_index(self.select, &item.expr, true) else {
                return Err(refuse(
                    "scatter_distinct",
                    "ORDER BY with DISTINCT over several shards needs each \
                     key in the select list",
                ));
            };
            named.push((index, item.descending));
        }
        for index in 0..self.select.items.len() {
            if !named.iter().any(|(known, _)| *known == index) {
                named.push((index, false));
            }
        }
        let mut text = vec![];
        for (index, descending) in named {
            let Some(Item::Expr { expr, alias }) = self.select.items.get(index) else {
                return Err(refuse(
                    "scatter_distinct",
                    "DISTINCT of a star over several shards is not merged: \
                     name the columns",
                ));
            };
            // A key follows from its column's value, so a shard's rows stay as distinct as they are.
            let column = match order::of_group(self.survey, self.block, expr)? {
                Comparison::Itself => Column::Visible(narrow(index)?),
                by => {
                    let text = self.item_text(index, alias.as_ref().map(|alias| alias.span));
                    self.hide_key(&by, text)?
                }
            };
            keys.push(SortKey { column, descending, unit: 0 });
            let ordinal = format!(
                "{}{}{}",
                if text.is_empty() { " ORDER BY " } else { ", " },
                index + 1,
                if descending { " DESC" } else { "" },
            );
            text.push(Part::Text(ordinal.into()));
        }
        match self.layout.order_by {
            Some(at) => {
                self.cut_parameters(at);
                self.draft.splice(at, What::Parts(text), true);
            }
            None => self.draft.insert_scattered(self.layout.before_order, text),
        }
        let mut gather = Gather { merge_by: keys, fold: Fold::Distinct, ..Gather::default() };
        // Every column is a key: the first rows of each shard are all that can be among the first,
        // unless the shard counts equal texts twice for their keys.
        let pushed = self.units.is_empty();
        self.limit(query, &mut gather, pushed)?;
        Ok(gather)
    }
}

fn narrow(index: usize) -> Result<u16> {
    u16::try_from(index)
        .map_err(|_| refuse("scatter_order", "The select list is too long to be merged"))
}
