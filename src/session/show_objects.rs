//! SHOW of triggers, events, routines and grants, under logical names.
//!
//! Owns: which of information_schema's columns each shows, and the client's grants. Never: asks a
//! server ([`super::system`] does).

use std::sync::Arc;

use crate::context::Snapshot;
use crate::error::{Error, Result};
use crate::name::SchemaName;
use crate::planner::Plan;
use crate::planner::plan::Shown;
use crate::session::Session;
use crate::session::folded;
use crate::session::forward::Failure;
use crate::session::query::{Manner, Outcome};
use crate::session::reply::{Kind, Table};
use crate::session::show::Source;
use crate::sql::lex::ServerKind;
use crate::sql::show::ShowKind;

const TRIGGERS: &str = "TRIGGER_NAME AS `Trigger`, EVENT_MANIPULATION AS Event, \
    EVENT_OBJECT_TABLE AS `Table`, ACTION_STATEMENT AS Statement, ACTION_TIMING AS Timing, \
    CREATED AS Created, SQL_MODE AS sql_mode, DEFINER AS Definer, \
    CHARACTER_SET_CLIENT AS character_set_client, \
    COLLATION_CONNECTION AS collation_connection, DATABASE_COLLATION AS `Database Collation`";

const EVENTS: &str = "EVENT_SCHEMA AS Db, EVENT_NAME AS Name, DEFINER AS Definer, \
    TIME_ZONE AS `Time zone`, EVENT_TYPE AS Type, EXECUTE_AT AS `Execute at`, \
    INTERVAL_VALUE AS `Interval value`, INTERVAL_FIELD AS `Interval field`, STARTS AS Starts, \
    ENDS AS Ends, STATUS AS Status, ORIGINATOR AS Originator, \
    CHARACTER_SET_CLIENT AS character_set_client, \
    COLLATION_CONNECTION AS collation_connection, DATABASE_COLLATION AS `Database Collation`";

/// What each right of the rules is to MySQL.
const READS: [&str; 2] = ["SELECT", "SHOW VIEW"];
const WRITES: [&str; 4] = ["INSERT", "UPDATE", "DELETE", "EXECUTE"];
const DEFINES: [&str; 6] = ["CREATE", "DROP", "REFERENCES", "INDEX", "ALTER", "CREATE VIEW"];

impl Session {
    /// SHOW TRIGGERS, EVENTS, PROCEDURE STATUS and FUNCTION STATUS.
    pub(super) async fn show_objects(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        (kind, schema): (ShowKind, Option<&SchemaName>),
        shown: &Shown,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        let of = |column: &str| {
            let name = schema.map_or_else(String::new, |schema| folded::text(schema.as_str()));
            format!("{column} = {name}")
        };
        let routines = self.routine_columns();
        let (list, table, condition, order) = match kind {
            ShowKind::Triggers => {
                let of = of("EVENT_OBJECT_SCHEMA");
                (TRIGGERS, "TRIGGERS", of, ("EVENT_OBJECT_TABLE", "Table"))
            }
            ShowKind::Events => (EVENTS, "EVENTS", of("EVENT_SCHEMA"), ("EVENT_NAME", "Name")),
            ShowKind::ProcedureStatus | ShowKind::FunctionStatus => {
                let one = kind == ShowKind::ProcedureStatus;
                let kind = if one { "PROCEDURE" } else { "FUNCTION" };
                let condition = format!("ROUTINE_TYPE = '{kind}'");
                (&*routines, "ROUTINES", condition, ("ROUTINE_NAME", "Name"))
            }
            _ => return Err(Error::internal("a SHOW of something else").into()),
        };
        let source = Source { list, table, condition: &condition };
        self.show_system(snapshot, plan, schema, &source, order, (shown, manner)).await
    }

    fn routine_columns(&self) -> String {
        // MySQL's routines may be written in other languages.
        let language = match self.dialect.server {
            ServerKind::MySql if self.dialect.version >= 90_000 => {
                "EXTERNAL_LANGUAGE AS Language, "
            }
            _ => "",
        };
        format!(
            "ROUTINE_SCHEMA AS Db, ROUTINE_NAME AS Name, ROUTINE_TYPE AS Type, {language}\
             DEFINER AS Definer, LAST_ALTERED AS Modified, CREATED AS Created, \
             SECURITY_TYPE AS Security_type, ROUTINE_COMMENT AS Comment, \
             CHARACTER_SET_CLIENT AS character_set_client, \
             COLLATION_CONNECTION AS collation_connection, \
             DATABASE_COLLATION AS `Database Collation`"
        )
    }

    /// SHOW GRANTS: what the rules let this client do, in MySQL's words.
    pub(super) fn show_grants(&mut self, manner: Manner<'_>) {
        let user = self.identity.user.clone();
        let title = format!("Grants for {}@%", user.name);
        let account = format!("`{}`@`%`", user.name.as_str().replace('`', "``"));
        let mut table = Table::new(&[(&title, Kind::Text)]);
        let rights = self.rights().join(", ");
        let all = format!("GRANT {rights} ON *.* TO {account}");
        let usage = format!("GRANT USAGE ON *.* TO {account}");
        match &user.schemas {
            None if !rights.is_empty() => table.row([Some(&*all)]),
            _ => table.row([Some(&*usage)]),
        }
        for schema in user.schemas.iter().flatten().filter(|_| !rights.is_empty()) {
            let schema = schema.as_str().replace('`', "``");
            table.row([Some(&*format!("GRANT {rights} ON `{schema}`.* TO {account}"))]);
        }
        self.reply_table(&table, manner.binary, manner.more);
    }

    /// The client's rights as MySQL's privileges.
    pub(super) fn rights(&self) -> Vec<&'static str> {
        let rights = self.identity.user.rights;
        let mut names = Vec::new();
        if rights.read {
            names.extend(READS);
        }
        if rights.write {
            names.extend(WRITES);
        }
        if rights.ddl {
            names.extend(DEFINES);
        }
        names
    }
}
