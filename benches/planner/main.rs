//! What planning costs, over the statements of the golden plans.
//!
//! `miss`: template → plan. `hit`: cached plan → route → text, which is paid for each statement.
//! `lex and hit`: all that stands between a statement's bytes and those that a shard is sent.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};

mod hit;
#[allow(dead_code)]
#[path = "../../tests/it/plan.rs"]
mod plan;

use hit::{Hit, STATEMENTS};

fn thousand_rows() -> String {
    let rows: Vec<String> =
        (0..1_000).map(|row| format!("({row}, 'title of {row}', 9.90)")).collect();
    format!("INSERT INTO items (item_id, title, price) VALUES {}", rows.join(", "))
}

fn planner(criterion: &mut Criterion) {
    let world = plan::World::load();
    let thousand = thousand_rows();
    let mut statements: Vec<(&str, &str)> = STATEMENTS.to_vec();
    statements.push(("insert of 1000 rows", &thousand));
    for (name, sql) in statements {
        let mut hit = Hit::new(&world, sql);
        criterion.bench_function(&format!("plan miss, {name}"), |bencher| {
            bencher.iter(|| black_box(hit.miss()));
        });
        criterion.bench_function(&format!("plan hit, {name}"), |bencher| {
            bencher.iter(|| black_box(hit.run()));
        });
        criterion.bench_function(&format!("lex and hit, {name}"), |bencher| {
            bencher.iter(|| {
                hit.lex();
                black_box(hit.run())
            });
        });
    }
}

criterion_group!(benches, planner);
criterion_main!(benches);
