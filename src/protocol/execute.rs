//! COM_STMT_EXECUTE: a prepared statement's run with its parameters.
//!
//! Owns: the packet's form, the null bitmap and the splitting into raw parameters. Never: decodes a
//! value ([`crate::protocol::binary_value`] does) or knows which statement an id means.

use smallvec::SmallVec;

use crate::error::Result;
use crate::protocol::error_code;
use crate::protocol::field::{BinaryForm, FieldType};
use crate::protocol::reader::Reader;

/// A parameter's type, as the client bound it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParameterType {
    pub field_type: FieldType,
    pub unsigned: bool,
}

/// One bound parameter, its bytes still inside the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    pub kind: ParameterType,
    pub value: ParameterValue<'a>,
}

/// Where a parameter's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterValue<'a> {
    Null,
    /// Fixed-length bytes, a date's or time's bytes without their length, or a string's content.
    Raw(&'a [u8]),
    /// It came before, by COM_STMT_SEND_LONG_DATA.
    LongData,
}

/// COM_STMT_EXECUTE, as far as it can be read without knowing the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execute<'a> {
    pub statement: u32,
    /// 0 none, 1 read-only cursor; others are errors of the server's.
    pub cursor: u8,
    pub iterations: u32,
    body: &'a [u8],
}

/// The parameters of one execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound<'a> {
    pub parameters: SmallVec<[Parameter<'a>; 4]>,
    /// True where the client sent types with this packet; the statement keeps them for the next.
    pub types_sent: bool,
}

impl<'a> Execute<'a> {
    /// Parses the head of a payload, the command byte included.
    pub fn parse(payload: &'a [u8]) -> Result<Self> {
        let mut reader = Reader::new("COM_STMT_EXECUTE", payload);
        reader.skip(1)?;
        Ok(Execute {
            statement: reader.u32()?,
            cursor: reader.u8()?,
            iterations: reader.u32()?,
            body: reader.rest(),
        })
    }

    /// Splits the parameters. `count` comes from the statement, `kept_types` from its last execution
    /// that sent types (empty before the first), and `has_long_data` tells for each parameter
    /// whether COM_STMT_SEND_LONG_DATA came for it: then its bytes are absent here.
    pub fn parameters(
        &self,
        count: usize,
        kept_types: &[ParameterType],
        has_long_data: impl Fn(usize) -> bool,
    ) -> Result<Bound<'a>> {
        if count == 0 {
            return Ok(Bound { parameters: SmallVec::new(), types_sent: false });
        }
        let mut reader = Reader::new("COM_STMT_EXECUTE", self.body);
        let nulls = reader.take(count.div_ceil(8))?;
        let types_sent = reader.u8()? == 1;
        // Two bytes for each type: what they announce is checked before anything is reserved.
        let mut types = Reader::new(
            "COM_STMT_EXECUTE",
            if types_sent { reader.take(count.saturating_mul(2))? } else { b"" },
        );
        let mut parameters = SmallVec::with_capacity(count);
        for index in 0..count {
            let kind = if types_sent {
                let field_type = FieldType(types.u8()?);
                ParameterType { field_type, unsigned: types.u8()? & 0x80 != 0 }
            } else {
                match kept_types.get(index) {
                    Some(kind) => *kind,
                    // Connector/J sends no types where all values are NULL.
                    None if is_null(nulls, index) => {
                        ParameterType { field_type: FieldType::NULL, unsigned: false }
                    }
                    None => return Err(error_code::wrong_arguments("mysqld_stmt_execute")),
                }
            };
            let value = if has_long_data(index) {
                ParameterValue::LongData
            } else if is_null(nulls, index) {
                ParameterValue::Null
            } else {
                take_value(&mut reader, kind.field_type)?
            };
            parameters.push(Parameter { kind, value });
        }
        Ok(Bound { parameters, types_sent })
    }
}

fn is_null(bitmap: &[u8], index: usize) -> bool {
    bitmap.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1)
}

fn take_value<'a>(reader: &mut Reader<'a>, field_type: FieldType) -> Result<ParameterValue<'a>> {
    let Some(form) = field_type.binary_form() else {
        return Err(reader.malformed("binds a parameter of an unknown type"));
    };
    Ok(match form {
        BinaryForm::Nothing => ParameterValue::Null,
        BinaryForm::Fixed(length) => ParameterValue::Raw(reader.take(usize::from(length))?),
        BinaryForm::ShortLength => {
            let length = reader.u8()?;
            ParameterValue::Raw(reader.take(usize::from(length))?)
        }
        BinaryForm::Lenenc => ParameterValue::Raw(reader.lenenc_bytes()?),
    })
}

/// Appends a COM_STMT_EXECUTE with all its types. A parameter of long data is written as sent
/// before, so the caller sends COM_STMT_SEND_LONG_DATA first.
pub fn write_execute(statement: u32, cursor: u8, parameters: &[Parameter<'_>], out: &mut Vec<u8>) {
    crate::protocol::command::write_number(
        crate::protocol::command::byte::STMT_EXECUTE,
        statement,
        out,
    );
    out.push(cursor);
    out.extend_from_slice(&1u32.to_le_bytes());
    if parameters.is_empty() {
        return;
    }
    for chunk in parameters.chunks(8) {
        let bits = chunk.iter().enumerate().fold(0, |bits, (index, parameter)| {
            bits | u8::from(parameter.value == ParameterValue::Null) << index
        });
        out.push(bits);
    }
    out.push(1);
    for parameter in parameters {
        out.push(parameter.kind.field_type.0);
        out.push(if parameter.kind.unsigned { 0x80 } else { 0 });
    }
    for parameter in parameters {
        if let ParameterValue::Raw(bytes) = parameter.value {
            put_value(parameter.kind.field_type, bytes, out);
        }
    }
}

/// Appends one value's raw bytes in the form of its type.
pub(crate) fn put_value(field_type: FieldType, bytes: &[u8], out: &mut Vec<u8>) {
    match field_type.binary_form() {
        Some(BinaryForm::Fixed(_)) => out.extend_from_slice(bytes),
        Some(BinaryForm::ShortLength) => {
            out.push(bytes.len() as u8);
            out.extend_from_slice(bytes);
        }
        Some(BinaryForm::Nothing) => {}
        Some(BinaryForm::Lenenc) | None => {
            crate::protocol::reader::put_lenenc_bytes(out, bytes);
        }
    }
}
