//! A long row on its way into a temporary table.
//!
//! Owns: sending its long values in pieces, so that no packet is longer than a piece however long the
//! row is: its text, with each quote escaped, might not fit where the row itself did. Never: reads
//! rows, or counts them.

use super::{Form, write_value};
use crate::backend::connection::Connection;
use crate::error::{Error, Result};
use crate::protocol::command;
use crate::protocol::execute::{Parameter, ParameterType, ParameterValue, write_execute};
use crate::protocol::field::FieldType;
use crate::protocol::row::TextRow;

/// Rows that are longer go this way.
pub(super) const LONG: usize = 1 << 20;

/// Values that are longer are parameters.
const SHORT: usize = 1 << 10;

/// A parameter is sent in pieces of this size.
const PIECE: usize = 1 << 20;

/// A row as the text of an INSERT with parameters, and those.
pub(super) struct LongRow<'r> {
    pub text: Vec<u8>,
    values: Vec<(&'r [u8], Form)>,
}

impl<'r> LongRow<'r> {
    /// `head` goes up to VALUES; `tail` has what follows the row's own values.
    ///
    /// # Errors
    /// A damaged row, or one of another number of columns.
    pub fn read(
        head: &[u8],
        payload: &'r [u8],
        forms: impl Iterator<Item = Form>,
        tail: &[u8],
    ) -> Result<LongRow<'r>> {
        let mut row = TextRow::new(payload);
        let mut long = LongRow { text: head.to_vec(), values: Vec::new() };
        long.text.push(b'(');
        for (place, form) in forms.enumerate() {
            if place > 0 {
                long.text.push(b',');
            }
            match row.value()? {
                None => long.text.extend_from_slice(b"NULL"),
                Some(value) if value.len() > SHORT && is_text(form) => {
                    long.text.push(b'?');
                    long.values.push((value, form));
                }
                Some(value) => write_value(value, form, &mut long.text)?,
            }
        }
        long.text.extend_from_slice(tail);
        long.text.push(b')');
        row.end()?;
        Ok(long)
    }

    /// Prepares the INSERT and sends its values; what is left is the answer of its execution.
    ///
    /// # Errors
    /// The server's own, or a lost connection.
    pub async fn send(&self, bench: &mut Connection) -> Result<()> {
        let (prepared, _) = bench.prepare(&self.text, &self.text, false).await?;
        let mut packet = Vec::new();
        for (place, (value, _)) in self.values.iter().enumerate() {
            let parameter = u16::try_from(place).map_err(|_| Error::malformed("a long row"))?;
            for piece in value.chunks(PIECE) {
                packet.clear();
                command::write_long_data(prepared.id, parameter, piece, &mut packet);
                bench.send_command(&packet).await?;
            }
        }
        let kind = |form: Form| ParameterType {
            // Bytes have no character set, texts the connection's.
            field_type: if form == Form::Bytes { FieldType::BLOB } else { FieldType::VAR_STRING },
            unsigned: false,
        };
        let parameters: Vec<Parameter<'_>> = self
            .values
            .iter()
            .map(|(_, form)| Parameter { kind: kind(*form), value: ParameterValue::LongData })
            .collect();
        packet.clear();
        write_execute(prepared.id, 0, &parameters, &mut packet);
        bench.send_command(&packet).await
    }
}

fn is_text(form: Form) -> bool {
    matches!(form, Form::Bytes | Form::Text | Form::Json)
}
