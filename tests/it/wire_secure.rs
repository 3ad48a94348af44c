//! TLS, zlib, unix sockets and PROXY headers around the framed stream.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use weir::protocol::capability::Capabilities;
use weir::protocol::login::{FirstPacket, TlsRequest};
use weir::wire::stream::{Peer, Stream};
use weir::wire::tls::{ClientTls, Identity, TlsMode};
use weir::wire::transport::Socket;

const LIMIT: usize = 64 << 20;

/// A certificate for `names`, signed by an authority; the paths of chain, key and authority.
struct Certificate {
    directory: PathBuf,
}

impl Certificate {
    fn new(test: &str, name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("weir-tls-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = parameters.self_signed(&authority_key).unwrap();
        let issuer = rcgen::Issuer::new(parameters, authority_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &issuer).unwrap();
        std::fs::write(directory.join("ca.pem"), authority.pem()).unwrap();
        std::fs::write(directory.join("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(directory.join("key.pem"), key.serialize_pem()).unwrap();
        Certificate { directory }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }

    fn server(&self) -> Arc<rustls::ServerConfig> {
        Identity::read(&self.path("cert.pem"), &self.path("key.pem")).unwrap().config
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn request() -> TlsRequest {
    TlsRequest {
        capabilities: Capabilities::OFFERED.with(Capabilities::SSL),
        max_packet: 1 << 24,
        collation: 45,
    }
}

/// Both ends go on in TLS; the client's error is returned.
async fn upgrade(
    certificate: &Certificate,
    tls: &ClientTls,
    host: &str,
) -> (weir::error::Result<()>, Stream, Stream) {
    let (mut server, mut client) = Stream::pair(1 << 20, LIMIT);
    let config = certificate.server();
    let accepting = tokio::spawn(async move {
        let payload = server.read_packet().await.unwrap().unwrap();
        assert_eq!(payload.len(), 32);
        assert!(matches!(FirstPacket::parse(payload), Ok(FirstPacket::Tls(_))));
        let accepted = server.accept_tls(config).await;
        (accepted, server)
    });
    client.write_with(|out| request().write(out));
    client.flush().await.unwrap();
    let connected = client.connect_tls(tls, host).await;
    let (accepted, server) = accepting.await.unwrap();
    assert!(connected.is_err() || accepted.is_ok());
    (connected, server, client)
}

#[tokio::test]
async fn the_four_modes_verify_what_they_say() {
    let ours = Certificate::new("modes", "db.example");
    let foreign = Certificate::new("modes-foreign", "db.example");
    let ca = ours.path("ca.pem");
    let other_ca = foreign.path("ca.pem");
    let cases = [
        (TlsMode::Preferred, None, "anything", true),
        (TlsMode::Required, None, "anything", true),
        (TlsMode::VerifyCa, Some(&ca), "anything", true),
        (TlsMode::VerifyCa, Some(&other_ca), "db.example", false),
        (TlsMode::VerifyIdentity, Some(&ca), "db.example", true),
        (TlsMode::VerifyIdentity, Some(&ca), "other.example", false),
        (TlsMode::VerifyIdentity, Some(&other_ca), "db.example", false),
    ];
    for (mode, authority, host, good) in cases {
        let tls = ClientTls::new(mode, authority.map(PathBuf::as_path), None).unwrap();
        let (result, _server, _client) = upgrade(&ours, &tls, host).await;
        assert_eq!(result.is_ok(), good, "{mode:?} {host} {result:?}");
    }
    assert!(ClientTls::new(TlsMode::VerifyCa, None, None).is_err());
    assert!(ClientTls::new(TlsMode::VerifyCa, Some(&ours.path("key.pem")), None).is_err());
}

#[tokio::test]
async fn packets_pass_through_tls() {
    let certificate = Certificate::new("packets", "localhost");
    let tls = ClientTls::new(TlsMode::Required, None, None).unwrap();
    let (result, mut server, mut client) = upgrade(&certificate, &tls, "localhost").await;
    result.unwrap();
    assert!(server.is_tls() && server.is_secure() && client.is_tls());
    // The sequence goes on behind the TLS request.
    assert_eq!((server.sequence(), client.sequence()), (1, 1));
    let large = vec![7; 300_000];
    let expected = large.clone();
    let sending = tokio::spawn(async move {
        client.send_packet(&large).await.unwrap();
        client.write_packet(b"small");
        client.flush().await.unwrap();
        client.shutdown().await.unwrap();
    });
    assert!(server.read_packet().await.unwrap().unwrap() == expected);
    assert_eq!(server.read_packet().await.unwrap().unwrap(), b"small");
    assert_eq!(server.read_packet().await.unwrap(), None);
    sending.await.unwrap();
}

#[tokio::test]
async fn a_hello_in_the_request_s_segment_is_tls() {
    let certificate = Certificate::new("segment", "localhost");
    let (near, far) = tokio::io::duplex(1 << 20);
    let mut server = Stream::new(Socket::Memory(near), Peer::Client, LIMIT);
    // A client whose request and hello are collected and sent as one.
    let (inner, mut outer) = tokio::io::duplex(1 << 20);
    let mut client = Stream::new(Socket::Memory(inner), Peer::Backend, LIMIT);
    client.write_with(|out| request().write(out));
    client.flush().await.unwrap();
    let connecting = tokio::spawn(async move {
        let tls = ClientTls::new(TlsMode::Required, None, None).unwrap();
        client.connect_tls(&tls, "localhost").await.unwrap();
        client.write_packet(b"login");
        client.flush().await.unwrap();
        client
    });
    let mut first = vec![0; 36];
    outer.read_exact(&mut first).await.unwrap();
    let mut hello = vec![0; 5];
    outer.read_exact(&mut hello).await.unwrap();
    let length = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
    let mut body = vec![0; length];
    outer.read_exact(&mut body).await.unwrap();
    let mut far = far;
    far.write_all(&[first, hello, body].concat()).await.unwrap();
    let piping =
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut far, &mut outer).await });
    server.read_packet().await.unwrap().unwrap();
    assert!(server.has_buffered());
    server.accept_tls(certificate.server()).await.unwrap();
    assert_eq!(server.read_packet().await.unwrap().unwrap(), b"login");
    drop((server, connecting.await.unwrap()));
    piping.abort();
}

#[tokio::test]
async fn plain_bytes_behind_the_tls_request_are_refused() {
    let certificate = Certificate::new("smuggle", "localhost");
    for smuggled in [&b"\x05\x00\x00\x02\x03DROP"[..], b"\x16garbage that is no hello"] {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        let mut server = Stream::new(Socket::Memory(near), Peer::Client, LIMIT);
        let mut bytes = vec![32, 0, 0, 0];
        request().write(&mut bytes);
        bytes.extend_from_slice(smuggled);
        far.write_all(&bytes).await.unwrap();
        drop(far);
        server.read_packet().await.unwrap().unwrap();
        let error = server.accept_tls(certificate.server()).await.unwrap_err();
        assert_eq!((error.errno, error.code), (1043, "bad_handshake"));
        assert!(error.fatal);
        // Nothing of it can be read as a command afterwards.
        assert!(server.buffer().is_empty());
        assert!(!matches!(server.read_packet().await, Ok(Some(_))));
    }
}

#[tokio::test]
async fn a_backend_that_talks_before_tls_is_refused() {
    let (near, mut far) = tokio::io::duplex(1 << 20);
    let mut client = Stream::new(Socket::Memory(near), Peer::Backend, LIMIT);
    far.write_all(b"\x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00").await.unwrap();
    client.fill().await.unwrap();
    let tls = ClientTls::new(TlsMode::Preferred, None, None).unwrap();
    assert!(client.connect_tls(&tls, "localhost").await.is_err());
}

/// Two ends that speak zlib.
fn compressed(capacity: usize) -> (Stream, Stream) {
    let (mut a, mut b) = Stream::pair(capacity, LIMIT);
    a.enable_compression();
    b.enable_compression();
    (a, b)
}

#[tokio::test]
async fn packets_pass_through_zlib() {
    let noise: Vec<u8> =
        (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let payloads =
        [Vec::new(), b"tiny".to_vec(), vec![b'a'; 49], vec![b'a'; 1_000], noise, vec![1; 17 << 20]];
    let (mut a, mut b) = compressed(64 << 20);
    for round in 0..2 {
        a.reset_sequence();
        b.reset_sequence();
        for payload in &payloads {
            a.write_packet(payload);
            if round == 0 {
                a.flush().await.unwrap();
            }
        }
        a.flush().await.unwrap();
        for payload in &payloads {
            assert!(b.read_packet().await.unwrap().unwrap() == payload);
        }
    }
    let (_, out) = a.byte_counts();
    assert!(out < 1_500_000, "{out}");
    a.shutdown().await.unwrap();
    assert_eq!(b.read_packet().await.unwrap(), None);
}

/// mysql-connector-python takes a packet from two frames at most.
#[tokio::test]
async fn a_packet_that_is_relayed_in_pieces_stands_in_one_frame() {
    let (mut a, mut b) = Stream::pair(4 << 20, LIMIT);
    a.enable_compression();
    let (mut feeder, mut backend) = Stream::pair(64 << 10, LIMIT);
    let row = vec![7; 600_000];
    let feed = async {
        feeder.reset_sequence();
        feeder.send_packet(&row).await.unwrap();
        feeder.write_packet(&[0xfe, 0, 0, 2, 0]);
        feeder.flush().await.unwrap();
    };
    let (rows, ()) = tokio::join!(a.relay_rows(&mut backend), feed);
    assert_eq!(rows.unwrap(), 1);
    a.flush().await.unwrap();
    a.shutdown().await.unwrap();
    let mut bytes = Vec::new();
    while b.fill().await.unwrap() > 0 {
        bytes.extend_from_slice(b.buffer());
        let length = b.buffer().len();
        b.consume(length);
    }
    let frame = weir::protocol::compress::Frame::parse(&bytes).expect("a whole frame");
    assert_eq!(frame.length(), bytes.len(), "one frame");
}

/// Found by the fuzz target `stream`: the frame behind an empty one was waited for, though it was there.
#[tokio::test]
async fn an_empty_frame_hides_no_other() {
    use tokio::io::AsyncWriteExt;
    use weir::wire::stream::Peer;
    use weir::wire::transport::Socket;
    let (near, mut far) = tokio::io::duplex(100);
    let mut stream = Stream::new(Socket::Memory(near), Peer::Client, LIMIT);
    stream.enable_compression();
    let packet = [5, 0, 0, 0, b'h', b'e', b'l', b'l', b'o'];
    let frames = [&[0, 0, 0, 0, 0, 0, 0][..], &[9, 0, 0, 1, 0, 0, 0], &packet].concat();
    far.write_all(&frames).await.unwrap();
    let read = tokio::time::timeout(std::time::Duration::from_secs(5), stream.read_packet());
    assert_eq!(read.await.expect("no hang").unwrap().unwrap(), b"hello");
}

#[tokio::test]
async fn two_compressed_commands_may_arrive_together() {
    let (mut client, mut server) = compressed(64 << 10);
    for command in [&b"close"[..], b"execute"] {
        client.reset_sequence();
        client.write_packet(command);
        client.flush().await.unwrap();
    }
    server.reset_sequence();
    assert_eq!(server.read_packet().await.unwrap().unwrap(), b"close");
    // While the first is answered, the client is watched.
    let watched = tokio::time::timeout(std::time::Duration::from_millis(50), server.closed()).await;
    assert!(watched.is_err(), "the client is there");
    server.reset_sequence();
    assert_eq!(server.read_packet().await.unwrap().unwrap(), b"execute");
}

#[tokio::test]
async fn a_dropped_compressed_flush_goes_on() {
    let (mut a, mut b) = compressed(64);
    let noise: Vec<u8> =
        (0..5_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    a.write_packet(&noise);
    let zero = std::time::Duration::ZERO;
    for _ in 0..2_000 {
        let _ = tokio::time::timeout(zero, a.flush()).await;
        let read = tokio::time::timeout(zero, b.read_packet()).await;
        if let Ok(payload) = read {
            assert_eq!(payload.unwrap().unwrap(), noise);
            return;
        }
        if a.pending_write() == 0 {
            a.write_packet(b"behind");
        }
    }
    panic!("the packet never came");
}

#[tokio::test]
async fn hostile_zlib_is_refused() {
    let bomb = {
        let mut out = Vec::new();
        weir::protocol::compress::pack(&vec![0; 1 << 20], 0, &mut out).unwrap();
        // Announces less than comes out.
        out[4..7].copy_from_slice(&[100, 0, 0]);
        out
    };
    let rubbish = vec![4, 0, 0, 0, 100, 0, 0, 1, 2, 3, 4];
    let out_of_order = vec![1, 0, 0, 5, 0, 0, 0, 9];
    let cut = vec![10, 0, 0, 0, 0, 0, 0, 1];
    for (bytes, code) in [
        (bomb, "uncompress"),
        (rubbish, "uncompress"),
        (out_of_order, "packets_out_of_order"),
        (cut, "read_broken"),
    ] {
        let (near, mut far) = tokio::io::duplex(4 << 20);
        let mut stream = Stream::new(Socket::Memory(near), Peer::Client, 1 << 20);
        stream.enable_compression();
        far.write_all(&bytes).await.unwrap();
        drop(far);
        assert_eq!(stream.read_packet().await.unwrap_err().code, code);
        assert!(stream.memory() <= 64 << 10, "{}", stream.memory());
    }
}

#[tokio::test]
async fn memory_is_given_back_under_zlib() {
    let (mut a, mut b) = compressed(64 << 20);
    for _ in 0..200 {
        a.write_packet(&vec![5; 100_000]);
        a.flush().await.unwrap();
        b.read_packet().await.unwrap().unwrap();
        assert!(b.memory() < 600_000, "{}", b.memory());
    }
    b.release();
    assert!(b.memory() <= 8 << 10);
}

#[tokio::test]
async fn a_unix_socket_is_secure_and_tcp_is_not() {
    let (a, _b) = UnixStream::pair().unwrap();
    let stream = Stream::unix(a, Peer::Client, LIMIT);
    assert!(stream.is_unix() && stream.is_secure() && !stream.is_tls());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, address) = listener.accept().await.unwrap();
    assert!(socket.peer_addr().unwrap().port() != address.port());
    let stream = Stream::tcp(accepted, Peer::Client, LIMIT);
    assert!(!stream.is_secure());
    assert_eq!(stream.peer_address(), Some(address));
}

#[tokio::test]
async fn a_proxy_header_gives_the_client_s_address() {
    let (near, mut far) = tokio::io::duplex(1 << 20);
    let mut stream = Stream::new(Socket::Memory(near), Peer::Client, LIMIT);
    let writing = tokio::spawn(async move {
        for byte in b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 3306\r\n\x01\x00\x00\x00\x0e" {
            far.write_all(&[*byte]).await.unwrap();
        }
        far
    });
    stream.read_proxy_header().await.unwrap();
    assert_eq!(stream.peer_address(), Some("192.0.2.7:40000".parse().unwrap()));
    assert_eq!(stream.read_command().await.unwrap(), Some(&b"\x0e"[..]));
    drop(writing.await.unwrap());
    let (near, mut far) = tokio::io::duplex(1 << 20);
    let mut stream = Stream::new(Socket::Memory(near), Peer::Client, LIMIT);
    far.write_all(b"\x01\x00\x00\x00\x0e").await.unwrap();
    assert_eq!(stream.read_proxy_header().await.unwrap_err().errno, 1043);
}
