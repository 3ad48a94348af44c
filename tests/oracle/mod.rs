//! The differential oracle: random statements over shards behind Weir and on one plain server that
//! holds the same rows.
//!
//! Owns: rounds of statements ([`run`]) and the report. A round is one rule set with random tables
//! and rows; a statement of it depends on the seed, the round and its number alone. A refusal by
//! Weir is counted by its code and is no difference. A difference is cut down to the smallest
//! statement that still differs and written to `target/oracle`.
//!
//! Never: lists a statement that may differ. What one server answers arbitrarily is marked by the
//! rule that makes it (`tree::Mark`).

pub mod aggregate;
pub mod expression;
pub mod forms;
pub mod from;
pub mod judge;
pub mod modify;
pub mod pair;
pub mod reduce;
pub mod rows;
pub mod schema;
pub mod select;
pub mod templates;
pub mod tree;
pub mod world;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use expression::Maker;
use judge::Verdict;
use pair::{Form, Pair, Tried};
use schema::SETS;
use tree::{Node, Written};
use world::{Round, World};

use crate::support::dice::Dice;
use crate::support::servers::Kind;

/// Codes of bounds that the DBA sets. Any other refusal is a shape that is missing, and fails a run.
const BOUNDS: [&str; 2] = ["workbench_limit", "merge_memory"];

/// What is run.
#[derive(Clone, Debug)]
pub struct Options {
    pub statements: u64,
    pub seed: u64,
    /// Statements of one rule set, tables and rows.
    pub per_round: u64,
    /// One rule set alone.
    pub set: Option<String>,
    /// Rounds from this one on: those before are passed over, and no statement of them is counted.
    pub from: u64,
    /// One round alone, and in it one statement alone.
    pub round: Option<u64>,
    pub only: Option<u64>,
    /// And those before it from this one on.
    pub since: Option<u64>,
    /// Those alone whose text has this in it.
    pub has: Option<String>,
    /// Leave the round standing for so many seconds.
    pub hold: Option<u64>,
    /// Print each statement.
    pub all: bool,
    /// How many of a hundred statements write.
    pub writes: u64,
}

/// What differed, cut down.
#[derive(Debug)]
pub struct Difference {
    pub place: String,
    pub sql: String,
    pub verdict: Verdict,
}

#[derive(Debug, Default)]
pub struct Outcome {
    pub compared: u64,
    pub differences: Vec<Difference>,
    /// By code.
    pub refused: BTreeMap<String, u64>,
    /// Statements that a server doesn't survive.
    pub crashed: u64,
    /// Refusals that no bound accounts for: shapes that are missing.
    pub missing: u64,
    /// Answered with the same error by both.
    pub failed: u64,
}

impl Outcome {
    pub fn add(&mut self, other: Outcome) {
        self.compared += other.compared;
        self.failed += other.failed;
        self.missing += other.missing;
        self.crashed += other.crashed;
        self.differences.extend(other.differences);
        for (code, times) in other.refused {
            *self.refused.entry(code).or_default() += times;
        }
    }

    /// The refusals by code, and the closing line.
    pub fn summary(&self) -> String {
        let mut out = String::new();
        for (code, times) in &self.refused {
            let _ = writeln!(out, "refused {times}: {code}");
        }
        let _ = writeln!(out, "failed alike {}", self.failed);
        if self.crashed > 0 {
            let _ = writeln!(out, "crashed a server {}", self.crashed);
        }
        let refused: u64 = self.refused.values().sum();
        let _ = write!(
            out,
            "compared {}, different {}, refused {refused}",
            self.compared,
            self.differences.len()
        );
        out
    }
}

/// Runs so many statements on one kind of server.
pub fn run(kind: Kind, options: &Options) -> Result<Outcome, String> {
    let world = World::start(kind)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let mut outcome = Outcome::default();
    let mut left = options.statements;
    for number in 0.. {
        if left == 0 {
            break;
        }
        let statements = left.min(options.per_round);
        left -= statements;
        let set = &SETS[number as usize % SETS.len()];
        let wanted = options.set.as_ref().is_none_or(|name| name == set.name);
        let wanted = wanted && number >= options.from;
        if !wanted || options.round.is_some_and(|round| round != number) {
            continue;
        }
        let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(number);
        let mut round = world.round(set, seed);
        // What the round before left behind may have taken a server down, and one that falls may
        // still take a login.
        for _ in 0..3 {
            if round.is_ok() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_secs(2));
            world.revive()?;
            round = world.round(set, seed);
        }
        let round = round.map_err(|reason| format!("round {number}: {reason}"))?;
        let found = runtime.block_on(play(&round, kind, options, number, statements))?;
        outcome.add(found);
        if let Some(seconds) = options.hold {
            println!("{} and {} for {seconds} s", round.weir_url(), round.plain_url());
            std::thread::sleep(std::time::Duration::from_secs(seconds));
        }
        println!(
            "{kind} seed {} round {number} ({}): compared {}, different {}",
            options.seed,
            set.name,
            outcome.compared,
            outcome.differences.len()
        );
    }
    report(kind, options.seed, &outcome)?;
    Ok(outcome)
}

/// A statement and the tables that it may change.
struct Statement {
    node: Node,
    writes: Vec<&'static str>,
    /// Whether a transaction is open behind it, where it decides that.
    opens: Option<bool>,
}

impl Statement {
    fn of(node: Node) -> Self {
        Statement { node, writes: Vec::new(), opens: None }
    }
}

/// Plays one round.
struct Player<'a> {
    round: &'a Round<'a>,
    pair: Pair<'a>,
    options: &'a Options,
    kind: Kind,
    number: u64,
    seed: u64,
    outcome: Outcome,
    /// A server went down: what it was in the middle of is not known.
    over: bool,
}

/// The statements of one round.
async fn play(
    round: &Round<'_>,
    kind: Kind,
    options: &Options,
    number: u64,
    statements: u64,
) -> Result<Outcome, String> {
    let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(number);
    let pair = Pair::connect(round, Dice::new(seed ^ 0x5e55)).await?;
    let outcome = Outcome::default();
    let over = false;
    let mut player = Player { round, pair, options, kind, number, seed, outcome, over };
    let mut open = false;
    for index in 0..statements {
        let (statement, forms) = player.statement(index, open);
        let since = options.since.or(options.only);
        if since.is_some_and(|since| index < since) || options.only.is_some_and(|only| index > only)
        {
            continue;
        }
        let lacks = |has: &String| !statement.node.write(false).sql.contains(has.as_str());
        if options.has.as_ref().is_some_and(lacks) {
            continue;
        }
        open = statement.opens.unwrap_or(open);
        for form in forms {
            if !player.one(index, &statement, form).await? {
                open = false;
            }
            if player.over {
                break;
            }
        }
        if player.over {
            break;
        }
    }
    player.pair.close().await;
    let mut checked = round.check_indexes();
    if checked.is_err() && round.revive()? {
        // A server that has fallen since: its rows are what they were.
        checked = round.check_indexes();
    }
    if let (Err(reason), false) = (checked, player.over) {
        let verdict = Verdict { kind: "index", plain: String::new(), weir: reason };
        let place = format!("SEED={} SERVERS={kind} ROUND={number}", options.seed);
        let difference = Difference { place, sql: "weir index check".to_owned(), verdict };
        println!("{}", told(&difference));
        player.outcome.differences.push(difference);
    }
    Ok(player.outcome)
}

impl Player<'_> {
    /// Statement `index` of the round and how it is sent; nothing but the seed decides.
    fn statement(&self, index: u64, open: bool) -> (Statement, Vec<Form>) {
        let mut dice = Dice::new(self.seed.wrapping_mul(0x1000_0001).wrapping_add(index * 7 + 1));
        // The first numbers of neighbouring seeds are alike.
        for _ in 0..8 {
            dice.draw();
        }
        let mut maker = Maker {
            dice,
            kind: self.kind,
            schema: self.round.set.name,
            indexed: self.round.set.indexed,
            tables: &self.round.tables,
            scope: Vec::new(),
            outer: Vec::new(),
            numbered: 0,
            nesting: 2,
            careful: false,
        };
        let form = *maker.dice.pick(&[Form::Text, Form::Prepared]);
        match maker.dice.below(100) {
            0..=3 => {
                let (node, opens) = maker.control(open);
                (Statement { opens: Some(opens), ..Statement::of(node) }, vec![Form::Text])
            }
            number if number < 4 + self.options.writes && !self.round.set.nulls => {
                let made = maker.write();
                (Statement { writes: made.tables, ..Statement::of(made.node) }, vec![form])
            }
            _ => {
                let node = maker.query();
                // A primary key without the shard key finds rows that are in none of the shards asked,
                // and what is said of them.
                let node = match self.round.set.nulls {
                    true => tree::marked(tree::Mark::WarningsVary, node),
                    false => node,
                };
                (Statement::of(node), vec![Form::Text, Form::Prepared])
            }
        }
    }

    /// Runs a statement in one form; false where the tables were put back.
    async fn one(&mut self, index: u64, statement: &Statement, form: Form) -> Result<bool, String> {
        let written = statement.node.write(form == Form::Prepared);
        if self.options.all {
            println!("-- {index} {form:?} {:?}\n{};", written.parameters, written.sql);
        }
        let mut tried = self.pair.run(&written, form).await;
        let refused = matches!(tried, Tried::Refused(..));
        if !statement.writes.is_empty() && !matches!(tried, Tried::Different(_)) {
            if let Some(verdict) = self.pair.compare_tables(&statement.writes).await {
                tried = Tried::Different(match refused {
                    true => Verdict { kind: "changed though refused", ..verdict },
                    false => verdict,
                });
            }
        }
        if self.options.all {
            println!("--   {tried:?}");
        }
        let unexpected = match &tried {
            Tried::Same { .. } => false,
            Tried::Refused(code, _) => !BOUNDS.contains(&code.as_str()),
            Tried::Different(_) => true,
        };
        if unexpected && self.round.revive()? {
            return self.survived(index, &written, form).await;
        }
        match tried {
            Tried::Refused(code, message) => {
                let times = self.outcome.refused.entry(code.clone()).or_default();
                *times += 1;
                if !BOUNDS.contains(&code.as_str()) {
                    self.outcome.missing += 1;
                    let (seed, round) = (self.options.seed, self.number);
                    println!("-- refused {code}: SEED={seed} ROUND={round} ONLY={index} {form:?}");
                    println!("{};\n--   {message}", written.sql);
                }
            }
            Tried::Same { failed } => {
                // How a transaction sees others is nothing that a new connection needs.
                if written.sql.starts_with("SET @@") && !written.sql.contains("isolation") {
                    self.pair.keep(&written.sql);
                }
                self.outcome.compared += 1;
                self.outcome.failed += u64::from(failed);
            }
            Tried::Different(verdict) => {
                self.outcome.compared += 1;
                let place = format!(
                    "{}, set {}, {form:?}: SEED={} SERVERS={} ROUND={} ONLY={index}",
                    self.kind, self.round.set.name, self.options.seed, self.kind, self.number
                );
                let difference = self.shrink(statement, form, verdict, place).await?;
                println!("{}", told(&difference));
                self.outcome.differences.push(difference);
                return Ok(statement.writes.is_empty());
            }
        }
        Ok(true)
    }

    /// After a statement that took a server down: no difference where the plain one falls by itself.
    async fn survived(
        &mut self,
        index: u64,
        written: &Written,
        form: Form,
    ) -> Result<bool, String> {
        self.over = true;
        let (kind, seed, round) = (self.kind, self.options.seed, self.number);
        let place = format!("SEED={seed} SERVERS={kind} ROUND={round} ONLY={index} {form:?}");
        let signalled = self.round.had_signal();
        if self.pair.crashes_plain(written, form).await && self.round.revive()? {
            println!("-- crashed the plain server: {place}\n{};", written.sql);
            self.outcome.crashed += 1;
            return Ok(false);
        }
        // No statement may end a server: where its log tells of a signal, that is its own defect, even
        // if the plain server outlives the statement (in other memory, by another way).
        if signalled {
            println!("-- crashed a server behind Weir: {place}\n{};", written.sql);
            self.outcome.crashed += 1;
            return Ok(false);
        }
        let verdict = Verdict {
            kind: "crashed",
            plain: String::new(),
            weir: "a server went down".to_owned(),
        };
        let difference = Difference { place, sql: written.sql.clone(), verdict };
        println!("{}", told(&difference));
        self.outcome.differences.push(difference);
        Ok(false)
    }

    /// The smallest statement that differs in the same way.
    async fn shrink(
        &mut self,
        statement: &Statement,
        form: Form,
        verdict: Verdict,
        place: String,
    ) -> Result<Difference, String> {
        let kind = verdict.kind;
        let (mut last, mut smallest) = (verdict, statement.node.clone());
        let writes = &statement.writes;
        let again = self.trial(&smallest, writes, form).await?;
        let mut needs = "";
        if again.is_some_and(|verdict| verdict.kind == kind) {
            let mut failed = None;
            smallest = reduce::reduce(smallest, writes.is_empty(), async |smaller| {
                match self.trial(smaller, writes, form).await {
                    Ok(Some(verdict)) if verdict.kind == kind => {
                        last = verdict;
                        true
                    }
                    Ok(_) => false,
                    Err(reason) => {
                        failed = Some(reason);
                        false
                    }
                }
            })
            .await;
            if let Some(reason) = failed {
                return Err(reason);
            }
        } else {
            needs = "\n-- needs what was run before it";
        }
        if !writes.is_empty() {
            self.pair.roll_back().await;
            let all: Vec<&str> = self.round.tables.iter().map(|table| table.name).collect();
            self.round.reset(&all)?;
        }
        let written = smallest.write(form == Form::Prepared);
        let parameters = match written.parameters.as_slice() {
            [] => String::new(),
            some => format!("\n-- parameters {some:?}"),
        };
        Ok(Difference { place, sql: format!("{};{parameters}{needs}", written.sql), verdict: last })
    }

    /// Runs a statement on the rows that the round began with, where it writes.
    async fn trial(
        &mut self,
        node: &Node,
        writes: &[&'static str],
        form: Form,
    ) -> Result<Option<Verdict>, String> {
        if !writes.is_empty() {
            self.pair.roll_back().await;
            self.round.reset(writes)?;
        }
        let tried = self.pair.run(&node.write(form == Form::Prepared), form).await;
        let refused = matches!(tried, Tried::Refused(..));
        Ok(match tried {
            Tried::Different(verdict) => Some(verdict),
            _ if writes.is_empty() => None,
            _ => self.pair.compare_tables(writes).await.map(|verdict| match refused {
                true => Verdict { kind: "changed though refused", ..verdict },
                false => verdict,
            }),
        })
    }
}

fn told(difference: &Difference) -> String {
    let Difference { place, sql, verdict } = difference;
    format!(
        "-- {}; {place}\n{sql}\n--   plain: {}\n--   weir:  {}\n",
        verdict.kind, verdict.plain, verdict.weir
    )
}

fn report(kind: Kind, seed: u64, outcome: &Outcome) -> Result<(), String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/oracle");
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let text: String = outcome.differences.iter().map(|one| told(one) + "\n").collect();
    let path = folder.join(format!("{kind}-{seed}.sql"));
    std::fs::write(&path, text + &format!("-- {}\n", outcome.summary().replace('\n', "\n-- ")))
        .map_err(|error| format!("{}: {error}", path.display()))
}
