//! What operators do while clients are at work: pausing, looking at pools, rules that change what
//! clients use; and clients that only wish to be in the way.
//!
//! Owns: the running program with load on it. Never: what one command of the admin port answers
//! (`admin.rs`), or what a reload finds out (`reload.rs`).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::support::proxy::{Proxy, native_verifier};
use crate::support::rig::{self, Rig};
use crate::support::tls;

async fn connect(url: &str) -> Conn {
    Conn::new(Opts::from_url(url).expect("a URL")).await.expect("a login")
}

async fn admin(proxy: &Arc<Proxy>, command: &'static str) -> Vec<Vec<String>> {
    let proxy = proxy.clone();
    tokio::task::spawn_blocking(move || proxy.admin(command).expect(command)).await.expect("rows")
}

/// Puts a changed file in the place of the old one, as editors do.
fn edit(rules: &Path, file: &str, change: impl Fn(String) -> String) {
    let path = rules.join(file);
    let text = std::fs::read_to_string(&path).expect("a file");
    let new = rules.join(format!(".{file}.new"));
    std::fs::write(&new, change(text)).expect("written");
    std::fs::rename(new, path).expect("renamed");
}

fn another(
    rig: &Rig,
    settings: &[(&'static str, String)],
    edit: &dyn Fn(&Path),
) -> (Arc<Proxy>, std::path::PathBuf) {
    let (proxy, rules) = rig.another_edited(settings, edit).expect("another Weir");
    (Arc::new(proxy), rules)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_holds_new_statements_and_lets_those_under_way_end() {
    for rig in rig::shared_kinds() {
        let (proxy, _rules) = another(rig, &[], &|_| {});
        let url = proxy.url("shop");
        let (mut slow, mut held) = (connect(&url).await, connect(&url).await);
        let mut open = connect(&url).await;
        open.query_drop("BEGIN").await.expect("BEGIN");
        open.query_drop("SELECT balance FROM users WHERE user_id = 1").await.expect("rows");
        let began = Instant::now();
        let under_way = async {
            let rows: Vec<u64> =
                slow.query("SELECT SLEEP(1) FROM coupons LIMIT 1").await.expect("it ends");
            (rows, began.elapsed())
        };
        let operator = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            admin(&proxy, "PAUSE").await;
            // A transaction that is open goes on to its end.
            open.query_drop("SELECT balance FROM users WHERE user_id = 9").await.expect("rows");
            open.query_drop("COMMIT").await.expect("COMMIT");
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            admin(&proxy, "RESUME").await;
            began.elapsed()
        };
        let held = async {
            tokio::time::sleep(Duration::from_millis(800)).await;
            let one: Option<u64> = held
                .query_first("SELECT user_id FROM users WHERE user_id = 1")
                .await
                .expect("a row");
            (one, began.elapsed())
        };
        let (under_way, resumed, held) = tokio::join!(under_way, operator, held);
        assert_eq!(under_way.0, [0]);
        assert!(under_way.1 < resumed, "it wasn't held: {:?}, {resumed:?}", under_way.1);
        assert_eq!(held.0, Some(1));
        assert!(held.1 + Duration::from_millis(100) >= resumed, "held: {:?}, {resumed:?}", held.1);
        slow.query_drop("SELECT 1").await.expect("it goes on");
    }
}

/// A row of SHOW POOLS by its column.
fn cell<'a>(table: &'a (Vec<String>, Vec<Vec<String>>), group: &str, column: &str) -> &'a str {
    let at = table.0.iter().position(|name| name == column).expect(column);
    let row = table.1.iter().find(|row| row[0] == group).expect(group);
    &row[at]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_of_pools_says_what_is_there() {
    for rig in rig::shared_kinds() {
        let narrow = |rules: &Path| {
            edit(rules, "topology.yaml", |text| {
                text.replace("pool: {size: 32,", "pool: {size: 2,")
            });
        };
        let (proxy, _rules) = another(rig, &[], &narrow);
        let url = proxy.url("shop");
        let port = proxy.admin_port;
        let pools = || async move {
            let url = format!("mysql://admin:admin@127.0.0.1:{port}/?prefer_socket=false");
            let asked = move || crate::support::sql::table(&url, "SHOW POOLS");
            tokio::task::spawn_blocking(asked).await.expect("no panic").expect("the pools")
        };
        let (mut one, mut two) = (connect(&url).await, connect(&url).await);
        let mut third = connect(&url).await;
        for conn in [&mut one, &mut two] {
            conn.query_drop("BEGIN").await.expect("BEGIN");
            conn.query_drop("SELECT balance FROM users WHERE user_id = 1").await.expect("rows");
        }
        let busy = pools().await;
        let of = |column: &str| cell(&busy, "g0", column).to_owned();
        assert_eq!(
            (of("max"), of("open"), of("in_use"), of("idle")),
            ("2".into(), "2".into(), "2".into(), "0".into())
        );
        assert_eq!(
            (of("waiting"), of("refused"), of("failed")),
            ("0".into(), "0".into(), "0".into())
        );
        assert_eq!(cell(&busy, "g1", "in_use"), "0");
        let waits = async {
            third.query_drop("SELECT balance FROM users WHERE user_id = 1").await.expect("rows");
        };
        let looks = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            let waiting = pools().await;
            one.query_drop("COMMIT").await.expect("COMMIT");
            waiting
        };
        let ((), waiting) = tokio::join!(waits, looks);
        assert_eq!(cell(&waiting, "g0", "waiting"), "1", "{waiting:?}");
        two.query_drop("ROLLBACK").await.expect("ROLLBACK");
        let after = pools().await;
        let of = |column: &str| cell(&after, "g0", column).to_owned();
        assert_eq!((of("in_use"), of("waiting")), ("0".into(), "0".into()), "{after:?}");
        assert!(of("waits").parse::<u64>().expect("a number") >= 1, "{after:?}");
        assert!(of("waited_seconds").parse::<f64>().expect("a number") >= 0.3, "{after:?}");
        assert!(of("opened").parse::<u64>().expect("a number") >= 2, "{after:?}");
    }
}

/// Passes connections on to a server, so that the server has another address.
async fn detour(to: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let to = to.clone();
            tokio::spawn(async move {
                let Ok(mut far) = TcpStream::connect(to).await else { return };
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    port
}

/// Clients that read, write and merge until told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    clients: JoinSet<Result<(), String>>,
}

impl Load {
    fn start(url: &str) -> Load {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut clients = JoinSet::new();
        for client in 0..6u64 {
            let (stop, done, url) = (stop.clone(), done.clone(), url.to_owned());
            clients.spawn(async move {
                let mut conn = connect(&url).await;
                let mut id = client;
                while !stop.load(Ordering::Relaxed) {
                    id = id % 50 + 1;
                    let (sql, expected) = match client % 3 {
                        0 => (format!("SELECT user_id FROM users WHERE user_id = {id}"), id),
                        1 => ("SELECT COUNT(*) FROM users WHERE user_id IN (1, 9, 17)".into(), 3),
                        _ => (
                            format!("SELECT user_id FROM users WHERE user_id = {id} FOR UPDATE"),
                            id,
                        ),
                    };
                    let transaction = client % 3 == 2;
                    let fails = |error: mysql_async::Error| format!("{sql}: {error}");
                    if transaction {
                        conn.query_drop("BEGIN").await.map_err(fails)?;
                    }
                    let found: Vec<u64> = conn.query(&sql).await.map_err(fails)?;
                    if found != [expected] {
                        return Err(format!("{sql} gave {found:?}"));
                    }
                    if transaction {
                        conn.query_drop("COMMIT").await.map_err(fails)?;
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            });
        }
        Load { stop, done, clients }
    }

    /// Waits until the clients have done some more.
    async fn goes_on(&self) {
        let before = self.done.load(Ordering::Relaxed);
        let began = Instant::now();
        while self.done.load(Ordering::Relaxed) < before + 30 {
            assert!(began.elapsed() < Duration::from_secs(30), "the load stands still");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn finish(mut self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        while let Some(ended) = self.clients.join_next().await {
            failures.extend(ended.expect("no panic").err());
        }
        failures
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_addresses_and_users_change_under_load() {
    for rig in rig::shared_kinds() {
        let leaver = format!(
            "  leaver: {{native: \"{}\", schemas: [shop], default_schema: shop, rights: [read]}}\n",
            native_verifier("leaver")
        );
        let with_leaver = |rules: &Path| edit(rules, "users.yaml", |text| text + &leaver);
        let (proxy, rules) = another(rig, &[], &with_leaver);
        let address = rig.groups[1].primary.address();
        let port = detour(address.clone()).await;
        let its_url = proxy.url("shop").replace("shop:shop@", "leaver:leaver@");
        let mut leaves = connect(&its_url).await;
        let load = Load::start(&proxy.url("shop"));
        load.goes_on().await;
        // The watch of the files may be quicker than the command: what counts is what comes of it.
        let reloads = async |holds: &dyn Fn(&str) -> bool| {
            admin(&proxy, "RELOAD").await;
            let began = Instant::now();
            loop {
                let nodes = format!("{:?}", admin(&proxy, "SHOW NODES").await);
                if holds(&nodes) {
                    break;
                }
                assert!(began.elapsed() < Duration::from_secs(20), "{nodes}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            load.goes_on().await;
        };
        let other = format!("127.0.0.1:{port}");
        for _ in 0..3 {
            // The shards of g1 are reached by another address, and by the first one again.
            edit(&rules, "topology.yaml", |text| {
                text.replace("${WEIR_G1_PRIMARY:-127.0.0.1:3317}", &other)
            });
            reloads(&|nodes| nodes.contains(&other)).await;
            // A further group with a node.
            let group = format!("  g2:\n    primary: {{address: \"{address}\"}}\n");
            edit(&rules, "topology.yaml", |text| {
                text.replacen("groups:\n", &format!("groups:\n{group}"), 1)
            });
            reloads(&|nodes| nodes.contains("\"g2\"")).await;
            edit(&rules, "topology.yaml", |text| {
                text.replace(&group, "").replace(&other, "${WEIR_G1_PRIMARY:-127.0.0.1:3317}")
            });
            reloads(&|nodes| !nodes.contains("\"g2\"") && !nodes.contains(&other)).await;
        }
        leaves.query_drop("SELECT 1 FROM coupons LIMIT 1").await.expect("rows");
        edit(&rules, "users.yaml", |text| text.replace(&leaver, ""));
        reloads(&|_| true).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let refused = Conn::new(Opts::from_url(&its_url).expect("a URL")).await;
        assert!(refused.expect_err("it is nobody now").to_string().contains("1045"));
        // As with DROP USER, a session that is open goes on.
        leaves.query_drop("SELECT 1 FROM coupons LIMIT 1").await.expect("rows");
        assert_eq!(load.finish().await, Vec::<String>::new());
    }
}

/// The first bytes of a login with TLS, of which no more comes.
const TLS_REQUEST: [u8; 36] = {
    let mut bytes = [0; 36];
    // 32 bytes, sequence id 1; PROTOCOL_41, SSL and SECURE_CONNECTION.
    (bytes[0], bytes[3]) = (32, 1);
    (bytes[5], bytes[6]) = (0x8a, 0);
    (bytes[4], bytes[8]) = (0, 1);
    bytes[12] = 45;
    bytes
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_that_never_end_their_tls_keep_nobody_out() {
    let Some(rig) = rig::shared_kinds().into_iter().next() else { return };
    let made = tls::certificates();
    let settings = [
        ("tls", "mode: preferred".to_owned()),
        ("tls", format!("cert: '{}'", made.server.display())),
        ("tls", format!("key: '{}'", made.server_key.display())),
    ];
    let (proxy, _rules) = another(rig, &settings, &|_| {});
    let url = proxy.url("shop");
    connect(&url).await.query_drop("SELECT 1").await.expect("an answer");
    let mut slow = JoinSet::new();
    for _ in 0..2_000 {
        let mut socket = TcpStream::connect(("127.0.0.1", proxy.port)).await.expect("a socket");
        slow.spawn(async move {
            let mut greeting = [0; 512];
            let _ = socket.read(&mut greeting).await;
            let _ = socket.write_all(&TLS_REQUEST).await;
            let began = Instant::now();
            while let Ok(1..) = socket.read(&mut greeting).await {}
            began.elapsed()
        });
    }
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    for attempt in 0..20 {
        let began = Instant::now();
        let conn = Conn::new(Opts::from_url(&url).expect("a URL")).await;
        let mut conn = conn.unwrap_or_else(|error| panic!("login {attempt}: {error}"));
        conn.query_drop("SELECT 1").await.expect("an answer");
        assert!(began.elapsed() < Duration::from_secs(2), "{attempt}: {:?}", began.elapsed());
    }
    while let Some(ended) = slow.join_next().await {
        let after = ended.expect("no panic");
        assert!(after < Duration::from_secs(15), "closed after {after:?}");
    }
}
