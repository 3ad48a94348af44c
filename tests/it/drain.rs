//! Starting, accepting and stopping, with a stand-in for the session that speaks one letter:
//! `b` begins a transaction, `c` ends it, `p` panics, `e` echoes `e`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use weir::config::Config;
use weir::config::units::Span;
use weir::context::{Client, Context, Phase, Snapshot, WorkerContext};
use weir::observe::sessions::{Stop, Watch};
use weir::rules::Rules;
use weir::server::Server;
use weir::wire::stream::Stream;

fn empty() -> Arc<Snapshot> {
    Snapshot::new(Arc::new(Rules::empty()), Arc::default())
}

async fn session(ctx: Arc<WorkerContext>, mut stream: Stream, mut client: Client) {
    client.handshake = None;
    let mut watch = Watch::Idle;
    let text = format!("{} {}", ctx.index, client.registration.peer());
    stream.write_packet(text.as_bytes());
    if stream.flush().await.is_err() {
        return;
    }
    loop {
        let letter = tokio::select! {
            read = stream.read_command() => match read {
                Ok(Some(packet)) => packet.first().copied(),
                _ => return,
            },
            stop = client.registration.stopped(watch) => {
                let name: &[u8] = match stop {
                    Stop::Drain => b"drained",
                    Stop::Shutdown => b"shut down",
                    Stop::Kill | Stop::Query | Stop::Unanswered => b"killed",
                };
                stream.reset_sequence();
                stream.write_packet(name);
                let _ = stream.flush().await;
                return;
            }
        };
        match letter {
            Some(b'b') => watch = Watch::InTransaction,
            Some(b'c') => watch = Watch::Idle,
            Some(b'p') => panic!("asked to"),
            _ => {}
        }
        client.registration.begin("Query", b"a letter");
        stream.write_packet(&[letter.unwrap_or(b'?')]);
        client.registration.end();
        if stream.flush().await.is_err() {
            return;
        }
    }
}

fn config() -> Config {
    let mut config = Config::default();
    config.listen.tcp = vec!["127.0.0.1:0".parse().unwrap()];
    config.timeouts.not_ready = Span::millis(50);
    config
}

async fn start(config: Config, workers: usize) -> Server {
    let context = Context::new(config, empty(), workers, 5);
    let (mut server, listeners) = Server::bind(context, workers, session).await.unwrap();
    assert_eq!(server.context.phase(), Phase::Starting);
    server.accept(listeners);
    server
}

async fn packet(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<Vec<u8>> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).await.ok()?;
    let length = u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await.ok()?;
    Some(payload)
}

async fn letter(stream: &mut TcpStream, letter: u8) -> Option<Vec<u8>> {
    stream.write_all(&[1, 0, 0, 0, letter]).await.ok()?;
    packet(stream).await
}

async fn connect(address: SocketAddr) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let greeting = packet(&mut stream).await.unwrap();
    (stream, String::from_utf8(greeting).unwrap())
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..400 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn a_drain_lets_transactions_end_and_then_the_process() {
    let mut server = start(config(), 2).await;
    let address = server.addresses[0];
    let (mut idle, _) = connect(address).await;
    let (mut busy, _) = connect(address).await;
    assert_eq!(letter(&mut busy, b'b').await.unwrap(), b"b");
    let context = server.context.clone();
    assert_eq!(context.phase(), Phase::Ready);

    server.leave().await;
    assert_eq!(context.phase(), Phase::Draining);
    assert_eq!(packet(&mut idle).await.unwrap(), b"drained");
    assert!(TcpStream::connect(address).await.is_err(), "the door is closed");
    // The transaction goes on for as long as it needs.
    assert_eq!(letter(&mut busy, b'e').await.unwrap(), b"e");
    assert_eq!(context.sessions.len(), 1);
    assert_eq!(letter(&mut busy, b'c').await.unwrap(), b"c");
    assert_eq!(packet(&mut busy).await.unwrap(), b"drained");
    assert!(server.drained().await);
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn who_does_not_end_is_cut_at_the_deadline() {
    let mut config = config();
    config.timeouts.drain = Span::millis(200);
    let mut server = start(config, 1).await;
    let (mut busy, _) = connect(server.addresses[0]).await;
    letter(&mut busy, b'b').await.unwrap();
    server.leave().await;
    let begun = Instant::now();
    assert!(!server.drained().await);
    assert!(begun.elapsed() >= Duration::from_millis(200));
    assert_eq!(server.stop().await.cut, 1);
    assert_eq!(packet(&mut busy).await.unwrap(), b"shut down");
    assert_eq!(packet(&mut busy).await, None);
}

#[tokio::test]
async fn a_panicking_session_takes_nobody_with_it() {
    let server = start(config(), 1).await;
    let address = server.addresses[0];
    let (mut other, _) = connect(address).await;
    let (mut doomed, _) = connect(address).await;
    assert_eq!(letter(&mut doomed, b'p').await, None);
    assert_eq!(letter(&mut other, b'e').await.unwrap(), b"e");
    let context = server.context.clone();
    eventually("the panic is counted", || context.metrics.sum(|w| &w.panics) == 1).await;
    eventually("its seat is free", || context.seats.taken() == 1).await;
    assert_eq!(context.sessions.len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_client_without_a_seat_is_told_so() {
    let mut config = config();
    config.limits.max_connections = 2;
    let server = start(config, 2).await;
    let address = server.addresses[0];
    let (first, _) = connect(address).await;
    let (_second, _) = connect(address).await;
    let mut third = TcpStream::connect(address).await.unwrap();
    let error = packet(&mut third).await.unwrap();
    assert_eq!(error[..3], [0xff, 0x10, 0x04], "errno 1040");
    assert!(String::from_utf8_lossy(&error).contains("Too many connections"));
    assert_eq!(packet(&mut third).await, None);
    drop(first);
    let context = server.context.clone();
    eventually("the seat is free", || context.seats.taken() == 1).await;
    connect(address).await;
    assert_eq!(context.metrics.refused.counts()[&("max_connections", "")], 1);
    server.stop().await;
}

#[tokio::test]
async fn workers_get_equal_shares() {
    let server = start(config(), 3).await;
    let mut clients = Vec::new();
    let mut shares = [0; 3];
    for _ in 0..30 {
        let (client, greeting) = connect(server.addresses[0]).await;
        shares[greeting[..1].parse::<usize>().unwrap()] += 1;
        clients.push(client);
    }
    assert_eq!(shares, [10, 10, 10]);
    server.stop().await;
}

#[tokio::test]
async fn a_trusted_balancer_speaks_for_its_client() {
    let mut config = config();
    config.listen.proxy_protocol_from = vec!["127.0.0.1".parse().unwrap()];
    config.timeouts.handshake = Span::millis(300);
    let server = start(config, 1).await;
    let address = server.addresses[0];
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"PROXY TCP4 192.0.2.9 198.51.100.1 4711 3306\r\n").await.unwrap();
    let greeting = packet(&mut stream).await.unwrap();
    assert_eq!(String::from_utf8(greeting).unwrap(), "0 192.0.2.9:4711");
    assert_eq!(letter(&mut stream, b'e').await.unwrap(), b"e");

    // Another header, and none at all: closed, the latter at the handshake's deadline.
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(packet(&mut stream).await, None);
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    assert_eq!(packet(&mut stream).await, None);
    assert!(begun.elapsed() >= Duration::from_millis(290));
    server.stop().await;
}

#[tokio::test]
async fn a_unix_socket_serves_too() {
    let path = std::env::temp_dir().join(format!("weir-drain-{}.sock", std::process::id()));
    let mut config = config();
    config.listen.unix = Some(path.clone());
    let server = start(config, 1).await;
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    assert_eq!(packet(&mut stream).await.unwrap(), b"0 localhost");
    server.stop().await;
    assert!(!path.exists());
}
