//! Totals of partial aggregates: what several shards counted or summed becomes one value.
//!
//! Owns: the accumulators of COUNT, SUM, MIN, MAX, AVG and the BIT functions over the values of
//! both row formats, and how each total is written. Never: decides which rows belong together
//! ([`crate::executor::fold`]), or reads a row.

use crate::error::{Error, Result};
use crate::executor::compare::{Order, RowFormat, Shape, floating, integer};
use crate::executor::decimal::Decimal;
use crate::executor::double;
use crate::planner::plan::{Aggregate, AggregateFunction, Column};
use crate::protocol::field::{BinaryForm, FieldType};

/// One aggregated column, resolved against the columns that the shards sent.
#[derive(Clone, Debug)]
pub struct Total {
    /// The column that is replaced.
    pub column: usize,
    shape: Shape,
    format: RowFormat,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Count {
        total: i128,
    },
    /// SUM over integer partials.
    Integer {
        total: Option<i128>,
    },
    Decimal {
        total: Option<Decimal>,
    },
    Double {
        total: Option<f64>,
    },
    Extreme(Extreme),
    Average(Average),
    Bits {
        function: Bits,
        total: Option<u64>,
    },
    /// MySQL's BIT functions over binary strings.
    ByteBits {
        function: Bits,
        total: Option<Vec<u8>>,
    },
}

#[derive(Clone, Copy, Debug)]
enum Bits {
    And,
    Or,
    Xor,
}

/// The smallest or largest value so far.
#[derive(Clone, Debug)]
struct Extreme {
    largest: bool,
    /// The column that is compared: the value's own, or its weights.
    by: usize,
    order: Order,
    any: bool,
    value: Vec<u8>,
    key: Vec<u8>,
    /// Reused for each candidate's key.
    candidate: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Average {
    sum: usize,
    count: usize,
    counted: i128,
    total: Sum,
}

#[derive(Clone, Debug)]
enum Sum {
    Decimal(Decimal),
    Double(f64),
}

impl Total {
    /// Resolves an aggregate of a plan against the columns of the result.
    pub fn new(
        aggregate: &Aggregate,
        columns: &[Shape],
        hidden: usize,
        format: RowFormat,
    ) -> Result<Self> {
        let place = |column: Column| column.index(columns.len(), hidden);
        let shape_at = |index: usize| columns.get(index).copied().ok_or_else(no_column);
        let column = place(aggregate.column);
        let shape = shape_at(column)?;
        let extreme = |largest, weight: Option<Column>| -> Result<State> {
            let by = weight.map_or(column, place);
            let order = Order::of_value(&shape_at(by)?)?;
            let empty = Vec::new;
            let (value, key, candidate) = (empty(), empty(), empty());
            Ok(State::Extreme(Extreme { largest, by, order, any: false, value, key, candidate }))
        };
        let state = match aggregate.function {
            AggregateFunction::Count => {
                integer_column(&shape)?;
                State::Count { total: 0 }
            }
            AggregateFunction::Sum => match shape.field_type {
                field_type if field_type.is_decimal() => State::Decimal { total: None },
                FieldType::DOUBLE | FieldType::FLOAT => State::Double { total: None },
                _ => {
                    integer_column(&shape)?;
                    State::Integer { total: None }
                }
            },
            AggregateFunction::Min { weight } => extreme(false, weight)?,
            AggregateFunction::Max { weight } => extreme(true, weight)?,
            AggregateFunction::Average { sum, count } => {
                let (sum, count) = (place(sum), place(count));
                integer_column(&shape_at(count)?)?;
                let total = match shape_at(sum)?.field_type {
                    FieldType::DOUBLE | FieldType::FLOAT => Sum::Double(0.0),
                    field_type if field_type.is_decimal() => Sum::Decimal(Decimal::zero(0)),
                    _ => return Err(Error::internal("AVG's sum is neither DECIMAL nor DOUBLE")),
                };
                State::Average(Average { sum, count, counted: 0, total })
            }
            AggregateFunction::BitAnd => bits(Bits::And, &shape)?,
            AggregateFunction::BitOr => bits(Bits::Or, &shape)?,
            AggregateFunction::BitXor => bits(Bits::Xor, &shape)?,
        };
        Ok(Total { column, shape, format, state })
    }

    /// Forgets everything: the next group begins.
    pub fn reset(&mut self) {
        match &mut self.state {
            State::Count { total } => *total = 0,
            State::Integer { total } => *total = None,
            State::Decimal { total } => *total = None,
            State::Double { total } => *total = None,
            State::Extreme(extreme) => extreme.any = false,
            State::Average(average) => {
                average.counted = 0;
                average.total = match average.total {
                    Sum::Decimal(_) => Sum::Decimal(Decimal::zero(0)),
                    Sum::Double(_) => Sum::Double(0.0),
                };
            }
            State::Bits { total, .. } => *total = None,
            State::ByteBits { total, .. } => *total = None,
        }
    }

    /// Takes in one row; `value` gives the raw value of a column, `None` for NULL.
    pub fn add<'r>(&mut self, value: impl Fn(usize) -> Option<&'r [u8]>) -> Result<()> {
        let (format, unsigned) = (self.format, self.shape.unsigned);
        let own = value(self.column);
        match &mut self.state {
            State::Extreme(extreme) => return extreme.add(format, own, value(extreme.by)),
            State::Average(average) => {
                return average.add(format, value(average.sum), value(average.count));
            }
            _ => {}
        }
        let Some(own) = own else { return Ok(()) };
        match &mut self.state {
            State::Count { total } => *total += integer(format, unsigned, own)?,
            State::Integer { total } => {
                *total = Some(total.unwrap_or(0) + integer(format, unsigned, own)?);
            }
            State::Decimal { total } => {
                let more = Decimal::parse(own)?;
                match total {
                    Some(total) => total.add(&more)?,
                    None => *total = Some(more),
                }
            }
            State::Double { total } => {
                *total = Some(total.unwrap_or(0.0) + floating(format, own)?);
            }
            State::Bits { function, total } => {
                let more = integer(format, true, own)? as u64;
                *total = Some(total.map_or(more, |total| function.apply(total, more)));
            }
            State::ByteBits { function, total } => match total {
                None => *total = Some(own.to_vec()),
                Some(total) => function.apply_bytes(total, own)?,
            },
            State::Extreme(_) | State::Average(_) => {}
        }
        Ok(())
    }

    /// Writes the total's raw value (as a row's value, without a length) and says whether there is
    /// one: `false` is NULL.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<bool> {
        match &self.state {
            State::Count { total } => self.write_integer(*total, out)?,
            State::Integer { total: None }
            | State::Decimal { total: None }
            | State::Double { total: None } => return Ok(false),
            State::Integer { total: Some(total) } => self.write_integer(*total, out)?,
            State::Decimal { total: Some(total) } => total.write(out),
            State::Double { total: Some(total) } => self.write_double(*total, out)?,
            State::Extreme(extreme) if extreme.any => out.extend_from_slice(&extreme.value),
            State::Extreme(_) => return Ok(false),
            State::Average(average) => return self.write_average(average, out),
            State::Bits { total, .. } => match total {
                Some(total) => self.write_integer(i128::from(*total), out)?,
                None => return Ok(false),
            },
            State::ByteBits { total, .. } => match total {
                Some(total) => out.extend_from_slice(total),
                None => return Ok(false),
            },
        }
        Ok(true)
    }

    fn write_average(&self, average: &Average, out: &mut Vec<u8>) -> Result<bool> {
        let count = u64::try_from(average.counted)
            .map_err(|_| Error::malformed("a shard sent a negative count"))?;
        if count == 0 {
            return Ok(false);
        }
        match &average.total {
            Sum::Double(total) => self.write_double(total / count as f64, out)?,
            Sum::Decimal(total) => total.divide(count, u32::from(self.shape.decimals))?.write(out),
        }
        Ok(true)
    }

    fn write_integer(&self, total: i128, out: &mut Vec<u8>) -> Result<()> {
        let fits = if self.shape.unsigned {
            u64::try_from(total).is_ok()
        } else {
            i64::try_from(total).is_ok()
        };
        if !fits {
            let sort = if self.shape.unsigned { "BIGINT UNSIGNED" } else { "BIGINT" };
            let message = format!("{sort} value is out of range in a sum over shards");
            return Err(Error::backend(1690, *b"22003", message));
        }
        match (self.format, self.shape.field_type.binary_form()) {
            (RowFormat::Text, _) => out.extend_from_slice(total.to_string().as_bytes()),
            (RowFormat::Binary, Some(BinaryForm::Fixed(8))) => {
                out.extend_from_slice(&(total as u64).to_le_bytes());
            }
            // Partial sums come as BIGINT from every server.
            (RowFormat::Binary, _) => return Err(Error::internal("a total that isn't a BIGINT")),
        }
        Ok(())
    }

    fn write_double(&self, total: f64, out: &mut Vec<u8>) -> Result<()> {
        if !total.is_finite() {
            let message = "DOUBLE value is out of range in a sum over shards";
            return Err(Error::backend(1690, *b"22003", message));
        }
        match (self.format, self.shape.field_type) {
            (RowFormat::Text, _) => double::write(total, self.shape.decimals, out),
            (RowFormat::Binary, FieldType::FLOAT) => {
                out.extend_from_slice(&(total as f32).to_le_bytes());
            }
            (RowFormat::Binary, _) => out.extend_from_slice(&total.to_le_bytes()),
        }
        Ok(())
    }
}

impl Extreme {
    fn add(&mut self, format: RowFormat, own: Option<&[u8]>, by: Option<&[u8]>) -> Result<()> {
        let Some(own) = own else { return Ok(()) };
        if by.is_none() {
            // WEIGHT_STRING of a huge value is NULL, with a warning on the shard.
            return Err(Error::refused(
                "weight_missing",
                "a shard could not weigh a string for MIN or MAX (it is longer than \
                 max_allowed_packet lets WEIGHT_STRING be); take MIN or MAX of LEFT(column, n)",
            ));
        }
        self.candidate.clear();
        self.order.put_key(format, by, false, &mut self.candidate)?;
        let better = !self.any
            || if self.largest { self.candidate > self.key } else { self.candidate < self.key };
        if better {
            self.any = true;
            std::mem::swap(&mut self.key, &mut self.candidate);
            self.value.clear();
            self.value.extend_from_slice(own);
        }
        Ok(())
    }
}

impl Average {
    fn add(&mut self, format: RowFormat, sum: Option<&[u8]>, count: Option<&[u8]>) -> Result<()> {
        if let Some(count) = count {
            self.counted += integer(format, false, count)?;
        }
        let Some(sum) = sum else { return Ok(()) };
        match &mut self.total {
            Sum::Decimal(total) => total.add(&Decimal::parse(sum)?),
            Sum::Double(total) => {
                *total += floating(format, sum)?;
                Ok(())
            }
        }
    }
}

impl Bits {
    fn apply(self, left: u64, right: u64) -> u64 {
        match self {
            Bits::And => left & right,
            Bits::Or => left | right,
            Bits::Xor => left ^ right,
        }
    }

    fn apply_bytes(self, total: &mut [u8], more: &[u8]) -> Result<()> {
        if total.len() != more.len() {
            return Err(Error::backend(
                3513,
                *b"HY000",
                "Binary operands of bitwise operators must be of equal length",
            ));
        }
        for (left, right) in total.iter_mut().zip(more) {
            *left = self.apply(u64::from(*left), u64::from(*right)) as u8;
        }
        Ok(())
    }
}

fn bits(function: Bits, shape: &Shape) -> Result<State> {
    if shape.field_type.is_string() {
        return Ok(State::ByteBits { function, total: None });
    }
    integer_column(shape)?;
    Ok(State::Bits { function, total: None })
}

fn integer_column(shape: &Shape) -> Result<()> {
    if shape.field_type.is_integer() {
        return Ok(());
    }
    Err(Error::malformed("a shard sent a count or bit total that isn't an integer column"))
}

fn no_column() -> Error {
    Error::internal("the plan names a column that the shards didn't send")
}
