//! Semi-joins: what is gathered of a reference once rows of others are known.
//!
//! Owns: asking the workbench for keys, and the gather that they restrict. Never: decides which keys
//! restrict what (the planner does), or in what order references are gathered ([`super::layout`]).

use super::bench::Bench;
use super::layout::{Known, Layout};
use super::{Gathering, Work};
use crate::backend::connection::Pipelining;
use crate::planner::splice::Form;
use crate::planner::workbench::{Reference, Task, Within, Workbench};
use crate::session::Session;
use crate::session::forward::Failure;
use crate::session::own::rows_within;

/// At most so many keys of one reference are asked of another: a list of them is still far smaller than
/// the rows that it spares.
const KEYS: usize = 50_000;

/// The most bytes of all lists of keys of one gather: not every server takes longer statements.
const LIST_BYTES: usize = 512 << 10;

impl Session {
    /// The gather of only those rows whose keys are among the few that a reference has which is known
    /// already.
    pub(super) async fn fewer<'w>(
        &mut self,
        work: &Work<'w>,
        layout: &Layout,
        known: &Known,
        gathering: &Gathering<'w>,
        bench: &mut Bench,
    ) -> Result<Option<Gathering<'w>>, Failure> {
        let (index, reference) = (gathering.index, gathering.reference);
        let sources = layout.sources(work.bench);
        let mut conditions: Vec<String> = Vec::new();
        for keys in reference.keys.iter().filter(|keys| known.is_small(keys.by)) {
            let by = work.bench.references.get(keys.by).zip(sources.get(keys.by));
            let Some((by, source)) = by else { continue };
            let within = within(work.bench, layout, known, (keys.by, index), &sources);
            let (what, mut question) = ((&*keys.of, &*within, KEYS + 1), Vec::new());
            work.plan.values_text(by, source, what, work.binding, &mut question)?;
            let state = self.residual_state(bench);
            let found = async {
                bench.lent.enter(&state, Pipelining::Nothing).await?;
                let found = rows_within(&mut bench.lent, &question, KEYS + 1).await?;
                bench.lent.enter(&bench.loading, Pipelining::Nothing).await?;
                Ok(found.rows)
            };
            let found = self.bench_step(work.deadline, found).await?;
            if found.len() > KEYS {
                continue;
            }
            let values = found.into_iter().filter_map(|row| row.into_iter().next().flatten());
            let values: Vec<String> =
                values.map(|value| String::from_utf8_lossy(&value).into_owned()).collect();
            // Nothing equals NULL: no row is asked for.
            let list = if values.is_empty() { "NULL".to_owned() } else { values.join(", ") };
            let held: usize = conditions.iter().map(String::len).sum();
            if held + list.len() > LIST_BYTES {
                continue;
            }
            let column = keys.column.replace('`', "``");
            conditions.push(format!("{}.`{column}` IN ({list})", reference.shown));
        }
        if conditions.is_empty() {
            return Ok(None);
        }
        let mut text = Vec::new();
        let (plan, condition) = (work.plan, conditions.join(" AND "));
        let (keys, binding) = (Some(&*condition), work.binding);
        plan.gather_text(work.bench, index, keys, binding, Form::Text, &mut text)?;
        self.gathering(work.snapshot, index, reference, &text).await.map(Some)
    }
}

/// What restricts the rows of a reference that is read where it is; `asker` is none of them. One that was
/// gathered was restricted then.
fn within<'w>(
    bench: &'w Workbench,
    layout: &Layout,
    known: &Known,
    (of, asker): (usize, usize),
    sources: &'w [String],
) -> Vec<Within<'w>> {
    let Some(one) = bench.references.get(of).filter(|_| !layout.is_moved(of)) else {
        return Vec::new();
    };
    let keys = one.keys.iter().filter(|keys| known.is_small(keys.by) && keys.by != asker);
    let within = keys.filter_map(|keys| {
        let (reference, source) = bench.references.get(keys.by).zip(sources.get(keys.by))?;
        Some(Within { column: &keys.column, reference, source, of: &keys.of })
    });
    within.collect()
}

/// Whether the values of a whole table, of which nothing else is asked, would restrict another's rows.
pub(super) fn is_key_of_another(bench: &Workbench, gathering: &Gathering<'_>) -> bool {
    let is_other = |one: &Reference| one.keys.iter().any(|keys| keys.by == gathering.index);
    let reads = matches!(gathering.reference.task, Task::Read);
    reads && !gathering.reference.is_narrowed() && bench.references.iter().any(is_other)
}
