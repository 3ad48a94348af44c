//! Global secondary indexes: which statements must keep one, and what each entry holds.
//!
//! Owns: the columns of an entry, and the refusals of statements and tables that an index can't be
//! kept under. Never: reads an index ([`super::lookup`]), or writes one: entries go the way of the
//! rows that they are made from.
//!
//! An entry too many costs time; one that is missing is a row that is not found. So whatever may
//! change a row in a way that isn't seen here is refused.

use crate::catalog::{self, Generated, TriggerEvent};
use crate::error::Error;
use crate::planner::draft::{Draft, Result};
use crate::planner::refuse::refuse;
use crate::planner::survey::Survey;
use crate::rules::Rules;
use crate::rules::index::IndexRule;
use crate::rules::table::{Placement, Shard, ShardedTable};
use crate::sql::classify::StatementKind;
use crate::sql::literal::name_of;
use crate::sql::token::Token;
use crate::value::types::ColumnType;

/// The names of an entry's columns, as the catalog writes them: those that are indexed, the table's
/// shard key, its primary key; each once.
///
/// # Errors
/// `index_table` where the table has no primary key that names a row, or a column of the entry is
/// none of its own.
pub fn entry_columns(
    table: &ShardedTable,
    rule: &IndexRule,
    known: &catalog::Table,
) -> Result<Vec<Box<str>>> {
    let refused = |why: &str| {
        refuse(
            "index_table",
            format!("Index '{}' of table '{}' can't be kept: {why}", rule.name, table.name),
        )
    };
    let primary = known.primary_key().ok_or_else(|| refused("the table has no primary key"))?;
    let mut places: Vec<usize> = Vec::new();
    let mut add = |place: usize| {
        if !places.contains(&place) {
            places.push(place);
        }
    };
    for column in rule.columns.iter().chain(&table.keys) {
        let found = known.column_index(&column.name);
        add(found.ok_or_else(|| refused(&format!("it has no column '{}'", column.name)))?);
    }
    for part in &primary.parts {
        match part.column {
            Some(column) if part.prefix.is_none() => add(column),
            _ => return Err(refused("its primary key holds only a part of a column")),
        }
    }
    let columns = places.into_iter().filter_map(|place| known.columns.get(place));
    let mut names = Vec::new();
    for column in columns {
        if column.generated != Generated::No {
            return Err(refused(&format!("column '{}' is generated", column.name)));
        }
        if !is_comparable(&column.kind) {
            return Err(refused(&format!(
                "a value of column '{}' doesn't name the rows that have it",
                column.name
            )));
        }
        names.push(column.name.clone());
    }
    for column in &rule.columns {
        let kind = known.column(&column.name).map(|column| &column.kind);
        if !kind.is_some_and(|kind| column.covers(kind) && kind_is(&column.declared, kind)) {
            return Err(refused(&format!(
                "column '{}' has another type or collation than the rules say",
                column.name
            )));
        }
    }
    Ok(names)
}

/// Whether `column = literal` finds just the rows that hold the value.
fn is_comparable(kind: &ColumnType) -> bool {
    use ColumnType as T;
    !matches!(kind, T::Float { .. } | T::Double { .. } | T::Bit { .. } | T::Json | T::Other(_))
}

/// Whether values of two types are the same to a hash.
fn kind_is(declared: &ColumnType, real: &ColumnType) -> bool {
    use ColumnType as T;
    match (declared, real) {
        (T::Int { .. } | T::Year, T::Int { .. } | T::Year)
        | (T::Date, T::Date)
        | (T::DateTime { .. }, T::DateTime { .. })
        | (T::Timestamp { .. }, T::Timestamp { .. }) => true,
        (T::Decimal { .. }, T::Decimal { .. }) => true,
        (
            T::Binary { .. } | T::VarBinary { .. } | T::Blob { .. },
            T::Binary { .. } | T::VarBinary { .. } | T::Blob { .. },
        ) => true,
        (T::Enum { .. }, T::Enum { .. }) => true,
        _ => declared.is_character() && real.is_character(),
    }
}

/// Whether the indexes of a table hold each of its rows, whatever statements did to them.
///
/// # Errors
/// `index_table` where a server changes rows by itself.
pub fn check_kept(table: &ShardedTable, known: &catalog::Table) -> Result<()> {
    let refused = |why: &str| {
        refuse("index_table", format!("The indexes of table '{}' can't be kept: {why}", table.name))
    };
    if known.has_before_trigger(TriggerEvent::Insert)
        || known.has_before_trigger(TriggerEvent::Update)
    {
        return Err(refused(
            "a trigger of it may change what a row holds before it is stored: drop the trigger",
        ));
    }
    if known.cascades {
        return Err(refused(
            "a foreign key of it lets its server change or remove rows when those that they refer to \
             change: declare it without ON DELETE and ON UPDATE",
        ));
    }
    if known.is_view {
        return Err(refused("it is a view"));
    }
    table.indexes.iter().try_for_each(|rule| entry_columns(table, rule, known).map(drop))
}

/// Whether a change of these columns may change entries; `None`: rows come or go.
pub(crate) fn is_touched(
    table: &ShardedTable,
    known: &catalog::Table,
    set: Option<&[String]>,
) -> bool {
    let Some(set) = set else { return !table.indexes.is_empty() };
    let is_set = |name: &str| {
        let by_itself = known.column(name).is_some_and(|column| column.on_update);
        by_itself || set.iter().any(|column| column.eq_ignore_ascii_case(name))
    };
    if known.has_before_trigger(TriggerEvent::Update) {
        return !table.indexes.is_empty();
    }
    table.indexes.iter().any(|rule| match entry_columns(table, rule, known) {
        Ok(columns) => columns.iter().any(|name| is_set(name)),
        Err(_) => true,
    })
}

/// The reason for the way around by the workbench.
pub(crate) fn kept(table: &str) -> Error {
    refuse(
        "index_kept",
        format!(
            "The statement changes entries of table '{table}' in its indexes, which follow from the rows as \
             they were and as they are"
        ),
    )
}

/// A statement whose rows may be others than those that it gives.
pub(crate) fn unseen(table: &str) -> Error {
    refuse(
        "index_statement",
        format!(
            "Rows of table '{table}' may be skipped, replaced or changed instead, as their servers find, and \
             the table's indexes couldn't follow: read the rows first, and use plain INSERT, UPDATE and DELETE"
        ),
    )
}

/// What an index is kept in is changed with its table alone, and the table's shards by its own name
/// alone.
///
/// # Errors
/// `index_statement` for a lookup table, and for a shard under the name that its group knows it by.
pub(crate) fn check_own(rules: &Rules, placement: &Placement) -> Result<()> {
    let table = match placement {
        Placement::Sharded(table) => match &table.index_of {
            Some(of) => (table.name.to_string(), of.to_string()),
            None => return Ok(()),
        },
        Placement::Single(single) if single.default => match indexed_shard(rules, |shard| {
            shard.group == single.group
                && shard.database == single.database
                && shard.table == single.table
        }) {
            Some(of) => (single.table.to_string(), of),
            None => return Ok(()),
        },
        _ => return Ok(()),
    };
    Err(not_alone(&table))
}

/// The refusal of a change of a physical table whose rows have entries, or are entries.
pub(crate) fn not_alone((table, of): &(String, String)) -> Error {
    refuse(
        "index_statement",
        format!(
            "'{table}' belongs to table '{of}' with its indexes, and is changed under that name alone; \
             `weir index` makes, fills and checks indexes"
        ),
    )
}

/// The table with indexes that such a shard belongs to.
pub(crate) fn indexed_shard(rules: &Rules, is: impl Fn(&Shard) -> bool) -> Option<String> {
    rules.schemas().into_iter().find_map(|schema| {
        schema.tables().into_iter().find_map(|(name, placement)| match placement {
            Placement::Sharded(table) if !table.indexes.is_empty() || table.index_of.is_some() => {
                let of = table.index_of.as_ref().map_or(name, |of| of.as_str());
                table.shards.iter().any(&is).then(|| of.to_owned())
            }
            _ => None,
        })
    })
}

/// Bodies of routines, triggers and events run where Weir doesn't see them.
///
/// # Errors
/// `index_statement` where one names a shard whose rows have entries.
pub(crate) fn check_body(draft: &Draft, tokens: &[Token]) -> Result<()> {
    for token in tokens.iter().filter(|token| token.is_name()) {
        let name = name_of(draft.input.sql, token);
        let named = |shard: &Shard| shard.table.eq_ignore_ascii_case(&name);
        if let Some(of) = indexed_shard(draft.input.rules, named) {
            return Err(not_alone(&(name.to_string(), of)));
        }
    }
    Ok(())
}

/// What a DDL statement may do to a table with indexes, or to their lookup tables.
///
/// # Errors
/// `index_statement` where rows would come or go without their entries, or a column of entries would
/// be another one.
pub(crate) fn check_definition(draft: &Draft, tokens: &[Token], survey: &Survey) -> Result<()> {
    use StatementKind as K;
    for used in &survey.uses {
        let changes = matches!(
            draft.kind,
            K::AlterTable
                | K::CreateIndex
                | K::DropIndex
                | K::DropTable { .. }
                | K::RenameTable
                | K::Truncate
        );
        if changes || matches!(draft.kind, K::CreateTable { .. }) {
            check_own(draft.input.rules, &used.placement)?;
        }
        let Placement::Sharded(table) = &used.placement else { continue };
        if table.indexes.is_empty() {
            continue;
        }
        let word = |word: &str| tokens.iter().any(|token| token.is_word(draft.input.sql, word));
        if matches!(draft.kind, K::CreateTable { .. } | K::AlterTable)
            && word("REFERENCES")
            && (word("CASCADE") || word("SET"))
        {
            return Err(refuse(
                "index_statement",
                format!(
                    "A foreign key of table '{}' would delete or change its rows without their entries in its \
                     indexes: leave out ON DELETE and ON UPDATE",
                    table.name
                ),
            ));
        }
        let refused = match draft.kind {
            K::DropTable { .. } => true,
            K::Truncate => true,
            K::CreateTable { .. } => word("REPLACE"),
            _ => false,
        };
        if refused {
            return Err(refuse(
                "index_statement",
                format!(
                    "The rows of table '{}' would go and their entries in its indexes stay: use DELETE, or \
                     take the indexes out of the rules first",
                    table.name
                ),
            ));
        }
    }
    Ok(())
}

/// The columns that no ALTER TABLE may make others: those of all entries; `None` where they aren't
/// known.
pub(crate) fn fixed_columns(
    table: &ShardedTable,
    known: Option<&catalog::Table>,
) -> Option<Vec<Box<str>>> {
    let known = known?;
    let mut all = Vec::new();
    for rule in &table.indexes {
        all.extend(entry_columns(table, rule, known).ok()?);
    }
    Some(all)
}
