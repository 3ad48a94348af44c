//! What a session owns and a backend connection must have before the session's statement runs.
//!
//! Owns: the state's shape, its equality, and the text that turns one state into another. Never:
//! sends anything, knows which servers accepted what ([`crate::backend::accepted`]), or parses a
//! client's SET (the session does and hands over finished value texts).
//!
//! A [`State`] is shared and cheap to clone; changing one copies it. A connection holds an
//! [`Applied`]: the state last applied to it and what of it is certain. Differences become one
//! SET statement, which servers take whole or not at all (trap 11).

use std::sync::Arc;
use std::time::Duration;

use crate::backend::version::Kind;

/// A transaction isolation level, as the session variable spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isolation {
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl Isolation {
    /// The value of `transaction_isolation`.
    pub fn text(self) -> &'static str {
        match self {
            Isolation::ReadUncommitted => "READ-UNCOMMITTED",
            Isolation::ReadCommitted => "READ-COMMITTED",
            Isolation::RepeatableRead => "REPEATABLE-READ",
            Isolation::Serializable => "SERIALIZABLE",
        }
    }

    /// Of such a value.
    pub fn named(text: &str) -> Option<Isolation> {
        use Isolation as I;
        let all = [I::ReadUncommitted, I::ReadCommitted, I::RepeatableRead, I::Serializable];
        all.into_iter().find(|isolation| isolation.text().eq_ignore_ascii_case(text))
    }
}

/// The character sets of a session. `collation` is `collation_connection`, which implies
/// `character_set_connection`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Charset {
    /// `character_set_client`: how statements are read.
    pub client: Arc<str>,
    /// `character_set_results`; `None` is NULL: results stay in their columns' charsets.
    pub results: Option<Arc<str>>,
    /// `collation_connection`: literals and their comparison.
    pub collation: Arc<str>,
}

impl Default for Charset {
    fn default() -> Self {
        Charset {
            client: Arc::from("utf8mb4"),
            results: Some(Arc::from("utf8mb4")),
            collation: Arc::from("utf8mb4_general_ci"),
        }
    }
}

/// One variable: its name in lower case, and the SQL text of its value.
///
/// The text must mean the same under each sql_mode and character_set_client ([`quote`] makes such
/// texts): it may be sent while the connection still has another session's modes.
type Variable = (Arc<str>, Arc<[u8]>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    database: Option<Arc<str>>,
    charset: Charset,
    isolation: Option<Isolation>,
    autocommit: bool,
    read_only: bool,
    /// Sorted by name.
    variables: Vec<Variable>,
    /// Sorted by name.
    user: Vec<Variable>,
}

/// A session's state: cheap to clone, compared by pointer first.
#[derive(Clone, Debug)]
pub struct State(Arc<Inner>);

impl Default for State {
    /// What a fresh session has: the server's defaults, autocommit, utf8mb4.
    fn default() -> Self {
        State(Arc::new(Inner {
            database: None,
            charset: Charset::default(),
            isolation: None,
            autocommit: true,
            read_only: false,
            variables: Vec::new(),
            user: Vec::new(),
        }))
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for State {}

impl State {
    /// The physical database statements run in. `None`: any will do, the statement names its own.
    pub fn database(&self) -> Option<&str> {
        self.0.database.as_deref()
    }

    pub fn charset(&self) -> &Charset {
        &self.0.charset
    }

    /// `None`: the server's default.
    pub fn isolation(&self) -> Option<Isolation> {
        self.0.isolation
    }

    pub fn autocommit(&self) -> bool {
        self.0.autocommit
    }

    pub fn read_only(&self) -> bool {
        self.0.read_only
    }

    /// The value text of a system variable that the session has set (lower-case name).
    pub fn variable(&self, name: &str) -> Option<&[u8]> {
        find(&self.0.variables, name)
    }

    /// The value text of a user variable (lower-case name, without `@`).
    pub fn user_variable(&self, name: &str) -> Option<&[u8]> {
        find(&self.0.user, name)
    }

    /// The texts of the user variables that have one.
    pub fn user_variables(&self) -> impl Iterator<Item = &[u8]> {
        self.0.user.iter().map(|(_, text)| text.as_ref())
    }

    /// The names of those.
    pub fn user_names(&self) -> impl Iterator<Item = &str> {
        self.0.user.iter().map(|(name, _)| name.as_ref())
    }

    /// How many variables are held, system and user: the session bounds them.
    pub fn variables(&self) -> usize {
        self.0.variables.len() + self.0.user.len()
    }

    pub fn set_database(&mut self, database: Option<Arc<str>>) {
        if self.0.database != database {
            Arc::make_mut(&mut self.0).database = database;
        }
    }

    pub fn set_charset(&mut self, charset: Charset) {
        if self.0.charset != charset {
            Arc::make_mut(&mut self.0).charset = charset;
        }
    }

    pub fn set_isolation(&mut self, isolation: Option<Isolation>) {
        if self.0.isolation != isolation {
            Arc::make_mut(&mut self.0).isolation = isolation;
        }
    }

    pub fn set_autocommit(&mut self, autocommit: bool) {
        if self.0.autocommit != autocommit {
            Arc::make_mut(&mut self.0).autocommit = autocommit;
        }
    }

    pub fn set_read_only(&mut self, read_only: bool) {
        if self.0.read_only != read_only {
            Arc::make_mut(&mut self.0).read_only = read_only;
        }
    }

    /// Sets a system variable; `None` gives it its default again. `name` in lower case, made of
    /// letters, digits, `_` and `.`.
    pub fn set_variable(&mut self, name: &str, value: Option<&[u8]>) {
        if self.variable(name) != value {
            put(&mut Arc::make_mut(&mut self.0).variables, name, value);
        }
    }

    /// Sets a user variable (lower-case name without `@`); `None` is NULL, which is what a
    /// variable never set has.
    pub fn set_user_variable(&mut self, name: &str, value: Option<&[u8]>) {
        if self.user_variable(name) != value {
            put(&mut Arc::make_mut(&mut self.0).user, name, value);
        }
    }

    /// The same state with the clock of NOW(), CURRENT_TIMESTAMP defaults and their kin standing at
    /// this time, so that several servers read the same one (trap 20). A client that has set the
    /// variable itself keeps its own.
    pub fn at(&self, since_epoch: Duration) -> State {
        let mut state = self.clone();
        if state.variable(CLOCK).is_none() {
            let text = format!("{}.{:06}", since_epoch.as_secs(), since_epoch.subsec_micros());
            state.set_variable(CLOCK, Some(text.as_bytes()));
        }
        state
    }

    /// The same state in another default database: what a session's state is for one group.
    pub fn in_database(&self, database: Option<&Arc<str>>) -> State {
        if self.0.database.as_ref() == database {
            return self.clone();
        }
        let mut state = self.clone();
        state.set_database(database.cloned());
        state
    }
}

/// What is known of a connection's state.
#[derive(Clone, Debug)]
pub struct Applied {
    state: State,
    /// False after login and after COM_RESET_CONNECTION: servers differ in what the character
    /// sets then are (trap 12), and the session trackers are off.
    settled: bool,
}

/// What has to be sent to bring a connection from one state to another.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Change {
    /// [`UTF8_FIRST`] goes before all else: names in what follows aren't ASCII, and the connection
    /// may read them in another character set, in which a byte could swallow the quote behind it.
    pub utf8_first: bool,
    /// COM_INIT_DB with this name.
    pub database: Option<Arc<str>>,
    /// One SET statement, whole.
    pub set: Option<Vec<u8>>,
    /// How many leading bytes of `set` can fail and so decide whether the node has accepted it
    /// before. The clock, numbers and plain strings for user variables follow them and can't fail.
    /// 0 where nothing can.
    pub fallible: usize,
}

impl Change {
    pub fn is_empty(&self) -> bool {
        self.database.is_none() && self.set.is_none()
    }

    /// The part of the SET that a node must have accepted before for it to be pipelined.
    pub fn key(&self) -> &[u8] {
        match &self.set {
            Some(set) => set.get(..self.fallible).unwrap_or(set),
            None => &[],
        }
    }
}

impl Applied {
    /// A connection after login with `database`: its charsets are unknown until set.
    pub fn fresh(database: Option<Arc<str>>) -> Self {
        let mut state = State::default();
        state.set_database(database);
        Applied { state, settled: false }
    }

    /// After COM_RESET_CONNECTION: variables are the server's defaults, the default database
    /// stays, charsets are unknown.
    pub fn reset(&mut self) {
        *self = Applied::fresh(self.state.0.database.clone());
    }

    /// The connection now has this state.
    pub fn now(&mut self, state: &State) {
        let database = match &state.0.database {
            Some(_) => None,
            None => self.state.0.database.clone(),
        };
        self.state = state.clone();
        if database.is_some() {
            self.state.set_database(database);
        }
        self.settled = true;
    }

    /// The user variable has no known value, so that any is another one.
    pub fn doubt(&mut self, name: &str) {
        self.state.set_user_variable(name, Some(b"'unknown'"));
    }

    /// The user variable was read here.
    pub fn know(&mut self, name: &str, value: Option<&[u8]>) {
        self.state.set_user_variable(name, value);
    }

    /// The system variable was changed here.
    pub fn found(&mut self, name: &str, value: &[u8]) {
        self.state.set_variable(name, Some(value));
    }

    /// The charsets are not certain any more.
    pub fn unsettle(&mut self) {
        self.settled = false;
    }

    /// The connection has moved to the database of `state`, its other parts are as they were.
    pub fn moved(&mut self, state: &State) {
        self.state = state.clone();
    }

    /// The state last applied.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether the connection has what `wanted` asks for, so that nothing must be sent.
    pub fn satisfies(&self, wanted: &State) -> bool {
        if !self.settled {
            return false;
        }
        if Arc::ptr_eq(&self.state.0, &wanted.0) {
            return true;
        }
        let (have, want) = (&*self.state.0, &*wanted.0);
        (want.database.is_none() || want.database == have.database)
            && want.autocommit == have.autocommit
            && want.read_only == have.read_only
            && want.isolation == have.isolation
            && want.charset == have.charset
            && want.variables == have.variables
            && want.user == have.user
    }

    /// What must be sent so that the connection has `wanted`; empty where it has.
    pub fn change(&self, wanted: &State, kind: Kind) -> Change {
        let (have, want) = (&*self.state.0, &*wanted.0);
        let database = match (&want.database, &have.database) {
            (Some(want), have) if Some(want) != have.as_ref() => Some(want.clone()),
            _ => None,
        };
        let mut user = Vec::new();
        differences(&have.user, &want.user, |name, value| user.push((name, value)));
        let ascii = database.as_ref().is_none_or(|name| name.is_ascii())
            && user.iter().all(|(name, _)| name.is_ascii());
        let utf8_first = !(ascii || self.settled && is_utf8(&have.charset.client));
        let mut text = SetText::default();
        if !self.settled {
            text.0.extend_from_slice(TRACKERS);
        }
        if !self.settled || utf8_first || have.charset != want.charset {
            text.charset(&want.charset);
        }
        if have.isolation != want.isolation {
            let value = want.isolation.map(|level| format!("'{}'", level.text()));
            text.system(kind.isolation_variable(), value.as_deref().map(str::as_bytes));
        }
        if have.read_only != want.read_only {
            text.system(kind.read_only_variable(), Some(flag(want.read_only)));
        }
        if have.autocommit != want.autocommit {
            text.system("autocommit", Some(flag(want.autocommit)));
        }
        let mut clock = None;
        differences(&have.variables, &want.variables, |name, value| {
            if name == CLOCK && value.is_none_or(is_plain) {
                clock = Some(value);
            } else {
                text.system(name, value);
            }
        });
        let plain = |value: Option<&[u8]>| value.is_none_or(is_plain);
        for (name, value) in user.iter().filter(|(_, value)| !plain(*value)) {
            text.user(name, *value);
        }
        let fallible = text.0.len();
        if let Some(value) = clock {
            text.system(CLOCK, value);
        }
        for (name, value) in user.iter().filter(|(_, value)| plain(*value)) {
            text.user(name, *value);
        }
        let set = (!text.0.is_empty()).then_some(text.0);
        Change { utf8_first, database, set, fallible }
    }
}

/// The variable that NOW() and its kin read, seconds since 1970.
const CLOCK: &str = "timestamp";

/// What makes a server read names as UTF-8. It can't fail.
pub const UTF8_FIRST: &[u8] = b"SET @@SESSION.character_set_client=utf8mb4";

fn is_utf8(charset: &str) -> bool {
    charset.starts_with("utf8")
}

/// Whether a value's text can't be refused: a number, or a plain ASCII string. One with an
/// introducer may hold bytes that its character set doesn't know.
fn is_plain(text: &[u8]) -> bool {
    match text {
        [b'\'', inner @ .., b'\''] => {
            inner.iter().all(|&b| (0x20..0x7f).contains(&b) && b != b'\'' && b != b'\\')
        }
        _ => text.len() < 40 && text.iter().all(|&b| b.is_ascii_digit() || b"+-.eE".contains(&b)),
    }
}

/// A string value as SQL text that means the same in each sql_mode and character set: plain
/// ASCII in single quotes, anything else as a hexadecimal literal with its introducer.
pub fn quote(value: &[u8], charset: &str) -> Vec<u8> {
    let plain = value.iter().all(|&b| (0x20..0x7f).contains(&b) && b != b'\'' && b != b'\\');
    let mut text = Vec::with_capacity(value.len() + 2);
    if plain {
        text.push(b'\'');
        text.extend_from_slice(value);
        text.push(b'\'');
        return text;
    }
    text.push(b'_');
    text.extend_from_slice(charset.as_bytes());
    text.extend_from_slice(b" 0x");
    for &byte in value {
        for digit in [byte >> 4, byte & 15] {
            text.push(if digit < 10 { b'0' + digit } else { b'A' + digit - 10 });
        }
    }
    text
}

/// Every change of session state is reported in OK packets. Both kinds of server know these, MySQL
/// since 5.7, MariaDB since 10.2. And a server waits while Weir doesn't read: a client that takes
/// its rows slowly holds up the shards of a merge, for as long as Weir's own deadlines let it.
const TRACKERS: &[u8] = b"SET @@SESSION.session_track_system_variables='*',\
    @@SESSION.session_track_schema=1,@@SESSION.session_track_state_change=1,\
    @@SESSION.session_track_transaction_info='STATE',@@SESSION.net_write_timeout=3600";

/// What `DEFAULT` turns off on MySQL (9.7) though the global value is on: one client's would be the
/// next one's.
const DEFAULT_IS_OFF: [&str; 2] = ["foreign_key_checks", "unique_checks"];

/// The SET statement being built.
#[derive(Default)]
struct SetText(Vec<u8>);

impl SetText {
    fn separate(&mut self) {
        let lead: &[u8] = if self.0.is_empty() { b"SET " } else { b"," };
        self.0.extend_from_slice(lead);
    }

    fn charset(&mut self, charset: &Charset) {
        // One collation for all three, as a login and SET NAMES … COLLATE leave it: MySQL describes
        // columns by that of the results, which no variable could give back.
        let own = |name: &str| {
            charset.collation.strip_prefix(name).is_some_and(|rest| rest.starts_with('_'))
        };
        if charset.results.as_ref() == Some(&charset.client) && own(&charset.client) {
            self.separate();
            for part in ["NAMES ", &*charset.client, " COLLATE ", &*charset.collation] {
                self.0.extend_from_slice(part.as_bytes());
            }
            return;
        }
        self.system("character_set_client", Some(charset.client.as_bytes()));
        let results = charset.results.as_deref().unwrap_or("NULL");
        self.system("character_set_results", Some(results.as_bytes()));
        self.system("collation_connection", Some(charset.collation.as_bytes()));
    }

    fn system(&mut self, name: &str, value: Option<&[u8]>) {
        self.separate();
        self.0.extend_from_slice(b"@@SESSION.");
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'=');
        match value {
            Some(value) => self.0.extend_from_slice(value),
            None if DEFAULT_IS_OFF.contains(&name) => {
                self.0.extend_from_slice(b"@@GLOBAL.");
                self.0.extend_from_slice(name.as_bytes());
            }
            None => self.0.extend_from_slice(b"DEFAULT"),
        }
    }

    fn user(&mut self, name: &str, value: Option<&[u8]>) {
        self.separate();
        self.0.extend_from_slice(b"@`");
        for &byte in name.as_bytes() {
            if byte == b'`' {
                self.0.push(b'`');
            }
            self.0.push(byte);
        }
        self.0.extend_from_slice(b"`=");
        self.0.extend_from_slice(value.unwrap_or(b"NULL"));
    }
}

fn flag(on: bool) -> &'static [u8] {
    if on { b"1" } else { b"0" }
}

fn find<'a>(list: &'a [Variable], name: &str) -> Option<&'a [u8]> {
    let place = list.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
    list.get(place).map(|(_, value)| &**value)
}

fn put(list: &mut Vec<Variable>, name: &str, value: Option<&[u8]>) {
    match (list.binary_search_by(|(known, _)| (**known).cmp(name)), value) {
        (Ok(place), Some(value)) => list[place].1 = Arc::from(value),
        (Ok(place), None) => {
            list.remove(place);
        }
        (Err(place), Some(value)) => list.insert(place, (Arc::from(name), Arc::from(value))),
        (Err(_), None) => {}
    }
}

/// Calls `emit` for each variable that differs, in order of name; without a value where `want`
/// lacks it.
fn differences<'a>(
    have: &'a [Variable],
    want: &'a [Variable],
    mut emit: impl FnMut(&'a str, Option<&'a [u8]>),
) {
    let (mut have, mut want) = (have.iter().peekable(), want.iter().peekable());
    loop {
        match (have.peek(), want.peek()) {
            (Some((old, _)), Some((new, _))) if old < new => {
                emit(old, None);
                have.next();
            }
            (Some((old, before)), Some((new, value))) if old == new => {
                if before != value {
                    emit(new, Some(value));
                }
                have.next();
                want.next();
            }
            (_, Some((new, value))) => {
                emit(new, Some(value));
                want.next();
            }
            (Some((old, _)), None) => {
                emit(old, None);
                have.next();
            }
            (None, None) => return,
        }
    }
}

#[cfg(test)]
mod tests;

/// A session's state in the databases that it was last in: a statement that goes where another went
/// before copies nothing.
#[derive(Debug, Default)]
pub struct Placed {
    /// What `all` were made of.
    base: State,
    all: Vec<State>,
}

impl Placed {
    /// `state` in a database.
    pub fn of(&mut self, state: &State, database: Option<&Arc<str>>) -> State {
        if state.0.database.as_ref() == database {
            return state.clone();
        }
        if !Arc::ptr_eq(&self.base.0, &state.0) {
            self.base = state.clone();
            self.all.clear();
        }
        if let Some(placed) = self.all.iter().find(|one| one.0.database.as_ref() == database) {
            return placed.clone();
        }
        let placed = state.in_database(database);
        if self.all.len() >= PLACES {
            self.all.clear();
        }
        self.all.push(placed.clone());
        placed
    }
}

/// How many databases a session's state is kept for.
const PLACES: usize = 8;
