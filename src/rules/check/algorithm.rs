//! Algorithms: fields that belong to them, keys that they can take, shards that exist.
//!
//! Owns: their check. Never: routes anything.

use std::cmp::Ordering;

use crate::rules::algorithm::hash::HashFunction;
use crate::rules::algorithm::ordered::{DateRule, DateUnit, ListRule, RangeRule, folded_order};
use crate::rules::algorithm::{Routing, SliceRule};
use crate::rules::check::Check;
use crate::rules::key::KeyColumn;
use crate::rules::problem::KeyPath;
use crate::rules::shape::{
    AlgorithmKindShape as Kind, AlgorithmShape, DateUnitShape, HashFunctionShape, ScalarShape,
    SliceAsShape,
};
use crate::value::Value;
use crate::value::assign::{Context, ServerKind, Stored, assign};
use crate::value::temporal::parse_datetime;
use crate::value::types::ColumnType;

/// Owners of slots where the rule doesn't say how many there are.
const DEFAULT_SLOTS: u32 = 1024;

impl Check {
    pub(super) fn algorithm(
        &mut self,
        shape: &AlgorithmShape,
        keys: &[KeyColumn],
        count: u32,
        path: &KeyPath,
    ) -> Option<Routing> {
        self.foreign_fields(shape, path);
        let function = match shape.function {
            None | Some(HashFunctionShape::Xxh64) => HashFunction::Xxh64,
            Some(HashFunctionShape::Crc32) => HashFunction::Crc32,
            Some(HashFunctionShape::Murmur3) => HashFunction::Murmur3,
            Some(HashFunctionShape::Java) => HashFunction::Java,
        };
        let several = keys.len() > 1;
        if several && !matches!(shape.kind, Kind::Hash | Kind::Slots) {
            self.error_help(
                &path.key("kind"),
                "only 'hash' and 'slots' take more than one key column",
                "use one of them, or a TDDL expression",
            );
            return None;
        }
        let key = keys.first()?;
        match shape.kind {
            Kind::Modulo => {
                self.key_kind(
                    key,
                    matches!(key.declared, ColumnType::Int { .. } | ColumnType::Year),
                    "an integer",
                    "hash takes every type",
                    path,
                )?;
                Some(Routing::Modulo)
            }
            Kind::Hash => Some(Routing::Hash(function)),
            Kind::Range => self.range(shape, key, count, path),
            Kind::List => self.list(shape, key, count, path),
            Kind::Date => self.date(shape, key, count, path),
            Kind::Slice => self.slice(shape, key, function, path),
            Kind::Slots => self.slots(shape, function, count, path),
        }
    }

    /// Fields that the algorithm has no use for.
    fn foreign_fields(&mut self, shape: &AlgorithmShape, path: &KeyPath) {
        let fields: [(&str, bool, &[Kind]); 12] = [
            ("function", shape.function.is_some(), &[Kind::Hash, Kind::Slots, Kind::Slice]),
            ("ranges", shape.ranges.is_some(), &[Kind::Range]),
            ("lists", shape.lists.is_some(), &[Kind::List]),
            ("otherwise", shape.otherwise.is_some(), &[Kind::Range, Kind::List, Kind::Date]),
            ("unit", shape.unit.is_some(), &[Kind::Date]),
            ("start", shape.start.is_some(), &[Kind::Date]),
            ("cycle", shape.cycle.is_some(), &[Kind::Date]),
            ("from", shape.from.is_some(), &[Kind::Slice]),
            ("length", shape.length.is_some(), &[Kind::Slice]),
            ("as", shape.slice_as.is_some(), &[Kind::Slice]),
            ("slots", shape.slots.is_some(), &[Kind::Slots]),
            ("owners", shape.owners.is_some(), &[Kind::Slots]),
        ];
        for (field, there, kinds) in fields {
            if there && !kinds.contains(&shape.kind) {
                let kinds: Vec<String> =
                    kinds.iter().map(|kind| format!("{kind:?}").to_lowercase()).collect();
                self.error_help(
                    &path.key(field),
                    format!(
                        "'{field}' is of no use in algorithm '{}'",
                        format!("{:?}", shape.kind).to_lowercase()
                    ),
                    format!("it belongs to {}", kinds.join(", ")),
                );
            }
        }
    }

    fn key_kind(
        &mut self,
        key: &KeyColumn,
        fits: bool,
        wanted: &str,
        help: &str,
        path: &KeyPath,
    ) -> Option<()> {
        if !fits {
            self.error_help(
                &path.key("kind"),
                format!("the key must be {wanted}, and '{}' is a {}", key.name, key.declared),
                help,
            );
        }
        fits.then_some(())
    }

    /// A value of the rule as the key column holds it, folded.
    fn scalar(&mut self, scalar: &ScalarShape, key: &KeyColumn, path: &KeyPath) -> Option<Value> {
        let value = match scalar {
            ScalarShape::Number(number) => Value::Int(*number),
            ScalarShape::Text(text) => Value::text(text.as_str()),
        };
        let context = Context::new(ServerKind::Unknown, "STRICT_ALL_TABLES", Some(0));
        match assign(&value, &key.declared, context) {
            Stored::Value(value) => {
                let folded = key.fold.apply(&value).map(|value| value.into_owned());
                if folded.is_none() {
                    self.error(path, format!("{value} has characters whose weight isn't known"));
                }
                folded
            }
            Stored::Unsure(why) => {
                self.error(
                    path,
                    format!("{value} is no value of a {} column: {why}", key.declared),
                );
                None
            }
        }
    }

    fn shard_number(&mut self, shard: u32, count: u32, path: &KeyPath) {
        if shard >= count {
            self.error(
                path,
                format!("shard {shard} doesn't exist: there are {count}, numbered from 0"),
            );
        }
    }

    fn otherwise(&mut self, shape: &AlgorithmShape, count: u32, path: &KeyPath) -> Option<u32> {
        if let Some(shard) = shape.otherwise {
            self.shard_number(shard, count, &path.key("otherwise"));
        }
        shape.otherwise
    }

    fn range(
        &mut self,
        shape: &AlgorithmShape,
        key: &KeyColumn,
        count: u32,
        path: &KeyPath,
    ) -> Option<Routing> {
        let otherwise = self.otherwise(shape, count, path);
        let path = path.key("ranges");
        let Some(ranges) = shape.ranges.as_ref().filter(|ranges| !ranges.is_empty()) else {
            self.error_help(
                &path,
                "'ranges' is missing",
                "write them in ascending order: [{below: 1000, shard: 0}, {shard: 1}]",
            );
            return None;
        };
        let mut read: Vec<(Option<Value>, u32)> = Vec::new();
        for (index, range) in ranges.iter().enumerate() {
            let path = path.index(index);
            self.shard_number(range.shard, count, &path.key("shard"));
            let end = match &range.below {
                Some(scalar) => Some(self.scalar(scalar, key, &path.key("below"))?),
                None if index + 1 < ranges.len() => {
                    self.error(&path, "only the last range may go without 'below'");
                    return None;
                }
                None => None,
            };
            if let (Some(end), Some((Some(before), _))) = (&end, read.last()) {
                if folded_order(before, end) != Some(Ordering::Less) {
                    self.error(
                        &path.key("below"),
                        format!("{end} is not above {before}, where the range before ends"),
                    );
                }
            }
            read.push((end, range.shard));
        }
        if otherwise.is_some() && matches!(read.last(), Some((None, _))) {
            self.error(
                &path,
                "the last range takes all other values, so 'otherwise' is never reached",
            );
        }
        Some(Routing::Range(RangeRule { ranges: read, otherwise }))
    }

    fn list(
        &mut self,
        shape: &AlgorithmShape,
        key: &KeyColumn,
        count: u32,
        path: &KeyPath,
    ) -> Option<Routing> {
        let otherwise = self.otherwise(shape, count, path);
        let path = path.key("lists");
        let Some(lists) = shape.lists.as_ref().filter(|lists| !lists.is_empty()) else {
            self.error_help(&path, "'lists' is missing", "write: [{values: [1, 2], shard: 0}]");
            return None;
        };
        let mut entries: Vec<(Value, u32)> = Vec::new();
        for (index, list) in lists.iter().enumerate() {
            let path = path.index(index);
            self.shard_number(list.shard, count, &path.key("shard"));
            for (index, scalar) in list.values.iter().enumerate() {
                let path = path.key("values").index(index);
                let Some(value) = self.scalar(scalar, key, &path) else { continue };
                if entries.iter().any(|(known, _)| *known == value) {
                    self.error(&path, format!("{value} is listed twice"));
                }
                entries.push((value, list.shard));
            }
        }
        Some(Routing::List(ListRule::new(entries, otherwise)))
    }

    fn date(
        &mut self,
        shape: &AlgorithmShape,
        key: &KeyColumn,
        count: u32,
        path: &KeyPath,
    ) -> Option<Routing> {
        let otherwise = self.otherwise(shape, count, path);
        let Some(unit) = shape.unit else {
            self.error_help(path, "'unit' is missing", "it is year, month, week or day");
            return None;
        };
        let unit = match unit {
            DateUnitShape::Year => DateUnit::Year,
            DateUnitShape::Month => DateUnit::Month,
            DateUnitShape::Week => DateUnit::Week,
            DateUnitShape::Day => DateUnit::Day,
        };
        let dated = matches!(
            key.declared,
            ColumnType::Date | ColumnType::DateTime { .. } | ColumnType::Timestamp { .. }
        ) || unit == DateUnit::Year && key.declared == ColumnType::Year;
        self.key_kind(key, dated, "a date", "declare its type: date, datetime or timestamp", path)?;
        let path_of_start = path.key("start");
        let Some(written) = &shape.start else {
            self.error_help(
                path,
                "'start' is missing",
                "write the first day of shard 0: '2024-01-01'",
            );
            return None;
        };
        let start = parse_datetime(written)
            .filter(|parsed| !parsed.has_time && parsed.value.date.is_real());
        let Some(start) = start.map(|parsed| parsed.value.date) else {
            self.error(&path_of_start, format!("'{written}' is no date"));
            return None;
        };
        let first = match unit {
            DateUnit::Year => start.month == 1 && start.day == 1,
            DateUnit::Month => start.day == 1,
            DateUnit::Week | DateUnit::Day => true,
        };
        if !first {
            self.error_help(
                &path_of_start,
                format!("{start} is not the first day of a {unit:?}").to_lowercase(),
                "each shard holds whole units",
            );
        }
        let cycle = shape.cycle.unwrap_or(false);
        if cycle && otherwise.is_some() {
            self.error(
                &path.key("otherwise"),
                "with 'cycle' every date has a shard, so 'otherwise' is never reached",
            );
        }
        Some(Routing::Date(DateRule { unit, start, cycle, otherwise }))
    }

    fn slice(
        &mut self,
        shape: &AlgorithmShape,
        key: &KeyColumn,
        function: HashFunction,
        path: &KeyPath,
    ) -> Option<Routing> {
        let fits = key.declared.is_character() || matches!(key.declared, ColumnType::Int { .. });
        self.key_kind(key, fits, "a text or an integer", "hash takes every type", path)?;
        if matches!(key.fold, crate::rules::algorithm::fold::Fold::Weights(_)) {
            self.error_help(
                path,
                "characters can't be cut out of a collation's weights",
                "give the key 'fold: none', trim or ascii_ci",
            );
        }
        let (Some(from), Some(length)) = (shape.from, shape.length) else {
            self.error_help(
                path,
                "'from' and 'length' are missing",
                "from: -4, length: 4 are the last four characters",
            );
            return None;
        };
        let hash = match shape.slice_as {
            Some(SliceAsShape::Hash) => Some(function),
            Some(SliceAsShape::Number) => None,
            None => {
                self.error_help(
                    path,
                    "'as' is missing",
                    "as: number takes the remainder of the digits, as: hash hashes the characters",
                );
                return None;
            }
        };
        if hash.is_none() && shape.function.is_some() {
            self.error(&path.key("function"), "'function' is of no use with as: number");
        }
        if hash.is_none() && length > 18 {
            self.error(&path.key("length"), "a number has at most 18 digits here");
        }
        Some(Routing::Slice(SliceRule { from, length, hash }))
    }

    fn slots(
        &mut self,
        shape: &AlgorithmShape,
        function: HashFunction,
        count: u32,
        path: &KeyPath,
    ) -> Option<Routing> {
        let slots = shape.slots.unwrap_or(DEFAULT_SLOTS);
        let Some(written) = &shape.owners else {
            if slots < count {
                self.error(
                    &path.key("slots"),
                    format!("{slots} slots can't be spread over {count} shards"),
                );
                return None;
            }
            let owner = |slot: u32| u64::from(slot) * u64::from(count) / u64::from(slots);
            let owners = (0..slots).filter_map(|slot| u32::try_from(owner(slot)).ok()).collect();
            return Some(Routing::Slots { function, owners });
        };
        let path = path.key("owners");
        let mut owners: Vec<Option<u32>> = vec![None; slots as usize];
        for (index, owner) in written.iter().enumerate() {
            let path = path.index(index);
            self.shard_number(owner.shard, count, &path.key("shard"));
            if owner.from > owner.to || owner.to >= slots {
                self.error(
                    &path,
                    format!(
                        "slots {} to {} are not among 0 to {}",
                        owner.from,
                        owner.to,
                        slots - 1
                    ),
                );
                continue;
            }
            for slot in owner.from..=owner.to {
                match owners.get_mut(slot as usize) {
                    Some(place @ None) => *place = Some(owner.shard),
                    _ => {
                        self.error(&path, format!("slot {slot} has an owner already"));
                        break;
                    }
                }
            }
        }
        if let Some(slot) = owners.iter().position(Option::is_none) {
            self.error(&path, format!("slot {slot} has no owner"));
        }
        Some(Routing::Slots { function, owners: owners.into_iter().flatten().collect() })
    }
}
