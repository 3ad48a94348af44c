//! Hints: `/*+ weir: … */` and TDDL's.
//!
//! Owns: their grammar. Never: obeys one; unknown ones are reported and not silently passed over.

use std::ops::Range;

use crate::sql::lex::{Dialect, Scanner};
use crate::sql::literal::{name_of, unquote};
use crate::sql::token::{Token, TokenKind};
use crate::value::size;

/// What a hint asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// `shard(orders, 12)`, `shard(orders, 3, 4)`: these shards of a table.
    Shard { table: String, shards: Vec<u32> },
    /// `primary`, TDDL's `master()`.
    Primary,
    /// `replica`, TDDL's `slave()`.
    Replica,
    /// `timeout(500)`: milliseconds.
    Timeout(u64),
    /// `workbench_rows(5000)`, `workbench_bytes(64MiB)`, `merge_memory('64MiB')`: what it may take.
    Bound { of: Bounded, most: u64 },
    /// `scatter_ok`: a statement for many shards is meant so.
    ScatterOk,
    /// `consistent_reads`: a read of many shards shows no half of a committed transaction.
    ConsistentReads,
    /// `view(alias, schema, name, merged, column, …)`: Weir's own, for a view that stood there; the
    /// columns are those that it computes. No client's text has it.
    View { alias: String, schema: String, name: String, merged: bool, computed: Vec<String> },
    /// TDDL's `node('group')`: the statement goes as it is to these groups (or numbers of nodes).
    Node(Vec<String>),
    /// TDDL's `scan(…)`: to all shards, narrowed by what is given.
    Scan(Scan),
}

/// What a hint bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounded {
    /// Rows that the workbench gathers.
    WorkbenchRows,
    /// Bytes of these rows.
    WorkbenchBytes,
    /// Bytes that a sorted or grouped merge holds.
    MergeMemory,
}

/// The arguments of TDDL's `scan()`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Scan {
    /// The logical tables: the first argument, or none for all of the statement.
    pub tables: Vec<String>,
    /// `condition="…"`.
    pub condition: Option<String>,
    /// `node="0,1"`; none: all.
    pub nodes: Vec<String>,
    /// `real_table=("t_0","t_1")`; none: all.
    pub real_tables: Vec<String>,
}

impl Scan {
    /// Whether it leaves some shards out.
    pub fn restricts(&self) -> bool {
        self.condition.is_some() || !self.nodes.is_empty() || !self.real_tables.is_empty()
    }
}

/// A statement's hints.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Hints {
    pub hints: Vec<Hint>,
    /// The comments that held them: to be cut out before the statement is sent, since MySQL would
    /// warn of them or run them (`/*!TDDL:…*/`).
    pub ranges: Vec<Range<usize>>,
    /// What was not understood, with the reason: an error or a warning for the client.
    pub unknown: Vec<String>,
}

/// The hints among a statement's tokens, wherever they stand: each is one of the whole statement.
/// MySQL's own optimizer hints are no business of Weir's and stay where they are. `own`: the text is
/// Weir's, whose hints no client may write.
pub fn parse(sql: &[u8], tokens: &[Token], own: bool) -> Hints {
    let mut hints = Hints::default();
    for token in tokens.iter().filter(|token| token.kind == TokenKind::Hint) {
        let body = body(token.bytes(sql));
        let (ours, rest) = match prefix(body) {
            Some(found) => found,
            None if is_misplaced(body) => {
                hints.ranges.push(token.range());
                hints.unknown.push(format!(
                    "{}: a comment with hints begins with 'weir:' or 'TDDL:', and has no others",
                    String::from_utf8_lossy(body)
                ));
                continue;
            }
            None => continue,
        };
        hints.ranges.push(token.range());
        let mut reader = Reader::new(rest, own);
        if ours {
            reader.weir(&mut hints);
        } else {
            reader.tddl(&mut hints);
        }
    }
    hints
}

/// What stands between `/*+`, `/*!` or `/*` and `*/`.
fn body(comment: &[u8]) -> &[u8] {
    let inner = comment.strip_prefix(b"/*").unwrap_or(comment);
    let inner = inner.strip_suffix(b"*/").unwrap_or(inner);
    let inner = inner.strip_prefix(b"+").or_else(|| inner.strip_prefix(b"!")).unwrap_or(inner);
    inner.trim_ascii()
}

/// Whose hint it is (true: Weir's), and its text behind the prefix.
fn prefix(body: &[u8]) -> Option<(bool, &[u8])> {
    let name = body.get(..4)?;
    let rest = body.get(4..)?.trim_ascii_start();
    if name.eq_ignore_ascii_case(b"weir") {
        return Some((true, rest.strip_prefix(b":")?));
    }
    if name.eq_ignore_ascii_case(b"TDDL") {
        // `TDDL({…})` is the oldest form: JSON.
        return Some((false, rest.strip_prefix(b":").unwrap_or(rest)));
    }
    None
}

/// Whether a hint for Weir stands behind one for the servers, or has lost its colon: nobody would obey it.
fn is_misplaced(body: &[u8]) -> bool {
    let is_name =
        |word: &[u8]| word.eq_ignore_ascii_case(b"weir") || word.eq_ignore_ascii_case(b"TDDL");
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
    let mut at = 0;
    while let Some(rest) = body.get(at..).filter(|rest| !rest.is_empty()) {
        let length = rest.iter().take_while(|byte| is_word(byte)).count();
        let (word, behind) = rest.split_at(length);
        if is_name(word) && (at == 0 || behind.trim_ascii_start().starts_with(b":")) {
            return true;
        }
        at += length.max(1);
    }
    false
}

/// An argument of a hint: `x`, `'x'`, `name=x`, `name=(x, y)`.
#[derive(Clone, Debug, Default)]
struct Argument {
    name: Option<String>,
    values: Vec<String>,
}

impl Argument {
    fn first(&self) -> &str {
        self.values.first().map_or("", String::as_str)
    }
}

/// A call `name(arguments)`, or a bare `name`.
struct Call {
    name: String,
    arguments: Vec<Argument>,
}

struct Reader<'a> {
    text: &'a [u8],
    tokens: Vec<Token>,
    at: usize,
    broken: bool,
    own: bool,
}

impl<'a> Reader<'a> {
    fn new(text: &'a [u8], own: bool) -> Self {
        let mut scanner = Scanner::new(text, 0, Dialect::default());
        let mut tokens = Vec::new();
        let broken = loop {
            match scanner.next_token() {
                Ok(Some(token)) => tokens.push(token),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        Reader { text, tokens, at: 0, broken, own }
    }

    fn weir(&mut self, hints: &mut Hints) {
        while let Some(call) = self.call(hints) {
            let hint = match (call.name.to_ascii_lowercase().as_str(), call.arguments.as_slice()) {
                ("primary" | "master", []) => Ok(Hint::Primary),
                ("replica" | "slave", []) => Ok(Hint::Replica),
                ("scatter_ok", []) => Ok(Hint::ScatterOk),
                ("consistent_reads", []) => Ok(Hint::ConsistentReads),
                ("timeout", [value]) => match value.first().parse() {
                    Ok(milliseconds) if milliseconds > 0 => Ok(Hint::Timeout(milliseconds)),
                    _ => Err("timeout(ms) takes a number of milliseconds above 0"),
                },
                ("view", [alias, schema, name, merged, computed @ ..]) if self.own => {
                    Ok(Hint::View {
                        alias: alias.first().to_owned(),
                        schema: schema.first().to_owned(),
                        name: name.first().to_owned(),
                        merged: merged.first() == "1",
                        computed: computed.iter().map(|column| column.first().to_owned()).collect(),
                    })
                }
                ("workbench_rows", [value]) => match value.first().parse() {
                    Ok(most) => Ok(Hint::Bound { of: Bounded::WorkbenchRows, most }),
                    Err(_) => Err("workbench_rows(n) takes a number of rows"),
                },
                (name @ ("workbench_bytes" | "merge_memory"), [value]) => {
                    match size::bytes(value.first()) {
                        Ok(most) => {
                            let bytes = Bounded::WorkbenchBytes;
                            let of =
                                if name == "merge_memory" { Bounded::MergeMemory } else { bytes };
                            Ok(Hint::Bound { of, most })
                        }
                        Err(_) => Err("it takes a number of bytes, or a size such as '64MiB'"),
                    }
                }
                ("shard", arguments) => shard(arguments),
                ("timeout", _) => Err("timeout(ms) takes a number of milliseconds above 0"),
                ("primary" | "replica" | "scatter_ok" | "consistent_reads", _) => {
                    Err("it takes no arguments")
                }
                _ => Err(
                    "known are shard(table, n), primary, replica, timeout(ms), scatter_ok, consistent_reads, workbench_rows(n), workbench_bytes(size), merge_memory(size)",
                ),
            };
            self.keep(hint, &call.name, hints);
        }
    }

    fn tddl(&mut self, hints: &mut Hints) {
        while let Some(call) = self.call(hints) {
            let hint = match call.name.to_ascii_lowercase().as_str() {
                "master" if call.arguments.is_empty() => Ok(Hint::Primary),
                "slave" if call.arguments.is_empty() => Ok(Hint::Replica),
                "node" => match lists(call.arguments.iter()) {
                    nodes if nodes.is_empty() => Err("node('name') takes names of nodes"),
                    _ if call.arguments.iter().any(|argument| argument.name.is_some()) => {
                        Err("node('name') takes names of nodes")
                    }
                    nodes => Ok(Hint::Node(nodes)),
                },
                "scan" => scan(&call.arguments),
                "cmd_extra" => match call.arguments.as_slice() {
                    [only] if is_timeout(only) => {
                        only.first().parse().map(Hint::Timeout).map_err(|_| "a number is wanted")
                    }
                    _ => Err("of cmd_extra only SOCKET_TIMEOUT is obeyed"),
                },
                _ => {
                    Err("known are node(), master(), slave(), scan(), cmd_extra(SOCKET_TIMEOUT=ms)")
                }
            };
            self.keep(hint, &call.name, hints);
        }
    }

    fn keep(&self, hint: Result<Hint, &str>, name: &str, hints: &mut Hints) {
        match hint {
            // TDDL's SOCKET_TIMEOUT=0 is "none", which is what no hint says too.
            Ok(Hint::Timeout(0)) => {}
            Ok(hint) => hints.hints.push(hint),
            Err(why) => hints.unknown.push(format!("hint {name}: {why}")),
        }
    }

    fn peek(&self) -> &'a [u8] {
        self.tokens.get(self.at).map(|token| token.bytes(self.text)).unwrap_or_default()
    }

    fn eat(&mut self, symbol: &[u8]) -> bool {
        let found = self.peek() == symbol;
        self.at += usize::from(found);
        found
    }

    /// The next call; what isn't one is reported and ends the reading.
    fn call(&mut self, hints: &mut Hints) -> Option<Call> {
        while self.eat(b",") {}
        if std::mem::take(&mut self.broken) {
            self.at = self.tokens.len();
            hints.unknown.push("hint: a quote is not closed".to_owned());
            return None;
        }
        let token = self.tokens.get(self.at)?;
        if !token.is_name() {
            let rest = self.text.get(token.start as usize..).unwrap_or_default();
            hints.unknown.push(format!("hint not understood: {}", String::from_utf8_lossy(rest)));
            self.at = self.tokens.len();
            return None;
        }
        let name = name_of(self.text, token);
        self.at += 1;
        let mut arguments = Vec::new();
        if self.eat(b"(") {
            while !self.eat(b")") {
                match self.argument() {
                    Some(argument) => arguments.push(argument),
                    None => {
                        hints
                            .unknown
                            .push(format!("hint {name}: its arguments are not understood"));
                        self.at = self.tokens.len();
                        return None;
                    }
                }
                self.eat(b",");
            }
        }
        Some(Call { name, arguments })
    }

    fn argument(&mut self) -> Option<Argument> {
        let first = self.value()?;
        if !self.eat(b"=") {
            return Some(Argument { name: None, values: vec![first] });
        }
        let mut values = Vec::new();
        if self.eat(b"(") {
            while !self.eat(b")") {
                values.push(self.value()?);
                self.eat(b",");
            }
        } else {
            values.push(self.value()?);
        }
        Some(Argument { name: Some(first.to_ascii_lowercase()), values })
    }

    fn value(&mut self) -> Option<String> {
        let token = self.tokens.get(self.at)?;
        let value = match token.kind {
            TokenKind::Word | TokenKind::QuotedName => name_of(self.text, token),
            TokenKind::String => {
                let text = unquote(token.bytes(self.text), &Dialect::default());
                String::from_utf8_lossy(&text).into_owned()
            }
            TokenKind::Integer | TokenKind::Decimal => {
                String::from_utf8_lossy(token.bytes(self.text)).into_owned()
            }
            _ => return None,
        };
        self.at += 1;
        Some(value)
    }
}

fn is_timeout(argument: &Argument) -> bool {
    argument.name.as_deref() == Some("socket_timeout")
}

/// All values, those that hold lists with commas taken apart: `node('a,b', 'c')`.
fn lists<'a>(arguments: impl Iterator<Item = &'a Argument>) -> Vec<String> {
    let mut all = Vec::new();
    for value in arguments.flat_map(|argument| &argument.values) {
        let parts = value.split(',').map(|part| part.trim().to_owned());
        all.extend(parts.filter(|part| !part.is_empty()));
    }
    all
}

fn shard(arguments: &[Argument]) -> Result<Hint, &'static str> {
    const TAKES: &str = "shard(table, n) takes a table and a shard's number";
    let [table, shards @ ..] = arguments else { return Err(TAKES) };
    let shards: Vec<u32> = shards
        .iter()
        .map(|shard| shard.first().parse().map_err(|_| TAKES))
        .collect::<Result<_, _>>()?;
    match shards.is_empty() {
        true => Err(TAKES),
        false => Ok(Hint::Shard { table: table.first().to_owned(), shards }),
    }
}

fn scan(arguments: &[Argument]) -> Result<Hint, &'static str> {
    let mut scan = Scan::default();
    for argument in arguments {
        // What is given, and says nothing, would be as if it weren't there.
        let list = lists(std::iter::once(argument));
        if list.is_empty() {
            return Err("an argument of scan() is empty");
        }
        match argument.name.as_deref() {
            None | Some("table") => scan.tables.extend(list),
            Some("condition") if scan.condition.is_some() || argument.values.len() > 1 => {
                return Err("scan() takes one condition");
            }
            Some("condition") => scan.condition = Some(argument.first().to_owned()),
            Some("node") => scan.nodes.extend(list),
            Some("real_table") => scan.real_tables.extend(list),
            Some(_) => return Err("of scan() table, condition, node and real_table are obeyed"),
        }
    }
    Ok(Hint::Scan(scan))
}
