//! MySQL's numbers for the errors that Weir raises at the protocol's level.
//!
//! Owns: errno and SQLSTATE of each, with the sentence MySQL uses. Never: decides when one is due.

use crate::error::{Error, Fault};

/// 1040: too many connections.
pub fn too_many_connections() -> Error {
    Error::new(Fault::Limit, 1040, b"08004", "too_many_connections", "Too many connections").fatal()
}

/// 1043: the login can't be read, or asks for what isn't served.
pub fn bad_handshake(why: &str) -> Error {
    Error::new(Fault::Client, 1043, b"08S01", "bad_handshake", format!("Bad handshake: {why}"))
        .fatal()
}

/// 1045: wrong user or password. `user` and `host` as the client gave them.
pub fn access_denied(user: &str, host: &str, with_password: bool) -> Error {
    let password = if with_password { "YES" } else { "NO" };
    let text = format!("Access denied for user '{user}'@'{host}' (using password: {password})");
    Error::new(Fault::Client, 1045, b"28000", "access_denied", text).fatal()
}

/// 1044: no right on the schema.
pub fn database_access_denied(user: &str, host: &str, schema: &str) -> Error {
    let text = format!("Access denied for user '{user}'@'{host}' to database '{schema}'");
    Error::new(Fault::Client, 1044, b"42000", "database_access_denied", text)
}

/// 1046: no database selected.
pub fn no_database() -> Error {
    Error::new(Fault::Client, 1046, b"3D000", "no_database", "No database selected")
}

/// 1047: a command that isn't served.
pub fn unknown_command() -> Error {
    Error::new(Fault::Client, 1047, b"08S01", "unknown_command", "Unknown command")
}

/// LOAD DATA LOCAL from a client that sends no files: 4166 by MariaDB, 3948 by MySQL.
pub fn local_infile_disabled(is_mariadb: bool) -> Error {
    let (errno, sqlstate, text) = match is_mariadb {
        true => (
            4166,
            b"HY000",
            "The used command is not allowed because the MariaDB server or client has disabled the \
             local infile capability",
        ),
        false => (
            3948,
            b"42000",
            "Loading local data is disabled; this must be enabled on both the client and server sides",
        ),
    };
    Error::new(Fault::Client, errno, sqlstate, "local_infile_disabled", text)
}

/// 1049: no such schema.
pub fn unknown_database(schema: &str) -> Error {
    let text = format!("Unknown database '{schema}'");
    Error::new(Fault::Client, 1049, b"42000", "unknown_database", text)
}

/// 1153: a packet above `max_allowed_packet`.
pub fn packet_too_large(limit: usize) -> Error {
    let text = format!("Got a packet bigger than 'max_allowed_packet' bytes ({limit})");
    Error::new(Fault::Client, 1153, b"08S01", "packet_too_large", text).fatal()
}

/// 1156: a sequence id jumped.
pub fn packets_out_of_order() -> Error {
    let text = "Got packets out of order";
    Error::new(Fault::Client, 1156, b"08S01", "packets_out_of_order", text).fatal()
}

/// 1157: a compressed packet can't be unpacked.
pub fn uncompress() -> Error {
    let text = "Couldn't uncompress communication packet";
    Error::new(Fault::Client, 1157, b"08S01", "uncompress", text).fatal()
}

/// 1158: the stream ended inside a packet.
pub fn read_broken() -> Error {
    let text = "Got an error reading communication packets";
    Error::new(Fault::Client, 1158, b"08S01", "read_broken", text).fatal()
}

/// 1210: EXECUTE doesn't fit its statement.
pub fn wrong_arguments(command: &str) -> Error {
    let text = format!("Incorrect arguments to {command}");
    Error::new(Fault::Client, 1210, b"HY000", "wrong_arguments", text)
}

/// 1243: no such prepared statement. `command` as MySQL names it, such as `mysqld_stmt_execute`.
pub fn unknown_statement(statement: u32, command: &str) -> Error {
    let text = format!("Unknown prepared statement handler ({statement}) given to {command}");
    Error::new(Fault::Client, 1243, b"HY000", "unknown_statement", text)
}

/// 1317: the statement was killed.
pub fn interrupted() -> Error {
    let text = "Query execution was interrupted";
    Error::new(Fault::Client, 1317, b"70100", "interrupted", text)
}

/// 1461: too many prepared statements.
pub fn too_many_statements(limit: usize) -> Error {
    let text = format!(
        "Can't create more than max_prepared_stmt_count statements (current value: {limit})"
    );
    Error::new(Fault::Limit, 1461, b"42000", "too_many_statements", text)
}

/// 3159: the account or the listener demands TLS.
pub fn tls_required() -> Error {
    let text = "Connections using insecure transport are prohibited: connect with TLS";
    Error::new(Fault::Client, 3159, b"HY000", "tls_required", text).fatal()
}

/// A protocol error found in what a backend sent: it is the backend's fault, and that connection
/// can't be used any more. Errors that a backend reported are passed through.
pub fn of_backend(error: Error) -> Error {
    if error.fault != Fault::Client {
        return error;
    }
    let text = format!("the backend's answer can't be read: {}", error.message);
    Error::unavailable("backend_protocol", text).fatal()
}
