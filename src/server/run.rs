//! The whole process: from settings and rules to the last session's end.
//!
//! Owns: the order of starting, signals, and which task runs where. Never: reads a file itself
//! (the command line gives what was read).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use super::worker::Serve;
use super::{Server, Stopped, files, worker_count};
use crate::admin::sequences::SequenceSource;
use crate::admin::topology::{TopologySource, troubles};
use crate::admin::{Admin, SetLogLevel, http, port};
use crate::backend::ddl::{self, DdlWatch};
use crate::backend::topology::{Place, Topology};
use crate::config::secret::{Secret, SecretRef};
use crate::config::section::TlsMode;
use crate::config::{Config, DRAWN_IDS};
use crate::context::front::Announced;
use crate::context::{Context, Snapshot};
use crate::observe::scrape::Scrape;
use crate::reload::report::Cause;
use crate::reload::{Inputs, Reloader, watch};
use crate::rules::Rules;
use crate::session;
use crate::transaction::{deadlock, recover};
use crate::wire::tls::Identity;

/// Sets the admin password where the settings name none.
const PASSWORD_VARIABLE: &str = "WEIR_ADMIN_PASSWORD";

/// What the process starts with.
pub struct Options {
    pub config: Config,
    /// Watched for changes, where there is one.
    pub config_file: Option<PathBuf>,
    pub rules: Rules,
    /// How both are read again.
    pub inputs: Inputs,
    pub set_log_level: SetLogLevel,
}

/// Runs until a signal ends it. An error is a sentence about what kept it from starting.
pub async fn run(options: Options) -> Result<Stopped, String> {
    let mut signals = Signals::new()?;
    let running = start(options, session::serve).await?;
    let Running { mut server, reloader, _tasks } = running;
    loop {
        match signals.next().await {
            Asked::Reload => drop(reloader.reload(Cause::Signal).await),
            Asked::Stop => return Ok(end(server).await),
            Asked::Drain => break,
        }
    }
    tracing::info!("draining: sessions end at their next transaction boundary");
    tokio::select! {
        drained = async {
            server.leave().await;
            server.drained().await
        } => tracing::info!(drained, "drained"),
        () = signals.second() => tracing::warn!("a second signal: sessions are cut"),
    }
    Ok(end(server).await)
}

/// How long giving things back may take.
const GIVE_BACK: Duration = Duration::from_secs(1);

async fn end(server: Server) -> Stopped {
    let sequences = server.context.sequences.clone();
    let stopped = server.stop().await;
    // A group that doesn't answer gives the worker id to others when its time is over.
    let _ = tokio::time::timeout(GIVE_BACK, sequences.release()).await;
    stopped
}

/// A started process.
pub struct Running {
    pub server: Server,
    pub reloader: Arc<Reloader>,
    /// Admin port, HTTP, file watch: they end with it.
    _tasks: JoinSet<()>,
}

/// Starts everything; clients are accepted when it returns.
pub async fn start(options: Options, serve: impl Serve) -> Result<Running, String> {
    let started = Instant::now();
    let Options { config, config_file, mut rules, inputs, set_log_level } = options;
    rules.version = 1;
    let workers = worker_count(&config);
    let zone = config.listen.zone.as_deref().map(Arc::from);
    let place = Place { workers, zone, local_infile: config.listen.local_infile };
    let topology = Topology::build(&rules, &place, None).map_err(|error| error.message)?;
    let backends: usize =
        topology.groups().iter().flat_map(|g| g.pools()).map(|pool| pool.max()).sum();
    let proxy = config.listen.proxy_id.unwrap_or_else(|| rand::random_range(0..DRAWN_IDS));
    let admin_password = admin_password(&config)?;
    let snapshot = Snapshot::new(Arc::new(rules), Arc::new(topology));
    let context = Context::new(config, snapshot, workers, proxy);
    bound_seats(&context, backends);
    offer_tls(&context)?;

    // Bind everything before anything is dialled: a taken port is known at once.
    let (mut server, listeners) =
        Server::bind(context.clone(), workers, serve).await.map_err(|error| error.to_string())?;
    let config = context.config();
    let admin_listener = match &admin_password {
        Some(_) => bind(config.admin.listen).await?,
        None => None,
    };
    let http_listener = bind(config.http.listen).await?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        addresses = ?server.addresses,
        unix = ?config.listen.unix,
        admin = ?address(&admin_listener),
        http = ?address(&http_listener),
        proxy,
        workers,
        clients = context.seats.limit(),
        "weir starts"
    );

    let reloader = Reloader::new(context.clone(), place, inputs);
    let mut tasks = JoinSet::new();
    if let Some(listener) = http_listener {
        tasks.spawn(serve_pages(listener, pages(&context)));
    }
    if let (Some(listener), Some(password)) = (admin_listener, admin_password) {
        let admin = Admin {
            context: context.clone(),
            reloader: reloader.clone(),
            user: config.admin.user.clone(),
            password,
            set_log_level,
            started,
        };
        tasks.spawn(port::serve(listener, Arc::new(admin)));
    } else if config.admin.listen.is_some() {
        tracing::warn!(
            "the admin port stays shut: no password is set (admin.password or {PASSWORD_VARIABLE})"
        );
    }
    reloader.begin().await;
    announce(&context);
    housekeep(&context, &mut tasks);
    if config.rules.watch {
        tasks.spawn(watch_files(context.clone(), reloader.clone(), config_file));
    }
    server.accept(listeners);
    tracing::info!(after_ms = started.elapsed().as_millis(), "ready");
    Ok(Running { server, reloader, _tasks: tasks })
}

async fn serve_pages(listener: TcpListener, pages: http::Pages) {
    if let Err(error) = http::serve(listener, pages).await {
        tracing::error!(%error, "HTTP ended");
    }
}

async fn watch_files(context: Arc<Context>, reloader: Arc<Reloader>, config_file: Option<PathBuf>) {
    if let Err(error) = watch::watch(context, reloader, config_file).await {
        tracing::error!(%error, "files aren't watched; SIGHUP and RELOAD work all the same");
    }
}

/// Made at start, off the runtime, so that no client's login waits for it.
fn make_key(context: &Context) {
    if let Err(error) = context.front.rsa() {
        tracing::error!(%error, "no RSA key: plain clients can't send a password in full");
    }
}

fn pages(context: &Arc<Context>) -> http::Pages {
    let source = TopologySource(context.clone());
    let scrape = Scrape::new(
        context.metrics.clone(),
        context.sessions.clone(),
        context.budget.clone(),
        vec![Box::new(source), Box::new(SequenceSource(context.clone()))],
    );
    let details = {
        let context = context.clone();
        Arc::new(move || troubles(&context.snapshot().topology))
    };
    http::Pages { context: context.clone(), scrape: Arc::new(scrape), details }
}

/// What goes on beside the sessions.
fn housekeep(context: &Arc<Context>, tasks: &mut JoinSet<()>) {
    tasks.spawn(keep_announcing(context.clone()));
    tasks.spawn(keep_catalog(context.clone()));
    tasks.spawn(context.sequences.clone().keep());
    tasks.spawn(recover::watch(context.clone()));
    tasks.spawn(deadlock::watch(context.clone()));
    let keys = context.clone();
    tasks.spawn_blocking(move || make_key(&keys));
}

/// Notices tables that were altered behind the proxy's back: plans made for the old ones go.
async fn keep_catalog(context: Arc<Context>) {
    let mut watch = DdlWatch::default();
    loop {
        tokio::time::sleep(ddl::EVERY).await;
        let snapshots = context.snapshots();
        let topologies: Vec<&Topology> = snapshots.iter().map(|it| &*it.topology).collect();
        let due = watch.due(&topologies).await;
        if due.is_empty() {
            continue;
        }
        for snapshot in &snapshots {
            let (rules, topology) = (&snapshot.rules, &snapshot.topology);
            let seen = context.loader.refresh(rules, topology, &snapshot.catalog, &due).await;
            watch.missed(&seen.failed);
            if let Some(error) = seen.error {
                tracing::warn!(%error, "the catalog wasn't checked");
            }
            if !seen.drifted.is_empty() {
                watch.changed(&due);
                tracing::warn!(drifted = ?seen.drifted, "tables have changed behind the proxy");
            }
        }
    }
}

/// How often what clients are shown is compared with what the groups are.
const ANNOUNCE: Duration = Duration::from_secs(1);

/// Tells clients what the servers behind are, and goes on doing so: a server may be upgraded.
async fn keep_announcing(context: Arc<Context>) {
    loop {
        tokio::time::sleep(ANNOUNCE).await;
        announce(&context);
    }
}

fn announce(context: &Context) {
    if let Some(announced) = Announced::of(&context.snapshot().topology) {
        context.front.announce(announced);
    }
}

fn offer_tls(context: &Context) -> Result<(), String> {
    let config = context.config();
    let tls = &config.tls;
    if tls.mode == TlsMode::Off {
        return Ok(());
    }
    let (Some(cert), Some(key)) = (&tls.cert, &tls.key) else {
        return Err("tls: mode preferred and required need cert and key".to_owned());
    };
    let identity = Identity::read(cert, key).map_err(|error| format!("tls: {}", error.message))?;
    context.front.set_tls(identity, tls.mode == TlsMode::Required);
    Ok(())
}

/// Lowers the number of clients to what open files allow, and says so.
fn bound_seats(context: &Context, backends: usize) {
    let limit = files::raise_limit();
    let ceiling = files::ceiling(limit, u64::try_from(backends).unwrap_or(u64::MAX));
    context.seats.set_ceiling(ceiling);
    let wanted = context.config().limits.max_connections;
    if ceiling < wanted {
        tracing::warn!(
            wanted,
            allowed = ceiling,
            open_files = limit,
            "fewer clients than limits.max_connections: raise the limit of open files"
        );
    }
}

/// The admin password that somebody set, or none.
fn admin_password(config: &Config) -> Result<Option<Secret>, String> {
    let reference = match &config.admin.password {
        Some(reference) => reference.clone(),
        None if std::env::var_os(PASSWORD_VARIABLE).is_some() => {
            SecretRef::Env(PASSWORD_VARIABLE.to_owned())
        }
        None => return Ok(None),
    };
    reference.read().map(Some).map_err(|why| format!("admin.password: {why}"))
}

async fn bind(address: Option<SocketAddr>) -> Result<Option<TcpListener>, String> {
    let Some(address) = address else { return Ok(None) };
    let bound = TcpListener::bind(address).await;
    bound.map(Some).map_err(|error| format!("can't listen on {address}: {error}"))
}

fn address(listener: &Option<TcpListener>) -> Option<SocketAddr> {
    listener.as_ref().and_then(|listener| listener.local_addr().ok())
}

/// What a signal asks for.
enum Asked {
    Reload,
    Drain,
    Stop,
}

struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, String> {
        let of = |kind| signal(kind).map_err(|error| format!("signals can't be received: {error}"));
        Ok(Signals {
            hangup: of(SignalKind::hangup())?,
            terminate: of(SignalKind::terminate())?,
            interrupt: of(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.hangup.recv() => Asked::Reload,
            _ = self.terminate.recv() => Asked::Drain,
            _ = self.interrupt.recv() => Asked::Stop,
        }
    }

    /// While the process drains: another one that wants it to end. SIGHUP changes nothing any more.
    async fn second(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
