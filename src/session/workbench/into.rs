//! Statements whose row goes into user variables, where several shards' rows are needed for it.
//!
//! Owns: running such a statement on one connection, and making what it left there the session's own:
//! the server itself decides types, digits, collations, and what becomes of no row and of several.
//! Never: gathers rows, or leaves a value on a connection that others use.

use super::bench::{Bench, Deadline};
use super::change::done;
use super::renamed;
use crate::backend::answer::OkInfo;
use crate::backend::connection::{Pipelining, Runs};
use crate::backend::pool::Lent;
use crate::backend::state::State;
use crate::error::{Error, Fault, Result};
use crate::executor::pass::Summary;
use crate::planner::Plan;
use crate::planner::bind::Binding;
use crate::planner::plan::{Renaming, Target, Unseen};
use crate::protocol::ok::{OkHeader, OkPacket};
use crate::session::Session;
use crate::session::forward::Failure;
use crate::session::learn::runs;
use crate::session::own::{Rows, rows};
use crate::session::query::{Manner, Outcome};
use crate::session::several::rolls_back;
use crate::session::user_values::user_values;
use crate::sql::classify::StatementKind;
use crate::sql::lex;
use crate::sql::literal::user_variable;
use crate::sql::token::TokenKind;

/// Of several rows the first one's values stay.
const SEVERAL_ROWS: u16 = 1172;

/// Lock wait timeout exceeded.
const LOCK_WAIT: u16 = 1205;

/// MariaDB's, of INTO behind all else, which is where MySQL wants it.
const DEPRECATED: u16 = 1287;

/// What a SELECT … INTO has done.
pub(in crate::session) struct Taken {
    pub rows: u64,
    pub warnings: u16,
    /// 1172, beside values that are set.
    pub error: Option<Error>,
}

/// What a server said, and its warnings.
pub(super) type Said = (OkInfo, Option<Error>, Rows);

/// A SELECT … INTO as it is sent, and what it runs beside.
#[derive(Clone, Copy)]
pub(in crate::session) struct Selecting<'a> {
    pub text: &'a [u8],
    /// With the client's own arguments it is prepared: a literal's type, collation and warnings are
    /// others than a parameter's.
    pub manner: Manner<'a>,
    pub runs: Runs,
}

impl<'a> Selecting<'a> {
    /// One of Weir's own.
    pub fn plain(text: &'a [u8], runs: Runs) -> Selecting<'a> {
        Selecting { text, manner: Manner::OWN, runs }
    }
}

/// Runs a SELECT … INTO on a connection, and reads into `state` what the variables became, of one that
/// fails midway, too.
pub(super) async fn take(
    lent: &mut Lent,
    (selecting, key): (Selecting<'_>, &[u8]),
    names: &[String],
    state: &mut State,
) -> Result<Said> {
    let Selecting { text, manner, runs } = selecting;
    lent.begins(runs);
    let bound = manner.arguments.is_some();
    let answered = match bound {
        true => done(lent, key, text, manner).await,
        false => lent.simple(text).await,
    };
    let (info, error) = match answered {
        Ok(info) => {
            // INTO itself is a change, too: where nothing else can be, it isn't looked at.
            if runs != Runs::Plain && !bound {
                lent.note_tracked(&info.session_state);
            }
            (info, None)
        }
        Err(error) if error.errno == SEVERAL_ROWS => (OkInfo::default(), Some(error)),
        Err(error) => {
            // A row's first values are there though its last one was an error. A statement that waited
            // for a lock in vain has none, and its server may have rolled back: that is looked at next.
            if lent.is_in_step() && may_have_set(&error) {
                let read = read_back(lent, names, state).await;
                tracing::debug!(?read, "user variables of a statement that failed");
            } else {
                names.iter().for_each(|name| lent.doubt_user_variable(name));
            }
            return Err(error);
        }
    };
    // It stands before the questions, which clear them; a late KILL may hit it.
    let warnings = match info.warnings {
        0 => Ok(Rows::default()),
        _ => rows(lent, b"SHOW WARNINGS").await,
    };
    if lent.is_in_step() {
        read_back(lent, names, state).await?;
    }
    Ok((info, error, warnings?))
}

/// Whether an error may stand behind a first row, whose values are set.
fn may_have_set(error: &Error) -> bool {
    error.errno != LOCK_WAIT && !rolls_back(error.errno)
}

/// Reads the variables into `state`. The connection then counts as having none of them as known, so
/// that nobody else sees one.
async fn read_back(lent: &mut Lent, names: &[String], state: &mut State) -> Result<()> {
    let before = state.clone();
    let read = user_values(lent, names, state).await;
    // One that is NULL, as it was, is left alone: set to NULL it would have another type.
    let has = |name: &str| [&before, &*state].iter().any(|s| s.user_variable(name).is_some());
    for name in names.iter().filter(|name| read.is_err() || has(name)) {
        lent.doubt_user_variable(name);
    }
    read
}

/// Whether a statement's row goes into user variables, and none is assigned besides.
pub(in crate::session) fn takes_row(plan: &Plan) -> bool {
    use StatementKind as K;
    // A routine's body may hold one.
    let selects = matches!(plan.kind, K::Select | K::With | K::Values | K::Table);
    selects && plan.traits.into_variable && !plan.traits.assigns_variable
}

/// Whether all that its connection keeps of it are these variables.
pub(in crate::session) fn only_takes_row(plan: &Plan) -> bool {
    let traits = plan.traits;
    traits.into_variable
        && takes_row(plan)
        && !(traits.user_lock || traits.calc_found_rows || plan.facts.lends_id)
        && plan.facts.unseen == Unseen::Nothing
}

impl Session {
    /// Runs the client's own SELECT … INTO over the workbench's tables.
    pub(super) async fn residual_into(
        &mut self,
        plan: &Plan,
        bench: Bench,
        shown: &[Renaming],
        text: &[u8],
        (manner, deadline): (Manner<'_>, Deadline),
    ) -> Result<Summary, Failure> {
        let mut state = self.state.clone();
        let selecting = Selecting { text, manner, runs: runs(&plan.facts) };
        let taken = self.into_on_bench(selecting, bench, shown, (&mut state, deadline)).await;
        self.state = state;
        self.into_done(taken?, manner)
    }

    /// The client's own SELECT … INTO where one server has all of its rows.
    pub(in crate::session) async fn into_at(
        &mut self,
        plan: &Plan,
        target: &Target,
        binding: &Binding<'_>,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        let mut state = self.state.clone();
        let taken = self.value_at(plan, target, binding, (manner, &mut state)).await;
        self.state = state;
        match taken {
            Ok(taken) => {
                let summary = self.into_done(taken, manner)?;
                Ok(self.note_residual(&summary))
            }
            Err(Failure::Statement(error)) => {
                self.follow_rollback(error.errno).await;
                Err(error.into())
            }
            Err(failure) => Err(failure),
        }
    }

    fn into_done(&mut self, mut taken: Taken, manner: Manner<'_>) -> Result<Summary, Failure> {
        if manner.binary {
            // Said when it was prepared.
            self.unsay_deprecated(&mut taken);
        }
        if let Some(error) = taken.error {
            return Err(error.into());
        }
        self.last.found_rows = taken.rows;
        let ok = OkPacket {
            affected_rows: taken.rows,
            status: self.final_status(manner.more),
            warnings: taken.warnings,
            ..OkPacket::default()
        };
        self.stream.write_with(|out| ok.write(OkHeader::Plain, self.capabilities, out));
        let (affected_rows, warnings) = (taken.rows, taken.warnings);
        Ok(Summary { affected_rows, warnings, ..Summary::default() })
    }

    /// Leaves out what is said of where INTO stands.
    pub(super) fn unsay_deprecated(&mut self, taken: &mut Taken) {
        let before = self.last.diagnostics.len();
        self.last.diagnostics.retain(|one| one.errno != DEPRECATED);
        let own = u16::try_from(before - self.last.diagnostics.len()).unwrap_or(u16::MAX);
        taken.warnings = taken.warnings.saturating_sub(own);
    }

    /// The user variables behind INTO.
    pub(in crate::session) fn into_names(&self, sql: &[u8]) -> Result<Vec<String>> {
        let tokens = lex::tokens(sql, self.dialect, self.ctx.lexer.limits())?;
        let mut names: Vec<String> = Vec::new();
        let mut assigned = false;
        for token in tokens.iter().filter(|token| !token.kind.is_trivia()) {
            match token.kind {
                TokenKind::UserVariable if assigned => {
                    names.push(user_variable(sql, token, &self.dialect));
                }
                _ => {
                    assigned = token.is_word(sql, "INTO") || (assigned && token.is_symbol(sql, ","))
                }
            }
        }
        Ok(names)
    }

    /// Runs a SELECT … INTO over the workbench's tables, clears up, and notes its warnings.
    pub(in crate::session) async fn into_on_bench(
        &mut self,
        selecting: Selecting<'_>,
        mut bench: Bench,
        shown: &[Renaming],
        (state, deadline): (&mut State, Deadline),
    ) -> Result<Taken, Failure> {
        let names = self.into_names(selecting.text)?;
        let key = self.key_of(selecting);
        let entered = self.residual_state(&bench);
        let run = async {
            bench.lent.enter(&entered, Pipelining::Nothing).await?;
            take(&mut bench.lent, (selecting, &key), &names, state).await
        };
        let run = self.bench_step(deadline, run).await;
        self.running.end();
        self.unseen_within(state, &mut bench).await;
        if bench.lent.is_in_step() {
            self.clear_bench(bench, &key).await;
        }
        self.taken(&names, run, shown)
    }

    pub(super) fn key_of(&self, selecting: Selecting<'_>) -> Vec<u8> {
        let given = selecting.manner.arguments;
        self.handle_key(selecting.text, given.map_or(&[], |given| given.types))
    }

    /// What stored code set besides becomes part of `state`, which is the session's soon.
    async fn unseen_within(&mut self, state: &mut State, bench: &mut Bench) {
        std::mem::swap(&mut self.state, state);
        self.take_unseen_of(bench).await;
        std::mem::swap(&mut self.state, state);
    }

    /// The variables are the session's by now.
    pub(super) fn taken(
        &mut self,
        names: &[String],
        said: Result<Said, Failure>,
        shown: &[Renaming],
    ) -> Result<Taken, Failure> {
        let known = match &said {
            Ok(_) => true,
            Err(Failure::Statement(error)) => error.fault == Fault::Backend && may_have_set(error),
            Err(Failure::Session(_)) => false,
        };
        for name in names.iter().filter(|_| known) {
            self.held.assigned(name);
        }
        let (info, error, warnings) = said.map_err(|failure| renamed(failure, shown))?;
        self.note_warnings(warnings, shown);
        Ok(Taken { rows: info.affected_rows, warnings: info.warnings, error })
    }
}
