//! What rows are compared by when they are merged: each key by its type (mysql-traps 19).
//!
//! Owns: the comparison of one expression over shards. Never: decides what is merged.
//!
//! Numbers and temporal values are compared as they are, TIMESTAMP as the moment that it is; ENUM and
//! SET by their number; FLOAT as the DOUBLE that it is; texts by the WEIGHT_STRING that the server gives, padded to the column's
//! length where the collation pads. What has no faithful key is refused.

use crate::planner::draft::Result;
use crate::planner::refuse::refuse;
use crate::planner::splice::Part;
use crate::planner::survey::{Resolved, Survey};
use crate::sql::analysis::{Expr, Function, Item, Select, ValueClass};
use crate::sql::lex::ServerKind;
use crate::value::types::{ColumnType, Weights};

/// Characters of a text whose weights surely fit the server's sort key (max_sort_length is 1,024
/// bytes; a character weighs three at most in the collations that are not UCA-based, and those
/// rarely more).
const SORTED_CHARACTERS_MAX: u32 = 340;

/// How an expression's values are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// By the value itself, as the server sends it.
    Itself,
    /// By another expression: what stands before and behind the expression's own text.
    By {
        before: &'static str,
        behind: String,
        /// See [`crate::planner::plan::SortKey::unit`].
        unit: u8,
    },
}

impl Comparison {
    pub fn unit(&self) -> u8 {
        match self {
            Comparison::Itself => 0,
            Comparison::By { unit, .. } => *unit,
        }
    }

    /// The text of the key for an expression's text.
    pub fn parts(&self, text: Vec<Part>) -> Vec<Part> {
        match self {
            Comparison::Itself => text,
            Comparison::By { before, behind, .. } => {
                let mut parts = vec![Part::Text((*before).into())];
                parts.extend(text);
                parts.push(Part::Text(behind.as_str().into()));
                parts
            }
        }
    }

    /// The text of the key of a MIN or MAX. MariaDB has no UNIX_TIMESTAMP of the least of zero moments,
    /// but the least of theirs.
    pub fn least(&self, function: &Function) -> Vec<Part> {
        match self {
            Comparison::By { before: MOMENT, behind, .. } if !function.distinct => vec![
                Part::Text(format!("{}({MOMENT}", function.name.to_uppercase()).into()),
                Part::Copy(function.inside),
                Part::Text(format!("{behind})").into()),
            ],
            _ => self.parts(vec![Part::Copy(function.span)]),
        }
    }
}

/// What stands before a TIMESTAMP where its moment counts, and not what a zone shows of it.
pub(crate) const MOMENT: &str = "UNIX_TIMESTAMP(";

/// How values of a column's type are compared.
pub(crate) fn of_type(kind: &ColumnType, name: &str) -> Result<Comparison> {
    let by = |before, behind: String| Ok(Comparison::By { before, behind, unit: 0 });
    match kind {
        ColumnType::Int { .. }
        | ColumnType::Decimal { .. }
        | ColumnType::Double { .. }
        | ColumnType::Year
        | ColumnType::Date
        | ColumnType::Time { .. }
        | ColumnType::DateTime { .. } => Ok(Comparison::Itself),
        // Shown in the session's zone, which may have an hour twice.
        ColumnType::Timestamp { .. } => by(MOMENT, ")".to_string()),
        ColumnType::Float { .. } => Ok(digits()),
        ColumnType::Bit { .. } | ColumnType::Enum { .. } | ColumnType::Set { .. } => {
            by("((", ") + 0)".to_string())
        }
        ColumnType::Binary { .. } => Ok(Comparison::Itself),
        ColumnType::VarBinary { length } if *length <= 1_024 => Ok(Comparison::Itself),
        ColumnType::Char { length, .. } | ColumnType::VarChar { length, .. }
            if *length <= SORTED_CHARACTERS_MAX =>
        {
            weight(kind, *length)
        }
        ColumnType::Text { bytes: 255, .. } => weight(kind, 255),
        _ => Err(refuse(
            "scatter_order",
            format!(
                "Values of '{name}' ({}) have no key by which answers of several shards could be \
             merged: narrow the statement to one shard by the shard key, or order and group by a number, \
             a date or a text of at most {SORTED_CHARACTERS_MAX} characters",
                described(kind),
            ),
        )),
    }
}

fn described(kind: &ColumnType) -> &'static str {
    match kind {
        ColumnType::Json => "JSON",
        ColumnType::Text { .. } => "TEXT",
        ColumnType::Blob { .. } => "BLOB",
        ColumnType::Char { .. } | ColumnType::VarChar { .. } => "a long text",
        ColumnType::VarBinary { .. } => "long bytes",
        _ => "of a type that is not interpreted",
    }
}

fn weight(kind: &ColumnType, length: u32) -> Result<Comparison> {
    let Some(collation) = kind.collation().filter(|collation| collation.is_known()) else {
        return Err(refuse(
            "scatter_order",
            "The collation of a text to order or group by is not known: \
             the catalog could not be loaded",
        ));
    };
    let (before, behind, unit) = match collation.weights() {
        _ if !collation.pads_spaces() => ("WEIGHT_STRING(", ")".to_string(), 0),
        Weights::Each => ("WEIGHT_STRING(", format!(" AS CHAR({length}))"), 0),
        // The last weight is a blank's.
        Weights::Expanding { unit } => ("WEIGHT_STRING(CONCAT(", ", ' '))".to_string(), unit),
        Weights::Levels => {
            return Err(refuse(
                "scatter_order",
                format!(
                    "Texts of collation '{collation}' have no key by which answers of several shards could \
                     be merged: narrow the statement to one shard by the shard key"
                ),
            ));
        }
    };
    Ok(Comparison::By { before, behind, unit })
}

/// Functions whose value is a number, whatever their arguments.
const NUMERIC: [&str; 50] = [
    "abs",
    "acos",
    "ascii",
    "asin",
    "atan",
    "atan2",
    "avg",
    "bit_count",
    "bit_length",
    "ceil",
    "ceiling",
    "char_length",
    "character_length",
    "cos",
    "count",
    "crc32",
    "datediff",
    "dayofmonth",
    "dayofweek",
    "dayofyear",
    "degrees",
    "exp",
    "extract",
    "field",
    "find_in_set",
    "floor",
    "hour",
    "instr",
    "length",
    "ln",
    "locate",
    "log",
    "log10",
    "log2",
    "minute",
    "mod",
    "month",
    "octet_length",
    "pow",
    "power",
    "quarter",
    "round",
    "second",
    "sign",
    "sqrt",
    "sum",
    "to_days",
    "unix_timestamp",
    "week",
    "year",
];

/// Functions whose value is a date or a time.
const TEMPORAL: [&str; 5] = ["curdate", "date", "last_day", "now", "timestamp"];

/// How the values of an expression of a block are compared.
pub(crate) fn of_expression(survey: &mut Survey, block: usize, expr: &Expr) -> Result<Comparison> {
    let unknown = || {
        refuse(
            "scatter_order",
            "The type of an expression to order or group by is not known: use a \
             column, a number or a date there, or narrow the statement to one shard by the shard key",
        )
    };
    if is_double(survey, block, expr) {
        return Ok(digits());
    }
    match expr {
        Expr::Column(column) => match survey.resolve(block, column) {
            Resolved::Use(used) => {
                let name = &column.column.text;
                let known = survey.uses.get(used).is_some_and(|used| used.table.is_some());
                // The rules' word for a key's type may lack its collation.
                if !known {
                    survey.need(used);
                }
                match survey.column_type(used, name) {
                    Some(kind) => of_type(&kind, name),
                    None => Err(unknown()),
                }
            }
            Resolved::Derived(..) | Resolved::Unknown => Err(unknown()),
        },
        Expr::Function(function) if !function.qualified && !function.window => {
            let name = function.name.as_str();
            if NUMERIC.binary_search(&name).is_ok() || TEMPORAL.contains(&name) {
                return Ok(Comparison::Itself);
            }
            match (name, function.arguments.as_slice()) {
                ("min" | "max", [argument]) => of_extreme(survey, block, argument),
                _ => Err(unknown()),
            }
        }
        Expr::Arithmetic { left, right, .. } => {
            // Dates and intervals add up to dates or to texts.
            let interval = |expr: &Expr| matches!(expr, Expr::Function(f) if f.name == "interval");
            if interval(left) || interval(right) { Err(unknown()) } else { Ok(Comparison::Itself) }
        }
        Expr::Negate(_)
        | Expr::Not(_)
        | Expr::And(_)
        | Expr::Or(_)
        | Expr::Compare { .. }
        | Expr::Between { .. }
        | Expr::InList { .. }
        | Expr::IsNull { .. }
        | Expr::Opaque { class: ValueClass::Number | ValueClass::Quotient, .. } => {
            Ok(Comparison::Itself)
        }
        _ => Err(unknown()),
    }
}

/// The same of an expression of ORDER BY or GROUP BY.
pub(crate) fn of_key(
    survey: &mut Survey,
    block: usize,
    select: &Select,
    expr: &Expr,
) -> Result<Comparison> {
    let comparison = match select.group_by.is_empty() {
        true => of_expression(survey, block, expr)?,
        false => of_group(survey, block, expr)?,
    };
    let of_column = matches!(expr, Expr::Column(_));
    if comparison != Comparison::Itself && !of_column && !select.group_by.is_empty() {
        // No server sees that what is made of a group's expression follows from it (1055).
        return Err(refuse(
            "scatter_order",
            "Groups of a computed DOUBLE over several shards are not merged, since its text may lack \
             digits: group by columns, or narrow the statement to one shard by the shard key",
        ));
    }
    Ok(comparison)
}

/// All digits of a DOUBLE.
fn digits() -> Comparison {
    Comparison::By { before: "((", behind: ") + 0e0)".to_owned(), unit: 0 }
}

/// Whether an expression's value is a DOUBLE that is computed: its text may have fewer digits than
/// its server sorts it by.
fn is_double(survey: &mut Survey, block: usize, expr: &Expr) -> bool {
    let mut computed = |expr: &Expr| match expr {
        Expr::Column(column) => match survey.resolve(block, column) {
            Resolved::Use(used) => matches!(
                survey.column_type(used, &column.column.text),
                Some(ColumnType::Float { .. } | ColumnType::Double { .. })
            ),
            Resolved::Derived(..) | Resolved::Unknown => false,
        },
        expr => is_double(survey, block, expr),
    };
    match expr {
        Expr::Negate(inner) => computed(inner),
        Expr::Arithmetic { left, right, .. } => computed(left) || computed(right),
        Expr::Opaque { class: ValueClass::Quotient, parts, .. } => parts.iter().any(computed),
        Expr::Function(function) if !function.qualified && !function.window => {
            let arguments = &function.arguments;
            match &*function.name {
                "abs" | "round" => arguments.first().is_some_and(computed),
                "mod" => arguments.iter().any(computed),
                _ => false,
            }
        }
        _ => false,
    }
}

/// Whether the key of a select item may differ for texts that are equal.
pub(crate) fn expands(survey: &mut Survey, block: usize, select: &Select) -> bool {
    select.items.iter().any(|item| match item {
        Item::Expr { expr, .. } => {
            of_expression(survey, block, expr).is_ok_and(|comparison| comparison.unit() > 0)
        }
        // Not ordered by.
        Item::All | Item::AllOf(_) => false,
    })
}

/// MIN and MAX compare ENUM and SET by their labels, unlike ORDER BY.
pub(crate) fn of_extreme(survey: &mut Survey, block: usize, argument: &Expr) -> Result<Comparison> {
    let comparison = of_expression(survey, block, argument)?;
    if let Expr::Column(column) = argument {
        if let Resolved::Use(used) = survey.resolve(block, column) {
            let kind = survey.column_type(used, &column.column.text);
            if let Some(ColumnType::Enum { .. } | ColumnType::Set { .. } | ColumnType::Bit { .. }) =
                kind
            {
                return Err(refuse(
                    "scatter_aggregate",
                    format!(
                        "MIN and MAX of '{}' over several shards are not merged: its values are labels",
                        column.column.text,
                    ),
                ));
            }
            if let Some(ColumnType::Timestamp { .. }) = kind {
                // As MySQL does: by what is shown. MariaDB's are told apart by `of_least`.
                return Ok(Comparison::Itself);
            }
        }
    }
    Ok(comparison)
}

/// What the least and greatest values are found by: on MariaDB a TIMESTAMP's moment, of which a zone may
/// show two alike.
pub(crate) fn of_least(survey: &mut Survey, block: usize, argument: &Expr) -> Result<Comparison> {
    let shown = of_extreme(survey, block, argument)?;
    let mariadb = survey.input.dialect.server == ServerKind::MariaDb;
    match timestamp(survey, block, argument).filter(|_| mariadb) {
        Some(kind) => of_type(&kind, ""),
        None => Ok(shown),
    }
}

/// How values are compared where equal ones are put together. MySQL's temporary tables do so with two
/// moments that the session's zone shows alike; MariaDB never does.
pub(crate) fn of_group(survey: &mut Survey, block: usize, expr: &Expr) -> Result<Comparison> {
    let mysql = survey.input.dialect.server == ServerKind::MySql;
    match mysql && timestamp(survey, block, expr).is_some() {
        true => Ok(Comparison::Itself),
        false => of_expression(survey, block, expr),
    }
}

/// The type of a column that is a TIMESTAMP.
fn timestamp(survey: &mut Survey, block: usize, expr: &Expr) -> Option<ColumnType> {
    let Expr::Column(column) = expr else { return None };
    let Resolved::Use(used) = survey.resolve(block, column) else { return None };
    let kind = survey.column_type(used, &column.column.text)?;
    matches!(kind, ColumnType::Timestamp { .. }).then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_no_texts() {
        let made = of_type(&ColumnType::Timestamp { decimals: 6 }, "t").unwrap();
        let expected = Comparison::By { before: "UNIX_TIMESTAMP(", behind: ")".into(), unit: 0 };
        assert_eq!(made, expected);
        let date = of_type(&ColumnType::DateTime { decimals: 6 }, "t").unwrap();
        assert_eq!(date, Comparison::Itself);
    }
}
