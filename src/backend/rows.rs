//! Small results of Weir's own questions, as values.
//!
//! Owns: reading a text result to its end within a bound. Never: carries a client's rows.

use crate::backend::answer::Answer;
use crate::backend::connection::Connection;
use crate::backend::fault;
use crate::error::{Error, Result};
use crate::protocol::capability::Capabilities;
use crate::protocol::eof::EofPacket;
use crate::protocol::err::ErrPacket;
use crate::protocol::ok::OkPacket;
use crate::protocol::row::TextRow;
use crate::protocol::session_track::tells_of_write;
use crate::protocol::status::StatusFlags;

/// A row: each value's text, `None` for NULL.
pub type Row = Vec<Option<Vec<u8>>>;

/// What the next packet of a result's rows is.
enum Line {
    Row(Row),
    /// Its flags, and whether it tells of a write.
    End(StatusFlags, bool),
    Error(Error),
}

impl Connection {
    /// Runs a query of Weir's own and reads its rows; an answer without rows gives none. More than
    /// `limit` rows are an error, after which the connection isn't lent again.
    ///
    /// # Errors
    /// The server's error with the node's name, a connection that breaks, too many rows.
    pub async fn rows(&mut self, sql: &[u8], limit: usize) -> Result<Vec<Row>> {
        self.query(sql);
        let mut rows = Vec::new();
        let mut answer = self.answer().await?;
        loop {
            let columns = match answer {
                Answer::Ok(info) if !info.status.contains(StatusFlags::MORE_RESULTS) => {
                    return Ok(rows);
                }
                Answer::Ok(_) => {
                    answer = self.next_answer().await?;
                    continue;
                }
                Answer::Err(error) => return Err(fault::of_server(self.node(), error)),
                Answer::LocalInfile(_) => {
                    self.condemn();
                    return Err(fault::hostile(self.node(), "it asked for a file"));
                }
                Answer::ResultSet { columns } => columns,
            };
            self.skip_definitions(columns).await?;
            let status = self.read_rows(columns, limit, &mut rows).await?;
            if !status.contains(StatusFlags::MORE_RESULTS) {
                return Ok(rows);
            }
            answer = self.next_answer().await?;
        }
    }

    /// Reads and drops the column definitions of a result set, with the EOF of old servers.
    pub async fn skip_definitions(&mut self, columns: usize) -> Result<()> {
        let eof = usize::from(!self.capabilities.contains(Capabilities::DEPRECATE_EOF));
        for _ in 0..columns + eof {
            self.read_packet().await?;
        }
        Ok(())
    }

    async fn read_rows(
        &mut self,
        columns: usize,
        limit: usize,
        rows: &mut Vec<Row>,
    ) -> Result<StatusFlags> {
        loop {
            let capabilities = self.capabilities;
            let line = read_line(self.read_packet().await?, columns, capabilities);
            match line {
                Ok(Line::Row(_)) if rows.len() >= limit => {
                    self.condemn();
                    let text = format!("{} gave more than {limit} rows", self.node().title());
                    return Err(Error::limit(1105, "too_many_rows", text));
                }
                Ok(Line::Row(row)) => rows.push(row),
                Ok(Line::End(status, wrote)) => {
                    if wrote {
                        self.note_write();
                    }
                    self.ended(status);
                    return Ok(status);
                }
                Ok(Line::Error(error)) => {
                    self.ended_in_error(&error);
                    return Err(fault::of_server(self.node(), error));
                }
                Err(error) => {
                    self.condemn();
                    return Err(fault::hostile(self.node(), &error.message));
                }
            }
        }
    }
}

fn read_line(payload: &[u8], columns: usize, capabilities: Capabilities) -> Result<Line> {
    if ErrPacket::is_err(payload) {
        return Ok(Line::Error(ErrPacket::parse(payload)?.to_error()));
    }
    // A row's first value may be long enough to begin with 0xFE; it is then longer than this.
    if payload.first() == Some(&0xfe) && payload.len() < 0xff_ffff {
        if !capabilities.contains(Capabilities::DEPRECATE_EOF) {
            return Ok(Line::End(EofPacket::parse(payload, capabilities)?.status, false));
        }
        let ok = OkPacket::parse(payload, capabilities)?;
        return Ok(Line::End(ok.status, tells_of_write(ok.session_state)));
    }
    let mut reader = TextRow::new(payload);
    let mut row = Vec::with_capacity(columns);
    for _ in 0..columns {
        row.push(reader.value()?.map(<[u8]>::to_vec));
    }
    reader.end()?;
    Ok(Line::Row(row))
}
