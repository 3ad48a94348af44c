//! What a connection may know that its session doesn't: user variables that statements on it assigned,
//! and changes of the session that its server reported.
//!
//! Owns: which names that are, and the reports until they are taken over. Never: reads a value, or
//! changes the session's state.

use std::sync::Arc;

use super::Connection;
use crate::backend::counters::Pin;
use crate::backend::state::State;
use crate::protocol::session_track::{SessionChange, SessionChanges};

/// User variables that the session can't be sure of.
#[derive(Debug, Default)]
pub(super) struct Knows {
    /// Stored code ran, which may have assigned any variable but these: the session has known them
    /// since.
    any_but: Option<Vec<Box<str>>>,
    /// Assigned here, and their values aren't kept elsewhere.
    alone: Vec<Box<str>>,
}

/// More names than a session may hold; beyond, one is read again.
const MOST_NAMES: usize = 512;

impl Connection {
    /// Stored code, or what isn't understood, has run: it may have assigned any user variable.
    pub fn ran_stored_code(&mut self) {
        self.knows.any_but = Some(Vec::new());
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
        if let Some(told) = &mut self.knows.any_but
            && told.len() < MOST_NAMES
            && !told.iter().any(|known| **known == *name)
        {
            told.push(name.into());
        }
    }

    /// The session's value of this variable was read here: it needn't be set again.
    pub fn has_told(&mut self, name: &str, value: Option<&[u8]>) {
        self.applied.know(name, value);
        self.is_told(name);
    }

    /// Whether this connection may have another value of the variable than the session.
    pub fn may_know(&self, name: &str) -> bool {
        let stored = self.knows.any_but.as_ref();
        stored.is_some_and(|told| !told.iter().any(|known| **known == *name))
            || self.knows.alone.iter().any(|known| **known == *name)
    }

    /// Whether it may have another value of any variable.
    pub fn may_know_any(&self) -> bool {
        self.knows.any_but.is_some() || !self.knows.alone.is_empty()
    }

    pub(super) fn knows_nothing(&mut self) {
        self.knows = Knows::default();
        self.reported.clear();
    }

    /// What an OK packet says of changes to the session. Changes that Weir itself caused aren't
    /// shown to this; anything else pins, and variables wait for [`Connection::take_reported`]. True
    /// where more than them may have changed.
    pub fn note_tracked(&mut self, session_state: &[u8]) -> bool {
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
                    self.reported.push((name.into(), value.into()));
                    self.pin(Pin::Unforeseen);
                }
                Ok(_) | Err(_) => {
                    changed = true;
                    self.pin(Pin::Unforeseen);
                }
            }
        }
        changed
    }

    /// The same for what an answer to Weir's own question says of the statement before: variables
    /// alone, and nothing pins.
    pub fn note_reported(&mut self, session_state: &[u8]) {
        for change in SessionChanges::new(session_state).flatten() {
            if let SessionChange::SystemVariable { name, value } = change
                && !is_harmless(name)
            {
                self.reported.push((name.into(), value.into()));
            }
        }
    }

    /// Whether system variables were changed by statements of the client.
    pub fn has_reported(&self) -> bool {
        !self.reported.is_empty()
    }

    /// Those variables with their values, for the session.
    pub fn take_reported(&mut self) -> Vec<Reported> {
        std::mem::take(&mut self.reported)
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
