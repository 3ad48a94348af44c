//! information_schema's rows as a [`Table`].
//!
//! Owns: what the two kinds of server mean by their columns. Never: asks for anything.

use crate::backend::catalog::Physical;
use crate::backend::catalog::ask::{Facts, Line};
use crate::backend::version::Kind;
use crate::catalog::{
    Column, DefaultValue, Generated, Key, KeyPart, Table, Trigger, TriggerEvent, View,
};
use crate::sql::lex::ServerKind;
use crate::sql::unseen::{may_read_insert_id, may_set_variable, may_write};
use crate::value::types::{Collation, ColumnType};

/// The table named `name` as its physical one is defined; `None` where the server has none.
pub(super) fn table(name: &str, physical: &Physical, facts: &Facts) -> Option<Table> {
    let of = |lines: &'_ [Line]| -> Vec<Line> {
        lines.iter().filter(|line| is_of(line, physical, facts.exact)).cloned().collect()
    };
    let head = of(&facts.tables).into_iter().next()?;
    // Where the kind isn't known, more is a stored function's.
    let server = match facts.kind {
        Some(Kind::MariaDb) => ServerKind::MariaDb,
        _ => ServerKind::MySql,
    };
    let columns = of(&facts.columns).iter().filter_map(|line| column(line, facts.kind)).collect();
    let mut table = Table::new(name, columns);
    table.is_view = at(&head, 2).is_some_and(|kind| kind.contains("VIEW"));
    table.view = of(&facts.views).first().and_then(|line| view(line, server));
    table.engine = at(&head, 3).unwrap_or_default().into();
    table.collation = Collation::new(at(&head, 4).unwrap_or_default());
    table.auto_increment =
        table.columns.iter().position(|column| column.default == DefaultValue::AutoIncrement);
    table.keys = keys(&of(&facts.keys), &table);
    table.triggers = of(&facts.triggers).iter().filter_map(|line| trigger(line, server)).collect();
    let constraints = of(&facts.constraints);
    let has = |kind| constraints.iter().any(|line| at(line, 2) == Some(kind));
    table.has_checks = has("CHECK");
    table.has_foreign_keys = has("FOREIGN KEY");
    let acts = |rule: Option<&str>| !matches!(rule, Some("RESTRICT" | "NO ACTION"));
    table.cascades =
        of(&facts.references).iter().any(|line| acts(at(line, 2)) || acts(at(line, 3)));
    Some(table)
}

fn view(line: &Line, server: ServerKind) -> Option<View> {
    let definition = at(line, 2).filter(|text| !text.is_empty())?;
    Some(View {
        definition: definition.into(),
        invoker: at(line, 3) == Some("INVOKER"),
        collation: at(line, 4).unwrap_or_default().into(),
        charset: at(line, 5).unwrap_or_default().into(),
        is_default: at(line, 6).is_some_and(|word| word.eq_ignore_ascii_case("yes")),
        reads_id: may_read_insert_id(definition, server),
    })
}

fn at(line: &Line, place: usize) -> Option<&str> {
    line.get(place)?.as_deref()
}

/// information_schema compares names without case; two tables may differ by it alone.
fn is_of(line: &Line, physical: &Physical, exact: bool) -> bool {
    let (database, table) = (at(line, 0).unwrap_or(""), at(line, 1).unwrap_or(""));
    if exact {
        database == &*physical.database && table == &*physical.table
    } else {
        database.eq_ignore_ascii_case(&physical.database)
            && table.eq_ignore_ascii_case(&physical.table)
    }
}

fn column(line: &Line, kind: Option<Kind>) -> Option<Column> {
    let name = at(line, 2)?;
    let text = at(line, 3)?;
    let collation = at(line, 4);
    let parsed = ColumnType::parse(text, collation);
    let mut column = Column::new(name, parsed.unwrap_or(ColumnType::Other(text.into())));
    column.nullable = at(line, 5) == Some("YES");
    let extra = at(line, 7).unwrap_or("").to_ascii_lowercase();
    column.on_update = extra.contains("on update");
    column.invisible = extra.split([' ', ',']).any(|word| word == "invisible");
    column.generated = if extra.contains("virtual generated") {
        Generated::Virtual
    } else if extra.contains("stored generated") || extra.contains("persistent") {
        Generated::Stored
    } else {
        Generated::No
    };
    column.default = default(at(line, 6), &extra, column.nullable, kind);
    Some(column)
}

fn default(text: Option<&str>, extra: &str, nullable: bool, kind: Option<Kind>) -> DefaultValue {
    if extra.contains("auto_increment") {
        return DefaultValue::AutoIncrement;
    }
    let Some(text) = text else {
        return if nullable { DefaultValue::Null } else { DefaultValue::None };
    };
    let expression = || {
        let lower = text.to_ascii_lowercase();
        let word = lower.split(['(', ' ']).next().unwrap_or("");
        if matches!(word, "current_timestamp" | "now" | "localtime" | "localtimestamp") {
            DefaultValue::CurrentTimestamp
        } else {
            DefaultValue::Expression(text.into())
        }
    };
    if kind == Some(Kind::MySql) {
        // The text stands without quotes; what is an expression is said beside it.
        return if extra.contains("default_generated") {
            expression()
        } else {
            DefaultValue::Constant(text.into())
        };
    }
    // MariaDB writes the expression as it would stand in CREATE TABLE.
    if text == "NULL" {
        return DefaultValue::Null;
    }
    if let Some(inner) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return DefaultValue::Constant(unquote(inner).into());
    }
    let number = text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first));
    if number && text.parse::<f64>().is_ok() {
        return DefaultValue::Constant(text.into());
    }
    expression()
}

/// The value of a literal's inside, as MariaDB prints it.
fn unquote(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        match letter {
            '\'' => {
                // A quote inside is doubled.
                rest.next();
                value.push('\'');
            }
            '\\' => match rest.next() {
                Some('0') => value.push('\0'),
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some('Z') => value.push('\x1a'),
                Some(other) => value.push(other),
                None => {}
            },
            other => value.push(other),
        }
    }
    value
}

fn keys(lines: &[Line], table: &Table) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    for line in lines {
        let Some(name) = at(line, 2) else { continue };
        let part = KeyPart {
            column: at(line, 4).and_then(|column| table.column_index(column)),
            prefix: at(line, 5).and_then(|prefix| prefix.parse().ok()),
        };
        match keys.iter_mut().find(|key| &*key.name == name) {
            Some(key) => key.parts.push(part),
            None => keys.push(Key {
                name: name.into(),
                primary: name == "PRIMARY",
                unique: at(line, 3) == Some("0"),
                parts: vec![part],
            }),
        }
    }
    keys.sort_by_key(|key| !key.primary);
    keys
}

fn trigger(line: &Line, server: ServerKind) -> Option<Trigger> {
    let event = match at(line, 4)? {
        "INSERT" => TriggerEvent::Insert,
        "UPDATE" => TriggerEvent::Update,
        "DELETE" => TriggerEvent::Delete,
        _ => return None,
    };
    Some(Trigger {
        name: at(line, 2)?.into(),
        before: at(line, 3) == Some("BEFORE"),
        event,
        reads_id: at(line, 5).is_none_or(|body| may_read_insert_id(body, server)),
        sets: at(line, 5).is_none_or(|body| may_set_variable(body, server)),
        writes: at(line, 5).is_none_or(may_write),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_mean_what_each_kind_of_server_means_by_them() {
        use DefaultValue::{AutoIncrement, Constant, CurrentTimestamp, Expression, Null};
        let cases = [
            (Kind::MariaDb, Some("NULL"), "", true, Null),
            (Kind::MariaDb, Some("'NULL'"), "", true, Constant("NULL".into())),
            (Kind::MariaDb, Some(r"'it''s \\ here'"), "", true, Constant(r"it's \ here".into())),
            (Kind::MariaDb, Some("-1.5"), "", true, Constant("-1.5".into())),
            (Kind::MariaDb, Some("current_timestamp(3)"), "", true, CurrentTimestamp),
            (Kind::MariaDb, Some("uuid()"), "", true, Expression("uuid()".into())),
            (Kind::MariaDb, None, "", false, DefaultValue::None),
            (Kind::MySql, None, "", true, Null),
            (Kind::MySql, None, "", false, DefaultValue::None),
            (Kind::MySql, Some("NULL"), "", true, Constant("NULL".into())),
            (Kind::MySql, Some("now"), "", true, Constant("now".into())),
            (Kind::MySql, Some("CURRENT_TIMESTAMP"), "default_generated", true, CurrentTimestamp),
            (Kind::MySql, Some("uuid()"), "default_generated", true, Expression("uuid()".into())),
            (Kind::MySql, None, "auto_increment", false, AutoIncrement),
        ];
        for (kind, text, extra, nullable, expected) in cases {
            let read = default(text, extra, nullable, Some(kind));
            assert_eq!(read, expected, "{kind:?} {text:?} {extra}");
        }
    }
}
