//! The status flags that a client is sent, beside those of one plain server of each kind.
//!
//! Owns: reading them off the packets of a series of statements, and of cursors.

use tokio::net::TcpStream;
use weir::protocol::capability::Capabilities;
use weir::protocol::command::{byte, write_text};
use weir::protocol::eof::EofPacket;
use weir::protocol::ok::OkPacket;
use weir::protocol::response::Response;
use weir::protocol::status::StatusFlags;
use weir::wire::stream::{Peer, Stream};

use crate::support::rig;
use crate::wire_servers::log_in;

/// How well a statement ran is a server's own business, as is whether a handle was prepared anew.
const OWN: StatusFlags = StatusFlags::NO_GOOD_INDEX_USED
    .with(StatusFlags::NO_INDEX_USED)
    .with(StatusFlags::QUERY_WAS_SLOW)
    .with(StatusFlags::METADATA_CHANGED)
    .with(StatusFlags::SESSION_STATE_CHANGED);

const USERS: &str = "SELECT user_id FROM users WHERE user_id";

/// Each line's flags are compared; a line may hold several statements.
const SERIES: &[&str] = &[
    "SELECT 1",
    "BEGIN",
    "SELECT 1",
    "@ = 1",
    "SAVEPOINT a",
    "@ IN (1, 9)",
    "UPDATE users SET score = score WHERE user_id = 1",
    "UPDATE users SET score = score WHERE user_id = 9",
    "ROLLBACK TO SAVEPOINT a",
    "@ = 9; SELECT 2",
    "SELECT no_such_column FROM users WHERE user_id = 1",
    "SELECT 3",
    "COMMIT",
    "START TRANSACTION READ ONLY",
    "SELECT 1",
    "@x",
    "SHOW WARNINGS",
    "@ = 1",
    "@ = 9",
    "@ IN (1, 9) ORDER BY user_id",
    "SAVEPOINT a",
    "UPDATE users SET score = score WHERE user_id = 1",
    "COMMIT AND CHAIN",
    "@ = 9",
    "COMMIT",
    "START TRANSACTION READ WRITE",
    "@ = 9",
    "COMMIT",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    "@ = 9",
    "ROLLBACK",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT",
    "@ = 9",
    "@ = 1",
    "ROLLBACK",
    "SET TRANSACTION READ ONLY",
    "@ = 1",
    "@ = 1",
    "SET TRANSACTION READ ONLY",
    "BEGIN",
    "@ = 1",
    "@ = 9",
    "@ IN (1, 9)",
    "ROLLBACK",
    "SET SESSION TRANSACTION READ ONLY",
    "@ = 1",
    "BEGIN",
    "@ = 1",
    "@ = 9",
    "SELECT @@autocommit",
    "COMMIT",
    "START TRANSACTION READ WRITE",
    "@ = 1",
    "COMMIT",
    "SET autocommit = 0",
    "SELECT 1",
    "@ = 1",
    "SELECT 1",
    "@ = 9",
    "COMMIT",
    "SET SESSION TRANSACTION READ WRITE",
    "@ IN (1, 9)",
    "SHOW WARNINGS",
    "ROLLBACK",
    // Weir's next statement would open the transaction, whatever it reads: the savepoint goes with it.
    "SAVEPOINT a",
    "@ = 1",
    "ROLLBACK TO SAVEPOINT a",
    "SET autocommit = 1",
    "SELECT 1; BEGIN; @ = 1; @ = 9; COMMIT; SELECT 2",
    "@ IN (1, 9) LIMIT 1",
    "SELECT user_id FROM users WHERE user_id IN (1, 9) UNION SELECT 5",
    "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
    "SELECT 1",
    "@ = 1",
    "@ IN (1, 9)",
    "UPDATE users SET score = score WHERE user_id IN (1, 9)",
    "SHOW WARNINGS",
    "SELECT 1; @ = 9",
    "SET sql_mode = 'ANSI_QUOTES'",
    "SELECT 1",
    "@ = 1",
    "@ IN (1, 9)",
    "SET sql_mode = DEFAULT",
    "SELECT 1",
];

/// Of one shard: rows of several are merged as they come, and no cursor is opened.
const CURSOR: &str = "SELECT order_id FROM orders WHERE user_id = 1 ORDER BY order_id LIMIT 3";

/// The flags of each packet of an answer that has some, or the number of its error.
async fn flags(stream: &mut Stream) -> Vec<Result<StatusFlags, u16>> {
    let mut all = Vec::new();
    loop {
        let payload = stream.read_packet().await.expect("a packet").expect("no end").to_vec();
        let status = match Response::parse(&payload, Capabilities::WANTED).expect("a response") {
            Response::Ok(ok) => ok.status,
            Response::Err(error) => {
                all.push(Err(error.errno));
                return all;
            }
            Response::LocalInfile(_) => panic!("no file was named"),
            Response::ResultSet { columns } => {
                for _ in 0..columns {
                    stream.read_packet().await.expect("a packet").expect("a definition");
                }
                match rows(stream).await {
                    Ok(status) => status,
                    Err(errno) => {
                        all.push(Err(errno));
                        return all;
                    }
                }
            }
        };
        all.push(Ok(status.without(OWN)));
        if !status.contains(StatusFlags::MORE_RESULTS) {
            return all;
        }
    }
}

/// The flags behind rows.
async fn rows(stream: &mut Stream) -> Result<StatusFlags, u16> {
    loop {
        let payload = stream.read_packet().await.expect("a packet").expect("no end").to_vec();
        match payload.first() {
            Some(0xfe) => {
                let ok = OkPacket::parse(&payload, Capabilities::WANTED);
                return Ok(match ok {
                    Ok(ok) => ok.status,
                    Err(_) => {
                        EofPacket::parse(&payload, Capabilities::WANTED).expect("an end").status
                    }
                });
            }
            Some(0xff) => return Err(u16::from_le_bytes([payload[1], payload[2]])),
            _ => {}
        }
    }
}

async fn run(stream: &mut Stream, text: &str) -> Vec<Result<StatusFlags, u16>> {
    stream.reset_sequence();
    stream.write_with(|out| write_text(byte::QUERY, text.as_bytes(), out));
    stream.flush().await.expect("sent");
    flags(stream).await
}

async fn client(port: u16, user: &str) -> Stream {
    let socket = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    let mut stream = Stream::tcp(socket, Peer::Backend, 1 << 30);
    let extra = Capabilities::MULTI_STATEMENTS;
    log_in(&mut stream, user, user, extra, None).await.expect("a login");
    run(&mut stream, "USE shop").await;
    stream
}

/// The flags of a cursor's life: opened, fetched from until its end, closed, and behind it.
async fn of_cursor(stream: &mut Stream, sql: &str) -> Vec<Vec<Result<StatusFlags, u16>>> {
    stream.reset_sequence();
    stream.write_with(|out| write_text(byte::STMT_PREPARE, sql.as_bytes(), out));
    stream.flush().await.expect("sent");
    let prepared = stream.read_packet().await.expect("a packet").expect("an answer").to_vec();
    assert_eq!(prepared[0], 0, "{sql}");
    let columns = u16::from_le_bytes([prepared[5], prepared[6]]);
    for _ in 0..columns {
        stream.read_packet().await.expect("a packet").expect("a definition");
    }
    let id = &prepared[1..5];
    let mut all = Vec::new();
    for cursor in [0, 1] {
        stream.reset_sequence();
        let execute = [&[byte::STMT_EXECUTE], id, &[cursor, 1, 0, 0, 0]].concat();
        stream.send_packet(&execute).await.expect("sent");
        all.push(flags(stream).await);
    }
    for _ in 0..3 {
        stream.reset_sequence();
        let fetch = [&[byte::STMT_FETCH], id, &[2, 0, 0, 0]].concat();
        stream.send_packet(&fetch).await.expect("sent");
        all.push(vec![rows(stream).await.map(|status| status.without(OWN))]);
    }
    stream.reset_sequence();
    let close = [&[byte::STMT_CLOSE], id].concat();
    stream.send_packet(&close).await.expect("sent");
    all.push(run(stream, "SELECT 1").await);
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flag_is_as_one_server_sends_it() {
    let mut differing = Vec::new();
    for rig in rig::shared_kinds() {
        let kind = rig.groups[0].primary.kind;
        let mut weir = client(rig.proxy.port, "shop").await;
        let mut plain = client(rig.groups[0].primary.port, "root").await;
        for (line, text) in SERIES.iter().enumerate() {
            let text = text.replace("@ ", &format!("{USERS} ")).replace("@x", "SELECT @x");
            let (want, got) = (run(&mut plain, &text).await, run(&mut weir, &text).await);
            if want != got {
                differing.push(format!("{kind} line {line}, {text}: {want:?}, not {got:?}"));
            }
        }
        for begin in ["ROLLBACK", "BEGIN", "START TRANSACTION READ ONLY", "SET autocommit = 0"] {
            let mut want = vec![run(&mut plain, begin).await];
            let mut got = vec![run(&mut weir, begin).await];
            want.extend(of_cursor(&mut plain, CURSOR).await);
            got.extend(of_cursor(&mut weir, CURSOR).await);
            for (step, (want, got)) in want.iter().zip(&got).enumerate() {
                if want != got {
                    let what = format!("{kind}, {begin}, step {step} of a cursor");
                    differing.push(format!("{what}: {want:?}, not {got:?}"));
                }
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
