//! A view's definition in its server's words → the SELECT that it stands for, in logical names.
//!
//! Owns: which logical tables a definition names, and its text. Never: decides what becomes of a
//! statement that reads the view.
//!
//! Servers write definitions out: each table with its database, each item with its name, `*`
//! resolved, no introducers, and without any sql_mode's peculiarities.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use crate::name::{GroupId, SchemaName};
use crate::planner::draft::Result;
use crate::planner::gather::{is_aggregate, is_windowed, item_any};
use crate::planner::refuse::refuse;
use crate::planner::splice::quote;
use crate::rules::Rules;
use crate::rules::table::{Placement, ShardedTable};
use crate::sql::analysis::{Body, Expr, Item, Parsed, Query, Select, Span, Statement};
use crate::sql::charset_scan::CharsetClass;
use crate::sql::lex::{Dialect, LexMode, Limits, tokens};
use crate::sql::literal::name_of;
use crate::sql::mention::{Mention, table_names};
use crate::sql::parse;
use crate::sql::template::{Lexed, Lexer};
use crate::sql::token::{Token, TokenKind};

/// The code of every refusal of what a view can't do.
pub(crate) const REFUSED: &str = "view_over_shards";

/// A definition taken apart.
pub(crate) struct Definition<'a> {
    text: &'a str,
    dialect: Dialect,
    tokens: Vec<Token>,
    /// The tables that it names, with their databases; names of its own WITH are none.
    pub tables: Vec<Mention>,
}

/// What a physical table of a definition is.
pub(crate) enum Meant {
    Shard(Arc<ShardedTable>, u32),
    Whole(SchemaName, Box<str>, Placement),
    Unknown,
}

/// What stands for the view.
pub(crate) struct Text {
    /// A SELECT in logical names.
    pub sql: String,
    /// What its columns are called, where the SELECT calls them otherwise.
    pub columns: Option<Vec<String>>,
    /// The order that the view asks for, if its columns show it.
    pub order: Order,
    /// It has a LIMIT: its own order decides which rows it has.
    pub limited: bool,
    /// The server would put its tables in its place, rather than make its rows first.
    pub merged: bool,
    /// The view's names of its columns that are no columns of tables.
    pub computed: Vec<String>,
}

/// ORDER BY of a view.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order {
    None,
    /// Places of columns, each with whether it descends.
    Columns(Vec<(usize, bool)>),
    /// By something that is no column of the view.
    Hidden,
}

impl<'a> Definition<'a> {
    /// # Errors
    /// A text that isn't cut into tokens.
    pub fn new(text: &'a str, session: Dialect) -> Result<Self> {
        let charset = CharsetClass::AsciiSafe;
        let dialect = Dialect { mode: LexMode::default(), charset, ..session };
        let mut tokens = tokens(text.as_bytes(), dialect, &Limits::default())?;
        tokens.retain(|token| !token.kind.is_trivia());
        let mut tables = table_names(text.as_bytes(), &tokens);
        tables.retain(|mention| mention.schema.is_some());
        Ok(Definition { text, dialect, tokens, tables })
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    fn is_symbol(&self, at: usize, symbol: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is_symbol(self.bytes(), symbol))
    }

    fn name(&self, at: usize) -> Option<String> {
        self.tokens
            .get(at)
            .filter(|token| token.is_name())
            .map(|token| name_of(self.bytes(), token))
    }

    /// The SELECT in logical names; `columns` are those of the view.
    ///
    /// # Errors
    /// What of it isn't understood.
    pub fn logical(
        &self,
        rules: &Rules,
        home: &SchemaName,
        group: GroupId,
        columns: &[&str],
    ) -> Result<Text> {
        self.is_the_same_elsewhere()?;
        let mut lexed = Lexed::new();
        Lexer::new(0, Limits::default()).lex(self.bytes(), &self.dialect, &mut lexed)?;
        let parsed = parse::parse(self.bytes(), &lexed, self.dialect).map_err(|unparsed| {
            refuse(REFUSED, format!("The view's definition isn't understood: {}", unparsed.0))
        })?;
        let Statement::Query(query) = &parsed.statement else {
            return Err(refuse(REFUSED, "The view's definition is no SELECT"));
        };
        let shape = Shape { definition: self, lexed: &lexed, parsed: &parsed, query };
        let names = shape.names();
        let order = shape.order(columns);
        let limited = query.limit.is_some();
        let cut = match parsed.layout.order_by {
            Some(span) if !limited => Some(shape.source(span)),
            _ => None,
        };
        let sql = self.written(rules, home, group, cut)?;
        let same = names.len() == columns.len()
            && names.iter().zip(columns).all(|(name, column)| name.as_deref() == Some(*column));
        let computed = shape.computed(columns);
        let columns = (!same).then(|| columns.iter().map(|column| (*column).to_owned()).collect());
        Ok(Text { sql, columns, order, limited, merged: shape.is_merged(), computed })
    }

    /// Words that mean something else, or nothing, in a statement of the client's own.
    fn is_the_same_elsewhere(&self) -> Result<()> {
        let has =
            |words: &[&str]| self.tokens.iter().any(|token| token.is_any(self.bytes(), words));
        if has(&["ROLLUP_GROUP_ITEM", "ROLLUP_SUM_SWITCHER"]) {
            let why = "MySQL shows a view WITH ROLLUP in words that it doesn't read itself";
            return Err(refuse(REFUSED, why));
        }
        if has(&["CURRENT_USER", "CURRENT_ROLE"]) {
            return Err(refuse(REFUSED, "The view asks for its definer, CURRENT_USER"));
        }
        Ok(())
    }

    /// The text with its names replaced, without the bytes `cut`.
    fn written(
        &self,
        rules: &Rules,
        home: &SchemaName,
        group: GroupId,
        cut: Option<Range<usize>>,
    ) -> Result<String> {
        let (mut out, mut from, mut at) = (Vec::new(), 0, 0);
        let mut bare = HashSet::new();
        while let Some(token) = self.tokens.get(at) {
            let start = token.range().start;
            if cut.as_ref().is_some_and(|cut| cut.contains(&start)) {
                let end = cut.as_ref().map_or(start, |cut| cut.end);
                out.extend_from_slice(self.bytes().get(from..start).unwrap_or_default());
                from = end;
                while self.tokens.get(at).is_some_and(|token| token.range().start < end) {
                    at += 1;
                }
                continue;
            }
            let length = self.chain(at);
            if length < 2 {
                at += 1;
                continue;
            }
            let last =
                self.tokens.get(at + 2 * (length - 1)).map_or(start, |last| last.range().end);
            let written = match self.tables.iter().find(|mention| mention.range.start == start) {
                Some(mention) if length == 2 => {
                    let aliased = self
                        .tokens
                        .get(at + 3)
                        .is_some_and(|next| next.kind == TokenKind::QuotedName);
                    if !aliased && !bare.insert(mention.name.to_lowercase()) {
                        // Qualifiers lose their databases.
                        self.told_apart(mention)?;
                    }
                    Some(self.table(rules, home, group, mention, aliased)?)
                }
                Some(_) => return Err(self.odd(start)),
                None if length == 3 => self.tokens.get(at + 2).map(|second| {
                    self.bytes().get(second.range().start..last).unwrap_or_default().to_vec()
                }),
                None if self.is_symbol(at + 3, "(") => Some(self.function(rules, home, group, at)?),
                None if length > 3 => return Err(self.odd(start)),
                None => None,
            };
            if let Some(written) = written {
                out.extend_from_slice(self.bytes().get(from..start).unwrap_or_default());
                out.extend_from_slice(&written);
                from = last;
            }
            at += 2 * length - 1;
        }
        out.extend_from_slice(self.bytes().get(from..).unwrap_or_default());
        String::from_utf8(out).map_err(|_| self.odd(0))
    }

    /// How many names with points between them begin there.
    fn chain(&self, at: usize) -> usize {
        let is_name = |at: usize| self.tokens.get(at).is_some_and(|token| token.is_name());
        if !is_name(at) {
            return 0;
        }
        let mut length = 1;
        while self.is_symbol(at + 2 * length - 1, ".") && is_name(at + 2 * length) {
            length += 1;
        }
        length
    }

    fn odd(&self, at: usize) -> crate::error::Error {
        let near = self.text.get(at..).unwrap_or_default().chars().take(60).collect::<String>();
        refuse(REFUSED, format!("The view's definition isn't understood near '{near}'"))
    }

    /// Tables of one name in two databases, both without an alias, would become one.
    fn told_apart(&self, mention: &Mention) -> Result<()> {
        let same = |other: &&Mention| {
            other.name.to_lowercase() == mention.name.to_lowercase()
                && other.schema != mention.schema
        };
        match self.tables.iter().find(same) {
            Some(other) => Err(self.odd(other.range.start)),
            None => Ok(()),
        }
    }

    fn table(
        &self,
        rules: &Rules,
        home: &SchemaName,
        group: GroupId,
        mention: &Mention,
        aliased: bool,
    ) -> Result<Vec<u8>> {
        let (schema, name) = match meant(rules, home, group, mention) {
            Meant::Shard(table, _) => (table.schema.clone(), table.name.as_str().into()),
            Meant::Whole(schema, name, _) => (schema, name),
            Meant::Unknown => {
                return Err(refuse(
                    REFUSED,
                    format!("The view reads '{}', which is no table of the rules'", mention.name),
                ));
            }
        };
        let mut out = Vec::new();
        quote(schema.as_str(), &mut out);
        out.push(b'.');
        quote(&name, &mut out);
        if !aliased {
            out.extend_from_slice(b" AS ");
            quote(&mention.name, &mut out);
        }
        Ok(out)
    }

    /// A stored function with its schema.
    fn function(
        &self,
        rules: &Rules,
        home: &SchemaName,
        group: GroupId,
        at: usize,
    ) -> Result<Vec<u8>> {
        let (Some(database), Some(name)) = (self.name(at), self.name(at + 2)) else {
            return Err(self.odd(0));
        };
        let is_there = |schema: &&Arc<crate::rules::Schema>| {
            schema.databases.iter().any(|(of, known)| *of == group && **known == *database)
        };
        let schemas = rules.schemas();
        let own = schemas.iter().copied().filter(|schema| schema.name == *home);
        let Some(schema) = own.chain(schemas.iter().copied()).find(is_there) else {
            return Err(refuse(
                REFUSED,
                format!("The view calls '{database}.{name}', which is in no schema of the rules'"),
            ));
        };
        let mut out = Vec::new();
        quote(schema.name.as_str(), &mut out);
        out.push(b'.');
        quote(&name, &mut out);
        Ok(out)
    }
}

/// What a physical table in a group is to clients; names of the view's own schema come first.
pub(crate) fn meant(rules: &Rules, home: &SchemaName, group: GroupId, of: &Mention) -> Meant {
    let Some(database) = &of.schema else { return Meant::Unknown };
    let mut schemas = rules.schemas();
    schemas.sort_by_key(|schema| schema.name != *home);
    for schema in &schemas {
        for (name, placement) in schema.tables() {
            let whole = || Meant::Whole(schema.name.clone(), name.into(), placement.clone());
            match placement {
                Placement::Sharded(table) => {
                    let here = table.shards.iter().position(|shard| {
                        shard.group == group
                            && *shard.database == **database
                            && *shard.table == *of.name
                    });
                    if let Some(number) = here.and_then(|place| u32::try_from(place).ok()) {
                        return Meant::Shard(table.clone(), number);
                    }
                }
                Placement::Broadcast(table) => {
                    let here = table.database_in(group).is_some_and(|known| **known == **database);
                    if here && *table.table == *of.name {
                        return whole();
                    }
                }
                Placement::Single(table) => {
                    let here = table.group == group && *table.database == **database;
                    if here && *table.table == *of.name {
                        return whole();
                    }
                }
            }
        }
    }
    for schema in schemas {
        if schema.default_group == group && **schema.default_database() == **database {
            let placement = schema.table(&of.name);
            if matches!(placement, Placement::Single(_)) {
                return Meant::Whole(schema.name.clone(), of.name.as_str().into(), placement);
            }
        }
    }
    Meant::Unknown
}

/// The outermost query of a definition.
struct Shape<'a> {
    definition: &'a Definition<'a>,
    lexed: &'a Lexed,
    parsed: &'a Parsed,
    query: &'a Query,
}

impl Shape<'_> {
    fn source(&self, span: Span) -> Range<usize> {
        let at = |place: u32| self.lexed.source_offset(place as usize);
        at(span.start)..at(span.end)
    }

    fn text(&self, span: Span) -> &str {
        self.definition.text.get(self.source(span)).unwrap_or_default().trim()
    }

    /// The SELECT whose items name the columns.
    fn select(&self) -> Option<&Select> {
        let mut query = self.query;
        loop {
            match &query.body {
                Body::Select(select) => return Some(select),
                Body::Set { parts, .. } => query = parts.first()?,
                Body::Values(_) => return None,
            }
        }
    }

    fn names(&self) -> Vec<Option<String>> {
        let items = self.select().map(|select| select.items.as_slice()).unwrap_or_default();
        let name = |item: &Item| match item {
            Item::Expr { alias: Some(alias), .. } => Some(alias.text.clone()),
            Item::Expr { expr: Expr::Column(column), .. } => Some(column.column.text.clone()),
            _ => None,
        };
        items.iter().map(name).collect()
    }

    fn computed(&self, columns: &[&str]) -> Vec<String> {
        let items = self.select().map(|select| select.items.as_slice()).unwrap_or_default();
        let is_column = |item: &Item| matches!(item, Item::Expr { expr: Expr::Column(_), .. });
        let computed = items.iter().zip(columns).filter(|(item, _)| !is_column(item));
        computed.map(|(_, column)| (*column).to_owned()).collect()
    }

    fn is_merged(&self) -> bool {
        let Body::Select(select) = &self.query.body else { return false };
        let folds = |item: &Item| item_any(item, &is_aggregate) || item_any(item, &is_windowed);
        !select.distinct
            && !select.from.is_empty()
            && select.group_by.is_empty()
            && select.having.is_none()
            && !select.windows
            && self.query.limit.is_none()
            && !select.items.iter().any(folds)
    }

    /// The columns that ORDER BY sorts by.
    fn order(&self, columns: &[&str]) -> Order {
        let layout = &self.parsed.layout;
        if self.query.order_by.is_empty() {
            return Order::None;
        }
        let names = self.names();
        let mut keys = Vec::new();
        for (span, item) in layout.order_items.iter().zip(&self.query.order_by) {
            let key = self.text(*span);
            let named = |name: &Option<String>| {
                name.as_ref().is_some_and(|name| key == format!("`{}`", name.replace('`', "``")))
            };
            let place = match key.parse::<usize>() {
                Ok(number) => number.checked_sub(1),
                Err(_) => names.iter().position(named).or_else(|| self.item(key)),
            };
            match place.filter(|place| *place < columns.len()) {
                Some(place) => keys.push((place, item.descending)),
                None => return Order::Hidden,
            }
        }
        let all = layout.order_items.len() == self.query.order_by.len();
        if all { Order::Columns(keys) } else { Order::Hidden }
    }

    /// The item of that text; only of a plain SELECT, whose items are those that are sorted by.
    fn item(&self, key: &str) -> Option<usize> {
        let layout = &self.parsed.layout;
        if !matches!(self.query.body, Body::Select(_)) {
            return None;
        }
        layout.items.iter().zip(&layout.item_tails).position(|(span, tail)| {
            let expr = self.text(Span { start: span.start, end: *tail });
            let bare =
                expr.strip_suffix("AS").or_else(|| expr.strip_suffix("as")).map(str::trim_end);
            bare == Some(key)
        })
    }
}
