//! Which tables a statement names, in which query blocks, and what is known to hold for their rows.
//!
//! Owns: the blocks (one for each SELECT), the tables in them, the resolution of columns, and the
//! conjuncts that every row of a result satisfies. Never: decides where a statement goes.
//!
//! A conjunct is *global* to a block if it holds for each row that the block gives; one from the
//! ON of an outer join is *local*: it holds for the rows of the inner side that are matched.

use std::sync::Arc;

use crate::catalog;
use crate::error::{Error, Fault};
use crate::name::SchemaName;
use crate::planner::PlanInput;
use crate::planner::refuse::refuse;
use crate::rules::table::{Placement, SingleTable};
use crate::sql::analysis::{
    Body, ColumnName, Comparison, Expr, Factor, Ident, Item, JoinKind, OrderItem, Query, Select,
    Span, TableName, TableRef, TableTree,
};

pub(crate) struct Survey<'a> {
    pub input: &'a PlanInput<'a>,
    pub uses: Vec<Use>,
    pub blocks: Vec<Block<'a>>,
    /// Tables that the catalog should have.
    pub needs: Vec<(SchemaName, String)>,
    /// A function that no server brings itself.
    pub calls_stored: bool,
    /// Qualifiers of columns and stars.
    pub names: Vec<Qualified>,
    /// The names of common table expressions where they are defined, in the statement's order.
    pub cte_definitions: Vec<Span>,
    pub cte_references: Vec<CteReference>,
    /// Those that are known where the survey stands, with their blocks and definitions.
    ctes: Vec<(String, Vec<usize>, usize)>,
}

/// A name in FROM that stands for a common table expression.
pub(crate) struct CteReference {
    /// Its place among the definitions.
    pub definition: usize,
    pub written: Span,
    pub shown: Box<str>,
    pub aliased: bool,
    pub alias_at: u32,
    /// It stands inside of its own definition.
    pub recursive: bool,
}

/// A physical table's name in the statement.
pub(crate) struct Use {
    pub schema: SchemaName,
    /// The logical name as the rules write it (or the statement, where no rule names it).
    pub name: Box<str>,
    pub written: TableName,
    pub alias: Option<Ident>,
    pub alias_at: u32,
    pub placement: Placement,
    pub table: Option<Arc<catalog::Table>>,
    pub block: usize,
}

/// A qualifier that stands for a table of [`Survey::uses`].
pub(crate) struct Qualified {
    pub used: usize,
    pub schema: Option<Ident>,
    pub table: Ident,
}

pub(crate) struct Block<'a> {
    pub parent: Option<usize>,
    pub role: Role,
    pub leaves: Vec<Leaf>,
    pub global: Vec<Conjunct<'a>>,
    pub locals: Vec<Local<'a>>,
    pub select: Option<&'a Select>,
    pub order_by: &'a [OrderItem],
    pub limited: bool,
    /// Columns of USING: one name for the columns of both sides.
    using: Vec<&'a Ident>,
    natural: bool,
    /// A RIGHT JOIN: a merged column is the right side's.
    turned: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The statement's outermost block.
    Top,
    /// One of several under a UNION.
    Part,
    /// In FROM, or a CTE.
    Derived,
    Lateral,
    /// In an expression.
    Subquery(Position),
}

/// Where a subquery stands, as far as that says when its rows matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// `EXISTS (…)`, a scalar, or anything else.
    Value,
    /// `expr IN (…)` or `NOT IN`.
    In,
}

pub(crate) enum Leaf {
    Table(usize),
    Derived { name: Option<String>, blocks: Vec<usize>, outputs: Option<Vec<String>> },
}

#[derive(Clone, Copy)]
pub(crate) enum Conjunct<'a> {
    Expr(&'a Expr),
    /// The columns of this name on both sides of a join are equal: leaves before, and from there.
    Using {
        name: &'a Ident,
        left: (usize, usize),
        right: (usize, usize),
    },
}

/// The inner side of an outer join.
pub(crate) struct Local<'a> {
    pub leaves: Vec<usize>,
    pub on: Vec<Conjunct<'a>>,
    /// A global conjunct is false or unknown where the join finds nothing: it is no outer join.
    pub promoted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resolved {
    Use(usize),
    /// A column of the leaf of that block.
    Derived(usize, usize),
    Unknown,
}

type Result<T> = std::result::Result<T, Error>;

impl<'a> Survey<'a> {
    pub fn new(input: &'a PlanInput<'a>) -> Self {
        Survey {
            input,
            uses: vec![],
            blocks: vec![],
            needs: vec![],
            calls_stored: false,
            names: vec![],
            cte_definitions: vec![],
            cte_references: vec![],
            ctes: vec![],
        }
    }

    /// Surveys a query and answers its blocks: one, or each part of a UNION.
    pub fn query(
        &mut self,
        query: &'a Query,
        parent: Option<usize>,
        role: Role,
    ) -> Result<Vec<usize>> {
        let known = self.ctes.len();
        for cte in &query.with {
            let definition = self.cte_definitions.len();
            self.cte_definitions.push(cte.name.span);
            if query.recursive {
                // It may name itself; the rows of that are its own.
                self.ctes.push((cte.name.text.to_lowercase(), vec![], definition));
            }
            let blocks = self.query(&cte.query, None, Role::Derived)?;
            if query.recursive {
                self.ctes.pop();
            }
            self.ctes.push((cte.name.text.to_lowercase(), blocks, definition));
        }
        let blocks = match &query.body {
            Body::Select(select) => vec![self.select(select, query, parent, role)?],
            Body::Set { parts, .. } => {
                let role = if role == Role::Top { Role::Part } else { role };
                let mut blocks = vec![];
                for part in parts {
                    blocks.extend(self.query(part, parent, role)?);
                }
                if query.limit.is_some() {
                    blocks.iter().for_each(|block| self.limit(*block));
                }
                blocks
            }
            Body::Values(cells) => {
                let block = self.open(parent, role);
                self.expressions(block, cells)?;
                vec![block]
            }
        };
        self.ctes.truncate(known);
        Ok(blocks)
    }

    fn limit(&mut self, block: usize) {
        if let Some(block) = self.blocks.get_mut(block) {
            block.limited = true;
        }
    }

    pub fn open(&mut self, parent: Option<usize>, role: Role) -> usize {
        self.blocks.push(Block {
            parent,
            role,
            leaves: vec![],
            global: vec![],
            locals: vec![],
            select: None,
            order_by: &[],
            limited: false,
            using: vec![],
            natural: false,
            turned: false,
        });
        self.blocks.len() - 1
    }

    fn select(
        &mut self,
        select: &'a Select,
        query: &'a Query,
        parent: Option<usize>,
        role: Role,
    ) -> Result<usize> {
        let block = self.open(parent, role);
        if let Some(opened) = self.blocks.get_mut(block) {
            opened.select = Some(select);
            opened.order_by = &query.order_by;
            opened.limited = query.limit.is_some();
        }
        self.from(block, &select.from, select.filter.as_ref())?;
        for item in &select.items {
            match item {
                Item::Expr { expr, .. } => self.expression(block, expr)?,
                Item::AllOf(name) => self.star(block, name),
                Item::All => {}
            }
        }
        self.expressions(block, &select.group_by)?;
        self.expressions(block, &select.window_keys)?;
        if let Some(having) = &select.having {
            self.expression(block, having)?;
        }
        for item in &query.order_by {
            self.expression(block, &item.expr)?;
        }
        Ok(block)
    }

    /// FROM and WHERE of any statement.
    pub fn from(
        &mut self,
        block: usize,
        from: &'a [TableTree],
        filter: Option<&'a Expr>,
    ) -> Result<()> {
        let mut global = vec![];
        for tree in from {
            global.extend(self.tree(block, tree)?);
        }
        if let Some(filter) = filter {
            split(filter, &mut global);
        }
        if let Some(opened) = self.blocks.get_mut(block) {
            opened.global = global;
        }
        self.promote(block);
        for tree in from {
            self.tree_expressions(block, tree)?;
        }
        if let Some(filter) = filter {
            self.expression(block, filter)?;
        }
        Ok(())
    }

    /// Adds the leaves of a join tree and answers what holds for all its rows.
    fn tree(&mut self, block: usize, tree: &'a TableTree) -> Result<Vec<Conjunct<'a>>> {
        let start = self.leaves(block);
        let mut holds = self.factor(block, &tree.first)?;
        for join in &tree.joins {
            let middle = self.leaves(block);
            let mut right = self.factor(block, &join.right)?;
            let end = self.leaves(block);
            let mut on = vec![];
            if let Some(condition) = &join.on {
                split(condition, &mut on);
            }
            for name in &join.using {
                on.push(Conjunct::Using { name, left: (start, middle), right: (middle, end) });
            }
            if let Some(opened) = self.blocks.get_mut(block) {
                opened.using.extend(&join.using);
                opened.natural |= join.natural;
                opened.turned |= join.kind == JoinKind::Right;
            }
            match join.kind {
                JoinKind::Inner => {
                    holds.append(&mut right);
                    holds.append(&mut on);
                }
                JoinKind::Left => {
                    on.append(&mut right);
                    self.local(block, (middle..end).collect(), on);
                }
                JoinKind::Right => {
                    on.append(&mut holds);
                    self.local(block, (start..middle).collect(), on);
                    holds = right;
                }
            }
        }
        Ok(holds)
    }

    fn leaves(&self, block: usize) -> usize {
        self.blocks.get(block).map_or(0, |block| block.leaves.len())
    }

    fn local(&mut self, block: usize, leaves: Vec<usize>, on: Vec<Conjunct<'a>>) {
        if let Some(opened) = self.blocks.get_mut(block) {
            opened.locals.push(Local { leaves, on, promoted: false });
        }
    }

    fn factor(&mut self, block: usize, factor: &'a Factor) -> Result<Vec<Conjunct<'a>>> {
        match factor {
            Factor::Nested(tree) => return self.tree(block, tree),
            Factor::Table(TableRef { name: TableName { schema: None, table }, .. })
                if table.text.eq_ignore_ascii_case("dual") => {}
            Factor::Table(table) => {
                let leaf = self.table(block, table)?;
                self.leaf(block, leaf);
            }
            Factor::Derived { query, alias, columns, lateral } => {
                let (parent, role) =
                    if *lateral { (Some(block), Role::Lateral) } else { (None, Role::Derived) };
                let blocks = self.query(query, parent, role)?;
                let outputs = if columns.is_empty() {
                    self.outputs(&blocks)
                } else {
                    Some(columns.iter().map(|c| c.text.to_lowercase()).collect())
                };
                let name = alias.as_ref().map(|alias| alias.text.clone());
                self.leaf(block, Leaf::Derived { name, blocks, outputs });
            }
        }
        Ok(vec![])
    }

    fn leaf(&mut self, block: usize, leaf: Leaf) {
        if let Some(opened) = self.blocks.get_mut(block) {
            opened.leaves.push(leaf);
        }
    }

    /// The names of a derived table's columns, if all of them are known.
    fn outputs(&self, blocks: &[usize]) -> Option<Vec<String>> {
        let select = self.blocks.get(*blocks.first()?)?.select?;
        select
            .items
            .iter()
            .map(|item| match item {
                Item::Expr { alias: Some(alias), .. } => Some(alias.text.to_lowercase()),
                Item::Expr { expr: Expr::Column(column), .. } => {
                    Some(column.column.text.to_lowercase())
                }
                _ => None,
            })
            .collect()
    }

    fn table(&mut self, block: usize, table: &'a TableRef) -> Result<Leaf> {
        if table.name.schema.is_none() {
            let name = table.name.table.text.to_lowercase();
            let known = self.ctes.iter().rev().find(|(known, ..)| *known == name);
            if let Some((_, blocks, definition)) = known {
                let blocks = blocks.clone();
                self.cte_references.push(CteReference {
                    definition: *definition,
                    written: table.name.table.span,
                    shown: table.name.table.text.as_str().into(),
                    aliased: table.alias.is_some(),
                    alias_at: table.alias_at,
                    recursive: blocks.is_empty(),
                });
                let outputs = self.outputs(&blocks);
                let shown = table.alias.as_ref().unwrap_or(&table.name.table).text.clone();
                return Ok(Leaf::Derived { name: Some(shown), blocks, outputs });
            }
        }
        self.used(block, &table.name, table.alias.as_ref(), table.alias_at).map(Leaf::Table)
    }

    /// Notes a physical table.
    pub fn used(
        &mut self,
        block: usize,
        written: &TableName,
        alias: Option<&Ident>,
        alias_at: u32,
    ) -> Result<usize> {
        let schema = match (&written.schema, self.input.schema) {
            (Some(schema), _) => schema.text.as_str(),
            (None, Some(schema)) => schema,
            (None, None) => {
                return Err(Error::new(
                    Fault::Client,
                    1046,
                    b"3D000",
                    "no_schema",
                    "No database selected",
                ));
            }
        };
        let (schema, name, placement) = self.place(schema, &written.table.text)?;
        let table = self.input.catalog.table(schema.as_str(), &name).cloned();
        self.uses.push(Use {
            schema,
            name,
            written: written.clone(),
            alias: alias.cloned(),
            alias_at,
            placement,
            table,
            block,
        });
        Ok(self.uses.len() - 1)
    }

    fn place(&self, schema: &str, table: &str) -> Result<(SchemaName, Box<str>, Placement)> {
        if is_system(schema) {
            let home = self.input.schema.and_then(|name| self.input.rules.schema(name));
            let group = home.map_or(crate::name::GroupId(0), |home| home.default_group);
            let single = SingleTable {
                group,
                database: Arc::from(schema),
                table: Arc::from(table),
                default: true,
                temporary: false,
            };
            return Ok((SchemaName::new(schema), table.into(), Placement::Single(single)));
        }
        let Some(found) = self.input.rules.schema(schema) else {
            return Err(Error::new(
                Fault::Client,
                1049,
                b"42000",
                "unknown_schema",
                format!("Unknown database '{schema}'"),
            ));
        };
        let exact = found.table(table);
        if let Placement::Single(SingleTable { default: true, .. }) = &exact {
            // A server with lower_case_table_names would find the table: the rules' word for it
            // counts, since taking it for an unsharded one could ask the wrong place.
            for (name, placement) in found.tables() {
                if name.to_lowercase() == table.to_lowercase() {
                    return Ok((found.name.clone(), name.into(), placement.clone()));
                }
            }
        }
        Ok((found.name.clone(), table.into(), exact))
    }

    fn tree_expressions(&mut self, block: usize, tree: &'a TableTree) -> Result<()> {
        if let Factor::Nested(nested) = &tree.first {
            self.tree_expressions(block, nested)?;
        }
        for join in &tree.joins {
            if let Factor::Nested(nested) = &join.right {
                self.tree_expressions(block, nested)?;
            }
            if let Some(on) = &join.on {
                self.expression(block, on)?;
            }
        }
        Ok(())
    }

    pub fn expressions(&mut self, block: usize, all: &'a [Expr]) -> Result<()> {
        all.iter().try_for_each(|expr| self.expression(block, expr))
    }

    /// Notes the columns and the subqueries of an expression.
    pub fn expression(&mut self, block: usize, expr: &'a Expr) -> Result<()> {
        match expr {
            Expr::Column(column) => self.column(block, column),
            Expr::Slot(_) | Expr::Literal(_) => {}
            Expr::And(parts)
            | Expr::Or(parts)
            | Expr::Tuple(parts)
            | Expr::Opaque { parts, .. } => {
                self.expressions(block, parts)?;
            }
            Expr::Not(inner) | Expr::Negate(inner) | Expr::IsNull { expr: inner, .. } => {
                self.expression(block, inner)?;
            }
            Expr::Compare { left, right, .. } | Expr::Arithmetic { left, right, .. } => {
                self.expression(block, left)?;
                self.expression(block, right)?;
            }
            Expr::Between { expr, low, high, .. } => {
                self.expression(block, expr)?;
                self.expression(block, low)?;
                self.expression(block, high)?;
            }
            Expr::InList { expr, list, .. } => {
                self.expression(block, expr)?;
                self.expressions(block, list)?;
            }
            Expr::InQuery { expr, query, .. } => {
                self.expression(block, expr)?;
                self.query(query, Some(block), Role::Subquery(Position::In))?;
            }
            Expr::Exists(query) | Expr::Subquery(query) => {
                self.query(query, Some(block), Role::Subquery(Position::Value))?;
            }
            Expr::Function(function) => {
                self.calls_stored |= !function.is_native(self.input.dialect.server);
                self.expressions(block, &function.arguments)?;
            }
        }
        Ok(())
    }

    pub fn column(&mut self, block: usize, column: &ColumnName) {
        let Some(table) = &column.table else { return };
        if let Resolved::Use(used) = self.resolve(block, column) {
            self.names.push(Qualified {
                used,
                schema: column.schema.clone(),
                table: table.clone(),
            });
        }
    }

    pub fn star(&mut self, block: usize, name: &TableName) {
        if let Some(Resolved::Use(used)) = self.qualified(block, name.schema.as_ref(), &name.table)
        {
            self.names.push(Qualified {
                used,
                schema: name.schema.clone(),
                table: name.table.clone(),
            });
        }
    }

    /// What a name in front of `.*` means.
    pub fn named_leaf(&self, block: usize, name: &TableName) -> Option<Resolved> {
        self.qualified(block, name.schema.as_ref(), &name.table)
    }

    /// The table that a name among DELETE's targets means; its qualifier is noted.
    pub fn qualified_name(&mut self, block: usize, name: &TableName) -> Option<usize> {
        match self.qualified(block, name.schema.as_ref(), &name.table)? {
            Resolved::Use(used) => {
                let (schema, table) = (name.schema.clone(), name.table.clone());
                self.names.push(Qualified { used, schema, table });
                Some(used)
            }
            _ => None,
        }
    }

    /// The leaf of a block that a qualifier names.
    fn qualified(&self, block: usize, schema: Option<&Ident>, table: &Ident) -> Option<Resolved> {
        let opened = self.blocks.get(block)?;
        for (index, leaf) in opened.leaves.iter().enumerate() {
            match leaf {
                Leaf::Table(used) => {
                    let Some(found) = self.uses.get(*used) else { continue };
                    let shown = found.alias.as_ref().unwrap_or(&found.written.table);
                    let here = schema.is_none_or(|schema| schema.text == found.schema.as_str());
                    if here && shown.text.to_lowercase() == table.text.to_lowercase() {
                        return Some(Resolved::Use(*used));
                    }
                }
                Leaf::Derived { name: Some(name), .. } if schema.is_none() => {
                    if name.to_lowercase() == table.text.to_lowercase() {
                        return Some(Resolved::Derived(block, index));
                    }
                }
                Leaf::Derived { .. } => {}
            }
        }
        None
    }

    /// What a column belongs to; asks the catalog for tables where it can't be known otherwise.
    pub fn resolve(&mut self, block: usize, column: &ColumnName) -> Resolved {
        let mut at = Some(block);
        while let Some(block) = at {
            let found = match &column.table {
                Some(table) => self.qualified(block, column.schema.as_ref(), table),
                None => self.unqualified(block, &column.column),
            };
            if let Some(found) = found {
                return found;
            }
            at = self.blocks.get(block).and_then(|block| block.parent);
        }
        Resolved::Unknown
    }

    /// `None`: no table of this block has the column.
    fn unqualified(&mut self, block: usize, column: &Ident) -> Option<Resolved> {
        let opened = self.blocks.get(block)?;
        let mut found = vec![];
        let mut unsure = vec![];
        let mut unsure_derived = false;
        for (index, leaf) in opened.leaves.iter().enumerate() {
            match leaf {
                Leaf::Table(used) => match self.has_column(*used, column) {
                    Some(true) => found.push(Resolved::Use(*used)),
                    Some(false) => {}
                    None => unsure.push(*used),
                },
                Leaf::Derived { outputs: Some(outputs), .. } => {
                    if outputs.contains(&column.text.to_lowercase()) {
                        found.push(Resolved::Derived(block, index));
                    }
                }
                Leaf::Derived { outputs: None, .. } => unsure_derived = true,
            }
        }
        let merged = opened.natural || opened.using.iter().any(|name| name.is(&column.text));
        match (found.as_slice(), unsure.as_slice()) {
            ([only], []) if !unsure_derived => Some(*only),
            ([first, ..], []) if merged && !opened.turned && !unsure_derived => Some(*first),
            // The only table of a statement: nothing else can have the column.
            ([], [only]) if opened.leaves.len() == 1 && opened.parent.is_none() => {
                Some(Resolved::Use(*only))
            }
            // With one table alone, an unknown column is its own or an outer block's.
            ([], []) if !unsure_derived => None,
            _ => {
                unsure.iter().for_each(|used| self.need(*used));
                Some(Resolved::Unknown)
            }
        }
    }

    /// Whether a table has a column, if that is known.
    fn has_column(&self, used: usize, column: &Ident) -> Option<bool> {
        let used = self.uses.get(used)?;
        if let Placement::Sharded(table) = &used.placement {
            if table.key_index(&column.text).is_some() {
                return Some(true);
            }
        }
        used.table.as_ref().map(|table| table.column_index(&column.text).is_some())
    }

    /// Asks for a table's definition, unless the catalog has said all it knows.
    pub fn need(&mut self, used: usize) {
        let Some(found) = self.uses.get(used) else { return };
        if found.table.is_some() || self.input.final_catalog || is_system(found.schema.as_str()) {
            return;
        }
        let need = (found.schema.clone(), found.name.to_string());
        if !self.needs.contains(&need) {
            self.needs.push(need);
        }
    }

    /// Whether rows of a sharded table may have no shard key. Weir puts none of those anywhere, but a
    /// table may have had them before, in any shard.
    pub fn may_lack_key(&mut self, used: usize) -> bool {
        self.need(used);
        let (Some(sharded), Some(found)) = (self.sharded(used), self.uses.get(used)) else {
            return false;
        };
        let Some(table) = &found.table else { return false };
        let nullable = |name: &str| {
            table
                .columns
                .iter()
                .any(|column| column.nullable && column.name.eq_ignore_ascii_case(name))
        };
        sharded.keys.iter().any(|key| nullable(&key.name))
    }

    /// Outer joins whose inner side a global conjunct needs are inner joins.
    fn promote(&mut self, block: usize) {
        loop {
            let Some(opened) = self.blocks.get(block) else { return };
            if opened.locals.iter().all(|local| local.promoted) {
                return;
            }
            let conjuncts = opened.global.clone();
            let mut rejecting = vec![];
            for conjunct in &conjuncts {
                self.rejects_null(block, conjunct, &mut rejecting);
            }
            let Some(opened) = self.blocks.get_mut(block) else { return };
            let uses_of = |local: &Local, leaves: &[Leaf]| {
                local.leaves.iter().any(|leaf| match leaves.get(*leaf) {
                    Some(Leaf::Table(used)) => rejecting.contains(used),
                    _ => false,
                })
            };
            let leaves = &opened.leaves;
            let found =
                opened.locals.iter_mut().find(|local| !local.promoted && uses_of(local, leaves));
            let Some(local) = found else { return };
            local.promoted = true;
            let on = local.on.clone();
            opened.global.extend(on);
        }
    }

    /// The tables whose all-NULL row makes the conjunct fail.
    pub fn rejects_null(&mut self, block: usize, conjunct: &Conjunct<'a>, found: &mut Vec<usize>) {
        let Conjunct::Expr(expr) = conjunct else { return };
        let columns: Vec<&ColumnName> = match expr {
            Expr::Compare { op, left, right } if *op != Comparison::NullSafe => {
                [&**left, &**right].into_iter().filter_map(as_column).collect()
            }
            Expr::Between { expr, negated: false, .. } | Expr::InList { expr, .. } => {
                as_column(expr).into_iter().collect()
            }
            Expr::IsNull { expr, negated: true } => as_column(expr).into_iter().collect(),
            _ => return,
        };
        for column in columns {
            if let Resolved::Use(used) = self.resolve(block, column) {
                found.push(used);
            }
        }
    }

    /// The tables that are on the inner side of an outer join.
    pub fn is_inner_side(&self, used: usize) -> bool {
        let Some(block) = self.uses.get(used).and_then(|used| self.blocks.get(used.block)) else {
            return false;
        };
        let leaf =
            block.leaves.iter().position(|leaf| matches!(leaf, Leaf::Table(u) if *u == used));
        leaf.is_some_and(|leaf| {
            block.locals.iter().any(|local| !local.promoted && local.leaves.contains(&leaf))
        })
    }
}

/// The column that an expression is, if it is nothing else.
pub(crate) fn as_column(expr: &Expr) -> Option<&ColumnName> {
    match expr {
        Expr::Column(column) => Some(column),
        _ => None,
    }
}

fn split<'a>(expr: &'a Expr, into: &mut Vec<Conjunct<'a>>) {
    match expr {
        Expr::And(parts) => parts.iter().for_each(|part| split(part, into)),
        expr => into.push(Conjunct::Expr(expr)),
    }
}

/// Schemas that every server has for itself.
pub(crate) fn is_system(schema: &str) -> bool {
    ["information_schema", "performance_schema", "mysql", "sys"]
        .iter()
        .any(|system| schema.eq_ignore_ascii_case(system))
}

/// The schema whose tables Weir puts together.
pub(crate) fn is_information(schema: &str) -> bool {
    schema.eq_ignore_ascii_case("information_schema")
}

/// The refusal of a statement without a place for its tables.
pub(crate) fn cross_group(first: &Use, second: &Use) -> Error {
    refuse(
        "cross_group",
        format!(
            "Tables '{}' and '{}' have no group in common: declare one of them as broadcast, or ask them \
         in statements of their own",
            first.name, second.name,
        ),
    )
}

impl Use {
    pub fn span(&self) -> Span {
        self.written.span()
    }
    pub fn is_information(&self) -> bool {
        is_information(self.schema.as_str())
    }
}
