//! What a statement leaves on its connection that is the session's: user variables, system variables
//! that stored code set, and a transaction that it opened.
//!
//! Owns: reading it there and making it the session's own, so that every other connection gets it by
//! entering the session's state. Never: runs a client's statement.

use smallvec::SmallVec;

use crate::backend::connection::{Pipelining, Runs};
use crate::backend::counters;
use crate::backend::pool::Lent;
use crate::error::{Error, Result};
use crate::name::GroupId;
use crate::planner::Plan;
use crate::planner::bind::Binding;
use crate::planner::plan::{Facts, Pin, Target, Unseen};
use crate::session::Session;
use crate::session::forward::Job;
use crate::session::lend::Purpose;
use crate::session::user_values::{Kept, read_values};
use crate::session::variables::{MAX_VARIABLES, adopt_changes, kept_by_none};
use crate::sql::classify::StatementKind;
use crate::sql::lex;
use crate::sql::user_variables::{UserVariables, user_variables};

/// What makes a server report the variables that a statement changed before its error, which MariaDB
/// does behind the next change.
const REPORT: &[u8] = b"SET @@SESSION.session_track_schema=1";

impl Session {
    /// The answer is through: what the statement did besides becomes the session's.
    pub(super) async fn take_effects(&mut self, job: &Job<'_>, lent: &mut Lent) {
        let facts = job.facts;
        let stored = matches!(facts.pins, Some(Pin::Routine | Pin::Unknown));
        // The variables of LOAD DATA's columns are told by no word.
        if stored || facts.pins == Some(Pin::UserVariable) && !facts.assigns {
            lent.ran_stored_code();
        }
        if let Some(binding) = job.written.filter(|_| facts.assigns && lent.is_in_step()) {
            self.take_assigned(lent, text_of(binding)).await;
        }
        self.take_unseen(lent).await;
        if stored && lent.is_in_step() && lent.in_transaction() && !self.is_in_transaction() {
            let begin: &[u8] = if self.state.autocommit() { b"START TRANSACTION" } else { b"" };
            self.transaction.adopt(begin, job.target.group, Some(lent.kill_handle()));
        }
    }

    /// What stored code set becomes the session's. A connection that may know more than that stays
    /// pinned, or is reset.
    pub(super) async fn take_unseen(&mut self, lent: &mut Lent) {
        let runs = lent.take_runs();
        if matches!(runs, Runs::Stored | Runs::Failed) {
            // Servers don't report all that it may leave: GET DIAGNOSTICS @a, user locks.
            lent.must_be_reset();
        }
        if runs == Runs::Failed {
            report(lent).await;
            self.take_known(lent).await;
        }
        // Of no stored code: MariaDB's NOWAIT reports a timeout that it sets for one statement.
        if runs != Runs::Plain && lent.has_reported() && lent.is_in_step() {
            self.adopt_reported(lent).await;
        }
        lent.take_reported();
    }

    /// Stored code failed, which may have assigned user variables before: those that the session has are
    /// read, and others are unknown from now on. The connection isn't kept for them: functions that
    /// SIGNAL are common, and would keep one for each session.
    async fn take_known(&mut self, lent: &mut Lent) {
        let kept = [counters::Pin::Routine, counters::Pin::Unknown];
        if kept.iter().any(|pin| lent.pins().contains(*pin)) {
            return lent.ran_stored_code();
        }
        self.held.lose();
        if !lent.is_in_step() {
            return;
        }
        let names: Vec<String> = self.state.user_names().map(str::to_owned).collect();
        let values = read_values(lent, &names).await.unwrap_or_default();
        for (name, value) in names.iter().zip(values) {
            let Ok(value) = value else { continue };
            self.state.set_user_variable(name, value.as_deref());
            self.held.assigned(name);
            lent.has_told(name, value.as_deref());
        }
    }

    /// Reads the variables that a statement's text assigns. Those that can't be kept stay with this
    /// connection, and the connection with the session.
    async fn take_assigned(&mut self, lent: &mut Lent, text: &[u8]) {
        // The client has its answer before Weir asks; one that left is seen by the next flush.
        let _ = self.stream.flush().await;
        let names = match self.variables_of(text) {
            Ok(found) => found.assigned,
            Err(error) => {
                tracing::debug!(%error, "a statement that was run can't be read");
                return lent.ran_stored_code();
            }
        };
        let read = read_values(lent, &names).await;
        for (place, name) in names.iter().enumerate() {
            let value = read.as_ref().ok().and_then(|values| values.get(place));
            match value {
                Some(Ok(value)) if self.has_room(name) => {
                    self.state.set_user_variable(name, value.as_deref());
                    self.held.assigned(name);
                    lent.has_told(name, value.as_deref());
                }
                _ => {
                    lent.pin(counters::Pin::UserVariable);
                    lent.alone_knows(name);
                }
            }
        }
        if !lent.may_know_any() {
            lent.unpin(counters::Pin::UserVariable);
        }
    }

    fn variables_of(&self, text: &[u8]) -> Result<UserVariables> {
        let tokens = lex::tokens(text, self.dialect, self.ctx.lexer.limits())?;
        Ok(user_variables(text, &tokens, &self.dialect))
    }

    fn has_room(&self, name: &str) -> bool {
        self.state.variables() < MAX_VARIABLES || self.state.user_variable(name).is_some()
    }

    /// Whether the statement reads a user variable that a held connection may know better.
    pub(super) fn must_learn(&self, plan: &Plan) -> bool {
        // GET DIAGNOSTICS only assigns.
        let reads = plan.traits.reads_variable && plan.kind != StatementKind::GetDiagnostics;
        reads && self.held.may_know()
    }

    /// Reads the user variables that a statement names from the connection that may know other
    /// values of them than the session does. `at`: where the statement runs, if that is one place.
    ///
    /// # Errors
    /// Several connections may, or the value is too long to get to where the statement runs.
    pub(super) async fn learn(&mut self, binding: &Binding<'_>, at: Option<GroupId>) -> Result<()> {
        let names = self.variables_of(text_of(binding))?.read;
        if let Some(name) = names.iter().find(|name| self.held.has_lost(name)) {
            return Err(Error::refused(
                "user_variable_unknown",
                format!(
                    "Stored code ran beside rows of several shards and may have assigned @{name}, so its \
                     value isn't known: assign it with SET"
                ),
            ));
        }
        let mut found: Vec<(GroupId, &String, Kept)> = Vec::new();
        for group in self.held.groups() {
            let Some(lent) = self.held.get(group) else { continue };
            let asked: Vec<&String> = names.iter().filter(|name| lent.may_know(name)).collect();
            if !asked.is_empty() {
                let list: Vec<String> = asked.iter().copied().cloned().collect();
                let values = self.values_at(group, &list).await?;
                found.extend(
                    asked.into_iter().zip(values).map(|(name, value)| (group, name, value)),
                );
            }
        }
        for name in &names {
            let of_name = found.iter().filter(|(_, known, _)| *known == name);
            let known: SmallVec<[(GroupId, &Kept); 2]> =
                of_name.map(|(group, _, value)| (*group, value)).collect();
            self.learnt(name, &known, at)?;
        }
        Ok(())
    }

    /// One variable as the connections that may know it have it.
    fn learnt(
        &mut self,
        name: &str,
        known: &[(GroupId, &Kept)],
        at: Option<GroupId>,
    ) -> Result<()> {
        let value = match known {
            [] => return Ok(()),
            [(group, Err(error))] => {
                return if at == Some(*group) { Ok(()) } else { Err(error.clone()) };
            }
            [(_, Ok(_))] if !self.has_room(name) => {
                return Err(Error::limit(
                    1105,
                    "session_variables",
                    format!("A session may set at most {MAX_VARIABLES} variables"),
                ));
            }
            [(_, Ok(value))] => value.as_deref(),
            several => {
                let own = self.state.user_variable(name);
                let same = |(_, value): &(GroupId, &Kept)| {
                    value.as_ref().is_ok_and(|value| value.as_deref() == own)
                };
                if !several.iter().all(same) {
                    return Err(Error::refused(
                        "user_variable_unknown",
                        format!(
                            "Statements on several groups may have assigned @{name}, so its value isn't known \
                             here: assign it with SET"
                        ),
                    ));
                }
                self.state.user_variable(name)
            }
        };
        let value = value.map(<[u8]>::to_vec);
        self.state.set_user_variable(name, value.as_deref());
        for (group, _) in known {
            if let Some(lent) = self.held.get(*group) {
                lent.has_told(name, value.as_deref());
            }
        }
        Ok(())
    }

    async fn values_at(&mut self, group: GroupId, names: &[String]) -> Result<Vec<Kept>> {
        let snapshot = self.snapshot();
        let target = Target::plain(group, None);
        let mut lent = self.lend(&snapshot, &target, Purpose::OWN).await?;
        let asked = async {
            lent.send_lead().await?;
            read_values(&mut lent, names).await
        };
        let asked = asked.await;
        self.settle(group, lent, &snapshot).await;
        asked
    }

    /// System variables that stored code set become the session's, as those of SET.
    pub(super) async fn adopt_reported(&mut self, lent: &mut Lent) {
        let mut changes = lent.take_reported();
        // What a session can't have is taken back: the connection has it beside what it should.
        changes.retain(|(name, value)| match kept_by_none(name) {
            None => true,
            Some(resets) => {
                if resets {
                    lent.found_variable(&String::from_utf8_lossy(name), value);
                }
                false
            }
        });
        let mut state = self.state.clone();
        let adopted = adopt_changes(lent, &changes, &mut state).await;
        let has = lent.applied().state();
        let mut wanted = state.in_database(has.database().map(Into::into).as_ref());
        if lent.pins().contains(counters::Pin::TemporaryTable) {
            // It can't be changed while there are temporary tables.
            wanted.set_variable("binlog_format", has.variable("binlog_format"));
        }
        let entered = match adopted {
            Ok(_) => lent.enter(&wanted, Pipelining::Nothing).await,
            Err(error) => Err(error),
        };
        if let Err(error) = entered {
            tracing::warn!(%error, "what a routine set can't be taken over");
            lent.condemn();
            return;
        }
        self.state = state;
        self.adopt_dialect();
    }
}

fn text_of<'a>(binding: &Binding<'a>) -> &'a [u8] {
    binding.sql.get(..binding.lexed.end()).unwrap_or(binding.sql)
}

/// What a statement with these facts may change besides rows.
pub(super) fn runs(facts: &Facts) -> Runs {
    let routine = matches!(facts.pins, Some(Pin::Routine | Pin::Unknown));
    match facts.unseen {
        _ if routine => Runs::Stored,
        Unseen::Sets => Runs::Stored,
        _ if touches_temporaries(facts) => Runs::Tables,
        Unseen::Writes => Runs::Writes,
        Unseen::Nothing => Runs::Plain,
    }
}

/// Whether it makes temporary tables, drops or alters them.
pub(super) fn touches_temporaries(facts: &Facts) -> bool {
    facts.pins == Some(Pin::TemporaryTable) || !facts.temporaries.is_empty()
}

/// Stored code failed, and an error names nothing of what it had changed before.
async fn report(lent: &mut Lent) {
    // A late KILL may hit the first question.
    for _ in 0..2 {
        if !lent.is_in_step() {
            return;
        }
        match lent.simple(REPORT).await {
            Ok(ok) => {
                lent.note_reported(&ok.session_state);
                return;
            }
            Err(error) => tracing::debug!(%error, "what a routine changed was not asked"),
        }
    }
    lent.condemn();
}
