//! Random queries: plain, distinct, grouped, joined, nested, united.
//!
//! Owns: a query's clauses, and the rules that say how far its answer is fixed. A query with LIMIT
//! is ordered by something unique, or only its number of rows is compared; inside of another query
//! nothing may be the server's choice at all.

use crate::oracle::expression::{Maker, Source, Want, plain_quoted};
use crate::oracle::forms::{self, Form, Type};
use crate::oracle::from::source_of;
use crate::oracle::schema::Field;
use crate::oracle::tree::{Mark, Node, commas, expr, list, marked, maybe, row, text};

/// A query and what its rows look like from outside.
pub struct Made {
    pub node: Node,
    pub fields: Vec<Field>,
}

/// What a query is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It is the statement.
    Whole,
    /// Another one reads its rows: all items are named, nothing is left to the server.
    Nested,
}

impl Maker<'_> {
    /// A whole SELECT statement.
    pub fn query(&mut self) -> Node {
        self.scope.clear();
        self.outer.clear();
        match self.dice.below(100) {
            0..=4 => self.union(),
            5..=9 => self.with(),
            10..=11 => self.without_from(),
            12 => self.user_variable(),
            13 => self.into_variables(),
            14 => self.values(),
            _ => self.block(Use::Whole).node,
        }
    }

    /// One SELECT over a FROM clause of its own.
    pub fn block(&mut self, purpose: Use) -> Made {
        let outside = std::mem::take(&mut self.scope);
        let from = self.from();
        let made = match self.dice.below(100) {
            0..=54 => self.plain(from, purpose),
            55..=63 => self.distinct(from, purpose),
            64..=84 => self.grouped(from, purpose),
            85..=92 => self.totals(from, purpose),
            _ => self.windowed(from, purpose),
        };
        self.scope = outside;
        made
    }

    pub fn condition(&mut self) -> Node {
        if self.dice.chance(30) {
            return Node::Nothing;
        }
        let mut parts = Vec::new();
        // A statement that one shard answers runs today in any shape.
        if self.dice.chance(30) {
            parts.extend(self.on_key());
        }
        for _ in 0..1 + self.dice.below(2) {
            let nested = self.nesting > 0 && self.dice.chance(6);
            parts.push(if nested { self.subquery_truth() } else { self.truth(2) });
        }
        let several = parts.len() > 1;
        let made = maybe(row([text("WHERE"), list(parts, " AND ", 1)]));
        // An index on one leaves out rows that the others would warn of.
        if several { marked(Mark::WarningsVary, made) } else { made }
    }

    /// Equality with the shard key of each source that has one.
    pub fn on_key(&mut self) -> Vec<Node> {
        let mut conditions = Vec::new();
        let mut chosen: Vec<(String, String)> = Vec::new();
        for source in 0..self.scope.len() {
            for index in 0..self.scope[source].keys {
                let field = self.scope[source].fields[index].clone();
                if field.name == "id" {
                    continue;
                }
                let known = chosen.iter().find(|(name, _)| *name == field.name);
                let literal = match known {
                    Some((_, literal)) => literal.clone(),
                    None => (*self.dice.pick(field.form.pool)).to_owned(),
                };
                chosen.push((field.name.clone(), literal.clone()));
                let (column, literal) = (self.column(source, index), self.literal(&literal));
                conditions.push(expr([column, text("="), literal]));
            }
        }
        conditions
    }

    /// Select items and the fields that they make.
    pub fn items(&mut self, purpose: Use) -> (Vec<Node>, Vec<Field>) {
        if purpose == Use::Whole && self.dice.chance(12) {
            let star = match self.dice.chance(60) {
                true => "*".to_owned(),
                false => format!("{}.*", plain_quoted(&self.scope[0].alias)),
            };
            return (vec![text(star)], Vec::new());
        }
        let (mut items, mut fields) = (Vec::new(), Vec::new());
        for number in 0..1 + self.dice.below(4) {
            let (node, field) = self.item(purpose, number as usize);
            items.push(node);
            fields.push(field);
        }
        (items, fields)
    }

    fn item(&mut self, purpose: Use, number: usize) -> (Node, Field) {
        let sortable = |field: &Field| purpose != Use::Nested || field.form.sortable();
        if purpose == Use::Whole && self.nesting > 0 && self.dice.chance(4) {
            let (node, form) = (self.subquery_value(), computed(Want::Number));
            return (node, Field { name: String::new(), form, nullable: true });
        }
        let (node, mut field) = match self.field(sortable) {
            Some(place) if self.dice.chance(60) => {
                (self.column(place.0, place.1), self.form_of(place).clone())
            }
            _ => {
                let want = *self.dice.pick(&[Want::Number, Want::Text, Want::Moment, Want::Truth]);
                let field = Field { name: String::new(), form: computed(want), nullable: true };
                (self.expression(want, 2), field)
            }
        };
        if purpose == Use::Nested {
            field.name = format!("q{number}");
            return (row([node, text(format!("AS q{number}"))]), field);
        }
        let alias = match self.dice.below(10) {
            0 => "AS x1",
            1 => "x2",
            2 => "AS `odd name`",
            3 => "AS 'quoted'",
            // An alias that hides a column.
            4 => "AS c0",
            5 => "AS c1",
            _ => return (node, field),
        };
        (row([node, text(alias)]), field)
    }

    pub fn plain(&mut self, from: Node, purpose: Use) -> Made {
        let (items, fields) = self.items(purpose);
        let word = match self.dice.below(20) {
            0 => "SELECT ALL",
            1 => "SELECT /* all of it */",
            2 => "SELECT SQL_NO_CACHE",
            3 if purpose == Use::Whole => "SELECT SQL_CALC_FOUND_ROWS",
            _ => "SELECT",
        };
        // What is counted over shards is gathered with its conditions applied.
        let counted = word == "SELECT SQL_CALC_FOUND_ROWS";
        let condition = match self.condition() {
            condition if counted => marked(Mark::WarningsVary, condition),
            condition => condition,
        };
        let order = self.order(purpose, true);
        let lock = match purpose == Use::Whole && self.dice.chance(3) {
            true => maybe(text(*self.dice.pick(&["FOR UPDATE", "LOCK IN SHARE MODE"]))),
            false => Node::Nothing,
        };
        Made { node: row([text(word), commas(items), from, condition, order, lock]), fields }
    }

    /// ORDER BY that ends in something unique, and LIMIT; or neither.
    fn order(&mut self, purpose: Use, limited: bool) -> Node {
        let wanted = match purpose {
            Use::Whole => 60,
            Use::Nested => 15,
        };
        if !self.dice.chance(wanted) {
            // Which rows come is anyone's choice, how many is not.
            let count_only = limited && purpose == Use::Whole && self.dice.chance(15);
            return match count_only {
                true => maybe(marked(Mark::CountOnly, self.limit())),
                false => Node::Nothing,
            };
        }
        let mut keys = Vec::new();
        // In the temporary table that a join is sorted in, servers make a day without a month no day.
        let several = self.scope.len() > 1;
        let fits =
            |field: &Field| field.form.sortable() && !(several && field.form.kind == Type::Date);
        let wants: &[Want] = match several {
            true => &[Want::Number, Want::Text],
            false => &[Want::Number, Want::Text, Want::Moment],
        };
        for _ in 0..self.dice.below(3) {
            let key = match self.field(fits) {
                Some(place) if self.dice.chance(75) => self.column(place.0, place.1),
                _ => {
                    let want = *self.dice.pick(wants);
                    // Computed for each row, or not at all where it is the same for all.
                    marked(Mark::WarningsVary, self.expression(want, 1).fixed())
                }
            };
            let way = *self.dice.pick(&["", "", "ASC", "DESC"]);
            keys.push(maybe(row([key, text(way), text(", ")])));
        }
        let tie = self.tie();
        let limit = match limited && self.dice.chance(60) {
            true => maybe(self.limit()),
            false => Node::Nothing,
        };
        let cut = !matches!(limit, Node::Nothing);
        let ordered = row([text("ORDER BY"), row(keys), tie, limit]);
        let ordered = match self.scope.len() {
            1 => ordered,
            _ => marked(Mark::Temporary, ordered),
        };
        // What has no key may have rows that are equal in all that they are ordered by and no more.
        let total = self.scope.iter().all(|source| source.keys > 0);
        match (purpose, total, cut) {
            (Use::Whole, true, _) => maybe(marked(Mark::Ordered, ordered)),
            (Use::Whole, false, true) => maybe(marked(Mark::CountOnly, ordered)),
            _ => maybe(ordered),
        }
    }

    /// What identifies a row of the FROM clause.
    pub fn tie(&mut self) -> Node {
        let (mut parts, mut folded) = (Vec::new(), false);
        for source in &self.scope {
            let keys = match source.keys {
                0 => {
                    folded = true;
                    &source.fields[..]
                }
                keys => &source.fields[..keys],
            };
            let alias = plain_quoted(&source.alias);
            parts.extend(keys.iter().map(|field| format!("{alias}.{}", field.name)));
        }
        let way = *self.dice.pick(&["", "", " DESC"]);
        let tie = text(parts.join(", ") + way);
        if folded { marked(Mark::Folded, tie) } else { tie }
    }

    pub fn limit(&mut self) -> Node {
        let (rows, skipped) = (self.dice.below(12), self.dice.below(9));
        // Which rows are looked at before the last one is found is the server's choice.
        let bound = |number: u64| {
            let value = Some(mysql_async::Value::UInt(number));
            Node::Literal { text: number.to_string(), value }
        };
        let limit = match self.dice.below(8) {
            0 => text(format!("LIMIT {skipped}, {rows}")),
            1 => text(format!("LIMIT {rows} OFFSET {skipped}")),
            2 => text("LIMIT 0"),
            3 => text("LIMIT 5, 18446744073709551615"),
            4 => row([text("LIMIT"), bound(rows)]),
            5 => row([text("LIMIT"), bound(rows), text("OFFSET"), bound(skipped)]),
            _ => text(format!("LIMIT {rows}")),
        };
        marked(Mark::WarningsVary, limit)
    }

    fn distinct(&mut self, from: Node, purpose: Use) -> Made {
        let (mut items, mut fields) = (Vec::new(), Vec::new());
        for number in 0..1 + self.dice.below(3) as usize {
            // Nested, the text that stands for its equals would be the server's choice.
            let fits = |field: &Field| {
                field.form.groupable() && (purpose != Use::Nested || !field.form.folds())
            };
            let Some(place) = self.field(fits) else { continue };
            let column = self.column(place.0, place.1);
            let mut field = self.form_of(place).clone();
            field.name = format!("q{number}");
            items.push(row([column, text(format!("AS q{number}"))]));
            fields.push(field);
        }
        if items.is_empty() {
            return self.plain(from, purpose);
        }
        let condition = self.condition();
        let order = self.order_by_all(items.len(), purpose);
        let word = *self.dice.pick(&["SELECT DISTINCT", "SELECT DISTINCT", "SELECT DISTINCTROW"]);
        let node = row([text(word), commas(items), from, condition, order]);
        Made { node: whole(purpose, &[Mark::Folded, Mark::Grouped], node), fields }
    }

    /// By every item, so that only equal rows have no order.
    fn order_by_all(&mut self, items: usize, purpose: Use) -> Node {
        if purpose != Use::Whole || self.dice.chance(35) {
            return Node::Nothing;
        }
        let ordinals: Vec<Node> = (1..=items)
            .map(|number| {
                let way = *self.dice.pick(&["", "", " DESC"]);
                text(format!("{number}{way}"))
            })
            .collect();
        let limit = if self.dice.chance(50) { maybe(self.limit()) } else { Node::Nothing };
        // Dropping an item from under its ordinal gives an error on both sides.
        let all = list(ordinals, ", ", items);
        maybe(marked(Mark::Ordered, row([text("ORDER BY"), all, limit])))
    }

    pub fn grouped(&mut self, from: Node, purpose: Use) -> Made {
        let (mut items, mut groups, mut orders, mut fields) = (vec![], vec![], vec![], vec![]);
        for number in 0..1 + self.dice.below(2) {
            let Some((key, field)) = self.group_key(purpose) else { continue };
            let computed = matches!(key, Node::Marked(..)) && field.form.kind == Type::Float;
            let link = self.number();
            let name = format!("{}{number}", if purpose == Use::Nested { "g" } else { "k" });
            let linked = |node: Node| Node::Linked(link, Box::new(node));
            let shown = purpose == Use::Nested || self.dice.chance(90);
            if shown {
                items.push(linked(row([key.clone(), text(format!("AS {name}"))])));
                fields.push(Field { name: name.clone(), ..field });
            }
            let grouped =
                if shown && self.dice.chance(25) { text(name.clone()) } else { key.clone() };
            groups.push(linked(grouped));
            let by = if shown && self.dice.chance(50) { text(name) } else { key };
            // Where groups come in descending order MariaDB takes a computed DECIMAL that is NULL for
            // the one before it.
            let ways: &[&str] = if computed { &[""] } else { &["", "", "DESC"] };
            orders.push(linked(row([by, text(*self.dice.pick(ways))])));
        }
        for number in 0..u64::from(items.is_empty()) + self.dice.below(4) {
            let (node, field) = self.aggregate(purpose);
            // Not as a derived table's columns are called: an alias goes before them in ORDER BY.
            let name = format!("{}{number}", if purpose == Use::Nested { "n" } else { "h" });
            let alias = purpose == Use::Nested || self.dice.chance(50);
            items.push(if alias { row([node, text(format!("AS {name}"))]) } else { node });
            fields.push(Field { name, ..field });
        }
        if groups.is_empty() {
            return self.totals(from, purpose);
        }
        let condition = self.condition();
        let having = self.having();
        // Of no rows at all, MariaDB's ROLLUP concatenates those of the statement before.
        let texts = items.iter().any(|item| item.write(false).sql.contains("GROUP_CONCAT("));
        let rollup = match purpose == Use::Whole && self.dice.chance(6) && !texts {
            true => maybe(marked(Mark::Merged, text("WITH ROLLUP"))),
            false => Node::Nothing,
        };
        let plain = matches!(rollup, Node::Nothing);
        let order = match purpose == Use::Whole && plain && self.dice.chance(65) {
            true => {
                let limit = if self.dice.chance(45) { maybe(self.limit()) } else { Node::Nothing };
                let by = list(orders, ", ", 1);
                maybe(marked(Mark::Ordered, row([text("ORDER BY"), by, limit])))
            }
            false => Node::Nothing,
        };
        let groups = list(groups, ", ", 1);
        let node = row([
            text("SELECT"),
            commas(items),
            from,
            condition,
            text("GROUP BY"),
            groups,
            rollup,
            having,
            order,
        ]);
        Made { node: whole(purpose, &[Mark::Folded, Mark::Grouped], node), fields }
    }

    fn group_key(&mut self, purpose: Use) -> Option<(Node, Field)> {
        let fits = |field: &Field| {
            field.form.groupable() && (purpose != Use::Nested || !field.form.folds())
        };
        let place = self.field(fits)?;
        if purpose == Use::Whole && self.dice.chance(20) {
            let want = *self.dice.pick(&[Want::Number, Want::Text]);
            let field = Field { name: String::new(), form: computed(want), nullable: true };
            let column = self.column(place.0, place.1);
            let other = self.leaf(want);
            let key = match want {
                Want::Number => expr([text("LENGTH("), column, text(") +"), other]),
                _ => expr([text("CONCAT("), column, text(","), other, text(")")]),
            };
            // Over shards a key with a parameter is sent as text, where a parameter that is shown by
            // itself has the type of a literal.
            return Some((marked(Mark::ErrorsVary, key.fixed()), field));
        }
        Some((self.column(place.0, place.1), self.form_of(place).clone()))
    }

    fn having(&mut self) -> Node {
        if !self.dice.chance(25) {
            return Node::Nothing;
        }
        let bound = self.dice.below(4);
        let condition = match self.dice.below(5) {
            4 if self.nesting > 0 => {
                let table = self.dice.pick(self.tables).name;
                marked(
                    Mark::WarningsVary,
                    expr([text(format!("COUNT(*) * 20 > (SELECT COUNT(*) FROM {table} h)"))]),
                )
            }
            0 => {
                let argument = self.exact_argument();
                expr([text("SUM("), argument, text(")"), text(format!("> {bound}"))])
            }
            1 => {
                let column = self.any_column();
                expr([text("COUNT("), column, text(format!(") >= {bound}"))])
            }
            _ => expr([text(format!("COUNT(*) > {bound}"))]),
        };
        maybe(row([text("HAVING"), condition]))
    }

    /// A number whose sums don't depend on the order.
    fn exact_argument(&mut self) -> Node {
        let exact = |field: &Field| matches!(field.form.kind, Type::Whole | Type::Decimal);
        match self.field(exact) {
            Some(place) => self.column(place.0, place.1),
            None => text("1"),
        }
    }

    /// Aggregates without GROUP BY: one row.
    fn totals(&mut self, from: Node, purpose: Use) -> Made {
        let (mut items, mut fields) = (Vec::new(), Vec::new());
        for number in 0..1 + self.dice.below(4) {
            let (node, field) = self.aggregate(purpose);
            let name = format!("n{number}");
            items.push(row([node, text(format!("AS {name}"))]));
            fields.push(Field { name, ..field });
        }
        let (condition, having) = (self.condition(), self.having());
        let limit = match purpose == Use::Whole && self.dice.chance(10) {
            true => maybe(self.limit()),
            false => Node::Nothing,
        };
        let node = row([text("SELECT"), commas(items), from, condition, having, limit]);
        Made { node: whole(purpose, &[Mark::Folded, Mark::Grouped], node), fields }
    }

    fn windowed(&mut self, from: Node, purpose: Use) -> Made {
        let (mut items, mut fields) = self.items(purpose);
        for number in 0..1 + self.dice.below(2) {
            let name = format!("w{number}");
            let written = *self.dice.pick(&[
                "ROW_NUMBER()",
                "RANK()",
                "DENSE_RANK()",
                "COUNT(*)",
                "SUM({e})",
                "LAG({e})",
                "FIRST_VALUE({e})",
                "MAX({e})",
                "NTILE(3)",
                "LEAD({e}, 2)",
                "LAST_VALUE({e})",
                "NTH_VALUE({e}, 2)",
                "MIN({e})",
                "PERCENT_RANK()",
                "CUME_DIST()",
            ]);
            let argument = self.exact_argument();
            let function = match written.split_once("{e}") {
                Some((before, after)) => row([text(before), argument, text(after)]),
                None => text(written),
            };
            let partition = match self.field(|field| field.form.sortable()) {
                Some(place) if self.dice.chance(70) => {
                    let column = self.column(place.0, place.1);
                    maybe(row([text("PARTITION BY"), column]))
                }
                _ => Node::Nothing,
            };
            const FRAMED: [&str; 7] = [
                "COUNT(*)",
                "SUM({e})",
                "FIRST_VALUE({e})",
                "MAX({e})",
                "LAST_VALUE({e})",
                "NTH_VALUE({e}, 2)",
                "MIN({e})",
            ];
            let framed = FRAMED.contains(&written);
            let frame = match framed && self.dice.chance(35) {
                true => maybe(text(*self.dice.pick(&[
                    "ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
                    "ROWS UNBOUNDED PRECEDING",
                    "ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING",
                    "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
                    "ROWS BETWEEN CURRENT ROW AND 2 FOLLOWING",
                    "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
                    "ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING",
                ]))),
                false => Node::Nothing,
            };
            let tie = self.tie();
            let over = row([text("OVER ("), partition, text("ORDER BY"), tie, frame, text(")")]);
            items.push(row([function, over, text(format!("AS {name}"))]));
            fields.push(Field { name, form: computed(Want::Number), nullable: true });
        }
        let (condition, order) = (self.condition(), self.order(purpose, true));
        let node = row([text("SELECT"), commas(items), from, condition, order]);
        Made { node: whole(purpose, &[Mark::Grouped], node), fields }
    }

    fn union(&mut self) -> Node {
        let width = 1 + self.dice.index(3);
        let wants: Vec<Want> = (0..width)
            .map(|_| *self.dice.pick(&[Want::Number, Want::Text, Want::Moment]))
            .collect();
        let mut branches = Vec::new();
        let word = *self.dice.pick(&[
            "UNION",
            "UNION ALL",
            "UNION ALL",
            "UNION DISTINCT",
            "EXCEPT",
            "INTERSECT",
        ]);
        for number in 0..2 + self.dice.below(2) {
            let from = self.from();
            let items = wants
                .iter()
                .map(|want| {
                    let leaf = self.leaf(*want);
                    if number == 0 { row([leaf, text("AS u")]) } else { leaf }
                })
                .collect();
            let condition = self.condition();
            let items = list(items, ", ", width);
            branches.push(match self.dice.chance(15) {
                // A branch that is cut off after so many rows of a fixed order.
                true => {
                    let (tie, limit) = (self.tie(), self.limit());
                    let order = row([text("ORDER BY"), tie, limit]);
                    row([text("(SELECT"), items, from, condition, order, text(")")])
                }
                false => row([text("SELECT"), items, from, condition]),
            });
        }
        self.scope.clear();
        let order = self.order_by_all(width, Use::Whole);
        let separator = match word {
            "UNION" => " UNION ",
            "UNION ALL" => " UNION ALL ",
            "EXCEPT" => " EXCEPT ",
            "INTERSECT" => " INTERSECT ",
            _ => " UNION DISTINCT ",
        };
        let united = match self.dice.chance(25) {
            true => {
                let mut parts = branches.into_iter();
                let mut mixed = vec![parts.next().unwrap_or(Node::Nothing)];
                for branch in parts {
                    let words = ["UNION", "UNION ALL", "EXCEPT", "INTERSECT"];
                    mixed.push(maybe(row([text(*self.dice.pick(&words)), branch])));
                }
                row(mixed)
            }
            false => list(branches, separator, 1),
        };
        whole(Use::Whole, &[Mark::Folded, Mark::Grouped], row([united, order]))
    }

    fn without_from(&mut self) -> Node {
        self.scope.clear();
        let items = (0..1 + self.dice.below(3))
            .map(|_| {
                let want = *self.dice.pick(&[Want::Number, Want::Text, Want::Moment, Want::Truth]);
                self.expression(want, 3)
            })
            .collect();
        row([text("SELECT"), commas(items)])
    }

    fn with(&mut self) -> Node {
        if self.dice.chance(20) {
            return self.with_recursive();
        }
        if self.nesting == 0 || self.dice.chance(25) {
            let last = self.dice.below(7);
            let counted =
                "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i <";
            let joined =
                *self.dice.pick(&["", "LEFT JOIN c ON c.id = n.i", "JOIN d ON d.id = n.i"]);
            let node = row([
                text(format!("{counted} {last}) SELECT n.i, n.i * 2 FROM n")),
                maybe(text(joined)),
            ]);
            return marked(Mark::Merged, node);
        }
        self.nesting -= 1;
        let inner = self.block(Use::Nested);
        self.nesting += 1;
        let name = "cte".to_owned();
        self.scope = vec![Source { alias: name, fields: inner.fields, keys: 0 }];
        let from = match self.dice.chance(40) {
            true => self.joined_to(text("cte")),
            false => text("cte"),
        };
        let from = row([text("FROM"), from]);
        let outer = match self.dice.chance(60) {
            true => self.plain(from, Use::Whole),
            false => self.grouped(from, Use::Whole),
        };
        let node = row([text("WITH cte AS ("), inner.node, text(")"), outer.node]);
        marked(Mark::Merged, marked(Mark::WarningsVary, node))
    }

    /// A chain of rows of a table.
    fn with_recursive(&mut self) -> Node {
        let table = self.dice.pick(self.tables).clone();
        let (name, first, deep) = (table.name, self.dice.below(20), 1 + self.dice.below(4));
        let step = *self.dice.pick(&["UNION ALL", "UNION"]);
        let (what, order) = match self.dice.chance(50) {
            true => ("r.id, r.deep", "ORDER BY r.id, r.deep"),
            false => ("COUNT(*), MAX(r.deep)", ""),
        };
        let node = text(format!(
            "WITH RECURSIVE r AS (SELECT id, 1 AS deep FROM {name} WHERE id < {first} {step} \
             SELECT n.id, r.deep + 1 FROM r JOIN {name} n ON n.id = r.id + 1 WHERE r.deep < {deep}) \
             SELECT {what} FROM r {order}"
        ));
        marked(Mark::WarningsVary, marked(Mark::Merged, node))
    }

    /// Sets a variable that statements show and compare with.
    fn user_variable(&mut self) -> Node {
        let table = self.dice.pick(self.tables).name;
        let value = match self.dice.below(4) {
            0 => format!("(SELECT MAX(id) FROM {table})"),
            1 => format!("(SELECT COUNT(*) FROM {table})"),
            2 => self.dice.below(9).to_string(),
            _ => "@u1 + 1".to_owned(),
        };
        text(format!("SET @u1 = {value}"))
    }

    /// A query of one value.
    fn subquery_value(&mut self) -> Node {
        self.nesting -= 1;
        let scope = std::mem::take(&mut self.scope);
        let outer = std::mem::replace(&mut self.outer, scope.clone());
        let table = self.dice.pick(self.tables).clone();
        self.scope = vec![source_of(&table, "val")];
        let condition = self.truth(1);
        let what = *self.dice.pick(&["COUNT(*)", "MAX(val.id)", "SUM(val.id)", "MIN(val.id) + 1"]);
        let before = text(format!("(SELECT {what} FROM {} val WHERE", table.name));
        self.outer = outer;
        self.scope = scope;
        self.nesting += 1;
        let made = expr([before, condition, text(")")]);
        marked(Mark::Temporary, marked(Mark::WarningsVary, made))
    }

    /// A predicate with a query in it.
    pub fn subquery_truth(&mut self) -> Node {
        self.nesting -= 1;
        let place = self.field(|field| field.form.sortable() && !field.form.folds());
        let column = place.map(|(source, field)| self.column(source, field));
        let scope = std::mem::take(&mut self.scope);
        let outer = std::mem::replace(&mut self.outer, scope.clone());
        let table = self.dice.pick(self.tables).clone();
        self.scope = vec![source_of(&table, "sub")];
        let condition = self.truth(1);
        let bound = match scope.iter().find(|source| source.alias != "sub") {
            Some(around) if table.sharded() && self.dice.chance(60) => {
                let key = &table.fields[0].name;
                let known = around.fields.iter().any(|field| field.name == *key);
                let alias = plain_quoted(&around.alias);
                if known { format!("AND sub.{key} = {alias}.{key}") } else { String::new() }
            }
            _ => String::new(),
        };
        let from = |items: &str| format!("(SELECT {items} FROM {} AS sub WHERE", table.name);
        let other = self.dice.pick(self.tables).name;
        let chosen = self.dice.below(10);
        let (before, after) = match (column, chosen) {
            (Some(column), 4) => (row([column, text("NOT IN"), text(from("sub.id"))]), ")"),
            (Some(column), 5) => (row([column, text(">= ALL"), text(from("sub.id"))]), ")"),
            (Some(column), 6) => {
                let pair = row([text("("), column, text(", 1) IN")]);
                (row([pair, text(from("sub.id, sub.id > 0"))]), ")")
            }
            (Some(column), 7) => {
                let first = format!("IN (SELECT w.id FROM {other} w UNION SELECT sub.id FROM");
                (row([column, text(format!("{first} {} AS sub WHERE", table.name))]), ")")
            }
            (Some(column), 8) => {
                let scope = std::mem::take(&mut self.scope);
                let rows = self.json_table("js");
                self.scope = scope;
                let member = row([column, text("IN (SELECT js.n FROM"), rows]);
                (row([member, text(format!("JOIN {} AS sub WHERE", table.name))]), ")")
            }
            (Some(column), 0) => (row([column, text("IN"), text(from("sub.id"))]), ")"),
            (Some(column), 1) => (row([column, text(">"), text(from("MAX(sub.id)"))]), ")"),
            (Some(column), 2) => (row([column, text("= ANY"), text(from("sub.id"))]), ")"),
            (_, 3) => (text(format!("NOT EXISTS {}", from("1"))), ")"),
            _ => (text(format!("EXISTS {}", from("*"))), ")"),
        };
        self.outer = outer;
        self.scope = scope;
        self.nesting += 1;
        let made = expr([before, condition, maybe(text(bound)), text(after)]);
        // Turned into a join or not.
        marked(Mark::Temporary, marked(Mark::WarningsVary, made))
    }
}

/// Marks of a query that count only where nothing is nested around it.
fn whole(purpose: Use, marks: &[Mark], node: Node) -> Node {
    if purpose == Use::Nested {
        return marked(Mark::Grouped, node);
    }
    // What a temporary table can't store as it is warns, where there is one.
    let node = marked(Mark::WarningsVary, node);
    marks.iter().fold(node, |node, mark| marked(*mark, node))
}

/// What an expression of this kind is taken for.
pub fn computed(want: Want) -> &'static Form {
    match want {
        Want::Number | Want::Truth => &forms::COMPUTED_NUMBER,
        Want::Text => &forms::COMPUTED_TEXT,
        Want::Moment => &forms::COMPUTED_MOMENT,
    }
}
