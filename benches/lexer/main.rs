//! What a statement costs before its plan is looked up: lexing, template and hash.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use weir::sql::lex::{Dialect, Limits};
use weir::sql::template::{Lexed, Lexer};

mod statements;

use statements::statements;

fn templates(criterion: &mut Criterion) {
    let lexer = Lexer::new(7, Limits::default());
    let dialect = Dialect::default();
    let mut group = criterion.benchmark_group("lexer");
    for (name, sql) in statements() {
        let mut lexed = Lexed::new();
        group.throughput(Throughput::Bytes(sql.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                lexer.lex(black_box(sql.as_bytes()), &dialect, &mut lexed).expect("valid");
                lexed.hash()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, templates);
criterion_main!(benches);
