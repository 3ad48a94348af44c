use super::*;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(1)
}

#[tokio::test]
async fn the_next_waits_until_one_comes_back() {
    let permits = Permits::new(1, 10, 2);
    let first = permits.acquire(0, soon()).await.unwrap();
    assert_eq!(permits.in_use(), 1);
    let other = permits.clone();
    let waiter = tokio::spawn(async move { other.acquire(1, soon()).await });
    while permits.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    drop(first);
    let second = waiter.await.unwrap().unwrap();
    assert_eq!((permits.in_use(), permits.waiting()), (1, 0));
    drop(second);
    assert_eq!(permits.in_use(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_the_wait_and_says_how_long_it_was() {
    let permits = Permits::new(1, 10, 1);
    let _held = permits.acquire(0, soon()).await.unwrap();
    let refused = permits.acquire(0, Instant::now() + Duration::from_millis(70)).await.unwrap_err();
    let Refusal::Late { waited } = refused else { panic!("{refused:?}") };
    assert!(waited >= Duration::from_millis(70), "{waited:?}");
    assert_eq!(permits.waiting(), 0);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let permits = Permits::new(1, 1, 1);
    let _held = permits.acquire(0, soon()).await.unwrap();
    let other = permits.clone();
    let waiter = tokio::spawn(async move { other.acquire(0, soon()).await.map(drop) });
    while permits.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(permits.acquire(0, soon()).await.unwrap_err(), Refusal::Queue { waiting: 1 });
    waiter.abort();
}

#[tokio::test]
async fn a_waiter_dropped_before_or_after_its_grant_loses_no_permit() {
    for granted_first in [false, true] {
        let permits = Permits::new(1, 10, 1);
        let held = permits.acquire(0, soon()).await.unwrap();
        let mut waiter = Box::pin(permits.acquire(0, soon()));
        assert!(poll_once(&mut waiter).await.is_none());
        if granted_first {
            drop(held);
            drop(waiter);
        } else {
            drop(waiter);
            drop(held);
        }
        assert_eq!((permits.in_use(), permits.waiting()), (0, 0), "granted first: {granted_first}");
    }
}

#[tokio::test]
async fn waiters_that_gave_up_are_forgotten() {
    let permits = Permits::new(1, 10, 1);
    let _held = permits.acquire(0, soon()).await.unwrap();
    for _ in 0..1000 {
        let mut waiter = Box::pin(permits.acquire(0, soon()));
        assert!(poll_once(&mut waiter).await.is_none());
    }
    let queued: usize = permits.0.lock().waiters.iter().map(VecDeque::len).sum();
    assert!(queued < 100, "{queued} dead waiters are kept");
}

#[tokio::test(start_paused = true)]
async fn the_same_worker_goes_first_but_nobody_starves() {
    let permits = Permits::new(1, 10, 2);
    let held = permits.acquire(0, soon()).await.unwrap();
    let mut far = Box::pin(permits.acquire(1, soon()));
    assert!(poll_once(&mut far).await.is_none());
    tokio::time::advance(Duration::from_millis(1)).await;
    let mut near = Box::pin(permits.acquire(0, soon()));
    assert!(poll_once(&mut near).await.is_none());
    drop(held);
    let held = poll_once(&mut near).await.expect("the same worker is next").unwrap();
    // However long both wait: only who came much later is behind.
    let mut near = Box::pin(permits.acquire(0, soon()));
    assert!(poll_once(&mut near).await.is_none());
    tokio::time::advance(LOCALITY * 2).await;
    drop(held);
    let held = poll_once(&mut near).await.expect("it came 1 ms later").unwrap();
    let mut near = Box::pin(permits.acquire(0, soon()));
    assert!(poll_once(&mut near).await.is_none());
    drop(held);
    assert!(poll_once(&mut near).await.is_none());
    assert!(poll_once(&mut far).await.is_some(), "the longest waiter is next");
}

/// The future's answer if one poll gives it.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(answer) => Some(answer),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
