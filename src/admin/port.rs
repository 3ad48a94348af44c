//! The admin port: accepting, one small session for each operator.
//!
//! Owns: the loop from login to QUIT, and its bounds. Never: shares seats with clients, so that an
//! operator gets in when clients fill the proxy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::command::parse;
use super::table::Table;
use super::{Admin, act, login};
use crate::error::{Error, Result};
use crate::protocol::capability::Capabilities;
use crate::protocol::command::Command;
use crate::protocol::err::write_error;
use crate::protocol::error_code;
use crate::protocol::ok::{OkHeader, OkPacket};
use crate::protocol::status::StatusFlags;
use crate::wire::stream::{Peer, Stream};

/// No admin command is longer, in bytes.
const LONGEST: usize = 64 << 10;
/// An operator who says nothing for so long is disconnected.
const IDLE: Duration = Duration::from_secs(8 * 3600);
/// An operator's client that doesn't read for so long is disconnected.
const WRITE: Duration = Duration::from_secs(30);

/// What a command answers.
pub enum Answer {
    Table(Table),
    /// Done; with a sentence.
    Ok(String),
}

/// Serves operators until the task is dropped.
pub async fn serve(listener: TcpListener, admin: Arc<Admin>) {
    let seats = admin.context.config().admin.max_connections;
    let permits = Arc::new(Semaphore::new(usize::try_from(seats).unwrap_or(32)));
    let mut sessions = JoinSet::new();
    let mut next: u32 = 1;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((socket, address)) = accepted else {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                };
                let mut stream = Stream::tcp(socket, Peer::Client, LONGEST);
                let Ok(permit) = permits.clone().try_acquire_owned() else {
                    fail(&mut stream, &error_code::too_many_connections()).await;
                    continue;
                };
                let (admin, id) = (admin.clone(), next);
                next = next.wrapping_add(1).max(1);
                sessions.spawn(async move {
                    let _permit = permit;
                    session(&admin, &mut stream, id, address).await;
                });
            }
            Some(ended) = sessions.join_next() => {
                if ended.is_err_and(|e| e.is_panic()) {
                    tracing::error!("an admin session panicked: this is a defect of Weir, please report it");
                }
            }
        }
    }
}

async fn session(admin: &Admin, stream: &mut Stream, id: u32, address: SocketAddr) {
    let host = address.ip().to_canonical().to_string();
    let limit = admin.context.config().timeouts.handshake.0;
    let logged_in = tokio::time::timeout(limit, login::log_in(admin, stream, id, &host)).await;
    let capabilities = match logged_in.unwrap_or_else(|_| Err(login::late())) {
        Ok(capabilities) => capabilities,
        Err(error) => {
            tracing::warn!(%address, %error, "an admin login failed");
            tokio::time::sleep(login::FAILED_DELAY).await;
            return fail(stream, &error).await;
        }
    };
    tracing::info!(%address, "an operator logged in");
    let greeted = OkPacket { status: StatusFlags::AUTOCOMMIT, ..OkPacket::default() };
    stream.write_with(|out| greeted.write(OkHeader::Plain, capabilities, out));
    loop {
        let Ok(Ok(())) = tokio::time::timeout(WRITE, stream.flush()).await else { return };
        let read = tokio::time::timeout(IDLE, stream.read_command()).await;
        let command = match read {
            Ok(Ok(Some(packet))) => Owned::parse(packet, capabilities),
            Ok(Ok(None)) | Err(_) => return,
            Ok(Err(error)) => Err(error),
        };
        let answer = match command {
            Ok(Owned::Quit) => return,
            Ok(Owned::Nothing) => Ok(Answer::Ok(String::new())),
            Ok(Owned::Query(text)) => query(admin, &text).await,
            Err(error) => Err(error),
        };
        let fatal = answer.as_ref().is_err_and(|error| error.fatal);
        write(stream, capabilities, answer);
        if fatal {
            let _ = tokio::time::timeout(WRITE, stream.shutdown()).await;
            return;
        }
    }
}

/// A command, off the stream.
enum Owned {
    Quit,
    Nothing,
    Query(String),
}

impl Owned {
    fn parse(packet: &[u8], capabilities: Capabilities) -> Result<Owned> {
        match Command::parse(packet, capabilities)? {
            Command::Quit => Ok(Owned::Quit),
            Command::Ping | Command::InitDb(_) | Command::ResetConnection => Ok(Owned::Nothing),
            Command::Query(text) => match std::str::from_utf8(text) {
                Ok(text) => Ok(Owned::Query(text.to_owned())),
                Err(_) => Err(Error::syntax("An admin command is UTF-8 text")),
            },
            Command::ProcessKill(id) => Ok(Owned::Query(format!("KILL {id}"))),
            _ => Err(error_code::unknown_command()),
        }
    }
}

async fn query(admin: &Admin, text: &str) -> Result<Answer> {
    if let Some(answer) = act::chatter(text) {
        return Ok(answer);
    }
    let command = parse(text)?;
    act::run(admin, &command).await
}

fn write(stream: &mut Stream, capabilities: Capabilities, answer: Result<Answer>) {
    match answer {
        Ok(Answer::Table(table)) => table.write(stream, capabilities),
        Ok(Answer::Ok(sentence)) => {
            let ok = OkPacket {
                status: StatusFlags::AUTOCOMMIT,
                info: sentence.as_bytes(),
                ..OkPacket::default()
            };
            stream.write_with(|out| ok.write(OkHeader::Plain, capabilities, out));
        }
        Err(error) => {
            stream.write_with(|out| write_error(&error, Capabilities::PROTOCOL_41, out));
        }
    }
}

async fn fail(stream: &mut Stream, error: &Error) {
    stream.write_with(|out| write_error(error, Capabilities::PROTOCOL_41, out));
    let _ = tokio::time::timeout(Duration::from_secs(1), stream.shutdown()).await;
}
