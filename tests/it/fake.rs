//! A scriptable MySQL server in this process, on Weir's own protocol module: well-behaved where a
//! test wants a backend without a database, hostile where it wants a wrong one.
//!
//! ```ignore
//! let fake = Fake::start(|query: &Call| match query.text() {
//!     "SELECT 1" => Answer::rows(&["1"], &[&[Some("1")]]),
//!     _ => Answer::ok(),
//! }).await;
//! connect(fake.address()).await;
//! assert_eq!(fake.texts(), ["SELECT 1"]);
//! ```
//! Everything stops when the [`Fake`] is dropped.

#![allow(dead_code, reason = "a kit: each group of tests uses its own part of it")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use weir::error::Result;
use weir::protocol::auth::{self, Plugin};
use weir::protocol::auth_switch::{AuthSwitch, FAST_AUTHENTICATION_OK, write_more_data};
use weir::protocol::capability::Capabilities;
use weir::protocol::column::Column;
use weir::protocol::command::Command;
use weir::protocol::eof::EofPacket;
use weir::protocol::err::ErrPacket;
use weir::protocol::field::{FieldFlags, FieldType};
use weir::protocol::greeting::Greeting;
use weir::protocol::login::Login;
use weir::protocol::ok::{OkHeader, OkPacket};
use weir::protocol::response::{PrepareOk, write_column_count, write_local_infile};
use weir::protocol::row::{write_binary_row, write_text_row};
use weir::protocol::status::StatusFlags;
use weir::wire::stream::{Peer, Stream};

const SALT: [u8; 20] = *b"weir-fake-salt-bytes";

/// One command that reached the fake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which connection, counted from 0.
    pub connection: usize,
    /// As [`Command::name`].
    pub command: &'static str,
    /// The statement's text, or the database of an Init DB; for Execute the prepared text.
    pub bytes: Vec<u8>,
}

impl Call {
    /// The text; what isn't UTF-8 is shown as `?`.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap_or("?")
    }
}

/// One result column.
#[derive(Clone, Debug)]
pub struct FakeColumn {
    pub name: String,
    pub field_type: FieldType,
    pub flags: FieldFlags,
    pub collation: u16,
    pub length: u32,
    pub decimals: u8,
    pub schema: String,
    pub table: String,
}

impl FakeColumn {
    pub fn new(name: &str, field_type: FieldType) -> Self {
        FakeColumn {
            name: name.to_owned(),
            field_type,
            flags: FieldFlags::default(),
            collation: if field_type.is_string() { 45 } else { 63 },
            length: 255,
            decimals: 0,
            schema: "db".into(),
            table: "t".into(),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        Column {
            schema: self.schema.as_bytes(),
            table: self.table.as_bytes(),
            org_table: self.table.as_bytes(),
            name: self.name.as_bytes(),
            org_name: self.name.as_bytes(),
            collation: self.collation,
            length: self.length,
            field_type: self.field_type,
            flags: self.flags,
            decimals: self.decimals,
            default: None,
        }
        .write(out);
    }
}

/// A row's raw values: text for text results; for binary ones in the form of their type.
pub type Row = Vec<Option<Vec<u8>>>;

/// What the fake does with a command.
#[derive(Clone, Debug)]
pub enum Answer {
    Ok {
        affected: u64,
        insert_id: u64,
        status: StatusFlags,
        warnings: u16,
        info: String,
        state: Vec<u8>,
    },
    /// `sqlstate: None` leaves it out, as an old or hostile server does.
    Err {
        errno: u16,
        sqlstate: Option<[u8; 5]>,
        message: String,
    },
    Rows {
        columns: Vec<FakeColumn>,
        rows: Vec<Row>,
        status: StatusFlags,
        warnings: u16,
    },
    /// Several results of one command.
    Many(Vec<Answer>),
    /// After a pause.
    Late(Duration, Box<Answer>),
    /// COM_STMT_PREPARE: so many parameters, these columns.
    Prepared {
        parameters: u16,
        columns: Vec<FakeColumn>,
    },
    /// Asks for a file (out of turn, as hostile servers do), then sends OK after what comes.
    LocalInfile(String),
    /// Rows without end, until the peer goes.
    Endless {
        columns: Vec<FakeColumn>,
        row: Row,
    },
    /// Announces more columns than it defines: then the connection hangs.
    MissingColumns {
        announced: usize,
        columns: Vec<FakeColumn>,
    },
    /// These payloads, framed, whatever they are.
    Payloads(Vec<Vec<u8>>),
    /// These bytes, not even framed.
    Raw(Vec<u8>),
    /// Rows, then the connection ends in the middle of the result.
    Torn {
        columns: Vec<FakeColumn>,
        rows: Vec<Row>,
    },
    /// Never answers.
    Hang,
    /// Closes without an answer.
    Close,
}

impl Answer {
    pub fn ok() -> Self {
        Answer::affected(0)
    }

    pub fn affected(affected: u64) -> Self {
        Answer::Ok {
            affected,
            insert_id: 0,
            status: StatusFlags::AUTOCOMMIT,
            warnings: 0,
            info: String::new(),
            state: Vec::new(),
        }
    }

    pub fn err(errno: u16, sqlstate: &[u8; 5], message: &str) -> Self {
        Answer::Err { errno, sqlstate: Some(*sqlstate), message: message.to_owned() }
    }

    /// A text result of VARCHAR columns.
    pub fn rows(names: &[&str], rows: &[&[Option<&str>]]) -> Self {
        let columns =
            names.iter().map(|name| FakeColumn::new(name, FieldType::VAR_STRING)).collect();
        let rows = rows
            .iter()
            .map(|row| row.iter().map(|value| value.map(|text| text.as_bytes().to_vec())).collect())
            .collect();
        Answer::Rows { columns, rows, status: StatusFlags::AUTOCOMMIT, warnings: 0 }
    }

    pub fn late(self, pause: Duration) -> Self {
        Answer::Late(pause, Box::new(self))
    }
}

/// How the fake greets and whom it lets in.
#[derive(Clone, Debug)]
pub struct Options {
    pub version: String,
    pub capabilities: Capabilities,
    pub plugin: Plugin,
    /// Switches to [`Options::plugin`] after greeting with the other one.
    pub switch: bool,
    /// `None` lets everyone in.
    pub password: Option<String>,
    pub status: StatusFlags,
    /// Answers a login with this instead.
    pub login_error: Option<(u16, String)>,
    /// Sends this instead of a greeting.
    pub instead_of_greeting: Option<Vec<u8>>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            version: "10.11.19-MariaDB-fake".into(),
            capabilities: Capabilities::OFFERED.with(Capabilities::SESSION_TRACK),
            plugin: Plugin::NativePassword,
            switch: false,
            password: None,
            status: StatusFlags::AUTOCOMMIT,
            login_error: None,
            instead_of_greeting: None,
        }
    }
}

type Script = dyn Fn(&Call) -> Answer + Send + Sync;

struct Shared {
    options: Options,
    script: Box<Script>,
    calls: Mutex<Vec<Call>>,
    accepted: AtomicUsize,
    open: AtomicUsize,
    statements: AtomicU32,
}

/// A running fake.
pub struct Fake {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: tokio::task::JoinHandle<()>,
}

impl Fake {
    /// A well-behaved server on a free port that answers by `script`.
    pub async fn start(script: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Self {
        Fake::with(Options::default(), script).await
    }

    pub async fn with(
        options: Options,
        script: impl Fn(&Call) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            options,
            script: Box::new(script),
            calls: Mutex::new(Vec::new()),
            accepted: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            statements: AtomicU32::new(0),
        });
        let accepting = shared.clone();
        let listener = tokio::spawn(async move {
            // Dropping the set with this task ends every connection.
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                connections.spawn(serve(accepting.clone(), socket));
                while connections.try_join_next().is_some() {}
            }
        });
        Fake { address, shared, listener }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Every command so far, in order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().expect("no panic under the lock").clone()
    }

    /// The texts of the commands so far, Ping and Quit and their kind left out.
    pub fn texts(&self) -> Vec<String> {
        let calls = self.calls();
        calls
            .iter()
            .filter(|call| !call.bytes.is_empty())
            .map(|call| call.text().to_owned())
            .collect()
    }

    /// Forgets the commands so far.
    pub fn clear(&self) {
        self.shared.calls.lock().expect("no panic under the lock").clear();
    }

    /// Connections accepted since the start.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Connections open now.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn serve(shared: Arc<Shared>, socket: TcpStream) {
    let connection = shared.accepted.fetch_add(1, Ordering::SeqCst);
    shared.open.fetch_add(1, Ordering::SeqCst);
    let mut session = Session {
        stream: Stream::tcp(socket, Peer::Client, 1 << 30),
        capabilities: Capabilities::default(),
        connection,
        prepared: Vec::new(),
        shared: shared.clone(),
    };
    // A peer that breaks off is what many tests do.
    let _ = session.run().await;
    shared.open.fetch_sub(1, Ordering::SeqCst);
}

struct Session {
    stream: Stream,
    capabilities: Capabilities,
    connection: usize,
    prepared: Vec<(u32, Vec<u8>)>,
    shared: Arc<Shared>,
}

impl Session {
    async fn run(&mut self) -> Result<()> {
        if !self.login().await? {
            return self.stream.shutdown().await;
        }
        let mut payload = Vec::new();
        while self.stream.read_command_into(&mut payload).await? {
            let (call, binary) = match Command::parse(&payload, self.capabilities)? {
                Command::Quit => return Ok(()),
                Command::StmtSendLongData { .. } => continue,
                Command::StmtClose(statement) => {
                    self.prepared.retain(|(id, _)| *id != statement);
                    continue;
                }
                command => self.call(&command),
            };
            self.shared.calls.lock().expect("no panic under the lock").push(call.clone());
            let answer = (self.shared.script)(&call);
            if !self.answer(&call, answer, binary).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn call(&self, command: &Command<'_>) -> (Call, bool) {
        let bytes = match command {
            Command::Query(text) | Command::InitDb(text) | Command::StmtPrepare(text) => {
                text.to_vec()
            }
            Command::StmtExecute(execute) => self.prepared_text(execute.statement),
            Command::StmtReset(statement) => self.prepared_text(*statement),
            Command::FieldList { table, .. } => table.to_vec(),
            Command::ChangeUser(user) => user.user.to_vec(),
            _ => Vec::new(),
        };
        let binary = matches!(command, Command::StmtExecute(_) | Command::StmtFetch { .. });
        (Call { connection: self.connection, command: command.name(), bytes }, binary)
    }

    fn prepared_text(&self, statement: u32) -> Vec<u8> {
        let found = self.prepared.iter().find(|(id, _)| *id == statement);
        found.map(|(_, text)| text.clone()).unwrap_or_default()
    }

    /// Greets and lets in; false where it refused.
    async fn login(&mut self) -> Result<bool> {
        let options = self.shared.options.clone();
        if let Some(payload) = &options.instead_of_greeting {
            self.stream.send_packet(payload).await?;
            return Ok(false);
        }
        let greeted = match (options.switch, options.plugin) {
            (false, plugin) => plugin,
            (true, Plugin::NativePassword) => Plugin::CachingSha2Password,
            (true, _) => Plugin::NativePassword,
        };
        self.stream.write_with(|out| {
            Greeting {
                server_version: options.version.as_bytes(),
                connection_id: self.connection as u32 + 1_000,
                salt: SALT,
                capabilities: options.capabilities,
                extended_capabilities: 0,
                collation: 45,
                status: options.status,
                plugin: greeted.name().as_bytes(),
            }
            .write(out);
        });
        self.stream.flush().await?;
        let Some(payload) = self.stream.read_packet().await? else { return Ok(false) };
        let login = Login::parse(payload)?;
        self.capabilities = login.capabilities & options.capabilities;
        let mut response = login.auth_response.to_vec();
        if options.switch || login.plugin != options.plugin.name().as_bytes() {
            let plugin = options.plugin.name().as_bytes();
            self.stream.write_with(|out| AuthSwitch { plugin, data: &SALT }.write(out));
            self.stream.flush().await?;
            let Some(payload) = self.stream.read_packet().await? else { return Ok(false) };
            response = payload.to_vec();
        }
        if let Some((errno, message)) = options.login_error {
            self.write_err(errno, Some(*b"28000"), &message);
            self.stream.flush().await?;
            return Ok(false);
        }
        if !accepts(&options, &response) {
            self.write_err(1045, Some(*b"28000"), "Access denied for user (fake)");
            self.stream.flush().await?;
            return Ok(false);
        }
        if options.plugin == Plugin::CachingSha2Password && !response.is_empty() {
            self.stream.write_with(|out| write_more_data(&[FAST_AUTHENTICATION_OK], out));
        }
        self.write_ok(&OkPacket { status: options.status, ..OkPacket::default() });
        self.stream.flush().await?;
        if self.capabilities.contains(Capabilities::COMPRESS) {
            self.stream.enable_compression();
        }
        Ok(true)
    }

    fn write_err(&mut self, errno: u16, sqlstate: Option<[u8; 5]>, message: &str) {
        let message = message.as_bytes();
        // Without SQLSTATE is the form of before 4.1.
        let capabilities = match sqlstate {
            Some(_) => Capabilities::PROTOCOL_41,
            None => Capabilities::default(),
        };
        self.stream
            .write_with(|out| ErrPacket { errno, sqlstate, message }.write(capabilities, out));
    }

    fn write_ok(&mut self, ok: &OkPacket<'_>) {
        let capabilities = self.capabilities;
        self.stream.write_with(|out| ok.write(OkHeader::Plain, capabilities, out));
    }

    /// Answers; false where the connection ends.
    async fn answer(&mut self, call: &Call, answer: Answer, binary: bool) -> Result<bool> {
        let (mut answer, mut more) = (answer, Vec::new());
        loop {
            match answer {
                Answer::Late(pause, inner) => {
                    self.stream.flush().await?;
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = self.stream.closed() => return Ok(false),
                    }
                    answer = *inner;
                    continue;
                }
                Answer::Many(mut answers) => {
                    answers.reverse();
                    more = answers;
                }
                answer => {
                    let flag = if more.is_empty() {
                        StatusFlags::default()
                    } else {
                        StatusFlags::MORE_RESULTS
                    };
                    if !self.answer_one(call, answer, binary, flag).await? {
                        return Ok(false);
                    }
                }
            }
            match more.pop() {
                Some(next) => answer = next,
                None => break,
            }
        }
        self.stream.flush().await?;
        Ok(true)
    }

    async fn answer_one(
        &mut self,
        call: &Call,
        answer: Answer,
        binary: bool,
        flag: StatusFlags,
    ) -> Result<bool> {
        match answer {
            Answer::Ok { affected, insert_id, status, warnings, info, state } => {
                if call.command == "Prepare" {
                    self.prepared_ok(call, 0, &[]);
                    return Ok(true);
                }
                self.write_ok(&OkPacket {
                    affected_rows: affected,
                    last_insert_id: insert_id,
                    status: status.with(flag),
                    warnings,
                    info: info.as_bytes(),
                    session_state: &state,
                });
            }
            Answer::Err { errno, sqlstate, message } => self.write_err(errno, sqlstate, &message),
            Answer::Prepared { parameters, columns } => {
                self.prepared_ok(call, parameters, &columns)
            }
            Answer::Rows { columns, rows, status, warnings } => {
                self.write_columns(columns.len(), &columns);
                for row in &rows {
                    self.write_row(&columns, row, binary);
                    self.stream.flush_over(1 << 16).await?;
                }
                self.write_end(status.with(flag), warnings);
            }
            Answer::Torn { columns, rows } => {
                self.write_columns(columns.len(), &columns);
                rows.iter().for_each(|row| self.write_row(&columns, row, binary));
                self.stream.shutdown().await?;
                return Ok(false);
            }
            Answer::Endless { columns, row } => {
                self.write_columns(columns.len(), &columns);
                loop {
                    self.write_row(&columns, &row, binary);
                    self.stream.flush_over(1 << 16).await?;
                }
            }
            Answer::MissingColumns { announced, columns } => {
                self.write_columns(announced, &columns);
                self.stream.flush().await?;
                self.stream.closed().await;
                return Ok(false);
            }
            Answer::LocalInfile(name) => {
                self.stream.write_with(|out| write_local_infile(name.as_bytes(), out));
                self.stream.flush().await?;
                while self.stream.read_packet().await?.is_some_and(|data| !data.is_empty()) {}
                self.write_ok(&OkPacket::default());
            }
            Answer::Payloads(payloads) => {
                payloads.iter().for_each(|payload| self.stream.write_packet(payload));
            }
            Answer::Raw(bytes) => self.stream.write_raw(&bytes),
            Answer::Hang => {
                self.stream.flush().await?;
                self.stream.closed().await;
                return Ok(false);
            }
            Answer::Close => {
                self.stream.shutdown().await?;
                return Ok(false);
            }
            Answer::Many(_) | Answer::Late(..) => unreachable!("nested: put pauses around results"),
        }
        Ok(true)
    }

    fn prepared_ok(&mut self, call: &Call, parameters: u16, columns: &[FakeColumn]) {
        let statement = self.shared.statements.fetch_add(1, Ordering::SeqCst) + 1;
        self.prepared.push((statement, call.bytes.clone()));
        let count = columns.len() as u16;
        self.stream.write_with(|out| {
            PrepareOk { statement, columns: count, parameters, warnings: 0 }.write(out);
        });
        let parameter = FakeColumn::new("?", FieldType::VAR_STRING);
        for _ in 0..parameters {
            self.stream.write_with(|out| parameter.write(out));
        }
        if parameters > 0 {
            self.write_eof(StatusFlags::AUTOCOMMIT);
        }
        for column in columns {
            self.stream.write_with(|out| column.write(out));
        }
        if count > 0 {
            self.write_eof(StatusFlags::AUTOCOMMIT);
        }
    }

    fn write_columns(&mut self, announced: usize, columns: &[FakeColumn]) {
        self.stream.write_with(|out| write_column_count(announced, out));
        for column in columns {
            self.stream.write_with(|out| column.write(out));
        }
        if announced == columns.len() {
            self.write_eof(StatusFlags::AUTOCOMMIT);
        }
    }

    /// The EOF after definitions, where the client wants one.
    fn write_eof(&mut self, status: StatusFlags) {
        let capabilities = self.capabilities;
        if !capabilities.contains(Capabilities::DEPRECATE_EOF) {
            self.stream
                .write_with(|out| EofPacket { warnings: 0, status }.write(capabilities, out));
        }
    }

    fn write_row(&mut self, columns: &[FakeColumn], row: &Row, binary: bool) {
        self.stream.write_with(|out| {
            if binary {
                let types = columns.iter().map(|column| column.field_type);
                let values: Vec<_> = types.zip(row.iter().map(Option::as_deref)).collect();
                write_binary_row(&values, out);
            } else {
                write_text_row(row.iter().map(Option::as_deref), out);
            }
        });
    }

    fn write_end(&mut self, status: StatusFlags, warnings: u16) {
        let capabilities = self.capabilities;
        self.stream.write_with(|out| {
            if capabilities.contains(Capabilities::DEPRECATE_EOF) {
                let ok = OkPacket { status, warnings, ..OkPacket::default() };
                ok.write(OkHeader::EndOfRows, capabilities, out);
            } else {
                EofPacket { warnings, status }.write(capabilities, out);
            }
        });
    }
}

fn accepts(options: &Options, response: &[u8]) -> bool {
    let Some(password) = options.password.as_deref().map(str::as_bytes) else { return true };
    match options.plugin {
        _ if password.is_empty() => response.is_empty(),
        Plugin::NativePassword => {
            auth::verify_native(&auth::native_digest(password), &SALT, response)
        }
        Plugin::CachingSha2Password => {
            auth::verify_sha2(&auth::sha2_digest(password), &SALT, response)
        }
        Plugin::ClearPassword => response == auth::clear_password(password),
    }
}

mod tests {
    use super::*;
    use mysql_async::prelude::Queryable;
    use mysql_async::{Conn, OptsBuilder};

    fn options(fake: &Fake, password: &str) -> OptsBuilder {
        OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(fake.port())
            .user(Some("u"))
            .pass(Some(password))
            .prefer_socket(false)
            .max_allowed_packet(Some(1 << 24))
            .wait_timeout(Some(60))
    }

    /// A client that isn't ours understands the fake.
    #[tokio::test]
    async fn a_foreign_client_is_served() {
        let fake = Fake::start(|call| match (call.command, call.text()) {
            ("Query", "SELECT a") => {
                Answer::rows(&["a", "b"], &[&[Some("1"), None], &[Some("2"), Some("x")]])
            }
            ("Prepare", _) => Answer::Prepared {
                parameters: 1,
                columns: vec![FakeColumn::new("n", FieldType::LONGLONG)],
            },
            ("Execute", "SELECT ?") => Answer::Rows {
                columns: vec![FakeColumn::new("n", FieldType::LONGLONG)],
                rows: vec![vec![Some(7i64.to_le_bytes().to_vec())], vec![None]],
                status: StatusFlags::AUTOCOMMIT,
                warnings: 0,
            },
            ("Query", "FAIL") => Answer::err(1062, b"23000", "Duplicate entry"),
            _ => Answer::affected(3),
        })
        .await;
        let mut conn = Conn::new(options(&fake, "")).await.unwrap();
        let rows: Vec<(i32, Option<String>)> = conn.query("SELECT a").await.unwrap();
        assert_eq!(rows, [(1, None), (2, Some("x".into()))]);
        let rows: Vec<Option<i64>> = conn.exec("SELECT ?", (1,)).await.unwrap();
        assert_eq!(rows, [Some(7), None]);
        let error = conn.query_drop("FAIL").await.unwrap_err();
        assert!(error.to_string().contains("1062"), "{error}");
        conn.query_drop("UPDATE").await.unwrap();
        assert_eq!(conn.affected_rows(), 3);
        conn.ping().await.unwrap();
        assert_eq!(fake.texts(), ["SELECT a", "SELECT ?", "SELECT ?", "FAIL", "UPDATE"]);
        conn.disconnect().await.unwrap();
        assert_eq!(fake.accepted(), 1);
    }

    #[tokio::test]
    async fn both_plugins_and_the_switch() {
        for plugin in [Plugin::NativePassword, Plugin::CachingSha2Password] {
            for switch in [false, true] {
                let password = Some("secret".to_owned());
                let fake =
                    Fake::with(Options { plugin, switch, password, ..Options::default() }, |_| {
                        Answer::ok()
                    })
                    .await;
                let mut conn = Conn::new(options(&fake, "secret")).await.unwrap();
                conn.query_drop("DO 1").await.unwrap();
                assert!(Conn::new(options(&fake, "wrong")).await.is_err());
            }
        }
    }

    /// zlib as another implementation writes and reads it.
    #[tokio::test]
    async fn a_foreign_client_in_zlib() {
        let capabilities = Capabilities::OFFERED.with(Capabilities::COMPRESS);
        let long = "x".repeat(17 << 20);
        let answer = long.clone();
        let fake =
            Fake::with(Options { capabilities, ..Options::default() }, move |call| {
                match call.bytes.len() {
                    0..100 => Answer::rows(&["a"], &[&[Some("1")], &[Some(&answer)]]),
                    _ => Answer::affected(call.bytes.len() as u64),
                }
            })
            .await;
        let compressed = options(&fake, "").compression(Some(mysql_async::Compression::default()));
        let mut conn = Conn::new(compressed.max_allowed_packet(Some(1 << 30))).await.unwrap();
        let rows: Vec<String> = conn.query("SELECT a").await.unwrap();
        assert!(rows == ["1", &long]);
        for length in [20, 1_000, 100_000] {
            conn.query_drop("z".repeat(length + 100)).await.unwrap();
            assert_eq!(conn.affected_rows(), length as u64 + 100);
        }
    }
}
