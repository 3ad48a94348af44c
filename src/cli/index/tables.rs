//! The lookup table's physical tables.
//!
//! Owns: their definition. Never: changes a table that is there.

use std::collections::HashMap;

use super::entries::{Entries, Side, quoted};
use crate::error::{Error, Result};

/// Makes the tables that are missing; answers how many there are.
///
/// # Errors
/// What a server says.
pub(super) async fn create(entries: &mut Entries) -> Result<usize> {
    let definition = definition(entries).await?;
    let shards = entries.rule.table.shards.clone();
    for shard in &shards {
        let name = format!("{}.{}", quoted(&shard.database), quoted(&shard.table));
        let sql = format!("CREATE TABLE IF NOT EXISTS {name} {definition}");
        entries.run((shard.group, Side::Entries), &sql).await?;
    }
    Ok(shards.len())
}

/// Columns of the types that the table's own have, and the keys.
async fn definition(entries: &mut Entries) -> Result<String> {
    let first = entries.base.shard(0).cloned();
    let first = first.ok_or_else(|| Error::internal("a table without shards"))?;
    let literal = |name: &str| format!("'{}'", name.replace('\'', "''"));
    let sql = format!(
        "SELECT COLUMN_NAME, COLUMN_TYPE, CHARACTER_SET_NAME, COLLATION_NAME \
         FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
        literal(&first.database),
        literal(&first.table),
    );
    let rows = entries.ask((first.group, Side::Rows), &sql).await?;
    let text = |value: Option<&Option<Vec<u8>>>| {
        value.cloned().flatten().map(|value| String::from_utf8_lossy(&value).into_owned())
    };
    let mut types: HashMap<String, String> = HashMap::new();
    for row in &rows {
        let (Some(name), Some(mut kind)) = (text(row.first()), text(row.get(1))) else { continue };
        if let (Some(charset), Some(collation)) = (text(row.get(2)), text(row.get(3))) {
            kind.push_str(&format!(" CHARACTER SET {charset} COLLATE {collation}"));
        }
        kind.push_str(" NOT NULL");
        if kind.to_ascii_lowercase().starts_with("timestamp") {
            // Without a default some servers would change it with each row.
            kind.push_str(" DEFAULT '2000-01-01 00:00:00'");
        }
        types.insert(name, kind);
    }
    let mut lines = Vec::new();
    for column in &entries.lookup.columns {
        let name = &*column.moved.name;
        let kind = types.get(name);
        let kind = kind.ok_or_else(|| Error::internal(format!("column '{name}' is gone")))?;
        lines.push(format!("{} {kind}", quoted(name)));
    }
    let names: Vec<String> =
        entries.lookup.columns.iter().map(|column| quoted(&column.moved.name)).collect();
    lines.push(format!("PRIMARY KEY ({})", names.join(", ")));
    if entries.rule.unique {
        let indexed = names.get(..entries.indexed()).unwrap_or_default().join(", ");
        lines.push(format!("UNIQUE KEY {} ({indexed})", quoted(&entries.rule.name)));
    }
    Ok(format!("({}) ENGINE=InnoDB", lines.join(", ")))
}
