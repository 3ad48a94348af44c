//! DDL on many targets.
//!
//! Owns: running it on one target after the other, knowing a target where it was done before, and
//! the sentence that says how far it came. Never: undoes anything: MySQL can't roll DDL back.
//!
//! A statement that broke off half way is run again as it is. A target that answers "exists already"
//! or "isn't there" counts as done if its definition is now that of a target where the statement
//! ran; otherwise nothing further is changed. Where every target answers so, the first one's error
//! is the client's, as of one server.

use std::sync::Arc;

use crate::catalog::definition::Definition;
use crate::error::{Error, Fault, Result, Retry};
use crate::executor::lane::{Begun, Lane};
use crate::executor::running::Running;
use crate::executor::write::{NotWritten, Written, compose};
use crate::planner::plan::{Facts, WriteKind};

/// How many shards are named one by one in an error.
const NAMED: usize = 6;

/// What servers answer where a definition has been changed before: of tables 1050 and 1051, of
/// columns 1060, 1054 and 1091, of keys 1061, 1068, 1091 and 1176, of constraints 1005, 1022, 1826,
/// 3821, 3822 and 3940, of partitions 1507 and 1517.
const ALREADY: [u16; 17] = [
    1005, 1022, 1050, 1051, 1054, 1060, 1061, 1068, 1072, 1091, 1176, 1507, 1517, 1826, 3821, 3822,
    3940,
];

/// A physical table of a statement.
#[derive(Clone, Debug)]
pub struct Physical {
    pub database: Arc<str>,
    pub table: Arc<str>,
    pub logical: String,
}

/// What must be known to compare targets.
#[derive(Clone, Copy)]
pub struct Described<'d> {
    /// The tables that the statement names, by the target's place.
    pub tables: &'d [Vec<Physical>],
    /// The statement would do something else where it was done before.
    for_once: bool,
    /// A target that has its table already is left as it is (IF NOT EXISTS).
    lenient: bool,
    /// The logical name of a physical database and table.
    pub named: &'d (dyn Fn(&str, &str) -> Option<String> + Sync),
}

impl<'d> Described<'d> {
    pub fn of(
        tables: &'d [Vec<Physical>],
        facts: &Facts,
        named: &'d (dyn Fn(&str, &str) -> Option<String> + Sync),
    ) -> Self {
        Described { tables, for_once: facts.for_once, lenient: facts.lenient, named }
    }

    /// Nothing is known: no target is taken for done.
    pub fn nothing() -> Described<'static> {
        Described { tables: &[], for_once: false, lenient: false, named: &|_, _| None }
    }

    fn may_be_done(&self, error: &Error, target: usize) -> bool {
        error.fault == Fault::Backend
            && ALREADY.contains(&error.errno)
            && self.tables.get(target).is_some_and(|tables| !tables.is_empty())
    }

    /// The definitions of a target's tables; `None` for one that isn't there.
    async fn look(&self, lane: &mut Lane<'_>, target: usize) -> Result<Vec<Option<Definition>>> {
        let mut found = Vec::new();
        for physical in self.tables.get(target).into_iter().flatten() {
            let quoted = |name: &str| name.replace('`', "``");
            let (database, table) = (quoted(&physical.database), quoted(&physical.table));
            let question = format!("SHOW CREATE TABLE `{database}`.`{table}`");
            let text = match lane.connection.rows(question.as_bytes(), 1).await {
                Ok(rows) => {
                    rows.into_iter().next().and_then(|row| row.into_iter().nth(1)).flatten()
                }
                Err(error) if error.errno == 1146 => None,
                Err(error) => return Err(error),
            };
            let named = |table: &str| (self.named)(&physical.database, table);
            found.push(text.map(|text| {
                let text = String::from_utf8_lossy(&text);
                Definition::of(&text, &physical.table, &physical.logical, &named)
            }));
        }
        Ok(found)
    }
}

/// A target that answered that its definition is changed already.
struct Waiting {
    lane: usize,
    target: usize,
    place: String,
    error: Error,
}

/// Runs every part, lane by lane. The first error ends it that isn't a sign of a statement which was
/// run before.
///
/// # Errors
/// The server's own where nothing was done; otherwise `ddl_partial`, with what was done and what not.
pub async fn run(
    lanes: &mut [Lane<'_>],
    running: &Running,
    described: &Described<'_>,
) -> Result<Written, NotWritten> {
    lanes.iter().for_each(|lane| running.add(lane.connection.kill_handle()));
    let all: usize = lanes.iter().map(|lane| lane.parts.len()).sum();
    if described.for_once {
        check_alike(lanes, running, described).await?;
    }
    let mut answers = Vec::new();
    let mut done: Vec<String> = Vec::new();
    let mut waiting: Vec<Waiting> = Vec::new();
    // Where the statement ran, and what the tables are there now.
    let mut model: Option<(usize, usize)> = None;
    let mut looked: Option<Vec<Option<Definition>>> = None;
    let mut ran: Vec<(usize, usize, String)> = Vec::new();
    for index in 0..lanes.len() {
        while let Some(lane) = lanes.get_mut(index) {
            let Some(next) = lane.parts.front() else { break };
            let (place, target) = (title(lane, next.shard), next.target);
            match run_one(lane).await {
                Ok(info) => {
                    answers.push((target, None, info));
                    ran.push((index, target, place.clone()));
                    done.push(place);
                    model = model.or(Some((index, target)));
                }
                Err(error) if described.may_be_done(&error, target) => {
                    waiting.push(Waiting { lane: index, target, place, error });
                }
                Err(error) => {
                    let cause = running.explain(error);
                    // They say that it was done there before.
                    let before = waiting.iter().map(|one| one.place.clone());
                    done.extend(before);
                    return Err(stopped(lane, cause, &place, (&done, all), described.for_once));
                }
            }
            let Some(at) = model.filter(|_| !waiting.is_empty()) else { continue };
            for one in std::mem::take(&mut waiting) {
                match same(lanes, described, at, &mut looked, &one).await {
                    Ok(true) => done.push(one.place),
                    Ok(false) => return Err(differs(&one, &done, all)),
                    Err(error) => {
                        let error = running.explain(error);
                        return Err(NotWritten { error, transaction_lost: false });
                    }
                }
            }
        }
    }
    if let Some(first) = waiting.first() {
        let at = (first.lane, first.target);
        for one in waiting.iter().skip(1) {
            if let Ok(false) = same(lanes, described, at, &mut looked, one).await {
                return Err(differs(one, &done, all));
            }
        }
        let error = first.error.clone();
        return Err(NotWritten { error, transaction_lost: false });
    }
    if described.lenient && answers.iter().any(|(.., info)| info.warnings > 0) {
        check_made(lanes, running, described, &ran).await?;
    }
    answers.sort_by_key(|(target, ..)| *target);
    Ok(compose(lanes, WriteKind::Definition, answers))
}

/// The lane's next part, to its end.
async fn run_one(lane: &mut Lane<'_>) -> Result<crate::backend::answer::OkInfo> {
    match lane.begin().await? {
        None => Ok(Default::default()),
        Some((_, Begun::Done(info))) => {
            lane.fetch_warnings().await;
            Ok(info)
        }
        // ANALYZE, CHECK, OPTIMIZE and REPAIR TABLE answer with rows.
        Some((_, Begun::Rows(_))) => lane.drain(usize::MAX).await.map(|_| Default::default()),
    }
}

/// Whether a target is as one is where the statement ran.
async fn same(
    lanes: &mut [Lane<'_>],
    described: &Described<'_>,
    (lane, target): (usize, usize),
    looked: &mut Option<Vec<Option<Definition>>>,
    one: &Waiting,
) -> Result<bool> {
    let model = match looked.take() {
        Some(model) => model,
        None => match lanes.get_mut(lane) {
            Some(lane) => described.look(lane, target).await?,
            None => return Ok(false),
        },
    };
    let found = match lanes.get_mut(one.lane) {
        Some(lane) => described.look(lane, one.target).await?,
        None => return Ok(false),
    };
    let same = found == model;
    *looked = Some(model);
    Ok(same)
}

fn title(lane: &Lane<'_>, shard: Option<u32>) -> String {
    let node = lane.connection.node().title();
    shard.map_or_else(|| node.to_string(), |shard| format!("shard {shard} on {node}"))
}

/// The places where it was done, the first ones by their names.
fn named(done: &[String]) -> String {
    let named = done.get(..done.len().min(NAMED)).unwrap_or_default().join(", ");
    match done.len().checked_sub(NAMED) {
        None | Some(0) => named,
        Some(more) => format!("{named} and {more} more"),
    }
}

fn stopped(
    lane: &Lane<'_>,
    error: Error,
    place: &str,
    (done, all): (&[String], usize),
    for_once: bool,
) -> NotWritten {
    let transaction_lost = lane.keep && !lane.connection.is_in_step();
    if done.is_empty() {
        return NotWritten { error, transaction_lost };
    }
    let unknown = error.fault != Fault::Backend;
    let failed = if unknown { "its outcome is unknown" } else { "it failed" };
    let rest = all.saturating_sub(done.len() + 1);
    let advice = match for_once {
        false => "run the same statement again once the cause is gone, and it finishes the rest",
        true => ALONE,
    };
    // First what matters most: the text is cut at 512 bytes.
    let text = format!(
        "{} ({failed} on {place}; done on {} of {all}, not tried on {rest}; done on: {}). The shards \
         differ now: {advice}",
        error.message,
        done.len(),
        named(done),
    );
    let partial = Error::new(error.fault, error.errno, &error.sqlstate, "ddl_partial", text);
    NotWritten { error: partial.retry(Retry::Unknown), transaction_lost }
}

/// How a statement that can't be told twice is brought to its end.
const ALONE: &str = "it would be done twice if it were run again; run it with the hint \
                     /*+ weir: shard(table, number) */ on each shard that lacks it";

/// Before a statement that can't be told twice: the targets must be alike, or it may be that it has
/// been told already.
async fn check_alike(
    lanes: &mut [Lane<'_>],
    running: &Running,
    described: &Described<'_>,
) -> Result<(), NotWritten> {
    let mut model = None;
    for lane in lanes.iter_mut() {
        let targets: Vec<_> = lane.parts.iter().map(|part| (part.shard, part.target)).collect();
        for (shard, target) in targets {
            let found = described.look(lane, target).await.map_err(|error| NotWritten {
                error: running.explain(error),
                transaction_lost: false,
            })?;
            let model = model.get_or_insert_with(|| found.clone());
            if *model != found {
                let text = format!(
                    "The definition on {} differs from the one before it (`weir schema diff`), as after a \
                     statement that broke off: {ALONE}",
                    title(lane, shard),
                );
                let error = Error::refused("ddl_shards_differ", text);
                return Err(NotWritten { error, transaction_lost: false });
            }
        }
    }
    Ok(())
}

/// Behind IF NOT EXISTS: a table that was there already must be what the others are.
async fn check_made(
    lanes: &mut [Lane<'_>],
    running: &Running,
    described: &Described<'_>,
    ran: &[(usize, usize, String)],
) -> Result<(), NotWritten> {
    let mut model = None;
    for (lane, target, place) in ran {
        let Some(lane) = lanes.get_mut(*lane) else { continue };
        let found = described.look(lane, *target).await.map_err(|error| NotWritten {
            error: running.explain(error),
            transaction_lost: false,
        })?;
        let (model, first) = model.get_or_insert_with(|| (found.clone(), place));
        if *model != found {
            let text = format!(
                "Some shards had the table already, and the one on {place} is another than the one on \
                 {first} (`weir schema diff` shows in what): mend the one that is wrong"
            );
            let error = Error::refused("ddl_shards_differ", text);
            return Err(NotWritten { error: error.retry(Retry::Unknown), transaction_lost: false });
        }
    }
    Ok(())
}

/// A target says that it was done there, and yet isn't like the others.
fn differs(one: &Waiting, done: &[String], all: usize) -> NotWritten {
    let text = format!(
        "{} (on {}, whose definition is not the one that the statement made elsewhere; done on {} of \
         {all}: {}). The shards differ: `weir schema diff` shows in what, mend that one first",
        one.error.message,
        one.place,
        done.len(),
        named(done),
    );
    let (errno, state) = (one.error.errno, &one.error.sqlstate);
    let error = Error::new(one.error.fault, errno, state, "ddl_partial", text);
    NotWritten { error: error.retry(Retry::Unknown), transaction_lost: false }
}
