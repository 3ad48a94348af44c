use super::*;
use crate::rules::table::Placement;

fn no_variables(_: &str) -> Option<String> {
    None
}

const GROUPS: &str = "
groups:
  g0: {primary: {address: '127.0.0.1:1'}}
  g1: {primary: {address: '[::1]:2'}}
group_defaults: {accounts: {data: {user: weir, password: none}}}
";

/// Rules of two groups and these tables of schema `s`.
pub(crate) fn rules_of(tables: &str) -> Rules {
    let tables = tables.replace('\n', "\n      ");
    let text =
        format!("schemas:\n  s:\n    databases: {{g0: s0, g1: s1}}\n    tables:\n      {tables}");
    let checked = load_text(&[("groups.yaml", GROUPS), ("tables.yaml", &text)], &no_variables);
    let shown: Vec<String> = checked.problems.iter().map(ToString::to_string).collect();
    checked.rules.unwrap_or_else(|| panic!("{}", shown.join("\n")))
}

#[test]
fn shipped_rules_load_without_a_warning() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let mut seen = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let checked = load(&path);
            assert_eq!(checked.problems, [], "{}", path.display());
            assert!(checked.rules.is_some());
            seen += 1;
        }
    }
    assert!(seen >= 3);
}

#[test]
fn the_shop_is_laid_out_as_it_says() {
    let checked = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/shop"));
    let rules = checked.rules.unwrap();
    let shop = rules.schema("shop").unwrap();
    let sharded = |name: &str| match shop.table(name) {
        Placement::Sharded(table) => table,
        other => panic!("{name} is {other:?}"),
    };
    let (users, orders, items) = (sharded("users"), sharded("orders"), sharded("items"));
    assert_eq!(users.binding, orders.binding);
    assert_eq!(users.binding, sharded("order_items").binding);
    assert_ne!(users.binding, items.binding);
    assert_eq!(items.binding, sharded("stock").binding);
    let shard = orders.shard(13).unwrap();
    assert_eq!(
        (shard.group, &*shard.database, &*shard.table),
        (GroupId(1), "shop_0003", "orders_0013")
    );
    assert_eq!(users.shard(3).unwrap().group, GroupId(0));
    assert!(
        matches!(shop.table("coupons"), Placement::Single(single) if !single.default && single.group == GroupId(0))
    );
    assert!(
        matches!(shop.table("unknown"), Placement::Single(single) if single.default && &*single.database == "shop_0000")
    );
    let Placement::Broadcast(regions) = shop.table("regions") else { panic!() };
    assert_eq!(regions.database_in(GroupId(1)).map(|name| &**name), Some("shop_0002"));
    assert!(rules.user("admin").unwrap().rights.admin);
    assert!(!rules.user("shop").unwrap().may_use("mysql"));
}

#[test]
fn the_hash_is_of_what_is_said_not_how() {
    let first = load_text(&[("a.yaml", GROUPS)], &no_variables).rules.unwrap().hash;
    let split: Vec<(&str, &str)> = vec![
        ("x.yaml", "groups:\n  g1: {primary: {address: '[::1]:2'}} # a comment"),
        ("y.yaml", "group_defaults: {accounts: {data: {password: none, user: weir}}}"),
        ("z.yaml", "groups: {g0: {primary: {address: \"127.0.0.1:1\"}}}"),
    ];
    assert_eq!(load_text(&split, &no_variables).rules.unwrap().hash, first);
    let other = GROUPS.replace("127.0.0.1:1", "127.0.0.1:3");
    assert_ne!(load_text(&[("a.yaml", &other)], &no_variables).rules.unwrap().hash, first);
}

#[test]
fn tables_sharded_alike_are_bound_by_themselves() {
    let rules = rules_of(
        "a: {key: [{column: x}], algorithm: {kind: hash}, shards: {databases: 'd{0}', groups: [g0, g1], tables: 'a{0}'}}\n\
         b: {key: [{column: y, type: int}], algorithm: {kind: hash}, shards: {databases: 'd{0}', groups: [g0, g1], tables: 'b{0}'}}\n\
         c: {key: [{column: y}], algorithm: {kind: hash}, shards: {databases: 'd{0}', groups: [g1, g0], tables: 'c{0}'}}\n\
         d: {key: [{column: y, type: date}], algorithm: {kind: hash}, shards: {databases: 'd{0}', groups: [g0, g1], tables: 'd{0}'}}",
    );
    let binding = |name: &str| match rules.schema("s").unwrap().table(name) {
        Placement::Sharded(table) => table.binding,
        other => panic!("{other:?}"),
    };
    assert_eq!(binding("a"), binding("b"));
    assert_ne!(binding("a"), binding("c"));
    assert_ne!(binding("a"), binding("d"));
}

/// Whatever is cut out of or put into a rule, the check answers; it never panics.
#[test]
fn damaged_rules_are_answered() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/tddl");
    let text = std::fs::read_to_string(directory.join("tables.yaml")).unwrap();
    let groups = std::fs::read_to_string(directory.join("topology.yaml")).unwrap();
    let try_out = |text: &str| {
        let checked = load_text(&[("groups.yaml", &groups), ("tables.yaml", text)], &no_variables);
        for problem in &checked.problems {
            assert!(!problem.position.file.is_empty() || problem.path.0.is_empty(), "{problem}");
        }
        assert!(checked.rules.is_some() || !checked.problems.is_empty());
    };
    let places: Vec<usize> = text.char_indices().map(|(index, _)| index).collect();
    for (count, place) in places.iter().enumerate().step_by(29) {
        let (before, after) = text.split_at(*place);
        try_out(before);
        let word = [
            "{",
            "}",
            "\"",
            "#",
            ": ",
            "- ",
            "\u{0}",
            "💥",
            "&a *a",
            "<<: ",
            "[[[[",
            "999999999999999999999",
        ];
        try_out(&format!("{before}{}{after}", word[count % word.len()]));
        // A word is lost.
        let rest = after.find([' ', '\n']).map_or("", |end| &after[end..]);
        try_out(&format!("{before}{rest}"));
    }
}
