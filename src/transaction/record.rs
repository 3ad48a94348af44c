//! The commit table: its shape and the texts that touch it.
//!
//! Owns: SQL. Never: sends it.
//!
//! One table per server, in a database of Weir's own. A row's key is the transaction's id; its
//! verdict is `C` (committed, written inside of the anchor's transaction), `A` (aborted, written by
//! whoever asked first) or `I` for the one row that names the table itself. `at` is by the server's
//! clock, and SYSDATE doesn't follow a client's SET timestamp.

use crate::transaction::xid::{TransactionId, hex};

/// The key of the row that names the table itself.
pub const INSTANCE_KEY: &str = "instance";

/// Where the commit table is, quoted.
pub fn table(database: &str) -> String {
    format!("`{}`.`weir_commit`", database.replace('`', "``"))
}

pub fn create_database(database: &str) -> String {
    format!("CREATE DATABASE IF NOT EXISTS `{}`", database.replace('`', "``"))
}

pub fn create_table(database: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {} (\
         `id` VARBINARY(64) NOT NULL PRIMARY KEY, \
         `verdict` BINARY(1) NOT NULL, \
         `connection` BIGINT UNSIGNED NOT NULL, \
         `members` BLOB NOT NULL, \
         `at` BIGINT NOT NULL) ENGINE=InnoDB",
        table(database)
    )
}

/// Names the table where nobody has yet.
pub fn insert_instance(database: &str, instance: u64) -> String {
    let members = hex(format!("{instance:016x}").as_bytes());
    format!("INSERT IGNORE{}", insert(database, INSTANCE_KEY.as_bytes(), 'I', 0, &members))
}

pub fn select_instance(database: &str) -> String {
    format!(
        "SELECT `members` FROM {} WHERE `id`=X'{}'",
        table(database),
        hex(INSTANCE_KEY.as_bytes())
    )
}

/// The commit row, inside of the anchor's transaction. `members` are the names of the branches'
/// groups.
pub fn insert_commit<'a>(
    database: &str,
    id: &TransactionId,
    connection: u64,
    members: impl Iterator<Item = &'a str>,
) -> String {
    let members = members.collect::<Vec<_>>().join("\n");
    let key = id.to_string();
    let row = insert(database, key.as_bytes(), 'C', connection, &hex(members.as_bytes()));
    format!("INSERT{row}")
}

/// The abort row: once it stands, the transaction can't commit any more.
pub fn insert_abort(database: &str, id: &TransactionId, connection: u64) -> String {
    format!("INSERT{}", insert(database, id.to_string().as_bytes(), 'A', connection, ""))
}

fn insert(database: &str, key: &[u8], verdict: char, connection: u64, members: &str) -> String {
    format!(
        " INTO {} (`id`,`verdict`,`connection`,`members`,`at`) \
         VALUES (X'{}','{verdict}',{connection},X'{members}',UNIX_TIMESTAMP(SYSDATE()))",
        table(database),
        hex(key),
    )
}

pub fn select_verdict(database: &str, id: &TransactionId) -> String {
    let key = hex(id.to_string().as_bytes());
    format!("SELECT `verdict` FROM {} WHERE `id`=X'{key}'", table(database))
}

/// Rows behind this key, in the order of keys, that have stood for longer than `seconds`: id, verdict,
/// connection, members.
pub fn select_old(database: &str, seconds: u64, after: &[u8], limit: usize) -> String {
    format!(
        "SELECT `id`,`verdict`,`connection`,`members` FROM {} WHERE `verdict`<>'I' AND `id`>X'{}' \
         AND `at`<UNIX_TIMESTAMP(SYSDATE())-{seconds} ORDER BY `id` LIMIT {limit}",
        table(database),
        hex(after)
    )
}

/// By key, few at a time: a range would lock out new commits (mysql-traps 10).
pub fn delete<'a>(database: &str, keys: impl Iterator<Item = &'a [u8]>) -> String {
    let keys: Vec<String> = keys.map(|key| format!("X'{}'", hex(key))).collect();
    format!("DELETE FROM {} WHERE `id` IN ({})", table(database), keys.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_hold_their_keys_and_members_as_bytes() {
        let id = TransactionId::parse(b"weir:d:1-2:3:4").unwrap();
        let text = insert_commit("w`x", &id, 9, ["g'0", "g1"].into_iter());
        assert_eq!(
            text,
            "INSERT INTO `w``x`.`weir_commit` (`id`,`verdict`,`connection`,`members`,`at`) VALUES \
             (X'776569723A643A312D323A333A34','C',9,X'6727300A6731',UNIX_TIMESTAMP(SYSDATE()))"
        );
        let text = delete("w", [&b"a"[..], b"b"].into_iter());
        assert_eq!(text, "DELETE FROM `w`.`weir_commit` WHERE `id` IN (X'61',X'62')");
        assert!(insert_abort("w", &id, 9).contains("'A',9,X''"));
    }
}
