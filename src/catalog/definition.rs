//! Definitions of physical tables under logical names, so that shards can be compared.
//!
//! Owns: what of SHOW CREATE TABLE is the table's own definition, the names of constraints, and the
//! lines in which two definitions differ. Never: asks a server.
//!
//! Names of constraints are unique in a database, where several shards of a table may stand: the
//! physical name holds the physical table's, and is turned back everywhere.

/// A table's definition, line by line: columns in their order, then keys and constraints in the
/// order of their texts, then the options. Counters of AUTO_INCREMENT are no part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Definition(pub Vec<String>);

/// One line in which definitions differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Only the first has it.
    Without(String),
    /// Only the second has it.
    With(String),
}

impl Definition {
    /// What SHOW CREATE TABLE says of `physical`, as the definition of `logical`. `named` gives the
    /// logical name of a table that a foreign key points to.
    pub fn of(
        text: &str,
        physical: &str,
        logical: &str,
        named: &dyn Fn(&str) -> Option<String>,
    ) -> Definition {
        // Under ANSI_QUOTES.
        let ansi = text.starts_with("CREATE TABLE \"").then(|| text.replace('"', "`"));
        let text = ansi.as_deref().unwrap_or(text);
        let (mut columns, mut keys, mut options) = (Vec::new(), Vec::new(), Vec::new());
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            let line = line.strip_suffix(',').unwrap_or(line);
            if number == 0 {
                columns.push(format!("CREATE TABLE `{logical}` ("));
            } else if line.starts_with('`') {
                columns.push(line.to_owned());
            } else if options.is_empty() && !line.starts_with(')') {
                keys.push(key(line, physical, logical, named));
            } else {
                options.push(option(line));
            }
        }
        keys.sort();
        columns.extend(keys);
        columns.extend(options);
        Definition(columns)
    }

    /// The lines in which `other` differs, in the order of the definitions.
    pub fn changes(&self, other: &Definition) -> Vec<Change> {
        let (left, right) = (&self.0, &other.0);
        // lengths[i][j]: the longest common part of what begins at i and j.
        let mut lengths = vec![vec![0usize; right.len() + 1]; left.len() + 1];
        for i in (0..left.len()).rev() {
            for j in (0..right.len()).rev() {
                lengths[i][j] = match left[i] == right[j] {
                    true => lengths[i + 1][j + 1] + 1,
                    false => lengths[i + 1][j].max(lengths[i][j + 1]),
                };
            }
        }
        let (mut i, mut j) = (0, 0);
        let mut changes = Vec::new();
        while let (Some(mine), Some(theirs)) = (left.get(i), right.get(j)) {
            if mine == theirs {
                (i, j) = (i + 1, j + 1);
            } else if lengths[i + 1][j] >= lengths[i][j + 1] {
                changes.push(Change::Without(mine.clone()));
                i += 1;
            } else {
                changes.push(Change::With(theirs.clone()));
                j += 1;
            }
        }
        changes.extend(left.iter().skip(i).cloned().map(Change::Without));
        changes.extend(right.iter().skip(j).cloned().map(Change::With));
        changes
    }
}

/// A line of a key or constraint.
fn key(
    line: &str,
    physical: &str,
    logical: &str,
    named: &dyn Fn(&str) -> Option<String>,
) -> String {
    let mut line = line.to_owned();
    if let Some((before, name, behind)) = quoted(&line)
        && !before.contains('(')
    {
        line = format!("{before}`{}`{behind}", logical_constraint(name, physical, logical));
    }
    let Some((before, target)) = line.split_once(" REFERENCES ") else { return line };
    // A database in front is the shard's own.
    let target = match target.split_once("`.`") {
        Some((_, table)) => format!("`{table}"),
        None => target.to_owned(),
    };
    let target = match quoted(&target) {
        Some((_, table, behind)) => {
            let name = named(table).unwrap_or_else(|| table.to_owned());
            format!("`{name}`{behind}")
        }
        None => target,
    };
    format!("{before} REFERENCES {target}")
}

/// The first name in backticks with what stands before and behind it.
fn quoted(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('`')?;
    let (name, behind) = rest.split_once('`')?;
    Some((before, name, behind))
}

/// Options without the counter.
fn option(line: &str) -> String {
    const COUNTER: &str = " AUTO_INCREMENT=";
    let (options, comment) = match line.find(" COMMENT='") {
        Some(at) => line.split_at(at),
        None => (line, ""),
    };
    let Some((before, rest)) = options.split_once(COUNTER) else { return line.to_owned() };
    let behind = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{before}{behind}{comment}")
}

/// A constraint's name as one table would have it: without what stands in it of the physical table's
/// name, at its beginning (servers make `orders_0003_ibfk_1`) or at its end (`fk__orders_0003`).
pub fn logical_constraint(constraint: &str, physical: &str, logical: &str) -> String {
    if physical == logical {
        return constraint.to_owned();
    }
    if let Some(rest) = constraint.strip_prefix(physical)
        && rest.starts_with('_')
    {
        return format!("{logical}{rest}");
    }
    let own = constraint.strip_suffix(physical).and_then(|name| name.strip_suffix("__"));
    own.unwrap_or(constraint).to_owned()
}

/// The other way. `crowded`: other shards of the table stand in the same database.
pub fn physical_constraint(
    constraint: &str,
    physical: &str,
    logical: &str,
    crowded: bool,
) -> String {
    if physical == logical {
        return constraint.to_owned();
    }
    match constraint.strip_prefix(logical) {
        Some(rest) if rest.starts_with('_') => format!("{physical}{rest}"),
        _ if crowded => format!("{constraint}__{physical}"),
        _ => constraint.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "CREATE TABLE `orders_0000` (\n  `id` bigint(20) NOT NULL AUTO_INCREMENT,\n  \
        `note` varchar(9) DEFAULT NULL COMMENT 'a, b',\n  PRIMARY KEY (`id`),\n  \
        KEY `note` (`note`),\n  CONSTRAINT `fk__orders_0000` FOREIGN KEY (`id`) REFERENCES \
        `users_0000` (`id`)\n) ENGINE=InnoDB AUTO_INCREMENT=17 DEFAULT CHARSET=utf8mb4 \
        COMMENT='has AUTO_INCREMENT=3'";

    fn named(table: &str) -> Option<String> {
        table.starts_with("users_").then(|| "users".to_owned())
    }

    #[test]
    fn shards_with_counters_and_names_of_their_own_are_alike() {
        let second = FIRST
            .replace("_0000", "_0001")
            .replace(" AUTO_INCREMENT=17", "")
            .replace("REFERENCES `users_0001`", "REFERENCES `shop_0001`.`users_0001`");
        let first = Definition::of(FIRST, "orders_0000", "orders", &named);
        assert_eq!(first, Definition::of(&second, "orders_0001", "orders", &named));
        assert_eq!(
            first.0,
            [
                "CREATE TABLE `orders` (",
                "`id` bigint(20) NOT NULL AUTO_INCREMENT",
                "`note` varchar(9) DEFAULT NULL COMMENT 'a, b'",
                "CONSTRAINT `fk` FOREIGN KEY (`id`) REFERENCES `users` (`id`)",
                "KEY `note` (`note`)",
                "PRIMARY KEY (`id`)",
                ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='has AUTO_INCREMENT=3'",
            ]
        );
    }

    #[test]
    fn the_lines_that_differ_are_named() {
        let other =
            FIRST.replace("varchar(9)", "varchar(10)").replace("  KEY `note` (`note`),\n", "");
        let first = Definition::of(FIRST, "orders_0000", "orders", &named);
        let changes = first.changes(&Definition::of(&other, "orders_0000", "orders", &named));
        assert_eq!(
            changes,
            [
                Change::Without("`note` varchar(9) DEFAULT NULL COMMENT 'a, b'".to_owned()),
                Change::With("`note` varchar(10) DEFAULT NULL COMMENT 'a, b'".to_owned()),
                Change::Without("KEY `note` (`note`)".to_owned()),
            ]
        );
        assert_eq!(first.changes(&first), []);
    }

    #[test]
    fn names_of_constraints_go_there_and_back() {
        for (name, physical, crowded, expected) in [
            ("orders_ibfk_1", "orders_0003", true, "orders_0003_ibfk_1"),
            ("fk_user", "orders_0003", true, "fk_user__orders_0003"),
            ("fk_user", "orders_0003", false, "fk_user"),
            ("fk_user", "orders", true, "fk_user"),
        ] {
            assert_eq!(physical_constraint(name, physical, "orders", crowded), expected);
            assert_eq!(logical_constraint(expected, physical, "orders"), name);
        }
        assert_eq!(logical_constraint("orders_00031_x", "orders_0003", "orders"), "orders_00031_x");
    }
}
