use super::*;

fn text(change: &Change) -> String {
    String::from_utf8(change.set.clone().unwrap_or_default()).unwrap()
}

fn settled(state: &State) -> Applied {
    let mut applied = Applied::fresh(None);
    applied.now(state);
    applied
}

#[test]
fn a_fresh_connection_is_told_its_charset_even_if_it_is_the_default() {
    let applied = Applied::fresh(None);
    let wanted = State::default();
    assert!(!applied.satisfies(&wanted));
    let change = applied.change(&wanted, Kind::MySql);
    let text = text(&change);
    let set = text.strip_prefix(std::str::from_utf8(TRACKERS).unwrap()).unwrap();
    assert_eq!(set, ",NAMES utf8mb4 COLLATE utf8mb4_general_ci");
    assert_eq!(change.key().len(), change.fallible);
}

#[test]
fn equal_states_send_nothing_whoever_made_them() {
    let (mut one, mut two) = (State::default(), State::default());
    one.set_variable("sql_mode", Some(b"'ANSI'"));
    one.set_variable("time_zone", Some(b"'+01:00'"));
    two.set_variable("time_zone", Some(b"'+01:00'"));
    two.set_variable("sql_mode", Some(b"'ANSI'"));
    assert_eq!(one, two);
    let applied = settled(&one);
    assert!(applied.satisfies(&two));
    assert!(applied.change(&two, Kind::MySql).is_empty());
}

#[test]
fn what_the_next_session_never_set_goes_back_to_its_default() {
    let mut first = State::default();
    first.set_variable("sql_mode", Some(b"'ANSI'"));
    first.set_variable("time_zone", Some(b"'+01:00'"));
    first.set_isolation(Some(Isolation::Serializable));
    first.set_autocommit(false);
    first.set_user_variable("a`b", Some(b"1"));
    let mut second = State::default();
    second.set_variable("time_zone", Some(b"'+02:00'"));
    second.set_user_variable("c", Some(b"2"));
    let change = settled(&first).change(&second, Kind::MariaDb);
    assert_eq!(
        text(&change),
        "SET @@SESSION.tx_isolation=DEFAULT,@@SESSION.autocommit=1,@@SESSION.sql_mode=DEFAULT,\
         @@SESSION.time_zone='+02:00',@`a``b`=NULL,@`c`=2"
    );
    let key = String::from_utf8(change.key().to_vec()).unwrap();
    assert!(key.ends_with("time_zone='+02:00'"), "user variables can't fail: {key}");
}

#[test]
fn user_variables_alone_can_always_be_pipelined() {
    let mut wanted = State::default();
    wanted.set_user_variable("a", Some(b"1"));
    let change = settled(&State::default()).change(&wanted, Kind::MySql);
    assert_eq!(text(&change), "SET @`a`=1");
    assert!(change.key().is_empty());
}

#[test]
fn a_session_without_a_database_takes_any_and_does_not_hide_it_from_the_next() {
    let shop: Arc<str> = Arc::from("shop");
    let in_shop = State::default().in_database(Some(&shop));
    let mut applied = settled(&in_shop);
    assert!(applied.satisfies(&State::default()));
    applied.now(&State::default());
    assert_eq!(applied.state().database(), Some("shop"));
    assert!(applied.satisfies(&in_shop));
    let other = State::default().in_database(Some(&Arc::from("other")));
    let change = applied.change(&other, Kind::MySql);
    assert_eq!(change.database.as_deref(), Some("other"));
    assert_eq!(change.set, None);
}

#[test]
fn a_reset_keeps_the_database_and_forgets_the_rest() {
    let mut state = State::default().in_database(Some(&Arc::from("shop")));
    state.set_variable("sql_mode", Some(b"'ANSI'"));
    let mut applied = settled(&state);
    applied.reset();
    assert_eq!(applied.state().database(), Some("shop"));
    assert_eq!(applied.state().variable("sql_mode"), None);
    assert!(!applied.satisfies(applied.state()), "the charset is unknown");
}

#[test]
fn changing_one_session_leaves_its_copies_alone() {
    let mut state = State::default();
    let copy = state.clone();
    state.set_variable("sql_mode", Some(b"'ANSI'"));
    assert_eq!(copy.variable("sql_mode"), None);
    state.set_variable("sql_mode", None);
    assert_eq!(state, copy);
}

#[test]
fn quoted_values_mean_the_same_in_each_mode() {
    assert_eq!(quote(b"+01:00", "utf8mb4"), b"'+01:00'");
    assert_eq!(quote(b"", "utf8mb4"), b"''");
    assert_eq!(quote(b"a'b", "utf8mb4"), b"_utf8mb4 0x612762");
    assert_eq!(quote(b"a\\", "gbk"), b"_gbk 0x615C");
    assert_eq!(quote("ä".as_bytes(), "utf8mb4"), b"_utf8mb4 0xC3A4");
}

#[test]
fn names_that_are_not_ascii_are_only_said_in_utf8() {
    let mut wanted = State::default();
    wanted.set_user_variable("größe", Some(b"1"));
    // A connection that reads UTF-8 is told as usual.
    let change = settled(&State::default()).change(&wanted, Kind::MySql);
    assert!(!change.utf8_first);
    assert_eq!(text(&change), "SET @`größe`=1");
    // In gbk the last byte of a name could swallow the quote behind it.
    let mut chinese = State::default();
    let client = Charset { client: "gbk".into(), ..Charset::default() };
    chinese.set_charset(client.clone());
    let change = settled(&chinese).change(&wanted, Kind::MySql);
    assert!(change.utf8_first && text(&change).contains("NAMES utf8mb4"));
    wanted.set_charset(client);
    let change = settled(&chinese).change(&wanted, Kind::MySql);
    assert!(change.utf8_first);
    assert!(text(&change).contains("character_set_client=gbk"), "and back: {}", text(&change));
    let named = chinese.in_database(Some(&"größe".into()));
    let change = settled(&chinese).change(&named, Kind::MySql);
    assert!(change.utf8_first && change.set.is_some());
    assert!(Applied::fresh(None).change(&named, Kind::MySql).utf8_first);
}

#[test]
fn a_value_that_its_charset_may_not_know_is_waited_for() {
    let mut wanted = State::default();
    wanted.set_user_variable("a", Some(b"'plain'"));
    wanted.set_user_variable("b", Some(&quote(b"\xff", "utf8mb4")));
    wanted.set_user_variable("c", Some(b"-1.5e3"));
    let change = settled(&State::default()).change(&wanted, Kind::MySql);
    assert_eq!(text(&change), "SET @`b`=_utf8mb4 0xFF,@`a`='plain',@`c`=-1.5e3");
    assert_eq!(change.key(), b"SET @`b`=_utf8mb4 0xFF");
    for (value, plain) in
        [("1", true), ("'a'", true), ("''", true), ("f()", false), ("'a'||'b'", false)]
    {
        assert_eq!(is_plain(value.as_bytes()), plain, "{value}");
    }
}

#[test]
fn a_placed_state_follows_the_session_s() {
    let mut placed = Placed::default();
    let (one, two): (Arc<str>, Arc<str>) = (Arc::from("one"), Arc::from("two"));
    let mut state = State::default();
    let first = placed.of(&state, Some(&one));
    assert_eq!(first.database(), Some("one"));
    assert_eq!(placed.of(&state, Some(&two)).database(), Some("two"));
    // The very same one again, and not another's.
    assert!(Arc::ptr_eq(&placed.of(&state, Some(&one)).0, &first.0));
    assert_eq!(placed.of(&state, None), state);
    state.set_variable("sql_mode", Some(b"''"));
    let changed = placed.of(&state, Some(&one));
    assert_eq!(changed.variable("sql_mode"), Some(b"''".as_slice()));
    assert_eq!(changed, state.in_database(Some(&one)));
    for number in 0..3 * PLACES {
        let name: Arc<str> = Arc::from(format!("d{number}"));
        assert_eq!(placed.of(&state, Some(&name)).database(), Some(&*name));
        assert!(placed.all.len() <= PLACES);
    }
}
