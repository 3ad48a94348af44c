//! A server that says what a test wants: lets anybody in, answers SET and kin with OK and
//! `SELECT n` with one row, byte by byte, or misbehaves as told.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use weir::backend::group::Group;
use weir::backend::spec::{Address, Declared, GroupSpec, Limits, NodeSpec, Tls};
use weir::protocol::capability::Capabilities;
use weir::protocol::greeting::Greeting;
use weir::protocol::ok::{OkHeader, OkPacket};
use weir::protocol::status::StatusFlags;
use weir::wire::stream::{Peer, Stream};
use weir::wire::tls::TlsMode;

/// How the server answers a query that begins so.
pub type Script = fn(&str) -> Option<Vec<Vec<u8>>>;

const CAPABILITIES: Capabilities =
    Capabilities(Capabilities::WANTED.0 | Capabilities::MULTI_STATEMENTS.0);

/// Listens, and serves each connection in a task of its own.
pub async fn serve(script: Script) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut id = 0;
        while let Ok((socket, _)) = listener.accept().await {
            id += 1;
            tokio::spawn(talk(socket, id, script));
        }
    });
    port
}

/// A group whose only node is that server.
pub fn group(port: u16, limits: Limits) -> Arc<Group> {
    let node = NodeSpec {
        name: "fake".into(),
        address: Address::Tcp { host: Arc::from("127.0.0.1"), port },
        declared: Declared::Primary,
        zone: None,
        weight: 1,
        tls: Tls { mode: TlsMode::Off, ..Tls::default() },
        data: super::account("weir"),
        control: super::account("weir"),
        limits,
        local_infile: true,
    };
    super::group(GroupSpec::new("g0", vec![node]))
}

pub fn ok() -> Vec<u8> {
    let mut out = Vec::new();
    let packet = OkPacket { status: StatusFlags::AUTOCOMMIT, ..OkPacket::default() };
    packet.write(OkHeader::Plain, CAPABILITIES, &mut out);
    out
}

/// One column, one row.
pub fn row(value: &str) -> Vec<Vec<u8>> {
    let mut definition = Vec::new();
    for text in ["def", "", "", "", "n", ""] {
        definition.push(text.len() as u8);
        definition.extend_from_slice(text.as_bytes());
    }
    definition.extend_from_slice(&[0x0c, 63, 0, 20, 0, 0, 0, 8, 0, 0, 0, 0, 0]);
    let mut cell = vec![value.len() as u8];
    cell.extend_from_slice(value.as_bytes());
    let mut end = Vec::new();
    let packet = OkPacket { status: StatusFlags::AUTOCOMMIT, ..OkPacket::default() };
    packet.write(OkHeader::EndOfRows, CAPABILITIES, &mut end);
    vec![vec![1], definition, cell, end]
}

async fn talk(socket: TcpStream, id: u32, script: Script) -> Option<()> {
    let mut stream = Stream::tcp(socket, Peer::Client, 1 << 20);
    let greeting = Greeting {
        server_version: b"8.0.99-fake",
        connection_id: id,
        salt: *b"abcdefghijklmnopqrst",
        capabilities: CAPABILITIES,
        extended_capabilities: 0,
        collation: 45,
        status: StatusFlags::AUTOCOMMIT,
        plugin: b"mysql_native_password",
    };
    stream.write_with(|out| greeting.write(out));
    stream.flush().await.ok()?;
    stream.read_packet().await.ok()??;
    stream.write_packet(&ok());
    stream.flush().await.ok()?;
    loop {
        let command = stream.read_command().await.ok()??;
        let text = String::from_utf8_lossy(command.get(1..)?).into_owned();
        let answer = match (command[0], text.strip_prefix("SELECT ")) {
            (0x03, _) if script(&text).is_some() => script(&text)?,
            (0x03, Some(number)) => row(number),
            (0x01, _) => return None,
            _ => vec![ok()],
        };
        trickle(&mut stream, &answer).await?;
    }
}

/// Sends an answer byte by byte, so that its reader waits at each place there is.
async fn trickle(stream: &mut Stream, packets: &[Vec<u8>]) -> Option<()> {
    let mut framed = Vec::new();
    for (place, packet) in packets.iter().enumerate() {
        let length = u32::try_from(packet.len()).ok()?.to_le_bytes();
        framed.extend_from_slice(&length[..3]);
        framed.push(place as u8 + 1);
        framed.extend_from_slice(packet);
    }
    for byte in framed {
        stream.write_raw(&[byte]);
        stream.flush().await.ok()?;
        tokio::task::yield_now().await;
    }
    Some(())
}
