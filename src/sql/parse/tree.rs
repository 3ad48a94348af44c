//! The parser's queries and tables → ours.
//!
//! Owns: the conversion of everything but expressions. Never: guesses: a form that our tree
//! doesn't hold is [`Unparsed`].

use sqlparser::ast::{
    self, Distinct, GroupByExpr, GroupByWithModifier, JoinConstraint, JoinOperator,
    JsonTableColumn, LimitClause, NamedWindowDefinition, NamedWindowExpr, ObjectName,
    ObjectNamePart, OrderByKind, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    SetQuantifier, TableFactor,
};

use super::{Context, Unparsed, refuse};
use crate::sql::analysis::{
    Body, ColumnName, Cte, Expr, Factor, Ident, Item, Join, JoinKind, Limit, OrderItem, Query,
    Select, SetOperator, TableName, TableRef, TableTree,
};

type Result<T> = std::result::Result<T, Unparsed>;

impl Context<'_> {
    pub(super) fn ident(&self, ident: ast::Ident) -> Ident {
        Ident { span: self.span(ident.span), text: ident.value }
    }

    fn parts(&self, name: ObjectName) -> Result<Vec<ast::Ident>> {
        name.0
            .into_iter()
            .map(|part| match part {
                ObjectNamePart::Identifier(ident) => Ok(ident),
                ObjectNamePart::Function(_) => refuse("a function in a name"),
            })
            .collect()
    }

    pub(super) fn table_name(&self, name: ObjectName) -> Result<TableName> {
        let mut parts = self.parts(name)?;
        let (Some(table), schema, None) = (parts.pop(), parts.pop(), parts.pop()) else {
            return refuse("a table's name of more than two parts");
        };
        Ok(TableName { schema: schema.map(|s| self.ident(s)), table: self.ident(table) })
    }

    pub(super) fn column_name(&self, mut parts: Vec<ast::Ident>) -> Result<ColumnName> {
        let (Some(column), table, schema, None) =
            (parts.pop(), parts.pop(), parts.pop(), parts.pop())
        else {
            return refuse("a column's name of more than three parts");
        };
        Ok(ColumnName {
            schema: schema.map(|s| self.ident(s)),
            table: table.map(|t| self.ident(t)),
            column: self.ident(column),
        })
    }

    pub(super) fn query(&self, mut query: ast::Query) -> Result<Query> {
        // Parentheses without clauses of their own change nothing.
        while query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none() {
            match *query.body {
                SetExpr::Query(inner) => query = *inner,
                body => {
                    *query.body = body;
                    break;
                }
            }
        }
        let (mut with, mut recursive) = (vec![], false);
        if let Some(clause) = query.with {
            recursive = clause.recursive;
            for cte in clause.cte_tables {
                with.push(Cte {
                    name: self.ident(cte.alias.name),
                    columns: cte.alias.columns.into_iter().map(|c| self.ident(c.name)).collect(),
                    query: self.query(*cte.query)?,
                });
            }
        }
        if query.fetch.is_some() || !query.pipe_operators.is_empty() || query.for_clause.is_some() {
            return refuse("a clause of another SQL dialect");
        }
        let order_by = match query.order_by.map(|order| order.kind) {
            None => vec![],
            Some(OrderByKind::Expressions(items)) => {
                items.into_iter().map(|item| self.order_item(item)).collect::<Result<_>>()?
            }
            Some(OrderByKind::All(_)) => return refuse("ORDER BY ALL"),
        };
        Ok(Query {
            with,
            recursive,
            body: self.body(*query.body)?,
            order_by,
            limit: query.limit_clause.map(|limit| self.limit(limit)).transpose()?.flatten(),
        })
    }

    pub(super) fn order_item(&self, item: ast::OrderByExpr) -> Result<OrderItem> {
        if item.options.nulls_first.is_some() {
            return refuse("NULLS FIRST");
        }
        let descending = matches!(item.options.sort, Some(ast::OrderBySort::Desc));
        Ok(OrderItem { expr: self.expression(item.expr)?, descending })
    }

    fn limit(&self, clause: LimitClause) -> Result<Option<Limit>> {
        Ok(match clause {
            LimitClause::LimitOffset { limit: Some(count), offset, .. } => Some(Limit {
                count: self.expression(count)?,
                offset: offset.map(|offset| self.expression(offset.value)).transpose()?,
            }),
            LimitClause::LimitOffset { limit: None, offset: None, .. } => None,
            LimitClause::LimitOffset { .. } => return refuse("OFFSET without LIMIT"),
            LimitClause::OffsetCommaLimit { offset, limit } => Some(Limit {
                count: self.expression(limit)?,
                offset: Some(self.expression(offset)?),
            }),
        })
    }

    fn body(&self, body: SetExpr) -> Result<Body> {
        match body {
            SetExpr::Select(select) => Ok(Body::Select(Box::new(self.select(*select)?))),
            // `(SELECT … LIMIT 3) ORDER BY …`: clauses around clauses.
            SetExpr::Query(query) => {
                let parts = vec![self.query(*query)?];
                Ok(Body::Set { operator: SetOperator::Other, parts })
            }
            SetExpr::SetOperation { .. } => self.set_operation(body),
            SetExpr::Values(values) => {
                let mut cells = vec![];
                for row in values.rows {
                    for cell in row.content {
                        cells.push(self.expression(cell)?);
                    }
                }
                Ok(Body::Values(cells))
            }
            SetExpr::Table(_) => refuse("TABLE t (write SELECT * FROM t)"),
            _ => refuse("a statement inside of a query"),
        }
    }

    /// The chain leans to the left and may be long: a loop, and each node is dropped as a leaf.
    fn set_operation(&self, body: SetExpr) -> Result<Body> {
        let mut parts = vec![];
        let mut operators = vec![];
        let mut rest = body;
        loop {
            match rest {
                SetExpr::SetOperation { left, op, set_quantifier, right } => {
                    operators.push(operator(op, set_quantifier)?);
                    parts.push(self.part(*right)?);
                    rest = *left;
                }
                first => {
                    parts.push(self.part(first)?);
                    break;
                }
            }
        }
        parts.reverse();
        // A DISTINCT anywhere but in front would need the nesting: it is kept as "other".
        let operator = match operators.first() {
            Some(first) if operators.iter().all(|op| op == first) => *first,
            _ => SetOperator::Other,
        };
        Ok(Body::Set { operator, parts })
    }

    fn part(&self, body: SetExpr) -> Result<Query> {
        match body {
            SetExpr::Query(query) => self.query(*query),
            body => Ok(Query {
                with: vec![],
                recursive: false,
                body: self.body(body)?,
                order_by: vec![],
                limit: None,
            }),
        }
    }

    fn select(&self, select: ast::Select) -> Result<Select> {
        let known = select.top.is_none()
            && select.into.is_none()
            && select.exclude.is_none()
            && select.lateral_views.is_empty()
            && select.prewhere.is_none()
            && select.connect_by.is_empty()
            && select.cluster_by.is_empty()
            && select.distribute_by.is_empty()
            && select.sort_by.is_empty()
            && select.qualify.is_none();
        if !known {
            return refuse("a clause of another SQL dialect");
        }
        let distinct = match select.distinct {
            None | Some(Distinct::All) => false,
            Some(Distinct::Distinct) => true,
            Some(Distinct::On(_)) => return refuse("DISTINCT ON"),
        };
        let (group_by, rollup) = match select.group_by {
            GroupByExpr::Expressions(keys, modifiers) => {
                let rollup = modifiers.contains(&GroupByWithModifier::Rollup);
                if modifiers.len() > usize::from(rollup) {
                    return refuse("GROUP BY with a modifier other than ROLLUP");
                }
                (keys.into_iter().map(|k| self.expression(k)).collect::<Result<_>>()?, rollup)
            }
            GroupByExpr::All(_) => return refuse("GROUP BY ALL"),
        };
        Ok(Select {
            distinct,
            items: select.projection.into_iter().map(|i| self.item(i)).collect::<Result<_>>()?,
            from: self.trees(select.from)?,
            filter: select.selection.map(|e| self.expression(e)).transpose()?,
            group_by,
            rollup,
            having: select.having.map(|e| self.expression(e)).transpose()?,
            windows: !select.named_window.is_empty(),
            window_keys: self.window_keys(select.named_window)?,
        })
    }

    fn window_keys(&self, windows: Vec<NamedWindowDefinition>) -> Result<Vec<Expr>> {
        let mut keys = vec![];
        for NamedWindowDefinition(_, window) in windows {
            let NamedWindowExpr::WindowSpec(spec) = window else { continue };
            for expr in spec.partition_by {
                keys.push(self.expression(expr)?);
            }
            for item in spec.order_by {
                keys.push(self.expression(item.expr)?);
            }
        }
        Ok(keys)
    }

    pub(super) fn item(&self, item: SelectItem) -> Result<Item> {
        Ok(match item {
            SelectItem::UnnamedExpr(expr) => {
                Item::Expr { expr: self.expression(expr)?, alias: None }
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                Item::Expr { expr: self.expression(expr)?, alias: Some(self.ident(alias)) }
            }
            SelectItem::Wildcard(_) => Item::All,
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                Item::AllOf(self.table_name(name)?)
            }
            _ => return refuse("a select item of another SQL dialect"),
        })
    }

    pub(super) fn trees(&self, from: Vec<ast::TableWithJoins>) -> Result<Vec<TableTree>> {
        from.into_iter().map(|tree| self.tree(tree)).collect()
    }

    fn tree(&self, tree: ast::TableWithJoins) -> Result<TableTree> {
        let first = self.factor(tree.relation)?;
        let mut joins = vec![];
        for join in tree.joins {
            self.join(join, &mut joins)?;
        }
        Ok(TableTree { first, joins })
    }

    fn join(&self, join: ast::Join, joins: &mut Vec<Join>) -> Result<()> {
        let (kind, constraint) = match join.join_operator {
            JoinOperator::Join(c)
            | JoinOperator::Inner(c)
            | JoinOperator::CrossJoin(c)
            | JoinOperator::StraightJoin(c) => (JoinKind::Inner, c),
            JoinOperator::Left(c) | JoinOperator::LeftOuter(c) => (JoinKind::Left, c),
            JoinOperator::Right(c) | JoinOperator::RightOuter(c) => (JoinKind::Right, c),
            _ => return refuse("a join of another SQL dialect"),
        };
        // `a JOIN b JOIN c ON …` arrives as a JOIN (b JOIN c ON …), while MySQL means
        // (a JOIN b) JOIN c. Without a constraint of its own the nest is flattened; where
        // parentheses did make it, that says less of `a` than is true, and never more.
        let bare = kind == JoinKind::Inner && matches!(constraint, JoinConstraint::None);
        match join.relation {
            TableFactor::NestedJoin { table_with_joins, alias: None } if bare => {
                let nested = *table_with_joins;
                let right = self.factor(nested.relation)?;
                joins.push(Join { kind, right, on: None, using: vec![], natural: false });
                nested.joins.into_iter().try_for_each(|join| self.join(join, joins))
            }
            relation => {
                let right = self.factor(relation)?;
                joins.push(self.constrained(kind, right, constraint)?);
                Ok(())
            }
        }
    }

    fn constrained(
        &self,
        kind: JoinKind,
        right: Factor,
        constraint: JoinConstraint,
    ) -> Result<Join> {
        let mut join = Join { kind, right, on: None, using: vec![], natural: false };
        match constraint {
            JoinConstraint::None => {}
            JoinConstraint::Natural => join.natural = true,
            JoinConstraint::On(expr) => join.on = Some(self.expression(expr)?),
            JoinConstraint::Using(names) => {
                for name in names {
                    join.using.push(self.table_name(name)?.table);
                }
            }
        }
        Ok(join)
    }

    fn factor(&self, factor: TableFactor) -> Result<Factor> {
        match factor {
            TableFactor::Table { name, alias, args: None, version: None, sample: None, .. } => {
                let alias = self.alias(alias)?;
                let last = match name.0.last() {
                    Some(ObjectNamePart::Identifier(ident)) => Self::index(ident.span),
                    _ => None,
                };
                let alias_at = self.behind_partitions(last.unwrap_or_default());
                Ok(Factor::Table(TableRef { name: self.table_name(name)?, alias, alias_at }))
            }
            TableFactor::Derived { lateral, subquery, alias, sample: None } => {
                let (alias, columns) = match alias {
                    Some(alias) => (
                        Some(self.ident(alias.name)),
                        alias.columns.into_iter().map(|c| self.ident(c.name)).collect(),
                    ),
                    None => (None, vec![]),
                };
                let query = Box::new(self.query(*subquery)?);
                Ok(Factor::Derived { query, alias, columns, lateral })
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                Ok(Factor::Nested(Box::new(self.tree(*table_with_joins)?)))
            }
            TableFactor::JsonTable { json_expr, columns, alias: Some(alias), .. } => {
                // Its tokens are cut down to the names.
                let name = |column| match column {
                    JsonTableColumn::ForOrdinality(name) => Ok(self.ident(name)),
                    _ => refuse("a column of JSON_TABLE"),
                };
                let columns = columns.into_iter().map(name).collect::<Result<_>>()?;
                // Rows made of a value, which may be one of a table that stands before it.
                let query = Box::new(Query {
                    with: vec![],
                    recursive: false,
                    body: Body::Values(vec![self.expression(json_expr)?]),
                    order_by: vec![],
                    limit: None,
                });
                let alias = Some(self.ident(alias.name));
                Ok(Factor::Derived { query, alias, columns, lateral: true })
            }
            _ => refuse("a table function"),
        }
    }

    fn alias(&self, alias: Option<ast::TableAlias>) -> Result<Option<Ident>> {
        match alias {
            Some(alias) if !alias.columns.is_empty() => refuse("an alias with columns"),
            alias => Ok(alias.map(|alias| self.ident(alias.name))),
        }
    }
}

fn operator(op: ast::SetOperator, quantifier: SetQuantifier) -> Result<SetOperator> {
    Ok(match (op, quantifier) {
        (ast::SetOperator::Union, SetQuantifier::All) => SetOperator::UnionAll,
        (ast::SetOperator::Union, SetQuantifier::None | SetQuantifier::Distinct) => {
            SetOperator::UnionDistinct
        }
        (ast::SetOperator::Except | ast::SetOperator::Intersect, _) => SetOperator::Other,
        _ => return refuse("a set operation of another SQL dialect"),
    })
}
