//! Several dialogues at once, in one task.
//!
//! Owns: driving the futures of a statement's lanes, and stopping the others when one has failed.
//! Never: spawns a task, or leaves one half done unless it was given up.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use crate::backend::kill::{KillHandle, Scope};
use crate::error::{Error, Result};

/// How long the others may take to notice that they were stopped.
pub const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// How long the others go on before they are stopped.
const GRACE: Duration = Duration::from_millis(20);

/// MySQL's ER_QUERY_INTERRUPTED, what a killed statement ends in.
const INTERRUPTED: u16 = 1317;

/// One lane's dialogue.
pub type Work<'w, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'w>>;

/// What each future came to, in their order; `None` for one that was given up.
pub type Outcomes<T> = Vec<Option<Result<T>>>;

/// Drives all to their ends. Once one fails, the others' statements are stopped by KILL QUERY unless they end soon, and
/// are driven on to the answer that ends them, so that their connections stay in step; one that
/// takes longer than [`STOP_PATIENCE`] is given up.
///
/// `handles` are those of the futures' connections, in the same order.
pub async fn run_all<T>(work: Vec<Work<'_, T>>, handles: &[KillHandle]) -> Outcomes<T> {
    let mut group = Group::of(work);
    if !group.run_until_failure().await {
        return group.outcomes;
    }
    // What one server refuses, the others mostly refuse as well, in less time than a KILL takes.
    if tokio::time::timeout(GRACE, group.run_to_the_end()).await.is_ok() {
        return group.outcomes;
    }
    let rest = group.unfinished();
    let kills = rest.iter().filter_map(|&place| handles.get(place)).map(kill).collect();
    let mut kills = Group::of(kills);
    let stopped = async {
        tokio::join!(kills.run_to_the_end(), group.run_to_the_end());
    };
    // One that is given up leaves its connection out of step, which closes it.
    let _ = tokio::time::timeout(STOP_PATIENCE, stopped).await;
    group.outcomes
}

/// All results, or the failure to tell: the first in the order of the lanes that isn't only the
/// consequence of being stopped for another one.
///
/// # Errors
/// That failure.
pub fn first_error<T>(outcomes: Outcomes<T>) -> Result<Vec<T>> {
    let mut results = Vec::with_capacity(outcomes.len());
    let mut failure: Option<Error> = None;
    let mut given_up = false;
    for outcome in outcomes {
        match outcome {
            Some(Ok(result)) => results.push(result),
            Some(Err(error)) => match &failure {
                Some(earlier) if earlier.errno != INTERRUPTED || error.errno == INTERRUPTED => {}
                _ => failure = Some(error),
            },
            None => given_up = true,
        }
    }
    match failure {
        Some(error) => Err(error),
        None if given_up => Err(Error::internal("a lane was given up without a failure")),
        None => Ok(results),
    }
}

fn kill(handle: &KillHandle) -> Work<'_, ()> {
    Box::pin(async move { handle.kill(Scope::Query).await.map(drop) })
}

/// Futures and what became of them.
struct Group<'w, T> {
    work: Vec<Option<Work<'w, T>>>,
    outcomes: Outcomes<T>,
    failed: bool,
}

impl<'w, T> Group<'w, T> {
    fn of(work: Vec<Work<'w, T>>) -> Self {
        let outcomes = work.iter().map(|_| None).collect();
        Group { work: work.into_iter().map(Some).collect(), outcomes, failed: false }
    }

    fn unfinished(&self) -> Vec<usize> {
        (0..self.work.len()).filter(|place| self.work[*place].is_some()).collect()
    }

    /// True where one failed and others aren't finished.
    async fn run_until_failure(&mut self) -> bool {
        poll_fn(|context| {
            let finished = self.poll_each(context);
            if finished || self.failed { Poll::Ready(!finished) } else { Poll::Pending }
        })
        .await
    }

    async fn run_to_the_end(&mut self) {
        poll_fn(|context| if self.poll_each(context) { Poll::Ready(()) } else { Poll::Pending })
            .await;
    }

    /// Polls what isn't finished: true where nothing is left. There are as many futures as a
    /// statement has connections, so that polling all of them on each wake-up costs little.
    fn poll_each(&mut self, context: &mut std::task::Context<'_>) -> bool {
        let mut finished = true;
        for (slot, outcome) in self.work.iter_mut().zip(&mut self.outcomes) {
            let Some(work) = slot else { continue };
            match work.as_mut().poll(context) {
                Poll::Pending => finished = false,
                Poll::Ready(result) => {
                    self.failed |= result.is_err();
                    *outcome = Some(result);
                    *slot = None;
                }
            }
        }
        finished
    }
}
