//! What planning costs, over the statements of the golden plans.
//!
//! `miss`: template → plan. `hit`: cached plan → route → text, which is paid for each statement.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use weir::planner::bind::{Binding, SessionFacts};
use weir::planner::cache::{Circumstances, PlanCache};
use weir::planner::plan::Route;
use weir::planner::splice::Form;
use weir::sql::template::Lexed;
use weir::value::{CharsetClass, assign};

#[allow(dead_code)]
#[path = "../tests/it/plan.rs"]
mod plan;

const STATEMENTS: [(&str, &str); 5] = [
    ("point select", "SELECT id, amount FROM orders WHERE user_id = 5"),
    (
        "join",
        "SELECT o.id FROM orders o JOIN order_items i ON o.user_id = i.user_id WHERE o.user_id = 5",
    ),
    ("merged", "SELECT id, city FROM orders WHERE status = 'paid' ORDER BY city LIMIT 10"),
    ("update", "UPDATE orders SET amount = amount - 1 WHERE user_id = 5 AND amount >= 1"),
    ("insert", "INSERT INTO items (item_id, title) VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')"),
];

fn thousand_rows() -> String {
    let rows: Vec<String> =
        (0..1_000).map(|row| format!("({row}, 'title of {row}', 9.90)")).collect();
    format!("INSERT INTO items (item_id, title, price) VALUES {}", rows.join(", "))
}

fn planner(criterion: &mut Criterion) {
    let world = plan::World::load();
    let settings = plan::Case::default().settings();
    let session = SessionFacts {
        assign: assign::Context::new(assign::ServerKind::MySql, &settings.sql_mode, Some(0)),
        charset: CharsetClass::Utf8,
        insert_id: 0,
        prefer: None,
        turn: 0,
    };
    let thousand = thousand_rows();
    let mut statements: Vec<(&str, &str)> = STATEMENTS.to_vec();
    statements.push(("insert of 1000 rows", &thousand));
    for (name, sql) in statements {
        let mut lexed = Lexed::new();
        world.lexer.lex(sql.as_bytes(), &settings.dialect, &mut lexed).expect("a statement");
        criterion.bench_function(&format!("plan miss, {name}"), |bencher| {
            bencher.iter(|| plan::planned(&world, black_box(sql), &lexed, &settings));
        });
        let circumstances = Circumstances {
            dialect: settings.dialect,
            schema: settings.schema.as_deref(),
            rules: world.rules.version,
            overlay: 0,
            catalog: world.catalog.version,
        };
        let mut cache = PlanCache::new(1_000, 16 << 20);
        let made = plan::planned(&world, sql, &lexed, &settings).expect("a plan");
        cache.put(&lexed, &circumstances, made);
        let mut text = Vec::new();
        criterion.bench_function(&format!("plan hit, {name}"), |bencher| {
            bencher.iter(|| {
                let plan = cache.get(black_box(&lexed), &circumstances).expect("a hit");
                let binding = Binding {
                    sql: sql.as_bytes(),
                    lexed: &lexed,
                    dialect: settings.dialect,
                    parameters: &[],
                    rules: &world.rules,
                    session: &session,
                };
                text.clear();
                match plan.bind(&binding) {
                    Route::Forward(target) => {
                        plan.render(&target, &binding, Form::Text, &mut text).expect("a text");
                    }
                    Route::Scatter { targets, .. } | Route::Write { targets, .. } => {
                        for target in &targets {
                            plan.render(target, &binding, Form::Text, &mut text).expect("a text");
                        }
                    }
                    _ => {}
                }
                black_box(text.len())
            });
        });
    }
}

criterion_group!(benches, planner);
criterion_main!(benches);
