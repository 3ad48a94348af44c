//! Every interleaving of one commit over three groups: a coordinator that may crash or lose any
//! connection at any moment, members that wrote and members that only read, commands that are executed after their sender gave them up, two
//! recoverers, KILLs, and cleaning of rows.
//!
//! Owns: the world that the machine is tried in, searched whole. What must hold in each state: no
//! half applied transaction, no answer that lied, and nothing left prepared once nothing can happen
//! any more. The same search finds each of the mistakes in [`Flaw`], so it can fail.

use std::collections::{HashSet, VecDeque};

use super::*;

/// A mistake built into the world, which the search must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// Recovery reads the commit row instead of inserting an abort row.
    ReadsTheRow,
    /// The commit row goes while a branch is still prepared.
    CommitRowCleanedEarly,
    /// The commit row goes while its coordinator may still ask what became of its COMMIT.
    CommitRowShortLived,
    /// The abort row goes while the anchor's connection lives.
    AbortRowCleanedEarly,
    /// COMMIT is sent behind the insert without waiting: it runs though the insert failed.
    CommitPipelined,
    /// An error of COMMIT is taken for a rollback.
    RefusalTrusted,
    /// What stored code wrote unseen is committed while the others are prepared.
    UnseenCommitted,
    /// The same is rolled back, as if that member had only read.
    UnseenForgotten,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Trx {
    Open,
    /// Of the anchor: the commit row is inserted and locked.
    Recorded,
    Prepared,
    Committed,
    RolledBack,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Row {
    None,
    Commit,
    Abort,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Recoverer {
    Idle,
    /// Has seen this branch in XA RECOVER.
    Seen(usize),
    Resolving(usize, Step),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    /// Which members wrote, and which of them the coordinator takes for writers.
    wrote: [bool; 3],
    known: [bool; 3],
    /// `None` once it crashed or told its client.
    coordinator: Option<Coordinator>,
    told: Option<Outcome>,
    row: Row,
    trx: [Trx; 3],
    /// The server's side of each member's connection.
    connected: [bool; 3],
    /// The coordinator's side.
    trusted: [bool; 3],
    /// Sent, not executed yet.
    pending: Vec<(usize, Step)>,
    /// Executed, the answer is on its way.
    replies: Vec<(usize, Answer)>,
    recoverers: [Recoverer; 2],
}

impl World {
    fn start(wrote: [bool; 3], known: [bool; 3]) -> World {
        let mut world = World {
            wrote,
            known,
            coordinator: Some(Coordinator::commit(&known)),
            told: None,
            row: Row::None,
            trx: [Trx::Open; 3],
            connected: [true; 3],
            trusted: [true; 3],
            pending: Vec::new(),
            replies: Vec::new(),
            recoverers: [Recoverer::Idle; 2],
        };
        world.send();
        world
    }

    fn round(&self) -> Vec<(usize, Step)> {
        let machine = self.coordinator.iter();
        machine.flat_map(|machine| machine.round()).map(|task| (task.member, task.step)).collect()
    }

    /// Sends the present round.
    fn send(&mut self) {
        self.replies.clear();
        for sent in self.round() {
            // An insert of the abort row that was given up and one more are as good as one.
            if !self.pending.contains(&sent) {
                self.pending.push(sent);
            }
        }
        self.pending.sort_by_key(|(member, step)| (*member, *step as u8));
    }

    /// Equal but for the numbering of the recoverers, or for what nobody looks at any more.
    fn canonical(mut self) -> World {
        if self.coordinator.is_none() {
            self.trusted = [false; 3];
            self.replies.clear();
        }
        self.recoverers.sort_by_key(|recoverer| match recoverer {
            Recoverer::Idle => (0, 0, 0),
            Recoverer::Seen(branch) => (1, *branch, 0),
            Recoverer::Resolving(branch, step) => (2, *branch, *step as u8),
        });
        self
    }

    fn answer(&mut self, flaw: Flaw, member: usize, answer: Answer) {
        let before = self.round();
        let Some(machine) = &mut self.coordinator else { return };
        if flaw == Flaw::RefusalTrusted
            && before == [(0, Step::Commit)]
            && answer == Answer::Refused
        {
            self.told = Some(Outcome::RolledBack);
            self.coordinator = None;
            return;
        }
        machine.answered(member, answer);
        self.told = self.told.or(machine.outcome());
        if machine.is_over() {
            self.coordinator = None;
        } else if self.round() != before || before == [(0, Step::Ask)] {
            self.send();
        }
    }

    /// The server runs a command; the replies that it may give.
    fn execute(&mut self, flaw: Flaw, member: usize, step: Step) -> Vec<Answer> {
        if step == Step::Ask {
            return vec![self.ask(flaw)];
        }
        if !self.connected[member] {
            return vec![];
        }
        let trx = &mut self.trx[member];
        let (next, replies): (Trx, Vec<Answer>) = match (step, *trx) {
            (Step::Record, Trx::Open) => match self.row {
                Row::None => (Trx::Recorded, vec![Answer::Done]),
                _ if flaw == Flaw::CommitPipelined => (Trx::Committed, vec![Answer::Refused]),
                _ => (Trx::Open, vec![Answer::Refused]),
            },
            (Step::Commit, Trx::Recorded) => {
                self.row = Row::Commit;
                // A COMMIT that was done may be answered by an error.
                (Trx::Committed, vec![Answer::Done, Answer::Refused])
            }
            // In one phase the server's word is taken: it says no only where it rolled back.
            (Step::Commit | Step::CommitOnePhase, Trx::Open) => {
                (Trx::Committed, vec![Answer::Done])
            }
            (Step::RollbackActive, Trx::Open) if flaw == Flaw::UnseenCommitted => {
                (Trx::Committed, vec![Answer::Done])
            }
            (Step::RollbackActive, Trx::Open) => (Trx::RolledBack, vec![Answer::Done]),
            (Step::Rollback, Trx::Open | Trx::Recorded) => (Trx::RolledBack, vec![Answer::Done]),
            (Step::Prepare, Trx::Open) => (Trx::Prepared, vec![Answer::Done]),
            (Step::CommitPrepared, Trx::Prepared) => (Trx::Committed, vec![Answer::Done]),
            (Step::RollbackPrepared, Trx::Prepared) => (Trx::RolledBack, vec![Answer::Done]),
            (_, trx) => (trx, vec![Answer::Refused]),
        };
        *trx = next;
        replies
    }

    /// The insert of the abort row; no verdict while the anchor holds its row.
    fn ask(&mut self, flaw: Flaw) -> Answer {
        match self.row {
            Row::Commit => Answer::Committed,
            Row::Abort => Answer::RolledBack,
            Row::None if flaw == Flaw::ReadsTheRow => Answer::RolledBack,
            Row::None if self.trx[ANCHOR] == Trx::Recorded => Answer::Lost,
            Row::None => {
                self.row = Row::Abort;
                Answer::RolledBack
            }
        }
    }

    /// The server closes a member's connection.
    fn disconnect(&mut self, member: usize) {
        self.connected[member] = false;
        self.pending.retain(|(of, step)| *of != member || *step == Step::Ask);
        if matches!(self.trx[member], Trx::Open | Trx::Recorded) {
            self.trx[member] = Trx::RolledBack;
        }
    }

    /// All that can happen next.
    fn next(&self, flaw: Flaw) -> Vec<World> {
        let mut found = Vec::new();
        self.coordinator_steps(flaw, &mut found);
        for place in 0..self.pending.len() {
            let mut world = self.clone();
            let (member, step) = world.pending.remove(place);
            let answers = world.execute(flaw, member, step);
            // The coordinator hears of what it still waits for over a connection that it trusts.
            let heard = world.trusted[member] || step == Step::Ask;
            let waits = world.round().contains(&(member, step));
            if !heard || !waits || answers.is_empty() {
                found.push(world);
                continue;
            }
            for answer in answers {
                let mut world = world.clone();
                world.replies.push((member, answer));
                world.replies.sort_by_key(|(member, answer)| (*member, *answer as u8));
                found.push(world);
            }
        }
        // A KILL, or the server notices that nobody is there. Where nothing hangs on a branch's
        // connection, its end changes nothing.
        let matters = |member: &usize| {
            let busy = self.pending.iter().any(|(of, _)| of == member);
            self.connected[*member] && (busy || *member == ANCHOR || self.trx[*member] == Trx::Open)
        };
        for member in (0..3).filter(matters) {
            let mut world = self.clone();
            world.disconnect(member);
            found.push(world);
        }
        self.recovery_steps(flaw, &mut found);
        self.cleaning(flaw, &mut found);
        found
    }

    fn coordinator_steps(&self, flaw: Flaw, found: &mut Vec<World>) {
        let Some(machine) = &self.coordinator else { return };
        let mut crashed = self.clone();
        crashed.coordinator = None;
        crashed.trusted = [false; 3];
        crashed.replies.clear();
        found.push(crashed);
        for place in 0..self.replies.len() {
            let mut world = self.clone();
            let (member, answer) = world.replies.remove(place);
            world.answer(flaw, member, answer);
            found.push(world);
        }
        for task in machine.round().iter().filter(|task| task.answer.is_none()) {
            // The connection is cut, in either direction: what was sent may still be executed.
            let mut world = self.clone();
            world.replies.retain(|(member, _)| *member != task.member);
            if task.step != Step::Ask {
                world.trusted[task.member] = false;
            }
            world.answer(flaw, task.member, Answer::Lost);
            found.push(world);
        }
        let mut tired = self.clone();
        if let Some(machine) = &mut tired.coordinator {
            machine.give_up();
            if machine.is_over() {
                tired.told = tired.told.or(machine.outcome());
                tired.coordinator = None;
                found.push(tired);
            }
        }
    }

    fn recovery_steps(&self, flaw: Flaw, found: &mut Vec<World>) {
        for place in 0..self.recoverers.len() {
            match self.recoverers[place] {
                Recoverer::Idle => {
                    for branch in (1..3).filter(|branch| self.trx[*branch] == Trx::Prepared) {
                        let mut world = self.clone();
                        world.recoverers[place] = Recoverer::Seen(branch);
                        found.push(world);
                    }
                }
                Recoverer::Seen(branch) => {
                    let mut world = self.clone();
                    let answer = world.ask(flaw);
                    if let Some(step) = resolution(answer) {
                        world.recoverers[place] = Recoverer::Resolving(branch, step);
                        found.push(world);
                    }
                }
                Recoverer::Resolving(branch, step) => {
                    let mut world = self.clone();
                    world.recoverers[place] = Recoverer::Idle;
                    if world.trx[branch] == Trx::Prepared {
                        let committed = step == Step::CommitPrepared;
                        world.trx[branch] =
                            if committed { Trx::Committed } else { Trx::RolledBack };
                    }
                    found.push(world);
                }
            }
        }
    }

    fn cleaning(&self, flaw: Flaw, found: &mut Vec<World>) {
        let resolved = !self.trx[1..].contains(&Trx::Prepared);
        let may = match self.row {
            Row::None => false,
            Row::Commit if flaw == Flaw::CommitRowCleanedEarly => true,
            // Rows outlive the time in which a coordinator may ask for its own outcome.
            Row::Commit => {
                resolved && (self.coordinator.is_none() || flaw == Flaw::CommitRowShortLived)
            }
            Row::Abort => !self.connected[ANCHOR] || flaw == Flaw::AbortRowCleanedEarly,
        };
        if may {
            let mut world = self.clone();
            world.row = Row::None;
            found.push(world);
        }
    }

    /// Whether the transaction is committed, by the one that decides: the anchor where several members
    /// wrote, the only writer otherwise.
    fn is_decided(&self) -> bool {
        let writers: Vec<usize> = (0..3).filter(|member| self.known[*member]).collect();
        match writers.as_slice() {
            [] => true,
            [only] => self.trx[*only] == Trx::Committed,
            _ => self.trx[ANCHOR] == Trx::Committed,
        }
    }

    /// What must never be.
    fn violation(&self) -> Option<&'static str> {
        let decided = self.is_decided();
        let mut writers =
            (0..3).filter(|member| self.wrote[*member]).map(|member| self.trx[member]);
        if !decided && writers.clone().any(|trx| trx == Trx::Committed) {
            return Some("a member committed without the decision");
        }
        if decided && writers.any(|trx| matches!(trx, Trx::RolledBack | Trx::Open)) {
            return Some("the decision stands without a member");
        }
        match self.told {
            Some(Outcome::Committed) if !decided => Some("OK without a commit"),
            Some(Outcome::RolledBack) if decided => Some("an error for what was committed"),
            _ => None,
        }
    }
}

/// Many times what there is; a world that grows without bound fails rather than runs on.
const STATES_MAX: usize = 2_000_000;

/// Searches every state from here on; the first violation, and how many states there are.
fn search(flaw: Flaw, start: World) -> (Option<&'static str>, usize) {
    let mut seen = HashSet::from([start.clone()]);
    let mut queue = VecDeque::from([start]);
    while let Some(world) = queue.pop_front() {
        assert!(seen.len() < STATES_MAX, "the world grows without bound");
        if let Some(violation) = world.violation() {
            return (Some(violation), seen.len());
        }
        let next = world.next(flaw);
        if next.is_empty() && world.trx.contains(&Trx::Prepared) {
            return (Some("a branch is left prepared"), seen.len());
        }
        for world in next.into_iter().map(World::canonical) {
            if seen.insert(world.clone()) {
                queue.push_back(world);
            }
        }
    }
    (None, seen.len())
}

/// Who wrote; the branches are alike.
const WRITERS: [[bool; 3]; 6] = [
    [true, true, true],
    [false, true, true],
    [true, true, false],
    [true, false, false],
    [false, true, false],
    [false, false, false],
];

#[test]
fn no_interleaving_half_applies_or_lies() {
    for wrote in WRITERS {
        let (violation, states) = search(Flaw::None, World::start(wrote, wrote));
        assert_eq!(violation, None, "{wrote:?}");
        // A search that sees little proves little.
        let several = wrote.iter().filter(|wrote| **wrote).count() > 1;
        assert!(states > if several { 2_000 } else { 100 }, "{wrote:?}: {states} states");
        println!("{wrote:?}: {states} states");
    }
}

#[test]
fn the_search_finds_every_mistake() {
    let all = [true; 3];
    for (flaw, known) in [
        (Flaw::ReadsTheRow, all),
        (Flaw::CommitRowCleanedEarly, all),
        (Flaw::CommitRowShortLived, all),
        (Flaw::AbortRowCleanedEarly, all),
        (Flaw::CommitPipelined, all),
        (Flaw::RefusalTrusted, all),
        (Flaw::UnseenCommitted, [true, true, false]),
        (Flaw::UnseenForgotten, [true, true, false]),
        // One known writer, and an anchor or a branch that wrote unseen.
        (Flaw::UnseenCommitted, [false, true, false]),
        (Flaw::UnseenCommitted, [true, false, false]),
    ] {
        let (violation, states) = search(flaw, World::start(all, known));
        assert!(violation.is_some(), "{flaw:?} of {known:?} was not found in {states} states");
        println!("{flaw:?} {known:?}: {violation:?} after {states} states");
    }
}
