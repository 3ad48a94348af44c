//! All groups of one version of the rules.
//!
//! Owns: building them from the rules, taking over what a reload left alone, and retiring the
//! rest. Never: swaps a snapshot (`reload` does).

use std::sync::Arc;

use crate::backend::group::Group;
use crate::backend::node::Node;
use crate::backend::pool::Pool;
use crate::backend::spec::{self, GroupSpec, NodeSpec};
use crate::error::{Error, Fault, Result};
use crate::name::{GroupId, GroupName};
use crate::rules::Rules;

/// The groups, by their [`GroupId`].
#[derive(Debug, Default)]
pub struct Topology {
    groups: Vec<Arc<Group>>,
}

/// What is the same for all groups of this process.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// How many workers have pools of their own.
    pub workers: usize,
    /// The zone that this proxy stands in; near nodes answer its reads first.
    pub zone: Option<Arc<str>>,
    /// Clients may LOAD DATA LOCAL.
    pub local_infile: bool,
}

impl Topology {
    /// The groups of `rules`. Groups and nodes that are the same in `before` are taken over with
    /// their connections and what is known of their health. Nothing is dialled.
    ///
    /// # Errors
    /// A secret or a TLS file that can't be read.
    pub fn build(rules: &Rules, place: &Place, before: Option<&Topology>) -> Result<Topology> {
        let specs = rules.groups.iter().map(|group| spec::from_rules(group, place.local_infile));
        Topology::of_specs(specs.collect::<Result<Vec<_>>>()?, place, before)
    }

    /// The same from finished specs.
    ///
    /// # Errors
    /// A TLS file that can't be read.
    pub fn of_specs(
        specs: Vec<GroupSpec>,
        place: &Place,
        before: Option<&Topology>,
    ) -> Result<Topology> {
        let mut groups = Vec::with_capacity(specs.len());
        for spec in specs {
            let old = before.and_then(|topology| topology.by_name(&spec.name));
            if let Some(old) = old.filter(|old| old.spec == spec) {
                groups.push(old.clone());
                continue;
            }
            let pools = spec.nodes.iter().map(|node| match old.and_then(|old| same(old, node)) {
                Some(pool) => Ok(pool.clone()),
                None => {
                    let node = Arc::new(Node::new(spec.name.clone(), node.clone())?);
                    Pool::new(node, place.workers).map(Arc::new)
                }
            });
            let pools = pools.collect::<Result<Vec<_>>>()?;
            groups.push(Arc::new(Group::new(
                spec,
                place.zone.clone(),
                pools,
                old.map(|old| &**old),
            )));
        }
        Ok(Topology { groups })
    }

    pub fn groups(&self) -> &[Arc<Group>] {
        &self.groups
    }

    /// The ids of all groups.
    pub fn ids(&self) -> impl Iterator<Item = GroupId> {
        (0..).map(GroupId).take(self.groups.len())
    }

    /// # Errors
    /// A defect: an id of another version of the rules.
    pub fn group(&self, id: GroupId) -> Result<&Arc<Group>> {
        self.groups.get(usize::from(id.0)).ok_or_else(|| {
            Error::new(
                Fault::Internal,
                1105,
                b"HY000",
                "unknown_group",
                format!("group number {} is not of these rules", id.0),
            )
        })
    }

    pub fn by_name(&self, name: &GroupName) -> Option<&Arc<Group>> {
        self.groups.iter().find(|group| group.name() == name)
    }

    /// The groups that `before` didn't have: `server` runs the watch of each.
    pub fn added_since<'a>(&'a self, before: Option<&'a Topology>) -> Vec<&'a Arc<Group>> {
        let old = |group: &Arc<Group>| {
            before.is_some_and(|before| before.groups.iter().any(|old| Arc::ptr_eq(old, group)))
        };
        self.groups.iter().filter(|group| !old(group)).collect()
    }

    /// Ends the watches and drains the pools of groups that `after` doesn't have any more. Lent
    /// connections live until they come back.
    pub fn retire_for(&self, after: &Topology) {
        let keep: Vec<Arc<Pool>> =
            after.groups.iter().flat_map(|group| group.pools().iter().cloned()).collect();
        for group in &self.groups {
            if !after.groups.iter().any(|kept| Arc::ptr_eq(kept, group)) {
                group.retire(&keep);
            }
        }
    }
}

fn same<'a>(old: &'a Group, node: &NodeSpec) -> Option<&'a Arc<Pool>> {
    old.pools().iter().find(|pool| pool.node().spec == *node)
}
