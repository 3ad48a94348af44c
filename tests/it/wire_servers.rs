//! The stream and the logins' arithmetic as a client of real servers: every plugin and transport,
//! zlib both ways, packets beyond 16 MiB.

use tokio::net::{TcpStream, UnixStream};
use weir::error::Result;
use weir::protocol::auth::{self, Plugin};
use weir::protocol::auth_switch::{
    AuthReply, FAST_AUTHENTICATION_OK, FULL_AUTHENTICATION, PUBLIC_KEY_REQUEST,
};
use weir::protocol::capability::Capabilities;
use weir::protocol::command::{byte, write_text};
use weir::protocol::greeting::Greeting;
use weir::protocol::login::{Login, TlsRequest};
use weir::protocol::response::Response;
use weir::protocol::row::TextRow;
use weir::protocol::rsa;
use weir::wire::stream::{Peer, Stream};
use weir::wire::tls::{ClientTls, TlsMode};

use crate::support::servers::{Kind, Options, Server};
use crate::support::{shared_kinds, started, tls};

/// What a login did on its way.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) fast: bool,
    pub(crate) by_rsa: bool,
    pub(crate) in_clear: bool,
    pub(crate) switched: bool,
}

/// Who logs in, and how it begins.
#[derive(Clone, Copy)]
pub(crate) struct Who<'a> {
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    /// The plugin that the client begins with; else the greeting's.
    pub(crate) plugin: Option<Plugin>,
    pub(crate) attributes: &'a [u8],
}

impl<'a> Who<'a> {
    pub(crate) fn new(user: &'a str, password: &'a str) -> Self {
        Who { user, password, plugin: None, attributes: b"\x03_os\x05Linux" }
    }
}

async fn tcp(server: &Server) -> Stream {
    let socket = TcpStream::connect(server.address()).await.unwrap();
    Stream::tcp(socket, Peer::Backend, 1 << 30)
}

pub(crate) async fn log_in(
    stream: &mut Stream,
    user: &str,
    password: &str,
    extra: Capabilities,
    tls: Option<&ClientTls>,
) -> Result<Path> {
    log_in_as(stream, Who::new(user, password), extra, tls).await
}

pub(crate) async fn log_in_as(
    stream: &mut Stream,
    who: Who<'_>,
    extra: Capabilities,
    tls: Option<&ClientTls>,
) -> Result<Path> {
    let payload = stream.read_packet().await?.unwrap().to_vec();
    let greeting = Greeting::parse(&payload)?;
    // What is asked for besides is claimed whether it was offered or not.
    let offered = greeting.capabilities.with(Capabilities::LONG_PASSWORD);
    let wanted = (Capabilities::WANTED & offered).with(extra);
    if let Some(tls) = tls {
        let request = TlsRequest { capabilities: wanted, max_packet: 1 << 30, collation: 45 };
        stream.write_with(|out| request.write(out));
        stream.flush().await?;
        stream.connect_tls(tls, "localhost").await?;
    }
    let salt = greeting.salt.to_vec();
    let plugin = who.plugin.unwrap_or_else(|| Plugin::by_name(greeting.plugin).unwrap());
    let response = auth::respond(plugin, &salt, who.password.as_bytes());
    let login = Login {
        capabilities: if tls.is_some() { wanted.with(Capabilities::SSL) } else { wanted },
        extended_capabilities: 0,
        max_packet: 1 << 30,
        collation: 45,
        user: who.user.as_bytes(),
        auth_response: &response,
        database: b"",
        plugin: plugin.name().as_bytes(),
        attributes: who.attributes,
    };
    stream.write_with(|out| login.write(out));
    stream.flush().await?;
    let path = prove(stream, who.password, &salt, wanted).await?;
    if wanted.contains(Capabilities::COMPRESS) {
        stream.enable_compression();
    }
    Ok(path)
}

/// Answers what the server asks until it says OK, in a login or behind COM_CHANGE_USER.
pub(crate) async fn prove(
    stream: &mut Stream,
    password: &str,
    salt: &[u8],
    capabilities: Capabilities,
) -> Result<Path> {
    let mut path = Path::default();
    let mut salt = salt.to_vec();
    loop {
        let payload = stream.read_packet().await?.unwrap().to_vec();
        match AuthReply::parse(&payload, capabilities)? {
            AuthReply::Ok(_) => return Ok(path),
            AuthReply::Err(err) => return Err(err.to_error()),
            AuthReply::Switch(switch) => {
                path.switched = true;
                salt = switch.data.to_vec();
                let plugin = Plugin::by_name(switch.plugin).unwrap();
                stream.write_packet(&auth::respond(plugin, &salt, password.as_bytes()));
            }
            AuthReply::More([FAST_AUTHENTICATION_OK]) => path.fast = true,
            AuthReply::More([FULL_AUTHENTICATION]) if stream.is_secure() => {
                path.in_clear = true;
                stream.write_packet(&auth::clear_password(password.as_bytes()));
            }
            AuthReply::More([FULL_AUTHENTICATION]) => stream.write_packet(&[PUBLIC_KEY_REQUEST]),
            AuthReply::More(pem) => {
                path.by_rsa = true;
                let encrypted = rsa::encrypt_password(pem, &salt, password.as_bytes())?;
                stream.write_packet(&encrypted);
            }
        }
        stream.flush().await?;
    }
}

/// The first value of the first row.
pub(crate) async fn value(stream: &mut Stream, sql: &[u8]) -> Vec<u8> {
    stream.reset_sequence();
    stream.write_with(|out| write_text(byte::QUERY, sql, out));
    stream.flush().await.unwrap();
    let payload = stream.read_packet().await.unwrap().unwrap();
    let response = Response::parse(payload, Capabilities::WANTED).unwrap();
    let Response::ResultSet { columns } = response else { panic!("{response:?}") };
    for _ in 0..columns {
        stream.read_packet().await.unwrap().unwrap();
    }
    let row = stream.read_packet().await.unwrap().unwrap().to_vec();
    let end = stream.read_packet().await.unwrap().unwrap();
    assert_eq!(end[0], 0xfe);
    TextRow::new(&row).value().unwrap().unwrap().to_vec()
}

const NONE: Capabilities = Capabilities(0);

#[tokio::test(flavor = "multi_thread")]
async fn every_path_of_a_login() {
    for server in shared_kinds() {
        let user = format!("wire_{}", std::process::id());
        let password = "pass phrase with ümlaut, longer than one digest of SHA-256";
        server.execute(&format!("CREATE USER {user} IDENTIFIED BY '{password}'"));
        let tls =
            ClientTls::new(TlsMode::VerifyIdentity, Some(&tls::certificates().authority), None)
                .unwrap();
        // A wrong password first, so that no cache helps.
        let refused = log_in(&mut tcp(server).await, &user, "wrong", NONE, None).await;
        assert_eq!(refused.unwrap_err().errno, 1045);
        let first = log_in(&mut tcp(server).await, &user, password, NONE, None).await.unwrap();
        assert_eq!(first.by_rsa, server.kind == Kind::MySql);
        let second = log_in(&mut tcp(server).await, &user, password, NONE, None).await.unwrap();
        assert_eq!(second, Path { fast: server.kind == Kind::MySql, ..Path::default() });
        // After a change the cache is cold again: in TLS the password goes as it is.
        server.execute(&format!("ALTER USER {user} IDENTIFIED BY 'second'"));
        let mut stream = tcp(server).await;
        let path = log_in(&mut stream, &user, "second", NONE, Some(&tls)).await.unwrap();
        assert_eq!(path.in_clear, server.kind == Kind::MySql);
        assert!(stream.is_tls());
        let cipher = value(&mut stream, b"SHOW SESSION STATUS LIKE 'Ssl_cipher'").await;
        assert_eq!(cipher, b"Ssl_cipher");
        server.execute(&format!("ALTER USER {user} IDENTIFIED BY ''"));
        log_in(&mut tcp(server).await, &user, "", NONE, None).await.unwrap();
        server.execute(&format!("DROP USER {user}"));
        if server.socket.exists() {
            let socket = UnixStream::connect(&server.socket).await.unwrap();
            let mut stream = Stream::unix(socket, Peer::Backend, 1 << 30);
            log_in(&mut stream, "weir", "weir", NONE, None).await.unwrap();
            assert_eq!(value(&mut stream, b"SELECT 1").await, b"1");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn zlib_with_real_servers() {
    for server in shared_kinds() {
        let mut stream = tcp(server).await;
        log_in(&mut stream, "weir", "weir", Capabilities::COMPRESS, None).await.unwrap();
        for length in [1, 100, 100_000, 1_000_000] {
            let sql = format!("SELECT REPEAT('x', {length})");
            assert_eq!(value(&mut stream, sql.as_bytes()).await.len(), length);
            let sql = [b"SELECT LENGTH('".to_vec(), vec![b'y'; length], b"')".to_vec()].concat();
            assert_eq!(value(&mut stream, &sql).await, length.to_string().as_bytes());
        }
        let (read, written) = stream.byte_counts();
        assert!(read < 100_000 && written < 100_000, "{read} {written}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_beyond_sixteen_mebibytes_with_real_servers() {
    for kind in Kind::ALL {
        let Some(server) = started(kind, Options::with(&["--max-allowed-packet=64M"])) else {
            continue;
        };
        let mut stream = tcp(&server).await;
        log_in(&mut stream, "weir", "weir", NONE, None).await.unwrap();
        // The statement's frame is 18 bytes: these put the packet below, on and above the border.
        for length in [(1 << 24) - 1 - 18, (1 << 24) - 18, (1 << 24) + 5, 2 * ((1 << 24) - 1) - 18]
        {
            let sql = [b"SELECT LENGTH('".to_vec(), vec![b'y'; length], b"')".to_vec()].concat();
            assert_eq!(value(&mut stream, &sql).await, length.to_string().as_bytes());
        }
        for length in [(1 << 24) - 6, (1 << 24) - 5, (1 << 24) - 4, 1 << 24] {
            let sql = format!("SELECT REPEAT('x', {length})");
            assert_eq!(value(&mut stream, sql.as_bytes()).await.len(), length);
        }
    }
}
