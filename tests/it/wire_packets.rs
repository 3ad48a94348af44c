//! Packets byte by byte: what real servers sent (`tests/data/wire`), every truncation of it, rubbish,
//! and round trips.

#[path = "../fuzz/packets.rs"]
mod fuzz;

use fuzz::parse_everything;
use proptest::prelude::*;
use weir::error::Error;
use weir::protocol::auth_switch::{AuthReply, AuthSwitch, write_more_data};
use weir::protocol::binary_value::{ColumnKind, from_text, put_float, to_text};
use weir::protocol::capability::Capabilities;
use weir::protocol::change_user::ChangeUser;
use weir::protocol::column::{Column, Rename};
use weir::protocol::command::{self, Command};
use weir::protocol::compress;
use weir::protocol::eof::EofPacket;
use weir::protocol::err::{ErrPacket, write_error};
use weir::protocol::execute::{Execute, Parameter, ParameterType, ParameterValue, write_execute};
use weir::protocol::field::{FieldFlags, FieldType};
use weir::protocol::framing::{HEADER_LENGTH, MAX_CHUNK, seal};
use weir::protocol::greeting::Greeting;
use weir::protocol::login::{FirstPacket, Login, attributes, put_attribute};
use weir::protocol::ok::{OkHeader, OkPacket};
use weir::protocol::proxy_header::ProxyHeader;
use weir::protocol::reader::{Reader, put_lenenc};
use weir::protocol::response::{PrepareOk, Response, write_column_count};
use weir::protocol::row::{RowIndex, TextRow, write_binary_row, write_text_row};
use weir::protocol::session_track::{SessionChange, SessionChanges, put_change};
use weir::protocol::status::StatusFlags;

const MARIADB: &str = include_str!("../data/wire/mariadb-10.11.txt");
const MYSQL: &str = include_str!("../data/wire/mysql-9.7.txt");

/// What the capturing client negotiated.
const CAPTURED: Capabilities = Capabilities(
    Capabilities::OFFERED.with(Capabilities::SESSION_TRACK).0
        & !Capabilities::FOUND_ROWS.0
        & !Capabilities::INTERACTIVE.0,
);

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Name and payload of each captured packet.
fn captured(file: &str) -> Vec<(&str, Vec<u8>)> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').unwrap()).map(|(name, hex)| (name, unhex(hex))).collect()
}

fn first(file: &str, name: &str) -> Vec<u8> {
    captured(file).into_iter().find(|(other, _)| *other == name).unwrap().1
}

fn all(file: &str, name: &str) -> Vec<Vec<u8>> {
    let packets = captured(file).into_iter();
    packets.filter(|(other, _)| *other == name).map(|(_, payload)| payload).collect()
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

#[test]
fn every_truncation_of_what_servers_sent() {
    for file in [MARIADB, MYSQL] {
        for (_, payload) in captured(file) {
            for end in 0..=payload.len() {
                parse_everything(&payload[..end]);
            }
        }
    }
}

#[test]
fn the_fuzzer_s_corpus() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/corpus/packets");
    let files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 50);
    for file in files {
        parse_everything(&std::fs::read(file).unwrap());
    }
}

#[test]
fn what_is_cut_is_an_error() {
    // Each of these packets is read to its end, so that no prefix of it may pass.
    let column = first(MARIADB, "select.column");
    for end in 0..column.len() {
        assert!(Column::parse(&column[..end]).is_err(), "{end}");
    }
    let track = first(MYSQL, "setvar.ok");
    // Seven bytes are a whole OK packet without its tail, and eight one with an empty info.
    for end in (0..7).chain(9..track.len()) {
        assert!(OkPacket::parse(&track[..end], CAPTURED).is_err(), "{end}");
    }
    let row = first(MARIADB, "execute.binary_row");
    let types = types(MARIADB, "execute.column");
    for end in 0..row.len() {
        assert!(RowIndex::default().binary(&row[..end], &types).is_err(), "{end}");
    }
    let row = first(MARIADB, "select.row");
    for end in 0..row.len() {
        assert!(RowIndex::default().text(&row[..end], types.len()).is_err(), "{end}");
    }
    let greeting = first(MYSQL, "greeting");
    for end in 0..greeting.len() - 22 {
        assert!(Greeting::parse(&greeting[..end]).is_err(), "{end}");
    }
}

fn types(file: &str, name: &str) -> Vec<FieldType> {
    all(file, name).iter().map(|payload| Column::parse(payload).unwrap().field_type).collect()
}

#[test]
fn greetings() {
    let payload = first(MARIADB, "greeting");
    let greeting = Greeting::parse(&payload).unwrap();
    assert_eq!(greeting.server_version, b"5.5.5-10.11.19-MariaDB-0+deb12u1");
    assert_eq!(greeting.plugin, b"mysql_native_password");
    assert!(!greeting.capabilities.contains(Capabilities::LONG_PASSWORD));
    assert_ne!(greeting.extended_capabilities, 0);
    let payload = first(MYSQL, "greeting");
    let greeting = Greeting::parse(&payload).unwrap();
    assert_eq!(greeting.server_version, b"9.7.4-2");
    assert_eq!(greeting.plugin, b"caching_sha2_password");
    assert_eq!(greeting.collation, 255);
    assert_eq!(greeting.extended_capabilities, 0);
    assert_eq!(written(|out| greeting.write(out)), payload);
}

#[test]
fn logins() {
    for file in [MARIADB, MYSQL] {
        let payload = first(file, ">login");
        let Ok(FirstPacket::Login(login)) = FirstPacket::parse(&payload) else {
            panic!("no login")
        };
        assert_eq!(
            (login.user, login.database, login.collation),
            (&b"root"[..], &b"mysql"[..], 45)
        );
        assert_eq!(
            attributes(login.attributes).collect::<Vec<_>>(),
            [(&b"_os"[..], &b"Linux"[..])]
        );
        assert_eq!(written(|out| login.write(out)), payload);
    }
    // Old and lazy clients leave fields out.
    let head = |bits: Capabilities| {
        let mut payload = (Capabilities::PROTOCOL_41 | bits).0.to_le_bytes().to_vec();
        payload.extend_from_slice(&[0, 0, 0, 1, 33]);
        payload.extend_from_slice(&[0; 23]);
        payload
    };
    let mut payload = head(Capabilities::SECURE_CONNECTION | Capabilities::CONNECT_WITH_DB);
    payload.extend_from_slice(b"u\0\x03abcdb");
    let login = Login::parse(&payload).unwrap();
    assert_eq!(
        (login.auth_response, login.database, login.plugin),
        (&b"abc"[..], &b"db"[..], &b""[..])
    );
    let mut payload = head(Capabilities::default());
    payload.extend_from_slice(b"u\0pw\0");
    assert_eq!(Login::parse(&payload).unwrap().auth_response, b"pw");
    // The protocol before 4.1 is refused, not misread.
    assert!(Login::parse(&[0x85, 0xa6, 3, 0, 0, 1, b'u', 0, b'p', 0]).is_err());
    // More attributes than 64 KiB.
    let mut block = Vec::new();
    put_attribute(&mut block, b"name", &vec![b'x'; 70_000]);
    let mut large = login;
    large.attributes = &block;
    assert!(Login::parse(&written(|out| large.write(out))).is_err());
}

#[test]
fn ok_packets_survive_a_round_trip() {
    for file in [MARIADB, MYSQL] {
        for (name, payload) in captured(file) {
            let header = match name.rsplit('.').next() {
                Some("ok") if name != "prepare.ok" => OkHeader::Plain,
                Some("end") => OkHeader::EndOfRows,
                _ => continue,
            };
            let ok = OkPacket::parse(&payload, CAPTURED).unwrap();
            assert_eq!(written(|out| ok.write(header, CAPTURED, out)), payload, "{name}");
            assert!(SessionChanges::new(ok.session_state).all(|change| change.is_ok()), "{name}");
            let mut block = Vec::new();
            for change in SessionChanges::new(ok.session_state) {
                put_change(&mut block, &change.unwrap());
            }
            assert_eq!(block, ok.session_state, "{name}");
        }
    }
}

#[test]
fn session_changes() {
    let changes = |file, name| {
        let payload = first(file, name);
        let ok = OkPacket::parse(&payload, CAPTURED).unwrap();
        let list = SessionChanges::new(ok.session_state).map(Result::unwrap);
        list.map(|change| format!("{change:?}")).collect::<Vec<_>>()
    };
    let text = |change: SessionChange<'_>| format!("{change:?}");
    for file in [MARIADB, MYSQL] {
        let set = changes(file, "setvar.ok");
        assert!(set.contains(&text(SessionChange::SystemVariable {
            name: b"time_zone",
            value: b"+01:00"
        })));
        assert!(set.contains(&text(SessionChange::StateChange(true))));
        assert!(changes(file, "use_db.ok").contains(&text(SessionChange::Schema(b"weir_capture"))));
        let begin = changes(file, "begin.ok");
        assert!(begin.contains(&text(SessionChange::TransactionState(b"T_______"))));
        assert!(
            begin.contains(&text(SessionChange::TransactionCharacteristics(b"START TRANSACTION;")))
        );
        let insert = first(file, "insert.ok");
        let insert = OkPacket::parse(&insert, CAPTURED).unwrap();
        assert_eq!((insert.affected_rows, insert.last_insert_id), (3, 1));
        assert_eq!(insert.info, b"Records: 3  Duplicates: 0  Warnings: 0");
        assert!(insert.status.contains(StatusFlags::IN_TRANSACTION));
    }
    // Several pairs in one entry, a GTID, an unknown kind; then damage.
    let block = unhex("00 0a 01 61 01 31 04 6e 61 6d 65 00  03 04 00 02 78 79  09 01 7a");
    let list: Vec<_> = SessionChanges::new(&block).map(Result::unwrap).collect();
    assert_eq!(
        list,
        [
            SessionChange::SystemVariable { name: b"a", value: b"1" },
            SessionChange::SystemVariable { name: b"name", value: b"" },
            SessionChange::Gtids(b"xy"),
            SessionChange::Unknown { kind: 9, data: b"z" },
        ]
    );
    let mut damaged = SessionChanges::new(&block[..block.len() - 1]).skip(3);
    assert!(damaged.next().unwrap().is_err());
    assert!(damaged.next().is_none());
}

#[test]
fn the_state_flag_follows_what_is_written() {
    let ok = OkPacket {
        status: StatusFlags::AUTOCOMMIT | StatusFlags::SESSION_STATE_CHANGED,
        info: b"i",
        ..OkPacket::default()
    };
    let out = written(|out| ok.write(OkHeader::Plain, CAPTURED, out));
    assert_eq!(out, b"\0\0\0\x02\0\0\0\x01i");
    let stateful = OkPacket { session_state: b"\x02\x011", ..ok };
    let out = written(|out| stateful.write(OkHeader::EndOfRows, CAPTURED, out));
    assert_eq!(out, b"\xfe\0\0\x02\x40\0\0\x01i\x03\x02\x011");
    // A client without tracking gets neither flag nor state.
    let plain = CAPTURED.without(Capabilities::SESSION_TRACK);
    assert_eq!(
        written(|out| stateful.write(OkHeader::Plain, plain, out)),
        b"\0\0\0\x02\0\0\0\x01i"
    );
}

#[test]
fn errors_with_and_without_sqlstate() {
    for file in [MARIADB, MYSQL] {
        let payload = first(file, "err.err");
        let err = ErrPacket::parse(&payload).unwrap();
        assert_eq!((err.errno, err.sqlstate), (1146, Some(*b"42S02")));
        assert_eq!(err.message, b"Table 'weir_capture.nowhere' doesn't exist");
        assert_eq!(written(|out| err.write(CAPTURED, out)), payload);
    }
    let err = ErrPacket::parse(b"\xff\x69\x04Host is blocked").unwrap();
    assert_eq!((err.errno, err.sqlstate, err.message), (1129, None, &b"Host is blocked"[..]));
    assert_eq!(err.to_error().sqlstate, *b"HY000");
    assert_eq!(
        written(|out| err.write(Capabilities::default(), out)),
        b"\xff\x69\x04Host is blocked"
    );
    // A `#` that heads no SQLSTATE belongs to the message.
    assert_eq!(ErrPacket::parse(b"\xff\x01\x00#abc").unwrap().message, b"#abc");
    // Long texts are cut on a character's border, the stable code stays.
    let error = Error::refused("too_long", "ä".repeat(600));
    let out = written(|out| write_error(&error, CAPTURED, out));
    let text = std::str::from_utf8(&out[9..]).unwrap();
    assert!(text.len() <= 512 && text.ends_with("ä [weir:too_long]"));
}

#[test]
fn eof_packets() {
    let eof = EofPacket::parse(&unhex("fe 01 00 02 00"), CAPTURED).unwrap();
    assert_eq!(eof, EofPacket { warnings: 1, status: StatusFlags::AUTOCOMMIT });
    assert_eq!(written(|out| eof.write(CAPTURED, out)), unhex("fe 01 00 02 00"));
    assert!(EofPacket::is_eof(&unhex("fe 01 00 02 00")));
    assert!(!EofPacket::is_eof(&unhex("fe 00 00 00 01 00 00 00 00")));
}

#[test]
fn column_definitions() {
    for file in [MARIADB, MYSQL] {
        let payloads =
            [all(file, "select.column"), all(file, "execute.column"), all(file, "prepare.column")];
        for payload in payloads.iter().flatten() {
            let column = Column::parse(payload).unwrap();
            assert_eq!(written(|out| column.write(out)), *payload);
        }
        let columns: Vec<_> =
            payloads[0].iter().map(|payload| Column::parse(payload).unwrap()).collect();
        assert_eq!(columns.len(), 23);
        let id = columns[0];
        assert_eq!((id.schema, id.table, id.name), (&b"weir_capture"[..], &b"t"[..], &b"id"[..]));
        assert_eq!(id.field_type, FieldType::LONGLONG);
        assert!(id.flags.contains(FieldFlags::UNSIGNED.with(FieldFlags::AUTO_INCREMENT)));
        let alias = first(file, "empty.column");
        assert_eq!(Column::parse(&alias).unwrap().table, b"x");
        for payload in all(file, "field_list.column") {
            let column = Column::parse(&payload).unwrap();
            assert!(column.default.is_some());
            assert_eq!(written(|out| column.write(out)), payload);
        }
        let rename =
            Rename { schema: Some(b"shop"), org_table: Some(b"orders"), ..Rename::default() };
        let renamed = written(|out| id.renamed(&rename).write(out));
        let renamed = Column::parse(&renamed).unwrap();
        assert_eq!(
            (renamed.schema, renamed.table, renamed.org_table),
            (&b"shop"[..], &b"t"[..], &b"orders"[..])
        );
        assert_eq!(Column { schema: id.schema, org_table: id.org_table, ..renamed }, id);
    }
}

#[test]
fn responses() {
    fn parse(payload: &[u8]) -> Result<Response<'_>, &'static str> {
        Response::parse(payload, CAPTURED).map_err(|error| error.code)
    }
    assert_eq!(parse(b"\x03"), Ok(Response::ResultSet { columns: 3 }));
    assert_eq!(parse(b"\xfb/etc/passwd"), Ok(Response::LocalInfile(b"/etc/passwd")));
    assert_eq!(parse(b"\xfc\x00\x10"), Ok(Response::ResultSet { columns: 4_096 }));
    assert_eq!(parse(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff"), Err("malformed_packet"));
    assert_eq!(parse(b"\x03rest"), Err("malformed_packet"));
    assert_eq!(parse(b""), Err("malformed_packet"));
    assert_eq!(written(|out| write_column_count(300, out)), b"\xfc\x2c\x01");
    let payload = first(MARIADB, "prepare.ok");
    let ok = PrepareOk::parse(&payload).unwrap();
    assert_eq!(ok, PrepareOk { statement: 2, columns: 23, parameters: 1, warnings: 0 });
    assert_eq!(written(|out| ok.write(out)), payload);
}

#[test]
fn login_replies() {
    fn parse(payload: &[u8]) -> Result<AuthReply<'_>, Error> {
        AuthReply::parse(payload, CAPTURED)
    }
    let switch = AuthSwitch { plugin: b"mysql_native_password", data: b"12345678901234567890" };
    let payload = written(|out| switch.write(out));
    assert_eq!(payload, b"\xfemysql_native_password\x0012345678901234567890\0");
    assert_eq!(parse(&payload), Ok(AuthReply::Switch(switch)));
    let old = AuthSwitch { plugin: b"mysql_old_password", data: b"" };
    assert_eq!(parse(b"\xfe"), Ok(AuthReply::Switch(old)));
    let more = written(|out| write_more_data(&[3], out));
    assert_eq!(parse(&more), Ok(AuthReply::More(&[3])));
    assert!(parse(b"\x05").is_err());
}

#[test]
fn commands() {
    fn parse(payload: &[u8]) -> Result<Command<'_>, u16> {
        Command::parse(payload, CAPTURED).map_err(|error| error.errno)
    }
    assert_eq!(parse(b"\x03SELECT \xff"), Ok(Command::Query(b"SELECT \xff")));
    assert_eq!(parse(b"\x0c\x07\0\0\0"), Ok(Command::ProcessKill(7)));
    assert_eq!(parse(b"\x1b\x01\0"), Ok(Command::SetOption(1)));
    assert_eq!(
        parse(b"\x1c\x01\0\0\0\x64\0\0\0"),
        Ok(Command::StmtFetch { statement: 1, rows: 100 })
    );
    assert_eq!(
        parse(b"\x04t\0wild%\0"),
        Ok(Command::FieldList { table: b"t", wildcard: b"wild%" })
    );
    let long = Command::StmtSendLongData { statement: 2, parameter: 3, data: b"xyz" };
    assert_eq!(parse(b"\x18\x02\0\0\0\x03\0xyz"), Ok(long));
    assert_eq!(
        written(|out| command::write_long_data(2, 3, b"xyz", out)),
        b"\x18\x02\0\0\0\x03\0xyz"
    );
    assert_eq!(written(|out| command::write_fetch(1, 100, out)), b"\x1c\x01\0\0\0\x64\0\0\0");
    assert_eq!(written(|out| command::write_field_list(b"t", b"w", out)), b"\x04t\0w");
    assert_eq!(written(|out| command::write_set_option(1, out)), b"\x1b\x01\0");
    for byte in [0x00, 0x05, 0x08, 0x12, 0x1d, 0x20, 0x60, 0xff] {
        assert_eq!(parse(&[byte]), Ok(Command::Other(byte)));
    }
    for payload in
        [&b""[..], b"\x0c\x01", b"\x1b", b"\x17\x01\0\0\0\0", b"\x18\x01\0\0\0", b"\x19\x01"]
    {
        assert_eq!(parse(payload), Err(1835), "{payload:?}");
    }
}

#[test]
fn change_user() {
    let change = ChangeUser {
        user: b"u",
        auth_response: b"12345678901234567890",
        database: b"db",
        collation: Some(45),
        plugin: b"mysql_native_password",
        attributes: b"\x01a\x01b",
    };
    let payload = written(|out| change.write(CAPTURED, out));
    assert_eq!(
        payload,
        b"\x11u\0\x1412345678901234567890db\0\x2d\0mysql_native_password\0\x04\x01a\x01b"
    );
    assert_eq!(Command::parse(&payload, CAPTURED), Ok(Command::ChangeUser(change)));
    let short = ChangeUser::parse(b"\x11u\0\0db\0", CAPTURED).unwrap();
    assert_eq!((short.database, short.collation, short.plugin), (&b"db"[..], None, &b""[..]));
}

#[test]
fn executions() {
    let string = ParameterType { field_type: FieldType::VAR_STRING, unsigned: false };
    let number = ParameterType { field_type: FieldType::LONGLONG, unsigned: true };
    let date = ParameterType { field_type: FieldType::DATETIME, unsigned: false };
    let parameters = [
        Parameter { kind: string, value: ParameterValue::Raw(b"abc") },
        Parameter { kind: number, value: ParameterValue::Raw(&[1, 0, 0, 0, 0, 0, 0, 0]) },
        Parameter { kind: date, value: ParameterValue::Raw(&[0xe8, 7, 2, 29]) },
        Parameter { kind: string, value: ParameterValue::Null },
        Parameter { kind: string, value: ParameterValue::LongData },
    ];
    let payload = written(|out| write_execute(9, 1, &parameters, out));
    assert_eq!(
        payload,
        unhex(
            "17 09000000 01 01000000 08 01 fd00 0880 0c00 fd00 fd00 03616263 0100000000000000 04e8070 21d"
        )
    );
    let execute = Execute::parse(&payload).unwrap();
    assert_eq!((execute.statement, execute.cursor, execute.iterations), (9, 1, 1));
    let bound = execute.parameters(5, &[], |index| index == 4).unwrap();
    assert!(bound.types_sent);
    assert_eq!(bound.parameters[..], parameters);
    // The next run sends no types: those of the last one hold.
    let mut again = payload[..11].to_vec();
    again.push(0);
    again.extend_from_slice(&payload[22..]);
    let kinds: Vec<_> = parameters.iter().map(|parameter| parameter.kind).collect();
    let bound = Execute::parse(&again).unwrap().parameters(5, &kinds, |index| index == 4).unwrap();
    assert!(!bound.types_sent);
    assert_eq!(bound.parameters[..], parameters);
    assert!(Execute::parse(&again).unwrap().parameters(5, &[], |_| false).is_err());
    // Unknown types, a bitmap that isn't there, values that are cut.
    let mut wrong = payload.clone();
    wrong[12] = 0x20;
    assert!(Execute::parse(&wrong).unwrap().parameters(5, &[], |_| false).is_err());
    for end in 10..payload.len() {
        let cut = Execute::parse(&payload[..end]).unwrap();
        assert!(cut.parameters(5, &[], |index| index == 4).is_err(), "{end}");
        assert!(cut.parameters(65_535, &[], |_| false).is_err());
    }
    assert_eq!(
        Execute::parse(&payload[..10]).unwrap().parameters(0, &[], |_| false).unwrap().parameters[..],
        []
    );
}

/// Each value of the captured binary rows becomes the text that the server sent for the same row.
#[test]
fn binary_rows_become_the_server_s_text() {
    for file in [MARIADB, MYSQL] {
        let text_columns = all(file, "select.column");
        let columns = all(file, "execute.column");
        let types = types(file, "execute.column");
        let (text_rows, binary_rows) = (all(file, "select.row"), all(file, "execute.binary_row"));
        assert_eq!((text_rows.len(), binary_rows.len()), (3, 3));
        for (text, binary) in text_rows.iter().zip(&binary_rows) {
            let (mut texts, mut raws) = (RowIndex::default(), RowIndex::default());
            texts.text(text, types.len()).unwrap();
            raws.binary(binary, &types).unwrap();
            for (index, column) in columns.iter().enumerate() {
                let column = Column::parse(column).unwrap();
                let name = String::from_utf8_lossy(column.name).into_owned();
                assert_eq!(
                    Column::parse(&text_columns[index]).unwrap().field_type,
                    column.field_type
                );
                let kind = ColumnKind::of(&column);
                let got = raws
                    .get(binary, index)
                    .map(|raw| written(|out| to_text(kind, raw, out).unwrap()));
                let expected = texts.get(text, index);
                assert_eq!(got.as_deref(), expected, "{name}");
                // And back, but for FLOAT, whose text has lost digits.
                if let Some(expected) = expected.filter(|_| column.field_type != FieldType::FLOAT) {
                    let back = written(|out| from_text(kind, expected, out).unwrap());
                    assert_eq!(Some(&back[..]), raws.get(binary, index), "{name}");
                }
            }
            let values: Vec<_> =
                types.iter().enumerate().map(|(i, t)| (*t, raws.get(binary, i))).collect();
            assert_eq!(written(|out| write_binary_row(&values, out)), *binary);
            let values = (0..types.len()).map(|i| texts.get(text, i));
            assert_eq!(written(|out| write_text_row(values, out)), *text);
        }
    }
}

#[test]
fn floats_are_printed_as_the_servers_print_them() {
    let lines =
        include_str!("../data/wire/floats.txt").lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    for line in lines {
        let mut words = line.split(' ');
        let (kind, bits, text) =
            (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let bits = u64::from_str_radix(bits, 16).unwrap();
        let got = written(|out| match kind {
            "double" => put_float(f64::from_bits(bits), 31, None, out),
            _ => put_float(f64::from(f32::from_bits(bits as u32)), 31, Some(6), out),
        });
        assert_eq!(String::from_utf8(got).unwrap(), text, "{line}");
        count += 1;
    }
    assert!(count > 500);
}

#[test]
fn values_that_fit_no_type() {
    let kind =
        |field_type, unsigned| ColumnKind { field_type, unsigned, zerofill: None, decimals: 0 };
    for (field_type, unsigned, text) in [
        (FieldType::TINY, false, "128"),
        (FieldType::TINY, true, "-1"),
        (FieldType::LONGLONG, true, "18446744073709551616"),
        (FieldType::LONGLONG, false, "9223372036854775808"),
        (FieldType::LONG, false, "1.5"),
        (FieldType::DATE, false, "2024-13-01"),
        (FieldType::DATETIME, false, "2024-01-01 24:00:00"),
        (FieldType::TIME, false, "00:60:00"),
        (FieldType::DOUBLE, false, "abc"),
    ] {
        assert!(
            from_text(kind(field_type, unsigned), text.as_bytes(), &mut Vec::new()).is_err(),
            "{text}"
        );
    }
    assert!(to_text(kind(FieldType::LONG, false), &[1, 2, 3], &mut Vec::new()).is_err());
    assert!(to_text(kind(FieldType::LONG, false), &[1, 2, 3, 4, 5], &mut Vec::new()).is_err());
}

#[test]
fn proxy_headers() {
    let header = |source: &str, length| ProxyHeader::Header { source: source.parse().ok(), length };
    let cases: [(&[u8], ProxyHeader); 6] = [
        (b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 3306\r\nrest", header("192.0.2.7:40000", 43)),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 3306\r\n", header("[2001:db8::7]:40000", 47)),
        (b"PROXY UNKNOWN\r\n", header("", 15)),
        (
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0f\xc0\0\x02\x07\xc0\0\x02\x01\x9c\x40\x0c\xea\x04\0\0rest",
            header("192.0.2.7:40000", 31),
        ),
        (b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00", header("", 16)),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x31\x00\x01x", header("", 17)),
    ];
    for (bytes, expected) in cases {
        assert_eq!(ProxyHeader::parse(bytes).unwrap(), expected);
        let ProxyHeader::Header { length, .. } = expected else { unreachable!() };
        for end in 0..length {
            assert_eq!(
                ProxyHeader::parse(&bytes[..end]).unwrap(),
                ProxyHeader::Incomplete,
                "{end}"
            );
        }
    }
    let long = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 200]].concat();
    let wrong: [&[u8]; 7] = [
        b"\x0a5.5",
        b"PROXY TCP4 ::1 ::1 1 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 99999 2\r\n",
        b"PROXY\x20\r\n",
        &long,
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x04abcd",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
    ];
    for bytes in wrong {
        assert_eq!(ProxyHeader::parse(bytes).unwrap_err().errno, 1043, "{bytes:?}");
    }
}

#[test]
fn the_crate_under_the_control_plane_agrees() {
    use mysql_common::io::ParseBuf;
    use mysql_common::packets::{Column as TheirColumn, HandshakePacket, HandshakeResponse};
    use mysql_common::proto::MyDeserialize;
    for file in [MARIADB, MYSQL] {
        let payload = first(file, "greeting");
        let theirs = HandshakePacket::deserialize((), &mut ParseBuf(&payload)).unwrap();
        let ours = Greeting::parse(&payload).unwrap();
        assert_eq!(theirs.capabilities().bits(), ours.capabilities.0);
        assert_eq!(theirs.connection_id(), ours.connection_id);
        assert_eq!(theirs.auth_plugin_name_ref().unwrap(), ours.plugin);
        let salt = [theirs.scramble_1_ref(), theirs.scramble_2_ref().unwrap()].concat();
        assert_eq!(salt[..20], ours.salt);
        let payload = first(file, ">login");
        let theirs = HandshakeResponse::deserialize((), &mut ParseBuf(&payload)).unwrap();
        let ours = Login::parse(&payload).unwrap();
        assert_eq!((theirs.user(), theirs.db_name().unwrap()), (ours.user, ours.database));
        for payload in all(file, "select.column") {
            let theirs = TheirColumn::deserialize((), &mut ParseBuf(&payload)).unwrap();
            let ours = Column::parse(&payload).unwrap();
            assert_eq!((theirs.name_ref(), theirs.org_table_ref()), (ours.name, ours.org_table));
            assert_eq!(theirs.column_type() as u8, ours.field_type.0);
            assert_eq!(
                (theirs.character_set(), theirs.column_length()),
                (ours.collation, ours.length)
            );
            assert_eq!((theirs.flags().bits(), theirs.decimals()), (ours.flags.0, ours.decimals));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn rubbish_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        parse_everything(&bytes);
    }

    #[test]
    fn captured_packets_with_damage_never_panic(
        which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let packets = [captured(MARIADB), captured(MYSQL)].concat();
        let mut payload = packets[which.index(packets.len())].1.clone();
        if !payload.is_empty() {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        parse_everything(&payload);
    }

    #[test]
    fn lengths_survive(value in prop_oneof![any::<u64>(), 0u64..70_000, 0xff_fff0u64..0x100_0010]) {
        let out = written(|out| put_lenenc(out, value));
        let mut reader = Reader::new("test", &out);
        prop_assert_eq!(reader.lenenc().unwrap(), value);
        prop_assert!(reader.is_empty());
        for end in 0..out.len() {
            prop_assert!(Reader::new("test", &out[..end]).lenenc().is_err());
        }
    }

    #[test]
    fn text_rows_survive(row in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..300)), 0..20)) {
        let out = written(|out| write_text_row(row.iter().map(Option::as_deref), out));
        let mut reader = TextRow::new(&out);
        for value in &row {
            prop_assert_eq!(reader.value().unwrap(), value.as_deref());
        }
        prop_assert!(reader.end().is_ok());
        let mut index = RowIndex::default();
        index.text(&out, row.len()).unwrap();
        for (column, value) in row.iter().enumerate() {
            prop_assert_eq!(index.get(&out, column), value.as_deref());
        }
        prop_assert!(row.is_empty() || index.text(&out, row.len() - 1).is_err());
        prop_assert!(index.text(&out, row.len() + 1).is_err());
    }

    #[test]
    fn integers_survive_both_forms(value in any::<i64>(), unsigned in any::<bool>()) {
        let kind = ColumnKind { field_type: FieldType::LONGLONG, unsigned, zerofill: None, decimals: 0 };
        let raw = value.to_le_bytes();
        let text = written(|out| to_text(kind, &raw, out).unwrap());
        prop_assert_eq!(written(|out| from_text(kind, &text, out).unwrap()), raw);
    }

    #[test]
    fn doubles_survive_both_forms(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        let kind = ColumnKind { field_type: FieldType::DOUBLE, unsigned: false, zerofill: None, decimals: 31 };
        let raw = value.to_le_bytes();
        let text = written(|out| to_text(kind, &raw, out).unwrap());
        prop_assert_eq!(written(|out| from_text(kind, &text, out).unwrap()), raw);
    }

    #[test]
    fn frames_survive(payload in prop::collection::vec(any::<u8>(), 0..2_000), repeat in 1usize..50) {
        let plain = payload.repeat(repeat);
        let mut packed = Vec::new();
        compress::pack(&plain, 250, &mut packed).unwrap();
        let mut out = Vec::new();
        let mut rest = &packed[..];
        while let Some(frame) = compress::Frame::parse(rest) {
            frame.unpack(1 << 24, &mut out).unwrap();
            rest = &rest[frame.length()..];
        }
        prop_assert!(rest.is_empty());
        prop_assert_eq!(out, plain);
    }
}

#[test]
fn sealing_splits_at_sixteen_mebibytes() {
    for (length, chunks) in
        [(0, 1), (MAX_CHUNK - 1, 1), (MAX_CHUNK, 2), (MAX_CHUNK + 1, 2), (2 * MAX_CHUNK, 3)]
    {
        let mut out = b"before".to_vec();
        out.extend_from_slice(&[0; HEADER_LENGTH]);
        out.resize(out.len() + length, 7);
        assert_eq!(seal(&mut out, 6, 255), 255u8.wrapping_add(chunks));
        assert_eq!(out.len(), 6 + length + usize::from(chunks) * HEADER_LENGTH);
        assert_eq!(&out[..6], b"before");
        let mut at = 6;
        let mut left = length;
        for chunk in 0..chunks {
            let expected = left.min(MAX_CHUNK);
            let header = weir::protocol::framing::Header::parse(&out[at..]).unwrap();
            assert_eq!((header.length, header.sequence), (expected, 255u8.wrapping_add(chunk)));
            assert!(out[at + 4..at + 4 + expected].iter().all(|byte| *byte == 7));
            at += 4 + expected;
            left -= expected;
        }
    }
}
