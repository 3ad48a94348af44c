//! Random expressions over the columns in scope.
//!
//! Owns: literals in all their spellings, columns in all of theirs, and what is built of them by
//! templates. Never: a subquery (see `select`).

use mysql_async::Value;

use crate::oracle::forms::Type;
use crate::oracle::schema::{Field, Table};
use crate::oracle::templates as words;
use crate::oracle::tree::{Mark, Node, commas, expr, list, marked, row, text};
use crate::support::dice::Dice;
use crate::support::servers::Kind;

/// What stands in a FROM clause.
#[derive(Clone, Debug)]
pub struct Source {
    pub alias: String,
    pub fields: Vec<Field>,
    /// The leading fields that identify a row; none where nothing does.
    pub keys: usize,
}

/// What the templates' places want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    Number,
    Text,
    Moment,
    Truth,
}

/// Makes pieces of statements.
pub struct Maker<'a> {
    pub dice: Dice,
    pub kind: Kind,
    pub schema: &'a str,
    /// Keyed tables have global secondary indexes.
    pub indexed: bool,
    pub tables: &'a [Table],
    pub scope: Vec<Source>,
    /// Queries around the one that is being made, whose columns may be used in it.
    pub outer: Vec<Source>,
    pub numbered: u32,
    /// How deep queries may still be nested.
    pub nesting: u32,
    /// Writes have a mode of their own: no expressions that fail for some rows.
    pub careful: bool,
}

impl Maker<'_> {
    pub fn number(&mut self) -> u32 {
        self.numbered += 1;
        self.numbered
    }

    /// A column as a statement may write it.
    pub fn column(&mut self, source: usize, field: usize) -> Node {
        let name = self.scope[source].fields[field].name.clone();
        let alone = self
            .scope
            .iter()
            .chain(&self.outer)
            .filter(|source| source.fields.iter().any(|field| field.name == name))
            .count()
            == 1;
        let quoted = |name: &str, dice: &mut Dice| {
            let bare = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !bare || dice.chance(8) {
                format!("`{}`", name.replace('`', "``"))
            } else if dice.chance(4) {
                name.to_uppercase()
            } else {
                name.to_owned()
            }
        };
        let column = quoted(&name, &mut self.dice);
        if alone && self.dice.chance(65) {
            return expr([text(column)]);
        }
        let alias = self.scope[source].alias.clone();
        expr([text(format!("{}.{column}", plain_quoted(&alias)))])
    }

    /// A column of the query around this one.
    fn outer_column(&mut self, fits: impl Fn(&Field) -> bool) -> Option<Node> {
        let found: Vec<String> = self
            .outer
            .iter()
            .flat_map(|source| {
                source
                    .fields
                    .iter()
                    .filter(|field| fits(field))
                    .map(|field| format!("{}.{}", plain_quoted(&source.alias), field.name))
            })
            .collect();
        if found.is_empty() {
            return None;
        }
        Some(expr([text(self.dice.pick(&found).clone())]))
    }

    /// Any field that fits, keys more often.
    pub fn field(&mut self, fits: impl Fn(&Field) -> bool) -> Option<(usize, usize)> {
        let mut found = Vec::new();
        for (number, source) in self.scope.iter().enumerate() {
            for (index, field) in source.fields.iter().enumerate() {
                if fits(field) {
                    found.push((number, index));
                    if index < source.keys {
                        found.push((number, index));
                    }
                }
            }
        }
        if found.is_empty() { None } else { Some(*self.dice.pick(&found)) }
    }

    pub fn form_of(&self, (source, field): (usize, usize)) -> &Field {
        &self.scope[source].fields[field]
    }

    pub fn expression(&mut self, want: Want, depth: u32) -> Node {
        match want {
            Want::Truth => self.truth(depth),
            _ if depth == 0 || self.dice.chance(30) => self.leaf(want),
            Want::Number => self.from_templates(words::NUMBERS, depth),
            Want::Text => self.from_templates(words::TEXTS, depth),
            Want::Moment => self.from_templates(words::MOMENTS, depth),
        }
    }

    /// A column or literal, now and then of another type than wanted.
    pub fn leaf(&mut self, want: Want) -> Node {
        if self.dice.chance(5) {
            if self.dice.chance(25) {
                return Node::Literal { text: "NULL".to_owned(), value: Some(Value::NULL) };
            }
            return text(*self.dice.pick(&["NULL", "@u1", "@u2", "@u4", "TRUE", "FALSE"]));
        }
        let strict = self.careful || self.dice.chance(93);
        let fits = |field: &Field| !strict || wanted(field.form.kind) == Some(want);
        if !self.outer.is_empty() && self.dice.chance(25) {
            if let Some(column) = self.outer_column(fits) {
                return column;
            }
        }
        let chosen = self.field(fits);
        match chosen {
            Some((source, field)) if self.dice.chance(72) => self.column(source, field),
            Some(place) => {
                let pool = self.form_of(place).form.pool;
                let literal = *self.dice.pick(pool);
                self.literal(literal)
            }
            None => self.free_literal(want),
        }
    }

    pub fn free_literal(&mut self, want: Want) -> Node {
        let pool = match want {
            Want::Number | Want::Truth => words::FREE_NUMBERS,
            Want::Text => words::FREE_TEXTS,
            Want::Moment => words::FREE_MOMENTS,
        };
        let literal = *self.dice.pick(pool);
        self.literal(literal)
    }

    /// A literal of a pool in one of its spellings.
    pub fn literal(&mut self, pool: &str) -> Node {
        let value = parameter(pool);
        // MariaDB looks a fraction up as the nearest whole number where it uses an index, and compares
        // it as it is elsewhere.
        if let Some(value) = value.clone().filter(|_| self.dice.chance(45)) {
            let value = Some(self.bound(value));
            return Node::Expr(Box::new(Node::Literal { text: pool.to_owned(), value }));
        }
        let spelled = match (&value, self.dice.below(14)) {
            (Some(Value::Int(_)), 8) => pool.to_owned(),
            (Some(Value::Int(number)), spelling) => spelled_number(*number, spelling, pool),
            // In a join by equal texts MySQL asks a condition by bytes of either side's text.
            (Some(Value::Bytes(_)), AS_BYTES)
                if self.kind == Kind::MySql && self.scope.len() + self.outer.len() > 1 =>
            {
                pool.to_owned()
            }
            (Some(Value::Bytes(bytes)), spelling) => spelled_text(bytes, spelling, pool),
            _ => pool.to_owned(),
        };
        Node::Expr(Box::new(Node::Literal { text: spelled, value: None }))
    }

    /// A parameter's value as a driver may bind it.
    fn bound(&mut self, value: Value) -> Value {
        match (value, self.dice.below(8)) {
            (Value::Int(number), 0) if number >= 0 => Value::UInt(number.unsigned_abs()),
            (Value::Int(number), 1) if number.unsigned_abs() < 1 << 50 => {
                Value::Double(number as f64)
            }
            (Value::Int(number), 2) => Value::Bytes(number.to_string().into_bytes()),
            (Value::Bytes(text), 0..=3) => moment(&text).unwrap_or(Value::Bytes(text)),
            (value, _) => value,
        }
    }

    pub fn from_templates(&mut self, templates: &[(u64, &str)], depth: u32) -> Node {
        let weights: Vec<u64> = templates.iter().map(|(weight, _)| *weight).collect();
        let (_, template) = templates[self.dice.weighted(&weights)];
        self.template(template, depth)
    }

    /// Fills a template's places: `{n}` a number, `{s}` a text, `{d}` a date or time, `{b}` a truth,
    /// `{i}` a small number, `{l}` a text literal, `{u}` a unit, `{j}` a JSON document, `{c}` a
    /// column.
    pub fn template(&mut self, template: &str, depth: u32) -> Node {
        let below = depth.saturating_sub(1);
        let mut nodes = Vec::new();
        let mut rest = template;
        while let Some(start) = rest.find('{') {
            if start > 0 {
                nodes.push(text(&rest[..start]));
            }
            let place = rest.as_bytes()[start + 1];
            nodes.push(match place {
                b'n' => self.expression(Want::Number, below),
                b's' => match self.expression(Want::Text, below) {
                    first if nodes.len() == 1 && grows(template) && in_halves(&first) => {
                        text("'ab'")
                    }
                    other => other,
                },
                b'd' => self.expression(Want::Moment, below),
                b'b' => self.truth(below),
                b'i' => text(self.dice.below(5).to_string()),
                b'l' => self.free_literal(Want::Text),
                b'j' => self.document(),
                b'u' => text(*self.dice.pick(words::UNITS)),
                _ => self.any_column(),
            });
            rest = &rest[start + 3..];
        }
        if !rest.is_empty() {
            nodes.push(text(rest));
        }
        // A row's second pair is compared, and converted, where the first is alike; an index tells that
        // before a row is read.
        let made = match template.contains(") = (") {
            true => marked(Mark::WarningsVary, expr(nodes)),
            false => expr(nodes),
        };
        match template.contains("{n} + ")
            || template.contains("{n} * ")
            || template.contains("{n} - ")
            || template.contains("{n} DIV ")
            || template.contains("POW(")
            || template.starts_with("-{n}")
        {
            true => marked(Mark::ErrorsVary, made),
            false => made,
        }
    }

    fn document(&mut self) -> Node {
        match self.field(|field| field.form.kind == Type::Json) {
            Some((source, field)) => self.column(source, field),
            None => text(*self.dice.pick(words::DOCUMENTS)),
        }
    }

    pub fn any_column(&mut self) -> Node {
        match self.field(|field| field.form.kind != Type::Shape) {
            Some((source, field)) => self.column(source, field),
            None => text("1"),
        }
    }

    /// A predicate.
    pub fn truth(&mut self, depth: u32) -> Node {
        if depth == 0 || self.dice.chance(55) {
            return self.comparison();
        }
        let below = depth - 1;
        match self.dice.below(14) {
            0..=2 => {
                let separator =
                    *self.dice.pick(&[" AND ", " AND ", " && ", " OR ", " OR ", " XOR "]);
                let parts = (0..2 + self.dice.below(2)).map(|_| self.truth(below)).collect();
                marked(Mark::WarningsVary, expr([text("("), list(parts, separator, 1), text(")")]))
            }
            3 => {
                let not = *self.dice.pick(&["NOT (", "!("]);
                let inner = self.truth(below);
                expr([text(not), inner, text(")")])
            }
            4 => {
                let want = *self.dice.pick(&[Want::Number, Want::Text, Want::Moment]);
                let (left, right) = (self.expression(want, below), self.expression(want, below));
                let operator = *self.dice.pick(words::COMPARISONS);
                expr([left, text(operator), right])
            }
            5 => {
                let inner = self.truth(below);
                let is = *self.dice.pick(&["IS TRUE", "IS NOT TRUE", "IS FALSE", "IS UNKNOWN"]);
                expr([text("("), inner, text(")"), text(is)])
            }
            6 => self.expression(Want::Number, below),
            _ => self.from_templates(words::TRUTHS, depth),
        }
    }

    /// A column against literals of its own type.
    fn comparison(&mut self) -> Node {
        let Some(place) = self.field(|field| field.form.kind != Type::Shape) else {
            return expr([
                self.free_literal(Want::Number),
                text("="),
                self.free_literal(Want::Number),
            ]);
        };
        let (column, pool) = (self.column(place.0, place.1), self.form_of(place).form.pool);
        let of_json = self.form_of(place).form.kind == Type::Json;
        let one = |maker: &mut Self| {
            let literal = *maker.dice.pick(pool);
            maker.literal(literal)
        };
        match self.dice.below(20) {
            0..=1 => {
                let is = *self.dice.pick(&["IS NULL", "IS NOT NULL"]);
                expr([column, text(is)])
            }
            2..=4 => {
                // MariaDB looks members up in an index of the column's collation even where one of
                // them sets another: a scan finds other rows.
                let listed = |maker: &mut Self| loop {
                    let made = one(maker);
                    if !made.write(false).sql.contains(" COLLATE ") {
                        break made;
                    }
                };
                let values = (0..1 + self.dice.below(4)).map(|_| listed(self)).collect();
                let word = *self.dice.pick(&["IN (", "IN (", "NOT IN ("]);
                expr([column, text(word), commas(values), text(")")])
            }
            5..=6 => {
                let (low, high) = (one(self), one(self));
                let word = *self.dice.pick(&["BETWEEN", "BETWEEN", "NOT BETWEEN"]);
                expr([column, text(word), low, text("AND"), high])
            }
            7 if !of_json => {
                let pattern = *self.dice.pick(words::PATTERNS);
                let word = *self.dice.pick(&["LIKE", "LIKE", "NOT LIKE"]);
                expr([column, text(word), text(pattern)])
            }
            8 => {
                let value = one(self);
                expr([value, text(*self.dice.pick(words::COMPARISONS)), column])
            }
            // MariaDB finds other moments for a number by an index than without it.
            9 if wanted(self.form_of(place).form.kind) != Some(Want::Moment) => self.pair(column),
            10..=12 => {
                let value = one(self);
                expr([column, text(*self.dice.pick(words::COMPARISONS)), value])
            }
            _ => {
                let value = one(self);
                expr([column, text("="), value])
            }
        }
    }

    /// Rows of two against rows of two.
    fn pair(&mut self, column: Node) -> Node {
        let Some(place) = self.field(|field| wanted(field.form.kind).is_some()) else {
            return column;
        };
        let (second, pool) = (self.column(place.0, place.1), self.form_of(place).form.pool);
        let left = row([text("("), column, text(","), second, text(")")]);
        let mut pairs = Vec::new();
        // MariaDB looks a fraction up in an index as the nearest whole number.
        let whole = |maker: &mut Self, pool: &[&str]| loop {
            let literal = *maker.dice.pick(pool);
            let made = maker.literal(literal);
            let (plain, bound) = (made.write(false).sql, made.write(true));
            if literal.contains('.') || !plain.contains(".5") || bound.sql == "?" {
                break made;
            }
        };
        let numbers: Vec<&str> =
            words::FREE_NUMBERS.iter().copied().filter(|text| !text.contains('.')).collect();
        for _ in 0..1 + self.dice.below(2) {
            let (first, second) = (whole(self, &numbers), whole(self, pool));
            pairs.push(row([text("("), first, text(","), second, text(")")]));
        }
        // The first of a pair is most often converted, with a warning for each row that is read: an
        // index on the second leaves rows out.
        marked(Mark::WarningsVary, expr([left, text("IN ("), commas(pairs), text(")")]))
    }
}

/// What an expression of this type can stand for.
pub fn wanted(kind: Type) -> Option<Want> {
    match kind {
        Type::Key | Type::Whole | Type::Decimal | Type::Float | Type::Year | Type::Bit => {
            Some(Want::Number)
        }
        Type::Text | Type::Bytes | Type::Label => Some(Want::Text),
        Type::Date | Type::DateTime | Type::Time => Some(Want::Moment),
        Type::Json | Type::Shape => None,
    }
}

pub fn plain_quoted(name: &str) -> String {
    let bare = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if bare { name.to_owned() } else { format!("`{name}`") }
}

/// A literal's value as a parameter, where it has a plain one.
pub fn parameter(literal: &str) -> Option<Value> {
    if let Ok(number) = literal.parse::<i64>() {
        return Some(Value::Int(number));
    }
    if let Ok(number) = literal.parse::<u64>() {
        return Some(Value::UInt(number));
    }
    let inner = literal.strip_prefix('\'')?.strip_suffix('\'')?;
    // MySQL refuses a date with zeros as a literal and takes it as a parameter, which is a literal
    // wherever a statement is sent as text.
    if inner.contains('\\') || inner.contains("-00") || inner.contains("0000-") {
        return None;
    }
    Some(Value::Bytes(inner.replace("''", "'").into_bytes()))
}

/// A date or a date with its time, to the second, as a value of that type.
fn moment(text: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(text).ok()?;
    let parts: Vec<u16> =
        text.split(['-', ' ', ':']).map(str::parse).collect::<Result<_, _>>().ok()?;
    let small = |index: usize| parts.get(index).map(|part| *part as u8);
    let long = text.len() == 19 && parts.len() == 6;
    if !(long || text.len() == 10 && parts.len() == 3) || !text.contains('-') {
        return None;
    }
    let [hour, minute, second] = [3, 4, 5].map(|index| small(index).unwrap_or(0));
    Some(Value::Date(parts[0], small(1)?, small(2)?, hour, minute, second, 0))
}

fn spelled_number(number: i64, spelling: u64, plain: &str) -> String {
    match spelling {
        0 => format!("'{number}'"),
        1 => format!("{number}.0"),
        2 => format!("{number}e0"),
        3 if number >= 0 => format!("0x{number:02X}"),
        4 if number >= 0 => format!("b'{number:b}'"),
        5 if number >= 0 => format!("+{number}"),
        6 if number > 1 => format!("-(-{number})"),
        7 if number.unsigned_abs() < 1000 => format!("({} + 1)", number - 1),
        8 => format!("{number}.5"),
        9 => format!("/* odd */ {number}"),
        10 if number >= 0 => format!("00{number}"),
        _ => plain.to_owned(),
    }
}

/// Whether MariaDB writes the function's answer into its first argument's own bytes. Those of a literal
/// in two halves are not guarded: it grows with each row.
fn grows(template: &str) -> bool {
    template.starts_with("REPEAT(") || template.starts_with("REPLACE(")
}

/// Whether a literal is written as two that stand beside each other.
fn in_halves(node: &Node) -> bool {
    let written = node.write(false).sql;
    written.as_bytes().windows(4).any(|four| four[0] != b'\'' && &four[1..] == b"' '")
}

/// The spelling of a text that is compared by its bytes.
const AS_BYTES: u64 = 9;

fn spelled_text(bytes: &[u8], spelling: u64, plain: &str) -> String {
    let inner = String::from_utf8_lossy(bytes);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let escaped = |text: &str| text.replace('\'', "''");
    match spelling {
        0 => format!("\"{}\"", inner.replace('"', "\"\"")),
        1 => format!("_utf8mb4{plain}"),
        2 => format!("_utf8mb4 x'{hex}'"),
        // Of utf8mb3, which has no characters beyond these.
        3 if inner.chars().all(|c| c < '\u{ffff}') => format!("N{plain}"),
        4 if inner.is_ascii() && inner.len() > 1 => {
            format!("'{}' '{}'", escaped(&inner[..1]), escaped(&inner[1..]))
        }
        5 => format!("{plain} COLLATE utf8mb4_bin"),
        6 => format!("CONCAT({plain})"),
        7 if inner.is_ascii() => format!("_latin1{plain}"),
        8 => format!("x'{hex}'"),
        AS_BYTES => format!("BINARY {plain}"),
        _ => plain.to_owned(),
    }
}
