//! Instructions of the lexer and a plan hit, counted and not timed:
//! `valgrind --tool=callgrind target/release/examples/count_plan "point select" 10000`.
//! Run it twice with different counts; the difference is free of the start.

#[path = "planner/hit.rs"]
mod hit;
#[allow(dead_code)]
#[path = "../tests/it/plan.rs"]
mod plan;

use hit::{Hit, STATEMENTS};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let wanted = arguments.next().unwrap_or_else(|| "point select".to_owned());
    let count: u32 = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(10_000);
    let Some((_, sql)) = STATEMENTS.iter().find(|(name, _)| *name == wanted) else {
        eprintln!("known are: {:?}", STATEMENTS.map(|(name, _)| name));
        std::process::exit(2);
    };
    let world = plan::World::load();
    let mut hit = Hit::new(&world, sql);
    let mut bytes = 0;
    for _ in 0..count {
        hit.lex();
        bytes += hit.run();
    }
    println!("{count} × {wanted}: {bytes} bytes for the shards");
}
