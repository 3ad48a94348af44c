//! A table's definition as that of a temporary table with the same columns.
//!
//! Owns: what is taken over of SHOW CREATE TABLE: columns and keys as they are, so that names,
//! types, character sets, collations and flags are the table's own. Never: asks for it, or changes
//! a column.
//!
//! Left out is what temporary tables can't have or what says nothing of a column: foreign keys,
//! checks over the whole table, FULLTEXT and SPATIAL keys, partitions, counters, comments.

/// The engines that temporary tables are made with; others' tables are made with the first.
const ENGINES: [&str; 3] = ["InnoDB", "MyISAM", "Aria"];

/// `CREATE TEMPORARY TABLE` under another name from the text of SHOW CREATE TABLE; `None` where that
/// has another shape. With `loose` no key is unique: rows of several shards may be equal in keys
/// that one server would check.
pub fn definition(created: &str, name: &str, loose: bool) -> Option<String> {
    made(created, name, |item| {
        let word = item.split([' ', '(']).next().unwrap_or_default();
        match word {
            _ if item.starts_with('`') => Some(valued(item)),
            "PRIMARY" if loose => Some(item.replacen("PRIMARY KEY", "KEY", 1)),
            "UNIQUE" if loose => Some(item.replacen("UNIQUE KEY", "KEY", 1)),
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
    let open = outside_quotes(created, |byte| byte == b'(')?;
    let body = created.get(open + 1..)?;
    let close = closing(body)?;
    let (body, tail) = (body.get(..close)?, body.get(close + 1..)?);
    let kept: Vec<String> = items(body).into_iter().filter_map(|item| keep(item.trim())).collect();
    let name = name.replace('`', "``");
    Some(format!("CREATE TEMPORARY TABLE `{name}` ({}){}", kept.join(", "), options(tail)))
}

/// A column's definition; one that is generated and stored becomes a plain one, for its value depends
/// on who wrote the row (the zone of `hour(ts)`), and is moved as it is.
fn valued(item: &str) -> String {
    const GENERATED: &str = " GENERATED ALWAYS AS (";
    let stored = || {
        let (at, _) = item.match_indices(GENERATED).find(|(at, _)| {
            // The byte behind is reached only where no quote is open.
            let before = format!("{}(", item.get(..*at).unwrap_or_default());
            let mut last = None;
            outside_quotes(&before, |byte| {
                last = Some(byte);
                false
            });
            last == Some(b'(')
        })?;
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
        let made = definition(created, "t", false).unwrap();
        assert_eq!(
            made,
            "CREATE TEMPORARY TABLE `t` (`id` bigint(20) NOT NULL AUTO_INCREMENT, \
             `kind` enum('a,b','c)','d''') DEFAULT 'a,b' COMMENT 'x, \\' FOREIGN KEY', \
             `doc` longtext CHECK (json_valid(`doc`)), \
             `sum` decimal(10,2) GENERATED ALWAYS AS (`id` * (2 + 1)) VIRTUAL, \
             PRIMARY KEY (`id`), UNIQUE KEY `k` (`kind`(3)), KEY `s` (`sum`)) ENGINE=InnoDB \
             DEFAULT CHARSET=latin1 COLLATE=latin1_german1_ci"
        );
        let loose = definition(created, "t", true).unwrap();
        assert!(loose.contains(", KEY (`id`), KEY `k` (`kind`(3)), KEY `s`"), "{loose}");
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
        let plain = definition(created, "o", false).unwrap();
        assert!(
            numbered(&plain, "r", "s_")
                .unwrap()
                .contains("UNIQUE KEY `k` (`idx`), `r` BIGINT, `s_` INT, KEY (`r`)) ENGINE=InnoDB")
        );
    }

    #[test]
    fn what_is_no_table_is_not_taken_for_one() {
        assert_eq!(definition("CREATE VIEW `v` AS select 1 AS `x`", "t", false), None);
    }
}
