//! What a stored text (a trigger's body, a view's definition) may ask of the connection it runs on.
//!
//! Owns: whether it may read LAST_INSERT_ID(). Never: runs or follows anything: what calls a routine
//! counts as asking.

use crate::sql::lex::{Dialect, Limits, tokens};
use crate::sql::literal::name_of;
use crate::sql::native::is_native;
use crate::sql::token::{Token, TokenKind};

/// Words behind which a bracket opens no call.
const WORDS: &[&str] = &[
    "AND", "AS", "BETWEEN", "CASE", "ELSE", "ELSEIF", "EXISTS", "FROM", "HAVING", "IF", "IN",
    "JOIN", "LIKE", "NOT", "ON", "OR", "OVER", "RETURN", "SELECT", "SET", "THEN", "UNTIL", "USING",
    "VALUES", "WHEN", "WHERE", "WHILE", "XOR",
];

/// Whether the text may read the connection's LAST_INSERT_ID(); one that isn't understood may.
pub fn may_read_insert_id(text: &str) -> bool {
    let sql = text.as_bytes();
    let Ok(mut all) = tokens(sql, Dialect::default(), &Limits::default()) else { return true };
    all.retain(|token| !token.kind.is_trivia());
    let asks = |(at, token): (usize, &Token)| match token.kind {
        TokenKind::SystemVariable => {
            let name = String::from_utf8_lossy(token.bytes(sql)).to_ascii_lowercase();
            name.contains("last_insert_id") || name.contains("identity")
        }
        _ if token.is_any(sql, &["LAST_INSERT_ID", "CALL"]) => true,
        _ => is_stored_call(sql, &all, at),
    };
    all.iter().enumerate().any(asks)
}

/// Whether a call of what may be a stored function begins there.
fn is_stored_call(sql: &[u8], all: &[Token], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|at| all.get(at));
    let Some(token) = all.get(at).filter(|token| token.is_name()) else { return false };
    if !all.get(at + 1).is_some_and(|next| next.is_symbol(sql, "(")) || token.is_any(sql, WORDS) {
        return false;
    }
    let qualified = before(1).is_some_and(|dot| dot.is_symbol(sql, "."));
    let ahead = if qualified { before(3) } else { before(1) };
    // A table and the columns that rows are given for.
    if ahead.is_some_and(|word| word.is_any(sql, &["INTO", "INSERT", "REPLACE", "IGNORE", "AS"])) {
        return false;
    }
    qualified || !is_native(&name_of(sql, token).to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_read_it() {
        for text in [
            "INSERT INTO log (id) VALUES (LAST_INSERT_ID())",
            "BEGIN SET NEW.a = @@identity; END",
            "set new.a = @@session.last_insert_id",
            "BEGIN IF NEW.a > 1 THEN CALL p(); END IF; END",
            "SET NEW.a = shop.f(NEW.b)",
            "SET NEW.a = own_function (NEW.b)",
            "select last_insert_id() AS `last_insert_id()`",
            "SET NEW.a = 'unended",
        ] {
            assert!(may_read_insert_id(text), "{text}");
        }
    }

    #[test]
    fn what_does_not() {
        for text in [
            "INSERT INTO log (id, at) VALUES (NEW.id, NOW())",
            "INSERT INTO `shop`.`log` (id) VALUES (OLD.id), (concat('last_insert_id()', 1))",
            "BEGIN IF (NEW.a IN (1, 2) AND (NEW.b < 3)) THEN SET NEW.c = IFNULL(NEW.c, 1); END IF; END",
            "UPDATE t SET n = n + 1 WHERE id = NEW.id",
            "select count(0) AS `c`,sum(`t`.`a`) AS `s` from `d`.`t` where (`t`.`a` in (1,2))",
        ] {
            assert!(!may_read_insert_id(text), "{text}");
        }
    }
}
