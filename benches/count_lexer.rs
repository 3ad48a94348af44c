//! Instructions of the lexer, counted and not timed:
//! `valgrind --tool=callgrind target/release/examples/count_lexer "point select" 10000`.
//! Run it twice with different counts; the difference is free of the start.

use std::hint::black_box;

use weir::sql::lex::{Dialect, Limits};
use weir::sql::template::{Lexed, Lexer};

#[path = "lexer/statements.rs"]
mod statements;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let wanted = arguments.next().unwrap_or_else(|| "point select".to_owned());
    let count: u32 = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(10_000);
    let all = statements::statements();
    let Some((_, sql)) = all.iter().find(|(name, _)| *name == wanted) else {
        eprintln!("known are: {:?}", all.iter().map(|(name, _)| name).collect::<Vec<_>>());
        std::process::exit(2);
    };
    let lexer = Lexer::new(7, Limits::default());
    let mut lexed = Lexed::new();
    let mut hashes = 0u64;
    for _ in 0..count {
        lexer.lex(black_box(sql.as_bytes()), &Dialect::default(), &mut lexed).expect("valid");
        hashes ^= lexed.hash();
    }
    println!("{count} × {wanted}: template of {} bytes, {hashes:x}", lexed.template().len());
}
