//! Session-state information inside OK packets.
//!
//! Owns: the block's form, both ways. Never: applies a change to a session.

use crate::error::Result;
use crate::protocol::reader::{Reader, put_lenenc_bytes};

/// One change that the server reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionChange<'a> {
    SystemVariable {
        name: &'a [u8],
        value: &'a [u8],
    },
    /// The new default database.
    Schema(&'a [u8]),
    /// `1` after any state change.
    StateChange(bool),
    /// GTIDs of the transaction just committed, as text.
    Gtids(&'a [u8]),
    /// The statements that would start the present transaction again.
    TransactionCharacteristics(&'a [u8]),
    /// Eight letters such as `T_______`.
    TransactionState(&'a [u8]),
    /// A kind that Weir doesn't know.
    Unknown {
        kind: u8,
        data: &'a [u8],
    },
}

/// Whether a server's session-state block says that rows of its present transaction were written, by
/// the statement itself or by what it ran. Both kinds of server tell it once in a transaction.
pub fn tells_of_write(block: &[u8]) -> bool {
    let tells = |change: Result<SessionChange<'_>>| match change {
        Ok(SessionChange::TransactionState(letters)) => letters.contains(&WRITTEN),
        Ok(_) => false,
        // What can't be read may tell it.
        Err(_) => true,
    };
    !block.is_empty() && SessionChanges::new(block).any(tells)
}

/// Among the letters of a transaction's state: a table with transactions was open for writing.
const WRITTEN: u8 = b'W';

/// Walks a session-state block.
#[derive(Clone, Debug)]
pub struct SessionChanges<'a> {
    reader: Reader<'a>,
    /// What is left of a system-variables entry: MariaDB may put several pairs into one.
    variables: Reader<'a>,
}

impl<'a> SessionChanges<'a> {
    pub const fn new(block: &'a [u8]) -> Self {
        SessionChanges {
            reader: Reader::new("session state", block),
            variables: Reader::new("session state", b""),
        }
    }

    fn entry(&mut self) -> Result<SessionChange<'a>> {
        if self.variables.is_empty() {
            let kind = self.reader.u8()?;
            let data = self.reader.lenenc_bytes()?;
            let mut entry = Reader::new("session state", data);
            match kind {
                0 => self.variables = entry,
                1 => return entry.lenenc_bytes().map(SessionChange::Schema),
                // Alone among the kinds, its text has no length of its own.
                2 => return Ok(SessionChange::StateChange(data == b"1")),
                3 => {
                    let _encoding = entry.u8()?;
                    return entry.lenenc_bytes().map(SessionChange::Gtids);
                }
                4 => return entry.lenenc_bytes().map(SessionChange::TransactionCharacteristics),
                5 => return entry.lenenc_bytes().map(SessionChange::TransactionState),
                kind => return Ok(SessionChange::Unknown { kind, data }),
            }
        }
        let name = self.variables.lenenc_bytes()?;
        let value = self.variables.lenenc_bytes()?;
        Ok(SessionChange::SystemVariable { name, value })
    }
}

impl<'a> Iterator for SessionChanges<'a> {
    type Item = Result<SessionChange<'a>>;

    /// The next change; after an error there are no more.
    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() && self.variables.is_empty() {
            return None;
        }
        let entry = self.entry();
        if entry.is_err() {
            *self = SessionChanges::new(b"");
        }
        Some(entry)
    }
}

/// Appends one change to a block.
pub fn put_change(block: &mut Vec<u8>, change: &SessionChange<'_>) {
    let mut data = Vec::new();
    let kind = match change {
        SessionChange::SystemVariable { name, value } => {
            put_lenenc_bytes(&mut data, name);
            put_lenenc_bytes(&mut data, value);
            0
        }
        SessionChange::Schema(name) => {
            put_lenenc_bytes(&mut data, name);
            1
        }
        SessionChange::StateChange(changed) => {
            data.push(if *changed { b'1' } else { b'0' });
            2
        }
        SessionChange::Gtids(gtids) => {
            data.push(0);
            put_lenenc_bytes(&mut data, gtids);
            3
        }
        SessionChange::TransactionCharacteristics(text) => {
            put_lenenc_bytes(&mut data, text);
            4
        }
        SessionChange::TransactionState(text) => {
            put_lenenc_bytes(&mut data, text);
            5
        }
        SessionChange::Unknown { kind, data: raw } => {
            data.extend_from_slice(raw);
            *kind
        }
    };
    block.push(kind);
    put_lenenc_bytes(block, &data);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(letters: &[u8]) -> Vec<u8> {
        let mut block = Vec::new();
        put_change(&mut block, &SessionChange::TransactionState(letters));
        block
    }

    #[test]
    fn a_write_is_told_and_what_cannot_be_read_counts_as_one() {
        assert!(!tells_of_write(b""));
        assert!(!tells_of_write(&block(b"T_R_____")));
        assert!(tells_of_write(&block(b"T_R_W___")));
        let whole = [block(b"T_R_____"), block(b"T_R_W_S_")].concat();
        assert!(tells_of_write(&whole));
        // Cut anywhere within an entry.
        for end in 1..whole.len() {
            let ends_an_entry = end == block(b"T_R_____").len();
            assert_eq!(tells_of_write(&whole[..end]), !ends_an_entry, "{end}");
        }
    }
}
