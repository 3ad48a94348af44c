//! Cursors of prepared statements: COM_STMT_FETCH.
//!
//! Owns: how rows of an open cursor are fetched, and how it is closed. Never: opens one (an execution
//! does), or keeps rows.

use std::pin::pin;
use std::sync::Arc;

use crate::backend::counters::Pin;
use crate::backend::pool::Lent;
use crate::context::Snapshot;
use crate::error::{Error, Fault};
use crate::executor::insert_id::InsertId;
use crate::executor::pass::{self, Broken, Terms};
use crate::executor::rename::Names;
use crate::name::GroupId;
use crate::protocol::command;
use crate::protocol::error_code;
use crate::protocol::status::StatusFlags;
use crate::session::forward::{Failure, watched};
use crate::session::prepared::Statement;
use crate::session::{End, Session};

/// An open cursor: a handle on a connection that the session holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    pub(super) group: GroupId,
    pub(super) handle: u32,
}

impl Session {
    /// COM_STMT_FETCH: rows of an open cursor.
    pub(super) async fn fetch(&mut self, id: u32, count: u32) -> Result<(), Failure> {
        let Some(statement) = self.prepared.held.get(&id) else {
            return Err(error_code::unknown_statement(id, "mysqld_stmt_fetch").into());
        };
        let no_cursor = || {
            Error::new(
                Fault::Client,
                1421,
                b"HY000",
                "",
                format!("The statement ({id}) has no open cursor."),
            )
        };
        let cursor = statement.cursor.ok_or_else(no_cursor)?;
        let snapshot = self.snapshot();
        let Some(lent) = self.held.take(cursor.group) else { return Err(no_cursor().into()) };
        let ended = self.fetch_rows(&snapshot, cursor.group, lent, cursor.handle, count).await?;
        if ended && let Some(statement) = self.prepared.held.get_mut(&id) {
            statement.cursor = None;
        }
        Ok(())
    }

    /// True where the cursor has given its last row.
    async fn fetch_rows(
        &mut self,
        snapshot: &Arc<Snapshot>,
        group: GroupId,
        mut lent: Lent,
        handle: u32,
        count: u32,
    ) -> Result<bool, Failure> {
        lent.begin(|out| command::write_fetch(handle, count, out));
        lent.flush().await?;
        self.running.add(lent.kill_handle());
        let running = self.running.clone();
        let terms = Terms {
            client: self.capabilities,
            backend: lent.capabilities,
            names: Names(&[]),
            more: false,
            local_infile: None,
            status: self.mode_flags(),
            hidden: StatusFlags::default(),
            insert_id: InsertId::Servers,
            binary: true,
            cursor: false,
            running: &running,
        };
        let outcome = {
            let relay = pin!(pass::relay_fetch(&mut self.stream, &mut lent.stream, &terms));
            watched(relay, &self.registration, &running, None).await
        };
        self.running.end();
        let summary = match outcome {
            Ok(Ok(summary)) => summary,
            Ok(Err(Broken::BackendBefore(error))) => {
                return Err(Error { fatal: false, ..error }.into());
            }
            Ok(Err(broken)) => {
                return Err(Failure::Session(End::Error(broken.error().clone().fatal())));
            }
            Err(stop) => return Err(Failure::Session(End::Stopped(stop))),
        };
        match &summary.error {
            Some(error) => lent.ended_in_error(error),
            None => lent.ended(summary.status),
        }
        lent.note_writes(&summary.session_state);
        let ended = summary.error.is_some() || summary.status.contains(StatusFlags::LAST_ROW_SENT);
        if ended {
            lent.unpin(Pin::Cursor);
        }
        self.settle(group, lent, snapshot).await;
        Ok(ended)
    }

    pub(super) async fn close_cursor(&mut self, statement: &mut Statement) {
        let Some(cursor) = statement.cursor.take() else { return };
        let snapshot = self.snapshot();
        let Some(mut lent) = self.held.take(cursor.group) else { return };
        if lent.reset_statement(cursor.handle).await.is_err() {
            lent.condemn();
        }
        let others = self
            .prepared
            .held
            .values()
            .any(|other| other.cursor.is_some_and(|other| other.group == cursor.group));
        if !others {
            lent.unpin(Pin::Cursor);
        }
        self.settle(cursor.group, lent, &snapshot).await;
    }
}
