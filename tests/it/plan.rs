//! Golden plans: SQL and the route that it takes, in `tests/data/plan/*.test`.
//!
//! A case is a block of lines that ends with an empty one: directives (`@mode`, `@params`,
//! `@schema`, `@server`, `@insert_id`), the statement, and the plan, indented by two blanks. Run with
//! `WEIR_UPDATE_GOLDEN=1` to write what the planner says now; read the difference before it is kept.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use weir::catalog::{
    Catalog, Column, DefaultValue, Key, KeyPart, Table, Trigger, TriggerEvent, View,
};
use weir::planner::bind::{Binding, SessionFacts};
use weir::planner::explain::explain;
use weir::planner::make::plan;
use weir::planner::splice::Form;
use weir::planner::{Plan, PlanInput, Planned};
use weir::rules::Rules;
use weir::rules::check;
use weir::sql::lex::{Dialect, LexMode, Limits, ServerKind};
use weir::sql::template::{Lexed, Lexer};
use weir::value::assign;
use weir::value::types::ColumnType;
use weir::value::{CharsetClass, Value};

/// What the golden plans are made with.
pub struct World {
    pub rules: Rules,
    pub catalog: Catalog,
    pub lexer: Lexer,
}

/// One case of a file.
#[derive(Clone, Debug, Default)]
pub struct Case {
    pub comments: Vec<String>,
    pub directives: Vec<String>,
    pub sql: String,
    pub expected: String,
}

impl World {
    pub fn load() -> World {
        World::of(&data("rules"), &data("catalog.txt"))
    }

    fn of(rules: &Path, catalog_file: &Path) -> World {
        let checked = check::load(rules);
        let problems: Vec<String> = checked.problems.iter().map(|p| format!("{p:?}")).collect();
        let rules = checked.rules.unwrap_or_else(|| panic!("{problems:#?}"));
        let text = std::fs::read_to_string(catalog_file).expect("a catalog");
        World { rules, catalog: catalog(&text), lexer: Lexer::new(7, Limits::default()) }
    }
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/plan").join(name)
}

/// A view of a connection with the default collation.
fn made(definition: Box<str>) -> View {
    let (charset, collation) = ("utf8mb4".into(), "utf8mb4_general_ci".into());
    let (is_default, reads_id) = (true, false);
    View { definition, invoker: false, collation, charset, is_default, reads_id }
}

fn catalog(text: &str) -> Catalog {
    let mut catalog = Catalog::default();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (name, columns) = line.split_once(": ").expect("schema.table: columns");
        let (schema, table) = name.split_once('.').expect("schema.table");
        let (mut auto, mut primary) = (None, vec![]);
        let (marks, columns): (Vec<&str>, Vec<&str>) =
            columns.split(", ").partition(|item| item.starts_with('!'));
        let columns = columns
            .into_iter()
            .enumerate()
            .map(|(index, column)| {
                let (name, rest) = column.split_once(' ').expect("name type");
                let mut words: Vec<&str> = rest.split(' ').collect();
                let kind = words.remove(0);
                let mut says = |word| {
                    let found = words.iter().position(|known| *known == word);
                    found.map(|place| words.remove(place)).is_some()
                };
                let (counts, is_key) = (says("auto_increment"), says("primary"));
                let required = says("required");
                let kind = ColumnType::parse(kind, words.first().copied()).expect("a type");
                let mut column = Column::new(name, kind);
                column.nullable = !required;
                if counts {
                    column.default = DefaultValue::AutoIncrement;
                    auto = Some(index);
                }
                if is_key {
                    column.nullable = false;
                    primary.push(KeyPart { column: Some(index), prefix: None });
                }
                column
            })
            .collect();
        let mut table = Table::new(table, columns);
        table.auto_increment = auto;
        if !primary.is_empty() {
            let name = "PRIMARY".into();
            table.keys = vec![Key { name, primary: true, unique: true, parts: primary }];
        }
        for mark in marks {
            match mark {
                "!view" => table.is_view = true,
                mark if mark.starts_with("!view ") => {
                    let definition = mark.trim_start_matches("!view ").into();
                    (table.is_view, table.view) = (true, Some(made(definition)));
                }
                "!references" => table.has_foreign_keys = true,
                "!trigger" => {
                    let (name, before) = ("t".into(), true);
                    let (event, reads_id) = (TriggerEvent::Update, false);
                    let (sets, writes) = (false, false);
                    table.triggers.push(Trigger { name, before, event, reads_id, sets, writes });
                }
                other => panic!("{other} is no mark of a table"),
            }
        }
        catalog = catalog.with(schema, table);
    }
    catalog
}

/// What the directives of a case say.
pub struct Settings {
    pub dialect: Dialect,
    pub sql_mode: String,
    pub schema: Option<String>,
    pub parameters: Vec<Value>,
    /// LAST_INSERT_ID().
    pub insert_id: u64,
}

impl Case {
    pub fn settings(&self) -> Settings {
        let mut settings = Settings {
            dialect: Dialect::default(),
            sql_mode: "STRICT_TRANS_TABLES".to_string(),
            schema: Some("shop".to_string()),
            parameters: vec![],
            insert_id: 0,
        };
        for directive in &self.directives {
            let (name, value) = directive.split_once(' ').unwrap_or((directive, ""));
            match name {
                "@mode" => {
                    settings.dialect.mode = LexMode::of(value);
                    settings.sql_mode = value.to_string();
                }
                "@schema" => settings.schema = (value != "none").then(|| value.to_string()),
                "@server" => {
                    settings.dialect.server = ServerKind::MariaDb;
                    settings.dialect.version = 101_100;
                }
                "@insert_id" => settings.insert_id = value.parse().expect("a number"),
                "@params" => settings.parameters = value.split(", ").map(parameter).collect(),
                other => panic!("unknown directive {other}"),
            }
        }
        settings
    }
}

fn parameter(text: &str) -> Value {
    match text.trim() {
        "NULL" => Value::Null,
        text if text.starts_with('\'') => Value::text(text.trim_matches('\'')),
        text => Value::Int(text.parse().expect("a number")),
    }
}

/// The text of a statement's route.
pub fn route(world: &World, sql: &str, settings: &Settings) -> String {
    let mut lexed = Lexed::new();
    if let Err(error) = world.lexer.lex(sql.as_bytes(), &settings.dialect, &mut lexed) {
        return format!("Error {error}\n");
    }
    match planned(world, sql, &lexed, settings) {
        Ok(plan) => explained(world, sql, &lexed, settings, &plan),
        Err(text) => text,
    }
}

pub fn planned(
    world: &World,
    sql: &str,
    lexed: &Lexed,
    settings: &Settings,
) -> Result<std::sync::Arc<Plan>, String> {
    let input = PlanInput {
        sql: sql.as_bytes(),
        lexed,
        dialect: settings.dialect,
        rules: &world.rules,
        catalog: &world.catalog,
        schema: settings.schema.as_deref(),
        final_catalog: false,
    };
    match plan(&input) {
        Ok(Planned::Plan(plan)) => Ok(plan),
        Ok(Planned::Need(tables)) => {
            // What isn't in the catalog's file doesn't exist.
            match plan(&PlanInput { final_catalog: true, ..input }) {
                Ok(Planned::Plan(plan)) => Ok(plan),
                _ => Err(format!("Need {tables:?}\n")),
            }
        }
        Err(error) => Err(format!("Error {error}\n")),
    }
}

pub fn explained(
    world: &World,
    sql: &str,
    lexed: &Lexed,
    settings: &Settings,
    plan: &Plan,
) -> String {
    let server = match settings.dialect.server {
        ServerKind::MySql => assign::ServerKind::MySql,
        ServerKind::MariaDb => assign::ServerKind::MariaDb,
    };
    let session = SessionFacts {
        assign: assign::Context::new(server, &settings.sql_mode, Some(0)),
        charset: CharsetClass::Utf8,
        insert_id: settings.insert_id,
        prefer: None,
        turn: 0,
    };
    let binding = Binding {
        sql: sql.as_bytes(),
        lexed,
        dialect: settings.dialect,
        parameters: &settings.parameters,
        rules: &world.rules,
        session: &session,
    };
    let text = explain(plan, &binding).unwrap_or_else(|error| format!("Error {error}\n"));
    let wanted = plan.fill.as_ref().and_then(|fill| Some((fill, fill.wanted(&binding).ok()?.rows)));
    let Some((fill, rows)) = wanted.filter(|(_, rows)| !rows.is_empty()) else { return text };
    // The ids from 7001 on, and then as any other statement.
    let form = if settings.parameters.is_empty() { Form::Text } else { Form::Prepared };
    let filled = fill.write(&binding, &rows, 7001, form).expect("ids");
    let sql = String::from_utf8(filled.sql.clone()).expect("text");
    let parameters = filled.parameters(&settings.parameters);
    let shown = if parameters.is_empty() { String::new() } else { format!(" with {parameters:?}") };
    let settings = Settings {
        parameters,
        sql_mode: settings.sql_mode.clone(),
        schema: settings.schema.clone(),
        ..*settings
    };
    format!("{text}{sql}{shown}\n{}", route(world, &sql, &settings))
}

pub fn cases(text: &str) -> Vec<Case> {
    let mut all = vec![];
    let mut case = Case::default();
    for line in text.lines().chain([""]) {
        if line.is_empty() {
            if !case.sql.is_empty() || !case.comments.is_empty() {
                all.push(std::mem::take(&mut case));
            }
        } else if let Some(expected) = line.strip_prefix("  ") {
            let _ = writeln!(case.expected, "{expected}");
        } else if line.starts_with('#') && case.sql.is_empty() {
            case.comments.push(line.to_string());
        } else if line.starts_with('@') && case.sql.is_empty() {
            case.directives.push(line.to_string());
        } else {
            if !case.sql.is_empty() {
                case.sql.push('\n');
            }
            case.sql.push_str(line);
        }
    }
    all
}

pub fn files() -> Vec<PathBuf> {
    files_in("")
}

fn files_in(directory: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(data(directory))
        .expect("tests/data/plan")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "test"))
        .collect();
    files.sort();
    files
}

fn written(case: &Case, route: &str) -> String {
    let mut text = String::new();
    for line in case.comments.iter().chain(&case.directives) {
        let _ = writeln!(text, "{line}");
    }
    if !case.sql.is_empty() {
        let _ = writeln!(text, "{}", case.sql);
        for line in route.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

#[test]
fn golden_plans() {
    golden(&World::load(), &files());
}

/// Those of the rules in `rules/tddl`.
#[test]
fn golden_plans_of_tddl() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/tddl");
    golden(&World::of(&rules, &data("tddl/catalog.txt")), &files_in("tddl"));
}

fn golden(world: &World, files: &[PathBuf]) {
    let update = std::env::var_os("WEIR_UPDATE_GOLDEN").is_some();
    let (mut count, mut wrong) = (0, vec![]);
    for path in files {
        let text = std::fs::read_to_string(path).expect("a golden file");
        let mut blocks = vec![];
        for case in cases(&text) {
            let route = if case.sql.is_empty() {
                String::new()
            } else {
                route(world, &case.sql, &case.settings())
            };
            count += usize::from(!case.sql.is_empty());
            if route != case.expected {
                wrong.push(format!(
                    "{}:\n{}\nexpected:\n{}now:\n{route}",
                    path.file_name().unwrap_or_default().display(),
                    case.sql,
                    case.expected,
                ));
            }
            blocks.push(written(&case, &route));
        }
        if update {
            std::fs::write(path, blocks.join("\n")).expect("write the golden file");
        }
    }
    assert!(count > 0, "no golden plans");
    assert!(
        update || wrong.is_empty(),
        "{} of {count} differ:\n\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

/// A statement of the same template with other whole numbers in it.
fn other_numbers(sql: &str, lexed: &Lexed) -> String {
    let mut bytes = sql.as_bytes().to_vec();
    for item in lexed.all_items() {
        let Some(text) = bytes.get_mut(item.source()) else { continue };
        if item.kind == weir::sql::slot::LiteralKind::Integer && text.iter().all(u8::is_ascii_digit)
        {
            for digit in text {
                // 1 → 2 … 8 → 9, 9 → 1: never a leading zero, always another shard.
                *digit = if *digit == b'9' { b'1' } else { (*digit).max(b'0') + 1 };
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// plan(cached template, literals) = plan(fresh parse), for each golden statement.
#[test]
fn a_cached_plan_routes_as_a_fresh_one() {
    let world = World::load();
    let (mut compared, mut differing, mut with_rows) = (0, 0, 0);
    for path in files() {
        let text = std::fs::read_to_string(&path).expect("a golden file");
        for case in cases(&text).into_iter().filter(|case| !case.sql.is_empty()) {
            let settings = case.settings();
            let (mut lexed, mut other_lexed) = (Lexed::new(), Lexed::new());
            if world.lexer.lex(case.sql.as_bytes(), &settings.dialect, &mut lexed).is_err() {
                continue;
            }
            let other = other_numbers(&case.sql, &lexed);
            let lex = world.lexer.lex(other.as_bytes(), &settings.dialect, &mut other_lexed);
            if lex.is_err() || other_lexed.template() != lexed.template() {
                continue;
            }
            let Ok(cached) = planned(&world, &case.sql, &lexed, &settings) else { continue };
            let from_cache = explained(&world, &other, &other_lexed, &settings, &cached);
            let fresh = route(&world, &other, &settings);
            assert_eq!(from_cache, fresh, "{}\nwith the plan of\n{}", other, case.sql);
            compared += 1;
            differing += usize::from(other != case.sql);
            let Some(more) = one_row_more(&case.sql, &lexed) else { continue };
            let lex = world.lexer.lex(more.as_bytes(), &settings.dialect, &mut other_lexed);
            if lex.is_ok() && other_lexed.template() == lexed.template() {
                let from_cache = explained(&world, &more, &other_lexed, &settings, &cached);
                assert_eq!(
                    from_cache,
                    route(&world, &more, &settings),
                    "{more}\nwith the plan of\n{}",
                    case.sql
                );
                with_rows += 1;
            }
        }
    }
    assert!(with_rows > 10, "{with_rows} with a row more");
    assert!(
        compared > 300 && differing > 150,
        "{compared} compared, {differing} with other values"
    );
}

/// The same INSERT with its last row twice.
fn one_row_more(sql: &str, lexed: &Lexed) -> Option<String> {
    let last = lexed.rows().last()?;
    let (start, end) = (last.start as usize, last.end as usize);
    Some(format!("{}, {}{}", sql.get(..end)?, sql.get(start..end)?, sql.get(end..)?))
}

/// Each code of a refusal is met by a golden plan: as one, or as the reason for the workbench.
#[test]
fn each_refusal_has_a_golden_plan() {
    let mut text = String::new();
    for path in files() {
        text.push_str(&std::fs::read_to_string(&path).expect("a golden file"));
    }
    let missing: Vec<&&str> = weir::planner::refuse::CODES
        .iter()
        .filter(|code| !text.contains(&format!("Refuse {code}:")))
        .filter(|code| {
            let reason = format!(" {code}");
            !text
                .lines()
                .any(|line| line.trim_start().starts_with("Workbench") && line.ends_with(&reason))
        })
        .collect();
    assert!(missing.is_empty(), "no golden plan is refused with {missing:?}");
}

/// Long chains and deep nests end in a plan or an error, on the stack of a worker's thread.
#[test]
fn long_chains_keep_the_stack() {
    let chain = |operator: &str, count: usize, operand: &str| {
        let operands = vec![operand.to_string(); count];
        operands.join(&format!(" {operator} "))
    };
    let statements = vec![
        format!("SELECT * FROM orders WHERE {}", chain("OR", 3_900, "user_id = 1")),
        format!("SELECT * FROM orders WHERE {}", chain("AND", 3_900, "user_id = 1")),
        format!("SELECT * FROM orders WHERE {}", chain("XOR", 3_900, "id")),
        format!("SELECT * FROM orders WHERE user_id = {}", chain("+", 3_900, "1")),
        format!("SELECT * FROM orders WHERE user_id = {}", chain("=", 3_900, "1")),
        format!("SELECT {} FROM orders", chain("||", 3_900, "id")),
        format!("SELECT * FROM orders WHERE {}", chain("OR", 40_000, "user_id = 1")),
        chain("UNION ALL", 900, "SELECT id FROM orders"),
        format!("SELECT * FROM orders WHERE {}user_id = 1{}", "(".repeat(90), ")".repeat(90)),
        format!("SELECT * FROM orders WHERE {}user_id = 1{}", "(".repeat(2_000), ")".repeat(2_000)),
        format!("SELECT * FROM orders WHERE {} user_id = 1", "NOT ".repeat(200)),
        format!("SELECT * FROM orders WHERE user_id = {}1", "- ".repeat(3_000)),
        format!("SELECT * FROM {}(SELECT 1) a{}", "(SELECT * FROM ".repeat(40), ") a".repeat(40)),
        format!("SELECT * FROM orders WHERE {}", chain("OR", 3_900, "user_id =")),
        format!("SELECT * FROM orders o {}", "JOIN orders p ON o.user_id = p.user_id ".repeat(60)),
        format!("SELECT {}1{}", "ABS(".repeat(90), ")".repeat(90)),
        format!("SELECT {}", "CASE WHEN ".repeat(500)),
    ];
    let worker = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
        let world = World::load();
        let settings = Case::default().settings();
        for sql in statements {
            let shown = sql.get(..60).unwrap_or(&sql).to_string();
            let route = route(&world, &sql, &settings);
            assert!(!route.is_empty(), "{shown}");
        }
    });
    worker.expect("a thread").join().expect("no panic and no overflow");
}
