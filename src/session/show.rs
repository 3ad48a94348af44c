//! SHOW statements that Weir answers itself: schemas, tables, the list of clients.
//!
//! Owns: their tables, under logical names. Never: asks about a physical name more than it must.

use std::sync::Arc;

use crate::context::Snapshot;
use crate::error::Result;
use crate::name::SchemaName;
use crate::planner::Plan;
use crate::planner::plan::{Shown, Target};
use crate::protocol::error_code;
use crate::session::Session;
use crate::session::folded;
use crate::session::forward::Failure;
use crate::session::lend::Purpose;
use crate::session::look_back::Remembered;
use crate::session::own::rows;
use crate::session::query::{Manner, Outcome};
use crate::session::reply::{Kind, Table};
use crate::sql::lex::ServerKind;

impl Session {
    /// `SHOW DATABASES`: the logical schemas that the account may use.
    pub(super) async fn show_schemas(
        &mut self,
        snapshot: &Arc<Snapshot>,
        shown: &Shown,
        manner: Manner<'_>,
    ) -> Result<()> {
        let pattern = shown.pattern.as_deref();
        let title = match pattern {
            Some(pattern) => format!("Database ({pattern})"),
            None => "Database".to_owned(),
        };
        let mut names: Vec<&str> =
            snapshot.rules.schemas().iter().map(|schema| schema.name.as_str()).collect();
        names.retain(|name| self.identity.user.may_use(name));
        names.push("information_schema");
        names.sort_unstable();
        let mut table = Table::new(&[(&title, Kind::Text)]);
        for name in
            names.into_iter().filter(|name| pattern.is_none_or(|pattern| like(name, pattern)))
        {
            table.row([Some(name)]);
        }
        self.reply_filtered(snapshot, table, shown, manner).await
    }

    /// Replies with what a WHERE leaves of a table; a server judges it.
    async fn reply_filtered(
        &mut self,
        snapshot: &Arc<Snapshot>,
        mut table: Table,
        shown: &Shown,
        manner: Manner<'_>,
    ) -> Result<()> {
        if let Some(filter) = &shown.filter {
            let target = self.home_group(snapshot)?;
            let question = table.as_query(filter);
            let mut lent = self.lend(snapshot, &target, Purpose::OWN).await?;
            let found = rows(&mut lent, question.as_bytes()).await;
            self.settle(target.group, lent, snapshot).await;
            let text = |value: Option<Vec<u8>>| {
                value.map(|value| String::from_utf8_lossy(&value).into_owned())
            };
            table.rows =
                found?.rows.into_iter().map(|row| row.into_iter().map(text).collect()).collect();
        }
        let most = self.select_most().and_then(|most| usize::try_from(most).ok());
        table.rows.truncate(most.unwrap_or(usize::MAX));
        self.reply_table(&table, manner.binary, manner.more);
        Ok(())
    }

    /// `SHOW TABLE STATUS`, from information_schema under logical names.
    pub(super) async fn show_table_status(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        schema: &SchemaName,
        shown: &Shown,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        const COLUMNS: [&str; 18] = [
            "TABLE_NAME AS Name",
            "ENGINE AS Engine",
            "VERSION AS Version",
            "ROW_FORMAT AS Row_format",
            "TABLE_ROWS AS `Rows`",
            "AVG_ROW_LENGTH AS Avg_row_length",
            "DATA_LENGTH AS Data_length",
            "MAX_DATA_LENGTH AS Max_data_length",
            "INDEX_LENGTH AS Index_length",
            "DATA_FREE AS Data_free",
            "AUTO_INCREMENT AS Auto_increment",
            "CREATE_TIME AS Create_time",
            "UPDATE_TIME AS Update_time",
            "CHECK_TIME AS Check_time",
            "TABLE_COLLATION AS `Collation`",
            "CHECKSUM AS `Checksum`",
            "CREATE_OPTIONS AS Create_options",
            "TABLE_COMMENT AS Comment",
        ];
        let mut list = COLUMNS.join(", ");
        if self.dialect.server == ServerKind::MariaDb {
            list.push_str(", MAX_INDEX_LENGTH AS Max_index_length, TEMPORARY AS Temporary");
        }
        let condition = format!("TABLE_SCHEMA = {}", folded::text(schema.as_str()));
        let source = Source { list: &list, table: "TABLES", condition: &condition };
        let order = ("TABLE_NAME", "Name");
        self.show_system(snapshot, plan, Some(schema), &source, order, (shown, manner)).await
    }

    /// A SHOW that is a question over one of information_schema's tables.
    pub(super) async fn show_system(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        schema: Option<&SchemaName>,
        source: &Source<'_>,
        (column, shown_as): (&str, &str),
        (shown, manner): (&Shown, Manner<'_>),
    ) -> Result<Outcome, Failure> {
        let target = match schema {
            None => self.home_group(snapshot)?,
            Some(schema) => {
                let Some(rules) = snapshot.rules.schema(schema.as_str()) else {
                    return Err(error_code::unknown_database(schema.as_str()).into());
                };
                Target::plain(rules.default_group, Some(rules.default_database().clone()))
            }
        };
        let Source { list, table, condition } = source;
        let mut question =
            format!("SELECT {list} FROM information_schema.{table} WHERE {condition}");
        if let Some(pattern) = &shown.pattern {
            question.push_str(&format!(" AND {column} LIKE {}", folded::text(pattern)));
        }
        if let Some(filter) = &shown.filter {
            question = format!("SELECT * FROM ({question}) AS {table} WHERE ({filter})");
        }
        // Servers list names by their bytes.
        question.push_str(&format!(
            " ORDER BY CONVERT(`{shown_as}` USING utf8mb4) COLLATE utf8mb4_bin"
        ));
        self.run_system(snapshot, plan, &target, question.as_bytes(), manner).await
    }

    /// `SHOW [FULL] TABLES`: the logical tables that there are.
    pub(super) async fn show_tables(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        schema: &SchemaName,
        full: bool,
        (shown, manner): (&Shown, Manner<'_>),
    ) -> Result<Outcome, Failure> {
        let title = match &shown.pattern {
            Some(pattern) => format!("Tables_in_{schema} ({pattern})"),
            None => format!("Tables_in_{schema}"),
        };
        let mut list = format!("TABLE_NAME AS `{}`", title.replace('`', "``"));
        if full {
            list.push_str(", TABLE_TYPE AS Table_type");
        }
        let condition = format!("TABLE_SCHEMA = {}", folded::text(schema.as_str()));
        let source = Source { list: &list, table: "TABLES", condition: &condition };
        let order = ("TABLE_NAME", &*title.replace('`', "``"));
        self.show_system(snapshot, plan, Some(schema), &source, order, (shown, manner)).await
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
            found_rows: self.last.found(),
            conditions: self.last.conditions(),
            connection_id: self.registration.id(),
            schema: self.schema.as_ref().map(|schema| schema.as_str().to_owned()),
            user: format!("{}@{}", self.identity.user.name, self.identity.host),
            account: format!("{}@%", self.identity.user.name),
        }
    }
}

/// What a SHOW is a question over.
pub(super) struct Source<'s> {
    /// The columns under the names that SHOW gives them.
    pub list: &'s str,
    pub table: &'s str,
    /// Which rows, before LIKE and WHERE.
    pub condition: &'s str,
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
            '\\' => wanted
                .extend(chars.next().map(|c| c.to_lowercase().map(Some)).into_iter().flatten()),
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
        for (text, pattern) in [
            ("orders", "orders"),
            ("orders", "%"),
            ("orders", "ord%"),
            ("Orders", "o%S"),
            ("order_items", "order\\_items"),
            ("orders", "o_ders"),
            ("", "%"),
            ("ab", "%a%b%"),
        ] {
            assert!(like(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in
            [("orders", "order"), ("orderxitems", "order\\_items"), ("", "_"), ("ba", "%a%b%")]
        {
            assert!(!like(text, pattern), "{text} {pattern}");
        }
    }
}
