//! Opening a data connection: dial, greeting, TLS, authentication.
//!
//! Owns: the client's side of the login dialogue, and that no password leaves in clear except over
//! TLS or a socket of this machine. Never: pools, retries or waits for its turn.

use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::backend::connection::{Connection, Opened};
use crate::backend::fault;
use crate::backend::node::{Node, Ticket};
use crate::backend::role;
use crate::backend::spec::Address;
use crate::backend::version::Version;
use crate::error::{Error, Result};
use crate::protocol::auth::{self, Plugin};
use crate::protocol::auth_switch::{
    AuthReply, FAST_AUTHENTICATION_OK, FULL_AUTHENTICATION, PUBLIC_KEY_REQUEST,
};
use crate::protocol::capability::Capabilities;
use crate::protocol::err::ErrPacket;
use crate::protocol::greeting::Greeting;
use crate::protocol::login::{Login, TlsRequest, put_attribute};
use crate::protocol::rsa;
use crate::protocol::status::StatusFlags;
use crate::wire::stream::{Peer, Stream};
use crate::wire::tls::TlsMode;

/// The longest packet that is taken from a backend: MySQL's own limit, bytes.
const MAX_PACKET: usize = 1 << 30;
/// utf8mb4_general_ci, which all servers know. The session's own follows with its first SET.
const COLLATION: u16 = 45;
/// A peer that vanished is noticed after at most about ten seconds.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(5);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(2);
const KEEPALIVE_TRIES: u32 = 2;
const UNANSWERED: Duration = Duration::from_secs(10);
/// Plugin steps before a server is taken for one that never ends.
const MAX_STEPS: usize = 8;

/// Opens a connection with the node's data account, within the node's connect limit.
///
/// # Errors
/// Unreachable, refused or out of time; each names group, node and reason. The server's own errors
/// keep their numbers (1040, 1045 …).
pub async fn open(ticket: Ticket, found_rows: bool) -> Result<Connection> {
    let node = ticket.node().clone();
    let bound = node.spec.limits.connect;
    let login = async {
        let stream = dial(&node).await?;
        let opened = log_in(&node, stream, found_rows).await?;
        let mut conn = Connection::new(opened, ticket, found_rows);
        if role::are_on(&conn.version) && !node.login_role.is_known() {
            node.login_role.learn(conn.role().await?);
        }
        Ok(conn)
    };
    match timeout(bound, login).await {
        Ok(opened) => opened,
        Err(_) => {
            let why = format!("no login within {} ms", bound.as_millis());
            Err(fault::unreachable(&node, &why))
        }
    }
}

async fn dial(node: &Node) -> Result<Stream> {
    match &node.spec.address {
        Address::Tcp { host, port } => {
            let dialled = TcpStream::connect((&**host, *port)).await;
            let socket = dialled.map_err(|error| fault::unreachable(node, &error.to_string()))?;
            keep_alive(&socket);
            Ok(Stream::tcp(socket, Peer::Backend, MAX_PACKET))
        }
        Address::Unix(path) => {
            let dialled = UnixStream::connect(path).await;
            let socket = dialled.map_err(|error| fault::unreachable(node, &error.to_string()))?;
            Ok(Stream::unix(socket, Peer::Backend, MAX_PACKET))
        }
    }
}

/// Best effort: a system without these options still has its own, slower ones.
fn keep_alive(socket: &TcpStream) {
    let socket = SockRef::from(socket);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY)
        .with_retries(KEEPALIVE_TRIES);
    let _ = socket.set_tcp_keepalive(&keepalive);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(UNANSWERED));
}

/// The part of a greeting that outlives its packet.
struct Server {
    version: Version,
    id: u64,
    salt: Vec<u8>,
    capabilities: Capabilities,
    plugin: Vec<u8>,
}

/// Logs in over a stream that was just opened.
pub async fn log_in(node: &Arc<Node>, mut stream: Stream, found_rows: bool) -> Result<Opened> {
    let server = greet(node, &mut stream).await?;
    let mut capabilities = wanted(found_rows, node.spec.local_infile);
    capabilities = capabilities & server.capabilities;
    if !capabilities.contains(Capabilities::PROTOCOL_41 | Capabilities::PLUGIN_AUTH) {
        return Err(fault::unreachable(node, "the server is too old"));
    }
    secure(node, &mut stream, &server, &mut capabilities).await?;
    // A default that Weir doesn't know, or that shows the password, says nothing of the account:
    // the server switches if it must.
    let plugin = Plugin::by_name(&server.plugin)
        .filter(|plugin| *plugin != Plugin::ClearPassword)
        .unwrap_or(Plugin::NativePassword);
    let mut dialogue = Dialogue { node, plugin, salt: server.salt.clone(), keyed: false };
    let response = dialogue.response(&stream)?;
    let mut attributes = Vec::new();
    put_attribute(&mut attributes, b"program_name", b"weir");
    put_attribute(&mut attributes, b"_client_version", env!("CARGO_PKG_VERSION").as_bytes());
    let login = Login {
        capabilities,
        extended_capabilities: 0,
        max_packet: MAX_PACKET as u32,
        collation: COLLATION,
        user: node.spec.data.user.as_bytes(),
        auth_response: &response,
        database: b"",
        plugin: dialogue.plugin.name().as_bytes(),
        attributes: &attributes,
    };
    stream.write_with(|out| login.write(out));
    stream.flush().await.map_err(|error| unreachable(node, &error))?;
    let status = dialogue.run(&mut stream, capabilities).await?;
    Ok(Opened { stream, capabilities, version: server.version, id: server.id, status })
}

/// What is asked of a backend. With LOCAL_FILES a server may ask for a file: only the client's, and
/// only while its LOAD DATA LOCAL runs (`executor::pass`); Weir opens none.
fn wanted(found_rows: bool, local_infile: bool) -> Capabilities {
    let base = Capabilities::WANTED | Capabilities::MULTI_STATEMENTS;
    let base = if local_infile { base | Capabilities::LOCAL_FILES } else { base };
    if found_rows { base | Capabilities::FOUND_ROWS } else { base }
}

async fn greet(node: &Node, stream: &mut Stream) -> Result<Server> {
    let payload = stream.read_packet().await.map_err(|error| unreachable(node, &error))?;
    let Some(payload) = payload else {
        return Err(fault::unreachable(
            node,
            "the server closed the connection without a greeting",
        ));
    };
    if ErrPacket::is_err(payload) {
        let error = ErrPacket::parse(payload).map_err(|error| unreachable(node, &error))?;
        return Err(refused(node, error.to_error()));
    }
    let greeting = Greeting::parse(payload).map_err(|error| unreachable(node, &error))?;
    Ok(Server {
        version: Version::parse(&String::from_utf8_lossy(greeting.server_version)),
        id: u64::from(greeting.connection_id),
        salt: greeting.salt.to_vec(),
        capabilities: greeting.capabilities,
        plugin: greeting.plugin.to_vec(),
    })
}

/// Goes on in TLS where the mode wants it, before anything secret is sent.
async fn secure(
    node: &Node,
    stream: &mut Stream,
    server: &Server,
    capabilities: &mut Capabilities,
) -> Result<()> {
    let Some(tls) = node.tls.as_ref().filter(|_| !stream.is_unix()) else { return Ok(()) };
    if !server.capabilities.contains(Capabilities::SSL) {
        if tls.mode == TlsMode::Preferred {
            return Ok(());
        }
        return Err(fault::unreachable(node, "TLS is required and the server offers none"));
    }
    *capabilities = *capabilities | Capabilities::SSL;
    let request = TlsRequest {
        capabilities: *capabilities,
        max_packet: MAX_PACKET as u32,
        collation: COLLATION,
    };
    stream.write_with(|out| request.write(out));
    stream.flush().await.map_err(|error| unreachable(node, &error))?;
    let host = match &node.spec.address {
        Address::Tcp { host, .. } => &**host,
        Address::Unix(_) => "localhost",
    };
    stream.connect_tls(tls, host).await.map_err(|error| unreachable(node, &error))
}

/// The plugin's dialogue until OK or ERR.
struct Dialogue<'a> {
    node: &'a Node,
    plugin: Plugin,
    salt: Vec<u8>,
    /// The password was sent under a public key already.
    keyed: bool,
}

/// One step of the server's, owned.
enum Step {
    Done(StatusFlags),
    Refused(Error),
    Switch { plugin: Vec<u8>, data: Vec<u8> },
    More(Vec<u8>),
}

impl Dialogue<'_> {
    fn password(&self) -> &[u8] {
        self.node.spec.data.password.as_bytes()
    }

    /// The plugin's first bytes.
    fn response(&self, stream: &Stream) -> Result<Vec<u8>> {
        if self.plugin == Plugin::ClearPassword && !stream.is_secure() {
            let why = "the server asks for the password in clear, which needs TLS or a unix socket";
            return Err(fault::unreachable(self.node, why));
        }
        Ok(auth::respond(self.plugin, &self.salt, self.password()))
    }

    async fn run(
        &mut self,
        stream: &mut Stream,
        capabilities: Capabilities,
    ) -> Result<StatusFlags> {
        for _ in 0..MAX_STEPS {
            match self.step(stream, capabilities).await? {
                Step::Done(status) => return Ok(status),
                Step::Refused(error) => return Err(refused(self.node, error)),
                Step::Switch { plugin, data } => {
                    self.plugin = Plugin::by_name(&plugin).ok_or_else(|| {
                        let plugin = String::from_utf8_lossy(&plugin);
                        let why = format!("its plugin '{plugin}' is not one that Weir knows");
                        fault::unreachable(self.node, &why)
                    })?;
                    self.salt = data;
                    let response = self.response(stream)?;
                    self.send(stream, &response).await?;
                }
                Step::More(data) => self.more(stream, &data).await?,
            }
        }
        Err(fault::unreachable(self.node, "the server never ends the login"))
    }

    async fn step(&self, stream: &mut Stream, capabilities: Capabilities) -> Result<Step> {
        let payload = stream.read_packet().await.map_err(|error| unreachable(self.node, &error))?;
        let Some(payload) = payload else {
            return Err(fault::unreachable(
                self.node,
                "the server closed the connection during login",
            ));
        };
        let reply = AuthReply::parse(payload, capabilities)
            .map_err(|error| unreachable(self.node, &error))?;
        Ok(match reply {
            AuthReply::Ok(ok) => Step::Done(ok.status),
            AuthReply::Err(error) => Step::Refused(error.to_error()),
            AuthReply::Switch(switch) => {
                Step::Switch { plugin: switch.plugin.to_vec(), data: switch.data.to_vec() }
            }
            AuthReply::More(data) => Step::More(data.to_vec()),
        })
    }

    /// caching_sha2_password's further steps: fast, or full over TLS, socket or RSA.
    async fn more(&mut self, stream: &mut Stream, data: &[u8]) -> Result<()> {
        if self.plugin != Plugin::CachingSha2Password {
            return Err(fault::unreachable(
                self.node,
                "the server sent more data than its plugin has",
            ));
        }
        match data {
            [FAST_AUTHENTICATION_OK] => Ok(()),
            [FULL_AUTHENTICATION] if stream.is_secure() => {
                let clear = auth::clear_password(self.password());
                self.send(stream, &clear).await
            }
            [FULL_AUTHENTICATION] => self.send(stream, &[PUBLIC_KEY_REQUEST]).await,
            // Without TLS nobody vouches for the key; the modes that verify never come here.
            pem if !self.keyed => {
                self.keyed = true;
                let secret = rsa::encrypt_password(pem, &self.salt, self.password())
                    .map_err(|error| unreachable(self.node, &error))?;
                self.send(stream, &secret).await
            }
            _ => Err(fault::unreachable(self.node, "the server sent its public key twice")),
        }
    }

    async fn send(&self, stream: &mut Stream, payload: &[u8]) -> Result<()> {
        stream.write_packet(payload);
        stream.flush().await.map_err(|error| unreachable(self.node, &error))
    }
}

/// The server's refusal. That it is full keeps its number, for that passes; anything else is no
/// business of the client, whose own login was fine.
fn refused(node: &Node, error: Error) -> Error {
    match error.errno {
        1040 | 1203 | 1226 => fault::of_server(node, error),
        _ => fault::unreachable(node, &format!("the server refused the login: {}", error.message)),
    }
}

fn unreachable(node: &Node, error: &Error) -> Error {
    fault::unreachable(node, &error.message)
}
