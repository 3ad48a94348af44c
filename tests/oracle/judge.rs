//! Whether two answers to one statement are the same, as far as one server's own would be.
//!
//! Owns: what the marks of a statement allow. Never: knows of exceptions by name.

use std::collections::BTreeSet;

use mysql_async::Value;
use mysql_async::consts::ColumnFlags;

use crate::oracle::tree::{Mark, Written};
use crate::support::compare::{Answer, Column};

/// `max_error_count` where it is smallest: what lies beyond isn't told.
const MOST_WARNINGS: usize = 64;

/// Errors that name a value.
const OF_VALUES: [u16; 6] = [1264, 1292, 1366, 1525, 1690, 3854];

/// An answer and the warnings that SHOW WARNINGS told after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub answer: Answer,
    pub warnings: Vec<String>,
}

/// What differs: a word that stands for the kind, and both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub kind: &'static str,
    pub plain: String,
    pub weir: String,
}

fn verdict(
    kind: &'static str,
    plain: impl Into<String>,
    weir: impl Into<String>,
) -> Option<Verdict> {
    Some(Verdict { kind, plain: cut(plain.into()), weir: cut(weir.into()) })
}

fn cut(text: String) -> String {
    text.chars().take(900).collect()
}

/// The first difference.
pub fn judge(written: &Written, plain: &Reply, weir: &Reply) -> Option<Verdict> {
    match (&plain.answer, &weir.answer) {
        (
            Answer::Rows { columns: left, rows: first, .. },
            Answer::Rows { columns: right, rows: second, .. },
        ) => columns(written, left, right)
            .or_else(|| rows(written, first, second))
            .or_else(|| warnings(written, plain, weir)),
        (
            Answer::Done { affected, insert_id, info, .. },
            Answer::Done {
                affected: other_affected, insert_id: other_id, info: other_info, ..
            },
        ) => {
            let (info, other_info) = (told(written, info), told(written, other_info));
            let left = format!("affected {affected}, insert id {insert_id:?}, info {info:?}");
            let right =
                format!("affected {other_affected}, insert id {other_id:?}, info {other_info:?}");
            if left != right {
                return verdict("counts", left, right);
            }
            warnings(written, plain, weir)
        }
        (Answer::Error { code: 0, message, .. }, _) => verdict("broken", message, ""),
        (Answer::Error { .. }, Answer::Error { .. }) if plain.answer == weir.answer => None,
        // Which row's value is met first; and what is no SQL is shown as the shard was sent it.
        (Answer::Error { code, .. }, Answer::Error { code: other, .. })
            if code == other && (OF_VALUES.contains(code) || matches!(code, 1062 | 1064)) =>
        {
            None
        }
        // MariaDB's parser meets a number that is too big before it asks whether the transaction
        // may write.
        (Answer::Error { code: 1367, .. }, Answer::Error { code: 1792, .. }) => None,
        // A join may have turned a comparison round before it fails.
        (
            Answer::Error { code: 1267, message, .. },
            Answer::Error { code: 1267, message: other, .. },
        ) if turned(message) == turned(other) => None,
        // Which of several rows, or of several parts of one, fails first.
        (Answer::Error { .. }, Answer::Error { code, .. })
            if *code != 0 && written.has(Mark::ErrorsVary) =>
        {
            None
        }
        (Answer::Error { code, .. }, Answer::Rows { .. })
        | (Answer::Rows { .. }, Answer::Error { code, .. })
            if written.has(Mark::ErrorsVary) && matches!(code, 1690 | 1264 | 1292 | 1365) =>
        {
            None
        }
        // What is selected of rows that LIMIT skips isn't evaluated on one server.
        (Answer::Rows { .. }, Answer::Error { code: 1690 | 1365, .. })
            if written.sql.contains(" OFFSET ") || skips(&written.sql) =>
        {
            None
        }
        // A condition fails, or a part before it already finds no row.
        (Answer::Error { code, .. }, Answer::Done { affected: 0, .. })
        | (Answer::Done { affected: 0, .. }, Answer::Error { code, .. })
            if written.has(Mark::ErrorsVary) && matches!(code, 1292 | 1365 | 1690 | 3854) =>
        {
            None
        }
        // Over shards MySQL is sent a text for a parameter, and takes no such text for a date.
        (_, Answer::Error { code: 1525, .. })
            if written.prepared && !written.parameters.is_empty() =>
        {
            None
        }
        // Whether a constant that is no date is compared with one at all.
        (Answer::Error { code: 1525, .. }, Answer::Rows { .. })
        | (Answer::Rows { .. }, Answer::Error { code: 1525, .. })
            if has_condition(&written.sql) =>
        {
            None
        }
        // Which of several conditions is evaluated first, and so which fails for a row.
        (Answer::Error { code: 3854 | 3064 | 1690, .. }, Answer::Rows { .. })
        | (Answer::Rows { .. }, Answer::Error { code: 3854 | 3064 | 1690, .. })
            if has_condition(&written.sql) =>
        {
            None
        }
        (plain, weir) => {
            verdict(if weir.is_error() { "error" } else { "no error" }, shown(plain), shown(weir))
        }
    }
}

/// A message about two collations and an operation, without their order.
fn turned(message: &str) -> Vec<String> {
    let bare = message.replace('>', "<");
    let mut words: Vec<String> =
        bare.split([' ', ';']).map(|word| word.trim_matches(',').to_owned()).collect();
    words.sort();
    words
}

/// Whether rows are chosen or joined by one.
fn has_condition(sql: &str) -> bool {
    sql.contains(" WHERE ") || sql.contains(" ON ")
}

/// Whether the statement ends in `LIMIT a, b`.
fn skips(sql: &str) -> bool {
    sql.rsplit_once(" LIMIT ").is_some_and(|(_, limit)| limit.contains(", "))
}

/// An info string; how often a condition of UPDATE and DELETE warns is the server's choice.
fn told(written: &Written, info: &str) -> String {
    // A row that is alone on its shard has no info: whether it was there follows from counts alone.
    let info = match (written.sql.contains(" ON DUPLICATE KEY "), info.split_once("  Dup")) {
        (true, Some((records, _))) => records,
        _ => info,
    };
    match info.rsplit_once("Warnings: ") {
        Some((text, _)) if written.prepared && written.has(Mark::ErrorsVary) => text.to_owned(),
        // Whether a condition that no row meets is evaluated at all.
        Some((text, _)) if text.starts_with("Rows matched: 0 ") => text.to_owned(),
        Some((text, count)) if !written.has(Mark::Written) && count != "0" => {
            format!("{text}Warnings: some")
        }
        _ => info.to_owned(),
    }
}

fn shown(answer: &Answer) -> String {
    match answer {
        Answer::Rows { rows, .. } => format!("{} rows: {:?}", rows.len(), rows),
        other => format!("{other:?}"),
    }
}

fn columns(written: &Written, plain: &[Column], weir: &[Column]) -> Option<Verdict> {
    // A column of a derived table that is selected by two names comes out of a temporary table by one.
    let names: BTreeSet<&str> = plain.iter().map(|column| &*column.name).collect();
    let named_alike = written.has(Mark::Merged) && names.len() < plain.len();
    // Where one side's came out of a temporary table and the other's didn't, neither is a table's.
    let describe = |columns: &[Column], others: &[Column]| -> Vec<String> {
        let alone = |index: usize| others.get(index).is_some_and(|o| o.org_table.is_empty());
        let told = |(index, column)| {
            let renamed = Column { name: String::new(), ..Column::clone(column) };
            let column = if named_alike { &renamed } else { column };
            described(written, column, alone(index))
        };
        columns.iter().enumerate().map(told).collect()
    };
    let (left, right) = (describe(plain, weir), describe(weir, plain));
    if left.len() != right.len() {
        return verdict("columns", format!("{} columns", left.len()), format!("{}", right.len()));
    }
    let first = left.iter().zip(&right).find(|(left, right)| left != right);
    first.and_then(|(left, right)| verdict("columns", left, right))
}

/// A column as far as it must be alike; `alone` where the other side's is no table's.
fn described(written: &Written, column: &Column, alone: bool) -> String {
    // Which key a column belongs to is forgotten with a temporary table, and whether one is used
    // depends on how many rows there are.
    let forgotten = ColumnFlags::PRI_KEY_FLAG
        | ColumnFlags::UNIQUE_KEY_FLAG
        | ColumnFlags::MULTIPLE_KEY_FLAG
        | ColumnFlags::PART_KEY_FLAG
        | ColumnFlags::NO_DEFAULT_VALUE_FLAG
        | ColumnFlags::BINARY_FLAG
        | ColumnFlags::NUM_FLAG;
    let grouped = written.has(Mark::Grouped);
    let merged = written.has(Mark::Merged);
    let temporary = grouped || merged || written.has(Mark::Temporary);
    // An outer join whose rows are filtered is an inner one, or not.
    let forgotten = forgotten | ColumnFlags::NOT_NULL_FLAG;
    let mask = if temporary { forgotten } else { ColumnFlags::empty() };
    let Column { schema, table, org_table, name, org_name, charset, length, kind, flags, decimals } =
        column;
    let tableless = org_table.is_empty() || (merged && alone);
    let org_name = if temporary && tableless { "" } else { org_name };
    // A text is one of fixed length, or not.
    let computed = temporary && tableless;
    let kind = match kind.as_str() {
        "MYSQL_TYPE_STRING" if computed => "MYSQL_TYPE_VAR_STRING",
        // One of more than 512 characters is a BLOB in a temporary table of MariaDB's.
        "MYSQL_TYPE_VAR_STRING" if computed && *length > 512 * width(*charset) => "MYSQL_TYPE_BLOB",
        // MySQL's TINYTEXT under ROLLUP is one of these where a join is streamed, and a BLOB elsewhere.
        "MYSQL_TYPE_VAR_STRING"
            if computed
                && written.sql.contains("WITH ROLLUP")
                && *length == 255 * width(*charset) =>
        {
            "MYSQL_TYPE_BLOB"
        }
        // Which of them a long text is.
        kind if computed && kind.ends_with("_BLOB") => "MYSQL_TYPE_BLOB",
        kind => kind,
    };
    // MariaDB's YEAR() has four digits, or five in a temporary table; MySQL's comparisons are there
    // of another size.
    let whole = computed && matches!(kind, "MYSQL_TYPE_LONG" | "MYSQL_TYPE_LONGLONG");
    // How wide a short one is shown, too.
    let short =
        computed && matches!(kind, "MYSQL_TYPE_TINY" | "MYSQL_TYPE_SHORT" | "MYSQL_TYPE_INT24");
    // MySQL makes an INT of a smaller one in a window, unless it sees beforehand that there is no row, and
    // under ROLLUP, unless a join is streamed.
    let widened = [" OVER (", "WITH ROLLUP"].iter().any(|words| written.sql.contains(words));
    let whole = whole || short && widened;
    // MariaDB forgets the width of a DOUBLE(M, D) in one temporary table, and knows it where it has a
    // second one or none.
    let double = computed && matches!(kind, "MYSQL_TYPE_DOUBLE" | "MYSQL_TYPE_FLOAT");
    let (kind, length) = match (whole, short) {
        (true, _) => ("whole", &0),
        (_, true) => (kind, &0),
        _ => (kind, length),
    };
    // A user variable's digits and length are those that it had when the statement was prepared, or
    // the most; and how long a text of a temporary table may get is the server's choice.
    let variable = written.sql.contains("@u") && org_table.is_empty();
    let long = (kind == "MYSQL_TYPE_BLOB" && computed) || (kind.ends_with("_BLOB") && variable);
    // Of 65 digits a sign, a point and a zero before it are counted, or not.
    let digits = kind == "MYSQL_TYPE_NEWDECIMAL" && (variable || computed && *length >= 66);
    // A document out of a temporary table is bytes, one that is computed just then a text.
    let document = computed && kind == "MYSQL_TYPE_JSON";
    let length = if long || digits || document || double { &0 } else { length };
    let charset = if document { &0 } else { charset };
    let mask = if computed { mask | ColumnFlags::BLOB_FLAG } else { mask };
    // Whether the greatest of labels is one, too, and whether the least of numbers has their zeros.
    let mask = match computed {
        true => mask | ColumnFlags::ENUM_FLAG | ColumnFlags::SET_FLAG | ColumnFlags::ZEROFILL_FLAG,
        false => mask,
    };
    // Under IGNORE_SPACE a name may end in the blank behind it.
    let name = name.trim_end();
    // 39 (MySQL: 31) stands for "not fixed", which a temporary table forgets of a text.
    let decimals = if temporary && matches!(decimals, 31 | 39) { &0 } else { decimals };
    // Those of a computed text are of what it was made from, if that was known.
    let decimals = if computed && kind == "MYSQL_TYPE_VAR_STRING" { &0 } else { decimals };
    // Whose column it is, too, where it is computed in there.
    let table = if merged && tableless { "" } else { table };
    let [schema, org_table, org_name] = match merged {
        true => [""; 3],
        false => [schema.as_str(), org_table.as_str(), org_name],
    };
    format!(
        "{name}: {schema}.{table} ({org_table}.{org_name}) {kind} length {length} charset {charset} \
         decimals {decimals} {:?}",
        *flags - mask
    )
}

/// Bytes of a character, at most: results are utf8mb4, or bytes.
fn width(charset: u16) -> u32 {
    if charset == 63 { 1 } else { 4 }
}

fn rows(written: &Written, plain: &[Vec<Value>], weir: &[Vec<Value>]) -> Option<Verdict> {
    if plain.len() != weir.len() {
        let left = format!("{} rows: {}", plain.len(), list(written, plain).join(" "));
        return verdict(
            "rows",
            left,
            format!("{} rows: {}", weir.len(), list(written, weir).join(" ")),
        );
    }
    if written.has(Mark::CountOnly) {
        return None;
    }
    let (mut left, mut right) = (list(written, plain), list(written, weir));
    if left == right {
        return None;
    }
    let kind = if written.has(Mark::Ordered) { "order" } else { "rows" };
    let (unsorted_left, unsorted_right) = (left.join(" "), right.join(" "));
    left.sort();
    right.sort();
    if written.has(Mark::Approximate) && left.iter().zip(&right).all(|(a, b)| near(a, b)) {
        return None;
    }
    match (left == right, written.has(Mark::Ordered)) {
        (true, false) => None,
        (true, true) => verdict(kind, unsorted_left, unsorted_right),
        (false, _) => {
            let only = |these: &[String], those: &[String]| -> String {
                let only = these.iter().filter(|row| !those.contains(row));
                only.cloned().collect::<Vec<_>>().join(" ")
            };
            verdict("rows", only(&left, &right), only(&right, &left))
        }
    }
}

/// Rows that differ in the last digits of numbers only, which round to either side of a half.
fn near(left: &str, right: &str) -> bool {
    let number = |cell: &str| cell.trim_matches(['(', ')', '"']).parse::<f64>();
    let close = |(a, b): (&str, &str)| {
        a == b
            || matches!((number(a), number(b)), (Ok(a), Ok(b))
                if (a - b).abs() <= 1e-4 * a.abs().max(b.abs()))
    };
    left.split(", ").count() == right.split(", ").count()
        && left.split(", ").zip(right.split(", ")).all(close)
}

fn list(written: &Written, rows: &[Vec<Value>]) -> Vec<String> {
    let cells = |row: &Vec<Value>| -> String {
        let cells: Vec<String> = row.iter().map(|value| cell(written, value)).collect();
        format!("({})", cells.join(", "))
    };
    rows.iter().map(cells).collect()
}

fn cell(written: &Written, value: &Value) -> String {
    let text = match value {
        Value::NULL => return "NULL".to_owned(),
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            // Of a session in latin1.
            Err(_) if written.has(Mark::Folded) => bytes.iter().map(|byte| *byte as char).collect(),
            Err(_) => bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect(),
        },
        other => other.as_sql(true),
    };
    // MariaDB's remainder of a negative DECIMAL may be a zero with a sign, which no literal has: a
    // variable that the application sees loses it.
    let zero = text.strip_prefix("-0.").filter(|digits| digits.bytes().all(|digit| digit == b'0'));
    let text = match zero {
        Some(digits) if written.sql.contains("@u") => format!("0.{digits}"),
        _ => text,
    };
    // MariaDB's least and greatest of YEAR and ZEROFILL have their zeros, or lose them in a temporary
    // table.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = match text.trim_start_matches('0') {
        _ if !(digits && written.has(Mark::Grouped) && least_or_greatest(&written.sql)) => text,
        "" => "0".to_owned(),
        short => short.to_owned(),
    };
    // MySQL makes a day without a month no day where it sorts a join's rows.
    let day = text.trim_matches('\'').get(4..8);
    if day == Some("-00-") && written.has(Mark::Temporary) {
        return "\"0000-00-00\"".to_owned();
    }
    if written.has(Mark::Approximate)
        && (text.contains(['.', 'e']) || !(7..16).contains(&text.len()))
        && let Ok(number) = text.parse::<f64>()
    {
        return format!("{number:.5e}");
    }
    if written.has(Mark::Folded) { folded(&text) } else { format!("{text:?}") }
}

fn least_or_greatest(sql: &str) -> bool {
    sql.contains("MIN(") || sql.contains("MAX(")
}

/// Coarser than every collation in use, for the characters in use.
fn folded(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            'Á' | 'á' | 'À' => out.push('a'),
            'é' | 'É' | 'ë' | 'Ë' => out.push('e'),
            'ü' | 'Ü' => out.push('u'),
            'ß' | 's' | 'S' if out.ends_with('s') => {}
            'ß' => out.push('s'),
            c => out.extend(c.to_lowercase()),
        }
    }
    let trimmed = out.trim_end_matches([' ', '\0']).replace(" |", "|");
    let signless = |part| if part == "-0" { "0" } else { part };
    trimmed.split('|').map(signless).collect::<Vec<_>>().join("|")
}

/// Whether the warnings of one side are some of the other's.
pub fn fewer_warnings(plain: &Reply, weir: &Reply) -> bool {
    let within = |some: &Reply, all: &Reply| {
        all.warnings.iter().all(|one| !one.contains("were told of"))
            && some.warnings.iter().all(|one| all.warnings.contains(one))
    };
    within(plain, weir) || within(weir, plain)
}

fn warnings(written: &Written, plain: &Reply, weir: &Reply) -> Option<Verdict> {
    let full = |reply: &Reply| reply.warnings.len() >= MOST_WARNINGS;
    // What is said of the statement's text and constants is said when it is prepared: a write that
    // goes to several shards as text says it once more.
    let of_text = written.prepared && written.has(Mark::ErrorsVary);
    // Whether a condition that no row meets is evaluated at all.
    let none = |reply: &Reply| {
        let zero = matches!(&reply.answer, Answer::Done { affected: 0, info, .. }
            if info.is_empty() || info.starts_with("Rows matched: 0 "));
        zero && !written.has(Mark::Written)
    };
    if none(plain) && none(weir) {
        return None;
    }
    if of_text || written.has(Mark::WarningsVary) || full(plain) || full(weir) {
        return None;
    }
    // Rows are counted in the order in which they are read.
    let numberless = |warning: &String| match warning.rsplit_once(" at row ") {
        Some((text, row)) if !written.has(Mark::Written) => {
            text.to_owned() + row.trim_start_matches(|c: char| c.is_ascii_digit())
        }
        _ => warning.clone(),
    };
    let mut left: Vec<String> = plain.warnings.iter().map(numberless).collect();
    let mut right: Vec<String> = weir.warnings.iter().map(numberless).collect();
    left.sort();
    right.sort();
    // How often a condition is evaluated for a row is the server's choice; whether it warns isn't.
    left.dedup();
    right.dedup();
    if left == right {
        return None;
    }
    verdict(
        "warnings",
        format!("{} {}", plain.warnings.len(), left.join("; ")),
        format!("{} {}", weir.warnings.len(), right.join("; ")),
    )
}
