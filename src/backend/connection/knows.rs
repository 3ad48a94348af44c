//! What a connection may know that its session doesn't: user variables that statements on it assigned,
//! and changes of the session that its server reported.
//!
//! Owns: which names that are, and the reports until they are taken over. Never: reads a value, or
//! changes the session's state.
//!
//! An OK packet names what changed, an ERR packet doesn't: what runs stored code says so before, and
//! where it fails the server is asked afterwards.

use std::sync::Arc;

use super::Connection;
use crate::backend::counters::Pin;
use crate::backend::state::State;
use crate::protocol::capability::Capabilities;
use crate::protocol::session_track::{SessionChange, SessionChanges, tells_of_write};

/// All user variables but those that the session has known since, or none.
#[derive(Debug, Default)]
pub struct AnyBut(Option<Vec<Box<str>>>);

/// More names than a session may hold; beyond, one counts as unknown.
const MOST_NAMES: usize = 512;

impl AnyBut {
    pub fn all() -> Self {
        AnyBut(Some(Vec::new()))
    }

    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.as_ref().is_some_and(|known| !known.iter().any(|one| **one == *name))
    }

    /// The session knows this one.
    pub fn tell(&mut self, name: &str) {
        if self.has(name)
            && let Some(known) = self.0.as_mut().filter(|known| known.len() < MOST_NAMES)
        {
            known.push(name.into());
        }
    }
}

/// User variables that the session can't be sure of.
#[derive(Debug, Default)]
pub(super) struct Knows {
    /// Stored code ran, which may have assigned any of these.
    any_but: AnyBut,
    /// Assigned here, and their values aren't kept elsewhere.
    alone: Vec<Box<str>>,
    runs: Runs,
    /// Changes that the server told and the session hasn't taken over.
    reported: Vec<Reported>,
    /// It is reset before others have it.
    pub(super) unclean: bool,
    /// Its server has told of a write in the present transaction.
    wrote: bool,
}

/// What the client's statement on a connection may change besides rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Runs {
    /// Nothing that its text doesn't show.
    #[default]
    Plain,
    /// Stored code.
    Stored,
    /// The same, where it is unlikely: a trigger writes, and other triggers may fire.
    Writes,
    /// Stored code, and it ended in an error.
    Failed,
    /// Temporary tables: a server tells of them as of any other change.
    Tables,
}

impl Connection {
    /// Stored code, or what isn't understood, has run: it may have assigned any user variable.
    pub fn ran_stored_code(&mut self) {
        self.knows.any_but = AnyBut::all();
    }

    /// The client's next statement is such a one.
    pub fn begins(&mut self, runs: Runs) {
        self.knows.runs = runs;
    }

    pub fn runs(&self) -> Runs {
        self.knows.runs
    }

    /// What the statement was, once it is over; the next one is plain.
    pub fn take_runs(&mut self) -> Runs {
        std::mem::take(&mut self.knows.runs)
    }

    /// Whether something is to be taken over, or the statement was no plain one.
    pub fn is_watched(&self) -> bool {
        self.knows.runs != Runs::Plain || !self.knows.reported.is_empty()
    }

    /// Nobody else may have it as it is.
    pub fn must_be_reset(&mut self) {
        self.knows.unclean = true;
    }

    pub(super) fn failed(&mut self) {
        if matches!(self.knows.runs, Runs::Stored | Runs::Writes) {
            self.knows.runs = Runs::Failed;
        }
    }

    /// A user variable was assigned here to a value that the session doesn't keep.
    pub fn alone_knows(&mut self, name: &str) {
        if !self.knows.alone.iter().any(|known| **known == *name) {
            self.knows.alone.push(name.into());
        }
    }

    /// The session knows this variable, whatever it was on this connection.
    pub fn is_told(&mut self, name: &str) {
        self.knows.alone.retain(|known| **known != *name);
        self.knows.any_but.tell(name);
    }

    /// The session's value of this variable was read here: it needn't be set again.
    pub fn has_told(&mut self, name: &str, value: Option<&[u8]>) {
        self.applied.know(name, value);
        self.is_told(name);
    }

    /// Whether this connection may have another value of the variable than the session.
    pub fn may_know(&self, name: &str) -> bool {
        self.knows.any_but.has(name) || self.knows.alone.iter().any(|known| **known == *name)
    }

    /// Whether it may have another value of any variable.
    pub fn may_know_any(&self) -> bool {
        !self.knows.any_but.is_none() || !self.knows.alone.is_empty()
    }

    pub(super) fn knows_nothing(&mut self) {
        self.knows = Knows::default();
    }

    /// Another transaction begins on it.
    pub fn forget_writes(&mut self) {
        self.knows.wrote = false;
    }

    pub(in crate::backend) fn note_write(&mut self) {
        self.knows.wrote = true;
    }

    /// Takes note of what a session-state block says of the present transaction.
    pub fn note_writes(&mut self, session_state: &[u8]) {
        self.knows.wrote |= tells_of_write(session_state);
    }

    /// Whether its part of the present transaction may have written rows, as its server says: a view
    /// may call a function that does. One that can't say it behind rows may always have.
    pub fn may_have_written(&self) -> bool {
        let telling = Capabilities::SESSION_TRACK.with(Capabilities::DEPRECATE_EOF);
        self.knows.wrote || !self.capabilities.contains(telling)
    }

    /// What an OK packet says of changes to the session. Changes that Weir itself caused aren't
    /// shown to this; anything else pins, and system variables wait for [`Connection::take_reported`].
    pub fn note_tracked(&mut self, session_state: &[u8]) {
        if session_state.is_empty() {
            return;
        }
        self.note_writes(session_state);
        let mut changed = false;
        for change in SessionChanges::new(session_state) {
            match change {
                Ok(SessionChange::SystemVariable { name, .. }) if is_harmless(name) => {}
                Ok(
                    SessionChange::Gtids(_)
                    | SessionChange::TransactionCharacteristics(_)
                    | SessionChange::TransactionState(_)
                    | SessionChange::StateChange(false),
                ) => {}
                Ok(SessionChange::SystemVariable { name, value }) => {
                    self.knows.reported.push((name.into(), value.into()));
                    self.pin(Pin::Unforeseen);
                }
                Ok(_) | Err(_) => {
                    changed = true;
                    self.pin(Pin::Unforeseen);
                }
            }
        }
        // User variables are among what a server names no further.
        if changed && self.knows.runs != Runs::Tables {
            self.ran_stored_code();
        }
    }

    /// The same for what an answer to Weir's own question says of the statement before: variables
    /// alone, and nothing pins.
    pub fn note_reported(&mut self, session_state: &[u8]) {
        self.note_writes(session_state);
        for change in SessionChanges::new(session_state).flatten() {
            if let SessionChange::SystemVariable { name, value } = change
                && !is_harmless(name)
            {
                self.knows.reported.push((name.into(), value.into()));
            }
        }
    }

    /// Whether system variables were changed by statements of the client.
    pub fn has_reported(&self) -> bool {
        !self.knows.reported.is_empty()
    }

    /// Those variables with their values, for the session.
    pub fn take_reported(&mut self) -> Vec<Reported> {
        std::mem::take(&mut self.knows.reported)
    }

    /// A variable of the server's has this value, whatever was last applied; a finished text.
    pub fn found_variable(&mut self, name: &str, value: &[u8]) {
        self.applied.found(name, value);
    }

    /// The connection is in this state, but for its database.
    pub fn has_state(&mut self, state: &State) {
        let database = self.applied.state().database().map(Arc::from);
        self.applied.now(&state.in_database(database.as_ref()));
    }
}

/// A system variable's name and its value, as a server reports them.
pub type Reported = (Box<[u8]>, Box<[u8]>);

/// System variables that servers report though nothing of the session has changed (MySQL tells each
/// statement's number), and the trackers themselves.
fn is_harmless(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 6] = [
        b"statement_id",
        b"last_gtid",
        b"warning_count",
        b"error_count",
        b"last_insert_id",
        b"identity",
    ];
    NAMES.contains(&name) || name.starts_with(b"session_track_")
}
