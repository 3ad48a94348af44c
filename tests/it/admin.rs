//! The admin port through the mariadb command-line client, and the HTTP pages through a socket.

use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use weir::admin::{Admin, http, port};
use weir::config::Config;
use weir::config::secret::Secret;
use weir::context::{Context, Phase, Snapshot};
use weir::name::{SchemaName, UserName};
use weir::observe::scrape::Scrape;
use weir::observe::sessions::{Peer, Stop, Watch};
use weir::rules::Rules;

fn empty() -> Arc<Snapshot> {
    Snapshot::new(Arc::new(Rules::empty()), Arc::default())
}

struct Operator {
    context: Arc<Context>,
    port: u16,
    levels: Arc<Mutex<Vec<String>>>,
}

async fn start() -> Operator {
    let context = Context::new(Config::default(), empty(), 2, 9);
    let levels = Arc::new(Mutex::new(Vec::new()));
    let admin = Admin {
        context: context.clone(),
        reloader: crate::reload::reloader(
            &context,
            Arc::new(|| Err(vec!["first".to_owned(), "second".to_owned()])),
        ),
        user: "ops".to_owned(),
        password: Secret::new("s3cret"),
        set_log_level: Arc::new({
            let levels = levels.clone();
            move |level| {
                levels.lock().unwrap().push(level.to_owned());
                if level == "nonsense" { Err("no such level".to_owned()) } else { Ok(()) }
            }
        }),
        started: Instant::now(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(port::serve(listener, Arc::new(admin)));
    Operator { context, port, levels }
}

impl Operator {
    async fn client(&self, user: &str, password: &str, more: &[&str], sql: &str) -> Output {
        let port = self.port.to_string();
        let mut command = tokio::process::Command::new("mariadb");
        command
            .args(["--no-defaults", "-h", "127.0.0.1", "-P", &port, "-u", user, "-B"])
            .arg(format!("-p{password}"))
            .args(more)
            .args(["-e", sql]);
        command.output().await.expect("the mariadb client is installed")
    }

    /// Lines of tab-separated values, the header first.
    async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let output = self.client("ops", "s3cret", &[], sql).await;
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    }

    async fn error(&self, sql: &str) -> String {
        let output = self.client("ops", "s3cret", &[], sql).await;
        assert!(!output.status.success(), "{sql} should fail");
        String::from_utf8(output.stderr).unwrap()
    }
}

/// Needs the client; says so loudly where it isn't there.
fn has_client() -> bool {
    let found = std::process::Command::new("mariadb").arg("--version").output().is_ok();
    if !found {
        eprintln!("SKIPPED: the mariadb client is not installed");
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_answers_and_help_names_them_all() {
    if !has_client() {
        return;
    }
    let operator = start().await;
    let help = operator.rows("SHOW HELP").await;
    assert_eq!(help[0], ["command", "what it does"]);
    for row in &help[1..] {
        if row[0].starts_with("SHOW ") {
            let rows = operator.rows(&format!("{};", row[0])).await;
            assert!(rows.is_empty() || rows[0].len() >= 2, "{}: {rows:?}", row[0]);
        }
    }
    let config = operator.rows("show config").await;
    let budget = config.iter().find(|row| row[0] == "limits.max_connections").unwrap();
    assert_eq!(budget[1..4], ["10000", "10000", "reload"]);
    let version = operator.rows("SHOW VERSION").await;
    assert!(version.contains(&vec!["proxy_id".to_owned(), "9".to_owned()]));
    // As drivers connect: what mysql_async asks for.
    let asked = operator.rows("SELECT @@max_allowed_packet,@@wait_timeout").await;
    assert_eq!(asked, [["@@max_allowed_packet", "@@wait_timeout"], ["65536", "28800"]]);
    // Several commands on one connection, and the client's own chatter.
    let output = operator
        .client(
            "ops",
            "s3cret",
            &["-A"],
            "select @@version_comment limit 1; SHOW MEMORY; SHOW DATABASES",
        )
        .await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_are_listed_and_killed() {
    if !has_client() {
        return;
    }
    let operator = start().await;
    let session = operator.context.sessions.register(Peer::Unix, 1);
    session.log_in(UserName::new("sh<o>p"), Some(SchemaName::new("st/ore")));
    session.begin("Query", b"SELECT 'a\ttab'");
    let rows = operator.rows("SHOW CLIENTS").await;
    assert_eq!(rows[1][0], session.id().to_string());
    assert_eq!((rows[1][1].as_str(), rows[1][4].as_str()), ("sh<o>p", "st/ore"));
    // The client escapes what would break its own lines.
    assert_eq!(rows[1].last().unwrap(), "SELECT 'a\\ttab'");

    operator.rows(&format!("KILL QUERY {}", session.id())).await;
    assert_eq!(session.stop(Watch::Statement), Some(Stop::Query));
    operator.rows(&format!("kill {};", session.id())).await;
    assert_eq!(session.stop(Watch::Idle), Some(Stop::Kill));
    drop(session);
    assert!(operator.error("KILL 9437185").await.contains("[weir:unknown_thread]"));
    // 3 << 20 | 1: another proxy's.
    assert!(operator.error("KILL 3145729").await.contains("belongs to proxy 3"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pausing_and_levels_and_nonsense() {
    if !has_client() {
        return;
    }
    let operator = start().await;
    operator.rows("PAUSE").await;
    assert!(operator.context.gate.is_closed());
    operator.rows("RESUME").await;
    assert!(!operator.context.gate.is_closed());
    operator.rows("SET LOG LEVEL 'debug'").await;
    assert!(
        operator
            .error("SET LOG LEVEL nonsense")
            .await
            .contains("no such level [weir:wrong_log_level]")
    );
    assert!(operator.error("ACCEPT PRIMARY nowhere").await.contains("[weir:no_such_group]"));
    assert_eq!(*operator.levels.lock().unwrap(), ["debug", "nonsense"]);
    assert!(operator.error("DROP DATABASE shop").await.contains("SHOW HELP"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_reload_is_an_error_and_stays_listed() {
    if !has_client() {
        return;
    }
    let operator = start().await;
    let error = operator.error("RELOAD").await;
    assert!(
        error.contains("2 problems, nothing was changed")
            && error.contains("first [weir:reload_refused]"),
        "{error}"
    );
    let rules = operator.rows("SHOW RULES").await;
    let problems: Vec<_> =
        rules.iter().filter(|row| row[0] == "last reload refused").map(|row| &row[1]).collect();
    assert_eq!(problems, ["rules: error: first", "rules: error: second"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_admin_gets_in() {
    if !has_client() {
        return;
    }
    let operator = start().await;
    for (user, password) in
        [("ops", "wrong"), ("ops", ""), ("root", "s3cret"), ("admin", "admin"), ("", "")]
    {
        let output = operator.client(user, password, &[], "SHOW VERSION").await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("1045"), "{user}/{password}: {stderr}");
        assert!(output.stdout.is_empty());
    }
    // A client with the other plugin only.
    let output = operator
        .client("ops", "s3cret", &["--default-auth=caching_sha2_password"], "SHOW VERSION")
        .await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_command_before_the_login_is_not_run() {
    let operator = start().await;
    let mut stream = TcpStream::connect(("127.0.0.1", operator.port)).await.unwrap();
    let mut bytes = [0; 512];
    assert!(stream.read(&mut bytes).await.unwrap() > 10);
    stream.write_all(b"\x06\0\0\0\x03PAUSE").await.unwrap();
    stream.write_all(b"\x06\0\0\0\x03PAUSE").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!operator.context.gate.is_closed());
    assert_eq!(answer.get(4), Some(&0xff), "an ERR packet, then the end");
}

async fn get(port: u16, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let status = text[9..12].parse().unwrap();
    (status, text.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[tokio::test]
async fn health_pages_follow_the_phase() {
    let context = Context::new(Config::default(), empty(), 1, 0);
    let scrape = Scrape::new(
        context.metrics.clone(),
        context.sessions.clone(),
        context.budget.clone(),
        Vec::new(),
    );
    let pages = http::Pages {
        context: context.clone(),
        scrape: Arc::new(scrape),
        details: Arc::new(|| vec!["group a: no primary".to_owned()]),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(http::serve(listener, pages));
    assert_eq!(get(port, "/healthz").await.0, 200);
    assert_eq!(get(port, "/readyz").await, (503, "starting\n".to_owned()));
    context.enter(Phase::Ready);
    assert_eq!(get(port, "/readyz").await, (200, "ready\n".to_owned()));
    let (status, verbose) = get(port, "/readyz?verbose").await;
    assert_eq!(status, 200);
    assert!(verbose.contains("group a: no primary"));
    context.enter(Phase::Draining);
    assert_eq!(get(port, "/readyz").await.0, 503);
    assert_eq!(get(port, "/healthz").await.0, 200);
    let (status, metrics) = get(port, "/metrics").await;
    assert_eq!(status, 200);
    assert!(metrics.contains("weir_clients 0"));
    assert!(metrics.ends_with("# EOF\n"));
    assert_eq!(get(port, "/nothing").await.0, 404);
}
