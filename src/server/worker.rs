//! Workers: threads with a single-threaded runtime each, on which sessions live and die.
//!
//! Owns: the threads, one task per session, and what happens when a task panics. Never: moves a
//! session from one worker to another.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};

use super::accept::{Arrival, Lane, Socket};
use crate::context::{Client, WorkerContext};
use crate::error::Result;
use crate::observe::sessions::{Peer, Watch};
use crate::wire::stream::{Peer as End, Stream};

/// Connections on their way to one worker.
const ARRIVALS: usize = 1024;

/// What runs a session: `session::serve`, or a stand-in of tests.
pub trait Serve: Clone + Send + Sync + 'static {
    fn serve(
        &self,
        ctx: Arc<WorkerContext>,
        stream: Stream,
        client: Client,
    ) -> impl Future<Output = ()> + Send;
}

impl<F, Fut> Serve for F
where
    F: Fn(Arc<WorkerContext>, Stream, Client) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    fn serve(
        &self,
        ctx: Arc<WorkerContext>,
        stream: Stream,
        client: Client,
    ) -> impl Future<Output = ()> + Send {
        self(ctx, stream, client)
    }
}

/// One running worker.
#[derive(Debug)]
pub struct Worker {
    pub lane: Lane,
    pub thread: JoinHandle<()>,
}

impl Worker {
    /// Starts a worker's thread. It ends once its lane is dropped and its last session ended.
    pub fn start(ctx: Arc<WorkerContext>, serve: impl Serve) -> io::Result<Worker> {
        let (sender, arrivals) = mpsc::channel(ARRIVALS);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new()
            .name(format!("weir-worker-{}", ctx.index))
            .spawn(move || runtime.block_on(work(ctx, arrivals, serve)))?;
        let lane = Lane { arrivals: sender, load: Arc::new(AtomicUsize::new(0)) };
        Ok(Worker { lane, thread })
    }
}

async fn work(ctx: Arc<WorkerContext>, mut arrivals: mpsc::Receiver<Arrival>, serve: impl Serve) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            arrival = arrivals.recv() => match arrival {
                Some(arrival) => {
                    let (ctx, serve) = (ctx.clone(), serve.clone());
                    sessions.spawn(async move { receive(ctx, arrival, serve).await });
                }
                None => break,
            },
            Some(ended) = sessions.join_next() => note(&ctx, ended),
        }
    }
    while let Some(ended) = sessions.join_next().await {
        note(&ctx, ended);
    }
}

/// A session that panicked has lost everything it held: its client's socket is closed, and its
/// backend connections were lent, so they are discarded. The process lives.
fn note(ctx: &WorkerContext, ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        ctx.recorder.metrics().panics.increment();
        tracing::error!(
            worker = ctx.index,
            "a session panicked: this is a defect of Weir, please report it"
        );
    }
}

async fn receive(ctx: Arc<WorkerContext>, arrival: Arrival, serve: impl Serve) {
    let Arrival { socket, peer, seat, handshake, login_by, load: _load } = arrival;
    ctx.recorder.metrics().connections.increment();
    let config = ctx.shared.config();
    // Before the login no packet has a reason to be long; the session raises it.
    let Ok(mut stream) = open(socket) else { return };
    let registration = ctx.shared.sessions.register(peer.clone(), ctx.index);
    let expects_header = match &peer {
        Peer::Tcp(address) => {
            config.listen.proxy_protocol_from.iter().any(|net| net.contains(address.ip()))
        }
        Peer::Unix => false,
    };
    drop(config);
    if expects_header {
        let header = tokio::select! {
            header = tokio::time::timeout_at(login_by, stream.read_proxy_header()) => header,
            _ = registration.stopped(Watch::Idle) => return,
        };
        match header {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return ctx.recorder.metrics().logins_failed.add("proxy_header"),
            Err(_) => return ctx.recorder.metrics().logins_failed.add("timeout"),
        }
        if let Some(address) = stream.peer_address() {
            registration.set_peer(Peer::Tcp(address));
        }
    }
    let client = Client { registration, handshake: Some(handshake), seat, login_by };
    serve.serve(ctx, stream, client).await;
}

/// The longest packet before the login is complete, in bytes.
pub const LOGIN_PACKET: usize = 64 << 10;

fn open(socket: Socket) -> io::Result<Stream> {
    match socket {
        Socket::Tcp(socket) => {
            Ok(Stream::tcp(tokio::net::TcpStream::from_std(socket)?, End::Client, LOGIN_PACKET))
        }
        Socket::Unix(socket) => {
            Ok(Stream::unix(tokio::net::UnixStream::from_std(socket)?, End::Client, LOGIN_PACKET))
        }
    }
}
