//! Sequences as a list and as counters.
//!
//! Owns: what of them is shown. Never: takes an id.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::table::{As, Table, cell};
use crate::context::Context;
use crate::observe::scrape::{Gauges, Source};
use crate::sequence::{Counts, Sequence, Sequences};

fn load(counter: &AtomicU64) -> Option<String> {
    cell(counter.load(Ordering::Relaxed))
}

/// SHOW SEQUENCES.
pub fn sequences(sequences: &Sequences) -> Table {
    let mut table = Table::new([
        ("schema", As::Text),
        ("sequence", As::Text),
        ("kind", As::Text),
        ("ready", As::Text),
        ("groups", As::Text),
        ("worker", As::Number),
        ("next", As::Number),
        ("left", As::Number),
        ("taken", As::Number),
        ("waits", As::Number),
        ("refused", As::Number),
        ("ranges", As::Number),
        ("failures", As::Number),
        ("problem", As::Text),
    ]);
    for sequence in sequences.list() {
        let view = sequence.view();
        let counts = &sequence.counts;
        table.row([
            cell(view.schema),
            cell(view.name),
            cell(view.kind),
            cell(if view.ready { "yes" } else { "no" }),
            cell(view.groups),
            view.worker.map(|worker| worker.to_string()),
            view.next.map(|next| next.to_string()),
            cell(view.left),
            load(&counts.taken),
            load(&counts.waits),
            load(&counts.refused),
            load(&counts.ranges),
            load(&counts.failures),
            view.problem,
        ]);
    }
    table
}

/// The sequences' part of a scrape.
pub struct SequenceSource(pub Arc<Context>);

impl Source for SequenceSource {
    fn gauges(&self, gauges: &mut Gauges<'_>) -> std::fmt::Result {
        type Pick = fn(&Counts) -> &AtomicU64;
        let all = self.0.sequences.list();
        let name = |sequence: &Sequence| [sequence.schema.to_string(), sequence.name.to_string()];
        let labels = ["schema", "sequence"];
        let ready = all.iter().map(|one| (name(one), f64::from(u8::from(one.view().ready))));
        gauges.family(
            "weir_sequence_ready",
            "1 where an id can be had without waiting",
            labels,
            ready,
        )?;
        let counters: [(&str, &str, Pick); 5] = [
            ("weir_sequence_ids", "Ids handed out", |c| &c.taken),
            ("weir_sequence_waits", "Statements that waited for ids", |c| &c.waits),
            ("weir_sequence_refused", "Statements that got no ids", |c| &c.refused),
            ("weir_sequence_ranges", "Ranges fetched from groups", |c| &c.ranges),
            ("weir_sequence_failures", "Fetches that no group answered", |c| &c.failures),
        ];
        for (title, help, pick) in counters {
            let count = |one: &Arc<Sequence>| pick(&one.counts).load(Ordering::Relaxed);
            gauges.counters(title, help, labels, all.iter().map(|one| (name(one), count(one))))?;
        }
        Ok(())
    }
}
