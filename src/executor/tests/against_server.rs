//! Orders and totals against what a real server said (`tests/data/merge`), in both row formats.

use crate::executor::aggregate::Total;
use crate::executor::compare::{Order, RowFormat, Shape};
use crate::planner::plan::{Aggregate, AggregateFunction, Column};
use crate::protocol::field::{BinaryForm, FieldType};

const ORDERS: &str = include_str!("../../../tests/data/merge/order.tsv");
const TOTALS: &str = include_str!("../../../tests/data/merge/totals.tsv");

fn lines(file: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    file.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect())
}

fn shape(fields: &[&str]) -> Shape {
    Shape {
        field_type: FieldType(fields[0].parse().unwrap()),
        unsigned: fields[1] == "1",
        decimals: fields[2].parse().unwrap(),
        collation: fields[3].parse().unwrap(),
        labels: false,
    }
}

fn value(field: &str) -> Option<Vec<u8>> {
    let hex = field.strip_prefix('x')?;
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    Some((0..hex.len()).step_by(2).map(byte).collect())
}

/// The binary protocol's form of a value that is given as text.
fn binary(shape: &Shape, text: &[u8]) -> Vec<u8> {
    let string = || std::str::from_utf8(text).unwrap();
    match shape.field_type {
        field_type if field_type.is_integer() => {
            let Some(BinaryForm::Fixed(length)) = field_type.binary_form() else { panic!() };
            let number: i128 = string().parse().unwrap();
            (number as i64).to_le_bytes()[..usize::from(length)].to_vec()
        }
        FieldType::DOUBLE => string().parse::<f64>().unwrap().to_le_bytes().to_vec(),
        FieldType::FLOAT => string().parse::<f32>().unwrap().to_le_bytes().to_vec(),
        field_type if field_type.is_date_or_datetime() => {
            let mut fields = string().split(['-', ' ', ':', '.']);
            let mut next = || fields.next().unwrap_or("0");
            let mut out = next().parse::<u16>().unwrap().to_le_bytes().to_vec();
            for _ in 0..5 {
                out.push(next().parse().unwrap());
            }
            let micros = format!("{:0<6}", next()).parse::<u32>().unwrap();
            out.extend(micros.to_le_bytes());
            // Servers leave out what is zero.
            for length in [4, 7] {
                if out[length..].iter().all(|byte| *byte == 0) {
                    out.truncate(length);
                    break;
                }
            }
            out
        }
        FieldType::TIME => {
            let unsigned = string().trim_start_matches('-');
            let mut fields = unsigned.split([':', '.']);
            let mut next = || fields.next().unwrap_or("0");
            let hours: u32 = next().parse().unwrap();
            let mut out = vec![u8::from(string().starts_with('-'))];
            out.extend((hours / 24).to_le_bytes());
            out.push((hours % 24) as u8);
            out.push(next().parse().unwrap());
            out.push(next().parse().unwrap());
            out.extend(format!("{:0<6}", next()).parse::<u32>().unwrap().to_le_bytes());
            out
        }
        _ => text.to_vec(),
    }
}

fn as_text(shape: &Shape, bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let number = f64::from_le_bytes(bytes.try_into().unwrap());
    crate::executor::double::write(number, shape.decimals, &mut text);
    text
}

fn in_format(format: RowFormat, shape: &Shape, text: Option<Vec<u8>>) -> Option<Vec<u8>> {
    match format {
        RowFormat::Text => text,
        RowFormat::Binary => text.map(|text| binary(shape, &text)),
    }
}

#[test]
fn keys_have_the_order_that_a_server_gives_the_values() {
    let mut checked = 0;
    for format in [RowFormat::Text, RowFormat::Binary] {
        for descending in [false, true] {
            let mut last: Option<(&str, u32, Vec<u8>)> = None;
            for line in lines(ORDERS) {
                let shape = shape(&line[1..5]);
                let rank: u32 = line[5].parse().unwrap();
                let value = in_format(format, &shape, value(line[6]));
                let mut key = Vec::new();
                let order = Order::of_key(&shape, format).unwrap();
                order.put_key(format, value.as_deref(), descending, &mut key).unwrap();
                // What follows in a key of several columns must not change the order.
                let tail: &[u8] = if rank % 2 == 0 { &[0] } else { &[255] };
                if let Some((sql_type, last_rank, last_key)) = &last
                    && *sql_type == line[0]
                {
                    let expected = if descending {
                        rank.cmp(last_rank).reverse()
                    } else {
                        rank.cmp(last_rank)
                    };
                    assert_eq!(key.cmp(last_key), expected, "{line:?} {format:?} {descending}");
                    if expected.is_ne() {
                        let with_tail =
                            [&key[..], tail].concat().cmp(&[&last_key[..], &[128]].concat());
                        assert_eq!(with_tail, expected, "{line:?} has a key that is a prefix");
                    }
                    checked += 1;
                }
                last = Some((line[0], rank, key));
            }
        }
    }
    assert!(checked > 400, "{checked}");
}

fn function(name: &str) -> AggregateFunction {
    match name {
        "count" => AggregateFunction::Count,
        "sum" => AggregateFunction::Sum,
        "min" => AggregateFunction::Min { weight: None },
        "max" => AggregateFunction::Max { weight: None },
        "bit_and" => AggregateFunction::BitAnd,
        "bit_or" => AggregateFunction::BitOr,
        "bit_xor" => AggregateFunction::BitXor,
        "avg" => AggregateFunction::Average { sum: Column::Hidden(0), count: Column::Hidden(1) },
        other => panic!("{other}"),
    }
}

const COUNT_SHAPE: Shape = Shape {
    field_type: FieldType::LONGLONG,
    unsigned: false,
    collation: 63,
    decimals: 0,
    labels: false,
};

#[test]
fn totals_of_shards_are_what_a_server_says_of_all_rows() {
    let mut checked = 0;
    for format in [RowFormat::Text, RowFormat::Binary] {
        for line in lines(TOTALS) {
            let own = shape(&line[2..6]);
            let (name, sum_shape) = line[1].split_once(':').unwrap_or((line[1], ""));
            let mut columns = vec![own];
            if name == "avg" {
                columns.push(shape(&sum_shape.split(':').collect::<Vec<_>>()));
                columns.push(COUNT_SHAPE);
            }
            let hidden = columns.len() - 1;
            let aggregate = Aggregate { column: Column::Visible(0), function: function(name) };
            let mut total = Total::new(&aggregate, &columns, hidden, format).unwrap();
            // A second group must not see the first one's values.
            for _ in 0..2 {
                total.reset();
                for partial in &line[7..] {
                    let fields = partial.split(',').map(value);
                    let mut row: Vec<_> = fields
                        .zip(columns.iter().skip(usize::from(hidden > 0)))
                        .map(|(text, shape)| in_format(format, shape, text))
                        .collect();
                    if hidden > 0 {
                        row.insert(0, None);
                    }
                    total.add(|column| row[column].as_deref()).unwrap();
                }
            }
            let mut text = Vec::new();
            let found = total.write(&mut text).unwrap().then_some(text);
            let mut expected = in_format(format, &own, value(line[6]));
            let mut found = found;
            if format == RowFormat::Binary
                && own.field_type == FieldType::DOUBLE
                && own.decimals < 31
            {
                // The server's text is rounded, its binary form isn't.
                found = found.map(|bytes| as_text(&own, &bytes));
                expected = value(line[6]);
            }
            assert_eq!(found, expected, "{line:?} {format:?}");
            checked += 1;
        }
    }
    assert!(checked > 1000, "{checked}");
}
