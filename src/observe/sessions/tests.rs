use super::*;

fn peer() -> Peer {
    Peer::Tcp(SocketAddr::from(([192, 0, 2, 7], 4000)))
}

#[test]
fn ids_carry_the_proxy_and_are_unique_while_live() {
    let registry = Registry::new(0xabc);
    let a = registry.register(peer(), 0);
    assert_eq!(a.id() >> LOCAL_BITS, 0xabc);
    assert_eq!(a.id() & LOCAL_MASK, 1);
    // The counter wraps: neither 0 nor a live id is given again.
    registry.next.store(LOCAL_MASK, Ordering::Relaxed);
    let last = registry.register(peer(), 0);
    let b = registry.register(peer(), 0);
    assert_eq!(last.id() & LOCAL_MASK, LOCAL_MASK);
    assert_eq!(b.id() & LOCAL_MASK, 2);
    assert_eq!(registry.len(), 3);
    drop((a, b, last));
    assert!(registry.is_empty());
    assert!(registry.list().is_empty());
}

#[test]
fn kill_reaches_its_session_only() {
    let registry = Registry::new(7);
    let a = registry.register(peer(), 0);
    let b = registry.register(peer(), 1);
    registry.kill(a.id().into(), Target::Connection, |_| true).unwrap();
    assert_eq!(a.stop(Watch::InTransaction), Some(Stop::Kill));
    assert_eq!(b.stop(Watch::Statement), None);

    let denied =
        registry.kill(b.id().into(), Target::Query, |entry| entry.user().is_some()).unwrap_err();
    assert_eq!((denied.errno, denied.code), (1095, "kill_denied"));
    assert_eq!(b.stop(Watch::Statement), None);

    let stranger =
        registry.kill((b.id() ^ (1 << LOCAL_BITS)).into(), Target::Query, |_| true).unwrap_err();
    assert_eq!(stranger.errno, 1094);
    assert!(stranger.message.contains("belongs to proxy 6"), "{stranger}");
    for unknown in [u64::from(b.id() + 1), u64::MAX] {
        assert_eq!(registry.kill(unknown, Target::Query, |_| true).unwrap_err().errno, 1094);
    }
}

#[test]
fn a_kill_query_between_statements_hits_nothing() {
    let registry = Registry::new(0);
    let a = registry.register(peer(), 0);
    a.begin("Query", b"SELECT 1");
    a.end();
    registry.kill(a.id().into(), Target::Query, |_| true).unwrap();
    assert_eq!(a.stop(Watch::Idle), None);
    a.begin("Query", b"SELECT 2");
    assert_eq!(a.stop(Watch::Statement), None);
    registry.kill(a.id().into(), Target::Query, |_| true).unwrap();
    assert_eq!(a.stop(Watch::Statement), Some(Stop::Query));
    // KILL outweighs it and isn't forgotten.
    registry.kill(a.id().into(), Target::Connection, |_| true).unwrap();
    a.begin("Query", b"SELECT 3");
    assert_eq!(a.stop(Watch::Statement), Some(Stop::Kill));
}

#[tokio::test]
async fn a_drain_waits_for_transactions_and_reaches_latecomers() {
    let registry = Registry::new(0);
    let a = registry.register(peer(), 0);
    registry.drain();
    let late = registry.register(peer(), 0);
    assert_eq!(a.stop(Watch::InTransaction), None);
    assert_eq!(a.stop(Watch::Statement), None);
    assert_eq!(a.stopped(Watch::Idle).await, Stop::Drain);
    assert_eq!(late.stopped(Watch::Idle).await, Stop::Drain);
    registry.shut_down();
    assert_eq!(a.stopped(Watch::InTransaction).await, Stop::Shutdown);
    let emptied = tokio::spawn({
        let registry = registry.clone();
        async move { registry.empty().await }
    });
    drop(a);
    drop(late);
    emptied.await.unwrap();
}

#[tokio::test]
async fn a_waiting_session_is_woken_from_another_thread() {
    let registry = Registry::new(0);
    let a = registry.register(peer(), 0);
    let id = a.id();
    let killer = std::thread::spawn({
        let registry = registry.clone();
        move || {
            std::thread::sleep(Duration::from_millis(20));
            registry.kill(id.into(), Target::Connection, |_| true)
        }
    });
    assert_eq!(a.stopped(Watch::Idle).await, Stop::Kill);
    killer.join().unwrap().unwrap();
}

#[test]
fn the_list_shows_what_runs_in_bounds() {
    let registry = Registry::new(0);
    let a = registry.register(Peer::Unix, 3);
    assert_eq!(registry.list()[0].command, "Connect");
    a.log_in(UserName::new("shop"), Some(SchemaName::new("store")));
    a.begin("Query", "é".repeat(SHOWN_STATEMENT).as_bytes());
    a.set_state(State::SendingRows);
    a.set_in_transaction(true);
    let shown = registry.list().remove(0);
    assert_eq!((shown.worker, shown.command, shown.state), (3, "Query", State::SendingRows));
    assert_eq!(shown.user, Some(UserName::new("shop")));
    assert_eq!(shown.statement, "é".repeat(SHOWN_STATEMENT / 2));
    assert!(shown.in_transaction);
    assert_eq!(shown.statements, 1);
    a.end();
    let shown = registry.list().remove(0);
    assert_eq!((shown.command, shown.statement.as_str()), ("Sleep", ""));
}
