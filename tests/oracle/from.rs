//! FROM clauses: one table, joins of every kind, derived tables.
//!
//! Owns: what is in scope. Never: more than three sources.

use crate::oracle::expression::{Maker, Source, plain_quoted};
use crate::oracle::schema::{Place, Table};
use crate::oracle::select::Use;
use crate::oracle::tree::{Mark, Node, expr, marked, maybe, row, text};

pub fn source_of(table: &Table, alias: &str) -> Source {
    Source { alias: alias.to_owned(), fields: table.fields.clone(), keys: table.keys }
}

impl Maker<'_> {
    /// A FROM clause; leaves its sources in scope.
    pub fn from(&mut self) -> Node {
        self.scope.clear();
        let keyed = self.named(Place::Keyed);
        let any = self.dice.pick(self.tables).clone();
        let made = match self.dice.below(100) {
            0..=59 => {
                let table = if self.dice.chance(60) { self.dice.pick(&keyed).clone() } else { any };
                self.table(&table, None)
            }
            // Bound tables by their key.
            60..=76 => {
                let first = self.table(&keyed[0], Some("x"));
                self.join(first, &keyed[1], "y", true)
            }
            77..=86 => {
                let first = self.table(&any, Some("x"));
                let broadcast = self.named(Place::Broadcast);
                self.join(first, &broadcast[0], "z", false)
            }
            87..=89 => {
                let first = self.table(&keyed[0], Some("x"));
                let second = self.join(first, &keyed[1], "y", true);
                let broadcast = self.named(Place::Broadcast);
                self.join(second, &broadcast[0], "z", false)
            }
            90..=92 if self.nesting > 0 => self.derived(),
            93..=95 if self.nesting > 0 => self.computed_rows(),
            _ => {
                let other = self.dice.pick(self.tables).clone();
                let first = self.table(&any, Some("x"));
                self.join(first, &other, "`y z`", false)
            }
        };
        let from = row([text("FROM"), made]);
        // Which condition is evaluated for which rows follows from the order of the join.
        let simple = self.scope.len() == 1 && self.scope[0].keys > 0;
        if simple { from } else { marked(Mark::WarningsVary, from) }
    }

    fn named(&self, place: Place) -> Vec<Table> {
        self.tables.iter().filter(|table| table.place == place).cloned().collect()
    }

    /// A table reference in one of its spellings.
    pub fn table(&mut self, table: &Table, alias: Option<&str>) -> Node {
        let name = match self.dice.below(12) {
            0 => format!("{}.{}", self.schema, table.name),
            1 => format!("`{}`", table.name),
            2 => format!("`{}`.`{}`", self.schema, table.name),
            _ => table.name.to_owned(),
        };
        let alias = alias.or(match self.dice.below(6) {
            0 => Some("t"),
            1 => Some("`an alias`"),
            _ => None,
        });
        let called = alias.unwrap_or(table.name).trim_matches('`');
        self.scope.push(source_of(table, called));
        let hint = match self.dice.below(25) {
            0 => " USE INDEX ()",
            1 => " FORCE INDEX (PRIMARY)",
            2 => " IGNORE INDEX FOR ORDER BY (PRIMARY)",
            _ => "",
        };
        match alias {
            Some(alias) if self.dice.chance(50) => text(format!("{name} AS {alias}{hint}")),
            Some(alias) => text(format!("{name} {alias}{hint}")),
            None => text(format!("{name}{hint}")),
        }
    }

    fn join(&mut self, left: Node, table: &Table, alias: &str, by_key: bool) -> Node {
        let before = self.scope.len();
        let right = self.table(table, Some(alias));
        let word = *self.dice.pick(&[
            "JOIN",
            "JOIN",
            "INNER JOIN",
            "LEFT JOIN",
            "LEFT OUTER JOIN",
            "RIGHT JOIN",
            "CROSS JOIN",
            ",",
            "STRAIGHT_JOIN",
        ]);
        if self.dice.chance(4) {
            let word = *self.dice.pick(&["NATURAL JOIN", "NATURAL LEFT JOIN"]);
            return row([left, text(word), right]);
        }
        if by_key && self.dice.chance(12) {
            let names: Vec<&str> =
                table.fields[..table.keys - 1].iter().map(|field| field.name.as_str()).collect();
            let using = text(format!("USING ({})", names.join(", ")));
            let word = *self.dice.pick(&["JOIN", "LEFT JOIN"]);
            return row([left, text(word), right, using]);
        }
        let mut conditions = Vec::new();
        let new = plain_quoted(&self.scope[before].alias);
        if by_key {
            let old = plain_quoted(&self.scope[before - 1].alias);
            for field in &table.fields[..table.keys - 1] {
                let name = &field.name;
                conditions.push(match self.dice.chance(50) {
                    true => text(format!("{new}.{name} = {old}.{name}")),
                    false => text(format!("{old}.{name} = {new}.{name}")),
                });
            }
        } else {
            let old = self.scope[self.dice.index(before)].clone();
            let alias = plain_quoted(&old.alias);
            let (theirs, ours) = (self.whole_of(&old.fields), self.whole_of(&table.fields));
            conditions.push(text(format!("{alias}.{theirs} = {new}.{ours}")));
        }
        if self.dice.chance(20) {
            let nested = self.nesting > 0 && self.dice.chance(10);
            let condition = if nested { self.subquery_truth() } else { self.truth(1) };
            conditions.push(maybe(row([text("AND"), condition])));
        }
        let mut all = Vec::new();
        for (index, condition) in conditions.into_iter().enumerate() {
            if index > 0 && !matches!(condition, Node::Maybe(_)) {
                all.push(text("AND"));
            }
            all.push(condition);
        }
        // A comma's condition would be WHERE's: a cross join then.
        match word {
            "," if !by_key => row([left, text(","), right]),
            "," | "CROSS JOIN" => row([left, text("JOIN"), right, text("ON"), expr(all)]),
            word => row([left, text(word), right, text("ON"), expr(all)]),
        }
    }

    fn whole_of(&mut self, fields: &[crate::oracle::schema::Field]) -> String {
        use crate::oracle::forms::Type;
        let whole: Vec<&str> = fields
            .iter()
            .filter(|field| field.form.kind == Type::Whole)
            .map(|field| field.name.as_str())
            .collect();
        match self.dice.chance(60) {
            true => "id".to_owned(),
            false => (*self.dice.pick(&whole)).to_owned(),
        }
        .clone()
    }

    fn derived(&mut self) -> Node {
        self.nesting -= 1;
        let inner = self.block(Use::Nested);
        self.nesting += 1;
        self.scope = vec![Source { alias: "der".to_owned(), fields: inner.fields, keys: 0 }];
        let made = marked(Mark::Merged, row([text("("), inner.node, text(") AS der")]));
        if self.dice.chance(40) { self.joined_to(made) } else { made }
    }

    /// What is in scope, by the first number of it, and a table.
    pub fn joined_to(&mut self, left: Node) -> Node {
        let number = |field: &crate::oracle::schema::Field| {
            crate::oracle::expression::wanted(field.form.kind)
                == Some(crate::oracle::expression::Want::Number)
        };
        let on = self.scope[0].fields.iter().find(|field| number(field));
        let on = match on {
            Some(field) => format!("ON jt.id = {}.{}", self.scope[0].alias, field.name),
            None => "ON jt.id = 3".to_owned(),
        };
        let table = self.dice.pick(self.tables).clone();
        let right = self.table(&table, Some("jt"));
        let word = *self.dice.pick(&["JOIN", "LEFT JOIN"]);
        marked(Mark::Temporary, row([left, text(word), right, text(on)]))
    }
}
