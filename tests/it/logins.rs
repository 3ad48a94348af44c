//! Logging in at Weir's own port, from the client's side: every plugin and transport, what is refused,
//! COM_CHANGE_USER, PROXY headers, bounds on connections and on failed logins.
//!
//! Owns: raw clients of a running Weir; drivers' own logins are run by `make drivers`.

use std::net::SocketAddr;
use std::path::Path as File;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use weir::error::Result;
use weir::protocol::auth::Plugin;
use weir::protocol::capability::Capabilities;
use weir::protocol::change_user::ChangeUser;
use weir::protocol::command::{byte, write_text};
use weir::protocol::err::ErrPacket;
use weir::protocol::framing::{HEADER_LENGTH, seal};
use weir::protocol::greeting::Greeting;
use weir::protocol::login::Login;
use weir::protocol::response::Response;
use weir::protocol::verifier::Verifier;
use weir::wire::stream::{Peer, Stream};
use weir::wire::tls::{ClientTls, TlsMode};

use crate::support::proxy::Proxy;
use crate::support::rig::{self, Rig};
use crate::support::servers::Kind;
use crate::support::{reaper, tls};
use crate::wire_servers::{Path, Who, log_in, log_in_as, prove, value};

const NONE: Capabilities = Capabilities(0);

/// Their passwords are their names.
const USERS: [&str; 5] = ["native", "fast", "slow", "both", "three"];

/// Accounts of every kind beside the shop's own.
fn with_users(rules: &File) {
    let path = rules.join("users.yaml");
    let mut text = std::fs::read_to_string(&path).unwrap();
    for user in USERS {
        let password = user.as_bytes();
        let native = format!("native: \"{}\"", Verifier::native(password));
        let salt = *b"abcdefghijklmnopqrst";
        let (verifiers, more) = match user {
            "native" => (native, ""),
            "fast" => (format!("sha2: \"{}\"", Verifier::sha2(password)), ""),
            "slow" => (format!("sha2: \"{}\"", Verifier::sha2_crypt(password, salt)), ""),
            "both" => (format!("{native}, sha2: \"{}\"", Verifier::sha2(password)), ""),
            _ => (native, ", max_connections: 3"),
        };
        text += &format!(
            "  {user}: {{{verifiers}, schemas: [shop], default_schema: shop, \
             rights: [read, write, ddl]{more}}}\n"
        );
    }
    std::fs::write(path, text).unwrap();
}

/// A Weir of the test's own in front of the shared rig, with the accounts above.
fn weir(rig: &Rig, settings: &[(&'static str, String)]) -> Proxy {
    rig.another_edited(settings, &with_users).unwrap().0
}

fn encrypted(mode: &str) -> Vec<(&'static str, String)> {
    let made = tls::certificates();
    vec![
        ("tls", format!("mode: {mode}")),
        ("tls", format!("cert: '{}'", made.server.display())),
        ("tls", format!("key: '{}'", made.server_key.display())),
    ]
}

fn trusting() -> ClientTls {
    ClientTls::new(TlsMode::VerifyIdentity, Some(&tls::certificates().authority), None).unwrap()
}

async fn socket(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

async fn tcp(proxy: &Proxy) -> Stream {
    Stream::tcp(socket(proxy.port).await, Peer::Backend, 1 << 30)
}

async fn client(proxy: &Proxy, user: &str) -> Result<Stream> {
    let mut stream = tcp(proxy).await;
    log_in(&mut stream, user, user, NONE, None).await?;
    Ok(stream)
}

async fn change(stream: &mut Stream, user: &str, password: &str) -> Result<Path> {
    let change = ChangeUser {
        user: user.as_bytes(),
        auth_response: b"",
        database: b"shop",
        collation: Some(45),
        plugin: Plugin::NativePassword.name().as_bytes(),
        attributes: b"\x0cprogram_name\x07changed",
    };
    stream.reset_sequence();
    stream.write_with(|out| change.write(Capabilities::WANTED, out));
    stream.flush().await?;
    prove(stream, password, b"", Capabilities::WANTED).await
}

/// Whether Weir has closed the connection: nothing more is answered.
async fn is_closed(stream: &mut Stream) -> bool {
    stream.reset_sequence();
    stream.write_with(|out| write_text(byte::QUERY, b"SELECT 1", out));
    let _ = stream.flush().await;
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_packet()).await;
    matches!(read.expect("an end in time"), Ok(None) | Err(_))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_plugin_and_transport() {
    for rig in rig::shared_kinds() {
        let path = reaper::directory("door").join("weir.sock");
        let mut settings = encrypted("preferred");
        settings.push(("listen", format!("unix: '{}'", path.display())));
        let proxy = weir(rig, &settings);
        // The greeting names the plugin that this kind of server has as its default.
        let is_mysql = rig.groups[0].primary.kind == Kind::MySql;
        for (user, sha2) in [("native", false), ("fast", true)] {
            let mut stream = tcp(&proxy).await;
            let path = log_in(&mut stream, user, user, NONE, None).await.unwrap();
            let expected = Path { fast: sha2, switched: sha2 != is_mysql, ..Path::default() };
            assert_eq!(path, expected, "{user}");
            let shown = value(&mut stream, b"SELECT USER()").await;
            assert_eq!(String::from_utf8_lossy(&shown), format!("{user}@127.0.0.1"));
        }
        // An account of both takes whatever the client begins with.
        for plugin in [Plugin::NativePassword, Plugin::CachingSha2Password] {
            let who = Who { plugin: Some(plugin), ..Who::new("both", "both") };
            let path = log_in_as(&mut tcp(&proxy).await, who, NONE, None).await.unwrap();
            let fast = plugin == Plugin::CachingSha2Password;
            assert_eq!(path, Path { fast, ..Path::default() });
        }
        // Nothing fast is known of the salted form: the password itself, in RSA, then in TLS, then
        // over the unix socket; from the first success on the fast way.
        let wrong =
            |user| Who { plugin: Some(Plugin::CachingSha2Password), ..Who::new(user, "no") };
        let slow = Who { plugin: Some(Plugin::CachingSha2Password), ..Who::new("slow", "slow") };
        let full = |by_rsa| Path { by_rsa, in_clear: !by_rsa, ..Path::default() };
        let refused = log_in_as(&mut tcp(&proxy).await, wrong("slow"), NONE, None).await;
        assert_eq!(refused.unwrap_err().errno, 1045);
        let path_of = log_in_as(&mut tcp(&proxy).await, slow, NONE, None).await.unwrap();
        assert_eq!(path_of, full(true));
        let path_of = log_in_as(&mut tcp(&proxy).await, slow, NONE, None).await.unwrap();
        assert_eq!(path_of, Path { fast: true, ..Path::default() });
        drop(proxy);
        let proxy = weir(rig, &settings);
        let mut stream = tcp(&proxy).await;
        let path_of = log_in_as(&mut stream, slow, NONE, Some(&trusting())).await.unwrap();
        assert_eq!(path_of, full(false));
        assert!(stream.is_tls());
        assert_eq!(value(&mut stream, b"SELECT 1").await, b"1");
        drop(proxy);
        let proxy = weir(rig, &settings);
        let mut stream =
            Stream::unix(UnixStream::connect(&path).await.unwrap(), Peer::Backend, 1 << 30);
        let path_of = log_in_as(&mut stream, slow, NONE, None).await.unwrap();
        assert_eq!(path_of, full(false));
        assert_eq!(value(&mut stream, b"SELECT USER()").await, b"slow@localhost");
        drop(proxy);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_login_gets_its_error_and_nothing_else() {
    for rig in rig::shared_kinds() {
        let proxy = weir(rig, &[]);
        for user in ["native", "fast", "slow", "both", "nobody", ""] {
            for plugin in [Plugin::NativePassword, Plugin::CachingSha2Password] {
                for password in ["wrong", ""] {
                    let who = Who { plugin: Some(plugin), ..Who::new(user, password) };
                    let mut stream = tcp(&proxy).await;
                    let error = log_in_as(&mut stream, who, NONE, None).await.unwrap_err();
                    assert_eq!(error.errno, 1045, "{user} {plugin:?} {password:?}");
                    assert!(is_closed(&mut stream).await, "{user} {plugin:?} {password:?}");
                }
            }
        }
        // Login and statement in one segment: the statement must not run.
        let mut stream = socket(proxy.port).await;
        let greeting = read_one(&mut stream).await;
        Greeting::parse(&greeting).unwrap();
        let login = Login {
            capabilities: Capabilities::WANTED,
            extended_capabilities: 0,
            max_packet: 1 << 30,
            collation: 45,
            user: b"native",
            auth_response: &[7; 20],
            database: b"shop",
            plugin: Plugin::NativePassword.name().as_bytes(),
            attributes: b"",
        };
        let mut bytes = framed(1, |out| login.write(out));
        let insert = b"INSERT INTO coupons VALUES ('LOGIN-1', 1, 1, '2030-01-01')";
        bytes.extend(framed(0, |out| write_text(byte::QUERY, insert, out)));
        stream.write_all(&bytes).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let payload = answer.get(HEADER_LENGTH..).unwrap_or_default();
        assert_eq!(ErrPacket::parse(payload).unwrap().errno, 1045);
        let length = usize::from(answer[0]) + HEADER_LENGTH;
        assert_eq!(answer.len(), length, "one packet and the end");
        let mut other = client(&proxy, "native").await.unwrap();
        let found = value(&mut other, b"SELECT count(*) FROM coupons WHERE code = 'LOGIN-1'").await;
        assert_eq!(found, b"0");
    }
}

fn framed(sequence: u8, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = vec![0; HEADER_LENGTH];
    write(&mut out);
    seal(&mut out, 0, sequence);
    out
}

async fn read_one(socket: &mut TcpStream) -> Vec<u8> {
    let mut header = [0; HEADER_LENGTH];
    socket.read_exact(&mut header).await.unwrap();
    let mut payload = vec![0; usize::from(header[0]) | usize::from(header[1]) << 8];
    socket.read_exact(&mut payload).await.unwrap();
    payload
}

/// The greeting of this port.
async fn greeting(port: u16) -> (Vec<u8>, Capabilities) {
    let payload = read_one(&mut socket(port).await).await;
    let greeting = Greeting::parse(&payload).unwrap();
    (greeting.server_version.to_vec(), greeting.capabilities)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_greeting_is_that_of_the_servers_behind() {
    for rig in rig::shared_kinds() {
        let (plain, _) = greeting(rig.groups[0].primary.port).await;
        let (shown, offered) = greeting(rig.proxy.port).await;
        assert_eq!(String::from_utf8_lossy(&shown), String::from_utf8_lossy(&plain));
        let never = [
            Capabilities::SESSION_TRACK,
            Capabilities::QUERY_ATTRIBUTES,
            Capabilities::OPTIONAL_RESULTSET_METADATA,
            Capabilities::ZSTD_COMPRESSION,
            Capabilities::SSL,
        ];
        for bit in never {
            assert!(!offered.contains(bit), "{bit:?}");
        }
        let proxy = weir(rig, &encrypted("preferred"));
        assert!(greeting(proxy.port).await.1.contains(Capabilities::SSL));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_tls_that_is_required_no_login() {
    for rig in rig::shared_kinds() {
        let proxy = weir(rig, &encrypted("required"));
        for user in ["native", "fast", "nobody"] {
            let mut stream = tcp(&proxy).await;
            let error = log_in(&mut stream, user, user, NONE, None).await.unwrap_err();
            assert_eq!(error.errno, 3159, "{user}");
            assert!(error.message.contains("[weir:tls_required]"), "{error}");
            assert!(is_closed(&mut stream).await);
        }
        let mut stream = tcp(&proxy).await;
        log_in(&mut stream, "native", "native", NONE, Some(&trusting())).await.unwrap();
        assert_eq!(value(&mut stream, b"SELECT 1").await, b"1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn proxy_headers_are_believed_from_trusted_addresses_only() {
    for rig in rig::shared_kinds() {
        let proxy = weir(rig, &[("listen", "proxy_protocol_from: ['127.0.0.9/32']".to_owned())]);
        let door: SocketAddr = SocketAddr::from(([127, 0, 0, 1], proxy.port));
        let from = async |address: [u8; 4], header: &[u8]| {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::from((address, 0))).unwrap();
            let mut socket = socket.connect(door).await.unwrap();
            socket.write_all(header).await.unwrap();
            Stream::tcp(socket, Peer::Backend, 1 << 30)
        };
        let text = b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 3306\r\n".to_vec();
        let mut binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\x00\x24".to_vec();
        let v6: std::net::Ipv6Addr = "2001:db8::7".parse().unwrap();
        binary.extend_from_slice(&v6.octets());
        binary.extend_from_slice(&v6.octets());
        binary.extend_from_slice(&[0x9c, 0x40, 0x0c, 0xea]);
        for (header, host) in [(&text, "192.0.2.7"), (&binary, "2001:db8::7")] {
            let mut stream = from([127, 0, 0, 9], header).await;
            log_in(&mut stream, "native", "native", NONE, None).await.unwrap();
            let user = value(&mut stream, b"SELECT USER()").await;
            assert_eq!(String::from_utf8_lossy(&user), format!("native@{host}"));
            let shown = proxy.admin("SHOW CLIENTS").unwrap();
            assert!(shown.iter().any(|row| row[2] == format!("{host}:40000")), "{shown:?}");
            // The same header from elsewhere is no login.
            let mut stream = from([127, 0, 0, 1], header).await;
            let outcome = log_in(&mut stream, "native", "native", NONE, None).await;
            assert!(outcome.is_err(), "{outcome:?}");
            let shown = proxy.admin("SHOW CLIENTS").unwrap();
            assert!(shown.iter().filter(|row| row[2].contains(host)).count() <= 1, "{shown:?}");
        }
        // A trusted address that sends none is refused.
        let mut stream = from([127, 0, 0, 9], b"").await;
        let waits = tokio::time::timeout(Duration::from_secs(1), stream.read_packet()).await;
        assert!(!matches!(waits, Ok(Ok(Some(_)))), "a greeting before the header");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn change_user_is_a_new_login() {
    for rig in rig::shared_kinds() {
        let proxy = weir(rig, &[]);
        let mut stream = client(&proxy, "native").await.unwrap();
        assert_eq!(value(&mut stream, b"SELECT @a := 5").await, b"5");
        for user in ["both", "fast", "shop", "native"] {
            change(&mut stream, user, user).await.unwrap();
            let shown = value(&mut stream, b"SELECT USER()").await;
            assert_eq!(String::from_utf8_lossy(&shown), format!("{user}@127.0.0.1"));
            assert_eq!(value(&mut stream, b"SELECT @a IS NULL").await, b"1", "{user}");
        }
        for (user, password) in [("native", "wrong"), ("fast", "wrong"), ("nobody", "")] {
            let mut stream = client(&proxy, "native").await.unwrap();
            let error = change(&mut stream, user, password).await.unwrap_err();
            assert_eq!(error.errno, 1045, "{user}");
            assert!(is_closed(&mut stream).await, "{user}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_so_many_connections_and_may_log_in_again_on_each() {
    for rig in rig::shared_kinds() {
        let proxy = weir(rig, &[]);
        let mut open = Vec::new();
        for _ in 0..3 {
            open.push(client(&proxy, "three").await.unwrap());
        }
        let error = client(&proxy, "three").await.unwrap_err();
        assert_eq!(error.errno, 1226, "{error}");
        assert!(error.message.contains("[weir:user_connections]"), "{error}");
        // Found by hand: a session counted itself.
        for stream in &mut open {
            change(stream, "three", "three").await.unwrap();
            assert_eq!(value(stream, b"SELECT 1").await, b"1");
        }
        let mut other = client(&proxy, "native").await.unwrap();
        let error = change(&mut other, "three", "three").await.unwrap_err();
        assert_eq!(error.errno, 1226, "{error}");
        assert!(is_closed(&mut other).await);
        // One that becomes another user gives its place up.
        change(&mut open[0], "native", "native").await.unwrap();
        open.push(client(&proxy, "three").await.unwrap());
        assert_eq!(client(&proxy, "three").await.unwrap_err().errno, 1226);
        // Logins at the same time don't share the last place.
        drop(open);
        let mut waited = 0;
        while proxy.admin("SHOW CLIENTS").unwrap().iter().any(|row| row[1] == "three") {
            waited += 1;
            assert!(waited < 100);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let all = futures_util::future::join_all((0..20).map(|_| client(&proxy, "three"))).await;
        assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_say_of_their_program_is_shown() {
    for rig in rig::shared_kinds() {
        let proxy = weir(rig, &[]);
        let mut attributes = Vec::new();
        let program = format!("\u{1b}[2J<b>{}", "x".repeat(5_000));
        for (name, value) in
            [("_client_name", "libmysql"), ("_client_version", "9.7.4"), ("program_name", &program)]
        {
            for text in [name, value] {
                if text.len() > 250 {
                    attributes.push(0xfc);
                    attributes.extend_from_slice(&u16::try_from(text.len()).unwrap().to_le_bytes());
                } else {
                    attributes.push(u8::try_from(text.len()).unwrap());
                }
                attributes.extend_from_slice(text.as_bytes());
            }
        }
        let who = Who { attributes: &attributes, ..Who::new("native", "native") };
        let mut stream = tcp(&proxy).await;
        log_in_as(&mut stream, who, NONE, None).await.unwrap();
        let shown = |column: usize| {
            let rows = proxy.admin("SHOW CLIENTS").unwrap();
            let own = rows.iter().find(|row| row[1] == "native").expect("listed");
            own[column].clone()
        };
        assert_eq!(shown(14), "libmysql 9.7.4");
        let program = shown(13);
        assert!(program.len() <= 96 && program.contains("[2J<b>xxx"), "{program:?}");
        assert!(!program.chars().any(char::is_control), "{program:?}");
        change(&mut stream, "native", "native").await.unwrap();
        assert_eq!(shown(13), "changed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_logins_of_a_host_are_slowed_and_others_are_not() {
    let Some(rig) = rig::shared(Kind::MariaDb) else { return };
    let settings = [
        ("limits", "failed_logins: 3".to_owned()),
        ("log", "failed_logins_per_second: 2".to_owned()),
    ];
    let proxy = weir(rig, &settings);
    let failed = async || {
        let begun = Instant::now();
        let mut stream = tcp(&proxy).await;
        let error = log_in(&mut stream, "native", "wrong", NONE, None).await.unwrap_err();
        assert_eq!(error.errno, 1045);
        begun.elapsed()
    };
    let held = Duration::from_millis(490);
    for _ in 0..3 {
        let took = failed().await;
        assert!(took < held, "{took:?}");
    }
    for _ in 0..2 {
        let took = failed().await;
        assert!(took >= held, "{took:?}");
    }
    // Twenty at once wait side by side; a login of the same host that succeeds waits for none.
    let begun = Instant::now();
    let storm = futures_util::future::join_all((0..20).map(|_| failed()));
    let good = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let begun = Instant::now();
        let mut stream = client(&proxy, "native").await.unwrap();
        assert_eq!(value(&mut stream, b"SELECT 1").await, b"1");
        let login = begun.elapsed();
        // COM_CHANGE_USER is no way around it.
        let begun = Instant::now();
        assert_eq!(change(&mut stream, "native", "wrong").await.unwrap_err().errno, 1045);
        (login, begun.elapsed())
    };
    let (_, (login, changed)) = tokio::join!(storm, good);
    assert!(login < held, "{login:?}");
    assert!(changed >= held, "{changed:?}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let metrics = metrics(&proxy).await;
    let count = |name: &str| -> u64 {
        let line = metrics.lines().find(|line| line.starts_with(name)).expect(name);
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert_eq!(count("weir_failed_logins_held_total"), 23);
    assert_eq!(count("weir_logins_failed_total{reason=\"access_denied\"}"), 26);
    let left_out = count("weir_failed_logins_left_out_total");
    let log = std::fs::read_to_string(proxy.directory.join("log")).unwrap();
    let lines = log.lines().filter(|line| line.contains("login failed")).count() as u64;
    assert_eq!(lines + left_out, 26, "{log}");
    assert!(left_out >= 10, "{left_out}");
}

async fn metrics(proxy: &Proxy) -> String {
    let mut socket = socket(proxy.http_port).await;
    socket
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_clients_are_off_until_someone_turns_them_on() {
    for rig in rig::shared_kinds() {
        let proxy = weir(rig, &[("listen", "local_infile: false".to_owned())]);
        assert!(!greeting(proxy.port).await.1.contains(Capabilities::LOCAL_FILES));
        assert!(greeting(rig.proxy.port).await.1.contains(Capabilities::LOCAL_FILES));
        let mut stream = tcp(&proxy).await;
        // It claims what wasn't offered.
        log_in(&mut stream, "native", "native", Capabilities::LOCAL_FILES, None).await.unwrap();
        let errno = if rig.groups[0].primary.kind == Kind::MySql { 3948 } else { 4166 };
        for table in ["coupons", "users", "regions"] {
            stream.reset_sequence();
            let sql = format!("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE {table}");
            stream.write_with(|out| write_text(byte::QUERY, sql.as_bytes(), out));
            stream.flush().await.unwrap();
            let payload = stream.read_packet().await.unwrap().unwrap().to_vec();
            let answer = Response::parse(&payload, Capabilities::WANTED).unwrap();
            let Response::Err(error) = answer else { panic!("{table}: {answer:?}") };
            assert_eq!(error.errno, errno, "{table}");
            assert!(error.message.ends_with(b"[weir:local_infile_disabled]"), "{table}");
        }
        assert_eq!(value(&mut stream, b"SELECT 1").await, b"1");
    }
}

/// Weir offers no session tracking: its OKs carry no state, whatever a client claims and sets.
#[tokio::test(flavor = "multi_thread")]
async fn no_session_state_is_told_and_none_is_promised() {
    for rig in rig::shared_kinds() {
        let is_mysql = rig.groups[0].primary.kind == Kind::MySql;
        let mut stream = tcp(&rig.proxy).await;
        log_in(&mut stream, "shop", "shop", Capabilities::SESSION_TRACK, None).await.unwrap();
        let mut asked = vec![
            ("USE shop", None),
            ("SET time_zone = '+03:00', autocommit = 1", None),
            // What drivers set on their own.
            ("SET session_track_schema = 1", None),
            (
                "SET session_track_system_variables = \
                 CONCAT(@@global.session_track_system_variables, ',sql_mode')",
                None,
            ),
            ("SET session_track_state_change = OFF", None),
            ("SET session_track_transaction_info = 'OFF'", None),
            ("SET session_track_state_change = ON", Some("session_track_state_change")),
            ("SET session_track_transaction_info = STATE", Some("session_track_transaction_info")),
            ("SET sql_mode = DEFAULT", None),
            ("UPDATE coupons SET percent = percent WHERE code = 'none'", None),
        ];
        if is_mysql {
            asked.push(("SET session_track_gtids = OWN_GTID", Some("session_track_gtids")));
        }
        for (sql, refused) in asked {
            stream.reset_sequence();
            stream.write_with(|out| write_text(byte::QUERY, sql.as_bytes(), out));
            stream.flush().await.unwrap();
            let payload = stream.read_packet().await.unwrap().unwrap().to_vec();
            let plain = Capabilities::WANTED.without(Capabilities::SESSION_TRACK);
            match (Response::parse(&payload, plain).unwrap(), refused) {
                (Response::Ok(ok), None) => assert_eq!(ok.status.0 & 0x4000, 0, "{sql}"),
                (Response::Err(error), Some(name)) => {
                    let message = String::from_utf8_lossy(error.message);
                    assert!(message.contains(name) && error.errno == 1235, "{sql}: {message}");
                }
                (answer, _) => panic!("{sql}: {answer:?}"),
            }
        }
    }
}
