//! The outermost statement: driven token by token here, so that MySQL's own forms of INSERT,
//! UPDATE and DELETE are all known; queries, tables and expressions are the parser's.
//!
//! Owns: the grammar of INSERT, REPLACE, UPDATE and DELETE. Never: looks into an expression.

use sqlparser::ast::{Ident as ParserIdent, ObjectName};
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::{Context, Unparsed, refuse, unparsed};
use crate::sql::analysis::{
    Assignment, Delete, Expr, Ident, Insert, InsertSource, Item, Limit, OrderItem, Query,
    Statement, TableName, TableTree, Update,
};

type Result<T> = std::result::Result<T, Unparsed>;

pub(super) fn parse(parser: &mut Parser, context: &Context) -> Result<Statement> {
    let statement = match first_word(parser).as_str() {
        "INSERT" => Statement::Insert(Box::new(insert(parser, context, false)?)),
        "REPLACE" => Statement::Insert(Box::new(insert(parser, context, true)?)),
        "UPDATE" => Statement::Update(Box::new(update(parser, context)?)),
        "DELETE" => Statement::Delete(Box::new(delete(parser, context)?)),
        "WITH" if !with_query(context) => return refuse("WITH before UPDATE or DELETE"),
        _ => Statement::Query(query(parser, context)?),
    };
    match parser.peek_token_ref().token {
        Token::EOF => Ok(statement),
        ref other => Err(Unparsed(format!("'{other}' behind the end of the statement"))),
    }
}

/// Whether the statement behind WITH is a query.
fn with_query(context: &Context) -> bool {
    let mut depth = 0usize;
    for token in context.tokens {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            Token::Word(word) if depth == 0 => match word.keyword {
                Keyword::SELECT | Keyword::VALUES | Keyword::TABLE => return true,
                Keyword::UPDATE | Keyword::DELETE => return false,
                _ => {}
            },
            _ => {}
        }
    }
    true
}

fn first_word(parser: &Parser) -> String {
    match &parser.peek_token_ref().token {
        Token::Word(word) => word.value.to_ascii_uppercase(),
        _ => String::new(),
    }
}

fn query(parser: &mut Parser, context: &Context) -> Result<Query> {
    let query = parser.parse_query().map_err(|e| unparsed(&e))?;
    context.query(*query)
}

/// Takes the next token if it is this unquoted word.
fn take(parser: &mut Parser, text: &str) -> bool {
    let found = matches!(&parser.peek_token_ref().token, Token::Word(word)
        if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(text));
    if found {
        parser.advance_token();
    }
    found
}

fn expect(parser: &mut Parser, token: &Token) -> Result<()> {
    parser.expect_token(token).map(|_| ()).map_err(|e| unparsed(&e))
}

fn expression(parser: &mut Parser, context: &Context) -> Result<Expr> {
    let expr = parser.parse_expr().map_err(|e| unparsed(&e))?;
    context.expression(expr)
}

/// `[schema.]table`, the name and its last token's index.
fn table(parser: &mut Parser, context: &Context) -> Result<(TableName, usize)> {
    let mut parts: Vec<ParserIdent> = vec![];
    loop {
        let token = parser.next_token();
        let Token::Word(word) = token.token else { return refuse("a table's name is missing") };
        parts.push(ParserIdent {
            value: word.value,
            quote_style: word.quote_style,
            span: token.span,
        });
        if !parser.consume_token(&Token::Period) {
            break;
        }
    }
    let last = parts.last().and_then(|part| Context::index(part.span)).unwrap_or_default();
    Ok((context.table_name(ObjectName::from(parts))?, last))
}

fn skip_partition(parser: &mut Parser) -> Result<()> {
    if take(parser, "PARTITION") {
        expect(parser, &Token::LParen)?;
        while parser.peek_token_ref().token != Token::RParen {
            if parser.next_token().token == Token::EOF {
                return refuse("PARTITION without )");
            }
        }
        parser.advance_token();
    }
    Ok(())
}

fn insert(parser: &mut Parser, context: &Context, replace: bool) -> Result<Insert> {
    parser.advance_token();
    while take(parser, "LOW_PRIORITY") || take(parser, "DELAYED") || take(parser, "HIGH_PRIORITY") {
    }
    let ignore = take(parser, "IGNORE");
    take(parser, "INTO");
    let (table, last) = table(parser, context)?;
    let columns_at = context.behind_partitions(last);
    skip_partition(parser)?;
    let (has_columns, columns) = column_list(parser, context)?;
    let source = insert_source(parser, context)?;
    let mut row_alias = false;
    if take(parser, "AS") {
        row_alias = true;
        identifier(parser, context)?;
        column_list(parser, context)?;
    }
    let mut on_duplicate = vec![];
    if take(parser, "ON") {
        if !(take(parser, "DUPLICATE") && take(parser, "KEY") && take(parser, "UPDATE")) {
            return refuse("ON without DUPLICATE KEY UPDATE");
        }
        on_duplicate = assignments(parser, context)?;
    }
    let returning = returning(parser, context)?;
    Ok(Insert {
        replace,
        ignore,
        table,
        columns,
        has_columns,
        source,
        on_duplicate,
        returning,
        row_alias,
        columns_at,
    })
}

fn insert_source(parser: &mut Parser, context: &Context) -> Result<InsertSource> {
    if take(parser, "SET") {
        return Ok(InsertSource::Assignments(assignments(parser, context)?));
    }
    let values = matches!(first_word(parser).as_str(), "VALUES" | "VALUE");
    // VALUES ROW(…) is a query.
    let row = matches!(&parser.peek_nth_token_ref(1).token, Token::Word(word) if word.keyword == Keyword::ROW);
    if !values || row {
        return Ok(InsertSource::Query(Box::new(query(parser, context)?)));
    }
    parser.advance_token();
    let mut rows = vec![];
    loop {
        expect(parser, &Token::LParen)?;
        let mut cells = vec![];
        while parser.peek_token_ref().token != Token::RParen {
            cells.push(value(parser, context)?);
            if !parser.consume_token(&Token::Comma) {
                break;
            }
        }
        expect(parser, &Token::RParen)?;
        rows.push(cells);
        // Rows between were folded, the comma with them; only those of new shapes are left.
        let _ = parser.consume_token(&Token::Comma);
        if parser.peek_token_ref().token != Token::LParen {
            return Ok(InsertSource::Values(rows));
        }
    }
}

/// An expression, or DEFAULT.
fn value(parser: &mut Parser, context: &Context) -> Result<Expr> {
    let next = matches!(parser.peek_nth_token_ref(1).token, Token::LParen);
    if !next && take(parser, "DEFAULT") {
        return Ok(Expr::Literal(crate::sql::analysis::Literal::Default));
    }
    expression(parser, context)
}

fn identifier(parser: &mut Parser, context: &Context) -> Result<Ident> {
    let token = parser.next_token();
    match token.token {
        Token::Word(word) => Ok(Ident { text: word.value, span: context.span(token.span) }),
        _ => refuse("a name is missing"),
    }
}

/// `(a, b, …)`: column names, which may be qualified. A query in parentheses is none.
fn column_list(parser: &mut Parser, context: &Context) -> Result<(bool, Vec<Ident>)> {
    if parser.peek_token_ref().token != Token::LParen {
        return Ok((false, vec![]));
    }
    if matches!(&parser.peek_nth_token_ref(1).token, Token::LParen)
        || matches!(&parser.peek_nth_token_ref(1).token, Token::Word(word)
            if matches!(word.keyword, Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::TABLE))
    {
        return Ok((false, vec![]));
    }
    parser.advance_token();
    let mut columns = vec![];
    while parser.peek_token_ref().token != Token::RParen {
        let mut column = identifier(parser, context)?;
        while parser.consume_token(&Token::Period) {
            column = identifier(parser, context)?;
        }
        columns.push(column);
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    expect(parser, &Token::RParen)?;
    Ok((true, columns))
}

fn assignments(parser: &mut Parser, context: &Context) -> Result<Vec<Assignment>> {
    let mut all = vec![];
    loop {
        let mut parts = vec![];
        loop {
            let token = parser.next_token();
            let Token::Word(word) = token.token else {
                return refuse("a column's name is missing");
            };
            parts.push(ParserIdent {
                value: word.value,
                quote_style: word.quote_style,
                span: token.span,
            });
            if !parser.consume_token(&Token::Period) {
                break;
            }
        }
        if !(parser.consume_token(&Token::Eq) || parser.consume_token(&Token::Assignment)) {
            return refuse("an assignment without =");
        }
        let target = context.column_name(parts)?;
        all.push(Assignment { target, value: value(parser, context)? });
        if !parser.consume_token(&Token::Comma) {
            return Ok(all);
        }
    }
}

fn tables(parser: &mut Parser, context: &Context) -> Result<Vec<TableTree>> {
    let from =
        parser.parse_comma_separated(Parser::parse_table_and_joins).map_err(|e| unparsed(&e))?;
    context.trees(from)
}

fn update(parser: &mut Parser, context: &Context) -> Result<Update> {
    parser.advance_token();
    take(parser, "LOW_PRIORITY");
    let ignore = take(parser, "IGNORE");
    let from = tables(parser, context)?;
    if !take(parser, "SET") {
        return refuse("UPDATE without SET");
    }
    let assignments = assignments(parser, context)?;
    let filter = filter(parser, context)?;
    let order_by = order_by(parser, context)?;
    let limit = limit(parser, context)?;
    Ok(Update { ignore, from, assignments, filter, order_by, limit })
}

fn filter(parser: &mut Parser, context: &Context) -> Result<Option<Expr>> {
    if take(parser, "WHERE") { expression(parser, context).map(Some) } else { Ok(None) }
}

fn order_by(parser: &mut Parser, context: &Context) -> Result<Vec<OrderItem>> {
    if !take(parser, "ORDER") {
        return Ok(vec![]);
    }
    if !take(parser, "BY") {
        return refuse("ORDER without BY");
    }
    let items =
        parser.parse_comma_separated(Parser::parse_order_by_expr).map_err(|e| unparsed(&e))?;
    items.into_iter().map(|item| context.order_item(item)).collect()
}

fn limit(parser: &mut Parser, context: &Context) -> Result<Option<Limit>> {
    if !take(parser, "LIMIT") {
        return Ok(None);
    }
    Ok(Some(Limit { count: expression(parser, context)?, offset: None }))
}

fn delete(parser: &mut Parser, context: &Context) -> Result<Delete> {
    parser.advance_token();
    take(parser, "LOW_PRIORITY");
    take(parser, "QUICK");
    let ignore = take(parser, "IGNORE");
    let mut targets = vec![];
    let from = if take(parser, "FROM") {
        if let Some(names) = delete_targets_before(parser, context, "USING")? {
            targets = names;
        }
        tables(parser, context)?
    } else {
        match delete_targets_before(parser, context, "FROM")? {
            Some(names) => targets = names,
            None => return refuse("DELETE without FROM"),
        }
        tables(parser, context)?
    };
    let filter = filter(parser, context)?;
    let order_by = order_by(parser, context)?;
    let limit = limit(parser, context)?;
    let returning = returning(parser, context)?;
    Ok(Delete { ignore, targets, from, filter, order_by, limit, returning })
}

/// `a, b.*, c USING` or `… FROM`: the tables that lose rows, if that word follows them.
fn delete_targets_before(
    parser: &mut Parser,
    context: &Context,
    word: &str,
) -> Result<Option<Vec<TableName>>> {
    // Look ahead: the single-table form has no such list.
    let mut n = 0;
    loop {
        match &parser.peek_nth_token_ref(n).token {
            Token::Word(found)
                if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word) =>
            {
                break;
            }
            Token::Word(found) if found.keyword == Keyword::WHERE => return Ok(None),
            Token::Word(_) | Token::Period | Token::Comma | Token::Mul => n += 1,
            _ => return Ok(None),
        }
    }
    let mut targets = vec![];
    loop {
        let mut parts = vec![];
        loop {
            let token = parser.next_token();
            match token.token {
                Token::Mul => {}
                Token::Word(word) => parts.push(ParserIdent {
                    value: word.value,
                    quote_style: word.quote_style,
                    span: token.span,
                }),
                _ => return refuse("a table's name is missing"),
            }
            if !parser.consume_token(&Token::Period) {
                break;
            }
        }
        targets.push(context.table_name(ObjectName::from(parts))?);
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    if !take(parser, word) {
        return refuse("a list of tables is not ended");
    }
    Ok(Some(targets))
}

/// RETURNING, whose items name nothing but columns of the statement's table.
fn returning(parser: &mut Parser, context: &Context) -> Result<Vec<Item>> {
    if !take(parser, "RETURNING") {
        return Ok(vec![]);
    }
    let start = parser.get_current_index();
    let items =
        parser.parse_comma_separated(Parser::parse_select_item).map_err(|e| unparsed(&e))?;
    let asks = |at: usize| matches!(&parser.token_at(at).token, Token::Word(word) if word.keyword == Keyword::SELECT);
    if (start..=parser.get_current_index()).any(asks) {
        return refuse("RETURNING with a subquery");
    }
    items.into_iter().map(|item| context.item(item)).collect()
}
