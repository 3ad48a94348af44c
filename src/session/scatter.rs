//! Statements over several targets: their connections, and the executor's work on them.
//!
//! Owns: which connection serves which targets, and giving them back. Never: merges or sums
//! (the executor does).

use std::sync::Arc;

use crate::context::Snapshot;
use crate::error::Error;
use crate::planner::Plan;
use crate::planner::bind::Binding;
use crate::planner::plan::{Gather, Target, WriteKind};
use crate::session::Session;
use crate::session::forward::Failure;
use crate::session::query::{Manner, Outcome};

impl Session {
    pub(super) async fn scatter(
        &mut self,
        _snapshot: &Arc<Snapshot>,
        _plan: &Plan,
        _targets: Vec<Target>,
        _gather: &Gather,
        _binding: &Binding<'_>,
        _manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        Err(Error::refused("scatter", "Not wired yet").into())
    }

    pub(super) async fn write_many(
        &mut self,
        _snapshot: &Arc<Snapshot>,
        _plan: &Plan,
        _targets: Vec<Target>,
        _write: WriteKind,
        _binding: &Binding<'_>,
        _manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        Err(Error::refused("write_many", "Not wired yet").into())
    }
}
