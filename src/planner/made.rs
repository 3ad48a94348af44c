//! CREATE TABLE … SELECT whose rows or table lie in several places: what the table is to look like.
//!
//! Owns: the SELECT without rows over what one group has of its tables, from which a server derives the
//! columns. Never: makes the table or moves rows (the session does, by two statements of its own).

use std::sync::Arc;

use crate::error::Error;
use crate::name::GroupId;
use crate::planner::PlanInput;
use crate::planner::create_view::emptied;
use crate::planner::draft::Result;
use crate::planner::plan::Renaming;
use crate::planner::refuse::refuse;
use crate::rules::table::Placement;
use crate::sql::mention::Mention;

/// The refusal of such a statement by the planner: the session makes the table, and fills it.
pub const MADE_OF_ROWS: &str = "made_of_rows";

/// Where a server is asked, and what.
#[derive(Debug)]
pub struct Emptied {
    pub group: GroupId,
    pub database: Arc<str>,
    /// The SELECT, without rows, in physical names.
    pub select: String,
    pub names: Vec<Renaming>,
    /// The session's own connection has what it reads.
    pub temporary: bool,
}

/// The SELECT `body` over the tables of one group that has something of each, without rows: best where
/// the new table will be.
///
/// # Errors
/// There is none, or the SELECT isn't understood.
pub fn anywhere(input: &PlanInput, body: &[u8], target: &Mention) -> Result<Emptied> {
    let schema = target.schema.as_deref().or(input.schema);
    let schema = schema.and_then(|name| input.rules.schema(name));
    let schema = schema.ok_or_else(|| refuse(MADE_OF_ROWS, "The statement names no schema"))?;
    let mut groups: Vec<GroupId> = match schema.lasting(&target.name) {
        Placement::Single(table) => vec![table.group],
        Placement::Sharded(table) => table.shards.iter().map(|shard| shard.group).collect(),
        Placement::Broadcast(table) => table.copies.iter().map(|(group, _)| *group).collect(),
    };
    groups.extend(schema.databases.iter().map(|(group, _)| *group));
    let mut tried: Vec<GroupId> = vec![];
    let mut first: Option<Error> = None;
    for group in groups {
        if tried.contains(&group) {
            continue;
        }
        tried.push(group);
        let Some(database) = schema.database_in(group).cloned() else { continue };
        match emptied(input, body, group, &database) {
            Ok((select, names, temporary)) => {
                return Ok(Emptied { group, database, select, names, temporary });
            }
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_else(|| refuse(MADE_OF_ROWS, "The schema has no database")))
}
