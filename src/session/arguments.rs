//! The parameters of a text that holds only some of a prepared statement's, or some twice.
//!
//! Owns: choosing them out of the client's. Never: converts a value: a server reads each one as the
//! client bound it.

use crate::error::{Error, Result};
use crate::protocol::command::{byte, write_number};
use crate::protocol::execute::{Execute, Parameter, ParameterType, write_execute};
use crate::session::query::Arguments;

/// Bytes of COM_STMT_EXECUTE before its arguments: the command and the statement's id.
pub(super) const HEAD: usize = 5;

/// Parameters of a part's own.
pub(super) struct Own {
    types: Vec<ParameterType>,
    bytes: Vec<u8>,
}

impl Own {
    pub fn arguments(&self) -> Arguments<'_> {
        Arguments { types: &self.types, bytes: &self.bytes }
    }
}

/// The parameters of these numbers, in this order; `None` where they are the client's as they came.
///
/// # Errors
/// A number beyond the statement's parameters.
pub(super) fn only(given: Arguments<'_>, numbers: &[u32]) -> Result<Option<Own>> {
    let all = given.types.len();
    if numbers.len() == all && (0..).zip(numbers).all(|(place, number): (u32, _)| place == *number)
    {
        return Ok(None);
    }
    let mut packet = Vec::with_capacity(HEAD + given.bytes.len());
    write_number(byte::STMT_EXECUTE, 0, &mut packet);
    packet.extend_from_slice(given.bytes);
    let bound = Execute::parse(&packet)?.parameters(all, given.types, |_| false)?;
    let chosen = numbers.iter().map(|number| bound.parameters.get(*number as usize).copied());
    let chosen: Option<Vec<Parameter<'_>>> = chosen.collect();
    let chosen = chosen.ok_or_else(|| Error::internal("a parameter beyond the statement's"))?;
    let mut written = Vec::new();
    write_execute(0, 0, &chosen, &mut written);
    let bytes = written.split_off(HEAD.min(written.len()));
    Ok(Some(Own { types: chosen.iter().map(|one| one.kind).collect(), bytes }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::execute::ParameterValue;
    use crate::protocol::field::FieldType;

    #[test]
    fn parameters_are_chosen_by_number() {
        let kind = |number| ParameterType { field_type: FieldType(number), unsigned: false };
        let parameter = |number, value| Parameter { kind: kind(number), value };
        let given = [
            parameter(8, ParameterValue::Raw(&[7, 0, 0, 0, 0, 0, 0, 0])),
            parameter(6, ParameterValue::Null),
            parameter(253, ParameterValue::Raw(b"text")),
        ];
        let types: Vec<ParameterType> = given.iter().map(|one| one.kind).collect();
        let mut packet = Vec::new();
        write_execute(0, 0, &given, &mut packet);
        let all = Arguments { types: &types, bytes: &packet[HEAD..] };
        assert!(only(all, &[0, 1, 2]).unwrap().is_none());
        assert!(only(all, &[0, 3]).is_err());
        let own = only(all, &[2, 1, 2]).unwrap().unwrap();
        let mut expected = Vec::new();
        write_execute(0, 0, &[given[2], given[1], given[2]], &mut expected);
        assert_eq!(own.arguments().bytes, &expected[HEAD..]);
        assert_eq!(own.arguments().types, [kind(253), kind(6), kind(253)]);
        let none = only(all, &[]).unwrap().unwrap();
        assert_eq!(none.arguments().bytes, [0, 1, 0, 0, 0]);
    }
}
