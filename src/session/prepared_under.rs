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
use crate::sql::classify::StatementKind;
use crate::sql::lex::LexMode;

/// The session when a text was prepared.
#[derive(Clone, Debug)]
pub(crate) struct Under {
    schema: Option<SchemaName>,
    mode: LexMode,
    /// `character_set_client`.
    charset: Arc<str>,
    /// `collation_connection`: that of its literals and parameters.
    collation: Arc<str>,
}

/// What the session has of its own, while a statement runs under something else.
#[derive(Default)]
pub(super) struct Away {
    schema: Option<Option<SchemaName>>,
    /// The session's collation, and the statement's.
    collation: Option<[Arc<str>; 2]>,
}

impl Session {
    /// What a text that is prepared now is to be run under.
    pub(super) fn under(&self) -> Under {
        Under {
            schema: self.schema.clone(),
            mode: self.dialect.mode,
            charset: self.state.charset().client.clone(),
            collation: self.state.charset().collation.clone(),
        }
    }

    /// Goes to the schema and the collation of a prepared text; [`Session::leave_prepared`] comes back.
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
        // By reference: nearly every execution ends here.
        let collates = self.state.charset().collation == under.collation;
        if self.schema == under.schema && collates {
            return Ok(None);
        }
        let mut away = Away::default();
        if self.schema != under.schema {
            away.schema = Some(std::mem::replace(&mut self.schema, under.schema.clone()));
        }
        // What SET NAMES sets is to stay.
        if !collates && self.classified(sql)?.1.kind != StatementKind::Set {
            let own = self.state.charset().collation.clone();
            self.set_collation(&under.collation);
            away.collation = Some([own, under.collation.clone()]);
        }
        Ok(Some(away))
    }

    fn set_collation(&mut self, collation: &Arc<str>) {
        let mut charset = self.state.charset().clone();
        charset.collation = collation.clone();
        self.state.set_charset(charset);
    }

    pub(super) fn leave_prepared(&mut self, away: Option<Away>) {
        let Some(away) = away else { return };
        if let Some(schema) = away.schema {
            self.schema = schema;
        }
        // The statement may have set another one besides.
        if let Some([own, under]) = away.collation
            && self.state.charset().collation == under
        {
            self.set_collation(&own);
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
