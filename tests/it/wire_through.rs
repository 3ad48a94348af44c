//! The protocol from outside, through a running Weir with real servers behind it: pipelining, every
//! command byte, packets around 16 MiB and above the limit, rubbish before and after login, memory.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use weir::protocol::capability::Capabilities;
use weir::protocol::command::{byte, write_text};
use weir::protocol::err::ErrPacket;
use weir::protocol::framing::{HEADER_LENGTH, seal};
use weir::protocol::response::Response;
use weir::wire::stream::{Peer, Stream};

use crate::support::rig::{self, Rig};
use crate::support::servers::Kind;
use crate::support::shop::Scale;
use crate::support::{engine, reaper, skip};
use crate::wire_servers::{log_in, value};

const NONE: Capabilities = Capabilities(0);

async fn socket(rig: &Rig) -> TcpStream {
    TcpStream::connect(("127.0.0.1", rig.proxy.port)).await.unwrap()
}

async fn client(rig: &Rig, extra: Capabilities) -> Stream {
    let mut stream = Stream::tcp(socket(rig).await, Peer::Backend, 1 << 30);
    log_in(&mut stream, "shop", "shop", extra, None).await.unwrap();
    stream
}

fn framed(payload: &[u8], sequence: u8) -> Vec<u8> {
    let mut out = vec![0; HEADER_LENGTH];
    out.extend_from_slice(payload);
    seal(&mut out, 0, sequence);
    out
}

/// Sends a command and gives its answer's first packet.
async fn answer(stream: &mut Stream, payload: &[u8]) -> Vec<u8> {
    stream.reset_sequence();
    stream.send_packet(payload).await.unwrap();
    let within = tokio::time::timeout(Duration::from_secs(20), stream.read_packet()).await;
    within.expect("an answer in time").unwrap().unwrap_or_default().to_vec()
}

fn errno(payload: &[u8]) -> u16 {
    ErrPacket::parse(payload).map_or(0, |err| err.errno)
}

#[tokio::test(flavor = "multi_thread")]
async fn several_commands_in_one_segment() {
    for rig in rig::shared_kinds() {
        let mut stream = client(rig, NONE).await;
        let commands = [
            vec![byte::PING],
            b"\x03SELECT 1".to_vec(),
            vec![byte::PING],
            b"\x03SELECT 'two'".to_vec(),
            b"\x19\x01\0\0\0".to_vec(),
            b"\x03SELECT 3".to_vec(),
        ];
        let segment: Vec<u8> = commands.iter().flat_map(|payload| framed(payload, 0)).collect();
        stream.write_raw(&segment);
        stream.flush().await.unwrap();
        let mut seen = Vec::new();
        for command in commands.iter().filter(|command| command[0] != byte::STMT_CLOSE) {
            stream.set_sequence(1);
            let first = stream.read_packet().await.unwrap().unwrap().to_vec();
            if command[0] == byte::PING {
                assert_eq!(first[0], 0);
                continue;
            }
            assert_eq!(
                Response::parse(&first, Capabilities::WANTED).unwrap(),
                Response::ResultSet { columns: 1 }
            );
            stream.read_packet().await.unwrap().unwrap();
            let row = stream.read_packet().await.unwrap().unwrap();
            seen.push(String::from_utf8_lossy(&row[1..]).into_owned());
            assert_eq!(stream.read_packet().await.unwrap().unwrap()[0], 0xfe);
        }
        assert_eq!(seen, ["1", "two", "3"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_byte_is_answered_with_an_unearned_ok() {
    for rig in rig::shared_kinds() {
        let mut stream = client(rig, NONE).await;
        let served = [
            byte::QUIT,
            byte::INIT_DB,
            byte::QUERY,
            byte::FIELD_LIST,
            byte::STATISTICS,
            byte::PROCESS_INFO,
            byte::PROCESS_KILL,
            byte::DEBUG,
            byte::PING,
            byte::CHANGE_USER,
            byte::STMT_PREPARE,
            byte::STMT_EXECUTE,
            byte::STMT_SEND_LONG_DATA,
            byte::STMT_CLOSE,
            byte::STMT_RESET,
            byte::SET_OPTION,
            byte::STMT_FETCH,
            byte::RESET_CONNECTION,
        ];
        for command in (0..=255).filter(|command| !served.contains(command)) {
            let reply = answer(&mut stream, &[command, 0, 0, 0, 0]).await;
            assert_ne!(errno(&reply), 0, "{command:#04x}: {reply:?}");
        }
        for payload in
            [&b"\x17\x63\0\0\0\0\x01\0\0\0"[..], b"\x1a\x63\0\0\0", b"\x1c\x63\0\0\0\x01\0\0\0"]
        {
            assert_eq!(errno(&answer(&mut stream, payload).await), 1243, "{payload:?}");
        }
        assert_eq!(value(&mut stream, b"SELECT 1").await, b"1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_around_sixteen_mebibytes_pass_as_directly() {
    for rig in rig::shared_kinds() {
        for extra in [NONE, Capabilities::COMPRESS] {
            let mut stream = client(rig, extra).await;
            // MariaDB's own limit is 16 MiB, so a statement must stay below.
            for length in [1_000_000, (16 << 20) - 100] {
                let sql =
                    [b"SELECT LENGTH('".to_vec(), vec![b'y'; length], b"')".to_vec()].concat();
                assert_eq!(value(&mut stream, &sql).await, length.to_string().as_bytes());
            }
            for length in [1_000_000, (16 << 20) - 100] {
                let sql = format!("SELECT REPEAT('x', {length})");
                assert!(value(&mut stream, sql.as_bytes()).await == vec![b'x'; length]);
            }
        }
    }
}

/// MariaDB's limit is 16 MiB: its error comes while later chunks of the statement are on their way.
#[tokio::test(flavor = "multi_thread")]
async fn above_the_server_s_limit_comes_its_own_error() {
    // MySQL's own limit is 64 MiB.
    let Some(rig) = rig::shared(Kind::MariaDb) else { return };
    for (extra, lengths) in [(NONE, &[17, 20, 20, 33][..]), (Capabilities::COMPRESS, &[20])] {
        for &megabytes in lengths {
            let mut stream = client(rig, extra).await;
            let sql = [b"\x03SELECT '".to_vec(), vec![b'y'; megabytes << 20], b"'".to_vec()];
            let reply = answer(&mut stream, &sql.concat()).await;
            let text = String::from_utf8_lossy(&reply[..reply.len().min(400)]).into_owned();
            assert_eq!(errno(&reply), 1153, "{megabytes} {text}");
            // The session goes on, and the node is none the worse.
            assert_eq!(value(&mut stream, b"SELECT 5 + 6").await, b"11");
        }
        // The server closes its connection, and with it ends a transaction.
        let mut stream = client(rig, extra).await;
        answer(&mut stream, b"\x03BEGIN").await;
        assert_eq!(value(&mut stream, b"SELECT user_id FROM users WHERE user_id = 1").await, b"1");
        let sql = [b"\x03SELECT user_id, '".to_vec(), vec![b'y'; 20 << 20]];
        let sql = [sql.concat(), b"' FROM users WHERE user_id = 1".to_vec()].concat();
        assert_eq!(errno(&answer(&mut stream, &sql).await), 1153);
        // As the server itself does: the session ends, so that nothing runs outside of it.
        let mut rest = Vec::new();
        while let Ok(Some(packet)) = stream.read_packet().await {
            rest.push(packet.to_vec());
        }
        assert!(rest.iter().all(|packet| packet.first() == Some(&0xff)), "{rest:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn above_the_limit_comes_error_1153() {
    for rig in rig::shared_kinds() {
        let mut stream = client(rig, NONE).await;
        let reply =
            answer(&mut stream, &[b"\x03SELECT '".to_vec(), vec![b'y'; 70 << 20]].concat()).await;
        assert_eq!(errno(&reply), 1153);
        assert_eq!(stream.read_packet().await.unwrap(), None);
    }
}

/// Each of these, before login or behind it, ends its own connection at most.
#[tokio::test(flavor = "multi_thread")]
async fn rubbish_ends_its_own_connection_only() {
    for rig in rig::shared_kinds() {
        let mut victim = client(rig, NONE).await;
        let captured = include_str!("../data/wire/mariadb-10.11.txt");
        let login = captured.lines().find_map(|line| line.strip_prefix(">login ")).unwrap();
        let login: Vec<u8> = (0..login.len() / 2)
            .map(|at| u8::from_str_radix(&login[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        let mut pieces: Vec<Vec<u8>> = vec![
            Vec::new(),
            [0xff, 0xff, 0xff, 0].repeat(9_000),
            vec![0xff, 0xff, 0xff, 1],
            framed(b"", 1),
            framed(b"\x03SELECT 1", 1),
            framed(b"\x03SELECT 1", 0),
            framed(&[0xff; 100], 1),
            vec![0; 100_000],
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            framed(&[&login[..], &[0; 70_000]].concat(), 1),
            // A TLS request with a plain command behind it.
            [framed(&[&[0x00, 0x0a, 0, 0], &login[4..32]].concat(), 1), framed(b"\x03DROP", 2)]
                .concat(),
        ];
        pieces.extend((0..login.len()).map(|end| framed(&login[..end], 1)));
        for piece in &pieces {
            let mut raw = socket(rig).await;
            let _ = raw.write_all(piece).await;
            let _ = raw.shutdown().await;
            let mut got = Vec::new();
            let read =
                tokio::time::timeout(Duration::from_secs(20), raw.read_to_end(&mut got)).await;
            assert!(read.is_ok(), "{:?} hangs", &piece[..piece.len().min(60)]);
            // A greeting and at most one error: nothing was run.
            assert!(got.len() < 1_000, "{}", got.len());
        }
        let after: [&[u8]; 9] = [
            &[0xff, 0xff, 0xff, 0],
            &[1, 0, 0, 9, 3],
            &[0, 0, 0, 0],
            b"\x05\0\0\0\x17\x01\0\0\0",
            b"\x0b\0\0\0\x17\x01\0\0\0\0\x01\0\0\0\xff",
            b"\x02\0\0\0\x18\x01",
            b"\x02\0\0\0\x0c\x01",
            b"\x03\0\0\0\x11u\0",
            b"\xff\0\0\0\x03SELECT",
        ];
        for piece in after {
            let mut stream = client(rig, NONE).await;
            stream.write_raw(piece);
            stream.flush().await.unwrap();
            let _ = stream.shutdown().await;
            let drained = async {
                while matches!(stream.fill().await, Ok(count) if count > 0) {
                    let count = stream.buffer().len();
                    stream.consume(count);
                }
            };
            let within = tokio::time::timeout(Duration::from_secs(20), drained).await;
            assert!(within.is_ok(), "{piece:?} hangs");
        }
        assert_eq!(value(&mut victim, b"SELECT 1").await, b"1");
    }
}

/// A login that comes a byte at a time is cut off, and holds nobody else up.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_handshake_is_cut_off() {
    let Some(rig) = rig::shared(Kind::MariaDb) else { return };
    let mut slow = socket(rig).await;
    let started = std::time::Instant::now();
    let trickle = async {
        loop {
            if slow.write_all(&[0x20]).await.is_err() {
                return;
            }
            let mut room = [0; 256];
            let wait = Duration::from_millis(200);
            if let Ok(Ok(0) | Err(_)) = tokio::time::timeout(wait, slow.read(&mut room)).await {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), trickle).await.expect("cut off");
    assert!(started.elapsed() < Duration::from_secs(25));
    let mut stream = client(rig, NONE).await;
    assert_eq!(value(&mut stream, b"SELECT 1").await, b"1");
}

fn resident_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1_024
}

/// An idle connection stays small after a long statement and a long answer. (The bench measures it
/// with ten thousand.) Other tests use the same Weir meanwhile, so the middle of five rounds counts.
#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_stay_small() {
    const ROUND: usize = 50;
    let Some(rig) = rig::shared(Kind::MariaDb) else { return };
    let pid = rig.proxy.pid().unwrap();
    let long = "y".repeat(64 << 10);
    let statement = format!("SELECT REPEAT('x', 1048576), LENGTH('{long}')");
    let mut idle = Vec::new();
    let mut each = Vec::new();
    // The first round warms up allocator, pools and caches.
    for round in 0..6 {
        let before = resident_bytes(pid);
        for _ in 0..ROUND {
            let mut stream = client(rig, NONE).await;
            stream.reset_sequence();
            stream.write_with(|out| write_text(byte::QUERY, statement.as_bytes(), out));
            stream.flush().await.unwrap();
            for _ in 0..5 {
                stream.read_packet().await.unwrap().unwrap();
            }
            stream.release();
            idle.push(stream);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        if round > 0 {
            each.push(resident_bytes(pid).saturating_sub(before) / ROUND as u64);
        }
    }
    each.sort_unstable();
    assert!(each[2] <= 20 << 10, "bytes for each idle connection: {each:?}");
}

/// What a waiting session costs beside its buffers: a task this large.
#[test]
fn a_session_that_waits_is_a_small_task() {
    fn size<A, B, C, F>(_: impl Fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }
    assert!(size(weir::session::serve) <= 5 << 10, "{}", size(weir::session::serve));
}

/// A plan hit with a one-packet answer: one read and one write on each side, and nothing else. (A
/// timer made anew for each command once cost a write and a wake-up more.)
#[tokio::test(flavor = "multi_thread")]
async fn a_point_select_makes_two_reads_and_two_writes() {
    const QUERIES: usize = 100;
    if engine::find("strace").is_err() {
        return skip::say("SKIPPED: no strace, so nobody counts the system calls of a query");
    }
    if let Err(reason) = engine::available(Kind::MariaDb) {
        return skip::loudly(Kind::MariaDb, &reason);
    }
    // A Weir of its own: others' statements would be counted too.
    let options = rig::Options {
        kind: Kind::MariaDb,
        replicas: false,
        scale: Scale::SMALL,
        plain: false,
        settings: Vec::new(),
    };
    let rig = Rig::start(&options, &rig::Silent).unwrap();
    let mut stream = client(&rig, NONE).await;
    answer(&mut stream, b"\x02shop").await;
    let statement =
        |id: usize| format!("SELECT user_id FROM users WHERE user_id = {}", id % 20 + 1);
    for id in 0..50 {
        value(&mut stream, statement(id).as_bytes()).await;
    }
    let output = rig.proxy.directory.join("strace");
    let pid = rig.proxy.pid().unwrap().to_string();
    let mut tracer = reaper::command("strace")
        .args(["-f", "-p", &pid, "-o"])
        .arg(&output)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    for id in 0..QUERIES {
        value(&mut stream, statement(id).as_bytes()).await;
    }
    tracer.kill().unwrap();
    tracer.wait().unwrap();
    let trace = std::fs::read_to_string(&output).unwrap_or_default();
    // The worker that read the statements; others probe the servers meanwhile.
    let Some(worker) = trace.lines().find(|line| line.contains("SELECT user_id")) else {
        return skip::say("SKIPPED: strace may not attach to a process here");
    };
    let worker = worker.split(' ').next().unwrap();
    let count = |calls: &[&str]| {
        let of_worker = trace.lines().filter_map(|line| line.strip_prefix(worker));
        of_worker
            .filter(|line| calls.iter().any(|call| line.trim_start().starts_with(call)))
            .count()
    };
    let reads = count(&["recvfrom(", "recvmsg(", "read(", "readv("]);
    let writes = count(&["sendto(", "sendmsg(", "write(", "writev("]);
    let waits = count(&["epoll_wait(", "epoll_pwait("]);
    let most = 2 * QUERIES + QUERIES / 5;
    assert!(reads <= most && writes <= most && waits <= most, "{reads} {writes} {waits}");
    assert!(reads >= 2 * QUERIES - 2 && writes >= 2 * QUERIES - 2, "{reads} {writes}");
}

/// Reads what is left of an answer.
async fn drain(stream: &mut Stream) {
    while let Ok(Ok(Some(_))) =
        tokio::time::timeout(Duration::from_millis(300), stream.read_packet()).await
    {}
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_without_types_and_statements_that_are_reset() {
    for kind in [Kind::MariaDb, Kind::MySql] {
        let Some(rig) = rig::shared(kind) else { continue };
        let mut stream = client(rig, NONE).await;
        let sql = b"\x16SELECT user_id FROM users WHERE user_id = ?";
        let prepared = answer(&mut stream, sql).await;
        drain(&mut stream).await;
        let id = &prepared[1..5];
        let execute = |cursor: u8, types: &[u8]| {
            let head = [&[byte::STMT_EXECUTE], id, &[cursor, 1, 0, 0, 0, 0]].concat();
            [&head[..], types, &7u64.to_le_bytes()].concat()
        };
        let unbound = answer(&mut stream, &execute(0, &[0])).await;
        assert_eq!(errno(&unbound), 1210, "{kind:?}: nothing was bound yet");
        assert!(unbound.ends_with(b"[weir:wrong_arguments]"), "{}", unbound.escape_ascii());
        for _ in 0..2 {
            let opened = answer(&mut stream, &execute(1, &[1, 8, 0])).await;
            assert_eq!(errno(&opened), 0, "{kind:?}: {opened:?}");
            drain(&mut stream).await;
            let fetch = [&[byte::STMT_FETCH], id, &[5, 0, 0, 0]].concat();
            assert_eq!(errno(&answer(&mut stream, &fetch).await), 0, "{kind:?}");
            drain(&mut stream).await;
            let opened = answer(&mut stream, &execute(1, &[0])).await;
            assert_eq!(errno(&opened), 0, "{kind:?}: the types of the last execution");
            drain(&mut stream).await;
            assert_eq!(answer(&mut stream, &[&[byte::STMT_RESET], id].concat()).await[0], 0);
            assert_eq!(errno(&answer(&mut stream, &fetch).await), 1421, "{kind:?}: no cursor");
        }
        assert_eq!(value(&mut stream, b"SELECT 1").await, b"1");
    }
}
