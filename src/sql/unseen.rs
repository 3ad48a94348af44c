//! What a stored text (a trigger's body, a view's definition) may ask of the connection it runs on.
//!
//! Owns: whether it may read LAST_INSERT_ID(), set a variable, or write. Never: runs or follows anything:
//! what calls a routine counts as asking.

use crate::sql::lex::{Dialect, Limits, ServerKind, tokens};
use crate::sql::literal::name_of;
use crate::sql::native::is_native;
use crate::sql::token::{Token, TokenKind};

/// Words behind which a bracket opens no call.
const WORDS: &[&str] = &[
    "ALL",
    "AND",
    "ANY",
    "AS",
    "BETWEEN",
    "BY",
    "CASE",
    "DISTINCT",
    "DIV",
    "ELSE",
    "ELSEIF",
    "EXCEPT",
    "EXISTS",
    "FROM",
    "HAVING",
    "IF",
    "IN",
    "INTERSECT",
    "JOIN",
    "LIKE",
    "NOT",
    "ON",
    "OR",
    "OVER",
    "REGEXP",
    "RETURN",
    "RLIKE",
    "SELECT",
    "SET",
    "SOME",
    "THEN",
    "UNION",
    "UNTIL",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WHILE",
    "XOR",
];

/// Whether the text may read the connection's LAST_INSERT_ID(); one that isn't understood may.
pub fn may_read_insert_id(text: &str, server: ServerKind) -> bool {
    let sql = text.as_bytes();
    let dialect = Dialect { server, ..Dialect::default() };
    let Ok(mut all) = tokens(sql, dialect, &Limits::default()) else { return true };
    all.retain(|token| !token.kind.is_trivia());
    let asks = |(at, token): (usize, &Token)| match token.kind {
        TokenKind::SystemVariable => {
            let name = String::from_utf8_lossy(token.bytes(sql)).to_ascii_lowercase();
            name.contains("last_insert_id") || name.contains("identity")
        }
        _ if token.is_any(sql, &["LAST_INSERT_ID", "CALL"]) => true,
        _ => is_stored_call(sql, &all, at, server),
    };
    all.iter().enumerate().any(asks)
}

/// Whether the text may set a variable of its connection, a user's or the system's; one that isn't
/// understood may, and so may a routine that it calls.
pub fn may_set_variable(text: &str, server: ServerKind) -> bool {
    let sql = text.as_bytes();
    let dialect = Dialect { server, ..Dialect::default() };
    let Ok(mut all) = tokens(sql, dialect, &Limits::default()) else { return true };
    all.retain(|token| !token.kind.is_trivia());
    let diagnoses = all.iter().any(|token| token.is_word(sql, "DIAGNOSTICS"));
    let declared = declared(sql, &all);
    let sets = |(at, token): (usize, &Token)| {
        if token.kind == TokenKind::UserVariable && (diagnoses || is_taken(sql, &all, at))
            || token.is_word(sql, "CALL")
        {
            return true;
        }
        let assigns = token.is_word(sql, "SET") && !is_of_row(sql, &all, at);
        assigns
            && targets(&all, sql, at).any(|target| {
                !target.is_word(sql, "NEW")
                    && !declared.contains(&name_of(sql, target).to_lowercase())
            })
            || is_stored_call(sql, &all, at, server)
    };
    all.iter().enumerate().any(sets)
}

/// Whether the user variable at `at` gets a value, by `:=` or by INTO.
fn is_taken(sql: &[u8], all: &[Token], at: usize) -> bool {
    let before = all.get(..at).unwrap_or_default().iter().rev();
    let ahead = before.into_iter().find(|token| {
        !token.is_symbol(sql, ",") && token.kind != TokenKind::UserVariable && !token.is_name()
            || token.is_word(sql, "INTO")
    });
    ahead.is_some_and(|token| token.is_word(sql, "INTO"))
        || all.get(at + 1).is_some_and(|next| next.is_symbol(sql, ":="))
}

/// The names that a SET at `at` assigns to, each by its first word.
fn targets<'t>(all: &'t [Token], sql: &'t [u8], at: usize) -> impl Iterator<Item = &'t Token> {
    let rest = all.get(at + 1..).unwrap_or_default();
    let end = rest.iter().position(|token| token.kind == TokenKind::Semicolon);
    let own = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
    let mut depth = 0i32;
    let mut due = true;
    own.iter().filter(move |token| {
        let is_due = due;
        depth += i32::from(token.is_symbol(sql, "(")) - i32::from(token.is_symbol(sql, ")"));
        due = depth == 0 && token.is_symbol(sql, ",");
        is_due
    })
}

/// Whether the SET at `at` is one of UPDATE, INSERT or REPLACE.
fn is_of_row(sql: &[u8], all: &[Token], at: usize) -> bool {
    let before = all.get(..at).unwrap_or_default();
    let of = before.iter().rev().take_while(|token| token.kind != TokenKind::Semicolon);
    of.into_iter().any(|token| token.is_any(sql, &["UPDATE", "INSERT", "REPLACE"]))
}

/// The local variables.
fn declared(sql: &[u8], all: &[Token]) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in all.iter().enumerate().filter(|(_, token)| token.is_word(sql, "DECLARE")) {
        let mut own = Vec::new();
        let mut rest = all.get(at + 1..).unwrap_or_default().iter();
        let behind = loop {
            let Some(name) = rest.next().filter(|name| name.is_name()) else { break None };
            own.push(name_of(sql, name).to_lowercase());
            match rest.next() {
                Some(comma) if comma.is_symbol(sql, ",") => {}
                behind => break behind,
            }
        };
        let is_other = |token: &Token| token.is_any(sql, &["HANDLER", "CURSOR", "CONDITION"]);
        if behind.is_some_and(|token| !is_other(token)) {
            names.extend(own);
        }
    }
    names
}

/// Whether the text may write to a table.
pub fn may_write(text: &str) -> bool {
    const VERBS: &[&str] = &["INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD"];
    let sql = text.as_bytes();
    tokens(sql, Dialect::default(), &Limits::default())
        .is_ok_and(|all| all.iter().any(|token| token.is_any(sql, VERBS)))
}

/// Whether a statement of these tokens calls what may be a stored function.
pub fn calls_stored(sql: &[u8], tokens: &[Token], server: ServerKind) -> bool {
    let all: Vec<Token> = tokens.iter().filter(|token| !token.kind.is_trivia()).copied().collect();
    (0..all.len()).any(|at| is_stored_call(sql, &all, at, server))
}

/// Whether a call of what may be a stored function begins there.
fn is_stored_call(sql: &[u8], all: &[Token], at: usize, server: ServerKind) -> bool {
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
    qualified || !is_native(&name_of(sql, token).to_lowercase(), server)
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
            "SET NEW.a = nextval('orders')",
            "select last_insert_id() AS `last_insert_id()`",
            "SET NEW.a = 'unended",
        ] {
            assert!(may_read_insert_id(text, ServerKind::MySql), "{text}");
        }
    }

    #[test]
    fn what_may_set_a_variable() {
        for text in [
            "SET @a = 1",
            "BEGIN SET NEW.a = 1, time_zone = '+01:00'; END",
            "BEGIN SET NEW.a = f(1); END",
            "BEGIN SET SESSION sql_mode = ''; END",
            "BEGIN SET @@session.sql_mode = ''; END",
            "BEGIN UPDATE t SET n = n + 1; SET lc_time_names = 'de_DE'; END",
            "INSERT INTO t SELECT @a := 1",
            "BEGIN IF NEW.a > 1 THEN CALL p(); END IF; END",
            "BEGIN SELECT 1 INTO @b; END",
            "BEGIN GET DIAGNOSTICS @n = NUMBER; END",
            "BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN SET time_zone = '+06:00'; END; END",
            "BEGIN DECLARE CONTINUE HANDLER FOR SQLEXCEPTION SET time_zone = '+05:00'; END",
            "BEGIN DECLARE n INT DEFAULT @@time_zone; SET time_zone = '+05:00'; END",
        ] {
            assert!(may_set_variable(text, ServerKind::MySql), "{text}");
        }
        for text in [
            "SET NEW.a = NEW.b + 1, NEW.c = 2",
            "BEGIN DECLARE n, m INT DEFAULT 0; SET n = 1, m = concat(n, 2); INSERT INTO log SET id = n; END",
            "UPDATE t SET n = n + 1, m = 2 WHERE id = NEW.id",
            "BEGIN DECLARE CONTINUE HANDLER FOR NOT FOUND SET NEW.a = 1; DECLARE c CURSOR FOR SELECT 1; END",
            "INSERT INTO log (id) VALUES (NEW.id)",
            "BEGIN SET NEW.a = @who; INSERT INTO log (id, who) VALUES (NEW.id, @who); END",
        ] {
            assert!(!may_set_variable(text, ServerKind::MySql), "{text}");
        }
        assert!(may_write("BEGIN IF NEW.a THEN DELETE FROM t; END IF; END"));
        assert!(!may_write("SET NEW.a = 1"));
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
            assert!(!may_read_insert_id(text, ServerKind::MySql), "{text}");
        }
    }
}
