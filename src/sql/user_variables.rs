//! The user variables that a statement's text names.
//!
//! Owns: which of them it assigns, and which it reads. Never: knows what stored code does with others.

use crate::sql::lex::Dialect;
use crate::sql::literal::user_variable;
use crate::sql::token::{Token, TokenKind};

/// Names in lower case without `@`, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserVariables {
    /// Before `:=`, behind INTO, or set by SET.
    pub assigned: Vec<String>,
    /// Anywhere else; arguments of CALL among them, which may be both.
    pub read: Vec<String>,
}

/// The names in a statement.
pub fn user_variables(sql: &[u8], tokens: &[Token], dialect: &Dialect) -> UserVariables {
    let tokens: Vec<&Token> = tokens.iter().filter(|token| !token.kind.is_trivia()).collect();
    let sets = tokens.first().is_some_and(|first| first.is_word(sql, "SET"));
    let mut found = UserVariables::default();
    // Among the variables of INTO.
    let mut listed = false;
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| tokens.get(at));
        let before = |word: &str| before.is_some_and(|token| token.is_word(sql, word));
        if token.kind != TokenKind::UserVariable {
            listed &= token.is_symbol(sql, ",");
            continue;
        }
        listed |= before("INTO");
        let next =
            |symbol: &str| tokens.get(at + 1).is_some_and(|token| token.is_symbol(sql, symbol));
        let item = at.checked_sub(1).and_then(|at| tokens.get(at)).is_some_and(|token| {
            token.is_word(sql, "SET") || sets && token.depth == 0 && token.is_symbol(sql, ",")
        });
        let names = match listed || next(":=") || item && next("=") {
            true => &mut found.assigned,
            false => &mut found.read,
        };
        let name = user_variable(sql, token, dialect);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lex;

    #[test]
    fn names_are_read_or_assigned() {
        for (sql, assigned, read) in [
            ("SELECT @i:=@I+1, @`j k` FROM t WHERE a=@b", "i", "i j k b"),
            ("SET @a=@b, @c:=@d", "a c", "b d"),
            ("SELECT 1,2 INTO @x, @y", "x y", ""),
            ("SELECT 1 INTO @x FROM t WHERE f(@y, @z)", "x", "y z"),
            ("CALL p(@x, 1)", "", "x"),
            ("IF 1 THEN SET @c = 5; END IF", "c", ""),
            ("SET STATEMENT max_statement_time=1 FOR SET @c=@d", "c", "d"),
            ("SET @a = f(1, @b = 2)", "a", "b"),
        ] {
            let dialect = Dialect::default();
            let tokens = lex::tokens(sql.as_bytes(), dialect, &lex::Limits::default()).unwrap();
            let found = user_variables(sql.as_bytes(), &tokens, &dialect);
            assert_eq!(found.assigned.join(" "), assigned, "{sql}");
            assert_eq!(found.read.join(" "), read, "{sql}");
        }
    }
}
