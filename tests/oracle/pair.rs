//! A session through Weir and one with the plain server, kept alike.
//!
//! Owns: asking both, with a deadline, and connecting again after a lost connection.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Row};

use crate::oracle::judge::{Reply, Verdict, fewer_warnings, judge};
use crate::oracle::tree::{Mark, Written};
use crate::oracle::world::Round;
use crate::support::compare::{Answer, ask};
use crate::support::dice::Dice;
use crate::support::servers::Kind;

const DEADLINE: Duration = Duration::from_secs(20);

/// How a statement is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Text,
    Prepared,
}

/// What came of a statement.
#[derive(Clone, Debug)]
pub enum Tried {
    Same {
        failed: bool,
    },
    /// Its code and sentence.
    Refused(String, String),
    Different(Verdict),
}

pub struct Pair<'a> {
    round: &'a Round<'a>,
    weir: Conn,
    plain: Conn,
    settings: Vec<String>,
}

const MODES: &[&str] = &[
    "SET sql_mode = @@sql_mode",
    "SET sql_mode = @@sql_mode",
    "SET sql_mode = ''",
    "SET sql_mode = 'ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES'",
    "SET sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO'",
];

/// What else applications set.
const OTHERS: &[&str] = &[
    "SET time_zone = '+05:30'",
    "SET time_zone = '-03:00'",
    "SET time_zone = 'Europe/Berlin'",
    "SET time_zone = 'Europe/Berlin'",
    "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
    "SET div_precision_increment = 7",
    "SET default_week_format = 3",
    "SET lc_time_names = 'de_DE'",
    "SET group_concat_max_len = 64",
    "SET sql_auto_is_null = 0",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET sql_mode = CONCAT(@@sql_mode, ',NO_UNSIGNED_SUBTRACTION,PIPES_AS_CONCAT')",
    "SET sql_mode = CONCAT(@@sql_mode, ',HIGH_NOT_PRECEDENCE,IGNORE_SPACE')",
    "SET sql_mode = CONCAT(@@sql_mode, ',PAD_CHAR_TO_FULL_LENGTH')",
];

/// Whether a statement brings equal rows together.
fn groups(written: &Written) -> bool {
    let sql = written.sql.to_lowercase();
    ["distinct", "group by", "union", "except", "intersect"].iter().any(|way| sql.contains(way))
}

impl<'a> Pair<'a> {
    pub async fn connect(round: &'a Round<'a>, mut dice: Dice) -> Result<Pair<'a>, String> {
        let mode = (*dice.pick(MODES)).to_owned();
        let other = if dice.chance(60) { *dice.pick(OTHERS) } else { "DO 0" };
        let settings = vec![
            mode,
            other.to_owned(),
            "SET @u1 = 5, @u2 = 'ab', @u4 = 1.50".to_owned(),
            // What depends on the time is the same on both sides.
            "SET timestamp = 1704110400.25".to_owned(),
        ];
        let weir = connected(&round.weir_url(), &settings).await?;
        let plain = connected(&round.plain_url(), &settings).await?;
        Ok(Pair { round, weir, plain, settings })
    }

    /// Runs a statement on both sides.
    pub async fn run(&mut self, written: &Written, form: Form) -> Tried {
        let weir = reply(&mut self.weir, written, form).await;
        if let (Some(code), Answer::Error { message, .. }) = (weir.answer.refusal(), &weir.answer) {
            let (code, message) = (code.to_owned(), message.clone());
            // A server orders by what the zone shows as well as by the moment.
            if code == "merge_disorder" && self.moments_look_alike(written).await {
                return Tried::Same { failed: false };
            }
            return Tried::Refused(code, message);
        }
        let plain = reply(&mut self.plain, written, form).await;
        let lost = |reply: &Reply| matches!(reply.answer, Answer::Error { code: 0, .. });
        if lost(&weir) || lost(&plain) {
            println!("lost a connection; Weir's log ends: {}", self.round.log_tail());
            self.again().await;
        }
        if let Some(verdict) = judge(written, &plain, &weir) {
            if matches!(verdict.kind, "rows" | "order")
                && (self.contradicts_itself(written, form, &weir).await
                    || self.keys_decide(written, form).await
                    || self.ties_nothing(written).await
                    || self.groups_zeros(written).await
                    || self.groups_moments(written).await)
            {
                return Tried::Same { failed: false };
            }
            if verdict.kind == "counts" && self.passes_controls_over(written).await {
                return Tried::Same { failed: false };
            }
            if verdict.kind == "warnings"
                && fewer_warnings(&plain, &weir)
                && self.may_pass_rows_over(written).await
            {
                return Tried::Same { failed: false };
            }
            return Tried::Different(verdict);
        }
        let failed = plain.answer.is_error();
        if !failed && written.sql.contains("INTO @u") {
            if let Some(verdict) = self.look("SELECT @u1, @u2, @u4, @u5").await {
                return Tried::Different(verdict);
            }
        }
        // How many rows were found of groups that the optimizer knew beforehand is left as it was.
        let counted = !written.has(Mark::Grouped);
        // Where there were warnings, SHOW WARNINGS came in between.
        let asked = !plain.warnings.is_empty() || !weir.warnings.is_empty();
        // An error leaves what the statement before has found.
        let failed_once = failed || weir.answer.is_error();
        if form == Form::Text && !failed_once && counted && !asked && written.sql.len() % 3 == 0 {
            if let Some(verdict) = self.look_back(&written.sql).await {
                return Tried::Different(verdict);
            }
        }
        Tried::Same { failed }
    }

    /// MariaDB sorts a text without padding and the same with a character 0 behind it in any order,
    /// though it says that the one is less: whether there are such texts.
    async fn ties_nothing(&mut self, written: &Written) -> bool {
        let ends = |table: &str, column: &str| {
            format!(
                "SELECT 1 FROM `{table}` WHERE `{column}` <> '' AND ORD(RIGHT(`{column}`, 1)) = 0 LIMIT 1"
            )
        };
        self.has_column(
            written,
            "COLLATION_NAME LIKE '%nopad%'",
            ends,
            "texts that end in a character 0",
        )
        .await
    }

    /// Whether the statement names a column of some kind for which `asked` finds a row on the plain
    /// server.
    async fn has_column(
        &mut self,
        written: &Written,
        kind: &str,
        asked: impl Fn(&str, &str) -> String,
        what: &str,
    ) -> bool {
        let columns = format!(
            "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() \
             AND {kind}"
        );
        let columns = self.plain.query::<(String, String), _>(columns).await.unwrap_or_default();
        let sql = written.sql.to_lowercase();
        for (table, column) in columns {
            if sql.contains(&column.to_lowercase())
                && matches!(
                    self.plain.query_first::<u8, _>(asked(&table, &column)).await,
                    Ok(Some(1))
                )
            {
                println!("-- {what}:\n{};", written.sql);
                return true;
            }
        }
        false
    }

    /// MySQL takes 0 and -0 for one value where it compares groups and for two where it looks them up
    /// by a hash: whether there are both in a column that the statement names.
    async fn groups_zeros(&mut self, written: &Written) -> bool {
        let zeros = |table: &str, column: &str| {
            format!(
                "SELECT COUNT(DISTINCT CAST(`{column}` AS CHAR)) = 2 FROM `{table}` WHERE `{column}` = 0"
            )
        };
        self.round.kind() == Kind::MySql
            && groups(written)
            && self
                .has_column(
                    written,
                    "DATA_TYPE IN ('double', 'float')",
                    zeros,
                    "groups of 0 and -0",
                )
                .await
    }

    /// MySQL takes two moments that the session's zone shows alike for one or for two, as its plan has
    /// it: whether a column that the statement names has such two.
    async fn groups_moments(&mut self, written: &Written) -> bool {
        groups(written) && self.moments_look_alike(written).await
    }

    async fn moments_look_alike(&mut self, written: &Written) -> bool {
        let twice = |table: &str, column: &str| {
            format!(
                "SELECT 1 FROM (SELECT COUNT(DISTINCT UNIX_TIMESTAMP(`{column}`)) AS n FROM `{table}` GROUP BY \
                 CAST(`{column}` AS CHAR)) d WHERE n > 1 LIMIT 1"
            )
        };
        self.round.kind() == Kind::MySql
            && self
                .has_column(written, "DATA_TYPE = 'timestamp'", twice, "moments that look alike")
                .await
    }

    /// MariaDB passes texts with a control character over where it looks `LIKE 'a%'` up by a key, and
    /// finds them in the rows: whether there are such texts.
    async fn passes_controls_over(&mut self, written: &Written) -> bool {
        let controls = |table: &str, column: &str| {
            format!("SELECT 1 FROM `{table}` WHERE `{column}` REGEXP '[[:cntrl:]]' LIMIT 1")
        };
        self.round.kind() == Kind::MariaDb
            && written.sql.to_lowercase().contains("like '")
            && self
                .has_column(
                    written,
                    "COLLATION_NAME IS NOT NULL",
                    controls,
                    "texts with control characters",
                )
                .await
    }

    /// Whether the plain server may find a query's rows by a key, and so not see those that the other
    /// side warned of: by statistics of the moment it does, or reads the whole table.
    async fn may_pass_rows_over(&mut self, written: &Written) -> bool {
        if !written.literal.starts_with("SELECT") {
            return false;
        }
        let sql = format!("EXPLAIN FORMAT=TRADITIONAL {}", written.literal);
        let rows: Vec<Row> = self.plain.query(sql).await.unwrap_or_default();
        let key = |row: &Row| row.get::<Option<String>, _>("possible_keys").flatten();
        let may = rows.iter().any(|row| key(row).is_some());
        if may {
            println!("-- a key may pass rows over:\n{};", written.sql);
        }
        may
    }

    /// Whether the plain server answers as Weir does once its optimizer is told to leave a way out:
    /// then the server's ways don't agree, and which of them is right is not Weir's matter.
    async fn contradicts_itself(&mut self, written: &Written, form: Form, weir: &Reply) -> bool {
        if !matches!(weir.answer, Answer::Rows { .. }) {
            return false;
        }
        const WAYS: [&str; 4] =
            ["semijoin=off", "materialization=off", "derived_merge=off", "subquery_cache=off"];
        for switch in WAYS {
            let set = format!("SET optimizer_switch = '{switch}'");
            if self.plain.query_drop(&set).await.is_err() {
                continue;
            }
            let plain = reply(&mut self.plain, written, form).await;
            let mut alike = judge(written, &plain, weir).is_none();
            // MariaDB's cache of subqueries takes equal texts for the same: it goes wrong on either side.
            if !alike && self.weir.query_drop(&set).await.is_ok() {
                let weir = reply(&mut self.weir, written, form).await;
                alike = judge(written, &plain, &weir).is_none();
                let _ = self.weir.query_drop("SET optimizer_switch = DEFAULT").await;
            }
            let _ = self.plain.query_drop("SET optimizer_switch = DEFAULT").await;
            if alike {
                println!("-- the plain server contradicts itself with {switch}:\n{};", written.sql);
                return true;
            }
        }
        // MariaDB puts rows without a value of a descending key into another group, where an aggregate
        // is DISTINCT.
        let turned = written.sql.replace(" DESC", " ASC");
        if written.sql.contains("(DISTINCT") && written.sql.contains(" GROUP BY ") {
            let turned = Written { sql: turned, ..written.clone() };
            let weir = reply(&mut self.weir, &turned, form).await;
            let plain = reply(&mut self.plain, &turned, form).await;
            if turned.sql != written.sql && judge(&turned, &plain, &weir).is_none() {
                println!("-- contradictory groups of a descending key:\n{};", written.sql);
                return true;
            }
        }
        let bare = self.without_keys(written, form).await;
        let alike = bare.is_some_and(|plain| judge(written, &plain, weir).is_none());
        if alike {
            println!("-- the plain server contradicts itself without keys:\n{};", written.sql);
        }
        alike
    }

    /// What the plain server answers over the same rows in tables that have their primary keys alone.
    async fn without_keys(&self, written: &Written, form: Form) -> Option<Reply> {
        let mut conn = connected(&self.round.plain_url(), &[]).await.ok()?;
        conn.query_drop("SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'").await.ok()?;
        // The session's own transaction may be open: its rows are seen, and its locks not waited for.
        conn.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED").await.ok()?;
        for table in &self.round.tables {
            let name = table.name;
            conn.query_drop(format!("CREATE TEMPORARY TABLE bare LIKE {name}")).await.ok()?;
            let keys: Vec<Row> = conn.query("SHOW INDEX FROM bare").await.ok()?;
            let mut keys: Vec<String> = keys.iter().filter_map(|row| row.get("Key_name")).collect();
            keys.retain(|key| key != "PRIMARY");
            keys.dedup();
            for key in keys {
                conn.query_drop(format!("ALTER TABLE bare DROP KEY `{key}`")).await.ok()?;
            }
            for sql in ["INSERT INTO bare SELECT * FROM", "ALTER TABLE bare RENAME TO"] {
                conn.query_drop(format!("{sql} {name}")).await.ok()?;
            }
        }
        for setting in std::iter::once("SET sql_mode = DEFAULT").chain(self.settings()) {
            conn.query_drop(setting).await.ok()?;
        }
        let reply = reply(&mut conn, written, form).await;
        let _ = conn.disconnect().await;
        Some(reply)
    }

    /// Whether both sides agree once no secondary key may be used: then a server's two ways, by key and
    /// by row, don't, and each shard's server chooses one by the few rows that it has.
    async fn keys_decide(&mut self, written: &Written, form: Form) -> bool {
        let (hide, show) = match self.round.kind() {
            Kind::MariaDb => ("IGNORED", "NOT IGNORED"),
            Kind::MySql => ("INVISIBLE", "VISIBLE"),
        };
        let mut keys = Vec::new();
        for table in &self.round.tables {
            let rows: Vec<Row> = self
                .plain
                .query(format!("SHOW INDEX FROM {}", table.name))
                .await
                .unwrap_or_default();
            let mut names: Vec<String> =
                rows.iter().filter_map(|row| row.get("Key_name")).collect();
            names.retain(|name| name != "PRIMARY");
            names.dedup();
            keys.extend(names.into_iter().map(|key| (table.name, key)));
        }
        let urls = [self.round.plain_url(), self.round.weir_url()];
        let turn = async |way: &str| {
            for url in &urls {
                let Ok(mut conn) = connected(url, &[]).await else { return false };
                // A transaction of the session's may stand in the way.
                if conn.query_drop("SET lock_wait_timeout = 1").await.is_err() {
                    return false;
                }
                for (table, key) in &keys {
                    let sql = format!("ALTER TABLE {table} ALTER INDEX `{key}` {way}");
                    if conn.query_drop(sql).await.is_err() {
                        return false;
                    }
                }
                let _ = conn.disconnect().await;
            }
            true
        };
        let hidden = turn(hide).await;
        let weir = reply(&mut self.weir, written, form).await;
        let plain = reply(&mut self.plain, written, form).await;
        turn(show).await;
        let rows = matches!(weir.answer, Answer::Rows { .. });
        let alike = hidden && rows && judge(written, &plain, &weir).is_none();
        if alike {
            println!("-- the keys decide:\n{};", written.sql);
        }
        alike
    }

    fn settings(&self) -> impl Iterator<Item = &str> {
        self.settings.iter().map(String::as_str)
    }

    /// What the session says of the statement before.
    async fn look_back(&mut self, before: &str) -> Option<Verdict> {
        // Of rows that LIMIT skipped without SQL_CALC_FOUND_ROWS some are counted, and a SET that has
        // a query leaves what that found.
        let cut = before.contains("LIMIT ") && !before.contains("SQL_CALC_FOUND_ROWS");
        let asked = match before.len() % 2 == 0 || cut || !before.starts_with("SELECT") {
            true => "SELECT ROW_COUNT(), LAST_INSERT_ID(), @u1",
            false => "SELECT FOUND_ROWS(), LAST_INSERT_ID(), @u1",
        };
        self.look(asked).await
    }

    async fn look(&mut self, asked: &str) -> Option<Verdict> {
        let asked = Written { sql: asked.to_owned(), ..Written::default() };
        let weir = reply(&mut self.weir, &asked, Form::Text).await;
        let plain = reply(&mut self.plain, &asked, Form::Text).await;
        let verdict = judge(&asked, &plain, &weir)?;
        Some(Verdict { kind: "look back", ..verdict })
    }

    /// Keeps what a statement has set for connections to come.
    pub fn keep(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
    }

    /// Whether the plain server goes down by this statement alone.
    pub async fn crashes_plain(&mut self, written: &Written, form: Form) -> bool {
        self.again().await;
        let plain = reply(&mut self.plain, written, form).await;
        matches!(plain.answer, Answer::Error { code: 0, .. })
    }

    /// The whole tables on both sides; the first that differs.
    pub async fn compare_tables(&mut self, names: &[&str]) -> Option<Verdict> {
        for name in names {
            let written = Written { sql: format!("SELECT * FROM {name}"), ..Written::default() };
            let weir = reply(&mut self.weir, &written, Form::Text).await;
            let plain = reply(&mut self.plain, &written, Form::Text).await;
            if let Some(verdict) = judge(&written, &plain, &weir) {
                return Some(Verdict { kind: "tables", ..verdict });
            }
        }
        None
    }

    pub async fn roll_back(&mut self) {
        let lost =
            self.weir.query_drop("ROLLBACK").await.or(self.plain.query_drop("ROLLBACK").await);
        if lost.is_err() {
            self.again().await;
        }
    }

    async fn again(&mut self) {
        let weir = connected(&self.round.weir_url(), &self.settings).await;
        let plain = connected(&self.round.plain_url(), &self.settings).await;
        match (weir, plain) {
            (Ok(weir), Ok(plain)) => (self.weir, self.plain) = (weir, plain),
            (weir, plain) => {
                let reason = weir.err().or(plain.err()).unwrap_or_default();
                println!("no new connection: {reason}; {}", self.round.log_tail());
            }
        }
    }

    pub async fn close(self) {
        let _ = self.weir.disconnect().await;
        let _ = self.plain.disconnect().await;
    }
}

async fn connected(url: &str, settings: &[String]) -> Result<Conn, String> {
    let opts = Opts::from_url(url).map_err(|error| error.to_string())?;
    let opts = OptsBuilder::from_opts(opts).stmt_cache_size(0);
    let mut conn = Conn::new(opts).await.map_err(|error| error.to_string())?;
    for setting in settings {
        conn.query_drop(setting).await.map_err(|error| format!("{error} in {setting}"))?;
    }
    Ok(conn)
}

async fn reply(conn: &mut Conn, written: &Written, form: Form) -> Reply {
    let parameters = (form == Form::Prepared).then_some(written.parameters.as_slice());
    let asked = async {
        let answer = ask(conn, &written.sql, parameters).await;
        let told = match &answer {
            Answer::Rows { warnings, .. } | Answer::Done { warnings, .. } => *warnings,
            Answer::Error { .. } => 0,
        };
        let warnings = if told == 0 { Vec::new() } else { warnings(conn, told).await };
        Reply { answer, warnings }
    };
    match tokio::time::timeout(DEADLINE, asked).await {
        Ok(reply) => reply,
        Err(_) => Reply {
            answer: Answer::Error {
                code: 0,
                state: String::new(),
                message: format!("no answer in {DEADLINE:?}"),
            },
            warnings: Vec::new(),
        },
    }
}

async fn warnings(conn: &mut Conn, told: u16) -> Vec<String> {
    match conn.query::<Row, _>("SHOW WARNINGS").await {
        Ok(rows) => {
            let text = |row: Row| -> String {
                let cells: Vec<String> =
                    row.unwrap().into_iter().map(|value| value.as_sql(true)).collect();
                cells.join(" ")
            };
            let mut all: Vec<String> = rows.into_iter().map(text).collect();
            if all.len() < usize::from(told).min(64) {
                all.push(format!("{told} were told of"));
            }
            all
        }
        Err(error) => vec![error.to_string()],
    }
}
