//! The conditions of a statement that the shards can check for one reference.
//!
//! Owns: telling them, and writing them as they were. Never: decides which conjuncts a reference's
//! rows may be held against ([`super::conjuncts`]).

use crate::planner::draft::Draft;
use crate::planner::splice::Part;
use crate::planner::survey::{Conjunct, Resolved, Survey};
use crate::planner::workbench::pushed::{Check, Pushed};
use crate::planner::workbench::{quoted, shown};
use crate::sql::analysis::{Arithmetic, Comparison, Expr, Literal, Span};
use crate::sql::slot::{KindSet, LiteralKind, SlotKind};
use crate::value::types::ColumnType;

/// What conjuncts say of the reference alone.
pub(super) fn pushed(
    draft: &Draft,
    survey: &mut Survey,
    used: usize,
    all: &[Conjunct],
) -> Vec<Pushed> {
    let Some(home) = survey.uses.get(used).map(|used| used.block) else { return vec![] };
    let mut found = vec![];
    for conjunct in all {
        let Conjunct::Expr(expr) = conjunct else { continue };
        let mut writer = Writer { draft, survey, block: home, used, checks: vec![], whole: true };
        let mut parts = vec![];
        if writer.implied(expr, &mut parts).is_some() {
            let (checks, whole) = (writer.checks, writer.whole);
            found.push(Pushed { parts, checks, whole });
        }
    }
    found
}

/// Writes a condition as it was, out of its columns and literals; `None` for anything that could
/// mean something else, or warn, or differ from one time to the next.
struct Writer<'d, 'i, 's, 'a> {
    draft: &'d Draft<'i>,
    survey: &'s mut Survey<'a>,
    block: usize,
    used: usize,
    checks: Vec<(u16, Check)>,
    /// Nothing was left out.
    whole: bool,
}

impl Writer<'_, '_, '_, '_> {
    /// What a condition that is about several tables says of the reference: those parts of an AND that
    /// are about it alone, and an OR of them where each branch says something.
    fn implied(&mut self, expr: &Expr, out: &mut Vec<Part>) -> Option<()> {
        let (all, word, needs_all) = match expr {
            Expr::And(all) => (all, " AND ", false),
            Expr::Or(all) => (all, " OR ", true),
            _ => return self.condition(expr, out),
        };
        let mut is_first = true;
        for expr in all {
            let (mut parts, checks) = (vec![], self.checks.len());
            if self.implied(expr, &mut parts).is_none() {
                self.checks.truncate(checks);
                if needs_all {
                    return None;
                }
                self.whole = false;
                continue;
            }
            text(if is_first { "(" } else { word }, out);
            is_first = false;
            text("(", out);
            out.append(&mut parts);
            text(")", out);
        }
        text(")", out);
        (!is_first).then_some(())
    }

    fn condition(&mut self, expr: &Expr, out: &mut Vec<Part>) -> Option<()> {
        match expr {
            Expr::And(all) => self.chain(all, " AND ", out),
            Expr::Or(all) => self.chain(all, " OR ", out),
            Expr::Not(inner) => {
                text("NOT (", out);
                self.condition(inner, out)?;
                text(")", out);
                Some(())
            }
            Expr::Compare { op, left, right }
                if matches!((&**left, &**right), (Expr::Column(_), Expr::Column(_))) =>
            {
                let kind = self.column(left, out)?;
                text(operator(*op, false), out);
                let other = self.column(right, out)?;
                is_alike(&kind, &other).then_some(())
            }
            Expr::Compare { op, left, right } => {
                let (column, constant, turned) = match (&**left, &**right) {
                    (Expr::Column(_) | Expr::Function(_), _) => (left, right, false),
                    (_, Expr::Column(_) | Expr::Function(_)) => (right, left, true),
                    _ => return None,
                };
                let kind = self.value(column, out)?;
                text(operator(*op, turned), out);
                self.constant(constant, &kind, out)
            }
            Expr::Between { expr, low, high, negated } => {
                let kind = self.column(expr, out)?;
                text(if *negated { " NOT BETWEEN " } else { " BETWEEN " }, out);
                self.constant(low, &kind, out)?;
                text(" AND ", out);
                self.constant(high, &kind, out)
            }
            Expr::Opaque { parts, like: Some(negated), .. } => {
                let [value, pattern] = parts.as_slice() else { return None };
                let kind = self.value(value, out)?;
                text(if *negated { " NOT LIKE " } else { " LIKE " }, out);
                // Others are made texts, row by row.
                let plain = kind.is_character() && self.is_string(pattern);
                plain.then(|| self.constant(pattern, &kind, out)).flatten()
            }
            Expr::InList { expr, list, negated } => {
                let kind = self.value(expr, out)?;
                text(if *negated { " NOT IN (" } else { " IN (" }, out);
                for (place, item) in list.iter().enumerate() {
                    if place > 0 {
                        text(", ", out);
                    }
                    self.constant(item, &kind, out)?;
                }
                text(")", out);
                Some(())
            }
            Expr::IsNull { expr, negated } => {
                self.column(expr, out)?;
                text(if *negated { " IS NOT NULL" } else { " IS NULL" }, out);
                Some(())
            }
            _ => None,
        }
    }

    fn chain(&mut self, all: &[Expr], word: &str, out: &mut Vec<Part>) -> Option<()> {
        for (place, expr) in all.iter().enumerate() {
            text(if place == 0 { "(" } else { word }, out);
            text("(", out);
            self.condition(expr, out)?;
            text(")", out);
        }
        text(")", out);
        Some(())
    }

    /// A column of the reference; answers its type.
    fn column(&mut self, expr: &Expr, out: &mut Vec<Part>) -> Option<ColumnType> {
        let Expr::Column(column) = expr else { return None };
        if self.survey.resolve(self.block, column) != Resolved::Use(self.used) {
            return None;
        }
        let used = self.survey.uses.get(self.used)?;
        let known = used.table.as_ref()?.column(&column.column.text)?;
        text(&format!("{}.{}", shown(used), quoted(&known.name)), out);
        Some(known.kind.clone())
    }

    /// A column of the reference, or a part of the text in one; answers its type.
    fn value(&mut self, expr: &Expr, out: &mut Vec<Part>) -> Option<ColumnType> {
        let Expr::Function(function) = expr else { return self.column(expr, out) };
        let known = ["substring", "substr", "mid", "left", "right"].contains(&&*function.name);
        let plain = known && !(function.qualified || function.window || function.clauses);
        let (column, numbers) = function.arguments.split_first().filter(|_| plain)?;
        if numbers.is_empty() || numbers.len() > 2 {
            return None;
        }
        text(&format!("{}(", function.name), out);
        let kind = self.column(column, out).filter(ColumnType::is_character)?;
        for number in numbers {
            let Expr::Slot(index) = number else { return None };
            let slot = self.draft.input.lexed.slots().get(usize::from(*index))?;
            let whole =
                slot.kind == SlotKind::Literal && slot.kinds == KindSet::of(LiteralKind::Integer);
            text(", ", out);
            out.push(Part::Copy(Span { start: slot.at, end: slot.at + slot.width }));
            whole.then_some(())?;
        }
        text(")", out);
        Some(kind)
    }

    fn is_string(&self, expr: &Expr) -> bool {
        let Expr::Slot(index) = expr else { return false };
        let slot = self.draft.input.lexed.slots().get(usize::from(*index));
        slot.is_some_and(|slot| slot.kinds == KindSet::of(LiteralKind::String))
    }

    /// `DATE '…' + INTERVAL n unit`, which is a date and warns of nothing.
    fn moved_date(&mut self, expr: &Expr, out: &mut Vec<Part>) -> Option<()> {
        let Expr::Arithmetic { op, left, right } = expr else { return None };
        let (Expr::Slot(index), Expr::Function(function)) = (&**left, &**right) else {
            return None;
        };
        let slots = self.draft.input.lexed.slots();
        let date = slots.get(usize::from(*index))?;
        if date.kind != SlotKind::Literal || date.kinds != KindSet::of(LiteralKind::Date) {
            return None;
        }
        let sign = match op {
            Arithmetic::Add => " + ",
            Arithmetic::Subtract => " - ",
            Arithmetic::Multiply => return None,
        };
        let [count] = function.arguments.as_slice() else { return None };
        if function.name != "interval" || function.qualified {
            return None;
        }
        let template = self.draft.input.lexed.template();
        let behind = match count {
            Expr::Slot(index) => {
                let slot = slots.get(usize::from(*index))?;
                let kinds = [LiteralKind::Integer, LiteralKind::String].map(KindSet::of);
                (slot.kind == SlotKind::Literal && kinds.contains(&slot.kinds)).then_some(())?;
                if slot.kinds.contains(LiteralKind::String) {
                    self.checks.push((*index, Check::Number));
                }
                slot.at + slot.width
            }
            Expr::Literal(Literal::Number(_) | Literal::Text(_)) => {
                let rest = template.get(function.span.end as usize..)?;
                let digits = |byte: &u8| matches!(byte, b' ' | b'\'' | b'0'..=b'9');
                function.span.end + rest.iter().take_while(|byte| digits(byte)).count() as u32
            }
            _ => return None,
        };
        let rest = template.get(behind as usize..)?;
        let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let unit: Vec<u8> = rest
            .iter()
            .skip(blanks)
            .take_while(|byte| byte.is_ascii_alphabetic())
            .copied()
            .collect();
        let known = [&b"DAY"[..], b"WEEK", b"MONTH", b"QUARTER", b"YEAR"];
        known.iter().find(|known| known.eq_ignore_ascii_case(&unit))?;
        let behind_unit = rest.get(blanks + unit.len());
        if behind_unit
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$'))
        {
            return None;
        }
        out.push(Part::Copy(Span { start: date.at, end: date.at + date.width }));
        text(sign, out);
        let end = behind + (blanks + unit.len()) as u32;
        out.push(Part::Copy(Span { start: function.span.start, end }));
        Some(())
    }

    fn constant(&mut self, expr: &Expr, kind: &ColumnType, out: &mut Vec<Part>) -> Option<()> {
        match expr {
            Expr::Slot(index) => {
                let slot = self.draft.input.lexed.slots().get(usize::from(*index))?;
                let plain = matches!(slot.kind, SlotKind::Literal | SlotKind::List);
                if !plain || !slot.kinds.iter().all(|literal| fits(kind, literal)) {
                    return None;
                }
                let given = slot.kinds.contains(LiteralKind::Param);
                if is_text(kind) {
                    self.checks.extend(given.then_some((*index, Check::Text)));
                } else if given || slot.kinds.contains(LiteralKind::String) {
                    self.checks.push((*index, Check::of(kind)));
                }
                out.push(Part::Copy(Span { start: slot.at, end: slot.at + slot.width }));
                Some(())
            }
            Expr::Negate(inner) => {
                let Expr::Slot(index) = &**inner else { return None };
                let slot = self.draft.input.lexed.slots().get(usize::from(*index))?;
                let numbers = [LiteralKind::Integer, LiteralKind::Decimal, LiteralKind::Float];
                if !numbers.iter().any(|kind| slot.kinds == KindSet::of(*kind)) {
                    return None;
                }
                text("- ", out);
                self.constant(inner, kind, out)
            }
            Expr::Arithmetic { .. }
                if matches!(kind, ColumnType::Date | ColumnType::DateTime { .. }) =>
            {
                self.moved_date(expr, out)
            }
            Expr::Literal(Literal::Null) => {
                text("NULL", out);
                Some(())
            }
            Expr::Literal(Literal::Bool(value)) if fits(kind, LiteralKind::Boolean) => {
                text(if *value { "TRUE" } else { "FALSE" }, out);
                Some(())
            }
            _ => None,
        }
    }
}

pub(super) fn text(text: &str, out: &mut Vec<Part>) {
    out.push(Part::Text(text.into()));
}

fn operator(op: Comparison, turned: bool) -> &'static str {
    use Comparison as C;
    match (op, turned) {
        (C::Equal, _) => " = ",
        (C::NullSafe, _) => " <=> ",
        (C::NotEqual, _) => " <> ",
        (C::Less, false) | (C::Greater, true) => " < ",
        (C::LessEqual, false) | (C::GreaterEqual, true) => " <= ",
        (C::Greater, false) | (C::Less, true) => " > ",
        (C::GreaterEqual, false) | (C::LessEqual, true) => " >= ",
    }
}

fn is_text(kind: &ColumnType) -> bool {
    use ColumnType as T;
    kind.is_character()
        || matches!(kind, T::Binary { .. } | T::VarBinary { .. } | T::Blob { .. })
        || matches!(kind, T::Enum { .. } | T::Set { .. })
}

/// Whether columns of the two kinds compare by their values, without a conversion that could warn or
/// depend on anything else.
fn is_alike(kind: &ColumnType, other: &ColumnType) -> bool {
    use ColumnType as T;
    matches!(
        (kind, other),
        (T::Int { .. } | T::Decimal { .. }, T::Int { .. } | T::Decimal { .. })
            | (T::Date, T::Date)
            | (T::DateTime { .. }, T::DateTime { .. })
    )
}

/// Whether a comparison of the two warns of no row: the literal is made a value of the column's kind
/// once, and no row's value is made another kind's.
fn fits(kind: &ColumnType, literal: LiteralKind) -> bool {
    use ColumnType as T;
    use LiteralKind as L;
    match kind {
        T::Int { .. } | T::Decimal { .. } | T::Float { .. } | T::Double { .. } | T::Year => {
            matches!(
                literal,
                L::Integer | L::Decimal | L::Float | L::String | L::Param | L::Null | L::Boolean
            )
        }
        T::Date | T::Time { .. } | T::DateTime { .. } | T::Timestamp { .. } => {
            matches!(literal, L::String | L::Date | L::Time | L::Timestamp | L::Param | L::Null)
        }
        _ if is_text(kind) => {
            matches!(literal, L::String | L::Introduced | L::Hex | L::Param | L::Null)
        }
        _ => false,
    }
}
