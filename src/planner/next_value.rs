//! `SELECT NEXT VALUE FOR s`, `SELECT s.NEXTVAL`, `SELECT NEXTVAL(s)`: numbers without a row.
//!
//! Owns: recognising them where `s` is a declared sequence. Never: takes a number. Where the rules
//! declare no such sequence, the statement is planned as any other: MariaDB has sequences of its
//! own.
//!
//! `… FROM dual WHERE count = n` (TDDL's and DRDS's words) asks for n of them, a row each.

use crate::planner::draft::Draft;
use crate::planner::plan::{Count, Reply};
use crate::rules::Schema;
use crate::rules::sequence::SequenceRule;
use crate::sql::literal;
use crate::sql::slot::SlotKind;
use crate::sql::token::{Token, TokenKind};

/// The reply to a statement that asks for numbers of a declared sequence.
pub(crate) fn reply(draft: &mut Draft, tokens: &[Token]) -> Option<Reply> {
    let sql = draft.input.sql;
    let mut words = Words { sql, tokens, at: 0 };
    if !words.word("SELECT") {
        return None;
    }
    let start = words.here()?;
    let (schema, name) = words.sequence()?;
    let end = words.before()?;
    let mut label = String::from_utf8_lossy(sql.get(start..end)?).into_owned();
    if words.word("AS") || words.is_name_but(&["FROM"]) {
        label = words.name()?;
    }
    let mut count = Count::Fixed(1);
    if words.word("FROM") && !words.word("DUAL") {
        return None;
    }
    if words.word("WHERE") {
        if !words.word("COUNT") || !words.symbol("=") {
            return None;
        }
        let number = words.next()?;
        let slots = draft.input.lexed.slots();
        let is_it = |slot: &crate::sql::slot::Slot| {
            slot.kind == SlotKind::Literal && slot.start == number.start
        };
        count = Count::Slot(u16::try_from(slots.iter().position(is_it)?).ok()?);
    }
    if words.at < tokens.len() {
        return None;
    }
    let schema = schema.as_deref().or(draft.input.schema)?;
    let schema = draft.input.rules.schema(schema)?;
    let rule = declared(schema, &name)?;
    if !draft.schemas.contains(&schema.name) {
        draft.schemas.push(schema.name.clone());
    }
    let (schema, sequence) = (rule.schema.clone(), rule.name.clone());
    Some(Reply::NextValue { schema, sequence, label, count })
}

/// A sequence of a schema by its name in any case.
fn declared<'r>(schema: &'r Schema, name: &str) -> Option<&'r SequenceRule> {
    let tables = schema.tables().into_iter();
    let mut all = tables.filter_map(|(_, placement)| placement.sequence());
    all.find(|rule| rule.name.eq_ignore_ascii_case(name)).map(|rule| &**rule)
}

struct Words<'a> {
    sql: &'a [u8],
    tokens: &'a [Token],
    at: usize,
}

impl<'a> Words<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at).filter(|token| token.kind != TokenKind::Comment)
    }

    fn next(&mut self) -> Option<&'a Token> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    fn here(&self) -> Option<usize> {
        self.peek().map(|token| token.start as usize)
    }

    /// The end of what was read last.
    fn before(&self) -> Option<usize> {
        self.tokens.get(self.at.checked_sub(1)?).map(|token| token.end as usize)
    }

    fn word(&mut self, word: &str) -> bool {
        let is_it = self.peek().is_some_and(|token| token.is_word(self.sql, word));
        self.at += usize::from(is_it);
        is_it
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let is_it = self.peek().is_some_and(|token| token.is_symbol(self.sql, symbol));
        self.at += usize::from(is_it);
        is_it
    }

    fn is_name_but(&self, words: &[&str]) -> bool {
        self.peek().is_some_and(|token| token.is_name() && !token.is_any(self.sql, words))
    }

    fn name(&mut self) -> Option<String> {
        let token = self.peek().filter(|token| token.is_name())?;
        self.at += 1;
        Some(literal::name_of(self.sql, token))
    }

    /// `[schema.]name`, further parts left.
    fn names(&mut self) -> Option<Vec<String>> {
        let mut names = vec![self.name()?];
        while self.symbol(".") {
            names.push(self.name()?);
        }
        Some(names)
    }

    /// The schema, if it is written, and the name.
    fn sequence(&mut self) -> Option<(Option<String>, String)> {
        let mut names = if self.word("NEXT") {
            if !self.word("VALUE") || !self.word("FOR") {
                return None;
            }
            self.names()?
        } else {
            let mut names = self.names()?;
            if !names.pop()?.eq_ignore_ascii_case("NEXTVAL") {
                return None;
            }
            if names.is_empty() {
                if !self.symbol("(") {
                    return None;
                }
                names = self.names()?;
                if !self.symbol(")") {
                    return None;
                }
            }
            names
        };
        let name = names.pop()?;
        let schema = names.pop();
        names.is_empty().then_some((schema, name))
    }
}
