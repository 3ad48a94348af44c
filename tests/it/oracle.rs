//! The fixed short part of `tests/oracle`: a few hundred random statements over each rule set.
//! `make oracle` runs as many as it is told.

use crate::oracle::{Options, run};
use crate::support::servers::Kind;

#[test]
fn random_statements_are_answered_as_by_one_mariadb() {
    let options = Options {
        statements: 320,
        seed: 1,
        per_round: 40,
        set: None,
        from: 0,
        round: None,
        only: None,
        since: None,
        has: None,
        hold: None,
        all: false,
        writes: 27,
    };
    let outcome = run(Kind::MariaDb, &options).unwrap_or_else(|reason| panic!("{reason}"));
    assert!(outcome.differences.is_empty(), "{}", outcome.summary());
    assert_eq!(outcome.missing, 0, "{}", outcome.summary());
    assert!(outcome.compared > 200, "{}", outcome.summary());
}
