//! Statements that are meant to hurt, and the errors that name what they passed.

use super::lex;
use crate::sql::lex::{Dialect, Limits};
use crate::sql::template::{Lexed, Lexer};

fn code(sql: &str) -> &'static str {
    lex(sql.as_bytes(), &Dialect::default()).err().map_or("none", |error| error.code)
}

#[test]
fn long_chains_of_operators_are_refused() {
    for operator in
        [" OR ", " AND ", " XOR ", "+", "-", " || ", "=", "<", " LIKE ", " IS NOT ", "->"]
    {
        let chain = vec!["a"; 31_000].join(operator);
        assert_eq!(
            code(&format!("SELECT 1 FROM t WHERE {chain}")),
            "statement_operators",
            "{operator}"
        );
        assert_eq!(
            code(&format!("INSERT INTO t VALUES ({chain})")),
            "statement_operators",
            "{operator}"
        );
        assert_eq!(code(&format!("SELECT {chain}")), "statement_operators", "{operator}");
    }
    assert_eq!(code(&format!("SELECT {} a", "NOT ".repeat(31_000))), "statement_operators");
    assert_eq!(code(&format!("SELECT {}a", "! ".repeat(31_000))), "statement_operators");
    assert_eq!(code(&vec!["SELECT 1"; 5_000].join(" UNION ")), "statement_operators");
    assert_eq!(code(&format!("SELECT a{}", " IN (1)".repeat(5_000))), "statement_operators");
    assert_eq!(code(&format!("SELECT a{}", " COLLATE x".repeat(5_000))), "statement_operators");
}

#[test]
fn many_short_conditions_are_not_a_long_chain() {
    let whens = "WHEN id = 5 AND x = 6 THEN 'y' ".repeat(4_000);
    let sql = format!("UPDATE t SET a = CASE {whens} END WHERE id IN (1,2,3)");
    let lexed = lex(sql.as_bytes(), &Dialect::default()).expect("three slots each");
    assert_eq!(lexed.slots().len(), 3 * 4_000 + 1);
    let pairs = vec!["(a = 1 AND b = 2)"; 1_500].join(" OR ");
    lex(format!("SELECT 1 FROM t WHERE {pairs}").as_bytes(), &Dialect::default())
        .expect("1,500 terms");
}

#[test]
fn deep_nesting_is_refused() {
    let deep =
        |open: &str, close: &str| format!("SELECT {}1{}", open.repeat(1_000), close.repeat(1_000));
    assert_eq!(code(&deep("(", ")")), "statement_depth");
    assert_eq!(code(&deep("f(", ")")), "statement_depth");
    assert_eq!(code(&deep("(SELECT ", ")")), "statement_depth");
    assert_eq!(code(&deep("CASE WHEN ", " THEN 1 END")), "statement_depth");
    let row = format!("INSERT INTO t VALUES ({}1{})", "(".repeat(1_000), ")".repeat(1_000));
    assert_eq!(code(&row), "statement_depth");
    let fifty = format!("SELECT {}1{}", "(".repeat(50), ")".repeat(50));
    lex(fifty.as_bytes(), &Dialect::default()).expect("fifty are fine");
}

#[test]
fn each_limit_is_named_with_its_value() {
    let limits = Limits { bytes: 100, operators: 10, depth: 5, items: 6, slots: 4 };
    let lexer = Lexer::new(1, limits);
    let mut lexed = Lexed::new();
    let long = format!("SELECT '{}'", "x".repeat(100));
    for (sql, code, value) in [
        (long.as_str(), "statement_bytes", "100"),
        ("SELECT 1 FROM t WHERE a = 1 AND b = 1 AND c = 1 AND d", "statement_slots", "-"),
        ("SELECT ((((((1))))))", "statement_depth", "5"),
        ("SELECT 1 FROM t WHERE a IN (1,2,3,4,5,6,7)", "statement_items", "6"),
        ("INSERT INTO t VALUES (1),(2),(3),(4),(5),(6),(7)", "statement_items", "6"),
        ("DELETE FROM t WHERE a = 1 OR a = 2 OR a = 3 OR b = 4 OR c = 5", "statement_slots", "4"),
        ("SELECT a+a+a+a+a+a+a+a+a+a+a+a+a", "statement_operators", "10"),
    ] {
        let result = lexer.lex(sql.as_bytes(), &Dialect::default(), &mut lexed);
        if value == "-" {
            result.expect("three slots of four");
            continue;
        }
        let error = result.expect_err(sql);
        assert_eq!(error.code, code, "{sql}");
        assert!(error.message.contains(&format!("{code} = {value}")), "{}", error.message);
        assert!(
            lexed.template().is_empty() && lexed.slots().is_empty(),
            "nothing is left of {sql}"
        );
    }
}

#[test]
fn a_thousand_rows_are_one_row_to_a_planner() {
    let one = "INSERT INTO t (id, name, n) VALUES (1, 'x', NULL), (-2, NULL, 3)";
    let rows: Vec<String> = (0..1_000)
        .map(|n| match n % 3 {
            0 => format!("({n}, 'name{n}', NULL)"),
            1 => format!("(-{n},'it''s',{n})"),
            _ => format!("( {n} , NULL,\n  {n})"),
        })
        .collect();
    let many = format!("INSERT INTO t (id, name, n) VALUES {}", rows.join(", "));
    let dialect = Dialect::default();
    let short = lex(one.as_bytes(), &dialect).expect("two rows");
    let long = lex(many.as_bytes(), &dialect).expect("a thousand rows");
    assert_eq!(short.template(), long.template());
    assert_eq!(long.rows().len(), 1_000);
    assert_eq!(long.all_items().len(), 3_000);
    for (row, text) in long.rows().iter().zip(&rows) {
        assert_eq!(&many[row.start as usize..row.end as usize], text);
        assert_eq!(long.row_items(row).len(), 3);
    }
    let second = long.row_items(&long.rows()[1])[0];
    assert_eq!(&many[second.source()], "-1");
}

#[test]
fn buffers_are_used_again() {
    let lexer = Lexer::new(1, Limits::default());
    let mut lexed = Lexed::new();
    let dialect = Dialect::default();
    for _ in 0..3 {
        lexer
            .lex(
                b"INSERT INTO t VALUES (1), (f(2)) ON DUPLICATE KEY UPDATE a = ?",
                &dialect,
                &mut lexed,
            )
            .expect("valid");
        assert_eq!((lexed.rows().len(), lexed.shapes().len(), lexed.params()), (2, 2, 1));
        lexer.lex(b"SELECT 1 FROM t WHERE a = 2", &dialect, &mut lexed).expect("valid");
        assert_eq!((lexed.rows().len(), lexed.shapes().len(), lexed.params()), (0, 0, 0));
        assert_eq!(lexed.slots().len(), 1);
        lexer.lex(b"SELECT (", &dialect, &mut lexed).expect_err("broken");
        assert!(lexed.template().is_empty());
    }
}

#[test]
fn several_statements_end_where_the_server_ends_them() {
    let rest = |sql: &str| {
        let lexed = lex(sql.as_bytes(), &Dialect::default()).expect(sql);
        (sql[..lexed.end()].to_owned(), lexed.rest().map(|at| sql[at..].to_owned()))
    };
    let two = |first: &str, second: &str| (first.to_owned(), Some(second.to_owned()));
    let one = |first: &str| (first.to_owned(), None);
    assert_eq!(rest("SELECT 1; SELECT ';'"), two("SELECT 1", "SELECT ';'"));
    assert_eq!(rest("SELECT ';' ;;; -- x\n/* y */;"), one("SELECT ';' "));
    assert_eq!(rest("SELECT 1; /*!40101 SET a = 1 */"), two("SELECT 1", "/*!40101 SET a = 1 */"));
    assert_eq!(rest("SELECT 1; 'open"), two("SELECT 1", " 'open"));
    assert_eq!(
        rest("INSERT INTO t VALUES (1), (2); SELECT 2"),
        two("INSERT INTO t VALUES (1), (2)", "SELECT 2")
    );
    assert_eq!(rest("; SELECT 2"), two("", "SELECT 2"));
    for body in [
        "CREATE PROCEDURE p() BEGIN SELECT 1; END",
        "CREATE PROCEDURE p() BEGIN IF (a) THEN SELECT 1; END IF; SELECT IF(a, 1, 2); END",
        "CREATE PROCEDURE p() BEGIN CASE a WHEN 1 THEN SELECT 1; ELSE BEGIN END; END CASE; END",
        "CREATE PROCEDURE p() BEGIN l: LOOP LEAVE l; END LOOP l; WHILE a DO SET a = 1; END WHILE; REPEAT SET a = 2; UNTIL a END REPEAT; END",
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW IF NEW.a THEN SET NEW.a = 1; END IF",
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.a = CASE WHEN 1 THEN 2 END; END",
        "CREATE EVENT IF NOT EXISTS e ON SCHEDULE EVERY 1 DAY DO BEGIN DELETE FROM t; END",
        "CREATE OR REPLACE DEFINER=`a`@`b` FUNCTION f(a INT) RETURNS INT DETERMINISTIC BEGIN RETURN REPEAT('a', 2); END",
        "ALTER EVENT e DO BEGIN SELECT 1; END",
    ] {
        assert_eq!(rest(&format!("{body}; SELECT 2")), two(body, "SELECT 2"));
        assert_eq!(rest(body), one(body));
    }
    for plain in [
        "CREATE TABLE t (event INT, begin INT)",
        "BEGIN",
        "CREATE PROCEDURE p() SELECT 1",
        "DROP PROCEDURE IF EXISTS p",
    ] {
        assert_eq!(rest(&format!("{plain}; SELECT 2")), two(plain, "SELECT 2"));
    }
}
