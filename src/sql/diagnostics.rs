//! GET DIAGNOSTICS outside of routines, from tokens.
//!
//! Owns: its form: which items of the statement before, or of which of its conditions, go into which
//! user variables. Never: knows the values (the session does).
//!
//! The grammar is the manual's, "GET DIAGNOSTICS Statement".

use crate::error::{Error, Fault, Result};
use crate::sql::cursor::Cursor;
use crate::sql::lex::ServerKind;
use crate::sql::token::{Token, TokenKind};

/// What a variable is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// How many conditions there are.
    Number,
    RowCount,
    Errno,
    Message,
    State,
}

/// One GET DIAGNOSTICS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetDiagnostics {
    /// Counts from 1; `None` for items of the statement as a whole.
    pub condition: Option<u64>,
    /// The variable as it is written (`@a`, ``@`b c` ``), and what it is given.
    pub items: Vec<(String, Item)>,
}

/// Reads one.
///
/// # Errors
/// A syntax error; a variable that isn't a user variable (1327); a refusal of what the session doesn't
/// keep (`diagnostics_item`), of a condition's number that isn't a plain one and of MySQL's STACKED,
/// which only handlers have (3004).
pub fn parse(sql: &[u8], tokens: &[Token], server: ServerKind) -> Result<GetDiagnostics> {
    let mut cursor = Cursor::new(sql, tokens);
    let wrong = || Error::syntax("You have an error in your SQL syntax near GET DIAGNOSTICS");
    if !cursor.eat("GET") {
        return Err(wrong());
    }
    if server != ServerKind::MariaDb && cursor.eat("STACKED") {
        return Err(Error::new(
            Fault::Client,
            3004,
            b"0Z002",
            "",
            "GET STACKED DIAGNOSTICS when handler not active",
        ));
    }
    cursor.eat("CURRENT");
    if !cursor.eat("DIAGNOSTICS") {
        return Err(wrong());
    }
    let condition = match cursor.eat("CONDITION") {
        true => Some(number(&mut cursor)?),
        false => None,
    };
    let mut items = Vec::new();
    loop {
        let target = cursor.next().ok_or_else(wrong)?;
        let name = String::from_utf8_lossy(target.bytes(sql)).into_owned();
        if target.kind != TokenKind::UserVariable {
            return Err(match target.is_name() {
                true => undeclared(&name),
                false => wrong(),
            });
        }
        if !cursor.eat_symbol("=") {
            return Err(wrong());
        }
        let word = cursor.word();
        cursor.next();
        items.push((name, item(&word, condition.is_some()).ok_or_else(wrong)??));
        if !cursor.eat_symbol(",") {
            break;
        }
    }
    match cursor.at_end() {
        true => Ok(GetDiagnostics { condition, items }),
        false => Err(wrong()),
    }
}

fn undeclared(name: &str) -> Error {
    Error::new(Fault::Client, 1327, b"42000", "", format!("Undeclared variable: {name}"))
}

fn number(cursor: &mut Cursor<'_>) -> Result<u64> {
    let token = cursor.next();
    let text = token.map(|token| String::from_utf8_lossy(token.bytes(cursor.sql)));
    text.and_then(|text| text.parse().ok()).ok_or_else(|| {
        Error::refused(
            "diagnostics_item",
            "GET DIAGNOSTICS outside of a routine takes a condition's plain number, as in CONDITION 1",
        )
    })
}

/// `None` for what isn't an item there.
fn item(word: &str, of_condition: bool) -> Option<Result<Item>> {
    Some(match (word, of_condition) {
        ("NUMBER", false) => Ok(Item::Number),
        ("ROW_COUNT", false) => Ok(Item::RowCount),
        ("MYSQL_ERRNO", true) => Ok(Item::Errno),
        ("MESSAGE_TEXT", true) => Ok(Item::Message),
        ("RETURNED_SQLSTATE", true) => Ok(Item::State),
        (
            "CLASS_ORIGIN" | "SUBCLASS_ORIGIN" | "CONSTRAINT_CATALOG" | "CONSTRAINT_SCHEMA"
            | "CONSTRAINT_NAME" | "CATALOG_NAME" | "SCHEMA_NAME" | "TABLE_NAME" | "COLUMN_NAME"
            | "CURSOR_NAME" | "ROW_NUMBER",
            true,
        ) => Err(Error::refused(
            "diagnostics_item",
            format!(
                "{word} of a condition isn't kept between statements; MYSQL_ERRNO, MESSAGE_TEXT and \
                 RETURNED_SQLSTATE are"
            ),
        )),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lex::{Dialect, Limits, ServerKind, tokens};

    fn parsed(sql: &str) -> Result<GetDiagnostics> {
        let tokens = tokens(sql.as_bytes(), Dialect::default(), &Limits::default()).unwrap();
        parse(sql.as_bytes(), &tokens, ServerKind::MySql)
    }

    #[test]
    fn both_forms_are_read() {
        let whole = parsed("get /* c */ diagnostics @a = number, @`b c`=row_count;").unwrap();
        assert_eq!(whole.condition, None);
        let of = |name: &str, item| (name.to_owned(), item);
        assert_eq!(whole.items, [of("@a", Item::Number), of("@`b c`", Item::RowCount)]);
        let one = parsed("GET CURRENT DIAGNOSTICS CONDITION 2 @m = MESSAGE_TEXT").unwrap();
        assert_eq!((one.condition, one.items), (Some(2), vec![of("@m", Item::Message)]));
    }

    #[test]
    fn what_is_none_of_them_is_an_error() {
        let code = |sql: &str| parsed(sql).unwrap_err().errno;
        for sql in [
            "GET DIAGNOSTICS",
            "GET DIAGNOSTICS @a",
            "GET DIAGNOSTICS @a = MESSAGE_TEXT",
            "GET DIAGNOSTICS CONDITION 1 @a = NUMBER",
            "GET DIAGNOSTICS @a = NUMBER @b",
            "GET DIAGNOSTICS 5 = NUMBER",
        ] {
            assert_eq!(code(sql), 1064, "{sql}");
        }
        assert_eq!(code("GET DIAGNOSTICS a = NUMBER"), 1327);
        assert_eq!(code("GET STACKED DIAGNOSTICS @a = NUMBER"), 3004);
        assert_eq!(
            parsed("GET DIAGNOSTICS CONDITION @i @a = MYSQL_ERRNO").unwrap_err().code,
            "diagnostics_item"
        );
        assert_eq!(
            parsed("GET DIAGNOSTICS CONDITION 1 @a = TABLE_NAME").unwrap_err().code,
            "diagnostics_item"
        );
    }
}
