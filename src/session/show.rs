//! SHOW statements that Weir answers itself: schemas, tables, the list of clients.
//!
//! Owns: their tables, under logical names. Never: asks about a physical name more than it must.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::context::Snapshot;
use crate::error::Result;
use crate::name::SchemaName;
use crate::planner::plan::Target;
use crate::rules::table::Placement;
use crate::session::Session;
use crate::session::lend::Purpose;
use crate::session::look_back::Remembered;
use crate::session::own::rows;
use crate::session::query::Manner;
use crate::session::reply::{Kind, Table};

impl Session {
    /// `SHOW DATABASES`: the logical schemas that the account may use.
    pub(super) fn show_schemas(&mut self, snapshot: &Snapshot, pattern: Option<&str>, manner: Manner<'_>) {
        let title = match pattern {
            Some(pattern) => format!("Database ({pattern})"),
            None => "Database".to_owned(),
        };
        let mut names: Vec<&str> = snapshot.rules.schemas().iter().map(|schema| schema.name.as_str()).collect();
        names.retain(|name| self.identity.user.may_use(name));
        names.push("information_schema");
        names.sort_unstable();
        let mut table = Table::new(&[(&title, Kind::Text)]);
        for name in names.into_iter().filter(|name| pattern.is_none_or(|pattern| like(name, pattern))) {
            table.row([Some(name)]);
        }
        self.reply_table(&table, manner.binary, manner.more);
    }

    /// `SHOW [FULL] TABLES`: what the rules name, and what the default group holds beside it.
    pub(super) async fn show_tables(
        &mut self,
        snapshot: &Arc<Snapshot>,
        schema: &SchemaName,
        full: bool,
        pattern: Option<&str>,
        manner: Manner<'_>,
    ) -> Result<()> {
        let names = self.logical_tables(snapshot, schema).await?;
        let title = match pattern {
            Some(pattern) => format!("Tables_in_{schema} ({pattern})"),
            None => format!("Tables_in_{schema}"),
        };
        let mut columns = vec![(title.as_str(), Kind::Text)];
        if full {
            columns.push(("Table_type", Kind::Text));
        }
        let mut table = Table::new(&columns);
        for (name, kind) in &names {
            if pattern.is_some_and(|pattern| !like(name, pattern)) {
                continue;
            }
            let mut row = vec![Some(name.as_str())];
            if full {
                row.push(Some(kind.as_str()));
            }
            table.row(row);
        }
        self.reply_table(&table, manner.binary, manner.more);
        Ok(())
    }

    /// The logical tables of a schema with their types, in order of their names.
    async fn logical_tables(
        &mut self,
        snapshot: &Arc<Snapshot>,
        schema: &SchemaName,
    ) -> Result<BTreeMap<String, String>> {
        let mut names = BTreeMap::new();
        let Some(rules) = snapshot.rules.schema(schema.as_str()) else { return Ok(names) };
        let mut physical = std::collections::HashSet::new();
        for (name, placement) in rules.tables() {
            names.insert(name.to_owned(), "BASE TABLE".to_owned());
            if let Placement::Sharded(sharded) = placement {
                physical.extend(sharded.shards.iter().map(|shard| shard.table.to_string()));
            }
        }
        let database = rules.default_database().clone();
        let target = Target::plain(rules.default_group, Some(database));
        let mut lent = self.lend(snapshot, &target, Purpose::OWN).await?;
        let found = rows(&mut lent, b"SHOW FULL TABLES").await;
        self.settle(target.group, lent, snapshot).await;
        for row in found?.rows {
            let text = |place: usize| {
                let value = row.get(place).and_then(|value| value.as_deref()).unwrap_or_default();
                String::from_utf8_lossy(value).into_owned()
            };
            let name = text(0);
            if !physical.contains(&name) {
                names.entry(name).or_insert_with(|| text(1));
            }
        }
        Ok(names)
    }

    /// `SHOW PROCESSLIST`: this proxy's clients; without the admin right one's own.
    pub(super) fn show_processlist(&mut self, full: bool, manner: Manner<'_>) {
        let mut table = Table::new(&[
            ("Id", Kind::Number),
            ("User", Kind::Text),
            ("Host", Kind::Text),
            ("db", Kind::Text),
            ("Command", Kind::Text),
            ("Time", Kind::Number),
            ("State", Kind::Text),
            ("Info", Kind::Text),
        ]);
        let user = &self.identity.user;
        for shown in self.ctx.shared.sessions.list() {
            if !user.rights.admin && shown.user.as_ref() != Some(&user.name) {
                continue;
            }
            let (id, time) = (shown.id.to_string(), shown.busy.as_secs().to_string());
            let host = shown.peer.to_string();
            let width = if full { usize::MAX } else { 100 };
            let info: String = shown.statement.chars().take(width).collect();
            table.row([
                Some(&*id),
                Some(shown.user.as_ref().map_or("unauthenticated user", |user| user.as_str())),
                Some(&*host),
                shown.schema.as_ref().map(SchemaName::as_str),
                Some(shown.command),
                Some(&*time),
                Some(shown.state.as_str()),
                (!info.is_empty()).then_some(&*info),
            ]);
        }
        self.reply_table(&table, manner.binary, manner.more);
    }

    /// What functions of the session have as their values.
    pub(super) fn remembered(&self) -> Remembered {
        Remembered {
            last_insert_id: self.last.insert_id,
            row_count: self.last.row_count,
            found_rows: self.last.found_rows,
            connection_id: self.registration.id(),
            schema: self.schema.as_ref().map(|schema| schema.as_str().to_owned()),
            user: format!("{}@{}", self.identity.user.name, self.identity.host),
        }
    }
}

/// LIKE as SHOW has it: `%`, `_`, a backslash before either; without case.
pub(super) fn like(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    let mut wanted: Vec<Option<char>> = Vec::new();
    let mut any: Vec<usize> = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => any.push(wanted.len()),
            '_' => wanted.push(None),
            '\\' => wanted.extend(chars.next().map(|c| c.to_lowercase().map(Some)).into_iter().flatten()),
            c => wanted.extend(c.to_lowercase().map(Some)),
        }
    }
    // Positions of the pattern that are reached after each character; a `%` lets one stay.
    let stays = |place: usize| any.contains(&place);
    let mut reached = vec![false; wanted.len() + 1];
    reached[0] = true;
    for c in text {
        let mut next = vec![false; wanted.len() + 1];
        for place in (0..reached.len()).filter(|&place| reached[place]) {
            next[place] |= stays(place);
            if wanted.get(place).is_some_and(|wanted| wanted.is_none_or(|wanted| wanted == c)) {
                next[place + 1] = true;
            }
        }
        reached = next;
    }
    reached.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn like_is_that_of_show() {
        for (text, pattern) in [("orders", "orders"), ("orders", "%"), ("orders", "ord%"), ("Orders", "o%S"),
            ("order_items", "order\\_items"), ("orders", "o_ders"), ("", "%"), ("ab", "%a%b%")] {
            assert!(like(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in [("orders", "order"), ("orderxitems", "order\\_items"), ("", "_"), ("ba", "%a%b%")] {
            assert!(!like(text, pattern), "{text} {pattern}");
        }
    }
}
