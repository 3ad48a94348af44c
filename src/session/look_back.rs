//! Functions whose values are the session's and not a backend connection's.
//!
//! Owns: writing their values into a statement's text: LAST_INSERT_ID(), ROW_COUNT(), FOUND_ROWS(),
//! DATABASE(), USER() and kin, CONNECTION_ID(). Never: touches any other byte.
//!
//! A column that such a function names keeps its name: a lone one in a select list gets its own
//! text as alias.

use crate::error::Result;
use crate::sql::lex::{self, Dialect, Limits};
use crate::sql::token::{Token, TokenKind};

/// The session's values.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    pub last_insert_id: u64,
    pub row_count: i64,
    pub found_rows: u64,
    pub connection_id: u32,
    pub schema: Option<String>,
    /// `name@host`.
    pub user: String,
}

/// The statement with the values in place; `None` where it names no such function.
///
/// # Errors
/// Text that can't be cut into tokens, which the statement's own walk has ruled out.
pub fn resolve(
    sql: &[u8],
    dialect: Dialect,
    limits: &Limits,
    values: &Remembered,
) -> Result<Option<Vec<u8>>> {
    let tokens = lex::tokens(sql, dialect, limits)?;
    let mut out = Vec::new();
    let mut at = 0;
    for (place, token) in tokens.iter().enumerate() {
        let Some((value, length)) = value_of(sql, &tokens, place, values) else { continue };
        let Some(last) = tokens.get(place + length - 1) else { continue };
        let (start, end) = (token.range().start, last.range().end);
        out.extend_from_slice(sql.get(at..start).unwrap_or_default());
        out.extend_from_slice(value.as_bytes());
        if is_whole_item(sql, &tokens, place, length) {
            out.extend_from_slice(b" AS `");
            let name = sql.get(start..end).unwrap_or_default();
            out.extend(name.iter().filter(|byte| **byte != b'`'));
            out.push(b'`');
        }
        at = end;
    }
    if at == 0 {
        return Ok(None);
    }
    out.extend_from_slice(sql.get(at..).unwrap_or_default());
    Ok(Some(out))
}

/// The value of the function that begins at this token, and how many tokens it takes up.
fn value_of(sql: &[u8], tokens: &[Token], place: usize, values: &Remembered) -> Option<(String, usize)> {
    let token = tokens.get(place)?;
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
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    let value = match (name.as_str(), empty) {
        ("LAST_INSERT_ID", true) => format!("CAST({} AS UNSIGNED)", values.last_insert_id),
        ("ROW_COUNT", true) => format!("CAST({} AS SIGNED)", values.row_count),
        ("FOUND_ROWS", true) => format!("CAST({} AS SIGNED)", values.found_rows),
        ("CONNECTION_ID", true) => format!("CAST({} AS UNSIGNED)", values.connection_id),
        ("DATABASE" | "SCHEMA", true) => {
            // Nullable, as the function is.
            let text = values.schema.as_deref().map(quoted);
            text.map_or_else(|| "NULL".to_owned(), |text| format!("NULLIF({text},'')"))
        }
        ("USER" | "SESSION_USER" | "SYSTEM_USER" | "CURRENT_USER", true) => quoted(&values.user),
        ("CURRENT_USER", false) if !called => quoted(&values.user),
        _ => return None,
    };
    Some((value, length))
}

/// Whether these tokens are all of a select item: SELECT or a comma before, and a comma, FROM or
/// the end behind, outside of parentheses.
fn is_whole_item(sql: &[u8], tokens: &[Token], place: usize, length: usize) -> bool {
    let Some(token) = tokens.get(place) else { return false };
    if token.depth > 0 {
        return false;
    }
    let upper = |place: usize| {
        text(sql, tokens, place).map(|text| String::from_utf8_lossy(text).to_ascii_uppercase())
    };
    let before = place.checked_sub(1).and_then(upper);
    let behind = upper(place + length);
    let begins = match before.as_deref() {
        Some("SELECT" | "DISTINCT" | "ALL") => true,
        Some(",") => in_select_list(sql, tokens, place),
        _ => false,
    };
    begins
        && matches!(
            behind.as_deref(),
            None | Some("," | ";" | "FROM" | "LIMIT" | "UNION" | "WHERE" | "INTO" | "HAVING" | "ORDER")
        )
}

/// Whether the clause that a comma at depth 0 belongs to is a select list.
fn in_select_list(sql: &[u8], tokens: &[Token], place: usize) -> bool {
    let clauses = tokens.iter().take(place).rev().filter(|token| token.depth == 0);
    for token in clauses {
        let word = String::from_utf8_lossy(sql.get(token.range()).unwrap_or_default()).to_ascii_uppercase();
        match word.as_str() {
            "SELECT" => return true,
            "FROM" | "WHERE" | "GROUP" | "ORDER" | "HAVING" | "SET" | "VALUES" | "LIMIT" => return false,
            _ => {}
        }
    }
    false
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
            found_rows: 3,
            connection_id: 42,
            schema: Some("shop".into()),
            user: "app@10.0.0.1".into(),
        };
        let out = resolve(sql.as_bytes(), Dialect::default(), &Limits::default(), &values).unwrap();
        out.map(|out| String::from_utf8(out).unwrap())
    }

    #[test]
    fn functions_of_the_session_get_its_values_and_keep_their_names() {
        assert_eq!(
            resolved("SELECT LAST_INSERT_ID()").as_deref(),
            Some("SELECT CAST(7 AS UNSIGNED) AS `LAST_INSERT_ID()`")
        );
        assert_eq!(
            resolved("select 1, database(), user() u, found_rows()").as_deref(),
            Some("select 1, NULLIF('shop','') AS `database()`, 'app@10.0.0.1' u, CAST(3 AS SIGNED) AS `found_rows()`")
        );
        assert_eq!(
            resolved("SELECT * FROM t WHERE id = last_insert_id() AND c = CURRENT_USER").as_deref(),
            Some("SELECT * FROM t WHERE id = CAST(7 AS UNSIGNED) AND c = 'app@10.0.0.1'")
        );
        assert_eq!(
            resolved("SELECT concat(database(), '()')").as_deref(),
            Some("SELECT concat(NULLIF('shop',''), '()')")
        );
        assert_eq!(resolved("SELECT t.user, last_insert_id(5), 'database()' FROM t"), None);
    }
}
