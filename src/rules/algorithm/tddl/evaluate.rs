//! TDDL's rule expressions: tree and values to a result, with Java's and Groovy's arithmetic.
//!
//! Owns: the semantics: int and long wrap around, `%` takes the sign of the left side, `/` must
//! come out even (Groovy would make a decimal of it), and the helpers that TDDL puts in scope.
//! Never: knows shards.

use crate::rules::algorithm::hash::{java_long, java_string};
use crate::rules::algorithm::tddl::expression::{Binary, CallKind, Expression, Unary};
use crate::value::Value;
use crate::value::temporal::DateTime;

/// A value while an expression is evaluated.
#[derive(Clone, Debug, PartialEq)]
pub enum Java {
    Int(i32),
    Long(i64),
    Text(String),
    Truth(bool),
    Date(DateTime),
}

type Evaluated = Result<Java, String>;

impl Java {
    /// A stored, folded key value. Integers of every size are longs.
    pub fn of(value: &Value) -> Evaluated {
        match value {
            Value::Int(number) => Ok(Java::Long(*number)),
            Value::Text(text) => Ok(Java::Text(String::from_utf8_lossy(&text.bytes).into_owned())),
            Value::Date(date) => Ok(Java::Date(DateTime::midnight(*date))),
            Value::DateTime(moment) => Ok(Java::Date(*moment)),
            Value::Decimal(_) => match value.as_whole().and_then(|whole| i64::try_from(whole).ok())
            {
                Some(number) => Ok(Java::Long(number)),
                None => Err(format!("{value} is no long")),
            },
            other => Err(format!("{other} is no long, text or date")),
        }
    }

    fn long(&self) -> Result<i64, String> {
        match self {
            Java::Int(number) => Ok(i64::from(*number)),
            Java::Long(number) => Ok(*number),
            other => Err(format!("{} is no number", other.show())),
        }
    }

    /// The text that Java makes of the value.
    pub fn show(&self) -> String {
        match self {
            Java::Int(number) => number.to_string(),
            Java::Long(number) => number.to_string(),
            Java::Text(text) => text.clone(),
            Java::Truth(truth) => truth.to_string(),
            Java::Date(moment) => moment.to_string(),
        }
    }
}

/// Evaluates an expression over its columns' values, in the order of their places. The error says
/// what can't be done and at which character.
pub fn evaluate(expression: &Expression, columns: &[&Java]) -> Evaluated {
    match expression {
        Expression::Int(number) => Ok(Java::Int(*number)),
        Expression::Long(number) => Ok(Java::Long(*number)),
        Expression::Text(text) => Ok(Java::Text(text.clone())),
        Expression::Truth(truth) => Ok(Java::Truth(*truth)),
        Expression::Column(index) => columns
            .get(*index)
            .map(|value| (*value).clone())
            .ok_or_else(|| "a column has no value".to_string()),
        Expression::Unary(operator, operand) => match (operator, evaluate(operand, columns)?) {
            (Unary::Negate, Java::Int(number)) => Ok(Java::Int(number.wrapping_neg())),
            (Unary::Negate, Java::Long(number)) => Ok(Java::Long(number.wrapping_neg())),
            (Unary::Not, Java::Truth(truth)) => Ok(Java::Truth(!truth)),
            (_, other) => Err(format!("{} can't be negated", other.show())),
        },
        Expression::Binary { operator, left, right, position } => {
            let left = evaluate(left, columns)?;
            let at = |message: String| format!("at character {position}: {message}");
            if let (Binary::And | Binary::Or, Java::Truth(left)) = (operator, &left) {
                return match (operator, left) {
                    (Binary::And, false) => Ok(Java::Truth(false)),
                    (Binary::Or, true) => Ok(Java::Truth(true)),
                    _ => match evaluate(right, columns)? {
                        Java::Truth(right) => Ok(Java::Truth(right)),
                        other => Err(at(format!("{} is neither true nor false", other.show()))),
                    },
                };
            }
            binary(*operator, &left, &evaluate(right, columns)?).map_err(at)
        }
        Expression::Choice { condition, yes, no } => match evaluate(condition, columns)? {
            Java::Truth(true) => evaluate(yes, columns),
            Java::Truth(false) => evaluate(no, columns),
            other => {
                Err(format!("the condition of '?' is {}, neither true nor false", other.show()))
            }
        },
        Expression::Call { name, arguments, kind, position } => {
            let values: Vec<Java> = arguments
                .iter()
                .map(|argument| evaluate(argument, columns))
                .collect::<Result<_, _>>()?;
            let called = match kind {
                CallKind::Method => method(name, &values),
                CallKind::Function => function(name, &values),
            };
            called.map_err(|message| format!("at character {position}: {message}"))
        }
    }
}

fn binary(operator: Binary, left: &Java, right: &Java) -> Evaluated {
    if let (Binary::Add, Java::Text(_), _) | (Binary::Add, _, Java::Text(_)) =
        (operator, left, right)
    {
        return Ok(Java::Text(left.show() + &right.show()));
    }
    match operator {
        Binary::Equal | Binary::NotEqual => {
            let equal = match (left, right) {
                (Java::Text(left), Java::Text(right)) => left == right,
                (Java::Truth(left), Java::Truth(right)) => left == right,
                _ => left.long()? == right.long()?,
            };
            return Ok(Java::Truth(equal == (operator == Binary::Equal)));
        }
        Binary::Less | Binary::LessEqual | Binary::Greater | Binary::GreaterEqual => {
            let order = match (left, right) {
                (Java::Text(left), Java::Text(right)) => {
                    left.encode_utf16().cmp(right.encode_utf16())
                }
                _ => left.long()?.cmp(&right.long()?),
            };
            return Ok(Java::Truth(match operator {
                Binary::Less => order.is_lt(),
                Binary::LessEqual => order.is_le(),
                Binary::Greater => order.is_gt(),
                _ => order.is_ge(),
            }));
        }
        Binary::And | Binary::Or => {
            return Err(format!("{} is neither true nor false", left.show()));
        }
        _ => {}
    }
    match (left, right) {
        (Java::Int(left), Java::Int(right)) => {
            let result = match operator {
                Binary::Add => Some(left.wrapping_add(*right)),
                Binary::Subtract => Some(left.wrapping_sub(*right)),
                Binary::Multiply => Some(left.wrapping_mul(*right)),
                Binary::Remainder if *right != 0 => Some(left.wrapping_rem(*right)),
                Binary::Divide if *right != 0 && left.wrapping_rem(*right) == 0 => {
                    Some(left.wrapping_div(*right))
                }
                _ => None,
            };
            result
                .map(Java::Int)
                .ok_or_else(|| impossible(operator, i64::from(*left), i64::from(*right)))
        }
        _ => {
            let (left, right) = (left.long()?, right.long()?);
            let result = match operator {
                Binary::Add => Some(left.wrapping_add(right)),
                Binary::Subtract => Some(left.wrapping_sub(right)),
                Binary::Multiply => Some(left.wrapping_mul(right)),
                Binary::Remainder if right != 0 => Some(left.wrapping_rem(right)),
                Binary::Divide if right != 0 && left.wrapping_rem(right) == 0 => {
                    Some(left.wrapping_div(right))
                }
                _ => None,
            };
            result.map(Java::Long).ok_or_else(|| impossible(operator, left, right))
        }
    }
}

fn impossible(operator: Binary, left: i64, right: i64) -> String {
    match (operator, right) {
        (Binary::Divide, 1..) | (Binary::Divide, ..=-1) => {
            format!("{left} / {right} is not whole; write {left}.intdiv({right})")
        }
        _ => format!("{left} is divided by zero"),
    }
}

/// A method; the first value is what it is called on.
fn method(name: &str, values: &[Java]) -> Evaluated {
    match (name, values) {
        ("longValue" | "toLong", [Java::Int(number)]) => Ok(Java::Long(i64::from(*number))),
        ("longValue" | "toLong", [Java::Long(number)]) => Ok(Java::Long(*number)),
        ("intValue" | "toInteger", [number @ (Java::Int(_) | Java::Long(_))]) => {
            Ok(Java::Int(number.long()? as i32))
        }
        ("abs", [Java::Int(number)]) => Ok(Java::Int(number.wrapping_abs())),
        ("abs", [Java::Long(number)]) => Ok(Java::Long(number.wrapping_abs())),
        ("intdiv", [left, right]) => {
            let (dividend, divisor) = (left.long()?, right.long()?);
            if divisor == 0 {
                return Err(format!("{dividend} is divided by zero"));
            }
            match (left, right) {
                (Java::Int(left), Java::Int(right)) => Ok(Java::Int(left.wrapping_div(*right))),
                _ => Ok(Java::Long(dividend.wrapping_div(divisor))),
            }
        }
        // Groovy's mod is Java's remainder.
        ("mod", [left, right]) => binary(Binary::Remainder, left, right),
        ("hashCode", [Java::Int(number)]) => Ok(Java::Int(*number)),
        ("hashCode", [Java::Long(number)]) => Ok(Java::Int(java_long(*number))),
        ("hashCode", [Java::Text(text)]) => Ok(Java::Int(java_string(text))),
        ("toString", [value]) => Ok(Java::Text(value.show())),
        ("toLong", [Java::Text(text)]) => parse_long(text),
        ("toInteger", [Java::Text(text)]) => parse_int(text),
        (_, [Java::Text(text), rest @ ..]) => text_method(name, text, rest),
        (_, [value, ..]) => {
            Err(format!("{} has no method {name} for {} arguments", value.show(), values.len() - 1))
        }
        (_, []) => Err(format!("{name} is called on nothing")),
    }
}

/// Methods of texts. Places count UTF-16 units, as in Java.
fn text_method(name: &str, text: &str, rest: &[Java]) -> Evaluated {
    let units: Vec<u16> = text.encode_utf16().collect();
    let part = |from: i64, to: i64| {
        let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
        let part = range.and_then(|(from, to)| units.get(from..to));
        part.map(|part| Java::Text(String::from_utf16_lossy(part)))
            .ok_or_else(|| format!("'{text}' has no characters {from} to {to}"))
    };
    let length = i64::try_from(units.len()).unwrap_or(i64::MAX);
    match (name, rest) {
        ("length" | "size", []) => Ok(Java::Int(i32::try_from(length).unwrap_or(i32::MAX))),
        ("substring", [from]) => part(from.long()?, length),
        ("substring", [from, to]) => part(from.long()?, to.long()?),
        ("trim", []) => Ok(Java::Text(text.trim_matches(|c| c <= ' ').to_string())),
        ("toLowerCase", []) => Ok(Java::Text(text.to_lowercase())),
        ("toUpperCase", []) => Ok(Java::Text(text.to_uppercase())),
        ("reverse", []) => Ok(Java::Text(text.chars().rev().collect())),
        ("startsWith", [Java::Text(other)]) => Ok(Java::Truth(text.starts_with(other.as_str()))),
        ("endsWith", [Java::Text(other)]) => Ok(Java::Truth(text.ends_with(other.as_str()))),
        ("indexOf", [Java::Text(other)]) => Ok(Java::Int(match text.find(other.as_str()) {
            Some(bytes) => {
                text.get(..bytes).map_or(0, |before| before.encode_utf16().count() as i32)
            }
            None => -1,
        })),
        _ => Err(format!("texts have no method {name} for {} arguments", rest.len())),
    }
}

fn parse_long(text: &str) -> Evaluated {
    text.parse().map(Java::Long).map_err(|_| format!("'{text}' is no long"))
}

fn parse_int(text: &str) -> Evaluated {
    text.parse().map(Java::Int).map_err(|_| format!("'{text}' is no int"))
}

/// Static methods of Java, and the helpers that TDDL puts in scope.
fn function(name: &str, values: &[Java]) -> Evaluated {
    match (name, values) {
        ("Long.valueOf" | "Long.parseLong" | "longValue", [Java::Text(text)]) => parse_long(text),
        ("Long.valueOf" | "longValue", [number]) => Ok(Java::Long(number.long()?)),
        ("Integer.valueOf" | "Integer.parseInt", [Java::Text(text)]) => parse_int(text),
        ("Integer.valueOf", [number]) => {
            let number = number.long()?;
            i32::try_from(number).map(Java::Int).map_err(|_| format!("{number} is no int"))
        }
        ("String.valueOf", [value]) => Ok(Java::Text(value.show())),
        ("Math.abs", [number]) => method("abs", std::slice::from_ref(number)),
        ("Math.max" | "Math.min", [left, right]) => {
            let larger = left.long()? >= right.long()?;
            Ok(if larger == (name == "Math.max") { left.clone() } else { right.clone() })
        }
        ("placeHolder", [width, number]) => {
            let width = usize::try_from(width.long()?).map_err(|error| error.to_string())?;
            Ok(Java::Text(format!("{:0width$}", number.long()?, width = width.min(18))))
        }
        ("right", [Java::Text(text), size]) => {
            let length = i64::try_from(text.encode_utf16().count()).unwrap_or(i64::MAX);
            text_method("substring", text, &[Java::Long((length - size.long()?).max(0))])
        }
        ("right", [number, size]) => Ok(Java::Long(number.long()? % power_of_ten(size.long()?)?)),
        ("rightCut", [number, from, count]) => {
            let cut = number.long()? / power_of_ten(from.long()?)?;
            Ok(Java::Long(cut % power_of_ten(count.long()?)?))
        }
        (_, [Java::Date(moment), rest @ ..]) => date_function(name, *moment, rest),
        _ => Err(format!("{name} is not known for {} arguments of these kinds", values.len())),
    }
}

fn power_of_ten(exponent: i64) -> Result<i64, String> {
    u32::try_from(exponent)
        .ok()
        .filter(|exponent| *exponent < 19)
        .map(|exponent| 10i64.pow(exponent))
        .ok_or_else(|| format!("{exponent} is no number of digits from 0 to 18"))
}

/// Helpers over dates. Where TDDL's don't pad a number, these don't either.
fn date_function(name: &str, moment: DateTime, rest: &[Java]) -> Evaluated {
    let date = moment.date;
    let (year, month, day) = (i32::from(date.year), i32::from(date.month), i32::from(date.day));
    // Sunday is 1; 1970-01-01 was a Thursday.
    let weekday = i32::try_from((date.day_number() + 4).rem_euclid(7)).unwrap_or(0) + 1;
    let number = |number: i32| Ok(Java::Int(number));
    let text = |text: String| Ok(Java::Text(text));
    match (name, rest) {
        ("yyyy", []) => number(year),
        ("yy", []) => number(year % 100),
        ("month", []) => number(month),
        ("mm", []) => text(format!("{month:02}")),
        ("date", []) => number(day),
        ("dd", []) => text(format!("{day:02}")),
        ("week", []) => number(weekday),
        ("dayofweek", []) => number(weekday - 1),
        ("dayofweek", [offset]) => number(weekday.wrapping_add(offset.long()? as i32)),
        ("quarter", []) => number((month - 1) / 3 + 1),
        ("halfayear", []) => number((month - 1) / 6 + 1),
        ("mmdd", []) => text(format!("{month:02}{day:02}")),
        ("yymm", []) => text(format!("{}{month:02}", year % 100)),
        ("yy_mm", []) => text(format!("{}_{month:02}", year % 100)),
        ("yyyymm", []) => text(format!("{year}{month:02}")),
        ("yyyy_mm", []) => text(format!("{year}_{month:02}")),
        ("yyyymmdd", []) => text(format!("{year}{month:02}{day}")),
        _ => Err(format!("{name} is not known for a date and {} arguments", rest.len())),
    }
}
