//! Options of SELECT: the words between it and its first item.
//!
//! Owns: which those are, and MariaDB's rule for SQL_CACHE and SQL_NO_CACHE. Never: what an option
//! does.

use crate::sql::token::Token;

/// What may stand between SELECT and its first item.
pub const OPTIONS: &[&str] = &[
    "ALL",
    "DISTINCT",
    "DISTINCTROW",
    "HIGH_PRIORITY",
    "STRAIGHT_JOIN",
    "SQL_SMALL_RESULT",
    "SQL_BIG_RESULT",
    "SQL_BUFFER_RESULT",
    "SQL_CALC_FOUND_ROWS",
    "SQL_CACHE",
    "SQL_NO_CACHE",
];

/// SQL_CACHE or SQL_NO_CACHE in a SELECT that isn't a query's first: MariaDB's error 1234, before it
/// looks at anything else. Shards that are gathered from would never see the option.
pub fn misplaced_cache(sql: &[u8], tokens: &[Token]) -> Option<&'static str> {
    let significant: Vec<&Token> = tokens.iter().filter(|token| !token.kind.is_trivia()).collect();
    let selects =
        || significant.iter().enumerate().filter(|(_, token)| token.is_word(sql, "SELECT"));
    // Brackets may stand around the first of a union, and the parts of WITH before it.
    let lowest = selects().map(|(_, token)| token.depth).min()?;
    let leads = significant.first().is_some_and(|token| token.is_symbol(sql, "("));
    let first = match leads {
        true => selects().next(),
        false => selects().find(|(_, token)| token.depth == lowest),
    };
    let first = first.map(|(at, _)| at);
    selects().filter(|(at, _)| Some(*at) != first).find_map(|(at, _)| {
        let behind = significant.get(at + 1..).unwrap_or_default();
        behind.iter().take_while(|token| token.is_any(sql, OPTIONS)).find_map(|token| {
            let named = |name: &&str| token.is_word(sql, name);
            ["SQL_CACHE", "SQL_NO_CACHE"].into_iter().find(named)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lex::{Dialect, Limits, tokens};

    #[test]
    fn the_first_select_alone_has_it() {
        for (sql, found) in [
            ("SELECT SQL_NO_CACHE 1", None),
            ("((SELECT SQL_NO_CACHE 1)) UNION SELECT 2", None),
            ("WITH c AS (SELECT 1) SELECT DISTINCT SQL_NO_CACHE * FROM c", None),
            ("SELECT sql_cache FROM t WHERE a IN (SELECT b + sql_no_cache FROM u)", None),
            ("SELECT 1 UNION SELECT sql_cache 1", Some("SQL_CACHE")),
            ("(SELECT 1) UNION (SELECT SQL_NO_CACHE 2)", Some("SQL_NO_CACHE")),
            ("SELECT 1 FROM (SELECT DISTINCT SQL_NO_CACHE 1 AS q) d", Some("SQL_NO_CACHE")),
            ("WITH c AS (SELECT SQL_NO_CACHE 1) SELECT * FROM c", Some("SQL_NO_CACHE")),
        ] {
            let all = tokens(sql.as_bytes(), Dialect::default(), &Limits::default()).unwrap();
            assert_eq!(misplaced_cache(sql.as_bytes(), &all), found, "{sql}");
        }
    }
}
