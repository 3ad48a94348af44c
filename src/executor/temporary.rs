//! A table's definition as that of a temporary table with the same columns.
//!
//! Owns: what is taken over of SHOW CREATE TABLE: columns and keys as they are, so that names,
//! types, character sets, collations and flags are the table's own. Never: asks for it, or changes
//! a column.
//!
//! Left out is what temporary tables can't have or what says nothing of a column: foreign keys,
//! checks over the whole table, FULLTEXT and SPATIAL keys, partitions, counters, comments.

use crate::catalog::Table;
use crate::planner::workbench::{Moved, columns};
use crate::value::types::ColumnType;

/// The engines that temporary tables are made with; others' tables are made with the first.
const ENGINES: [&str; 3] = ["InnoDB", "MyISAM", "Aria"];

/// `CREATE TEMPORARY TABLE` under another name from the text of SHOW CREATE TABLE; `None` where that
/// has another shape. With `loose` no key is unique: rows of several shards may be equal in keys
/// that one server would check. `moved` are the columns that get values: a default that is computed for
/// each row goes; without them defaults stay as they are.
pub fn definition(
    created: &str,
    name: &str,
    loose: bool,
    moved: Option<&[Moved]>,
) -> Option<String> {
    let (body, _) = body(created)?;
    // Its column must be the first of a key.
    let counter = items(body)
        .into_iter()
        .map(str::trim)
        .find(|item| item.match_indices(" AUTO_INCREMENT").any(|(at, _)| is_outside(item, at)));
    let counter = counter.and_then(|item| Some(format!("`{}`", column_name(item)?.0)));
    made(created, name, |item| {
        let word = item.split([' ', '(']).next().unwrap_or_default();
        match word {
            _ if item.starts_with('`') => Some(match moved {
                None => valued(item),
                Some(moved) => {
                    let of =
                        |name: &str| moved.is_empty() || moved.iter().any(|m| *m.name == *name);
                    let gets =
                        column_name(item).is_none_or(|(name, _)| of(&name.replace("``", "`")));
                    constant(&valued(item), gets)
                }
            }),
            "PRIMARY" if loose => Some(item.replacen("PRIMARY KEY", "KEY", 1)),
            // Not every unique key can be a plain one: MariaDB's over whole texts can't.
            "UNIQUE" if loose => counter
                .as_ref()
                .filter(|counter| item.contains(counter.as_str()))
                .map(|_| item.replacen("UNIQUE KEY", "KEY", 1)),
            "PRIMARY" | "UNIQUE" | "KEY" => Some(item.to_owned()),
            _ => None,
        }
    })
}

/// The same for a table that new rows are made in: it has no key, so that rows stay in their order
/// and none is refused for another one. The column `auto` may be left out or NULL.
pub fn for_rows(created: &str, name: &str, auto: Option<&str>) -> Option<String> {
    let auto = auto.map(|auto| format!("`{}` ", auto.replace('`', "``")));
    made(created, name, |item| {
        if !item.starts_with('`') {
            return None;
        }
        let counts = auto.as_ref().is_some_and(|auto| item.starts_with(auto.as_str()));
        let item = item.replacen(" AUTO_INCREMENT", "", usize::from(counts));
        Some(item.replacen(" NOT NULL", "", usize::from(counts)))
    })
}

/// A definition with further columns: one that numbers the rows, and one for their shards.
pub fn numbered(definition: &str, row: &str, shard: &str) -> Option<String> {
    let open = outside_quotes(definition, |byte| byte == b'(')?;
    let close = open + 1 + closing(definition.get(open + 1..)?)?;
    let (head, tail) = definition.split_at_checked(close)?;
    Some(format!("{head}, `{row}` BIGINT, `{shard}` INT, KEY (`{row}`){tail}"))
}

/// The parts of SHOW CREATE TABLE's body that `keep` takes over, in a temporary table.
fn made(created: &str, name: &str, keep: impl Fn(&str) -> Option<String>) -> Option<String> {
    let (body, tail) = body(created)?;
    let kept: Vec<String> = items(body).into_iter().filter_map(|item| keep(item.trim())).collect();
    let name = name.replace('`', "``");
    Some(format!("CREATE TEMPORARY TABLE `{name}` ({}){}", kept.join(", "), options(tail)))
}

/// What stands between the outermost parentheses, and behind them.
fn body(created: &str) -> Option<(&str, &str)> {
    let open = outside_quotes(created, |byte| byte == b'(')?;
    let body = created.get(open + 1..)?;
    let close = closing(body)?;
    Some((body.get(..close)?, body.get(close + 1..)?))
}

/// Whether a table isn't what it was planned as: other columns, or values that travel in another
/// form.
pub fn differs(created: &str, known: &Table) -> bool {
    let Some((body, _)) = body(created) else { return false };
    let found = items(body).into_iter().filter_map(|item| column_name(item.trim()));
    let mut columns = known.columns.iter();
    for (name, kind) in found {
        let Some(column) = columns.next() else { return true };
        let form = ColumnType::parse(kind, None).as_ref().map(columns::form);
        let same = form.is_none_or(|form| form == columns::form(&column.kind));
        if name.replace("``", "`") != *column.name || !same {
            return true;
        }
    }
    columns.next().is_some()
}

/// The name of a column as it stands between its quotes, and what follows.
fn column_name(item: &str) -> Option<(&str, &str)> {
    let text = item.strip_prefix('`')?;
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find('`')?;
        if text.get(at + 1..)?.starts_with('`') {
            from = at + 2;
            continue;
        }
        return Some((text.get(..at)?, text.get(at + 1..)?));
    }
}

/// Whether a place of a definition is in no quotes.
fn is_outside(item: &str, at: usize) -> bool {
    // The byte behind is reached only where no quote is open.
    let before = format!("{}(", item.get(..at).unwrap_or_default());
    let mut last = None;
    outside_quotes(&before, |byte| {
        last = Some(byte);
        false
    });
    last == Some(b'(')
}

/// A column's definition without a default that is computed for each row: a sequence would move, and
/// it may not be there. A column that gets values keeps one that only computes, for its flags.
fn constant(item: &str, gets_values: bool) -> String {
    const DEFAULT: &str = " DEFAULT ";
    let cut = || {
        let (at, _) = item.match_indices(DEFAULT).find(|(at, _)| is_outside(item, *at))?;
        let value = item.get(at + DEFAULT.len()..)?;
        let lower = value.to_ascii_lowercase();
        let plain = ["null", "current_timestamp", "curdate", "curtime", "true", "false"];
        let begins = lower.bytes().next()?;
        let quoted = lower.as_bytes().get(1) == Some(&b'\'') || lower.starts_with('_');
        if matches!(begins, b'\'' | b'"' | b'-' | b'0'..=b'9')
            || quoted
            || plain.iter().any(|word| lower.starts_with(word))
        {
            return None;
        }
        let mut depth = 0usize;
        let end = outside_quotes(value, |byte| {
            match byte {
                b'(' => depth += 1,
                b')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            byte == b' ' && depth == 0
        });
        let (value, behind) = value.split_at(end.unwrap_or(value.len()));
        let counts = ["nextval", "lastval", "setval", "next value"];
        let counts = counts.iter().any(|word| value.to_ascii_lowercase().contains(word));
        if gets_values && !counts {
            return None;
        }
        let instead = if gets_values { " DEFAULT 0" } else { "" };
        Some(format!("{}{instead}{behind}", item.get(..at)?))
    };
    cut().unwrap_or_else(|| item.to_owned())
}

/// A column's definition; one that is generated and stored becomes a plain one, for its value depends
/// on who wrote the row (the zone of `hour(ts)`), and is moved as it is.
fn valued(item: &str) -> String {
    const GENERATED: &str = " GENERATED ALWAYS AS (";
    let stored = || {
        let (at, _) = item.match_indices(GENERATED).find(|(at, _)| is_outside(item, *at))?;
        let expression = item.get(at + GENERATED.len()..)?;
        let behind = expression.get(closing(expression)? + 1..)?;
        let rest = behind.strip_prefix(" STORED").or_else(|| behind.strip_prefix(" PERSISTENT"))?;
        Some(format!("{}{rest}", item.get(..at)?))
    };
    stored().unwrap_or_else(|| item.to_owned())
}

/// `CREATE TEMPORARY TABLE` with the columns of a view: its rows of SHOW FULL COLUMNS (name, type,
/// collation, whether it may be NULL).
pub fn of_view(rows: &[Vec<Option<Vec<u8>>>], name: &str) -> Option<String> {
    let text = |row: &[Option<Vec<u8>>], place: usize| {
        row.get(place)?.as_deref().map(|text| String::from_utf8_lossy(text).into_owned())
    };
    let mut columns = Vec::new();
    for row in rows {
        let (field, kind) = (text(row, 0)?.replace('`', "``"), text(row, 1)?);
        let collation = text(row, 2).filter(|collation| collation != "NULL");
        let collation = collation.map_or_else(String::new, |name| format!(" COLLATE {name}"));
        // A TIMESTAMP that says nothing of NULL would get a default of its own.
        let null = if text(row, 3).as_deref() == Some("NO") { " NOT NULL" } else { " NULL" };
        columns.push(format!("`{field}` {kind}{collation}{null}"));
    }
    let name = name.replace('`', "``");
    let columns = columns.join(", ");
    (!rows.is_empty())
        .then(|| format!("CREATE TEMPORARY TABLE `{name}` ({columns}) ENGINE={}", ENGINES[0]))
}

/// What of the table's options decides about its columns.
fn options(tail: &str) -> String {
    // The comment and the partitions come last, and only the former may look like an option.
    let tail = tail.split(" COMMENT='").next().unwrap_or(tail);
    let value = |name: &str| {
        let (_, rest) = tail.split_once(name)?;
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        rest.get(..end.unwrap_or(rest.len()))
    };
    let engine = value("ENGINE=").filter(|engine| ENGINES.contains(engine)).unwrap_or(ENGINES[0]);
    let mut text = format!(" ENGINE={engine}");
    for option in ["DEFAULT CHARSET=", "COLLATE="] {
        if let Some(value) = value(option) {
            text.push_str(&format!(" {option}{value}"));
        }
    }
    text
}

/// What stands between the commas that are in no quotes and no parentheses.
fn items(body: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let mut rest = body;
    loop {
        let mut depth = 0usize;
        let comma = outside_quotes(rest, |byte| {
            match byte {
                b'(' => depth += 1,
                b')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            byte == b',' && depth == 0
        });
        let Some(comma) = comma else {
            items.push(rest);
            return items;
        };
        let (item, behind) = rest.split_at(comma);
        items.push(item);
        rest = behind.get(1..).unwrap_or_default();
    }
}

/// The place of the `)` that closes what was opened before.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1usize;
    outside_quotes(text, |byte| {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        depth == 0
    })
}

/// The first byte that passes a test and stands in no quotes.
fn outside_quotes(text: &str, mut test: impl FnMut(u8) -> bool) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (place, byte) in text.bytes().enumerate() {
        match quote {
            // A doubled quote ends it and begins it again, which comes to the same.
            Some(_) if escaped => escaped = false,
            Some(b'\'' | b'"') if byte == b'\\' => escaped = true,
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None if matches!(byte, b'\'' | b'"' | b'`') => quote = Some(byte),
            None if test(byte) => return Some(place),
            None => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Column;

    #[test]
    fn columns_keys_and_charsets_stay_and_the_rest_goes() {
        let created = "CREATE TABLE `orders_00` (\n  `id` bigint(20) NOT NULL AUTO_INCREMENT,\n  \
             `kind` enum('a,b','c)','d''') DEFAULT 'a,b' COMMENT 'x, \\' FOREIGN KEY',\n  \
             `doc` longtext CHECK (json_valid(`doc`)),\n  \
             `sum` decimal(10,2) GENERATED ALWAYS AS (`id` * (2 + 1)) VIRTUAL,\n  \
             PRIMARY KEY (`id`),\n  UNIQUE KEY `k` (`kind`(3)),\n  KEY `s` (`sum`),\n  \
             FULLTEXT KEY `f` (`doc`),\n  \
             CONSTRAINT `fk` FOREIGN KEY (`id`) REFERENCES `o` (`id`) ON DELETE CASCADE,\n  \
             CONSTRAINT `ck` CHECK (`id` > 0)\n) ENGINE=InnoDB AUTO_INCREMENT=7 \
             DEFAULT CHARSET=latin1 COLLATE=latin1_german1_ci COMMENT='ENGINE=x'\n\
             /*!50100 PARTITION BY HASH (`id`) PARTITIONS 4 */";
        let made = definition(created, "t", false, None).unwrap();
        assert_eq!(
            made,
            "CREATE TEMPORARY TABLE `t` (`id` bigint(20) NOT NULL AUTO_INCREMENT, \
             `kind` enum('a,b','c)','d''') DEFAULT 'a,b' COMMENT 'x, \\' FOREIGN KEY', \
             `doc` longtext CHECK (json_valid(`doc`)), \
             `sum` decimal(10,2) GENERATED ALWAYS AS (`id` * (2 + 1)) VIRTUAL, \
             PRIMARY KEY (`id`), UNIQUE KEY `k` (`kind`(3)), KEY `s` (`sum`)) ENGINE=InnoDB \
             DEFAULT CHARSET=latin1 COLLATE=latin1_german1_ci"
        );
        let loose = definition(created, "t", true, None).unwrap();
        assert!(loose.contains(", KEY (`id`), KEY `s`"), "{loose}");
    }

    #[test]
    fn stored_values_are_moved_and_virtual_ones_computed() {
        for (item, expected) in [
            ("`a` int GENERATED ALWAYS AS (hour(`t)`)) STORED NOT NULL", "`a` int NOT NULL"),
            ("`a` int GENERATED ALWAYS AS (`b` + 1) PERSISTENT", "`a` int"),
            (
                "`a` int GENERATED ALWAYS AS (`b`) VIRTUAL",
                "`a` int GENERATED ALWAYS AS (`b`) VIRTUAL",
            ),
            (
                "`a` int COMMENT ' GENERATED ALWAYS AS (1) STORED'",
                "`a` int COMMENT ' GENERATED ALWAYS AS (1) STORED'",
            ),
        ] {
            assert_eq!(valued(item), expected);
        }
    }

    #[test]
    fn new_rows_have_no_keys_and_may_leave_the_counter_out() {
        let created = "CREATE TABLE `o` (\n  `id` bigint(20) NOT NULL AUTO_INCREMENT,\n  \
             `idx` int(11) NOT NULL,\n  `s` int(11) GENERATED ALWAYS AS (`id`) STORED,\n  \
             PRIMARY KEY (`id`),\n  UNIQUE KEY `k` (`idx`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4";
        assert_eq!(
            for_rows(created, "o", Some("id")).unwrap(),
            "CREATE TEMPORARY TABLE `o` (`id` bigint(20), `idx` int(11) NOT NULL, \
             `s` int(11) GENERATED ALWAYS AS (`id`) STORED) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
        );
        let plain = definition(created, "o", false, None).unwrap();
        assert!(
            numbered(&plain, "r", "s_")
                .unwrap()
                .contains("UNIQUE KEY `k` (`idx`), `r` BIGINT, `s_` INT, KEY (`r`)) ENGINE=InnoDB")
        );
    }

    #[test]
    fn a_default_that_is_computed_goes_where_it_would_be() {
        let moved = [Moved { name: "a".into(), form: columns::form(&ColumnType::Json) }];
        let created = "CREATE TABLE `x` (`a` int DEFAULT (1 + 1), `b` char(36) DEFAULT uuid() COMMENT 'b',\
             `c` int NOT NULL DEFAULT nextval(`d`.`s`), `e` int DEFAULT 5, `f` bit(1) DEFAULT b'0',\
             `g` datetime DEFAULT current_timestamp() ON UPDATE current_timestamp(), \
             `h` varchar(9) DEFAULT ' DEFAULT x()') ENGINE=InnoDB";
        assert_eq!(
            definition(created, "t", false, Some(&moved)).unwrap(),
            "CREATE TEMPORARY TABLE `t` (`a` int DEFAULT (1 + 1), `b` char(36) COMMENT 'b', \
             `c` int NOT NULL, `e` int DEFAULT 5, `f` bit(1) DEFAULT b'0', \
             `g` datetime DEFAULT current_timestamp() ON UPDATE current_timestamp(), \
             `h` varchar(9) DEFAULT ' DEFAULT x()') ENGINE=InnoDB"
        );
        let all = definition(created, "t", false, Some(&[])).unwrap();
        assert!(all.contains("`c` int NOT NULL DEFAULT 0, "), "{all}");
    }

    #[test]
    fn a_changed_table_is_known_by_its_columns() {
        let column = |name: &str, kind: &str| {
            Column::new(name, ColumnType::parse(kind, Some("utf8mb4_bin")).unwrap())
        };
        let known = Table::new("t", vec![column("id", "bigint(20)"), column("a`b", "varchar(9)")]);
        let created = |columns: &str| format!("CREATE TABLE `t_1` ({columns}) ENGINE=InnoDB");
        let same =
            "`id` bigint(20) unsigned NOT NULL, `a``b` varchar(9) COMMENT 'x, `c` int', KEY (`id`)";
        assert!(!differs(&created(same), &known));
        for columns in [
            "`id` bigint(20)",
            "`id` bigint(20), `a``b` varchar(9), `c` int",
            "`a``b` varchar(9), `id` bigint(20)",
            "`id` varchar(20), `a``b` varchar(9)",
        ] {
            assert!(differs(&created(columns), &known), "{columns}");
        }
    }

    #[test]
    fn what_is_no_table_is_not_taken_for_one() {
        assert_eq!(definition("CREATE VIEW `v` AS select 1 AS `x`", "t", false, None), None);
    }
}
