//! A statement's tokens → [`Parsed`], through the parser crate `sqlparser`.
//!
//! Owns: this module and those below it are the only ones that name the crate. It is an analyser
//! here: its tree is taken apart into [`crate::sql::analysis`] at once and never kept, cloned or
//! printed. Never: decides anything about routing.
//!
//! What is accepted is meant to be understood truthfully. What isn't accepted is no error of the
//! client's yet: the planner falls back to the statement's tokens.

mod dialect;
mod expression;
mod statement;
mod tree;
pub mod units;

use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::sql::analysis::{Layout, Parsed, Span};
use crate::sql::lex::Dialect;
use crate::sql::template::Lexed;
use units::Units;

/// Nesting of queries, parentheses and calls that the parser follows.
const RECURSION_LIMIT: usize = 250;
/// Tokens of a template that are parsed at most (lists and rows count once).
const TOKENS_MAX: usize = 50_000;

/// Why a statement is not understood: the construct, for a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unparsed(pub String);

/// Parses a SELECT, INSERT, REPLACE, UPDATE, DELETE, VALUES or TABLE statement, WITH included.
///
/// # Errors
/// [`Unparsed`] where the grammar doesn't cover the statement (which a server may accept).
pub fn parse(sql: &[u8], lexed: &Lexed, dialect: Dialect) -> Result<Parsed, Unparsed> {
    parse_from(sql, lexed, dialect, 0)
}

/// The same for a statement that begins at offset `start` of `sql`, behind EXPLAIN.
///
/// # Errors
/// As [`parse`].
pub fn parse_from(
    sql: &[u8],
    lexed: &Lexed,
    dialect: Dialect,
    start: usize,
) -> Result<Parsed, Unparsed> {
    let units =
        units::units(sql, lexed, dialect, start).map_err(|error| Unparsed(error.message))?;
    if units.tokens.len() > TOKENS_MAX {
        return Err(Unparsed(format!("more than {TOKENS_MAX} tokens")));
    }
    let layout = layout(&units);
    let context = Context { tokens: &units.tokens, spans: &units.spans };
    let parser_dialect = dialect::Dialected;
    let mut parser = Parser::new(&parser_dialect)
        .with_recursion_limit(RECURSION_LIMIT)
        .with_tokens_with_locations(units.tokens.clone());
    let statement = statement::parse(&mut parser, &context)?;
    Ok(Parsed {
        statement,
        layout,
        locking: units.locking,
        into: units.into,
        calc_found_rows: units.calc_found_rows,
    })
}

/// Leads from the parser's places back to the template.
struct Context<'a> {
    tokens: &'a [TokenWithSpan],
    spans: &'a [Span],
}

impl Context<'_> {
    /// The token's index that a place stands for.
    fn index(place: sqlparser::tokenizer::Span) -> Option<usize> {
        usize::try_from(place.start.column).ok()?.checked_sub(1)
    }

    fn span_at(&self, index: usize) -> Span {
        self.spans.get(index).copied().unwrap_or_default()
    }

    fn span(&self, place: sqlparser::tokenizer::Span) -> Span {
        Self::index(place).map(|index| self.span_at(index)).unwrap_or_default()
    }

    fn token(&self, index: usize) -> Option<&Token> {
        self.tokens.get(index).map(|token| &token.token)
    }

    /// The index of the `)` that closes the `(` at `open`.
    fn closing(&self, open: usize) -> Option<usize> {
        let mut depth = 0usize;
        for (index, token) in self.tokens.iter().enumerate().skip(open) {
            match token.token {
                Token::LParen => depth += 1,
                Token::RParen => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        return Some(index);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// The end of a table's name that ends at token `last`, and of a `PARTITION (…)` behind it.
    fn behind_partitions(&self, last: usize) -> u32 {
        let partition = matches!(self.token(last + 1), Some(Token::Word(word))
            if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("partition"));
        if partition && self.token(last + 2) == Some(&Token::LParen) {
            if let Some(close) = self.closing(last + 2) {
                return self.span_at(close).end;
            }
        }
        self.span_at(last).end
    }
}

fn unparsed(error: &ParserError) -> Unparsed {
    Unparsed(match error {
        ParserError::RecursionLimitExceeded => "too deeply nested".to_string(),
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => {
            // The parser's places are ours and say nothing to a client.
            text.split(" at Line:").next().unwrap_or(text).to_string()
        }
    })
}

fn refuse<T>(construct: &str) -> Result<T, Unparsed> {
    Err(Unparsed(construct.to_string()))
}

/// Finds the clauses of the outermost query among the tokens outside of parentheses.
fn layout(units: &Units) -> Layout {
    let mut layout = Layout::default();
    let (Some(first), Some(last)) = (units.spans.first(), units.spans.last()) else {
        return layout;
    };
    layout.statement = Span { start: first.start, end: last.end };
    let mut walk =
        Walk { layout: &mut layout, clause: Clause::Before, item: None, tail: 0, end: first.start };
    let mut depth = 0usize;
    let mut hints = units.hints.iter().peekable();
    for (index, (token, span)) in units.tokens.iter().zip(&units.spans).enumerate() {
        // What is put behind the tables is put behind their hints.
        while let Some((_, end)) = hints.next_if(|(before, _)| *before <= index) {
            walk.end = *end;
        }
        match &token.token {
            Token::RParen => depth = depth.saturating_sub(1),
            Token::Word(word) if depth == 0 && word.quote_style.is_none() => {
                walk.word(&word.value.to_ascii_uppercase(), *span);
            }
            Token::Comma if depth == 0 && walk.clause.is_list() => {
                walk.leave_items();
                walk.clause_grows(*span);
                continue;
            }
            _ => {}
        }
        if token.token == Token::LParen {
            depth += 1;
        }
        let distinct =
            matches!(&token.token, Token::Word(word) if word.keyword == Keyword::DISTINCT);
        if !(distinct && depth == 0 && walk.layout.items.is_empty() && walk.item.is_none()) {
            let word = match &token.token {
                Token::Word(word) if depth == 0 && word.quote_style.is_none() => {
                    Some(word.value.to_ascii_uppercase())
                }
                _ => None,
            };
            walk.token(*span, word.as_deref());
        }
    }
    if let Some((_, end)) = hints.last() {
        walk.end = *end;
    }
    walk.finish();
    layout
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Clause {
    Before,
    Items,
    Middle,
    Group,
    Order,
    Limit,
}

impl Clause {
    fn is_list(self) -> bool {
        matches!(self, Clause::Items | Clause::Group | Clause::Order)
    }
}

struct Walk<'a> {
    layout: &'a mut Layout,
    clause: Clause,
    item: Option<Span>,
    /// Where the item's last token begins.
    tail: u32,
    /// The end of the token before.
    end: u32,
}

impl Walk<'_> {
    fn word(&mut self, word: &str, span: Span) {
        match (word, self.clause) {
            ("SELECT", Clause::Before) => {
                self.layout.select = span;
                self.clause = Clause::Items;
            }
            ("UNION" | "EXCEPT" | "INTERSECT", _) => {
                self.leave_items();
                self.layout.select = Span::default();
                let items = std::mem::take(&mut self.layout.items);
                if self.layout.named_items.is_empty() {
                    self.layout.named_items = items;
                }
                self.layout.item_tails.clear();
                self.layout.group_items.clear();
                self.layout.group_by = None;
                self.clause = Clause::Middle;
            }
            ("FROM" | "WHERE" | "HAVING" | "WINDOW", Clause::Items) => {
                self.leave_items();
                self.clause = Clause::Middle;
            }
            ("GROUP", Clause::Middle) => {
                self.layout.group_by = Some(span);
                self.clause = Clause::Group;
            }
            ("HAVING" | "WINDOW" | "WITH", Clause::Group) => {
                self.leave_items();
                self.clause = Clause::Middle;
            }
            ("BY", Clause::Group | Clause::Order) => self.item = None,
            ("ORDER", Clause::Items | Clause::Middle | Clause::Group) => {
                self.leave_items();
                self.layout.before_order = self.end;
                self.layout.order_by = Some(span);
                self.clause = Clause::Order;
            }
            ("LIMIT", Clause::Items | Clause::Middle | Clause::Group | Clause::Order) => {
                self.leave_items();
                if self.clause != Clause::Order {
                    self.layout.before_order = self.end;
                }
                self.layout.before_limit = self.end;
                self.layout.limit = Some(span);
                self.clause = Clause::Limit;
            }
            _ => {}
        }
    }

    fn leave_items(&mut self) {
        let Some(item) = self.item.take() else { return };
        match self.clause {
            Clause::Items => {
                self.layout.items.push(item);
                self.layout.item_tails.push(self.tail);
            }
            Clause::Group => self.layout.group_items.push(item),
            Clause::Order => self.layout.order_items.push(item),
            _ => {}
        }
    }

    fn token(&mut self, span: Span, word: Option<&str>) {
        self.clause_grows(span);
        let head = match self.clause {
            Clause::Items => span == self.layout.select,
            Clause::Group | Clause::Order => {
                matches!(word, Some("GROUP" | "ORDER" | "BY" | "ASC" | "DESC"))
            }
            _ => true,
        };
        if !head {
            self.tail = span.start;
            match &mut self.item {
                Some(item) => item.end = span.end,
                None => self.item = Some(span),
            }
        }
    }

    fn clause_grows(&mut self, span: Span) {
        self.end = span.end;
        match self.clause {
            Clause::Group => grow(&mut self.layout.group_by, span),
            Clause::Order => grow(&mut self.layout.order_by, span),
            Clause::Limit => grow(&mut self.layout.limit, span),
            _ => {}
        }
    }

    fn finish(&mut self) {
        self.leave_items();
        if self.layout.named_items.is_empty() {
            self.layout.named_items = self.layout.items.clone();
        }
        if self.layout.limit.is_none() {
            self.layout.before_limit = self.end;
            if self.layout.order_by.is_none() {
                self.layout.before_order = self.end;
            }
        }
    }
}

fn grow(span: &mut Option<Span>, token: Span) {
    if let Some(span) = span {
        span.end = token.end;
    }
}
