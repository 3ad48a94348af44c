//! The column definitions of a merged result.
//!
//! Owns: that all targets answer with the same columns, and the definitions that the client gets:
//! the first target's, without hidden columns, under logical names. Never: touches a row.

use crate::error::Result;
use crate::executor::compare::Shape;
use crate::executor::rename::Names;
use crate::executor::width::{Width, Widths};
use crate::protocol::capability::Capabilities;
use crate::protocol::charset::Collation;
use crate::protocol::column::Column;
use crate::protocol::eof::EofPacket;
use crate::protocol::field::FieldType;
use crate::protocol::response::write_column_count;
use crate::protocol::status::StatusFlags;
use crate::wire::stream::Stream;

/// The columns that the first target sent.
#[derive(Clone, Debug)]
pub struct Columns {
    payloads: Vec<Vec<u8>>,
    shapes: Vec<Shape>,
}

/// How another target's columns stand to the first one's.
#[derive(Clone, Debug, PartialEq)]
pub enum Fit {
    Alike,
    /// Its whole numbers are of other widths.
    Widened(Widths),
    /// What differs, in words.
    Not(String),
}

impl Columns {
    /// # Errors
    /// A definition that can't be read.
    pub fn parse(payloads: Vec<Vec<u8>>) -> Result<Self> {
        let shape = |payload: &Vec<u8>| Column::parse(payload).map(|column| Shape::from(&column));
        let shapes = payloads.iter().map(shape).collect::<Result<_>>()?;
        Ok(Columns { payloads, shapes })
    }

    pub fn shapes(&self) -> &[Shape] {
        &self.shapes
    }

    /// Compares another target's definitions with these. Lengths, decimals and flags such as NOT
    /// NULL may differ; types, signs and collations decide how values are read and merged. `text`:
    /// rows come in the text protocol, where all integers are digits.
    ///
    /// # Errors
    /// A definition that can't be read.
    pub fn fit(&self, others: &[Vec<u8>], text: bool) -> Result<Fit> {
        if others.len() != self.shapes.len() {
            let text = format!("{} columns instead of {}", others.len(), self.shapes.len());
            return Ok(Fit::Not(text));
        }
        let mut widened = false;
        for (place, (shape, payload)) in self.shapes.iter().zip(others).enumerate() {
            let column = Column::parse(payload)?;
            let other = Shape::from(&column);
            // The type of what is computed follows from what MySQL found out beforehand, of empty
            // tables for instance: a longer or a shorter text or number, read the same way.
            let computed = column.org_table.is_empty() && !other.labels && !shape.labels;
            // Whether what is computed of labels is still called one: it travels as text.
            let strings = column.org_table.is_empty()
                && other.field_type.is_string()
                && shape.field_type.is_string();
            let both = |is: fn(FieldType) -> bool| is(other.field_type) && is(shape.field_type);
            let numbers = both(FieldType::is_integer);
            let lengths = computed && (both(FieldType::is_text_or_bytes) || numbers);
            widened |= numbers && !text && other.field_type != shape.field_type;
            let is_same = (other.field_type == shape.field_type || lengths)
                && other.unsigned == shape.unsigned
                && (other.labels == shape.labels || strings)
                && (!shape.field_type.is_string()
                    || same_charset(other.collation, shape.collation));
            if !is_same {
                let name = String::from_utf8_lossy(column.name);
                return Ok(Fit::Not(format!(
                    "column {} (`{name}`) as {} instead of {}",
                    place + 1,
                    describe(&other),
                    describe(shape)
                )));
            }
        }
        if widened { self.widths(others).map(Fit::Widened) } else { Ok(Fit::Alike) }
    }

    fn widths(&self, others: &[Vec<u8>]) -> Result<Widths> {
        let columns = self.shapes.iter().zip(others).map(|(shape, payload)| {
            let from = Column::parse(payload)?.field_type;
            let is_number = from.is_integer() && shape.field_type.is_integer();
            let to = if is_number { shape.field_type } else { from };
            Ok(Width { from, to, unsigned: shape.unsigned })
        });
        columns.collect::<Result<_>>().map(Widths)
    }

    /// Writes the count and the definitions of the first `visible` columns, and the EOF behind them
    /// where the client is due one.
    ///
    /// # Errors
    /// A definition that can't be read.
    pub fn write(
        &self,
        visible: usize,
        names: Names<'_>,
        status: StatusFlags,
        capabilities: Capabilities,
        client: &mut Stream,
    ) -> Result<()> {
        client.write_with(|out| write_column_count(visible, out));
        for payload in self.payloads.iter().take(visible) {
            if names.is_empty() {
                client.write_packet(payload);
            } else {
                let column = Column::parse(payload)?;
                client.write_with(|out| names.column(column).write(out));
            }
        }
        if !capabilities.contains(Capabilities::DEPRECATE_EOF) {
            let eof = EofPacket { warnings: 0, status };
            client.write_with(|out| eof.write(capabilities, out));
        }
        Ok(())
    }
}

/// Whether texts are of one character set. Which of its collations a server names is that of the
/// results' variable, which MySQL knows one way from a login and another from SET NAMES.
fn same_charset(one: u16, other: u16) -> bool {
    let charset = |id: u16| Collation::by_id(id).map(|collation| collation.charset);
    one == other || charset(one).is_some_and(|name| charset(other) == Some(name))
}

fn describe(shape: &Shape) -> String {
    let sign = if shape.unsigned { " unsigned" } else { "" };
    format!("type {:#04x}{sign}, collation {}", shape.field_type.0, shape.collation)
}
