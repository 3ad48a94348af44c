//! The program as a process in front of real servers: signals, reloads under load, and clients that
//! are many, slow or gone.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::proxy::Proxy;
use crate::support::rig;
use crate::support::servers::Kind;

async fn connect(proxy: &Proxy) -> mysql_async::Result<Conn> {
    Conn::new(Opts::from_url(&proxy.url("shop")).unwrap()).await
}

fn door(proxy: &Proxy) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], proxy.port))
}

/// Runs what blocks beside what is awaited.
async fn started(settings: &[(&'static str, String)]) -> Option<(Proxy, std::path::PathBuf)> {
    started_on(Kind::MariaDb, settings).await
}

async fn started_on(
    kind: Kind,
    settings: &[(&'static str, String)],
) -> Option<(Proxy, std::path::PathBuf)> {
    let settings = settings.to_vec();
    let start = move || rig::shared(kind).map(|rig| rig.another(&settings).unwrap());
    tokio::task::spawn_blocking(start).await.unwrap()
}

async fn admin(proxy: &Arc<Proxy>, command: &'static str) -> Vec<Vec<String>> {
    let proxy = proxy.clone();
    tokio::task::spawn_blocking(move || proxy.admin(command).unwrap()).await.unwrap()
}

/// A number from the process's status, such as `VmRSS` in KiB.
fn status(proxy: &Proxy, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", proxy.pid().unwrap())).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn open_files(proxy: &Proxy) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", proxy.pid().unwrap())).unwrap().count()
}

/// Clock ticks of CPU that the process has used.
fn ticks(proxy: &Proxy) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", proxy.pid().unwrap())).unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Clients that ask without pause until told to stop; what failed is kept.
struct Load {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
    clients: JoinSet<Result<(), String>>,
}

impl Load {
    fn start(proxy: &Proxy, clients: u64) -> Load {
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut set = JoinSet::new();
        for client in 0..clients {
            let (stop, asked, url) = (stop.clone(), asked.clone(), proxy.url("shop"));
            set.spawn(async move {
                let mut conn =
                    Conn::new(Opts::from_url(&url).unwrap()).await.map_err(|e| e.to_string())?;
                let mut id = client;
                while !stop.load(Ordering::Relaxed) {
                    id = id % 50 + 1;
                    let sql = format!("SELECT user_id FROM users WHERE user_id = {id}");
                    let rows: Vec<u64> = conn.query(sql).await.map_err(|e| e.to_string())?;
                    if rows != [id] {
                        return Err(format!("user {id} gave {rows:?}"));
                    }
                    asked.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            });
        }
        Load { stop, asked, clients: set }
    }

    async fn finish(mut self) -> (u64, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        while let Some(ended) = self.clients.join_next().await {
            failures.extend(ended.unwrap().err());
        }
        (self.asked.load(Ordering::Relaxed), failures)
    }
}

fn edit(rules: &Path, file: &str, change: impl Fn(String) -> String) {
    let path = rules.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    // As editors do: a new file under the old name.
    let new = rules.join(format!(".{file}.new"));
    std::fs::write(&new, change(text)).unwrap();
    std::fs::rename(new, path).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_under_load_fail_no_statement() {
    let Some((proxy, rules)) = started(&[]).await else { return };
    let proxy = Arc::new(proxy);
    let load = Load::start(&proxy, 8);
    let begun = Instant::now();
    for round in 0..20 {
        // The pools of both groups change, so connections are opened anew under load.
        edit(&rules, "topology.yaml", |text| {
            let (old, new) = (32 + round % 2, 32 + (round + 1) % 2);
            text.replace(&format!("size: {old}"), &format!("size: {new}"))
        });
        proxy.signal("HUP").unwrap();
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    // A bad edit is reported and changes nothing. The good ones before it may still be under way.
    let mut before = admin(&proxy, "SHOW RULES").await;
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = admin(&proxy, "SHOW RULES").await;
        if std::mem::replace(&mut before, now)[..2] == before[..2] {
            break;
        }
    }
    edit(&rules, "tables.yaml", |text| text + "\nnonsense: true\n");
    proxy.signal("HUP").unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = admin(&proxy, "SHOW RULES").await;
    assert_eq!(before[..2], after[..2], "version and hash");
    assert!(after.iter().any(|row| row[1].contains("nonsense")), "{after:?}");
    let (asked, failures) = load.finish().await;
    assert_eq!(failures, Vec::<String>::new(), "after {asked} statements");
    let version: u64 = after[0][1].parse().unwrap();
    assert!(version >= 3, "{version} versions");
    eprintln!("{asked} statements, {version} rules versions in {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_logins_are_cut_and_hurt_nobody() {
    let settings = [("timeouts", "handshake: 3s".to_owned())];
    let Some((proxy, _)) = started(&settings).await else { return };
    let before = open_files(&proxy);
    let mut slow = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..800 {
        let address = door(&proxy);
        slow.spawn(async move {
            use tokio::io::AsyncWriteExt;
            let Ok(mut socket) = TcpStream::connect(address).await else { return None };
            let mut greeting = [0; 1024];
            let _ = socket.read(&mut greeting).await;
            // One byte of a login in each second.
            for byte in [60_u8, 0, 0, 1, 0x8d, 0xa6, 0x0f] {
                if socket.write_all(&[byte]).await.is_err() {
                    break;
                }
                let wait =
                    tokio::time::timeout(Duration::from_secs(1), socket.read(&mut greeting)).await;
                if matches!(wait, Ok(Ok(0)) | Ok(Err(_))) {
                    break;
                }
            }
            Some(begun.elapsed())
        });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut logins = Vec::new();
    for _ in 0..20 {
        let one = Instant::now();
        connect(&proxy).await.unwrap().query_drop("SELECT 1").await.unwrap();
        logins.push(one.elapsed());
    }
    let slowest = logins.iter().max().unwrap();
    assert!(*slowest < Duration::from_secs(1), "{logins:?}");
    while let Some(ended) = slow.join_next().await {
        let after = ended.unwrap().expect("it was accepted");
        assert!(after < Duration::from_secs(8), "closed after {after:?}");
    }
    settles(|| open_files(&proxy) <= before + 8).await;
}

/// Waits until it holds.
async fn settles(holds: impl Fn() -> bool) {
    for _ in 0..200 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it doesn't settle");
}

/// Clients that come and go in every way; returns how many good logins failed.
async fn storm(proxy: &Proxy, rounds: u64) -> u32 {
    let mut lanes = JoinSet::new();
    for lane in 0..16 {
        let (address, url) = (door(proxy), proxy.url("shop"));
        lanes.spawn(async move {
            let mut failures = 0;
            for round in 0..rounds {
                match (lane + round) % 4 {
                    // Gone before the greeting was read, and in the middle of it.
                    0 => drop(TcpStream::connect(address).await),
                    1 => {
                        let mut socket = TcpStream::connect(address).await.unwrap();
                        let _ = socket.read(&mut [0; 16]).await;
                    }
                    // A wrong password.
                    2 => {
                        let url = url.replace("shop:shop", "shop:wrong");
                        assert!(Conn::new(Opts::from_url(&url).unwrap()).await.is_err());
                    }
                    // A client that leaves without a word.
                    _ => match Conn::new(Opts::from_url(&url).unwrap()).await {
                        Ok(conn) => drop(conn),
                        Err(_) => failures += 1,
                    },
                }
            }
            failures
        });
    }
    lanes.join_all().await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_connections_leaves_nothing_open() {
    let Some((proxy, _)) = started(&[]).await else { return };
    // Fills the pools: backend connections stay open, and are no leak.
    storm(&proxy, 20).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = open_files(&proxy);
    let begun = Instant::now();
    assert_eq!(storm(&proxy, 250).await, 0);
    eprintln!("4000 connections in {:?}", begun.elapsed());
    settles(|| open_files(&proxy) <= before + 8).await;
    connect(&proxy).await.unwrap().query_drop("SELECT 1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_file_descriptors_accepting_pauses_and_sessions_go_on() {
    let Some((proxy, _)) = started(&[]).await else { return };
    let proxy = Arc::new(proxy);
    let mut session = connect(&proxy).await.unwrap();
    session.query_drop("SELECT user_id FROM users WHERE user_id = 1").await.unwrap();
    let limit = open_files(&proxy) + 10;
    let pid = proxy.pid().unwrap().to_string();
    let lowered = std::process::Command::new("prlimit")
        .args(["--pid", &pid, &format!("--nofile={limit}:")])
        .status();
    if !lowered.is_ok_and(|status| status.success()) {
        return eprintln!("SKIPPED: prlimit is not there");
    }
    let mut sockets = Vec::new();
    for _ in 0..60 {
        sockets.push(TcpStream::connect(door(&proxy)).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = ticks(&proxy);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let spent = ticks(&proxy) - before;
    assert!(spent < 40, "it spins: {spent} ticks of 10 ms in 2 s");
    for _ in 0..20 {
        session.query_drop("SELECT user_id FROM users WHERE user_id = 1").await.unwrap();
    }
    drop(sockets);
    // Accepting goes on by itself.
    let again = tokio::time::timeout(Duration::from_secs(10), connect(&proxy)).await;
    again.expect("it accepts again").unwrap().query_drop("SELECT 1").await.unwrap();
}

/// Each session has sent 64 KiB and received 1 MiB before it is idle. `WEIR_IDLE_SESSIONS=10000`
/// measures more of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_sessions_keep_little_memory() {
    let wanted = std::env::var("WEIR_IDLE_SESSIONS").ok().and_then(|n| n.parse().ok());
    let count: u64 = wanted.unwrap_or(1000);
    let Some((proxy, _)) = started(&[]).await else { return };
    let long =
        format!("SELECT /* {} */ REPEAT('x', 1048576) FROM regions LIMIT 1", "y".repeat(64 << 10));
    let mut warm = connect(&proxy).await.unwrap();
    for _ in 0..20 {
        warm.query_drop(&long).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = status(&proxy, "VmRSS");
    let mut sessions = Vec::new();
    for _ in 0..count {
        let mut session = connect(&proxy).await.unwrap();
        session.query_drop(&long).await.unwrap();
        sessions.push(session);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = status(&proxy, "VmRSS");
    let each = after.saturating_sub(before) as f64 / count as f64;
    eprintln!("{each:.1} KiB for each of {count} idle sessions ({before} to {after} KiB)");
    assert!(each <= 20.0, "{each:.1} KiB for each idle session");
}
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_lets_transactions_end() {
    for kind in Kind::ALL {
        let Some((proxy, _)) =
            started_on(kind, &[("timeouts", "not_ready: 300ms".to_owned())]).await
        else {
            continue;
        };
        let proxy = Arc::new(proxy);
        let mut busy = connect(&proxy).await.unwrap();
        let mut idle = connect(&proxy).await.unwrap();
        idle.query_drop("SELECT 1").await.unwrap();
        busy.query_drop("BEGIN").await.unwrap();
        busy.query_drop("UPDATE users SET region_id = region_id WHERE user_id = 1").await.unwrap();
        proxy.signal("TERM").unwrap();
        // Until the listeners close, balancers still send clients, and they are served.
        connect(&proxy).await.unwrap().query_drop("SELECT 1").await.unwrap();
        tokio::time::sleep(Duration::from_millis(1000)).await;
        assert!(connect(&proxy).await.is_err(), "the door is closed");
        assert!(idle.query_drop("SELECT 1").await.is_err(), "idle sessions end");
        busy.query_drop("UPDATE users SET region_id = region_id WHERE user_id = 1").await.unwrap();
        busy.query_drop("COMMIT").await.unwrap();
        let ended =
            tokio::task::spawn_blocking(move || proxy.wait(Duration::from_secs(10))).await.unwrap();
        assert_eq!(ended.unwrap().code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_reaches_a_statement_and_no_stranger() {
    for kind in Kind::ALL {
        let Some((proxy, _)) = started_on(kind, &[("listen", "proxy_id: 77".to_owned())]).await
        else {
            continue;
        };
        let mut victim = connect(&proxy).await.unwrap();
        let id = victim.id();
        assert_eq!(id >> 20, 77);
        let running = tokio::spawn(async move {
            victim.query_first::<u32, _>("SELECT SLEEP(30) FROM regions LIMIT 1").await
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut killer = connect(&proxy).await.unwrap();
        let stranger =
            killer.query_drop(format!("KILL {}", id ^ (1 << 20))).await.unwrap_err().to_string();
        assert!(stranger.contains("belongs to proxy 76"), "{stranger}");
        let begun = Instant::now();
        killer.query_drop(format!("KILL QUERY {id}")).await.unwrap();
        // SLEEP gives 1 where it is interrupted, other statements error 1317: either ends at once.
        let _ =
            tokio::time::timeout(Duration::from_secs(5), running).await.expect("it ends").unwrap();
        assert!(begun.elapsed() < Duration::from_secs(3));
    }
}
