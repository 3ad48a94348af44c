//! Sequences: which groups count, with which numbers.
//!
//! Owns: their check. Never: knows what a group has handed out.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use crate::name::GroupId;
use crate::rules::check::{Check, SchemaCheck};
use crate::rules::problem::KeyPath;
use crate::rules::sequence::{Layout, SEGMENT_TABLE, SequenceKind, SequenceRule, WORKER_TABLE};
use crate::rules::shape::{SequenceKindShape, SequenceShape};
use crate::rules::table::Placement;
use crate::value::temporal::parse_datetime;

/// Bits that time must have left: 39 of them are 17 years.
const LEAST_TIME_BITS: u8 = 39;

const DAY: i64 = 86_400_000;

impl Check {
    pub(super) fn sequence(
        &mut self,
        schema: &SchemaCheck<'_>,
        table: &str,
        shape: &SequenceShape,
        path: &KeyPath,
    ) -> Option<Arc<SequenceRule>> {
        self.name(&shape.column, "column", &path.key("column"));
        if let Some(name) = &shape.name {
            self.name(name, "sequence", &path.key("name"));
        }
        if let Some(name) = &shape.table {
            self.name(name, "table", &path.key("table"));
        }
        self.useless(shape, path);
        let mut groups = Vec::new();
        for (index, name) in shape.groups.iter().flatten().enumerate() {
            groups.extend(self.group(schema.ids, name, &path.key("groups").index(index)));
        }
        let kind = match shape.kind {
            SequenceKindShape::Snowflake => self.snowflake(schema, shape, &groups, path)?,
            SequenceKindShape::Segment => self.segment(schema, shape, groups, path)?,
        };
        Some(Arc::new(SequenceRule {
            schema: schema.name.clone(),
            name: Arc::from(shape.name.as_deref().unwrap_or(table)),
            column: shape.column.as_str().into(),
            kind,
        }))
    }

    /// Fields of the other kind.
    fn useless(&mut self, shape: &SequenceShape, path: &KeyPath) {
        let snowflake = shape.kind == SequenceKindShape::Snowflake;
        let (kind, fields) = if snowflake {
            let fields = [
                ("step", shape.step.is_some()),
                ("start", shape.start.is_some()),
                ("adjust", shape.adjust.is_some()),
            ];
            ("snowflake", fields)
        } else {
            let fields = [
                ("epoch", shape.epoch.is_some()),
                ("worker_bits", shape.worker_bits.is_some()),
                ("sequence_bits", shape.sequence_bits.is_some()),
            ];
            ("segment", fields)
        };
        for (key, there) in fields {
            if there {
                self.error(&path.key(key), format!("'{key}' is of no use for a {kind} sequence"));
            }
        }
    }

    fn snowflake(
        &mut self,
        schema: &SchemaCheck<'_>,
        shape: &SequenceShape,
        groups: &[GroupId],
        path: &KeyPath,
    ) -> Option<SequenceKind> {
        if groups.len() > 1 {
            self.error(
                &path.key("groups"),
                "a snowflake sequence leases its worker ids in one group",
            );
        }
        let group = groups.first().copied().or(schema.default_group)?;
        let database = self.home(schema, group, path)?;
        let mut layout = Layout::default();
        if let Some(written) = &shape.epoch {
            let day = parse_datetime(written)
                .filter(|parsed| !parsed.has_time && parsed.value.date.is_real())
                .map(|parsed| (parsed.value.date.day_number() - unix_day()) * DAY)
                .and_then(|epoch| u64::try_from(epoch).ok());
            match day {
                Some(epoch) => layout.epoch = epoch,
                None => {
                    let path = path.key("epoch");
                    self.error(&path, format!("'{written}' is no date since 1970"));
                    return None;
                }
            }
        }
        layout.worker_bits = shape.worker_bits.unwrap_or(layout.worker_bits);
        layout.sequence_bits = shape.sequence_bits.unwrap_or(layout.sequence_bits);
        let time = 63_u8.saturating_sub(layout.worker_bits).saturating_sub(layout.sequence_bits);
        if time < LEAST_TIME_BITS {
            self.error_help(
                path,
                format!("worker_bits and sequence_bits leave {time} of 63 bits for time"),
                "let them be 24 together at most: 39 bits of milliseconds last 17 years",
            );
            return None;
        }
        let table = Arc::from(shape.table.as_deref().unwrap_or(WORKER_TABLE));
        Some(SequenceKind::Snowflake { group, database, table, layout })
    }

    fn segment(
        &mut self,
        schema: &SchemaCheck<'_>,
        shape: &SequenceShape,
        groups: Vec<GroupId>,
        path: &KeyPath,
    ) -> Option<SequenceKind> {
        let start = shape.start.unwrap_or(1);
        if start < 1 {
            self.error(&path.key("start"), "a sequence starts at 1 or above");
        }
        let mut homes: Vec<(GroupId, Arc<str>)> = Vec::new();
        if shape.groups.is_none() {
            homes = schema.databases.to_vec();
        }
        for group in groups {
            if homes.iter().any(|(before, _)| *before == group) {
                // Two rows would count alike and hand out the same values.
                self.error(&path.key("groups"), "a group is named twice");
                return None;
            }
            homes.push((group, self.home(schema, group, path)?));
        }
        if homes.is_empty() {
            self.error(&path.key("groups"), "no group is left that hands out ranges");
            return None;
        }
        Some(SequenceKind::Segment {
            groups: homes,
            table: Arc::from(shape.table.as_deref().unwrap_or(SEGMENT_TABLE)),
            step: u64::from(shape.step.unwrap_or(1000).max(1)),
            start: u64::try_from(start).unwrap_or(1),
            adjust: shape.adjust.unwrap_or(false),
        })
    }

    /// The schema's database in a group: there the sequence's table lies.
    fn home(
        &mut self,
        schema: &SchemaCheck<'_>,
        group: GroupId,
        path: &KeyPath,
    ) -> Option<Arc<str>> {
        let found = schema.databases.iter().find(|(id, _)| *id == group);
        if found.is_none() {
            let name = schema.ids.iter().find(|(_, id)| **id == group).map_or("", |(name, _)| name);
            self.error_help(
                &path.key("groups"),
                format!("the schema has no database in group '{name}' for the sequence's table"),
                "add it to the schema's 'databases'",
            );
        }
        found.map(|(_, database)| database.clone())
    }

    /// Tables that share a sequence must declare it alike.
    pub(super) fn shared_sequences(&mut self, tables: &BTreeMap<&str, Placement>, root: &KeyPath) {
        let mut first: HashMap<&str, (&str, &SequenceRule)> = HashMap::new();
        for (name, placement) in tables {
            let Some(sequence) = placement.sequence() else { continue };
            match first.get(&*sequence.name) {
                None => drop(first.insert(&sequence.name, (name, sequence))),
                Some((other, before)) if before.kind != sequence.kind => {
                    let path = root.key(name).key("sequence");
                    let text = format!(
                        "table '{other}' declares the sequence '{}' otherwise",
                        sequence.name
                    );
                    self.error_help(&path, text, "write the same, or another 'name'");
                }
                Some(_) => {}
            }
        }
    }
}

/// The day number of 1970-01-01.
fn unix_day() -> i64 {
    crate::value::temporal::Date { year: 1970, month: 1, day: 1 }.day_number()
}
