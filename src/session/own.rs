//! Questions of Weir's own to a backend, with few rows.
//!
//! Owns: reading a small result set into memory. Never: used for a client's rows.

use crate::backend::answer::Answer;
use crate::backend::pool::Lent;
use crate::error::{Error, Result};
use crate::protocol::capability::Capabilities;
use crate::protocol::column::Column;
use crate::protocol::eof::EofPacket;
use crate::protocol::err::ErrPacket;
use crate::protocol::field::FieldType;
use crate::protocol::ok::OkPacket;
use crate::protocol::row::TextRow;

/// The most rows that such a question may bring.
pub const MAX_ROWS: usize = 10_000;

/// What ends a question that has one row, behind whatever comment: sql_select_limit is the client's,
/// and would cut it.
pub const ONE_ROW: &[u8] = b"\nLIMIT 1";

/// A result in memory.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Type and collation of each column, and whether it is unsigned.
    pub columns: Vec<(FieldType, u16, bool)>,
    pub rows: Vec<Vec<Option<Vec<u8>>>>,
}

/// Runs a query and reads all of its rows.
///
/// # Errors
/// The server's own error, a broken connection, more than [`MAX_ROWS`] rows.
pub async fn rows(lent: &mut Lent, sql: &[u8]) -> Result<Rows> {
    rows_within(lent, sql, MAX_ROWS).await
}

/// The same for a question that may bring more rows, or only fewer.
///
/// # Errors
/// As [`rows`].
pub async fn rows_within(lent: &mut Lent, sql: &[u8], most: usize) -> Result<Rows> {
    lent.query(sql);
    let columns = match lent.answer().await? {
        Answer::ResultSet { columns } => columns,
        Answer::Err(error) => return Err(error),
        Answer::Ok(_) => return Ok(Rows::default()),
        Answer::LocalInfile(_) => {
            lent.condemn();
            return Err(Error::unavailable(
                "local_infile_out_of_turn",
                "the server asked for a file",
            ));
        }
    };
    let mut found = Rows::default();
    for _ in 0..columns {
        let payload = lent.read_packet().await?;
        let column = Column::parse(payload)?;
        let unsigned = column.is_unsigned();
        found.columns.push((column.field_type, column.collation, unsigned));
    }
    let capabilities = lent.capabilities;
    if !capabilities.contains(Capabilities::DEPRECATE_EOF) {
        lent.read_packet().await?;
    }
    loop {
        let payload = lent.read_packet().await?;
        if ErrPacket::is_err(payload) {
            let error = ErrPacket::parse(payload)?.to_error();
            lent.ended_in_error(&error);
            return Err(error);
        }
        if payload.first() == Some(&0xfe) && payload.len() < 0xff_ffff {
            let status = if capabilities.contains(Capabilities::DEPRECATE_EOF) {
                let ok = OkPacket::parse(payload, capabilities)?;
                let (status, told) = (ok.status, ok.session_state.to_vec());
                // What a statement changed before its error, MySQL tells behind the next answer.
                lent.note_reported(&told);
                status
            } else {
                EofPacket::parse(payload, capabilities)?.status
            };
            lent.ended(status);
            return Ok(found);
        }
        if found.rows.len() >= most {
            lent.condemn();
            return Err(Error::internal("a question of Weir's own brought too many rows"));
        }
        let mut row = TextRow::new(payload);
        let values = (0..columns).map(|_| Ok(row.value()?.map(<[u8]>::to_vec)));
        let values = values.collect::<Result<Vec<_>>>()?;
        found.rows.push(values);
    }
}
