//! SET: what the session's state becomes.
//!
//! Owns: the meaning of each assignment. What only a server can judge (values, expressions, unknown
//! names) is run on one, and what its trackers report becomes the session's state. Never: parses
//! (`sql::set`) or sends state to connections (`backend::state`).
//!
//! A list is applied as a whole or not at all.

use std::sync::Arc;

use crate::backend::connection::{Pipelining, Reported, Runs};
use crate::backend::counters::Pin;
use crate::backend::pool::Lent;
use crate::backend::state::{Charset, Isolation, State, quote};
use crate::error::{Error, Result};
use crate::protocol::charset::Collation;
use crate::protocol::session_track::{SessionChange, SessionChanges};
use crate::session::Session;
use crate::session::forward::Failure;
use crate::session::lend::Purpose;
use crate::session::own::rows;
use crate::session::query::{Manner, Outcome};
use crate::session::system::names_system;
use crate::session::user_values::{MAX_VALUE, TOO_LONG, introduced, user_values};
use crate::session::workbench::value::holds_query;
use crate::sql::lex;
use crate::sql::set::{self, Assignment, Scope, SetTarget, SetValue};
use crate::sql::template::Lexed;
use crate::sql::token::Token;
use crate::sql::unseen::calls_stored;
use crate::transaction::open::Characteristics;

/// The most variables that one session may hold, system and user.
pub(super) const MAX_VARIABLES: usize = 512;

/// What an assignment needs.
enum Step {
    /// The session knows what it means.
    Local(Local),
    /// A server must judge; this is what it is sent.
    Server,
    /// Weir's own matter: accepted and without effect.
    Ignored,
}

enum Local {
    Autocommit(bool),
    UserVariable(String, Option<Vec<u8>>),
    /// SET SESSION TRANSACTION.
    Session(Characteristics),
    /// SET TRANSACTION: for the next one.
    Next(Characteristics),
    LastInsertId(u64),
    /// The time that NOW() gives, seconds since 1970; `None` for the server's clock.
    Clock(Option<String>),
    /// SET weir_consistent_reads.
    Consistent(Option<bool>),
}

impl Session {
    /// Runs a whole SET.
    pub(super) async fn set(&mut self, sql: &[u8], tokens: &[Token]) -> Result<()> {
        let set = set::parse(sql, tokens, &self.dialect)?;
        let steps = set.assignments.iter().map(|assignment| self.step(assignment));
        let steps = steps.collect::<Result<Vec<_>>>()?;
        // On a server first: its refusal leaves everything as it was.
        let mut state = self.state.clone();
        let for_server: Vec<&Assignment> = set
            .assignments
            .iter()
            .zip(&steps)
            .filter_map(|(assignment, step)| matches!(step, Step::Server).then_some(assignment))
            .collect();
        let (of_system, for_server): (Vec<&Assignment>, Vec<&Assignment>) = for_server
            .into_iter()
            .partition(|assignment| names_system(sql, tokens, &assignment.range));
        for assignment in of_system {
            self.set_from_system(sql, assignment, &mut state).await?;
        }
        let (of_tables, for_server): (Vec<&Assignment>, Vec<&Assignment>) = for_server
            .into_iter()
            .partition(|assignment| holds_query(sql, tokens, &assignment.range));
        for assignment in of_tables {
            self.set_from_query(sql, assignment, &mut state).await?;
        }
        if !for_server.is_empty() {
            self.set_on_server(sql, &for_server, &mut state).await?;
        }
        let mut commit = false;
        for step in steps {
            let Step::Local(local) = step else { continue };
            match local {
                Local::Autocommit(on) => {
                    commit |= on && !state.autocommit();
                    state.set_autocommit(on);
                }
                Local::UserVariable(name, value) => {
                    state.set_user_variable(&name, value.as_deref());
                }
                Local::Session(said) => {
                    self.transaction.keep_session(said, state.isolation(), state.read_only());
                    self.transaction.override_next(said);
                    if let Some(isolation) = said.isolation {
                        state.set_isolation(Some(isolation));
                    }
                    if let Some(read_only) = said.read_only {
                        state.set_read_only(read_only);
                    }
                }
                Local::Next(said) => self.next_transaction(said)?,
                Local::LastInsertId(id) => self.last.insert_id = id,
                Local::Consistent(on) => self.consistent = on,
                Local::Clock(time) => {
                    state.set_variable("timestamp", time.as_deref().map(str::as_bytes));
                }
            }
        }
        if state.variables() > MAX_VARIABLES {
            return Err(Error::limit(
                1105,
                "session_variables",
                format!("A session may set at most {MAX_VARIABLES} variables"),
            ));
        }
        if commit {
            self.end_transaction(b"COMMIT").await?;
        }
        for assignment in &set.assignments {
            if let SetTarget::UserVariable(name) = &assignment.target {
                self.held.assigned(name);
            }
        }
        self.state = state;
        self.adopt_dialect();
        Ok(())
    }

    /// `SET STATEMENT … FOR …`: the inner statement runs in a state that ends with it.
    pub(super) async fn set_statement(
        &mut self,
        sql: &[u8],
        tokens: &[Token],
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        let set = set::parse(sql, tokens, &self.dialect)?;
        let inner = set.inner.unwrap_or(sql.len());
        let before = self.state.clone();
        self.set(sql, tokens).await?;
        let inner = sql.get(inner..).unwrap_or_default();
        let mut lexed = Lexed::new();
        let outcome = match self.ctx.lexer.lex(inner, &self.dialect, &mut lexed) {
            Ok(()) => Box::pin(self.statement(inner, &lexed, manner)).await,
            Err(error) => Err(error.into()),
        };
        // What the inner statement changed besides stays.
        set.assignments.iter().for_each(|one| restore(&mut self.state, &before, &one.target));
        self.adopt_dialect();
        outcome
    }

    fn step(&self, assignment: &Assignment) -> Result<Step> {
        let refuse = |code, what: &str| {
            Err(Error::refused(
                code,
                format!("{what} isn't done through Weir: do it on each server"),
            ))
        };
        if matches!(assignment.value, SetValue::Param(_)) {
            return Err(Error::syntax("? stands in prepared statements, and not in SET STATEMENT"));
        }
        match &assignment.target {
            SetTarget::Variable {
                scope: Scope::Global | Scope::Persist | Scope::PersistOnly,
                name,
            } => refuse("set_global", &format!("SET GLOBAL {name}")),
            SetTarget::Transaction { scope: Scope::Global, .. } => {
                refuse("set_global", "SET GLOBAL TRANSACTION")
            }
            SetTarget::Password | SetTarget::DefaultRole | SetTarget::ResourceGroup => {
                refuse("set_account", "Changing an account")
            }
            SetTarget::Role => refuse("set_role", "SET ROLE"),
            SetTarget::TriggerRow => Err(Error::syntax("NEW and OLD exist in triggers only")),
            SetTarget::Transaction { scope, isolation, read_only } => {
                let said =
                    Characteristics { isolation: isolation.map(level), read_only: *read_only };
                Ok(Step::Local(match scope {
                    Scope::Unspecified => Local::Next(said),
                    _ => Local::Session(said),
                }))
            }
            SetTarget::UserVariable(name) => Ok(self.user_variable(name, &assignment.value)),
            SetTarget::Names { .. } | SetTarget::CharacterSet => Ok(Step::Server),
            SetTarget::Variable { name, scope } => self.variable(name, *scope, &assignment.value),
        }
    }

    fn user_variable(&self, name: &str, value: &SetValue) -> Step {
        let text = match value {
            SetValue::Null => None,
            SetValue::Number(number) => Some(number.clone().into_bytes()),
            SetValue::String(bytes) if bytes.len() <= MAX_VALUE => {
                Some(literal(bytes, self.state.charset()))
            }
            _ => return Step::Server,
        };
        Step::Local(Local::UserVariable(name.to_owned(), text))
    }

    fn variable(&self, name: &str, scope: Scope, value: &SetValue) -> Result<Step> {
        refuse_unkept(name, value)?;
        let step = match name {
            "autocommit" => match switch(value) {
                Some(on) => Step::Local(Local::Autocommit(on)),
                None => {
                    return Err(Error::refused(
                        "set_autocommit",
                        "autocommit takes 0, 1, ON or OFF here, not an expression",
                    ));
                }
            },
            "weir_consistent_reads" => match switch(value) {
                _ if *value == SetValue::Default => Step::Local(Local::Consistent(None)),
                on @ Some(_) => Step::Local(Local::Consistent(on)),
                None => {
                    return Err(Error::refused(
                        "set_consistent_reads",
                        "weir_consistent_reads takes 0, 1, ON or OFF",
                    ));
                }
            },
            // Those on its connections are Weir's own: it needs all of them. Clients are told no
            // state, as a server tells none to a client that negotiated none.
            _ if name.starts_with("session_track_") => Step::Ignored,
            "transaction_isolation" | "tx_isolation" => {
                let isolation = isolation_of(value).map(level);
                characteristic(name, scope, value, Characteristics { isolation, read_only: None })?
            }
            "transaction_read_only" | "tx_read_only" => {
                let read_only = switch(value).filter(|_| *value != SetValue::Default);
                characteristic(name, scope, value, Characteristics { isolation: None, read_only })?
            }
            "last_insert_id" | "identity" => match value {
                SetValue::Number(text) => match text.parse() {
                    Ok(id) => Step::Local(Local::LastInsertId(id)),
                    Err(_) => Step::Server,
                },
                _ => Step::Server,
            },
            // Its only value: see [`refuse_unkept`].
            "completion_type" => Step::Ignored,
            // A server that is told DEFAULT reports the time that it is now.
            "timestamp" => match value {
                SetValue::Default => Step::Local(Local::Clock(None)),
                SetValue::Number(text) => match text.parse::<u32>() {
                    Ok(0) => Step::Local(Local::Clock(None)),
                    Ok(seconds) if i32::try_from(seconds).is_ok() => {
                        Step::Local(Local::Clock(Some(text.clone())))
                    }
                    _ => Step::Server,
                },
                _ => Step::Server,
            },
            _ => Step::Server,
        };
        Ok(step)
    }

    /// Whether a text calls what may be a stored function.
    pub(super) fn calls_stored(&self, sql: &[u8]) -> Result<bool> {
        let tokens = lex::tokens(sql, self.dialect, self.ctx.lexer.limits())?;
        Ok(calls_stored(sql, &tokens, self.dialect.server))
    }

    /// Runs assignments on a server and takes over what became of them.
    async fn set_on_server(
        &mut self,
        sql: &[u8],
        assignments: &[&Assignment],
        state: &mut State,
    ) -> Result<()> {
        let snapshot = self.snapshot();
        let target = self.home_group(&snapshot)?;
        // What a stored function writes belongs to the session's transaction.
        let stored = self.calls_stored(sql)?;
        let purpose = Purpose {
            pipelining: Pipelining::Nothing,
            transactional: stored,
            writes: stored,
            ..Purpose::OWN
        };
        let read_only = self.state.read_only();
        if stored && self.only_reads_next() {
            self.state.set_read_only(true);
        }
        let lent = self.lend(&snapshot, &target, purpose).await;
        self.state.set_read_only(read_only);
        let mut lent = lent?;
        if stored {
            lent.begins(Runs::Stored);
        }
        let names_id = {
            let text = sql.to_ascii_lowercase();
            ["last_insert_id", "identity"]
                .iter()
                .any(|name| text.windows(name.len()).any(|part| part == name.as_bytes()))
        };
        if names_id && let Err(error) = self.lend_id(&mut lent).await {
            lent.condemn();
            self.settle(target.group, lent, &snapshot).await;
            return Err(error);
        }
        // What opens the transaction goes first.
        let outcome = match lent.send_lead().await {
            Ok(()) => self.assigned(&mut lent, sql, assignments, state).await,
            Err(error) => Err(error),
        };
        if names_id {
            self.take_id(&mut lent).await;
        }
        if outcome.is_ok() {
            // The connection's state was changed behind its back: say it again, so that both agree.
            let wanted = state.in_database(target.database.as_ref());
            if lent.enter(&wanted, Pipelining::Nothing).await.is_err() {
                lent.condemn();
            }
        }
        if stored {
            // What the function's body set is on this connection, whatever became of the SET.
            lent.pin(Pin::Routine);
            lent.ran_stored_code();
        }
        // A SET that failed has changed nothing (it is all or nothing).
        self.settle(target.group, lent, &snapshot).await;
        outcome
    }

    /// Sends the assignments as one SET, and reads what they became into `state`.
    async fn assigned(
        &mut self,
        lent: &mut Lent,
        sql: &[u8],
        assignments: &[&Assignment],
        state: &mut State,
    ) -> Result<()> {
        let mut text = b"SET ".to_vec();
        for (place, assignment) in assignments.iter().enumerate() {
            if place > 0 {
                text.push(b',');
            }
            let said = sql.get(assignment.range.clone()).unwrap_or_default();
            match (&assignment.target, said.strip_prefix(b"@@")) {
                // MariaDB's trackers pass over one without its scope.
                (SetTarget::Variable { scope: Scope::AtAt, .. }, Some(name)) => {
                    text.extend_from_slice(b"@@session.");
                    text.extend_from_slice(name);
                }
                _ => text.extend_from_slice(said),
            }
        }
        let ok = lent.simple(&text).await?;
        if ok.warnings > 0 {
            self.fetch_diagnostics(lent, &[]).await;
            self.last.warnings = ok.warnings;
        }
        let taken = taken_over(lent, &ok.session_state, assignments, state).await;
        if taken.as_ref().is_err_and(|error| error.code != TOO_LONG) {
            // The SET was done and isn't known in full: nobody may have this connection again.
            lent.condemn();
        }
        taken
    }
}

/// Takes over the system variables that a server reports; their names.
pub(super) async fn adopt_changes(
    lent: &mut Lent,
    changes: &[Reported],
    state: &mut State,
) -> Result<Vec<String>> {
    let mut reported = Vec::new();
    for (name, value) in changes {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        adopt(state, &name, value)?;
        reported.push(name);
    }
    // MariaDB tells the character set of SET NAMES and not its collation.
    let told = |name: &str| reported.iter().any(|known| known == name);
    if told("character_set_connection") && !told("collation_connection") {
        let found = rows(lent, b"SELECT @@collation_connection LIMIT 1").await?;
        let collation = found.rows.first().and_then(|row| row.first()).and_then(Option::as_deref);
        let collation = collation
            .ok_or_else(|| Error::internal("a server without a collation of its connection"))?;
        adopt(state, "collation_connection", collation)?;
    }
    Ok(reported)
}

/// What a SET that was done has made of the state.
async fn taken_over(
    lent: &mut Lent,
    session_state: &[u8],
    assignments: &[&Assignment],
    state: &mut State,
) -> Result<()> {
    let mut changes = Vec::new();
    for change in SessionChanges::new(session_state) {
        if let SessionChange::SystemVariable { name, value } = change? {
            changes.push((name.into(), value.into()));
        }
    }
    let reported = adopt_changes(lent, &changes, state).await?;
    let mut asked = Vec::new();
    for assignment in assignments {
        match &assignment.target {
            SetTarget::UserVariable(name) => asked.push(name.clone()),
            SetTarget::Variable { name, .. } if !reported.iter().any(|known| known == name) => {
                // No tracker speaks of it: it stays on this connection alone.
                lent.pin(Pin::Variable);
            }
            _ => {}
        }
    }
    let read = user_values(lent, &asked, state).await;
    if read.is_err() {
        // All of it was done here and is nowhere else: what the session has is said again.
        lent.has_state(state);
        asked.iter().for_each(|name| lent.doubt_user_variable(name));
    }
    read
}

/// Gives what SET STATEMENT named its value of before.
fn restore(state: &mut State, before: &State, target: &SetTarget) {
    match target {
        SetTarget::Variable { name, .. }
            if name.starts_with("char") || name.starts_with("coll") =>
        {
            state.set_charset(before.charset().clone());
        }
        SetTarget::Names { .. } | SetTarget::CharacterSet => {
            state.set_charset(before.charset().clone());
        }
        SetTarget::Variable { name, .. } => match name.as_str() {
            "autocommit" => state.set_autocommit(before.autocommit()),
            "tx_isolation" | "transaction_isolation" => state.set_isolation(before.isolation()),
            "tx_read_only" | "transaction_read_only" => state.set_read_only(before.read_only()),
            _ => state.set_variable(name, before.variable(name)),
        },
        SetTarget::Transaction { .. } => {
            state.set_isolation(before.isolation());
            state.set_read_only(before.read_only());
        }
        _ => {}
    }
}

/// A text literal of the session, in words that mean the same on a connection with any other
/// character set: one that set its variable from the same text may be another session's.
fn literal(bytes: &[u8], charset: &Charset) -> Vec<u8> {
    let (client, collation) = (&*charset.client, &*charset.collation);
    // MariaDB's uca1400_… stands for several character sets.
    let own = Collation::by_name(collation).map_or(client, |known| known.charset);
    let mut text = introduced(bytes, client);
    if own == "binary" {
        return text;
    }
    if own != client {
        let (before, behind) = (b"CONVERT(".as_slice(), format!(" USING {own})"));
        text = [before, &text, behind.as_bytes()].concat();
    }
    [&text, b" COLLATE ".as_slice(), collation.as_bytes()].concat()
}

/// A variable's reported value becomes the session's.
fn adopt(state: &mut State, name: &str, value: &[u8]) -> Result<()> {
    let text = || Arc::<str>::from(String::from_utf8_lossy(value));
    let mut charset: Charset = state.charset().clone();
    match name {
        "character_set_client" => charset.client = text(),
        "character_set_results" => charset.results = (!value.is_empty()).then(text),
        "collation_connection" => charset.collation = text(),
        // Follows from the collation.
        "character_set_connection" => return Ok(()),
        "autocommit" => {
            state.set_autocommit(matches!(value, b"ON" | b"1"));
            return Ok(());
        }
        "last_insert_id" | "identity" | "last_gtid" => return Ok(()),
        // MySQL numbers each statement.
        "statement_id" => return Ok(()),
        "transaction_isolation" | "tx_isolation" => {
            state.set_isolation(isolation_named(&text()).map(level));
            return Ok(());
        }
        "transaction_read_only" | "tx_read_only" => {
            state.set_read_only(matches!(value, b"ON" | b"1"));
            return Ok(());
        }
        _ if name.starts_with("session_track_") => return Ok(()),
        _ => {
            let value = if is_number(value) { value.to_vec() } else { quote(value, "utf8mb4") };
            state.set_variable(name, Some(&value));
            return Ok(());
        }
    }
    state.set_charset(charset);
    Ok(())
}

fn is_number(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    let mut points = 0;
    !digits.is_empty()
        && digits.first().is_some_and(u8::is_ascii_digit)
        && digits.iter().all(|byte| {
            points += usize::from(*byte == b'.');
            byte.is_ascii_digit() || (*byte == b'.' && points == 1)
        })
}

fn switch(value: &SetValue) -> Option<bool> {
    match value {
        SetValue::Switch(on) => Some(*on),
        SetValue::Default => Some(true),
        SetValue::Number(text) => match text.as_str() {
            "1" => Some(true),
            "0" => Some(false),
            _ => None,
        },
        SetValue::String(text) if text.eq_ignore_ascii_case(b"on") => Some(true),
        SetValue::String(text) if text.eq_ignore_ascii_case(b"off") => Some(false),
        _ => None,
    }
}

/// A characteristic of transactions; `said` is empty where the text doesn't tell the value. `@@x` means the
/// next transaction alone: on a server it would stay on a pooled connection, for whoever comes next.
fn characteristic(
    name: &str,
    scope: Scope,
    value: &SetValue,
    said: Characteristics,
) -> Result<Step> {
    let told = said != Characteristics::default();
    match scope {
        Scope::AtAt if told => Ok(Step::Local(Local::Next(said))),
        // The server refuses these.
        Scope::AtAt if !matches!(value, SetValue::String(_) | SetValue::Name(_)) => {
            Err(Error::refused(
                "set_next_transaction",
                format!(
                    "SET @@{name}, which means the next transaction alone, takes a plain value here: say \
                     SET TRANSACTION"
                ),
            ))
        }
        _ if told => Ok(Step::Local(Local::Session(said))),
        _ => Ok(Step::Server),
    }
}

fn isolation_of(value: &SetValue) -> Option<set::Isolation> {
    match value {
        SetValue::String(text) => isolation_named(&String::from_utf8_lossy(text)),
        SetValue::Name(name) => isolation_named(name),
        _ => None,
    }
}

fn isolation_named(name: &str) -> Option<set::Isolation> {
    match name.to_ascii_uppercase().as_str() {
        "READ-UNCOMMITTED" => Some(set::Isolation::ReadUncommitted),
        "READ-COMMITTED" => Some(set::Isolation::ReadCommitted),
        "REPEATABLE-READ" => Some(set::Isolation::RepeatableRead),
        "SERIALIZABLE" => Some(set::Isolation::Serializable),
        _ => None,
    }
}

fn level(isolation: set::Isolation) -> Isolation {
    match isolation {
        set::Isolation::ReadUncommitted => Isolation::ReadUncommitted,
        set::Isolation::ReadCommitted => Isolation::ReadCommitted,
        set::Isolation::RepeatableRead => Isolation::RepeatableRead,
        set::Isolation::Serializable => Isolation::Serializable,
    }
}

/// Variables that stored code may set and a session through Weir can't have: true where a connection
/// gets its default again by SET, false where its reset at the session's end does it.
pub(super) fn kept_by_none(name: &[u8]) -> Option<bool> {
    match name.to_ascii_lowercase().as_slice() {
        b"sql_auto_is_null" | b"completion_type" => Some(true),
        b"insert_id" | b"rand_seed1" | b"rand_seed2" | b"require_row_format" | b"gtid_next" => {
            Some(false)
        }
        _ => None,
    }
}

/// Variables that keep one value, or that would stay with a pooled connection for the next session.
fn refuse_unkept(name: &str, value: &SetValue) -> Result<()> {
    let default = *value == SetValue::Default;
    let off = default || switch(value) == Some(false);
    let (code, message) = match name {
        // It belongs to one INSERT.
        "insert_id" => (
            "set_insert_id",
            "insert_id isn't kept through Weir: write the id in the INSERT".to_owned(),
        ),
        // They have no DEFAULT, or need a right for it.
        "rand_seed1" | "rand_seed2" | "require_row_format" => (
            "set_without_default",
            format!(
                "{name} can't be set through Weir: servers don't reset it, and connections are shared"
            ),
        ),
        // `WHERE id IS NULL` would find the row that the server's own connection inserted last, or that
        // another client's statement did there.
        "sql_auto_is_null" if !off => (
            "set_auto_is_null",
            "sql_auto_is_null stays OFF here: ask for LAST_INSERT_ID() instead of IS NULL"
                .to_owned(),
        ),
        // Weir's own COMMIT and ROLLBACK would chain or disconnect.
        "completion_type" if !off => (
            "set_completion_type",
            "completion_type stays NO_CHAIN here: say COMMIT AND CHAIN or RELEASE".to_owned(),
        ),
        // What they keep of a session's statements outlives a reset of the connection.
        "profiling" if !off => (
            "set_profiling",
            "profiling stays OFF here: statements run on connections that other clients use, who would see \
             them. Use EXPLAIN ROUTE, EXPLAIN or ANALYZE"
                .to_owned(),
        ),
        "optimizer_trace" if !default && !says_disabled(value) => (
            "set_optimizer_trace",
            "optimizer_trace stays OFF here: statements run on connections that other clients use, who would \
             see them. Trace on a server itself"
                .to_owned(),
        ),
        // Off with every server until someone asks for it, who would wait for what never comes. The
        // other trackers are on with every server, and drivers add to them unasked.
        "session_track_gtids" | "session_track_state_change" | "session_track_transaction_info"
            if !off && !says_off(value) =>
        {
            (
                "set_session_track",
                format!("{name} stays OFF here: Weir tells clients no session state"),
            )
        }
        _ => return Ok(()),
    };
    Err(Error::refused(code, message))
}

/// `enabled=off`, with what else there may be.
fn says_disabled(value: &SetValue) -> bool {
    matches!(value, SetValue::String(text) if text.to_ascii_lowercase().starts_with(b"enabled=off"))
}

/// OFF as an enumeration takes it.
fn says_off(value: &SetValue) -> bool {
    matches!(value, SetValue::String(text) if text.eq_ignore_ascii_case(b"off"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_texts() {
        for number in ["0", "28800", "-1", "1700000000.000000"] {
            assert!(is_number(number.as_bytes()), "{number}");
        }
        for text in ["", "-", "+00:00", "1.2.3", "ON", "1e5", ".5"] {
            assert!(!is_number(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn texts_mean_the_same_on_any_connection() {
        let charset = |client: &str, collation: &str| Charset {
            client: client.into(),
            collation: collation.into(),
            ..Charset::default()
        };
        for (client, collation, text, written) in [
            ("utf8mb4", "utf8mb4_bin", "ab", "_utf8mb4'ab' COLLATE utf8mb4_bin"),
            (
                "utf8mb4",
                "utf8mb4_general_ci",
                "it's",
                "_utf8mb4 0x69742773 COLLATE utf8mb4_general_ci",
            ),
            ("latin1", "utf8mb4_bin", "a", "CONVERT(_latin1'a' USING utf8mb4) COLLATE utf8mb4_bin"),
            ("latin1", "binary", "a", "_latin1'a'"),
            ("utf8mb4", "uca1400_ai_ci", "a", "_utf8mb4'a' COLLATE uca1400_ai_ci"),
        ] {
            let made = literal(text.as_bytes(), &charset(client, collation));
            assert_eq!(String::from_utf8_lossy(&made), written);
        }
    }

    #[test]
    fn what_trackers_report_becomes_the_state() {
        let mut state = State::default();
        for (name, value) in [
            ("character_set_client", "latin1"),
            ("character_set_results", ""),
            ("collation_connection", "latin1_swedish_ci"),
            ("sql_mode", "ANSI_QUOTES"),
            ("wait_timeout", "100"),
            ("tx_isolation", "READ-COMMITTED"),
            ("session_track_schema", "OFF"),
        ] {
            adopt(&mut state, name, value.as_bytes()).unwrap();
        }
        assert_eq!(&*state.charset().client, "latin1");
        assert_eq!(state.charset().results, None);
        assert_eq!(state.variable("sql_mode"), Some(&b"'ANSI_QUOTES'"[..]));
        assert_eq!(state.variable("wait_timeout"), Some(&b"100"[..]));
        assert_eq!(state.isolation(), Some(Isolation::ReadCommitted));
        assert_eq!(state.variable("session_track_schema"), None);
    }
}
