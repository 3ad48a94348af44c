//! What servers do that a transaction over groups must bear, and what it must not cost: lock waits
//! that end, the binary log switched off, two deployments on one server, and the turns of a
//! conversation.
//!
//! Owns: those of the rules for transactions that have no file of their own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mysql_async::{Conn, Opts};

use crate::halves::{World, add, on_each, run};
use crate::support::proxy::Proxy;

async fn login(proxy: &Proxy, schema: &str) -> Conn {
    Conn::new(Opts::from_url(&proxy.url(schema)).expect("a URL")).await.expect("a login")
}

#[test]
fn a_lock_wait_that_ends_leaves_the_transaction_over_groups_alive() {
    on_each("patient", async |world| {
        let mut holder =
            Conn::new(Opts::from_url(&world.server(1).url("root")).expect("a URL")).await.unwrap();
        let lock = format!("SELECT v FROM {}1.bank WHERE id = 1 FOR UPDATE", world.name);
        for (end, kept) in [("COMMIT", 1), ("ROLLBACK", 0)] {
            let mut conn = world.session("bank").await;
            run(&mut holder, &["BEGIN", &lock]).await.expect("a lock");
            run(&mut conn, &["SET SESSION innodb_lock_wait_timeout = 1", "BEGIN", &add("bank", 0)])
                .await
                .expect("a start");
            // As a branch, and as one of the groups of a statement.
            for text in [&add("bank", 1), "UPDATE acc SET v = v + 10"] {
                let late = run(&mut conn, &[text]).await.expect_err("it is locked");
                assert!(late.contains("1205"), "{late}");
            }
            run(&mut conn, &[&add("bank", 2)]).await.expect("it goes on");
            run(&mut holder, &["ROLLBACK"]).await.expect("an end");
            // The failing statements left nothing, and the same one works now.
            run(&mut conn, &[&add("bank", 1), end]).await.expect("it goes on");
            assert_eq!(world.rows("bank"), [kept; 3], "{end}");
            world.reset();
            conn.disconnect().await.expect("an end");
        }
        holder.disconnect().await.expect("an end");
    });
}

#[test]
fn without_the_binary_log_a_transaction_stays_on_one_group() {
    on_each("unlogged", async |world| {
        // An account that may switch it off.
        let account = "data: {user: weir, password: env:WEIR_DATA_PASSWORD}";
        let mighty = "data: {user: root, password: env:WEIR_ROOT_PASSWORD}";
        let (proxy, _) = world.another_edited(|text| {
            assert!(text.contains(account));
            text.replace(account, mighty)
        });
        for off in ["0", "OFF", "'off'", "FALSE", "1 - 1"] {
            let mut conn = login(&proxy, "bank").await;
            let set = format!("SET SESSION sql_log_bin = {off}");
            let Ok(()) = run(&mut conn, &[&set]).await else { continue };
            run(&mut conn, &["BEGIN", &add("bank", 0)]).await.expect("one group");
            let refused = run(&mut conn, &[&add("bank", 1)]).await.expect_err("a second group");
            assert!(refused.contains("transaction_without_binlog"), "{off}: {refused}");
            // It is still open, and one group is its server's matter.
            run(&mut conn, &["COMMIT"]).await.expect("one group");
            assert_eq!(world.rows("bank"), [1, 0, 0], "{off}");
            let both = run(&mut conn, &["UPDATE acc SET v = v + 1"]).await;
            let refused = both.expect_err("several groups in autocommit");
            assert!(refused.contains("transaction_without_binlog"), "{off}: {refused}");
            run(&mut conn, &["SET SESSION sql_log_bin = 1", "BEGIN", &add("bank", 0)])
                .await
                .expect("a start");
            run(&mut conn, &[&add("bank", 1)]).await.expect("a second group");
            // Within a transaction no server lets it be switched.
            run(&mut conn, &[&set, &add("bank", 2)]).await.expect_err("it is too late");
            run(&mut conn, &["ROLLBACK"]).await.expect("an end");
            assert_eq!(world.rows("bank"), [1, 0, 0], "{off}");
            world.reset();
            drop(conn.disconnect().await);
        }
    });
}

#[test]
fn two_deployments_on_one_server_leave_each_other_alone() {
    on_each("left", async |world| {
        let other = World::start(world.rig, "right");
        // One of each dies, undecided and decided. The other deployment looks for longer than it leaves
        // branches alone, and than it keeps rows of its own.
        for (step, done, wait) in [("commit.prepared", 0, 4), ("commit.decided", 1, 13)] {
            world.arm(step, "kill");
            let before = world.commit_rows(0).len();
            let mut conn = world.session("bank").await;
            run(&mut conn, &["BEGIN", &add("bank", 0), &add("bank", 1)]).await.expect("a start");
            run(&mut conn, &["COMMIT"]).await.expect_err("its Weir dies");
            world.proxy.wait(Duration::from_secs(20)).expect("it is gone");
            let rows = world.commit_rows(0);
            assert_eq!((world.prepared(), rows.len() - before), (1, done), "{step}");
            let mut conn = other.session("bank").await;
            for _ in 0..wait {
                run(&mut conn, &["BEGIN", &add("bank", 0), &add("bank", 1), "COMMIT"])
                    .await
                    .expect("a commit of the other's");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            assert_eq!((world.prepared(), world.commit_rows(0)), (1, rows), "{step}");
            assert_eq!(other.rows("bank"), [wait, wait, 0]);
            other.reset();
            conn.disconnect().await.expect("an end");
            world.proxy.launch().expect("it starts again");
            world.wait_resolved();
            assert_eq!(world.rows("bank"), [done as i64, done as i64, 0], "{step}");
            world.reset();
        }
    });
}

#[test]
fn rows_that_stay_do_not_hide_those_that_may_go() {
    on_each("swept", async |world| {
        let mut conn = world.session("bank").await;
        // So that the commit table is there.
        run(&mut conn, &["BEGIN", &add("bank", 0), &add("bank", 1), "COMMIT"]).await.expect("rows");
        conn.disconnect().await.expect("an end");
        // More of another deployment, older, than one pass looks at.
        let kind = world.rig.groups[0].primary.kind;
        let others: Vec<String> =
            (0..450).map(|n| format!("('weir:others:1-1:{n:x}:1', 'C', 1, '', 0)")).collect();
        let insert = "INSERT INTO weir.weir_commit (id, verdict, connection, members, at) VALUES";
        world.server(0).execute(&format!("{insert} {}", others.join(",")));
        let own = format!("weir:{}:1-1:1:1", world.name);
        world.server(0).execute(&format!("{insert} ('{own}', 'C', 1, '', 1)"));
        let start = std::time::Instant::now();
        while world.commit_rows(0).contains(&own) {
            assert!(
                start.elapsed() < Duration::from_secs(40),
                "{kind}: {}",
                world.proxy.log_tail()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let left = "SELECT count(*) FROM weir.weir_commit WHERE id LIKE 'weir:others:%'";
        assert_eq!(world.server(0).query(left).expect("a count"), [["450"]], "{kind}");
        world.server(0).execute("DELETE FROM weir.weir_commit WHERE id LIKE 'weir:others:%'");
        world.reset();
    });
}

/// What one connection said: how often its client began to speak after its server had.
#[derive(Default)]
struct Heard {
    turns: usize,
    client_spoke: bool,
    marked: bool,
}

/// Relays connections to a server and counts their turns.
fn listen(port: u16, all: Arc<Mutex<Vec<Arc<Mutex<Heard>>>>>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let own = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let heard = Arc::new(Mutex::new(Heard::default()));
            all.lock().expect("no panic").push(heard.clone());
            let (Ok(back), Ok(forth)) = (client.try_clone(), server.try_clone()) else { continue };
            let also = heard.clone();
            std::thread::spawn(move || relay(client, server, true, &heard));
            std::thread::spawn(move || relay(forth, back, false, &also));
        }
    });
    own
}

fn relay(mut from: TcpStream, mut to: TcpStream, is_client: bool, heard: &Mutex<Heard>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        {
            let mut heard = heard.lock().expect("no panic");
            if is_client && !heard.client_spoke {
                heard.turns += 1;
            }
            heard.client_spoke = is_client;
            heard.marked |= is_client && buffer[..read].windows(6).any(|bytes| bytes == b"marked");
        }
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
}

#[test]
fn begin_travels_with_the_first_statement() {
    on_each("turns", async |world| {
        let all = Arc::new(Mutex::new(Vec::new()));
        let address = world.server(1).address();
        let port = listen(world.server(1).port, all.clone());
        let (proxy, _) = world.another_edited(|text| {
            text.replace(&address, &format!("127.0.0.1:{port}"))
                .replace("tls: {mode: preferred}", "tls: {mode: \"off\"}")
        });
        let mut conn = login(&proxy, "bank").await;
        let write = "UPDATE acc SET v = v + 1 /* marked */ WHERE id = 1";
        let read = "SELECT v /* marked */ FROM acc WHERE id = 1";
        // Once, so that plans, catalog and connection are there.
        run(&mut conn, &["BEGIN", read, write, "COMMIT", write]).await.expect("a transaction");
        // Connections that sent one of these statements; one client has one at a time.
        let turns = || -> usize {
            let all = all.lock().expect("no panic");
            let heard = all.iter().map(|one| one.lock().expect("no panic"));
            heard.filter(|one| one.marked).map(|one| one.turns).sum()
        };
        let mut before = turns();
        assert!(before > 0, "it goes through the relay");
        for (text, wanted) in [
            ("BEGIN", 0),
            (write, 1),
            (read, 1),
            ("COMMIT", 1),
            ("START TRANSACTION", 0),
            (read, 1),
            ("ROLLBACK", 1),
            ("BEGIN", 0),
            ("COMMIT", 0),
            (write, 1),
        ] {
            run(&mut conn, &[text]).await.expect("it works");
            let now = turns();
            let kind = world.rig.groups[0].primary.kind;
            assert_eq!(now - before, wanted, "{kind}: turns of {text}");
            before = now;
        }
        conn.disconnect().await.expect("an end");
        world.reset();
    });
}
