//! The parser's expressions → ours.
//!
//! Owns: the conversion, with AND and OR chains taken apart in a loop. Never: evaluates anything.

use sqlparser::ast::{
    self, BinaryOperator, DuplicateTreatment, FunctionArg, FunctionArgExpr, FunctionArguments,
    ObjectNamePart, UnaryOperator, Value,
};
use sqlparser::tokenizer::Token;

use super::{Context, Unparsed, refuse};
use crate::sql::analysis::{Arithmetic, Comparison, Expr, Function, Literal, Span, ValueClass};

type Result<T> = std::result::Result<T, Unparsed>;

impl Context<'_> {
    pub(super) fn expression(&self, expr: ast::Expr) -> Result<Expr> {
        use ast::Expr as E;
        Ok(match expr {
            E::BinaryOp { left, op, right } => return self.binary(*left, op, *right),
            E::Nested(inner) => return self.expression(*inner),
            E::Identifier(ident) => self.identifier(ident),
            E::CompoundIdentifier(parts) => Expr::Column(self.column_name(parts)?),
            E::Value(value) => literal(value.value),
            E::UnaryOp { op, expr } => match op {
                UnaryOperator::Not => Expr::Not(self.boxed(*expr)?),
                UnaryOperator::Minus => Expr::Negate(self.boxed(*expr)?),
                UnaryOperator::Plus => return self.expression(*expr),
                // `~`, and what stands for BINARY, `!` and a tight NOT.
                _ => opaque(vec![self.expression(*expr)?], ValueClass::Unknown),
            },
            E::IsNull(inner) => Expr::IsNull { expr: self.boxed(*inner)?, negated: false },
            E::IsNotNull(inner) => Expr::IsNull { expr: self.boxed(*inner)?, negated: true },
            E::IsTrue(e)
            | E::IsNotTrue(e)
            | E::IsFalse(e)
            | E::IsNotFalse(e)
            | E::IsUnknown(e)
            | E::IsNotUnknown(e) => opaque(vec![self.expression(*e)?], ValueClass::Number),
            E::Between { expr, negated, low, high } => Expr::Between {
                expr: self.boxed(*expr)?,
                low: self.boxed(*low)?,
                high: self.boxed(*high)?,
                negated,
            },
            E::InList { expr, list, negated } => {
                Expr::InList { expr: self.boxed(*expr)?, list: self.all(list)?, negated }
            }
            E::InSubquery { expr, subquery, negated } => Expr::InQuery {
                expr: self.boxed(*expr)?,
                query: Box::new(self.query(*subquery)?),
                negated,
            },
            E::Exists { subquery, negated } => {
                let exists = Expr::Exists(Box::new(self.query(*subquery)?));
                if negated { Expr::Not(Box::new(exists)) } else { exists }
            }
            E::Subquery(query) => Expr::Subquery(Box::new(self.query(*query)?)),
            E::Tuple(items) => Expr::Tuple(self.all(items)?),
            E::Function(function) => return self.function(function),
            E::Case { operand, conditions, else_result, .. } => {
                let mut parts = vec![];
                for case in conditions {
                    parts.push(self.expression(case.condition)?);
                    parts.push(self.expression(case.result)?);
                }
                for other in [operand, else_result].into_iter().flatten() {
                    parts.push(self.expression(*other)?);
                }
                opaque(parts, ValueClass::Unknown)
            }
            E::Like { expr, pattern, escape_char, negated, .. } => {
                let mut parts = vec![self.expression(*expr)?, self.expression(*pattern)?];
                let like = escape_char.is_none().then_some(negated);
                if let Some(escape) = escape_char {
                    parts.push(self.expression(*escape)?);
                }
                Expr::Opaque { parts, class: ValueClass::Number, like }
            }
            E::RLike { expr, pattern, .. } => opaque(
                vec![self.expression(*expr)?, self.expression(*pattern)?],
                ValueClass::Number,
            ),
            E::AnyOp { left, right, .. } | E::AllOp { left, right, .. } => {
                opaque(vec![self.expression(*left)?, self.expression(*right)?], ValueClass::Number)
            }
            E::Collate { expr, .. } => opaque(vec![self.expression(*expr)?], ValueClass::Text),
            _ => return refuse("an expression of another SQL dialect"),
        })
    }

    fn boxed(&self, expr: ast::Expr) -> Result<Box<Expr>> {
        self.expression(expr).map(Box::new)
    }

    fn all(&self, list: Vec<ast::Expr>) -> Result<Vec<Expr>> {
        list.into_iter().map(|expr| self.expression(expr)).collect()
    }

    fn identifier(&self, ident: ast::Ident) -> Expr {
        match ident.quote_style {
            Some('[') => opaque(vec![], ValueClass::Unknown),
            None if ident.value.eq_ignore_ascii_case("default") => Expr::Literal(Literal::Default),
            _ => Expr::Column(crate::sql::analysis::ColumnName {
                schema: None,
                table: None,
                column: self.ident(ident),
            }),
        }
    }

    /// A chain of one operator leans to the left: it is walked in a loop, so that the parser's
    /// deep tree is taken apart node by node and never dropped as a whole.
    fn binary(&self, left: ast::Expr, op: BinaryOperator, right: ast::Expr) -> Result<Expr> {
        let mut operands = vec![(op, right)];
        let mut rest = left;
        while let ast::Expr::BinaryOp { left, op, right } = rest {
            operands.push((op, *right));
            rest = *left;
        }
        let mut tree = self.expression(rest)?;
        while let Some((op, right)) = operands.pop() {
            let right = self.expression(right)?;
            tree = combine(tree, &op, right);
        }
        Ok(tree)
    }

    fn function(&self, function: ast::Function) -> Result<Expr> {
        let qualified = function.name.0.len() > 1;
        let mut names = vec![];
        let (mut first, mut last) = (None, None);
        for part in function.name.0 {
            let ObjectNamePart::Identifier(ident) = part else {
                return refuse("a function in a name");
            };
            let index = Self::index(ident.span);
            first = first.or(index);
            last = index;
            names.push(ident.value.to_lowercase());
        }
        let mut made = Function {
            name: names.join("."),
            qualified,
            arguments: vec![],
            star: false,
            distinct: false,
            window: function.over.is_some(),
            clauses: false,
            span: Span::default(),
            inside: Span::default(),
        };
        (made.span, made.inside) = self.call_spans(first, last);
        match function.args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(query) => {
                made.arguments.push(Expr::Subquery(Box::new(self.query(*query)?)));
            }
            FunctionArguments::List(list) => {
                made.distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
                made.clauses = !list.clauses.is_empty();
                for clause in list.clauses {
                    if let ast::FunctionArgumentClause::OrderBy(items) = clause {
                        for item in items {
                            made.arguments.push(self.expression(item.expr)?);
                        }
                    }
                }
                for argument in list.args {
                    match argument {
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => {
                            made.arguments.push(self.expression(expr)?);
                        }
                        FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => made.star = true,
                        _ => return refuse("a named argument"),
                    }
                }
            }
        }
        if let Some(ast::WindowType::WindowSpec(spec)) = function.over {
            for expr in spec.partition_by {
                made.arguments.push(self.expression(expr)?);
            }
            for item in spec.order_by {
                made.arguments.push(self.expression(item.expr)?);
            }
        }
        if made.name == "row" && !qualified && made.arguments.len() > 1 {
            return Ok(Expr::Tuple(made.arguments));
        }
        Ok(Expr::Function(made))
    }

    /// The whole call, and what stands between its parentheses.
    fn call_spans(&self, first: Option<usize>, last: Option<usize>) -> (Span, Span) {
        let (Some(first), Some(last)) = (first, last) else { return Default::default() };
        let start = self.span_at(first).start;
        if self.token(last + 1) != Some(&Token::LParen) {
            let end = self.span_at(last).end;
            return (Span { start, end }, Span { start: end, end });
        }
        let open = self.span_at(last + 1);
        let Some(close) = self.closing(last + 1) else { return Default::default() };
        let close = self.span_at(close);
        (Span { start, end: close.end }, Span { start: open.end, end: close.start })
    }
}

fn opaque(parts: Vec<Expr>, class: ValueClass) -> Expr {
    Expr::Opaque { parts, class, like: None }
}

fn literal(value: Value) -> Expr {
    Expr::Literal(match value {
        Value::Null => Literal::Null,
        Value::Boolean(value) => Literal::Bool(value),
        Value::Number(text, _) => Literal::Number(text),
        Value::Placeholder(text) => match text.strip_prefix('?').and_then(|n| n.parse().ok()) {
            Some(slot) => return Expr::Slot(slot),
            None => Literal::Param,
        },
        Value::SingleQuotedString(text) => Literal::Text(text),
        _ => return opaque(vec![], ValueClass::Unknown),
    })
}

fn combine(left: Expr, op: &BinaryOperator, right: Expr) -> Expr {
    use BinaryOperator as B;
    let compare =
        |op, left, right| Expr::Compare { op, left: Box::new(left), right: Box::new(right) };
    let arithmetic =
        |op, left, right| Expr::Arithmetic { op, left: Box::new(left), right: Box::new(right) };
    match op {
        B::And => match left {
            Expr::And(mut all) => {
                all.push(right);
                Expr::And(all)
            }
            left => Expr::And(vec![left, right]),
        },
        B::Or => match left {
            Expr::Or(mut all) => {
                all.push(right);
                Expr::Or(all)
            }
            left => Expr::Or(vec![left, right]),
        },
        B::Eq => compare(Comparison::Equal, left, right),
        B::Spaceship => compare(Comparison::NullSafe, left, right),
        B::NotEq => compare(Comparison::NotEqual, left, right),
        B::Lt => compare(Comparison::Less, left, right),
        B::LtEq => compare(Comparison::LessEqual, left, right),
        B::Gt => compare(Comparison::Greater, left, right),
        B::GtEq => compare(Comparison::GreaterEqual, left, right),
        B::Plus => arithmetic(Arithmetic::Add, left, right),
        B::Minus => arithmetic(Arithmetic::Subtract, left, right),
        B::Multiply => arithmetic(Arithmetic::Multiply, left, right),
        _ => {
            let class = match op {
                B::StringConcat => ValueClass::Text,
                B::Arrow | B::LongArrow | B::Assignment => ValueClass::Unknown,
                B::Divide | B::Modulo => ValueClass::Quotient,
                _ => ValueClass::Number,
            };
            // A chain of these is flat as well: `a XOR b XOR c`.
            match left {
                Expr::Opaque { mut parts, class: known, .. }
                    if known == class && !parts.is_empty() =>
                {
                    parts.push(right);
                    opaque(parts, class)
                }
                left => opaque(vec![left, right], class),
            }
        }
    }
}
