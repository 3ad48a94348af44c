//! Rows that are computed of others or written out, in FROM (LATERAL, JSON_TABLE, VALUES) and into
//! variables.
//!
//! Owns: their pieces and what is in scope behind them.

use mysql_async::Value;

use crate::oracle::expression::{Maker, Source, Want, wanted};
use crate::oracle::forms::Type;
use crate::oracle::schema::Field;
use crate::oracle::select::{Use, computed};
use crate::oracle::tree::{Mark, Node, commas, expr, list, marked, maybe, row, text};
use crate::support::servers::Kind;

const DOCUMENTS: &[&str] = &[
    "[1, 2, 3, 5, 5]",
    "[]",
    "[{\"a\": 1, \"b\": [1, 2]}, {\"a\": \"x\"}, {\"b\": [\"é\", null]}]",
    "{\"a\": [1, \"x\", 8], \"b\": null}",
    "7",
    "[[1, 2], [3], \"12\", 4.5, true]",
    "null",
];

impl Maker<'_> {
    /// A table and rows that are computed of each of its own, or these alone.
    pub fn computed_rows(&mut self) -> Node {
        if self.kind == Kind::MySql && self.dice.chance(50) {
            return self.lateral();
        }
        let chosen = self.dice.below(10);
        if chosen < 2 {
            return self.json_table("jr");
        }
        let table = self.dice.pick(self.tables).clone();
        if chosen == 2 {
            let left = self.json_table("jr");
            let on = format!("ON o.id = jr.{}", self.number_of("jr"));
            let right = self.table(&table, Some("o"));
            let word = *self.dice.pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN"]);
            return marked(Mark::Temporary, row([left, text(word), right, text(on)]));
        }
        let left = self.table(&table, Some("o"));
        let right = self.json_table("jr");
        self.beside(left, right, "jr")
    }

    /// Rows behind a table that they are computed of.
    fn beside(&mut self, left: Node, right: Node, alias: &str) -> Node {
        let on = match self.dice.below(3) {
            0 => format!("ON o.id = {alias}.{}", self.number_of(alias)),
            1 => format!("ON {alias}.{} > 1", self.number_of(alias)),
            _ => "ON TRUE".to_owned(),
        };
        let joined = match self.dice.below(3) {
            0 => row([left, text(","), right]),
            1 => row([left, text("JOIN"), right, maybe(text(on))]),
            _ => row([left, text("LEFT JOIN"), right, text(on)]),
        };
        marked(Mark::WarningsVary, marked(Mark::Temporary, joined))
    }

    /// A field that holds numbers, if there is one.
    fn number_of(&self, alias: &str) -> String {
        let source = self.scope.iter().find(|source| source.alias == alias);
        let fields = source.map_or(&[][..], |source| &source.fields[..]);
        let number = fields.iter().find(|field| wanted(field.form.kind) == Some(Want::Number));
        number.or(fields.first()).map_or("n".to_owned(), |field| field.name.clone())
    }

    /// MySQL's: a query that sees the columns of what stands before it.
    fn lateral(&mut self) -> Node {
        let table = self.dice.pick(self.tables).clone();
        let left = self.table(&table, Some("o"));
        self.nesting = self.nesting.saturating_sub(1);
        let scope = std::mem::take(&mut self.scope);
        let outer = std::mem::replace(&mut self.outer, scope.clone());
        let inner = self.block(Use::Nested);
        self.outer = outer;
        self.scope = scope;
        self.nesting += 1;
        self.scope.push(Source { alias: "lat".to_owned(), fields: inner.fields, keys: 0 });
        let right = row([text("LATERAL ("), inner.node, text(") AS lat")]);
        marked(Mark::Merged, self.beside(left, right, "lat"))
    }

    /// JSON_TABLE over a document of a table in scope, or one of its own.
    pub fn json_table(&mut self, alias: &str) -> Node {
        let document = self.rows_document();
        let path = *self.dice.pick(&["'$[*]'", "'$[*]'", "'$'", "'$.a[*]'", "'$.b[*]'"]);
        let mut columns = vec![text("n FOR ORDINALITY")];
        let field = |name: &str, want| Field {
            name: name.to_owned(),
            form: computed(want),
            nullable: true,
        };
        let mut fields = vec![field("n", Want::Number)];
        for number in 0..1 + self.dice.below(3) {
            let (written, want) = *self.dice.pick(&[
                ("INT PATH '$'", Want::Number),
                ("INT PATH '$.a'", Want::Number),
                ("INT PATH '$' DEFAULT '-1' ON EMPTY DEFAULT '-2' ON ERROR", Want::Number),
                ("BIGINT PATH '$[1]' NULL ON EMPTY NULL ON ERROR", Want::Number),
                ("DECIMAL(8,2) PATH '$' DEFAULT '7.5' ON EMPTY", Want::Number),
                ("VARCHAR(20) PATH '$'", Want::Text),
                ("VARCHAR(2) PATH '$.a'", Want::Text),
                ("VARCHAR(20) COLLATE utf8mb4_bin PATH '$'", Want::Text),
                ("INT EXISTS PATH '$.b'", Want::Number),
                ("DATE PATH '$'", Want::Moment),
            ]);
            let name = format!("p{number}");
            columns.push(text(format!("{name} {written}")));
            fields.push(field(&name, want));
        }
        // Its rows are those of the other's, each as often as there are of these.
        let mut keys = 1;
        if self.dice.chance(20) {
            columns.push(maybe(text(
                "NESTED PATH '$.b[*]' COLUMNS (m FOR ORDINALITY, p9 VARCHAR(9) PATH '$')",
            )));
            keys = 0;
        }
        self.scope.push(Source { alias: alias.to_owned(), fields, keys });
        let word = *self.dice.pick(&["AS ", ""]);
        row([
            text("JSON_TABLE("),
            document,
            text(format!(", {path} COLUMNS (")),
            commas(columns),
            text(format!(")) {word}{alias}")),
        ])
    }

    fn rows_document(&mut self) -> Node {
        let json = self.field(|field| field.form.kind == Type::Json);
        let number = self.field(|field| field.form.kind == Type::Whole);
        match (json, number, self.dice.below(4)) {
            (Some((source, field)), _, 0..=2) => self.column(source, field),
            (_, Some((source, field)), 0 | 1) => {
                let column = self.column(source, field);
                expr([text("JSON_ARRAY("), column, text(", 'x', 3)")])
            }
            (_, Some((source, field)), 2) => {
                let column = self.column(source, field);
                expr([text("CONCAT('[{\"a\": ', COALESCE("), column, text(", 0), '}, 5]')")])
            }
            _ => {
                let document = *self.dice.pick(DOCUMENTS);
                let value = Some(Value::Bytes(document.as_bytes().to_vec()));
                Node::Literal { text: format!("'{document}'"), value }
            }
        }
    }
}

impl Maker<'_> {
    /// SELECT … INTO variables, of the one row that it has.
    pub fn into_variables(&mut self) -> Node {
        let from = self.from();
        let keyed = self.scope.iter().all(|source| source.keys > 0);
        let (items, order) = match keyed && self.dice.chance(60) {
            true => {
                let (items, _) = self.items(Use::Nested);
                (items, row([text("ORDER BY"), self.tie(), text("LIMIT 1")]))
            }
            false => {
                let items = (0..1 + self.dice.below(4))
                    .map(|_| self.aggregate(Use::Nested).0)
                    .collect::<Vec<_>>();
                (items, Node::Nothing)
            }
        };
        let variables = &["@u1", "@u2", "@u4", "@u5"][..items.len().min(4)];
        let into = text(format!("INTO {}", variables.join(", ")));
        let (before, behind) = match self.dice.chance(50) {
            true => (into, Node::Nothing),
            false => (Node::Nothing, into),
        };
        let condition = self.condition();
        let width = items.len();
        let items = list(items, ", ", width);
        row([text("SELECT"), items, before, from, condition, order, behind])
    }

    /// Rows that the statement itself brings, alone or beside tables.
    pub fn values(&mut self) -> Node {
        let rows = self.constructed();
        let chosen = self.dice.below(5);
        if chosen == 0 {
            let tail = *self.dice.pick(&["", "ORDER BY 1, 2", "ORDER BY 2 DESC, 1 LIMIT 2"]);
            return row([text("VALUES"), rows, maybe(text(tail))]);
        }
        let table = self.dice.pick(self.tables).clone();
        if chosen == 1 {
            let word = *self.dice.pick(&["UNION", "UNION ALL", "EXCEPT"]);
            let from = self.table(&table, Some("o"));
            let bound = self.dice.below(30);
            let united = row([
                text("SELECT o.id, 'a' FROM"),
                from,
                text(format!("WHERE o.id < {bound} {word} VALUES")),
                rows,
            ]);
            return marked(Mark::Grouped, united);
        }
        let field = |name: &str, want| Field {
            name: name.to_owned(),
            form: computed(want),
            nullable: true,
        };
        let fields = vec![field("v0", Want::Number), field("v1", Want::Text)];
        self.scope = vec![Source { alias: "vt".to_owned(), fields, keys: 0 }];
        let derived = self.kind == Kind::MySql && self.dice.chance(60);
        let (before, from) = match derived {
            true => (Node::Nothing, row([text("(VALUES"), rows, text(") AS vt (v0, v1)")])),
            false => (row([text("WITH vt (v0, v1) AS (VALUES"), rows, text(")")]), text("vt")),
        };
        let from = match self.dice.chance(75) {
            true => self.joined_to(from),
            false => from,
        };
        let from = row([text("FROM"), from]);
        let outer = match self.dice.chance(60) {
            true => self.plain(from, Use::Whole),
            false => self.grouped(from, Use::Whole),
        };
        let node = row([before, outer.node]);
        marked(Mark::Merged, marked(Mark::WarningsVary, node))
    }

    /// One row or several, as this kind of server writes them behind VALUES.
    fn constructed(&mut self) -> Node {
        let word = match self.kind {
            Kind::MySql => "ROW(",
            Kind::MariaDb => "(",
        };
        let rows = (0..1 + self.dice.below(4))
            .map(|_| {
                let number = *self.dice.pick(&["1", "2", "5", "-1", "30", "8", "NULL"]);
                let letter = *self.dice.pick(&["'a'", "'A'", "'b'", "''", "'12'", "'é'"]);
                text(format!("{word}{number}, {letter})"))
            })
            .collect();
        commas(rows)
    }
}
