//! Telling other proxies which connections belong to one transaction.
//!
//! Owns: what is told and how it is read, and the connections that tell it. Never: decides of whom.
//!
//! It stands in each server's process list, as the text of a statement that sleeps: nothing is
//! stored, no right is needed beyond that to see it (PROCESS), and it ends with the proxy. The
//! control account says it, under a seal: a client may run statements with the same account.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::seal::Seal;
use crate::backend::control;
use crate::backend::node::Node;
use crate::error::Result;
use crate::name::GroupName;
use crate::transaction::xid::{TransactionId, hex};

/// How each of them begins.
pub const OPENING: &str = "SELECT SLEEP(0.25),'weir waits\n";
/// The most that is told on one server: what is beyond isn't found with other proxies'.
const TOLD: usize = 200;
/// And its bytes: a process list shows no more than 64 KiB of a text.
const TOLD_BYTES: usize = 60_000;
/// For a login, and for a statement.
const BOUND: Duration = Duration::from_secs(3);

/// A transaction's connection on the server that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: TransactionId,
    pub connection: u64,
    /// The server's own number of the transaction there: connections are used again.
    pub engine: u64,
    /// Groups where it waits or is waited for.
    pub groups: Vec<GroupName>,
}

/// The statement that tells it.
pub fn text(entries: &[Entry], seal: &Seal) -> String {
    let mut told = String::new();
    for entry in entries.iter().take(TOLD) {
        let groups: Vec<String> =
            entry.groups.iter().map(|name| hex(name.as_str().as_bytes())).collect();
        let (id, groups) = (&entry.id, groups.join(","));
        let line = format!("{id} {} {} {groups}\n", entry.connection, entry.engine);
        if told.len() + line.len() > TOLD_BYTES {
            break;
        }
        told.push_str(&line);
    }
    format!("{OPENING}{}\n{told}'", seal.of(&told))
}

/// What such a statement tells; nothing where the seal is another's, or something is missing.
pub fn parse(text: &str, seal: &Seal) -> Vec<Entry> {
    let sealed = text.strip_prefix(OPENING).and_then(|rest| rest.strip_suffix('\''));
    match sealed.and_then(|sealed| sealed.split_once('\n')) {
        Some((mark, told)) if seal.is_of(mark, told) => told.lines().filter_map(entry).collect(),
        _ => Vec::new(),
    }
}

fn entry(line: &str) -> Option<Entry> {
    let mut parts = line.split(' ');
    let id = TransactionId::parse(parts.next()?.as_bytes())?;
    let (connection, engine) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let groups = parts.next()?.split(',').filter_map(unhex).collect();
    Some(Entry { id, connection, engine, groups })
}

fn unhex(text: &str) -> Option<GroupName> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> = pairs
        .map(|pair| u8::try_from(digit(*pair.first()?)? * 16 + digit(*pair.get(1)?)?).ok())
        .collect();
    let name = String::from_utf8(bytes?).ok()?;
    (!name.is_empty()).then(|| GroupName::from(name.as_str()))
}

/// Tells one server until it is dropped.
struct Speaker {
    said: watch::Sender<String>,
    task: AbortHandle,
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Tells what is to be told at present.
#[derive(Default)]
pub struct Announcer {
    speakers: HashMap<usize, Speaker>,
    tasks: JoinSet<()>,
}

impl Announcer {
    /// From now on this is told, by server, and nothing else.
    pub fn tell(&mut self, all: HashMap<usize, (Arc<Node>, Vec<Entry>)>) {
        while self.tasks.try_join_next().is_some() {}
        self.speakers
            .retain(|server, speaker| all.contains_key(server) && !speaker.task.is_finished());
        for (server, (node, entries)) in all {
            let text = text(&entries, &Seal::new(&node.spec.control));
            let speaker = self.speakers.entry(server).or_insert_with(|| {
                let (said, heard) = watch::channel(text.clone());
                Speaker { said, task: self.tasks.spawn(speak(node, heard)) }
            });
            speaker.said.send_replace(text);
        }
    }
}

/// Ends with its connection, or when it isn't wanted any more.
async fn speak(node: Arc<Node>, heard: watch::Receiver<String>) {
    if let Err(error) = try_speak(&node, heard).await {
        tracing::debug!(%error, "other proxies can't be told of waiting transactions");
    }
}

async fn try_speak(node: &Node, heard: watch::Receiver<String>) -> Result<()> {
    let mut conn = control::connect(node, &node.spec.control, BOUND).await?;
    loop {
        let text = heard.borrow().clone();
        control::run(node, BOUND, conn.query_drop(text)).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::spec::Account;

    #[test]
    fn what_is_told_is_read_back() {
        let id = TransactionId::parse(b"weir:d:1-2:3:4").unwrap();
        let groups = vec![GroupName::from("g'0"), GroupName::from("\u{e9}\n")];
        let one = Entry { id, connection: 7, engine: u64::MAX, groups };
        let two = Entry { connection: 8, groups: vec![GroupName::from("g1")], ..one.clone() };
        let seal = Seal::new(&account("secret"));
        let text = text(&[one.clone(), two.clone()], &seal);
        assert!(text.is_ascii() && text.matches('\'').count() == 2, "{text}");
        assert_eq!(parse(&text, &seal), [one.clone(), two]);
        // What was cut, what was changed, and what others say.
        assert!(parse(&text[..text.len() - 4], &seal).is_empty());
        assert!(parse(&text.replace(" 7 ", " 9 "), &seal).is_empty());
        assert!(parse(&text, &Seal::new(&account("other"))).is_empty());
        assert!(parse("SELECT SLEEP(0.25)", &seal).is_empty() && parse("", &seal).is_empty());
    }

    #[test]
    fn what_is_told_is_bounded() {
        let id = TransactionId::parse(b"weir:d:1-2:3:4").unwrap();
        let groups: Vec<GroupName> =
            (0..60).map(|number| GroupName::from(format!("group_{number}").as_str())).collect();
        let entry = Entry { id, connection: 7, engine: 1, groups };
        let seal = Seal::new(&account("secret"));
        let text = text(&vec![entry; 300], &seal);
        assert!(text.len() < 65_000 && parse(&text, &seal).len() > 50, "{}", text.len());
    }

    fn account(password: &str) -> Account {
        Account { user: "weir".into(), password: password.into() }
    }
}
