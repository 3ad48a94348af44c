//! Merging shards gives what sorting, grouping and cutting all rows in one place gives.

use proptest::prelude::*;

use crate::error::{Error, Result};
use crate::executor::compare::{RowFormat, Shape};
use crate::executor::layout::Layout;
use crate::executor::limit::Window;
use crate::executor::memory::Memory;
use crate::executor::merge::{Flow, Gathering};
use crate::executor::tournament::Tournament;
use crate::observe::budget::Budget;
use crate::planner::plan::{Aggregate, AggregateFunction, Column, Fold, Gather, SortKey};
use crate::protocol::field::FieldType;
use crate::protocol::row::{RowIndex, write_binary_row, write_text_row};

/// `SELECT k, s, n, <hidden weight of s>`: a nullable BIGINT, a string, a BIGINT.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    k: Option<i64>,
    s: String,
    n: i64,
}

fn shape(field_type: FieldType, collation: u16) -> Shape {
    Shape { field_type, unsigned: false, collation, decimals: 0, labels: false }
}

fn shapes() -> Vec<Shape> {
    vec![
        shape(FieldType::LONGLONG, 63),
        shape(FieldType::VAR_STRING, 45),
        shape(FieldType::LONGLONG, 63),
        shape(FieldType::VAR_STRING, 63),
    ]
}

/// A stand-in for WEIGHT_STRING that doesn't know cases.
fn weight(text: &str) -> Vec<u8> {
    text.to_lowercase().into_bytes()
}

fn encode(format: RowFormat, row: &Row) -> Vec<u8> {
    let mut out = Vec::new();
    let weight = weight(&row.s);
    match format {
        RowFormat::Text => {
            let k = row.k.map(|k| k.to_string());
            let n = row.n.to_string();
            let values = [
                k.as_deref().map(str::as_bytes),
                Some(row.s.as_bytes()),
                Some(n.as_bytes()),
                Some(&weight),
            ];
            write_text_row(values, &mut out);
        }
        RowFormat::Binary => {
            let k = row.k.map(i64::to_le_bytes);
            let n = row.n.to_le_bytes();
            let values =
                [k.as_ref().map(|k| &k[..]), Some(row.s.as_bytes()), Some(&n[..]), Some(&weight)];
            let columns: Vec<_> = shapes().iter().map(|s| s.field_type).zip(values).collect();
            write_binary_row(&columns, &mut out);
        }
    }
    out
}

/// Reads what the client got: the three visible columns.
fn decode(format: RowFormat, payload: &[u8]) -> Row {
    let columns = shapes()[..3].to_vec();
    let layout = Layout::new(columns, 0, format).unwrap();
    let mut index = RowIndex::default();
    layout.index(payload, &mut index).unwrap();
    let number = |bytes: &[u8]| match format {
        RowFormat::Text => std::str::from_utf8(bytes).unwrap().parse().unwrap(),
        RowFormat::Binary => i64::from_le_bytes(bytes.try_into().unwrap()),
    };
    Row {
        k: index.get(payload, 0).map(number),
        s: String::from_utf8(index.get(payload, 1).unwrap().to_vec()).unwrap(),
        n: number(index.get(payload, 2).unwrap()),
    }
}

fn key(column: Column, descending: bool) -> SortKey {
    SortKey { column, descending, unit: 0 }
}

/// Runs the merge as the scatter does, without its I/O.
fn run(
    gather: &Gather,
    window: Window,
    format: RowFormat,
    shards: &[Vec<Vec<u8>>],
) -> Result<Vec<Vec<u8>>> {
    let memory = Memory::new(Budget::new(1 << 30).empty(), 1 << 20);
    let layout = Layout::new(shapes(), gather.hidden, format)?;
    let mut gathering = Gathering::new(gather, layout, window, memory)?;
    let mut out = Vec::new();
    let mut heads = vec![0; shards.len()];
    let mut indexes = vec![RowIndex::default(); shards.len()];
    let mut tree = Tournament::new(shards.len());
    for (input, rows) in shards.iter().enumerate() {
        let Some(row) = rows.first() else { continue };
        tree.set(input, |key| gathering.read(row, &mut indexes[input], key))?;
    }
    tree.start();
    while let Some(input) = tree.winner() {
        let row = &shards[input][heads[input]];
        let key = tree.key(input);
        if gathering.push(key, row, &indexes[input], |row| out.push(row.to_vec()))? == Flow::Enough
        {
            break;
        }
        heads[input] += 1;
        match shards[input].get(heads[input]) {
            None => tree.end(input),
            Some(row) => {
                if !tree.advance(input, |key| gathering.read(row, &mut indexes[input], key))? {
                    return Err(Error::internal("not in order"));
                }
            }
        }
    }
    gathering.finish(|row| out.push(row.to_vec()))?;
    while let Some(row) = gathering.sorted() {
        out.push(row.to_vec());
    }
    Ok(out)
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (proptest::option::of(-3_i64..3), "[aAbB]{0,2}", -2_i64..3)
        .prop_map(|(k, s, n)| Row { k, s, n });
    proptest::collection::vec(row, 0..30)
}

fn shards() -> impl Strategy<Value = Vec<Vec<Row>>> {
    proptest::collection::vec(rows(), 0..9)
}

fn format() -> impl Strategy<Value = RowFormat> {
    prop_oneof![Just(RowFormat::Text), Just(RowFormat::Binary)]
}

fn window() -> impl Strategy<Value = Option<(u64, u64)>> {
    proptest::option::of((0_u64..12, 0_u64..12))
}

fn cut<T>(rows: Vec<T>, window: Option<(u64, u64)>) -> Vec<T> {
    match window {
        None => rows,
        Some((offset, count)) => {
            rows.into_iter().skip(offset as usize).take(count as usize).collect()
        }
    }
}

fn open(window: Option<(u64, u64)>) -> Window {
    window.map_or(Window::OPEN, |(offset, count)| Window::new(offset, count))
}

fn encoded(format: RowFormat, shards: &[Vec<Row>]) -> Vec<Vec<Vec<u8>>> {
    shards.iter().map(|rows| rows.iter().map(|row| encode(format, row)).collect()).collect()
}

proptest! {
    #[test]
    fn an_ordered_merge_is_the_sort_of_the_concatenation(
        mut shards in shards(), format in format(), window in window(), down in any::<(bool, bool)>()
    ) {
        let order = |a: &Row, b: &Row| {
            let by_k = if down.0 { b.k.cmp(&a.k) } else { a.k.cmp(&b.k) };
            let (wa, wb) = (weight(&a.s), weight(&b.s));
            by_k.then(if down.1 { wb.cmp(&wa) } else { wa.cmp(&wb) })
        };
        for rows in &mut shards {
            rows.sort_by(order);
        }
        let gather = Gather {
            hidden: 1,
            merge_by: vec![key(Column::Visible(0), down.0), key(Column::Hidden(0), down.1)],
            ..Gather::default()
        };
        // A stable sort: equal rows stand in the order of the shards, as the merge gives them.
        let mut expected: Vec<Row> = shards.concat();
        expected.sort_by(order);
        let merged = run(&gather, open(window), format, &encoded(format, &shards)).unwrap();
        let merged: Vec<Row> = merged.iter().map(|row| decode(format, row)).collect();
        prop_assert_eq!(merged, cut(expected, window));
    }

    #[test]
    fn distinct_keeps_the_first_of_each_key(
        mut shards in shards(), format in format(), window in window()
    ) {
        for rows in &mut shards {
            rows.sort_by_key(|row| (row.k, weight(&row.s)));
            rows.dedup_by_key(|row| (row.k, weight(&row.s)));
        }
        let gather = Gather {
            hidden: 1,
            merge_by: vec![key(Column::Visible(0), false), key(Column::Hidden(0), false)],
            fold: Fold::Distinct,
            ..Gather::default()
        };
        let mut expected: Vec<Row> = shards.concat();
        expected.sort_by_key(|row| (row.k, weight(&row.s)));
        expected.dedup_by_key(|row| (row.k, weight(&row.s)));
        let merged = run(&gather, open(window), format, &encoded(format, &shards)).unwrap();
        let merged: Vec<Row> = merged.iter().map(|row| decode(format, row)).collect();
        prop_assert_eq!(merged, cut(expected, window));
    }

    /// `SELECT k, MIN(s), COUNT(*) … GROUP BY k ORDER BY COUNT(*) DESC, k LIMIT …`.
    #[test]
    fn groups_are_totalled_and_then_sorted(
        shards in shards(), format in format(), window in window()
    ) {
        let partial = |rows: &Vec<Row>| {
            let mut groups: Vec<Row> = Vec::new();
            for k in rows.iter().map(|row| row.k).collect::<std::collections::BTreeSet<_>>() {
                let group: Vec<_> = rows.iter().filter(|row| row.k == k).collect();
                let s = group.iter().map(|row| &row.s).min_by_key(|s| weight(s)).unwrap().clone();
                groups.push(Row { k, s, n: group.len() as i64 });
            }
            groups
        };
        let partials: Vec<_> = shards.iter().map(partial).collect();
        let gather = Gather {
            hidden: 1,
            merge_by: vec![key(Column::Visible(0), false)],
            fold: Fold::Aggregate(vec![
                Aggregate { column: Column::Visible(1), function: AggregateFunction::Min { weight: Some(Column::Hidden(0)) } },
                Aggregate { column: Column::Visible(2), function: AggregateFunction::Count },
            ]),
            sort: vec![key(Column::Visible(2), true), key(Column::Visible(0), false)],
            ..Gather::default()
        };
        let mut expected = partial(&shards.concat());
        expected.sort_by_key(|row| (-row.n, row.k));
        let merged = run(&gather, open(window), format, &encoded(format, &partials)).unwrap();
        let merged: Vec<Row> = merged.iter().map(|row| decode(format, row)).collect();
        let expected = cut(expected, window);
        prop_assert_eq!(merged.len(), expected.len());
        for (merged, expected) in merged.iter().zip(&expected) {
            prop_assert_eq!((merged.k, merged.n), (expected.k, expected.n));
            // Of strings that are equal to the collation any one is MIN.
            prop_assert_eq!(weight(&merged.s), weight(&expected.s));
        }
    }

    /// Whatever bytes a shard sends: an error or rows, never a panic.
    #[test]
    fn rows_of_any_bytes_do_no_harm(
        mut shards in proptest::collection::vec(
            proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..4), 1..3),
        format in format(), fold in 0..3
    ) {
        if format == RowFormat::Binary {
            shards.iter_mut().flatten().for_each(|row| row.insert(0, 0));
        }
        let fold = match fold {
            0 => Fold::Keep,
            1 => Fold::Distinct,
            _ => Fold::Aggregate(vec![Aggregate { column: Column::Visible(2), function: AggregateFunction::Sum }]),
        };
        let merge_by = vec![key(Column::Visible(0), false), key(Column::Hidden(0), true)];
        let gather = Gather { hidden: 1, merge_by, fold, ..Gather::default() };
        let _ = run(&gather, Window::OPEN, format, &shards);
    }
}

#[test]
fn a_shard_that_breaks_its_order_is_an_error_and_not_a_wrong_merge() {
    let row = |k| Row { k: Some(k), s: String::new(), n: 0 };
    let gather =
        Gather { hidden: 1, merge_by: vec![key(Column::Visible(0), false)], ..Gather::default() };
    let shards = encoded(RowFormat::Text, &[vec![row(1), row(3), row(2)], vec![row(2)]]);
    assert!(run(&gather, Window::OPEN, RowFormat::Text, &shards).is_err());
}

#[test]
fn what_must_not_be_a_key_is_refused() {
    let gather =
        |column| Gather { hidden: 1, merge_by: vec![key(column, false)], ..Gather::default() };
    let error = run(&gather(Column::Visible(1)), Window::OPEN, RowFormat::Text, &[]).unwrap_err();
    assert_eq!(error.code, "internal", "a character string without weights: {error}");
    let layout = |field_type| Layout::new(vec![shape(field_type, 63)], 0, RowFormat::Text).unwrap();
    let keys = |field_type| {
        crate::executor::key::Keys::new(&[key(Column::Visible(0), false)], &layout(field_type))
    };
    assert_eq!(keys(FieldType::JSON).unwrap_err().code, "merge_order");
    assert_eq!(keys(FieldType::GEOMETRY).unwrap_err().code, "merge_order");
    assert_eq!(keys(FieldType::FLOAT).unwrap_err().code, "internal");
    assert!(keys(FieldType::DOUBLE).is_ok());
}

#[test]
fn a_sort_beyond_its_memory_names_the_limit() {
    let rows: Vec<Row> = (0..40_000).map(|k| Row { k: Some(k), s: "x".repeat(20), n: 1 }).collect();
    let shards = encoded(RowFormat::Text, &[rows]);
    let gather = Gather {
        hidden: 1,
        merge_by: vec![key(Column::Visible(0), false)],
        sort: vec![key(Column::Visible(2), false)],
        ..Gather::default()
    };
    let error = run(&gather, Window::OPEN, RowFormat::Text, &shards).unwrap_err();
    assert_eq!((error.errno, error.code), (1038, "merge_memory"));
    assert!(error.message.contains("limits.merge_memory"), "{error}");
    // With a LIMIT only its rows are held.
    let few = run(&gather, Window::new(1, 3), RowFormat::Text, &shards).unwrap();
    let few: Vec<_> = few.iter().map(|row| decode(RowFormat::Text, row).k.unwrap()).collect();
    assert_eq!(few, [1, 2, 3]);
}
