//! Names of items in subqueries: an expression without an alias is called by its text, and the text
//! changes where a table's name in it does.
//!
//! Owns: finding such items in the tokens. Never: names an item that may have an alias already:
//! where that isn't plain, the item stays as it is.

use crate::planner::draft::{Draft, Result};
use crate::planner::splice::What;
use crate::sql::analysis::Span;
use crate::sql::options::OPTIONS;
use crate::sql::parse;
use crate::sql::token::{Token, TokenKind};

/// What ends a list of items.
const ENDS: [&str; 12] = [
    "FROM",
    "WHERE",
    "GROUP",
    "HAVING",
    "WINDOW",
    "ORDER",
    "LIMIT",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "INTO",
    "FOR",
];

/// Labels the items of SELECTs in parentheses, and of a write's RETURNING, whose text may change.
pub(crate) fn label_nested(draft: &mut Draft) -> Result<()> {
    let input = draft.input;
    let mut tokens = parse::units::template_tokens(input.sql, input.lexed, input.dialect)?;
    tokens.retain(|token| !token.kind.is_trivia());
    let list = Tokens { sql: input.sql, tokens: &tokens };
    let mut labels = vec![];
    for at in 1..tokens.len() {
        let nested = list.word(at, "SELECT") && list.symbol(at - 1, "(");
        if !(nested || draft.facts.returns && list.word(at, "RETURNING")) {
            continue;
        }
        for item in list.items(at + 1) {
            if !list.is_unnamed(&item) {
                continue;
            }
            let (Some(first), Some(last)) = (tokens.get(item.start), tokens.get(item.end - 1))
            else {
                continue;
            };
            let place = |offset: u32| input.lexed.template_offset(offset as usize) as u32;
            let span = Span { start: place(first.start), end: place(last.end) };
            let changes = draft.splices.iter().any(|splice| {
                splice.at.start >= span.start && splice.at.end <= span.end && !splice.scattered
            });
            if changes {
                labels.push(span);
            }
        }
    }
    for span in labels {
        draft.splice(Span { start: span.end, end: span.end }, What::Label(span), false);
    }
    Ok(())
}

struct Tokens<'a> {
    sql: &'a [u8],
    tokens: &'a [Token],
}

impl Tokens<'_> {
    fn word(&self, at: usize, word: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is_word(self.sql, word))
    }

    fn symbol(&self, at: usize, symbol: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is_symbol(self.sql, symbol))
    }

    fn is_name(&self, at: usize) -> bool {
        let kind = self.tokens.get(at).map(|token| token.kind);
        matches!(kind, Some(TokenKind::Word | TokenKind::QuotedName))
    }

    /// The items of the list that begins at a token, as ranges of tokens.
    fn items(&self, from: usize) -> Vec<std::ops::Range<usize>> {
        let mut at = from;
        while OPTIONS.iter().any(|word| self.word(at, word)) {
            at += 1;
        }
        let (mut items, mut start, mut depth) = (vec![], at, 0usize);
        loop {
            let ends = at >= self.tokens.len()
                || depth == 0
                    && (self.symbol(at, ")") || ENDS.iter().any(|word| self.word(at, word)));
            if ends || depth == 0 && self.symbol(at, ",") {
                if at > start {
                    items.push(start..at);
                }
                if ends {
                    return items;
                }
                start = at + 1;
            }
            depth += usize::from(self.symbol(at, "("));
            depth -= usize::from(self.symbol(at, ")"));
            at += 1;
        }
    }

    /// Whether an item is plainly an expression without an alias: no column, no `*`, and no name at
    /// its end that could be one.
    fn is_unnamed(&self, item: &std::ops::Range<usize>) -> bool {
        let last = item.end - 1;
        let is_column =
            item.clone().all(|at| self.is_name(at) || self.symbol(at, ".") || self.symbol(at, "*"));
        let is_text = self.tokens.get(last).is_some_and(|token| token.kind == TokenKind::String);
        let behind_operator = last > item.start
            && ["+", "-", "*", "/", "%", "=", "<", ">", "<=", ">=", "<>", "!=", "."]
                .iter()
                .any(|operator| self.symbol(last - 1, operator));
        !is_column && (behind_operator || !(self.is_name(last) || is_text))
    }
}
