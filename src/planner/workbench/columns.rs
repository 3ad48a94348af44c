//! Which columns of a reference are gathered, and how their values travel.
//!
//! Owns: leaving out what the statement doesn't name. Never: trusts the parser in that: a column
//! whose name is any word of the statement is gathered, so that one which is read is never left
//! out.

use std::collections::HashSet;

use super::{Form, Moved, quoted};
use crate::catalog::{Generated, Table};
use crate::planner::draft::{Draft, Result};
use crate::planner::survey::{Leaf, Resolved, Survey};
use crate::sql::analysis::Item;
use crate::sql::literal;
use crate::sql::parse;
use crate::sql::token::TokenKind;
use crate::value::types::ColumnType;

/// What stands for a JSON document that its text doesn't hold; no document's text is this.
pub const UNREADABLE: &str = "!";

/// What a statement names.
pub(super) struct Named {
    /// Every word and quoted name of it, in lower case.
    words: HashSet<String>,
    /// The uses whose columns are all asked for.
    whole: HashSet<usize>,
}

impl Named {
    /// All columns of a use are asked for.
    pub(super) fn want_all(&mut self, used: usize) {
        self.whole.insert(used);
    }
}

/// The names in a statement.
pub(super) fn named(draft: &Draft, survey: &Survey) -> Result<Named> {
    let input = draft.input;
    let tokens = parse::units::template_tokens(input.sql, input.lexed, input.dialect)?;
    let mut words = HashSet::new();
    for token in &tokens {
        match token.kind {
            TokenKind::Word | TokenKind::QuotedName => {
                words.insert(literal::name_of(input.sql, token).to_lowercase());
            }
            _ => {}
        }
    }
    // A name in another character set isn't known for what it is.
    let natural = words.iter().any(|word| word == "natural" || word.contains('\u{FFFD}'));
    let mut whole = HashSet::new();
    for block in &survey.blocks {
        let Some(select) = block.select else { continue };
        let all = natural || select.items.iter().any(|item| matches!(item, Item::All));
        for leaf in &block.leaves {
            let Leaf::Table(used) = leaf else { continue };
            if all {
                whole.insert(*used);
            }
        }
    }
    for index in 0..survey.blocks.len() {
        let Some(select) = survey.blocks.get(index).and_then(|block| block.select) else {
            continue;
        };
        for item in &select.items {
            let Item::AllOf(name) = item else { continue };
            match survey.named_leaf(index, name) {
                Some(Resolved::Use(used)) => drop(whole.insert(used)),
                Some(_) => {}
                None => whole.extend(0..survey.uses.len()),
            }
        }
    }
    Ok(Named { words, whole })
}

/// The columns of a table that are gathered: what is virtual is computed again.
pub(super) fn moved(table: &Table, named: &Named, used: usize) -> Vec<Moved> {
    let generates = table.columns.iter().any(|column| column.generated != Generated::No);
    let whole = generates || table.is_view || named.whole.contains(&used);
    let in_key = |index: usize| {
        let mut parts = table.unique_keys().flat_map(|key| &key.parts);
        parts.any(|part| part.column == Some(index))
    };
    let functional = table.unique_keys().flat_map(|key| &key.parts).any(|p| p.column.is_none());
    let needed = |index: usize, column: &crate::catalog::Column| {
        let fixed = matches!(column.kind, ColumnType::Json | ColumnType::Other(_));
        whole
            || functional
            || named.words.contains(&column.name.to_lowercase())
            || in_key(index)
            // What has no value of its own that could stand there.
            || (fixed && !column.nullable)
    };
    let stored = || {
        let columns = table.columns.iter().enumerate();
        columns.filter(|(_, column)| column.generated != Generated::Virtual)
    };
    let mut kept: Vec<_> =
        stored().filter(|(index, column)| needed(*index, column)).map(|(_, c)| c).collect();
    if kept.is_empty() {
        kept.extend(stored().map(|(_, column)| column).next());
    }
    kept.into_iter()
        .map(|column| Moved { name: column.name.clone(), form: form(&column.kind) })
        .collect()
}

/// How values of a column travel.
pub fn form(kind: &ColumnType) -> Form {
    use ColumnType as T;
    match kind {
        T::Int { .. } | T::Decimal { .. } | T::Year => Form::Digits,
        T::Enum { .. } | T::Set { .. } => Form::Ordinal,
        T::Float { .. } | T::Double { .. } => Form::Double,
        T::Date | T::Time { .. } | T::DateTime { .. } => Form::Text,
        T::Json => Form::Json,
        T::Timestamp { .. } => Form::Moment,
        T::Other(name) if matches!(&**name, "uuid" | "inet4" | "inet6") => Form::Text,
        _ => Form::Bytes,
    }
}

impl Moved {
    /// What a shard is asked for.
    pub fn expression(&self, table: &str) -> String {
        let column = format!("{table}.{}", quoted(&self.name));
        match self.form {
            Form::Double => format!("{column} * 1e0"),
            Form::Moment => format!("UNIX_TIMESTAMP({column})"),
            Form::Ordinal => format!("CAST({column} AS UNSIGNED)"),
            // Read from its own text a document may be another one: DECIMAL becomes DOUBLE, times
            // become texts, in other digits or another length.
            Form::Json => {
                let text = format!("CAST({column} AS CHAR)");
                let again = format!("CAST({text} AS JSON)");
                format!(
                    "IF({text} = CAST({again} AS CHAR) AND JSON_STORAGE_SIZE({column}) \
                     - JSON_STORAGE_FREE({column}) = JSON_STORAGE_SIZE({again}) \
                     OR {column} IS NULL, {text}, '{UNREADABLE}')"
                )
            }
            Form::Digits | Form::Bytes | Form::Text => column,
        }
    }
}
