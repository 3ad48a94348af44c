//! A future dropped at any await, and a server that misbehaves: the next statement is right.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;
use weir::backend::spec::Limits;
use weir::backend::state::State;

use super::{ask, fake, run, value};

/// Polls a future so many times, then drops it. True where it had ended.
async fn polled<F: Future>(future: F, mut polls: usize) -> bool {
    let mut future = pin!(future);
    std::future::poll_fn(move |context| {
        if polls == 0 {
            return Poll::Ready(false);
        }
        polls -= 1;
        future.as_mut().poll(context).map(|_| true)
    })
    .await
}

#[test]
fn a_statement_dropped_at_any_await_never_answers_the_next_one() {
    run(async {
        let port = fake::serve(|_| None).await;
        let group = fake::group(port, Limits { max_connections: 2, ..Limits::default() });
        let pool = &group.pools()[0];
        let mut ended = 0;
        for polls in 0..200 {
            let mut state = State::default();
            state.set_variable("time_zone", Some(format!("'+{:02}:00'", polls % 7).as_bytes()));
            let state = state.in_database(Some(&format!("d{}", polls % 3).as_str().into()));
            let statement = async {
                let mut lent = group.lend(&ask(&state)).await.unwrap();
                let sql = format!("SELECT {polls}");
                assert_eq!(value(&mut lent, &sql).await, polls.to_string());
                lent.finish().await;
            };
            ended += usize::from(polled(statement, polls).await);
            assert_eq!(pool.in_use(), 0, "dropped after {polls} polls");
            let mut lent = group.lend(&ask(&state)).await.unwrap();
            assert_eq!(value(&mut lent, "SELECT 4711").await, "4711", "after {polls} polls");
            lent.finish().await;
        }
        assert!((1..200).contains(&ended), "some end and some don't: {ended}");
        assert_eq!((pool.in_use(), pool.waiting()), (0, 0));
        assert!(pool.node().open() <= 2);
    });
}

#[test]
fn those_who_stop_waiting_leave_no_trace() {
    run(async {
        let port = fake::serve(|_| None).await;
        let group = fake::group(port, Limits { max_connections: 1, ..Limits::default() });
        let (pool, state) = (&group.pools()[0], State::default());
        let held = group.lend(&ask(&state)).await.unwrap();
        for _ in 0..20 {
            let short = Duration::from_millis(1);
            assert!(tokio::time::timeout(short, group.lend(&ask(&state))).await.is_err());
            assert_eq!((pool.waiting(), pool.in_use()), (0, 1));
        }
        held.finish().await;
        let mut lent = group.lend(&ask(&state)).await.unwrap();
        assert_eq!(value(&mut lent, "SELECT 1").await, "1");
    });
}

#[test]
fn workers_share_a_bound_and_everybody_is_served() {
    run(async {
        let port = fake::serve(|_| None).await;
        let group = fake::group(port, Limits { max_connections: 3, ..Limits::default() });
        let mut tasks = Vec::new();
        for task in 0..24usize {
            let group = group.clone();
            tasks.push(tokio::spawn(async move {
                for round in 0..20usize {
                    let state = State::default();
                    let mut asked = ask(&state);
                    asked.worker = task % 2;
                    asked.found_rows = task % 5 == 0;
                    let mut lent = group.lend(&asked).await.unwrap();
                    let sql = format!("SELECT {}", task * 100 + round);
                    assert_eq!(value(&mut lent, &sql).await, sql[7..]);
                    if round % 7 == 3 {
                        drop(lent);
                    } else {
                        lent.finish().await;
                    }
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        let pool = &group.pools()[0];
        assert_eq!((pool.in_use(), pool.waiting()), (0, 0));
        assert!(pool.node().open() <= 3, "{} are open", pool.node().open());
    });
}

#[test]
fn a_connection_serves_other_workers_from_their_own_threads() {
    // The servers live on a runtime of their own, as they would in other processes.
    let (tell, told) = std::sync::mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let servers = std::thread::spawn(move || {
        run(async move {
            tell.send(fake::serve(|_| None).await).unwrap();
            let _ = stopped.await;
        });
    });
    let group =
        fake::group(told.recv().unwrap(), Limits { max_connections: 3, ..Limits::default() });
    let finish = std::sync::Arc::new(std::sync::Barrier::new(2));
    let workers = [0, 1].map(|worker| {
        let (group, finish) = (group.clone(), finish.clone());
        std::thread::spawn(move || {
            run(async {
                let mut tasks = Vec::new();
                for task in 0..6usize {
                    let group = group.clone();
                    tasks.push(tokio::spawn(async move {
                        for round in 0..30usize {
                            let state = State::default();
                            let mut asked = ask(&state);
                            asked.worker = worker;
                            let mut lent = group.lend(&asked).await.unwrap();
                            let sql = format!("SELECT {}", task * 100 + round);
                            assert_eq!(value(&mut lent, &sql).await, sql[7..]);
                            lent.finish().await;
                        }
                    }));
                }
                for task in tasks {
                    task.await.unwrap();
                }
                // A worker serves its connections until all are done with them.
                tokio::task::spawn_blocking(move || finish.wait()).await.unwrap();
            });
        })
    });
    for worker in workers {
        worker.join().unwrap();
    }
    let pool = &group.pools()[0];
    assert_eq!((pool.in_use(), pool.waiting()), (0, 0));
    assert!(pool.node().open() <= 3);
    drop(stop);
    servers.join().unwrap();
}

#[test]
fn a_server_that_breaks_the_protocol_loses_its_connection_and_nothing_else() {
    let scripts: [(&str, &str, fake::Script); 8] = [
        ("an error without SQLSTATE", "", |sql| {
            sql.starts_with("SELECT bad").then(|| vec![b"\xff\x10\x04gone".to_vec()])
        }),
        ("a file asked for out of turn", "backend_malformed", |sql| {
            sql.starts_with("SELECT bad").then(|| vec![b"\xfb/etc/passwd".to_vec()])
        }),
        ("a short row", "backend_malformed", |sql| {
            sql.starts_with("SELECT bad").then(|| {
                let mut packets = fake::row("12");
                packets[2] = vec![9, b'1'];
                packets
            })
        }),
        ("a row with another number of columns", "backend_malformed", |sql| {
            sql.starts_with("SELECT bad").then(|| {
                let mut packets = fake::row("12");
                packets[2] = vec![1, b'1', 1, b'2'];
                packets
            })
        }),
        ("an empty packet", "backend_malformed", |sql| {
            sql.starts_with("SELECT bad").then(|| vec![vec![]])
        }),
        ("a truncated OK", "backend_malformed", |sql| {
            sql.starts_with("SELECT bad").then(|| vec![vec![0, 0xfc]])
        }),
        ("ten million columns", "backend_malformed", |sql| {
            sql.starts_with("SELECT bad").then(|| vec![b"\xfd\x80\x96\x98".to_vec()])
        }),
        ("rows without end", "too_many_rows", |sql| {
            sql.starts_with("SELECT bad").then(|| {
                let mut packets = fake::row("12");
                packets.truncate(2);
                packets.extend(std::iter::repeat_n(vec![1, b'7'], 50));
                packets
            })
        }),
    ];
    for (what, code, script) in scripts {
        run(async {
            let port = fake::serve(script).await;
            let group = fake::group(port, Limits { max_connections: 1, ..Limits::default() });
            let state = State::default();
            let mut lent = group.lend(&ask(&state)).await.unwrap();
            let error = lent.rows(b"SELECT bad", 10).await.unwrap_err();
            assert!(error.message.contains("group 'g0', node 'fake'"), "{what}: {error}");
            assert_eq!(error.code, code, "{what}: {error}");
            lent.finish().await;
            let mut lent = group.lend(&ask(&state)).await.unwrap();
            assert_eq!(value(&mut lent, "SELECT 5").await, "5", "{what}");
            lent.finish().await;
        });
    }
}

#[test]
fn a_server_that_accepts_and_says_nothing_is_given_up() {
    run(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let silent = tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((socket, _)) = listener.accept().await {
                held.push(socket);
            }
        });
        let limits = Limits { connect: Duration::from_millis(50), ..Limits::default() };
        let group = fake::group(port, limits);
        let state = State::default();
        let mut quick = ask(&state);
        quick.deadline = Instant::now() + Duration::from_millis(300);
        let started = Instant::now();
        let error = group.lend(&quick).await.unwrap_err();
        assert!(error.message.contains("no login within 50 ms"), "{error}");
        assert!(started.elapsed() < Duration::from_millis(900));
        assert_eq!((group.pools()[0].in_use(), group.pools()[0].node().open()), (0, 0));
        silent.abort();
    });
}
