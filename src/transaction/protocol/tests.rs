//! The machine's rounds, one by one.

use super::*;

fn steps(machine: &Coordinator) -> Vec<(usize, Step)> {
    machine.round().iter().map(|task| (task.member, task.step)).collect()
}

fn all(machine: &mut Coordinator, answer: Answer) {
    for (member, _) in steps(machine) {
        machine.answered(member, answer);
    }
}

#[test]
fn one_writer_commits_in_one_phase_and_readers_are_rolled_back() {
    let mut machine = Coordinator::commit(&[true, false]);
    assert_eq!(steps(&machine), [(0, Step::Commit), (1, Step::RollbackActive)]);
    assert!(!machine.is_two_phase());
    all(&mut machine, Answer::Done);
    assert_eq!((machine.outcome(), machine.is_over()), (Some(Outcome::Committed), true));

    let mut machine = Coordinator::commit(&[false, false, true]);
    assert_eq!(
        steps(&machine),
        [(0, Step::Commit), (1, Step::RollbackActive), (2, Step::CommitOnePhase)]
    );
    machine.answered(0, Answer::Done);
    machine.answered(1, Answer::Lost);
    machine.answered(2, Answer::Lost);
    assert_eq!(machine.outcome(), Some(Outcome::Unknown));

    let mut machine = Coordinator::commit(&[true]);
    machine.answered(0, Answer::Refused);
    assert_eq!(machine.outcome(), Some(Outcome::RolledBack));
}

#[test]
fn two_writers_prepare_decide_and_finish() {
    // The anchor only read: it carries the decision all the same.
    let mut machine = Coordinator::commit(&[false, true, false, true]);
    assert!(machine.is_two_phase());
    assert_eq!(
        steps(&machine),
        [(0, Step::Record), (1, Step::Prepare), (2, Step::RollbackActive), (3, Step::Prepare)]
    );
    machine.answered(2, Answer::Refused);
    for member in [3, 0, 1] {
        assert_eq!(machine.outcome(), None);
        machine.answered(member, Answer::Done);
    }
    assert_eq!(steps(&machine), [(0, Step::Commit)]);
    machine.answered(0, Answer::Done);
    assert_eq!(machine.outcome(), Some(Outcome::Committed));
    assert_eq!(steps(&machine), [(1, Step::CommitPrepared), (3, Step::CommitPrepared)]);
    machine.answered(1, Answer::Done);
    machine.answered(3, Answer::Lost);
    assert!(machine.is_over());
    assert_eq!(machine.owed(), [3]);
}

#[test]
fn a_failed_prepare_rolls_all_back() {
    let mut machine = Coordinator::commit(&[true, true, true, true]);
    machine.answered(0, Answer::Done);
    machine.answered(1, Answer::Done);
    machine.answered(2, Answer::Refused);
    machine.answered(3, Answer::Lost);
    assert_eq!(machine.outcome(), Some(Outcome::RolledBack));
    let rest = [(0, Step::Rollback), (1, Step::RollbackPrepared), (2, Step::RollbackPrepared)];
    assert_eq!(steps(&machine), rest);
    all(&mut machine, Answer::Done);
    assert_eq!(machine.owed(), [3]);
}

#[test]
fn a_missing_decision_is_asked_for_until_somebody_gives_up() {
    for answer in [Answer::Lost, Answer::Refused] {
        let mut machine = Coordinator::commit(&[true, true]);
        all(&mut machine, Answer::Done);
        machine.answered(0, answer);
        assert_eq!((steps(&machine), machine.outcome()), (vec![(0, Step::Ask)], None));
        machine.answered(0, Answer::Lost);
        assert_eq!(steps(&machine), [(0, Step::Ask)], "no verdict");
        let mut unknown = machine.clone();
        unknown.give_up();
        assert_eq!((unknown.outcome(), unknown.owed()), (Some(Outcome::Unknown), &[1][..]));
        let mut aborted = machine.clone();
        aborted.answered(0, Answer::RolledBack);
        assert_eq!(steps(&aborted), [(1, Step::RollbackPrepared)]);
        machine.answered(0, Answer::Committed);
        assert_eq!(steps(&machine), [(1, Step::CommitPrepared)]);
        all(&mut machine, Answer::Done);
        assert_eq!((machine.outcome(), machine.owed()), (Some(Outcome::Committed), &[][..]));
    }
}

#[test]
fn a_rollback_reaches_every_member() {
    let mut machine = Coordinator::rollback(3);
    assert_eq!(
        steps(&machine),
        [(0, Step::Rollback), (1, Step::RollbackActive), (2, Step::RollbackActive)]
    );
    all(&mut machine, Answer::Lost);
    assert_eq!((machine.outcome(), machine.is_over()), (Some(Outcome::RolledBack), true));
    assert!(machine.owed().is_empty());
}
