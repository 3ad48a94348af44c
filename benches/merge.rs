//! What a row costs in a merge, beside its network: indexing, keys, the tournament, folding.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use weir::executor::compare::{RowFormat, Shape};
use weir::executor::layout::Layout;
use weir::executor::limit::Window;
use weir::executor::memory::Memory;
use weir::executor::merge::Gathering;
use weir::executor::tournament::Tournament;
use weir::observe::budget::Budget;
use weir::planner::plan::{Aggregate, AggregateFunction, Column, Fold, Gather, SortKey};
use weir::protocol::field::FieldType;
use weir::protocol::row::{RowIndex, write_binary_row, write_text_row};

const SHARDS: usize = 8;
const ROWS: usize = 1_000;

/// `SELECT id, name, amount, created, note, <weight of name>`.
fn shapes() -> Vec<Shape> {
    let shape = |field_type, collation| Shape {
        field_type,
        unsigned: false,
        collation,
        decimals: 2,
        labels: false,
    };
    vec![
        shape(FieldType::LONGLONG, 63),
        shape(FieldType::VAR_STRING, 45),
        shape(FieldType::NEWDECIMAL, 63),
        shape(FieldType::VAR_STRING, 45),
        shape(FieldType::VAR_STRING, 45),
        shape(FieldType::VAR_STRING, 63),
    ]
}

fn row(format: RowFormat, number: usize) -> Vec<u8> {
    let (id, name) = (number.to_string(), format!("customer {number:08}"));
    let amount = format!("{}.{:02}", number * 7 % 10_000, number % 100);
    let weight: Vec<u8> = name.bytes().flat_map(|byte| [0, byte]).collect();
    let texts: [&[u8]; 6] = [
        id.as_bytes(),
        name.as_bytes(),
        amount.as_bytes(),
        b"2024-11-22 10:00:00",
        b"a note of the customer's",
        &weight,
    ];
    let mut out = Vec::new();
    match format {
        RowFormat::Text => write_text_row(texts.map(Some), &mut out),
        RowFormat::Binary => {
            let number = (number as i64).to_le_bytes();
            let mut values: Vec<_> =
                shapes().iter().map(|s| s.field_type).zip(texts.map(Some)).collect();
            values[0].1 = Some(&number);
            write_binary_row(&values, &mut out);
        }
    }
    out
}

/// Rows of each shard, in order by id and by name alike.
fn shards(format: RowFormat) -> Vec<Vec<Vec<u8>>> {
    let rows = |shard| (0..ROWS).map(move |place| row(format, place * SHARDS + shard)).collect();
    (0..SHARDS).map(rows).collect()
}

/// Runs a merge and returns how many bytes came out.
fn merge(gather: &Gather, format: RowFormat, shards: &[Vec<Vec<u8>>]) -> usize {
    let memory = Memory::new(Budget::new(1 << 30).empty(), 1 << 30);
    let layout = Layout::new(shapes(), gather.hidden, format).expect("columns");
    let mut gathering = Gathering::new(gather, layout, Window::OPEN, memory).expect("a plan");
    let mut tree = Tournament::new(shards.len());
    let mut indexes = vec![RowIndex::default(); shards.len()];
    let mut places = vec![0; shards.len()];
    for (input, rows) in shards.iter().enumerate() {
        let read = |key: &mut _| gathering.read(&rows[0], &mut indexes[input], key);
        tree.set(input, read).expect("a row");
    }
    tree.start();
    let mut bytes = 0;
    while let Some(input) = tree.winner() {
        let row = &shards[input][places[input]];
        let key = tree.key(input);
        gathering.push(key, row, &indexes[input], |row| bytes += row.len()).expect("a row");
        places[input] += 1;
        match shards[input].get(places[input]) {
            None => tree.end(input),
            Some(row) => {
                let read = |key: &mut _| gathering.read(row, &mut indexes[input], key);
                assert!(tree.advance(input, read).expect("a key"));
            }
        }
    }
    gathering.finish(|row| bytes += row.len()).expect("an end");
    bytes
}

fn merges(criterion: &mut Criterion) {
    let by = |column| vec![SortKey { column, descending: false, unit: 0 }];
    let total = |column, function| Aggregate { column: Column::Visible(column), function };
    let plans = [
        ("by a number", Gather { merge_by: by(Column::Visible(0)), ..Gather::default() }),
        (
            "by a hidden weight",
            Gather { hidden: 1, merge_by: by(Column::Hidden(0)), ..Gather::default() },
        ),
        (
            "distinct by a weight",
            Gather {
                hidden: 1,
                merge_by: by(Column::Hidden(0)),
                fold: Fold::Distinct,
                ..Gather::default()
            },
        ),
        (
            "totals for each number",
            Gather {
                merge_by: by(Column::Visible(0)),
                fold: Fold::Aggregate(vec![total(2, AggregateFunction::Sum)]),
                ..Gather::default()
            },
        ),
        (
            "one total",
            Gather {
                fold: Fold::Aggregate(vec![
                    total(0, AggregateFunction::Count),
                    total(2, AggregateFunction::Sum),
                ]),
                ..Gather::default()
            },
        ),
    ];
    let mut group = criterion.benchmark_group("merge");
    group.throughput(Throughput::Elements((SHARDS * ROWS) as u64));
    for (format, label) in [(RowFormat::Text, "text"), (RowFormat::Binary, "binary")] {
        let rows = shards(format);
        for (name, gather) in &plans {
            group.bench_function(format!("{name}, {label}"), |bencher| {
                bencher.iter(|| black_box(merge(gather, format, &rows)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, merges);
criterion_main!(benches);
