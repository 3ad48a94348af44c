//! Logging in: both plugins, TLS in each mode, unix sockets, what is refused.

use std::sync::Arc;

use weir::backend::spec::{Account, Address};
use weir::backend::state::State;
use weir::backend::version::Kind;
use weir::protocol::capability::Capabilities;
use weir::wire::tls::TlsMode;

use super::{ask, run, single, value};
use crate::support::servers::Options;
use crate::support::{self, servers};

#[test]
fn a_connection_knows_its_server_and_says_who_it_is() {
    for server in support::shared_kinds() {
        run(async {
            let group = single(server, |_| {});
            let mut lent = group.lend(&ask(&State::default())).await.unwrap();
            let expected = match server.kind {
                servers::Kind::MariaDb => Kind::MariaDb,
                servers::Kind::MySql => Kind::MySql,
            };
            assert_eq!(lent.version.kind, expected);
            assert!(server.version.contains(&*lent.version.text), "{}", lent.version.text);
            assert!(lent.version.number > 80_000);
            assert_eq!(value(&mut lent, "SELECT CONNECTION_ID()").await, lent.id.to_string());
            assert!(lent.capabilities.contains(
                Capabilities::DEPRECATE_EOF
                    | Capabilities::SESSION_TRACK
                    | Capabilities::MULTI_STATEMENTS
            ));
            // Where the settings allow it, for the clients' own LOAD DATA LOCAL: a file asked for at
            // another time ends the connection (tests/it/local_infile.rs).
            assert!(lent.capabilities.contains(Capabilities::LOCAL_FILES));
            let shut = single(server, |node| node.local_infile = false);
            let other = shut.lend(&ask(&State::default())).await.unwrap();
            assert!(!other.capabilities.contains(Capabilities::LOCAL_FILES));
            other.finish().await;
            let tracked = value(&mut lent, "SELECT @@session.session_track_system_variables").await;
            assert_eq!(tracked, "*");
            lent.finish().await;
        });
    }
}

#[test]
fn caching_sha2_goes_the_full_way_first_and_the_fast_way_then() {
    for server in support::shared_kinds() {
        if server.kind != servers::Kind::MySql {
            continue;
        }
        server.execute("CREATE USER backend_sha2 IDENTIFIED BY 'backend_sha2'");
        // Plain TCP: the RSA key first, the cached digest for the second connection.
        for tls in [TlsMode::Off, TlsMode::Off, TlsMode::Required] {
            run(async {
                let group = single(server, |node| {
                    node.data = super::account("backend_sha2");
                    node.tls.mode = tls;
                });
                let lent = group.lend(&ask(&State::default())).await.unwrap();
                assert_eq!(lent.stream.is_tls(), tls == TlsMode::Required);
                lent.finish().await;
            });
        }
    }
}

#[test]
fn each_tls_mode_does_what_it_says() {
    for server in support::shared_kinds() {
        let certificates = support::tls::certificates();
        let (authority, stranger) = (&certificates.authority, &certificates.stranger);
        let cases = [
            (TlsMode::Off, false, false),
            (TlsMode::Preferred, false, true),
            (TlsMode::Required, false, true),
            (TlsMode::VerifyCa, true, true),
            (TlsMode::VerifyIdentity, true, true),
        ];
        for (mode, verified, encrypted) in cases {
            run(async {
                let group = single(server, |node| {
                    node.tls.mode = mode;
                    node.tls.authority = verified.then(|| authority.clone());
                });
                let mut lent = group.lend(&ask(&State::default())).await.unwrap();
                assert_eq!(lent.stream.is_tls(), encrypted, "{mode:?}");
                let sql = "SELECT COUNT(*) FROM information_schema.TABLES LIMIT 1";
                assert!(!value(&mut lent, sql).await.is_empty());
                lent.finish().await;
                group.probe_once().await;
                assert!(group.is_ready(), "{mode:?}: {:?}", group.view());
            });
        }
        run(async {
            let group = single(server, |node| {
                node.tls.mode = TlsMode::VerifyCa;
                node.tls.authority = Some(stranger.clone());
            });
            let state = State::default();
            let mut quick = ask(&state);
            quick.deadline = tokio::time::Instant::now() + std::time::Duration::from_millis(300);
            let error = group.lend(&quick).await.unwrap_err();
            assert!(error.message.contains("TLS"), "{error}");
            group.probe_once().await;
            assert!(!group.is_ready(), "control connections verify as well");
        });
    }
}

#[test]
fn required_tls_sends_nothing_to_a_server_without_it() {
    let options = Options { tls: false, ..Options::with(&["--skip-ssl"]) };
    let Some(server) = support::started(servers::Kind::MariaDb, options) else { return };
    run(async {
        let group = single(&server, |node| node.tls.mode = TlsMode::Required);
        let error = group.lend(&ask(&State::default())).await.unwrap_err();
        assert!(error.message.contains("TLS is required"), "{error}");
        assert!(error.message.contains("group 'g0' has no primary"), "{error}");
        assert!(error.message.contains("'n0' is suspect"), "{error}");
    });
}

#[test]
fn a_unix_socket_serves_as_well() {
    for server in support::shared_kinds() {
        if !server.socket.exists() {
            continue;
        }
        run(async {
            let group = single(server, |node| {
                node.address = Address::Unix(Arc::from(server.socket.as_path()));
                node.tls.mode = TlsMode::Required;
            });
            let mut lent = group.lend(&ask(&State::default())).await.unwrap();
            assert_eq!(value(&mut lent, "SELECT 1").await, "1");
            assert!(lent.stream.is_unix() && lent.stream.is_secure());
        });
    }
}

#[test]
fn what_cant_be_logged_into_names_group_node_and_reason_and_rests() {
    for server in support::shared_kinds() {
        run(async {
            let group = single(server, |node| {
                node.data =
                    Account { user: Arc::from("nobody_here"), password: Arc::from("hunter2") };
            });
            let state = State::default();
            let mut quick = ask(&state);
            quick.deadline = tokio::time::Instant::now() + std::time::Duration::from_millis(300);
            let error = group.lend(&quick).await.unwrap_err();
            assert!(error.message.contains("group 'g0' has no primary"), "{error}");
            // MySQL shows strangers a plugin drawn by lot, so that users can't be guessed.
            let told = ["Access denied", "its plugin"].map(|why| error.message.contains(why));
            assert!(told.contains(&true), "{error}");
            assert!(!error.message.contains("hunter2"), "{error}");
            let failed = &group.pools()[0].node().counters.failed;
            let tries = failed.load(std::sync::atomic::Ordering::Relaxed);
            assert!(tries <= 3, "the node rests between tries: {tries}");
        });
        let closed = run(async {
            let group = single(server, |node| {
                node.address = Address::Tcp { host: Arc::from("127.0.0.1"), port: 1 };
            });
            let state = State::default();
            let mut quick = ask(&state);
            quick.deadline = tokio::time::Instant::now() + std::time::Duration::from_millis(300);
            group.lend(&quick).await.unwrap_err()
        });
        assert!(closed.message.contains("refused"), "{closed}");
    }
}

#[test]
fn a_server_without_room_is_waited_for() {
    let options = Options::with(&["--max-connections=10", "--extra-max-connections=1"]);
    let Some(server) = support::started(servers::Kind::MariaDb, options) else { return };
    run(async {
        // Another proxy holds what the server has.
        let other = single(&server, |node| node.limits.max_connections = 20);
        let mut held = Vec::new();
        let state = State::default();
        loop {
            let mut quick = ask(&state);
            quick.deadline = tokio::time::Instant::now() + std::time::Duration::from_millis(200);
            match other.lend(&quick).await {
                Ok(lent) => held.push(lent),
                Err(error) => {
                    assert_eq!((error.errno, error.code), (1040, "server_full"), "{error}");
                    assert!(error.message.contains("group 'g0', node 'n0'"), "{error}");
                    break;
                }
            }
        }
        let group = single(&server, |_| {});
        let waiting = group.clone();
        let waiter =
            tokio::spawn(
                async move { waiting.lend(&ask(&State::default())).await.map(|lent| lent.id) },
            );
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        assert!(!waiter.is_finished());
        held.pop();
        waiter.await.unwrap().unwrap();
    });
}
