//! CREATE TABLE … SELECT where the table, or the rows, lie in several places.
//!
//! Owns: the order of things: a server derives the columns over no rows, the table is made as by any
//! CREATE TABLE, the rows come by INSERT … SELECT, and a table that couldn't be filled goes again.
//! Never: decides where a row goes, or which server knows the columns.
//!
//! Until the rows are there, others see the table without them.

use std::ops::Range;
use std::sync::Arc;

use crate::backend::connection::Pipelining;
use crate::backend::pool::Lent;
use crate::backend::state::State;
use crate::context::Snapshot;
use crate::error::{Error, Result};
use crate::name::{SchemaName, TableName};
use crate::planner::PlanInput;
use crate::planner::bind::Binding;
use crate::planner::made::{Emptied, anywhere};
use crate::planner::plan::{Facts, Renaming, Target};
use crate::session::Session;
use crate::session::forward::Failure;
use crate::session::lend::Purpose;
use crate::session::own::rows;
use crate::session::query::{Manner, Outcome};
use crate::session::workbench::renamed;
use crate::sql::hint;
use crate::sql::lex::{self, ServerKind};
use crate::sql::mention::{Mention, table_names};
use crate::sql::template::Lexed;
use crate::sql::token::Token;

/// The temporary table whose columns a server derives.
const DERIVED: &str = "weir_made";

/// Table exists.
const EXISTS: u16 = 1050;

/// What a temporary table can't have, or a copy of its definition would say otherwise.
const REFUSED: [&str; 7] =
    ["FOREIGN", "REFERENCES", "PARTITION", "UNION", "START", "DIRECTORY", "SYSTEM"];

/// The statement taken apart.
struct Made {
    target: Mention,
    /// Columns and options.
    head: Range<usize>,
    select: Range<usize>,
    /// How rows with an equal key are met.
    verb: &'static str,
    lenient: bool,
    /// A temporary table of the session.
    temporary: bool,
}

fn refused(why: impl Into<String>) -> Error {
    Error::refused("made_of_rows", why)
}

impl Session {
    /// Makes the table, and fills it.
    pub(super) async fn make_of_rows(
        &mut self,
        snapshot: &Arc<Snapshot>,
        binding: &Binding<'_>,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        let sql = binding.sql.get(..binding.lexed.end()).unwrap_or(binding.sql);
        if !binding.parameters.is_empty() || binding.lexed.params() > 0 {
            let why =
                "CREATE TABLE … SELECT in several places takes no parameters: write the values";
            return Err(refused(why).into());
        }
        let tokens = lex::tokens(sql, self.dialect, self.ctx.lexer.limits())?;
        let made = taken_apart(sql, &tokens)?;
        if !made.temporary {
            // As any definition does, before it is known whether it can be done.
            Box::pin(self.end_transaction(b"COMMIT")).await?;
        }
        let word = if made.temporary { "TEMPORARY TABLE" } else { "TABLE" };
        let select = sql.get(made.select.clone()).unwrap_or_default();
        let bare = without_hints(sql, &tokens, &made.select);
        let emptied = self.emptied(snapshot, &bare, &made.target).await?;
        let (columns, shown) = self.derived(snapshot, sql, &made, &emptied).await?;
        // MySQL names a CHECK after its table.
        let checks = |table: &str| format!("CONSTRAINT `{}_chk_", table.replace('`', "``"));
        let shown = shown.replace(&checks(DERIVED), &checks(&made.target.name));
        let name = String::from_utf8_lossy(sql.get(made.target.range.clone()).unwrap_or_default())
            .into_owned();
        let plain = Manner { parameters: &[], arguments: None, ..manner };
        let create = format!("CREATE {word} {name} {shown}");
        match self.define(snapshot, create.as_bytes(), plain).await {
            Err(Failure::Statement(error)) if error.errno == EXISTS && made.lenient => {
                let create = format!("CREATE {word} IF NOT EXISTS {name} {shown}");
                let written = self.define(snapshot, create.as_bytes(), plain).await?;
                self.reply_written(&written, &Facts::default(), manner.more);
                return Ok(Outcome::Good);
            }
            created => drop(created?),
        }
        let bare = match self.dialect.server {
            // An ALTER would commit what the session has open.
            ServerKind::MySql if !self.is_in_transaction() => without_default(&shown),
            // It makes it DEFAULT NULL, whatever it is told.
            _ => vec![],
        };
        if !bare.is_empty() {
            let drops: Vec<String> =
                bare.iter().map(|column| format!("ALTER {column} DROP DEFAULT")).collect();
            let alter = format!("ALTER TABLE {name} {}", drops.join(", "));
            let snapshot = if made.temporary { &self.snapshot() } else { snapshot };
            self.define(snapshot, alter.as_bytes(), plain).await?;
        }
        let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
        let hints = hints_before(sql, &tokens, &made.select);
        let insert = format!("{hints}{} INTO {name} ({}) ", made.verb, names.join(", "));
        let mut insert = insert.into_bytes();
        insert.extend_from_slice(select);
        let filled = self.fill_made(&insert, plain, made.temporary).await;
        if !matches!(filled, Ok(Outcome::Good)) {
            self.running.begin();
            // With the temporary tables that there are by now.
            let snapshot = if made.temporary { &self.snapshot() } else { snapshot };
            let dropped =
                self.define(snapshot, format!("DROP {word} {name}").as_bytes(), plain).await;
            if let Err(Failure::Statement(error)) = dropped {
                tracing::warn!(%error, table = %name, "a table that couldn't be filled is left");
            }
        }
        filled
    }

    /// The rows come in a transaction of their own, which the statement ends as it began one.
    async fn fill_made(
        &mut self,
        insert: &[u8],
        manner: Manner<'_>,
        temporary: bool,
    ) -> Result<Outcome, Failure> {
        let mut lexed = Lexed::new();
        self.ctx.lexer.lex(insert, &self.dialect, &mut lexed)?;
        let before = self.state.autocommit();
        if !temporary {
            self.state.set_autocommit(true);
        }
        let outcome = Box::pin(self.statement(insert, &lexed, manner)).await;
        self.state.set_autocommit(before);
        outcome
    }

    async fn emptied(
        &mut self,
        snapshot: &Arc<Snapshot>,
        select: &[u8],
        target: &Mention,
    ) -> Result<Emptied> {
        let catalog = snapshot.catalog.load_full();
        let mut lexed = Lexed::new();
        self.ctx.lexer.lex(select, &self.dialect, &mut lexed)?;
        let input = PlanInput {
            sql: select,
            lexed: &lexed,
            dialect: self.dialect,
            rules: &snapshot.rules,
            catalog: &catalog,
            schema: self.schema.as_ref().map(SchemaName::as_str),
            final_catalog: true,
        };
        anywhere(&input, select, target)
    }

    /// The columns that the SELECT gives, and what a server says of a table of them, behind its name.
    async fn derived(
        &mut self,
        snapshot: &Arc<Snapshot>,
        sql: &[u8],
        made: &Made,
        emptied: &Emptied,
    ) -> Result<(Vec<String>, String), Failure> {
        let head = String::from_utf8_lossy(sql.get(made.head.clone()).unwrap_or_default());
        let create = format!("CREATE TEMPORARY TABLE `{DERIVED}` {head} {}", emptied.select);
        let asked = match emptied.temporary {
            true => self.derived_on_own(snapshot, &create, emptied).await,
            false => self.derived_on_bench(snapshot, &create, emptied).await,
        };
        let mut names = emptied.names.clone();
        let schema = made.target.schema.as_deref().map(SchemaName::new);
        if let Some(schema) = schema.or_else(|| self.schema.clone()) {
            names.push(Renaming {
                physical_database: emptied.database.clone(),
                physical_table: Arc::from(DERIVED),
                schema,
                table: TableName::new(&made.target.name),
                in_rows: false,
                view: None,
            });
        }
        asked.map_err(|failure| renamed(failure, &names))
    }
}

impl Session {
    async fn derived_on_bench(
        &mut self,
        snapshot: &Arc<Snapshot>,
        create: &str,
        emptied: &Emptied,
    ) -> Result<(Vec<String>, String), Failure> {
        let place = (emptied.group, &emptied.database);
        let deadline = self.deadline(&Facts::default(), snapshot);
        let mut bench = self.open_bench(snapshot, place, deadline).await?;
        let entered = readable(self.residual_state(&bench));
        // Whatever becomes of it, it is dropped.
        bench.made.push(DERIVED.to_owned());
        let asked = async {
            bench.lent.enter(&entered, Pipelining::Nothing).await?;
            ask(&mut bench.lent, create, &emptied.select).await
        };
        let asked = self.bench_step(deadline, asked).await;
        self.running.end();
        if bench.lent.is_in_step() {
            self.clear_bench(bench, b"").await;
        }
        asked
    }

    /// The SELECT reads temporary tables of the session.
    async fn derived_on_own(
        &mut self,
        snapshot: &Arc<Snapshot>,
        create: &str,
        emptied: &Emptied,
    ) -> Result<(Vec<String>, String), Failure> {
        let deadline = self.deadline(&Facts::default(), snapshot);
        let target = Target::plain(emptied.group, Some(emptied.database.clone()));
        let mut lent = self.lend(snapshot, &target, Purpose::OWN).await?;
        self.running.add(lent.kill_handle());
        let entered = readable(self.state.in_database(Some(&emptied.database)));
        let asked = async {
            lent.enter(&entered, Pipelining::Nothing).await?;
            let asked = ask(&mut lent, create, &emptied.select).await;
            let dropped = format!("DROP TEMPORARY TABLE IF EXISTS `{DERIVED}`");
            lent.simple(dropped.as_bytes()).await?;
            asked
        };
        let asked = self.bench_step(deadline, asked).await;
        self.running.end();
        self.settle(target.group, lent, snapshot).await;
        asked
    }
}

/// Answers come in the character set that the session writes in.
fn readable(mut state: State) -> State {
    let mut charset = state.charset().clone();
    charset.results = Some(charset.client.clone());
    state.set_charset(charset);
    state
}

async fn ask(lent: &mut Lent, create: &str, select: &str) -> Result<(Vec<String>, String)> {
    let given = rows(lent, select.as_bytes()).await?.columns.len();
    lent.simple(create.as_bytes()).await?;
    let text = |value: Option<Vec<u8>>| {
        value.and_then(|value| String::from_utf8(value).ok()).unwrap_or_default()
    };
    let columns = rows(lent, format!("SHOW COLUMNS FROM `{DERIVED}`").as_bytes()).await?;
    let columns: Vec<String> =
        columns.rows.into_iter().map(|row| text(row.into_iter().next().flatten())).collect();
    let shown = rows(lent, format!("SHOW CREATE TABLE `{DERIVED}`").as_bytes()).await?;
    let shown = shown.rows.into_iter().next().and_then(|row| row.into_iter().nth(1).flatten());
    let shown = text(shown);
    let (Some(begin), Some(skipped)) = (shown.find('('), columns.len().checked_sub(given)) else {
        return Err(Error::internal("a table's definition has no known shape"));
    };
    let own = columns.get(skipped..).unwrap_or_default().to_vec();
    Ok((own, shown.get(begin..).unwrap_or_default().to_owned()))
}

/// The hints that stand in front of the SELECT: it is the rows that they are about.
fn hints_before(sql: &[u8], tokens: &[Token], select: &Range<usize>) -> String {
    let ranges = hint::parse(sql, tokens, false).ranges;
    let before = ranges.iter().filter(|range| range.end <= select.start);
    let text = |range: &Range<usize>| sql.get(range.clone()).map(String::from_utf8_lossy);
    before.filter_map(text).map(|text| format!("{text} ")).collect()
}

/// The SELECT without its hints, which are no business of who derives its columns.
fn without_hints(sql: &[u8], tokens: &[Token], select: &Range<usize>) -> Vec<u8> {
    let mut text = sql.get(select.clone()).unwrap_or_default().to_vec();
    for range in hint::parse(sql, tokens, false).ranges {
        let range = range.start.checked_sub(select.start).zip(range.end.checked_sub(select.start));
        if let Some(part) = range.and_then(|(start, end)| text.get_mut(start..end)) {
            part.fill(b' ');
        }
    }
    text
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// The columns, quoted, that may be NULL and have no default, not even that: a computed column is so, and no
/// CREATE TABLE says it.
fn without_default(shown: &str) -> Vec<String> {
    /// MySQL never shows a default of these.
    const LARGE: [&str; 5] = ["text", "blob", "json", "geo", "vector"];
    let bare = |line: &str| -> Option<String> {
        let (name, rest) = split_name(line.trim())?;
        let rest = rest.split(" COMMENT '").next()?.to_ascii_lowercase();
        let kind = rest.trim_start().split([' ', '(']).next()?.to_owned();
        let large = LARGE.iter().any(|one| kind.contains(one))
            || matches!(&*kind, "point" | "linestring" | "polygon")
            || kind.starts_with("multi");
        let has = |words: &str| rest.contains(words);
        let plain =
            !has(" not null") && !has(" default ") && !has(" as (") && !has(" auto_increment");
        (plain && !large).then(|| name.to_owned())
    };
    shown.lines().filter_map(bare).collect()
}

/// The quoted name that a line begins with, and what stands behind it.
fn split_name(line: &str) -> Option<(&str, &str)> {
    let mut bytes = line.strip_prefix('`')?.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        if byte == b'`' && bytes.next_if(|(_, next)| *next == b'`').is_none() {
            return line.split_at_checked(at + 2);
        }
    }
    None
}

/// # Errors
/// What such a table can't be made of.
fn taken_apart(sql: &[u8], tokens: &[Token]) -> Result<Made> {
    let odd = || {
        refused("CREATE TABLE … SELECT isn't understood: create the table and insert the rows then")
    };
    let target = table_names(sql, tokens).into_iter().next().ok_or_else(odd)?;
    let tokens: Vec<&Token> = tokens.iter().filter(|token| !token.kind.is_trivia()).collect();
    let is =
        |place: usize, word: &str| tokens.get(place).is_some_and(|token| token.is_word(sql, word));
    let behind = tokens.iter().position(|token| token.range().start >= target.range.end);
    let behind = behind.ok_or_else(odd)?;
    let select = (behind..tokens.len()).find(|place| is(*place, "SELECT")).ok_or_else(odd)?;
    let with = (behind..select).find(|place| {
        is(*place, "WITH") && tokens.get(*place).is_some_and(|token| token.depth == 0)
    });
    let mut start = with.unwrap_or(select);
    let opens = |place: usize| tokens.get(place).is_some_and(|token| token.is_symbol(sql, "("));
    while start > behind && opens(start - 1) {
        start -= 1;
    }
    let begin = tokens.get(start).ok_or_else(odd)?.range().start;
    let mut end = start;
    if end > behind && is(end - 1, "AS") {
        end -= 1;
    }
    let verb = match end.checked_sub(1).filter(|place| *place >= behind) {
        Some(place) if is(place, "IGNORE") => "INSERT IGNORE",
        Some(place) if is(place, "REPLACE") => "REPLACE",
        _ => "INSERT",
    };
    if verb != "INSERT" {
        end -= 1;
    }
    let head = target.range.end..tokens.get(end).ok_or_else(odd)?.range().start;
    let name_at = tokens.iter().take_while(|token| token.range().start < target.range.start);
    let words: Vec<&&Token> = name_at.collect();
    if words.iter().any(|token| token.is_word(sql, "REPLACE")) {
        let why =
            "CREATE OR REPLACE TABLE … SELECT in several places isn't done: drop the table first";
        return Err(refused(why));
    }
    let bad = (behind..end).filter(|place| {
        let pair = |second: &str| is(place + 1, second);
        // A column may be called so.
        let means = (!is(*place, "START") || pair("TRANSACTION"))
            && (!is(*place, "SYSTEM") || pair("VERSIONING"));
        means && tokens.get(*place).is_some_and(|token| token.is_any(sql, &REFUSED))
    });
    if let Some(word) = bad.filter_map(|place| tokens.get(place)).next() {
        return Err(refused(format!(
            "CREATE TABLE … SELECT in several places isn't done with {}: create the table and insert the \
             rows then",
            String::from_utf8_lossy(word.bytes(sql)),
        )));
    }
    let lenient = words.iter().any(|token| token.is_word(sql, "EXISTS"));
    let temporary = words.iter().any(|token| token.is_word(sql, "TEMPORARY"));
    let last = tokens.iter().rfind(|token| token.kind != crate::sql::token::TokenKind::Semicolon);
    let select = begin..last.map_or(sql.len(), |token| token.range().end);
    Ok(Made { target, head, select, verb, lenient, temporary })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lex::{Dialect, Limits};

    #[test]
    fn columns_without_even_null_as_their_default_are_told() {
        let shown = "(\n  `a` int NOT NULL,\n  `b``,c` datetime(3),\n  `d` int DEFAULT NULL,\n  `e` text,\n  \
            `f` int COMMENT 'x default y',\n  `g` int GENERATED ALWAYS AS (1) VIRTUAL,\n  KEY `b` (`d`)\n)";
        assert_eq!(without_default(shown), ["`b``,c`", "`f`"]);
    }

    #[test]
    fn it_is_taken_apart() {
        let of = |sql: &str| {
            let tokens =
                lex::tokens(sql.as_bytes(), Dialect::default(), &Limits::default()).unwrap();
            taken_apart(sql.as_bytes(), &tokens).map(|made| {
                let text = |range: Range<usize>| sql[range].trim().to_owned();
                (text(made.head), text(made.select), made.verb, made.lenient)
            })
        };
        let expected = |head: &str, select: &str, verb, lenient| {
            Ok((head.to_owned(), select.to_owned(), verb, lenient))
        };
        for (sql, wanted) in [
            ("CREATE TABLE t SELECT 1", expected("", "SELECT 1", "INSERT", false)),
            (
                "CREATE TABLE IF NOT EXISTS t (a INT, KEY (a)) ENGINE=InnoDB IGNORE AS SELECT a FROM u;",
                expected(
                    "(a INT, KEY (a)) ENGINE=InnoDB",
                    "SELECT a FROM u",
                    "INSERT IGNORE",
                    true,
                ),
            ),
            (
                "CREATE TABLE s.t (a INT) REPLACE (SELECT a FROM u)",
                expected("(a INT)", "(SELECT a FROM u)", "REPLACE", false),
            ),
            (
                "CREATE TABLE t AS WITH c AS (SELECT 1) SELECT * FROM c",
                expected("", "WITH c AS (SELECT 1) SELECT * FROM c", "INSERT", false),
            ),
            (
                "CREATE TABLE t (SELECT 1) UNION (SELECT 2)",
                expected("", "(SELECT 1) UNION (SELECT 2)", "INSERT", false),
            ),
        ] {
            assert_eq!(of(sql), wanted, "{sql}");
        }
        for sql in [
            "CREATE OR REPLACE TABLE t SELECT 1",
            "CREATE TABLE t (a INT REFERENCES u (a)) SELECT a FROM u",
            "CREATE TABLE t (a INT) PARTITION BY HASH (a) SELECT a FROM u",
            "CREATE TABLE t (a INT) START TRANSACTION SELECT a FROM u",
        ] {
            assert_eq!(of(sql).unwrap_err().code, "made_of_rows", "{sql}");
        }
    }
}
