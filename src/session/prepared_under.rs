//! What of the session a prepared text keeps from when it was prepared.
//!
//! Owns: the schema that its names without one are of, and whether it still reads as it did then.
//! Never: keeps a text.
//!
//! A server parses at PREPARE: a later USE, sql_mode or SET NAMES changes nothing of what a statement
//! says (Reference Manual, "Prepared Statements"). Weir parses at each execution. The schema is put back
//! for it; where quotes, backslashes, operators or bytes would read otherwise by now, the statement is
//! refused as one that must be prepared anew.

use std::sync::Arc;

use crate::error::{Error, Fault, Result};
use crate::name::SchemaName;
use crate::session::Session;
use crate::sql::lex::LexMode;

/// The session when a text was prepared.
#[derive(Clone, Debug)]
pub(crate) struct Under {
    schema: Option<SchemaName>,
    mode: LexMode,
    /// `character_set_client`.
    charset: Arc<str>,
}

/// The session's own schema, while a statement runs in another.
pub(super) struct Away(Option<SchemaName>);

impl Session {
    /// What a text that is prepared now is to be run under.
    pub(super) fn under(&self) -> Under {
        Under {
            schema: self.schema.clone(),
            mode: self.dialect.mode,
            charset: self.state.charset().client.clone(),
        }
    }

    /// Goes to the schema of a prepared text; [`Session::leave_prepared`] comes back.
    ///
    /// # Errors
    /// 1615 where the text would be read as another one by now.
    pub(super) fn enter_prepared(&mut self, under: &Under, sql: &[u8]) -> Result<Option<Away>> {
        let client = &self.state.charset().client;
        if !under.mode.reads_alike(self.dialect.mode, sql) {
            return Err(prepare_again("sql_mode"));
        }
        if under.charset != *client && !sql.is_ascii() {
            return Err(prepare_again("character_set_client"));
        }
        if self.schema == under.schema {
            return Ok(None);
        }
        Ok(Some(Away(std::mem::replace(&mut self.schema, under.schema.clone()))))
    }

    pub(super) fn leave_prepared(&mut self, away: Option<Away>) {
        if let Some(Away(schema)) = away {
            self.schema = schema;
        }
    }
}

fn prepare_again(variable: &str) -> Error {
    Error::new(
        Fault::Client,
        1615,
        b"HY000",
        "prepared_otherwise",
        format!(
            "Prepared statement needs to be re-prepared: the session's {variable} is another than when it was \
             prepared, and the text would mean something else"
        ),
    )
}
