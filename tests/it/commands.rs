//! Every command besides plain queries, limits and timeouts, through a running Weir: raw clients, and
//! the same dialogue with a plain server where it has the same answer.
//!
//! Owns: the answers' bytes and errors. Never: what a statement's rows are (`differential.rs`).

use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use weir::protocol::capability::Capabilities;
use weir::protocol::command::{
    byte, write_field_list, write_long_data, write_number, write_set_option, write_text,
};
use weir::protocol::err::ErrPacket;
use weir::protocol::execute::{Parameter, ParameterType, ParameterValue, write_execute};
use weir::protocol::field::FieldType;
use weir::protocol::ok::OkPacket;
use weir::protocol::response::{PrepareOk, Response};
use weir::protocol::row::TextRow;
use weir::protocol::status::StatusFlags;
use weir::wire::stream::{Peer, Stream};

use crate::support::proxy::Proxy;
use crate::support::rig::{self, Options, Rig, Silent};
use crate::support::servers::Kind;
use crate::wire_servers::{log_in, value};

const NONE: Capabilities = Capabilities(0);
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn open(port: u16, user: &str) -> Stream {
    let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut stream = Stream::tcp(socket, Peer::Backend, 1 << 30);
    log_in(&mut stream, user, user, NONE, None).await.unwrap();
    stream
}

async fn through(proxy: &Proxy) -> Stream {
    open(proxy.port, "shop").await
}

/// The plain twin of a rig, in its schema.
async fn plain(rig: &Rig) -> Stream {
    let mut stream = open(rig.groups[0].primary.port, "root").await;
    assert_eq!(ask(&mut stream, |out| write_text(byte::INIT_DB, b"shop", out)).await[0], 0);
    stream
}

pub(crate) async fn packet(stream: &mut Stream) -> Vec<u8> {
    let read = tokio::time::timeout(PATIENCE, stream.read_packet()).await;
    read.expect("an answer in time").unwrap().expect("an answer").to_vec()
}

/// Sends a command; the first packet of its answer.
pub(crate) async fn ask(stream: &mut Stream, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    stream.reset_sequence();
    stream.write_with(write);
    stream.flush().await.unwrap();
    packet(stream).await
}

/// The whole answer to a text, one line for each packet: what a client sees but for lengths that
/// depend on what a server was last asked.
pub(crate) async fn answer(stream: &mut Stream, sql: &[u8]) -> Vec<String> {
    let mut payload = ask(stream, |out| write_text(byte::QUERY, sql, out)).await;
    let mut lines = Vec::new();
    loop {
        let status = match Response::parse(&payload, Capabilities::WANTED).unwrap() {
            Response::Ok(ok) => {
                let info = String::from_utf8_lossy(ok.info).into_owned();
                lines.push(format!("ok {} {} {info}", ok.affected_rows, ok.warnings));
                ok.status
            }
            Response::Err(error) => {
                // Weir reads messages as UTF-8, whatever the client's character set is.
                let text = String::from_utf8_lossy(error.message);
                lines.push(format!("{} {text}", error.errno));
                return lines;
            }
            Response::ResultSet { columns } => {
                for _ in 0..columns {
                    let column = packet(stream).await;
                    let column = weir::protocol::column::Column::parse(&column).unwrap();
                    lines.push(format!(
                        "{} {:?} {} {:?}",
                        column.name.escape_ascii(),
                        column.field_type,
                        column.collation,
                        column.flags,
                    ));
                }
                loop {
                    let row = packet(stream).await;
                    if row[0] == 0xfe && row.len() < 100 {
                        break OkPacket::parse(&row, Capabilities::WANTED).unwrap().status;
                    }
                    if row[0] == 0xff {
                        lines.push(format!("{} in the rows", errno(&row)));
                        return lines;
                    }
                    let mut row = TextRow::new(&row);
                    let mut values = Vec::new();
                    for _ in 0..columns {
                        let value = row.value().unwrap();
                        values.push(value.map(|bytes| bytes.escape_ascii().to_string()));
                    }
                    lines.push(format!("{values:?}"));
                }
            }
            Response::LocalInfile(_) => panic!("a file"),
        };
        if !status.contains(StatusFlags::MORE_RESULTS) {
            return lines;
        }
        payload = packet(stream).await;
    }
}

fn errno(payload: &[u8]) -> u16 {
    ErrPacket::parse(payload).map_or(0, |error| error.errno)
}

fn code(payload: &[u8]) -> String {
    String::from_utf8_lossy(payload).into_owned()
}

pub(crate) async fn prepare(stream: &mut Stream, sql: &[u8]) -> Result<PrepareOk, u16> {
    let payload = ask(stream, |out| write_text(byte::STMT_PREPARE, sql, out)).await;
    let Ok(ok) = PrepareOk::parse(&payload) else { return Err(errno(&payload)) };
    for _ in 0..ok.parameters + ok.columns {
        packet(stream).await;
    }
    Ok(ok)
}

const TEXT: ParameterType = ParameterType { field_type: FieldType(0xfe), unsigned: false };

#[tokio::test(flavor = "multi_thread")]
async fn set_option_turns_several_statements_on_and_off() {
    for rig in rig::shared_kinds() {
        let (mut weir, mut plain) = (through(&rig.proxy).await, plain(rig).await);
        let two = b"SELECT 1; SELECT 2";
        let set = |option| move |out: &mut Vec<u8>| write_set_option(option, out);
        for stream in [&mut weir, &mut plain] {
            let refused = answer(stream, two).await;
            assert!(refused.len() == 1 && refused[0].starts_with("1064 "), "{refused:?}");
        }
        // A server tells the warnings of the statement before.
        let on = ask(&mut weir, set(0)).await;
        assert_eq!(on, [0xfe, 0, 0, 2, 0, 0, 0]);
        assert_eq!(on[..5], ask(&mut plain, set(0)).await[..5]);
        let both = answer(&mut weir, two).await;
        assert_eq!(both, answer(&mut plain, two).await);
        assert_eq!(both.len(), 4, "{both:?}");
        let off = ask(&mut weir, set(1)).await;
        assert_eq!(off[..5], ask(&mut plain, set(1)).await[..5]);
        assert!(answer(&mut weir, two).await[0].starts_with("1064 "));
        let unknown = ask(&mut weir, set(7)).await;
        assert!(errno(&unknown) == 1047 && code(&unknown).contains("[weir:unknown_command]"));
        assert_eq!(errno(&ask(&mut plain, set(7)).await), 1047);
        assert_eq!(value(&mut weir, b"SELECT 5").await, b"5");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn process_kill_ends_ones_own_session_and_no_stranger_s() {
    for rig in rig::shared_kinds() {
        let (mut killer, mut victim) = (through(&rig.proxy).await, through(&rig.proxy).await);
        let id = value(&mut victim, b"SELECT CONNECTION_ID()").await;
        let id: u32 = String::from_utf8(id).unwrap().parse().unwrap();
        let kill = |id| move |out: &mut Vec<u8>| write_number(byte::PROCESS_KILL, id, out);
        let killed = ask(&mut killer, kill(id)).await;
        OkPacket::parse(&killed, Capabilities::WANTED).unwrap();
        assert_eq!(killed[0], 0);
        let last = tokio::time::timeout(PATIENCE, victim.read_packet()).await.unwrap();
        if let Ok(Some(payload)) = last {
            assert_eq!(errno(payload), 1927);
        }
        // A moment later the id is nobody's.
        let begun = Instant::now();
        while !code(&ask(&mut killer, kill(id)).await).contains("[weir:unknown_thread]") {
            assert!(begun.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(value(&mut killer, b"SELECT 5").await, b"5");
    }
}

/// Who kills itself is told what one server tells it.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_kills_itself_gets_an_error() {
    for rig in rig::shared_kinds() {
        let mut told = Vec::new();
        for is_weir in [true, false] {
            let mut numbers = Vec::new();
            for verb in ["KILL QUERY", "KILL", "KILL CONNECTION"] {
                let mut stream = if is_weir { through(&rig.proxy).await } else { plain(rig).await };
                let id = value(&mut stream, b"SELECT CONNECTION_ID()").await;
                let id = String::from_utf8(id).unwrap();
                let sql = format!("{verb} {id}");
                let answer =
                    ask(&mut stream, |out| write_text(byte::QUERY, sql.as_bytes(), out)).await;
                numbers.push(errno(&answer));
                if verb == "KILL QUERY" {
                    assert_eq!(value(&mut stream, b"SELECT 5").await, b"5");
                } else {
                    let rest = tokio::time::timeout(PATIENCE, stream.read_packet()).await.unwrap();
                    assert!(!matches!(rest, Ok(Some(_))), "{verb}: the connection has ended");
                }
            }
            told.push(numbers);
        }
        assert_eq!(told[0], told[1]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_is_a_line_of_the_same_words() {
    for rig in rig::shared_kinds() {
        let (mut weir, mut plain) = (through(&rig.proxy).await, plain(rig).await);
        let mut words = Vec::new();
        for stream in [&mut weir, &mut plain] {
            let line = ask(stream, |out| write_text(byte::STATISTICS, b"", out)).await;
            let line = String::from_utf8(line).unwrap();
            let told: Vec<String> = line
                .split("  ")
                .map(|pair| pair.split_once(": ").expect("name and number"))
                .inspect(|(name, number)| {
                    number.trim().parse::<f64>().unwrap_or_else(|_| panic!("{name}: {number}"));
                })
                .map(|(name, _)| name.to_owned())
                .collect();
            words.push(told);
        }
        for word in ["Uptime", "Threads", "Questions", "Slow queries", "Opens"] {
            assert!(words.iter().all(|told| told.iter().any(|w| w == word)), "{word} {words:?}");
        }
        assert_eq!(value(&mut weir, b"SELECT 5").await, b"5");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn field_list_describes_logical_tables() {
    for rig in rig::shared_kinds() {
        let (mut weir, mut plain) = (through(&rig.proxy).await, plain(rig).await);
        assert_eq!(ask(&mut weir, |out| write_text(byte::INIT_DB, b"shop", out)).await[0], 0);
        for (table, wildcard) in
            [("coupons", ""), ("users", ""), ("users", "re%"), ("regions", "x%")]
        {
            let mut lists = Vec::new();
            for stream in [&mut weir, &mut plain] {
                let write = |out: &mut Vec<u8>| {
                    write_field_list(table.as_bytes(), wildcard.as_bytes(), out)
                };
                let mut list = vec![ask(stream, write).await];
                while !matches!(list.last().map(Vec::as_slice), Some([0xfe | 0xff, ..])) {
                    list.push(packet(stream).await);
                }
                lists.push(list);
            }
            let shown = |list: &[Vec<u8>]| -> Vec<String> {
                list.iter().map(|packet| packet.escape_ascii().to_string()).collect()
            };
            assert_eq!(shown(&lists[0]), shown(&lists[1]), "{table} {wildcard}");
        }
        let unknown = ask(&mut weir, |out| write_field_list(b"nothing", b"", out)).await;
        assert_eq!(errno(&unknown), 1146, "{}", code(&unknown));
        assert_eq!(value(&mut weir, b"SELECT 5").await, b"5");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn init_db_and_reset_connection() {
    for rig in rig::shared_kinds() {
        let mut stream = through(&rig.proxy).await;
        let init =
            |name: &'static [u8]| move |out: &mut Vec<u8>| write_text(byte::INIT_DB, name, out);
        assert_eq!(ask(&mut stream, init(b"information_schema")).await[0], 0);
        assert_eq!(value(&mut stream, b"SELECT DATABASE()").await, b"information_schema");
        assert_eq!(ask(&mut stream, init(b"shop")).await[0], 0);
        assert_eq!(value(&mut stream, b"SELECT DATABASE()").await, b"shop");
        for name in [&b"elsewhere"[..], b"\xff\xfe", b""] {
            let refused = ask(&mut stream, |out| write_text(byte::INIT_DB, name, out)).await;
            let errno = errno(&refused);
            assert!(matches!(errno, 1044 | 1046 | 1049), "{}", code(&refused));
        }
        assert_eq!(value(&mut stream, b"SELECT DATABASE()").await, b"shop");
        // A session with everything on it, then a fresh one.
        answer(&mut stream, b"SET @a = 5, sql_mode = 'ANSI', time_zone = '+05:00'").await;
        answer(&mut stream, b"CREATE TEMPORARY TABLE of_this_session (a INT)").await;
        let statement = prepare(&mut stream, b"SELECT 1").await.unwrap().statement;
        answer(&mut stream, b"BEGIN").await;
        answer(&mut stream, b"INSERT INTO coupons VALUES ('RESET-1', 1, 1, '2030-01-01')").await;
        let reset = ask(&mut stream, |out| out.push(byte::RESET_CONNECTION)).await;
        assert_eq!(reset[0], 0);
        let status = OkPacket::parse(&reset, Capabilities::WANTED).unwrap().status;
        assert!(!status.contains(StatusFlags::IN_TRANSACTION));
        let left = answer(
            &mut stream,
            b"SELECT @a, @@sql_mode LIKE 'REAL_AS%', @@time_zone, DATABASE(), \
              (SELECT count(*) FROM coupons WHERE code = 'RESET-1')",
        )
        .await;
        let row = left.last().unwrap();
        assert_eq!(row, r#"[None, Some("0"), Some("SYSTEM"), Some("shop"), Some("0")]"#);
        let gone = answer(&mut stream, b"SELECT * FROM of_this_session").await;
        assert!(gone[0].starts_with("1146 "), "{gone:?}");
        let gone = ask(&mut stream, |out| write_execute(statement, 0, &[], out)).await;
        assert_eq!(errno(&gone), 1243, "{}", code(&gone));
        assert!(code(&gone).contains("[weir:unknown_statement]"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_data_arrives_in_pieces_and_is_bounded() {
    for rig in rig::shared_kinds() {
        let (small, _) = rig.another(&[("limits", "long_data: 1MiB".to_owned())]).unwrap();
        let mut streams = [through(&rig.proxy).await, plain(rig).await, through(&small).await];
        for stream in &mut streams {
            let statement = prepare(stream, b"SELECT LENGTH(?), ?").await.unwrap().statement;
            let parameters = [
                Parameter { kind: TEXT, value: ParameterValue::LongData },
                Parameter { kind: TEXT, value: ParameterValue::Raw(b"short") },
            ];
            for _ in 0..2 {
                for piece in [vec![b'x'; 300_000], Vec::new(), vec![b'y'; 300_000]] {
                    stream.reset_sequence();
                    stream.write_with(|out| write_long_data(statement, 0, &piece, out));
                }
                let first = ask(stream, |out| write_execute(statement, 0, &parameters, out)).await;
                assert_eq!(first, [2], "{}", code(&first));
                for _ in 0..2 {
                    packet(stream).await;
                }
                let row = packet(stream).await;
                let text = row.windows(5).any(|part| part == b"short");
                assert!(text && row.windows(4).any(|part| part == 600_000_u32.to_le_bytes()));
                assert_eq!(packet(stream).await[0], 0xfe);
                let reset = |out: &mut Vec<u8>| write_number(byte::STMT_RESET, statement, out);
                assert_eq!(ask(stream, reset).await[0], 0);
            }
        }
        // Beyond the limit there is no answer until the execution.
        let stream = &mut streams[2];
        let statement = prepare(stream, b"SELECT LENGTH(?)").await.unwrap().statement;
        for _ in 0..3 {
            stream.reset_sequence();
            stream.write_with(|out| write_long_data(statement, 0, &[b'x'; 400_000], out));
        }
        let parameters = [Parameter { kind: TEXT, value: ParameterValue::LongData }];
        let refused = ask(stream, |out| write_execute(statement, 0, &parameters, out)).await;
        assert_eq!(errno(&refused), 1153, "{}", code(&refused));
        assert!(code(&refused).contains("(limits.long_data) [weir:long_data]"));
        assert_eq!(value(stream, b"SELECT 5").await, b"5");
    }
}

/// Bytes that aren't UTF-8 mean what the connection's character set makes of them.
#[test]
fn statements_that_are_not_utf8() {
    let _quiet = rig::quiet();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(not_utf8());
}

async fn not_utf8() {
    for rig in rig::shared_kinds() {
        let (mut weir, mut plain) = (through(&rig.proxy).await, plain(rig).await);
        answer(&mut weir, b"USE shop").await;
        let dialogue: [&[u8]; 25] = [
            b"SET NAMES latin1",
            b"SELECT 'caf\xe9' AS 'caf\xe9', HEX('caf\xe9'), CHAR_LENGTH('caf\xe9')",
            b"SELECT name FROM users WHERE user_id = 1 AND name <> '\xe9\xff\\' \xfe'",
            b"INSERT INTO users (user_id, name, email, region_id, registered_at) VALUES \
              (930001, 'Ren\xe9', '\xff', 1, '2024-01-01'), (930002, '\xa4', 'x', 1, '2024-01-01')",
            b"SELECT user_id, name, email, HEX(name) FROM users WHERE user_id IN (930001, 930002) \
              AND name IN ('Ren\xe9', '\xa4') ORDER BY user_id",
            b"SELECT count(*) FROM users WHERE name LIKE 'Ren\xe9%'",
            b"SELECT caf\xe9 FROM users WHERE user_id = 1",
            b"SELECT * FROM caf\xe9",
            b"SET NAMES gbk",
            // 0xbf5c is one character: its second byte is no backslash, and the quote ends the text.
            b"SELECT HEX('\xbf\x5c'), CHAR_LENGTH('\xbf\x5c'), 'x'",
            b"SELECT '\xbf\x5c' = '\xbf\x5c' AS '\xbf\x5c', \"\xbf\x5c\" AS b /* \xbf\x5c*/",
            b"SELECT HEX('a\x5c\x5c'), 'it\x5c's', '\xbf\x27\x27'",
            b"UPDATE users SET name = '\xd5\xc5\xbf\x5c' WHERE user_id = 930001",
            b"SELECT user_id, name FROM users WHERE user_id = 930001 AND name = '\xd5\xc5\xbf\x5c'",
            b"SELECT user_id, name FROM users WHERE name = '\xd5\xc5\xbf\x5c' ORDER BY user_id",
            b"SET NAMES utf8mb4",
            b"SELECT HEX(name) FROM users WHERE user_id IN (930001, 930002) ORDER BY user_id",
            b"SELECT '\xff'",
            b"SELECT HEX('a\xff'), LENGTH('\xff')",
            b"SELECT user_id FROM users WHERE user_id = 930001 AND name = '\xff'",
            b"SELECT HEX(_latin1'\xff'), HEX(_binary'\xff\xfe'), HEX(x'ff')",
            b"UPDATE users SET name = '\xff' WHERE user_id = 930001",
            b"SET NAMES binary",
            b"SELECT HEX('\xff\x5c\x5c'), '\xff'",
            b"DELETE FROM users WHERE user_id IN (930001, 930002)",
        ];
        for sql in dialogue {
            let (ours, theirs) = (answer(&mut weir, sql).await, answer(&mut plain, sql).await);
            assert_eq!(ours, theirs, "{}", sql.escape_ascii());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_around_sixteen_mebibytes_and_of_forty_pass_both_ways() {
    for kind in Kind::ALL {
        if rig::shared(kind).is_none() {
            continue;
        }
        let extra = ["--max-allowed-packet=64M"];
        let rig = Rig::start_on(&Options::small(kind), &extra, &Silent).unwrap();
        for compress in [NONE, Capabilities::COMPRESS] {
            let socket = TcpStream::connect(("127.0.0.1", rig.proxy.port)).await.unwrap();
            let mut stream = Stream::tcp(socket, Peer::Backend, 1 << 30);
            log_in(&mut stream, "shop", "shop", compress, None).await.unwrap();
            // The statement's frame is 18 bytes: the packet is below, at and above the border.
            let border = (1 << 24) - 1;
            for length in [border - 19, border - 18, border - 17, 40 << 20] {
                let sql =
                    [b"SELECT LENGTH('".to_vec(), vec![b'y'; length], b"')".to_vec()].concat();
                assert_eq!(value(&mut stream, &sql).await, length.to_string().as_bytes());
            }
            // The row has a length of 4 bytes, or of 9.
            for length in [border - 5, border - 4, border - 3, border + 1, 40 << 20] {
                let sql = format!("SELECT REPEAT('x', {length})");
                let found = value(&mut stream, sql.as_bytes()).await;
                assert!(
                    found.len() == length && found.iter().all(|byte| *byte == b'x'),
                    "{length}"
                );
            }
            assert_eq!(value(&mut stream, b"SELECT 5").await, b"5");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_have_errors_that_name_them() {
    for rig in rig::shared_kinds() {
        let settings = [
            ("limits", "prepared_statements: 3".to_owned()),
            ("limits", "multi_statements: 2".to_owned()),
            ("limits", "max_handshakes: 2".to_owned()),
        ];
        let (proxy, _) = rig.another(&settings).unwrap();
        let mut stream = through(&proxy).await;
        let mut handles = Vec::new();
        for _ in 0..3 {
            handles.push(prepare(&mut stream, b"SELECT 1").await.unwrap().statement);
        }
        assert_eq!(prepare(&mut stream, b"SELECT 1").await.err(), Some(1461));
        stream.reset_sequence();
        stream.write_with(|out| write_number(byte::STMT_CLOSE, handles[0], out));
        prepare(&mut stream, b"SELECT 2").await.unwrap();
        assert_eq!(prepare(&mut stream, b"SELECT 1").await.err(), Some(1461));
        let refused =
            ask(&mut stream, |out| write_text(byte::STMT_PREPARE, b"SELECT 1", out)).await;
        assert!(code(&refused).contains("[weir:too_many_statements]"), "{}", code(&refused));
        ask(&mut stream, |out| write_set_option(0, out)).await;
        let two = answer(&mut stream, b"SELECT 1; SELECT 2").await;
        assert_eq!(two.len(), 4, "{two:?}");
        let three = answer(&mut stream, b"SELECT 1; SELECT 2; SELECT 3").await;
        let last = three.last().unwrap();
        let told = last.contains("(limits.multi_statements) [weir:multi_statements]");
        assert!(last.starts_with("1235 ") && told, "{three:?}");
        // Two that say nothing take the door; the third is told, and sessions go on.
        let address = ("127.0.0.1", proxy.port);
        let mut waiting = Vec::new();
        for _ in 0..2 {
            let socket = TcpStream::connect(address).await.unwrap();
            let mut waits = Stream::tcp(socket, Peer::Backend, 1 << 20);
            assert_eq!(packet(&mut waits).await[0], 10, "a greeting");
            waiting.push(waits);
        }
        let socket = TcpStream::connect(address).await.unwrap();
        let refused = packet(&mut Stream::tcp(socket, Peer::Backend, 1 << 20)).await;
        assert_eq!(errno(&refused), 1040, "{}", code(&refused));
        assert!(code(&refused).contains("[weir:too_many_connections]"));
        assert_eq!(value(&mut stream, b"SELECT 5").await, b"5");
        drop(waiting);
        let begun = Instant::now();
        loop {
            let socket = TcpStream::connect(address).await.unwrap();
            let mut next = Stream::tcp(socket, Peer::Backend, 1 << 20);
            if packet(&mut next).await[0] == 10 {
                break;
            }
            assert!(begun.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_sit_idle_are_ended() {
    for rig in rig::shared_kinds() {
        let settings = [
            ("timeouts", "idle: 2s".to_owned()),
            ("timeouts", "idle_in_transaction: 1s".to_owned()),
        ];
        let (proxy, _) = rig.another(&settings).unwrap();
        for in_transaction in [false, true] {
            let mut stream = through(&proxy).await;
            if in_transaction {
                answer(&mut stream, b"BEGIN").await;
                let insert = b"INSERT INTO coupons VALUES ('IDLE-1', 1, 1, '2030-01-01')";
                assert_eq!(answer(&mut stream, insert).await, ["ok 1 0 "]);
            }
            let begun = Instant::now();
            // It answers no command: the id is the first one's, as a server's is.
            stream.reset_sequence();
            let last = packet(&mut stream).await;
            let least = if in_transaction { 900 } else { 1_900 };
            let took = begun.elapsed();
            assert!((least..least + 2_000).contains(&took.as_millis()), "{took:?}");
            assert_eq!(errno(&last), 4031, "{}", code(&last));
            let name =
                if in_transaction { "timeouts.idle_in_transaction" } else { "(timeouts.idle)" };
            assert!(code(&last).contains(name), "{}", code(&last));
            assert!(code(&last).contains("[weir:idle_timeout]"), "{}", code(&last));
            assert!(matches!(stream.read_packet().await, Ok(None) | Err(_)));
        }
        let mut stream = through(&rig.proxy).await;
        let left = value(&mut stream, b"SELECT count(*) FROM coupons WHERE code = 'IDLE-1'").await;
        assert_eq!(left, b"0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_is_let_go() {
    for rig in rig::shared_kinds() {
        let (proxy, _) = rig.another(&[("timeouts", "client_write: 1s".to_owned())]).unwrap();
        let texts: [&[u8]; 2] = [
            // Relayed from one server, and merged from all.
            b"SELECT a.name, REPEAT('x', 10000) FROM users a, users b WHERE a.user_id = 1 \
              AND b.user_id = 1 UNION ALL SELECT 'y', REPEAT('y', 10000000)",
            b"SELECT user_id, REPEAT('x', 200000) FROM users ORDER BY user_id",
        ];
        for text in texts {
            let mut stream = through(&proxy).await;
            stream.reset_sequence();
            stream.write_with(|out| write_text(byte::QUERY, text, out));
            stream.flush().await.unwrap();
            let begun = Instant::now();
            tokio::time::sleep(Duration::from_millis(500)).await;
            let shop = || {
                let rows = proxy.admin("SHOW CLIENTS").unwrap();
                rows.iter().filter(|row| row[1] == "shop").count()
            };
            assert_eq!(shop(), 1, "it waits");
            while shop() > 0 {
                assert!(begun.elapsed() < Duration::from_secs(15), "{}", code(text));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            // What came of it ends in the middle.
            let mut bytes = 0;
            while let Ok(Some(payload)) = stream.read_packet().await {
                bytes += payload.len();
            }
            assert!(bytes < 9_000_000, "{bytes}");
        }
        // The servers had no part in it.
        for node in proxy.admin("SHOW NODES").unwrap() {
            assert_eq!((node[4].as_str(), node[5].as_str()), ("up", ""), "{node:?}");
        }
    }
}
