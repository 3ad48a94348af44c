//! From what holds for a statement's rows to conditions on shard keys, and to which tables lie
//! together.
//!
//! Owns: the equalities between columns and what follows from them. Never: evaluates a value.
//!
//! Equality is passed on only between columns that compare alike (whole numbers, or the same type
//! and collation): `varchar = 1` matches `'1'` and `'1abc'`, so it says nothing of a column that
//! equals that one as a text.

use std::sync::Arc;

use crate::planner::Narrowed;
use crate::planner::condition::{Condition, Operand, Test};
use crate::planner::lookup;
use crate::planner::survey::{Conjunct, Leaf, Resolved, Survey, as_column};
use crate::rules::table::{Placement, ShardedTable};
use crate::sql::analysis::{ColumnName, Comparison, Expr, Ident, Literal};
use crate::value::compare::Side;
use crate::value::types::ColumnType;
use crate::value::{LiteralKind, Value};

/// A column of a table of the statement: the use's index and the name in lower case.
type Node = (usize, String);

/// Classes of columns that are equal in all rows that matter.
#[derive(Default, Debug)]
pub(crate) struct Equalities {
    classes: Vec<Vec<Node>>,
}

impl Equalities {
    fn class(&self, node: &Node) -> Option<usize> {
        self.classes.iter().position(|class| class.contains(node))
    }

    fn join(&mut self, left: Node, right: Node) {
        let (a, b) = (self.class(&left), self.class(&right));
        match (a, b) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) => {
                let moved = self.classes.swap_remove(a.max(b));
                if let Some(class) = self.classes.get_mut(a.min(b)) {
                    class.extend(moved);
                }
            }
            (Some(a), None) => {
                self.classes.get_mut(a).into_iter().for_each(|c| c.push(right.clone()))
            }
            (None, Some(b)) => {
                self.classes.get_mut(b).into_iter().for_each(|c| c.push(left.clone()))
            }
            (None, None) => self.classes.push(vec![left, right]),
        }
    }

    pub fn equal(&self, left: &Node, right: &Node) -> bool {
        left == right || self.class(left).is_some_and(|class| self.class(right) == Some(class))
    }
}

/// What holds whenever a row of one table matters: conjuncts with the block they are in.
type Holding<'a> = Vec<(usize, Conjunct<'a>)>;

impl<'a> Survey<'a> {
    /// The sharded table behind a use.
    pub fn sharded(&self, used: usize) -> Option<Arc<ShardedTable>> {
        match &self.uses.get(used)?.placement {
            Placement::Sharded(table) => Some(Arc::clone(table)),
            _ => None,
        }
    }

    fn holding(&mut self, used: usize) -> Holding<'a> {
        let mut all: Holding<'a> = vec![];
        let Some(home) = self.uses.get(used).map(|used| used.block) else { return all };
        let mut at = Some(home);
        while let Some(index) = at {
            let Some(block) = self.blocks.get(index) else { break };
            all.extend(block.global.iter().map(|conjunct| (index, *conjunct)));
            at = block.parent;
        }
        self.add_locals(home, used, &mut all);
        all
    }

    /// The ON of the outer joins that the table is the inner side of; and of those whose inner side
    /// these need.
    fn add_locals(&mut self, home: usize, used: usize, all: &mut Holding<'a>) {
        let mut wanted = vec![used];
        let mut done: Vec<usize> = vec![];
        while let Some(next) = wanted.pop() {
            let Some(block) = self.blocks.get(home) else { return };
            let leaf =
                block.leaves.iter().position(|leaf| matches!(leaf, Leaf::Table(u) if *u == next));
            let found: Vec<usize> = block
                .locals
                .iter()
                .enumerate()
                .filter(|(index, local)| {
                    !local.promoted
                        && !done.contains(index)
                        && leaf.is_some_and(|leaf| local.leaves.contains(&leaf))
                })
                .map(|(index, _)| index)
                .collect();
            for index in found {
                done.push(index);
                let on = self
                    .blocks
                    .get(home)
                    .and_then(|block| block.locals.get(index))
                    .map(|local| local.on.clone())
                    .unwrap_or_default();
                for conjunct in on {
                    self.rejects_null(home, &conjunct, &mut wanted);
                    all.push((home, conjunct));
                }
            }
        }
    }

    /// The columns that are equal wherever rows of `used` matter.
    pub fn equalities(&mut self, used: usize) -> Equalities {
        let holding = self.holding(used);
        self.equalities_of(&holding)
    }

    fn equalities_of(&mut self, holding: &Holding<'a>) -> Equalities {
        let mut equalities = Equalities::default();
        for (block, conjunct) in holding {
            let pair = match conjunct {
                Conjunct::Expr(Expr::Compare { op: Comparison::Equal, left, right }) => {
                    match (as_column(left), as_column(right)) {
                        (Some(left), Some(right)) => {
                            self.node(*block, left).zip(self.node(*block, right))
                        }
                        _ => None,
                    }
                }
                Conjunct::Expr(_) => None,
                Conjunct::Using { name, left, right } => self
                    .node_within(*block, *left, name)
                    .zip(self.node_within(*block, *right, name)),
            };
            if let Some((left, right)) = pair {
                if self.compare_alike(&left, &right) {
                    equalities.join(left, right);
                }
            }
        }
        equalities
    }

    fn node(&mut self, block: usize, column: &ColumnName) -> Option<Node> {
        match self.resolve(block, column) {
            Resolved::Use(used) => Some((used, column.column.text.to_lowercase())),
            _ => None,
        }
    }

    /// The one table among some leaves that has a column.
    fn node_within(&mut self, block: usize, leaves: (usize, usize), name: &Ident) -> Option<Node> {
        let tables: Vec<usize> = self
            .blocks
            .get(block)?
            .leaves
            .get(leaves.0..leaves.1)?
            .iter()
            .map(|leaf| match leaf {
                Leaf::Table(used) => Some(*used),
                Leaf::Derived { .. } => None,
            })
            .collect::<Option<_>>()?;
        let mut found = None;
        for used in &tables {
            match self.column_type(*used, &name.text) {
                Some(_) if found.is_some() => return None,
                Some(_) => found = Some(*used),
                None if tables.len() > 1 && self.uses.get(*used)?.table.is_none() => return None,
                None => {}
            }
        }
        Some((found?, name.text.to_lowercase()))
    }

    /// The column's type: the catalog's, or the rules' for a shard key. Asks the catalog.
    pub fn column_type(&mut self, used: usize, column: &str) -> Option<ColumnType> {
        let found = self.uses.get(used)?;
        if let Some(table) = &found.table {
            return table.column(column).map(|column| column.kind.clone());
        }
        if let Placement::Sharded(table) = &found.placement {
            if let Some(key) = table.key_index(column).and_then(|index| table.keys.get(index)) {
                return Some(key.declared.clone());
            }
        }
        self.need(used);
        None
    }

    fn compare_alike(&mut self, left: &Node, right: &Node) -> bool {
        // Keys of bound tables are declared alike; the rules' check saw to it.
        if let (Some(a), Some(b)) = (self.sharded(left.0), self.sharded(right.0)) {
            let keys = (a.key_index(&left.1), b.key_index(&right.1));
            if let (true, (Some(i), Some(j))) = (a.binding == b.binding, keys) {
                let known =
                    |used: usize| self.uses.get(used).is_some_and(|used| used.table.is_some());
                if i == j && !(known(left.0) && known(right.0)) {
                    return true;
                }
            }
        }
        let (Some(a), Some(b)) =
            (self.column_type(left.0, &left.1), self.column_type(right.0, &right.1))
        else {
            return false;
        };
        match (&a, &b) {
            (ColumnType::Int { .. }, ColumnType::Int { .. }) => true,
            _ if a.is_character() && b.is_character() => {
                a.collation().is_some_and(|collation| collation.is_known())
                    && a.collation() == b.collation()
            }
            _ => a == b,
        }
    }

    /// Whether each row of `used` that matters lies in the same shard as the row of `other` beside
    /// it.
    pub fn lies_with(&mut self, used: usize, other: usize) -> bool {
        let (Some(a), Some(b)) = (self.sharded(used), self.sharded(other)) else { return false };
        if a.binding != b.binding {
            return false;
        }
        let equalities = self.equalities(used);
        a.keys.iter().zip(&b.keys).all(|(mine, theirs)| {
            equalities
                .equal(&(used, mine.name.to_lowercase()), &(other, theirs.name.to_lowercase()))
        })
    }

    /// The conditions on the keys of a sharded table.
    pub fn narrow(&mut self, used: usize, drives: bool) -> Option<Narrowed> {
        let table = self.sharded(used)?;
        let types = table
            .keys
            .iter()
            .map(|key| self.column_type(used, &key.name).unwrap_or_else(|| key.declared.clone()))
            .collect();
        let holding = self.holding(used);
        let equalities = self.equalities_of(&holding);
        let mut narrower = Narrower { survey: self, used, table: Arc::clone(&table), equalities };
        let mut parts = vec![];
        for (block, conjunct) in &holding {
            if let Conjunct::Expr(expr) = conjunct {
                parts.push(narrower.condition(*block, expr));
            }
        }
        let condition = Condition::all(parts);
        let lookups = match table.indexes.is_empty() {
            true => vec![],
            false => lookup::of(self, used, &holding),
        };
        Some(Narrowed { table, types, condition, drives, part: 0, lookups })
    }
}

struct Narrower<'s, 'a> {
    survey: &'s mut Survey<'a>,
    used: usize,
    table: Arc<ShardedTable>,
    equalities: Equalities,
}

impl Narrower<'_, '_> {
    /// The key that an expression's value is, if it is one.
    fn key(&mut self, block: usize, expr: &Expr) -> Option<usize> {
        let column = as_column(expr)?;
        let node = self.survey.node(block, column)?;
        if node.0 == self.used {
            if let Some(key) = self.table.key_index(&node.1) {
                return Some(key);
            }
        }
        let used = self.used;
        self.table
            .keys
            .iter()
            .position(|key| self.equalities.equal(&(used, key.name.to_lowercase()), &node))
    }

    fn condition(&mut self, block: usize, expr: &Expr) -> Condition {
        match expr {
            Expr::And(parts) => {
                Condition::all(parts.iter().map(|part| self.condition(block, part)).collect())
            }
            Expr::Or(parts) => {
                Condition::any(parts.iter().map(|part| self.condition(block, part)).collect())
            }
            Expr::Compare { op, left, right } => self.comparison(block, *op, left, right),
            Expr::Between { expr, low, high, negated } => {
                let Some(key) = self.key(block, expr) else { return Condition::Any };
                let low = |inclusive, side| bound(key, side, inclusive, low);
                let high = |inclusive, side| bound(key, side, inclusive, high);
                if *negated {
                    Condition::any(vec![low(false, Side::High), high(false, Side::Low)])
                } else {
                    Condition::all(vec![low(true, Side::Low), high(true, Side::High)])
                }
            }
            Expr::InList { expr, list, negated: false } => self.list(block, expr, list),
            Expr::Literal(Literal::Bool(false) | Literal::Null) => Condition::Never,
            _ => Condition::Any,
        }
    }

    fn comparison(&mut self, block: usize, op: Comparison, left: &Expr, right: &Expr) -> Condition {
        if let (Expr::Tuple(left), Expr::Tuple(right), Comparison::Equal) = (left, right, op) {
            let parts = left.iter().zip(right);
            return Condition::all(
                parts.map(|(l, r)| self.comparison(block, Comparison::Equal, l, r)).collect(),
            );
        }
        if let Some(key) = self.key(block, left) {
            return compared(key, op, right);
        }
        match self.key(block, right) {
            Some(key) => compared(key, flipped(op), left),
            None => Condition::Any,
        }
    }

    fn list(&mut self, block: usize, expr: &Expr, list: &[Expr]) -> Condition {
        if let Expr::Tuple(columns) = expr {
            let [Expr::Slot(slot)] = list else {
                // `(a, b) IN ((1, 2))` with a tuple that could not be folded.
                return match list {
                    [Expr::Tuple(only)] => Condition::all(
                        columns
                            .iter()
                            .zip(only)
                            .map(|(c, v)| self.comparison(block, Comparison::Equal, c, v))
                            .collect(),
                    ),
                    _ => Condition::Any,
                };
            };
            let parts =
                columns.iter().enumerate().map(|(place, column)| match self.key(block, column) {
                    Some(key) => Condition::Key(key, Test::Tuples { slot: *slot, place }),
                    None => Condition::Any,
                });
            return Condition::all(parts.collect());
        }
        let Some(key) = self.key(block, expr) else { return Condition::Any };
        match list.iter().map(operand).collect::<Option<Vec<Operand>>>() {
            Some(operands) => Condition::Key(key, Test::In(operands)),
            None => Condition::Any,
        }
    }
}

fn compared(key: usize, op: Comparison, value: &Expr) -> Condition {
    let bounded = |side, inclusive| bound(key, side, inclusive, value);
    match op {
        Comparison::Equal => match operand(value) {
            Some(operand) => Condition::Key(key, Test::Equal(operand)),
            None => Condition::Any,
        },
        // NULL is equal to NULL here, and whether the value is NULL is known only later.
        Comparison::NullSafe => match operand(value) {
            Some(operand @ (Operand::Slot(_) | Operand::Negate(_))) => {
                Condition::Key(key, Test::NullSafe(operand))
            }
            _ => Condition::Any,
        },
        Comparison::Less => bounded(Side::High, false),
        Comparison::LessEqual => bounded(Side::High, true),
        Comparison::Greater => bounded(Side::Low, false),
        Comparison::GreaterEqual => bounded(Side::Low, true),
        Comparison::NotEqual => Condition::Any,
    }
}

fn bound(key: usize, side: Side, inclusive: bool, value: &Expr) -> Condition {
    match operand(value) {
        Some(operand) => Condition::Key(key, Test::Bound { side, inclusive, operand }),
        None => Condition::Any,
    }
}

fn flipped(op: Comparison) -> Comparison {
    match op {
        Comparison::Less => Comparison::Greater,
        Comparison::LessEqual => Comparison::GreaterEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterEqual => Comparison::LessEqual,
        same => same,
    }
}

/// Operators that a plan evaluates for one value: a longer expression says nothing.
const OPERATORS_MAX: usize = 32;

/// A value that is known once the statement's literals are.
pub(crate) fn operand(expr: &Expr) -> Option<Operand> {
    operand_within(expr, OPERATORS_MAX)
}

fn operand_within(expr: &Expr, rest: usize) -> Option<Operand> {
    let rest = rest.checked_sub(1)?;
    Some(match expr {
        Expr::Slot(slot) => Operand::Slot(*slot),
        Expr::Literal(Literal::Null) => Operand::Value(Value::Null),
        Expr::Literal(Literal::Bool(value)) => Operand::Value(Value::Int(i64::from(*value))),
        Expr::Literal(Literal::Number(text)) => Operand::Value(number(text)?),
        Expr::Function(function)
            if function.name == "last_insert_id" && function.arguments.is_empty() =>
        {
            Operand::InsertId
        }
        Expr::Negate(inner) => Operand::Negate(Box::new(operand_within(inner, rest)?)),
        Expr::Arithmetic { op, left, right } => Operand::Arithmetic(
            *op,
            Box::new(operand_within(left, rest)?),
            Box::new(operand_within(right, rest)?),
        ),
        _ => return None,
    })
}

/// A number that stayed in the template.
fn number(text: &str) -> Option<Value> {
    let kind = if text.contains(['e', 'E']) {
        LiteralKind::Float
    } else if text.contains('.') {
        LiteralKind::Decimal
    } else {
        LiteralKind::Integer
    };
    Value::from_literal(kind, text.as_bytes(), crate::value::CharsetClass::Utf8).ok()
}
