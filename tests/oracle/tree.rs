//! A statement as a tree that can be written out and cut down.
//!
//! Owns: the pieces, their text, and what the text's answer may be compared by ([`Mark`]). Never:
//! knows SQL beyond that pieces stand in a row.

use mysql_async::Value;

/// What is known of a statement's answer, by the rule that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The rows' order is fixed wholly.
    Ordered,
    /// Which rows come is the server's choice: their number alone is compared.
    CountOnly,
    /// Sums of floats, whose last digits depend on the order of the rows.
    Approximate,
    /// Which of several texts that the collation calls equal is shown is the server's choice.
    Folded,
    /// Grouped by way of a temporary table or not, by the number of rows: keys' flags differ.
    Grouped,
    /// Sorted by way of a temporary table or not: what a computed column came from is forgotten.
    Temporary,
    /// A derived table is merged into the query around it or not: what a column came from.
    Merged,
    /// It writes: rows have numbers that are its own.
    Written,
    /// How often an expression is evaluated, and so how often it warns, is the server's choice.
    WarningsVary,
    /// Whether an expression is evaluated at all, and so fails, is the server's choice.
    ErrorsVary,
}

/// A piece of a statement.
#[derive(Clone, Debug)]
pub enum Node {
    Text(String),
    /// Pieces with a space between them.
    Row(Vec<Node>),
    /// A list with a separator, of which the reducer leaves at least `least`.
    List {
        items: Vec<Node>,
        separator: &'static str,
        least: usize,
    },
    /// What may be left out.
    Maybe(Box<Node>),
    /// An expression: one of those inside of it, or a literal, may take its place.
    Expr(Box<Node>),
    /// A literal; in a prepared statement a parameter where it has a value.
    Literal {
        text: String,
        value: Option<Value>,
    },
    Marked(Mark, Box<Node>),
    /// Pieces of one number only go together.
    Linked(u32, Box<Node>),
    Nothing,
}

/// A statement written out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    pub sql: String,
    pub parameters: Vec<Value>,
    pub prepared: bool,
    /// With literals in place of the parameters.
    pub literal: String,
    pub marks: Vec<Mark>,
}

impl Written {
    pub fn has(&self, mark: Mark) -> bool {
        self.marks.contains(&mark)
    }
}

pub fn text(text: impl Into<String>) -> Node {
    Node::Text(text.into())
}

pub fn row(nodes: impl IntoIterator<Item = Node>) -> Node {
    Node::Row(nodes.into_iter().collect())
}

pub fn list(items: Vec<Node>, separator: &'static str, least: usize) -> Node {
    Node::List { items, separator, least }
}

pub fn commas(items: Vec<Node>) -> Node {
    list(items, ", ", 1)
}

pub fn maybe(node: Node) -> Node {
    Node::Maybe(Box::new(node))
}

pub fn expr(nodes: impl IntoIterator<Item = Node>) -> Node {
    Node::Expr(Box::new(row(nodes)))
}

pub fn marked(mark: Mark, node: Node) -> Node {
    Node::Marked(mark, Box::new(node))
}

impl Node {
    /// Without parameters, prepared or not.
    pub fn fixed(mut self) -> Node {
        self.fix();
        self
    }

    fn fix(&mut self) {
        if let Node::Literal { value, .. } = self {
            *value = None;
        }
        self.children_mut().into_iter().for_each(Node::fix);
    }

    /// The statement's text; with parameters in place of literals where it is to be prepared.
    pub fn write(&self, prepared: bool) -> Written {
        let mut written = Written { prepared, ..Written::default() };
        self.write_to(&mut written, prepared);
        if prepared {
            let mut literal = Written::default();
            self.write_to(&mut literal, false);
            written.literal = literal.sql;
        }
        written
    }

    fn write_to(&self, out: &mut Written, prepared: bool) {
        match self {
            Node::Nothing => {}
            Node::Text(text) => space(&mut out.sql, text),
            Node::Literal { value: Some(value), .. } if prepared => {
                space(&mut out.sql, "?");
                out.parameters.push(value.clone());
            }
            Node::Literal { text, .. } => space(&mut out.sql, text),
            Node::Row(nodes) => nodes.iter().for_each(|node| node.write_to(out, prepared)),
            Node::List { items, separator, .. } => {
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.sql.push_str(separator);
                    }
                    item.write_to(out, prepared);
                }
            }
            Node::Maybe(node) | Node::Expr(node) | Node::Linked(_, node) => {
                node.write_to(out, prepared);
            }
            Node::Marked(mark, node) => {
                if !out.marks.contains(mark) {
                    out.marks.push(*mark);
                }
                node.write_to(out, prepared);
            }
        }
    }

    pub fn children(&self) -> Vec<&Node> {
        match self {
            Node::Row(nodes) | Node::List { items: nodes, .. } => nodes.iter().collect(),
            Node::Maybe(node)
            | Node::Expr(node)
            | Node::Marked(_, node)
            | Node::Linked(_, node) => vec![node],
            Node::Text(_) | Node::Literal { .. } | Node::Nothing => Vec::new(),
        }
    }

    pub fn children_mut(&mut self) -> Vec<&mut Node> {
        match self {
            Node::Row(nodes) | Node::List { items: nodes, .. } => nodes.iter_mut().collect(),
            Node::Maybe(node)
            | Node::Expr(node)
            | Node::Marked(_, node)
            | Node::Linked(_, node) => vec![node],
            Node::Text(_) | Node::Literal { .. } | Node::Nothing => Vec::new(),
        }
    }
}

/// One space between two words, none after an opening or before a closing parenthesis.
fn space(sql: &mut String, text: &str) {
    let tight = sql.is_empty()
        || sql.ends_with(['(', ' ', '.'])
        || text.starts_with([')', ',', '.', ' '])
        || text.is_empty();
    if !tight {
        sql.push(' ');
    }
    sql.push_str(text);
}
