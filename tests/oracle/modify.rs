//! Random writes: INSERT in all its forms, REPLACE, UPDATE, DELETE, several tables at once.
//!
//! Owns: writes whose outcome is fixed: LIMIT only with an ORDER BY of something unique, and no two
//! rows of one statement that meet in a unique key where their order would matter.

use mysql_async::Value;

use crate::oracle::expression::{Maker, Want, parameter, plain_quoted, wanted};
use crate::oracle::forms::Type;
use crate::oracle::from::source_of;
use crate::oracle::schema::{Field, Place, Table};
use crate::oracle::templates;
use crate::oracle::tree::{Mark, Node, commas, expr, list, marked, maybe, row, text};
use crate::support::servers::Kind;

/// A write and the tables whose rows it may change.
pub struct Write {
    pub node: Node,
    pub tables: Vec<&'static str>,
}

impl Maker<'_> {
    pub fn write(&mut self) -> Write {
        self.scope.clear();
        self.outer.clear();
        self.nesting = 1;
        let table = self.target();
        let node = match self.dice.below(100) {
            // Its rows are numbered as they stand in it.
            0..=34 => marked(Mark::Written, self.insert(&table)),
            35..=42 => self.insert_select(&table),
            43..=70 => self.update(&table),
            71..=82 => self.delete(&table),
            83..=88 => self.insert_from(&table),
            89..=92 => self.by_query(&table),
            93..=96 => {
                let (made, tables) = self.update_joined();
                return Write { node: marked(Mark::ErrorsVary, made), tables };
            }
            _ => {
                let (made, tables) = self.delete_joined();
                return Write { node: marked(Mark::ErrorsVary, made), tables };
            }
        };
        // Which row fails first depends on the order in which they are read.
        Write { node: marked(Mark::ErrorsVary, node), tables: vec![table.name] }
    }

    fn target(&mut self) -> Table {
        let tables = self.tables;
        let keyed: Vec<&Table> = tables.iter().filter(|t| t.place == Place::Keyed).collect();
        if self.dice.chance(60) {
            (*self.dice.pick(&keyed)).clone()
        } else {
            self.dice.pick(tables).clone()
        }
    }

    /// A value for a column: mostly one that it stores, now and then something to convert. Without a
    /// strict mode, NULL in a NOT NULL column is an error in an INSERT of one row and a warning in one
    /// of several; a row that is alone on its shard is the former there, which the README tells.
    fn value(&mut self, field: &Field, key: bool) -> Node {
        if field.name == "id" {
            let id = if self.dice.chance(35) {
                self.dice.below(50)
            } else {
                1000 + self.dice.below(9000)
            };
            return self.literal(&id.to_string());
        }
        let stored = field.stored(&mut self.dice);
        match self.dice.below(20) {
            0 if !key => text("DEFAULT"),
            1 if field.nullable => text("NULL"),
            // IGNORE covers MariaDB's CHECK of a JSON text in an INSERT of several rows only.
            2 if !key && field.nullable && field.form.kind != Type::Json => {
                self.scope.clear();
                let want = wanted(field.form.kind).unwrap_or(Want::Text);
                // A split INSERT is sent as text, where a parameter has a literal's collation.
                self.expression(want, 1).fixed()
            }
            3 if field.form.kind != Type::Json => {
                let pool = templates::FREE_TEXTS;
                let odd = *self.dice.pick(pool);
                let literal = self.literal(odd);
                // See below.
                if odd.is_ascii() { literal } else { literal.fixed() }
            }
            4..=9 => match stored.is_ascii() {
                true => self.literal(&stored),
                false => self.literal(&stored).fixed(),
            },
            _ => {
                // As text, MySQL cuts what the column's charset lacks; as a parameter it refuses it.
                let value = parameter(&stored).filter(|_| stored.is_ascii());
                Node::Literal { text: stored, value }
            }
        }
    }

    fn insert(&mut self, table: &Table) -> Node {
        let word = match self.dice.below(12) {
            0..=1 => "REPLACE INTO",
            2 => "REPLACE",
            3..=4 => "INSERT IGNORE INTO",
            5 => "INSERT",
            6 => "INSERT LOW_PRIORITY INTO",
            _ => "INSERT INTO",
        };
        let word = self.followed(table, word);
        // Which columns, in which order; the keys always.
        let mut columns: Vec<usize> = (0..table.keys).collect();
        for index in table.keys..table.fields.len() {
            if self.dice.chance(70) {
                let place = self.dice.index(columns.len() + 1);
                columns.insert(place, index);
            }
        }
        let all = self.dice.chance(20);
        if all {
            columns = (0..table.fields.len()).collect();
        }
        let name = self.written_name(table);
        if !word.starts_with("REPLACE") && self.dice.chance(6) {
            return self.insert_set(table, word, &columns);
        }
        // Rows that are computed before they have a shard can't have an alias: the manual says so.
        let on_mysql = self.kind == Kind::MySql;
        let aliased = on_mysql && word == "INSERT INTO" && self.dice.chance(14);
        let rows = 1 + if self.dice.chance(50) { self.dice.below(5) } else { 0 };
        let rows: Vec<Node> = (0..rows)
            .map(|_| {
                let values: Vec<Node> = columns
                    .iter()
                    .map(|&index| match aliased && index < table.keys {
                        true if table.fields[index].name == "id" => {
                            text(self.dice.below(60).to_string())
                        }
                        true => text(table.fields[index].stored(&mut self.dice)),
                        false => self.value(&table.fields[index], index < table.keys),
                    })
                    .collect();
                let width = values.len();
                row([text("("), list(values, ", ", width), text(")")])
            })
            .collect();
        let names: Vec<&str> = columns.iter().map(|&i| table.fields[i].name.as_str()).collect();
        let names = if all { String::new() } else { format!("({})", names.join(", ")) };
        let mut values = *self.dice.pick(&["VALUES", "VALUES", "VALUE"]);
        let (mut alias, mut rows) = (String::new(), rows);
        let update = match word == "INSERT INTO" && (aliased || self.dice.chance(30)) {
            true if self.has_indexes(table) => Node::Nothing,
            true if aliased => {
                let calls = |index: usize| format!("w{index}");
                let called = match self.dice.chance(40) && !names.is_empty() {
                    true => {
                        let all: Vec<String> = (0..columns.len()).map(calls).collect();
                        alias = format!("AS given ({})", all.join(", "));
                        true
                    }
                    false => {
                        alias = "AS given".to_owned();
                        false
                    }
                };
                let given = |name: &str| {
                    let place = columns.iter().position(|&i| table.fields[i].name == name)?;
                    Some(if called { calls(place) } else { format!("given.{name}") })
                };
                self.on_duplicate(table, &given)
            }
            true => self.on_duplicate(table, &|name| Some(format!("VALUES({name})"))),
            false => Node::Nothing,
        };
        if on_mysql && alias.is_empty() && self.dice.chance(15) {
            let constructed = |made| row([text("ROW"), made]);
            rows = rows.into_iter().map(constructed).collect();
            values = "VALUES";
        }
        let returning = self.returning(table);
        let rows = row([commas(rows), text(alias)]);
        row([text(word), text(name), text(names), text(values), rows, update, returning])
    }

    fn insert_set(&mut self, table: &Table, word: &str, columns: &[usize]) -> Node {
        let assigned = columns
            .iter()
            .map(|&index| {
                let field = &table.fields[index];
                let value = self.value(field, index < table.keys);
                row([text(format!("{} =", field.name)), value])
            })
            .collect();
        let returning = self.returning(table);
        row([text(word), text(table.name), text("SET"), commas(assigned), returning])
    }

    /// Rows that a server may skip, replace or change instead are refused where the table has global
    /// indexes, which couldn't follow: the manual says so.
    fn has_indexes(&self, table: &Table) -> bool {
        self.indexed && table.place == Place::Keyed
    }

    fn followed(&self, table: &Table, word: &'static str) -> &'static str {
        if self.has_indexes(table) { "INSERT INTO" } else { word }
    }

    /// `given` names the value that a row brings for a column, if it brings one.
    fn on_duplicate(&mut self, table: &Table, given: &dyn Fn(&str) -> Option<String>) -> Node {
        let mut assigned = Vec::new();
        for _ in 0..1 + self.dice.below(2) {
            let Some(field) = self.plain_field(table) else { continue };
            let (name, kind) = (field.name.clone(), field.form.kind);
            let (own, new) = (format!("{}.{name}", table.name), given(&name));
            assigned.push(match (self.dice.below(9), new) {
                (0, Some(new)) => text(format!("{name} = {new}")),
                (1, _) if kind == Type::Whole => text(format!("{name} = {own} DIV 2 + 1")),
                (2 | 3, Some(new)) => text(format!("{name} = IFNULL({new}, {own})")),
                (4, Some(new)) if kind == Type::Whole => {
                    text(format!("{name} = {own} DIV 2 + {new} DIV 2"))
                }
                (5, Some(new)) if field.form.sortable() => {
                    text(format!("{name} = IF({new} > {own}, {new}, {own})"))
                }
                (6, Some(new)) if kind == Type::Text => {
                    text(format!("{name} = LEFT(CONCAT({new}, {own}), 6)"))
                }
                _ => {
                    let value = self.value(&field, false);
                    row([text(format!("{name} =")), value])
                }
            });
        }
        if assigned.is_empty() {
            return Node::Nothing;
        }
        maybe(row([text("ON DUPLICATE KEY UPDATE"), commas(assigned)]))
    }

    /// A column that is no key.
    fn plain_field(&mut self, table: &Table) -> Option<Field> {
        let plain = &table.fields[table.keys..];
        if plain.is_empty() { None } else { Some(self.dice.pick(plain).clone()) }
    }

    fn written_name(&mut self, table: &Table) -> String {
        match self.dice.below(8) {
            0 => format!("`{}`", table.name),
            1 => format!("{}.{}", self.schema, table.name),
            _ => table.name.to_owned(),
        }
    }

    fn insert_select(&mut self, table: &Table) -> Node {
        let word = *self.dice.pick(&["INSERT INTO", "INSERT IGNORE INTO", "REPLACE INTO"]);
        let word = self.followed(table, word);
        let names: Vec<&str> =
            table.fields[..table.keys].iter().map(|field| field.name.as_str()).collect();
        let columns = names.join(", ");
        let shift = self.dice.below(3) * 2000;
        let select: Vec<String> = names
            .iter()
            .map(|name| if *name == "id" { format!("id + {shift}") } else { (*name).to_owned() })
            .collect();
        let folds = table.fields[..table.keys].iter().any(|field| field.form.folds());
        if !folds && self.dice.chance(30) {
            return self.insert_groups(table, word);
        }
        self.scope = vec![source_of(table, table.name)];
        let condition = self.filter(false);
        row([
            text(format!(
                "{word} {} ({columns}) SELECT {} FROM {}",
                table.name,
                select.join(", "),
                table.name
            )),
            condition,
            self.returning(table),
        ])
    }

    /// Rows that are computed of many: of no text that stands for its equals.
    fn insert_groups(&mut self, table: &Table, word: &str) -> Node {
        let keys: Vec<&str> =
            table.fields[..table.keys - 1].iter().map(|field| field.name.as_str()).collect();
        let columns: String = keys.iter().map(|key| format!("{key}, ")).collect();
        let shown: String = keys.iter().map(|key| format!("x.{key}, ")).collect();
        let first = 3000 + self.dice.below(5000);
        let groups = match keys.is_empty() {
            true => String::new(),
            false => {
                let keys: Vec<String> = keys.iter().map(|key| format!("x.{key}")).collect();
                format!("GROUP BY {}", keys.join(", "))
            }
        };
        let other = self.dice.pick(self.tables).name;
        let join = match self.dice.chance(50) {
            true => format!("JOIN {other} y ON x.id = y.id"),
            false => String::new(),
        };
        let name = table.name;
        let made = row([
            text(format!(
                "{word} {name} ({columns}id) SELECT {shown}COUNT(*) + {first} FROM {name} x"
            )),
            maybe(text(join)),
            text(groups),
        ]);
        marked(Mark::WarningsVary, made)
    }

    /// WHERE of a write: often by key.
    fn filter(&mut self, always: bool) -> Node {
        let mut parts = Vec::new();
        if self.dice.chance(45) {
            parts.extend(self.on_key());
        }
        if self.dice.chance(35) {
            let id = self.dice.below(50).to_string();
            let alias = self.scope[0].alias.clone();
            let alias = plain_quoted(&alias);
            let operator = *self.dice.pick(&["=", "<", ">", "=", "="]);
            parts.push(expr([text(format!("{alias}.id {operator}")), self.literal(&id)]));
        }
        if parts.is_empty() || self.dice.chance(35) {
            parts.push(self.truth(1));
        }
        // Which rows the later parts see is the server's choice.
        let several = parts.len() > 1 || self.scope.len() > 1;
        let filter = row([text("WHERE"), list(parts, " AND ", 1)]);
        let filter = if several { marked(Mark::WarningsVary, filter) } else { filter };
        if always { filter } else { maybe(filter) }
    }

    fn update(&mut self, table: &Table) -> Node {
        let alias = self.dice.chance(15);
        self.scope = vec![source_of(table, if alias { "u" } else { table.name })];
        let word = *self.dice.pick(&["UPDATE", "UPDATE", "UPDATE", "UPDATE IGNORE"]);
        let word = if self.has_indexes(table) { "UPDATE" } else { word };
        let mut assigned = Vec::new();
        for _ in 0..1 + self.dice.below(3) {
            let (node, _) = self.assignment(table, alias);
            assigned.push(node);
        }
        let name = self.written_name(table);
        let name = if alias { format!("{name} AS u") } else { name };
        let filter = self.filter(false);
        let tail = self.write_tail();
        row([text(word), text(name), text("SET"), commas(assigned), filter, tail])
    }

    /// `column = value`; the shard key itself now and then.
    fn assignment(&mut self, table: &Table, alias: bool) -> (Node, Field) {
        let key = self.dice.chance(4);
        let field = match (key, self.plain_field(table)) {
            (false, Some(field)) => field,
            _ => table.fields[0].clone(),
        };
        let qualifier = if alias && self.dice.chance(50) { "u." } else { "" };
        // A day without a month has no place by a date.
        let stored =
            key && matches!(wanted(field.form.kind), Some(Want::Moment)) && table.sharded();
        let value = match self.dice.below(5) {
            _ if stored => self.value(&field, true),
            0..=2 => self.value(&field, false),
            3 if field.form.kind == Type::Whole => text(format!("{} DIV 2", field.name)),
            _ => match wanted(field.form.kind) {
                Some(want) => self.expression(want, 1),
                None => text("NULL"),
            },
        };
        self.scope = vec![source_of(table, if alias { "u" } else { table.name })];
        (row([text(format!("{qualifier}{} =", field.name)), value]), field)
    }

    /// ORDER BY something unique, and LIMIT.
    fn write_tail(&mut self) -> Node {
        if !self.dice.chance(18) {
            return Node::Nothing;
        }
        let tie = self.tie();
        // How many rows are looked at before the last one is found is the server's choice.
        let limit = self.bound_limit(6);
        let limit = maybe(marked(Mark::WarningsVary, limit));
        maybe(row([text("ORDER BY"), tie, limit]))
    }

    /// LIMIT, of a parameter where the statement is prepared.
    fn bound_limit(&mut self, below: u64) -> Node {
        let number = self.dice.below(below);
        let value = Some(Value::UInt(number)).filter(|_| self.dice.chance(50));
        row([text("LIMIT"), Node::Literal { text: number.to_string(), value }])
    }

    fn delete(&mut self, table: &Table) -> Node {
        self.scope = vec![source_of(table, table.name)];
        let word = *self.dice.pick(&[
            "DELETE FROM",
            "DELETE FROM",
            "DELETE IGNORE FROM",
            "DELETE QUICK FROM",
        ]);
        let filter = self.filter(true);
        let tail = self.write_tail();
        let name = self.written_name(table);
        let returning = self.returning(table);
        row([text(word), text(name), filter, tail, returning])
    }

    /// What a write shows of its rows, on MariaDB: of single tables alone, as the manual says.
    fn returning(&mut self, table: &Table) -> Node {
        let single = matches!(table.place, Place::Single { .. });
        if !single || self.kind != Kind::MariaDb || !self.dice.chance(35) {
            return Node::Nothing;
        }
        self.scope = vec![source_of(table, table.name)];
        if self.dice.chance(25) {
            return maybe(text("RETURNING *"));
        }
        let items = (0..1 + self.dice.below(3))
            .map(|number| {
                let want = *self.dice.pick(&[Want::Number, Want::Text, Want::Moment, Want::Truth]);
                let item =
                    if self.dice.chance(60) { self.any_column() } else { self.expression(want, 2) };
                let alias =
                    if self.dice.chance(30) { format!("AS r{number}") } else { String::new() };
                row([item, text(alias)])
            })
            .collect();
        maybe(row([text("RETURNING"), commas(items)]))
    }

    /// Rows of one table into another, whose shards are other ones.
    fn insert_from(&mut self, table: &Table) -> Node {
        let words = ["INSERT INTO", "INSERT INTO", "INSERT IGNORE INTO", "REPLACE INTO"];
        let word = *self.dice.pick(&words);
        let word = self.followed(table, word);
        // A server takes its own rows out of a temporary table, whose values are converted more
        // strictly, or less.
        let others: Vec<Table> =
            self.tables.iter().filter(|other| other.name != table.name).cloned().collect();
        let from = self.dice.pick(&others).clone();
        let scope = vec![source_of(&from, "v")];
        let shift = self.dice.below(3) * 700;
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (index, field) in table.fields.iter().enumerate() {
            let same = from.fields.iter().find(|other| other.form.sql == field.form.sql);
            let value = match field.name.as_str() {
                "id" => text(format!("v.id + {shift}")),
                _ if index >= table.keys && self.dice.chance(40) => continue,
                // Days without a month have no place by a date.
                _ if index < table.keys => match same {
                    Some(same) if field.form.kind != Type::Date && self.dice.chance(70) => {
                        text(format!("v.{}", same.name))
                    }
                    _ => text(field.stored(&mut self.dice)),
                },
                _ => {
                    self.scope.clone_from(&scope);
                    match (self.dice.below(4), same, wanted(field.form.kind)) {
                        (0 | 1, Some(same), _) => text(format!("v.{}", same.name)),
                        (2, _, Some(want)) => self.expression(want, 1),
                        _ => text(field.stored(&mut self.dice)),
                    }
                }
            };
            names.push(field.name.as_str());
            values.push(value);
        }
        self.scope.clone_from(&scope);
        let filter = self.filter(false);
        let tie = self.tie();
        let limit = match self.dice.chance(30) {
            true => maybe(self.bound_limit(9)),
            false => Node::Nothing,
        };
        let update = match word == "INSERT INTO" && self.dice.chance(40) {
            true if self.has_indexes(table) => Node::Nothing,
            true => self.on_duplicate(table, &|name| Some(format!("VALUES({name})"))),
            false => Node::Nothing,
        };
        row([
            text(format!("{word} {} ({}) SELECT", table.name, names.join(", "))),
            commas(values),
            text(format!("FROM {} v", from.name)),
            filter,
            text("ORDER BY"),
            tie,
            limit,
            update,
        ])
    }

    /// A write that a subquery over another table decides.
    fn by_query(&mut self, table: &Table) -> Node {
        let others: Vec<Table> =
            self.tables.iter().filter(|other| other.name != table.name).cloned().collect();
        let other = self.dice.pick(&others).clone();
        self.scope = vec![source_of(table, table.name)];
        let name = table.name;
        let number = 1 + self.dice.below(20);
        let by = match self.dice.below(4) {
            0 => format!("{name}.id IN (SELECT w.id FROM {} w WHERE w.id > {number})", other.name),
            1 => format!("EXISTS (SELECT 1 FROM {} w WHERE w.id = {name}.id)", other.name),
            2 => format!("{name}.id NOT IN (SELECT w.id FROM {} w)", other.name),
            _ => format!("{name}.id < (SELECT max(w.id) FROM {} w) - {number}", other.name),
        };
        let filter = row([text("WHERE"), text(by), maybe(row([text("AND"), self.truth(1)]))]);
        let tail = self.write_tail();
        if self.dice.chance(35) {
            return row([text(format!("DELETE FROM {name}")), filter, tail]);
        }
        let Some(field) = self.plain_field(table) else {
            return row([text(format!("DELETE FROM {name}")), filter, tail]);
        };
        let same = other.fields.iter().find(|known| known.form.sql == field.form.sql);
        let value = match same {
            Some(same) => format!(
                "(SELECT w.{} FROM {} w WHERE w.id = {name}.id ORDER BY {} LIMIT 1)",
                same.name,
                other.name,
                other.fields[..other.keys]
                    .iter()
                    .map(|field| format!("w.{}", field.name))
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
            None => field.stored(&mut self.dice),
        };
        row([text(format!("UPDATE {name} SET {} = {value}", field.name)), filter, tail])
    }

    /// Two tables, most often bound ones by their key, and now and then a third one whose row is known
    /// by that of the first.
    fn joined(&mut self) -> (Node, Table, Table, Option<Table>) {
        let keyed: Vec<Table> =
            self.tables.iter().filter(|t| t.place == Place::Keyed).cloned().collect();
        let (first, second) = match self.dice.chance(45) {
            true => (keyed[0].clone(), keyed[1].clone()),
            false => {
                let first = self.dice.pick(self.tables).clone();
                let others: Vec<Table> =
                    self.tables.iter().filter(|t| t.name != first.name).cloned().collect();
                (first, self.dice.pick(&others).clone())
            }
        };
        self.scope = vec![source_of(&first, "x"), source_of(&second, "y")];
        let bound = first.place == Place::Keyed && second.place == Place::Keyed;
        let on: Vec<String> = match bound && self.dice.chance(80) {
            true => first.fields[..first.keys - 1]
                .iter()
                .map(|field| format!("x.{0} = y.{0}", field.name))
                .collect(),
            false => vec!["x.id = y.id".to_owned()],
        };
        let join = *self.dice.pick(&["JOIN", "LEFT JOIN"]);
        let mut from = format!("{} x {join} {} y ON {}", first.name, second.name, on.join(" AND "));
        let lone = |table: &&Table| {
            table.keys == 1 && table.name != first.name && table.name != second.name
        };
        let thirds: Vec<Table> = self.tables.iter().filter(lone).cloned().collect();
        let third = match self.dice.chance(35) && !thirds.is_empty() {
            true => Some(self.dice.pick(&thirds).clone()),
            false => None,
        };
        if let Some(third) = &third {
            let join = *self.dice.pick(&["JOIN", "LEFT JOIN"]);
            from += &format!(" {join} {} z ON z.id = x.id", third.name);
            self.scope.push(source_of(third, "z"));
        }
        (text(from), first, second, third)
    }

    fn update_joined(&mut self) -> (Node, Vec<&'static str>) {
        let (from, first, second, third) = self.joined();
        let (mut set, mut changed) = (Vec::new(), Vec::new());
        for (alias, table) in [("x", &first), ("y", &second)] {
            if set.is_empty() || self.dice.chance(25) {
                let field = self.plain_field(table).unwrap_or_else(|| table.fields[0].clone());
                // The same for each row that it is joined to.
                let like = |known: &&Field| known.form.sql == field.form.sql;
                let same = third.iter().find_map(|third| third.fields.iter().find(like));
                let value = match same {
                    Some(same) if alias == "x" && self.dice.chance(50) => {
                        format!("z.{}", same.name)
                    }
                    _ => field.stored(&mut self.dice),
                };
                set.push(text(format!("{alias}.{} = {value}", field.name)));
                changed.push(field.name);
            }
        }
        let filter = self.filter(false);
        // A row may be changed while the join goes on: whether the condition sees that is a matter of
        // the order of the tables.
        let seen = |field: &String| names(&filter, field);
        if changed.iter().any(seen) {
            return self.update_joined();
        }
        let node = row([text("UPDATE"), from, text("SET"), commas(set), filter]);
        (node, vec![first.name, second.name])
    }

    fn delete_joined(&mut self) -> (Node, Vec<&'static str>) {
        let (from, first, second, third) = self.joined();
        let filter = self.filter(true);
        let mut changed = vec![first.name, second.name];
        let node = match (self.dice.below(4), third) {
            (0 | 1, _) => row([text("DELETE x FROM"), from, filter]),
            (2, Some(third)) => {
                changed.push(third.name);
                row([text("DELETE y, z FROM"), from, filter])
            }
            _ => row([text("DELETE FROM x, y USING"), from, filter]),
        };
        (node, changed)
    }

    /// A statement of another kind that sessions send: what follows must be answered alike. And
    /// whether a transaction is open behind it.
    pub fn control(&mut self, open: bool) -> (Node, bool) {
        if self.dice.chance(35) {
            return (text(self.setting()), open);
        }
        let (words, after) = match (open, self.dice.below(7)) {
            (false, 0) => ("START TRANSACTION", true),
            (false, 1) => ("START TRANSACTION WITH CONSISTENT SNAPSHOT", true),
            (false, 2) => ("SAVEPOINT sp", false),
            (false, 3) => ("START TRANSACTION READ ONLY", true),
            (false, _) => ("BEGIN", true),
            (true, 0) => ("COMMIT", false),
            (true, 1) => ("SAVEPOINT sp", true),
            (true, 2) => ("ROLLBACK TO SAVEPOINT sp", true),
            (true, 3) => ("RELEASE SAVEPOINT sp", true),
            (true, _) => ("ROLLBACK", false),
        };
        // Weir takes a snapshot with the first statement: what a server says of it is not told.
        (marked(Mark::WarningsVary, text(words)), after)
    }

    fn setting(&mut self) -> String {
        let isolation = match self.kind {
            Kind::MariaDb => "tx_isolation",
            Kind::MySql => "transaction_isolation",
        };
        let level = *self.dice.pick(&["REPEATABLE READ", "READ COMMITTED", "SERIALIZABLE"]);
        match self.dice.below(12) {
            0 => "SET TRANSACTION READ ONLY".to_owned(),
            1 => "SET TRANSACTION READ WRITE".to_owned(),
            2 | 3 => format!("SET TRANSACTION ISOLATION LEVEL {level}"),
            4 => format!("SET TRANSACTION ISOLATION LEVEL {level}, READ WRITE"),
            5 => format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}"),
            6 => format!("SET @@{isolation} = '{}'", level.replace(' ', "-")),
            7 => format!("SET @@session.{isolation} = '{}'", level.replace(' ', "-")),
            8 => format!("SET @@SESSION.div_precision_increment = {}", self.dice.below(9)),
            9 => "SET @@local.group_concat_max_len = 90, @@lc_time_names = 'fr_FR'".to_owned(),
            10 => {
                "SET @u1 := 3, @u2 = CONCAT('a', @u4), SESSION sort_buffer_size = 300000".to_owned()
            }
            _ => "SET @@default_week_format = @@default_week_format + 1".to_owned(),
        }
    }
}

/// Whether a text may name a column.
fn names(node: &Node, column: &str) -> bool {
    let sql = node.write(false).sql.to_lowercase();
    sql.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == column)
}
