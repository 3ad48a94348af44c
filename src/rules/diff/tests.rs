use super::*;
use crate::rules::check::load_text;

const BASE: &str = "
groups:
  g0: {primary: {address: '127.0.0.1:1'}}
  g1: {primary: {address: '127.0.0.1:2'}}
group_defaults: {accounts: {data: {user: weir, password: none}}}
schemas:
  s:
    databases: {g0: s0, g1: s1}
    tables:
      t: {key: [{column: id}], algorithm: {kind: modulo}, shards: {count: 4, databases: 's{0}', groups: [g0, g1], tables: 't_{0}'}}
      b: {broadcast: true}
      c: {group: g0}
users:
  u: {native: '*0000000000000000000000000000000000000000', schemas: [s]}
";

/// The changes of an edit of [`BASE`], the ones that move rows marked with `!`.
fn changes(edits: &[(&str, &str)]) -> Vec<String> {
    let mut text = BASE.to_string();
    for (from, to) in edits {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let load = |text: &str| {
        let checked = load_text(&[("rules.yaml", text)], &|_| None);
        checked.rules.unwrap_or_else(|| panic!("{:?}", checked.problems))
    };
    diff(&load(BASE), &load(&text))
        .changes
        .iter()
        .map(|change| format!("{}{change}", if change.moves_rows { "! " } else { "" }))
        .collect()
}

#[test]
fn edits_that_move_rows_are_told_from_those_that_do_not() {
    let sharded = "algorithm: {kind: modulo}";
    for (edits, expected) in [
        (
            vec![("127.0.0.1:1", "127.0.0.1:9")],
            "group g0: primary 127.0.0.1:9 instead of 127.0.0.1:1",
        ),
        (
            vec![("groups: [g0, g1]", "groups: [g1, g0]")],
            "! table s.t: shard 0 is g1.s0.t_0 instead of g0.s0.t_0",
        ),
        (vec![("count: 4", "count: 8")], "! table s.t: 8 shards instead of 4"),
        (vec![(sharded, "algorithm: {kind: hash}")], "! table s.t: another algorithm"),
        (vec![("column: id", "column: uid")], "! table s.t: shard key uid instead of id"),
        (vec![("column: id", "column: id, type: int")], "table s.t: changed"),
        (
            vec![
                ("column: id}", "column: id, type: date}"),
                (sharded, "algorithm: {kind: date, unit: day, start: '2024-01-01', cycle: true}"),
            ],
            "! table s.t: the shard key has another type or fold",
        ),
        (vec![("'t_{0}'", "'u_{0}'")], "! table s.t: shard 0 is g0.s0.u_0 instead of g0.s0.t_0"),
        (vec![("c: {group: g0}", "c: {group: g1}")], "! table s.c: g1.s1.c instead of g0.s0.c"),
        // Where it was anyway.
        (vec![("      c: {group: g0}\n", "")], "table s.c: removed"),
        (
            vec![("      b: {broadcast: true}\n", "")],
            "! table s.b: removed: single (no rule) instead of broadcast",
        ),
        (
            vec![("c: {group: g0}", "c: {group: g0}\n      n: {broadcast: true}")],
            "! table s.n: added: broadcast instead of single (no rule)",
        ),
        (
            vec![(
                "groups: [g0, g1], tables: 't_{0}'}",
                "groups: [g0, g1], tables: 't_{0}'}, scatter_reads: false",
            )],
            "table s.t: changed",
        ),
        // A sequence may come and start later, but not count anew.
        (
            vec![(
                "b: {broadcast: true}",
                "b: {broadcast: true, sequence: {column: id, kind: segment}}",
            )],
            "table s.b: changed",
        ),
        (vec![("schemas: [s]", "schemas: ['*']")], "user u: changed"),
        (
            vec![("users:", "settings: {scatter_writes: false}\nusers:")],
            "settings: changed\ntable s.t: changed",
        ),
    ] {
        assert_eq!(changes(&edits).join("\n"), expected, "{edits:?}");
    }
    // Another default group: single tables without a rule, and broadcast copies stay.
    let found = changes(&[(
        "databases: {g0: s0, g1: s1}",
        "default_group: g1\n    databases: {g0: s0, g1: s1}",
    )]);
    assert_eq!(
        found,
        ["! schema s: tables that no rule names are looked for in g1.s1 instead of g0.s0"]
    );
    assert_eq!(changes(&[]), Vec::<String>::new());
}

#[test]
fn moved_rows_are_acknowledged_for_one_edit_only() {
    let load = |text: &str| load_text(&[("rules.yaml", text)], &|_| None);
    let old = load(BASE).rules.unwrap();
    let edited = BASE.replace("count: 4", "count: 8");
    let refusal = {
        let checked = load(&edited);
        diff(&old, &checked.rules.unwrap()).refusal(&old, checked.moved.as_ref()).unwrap()
    };
    // The sentence holds the very line that acknowledges the edit.
    let line = refusal.split("in the rules: ").nth(1).unwrap();
    let checked = load(&format!("{edited}\n{line}\n"));
    let new = checked.rules.unwrap();
    assert_eq!(diff(&old, &new).refusal(&old, checked.moved.as_ref()), None);
    // Left in the files, it lets no later edit through.
    let later = load(&format!("{}\n{line}\n", BASE.replace("count: 4", "count: 16")));
    assert!(diff(&new, &later.rules.unwrap()).refusal(&new, later.moved.as_ref()).is_some());
}

#[test]
fn sequences_that_would_count_anew_are_refused() {
    let with = |sequence: &str| {
        let text = BASE.replace(
            "b: {broadcast: true}",
            &format!("b: {{broadcast: true, sequence: {{column: id, {sequence}}}}}"),
        );
        let checked = load_text(&[("rules.yaml", &text)], &|_| None);
        checked.rules.unwrap_or_else(|| panic!("{:?}", checked.problems))
    };
    let changes = |before: &str, after: &str| {
        let changes = diff(&with(before), &with(after)).changes;
        let mut lines = changes.iter().map(|change| (change.moves_rows, change.what.clone()));
        lines.next_back()
    };
    let segment = "kind: segment, groups: [g0, g1]";
    for (before, after, expected) in [
        (segment, "kind: segment, groups: [g0, g1], step: 50", "another step"),
        (segment, "kind: segment, groups: [g1, g0]", "other groups"),
        (segment, "kind: segment, groups: [g0, g1], table: t2", "another table"),
        (segment, "kind: segment, groups: [g0, g1], name: n", "another name"),
        (segment, "kind: snowflake, groups: [g0]", "another kind"),
        (
            "kind: snowflake, groups: [g0]",
            "kind: snowflake, groups: [g1]",
            "another table of leases",
        ),
        (
            "kind: snowflake, groups: [g0]",
            "kind: snowflake, groups: [g0], worker_bits: 9",
            "another epoch or other bits",
        ),
    ] {
        let (moves, what) = changes(before, after).unwrap();
        assert!(moves && what.contains(expected), "{after}: {what}");
    }
    let raised = changes(segment, "kind: segment, groups: [g0, g1], start: 5000, adjust: true");
    assert_eq!(raised, Some((false, "changed".to_owned())));
    assert_eq!(changes(segment, segment), None);
}

/// A lookup table is made for a unique index, or for one that isn't.
#[test]
fn an_index_that_turns_unique_is_refused() {
    let with = |unique: bool| {
        let index = format!(
            "indexes: {{by_v: {{columns: [{{column: v, type: int}}], unique: {unique}, state: ready}}}}"
        );
        let text = BASE.replace("tables: 't_{0}'}}", &format!("tables: 't_{{0}}'}}, {index}}}"));
        let checked = load_text(&[("rules.yaml", &text)], &|_| None);
        checked.rules.unwrap_or_else(|| panic!("{:?}", checked.problems))
    };
    for (was, is, word) in [(false, true, "is unique now"), (true, false, "is not unique now")] {
        let changes = diff(&with(was), &with(is)).changes;
        assert!(
            changes.iter().any(|change| change.moves_rows && change.what.contains(word)),
            "{changes:?}"
        );
        assert_eq!(diff(&with(was), &with(was)).changes.len(), 0);
    }
}
