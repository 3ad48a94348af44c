//! The reader of rules on any text: it never panics, says of each problem where it is, and what it
//! takes routes every value to a shard that is there. Shared by the fuzz target and the plain tests.

use std::ops::Bound;

use weir::rules::Rules;
use weir::rules::check::load_text;
use weir::rules::diff::diff;
use weir::rules::key::KeyCondition;
use weir::rules::table::{Placement, ShardedTable};
use weir::value::{CharsetClass, Text, Value};

/// What a file, or several put together, must survive.
pub fn take_in(text: &str) {
    let checked = load_text(&[("fuzz.yaml", text)], &|name| (name != "UNSET").then(|| name.into()));
    // YAML's line breaks (YAML 1.1, 4.2), of which a file may hold odd ones.
    let breaks = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
    let lines = text.matches(breaks).count() + 1;
    for problem in &checked.problems {
        assert!(problem.position.line <= lines + 1, "{problem} of {lines} lines");
        assert!(!problem.message.is_empty());
    }
    let Some(rules) = checked.rules else {
        assert!(!checked.problems.is_empty(), "no rules, and no problem that says why");
        return;
    };
    assert!(diff(&rules, &rules).is_empty(), "rules differ from themselves");
    routes(&rules);
}

fn routes(rules: &Rules) {
    for schema in rules.schemas() {
        for (_, placement) in schema.tables() {
            if let Placement::Sharded(table) = placement {
                sharded(table);
            }
        }
    }
}

fn sharded(table: &ShardedTable) {
    let values = [
        Value::Int(i64::MIN),
        Value::Int(-1),
        Value::UInt(u64::MAX),
        Value::Text(Text { bytes: Box::from(&b"2024-02-29"[..]), charset: CharsetClass::Utf8 }),
        Value::Binary(Box::from(&b"\xff"[..])),
        Value::Null,
    ];
    for value in values {
        let row = vec![value.clone(); table.keys.len()];
        if let Ok(shard) = table.shard_of_row(&row) {
            assert!(table.shard(shard).is_some(), "shard {shard} of {}", table.count());
        }
        let equal = vec![KeyCondition::Equal(value.clone()); table.keys.len()];
        let from = KeyCondition::Range { low: Bound::Included(value), high: Bound::Unbounded };
        for conditions in [equal, vec![from; table.keys.len()], Vec::new()] {
            for shard in table.shards_for(&conditions).iter() {
                assert!(table.shard(shard).is_some(), "shard {shard} of {}", table.count());
            }
        }
    }
}
