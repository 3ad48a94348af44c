//! MySQL's grammar where the parser crate's own dialect strays from it.
//!
//! Owns: precedences and the expressions that are parsed here rather than there. Never: builds
//! the planner's tree ([`super::expression`]) or looks at text.
//!
//! Repaired here: `XOR`, `^`, `:=`, LIKE and IN against `=`, `->`; unary `-`, `~`, `!`,
//! BINARY; CAST, CONVERT, EXTRACT, TRIM, POSITION, SUBSTRING, GROUP_CONCAT, MATCH … AGAINST,
//! CHAR … USING, WEIGHT_STRING and every other call, whose words between the arguments mean
//! nothing to routing and are skipped up to the closing parenthesis.

use std::any::TypeId;

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, UnaryOperator, Value, WindowSpec,
    WindowType,
};
use sqlparser::dialect::{Dialect, MySqlDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

/// The dialect of one session's sql_mode.
#[derive(Debug)]
pub(super) struct Dialected;

const PREFIX: u8 = 48;
const CONCAT: u8 = 46;
const XOR_BITS: u8 = 44;
const SHIFT: u8 = 24;
const ARROW: u8 = 90;
const ASSIGN: u8 = 2;

macro_rules! yes {
    ($($name:ident),* $(,)?) => { $(fn $name(&self) -> bool { true })* };
}

impl Dialect for Dialected {
    /// The parser asks for MySQL by type at many places.
    fn dialect(&self) -> TypeId {
        TypeId::of::<MySqlDialect>()
    }
    fn is_identifier_start(&self, ch: char) -> bool {
        MySqlDialect {}.is_identifier_start(ch)
    }
    fn is_identifier_part(&self, ch: char) -> bool {
        MySqlDialect {}.is_identifier_part(ch)
    }
    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`'
    }

    yes!(
        supports_string_literal_concatenation,
        supports_numeric_prefix,
        supports_bitwise_shift_operators,
        require_interval_qualifier,
        supports_limit_comma,
        supports_insert_set,
        supports_cross_join_constraint,
        supports_double_ampersand_operator,
        supports_group_by_with_modifier,
        supports_parens_around_table_factor,
        supports_window_clause_named_window_reference,
        supports_subquery_as_function_arg,
    );

    fn is_table_factor_alias(&self, explicit: bool, kw: &Keyword, parser: &mut Parser) -> bool {
        MySqlDialect {}.is_table_factor_alias(explicit, kw, parser)
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        match precedence {
            Precedence::Period => 100,
            Precedence::DoubleColon => 50,
            Precedence::AtTz => 41,
            Precedence::MulDivModOp => 40,
            Precedence::PlusMinus => 30,
            Precedence::Caret => XOR_BITS,
            Precedence::Ampersand => 23,
            Precedence::Pipe | Precedence::Colon | Precedence::PgOther => 22,
            // IN, BETWEEN, LIKE and REGEXP bind tighter than the comparisons.
            Precedence::Between | Precedence::Like => 21,
            Precedence::Eq => 18,
            Precedence::Is => 18,
            Precedence::UnaryNot => 15,
            Precedence::And => 10,
            Precedence::Xor => 7,
            Precedence::Or => 5,
        }
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        let precedence = match &parser.peek_token_ref().token {
            Token::ShiftLeft | Token::ShiftRight => SHIFT,
            Token::StringConcat => CONCAT,
            Token::Arrow | Token::LongArrow => ARROW,
            Token::Assignment => ASSIGN,
            _ => return None,
        };
        Some(Ok(precedence))
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        match &parser.peek_token_ref().token {
            Token::Minus => Some(unary(parser, UnaryOperator::Minus)),
            Token::Plus => Some(unary(parser, UnaryOperator::Plus)),
            Token::Tilde => Some(unary(parser, UnaryOperator::BitwiseNot)),
            Token::Word(word) if word.quote_style.is_none() => {
                let keyword = word.keyword;
                let called = parser.peek_nth_token_ref(1).token == Token::LParen;
                match keyword {
                    Keyword::MATCH if called => Some(match_against(parser)),
                    Keyword::CASE
                    | Keyword::NOT
                    | Keyword::NULL
                    | Keyword::TRUE
                    | Keyword::FALSE
                    | Keyword::EXISTS => None,
                    Keyword::INTERVAL => Some(interval(parser)),
                    _ if called => Some(call(parser)),
                    Keyword::CURRENT_TIMESTAMP
                    | Keyword::CURRENT_TIME
                    | Keyword::CURRENT_DATE
                    | Keyword::CURRENT_USER
                    | Keyword::LOCALTIME
                    | Keyword::LOCALTIMESTAMP => Some(bare_call(parser)),
                    // Words of other dialects that the parser would take for syntax, and names of
                    // types that it would take for the start of a typed string.
                    _ if !is_reserved(keyword) => Some(name(parser)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn is_select_item_alias(&self, explicit: bool, kw: &Keyword, parser: &mut Parser) -> bool {
        explicit
            || (!is_reserved(*kw) && MySqlDialect {}.is_select_item_alias(explicit, kw, parser))
    }
}

/// Words that can't be a column's name without quotes, as far as the parser must not read them so.
fn is_reserved(keyword: Keyword) -> bool {
    use Keyword::*;
    matches!(
        keyword,
        ALL | AND
            | AS
            | ASC
            | BETWEEN
            | BY
            | CASE
            | CROSS
            | DEFAULT
            | DELETE
            | DESC
            | DISTINCT
            | DIV
            | ELSE
            | EXISTS
            | FALSE
            | FETCH
            | FOR
            | FORCE
            | FROM
            | GROUP
            | HAVING
            | IGNORE
            | IN
            | INDEX
            | INNER
            | INSERT
            | INTERVAL
            | INTO
            | IS
            | JOIN
            | KEY
            | LATERAL
            | LEFT
            | LIKE
            | LIMIT
            | LOCK
            | NATURAL
            | NOT
            | NULL
            | ON
            | OR
            | ORDER
            | OUTER
            | OVER
            | PARTITION
            | REGEXP
            | RIGHT
            | RLIKE
            | SELECT
            | SET
            | STRAIGHT_JOIN
            | TABLE
            | THEN
            | TRUE
            | UNION
            | UPDATE
            | USE
            | USING
            | VALUES
            | WHEN
            | WHERE
            | WINDOW
            | WITH
            | XOR
            | EXCEPT
            | INTERSECT
    )
}

fn unary(parser: &mut Parser, op: UnaryOperator) -> Result<Expr, ParserError> {
    parser.advance_token();
    Ok(Expr::UnaryOp { op, expr: Box::new(parser.parse_subexpr(PREFIX)?) })
}

/// `[[schema.]table.]column` or `schema.function(…)`.
fn name(parser: &mut Parser) -> Result<Expr, ParserError> {
    let mut parts = vec![any_word(parser)?];
    while parser.peek_token_ref().token == Token::Period {
        parser.advance_token();
        if parser.peek_token_ref().token == Token::Mul {
            return parser.expected_ref("a column", parser.peek_token_ref());
        }
        parts.push(any_word(parser)?);
    }
    if parser.peek_token_ref().token == Token::LParen {
        return arguments(parser, ObjectName::from(parts));
    }
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => Ok(Expr::Identifier(only)),
        (_, Some(last)) => {
            parts.push(last);
            Ok(Expr::CompoundIdentifier(parts))
        }
        _ => parser.expected_ref("a name", parser.peek_token_ref()),
    }
}

/// A word, reserved or not: after a point every word is a name.
fn any_word(parser: &mut Parser) -> Result<Ident, ParserError> {
    let token = parser.next_token();
    match token.token {
        Token::Word(word) => {
            Ok(Ident { value: word.value, quote_style: word.quote_style, span: token.span })
        }
        _ => parser.expected("a name", token),
    }
}

fn bare_call(parser: &mut Parser) -> Result<Expr, ParserError> {
    let name = any_word(parser)?;
    Ok(Expr::Function(function(ObjectName::from(vec![name]), FunctionArguments::None, None)))
}

fn call(parser: &mut Parser) -> Result<Expr, ParserError> {
    let name = any_word(parser)?;
    arguments(parser, ObjectName::from(vec![name]))
}

fn function(name: ObjectName, args: FunctionArguments, over: Option<WindowType>) -> Function {
    Function {
        name,
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args,
        within_group: vec![],
        filter: None,
        null_treatment: None,
        over,
    }
}

/// The argument list of any function. Arguments are separated by commas or by words of the
/// function's own syntax (`FROM`, `AS type`, `USING charset`, `IN`, `ORDER BY`, `SEPARATOR`).
fn arguments(parser: &mut Parser, name: ObjectName) -> Result<Expr, ParserError> {
    parser.expect_token(&Token::LParen)?;
    let mut list =
        FunctionArgumentList { duplicate_treatment: None, args: vec![], clauses: vec![] };
    if parser.parse_keyword(Keyword::DISTINCT) {
        list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
    } else {
        let _ = parser.parse_keyword(Keyword::ALL);
    }
    let simple = name.to_string().to_ascii_lowercase();
    skip_leading_words(parser, &simple);
    while parser.peek_token_ref().token != Token::RParen {
        if parser.peek_token_ref().token == Token::Mul {
            parser.advance_token();
            list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Wildcard));
        } else if starts_query(parser) {
            let query = parser.parse_query()?;
            list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Subquery(query))));
        } else {
            let expr = if simple == "position" && list.args.is_empty() {
                parser.parse_subexpr(22)?
            } else {
                parser.parse_expr()?
            };
            list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)));
        }
        if simple == "convert" && parser.peek_token_ref().token == Token::Comma {
            // A type, of several words maybe.
            skip_to_close(parser)?;
            break;
        }
        if !next_argument(parser, &mut list)? {
            break;
        }
    }
    parser.expect_token(&Token::RParen)?;
    let over = over_clause(parser)?;
    Ok(Expr::Function(function(name, FunctionArguments::List(list), over)))
}

fn starts_query(parser: &Parser) -> bool {
    matches!(&parser.peek_token_ref().token, Token::Word(w)
        if w.quote_style.is_none() && matches!(w.keyword, Keyword::SELECT | Keyword::WITH))
}

/// `EXTRACT(unit FROM …`, `TRIM(BOTH FROM …`, `TRIM(LEADING x FROM …`.
fn skip_leading_words(parser: &mut Parser, function: &str) {
    let is = |parser: &Parser, n: usize, keyword: Keyword| {
        matches!(&parser.peek_nth_token_ref(n).token, Token::Word(w)
            if w.quote_style.is_none() && w.keyword == keyword)
    };
    if function == "trim"
        && (is(parser, 0, Keyword::LEADING)
            || is(parser, 0, Keyword::TRAILING)
            || is(parser, 0, Keyword::BOTH))
    {
        parser.advance_token();
        if is(parser, 0, Keyword::FROM) {
            parser.advance_token();
        }
    }
    if function == "extract" && is(parser, 1, Keyword::FROM) {
        parser.advance_token();
        parser.advance_token();
    }
}

/// Goes to the next argument; false at the closing parenthesis.
fn next_argument(
    parser: &mut Parser,
    list: &mut FunctionArgumentList,
) -> Result<bool, ParserError> {
    loop {
        match &parser.peek_token_ref().token {
            Token::RParen => return Ok(false),
            Token::Comma => {
                parser.advance_token();
                return Ok(true);
            }
            Token::Word(word) if word.quote_style.is_none() => match word.keyword {
                // The rest of these can't hold a column.
                Keyword::AS | Keyword::USING | Keyword::LEVEL | Keyword::RETURNING => {
                    skip_to_close(parser)?;
                    return Ok(false);
                }
                Keyword::FROM | Keyword::FOR | Keyword::IN => {
                    parser.advance_token();
                    return Ok(true);
                }
                Keyword::ORDER => {
                    parser.advance_token();
                    parser.expect_keyword(Keyword::BY)?;
                    let order = parser.parse_comma_separated(Parser::parse_order_by_expr)?;
                    list.clauses.push(FunctionArgumentClause::OrderBy(order));
                }
                Keyword::LIMIT => {
                    parser.advance_token();
                    let limit = parser.parse_expr()?;
                    list.clauses.push(FunctionArgumentClause::Limit(limit));
                    if parser.consume_token(&Token::Comma) || parser.parse_keyword(Keyword::OFFSET)
                    {
                        parser.parse_expr()?;
                    }
                }
                _ if word.value.eq_ignore_ascii_case("separator") => {
                    parser.advance_token();
                    parser.advance_token();
                    list.clauses.push(FunctionArgumentClause::Limit(null()));
                }
                _ => return parser.expected_ref("a comma or )", parser.peek_token_ref()),
            },
            _ => return parser.expected_ref("a comma or )", parser.peek_token_ref()),
        }
    }
}

fn null() -> Expr {
    Expr::value(Value::Null)
}

/// Skips up to the parenthesis that closes the current list.
fn skip_to_close(parser: &mut Parser) -> Result<(), ParserError> {
    let mut depth = 0usize;
    loop {
        match &parser.peek_token_ref().token {
            Token::RParen if depth == 0 => return Ok(()),
            Token::RParen => depth -= 1,
            Token::LParen => depth += 1,
            Token::EOF => return parser.expected_ref(")", parser.peek_token_ref()),
            _ => {}
        }
        parser.advance_token();
    }
}

fn over_clause(parser: &mut Parser) -> Result<Option<WindowType>, ParserError> {
    let word = |text: &str, parser: &Parser, n: usize| {
        matches!(&parser.peek_nth_token_ref(n).token, Token::Word(w)
            if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(text))
    };
    // FROM FIRST, RESPECT NULLS and IGNORE NULLS stand between the call and OVER.
    if word("respect", parser, 0) || (word("ignore", parser, 0) && word("nulls", parser, 1)) {
        parser.advance_token();
        parser.advance_token();
    }
    if !word("over", parser, 0) {
        return Ok(None);
    }
    parser.advance_token();
    if parser.consume_token(&Token::LParen) {
        let spec: WindowSpec = parser.parse_window_spec()?;
        return Ok(Some(WindowType::WindowSpec(spec)));
    }
    Ok(Some(WindowType::NamedWindow(any_word(parser)?)))
}

/// `MATCH (a, b) AGAINST (expr [IN BOOLEAN MODE | …])`.
fn match_against(parser: &mut Parser) -> Result<Expr, ParserError> {
    let name = any_word(parser)?;
    parser.expect_token(&Token::LParen)?;
    let mut args = parser.parse_comma_separated(Parser::parse_expr)?;
    parser.expect_token(&Token::RParen)?;
    match &parser.peek_token_ref().token {
        Token::Word(w) if w.value.eq_ignore_ascii_case("against") => parser.advance_token(),
        _ => return parser.expected_ref("AGAINST", parser.peek_token_ref()),
    }
    parser.expect_token(&Token::LParen)?;
    // IN BOOLEAN MODE would be read as a list.
    args.push(parser.parse_subexpr(22)?);
    skip_to_close(parser)?;
    parser.expect_token(&Token::RParen)?;
    let args = args.into_iter().map(|a| FunctionArg::Unnamed(FunctionArgExpr::Expr(a))).collect();
    let list = FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] };
    Ok(Expr::Function(function(ObjectName::from(vec![name]), FunctionArguments::List(list), None)))
}

/// `INTERVAL expr unit`, or the function INTERVAL(a, b, …).
fn interval(parser: &mut Parser) -> Result<Expr, ParserError> {
    let name = any_word(parser)?;
    let mut args = vec![];
    if parser.peek_token_ref().token == Token::LParen {
        parser.advance_token();
        args = parser.parse_comma_separated(Parser::parse_expr)?;
        parser.expect_token(&Token::RParen)?;
        // `INTERVAL (a) + b DAY`, unlike the function of several arguments.
        if let ([only], false) = (args.as_slice(), unit_follows(parser)) {
            let mut whole = only.clone();
            while !unit_follows(parser) {
                let precedence = parser.get_next_precedence()?;
                if precedence == 0 {
                    break;
                }
                whole = parser.parse_infix(whole, precedence)?;
            }
            args = vec![whole];
        }
    } else {
        args.push(parser.parse_expr()?);
    }
    // A unit follows unless it was the function.
    if unit_follows(parser) {
        parser.advance_token();
    }
    let args = args.into_iter().map(|a| FunctionArg::Unnamed(FunctionArgExpr::Expr(a))).collect();
    let list = FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] };
    Ok(Expr::Function(function(ObjectName::from(vec![name]), FunctionArguments::List(list), None)))
}

fn unit_follows(parser: &Parser) -> bool {
    matches!(&parser.peek_token_ref().token, Token::Word(word)
        if word.quote_style.is_none() && is_unit(&word.value))
}

fn is_unit(word: &str) -> bool {
    const UNITS: [&str; 20] = [
        "MICROSECOND",
        "SECOND",
        "MINUTE",
        "HOUR",
        "DAY",
        "WEEK",
        "MONTH",
        "QUARTER",
        "YEAR",
        "SECOND_MICROSECOND",
        "MINUTE_MICROSECOND",
        "MINUTE_SECOND",
        "HOUR_MICROSECOND",
        "HOUR_SECOND",
        "HOUR_MINUTE",
        "DAY_MICROSECOND",
        "DAY_SECOND",
        "DAY_MINUTE",
        "DAY_HOUR",
        "YEAR_MONTH",
    ];
    UNITS.iter().any(|unit| unit.eq_ignore_ascii_case(word))
}
