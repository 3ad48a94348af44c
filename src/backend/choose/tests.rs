use std::sync::Arc;

use tokio::time::Instant;

use super::*;

fn health(standing: Standing, read_only: Option<bool>, lag: Option<u64>) -> Health {
    Health {
        standing,
        reason: Arc::from(""),
        since: Instant::now(),
        read_only,
        replicating: lag.is_some(),
        lag: lag.map(Duration::from_secs),
        applied: None,
        failures: 0,
    }
}

fn candidate(declared: Declared, weight: u32, health: &Health) -> Candidate<'_> {
    Candidate { declared, weight, near: true, health }
}

#[test]
fn the_primary_is_the_writable_one_and_a_switch_is_followed() {
    use Declared::{Primary, Replica};
    use Standing::{Down, Suspect, Unknown, Up};
    let unknown = health(Unknown, None, None);
    let writable = health(Up, Some(false), None);
    let follower = health(Up, Some(true), Some(0));
    let down = health(Down, Some(false), None);
    let open_follower = health(Up, Some(false), Some(0));
    let doubtful = health(Suspect, Some(false), None);
    // What each of two nodes looks like, who was primary, who is.
    let cases: [(&str, [(Declared, &Health); 2], Option<usize>, Option<usize>); 9] = [
        (
            "before any probe the declared one",
            [(Primary, &unknown), (Replica, &unknown)],
            None,
            Some(0),
        ),
        (
            "a switch done before the start",
            [(Primary, &follower), (Replica, &writable)],
            None,
            Some(1),
        ),
        ("a planned switch", [(Primary, &follower), (Replica, &writable)], Some(0), Some(1)),
        ("a switch half done", [(Primary, &follower), (Replica, &follower)], Some(0), None),
        (
            "two writable: the old one stays",
            [(Primary, &writable), (Replica, &writable)],
            Some(1),
            Some(1),
        ),
        (
            "the primary died, nobody was promoted",
            [(Primary, &down), (Replica, &follower)],
            Some(0),
            None,
        ),
        (
            "a writable follower is no primary",
            [(Primary, &down), (Replica, &open_follower)],
            Some(0),
            None,
        ),
        ("the promoted one", [(Primary, &down), (Replica, &writable)], Some(0), Some(1)),
        (
            "one failed probe changes nothing",
            [(Primary, &doubtful), (Replica, &follower)],
            Some(0),
            Some(0),
        ),
    ];
    for (what, nodes, before, expected) in cases {
        let candidates = nodes.map(|(declared, health)| candidate(declared, 1, health));
        assert_eq!(primary(&candidates, before), expected, "{what}");
    }
}

#[test]
fn reads_go_by_weight_zone_and_lag() {
    let up = health(Standing::Up, Some(false), None);
    let fresh = health(Standing::Up, Some(true), Some(1));
    let late = health(Standing::Up, Some(true), Some(60));
    let mut candidates = vec![
        candidate(Declared::Primary, 1, &up),
        candidate(Declared::Replica, 3, &fresh),
        candidate(Declared::Replica, 1, &fresh),
        candidate(Declared::Replica, 100, &late),
    ];
    let bound = Some(Duration::from_secs(10));
    let count = |candidates: &[Candidate<'_>], role| {
        let mut first = [0u32; 4];
        for dice in 0..10_000u64 {
            first[readers(candidates, role, Some(0), bound, dice)[0]] += 1;
        }
        first
    };
    let first = count(&candidates, Role::Replica);
    assert!(first[0] == 0 && first[3] == 0, "{first:?}");
    assert!((7_200..7_800).contains(&first[1]), "{first:?}");
    let first = count(&candidates, Role::Any);
    assert!((1_700..2_300).contains(&first[0]), "a fifth of the weights: {first:?}");
    candidates[1].near = false;
    let first = count(&candidates, Role::Replica);
    assert_eq!(first, [0, 0, 10_000, 0], "the near replica first");
    let order = readers(&candidates, Role::Replica, Some(0), bound, 7);
    assert_eq!(order, [2, 1, 0], "then the far one, then the primary; the late one never");
}

#[test]
fn stopped_replication_and_dead_nodes_get_no_reads_and_suspects_come_last() {
    let up = health(Standing::Up, Some(false), None);
    let mut stopped = health(Standing::Up, Some(true), Some(0));
    stopped.lag = None;
    let down = health(Standing::Down, Some(true), Some(0));
    let suspect = health(Standing::Suspect, Some(true), Some(0));
    let candidates = [
        candidate(Declared::Primary, 1, &up),
        candidate(Declared::Replica, 1, &stopped),
        candidate(Declared::Replica, 1, &down),
        candidate(Declared::Replica, 1, &suspect),
    ];
    assert_eq!(readers(&candidates, Role::Replica, Some(0), None, 1), [0, 3]);
    assert!(readers(&[], Role::Any, None, None, 1).is_empty());
}

#[test]
fn prepared_shares_draw_as_the_full_choice_does() {
    let up = health(Standing::Up, Some(false), None);
    let fresh = health(Standing::Up, Some(true), Some(1));
    let suspect = health(Standing::Suspect, Some(true), Some(1));
    let mut candidates = vec![
        candidate(Declared::Primary, 2, &up),
        candidate(Declared::Replica, 3, &fresh),
        candidate(Declared::Replica, 1, &fresh),
        candidate(Declared::Replica, 9, &suspect),
    ];
    let drawn = |candidates: &[Candidate<'_>], role| {
        let shares = Shares::of(candidates, role, Some(0), None);
        let mut first = [0u32; 4];
        for dice in 0..600u64 {
            first[shares.draw(dice).unwrap()] += 1;
        }
        first
    };
    assert_eq!(drawn(&candidates, Role::Replica), [0, 450, 150, 0]);
    assert_eq!(drawn(&candidates, Role::Any), [200, 300, 100, 0]);
    candidates[1].near = false;
    assert_eq!(drawn(&candidates, Role::Replica), [0, 0, 600, 0]);
    candidates.truncate(1);
    assert_eq!(drawn(&candidates, Role::Replica), [600, 0, 0, 0], "the primary where nobody else");
    assert_eq!(Shares::of(&[], Role::Any, None, None).draw(3), None);
}
