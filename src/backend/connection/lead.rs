//! A statement that travels with the next one: BEGIN, or XA START.
//!
//! Owns: writing both as one text, and the first of its two answers. Never: sends a lead that the
//! next command didn't ask for.

use std::borrow::Cow;

use crate::backend::connection::{Connection, Expected};
use crate::backend::fault;
use crate::error::Result;
use crate::protocol::command;
use crate::protocol::status::StatusFlags;

/// MySQL's ER_QUERY_INTERRUPTED.
const INTERRUPTED: u16 = 1317;

impl Connection {
    /// `sql` goes before the next command of a client, in the same text if that is one: the server
    /// stops at the first error, so that the client's statement never runs without it (trap 11).
    /// It is sent by [`Connection::led_query`] or [`Connection::send_lead`], nothing else.
    pub fn lead(&mut self, sql: impl Into<Cow<'static, str>>) {
        self.lead = Some(sql.into());
    }

    /// What led to the next command has become pointless.
    pub fn forget_lead(&mut self) {
        self.lead = None;
    }

    pub fn has_lead(&self) -> bool {
        self.lead.is_some()
    }

    /// As [`Connection::query`], behind what [`Connection::lead`] set, if anything.
    pub fn led_query(&mut self, sql: &[u8]) {
        let Some(lead) = self.lead.take() else { return self.query(sql) };
        self.begin(|out| {
            command::write_text(command::byte::QUERY, lead.as_bytes(), out);
            out.push(b';');
            out.extend_from_slice(sql);
        });
        self.expected.push(Expected::Lead(lead));
    }

    /// Sends what [`Connection::lead`] set, if anything, and waits for its OK.
    pub async fn send_lead(&mut self) -> Result<()> {
        match self.lead.take() {
            Some(lead) => match self.simple(lead.as_bytes()).await {
                Err(error) if error.errno == INTERRUPTED && !self.broken => {
                    self.lead = Some(lead);
                    Err(error)
                }
                sent => sent.map(drop),
            },
            None => Ok(()),
        }
    }

    pub(super) async fn absorb_lead(&mut self, lead: Cow<'static, str>) -> Result<()> {
        let outcome = self.read_ok().await?;
        let more = self.status.contains(StatusFlags::MORE_RESULTS);
        self.status = self.status.without(StatusFlags::MORE_RESULTS);
        match outcome {
            Ok(_) if more => Ok(()),
            Ok(_) => {
                self.broken = true;
                Err(fault::hostile(&self.node, "one answer to two statements"))
            }
            Err(refused) if refused.errno == INTERRUPTED => {
                // The KILL that was meant for the client's statement: it leads to the next one.
                self.lead = Some(lead);
                let error = fault::of_server(&self.node, refused);
                self.ended_in_error(&error);
                Err(error)
            }
            Err(refused) => {
                // Nothing of the client's ran. What it counts on is not there, though.
                self.broken = true;
                Err(fault::of_server(&self.node, refused))
            }
        }
    }
}
