//! What the planner knows of a statement: a small tree of MySQL's own, without text and without
//! the parser's types.
//!
//! Owns: the tree of queries, table references, conditions and assignments, each leaf with its
//! place in the template. Never: names the parser crate ([`super::parse`] does), knows rules or a
//! catalog, or is kept: a plan is made from it and it is dropped.
//!
//! AND, OR and UNION chains are flat lists, so that neither dropping nor walking a long chain
//! needs a deep stack. What the tree can't express truthfully is [`Expr::Opaque`]: the planner
//! must treat its value as unknown, but sees the columns and subqueries in it.

use crate::sql::lex::ServerKind;
use crate::sql::native;

/// Bytes `start..end` of the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A statement whose tables, columns and conditions are understood.
#[derive(Debug)]
pub enum Statement {
    Query(Query),
    Insert(Box<Insert>),
    Update(Box<Update>),
    Delete(Box<Delete>),
}

/// An identifier without its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident {
    pub text: String,
    pub span: Span,
}

impl Ident {
    /// Column names and aliases of columns are the same in any case.
    pub fn is(&self, other: &str) -> bool {
        self.text.eq_ignore_ascii_case(other) || self.text.to_lowercase() == other.to_lowercase()
    }
}

/// `[schema.]table`, where it stands in the template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    pub schema: Option<Ident>,
    pub table: Ident,
}

impl TableName {
    /// From the first byte of the schema, or of the table, to the end of the table.
    pub fn span(&self) -> Span {
        let start = self.schema.as_ref().map_or(self.table.span.start, |s| s.span.start);
        Span { start, end: self.table.span.end }
    }
}

/// `[[schema.]table.]column`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnName {
    pub schema: Option<Ident>,
    pub table: Option<Ident>,
    pub column: Ident,
}

#[derive(Debug)]
pub struct Query {
    pub with: Vec<Cte>,
    pub recursive: bool,
    pub body: Body,
    pub order_by: Vec<OrderItem>,
    pub limit: Option<Limit>,
}

#[derive(Debug)]
pub struct Cte {
    pub name: Ident,
    pub columns: Vec<Ident>,
    pub query: Query,
}

#[derive(Debug)]
pub enum Body {
    Select(Box<Select>),
    /// `parts[0] UNION parts[1] …`, all with the same operator.
    Set {
        operator: SetOperator,
        parts: Vec<Query>,
    },
    /// `VALUES ROW(…), …`
    Values(Vec<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOperator {
    UnionAll,
    UnionDistinct,
    /// EXCEPT, INTERSECT.
    Other,
}

#[derive(Debug)]
pub struct Select {
    pub distinct: bool,
    pub items: Vec<Item>,
    pub from: Vec<TableTree>,
    pub filter: Option<Expr>,
    pub group_by: Vec<Expr>,
    pub rollup: bool,
    pub having: Option<Expr>,
    /// A WINDOW clause.
    pub windows: bool,
    /// What its windows are partitioned and ordered by.
    pub window_keys: Vec<Expr>,
}

#[derive(Debug)]
pub enum Item {
    /// `*`
    All,
    /// `table.*`
    AllOf(TableName),
    Expr {
        expr: Expr,
        alias: Option<Ident>,
    },
}

/// FROM: joins nest to the left, so the left spine is flat.
#[derive(Debug)]
pub struct TableTree {
    pub first: Factor,
    pub joins: Vec<Join>,
}

#[derive(Debug)]
pub struct Join {
    pub kind: JoinKind,
    pub right: Factor,
    pub on: Option<Expr>,
    pub using: Vec<Ident>,
    pub natural: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
}

#[derive(Debug)]
pub enum Factor {
    Table(TableRef),
    Derived { query: Box<Query>, alias: Option<Ident>, columns: Vec<Ident>, lateral: bool },
    Nested(Box<TableTree>),
}

#[derive(Debug)]
pub struct TableRef {
    pub name: TableName,
    pub alias: Option<Ident>,
    /// Where an alias can be put: behind the name and `PARTITION (…)`.
    pub alias_at: u32,
}

#[derive(Debug)]
pub struct OrderItem {
    pub expr: Expr,
    pub descending: bool,
}

#[derive(Debug)]
pub struct Limit {
    pub count: Expr,
    pub offset: Option<Expr>,
}

/// `INSERT`, `REPLACE`.
#[derive(Debug)]
pub struct Insert {
    pub replace: bool,
    pub ignore: bool,
    /// DELAYED, LOW_PRIORITY, HIGH_PRIORITY change nothing for routing.
    pub table: TableName,
    /// The column list; empty if the statement has none.
    pub columns: Vec<Ident>,
    /// The statement has a column list, `()` included.
    pub has_columns: bool,
    pub source: InsertSource,
    pub on_duplicate: Vec<Assignment>,
    /// RETURNING's items; empty where there is none.
    pub returning: Vec<Item>,
    /// `AS new[(a, b)]`.
    pub row_alias: bool,
    /// Where a column list can be put: behind the table's name and partitions.
    pub columns_at: u32,
}

#[derive(Debug)]
pub enum InsertSource {
    /// `VALUES (…), …`: one row for each distinct shape, whose literals are cell slots; all rows of
    /// the statement are in [`super::template::Lexed::rows`].
    Values(Vec<Vec<Expr>>),
    /// `SET a = 1, …`
    Assignments(Vec<Assignment>),
    Query(Box<Query>),
}

#[derive(Debug)]
pub struct Assignment {
    pub target: ColumnName,
    pub value: Expr,
}

#[derive(Debug)]
pub struct Update {
    pub ignore: bool,
    pub from: Vec<TableTree>,
    pub assignments: Vec<Assignment>,
    pub filter: Option<Expr>,
    pub order_by: Vec<OrderItem>,
    pub limit: Option<Limit>,
}

#[derive(Debug)]
pub struct Delete {
    pub ignore: bool,
    /// The tables that lose rows, by name or alias; empty for the single-table form.
    pub targets: Vec<TableName>,
    pub from: Vec<TableTree>,
    pub filter: Option<Expr>,
    pub order_by: Vec<OrderItem>,
    pub limit: Option<Limit>,
    /// RETURNING's items; empty where there is none.
    pub returning: Vec<Item>,
}

/// An expression.
#[derive(Debug)]
pub enum Expr {
    Column(ColumnName),
    /// A literal that was lifted out, a `?`, or a list of them.
    Slot(u16),
    /// A literal that stayed in the template.
    Literal(Literal),
    /// `a AND b AND …`, two at least.
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Compare {
        op: Comparison,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Between {
        expr: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
        negated: bool,
    },
    /// A list slot is one element.
    InList {
        expr: Box<Expr>,
        list: Vec<Expr>,
        negated: bool,
    },
    InQuery {
        expr: Box<Expr>,
        query: Box<Query>,
        negated: bool,
    },
    IsNull {
        expr: Box<Expr>,
        negated: bool,
    },
    Exists(Box<Query>),
    Subquery(Box<Query>),
    Tuple(Vec<Expr>),
    Negate(Box<Expr>),
    /// `+ - *` between integers can be folded while binding.
    Arithmetic {
        op: Arithmetic,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Function(Function),
    /// Anything else: its operands, for their columns, functions and subqueries.
    Opaque {
        parts: Vec<Expr>,
        class: ValueClass,
        /// It is `parts[0] LIKE parts[1]`, or NOT LIKE where that is true.
        like: Option<bool>,
    },
}

/// What kind of value an opaque expression has, as far as its operator tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueClass {
    Unknown,
    Number,
    /// A number that is a DOUBLE where one of its operands is: `/` and `%`.
    Quotient,
    Text,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    Null,
    Bool(bool),
    Number(String),
    /// A string that stayed in the template, its escapes not undone.
    Text(String),
    /// A `?` that is no slot.
    Param,
    Default,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    /// `<=>`
    NullSafe,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
}

#[derive(Debug)]
pub struct Function {
    /// Lower case, with its schema if it has one.
    pub name: String,
    pub qualified: bool,
    pub arguments: Vec<Expr>,
    /// `COUNT(*)`.
    pub star: bool,
    pub distinct: bool,
    /// `OVER (…)`.
    pub window: bool,
    /// ORDER BY, SEPARATOR or LIMIT inside (GROUP_CONCAT).
    pub clauses: bool,
    /// From the name to the closing parenthesis.
    pub span: Span,
    /// Between the parentheses; empty without any.
    pub inside: Span,
}

impl Function {
    /// Whether a server of this kind has it itself; otherwise it may be a stored one.
    pub fn is_native(&self, server: ServerKind) -> bool {
        !self.qualified && native::is_native(&self.name, server)
    }
}

/// Where the clauses of the outermost query stand in the template: what a splicer needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The first and the last token of the statement.
    pub statement: Span,
    /// The keyword SELECT; empty where the outermost query is no plain SELECT.
    pub select: Span,
    /// The select list's items, in order.
    pub items: Vec<Span>,
    /// The items of the first SELECT of a UNION, which name the columns; those of the only SELECT.
    pub named_items: Vec<Span>,
    /// Where the last token of each select item begins: an alias that is written as a string.
    pub item_tails: Vec<u32>,
    /// The keys of GROUP BY and ORDER BY, without ASC and DESC.
    pub group_items: Vec<Span>,
    pub order_items: Vec<Span>,
    /// Whole clauses, from the keyword on.
    pub group_by: Option<Span>,
    pub order_by: Option<Span>,
    pub limit: Option<Span>,
    /// The end of what stands before ORDER BY, LIMIT and the locking clauses.
    pub before_order: u32,
    /// The end of what stands before LIMIT and the locking clauses.
    pub before_limit: u32,
}

/// A statement understood: its tree, its layout and what was cut out before parsing.
#[derive(Debug)]
pub struct Parsed {
    pub statement: Statement,
    pub layout: Layout,
    pub locking: bool,
    pub into: bool,
    pub calc_found_rows: bool,
}
