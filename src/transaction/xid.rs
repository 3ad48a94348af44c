//! The names of transactions and branches: what is in an XA id, and how it is read back.
//!
//! Owns: the text of both halves of an id (at most 64 bytes each, printable, so that XA RECOVER
//! shows it as it is) and of the SQL literal. Never: asks a clock or dice for their parts.
//!
//! The first half names the transaction: `weir:<deployment>:<proxy>-<run>:<number>:<start>`, equal in
//! all its branches and the key of its commit row. The second half names where the decision is
//! found and who holds the branch: `<instance>:<anchor's connection>:<own connection>:<anchor>`. The
//! instance is what the anchor's commit table calls itself, since a group's name alone could mean
//! another server in another deployment's rules.

use std::fmt;

/// `WEIR`: ids with another format are nobody's but their owner's.
pub const FORMAT: u32 = 0x5745_4952;

/// Either half's limit in bytes.
pub const HALF_MAX: usize = 64;

/// The longest name of a deployment.
pub const DEPLOYMENT_MAX: usize = 16;

/// One transaction over several groups.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TransactionId {
    pub deployment: String,
    /// The proxy's number, as in connection ids.
    pub proxy: u16,
    /// Drawn when the process started.
    pub run: u64,
    /// Counts within the run.
    pub number: u64,
    /// Seconds since 1970 by the proxy's clock; for people.
    pub start: u64,
}

/// One branch of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BranchId {
    pub transaction: TransactionId,
    /// Of the anchor's commit table.
    pub instance: u64,
    /// The server's id of the anchor's connection.
    pub anchor_connection: u64,
    /// The server's id of the connection that prepares the branch.
    pub connection: u64,
    /// The anchor group's name, shortened where it is long; for people.
    pub anchor: String,
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "weir:{}:{:x}-{:x}:{:x}:{:x}",
            self.deployment, self.proxy, self.run, self.number, self.start
        )
    }
}

impl TransactionId {
    /// Reads the first half of an id; `None` for ids that aren't Weir's.
    pub fn parse(text: &[u8]) -> Option<TransactionId> {
        let text = std::str::from_utf8(text).ok()?;
        let mut parts = text.split(':');
        if parts.next()? != "weir" {
            return None;
        }
        let deployment = parts.next().filter(|name| is_deployment(name))?.to_owned();
        let (proxy, run) = parts.next()?.split_once('-')?;
        let proxy = u16::from_str_radix(proxy, 16).ok()?;
        let run = u64::from_str_radix(run, 16).ok()?;
        let number = u64::from_str_radix(parts.next()?, 16).ok()?;
        let start = u64::from_str_radix(parts.next()?, 16).ok()?;
        let id = TransactionId { deployment, proxy, run, number, start };
        // One spelling for each id, so that a row's key is found again.
        (parts.next().is_none() && id.to_string() == text).then_some(id)
    }
}

impl BranchId {
    /// The second half.
    pub fn qualifier(&self) -> String {
        let mut text = format!(
            "{:016x}:{:x}:{:x}:{}",
            self.instance, self.anchor_connection, self.connection, self.anchor
        );
        while text.len() > HALF_MAX {
            text.pop();
        }
        text
    }

    /// Reads an id as XA RECOVER gives it: its format and its two halves.
    pub fn parse(format: i64, transaction: &[u8], qualifier: &[u8]) -> Option<BranchId> {
        if format != i64::from(FORMAT) {
            return None;
        }
        let transaction = TransactionId::parse(transaction)?;
        let mut parts = std::str::from_utf8(qualifier).ok()?.splitn(4, ':');
        let mut number = || u64::from_str_radix(parts.next()?, 16).ok();
        let (instance, anchor_connection, connection) = (number()?, number()?, number()?);
        let anchor = parts.next()?.to_owned();
        Some(BranchId { transaction, instance, anchor_connection, connection, anchor })
    }

    /// The id as it stands in XA statements.
    pub fn literal(&self) -> String {
        literal(self.transaction.to_string().as_bytes(), self.qualifier().as_bytes())
    }
}

/// Two halves as an XA statement takes them, whatever the session's sql_mode and charset are.
pub fn literal(transaction: &[u8], qualifier: &[u8]) -> String {
    format!("X'{}',X'{}',{FORMAT}", hex(transaction), hex(qualifier))
}

/// Upper-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Whether this can name a deployment: it stands in each XA id.
pub fn is_deployment(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    !name.is_empty() && name.len() <= DEPLOYMENT_MAX && name.bytes().all(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(anchor: &str) -> BranchId {
        let transaction = TransactionId {
            deployment: "d".repeat(DEPLOYMENT_MAX),
            proxy: 4095,
            run: u64::MAX,
            number: 0xff_ffff_ffff,
            start: 0xffff_ffff,
        };
        BranchId {
            transaction,
            instance: 7,
            anchor_connection: u64::from(u32::MAX),
            connection: u64::from(u32::MAX),
            anchor: anchor.to_owned(),
        }
    }

    #[test]
    fn ids_fit_and_are_read_back() {
        for anchor in ["g0", "", "a:b", &"x".repeat(64), &"\u{e9}".repeat(40)] {
            let branch = branch(anchor);
            let (first, second) = (branch.transaction.to_string(), branch.qualifier());
            assert!(first.len() <= HALF_MAX && second.len() <= HALF_MAX, "{first} {second}");
            let read = BranchId::parse(i64::from(FORMAT), first.as_bytes(), second.as_bytes());
            let read = read.unwrap();
            assert!(branch.anchor.starts_with(&read.anchor));
            assert_eq!(
                read.qualifier(),
                second,
                "the id that is resolved is the id that was found"
            );
            assert_eq!(
                BranchId { anchor: String::new(), ..read },
                BranchId { anchor: String::new(), ..branch }
            );
        }
    }

    #[test]
    fn foreign_ids_are_nobodys() {
        let branch = branch("g0");
        let (first, second) = (branch.transaction.to_string(), branch.qualifier());
        let parse = |format, first: &str, second: &str| {
            BranchId::parse(format, first.as_bytes(), second.as_bytes())
        };
        let format = i64::from(FORMAT);
        assert!(parse(1, &first, &second).is_none());
        for wrong in
            ["", "weir", "weir:d:1-1:1", "weir:d:1-1:1:1:1", "weir:d:01-1:1:1", "other:d:1-1:1:1"]
        {
            assert!(parse(format, wrong, &second).is_none(), "{wrong}");
        }
        for wrong in ["", "1:2:3", "g:2:3:a", "1:2"] {
            assert!(parse(format, &first, wrong).is_none(), "{wrong}");
        }
        assert!(BranchId::parse(format, &[0xff, 0xfe], second.as_bytes()).is_none());
        assert!(TransactionId::parse(b"weir:d:1-1:1:1").is_some());
    }

    #[test]
    fn literals_hold_no_character_that_a_mode_could_change() {
        let text = literal(b"a'\\", b"b");
        assert_eq!(text, "X'61275C',X'62',1464158546");
        assert!(!is_deployment("") && !is_deployment("a:b") && !is_deployment(&"x".repeat(17)));
    }
}
