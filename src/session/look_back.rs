//! Functions whose values are the session's and not a backend connection's.
//!
//! Owns: writing their values into a statement's text: LAST_INSERT_ID(), ROW_COUNT(), FOUND_ROWS(),
//! @@warning_count, DATABASE(), USER() and kin, CONNECTION_ID(). Never: touches any other byte.
//!
//! A column that such a function names keeps its name: an item of a select list that holds one gets
//! its own text as alias.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::sql::edit::edited;
use crate::sql::label;
use crate::sql::lex::{self, Dialect, Limits};
use crate::sql::options::OPTIONS;
use crate::sql::token::{Token, TokenKind};
use crate::sql::traits::{Counted, counted, is_last_id};

/// The session's values.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    pub last_insert_id: u64,
    pub row_count: i64,
    /// `None`: nobody can tell.
    pub found_rows: Option<u64>,
    /// All conditions of the statement before, and its errors.
    pub conditions: (usize, usize),
    pub connection_id: u32,
    pub schema: Option<String>,
    /// `name@host`, where the client came from.
    pub user: String,
    /// `name@%`: an account of the rules holds for every host.
    pub account: String,
}

/// The statement with the values in place; `None` where it names no such function.
///
/// # Errors
/// Text that can't be cut into tokens, which the statement's own walk has ruled out; FOUND_ROWS()
/// where nobody can tell it.
pub fn resolve(
    sql: &[u8],
    dialect: Dialect,
    limits: &Limits,
    values: &Remembered,
) -> Result<Option<Vec<u8>>> {
    let mut tokens = lex::tokens(sql, dialect, limits)?;
    tokens.retain(|token| !token.kind.is_trivia());
    // What is put in the place of which bytes, in order.
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    if values.found_rows.is_none() {
        refuse_found_rows(sql, &tokens)?;
    }
    for place in 0..tokens.len() {
        let Some((value, length)) = value_of(sql, &tokens, place, values) else { continue };
        let (Some(first), Some(last)) = (tokens.get(place), tokens.get(place + length - 1)) else {
            continue;
        };
        edits.push((first.range().start..last.range().end, value));
    }
    if edits.is_empty() {
        return Ok(None);
    }
    // Nobody sees the names of what INSERT … SELECT inserts, and there an alias isn't allowed before
    // ON DUPLICATE KEY.
    const UNNAMED: [&str; 8] =
        ["INSERT", "REPLACE", "UPDATE", "DELETE", "SET", "DO", "CALL", "LOAD"];
    let named = !tokens.first().is_some_and(|first| first.is_any(sql, &UNNAMED));
    for item in select_items(sql, &tokens).into_iter().filter(|_| named) {
        let holds_value =
            edits.iter().any(|(range, _)| item.start <= range.start && range.end <= item.end);
        if holds_value {
            let name = name_of(sql, &item);
            edits.push((item.end..item.end, format!(" AS `{}`", name.replace('`', "``"))));
        }
    }
    Ok(Some(edited(sql, edits)))
}

/// The statement with its items that hold a `?` named as they are written, which values in the place
/// of `?` would rename; `None` where there are none.
///
/// # Errors
/// As [`resolve`].
pub fn named(sql: &[u8], dialect: Dialect, limits: &Limits) -> Result<Option<Vec<u8>>> {
    let mut tokens = lex::tokens(sql, dialect, limits)?;
    tokens.retain(|token| !token.kind.is_trivia());
    if !tokens.first().is_some_and(|first| first.is_any(sql, &["SELECT", "WITH"])) {
        return Ok(None);
    }
    let parameters: Vec<usize> = tokens
        .iter()
        .filter(|token| token.kind == TokenKind::Param)
        .map(|token| token.range().start)
        .collect();
    let mut edits = Vec::new();
    for item in select_items(sql, &tokens) {
        if parameters.iter().any(|at| item.contains(at)) {
            let name = name_of(sql, &item);
            edits.push((item.end..item.end, format!(" AS `{}`", name.replace('`', "``"))));
        }
    }
    Ok((!edits.is_empty()).then(|| edited(sql, edits)))
}

/// What a server calls an item without an alias.
fn name_of(sql: &[u8], item: &Range<usize>) -> String {
    let text = sql.get(item.clone()).unwrap_or_default();
    let cut = text.get(..label::length(text)).unwrap_or(text);
    String::from_utf8_lossy(cut).into_owned()
}

/// The places of the items of outermost select lists that have no alias: their texts are what their
/// columns are called.
pub(super) fn select_items(sql: &[u8], tokens: &[Token]) -> Vec<Range<usize>> {
    const ENDS: [&str; 16] = [
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
        "PROCEDURE",
        "FOR",
        "LOCK",
        "FETCH",
        "OFFSET",
    ];
    let mut items = Vec::new();
    let mut begun: Option<usize> = None;
    let mut close = |first: usize, end: usize| {
        let Some(item) = tokens.get(first..end).filter(|item| !item.is_empty()) else { return };
        if !has_alias(sql, item) {
            items
                .extend(item.first().zip(item.last()).map(|(a, b)| a.range().start..b.range().end));
        }
    };
    for (place, token) in tokens.iter().enumerate().filter(|(_, token)| token.depth == 0) {
        let ends = token.kind == TokenKind::Semicolon || token.is_any(sql, &ENDS);
        match begun {
            None if token.is_word(sql, "SELECT") => begun = Some(place + 1),
            Some(first) if first == place && token.is_any(sql, OPTIONS) => begun = Some(place + 1),
            Some(first) if token.is_symbol(sql, ",") => {
                close(first, place);
                begun = Some(place + 1);
            }
            Some(first) if ends => {
                close(first, place);
                begun = None;
            }
            _ => {}
        }
    }
    if let Some(first) = begun {
        close(first, tokens.len());
    }
    items
}

/// Whether an item ends in `AS name` or `expression name`.
fn has_alias(sql: &[u8], item: &[Token]) -> bool {
    // Words that want a value behind them.
    const OPERATORS: [&str; 24] = [
        "AND",
        "OR",
        "XOR",
        "NOT",
        "IS",
        "IN",
        "LIKE",
        "RLIKE",
        "REGEXP",
        "BETWEEN",
        "DIV",
        "MOD",
        "BINARY",
        "COLLATE",
        "ESCAPE",
        "SOUNDS",
        "INTERVAL",
        "CASE",
        "WHEN",
        "THEN",
        "ELSE",
        "DATE",
        "TIME",
        "TIMESTAMP",
    ];
    let [rest @ .., before, last] = item else { return false };
    let unit = rest.last().is_some_and(|word| word.is_word(sql, "INTERVAL"));
    if before.is_any(sql, &OPERATORS) || unit || last.is_word(sql, "END") {
        return false;
    }
    let nameable = last.is_name() || last.kind == TokenKind::String;
    let is_variable = matches!(before.kind, TokenKind::SystemVariable | TokenKind::UserVariable);
    let ends_a_value =
        before.is_name() || before.kind.is_literal() || is_variable || before.is_symbol(sql, ")");
    last.depth == 0 && nameable && ends_a_value
}

/// The value of the function that begins at this token, and how many tokens it takes up.
fn value_of(
    sql: &[u8],
    tokens: &[Token],
    place: usize,
    values: &Remembered,
) -> Option<(String, usize)> {
    let token = tokens.get(place)?;
    if token.kind == TokenKind::SystemVariable && is_last_id(token.bytes(sql)) {
        let assigned = tokens.first().is_some_and(|first| first.is_word(sql, "SET"))
            && token.depth == 0
            && matches!(text(sql, tokens, place.checked_sub(1)?), Some(before) if before == b"," || before.eq_ignore_ascii_case(b"SET"));
        let own = String::from_utf8_lossy(token.bytes(sql)).into_owned();
        // The variable may be NULL, as far as the column's flags go.
        let value = format!("IF(TRUE, CAST({} AS UNSIGNED), {own})", values.last_insert_id);
        return (!assigned).then_some((value, 1));
    }
    if token.kind == TokenKind::SystemVariable {
        let count = match counted(token.bytes(sql))? {
            Counted::All => values.conditions.0,
            Counted::Errors => values.conditions.1,
        };
        let own = String::from_utf8_lossy(token.bytes(sql)).into_owned();
        return Some((format!("IF(TRUE, CAST({count} AS UNSIGNED), {own})"), 1));
    }
    if token.kind != TokenKind::Word {
        return None;
    }
    // A qualified name (`t.user`) is a column, not a function.
    if place.checked_sub(1).is_some_and(|before| text(sql, tokens, before) == Some(b".")) {
        return None;
    }
    let name = String::from_utf8_lossy(sql.get(token.range())?).to_ascii_uppercase();
    let called = text(sql, tokens, place + 1) == Some(b"(");
    let empty = called && text(sql, tokens, place + 2) == Some(b")");
    let length = if empty { 3 } else { 1 };
    let value = match (name.as_str(), empty) {
        ("LAST_INSERT_ID", true) => {
            typed(&format!("CAST({} AS UNSIGNED)", values.last_insert_id), &name)
        }
        ("ROW_COUNT", true) => typed(&format!("CAST({} AS SIGNED)", values.row_count), &name),
        ("FOUND_ROWS", true) => typed(&format!("CAST({} AS SIGNED)", values.found_rows?), &name),
        ("CONNECTION_ID", true) => {
            typed(&format!("CAST({} AS UNSIGNED)", values.connection_id), &name)
        }
        ("DATABASE" | "SCHEMA", true) => {
            let given = |schema: &str| nullable(schema, &name);
            values.schema.as_deref().map_or_else(|| "NULL".to_owned(), given)
        }
        ("USER" | "SESSION_USER" | "SYSTEM_USER", true) => nullable(&values.user, &name),
        ("CURRENT_USER", true) => nullable(&values.account, &name),
        ("CURRENT_USER", false) if !called => nullable(&values.account, &name),
        _ => return None,
    };
    Some((value, length))
}

/// # Errors
/// The statement asks for FOUND_ROWS().
fn refuse_found_rows(sql: &[u8], tokens: &[Token]) -> Result<()> {
    let asks = tokens.windows(2).any(|pair| match pair {
        [name, open] => name.is_word(sql, "FOUND_ROWS") && open.is_symbol(sql, "("),
        _ => false,
    });
    match asks {
        false => Ok(()),
        true => Err(Error::refused(
            "found_rows_unknown",
            "What FOUND_ROWS() is after the statement before depends on how its server ran it (a subquery, a join \
             that writes, LIMIT behind UNION): ask for it behind SELECT SQL_CALC_FOUND_ROWS, or count by COUNT(*)",
        )),
    }
}

/// A text as the function's own value, which may be NULL.
fn nullable(text: &str, function: &str) -> String {
    let quoted = text.replace('\\', "\\\\").replace('\'', "''");
    format!("NULLIF({},'')", typed(&format!("'{quoted}'"), function))
}

/// A value that has the type and the length of the function's own: the function is never called.
fn typed(value: &str, function: &str) -> String {
    format!("COALESCE({value}, {function}())")
}

fn text<'a>(sql: &'a [u8], tokens: &[Token], place: usize) -> Option<&'a [u8]> {
    sql.get(tokens.get(place)?.range())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(sql: &str) -> Option<String> {
        let values = Remembered {
            last_insert_id: 7,
            row_count: -1,
            found_rows: Some(3),
            conditions: (5, 2),
            connection_id: 42,
            schema: Some("shop".into()),
            user: "app@10.0.0.1".into(),
            account: "app@%".into(),
        };
        let out = resolve(sql.as_bytes(), Dialect::default(), &Limits::default(), &values).unwrap();
        out.map(|out| String::from_utf8(out).unwrap())
    }

    #[test]
    fn functions_of_the_session_get_its_values_and_keep_their_names() {
        assert_eq!(
            resolved("SELECT LAST_INSERT_ID()").as_deref(),
            Some("SELECT COALESCE(CAST(7 AS UNSIGNED), LAST_INSERT_ID()) AS `LAST_INSERT_ID()`")
        );
        assert_eq!(
            resolved("select 1, database(), user() u, found_rows();").as_deref(),
            Some(
                "select 1, NULLIF(COALESCE('shop', DATABASE()),'') AS `database()`, NULLIF(COALESCE('app@10.0.0.1', USER()),'') u, \
                 COALESCE(CAST(3 AS SIGNED), FOUND_ROWS()) AS `found_rows()`;"
            )
        );
        assert_eq!(
            resolved("SELECT * FROM t WHERE db = DATABASE() AND c = CURRENT_USER").as_deref(),
            Some(
                "SELECT * FROM t WHERE db = NULLIF(COALESCE('shop', DATABASE()),'') AND c = NULLIF(COALESCE('app@%', CURRENT_USER()),'')"
            )
        );
        assert_eq!(
            resolved("SELECT concat(database(), '()') FROM t").as_deref(),
            Some(
                "SELECT concat(NULLIF(COALESCE('shop', DATABASE()),''), '()') AS `concat(database(), '()')` FROM t"
            )
        );
        assert_eq!(
            resolved("SELECT user() LIKE '%@%', user() COLLATE utf8_bin").as_deref(),
            Some(
                "SELECT NULLIF(COALESCE('app@10.0.0.1', USER()),'') LIKE '%@%' AS `user() LIKE '%@%'`, \
                 NULLIF(COALESCE('app@10.0.0.1', USER()),'') COLLATE utf8_bin AS `user() COLLATE utf8_bin`"
            )
        );
        assert_eq!(
            resolved("SELECT DISTINCT user() /* u */, concat(`a`, user()) AS b FROM t").as_deref(),
            Some(
                "SELECT DISTINCT NULLIF(COALESCE('app@10.0.0.1', USER()),'') AS `user()` /* u */, concat(`a`, NULLIF(COALESCE('app@10.0.0.1', USER()),'')) AS b FROM t"
            )
        );
        assert_eq!(
            resolved("SELECT `a`, concat(`b`, user()) UNION SELECT 1, 2").as_deref(),
            Some(
                "SELECT `a`, concat(`b`, NULLIF(COALESCE('app@10.0.0.1', USER()),'')) AS `concat(``b``, user())` UNION SELECT 1, 2"
            )
        );
        assert_eq!(
            resolved("SET @a = LAST_INSERT_ID(), @@identity = 5, @b = @@identity").as_deref(),
            Some(
                "SET @a = COALESCE(CAST(7 AS UNSIGNED), LAST_INSERT_ID()), @@identity = 5, \
                 @b = IF(TRUE, CAST(7 AS UNSIGNED), @@identity)"
            )
        );
        assert_eq!(
            resolved("SET @a = @@warning_count + @@session.error_count").as_deref(),
            Some(
                "SET @a = IF(TRUE, CAST(5 AS UNSIGNED), @@warning_count) + \
                 IF(TRUE, CAST(2 AS UNSIGNED), @@session.error_count)"
            )
        );
        assert_eq!(
            resolved("SELECT @@identity i, @@error_count").as_deref(),
            Some(
                "SELECT IF(TRUE, CAST(7 AS UNSIGNED), @@identity) i, \
                 IF(TRUE, CAST(2 AS UNSIGNED), @@error_count) AS `@@error_count`"
            )
        );
        assert_eq!(
            resolved("INSERT INTO t SELECT ROW_COUNT() ON DUPLICATE KEY UPDATE a = 1").as_deref(),
            Some(
                "INSERT INTO t SELECT COALESCE(CAST(-1 AS SIGNED), ROW_COUNT()) \
                 ON DUPLICATE KEY UPDATE a = 1"
            )
        );
        assert_eq!(resolved("SELECT t.user, last_insert_id(5), 'database()' FROM t"), None);
    }
}
