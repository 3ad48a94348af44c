//! A statement's text → its plan, from the cache or made now.
//!
//! Owns: asking the worker's cache, loading what the planner needs, and the rights check. Never:
//! decides where anything goes.

use std::sync::Arc;
use std::sync::PoisonError;

use crate::context::Snapshot;
use crate::error::{Error, Fault, Result};
use crate::name::{SchemaName, TableName};
use crate::planner::bind::SessionFacts;
use crate::planner::cache::Circumstances;
use crate::planner::plan::Access;
use crate::planner::survey::is_information;
use crate::planner::{self, Plan, PlanInput, Planned};
use crate::protocol::error_code;
use crate::session::Session;
use crate::sql::charset_scan::CharsetClass as ScanClass;
use crate::sql::classify::StatementKind;
use crate::sql::lex::{Dialect, LexMode, ServerKind};
use crate::sql::template::Lexed;
use crate::value::{CharsetClass, assign};

/// How often the planner may ask for more tables before it must do with what there is.
const ROUNDS: usize = 12;

impl Session {
    /// What the statement's schemas say of transactions over groups, and of reads over them.
    pub(super) fn allow_groups(&mut self, plan: &Plan) -> Result<()> {
        self.transaction.allow(plan.transactions, self.wants_consistent(plan));
        self.keep_consistent(plan)?;
        match plan.kind {
            StatementKind::Call | StatementKind::Compound => self.check_routine(),
            _ => Ok(()),
        }
    }

    /// The plan of a statement under the session's present circumstances.
    pub(super) async fn plan(
        &self,
        snapshot: &Arc<Snapshot>,
        sql: &[u8],
        lexed: &Lexed,
    ) -> Result<Arc<Plan>> {
        let metrics = self.ctx.recorder.metrics();
        snapshot.follow_base();
        {
            let circumstances = self.circumstances(snapshot, snapshot.catalog.load().version);
            let plans = self.ctx.plans.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(plan) = plans.get(lexed, &circumstances) {
                metrics.plan_cache_hits.increment();
                return Ok(plan);
            }
        }
        metrics.plan_cache_misses.increment();
        // Boxed: rare, and the future of each statement would hold room for it.
        Box::pin(self.plan_anew(snapshot, sql, lexed)).await
    }

    fn circumstances<'s>(&'s self, snapshot: &Snapshot, catalog: u64) -> Circumstances<'s> {
        let schema = self.schema.as_ref().map(SchemaName::as_str);
        let (rules, overlay) = (snapshot.rules.version, snapshot.rules.overlay);
        Circumstances { dialect: self.dialect, schema, rules, overlay, catalog }
    }

    async fn plan_anew(
        &self,
        snapshot: &Arc<Snapshot>,
        sql: &[u8],
        lexed: &Lexed,
    ) -> Result<Arc<Plan>> {
        let mut catalog = snapshot.catalog.load_full();
        let schema = self.schema.as_ref().map(SchemaName::as_str);
        let mut absent = false;
        for round in 1..=ROUNDS {
            let input = PlanInput {
                sql,
                lexed,
                dialect: self.dialect,
                rules: &snapshot.rules,
                catalog: &catalog,
                schema,
                final_catalog: absent || round == ROUNDS,
            };
            match planner::make::plan(&input)? {
                Planned::Plan(plan) => {
                    let mut plans = self.ctx.plans.lock().unwrap_or_else(PoisonError::into_inner);
                    // What was planned without all tables is for this statement alone.
                    if !absent && round < ROUNDS {
                        plans.put(
                            lexed,
                            &self.circumstances(snapshot, catalog.version),
                            plan.clone(),
                        );
                    }
                    return Ok(plan);
                }
                Planned::Need(tables) => {
                    let wanted: Vec<_> = tables
                        .iter()
                        .map(|(schema, table)| (schema.clone(), TableName::new(table)))
                        .collect();
                    let loader = &self.ctx.shared.loader;
                    let missing = loader
                        .need(&snapshot.rules, &snapshot.topology, &snapshot.catalog, &wanted)
                        .await?;
                    absent |= !missing.is_empty();
                    catalog = snapshot.catalog.load_full();
                }
            }
        }
        Err(Error::internal("the planner asked for tables again and again"))
    }

    /// Whether the account may do what the plan does.
    ///
    /// # Errors
    /// 1044 for a schema, 1142 for a kind of statement.
    pub(super) fn check_rights(&self, plan: &Plan) -> Result<()> {
        let user = &self.identity.user;
        for schema in &plan.schemas {
            // What it shows of schemas is cut to those that the account may use.
            if !user.may_use(schema.as_str()) && !is_information(schema.as_str()) {
                return Err(error_code::database_access_denied(
                    user.name.as_str(),
                    &self.identity.host,
                    schema.as_str(),
                ));
            }
        }
        let rights = user.rights;
        if plan.facts.administers && !rights.admin {
            return Err(Error::new(
                Fault::Client,
                1227,
                b"42000",
                "missing_right",
                "Access denied; you need (at least one of) the PROCESS, REPLICATION CLIENT \
                 privilege(s) for this operation: the rules don't give the account the right 'admin'",
            ));
        }
        let (allowed, right) = match plan.facts.access {
            Access::Read => (rights.read, "read"),
            Access::PrimaryRead | Access::Write => (rights.read && rights.write, "write"),
            Access::Definition => (rights.ddl, "ddl"),
        };
        if allowed || plan.is_about_session() {
            return Ok(());
        }
        Err(Error::new(
            Fault::Client,
            1142,
            b"42000",
            "missing_right",
            format!(
                "{} command denied to user '{}'@'{}'{}: the rules don't give it the right '{right}'",
                privilege(plan.kind),
                user.name,
                self.identity.host,
                plan.table_names()
                    .next()
                    .map_or(String::new(), |(_, table)| format!(" for table '{table}'")),
            ),
        ))
    }

    /// After a statement that defines tables, or an error that says that a table is not what the
    /// catalog says: what the plan's tables look like is asked anew.
    pub(super) fn forget_tables(&self, snapshot: &Snapshot, plan: &Plan) {
        let lasts = |(schema, name): &(&str, &str)| {
            snapshot.rules.schema(schema).is_none_or(|schema| schema.temporary(name).is_none())
        };
        let tables: Vec<_> = plan
            .table_names()
            .filter(lasts)
            .map(|(schema, name)| (SchemaName::new(schema), TableName::new(name)))
            .collect();
        let loader = &self.ctx.shared.loader;
        loader.forget(&snapshot.catalog, &tables);
        // Under the rules of other sessions, too.
        for other in self.ctx.shared.snapshots() {
            loader.forget(&other.catalog, &tables);
        }
    }

    /// What of the session decides where a statement goes.
    pub(super) fn facts(&mut self) -> SessionFacts {
        self.turn = self.turn.wrapping_add(1);
        SessionFacts {
            assign: self.assign,
            charset: self.charset_class,
            insert_id: self.last.insert_id,
            prefer: self.transaction.group().or_else(|| self.held.first()),
            turn: self.turn,
        }
    }

    /// Follows sql_mode, charset and time_zone, after any of them may have changed.
    pub(super) fn adopt_dialect(&mut self) {
        let announced = self.ctx.shared.front.announced();
        let mode = self.state.variable("sql_mode").map_or_else(
            || announced.sql_mode.clone(),
            |text| String::from_utf8_lossy(text).trim_matches('\'').to_owned(),
        );
        let client = self.state.charset().client.clone();
        self.dialect = Dialect {
            mode: LexMode::of(&mode),
            charset: ScanClass::of(&client),
            server: announced.kind,
            version: announced.number,
        };
        self.charset_class = CharsetClass::of(&client);
        let server = match announced.kind {
            ServerKind::MySql => assign::ServerKind::MySql,
            ServerKind::MariaDb => assign::ServerKind::MariaDb,
        };
        let zone =
            self.state.variable("time_zone").map(|text| String::from_utf8_lossy(text).into_owned());
        let offset = zone.as_deref().and_then(|zone| zone_offset(zone.trim_matches('\'')));
        self.assign = assign::Context::new(server, &mode, offset);
    }

    /// The status flags that follow from sql_mode: drivers escape by them.
    pub(super) fn mode_flags(&self) -> crate::protocol::status::StatusFlags {
        use crate::protocol::status::StatusFlags;
        let mode = self.dialect.mode;
        let mut flags = StatusFlags::default();
        if mode.has(LexMode::NO_BACKSLASH_ESCAPES) {
            flags = flags.with(StatusFlags::NO_BACKSLASH_ESCAPES);
        }
        if mode.has(LexMode::ANSI_QUOTES) && self.dialect.server == ServerKind::MariaDb {
            flags = flags.with(StatusFlags::ANSI_QUOTES);
        }
        flags
    }
}

/// What a server calls the privilege that a kind of statement needs.
fn privilege(kind: StatementKind) -> &'static str {
    use StatementKind as K;
    match kind {
        K::Select | K::With | K::Table | K::Values | K::Do | K::Handler | K::Explain => "SELECT",
        K::Insert | K::LoadData { .. } | K::LoadXml { .. } => "INSERT",
        K::Replace => "INSERT, DELETE",
        K::Update => "UPDATE",
        K::Delete => "DELETE",
        K::CreateTable { temporary: true } => "CREATE TEMPORARY TABLES",
        K::CreateTable { .. } | K::CreateDatabase => "CREATE",
        K::AlterTable | K::AlterDatabase | K::RenameTable => "ALTER",
        K::DropTable { .. } | K::DropDatabase | K::DropView | K::Truncate => "DROP",
        K::CreateIndex | K::DropIndex => "INDEX",
        K::CreateView | K::AlterView => "CREATE VIEW",
        K::Routine => "CREATE ROUTINE",
        K::Call => "EXECUTE",
        K::LockTables => "LOCK TABLES",
        _ => "This",
    }
}

/// `+01:00` as seconds east of UTC; `None` for names.
fn zone_offset(zone: &str) -> Option<i32> {
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    Some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::zone_offset;

    #[test]
    fn offsets_are_read_and_names_are_not() {
        assert_eq!(zone_offset("+00:00"), Some(0));
        assert_eq!(zone_offset("-05:30"), Some(-19_800));
        assert_eq!(zone_offset("SYSTEM"), None);
        assert_eq!(zone_offset("Europe/Berlin"), None);
        assert_eq!(zone_offset(""), None);
    }
}
