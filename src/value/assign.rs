//! Assignment: what a column holds after a value was written to it.
//!
//! Owns: [`assign`], the value that a backend *stores* for INSERT and SET under a session's
//! sql_mode, time zone and kind of server. Never: guesses. Where servers differ, or an error or a
//! warning would decide, it answers [`Stored::Unsure`], and the row isn't routed by it.
//!
//! Each rule was seen on MariaDB 10.11 and MySQL 9.7; `tests/data/value/assign.txt` holds the
//! cases, which run against real servers too.

use crate::value::decimal::Decimal;
use crate::value::temporal::{self, Date, DateTime};
use crate::value::types::{Collation, ColumnType};
use crate::value::{CharsetClass, Text, Value, latin1_byte};

/// What decides beside the value and the column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Context {
    pub server: ServerKind,
    /// STRICT_TRANS_TABLES or STRICT_ALL_TABLES, and the statement has no IGNORE.
    pub strict: bool,
    /// The session's time zone as seconds east of UTC. `None` for SYSTEM and named zones.
    pub offset: Option<i32>,
    /// sql_mode TIME_TRUNCATE_FRACTIONAL (MySQL) is on, or TIME_ROUND_FRACTIONAL (MariaDB) is.
    pub other_fraction: bool,
    /// The values reach the server as parameters of a prepared statement, not as literals. MySQL
    /// compares a text parameter with a BIGINT as doubles, but a text literal exactly.
    pub parameters: bool,
    /// 0 makes an AUTO_INCREMENT column count, as NULL does: no NO_AUTO_VALUE_ON_ZERO.
    pub zero_counts: bool,
}

/// The kinds of servers that store some values differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServerKind {
    MySql,
    MariaDb,
    /// Both occur, or it isn't known.
    Unknown,
}

impl Context {
    /// Reads the modes that matter out of a session's sql_mode.
    pub fn new(server: ServerKind, sql_mode: &str, offset: Option<i32>) -> Self {
        let has =
            |name: &str| sql_mode.split(',').any(|mode| mode.trim().eq_ignore_ascii_case(name));
        let traditional = has("TRADITIONAL");
        Context {
            server,
            strict: traditional || has("STRICT_TRANS_TABLES") || has("STRICT_ALL_TABLES"),
            offset,
            other_fraction: has("TIME_TRUNCATE_FRACTIONAL") || has("TIME_ROUND_FRACTIONAL"),
            parameters: false,
            zero_counts: !has("NO_AUTO_VALUE_ON_ZERO"),
        }
    }

    /// The same session for values that are sent as parameters of a prepared statement.
    #[must_use]
    pub fn prepared(self) -> Self {
        Context { parameters: true, ..self }
    }

    /// The same session for a statement with IGNORE, whose errors become warnings.
    #[must_use]
    pub fn ignoring(self) -> Self {
        Context { strict: false, ..self }
    }

    /// Whether a text parameter is compared with an integer column as doubles.
    pub(crate) fn compares_doubles(self) -> bool {
        self.parameters && self.server != ServerKind::MariaDb
    }

    /// Whether digits of a second's fraction beyond the column's are rounded (or cut off);
    /// `None` where it isn't known.
    fn rounds_fractions(self) -> Option<bool> {
        match self.server {
            ServerKind::MySql => Some(!self.other_fraction),
            ServerKind::MariaDb => Some(self.other_fraction),
            ServerKind::Unknown => None,
        }
    }
}

/// The answer of [`assign`].
#[derive(Clone, Debug, PartialEq)]
pub enum Stored {
    /// The column holds this, unless the server refuses it: characters as UTF-8, TIMESTAMP in UTC.
    Value(Value),
    /// Not known, or the server would refuse it; the sentence says why.
    Unsure(&'static str),
}

const OUT_OF_RANGE: Stored = Stored::Unsure("the value is out of the column's range");
const NOT_A_NUMBER: Stored = Stored::Unsure("the text is not a plain number");
const NOT_A_DATE: Stored = Stored::Unsure("the value is not a plain date");
const KIND: Stored =
    Stored::Unsure("values of this kind are not routed into a column of this type");

/// What `column` holds once `value` was assigned to it.
pub fn assign(value: &Value, column: &ColumnType, context: Context) -> Stored {
    if *value == Value::Null {
        // NOT NULL columns turn it into an error, or an AUTO_INCREMENT: the planner's business.
        return Stored::Value(Value::Null);
    }
    match column {
        ColumnType::Int { .. } => into_integer(value, column, context),
        ColumnType::Decimal { precision, scale, unsigned } => {
            into_decimal(value, *precision, *scale, *unsigned)
        }
        ColumnType::Year => into_year(value),
        ColumnType::Bit { width } => match value {
            Value::Int(number) if *number >= 0 && (*width >= 63 || *number >> width == 0) => {
                Stored::Value(value.clone())
            }
            _ => KIND,
        },
        ColumnType::Date => into_date(value, context),
        ColumnType::DateTime { decimals } => into_datetime(value, *decimals, context),
        ColumnType::Timestamp { decimals } => into_timestamp(value, *decimals, context),
        ColumnType::Char { length, collation } => {
            into_characters(value, Some(*length), collation, true, context)
        }
        ColumnType::VarChar { length, collation } => {
            into_characters(value, Some(*length), collation, false, context)
        }
        ColumnType::Text { bytes, collation } => {
            // Four bytes a character at most: below that the length can't matter.
            into_characters(value, Some(bytes / 4), collation, false, context)
        }
        ColumnType::Binary { length } => into_bytes(value, *length, true),
        ColumnType::VarBinary { length } => into_bytes(value, *length, false),
        ColumnType::Blob { bytes } => into_bytes(value, *bytes, false),
        ColumnType::Enum { labels, .. } => into_label(value, labels),
        ColumnType::Float { .. }
        | ColumnType::Double { .. }
        | ColumnType::Time { .. }
        | ColumnType::Set { .. }
        | ColumnType::Json
        | ColumnType::Other(_) => Stored::Unsure("columns of this type can't be shard keys"),
    }
}

fn into_integer(value: &Value, column: &ColumnType, context: Context) -> Stored {
    let number = match value {
        Value::Int(number) => i128::from(*number),
        Value::UInt(number) => i128::from(*number),
        Value::Decimal(decimal) => match decimal.round_to_whole() {
            Some(number) => number,
            None => return OUT_OF_RANGE,
        },
        // Servers round doubles by rint(): halves go to the even neighbour.
        Value::Double(number) if number.abs() < 9e15 => number.round_ties_even() as i128,
        Value::Text(_) if !context.strict && is_wordy(value) => 0,
        Value::Text(text) => match text.characters().as_deref().map(str::trim_ascii) {
            Some(text) => match number_in_text(text, context) {
                Some(number) => number,
                None => return NOT_A_NUMBER,
            },
            None => return NOT_A_NUMBER,
        },
        _ => return KIND,
    };
    let Some((low, high)) = column.integer_range() else { return KIND };
    // MariaDB refuses -0.4 for an unsigned column, though it would round to 0.
    if low == 0 && number == 0 && context.strict && is_negative(value) {
        return OUT_OF_RANGE;
    }
    if (low..=high).contains(&number) {
        Stored::Value(Value::whole(number))
    } else if context.strict {
        OUT_OF_RANGE
    } else {
        Stored::Value(Value::whole(number.clamp(low, high)))
    }
}

fn is_negative(value: &Value) -> bool {
    match value {
        Value::Int(number) => *number < 0,
        Value::Decimal(decimal) => decimal.is_negative(),
        Value::Double(number) => *number < 0.0,
        Value::Text(text) => {
            text.characters().is_some_and(|text| text.trim_ascii().starts_with('-'))
        }
        _ => false,
    }
}

/// A text that is a number throughout; without strict mode also a number with rubbish behind it.
fn number_in_text(text: &str, context: Context) -> Option<i128> {
    if let Some(decimal) = Decimal::parse(text) {
        return decimal.round_to_whole();
    }
    if context.strict {
        return None;
    }
    let sign = usize::from(text.starts_with(['+', '-']));
    let digits = text.bytes().skip(sign).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(sign + digits)?;
    // A point or an exponent would go on with the number in ways that differ.
    if digits == 0 || rest.starts_with(['.', 'e', 'E']) {
        return None;
    }
    Decimal::parse(number)?.to_whole_exact()
}

fn into_decimal(value: &Value, precision: u8, scale: u8, unsigned: bool) -> Stored {
    let decimal = match value {
        Value::Int(number) => Decimal::from_i128(i128::from(*number)),
        Value::UInt(number) => Decimal::from_i128(i128::from(*number)),
        Value::Decimal(decimal) => decimal.clone(),
        Value::Text(_) if is_wordy(value) => Decimal::from_i128(0),
        Value::Text(text) => {
            match text.characters().and_then(|text| Decimal::parse(text.trim_ascii())) {
                Some(decimal) => decimal,
                None => return NOT_A_NUMBER,
            }
        }
        _ => return KIND,
    };
    let rounded = decimal.round(usize::from(scale));
    let fits = rounded.whole_digits() <= usize::from(precision.saturating_sub(scale));
    if fits && !(unsigned && rounded.is_negative()) {
        Stored::Value(Value::Decimal(rounded))
    } else {
        OUT_OF_RANGE
    }
}

fn into_year(value: &Value) -> Stored {
    let year = match value {
        Value::Int(year) => Some(*year),
        Value::Text(text) if text.bytes.len() == 4 => {
            text.characters().and_then(|text| text.parse().ok())
        }
        _ => None,
    };
    match year {
        Some(year) if (1901..=2155).contains(&year) => Stored::Value(Value::Int(year)),
        _ => Stored::Unsure("only years of four digits are routed"),
    }
}

/// A text without any digit: no server reads a number or a date in it, so that it is refused or
/// becomes 0, the date too.
fn is_wordy(value: &Value) -> bool {
    matches!(value, Value::Text(text) if text.characters()
        .is_some_and(|text| !text.bytes().any(|byte| byte.is_ascii_digit())))
}

/// The zero date, which is stored as it is or refused, by sql_mode.
fn is_zero_moment(value: &Value, moment: Option<DateTime>) -> bool {
    moment.map_or_else(|| is_wordy(value), |moment| moment == DateTime::midnight(Date::ZERO))
}

/// The moment that a value says, before it is fitted to a column.
fn moment(value: &Value) -> Option<DateTime> {
    let parsed = match value {
        Value::Date(date) => return Some(DateTime::midnight(*date)),
        Value::DateTime(moment) => return Some(*moment),
        Value::Text(text) => temporal::parse_datetime(&text.characters()?)?,
        Value::Int(number) => {
            let text = number.to_string();
            // Shorter numbers are read with their zeros cut off: 240101, 40101, 101.
            if !matches!(text.len(), 8 | 14) {
                return None;
            }
            temporal::parse_datetime(&text)?
        }
        _ => return None,
    };
    (!parsed.beyond_micros).then_some(parsed.value)
}

fn into_date(value: &Value, context: Context) -> Stored {
    let moment = moment(value);
    if is_zero_moment(value, moment) {
        return Stored::Value(Value::Date(Date::ZERO));
    }
    let Some(moment) = moment else { return NOT_A_DATE };
    if moment.date == Date::ZERO {
        return Stored::Unsure("a time of the zero date depends on the server");
    }
    if moment.micros == 0 {
        return Stored::Value(Value::Date(moment.date));
    }
    match context.rounds_fractions() {
        Some(false) => Stored::Value(Value::Date(moment.date)),
        Some(true) => match moment.round(0) {
            Some(rounded) => Stored::Value(Value::Date(rounded.date)),
            None => OUT_OF_RANGE,
        },
        None if moment.round(0).map(|rounded| rounded.date) == Some(moment.date) => {
            Stored::Value(Value::Date(moment.date))
        }
        None => Stored::Unsure("servers differ in rounding a fraction of a second"),
    }
}

fn into_datetime(value: &Value, decimals: u8, context: Context) -> Stored {
    let moment = moment(value);
    if is_zero_moment(value, moment) {
        return Stored::Value(Value::DateTime(DateTime::midnight(Date::ZERO)));
    }
    let Some(moment) = moment else { return NOT_A_DATE };
    if moment.date == Date::ZERO {
        return Stored::Unsure("a time of the zero date depends on the server");
    }
    let cut = moment.truncate(decimals);
    if cut == moment {
        return Stored::Value(Value::DateTime(moment));
    }
    let Some(rounded) = moment.round(decimals) else { return OUT_OF_RANGE };
    match context.rounds_fractions() {
        Some(true) => Stored::Value(Value::DateTime(rounded)),
        Some(false) => Stored::Value(Value::DateTime(cut)),
        None if rounded == cut => Stored::Value(Value::DateTime(cut)),
        None => Stored::Unsure("servers differ in rounding a fraction of a second"),
    }
}

fn into_timestamp(value: &Value, decimals: u8, context: Context) -> Stored {
    match into_datetime(value, decimals, context) {
        Stored::Value(Value::DateTime(local)) => match to_utc(local, context) {
            Some(utc) => Stored::Value(Value::DateTime(utc)),
            None => Stored::Unsure(
                "a TIMESTAMP depends on time_zone; only offsets such as '+02:00' are known here",
            ),
        },
        other => other,
    }
}

/// The UTC moment of a local one, inside of what TIMESTAMP holds.
pub(crate) fn to_utc(local: DateTime, context: Context) -> Option<DateTime> {
    let offset = i64::from(context.offset?);
    let micros = local.micros_since_epoch() - offset * 1_000_000;
    let in_range = (1_000_000..=2_147_483_647_000_000).contains(&micros);
    in_range.then(|| DateTime::of_micros(micros)).flatten()
}

/// The characters of a value as they would arrive in a column of that charset; `None` where one
/// doesn't exist there or the charset isn't known well enough.
pub(crate) fn characters_in(text: &Text, collation: &Collation) -> Option<String> {
    let characters = text.characters()?;
    let fits = match collation.charset() {
        "utf8mb4" | "uca1400" => true,
        "utf8mb3" => characters.chars().all(|c| u32::from(c) <= 0xFFFF),
        "latin1" => characters.chars().all(|c| latin1_byte(c).is_some()),
        _ => characters.is_ascii(),
    };
    fits.then(|| characters.into_owned())
}

/// The text of a number as a server writes it into a character column.
fn number_text(value: &Value) -> Option<String> {
    match value {
        Value::Int(number) => Some(number.to_string()),
        Value::UInt(number) => Some(number.to_string()),
        Value::Decimal(decimal) => Some(decimal.to_string()),
        Value::Date(date) => Some(date.to_string()),
        _ => None,
    }
}

fn into_characters(
    value: &Value,
    length: Option<u32>,
    collation: &Collation,
    strip: bool,
    context: Context,
) -> Stored {
    let characters = match value {
        Value::Text(text) => characters_in(text, collation),
        Value::Binary(bytes) => {
            let charset = CharsetClass::of(collation.charset());
            characters_in(&Text { bytes: bytes.clone(), charset }, collation)
        }
        other => number_text(other),
    };
    let Some(mut characters) = characters else {
        return Stored::Unsure("the text can't be read in the column's charset with certainty");
    };
    let longest = length.map_or(usize::MAX, |length| length as usize);
    if characters.chars().count() > longest {
        // Spaces beyond the length are cut off by every mode, other characters by none but lax.
        let kept: String = characters.chars().take(longest).collect();
        let only_spaces = characters.chars().skip(longest).all(|c| c == ' ');
        if !only_spaces || context.strict && !matches!(value, Value::Text(_)) {
            return Stored::Unsure("the text is longer than the column");
        }
        characters = kept;
    }
    if strip {
        characters.truncate(characters.trim_end_matches(' ').len());
    }
    Stored::Value(Value::text(characters))
}

/// The bytes that a value is in a context without charset; `None` where a conversion would decide.
pub(crate) fn bytes_of(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Binary(bytes) => Some(bytes.to_vec()),
        Value::Text(text) if text.charset == CharsetClass::Utf8 || text.bytes.is_ascii() => {
            Some(text.bytes.to_vec())
        }
        _ => None,
    }
}

fn into_bytes(value: &Value, length: u32, fill: bool) -> Stored {
    let bytes = bytes_of(value).or_else(|| number_text(value).map(String::into_bytes));
    let Some(mut bytes) = bytes else { return KIND };
    let length = length as usize;
    if bytes.len() > length {
        return Stored::Unsure("the value is longer than the column");
    }
    if fill {
        bytes.resize(length, 0);
    }
    Stored::Value(Value::Binary(bytes.into()))
}

fn into_label(value: &Value, labels: &[Box<str>]) -> Stored {
    let label = match value {
        Value::Text(text) => {
            text.characters().and_then(|text| labels.iter().find(|label| ***label == *text))
        }
        Value::Int(number) => {
            usize::try_from(*number).ok().and_then(|n| labels.get(n.checked_sub(1)?))
        }
        _ => None,
    };
    match label {
        Some(label) => Stored::Value(Value::text(&**label)),
        None => Stored::Unsure("the text is not exactly one of the column's labels"),
    }
}
