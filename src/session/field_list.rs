//! COM_FIELD_LIST: a table's columns for old clients' completion.
//!
//! Owns: this command. Never: used by anything newer.

use crate::error::Error;
use crate::executor::rename::Names;
use crate::planner::bind::Binding;
use crate::planner::splice::Form;
use crate::protocol::column::Column;
use crate::protocol::eof::EofPacket;
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
        lent.begin(|out| command::write_field_list(physical, wildcard, out));
        lent.flush().await?;
        lent.absorb().await?;
        for _ in 0..=MAX_COLUMNS {
            let payload = lent.read_packet().await?;
            if ErrPacket::is_err(payload) {
                let error = Names(&names).error(ErrPacket::parse(payload)?.to_error());
                lent.ended_in_error(&error);
                self.settle(target.group, lent, &snapshot).await;
                return Err(error.into());
            }
            if EofPacket::is_eof(payload) {
                let status = lent.status;
                lent.ended(status);
                self.settle(target.group, lent, &snapshot).await;
                let eof = EofPacket { warnings: 0, status: self.status() };
                self.stream.write_with(|out| eof.write(self.capabilities, out));
                return Ok(());
            }
            let column = Names(&names).column(Column::parse(payload)?);
            self.stream.write_with(|out| column.write(out));
        }
        Err(Error::internal("a table with too many columns").into())
    }
}
