//! `transactions: best_effort`: each group commits for itself, one after the other.
//!
//! Owns: the order, and the error that says what was done where one fails between. Never: promises
//! more than that.

use std::time::Duration;

use crate::error::{Error, Fault, Retry};
use crate::transaction::conclude::{self, Party};

/// COMMIT on each group that wrote; the first failure, or no answer within `step`, rolls back what
/// follows. Groups that only read come last, and can't make it fail.
///
/// # Errors
/// The server's own where nothing was committed; otherwise `commit_partial`.
pub async fn commit(parties: &mut [Party], step: Duration) -> Result<(), Error> {
    let mut done: Vec<String> = Vec::new();
    let mut failure: Option<(Error, String, bool)> = None;
    for party in parties.iter_mut().filter(|party| party.wrote) {
        let title = party.lent.node().title();
        if failure.is_some() {
            undo(party, step).await;
            continue;
        }
        match said(party, b"COMMIT", step).await {
            Ok(_) => done.push(title),
            Err(error) => {
                let lost = !party.lent.is_in_step();
                party.lent.condemn();
                failure = Some((error, title, lost));
            }
        }
    }
    for party in parties.iter_mut().filter(|party| !party.wrote) {
        undo(party, step).await;
    }
    let Some((error, title, lost)) = failure else { return Ok(()) };
    if done.is_empty() && lost {
        return Err(conclude::unknown(Some(error), None));
    }
    if done.is_empty() {
        return Err(Error { fatal: false, ..error });
    }
    let there = if lost { "perhaps on" } else { "not on" };
    let text = format!(
        "The transaction was committed on {}, {there} {title}, and not on what follows it: {} \
         (transactions: best_effort)",
        done.join(", "),
        error.message
    );
    let partial = Error::new(Fault::Backend, 1180, b"40000", "commit_partial", text);
    Err(partial.retry(Retry::Unknown))
}

/// ROLLBACK on each group.
pub async fn rollback(parties: &mut [Party], step: Duration) {
    for party in parties {
        undo(party, step).await;
    }
}

async fn undo(party: &mut Party, step: Duration) {
    if !party.lent.is_in_step() || said(party, b"ROLLBACK", step).await.is_err() {
        party.lent.condemn();
    }
}

async fn said(party: &mut Party, word: &[u8], step: Duration) -> Result<(), Error> {
    let work = async {
        party.lent.send_lead().await?;
        party.lent.simple(word).await.map(drop)
    };
    match tokio::time::timeout(step, work).await {
        Ok(outcome) => outcome,
        Err(_) => {
            // Its answer would be taken for the next one's.
            party.lent.condemn();
            Err(conclude::late(&party.lent, step))
        }
    }
}
