//! BEGIN, savepoints and joining, without a server.

use super::*;

const READ_ONLY: Characteristics = Characteristics { isolation: None, read_only: Some(true) };
const SERIALIZABLE: Characteristics =
    Characteristics { isolation: Some(Isolation::Serializable), read_only: None };

fn texts(transaction: &Transaction) -> Vec<String> {
    transaction.opening().into_iter().map(|sql| String::from_utf8(sql).unwrap()).collect()
}

fn joining(transaction: &Transaction) -> Vec<String> {
    let texts = transaction.joining("XA START 'x'".to_owned());
    texts.into_iter().map(|sql| String::from_utf8(sql).unwrap()).collect()
}

fn name(id: GroupId) -> GroupName {
    GroupName::new(format!("g{}", id.0))
}

#[test]
fn begin_is_remembered_until_a_group_is_touched() {
    let mut transaction = Transaction::default();
    transaction.set_next(READ_ONLY);
    transaction.set_next(Characteristics {
        isolation: Some(Isolation::RepeatableRead),
        ..Characteristics::default()
    });
    assert!(!transaction.is_active());
    transaction.begin(b"START TRANSACTION".to_vec(), false, false);
    let both = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";
    assert_eq!(texts(&transaction), [both, "START TRANSACTION"]);
    transaction.opened(GroupId(1), None);
    assert!(transaction.opening().is_empty());
    assert_eq!(transaction.group(), Some(GroupId(1)));
    transaction.end();
    // The characteristics were for one transaction.
    transaction.begin(b"BEGIN".to_vec(), false, false);
    assert_eq!(texts(&transaction), ["BEGIN"]);
}

#[test]
fn the_strictest_of_its_schemas_counts() {
    let open = |first, writes| {
        let mut transaction = Transaction::default();
        transaction.begin(b"START TRANSACTION".to_vec(), false, false);
        transaction.allow(first, false);
        transaction.opened(GroupId(0), None);
        if writes {
            transaction.writes(GroupId(0));
        }
        transaction.allow(Transactions::BestEffort, false);
        transaction
    };
    let joins = |first, writes| open(first, writes).check_join(GroupId(1), name);
    assert_eq!(joins(Transactions::BestEffort, true).unwrap(), Transactions::BestEffort);
    assert_eq!(joins(Transactions::Atomic, true).unwrap(), Transactions::Atomic);
    assert_eq!(joins(Transactions::Single, true).unwrap_err().code, "transaction_second_group");
    // What was only read is on its one group whatever becomes of the others.
    assert_eq!(joins(Transactions::Single, false).unwrap(), Transactions::BestEffort);
}

#[test]
fn a_second_group_joins_where_the_rules_allow_it() {
    let mut transaction = Transaction::default();
    transaction.begin(b"START TRANSACTION READ ONLY".to_vec(), true, false);
    transaction.opened(GroupId(1), None);
    transaction.allow(Transactions::Single, false);
    let error = transaction.check_join(GroupId(0), name).unwrap_err();
    assert!(error.message.contains("'g1'") && error.message.contains("'g0'"), "{error}");
    transaction.allow(Transactions::Atomic, false);
    assert_eq!(transaction.check_join(GroupId(0), name).unwrap(), Transactions::Atomic);
    transaction.savepoint("A", b"SAVEPOINT A".to_vec()).unwrap();
    assert_eq!(joining(&transaction), ["SET TRANSACTION READ ONLY", "XA START 'x'", "SAVEPOINT A"]);
    transaction.joined(GroupId(0), None);
    transaction.writes(GroupId(0));
    let wrote: Vec<bool> = transaction.members().iter().map(|member| member.wrote).collect();
    // A server refuses what writes in it.
    assert_eq!((wrote, transaction.is_shared()), (vec![false, false], true));
}

#[test]
fn what_writes_is_a_writer_where_servers_let_it() {
    let read_only = Characteristics { read_only: Some(true), ..Characteristics::default() };
    let wrote = |said: Option<Characteristics>, reading: bool, writing: bool| {
        let mut transaction = Transaction::default();
        if let Some(said) = said {
            transaction.set_next(said);
        }
        transaction.begin(b"START TRANSACTION".to_vec(), false, false);
        if reading {
            transaction.begin_reading();
        }
        if writing {
            transaction.begin_writing();
        }
        transaction.opened(GroupId(1), None);
        transaction.writes(GroupId(1));
        transaction.members()[0].wrote
    };
    let writing = Characteristics { read_only: Some(false), ..read_only };
    assert!(wrote(None, false, false));
    assert!(!wrote(None, true, false));
    assert!(wrote(None, true, true), "READ WRITE was said");
    assert!(!wrote(Some(read_only), false, false));
    assert!(wrote(Some(writing), true, false));
    assert!(wrote(Some(read_only), false, true));
}

#[test]
fn savepoints_before_the_first_statement_are_as_in_mysql() {
    let mut transaction = Transaction::default();
    transaction.begin(b"BEGIN".to_vec(), true, false);
    assert!(transaction.is_read_only());
    for name in ["a", "b", "A", "c"] {
        transaction.savepoint(name, format!("SAVEPOINT {name}").into_bytes()).unwrap();
    }
    // The second "A" deleted the first one and stands after "b".
    assert_eq!(texts(&transaction), ["BEGIN", "SAVEPOINT b", "SAVEPOINT A", "SAVEPOINT c"]);
    assert!(transaction.back_to_savepoint("a", false));
    assert_eq!(texts(&transaction), ["BEGIN", "SAVEPOINT b", "SAVEPOINT A"]);
    assert!(!transaction.back_to_savepoint("c", false));
    assert!(transaction.back_to_savepoint("b", true));
    assert_eq!(texts(&transaction), ["BEGIN"]);
    for number in 0..MAX_SAVEPOINTS {
        transaction.savepoint(&format!("s{number}"), b"S".to_vec()).unwrap();
    }
    assert_eq!(transaction.savepoint("over", b"S".to_vec()).unwrap_err().code, "savepoints");
    // Once open they are sent, and only a further group is out of reach.
    transaction.opened(GroupId(0), None);
    transaction.savepoint("over", b"S".to_vec()).unwrap();
    assert_eq!(transaction.check_join(GroupId(1), name).unwrap_err().code, "savepoints");
}

#[test]
fn a_chained_transaction_keeps_its_characteristics() {
    let mut transaction = Transaction::default();
    transaction.set_next(SERIALIZABLE);
    transaction.begin(
        b"START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY".to_vec(),
        true,
        true,
    );
    transaction.opened(GroupId(0), None);
    transaction.savepoint("a", b"SAVEPOINT a".to_vec()).unwrap();
    let chained = transaction.chainable();
    transaction.end();
    transaction.chain(chained);
    assert_eq!(
        texts(&transaction),
        ["SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "START TRANSACTION READ ONLY"]
    );
}

#[test]
fn a_group_that_never_came_to_its_first_statement_leaves_the_others_alone() {
    let mut transaction = Transaction::default();
    transaction.begin(b"START TRANSACTION".to_vec(), false, false);
    transaction.opened(GroupId(0), None);
    transaction.reopen(GroupId(0));
    assert_eq!(texts(&transaction), ["START TRANSACTION"]);
    transaction.opened(GroupId(1), None);
    transaction.writes(GroupId(1));
    transaction.joined(GroupId(2), None);
    transaction.reopen(GroupId(2));
    assert!(transaction.has(GroupId(1)) && !transaction.has(GroupId(2)));
    assert!(transaction.members()[0].wrote, "what the anchor did is still to be committed");
}

#[test]
fn what_weir_locks_for_itself_ends_with_the_transaction() {
    let chained = |weir: fn(&mut Transaction)| {
        let mut transaction = Transaction::default();
        transaction.set_next(READ_ONLY);
        transaction.begin(b"START TRANSACTION".to_vec(), false, false);
        weir(&mut transaction);
        let next = transaction.chainable();
        let opened = texts(&transaction);
        transaction.opened(GroupId(0), None);
        let without_locks = transaction.reads_without_locks();
        transaction.end();
        transaction.chain(next);
        let after = texts(&transaction);
        transaction.opened(GroupId(0), None);
        (opened, without_locks, after, transaction.reads_without_locks())
    };
    let said = ["SET TRANSACTION READ ONLY", "START TRANSACTION"].map(str::to_owned);
    let (opened, without_locks, after, then) = chained(Transaction::locks_anyway);
    assert_eq!((&opened[..], without_locks), (&said[..], false));
    assert_eq!((&after[..], then), (&said[..], true));
    let (opened, without_locks, after, then) = chained(|transaction| {
        assert!(transaction.lock_reads() && transaction.lock_reads());
    });
    assert_eq!(opened[0], "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY");
    assert!(!without_locks);
    assert_eq!((&after[..], then), (&said[..], true));
}
