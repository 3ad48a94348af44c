//! What a statement leaves in FOUND_ROWS().
//!
//! Owns: that, for each kind of statement and of server, as both were measured (MariaDB 10.11, MySQL
//! 9.7). Never: counts rows: the session does, which knows the answer.
//!
//! On MariaDB each SELECT that is run leaves its rows, also a subquery of another statement: those are
//! unknown here. On MySQL UPDATE leaves the rows that it matched, and other writes leave what was there.

use crate::planner::plan::Count;
use crate::sql::classify::{Classified, StatementKind};
use crate::sql::lex::{Dialect, ServerKind};
use crate::sql::show::{self, ShowKind};
use crate::sql::token::{Token, TokenKind};

/// What FOUND_ROWS() is after a statement that went well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Finds {
    /// The rows of its answer; or what SQL_CALC_FOUND_ROWS counted.
    #[default]
    Rows,
    /// The rows of its answer and those that LIMIT skips before the first of them; of an answer
    /// without rows it can't be told.
    RowsBehind(Count),
    /// The rows that it gave to variables, which the answer counts.
    Taken,
    /// What it was before.
    Keeps,
    Fixed(u64),
    /// The first number of its info string.
    Info,
    /// The same; with none, it can't be told.
    InfoOfSome,
    /// Whatever the server says: it is asked.
    Asked,
    /// A statement within it tells.
    Inner,
    /// Nothing can be told.
    Unknown,
}

impl Finds {
    /// What it is after the statement failed: MariaDB has begun to count by then.
    pub fn after_error(&self, server: ServerKind, errno: u16) -> Finds {
        // What is found wrong before anything is run.
        const RESOLVED: [u16; 9] = [1044, 1046, 1049, 1051, 1052, 1054, 1064, 1142, 1146];
        match self {
            Finds::Inner => Finds::Inner,
            Finds::Keeps => Finds::Keeps,
            _ if server != ServerKind::MariaDb || RESOLVED.contains(&errno) => Finds::Keeps,
            _ => Finds::Unknown,
        }
    }
}

/// What a statement's words don't show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    /// Its LIMIT's offset, where the parser knows it.
    pub skipped: Option<&'a Count>,
    /// It names a view, which may be of several tables.
    pub views: bool,
}

/// What a statement leaves.
pub(crate) fn told(
    sql: &[u8],
    (classified, tokens): (&Classified, &[Token]),
    dialect: Dialect,
    Given { skipped, views }: Given<'_>,
) -> Finds {
    let words = Words {
        sql,
        tokens: tokens.iter().filter(|token| !token.kind.is_trivia()).collect(),
        maria: dialect.server == ServerKind::MariaDb,
        views,
    };
    use StatementKind as K;
    match classified.kind {
        K::Select | K::With | K::Values | K::Table => words.query(classified, skipped),
        K::Insert | K::Replace => words.insert(classified),
        K::Update => words.update(),
        K::Delete => words.delete(),
        K::Do if !words.maria => Finds::Fixed(1),
        K::Set if !words.maria => Finds::Keeps,
        K::Do | K::Set | K::LoadData { .. } | K::LoadXml { .. } => words.without_query(),
        K::CreateTable { .. } if words.maria && words.has("SELECT") => match words.has("EXISTS") {
            true => Finds::Unknown,
            false => Finds::Info,
        },
        K::Explain if words.has("ANALYZE") => Finds::Unknown,
        K::Explain if words.maria && words.count("SELECT") > 1 => Finds::Unknown,
        K::Show | K::Describe => shown(sql, tokens, dialect),
        K::Call => Finds::Asked,
        K::Execute | K::ExecuteImmediate | K::SetStatement => Finds::Inner,
        K::Compound | K::Unknown => Finds::Unknown,
        _ => Finds::Keeps,
    }
}

fn shown(sql: &[u8], tokens: &[Token], dialect: Dialect) -> Finds {
    use ShowKind as S;
    let Ok(show) = show::parse(sql, tokens, &dialect) else { return Finds::Unknown };
    match show.kind {
        S::Databases
        | S::Tables
        | S::OpenTables
        | S::TableStatus
        | S::Columns
        | S::Index
        | S::Variables
        | S::Status
        | S::Engines
        | S::CharacterSet
        | S::Collation
        | S::Plugins
        | S::Triggers
        | S::Events
        | S::ProcedureStatus
        | S::FunctionStatus
        | S::PackageStatus
        | S::Profile => Finds::Rows,
        S::WarningCount | S::ErrorCount => Finds::Fixed(1),
        S::RoutineCode
        | S::BinlogEvents
        | S::RelaylogEvents
        | S::ExplainFor
        | S::Locales
        | S::Other => Finds::Unknown,
        _ => Finds::Keeps,
    }
}

/// A statement's words.
struct Words<'a> {
    sql: &'a [u8],
    tokens: Vec<&'a Token>,
    maria: bool,
    views: bool,
}

impl Words<'_> {
    fn count(&self, word: &str) -> usize {
        self.tokens.iter().filter(|token| token.is_word(self.sql, word)).count()
    }

    fn has(&self, word: &str) -> bool {
        self.count(word) > 0
    }

    fn begins(&self, word: &str) -> bool {
        self.tokens.first().is_some_and(|first| first.is_word(self.sql, word))
    }

    /// The outermost words.
    fn outer(&self) -> impl Iterator<Item = &&Token> {
        self.tokens.iter().filter(|token| token.depth == 0)
    }

    /// Whether LIMIT skips rows, in the outermost part or, behind a bracket, in any.
    fn skips(&self) -> bool {
        let bracketed = self.tokens.first().is_some_and(|first| first.is_symbol(self.sql, "("));
        let mut behind = false;
        for token in self.tokens.iter().filter(|token| bracketed || token.depth == 0) {
            behind |= token.is_word(self.sql, "LIMIT");
            if behind && (token.is_symbol(self.sql, ",") || token.is_word(self.sql, "OFFSET")) {
                return true;
            }
            behind &= !token.is_any(self.sql, &["FOR", "LOCK", "INTO", "UNION", "ON", "RETURNING"]);
        }
        false
    }

    fn combines(&self) -> bool {
        let sets = ["UNION", "EXCEPT", "INTERSECT", "MINUS"];
        self.outer().any(|token| token.is_any(self.sql, &sets))
    }

    /// MariaDB counts all rows of a set operation before its LIMIT.
    fn limits_sets(&self) -> bool {
        self.maria && self.combines() && self.has("LIMIT")
    }

    fn without_query(&self) -> Finds {
        if self.has("SELECT") { Finds::Unknown } else { Finds::Keeps }
    }

    fn query(&self, classified: &Classified, skipped: Option<&Count>) -> Finds {
        if classified.traits.calc_found_rows {
            return Finds::Rows;
        }
        if self.maria && classified.kind == StatementKind::Values {
            return Finds::Keeps;
        }
        // Values that MariaDB finds while it plans are none that it counts.
        let folded = self.maria && self.has("INTO") && !self.has("GROUP") && {
            let calls = ["COUNT", "MIN", "MAX"];
            !self.has("FROM") || self.outer().any(|token| token.is_any(self.sql, &calls))
        };
        if folded || self.limits_sets() {
            return Finds::Unknown;
        }
        match (self.skips(), skipped) {
            (false, _) if classified.traits.into_variable => Finds::Taken,
            (true, _) if classified.traits.into_variable => Finds::Unknown,
            (false, _) => Finds::Rows,
            (true, Some(count)) => Finds::RowsBehind(count.clone()),
            (true, None) => Finds::Unknown,
        }
    }

    fn insert(&self, classified: &Classified) -> Finds {
        let rows = self.outer().any(|token| token.is_any(self.sql, &["VALUES", "VALUE", "SET"]));
        let table = self.outer().skip(1).any(|token| token.is_word(self.sql, "TABLE"));
        if !self.has("SELECT") {
            return if table { Finds::Unknown } else { Finds::Keeps };
        }
        let odd = !self.has("FROM")
            || self.has("DUAL")
            || self.has("RETURNING")
            || classified.traits.calc_found_rows
            || self.limits_sets()
            || self.skips();
        if rows || odd { Finds::Unknown } else { Finds::Info }
    }

    fn update(&self) -> Finds {
        if self.begins("WITH") || self.views {
            return Finds::Unknown;
        }
        let several = self
            .outer()
            .take_while(|token| !token.is_word(self.sql, "SET"))
            .any(|token| self.is_join(token) || token.is_symbol(self.sql, "("));
        match (several, self.maria) {
            (true, false) => Finds::Fixed(0),
            (true, true) => Finds::Unknown,
            (false, _) if self.has("SELECT") => Finds::Unknown,
            (false, true) => Finds::Keeps,
            (false, false) => Finds::InfoOfSome,
        }
    }

    fn delete(&self) -> Finds {
        if self.begins("WITH") || self.views {
            return Finds::Unknown;
        }
        let options = ["LOW_PRIORITY", "QUICK", "IGNORE", "HISTORY"];
        let mut outer = self.outer().skip(1).skip_while(|token| token.is_any(self.sql, &options));
        let from = outer.next().is_some_and(|token| token.is_word(self.sql, "FROM"));
        let several = outer
            .take_while(|token| !token.is_any(self.sql, &["WHERE", "ORDER", "LIMIT", "RETURNING"]))
            .any(|token| self.is_join(token) || token.is_word(self.sql, "USING"));
        match (several || !from, self.maria) {
            (true, false) => Finds::Fixed(0),
            (true, true) => Finds::Unknown,
            (false, _) => self.without_query(),
        }
    }

    fn is_join(&self, token: &Token) -> bool {
        token.is_symbol(self.sql, ",")
            || token.kind == TokenKind::Word && token.is_any(self.sql, &["JOIN", "STRAIGHT_JOIN"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::classify::classify;
    use crate::sql::lex::{Limits, tokens};

    fn of(sql: &str, server: ServerKind) -> Finds {
        let dialect = Dialect { server, ..Dialect::default() };
        let tokens = tokens(sql.as_bytes(), dialect, &Limits::default()).unwrap();
        let classified = classify(sql.as_bytes(), &tokens);
        let given = Given { skipped: Some(&Count::Fixed(1)), views: false };
        told(sql.as_bytes(), (&classified, &tokens), dialect, given)
    }

    #[test]
    fn each_kind_leaves_what_its_server_does() {
        use Finds::{
            Asked, Fixed, Info, InfoOfSome, Inner, Keeps, Rows, RowsBehind, Taken, Unknown,
        };
        let one = || RowsBehind(Count::Fixed(1));
        for (sql, maria, mysql) in [
            ("SELECT a FROM t LIMIT 2", Rows, Rows),
            ("SELECT a FROM t LIMIT 1, 2", one(), one()),
            ("SELECT a FROM (SELECT b FROM t LIMIT 1, 2) x, u", Rows, Rows),
            ("SELECT a FROM t LIMIT 1 INTO @a, @b", Taken, Taken),
            ("SELECT MAX(a) INTO @a FROM t", Unknown, Taken),
            ("SELECT a FROM t UNION SELECT 1 LIMIT 1", Unknown, Rows),
            ("VALUES (1), (2)", Keeps, Rows),
            ("INSERT INTO t VALUES (1), (2)", Keeps, Keeps),
            ("INSERT INTO t SELECT * FROM u", Info, Info),
            ("INSERT INTO t SELECT 1", Unknown, Unknown),
            ("INSERT INTO t VALUES ((SELECT 1))", Unknown, Unknown),
            ("INSERT INTO t SELECT * FROM u LIMIT 2, 1", Unknown, Unknown),
            ("UPDATE t SET a = 1, b = 2", Keeps, InfoOfSome),
            ("UPDATE t, u SET a = 1", Unknown, Fixed(0)),
            ("UPDATE t SET a = (SELECT 1)", Unknown, Unknown),
            ("DELETE FROM t WHERE a IN (1, 2)", Keeps, Keeps),
            ("DELETE IGNORE t FROM t JOIN u", Unknown, Fixed(0)),
            ("DELETE FROM t USING t, u", Unknown, Fixed(0)),
            ("DELETE FROM t WHERE a = (SELECT 1)", Unknown, Unknown),
            ("SET @a = 1", Keeps, Keeps),
            ("SET @a = (SELECT 1)", Unknown, Keeps),
            ("DO 1", Keeps, Fixed(1)),
            ("CREATE TABLE t AS SELECT * FROM u", Info, Keeps),
            ("SHOW TABLES", Rows, Rows),
            ("SHOW CREATE TABLE t", Keeps, Keeps),
            ("SHOW COUNT(*) WARNINGS", Fixed(1), Fixed(1)),
            ("EXPLAIN SELECT 1", Keeps, Keeps),
            ("CHECK TABLE t", Keeps, Keeps),
            ("CALL p()", Asked, Asked),
            ("EXECUTE s", Inner, Inner),
        ] {
            assert_eq!(of(sql, ServerKind::MariaDb), maria, "{sql}");
            assert_eq!(of(sql, ServerKind::MySql), mysql, "{sql}");
        }
    }
}
