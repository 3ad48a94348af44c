//! COM_FIELD_LIST: a table's columns for old clients' completion.
//!
//! Owns: this command. Never: used by anything newer.

use crate::backend::pool::Lent;
use crate::error::Error;
use crate::executor::lane::parse_end;
use crate::executor::rename::Names;
use crate::planner::bind::Binding;
use crate::planner::splice::Form;
use crate::protocol::column::Column;
use crate::protocol::err::ErrPacket;
use crate::protocol::{command, error_code};
use crate::session::Session;
use crate::session::forward::Failure;
use crate::session::lend::Purpose;
use crate::sql::template::Lexed;

/// The most columns that a table has.
const MAX_COLUMNS: usize = 4096;

impl Session {
    /// Asks the server that holds the table (or its first shard), under the physical name.
    pub(super) async fn field_list(
        &mut self,
        table: &[u8],
        wildcard: &[u8],
    ) -> Result<(), Failure> {
        if self.schema.is_none() {
            return Err(error_code::no_database().into());
        }
        // Where the table is, a plan knows: that of reading all of it.
        let mut sql = b"SELECT * FROM `".to_vec();
        sql.extend(
            table.iter().flat_map(|&byte| if byte == b'`' { vec![b'`', b'`'] } else { vec![byte] }),
        );
        sql.push(b'`');
        let mut lexed = Lexed::new();
        self.ctx.lexer.lex(&sql, &self.dialect, &mut lexed)?;
        let snapshot = self.snapshot();
        let plan = self.plan(&snapshot, &sql, &lexed).await?;
        self.check_rights(&plan)?;
        let session = self.facts();
        let binding = Binding {
            sql: &sql,
            lexed: &lexed,
            dialect: self.dialect,
            parameters: &[],
            rules: &snapshot.rules,
            session: &session,
        };
        let Some(target) = plan.sample(&binding)? else {
            return Err(Error::internal("a table without a place").into());
        };
        let mut rendered = Vec::new();
        plan.render(&target, &binding, Form::Text, &mut rendered)?;
        let names = plan.renamings(&target);
        let physical = names.first().map_or(table, |renaming| renaming.physical_table.as_bytes());
        let mut lent = self.lend(&snapshot, &target, Purpose::OWN).await?;
        let asked = definitions(&mut lent, physical, wildcard, Names(&names)).await;
        if !lent.is_in_step() {
            lent.condemn();
        }
        self.settle(target.group, lent, &snapshot).await;
        // A server that broke off is no reason to end the session.
        for definition in asked.map_err(|error| Error { fatal: false, ..error })? {
            self.stream.write_with(|out| out.extend_from_slice(&definition));
        }
        self.reply_end();
        Ok(())
    }
}

/// The column definitions of a table, under logical names.
async fn definitions(
    lent: &mut Lent,
    table: &[u8],
    wildcard: &[u8],
    names: Names<'_>,
) -> Result<Vec<Vec<u8>>, Error> {
    lent.begin(|out| command::write_field_list(table, wildcard, out));
    lent.flush().await?;
    lent.absorb().await?;
    let capabilities = lent.capabilities;
    let mut found = Vec::new();
    loop {
        let payload = lent.read_packet().await?;
        if ErrPacket::is_err(payload) {
            let error = ErrPacket::parse(payload)?.to_error();
            lent.ended_in_error(&error);
            return Err(names.error(error));
        }
        // What ends them may carry changes of the session, and be as long as a definition is.
        if payload.first() == Some(&0xfe) {
            let end = parse_end(payload, capabilities)?;
            lent.ended(end.status);
            lent.note_tracked(&end.session_state);
            return Ok(found);
        }
        if found.len() >= MAX_COLUMNS {
            lent.condemn();
            return Err(Error::internal("a table with too many columns"));
        }
        let mut definition = Vec::with_capacity(payload.len());
        names.column(Column::parse(payload)?).write(&mut definition);
        found.push(definition);
    }
}
