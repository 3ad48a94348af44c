//! Every parser of the protocol on the same bytes: none may panic, and none may take memory for what
//! is only announced. Shared by the fuzz target and the plain tests.

use weir::protocol::auth_switch::{AuthReply, AuthSwitch};
use weir::protocol::binary_value::{ColumnKind, from_text, to_text};
use weir::protocol::capability::Capabilities;
use weir::protocol::change_user::ChangeUser;
use weir::protocol::column::Column;
use weir::protocol::command::Command;
use weir::protocol::compress;
use weir::protocol::eof::EofPacket;
use weir::protocol::err::ErrPacket;
use weir::protocol::field::FieldType;
use weir::protocol::framing::{Header, RowWalk};
use weir::protocol::greeting::Greeting;
use weir::protocol::login::{FirstPacket, Login, attributes};
use weir::protocol::ok::{OkHeader, OkPacket};
use weir::protocol::proxy_header::ProxyHeader;
use weir::protocol::response::{PrepareOk, Response};
use weir::protocol::row::RowIndex;
use weir::protocol::session_track::SessionChanges;
use weir::protocol::verifier::Verifier;

/// With and without session tracking, with both ends of result sets, and the least.
pub const SETS: [Capabilities; 4] = [
    Capabilities::OFFERED.with(Capabilities::SESSION_TRACK),
    Capabilities::OFFERED,
    Capabilities(Capabilities::OFFERED.0 & !Capabilities::DEPRECATE_EOF.0),
    Capabilities::PROTOCOL_41,
];

/// Parses a payload as everything that it might be.
pub fn parse_everything(payload: &[u8]) {
    for capabilities in SETS {
        from_client(payload, capabilities);
        from_backend(payload, capabilities);
    }
    let _ = ProxyHeader::parse(payload);
    let _ = Verifier::parse(payload);
    if let Some(frame) = compress::Frame::parse(payload) {
        let _ = frame.unpack(1 << 16, &mut Vec::new());
    }
    let mut bytes = payload.to_vec();
    let sequence = Header::parse(&bytes).map_or(0, |header| header.sequence);
    let (count, _) = RowWalk::new(sequence, 7).walk(&mut bytes);
    assert!(count <= payload.len());
    values(payload);
}

fn from_client(payload: &[u8], capabilities: Capabilities) {
    let _ = FirstPacket::parse(payload);
    let _ = Login::parse(payload).map(|login| attributes(login.attributes).count());
    let _ = ChangeUser::parse(payload, capabilities);
    if let Ok(Command::StmtExecute(execute)) = Command::parse(payload, capabilities) {
        for count in [0, 1, 9, 65_535] {
            if let Ok(bound) = execute.parameters(count, &[], |index| index == 3) {
                assert_eq!(bound.parameters.len(), count);
            }
        }
    }
}

fn from_backend(payload: &[u8], capabilities: Capabilities) {
    if let Ok(ok) = OkPacket::parse(payload, capabilities) {
        assert!(SessionChanges::new(ok.session_state).count() <= payload.len());
        // What was read can be written and read again.
        let mut out = Vec::new();
        ok.write(OkHeader::Plain, capabilities, &mut out);
        assert!(OkPacket::parse(&out, capabilities).is_ok());
    }
    let _ = EofPacket::parse(payload, capabilities);
    let _ = Response::parse(payload, capabilities);
    let _ = AuthReply::parse(payload, capabilities);
    let _ = AuthSwitch::parse(payload);
    let _ = ErrPacket::parse(payload).map(|err| err.to_error());
    let _ = Greeting::parse(payload);
    let _ = PrepareOk::parse(payload);
    if let Ok(column) = Column::parse(payload) {
        let mut out = Vec::new();
        column.write(&mut out);
        assert_eq!(Column::parse(&out).ok(), Some(column));
    }
    let mut index = RowIndex::default();
    let _ = index.text(payload, 3);
    let types = [FieldType::LONG, FieldType::TIME, FieldType::BLOB, FieldType(0x99)];
    for end in 1..=types.len() {
        let _ = index.binary(payload, types.get(..end).unwrap_or_default());
    }
}

fn values(payload: &[u8]) {
    for code in 0..=255 {
        let kind = ColumnKind {
            field_type: FieldType(code),
            unsigned: code % 2 == 0,
            zerofill: (code % 3 == 0).then_some(5),
            decimals: code % 32,
        };
        let mut out = Vec::new();
        let _ = to_text(kind, payload, &mut out);
        out.clear();
        let _ = from_text(kind, payload, &mut out);
    }
}
