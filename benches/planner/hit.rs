//! A statement whose plan is cached: what every statement after the first of its template costs.

use weir::planner::bind::{Binding, SessionFacts};
use weir::planner::cache::{Circumstances, PlanCache};
use weir::planner::plan::Route;
use weir::planner::splice::Form;
use weir::sql::template::Lexed;
use weir::value::{CharsetClass, assign};

use crate::plan::{self, World};

pub const STATEMENTS: [(&str, &str); 5] = [
    ("point select", "SELECT id, amount FROM orders WHERE user_id = 5"),
    (
        "join",
        "SELECT o.id FROM orders o JOIN order_items i ON o.user_id = i.user_id WHERE o.user_id = 5",
    ),
    ("merged", "SELECT id, city FROM orders WHERE status = 'paid' ORDER BY city LIMIT 10"),
    ("update", "UPDATE orders SET amount = amount - 1 WHERE user_id = 5 AND amount >= 1"),
    ("insert", "INSERT INTO items (item_id, title) VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')"),
];

/// A cache that holds the plan of one statement.
pub struct Hit<'w> {
    world: &'w World,
    sql: &'w str,
    settings: plan::Settings,
    session: SessionFacts,
    cache: PlanCache,
    lexed: Lexed,
    text: Vec<u8>,
}

impl<'w> Hit<'w> {
    pub fn new(world: &'w World, sql: &'w str) -> Self {
        let settings = plan::Case::default().settings();
        let session = SessionFacts {
            assign: assign::Context::new(assign::ServerKind::MySql, &settings.sql_mode, Some(0)),
            charset: CharsetClass::Utf8,
            insert_id: 0,
            prefer: None,
            turn: 0,
        };
        let cache = PlanCache::new(1_000, 16 << 20);
        let (lexed, text) = (Lexed::new(), Vec::new());
        let mut hit = Hit { world, sql, settings, session, cache, lexed, text };
        hit.lex();
        let made = plan::planned(world, sql, &hit.lexed, &hit.settings).expect("a plan");
        let (cache, circumstances) = (&mut hit.cache, circumstances(world, &hit.settings));
        cache.put(&hit.lexed, &circumstances, made);
        hit
    }

    /// Statement → template.
    pub fn lex(&mut self) {
        let Hit { world, sql, settings, lexed, .. } = self;
        world.lexer.lex(sql.as_bytes(), &settings.dialect, lexed).expect("a statement");
    }

    /// Template → cached plan → route → the texts for the shards, whose length it returns.
    pub fn run(&mut self) -> usize {
        let Hit { world, sql, settings, session, cache, lexed, text } = self;
        let plan = cache.get(lexed, &circumstances(world, settings)).expect("a hit");
        let binding = Binding {
            sql: sql.as_bytes(),
            lexed,
            dialect: settings.dialect,
            parameters: &[],
            rules: &world.rules,
            session,
        };
        text.clear();
        match plan.bind(&binding) {
            Route::Forward(target) => {
                plan.render(&target, &binding, Form::Text, text).expect("a text");
            }
            Route::Scatter { targets, .. } | Route::Write { targets, .. } => {
                for target in &targets {
                    plan.render(target, &binding, Form::Text, text).expect("a text");
                }
            }
            _ => {}
        }
        text.len()
    }

    /// Template → plan, as for the first statement of it.
    #[allow(dead_code, reason = "the instruction count doesn't plan")]
    pub fn miss(&self) -> bool {
        plan::planned(self.world, self.sql, &self.lexed, &self.settings).is_ok()
    }
}

fn circumstances<'s>(world: &World, settings: &'s plan::Settings) -> Circumstances<'s> {
    Circumstances {
        dialect: settings.dialect,
        schema: settings.schema.as_deref(),
        rules: world.rules.version,
        overlay: 0,
        catalog: world.catalog.version,
    }
}
