//! What a statement does besides reading and writing rows.
//!
//! Owns: the words that tell it. Never: parses; a name that looks like such a function counts.

use crate::sql::literal::unquote_name;
use crate::sql::token::{Token, TokenKind};

/// What a statement does besides reading and writing rows. Found by words alone, so a column named
/// like a function with an opening parenthesis behind it counts too: each errs on the safe side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Traits {
    /// FOR UPDATE, FOR SHARE, LOCK IN SHARE MODE.
    pub locking_read: bool,
    /// INTO OUTFILE or DUMPFILE.
    pub into_file: bool,
    /// INTO @variable.
    pub into_variable: bool,
    /// `@x := …`.
    pub assigns_variable: bool,
    /// Reads a user variable.
    pub reads_variable: bool,
    /// Reads a system variable `@@x`.
    pub reads_system_variable: bool,
    /// GET_LOCK, RELEASE_LOCK, IS_FREE_LOCK and kin.
    pub user_lock: bool,
    /// IS_USED_LOCK whose value counts, and not only whether it is NULL.
    pub lock_owner: bool,
    /// LAST_INSERT_ID(), @@last_insert_id or @@identity.
    pub last_insert_id: bool,
    /// LAST_INSERT_ID(expr), which sets it.
    pub sets_last_insert_id: bool,
    pub found_rows: bool,
    pub row_count: bool,
    /// @@warning_count or @@error_count.
    pub counts_conditions: bool,
    pub calc_found_rows: bool,
    /// The hint SET_VAR(sql_select_limit = …).
    pub hinted_limit: bool,
    /// SLEEP, BENCHMARK, MASTER_POS_WAIT, WAIT_FOR_EXECUTED_GTID_SET and kin.
    pub waits: bool,
    /// UUID, UUID_SHORT, RAND, RANDOM_BYTES, SYS_GUID: each call gives another value.
    pub random: bool,
    /// RAND of a constant: a sequence of values that each server would begin anew.
    pub seeded: bool,
    /// NOW, CURDATE, CURRENT_TIMESTAMP, SYSDATE and kin: depends on the clock.
    pub clock: bool,
    /// SYSDATE, which no `SET timestamp` fixes.
    pub sysdate: bool,
    /// NEXTVAL, NEXT VALUE FOR, SETVAL, LASTVAL.
    pub sequence: bool,
    /// DATABASE, SCHEMA, USER, CURRENT_USER, CONNECTION_ID, CURRENT_ROLE: depends on the session.
    pub session_function: bool,
    /// Reads a system variable that may differ between the servers of one session: what it hasn't
    /// set is each server's own default.
    pub server_variable: bool,
    /// DEFAULT, which may stand for a value, and DEFAULT(column).
    pub says_default: bool,
    /// LOAD_FILE and other functions with effects or views of the server's host.
    pub host_function: bool,
}

const SELECT_LIMIT: &[u8] = b"sql_select_limit";

impl Traits {
    /// Whether a read with these must go to the primary.
    pub fn needs_primary(&self) -> bool {
        self.locking_read
            || self.user_lock
            || self.sets_last_insert_id
            || self.sequence
            || self.into_file
            || self.assigns_variable
    }
}

impl Traits {
    /// The traits that the tokens show.
    pub fn of(sql: &[u8], tokens: &[Token]) -> Self {
        let significant: Vec<&Token> =
            tokens.iter().filter(|token| !token.kind.is_trivia()).collect();
        let limits = |token: &Token| {
            let text = token.bytes(sql).to_ascii_lowercase();
            text.windows(SELECT_LIMIT.len()).any(|window| window == SELECT_LIMIT)
        };
        let mut traits = Traits {
            hinted_limit: tokens.iter().any(|one| one.kind == TokenKind::Hint && limits(one)),
            ..Traits::default()
        };
        // Among the variables of INTO.
        let mut listed = false;
        for (at, token) in significant.iter().enumerate() {
            let near = Near { sql, tokens: &significant, at };
            listed = match token.kind {
                TokenKind::UserVariable => near.before(1, "INTO") || listed,
                TokenKind::Symbol => listed && token.is_symbol(sql, ","),
                _ => false,
            };
            match token.kind {
                // The host of `'user'@'host'`.
                TokenKind::UserVariable if near.touches() => {}
                TokenKind::UserVariable if listed => traits.into_variable = true,
                TokenKind::UserVariable if near.symbol(1, ":=") => traits.assigns_variable = true,
                TokenKind::UserVariable => traits.reads_variable = true,
                TokenKind::SystemVariable => {
                    traits.reads_system_variable = true;
                    traits.last_insert_id |= is_last_id(token.bytes(sql));
                    traits.server_variable |= !is_last_id(token.bytes(sql));
                    traits.counts_conditions |= counted(token.bytes(sql)).is_some();
                }
                TokenKind::Word => traits.word(token.bytes(sql), &near),
                TokenKind::QuotedName if near.symbol(1, "(") => {
                    traits.word(&unquote_name(token.bytes(sql)), &near);
                }
                _ => {}
            }
        }
        traits
    }

    fn word(&mut self, word: &[u8], near: &Near<'_>) {
        let word = String::from_utf8_lossy(word).to_ascii_uppercase();
        match word.as_str() {
            "UPDATE" | "SHARE" if near.before(1, "FOR") => self.locking_read = true,
            "MODE" if near.before(1, "SHARE") && near.before(2, "IN") => self.locking_read = true,
            "OUTFILE" | "DUMPFILE" if near.before(1, "INTO") => self.into_file = true,
            "SQL_CALC_FOUND_ROWS" => self.calc_found_rows = true,
            "CURRENT_TIMESTAMP" | "CURRENT_DATE" | "CURRENT_TIME" | "LOCALTIME"
            | "LOCALTIMESTAMP" | "UTC_DATE" | "UTC_TIME" | "UTC_TIMESTAMP" => self.clock = true,
            "CURRENT_USER" | "CURRENT_ROLE" => self.session_function = true,
            "DEFAULT" => self.says_default = true,
            "VALUE" if near.before(1, "NEXT") || near.before(1, "PREVIOUS") => self.sequence = true,
            "LAST_INSERT_ID" if near.symbol(1, "(") => {
                self.last_insert_id = true;
                self.sets_last_insert_id |= !near.symbol(2, ")");
            }
            _ if near.symbol(1, "(") => {
                self.function(&word);
                self.lock_owner |= word == "IS_USED_LOCK" && !near.asks_null();
                self.seeded |= word == "RAND" && !near.symbol(2, ")") && !near.asks_column();
            }
            _ => {}
        }
    }

    fn function(&mut self, word: &str) {
        match word {
            "GET_LOCK"
            | "RELEASE_LOCK"
            | "RELEASE_ALL_LOCKS"
            | "IS_FREE_LOCK"
            | "IS_USED_LOCK"
            | "SERVICE_GET_READ_LOCKS"
            | "SERVICE_GET_WRITE_LOCKS"
            | "SERVICE_RELEASE_LOCKS" => {
                self.user_lock = true;
            }
            "FOUND_ROWS" => self.found_rows = true,
            "ROW_COUNT" => self.row_count = true,
            "SLEEP"
            | "BENCHMARK"
            | "MASTER_POS_WAIT"
            | "SOURCE_POS_WAIT"
            | "MASTER_GTID_WAIT"
            | "WAIT_FOR_EXECUTED_GTID_SET"
            | "WAIT_UNTIL_SQL_THREAD_AFTER_GTIDS" => self.waits = true,
            "UUID" | "UUID_SHORT" | "RAND" | "RANDOM_BYTES" | "SYS_GUID" | "UUID_V4"
            | "UUID_V7" => {
                self.random = true;
            }
            "NOW" | "CURDATE" | "CURTIME" | "UNIX_TIMESTAMP" => self.clock = true,
            "SYSDATE" => (self.clock, self.sysdate) = (true, true),
            "NEXTVAL" | "SETVAL" | "LASTVAL" => self.sequence = true,
            "DATABASE" | "SCHEMA" | "USER" | "SESSION_USER" | "SYSTEM_USER" | "CONNECTION_ID" => {
                self.session_function = true;
            }
            "LOAD_FILE" => self.host_function = true,
            _ => {}
        }
    }
}

/// A token and its neighbours.
struct Near<'a> {
    sql: &'a [u8],
    tokens: &'a [&'a Token],
    at: usize,
}

impl Near<'_> {
    /// Whether the token `n` places before is this word.
    fn before(&self, n: usize, word: &str) -> bool {
        let token = self.at.checked_sub(n).and_then(|at| self.tokens.get(at));
        token.is_some_and(|token| token.is_word(self.sql, word))
    }

    /// Whether a name or string ends where the token starts.
    fn touches(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        let this = self.tokens.get(self.at);
        before.zip(this).is_some_and(|(before, this)| {
            before.end == this.start && (before.is_name() || before.kind == TokenKind::String)
        })
    }

    /// Whether `IS [NOT] NULL` stands behind the call that begins here.
    fn asks_null(&self) -> bool {
        let mut behind = self.tokens.get(self.at + 1..).unwrap_or_default().iter();
        let Some(depth) = behind.next().map(|open| open.depth) else { return false };
        let closes = |token: &&&Token| token.depth == depth && token.is_symbol(self.sql, ")");
        behind.find(closes).is_some()
            && behind.next().is_some_and(|token| token.is_word(self.sql, "IS"))
    }

    /// Whether the call that begins here is of a column alone.
    fn asks_column(&self) -> bool {
        let name = |n: usize| {
            let token = self.tokens.get(self.at + n);
            let constant = |token: &Token| token.is_any(self.sql, &["NULL", "TRUE", "FALSE"]);
            token.is_some_and(|token| token.is_name() && !constant(token))
        };
        let mut end = 2;
        while name(end) && self.symbol(end + 1, ".") {
            end += 2;
        }
        name(end) && self.symbol(end + 1, ")")
    }

    /// Whether the token `n` places behind is this symbol.
    fn symbol(&self, n: usize, symbol: &str) -> bool {
        self.tokens.get(self.at + n).is_some_and(|token| token.is_symbol(self.sql, symbol))
    }
}

/// Whether a system variable is LAST_INSERT_ID() under another name: `@@identity`,
/// `@@session.last_insert_id`.
pub fn is_last_id(variable: &[u8]) -> bool {
    let name = last_part(variable);
    name.eq_ignore_ascii_case(b"last_insert_id") || name.eq_ignore_ascii_case(b"identity")
}

/// Which conditions of the statement before a system variable counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// `@@warning_count`: all of them.
    All,
    /// `@@error_count`
    Errors,
}

/// Whether a system variable counts conditions.
pub fn counted(variable: &[u8]) -> Option<Counted> {
    let name = last_part(variable);
    if name.eq_ignore_ascii_case(b"warning_count") {
        Some(Counted::All)
    } else {
        name.eq_ignore_ascii_case(b"error_count").then_some(Counted::Errors)
    }
}

/// `@@session.name`'s name.
fn last_part(variable: &[u8]) -> &[u8] {
    let name = variable.rsplit(|byte| matches!(byte, b'.' | b'@')).next().unwrap_or_default();
    let name = name.trim_ascii();
    name.strip_prefix(b"`").and_then(|name| name.strip_suffix(b"`")).unwrap_or(name)
}
