//! COMMIT and ROLLBACK of a transaction over several groups, over its connections.
//!
//! Owns: running each round of the [`super::protocol`] at once, asking for a lost outcome, and what
//! the client is told. Never: decides what follows what (the protocol does), or gives connections
//! back (the session does).

use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::backend::pool::Lent;
use crate::backend::topology::Topology;
use crate::context::ledger::{Ledger, Standing};
use crate::error::{Error, Fault, Retry};
use crate::name::{GroupId, GroupName};
use crate::transaction::failpoint;
use crate::transaction::open::Shared;
use crate::transaction::protocol::{ANCHOR, Answer, Coordinator, Outcome, Step, Task};
use crate::transaction::record;
use crate::transaction::store::Store;
use crate::transaction::xid::BranchId;

/// Between two questions for a lost outcome.
const ASK_PAUSE: Duration = Duration::from_millis(100);

/// One group's connection with its part of the transaction; the anchor comes first.
#[derive(Debug)]
pub struct Party {
    pub group: GroupId,
    pub name: GroupName,
    pub lent: Lent,
    /// It may have changed rows, seen or unseen.
    pub wrote: bool,
    /// `None` for the anchor.
    pub branch: Option<BranchId>,
}

/// What a conclusion works with.
#[derive(Debug)]
pub struct Terms<'a> {
    pub shared: &'a Shared,
    pub topology: &'a Topology,
    pub ledger: &'a Arc<Ledger>,
    /// Of the commit table.
    pub database: &'a str,
    /// Of each step.
    pub step: Duration,
    /// Of asking for a lost outcome.
    pub outcome: Duration,
}

/// COMMIT.
///
/// # Errors
/// It was rolled back, with the server's reason; or nobody knows (`commit_outcome_unknown`).
pub async fn commit(parties: &mut [Party], terms: &Terms<'_>) -> Result<(), Error> {
    let wrote: Vec<bool> = parties.iter().map(|party| party.wrote).collect();
    let mut machine = Coordinator::commit(&wrote);
    let two_phase = machine.is_two_phase();
    failpoint::hit("commit.begin").await;
    let cause = run(&mut machine, parties, terms).await;
    for place in machine.owed() {
        // COM_RESET_CONNECTION on a connection that holds a prepared branch loses it on MariaDB: it is
        // listed no more, XA COMMIT by another is answered OK and does nothing.
        if let Some(party) = parties.get_mut(*place) {
            party.lent.condemn();
        }
    }
    let counters = &terms.ledger.counters;
    counters.left.fetch_add(machine.owed().len() as u64, Ordering::Relaxed);
    match machine.outcome() {
        Some(Outcome::Committed) => {
            if two_phase {
                counters.committed.fetch_add(1, Ordering::Relaxed);
                if machine.owed().is_empty() {
                    let anchor = parties.first().map(|party| party.name.clone());
                    let anchor = anchor.unwrap_or_else(|| GroupName::from(""));
                    let key = terms.shared.id.to_string();
                    terms.ledger.clear_later(anchor, key, prepared(parties));
                }
            }
            Ok(())
        }
        Some(Outcome::RolledBack) => {
            counters.aborted.fetch_add(1, Ordering::Relaxed);
            Err(rolled_back(cause))
        }
        Some(Outcome::Unknown) | None => {
            counters.unknown.fetch_add(1, Ordering::Relaxed);
            Err(unknown(cause, two_phase.then(|| terms.shared.id.to_string())))
        }
    }
}

/// ROLLBACK. It can't fail: what isn't reached rolls back when its connection ends.
pub async fn rollback(parties: &mut [Party], terms: &Terms<'_>) {
    let mut machine = Coordinator::rollback(parties.len());
    run(&mut machine, parties, terms).await;
}

/// Runs the machine to its end; the first error that a server or connection gave.
async fn run(machine: &mut Coordinator, parties: &mut [Party], terms: &Terms<'_>) -> Option<Error> {
    let mut cause = None;
    let mut asking = None;
    let mut decided = Instant::now();
    while !machine.is_over() {
        let round: Vec<Task> = machine.round().to_vec();
        match round.first().map(|task| task.step) {
            Some(Step::Ask) => {
                terms.shared.living.stands(Standing::Asking);
                let since = *asking.get_or_insert_with(Instant::now);
                failpoint::hit("ask.begin").await;
                let answer = ask(terms, parties).await;
                if answer != Answer::Lost {
                    failpoint::hit("ask.answered").await;
                }
                // A row that could have been cleared meanwhile proves nothing.
                let late = decided.elapsed() > terms.outcome + terms.step;
                let proof = !late || answer == Answer::Committed;
                machine.answered(ANCHOR, if proof { answer } else { Answer::Lost });
                if since.elapsed() >= terms.outcome || late {
                    machine.give_up();
                }
                if !machine.is_over() && answer == Answer::Lost {
                    tokio::time::sleep(ASK_PAUSE).await;
                }
                continue;
            }
            Some(Step::Commit) if machine.is_two_phase() => {
                failpoint::hit("commit.prepared").await;
                terms.shared.living.stands(Standing::Deciding);
                decided = Instant::now();
            }
            Some(Step::CommitPrepared) => {
                failpoint::hit("commit.decided").await;
                terms.shared.living.stands(Standing::Finishing);
            }
            Some(Step::Record) => terms.shared.living.stands(Standing::Preparing),
            _ => {}
        }
        for (task, (answer, error)) in do_all(&round, parties, terms).await {
            if task.step == Step::Record
                && let Some(Error { errno: 1049 | 1146, .. }) = &error
                && let Some(anchor) = parties.first()
            {
                // Somebody dropped the commit table: the next transaction makes it anew.
                let server = anchor.lent.node().spec.address.to_string();
                terms.ledger.forget_instance(&server);
            }
            cause = cause.or(error);
            machine.answered(task.member, answer);
        }
    }
    failpoint::hit("commit.over").await;
    cause
}

/// The groups whose branches are prepared.
fn prepared(parties: &[Party]) -> Vec<GroupName> {
    let branches = parties.iter().skip(1).filter(|party| party.wrote);
    branches.map(|party| party.name.clone()).collect()
}

/// All steps of a round at once, but for a failpoint behind the first one.
async fn do_all(
    round: &[Task],
    parties: &mut [Party],
    terms: &Terms<'_>,
) -> Vec<(Task, (Answer, Option<Error>))> {
    let between = match round.last().map(|task| task.step) {
        Some(Step::Prepare) => "prepare.first",
        Some(Step::CommitPrepared) => "commit.first",
        Some(Step::RollbackActive | Step::RollbackPrepared) => "rollback.first",
        _ => return do_round(round, parties, terms).await,
    };
    let Some((first, rest)) = round.split_at_checked(1).filter(|(_, rest)| !rest.is_empty()) else {
        return do_round(round, parties, terms).await;
    };
    if !failpoint::is_armed(between) {
        return do_round(round, parties, terms).await;
    }
    let mut done = do_round(first, parties, terms).await;
    failpoint::hit(between).await;
    done.extend(do_round(rest, parties, terms).await);
    done
}

/// These steps at once.
async fn do_round(
    round: &[Task],
    parties: &mut [Party],
    terms: &Terms<'_>,
) -> Vec<(Task, (Answer, Option<Error>))> {
    let members = prepared(parties);
    let todo = parties.iter_mut().enumerate().filter_map(|(place, party)| {
        let task = round.iter().find(|task| task.member == place)?;
        let sql = text(task.step, party, terms, &members);
        let work = do_step(party, task.step, sql, terms.step);
        Some((*task, Box::pin(work) as Pin<Box<dyn Future<Output = _> + Send + '_>>))
    });
    let (tasks, work): (Vec<Task>, Vec<_>) = todo.unzip();
    tasks.into_iter().zip(join(work).await).collect()
}

/// Drives all to their ends within this task.
pub(crate) async fn join<T>(work: Vec<Pin<Box<dyn Future<Output = T> + Send + '_>>>) -> Vec<T> {
    let mut done: Vec<Option<T>> = work.iter().map(|_| None).collect();
    let mut work: Vec<_> = work.into_iter().map(Some).collect();
    std::future::poll_fn(|context| {
        let mut finished = true;
        for (slot, result) in work.iter_mut().zip(&mut done) {
            let Some(future) = slot else { continue };
            match future.as_mut().poll(context) {
                Poll::Ready(value) => {
                    *result = Some(value);
                    *slot = None;
                }
                Poll::Pending => finished = false,
            }
        }
        if finished { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// What a step sends.
fn text(step: Step, party: &Party, terms: &Terms<'_>, members: &[GroupName]) -> String {
    let id = party.branch.as_ref().map(BranchId::literal).unwrap_or_default();
    match step {
        Step::Record => record::insert_commit(
            terms.database,
            &terms.shared.id,
            terms.shared.anchor_connection,
            members.iter().map(GroupName::as_str),
        ),
        Step::Commit => "COMMIT".to_owned(),
        Step::Rollback => "ROLLBACK".to_owned(),
        // The server stops at the first statement that fails.
        Step::Prepare => format!("XA END {id};XA PREPARE {id}"),
        Step::CommitOnePhase => format!("XA END {id};XA COMMIT {id} ONE PHASE"),
        Step::CommitPrepared => format!("XA COMMIT {id}"),
        Step::RollbackActive => format!("XA END {id};XA ROLLBACK {id}"),
        Step::RollbackPrepared => format!("XA ROLLBACK {id}"),
        Step::Ask => String::new(),
    }
}

async fn do_step(
    party: &mut Party,
    step: Step,
    sql: String,
    limit: Duration,
) -> (Answer, Option<Error>) {
    let lent = &mut party.lent;
    if !lent.is_in_step() {
        return (Answer::Lost, Some(lost(lent, "it had broken before")));
    }
    let work = async {
        // A group whose first statement never went out isn't open yet.
        lent.send_lead().await?;
        lent.simple(sql.as_bytes()).await
    };
    let mut outcome = tokio::time::timeout(limit, work).await;
    if step == Step::RollbackActive
        && matches!(outcome, Ok(Err(_)))
        && lent.is_in_step()
        && let Some(branch) = &party.branch
    {
        // After a deadlock XA END is refused, and XA ROLLBACK alone does it (mysql-traps 8).
        let sql = format!("XA ROLLBACK {}", branch.literal());
        outcome = tokio::time::timeout(limit, lent.simple(sql.as_bytes())).await;
    }
    match outcome {
        Ok(Ok(_)) => (Answer::Done, None),
        Ok(Err(error)) if lent.is_in_step() => {
            // What state the server's side is in is its secret: it ends with the connection. Before
            // the decision, the rollback that follows is still said over it.
            if !matches!(step, Step::Record | Step::Prepare) {
                lent.condemn();
            }
            (Answer::Refused, Some(error))
        }
        Ok(Err(error)) => (Answer::Lost, Some(error)),
        Err(_) => {
            lent.condemn();
            (Answer::Lost, Some(late(lent, limit)))
        }
    }
}

/// A server has not answered a step in its time.
pub(super) fn late(lent: &Lent, limit: Duration) -> Error {
    lost(lent, &format!("no answer within {} s (transactions.step)", limit.as_secs_f64()))
}

fn lost(lent: &Lent, why: &str) -> Error {
    crate::backend::fault::broken(lent.node(), why)
}

/// Asks the anchor's present primary. Where the anchor still holds its row, its connection is ended,
/// so that the next question is answered. Never before: the server may have started anew, and the id
/// may be somebody else's by now.
async fn ask(terms: &Terms<'_>, parties: &mut [Party]) -> Answer {
    let Some(anchor) = parties.first_mut() else { return Answer::Lost };
    anchor.lent.condemn();
    let Some(group) = terms.topology.by_name(&anchor.name) else { return Answer::Lost };
    let shared = terms.shared;
    if let Err(error) = group.vouches() {
        tracing::info!(id = %shared.id, %error, "the outcome of a COMMIT can't be asked for yet");
        return Answer::Lost;
    }
    let mut store = match Store::open(group, terms.database).await {
        Ok(store) => store,
        Err(error) => {
            tracing::info!(id = %shared.id, %error, "the outcome of a COMMIT can't be asked for yet");
            return Answer::Lost;
        }
    };
    // The table may be another server's than the one that the transaction began on.
    let answer = match store.instance_now().await {
        Ok(Some(instance)) if instance == shared.instance => {
            let asked = store.ask(&shared.id, shared.anchor_connection).await;
            asked.unwrap_or_else(|error| {
                tracing::info!(id = %shared.id, %error, "no verdict on a transaction yet");
                Answer::Lost
            })
        }
        _ => Answer::Lost,
    };
    if answer == Answer::Lost
        && Arc::ptr_eq(store.node(), anchor.lent.node())
        && let Err(error) = store.kill(shared.anchor_connection).await
    {
        tracing::info!(id = %shared.id, %error, "the anchor's connection was not ended");
    }
    store.close().await;
    answer
}

fn rolled_back(cause: Option<Error>) -> Error {
    let Some(cause) = cause else {
        return Error::new(
            Fault::Backend,
            1180,
            b"40000",
            "commit_rolled_back",
            "COMMIT failed; the transaction was rolled back in all its groups",
        );
    };
    let text = format!(
        "{} (COMMIT failed; the transaction was rolled back in all its groups)",
        cause.message
    );
    if cause.fault == Fault::Backend {
        return Error { message: text, fatal: false, ..cause };
    }
    Error::new(Fault::Backend, 1180, b"40000", "commit_rolled_back", text).retry(Retry::Safe)
}

/// The error for a COMMIT of which nobody knows what became.
pub fn unknown(cause: Option<Error>, id: Option<String>) -> Error {
    let mut text = match cause {
        Some(cause) => format!("The answer to COMMIT was lost ({})", cause.message),
        None => "The answer to COMMIT was lost".to_owned(),
    };
    text.push_str(": whether the transaction was committed is unknown; look before you repeat it");
    if let Some(id) = id {
        let _ = write!(text, ". Its id is {id}: `weir xa list` shows what is left of it");
    }
    Error::new(Fault::Unavailable, 2013, b"08S01", "commit_outcome_unknown", text)
}
