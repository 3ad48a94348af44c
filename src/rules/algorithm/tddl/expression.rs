//! TDDL's rule expressions: text to tree.
//!
//! Owns: the grammar of the supported part of Groovy and of `#column,step_TYPE,range#`. Never:
//! evaluates ([`super::evaluate`]).
//!
//! ```text
//! expression  or ('?' expression ':' expression)?
//! or          and ('||' and)*            and         equality ('&&' equality)*
//! equality    relation (('=='|'!=') relation)*
//! relation    sum (('<'|'<='|'>'|'>=') sum)*
//! sum         product (('+'|'-') product)*
//! product     unary (('*'|'/'|'%') unary)*
//! unary       ('-'|'+'|'!') unary | postfix
//! postfix     primary ('.' name '(' arguments ')')*
//! primary     number | text | true | false | '#'column'#' | name '(' arguments ')'
//!             | ('Long'|'Integer'|'String'|'Math') '.' name '(' arguments ')' | '(' expression ')'
//! ```

use std::fmt;

/// A node of an expression. Positions are the character (from 1) where it begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A Java int.
    Int(i32),
    /// A Java long: written with `L`, or too large for an int.
    Long(i64),
    Text(String),
    Truth(bool),
    /// A column, by its place in the rule's list.
    Column(usize),
    Unary(Unary, Box<Expression>),
    Binary {
        operator: Binary,
        left: Box<Expression>,
        right: Box<Expression>,
        position: usize,
    },
    Choice {
        condition: Box<Expression>,
        yes: Box<Expression>,
        no: Box<Expression>,
    },
    /// A method (`target` first), a static method (`Long.valueOf`) or a helper function.
    Call {
        name: String,
        arguments: Vec<Expression>,
        kind: CallKind,
        position: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    Method,
    Function,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    Negate,
    Not,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
}

/// A column as a rule mentions it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnUse {
    pub name: String,
    /// Marked with `?`: the rule can do without a condition on it.
    pub optional: bool,
    pub step: Step,
    /// The samples that make all shards: first and last (included), counted in steps.
    pub ranges: Vec<(i64, i64)>,
}

/// How far neighbouring samples lie apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Number(i64),
    Hours(i64),
    Days(i64),
    Months(i64),
    Years(i64),
}

/// A mistake in an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The character, from 1.
    pub position: usize,
    pub message: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: {}", self.position, self.message)
    }
}

/// More nesting than this is refused, so that no expression can exhaust the stack.
const DEEPEST: usize = 64;
const LONGEST: usize = 4_096;

/// Reads an expression. Columns are looked up by name (in any case) in `columns` and added there.
pub fn parse(text: &str, columns: &mut Vec<ColumnUse>) -> Result<Expression, SyntaxError> {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() > LONGEST {
        return Err(SyntaxError {
            position: LONGEST,
            message: format!("longer than {LONGEST} characters"),
        });
    }
    let mut parser = Parser { characters, at: 0, depth: 0, columns };
    let expression = parser.choice()?;
    parser.spaces();
    match parser.characters.get(parser.at) {
        None => Ok(expression),
        Some(_) => Err(parser.error("the expression should end here")),
    }
}

struct Parser<'a> {
    characters: Vec<char>,
    at: usize,
    depth: usize,
    columns: &'a mut Vec<ColumnUse>,
}

type Parsed = Result<Expression, SyntaxError>;

impl Parser<'_> {
    fn error(&self, message: impl Into<String>) -> SyntaxError {
        SyntaxError { position: self.at + 1, message: message.into() }
    }

    fn spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    /// Takes this text if it comes next, spaces aside.
    fn take(&mut self, text: &str) -> bool {
        self.spaces();
        let length = text.chars().count();
        let next = self.characters.get(self.at..self.at + length);
        let hit = next.is_some_and(|next| next.iter().copied().eq(text.chars()));
        if hit {
            self.at += length;
        }
        hit
    }

    fn expect(&mut self, text: &str) -> Result<(), SyntaxError> {
        if self.take(text) { Ok(()) } else { Err(self.error(format!("'{text}' is missing"))) }
    }

    fn choice(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error("nested too deeply"));
        }
        let condition = self.left_to_right(0)?;
        let result = if self.take("?") {
            let yes = self.choice()?;
            self.expect(":")?;
            let no = self.choice()?;
            Expression::Choice { condition: condition.into(), yes: yes.into(), no: no.into() }
        } else {
            condition
        };
        self.depth -= 1;
        Ok(result)
    }

    /// Binary operators of one level of precedence, which bind to the left.
    fn left_to_right(&mut self, level: usize) -> Parsed {
        // Longer operators stand before their own beginnings.
        const LEVELS: [&[(&str, Binary)]; 6] = [
            &[("||", Binary::Or)],
            &[("&&", Binary::And)],
            &[("==", Binary::Equal), ("!=", Binary::NotEqual)],
            &[
                ("<=", Binary::LessEqual),
                (">=", Binary::GreaterEqual),
                ("<", Binary::Less),
                (">", Binary::Greater),
            ],
            &[("+", Binary::Add), ("-", Binary::Subtract)],
            &[("*", Binary::Multiply), ("/", Binary::Divide), ("%", Binary::Remainder)],
        ];
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.left_to_right(level + 1)?;
        let mut terms = 0;
        loop {
            self.spaces();
            let position = self.at + 1;
            let Some((_, operator)) = operators.iter().find(|(text, _)| self.take(text)) else {
                return Ok(left);
            };
            terms += 1;
            if terms > DEEPEST {
                return Err(self.error("too many terms"));
            }
            let right = self.left_to_right(level + 1)?;
            left = Expression::Binary {
                operator: *operator,
                left: left.into(),
                right: right.into(),
                position,
            };
        }
    }

    fn unary(&mut self) -> Parsed {
        let mut negations = Vec::new();
        loop {
            let operator = if self.take("-") {
                Some(Unary::Negate)
            } else if self.take("!") {
                Some(Unary::Not)
            } else if self.take("+") {
                None
            } else {
                break;
            };
            negations.extend(operator);
            if negations.len() > DEEPEST {
                return Err(self.error("nested too deeply"));
            }
        }
        let operand = self.postfix()?;
        Ok(negations.into_iter().rev().fold(operand, |operand, operator| {
            match (operator, &operand) {
                (Unary::Negate, Expression::Int(number)) => Expression::Int(number.wrapping_neg()),
                (Unary::Negate, Expression::Long(number)) => {
                    Expression::Long(number.wrapping_neg())
                }
                _ => Expression::Unary(operator, operand.into()),
            }
        }))
    }

    fn postfix(&mut self) -> Parsed {
        let mut target = self.primary()?;
        let mut calls = 0;
        while self.take(".") {
            self.spaces();
            let position = self.at + 1;
            let name = self.name().ok_or_else(|| self.error("a method's name is missing"))?;
            let mut arguments = vec![target];
            self.expect("(")?;
            self.arguments(&mut arguments)?;
            calls += 1;
            if calls > DEEPEST {
                return Err(self.error("too many calls"));
            }
            target = Expression::Call { name, arguments, kind: CallKind::Method, position };
        }
        Ok(target)
    }

    /// Arguments up to the closing parenthesis.
    fn arguments(&mut self, arguments: &mut Vec<Expression>) -> Result<(), SyntaxError> {
        if self.take(")") {
            return Ok(());
        }
        loop {
            arguments.push(self.choice()?);
            if self.take(")") {
                return Ok(());
            }
            self.expect(",")?;
        }
    }

    fn name(&mut self) -> Option<String> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
            self.at += 1;
        }
        let name: String = self.characters.get(start..self.at)?.iter().collect();
        let valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        valid.then_some(name)
    }

    fn primary(&mut self) -> Parsed {
        self.spaces();
        match self.peek() {
            None => Err(self.error("the expression ends too early")),
            Some('(') => {
                self.at += 1;
                let inner = self.choice()?;
                self.expect(")")?;
                Ok(inner)
            }
            Some('#') => self.column(),
            Some(quote @ ('\'' | '"')) => self.text(quote),
            Some(digit) if digit.is_ascii_digit() => self.number(),
            Some(_) => self.word(),
        }
    }

    fn number(&mut self) -> Parsed {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        let digits: String =
            self.characters.get(start..self.at).unwrap_or_default().iter().collect();
        let long = self.peek().is_some_and(|c| c == 'L' || c == 'l');
        self.at += usize::from(long);
        let fraction = self.peek() == Some('.')
            && self.characters.get(self.at + 1).is_some_and(char::is_ascii_digit);
        if fraction {
            return Err(self.error("only whole numbers are supported"));
        }
        match (digits.parse::<i32>(), digits.parse::<i64>()) {
            (Ok(number), _) if !long => Ok(Expression::Int(number)),
            (_, Ok(number)) => Ok(Expression::Long(number)),
            _ => {
                self.at = start;
                Err(self.error(format!("{digits} is larger than a long")))
            }
        }
    }

    fn text(&mut self, quote: char) -> Parsed {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.peek() {
                None => {
                    self.at = start;
                    return Err(self.error("the text has no end"));
                }
                Some('\\') | Some('$') => {
                    return Err(self.error("escapes and placeholders in texts are not supported"));
                }
                Some(c) if c == quote => {
                    self.at += 1;
                    return Ok(Expression::Text(text));
                }
                Some(c) => text.push(c),
            }
            self.at += 1;
        }
    }

    /// `true`, `false`, a helper function or a static method.
    fn word(&mut self) -> Parsed {
        let start = self.at;
        let position = start + 1;
        let Some(mut name) = self.name() else {
            self.at = start;
            return Err(self.error("a value is expected here"));
        };
        match name.as_str() {
            "true" => return Ok(Expression::Truth(true)),
            "false" => return Ok(Expression::Truth(false)),
            "Long" | "Integer" | "String" | "Math" => {
                self.expect(".")?;
                self.spaces();
                let method = self.name().ok_or_else(|| self.error("a method's name is missing"))?;
                name = format!("{name}.{method}");
            }
            _ => {}
        }
        if !self.take("(") {
            self.at = start;
            return Err(
                self.error(format!("'{name}' is not known; a column is written #{name},1,64#"))
            );
        }
        let mut arguments = Vec::new();
        self.arguments(&mut arguments)?;
        Ok(Expression::Call { name, arguments, kind: CallKind::Function, position })
    }

    /// `#name[?][,step[_TYPE],range]#`
    fn column(&mut self) -> Parsed {
        let start = self.at;
        let rest = self.characters.get(start + 1..).unwrap_or_default();
        let Some(length) = rest.iter().position(|c| *c == '#') else {
            return Err(self.error("the column has no closing '#'"));
        };
        let inside: String = rest.iter().take(length).collect();
        let parsed = column_use(&inside).map_err(|message| self.error(message))?;
        self.at = start + length + 2;
        let known =
            self.columns.iter().position(|known| known.name.eq_ignore_ascii_case(&parsed.name));
        let index = match known {
            Some(index) => {
                // A later mention without step and range means the column as it was first written.
                if let Some(known) = self.columns.get_mut(index) {
                    if known.ranges.is_empty() {
                        *known = parsed;
                    } else if !parsed.ranges.is_empty() && *known != parsed {
                        self.at = start;
                        let message = format!(
                            "column {} is written with another step or range before",
                            known.name
                        );
                        return Err(self.error(message));
                    }
                }
                index
            }
            None => {
                self.columns.push(parsed);
                self.columns.len() - 1
            }
        };
        Ok(Expression::Column(index))
    }
}

/// `user_id,1,64`, `gmt_create,1_MONTH,-12_12`, `id?,1,0_1024|1m_1g`, `name`.
fn column_use(text: &str) -> Result<ColumnUse, String> {
    let mut parts = text.split(',').map(str::trim);
    let name = parts.next().unwrap_or("");
    let (name, optional) = match name.strip_suffix('?') {
        Some(name) => (name, true),
        None => (name, false),
    };
    if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$') {
        return Err(format!("'{name}' is no column's name"));
    }
    let step = match parts.next() {
        None => Step::Number(1),
        Some(step) => read_step(step)?,
    };
    let ranges = match parts.next() {
        None => Vec::new(),
        Some(ranges) => ranges.split('|').map(read_range).collect::<Result<_, _>>()?,
    };
    if parts.next().is_some() {
        return Err("a column is written #name,step,range#".to_string());
    }
    Ok(ColumnUse { name: name.to_string(), optional, step, ranges })
}

fn read_step(text: &str) -> Result<Step, String> {
    let (number, kind) = text.split_once('_').unwrap_or((text, "NUMBER"));
    let number = read_number(number)
        .filter(|number| *number > 0)
        .ok_or_else(|| format!("'{text}' is no step"))?;
    match kind.to_ascii_uppercase().as_str() {
        "NUMBER" | "STRING" => Ok(Step::Number(number)),
        "HOUR" => Ok(Step::Hours(number)),
        "DATE" | "DAY" => Ok(Step::Days(number)),
        "MONTH" => Ok(Step::Months(number)),
        "YEAR" => Ok(Step::Years(number)),
        _ => Err(format!("'{kind}' is none of NUMBER, STRING, HOUR, DATE, MONTH, YEAR")),
    }
}

/// `64` is 0 to 63; `-12_12` is -12 to 12.
fn read_range(text: &str) -> Result<(i64, i64), String> {
    let wrong = || format!("'{text}' is no range");
    let (low, high) = match text.split_once('_') {
        Some((low, high)) => {
            (read_number(low).ok_or_else(wrong)?, read_number(high).ok_or_else(wrong)?)
        }
        None => (0, read_number(text).ok_or_else(wrong)? - 1),
    };
    if low <= high { Ok((low, high)) } else { Err(format!("range '{text}' is empty")) }
}

/// A number with an optional `m` (million) or `g` (billion) behind it.
fn read_number(text: &str) -> Option<i64> {
    let text = text.trim();
    let (digits, factor) = match text.as_bytes().last()? {
        b'm' | b'M' => (text.get(..text.len() - 1)?, 1_000_000),
        b'g' | b'G' => (text.get(..text.len() - 1)?, 1_000_000_000),
        _ => (text, 1),
    };
    digits.parse::<i64>().ok()?.checked_mul(factor)
}
