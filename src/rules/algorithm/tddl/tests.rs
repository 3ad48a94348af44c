use super::evaluate::{Java, evaluate};
use super::expression::parse;
use super::*;
use crate::value::Value;

fn result(text: &str, value: &Value) -> String {
    let mut columns = Vec::new();
    let expression = match parse(text, &mut columns) {
        Ok(expression) => expression,
        Err(error) => return format!("syntax {error}"),
    };
    let java = Java::of(value).unwrap();
    match evaluate(&expression, &vec![&java; columns.len()]) {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("error {error}"),
    }
}

#[test]
fn expressions_are_evaluated_as_java_and_groovy_do() {
    let id = Value::Int(-37);
    for (text, expected) in [
        ("(#id,1,64#.longValue() % 64).intdiv(32)", "Long(-1)"),
        ("#id,1,64#.abs() % 64", "Long(37)"),
        ("1 + 2 * 3 - -4", "Int(11)"),
        ("(1 + 2) * 3", "Int(9)"),
        ("7 % -4", "Int(3)"),
        ("-7 % 4", "Int(-3)"),
        ("7 / 7", "Int(1)"),
        ("7 / 2", "error at character 3: 7 / 2 is not whole; write 7.intdiv(2)"),
        ("1 % 0", "error at character 3: 1 is divided by zero"),
        ("2147483647 + 1", "Int(-2147483648)"),
        ("2147483648 + 1", "Long(2147483649)"),
        ("1L + 1", "Long(2)"),
        ("5000000000.intValue()", "Int(705032704)"),
        ("'hello'.hashCode()", "Int(99162322)"),
        ("#id#.hashCode()", "Int(36)"),
        ("#id#.toString()", "Text(\"-37\")"),
        ("'abcdef'.substring(2)", "Text(\"cdef\")"),
        ("\"abcdef\".substring(2, 4).length()", "Int(2)"),
        ("'abc'.substring(2, 9)", "error at character 7: 'abc' has no characters 2 to 9"),
        ("Long.valueOf('12') % 5", "Long(2)"),
        ("Math.abs(-3) == 3 ? 'yes' : 'no'", "Text(\"yes\")"),
        ("#id# < 0 && !(1 > 2) || false", "Truth(true)"),
        ("placeHolder(4, 17)", "Text(\"0017\")"),
        ("right(123456, 2)", "Long(56)"),
        ("rightCut(1234567, 2, 3)", "Long(345)"),
        ("right('123456', 2)", "Text(\"56\")"),
        ("'t_' + 7", "Text(\"t_7\")"),
        ("#id,1,64", "syntax at character 1: the column has no closing '#'"),
        ("1 +", "syntax at character 4: the expression ends too early"),
        ("1 2", "syntax at character 3: the expression should end here"),
        (
            "user_id % 4",
            "syntax at character 1: 'user_id' is not known; a column is written #user_id,1,64#",
        ),
        ("#id,x,64#", "syntax at character 1: 'x' is no step"),
        (
            "System.exit(1)",
            "syntax at character 1: 'System' is not known; a column is written #System,1,64#",
        ),
        ("#id#.foo()", "error at character 6: -37 has no method foo for 0 arguments"),
        ("1.5 * 2", "syntax at character 2: only whole numbers are supported"),
    ] {
        assert_eq!(result(text, &id), expected, "{text}");
    }
    let deep = format!("{}1{}", "(".repeat(500), ")".repeat(500));
    assert!(result(&deep, &id).contains("nested too deeply"));
}

#[test]
fn helpers_over_dates_are_those_of_tddl() {
    let date = Value::Date(Date { year: 2024, month: 2, day: 9 });
    for (text, expected) in [
        ("yyyymm(#d#)", "Text(\"202402\")"),
        ("yyyy(#d#) * 12 + month(#d#)", "Int(24290)"),
        ("mmdd(#d#)", "Text(\"0209\")"),
        ("yy_mm(#d#)", "Text(\"24_02\")"),
        // TDDL doesn't pad the day here.
        ("yyyymmdd(#d#)", "Text(\"2024029\")"),
        // A Friday.
        ("week(#d#)", "Int(6)"),
        ("dayofweek(#d#)", "Int(5)"),
        ("dayofweek(#d#, 0)", "Int(6)"),
        ("quarter(#d#)", "Int(1)"),
        ("date(#d#)", "Int(9)"),
    ] {
        assert_eq!(result(text, &date), expected, "{text}");
    }
}

#[test]
fn shards_are_found_by_sampling() {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_string()).collect::<Vec<_>>();
    let start = Date { year: 2024, month: 1, day: 1 };
    let names = |databases: &[&str], tables: &[&str], database: &str, table: &str| {
        let rule = TddlRule::new(&texts(databases), &texts(tables), start).unwrap();
        rule.names(database, table)
            .map(|names| names.map(|(d, t)| format!("{d}.{t}")).unwrap())
            .collect::<Vec<_>>()
    };
    let found = names(
        &["(#id,1,8#.longValue() % 8).intdiv(4)"],
        &["#id,1,8#.longValue() % 8"],
        "D_{00}",
        "t_{0000}",
    );
    assert_eq!(found.len(), 8);
    assert_eq!((found[0].as_str(), found[7].as_str()), ("D_00.t_0000", "D_01.t_0007"));
    let found = names(&[], &["'log_' + yyyymm(#d,1_MONTH,3#)"], "D", "log");
    assert_eq!(found, ["D.log_202401", "D.log_202402", "D.log_202403"]);
    // Neither step nor range: the shards can't be known.
    let error = TddlRule::new(&texts(&["#id# % 4"]), &[], start).unwrap_err();
    assert!(matches!(error, RuleError::Samples(message) if message.contains("no step and range")));
    let huge = TddlRule::new(&texts(&["#a,1,1024# + #b,1,2m#"]), &[], start).unwrap_err();
    assert!(matches!(huge, RuleError::Samples(_)));
}

/// Any text is an expression or a mistake with a place inside of it.
#[test]
fn any_text_is_answered() {
    let sample = "(#user_id,1,64#.longValue() % 64).intdiv(32) + 'a'.hashCode() ? Math.abs(-1) : yyyymm(#d?,1_MONTH,-12_12|1m_2m#)";
    let pieces = ["#", "(", ")", ".", ",", "'", "%", "?", ":", "64", "L", " ", "é", "\u{0}", "!"];
    for place in 0..=sample.len() {
        for piece in pieces {
            let (before, after) = sample.split_at(place);
            for text in [
                format!("{before}{piece}{after}"),
                format!("{before}{piece}"),
                format!("{piece}{after}"),
            ] {
                if let Err(error) = parse(&text, &mut Vec::new()) {
                    assert!(
                        (1..=text.chars().count() + 1).contains(&error.position),
                        "{text}: {error}"
                    );
                }
            }
        }
    }
}
