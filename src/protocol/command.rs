//! Commands: the first packet of each exchange, sent by the client.
//!
//! Owns: the closed set of commands, parsing all of them and writing those that Weir sends. Never:
//! answers one.

use crate::error::Result;
use crate::protocol::capability::Capabilities;
use crate::protocol::change_user::ChangeUser;
use crate::protocol::execute::Execute;
use crate::protocol::reader::Reader;

/// The command byte.
pub mod byte {
    pub const SLEEP: u8 = 0x00;
    pub const QUIT: u8 = 0x01;
    pub const INIT_DB: u8 = 0x02;
    pub const QUERY: u8 = 0x03;
    pub const FIELD_LIST: u8 = 0x04;
    pub const CREATE_DB: u8 = 0x05;
    pub const DROP_DB: u8 = 0x06;
    pub const REFRESH: u8 = 0x07;
    pub const SHUTDOWN: u8 = 0x08;
    pub const STATISTICS: u8 = 0x09;
    pub const PROCESS_INFO: u8 = 0x0a;
    pub const CONNECT: u8 = 0x0b;
    pub const PROCESS_KILL: u8 = 0x0c;
    pub const DEBUG: u8 = 0x0d;
    pub const PING: u8 = 0x0e;
    pub const CHANGE_USER: u8 = 0x11;
    pub const BINLOG_DUMP: u8 = 0x12;
    pub const STMT_PREPARE: u8 = 0x16;
    pub const STMT_EXECUTE: u8 = 0x17;
    pub const STMT_SEND_LONG_DATA: u8 = 0x18;
    pub const STMT_CLOSE: u8 = 0x19;
    pub const STMT_RESET: u8 = 0x1a;
    pub const SET_OPTION: u8 = 0x1b;
    pub const STMT_FETCH: u8 = 0x1c;
    pub const DAEMON: u8 = 0x1d;
    pub const BINLOG_DUMP_GTID: u8 = 0x1e;
    pub const RESET_CONNECTION: u8 = 0x1f;
}

/// One command, its text and data still inside the packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command<'a> {
    Quit,
    /// The database's name, in the client's charset.
    InitDb(&'a [u8]),
    /// The statement's text, in the client's charset.
    Query(&'a [u8]),
    FieldList {
        table: &'a [u8],
        wildcard: &'a [u8],
    },
    Statistics,
    ProcessInfo,
    ProcessKill(u32),
    Debug,
    Ping,
    ChangeUser(ChangeUser<'a>),
    ResetConnection,
    /// 0 switches multi-statements on, 1 off.
    SetOption(u16),
    StmtPrepare(&'a [u8]),
    StmtExecute(Execute<'a>),
    StmtSendLongData {
        statement: u32,
        parameter: u16,
        data: &'a [u8],
    },
    StmtClose(u32),
    StmtReset(u32),
    StmtFetch {
        statement: u32,
        rows: u32,
    },
    /// Known to some server and never served (replication, shutdown …), or known to none: answered
    /// with 1047.
    Other(u8),
}

impl<'a> Command<'a> {
    /// Parses a command. An empty packet is malformed.
    pub fn parse(payload: &'a [u8], capabilities: Capabilities) -> Result<Self> {
        let mut reader = Reader::new("command", payload);
        let command = match reader.u8()? {
            byte::QUIT => Command::Quit,
            byte::INIT_DB => Command::InitDb(reader.rest()),
            byte::QUERY => Command::Query(reader.rest()),
            byte::FIELD_LIST => {
                let table = reader.nul_bytes_or_rest();
                let wildcard = reader.rest();
                let wildcard = wildcard.strip_suffix(&[0]).unwrap_or(wildcard);
                Command::FieldList { table, wildcard }
            }
            byte::STATISTICS => Command::Statistics,
            byte::PROCESS_INFO => Command::ProcessInfo,
            byte::PROCESS_KILL => Command::ProcessKill(reader.u32()?),
            byte::DEBUG => Command::Debug,
            byte::PING => Command::Ping,
            byte::CHANGE_USER => Command::ChangeUser(ChangeUser::parse(payload, capabilities)?),
            byte::RESET_CONNECTION => Command::ResetConnection,
            byte::SET_OPTION => Command::SetOption(reader.u16()?),
            byte::STMT_PREPARE => Command::StmtPrepare(reader.rest()),
            byte::STMT_EXECUTE => Command::StmtExecute(Execute::parse(payload)?),
            byte::STMT_SEND_LONG_DATA => {
                let statement = reader.u32()?;
                let parameter = reader.u16()?;
                Command::StmtSendLongData { statement, parameter, data: reader.rest() }
            }
            byte::STMT_CLOSE => Command::StmtClose(reader.u32()?),
            byte::STMT_RESET => Command::StmtReset(reader.u32()?),
            byte::STMT_FETCH => {
                let statement = reader.u32()?;
                Command::StmtFetch { statement, rows: reader.u32()? }
            }
            other => Command::Other(other),
        };
        Ok(command)
    }

    /// The command's name, for metrics and `SHOW CLIENTS`.
    pub const fn name(&self) -> &'static str {
        match self {
            Command::Quit => "Quit",
            Command::InitDb(_) => "Init DB",
            Command::Query(_) => "Query",
            Command::FieldList { .. } => "Field List",
            Command::Statistics => "Statistics",
            Command::ProcessInfo => "Processlist",
            Command::ProcessKill(_) => "Kill",
            Command::Debug => "Debug",
            Command::Ping => "Ping",
            Command::ChangeUser(_) => "Change user",
            Command::ResetConnection => "Reset connection",
            Command::SetOption(_) => "Set option",
            Command::StmtPrepare(_) => "Prepare",
            Command::StmtExecute(_) => "Execute",
            Command::StmtSendLongData { .. } => "Long Data",
            Command::StmtClose(_) => "Close stmt",
            Command::StmtReset(_) => "Reset stmt",
            Command::StmtFetch { .. } => "Fetch",
            Command::Other(_) => "Unknown",
        }
    }
}

/// Appends a command that is a byte and a text: QUERY, INIT_DB, STMT_PREPARE, and those without
/// text.
pub fn write_text(command: u8, text: &[u8], out: &mut Vec<u8>) {
    out.push(command);
    out.extend_from_slice(text);
}

/// Appends a command that is a byte and a number: STMT_CLOSE, STMT_RESET, PROCESS_KILL.
pub fn write_number(command: u8, number: u32, out: &mut Vec<u8>) {
    out.push(command);
    out.extend_from_slice(&number.to_le_bytes());
}

/// Appends COM_SET_OPTION: 0 switches multi-statements on, 1 off.
pub fn write_set_option(option: u16, out: &mut Vec<u8>) {
    out.push(byte::SET_OPTION);
    out.extend_from_slice(&option.to_le_bytes());
}

/// Appends COM_STMT_FETCH.
pub fn write_fetch(statement: u32, rows: u32, out: &mut Vec<u8>) {
    write_number(byte::STMT_FETCH, statement, out);
    out.extend_from_slice(&rows.to_le_bytes());
}

/// Appends COM_STMT_SEND_LONG_DATA.
pub fn write_long_data(statement: u32, parameter: u16, data: &[u8], out: &mut Vec<u8>) {
    write_number(byte::STMT_SEND_LONG_DATA, statement, out);
    out.extend_from_slice(&parameter.to_le_bytes());
    out.extend_from_slice(data);
}

/// Appends COM_FIELD_LIST.
pub fn write_field_list(table: &[u8], wildcard: &[u8], out: &mut Vec<u8>) {
    out.push(byte::FIELD_LIST);
    crate::protocol::reader::put_nul_bytes(out, table);
    out.extend_from_slice(wildcard);
}
