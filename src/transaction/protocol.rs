//! The commit of a transaction over several groups, as a pure machine: answers go in, the next
//! steps come out.
//!
//! Owns: which step follows which answer, and when the outcome is known. Never: sends a statement,
//! knows a group's name, or looks at a clock (the caller says when it gives up asking).
//!
//! Member 0 is the anchor, the first group that was touched, in a plain transaction; the others are
//! XA branches. The steps of a round may be done in any order or at once; the next round follows
//! once each has an [`Answer`].
//!
//! With more than one writing group: *prepare* (the commit row into the anchor, inside of its own
//! transaction, and every writing branch prepared; branches that only read are rolled back), then
//! *decide* (the anchor's COMMIT), then *finish*. Where the answer of the decision is missing, it is
//! asked by the insert of an abort row with the commit row's key, never by a read: a read finds
//! nothing while the anchor is still inside of its COMMIT (mysql-traps 5).

use smallvec::SmallVec;

/// The anchor's place among the members.
pub const ANCHOR: usize = 0;

/// One statement, or two that the server runs as one, for one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The anchor: the commit row, inside of the transaction.
    Record,
    /// The anchor: COMMIT.
    Commit,
    /// The anchor: ROLLBACK.
    Rollback,
    /// A branch: XA END and XA PREPARE.
    Prepare,
    /// A branch, the only writer: XA END and XA COMMIT … ONE PHASE.
    CommitOnePhase,
    /// A prepared branch: XA COMMIT.
    CommitPrepared,
    /// A branch that isn't prepared: XA END and XA ROLLBACK.
    RollbackActive,
    /// A branch that may be prepared: XA ROLLBACK.
    RollbackPrepared,
    /// On another connection to the anchor's group: the insert of the abort row.
    Ask,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    Done,
    /// The server answered with an error: it was not done. (Not to be trusted for [`Step::Commit`].)
    Refused,
    /// No answer came: it may have been done, or may still be done later.
    Lost,
    /// [`Step::Ask`]: the commit row stands.
    Committed,
    /// [`Step::Ask`]: the abort row stands, by this insert or an earlier one.
    RolledBack,
}

/// What the client may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Committed,
    RolledBack,
    /// Nobody knows now; recovery will, where there is a commit row.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    OnePhase,
    Prepare,
    Decide,
    Ask,
    Finish,
    Over,
}

/// A step of the present round and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Task {
    pub member: usize,
    pub step: Step,
    pub answer: Option<Answer>,
}

/// One transaction's commit or rollback.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coordinator {
    phase: Phase,
    /// Which members wrote; as many as there are members.
    wrote: SmallVec<[bool; 4]>,
    round: SmallVec<[Task; 4]>,
    outcome: Option<Outcome>,
    /// Branches that may be left prepared: recovery's.
    owed: SmallVec<[usize; 2]>,
}

impl Coordinator {
    /// COMMIT of a transaction over these members; `wrote[0]` is the anchor's. Whatever may have written
    /// counts: one that isn't told of is rolled back.
    pub fn commit(wrote: &[bool]) -> Self {
        let mut machine = Coordinator {
            phase: Phase::Prepare,
            wrote: SmallVec::from_slice(wrote),
            round: SmallVec::new(),
            outcome: None,
            owed: SmallVec::new(),
        };
        if wrote.iter().filter(|wrote| **wrote).count() <= 1 {
            machine.phase = Phase::OnePhase;
            machine.round = machine.each(Step::Commit, Step::CommitOnePhase);
        } else {
            machine.round = machine.each(Step::Record, Step::Prepare);
        }
        machine
    }

    /// ROLLBACK of a transaction over so many members.
    pub fn rollback(members: usize) -> Self {
        let mut machine = Coordinator {
            phase: Phase::Finish,
            wrote: SmallVec::from_elem(false, members),
            round: SmallVec::new(),
            outcome: Some(Outcome::RolledBack),
            owed: SmallVec::new(),
        };
        machine.round = machine.each(Step::Rollback, Step::RollbackActive);
        machine
    }

    /// The present round. Tasks without an answer are to be done.
    pub fn round(&self) -> &[Task] {
        &self.round
    }

    /// Whether a commit row is or may be written, so that the transaction has an id to look up.
    pub fn is_two_phase(&self) -> bool {
        self.phase != Phase::OnePhase && self.writers() > 1
    }

    /// Takes an answer; the last one of a round opens the next.
    pub fn answered(&mut self, member: usize, answer: Answer) {
        let open = |task: &&mut Task| task.member == member && task.answer.is_none();
        if let Some(task) = self.round.iter_mut().find(open) {
            task.answer = Some(answer);
        }
        if self.round.iter().all(|task| task.answer.is_some()) {
            self.advance();
        }
    }

    /// Nobody goes on asking: the deadline passed.
    pub fn give_up(&mut self) {
        if self.phase == Phase::Ask {
            self.outcome = Some(Outcome::Unknown);
            self.owed = self.prepared();
            self.end();
        }
    }

    /// Known before the last round where the decision has been made.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Branches that recovery has to resolve, once all is over.
    pub fn owed(&self) -> &[usize] {
        &self.owed
    }

    fn writers(&self) -> usize {
        self.wrote.iter().filter(|wrote| **wrote).count()
    }

    /// The writing branches.
    fn prepared(&self) -> SmallVec<[usize; 2]> {
        (1..self.wrote.len()).filter(|place| self.wrote[*place]).collect()
    }

    /// A round over all members: `anchor` for the anchor, `branch` for branches that wrote.
    fn each(&self, anchor: Step, branch: Step) -> SmallVec<[Task; 4]> {
        let step = |place: usize| match (place, self.wrote.get(place)) {
            (ANCHOR, _) => anchor,
            (_, Some(true)) => branch,
            _ => Step::RollbackActive,
        };
        (0..self.wrote.len()).map(|member| task(member, step(member))).collect()
    }

    fn end(&mut self) {
        self.phase = Phase::Over;
        self.round.clear();
    }

    fn advance(&mut self) {
        match self.phase {
            Phase::OnePhase => self.one_phase_over(),
            Phase::Prepare => self.prepare_over(),
            Phase::Decide => match self.round.first().and_then(|task| task.answer) {
                Some(Answer::Done) => self.finish(Outcome::Committed),
                // An error of COMMIT doesn't say that nothing was committed.
                _ => self.ask(),
            },
            Phase::Ask => match self.round.first().and_then(|task| task.answer) {
                Some(Answer::Committed) => self.finish(Outcome::Committed),
                Some(Answer::RolledBack) => self.finish(Outcome::RolledBack),
                // 1205, 1213, no connection: no verdict.
                _ => self.ask(),
            },
            Phase::Finish => {
                let failed = |task: &&Task| {
                    let may_be_prepared =
                        matches!(task.step, Step::CommitPrepared | Step::RollbackPrepared);
                    may_be_prepared && task.answer != Some(Answer::Done)
                };
                self.owed.extend(self.round.iter().filter(failed).map(|task| task.member));
                self.end();
            }
            Phase::Over => {}
        }
    }

    fn one_phase_over(&mut self) {
        let writer = self.wrote.iter().position(|wrote| *wrote);
        let answer = match writer {
            Some(writer) => self.round.iter().find(|task| task.member == writer),
            // What nobody wrote can't be lost.
            None => None,
        };
        self.outcome = Some(match answer.and_then(|task| task.answer) {
            None | Some(Answer::Done) => Outcome::Committed,
            Some(Answer::Refused) => Outcome::RolledBack,
            Some(_) => Outcome::Unknown,
        });
        self.end();
    }

    fn prepare_over(&mut self) {
        let matters = |task: &&Task| matches!(task.step, Step::Record | Step::Prepare);
        let good = |task: &Task| task.answer == Some(Answer::Done);
        if self.round.iter().filter(matters).all(good) {
            self.phase = Phase::Decide;
            self.round = SmallVec::from_slice(&[task(ANCHOR, Step::Commit)]);
            return;
        }
        // COMMIT was never sent to the anchor: it can't commit any more.
        self.outcome = Some(Outcome::RolledBack);
        self.phase = Phase::Finish;
        let mut round = SmallVec::new();
        for before in &self.round {
            match (before.step, before.answer) {
                (Step::Record, Some(Answer::Lost)) => {}
                (Step::Record, _) => round.push(task(ANCHOR, Step::Rollback)),
                (Step::Prepare, Some(Answer::Lost)) => self.owed.push(before.member),
                (Step::Prepare, _) => round.push(task(before.member, Step::RollbackPrepared)),
                _ => {}
            }
        }
        self.round = round;
        if self.round.is_empty() {
            self.end();
        }
    }

    fn ask(&mut self) {
        self.phase = Phase::Ask;
        self.round = SmallVec::from_slice(&[task(ANCHOR, Step::Ask)]);
    }

    fn finish(&mut self, outcome: Outcome) {
        let step = match outcome {
            Outcome::Committed => Step::CommitPrepared,
            _ => Step::RollbackPrepared,
        };
        self.outcome = Some(outcome);
        self.phase = Phase::Finish;
        self.round = self.prepared().into_iter().map(|member| task(member, step)).collect();
        if self.round.is_empty() {
            self.end();
        }
    }
}

/// What recovery does with a prepared branch after it asked the anchor; `None`: no verdict, ask
/// again later.
pub fn resolution(answer: Answer) -> Option<Step> {
    match answer {
        Answer::Committed => Some(Step::CommitPrepared),
        Answer::RolledBack => Some(Step::RollbackPrepared),
        Answer::Done | Answer::Refused | Answer::Lost => None,
    }
}

fn task(member: usize, step: Step) -> Task {
    Task { member, step, answer: None }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
