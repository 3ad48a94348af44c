//! The framed stream over memory: splitting, limits, cancellation, pipelining, relaying.

use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use weir::protocol::compress;
use weir::protocol::framing::{HEADER_LENGTH, Header, MAX_CHUNK, RowWalk, RunEnd, seal};
use weir::wire::stream::{Peer, Stream};
use weir::wire::transport::Socket;

const LIMIT: usize = 64 << 20;

/// A stream and the raw other end of it.
fn raw(peer: Peer, max_packet: usize) -> (Stream, DuplexStream) {
    let (a, b) = tokio::io::duplex(64 << 20);
    (Stream::new(Socket::Memory(a), peer, max_packet), b)
}

fn framed(payload: &[u8], sequence: u8) -> Vec<u8> {
    let mut out = vec![0; HEADER_LENGTH];
    out.extend_from_slice(payload);
    seal(&mut out, 0, sequence);
    out
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 % 251) as u8).collect()
}

#[tokio::test]
async fn sixteen_mebibytes_and_their_neighbours() {
    for length in [
        0,
        1,
        250,
        65_535,
        MAX_CHUNK - 1,
        MAX_CHUNK,
        MAX_CHUNK + 1,
        2 * MAX_CHUNK,
        2 * MAX_CHUNK + 7,
    ] {
        let (mut a, mut b) = Stream::pair(64 << 20, LIMIT);
        let payload = pattern(length);
        a.write_packet(&payload);
        a.write_packet(b"next");
        let chunks = length / MAX_CHUNK + 1;
        assert_eq!(usize::from(a.sequence()), chunks + 1);
        assert_eq!(a.pending_write(), length + 4 + 4 * (chunks + 1));
        a.flush().await.unwrap();
        assert!(b.read_packet().await.unwrap().unwrap() == payload, "{length}");
        assert_eq!(b.read_packet().await.unwrap().unwrap(), b"next");
        // The same around the buffer.
        let (mut a, mut b) = Stream::pair(64 << 20, LIMIT);
        a.write_packet(b"before");
        a.send_packet(&payload).await.unwrap();
        a.send_packet(b"after").await.unwrap();
        assert_eq!(b.read_packet().await.unwrap().unwrap(), b"before");
        assert!(b.read_packet().await.unwrap().unwrap() == payload, "{length}");
        assert_eq!(b.read_packet().await.unwrap().unwrap(), b"after");
    }
}

#[tokio::test]
async fn every_way_to_cut_the_stream_gives_the_same_packets() {
    let payloads: [&[u8]; 4] = [b"", b"a", b"four", b"a longer payload"];
    let mut bytes = Vec::new();
    for (sequence, payload) in payloads.iter().enumerate() {
        bytes.extend(framed(payload, sequence as u8));
    }
    for cut in 0..=bytes.len() {
        let (mut stream, mut peer) = raw(Peer::Client, LIMIT);
        peer.write_all(&bytes[..cut]).await.unwrap();
        let (head, tail) = (bytes[..cut].to_vec(), bytes[cut..].to_vec());
        let later = tokio::spawn(async move {
            tokio::task::yield_now().await;
            peer.write_all(&tail).await.unwrap();
            peer
        });
        for payload in payloads {
            assert_eq!(stream.read_packet().await.unwrap(), Some(payload), "{}", head.len());
        }
        drop(later.await.unwrap());
        assert_eq!(stream.read_packet().await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_dropped_read_loses_no_byte() {
    let (mut stream, mut peer) = raw(Peer::Client, LIMIT);
    let mut bytes = framed(&pattern(300), 0);
    bytes.extend(framed(&pattern(MAX_CHUNK + 5), 1));
    let (small, large) = bytes.split_at(304);
    for byte in small {
        // Each read is polled once and dropped.
        let waiting = tokio::time::timeout(Duration::ZERO, stream.read_packet()).await;
        assert!(waiting.is_err());
        peer.write_all(&[*byte]).await.unwrap();
    }
    assert_eq!(stream.read_packet().await.unwrap().unwrap(), pattern(300));
    for piece in large.chunks(1 << 20) {
        let waiting = tokio::time::timeout(Duration::ZERO, stream.read_packet()).await;
        assert!(waiting.is_err());
        peer.write_all(piece).await.unwrap();
    }
    assert!(stream.read_packet().await.unwrap().unwrap() == pattern(MAX_CHUNK + 5));
}

#[tokio::test]
async fn a_dropped_flush_goes_on_where_it_was() {
    let (a, mut b) = tokio::io::duplex(100);
    let mut stream = Stream::new(Socket::Memory(a), Peer::Client, LIMIT);
    let payload = pattern(1_000);
    stream.write_packet(&payload);
    let mut got = Vec::new();
    let mut room = [0; 64];
    while got.len() < 1_004 {
        let _ = tokio::time::timeout(Duration::ZERO, stream.flush()).await;
        let count = b.read(&mut room).await.unwrap();
        got.extend_from_slice(&room[..count]);
    }
    assert_eq!(got, framed(&payload, 0));
    assert_eq!(stream.pending_write(), 0);
}

#[tokio::test]
async fn half_a_direct_write_ends_all_writing() {
    let (a, _b) = tokio::io::duplex(100);
    let mut stream = Stream::new(Socket::Memory(a), Peer::Client, LIMIT);
    let payload = pattern(100_000);
    assert!(tokio::time::timeout(Duration::ZERO, stream.send_packet(&payload)).await.is_err());
    assert!(stream.flush().await.unwrap_err().fatal);
    assert!(stream.send_packet(b"x").await.unwrap_err().fatal);
}

#[tokio::test]
async fn pipelined_commands_come_one_by_one() {
    let (mut stream, mut peer) = raw(Peer::Client, LIMIT);
    let commands: [&[u8]; 3] = [b"\x19\x01\x00\x00\x00", b"\x03SELECT 1", b"\x0e"];
    let all: Vec<u8> = commands.iter().flat_map(|command| framed(command, 0)).collect();
    peer.write_all(&all).await.unwrap();
    let mut text = Vec::new();
    for command in commands {
        assert!(stream.read_command_into(&mut text).await.unwrap());
        assert_eq!(text, command);
        assert_eq!(stream.sequence(), 1);
        stream.write_packet(b"reply");
    }
    assert!(!stream.has_buffered());
    drop(peer);
    assert!(!stream.read_command_into(&mut text).await.unwrap());
}

#[tokio::test]
async fn watching_for_the_end_keeps_pipelined_commands() {
    let (mut stream, mut peer) = raw(Peer::Client, LIMIT);
    peer.write_all(&framed(b"\x03one", 0)).await.unwrap();
    let mut text = Vec::new();
    stream.read_command_into(&mut text).await.unwrap();
    peer.write_all(&framed(b"\x03two", 0)).await.unwrap();
    let watched = tokio::time::timeout(Duration::from_millis(20), stream.closed()).await;
    assert!(watched.is_err(), "the peer is still there");
    drop(peer);
    tokio::time::timeout(Duration::from_secs(5), stream.closed()).await.unwrap();
    assert!(stream.read_command_into(&mut text).await.unwrap());
    assert_eq!(text, b"\x03two");
    assert!(!stream.read_command_into(&mut text).await.unwrap());
}

#[tokio::test]
async fn read_ahead_is_bounded() {
    let (mut stream, mut peer) = raw(Peer::Client, LIMIT);
    peer.write_all(&vec![7; 10 << 20]).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(50), stream.closed()).await.is_err());
    assert!(stream.buffer().len() >= 64 << 10);
    assert!(stream.memory() <= 256 << 10, "{}", stream.memory());
}

#[tokio::test]
async fn sequence_ids_must_follow() {
    for peer_kind in [Peer::Client, Peer::Backend] {
        let (mut stream, mut peer) = raw(peer_kind, LIMIT);
        peer.write_all(&framed(b"x", 1)).await.unwrap();
        let error = stream.read_packet().await.unwrap_err();
        assert!(error.fatal);
        let by_client = peer_kind == Peer::Client;
        assert_eq!((error.errno, error.code) == (1156, "packets_out_of_order"), by_client);
        assert_eq!(error.fault == weir::error::Fault::Client, by_client);
    }
    // Also between the chunks of one packet.
    let (mut stream, mut peer) = raw(Peer::Client, LIMIT);
    let mut bytes = framed(&pattern(MAX_CHUNK + 1), 0);
    bytes[HEADER_LENGTH + MAX_CHUNK + 3] = 7;
    peer.write_all(&bytes).await.unwrap();
    assert_eq!(stream.read_packet().await.unwrap_err().errno, 1156);
}

#[tokio::test]
async fn sequence_ids_wrap_around() {
    let (mut stream, mut peer) = raw(Peer::Client, LIMIT);
    for sequence in 0..=600u32 {
        peer.write_all(&framed(b"x", sequence as u8)).await.unwrap();
        assert_eq!(stream.read_packet().await.unwrap(), Some(&b"x"[..]));
    }
}

#[tokio::test]
async fn the_limit_counts_the_whole_packet() {
    for (length, fits) in [(1_000, true), (1_001, false)] {
        let (mut stream, mut peer) = raw(Peer::Client, 1_000);
        peer.write_all(&framed(&pattern(length), 0)).await.unwrap();
        let code = stream.read_packet().await.map(|_| ()).map_err(|error| error.code);
        assert_eq!(code, if fits { Ok(()) } else { Err("packet_too_large") });
    }
    let (mut stream, mut peer) = raw(Peer::Client, MAX_CHUNK + 10);
    peer.write_all(&framed(&pattern(MAX_CHUNK + 11), 0)).await.unwrap();
    assert_eq!(stream.read_packet().await.unwrap_err().errno, 1153);
}

#[tokio::test]
async fn the_sender_of_too_much_comes_to_read_the_error() {
    for length in [5_000, MAX_CHUNK, MAX_CHUNK + 5, 40 << 20] {
        let (near, mut far) = tokio::io::duplex(1_000);
        let mut stream = Stream::new(Socket::Memory(near), Peer::Client, 1_000);
        let sending = tokio::spawn(async move {
            far.write_all(&framed(&vec![1; length], 0)).await.unwrap();
            let mut reply = [0; 8];
            far.read_exact(&mut reply).await.unwrap();
            reply
        });
        assert_eq!(stream.read_command().await.unwrap_err().errno, 1153);
        stream.discard_packet().await.unwrap();
        stream.write_packet(b"sure");
        stream.flush().await.unwrap();
        let chunks = (length / MAX_CHUNK + 1) as u8;
        assert_eq!(sending.await.unwrap(), [4, 0, 0, chunks, b's', b'u', b'r', b'e']);
        assert!(stream.memory() <= 80 << 10, "{}", stream.memory());
    }
}

#[tokio::test]
async fn an_announced_length_costs_nothing() {
    let (mut stream, mut peer) = raw(Peer::Client, usize::MAX);
    peer.write_all(&[0xff, 0xff, 0xff, 0, 1, 2, 3]).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(20), stream.read_packet()).await.is_err());
    assert!(stream.memory() <= 8 << 10, "{}", stream.memory());
    drop(peer);
    let error = stream.read_packet().await.unwrap_err();
    assert_eq!((error.errno, error.code), (1158, "read_broken"));
}

#[tokio::test]
async fn nine_thousand_hostile_headers() {
    let (mut stream, mut peer) = raw(Peer::Client, 1 << 20);
    peer.write_all(&[0xff, 0xff, 0xff, 0].repeat(9_000)).await.unwrap();
    drop(peer);
    assert!(stream.read_packet().await.is_err());
    assert!(stream.memory() <= 256 << 10);
}

#[tokio::test]
async fn an_idle_stream_gives_its_memory_back() {
    let (mut client, mut peer) = raw(Peer::Client, LIMIT);
    peer.write_all(&framed(&pattern(64 << 10), 0)).await.unwrap();
    assert_eq!(client.read_command().await.unwrap().unwrap().len(), 64 << 10);
    for _ in 0..16 {
        client.write_packet(&pattern(64 << 10));
    }
    client.flush().await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(20), client.read_command()).await;
    assert!(waiting.is_err());
    assert!(client.memory() <= 8 << 10, "{}", client.memory());
}

#[tokio::test]
async fn a_quiet_connection_is_told_from_a_broken_one() {
    let (mut stream, mut peer) = raw(Peer::Backend, LIMIT);
    assert!(stream.is_quiet());
    assert!(stream.is_quiet());
    peer.write_all(b"x").await.unwrap();
    assert!(!stream.is_quiet());
    let (mut stream, peer) = raw(Peer::Backend, LIMIT);
    drop(peer);
    assert!(!stream.is_quiet());
}

#[tokio::test]
async fn a_failed_build_leaves_nothing() {
    let (mut stream, _peer) = raw(Peer::Client, LIMIT);
    stream.write_packet(b"one");
    let sequence = stream.sequence();
    let failed = stream.try_write_with(|out| {
        out.extend_from_slice(b"half");
        Err::<(), _>(weir::error::Error::internal("no"))
    });
    assert!(failed.is_err());
    assert_eq!((stream.pending_write(), stream.sequence()), (7, sequence));
    stream.write_packet(b"two");
    let before = stream.pending_write();
    stream.write_packet(b"three");
    assert!(stream.truncate_write(before));
    assert_eq!(stream.pending_write(), 14);
}

#[tokio::test(start_paused = true)]
async fn long_packets_come_out_of_the_budget() {
    let budget = weir::observe::budget::Budget::new(3 << 20);
    let (mut first, mut first_peer) = raw(Peer::Client, LIMIT);
    first.set_budget(budget.clone());
    let mut text = Vec::new();
    // Short commands aren't counted.
    first_peer.write_all(&framed(&pattern(60_000), 0)).await.unwrap();
    assert!(first.read_command_into(&mut text).await.unwrap());
    assert_eq!(budget.used(), 0);
    first_peer.write_all(&framed(&pattern(2 << 20), 0)).await.unwrap();
    assert!(first.read_command_into(&mut text).await.unwrap());
    assert!(text == pattern(2 << 20));
    let used = budget.used();
    assert!((2 << 20) - (200 << 10) < used && used < 3 << 20, "{used}");
    // A second one finds the budget used up: it waits, and is then refused.
    let (mut second, mut second_peer) = raw(Peer::Client, LIMIT);
    second.set_budget(budget.clone());
    let mut other = Vec::new();
    second_peer.write_all(&framed(&pattern(2 << 20), 0)).await.unwrap();
    assert_eq!(second.read_command_into(&mut other).await.unwrap_err().errno, 1038);
    // With the first's next command its bytes come back.
    first_peer.write_all(&framed(b"x", 0)).await.unwrap();
    assert!(first.read_command_into(&mut text).await.unwrap());
    assert!(text.capacity() <= 4 << 10);
    drop(second);
    assert_eq!(budget.used(), 0);
    // Above the whole budget: at once.
    first_peer.write_all(&framed(&pattern(4 << 20), 0)).await.unwrap();
    assert_eq!(first.read_command_into(&mut text).await.unwrap_err().errno, 1038);
}

/// A server that refuses a long command says so before it has read all of it, under the id that is
/// next for it.
#[tokio::test]
async fn an_error_comes_while_a_long_command_is_sent() {
    for (chunks, id) in [(1, 1), (2, 1), (3, 1), (3, 2), (3, 3)] {
        let (mut stream, mut peer) = raw(Peer::Backend, LIMIT);
        stream.reset_sequence();
        stream.send_packet(&pattern((chunks - 1) * MAX_CHUNK + 5)).await.unwrap();
        let refused = b"\xff\x81\x04#08S01Got a packet bigger than 'max_allowed_packet' bytes";
        let bytes = framed(refused, id);
        // Byte by byte: what it is shows in the fifth.
        peer.write_all(&bytes[..4]).await.unwrap();
        let early = tokio::time::timeout(Duration::from_millis(20), stream.read_packet()).await;
        assert!(early.is_err(), "{early:?}");
        peer.write_all(&bytes[4..]).await.unwrap();
        assert_eq!(stream.read_packet().await.unwrap().unwrap(), refused);
    }
    // Nothing else may come so early, and nothing behind the answer's beginning.
    let out_of_order = |error: weir::error::Error| error.code == "backend_protocol";
    let (mut stream, mut peer) = raw(Peer::Backend, LIMIT);
    stream.reset_sequence();
    stream.send_packet(&pattern(2 * MAX_CHUNK)).await.unwrap();
    peer.write_all(&framed(b"\x00\x00\x00\x02\x00\x00\x00", 1)).await.unwrap();
    assert!(out_of_order(stream.read_packet().await.unwrap_err()));
    let (mut stream, mut peer) = raw(Peer::Backend, LIMIT);
    stream.reset_sequence();
    stream.send_packet(&pattern(2 * MAX_CHUNK)).await.unwrap();
    peer.write_all(&[framed(b"\x01", 3), framed(b"\xff\x81\x04", 1)].concat()).await.unwrap();
    stream.read_packet().await.unwrap();
    assert!(out_of_order(stream.read_packet().await.unwrap_err()));
}

/// As zlib frames, of which a stream holds the packed and the plain bytes.
fn packed(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    compress::pack(&framed(payload, 0), 0, &mut out).unwrap();
    out
}

#[tokio::test(start_paused = true)]
async fn long_compressed_packets_come_out_of_the_budget() {
    let budget = weir::observe::budget::Budget::new(3 << 20);
    let open = || {
        let (mut stream, peer) = raw(Peer::Client, LIMIT);
        stream.set_budget(budget.clone());
        stream.enable_compression();
        (stream, peer)
    };
    let (mut first, mut first_peer) = open();
    let mut text = Vec::new();
    first_peer.write_all(&packed(&pattern(60_000))).await.unwrap();
    assert!(first.read_command_into(&mut text).await.unwrap());
    assert_eq!(budget.used(), 0);
    // Two megabytes that are hardly any as zlib, and as many that don't shrink.
    let zeros = vec![7; 2 << 20];
    let mut state = 88_172_645_463_325_252_u64;
    let noise: Vec<u8> = (0..1 << 20)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect();
    for payload in [&zeros, &noise] {
        let frames = packed(payload);
        let (sent, read) =
            tokio::join!(first_peer.write_all(&frames), first.read_command_into(&mut text));
        sent.unwrap();
        assert!(read.unwrap());
        assert!(text == *payload);
        let (used, held) = (budget.used(), payload.len() as u64);
        assert!(held - (200 << 10) < used && used < held + (200 << 10), "{used}");
        first.release();
    }
    let zeros = packed(&zeros);
    let mut other = Vec::new();
    first_peer.write_all(&zeros).await.unwrap();
    assert!(first.read_command_into(&mut text).await.unwrap());
    let (mut second, mut second_peer) = open();
    second_peer.write_all(&zeros).await.unwrap();
    assert_eq!(second.read_command_into(&mut other).await.unwrap_err().errno, 1038);
    drop(second);
    // What is on its way counts before it is whole.
    let (mut third, mut third_peer) = open();
    let frames = packed(&noise);
    first_peer.write_all(&packed(b"x")).await.unwrap();
    assert!(first.read_command_into(&mut text).await.unwrap());
    assert_eq!(budget.used(), 0);
    third_peer.write_all(&frames[..800 << 10]).await.unwrap();
    let waits = tokio::time::timeout(Duration::from_secs(1), third.read_command_into(&mut other));
    assert!(waits.await.is_err());
    assert!(budget.used() > 400 << 10, "{}", budget.used());
    drop(third);
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn a_long_command_with_another_behind_it() {
    let (mut stream, mut peer) = raw(Peer::Client, LIMIT);
    let bytes = [framed(&pattern(300_000), 0), framed(b"\x0e", 0)].concat();
    peer.write_all(&bytes).await.unwrap();
    let mut text = Vec::new();
    assert!(stream.read_command_into(&mut text).await.unwrap());
    assert!(text == pattern(300_000));
    assert!(stream.read_command_into(&mut text).await.unwrap());
    assert_eq!(text, b"\x0e");
}

/// A backend, a client's stream and the raw end that the client reads from.
fn relay() -> (Stream, DuplexStream, Stream, DuplexStream) {
    let (backend, backend_peer) = raw(Peer::Backend, LIMIT);
    let (client, client_peer) = raw(Peer::Client, LIMIT);
    (backend, backend_peer, client, client_peer)
}

#[tokio::test]
async fn rows_are_relayed_with_new_sequence_ids() {
    let rows: Vec<Vec<u8>> = vec![
        b"\x011".to_vec(),
        vec![0xfb],
        pattern(20_000),
        pattern(70_000),
        vec![0],
        pattern(MAX_CHUNK),
        pattern(MAX_CHUNK + 3),
        b"\x011".to_vec(),
    ];
    let mut bytes = Vec::new();
    let mut sequence = 5;
    for row in &rows {
        let mut row = row.clone();
        // A row's first byte can't be 0xFE or 0xFF unless it is longer than a chunk.
        if let Some(first) = row.first_mut() {
            *first %= 0xfc;
        }
        let start = bytes.len();
        bytes.extend_from_slice(&[0; HEADER_LENGTH]);
        bytes.extend_from_slice(&row);
        sequence = seal(&mut bytes, start, sequence);
    }
    let end = b"\xfe\x00\x00\x02\x00\x00\x00";
    bytes.extend(framed(end, sequence));
    for piece in [usize::MAX, 100_000, 4_096, 65_536 + 3] {
        let (mut backend, mut backend_peer, mut client, mut client_peer) = relay();
        backend.set_sequence(5);
        client.set_sequence(200);
        let source = bytes.clone();
        let feeder = tokio::spawn(async move {
            for part in source.chunks(piece.min(source.len())) {
                backend_peer.write_all(part).await.unwrap();
                tokio::task::yield_now().await;
            }
            backend_peer
        });
        let reader = tokio::spawn(async move {
            let mut got = Vec::new();
            client_peer.read_to_end(&mut got).await.unwrap();
            got
        });
        assert_eq!(client.relay_rows(&mut backend).await.unwrap(), rows.len() as u64);
        assert_eq!(backend.read_packet().await.unwrap().unwrap(), end);
        client.write_packet(b"end");
        client.flush().await.unwrap();
        drop(client);
        drop(feeder.await.unwrap());
        let got = reader.await.unwrap();
        // The same payloads, in order, ids counting on from 200.
        let (mut stream, mut peer) = raw(Peer::Backend, LIMIT);
        stream.set_sequence(200);
        tokio::spawn(async move { peer.write_all(&got).await.unwrap() });
        for row in &rows {
            let got = stream.read_packet().await.unwrap().unwrap();
            assert!(got.len() == row.len() && got.get(1..) == row.get(1..));
        }
        assert_eq!(stream.read_packet().await.unwrap().unwrap(), b"end");
    }
}

#[tokio::test]
async fn an_answer_of_one_segment_is_one_write() {
    let (mut backend, mut backend_peer, mut client, mut client_peer) = relay();
    let mut bytes = framed(b"\x011", 0);
    bytes.extend(framed(b"\x012", 1));
    bytes.extend(framed(b"\xfe\x00\x00\x02\x00\x00\x00", 2));
    backend_peer.write_all(&bytes).await.unwrap();
    client.relay_rows(&mut backend).await.unwrap();
    assert_eq!(client.byte_counts().1, 0, "nothing leaves before the end is known");
    let end = backend.read_packet().await.unwrap().unwrap().to_vec();
    client.write_packet(&end);
    client.flush().await.unwrap();
    let mut got = vec![0; bytes.len()];
    client_peer.read_exact(&mut got).await.unwrap();
    assert_eq!(got, bytes);
}

#[tokio::test]
async fn rows_leave_while_the_backend_lets_us_wait() {
    let (mut backend, mut backend_peer, mut client, mut client_peer) = relay();
    backend_peer.write_all(&framed(b"\x011", 0)).await.unwrap();
    let relaying = tokio::spawn(async move { client.relay_rows(&mut backend).await.map(|_| ()) });
    let mut got = [0; 6];
    tokio::time::timeout(Duration::from_secs(5), client_peer.read_exact(&mut got))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(got, *b"\x02\0\0\0\x011");
    drop(client_peer);
    let error = tokio::time::timeout(Duration::from_secs(5), relaying).await.unwrap().unwrap();
    assert_eq!(error.unwrap_err().code, "client_gone");
}

#[tokio::test]
async fn a_backend_that_breaks_off_is_to_blame() {
    let (mut backend, mut backend_peer, mut client, _client_peer) = relay();
    backend_peer.write_all(&framed(b"\x011", 0)[..5]).await.unwrap();
    drop(backend_peer);
    let error = client.relay_rows(&mut backend).await.unwrap_err();
    assert_eq!(error.fault, weir::error::Fault::Unavailable);
    let (mut backend, mut backend_peer, mut client, _client_peer) = relay();
    backend_peer.write_all(&framed(b"\x011", 9)).await.unwrap();
    let error = client.relay_rows(&mut backend).await.unwrap_err();
    assert_eq!((error.fault, error.code), (weir::error::Fault::Unavailable, "backend_protocol"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However the bytes come in pieces, a walk passes each row byte once and finds the end.
    #[test]
    fn the_walk_does_not_depend_on_the_pieces(
        rows in prop::collection::vec(prop::collection::vec(0u8..0xfc, 1..40), 0..20),
        cuts in prop::collection::vec(1usize..30, 1..10),
    ) {
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            bytes.extend(framed(row, index as u8));
            expected.extend(framed(row, index as u8 + 100));
        }
        bytes.extend(framed(b"\xff\x01\x02", rows.len() as u8));
        let mut walk = RowWalk::new(0, 100);
        let (mut passed, mut unread) = (Vec::new(), Vec::new());
        let mut at = 0;
        let mut pieces = cuts.iter().cycle();
        let end = loop {
            let next = (at + pieces.next().unwrap()).min(bytes.len());
            unread.extend_from_slice(&bytes[at..next]);
            at = next;
            let (count, end) = walk.walk(&mut unread);
            passed.extend(unread.drain(..count));
            if end != RunEnd::NeedMore || at == bytes.len() {
                break end;
            }
        };
        prop_assert_eq!(end, RunEnd::Terminator);
        prop_assert_eq!(passed, expected);
        prop_assert_eq!(walk.rows(), rows.len() as u64);
        prop_assert!(walk.at_row_border());
    }

    /// Rubbish never makes the walk panic or pass more than it was given.
    #[test]
    fn the_walk_is_total(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let length = bytes.len();
        let first = Header::parse(&bytes).map_or(0, |header| header.sequence);
        let (count, _) = RowWalk::new(first, 3).walk(&mut bytes);
        prop_assert!(count <= length);
    }
}
