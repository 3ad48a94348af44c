//! The column definition (protocol 4.1).
//!
//! Owns: parsing, writing, and the rename of physical names to logical ones. Never: knows which
//! names belong together.

use crate::error::Result;
use crate::protocol::field::{FieldFlags, FieldType};
use crate::protocol::reader::{Reader, put_lenenc, put_lenenc_bytes};

/// One column of a result set, or one parameter of a prepared statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column<'a> {
    pub schema: &'a [u8],
    /// The alias in the statement.
    pub table: &'a [u8],
    /// The table's own name.
    pub org_table: &'a [u8],
    pub name: &'a [u8],
    pub org_name: &'a [u8],
    /// Collation id; 63 is binary.
    pub collation: u16,
    /// The display length in bytes.
    pub length: u32,
    pub field_type: FieldType,
    pub flags: FieldFlags,
    pub decimals: u8,
    /// The default value that COM_FIELD_LIST adds, as a nullable lenenc string; else `None`.
    pub default: Option<Option<&'a [u8]>>,
}

/// What a column definition's names become; `None` keeps a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Rename<'a> {
    pub schema: Option<&'a [u8]>,
    pub table: Option<&'a [u8]>,
    pub org_table: Option<&'a [u8]>,
    pub name: Option<&'a [u8]>,
}

impl<'a> Column<'a> {
    pub fn parse(payload: &'a [u8]) -> Result<Self> {
        let mut reader = Reader::new("column definition", payload);
        let _catalog = reader.lenenc_bytes()?;
        let schema = reader.lenenc_bytes()?;
        let table = reader.lenenc_bytes()?;
        let org_table = reader.lenenc_bytes()?;
        let name = reader.lenenc_bytes()?;
        let org_name = reader.lenenc_bytes()?;
        if reader.lenenc()? < 0x0c {
            return Err(reader.malformed("has a short fixed part"));
        }
        let collation = reader.u16()?;
        let length = reader.u32()?;
        let field_type = FieldType(reader.u8()?);
        let flags = FieldFlags(reader.u16()?);
        let decimals = reader.u8()?;
        reader.skip(2)?;
        let default = if reader.is_empty() { None } else { Some(reader.nullable_bytes()?) };
        Ok(Column {
            schema,
            table,
            org_table,
            name,
            org_name,
            collation,
            length,
            field_type,
            flags,
            decimals,
            default,
        })
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        put_lenenc_bytes(out, b"def");
        for name in [self.schema, self.table, self.org_table, self.name, self.org_name] {
            put_lenenc_bytes(out, name);
        }
        put_lenenc(out, 0x0c);
        out.extend_from_slice(&self.collation.to_le_bytes());
        out.extend_from_slice(&self.length.to_le_bytes());
        out.push(self.field_type.0);
        out.extend_from_slice(&self.flags.0.to_le_bytes());
        out.extend_from_slice(&[self.decimals, 0, 0]);
        if let Some(default) = self.default {
            crate::protocol::reader::put_nullable_bytes(out, default);
        }
    }

    /// The same column under other names.
    pub fn renamed(self, rename: &Rename<'a>) -> Self {
        Column {
            schema: rename.schema.unwrap_or(self.schema),
            table: rename.table.unwrap_or(self.table),
            org_table: rename.org_table.unwrap_or(self.org_table),
            name: rename.name.unwrap_or(self.name),
            ..self
        }
    }

    /// True where values are unsigned numbers.
    pub fn is_unsigned(&self) -> bool {
        self.flags.contains(FieldFlags::UNSIGNED)
    }
}
