//! What a reload takes over, and what it closes.

use std::sync::Arc;

use weir::backend::choose::Role;
use weir::backend::counters::Closed;
use weir::backend::node::{Health, Standing};
use weir::backend::spec::{Declared, GroupSpec, Limits, NodeSpec};
use weir::backend::state::State;
use weir::backend::topology::{Place, Topology};

use super::{ask, fake, run, value};

fn named(spec: &NodeSpec, name: &str, declared: Declared) -> NodeSpec {
    NodeSpec { name: name.into(), declared, ..spec.clone() }
}

#[test]
fn what_did_not_change_keeps_its_connections_and_the_rest_is_drained() {
    run(async {
        let port = fake::serve(|_| None).await;
        let node = fake::group(port, Limits::default()).spec.nodes[0].clone();
        let spec = |name: &str, weight: u32| {
            let replica = NodeSpec { weight, ..named(&node, "b", Declared::Replica) };
            GroupSpec::new(name, vec![named(&node, "a", Declared::Primary), replica])
        };
        let place = Place { workers: 1, ..Place::default() };
        let old = Topology::of_specs(vec![spec("g0", 1), spec("g1", 1)], &place, None).unwrap();
        let (state, mut ids) = (State::default(), Vec::new());
        for group in old.groups() {
            for role in [Role::Primary, Role::Replica] {
                let mut asked = ask(&state);
                asked.role = role;
                let lent = group.lend(&asked).await.unwrap();
                ids.push(lent.id);
                lent.finish().await;
            }
        }
        let held = old.groups()[1].lend(&ask(&state)).await.unwrap();
        // g0 stays, g1's replica changes, g2 is new.
        let specs = vec![spec("g0", 1), spec("g1", 5), spec("g2", 1)];
        let new = Topology::of_specs(specs, &place, Some(&old)).unwrap();
        assert!(Arc::ptr_eq(&old.groups()[0], &new.groups()[0]));
        let pools = |topology: &Topology, place: usize| topology.groups()[1].pools()[place].clone();
        assert!(Arc::ptr_eq(&pools(&old, 0), &pools(&new, 0)));
        assert!(!Arc::ptr_eq(&pools(&old, 1), &pools(&new, 1)));
        let added: Vec<_> = new.added_since(Some(&old)).iter().map(|group| group.name()).collect();
        assert_eq!(added, [new.groups()[1].name(), new.groups()[2].name()]);
        old.retire_for(&new);
        let gone = pools(&old, 1).node().counters.closed(Closed::Retired);
        assert_eq!((pools(&old, 1).node().open(), gone), (0, 1));
        let lent = new.groups()[0].lend(&ask(&state)).await.unwrap();
        assert_eq!(lent.id, ids[0], "the connection of before");
        lent.finish().await;
        // A statement under way ends well.
        let mut held = held;
        assert_eq!(value(&mut held, "SELECT 3").await, "3");
        held.finish().await;
        // The last rules have no group at all.
        let none = Topology::of_specs(Vec::new(), &place, Some(&new)).unwrap();
        let mut late = new.groups()[0].lend(&ask(&state)).await.unwrap();
        new.retire_for(&none);
        assert_eq!(value(&mut late, "SELECT 4").await, "4");
        late.finish().await;
        for group in new.groups() {
            assert!(group.pools().iter().all(|pool| pool.node().open() == 0));
        }
    });
}

#[test]
fn the_primary_that_was_found_outlives_a_reload() {
    run(async {
        let port = fake::serve(|_| None).await;
        let node = fake::group(port, Limits::default()).spec.nodes[0].clone();
        let nodes =
            vec![named(&node, "a", Declared::Primary), named(&node, "b", Declared::Replica)];
        let mut spec = GroupSpec::new("g0", nodes);
        let place = Place { workers: 1, ..Place::default() };
        let old = Topology::of_specs(vec![spec.clone()], &place, None).unwrap();
        let group = &old.groups()[0];
        let set = |place: usize, read_only: bool| {
            let node = group.pools()[place].node();
            let health = Health::clone(&node.health());
            node.set_health(Health {
                standing: Standing::Up,
                read_only: Some(read_only),
                ..health
            });
            group.settle();
        };
        let primary = |topology: &Topology| {
            topology.groups()[0].primary().unwrap().node().spec.name.to_string()
        };
        assert_eq!(primary(&old), "a");
        set(1, true);
        set(0, true);
        assert!(group.primary().is_none());
        set(1, false);
        assert_eq!(primary(&old), "b");
        // The old one comes back writable; then an operator edits something.
        set(0, false);
        assert_eq!(primary(&old), "b");
        spec.hold *= 2;
        let new = Topology::of_specs(vec![spec], &place, Some(&old)).unwrap();
        assert!(!Arc::ptr_eq(group, &new.groups()[0]));
        assert_eq!(primary(&new), "b");
    });
}
